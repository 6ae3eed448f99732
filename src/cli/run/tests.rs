//! `run` on results made by hand: what it prints, writes and returns.

use std::cell::RefCell;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::Parser as _;
use serde_json::Value;

use super::play::Runnable;
use super::run_all;
use crate::cli::args::{Command, CommandLine, RunArgs};
use crate::cli::{Console, Exit};
use crate::config::Config;
use crate::digest::DigestValue;
use crate::explain::chronicle::Chronicle;
use crate::report::sample;
use crate::run::{RunOptions, RunResult, RunVerdict};

/// A shared buffer for what the console prints.
#[derive(Clone, Default)]
struct Printed(Rc<RefCell<Vec<u8>>>);

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Printed {
    fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }
}

/// The outcome of a command.
#[derive(PartialEq)]
struct Done {
    exit: Exit,
    out: String,
    err: String,
}

impl Done {
    fn document(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

fn args(line: &str) -> RunArgs {
    let words = ["splitbrain", "run"].into_iter().chain(line.split_whitespace());
    match CommandLine::try_parse_from(words).unwrap().command {
        Command::Run(args) => args,
        other => panic!("no run: {other:?}"),
    }
}

fn runnable<'a>(
    file: &'a str,
    config: &'a Config,
    play: impl Fn(u64, RunOptions) -> RunResult + Sync + 'a,
) -> Runnable<'a> {
    let file = Path::new(file);
    Runnable {
        file,
        name: crate::cli::names::scenario_name(file),
        config,
        play: Box::new(play),
        chronicle: Box::new(|_, _| Chronicle::default()),
    }
}

/// A run whose digest is its seed; every third seed fails, and 7 is unknown.
fn some_fail(seed: u64, options: RunOptions) -> RunResult {
    let mut result = sample::run().1;
    result.seed = seed;
    result.digest = DigestValue(seed);
    result.verdict = match seed {
        7 => RunVerdict::Unknown,
        seed if seed.is_multiple_of(3) => RunVerdict::Fail,
        _ => RunVerdict::Pass,
    };
    result.trace = options.trace.then(|| "one line\n".to_owned());
    result
}

/// Where the runs of one file leave their folders: a folder of the test's own.
struct Home {
    _dir: tempfile::TempDir,
    out: PathBuf,
}

