//! Checkers: what a run's evidence says of each property.
//!
//! A checker is a pure function of the history, the final snapshots, the leaderships and the
//! recoveries; it never sees a simulation. It finds a property valid, broken with a witness, or
//! unknown with a reason ([`Verdict`]). [`judge`] then compares the finding with what the
//! configuration promised. History checkers take time linear or n log n in the operations. What
//! holds of a replicated log at every moment is found while the run is played: the simulation feeds
//! a ledger ([`replicated_log`]), and its findings are evidence like the rest.

#![warn(clippy::wildcard_enum_match_arm)]

use crate::config::{Config, ExpectedVerdict};
use crate::history::History;
use crate::id::{KeyId, OpId};
use crate::metrics::Settlement;
use crate::named::Named;
use crate::property::{
    Incident, Incidents, Promise, Promises, Property, PropertyKind, SettlesWithin,
};
use crate::time::Time;

pub use evidence::Evidence;
pub(crate) use facts::leader;
pub use mechanism::Mechanism;
pub use report::{CheckReport, Demand, Verdict, Witness};
pub use visibility::Freshness;

use facts::Facts;
use report::Finding;

mod append_uniqueness;
mod availability;
mod convergence;
mod durability;
mod evidence;
mod facts;
mod linearizability;
mod liveness;
mod lww_maximum;
mod mechanism;
mod order;
mod replay;
pub mod replicated_log;
mod replication_lag;
mod report;
mod resurrection;
mod session;
mod single_leader;
mod split_brain;
mod staleness;
#[cfg(test)]
mod testing;
mod visibility;
pub(crate) mod words;

/// Runs every checker, in the order of [`Property`] (those of a replicated log where the protocol
/// keeps one), and compares each finding with `promises`, given the `incidents` of the run and how
/// long the cluster may need to settle.
#[must_use]
pub fn judge(
    evidence: &Evidence<'_>,
    promises: &Promises,
    incidents: &Incidents,
    settles: SettlesWithin,
) -> Vec<CheckReport> {
    let facts = Facts::of(evidence);
    let sessions = session::scan(&facts);
    let find = |property| match property {
        Property::Convergence => convergence::check(&facts),
        Property::LwwMaximum => lww_maximum::check(&facts),
        Property::Durability => durability::check(&facts),
        Property::SingleLeader => single_leader::check(evidence),
        Property::ReadYourWrites => sessions.read_your_writes.finding(&facts),
        Property::MonotonicReads => sessions.monotonic_reads.finding(&facts),
        Property::MonotonicWrites => sessions.monotonic_writes.finding(&facts),
        Property::WritesFollowReads => sessions.writes_follow_reads.finding(&facts),
        Property::Staleness => staleness::check(&facts),
        Property::Replay => replay::check(evidence),
        Property::SplitBrain => split_brain::check(&facts),
        Property::Availability => availability::check(evidence),
        Property::Liveness => liveness::check(&facts),
        Property::ReplicationLag => replication_lag::check(&facts),
        Property::Resurrection => resurrection::check(&facts),
        Property::AppendUniqueness => append_uniqueness::check(&facts),
        Property::Linearizability => linearizability::check(&facts),
        Property::Votes
        | Property::LogMatching
        | Property::LeaderAppendOnly
        | Property::LeaderCompleteness
        | Property::StateMachineSafety
        | Property::CommittedDurable => replicated_log::check(evidence, property),
    };
    let led = |node| evidence.leaderships.iter().any(|leadership| leadership.node == node);
    let unsettled = still_settling(evidence, settles);
    let report = |property: Property| {
        let promise = promises.of(property);
        let voided_by = match promise {
            Promise::Unless { hazards, .. } => hazards.voided_by(incidents, led),
            Promise::Always { .. } | Promise::Never { .. } => Vec::new(),
        };
        let in_the_end = property.kind() == PropertyKind::Eventually;
        let too_soon = unsettled.as_deref().filter(|_| in_the_end);
        let mut finding = find(property);
        if let Verdict::Invalid(witness) = &mut finding.verdict {
            name_wholes(evidence.history, &mut witness.operations);
        }
        hold(property, finding, (promise, voided_by), too_soon)
    };
    let is_judged = |property: &Property| !property.is_of_a_log() || evidence.log.is_some();
    Property::all().filter(is_judged).map(report).collect()
}

/// Names the operations that clients invoked, each once, in the place of their accesses.
fn name_wholes(history: &History, operations: &mut Vec<OpId>) {
    if operations.iter().all(|op| history.whole(*op) == *op) {
        return;
    }
    let mut named = Vec::new();
    for op in operations.drain(..).map(|op| history.whole(op)) {
        if !named.contains(&op) {
            named.push(op);
        }
    }
    *operations = named;
}

