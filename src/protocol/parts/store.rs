//! A replica's store: last write wins per key, and lists that are appended to.
//!
//! A list is kept beside its key, whose value is the last element. It is a set of elements ordered
//! by version, so that replicas that have taken the same writes hold the same list in whatever
//! order these came. A put or a delete ends a list: elements with lower versions go, and those that
//! arrive later are not taken. Elements with higher versions stay, and the put or the delete below
//! them is kept for what may still arrive.

use std::collections::BTreeMap;

use crate::digest::name_hash;
use crate::history::Item;
use crate::id::{KeyId, Value, Version};
use crate::protocol::{StateHash, Stored};

/// What a replica stores, by key. Keys are interned from 0, so the store is a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Store {
    slots: Vec<Option<Stored>>,
    lists: BTreeMap<KeyId, List>,
    /// The sum of the hashes of all that is stored, for those who asked: whatever order it came in,
    /// the same content has the same sum.
    hash: Option<u64>,
}

/// A part of what a store holds, as its running hash counts it.
#[derive(Hash)]
enum StoredPart {
    Held(KeyId, Stored),
    Floor(KeyId, Stored),
    Element(KeyId, Version, Value),
}

/// The elements of a key: at least one, of which the last is what the key holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct List {
    /// The greatest put or delete of the key: what is not greater is no element.
    floor: Option<Stored>,
    /// By version.
    elements: Vec<(Version, Value)>,
}

impl List {
    /// The element of this version.
    fn element(&self, version: Version) -> Option<Value> {
        let place = self.elements.binary_search_by_key(&version, |(element, _)| *element).ok()?;
        Some(self.elements[place].1)
    }

    fn floor_version(&self) -> Option<Version> {
        self.floor.map(|floor| floor.version)
    }

    /// Whether a put or a delete of this version is the greatest of the key. Not so one that ties
    /// with what is there, by a rule that keeps what is there.
    fn is_ended_by(&self, ties: TieBreak, version: Version) -> bool {
        let comes_after = |other: Version| ties.replaces(version, other);
        let comes_before = |other: Version| ties.replaces(other, version);
        let is_apart =
            |(element, _): &(Version, Value)| comes_after(*element) || comes_before(*element);
        self.floor_version().is_none_or(comes_after) && self.elements.iter().all(is_apart)
    }

    /// Takes in a put or a delete by which the list [is ended](Self::is_ended_by).
    fn end(&mut self, stored: Stored) {
        self.floor = Some(stored);
        self.elements.retain(|(element, _)| *element > stored.version);
    }
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
    /// It is an element of the key's list, and not the newest.
    Within,
    /// It is older than elements of the key's list, and has ended what was there before it.
    Below,
}

/// Which of two writes with the same timestamp is the newer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TieBreak {
    /// That of the higher node id, and of one node the later one: replicas agree, whatever arrived
    /// first.
    NodeId,
    /// The one that a replica has already: replicas that received them in another order disagree
    /// for good.
    KeepExisting,
}

impl TieBreak {
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
    /// An empty store that keeps a hash of what it holds: see [`Store::state`].
    #[must_use]
    pub fn hashed() -> Self {
        Self { hash: Some(0), ..Self::default() }
    }

    /// The hash of everything that is stored, kept in O(1) a write. Stores of the same content have
    /// the same, whatever order it came in. `None` unless the store is [`Store::hashed`].
    #[must_use]
    pub fn state(&self) -> Option<StateHash> {
        self.hash.map(StateHash)
    }

    /// A part of the content took the place of another; of one of the two there may be none.
    fn count(&mut self, gone: Option<StoredPart>, new: Option<StoredPart>) {
        if let Some(hash) = &mut self.hash {
            let of = |part: Option<StoredPart>| part.map_or(0, |part| name_hash(&part));
            *hash = hash.wrapping_sub(of(gone)).wrapping_add(of(new));
        }
    }

    /// The key holds this from now on.
    #[inline(never)]
    fn hold(&mut self, key: KeyId, stored: Option<Stored>) {
        let before = std::mem::replace(self.slot(key), stored);
        let part = |stored: Option<Stored>| stored.map(|stored| StoredPart::Held(key, stored));
        self.count(part(before), part(stored));
    }

