//! `explain` and `diff`: the causal chain of a write, how each lost one was lost, and where two
//! runs diverge.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::cli::{splitbrain, text};
use crate::support::scenario::home;

const QUICKSTART: &str = "scenarios/quickstart.toml";
const ASYNC: &str = "scenarios/systems/async-partition.toml";
const TORN: &str = "scenarios/anomalies/37-append-after-a-torn-tail.toml";

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

/// Scenarios of this repository that lose writes: file, seed, and the number of writes by
/// mechanism.
const LOSING: [(&str, &str, &str); 27] = [
    ("anomalies/01-async-failover-loses-the-tail.toml", "1", "never-shipped: 10"),
    ("anomalies/02-split-brain-minority-leader.toml", "1", "full-state-overwrite: 2"),
    ("anomalies/03-split-brain-merged-by-timestamp.toml", "1", "older-timestamp: 1"),
    ("anomalies/04-lowest-id-picks-the-stalest.toml", "1", "full-state-overwrite: 6"),
    ("anomalies/05-two-leaders-of-one-term.toml", "1", "full-state-overwrite: 3"),
    ("anomalies/07-flapping-link.toml", "1", "full-state-overwrite: 114"),
    ("anomalies/08-failback-with-old-data.toml", "1", "full-state-overwrite: 4"),
    ("anomalies/09-empty-leader-wipes-followers.toml", "1", "full-state-overwrite: 4"),
    ("anomalies/10-semi-sync-falls-back-to-async.toml", "1", "never-shipped: 3"),
    ("anomalies/13-an-error-mapped-to-success.toml", "1", "never-shipped: 1"),
    ("anomalies/15-newest-timestamp-leads.toml", "1", "truncated: 1"),
    ("anomalies/16-unclean-election.toml", "1", "never-shipped: 2"),
    ("anomalies/17-last-replica-standing.toml", "1", "unsynced-tail-lost: 1"),
    ("anomalies/18-replication-in-order-of-arrival.toml", "1", "resurrected: 1"),
    ("anomalies/28-clock-behind-drops-writes.toml", "1", "older-timestamp: 1"),
    ("anomalies/29-future-stamp-poisons-a-key.toml", "1", "older-timestamp: 1"),
    ("anomalies/32-tombstone-collected-too-early.toml", "1", "tombstone-purged: 1"),
    ("anomalies/33-delete-without-tombstone.toml", "1", "resurrected: 1"),
    ("anomalies/34-mixed-stamp-sources.toml", "1", "older-timestamp: 1"),
    ("anomalies/35-fsync-every-t-power-loss.toml", "1", "unsynced-tail-lost: 687"),
    ("anomalies/36-power-loss-forgets-a-quorum.toml", "1", "unsynced-tail-lost: 1"),
    ("anomalies/36-replicas-stay-different.toml", "1", "not-on-the-leader: 1"),
    ("anomalies/37-append-after-a-torn-tail.toml", "1", "log-damage: 2"),
    ("anomalies/39-log-cut-before-the-checkpoint.toml", "1", "log-cut: 5"),
    ("systems/failover-resurrected-delete.toml", "1", "resurrected: 1"),
    ("verdicts/a-version-given-again.toml", "1", "version-reused: 1"),
    ("verdicts/one-version-two-writes.toml", "1", "version-reused: 1"),
];

#[test]
fn every_losing_scenario_is_lost_by_the_mechanism_it_is_about() {
    for (file, seed, expected) in LOSING {
        let file = format!("scenarios/{file}");
        let explained = document(0, &["explain", &file, "--seed", seed]);
        assert_eq!(mechanisms(&explained), expected, "{file}");
        for write in explained["writes"].as_array().unwrap() {
            assert!(!write["decisive"].is_null(), "{file}: {write}");
        }
        let story = said(0, &["explain", &file, "--seed", seed]);
        assert!(story.lines().count() <= 48, "{file}: {story}");
    }
}

#[test]
fn no_losing_scenario_is_left_out() {
    for folder in ["anomalies", "systems", "verdicts"] {
        let root = home("scenarios").join(folder);
        for entry in fs::read_dir(root).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let loses = ["allowed", "violation"]
                .iter()
                .any(|verdict| text.contains(&format!("\ndurability = \"{verdict}\"")));
            let name = format!("{folder}/{}", path.file_name().unwrap().to_str().unwrap());
            let is_listed = LOSING.iter().any(|(file, ..)| *file == name);
            assert!(is_listed || !loses, "{name} loses writes: by which mechanism?");
        }
    }
}

