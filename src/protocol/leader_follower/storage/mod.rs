//! What a node keeps on its disk, and what waits for the disk.

use crate::id::Term;
use crate::protocol::parts::entry::{Entry, Rules, apply, contents};
use crate::protocol::parts::log::ReplicatedLog;
use crate::protocol::{Context, DiskError, Observation, Ticket};

use super::LeaderFollower;
use super::message::{Message, StateOrder};
use super::rollback::Rollback;

pub(super) use ballot::StoredBallot;
pub(super) use deferred::Deferred;
pub(super) use describe::{FILES, record_text};
pub(super) use journal::Journal;
pub use record::{Record, Snapshot};

mod ballot;
mod deferred;
mod describe;
mod journal;
mod record;

impl LeaderFollower {
    /// Takes in what the log has, as it was taken in before.
    pub(super) fn take_records(&mut self, records: Vec<Record>, cx: &mut Context<'_, Self>) {
        for record in records {
            match record {
                Record::Write(entry) => {
                    self.apply_and_log(entry, cx);
                }
                Record::State { order, entries } => {
                    self.ballot.was_in(order.term);
                    self.take_state(self.me, (order, i64::MIN), &entries, cx);
                }
                Record::Clear => self.store.clear(),
                Record::Entry(entry) => self.recover_entry(entry, cx),
                Record::Cut { behind } => self.recover_cut(behind),
                Record::Install { position, entries } => self.recover_install(position, &entries),
                Record::Ballot { .. } => unreachable!("the ballot has a file of its own"),
                Record::Checkpoint(snapshot) => self.restore(snapshot, cx),
                Record::Purge { key, version } => self.purge_one(key, version),
                Record::Overwrite(entry) => self.overwrite(entry, cx),
                Record::Seen { newest, stamped } => {
                    self.stamps.see(newest);
                    self.stamps.has_given(stamped);
                }
            }
        }
    }

    /// Writes a record, if there is a log.
    #[inline]
    pub(super) fn log_record(
        &mut self,
        term: Term,
        record: impl FnOnce() -> Record,
        cx: &mut Context<'_, Self>,
    ) {
        if let Some(journal) = &mut self.journal {
            journal.append(term, &record(), cx);
        }
    }

    /// Does `then` once everything written is durable; at once without a log.
    pub(super) fn once_durable(&mut self, then: Deferred, cx: &mut Context<'_, Self>) {
        let then = match &mut self.journal {
            Some(journal) => journal.once_durable(then, cx),
            None => Some(then),
        };
        self.checkpoint_if_due(cx);
        if let Some(then) = then {
            self.proceed(then, cx);
        }
    }

    /// Whether what a step leads to need not wait for its records: nothing is to be put aside then.
    #[inline]
    pub(super) fn need_not_wait(&mut self, cx: &mut Context<'_, Self>) -> bool {
        let Some(journal) = &mut self.journal else { return true };
        let passes = journal.lets_pass(cx);
        if passes {
            self.checkpoint_if_due(cx);
        }
        passes
    }

    /// Whatever a step writes it has written, and stored, when it asks what comes next.
    #[inline]
    fn checkpoint_if_due(&mut self, cx: &mut Context<'_, Self>) {
        if self.journal.as_ref().is_some_and(Journal::is_checkpoint_due) {
            self.checkpoint(cx);
        }
    }

    /// The disk has finished a sync.
    pub(super) fn persisted(
        &mut self,
        ticket: Ticket,
        result: Result<(), DiskError>,
        cx: &mut Context<'_, Self>,
    ) {
        if result.is_err() {
            // Only the ballot is ever written to a disk that may be full.
            return self.ballot.refused(ticket);
        }
        self.ballot.persisted(ticket);
        while let Some(then) = self.ballot.next_ready(ticket, cx) {
            self.proceed(then, cx);
        }
        if let Some(journal) = &mut self.journal {
            journal.persisted(ticket, cx);
        }
        while let Some(then) = self.journal.as_mut().and_then(|journal| journal.next_ready(cx)) {
            self.proceed(then, cx);
        }
    }

    pub(super) fn proceed(&mut self, then: Deferred, cx: &mut Context<'_, Self>) {
        match then {
            Deferred::Replicate(accepted) => self.replicate(*accepted, cx),
            Deferred::ReplicateAll => self.replicate_all(cx),
            Deferred::Acknowledge { to, version } => self.acknowledge(to, version, cx),
            Deferred::Cleared(request) => Self::answer_clear(request, cx),
            Deferred::ShareState => self.share_state(cx),
            Deferred::ResendState { version, state } => self.resend_state((version, state), cx),
            Deferred::ShareLog { term, index } => {
                if self.leads() && term == self.term() {
                    self.ship_all(index, cx);
                }
            }
            Deferred::ReplicateUnsolicited(entry) => self.replicate_unsolicited(entry, cx),
            Deferred::AcknowledgeLog { to, term, index } => {
                self.acknowledge_log((to, term, index), cx)
            }
            Deferred::RequestVotes { term, round } => self.request_votes(term, round, cx),
            Deferred::Vote { to, term, granted } => self.send_vote((to, term, granted), cx),
            Deferred::Repeated(request, version) => self.answer_repeated(request, version, cx),
            Deferred::Compare { to, message } => cx.send(to, Message::AntiEntropy(message)),
            Deferred::Repaired { coordinator, read } => {
                self.acknowledge_repair(coordinator, read, cx)
            }
        }
    }

    /// Begins a checkpoint of what the node stores, which is what its log says up to here.
    #[cold]
    pub(super) fn checkpoint(&mut self, cx: &mut Context<'_, Self>) {
        if cx.disk_is_full() {
            return;
        }
        let entries: Vec<Entry> = contents(&self.store).collect();
        let (stamped, last_state) = (self.stamps.given(), self.last_state);
        let stamps = self.stamps.newest_beyond(&entries).map(|_| self.stamps_record());
        let Some(journal) = &mut self.journal else { return };
        let (covers, position) = (journal.written(), self.log.last());
        self.checkpointed = position.index;
        let snapshot = Snapshot { covers, stamped, last_state, position, entries };
        journal.checkpoint(snapshot, stamps, cx);
    }

    /// Takes in what a checkpoint has.
    pub(super) fn restore(&mut self, snapshot: Snapshot, cx: &mut Context<'_, Self>) {
        let Snapshot { stamped, last_state, position, entries, covers: _ } = snapshot;
        self.stamps.has_given(stamped);
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
            self.log = ReplicatedLog::from_base(position);
            self.rollback = Rollback::from_base(self.store.clone());
        }
    }
}
