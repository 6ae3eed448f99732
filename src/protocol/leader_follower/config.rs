//! The settings of leader-follower replication.

use crate::protocol::wal::{Carelessness, Policy};
use crate::time::Span;

use super::repair::Reads;
use super::timestamps::Timestamps;

/// Settings of [`super::LeaderFollower`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// When a write is answered.
    pub mode: Mode,
    /// How long the leader waits for confirmations.
    pub ack_timeout: Span,
    /// What it answers when too few come.
    pub on_ack_timeout: OnAckTimeout,
    /// What it sends to followers.
    pub replication: Replication,
    /// How long after a write was sent it is sent again to a follower that has not confirmed it; `None`: never, so
    /// a follower that missed a write stays behind until that key is written again. Of several unconfirmed writes of
    /// one key only the newest is sent again, and a confirmation of it counts for the older ones.
    pub resend: Option<Span>,
    /// What a delete leaves.
    pub deletes: Deletes,
    /// How long a node keeps a tombstone; `None`: for ever.
    pub tombstone_grace: Option<Span>,
    /// How writes are stamped.
    pub timestamps: Timestamps,
    /// How reads of several replicas are coordinated.
    pub reads: Reads,
    /// How often each node compares what it stores with another; `None`: never.
    pub anti_entropy: Option<Span>,
    /// What a node writes to its disk.
    pub wal: Wal,
    /// Mistakes of real systems, built in on purpose.
    pub defects: Defects,
}

/// The write-ahead log under the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wal {
    /// When a write to it is durable, and what waits for that.
    pub policy: Policy,
}

/// A mistake of a real system, built in on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Defect {
    /// Damage in the middle of a log is taken for a torn tail: what follows it is dropped without a word (nodedb
    /// #164).
    TruncateCorruption,
    /// A torn tail is not cut off, and what is appended behind it is never read again (cqlite #1390).
    KeepTornTail,
    /// A replica takes a repair whatever its version, even over a newer write.
    RepairIgnoresStamps,
}

impl Defect {
    /// All of them.
    pub const ALL: [Self; 3] =
        [Self::TruncateCorruption, Self::KeepTornTail, Self::RepairIgnoresStamps];

    /// The name in scenario files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TruncateCorruption => "truncate-corruption",
            Self::KeepTornTail => "keep-torn-tail",
            Self::RepairIgnoresStamps => "repair-ignores-stamps",
        }
    }
}

/// Some defects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Defects(u32);

impl Defects {
    /// None.
    pub const NONE: Self = Self(0);

    /// Builds one in.
    pub const fn insert(&mut self, defect: Defect) {
        self.0 |= 1 << defect as u8;
    }

    /// Whether it is built in.
    #[must_use]
    pub const fn has(self, defect: Defect) -> bool {
        self.0 & (1 << defect as u8) != 0
    }

    /// Those built in, in the order of [`Defect::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Defect> {
        Defect::ALL.into_iter().filter(move |defect| self.has(*defect))
    }

    /// Those of opening a log.
    pub(super) const fn carelessness(self) -> Carelessness {
        Carelessness {
            truncates_corruption: self.has(Defect::TruncateCorruption),
            keeps_torn_tail: self.has(Defect::KeepTornTail),
        }
    }
}

/// When a write is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// At once; replication goes on behind.
    Async,
    /// When this many followers have confirmed it: 1 to the number of followers.
    SemiSync {
        /// Follower acknowledgements awaited.
        write_quorum: u16,
    },
    /// When every follower has confirmed it.
    Sync,
}

impl Mode {
    /// The name in scenario files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Async => "async",
            Self::SemiSync { .. } => "semi-sync",
            Self::Sync => "sync",
        }
    }

    /// How many of `followers` have to confirm a write before it is answered.
    #[must_use]
    pub const fn quorum(self, followers: u16) -> u16 {
        match self {
            Self::Async => 0,
            Self::SemiSync { write_quorum } => write_quorum,
            Self::Sync => followers,
        }
    }
}

/// What the leader answers when too few followers confirm in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnAckTimeout {
    /// Ok, marked degraded.
    Succeed,
    /// That the outcome is unknown.
    Fail,
}

/// What the leader sends to followers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replication {
    /// The write.
    Entry,
    /// Everything it stores; a follower takes it in place of what it has.
    FullState,
}

/// What a delete leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletes {
    /// A tombstone with the delete's version, so that an older write that arrives late loses.
    Tombstone,
    /// Nothing.
    Erase,
}
