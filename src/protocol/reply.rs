//! Replies to clients.

use crate::history::{Failure, Item, ReadAnswer};
use crate::id::{NodeId, Value, Version};
use crate::named::Named;
use crate::names::Names;

/// A node's reply to a client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reply {
    /// The outcome of the request.
    pub outcome: Outcome,
    /// Whether a write is answered although fewer followers acknowledged it than it asked for.
    pub degraded: bool,
    /// How many followers have acknowledged the write, and how many there are.
    pub acknowledgements: Option<(u16, u16)>,
    /// The node that the client should ask instead: the leader.
    pub leader: Option<NodeId>,
}

impl Reply {
    /// A reply with this outcome and nothing else.
    #[must_use]
    pub const fn of(outcome: Outcome) -> Self {
        Self { outcome, degraded: false, acknowledgements: None, leader: None }
    }

    /// The refusal of an operation that the protocol does not support.
    #[must_use]
    pub const fn unsupported() -> Self {
        Self::of(Outcome::Refused(Failure::Unsupported))
    }

    /// The reply in words, as the trace shows it: `ok, version 0.000000000@n1#1`.
    #[must_use]
    pub fn describe(&self, names: &Names) -> String {
        let mut text = match &self.outcome {
            Outcome::Ok(response) => response.describe(names),
            Outcome::Refused(failure) => format!("refused: {}", failure.name()),
            Outcome::Unknown(failure) => format!("outcome unknown: {}", failure.name()),
            Outcome::Mismatch(mismatch) => match &mismatch.found {
                Some(found) => format!("mismatch: {}", found.describe(names)),
                None => "mismatch: the batch itself writes the key before".into(),
            },
        };
        if let Some((confirmed, followers)) = self.acknowledgements {
            text += &format!(", confirmed by {confirmed} of {followers}");
        }
        if self.degraded {
            text += ", degraded";
        }
        if let Some(leader) = self.leader {
            text += &format!(", ask {leader}");
        }
        text
    }
}

/// The outcome of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was done.
    Ok(Response),
    /// It was not done and never will be. The client may ask another node.
    Refused(Failure),
    /// It may be done or not. The node cannot say.
    Unknown(Failure),
    /// A compare-and-set, or a batch with one, was not done, because a key holds something else
    /// than it expects. In a box, for every reply is as large as the largest.
    Mismatch(Box<Mismatch>),
}

/// What a compare-and-set found that it did not expect.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mismatch {
    /// The place of the compare-and-set among the parts of its batch; 0 without one.
    pub part: u8,
    /// What a get of the key would be answered. `None` where an earlier part of the batch writes
    /// the key: then the compare-and-set met what that part would have left, which is no news.
    pub found: Option<Response>,
}

/// The content of a reply to a request that was done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Response {
    /// A put or a delete was done.
    Written {
        /// The version of the write.
        version: Version,
        /// Of a delete, whether the key existed; `None` for a put.
        existed: Option<bool>,
    },
    /// A get found a value.
    Found {
        /// The value.
        value: Value,
        /// Its version.
        version: Version,
    },
    /// A get found nothing, not even a tombstone. Checkers look for a removal that explains it.
    Absent,
    /// What a list or a read of everything found.
    Contents(Box<[Item]>),
    /// A clear was done.
    Cleared,
    /// A get found a list.
    List(Box<FoundList>),
    /// A get found the tombstone of a removed key: checkers know which removal it read.
    Tombstone {
        /// The version of the removal.
        version: Version,
    },
    /// A batch was done: an answer to each of its parts, in their order.
    Batch(Box<[Self]>),
}

impl Response {
    /// The value that a read of a key found; of a list the last element.
    #[must_use]
    pub(crate) const fn value(&self) -> Option<Value> {
        match self {
            Self::Found { value, .. } => Some(*value),
            Self::List(list) => Some(list.value),
            Self::Tombstone { .. }
            | Self::Absent
            | Self::Contents(_)
            | Self::Cleared
            | Self::Written { .. }
            | Self::Batch(_) => None,
        }
    }

    /// What a read of a key found, for the history.
    #[must_use]
    pub(crate) fn into_answer(self) -> ReadAnswer {
        let value = self.value();
        let (version, elements) = match self {
            Self::Found { version, .. } | Self::Tombstone { version } => (Some(version), None),
            Self::List(list) => (Some(list.version), Some(list.elements)),
            Self::Absent
            | Self::Contents(_)
            | Self::Cleared
            | Self::Written { .. }
            | Self::Batch(_) => (None, None),
        };
        ReadAnswer { value, version, elements }
    }

    fn describe(&self, names: &Names) -> String {
        match self {
            Self::Written { version, existed } => match existed {
                Some(false) => format!("ok, version {version}, there was no such key"),
                _ => format!("ok, version {version}"),
            },
            Self::Found { value, version } => {
                format!("{}, version {version}", names.value(*value))
            }
            Self::Absent => "no such key".into(),
            Self::Tombstone { version } => format!("removed, version {version}"),
            Self::Contents(items) => format!("{} keys", items.len()),
            Self::Cleared => "cleared".into(),
            Self::List(list) => {
                let elements: Vec<String> = list.elements.iter().map(|v| names.value(*v)).collect();
                format!("[{}], version {}", elements.join(", "), list.version)
            }
            Self::Batch(answers) => {
                let answers: Vec<String> = answers.iter().map(|one| one.describe(names)).collect();
                format!("batch done: {}", answers.join("; "))
            }
        }
    }
}

/// A list that a get found. It is boxed in [`Response`], which is part of every reply and so has to
/// be small.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FoundList {
    /// The last element, which is the key's value.
    pub value: Value,
    /// Its version.
    pub version: Version,
    /// Every element, in the order of their versions.
    pub elements: Box<[Value]>,
}
