//! Bounds: a property that needs a bound is unchecked without one; a bound that is set must be
//! kept; and every operation that was due counts against it.

use splitbrain::experiment::points;
use splitbrain::fuzz::judge;
use splitbrain::fuzz::shrink::shrink_scenario;
use splitbrain::named::Named;
use splitbrain::property::Property;
use splitbrain::run::{RunOptions, RunResult, RunVerdict};
use splitbrain::scenario::Registry;

use crate::support::result::{self, check, unmet};
use crate::support::scenario::{read, read_with};

/// One client serves the arrivals of an open loop, and waits for a paused leader during half of
/// them.
const HALF_IS_NEVER_SERVED: &str = r#"
duration = "10s"
settle = "5s"
cluster.nodes = 3
protocol.leader-follower = {}
network.delay = "1ms"
[workload]
clients = 1
open = { rate = "100/s", arrivals = "constant" }
timeout = "8s"
mix = { put = 1 }
[[fault]]
at = "5s"
pause = "n1"
"#;

/// Two nodes are down for a second each, one after the other; after the second, nothing is answered
/// until a new leader is elected.
const ROLLING_RESTART: &str = r#"
duration = "6s"
settle = "20s"
[cluster]
nodes = 3
[protocol.leader-follower]
mode = "semi-sync"
write-quorum = 1
on-ack-timeout = "fail"
wal.policy = "group-commit"
failover = { election = "majority-vote", heartbeat = "100ms", timeout = "500ms", catch-up = "log" }
[disk]
sync = "1ms"
[network]
delay = "500us"
client-delay = "500us"
[workload]
clients = 8
mix = { put = 50, get = 50 }
open = { rate = "200/s" }
timeout = "300ms"
[[fault]]
at = "1s"
for = "1s"
crash = "n3"
[[fault]]
at = "4s"
for = "1s"
crash = "n1"
"#;

fn run(text: &str, sets: &[&str]) -> RunResult {
    let scenario = read_with(text, sets);
    scenario.run(scenario.config.seed, RunOptions::default())
}

fn figure(result: &RunResult, name: &str) -> u64 {
    result::figure(result, Property::Availability, name)
}

#[test]
fn arrivals_that_no_client_was_free_for_were_not_answered() {
    let result = run(HALF_IS_NEVER_SERVED, &["check.availability-bound=99%"]);
    assert_eq!(figure(&result, "operations"), 999);
    assert_eq!((figure(&result, "answered"), figure(&result, "never_served")), (500, 499));
    assert_eq!(result.verdict, RunVerdict::Fail);
    assert_eq!(unmet(&result), ["availability-bound = 99%; found 50.05% answered, 500 of 999"]);
    // A bound equal to the answered share is met.
    let result = run(HALF_IS_NEVER_SERVED, &["check.availability-bound=50.05%"]);
    assert_eq!((result.verdict, unmet(&result)), (RunVerdict::Pass, Vec::new()));
}

/// A property without its bound is never called valid, whatever share was answered.
#[test]
fn without_a_bound_availability_and_lag_are_unchecked_and_the_run_passes() {
    let result = run(HALF_IS_NEVER_SERVED, &[]);
    for property in [Property::Availability, Property::ReplicationLag] {
        assert_eq!(check(&result, property).judged.name(), "unchecked");
    }
    assert_eq!((result.verdict, figure(&result, "availability_ppm")), (RunVerdict::Pass, 500_500));
    // A scenario may expect that.
    let said = ["expect.availability=unchecked", "expect.replication-lag=unchecked"];
    assert_eq!(run(HALF_IS_NEVER_SERVED, &said).verdict, RunVerdict::Pass);
}

#[test]
fn a_bound_is_a_demand_unless_the_scenario_expects_something_else() {
    let bounds = ["check.availability-bound=99.9%", "check.recovery-bound=2s"];
    let result = run(ROLLING_RESTART, &bounds);
    assert_eq!(result.verdict, RunVerdict::Fail);
    // The settings promise nothing here, and are not blamed.
    let availability = check(&result, Property::Availability);
    assert_eq!(availability.judged.name(), "allowed");
    let met = availability.demands.iter().map(|demand| demand.met);
    assert_eq!(met.collect::<Vec<_>>(), [false, true], "{availability:#?}");
    let unmet = unmet(&result);
    assert_eq!(unmet.len(), 1, "{unmet:?}");
    assert!(unmet[0].starts_with("availability-bound = 99.9%; found "), "{unmet:?}");

    for (said, verdict) in [("allowed", RunVerdict::Pass), ("valid", RunVerdict::Fail)] {
        let said = format!("expect.availability={said}");
        assert_eq!(run(ROLLING_RESTART, &[bounds[0], &said]).verdict, verdict, "{said}");
    }
}

