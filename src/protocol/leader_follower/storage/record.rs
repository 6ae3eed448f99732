//! What a node writes to its disk.

use crate::id::{KeyId, LogIndex, NodeId, Position, Term, Version};
use crate::protocol::File;
use crate::protocol::leader_follower::message::{InSync, LogEntry, StateOrder};
use crate::protocol::parts::entry::StoredEntry;

/// The write-ahead log.
pub(crate) const LOG: File = File(0);
/// Term, vote and in-sync set.
pub(crate) const BALLOT: File = File(1);
/// The checkpoint.
pub(crate) const CHECKPOINT: File = File(2);

/// What a node writes to its log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Record {
    /// A write that the store took.
    Write(StoredEntry),
    /// A full state that a follower took in the place of its store.
    State {
        /// Its place among all states.
        order: StateOrder,
        /// Everything in it.
        entries: Vec<StoredEntry>,
    },
    /// A clear that emptied this replica alone.
    Clear,
    /// An entry of the replicated log.
    Entry(LogEntry),
    /// The replicated log was cut behind an index.
    Cut {
        /// The last index that stayed.
        behind: LogIndex,
    },
    /// A state at a position of the replicated log took the place of log and store.
    Install {
        /// The position.
        position: Position,
        /// Everything in it.
        entries: Vec<StoredEntry>,
    },
    /// Term and vote, in a file of their own.
    Ballot {
        /// The term.
        term: Term,
        /// Whom the node voted for in it.
        vote: Option<NodeId>,
        /// The in-sync set that it believes in.
        in_sync: Option<InSync>,
    },
    /// What a node stored, in the place of the records up to one; in the file of the checkpoint.
    Checkpoint(Snapshot),
    /// A tombstone that was purged.
    Purge {
        /// The key.
        key: KeyId,
        /// The delete's version.
        version: Version,
    },
    /// A write that the store took in the place of a newer one: a defect of repair.
    Overwrite(StoredEntry),
    /// Stamps that the other records do not show; in the log, and before the checkpoint in its
    /// file.
    Seen {
        /// The newest timestamp that the node has seen.
        newest: i64,
        /// How many writes it has stamped.
        stamped: u32,
    },
}

/// All that a node has to know again after a start, up to a record of its log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Snapshot {
    /// The last record that it covers.
    pub covers: u64,
    /// How many writes the node had stamped.
    pub stamped: u32,
    /// The place of the last full state that it had taken as follower.
    pub last_state: Option<StateOrder>,
    /// Where the replicated log ended, if there is one.
    pub position: Position,
    /// What it stored.
    pub entries: Vec<StoredEntry>,
}

impl Record {
    /// The last record of the log that this checkpoint covers; `None` of any other record.
    pub(crate) const fn covers(&self) -> Option<u64> {
        match self {
            Self::Checkpoint(snapshot) => Some(snapshot.covers),
            Self::Write(_)
            | Self::State { .. }
            | Self::Clear
            | Self::Entry(_)
            | Self::Cut { .. }
            | Self::Install { .. }
            | Self::Ballot { .. }
            | Self::Purge { .. }
            | Self::Overwrite(_)
            | Self::Seen { .. } => None,
        }
    }
}
