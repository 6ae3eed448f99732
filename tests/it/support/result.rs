//! What a run gave: verdicts, figures and expectations.

use splitbrain::check::CheckReport;
use splitbrain::config::ExpectedVerdict;
use splitbrain::property::Property;
use splitbrain::run::{QueueKind, RunOptions, RunResult, RunVerdict};
use splitbrain::scenario::Scenario;

/// Runs a scenario with its trace, through either queue, which must make no difference.
#[track_caller]
pub(crate) fn in_both_queues(scenario: &Scenario, seed: u64) -> RunResult {
    let run =
        |queue| scenario.run(seed, RunOptions { trace: true, queue, ..RunOptions::default() });
    let (result, other) = (run(QueueKind::Calendar), run(QueueKind::Heap));
    assert_eq!(result.digest, other.digest, "the queues differ");
    result
}

/// The expectations that were not met: name and finding.
pub(crate) fn unmet(result: &RunResult) -> Vec<String> {
    let unmet = result.expectations.iter().filter(|expectation| !expectation.met);
    unmet.map(|unmet| format!("{}; found {}", unmet.name, unmet.found)).collect()
}

/// Panics when an expectation of an operation, a state or a verdict is not met.
#[track_caller]
pub(crate) fn assert_none_unmet(what: &str, result: &RunResult) {
    let unmet = unmet(result);
    let trace = result.trace.as_deref().unwrap_or_default();
    assert!(unmet.is_empty(), "{what}:\n{}\n{trace}", unmet.join("\n"));
}

/// The same, and something has to be expected.
#[track_caller]
pub(crate) fn assert_expectations_met(what: &str, result: &RunResult) {
    assert_none_unmet(what, result);
    assert!(!result.expectations.is_empty(), "{what}: nothing is expected");
}

#[track_caller]
pub(crate) fn assert_passed(what: &str, result: &RunResult) {
    assert_eq!(result.verdict, RunVerdict::Pass, "{what}: {:#?}", result.checks);
}

pub(crate) fn check(result: &RunResult, property: Property) -> &CheckReport {
    let mut checks = result.checks.iter();
    checks.find(|check| check.property == property).expect("every property is judged")
}

pub(crate) fn judged(result: &RunResult, property: Property) -> ExpectedVerdict {
    check(result, property).judged
}

/// Panics when one of the properties did not hold.
#[track_caller]
pub(crate) fn assert_valid(
    what: &str,
    result: &RunResult,
    properties: impl IntoIterator<Item = Property>,
) {
    for property in properties {
        assert_eq!(judged(result, property), ExpectedVerdict::Valid, "{what}: {property}");
    }
}

/// Whether a property held, or needs a bound that its scenario does not set.
pub(crate) fn holds(check: &CheckReport) -> bool {
    matches!(check.judged, ExpectedVerdict::Valid | ExpectedVerdict::Unchecked)
}

/// A figure that the check of a property counted.
#[track_caller]
pub(crate) fn figure(result: &RunResult, property: Property, name: &str) -> u64 {
    let mut figures = check(result, property).figures.iter();
    figures.find(|(other, _)| *other == name).expect("such a figure").1
}
