//! A write as it travels between replicas, and how a store takes it.

use crate::id::KeyId;
use crate::names::Names;
use crate::protocol::Stored;

use super::store::{Applied, Store, TieBreak};

/// A write as it travels: the key and what it is to hold, or an element of its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct StoredEntry {
    /// The key.
    pub key: KeyId,
    /// Whether it is appended to the key's list.
    pub element: bool,
    /// Value, or none for a delete, and version.
    pub stored: Stored,
}

/// What a write takes on the wire besides its key and its value, in bytes: its version, the two
/// lengths, what it is.
pub const STAMP: u64 = 24;

impl StoredEntry {
    /// How many bytes it takes on the wire: 24, its key and its value.
    #[must_use]
    pub fn wire_size(&self, names: &Names) -> u64 {
        let value = self.stored.value.map_or(0, |value| names.value_length(value));
        STAMP + names.key_length(self.key) + value
    }

    /// A put, or a delete.
    #[must_use]
    pub const fn register(key: KeyId, stored: Stored) -> Self {
        Self { key, element: false, stored }
    }

    /// An element of a list.
    #[must_use]
    pub const fn element(key: KeyId, stored: Stored) -> Self {
        Self { key, element: true, stored }
    }
}

/// What a delete leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletes {
    /// A tombstone with the delete's version, so that an older write that arrives late loses.
    Tombstone,
    /// Nothing.
    Erase,
}

/// How a store takes a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// What a delete leaves.
    pub deletes: Deletes,
    /// Which of two writes with one timestamp wins.
    pub ties: TieBreak,
}

impl Rules {
    /// For what a store had before: it is taken as it was.
    pub const RESTORE: Self = Self { deletes: Deletes::Tombstone, ties: TieBreak::NodeId };
}

/// Applies a write to a store: last write wins, and a delete leaves a tombstone or nothing.
#[inline]
pub fn apply(store: &mut Store, entry: StoredEntry, rules: Rules) -> Applied {
    let StoredEntry { key, element, stored } = entry;
    if let (true, Some(value)) = (element, stored.value) {
        return store.append(key, value, stored.version);
    }
    let Rules { deletes, ties } = rules;
    if stored.value.is_some() || deletes == Deletes::Tombstone {
        return store.apply_under(ties, key, stored);
    }
    store.erase_under(ties, key, stored)
}

/// A store that has taken these writes.
#[must_use]
pub fn store_of(entries: &[StoredEntry], rules: Rules) -> Store {
    let mut store = Store::default();
    for entry in entries {
        apply(&mut store, *entry, rules);
    }
    store
}

/// Whether [`apply`] would change the store.
#[must_use]
pub fn would_change(store: &Store, entry: &StoredEntry, rules: Rules) -> bool {
    let StoredEntry { key, element, stored: Stored { value, version } } = *entry;
    if element {
        return store.lacks_element(key, version);
    }
    if let Some(would) = store.would_end_list(rules.ties, key, version) {
        return would;
    }
    let leaves_nothing = value.is_none() && rules.deletes == Deletes::Erase;
    match store.stored(key) {
        Some(held) if leaves_nothing => {
            held.version == version || rules.ties.replaces(version, held.version)
        }
        Some(held) => rules.ties.replaces(version, held.version),
        None => !leaves_nothing,
    }
}

/// Everything in a store, as entries from which an equal store can be built: registers and
/// tombstones first, then the elements of lists.
pub fn contents(store: &Store) -> impl Iterator<Item = StoredEntry> + '_ {
    let registers =
        store.all_but_elements().map(|(key, stored)| StoredEntry::register(key, stored));
    registers.chain(store.all_elements().map(|(key, stored)| StoredEntry::element(key, stored)))
}

