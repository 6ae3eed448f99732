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

use super::access::{Accesses, FIRST, id};
use super::{AccessOf, Call, Entry, Function, History, Process, Status};

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
            let invocation = Call { op: id(place), at, due_at, process, seq };
            let entry = Entry::invoked(invocation, access);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Access, Failure, KeyContent};
    use crate::id::{ClientId, KeyId, NodeId};

    const KEY: KeyId = KeyId(3);

    fn version(timestamp: i64) -> Version {
        Version { timestamp, node: NodeId(0), sequence: 1 }
    }

    fn cas(history: &mut History, from: Option<usize>, to: usize) -> OpId {
        let (from, to) = (from.map(Value::text), Value::text(to));
        let process = Process::first(ClientId(0));
        let cas = Operation::Cas { key: KEY, from, to };
        let op = history.invoke(Time::ZERO, Time::ZERO, process, cas);
        assert_eq!(history.mark(op, cas), cas);
        op
    }

    fn told(history: &History, op: OpId) -> Vec<(Option<i64>, Access<'_>)> {
        let effects = history.effects(op);
        let of = |version: Option<Version>| version.map(|version| version.timestamp);
        effects.map(|effect| (of(effect.version), effect.access)).collect()
    }

    /// The table: what a compare-and-set did by what became of it.
    #[test]
    fn a_compare_and_set_is_a_read_and_a_put_as_far_as_is_known() {
        let mut history = History::default();
        let (one, two) = (Value::text(1), Value::text(2));
        let read = |content| Access::Read(content);
        let pending = cas(&mut history, Some(1), 2);
        assert_eq!(told(&history, pending), [(None, Access::Put(two))]);
        let [done, absent, info, failed, mismatch] =
            [Some(1), None, Some(1), Some(1), Some(1)].map(|from| cas(&mut history, from, 2));
        let complete = |history: &mut History, op, status, failure| {
            history.complete(op, Time::ZERO, status, |entry| entry.failure = failure);
        };
        for (op, stamp) in [(done, 5), (absent, 6), (info, 7)] {
            history.accept(op, version(stamp));
            assert_eq!(history.entry(op).version, Some(version(stamp)));
        }
        complete(&mut history, done, Status::Ok, None);
        complete(&mut history, absent, Status::Ok, None);
        complete(&mut history, info, Status::Info, Some(Failure::Timeout));
        complete(&mut history, failed, Status::Fail, Some(Failure::NotLeader));
        complete(&mut history, mismatch, Status::Fail, Some(Failure::Mismatch));
        history.mismatched(mismatch, Some(Value::text(4)), Some(version(4)), None);
        let expected = read(KeyContent::Value(one));
        assert_eq!(told(&history, done), [(None, expected), (Some(5), Access::Put(two))]);
        let nothing = read(KeyContent::Nothing);
        assert_eq!(told(&history, absent), [(None, nothing), (Some(6), Access::Put(two))]);
        assert_eq!(told(&history, info), [(Some(7), Access::Put(two))]);
        assert_eq!(told(&history, failed), [(None, Access::Put(two))]);
        let found = read(KeyContent::Value(Value::text(4)));
        assert_eq!(told(&history, mismatch), [(Some(4), found), (None, Access::Put(two))]);
        let happened = history.accesses_of(mismatch).map(|(_, access)| access.status);
        assert_eq!(happened.collect::<Vec<_>>(), [Status::Ok, Status::Fail]);
    }

    #[test]
    fn accesses_come_in_the_place_of_their_operation_and_know_it() {
        let mut history = History::default();
        let process = Process::first(ClientId(0));
        let get = Operation::Get { key: KEY, quorum: None };
        let before = history.invoke(Time::ZERO, Time::ZERO, process, get);
        let (one, two) = (cas(&mut history, None, 1), cas(&mut history, Some(1), 2));
        let after = history.invoke(Time::ZERO, Time::ZERO, process, get);
        let functions = history.accesses().map(|(op, entry)| (history.whole(op), entry.function));
        let expected = [
            (before, Function::Get),
            (one, Function::Get),
            (one, Function::Put),
            (two, Function::Get),
            (two, Function::Put),
            (after, Function::Get),
        ];
        assert_eq!(functions.collect::<Vec<_>>(), expected);
        let all: Vec<OpId> = history.accesses().map(|(op, _)| op).collect();
        assert!(all.windows(2).all(|two| history.is_before(two[0], two[1])));
        let mut places: Vec<usize> = all.iter().map(|op| history.place(*op)).collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!((places.len(), places.last()), (6, Some(&(history.places() - 1))));
        assert_eq!((history.entries().len(), history.iter().len()), (4, 4));
    }

    #[test]
    fn a_retried_one_has_a_version_for_each_attempt_and_says_what_each_replaced() {
        let mut history = History::default();
        let op = cas(&mut history, None, 1);
        for (stamp, over) in [(5, None), (6, Some(Value::text(1)))] {
            history.accept(op, version(stamp));
            history.written_over(op, over.into());
        }
        assert_eq!(history.other_versions(), [(history.put_of(op), version(5))]);
        assert_eq!(history.over(op).collect::<Vec<_>>(), [None, Some(Value::text(1))]);
        assert_eq!(history.entry(op).version, Some(version(6)));
    }

    #[test]
    fn an_entry_is_small() {
        assert!(size_of::<Entry>() <= 104, "{}", size_of::<Entry>());
    }
}
