//! What clients asked and were told, in event order: the checkers' input.
//!
//! Real-time order is the order of events, not of times: a completion and an invocation at one instant have an
//! order, and it decides which came first.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use strum::{IntoStaticStr, VariantArray};

use crate::id::{ClientId, FaultId, KeyId, NodeId, OpId, Value, Version};
use crate::operation::Operation;
use crate::time::{Span, Time};

pub use writers::Writers;

mod writers;

/// What became of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Status {
    /// Invoked and not completed; to a checker the same as [`Status::Info`].
    Pending,
    /// It happened.
    Ok,
    /// It did not happen, and never will.
    Fail,
    /// Nobody knows: it may have happened, may yet happen, or never.
    Info,
}

impl Status {
    /// The name in `history.jsonl`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ok => "ok",
            Self::Fail => "fail",
            Self::Info => "info",
        }
    }
}

/// Why an operation did not complete ok.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray, IntoStaticStr)]
#[repr(u8)]
#[strum(serialize_all = "kebab-case")]
pub enum Failure {
    /// The client waited as long as it would.
    Timeout,
    /// The node refused because it does not lead.
    NotLeader,
    /// The node does not know of a leader.
    NoLeader,
    /// The node was down and the connection was refused.
    Refused,
    /// Too few followers confirmed in time.
    TooFewConfirmations,
    /// The node does not do this operation.
    Unsupported,
    /// The node cannot serve: its disk is full or damaged.
    Disk,
    /// The leader gave up the lead before enough followers had confirmed.
    SteppedDown,
    /// The in-sync set has too few nodes.
    TooFewInSync,
    /// The run ended first.
    Unfinished,
    /// Too few replicas answered a read, or confirmed its repair, in time.
    TooFewReplies,
}

/// What was asked, without its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray, IntoStaticStr)]
#[repr(u8)]
#[strum(serialize_all = "kebab-case")]
pub enum Function {
    /// Set a key.
    Put,
    /// Read a key.
    Get,
    /// Remove a key.
    Delete,
    /// The keys that exist.
    List,
    /// Every key with its value.
    ReadAll,
    /// Remove every key.
    Clear,
    /// Add an element to a key's list.
    Append,
}

impl Function {
    /// What `operation` asks.
    #[must_use]
    pub const fn of(operation: Operation) -> Self {
        match operation {
            Operation::Put { .. } => Self::Put,
            Operation::Get { .. } => Self::Get,
            Operation::Delete { .. } => Self::Delete,
            Operation::List => Self::List,
            Operation::ReadAll => Self::ReadAll,
            Operation::Clear => Self::Clear,
            Operation::Append { .. } => Self::Append,
        }
    }
}

/// An operation: its invocation and, once there is one, its completion.
///
/// Kept small, a million of them in 96 MB: what few operations have is in [`History::contents`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When the client invoked it.
    pub invoked_at: Time,
    /// When it completed; meaningless while pending.
    pub completed_at: Time,
    /// When it was due: the arrival in an open loop, else the invocation. Latency counts from here.
    pub due_at: Time,
    /// The value of a put, the element of an append, or the value that a completed get found.
    pub value: Option<Value>,
    /// The version that a write was given (even when its client never learned of it), or that a get found.
    pub version: Option<Version>,
    /// Of a write on one key, the value that the key held where and when a node first accepted it: what it was written
    /// over. See [`History::tells_over`].
    pub over: Option<Value>,
    /// The key; `KeyId(0)` where the function is on the whole store.
    pub key: KeyId,
    /// Who invoked it.
    pub client: ClientId,
    /// Place of the invocation among all events of the history.
    pub invoked_seq: u32,
    /// Place of the completion; `u32::MAX` while pending, so that "completed before" needs no special case.
    pub completed_seq: u32,
    /// How often this client's operations had ended unknown before: a process is (client, incarnation), since a
    /// process whose operation may still be under way cannot invoke another (Jepsen).
    pub incarnation: u32,
    /// What was asked.
    pub function: Function,
    /// What became of it.
    pub status: Status,
    /// Why it did not complete ok.
    pub failure: Option<Failure>,
    /// Who answered.
    pub node: Option<NodeId>,
    /// The leader that the answer named.
    pub leader: Option<NodeId>,
    /// Followers that had confirmed the write when it was answered.
    pub confirmations: u16,
    /// How many followers there were; 0 when the answer says nothing of confirmations.
    pub followers: u16,
    /// Whether the write was answered with fewer confirmations than it asked for.
    pub degraded: bool,
    /// Whether a deleted key had existed.
    pub existed: Option<bool>,
}

impl Entry {
    /// From when it was due to its completion; `None` while pending.
    #[must_use]
    pub fn latency(&self) -> Option<Span> {
        (self.status != Status::Pending).then(|| self.completed_at.since(self.due_at))
    }

    /// Whether this completed before `other` was invoked, in event order.
    #[must_use]
    pub const fn precedes(&self, other: &Self) -> bool {
        self.completed_seq < other.invoked_seq
    }

