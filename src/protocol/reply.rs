//! Replies to clients.

use crate::history::{Failure, Item};
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
            Outcome::Mismatch(found) => format!("mismatch: {}", found.describe(names)),
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
    /// A compare-and-set was not done, because the key holds something else: what a get would be
    /// answered. In a box, for every reply is as large as the largest.
    Mismatch(Box<Response>),
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
}

impl Response {
    /// The value and the version that a read of a key found, if it found any: of a list those of
    /// its last element, of a tombstone the version alone.
    #[must_use]
    pub(crate) fn found(&self) -> (Option<Value>, Option<Version>) {
        match self {
            Self::Found { value, version } => (Some(*value), Some(*version)),
            Self::List(list) => (Some(list.value), Some(list.version)),
            Self::Tombstone { version } => (None, Some(*version)),
            Self::Absent | Self::Contents(_) | Self::Cleared | Self::Written { .. } => (None, None),
        }
    }

    /// The elements of a list that a read of a key found.
    #[must_use]
    pub(crate) fn into_elements(self) -> Option<Box<[Value]>> {
        match self {
            Self::List(list) => Some(list.elements),
            Self::Found { .. }
            | Self::Tombstone { .. }
            | Self::Absent
            | Self::Contents(_)
            | Self::Cleared
            | Self::Written { .. } => None,
        }
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
