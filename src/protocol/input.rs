//! What a node takes in, one at a time.

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
        /// The client.
        client: ClientId,
        /// Names the request in the reply.
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

/// Names a client's request in the reply to it: the operation, and which attempt at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    /// The operation in the history.
    pub operation: OpId,
    /// Which attempt, counted from 0.
    pub attempt: u32,
}

/// The timers of a protocol without timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoTimer {}
