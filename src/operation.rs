//! The operations that clients ask nodes for.

use std::hash::{Hash, Hasher};
use std::mem::discriminant;

use crate::digest::name_hash;
use crate::id::{KeyId, OpId, Value};

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
    /// Several operations on single keys, done at one place in the order or not at all. A part sees
    /// what the parts before it wrote. If a compare-and-set among them finds another value than it
    /// expects, nothing is done.
    Batch(BatchId),
}

// A request travels as an event, and every event is as large as the largest.
const _: () = assert!(size_of::<Operation>() <= 24);

impl Operation {
    /// The key the operation is on; `None` for those on the whole store, and for a batch.
    #[must_use]
    pub const fn key(self) -> Option<KeyId> {
        match self {
            Self::Put { key, .. }
            | Self::Get { key, .. }
            | Self::Delete { key, .. }
            | Self::Append { key, .. }
            | Self::Cas { key, .. } => Some(key),
            Self::List | Self::ReadAll | Self::Clear | Self::Batch(_) => None,
        }
    }

    /// The same operation, its value marked as written by `op`: see [`Value`]. The values of a
    /// batch are marked one by one.
    #[must_use]
    pub(crate) fn written_by(mut self, op: OpId) -> Self {
        if let Self::Put { value, .. } | Self::Append { value, .. } | Self::Cas { to: value, .. } =
            &mut self
        {
            *value = value.written_by(op);
        }
        self
    }

    /// Whether its client looks for the leader: it changes the store, or is a batch.
    #[must_use]
    pub(crate) const fn asks_leader(self) -> bool {
        self.is_write() || matches!(self, Self::Batch(_))
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
            Self::Batch(batch) => batch.writes(),
            Self::Get { .. } | Self::List | Self::ReadAll => false,
        }
    }
}

/// A batch of operations, by its place in a table of [`Batches`].
///
/// Its hash is that of its parts, so that what a batch asks for is in the digest of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchId {
    digest: u64,
    place: u32,
    writes: bool,
    appends: bool,
}

impl BatchId {
    /// Whether a part changes the store.
    #[must_use]
    pub const fn writes(self) -> bool {
        self.writes
    }

    /// Whether a part appends to a list.
    #[must_use]
    pub const fn appends(self) -> bool {
        self.appends
    }
}

impl Hash for BatchId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

/// The parts of batches. A batch stays in its table for good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batches(Vec<Box<[Operation]>>);

impl Batches {
    /// The most parts of a batch.
    pub const MOST_PARTS: usize = 16;

    /// Keeps the parts of a batch: puts, gets, deletes, appends and compare-and-sets.
    ///
    /// # Panics
    ///
    /// At 2^32 batches, and for a part that is on no single key.
    pub fn intern(&mut self, parts: Box<[Operation]>) -> BatchId {
        assert!(parts.iter().all(|part| part.key().is_some()), "parts are on single keys");
        let place = u32::try_from(self.0.len()).expect("fewer than 2^32 batches");
        let digest = name_hash(&parts[..]);
        let writes = parts.iter().any(|part| part.is_write());
        let appends = parts.iter().any(|part| matches!(part, Operation::Append { .. }));
        self.0.push(parts);
        BatchId { digest, place, writes, appends }
    }

    /// The parts of a batch, in their order.
    ///
    /// # Panics
    ///
    /// When it is of another table.
    #[must_use]
    pub fn get(&self, batch: BatchId) -> &[Operation] {
        &self.0[batch.place as usize]
    }
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
            Self::Batch(batch) => batch.hash(state),
            Self::List | Self::ReadAll | Self::Clear => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch is in the digest of a run by what it asks for: neither its place in the table nor
    /// who wrote its values matters.
    #[test]
    fn a_batch_is_hashed_by_its_parts() {
        let mut batches = Batches::default();
        let put =
            |text: usize| Operation::Put { key: KeyId(1), value: Value::text(text), quorum: None };
        let get = Operation::Get { key: KeyId(1), quorum: None };
        let mut hash = |parts: &[Operation]| {
            let batch = batches.intern(parts.into());
            assert_eq!(batches.get(batch), parts);
            name_hash(&Operation::Batch(batch))
        };
        let both = hash(&[put(1), get]);
        assert_eq!(hash(&[put(1).written_by(OpId(7)), get]), both);
        let others = [hash(&[get, put(1)]), hash(&[put(2), get]), hash(&[put(1)])];
        assert!(others.iter().all(|other| *other != both), "{others:?}");
        let only_reads = batches.intern([get].into());
        assert!(!Operation::Batch(only_reads).is_write() && !only_reads.appends());
        let writes = batches.intern([get, put(1)].into());
        assert!(Operation::Batch(writes).is_write());
    }
}
