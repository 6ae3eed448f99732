//! Operations that access keys several times: their accesses, as checkers see them.
//!
//! A compare-and-set reads a key and puts a value there. Beside its own entry the history has one
//! for each of these **accesses**: a get and a put, which begin and end when their operation does.
//! [`History::accesses`] hands out accesses in the place of such operations, so that a checker
//! judges a compare-and-set as what it knows.
//!
//! - What a compare-and-set that completed ok has read is what it expected.
//! - One that found something else did not happen. The get has completed all the same, and found
//!   that; the put failed. If an earlier attempt may have been done, nobody can say whose value it
//!   found: then the outcome is unknown, and nothing was read.
//! - With any other outcome, nothing was read, and the put is as uncertain as its operation.

use std::ops::Range;

use crate::id::{OpId, Value, Version};
use crate::operation::Operation;
use crate::time::Time;

use super::{Entry, Function, History, Process, Status};

/// The number of the first access. They count down, so that no operation's number is in their way.
const FIRST: u32 = (1 << 30) - 2;

/// Of which kind of operation an entry is an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccessOf {
    /// Of a compare-and-set.
    Cas,
}

/// The accesses of all operations that have several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Accesses {
    entries: Vec<Entry>,
    /// The operations, in the order of their invocations, and where the accesses of each begin.
    wholes: Vec<(OpId, u32)>,
}

impl Accesses {
    /// The place of an access in `entries`. `None` for the number of an operation.
    const fn place(&self, op: OpId) -> Option<usize> {
        match FIRST.checked_sub(op.0) {
            Some(place) if (place as usize) < self.entries.len() => Some(place as usize),
            Some(_) | None => None,
        }
    }

    /// The places of the accesses of `whole`; none where it has none.
    pub(super) fn of(&self, whole: OpId) -> Range<usize> {
        match self.wholes.binary_search_by_key(&whole, |(op, _)| *op) {
            Ok(at) => self.range(at),
            Err(_) => 0..0,
        }
    }

    fn range(&self, at: usize) -> Range<usize> {
        let from = self.wholes[at].1 as usize;
        from..self.wholes.get(at + 1).map_or(self.entries.len(), |(_, next)| *next as usize)
    }
}

/// See [`History::accesses`].
#[derive(Clone, Debug)]
pub struct AccessIter<'a> {
    history: &'a History,
    /// The next operation.
    at: u32,
    /// How many operations with accesses came before it.
    whole: usize,
    /// The accesses to come before it.
    places: Range<usize>,
}

impl<'a> Iterator for AccessIter<'a> {
    type Item = (OpId, &'a Entry);

    #[inline]
    fn next(&mut self) -> Option<(OpId, &'a Entry)> {
        let Accesses { entries, wholes } = &self.history.accesses;
        loop {
            if let Some(place) = self.places.next() {
                return Some((id(place), &entries[place]));
            }
            let op = OpId(self.at);
            let entry = self.history.entries.get(self.at as usize)?;
            self.at += 1;
            match wholes.get(self.whole) {
                Some((whole, _)) if *whole == op => {
                    self.places = self.history.accesses.range(self.whole);
                    self.whole += 1;
                }
                Some(_) | None => return Some((op, entry)),
            }
        }
    }
}

pub(super) const fn id(place: usize) -> OpId {
    // Fewer than 2^30 operations, and accesses too.
    OpId(FIRST - place as u32)
}

impl History {
    /// Records the invocation of a compare-and-set.
    pub(super) fn begin_cas(&mut self, whole: OpId, at: Time, process: Process, cas: Operation) {
        let Operation::Cas { key, from, to } = cas else { unreachable!("the caller looked") };
        let first = self.accesses.entries.len();
        let short = u32::try_from(first).expect("fewer than 2^30 accesses");
        assert!(short < FIRST / 2, "fewer than 2^29 accesses");
        self.accesses.wholes.push((whole, short));
        let seq = self.entry(whole).invoked_seq;
        let due_at = self.entry(whole).due_at;
        let accesses =
            [Operation::Get { key, quorum: None }, Operation::Put { key, value: to, quorum: None }];
        for (place, access) in (first..).zip(accesses) {
            let entry = Entry::invoked(id(place), (at, due_at), process, seq, access);
            self.accesses.entries.push(Entry { access_of: Some(AccessOf::Cas), ..entry });
        }
        self.accesses.entries[first].value = from.map(Value::unmarked);
    }

