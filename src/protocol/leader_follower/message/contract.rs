//! What a simulation has to know of a message.

use crate::id::OpId;
use crate::names::Names;
use crate::protocol::parts::entry::StoredEntry;
use crate::protocol::{Carried, Message as Contract};

use super::{AntiEntropy, Message, Repair, describe};

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
        }
    }

    /// 32 bytes of every message, and of each write that it carries 24, its key and its value.
    fn wire_size(&self, names: &Names) -> u64 {
        let of = |entries: &[StoredEntry]| entries.iter().map(|entry| entry.wire_size(names)).sum();
        let content: u64 = match self {
            Self::Replicate { entry, .. } => entry.wire_size(names),
            Self::ReplicateMany { entries, .. } | Self::Offer { entries, .. } => of(entries),
            Self::Install { state, .. } => of(&state.entries),
            Self::State { state, .. } => of(&state.entries),
            Self::Append { entries, .. } => {
                entries.iter().map(|entry| entry.entry.wire_size(names)).sum()
            }
            Self::Ack { .. }
            | Self::Heartbeat { .. }
            | Self::RequestVote(_)
            | Self::Vote(_)
            | Self::Join { .. }
            | Self::Appended { .. }
            | Self::Behind { .. } => 0,
            Self::Repair(message) => message.content_size(names),
            Self::AntiEntropy(message) => message.content_size(names),
        };
        32 + content
    }

    /// A acknowledgement of the log answers heartbeats too: who waits for one says so by what is
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
        let mut writes = |entries: &[StoredEntry]| {
            entries.iter().for_each(|entry| note(Carried::write(entry.key, entry.stored)));
        };
        match self {
            Self::Replicate { entry, .. } => writes(&[*entry]),
            Self::ReplicateMany { entries, .. } | Self::Offer { entries, .. } => writes(entries),
            Self::Install { state, .. } => writes(&state.entries),
            Self::State { version, state, .. } => {
                writes(&state.entries);
                // A delete that erases is in the state by what is not there.
                if state.entries.iter().all(|entry| entry.stored.version != *version) {
                    note(Carried::write_of(*version));
                }
            }
            Self::Append { entries, .. } => {
                entries.iter().for_each(|entry| writes(&[entry.entry]));
            }
            Self::Repair(message) => message.written().into_iter().for_each(|e| writes(&[*e])),
            Self::AntiEntropy(message) => writes(message.entries()),
            Self::Ack { version, .. } => note(Carried::confirmation(*version)),
            Self::Heartbeat { .. }
            | Self::RequestVote(_)
            | Self::Vote(_)
            | Self::Join { .. }
            | Self::Appended { .. }
            | Self::Behind { .. } => {}
        }
    }

    fn answers(&self) -> Option<OpId> {
        match self {
            Self::Repair(message) => message.answers(),
            Self::Replicate { .. }
            | Self::ReplicateMany { .. }
            | Self::State { .. }
            | Self::Ack { .. }
            | Self::Heartbeat { .. }
            | Self::RequestVote(_)
            | Self::Vote(_)
            | Self::Join { .. }
            | Self::Append { .. }
            | Self::Appended { .. }
            | Self::Behind { .. }
            | Self::Install { .. }
            | Self::Offer { .. }
            | Self::AntiEntropy(_) => None,
        }
    }

    fn describe(&self, names: &Names) -> String {
        describe::message(self, names)
    }
}
