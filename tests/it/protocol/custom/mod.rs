//! A protocol defined outside the crate ([`chain`]) gets everything that the shipped one gets: it
//! is registered by name, run from a scenario file by every command, and checked, all through the
//! public API.

pub(super) mod chain;
mod recited;
pub(super) mod reciter;

use std::fs;

use chain::Chain;
use splitbrain::check::Mechanism;
use splitbrain::cli::Exit;
use splitbrain::config::ExpectedVerdict;
use splitbrain::explain::Question;
use splitbrain::explain::story::StepKind;
use splitbrain::metrics::Settlement;
use splitbrain::named::Named;
use splitbrain::property::Property;
use splitbrain::run::{QueueKind, RunOptions, RunResult, RunVerdict};
use splitbrain::scenario::{Registry, Scenario};

use crate::support::cli::{Done, call};
use crate::support::result::{holds, judged};
use crate::support::scenario::{parse, parse_for};

/// Ten seconds of everything: crashes and power losses of one node and of all, messages lost by
/// chance and by kind, duplicated and reordered, and a jump back of the head's clock.
const SCENARIO: &str = r#"
title = "A chain loses nodes and power, and no acknowledged write"
duration = "10s"
settle = "20s"

[cluster]
nodes = 4

[protocol.chain]
retransmit = "50ms"
checkpoint-every = 2

[network]
delay = { exponential = "5ms" }
loss = "2%"
duplication = "5%"

[disk]
sync = { uniform = ["1ms", "20ms"] }

[workload]
clients = 3
operations = "unlimited"
keys = 500                # so many that hardly any lost write is hidden by a later one
mix = { put = 6, get = 3, delete = 1, list = 1, read-all = 1 }
think = { exponential = "10ms" }
timeout = "1s"
retries = 10
backoff = { uniform = ["10ms", "50ms"] }

[[fault]]
at = "1s"
for = "300ms"
crash = "n1"
[[fault]]
at = "2s"
for = "300ms"
power-loss = ["n2", "n4"]
[[fault]]
at = "3s"
for = "1s"
drop = { kind = "write" }
[[fault]]
at = "5s"
for = "200ms"
power-loss = "leader"
[[fault]]
at = "6s"
for = "500ms"
crash = "all"
[[fault]]
at = "6200ms"
for = "500ms"
power-loss = "all"
[[fault]]
at = "7s"
for = "500ms"
power-loss = "all"
[[fault]]
at = "8s"
clock-jump = { node = "n1", by = "-1h" }

[expect]
durability = "valid"
"#;

fn registry() -> Registry {
    Registry::new().with::<Chain>()
}

fn scenario(sets: &[&str]) -> Scenario {
    read_mine(SCENARIO, sets)
}

fn read_mine(text: &str, sets: &[&str]) -> Scenario {
    parse_for(&registry(), text, sets).unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"))
}

fn run(scenario: &Scenario, seed: u64) -> RunResult {
    scenario.run(seed, RunOptions::default())
}

#[test]
fn acknowledged_writes_survive_crashes_and_power_losses() {
    let scenario = scenario(&[]);
    for seed in 0..100 {
        let result = run(&scenario, seed);
        // No bound is set here, so some properties are unchecked.
        let broken = result.checks.iter().filter(|check| !holds(check));
        // A node that does not lead answers reads, too.
        let broken: Vec<_> =
            broken.filter(|check| check.property != Property::Linearizability).collect();
        assert!(broken.is_empty(), "seed {seed}: {broken:#?}");
        let settled = matches!(result.settlement, Settlement::Settled { .. });
        assert!(settled, "seed {seed}: {:?}", result.settlement);
        let writes = result.history.entries().iter().filter(|e| e.is_ok() && e.is_write()).count();
        assert!(writes > 50, "seed {seed}: the chain hardly answered: {writes} writes");
    }
}

/// A checker must catch a planted defect: a head that answers before its sync.
#[test]
fn an_answer_before_the_sync_is_caught_under_power_loss_and_only_there() {
    let of_seeds = |sets: &[&str]| {
        let scenario = scenario(sets);
        (0..10).map(|seed| judged(&run(&scenario, seed), Property::Durability)).collect::<Vec<_>>()
    };
    let defect = "protocol.chain.answer=written";
    let caught = of_seeds(&[defect]);
    assert!(caught[..3].contains(&ExpectedVerdict::Violation), "{caught:?}");
    // A crash keeps what the process has written: without a power loss the defect does not show.
    let crashes = ["fault.1", "fault.3", "fault.5", "fault.6"]
        .map(|fault| format!("{fault}={{ at = \"1s\", for = \"1s\", crash = \"leader\" }}"));
    let mut sets: Vec<&str> = crashes.iter().map(String::as_str).collect();
    sets.push(defect);
    assert_eq!(of_seeds(&sets), [ExpectedVerdict::Valid; 10]);
}