/// A leader that is cut off acknowledges a write and drops it when it follows the next leader; then
/// the key is written again. The end misses nothing, and yet the write was discarded.
#[test]
fn a_discarded_write_is_told_like_a_lost_one() {
    const BY: &str = "full-state-overwrite: 1";
    let file = "scenarios/verdicts/thrown-away-and-written-over.toml";
    let explained = document(0, &["explain", file]);
    let discarded = &explained["discarded"];
    assert_eq!((&explained["lost"], &discarded["count"]), (&0.into(), &1.into()));
    assert_eq!((mechanisms(&explained), mechanisms(discarded)), (String::new(), BY.to_owned()));
    assert_eq!(discarded["first"][0]["call"], "put k=2 by a");
    let write = &explained["writes"][0];
    assert_eq!((&write["call"], &write["fate"]), (&"put k=2 by a".into(), &"discarded".into()));
    assert_eq!(write["decisive"]["node"], "n1");
    let story = said(0, &["explain", file]);
    let flat = story.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "no acknowledged write was lost 1 acknowledged write was discarded (1 \
         full-state-overwrite): its key was written \
         again without it: put k=2 by a",
        "put k=2 by a discarded: full-state-overwrite",
        "discarded: overwritten by a full state without it; k=3 (version 5.000000000@n2#4) is what \
         is left",
    ] {
        assert!(flat.contains(words), "{words}: {story}");
    }
    // Asked for by its id, the write is told in the same way.
    assert_eq!(document(0, &["explain", file, "--write", "k=2"])["writes"][0], *write);
    // An overwritten one is neither lost nor discarded.
    let written_over = document(0, &["explain", file, "--write", "k=1"]);
    assert!(written_over["writes"][0]["fate"].is_null());
}

/// What stories of failovers must say: file, value, words.
const TOLD: [(&str, &str, &str); 7] = [
    ("01-async-failover-loses-the-tail", "11", "n2 leads in term 2, without it"),
    ("02-split-brain-minority-leader", "west-1", "n3 leads in term 2"),
    (
        "02-split-brain-minority-leader",
        "west-1",
        "n1 takes the full state of n3, leader of term 2, with put a=east-1 by east in its place",
    ),
    (
        "03-split-brain-merged-by-timestamp",
        "west-1",
        "n1 takes put a=east-1 by east, from n3, in its place, for its version 0.400000000@n3#3 \
         is higher",
    ),
    (
        "15-newest-timestamp-leads",
        "committed",
        "n2 cuts it off its log, for it is not in that of n1, leader of term 3",
    ),
    (
        "33-delete-without-tombstone",
        "delete k",
        "n2 takes put k=old by u, from n3, in its place, though it is older",
    ),
    (
        "39-log-cut-before-the-checkpoint",
        "r1=1",
        "n1 crashes, with its log cut and nothing else on its disk",
    ),
];

#[test]
fn a_failover_is_told_with_who_led_and_what_it_took_from_whom() {
    for (file, write, words) in TOLD {
        let file = format!("scenarios/anomalies/{file}.toml");
        let explained = document(0, &["explain", &file, "--write", write]);
        let steps = explained["writes"][0]["steps"].as_array().unwrap();
        let says = |step: &Value| {
            let who = step["who"].as_array().unwrap();
            let text = step["text"].as_str().unwrap();
            who.iter().any(|who| format!("{} {text}", who.as_str().unwrap()) == words)
        };
        assert!(steps.iter().any(says), "{file}: {words}: {steps:?}");
        let at = |step: &Value| step["at_ns"].as_u64().unwrap();
        assert!(steps.is_sorted_by_key(at), "{file}: {steps:?}");
    }
}

#[test]
fn a_delete_that_finds_nothing_to_erase_has_reached_the_follower() {
    let (_folder, path) = file(&format!(
        "{CLUSTER}[[operation]]\nat = '5s'\nclient = 'c1'\ndelete = {{ key = 'nothing' }}\n\
         [protocol.leader-follower]\ndeletes = 'erase'\n"
    ));
    let story = said(0, &["explain", path.to_str().unwrap(), "--write", "delete nothing"]);
    assert!(story.contains("n2 n3  takes it\n"), "{story}");
}

