//! The properties a run is checked for, and what a configuration promises of them.

use std::fmt;
use strum::{IntoStaticStr, VariantArray};

use crate::named::Named;
use crate::time::Span;

pub use hazard::{Befallen, Condition, Hazard, Hazards, Incident, Incidents, Whose};

mod hazard;

/// A property with a checker of its own in [`crate::check`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
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
    /// The property of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|property| property.name() == name)
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

/// What a configuration promises of one property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// It holds, whatever happens.
    Always {
        /// Why it does, in a sentence.
        why: &'static str,
    },
    /// It holds unless one of these happened in the run, to those whom the promise rests on.
    Unless {
        /// What voids the promise, and whom it has to befall.
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

/// How long a cluster may need to settle once everything has healed, whatever went wrong before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettlesWithin {
    /// So long at the most, but for a chance that is as good as none.
    Span(Span),
    /// The same, and as long again whenever what had settled begins anew, which may be at any time.
    Anew {
        /// How long.
        within: Span,
        /// What begins anew, and why, in words.
        why: &'static str,
    },
    /// That cannot be said.
    Unsaid {
        /// Why not, in words.
        why: &'static str,
    },
}

impl SettlesWithin {
    /// The shortest whole number of seconds that is long enough; `None` when that cannot be said.
    #[must_use]
    pub fn whole_seconds(self) -> Option<Span> {
        const SECOND: u64 = 1_000_000_000;
        match self {
            Self::Span(span) | Self::Anew { within: span, .. } => {
                let seconds = span.nanos().div_ceil(SECOND).min(Span::MAX.nanos() / SECOND);
                Some(Span::from_secs(seconds))
            }
            Self::Unsaid { .. } => None,
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
