//! What a node does once its log, or its ballot, is durable.

use std::sync::Arc;

use crate::id::{LogIndex, NodeId, Term, Version};
use crate::protocol::RequestId;
use crate::protocol::leader_follower::message::{AntiEntropy, FullState, Round};
use crate::protocol::leader_follower::write::AcceptedWrite;
use crate::protocol::parts::entry::StoredEntry;

/// What a node does once its log is durable up to here.
#[derive(Debug)]
pub(crate) enum Deferred {
    /// Leader: replicate a write and answer it.
    Replicate(Box<AcceptedWrite>),
    /// Leader, after a start: send everything to followers that may lack it.
    ReplicateAll,
    /// Follower: acknowledge a write.
    Acknowledge { to: NodeId, version: Version },
    /// Answer a clear of this replica alone.
    Cleared(RequestId),
    /// New leader: send everybody everything.
    ShareState,
    /// Leader, after a start: send this state to followers until they acknowledge it.
    ResendState { version: Version, state: Arc<FullState> },
    /// Leader of a term: send everybody the log up to an index.
    ShareLog { term: Term, index: LogIndex },
    /// Leader: send a write that no client waits for.
    ReplicateUnsolicited(StoredEntry),
    /// Follower: acknowledge the leader's log up to an index.
    AcknowledgeLog { to: NodeId, term: Term, index: LogIndex },
    /// Candidate: ask for votes.
    RequestVotes { term: Term, round: Round },
    /// Answer a candidate.
    Vote { to: NodeId, term: Term, granted: bool },
    /// Leader: answer a retried append, which has been accepted before.
    Repeated(RequestId, Version),
    /// Send another replica what is stored here: the two differ.
    Compare { to: NodeId, message: AntiEntropy },
    /// Replica: acknowledge a repair to the coordinator of the read.
    Repaired { coordinator: NodeId, read: RequestId },
}
