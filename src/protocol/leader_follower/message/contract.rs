//! What a simulation has to know of a message, and its words in traces.

use crate::names::Names;
use crate::protocol::parts::entry::{entries_text, entry_text};
use crate::protocol::{Carried, Message as Contract, RequestId};

use super::{AntiEntropy, Message, Repair, Vote, VoteRequest};

impl Contract for Message {
    const KINDS: &'static [&'static str] = &[
        "replicate",
        "replicate-many",
        "state",
        "ack",
        "heartbeat",
        "request-vote",
        "vote",
        "join",
        "append",
        "appended",
        "behind",
        "install",
        "offer",
        Repair::KINDS[0],
        Repair::KINDS[1],
        Repair::KINDS[2],
        Repair::KINDS[3],
        AntiEntropy::KINDS[0],
        AntiEntropy::KINDS[1],
        AntiEntropy::KINDS[2],
        "replicate-batch",
    ];

    #[inline]
    fn kind(&self) -> u8 {
        match self {
            Self::Replicate { .. } => 0,
            Self::ReplicateMany { .. } => 1,
            Self::State { .. } => 2,
            Self::Ack { .. } => 3,
            Self::Heartbeat { .. } => 4,
            Self::RequestVote(_) => 5,
            Self::Vote(_) => 6,
            Self::Join { .. } => 7,
            Self::Append { .. } => 8,
            Self::Appended { .. } => 9,
            Self::Behind { .. } => 10,
            Self::Install { .. } => 11,
            Self::Offer { .. } => 12,
            Self::Repair(message) => 13 + message.kind(),
            Self::AntiEntropy(message) => 17 + message.kind(),
            Self::ReplicateBatch { .. } => 20,
        }
    }

    /// 32 bytes of every message, and of each write that it carries 24, its key and its value.
    fn wire_size(&self, names: &Names) -> u64 {
        let mut size = 32;
        self.each_write(|entry| size += entry.wire_size(names));
        if let Self::Repair(message) = self {
            size += message.size_beside_writes(names);
        }
        if let Self::AntiEntropy(AntiEntropy::Digests(digests)) = self {
            size += 8 * digests.len() as u64;
        }
        size
    }

    /// An acknowledgement of the log answers heartbeats too: who waits for one says so by what is
    /// unanswered.
    #[inline]
    fn is_background(&self) -> bool {
        matches!(
            self,
            Self::Heartbeat { .. }
                | Self::Appended { .. }
                | Self::AntiEntropy(AntiEntropy::Digests(_))
        )
    }

    #[inline]
    fn compares(&self) -> bool {
        matches!(self, Self::AntiEntropy(AntiEntropy::Differences { .. } | AntiEntropy::Newer(_)))
    }

    fn carries(&self, note: &mut dyn FnMut(Carried)) {
        self.each_write(|entry| note(Carried::write(entry.key, entry.stored)));
        if let Self::Ack { version, .. } = self {
            note(Carried::acknowledgement(*version));
        }
        // A delete that erases is in the state by what is not there.
        if let Self::State { version, state, .. } = self
            && state.entries.iter().all(|entry| entry.stored.version != *version)
        {
            note(Carried::write_of(*version));
        }
    }

    fn answers(&self) -> Option<RequestId> {
        if let Self::Repair(message) = self { message.answers() } else { None }
    }

    fn describe(&self, names: &Names) -> String {
        match self {
            Self::Replicate { entry, .. } => entry_text(entry, names),
            Self::ReplicateMany { entries, .. }
            | Self::ReplicateBatch { entries, .. }
            | Self::Offer { entries, .. } => entries_text(&**entries, names),
            Self::State { state, .. } => entries_text(&state.entries, names),
            Self::Install { position, state, .. } => {
                format!("{} at {position}", entries_text(&state.entries, names))
            }
            Self::Ack { version, .. } => version.to_string(),
            Self::Heartbeat { term, leads, last, .. } => {
                let role = if *leads { ", leads" } else { "" };
                format!("term {term}{role}, log to {last}")
            }
            Self::RequestVote(VoteRequest { term, last, round }) => {
                format!("{}term {term}, log to {last}", round.prefix())
            }
            Self::Vote(Vote { term, granted, round }) => {
                let granted = if *granted { "yes" } else { "no" };
                format!("{}term {term}: {granted}", round.prefix())
            }
            Self::Join { term } => format!("term {term}"),
            Self::Append { previous, entries, .. } => {
                let entries = entries.iter().map(|logged| &logged.entry);
                format!("{} behind {previous}", entries_text(entries, names))
            }
            Self::Appended { index, .. } => format!("up to index {index}"),
            Self::Behind { last: Some(last), .. } => format!("has up to {last}"),
            Self::Behind { last: None, .. } => "needs the whole state".to_owned(),
            Self::Repair(message) => message.describe(names),
            Self::AntiEntropy(message) => message.describe(names),
        }
    }
}
