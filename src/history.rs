//! What clients invoked and what they were answered, in event order: the input of the checkers.
//!
//! Real-time order is the order of events, not of times. A completion and an invocation at the same
//! instant are still ordered.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::id::{FaultId, KeyId, NodeId, OpId, Value, Version};
use crate::names::Names;
use crate::operation::Operation;
use crate::time::{Span, Time};

use access::Accesses;
use entry::Call;

pub use effects::{Access, KeyContent, KeyEffect, KeyEffects, OtherKeys};
pub use entry::{AccessOf, Entry, Failure, Function, Status};
pub use parts::{AccessIter, ReadAnswer};
pub use process::Process;
pub use writers::Writers;

mod access;
mod effects;
mod entry;
mod parts;
mod process;
mod writers;

/// A key in the answer to a list or a read of everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The key.
    pub key: KeyId,
    /// Its value, or the last element where it holds a list. `None` in a list of keys.
    pub value: Option<Value>,
    /// The version of the value. `None` in a list of keys.
    pub version: Option<Version>,
    /// All elements in the order of their versions, where the key holds a list. `None` in a list of
    /// keys.
    pub elements: Option<Box<[Value]>>,
}

impl Hash for Item {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (self.key, self.value, self.version).hash(hasher);
        // An answer without a list hashes as if there were no such field.
        if let Some(elements) = &self.elements {
            elements.hash(hasher);
        }
    }
}

/// What a key held on the node that accepted a write of it: the value that the write replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Over {
    /// The protocol does not report it.
    #[default]
    Unsaid,
    /// No value.
    Nothing,
    /// This value.
    Value(Value),
}

impl From<Option<Value>> for Over {
    fn from(held: Option<Value>) -> Self {
        held.map_or(Self::Nothing, Self::Value)
    }
}

/// An act of the nemesis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NemesisEvent {
    /// The place among all events of the history.
    pub seq: u32,
    /// When.
    pub at: Time,
    /// Which fault. `None` for the healing at the end of the fault phase.
    pub fault: Option<FaultId>,
    /// Whether the fault starts or ends.
    pub starts: bool,
    /// What happens, with the nodes that the fault's target means: `crash n1`, `partition n1 | n2
    /// n3`.
    pub what: String,
}

/// One event of the history. See [`History::events`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryEvent {
    /// A client invoked.
    Invoke(OpId),
    /// An operation completed.
    Complete(OpId),
    /// The nemesis acted; an index into [`History::nemesis`].
    Nemesis(usize),
}

/// All operations of a run and all acts of the nemesis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    names: Arc<Names>,
    entries: Vec<Entry>,
    /// When those operations were due that waited for a free client.
    waited: Vec<(OpId, Time)>,
    accesses: Accesses,
    /// The parts of batches.
    parts: BTreeMap<OpId, Box<[Operation]>>,
    nemesis: Vec<NemesisEvent>,
    contents: BTreeMap<OpId, Box<[Item]>>,
    elements: BTreeMap<OpId, Box<[Value]>>,
    other_versions: Vec<(OpId, Version)>,
    /// What each clear removed, by key and version.
    cleared: BTreeMap<OpId, Vec<(KeyId, Version)>>,
    contested: Vec<ContestedWrite>,
    also_over: BTreeMap<OpId, Vec<Option<Value>>>,
    over_unsaid: bool,
    events: u32,
}

/// A write that a node accepted and answered with ok while another node led, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContestedWrite {
    /// Which.
    pub op: OpId,
    /// The node that answered. When the write was retried, its client may have heard another node.
    pub node: NodeId,
    /// When it accepted the write.
    pub accepted_at: Time,
    /// When it answered, whether or not the client received the answer.
    pub answered_at: Time,
}

impl History {
    /// An empty history with room for `operations`; `names` spells out the ids in it.
    #[must_use]
    pub fn with_capacity(operations: usize, names: Arc<Names>) -> Self {
        Self { names, entries: Vec::with_capacity(operations), ..Self::default() }
    }