/// For every property with a bound, promised or not.
#[test]
fn every_bound_is_a_demand() {
    let bounds = [
        ("staleness-bound=1ms", Property::Staleness),
        ("availability-bound=100%", Property::Availability),
        ("recovery-bound=1ms", Property::Availability),
        ("leaderless-bound=1ms", Property::Liveness),
        ("replication-lag-bound=1us", Property::ReplicationLag),
    ];
    for (bound, property) in bounds {
        let bound = format!("check.{bound}");
        let stale = ["workload.read-from=any", "workload.keys=1", "network.delay=20ms"];
        let sets = [&stale[..], &[bound.as_str()]].concat();
        let result = run(ROLLING_RESTART, &sets);
        assert!(check(&result, property).misses_a_bound(), "{bound}");
        let named = unmet(&result).iter().any(|unmet| {
            let bound = bound.trim_start_matches("check.").replace('=', " = ");
            unmet.starts_with(&bound)
        });
        assert!(named && result.verdict == RunVerdict::Fail, "{bound}: {:?}", unmet(&result));
        let judged = check(&result, property).judged.name();
        let said = format!("expect.{property}={judged}");
        let result = run(ROLLING_RESTART, &[&sets[..], &[said.as_str()]].concat());
        assert_eq!((result.verdict, unmet(&result)), (RunVerdict::Pass, Vec::new()), "{bound}");
    }
}

/// A missed bound is a find and is shrunk; the small file expects the miss.
#[test]
fn fuzzing_takes_a_missed_bound_for_a_find() {
    let demanding = read_with(
        ROLLING_RESTART,
        &["check.availability-bound=100%", "workload.operations=40", "fault.1.at=50ms"],
    );
    let result = demanding.run(1, RunOptions::default());
    let found = judge::findings(&demanding.config, &result, judge::JudgedProperties::All);
    let checks: Vec<&str> = found.iter().map(|found| found.signature.check.as_str()).collect();
    assert_eq!(checks, ["availability"]);
    assert!(judge::unmet(&demanding.config, &result).is_empty(), "one find, not two");

    let shrunk = shrink_scenario(&demanding, 1, &Registry::new(), None).expect("it is shrunk");
    assert!(shrunk.text.contains("availability-bound"), "{}", shrunk.text);
    assert!(shrunk.text.contains("availability = \"allowed\""), "{}", shrunk.text);
    assert_eq!(run(&shrunk.text, &[]).verdict, RunVerdict::Pass, "{}", shrunk.text);

    let content = read_with(
        ROLLING_RESTART,
        &["check.availability-bound=100%", "expect.availability=allowed"],
    );
    let result = content.run(1, RunOptions::default());
    assert_eq!(judge::findings(&content.config, &result, judge::JudgedProperties::All), []);
}

/// An exported file has the same bounds, and no more.
#[test]
fn an_export_sets_no_bound_that_the_file_does_not() {
    let scenario = read_with(ROLLING_RESTART, &["check.recovery-bound=2s"]);
    let again = read(&scenario.export());
    assert_eq!(again.config.bounds, scenario.config.bounds);
    assert_eq!(read(&read(ROLLING_RESTART).export()).config.bounds, Default::default());
}

/// The points of a sweep must keep the bounds of the file, except those that it expects to be
/// missed.
#[test]
fn a_sweep_is_held_to_bounds_but_for_those_that_the_file_expects_to_be_missed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s.toml");
    std::fs::write(&path, ROLLING_RESTART).expect("written");
    let verdict = |sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        let points = points::grid(&path, &Registry::new(), &sets, &[]).expect("it is right");
        points[0].scenario.run(1, RunOptions::default()).verdict
    };
    let bound = "check.availability-bound=100%";
    assert_eq!(verdict(&[]), RunVerdict::Pass);
    assert_eq!(verdict(&[bound]), RunVerdict::Fail);
    assert_eq!(verdict(&[bound, "expect.availability=allowed"]), RunVerdict::Pass);
}

/// Two leaders answer clients half a second away: the time of the answer's sending counts.
#[test]
fn a_split_brain_does_not_hide_behind_the_distance_of_clients() {
    let text = r#"
duration = "6s"
settle = "20s"
cluster.nodes = 3
[protocol.leader-follower]
timestamps = "wall"
failover = { election = "lowest-id", heartbeat = "50ms", timeout = "200ms" }
[network]
delay = "1ms"
client-delay = "250ms"
[[fault]]
at = "1s"
for = "700ms"
isolate = "n1"
[[operation]]
at = "1100ms"
client = "a"
put = { key = "x", value = "a1", to = "n1" }
[[operation]]
at = "1150ms"
client = "b"
put = { key = "x", value = "b1", to = "n2" }
"#;
    let judged = |sets: &[&str]| check(&run(text, sets), Property::SplitBrain).judged.name();
    assert_eq!(judged(&[]), "allowed");
    // However far away the clients are, and whether or not they still wait for the answer.
    assert_eq!(
        judged(&["network.client-delay=1ms", "operation.0.at=1300ms", "operation.1.at=1300ms"]),
        "allowed"
    );
    assert_eq!(judged(&["operation.0.timeout=300ms", "operation.1.timeout=300ms"]), "allowed");
    // Answered before the other led, or accepted after this leader was deposed.
    assert_eq!(judged(&["operation.0.at=800ms"]), "valid");
    assert_eq!(judged(&["operation.0.at=1600ms"]), "valid");
}
