//! Leader-follower replication: one node takes all writes and sends them to the others.
//!
//! The path of a write: [`Protocol::handle`] takes the request; the leader stamps it with its wall clock, applies
//! it, sends it to all followers at once, and answers at once (asynchronous), when enough followers have
//! confirmed (semi-synchronous) or when all have (synchronous). A follower applies what is newer than what it has
//! (last write wins) and confirms. A write that waits too long is answered anyway and marked degraded, or its
//! outcome is unknown. Nothing repairs a follower that missed a write unless resending is on.
//!
//! Reads are answered by the node asked, from what it has. The store lives in memory, and without a write-ahead
//! log a node that crashes comes back with nothing. With one, what a store takes is written first to the log; under
//! the policies `fsync` and `group-commit` the leader replicates a write, and a follower confirms it, only when its
//! record is durable. A write can be read as soon as the node has accepted it, as in stores that apply and then
//! sync: after a power loss a value that was read, and not yet acknowledged, may be gone. A leader that starts again
//! sends everything to its followers once more, if resending is on.
//!
//! By default the scenario's leader leads for ever. With an election ([`Election`]) every node watches the others and
//! a new leader takes over in the next term; with a catch-up ([`CatchUp`]) a follower that was away gets what it
//! missed, as a full state or as the part of one log that it lacks. In that last case replication itself goes in the
//! order of the log, as in Raft.
//!
//! Reading order: `config`, `message`, this file (dispatch and the follower), `leader`, `resend`, `journal`, `checkpoint`;
//! then `election` and `ballot` (who leads), `catch_up` (full state), `log` and `ordered` (one log), `in_sync`; `promises`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{Config as Scenario, Operation};
use crate::history::Failure;
use crate::id::{KeyId, NodeId, Version};
use crate::property::Promises;
use crate::protocol::{
    Context, DiscardReason, DiskImage, FoundList, Input, NodeSnapshot, Observation, Outcome,
    Protocol, Reply, RequestId, Response, Role,
};

use self::ballot::Ballot;
use self::election::Watch;
use self::in_sync::Membership;
use self::journal::{Journal, Then};
use self::leader::Leading;
use self::log::Log;
use super::store::Store;

mod ballot;
mod catch_up;
mod checkpoint;
mod config;
mod election;
mod in_sync;
mod journal;
mod leader;
mod log;
mod message;
mod ordered;
mod promises;
mod resend;

pub use checkpoint::Snapshot;
pub use config::{
    CatchUp, Config, Defect, Defects, Deletes, Election, Failover, Mode, OnAckTimeout, Replication,
    Tail, Wal, WithoutLeader,
};
pub use journal::Record;
pub use log::{LogEntry, Position};
pub use message::{Entry, InSync, Message};

/// A node of a leader-follower cluster.
#[derive(Debug)]
pub struct LeaderFollower {
    config: Config,
    me: NodeId,
    nodes: u16,
    leader: Option<NodeId>,
    store: Store,
    /// The highest timestamp of a write that it has stored.
    newest: i64,
    leading: Leading,
    /// As follower, the last full state taken, with its term and its leader's life; an older one that arrives late is
    /// dropped.
    last_state: Option<(u32, u32, Version)>,
    /// The write-ahead log; `None` when nothing is logged.
    journal: Option<Journal>,
    ballot: Ballot,
    watch: Watch,
    in_sync: Membership,
    /// The replicated log, under catch-up by log.
    log: Log,
    /// As follower under catch-up by log: entries that came before those that they follow.
    early: BTreeMap<Position, Arc<[LogEntry]>>,
    /// As follower under catch-up by full state: whether it has had the state of the leader that it follows.
    joined: bool,
    /// Requests that wait for a leader.
    parked: Vec<(RequestId, Operation)>,
}

/// The timers of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// Leader: the oldest unanswered write has waited long enough.
    AckTimeout,
    /// Leader: time to send unconfirmed writes again.
    Resend,
    /// Buffered log: what was written has been left unsynced for long enough.
    Flush,
    /// Time to send heartbeats.
    Heartbeat,
    /// Who does not lead: the patience with a silent leader, or with having none, may be at its end.
    Watch,
    /// Leader: time to see who is in sync.
    InSync,
}

impl Protocol for LeaderFollower {
    type Config = Config;
    type Message = Message;
    type Record = Record;
    type Timer = Timer;

