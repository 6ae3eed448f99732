//! `explain` and `diff`: the life of a write as a chain, how each lost one was lost, where two runs part.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

const QUICKSTART: &str = "scenarios/quickstart.toml";
const ASYNC: &str = "scenarios/systems/async-partition.toml";
const TORN: &str = "scenarios/anomalies/37-append-after-a-torn-tail.toml";

fn splitbrain(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_splitbrain"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(args).output().expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the command prints UTF-8")
}

/// Standard output of a command that ends with `status`.
#[track_caller]
fn said(status: i32, args: &[&str]) -> String {
    let output = splitbrain(args);
    assert_eq!(output.status.code(), Some(status), "{args:?}: {}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
    text(&output.stdout)
}

#[track_caller]
fn document(status: i32, args: &[&str]) -> Value {
    let args = [args, &["--json"]].concat();
    serde_json::from_str(&said(status, &args)).expect("one JSON document")
}

fn keys(value: &Value) -> String {
    let keys: Vec<_> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.join(" ")
}

/// The scenario in a file that goes away with the folder.
fn file(scenario: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lossy.toml");
    fs::write(&path, scenario).unwrap();
    (folder, path)
}

/// `mechanism: count`, for the lost writes of a run.
fn mechanisms(document: &Value) -> String {
    let counts = document["mechanisms"].as_object().expect("an object");
    counts.iter().map(|(name, count)| format!("{name}: {count}")).collect::<Vec<_>>().join(", ")
}

/// Scenarios of this repository that lose writes: file, seed, and by which mechanism how many.
const LOSING: [(&str, &str, &str); 2] = [
    ("scenarios/anomalies/35-fsync-every-t-power-loss.toml", "1", "unsynced-tail-lost: 687"),
    (TORN, "1", "log-damage: 2"),
];

#[test]
fn every_losing_scenario_is_lost_by_the_mechanism_it_is_about() {
    for (file, seed, expected) in LOSING {
        let explained = document(0, &["explain", file, "--seed", seed]);
        assert_eq!(mechanisms(&explained), expected, "{file}");
    }
}

/// A cluster of three without a log, in which one client writes `city` twice.
const CLUSTER: &str = r#"
title = "A write is lost"
duration = "10s"

[cluster]
nodes = 3
[network]
delay = "5ms"
loss = "0%"

[[operation]]
at = "1s"
client = "c1"
put = { key = "city", value = "Durham" }
[[operation]]
at = "4s"
client = "c1"
put = { key = "city", value = "Raleigh" }
"#;

/// What happens to Raleigh, how it is lost, and what its story must say.
const FATES: [(&str, &str, &str); 5] = [
    (
        "[protocol.leader-follower]\n[[fault]]\nid = 'cut'\nat = '3s'\nisolate = 'n1'\n\
         [[fault]]\nat = '5s'\ncrash = 'n1'\nforever = true",
        "never-shipped: 1",
        "sends it to n2 and n3, blocked (cut)",
    ),
    (
        "[protocol.leader-follower]\n[[fault]]\nat = '5s'\nfor = '1s'\ncrash = 'all'",
        "memory-lost: 2",
        "crashes, with nothing on its disk",
    ),
    (
        "[protocol.leader-follower]\n[[fault]]\nat = '3s'\n\
         clock-jump = { node = 'n1', by = '-1h' }",
        "older-timestamp: 1",
        "drops it: older than what it has",
    ),
    (
        "[protocol.leader-follower]\nwal = { policy = 'fsync' }\n[[fault]]\nid = 'cut'\nat = '3s'\n\
         for = '3s'\nisolate = 'n1'\n[[fault]]\nat = '5s'\nfor = '1s'\ncrash = 'n1'\n\
         [[fault]]\nat = '5500ms'\nrestart = { target = 'n1', disk = 'empty' }",
        "disk-replaced: 1",
        "is given an empty disk",
    ),
    (
        "[protocol.leader-follower]\nwal = { policy = 'buffered', sync-every = '5s' }\n\
         [[fault]]\nat = '5s'\nfor = '1s'\npower-loss = 'all'",
        "unsynced-tail-lost: 2",
        "loses power, and the write, not yet synced, goes",
    ),
];

#[test]
fn a_write_is_lost_in_several_ways_and_each_is_told() {
    for (happens, expected, told) in FATES {
        let (_folder, path) = file(&format!("{CLUSTER}{happens}\n"));
        let path = path.to_str().unwrap();
        let explained = document(0, &["explain", path]);
        assert_eq!(mechanisms(&explained), expected, "{happens}");
        let story = said(0, &["explain", path, "--write", "Raleigh"]);
        assert!(story.contains(told), "{happens}:\n{story}");
        assert!(!story.contains("unexplained"), "{happens}:\n{story}");
        assert!(story.lines().count() <= 25, "{story}");
    }
}

#[test]
fn a_story_runs_from_the_client_to_the_end_with_stable_keys() {
    let explained = document(0, &["explain", TORN]);
    assert_eq!(keys(&explained), "scenario seed digest durability lost mechanisms writes untold");
    assert_eq!(explained["scenario"], "anomalies/37-append-after-a-torn-tail");
    assert_eq!((&explained["lost"], &explained["untold"]), (&2.into(), &1.into()));
    assert_eq!(explained["durability"], "violation");
    let write = &explained["writes"][0];
    assert_eq!(
        keys(write),
        "operation call status version mechanism phrase decisive steps left_out"
    );
    assert_eq!((&write["call"], &write["status"]), (&"put c=3 by writer".into(), &"ok".into()));
    assert_eq!(write["decisive"]["node"], "n1");
    assert_eq!(write["decisive"]["at_ns"], 1_000_000_000);
    let steps = write["steps"].as_array().unwrap();
    let kinds: Vec<_> = steps.iter().map(|step| step["kind"].as_str().unwrap()).collect();
    let expected = ["invoked", "accepted", "completed", "crashed", "restarted", "leads", "end"];
    assert_eq!(kinds, expected);
    assert_eq!(keys(&steps[1]), "at_ns who kind text");
    assert_eq!(steps[1]["who"], serde_json::json!(["n1"]));
    assert_eq!(steps[1]["text"], "accepts it in term 1, as version 0.600000000@n1#2");
    assert_eq!(steps[4]["text"], "starts again, without it");
}

#[test]
fn the_run_itself_names_the_mechanism() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let run = document(0, &["run", TORN, "--quiet", "--out", out]);
    let durability = &run["checks"]["durability"];
    assert_eq!(durability["figures"]["lost_writes"], 2);
    assert_eq!(durability["figures"]["lost_log_damage"], 2);
    let summary = durability["witness"]["summary"].as_str().unwrap();
    assert!(summary.contains("lost as log-damage: "), "{summary}");
}

