//! Campaigns give the same answer on any number of cores and in any number of parts, lose nothing
//! when interrupted, and report whatever a protocol does as a find.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use std::{fs, thread};

use serde_json::Value;
use splitbrain::cli::Exit;
use splitbrain::fuzz::campaign::{self, Length, StoppingRule};
use splitbrain::fuzz::cases::{CASES, Cases, CasesError};
use splitbrain::fuzz::coverage::Sometimes;
use splitbrain::fuzz::identity::{Identity, Shard};
use splitbrain::fuzz::merge::Parts;
use splitbrain::fuzz::target::FuzzTarget;
use splitbrain::metrics::NodeState;
use splitbrain::named::Named;
use splitbrain::rng::Probability;
use splitbrain::scenario::Registry;
use tempfile::TempDir;

use super::faulty::Faulty;
use crate::support::cli::{Done, call, command_in, files};
use crate::support::scenario::home;

const ASYNC: &str = include_str!("async.toml");
const FAULTY: &str =
    "[cluster]\nnodes = 2\n[protocol.faulty]\ndefect = 'none'\n[workload]\noperations = 20\n";

fn splitbrain(args: &[&str]) -> Done {
    call(&registry(), "splitbrain", args)
}

fn registry() -> Registry {
    Registry::new().with::<Faulty>()
}

/// A folder that goes away, with scenario files in it.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        fs::write(home.path().join("async.toml"), ASYNC).expect("a file in it");
        fs::write(home.path().join("faulty.toml"), FAULTY).expect("a file in it");
        Self(home)
    }

    fn path(&self, below: &str) -> String {
        self.0.path().join(below).to_str().expect("UTF-8").to_owned()
    }

    /// `fuzz` on a file here with `--out` below here.
    fn fuzz(&self, file: &str, out: &str, more: &[&str]) -> Done {
        let (file, out) = (self.path(file), self.path(out));
        splitbrain(&[&["fuzz", &file, "--out", &out], more].concat())
    }

    /// The line about a violation's first case in `cases.jsonl`, which begins with a head.
    fn line_of(&self, out: &str, violation: &Value) -> String {
        let case = violation["case"].as_u64().expect("a case");
        let cases = fs::read_to_string(self.path(out) + "/cases.jsonl").expect("there");
        cases.lines().nth(case as usize + 1).expect("a line").to_owned()
    }

    /// The files directly in a folder.
    fn files(&self, below: &str) -> BTreeMap<String, Vec<u8>> {
        files(&self.0.path().join(below))
    }
}

fn same(a: &BTreeMap<String, Vec<u8>>, b: &BTreeMap<String, Vec<u8>>, what: &str) {
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>(), "{what}");
    for (name, bytes) in a {
        assert!(*bytes == b[name], "{what}: {name} differs");
    }
}

/// Plays a part without the command line, and shrinks nothing.
fn play_part(target: &FuzzTarget, folder: &Path, runs: u64, shard: Shard) {
    let identity = Identity::new(target, "async", 7, Probability::ZERO);
    let cases = Cases::open(folder, identity, shard).expect("opens");
    let rule = StoppingRule { length: Length::Runs(runs), stop_after: None };
    let played = campaign::play_missing(target, rule, &cases, &|_| ()).expect("played");
    let totals = cases.finish(played).expect("written");
    assert_eq!((played, totals.cases), (runs, shard.share(runs)));
    cases.close().expect("closed");
}

