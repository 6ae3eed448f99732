//! The finds worth keeping: `scenarios/regressions/`, small files that fuzzing produced. Each says
//! what it shows, and shows it; `tests/golden.rs` holds their digests.

use std::fs;
use std::path::PathBuf;

use splitbrain::fuzz::shrink::shrink_scenario;
use splitbrain::named::Named;
use splitbrain::property::Property;
use splitbrain::run::{RunOptions, RunVerdict};
use splitbrain::scenario::Registry;

use crate::support::result::{check, figure};
use crate::support::scenario::{home, load, read};

fn regressions() -> Vec<(String, String)> {
    let folder = home("scenarios/regressions");
    let entries =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<PathBuf> = entries.collect();
    paths.sort();
    let name =
        |path: &PathBuf| path.file_name().and_then(|n| n.to_str()).expect("UTF-8").to_owned();
    paths.iter().map(|path| (name(path), fs::read_to_string(path).expect("text"))).collect()
}

#[test]
fn every_regression_shows_what_it_says() {
    let all = regressions();
    assert!(all.len() >= 10, "they were not found: {all:?}");
    for (name, text) in all {
        assert!(name.ends_with(".toml"), "{name}");
        let story = text.lines().take_while(|line| line.starts_with('#')).count();
        assert!(story >= 3, "{name} tells no story");
        let scenario = read(&text);
        let config = &scenario.config;
        assert!(
            config.workload.is_none() && !config.script.is_empty(),
            "{name}: explicit operations"
        );
        assert!(config.faults.len() <= 3 && config.script.len() <= 5, "{name} is not small");
        assert!(!config.expect.checks.is_empty(), "{name} expects nothing");
        let result = scenario.run(config.seed, RunOptions::default());
        for (property, verdict) in &config.expect.checks {
            let report = check(&result, *property);
            assert_eq!(report.judged, *verdict, "{name}: {property}: {:#?}", report.verdict);
        }
        assert_eq!(result.verdict, RunVerdict::Pass, "{name}: {:#?}", result.expectations);
    }
}

/// A file that shows a loss has nothing to spare: it cannot be shrunk further.
#[test]
fn no_regression_has_a_fault_or_an_operation_to_spare() {
    let mut broken = 0;
    for (name, text) in regressions() {
        let scenario = read(&text);
        let config = &scenario.config;
        let valid = config.expect.checks.iter().all(|(_, verdict)| verdict.name() == "valid");
        if valid {
            continue;
        }
        broken += 1;
        let shrunk = shrink_scenario(&scenario, config.seed, &Registry::new(), None);
        let shrunk = shrunk.unwrap_or_else(|why| panic!("{name}: {why}"));
        let (faults, operations) = (config.faults.len(), config.script.len());
        assert_eq!(
            (shrunk.faults, shrunk.operations),
            (faults, operations),
            "{name}:\n{}",
            shrunk.text
        );
    }
    assert!(broken >= 4, "{broken} of them show a loss");
}

/// A figure that `[expect]` cannot name: discarded writes.
#[test]
fn what_is_thrown_away_and_written_over_is_counted() {
    let name = "scenarios/verdicts/thrown-away-and-written-over.toml";
    let scenario = load(&home(name));
    let result = scenario.run(scenario.config.seed, RunOptions::default());
    let count = |name| figure(&result, Property::Durability, name);
    assert_eq!((count("discarded_writes"), count("lost_writes")), (1, 0));
}
