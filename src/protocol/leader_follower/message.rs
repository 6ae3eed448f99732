//! What leader and followers send one another.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::config::Names;
use crate::id::{KeyId, Value, Version};
use crate::protocol::{Cargo, Message as Contract, Stored};

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
}

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
        }
    }
}

impl Contract for Message {
    const KINDS: &'static [&'static str] = &["replicate", "replicate-many", "state", "ack"];

    #[inline]
    fn kind(&self) -> u8 {
        match self {
            Self::Replicate { .. } => 0,
            Self::ReplicateMany { .. } => 1,
            Self::State { .. } => 2,
            Self::Ack { .. } => 3,
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
        }
    }

    fn carries(&self, note: &mut dyn FnMut(Version, Cargo)) {
        match self {
            Self::Replicate { entry } => note(entry.stored.version, Cargo::Write),
            Self::ReplicateMany { entries, .. } | Self::State { entries, .. } => {
                entries.iter().for_each(|entry| note(entry.stored.version, Cargo::Write));
            }
            Self::Ack { version } => note(*version, Cargo::Confirmation),
        }
    }

    fn describe(&self, names: &Names) -> String {
        match self {
            Self::Replicate { entry } => entry_text(entry, names),
            Self::ReplicateMany { entries, .. } | Self::State { entries, .. } => {
                let texts: Vec<String> = entries.iter().map(|e| entry_text(e, names)).collect();
                format!("[{}]", texts.join(", "))
            }
            Self::Ack { version } => version.to_string(),
        }
    }
}

fn entry_text(entry: &Entry, names: &Names) -> String {
    let key = names.key(entry.key);
    let version = entry.stored.version;
    match entry.stored.value {
        Some(value) => format!("{key}={} {version}", names.value(value)),
        None => format!("{key} deleted {version}"),
    }
}
