//! What a node keeps on its disk, and what waits for the disk.

use crate::protocol::parts::entry::{Rules, StoredEntry, apply, contents};
use crate::protocol::{DiskError, Observation, Ticket};

use super::message::{Message, StateOrder};
use super::{Cx, LeaderFollower};

pub(super) use ballot::StoredBallot;
pub(super) use deferred::Deferred;
pub(super) use journal::Journal;
pub(super) use record::FILES;
pub use record::{Record, Snapshot};

mod ballot;
mod deferred;
mod journal;
pub(super) mod record;

impl LeaderFollower {
    /// Takes in what the log has, as it was taken in before.
    pub(super) fn take_records(&mut self, records: Vec<Record>, cx: &mut Cx<'_>) {
        for record in records {
            match record {
                Record::Write(entry) => {
                    self.replica.apply_and_log(entry, cx);
                }
                Record::State { order, entries } => self.restore_state(order, &entries, cx),
                Record::Clear => self.replica.store.clear(),
                Record::Entry(entry) => {
                    self.replication.log().recover_entry(entry, &mut self.replica, cx);
                }
                Record::Cut { behind } => {
                    self.replication.log().recover_cut(behind, &mut self.replica);
                }
                Record::Install { position, entries } => {
                    let log = self.replication.log();
                    log.recover_install(position, &entries, &mut self.replica);
                }
                Record::Ballot { .. } => unreachable!("the ballot has a file of its own"),
                Record::Checkpoint(snapshot) => self.restore(&snapshot, cx),
                Record::Purge { key, version } => {
                    self.replica.store.purge(key, version);
                    self.replication.purged(key, version);
                }
                Record::Overwrite(entry) => self.replica.overwrite(entry, cx),
                Record::Batch(entries) => self.replica.apply_batch(&entries, cx),
                Record::EntryBatch(entries) => {
                    for entry in entries {
                        self.replication.log().recover_entry(entry, &mut self.replica, cx);
                    }
                }
                Record::Seen { newest, stamped } => {
                    self.replica.stamps.see(newest);
                    self.replica.stamps.has_given(stamped);
                }
            }
        }
    }

    /// Does what is deferred once everything written is durable; at once without a log.
    pub(super) fn once_durable(&mut self, deferred: Deferred, cx: &mut Cx<'_>) {
        let deferred = match &mut self.replica.journal {
            Some(journal) => journal.once_durable(deferred, cx),
            None => Some(deferred),
        };
        self.checkpoint_if_due(cx);
        if let Some(deferred) = deferred {
            self.proceed(deferred, cx);
        }
    }

    /// Whether what a step leads to need not wait for its records: nothing is to be put aside then.
    #[inline]
    pub(super) fn need_not_wait(&mut self, cx: &mut Cx<'_>) -> bool {
        let Some(journal) = &mut self.replica.journal else { return true };
        let passes = journal.lets_pass(cx);
        if passes {
            self.checkpoint_if_due(cx);
        }
        passes
    }

    /// Whatever a step writes it has written, and stored, when it asks what comes next.
    #[inline]
    fn checkpoint_if_due(&mut self, cx: &mut Cx<'_>) {
        if self.replica.journal.as_ref().is_some_and(Journal::is_checkpoint_due) {
            self.checkpoint(cx);
        }
    }

    /// The buffered policy: time to sync.
    pub(super) fn flush(&mut self, cx: &mut Cx<'_>) {
        let journal = self.replica.journal.as_mut().expect("the timer runs where there is a log");
        journal.flush(cx);
    }

    /// The disk has finished a sync.
    pub(super) fn persisted(
        &mut self,
        ticket: Ticket,
        result: Result<(), DiskError>,
        cx: &mut Cx<'_>,
    ) {
        if result.is_err() {
            // Only the ballot is ever written to a disk that may be full.
            return self.replica.ballot.refused(ticket);
        }
        self.replica.ballot.persisted(ticket);
        while let Some(deferred) = self.replica.ballot.next_ready(ticket, cx) {
            self.proceed(deferred, cx);
        }
        if let Some(journal) = &mut self.replica.journal {
            journal.persisted(ticket, cx);
        }
        while let Some(deferred) =
            self.replica.journal.as_mut().and_then(|journal| journal.next_ready(cx))
        {
            self.proceed(deferred, cx);
        }
    }

    pub(super) fn proceed(&mut self, deferred: Deferred, cx: &mut Cx<'_>) {
        match deferred {
            Deferred::Replicate(accepted) => self.replicate(*accepted, cx),
            Deferred::ReplicateAll => self.replicate_all(cx),
            Deferred::Acknowledge { to, version } => self.acknowledge(to, version, cx),
            Deferred::Cleared(request) => Self::answer_clear(request, cx),
            Deferred::ShareState => self.share_state(cx),
            Deferred::ResendState { version, state } => self.resend_state(version, state, cx),
            Deferred::ShareLog { term, index } => self.share_log(term, index, cx),
            Deferred::ReplicateUnsolicited(entry) => self.replicate_unsolicited(entry, cx),
            Deferred::AcknowledgeLog { to, term, index } => self.send_appended(to, term, index, cx),
            Deferred::RequestVotes { term, round } => self.request_votes(term, round, cx),
            Deferred::Vote { to, term, granted } => self.send_vote(to, term, granted, cx),
            Deferred::Repeated(request, version) => self.answer_repeated(request, version, cx),
            Deferred::Compare { to, message } => cx.send(to, Message::AntiEntropy(message)),
            Deferred::Repaired { coordinator, read } => {
                self.acknowledge_repair(coordinator, read, cx);
            }
        }
    }

    /// Begins a checkpoint of what the node stores, which is what its log says up to here.
    #[cold]
    fn checkpoint(&mut self, cx: &mut Cx<'_>) {
        if cx.disk_is_full() {
            return;
        }
        let replica = &mut self.replica;
        let entries: Vec<StoredEntry> = contents(&replica.store).collect();
        let stamps = replica.stamps.newest_beyond(&entries).map(|_| replica.stamps_record());
        let journal = replica.journal.as_mut().expect("a log that is long enough is there");
        let (covers, stamped) = (journal.written(), replica.stamps.given());
        let snapshot = self.replication.checkpoint(covers, stamped, entries);
        journal.checkpoint(snapshot, stamps, cx);
    }

    /// Takes in what a checkpoint has.
    fn restore(&mut self, snapshot: &Snapshot, cx: &mut Cx<'_>) {
        let replica = &mut self.replica;
        replica.stamps.has_given(snapshot.stamped);
        if let Some(StateOrder { term, .. }) = snapshot.last_state {
            replica.ballot.was_in(term);
        }
        for entry in &snapshot.entries {
            let StoredEntry { key, stored, .. } = *entry;
            cx.observe(Observation::Apply { key, stored });
            apply(&mut replica.store, *entry, Rules::RESTORE);
            replica.note(stored.version);
        }
        replica.ballot.was_in(snapshot.position.term);
        self.replication.restore(snapshot, &replica.store);
    }
}
