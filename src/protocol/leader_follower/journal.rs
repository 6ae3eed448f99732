//! A node's write-ahead log: what is written to it, and what waits until that is durable.
//!
//! | policy | a write is replicated, counted and answered, and a follower acknowledges it |
//! |---|---|
//! | off | at once; nothing is written |
//! | buffered | when it is written; what was written is synced every so often |
//! | fsync | when a sync of its own has made it durable |
//! | group commit | when a sync has made it durable, which it shares with all that arrived while one was under way |
//!
//! Every so often the log is cut: see [`super::checkpoint`].

use std::collections::VecDeque;
use std::sync::Arc;

use crate::id::{KeyId, LogIndex, NodeId, Position, Term, Version};
use crate::protocol::wal::{Policy, Wal};
use crate::protocol::{Context, DiskError, DiskImage, File, Origin, RequestId, Ticket};

use super::anti_entropy::AntiEntropy;
use super::checkpoint::{Checkpoints, Snapshot, Unreadable};
use super::leader::Accepted;
use super::log::LogEntry;
use super::message::{Entry, FullState, InSync, Message, Round, StateOrder};
use super::{Config, LeaderFollower, Timer};

const LOG: File = File(0);

/// What a node writes to its log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Record {
    /// A write that the store took.
    Write(Entry),
    /// A full state that a follower took in the place of its store.
    State {
        /// Its place among all states.
        order: StateOrder,
        /// Everything in it.
        entries: Vec<Entry>,
    },
    /// A clear that emptied this replica alone.
    Clear,
    /// An entry of the replicated log.
    Entry(LogEntry),
    /// The replicated log was cut behind an index.
    Cut {
        /// The last index that stayed.
        behind: LogIndex,
    },
    /// A state at a position of the replicated log took the place of log and store.
    Install {
        /// The position.
        position: Position,
        /// Everything in it.
        entries: Vec<Entry>,
    },
    /// Term and vote, in a file of their own.
    Ballot {
        /// The term.
        term: Term,
        /// Whom the node voted for in it.
        vote: Option<NodeId>,
        /// The in-sync set that it believes in.
        in_sync: Option<InSync>,
    },
    /// What a node stored, in the place of the records up to one; in the file of the checkpoint.
    Checkpoint(Snapshot),
    /// A tombstone that was purged.
    Purge {
        /// The key.
        key: KeyId,
        /// The delete's version.
        version: Version,
    },
    /// A write that the store took in the place of a newer one: a defect of repair.
    Overwrite(Entry),
    /// Stamps that the other records do not show; in the log, and before the checkpoint in its file.
    Seen {
        /// The newest timestamp that the node has seen.
        newest: i64,
        /// How many writes it has stamped.
        stamped: u32,
    },
}

/// What a node does once its log is durable up to here.
#[derive(Debug)]
pub(super) enum Deferred {
    /// Leader: replicate a write and answer it.
    Replicate(Box<Accepted>),
    /// Leader, after a start: send everything to followers that may lack it.
    ReplicateAll,
    /// Follower: acknowledge a write.
    Acknowledge { to: NodeId, version: Version },
    /// Answer a clear of this replica alone.
    Cleared(RequestId),
    /// New leader: send everybody everything.
    ShareState,
    /// Leader, after a start: send this state to followers until they acknowledge it.
    ResendState { version: Version, state: Arc<FullState> },
    /// Leader of a term: send everybody the log up to an index.
    ShareLog { term: Term, index: LogIndex },
    /// Leader: send a write that no client waits for.
    ReplicateUnsolicited(Entry),
    /// Follower: acknowledge the leader's log up to an index.
    AcknowledgeLog { to: NodeId, term: Term, index: LogIndex },
    /// Candidate: ask for votes.
    RequestVotes { term: Term, round: Round },
    /// Answer a candidate.
    Vote { to: NodeId, term: Term, granted: bool },
    /// Leader: answer a retried append, which has been accepted before.
    Repeated(RequestId, Version),
    /// Tell another replica what is stored here: the two differ.
    Compare { to: NodeId, message: AntiEntropy },
    /// Replica: tell the coordinator of a read that what it wrote back is here.
    Repaired { coordinator: NodeId, read: RequestId },
}

/// The log, and what waits for it.
#[derive(Debug)]
pub(super) struct Journal {
    policy: Policy,
    log: Wal,
    /// The oldest first.
    waiting: VecDeque<Waiting>,
    /// Whether the timer of the buffered policy runs.
    flush_is_set: bool,
    checkpoints: Checkpoints,
}

#[derive(Debug)]
struct Waiting {
    /// The last record that has to be durable.
    sequence: u64,
    origin: Origin,
    then: Deferred,
}

