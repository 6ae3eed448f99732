//! What clients wrote and what they were shown, key by key: what the properties of clients and of
//! the data are about.
//!
//! Real time orders two writes where one completed before the other was invoked; versions order
//! only what was concurrent. A write that did not complete ok may take effect at any time, and is
//! concurrent with all that is invoked after it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::files::{F, Files, Held, NEVER, Node, Op, Version};

/// The version of a removal of which nobody knows one: above all others.
const HIGHEST: Version = Version { timestamp: i128::MAX, node: u32::MAX, sequence: u64::MAX };

/// A write of a key.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    /// Which; `None` where no operation wrote what is there.
    pub(crate) op: Option<u32>,
    pub(crate) f: Option<F>,
    /// The element, of an append.
    pub(crate) element: Option<String>,
    pub(crate) invoked: usize,
    /// The line after which it cannot take effect any more.
    pub(crate) end: usize,
    pub(crate) version: Version,
}

impl Write {
    fn of(op: &Op, version: Version) -> Self {
        Self {
            op: Some(op.op),
            f: Some(op.f),
            element: op.written.clone().filter(|_| op.f == F::Append),
            invoked: op.invoked,
            end: end(op),
            version,
        }
    }

    /// Whether it comes before `other`: by real time, or by version where they were concurrent.
    pub(crate) fn comes_before(&self, other: &Self) -> bool {
        if self.op.is_some() && self.op == other.op {
            return false;
        }
        if self.end < other.invoked {
            return true;
        }
        let concurrent = other.end >= self.invoked;
        concurrent && self.version < other.version
    }

    fn removes(&self) -> bool {
        matches!(self.f, Some(F::Delete | F::Clear))
    }
}

/// The line after which a write cannot take effect any more: its completion, if that was ok.
pub(crate) fn end(op: &Op) -> usize {
    if op.is_ok() { op.completed } else { NEVER }
}

/// Whether it did not fail, so that it may have taken effect or may yet.
pub(crate) fn may_have_happened(op: &Op) -> bool {
    op.status != super::files::Status::Fail
}

/// The part of a read that is about one key.
pub(crate) struct KeyRead<'r> {
    pub(crate) key: &'r str,
    pub(crate) seen: &'r Seen,
    /// The line on which the read completed.
    pub(crate) completed: usize,
}

/// What a read found for a key.
#[derive(Clone, Debug)]
pub(crate) enum Seen {
    Nothing,
    /// That the key is there.
    Key,
    /// A value.
    Value(Write),
    /// The tombstone of a removal.
    Tombstone(Write),
    /// A list.
    List(Vec<Element>),
}

/// An element of a list that was found: its append with the greatest version that it was given, for
/// it is held against others, and with the least, by which others are held against it. Of the last
/// it is known.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    found: Write,
    bound: Write,
}

impl Seen {
    /// The writes of which it shows something.
    pub(crate) fn writes(&self) -> Vec<&Write> {
        match self {
            Self::Nothing | Self::Key => Vec::new(),
            Self::Value(found) | Self::Tombstone(found) => vec![found],
            Self::List(elements) => elements.iter().map(|element| &element.found).collect(),
        }
    }

    /// The writes of the values that it shows: a tombstone is none.
    pub(crate) fn values(&self) -> Vec<&Write> {
        if matches!(self, Self::Tombstone(_)) { Vec::new() } else { self.writes() }
    }

    /// The writes of which it shows something, as what comes later is held against them.
    pub(crate) fn bounds(&self) -> Vec<&Write> {
        match self {
            Self::Nothing | Self::Key => Vec::new(),
            Self::Value(found) | Self::Tombstone(found) => vec![found],
            Self::List(elements) => elements.iter().map(|element| &element.bound).collect(),
        }
    }

    /// The version that the read was told.
    pub(crate) fn version(&self) -> Option<Version> {
        self.writes().last().map(|last| last.version)
    }
}

/// What the history says of a key.
#[derive(Debug, Default)]
pub(crate) struct OfKey {
    /// The acknowledged writes, each with the least version it was given.
    pub(crate) acknowledged: Vec<Write>,
    /// What may have removed it, with the greatest.
    pub(crate) removals: Vec<Write>,
    /// The puts that may have happened, with the greatest.
    puts: Vec<Write>,
    /// The appends.
    appends: Vec<Write>,
}

