//! One operation of a history: its call and its outcome.

use super::process::Process;
use crate::id::{ClientId, KeyId, NodeId, OpId, Value, Version};
use crate::operation::Operation;
use crate::time::Time;
use strum::{IntoStaticStr, VariantArray};

/// What became of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray, IntoStaticStr)]
#[repr(u8)]
#[strum(serialize_all = "kebab-case")]
pub enum Status {
    /// Invoked and not completed. Checkers treat it like [`Status::Info`].
    Pending,
    /// It took effect.
    Ok,
    /// It did not take effect and never will.
    Fail,
    /// The outcome is unknown: it may have taken effect, may yet do so, or never.
    Info,
}

/// Why an operation did not complete ok.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray, IntoStaticStr)]
#[repr(u8)]
#[strum(serialize_all = "kebab-case")]
pub enum Failure {
    /// The client's timeout passed.
    Timeout,
    /// The node refused because it does not lead.
    NotLeader,
    /// The node knows no leader.
    NoLeader,
    /// The node was down and the connection was refused.
    Refused,
    /// Too few followers acknowledged in time.
    #[strum(serialize = "too-few-confirmations")]
    TooFewAcknowledgements,
    /// The node does not support the operation.
    Unsupported,
    /// The node cannot serve: its disk is full or damaged.
    Disk,
    /// The leader stepped down before enough followers had acknowledged.
    SteppedDown,
    /// The in-sync set has too few nodes.
    TooFewInSync,
    /// The run ended before it completed.
    Unfinished,
    /// Too few replicas answered a read, or acknowledged its repair, in time.
    TooFewReplies,
    /// The client's session was evicted: whether an earlier attempt was applied is not known.
    SessionExpired,
    /// A compare-and-set found another value than it expected.
    Mismatch,
}

/// The kind of an operation, without its arguments.
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
    /// Read which keys exist.
    List,
    /// Read every key with its value.
    ReadAll,
    /// Remove every key.
    Clear,
    /// Add an element to a key's list.
    Append,
    /// Set a key, if it holds what is expected.
    Cas,
    /// Several operations on single keys as one.
    Batch,
}

impl Function {
    /// The kind of `operation`.
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
            Operation::Cas { .. } => Self::Cas,
            Operation::Batch(_) => Self::Batch,
        }
    }
}

/// Of which kind of operation an entry is an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccessOf {
    /// Of a compare-and-set.
    Cas,
    /// Of a batch.
    Batch,
    /// Of a compare-and-set in a batch.
    CasInBatch,
}

impl AccessOf {
    /// Whether it is the read or the put of a compare-and-set.
    #[must_use]
    pub const fn is_cas(self) -> bool {
        matches!(self, Self::Cas | Self::CasInBatch)
    }
}

/// When and by whom an operation was invoked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) op: OpId,
    pub(super) at: Time,
    pub(super) process: Process,
    /// The place among all events of the history.
    pub(super) seq: u32,
}

/// An operation: its invocation and, once there is one, its completion.
///
/// Kept small: a million entries take 96 MB. What only a few operations have is in side tables of
/// [`super::History`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When the client invoked it.
    pub invoked_at: Time,
    /// When it completed. Meaningless while pending.
    pub completed_at: Time,
    /// The value of a put, the element of an append, the value that a compare-and-set puts, or
    /// that a completed get found.
    pub value: Option<Value>,
    /// The version that a get found, of a value or of a tombstone, or that a node gave a write,
    /// whether or not the client learned of it.
    pub version: Option<Version>,
    /// The value that a write on one key replaced on the node that accepted it first. See
    /// [`super::History::tells_over`]. Of a compare-and-set the value that it expects; what it
    /// replaced its put says.
    pub over: Option<Value>,
    /// The key. `KeyId(0)` where the operation is on the whole store.
    pub key: KeyId,
    /// The client that invoked it.
    pub client: ClientId,
    /// The place of the invocation among all events of the history.
    pub invoked_seq: u32,
    /// The place of the completion. `u32::MAX` while pending, so [`Entry::precedes`] needs no
    /// special case.
    pub completed_seq: u32,
    /// The incarnation of the process that invoked it. See [`super::Process`].
    pub incarnation: u32,
    /// Which kind of operation it is.
    pub function: Function,
    /// What became of it.
    pub status: Status,
    /// Why it did not complete ok.
    pub failure: Option<Failure>,
    /// The node that answered.
    pub node: Option<NodeId>,
    /// The leader that the answer named.
    pub leader: Option<NodeId>,
    /// How many followers had acknowledged the write when it was answered.
    pub acknowledgements: u16,
    /// How many followers there were. 0 when the answer does not count acknowledgements.
    pub followers: u16,
    /// Whether the write was answered with fewer acknowledgements than it asked for.
    pub degraded: bool,
    /// Whether a deleted key had existed.
    pub existed: Option<bool>,
    /// Whether it asks to change the store.
    pub writes: bool,
    /// Of an access: which kind of operation made it. See [`super::History::accesses`].
    pub access_of: Option<AccessOf>,
}

