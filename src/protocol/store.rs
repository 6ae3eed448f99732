//! A replica's store: last write wins per key.

use std::collections::BTreeMap;

use crate::history::Item;
use crate::id::{KeyId, Value, Version};

use super::Stored;

/// What a replica stores, by key. Keys are interned from 0, so the store is a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Store {
    slots: Vec<Option<Stored>>,
}

/// What became of a write that a store was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It is the key's newest; what the key held before.
    Newest {
        /// The value before; `None` for nothing or a tombstone.
        before: Option<Value>,
    },
    /// The store has this very write already.
    Known,
    /// The key holds a write of a higher version.
    Older,
}

/// Which of two writes with the same timestamp is the newer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ties {
    /// That of the higher node id, and of one node the later one: replicas agree, whatever arrived first.
    NodeId,
    /// The one that a replica has already: replicas that were told in another order disagree for good.
    KeepExisting,
}

impl Ties {
    /// Whether a write of version `new` replaces one of version `held`.
    #[must_use]
    #[inline]
    pub fn replaces(self, new: Version, held: Version) -> bool {
        match self {
            Self::NodeId => new > held,
            Self::KeepExisting => new.timestamp > held.timestamp,
        }
    }
}

impl Store {
    /// Takes a write if it is the key's newest: last write wins by version. A tombstone is a write without value.
    #[inline]
    pub fn apply(&mut self, key: KeyId, stored: Stored) -> Applied {
        self.apply_under(Ties::NodeId, key, stored)
    }

    /// The same, by another rule for equal timestamps.
    #[inline]
    pub fn apply_under(&mut self, ties: Ties, key: KeyId, stored: Stored) -> Applied {
        let slot = self.slot(key);
        match slot {
            Some(held) if held.version == stored.version => Applied::Known,
            Some(held) if !ties.replaces(stored.version, held.version) => Applied::Older,
            _ => {
                let before = slot.and_then(|held| held.value);
                *slot = Some(stored);
                Applied::Newest { before }
            }
        }
    }

    /// Takes a write whatever the key holds.
    pub fn overwrite(&mut self, key: KeyId, stored: Stored) {
        *self.slot(key) = Some(stored);
    }

    /// Removes a key without a trace, if what it holds is not newer than `version`; whether it did.
    pub fn erase(&mut self, key: KeyId, version: Version) -> bool {
        self.erase_under(Ties::NodeId, key, version)
    }

    /// The same, by another rule for equal timestamps.
    pub fn erase_under(&mut self, ties: Ties, key: KeyId, version: Version) -> bool {
        let slot = self.slot(key);
        let removes = slot
            .is_some_and(|held| held.version == version || ties.replaces(version, held.version));
        if removes {
            *slot = None;
        }
        removes
    }

    fn slot(&mut self, key: KeyId) -> &mut Option<Stored> {
        let index = key.0 as usize;
        if index >= self.slots.len() {
            self.slots.resize(index + 1, None);
        }
        &mut self.slots[index]
    }

    /// What a key holds, tombstones included.
    #[must_use]
    pub fn stored(&self, key: KeyId) -> Option<Stored> {
        self.slots.get(key.0 as usize).copied().flatten()
    }

    /// A key's value with its version; `None` for nothing or a tombstone.
    #[must_use]
    pub fn get(&self, key: KeyId) -> Option<(Value, Version)> {
        self.stored(key).and_then(|stored| stored.value.map(|value| (value, stored.version)))
    }

    /// Every key that holds something, tombstones included, in key order.
    pub fn iter(&self) -> impl Iterator<Item = (KeyId, Stored)> + '_ {
        let keys = (0..).map(KeyId);
        keys.zip(&self.slots).filter_map(|(key, slot)| slot.map(|stored| (key, stored)))
    }

    /// The keys that exist, with value and version where `whole`, in key order.
    #[must_use]
    pub fn items(&self, whole: bool) -> Box<[Item]> {
        let item = |(key, stored): (KeyId, Stored)| {
            let value = stored.value?;
            let (value, version) =
                if whole { (Some(value), Some(stored.version)) } else { (None, None) };
            Some(Item { key, value, version })
        };
        self.iter().filter_map(item).collect()
    }

    /// Forgets everything, tombstones included.
    pub fn clear(&mut self) {
        self.slots.clear();
    }

    /// Everything, tombstones included.
    #[must_use]
    pub fn to_map(&self) -> BTreeMap<KeyId, Stored> {
        self.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::NodeId;

    fn stored(timestamp: i64, value: Option<u64>) -> Stored {
        let version = Version { timestamp, node: NodeId(0), sequence: 1 };
        Stored { value: value.map(|v| Value::text(usize::try_from(v).expect("small"))), version }
    }

    #[test]
    fn the_newest_write_wins_whatever_the_order_of_arrival() {
        let mut store = Store::default();
        let key = KeyId(3);
        assert_eq!(store.apply(key, stored(5, Some(1))), Applied::Newest { before: None });
        assert_eq!(store.apply(key, stored(4, Some(2))), Applied::Older);
        assert_eq!(store.apply(key, stored(5, Some(1))), Applied::Known);
        assert_eq!(
            store.apply(key, stored(6, None)),
            Applied::Newest { before: Some(Value::text(1)) }
        );
        assert_eq!((store.get(key), store.stored(key)), (None, Some(stored(6, None))));
        assert!(
            !store.erase(key, stored(5, None).version) && store.erase(key, stored(6, None).version)
        );
        assert_eq!(store, Store { slots: vec![None; 4] });
    }

    #[test]
    fn a_tie_goes_to_the_higher_node_or_to_what_is_there() {
        let key = KeyId(0);
        let by = |node: u16| Stored {
            value: Some(Value::text(node.into())),
            version: Version { timestamp: 7, node: NodeId(node), sequence: 1 },
        };
        for (ties, first, second, left) in [
            (Ties::NodeId, 1, 2, 2),
            (Ties::NodeId, 2, 1, 2),
            (Ties::KeepExisting, 1, 2, 1),
            (Ties::KeepExisting, 2, 1, 2),
        ] {
            let mut store = Store::default();
            store.apply_under(ties, key, by(first));
            store.apply_under(ties, key, by(second));
            assert_eq!(store.stored(key), Some(by(left)), "{ties:?}: {first}, then {second}");
        }
    }

    proptest! {
        /// The twin keeps all writes and picks the maximum when asked.
        #[test]
        fn agrees_with_the_maximum_of_all_writes(
            writes in proptest::collection::vec((0..4_u32, 0..20_i64, proptest::option::of(0..9_u64)), 0..40)
        ) {
            let mut store = Store::default();
            let mut twin: BTreeMap<KeyId, Vec<Stored>> = BTreeMap::new();
            for (key, timestamp, value) in writes {
                let write = stored(timestamp, value);
                let versions = twin.entry(KeyId(key)).or_default();
                // One version is one write.
                if versions.iter().any(|held| held.version == write.version) { continue; }
                versions.push(write);
                store.apply(KeyId(key), write);
            }
            let newest = |held: &Vec<Stored>| held.iter().copied().max_by_key(|s| s.version);
            let expected: BTreeMap<KeyId, Stored> =
                twin.iter().filter_map(|(key, held)| newest(held).map(|s| (*key, s))).collect();
            prop_assert_eq!(store.to_map(), expected);
        }
    }
}
