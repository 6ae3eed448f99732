//! A write on its way: accepted by the leader, sent to followers, and waited for by its client.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::id::{KeyId, LogIndex, NodeSet, Term, Version};
use crate::protocol::parts::entry::StoredEntry;
use crate::protocol::{RequestId, Response};
use crate::time::Time;

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
    One(StoredEntry),
    Many(Arc<[StoredEntry]>),
    /// Taken as one, in memory and on the disk.
    Batch(Arc<[StoredEntry]>),
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
            Self::Batch(entries) => {
                Message::ReplicateBatch { term, version, entries: Arc::clone(entries) }
            }
            Self::State(state) => Message::State { term, version, state: Arc::clone(state) },
        }
    }

    /// `None`: as many keys as a clear or a batch has; it stays until it is acknowledged.
    pub(crate) fn subject(&self) -> Option<About> {
        match self {
            Self::One(entry) if !entry.element => Some(About::Key(entry.key)),
            Self::One(_) | Self::Many(_) | Self::Batch(_) => None,
            Self::State(_) => Some(About::Everything),
        }
    }
}

/// What only a leader keeps, however writes are replicated.
#[derive(Debug, Default)]
pub(crate) struct Leading {
    /// When this incarnation of the node began, on its monotonic clock.
    pub(crate) incarnation: Time,
    /// Writes not yet answered, the oldest first: the sequences of their versions rise.
    pub(crate) unanswered: VecDeque<Pending>,
    /// Of unanswered writes that came back: from which followers.
    pub(crate) refusals: BTreeMap<Version, NodeSet>,
}

/// A write that its client waits for.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) version: Version,
    /// Its place in the log, where there is one.
    pub(crate) index: LogIndex,
    pub(crate) request: RequestId,
    pub(crate) response: Response,
    pub(crate) deadline: Time,
    pub(crate) wanted: u16,
    pub(crate) acknowledged: NodeSet,
    pub(crate) acknowledgements: u16,
    pub(crate) answered: bool,
}

impl Pending {
    pub(crate) const fn is_of_batch(&self) -> bool {
        matches!(self.response, Response::Batch(_))
    }
}

impl Leading {
    /// Whether a client waits for the answer to a batch.
    pub(crate) fn awaits_batch(&self) -> bool {
        self.unanswered.iter().any(|pending| pending.is_of_batch() && !pending.answered)
    }

    /// The number of the oldest write that a client waits for.
    #[inline]
    pub(crate) fn oldest_awaited(&self) -> Option<u32> {
        self.unanswered.front().map(|write| write.version.sequence)
    }

    /// The unanswered write of this version. Timestamps may go back; sequences rise, nearly always
    /// by one.
    #[inline]
    pub(crate) fn find(&mut self, version: Version) -> Option<&mut Pending> {
        let first = self.unanswered.front()?.version.sequence;
        let guess = version.sequence.checked_sub(first)? as usize;
        let place = match self.unanswered.get(guess) {
            Some(pending) if pending.version == version => guess,
            Some(_) | None => {
                self.unanswered.partition_point(|other| other.version.sequence < version.sequence)
            }
        };
        self.unanswered.get_mut(place).filter(|pending| pending.version == version)
    }

    /// The unanswered writes that the log has behind an index, up to another.
    pub(crate) fn between(&self, behind: LogIndex, until: LogIndex) -> Vec<Version> {
        let first = self.unanswered.partition_point(|pending| pending.index <= behind);
        let writes = self.unanswered.iter().skip(first);
        writes.take_while(|pending| pending.index <= until).map(|p| p.version).collect()
    }

    /// What the leader still means to do, but for what it owes single followers.
    pub(crate) fn pending(&self) -> Vec<String> {
        let unanswered = self.unanswered.iter().filter(|pending| !pending.answered).count();
        match unanswered {
            0 => Vec::new(),
            1 => vec!["1 write awaits confirmations".to_owned()],
            many => vec![format!("{many} writes await confirmations")],
        }
    }
}