    /// Records an invocation.
    ///
    /// # Panics
    ///
    /// At 2^32 operations.
    pub fn invoke(
        &mut self,
        at: Time,
        due_at: Time,
        process: Process,
        operation: Operation,
    ) -> OpId {
        let id = OpId(u32::try_from(self.entries.len()).expect("fewer than 2^32 operations"));
        let seq = self.next_seq();
        let invocation = Call { op: id, at, process, seq };
        self.entries.push(Entry::invoked(invocation, operation));
        if due_at != at {
            self.waited.push((id, due_at));
        }
        if matches!(operation, Operation::Cas { .. }) {
            self.begin_cas(id, process, operation);
        }
        id
    }

    /// When `op` was due: at its arrival in an open loop, else at its invocation. Latency counts
    /// from here.
    #[must_use]
    #[inline]
    pub fn due_at(&self, op: OpId) -> Time {
        if self.waited.is_empty() { self.entry(op).invoked_at } else { self.was_due_at(op) }
    }

    fn was_due_at(&self, op: OpId) -> Time {
        let op = self.whole(op);
        match self.waited.binary_search_by_key(&op, |(waited, _)| *waited) {
            Ok(place) => self.waited[place].1,
            Err(_) => self.entry(op).invoked_at,
        }
    }

    /// The time from when `op` was due to its completion. `None` while pending.
    #[must_use]
    pub fn latency(&self, op: OpId) -> Option<Span> {
        let entry = self.entry(op);
        (entry.status != Status::Pending).then(|| entry.completed_at.since(self.due_at(op)))
    }

    /// Records the completion of `op`. `fill` sets the fields of the outcome besides the status.
    ///
    /// # Panics
    ///
    /// When the operation has completed before.
    pub fn complete(&mut self, op: OpId, at: Time, status: Status, fill: impl FnOnce(&mut Entry)) {
        let seq = self.next_seq();
        let entry = &mut self.entries[op.0 as usize];
        assert_eq!(entry.status, Status::Pending, "an operation completes once");
        entry.status = status;
        entry.completed_at = at;
        entry.completed_seq = seq;
        fill(entry);
        if matches!(entry.function, Function::Cas | Function::Batch) {
            self.complete_accesses(op);
        }
    }

    /// Records that a node accepted the write `op` as `version`, whether or not the client ever
    /// learns of it. A retried write may be accepted several times.
    pub fn accept(&mut self, op: OpId, version: Version) {
        let written = self.put_of(op);
        self.give_version(written, version);
        if written != op {
            self.entries[op.0 as usize].version = self.entry(written).version;
        }
    }

    fn give_version(&mut self, op: OpId, version: Version) {
        let entry = self.entry_mut(op);
        let Some(held) = entry.version.filter(|held| *held != version) else {
            entry.version = Some(version);
            return;
        };
        if entry.status == Status::Pending {
            entry.version = Some(version);
            self.other_versions.push((op, held));
        } else {
            // The client had given up this attempt: the version that it was answered stays.
            self.other_versions.push((op, version));
        }
    }

    /// Records the version that the answer to a write names. When the write was retried, a node may
    /// have given it a later one.
    pub fn answered(&mut self, op: OpId, version: Version) {
        let entry = self.entry(op);
        if entry.version == Some(version) {
            return;
        }
        // No node accepts an element that its list has already.
        self.over_unsaid |= entry.version.is_none() && entry.function != Function::Append;
        self.accept(op, version);
    }

    /// Records what the key of a write held on the node that accepted it. Call it once for each
    /// accepted attempt, after [`History::accept`].
    pub fn written_over(&mut self, op: OpId, over: Over) {
        self.note_over(self.put_of(op), over);
    }

    fn note_over(&mut self, op: OpId, over: Over) {
        let held = match over {
            Over::Unsaid => {
                self.over_unsaid = true;
                return;
            }
            Over::Nothing => None,
            Over::Value(value) => Some(value),
        };
        let is_first = self.other_versions.last().is_none_or(|(other, _)| *other != op);
        if is_first {
            self.entry_mut(op).over = held;
        } else {
            self.also_over.entry(op).or_default().push(held);
        }
    }

    /// Records that the clear `op` removed `key` with a delete of `version`.
    pub fn accept_clear(&mut self, op: OpId, key: KeyId, version: Version) {
        let removed = self.cleared.entry(op).or_default();
        let place = removed.partition_point(|other| *other <= (key, version));
        removed.insert(place, (key, version));
    }

    /// Records that a node acknowledged a write while another node led, too.
    pub fn contest(&mut self, write: ContestedWrite) {
        self.contested.push(write);
    }

