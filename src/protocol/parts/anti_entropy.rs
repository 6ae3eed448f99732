//! Anti-entropy: how two replicas find out where they differ.
//!
//! One sends a digest of each range of keys; the other answers with its entries of the ranges whose
//! digests differ from its own; the first takes what is newer there and sends back what is newer
//! here. (Dynamo compares Merkle trees, section 4.7; this is such a tree of one level.) Both merge
//! by last write wins, so a delete that left no tombstone on one side loses to the value on the
//! other.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher;

use crate::digest::NameHasher;
use crate::id::{KeyId, NodeId, Value, Version};

use super::entry::StoredEntry;
use super::store::TieBreak;

/// Into how many ranges the keys are divided.
pub const RANGES: usize = 16;

/// The digest of all that a replica stores in a range of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RangeDigest(u64);

/// Some of the ranges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ranges(u16);

impl Ranges {
    /// All of them.
    pub const ALL: Self = Self(u16::MAX);

    /// Those in which two replicas differ.
    #[must_use]
    pub fn differing(ours: &[RangeDigest; RANGES], theirs: &[RangeDigest; RANGES]) -> Self {
        let pairs = (0..).zip(ours.iter().zip(theirs));
        Self(
            pairs.fold(0, |ranges, (range, (ours, theirs))| {
                ranges | u16::from(ours != theirs) << range
            }),
        )
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many there are.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether a key is in one of them.
    #[must_use]
    pub const fn contains(self, key: KeyId) -> bool {
        self.0 & 1 << range_of(key) != 0
    }
}

/// The range of a key, as a store would take it from a hash of the key.
const fn range_of(key: KeyId) -> usize {
    key.0 as usize % RANGES
}

/// A digest of each range. The order of the entries does not count: it is a sum over them.
pub fn digests(entries: impl Iterator<Item = StoredEntry>) -> [RangeDigest; RANGES] {
    let mut digests = [RangeDigest::default(); RANGES];
    for StoredEntry { key, element, stored } in entries {
        let mut hasher = NameHasher::default();
        hasher.write_u32(key.0);
        hasher.write_u8(element.into());
        hasher.write_u64(stored.value.map_or(0, Value::bits));
        hasher.write_i64(stored.version.timestamp);
        hasher.write_u16(stored.version.node.0);
        hasher.write_u32(stored.version.sequence);
        let digest = &mut digests[range_of(key)].0;
        *digest = digest.wrapping_add(hasher.finish());
    }
    digests
}

/// Those of `ours` that a replica would take that holds `theirs` in their ranges.
pub fn newer<C: FromIterator<StoredEntry>>(
    ours: impl Iterator<Item = StoredEntry>,
    theirs: &[StoredEntry],
    ties: TieBreak,
) -> C {
    let registers: BTreeMap<KeyId, Version> = theirs
        .iter()
        .filter(|entry| !entry.element)
        .map(|entry| (entry.key, entry.stored.version))
        .collect();
    let elements: BTreeSet<(KeyId, Version)> = theirs
        .iter()
        .filter(|entry| entry.element)
        .map(|entry| (entry.key, entry.stored.version))
        .collect();
    let is_newer = |ours: &StoredEntry| {
        let (key, version) = (ours.key, ours.stored.version);
        if ours.element {
            return !elements.contains(&(key, version));
        }
        registers.get(&key).is_none_or(|held| ties.replaces(version, *held))
    };
    ours.filter(is_newer).collect()
}

/// Whose turn it is to be compared with: the other nodes, one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    taken: u32,
}

