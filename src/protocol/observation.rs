//! What a node says of itself. Checkers, metrics, traces and explanations read nothing else of it.

use std::fmt;
use std::hash::Hash;

use crate::digest::name_hash;
use crate::history::Over;
use crate::id::{KeyId, LogIndex, NodeBits, NodeId, OpId, Position, Term, Version};
use crate::names::Names;

use super::disk::File;
use super::input::RequestId;
use super::snapshot::{Role, Stored};

/// Something that has happened inside a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Observation {
    /// The node took a role in a term, or learned of another leader. A pre-candidate has its own
    /// term, and not the one that it asks for; a leader says so before it appends.
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
    /// The node has a vote in a term, and may tell of it: it is durable. Of its own vote too. One
    /// that becomes durable when the term is over is told to nobody.
    Vote {
        /// The term.
        term: Term,
        /// The candidate that it votes for.
        candidate: NodeId,
    },
    /// The node appended an entry to its replicated log, behind the last one. Where the log has an
    /// entry at that index, it is replaced, and those behind it are cut off: an entry that comes
    /// once more and changes nothing is not appended.
    Append {
        /// Its term and index.
        position: Position,
        /// What it says.
        entry: EntryHash,
    },
    /// The node cut off the entries of its replicated log from an index on.
    Truncate {
        /// The first index that was cut off.
        from: LogIndex,
    },
    /// The node's own log is durable up to an index, as far as its disk says: the entries that the
    /// log has now, and not those that were there when the sync was asked for.
    Durable {
        /// The last index that is durable.
        index: LogIndex,
    },
    /// The node knows that the log is committed up to an index.
    Commit {
        /// The last index that is committed.
        index: LogIndex,
    },
    /// The node applied the entry of an index to its state machine.
    Applied {
        /// The index.
        index: LogIndex,
        /// The whole state after it.
        state: StateHash,
    },
    /// A snapshot is in place on the node's disk: of its own state, or installed from another node
    /// in place of what the node had up to there.
    Snapshot {
        /// The last entry that it covers.
        position: Position,
        /// The state that it holds; `None` where that is no state of committed entries alone.
        state: Option<StateHash>,
        /// Whether it came from another node.
        installed: bool,
    },
    /// The configuration in the node's log: who votes and who does not. It counts as soon as it is
    /// in the log (Raft section 6), so it is said right after the entry, and again after a snapshot
    /// was installed in place of the log. Until a node says otherwise every node votes.
    Configuration {
        /// The index of its entry.
        index: LogIndex,
        /// The nodes that vote.
        voters: NodeBits,
        /// Of a joint configuration, the nodes that voted before and vote until it is over; else
        /// empty.
        outgoing: NodeBits,
        /// The nodes that have the log and do not vote.
        learners: NodeBits,
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
    /// The same, of a write by the access that made it: see
    /// [`History::accesses`](crate::history::History::accesses).
    pub(crate) const fn of_access(mut self, access: Option<OpId>) -> Self {
        if let (Self::Accept { request, .. }, Some(access)) = (&mut self, access) {
            *request = request.of_access(access);
        }
        self
    }

    /// The version of the write that this is about, if it is about one.
    #[must_use]
    pub const fn version(&self) -> Option<Version> {
        match self {
            Self::Accept { version, .. } => Some(*version),
            Self::Apply { stored, .. } | Self::Discard { stored, .. } => Some(stored.version),
            Self::Role { .. }
            | Self::Vote { .. }
            | Self::Append { .. }
            | Self::Truncate { .. }
            | Self::Durable { .. }
            | Self::Commit { .. }
            | Self::Applied { .. }
            | Self::Snapshot { .. }
            | Self::Configuration { .. }
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
            Self::Vote { term, candidate } => (". vote", format!("for {candidate} in term {term}")),
            Self::Append { position, .. } => {
                (". append", format!("index {} of term {}", position.index, position.term))
            }
            Self::Truncate { from } => (". truncate", format!("from index {from}")),
            Self::Durable { index } => (". durable", format!("up to index {index}")),
            Self::Commit { index } => (". commit", format!("up to index {index}")),
            Self::Applied { index, .. } => (". applied", format!("index {index}")),
            Self::Snapshot { position, installed, .. } => {
                let origin = if *installed { ", installed" } else { "" };
                (". snapshot", format!("up to {position}{origin}"))
            }
            Self::Configuration { index, voters, outgoing, learners } => {
                let mut text = format!("at index {index}: {}", node_list(*voters));
                for (nodes, who) in [(outgoing, "outgoing"), (learners, "learners")] {
                    if !nodes.is_empty() {
                        text += &format!(", {who} {}", node_list(*nodes));
                    }
                }
                (". configuration", text)
            }
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

fn node_list(nodes: NodeBits) -> String {
    nodes.iter().map(|node| node.to_string()).collect::<Vec<_>>().join(" ")
}

/// What an entry of a replicated log says, in 64 bits: two entries are taken for the same where
/// these are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryHash(pub u64);

impl EntryHash {
    /// The hash of an entry. Its term may be part of it or not.
    #[must_use]
    #[inline]
    pub fn of<T: Hash>(entry: &T) -> Self {
        Self(name_hash(entry))
    }
}

/// The whole state of a state machine, in 64 bits. [`super::parts::store::Store`] keeps one for
/// those who ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateHash(pub u64);

impl fmt::Display for StateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
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
