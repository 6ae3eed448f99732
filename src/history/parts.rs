//! Operations that access keys several times: their accesses, as checkers see them.
//!
//! A compare-and-set reads a key and puts a value there, and a batch does what its parts do. Beside
//! their own entry the history has one for each of these **accesses**: gets, puts, deletes and
//! appends, which begin and end when their operation does. [`History::accesses`] hands out accesses
//! in the place of such operations, so that a checker judges them as what it knows.
//!
//! - What a compare-and-set that completed ok has read is what it expected.
//! - One that found something else did not happen. The get has completed all the same, and found
//!   that; the put failed. If an earlier attempt may have been done, nobody can say whose value it
//!   found: then the outcome is unknown, and nothing was read.
//! - With any other outcome, nothing was read, and the put is as uncertain as its operation.

use std::ops::Range;
use std::slice::Iter;

use crate::id::{KeyId, OpId, Value, Version};
use crate::operation::{BatchId, Operation};
use crate::time::Time;

use super::access::{Accesses, FIRST, Whole, id};
use super::entry::Call;
use super::{AccessOf, Entry, Function, History, Over, Process, Status};

/// See [`History::accesses`].
#[derive(Clone, Debug)]
pub struct AccessIter<'a> {
    /// The operations to come, and the number of the first of them.
    entries: Iter<'a, Entry>,
    at: u32,
    accesses: &'a Accesses,
    /// The place among all that have accesses of the next operation that has.
    whole: usize,
    /// That operation; no operation has this number where there is none.
    next: OpId,
    /// The accesses to come before the next operation.
    places: Range<usize>,
}

impl<'a> AccessIter<'a> {
    fn of(history: &'a History) -> Self {
        let accesses = &history.accesses;
        let entries = history.entries.iter();
        Self { entries, at: 0, accesses, whole: 0, next: accesses.whole(0), places: 0..0 }
    }
}

impl<'a> Iterator for AccessIter<'a> {
    type Item = (OpId, &'a Entry);

    #[inline]
    fn next(&mut self) -> Option<(OpId, &'a Entry)> {
        loop {
            if let Some(place) = self.places.next() {
                return Some((id(place), &self.accesses.entries[place]));
            }
            let (op, entry) = (OpId(self.at), self.entries.next()?);
            self.at += 1;
            if op != self.next {
                return Some((op, entry));
            }
            self.places = self.accesses.range(self.whole);
            self.whole += 1;
            self.next = self.accesses.whole(self.whole);
        }
    }
}

/// What a read of a key found: a value and its version, and all elements where it is a list; the
/// version of a tombstone; or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadAnswer {
    /// The value; of a list the last element.
    pub value: Option<Value>,
    /// The version of the value, or of the tombstone.
    pub version: Option<Version>,
    /// The elements of a list.
    pub elements: Option<Box<[Value]>>,
}

/// The accesses of a compare-and-set: a read, and a put.
fn of_cas(cas: Operation, of: AccessOf) -> [(Operation, AccessOf); 2] {
    let Operation::Cas { key, to, .. } = cas else { unreachable!("the caller looked") };
    [(cas, of), (Operation::Put { key, value: to, quorum: None }, of)]
}

impl History {
    /// Records the invocation of a batch of these parts.
    ///
    /// # Panics
    ///
    /// At 2^32 operations.
    pub fn invoke_batch(
        &mut self,
        at: Time,
        due_at: Time,
        process: Process,
        batch: BatchId,
        parts: &[Operation],
    ) -> OpId {
        let whole = self.invoke(at, due_at, process, Operation::Batch(batch));
        let mut accesses: Vec<(Operation, AccessOf)> = Vec::new();
        for part in parts {
            match *part {
                cas @ Operation::Cas { .. } => accesses.extend(of_cas(cas, AccessOf::CasInBatch)),
                part => accesses.push((part, AccessOf::Batch)),
            }
        }
        self.begin_accesses(whole, process, &accesses);
        self.parts.insert(whole, parts.into());
        whole
    }

