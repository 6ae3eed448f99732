//! The write-ahead log as its writer sees it. How records are framed: [`super::frame`].
//!
//! A log does not grow for ever: once a checkpoint has what its first records brought about,
//! [`Wal::rewrite`] puts those that the checkpoint lacks in the place of all. A rewritten log is
//! there whole or not at all, so its first header after that vouches for all of it.

use std::collections::VecDeque;

use crate::id::Term;
use crate::protocol::{Context, DiskImage, File, Observation, Protocol, Ticket};
use crate::time::Span;

use super::frame::{Corruption, Header, Replay, replay, salvage};

/// When what is written to a log is made durable, and what waits for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Policy {
    /// Nothing is written.
    Off,
    /// Nothing waits; a sync follows a while after a write.
    Buffered {
        /// The longest that a write is left unsynced, but for the time that a sync takes.
        sync_every: Span,
    },
    /// Each write waits for a sync of its own.
    Fsync,
    /// Each write waits for a sync that it shares with all that arrive while another is under way.
    GroupCommit,
}

impl Policy {
    /// The name in scenario files.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// Mistakes of real systems in opening a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WalDefects {
    /// Corruption is cut off like a torn tail, without a word (nodedb #164).
    pub truncates_corruption: bool,
    /// A torn tail is left where it is, and what is appended behind it is never read again (cqlite
    /// #1390).
    pub keeps_torn_tail: bool,
    /// Records that are missing between a checkpoint and the log are not missed.
    pub ignores_gaps: bool,
}

/// Why a log cannot be gone on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unusable {
    /// What had been durable is damaged.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// The log starts behind the end of the checkpoint.
    #[error("the log starts at record {first}, and the checkpoint ends with record {covers}")]
    Gap {
        /// The first record of the log.
        first: u64,
        /// The last record that the checkpoint covers; 0 for none.
        covers: u64,
    },
    /// The checkpoint is damaged.
    #[error("the checkpoint is damaged")]
    DamagedCheckpoint,
}

/// A log in a file, as the process that writes it sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wal {
    file: File,
    /// Bytes, and the sequence of the last record.
    written: Extent,
    /// Up to which sequence syncs were asked for.
    asked: u64,
    /// Up to where it is known to be durable.
    durable: Extent,
    /// Syncs under way, the oldest first, and what each makes durable.
    syncs: VecDeque<(Ticket, Extent)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Extent {
    bytes: u64,
    sequence: u64,
}

impl Wal {
    /// The log in `file` with its records, after a start: a torn tail is cut off. What is read back
    /// is written, and durable only after a [`Wal::sync`]. Records up to the sequence `covers` are
    /// in a checkpoint, and left out; 0 where there is none.
    ///
    /// # Errors
    ///
    /// When the log is corrupt, or does not join on to the checkpoint: the node must not serve.
    pub fn open<P: Protocol>(
        file: File,
        covers: u64,
        defects: WalDefects,
        disk: &DiskImage,
        cx: &mut Context<'_, P>,
    ) -> Result<(Self, Vec<P::Record>), Unusable> {
        let bytes = disk.bytes(file);
        let mut replayed =
            if defects.truncates_corruption { salvage(bytes) } else { replay(bytes)? };
        let mut written = Extent { bytes: replayed.length, sequence: replayed.sequence };
        if defects.keeps_torn_tail {
            written.bytes += replayed.torn;
        } else if replayed.torn > 0 {
            cx.truncate_suffix(file, replayed.length);
        }
        if replayed.sequence < covers {
            // The checkpoint was durable before the records it covers were. It has all that is left
            // here, and what comes next belongs behind it.
            if written.bytes > 0 {
                cx.truncate_suffix(file, 0);
            }
            written = Extent { bytes: 0, sequence: covers };
            replayed = Replay { sequence: covers, ..salvage(&[]) };
        }
        let (records, last) = (replayed.records.len() as u64, replayed.sequence);
        let first = last + 1 - records;
        if first > covers + 1 && !defects.ignores_gaps {
            return Err(Unusable::Gap { first, covers });
        }
        cx.observe(Observation::Replay { file, covers, records, last, digest: replayed.digest });
        let known = usize::try_from((covers + 1).saturating_sub(first)).expect("records in memory");
        let beyond = replayed.records.split_off(known.min(replayed.records.len()));
        let (asked, durable) = (0, Extent::default());
        Ok((Self { file, written, asked, durable, syncs: VecDeque::new() }, beyond))
    }

    /// Writes a record; its sequence.
    pub fn append<P: Protocol>(
        &mut self,
        term: Term,
        record: &P::Record,
        cx: &mut Context<'_, P>,
    ) -> u64 {
        self.written.sequence += 1;
        let sequence = self.written.sequence;
        debug_assert!(self.durable.bytes <= self.written.bytes, "what is durable is written");
        let stamp = Header { term: term.0.into(), sequence, durable: self.durable.bytes };
        self.written.bytes += cx.append_stamped(self.file, stamp, record);
        sequence
    }

    /// Asks for everything written to be durable, unless that was asked for before.
    pub fn sync<P: Protocol>(&mut self, cx: &mut Context<'_, P>) {
        if self.asked != self.written.sequence {
            self.asked = self.written.sequence;
            self.syncs.push_back((cx.sync(self.file), self.written));
        }
    }

    /// Puts `rest`, the last records written with their terms, in the place of all: a checkpoint
    /// has what is before them. Whole or not at all, and durable like after a [`Wal::sync`]; the
    /// ticket of that.
    ///
    /// The disk must not be full.
    pub fn rewrite<P: Protocol>(
        &mut self,
        rest: &[(Term, P::Record)],
        cx: &mut Context<'_, P>,
    ) -> Ticket {
        let last = self.written.sequence;
        let (ticket, bytes) = cx.replace_stamped(self.file, last, rest);
        self.written.bytes = bytes;
        self.asked = last;
        // Who reads a header behind the rewritten part has that part. Of the log before nothing is
        // left to measure.
        self.durable.bytes = bytes;
        for (_, extent) in &mut self.syncs {
            extent.bytes = bytes;
        }
        self.syncs.push_back((ticket, self.written));
        ticket
    }

    /// A ticket came back from the disk.
    pub fn persisted(&mut self, ticket: Ticket) {
        // A disk completes syncs in order.
        while let Some((_, extent)) = self.syncs.pop_front_if(|(sync, _)| *sync <= ticket) {
            self.durable = extent;
        }
    }

    /// Whether a sync is under way.
    #[must_use]
    pub fn is_syncing(&self) -> bool {
        !self.syncs.is_empty()
    }

    /// The sequence of the last record written.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.written.sequence
    }

    /// The sequence of the last record known to be durable.
    #[must_use]
    pub const fn durable(&self) -> u64 {
        self.durable.sequence
    }
}