    /// Takes a write if it is the key's newest: last write wins by version. A tombstone is a write
    /// without value.
    #[inline]
    pub fn apply(&mut self, key: KeyId, stored: Stored) -> Applied {
        self.apply_under(TieBreak::NodeId, key, stored)
    }

    /// The same, by another rule for equal timestamps.
    #[inline]
    pub fn apply_under(&mut self, ties: TieBreak, key: KeyId, stored: Stored) -> Applied {
        if !self.lists.is_empty()
            && let Some(applied) = self.end_list(ties, key, stored)
        {
            return applied;
        }
        self.win(ties, key, stored)
    }

    /// A put or a delete of a key reaches its list; `None` where there is none, or none any more.
    fn end_list(&mut self, ties: TieBreak, key: KeyId, stored: Stored) -> Option<Applied> {
        let list = self.lists.get_mut(&key)?;
        if !list.is_ended_by(ties, stored.version) {
            let is_known = list.floor_version() == Some(stored.version);
            return Some(if is_known { Applied::Known } else { Applied::Older });
        }
        let before = self.hash.is_some().then(|| list.clone());
        list.end(stored);
        let kept = list.elements.len();
        let is_left = kept > 0;
        if let Some(List { floor, elements }) = before {
            for (version, value) in &elements[..elements.len() - kept] {
                self.count(Some(StoredPart::Element(key, *version, *value)), None);
            }
            let floor = floor.map(|floor| StoredPart::Floor(key, floor));
            self.count(floor, is_left.then_some(StoredPart::Floor(key, stored)));
        }
        if is_left {
            return Some(Applied::Below);
        }
        self.lists.remove(&key);
        None
    }

    /// Adds an element to a key's list, unless a put or a delete of a greater version has ended
    /// that.
    pub fn append(&mut self, key: KeyId, value: Value, version: Version) -> Applied {
        if !self.lists.contains_key(&key) && !self.lacks_element(key, version) {
            return Applied::Older;
        }
        let floor = self.stored(key);
        let list = self.lists.entry(key).or_insert(List { floor, elements: Vec::new() });
        let is_new = list.elements.is_empty();
        if list.floor_version().is_some_and(|floor| floor >= version) {
            return Applied::Older;
        }
        let place = list.elements.partition_point(|(element, _)| *element < version);
        if list.elements.get(place).is_some_and(|(element, _)| *element == version) {
            return Applied::Known;
        }
        list.elements.insert(place, (version, value));
        if self.hash.is_some() {
            let floor = floor.filter(|_| is_new).map(|floor| StoredPart::Floor(key, floor));
            self.count(None, floor);
            self.count(None, Some(StoredPart::Element(key, version, value)));
        }
        match self.win(TieBreak::NodeId, key, Stored { value: Some(value), version }) {
            newest @ Applied::Newest { .. } => newest,
            Applied::Known | Applied::Older | Applied::Within | Applied::Below => Applied::Within,
        }
    }

    // Always inlined: each write that reaches a replica comes here, and the running hash, which
    // hardly any store keeps, would have it called.
    #[inline(always)]
    fn win(&mut self, ties: TieBreak, key: KeyId, stored: Stored) -> Applied {
        let is_hashed = self.hash.is_some();
        let slot = self.slot(key);
        match slot {
            Some(held) if held.version == stored.version => Applied::Known,
            Some(held) if !ties.replaces(stored.version, held.version) => Applied::Older,
            _ => {
                let before = slot.and_then(|held| held.value);
                if is_hashed {
                    self.hold(key, Some(stored));
                } else {
                    *slot = Some(stored);
                }
                Applied::Newest { before }
            }
        }
    }

    /// Takes a write whatever the key holds.
    pub fn overwrite(&mut self, key: KeyId, stored: Stored) {
        self.hold(key, Some(stored));
    }

