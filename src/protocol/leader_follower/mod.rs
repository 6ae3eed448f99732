//! Leader-follower replication: one node takes all writes and sends them to the others.
//!
//! The path of a write: [`Protocol::handle`] takes the request; the leader stamps it with its wall clock, applies
//! it, sends it to all followers at once, and answers at once (asynchronous), when enough followers have
//! acknowledged (semi-synchronous) or when all have (synchronous). A follower applies what is newer than what it has
//! (last write wins) and acknowledges. A write that waits too long is answered anyway and marked degraded, or its
//! outcome is unknown. Nothing repairs a follower that missed a write unless resending or anti-entropy is on, or a
//! read repairs it.
//!
//! Reads are answered by the node asked, from what it has, unless they ask for several replicas. The store lives in memory, and without a write-ahead
//! log a node that crashes comes back with nothing. With one, what a store takes is written first to the log; under
//! the policies `fsync` and `group-commit` the leader replicates a write, and a follower acknowledges it, only when its
//! record is durable. A write can be read as soon as the node has accepted it, as in stores that apply and then
//! sync: after a power loss a value that was read, and not yet acknowledged, may be gone. A leader that starts again
//! sends everything to its followers once more, if resending is on.
//!
//! By default the scenario's leader leads for ever. With an election ([`Election`]) every node watches the others and
//! a new leader takes over in the next term; with a catch-up ([`CatchUp`]) a follower that was away gets what it
//! missed, as a full state or as the part of one log that it lacks. In that last case replication itself goes in the
//! order of the log, as in Raft.
//!
//! Reading order: `config`, `message`, this file (dispatch and the follower), `apply`, `leader`, `timestamps`,
//! `resend`, `journal`, `checkpoint`;
//! then `election` and `ballot` (who leads), `catch_up` (full state), `log` and `ordered` (one log), `in_sync`; `repair`,
//! `anti_entropy`, `tombstones`, `refused`; `promises`, `settling`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::Config as Scenario;
use crate::history::Failure;
use crate::id::{KeyId, LogIndex, NodeId, Position, Term, Version};
use crate::names::Names;
use crate::operation::Operation;
use crate::property::{Promises, SettlesWithin};
use crate::protocol::{
    Context, DiscardReason, DiskImage, DiskOrigin, FoundList, Input, NodeSnapshot, Observation,
    Outcome, Protocol, Reply, RequestId, Response, Role,
};

use crate::protocol::parts::wal::Policy;
use crate::time::Wall;

use self::election::FailureDetector;
use self::in_sync::Membership;
use self::leader::Leading;
use self::rollback::Rollback;
use self::storage::{Deferred, Journal, StoredBallot};
use super::parts::anti_entropy::Turns;
use super::parts::log::ReplicatedLog;
use super::parts::quorum::Quorum;
use super::parts::reads::CoordinatedReads;
use super::parts::stamps::Stamps;
use super::parts::store::Store;
use super::parts::tombstones::Tombstones;

mod accepted;
mod anti_entropy;
mod apply;
mod catch_up;
mod config;
mod election;
mod in_sync;
mod leader;
mod message;
mod ordered;
mod promises;
mod refused;
mod repair;
mod resend;
mod rollback;
mod settling;
mod stamps;
#[cfg(test)]
mod stamps_kept;
mod storage;
mod tombstones;

pub use super::parts::anti_entropy::{RangeDigest, Ranges};
pub use super::parts::entry::{Deletes, Entry};
pub use super::parts::stamps::{TimestampSource, Timestamps};
pub use config::{
    CatchUp, Config, Defect, Defects, Election, Failover, FullStateIs, Mode, OnAckTimeout, Reads,
    RepairAnswer, Replication, Tail, WalOn, WalSettings, WithoutLeader,
};
pub use message::{
    AntiEntropy, FullState, InSync, Installed, LogEntry, Message, Repair, Round, StateOrder, Vote,
    VoteRequest,
};
pub use storage::{Record, Snapshot};

