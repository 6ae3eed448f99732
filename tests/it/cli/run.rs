//! `run` and `list` on the scenarios that come with splitbrain.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::support::cli::{command_in, splitbrain, splitbrain_in, text};
use crate::support::scenario::home;

const QUICKSTART: &str = "scenarios/quickstart.toml";
const QUORUM: &str = "scenarios/quorum-latency.toml";

fn document(output: &Output) -> Value {
    let shown = || text(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", shown()))
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// A folder that goes away, as an argument.
fn out() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out").to_str().unwrap().to_owned();
    (folder, path)
}

/// Every file beneath `folder` by its path from there.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let content = fs::read(&path).unwrap();
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), content);
            }
        }
    }
    found
}

fn seeds_of(document: &Value) -> Vec<u64> {
    let runs = document["runs"].as_array().expect("runs");
    runs.iter().map(|run| run["seed"].as_u64().unwrap()).collect()
}

#[test]
fn the_quickstart_passes_and_says_how_to_do_it_again() {
    let (_folder, out) = out();
    let output = splitbrain(&["run", QUICKSTART, "--seed", "1", "--out", &out]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
    assert!(said.starts_with("PASS  "), "{said}");
    let again = format!("\nReproduce     splitbrain run {QUICKSTART} --seed 1\n");
    assert!(said.contains(&again), "{said}");
    assert!(said.ends_with(&format!("Written to    {out}\n")), "{said}");
    assert!(!said.contains('\x1b'), "no colour without a terminal");
    let command_line = |line: &str| line.starts_with("Reproduce") || line.starts_with("Written");
    let long = said.lines().find(|line| line.chars().count() > 80 && !command_line(line));
    assert_eq!(long, None, "{said}");
}

#[test]
fn a_folder_is_the_same_bytes_every_time() {
    let write = |args: &[&str]| {
        let (folder, out) = out();
        let args = [&["run", QUICKSTART, "--quiet", "--trace", "--out", &out], args].concat();
        assert_eq!(splitbrain(&args).status.code(), Some(0));
        files(folder.path())
    };
    let once = write(&[]);
    let names: Vec<_> = once.keys().map(|path| path.to_str().unwrap()).collect();
    assert_eq!(names, ["out/history.jsonl", "out/nodes.json", "out/result.json", "out/trace.txt"]);
    assert!(once == write(&[]) && once == write(&["--verify", "--json", "--jobs", "2"]));
    let (_folder, out) = out();
    let output = splitbrain(&["run", QUICKSTART, "--json", "--quiet", "--out", &out]);
    assert_eq!(output.stdout, once[Path::new("out/result.json")]);
    for line in text(&once[Path::new("out/history.jsonl")]).lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(keys(&line)[..4], ["time_ns", "event", "process", "op"]);
    }
}

#[test]
fn without_out_the_folder_is_named_by_scenario_and_seed() {
    let folder = tempfile::tempdir().unwrap();
    let file = home(QUICKSTART);
    let args = ["run", file.to_str().unwrap(), "--seed", "5", "--quiet"];
    let output = splitbrain_in(folder.path(), &args);
    assert!(text(&output.stderr).is_empty());
    let written: Vec<_> = files(folder.path()).into_keys().collect();
    let expected = ["history.jsonl", "nodes.json", "result.json"];
    assert_eq!(written, expected.map(|name| Path::new("output/quickstart/5").join(name)));
}

