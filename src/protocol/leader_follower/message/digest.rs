//! What a message adds to the digest of a run.

use std::hash::{Hash, Hasher};

use crate::id::{MAX_NODES, Term, Value, Version};
use crate::protocol::parts::entry::StoredEntry;
use crate::protocol::{Message as Contract, Stored};

use super::Message;

/// Written out, because nine messages of ten are of two kinds: as few and as wide words as their
/// content allows.
impl Hash for Message {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let term = if let Self::Replicate { term, entry } = self {
            let StoredEntry { key, element, stored: Stored { value, version } } = entry;
            let kind = if *element { ELEMENT } else { self.kind() };
            state.write_u128(head(kind, *term, version));
            state.write_u128(wide(value.map_or(0, Value::bits), key.0.into()));
            term
        } else if let Self::Ack { term, version } = self {
            state.write_u128(head(self.kind(), *term, version));
            term
        } else {
            return self.hash_rare(state);
        };
        if term.0 >= MANY_TERMS {
            state.write_u32(term.0);
        }
    }
}

/// The kind of a [`Message::Replicate`] that brings an element, in the digest.
const ELEMENT: u8 = 63;
/// A term that the head of a message has no room for.
const MANY_TERMS: u32 = 0xffff;

const fn wide(high: u64, low: u64) -> u128 {
    (high as u128) << 64 | low as u128
}

/// What the most frequent messages have in common: 32 bits of sequence, 16 of the term, 10 of the
/// node, 6 of the kind.
#[inline]
fn head(kind: u8, term: Term, version: &Version) -> u128 {
    const { assert!(MAX_NODES <= 1 << 10 && Message::KINDS.len() <= ELEMENT as usize) };
    let small = u64::from(version.sequence) << 32
        | u64::from(term.0.min(MANY_TERMS)) << 16
        | u64::from(version.node.0) << 6
        | u64::from(kind);
    wide(small, version.timestamp.cast_unsigned())
}

impl Message {
    /// The rest of [`Message::hash`], out of the way of the messages that every write sends.
    #[inline(never)]
    fn hash_rare<H: Hasher>(&self, state: &mut H) {
        self.kind().hash(state);
        match self {
            Self::Replicate { .. } | Self::Ack { .. } => {}
            Self::ReplicateMany { term, version, entries }
            | Self::ReplicateBatch { term, version, entries } => {
                (term, version, entries).hash(state);
            }
            Self::State { term, version, state: content } => {
                (term, version, &**content).hash(state);
            }
            Self::Heartbeat { term, leads, last, newest, in_sync } => {
                (term, leads, last, newest, in_sync).hash(state);
            }
            Self::RequestVote(request) => request.hash(state),
            Self::Vote(vote) => vote.hash(state),
            Self::Join { term } => term.hash(state),
            Self::Append { term, previous, entries } => (term, previous, entries).hash(state),
            Self::Appended { term, index } => (term, index).hash(state),
            Self::Behind { term, last } => (term, last).hash(state),
            Self::Install { term, position, state: content } => {
                (term, position, &**content).hash(state);
            }
            Self::Offer { term, entries } => (term, entries).hash(state),
            Self::Repair(message) => message.hash(state),
            Self::AntiEntropy(message) => message.hash(state),
        }
    }
}
