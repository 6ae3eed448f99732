//! The messages of reads of several replicas, and of anti-entropy.

use std::sync::Arc;

use crate::id::KeyId;
use crate::names::Names;
use crate::protocol::parts::anti_entropy::{RANGES, RangeDigest, Ranges};
use crate::protocol::parts::entry::{STAMP, StoredEntry, entries_text, entry_text};
use crate::protocol::{RequestId, Stored};

/// A message of a read: between its coordinator and the other replicas.
///
/// What few messages have is boxed: the size of the enum is that of the messages of every write.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Repair {
    /// Coordinator to replica: what do you hold?
    Read {
        /// The request that is coordinated; names the read for good.
        read: RequestId,
        /// The key.
        key: KeyId,
    },
    /// Replica to coordinator: this.
    Answer {
        /// Which read.
        read: RequestId,
        /// What the key holds, tombstones included.
        stored: Option<Box<Stored>>,
    },
    /// Coordinator to stale replica: there is something newer.
    Write {
        /// Which read.
        read: RequestId,
        /// The newest write found.
        entry: Box<StoredEntry>,
    },
    /// Stale replica to coordinator: I have it, or something newer still.
    Written {
        /// Which read.
        read: RequestId,
    },
    /// Replica to coordinator: a list, and this is its newest element.
    AnswerList {
        /// Which read.
        read: RequestId,
        /// The newest element.
        stored: Box<Stored>,
    },
}

impl Repair {
    /// The names of its kinds, in the order of [`Repair::kind`].
    pub(crate) const KINDS: [&'static str; 4] = ["read", "read-answer", "repair", "repaired"];

    pub(crate) const fn kind(&self) -> u8 {
        match self {
            Self::Read { .. } => 0,
            Self::Answer { .. } | Self::AnswerList { .. } => 1,
            Self::Write { .. } => 2,
            Self::Written { .. } => 3,
        }
    }

    /// The write that it brings to a stale replica.
    pub(crate) fn written(&self) -> Option<&StoredEntry> {
        if let Self::Write { entry, .. } = self { Some(entry) } else { None }
    }

    /// The client's read that it answers.
    pub(crate) const fn answers(&self) -> Option<RequestId> {
        match self {
            Self::Answer { read, .. } | Self::AnswerList { read, .. } => Some(*read),
            Self::Read { .. } | Self::Write { .. } | Self::Written { .. } => None,
        }
    }

    /// What it takes on the wire besides the header and the write that it brings: the key that is
    /// asked for, or what is held.
    pub(crate) fn size_beside_writes(&self, names: &Names) -> u64 {
        match self {
            Self::Read { key, .. } => names.key_length(*key),
            Self::Answer { stored: Some(stored), .. } | Self::AnswerList { stored, .. } => {
                STAMP + stored.value.map_or(0, |value| names.value_length(value))
            }
            Self::Answer { stored: None, .. } | Self::Write { .. } | Self::Written { .. } => 0,
        }
    }

    pub(crate) fn describe(&self, names: &Names) -> String {
        match self {
            Self::Read { key, .. } => names.key(*key).to_owned(),
            Self::Answer { stored: None, .. } => "nothing".to_owned(),
            Self::Answer { stored: Some(stored), .. } | Self::AnswerList { stored, .. } => {
                match stored.value {
                    Some(value) => format!("{} {}", names.value(value), stored.version),
                    None => format!("deleted {}", stored.version),
                }
            }
            Self::Write { entry, .. } => entry_text(entry, names),
            Self::Written { read } => format!("read of {read}"),
        }
    }
}

/// A message of anti-entropy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AntiEntropy {
    /// This is what I store, in short.
    Digests(Box<[RangeDigest; RANGES]>),
    /// We differ in these ranges, and this is what I store there.
    Differences {
        /// Which.
        ranges: Ranges,
        /// Everything of those ranges.
        entries: Arc<[StoredEntry]>,
    },
    /// This is what I have newer, or you have not.
    Newer(Arc<[StoredEntry]>),
}

impl AntiEntropy {
    /// The names of its kinds, in the order of [`AntiEntropy::kind`].
    pub(crate) const KINDS: [&'static str; 3] = ["digests", "differences", "newer"];

    pub(crate) const fn kind(&self) -> u8 {
        match self {
            Self::Digests(_) => 0,
            Self::Differences { .. } => 1,
            Self::Newer(_) => 2,
        }
    }

    /// The writes that it brings.
    pub(crate) fn entries(&self) -> &[StoredEntry] {
        match self {
            Self::Digests(_) => &[],
            Self::Differences { entries, .. } | Self::Newer(entries) => entries,
        }
    }

    pub(crate) fn describe(&self, names: &Names) -> String {
        match self {
            Self::Digests(_) => format!("of {RANGES} ranges"),
            Self::Differences { ranges, entries } => {
                format!(
                    "in {} of {RANGES} ranges {}",
                    ranges.len(),
                    entries_text(&**entries, names)
                )
            }
            Self::Newer(entries) => entries_text(&**entries, names),
        }
    }
}
