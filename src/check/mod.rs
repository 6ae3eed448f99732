//! Checkers: what a run's evidence says of each property.
//!
//! A checker is a pure function of the history, the final snapshots, the leaderships and the recoveries; none sees a
//! simulation.
//! It answers in three values ([`Verdict`]); [`judge`] then holds the answer against what the configuration
//! promised. History checkers are linear or n log n in the operations.

use crate::config::{Bounds, Config, ExpectedVerdict, Names};
use crate::history::History;
use crate::id::{KeyId, NodeId, NodeSet, OpId, Version};
use crate::metrics::{Application, Leadership, Recovery, Settlement};
use crate::property::{Hazards, Promise, Promises, Property};
use crate::protocol::NodeSnapshot;
use crate::time::Time;

pub(crate) use facts::leader;

use facts::Facts;

mod append_uniqueness;
mod availability;
mod convergence;
mod durability;
mod facts;
mod liveness;
mod lww_maximum;
mod order;
mod replay;
mod replication_lag;
mod resurrection;
mod session;
mod single_leader;
mod split_brain;
mod staleness;
#[cfg(test)]
mod testing;
pub(crate) mod words;

/// Everything a checker may look at.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The settings of the run: bounds and names.
    pub config: &'a Config,
    /// What clients asked and were told.
    pub history: &'a History,
    /// Every node at the end of the run, in node order.
    pub finals: &'a [NodeSnapshot],
    /// Who led when, by the order in which they began.
    pub leaderships: &'a [Leadership],
    /// Every start of a node from its write-ahead log, in order of time.
    pub recoveries: &'a [Recovery],
    /// How the run ended.
    pub settlement: &'a Settlement,
    /// When the run ended.
    pub ended_at: Time,
    /// Operations that were due and never invoked: arrivals of an open loop that found no free client, and entries of
    /// the script whose client was still busy as the run ended.
    pub never_served: u64,
    /// The nodes that are up and have been all along: they never crashed, lost power or started again, so what
    /// they once took in they have not forgotten for want of a memory.
    pub survivors: &'a NodeSet,
    /// What each node applied, in event order; `None` when nobody asked for it to be noted.
    pub applications: Option<&'a [Application]>,
}

impl<'a> Evidence<'a> {
    /// The texts behind ids.
    #[must_use]
    pub fn names(&self) -> &'a Names {
        &self.config.names
    }
}

/// What a checker says of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It held.
    Valid,
    /// It was broken, as the witness shows.
    Invalid(Witness),
    /// The checker cannot tell, and why.
    Unknown(String),
    /// It was not looked at, for want of a bound: which.
    Unchecked(String),
}

/// Proof that a property was broken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witness {
    /// What happened, in a sentence or a few, with names and times: the first or worst case.
    pub summary: String,
    /// In how many cases.
    pub count: u64,
    /// The operations of the case shown.
    pub operations: Vec<OpId>,
    /// The nodes of the case shown.
    pub nodes: Vec<NodeId>,
    /// The write of the case shown, whose fate on each node a second, watched run can tell.
    pub write: Option<Version>,
}

/// A bound that the scenario sets, held against what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The bound with its value: `availability-bound = 99.9%`.
    pub bound: String,
    /// What was found, in words: `98.41% answered`.
    pub found: String,
    /// Whether the bound was met.
    pub met: bool,
}

/// A property with what was promised, what was found, and how the two compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport {
    /// Which property.
    pub property: Property,
    /// What the checker found.
    pub verdict: Verdict,
    /// What the configuration promised.
    pub promise: Promise,
    /// Which of the hazards that void the promise happened.
    pub voided_by: Hazards,
    /// The two held together, as `[expect]` and JSON name it.
    pub judged: ExpectedVerdict,
    /// The bounds that the scenario sets for it. Empty where the checker cannot tell.
    pub demands: Vec<Demand>,
    /// Figures that the checker measured, by name: in JSON beside the verdict.
    pub figures: Vec<(&'static str, u64)>,
}

impl CheckReport {
    /// Whether a bound that the scenario sets was missed.
    #[must_use]
    pub fn misses_a_bound(&self) -> bool {
        self.demands.iter().any(|demand| !demand.met)
    }
}

/// What a checker hands back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    verdict: Verdict,
    figures: Vec<(&'static str, u64)>,
    demands: Vec<Demand>,
}

