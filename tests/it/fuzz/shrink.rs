//! Shrinking: the small file fails as the find did, stands alone, and has nothing to spare. And the
//! canary: a cluster that must fail, so that a campaign that no longer finds anything is noticed.

use std::fs;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;
use splitbrain::config::{Fault, FaultAction, Start};
use splitbrain::fuzz::campaign::{self, Length, StoppingRule};
use splitbrain::fuzz::cases::Cases;
use splitbrain::fuzz::identity::{Identity, Shard};
use splitbrain::fuzz::judge::{self, Find, Signature};
use splitbrain::fuzz::play::play;
use splitbrain::fuzz::shrink::{Shrunk, shrink_case, shrink_scenario};
use splitbrain::fuzz::target::FuzzTarget;
use splitbrain::named::Named;
use splitbrain::property::Property;
use splitbrain::rng::Probability;
use splitbrain::run::{RunOptions, RunResult, RunVerdict};
use splitbrain::scenario::{Document, Registry, Scenario};
use splitbrain::time::Time;

use super::faulty::Faulty;
use crate::support::cli::{splitbrain_in, text};
use crate::support::scenario::{home, load, parse_for};

/// Every safeguard but one: the operating system decides when the log is written.
const CANARY: &str = include_str!("canary.toml");

/// Tombstones that are collected before every replica has seen them.
const TOMBSTONES: &str = r#"
duration = "2s"
settle = "20s"
[cluster]
nodes = 3
[protocol.leader-follower]
mode = "semi-sync"
write-quorum = 1
tombstone-grace = "50ms"
anti-entropy.interval = "100ms"
[network]
delay = { uniform = ["1ms", "15ms"] }
[workload]
clients = 4
operations = 60
keys = 5
mix = { put = 5, get = 1, delete = 4 }
think = { exponential = "100ms" }
[fuzz]
kinds = ["isolate", "block", "partition", "slow", "drop"]
[expect]
resurrection = "valid"
"#;

/// Two leaders at once, and no fencing.
const TWO_LEADERS: &str = r#"
duration = "2s"
settle = "20s"
[cluster]
nodes = 3
[protocol.leader-follower]
mode = "async"
[protocol.leader-follower.failover]
election = "lowest-id"
catch-up = "none"
fencing = false
heartbeat = "50ms"
timeout = "150ms"
[workload]
clients = 3
operations = 40
keys = 3
think = { exponential = "60ms" }
[fuzz]
kinds = ["isolate", "partition", "crash"]
[expect]
convergence = "valid"
"#;

/// Repairs that restore an older value, which breaks two promises at once.
const REPAIR: &str = r#"
duration = "5s"
settle = "20s"
[cluster]
nodes = 3
[protocol.leader-follower]
mode = "semi-sync"
write-quorum = 1
defects = ["repair-ignores-stamps"]
read.repair = "after-answer"
[network]
delay = { uniform = ["1ms", "15ms"] }
client-delay = "1ms"
[workload]
clients = 4
operations = 100
keys = 3
mix = { put = 1, get = 1 }
think = { exponential = "150ms" }
read-from = "any"
read-quorum = 3
read-repair = true
timeout = "500ms"
[fuzz]
kinds = ["slow", "clog", "drop", "block", "isolate"]
"#;

const FAULTY: &str = r#"
duration = "2s"
[cluster]
nodes = 3
[protocol.faulty]
defect = "panics-at-second-write"
[workload]
clients = 3
operations = 40
keys = 8
think = { exponential = "30ms" }
[fuzz]
kinds = ["crash", "isolate", "pause"]
faults = [2, 6]
"#;

fn registry() -> Registry {
    Registry::new().with::<Faulty>()
}