/// The loss that the defect causes is explained from the chain's own observations.
#[test]
fn a_lost_write_is_explained_from_outside_the_crate() {
    let scenario = scenario(&["protocol.chain.answer=written"]);
    let mut explained = (0..10).map(|seed| {
        scenario
            .protocol
            .explain(&scenario.config, &scenario.names, seed, &Question::Lost)
            .expect("lost ones exist")
    });
    let explained = explained.find(|explained| explained.lost > 0).expect("the defect loses one");
    let story = &explained.stories[0];
    assert_eq!(story.mechanism, Some(Mechanism::UnsyncedTailLost), "{story:#?}");
    let kinds: Vec<StepKind> = story.steps.iter().map(|step| step.kind).collect();
    assert_eq!(kinds[..2], [StepKind::Invoked, StepKind::Accepted]);
    assert!(kinds.contains(&StepKind::PowerLost), "{story:#?}");
    let unknown = Question::Write("never-written".to_owned());
    let none =
        scenario.protocol.explain(&scenario.config, &scenario.names, 0, &unknown).unwrap_err();
    assert_eq!(none.wanted, "never-written");
}

#[test]
fn a_drop_hits_its_kind_of_message_alone() {
    let trace = |kind: &str| {
        let quiet = format!(
            "[cluster]\nnodes = 3\n[protocol.chain]\n[workload]\noperations = 5\n\
             [[fault]]\nat = \"0s\"\nfor = \"10s\"\ndrop = {{ kind = \"{kind}\" }}\n"
        );
        let scenario = read_mine(&quiet, &[]);
        let result = scenario.run(1, RunOptions { trace: true, ..RunOptions::default() });
        assert_eq!(result.verdict, RunVerdict::Pass);
        let trace = result.trace.expect("asked for");
        let count = |what: &str, kind: &str| {
            let words = |line: &&str| {
                let mut words = line.split_whitespace().skip(2);
                what.split(' ').all(|word| words.next() == Some(word)) && words.next() == Some(kind)
            };
            trace.lines().filter(words).count()
        };
        ["write", "catch-up", "ack"]
            .map(|kind| (count("deliver", kind) > 0, count(". blocked", kind) > 0))
    };
    let (passes, dropped, unused) = ((true, false), (false, true), (false, false));
    // Retransmission makes up for lost writes; nothing makes up for acknowledgements until the
    // fault ends.
    assert_eq!(trace("write"), [dropped, passes, passes]);
    assert_eq!(trace("catch-up"), [passes, unused, passes]);
    assert_eq!(trace("ack"), [passes, passes, (true, true)]);
}

#[test]
fn a_run_is_its_scenario_and_seed_whatever_the_queue() {
    let scenario = scenario(&[]);
    let heap = RunOptions { queue: QueueKind::Heap, ..RunOptions::default() };
    let calendar = RunOptions { queue: QueueKind::Calendar, ..RunOptions::default() };
    for seed in 0..3 {
        let digests = [heap, calendar, calendar].map(|options| scenario.run(seed, options).digest);
        assert_eq!(digests, [digests[0]; 3], "seed {seed}");
    }
    assert_ne!(run(&scenario, 1).digest, run(&scenario, 2).digest);
}

#[test]
fn a_scenario_is_written_back_with_its_own_settings() {
    let sets = ["retransmit=70ms", "checkpoint-every=3", "answer=written"];
    let sets = sets.map(|set| format!("protocol.chain.{set}"));
    let before = scenario(&[&sets[0], &sets[1], &sets[2]]);
    let text = before.export();
    let after = read_mine(&text, &[]);
    assert_eq!(after.protocol.encode(), before.protocol.encode());
    assert_eq!((&after.config, &after.names), (&before.config, &before.names));
    assert_eq!(run(&after, 4).digest, run(&before, 4).digest);
}

/// The command line of a program that registers the protocol; its whole `main` would be
/// `splitbrain::cli::main_with(Registry::new().with::<Chain>())`.
fn mine(args: &[&str]) -> Done {
    call(&registry(), "mine", args)
}

/// The scenario in a folder that goes away, with the path of the file and of a folder for output.
fn on_disk() -> (tempfile::TempDir, String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let scenarios = folder.path().join("scenarios");
    fs::create_dir(&scenarios).expect("a folder in it");
    let file = scenarios.join("chain.toml");
    fs::write(&file, SCENARIO).expect("a file in it");
    let out = folder.path().join("out");
    let paths = [file, out].map(|path| path.to_str().expect("UTF-8").to_owned());
    let [file, out] = paths;
    (folder, file, out)
}

