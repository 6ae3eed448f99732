//! Checkpoints: what a node stores is written down every so often, and its write-ahead log cut.
//!
//! 1. The old checkpoint is replaced by a snapshot. A crash before that is done finds the old
//!    checkpoint or the new one, and the whole log.
//! 2. The log is replaced by the records since the snapshot. A crash before that is done finds the
//!    new checkpoint, and the log whole or cut.
//!
//! Recovery loads the checkpoint and replays what the log has beyond the record that it covers, so
//! all of these come to the same. Both files change by [`Context::replace`], whole or not at all:
//! there is no half cut, and no third file to look for. Step 2 begins when step 1 is durable.
//! Writes go on meanwhile; what is written after the snapshot was taken is kept in memory until the
//! log is cut. A snapshot may be durable before the records that it covers are: a log that a power
//! loss leaves shorter than its checkpoint holds nothing beyond it, and starts empty.
//!
//! No checkpoint starts while one is under way, or while the disk is full: a log that is not cut is
//! merely long.

use std::num::NonZeroU32;

use crate::id::Term;
use crate::protocol::{Context, File, Protocol, Ticket};

use super::frame::Replay;
use super::wal::{Unusable, Wal};

/// When checkpoints are taken, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointSettings {
    /// Where they go.
    pub file: File,
    /// After how many records of the log one is taken; `None`: never.
    pub every: Option<NonZeroU32>,
    /// A mistake of real systems: step 2 comes before step 1.
    pub cuts_first: bool,
}

/// The checkpoint of a node, and the next one under way.
#[derive(Debug)]
pub struct Checkpoints<R> {
    settings: CheckpointSettings,
    /// The last record that the last one taken covers; 0 for none.
    covers: u64,
    phase: Phase<R>,
    /// What was written since the snapshot under way was taken, with its terms.
    since: Vec<(Term, R)>,
}

/// What a checkpoint waits for.
#[derive(Debug)]
enum Phase<R> {
    /// None is under way.
    Idle,
    /// The snapshot to be durable.
    Writing(Ticket),
    /// The shorter log to be durable; and then, where that came first, the records of the snapshot.
    Cutting(Ticket, Vec<R>),
}

impl<R: Clone> Checkpoints<R> {
    /// The checkpoint as the disk kept it; `covers` says which record it covers, given the last
    /// record in its file, or that this is no checkpoint.
    ///
    /// # Errors
    ///
    /// When the checkpoint is damaged: the node must not serve.
    pub fn open(
        settings: CheckpointSettings,
        replayed: &Replay<R>,
        covers: impl FnOnce(&R) -> Option<u64>,
    ) -> Result<Self, Unusable> {
        let covers = replayed.records.last().map_or(Some(0), covers);
        let covers = covers.filter(|_| replayed.torn == 0).ok_or(Unusable::DamagedCheckpoint)?;
        Ok(Self { settings, covers, phase: Phase::Idle, since: Vec::new() })
    }

    /// The last record that the last checkpoint covers; 0 for none.
    #[must_use]
    pub const fn covers(&self) -> u64 {
        self.covers
    }

    /// Whether the log, written up to this record, is long enough for another.
    #[must_use]
    #[inline]
    pub fn is_due(&self, written: u64) -> bool {
        self.settings.every.is_some_and(|every| written - self.covers >= every.get().into())
            && matches!(self.phase, Phase::Idle)
    }

    /// A record was written.
    #[inline]
    pub fn appended(&mut self, term: Term, record: &R) {
        if matches!(self.phase, Phase::Writing(_)) && !self.settings.cuts_first {
            self.since.push((term, record.clone()));
        }
    }

    /// A snapshot of the node was taken, which covers the log up to its last record.
    ///
    /// # Panics
    ///
    /// When a checkpoint is under way.
    pub fn begin<P: Protocol<Record = R>>(
        &mut self,
        records: Vec<R>,
        log: &mut Wal,
        cx: &mut Context<'_, P>,
    ) {
        assert!(matches!(self.phase, Phase::Idle), "one checkpoint at a time");
        self.covers = log.written();
        self.phase = if self.settings.cuts_first {
            Phase::Cutting(log.rewrite(&[], cx), records)
        } else {
            Phase::Writing(cx.replace(self.settings.file, &records))
        };
    }

    /// The disk finished something: perhaps what the checkpoint waits for.
    pub fn persisted<P: Protocol<Record = R>>(
        &mut self,
        ticket: Ticket,
        log: &mut Wal,
        cx: &mut Context<'_, P>,
    ) {
        match &mut self.phase {
            // The snapshot is durable, and the log may lose what it covers.
            Phase::Writing(wanted) if *wanted == ticket => {
                let since = std::mem::take(&mut self.since);
                self.phase = if self.settings.cuts_first || cx.disk_is_full() {
                    Phase::Idle
                } else {
                    Phase::Cutting(log.rewrite(&since, cx), Vec::new())
                };
            }
            Phase::Cutting(wanted, records) if *wanted == ticket => {
                self.phase = if records.is_empty() || cx.disk_is_full() {
                    Phase::Idle
                } else {
                    Phase::Writing(cx.replace(self.settings.file, records))
                };
            }
            Phase::Idle | Phase::Writing(_) | Phase::Cutting(..) => {}
        }
    }
}
