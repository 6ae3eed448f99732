//! A write between the leader's acceptance of it and its replication.

use std::sync::Arc;

use crate::id::{KeyId, LogIndex, Term, Version};
use crate::protocol::parts::entry::Entry;
use crate::protocol::{RequestId, Response};

use super::message::{FullState, Message};

/// A write that the leader has accepted and not yet sent.
#[derive(Debug)]
pub(crate) struct AcceptedWrite {
    /// The term in which it was accepted.
    pub(crate) term: Term,
    /// Its place in the log, where there is one.
    pub(crate) index: LogIndex,
    pub(crate) request: RequestId,
    pub(crate) version: Version,
    pub(crate) payload: Payload,
    pub(crate) response: Response,
    /// How many acknowledgements it awaits.
    pub(crate) wanted: u16,
}

/// What a write sends to every follower.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    One(Entry),
    Many(Arc<[Entry]>),
    State(Arc<FullState>),
}

/// What a write is about: of two about the same, a follower needs only the newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum About {
    Key(KeyId),
    Everything,
}

impl Payload {
    pub(crate) fn message(&self, term: Term, version: Version) -> Message {
        match self {
            Self::One(entry) => Message::Replicate { term, entry: *entry },
            Self::Many(entries) => {
                Message::ReplicateMany { term, version, entries: Arc::clone(entries) }
            }
            Self::State(state) => Message::State { term, version, state: Arc::clone(state) },
        }
    }

    /// `None`: as many keys as a clear has; it stays until it is acknowledged.
    pub(crate) fn subject(&self) -> Option<About> {
        match self {
            Self::One(entry) if !entry.element => Some(About::Key(entry.key)),
            Self::One(_) | Self::Many(_) => None,
            Self::State(_) => Some(About::Everything),
        }
    }
}
