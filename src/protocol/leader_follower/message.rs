//! What leader and followers send one another.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::config::Names;
use crate::id::{KeyId, Value, Version};
use crate::protocol::{Message as Contract, Stored};

/// A write as it travels: the key and what it is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Entry {
    /// The key.
    pub key: KeyId,
    /// Value, or none for a delete, and version.
    pub stored: Stored,
}

/// Names a write of the leader that followers confirm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriteId {
    /// Drawn when the leader boots, so that an acknowledgement of a write of an earlier life confirms nothing.
    pub life: u32,
    /// A running number.
    pub number: u32,
}

/// A message between leader and followers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Leader to follower: apply this write.
    Replicate {
        /// What to name in the acknowledgement.
        write: WriteId,
        /// The write.
        entry: Entry,
    },
    /// Leader to follower: apply these, all part of one write (a clear).
    ReplicateMany {
        /// What to name in the acknowledgement.
        write: WriteId,
        /// The deletes.
        entries: Arc<[Entry]>,
    },
    /// Leader to follower: this is all there is.
    State {
        /// What to name in the acknowledgement.
        write: WriteId,
        /// The version of the write that it follows: of two states of different lives the newer one counts.
        version: Version,
        /// Everything the leader stores, tombstones included.
        entries: Arc<[Entry]>,
    },
    /// Follower to leader: the write is applied.
    Ack {
        /// Which.
        write: WriteId,
    },
}

/// Written out, because nine messages of ten are of two kinds: as few and as wide words as their content allows.
impl Hash for Message {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let head = |write: &WriteId| u64::from(write.life) << 32 | u64::from(write.number);
        match self {
            Self::Replicate { write, entry } => {
                let Entry { key, stored: Stored { value, version } } = entry;
                let [a, b] = [head(write), u64::from(key.0) << 32 | u64::from(version.sequence)];
                state.write_u128(u128::from(a) << 64 | u128::from(b));
                let value = value.map_or(0, Value::bits);
                state.write_u128(u128::from(value) << 64 | u128::from(version.timestamp as u64));
                state.write_u32(u32::from(version.node.0) << 16 | u32::from(self.kind()));
                return;
            }
            Self::Ack { write } => {
                state.write_u128(u128::from(self.kind()) << 64 | u128::from(head(write)));
                return;
            }
            Self::ReplicateMany { write, entries } => (write, entries).hash(state),
            Self::State { write, version, entries } => (write, version, entries).hash(state),
        }
        state.write_u8(self.kind());
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

    fn describe(&self, names: &Names) -> String {
        match self {
            Self::Replicate { write, entry } => {
                format!("write {} {}", write.number, entry_text(entry, names))
            }
            Self::ReplicateMany { write, entries } | Self::State { write, entries, .. } => {
                let texts: Vec<String> = entries.iter().map(|e| entry_text(e, names)).collect();
                format!("write {} [{}]", write.number, texts.join(", "))
            }
            Self::Ack { write } => format!("write {}", write.number),
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