    /// Records the invocation of a compare-and-set.
    pub(super) fn begin_cas(&mut self, whole: OpId, process: Process, cas: Operation) {
        self.begin_accesses(whole, process, &of_cas(cas, AccessOf::Cas));
    }

    fn begin_accesses(
        &mut self,
        whole: OpId,
        process: Process,
        accesses: &[(Operation, AccessOf)],
    ) {
        let first = self.accesses.entries.len();
        let from = u32::try_from(first).expect("fewer than 2^30 accesses");
        assert!(from < FIRST / 2, "fewer than 2^29 accesses");
        self.accesses.wholes.push(Whole { op: whole, from, accepted: 0 });
        let Entry { invoked_at: at, invoked_seq: seq, .. } = *self.entry(whole);
        for (place, (access, of)) in (first..).zip(accesses) {
            let op = id(place);
            let mut entry = Entry::invoked(Call { op, at, process, seq }, *access);
            entry.access_of = Some(*of);
            if let Operation::Cas { from, .. } = access {
                // The read of a compare-and-set.
                entry.function = Function::Get;
                (entry.value, entry.over, entry.writes) = (from.map(Value::unmarked), None, false);
            }
            self.accesses.entries.push(entry);
        }
    }

    /// The access that each part of the batch `op` is answered for: of a compare-and-set its put.
    #[must_use]
    pub fn part_accesses(&self, op: OpId) -> Vec<OpId> {
        let mut accesses = self.accesses_of(op);
        let answered = |part: &Operation| {
            let access = accesses.next().map(|(access, _)| access);
            if matches!(part, Operation::Cas { .. }) {
                return accesses.next().map(|(put, _)| put);
            }
            access
        };
        self.parts(op).iter().filter_map(answered).collect()
    }

