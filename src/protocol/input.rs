//! What a node takes in, one at a time.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{ClientId, NodeId, OpId};
use crate::operation::Operation;
use crate::time::Wall;

use super::Protocol;
use super::disk::{DiskError, Ticket};

/// What a node takes in. There is nothing else that it can learn.
#[derive(Clone, Debug)]
pub enum Input<P: Protocol> {
    /// A message from another node, or from itself.
    Message {
        /// The sender.
        from: NodeId,
        /// The content.
        message: P::Message,
    },
    /// A message to `to` came back, because the machine is up and the process is not.
    /// [`super::Context::returned`] hands the message out. This happens only with `network.refuse`,
    /// and not reliably: a refusal can be lost on its way back, and a process that hangs refuses
    /// nothing. A protocol may ignore it.
    Refused {
        /// The receiver of the message.
        to: NodeId,
    },
    /// A client's request.
    Request {
        /// Who asks, and which of its operations this is: the same for all attempts at one.
        session: Session,
        /// Names this attempt in the reply.
        request: RequestId,
        /// What the client asks for.
        operation: Operation,
        /// The client's wall clock when it invoked the operation; all attempts show the same.
        stamped: Wall,
    },
    /// A timer ran out.
    Timer(P::Timer),
    /// The disk has completed the operation of this ticket. After a sync or a replacement
    /// everything written to the file before it is durable.
    Persisted(Ticket, Result<(), DiskError>),
}

/// Which operation of which client a request is for: what a client sends so that a server can tell
/// a retry from a new operation (Raft section 8).
///
/// It may be kept in a log, sent to other nodes and given to
/// [`Sessions`](super::parts::session::Sessions).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
pub struct Session {
    /// The client.
    pub client: ClientId,
    /// The number of the operation among those of this client, counted from 1, reads included. All
    /// attempts at one operation have the same. A client begins an operation when the one before
    /// it is over, so numbers rise; but requests may arrive late, and out of order.
    pub sequence: u32,
}

/// Names one attempt of a client in the reply to it, and nothing else.
///
/// A protocol keeps it until it replies, and may use it as a key of a map. What is in it no real
/// server could know, so only the simulation can look into it. A server tells operations apart by
/// their [`Session`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    operation: OpId,
    attempt: u32,
}

impl RequestId {
    pub(crate) const fn new(operation: OpId, attempt: u32) -> Self {
        Self { operation, attempt }
    }

    /// The same attempt, of an access of the operation.
    pub(crate) const fn of_access(self, access: OpId) -> Self {
        Self { operation: access, ..self }
    }

    /// The operation in the history.
    pub(crate) const fn operation(self) -> OpId {
        self.operation
    }

    /// Which attempt, counted from 0.
    pub(crate) const fn attempt(self) -> u32 {
        self.attempt
    }
}

/// For traces and transcripts.
impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "operation {}", self.operation.0)
    }
}

/// The timers of a protocol without timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoTimer {}