#[test]
fn the_document_has_its_fixed_keys() {
    let (_folder, out) = out();
    let output = splitbrain(&["run", QUICKSTART, "--seed", "1", "--json", "--out", &out]);
    let run = document(&output);
    let fixed = [
        "scenario",
        "seed",
        "digest",
        "verdict",
        "virtual_time_ns",
        "events",
        "operations",
        "latency_ns",
        "checks",
        "network",
        "leaders",
        "expectations",
    ];
    let found = keys(&run);
    let order: Vec<_> = found.iter().filter(|key| fixed.contains(key)).collect();
    assert_eq!(order, fixed.iter().collect::<Vec<_>>());
    assert_eq!((&run["scenario"], &run["seed"]), (&"quickstart".into(), &1.into()));
    assert_eq!(run["verdict"], "pass");
    let digest = run["digest"].as_str().unwrap();
    assert!(digest.len() == 16 && digest.chars().all(|c| c.is_ascii_hexdigit()), "{digest}");
    assert_eq!(keys(&run["operations"])[..4], ["invoked", "ok", "fail", "info"]);
    let of = |key: &str| run["operations"][key].as_u64().unwrap();
    assert_eq!(of("invoked"), of("ok") + of("fail") + of("info"));
    let put = &run["latency_ns"]["put"];
    assert_eq!(keys(put), ["count", "mean", "p50", "p95", "p99", "p999", "max"]);
    assert_eq!(
        keys(&run["network"]),
        ["sent", "delivered", "lost", "duplicated", "blocked", "by_kind"]
    );
    let kinds = &run["network"]["by_kind"];
    assert_eq!(keys(kinds), ["replicate", "ack"], "no other kind is sent");
    assert_eq!(keys(&kinds["ack"]), ["sent", "delivered"]);
    for (name, check) in run["checks"].as_object().unwrap() {
        let verdict = check["verdict"].as_str().unwrap();
        let verdicts = ["valid", "allowed", "violation", "unknown", "unchecked"];
        assert!(verdicts.contains(&verdict), "{name}");
    }
    for leader in run["leaders"].as_array().unwrap() {
        assert_eq!(keys(leader), ["term", "node", "from_ns", "until_ns"]);
    }
    for expectation in run["expectations"].as_array().unwrap() {
        assert_eq!(keys(expectation)[..2], ["name", "met"]);
        assert_eq!(expectation["met"], true);
    }
    assert!(run.get("verified").is_none());
    assert!(text(&output.stderr).starts_with("PASS  "), "the text goes to standard error");
}

#[test]
fn two_dots_leave_the_last_seed_out() {
    let run = |seeds: &str| {
        let (_folder, out) = out();
        document(&splitbrain(&["run", QUICKSTART, "--seeds", seeds, "--json", "--out", &out]))
    };
    let document = run("1..4");
    assert_eq!(seeds_of(&document), [1, 2, 3]);
    assert_eq!(document["summary"]["runs"], 3);
    let document = run("1..=4");
    assert_eq!(seeds_of(&document), [1, 2, 3, 4]);
    let summary = &document["summary"];
    let of = |key: &str| summary[key].as_u64().unwrap();
    assert_eq!(of("pass") + of("fail") + of("unknown"), 4);
}

#[test]
fn threads_change_nothing() {
    let run = |jobs: &str| {
        let (folder, out) = out();
        let args = ["run", QUORUM, "--seeds", "1..=40", "--json", "--jobs", jobs, "--out", &out];
        let output = splitbrain(&args);
        let said = text(&output.stderr).replace(&out, "OUT");
        (output.status.code(), text(&output.stdout), said, files(folder.path()))
    };
    let alone = run("1");
    assert_eq!(alone.0, Some(0), "{}", alone.2);
    assert!(alone == run("3"));
}

#[test]
fn one_seed_is_the_same_run_alone_and_among_many() {
    let (_folder, out) = out();
    let args = ["run", QUICKSTART, "--json", "--quiet", "--out", &out];
    let alone = document(&splitbrain(&[&args[..], &["--seed", "3"]].concat()));
    let many = document(&splitbrain(&[&args[..], &["--seeds", "2..5"]].concat()));
    assert_eq!(many["runs"][1], alone);
}

#[test]
fn several_files_make_one_document_in_their_order() {
    let (folder, out) = out();
    let args = ["run", QUORUM, QUICKSTART, "--json", "--quiet", "--out", &out];
    let output = splitbrain(&args);
    assert_eq!(output.status.code(), Some(0));
    let document = document(&output);
    assert_eq!(keys(&document), ["verdict", "scenarios"]);
    assert_eq!(document["scenarios"][0]["scenario"], "quorum-latency");
    assert_eq!(document["scenarios"][1]["scenario"], "quickstart");
    assert!(folder.path().join("out/quickstart/result.json").is_file());
}

