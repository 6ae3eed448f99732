//! The two ways in which writes are replicated.
//!
//! - [`Registers`]: each key on its own, last write wins. The leader sends a write, or all that it
//!   stores, to every follower at once ([`registers`], [`full_state`]); what is lost on the way
//!   stays lost unless it is sent again ([`resend`]) or the follower asks for everything.
//! - [`Ordered`]: one log, in which a follower takes an entry only behind the one that the leader
//!   has before it ([`ordered`], [`rollback`]). It alone can say who has everything ([`in_sync`]).
//!
//! Which of the two a cluster uses is decided here, in one `match` a verb. All nodes of a cluster
//! have the same settings, so no message of the other way ever arrives.

use crate::id::{KeyId, LogIndex, NodeId, Position, Term, Version};
use crate::protocol::Context;
use crate::protocol::parts::entry::{Entry, would_change};
use crate::protocol::parts::store::Store;

use super::LeaderFollower;
use super::accepted::Payload;
use super::config::CatchUp;
use super::message::LogEntry;
use super::storage::{Deferred, Snapshot};

pub(super) use in_sync::Membership;
pub(super) use ordered::Ordered;
pub(super) use registers::Registers;

mod full_state;
mod in_sync;
mod ordered;
mod registers;
mod resend;
mod rollback;

/// How writes are replicated, and what a node keeps for that.
#[derive(Debug)]
pub(super) enum Replication {
    Registers(Registers),
    Log(Ordered),
}

impl Replication {
    pub(super) fn new(catch_up: CatchUp) -> Self {
        match catch_up {
            CatchUp::None | CatchUp::FullState => Self::Registers(Registers::default()),
            CatchUp::Log => Self::Log(Ordered::default()),
        }
    }

    /// Where the log ends; 0.0 without one.
    #[inline]
    pub(super) fn last(&self) -> Position {
        match self {
            Self::Registers(_) => Position::default(),
            Self::Log(log) => log.last(),
        }
    }

    /// Where the writes of a node end, as votes compare it: the last position of the log, or
    /// without one the newest timestamp that the node has seen.
    pub(super) fn last_written(&self, newest: i64) -> Position {
        match self {
            Self::Registers(_) => {
                let newest = u64::try_from(newest).unwrap_or(0);
                Position { term: Term(0), index: LogIndex(newest) }
            }
            Self::Log(log) => log.last(),
        }
    }

    /// Whether a replica takes what a quorum read found newest: a log is repaired by its leader
    /// alone.
    pub(super) const fn takes_repairs(&self) -> bool {
        match self {
            Self::Registers(_) => true,
            Self::Log(_) => false,
        }
    }

    /// Whether an append that is tried again gets another place, for followers may lack the first.
    pub(super) const fn appends_again(&self) -> bool {
        match self {
            Self::Registers(_) => false,
            Self::Log(_) => true,
        }
    }

    /// A tombstone was purged from the store.
    pub(super) fn purged(&mut self, key: KeyId, version: Version) {
        match self {
            Self::Registers(_) => {}
            Self::Log(log) => log.purged(key, version),
        }
    }

    /// The node is no longer the leader.
    pub(super) fn step_down(&mut self) {
        match self {
            Self::Registers(registers) => registers.step_down(),
            Self::Log(_) => {}
        }
    }

    /// The node follows another leader from now on.
    pub(super) fn follow(&mut self) {
        match self {
            Self::Registers(registers) => registers.follow(),
            Self::Log(log) => log.follow(),
        }
    }

    /// What the leader still means to send to each follower, in words.
    pub(super) fn owed(&self) -> Vec<(NodeId, String)> {
        match self {
            Self::Registers(registers) => registers.owed(),
            Self::Log(_) => Vec::new(),
        }
    }

    /// A checkpoint stands for everything up to here.
    pub(super) fn checkpoint(
        &mut self,
        covers: u64,
        stamped: u32,
        entries: Vec<Entry>,
    ) -> Snapshot {
        let (last_state, position) = match self {
            Self::Registers(registers) => (registers.last_state(), Position::default()),
            Self::Log(log) => (None, log.checkpoint()),
        };
        Snapshot { covers, stamped, last_state, position, entries }
    }

    /// At boot: `snapshot` was read back, and makes this store.
    pub(super) fn restore(&mut self, snapshot: &Snapshot, store: &Store) {
        match self {
            Self::Registers(registers) => registers.restore(snapshot.last_state),
            Self::Log(log) => log.restore(snapshot.position, store.clone()),
        }
    }

