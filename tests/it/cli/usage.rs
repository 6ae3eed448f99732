//! The command line where no scenario runs: help, mistakes, folders, completions.

use std::fs;

use crate::support::cli::{splitbrain_in, text};

/// The exit status, standard output and standard error.
fn ran(args: &[&str]) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let output = splitbrain_in(folder.path(), args);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{args:?} left a file");
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn mistakes_of_usage_exit_2_with_nothing_on_standard_output() {
    let lines: [&[&str]; 12] = [
        &[],
        &["run"],
        &["walk"],
        &["run", "x.toml", "--sed", "1"],
        &["run", "x.toml", "--seed", "-1"],
        &["run", "x.toml", "--seed", "1", "--seeds", "1..2"],
        &["run", "x.toml", "--seeds", "4..4"],
        &["run", "x.toml", "--seeds", "4..1"],
        &["run", "x.toml", "--seeds", "1-4"],
        &["run", "x.toml", "--seeds", "one..two"],
        &["run", "x.toml", "--jobs", "0"],
        &["completions", "cobol"],
    ];
    for args in lines {
        let (code, out, err) = ran(args);
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}: {err}");
        assert!(!err.is_empty() && !err.contains("panicked"), "{args:?}: {err}");
    }
}

#[test]
fn a_bad_range_of_seeds_says_how_to_write_one() {
    let (_, _, err) = ran(&["run", "x.toml", "--seeds", "1-4"]);
    assert!(err.contains("A..B") && err.contains("A..=B"), "{err}");
    let (_, _, err) = ran(&["run", "x.toml", "--seeds", "4..4"]);
    assert!(err.contains("no seed"), "{err}");
}

#[test]
fn help_and_version_are_answers() {
    for args in [&["--help"][..], &["--version"], &["run", "--help"], &["help", "list"]] {
        let (code, out, err) = ran(args);
        assert_eq!((code, err.as_str()), (0, ""), "{args:?}");
        assert!(!out.is_empty());
    }
    let (_, help, _) = ran(&["--help"]);
    for command in ["run", "list", "schema", "completions", "Exit status"] {
        assert!(help.contains(command), "{help}");
    }
}

#[test]
fn files_that_cannot_be_read_are_all_named() {
    let (code, out, err) = ran(&["run", "missing.toml", "lost.toml"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("missing.toml") && err.contains("lost.toml"), "{err}");
    let (code, out, err) = ran(&["run", ".", "--json"]);
    assert_eq!((code, out.as_str()), (2, ""), "no document for a command that ran nothing");
    assert!(!err.contains("panicked"), "{err}");
}

#[test]
fn completions_are_scripts_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, out, _) = ran(&["completions", shell]);
        assert_eq!(code, 0, "{shell}");
        assert!(out.contains("splitbrain") && out.contains("seeds"), "{shell}");
    }
}

#[test]
fn the_schema_is_one_json_document() {
    let (code, out, err) = ran(&["schema"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(serde_json::from_str::<serde_json::Value>(&out).unwrap().is_object());
}

#[test]
fn list_shows_what_does_not_load_and_exits_2() {
    let folder = tempfile::tempdir().unwrap();
    let systems = folder.path().join("scenarios/systems");
    fs::create_dir_all(&systems).unwrap();
    fs::write(systems.join("broken.toml"), "title = \n").unwrap();
    fs::write(systems.join("notes.txt"), "no scenario").unwrap();
    let output = splitbrain_in(folder.path(), &["list"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stdout), "systems/broken\n    does not load\n");
    assert!(text(&output.stderr).contains("broken.toml"));
    let output = splitbrain_in(folder.path(), &["list", "scenarios", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let scenarios = document["scenarios"].as_array().unwrap();
    assert_eq!(scenarios.len(), 1);
    assert_eq!(scenarios[0]["scenario"], "systems/broken");
    assert_eq!(scenarios[0]["title"], serde_json::Value::Null);
    assert!(scenarios[0]["error"].is_string());
}

#[test]
fn list_of_no_folder_exits_2_and_of_an_empty_one_0() {
    let (code, out, err) = ran(&["list"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("scenarios"), "{err}");
    let (code, out, err) = ran(&["list", "."]);
    assert_eq!((code, out.as_str()), (0, ""));
    assert!(err.contains("no scenario files"), "{err}");
}