/// A write in words.
#[must_use]
pub fn entry_text(entry: &StoredEntry, names: &Names) -> String {
    let key = names.key(entry.key);
    let version = entry.stored.version;
    match entry.stored.value {
        Some(value) if entry.element => format!("{key}+={} {version}", names.value(value)),
        Some(value) => format!("{key}={} {version}", names.value(value)),
        None => format!("{key} deleted {version}"),
    }
}

/// Writes in words, as a list.
#[must_use]
pub fn entries_text<'a>(
    entries: impl IntoIterator<Item = &'a StoredEntry>,
    names: &Names,
) -> String {
    let texts: Vec<String> = entries.into_iter().map(|e| entry_text(e, names)).collect();
    format!("[{}]", texts.join(", "))
}

#[cfg(test)]
pub(in crate::protocol) mod tests {
    use std::ops::Range;

    use proptest::prelude::*;

    use super::*;
    use crate::id::{NodeId, Value, Version};

    /// An entry with a key below `keys`, and a version of these ranges.
    pub(in crate::protocol) fn any_entry(
        keys: u32,
        timestamps: Range<i64>,
        nodes: u16,
        sequences: Range<u32>,
    ) -> impl Strategy<Value = StoredEntry> {
        let version = (timestamps, 0..nodes, sequences).prop_map(|(timestamp, node, sequence)| {
            Version { timestamp, node: NodeId(node), sequence }
        });
        (0..keys, 0..3_u8, version).prop_map(|(key, kind, version)| {
            let value = (kind > 0).then(|| Value::text(version.sequence as usize));
            StoredEntry { key: KeyId(key), element: kind == 2, stored: Stored { value, version } }
        })
    }

    fn entries() -> impl Strategy<Value = StoredEntry> {
        any_entry(2, 0..4, 2, 0..3)
    }

    fn rules() -> impl Strategy<Value = Rules> {
        let deletes = prop_oneof![Just(Deletes::Tombstone), Just(Deletes::Erase)];
        let ties = prop_oneof![Just(TieBreak::NodeId), Just(TieBreak::KeepExisting)];
        (deletes, ties).prop_map(|(deletes, ties)| Rules { deletes, ties })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

        /// A store contains only what was written, and a store that takes its contents becomes
        /// equal.
        #[test]
        fn what_a_store_passes_on_was_written_and_makes_the_same_store(
            writes in proptest::collection::vec(entries(), 0..8),
            rules in rules(),
        ) {
            let (mut store, mut told) = (Store::default(), Store::default());
            // One version is one write.
            let mut writes = writes;
            let mut known = std::collections::BTreeSet::new();
            writes.retain(|write| known.insert(write.stored.version));
            for entry in &writes {
                apply(&mut store, *entry, rules);
            }
            for entry in contents(&store) {
                prop_assert!(writes.contains(&entry), "nobody wrote {:?}", entry);
                apply(&mut told, entry, Rules { deletes: Deletes::Tombstone, ..rules });
            }
            let all = |store: &Store| contents(store).collect::<Vec<_>>();
            prop_assert_eq!(all(&told), all(&store));
            prop_assert_eq!((told.to_map(), told.to_lists()), (store.to_map(), store.to_lists()));
        }

        /// Whether a write would change a store is what applying it to a copy says.
        #[test]
        fn a_write_would_change_a_store_exactly_when_it_does(
            before in proptest::collection::vec(entries(), 0..6),
            entry in entries(),
            rules in rules(),
        ) {
            let mut store = Store::default();
            for entry in before {
                apply(&mut store, entry, rules);
            }
            let (would, before) = (would_change(&store, &entry, rules), store.clone());
            let applied = apply(&mut store, entry, rules);
            let changes =
                matches!(applied, Applied::Newest { .. } | Applied::Within | Applied::Below);
            prop_assert_eq!(would, changes, "{:?}", applied);
            let all = |store: &Store| contents(store).collect::<Vec<_>>();
            prop_assert_eq!(all(&store) != all(&before), changes, "{:?}", applied);
        }
    }
}
