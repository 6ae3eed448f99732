//! Operations at exact times, and the answers that their clients must get.

use super::expect::{Expected, ExpectedStatus};
use super::workload::RetryPolicy;
use crate::history::Failure;
use crate::id::{ClientId, KeyId, NodeId, Value};
use crate::operation::Operation;
use crate::time::{Span, Time};

/// An operation at an exact time.
#[derive(Clone, Debug, PartialEq)]
pub struct ScriptedOperation {
    /// A stable id, which keys its draws; export and shrinking keep it. An id such as `c3.17`
    /// (client 3, its 17th operation) or `a.17` (the 17th arrival of an open loop) stands for that
    /// operation of a workload and has its draws. Its numbers are decimal, from 1, without leading
    /// zeros, and a client number fits 30 bits.
    pub id: String,
    /// When it is invoked, or later, when its client has completed its previous one.
    pub at: Time,
    /// Who invokes it.
    pub client: ClientId,
    /// The operation.
    pub operation: Operation,
    /// The node to ask; `None`: the client looks for the leader.
    pub node: Option<NodeId>,
    /// When an attempt is given up, and how it is retried.
    pub retry: RetryPolicy,
    /// The answer that the client must get; without parts, any.
    pub expect: Answer,
}

/// The answer that a client must get. Each part that is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Whether it completed ok, failed, or its outcome is unknown.
    pub status: Option<ExpectedStatus>,
    /// The value read; of a compare-and-set the value that the key held before.
    pub value: Expected<Value>,
    /// Whether the answer was marked degraded.
    pub degraded: Option<bool>,
    /// How many followers had acknowledged, of how many.
    pub acknowledgements: Option<(u16, u16)>,
    /// Why it did not complete ok.
    pub error: Option<Failure>,
    /// Whether the key read was absent on a follower that named the leader: a write may not have
    /// reached it yet.
    pub not_yet_replicated: Option<bool>,
    /// The leader that the answer named.
    pub leader: Expected<NodeId>,
    /// Whether the deleted key had existed.
    pub existed: Option<bool>,
    /// The keys listed, in any order.
    pub keys: Option<Vec<KeyId>>,
    /// Everything read, in any order.
    pub all: Option<Vec<(KeyId, Value)>>,
    /// The most the answer may take.
    pub within: Option<Span>,
    /// The least the answer may take.
    pub after: Option<Span>,
}
