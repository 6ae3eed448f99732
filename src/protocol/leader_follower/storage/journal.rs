//! A node's write-ahead log: what is written to it, and what waits until that is durable.
//!
//! - **off**: at once; nothing is written
//! - **buffered**: when it is written; what was written is synced every so often
//! - **fsync**: when a sync of its own has made it durable
//! - **group commit**: when a sync has made it durable, which it shares with all that arrived while
//!   one was under way
//!
//! Every so often the log is cut: see [`crate::protocol::parts::checkpoint`].

use crate::id::Term;
use crate::protocol::leader_follower::config::{Config, Defect};
use crate::protocol::leader_follower::types::{Timer, Types};
use crate::protocol::parts::checkpoint::{CheckpointSettings, Checkpoints};
use crate::protocol::parts::durable::AfterSync;
use crate::protocol::parts::wal::{Policy, Unusable, Wal};
use crate::protocol::{Context, DiskImage, Ticket};

use super::deferred::Deferred;
use super::record::{CHECKPOINT, LOG, Record, Snapshot};

/// The write-ahead log, and what waits for it.
#[derive(Debug)]
pub(crate) struct Journal {
    policy: Policy,
    log: Wal,
    waiting: AfterSync<u64, Deferred>,
    /// Whether the timer of the buffered policy runs.
    flush_is_set: bool,
    checkpoints: Checkpoints<Record>,
}

impl Journal {
    /// The log as the disk kept it, synced from now on, with what a node has to take in again: the
    /// checkpoint, and the records behind it. `None` when nothing is logged.
    pub(crate) fn open(
        config: &Config,
        disk: &DiskImage,
        cx: &mut Context<'_, impl Types>,
    ) -> Result<Option<(Self, Vec<Record>)>, Unusable> {
        let policy = config.wal.policy;
        if policy == Policy::Off {
            return Ok(None);
        }
        let settings = CheckpointSettings {
            file: CHECKPOINT,
            every: config.wal.checkpoint_every,
            cuts_first: config.defects.has(Defect::TruncateBeforeCheckpoint),
        };
        let replayed = disk.records(CHECKPOINT);
        let checkpoints = Checkpoints::open(settings, &replayed, Record::covers)?;
        let (covers, defects) = (checkpoints.covers(), config.defects.of_the_wal());
        let (mut log, beyond) = Wal::open(LOG, covers, defects, disk, cx)?;
        log.sync(cx);
        let mut records = replayed.records;
        records.extend(beyond);
        let waiting = AfterSync::default();
        Ok(Some((Self { policy, log, waiting, flush_is_set: false, checkpoints }, records)))
    }

    /// Writes a record.
    pub(crate) fn append(&mut self, term: Term, record: &Record, cx: &mut Context<'_, impl Types>) {
        self.log.append(term, record, cx);
        self.checkpoints.appended(term, record);
    }

    /// Whether enough was written since the last checkpoint for another one.
    #[inline]
    pub(crate) fn is_checkpoint_due(&self) -> bool {
        self.checkpoints.is_due(self.log.written())
    }

    /// Begins a checkpoint with what the node stores, and the stamps that this does not show.
    pub(crate) fn checkpoint(
        &mut self,
        snapshot: Snapshot,
        stamps: Option<Record>,
        cx: &mut Context<'_, impl Types>,
    ) {
        let records = stamps.into_iter().chain([Record::Checkpoint(snapshot)]).collect();
        self.checkpoints.begin(records, &mut self.log, cx);
    }

    /// The sequence of the last record written.
    pub(crate) const fn written(&self) -> u64 {
        self.log.written()
    }

    /// Hands `deferred` back when it may be done now; else it waits until all that is written so
    /// far is durable.
    pub(crate) fn once_durable(
        &mut self,
        deferred: Deferred,
        cx: &mut Context<'_, impl Types>,
    ) -> Option<Deferred> {
        if self.lets_pass(cx) {
            return Some(deferred);
        }
        if self.policy == Policy::Fsync || !self.log.is_syncing() {
            self.log.sync(cx);
        }
        self.waiting.put(self.log.written(), cx.origin(), deferred);
        None
    }

    /// Whether what depends on all that is written need not wait for a sync; what is merely
    /// buffered is synced in time.
    #[inline]
    pub(crate) fn lets_pass(&mut self, cx: &mut Context<'_, impl Types>) -> bool {
        if self.log.durable() == self.log.written() {
            return true;
        }
        match self.policy {
            Policy::Off => true,
            Policy::Buffered { sync_every } => {
                if !self.flush_is_set {
                    self.flush_is_set = true;
                    cx.set_timer(Timer::Flush, sync_every);
                }
                true
            }
            Policy::Fsync | Policy::GroupCommit => false,
        }
    }

    /// The buffered policy: time to sync.
    pub(crate) fn flush(&mut self, cx: &mut Context<'_, impl Types>) {
        self.flush_is_set = false;
        self.log.sync(cx);
    }

    /// A sync has completed. What arrived meanwhile shares the next one, which is caused by the
    /// first of them.
    pub(crate) fn persisted(&mut self, ticket: Ticket, cx: &mut Context<'_, impl Types>) {
        self.log.persisted(ticket);
        self.checkpoints.persisted(ticket, &mut self.log, cx);
        if self.policy != Policy::GroupCommit || self.log.is_syncing() {
            return;
        }
        if let Some(opener) = self.waiting.first_beyond(self.log.durable()) {
            cx.continue_from(opener);
            self.log.sync(cx);
        }
    }

    /// The next of what need not wait any longer.
    pub(crate) fn next_ready(&mut self, cx: &mut Context<'_, impl Types>) -> Option<Deferred> {
        let (origin, deferred) = self.waiting.next(self.log.durable())?;
        cx.continue_from(origin);
        Some(deferred)
    }

    /// How much waits.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}
