//! What an operation did, key by key: on one key, or on several.

use std::ops::Range;
use std::slice::Iter;

use super::access::id;
use super::{Entry, Function, History, Item};
use crate::id::{KeyId, OpId, Value, Version};

/// What an operation did to one key.
///
/// A read did what its answer says; one that did not complete ok read nothing. A write did what it
/// asks for; whether that took effect is its [`super::Status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyEffect<'a> {
    /// The key.
    pub key: KeyId,
    /// The version of what the read found, or that a node gave the write; `None` where there was
    /// nothing that has one, or where nobody told. A retried write on one key may have been given
    /// others, too: [`History::other_versions`].
    pub version: Option<Version>,
    /// What it did.
    pub access: Access<'a>,
}

/// How an operation accessed a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access<'a> {
    /// It read the key, and found this.
    Read(KeyContent<'a>),
    /// It set the key to this value.
    Put(Value),
    /// It added this element to the key's list.
    Append(Value),
    /// It removed the key.
    Remove,
}

/// What a read found under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyContent<'a> {
    /// A value.
    Value(Value),
    /// A list.
    List {
        /// Its last element, which is the key's value.
        last: Value,
        /// All its elements, in the order of their versions.
        elements: &'a [Value],
    },
    /// Something: a list of keys does not say what.
    Key,
    /// The tombstone of a removed key, whose version is that of the removal.
    Tombstone,
    /// Nothing. No node that answered knew of a removal: the key was never written there, or its
    /// removal left no tombstone, or the answer was about the whole store.
    Nothing,
}

impl<'a> KeyContent<'a> {
    /// Either a value, or a list whose last element it is.
    fn of(value: Value, elements: Option<&'a [Value]>) -> Self {
        elements.map_or(Self::Value(value), |elements| Self::List { last: value, elements })
    }

    /// The value found; of a list, the last element.
    #[must_use]
    pub const fn value(self) -> Option<Value> {
        match self {
            Self::Value(value) | Self::List { last: value, .. } => Some(value),
            Self::Key | Self::Tombstone | Self::Nothing => None,
        }
    }

    /// The elements of a list.
    #[must_use]
    pub const fn elements(self) -> Option<&'a [Value]> {
        match self {
            Self::List { elements, .. } => Some(elements),
            Self::Value(_) | Self::Key | Self::Tombstone | Self::Nothing => None,
        }
    }
}

impl<'a> KeyEffect<'a> {
    /// What a read found; `None` for a write.
    #[must_use]
    pub const fn found(&self) -> Option<KeyContent<'a>> {
        match self.access {
            Access::Read(content) => Some(content),
            Access::Put(_) | Access::Append(_) | Access::Remove => None,
        }
    }

    /// Whether it is a delete, or a clear that removed the key.
    #[must_use]
    pub const fn removes(&self) -> bool {
        matches!(self.access, Access::Remove)
    }
}

/// What an operation did to the keys that none of its effects names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherKeys {
    /// Nothing.
    Untouched,
    /// It read the whole store, and none of them was there.
    SeenAbsent,
    /// A clear of which no node told a removal: the store was empty, or one replica alone was
    /// emptied, of any keys.
    PerhapsRemoved,
}

/// The effects of an operation. See [`History::effects`].
#[derive(Clone, Debug)]
pub struct KeyEffects<'a>(Remaining<'a>);

