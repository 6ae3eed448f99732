//! The properties a run is checked for, and what a configuration promises of them.

use std::fmt;

/// A property with a checker of its own in [`crate::check`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Property {
    /// After settling, all live replicas hold the same.
    Convergence,
    /// After settling, each key holds the last-write-wins maximum of the accepted writes that reached a survivor.
    LwwMaximum,
    /// No acknowledged write is lost.
    Durability,
    /// At most one node leads in a term (election safety, Raft figure 3).
    SingleLeader,
    /// A client's read sees the client's earlier writes.
    ReadYourWrites,
    /// A client's reads never go back.
    MonotonicReads,
    /// A client's writes take effect in the client's order.
    MonotonicWrites,
    /// A write is ordered after what its client had read.
    WritesFollowReads,
    /// No read misses a write acknowledged longer before it than the bound.
    Staleness,
    /// A node that starts again reads back all that was durable, and nothing that it did not write.
    Replay,
    /// No two nodes both believe that they lead and both acknowledge writes.
    SplitBrain,
    /// As much is answered, and a lost leader replaced as soon, as the bounds ask for.
    Availability,
    /// Once the faults are over, all that was begun comes to an end, and somebody leads.
    Liveness,
    /// No acknowledged write reaches a live replica later than the bound.
    ReplicationLag,
    /// What an acknowledged delete removed does not show again.
    Resurrection,
    /// Every acknowledged append is in its list once, and nothing is in it twice.
    AppendUniqueness,
}

/// When a property has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// At every moment.
    Always,
    /// At the end, once the cluster has settled.
    Eventually,
}

impl Property {
    /// All properties, in the order in which they are reported.
    pub const ALL: [Self; 16] = [
        Self::Convergence,
        Self::LwwMaximum,
        Self::Durability,
        Self::SingleLeader,
        Self::ReadYourWrites,
        Self::MonotonicReads,
        Self::MonotonicWrites,
        Self::WritesFollowReads,
        Self::Staleness,
        Self::Replay,
        Self::SplitBrain,
        Self::Availability,
        Self::Liveness,
        Self::ReplicationLag,
        Self::Resurrection,
        Self::AppendUniqueness,
    ];

    /// The name in files and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Convergence => "convergence",
            Self::LwwMaximum => "lww-maximum",
            Self::Durability => "durability",
            Self::SingleLeader => "single-leader",
            Self::ReadYourWrites => "read-your-writes",
            Self::MonotonicReads => "monotonic-reads",
            Self::MonotonicWrites => "monotonic-writes",
            Self::WritesFollowReads => "writes-follow-reads",
            Self::Staleness => "staleness",
            Self::Replay => "replay",
            Self::SplitBrain => "split-brain",
            Self::Availability => "availability",
            Self::Liveness => "liveness",
            Self::ReplicationLag => "replication-lag",
            Self::Resurrection => "resurrection",
            Self::AppendUniqueness => "append-uniqueness",
        }
    }

    /// The property of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|property| property.name() == name)
    }

    /// The keys of `[check]` one of which has to be set for it to be checked at all: without, it is a measurement, and
    /// nothing that was measured would break it. Empty for what is right or wrong by itself.
    #[must_use]
    pub const fn needed_bounds(self) -> &'static [&'static str] {
        match self {
            Self::Availability => &["availability-bound", "recovery-bound"],
            Self::ReplicationLag => &["replication-lag-bound"],
            Self::Convergence
            | Self::LwwMaximum
            | Self::Durability
            | Self::SingleLeader
            | Self::ReadYourWrites
            | Self::MonotonicReads
            | Self::MonotonicWrites
            | Self::WritesFollowReads
            | Self::Staleness
            | Self::Replay
            | Self::SplitBrain
            | Self::Liveness
            | Self::Resurrection
            | Self::AppendUniqueness => &[],
        }
    }

    /// When it has to hold.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Convergence | Self::LwwMaximum | Self::Durability | Self::Liveness => {
                Kind::Eventually
            }
            Self::SingleLeader
            | Self::ReadYourWrites
            | Self::MonotonicReads
            | Self::MonotonicWrites
            | Self::WritesFollowReads
            | Self::Staleness
            | Self::Replay
            | Self::SplitBrain
            | Self::Availability
            | Self::ReplicationLag
            | Self::Resurrection
            | Self::AppendUniqueness => Kind::Always,
        }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Something that happened in a run and that voids promises not made for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Hazard {
    /// A message between nodes was lost: by chance, a block, or a receiver that was down.
    MessageLost,
    /// A node's process died.
    Crash,
    /// A node lost what it had not synced.
    PowerLoss,
    /// A node came back with an empty disk.
    EmptyDisk,
    /// A node's wall clock went back or forth by a jump, or started off true time.
    ClockSkew,
    /// A node's clocks ran at another rate than true time.
    ClockDrift,
    /// A node stayed down: it was to, or its process gave up.
    StayedDown,
    /// A disk called something durable that it had not written.
    LostWrite,
    /// A bit of a disk flipped.
    BitRot,
    /// A disk had no space.
    DiskFull,
}

