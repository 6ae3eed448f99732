//! Fuzzing finds weak configurations and is silent on safe ones: the campaigns of `scenarios/fuzz`.
//!
//! Each file leaves one safeguard out. Under any seed a campaign soon finds a case that shows it,
//! and shrinks it so far that it is read at a glance.

use rayon::prelude::*;
use splitbrain::fuzz::judge::Signature;
use splitbrain::fuzz::play::play;
use splitbrain::fuzz::shrink::{Shrunk, shrink_case};
use splitbrain::fuzz::target::FuzzTarget;
use splitbrain::named::Named;
use splitbrain::run::{RunOptions, RunVerdict};
use splitbrain::scenario::Registry;

use crate::support::scenario::{home, read};

/// What each configuration lacks: the file, the properties that break, and the mechanism where it
/// is always told.
const WEAK: [(&str, &[&str], &[&str]); 6] = [
    ("async-failover", &["durability"], &["never-shipped", "truncated"]),
    ("lowest-id-without-fencing", &["durability"], &["full-state-overwrite"]),
    ("buffered-wal-power-loss", &["durability"], &["unsynced-tail-lost"]),
    ("wall-clock-skew", &["durability"], &["older-timestamp"]),
    (
        "read-repair-without-timestamps",
        &[
            "convergence",
            "lww-maximum",
            "durability",
            "staleness",
            "read-your-writes",
            "monotonic-reads",
        ],
        // A read in between may show the loss first, and then no mechanism is told.
        &[],
    ),
    ("tombstones-without-grace", &["resurrection"], &["tombstone-purged"]),
];

/// The configurations that keep what they promise.
const SAFE: [&str; 8] = [
    "every-safeguard",
    "every-safeguard-varied",
    "fixed-leader",
    "sync-in-memory",
    "quorum-reads",
    "hybrid",
    "lists",
    "clears",
];

fn target(name: &str) -> FuzzTarget {
    let path = home(&format!("scenarios/fuzz/{name}.toml"));
    let text = std::fs::read(&path).expect("the file is there");
    FuzzTarget::new(name, text, &Registry::new(), &[])
        .unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// The first find of a campaign, by its first thousand cases.
fn first_find(target: &FuzzTarget, seed: u64) -> Option<(u64, Signature)> {
    (0..1_000).find_map(|case| {
        let found = play(target, seed, case).findings.into_iter().next();
        found.map(|found| (case, found.signature))
    })
}

fn middle(mut numbers: Vec<usize>) -> usize {
    numbers.sort_unstable();
    numbers[numbers.len() / 2]
}

#[test]
fn every_weakness_is_found_whatever_the_campaigns_seed_and_made_small() {
    let mut all: Vec<Shrunk> = Vec::new();
    for (name, checks, mechanisms) in WEAK {
        let target = target(name);
        let found: Vec<(u64, Shrunk)> = (1..=10_u64)
            .into_par_iter()
            .map(|seed| {
                let find = first_find(&target, seed);
                let (case, signature) =
                    find.unwrap_or_else(|| panic!("{name}: nothing in 1,000 cases of seed {seed}"));
                let Signature { check, mechanism } = &signature;
                let how = mechanism.as_deref().unwrap_or("nobody knows how");
                assert!(checks.contains(&check.as_str()), "{name}: {signature} in case {case}");
                assert!(
                    mechanisms.is_empty() || mechanisms.contains(&how),
                    "{name}: {signature} in case {case}"
                );
                let shrunk = shrink_case(&target, seed, case, &signature);
                let shrunk = shrunk.unwrap_or_else(|why| panic!("{name}: {why}"));
                assert_eq!(shrunk.finding.signature, signature, "{name}");
                (case, shrunk)
            })
            .collect();
        let cases: Vec<u64> = found.iter().map(|(case, _)| *case).collect();
        println!("{name}: first found in {cases:?}");
        for (_, shrunk) in &found {
            reproduces(shrunk);
        }
        all.extend(found.into_iter().map(|(_, shrunk)| shrunk));
    }
    let faults = middle(all.iter().map(|shrunk| shrunk.faults).collect());
    let operations = middle(all.iter().map(|shrunk| shrunk.operations).collect());
    println!("in the median {faults} faults and {operations} operations are left");
    assert!(faults <= 3 && operations <= 5, "{faults} faults, {operations} operations");
}

/// The file alone shows the find: its run has the reported digest, breaks the property that the
/// file is named after, and passes, since the file expects that.
fn reproduces(shrunk: &Shrunk) {
    let scenario = read(&shrunk.text);
    let result = scenario.run(scenario.config.seed, RunOptions::default());
    assert_eq!(Some(result.digest), shrunk.digest, "{}", shrunk.text);
    assert_eq!(result.verdict, RunVerdict::Pass, "{}", shrunk.text);
    let broken = &shrunk.finding.signature.check;
    let report = result.checks.iter().find(|report| report.property.name() == broken);
    let report = report.expect("every property is checked");
    assert_eq!(report.judged.name(), shrunk.finding.verdict, "{}", shrunk.text);
    assert!(shrunk.text.contains(env!("CARGO_PKG_VERSION")), "the version is in the comment");
    assert_eq!(scenario.config.workload, None, "operations are explicit: {}", shrunk.text);
}

#[test]
fn what_is_safe_is_silent() {
    for name in SAFE {
        let target = target(name);
        (0..2_000_u64).into_par_iter().for_each(|case| {
            let found = play(&target, 1, case).findings;
            assert!(found.is_empty(), "{name}, case {case}: {found:#?}");
        });
    }
}
