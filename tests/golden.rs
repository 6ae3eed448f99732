//! Every scenario under `scenarios/` is a test: it does what it expects, and does the same as ever.
//!
//! `tests/golden.txt` holds a line a scenario, `NAME SEED DIGEST`. A digest that changed says that
//! runs differ from those of an earlier version: seeds written down elsewhere no longer mean what
//! they meant. Where that is intended, `UPDATE_GOLDEN=1 cargo test --test golden` writes the file
//! anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use splitbrain::named::Named;
use splitbrain::run::{QueueKind, RunOptions, RunResult, RunVerdict};
use splitbrain::scenario::{Registry, Scenario};

/// Under which seeds no scenario may fail, besides its own.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=20;

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every scenario by its path under `scenarios/`, without the ending.
fn scenarios() -> BTreeMap<String, Scenario> {
    let root = home().join("scenarios");
    let mut found = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder that can be read") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "toml") {
                found.insert(name(&root, &path), load(&path));
            }
        }
    }
    assert!(found.len() >= 100, "the scenarios were not found: {:?}", found.keys());
    found
}

/// The path from `root` without its ending, with slashes everywhere.
fn name(root: &Path, path: &Path) -> String {
    let inside: PathBuf = path.strip_prefix(root).expect("found there").with_extension("");
    let parts: Vec<_> = inside.iter().map(|part| part.to_str().expect("a plain name")).collect();
    parts.join("/")
}

fn load(path: &Path) -> Scenario {
    Scenario::load(path, &Registry::new(), &[]).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// What kept a run from passing.
fn complaints(result: &RunResult) -> Vec<String> {
    let violations = result.checks.iter().filter(|check| check.judged.name() == "violation");
    let mut all: Vec<_> = violations
        .map(|check| format!("violation of {}: {:?}", check.property, check.verdict))
        .collect();
    let unmet = result.expectations.iter().filter(|expectation| !expectation.met);
    all.extend(unmet.map(|unmet| format!("not met: {}; found {}", unmet.name, unmet.found)));
    all
}

/// What is wrong with the recorded lines, given the digests there are now.
fn differences(recorded: &str, now: &BTreeMap<String, (u64, String)>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut missing: BTreeMap<_, _> = now.iter().collect();
    for line in recorded.lines() {
        let parts: Vec<_> = line.split_whitespace().collect();
        let [name, seed, digest] = parts[..] else {
            wrong.push(format!("`{line}` is not `NAME SEED DIGEST`"));
            continue;
        };
        match missing.remove(&name.to_owned()) {
            None if now.contains_key(name) => wrong.push(format!("{name} is recorded twice")),
            None => wrong.push(format!("{name} is recorded, and there is no such scenario")),
            Some((seed_now, _)) if *seed != seed_now.to_string() => {
                wrong.push(format!("{name} is recorded under seed {seed}, its seed is {seed_now}"));
            }
            Some((_, digest_now)) if digest != digest_now => {
                wrong.push(format!("{name} is recorded as {digest}, and came out as {digest_now}"));
            }
            Some(_) => {}
        }
    }
    wrong.extend(missing.keys().map(|name| format!("{name} is not recorded")));
    wrong
}

#[test]
fn every_scenario_passes_under_its_seed_with_its_recorded_digest() {
    let mut now = BTreeMap::new();
    for (name, scenario) in scenarios() {
        let seed = scenario.config.seed;
        let result = scenario.run(seed, RunOptions::default());
        assert_eq!(result.verdict, RunVerdict::Pass, "{name}: {:#?}", complaints(&result));
        let heap = RunOptions { queue: QueueKind::Heap, ..RunOptions::default() };
        let through_heap = scenario.run(seed, heap).digest;
        assert_eq!(result.digest, through_heap, "{name}: the queues differ");
        now.insert(name, (seed, result.digest.to_string()));
    }
    let file = home().join("tests/golden.txt");
    if env::var_os("UPDATE_GOLDEN").is_some() {
        let mut text = String::new();
        for (name, (seed, digest)) in &now {
            let _ = writeln!(text, "{name} {seed} {digest}");
        }
        fs::write(&file, text).expect("tests/golden.txt can be written");
    }
    let recorded = fs::read_to_string(&file).unwrap_or_default();
    let wrong = differences(&recorded, &now);
    assert!(
        wrong.is_empty(),
        "tests/golden.txt does not fit:\n  {}\nif runs were meant to change: UPDATE_GOLDEN=1 cargo \
         test --test golden",
        wrong.join("\n  ")
    );
}

#[test]
fn no_scenario_fails_under_another_seed() {
    for (name, scenario) in scenarios() {
        for seed in SEEDS {
            let result = scenario.run(seed, RunOptions::default());
            let wrong = complaints(&result);
            assert_ne!(result.verdict, RunVerdict::Fail, "{name}, seed {seed}: {wrong:#?}");
        }
    }
}

#[test]
fn a_missing_a_stale_and_a_surplus_line_are_told_apart() {
    let now = BTreeMap::from([
        ("a".to_owned(), (1, "00".to_owned())),
        ("b".to_owned(), (2, "11".to_owned())),
        ("c".to_owned(), (3, "22".to_owned())),
    ]);
    assert_eq!(differences("a 1 00\nb 2 11\nc 3 22\n", &now), Vec::<String>::new());
    let wrong = differences("a 1 ff\nb 7 11\nb 2 11\nd 1 00\nnonsense\n", &now);
    let expected = [
        "a is recorded as ff, and came out as 00",
        "b is recorded under seed 7, its seed is 2",
        "b is recorded twice",
        "d is recorded, and there is no such scenario",
        "`nonsense` is not `NAME SEED DIGEST`",
        "c is not recorded",
    ];
    assert_eq!(wrong, expected);
}