fn target() -> FuzzTarget {
    let target = FuzzTarget::new("async.toml", ASYNC.as_bytes().to_vec(), &registry(), &[]);
    target.unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

#[test]
fn any_number_of_shards_makes_the_same_campaign() {
    let (home, target) = (tempfile::tempdir().expect("a folder"), target());
    let runs = 33;
    let whole = home.path().join("whole");
    play_part(&target, &whole, runs, Shard::WHOLE);
    let cases = fs::read_to_string(whole.join(CASES)).expect("there");
    assert_eq!(cases.lines().count(), 34);
    assert!(cases.contains("durability"), "a campaign that finds nothing shows little");
    for count in [1, 2, 7, 20, 40] {
        let parts = home.path().join(format!("in-{count}"));
        for index in 1..=count {
            let shard = Shard::new(index, count).expect("a shard");
            play_part(&target, &parts.join(format!("any-name-{index}")), runs, shard);
        }
        let found = Parts::find(&parts).expect("all there");
        let totals = found.merge(&parts).expect("merged");
        assert_eq!(totals.cases, runs);
        let merged = fs::read_to_string(parts.join(CASES)).expect("there");
        assert!(merged == cases, "{count} shards");
    }
}

#[test]
fn the_command_writes_the_same_folder_on_any_number_of_cores_and_from_shards() {
    let home = Home::new();
    let one = home.fuzz("async.toml", "one", &["--runs", "40", "--jobs", "1"]);
    assert_eq!(one.exit, Exit::Violation, "{one:?}");
    let whole = home.files("one");
    let names: Vec<_> = whole.keys().collect();
    assert!(whole.contains_key(CASES) && names.len() >= 3, "{names:?}");
    for jobs in ["2", "5"] {
        home.fuzz("async.toml", jobs, &["--runs", "40", "--jobs", jobs]);
        same(&home.files(jobs), &whole, jobs);
    }
    for shard in ["1/2", "2/2"] {
        let out = format!("parts/{}", shard.replace('/', "-of-"));
        home.fuzz("async.toml", &out, &["--runs", "40", "--shard", shard]);
    }
    let merged = splitbrain(&["merge", &home.path("parts"), "--json"]);
    assert_eq!(merged.exit, Exit::Violation, "{merged:?}");
    assert!(merged.err.starts_with("merged 2 shards\n"), "{merged:?}");
    same(&home.files("parts"), &whole, "merged");
    let document = merged.json();
    assert_eq!((&document["runs"], &document["cases"]), (&40.into(), &40.into()));
    // Every small scenario reproduces its find.
    for violation in document["violations"].as_array().expect("a list") {
        let file = violation["scenario"].as_str().expect("shrunk");
        let out = home.path("again");
        let again = splitbrain(&["run", file, "--json", "--quiet", "--out", &out]).json();
        assert_eq!(again["digest"], violation["digest"], "{file}");
        let check = violation["check"].as_str().expect("a name");
        assert_eq!(again["checks"][check]["verdict"], violation["verdict"], "{file}");
    }
}

#[test]
fn a_find_is_told_with_the_command_that_shows_it() {
    let home = Home::new();
    let done = home.fuzz("async.toml", "out", &["--runs", "40"]);
    let mut lines = done.out.lines();
    let (first, second) = (lines.next().expect("a line"), lines.next().expect("a second"));
    assert!(first.starts_with("violation in run "), "{first}");
    assert!(first.contains(" (durability, ") && first.contains("): shrunk from "), "{first}");
    assert!(second.starts_with(&format!("  splitbrain run {}/00", home.path("out"))), "{second}");
    assert!(done.out.contains("\nIn how many of 40 runs it happened that\n\n"), "{}", done.out);
    let words = done.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("It never happened that a write was acknowledged degraded"), "{words}");
    let json = home.fuzz("async.toml", "out", &["--runs", "40", "--json", "--quiet"]);
    assert_eq!((json.err.as_str(), json.exit), ("", Exit::Violation));
    let document = json.json();
    assert!(document["seconds"].is_number());
    let acknowledged = document["sometimes"]["write-acknowledged"].as_u64().expect("a count");
    assert!((30..=40).contains(&acknowledged), "{acknowledged}");
    let line = format!("  {acknowledged}  a write was acknowledged\n");
    assert!(done.out.contains(&line), "{line}{}", done.out);
    let violation = document["violations"][0].as_object().expect("an object");
    for key in ["case", "check", "mechanism", "faults", "operations", "scenario", "digest"] {
        assert!(!violation[key].is_null(), "{key}: {violation:?}");
    }
    let written = fs::read_to_string(home.path("out/campaign.json")).expect("there");
    assert!(!written.contains(&home.path("")) && !written.contains("seconds\": 0."), "{written}");
}

#[test]
fn stopping_early_is_a_campaign_of_fewer_cases_whatever_the_cores() {
    let home = Home::new();
    for stop in ["first", "2"] {
        let mut runs = None;
        for jobs in ["1", "4"] {
            let out = format!("{stop}-{jobs}");
            let args = ["--runs", "400", "--json", "--stop-after", stop, "--jobs", jobs];
            let document = home.fuzz("async.toml", &out, &args).json();
            let violations = document["violations"].as_array().expect("a list");
            let wanted = if stop == "first" { 1 } else { 2 };
            assert!(violations.len() >= wanted, "{violations:?}");
            let last = violations.iter().map(|found| found["case"].as_u64()).max().flatten();
            assert_eq!(document["runs"].as_u64(), last.map(|last| last + 1), "the last deciding");
            assert!(runs.is_none_or(|runs| runs == last), "{stop}");
            runs = Some(last);
        }
        let runs = (runs.flatten().expect("a case") + 1).to_string();
        home.fuzz("async.toml", stop, &["--runs", &runs]);
        for jobs in ["1", "4"] {
            same(&home.files(&format!("{stop}-{jobs}")), &home.files(stop), stop);
        }
    }
}

