//! Leader-follower replication: one node takes all writes and sends them to the others.
//!
//! The leader stamps a write, applies it, sends it to all followers, and answers at once
//! (asynchronous), when enough followers have acknowledged it (semi-synchronous), or when all have
//! (synchronous). A write that waits too long is answered anyway and marked degraded, or its
//! outcome is unknown. Reads are answered by the node asked, from what it has, unless they ask for
//! several replicas. A write can be read as soon as the node has accepted it, as in stores that
//! apply and then sync: after a power loss a value that was read, and not yet acknowledged, may be
//! gone.
//!
//! There are two ways to replicate (`replication`): registers, each key on its own by last write
//! wins, and one log, in the order of its entries as in Raft. By default the scenario's leader
//! leads for ever; with an election ([`Election`]) the nodes find the next one (`election`), and
//! with a catch-up ([`CatchUp`]) a follower that was away gets what it missed.
//!
//! # One write, end to end
//!
//! 1. `mod.rs`: [`Protocol::handle`] is given the request.
//! 2. `client.rs`: `serve` finds that it is a write, and that this node leads.
//! 3. `leader.rs`: `lead_write` stamps it; `write` puts it where it belongs (4); `commit` waits for
//!    the disk (5) and then `replicate`s it (6).
//! 4. `replication/mod.rs` decides the way. Registers: `replica.rs` applies it to the store and
//!    logs it. Log: `replication/ordered.rs` appends it, and `replica.rs` applies it.
//! 5. `storage/journal.rs`: `need_not_wait`, or `once_durable` puts a `Deferred` aside, which
//!    `proceed` takes up when the disk has synced.
//! 6. `replication/mod.rs`: `send_to_all`, by `replication/registers.rs` or
//!    `replication/ordered.rs`.
//! 7. On a follower, `follower.rs`: `receive` asks `election/mod.rs` whether the term is right
//!    (`accept_term`), applies (4), and acknowledges once that is durable (5).
//! 8. On the leader, `leader.rs`: `acknowledged` counts, and replies.
//!
//! # The files
//!
//! - **`config`, `message`, `write`**: settings; what nodes send; a write on its way
//! - **`replica`**: store and stamps of any node, and how both reach its disk
//! - **`client`, `leader`, `follower`**: requests; accept and answer; take and acknowledge
//! - **`replication`**: registers (full states, resending), one log (rollback, the in-sync set)
//! - **`election`**: the rule of the term; failure detector; elections by id, vote, timestamp
//! - **`storage`**: records, journal, ballot, what waits for the disk
//! - **`repair`, `anti_entropy`, `refused`**: reads of several replicas; comparing; messages that
//!   come back
//! - **`promises`**: what each mode promises, and how soon it settles
//!
//! What has no protocol in it stands in [`super::parts`].

use crate::config::Config as Scenario;
use crate::id::{NodeId, Term};
use crate::names::Names;
use crate::property::{Promises, SettlesWithin};

use self::election::FailureDetector;
use self::node::{Candidacy, Cx};
use self::replica::Replica;
use self::replication::{Membership, Replication};
use self::storage::{Deferred, Journal, StoredBallot};
use self::write::Leading;
use super::parts::anti_entropy::Turns;
use super::parts::quorum::Quorum;
use super::parts::reads::CoordinatedReads;
use super::parts::stamps::Stamps;
use super::parts::store::Store;
use super::parts::tombstones::Tombstones;
use super::{Context, DiskImage, DiskOrigin, Input, NodeSnapshot, Observation, Protocol};

mod anti_entropy;
mod batch;
mod client;
mod config;
mod election;
mod follower;
mod leader;
mod message;
mod node;
mod promises;
mod refused;
mod repair;
mod replica;
mod replication;
mod storage;
mod types;
mod write;

pub use super::parts::anti_entropy::{RangeDigest, Ranges};
pub use super::parts::entry::{Deletes, StoredEntry};
pub use super::parts::stamps::{TimestampSource, Timestamps};
pub use config::{
    CatchUp, Config, Defect, Defects, Election, Failover, FullStateIs, Mode, OnAckTimeout, Reads,
    RepairAnswer, Shipping, Tail, WalOn, WalSettings, WithoutLeader,
};
pub use message::{
    AntiEntropy, FullState, InSync, Installed, LogEntry, Message, Repair, Round, StateOrder, Vote,
    VoteRequest,
};
pub use node::LeaderFollower;
pub use storage::{Record, Snapshot};
pub use types::Timer;

impl Protocol for LeaderFollower {
    type Config = Config;
    type Message = Message;
    type Record = Record;
    type Timer = Timer;