    /// The registers of a cluster that replicates these.
    ///
    /// # Panics
    ///
    /// In a cluster that replicates a log.
    pub(super) fn registers(&mut self) -> &mut Registers {
        match self {
            Self::Registers(registers) => registers,
            Self::Log(_) => unreachable!("one log replaces registers on all nodes of a cluster"),
        }
    }

    /// The log of a cluster that replicates one.
    ///
    /// # Panics
    ///
    /// In a cluster that replicates registers.
    pub(super) fn log(&mut self) -> &mut Ordered {
        match self {
            Self::Log(log) => log,
            Self::Registers(_) => {
                unreachable!("registers replace the log on all nodes of a cluster")
            }
        }
    }
}

impl LeaderFollower {
    /// The leader takes a write of its own into its store or its log.
    #[inline]
    pub(super) fn write(&mut self, entry: Entry, cx: &mut Context<'_, Self>) {
        match &mut self.replication {
            Replication::Registers(_) => {
                if !self.replica.apply_and_log(entry, cx) {
                    // It changes nothing, and is answered: its stamp is not to be given again.
                    self.replica.log_stamps(cx);
                }
            }
            Replication::Log(log) => {
                let term = self.replica.term();
                log.append(LogEntry { term, entry }, &mut self.replica, cx);
            }
        }
    }

    /// The leader sends a write, or its log up to an index, to every follower at once.
    #[inline]
    pub(super) fn send_to_all(
        &mut self,
        version: Version,
        payload: &Payload,
        index: LogIndex,
        cx: &mut Context<'_, Self>,
    ) {
        match &mut self.replication {
            Replication::Registers(registers) => {
                let oldest_awaited = self.leading.oldest_awaited();
                registers.send(version, payload, oldest_awaited, &self.replica, cx);
            }
            Replication::Log(log) => log.ship_all(index, &self.replica, cx),
        }
    }

    /// A new leader knows nothing of what its followers have.
    pub(super) fn begin_replication(&mut self, cx: &mut Context<'_, Self>) {
        match &mut self.replication {
            Replication::Registers(_) => {}
            Replication::Log(log) => log.lead(self.replica.nodes, cx.monotonic()),
        }
        self.begin_in_sync(cx);
    }

    /// A new leader sends its followers what they may lack.
    pub(super) fn share(&mut self, cx: &mut Context<'_, Self>) {
        match self.replica.config.failover.catch_up {
            CatchUp::None => self.replicate_all(cx),
            CatchUp::FullState => self.once_durable(Deferred::ShareState, cx),
            CatchUp::Log => {
                let (term, index) = (self.term(), self.replication.last().index);
                self.once_durable(Deferred::ShareLog { term, index }, cx);
            }
        }
    }

    /// A follower compares itself with its leader, whose log ends at `last`, and asks for what it
    /// lacks.
    pub(super) fn catch_up(&mut self, leader: NodeId, last: Position, cx: &mut Context<'_, Self>) {
        match &mut self.replication {
            Replication::Registers(registers) => {
                if self.replica.config.failover.catch_up == CatchUp::FullState {
                    registers.join(leader, self.replica.term(), cx);
                }
            }
            Replication::Log(log) => {
                if let Some(index) = log.compare(leader, last, &mut self.replica, cx) {
                    self.acknowledge_log(leader, index, cx);
                }
            }
        }
    }

    /// Leader: a follower has writes that the leader's state or log lacked; those that win are
    /// replicated.
    pub(super) fn take_offer(&mut self, entries: &[Entry], cx: &mut Context<'_, Self>) {
        if !self.leads() {
            return;
        }
        for entry in entries.iter().copied() {
            if !would_change(&self.replica.store, &entry, self.replica.config.rules()) {
                self.replica.note_apart(entry.stored.version, cx);
                continue;
            }
            match &mut self.replication {
                Replication::Registers(_) => {
                    self.replica.apply_and_log(entry, cx);
                    self.once_durable(Deferred::ReplicateUnsolicited(entry), cx);
                }
                Replication::Log(log) => {
                    let term = self.replica.term();
                    log.append(LogEntry { term, entry }, &mut self.replica, cx);
                }
            }
        }
        match &self.replication {
            Replication::Registers(_) => {}
            Replication::Log(_) => self.share(cx),
        }
    }
}
