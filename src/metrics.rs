//! What a run measured besides its history: messages, leaders, recoveries and how it settled.

use crate::id::{FaultId, KeyId, NodeId, Term, Value, Version};
use crate::named::Named;
use crate::time::{Span, Time};
use strum::{IntoStaticStr, VariantArray};

/// Messages between nodes, and between clients and nodes, by what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageCounts {
    /// Handed to the network by a node or a client.
    pub sent: u64,
    /// Handed to a node or a client.
    pub delivered: u64,
    /// Lost by chance, or because the receiver was down.
    pub lost: u64,
    /// Extra copies the network made.
    pub duplicated: u64,
    /// Lost because a partition, a block or a dropping fault stood in the way.
    pub blocked: u64,
    /// Those between nodes by kind, in the order of [`crate::protocol::Message::KINDS`].
    pub by_kind: Vec<KindCounts>,
}

/// Messages of one kind between nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindCounts {
    /// The kind.
    pub kind: &'static str,
    /// Handed to the network.
    pub sent: u64,
    /// Handed to a node.
    pub delivered: u64,
}

impl MessageCounts {
    /// Adds the messages of another run of the same protocol.
    pub fn add(&mut self, other: &Self) {
        let Self { sent, delivered, lost, duplicated, blocked, by_kind } = other;
        self.sent += sent;
        self.delivered += delivered;
        self.lost += lost;
        self.duplicated += duplicated;
        self.blocked += blocked;
        if self.by_kind.is_empty() {
            self.by_kind.clone_from(by_kind);
            return;
        }
        for (mine, theirs) in self.by_kind.iter_mut().zip(by_kind) {
            mine.sent += theirs.sent;
            mine.delivered += theirs.delivered;
        }
    }
}

/// A period for which a node took itself for the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leadership {
    /// The term it led.
    pub term: Term,
    /// Who.
    pub node: NodeId,
    /// From when.
    pub from: Time,
    /// Until when. `None` when it led to the end of the run.
    pub until: Option<Time>,
}

/// A fault that started, and what it hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Impact {
    /// Which.
    pub fault: FaultId,
    /// When.
    pub at: Time,
    /// The states of the nodes that it hit, just before.
    pub states: NodeStates,
    /// Whether it did nothing because no node matched its target.
    pub hits_nobody: bool,
}

/// The state of a node when a fault hits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray, IntoStaticStr)]
#[repr(u8)]
#[strum(serialize_all = "kebab-case")]
pub enum NodeState {
    /// It leads.
    Leader,
    /// It follows.
    Follower,
    /// It stands for election.
    Candidate,
    /// Its process is not running.
    Down,
    /// Its process is paused.
    Paused,
    /// Its disk holds data that is not synced yet.
    Unsynced,
    /// A client waits for it to answer a write.
    WriteInFlight,
    /// Nobody leads.
    Leaderless,
    /// It asks whether it would be elected.
    PreCandidate,
    /// It has the log and no vote.
    Learner,
}

impl NodeState {
    /// Whether only some protocols have nodes in this state. Reports leave it out if none was.
    pub(crate) const fn is_of_some_protocols(self) -> bool {
        match self {
            Self::PreCandidate | Self::Learner => true,
            Self::Leader
            | Self::Follower
            | Self::Candidate
            | Self::Down
            | Self::Paused
            | Self::Unsynced
            | Self::WriteInFlight
            | Self::Leaderless => false,
        }
    }
}

/// A set of states. The set of several nodes holds each state that one of them is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeStates(u16);

const _: () = assert!(NodeState::ALL.len() <= u16::BITS as usize);

impl NodeStates {
    /// Adds a state.
    pub const fn insert(&mut self, state: NodeState) {
        self.0 |= 1 << state as u8;
    }

    /// Whether the state is in the set.
    #[must_use]
    pub const fn contains(self, state: NodeState) -> bool {
        self.0 & (1 << state as u8) != 0
    }

    /// The states in the set, in the order of [`NodeState`].
    pub fn iter(self) -> impl Iterator<Item = NodeState> {
        NodeState::all().filter(move |state| self.contains(*state))
    }
}

/// A node's recovery from its write-ahead log: what it read, and what it should have read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Who.
    pub node: NodeId,
    /// When.
    pub at: Time,
    /// The last record that its checkpoint covers. 0 without a checkpoint.
    pub covers: u64,
    /// How many records it read from the log, including those that the checkpoint covers.
    pub records: u64,
    /// The sequence number of the last record that it read.
    pub last: u64,
    /// The last record that its disk had reported as durable.
    pub synced: u64,
    /// The last record that it had written.
    pub written: u64,
    /// Whether the records that it read are the ones that it had written under these sequence
    /// numbers.
    pub same_records: bool,
    /// Whether it holds the data that it held before. `None` when that is not expected or not
    /// known.
    pub same_data: Option<bool>,
}