#[derive(Clone, Debug)]
enum Remaining<'a> {
    One(Option<KeyEffect<'a>>),
    Found(Iter<'a, Item>),
    Removed(Iter<'a, (KeyId, Version)>),
    /// Those of the accesses from a place on, as many as these.
    Accesses(&'a History, Range<usize>),
}

impl<'a> KeyEffects<'a> {
    const NONE: Self = Self(Remaining::One(None));

    const fn one(entry: &Entry, access: Access<'a>) -> Self {
        let (key, version) = (entry.key, entry.version);
        Self(Remaining::One(Some(KeyEffect { key, version, access })))
    }
}

impl<'a> Iterator for KeyEffects<'a> {
    type Item = KeyEffect<'a>;

    #[inline]
    fn next(&mut self) -> Option<KeyEffect<'a>> {
        match &mut self.0 {
            Remaining::One(effect) => effect.take(),
            Remaining::Found(items) => items.next().map(of_item),
            Remaining::Removed(keys) => keys.next().map(|(key, version)| KeyEffect {
                key: *key,
                version: Some(*version),
                access: Access::Remove,
            }),
            Remaining::Accesses(history, places) => {
                places.find_map(|place| history.effects(id(place)).next())
            }
        }
    }
}

/// What a read of the whole store found for one key.
fn of_item(item: &Item) -> KeyEffect<'_> {
    let content =
        item.value.map_or(KeyContent::Key, |value| KeyContent::of(value, item.elements.as_deref()));
    KeyEffect { key: item.key, version: item.version, access: Access::Read(content) }
}

impl History {
    /// What `op` did, a key at a time: one for an operation on one key; for a list or a read of
    /// everything, each key that was there; for a clear, each removal that a node accepted, by key
    /// and version (a retried clear may have removed a key several times); for a compare-and-set
    /// and for a batch that of each of its [accesses](History::accesses), in their order: a key may
    /// come several times, and a read may have found what an access before it has put. What it did
    /// to all other keys, [`History::other_keys`] says.
    #[inline]
    #[must_use]
    pub fn effects(&self, op: OpId) -> KeyEffects<'_> {
        let entry = self.entry(op);
        match entry.function {
            Function::Put => KeyEffects::one(entry, Access::Put(written(entry))),
            Function::Append => KeyEffects::one(entry, Access::Append(written(entry))),
            Function::Delete => KeyEffects::one(entry, Access::Remove),
            Function::Get if !entry.is_ok() => KeyEffects::NONE,
            Function::Get => {
                let content = match entry.value {
                    Some(value) => KeyContent::of(value, self.elements(op)),
                    None if entry.version.is_some() => KeyContent::Tombstone,
                    None => KeyContent::Nothing,
                };
                KeyEffects::one(entry, Access::Read(content))
            }
            Function::List | Function::ReadAll => {
                KeyEffects(Remaining::Found(self.contents(op).unwrap_or_default().iter()))
            }
            Function::Clear => KeyEffects(Remaining::Removed(self.removed(op).iter())),
            Function::Cas | Function::Batch => {
                KeyEffects(Remaining::Accesses(self, self.accesses.of(op)))
            }
        }
    }

    /// What `op` did to `key`: of a clear that removed it several times, the first by version.
    /// `None` where it did nothing to it, or [another kind of thing](History::other_keys).
    #[must_use]
    pub fn effect_on(&self, op: OpId, key: KeyId) -> Option<KeyEffect<'_>> {
        self.effects(op).find(|effect| effect.key == key)
    }

    /// The value that the read `op` found under `key`; of a list, the last element.
    #[must_use]
    pub fn value_found(&self, op: OpId, key: KeyId) -> Option<Value> {
        self.effect_on(op, key)?.found()?.value()
    }

    /// What `op` did to the keys that [`History::effects`] does not name.
    #[inline]
    #[must_use]
    pub fn other_keys(&self, op: OpId) -> OtherKeys {
        match self.entry(op).function {
            Function::Put
            | Function::Append
            | Function::Delete
            | Function::Get
            | Function::Cas
            | Function::Batch => OtherKeys::Untouched,
            Function::List | Function::ReadAll if self.contents(op).is_some() => {
                OtherKeys::SeenAbsent
            }
            Function::Clear if self.removed(op).is_empty() => OtherKeys::PerhapsRemoved,
            Function::List | Function::ReadAll | Function::Clear => OtherKeys::Untouched,
        }
    }

    /// The removals of the clear `op`, by key and version.
    fn removed(&self, op: OpId) -> &[(KeyId, Version)] {
        self.cleared.get(&op).map_or(&[], Vec::as_slice)
    }
}