/// The whole history, by key.
pub(crate) struct Told<'a> {
    pub(crate) files: &'a Files,
    pub(crate) keys: BTreeMap<String, OfKey>,
}

impl<'a> Told<'a> {
    pub(crate) fn of(files: &'a Files) -> Self {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for op in &files.ops {
            names.extend(op.key.as_deref());
            names.extend(op.cleared.keys().map(String::as_str));
        }
        names.extend(files.nodes.iter().flat_map(|node| node.data.keys().map(String::as_str)));
        let keys = names.into_iter().map(|key| (key.to_owned(), of_key(files, key))).collect();
        Self { files, keys }
    }

    pub(crate) fn op(&self, op: u32) -> &'a Op {
        &self.files.ops[op as usize]
    }

    /// What a read that completed ok found, of every key that it is about.
    pub(crate) fn seen(&self, read: &Op) -> Vec<(&str, Seen)> {
        match read.f {
            F::Get => {
                let found = (&read.value, &read.written_by, read.version);
                let Some((key, _)) = self.keys.get_key_value(read.key()) else {
                    return Vec::new();
                };
                vec![(key.as_str(), self.shown(found))]
            }
            F::List => {
                let keys: BTreeSet<&str> =
                    read.value.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
                let seen = |key: &str| if keys.contains(key) { Seen::Key } else { Seen::Nothing };
                self.keys.keys().map(|key| (key.as_str(), seen(key))).collect()
            }
            F::ReadAll => {
                let seen = |key: &str| {
                    let version = read.versions.get(key).copied();
                    self.shown((&read.value[key], &read.written_by[key], version))
                };
                self.keys.keys().map(|key| (key.as_str(), seen(key))).collect()
            }
            F::Put | F::Delete | F::Clear | F::Append => Vec::new(),
        }
    }

    /// A value, or the elements of a list, with the operations that wrote it and the version told.
    fn shown(&self, (value, by, version): (&Json, &Json, Option<Version>)) -> Seen {
        let write = |text: &Json, by: &Json, told: Option<Version>| {
            let Some(by) = by.as_u64() else {
                let element = text.as_str().map(str::to_owned);
                let version = told.unwrap_or_default();
                let (op, f, invoked, end) = (None, None, 0, NEVER);
                let unknown = Write { op, f, element, invoked, end, version };
                return Element { found: unknown.clone(), bound: unknown };
            };
            let op = &self.files.ops[usize::try_from(by).expect("a number")];
            let given = versions(op, op.key());
            let with = |version: Option<&Version>| {
                Write::of(op, told.or(version.copied()).unwrap_or_default())
            };
            Element { found: with(given.iter().max()), bound: with(given.iter().min()) }
        };
        match value {
            Json::Null if version.is_some() => Seen::Tombstone(write(value, by, version).found),
            Json::Null => Seen::Nothing,
            Json::Array(elements) => {
                let of = |(i, text): (usize, &Json)| {
                    let told = version.filter(|_| i + 1 == elements.len());
                    let Element { mut found, mut bound } = write(text, &by[i], told);
                    // Whoever wrote it, where a disk gave back a text that several wrote.
                    found.element = text.as_str().map(str::to_owned);
                    bound.element.clone_from(&found.element);
                    Element { found, bound }
                };
                Seen::List(elements.iter().enumerate().map(of).collect())
            }
            value => Seen::Value(write(value, by, version).found),
        }
    }

    /// Whether a read misses `write`: what it found comes before, or it found nothing (or the key,
    /// or a list without the element) and nothing explains that.
    pub(crate) fn misses(&self, read: &KeyRead<'_>, write: &Write) -> bool {
        let (of_key, completed) = (&self.keys[read.key], read.completed);
        match (read.seen, &write.element) {
            (Seen::Nothing, _) => !explained(&[&of_key.removals], write, completed),
            (Seen::Key, _) => {
                write.removes() && !explained(&[&of_key.puts, &of_key.appends], write, completed)
            }
            (Seen::Value(found) | Seen::Tombstone(found), _) => found.comes_before(write),
            (Seen::List(elements), Some(_)) => {
                elements.iter().all(|there| there.found.element != write.element)
                    && !explained(&[&of_key.removals, &of_key.puts], write, completed)
            }
            // What ends a list ends its first element before the others.
            (Seen::List(elements), None) => elements[0].found.comes_before(write),
        }
    }

    /// Who leads at the end: the node of the highest term, where there is one.
    pub(crate) fn leader(&self) -> Option<&'a Node> {
        let leaders: Vec<&Node> = self.files.live().filter(|node| node.leads()).collect();
        let term = leaders.iter().map(|node| node.term).max()?;
        let mut of_term = leaders.into_iter().filter(|node| node.term == term);
        of_term.next().filter(|_| of_term.next().is_none())
    }

    /// What a client can be told of `key` at the end: what the leader holds, where one leads and
    /// knows the key, else the greatest version; of several writes of that the one that may take
    /// effect last.
    pub(crate) fn shown_at_end(&self, key: &str) -> Option<&'a Held> {
        if let Some(held) = self.leader().and_then(|leader| leader.data.get(key)) {
            return Some(held);
        }
        let end = |held: &Held| held.op.map_or(NEVER, |op| end(self.op(op)));
        let held = self.files.live().filter_map(|node| node.data.get(key));
        held.max_by_key(|held| (held.version, end(held)))
    }

    /// What holds a list of `key` that a client can be shown at the end: the leader's, where one
    /// leads and knows the key, else that of any live node.
    pub(crate) fn shown_lists(&self, key: &str) -> Vec<&'a Held> {
        let of_leader = self.leader().and_then(|leader| leader.data.get(key));
        let of_others = self.files.live().filter_map(|node| node.data.get(key));
        let shown: Vec<&Held> = match of_leader {
            Some(held) => vec![held],
            None => of_others.collect(),
        };
        shown.into_iter().filter(|held| held.elements.is_some()).collect()
    }
}