/// A node of a leader-follower cluster.
#[derive(Debug)]
pub struct LeaderFollower {
    config: Config,
    me: NodeId,
    nodes: u16,
    leader: Option<NodeId>,
    store: Store,
    leading: Leading,
    /// As follower, the place of the last full state taken; an older one that arrives late is dropped.
    last_state: Option<StateOrder>,
    /// The write-ahead log; `None` when nothing is logged.
    journal: Option<Journal>,
    /// Whether there is neither a log nor an election: what a message says is all that there is to do.
    is_plain: bool,
    ballot: StoredBallot,
    /// Who votes: every node.
    quorum: Quorum,
    detector: FailureDetector,
    in_sync: Membership,
    /// The replicated log, under catch-up by log.
    log: ReplicatedLog<Entry>,
    rollback: Rollback,
    /// Up to which index of the replicated log the last checkpoint reaches.
    checkpointed: LogIndex,
    /// As follower under catch-up by log: entries that came before those that they follow.
    early: BTreeMap<Position, Arc<[LogEntry]>>,
    /// As follower under catch-up by full state: whether it has had the state of the leader that it follows.
    joined: bool,
    /// Requests that wait for a leader.
    parked: Vec<(RequestId, Operation, Wall)>,
    stamps: Stamps,
    reads: CoordinatedReads,
    turns: Turns,
    tombstones: Tombstones,
}

/// The timers of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// Leader: the oldest unanswered write has waited long enough.
    AckTimeout,
    /// Leader: time to send unacknowledged writes again.
    Resend,
    /// Buffered log: what was written has been left unsynced for long enough.
    Flush,
    /// Time to send heartbeats.
    Heartbeat,
    /// Not the leader: the election timeout may be over.
    Election,
    /// Leader: time to see who is in sync.
    InSync,
    /// Coordinator: the oldest read of several replicas has waited long enough.
    ReadTimeout,
    /// Time to compare with another replica.
    AntiEntropy,
    /// A tombstone's grace period is over.
    Purge,
}

impl Protocol for LeaderFollower {
    type Config = Config;
    type Message = Message;
    type Record = Record;
    type Timer = Timer;

    const REPLAY_RESTORES_DATA: bool = true;
    const FILES: &'static [&'static str] = storage::FILES;

    fn recover(config: &Config, disk: &DiskImage, cx: &mut Context<'_, Self>) -> Self {
        // A node without a log has settings of its own.
        let leads_for_ever = cx.initial_leader() == Some(cx.node());
        let policy = config.wal.policy_on(leads_for_ever);
        let config = &Config { wal: WalSettings { policy, ..config.wal }, ..*config };
        let (ballot, in_sync) = StoredBallot::recover(config, disk);
        let forgotten = match disk.origin() {
            DiskOrigin::New => false,
            DiskOrigin::Kept => !ballot.persists(),
            DiskOrigin::Replaced => true,
        };
        let mut node = Self {
            config: *config,
            me: cx.node(),
            nodes: cx.nodes(),
            leader: None,
            store: Store::default(),
            leading: Leading::boot(cx.monotonic()),
            last_state: None,
            journal: None,
            is_plain: config.wal.policy == Policy::Off && !config.failover.is_on(),
            ballot,
            quorum: Quorum::simple(NodeId::all(cx.nodes()).collect()),
            detector: FailureDetector::new(cx.nodes()),
            in_sync: Membership::boot(config.mode, in_sync, forgotten, cx.nodes()),
            log: ReplicatedLog::default(),
            rollback: Rollback::default(),
            checkpointed: LogIndex(0),
            early: BTreeMap::new(),
            joined: false,
            parked: Vec::new(),
            stamps: Stamps::default(),
            reads: CoordinatedReads::default(),
            turns: Turns::default(),
            tombstones: Tombstones::new(config.tombstone_grace),
        };
        if let Some(interval) = config.anti_entropy {
            cx.set_timer(Timer::AntiEntropy, interval);
        }
        match Journal::open(config, disk, cx) {
            Err(corruption) => cx.stop(corruption.to_string()),
            Ok(None) => node.start(disk.origin(), false, cx),
            Ok(Some((journal, records))) => {
                let has_records = !records.is_empty();
                node.take_records(records, cx);
                node.journal = Some(journal);
                node.start(disk.origin(), has_records, cx);
            }
        }
        node
    }

    #[inline]
    fn handle(&mut self, input: Input<Self>, cx: &mut Context<'_, Self>) {
        match input {
            Input::Message { from, message } => self.receive(from, message, cx),
            Input::Refused { to } => self.came_back(to, cx),
            Input::Request { request, operation, stamped, .. } => {
                self.stamps.serve(stamped);
                self.serve(request, operation, cx);
            }
            Input::Timer(Timer::AckTimeout) => self.ack_timeout(cx),
            Input::Timer(Timer::Resend) => self.resend(cx),
            Input::Timer(Timer::Flush) => {
                if let Some(journal) = &mut self.journal {
                    journal.flush(cx);
                }
            }
            Input::Timer(Timer::ReadTimeout) => self.read_timeout(cx),
            Input::Timer(Timer::AntiEntropy) => self.compare_with_next_peer(cx),
            Input::Timer(Timer::Purge) => self.purge(cx),
            Input::Timer(Timer::Heartbeat) => self.heartbeat(cx),
            Input::Timer(Timer::Election) => self.election_timeout(cx),
            Input::Timer(Timer::InSync) => self.review_in_sync(cx),
            Input::Persisted(ticket, result) => self.persisted(ticket, result, cx),
        }
    }

    fn snapshot(&self) -> NodeSnapshot {
        NodeSnapshot {
            term: self.term(),
            leader: self.named_leader(),
            awaits: if self.follows_the_awaited() { None } else { self.awaited() },
            mode: self.config.mode.name(),
            peers: NodeId::all(self.nodes).filter(|node| *node != self.me).collect(),
            pending: self.pending(),
            owed: self.leading.owed(),
            data: self.store.to_map(),
            lists: self.store.to_lists(),
            ..NodeSnapshot::new(self.me, self.role())
        }
    }

    fn describe_record(record: &Record, names: &Names) -> String {
        storage::record_text(record, names)
    }

    fn promises(config: &Config, scenario: &Scenario) -> Promises {
        promises::promises(config, scenario)
    }

    fn settles_within(config: &Config, scenario: &Scenario) -> SettlesWithin {
        settling::settles_within(config, scenario)
    }
}