    /// The parts of the batch `op`, in their order.
    #[must_use]
    pub fn parts(&self, op: OpId) -> &[Operation] {
        self.parts.get(&op).map_or(&[], AsRef::as_ref)
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
            | Operation::Append { .. }
            | Operation::Batch(_) => operation.written_by(op),
        }
    }

    /// The parts of the batch `op` as their values travel.
    #[must_use]
    pub fn mark_parts(&self, op: OpId) -> Box<[Operation]> {
        let parts = self.parts(op).iter().zip(self.part_accesses(op));
        parts.map(|(part, access)| part.written_by(access)).collect()
    }

    /// Records that a node accepted a write of `op`: with this version, over what the key held. Of
    /// a clear, a removal of the key; of a batch, the next of its writes. Names the access that
    /// wrote.
    ///
    /// # Panics
    ///
    /// When the next write of a batch is on another key.
    #[inline]
    pub fn accept_on(&mut self, op: OpId, key: KeyId, version: Version, over: Over) -> OpId {
        match self.entry(op).function {
            Function::Clear => {
                self.accept_clear(op, key, version);
                op
            }
            Function::Batch => {
                let write = self.next_write(op);
                assert_eq!(self.entry(write).key, key, "writes are accepted in their order");
                self.accept_write(write, version, over);
                write
            }
            Function::Cas => {
                self.accept(op, version);
                self.written_over(op, over);
                self.put_of(op)
            }
            Function::Put
            | Function::Get
            | Function::Delete
            | Function::List
            | Function::ReadAll
            | Function::Append => {
                self.accept_write(op, version, over);
                op
            }
        }
    }

    fn accept_write(&mut self, op: OpId, version: Version, over: Over) {
        self.give_version(op, version);
        self.note_over(op, over);
    }

    /// The write of a batch that a node accepts next.
    fn next_write(&mut self, batch: OpId) -> OpId {
        let at = self.accesses.wholes.binary_search_by_key(&batch, |whole| whole.op);
        let at = at.expect("a batch has accesses");
        let places = self.accesses.range(at);
        let accepted = self.accesses.wholes[at].accepted as usize;
        let writes = |place: &usize| self.accesses.entries[*place].writes;
        let rest = (places.start + accepted..places.end).find(writes);
        let next = rest.or_else(|| places.clone().find(writes)).expect("a batch that writes");
        self.accesses.wholes[at].accepted = (next + 1 - places.start) as u32;
        id(next)
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

    /// Records what a compare-and-set found that failed because of it: that is `op`, or the part of
    /// the batch `op` at place `part`. The operation has completed.
    ///
    /// # Panics
    ///
    /// When it did not fail, or when an earlier part of the batch writes the key: then what was
    /// found is the batch's own.
    pub fn mismatched(&mut self, op: OpId, part: usize, answer: ReadAnswer) {
        assert_eq!(self.entry(op).status, Status::Fail, "it was not done");
        let accesses = |part: &Operation| 1 + usize::from(matches!(part, Operation::Cas { .. }));
        let before: usize = self.parts(op).iter().take(part).map(accesses).sum();
        let places = self.accesses.of(op);
        let read = places.start + before;
        let (earlier, rest) = self.accesses.entries[places].split_at_mut(before);
        let access = &mut rest[0];
        let writes_key = |other: &Entry| other.writes && other.key == access.key;
        assert!(!earlier.iter().any(writes_key), "the batch itself wrote what was found");
        (access.status, access.failure) = (Status::Ok, None);
        self.found(id(read), answer);
    }

    /// Records what the get `op` found, or that access.
    pub fn found(&mut self, op: OpId, answer: ReadAnswer) {
        let ReadAnswer { value, version, elements } = answer;
        let entry = self.entry_mut(op);
        (entry.value, entry.version) = (value, version);
        if let Some(elements) = elements {
            self.set_elements(op, elements);
        }
    }

    /// Records whether the key existed that an access deleted.
    pub fn existed(&mut self, op: OpId, existed: Option<bool>) {
        self.entry_mut(op).existed = existed;
    }

    /// Every operation in the order of invocation, with its accesses in the place of one that has
    /// several: each accesses one key once, or the whole store.
    #[must_use]
    pub fn accesses(&self) -> AccessIter<'_> {
        AccessIter::of(self)
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
        let next = self.accesses.wholes.partition_point(|whole| whole.from <= place);
        self.accesses.wholes[next - 1].op
    }

    /// Whether `other` comes after `op` among all [`History::accesses`].
    #[must_use]
    #[inline]
    pub fn is_before(&self, op: OpId, other: OpId) -> bool {
        // Operations alone are numbered as they were invoked.
        if self.accesses.entries.is_empty() { op < other } else { self.when(op) < self.when(other) }
    }

    /// The place of an operation or access among all [`History::accesses`].
    #[must_use]
    pub fn when(&self, op: OpId) -> impl Ord + use<> {
        (self.entry(op).invoked_seq, self.place(op))
    }

    /// A number for each operation and access, below [`History::places`].
    #[must_use]
    #[inline]
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

    /// The write of `op` on a key, or of its accesses the last; `None` where it wrote none there.
    #[must_use]
    pub fn write_on(&self, op: OpId, key: KeyId) -> Option<OpId> {
        let wrote =
            |op: OpId| self.effects(op).any(|effect| effect.key == key && effect.found().is_none());
        let of_accesses = self.accesses_of(op).map(|(access, _)| access).filter(|op| wrote(*op));
        let is_access = |op: &OpId| self.accesses.of(*op).is_empty();
        of_accesses.last().or_else(|| Some(op).filter(is_access).filter(|op| wrote(*op)))
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
            | Function::Append
            | Function::Batch => op,
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
        let (value, version) = (Some(Value::text(4)), Some(version(4)));
        history.mismatched(mismatch, 0, ReadAnswer { value, version, elements: None });
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
        assert!(size_of::<Entry>() <= 96, "{}", size_of::<Entry>());
    }
}
