//! Which of the two ways a cluster replicates in, for what a node does by itself.

use crate::id::{KeyId, LogIndex, NodeId, Position, Term, Version};
use crate::protocol::leader_follower::config::CatchUp;
use crate::protocol::leader_follower::storage::Snapshot;
use crate::protocol::leader_follower::types::Types;
use crate::protocol::parts::entry::StoredEntry;
use crate::protocol::parts::store::Store;
use crate::protocol::{Context, LogStatus};

use super::ordered::Ordered;
use super::registers::Registers;

/// How writes are replicated, and what a node keeps for that.
#[derive(Debug)]
pub(crate) enum Replication {
    Registers(Registers),
    Log(Ordered),
}

impl Replication {
    pub(crate) fn new(catch_up: CatchUp) -> Self {
        match catch_up {
            CatchUp::None | CatchUp::FullState => Self::Registers(Registers::default()),
            CatchUp::Log => Self::Log(Ordered::default()),
        }
    }

    /// Where the log ends; 0.0 without one.
    #[inline]
    pub(crate) fn last(&self) -> Position {
        match self {
            Self::Registers(_) => Position::default(),
            Self::Log(log) => log.last(),
        }
    }

    /// Where the writes of a node end, as votes compare it: the last position of the log, or
    /// without one the newest timestamp that the node has seen.
    pub(crate) fn last_written(&self, newest: i64) -> Position {
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
    pub(crate) const fn takes_repairs(&self) -> bool {
        matches!(self, Self::Registers(_))
    }

    /// Whether an append that is tried again gets another place, for followers may lack the first.
    pub(crate) const fn appends_again(&self) -> bool {
        matches!(self, Self::Log(_))
    }

    /// A tombstone was purged from the store.
    pub(crate) fn purged(&mut self, key: KeyId, version: Version) {
        if let Self::Log(log) = self {
            log.purged(key, version);
        }
    }

    /// The node is no longer the leader.
    pub(crate) fn step_down(&mut self) {
        if let Self::Registers(registers) = self {
            registers.step_down();
        }
    }

    /// The node follows another leader from now on.
    pub(crate) fn follow(&mut self) {
        match self {
            Self::Registers(registers) => registers.joined = false,
            Self::Log(log) => log.follow(),
        }
    }

    /// What the leader still means to send to each follower, in words.
    pub(crate) fn owed(&self) -> Vec<(NodeId, String)> {
        match self {
            Self::Registers(registers) => registers.owed(),
            Self::Log(_) => Vec::new(),
        }
    }

    /// A checkpoint stands for everything up to here.
    pub(crate) fn checkpoint(
        &mut self,
        covers: u64,
        stamped: u32,
        entries: Vec<StoredEntry>,
    ) -> Snapshot {
        let (last_state, position) = match self {
            Self::Registers(registers) => (registers.last_state, Position::default()),
            Self::Log(log) => (None, log.checkpoint()),
        };
        Snapshot { covers, stamped, last_state, position, entries }
    }

    /// At boot: `snapshot` was read back, and makes this store.
    pub(crate) fn restore(&mut self, snapshot: &Snapshot, store: &Store) {
        match self {
            Self::Registers(registers) => registers.last_state = snapshot.last_state,
            Self::Log(log) => log.restore(snapshot.position, store.clone()),
        }
    }

    /// At a start: says what the log has.
    pub(crate) fn observe_log(&self, cx: &mut Context<'_, impl Types>) {
        match self {
            Self::Registers(_) => {}
            Self::Log(log) => log.observe_log(cx),
        }
    }

    /// Where the log begins and ends; everything in it is applied.
    pub(crate) fn log_status(&self) -> Option<LogStatus> {
        match self {
            Self::Registers(_) => None,
            Self::Log(log) => Some(log.status()),
        }
    }

    /// The registers of a cluster that replicates these.
    ///
    /// # Panics
    ///
    /// In a cluster that replicates a log.
    pub(crate) fn registers(&mut self) -> &mut Registers {
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
    pub(crate) fn log(&mut self) -> &mut Ordered {
        match self {
            Self::Log(log) => log,
            Self::Registers(_) => {
                unreachable!("registers replace the log on all nodes of a cluster")
            }
        }
    }
}