/// Whether one of these, invoked before the line `before`, may have come after `write`.
pub(crate) fn explained(reasons: &[&Vec<Write>], write: &Write, before: usize) -> bool {
    let mut reasons = reasons.iter().flat_map(|reasons| reasons.iter());
    reasons.any(|reason| reason.invoked < before && !reason.comes_before(write))
}

/// Every version that a write gave `key`.
pub(crate) fn versions(op: &Op, key: &str) -> Vec<Version> {
    if op.f == F::Clear {
        return op.cleared.get(key).cloned().unwrap_or_default();
    }
    if !op.is_write() || op.key() != key {
        return Vec::new();
    }
    op.version.into_iter().chain(op.attempts.iter().copied()).collect()
}

/// Whether it appended what its list had already: it was answered with the version of another.
fn is_repeated(files: &Files, append: &Op) -> bool {
    append.f == F::Append
        && append.version.is_some()
        && files.ops[..append.op as usize].iter().any(|other| {
            let same = |op: &Op| (op.f, op.key.clone(), op.written.clone(), op.version);
            same(other) == same(append)
        })
}

fn of_key(files: &Files, key: &str) -> OfKey {
    let mut of_key = OfKey::default();
    for op in files.ops.iter().filter(|op| op.is_write()) {
        let versions = versions(op, key);
        if op.is_ok() && !is_repeated(files, op) {
            let least = versions.iter().min();
            of_key.acknowledged.extend(least.map(|version| Write::of(op, *version)));
        }
        if !may_have_happened(op) {
            continue;
        }
        let greatest = Write::of(op, versions.iter().copied().max().unwrap_or(HIGHEST));
        match op.f {
            F::Put if op.key() == key => of_key.puts.push(greatest),
            F::Append if op.key() == key => of_key.appends.push(greatest),
            F::Delete if op.key() == key => of_key.removals.push(greatest),
            // One that a node took for itself alone may have removed any key.
            F::Clear if op.cleared.is_empty() => of_key.removals.push(greatest),
            F::Clear => {
                let removed = versions.iter().map(|version| Write::of(op, *version));
                of_key.removals.extend(removed);
            }
            _ => {}
        }
    }
    of_key
}
