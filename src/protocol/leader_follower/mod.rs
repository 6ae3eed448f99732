//! Leader-follower replication: one node takes all writes and sends them to the others.
//!
//! The path of a write: [`Protocol::handle`] takes the request; the leader stamps it with its wall clock, applies
//! it, sends it to all followers at once, and answers at once (asynchronous), when enough followers have
//! confirmed (semi-synchronous) or when all have (synchronous). A follower applies what is newer than what it has
//! (last write wins) and confirms. A write that waits too long is answered anyway and marked degraded, or its
//! outcome is unknown. Nothing repairs a follower that missed a write unless resending or anti-entropy is on, or a
//! read repairs it.
//!
//! Reads are answered by the node asked, from what it has, unless they ask for several replicas. The store lives in memory, and without a write-ahead
//! log a node that crashes comes back with nothing. With one, what a store takes is written first to the log; under
//! the policies `fsync` and `group-commit` the leader replicates a write, and a follower confirms it, only when its
//! record is durable. A write can be read as soon as the node has accepted it, as in stores that apply and then
//! sync: after a power loss a value that was read, and not yet acknowledged, may be gone. A leader that starts again
//! sends everything to its followers once more, if resending is on.
//!
//! Reading order: `config`, `message`, this file (dispatch and the follower), `leader`, `timestamps`, `resend`, `journal`, `repair`,
//! `anti_entropy`, `tombstones`, `promises`.

use crate::config::{Config as Scenario, Operation};
use crate::history::Failure;
use crate::id::{NodeId, Version};
use crate::property::Promises;
use crate::protocol::{
    Context, DiscardReason, DiskImage, Input, NodeSnapshot, Observation, Outcome, Protocol, Reply,
    RequestId, Response, Role,
};

use self::journal::{Journal, Then};
use self::leader::Leading;
use self::repair::Coordinating;
use self::timestamps::Stamping;
use super::store::Store;

mod anti_entropy;
mod config;
mod journal;
mod leader;
mod message;
mod promises;
mod repair;
mod resend;
mod timestamps;
mod tombstones;

pub use anti_entropy::{AntiEntropy, RangeDigest};
pub use config::{Config, Defect, Defects, Deletes, Mode, OnAckTimeout, Replication, Wal};
pub use journal::Record;
pub use message::{Entry, Message};
pub use repair::{Reads, Repair, RepairAnswer};
pub use timestamps::{TimestampSource, Timestamps};

/// A node of a leader-follower cluster.
#[derive(Debug)]
pub struct LeaderFollower {
    config: Config,
    me: NodeId,
    nodes: u16,
    leader: Option<NodeId>,
    store: Store,
    leading: Leading,
    /// As follower under full-state replication: the last state taken; an older one that arrives late is dropped.
    last_state: Option<(u32, Version)>,
    /// The write-ahead log; `None` when nothing is logged.
    journal: Option<Journal>,
    stamping: Stamping,
    coordinating: Coordinating,
    /// How many times this node has begun a comparison by anti-entropy: whose turn it is.
    comparisons: u32,
    /// What the wall clock shows when the next tombstones are purged; `None` when none is to be.
    purge_at: Option<i64>,
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

    fn recover(config: &Config, disk: &DiskImage, cx: &mut Context<'_, Self>) -> Self {
        let leader = cx.initial_leader();
        let mut node = Self {
            config: *config,
            me: cx.node(),
            nodes: cx.nodes(),
            leader,
            store: Store::default(),
            leading: Leading::boot(cx.random()),
            last_state: None,
            journal: None,
            stamping: Stamping::default(),
            coordinating: Coordinating::default(),
            comparisons: 0,
            purge_at: None,
        };
        if let Some(interval) = config.anti_entropy {
            cx.set_timer(Timer::AntiEntropy, interval);
        }
        let role = if node.leads() { Role::Leader } else { Role::Follower };
        match Journal::open(config, disk, cx) {
            Err(corruption) => cx.stop(corruption.to_string()),
            Ok(None) => cx.observe(Observation::Role { role, term: 1 }),
            Ok(Some((journal, records))) => {
                cx.observe(Observation::Role { role, term: 1 });
                let is_new = records.is_empty();
                node.take_records(records, cx);
                node.journal = Some(journal);
                if node.leads() && !is_new && config.resend.is_some() {
                    node.once_durable(Then::ReplicateAll, cx);
                }
            }
        }
        node
    }