    /// Whether [`Store::append`] would add an element of `version`.
    #[must_use]
    pub fn lacks_element(&self, key: KeyId, version: Version) -> bool {
        match self.lists.get(&key) {
            Some(list) => {
                list.floor_version().is_none_or(|floor| floor < version)
                    && list.element(version).is_none()
            }
            None => self.stored(key).is_none_or(|held| held.version < version),
        }
    }

    /// Removes the tombstone of this version without a trace, whether the key holds it or a list's
    /// elements follow it.
    pub fn purge(&mut self, key: KeyId, version: Version) {
        let is_it = |held: &mut Stored| held.value.is_none() && held.version == version;
        match self.lists.get_mut(&key) {
            Some(list) => {
                if let Some(floor) = list.floor.take_if(is_it) {
                    self.count(Some(StoredPart::Floor(key, floor)), None);
                }
            }
            None => {
                if self.stored(key).is_some_and(|mut held| is_it(&mut held)) {
                    self.hold(key, None);
                }
            }
        }
    }

    /// Every tombstone, those among them that elements of a list are above.
    pub fn tombstones(&self) -> impl Iterator<Item = (KeyId, Stored)> + '_ {
        self.all_but_elements().filter(|(_, stored)| stored.value.is_none())
    }

    /// Takes a delete that leaves nothing. Where the key holds nothing it is [`Applied::Known`].
    pub fn erase_under(&mut self, ties: TieBreak, key: KeyId, delete: Stored) -> Applied {
        if !self.lists.is_empty()
            && let Some(applied) = self.end_list(ties, key, delete)
        {
            return applied;
        }
        let version = delete.version;
        match self.stored(key) {
            None => Applied::Known,
            Some(held) if held.version == version || ties.replaces(version, held.version) => {
                let before = held.value;
                self.hold(key, None);
                Applied::Newest { before }
            }
            Some(_) => Applied::Older,
        }
    }

    /// Whether [`Store::apply_under`] or [`Store::erase_under`] of a put or a delete of `version`
    /// would change a key that holds a list; `None` where it holds none.
    #[must_use]
    pub fn would_end_list(&self, ties: TieBreak, key: KeyId, version: Version) -> Option<bool> {
        self.lists.get(&key).map(|list| list.is_ended_by(ties, version))
    }

    /// Whether the key's list has this element.
    #[must_use]
    pub fn has_element(&self, key: KeyId, element: Stored) -> bool {
        let held = self.lists.get(&key).and_then(|list| list.element(element.version));
        held.is_some() && held == element.value
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

    /// A key's elements, in the order of their versions; empty where the key holds no list.
    #[must_use]
    pub fn elements(&self, key: KeyId) -> &[(Version, Value)] {
        self.lists.get(&key).map_or(&[], |list| &list.elements)
    }

    /// Every element of every list, by key and version.
    pub fn all_elements(&self) -> impl Iterator<Item = (KeyId, Stored)> + '_ {
        let stored =
            |(version, value): &(Version, Value)| Stored { value: Some(*value), version: *version };
        let of_key = move |(key, list): (&KeyId, &'_ List)| {
            let key = *key;
            let elements: Vec<Stored> = list.elements.iter().map(stored).collect();
            elements.into_iter().map(move |element| (key, element))
        };
        self.lists.iter().flat_map(of_key)
    }

    /// The newest put or delete of each key, including those below the elements of a list.
    pub fn all_but_elements(&self) -> impl Iterator<Item = (KeyId, Stored)> + '_ {
        self.iter().filter_map(|(key, stored)| match self.lists.get(&key) {
            Some(list) => list.floor.map(|floor| (key, floor)),
            None => Some((key, stored)),
        })
    }

    /// The lists, by key.
    #[must_use]
    pub fn to_lists(&self) -> BTreeMap<KeyId, Vec<(Version, Value)>> {
        self.lists.iter().map(|(key, list)| (*key, list.elements.clone())).collect()
    }

    /// Every key that holds something, tombstones included, in key order.
    pub fn iter(&self) -> impl Iterator<Item = (KeyId, Stored)> + '_ {
        let keys = (0..).map(KeyId);
        keys.zip(&self.slots).filter_map(|(key, slot)| slot.map(|stored| (key, stored)))
    }

    /// The keys that exist, with value and version where `whole`, and a list with its elements, in
    /// key order.
    #[must_use]
    pub fn items(&self, whole: bool) -> Box<[Item]> {
        let item = |(key, stored): (KeyId, Stored)| {
            let value = stored.value?;
            if !whole {
                return Some(Item { key, value: None, version: None, elements: None });
            }
            let list = self.lists.get(&key);
            let elements = list.map(|list| list.elements.iter().map(|(_, value)| *value).collect());
            Some(Item { key, value: Some(value), version: Some(stored.version), elements })
        };
        self.iter().filter_map(item).collect()
    }

    /// Removes everything, tombstones included.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.lists.clear();
        self.hash = self.hash.map(|_| 0);
    }

    /// Everything, tombstones included.
    #[must_use]
    pub fn to_map(&self) -> BTreeMap<KeyId, Stored> {
        // All at once: an iterator that leaves some out does not say how many there are.
        let mut all = Vec::with_capacity(self.slots.len());
        all.extend(self.iter());
        all.into_iter().collect()
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
        let mut erase = |at| store.erase_under(TieBreak::NodeId, key, stored(at, None));
        assert_eq!(erase(5), Applied::Older);
        assert_eq!(erase(6), Applied::Newest { before: None });
        assert_eq!(erase(7), Applied::Known);
        assert_eq!(store, Store { slots: vec![None; 4], ..Store::default() });
    }

    /// A purge that comes late finds another tombstone, or a value: neither is its own.
    #[test]
    fn a_purge_takes_the_tombstone_of_its_version_and_nothing_else() {
        let (deleted, value, listed) = (KeyId(0), KeyId(1), KeyId(2));
        let mut store = Store::default();
        store.apply(deleted, stored(5, None));
        store.apply(value, stored(5, Some(1)));
        store.apply(listed, stored(5, None));
        let Stored { version, .. } = stored(6, None);
        store.append(listed, Value::text(1), version);
        let before = store.clone();
        for key in [deleted, value, listed] {
            store.purge(key, stored(4, None).version);
        }
        store.purge(value, stored(5, None).version);
        assert_eq!(store, before);
        let tombstones = |store: &Store| store.tombstones().map(|(key, _)| key).collect::<Vec<_>>();
        assert_eq!(tombstones(&store), [deleted, listed]);
        store.purge(deleted, stored(5, None).version);
        store.purge(listed, stored(5, None).version);
        assert_eq!(tombstones(&store), []);
        assert_eq!((store.stored(deleted), store.elements(listed).len()), (None, 1));
        assert_eq!(store.append(listed, Value::text(2), stored(4, None).version), Applied::Within);
    }

    #[test]
    fn a_store_that_was_cleared_remembers_nothing() {
        let mut store = Store::default();
        store.apply(KeyId(0), stored(5, None));
        store.append(KeyId(1), Value::text(1), stored(6, None).version);
        store.clear();
        assert_eq!(store, Store::default());
    }

    #[test]
    fn a_tie_goes_to_the_higher_node_or_to_what_is_there() {
        let key = KeyId(0);
        let by = |node: u16| Stored {
            value: Some(Value::text(node.into())),
            version: Version { timestamp: 7, node: NodeId(node), sequence: 1 },
        };
        for (ties, first, second, left) in [
            (TieBreak::NodeId, 1, 2, 2),
            (TieBreak::NodeId, 2, 1, 2),
            (TieBreak::KeepExisting, 1, 2, 1),
            (TieBreak::KeepExisting, 2, 1, 2),
        ] {
            let mut store = Store::default();
            store.apply_under(ties, key, by(first));
            store.apply_under(ties, key, by(second));
            assert_eq!(store.stored(key), Some(by(left)), "{ties:?}: {first}, then {second}");
        }
    }

    #[test]
    fn of_equal_timestamps_that_of_the_higher_node_wins_before_the_later_one() {
        let version = |node, sequence| Version { timestamp: 7, node: NodeId(node), sequence };
        assert!(TieBreak::NodeId.replaces(version(1, 1), version(0, 9)));
        assert!(TieBreak::NodeId.replaces(version(0, 9), version(0, 8)));
        assert!(!TieBreak::NodeId.replaces(version(0, 9), version(1, 1)));
        assert!(!TieBreak::KeepExisting.replaces(version(1, 1), version(0, 9)));
    }

    proptest! {
        /// The twin keeps all writes, and looks for those that nothing ended when asked.
        #[test]
        fn a_list_is_the_elements_above_the_last_put_or_delete_in_any_order(
            writes in proptest::collection::vec((0..20_i64, 0..3_u8), 0..20)
        ) {
            let mut store = Store::default();
            let mut twin: BTreeMap<i64, u8> = BTreeMap::new();
            let key = KeyId(1);
            for (timestamp, kind) in writes {
                let kind = *twin.entry(timestamp).or_insert(kind);
                match kind {
                    0 => {
                        let Stored { value, version } = stored(timestamp, Some(timestamp as u64));
                        store.append(key, value.expect("given"), version);
                    }
                    1 => { store.apply(key, stored(timestamp, Some(timestamp as u64))); }
                    _ => { store.apply(key, stored(timestamp, None)); }
                }
            }
            let floor = twin.iter().filter(|(_, kind)| **kind > 0).map(|(at, _)| *at).max();
            let expected: Vec<i64> = twin
                .iter()
                .filter(|(at, kind)| **kind == 0 && floor.is_none_or(|floor| floor < **at))
                .map(|(at, _)| *at)
                .collect();
            let found: Vec<i64> =
                store.elements(key).iter().map(|(version, _)| version.timestamp).collect();
            prop_assert_eq!(&found, &expected);
            let newest = twin.iter().next_back().map(|(at, kind)| (*at, *kind < 2));
            let held = store.stored(key).map(|held| (held.version.timestamp, held.value.is_some()));
            prop_assert_eq!(held, newest);
            // An empty replica that takes everything becomes equal.
            let mut other = Store::default();
            for (key, stored) in store.all_but_elements() {
                other.apply(key, stored);
            }
            for (key, Stored { value, version }) in store.all_elements() {
                other.append(key, value.expect("an element"), version);
            }
            prop_assert_eq!((other.to_map(), other.to_lists()), (store.to_map(), store.to_lists()));
        }

        /// The twin adds everything up that is there, whatever was written in whatever order.
        #[test]
        fn the_running_hash_is_that_of_the_content(
            writes in proptest::collection::vec((0..8_u8, 0..2_u32, 0..9_i64), 0..40)
        ) {
            let mut store = Store::hashed();
            for (kind, key, at) in writes {
                let (put, delete) = (stored(at, Some(at as u64)), stored(at, None));
                let key = KeyId(key);
                match kind {
                    0 | 1 => { store.append(key, put.value.expect("given"), put.version); }
                    2 | 3 => { store.apply(key, put); }
                    4 => { store.apply(key, delete); }
                    5 => { store.erase_under(TieBreak::NodeId, key, delete); }
                    6 => store.purge(key, delete.version),
                    _ if at == 0 => store.clear(),
                    _ if store.elements(key).is_empty() => store.overwrite(key, put),
                    _ => {}
                }
                let mut twin = Store::hashed();
                for (key, held) in store.iter() {
                    twin.count(None, Some(StoredPart::Held(key, held)));
                }
                for (key, List { floor, elements }) in &store.lists {
                    twin.count(None, floor.map(|floor| StoredPart::Floor(*key, floor)));
                    for (version, value) in elements {
                        twin.count(None, Some(StoredPart::Element(*key, *version, *value)));
                    }
                }
                prop_assert_eq!(store.state(), twin.state());
            }
            prop_assert_eq!(Store::default().state(), None);
        }

        /// The twin keeps all writes and picks the maximum when asked.
        #[test]
        fn agrees_with_the_maximum_of_all_writes(
            writes in proptest::collection::vec(
                (0..4_u32, 0..20_i64, proptest::option::of(0..9_u64)),
                0..40,
            )
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