#[test]
fn a_length_of_time_is_as_many_cases_as_there_was_time_for() {
    let home = Home::new();
    let document = home.fuzz("async.toml", "time", &["--for", "100ms", "--json"]).json();
    let runs = document["runs"].as_u64().expect("a number");
    assert!(runs > 0 && document["cases"] == runs);
    home.fuzz("async.toml", "runs", &["--runs", &runs.to_string()]);
    same(&home.files("time"), &home.files("runs"), "time");
    let on = home.fuzz("async.toml", "time", &["--for", "50ms", "--json"]);
    assert!(on.err.contains("going on: "), "{}", on.err);
    assert!(on.json()["runs"].as_u64().expect("a number") > runs);
}

#[test]
fn more_runs_go_on_from_where_a_campaign_ended() {
    let home = Home::new();
    home.fuzz("async.toml", "forty", &["--runs", "40"]);
    home.fuzz("async.toml", "ninety", &["--runs", "90"]);
    home.fuzz("async.toml", "grown", &["--runs", "40"]);
    let grown = home.fuzz("async.toml", "grown", &["--runs", "90"]);
    assert!(grown.err.contains("going on: 40 of 90 runs were played before\n"), "{grown:?}");
    same(&home.files("grown"), &home.files("ninety"), "grown");
    let again = home.fuzz("async.toml", "grown", &["--runs", "90"]);
    assert!(again.err.contains("all 90 runs were played before\n"), "{again:?}");
    same(&home.files("grown"), &home.files("ninety"), "again");
    home.fuzz("async.toml", "grown", &["--runs", "40"]);
    same(&home.files("grown"), &home.files("forty"), "cut");
    let other = home.fuzz("async.toml", "grown", &["--runs", "40", "--seed", "2"]);
    assert_eq!(other.err, "", "another campaign begins anew");
    home.fuzz("async.toml", "other", &["--runs", "40", "--seed", "2"]);
    same(&home.files("grown"), &home.files("other"), "nothing of the first is left");
}

/// A protocol is fixed and the command is given again: the old finds must go.
#[test]
fn what_another_program_played_is_played_anew() {
    let home = Home::new();
    home.fuzz("async.toml", "out", &["--runs", "40"]);
    let clean = home.files("out");
    let cases = home.path("out/cases.jsonl");
    let text = fs::read_to_string(&cases).expect("there");
    let first = text.lines().nth(1).expect("a case");
    let digest = first.split("\"digest\":\"").nth(1).expect("a digest").get(..16).expect("hex");
    fs::write(&cases, text.replacen(digest, "0123456789abcdef", 1)).expect("written");
    let again = home.fuzz("async.toml", "out", &["--runs", "40"]);
    assert!(again.err.contains("does not come out again"), "{}", again.err);
    same(&home.files("out"), &clean, "again");
}

#[test]
fn a_campaign_has_one_process_and_a_shard_a_folder_of_its_own() {
    let (home, target) = (tempfile::tempdir().expect("a folder"), target());
    let identity = || Identity::new(&target, "async", 7, Probability::ZERO);
    let first = Cases::open(home.path(), identity(), Shard::WHOLE).expect("opens");
    let second = Cases::open(home.path(), identity(), Shard::WHOLE);
    assert!(matches!(second, Err(CasesError::InUse(_))), "{second:?}");
    drop(first);
    let part = |index| Shard::new(index, 2).expect("a shard");
    play_part(&target, home.path(), 4, part(1));
    let other = Cases::open(home.path(), identity(), part(2)).expect_err("refused");
    assert!(other.to_string().contains("holds shard 1 of 2 of this campaign"), "{other}");
}

