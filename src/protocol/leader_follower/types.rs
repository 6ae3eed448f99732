//! The timers of a node, and a name for its types.

use crate::protocol::Protocol;

use super::message::Message;
use super::storage::record::Record;

/// The messages, records and timers of leader-follower. The parts of a node take a context of any
/// protocol that has these, so that they do not need to know the node.
pub(super) trait Types: Protocol<Message = Message, Record = Record, Timer = Timer> {}

impl<P: Protocol<Message = Message, Record = Record, Timer = Timer>> Types for P {}

/// The timers of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// Leader: the oldest unanswered write has waited long enough.
    AckTimeout,
    /// Leader: time to send unacknowledged writes again.
    Resend,
    /// Buffered log: what was written has been left unsynced for long enough.
    Flush,
    /// Time to send heartbeats.
    Heartbeat,
    /// Not the leader: the election timeout may be over.
    Election,
    /// Leader: time to see who is in sync.
    InSync,
    /// Coordinator: the oldest read of several replicas has waited long enough.
    ReadTimeout,
    /// Time to compare with another replica.
    AntiEntropy,
    /// A tombstone's grace period is over.
    Purge,
}
