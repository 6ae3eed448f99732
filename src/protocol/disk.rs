//! What a node knows of its disk: files, tickets of operations, and what is read at a start.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::parts::frame;

/// A file of a node's disk. The protocol gives each number its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct File(pub u8);

/// Names an operation on a node's disk. Tickets of one node rise throughout the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Why an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DiskError {
    /// No space is left. Nothing was written.
    #[error("the disk is full")]
    Full,
}

/// Where the disk that a node starts from has come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiskOrigin {
    /// Disk and cluster are new: this is the node's first boot in the run.
    #[default]
    New,
    /// The node had this disk before. It can still be empty, when nothing was written or nothing
    /// became durable.
    Kept,
    /// An empty disk has replaced the node's own. What the node had written and promised is gone.
    Replaced,
}

/// A disk as a process that starts reads it: the bytes of each file.
///
/// After a crash of the process alone these are all bytes ever written, durable or not. A record
/// found there must be synced ([`super::Context::sync`]) before the node promises anything that
/// depends on it. After a power loss the last record may be torn. Nothing behind a torn record can
/// be read, so cut it off before appending: [`super::Context::truncate_suffix`] to
/// [`frame::Replay::length`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskImage {
    origin: DiskOrigin,
    files: BTreeMap<File, Vec<u8>>,
}

impl DiskImage {
    /// An image with these files.
    #[must_use]
    pub const fn new(origin: DiskOrigin, files: BTreeMap<File, Vec<u8>>) -> Self {
        Self { origin, files }
    }

    /// Where the disk has come from. A new disk means the node's first boot.
    #[must_use]
    pub const fn origin(&self) -> DiskOrigin {
        self.origin
    }

    /// The bytes of `file`; empty when it was never written.
    #[must_use]
    pub fn bytes(&self, file: File) -> &[u8] {
        self.files.get(&file).map_or(&[], Vec::as_slice)
    }

    /// Every file with its bytes.
    pub(crate) fn files(&self) -> impl Iterator<Item = (File, &[u8])> {
        self.files.iter().map(|(file, bytes)| (*file, bytes.as_slice()))
    }

    /// Whether all files are empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.values().all(Vec::is_empty)
    }

    /// The records of `file`, up to the first that is not whole. Use
    /// [`super::parts::wal::Wal::open`] for a log that must tell a torn tail from damage to what
    /// was durable.
    #[must_use]
    pub fn records<R: DeserializeOwned>(&self, file: File) -> frame::Replay<R> {
        frame::salvage(self.bytes(file))
    }
}