impl Home {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { out: dir.path().join("out"), _dir: dir }
    }

    /// Runs the one file of a command line, of which [`some_fail`].
    fn run(&self, line: &str) -> Done {
        let file = line.split(' ').next().unwrap();
        self.run_all(&[runnable(file, &sample::config(), some_fail)], line)
    }

    fn run_all(&self, runnables: &[Runnable<'_>], line: &str) -> Done {
        let args = args(&format!("{line} --out {}", self.out.display()));
        let (out, err) = (Printed::default(), Printed::default());
        let mut console = Console::plain(Box::new(out.clone()), Box::new(err.clone()));
        let exit = run_all(runnables, &args, "splitbrain", &mut console)
            .unwrap_or_else(|trouble| trouble.show(&mut console));
        Done { exit, out: out.text(), err: err.text() }
    }

    /// What lies in a folder beneath.
    fn names(&self, below: &str) -> Vec<String> {
        let entries = fs::read_dir(self.out.join(below)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn one_run_is_told_and_leaves_its_folder() {
    let home = Home::new();
    let done = home.run("scenarios/quickstart.toml --set a=b --trace");
    assert_eq!(done.exit, Exit::Pass);
    assert!(done.out.starts_with("PASS  A partition, and what it costs"), "{}", done.out);
    let again = "\nReproduce     splitbrain run scenarios/quickstart.toml --set a=b --seed 1\n";
    assert!(done.out.contains(again), "{}", done.out);
    assert!(
        done.out.ends_with(&format!("\nWritten to    {}\n", home.out.display())),
        "{}",
        done.out
    );
    assert_eq!(done.err, "");
    assert_eq!(home.names(""), ["history.jsonl", "nodes.json", "result.json", "trace.txt"]);
}

#[test]
fn with_json_one_document_goes_out_and_the_text_to_error() {
    let home = Home::new();
    let line = "quickstart.toml --json --seed 3";
    let done = home.run(line);
    assert_eq!(done.exit, Exit::Violation);
    let document = done.document();
    assert_eq!((&document["seed"], &document["verdict"]), (&3.into(), &"fail".into()));
    assert!(done.err.starts_with("FAIL"));
    assert_eq!(fs::read_to_string(home.out.join("result.json")).unwrap(), done.out);
    let quiet = home.run(&format!("{line} --quiet"));
    assert_eq!((quiet.out, quiet.err.as_str()), (done.out, ""));
}

#[test]
fn quiet_is_the_verdict_alone() {
    let home = Home::new();
    let line = "quickstart.toml --quiet";
    let one = home.run(line);
    let expected = "PASS  A partition, and what it costs  seed 1  digest 0000000000000001\n";
    assert_eq!((one.out.as_str(), one.err.as_str()), (expected, ""));
    let many = home.run(&format!("{line} --seeds 1..=4"));
    assert_eq!(many.out, "FAIL  A partition, and what it costs  4 runs: 3 pass, 1 fail\n");
}

#[test]
fn many_seeds_are_told_in_order_on_any_number_of_threads() {
    let on = |jobs: u32| {
        let home = Home::new();
        let line = "quickstart.toml --seeds 1..200 --json --trace";
        let done = home.run(&format!("{line} --jobs {jobs}"));
        let err = done.err.replace(&home.out.display().to_string(), "OUT");
        (Done { err, ..done }, home.names(""))
    };
    let alone = on(1);
    assert!(alone == on(5), "threads change nothing");
    let (done, folders) = alone;
    assert_eq!(done.exit, Exit::Violation);
    let (document, text) = (done.document(), done.err);
    let seeds: Vec<_> =
        document["runs"].as_array().unwrap().iter().map(|run| run["seed"].as_u64()).collect();
    assert_eq!(seeds, (1..200).map(Some).collect::<Vec<_>>());
    assert_eq!(document["summary"]["fail"], 66);
    assert_eq!(document["summary"]["unknown"], 1);
    assert_eq!(folders.len(), 67, "a folder for every run that did not pass");
    assert!(text.contains("Written to    OUT (67 folders)"), "{text}");
    assert!(
        text.contains("Reproduce     splitbrain run quickstart.toml --seeds 1..=199"),
        "{text}"
    );
}

#[test]
fn with_seeds_a_kept_run_has_its_trace() {
    let home = Home::new();
    assert_eq!(home.run("quickstart.toml --seeds 1..4 --trace").exit, Exit::Violation);
    assert_eq!(home.names(""), ["3"]);
    assert_eq!(home.names("3"), ["history.jsonl", "nodes.json", "result.json", "trace.txt"]);
}

#[test]
fn a_history_for_jepsen_lies_beside_ours_where_it_is_asked_for() {
    let home = Home::new();
    home.run("quickstart.toml --history edn");
    let files = ["history.edn", "history.jsonl", "nodes.json", "result.json"];
    assert_eq!(home.names(""), files);
    let text = fs::read_to_string(home.out.join("history.edn")).unwrap();
    assert!(text.starts_with("{:index 0, :time 1000000, :type :invoke, "), "{text}");
    home.run("quickstart.toml --history jsonl");
    assert_eq!(home.names(""), files[1..], "the old one is gone");
    home.run("quickstart.toml --history edn --seeds 1..4");
    assert_eq!(home.names("3"), files, "a run that did not pass");
    assert!(CommandLine::try_parse_from(["splitbrain", "run", "x", "--history", "xml"]).is_err());
}

#[test]
fn one_seed_asked_for_as_many_is_still_many() {
    let home = Home::new();
    let done = home.run("quickstart.toml --seeds 7..8 --json");
    assert_eq!(done.exit, Exit::Unknown);
    let document = done.document();
    assert_eq!(document["runs"].as_array().unwrap().len(), 1);
    assert_eq!(document["verdict"], "unknown");
}

#[test]
fn several_files_make_one_document_and_a_closing_line() {
    let config = sample::config();
    let runnables = [
        runnable("a.toml", &config, some_fail),
        runnable("b.toml", &config, |_, o| some_fail(3, o)),
    ];
    let home = Home::new();
    let run = |line: &str| home.run_all(&runnables, &format!("a.toml b.toml {line}"));
    let text = run("");
    assert_eq!(text.exit, Exit::Violation);
    assert!(text.out.ends_with("\n\n2 scenarios: 1 pass, 1 fail\n"), "{}", text.out);
    assert_eq!(home.names(""), ["a", "b"]);
    let json = run("--json");
    let document = json.document();
    assert_eq!(document["verdict"], "fail");
    assert_eq!(document["scenarios"][0]["scenario"], "a");
    assert_eq!(document["scenarios"][1]["scenario"], "b");
    let seeds = run("--json --seeds 1..3");
    let document = seeds.document();
    for scenario in document["scenarios"].as_array().unwrap() {
        assert_eq!(scenario["summary"]["runs"], 2);
    }
}

#[test]
fn verify_says_so_or_names_the_first_difference() {
    let config = sample::config();
    let home = Home::new();
    let line = "quickstart.toml --verify --json";
    let same = home.run(line);
    assert_eq!(same.exit, Exit::Pass);
    assert!(same.err.contains("verified: two runs, one digest\n"), "{}", same.err);
    assert!(same.out.contains("\"verified\": true"));

    let count = std::sync::atomic::AtomicU64::new(0);
    let drifting = |seed, options: RunOptions| {
        let call = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut result = some_fail(seed, options);
        result.digest = DigestValue(call);
        result.steps = vec![(crate::time::Time::ZERO, DigestValue(call))];
        result
    };
    let differs = home.run_all(&[runnable("quickstart.toml", &config, drifting)], line);
    assert_eq!(differs.exit, Exit::Violation, "though the run itself passed");
    assert!(differs.err.contains("differ, first in event 0"), "{}", differs.err);
    assert!(differs.out.contains("\"verified\": false"));
}

#[test]
fn a_folder_that_cannot_be_written_is_a_usage_error_after_the_report() {
    let home = Home::new();
    fs::write(&home.out, "a file in the way").unwrap();
    let done = home.run("quickstart.toml");
    assert_eq!(done.exit, Exit::Usage);
    assert!(done.out.starts_with("PASS") && !done.out.contains("Written to"));
    assert!(done.err.starts_with("error: cannot write "), "{}", done.err);
}

#[test]
fn pictures_lie_beside_the_result_and_go_when_they_are_not_drawn_again() {
    let home = Home::new();
    let both = home.run("scenarios/quickstart.toml --plot --diagram --window 0s..1s");
    assert_eq!(both.exit, Exit::Pass);
    let named = "\nPictures      timeline.png, timeline.svg, diagram.png, diagram.svg\n";
    assert!(both.out.contains(named), "{}", both.out);
    let files = ["history.jsonl", "nodes.json", "result.json"];
    let pictures = ["diagram.png", "diagram.svg", "timeline.png", "timeline.svg"];
    let mut all: Vec<&str> = files.into_iter().chain(pictures).collect();
    all.sort_unstable();
    assert_eq!(home.names(""), all);
    assert!(fs::read(home.out.join("diagram.png")).unwrap().starts_with(b"\x89PNG"));
    assert!(fs::read_to_string(home.out.join("timeline.svg")).unwrap().starts_with("<svg"));
    let none = home.run("scenarios/quickstart.toml");
    assert!(!none.out.contains("Pictures"), "{}", none.out);
    assert_eq!(home.names(""), files);
}

#[test]
fn with_seeds_only_the_runs_that_have_a_folder_are_drawn() {
    let home = Home::new();
    assert_eq!(home.run("scenarios/quickstart.toml --seeds 1..=3 --plot").exit, Exit::Violation);
    assert_eq!(home.names(""), ["3"]);
    assert!(home.names("3").contains(&"timeline.png".to_owned()));
}

#[test]
fn a_window_without_a_diagram_or_without_sense_is_a_mistake() {
    for line in ["--window 1s..2s", "--diagram --window 5s..1s", "--diagram --window 1..2s"] {
        let words = ["splitbrain", "run", "x.toml"].into_iter().chain(line.split_whitespace());
        let mistake = CommandLine::try_parse_from(words).unwrap_err();
        assert_eq!(mistake.exit_code(), 2, "{line}");
    }
}