#[test]
fn a_write_that_survived_is_explained_too() {
    assert!(said(0, &["explain", ASYNC]).ends_with("no acknowledged write was lost\n"));
    let explained = document(0, &["explain", ASYNC, "--write", "weather=clear"]);
    let write = &explained["writes"][0];
    assert_eq!(write["mechanism"], Value::Null);
    let told = write["steps"].as_array().unwrap().iter();
    let told: Vec<_> = told.map(|step| step["text"].as_str().unwrap()).collect();
    assert_eq!(told[2], "sends it to n2, blocked (blocked); to n3");
    assert_eq!(told[3], "is told ok by n1, before any follower has confirmed it");
    assert!(told.contains(&"takes put weather=rainy by user in its place"), "{told:?}");
    let text = said(0, &["explain", ASYNC, "--write", "put weather=clear"]);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn an_unknown_write_is_a_mistake_with_help() {
    let wrong = |args: &[&str]| {
        let output = splitbrain(args);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), String::new()));
        text(&output.stderr)
    };
    let near = wrong(&["explain", ASYNC, "--write", "Raleig"]);
    assert!(near.contains("nobody wrote `Raleig`") && near.contains("did you mean `Raleigh`?"));
    let far = wrong(&["explain", ASYNC, "--write", "something-else-entirely"]);
    assert!(far.contains("there are, among others: Raleigh, "), "{far}");
    assert!(wrong(&["explain", "no-such.toml"]).contains("no-such.toml"));
    assert!(wrong(&["diff", ASYNC]).contains("nothing tells the two runs apart"));
    assert!(wrong(&["diff", ASYNC, "--seed", "1"]).contains("nothing tells"));
    let three = ["diff", ASYNC, "--seed", "1", "--seed", "2", "--seed", "3"];
    assert!(wrong(&three).contains("once or twice"));
    assert!(wrong(&["diff", ASYNC, "--set", "network.los=1%"]).contains("did you mean `loss`?"));
}

#[test]
fn a_setting_parts_two_runs_where_it_first_matters() {
    let differs = document(1, &["diff", QUICKSTART, "--set", "network.loss=1%"]);
    assert_eq!(keys(&differs), "scenario same runs event at_ns before sides cause why");
    assert_eq!(differs["same"], false);
    assert_eq!(differs["runs"][1]["sets"], serde_json::json!(["network.loss=1%"]));
    let alone = differs["cause"]["did_alone"].as_array().unwrap();
    assert_eq!(alone[0], serde_json::json!([]), "nothing is lost in the first");
    let lost = alone[1][0].as_str().unwrap();
    assert!(lost.contains(". lost      replicate to n3"), "{lost}");
    let first = &differs["sides"][0];
    assert!(first["event"]["line"].as_str().unwrap().contains("n3        deliver     replicate"));
    assert_eq!(first["in_the_other_at_ns"], Value::Null, "it was lost there");
    assert_eq!(first["causes"][0]["event"], differs["cause"]["event"]["event"]);
    assert_eq!(differs["before"].as_array().unwrap().len(), 3);
}

#[test]
fn seeds_part_and_equal_runs_do_not() {
    let differs = document(1, &["diff", QUICKSTART, "--seed", "1", "--seed", "2"]);
    let seeds: Vec<_> = [0, 1].map(|i| differs["runs"][i]["seed"].as_u64().unwrap()).into();
    assert_eq!(seeds, [1, 2]);
    assert_eq!((&differs["event"], &differs["cause"]), (&0.into(), &Value::Null));
    let why = differs["why"].as_str().unwrap();
    assert!(why.contains("every draw differs"), "{why}");
    let same = document(0, &["diff", QUICKSTART, "--seed", "3", "--set", "seed=3"]);
    assert_eq!((&same["same"], &same["event"]), (&true.into(), &Value::Null));
    assert_eq!(same["runs"][0]["digest"], same["runs"][1]["digest"]);
    let text = said(0, &["diff", QUICKSTART, "--seed", "3", "--seed", "3"]);
    assert!(text.ends_with("The two runs are the same, event by event.\n"), "{text}");
}