/// Every acknowledged write that [`Property::Durability`] finds lost, in the order of invocation,
/// with the key on which it was lost; for a clear, the first such key.
#[must_use]
pub fn lost_writes(evidence: &Evidence<'_>) -> Vec<(OpId, KeyId)> {
    durability::lost_writes(&Facts::of(evidence))
}

/// Every acknowledged write that was thrown away before its key was written again, in the order of
/// invocation. Later writes hide that. `None` if the protocol does not say what its writes
/// overwrite.
#[must_use]
pub fn discarded_writes(evidence: &Evidence<'_>) -> Option<Vec<OpId>> {
    durability::discarded_writes(&Facts::of(evidence))
}

/// How fresh the answer to each get of a key was that had been written before, in the order of
/// invocation.
#[must_use]
pub fn visibility(history: &History) -> Vec<Freshness> {
    visibility::visibility(history)
}

/// Why a property that does not hold yet may still come to hold: the cluster was still settling
/// when `settle` ran out, and `settle` is shorter than the cluster may need, or settling began anew
/// too late. `None` if the cluster has settled or nothing more can change.
fn still_settling(evidence: &Evidence<'_>, settles: SettlesWithin) -> Option<String> {
    let Settlement::Unsettled { waiting_for } = evidence.settlement else { return None };
    let Config { duration, settle, .. } = *evidence.config;
    if evidence.ended_at.since(Time::ZERO + duration) < settle {
        return None;
    }
    let needs = match (settles, settles.whole_seconds()) {
        (SettlesWithin::Span(_) | SettlesWithin::Anew { .. }, Some(needed)) if needed > settle => {
            format!(
                "which is less than these settings may need; with `settle = \"{needed}\"` it \
                 could be told"
            )
        }
        (SettlesWithin::Span(_), _) => return None,
        (SettlesWithin::Anew { within, why }, _) => {
            let changes = evidence.leaderships.iter();
            let last = changes.flat_map(|led| [Some(led.from), led.until]).flatten().max();
            // Earlier changes belong to the first settling, which had its time.
            let is_anew = |at: &Time| *at > Time::ZERO + duration + within;
            let last = last.filter(|at| is_anew(at) && evidence.ended_at.since(*at) < within)?;
            let within = within.short();
            format!(
                "but who leads changed at {last} s, and these settings may need {within} again \
                 whenever {why}"
            )
        }
        (SettlesWithin::Unsaid { why }, _) => {
            format!("and how long these settings may need cannot be said, because {why}")
        }
    };
    let rest = words::in_all(waiting_for.len() as u64, "things under way");
    let under_way = waiting_for.first().map_or("something was under way", String::as_str);
    Some(format!("{} after the faults, {needs}; still settling: {under_way}{rest}", settle.short()))
}

/// Compares a finding with the promise and the incidents that void it. `too_soon` says why the
/// property may still come to hold.
fn hold(
    property: Property,
    finding: Finding,
    (promise, voided_by): (Promise, Vec<Incident>),
    too_soon: Option<&str>,
) -> CheckReport {
    let promised = match promise {
        Promise::Always { .. } => true,
        Promise::Unless { .. } => voided_by.is_empty(),
        Promise::Never { .. } => false,
    };
    let Finding { verdict, figures, demands } = finding;
    let verdict = match (verdict, too_soon) {
        (Verdict::Invalid(Witness { summary, .. }), Some(why)) if promised => {
            Verdict::Unknown(format!("{summary}; {why}"))
        }
        (verdict, _) => verdict,
    };
    let judged = match verdict {
        Verdict::Valid => ExpectedVerdict::Valid,
        Verdict::Invalid(_) if promised => ExpectedVerdict::Violation,
        Verdict::Invalid(_) => ExpectedVerdict::Allowed,
        Verdict::Unknown(_) => ExpectedVerdict::Unknown,
        Verdict::Unchecked(_) => ExpectedVerdict::Unchecked,
    };
    CheckReport { property, verdict, promise, voided_by, judged, demands, figures, mechanism: None }
}

#[cfg(test)]
mod batches;
#[cfg(test)]
mod compare_and_set;
#[cfg(test)]
mod tests {
    use super::testing::Story;
    use super::*;
    use crate::id::NodeId;
    use crate::property::{Befallen, Hazard, Hazards};
    use crate::time::Span;

    fn held(verdict: Verdict, promise: Promise, voided_by: &[Incident]) -> ExpectedVerdict {
        let finding = Finding::new(verdict, vec![("figure", 7)]);
        let promised = (promise, voided_by.to_vec());
        let report = hold(Property::Durability, finding, promised, None);
        assert_eq!((report.property, report.figures), (Property::Durability, vec![("figure", 7)]));
        assert_eq!(report.voided_by, voided_by);
        report.judged
    }

