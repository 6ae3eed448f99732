//! How broken properties came to be broken: the mechanism that a run names beside the verdict.

use std::path::Path;

use splitbrain::property::Property;
use splitbrain::report::Report;
use splitbrain::report::json;
use splitbrain::run::mechanism::Mechanism;
use splitbrain::run::{RunOptions, RunResult};
use splitbrain::scenario::{Registry, Scenario};

fn run(text: &str) -> (Scenario, RunResult) {
    let scenario = Scenario::parse("s.toml", text.as_bytes(), &Registry::new(), &[])
        .unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"));
    let result = scenario.run(scenario.config.seed, RunOptions::default());
    (scenario, result)
}

fn mechanism(text: &str, property: Property) -> Option<Mechanism> {
    let (_, result) = run(text);
    let report = result.checks.iter().find(|report| report.property == property);
    let report = report.expect("every property is checked");
    let broken = matches!(report.verdict, splitbrain::check::Verdict::Invalid(_));
    assert!(broken, "{property}: {:?}\n{text}", report.verdict);
    result.mechanism(property)
}

/// n1 deletes while n3 cannot hear of it; then n3's old write comes back to the others.
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
    assert_eq!(result.mechanisms, []);
}

#[test]
fn a_tombstone_collected_too_early_is_named_in_json() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = home.join("scenarios/anomalies/32-tombstone-collected-too-early.toml");
    let scenario = Scenario::load(&path, &Registry::new(), &[]).expect("it ships");
    let result = scenario.run(scenario.config.seed, RunOptions::default());
    let (report, _) = Report::of("s.toml", &scenario.config, &result);
    let document = json::run(&report);
    assert_eq!(document["checks"]["resurrection"]["mechanism"], "tombstone-purged");
    assert!(document["checks"]["replay"]["mechanism"].is_null());
}
