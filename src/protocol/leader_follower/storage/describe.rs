//! Records in words, as transcripts show them.

use crate::names::Names;

use crate::protocol::parts::entry::{StoredEntry, entry_text};

use super::record::Record;

/// The names of the files of a node, by number.
pub(crate) const FILES: &[&str] = &["wal", "ballot", "checkpoint"];

/// A record in words.
pub(crate) fn record_text(record: &Record, names: &Names) -> String {
    let all = |entries: &[StoredEntry]| {
        let texts: Vec<String> = entries.iter().map(|entry| entry_text(entry, names)).collect();
        format!("[{}]", texts.join(", "))
    };
    match record {
        Record::Write(entry) => entry_text(entry, names),
        Record::State { order, entries } => {
            let (leader, term) = (order.leader, order.term);
            format!("state of {leader} in term {term}: {}", all(entries))
        }
        Record::Clear => "clear".to_owned(),
        Record::Entry(entry) => {
            format!("entry of term {}: {}", entry.term, entry_text(&entry.entry, names))
        }
        Record::Cut { behind } => format!("log cut behind index {behind}"),
        Record::Install { position, entries } => format!("state at {position}: {}", all(entries)),
        Record::Ballot { term, vote, in_sync } => {
            let vote = vote.map_or_else(|| "no vote".to_owned(), |vote| format!("vote for {vote}"));
            let in_sync = in_sync.as_ref().map_or_else(String::new, |set| {
                format!(", in sync {:?} (term {}, epoch {})", set.nodes, set.term, set.epoch)
            });
            format!("term {term}, {vote}{in_sync}")
        }
        Record::Checkpoint(snapshot) => {
            let (covers, position) = (snapshot.covers, snapshot.position);
            format!("records to {covers}, log to {position}: {}", all(&snapshot.entries))
        }
        Record::Purge { key, version } => {
            format!("tombstone of {} purged {version}", names.key(*key))
        }
        Record::Overwrite(entry) => format!("overwritten by {}", entry_text(entry, names)),
        Record::Seen { newest, stamped } => {
            format!("timestamps to {newest}ns seen, {stamped} writes stamped")
        }
    }
}
