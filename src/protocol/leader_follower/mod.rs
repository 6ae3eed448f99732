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
//! Reading order: `config`, `message`, this file (dispatch and the follower), `leader`, `resend`, `journal`, `promises`.

use crate::config::{Config as Scenario, Operation};
use crate::history::Failure;
use crate::id::{KeyId, NodeId, Version};
use crate::property::Promises;
use crate::protocol::{
    Context, DiscardReason, DiskImage, FoundList, Input, NodeSnapshot, Observation, Outcome,
    Protocol, Reply, RequestId, Response, Role,
};

use self::journal::{Journal, Then};
use self::leader::Leading;
use super::store::Store;

mod config;
mod journal;
mod leader;
mod message;
mod promises;
mod resend;

pub use config::{Config, Defect, Defects, Deletes, Mode, OnAckTimeout, Replication, Wal};
pub use journal::Record;
pub use message::{Content, Entry, Message};

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
        };
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
            Input::Request { request, operation, .. } => self.serve(request, operation, cx),
            Input::Timer(Timer::AckTimeout) => self.ack_timeout(cx),
            Input::Timer(Timer::Resend) => self.resend(cx),
            Input::Timer(Timer::Flush) => {
                if let Some(journal) = &mut self.journal {
                    journal.flush(cx);
                }
            }
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
            lists: self.store.to_lists(),
            ..NodeSnapshot::new(self.me, if self.leads() { Role::Leader } else { Role::Follower })
        }
    }

    fn promises(config: &Config, scenario: &Scenario) -> Promises {
        promises::promises(config, scenario)
    }
}

impl LeaderFollower {
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
        let waiting = self.journal.as_ref().map_or(0, Journal::waiting);
        if waiting > 0 {
            let what = if waiting == 1 { "record awaits its" } else { "records await their" };
            pending.push(format!("{waiting} {what} sync"));
        }
        pending
    }

    #[inline]
    fn receive(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        if !matches!(message, Message::Ack { .. }) && self.cannot_write(cx) {
            return;
        }
        let version = match message {
            Message::Ack { version } => return self.confirmed(from, version, cx),
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
            Message::Append { entry } => {
                self.take_element(entry, cx);
                entry.stored.version
            }
            Message::State { life, version, content } => {
                self.take_state((life, version), &content.entries, &content.elements, cx);
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
        elements: &[Entry],
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
        }
        for entry in elements {
            self.take_element(*entry, cx);
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
            Operation::Get { key } => cx.reply(request, self.read(key)),
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
        self.log(|| Record::Clear, cx);
        self.once_durable(Then::Cleared(request), cx);
    }

    fn answer_clear(request: RequestId, cx: &mut Context<'_, Self>) {
        cx.reply(request, Reply::of(Outcome::Ok(Response::Cleared)));
    }
}
