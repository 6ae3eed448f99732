//! Checkpoints: the store is written down every so often, and the log cut to what came after.
//!
//! | step | a crash before it is done finds | once it is done |
//! |---|---|---|
//! | 1. put a snapshot in the place of the old checkpoint | the old checkpoint or the new one, and the whole log | the new checkpoint and the whole log |
//! | 2. put the records since the snapshot in the place of the log | the new checkpoint, and the log whole or cut | the new checkpoint and the rest of the log |
//!
//! Recovery loads the checkpoint and replays what the log has beyond the record that it covers, so all of these come
//! to the same. Both files change by [`Context::replace`], whole or not at all: there is no half cut, and no third file
//! to look for. Step 2 begins when step 1 is durable. Writes go on meanwhile; what is written after the snapshot was
//! taken is kept in memory until the log is cut. A snapshot may be durable before the records that it covers are: a log
//! that a power loss leaves shorter than its checkpoint has nothing that the checkpoint lacks, and begins anew.
//!
//! No checkpoint starts while one is under way, or while the disk is full: a log that is not cut is merely long. With
//! the defect `truncate-before-checkpoint` the two steps change places.

use std::num::NonZeroU32;

use crate::id::{Position, Term};
use crate::protocol::wal::{Unusable, Wal};
use crate::protocol::{Context, DiskImage, File, Observation, Ticket};

use super::apply::{apply, contents};
use super::config::Rules;
use super::journal::Record;
use super::log::ReplicatedLog;
use super::message::{Entry, StateOrder};
use super::{Config, Defect, LeaderFollower};

const CHECKPOINT: File = File(2);

/// All that a node has to know again after a start, up to a record of its log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Snapshot {
    /// The last record that it covers.
    pub covers: u64,
    /// How many writes the node had stamped.
    pub stamped: u32,
    /// The place of the last full state that it had taken as follower.
    pub last_state: Option<StateOrder>,
    /// Where the replicated log ended, if there is one.
    pub position: Position,
    /// What it stored.
    pub entries: Vec<Entry>,
}

/// Why a node cannot start from its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error(transparent)]
    Log(#[from] Unusable),
    /// It was put there whole: damage to it is none that a crash did.
    #[error("the checkpoint is damaged")]
    Checkpoint,
}

/// The checkpoint of a node, and the next one under way.
#[derive(Debug)]
pub(super) struct Checkpoints {
    every: Option<NonZeroU32>,
    cuts_first: bool,
    /// The last record that the last one taken covers.
    covers: u64,
    step: Step,
    /// What was written since the snapshot under way was taken, with its terms.
    since: Vec<(Term, Record)>,
}

/// What a checkpoint waits for.
#[derive(Debug)]
enum Step {
    /// None is under way.
    Idle,
    /// The snapshot to be durable.
    Writing(Ticket),
    /// The shorter log to be durable; and then, where that came first, the records of the snapshot.
    Cutting(Ticket, Vec<Record>),
}

impl Checkpoints {
    /// The checkpoint as the disk kept it, and what it is to be taken in with before the records of the log.
    pub(super) fn open(
        config: &Config,
        disk: &DiskImage,
    ) -> Result<(Self, Vec<Record>), Unreadable> {
        let replayed = disk.records(CHECKPOINT);
        let covers = match replayed.records.last() {
            Some(Record::Checkpoint(snapshot)) if replayed.torn == 0 => snapshot.covers,
            None if replayed.torn == 0 => 0,
            _ => return Err(Unreadable::Checkpoint),
        };
        let every = config.wal.checkpoint_every;
        let cuts_first = config.defects.has(Defect::TruncateBeforeCheckpoint);
        let (step, since) = (Step::Idle, Vec::new());
        Ok((Self { every, cuts_first, covers, step, since }, replayed.records))
    }

    /// The last record that the last checkpoint covers; 0 for none.
    pub(super) const fn covers(&self) -> u64 {
        self.covers
    }

    /// Whether the log, written up to this record, is long enough for another.
    #[inline]
    pub(super) fn is_due(&self, written: u64) -> bool {
        self.every.is_some_and(|every| written - self.covers >= every.get().into())
            && matches!(self.step, Step::Idle)
    }

    /// A record was written.
    #[inline]
    pub(super) fn appended(&mut self, term: Term, record: &Record) {
        if matches!(self.step, Step::Writing(_)) && !self.cuts_first {
            self.since.push((term, record.clone()));
        }
    }

    /// A snapshot of the node was taken, and the stamps that it does not show.
    pub(super) fn begin(
        &mut self,
        snapshot: Snapshot,
        stamps: Option<Record>,
        log: &mut Wal,
        cx: &mut Context<'_, LeaderFollower>,
    ) {
        self.covers = snapshot.covers;
        let records: Vec<Record> =
            stamps.into_iter().chain([Record::Checkpoint(snapshot)]).collect();
        self.step = if self.cuts_first {
            Step::Cutting(log.rewrite(&[], cx), records)
        } else {
            Step::Writing(cx.replace(CHECKPOINT, &records))
        };
    }

    /// The disk finished something: perhaps what the checkpoint waits for.
    pub(super) fn persisted(
        &mut self,
        ticket: Ticket,
        log: &mut Wal,
        cx: &mut Context<'_, LeaderFollower>,
    ) {
        match &mut self.step {
            // The snapshot is durable, and the log may lose what it covers.
            Step::Writing(wanted) if *wanted == ticket => {
                let since = std::mem::take(&mut self.since);
                self.step = if self.cuts_first || cx.disk_is_full() {
                    Step::Idle
                } else {
                    Step::Cutting(log.rewrite(&since, cx), Vec::new())
                };
            }
            Step::Cutting(wanted, records) if *wanted == ticket => {
                self.step = if records.is_empty() || cx.disk_is_full() {
                    Step::Idle
                } else {
                    Step::Writing(cx.replace(CHECKPOINT, records))
                };
            }
            Step::Idle | Step::Writing(_) | Step::Cutting(..) => {}
        }
    }
}

impl LeaderFollower {
    /// Begins a checkpoint of what the node stores, which is what its log says up to here.
    #[cold]
    pub(super) fn checkpoint(&mut self, cx: &mut Context<'_, Self>) {
        if cx.disk_is_full() {
            return;
        }
        let entries: Vec<Entry> = contents(&self.store).collect();
        let (stamped, last_state) = (self.leading.stamped(), self.last_state);
        let stamps = self.seen_beyond(&entries).map(|_| self.stamps());
        let Some(journal) = &mut self.journal else { return };
        let (covers, position) = (journal.written(), self.log.last());
        self.checkpointed = position.index;
        let snapshot = Snapshot { covers, stamped, last_state, position, entries };
        journal.checkpoint(snapshot, stamps, cx);
    }

    /// Takes in what a checkpoint has.
    pub(super) fn restore(&mut self, snapshot: Snapshot, cx: &mut Context<'_, Self>) {
        let Snapshot { stamped, last_state, position, entries, covers: _ } = snapshot;
        self.leading.has_numbered(stamped);
        self.last_state = last_state;
        if let Some(StateOrder { term, .. }) = last_state {
            self.ballot.was_in(term);
        }
        for entry in entries {
            let Entry { key, stored, .. } = entry;
            cx.observe(Observation::Apply { key, stored });
            apply(&mut self.store, entry, Rules::RESTORE);
            self.note(stored.version);
        }
        if self.config.failover.is_ordered() {
            self.ballot.was_in(position.term);
            self.checkpointed = position.index;
            self.log = ReplicatedLog::from_state(position, self.store.clone());
        }
    }
}
