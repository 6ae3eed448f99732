//! What a node writes to its disk, and its words in transcripts.

use crate::id::{KeyId, LogIndex, NodeId, Position, Term, Version};
use crate::names::Names;
use crate::protocol::File;
use crate::protocol::leader_follower::message::{InSync, LogEntry, StateOrder};
use crate::protocol::parts::entry::{StoredEntry, entries_text, entry_text};

/// The names of the files of a node, by number.
pub(crate) const FILES: &[&str] = &["wal", "ballot", "checkpoint"];

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
        /// The candidate that the node voted for in it.
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
    /// The writes of a batch: a log has all of them, or none.
    Batch(Vec<StoredEntry>),
    /// The same as entries of the replicated log.
    EntryBatch(Vec<LogEntry>),
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
        if let Self::Checkpoint(snapshot) = self { Some(snapshot.covers) } else { None }
    }

    /// The record in words.
    pub(crate) fn describe(&self, names: &Names) -> String {
        match self {
            Self::Write(entry) => entry_text(entry, names),
            Self::State { order, entries } => {
                let (leader, term) = (order.leader, order.term);
                format!("state of {leader} in term {term}: {}", entries_text(entries, names))
            }
            Self::Clear => "clear".to_owned(),
            Self::Entry(entry) => {
                format!("entry of term {}: {}", entry.term, entry_text(&entry.entry, names))
            }
            Self::Cut { behind } => format!("log cut behind index {behind}"),
            Self::Install { position, entries } => {
                format!("state at {position}: {}", entries_text(entries, names))
            }
            Self::Ballot { term, vote, in_sync } => {
                let vote =
                    vote.map_or_else(|| "no vote".to_owned(), |vote| format!("vote for {vote}"));
                let in_sync = in_sync.as_ref().map_or_else(String::new, |set| {
                    format!(", in sync {:?} (term {}, epoch {})", set.nodes, set.term, set.epoch)
                });
                format!("term {term}, {vote}{in_sync}")
            }
            Self::Checkpoint(snapshot) => {
                let (covers, position) = (snapshot.covers, snapshot.position);
                format!(
                    "records to {covers}, log to {position}: {}",
                    entries_text(&snapshot.entries, names)
                )
            }
            Self::Purge { key, version } => {
                format!("tombstone of {} purged {version}", names.key(*key))
            }
            Self::Overwrite(entry) => format!("overwritten by {}", entry_text(entry, names)),
            Self::Seen { newest, stamped } => {
                format!("timestamps to {newest}ns seen, {stamped} writes stamped")
            }
            Self::Batch(entries) => format!("batch {}", entries_text(entries, names)),
            Self::EntryBatch(entries) => {
                let entries = entries.iter().map(|entry| &entry.entry);
                format!("batch of entries {}", entries_text(entries, names))
            }
        }
    }
}
