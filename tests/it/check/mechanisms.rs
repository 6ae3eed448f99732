//! How a property came to be broken: the mechanism that a run reports beside the verdict.

use splitbrain::check::Mechanism;
use splitbrain::property::Property;
use splitbrain::report::Report;
use splitbrain::report::json;
use splitbrain::run::{RunOptions, RunResult};
use splitbrain::scenario::Scenario;

use crate::support::result::check;
use crate::support::scenario::{home, load, read};

fn run(text: &str) -> (Scenario, RunResult) {
    let scenario = read(text);
    let result = scenario.run(scenario.config.seed, RunOptions::default());
    (scenario, result)
}

fn mechanism(text: &str, property: Property) -> Option<Mechanism> {
    let (_, result) = run(text);
    let report = check(&result, property);
    let broken = matches!(report.verdict, splitbrain::check::Verdict::Invalid(_));
    assert!(broken, "{property}: {:?}\n{text}", report.verdict);
    result.mechanism(property)
}

/// n1 deletes a key while n3 is cut off; then n3's old write comes back to the others.
fn deleted(deletes: &str) -> String {
    format!(
        r#"
duration = "20s"
[cluster]
nodes = 3
[protocol.leader-follower]
{deletes}
anti-entropy = {{ interval = "1s" }}
[[operation]]
at = "1s"
client = "ann"
put = {{ key = "city", value = "Raleigh" }}
[[fault]]
at = "2s"
for = "8s"
isolate = "n3"
[[operation]]
at = "3s"
client = "ann"
delete = {{ key = "city" }}
"#
    )
}

const NEVER: &str = r#"
duration = "5s"
[cluster]
nodes = 3
[protocol.leader-follower]
[[fault]]
at = "500ms"
for = "2s"
isolate = "n3"
[[operation]]
at = "1s"
client = "ann"
put = { key = "city", value = "Raleigh" }
"#;

#[test]
fn each_broken_property_names_how_it_came_to_be_broken() {
    let purged = deleted("tombstone-grace = \"2s\"");
    let erased = deleted("deletes = \"erase\"");
    let forgotten = NEVER.replace("isolate = \"n3\"", "crash = \"n3\"").replace("500ms", "1500ms");
    let cases = [
        (purged.as_str(), Property::Resurrection, Some(Mechanism::TombstonePurged)),
        (erased.as_str(), Property::Resurrection, Some(Mechanism::Resurrected)),
        (NEVER, Property::Convergence, Some(Mechanism::NeverArrived)),
        (forgotten.as_str(), Property::Convergence, Some(Mechanism::MemoryLost)),
    ];
    for (text, property, how) in cases {
        assert_eq!(mechanism(text, property), how, "{property}\n{text}");
    }
}

#[test]
fn a_run_that_breaks_nothing_names_none() {
    let (_, result) = run(&NEVER.replace("isolate = \"n3\"", "slow = { by = \"1ms\" }"));
    assert!(result.checks.iter().all(|report| report.mechanism.is_none()));
}

#[test]
fn a_tombstone_collected_too_early_is_named_in_json() {
    let scenario = load(&home("scenarios/anomalies/32-tombstone-collected-too-early.toml"));
    let result = scenario.run(scenario.config.seed, RunOptions::default());
    let (report, _) = Report::of("s.toml", &scenario.config, &result);
    let document = json::run(&report);
    assert_eq!(document["checks"]["resurrection"]["mechanism"], "tombstone-purged");
    assert!(document["checks"]["replay"]["mechanism"].is_null());
}

