//! What a scenario expects of a run, and the bounds of checkers.

use strum::{IntoStaticStr, VariantArray};

use crate::id::{KeyId, NodeId, Value};
use crate::property::Property;
use crate::rng::Probability;
use crate::time::{Span, Time};

/// The expectation of a value that may be absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expected<T> {
    /// Any value, or none.
    #[default]
    Anything,
    /// None.
    Nothing,
    /// This value.
    Is(T),
}

impl<T> Expected<T> {
    /// What has to be found: this value, or none; `None` for anything.
    #[must_use]
    pub fn wanted(self) -> Option<Option<T>> {
        match self {
            Self::Anything => None,
            Self::Nothing => Some(None),
            Self::Is(value) => Some(Some(value)),
        }
    }
}

/// How an operation is expected to complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum ExpectedStatus {
    /// It happened.
    Ok,
    /// It did not happen.
    Fail,
    /// Its outcome is unknown.
    Info,
}

/// What a node is expected to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum ExpectedRole {
    /// It leads.
    Leader,
    /// It follows.
    Follower,
    /// It knows no leader: it stands for election, or waits for one.
    Candidate,
    /// It asks whether it would be elected, before it stands.
    PreCandidate,
    /// It has the log and takes no part in elections.
    Learner,
    /// Its process is dead.
    Down,
}

/// The bounds of checkers. A bound that the scenario sets is a demand: a run that misses it fails,
/// unless `[expect]` names a verdict for the property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Bounds {
    /// How long after a write was acknowledged a read may still miss it; with `None` it may miss
    /// none, which is no demand.
    pub staleness: Option<Span>,
    /// The least share of operations that complete ok; `None` for any.
    pub availability: Option<Probability>,
    /// How long after the loss of a leader a write may wait to be acknowledged; `None` for any
    /// time.
    pub recovery: Option<Span>,
    /// How long nobody may lead; `None` for any time.
    pub leaderless: Option<Span>,
    /// How long a write may take from the first node to a live replica; `None` when that is not to
    /// be measured.
    pub replication_lag: Option<Span>,
}

impl Bounds {
    /// Whether `property` has the bounds that it needs: at least one, if it cannot be broken
    /// without.
    #[must_use]
    pub const fn suffice(&self, property: Property) -> bool {
        match property {
            Property::Availability => self.availability.is_some() || self.recovery.is_some(),
            Property::ReplicationLag => self.replication_lag.is_some(),
            Property::Convergence
            | Property::LwwMaximum
            | Property::Durability
            | Property::SingleLeader
            | Property::ReadYourWrites
            | Property::MonotonicReads
            | Property::MonotonicWrites
            | Property::WritesFollowReads
            | Property::Staleness
            | Property::Replay
            | Property::SplitBrain
            | Property::Liveness
            | Property::Resurrection
            | Property::AppendUniqueness
            | Property::Linearizability
            | Property::Votes
            | Property::LogMatching
            | Property::LeaderAppendOnly
            | Property::LeaderCompleteness
            | Property::StateMachineSafety
            | Property::CommittedDurable => true,
        }
    }
}

/// What the scenario expects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expect {
    /// The verdict of a checker, by property, in file order.
    pub checks: Vec<(Property, ExpectedVerdict)>,
    /// The state of a node at a time, in file order.
    pub states: Vec<ExpectedState>,
    /// The properties whose bounds are no demands although `checks` does not name them. A sweep,
    /// which drops the file's expectations, lists here what the file's `checks` named.
    pub excused: Vec<Property>,
}

impl Expect {
    /// Whether the bounds of `property` that the scenario sets are demands.
    #[must_use]
    pub fn demands(&self, property: Property) -> bool {
        !self.checks.iter().any(|(named, _)| *named == property)
            && !self.excused.contains(&property)
    }
}

/// A check's verdict, as `[expect]` and JSON name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum ExpectedVerdict {
    /// The property held.
    Valid,
    /// It was broken, and the configuration does not promise it.
    Allowed,
    /// It was broken although the configuration promises it.
    Violation,
    /// The checker cannot tell.
    Unknown,
    /// It needs a bound, and the scenario sets none.
    Unchecked,
}

/// The state that a node must have after every event up to and including a time.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpectedState {
    /// When.
    pub at: Time,
    /// Who.
    pub node: NodeId,
    /// What a key holds; `None` for nothing.
    pub key: Option<(KeyId, Option<Value>)>,
    /// The node's role.
    pub role: Option<ExpectedRole>,
    /// The node's term.
    pub term: Option<u64>,
    /// The node that it takes for the leader.
    pub leader: Expected<NodeId>,
    /// The node that it waits for to lead, while it knows of no leader.
    pub awaits: Expected<NodeId>,
    /// The nodes to which the network blocks its messages, lowest id first.
    pub blocked: Option<Vec<NodeId>>,
}