    #[test]
    fn a_broken_property_is_judged_by_its_promise() {
        let (always, never) = (Promise::Always { why: "" }, Promise::Never { why: "" });
        let unless = Promise::Unless { hazards: Hazards::of(&[Hazard::Crash]), why: "" };
        let broken = || Verdict::Invalid(Witness::default());
        let crash =
            [Incident { hazard: Hazard::Crash, befell: Befallen::Node(NodeId(0)), at: Time::ZERO }];

        assert_eq!(held(broken(), always, &[]), ExpectedVerdict::Violation);
        assert_eq!(held(broken(), never, &[]), ExpectedVerdict::Allowed);
        assert_eq!(held(broken(), unless, &[]), ExpectedVerdict::Violation);
        assert_eq!(held(broken(), unless, &crash), ExpectedVerdict::Allowed);
        assert_eq!(held(Verdict::Valid, never, &[]), ExpectedVerdict::Valid);
        let unknown = Verdict::Unknown("no node is up".to_owned());
        assert_eq!(held(unknown, always, &[]), ExpectedVerdict::Unknown);
        let unchecked = Verdict::Unchecked("no bound is set".to_owned());
        assert_eq!(held(unchecked, always, &[]), ExpectedVerdict::Unchecked);
    }

    #[test]
    fn what_is_to_hold_in_the_end_is_a_violation_only_when_the_end_has_come() {
        let always = Promise::Always { why: "" };
        let held = |promise, too_soon| {
            let verdict =
                Verdict::Invalid(Witness { summary: "n2 lacks k".into(), ..Witness::default() });
            let finding = Finding::new(verdict, Vec::new());
            hold(Property::Convergence, finding, (promise, Vec::new()), too_soon)
        };
        let unknown = held(always, Some("a message is on its way"));
        assert_eq!(unknown.judged, ExpectedVerdict::Unknown);
        let told = "n2 lacks k; a message is on its way".to_owned();
        assert_eq!(unknown.verdict, Verdict::Unknown(told));
        assert_eq!(held(always, None).judged, ExpectedVerdict::Violation);
        let never = held(Promise::Never { why: "" }, Some("a message is on its way"));
        assert_eq!(never.judged, ExpectedVerdict::Allowed);
    }

    /// Followers gave up a leader for want of heartbeats shortly before the end, and the next one
    /// was not yet known.
    #[test]
    fn what_begins_anew_has_its_time_once_more() {
        let judged = |changed: u64, settles: SettlesWithin| {
            let mut story = Story::new(3);
            story.put("c1", "city", "Raleigh").at(1).ok(60_000).version(9);
            story.settles_for(Span::from_secs(59));
            story.leads(1, 1, 0, Some(changed)).leads(2, 2, changed, None);
            let waiting_for = vec!["n3: waits for n2 to lead".to_owned()];
            story.settlement(Settlement::Unsettled { waiting_for });
            let judge = |evidence: &Evidence<'_>| {
                let always = Promise::Always { why: "" };
                let promises = Promises::default().with(Property::Liveness, always);
                judge(evidence, &promises, &Incidents::NONE, settles)
            };
            let reports = story.evidence(judge);
            let liveness = reports.into_iter().find(|report| report.property == Property::Liveness);
            liveness.expect("it is judged")
        };
        let within = Span::from_secs(20);
        let anew = SettlesWithin::Anew { within, why: "a heartbeat is lost" };
        let late = judged(59_500, anew);
        assert_eq!(late.judged, ExpectedVerdict::Unknown, "{late:?}");
        let Verdict::Unknown(why) = late.verdict else { panic!("{late:?}") };
        let told = "but who leads changed at 59.500000000 s, and these settings may need 20s \
                    again whenever a heartbeat is lost";
        assert!(why.contains(told), "{why}");
        // That was long enough ago; that was part of the first settling; and here nothing begins
        // anew.
        for (changed, settles) in
            [(35_000, anew), (15_000, anew), (59_500, SettlesWithin::Span(within))]
        {
            assert_eq!(judged(changed, settles).judged, ExpectedVerdict::Violation, "{changed}");
        }
    }

    #[test]
    fn every_property_is_judged_in_order_and_nothing_happened_is_valid() {
        let judge = |evidence: &Evidence<'_>| {
            let settles = SettlesWithin::Span(Span::ZERO);
            judge(evidence, &Promises::default(), &Incidents::NONE, settles)
        };
        let reports = Story::new(3).evidence(judge);
        let properties: Vec<Property> = reports.iter().map(|report| report.property).collect();
        // Nobody keeps a log here.
        let judged = Property::all().filter(|property| !property.is_of_a_log());
        assert_eq!(properties, judged.collect::<Vec<_>>());
        for report in reports {
            let bounded = report.property.needed_bounds().is_empty();
            let judged = if bounded { ExpectedVerdict::Valid } else { ExpectedVerdict::Unchecked };
            assert_eq!(report.judged, judged, "{}", report.property);
        }
    }
}