fn target(text: &str, sets: &[&str]) -> FuzzTarget {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    FuzzTarget::new("weak.toml", text.as_bytes().to_vec(), &registry(), &sets)
        .unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn parse(text: &str) -> Scenario {
    parse_for(&registry(), text, &[]).unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"))
}

fn run(scenario: &Scenario) -> RunResult {
    scenario.run(scenario.config.seed, RunOptions::default())
}

/// Whether a scenario fails as a find does, computed in another way than by shrinking.
fn fails(scenario: &Scenario, finding: &Find) -> bool {
    let (signature, verdict) = (&finding.signature, &finding.verdict);
    let Ok(result) = catch_unwind(AssertUnwindSafe(|| run(scenario))) else {
        return signature.check == "panic";
    };
    match signature.check.as_str() {
        "panic" => false,
        "determinism" => run(scenario).digest != result.digest,
        "expectation" => {
            let mut unmet = result.expectations.iter().filter(|expectation| !expectation.met);
            unmet.any(|unmet| {
                finding.summary == format!("expected {}, found {}", unmet.name, unmet.found)
            })
        }
        _ => judge::all_broken(&result)
            .iter()
            .any(|found| found.signature == *signature && found.verdict == *verdict),
    }
}

/// Asserts that a small file is what its report says.
fn check(shrunk: &Shrunk) {
    let (text, finding) = (&shrunk.text, &shrunk.finding);
    let scenario = parse(text);
    let fails = |scenario: &Scenario| fails(scenario, finding);
    assert!(fails(&scenario), "it does not fail by {}:\n{text}", finding.signature);
    let config = &scenario.config;
    assert_eq!(config.faults.len(), shrunk.faults);
    if finding.signature.check == "panic" {
        // A run that panics leaves no history: its workload stays, as short as possible.
        let operations = config.workload.as_ref().and_then(|load| load.operations);
        assert_eq!((operations, config.script.len()), (Some(shrunk.operations as u64), 0));
        let fewer = format!("workload.operations={}", shrunk.operations - 1);
        let fewer = parse_for(&registry(), text, &[&fewer]);
        assert!(shrunk.operations == 1 || !fails(&fewer.expect("one fewer")), "{text}");
    } else {
        assert!(config.workload.is_none(), "operations are explicit:\n{text}");
        assert_eq!(config.script.len(), shrunk.operations);
    }
    assert!(shrunk.faults <= shrunk.faults_before && shrunk.operations <= shrunk.operations_before);
    if let (Some(digest), true) = (shrunk.digest, finding.signature.check != "determinism") {
        assert_eq!(run(&scenario).digest, digest, "{text}");
    }
    assert!(text.starts_with("# Found by splitbrain "), "{text}");
    let document = Document::of(&scenario);
    for list in ["fault", "operation"] {
        for place in 0..document.count(list) {
            let less = document.without(list, &[place]);
            let still =
                less.try_scenario("less.toml", &registry()).is_some_and(|less| fails(&less));
            assert!(!still, "{list} {place} may go:\n{text}");
        }
    }
}

/// The first case that breaks `check`, and how.
fn find(target: &FuzzTarget, seed: u64, check: &str) -> (u64, Signature) {
    let found = (0..400).find_map(|case| {
        let findings = play(target, seed, case).findings;
        let finding = findings.into_iter().find(|finding| finding.signature.check == check);
        finding.map(|finding| (case, finding.signature))
    });
    found.unwrap_or_else(|| panic!("no case of seed {seed} breaks {check}"))
}

#[test]
fn what_is_left_fails_as_the_find_did_and_has_nothing_to_spare() {
    let weak = [
        (CANARY, "durability"),
        (TOMBSTONES, "resurrection"),
        (TWO_LEADERS, "convergence"),
        (FAULTY, "panic"),
    ];
    for (text, property) in weak {
        let target = target(text, &[]);
        for seed in 1..=4 {
            let (case, signature) = find(&target, seed, property);
            let shrink = || shrink_case(&target, seed, case, &signature);
            let shrunk = shrink().unwrap_or_else(|why| panic!("{property}, seed {seed}: {why}"));
            assert_eq!(shrunk.finding.signature, signature);
            check(&shrunk);
            let again = shrink().expect("it did once");
            assert_eq!(again.text, shrunk.text, "twice the same bytes");
            assert_eq!(again.runs, shrunk.runs);
        }
    }
}

#[test]
fn a_panic_is_shrunk_to_what_brings_it_about() {
    let target = target(FAULTY, &[]);
    let (case, signature) = find(&target, 9, "panic");
    let shrunk = shrink_case(&target, 9, case, &signature).expect("it fails");
    assert!(
        shrunk.faults == 0 && shrunk.operations <= 9,
        "of 8 keys one comes again:\n{}",
        shrunk.text
    );
    assert_eq!(shrunk.digest, None);
    assert!(shrunk.finding.summary.contains("a key may be written once"), "{:?}", shrunk.finding);
}

#[test]
fn a_run_that_is_not_the_same_twice_is_shrunk_by_that() {
    let sets =
        ["protocol.faulty.defect=counts-over-runs", "cluster.nodes=1", "fuzz.kinds=['pause']"];
    let target = target(FAULTY, &sets);
    let shrunk = shrink_case(&target, 3, 0, &Signature::determinism()).expect("it is not");
    assert_eq!(shrunk.finding.signature, Signature::determinism());
    assert_eq!((shrunk.faults, shrunk.operations), (0, 1), "{}", shrunk.text);
    assert!(!shrunk.text.contains("[expect]"), "there is no such check:\n{}", shrunk.text);
}

/// Five writes, a crash and a partition; only one write, which n2 misses, matters.
const UNMET: &str = r#"
duration = "2s"
[cluster]
nodes = 3
[protocol.leader-follower]
mode = "async"
resend = "off"
[workload]
operations = 20
keys = 3
think = "20ms"
[[operation]]
at = "100ms"
client = "c9"
put = { key = "city", value = "Oslo" }
[[operation]]
at = "500ms"
client = "c9"
put = { key = "city", value = "Bergen" }
[[fault]]
at = "50ms"
for = "20ms"
crash = "n3"
[[fault]]
at = "400ms"
for = "300ms"
block = { from = "n1", to = "n2" }
[[expect.state]]
at = "1s"
node = "n2"
key = "city"
value = "Bergen"
[[expect.state]]
at = "1s"
node = "n3"
key = "city"
value = "Bergen"
"#;

#[test]
fn an_unmet_expectation_is_what_has_to_stay_unmet() {
    let scenario = parse(UNMET);
    let shrunk = shrink_scenario(&scenario, 1, &registry(), None).expect("it is not met");
    let signature = &shrunk.finding.signature;
    assert_eq!(signature.check, "expectation", "{}", shrunk.text);
    let mechanism = signature.mechanism.as_deref().expect("which");
    assert!(mechanism.contains("n2") && mechanism.contains("Bergen"), "{mechanism}");
    check(&shrunk);
    let small = parse(&shrunk.text);
    assert!(!small.config.expect.states.is_empty(), "{}", shrunk.text);
    assert_eq!(run(&small).verdict, RunVerdict::Fail, "{}", shrunk.text);
    // One earlier write is kept, and what kept the next one away: the empty scenario would not show
    // the same.
    assert!(shrunk.finding.summary.ends_with("found Oslo"), "{}", shrunk.finding.summary);
    assert!((1..=2).contains(&shrunk.operations), "{}", shrunk.text);
}

/// A leader that keeps everything in memory, answers at once, is cut off from the start, and
/// crashes.
fn cut_off(crash: &str) -> String {
    format!(
        "duration = \"300ms\"\n[cluster]\nnodes = 3\n[protocol.leader-follower]\nmode = \"async\"\n\
         [network]\nclient-delay = \"3ms\"\n\
         [[operation]]\nat = \"10ms\"\nclient = \"c1\"\nput = {{ key = \"a\", value = \"1\" }}\n\
         [[operation]]\nat = \"40ms\"\nclient = \"c1\"\nput = {{ key = \"b\", value = \"2\" }}\n\
         [[fault]]\nat = \"0ms\"\nisolate = \"n1\"\n\
         [[fault]]\n{crash}\ncrash = \"n1\"\n[expect]\ndurability = \"valid\"\n"
    )
}

#[test]
fn a_moment_stays_where_no_time_does_the_same() {
    // After the instant of the answer: a fault comes before all other events of its instant.
    let tied = cut_off("when = { acknowledges = 1, node = \"n1\" }");
    let shrunk = shrink_scenario(&parse(&tied), 1, &registry(), None).expect("it loses a write");
    check(&shrunk);
    assert!(shrunk.text.contains("when = { acknowledges = 1"), "{}", shrunk.text);
    // Later any time will do.
    let tied = cut_off("when = { acknowledges = 2, node = \"n1\", after = \"7ms\" }");
    let shrunk = shrink_scenario(&parse(&tied), 1, &registry(), None).expect("it loses a write");
    check(&shrunk);
    assert!(!shrunk.text.contains("when ="), "{}", shrunk.text);
    assert_eq!((shrunk.faults, shrunk.operations), (2, 1), "{}", shrunk.text);
}

#[test]
fn a_scenario_that_breaks_nothing_is_not_shrunk() {
    let fine = "[cluster]\nnodes = 3\n[protocol.leader-follower]\n[workload]\noperations = 5\n";
    let why = shrink_scenario(&parse(fine), 7, &registry(), None).expect_err("nothing is broken");
    assert!(why.contains("breaks nothing under seed 7"), "{why}");
    let target = target(fine, &[]);
    let durability = Signature { check: "durability".to_owned(), mechanism: None };
    let why = shrink_case(&target, 1, 4, &durability).expect_err("nothing is broken");
    assert_eq!(why, "case 4 does not fail by durability");
}

/// Other promises that a find breaks are expected as well: the file is a test that passes.
#[test]
fn the_small_file_of_a_broken_promise_passes_as_a_test() {
    let target = target(REPAIR, &[]);
    let found = (0..2_000).find_map(|case| {
        let findings = play(&target, 1, case).findings;
        (findings.len() > 1).then(|| (case, findings[0].signature.clone()))
    });
    let (case, signature) = found.expect("replicas differ");
    let shrunk = shrink_case(&target, 1, case, &signature).expect("it fails");
    let result = run(&parse(&shrunk.text));
    assert_eq!(result.verdict, RunVerdict::Pass, "{}", shrunk.text);
    let violations = result.checks.iter().filter(|check| check.judged.name() == "violation");
    assert!(violations.count() > 1, "{}", shrunk.text);
}

#[test]
fn the_canary_is_found_and_its_file_is_small() {
    let target = target(CANARY, &[]);
    let home = tempfile::tempdir().expect("a folder");
    for seed in 1..=5 {
        let folder = home.path().join(seed.to_string());
        let identity = Identity::new(&target, "canary", seed, Probability::ZERO);
        let cases = Cases::open(&folder, identity, Shard::WHOLE).expect("opens");
        let rule = StoppingRule { length: Length::Runs(100), stop_after: NonZeroUsize::new(1) };
        let played = campaign::play_missing(&target, rule, &cases, &|_| ()).expect("played");
        let totals = cases.finish(played).expect("written");
        cases.close().expect("closed");
        assert!(played < 100, "seed {seed}: the canary lives");
        let case = played - 1;
        let findings = play(&target, seed, case).findings;
        assert!(totals.cases == played && !findings.is_empty(), "the last case is the one");
        let signature = &findings[0].signature;
        assert_eq!(signature.to_string(), "durability, unsynced-tail-lost", "seed {seed}");
        let shrunk = shrink_case(&target, seed, case, signature).expect("it fails");
        assert!(shrunk.faults <= 3 && shrunk.operations <= 5, "seed {seed}:\n{}", shrunk.text);
        check(&shrunk);
        let result = run(&parse(&shrunk.text));
        assert_eq!(result.verdict, RunVerdict::Pass, "what it expects is what it shows");
    }
    // With the missing safeguard the same campaigns find nothing.
    let safe = self::target(CANARY, &["protocol.leader-follower.wal.policy=fsync"]);
    for case in 0..100 {
        let findings = play(&safe, 1, case).findings;
        assert!(findings.is_empty(), "case {case}: {findings:#?}");
    }
}

#[test]
fn the_command_writes_the_small_file_and_says_how_to_run_it() {
    let home = tempfile::tempdir().expect("a folder");
    fs::write(home.path().join("unmet.toml"), UNMET).expect("written");
    let done = splitbrain_in(home.path(), &["shrink", "unmet.toml"]);
    assert_eq!((done.status.code(), text(&done.stderr).as_str()), (Some(0), ""));
    let out = text(&done.stdout);
    assert!(out.starts_with("expectation, "), "{out}");
    assert!(out.contains(": shrunk from 2 faults, 22 operations to "), "{out}");
    assert!(out.ends_with("\n  splitbrain run output/shrink/unmet.toml\n"), "{out}");
    let written = fs::read_to_string(home.path().join("output/shrink/unmet.toml")).expect("there");
    let small = parse(&written);
    assert_eq!(
        written.lines().filter(|line| *line == "[[fault]]").count(),
        small.config.faults.len()
    );

    // Elsewhere, under another seed, with a setting, as JSON: the file is the same story of that
    // seed.
    let args = [
        "shrink",
        "unmet.toml",
        "--seed",
        "5",
        "--set",
        "network.loss=1%",
        "--json",
        "--out",
        "a/b/small.toml",
    ];
    let done = splitbrain_in(home.path(), &args);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let document: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!(
        (&document["check"], &document["verdict"]),
        (&"expectation".into(), &"unmet".into())
    );
    assert_eq!(document["scenario"], "a/b/small.toml");
    assert_eq!(
        (&document["faults_before"], &document["operations_before"]),
        (&2.into(), &22.into())
    );
    assert!(text(&done.stderr).contains("splitbrain run a/b/small.toml"));
    let small = parse(&fs::read_to_string(home.path().join("a/b/small.toml")).expect("there"));
    assert_eq!(small.config.seed, 5);
    assert_eq!(document["digest"], run(&small).digest.to_string());
    assert_eq!(document["faults"], small.config.faults.len());
    assert_eq!(document["operations"], small.config.script.len());
    let names: Vec<_> = fs::read_dir(home.path().join("a/b")).expect("there").collect();
    assert_eq!(names.len(), 1, "no draft stays behind");
}

#[test]
fn the_command_says_what_it_cannot_shrink() {
    let home = tempfile::tempdir().expect("a folder");
    let fine = "[cluster]\nnodes = 3\n[protocol.leader-follower]\n[workload]\noperations = 5\n";
    fs::write(home.path().join("fine.toml"), fine).expect("written");
    fs::write(home.path().join("wrong.toml"), fine.replace("nodes", "nods")).expect("written");
    let cases = [
        (
            "fine.toml",
            "fine breaks nothing under seed 1\n  help: --seed N tries another; `splitbrain fuzz` \
             looks for one",
        ),
        ("wrong.toml", "unknown key `nods`"),
        ("nowhere.toml", "there is no such file"),
    ];
    for (file, expected) in cases {
        let done = splitbrain_in(home.path(), &["shrink", file]);
        let (out, err) = (text(&done.stdout), text(&done.stderr));
        assert_eq!((done.status.code(), out.as_str()), (Some(2), ""), "{file}: {err}");
        assert!(err.contains(expected), "{file}: {err}");
        assert!(!home.path().join("output").exists(), "{file}: nothing is written");
    }
}

/// Shrinking once took the first broken property, and the small file showed something else than the
/// large one.
#[test]
fn a_file_is_shrunk_by_what_it_says_is_broken() {
    let path = "scenarios/regressions/answered-before-anybody-had-it.toml";
    let scenario = load(&home(path));
    let seed = scenario.config.seed;
    let broken = |check: Option<Property>| {
        let shrunk = shrink_scenario(&scenario, seed, &Registry::new(), check);
        shrunk.map(|shrunk| shrunk.finding.signature.check)
    };
    assert_eq!(broken(None).as_deref(), Ok("durability"));
    assert_eq!(broken(Some(Property::LwwMaximum)).as_deref(), Ok("lww-maximum"));
    let kept = broken(Some(Property::Replay)).expect_err("its log is fine");
    assert!(kept.ends_with(&format!("keeps replay under seed {seed}")), "{kept}");
}

/// A find of a campaign with at most one node down was once shrunk to a file with two down.
#[test]
fn what_is_left_keeps_to_the_budget() {
    let path = "scenarios/fuzz/buffered-wal-power-loss.toml";
    let text = fs::read(home(path)).expect("it is there");
    let sets = ["fuzz.max-down=1".to_owned(), "fuzz.moments=false".to_owned()];
    let target = FuzzTarget::new(path, text, &Registry::new(), &sets).expect("it is right");
    let mut finds = 0;
    for seed in 1..=3 {
        let found = (0..3_000).find_map(|case| {
            let found = play(&target, seed, case).findings.into_iter().next();
            found.map(|found| (case, found.signature))
        });
        let Some((case, signature)) = found else { continue };
        let shrunk = shrink_case(&target, seed, case, &signature).expect("it is a find");
        let scenario = parse(&shrunk.text);
        let mut until = Time::ZERO;
        let mut outages: Vec<_> =
            scenario.config.faults.iter().filter(|fault| stops(fault)).collect();
        outages.sort_by_key(|fault| begins(fault));
        for fault in outages {
            assert!(
                fault.start == Start::At(Time::ZERO) || begins(fault) > until,
                "{}",
                shrunk.text
            );
            until = fault.lasts.map_or(Time::MAX, |lasts| begins(fault) + lasts);
        }
        finds += 1;
    }
    assert!(finds > 0, "one node down at a time is enough to lose what is on no disk");
}

fn begins(fault: &Fault) -> Time {
    match fault.start {
        Start::At(at) => at,
        Start::When(_) => Time::ZERO,
    }
}

fn stops(fault: &Fault) -> bool {
    matches!(fault.action, FaultAction::Crash(_) | FaultAction::PowerLoss(_))
}