impl Finding {
    /// What was found, of a property without bounds.
    const fn new(verdict: Verdict, figures: Vec<(&'static str, u64)>) -> Self {
        Self { verdict, figures, demands: Vec::new() }
    }

    /// Valid, unless there is a witness.
    fn of(witness: Option<Witness>, figures: Vec<(&'static str, u64)>) -> Self {
        Self::new(witness.map_or(Verdict::Valid, Verdict::Invalid), figures)
    }

    /// With the bounds that the scenario sets.
    fn demanding(self, demands: Vec<Demand>) -> Self {
        Self { demands, ..self }
    }

    /// Unchecked, where the bounds do not suffice.
    fn if_bounded(self, property: Property, bounds: &Bounds) -> Self {
        if bounds.suffice(property) {
            return self;
        }
        let keys: Vec<String> =
            property.needed_bounds().iter().map(|key| format!("`check.{key}`")).collect();
        let why = format!("the scenario does not set {}", keys.join(" or "));
        Self { verdict: Verdict::Unchecked(why), ..self }
    }
}

/// Runs every checker, in the order of [`Property::ALL`], and holds what each finds against `promises`, given the
/// `hazards` that happened in the run.
#[must_use]
pub fn judge(evidence: &Evidence<'_>, promises: &Promises, hazards: Hazards) -> Vec<CheckReport> {
    let facts = Facts::of(evidence);
    let sessions = session::scan(&facts);
    let find = |property| match property {
        Property::Convergence => convergence::check(&facts),
        Property::LwwMaximum => lww_maximum::check(&facts),
        Property::Durability => durability::check(&facts),
        Property::SingleLeader => single_leader::check(evidence),
        Property::ReadYourWrites
        | Property::MonotonicReads
        | Property::MonotonicWrites
        | Property::WritesFollowReads => sessions.finding(&facts, property),
        Property::Staleness => staleness::check(&facts),
        Property::Replay => replay::check(evidence),
        Property::SplitBrain => split_brain::check(evidence),
        Property::Availability => availability::check(evidence),
        Property::Liveness => liveness::check(&facts),
        Property::ReplicationLag => replication_lag::check(&facts),
        Property::Resurrection => resurrection::check(&facts),
        Property::AppendUniqueness => append_uniqueness::check(&facts),
    };
    let report = |property| hold(property, find(property), promises.of(property), hazards);
    Property::ALL.into_iter().map(report).collect()
}

/// Every acknowledged write that [`Property::Durability`] finds lost, in the order of invocation, with the key on
/// which it is: of a clear the first.
#[must_use]
pub fn lost_writes(evidence: &Evidence<'_>) -> Vec<(OpId, KeyId)> {
    durability::lost_writes(&Facts::of(evidence))
}

/// Every acknowledged write that was thrown away before its key was written again, in the order of invocation: not
/// lost at the end, and hidden by what came after.
#[must_use]
pub fn discarded_writes(evidence: &Evidence<'_>) -> Vec<OpId> {
    durability::discarded_writes(&Facts::of(evidence))
}

/// Holds what was found against what was promised.
fn hold(property: Property, finding: Finding, promise: Promise, happened: Hazards) -> CheckReport {
    let voided_by = match promise {
        Promise::Unless { hazards, .. } => hazards.intersection(happened),
        Promise::Always { .. } | Promise::Never { .. } => Hazards::NONE,
    };
    let promised = match promise {
        Promise::Always { .. } => true,
        Promise::Unless { .. } => voided_by == Hazards::NONE,
        Promise::Never { .. } => false,
    };
    let judged = match finding.verdict {
        Verdict::Valid => ExpectedVerdict::Valid,
        Verdict::Invalid(_) if promised => ExpectedVerdict::Violation,
        Verdict::Invalid(_) => ExpectedVerdict::Allowed,
        Verdict::Unknown(_) => ExpectedVerdict::Unknown,
        Verdict::Unchecked(_) => ExpectedVerdict::Unchecked,
    };
    let Finding { verdict, figures, demands } = finding;
    CheckReport { property, verdict, promise, voided_by, judged, demands, figures }
}

#[cfg(test)]
mod tests {
    use super::testing::Story;
    use super::*;
    use crate::property::Hazard;

    fn held(verdict: Verdict, promise: Promise, happened: &[Hazard]) -> (ExpectedVerdict, Hazards) {
        let finding = Finding::new(verdict, vec![("figure", 7)]);
        let report = hold(Property::Durability, finding, promise, Hazards::of(happened));
        assert_eq!((report.property, report.figures), (Property::Durability, vec![("figure", 7)]));
        (report.judged, report.voided_by)
    }

    #[test]
    fn a_broken_property_is_judged_by_its_promise() {
        let (always, never) = (Promise::Always { why: "" }, Promise::Never { why: "" });
        let hazards = Hazards::of(&[Hazard::Crash, Hazard::PowerLoss]);
        let unless = Promise::Unless { hazards, why: "" };
        let broken = || Verdict::Invalid(Witness::default());
        let crash = [Hazard::Crash, Hazard::MessageLost];

        assert_eq!(held(broken(), always, &crash), (ExpectedVerdict::Violation, Hazards::NONE));
        assert_eq!(held(broken(), never, &[]), (ExpectedVerdict::Allowed, Hazards::NONE));
        assert_eq!(
            held(broken(), unless, &[Hazard::MessageLost]),
            (ExpectedVerdict::Violation, Hazards::NONE)
        );
        assert_eq!(
            held(broken(), unless, &crash),
            (ExpectedVerdict::Allowed, Hazards::of(&[Hazard::Crash]))
        );
        assert_eq!(held(Verdict::Valid, never, &crash).0, ExpectedVerdict::Valid);
        let unknown = Verdict::Unknown("no node is up".to_owned());
        assert_eq!(held(unknown, always, &crash).0, ExpectedVerdict::Unknown);
        let unchecked = Verdict::Unchecked("no bound is set".to_owned());
        assert_eq!(held(unchecked, always, &crash).0, ExpectedVerdict::Unchecked);
    }

    #[test]
    fn every_property_is_judged_in_order_and_nothing_happened_is_valid() {
        let judge = |evidence: &Evidence<'_>| judge(evidence, &Promises::default(), Hazards::NONE);
        let reports = Story::new(3).evidence(judge);
        let properties: Vec<Property> = reports.iter().map(|report| report.property).collect();
        assert_eq!(properties, Property::ALL);
        for report in reports {
            let bounded = report.property.needed_bounds().is_empty();
            let judged = if bounded { ExpectedVerdict::Valid } else { ExpectedVerdict::Unchecked };
            assert_eq!(report.judged, judged, "{}", report.property);
        }
    }
}