#[test]
fn a_write_of_a_cas_or_a_batch_is_found_by_the_names_that_reports_give_it() {
    let (_folder, path) = file(&format!(
        "{CLUSTER}[[operation]]\nat = '5s'\nclient = 'c1'\n\
         cas = {{ key = 'town', to = 'Rome' }}\n\
         [[operation]]\nat = '6s'\nclient = 'c1'\n\
         batch = [{{ delete = {{ key = 'town' }} }}, {{ get = {{ key = 'town' }} }}]\n\
         [protocol.leader-follower]\n"
    ));
    for (write, call) in [
        ("town=Rome", "put town=Rome (of a cas) by c1"),
        ("put town=Rome (of a cas)", "put town=Rome (of a cas) by c1"),
        ("cas town from nothing to Rome", "put town=Rome (of a cas) by c1"),
        ("delete town", "delete town (of a batch) by c1"),
        ("batch [delete town, get town]", "delete town (of a batch) by c1"),
    ] {
        let told = document(0, &["explain", path.to_str().unwrap(), "--write", write]);
        assert_eq!(told["writes"][0]["call"], call, "{write}");
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

/// The fault, the mechanism by which Raleigh is lost, and words of its story.
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
    assert_eq!(
        keys(&explained),
        "scenario seed digest durability lost mechanisms discarded writes untold reads breaches"
    );
    assert_eq!(explained["scenario"], "anomalies/37-append-after-a-torn-tail");
    assert_eq!((&explained["lost"], &explained["untold"]), (&2.into(), &1.into()));
    assert_eq!(explained["durability"], "violation");
    let write = &explained["writes"][0];
    assert_eq!(
        keys(write),
        "operation call status version fate mechanism phrase decisive steps left_out"
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

/// A leader without a log restarts and counts from the beginning: the follower has another write of
/// that version.
const TWO_OF_ONE_VERSION: &str = r#"
duration = "4s"
cluster.nodes = 2
[protocol.leader-follower]
mode = "sync"
on-ack-timeout = "fail"
timestamps = "term-sequence"
[[operation]]
at = "1s"
client = "ann"
put = { key = "city", value = "Durham" }
[[fault]]
at = "2s"
for = "1ms"
crash = "n1"
[[operation]]
at = "3s"
client = "ann"
put = { key = "city", value = "Raleigh" }
[[fault]]
at = "3500ms"
forever = true
crash = "n1"
"#;

#[test]
fn two_writes_of_one_version_have_a_life_each() {
    let (_folder, path) = file(TWO_OF_ONE_VERSION);
    let path = path.to_str().unwrap();
    let told = |write: &str| {
        let explained = document(0, &["explain", path, "--write", write]);
        let steps = explained["writes"][0]["steps"].as_array().unwrap().clone();
        let step = |step: &Value| {
            let who = step["who"].as_array().unwrap().iter().map(|who| who.as_str().unwrap());
            format!("{} {}", who.collect::<Vec<_>>().join(" "), step["text"].as_str().unwrap())
        };
        (steps.iter().map(step).collect::<Vec<_>>(), steps)
    };
    let (first, _) = told("Durham");
    assert!(first.contains(&"n2 takes it".to_owned()), "{first:?}");
    assert_eq!(first.last().unwrap(), "n2 at the end it is there");
    let (second, steps) = told("Raleigh");
    assert!(
        second.contains(
            &"n2 drops it: taken for another write of the same version, which it has".to_owned()
        ),
        "{second:?}"
    );
    assert!(second.iter().all(|step| !step.contains("it is there")), "{second:?}");
    assert!(second.last().unwrap().contains("city=Durham"), "{second:?}");
    let begins = steps.iter().map(|step| step["at_ns"].as_u64().unwrap()).min();
    assert_eq!(begins, Some(3_000_000_000), "not before it was asked for: {second:?}");
}

/// The version of the third write is that of the first, which the follower took a second earlier.
const A_VERSION_AGAIN: &str = r#"
duration = "2s"
cluster.nodes = 2
[protocol.leader-follower]
mode = "semi-sync"
write-quorum = 1
timestamps = "term-sequence"
[[operation]]
at = "0ms"
client = "ann"
put = { key = "city", value = "Apex" }
[[operation]]
at = "10ms"
client = "ann"
put = { key = "city", value = "Durham" }
[[fault]]
at = "300ms"
for = "100ms"
crash = "n1"
[[operation]]
at = "1s"
client = "ann"
put = { key = "city", value = "Raleigh" }
"#;

#[test]
fn nobody_takes_a_write_before_it_is_asked_for() {
    let (_folder, path) = file(A_VERSION_AGAIN);
    let path = path.to_str().unwrap();
    let explained = document(0, &["explain", path, "--write", "Raleigh"]);
    let write = &explained["writes"][0];
    assert_eq!(write["version"], "4.294967297@n1#1");
    let steps = write["steps"].as_array().unwrap();
    let at = |step: &Value| step["at_ns"].as_u64().unwrap();
    assert_eq!((steps[0]["kind"].as_str(), at(&steps[0])), (Some("invoked"), 1_000_000_000));
    assert!(steps.is_sorted_by_key(at), "{steps:?}");
    let by = |kind: &str, node: &str| {
        steps.iter().any(|step| step["kind"] == kind && step["who"] == serde_json::json!([node]))
    };
    assert!(by("discarded", "n2") && !by("applied", "n2"), "{steps:?}");
    let first = document(0, &["explain", path, "--write", "Apex"]);
    assert_eq!(first["writes"][0]["version"], "4.294967297@n1#1");
    let told = first["writes"][0]["steps"].to_string();
    assert!(told.contains("takes it") && !told.contains("1000000000"), "{told}");
}

#[test]
fn a_broken_read_is_told_by_what_the_replica_had_when_it_answered() {
    let file = "scenarios/anomalies/19-reads-from-a-lagging-follower.toml";
    let explained = document(0, &["explain", file]);
    let read = &explained["reads"][0];
    assert_eq!(keys(read), "check verdict operation summary mechanism phrase text");
    assert_eq!((&read["check"], &read["verdict"]), (&"read-your-writes".into(), &"allowed".into()));
    assert_eq!(read["mechanism"], "not-yet-there");
    assert_eq!(
        read["text"],
        "n3 answered at 1.010000000 s: that write, sent by n1 at 1.001000000 s, was on its way"
    );
    let text = said(0, &["explain", file]);
    assert!(text.contains("read-your-writes allowed (not-yet-there): user: put x=v2"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
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
    assert!(said(0, &["explain", ASYNC]).contains("no acknowledged write was lost\n"));
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