impl Journal {
    /// The log as the disk kept it, with its records from the checkpoint on, synced from now on; `None` when nothing
    /// is logged.
    pub(super) fn open(
        config: &Config,
        disk: &DiskImage,
        cx: &mut Context<'_, LeaderFollower>,
    ) -> Result<Option<(Self, Vec<Record>)>, Unreadable> {
        let policy = config.wal.policy;
        if policy == Policy::Off {
            return Ok(None);
        }
        let (checkpoints, mut records) = Checkpoints::open(config, disk)?;
        let (defects, covers) = (config.defects.of_the_wal(), checkpoints.covers());
        let (mut log, beyond) = Wal::open((LOG, covers), defects, disk, cx)?;
        log.sync(cx);
        records.extend(beyond);
        let (waiting, flush_is_set) = (VecDeque::new(), false);
        Ok(Some((Self { policy, log, waiting, flush_is_set, checkpoints }, records)))
    }

    /// Writes a record.
    pub(super) fn append(
        &mut self,
        term: Term,
        record: &Record,
        cx: &mut Context<'_, LeaderFollower>,
    ) {
        self.log.append(term, record, cx);
        self.checkpoints.appended(term, record);
    }

    /// Whether enough was written since the last checkpoint for another one.
    #[inline]
    pub(super) fn is_checkpoint_due(&self) -> bool {
        self.checkpoints.is_due(self.log.written())
    }

    /// Begins a checkpoint with what the node stores, and the stamps that this does not show.
    pub(super) fn checkpoint(
        &mut self,
        snapshot: Snapshot,
        stamps: Option<Record>,
        cx: &mut Context<'_, LeaderFollower>,
    ) {
        self.checkpoints.begin(snapshot, stamps, &mut self.log, cx);
    }

    /// The sequence of the last record written.
    pub(super) fn written(&self) -> u64 {
        self.log.written()
    }

    /// Hands `then` back when it may be done now; else it waits until all that is written so far is durable.
    pub(super) fn once_durable(
        &mut self,
        then: Deferred,
        cx: &mut Context<'_, LeaderFollower>,
    ) -> Option<Deferred> {
        if self.lets_pass(cx) {
            return Some(then);
        }
        if self.policy == Policy::Fsync || !self.log.is_syncing() {
            self.log.sync(cx);
        }
        let sequence = self.log.written();
        self.waiting.push_back(Waiting { sequence, origin: cx.origin(), then });
        None
    }

    /// Whether what depends on all that is written need not wait for a sync; what is merely buffered is synced in time.
    #[inline]
    fn lets_pass(&mut self, cx: &mut Context<'_, LeaderFollower>) -> bool {
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
    pub(super) fn flush(&mut self, cx: &mut Context<'_, LeaderFollower>) {
        self.flush_is_set = false;
        self.log.sync(cx);
    }

    /// A sync has completed. What arrived meanwhile shares the next one, which is caused by the first of them.
    pub(super) fn persisted(&mut self, ticket: Ticket, cx: &mut Context<'_, LeaderFollower>) {
        self.log.persisted(ticket);
        self.checkpoints.persisted(ticket, &mut self.log, cx);
        if self.policy != Policy::GroupCommit || self.log.is_syncing() {
            return;
        }
        let durable = self.log.durable();
        if let Some(opener) = self.waiting.iter().find(|waiting| waiting.sequence > durable) {
            cx.continue_from(opener.origin);
            self.log.sync(cx);
        }
    }

    /// The next of what need not wait any longer.
    pub(super) fn next_ready(&mut self, cx: &mut Context<'_, LeaderFollower>) -> Option<Deferred> {
        let durable = self.log.durable();
        let Waiting { origin, then, .. } =
            self.waiting.pop_front_if(|waiting| waiting.sequence <= durable)?;
        cx.continue_from(origin);
        Some(then)
    }

    /// How much waits.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

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
                Record::Ballot { .. } => {}
                Record::Checkpoint(snapshot) => self.restore(snapshot, cx),
                Record::Purge { key, version } => self.purge_one(key, version),
                Record::Overwrite(entry) => self.overwrite(entry, cx),
                Record::Seen { newest, stamped } => {
                    self.stamping.sees(newest);
                    self.leading.has_numbered(stamped);
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
        while let Some(then) = self.ballot.next_ready(cx) {
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
                self.acknowledge_log((to, term, index), cx);
            }
            Deferred::RequestVotes { term, round } => self.request_votes(term, round, cx),
            Deferred::Vote { to, term, granted } => self.send_vote((to, term, granted), cx),
            Deferred::Repeated(request, version) => self.answer_repeated(request, version, cx),
            Deferred::Compare { to, message } => cx.send(to, Message::AntiEntropy(message)),
            Deferred::Repaired { coordinator, read } => {
                self.acknowledge_repair(coordinator, read, cx);
            }
        }
    }
}