/// A campaign killed ten times ends with the bytes of one that was not killed.
#[test]
fn a_killed_campaign_goes_on_and_ends_the_same() {
    let home = Home::new();
    let runs = "4000";
    let start = || {
        let (file, out) = (home.path("async.toml"), home.path("killed"));
        let args = ["fuzz", &file, "--out", &out, "--runs", runs, "--jobs", "2"];
        let mut command = command_in(home.0.path(), &args);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
    };
    let kept = || {
        let files = home.files("killed").into_iter();
        let unfinished = files.filter(|(name, _)| name.starts_with("unfinished"));
        unfinished.map(|(_, bytes)| bytes.len()).sum::<usize>()
    };
    for kill in 0..10_u64 {
        let before = kept();
        let mut child = start();
        for _ in 0..5_000 {
            if kept() > before || child.try_wait().expect("known").is_some() {
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(kill * 37 % 11));
        child.kill().expect("killed");
        let status = child.wait().expect("gone");
        assert_eq!(status.code(), None, "it was done before kill {kill}");
    }
    let last = home.fuzz("async.toml", "killed", &["--runs", runs]);
    assert!(last.err.contains("going on: "), "{}", last.err);
    home.fuzz("async.toml", "whole", &["--runs", runs]);
    same(&home.files("killed"), &home.files("whole"), "killed");
}

/// Spoils a campaign of the parts `a` and `b` in this folder.
type Spoil<'a> = Box<dyn Fn(&Path) + 'a>;

/// Replaces a text in the cases of `b`.
fn edit(from: &'static str, to: &'static str) -> Spoil<'static> {
    Box::new(move |home| {
        let path = home.join("b").join(CASES);
        let text = fs::read_to_string(&path).expect("there");
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replacen(from, to, 1)).expect("written");
    })
}

/// Changes the lines of the cases of `b`.
fn line(home: &Path, change: &dyn Fn(&mut Vec<&str>)) {
    let path = home.join("b").join(CASES);
    let text = fs::read_to_string(&path).expect("there");
    let mut lines: Vec<&str> = text.lines().collect();
    change(&mut lines);
    fs::write(path, lines.join("\n") + "\n").expect("written");
}

/// The line of a case that no shard of a small campaign has.
const SURPLUS: &str = concat!(
    r#"{"case":9,"digest":null,"events":0,"virtual_ns":0,"#,
    r#""covered":{"strikes":[],"sometimes":0}}"#,
);

#[test]
fn parts_that_are_not_the_whole_are_refused_by_name() {
    let target = target();
    let other = ["workload.clients=3".to_owned()];
    let other = FuzzTarget::new("async.toml", ASYNC.as_bytes().to_vec(), &registry(), &other);
    let other = other.expect("good");
    let part = |index| Shard::new(index, 2).expect("a shard");
    let replay = |target, runs, shard| -> Spoil<'_> {
        Box::new(move |home: &Path| {
            fs::remove_dir_all(home.join("b")).expect("removed");
            play_part(target, &home.join("b"), runs, shard);
        })
    };
    let cases: Vec<(Spoil<'_>, &[&str])> = vec![
        (
            Box::new(|home| fs::remove_dir_all(home.join("b")).expect("removed")),
            &["shard 2 of 2 not there"],
        ),
        (replay(&target, 8, part(1)), &["a/cases.jsonl", "b/cases.jsonl", "are both shard 1"]),
        (replay(&other, 8, part(2)), &["of two campaigns: they differ in --set"]),
        (replay(&target, 9, part(2)), &["campaigns of 8 and 9 runs"]),
        (replay(&target, 8, Shard::new(3, 3).expect("one")), &["in 2 and 3 shards"]),
        (
            Box::new(|home| fs::write(home.join("b/unfinished-0.jsonl"), "").expect("written")),
            &["b/unfinished-0.jsonl is of a campaign that is not done"],
        ),
        (edit("\"version\":\"", "\"version\":\"9."), &["was written by version 9."]),
        (edit("\"seed\":7", "\"seed\":8"), &["b/cases.jsonl was changed"]),
        (edit("\"index\":2", "\"index\":3"), &["there is no shard 3 of 2"]),
        (edit("{\"campaign\"", "{\"campain\""), &["does not say what campaign"]),
        (edit("\"case\":3", "\"case\":5"), &["line 3 has case 5 where case 3 belongs"]),
        (edit("{\"case\":3", "{\"kase\":3"), &["line 3 is no case"]),
        (
            Box::new(|home| line(home, &|lines| _ = lines.remove(2))),
            &["line 3 has case 5 where case 3 belongs"],
        ),
        (
            Box::new(|home| line(home, &|lines| lines.insert(2, lines[2]))),
            &["line 4 has case 3 where case 5 belongs"],
        ),
        (Box::new(|home| line(home, &|lines| _ = lines.pop())), &["it has 3 cases of 4"]),
        (
            Box::new(|home| {
                line(home, &|lines| lines.push(SURPLUS));
            }),
            &["line 6 has case 9, which is one too many"],
        ),
        (
            Box::new(|home| {
                let path = home.join("b").join(CASES);
                let text = fs::read(&path).expect("there");
                fs::write(path, &text[..text.len() - 9]).expect("written");
            }),
            &["it is cut off after line 4"],
        ),
        (
            Box::new(|home| {
                for part in ["a", "b"] {
                    fs::remove_dir_all(home.join(part)).expect("removed");
                }
            }),
            &["no folder in ", " has a cases.jsonl"],
        ),
    ];
    for (number, (spoil, expected)) in cases.iter().enumerate() {
        let home = tempfile::tempdir().expect("a folder");
        play_part(&target, &home.path().join("a"), 8, part(1));
        play_part(&target, &home.path().join("b"), 8, part(2));
        spoil(home.path());
        let done = splitbrain(&["merge", home.path().to_str().expect("UTF-8")]);
        assert_eq!((done.exit, done.out.as_str()), (Exit::Usage, ""), "{number}: {}", done.err);
        assert!(done.err.starts_with("error: "), "{}", done.err);
        for part in *expected {
            assert!(done.err.contains(part), "{number} does not say `{part}`: {}", done.err);
        }
        assert!(!home.path().join(CASES).exists(), "{number}: nothing is written");
    }
}

