//! A second implementation of the verdicts. Random scenarios are run, and every property and figure
//! of the report is computed again from the run's files, in a plain way and without `check`. Both
//! must agree.
//!
//! An oracle makes [`Claims`]: values at places of `result.json`. A place without a claim must be
//! in [`NOT_RECOMPUTED`], with a reason.
//!
//! `ORACLE_CASES=50000` runs that many scenarios, `ORACLE_SEED=7` the one of that seed, and
//! `ORACLE_FROM=2001` those from that seed on.

mod availability;
mod claims;
mod counts;
mod data;
mod durability;
mod ending;
mod files;
mod lag;
mod last_write;
mod leaders;
mod linearizability;
mod outcome;
pub(super) mod scenarios;
mod sessions;
mod staleness;
mod told;
mod wire;

use claims::Claims;
use files::Files;
use rayon::prelude::*;
use serde_json::Value as Json;

/// All oracles.
const ORACLES: &[fn(&Files, &mut Claims)] = &[
    counts::operations,
    counts::latencies,
    leaders::leaders,
    leaders::single_leader,
    leaders::split_brain,
    availability::availability,
    ending::convergence,
    ending::liveness,
    lag::replication_lag,
    last_write::last_write,
    clients_and_data,
    outcome::faults,
    outcome::settled,
    outcome::verdict,
    wire::network,
    wire::replay,
];

/// What clients were told, and what became of the data.
fn clients_and_data(files: &Files, claims: &mut Claims) {
    let told = told::Told::of(files);
    sessions::check(files, &told, claims);
    staleness::check(files, &told, claims);
    durability::check(files, &told, claims);
    data::lww_maximum(files, &told, claims);
    data::resurrection(files, &told, claims);
    data::append_uniqueness(files, &told, claims);
    linearizability::check(files, claims);
}

/// Why the invariants of a replicated log are left to their own twin.
const IN_HASHES: &str = "is of hashes that no file has, of what nodes say of their logs";

/// The places of `result.json` that no oracle computes, and why. A trailing slash stands for all
/// below a place, a star for any one step.
const NOT_RECOMPUTED: &[(&str, &str)] = &[
    ("/scenario", "names the file"),
    ("/title", "is copied from the file"),
    ("/seed", "is what the run was given"),
    ("/digest", "is of every event, with content that no file has"),
    ("/events", "counts events that have no line, such as a timer that comes too late"),
    (
        "/network/sent",
        "a message has no line where it is sent, and one may be on its way at the end",
    ),
    ("/network/by_kind/*/sent", "for the same reason"),
    ("/network/duplicated", "a copy of a message looks like the message"),
    ("/network/blocked", "what a partition blocks between clients and nodes has no line"),
    ("/warnings/", "is in words"),
    ("/expectations/*/found", "is in words"),
    ("/expectations/*/name", "is in words, but for those of verdicts and bounds"),
    (
        "/checks/*/promise",
        "is what the settings promise: `splitbrain promises` tells it, and no run",
    ),
    ("/checks/votes/", IN_HASHES),
    ("/checks/log-matching/", IN_HASHES),
    ("/checks/leader-append-only/", IN_HASHES),
    ("/checks/leader-completeness/", IN_HASHES),
    ("/checks/state-machine-safety/", IN_HASHES),
    ("/checks/committed-durable/", IN_HASHES),
    ("/checks/*/why", "is what the settings promise: `splitbrain promises` tells it, and no run"),
    ("/checks/*/voided_by/", "is in words: what happened that the promise does not cover"),
    ("/checks/*/reason", "is in words"),
    ("/checks/*/mechanism", "takes a second run, in which every node is watched"),
    (
        "/checks/*/witness/",
        "is one case of several, in words; how many there are is computed again",
    ),
    ("/checks/replay/verdict", "takes what each disk had called durable, which no file has"),
];

/// How many scenarios are run.
const CASES: u64 = 2_000;

/// How many differing cases are shown.
const SHOWN: usize = 5;

/// What is wrong with a case, in words; nothing when report and oracle agree.
fn differences(seed: u64) -> Option<String> {
    let text = scenarios::scenario(seed);
    let files = match Files::of("oracle", &text, seed) {
        Ok(files) => files,
        Err(mistakes) => return Some(format!("the scenario of seed {seed} is none:\n{mistakes}")),
    };
    let mut claims = Claims::default();
    for oracle in ORACLES {
        oracle(&files, &mut claims);
    }
    let mut wrong = Vec::new();
    for (pointer, expected) in &claims.0 {
        let said = files.report.pointer(pointer).unwrap_or(&Json::Null);
        if said != expected {
            wrong
                .push(format!("{pointer}\n  the report says {said}\n  the oracle says {expected}"));
        }
    }
    let mut unsaid = Vec::new();
    leaves(&files.report, String::new(), &mut unsaid);
    unsaid.retain(|place| {
        let claimed = claims.0.iter().any(|(pointer, _)| is_below(place, pointer));
        !claimed && !NOT_RECOMPUTED.iter().any(|(pattern, _)| matches(place, pattern))
    });
    wrong.extend(
        unsaid
            .into_iter()
            .map(|place| format!("{place}\n  is in the report, and nobody says anything of it")),
    );
    (!wrong.is_empty()).then(|| {
        format!("case {seed} (ORACLE_SEED={seed}):\n{}\nof the scenario\n{text}", wrong.join("\n"))
    })
}

/// The leaves of a document.
fn leaves(json: &Json, at: String, places: &mut Vec<String>) {
    match json {
        Json::Object(all) if !all.is_empty() => {
            all.iter().for_each(|(key, one)| leaves(one, format!("{at}/{key}"), places));
        }
        Json::Array(all) if !all.is_empty() => {
            all.iter().enumerate().for_each(|(i, one)| leaves(one, format!("{at}/{i}"), places));
        }
        _ => places.push(at),
    }
}

/// Whether `place` is `pointer` or below it.
fn is_below(place: &str, pointer: &str) -> bool {
    place.strip_prefix(pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn matches(place: &str, pattern: &str) -> bool {
    let (pattern, below) = pattern.strip_suffix('/').map_or((pattern, false), |rest| (rest, true));
    let mut steps = place.split('/');
    let fits =
        pattern.split('/').all(|step| steps.next().is_some_and(|at| step == "*" || step == at));
    fits && (below || steps.next().is_none())
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[test]
fn report_and_oracle_agree_in_every_random_run() {
    let first = number("ORACLE_FROM").unwrap_or(1);
    let seeds = match number("ORACLE_SEED") {
        Some(seed) => seed..seed + 1,
        None => first..first + number("ORACLE_CASES").unwrap_or(CASES),
    };
    let wrong: Vec<String> = seeds.into_par_iter().filter_map(differences).collect();
    let shown = wrong.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n\n");
    assert!(wrong.is_empty(), "{} cases differ\n\n{shown}", wrong.len());
}