    /// The place in the history after which a write cannot take effect any more: its completion if that was ok. One
    /// whose outcome is unknown may take effect at any time, and so may one that failed yet shows an effect.
    #[must_use]
    pub const fn end(&self) -> u32 {
        match self.status {
            Status::Ok => self.completed_seq,
            Status::Pending | Status::Fail | Status::Info => u32::MAX,
        }
    }

    /// Whether it completed ok.
    #[must_use]
    pub const fn is_ok(&self) -> bool {
        matches!(self.status, Status::Ok)
    }

    /// Whether it may have had, or may yet have, an effect: it did not fail.
    #[must_use]
    pub const fn may_have_happened(&self) -> bool {
        !matches!(self.status, Status::Fail)
    }

    /// Whether it is a read that found nothing where the answer named a leader to ask instead: the node that answered
    /// follows, and a write of the key may not have been replicated there yet. A follower says so of a key that it knows
    /// to be deleted, too: it cannot know what came after.
    #[must_use]
    pub const fn is_not_yet_replicated(&self) -> bool {
        matches!(self.function, Function::Get)
            && self.is_ok()
            && self.value.is_none()
            && self.leader.is_some()
    }

    /// Whether it is on one key, [`Entry::key`], and not on the whole store.
    #[must_use]
    pub const fn is_on_one_key(&self) -> bool {
        matches!(self.function, Function::Put | Function::Get | Function::Delete | Function::Append)
    }

    /// Whether it writes: a put, an append, a delete or a clear.
    #[must_use]
    pub const fn is_write(&self) -> bool {
        matches!(
            self.function,
            Function::Put | Function::Delete | Function::Clear | Function::Append
        )
    }
}

/// A key's place in what a list or a read of everything answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The key.
    pub key: KeyId,
    /// Its value, of a list the last element; `None` in a list of keys.
    pub value: Option<Value>,
    /// The version of the value; `None` in a list of keys.
    pub version: Option<Version>,
    /// Every element, in the order of their versions, where the key holds a list; `None` in a list of keys.
    pub elements: Option<Box<[Value]>>,
}

impl Hash for Item {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (self.key, self.value, self.version).hash(hasher);
        // Where there is no list nothing is added: an answer without one is what it was.
        if let Some(elements) = &self.elements {
            elements.hash(hasher);
        }
    }
}

/// What a node's key held when the node accepted a write of it: which write the new one was written over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Over {
    /// The protocol does not say.
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

/// Something that the nemesis did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NemesisEvent {
    /// Place among all events of the history.
    pub seq: u32,
    /// When.
    pub at: Time,
    /// Which fault; `None` for the healing at the end of the fault phase.
    pub fault: Option<FaultId>,
    /// Whether it starts or ends.
    pub starts: bool,
    /// What, in words with the nodes it resolved to: `crash n1`, `partition n1 | n2 n3`.
    pub what: String,
}

/// One event of the history, for those who read it in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryEvent {
    /// A client invoked.
    Invoke(OpId),
    /// An operation completed.
    Complete(OpId),
    /// The nemesis acted; an index into [`History::nemesis`].
    Nemesis(usize),
}

/// Every operation and every act of the nemesis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    entries: Vec<Entry>,
    nemesis: Vec<NemesisEvent>,
    contents: BTreeMap<OpId, Box<[Item]>>,
    elements: BTreeMap<OpId, Box<[Value]>>,
    other_versions: Vec<(OpId, Version)>,
    cleared: Vec<(OpId, KeyId, Version)>,
    contested: Vec<ContestedWrite>,
    also_over: BTreeMap<OpId, Vec<Option<Value>>>,
    over_unsaid: bool,
    events: u32,
}

/// A write that a node accepted and answered, ok, while it and another node led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContestedWrite {
    /// Which.
    pub op: OpId,
    /// Who answered. Of a write that is tried again it may not be the node that its client heard.
    pub node: NodeId,
    /// When it accepted the write.
    pub accepted_at: Time,
    /// When it answered, whether or not its client ever heard.
    pub answered_at: Time,
}

impl History {
    /// An empty history with room for `operations`.
    #[must_use]
    pub fn with_capacity(operations: usize) -> Self {
        Self { entries: Vec::with_capacity(operations), ..Self::default() }
    }