    const REPLAY_RESTORES_DATA: bool = true;

    fn recover(config: &Config, disk: &DiskImage, cx: &mut Context<'_, Self>) -> Self {
        let (ballot, in_sync) = Ballot::recover(config, disk);
        let mut node = Self {
            config: *config,
            me: cx.node(),
            nodes: cx.nodes(),
            leader: None,
            store: Store::default(),
            newest: i64::MIN,
            leading: Leading::boot(cx.random()),
            last_state: None,
            journal: None,
            ballot,
            watch: Watch::new(cx.nodes()),
            in_sync: Membership::boot(config.mode, in_sync, cx.nodes()),
            log: Log::default(),
            early: BTreeMap::new(),
            joined: false,
            parked: Vec::new(),
        };
        match Journal::open(config, disk, cx) {
            Err(corruption) => cx.stop(corruption.to_string()),
            Ok(None) => node.start(true, cx),
            Ok(Some((journal, records))) => {
                let is_new = records.is_empty();
                node.take_records(records, cx);
                node.journal = Some(journal);
                node.start(is_new, cx);
            }
        }
        node
    }

    #[inline]
    fn handle(&mut self, input: Input<Self>, cx: &mut Context<'_, Self>) {
        match input {
            Input::Message { from, message } => self.receive(from, message, cx),
            Input::Request { request, operation, .. } => self.serve(request, operation, cx),
            Input::Timer(Timer::AckTimeout) => self.ack_timeout(cx),
            Input::Timer(Timer::Resend) => self.resend(cx),
            Input::Timer(Timer::Flush) => {
                if let Some(journal) = &mut self.journal {
                    journal.flush(cx);
                }
            }
            Input::Timer(Timer::Heartbeat) => self.heartbeat(cx),
            Input::Timer(Timer::Watch) => self.watch(cx),
            Input::Timer(Timer::InSync) => self.review_in_sync(cx),
            Input::Persisted(ticket, result) => self.persisted(ticket, result, cx),
        }
    }

    fn snapshot(&self) -> NodeSnapshot {
        NodeSnapshot {
            term: self.term().into(),
            leader: self.leader,
            awaits: self.awaited(),
            mode: self.config.mode.name(),
            peers: NodeId::all(self.nodes).filter(|node| *node != self.me).collect(),
            pending: self.pending(),
            data: self.store.to_map(),
            lists: self.store.to_lists(),
            ..NodeSnapshot::new(self.me, self.role())
        }
    }

    fn promises(config: &Config, scenario: &Scenario) -> Promises {
        promises::promises(config, scenario)
    }
}

impl LeaderFollower {
    /// Takes up its role after its records have been read back.
    fn start(&mut self, is_new: bool, cx: &mut Context<'_, Self>) {
        if self.config.failover.is_on() {
            return self.take_place(is_new && self.ballot.term() == 0, cx);
        }
        self.ballot.was_in(1);
        self.leader = cx.initial_leader();
        cx.observe(Observation::Role { role: self.role(), term: 1 });
        if self.leads() && !is_new && self.config.resend.is_some() {
            self.once_durable(Then::ReplicateAll, cx);
        }
    }

    #[inline]
    fn leads(&self) -> bool {
        self.leader == Some(self.me)
    }

    fn role(&self) -> Role {
        match self.leader {
            Some(leader) if leader == self.me => Role::Leader,
            None if self.config.failover.is_on() => Role::Candidate,
            _ => Role::Follower,
        }
    }

    /// Whether a log is kept and its disk is full. The node lives on: it answers reads, refuses writes, and as
    /// follower takes in nothing that it could not confirm.
    #[inline]
    fn cannot_write(&self, cx: &Context<'_, Self>) -> bool {
        self.journal.is_some() && cx.disk_is_full()
    }

    fn pending(&self) -> Vec<String> {
        let mut pending = self.leading.pending();
        pending.extend(self.awaits_leader());
        let waiting = self.journal.as_ref().map_or(0, Journal::waiting) + self.ballot.waiting();
        if waiting > 0 {
            let what = if waiting == 1 { "record awaits its" } else { "records await their" };
            pending.push(format!("{waiting} {what} sync"));
        }
        pending
    }