fn written(entry: &Entry) -> Value {
    entry.value.expect("a put and an append have a value from their invocation on")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Process, Status};
    use crate::id::{ClientId, NodeId};
    use crate::operation::Operation;
    use crate::time::Time;

    const KEY: KeyId = KeyId(3);

    fn version(timestamp: i64) -> Version {
        Version { timestamp, node: NodeId(0), sequence: 1 }
    }

    fn invoke(history: &mut History, operation: Operation) -> OpId {
        history.invoke(Time::ZERO, Time::ZERO, Process::first(ClientId(0)), operation)
    }

    type Told<'a> = (u32, Option<i64>, Access<'a>);

    fn all(history: &History, op: OpId) -> Vec<Told<'_>> {
        fn of(KeyEffect { key, version, access }: KeyEffect<'_>) -> Told<'_> {
            (key.0, version.map(|version| version.timestamp), access)
        }
        history.effects(op).map(of).collect()
    }

    #[test]
    fn a_write_has_its_effect_from_its_invocation_on_and_its_version_once_a_node_gave_one() {
        let mut history = History::default();
        let value = Value::text(0);
        let put = invoke(&mut history, Operation::Put { key: KEY, value, quorum: None });
        let append = invoke(&mut history, Operation::Append { key: KEY, value, quorum: None });
        let delete = invoke(&mut history, Operation::Delete { key: KEY, quorum: None });
        assert_eq!(all(&history, put), [(3, None, Access::Put(value))]);
        history.accept(append, version(5));
        assert_eq!(all(&history, append), [(3, Some(5), Access::Append(value))]);
        history.complete(delete, Time::ZERO, Status::Fail, |_| {});
        assert_eq!(all(&history, delete), [(3, None, Access::Remove)]);
        assert_eq!(history.other_keys(delete), OtherKeys::Untouched);
    }

    #[test]
    fn a_get_has_found_something_or_nothing_only_once_it_is_ok() {
        let mut history = History::default();
        let get = Operation::Get { key: KEY, quorum: None };
        let [pending, unknown, nothing, removed, list] =
            [(); 5].map(|()| invoke(&mut history, get));
        let value = Value::text(0);
        history.complete(unknown, Time::ZERO, Status::Info, |_| {});
        history.complete(nothing, Time::ZERO, Status::Ok, |_| {});
        history.complete(removed, Time::ZERO, Status::Ok, |entry| {
            entry.version = Some(version(6));
        });
        history.complete(list, Time::ZERO, Status::Ok, |entry| {
            (entry.value, entry.version) = (Some(value), Some(version(7)));
        });
        let value_alone = Access::Read(KeyContent::Value(value));
        assert_eq!(all(&history, list), [(3, Some(7), value_alone)]);
        let elements = [Value::text(1), value];
        history.set_elements(list, elements.into());
        let content = KeyContent::List { last: value, elements: &elements };
        assert_eq!(all(&history, list), [(3, Some(7), Access::Read(content))]);
        assert_eq!(history.value_found(list, KEY), Some(value));
        assert_eq!(all(&history, nothing), [(3, None, Access::Read(KeyContent::Nothing))]);
        assert_eq!(all(&history, removed), [(3, Some(6), Access::Read(KeyContent::Tombstone))]);
        assert_eq!([all(&history, pending), all(&history, unknown)], [vec![], vec![]]);
    }

    #[test]
    fn a_read_of_the_whole_store_has_seen_all_other_keys_absent() {
        let mut history = History::default();
        let (list, all_of_it) =
            (invoke(&mut history, Operation::List), invoke(&mut history, Operation::ReadAll));
        assert_eq!(history.other_keys(list), OtherKeys::Untouched, "not answered yet");
        let (key, value, elements) = (KEY, Some(Value::text(0)), None);
        let named = Item { key, value: None, version: None, elements: None };
        history.set_contents(list, [named].into());
        history.set_contents(
            all_of_it,
            [Item { key, value, version: Some(version(7)), elements }].into(),
        );
        assert_eq!(all(&history, list), [(3, None, Access::Read(KeyContent::Key))]);
        let found = Access::Read(KeyContent::Value(Value::text(0)));
        assert_eq!(all(&history, all_of_it), [(3, Some(7), found)]);
        assert_eq!(history.effect_on(list, KeyId(0)), None);
        let others = [list, all_of_it].map(|op| history.other_keys(op));
        assert_eq!(others, [OtherKeys::SeenAbsent; 2]);
    }

    /// A retried clear may remove a key twice.
    #[test]
    fn a_clear_has_removed_what_nodes_told_or_perhaps_anything() {
        let mut history = History::default();
        let (clear, untold) =
            (invoke(&mut history, Operation::Clear), invoke(&mut history, Operation::Clear));
        for (key, stamp) in [(1, 5), (3, 6), (1, 4)] {
            history.accept_clear(clear, KeyId(key), version(stamp));
        }
        let removed = [(1, 4), (1, 5), (3, 6)];
        let removed = removed.map(|(key, stamp)| (key, Some(stamp), Access::Remove));
        assert_eq!(all(&history, clear), removed);
        assert_eq!(all(&history, untold), []);
        let others = [clear, untold].map(|op| history.other_keys(op));
        assert_eq!(others, [OtherKeys::Untouched, OtherKeys::PerhapsRemoved]);
    }
}
