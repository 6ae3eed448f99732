//! A run's history has one verdict, in whichever format it was written.

use std::collections::BTreeMap;

use rayon::prelude::*;
use splitbrain::foreign::{self, ReadAs};
use splitbrain::history::History;
use splitbrain::linearizability::{BUDGET, Judgement, Model, check};
use splitbrain::named::Named;
use splitbrain::report::{edn, history};
use splitbrain::run::RunOptions;
use splitbrain::scenario::{Registry, Scenario};

use super::oracle::scenarios::scenario;

/// How many scenarios are run.
const CASES: u64 = 300;

/// Reads a history and says how many operations it has, of which model it is and what `check` finds
/// of it. `None`: no client invoked anything.
fn found(name: &str, text: &[u8], operations: usize) -> Option<(usize, Model, &'static str)> {
    let recorded = match foreign::read(name, text, &ReadAs::default()) {
        Ok(recorded) => recorded,
        Err(_) if operations == 0 => return None,
        Err(mistake) => panic!("{mistake}\n{}", String::from_utf8_lossy(text)),
    };
    let verdict = match check(&recorded.operations, BUDGET) {
        Judgement::Linearizable => "valid",
        Judgement::Contradictory(_) => "invalid",
        Judgement::Unknown => "unknown",
    };
    Some((recorded.len(), recorded.model, verdict))
}

/// What `check` finds of the history as it is written by default, and in EDN.
fn both(run: &History) -> [Option<(usize, Model, &'static str)>; 2] {
    let (mut jsonl, mut in_edn) = (Vec::new(), Vec::new());
    history::write(run, &mut jsonl).expect("a vector takes it");
    edn::write(run, &mut in_edn).expect("a vector takes it");
    let operations = run.entries().len();
    [("history.jsonl", jsonl), ("history.edn", in_edn)]
        .map(|(name, text)| found(name, &text, operations))
}

/// Runs the scenario of this seed, and says what happened in it.
fn words(seed: u64) -> Vec<&'static str> {
    let text = scenario(seed);
    let scenario = Scenario::parse("case.toml", text.as_bytes(), &Registry::new(), &[]);
    let scenario = scenario.unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let run = scenario.run(seed, RunOptions::default()).history;
    let [jsonl, in_edn] = both(&run);
    assert_eq!(jsonl, in_edn, "seed {seed}\n{text}");
    let lists = run.iter().filter(|(op, _)| run.elements(*op).is_some()).map(|_| "list read");
    let functions = run.entries().iter().map(|entry| entry.function.name());
    jsonl.map(|(_, _, verdict)| verdict).into_iter().chain(functions).chain(lists).collect()
}

#[test]
fn a_history_has_the_same_verdict_in_edn() {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for word in (0..CASES).into_par_iter().flat_map_iter(words).collect::<Vec<_>>() {
        *seen.entry(word).or_default() += 1;
    }
    let functions = ["put", "get", "delete", "list", "read-all", "clear", "append"];
    for word in functions.into_iter().chain(["valid", "invalid", "list read"]) {
        assert!(seen.get(word).is_some_and(|count| *count >= 20), "{word}: {seen:?}");
    }
}