    /// Records the answer to a list or a read of everything.
    pub fn set_contents(&mut self, op: OpId, items: Box<[Item]>) {
        self.contents.insert(op, items);
    }

    /// Records the elements of the list that a get found.
    pub fn set_elements(&mut self, op: OpId, elements: Box<[Value]>) {
        self.elements.insert(op, elements);
    }

    /// Records an act of the nemesis.
    pub fn act(&mut self, at: Time, fault: Option<FaultId>, starts: bool, what: String) {
        let seq = self.next_seq();
        self.nemesis.push(NemesisEvent { seq, at, fault, starts, what });
    }

    fn next_seq(&mut self) -> u32 {
        let seq = self.events;
        self.events += 1;
        seq
    }

    /// The texts behind the ids in it.
    #[must_use]
    pub const fn names(&self) -> &Arc<Names> {
        &self.names
    }

    /// Every operation, in the order of invocation.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The operation `op`, or the access.
    ///
    /// # Panics
    ///
    /// When there is none of this number.
    #[must_use]
    pub fn entry(&self, op: OpId) -> &Entry {
        match self.entries.get(op.0 as usize) {
            Some(entry) => entry,
            None => self.access(op).expect("an operation of this history, or an access"),
        }
    }

    fn entry_mut(&mut self, op: OpId) -> &mut Entry {
        if (op.0 as usize) < self.entries.len() {
            return &mut self.entries[op.0 as usize];
        }
        self.access_mut(op).expect("an operation of this history, or an access")
    }

    /// Every operation with its id, in the order of invocation.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (OpId, &Entry)> {
        // The ids are u32, so the count fits.
        (0..self.entries.len()).map(|i| (OpId(i as u32), &self.entries[i]))
    }

    /// The answer to a list or a read of everything. `None` for other operations.
    #[must_use]
    pub fn contents(&self, op: OpId) -> Option<&[Item]> {
        self.contents.get(&op).map(AsRef::as_ref)
    }

    /// The elements of the list that a get found, in the order of their versions. `None` where it
    /// found no list.
    #[must_use]
    pub fn elements(&self, op: OpId) -> Option<&[Value]> {
        self.elements.get(&op).map(AsRef::as_ref)
    }

    /// The versions that other attempts of retried writes were given, besides [`Entry::version`].
    #[must_use]
    pub fn other_versions(&self) -> &[(OpId, Version)] {
        &self.other_versions
    }

    /// Whether nodes reported, for every write that they accepted, what it replaced.
    #[must_use]
    pub const fn tells_over(&self) -> bool {
        !self.over_unsaid
    }

    /// What a write replaced, for each attempt that a node accepted: the value that the key held on
    /// that node.
    pub fn over(&self, op: OpId) -> impl Iterator<Item = Option<Value>> + '_ {
        let op = self.put_of(op);
        let others = self.also_over.get(&op).into_iter().flatten().copied();
        std::iter::once(self.entry(op).over).chain(others)
    }

    /// Every write that a node acknowledged while another node led, too, in the order of the
    /// answers.
    #[must_use]
    pub fn contested(&self) -> &[ContestedWrite] {
        &self.contested
    }

    /// Every act of the nemesis, in event order.
    #[must_use]
    pub fn nemesis(&self) -> &[NemesisEvent] {
        &self.nemesis
    }

    /// Every event in event order.
    pub fn events(&self) -> impl Iterator<Item = HistoryEvent> + '_ {
        // Two million events of a million operations take four bytes each here; as `HistoryEvent`
        // they would take sixteen.
        const NEMESIS: u32 = u32::MAX;
        let mut operations = vec![NEMESIS; self.events as usize];
        for (id, entry) in self.iter() {
            operations[entry.invoked_seq as usize] = id.0;
            if entry.status != Status::Pending {
                operations[entry.completed_seq as usize] = id.0;
            }
        }
        let mut acts = 0..;
        (0..).zip(operations).filter_map(move |(seq, op)| {
            if op == NEMESIS {
                acts.next().map(HistoryEvent::Nemesis)
            } else if self.entries[op as usize].invoked_seq == seq {
                Some(HistoryEvent::Invoke(OpId(op)))
            } else {
                Some(HistoryEvent::Complete(OpId(op)))
            }
        })
    }
}
