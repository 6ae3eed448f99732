//! The properties that runs are checked for, and what configurations promise of them.

use std::fmt;
use strum::{IntoStaticStr, VariantArray};

use crate::named::Named;
use crate::time::Span;

pub use hazard::{Befallen, Condition, Hazard, Hazards, Incident, Incidents, Whose};

mod hazard;

/// A property that [`crate::check`] judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Property {
    /// After settling, all live replicas hold the same data.
    Convergence,
    /// After settling, each key holds the last-write-wins maximum of the accepted writes that
    /// reached a surviving node.
    LwwMaximum,
    /// No acknowledged write is lost.
    Durability,
    /// At most one node leads in a term (election safety, Raft figure 3).
    SingleLeader,
    /// A client's read sees the client's earlier writes.
    ReadYourWrites,
    /// A client's reads never go back to an older write.
    MonotonicReads,
    /// A client's writes take effect in the client's order.
    MonotonicWrites,
    /// A write is ordered after the writes that its client had read.
    WritesFollowReads,
    /// No read misses a write that was acknowledged more than the bound before it.
    Staleness,
    /// A node that restarts reads back everything that was durable and nothing that it did not
    /// write.
    Replay,
    /// No two nodes lead and acknowledge writes at the same time.
    SplitBrain,
    /// The share of answered operations and the time to replace a lost leader keep their bounds.
    Availability,
    /// After the faults end, every operation completes and some node leads.
    Liveness,
    /// No acknowledged write reaches a live replica later than the bound.
    ReplicationLag,
    /// A value that an acknowledged delete removed never shows again.
    Resurrection,
    /// Every acknowledged append is in its list exactly once, and no element is in it twice.
    AppendUniqueness,
    /// One copy of the data could have given every answer (Herlihy and Wing, 1990).
    Linearizability,
    /// A node votes for one candidate a term, and its term never goes back (Raft section 5.2).
    Votes,
    /// Two logs that have an entry of one term and index are equal up to there (Raft section 5.3).
    LogMatching,
    /// A node that leads cuts nothing off its log (Raft figure 3).
    LeaderAppendOnly,
    /// Who leads a term has every entry that was committed in an earlier one (Raft section 5.4).
    LeaderCompleteness,
    /// All nodes commit the same entries in the same order, and so reach the same states (Raft
    /// figure 3).
    StateMachineSafety,
    /// A committed entry is durable on a quorum, and never lost by all nodes.
    CommittedDurable,
}

/// When a property has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PropertyKind {
    /// At every moment.
    Always,
    /// At the end, once the cluster has settled.
    Eventually,
}

impl Property {
    /// The keys of `[check]`, one of which must be set for the property to be checked; without a
    /// bound it is only measured. Empty if it needs no bound.
    #[must_use]
    pub const fn needed_bounds(self) -> &'static [&'static str] {
        self.kind_and_bounds().1
    }

    /// When it has to hold.
    #[must_use]
    pub const fn kind(self) -> PropertyKind {
        self.kind_and_bounds().0
    }

    /// Whether it is about a replicated log: only runs of protocols that keep one are judged.
    #[must_use]
    pub const fn is_of_a_log(self) -> bool {
        matches!(
            self,
            Self::Votes
                | Self::LogMatching
                | Self::LeaderAppendOnly
                | Self::LeaderCompleteness
                | Self::StateMachineSafety
                | Self::CommittedDurable
        )
    }

    const fn kind_and_bounds(self) -> (PropertyKind, &'static [&'static str]) {
        match self {
            Self::Convergence | Self::LwwMaximum | Self::Durability | Self::Liveness => {
                (PropertyKind::Eventually, &[])
            }
            Self::Availability => (PropertyKind::Always, &["availability-bound", "recovery-bound"]),
            Self::ReplicationLag => (PropertyKind::Always, &["replication-lag-bound"]),
            Self::SingleLeader
            | Self::ReadYourWrites
            | Self::MonotonicReads
            | Self::MonotonicWrites
            | Self::WritesFollowReads
            | Self::Staleness
            | Self::Replay
            | Self::SplitBrain
            | Self::Resurrection
            | Self::AppendUniqueness
            | Self::Linearizability
            | Self::Votes
            | Self::LogMatching
            | Self::LeaderAppendOnly
            | Self::LeaderCompleteness
            | Self::StateMachineSafety
            | Self::CommittedDurable => (PropertyKind::Always, &[]),
        }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a configuration promises of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// It holds, whatever happens.
    Always {
        /// Why it does, in a sentence.
        why: &'static str,
    },
    /// It holds unless one of these hazards befell its victims.
    Unless {
        /// The hazards that void the promise, each with its victims.
        hazards: Hazards,
        /// Why that voids it, in a sentence.
        why: &'static str,
    },
    /// It is not promised.
    Never {
        /// Why not, in a sentence.
        why: &'static str,
    },
}

impl Promise {
    /// The reason, in a sentence.
    #[must_use]
    pub const fn why(self) -> &'static str {
        match self {
            Self::Always { why } | Self::Unless { why, .. } | Self::Never { why } => why,
        }
    }
}

/// How long a cluster may need to settle after everything has healed, whatever went wrong before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettlesWithin {
    /// At most this long, except with a negligible probability.
    Span(Span),
    /// At most this long, but the cluster may begin anew at any time and then needs as long again.
    Anew {
        /// How long.
        within: Span,
        /// Why it may begin anew, in words.
        why: &'static str,
    },
    /// No bound can be given.
    Unsaid {
        /// Why not, in words.
        why: &'static str,
    },
}

impl SettlesWithin {
    /// The time in whole seconds, rounded up; `None` if no bound can be given.
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

/// What a configuration promises of each property; a property without an entry is not promised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promises(Vec<(Property, Promise)>);

impl Promises {
    /// Sets what is promised of `property`, replacing what was set before.
    #[must_use]
    pub fn with(mut self, property: Property, promise: Promise) -> Self {
        self.0.retain(|(other, _)| *other != property);
        self.0.push((property, promise));
        self
    }

    /// Whether anything is said of `property`.
    #[must_use]
    pub fn says_of(&self, property: Property) -> bool {
        self.0.iter().any(|(other, _)| *other == property)
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
