//! What a node says of itself. Checkers, metrics, traces and explanations read nothing else of it.

use crate::history::Over;
use crate::id::{KeyId, LogIndex, Position, Term, Version};
use crate::names::Names;

use super::disk::File;
use super::input::RequestId;
use super::snapshot::{Role, Stored};

/// Something that has happened inside a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Observation {
    /// The node took a role in a term, or learned of another leader.
    Role {
        /// The role.
        role: Role,
        /// The term.
        term: Term,
    },
    /// The node accepted a client's write and gave it a version.
    Accept {
        /// The client's request.
        request: RequestId,
        /// The key. A clear is accepted once for each key that it removes.
        key: KeyId,
        /// The version of the write.
        version: Version,
        /// What the key held on the node before.
        over: Over,
    },
    /// A write was applied to the node's store.
    Apply {
        /// The key.
        key: KeyId,
        /// The value that the write leaves there, and its version.
        stored: Stored,
    },
    /// The node dropped a write that it was sent or had stored.
    Discard {
        /// The key.
        key: KeyId,
        /// The write that was dropped.
        stored: Stored,
        /// Why.
        reason: DiscardReason,
    },
    /// An entry was appended to the replicated log.
    Append {
        /// Its term and index.
        at: Position,
    },
    /// The entries of the replicated log from an index on were cut off.
    Truncate {
        /// The first index that was cut off.
        from: LogIndex,
    },
    /// The replicated log is committed up to an index.
    Commit {
        /// The last index that is committed.
        index: LogIndex,
    },
    /// The node has started and read its write-ahead log. [`super::parts::wal::Wal::open`] emits
    /// this.
    Replay {
        /// The file of the log.
        file: File,
        /// The sequence of the last record that the checkpoint covers; 0 without a checkpoint.
        covers: u64,
        /// The number of records in the log, including those that the checkpoint covers.
        records: u64,
        /// The sequence of the last record, or `covers` when the log has none.
        last: u64,
        /// The checksums of the records, chained.
        digest: u64,
    },
}

impl Observation {
    /// The version of the write that this is about, if it is about one.
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

    /// The kind as the trace shows it, and the content in words.
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

/// Why a node dropped a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiscardReason {
    /// The node has a write of the key with a higher version: last write wins.
    Older,
    /// The node has another write with this very version, and takes the two for one.
    SameVersion,
    /// A clear emptied the store of this node alone.
    Cleared,
    /// A full state without the write replaced the store.
    Replaced,
    /// An older write overwrote it, whatever their versions.
    Overwritten,
    /// It was cut off the log: the new leader's log does not have it.
    Truncated,
    /// It was a tombstone, and its grace period was over.
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
