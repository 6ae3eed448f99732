//! What leader and followers send one another.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::config::Names;
use crate::id::{KeyId, Value, Version};
use crate::protocol::{Message as Contract, Stored};

use super::anti_entropy::AntiEntropy;
use super::repair::Repair;

/// A write as it travels: the key and what it is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Entry {
    /// The key.
    pub key: KeyId,
    /// Value, or none for a delete, and version.
    pub stored: Stored,
}

/// A message between leader and followers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Leader to follower: apply this write.
    Replicate {
        /// The write.
        entry: Entry,
    },
    /// Leader to follower: apply these, all part of one write (a clear).
    ReplicateMany {
        /// What to name in the acknowledgement.
        version: Version,
        /// The deletes.
        entries: Arc<[Entry]>,
    },
    /// Leader to follower: this is all there is.
    State {
        /// Drawn when the leader boots: tells its lives apart.
        life: u32,
        /// The version of the write that it follows, and what to name in the acknowledgement.
        version: Version,
        /// Everything the leader stores, tombstones included.
        entries: Arc<[Entry]>,
    },
    /// Follower to leader: the write of this version is applied.
    ///
    /// A version names a write for good: the timestamp tells the lives of a leader apart, so that an
    /// acknowledgement of an earlier life confirms nothing.
    Ack {
        /// Which.
        version: Version,
    },
    /// Of a read of several replicas.
    Repair(Repair),
    /// Of the comparison of two replicas.
    AntiEntropy(AntiEntropy),
}

// Every write pays for the size of its messages: what reads and comparisons carry must not add to it.
const _: () = assert!(size_of::<Message>() <= 40);

/// Written out, because nine messages of ten are of two kinds: as few and as wide words as their content allows.
impl Hash for Message {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let wide = |high: u64, low: u64| u128::from(high) << 64 | u128::from(low);
        let head = |version: &Version| {
            let small = u64::from(version.sequence) << 32
                | u64::from(version.node.0) << 16
                | u64::from(self.kind());
            wide(small, version.timestamp.cast_unsigned())
        };
        match self {
            Self::Replicate { entry: Entry { key, stored: Stored { value, version } } } => {
                state.write_u128(head(version));
                state.write_u128(wide(value.map_or(0, Value::bits), key.0.into()));
            }
            Self::Ack { version } => state.write_u128(head(version)),
            Self::ReplicateMany { version, entries } => {
                state.write_u128(head(version));
                entries.hash(state);
            }
            Self::State { life, version, entries } => {
                state.write_u128(head(version));
                (life, entries).hash(state);
            }
            Self::Repair(message) => (self.kind(), message).hash(state),
            Self::AntiEntropy(message) => (self.kind(), message).hash(state),
        }
    }
}

impl Contract for Message {
    const KINDS: &'static [&'static str] = &[
        "replicate",
        "replicate-many",
        "state",
        "ack",
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
            Self::Repair(message) => 4 + message.kind(),
            Self::AntiEntropy(message) => 8 + message.kind(),
        }
    }

    /// A header of 32 bytes, and 64 an entry.
    #[inline]
    fn size(&self) -> u64 {
        match self {
            Self::Replicate { .. } => 32 + 64,
            Self::ReplicateMany { entries, .. } | Self::State { entries, .. } => {
                32 + 64 * entries.len() as u64
            }
            Self::Ack { .. } => 32,
            Self::Repair(message) => 32 + 64 * message.entries() as u64,
            Self::AntiEntropy(message) => message.size(),
        }
    }

    /// Digests are sent whether or not anything differs; what differs is not.
    #[inline]
    fn is_background(&self) -> bool {
        matches!(self, Self::AntiEntropy(AntiEntropy::Digests(_)))
    }

    fn describe(&self, names: &Names) -> String {
        match self {
            Self::Replicate { entry } => entry_text(entry, names),
            Self::ReplicateMany { entries, .. } | Self::State { entries, .. } => {
                let texts: Vec<String> = entries.iter().map(|e| entry_text(e, names)).collect();
                format!("[{}]", texts.join(", "))
            }
            Self::Ack { version } => version.to_string(),
            Self::Repair(message) => message.describe(names),
            Self::AntiEntropy(message) => message.describe(names),
        }
    }
}

/// A write in words.
pub(super) fn entry_text(entry: &Entry, names: &Names) -> String {
    let key = names.key(entry.key);
    let version = entry.stored.version;
    match entry.stored.value {
        Some(value) => format!("{key}={} {version}", names.value(value)),
        None => format!("{key} deleted {version}"),
    }
}