#[test]
fn one_bad_file_among_good_ones_stops_all() {
    let (folder, out) = out();
    let output = splitbrain(&["run", QUICKSTART, "nowhere.toml", "--out", &out]);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""));
    assert!(text(&output.stderr).contains("nowhere.toml"));
    assert!(files(folder.path()).is_empty(), "nothing was run");
    let output = splitbrain(&["run", QUICKSTART, QUICKSTART, "--out", &out]);
    assert_eq!(output.status.code(), Some(2), "both would write into one folder");
}

#[test]
fn an_unmet_expectation_exits_1_and_says_what_was_found() {
    let (_folder, out) = out();
    // Nothing in the quickstart can break the rule that a term has one leader.
    let set = "expect.single-leader=violation";
    let output = splitbrain(&["run", QUICKSTART, "--set", set, "--json", "--out", &out]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let run = document(&output);
    assert_eq!(run["verdict"], "fail");
    let expectations = run["expectations"].as_array().unwrap();
    let unmet: Vec<_> = expectations.iter().filter(|one| one["met"] == false).collect();
    assert_eq!(unmet.len(), 1);
    assert!(unmet[0]["found"].is_string());
    let said = text(&output.stderr);
    assert!(said.starts_with("FAIL") && said.contains(" --set expect.single-leader=violation "));
    let args = ["run", QUICKSTART, "--set", set, "--seeds", "1..3", "--trace", "--out", &out];
    let output = splitbrain(&args);
    assert_eq!(output.status.code(), Some(1));
    for file in ["1/result.json", "2/history.jsonl", "2/trace.txt"] {
        assert!(Path::new(&out).join(file).is_file(), "{file} of a run that failed");
    }
}

#[test]
fn a_bad_setting_exits_2_and_runs_nothing() {
    let (folder, out) = out();
    let args = ["run", QUICKSTART, "--set", "network.los=1%", "--json", "--out", &out];
    let output = splitbrain(&args);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""));
    assert!(text(&output.stderr).contains("los"));
    assert!(files(folder.path()).is_empty());
}

#[test]
fn verify_finds_two_runs_to_be_one() {
    let (_folder, out) = out();
    let output = splitbrain(&["run", QUICKSTART, "--verify", "--out", &out]);
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stdout);
    assert!(said.contains("\nverified: two runs, one digest\n"), "{said}");
    let output = splitbrain(&["run", QUICKSTART, "--verify", "--json", "--quiet", "--out", &out]);
    assert_eq!(document(&output)["verified"], true);
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn quiet_prints_one_line_a_scenario() {
    let (_folder, out) = out();
    let output = splitbrain(&["run", QUICKSTART, QUORUM, "--quiet", "--out", &out]);
    let said = text(&output.stdout);
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(said.lines().all(|line| line.starts_with("PASS  ")), "{said}");
}

#[test]
fn a_closed_pipe_is_no_panic() {
    for args in [&["run", QUORUM, "--json"][..], &["run", QUORUM], &["schema"], &["list"]] {
        let (_folder, out) = out();
        let rest = if args[0] == "run" { vec!["--out", out.as_str()] } else { Vec::new() };
        let mut child = command_in(&home(""), &[args, &rest].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{args:?}: {said}");
        assert!(!said.contains("panicked") && !said.contains("error: "), "{args:?}: {said}");
    }
}

#[test]
fn no_color_is_obeyed() {
    let (_folder, out) = out();
    let mut command = command_in(&home(""), &["run", QUICKSTART, "nowhere.toml", "--out", &out]);
    let output = command.env("NO_COLOR", "1").output().unwrap();
    assert!(!text(&output.stderr).contains('\x1b'));
}

#[test]
fn list_shows_every_scenario_in_order() {
    let output = splitbrain(&["list"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(said.contains("quickstart\n    ") && said.contains("    expects "), "{said}");
    let document = document(&splitbrain(&["list", "--json"]));
    let scenarios = document["scenarios"].as_array().unwrap();
    let files: Vec<_> = scenarios.iter().map(|one| one["file"].as_str().unwrap()).collect();
    assert!(files.is_sorted() && files.contains(&QUICKSTART), "{files:?}");
    for scenario in scenarios {
        assert_eq!(keys(scenario), ["file", "scenario", "title", "expect", "error"]);
        assert!(scenario["title"].is_string() && scenario["error"].is_null());
    }
}