#[test]
fn run_takes_every_option() {
    let (_folder, file, out) = on_disk();
    let done = mine(&["run", &file, "--seed", "3", "--verify", "--trace", "--json", "--out", &out]);
    assert_eq!(done.exit, Exit::Pass, "{}{}", done.out, done.err);
    let document = done.json();
    let digest = run(&scenario(&[]), 3).digest.to_string();
    assert_eq!(document["digest"], digest.as_str());
    assert_eq!((&document["scenario"], &document["verdict"]), (&"chain".into(), &"pass".into()));
    assert_eq!(document["checks"]["durability"]["verdict"], "valid");
    let trace = fs::read_to_string(format!("{out}/trace.txt")).expect("asked for");
    assert!(trace.contains("catch-up from n"), "kinds of message are named in the trace");

    let done = mine(&["run", &file, "--seeds", "0..3", "--json", "--out", &out]);
    assert_eq!(done.exit, Exit::Pass, "{}{}", done.out, done.err);
    let seeds: Vec<_> = done.json()["runs"]
        .as_array()
        .expect("runs")
        .iter()
        .map(|run| run["seed"].clone())
        .collect();
    assert_eq!(seeds, [0, 1, 2]);

    let set = "protocol.chain.answer=written";
    let done = mine(&["run", &file, "--seeds", "0..3", "--set", set, "--out", &out]);
    assert_eq!(done.exit, Exit::Violation, "{}{}", done.out, done.err);
    assert!(done.out.contains("durability"), "{}", done.out);
}

#[test]
fn a_misspelt_key_is_shown_with_a_caret_and_nothing_runs() {
    let (_folder, file, out) = on_disk();
    fs::write(&file, SCENARIO.replace("checkpoint-every", "checkpoint-evry")).expect("written");
    let done = mine(&["run", &file, "--out", &out]);
    let expected = format!(
        "\
error: unknown key `checkpoint-evry`
  --> {file}:11:1
   |
11 | checkpoint-evry = 2
   | ^^^^^^^^^^^^^^^ there is no such key in `protocol.chain`
   |
   = help: did you mean `checkpoint-every`?
"
    );
    assert_eq!((done.exit, &done.out[..], &done.err), (Exit::Usage, "", &expected));
    assert_eq!(Exit::Usage.code(), 2);
    assert!(!fs::exists(&out).expect("the folder can be read"));

    let mistakes = |sets: &[&str]| parse_for(&registry(), SCENARIO, sets).expect_err("a mistake");
    // All mistakes at once, including those that only the protocol can detect.
    let shown = mistakes(&["protocol.chain.retransmit=0s", "protocol.chain.answer=writen"]);
    assert!(shown.contains("a length of time is zero"), "{shown}");
    assert!(shown.contains("did you mean `written`?"), "{shown}");
    let shown = mistakes(&["cluster.initial-leader=none"]);
    assert!(shown.contains("a chain elects nobody"), "{shown}");
    let shown = mistakes(&["fault.2.drop.kind=wrote"]);
    assert!(shown.contains("did you mean `write`?"), "{shown}");
}

#[test]
fn list_schema_and_completions_know_the_protocol() {
    let (folder, ..) = on_disk();
    let done = mine(&["list", folder.path().to_str().expect("UTF-8")]);
    assert_eq!((done.exit, &done.err[..]), (Exit::Pass, ""));
    assert!(done.out.contains("A chain loses nodes and power"), "{}", done.out);

    let done = mine(&["schema"]);
    let schema = done.json();
    assert_eq!(done.exit, Exit::Pass);
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    let valid = |text: &str| {
        let table: toml::Table = toml::from_str(text).expect("TOML");
        validator.is_valid(&serde_json::to_value(table).expect("TOML is JSON, but for dates"))
    };
    assert!(valid(SCENARIO) && valid(&scenario(&[]).export()));
    assert!(!valid(&SCENARIO.replace("checkpoint-every", "checkpoint-evry")));

    let done = mine(&["completions", "bash"]);
    assert_eq!(done.exit, Exit::Pass);
    assert!(done.out.contains("mine"), "the script completes the author's program");
}

/// A program may replace a protocol that comes with splitbrain by registering one of its name;
/// names stay in order.
#[test]
fn protocols_are_registered_by_name() {
    let names: Vec<_> = registry().with::<Chain>().names().collect();
    assert_eq!(names, ["leader-follower", "chain"]);
}

