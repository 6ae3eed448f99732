//! What a node says of itself: invariants, metrics, trace and explanations read nothing else.

use crate::history::Over;
use crate::id::{KeyId, LogIndex, Position, Term, Version};
use crate::names::Names;

use super::{File, RequestId, Role, Stored};

/// Something that happened inside a node: what invariants, metrics, trace and explanations read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Observation {
    /// The node took a role in a term, or learned of another leader.
    Role {
        /// The role.
        role: Role,
        /// The term.
        term: Term,
    },
    /// The node accepted a client's write and stamped it.
    Accept {
        /// Which request.
        request: RequestId,
        /// The key; a clear accepts every key it removes.
        key: KeyId,
        /// The version it gave the write.
        version: Version,
        /// What the key held there before.
        over: Over,
    },
    /// A replica's store took a write.
    Apply {
        /// The key.
        key: KeyId,
        /// The write: what it leaves there, and its version.
        stored: Stored,
    },
    /// A replica dropped a write it was sent or had.
    Discard {
        /// The key.
        key: KeyId,
        /// The write that was dropped.
        stored: Stored,
        /// Why.
        reason: DiscardReason,
    },
    /// A record was appended to a replicated log.
    Append {
        /// Where.
        at: Position,
    },
    /// A replicated log lost its records from an index on.
    Truncate {
        /// The first index removed.
        from: LogIndex,
    },
    /// A replicated log is committed up to an index.
    Commit {
        /// The last index committed.
        index: LogIndex,
    },
    /// A node that starts read its write-ahead log back; said by [`super::parts::wal::Wal::open`].
    Replay {
        /// The file of the log.
        file: File,
        /// The last record that the checkpoint it starts from covers; 0 for none.
        covers: u64,
        /// How many records the log had, those that the checkpoint covers included.
        records: u64,
        /// The sequence of the last of them; that of the checkpoint's end when there are none.
        last: u64,
        /// Their checksums, chained.
        digest: u64,
    },
}

impl Observation {
    /// The version of the write it is about, if it is about one.
    #[must_use]
    pub const fn version(&self) -> Option<Version> {
        match self {
            Self::Accept { version, .. } => Some(*version),
            Self::Apply { stored, .. } | Self::Discard { stored, .. } => Some(stored.version),
            Self::Role { .. }
            | Self::Append { .. }
            | Self::Truncate { .. }
            | Self::Commit { .. }
            | Self::Replay { .. } => None,
        }
    }

    /// Its kind as the trace shows it, and its content in words.
    pub(crate) fn describe(&self, names: &Names) -> (&'static str, String) {
        match self {
            Self::Role { role, term } => (". role", format!("{} of term {term}", role.name())),
            Self::Accept { key, version, .. } => {
                (". accept", format!("{} {version}", names.key(*key)))
            }
            Self::Apply { key, stored } => {
                (". apply", format!("{} {}", names.key(*key), stored.version))
            }
            Self::Discard { key, stored, reason } => {
                let why = reason.phrase();
                (". discard", format!("{} {}: {why}", names.key(*key), stored.version))
            }
            Self::Append { at } => (". append", format!("index {} of term {}", at.index, at.term)),
            Self::Truncate { from } => (". truncate", format!("from index {from}")),
            Self::Commit { index } => (". commit", format!("up to index {index}")),
            Self::Replay { covers, records, last, .. } => {
                let from = match covers {
                    0 => String::new(),
                    _ => format!("a checkpoint up to record {covers}, "),
                };
                let log = match records {
                    0 => "an empty log".to_owned(),
                    _ => format!("records {} to {last}", last + 1 - records),
                };
                (". replay", from + &log)
            }
        }
    }
}

/// Why a replica dropped a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiscardReason {
    /// It has a write of a higher version for the key: last write wins.
    Older,
    /// It has another write of this very version, and takes the two for one.
    SameVersion,
    /// A clear emptied this replica alone.
    Cleared,
    /// A full state without it replaced the store.
    Replaced,
    /// An older write was put in its place, whatever their versions.
    Overwritten,
    /// It was cut off: it is not in the new leader's log.
    Truncated,
    /// It was a tombstone past its grace period.
    Purged,
}

impl DiscardReason {
    /// In words, as the end of "dropped: ..".
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Older => "older than what it has",
            Self::SameVersion => "taken for another write of the same version, which it has",
            Self::Cleared => "cleared on this node alone",
            Self::Replaced => "replaced by a full state without it",
            Self::Overwritten => "overwritten by an older write",
            Self::Truncated => "cut off: it is not in the new leader's log",
            Self::Purged => "a tombstone past its grace period",
        }
    }
}