impl LeaderFollower {
    /// Takes up its role after its records have been read back.
    fn start(&mut self, disk: DiskOrigin, has_records: bool, cx: &mut Context<'_, Self>) {
        self.bury_all(cx);
        if self.config.failover.is_on() {
            return self.start_role(disk == DiskOrigin::New, cx);
        }
        self.ballot.was_in(Term(1));
        self.leader = cx.initial_leader();
        cx.observe(Observation::Role { role: self.role(), term: Term(1) });
        if self.leads() && has_records && self.config.resend.is_some() {
            self.once_durable(Deferred::ReplicateAll, cx);
        }
    }

    #[inline]
    fn leads(&self) -> bool {
        self.leader == Some(self.me)
    }

    fn role(&self) -> Role {
        match self.leader {
            Some(leader) if leader == self.me => Role::Leader,
            None if self.config.failover.is_on() && !self.follows_the_awaited() => Role::Candidate,
            _ => Role::Follower,
        }
    }

    fn follows_the_awaited(&self) -> bool {
        self.config.defects.has(Defect::FollowTheAwaited)
    }

    /// Whom it names to others as the leader.
    fn named_leader(&self) -> Option<NodeId> {
        match self.leader {
            None if self.follows_the_awaited() => self.awaited(),
            leader => leader,
        }
    }

    /// Whether a log is kept and its disk is full. The node lives on: it answers reads, refuses writes, and as
    /// follower takes in nothing that it could not acknowledge.
    #[inline]
    fn cannot_write(&self, cx: &Context<'_, Self>) -> bool {
        self.journal.is_some() && cx.disk_is_full()
    }

    fn pending(&self) -> Vec<String> {
        let mut pending = self.leading.pending();
        pending.extend(self.awaits_leader());
        pending.extend(self.pending_reads());
        let waiting = self.journal.as_ref().map_or(0, Journal::waiting) + self.ballot.waiting();
        if waiting > 0 {
            let what = if waiting == 1 { "record awaits its" } else { "records await their" };
            pending.push(format!("{waiting} {what} sync"));
        }
        pending
    }

    #[inline]
    fn receive(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        // Two messages are all that a store in memory with a leader for ever sends: they go the shortest way.
        if self.is_plain {
            match message {
                Message::Replicate { entry, .. } => {
                    self.apply_and_log(entry, cx);
                    return self.acknowledge(from, entry.stored.version, cx);
                }
                Message::Ack { version, .. } => return self.acknowledged(from, version, cx),
                other => return self.receive_any(from, other, cx),
            }
        }
        self.receive_any(from, message, cx);
    }

    #[inline(never)]
    fn receive_any(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        if message.brings_writes() && self.cannot_write(cx) {
            return;
        }
        match message {
            Message::Repair(message) => return self.receive_repair(from, message, cx),
            Message::AntiEntropy(message) => return self.receive_anti_entropy(from, message, cx),
            _ => {}
        }
        if self.config.failover.is_on() && !self.accept_term(from, &message, cx) {
            return;
        }
        let version = match message {
            Message::Ack { version, .. } => return self.acknowledged(from, version, cx),
            Message::Replicate { entry, .. } => {
                self.apply_and_log(entry, cx);
                entry.stored.version
            }
            Message::ReplicateMany { version, entries, .. } => {
                for entry in &*entries {
                    self.apply_and_log(*entry, cx);
                }
                if entries.is_empty() {
                    self.note_apart(version, cx);
                }
                version
            }
            Message::State { term, version, state } => {
                let (incarnation, sequence) = (state.incarnation.nanos(), version.sequence);
                let order = StateOrder { term, leader: from, incarnation, sequence };
                self.take_state(from, (order, version.timestamp), &state.entries, cx);
                if self.config.timestamps.source == TimestampSource::Hybrid {
                    // It is above all that the leader has seen, and the state need not show that.
                    self.note_apart(version, cx);
                }
                version
            }
            rare => return self.receive_rare(from, rare, cx),
        };
        if self.need_not_wait(cx) {
            self.acknowledge(from, version, cx);
        } else {
            self.once_durable(Deferred::Acknowledge { to: from, version }, cx);
        }
    }