    /// The operation as its values travel: each marked as written by its access. See [`Value`].
    #[must_use]
    pub fn mark(&self, op: OpId, operation: Operation) -> Operation {
        match operation {
            Operation::Cas { .. } => operation.written_by(self.put_of(op)),
            Operation::Put { .. }
            | Operation::Get { .. }
            | Operation::Delete { .. }
            | Operation::List
            | Operation::ReadAll
            | Operation::Clear
            | Operation::Append { .. } => operation.written_by(op),
        }
    }

    /// The operation completed: so did its accesses.
    pub(super) fn complete_accesses(&mut self, whole: OpId) {
        let of = self.entry(whole).clone();
        for place in self.accesses.of(whole) {
            let access = &mut self.accesses.entries[place];
            *access = Entry {
                completed_at: of.completed_at,
                completed_seq: of.completed_seq,
                status: of.status,
                failure: of.failure,
                node: of.node,
                leader: of.leader,
                acknowledgements: of.acknowledgements,
                followers: of.followers,
                degraded: of.degraded,
                ..access.clone()
            };
        }
    }

    /// Records what a compare-and-set found that failed because of it: a value and its version, and
    /// all elements where it is a list; the version of a tombstone; or nothing. The operation has
    /// completed.
    ///
    /// # Panics
    ///
    /// When it did not fail.
    pub fn mismatched(
        &mut self,
        op: OpId,
        value: Option<Value>,
        version: Option<Version>,
        elements: Option<Box<[Value]>>,
    ) {
        assert_eq!(self.entry(op).status, Status::Fail, "it was not done");
        let read = self.accesses.of(op).start;
        let entry = &mut self.accesses.entries[read];
        (entry.status, entry.failure) = (Status::Ok, None);
        (entry.value, entry.version) = (value, version);
        if let Some(elements) = elements {
            self.set_elements(id(read), elements);
        }
    }

    /// Every operation in the order of invocation, with its accesses in the place of one that has
    /// several: each accesses one key once, or the whole store.
    #[must_use]
    pub fn accesses(&self) -> AccessIter<'_> {
        AccessIter { history: self, at: 0, whole: 0, places: 0..0 }
    }

    /// The accesses of `op`, in the order in which it made them; none of an operation that has no
    /// more than one.
    pub fn accesses_of(&self, op: OpId) -> impl ExactSizeIterator<Item = (OpId, &Entry)> {
        self.accesses.of(op).map(|place| (id(place), &self.accesses.entries[place]))
    }

    /// The operation that clients invoked: of an access the one that it belongs to.
    #[must_use]
    pub fn whole(&self, op: OpId) -> OpId {
        let Some(place) = self.accesses.place(op) else { return op };
        let place = place as u32;
        let next = self.accesses.wholes.partition_point(|(_, from)| *from <= place);
        self.accesses.wholes[next - 1].0
    }

    /// Whether `other` comes after `op` among all [`History::accesses`].
    #[must_use]
    pub fn is_before(&self, op: OpId, other: OpId) -> bool {
        let when = |op| (self.entry(op).invoked_seq, self.place(op));
        when(op) < when(other)
    }

    /// A number for each operation and access, below [`History::places`].
    #[must_use]
    pub fn place(&self, op: OpId) -> usize {
        self.accesses.place(op).map_or(op.0 as usize, |place| self.entries.len() + place)
    }

    /// How many operations and accesses there are.
    #[must_use]
    pub fn places(&self) -> usize {
        self.entries.len() + self.accesses.entries.len()
    }

    pub(super) fn access(&self, op: OpId) -> Option<&Entry> {
        Some(&self.accesses.entries[self.accesses.place(op)?])
    }

    pub(super) fn access_mut(&mut self, op: OpId) -> Option<&mut Entry> {
        let place = self.accesses.place(op)?;
        Some(&mut self.accesses.entries[place])
    }

    /// The put of a compare-and-set; any other operation itself.
    #[must_use]
    pub fn put_of(&self, op: OpId) -> OpId {
        match self.entry(op).function {
            Function::Cas => id(self.accesses.of(op).start + 1),
            Function::Put
            | Function::Get
            | Function::Delete
            | Function::List
            | Function::ReadAll
            | Function::Clear
            | Function::Append => op,
        }
    }
}