impl Entry {
    /// An operation, or an access, that was just invoked.
    pub(super) fn invoked(invocation: Call, operation: Operation) -> Self {
        let Call { op, at, process, seq } = invocation;
        let (value, over) = match operation {
            Operation::Put { value, .. } | Operation::Append { value, .. } => {
                (Some(value.written_by(op)), None)
            }
            Operation::Cas { from, to, .. } => (Some(to), from.map(Value::unmarked)),
            Operation::Get { .. }
            | Operation::Delete { .. }
            | Operation::List
            | Operation::ReadAll
            | Operation::Clear
            | Operation::Batch(_) => (None, None),
        };
        Self {
            invoked_at: at,
            completed_at: Time::ZERO,
            value,
            version: None,
            over,
            key: operation.key().unwrap_or_default(),
            client: process.client,
            invoked_seq: seq,
            completed_seq: u32::MAX,
            incarnation: process.incarnation,
            function: Function::of(operation),
            status: Status::Pending,
            failure: None,
            node: None,
            leader: None,
            acknowledgements: 0,
            followers: 0,
            degraded: false,
            existed: None,
            writes: operation.is_write(),
            access_of: None,
        }
    }

    /// When it completed; while pending, the end of the run.
    #[must_use]
    pub const fn ended_at(&self, run_ended_at: Time) -> Time {
        match self.status {
            Status::Pending => run_ended_at,
            Status::Ok | Status::Fail | Status::Info => self.completed_at,
        }
    }

    /// Whether this completed before `other` was invoked, in event order.
    #[must_use]
    pub const fn precedes(&self, other: &Self) -> bool {
        self.completed_seq < other.invoked_seq
    }

    /// The place in the history after which a write can no longer take effect: its completion when
    /// it completed ok. A write with an unknown outcome may take effect at any time, and so may one
    /// that was reported as failed but shows an effect.
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

    /// Whether it may have taken effect or may yet do so: it did not fail.
    #[must_use]
    pub const fn may_have_happened(&self) -> bool {
        !matches!(self.status, Status::Fail)
    }

    /// Whether a get found nothing on a follower that named its leader. A write of the key may not
    /// have been replicated to that follower yet. A follower answers the same for a key that it
    /// knows to be deleted, because it cannot know of later writes.
    #[must_use]
    pub const fn is_not_yet_replicated(&self) -> bool {
        matches!(self.function, Function::Get)
            && self.is_ok()
            && self.value.is_none()
            && self.leader.is_some()
    }

    /// Whether it is on one key, [`Entry::key`], rather than on the whole store.
    #[must_use]
    pub const fn is_on_one_key(&self) -> bool {
        match self.function {
            Function::Put | Function::Get | Function::Delete | Function::Append | Function::Cas => {
                true
            }
            Function::List | Function::ReadAll | Function::Clear | Function::Batch => false,
        }
    }

    /// Whether it is a delete or a clear.
    #[must_use]
    pub const fn is_removal(&self) -> bool {
        matches!(self.function, Function::Delete | Function::Clear)
    }

    /// Whether it is a write: a put, an append, a compare-and-set, a delete, a clear, or a batch
    /// with any of these.
    #[must_use]
    pub const fn is_write(&self) -> bool {
        self.writes
    }
}