/// Reads of shipped scenarios that missed a write: the property, the mechanism, and words of the
/// witness.
const MISSED: [(&str, Property, Mechanism, &str); 9] = [
    (
        "19-reads-from-a-lagging-follower",
        Property::ReadYourWrites,
        Mechanism::NotYetThere,
        "n3 answered at 1.010000000 s: that write, sent by n1 at 1.001000000 s, was on its way",
    ),
    (
        "12-a-cancelled-wait-becomes-visible",
        Property::MonotonicReads,
        Mechanism::NotYetThere,
        "was blocked (drop-490ms)",
    ),
    (
        "11-the-old-leader-keeps-its-tail",
        Property::MonotonicReads,
        Mechanism::NotYetThere,
        "nobody had sent it that write yet",
    ),
    (
        "09-empty-leader-wipes-followers",
        Property::MonotonicReads,
        Mechanism::FullStateOverwrite,
        "it had had that write, and lost it at 0.123649042 s",
    ),
    (
        "22-reads-before-replay",
        Property::ReadYourWrites,
        Mechanism::DiskReplaced,
        "it had gone down with that write at 1.000000000 s and started again without it",
    ),
    (
        "20-a-deposed-leader-serves-reads",
        Property::Staleness,
        Mechanism::DeposedLeader,
        "it still took itself for the leader, of term 1, and had not heard that n2 has led in term \
         2 since",
    ),
    (
        "24-new-old-inversion",
        Property::MonotonicReads,
        Mechanism::QuorumMissed,
        "n3 answered at 2.355000000 s for n3 and n2: n3: that write, sent by n1 at 2.000000000 s, \
         was on its way",
    ),
    ("27-sloppy-quorum", Property::ReadYourWrites, Mechanism::QuorumMissed, "it was on n4 and n5"),
    (
        "30-tie-keeps-what-is-there",
        Property::MonotonicReads,
        Mechanism::OlderTimestamp,
        "it had dropped that write at 3.410813185 s, when it came: older than what it has",
    ),
];

/// The mechanism of a broken property, and its witness in words.
fn told(result: &RunResult, property: Property) -> (Option<Mechanism>, String) {
    let report = check(result, property);
    let splitbrain::check::Verdict::Invalid(witness) = &report.verdict else {
        panic!("{property}: {:?}", report.verdict);
    };
    (result.mechanism(property), witness.summary.clone())
}

#[test]
fn a_read_is_explained_by_what_the_replica_had_when_it_answered() {
    for (file, property, mechanism, words) in MISSED {
        let scenario = load(&home(&format!("scenarios/anomalies/{file}.toml")));
        let result = scenario.run(scenario.config.seed, RunOptions::default());
        let (how, summary) = told(&result, property);
        assert_eq!(how, Some(mechanism), "{file}: {summary}");
        assert!(summary.contains(words), "{file}: {summary}");
    }
}

/// The follower misses the write of 1 s because a message is missing; what happens to the write
/// later must not matter.
fn read_early(fault: &str) -> String {
    format!(
        r#"
duration = "3s"
[cluster]
nodes = 3
[network]
delay = "5ms"
[protocol.leader-follower]
{fault}
[[operation]]
at = "1s"
client = "ann"
put = {{ key = "city", value = "Raleigh" }}
[[operation]]
at = "1200ms"
client = "ann"
get = {{ key = "city", from = "n2" }}
[[fault]]
at = "2s"
for = "100ms"
crash = "all"
"#
    )
}

#[test]
fn the_later_fate_of_a_write_is_no_reason_for_an_earlier_read() {
    let cases = [
        (
            "[[fault]]\nat = \"990ms\"\nfor = \"100ms\"\ncrash = \"n2\"",
            "n2 answered at 1.200000000 s: it was down when that write came from n1 at 1.005000000 \
             s",
        ),
        (
            "[[fault]]\nid = \"cut\"\nat = \"990ms\"\nfor = \"100ms\"\nisolate = \"n2\"",
            "that write, sent by n1 at 1.000000000 s, was blocked (cut)",
        ),
        (
            r#"[[fault]]
id = "jam"
at = "990ms"
for = "500ms"
clog = { from = "n1", to = "n2" }"#,
            "that write, sent by n1 at 1.000000000 s, was held back (jam)",
        ),
        (
            "[[network.link]]\nfrom = \"n1\"\nto = \"n2\"\nloss = \"100%\"",
            "that write, sent by n1 at 1.000000000 s, was lost on the way",
        ),
    ];
    for (fault, words) in cases {
        let text = read_early(fault);
        let (_, result) = run(&text);
        let (how, summary) = told(&result, Property::ReadYourWrites);
        assert_eq!(how, Some(Mechanism::NotYetThere), "{summary}\n{text}");
        assert!(summary.contains(words), "{summary}\n{text}");
    }
}

#[test]
fn a_table_of_many_runs_does_not_ask_how_reads_nobody_promised_came_to_be_stale() {
    let text = read_early("[[network.link]]\nfrom = \"n1\"\nto = \"n2\"\nloss = \"100%\"");
    let scenario = read(&text);
    let causes = splitbrain::run::Causes::OfAllButAllowedReads;
    let result = scenario.run(1, RunOptions { causes, ..RunOptions::default() });
    assert_eq!(told(&result, Property::ReadYourWrites).0, None);
    assert!(result.mechanism(Property::Durability).is_some(), "{:?}", result.checks);
}