    #[inline]
    fn receive(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        if message.brings_writes() && self.cannot_write(cx) {
            return;
        }
        if self.config.failover.is_on() && !self.admit(from, &message, cx) {
            return;
        }
        let version = match message {
            Message::Ack { version, .. } => return self.confirmed(from, version, cx),
            Message::Replicate { entry, .. } => {
                self.take(entry, cx);
                entry.stored.version
            }
            Message::ReplicateMany { version, entries, .. } => {
                for entry in &*entries {
                    self.take(*entry, cx);
                }
                version
            }
            Message::State { term, life, version, entries } => {
                self.take_state(from, (term, life, version), &entries, cx);
                version
            }
            rare => return self.receive_rare(from, rare, cx),
        };
        if self.journal.is_none() {
            self.acknowledge(from, version, cx);
        } else {
            self.once_durable(Then::Acknowledge { to: from, version }, cx);
        }
    }

    /// Messages that only elections and catching up need.
    fn receive_rare(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        match message {
            Message::Heartbeat { leads, last, .. } => self.compare(from, (leads, last), cx),
            Message::RequestVote { term, last, pre } => self.vote(from, (term, last, pre), cx),
            Message::Vote { term, granted, pre } => self.voted(from, (term, granted, pre), cx),
            Message::Join { .. } => self.admit_follower(from, cx),
            Message::Append { previous, entries, .. } => {
                self.take_entries(from, (previous, entries), cx);
            }
            Message::Appended { index, .. } => self.appended(from, index, cx),
            Message::Behind { last, .. } => self.behind(from, last, cx),
            Message::Install { position, entries, .. } => {
                self.take_install(from, (position, &entries), cx);
            }
            Message::Offer { entries, .. } => self.take_offer(&entries, cx),
            Message::Replicate { .. }
            | Message::ReplicateMany { .. }
            | Message::State { .. }
            | Message::Ack { .. } => {}
        }
    }

    #[inline]
    fn acknowledge(&self, leader: NodeId, version: Version, cx: &mut Context<'_, Self>) {
        cx.send(leader, Message::Ack { term: self.term(), version });
    }

    fn serve(&mut self, request: RequestId, operation: Operation, cx: &mut Context<'_, Self>) {
        match operation {
            Operation::Get { key } => cx.reply(request, self.read(key)),
            Operation::List | Operation::ReadAll => {
                let items = self.store.items(operation == Operation::ReadAll);
                cx.reply(request, Reply::of(Outcome::Ok(Response::Contents(items))));
            }
            _ if self.cannot_write(cx) => {
                cx.reply(request, Reply::of(Outcome::Refused(Failure::Disk)));
            }
            _ if self.leads() => self.lead_write(request, operation, cx),
            _ if self.parks() => self.parked.push((request, operation)),
            // A follower does not refuse a clear and does not pass it on: it empties itself alone.
            Operation::Clear => self.clear_alone(request, cx),
            Operation::Put { .. } | Operation::Delete { .. } | Operation::Append { .. } => {
                let failure = match self.leader {
                    Some(_) => Failure::NotLeader,
                    None => Failure::NoLeader,
                };
                let refusal = Reply::of(Outcome::Refused(failure));
                cx.reply(request, Reply { leader: self.leader, ..refusal });
            }
        }
    }

    fn read(&self, key: KeyId) -> Reply {
        match self.store.get(key) {
            Some((value, version)) if !self.store.elements(key).is_empty() => {
                let elements =
                    self.store.elements(key).iter().map(|(_, element)| *element).collect();
                let found = Box::new(FoundList { value, version, elements });
                Reply::of(Outcome::Ok(Response::List(found)))
            }
            Some((value, version)) => Reply::of(Outcome::Ok(Response::Found { value, version })),
            // A follower that lacks a key says so, and whom to ask: the write may not have reached it yet.
            None => {
                let leader = if self.leads() { None } else { self.leader };
                Reply { leader, ..Reply::of(Outcome::Ok(Response::Absent)) }
            }
        }
    }

    fn clear_alone(&mut self, request: RequestId, cx: &mut Context<'_, Self>) {
        for (key, held) in self.store.iter() {
            let (version, reason) = (held.version, DiscardReason::Cleared);
            cx.observe(Observation::Discard { key, version, reason });
        }
        self.store.clear();
        self.log_record(self.term(), || Record::Clear, cx);
        self.once_durable(Then::Cleared(request), cx);
    }

    fn answer_clear(request: RequestId, cx: &mut Context<'_, Self>) {
        cx.reply(request, Reply::of(Outcome::Ok(Response::Cleared)));
    }
}
