//! The writes that are followed through a run, and what is seen of them.

use crate::config::Config;
use crate::id::{KeyId, NodeId, OpId, Value, ValueKind, Version};
use crate::names::Names;
use crate::protocol::{DiscardReason, Observation, Relation, Stored};
use crate::time::Time;

/// A write to follow, on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WatchedWrite {
    /// The operation and when it was invoked; `None` of a write of which only the version is known.
    pub(crate) op: Option<(OpId, Time)>,
    /// The key.
    pub(crate) key: KeyId,
    /// Every version that it was given: each retry is given one.
    pub(crate) versions: Vec<Version>,
    /// What it does to the key.
    pub(crate) effect: WatchedEffect,
    /// The reads that may have missed it: the nodes that answer them are noted too.
    pub(crate) reads: Vec<OpId>,
}

/// What a write that is followed does to its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WatchedEffect {
    /// It sets it to this value.
    Put(Value),
    /// It adds this element to its list.
    Append(Value),
    /// It removes the key: a node without the key has the write.
    Remove,
    /// Its operation is not known.
    Unknown,
}

impl WatchedWrite {
    /// The highest version that it was given.
    pub(crate) fn version(&self) -> Option<Version> {
        self.versions.iter().max().copied()
    }

    /// Whether it removes the key.
    pub(crate) fn removes(&self) -> bool {
        self.effect == WatchedEffect::Remove
    }

    /// Whether `stored`, of `key`, is this write and not another of the same version.
    pub(crate) fn is(&self, key: KeyId, stored: Stored) -> bool {
        let bears_it = self.versions.contains(&stored.version);
        key == self.key
            && match (self.effect, stored.value) {
                (WatchedEffect::Put(mine) | WatchedEffect::Append(mine), Some(value)) => {
                    let is_its_own = match (value.kind(), value.writer()) {
                        (ValueKind::Made(..), _) => true,
                        (ValueKind::Text(_), Some(writer)) => mine.writer() == Some(writer),
                        (ValueKind::Text(_), None) => bears_it,
                    };
                    mine == value && is_its_own
                }
                (WatchedEffect::Remove, None) | (WatchedEffect::Unknown, _) => bears_it,
                (WatchedEffect::Put(_) | WatchedEffect::Append(_), None)
                | (WatchedEffect::Remove, Some(_)) => false,
            }
    }

    pub(super) fn is_invoked(&self, now: Time) -> bool {
        self.op.is_none_or(|(_, at)| at <= now)
    }
}

/// Something that happened to a write that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WriteEvent {
    pub(crate) at: Time,
    pub(crate) node: NodeId,
    /// Its place among the writes that are followed.
    pub(crate) write: u32,
    /// The sender of the message that the node was handling, if it was handling one.
    pub(crate) from: Option<NodeId>,
    pub(crate) what: WriteEventKind,
}

/// What happened to the write, or to a node that had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteEventKind {
    /// The node observed something of it.
    Observed(Observation),
    /// The node had it and took another write of its key.
    Superseded { by: Stored },
    /// The node dropped the newer write that had replaced this one.
    Uncovered { reason: DiscardReason },
    /// The node sent a message about it.
    Sent { to: NodeId, relation: Relation, passage: Passage },
    /// A message about it reached the node.
    Delivered { from: NodeId, relation: Relation },
    /// A message about it reached the node's machine while its process was down.
    Undelivered { from: NodeId, relation: Relation },
    /// The process of the node died; the node had it.
    Crashed(Crash),
    /// The machine of a node that was down already lost power; `tail`: that took the write from its
    /// disk.
    PowerCut { tail: bool },
    /// The node had it and was given an empty disk while it was down.
    DiskReplaced,
    /// The node had it when it died, and started again; whether it still has it, and whether it
    /// stayed up.
    Started { has_it: bool, up: bool },
    /// The node answered this read.
    Answered { read: OpId },
    /// The node sent what it holds to the coordinator of this read.
    Replied { read: OpId },
    /// The node coordinates this read and received what `from` holds.
    Heard { read: OpId, from: NodeId },
}

/// What a crash took with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crash {
    /// Whether the machine lost power.
    pub(crate) power: bool,
    /// Whether that took the write from its disk, where it was not synced.
    pub(crate) tail: bool,
    /// Whether anything is left on its disk.
    pub(crate) logged: bool,
    /// Whether the log had records and nothing is left of them: it was cut, and no checkpoint has
    /// them.
    pub(crate) cut: bool,
}

/// What became of a message when it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// It is on its way.
    Travels,
    /// Lost by chance.
    Lost,
    /// A fault stopped it: the first that can have, by its index.
    Blocked(Option<u32>),
    /// The fault of this index holds it back.
    Held(u32),
}

impl Passage {
    /// In words: `lost on the way`, `held back (clog)`.
    pub(crate) fn text(self, config: &Config, names: &Names) -> String {
        let fault = |index: u32| names.fault(config.faults[index as usize].id);
        match self {
            Self::Travels => "on its way".to_owned(),
            Self::Lost => "lost on the way".to_owned(),
            Self::Blocked(Some(index)) => format!("blocked ({})", fault(index)),
            Self::Blocked(None) => "blocked by a fault".to_owned(),
            Self::Held(index) => format!("held back ({})", fault(index)),
        }
    }
}