    /// Notes an invocation.
    ///
    /// # Panics
    ///
    /// At 2^32 operations.
    pub fn invoke(
        &mut self,
        at: Time,
        due_at: Time,
        (client, incarnation): (ClientId, u32),
        operation: Operation,
    ) -> OpId {
        let id = OpId(u32::try_from(self.entries.len()).expect("fewer than 2^32 operations"));
        let value = match operation {
            Operation::Put { value, .. } | Operation::Append { value, .. } => {
                Some(value.written_by(id))
            }
            Operation::Get { .. }
            | Operation::Delete { .. }
            | Operation::List
            | Operation::ReadAll
            | Operation::Clear => None,
        };
        let invoked_seq = self.next_seq();
        self.entries.push(Entry {
            invoked_at: at,
            completed_at: Time::ZERO,
            due_at,
            value,
            version: None,
            over: None,
            key: operation.key().unwrap_or_default(),
            client,
            invoked_seq,
            completed_seq: u32::MAX,
            incarnation,
            function: Function::of(operation),
            status: Status::Pending,
            failure: None,
            node: None,
            leader: None,
            confirmations: 0,
            followers: 0,
            degraded: false,
            existed: None,
        });
        id
    }

    /// Notes the completion of `op`; `fill` sets what it brought besides the status.
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
    }

    /// Notes that a node accepted a write of `op` as `version`, whether or not its client ever learns of it; with
    /// retries there may be several.
    pub fn accept(&mut self, op: OpId, version: Version) {
        let entry = &mut self.entries[op.0 as usize];
        let Some(held) = entry.version.filter(|held| *held != version) else {
            entry.version = Some(version);
            return;
        };
        if entry.status == Status::Pending {
            self.other_versions.push((op, held));
            entry.version = Some(version);
        } else {
            // An attempt that the client had given up: what it was told stands.
            self.other_versions.push((op, version));
        }
    }

    /// Notes the version that the answer to a write names. With retries it may not be the last that a node gave it.
    pub fn answered(&mut self, op: OpId, version: Version) {
        let entry = &self.entries[op.0 as usize];
        // An element that the list had is accepted by nobody.
        self.over_unsaid |= entry.version.is_none() && entry.function != Function::Append;
        self.accept(op, version);
    }

    /// Notes what the key of a write held where a node accepted it; once an attempt that is accepted, after
    /// [`History::accept`].
    pub fn written_over(&mut self, op: OpId, over: Over) {
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
            self.entries[op.0 as usize].over = held;
        } else {
            self.also_over.entry(op).or_default().push(held);
        }
    }

    /// Notes that the clear `op` removed `key` with a delete of `version`.
    pub fn accept_clear(&mut self, op: OpId, key: KeyId, version: Version) {
        self.cleared.push((op, key, version));
    }

    /// Notes that a node acknowledged a write while another led too.
    pub fn contest(&mut self, write: ContestedWrite) {
        self.contested.push(write);
    }

    /// Notes what a list or a read of everything answered.
    pub fn set_contents(&mut self, op: OpId, items: Box<[Item]>) {
        self.contents.insert(op, items);
    }

    /// Notes the elements of the list that a get found.
    pub fn set_elements(&mut self, op: OpId, elements: Box<[Value]>) {
        self.elements.insert(op, elements);
    }

    /// Notes an act of the nemesis.
    pub fn act(&mut self, at: Time, fault: Option<FaultId>, starts: bool, what: String) {
        let seq = self.next_seq();
        self.nemesis.push(NemesisEvent { seq, at, fault, starts, what });
    }

    fn next_seq(&mut self) -> u32 {
        let seq = self.events;
        self.events += 1;
        seq
    }

    /// Every operation, in the order of invocation.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The operation `op`.
    #[must_use]
    pub fn entry(&self, op: OpId) -> &Entry {
        &self.entries[op.0 as usize]
    }

    /// Every operation with its id, in the order of invocation.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (OpId, &Entry)> {
        // The ids were given as u32, so the count fits.
        (0..self.entries.len()).map(|i| (OpId(i as u32), &self.entries[i]))
    }

    /// What a list or a read of everything answered; `None` for other operations.
    #[must_use]
    pub fn contents(&self, op: OpId) -> Option<&[Item]> {
        self.contents.get(&op).map(AsRef::as_ref)
    }

    /// The elements of the list that a get found, in the order of their versions; `None` where it found no list.
    #[must_use]
    pub fn elements(&self, op: OpId) -> Option<&[Value]> {
        self.elements.get(&op).map(AsRef::as_ref)
    }

    /// Versions that other attempts of retried writes were given, besides [`Entry::version`].
    #[must_use]
    pub fn other_versions(&self) -> &[(OpId, Version)] {
        &self.other_versions
    }

    /// Whether nodes said of every write that they accepted what it was written over.
    #[must_use]
    pub const fn tells_over(&self) -> bool {
        !self.over_unsaid
    }

    /// What a write was written over, by attempt that a node accepted: the value that the key held there.
    pub fn over(&self, op: OpId) -> impl Iterator<Item = Option<Value>> + '_ {
        let others = self.also_over.get(&op).into_iter().flatten().copied();
        std::iter::once(self.entry(op).over).chain(others)
    }

    /// What each clear removed, by key.
    #[must_use]
    pub fn cleared(&self) -> &[(OpId, KeyId, Version)] {
        &self.cleared
    }

    /// Every write that a node acknowledged while another led too, in the order of the answers.
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
        // A million operations have two million events: four bytes each, and not the sixteen of an event.
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
