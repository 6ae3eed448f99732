//! Events: what can happen, and what of it enters the digest.

use std::hash::Hash;

use crate::digest::Digest;
use crate::id::{ClientId, NodeId};
use crate::operation::Operation;
use crate::protocol::{DiskError, Protocol, Reply, RequestId, Session, Ticket};
use crate::rng::CausalId;
use crate::time::Time;

use super::queue::EventQueue;

/// Something that happens at an instant.
pub struct Event<P: Protocol> {
    /// Its identity by what caused it.
    pub(crate) id: CausalId,
    /// What happens.
    pub(crate) what: What<P>,
}

/// From which boot of its sender a message goes, and to which node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hop {
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    pub(crate) boot: u32,
}

/// A queue of the events of a simulation.
pub trait Queue<P: Protocol>: EventQueue<Event<P>> {}

impl<P: Protocol, Q: EventQueue<Event<P>>> Queue<P> for Q {}

/// What happens.
// The tag is a whole word, so that the fields behind it are aligned. Behind a tag of one byte an
// event is copied in pieces at odd addresses, which stalls the copy that follows.
#[repr(u64)]
pub(crate) enum What<P: Protocol> {
    /// A message reaches a node; `boot` says which boot of its sender it is of.
    Message { to: NodeId, from: NodeId, boot: u32, message: P::Message },
    /// A message to `to` comes back to the boot of its sender that sent it.
    Refused { to: NodeId, from: NodeId, boot: u32, message: P::Message },
    /// A client's request reaches a node.
    Request { node: NodeId, session: Session, request: RequestId, operation: Operation },
    /// An answer reaches a client.
    Answer { client: ClientId, node: NodeId, request: RequestId, reply: Reply },
    /// A timer of the node's boot number `boot` runs out.
    Timer { node: NodeId, boot: u32, generation: u32, timer: P::Timer },
    /// A disk finishes an operation that the node's boot number `boot` asked for.
    Disk { node: NodeId, boot: u32, ticket: Ticket, result: Result<(), DiskError> },
    /// A client invokes its next operation, due at an instant.
    Invoke { client: ClientId, due_at: Time },
    /// Operations of an open loop arrive.
    Arrival { index: u64 },
    /// A client looks whether its attempt has timed out.
    Alarm { client: ClientId },
    /// A client retries its operation.
    Retry { client: ClientId, request: RequestId },
    /// A fault starts, or ends.
    Fault { index: u32, starts: bool },
    /// Settings change.
    Change { index: u32 },
    /// The fault phase ends: everything heals.
    Heal,
    /// The simulation looks whether the cluster has settled.
    SettleCheck,
}

/// The actor of an event that is of no node and no client, in the digest.
const NOBODY: u32 = u32::MAX;
/// Marks an actor as a client, in the digest.
const CLIENT: u32 = 1 << 31;

impl<P: Protocol> What<P> {
    /// The node whose process the event reaches, and of which boot where it is meant for one alone.
    pub(crate) const fn process(&self) -> Option<(NodeId, Option<u32>)> {
        match self {
            Self::Message { to, .. } => Some((*to, None)),
            Self::Request { node, .. } => Some((*node, None)),
            Self::Refused { from: node, boot, .. }
            | Self::Timer { node, boot, .. }
            | Self::Disk { node, boot, .. } => Some((*node, Some(*boot))),
            Self::Answer { .. }
            | Self::Invoke { .. }
            | Self::Arrival { .. }
            | Self::Alarm { .. }
            | Self::Retry { .. }
            | Self::Fault { .. }
            | Self::Change { .. }
            | Self::Heal
            | Self::SettleCheck => None,
        }
    }

    /// The directed link that the event came over, if it came from one node to another.
    pub(crate) const fn link(&self) -> Option<(NodeId, NodeId)> {
        // It is the refusal that travels.
        let (Self::Message { from, to, .. } | Self::Refused { from: to, to: from, .. }) = self
        else {
            return None;
        };
        Some((*from, *to))
    }

    /// Feeds (time, actor, kind, content) to the digest.
    #[inline]
    pub(super) fn feed(&self, at: Time, digest: &mut Digest) {
        let mut head = |actor: u32, kind: u8| {
            digest.write_pair(at.nanos(), u64::from(actor) << 8 | u64::from(kind));
        };
        match self {
            // One arm for both, so that the message's hash is inlined once.
            Self::Message { to, from, message, .. } | Self::Refused { to, from, message, .. } => {
                let kind = if matches!(self, Self::Refused { .. }) { 14 } else { 1 };
                head(u32::from(to.0) << 16 | u32::from(from.0), kind);
                message.hash(digest);
            }
            // What the request names says which operation of its client it is.
            Self::Request { node, session, request, operation } => {
                head(node.0.into(), 2);
                (session.client, request, operation).hash(digest);
            }
            Self::Answer { client, node, request, reply } => {
                head(client.0 | CLIENT, 3);
                (node, request, reply).hash(digest);
            }
            Self::Timer { node, boot, generation, timer } => {
                head(node.0.into(), 4);
                (boot, generation, timer).hash(digest);
            }
            Self::Disk { node, boot, ticket, result } => {
                head(node.0.into(), 5);
                (boot, ticket).hash(digest);
                if let Err(error) = result {
                    error.hash(digest);
                }
            }
            Self::Invoke { client, due_at } => {
                head(client.0 | CLIENT, 6);
                due_at.hash(digest);
            }
            Self::Arrival { index } => {
                head(NOBODY, 7);
                index.hash(digest);
            }
            Self::Alarm { client } => head(client.0 | CLIENT, 8),
            Self::Retry { client, request } => {
                head(client.0 | CLIENT, 9);
                request.hash(digest);
            }
            Self::Fault { index, starts } => {
                head(NOBODY, 10);
                (index, starts).hash(digest);
            }
            Self::Change { index } => {
                head(NOBODY, 11);
                index.hash(digest);
            }
            Self::Heal => head(NOBODY, 12),
            Self::SettleCheck => head(NOBODY, 13),
        }
    }
}