    const REPLAY_RESTORES_DATA: bool = true;
    const FILES: &'static [&'static str] = storage::FILES;

    fn keeps_log(config: &Config) -> bool {
        config.failover.catch_up == CatchUp::Log
    }

    fn recover(config: &Config, disk: &DiskImage, cx: &mut Context<'_, Self>) -> Self {
        let mut node = Self::boot(config, disk, cx);
        let config = &node.replica.config;
        if let Some(interval) = config.anti_entropy {
            cx.set_timer(Timer::AntiEntropy, interval);
        }
        match Journal::open(config, disk, cx) {
            Err(corruption) => cx.stop(corruption.to_string()),
            Ok(None) => node.start(disk.origin(), false, cx),
            Ok(Some((journal, records))) => {
                let has_records = !records.is_empty();
                node.take_records(records, cx);
                node.replication.observe_log(cx);
                node.replica.journal = Some(journal);
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
                self.replica.stamps.serve(stamped);
                self.serve(request, operation, cx);
            }
            Input::Timer(Timer::AckTimeout) => self.ack_timeout(cx),
            Input::Timer(Timer::Resend) => self.resend(cx),
            Input::Timer(Timer::Flush) => self.flush(cx),
            Input::Timer(Timer::ReadTimeout) => self.read_timeout(cx),
            Input::Timer(Timer::AntiEntropy) => self.compare_with_next_peer(cx),
            Input::Timer(Timer::Purge) => {
                self.replica.purge(|key, version| self.replication.purged(key, version), cx);
            }
            Input::Timer(Timer::Heartbeat) => self.heartbeat(cx),
            Input::Timer(Timer::Election) => self.election_timeout(cx),
            Input::Timer(Timer::InSync) => self.review_in_sync(cx),
            Input::Persisted(ticket, result) => self.persisted(ticket, result, cx),
        }
    }

    fn snapshot(&self) -> NodeSnapshot {
        let me = self.replica.me;
        NodeSnapshot {
            term: self.term(),
            leader: self.named_leader(),
            awaits: if self.follows_the_awaited() { None } else { self.awaited() },
            mode: self.replica.config.mode.name(),
            peers: NodeId::all(self.replica.nodes).filter(|node| *node != me).collect(),
            pending: self.pending(),
            owed: self.replication.owed(),
            log: self.replication.log_status(),
            data: self.replica.store.to_map(),
            lists: self.replica.store.to_lists(),
            ..NodeSnapshot::new(me, self.role())
        }
    }

    fn describe_record(record: &Record, names: &Names) -> String {
        record.describe(names)
    }

    fn promises(config: &Config, scenario: &Scenario) -> Promises {
        promises::promises(config, scenario)
    }

    fn settles_within(config: &Config, scenario: &Scenario) -> SettlesWithin {
        promises::settles_within(config, scenario)
    }
}

impl LeaderFollower {
    /// A node that knows no more than its ballot.
    fn boot(config: &Config, disk: &DiskImage, cx: &Cx<'_>) -> Self {
        // A node without a log has settings of its own.
        let leads_for_ever = cx.initial_leader() == Some(cx.node());
        let policy = config.wal.policy_on(leads_for_ever);
        let config = Config { wal: WalSettings { policy, ..config.wal }, ..*config };
        let (ballot, in_sync) = StoredBallot::recover(&config, disk);
        let forgotten = match disk.origin() {
            DiskOrigin::New => false,
            DiskOrigin::Kept => !ballot.persists,
            DiskOrigin::Replaced => true,
        };
        Self {
            replica: Replica {
                config,
                me: cx.node(),
                nodes: cx.nodes(),
                store: Store::default(),
                stamps: Stamps::default(),
                tombstones: Tombstones::new(config.tombstone_grace),
                ballot,
                journal: None,
            },
            replication: Replication::new(config.failover.catch_up),
            leader: None,
            leading: Leading { incarnation: cx.monotonic(), ..Leading::default() },
            quorum: Quorum::simple(NodeId::all(cx.nodes()).collect()),
            detector: FailureDetector::new(cx.nodes()),
            candidacy: Candidacy::Waiting(None),
            in_sync: Membership::boot(config.mode, in_sync, forgotten, cx.nodes()),
            parked: Vec::new(),
            reads: CoordinatedReads::default(),
            turns: Turns::default(),
        }
    }

    /// Takes up its role after its records have been read back.
    fn start(&mut self, disk: DiskOrigin, has_records: bool, cx: &mut Cx<'_>) {
        self.replica.bury_all(cx);
        if self.replica.config.failover.is_on() {
            return self.start_role(disk == DiskOrigin::New, cx);
        }
        self.replica.ballot.was_in(Term(1));
        self.leader = cx.initial_leader();
        cx.observe(Observation::Role { role: self.role(), term: Term(1) });
        if self.leads() && has_records && self.replica.config.resend.is_some() {
            self.once_durable(Deferred::ReplicateAll, cx);
        }
    }

    /// What it still means to do, in words.
    fn pending(&self) -> Vec<String> {
        let mut pending = self.leading.pending();
        pending.extend(self.awaits_leader());
        pending.extend(self.pending_reads());
        let waiting = self.replica.journal.as_ref().map_or(0, Journal::waiting)
            + self.replica.ballot.waiting();
        if waiting > 0 {
            let what = if waiting == 1 { "record awaits its" } else { "records await their" };
            pending.push(format!("{waiting} {what} sync"));
        }
        pending
    }
}