#[test]
fn mistakes_of_usage_are_said_and_nothing_runs() {
    let home = Home::new();
    let file = home.path("async.toml");
    let (nowhere, folder) = (home.path("nowhere"), home.path(""));
    let cases: [(&[&str], &str); 13] = [
        (&["fuzz"], "FILE"),
        (&["fuzz", &nowhere], "there is no such file"),
        (&["fuzz", &folder], "it is a folder"),
        (&["fuzz", &file, "--runs", "0"], "0 is not in 1..=1000000000"),
        (&["fuzz", &file, "--for", "60"], "the unit is missing"),
        (&["fuzz", &file, "--for", "0s"], "no time at all"),
        (&["fuzz", &file, "--for", "1s", "--runs", "5"], "cannot be used with"),
        (&["fuzz", &file, "--for", "1s", "--shard", "1/2"], "cannot be used with"),
        (&["fuzz", &file, "--stop-after", "first", "--shard", "1/2"], "cannot be used with"),
        (&["fuzz", &file, "--shard", "3/2"], "write I/N with I from 1 to N"),
        (&["fuzz", &file, "--stop-after", "second"], "write first, never, or a number"),
        (&["fuzz", &file, "--verify", "200%"], "write a share from 0% to 100%"),
        (&["merge", &nowhere], "cannot use "),
    ];
    for (args, expected) in cases {
        let done = splitbrain(args);
        assert_eq!((done.exit, done.out.as_str()), (Exit::Usage, ""), "{args:?}: {}", done.err);
        assert!(done.err.contains(expected), "{args:?} does not say `{expected}`: {}", done.err);
    }
    let done = home.fuzz("async.toml", "out", &["--set", "network.los=1%"]);
    assert_eq!(done.exit, Exit::Usage);
    assert!(done.err.contains("did you mean `loss`"), "{}", done.err);
    assert!(!fs::exists(home.path("out")).expect("known"));
}

#[test]
fn a_protocol_that_is_not_the_same_twice_is_found() {
    let home = Home::new();
    let set = ["--set", "protocol.faulty.defect=counts-over-runs", "--runs", "20", "--json"];
    let all = home.fuzz("faulty.toml", "all", &[&set[..], &["--verify", "100%"]].concat());
    assert_eq!(all.exit, Exit::Violation, "{all:?}");
    let document = all.json();
    let violation = &document["violations"][0];
    assert_eq!(violation["check"], "determinism");
    let line = home.line_of("all", violation);
    assert!(line.contains("first in event ") && line.contains("in the one, `"), "{line}");
    let none = home.fuzz("faulty.toml", "none", &[&set[..], &["--verify", "0%"]].concat());
    assert_eq!(none.exit, Exit::Pass, "nobody looks: {none:?}");
}

