//! What the definitions of the checkers speak of, word by word and without a thought for speed: the
//! fast checkers are compared with them.

use crate::check::Evidence;
use crate::history::{Entry, Function, History};
use crate::id::{KeyId, OpId, Version};
use crate::protocol::Stored;

/// A write as definitions speak of it: the operation, if any is known, and a version it was given.
pub(in crate::check) type Told = (Option<OpId>, Version);

/// What a read found for a key.
#[derive(Clone, Copy, Debug)]
pub(in crate::check) enum Found {
    Value(Told),
    Tombstone(Told),
    Key,
    Nothing,
}

impl Found {
    pub(in crate::check) fn write(self) -> Option<Told> {
        match self {
            Self::Value(write) | Self::Tombstone(write) => Some(write),
            Self::Key | Self::Nothing => None,
        }
    }
}

/// What `op` found for `key`; `None` when it does not read it.
pub(in crate::check) fn found(history: &History, op: OpId, key: KeyId) -> Option<Found> {
    let read = history.entry(op);
    let (value, version) = match read.function {
        Function::Get if read.key == key => (read.value, read.version),
        Function::ReadAll | Function::List => {
            let items = history.contents(op).unwrap_or_default();
            let Some(item) = items.iter().find(|item| item.key == key) else {
                return Some(Found::Nothing);
            };
            if item.value.is_none() {
                return Some(Found::Key);
            }
            (item.value, item.version)
        }
        Function::Get
        | Function::Put
        | Function::Delete
        | Function::Clear
        | Function::Append
        | Function::Cas
        | Function::Batch => return None,
    };
    let Some(version) = version else { return Some(Found::Nothing) };
    // Nobody can read what is not asked for yet.
    let asked = |e: &Entry| e.invoked_seq < read.completed_seq;
    if value.is_none() {
        let removal = removals_of(history, key, version).filter(|(_, e)| asked(e));
        return Some(Found::Tombstone((latest(removal), version)));
    }
    let wrote =
        |(_, e): &(OpId, &Entry)| e.function == Function::Put && e.value == value && asked(e);
    let writer = history.iter().find(wrote).map(|(op, _)| op);
    Some(Found::Value((writer, version)))
}

/// Whether `a` comes before `b`: by real time, or by version where they were concurrent.
pub(in crate::check) fn is_older(history: &History, a: Told, b: Told) -> bool {
    let precedes = |a: Option<OpId>, b: Option<OpId>| match (a, b) {
        (Some(a), Some(b)) => {
            history.entry(a).is_ok() && history.entry(a).precedes(history.entry(b))
        }
        (None, _) | (_, None) => false,
    };
    if a.0.is_some() && a.0 == b.0 || precedes(b.0, a.0) {
        return false;
    }
    precedes(a.0, b.0) || a.1 < b.1
}

/// Every removal of `key` that may have happened and was invoked before `seq`, with its greatest
/// version.
pub(in crate::check) fn removals(
    history: &History,
    key: KeyId,
    seq: u32,
) -> impl Iterator<Item = Told> {
    let invoked = history.iter().filter(move |(_, e)| e.may_have_happened() && e.invoked_seq < seq);
    invoked.filter_map(move |(op, _)| {
        let greatest = removal_versions(history, op, key).into_iter().max()?;
        Some((Some(op), greatest))
    })
}

/// Whether a read misses a write: what it found is older, or nothing explains that it found
/// nothing, or the key.
pub(in crate::check) fn misses(
    history: &History,
    op: OpId,
    key: KeyId,
    found: Found,
    write: Told,
) -> bool {
    let read = history.entry(op);
    match found {
        Found::Value(found) | Found::Tombstone(found) => is_older(history, found, write),
        Found::Nothing => {
            removals(history, key, read.completed_seq).all(|e| is_older(history, e, write))
        }
        Found::Key => {
            let Some(removal) = write.0.filter(|op| history.entry(*op).function != Function::Put)
            else {
                return false;
            };
            let puts = history.iter().filter(|(_, e)| {
                e.function == Function::Put
                    && e.key == key
                    && e.may_have_happened()
                    && e.invoked_seq < read.completed_seq
            });
            let greatest = |op| versions(history, op, key).into_iter().max();
            let mut puts = puts.map(|(op, _)| {
                (Some(op), greatest(op).unwrap_or(crate::check::order::UNKNOWN_REMOVAL))
            });
            puts.all(|put| is_older(history, put, (Some(removal), write.1)))
        }
    }
}

/// The write that left what is held: by value, a removal by version; of several removals the one
/// that ends last.
pub(in crate::check) fn writer(history: &History, key: KeyId, held: Stored) -> Option<OpId> {
    if held.value.is_some() {
        let wrote = |(_, e): &(OpId, &Entry)| e.function == Function::Put && e.value == held.value;
        return history.iter().find(wrote).map(|(op, _)| op);
    }
    latest(removals_of(history, key, held.version))
}

/// The removals of `key` that were given `version`.
fn removals_of(
    history: &History,
    key: KeyId,
    version: Version,
) -> impl Iterator<Item = (OpId, &Entry)> {
    history.iter().filter(move |(op, _)| removal_versions(history, *op, key).contains(&version))
}

/// The one that ends last.
fn latest<'a>(removals: impl Iterator<Item = (OpId, &'a Entry)>) -> Option<OpId> {
    removals.max_by_key(|(_, e)| (e.may_have_happened(), e.end())).map(|(op, _)| op)
}

/// What a client can be told of `key` at the end, where nobody leads: of the greatest version what
/// ends last.
pub(in crate::check) fn shown(evidence: &Evidence<'_>, key: KeyId) -> Option<Stored> {
    let live = evidence.finals.iter().rev().filter(|snapshot| snapshot.up);
    let held = live.filter_map(|snapshot| snapshot.data.get(&key).copied());
    let end = |stored: &Stored| {
        writer(evidence.history, key, *stored)
            .map_or(u32::MAX, |op| evidence.history.entry(op).end())
    };
    held.max_by_key(|stored| (stored.version, end(stored)))
}

/// The versions with which `op` may have removed `key`; the greatest there can be where none is
/// known.
pub(in crate::check) fn removal_versions(history: &History, op: OpId, key: KeyId) -> Vec<Version> {
    let entry = history.entry(op);
    let unknown = vec![crate::check::order::UNKNOWN_REMOVAL];
    if entry.function == Function::Delete && entry.key == key {
        let versions = versions(history, op, key);
        if versions.is_empty() { unknown } else { versions }
    } else if entry.function == Function::Clear {
        let removes_any = history.effects(op).next().is_some();
        if removes_any { versions(history, op, key) } else { unknown }
    } else {
        Vec::new()
    }
}

/// Every version that the write `op` gave `key`.
pub(in crate::check) fn versions(history: &History, op: OpId, key: KeyId) -> Vec<Version> {
    let entry = history.entry(op);
    if !entry.is_write() {
        return Vec::new();
    }
    let on_key = history.effects(op).filter(|effect| effect.key == key);
    let mut versions: Vec<Version> = on_key.filter_map(|effect| effect.version).collect();
    if entry.is_on_one_key() && entry.key == key {
        let attempts = history.other_versions().iter();
        versions.extend(attempts.filter(|(other, _)| *other == op).map(|(_, version)| *version));
    }
    versions
}