/// Every occurrence in a chain; the simulation sees them without the protocol's help.
#[test]
fn faults_may_be_tied_to_moments_of_a_chain() {
    let start = |when: &str| {
        let text = SCENARIO.replacen("at = \"1s\"", &format!("when = {{ {when} }}"), 1);
        let scenario = read_mine(&text, &[]);
        let (result, heap) = (
            run(&scenario, 5),
            scenario.run(5, RunOptions { queue: QueueKind::Heap, ..RunOptions::default() }),
        );
        assert_eq!(result.digest, heap.digest, "{when}");
        assert_eq!(judged(&result, Property::Durability), ExpectedVerdict::Valid, "{when}");
        let impact = result.impacts.iter().find(|impact| impact.fault.0 == 0);
        impact.map(|impact| impact.at.nanos())
    };
    let [head, tail] = ["appends = 4, node = 'n1'", "appends = 4, node = 'n4'"].map(start);
    let [written, durable] = ["persists = 4, node = 'n1'", "persists = 4, node = 'n4'"].map(start);
    let [sent, told] =
        ["receives = 4, kind = 'write', node = 'n2'", "acknowledges = 4, node = 'n1'"].map(start);
    // Down the chain and back: each write is on every disk before its client hears of it.
    let way = [head, written, sent, tail, durable, told];
    assert!(way.iter().all(Option::is_some) && way.is_sorted(), "{way:?}");
    assert_eq!(start("restarts = 2, node = 'n2'").map(|at| at > 2_300_000_000), Some(true));
    assert_eq!(start("elected = 1"), Some(0));
    assert_eq!(start("acknowledges = 1, node = 'n4'"), None, "the head answers all");
}

/// A scenario for campaigns: nothing is scripted, and any node may lose power.
const FUZZED: &str = r#"
title = "A chain that answers too early"
duration = "3s"
settle = "20s"
[cluster]
nodes = 3
[protocol.chain]
retransmit = "50ms"
answer = "written"
[network]
delay = { uniform = ["1ms", "10ms"] }
[disk]
sync = { uniform = ["1ms", "20ms"] }
[workload]
clients = 3
operations = 60
keys = 30
mix = { put = 8, get = 1, delete = 1 }
think = { exponential = "80ms" }
[fuzz]
kinds = ["crash", "power-loss", "isolate", "slow-disk", "drop"]
"#;

/// The protocol is fuzzed, shrunk and run again by its name, from files only.
#[test]
fn a_campaign_finds_the_defect_and_shrinks_it_to_a_file_that_reproduces_it() {
    let (folder, _, out) = on_disk();
    let file = folder.path().join("early.toml").to_str().expect("UTF-8").to_owned();
    fs::write(&file, FUZZED).expect("written");
    let args = ["fuzz", &file, "--runs", "200", "--seed", "3", "--json"];
    let done = mine(&[&args[..], &["--out", &out]].concat());
    assert_eq!(done.exit, Exit::Violation, "{}{}", done.out, done.err);
    let document = done.json();
    let violations = document["violations"].as_array().expect("a list");
    let found = violations.iter().find(|found| found["check"] == "durability").expect("a loss");
    assert_eq!(found["verdict"], "violation");
    assert_eq!(found["mechanism"], Mechanism::UnsyncedTailLost.name());
    let count = |what: &str| found[what].as_u64().expect("a number");
    assert!(count("faults") <= 3 && count("operations") <= 5, "{found}");

    let small = found["scenario"].as_str().expect("a file");
    let text = fs::read_to_string(small).expect("there");
    assert!(text.contains("[protocol.chain]\nanswer = \"written\"\n"), "{text}");
    let again = mine(&["run", small, "--json", "--quiet", "--out", &out]);
    assert_eq!(again.exit, Exit::Pass, "what it expects is what it shows: {}", again.err);
    let run = again.json();
    assert_eq!(run["digest"], found["digest"]);
    assert_eq!(run["checks"]["durability"]["verdict"], "violation");
    // Without the registration nobody can read the file.
    let foreign = parse(&text, &[]).expect_err("`chain` is not known there");
    assert!(foreign.contains("chain"), "{foreign}");

    // The same by hand: the scenario under the seed that the campaign drew.
    let seed = text.lines().find_map(|line| line.strip_prefix("seed = ")).expect("a seed");
    let smaller = folder.path().join("smaller.toml").to_str().expect("UTF-8").to_owned();
    let done = mine(&["shrink", small, "--seed", seed, "--out", &smaller]);
    assert_eq!(done.exit, Exit::Pass, "{}", done.err);
    assert!(done.out.starts_with("durability, unsynced-tail-lost: shrunk from "), "{}", done.out);

    // A chain that waits for its disks gives no finds.
    let out = format!("{out}-sound");
    let set = "protocol.chain.answer=acknowledged";
    let done = mine(&["fuzz", &file, "--runs", "200", "--seed", "3", "--set", set, "--out", &out]);
    assert_eq!(done.exit, Exit::Pass, "{}{}", done.out, done.err);
    assert!(done.out.starts_with("no violation in 200 runs\n"), "{}", done.out);
}