#[test]
fn one_case_in_twenty_is_verified_unless_asked_otherwise() {
    let target = target();
    let share = |ppb: u32| {
        let share = Probability::from_parts_per_billion(ppb).expect("a share");
        let identity = Identity::new(&target, "async", 7, share);
        (0..10_000).filter(|case| identity.verifies(*case)).count()
    };
    assert_eq!((share(0), share(1_000_000_000)), (0, 10_000));
    assert!((400..600).contains(&share(50_000_000)), "{}", share(50_000_000));
}

#[test]
fn a_protocol_that_panics_is_a_find_and_no_end() {
    let home = Home::new();
    let set = ["--set", "protocol.faulty.defect=panics-by-chance", "--runs", "60", "--json"];
    let done = home.fuzz("faulty.toml", "out", &set);
    assert_eq!(done.exit, Exit::Violation, "{done:?}");
    let document = done.json();
    assert_eq!(document["runs"], 60);
    let violation = &document["violations"][0];
    assert_eq!(
        (&violation["check"], &violation["verdict"]),
        (&"panic".into(), &"violation".into())
    );
    let count = violation["count"].as_u64().expect("a count");
    assert!((1..60).contains(&count), "{count}");
    let line = home.line_of("out", violation);
    assert!(line.contains("a number that must not come up"), "{line}");
    assert!(line.contains("\"digest\":null"), "{line}");
}

#[test]
fn a_campaign_that_finds_nothing_passes() {
    let home = Home::new();
    let done = home.fuzz("faulty.toml", "out", &["--runs", "20"]);
    assert_eq!((done.exit, done.err.as_str()), (Exit::Pass, ""), "{done:?}");
    assert!(done.out.starts_with("no violation in 20 runs\n"), "{}", done.out);
    let names: Vec<String> = home.files("out").into_keys().collect();
    assert_eq!(names, ["campaign.json", CASES]);
}

#[test]
fn a_campaign_of_which_nobody_knows_says_so() {
    let home = Home::new();
    // No random faults: a random crash may come first, and its end restarts nodes.
    let all_gone =
        "\n[fuzz]\nfaults = 0\n[[fault]]\nat = \"100ms\"\ncrash = \"all\"\nforever = true\n";
    fs::write(home.path("gone.toml"), FAULTY.to_owned() + all_gone).expect("written");
    let done = home.fuzz("gone.toml", "out", &["--runs", "20"]);
    assert_eq!(done.exit, Exit::Unknown, "{done:?}");
    assert!(done.out.contains("of 20 runs a checker could not tell\n"), "{}", done.out);
}

#[test]
fn the_page_names_every_option_and_everything_that_is_counted() {
    let page = fs::read_to_string(home("README.md"));
    let page = page.expect("README.md is there");
    let section = page.split("\n### Fuzzing: ").nth(1).expect("a section");
    let section = section.split("\n### ").next().expect("its text");
    for help in [splitbrain(&["fuzz", "--help"]), splitbrain(&["merge", "--help"])] {
        let words = help.out.split_whitespace().filter(|word| word.starts_with("--"));
        let options: Vec<&str> = words.map(|word| word.trim_matches(['.', ',', ')'])).collect();
        assert!(options.len() > 3, "{options:?}");
        for option in options.into_iter().filter(|option| !["--help", "--set"].contains(option)) {
            assert!(section.contains(&format!("`{option}")), "the page lacks {option}");
        }
    }
    for what in Sometimes::all() {
        assert!(section.contains(&format!("`{}`", what.name())), "the page lacks {}", what.name());
    }
    for state in NodeState::all() {
        assert!(
            section.contains(&format!("`{}`", state.name())),
            "the page lacks {}",
            state.name()
        );
    }
}

#[test]
fn every_case_is_in_one_shard() {
    for (runs, count) in [(0, 1), (1, 1), (7, 20), (20, 7), (21, 7)] {
        let shards: Vec<Shard> = (1..=count).filter_map(|index| Shard::new(index, count)).collect();
        assert_eq!(shards.len() as u64, count);
        assert_eq!(shards.iter().map(|shard| shard.share(runs)).sum::<u64>(), runs);
        for shard in shards {
            let cases: Vec<u64> = (0..shard.share(runs)).filter_map(|at| shard.case(at)).collect();
            let expected: Vec<u64> = (0..runs).filter(|case| shard.has(*case)).collect();
            assert_eq!(cases, expected, "{shard:?} of {runs}");
        }
    }
    assert_eq!(Shard::new(2, 2).and_then(|shard| shard.case(u64::MAX)), None);
}
