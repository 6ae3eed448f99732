//! The disk of a node in a harness: every operation completes when the test says so.
//!
//! Model: what is written is seen by the process at once and survives its crash. Syncs and
//! replacements complete in the order in which they were asked for, and make durable what the file
//! held when they were asked for. A loss of power takes away what is not durable, all of it or as
//! much as the test says. A full disk refuses appends and replacements; it says so before any sync
//! under way completes.

use std::collections::{BTreeMap, VecDeque};
use std::mem;

use crate::protocol::{DiskError, DiskImage, DiskOperation, DiskOrigin, File, Ticket};

/// What a loss of power leaves of the bytes that no completed sync has made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsynced {
    /// Nothing: each file is what its last completed sync made durable.
    Lost,
    /// All of it: the disk had written it already, and had not said so.
    Kept,
    /// The first bytes of what was appended to each file since, so that its last record may be
    /// torn. A file that was cut or replaced since is what its last completed sync made durable.
    Torn {
        /// How many bytes of each file.
        bytes: usize,
    },
}

/// A disk.
#[derive(Debug, Default)]
pub(super) struct ManualDisk {
    origin: DiskOrigin,
    files: BTreeMap<File, FileBytes>,
    /// Refusals of a full disk, the oldest first.
    refusals: VecDeque<Completion>,
    /// Syncs and replacements under way, the oldest first, each with what it makes durable.
    under_way: VecDeque<(Completion, Vec<u8>)>,
    pub(super) is_full: bool,
}

#[derive(Debug, Default)]
struct FileBytes {
    written: Vec<u8>,
    durable: Vec<u8>,
}

/// An operation that the disk completes, or refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Completion {
    pub(super) ticket: Ticket,
    pub(super) file: File,
    /// The operation in words when it completes: `synced`, `replaced`, `written`.
    pub(super) verb: &'static str,
    pub(super) result: Result<(), DiskError>,
}

impl ManualDisk {
    /// Takes an operation in. `bytes` is the buffer that the operation points into.
    pub(super) fn perform(
        &mut self,
        ticket: Ticket,
        file: File,
        operation: &DiskOperation,
        bytes: &[u8],
    ) {
        let complete = |verb| Completion { ticket, file, verb, result: Ok(()) };
        let refuse = |verb| Completion { result: Err(DiskError::Full), ..complete(verb) };
        let contents = self.files.entry(file).or_default();
        match *operation {
            DiskOperation::Append { .. } if self.is_full => {
                self.refusals.push_back(refuse("written"));
            }
            DiskOperation::Replace { .. } if self.is_full => {
                self.refusals.push_back(refuse("replaced"));
            }
            DiskOperation::Append { start, end, .. } => {
                contents.written.extend_from_slice(&bytes[start..end]);
            }
            DiskOperation::TruncateSuffix { length } => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                contents.written.truncate(length);
            }
            DiskOperation::Replace { start, end } => {
                contents.written = bytes[start..end].to_vec();
                self.under_way.push_back((complete("replaced"), contents.written.clone()));
            }
            DiskOperation::Sync => {
                self.under_way.push_back((complete("synced"), contents.written.clone()));
            }
        }
    }

    /// Completes the oldest operation, a refusal before anything else; `None` when there is none.
    pub(super) fn complete(&mut self) -> Option<Completion> {
        if let Some(refusal) = self.refusals.pop_front() {
            return Some(refusal);
        }
        let (completion, durable) = self.under_way.pop_front()?;
        self.files.entry(completion.file).or_default().durable = durable;
        Some(completion)
    }

    /// The operation that [`Self::complete`] would complete.
    pub(super) fn next(&self) -> Option<Completion> {
        let under_way = self.under_way.front().map(|(completion, _)| *completion);
        self.refusals.front().copied().or(under_way)
    }

    /// The process that waited for refusals is gone.
    pub(super) fn process_died(&mut self) {
        self.refusals.clear();
    }

    pub(super) fn lose_power(&mut self, unsynced: Unsynced) {
        self.under_way.clear();
        for FileBytes { written, durable } in self.files.values_mut() {
            match unsynced {
                Unsynced::Kept => {}
                Unsynced::Torn { bytes } if written.starts_with(durable) => {
                    written.truncate(durable.len() + bytes);
                }
                Unsynced::Lost | Unsynced::Torn { .. } => written.clone_from(durable),
            }
            durable.clone_from(written);
        }
    }

    /// Puts an empty disk in its place.
    pub(super) fn replace(&mut self) {
        *self = Self { origin: DiskOrigin::Replaced, is_full: self.is_full, ..Self::default() };
    }

    /// What a process that starts reads. From then on the disk is one that the node had before.
    pub(super) fn read(&mut self) -> DiskImage {
        let origin = mem::replace(&mut self.origin, DiskOrigin::Kept);
        let files = self.files.iter();
        DiskImage::new(origin, files.map(|(file, held)| (*file, held.written.clone())).collect())
    }
}