/// An event: a node applied a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Application {
    /// When.
    pub at: Time,
    /// Which node.
    pub node: NodeId,
    /// The key of the write.
    pub key: KeyId,
    /// The version of the write.
    pub version: Version,
    /// The value that it left, which carries the operation that wrote it. `None` for a removal.
    pub value: Option<Value>,
}

/// How far followers were behind the leader when the last write was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastWrite {
    /// When its client received the answer or gave up.
    pub at: Time,
    /// The leader at that time.
    pub leader: NodeId,
    /// How many followers were up.
    pub followers: u64,
    /// How many keys the leader or any of these followers held.
    pub keys: u64,
    /// How many replicas of keys on followers differed from the leader's, in all.
    pub differing: u64,
    /// When no replica on a running follower differed from the leader's any more. `None` if one did
    /// to the end of the run.
    pub agreed_at: Option<Time>,
}

impl LastWrite {
    /// How many replicas of keys could differ.
    #[must_use]
    pub const fn replica_keys(&self) -> u64 {
        self.followers * self.keys
    }

    /// How long it took until no replica differed.
    #[must_use]
    pub fn agreed_after(&self) -> Option<Span> {
        self.agreed_at.map(|at| at - self.at)
    }
}

/// Arrivals of an open loop that were never invoked: no client was free before the fault phase
/// ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unserved {
    /// How many.
    pub count: u64,
    /// How long the first of them had waited.
    pub longest_wait: Span,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// No operation or replication is pending, and the replicas are equal.
    Settled {
        /// The time from the end of the fault phase.
        after: Span,
    },
    /// The settling phase ran out.
    Unsettled {
        /// What the cluster was still waiting for, one line for each.
        waiting_for: Vec<String>,
    },
    /// The simulation cannot go on.
    Stuck {
        /// The instant.
        at: Time,
        /// Why.
        why: Standstill,
    },
}

/// Why a simulation cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standstill {
    /// So many events at one instant that no progress is to be expected.
    Loop {
        /// How many.
        events: u64,
    },
    /// More pending events than the queue has room for.
    Crowd {
        /// How many there were.
        pending: u64,
    },
}

/// Exact order statistics of lengths of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// How many.
    pub count: u64,
    /// The mean, rounded down.
    pub mean: Span,
    /// At least 50% are at most this.
    pub p50: Span,
    /// At least 95% are at most this.
    pub p95: Span,
    /// At least 99% are at most this.
    pub p99: Span,
    /// At least 99.9% are at most this.
    pub p999: Span,
    /// The longest.
    pub max: Span,
}

impl Latency {
    /// The statistics of `lengths`, which are sorted in place. All are zero when there are no
    /// lengths. Percentiles are nearest ranks: the smallest length such that at least this share is
    /// at most as long.
    #[must_use]
    pub fn of(lengths: &mut [Span]) -> Self {
        if lengths.is_empty() {
            return Self::default();
        }
        lengths.sort_unstable();
        let count = lengths.len() as u64;
        let sum: u128 = lengths.iter().map(|length| u128::from(length.nanos())).sum();
        let rank = |per_mille: u64| {
            let rank = (count * per_mille).div_ceil(1000).max(1);
            lengths[usize::try_from(rank - 1).expect("a rank is at most the length")]
        };
        let mean = u64::try_from(sum / u128::from(count)).expect("a mean is at most the maximum");
        Self {
            count,
            mean: Span::from_nanos(mean),
            p50: rank(500),
            p95: rank(950),
            p99: rank(990),
            p999: rank(999),
            max: rank(1000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let mut lengths: Vec<Span> = (1..=200).rev().map(Span::from_millis).collect();
        let latency = Latency::of(&mut lengths);
        let ms = Span::from_millis;
        assert_eq!(latency.count, 200);
        assert_eq!(latency.mean, Span::from_micros(100_500));
        assert_eq!((latency.p50, latency.p95, latency.p99), (ms(100), ms(190), ms(198)));
        assert_eq!((latency.p999, latency.max), (ms(200), ms(200)));
        assert_eq!(Latency::of(&mut [ms(5)]).p50, ms(5));
        assert_eq!(Latency::of(&mut []), Latency::default());
    }
}
