//! The checks of a replicated log, on nodes that recite stories of one.

use std::fs;

use serde_json::Value;
use splitbrain::check::Verdict;
use splitbrain::check::replicated_log::LogLedger;
use splitbrain::cli::Exit;
use splitbrain::config::ExpectedVerdict;
use splitbrain::run::{RunOptions, RunResult};
use splitbrain::scenario::{Registry, Scenario};
use splitbrain::time::Time;

use super::reciter::{Reciter, breaking};
use crate::support::cli::call;
use crate::support::result::{assert_valid, judged};

fn file(breaks: &str, more: &str) -> String {
    format!(
        "duration = '1s'\n[cluster]\nnodes = 3\n[protocol.reciter]\nbreaks = '{breaks}'\n{more}"
    )
}

fn registry() -> Registry {
    Registry::new().with::<Reciter>()
}

fn run(text: &str, seed: u64) -> RunResult {
    let scenario = Scenario::parse("s.toml", text.as_bytes(), &registry(), &[]);
    let scenario = scenario.unwrap_or_else(|mistakes| panic!("{mistakes}"));
    scenario.protocol.run(&scenario.config, &scenario.names, seed, RunOptions::default())
}

#[test]
fn a_story_that_is_right_breaks_nothing() {
    for seed in 0..50 {
        let result = run(&file("nothing", "[network]\nloss = '5%'\n"), seed);
        assert_valid("nothing", &result, LogLedger::PROPERTIES);
        assert_eq!(result.log.expect("a log is kept").examined.committed, 2);
    }
}

/// Each is caught at the event that breaks it, with the node, and nothing else is blamed.
#[test]
fn each_property_is_broken_at_the_very_event_and_alone() {
    for property in LogLedger::PROPERTIES {
        let result = run(&file(&property.to_string(), ""), 1);
        for other in LogLedger::PROPERTIES {
            let expected = match other == property {
                true => ExpectedVerdict::Violation,
                false => ExpectedVerdict::Valid,
            };
            assert_eq!(judged(&result, other), expected, "{property}: {other}");
        }
        let (at_ms, node, _) = breaking(property);
        let log = result.log.as_ref().expect("a log is kept");
        let [breach] = log.breaches[..] else { panic!("once: {:?}", log.breaches) };
        assert_eq!(breach.moment.at, Time::from_nanos(at_ms * 1_000_000), "{property}");
        assert_eq!(breach.node.to_string(), format!("n{node}"));
        let report = result.checks.iter().find(|check| check.property == property).unwrap();
        let Verdict::Invalid(witness) = &report.verdict else { panic!("{property} is broken") };
        assert_eq!(witness.summary, breach.sentence());
    }
}

/// `explain` names the event, and `explain --event` and `diff` go there.
#[test]
fn explain_and_diff_go_to_the_event() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.toml");
    fs::write(&path, file("votes", "")).unwrap();
    let path = path.to_str().expect("UTF-8");
    let run = |args: &[&str]| call(&registry(), "splitbrain", args);
    let done = run(&["explain", path]);
    assert_eq!(done.exit, Exit::Pass, "{}", done.err);
    let sentence = "votes violation: n2 voted for n3 in term 2, in which it had voted for n2, at \
                    0.041000000 s";
    let said: String = done.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(sentence), "{}", done.out);
    let (_, rest) = said.split_once("in event ").expect("the event");
    let number = rest.split(':').next().unwrap();
    assert!(rest.starts_with(&format!("{number}: --event {number} shows it")), "{}", done.out);

    let done = run(&["explain", path, "--event", number]);
    assert!(done.out.contains(&format!("Event {number} of ")), "{}", done.out);
    let said: String = done.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("timer") && said.contains(". vote for n3 in term 2"), "{}", done.out);
    assert!(said.contains("This breaks votes: n2 voted for n3"), "{}", done.out);

    let done = run(&["explain", path, "--event", number, "--json"]);
    let document = done.json();
    let place = number.parse::<u64>().unwrap() - 1;
    assert_eq!(document["event"]["event"], place);
    let breach = &document["breaches"][0];
    let keys = [&breach["check"], &breach["node"], &breach["term"], &breach["event"]];
    assert_eq!(keys, [&"votes".into(), &"n2".into(), &2.into(), &place.into()] as [&Value; 4]);

    let out = folder.path().join("out");
    let done = run(&["run", path, "--json", "--out", out.to_str().expect("UTF-8")]);
    let checks = &done.json()["checks"];
    assert_eq!(checks["votes"]["breach"], *breach);
    assert_eq!(checks["log-matching"]["breach"], Value::Null);
    assert!(checks["durability"].get("breach").is_none());

    let done = run(&["diff", path, "--set", "protocol.reciter.breaks=nothing"]);
    assert!(done.out.contains(&format!("breaks votes in event {number}")), "{}", done.out);

    let done = run(&["explain", path, "--event", "9999"]);
    assert_eq!(done.exit, Exit::Usage);
    assert!(done.err.contains("there is no event 9999: the run of seed 1 had "), "{}", done.err);
}
