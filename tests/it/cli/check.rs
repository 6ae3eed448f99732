//! `check`: files and folders, tables and documents, and how it ends.

use std::fs;

use serde_json::json;

use crate::support::cli::{splitbrain_in, text};
use crate::support::scenario::home;

const VALID: &str =
    "[0 :invoke :write 1]\n[0 :ok :write 1]\n[1 :invoke :read nil]\n[1 :ok :read 1]\n";
const INVALID: &str = "{:process 0, :type :invoke, :f :write, :value 1, :time 10}
{:process 0, :type :ok, :f :write, :value 1, :time 20}
{:process 1, :type :invoke, :f :read, :time 30}
{:process 1, :type :ok, :f :read, :value 2, :time 1000000040}
";

/// A folder with histories, and the exit status and outputs of a command in it.
struct Place(tempfile::TempDir);

impl Place {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        Self(folder)
    }

    fn check(&self, args: &[&str]) -> (i32, String, String) {
        let args = [&["check"], args].concat();
        let output = splitbrain_in(self.0.path(), &args);
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    }
}

#[test]
fn a_table_says_what_each_history_is_and_a_witness_why_it_is_not() {
    let place = Place::new(&[("a.edn", VALID), ("b.edn", INVALID)]);
    let (code, out, err) = place.check(&["a.edn"]);
    let table = "history  format  model         operations  verdict\n\
                 a.edn    edn     cas-register           2  valid\n";
    assert_eq!((code, out.as_str(), err.as_str()), (0, table, ""));
    let (code, out, err) = place.check(&["a.edn", "b.edn"]);
    assert_eq!((code, err.as_str()), (1, ""));
    let expected = "\
b.edn: not linearizable
  Process 1's read of 2 shows what no operation had left there.
    process 1  read 2  line 3 at 0.000000030 s to line 4 at 1.000000040 s

history  format  model         operations  verdict
a.edn    edn     cas-register           2  valid
b.edn    edn     cas-register           2  invalid
";
    assert_eq!(out, expected);
    let (code, out, _) = place.check(&["a.edn", "--order", "--model", "register"]);
    let expected = "\
a.edn: an order in which it may have happened
    process 0  write 1  line 1 to line 2
    process 1  read 1   line 3 to line 4

history  format  model     operations  verdict
a.edn    edn     register           2  valid
";
    assert_eq!((code, out.as_str()), (0, expected));
}

#[test]
fn a_document_has_an_object_for_each_history() {
    let place = Place::new(&[("a.edn", VALID), ("b.edn", INVALID)]);
    let (code, out, _) = place.check(&["b.edn", "a.edn", "--json", "--order"]);
    let mut document: serde_json::Value = serde_json::from_str(&out).unwrap();
    for history in document.as_array_mut().unwrap() {
        let took = history.as_object_mut().unwrap().remove("check_us");
        assert!(took.unwrap().is_u64());
    }
    let read = json!({
        "process": "process 1", "call": "read 2", "lines": [3, 4], "times_ns": [30, 1_000_000_040],
    });
    let order = json!([
        {"process": "process 0", "call": "write 1", "lines": [1, 2], "times_ns": [null, null]},
        {"process": "process 1", "call": "read 1", "lines": [3, 4], "times_ns": [null, null]},
    ]);
    let why = "process 1's read of 2 shows what no operation had left there";
    let expected = json!([
        {
            "file": "b.edn", "model": "cas-register", "format": "edn", "verdict": "invalid",
            "operations": 2, "order": null,
            "witness": {"why": why, "first": read, "operations": [read]},
        },
        {
            "file": "a.edn", "model": "cas-register", "format": "edn", "verdict": "valid",
            "operations": 2, "order": order,
        },
    ]);
    assert_eq!((code, document), (1, expected));
}

#[test]
fn a_bad_history_does_not_keep_the_others_from_being_checked() {
    let cut = &VALID[..30];
    let place = Place::new(&[("a.edn", VALID), ("cut.edn", cut), ("b.edn", INVALID)]);
    let (code, out, err) = place.check(&["missing", "cut.edn", "a.edn", "b.edn", "--json"]);
    assert_eq!(code, 2);
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(document.as_array().unwrap().len(), 2);
    assert!(err.contains("cannot read missing") && err.contains("--> cut.edn:2:1"), "{err}");
    let (code, out, _) = place.check(&["cut.edn"]);
    assert_eq!((code, out.as_str()), (2, ""));
}

#[test]
fn folders_are_searched_for_what_begins_like_a_history() {
    let place = Place::new(&[
        ("store/b/history.edn", VALID),
        ("store/b/results.edn", "{:valid? true}"),
        ("store/b/empty.txt", ""),
        ("store/a.log", "INFO  jepsen.util - 0\t:invoke\t:read\tnil\n"),
        ("store/notes.md", VALID),
        ("empty/notes.md", VALID),
    ]);
    let (code, out, err) = place.check(&["store"]);
    let files: Vec<&str> =
        out.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    let path = |name: &str| name.replace('/', std::path::MAIN_SEPARATOR_STR);
    assert_eq!(files, [path("store/a.log"), path("store/b/history.edn")], "{out}");
    assert_eq!((code, err.as_str()), (0, ""));
    let (code, out, err) = place.check(&["empty"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("no histories in empty"), "{err}");
}

#[test]
fn a_search_without_steps_knows_nothing() {
    // Equal values, so that only a search can tell.
    let text = "[0 :invoke :write 1] [1 :invoke :write 1] [0 :ok :write 1] [1 :ok :write 1]
                [0 :invoke :cas [1 2]] [1 :invoke :read nil] [0 :ok :cas [1 2]] [1 :ok :read 1]";
    let place = Place::new(&[("a.edn", text), ("b.edn", INVALID)]);
    let (code, out, _) = place.check(&["a.edn", "--budget", "0"]);
    assert_eq!(code, 3, "{out}");
    assert!(out.ends_with("unknown\n"), "{out}");
    let (code, ..) = place.check(&["a.edn", "b.edn", "--budget", "0"]);
    assert_eq!(code, 1);
}

#[test]
fn what_a_run_writes_can_be_checked() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = home("scenarios/quickstart.toml");
    let run = |out: &str, sets: &[&str]| {
        let mut args = vec!["run", scenario.to_str().unwrap(), "--quiet", "--out", out];
        args.extend(sets.iter().flat_map(|set| ["--set", set]));
        splitbrain_in(folder.path(), &args);
    };
    run("stale", &[]);
    run("leader", &["workload.read-from=leader"]);
    let output = splitbrain_in(folder.path(), &["check", "leader", "stale"]);
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{out}");
    let verdicts: Vec<&str> =
        out.lines().rev().take(2).filter_map(|line| line.split_whitespace().last()).collect();
    assert_eq!(verdicts, ["invalid", "valid"], "{out}");
}

#[test]
fn settings_are_names_or_refused() {
    let place = Place::new(&[("a.edn", VALID)]);
    for args in [
        &["a.edn", "--model", "queue"][..],
        &["a.edn", "--format", "xml"],
        &["a.edn", "--nil", "no"],
        &["a.edn", "--budget", "-1"],
        &[],
        &["a.edn", "--init", "["],
        &["a.edn", "--format", "jsonl"],
    ] {
        let (code, out, err) = place.check(args);
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}: {err}");
        assert!(err.starts_with("error: "), "{args:?}: {err}");
    }
}
