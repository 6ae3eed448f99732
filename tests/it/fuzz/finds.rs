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
use splitbrain::property::Property;
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
const SAFE: [&str; 9] = [
    "every-safeguard",
    "every-safeguard-varied",
    "fixed-leader",
    "sync-in-memory",
    "quorum-reads",
    "hybrid",
    "lists",
    "clears",
    "cas-and-batch",
];

fn target(name: &str) -> FuzzTarget {
    let path = home(&format!("scenarios/fuzz/{name}.toml"));
    let text = std::fs::read(&path).expect("the file is there");
    FuzzTarget::new(name, text, &Registry::new(), &[])
        .unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// The first find of a campaign that is wanted, by its first thousand cases.
fn first_find(
    target: &FuzzTarget,
    seed: u64,
    is_wanted: impl Fn(&Signature) -> bool,
) -> Option<(u64, Signature)> {
    (0..1_000).find_map(|case| {
        let mut found = play(target, seed, case).findings.into_iter().map(|find| find.signature);
        found.find(&is_wanted).map(|signature| (case, signature))
    })
}

fn is_linearizability(signature: &Signature) -> bool {
    signature.check == Property::Linearizability.name()
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
                let find = first_find(&target, seed, |found| !is_linearizability(found));
                let (case, signature) =
                    find.unwrap_or_else(|| panic!("{name}: nothing in 1,000 cases of seed {seed}"));
                assert!(
                    checks.contains(&signature.check.as_str()),
                    "{name}: {signature} in case {case}"
                );
                assert!(is_by(&signature, mechanisms), "{name}: {signature} in case {case}");
                (case, made_small(name, &target, seed, case, &signature))
            })
            .collect();
        let cases: Vec<u64> = found.iter().map(|(case, _)| *case).collect();
        println!("{name}: first found in {cases:?}");
        all.extend(found.into_iter().map(|(_, shrunk)| shrunk));
    }
    let faults = middle(all.iter().map(|shrunk| shrunk.faults).collect());
    let operations = middle(all.iter().map(|shrunk| shrunk.operations).collect());
    println!("in the median {faults} faults and {operations} operations are left");
    assert!(faults <= 3 && operations <= 5, "{faults} faults, {operations} operations");
}

/// Elected leaders break linearizability with every safeguard, too. What each of these files lacks
/// is found as well.
#[test]
fn clients_see_every_weakness() {
    for (name, _, mechanisms) in WEAK {
        let target = target(name);
        (1..=3_u64).into_par_iter().for_each(|seed| {
            let find = first_find(&target, seed, |found| {
                is_linearizability(found) && is_by(found, mechanisms)
            });
            let (case, signature) = find.unwrap_or_else(|| {
                panic!("{name}: linearizable in 1,000 cases of seed {seed}, but for its leaders")
            });
            made_small(name, &target, seed, case, &signature);
        });
    }
}

/// Whether a property broke by one of these mechanisms; if there are none, any will do.
fn is_by(signature: &Signature, mechanisms: &[&str]) -> bool {
    let told = |how: &String| mechanisms.contains(&how.as_str());
    mechanisms.is_empty() || signature.mechanism.as_ref().is_some_and(told)
}

fn made_small(
    name: &str,
    target: &FuzzTarget,
    seed: u64,
    case: u64,
    signature: &Signature,
) -> Shrunk {
    let shrunk = shrink_case(target, seed, case, signature);
    let shrunk = shrunk.unwrap_or_else(|why| panic!("{name}: {why}"));
    assert_eq!(shrunk.finding.signature, *signature, "{name}");
    reproduces(&shrunk);
    shrunk
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