impl Hazard {
    /// All hazards.
    pub const ALL: [Self; 10] = [
        Self::MessageLost,
        Self::Crash,
        Self::PowerLoss,
        Self::EmptyDisk,
        Self::ClockSkew,
        Self::ClockDrift,
        Self::StayedDown,
        Self::LostWrite,
        Self::BitRot,
        Self::DiskFull,
    ];

    /// What happened, as the end of "because ..".
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::MessageLost => "a message was lost or blocked",
            Self::Crash => "a node crashed",
            Self::PowerLoss => "a node lost power",
            Self::EmptyDisk => "a node came back with an empty disk",
            Self::ClockSkew => "a wall clock was set wrong",
            Self::ClockDrift => "a clock drifted",
            Self::StayedDown => "a node stayed down",
            Self::LostWrite => "a disk lied about a sync",
            Self::BitRot => "a bit of a disk flipped",
            Self::DiskFull => "a disk was full",
        }
    }
}

/// Some hazards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Hazards(u16);

impl Hazards {
    /// None.
    pub const NONE: Self = Self(0);

    /// These.
    #[must_use]
    pub fn of(hazards: &[Hazard]) -> Self {
        let mut set = Self::NONE;
        for hazard in hazards {
            set.insert(*hazard);
        }
        set
    }

    /// Puts one in.
    pub const fn insert(&mut self, hazard: Hazard) {
        self.0 |= 1 << hazard as u8;
    }

    /// Whether it is in.
    #[must_use]
    pub const fn contains(self, hazard: Hazard) -> bool {
        self.0 & (1 << hazard as u8) != 0
    }

    /// Those in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those in it, in the order of [`Hazard::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Hazard> {
        Hazard::ALL.into_iter().filter(move |hazard| self.contains(*hazard))
    }
}

/// What a configuration promises of one property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// It holds, whatever happens.
    Always {
        /// Why it does, in a sentence.
        why: &'static str,
    },
    /// It holds unless one of these happened in the run.
    Unless {
        /// What voids the promise.
        hazards: Hazards,
        /// Why that does, in a sentence.
        why: &'static str,
    },
    /// It is not promised.
    Never {
        /// Why not, in a sentence.
        why: &'static str,
    },
}

impl Promise {
    /// Why, in a sentence.
    #[must_use]
    pub const fn why(self) -> &'static str {
        match self {
            Self::Always { why } | Self::Unless { why, .. } | Self::Never { why } => why,
        }
    }
}

/// What a configuration promises, per property.
///
/// A property that nothing is said of is not promised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promises(Vec<(Property, Promise)>);

impl Promises {
    /// Says what is promised of `property`, in place of what was said before.
    #[must_use]
    pub fn with(mut self, property: Property, promise: Promise) -> Self {
        self.0.retain(|(other, _)| *other != property);
        self.0.push((property, promise));
        self
    }

    /// What is promised of `property`.
    #[must_use]
    pub fn of(&self, property: Property) -> Promise {
        let said = self.0.iter().find(|(other, _)| *other == property);
        said.map_or(Promise::Never { why: "the protocol says nothing about it" }, |(_, promise)| {
            *promise
        })
    }
}