    #[inline]
    fn handle(&mut self, input: Input<Self>, cx: &mut Context<'_, Self>) {
        match input {
            Input::Message { from, message } => self.receive(from, message, cx),
            Input::Request { request, operation, stamped, .. } => {
                self.stamping.serves(stamped);
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
            Input::Persisted(ticket, _) => self.persisted(ticket, cx),
        }
    }

    fn snapshot(&self) -> NodeSnapshot {
        NodeSnapshot {
            term: 1,
            leader: self.leader,
            mode: self.config.mode.name(),
            peers: NodeId::all(self.nodes).filter(|node| *node != self.me).collect(),
            pending: self.pending(),
            data: self.store.to_map(),
            ..NodeSnapshot::new(self.me, if self.leads() { Role::Leader } else { Role::Follower })
        }
    }

    fn promises(config: &Config, scenario: &Scenario) -> Promises {
        promises::promises(config, scenario)
    }
}

impl LeaderFollower {
    /// The term that this node stamps in: the leader is fixed, and so is the term.
    #[expect(
        clippy::unused_self,
        reason = "a node of a protocol with elections has a term of its own"
    )]
    const fn term(&self) -> u64 {
        1
    }

    fn leads(&self) -> bool {
        self.leader == Some(self.me)
    }

    /// Whether a log is kept and its disk is full. The node lives on: it answers reads, refuses writes, and as
    /// follower takes in nothing that it could not confirm.
    #[inline]
    fn cannot_write(&self, cx: &Context<'_, Self>) -> bool {
        self.journal.is_some() && cx.disk_is_full()
    }

    fn pending(&self) -> Vec<String> {
        let mut pending = self.leading.pending();
        pending.extend(self.coordinating.pending());
        let waiting = self.journal.as_ref().map_or(0, Journal::waiting);
        if waiting > 0 {
            let what = if waiting == 1 { "record awaits its" } else { "records await their" };
            pending.push(format!("{waiting} {what} sync"));
        }
        pending
    }

    #[inline]
    fn receive(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        let stores_nothing =
            matches!(message, Message::Ack { .. } | Message::Repair(_) | Message::AntiEntropy(_));
        if !stores_nothing && self.cannot_write(cx) {
            return;
        }
        let version = match message {
            Message::Ack { version } => return self.confirmed(from, version, cx),
            Message::Repair(message) => return self.receive_repair(from, message, cx),
            Message::AntiEntropy(message) => return self.receive_anti_entropy(from, message, cx),
            Message::Replicate { entry } => {
                self.take(entry, cx);
                entry.stored.version
            }
            Message::ReplicateMany { version, entries } => {
                for entry in &*entries {
                    self.take(*entry, cx);
                }
                version
            }
            Message::State { life, version, entries } => {
                self.take_state((life, version), &entries, cx);
                version
            }
        };
        if self.journal.is_none() {
            self.acknowledge(from, version, cx);
        } else {
            self.once_durable(Then::Acknowledge { to: from, version }, cx);
        }
    }

    #[inline]
    fn acknowledge(&self, leader: NodeId, version: Version, cx: &mut Context<'_, Self>) {
        cx.send(leader, Message::Ack { version });
    }

    /// Puts the leader's state in the place of this follower's, unless a later one has come before it.
    ///
    /// The states of one life of the leader are ordered by their sequence, since its clock may go back; those of two
    /// lives can only be ordered by their stamps.
    fn take_state(
        &mut self,
        (life, version): (u32, Version),
        entries: &[Entry],
        cx: &mut Context<'_, Self>,
    ) {
        let is_late = |(last_life, last): (u32, Version)| {
            if last_life == life { last.sequence >= version.sequence } else { last > version }
        };
        if self.last_state.is_some_and(is_late) {
            return;
        }
        self.last_state = Some((life, version));
        self.log(|| Record::State { life, version, entries: entries.to_vec() }, cx);
        let before = std::mem::take(&mut self.store);
        for entry in entries {
            let (key, version) = (entry.key, entry.stored.version);
            if before.stored(key).is_none_or(|held| held.version != version) {
                cx.observe(Observation::Apply { key, version });
            }
            self.store.apply(key, entry.stored);
            self.stamping.sees(version);
            if entry.stored.value.is_none() {
                self.bury(version, cx);
            }
        }
        for (key, held) in before.iter() {
            if self.store.stored(key).is_none_or(|now| now.version < held.version) {
                let (version, reason) = (held.version, DiscardReason::Replaced);
                cx.observe(Observation::Discard { key, version, reason });
            }
        }
    }

    fn serve(&mut self, request: RequestId, operation: Operation, cx: &mut Context<'_, Self>) {
        match operation {
            Operation::Get { key, quorum: Some(quorum) } if quorum.replicas > 1 => {
                self.coordinate(request, (key, quorum), cx);
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
            // A follower does not refuse a clear and does not pass it on: it empties itself alone.
            Operation::Clear => self.clear_alone(request, cx),
            Operation::Put { .. } | Operation::Delete { .. } => {
                let failure = match self.leader {
                    Some(_) => Failure::NotLeader,
                    None => Failure::NoLeader,
                };
                let refusal = Reply::of(Outcome::Refused(failure));
                cx.reply(request, Reply { leader: self.leader, ..refusal });
            }
        }
    }

    fn clear_alone(&mut self, request: RequestId, cx: &mut Context<'_, Self>) {
        for (key, held) in self.store.iter() {
            let (version, reason) = (held.version, DiscardReason::Cleared);
            cx.observe(Observation::Discard { key, version, reason });
        }
        self.store.clear();
        self.log(|| Record::Clear, cx);
        self.once_durable(Then::Cleared(request), cx);
    }

    fn answer_clear(request: RequestId, cx: &mut Context<'_, Self>) {
        cx.reply(request, Reply::of(Outcome::Ok(Response::Cleared)));
    }
}
