//! Messages in words, for traces.

use crate::names::Names;
use crate::protocol::parts::entry::entry_text;

use super::{Message, Vote, VoteRequest};

/// The content of a message.
pub(super) fn message(message: &Message, names: &Names) -> String {
    let list = |texts: Vec<String>| format!("[{}]", texts.join(", "));
    match message {
        Message::Replicate { entry, .. } => entry_text(entry, names),
        Message::ReplicateMany { entries, .. } | Message::Offer { entries, .. } => {
            list(entries.iter().map(|e| entry_text(e, names)).collect())
        }
        Message::State { state, .. } => {
            list(state.entries.iter().map(|e| entry_text(e, names)).collect())
        }
        Message::Install { position, state, .. } => {
            let entries = list(state.entries.iter().map(|e| entry_text(e, names)).collect());
            format!("{entries} at {position}")
        }
        Message::Ack { version, .. } => version.to_string(),
        Message::Heartbeat { term, leads, last, .. } => {
            let role = if *leads { ", leads" } else { "" };
            format!("term {term}{role}, log to {last}")
        }
        Message::RequestVote(VoteRequest { term, last, round }) => {
            format!("{}term {term}, log to {last}", round.prefix())
        }
        Message::Vote(Vote { term, granted, round }) => {
            let granted = if *granted { "yes" } else { "no" };
            format!("{}term {term}: {granted}", round.prefix())
        }
        Message::Join { term } => format!("term {term}"),
        Message::Append { previous, entries, .. } => {
            let texts = entries.iter().map(|e| entry_text(&e.entry, names)).collect();
            format!("{} behind {previous}", list(texts))
        }
        Message::Appended { index, .. } => format!("up to index {index}"),
        Message::Behind { last: Some(last), .. } => format!("has up to {last}"),
        Message::Behind { last: None, .. } => "needs the whole state".to_owned(),
        Message::Repair(message) => message.describe(names),
        Message::AntiEntropy(message) => message.describe(names),
    }
}