    /// Messages that only elections and catching up need.
    fn receive_rare(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        match message {
            Message::Heartbeat { leads, last, .. } => self.compare(from, (leads, last), cx),
            Message::RequestVote(request) => self.vote(from, request, cx),
            Message::Vote(vote) => self.voted(from, vote, cx),
            Message::Join { .. } => self.admit_follower(from, cx),
            Message::Append { previous, entries, .. } => {
                self.take_entries(from, (previous, entries), cx);
            }
            Message::Appended { index, .. } => self.appended(from, index, cx),
            Message::Behind { last, .. } => self.behind(from, last, cx),
            Message::Install { position, state, .. } => {
                self.take_install(from, (position, &state), cx);
            }
            Message::Offer { entries, .. } => self.take_offer(&entries, cx),
            Message::Replicate { .. }
            | Message::ReplicateMany { .. }
            | Message::State { .. }
            | Message::Ack { .. }
            | Message::Repair(_)
            | Message::AntiEntropy(_) => {}
        }
    }

    #[inline]
    fn acknowledge(&self, leader: NodeId, version: Version, cx: &mut Context<'_, Self>) {
        cx.send(leader, Message::Ack { term: self.term(), version });
    }

    fn serve(&mut self, request: RequestId, operation: Operation, cx: &mut Context<'_, Self>) {
        match operation {
            Operation::Get { key, .. } if !self.store.elements(key).is_empty() => {
                cx.reply(request, self.read_list(key));
            }
            Operation::Get { key, quorum: Some(quorum) } if quorum.replicas > 1 => {
                self.coordinate(request, key, quorum, cx);
            }
            Operation::Get { key, .. } => {
                cx.reply(request, self.answer_read(self.store.stored(key), self.leads()));
            }
            Operation::List | Operation::ReadAll => {
                let items = self.store.items(operation == Operation::ReadAll);
                cx.reply(request, Reply::of(Outcome::Ok(Response::Contents(items))));
            }
            _ if self.cannot_write(cx) => {
                cx.reply(request, Reply::of(Outcome::Refused(Failure::Disk)));
            }
            _ if self.leads() => self.lead_write(request, operation, cx),
            _ if self.parks() => self.parked.push((request, operation, self.stamps.client())),
            // A follower does not refuse a clear and does not pass it on: it empties itself alone.
            Operation::Clear => self.clear_alone(request, cx),
            Operation::Put { .. } | Operation::Delete { .. } | Operation::Append { .. } => {
                let failure = match self.role() {
                    Role::Candidate => Failure::NoLeader,
                    // A leader for ever that nobody is.
                    _ if !self.config.failover.is_on() && self.leader.is_none() => {
                        Failure::NoLeader
                    }
                    Role::Follower | Role::Leader => Failure::NotLeader,
                };
                let refusal = Reply::of(Outcome::Refused(failure));
                cx.reply(request, Reply { leader: self.named_leader(), ..refusal });
            }
        }
    }

    /// A list is read from the node asked alone.
    fn read_list(&self, key: KeyId) -> Reply {
        let elements = self.store.elements(key).iter().map(|(_, element)| *element).collect();
        match self.store.get(key) {
            Some((value, version)) => {
                let found = Box::new(FoundList { value, version, elements });
                Reply::of(Outcome::Ok(Response::List(found)))
            }
            None => Reply::of(Outcome::Ok(Response::Absent)),
        }
    }

    fn clear_alone(&mut self, request: RequestId, cx: &mut Context<'_, Self>) {
        for (key, held) in self.store.iter() {
            let reason = DiscardReason::Cleared;
            cx.observe(Observation::Discard { key, stored: held, reason });
        }
        self.store.clear();
        self.log_record(self.term(), || Record::Clear, cx);
        self.once_durable(Deferred::Cleared(request), cx);
    }

    fn answer_clear(request: RequestId, cx: &mut Context<'_, Self>) {
        cx.reply(request, Reply::of(Outcome::Ok(Response::Cleared)));
    }
}
