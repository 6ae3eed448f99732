//! The operations that clients ask nodes for.

use std::hash::{Hash, Hasher};
use std::mem::discriminant;

use crate::id::{KeyId, OpId, Value};
use crate::names::Names;

/// A read that its coordinator, the node asked, answers from several replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReadQuorum {
    /// How many replicas have to answer, the coordinator included: 1 to the number of nodes.
    pub replicas: u16,
    /// Whether the newest answer is written back to the replicas that gave an older one.
    pub repair: bool,
}

/// An operation that a client asks a node for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Set a key.
    Put {
        /// The key.
        key: KeyId,
        /// The value.
        value: Value,
        /// Follower acknowledgements this write alone asks for; `None` for the configured number.
        quorum: Option<u16>,
    },
    /// Read a key.
    Get {
        /// The key.
        key: KeyId,
        /// The replicas to ask; `None`: one node, which answers from its own copy.
        quorum: Option<ReadQuorum>,
    },
    /// Remove a key.
    Delete {
        /// The key.
        key: KeyId,
        /// As in a put.
        quorum: Option<u16>,
    },
    /// The keys that exist.
    List,
    /// Every key with its value.
    ReadAll,
    /// Remove every key.
    Clear,
    /// Add an element to a key's list. The element is the key's value from then on; a put or a
    /// delete ends the list.
    Append {
        /// The key.
        key: KeyId,
        /// The element.
        value: Value,
        /// As in a put.
        quorum: Option<u16>,
    },
    /// Compare and set: set a key, if it holds what the client expects.
    Cas {
        /// The key.
        key: KeyId,
        /// The value that the key has to hold; `None`: the key has to be absent. Of a list the last
        /// element counts.
        from: Option<Value>,
        /// The value that it holds then.
        to: Value,
    },
}

// A request travels as an event, and every event is as large as the largest.
const _: () = assert!(size_of::<Operation>() <= 24);

impl Operation {
    /// The key the operation is on; `None` for those on the whole store.
    #[must_use]
    pub const fn key(self) -> Option<KeyId> {
        match self {
            Self::Put { key, .. }
            | Self::Get { key, .. }
            | Self::Delete { key, .. }
            | Self::Append { key, .. }
            | Self::Cas { key, .. } => Some(key),
            Self::List | Self::ReadAll | Self::Clear => None,
        }
    }

    /// The same operation, its value marked as written by `op`: see [`Value`].
    #[must_use]
    pub(crate) fn written_by(mut self, op: OpId) -> Self {
        if let Self::Put { value, .. } | Self::Append { value, .. } | Self::Cas { to: value, .. } =
            &mut self
        {
            *value = value.written_by(op);
        }
        self
    }

    /// The operation in words, as the trace shows it: `put city=Raleigh w=2`.
    #[must_use]
    pub fn describe(self, names: &Names) -> String {
        let wanted = |quorum: Option<u16>| quorum.map_or(String::new(), |w| format!(" w={w}"));
        match self {
            Self::Put { key, value, quorum } => {
                format!("put {}={}{}", names.key(key), names.value(value), wanted(quorum))
            }
            Self::Get { key, quorum } => {
                let text = format!("get {}", names.key(key));
                let Some(ReadQuorum { replicas, repair }) = quorum else { return text };
                let repair = if repair { " repair" } else { "" };
                format!("{text} r={replicas}{repair}")
            }
            Self::Delete { key, quorum } => format!("delete {}{}", names.key(key), wanted(quorum)),
            Self::List => "list".into(),
            Self::ReadAll => "read-all".into(),
            Self::Clear => "clear".into(),
            Self::Append { key, value, quorum } => {
                format!("append {} to {}{}", names.value(value), names.key(key), wanted(quorum))
            }
            Self::Cas { key, from, to } => cas_text(names, key, from, to),
        }
    }

    /// Whether it changes the store.
    #[must_use]
    pub const fn is_write(self) -> bool {
        match self {
            Self::Put { .. }
            | Self::Delete { .. }
            | Self::Clear
            | Self::Append { .. }
            | Self::Cas { .. } => true,
            Self::Get { .. } | Self::List | Self::ReadAll => false,
        }
    }
}

/// A compare-and-set in words: `cas city from Rome to Oslo`, `cas city from nothing to Oslo`.
pub(crate) fn cas_text(names: &Names, key: KeyId, from: Option<Value>, to: Value) -> String {
    let from = from.map_or_else(|| "nothing".to_owned(), |from| names.value(from));
    format!("cas {} from {from} to {}", names.key(key), names.value(to))
}

/// As derived, but that a read of one replica alone is hashed by its key: digests of runs that know
/// no other reads stay what they were.
impl Hash for Operation {
    fn hash<H: Hasher>(&self, state: &mut H) {
        discriminant(self).hash(state);
        match *self {
            Self::Put { key, value, quorum } => (key, value, quorum).hash(state),
            Self::Get { key, quorum: None } => key.hash(state),
            Self::Get { key, quorum: Some(quorum) } => (key, quorum).hash(state),
            Self::Delete { key, quorum } => (key, quorum).hash(state),
            Self::Append { key, value, quorum } => (key, value, quorum).hash(state),
            Self::Cas { key, from, to } => (key, from, to).hash(state),
            Self::List | Self::ReadAll | Self::Clear => {}
        }
    }
}