impl Turns {
    /// The next peer of `me` in a cluster of so many nodes; `None` where there is no other.
    pub fn next(&mut self, me: NodeId, nodes: u16) -> Option<NodeId> {
        let others = u32::from(nodes - 1);
        let steps = self.taken.checked_rem(others)? + 1;
        self.taken = self.taken.wrapping_add(1);
        let peer = (u32::from(me.0) + steps) % u32::from(nodes);
        Some(NodeId(u16::try_from(peer).expect("a remainder of a 16-bit number")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::Stored;
    use crate::protocol::parts::entry::{Deletes, Rules, apply, contents};
    use crate::protocol::parts::store::Store;

    fn writes() -> impl Strategy<Value = Vec<StoredEntry>> {
        let write = (0..40_u32, 0..9_i64, 0..3_u8).prop_map(|(key, timestamp, kind)| {
            // One version is one write.
            let node = NodeId(u16::try_from(key).expect("small"));
            let version = Version { timestamp, node, sequence: u32::from(kind) };
            let value = (kind > 0).then(|| Value::text(usize::from(kind)));
            StoredEntry { key: KeyId(key), element: kind == 2, stored: Stored { value, version } }
        });
        proptest::collection::vec(write, 0..30)
    }

    fn store(writes: &[StoredEntry]) -> Store {
        let mut store = Store::default();
        merge(&mut store, writes);
        store
    }

    fn merge(store: &mut Store, entries: &[StoredEntry]) {
        let rules = Rules { deletes: Deletes::Tombstone, ties: TieBreak::NodeId };
        for entry in entries {
            apply(store, *entry, rules);
        }
    }

    /// Two replicas that hold something else under a key, in whichever part, find it out.
    #[test]
    fn entries_that_differ_in_anything_have_other_digests() {
        let version = Version { timestamp: 1, node: NodeId(1), sequence: 1 };
        let stored = |version| Stored { value: Some(Value::text(1)), version };
        let one = StoredEntry::register(KeyId(1), stored(version));
        let others = [
            StoredEntry::register(KeyId(1 + 16), one.stored),
            StoredEntry::element(KeyId(1), one.stored),
            StoredEntry::register(KeyId(1), Stored { value: None, version }),
            StoredEntry::register(KeyId(1), Stored { value: Some(Value::text(2)), version }),
            StoredEntry::register(KeyId(1), stored(Version { timestamp: 2, ..version })),
            StoredEntry::register(KeyId(1), stored(Version { node: NodeId(2), ..version })),
            StoredEntry::register(KeyId(1), stored(Version { sequence: 2, ..version })),
        ];
        let digest = |entry| digests(std::iter::once(entry));
        for other in others {
            let differing = Ranges::differing(&digest(one), &digest(other));
            assert!(differing.contains(KeyId(1)) && differing.len() == 1, "{other:?}");
        }
        assert!(Ranges::differing(&digest(one), &digest(one)).is_empty());
    }

    proptest! {
        /// The twin is a store that took every write itself.
        #[test]
        fn two_replicas_that_compare_hold_all_that_either_held(one in writes(), other in writes()) {
            let (mut asking, mut asked) = (store(&one), store(&other));
            let differing =
                Ranges::differing(&digests(contents(&asked)), &digests(contents(&asking)));
            let of = |store: &Store| {
                contents(store).filter(|e| differing.contains(e.key)).collect::<Vec<StoredEntry>>()
            };
            let theirs = of(&asked);
            let ours: Vec<StoredEntry> = newer(of(&asking).into_iter(), &theirs, TieBreak::NodeId);
            let known = ours.iter().find(|entry| theirs.contains(entry));
            prop_assert_eq!(known, None, "what the other has is not sent back");
            merge(&mut asking, &theirs);
            merge(&mut asked, &ours);
            let twin: Vec<StoredEntry> = contents(&store(&[one, other].concat())).collect();
            prop_assert_eq!(&contents(&asking).collect::<Vec<_>>(), &twin);
            prop_assert_eq!(&contents(&asked).collect::<Vec<_>>(), &twin);
        }

        #[test]
        fn every_peer_has_its_turn(me in 0..5_u16, nodes in 1..6_u16) {
            let me = NodeId(me % nodes);
            let mut turns = Turns::default();
            let mut peers: Vec<NodeId> = (1..nodes).filter_map(|_| turns.next(me, nodes)).collect();
            peers.sort_unstable();
            let others: Vec<NodeId> = NodeId::all(nodes).filter(|node| *node != me).collect();
            prop_assert_eq!(peers, others);
        }
    }
}
