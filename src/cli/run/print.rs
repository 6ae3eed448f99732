//! Prints the results of runs in order: text for people, one JSON document for programs.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli::args::RunArgs;
use crate::cli::names::quoted;
use crate::cli::run::play::{CompletedRun, Runnable};
use crate::cli::{Console, Exit};
use crate::report::folder::{self, FolderError};
use crate::report::json;
use crate::report::layout::counted;
use crate::report::text::{self, Footer};
use crate::report::totals::RunTotals;
use crate::report::verify::Verification;
use crate::run::RunVerdict;

/// How many write errors are shown. On a full disk every run has one.
const MOST_ERRORS: usize = 3;

/// Takes runs in order and prints each by itself. With `--seeds` it prints the runs of a scenario
/// together.
pub(super) struct Printer<'a> {
    args: &'a RunArgs,
    program: &'a str,
    /// How many scenarios there are.
    runnables: usize,
    exit: Exit,
    verdicts: Vec<RunVerdict>,
    documents: Vec<Value>,
    unwritten: Vec<FolderError>,
    /// The runs of the current scenario, with `--seeds`.
    sum: Option<Sum<'a>>,
}

/// The runs of one scenario, added up.
struct Sum<'a> {
    runnable: &'a Runnable<'a>,
    totals: RunTotals,
    documents: Vec<Value>,
    folders: Vec<PathBuf>,
    /// How many runs were done twice with different results.
    differing: u64,
}

impl<'a> Sum<'a> {
    fn new(runnable: &'a Runnable<'a>) -> Self {
        Self {
            runnable,
            totals: RunTotals::new(&runnable.name, &runnable.config.title),
            documents: Vec::new(),
            folders: Vec::new(),
            differing: 0,
        }
    }

    /// Where the folders are.
    fn written(&self) -> Option<String> {
        let first = self.folders.first()?;
        let above = first.parent().unwrap_or_else(|| Path::new("."));
        let many = counted(self.folders.len() as u64, "folder");
        Some(format!("{} ({many})", above.display()))
    }
}

impl<'a> Printer<'a> {
    pub(super) fn new(args: &'a RunArgs, program: &'a str, runnables: usize) -> Self {
        Self {
            args,
            program,
            runnables,
            exit: Exit::Pass,
            verdicts: Vec::new(),
            documents: Vec::new(),
            unwritten: Vec::new(),
            sum: None,
        }
    }

    /// Takes the next run.
    pub(super) fn add(
        &mut self,
        runnable: &'a Runnable<'a>,
        completed: CompletedRun,
        console: &mut Console,
    ) {
        self.exit = self.exit.worse(completed.report.verdict.into());
        if let Some(Verification::Differs(difference)) = &completed.verification {
            self.exit = self.exit.worse(Exit::Violation);
            console.error(&difference.describe(&runnable.name, completed.report.seed));
        }
        if self.args.seeds.is_some() {
            self.add_to_sum(runnable, completed, console);
            return;
        }
        self.show_one(runnable, &completed, console);
        if self.args.json {
            self.documents.push(document(&completed));
        }
        if let Some(Err(error)) = completed.written {
            self.unwritten.push(error);
        }
    }

    /// Adds a run to those of its scenario. Runs come ordered by scenario.
    fn add_to_sum(
        &mut self,
        runnable: &'a Runnable<'a>,
        completed: CompletedRun,
        console: &mut Console,
    ) {
        if self.sum.as_ref().is_some_and(|sum| !std::ptr::eq(sum.runnable, runnable)) {
            self.show_sum(console);
        }
        let sum = self.sum.get_or_insert_with(|| Sum::new(runnable));
        sum.differing += u64::from(completed.differs());
        if self.args.json {
            sum.documents.push(document(&completed));
        }
        match completed.written {
            Some(Ok(folder)) => sum.folders.push(folder),
            Some(Err(error)) => self.unwritten.push(error),
            None => {}
        }
        sum.totals.add(&completed.report, completed.lengths);
    }

    fn show_one(
        &mut self,
        runnable: &Runnable<'_>,
        completed: &CompletedRun,
        console: &mut Console,
    ) {
        let report = &completed.report;
        self.verdicts.push(report.verdict);
        let footer = Footer {
            commands: vec![self.command(runnable, &format!("--seed {}", report.seed))],
            written: match &completed.written {
                Some(Ok(folder)) => Some(folder.display().to_string()),
                Some(Err(_)) | None => None,
            },
            pictures: pictures(self.args),
            verified: completed.verification.as_ref().map(|verification| match verification {
                Verification::Same => "two runs, one digest".to_owned(),
                Verification::Differs(_) => "no, two runs that differ".to_owned(),
            }),
        };
        self.show(console, |quiet, color| {
            if quiet {
                text::verdict_line(report, color)
            } else {
                text::run(report, &footer, color)
            }
        });
    }

    /// Prints the runs that were added up, if there are any.
    fn show_sum(&mut self, console: &mut Console) {
        let (Some(mut sum), Some(seeds)) = (self.sum.take(), self.args.seeds) else { return };
        let verdict = match (sum.totals.fail, sum.totals.unknown) {
            (0, 0) => RunVerdict::Pass,
            (0, _) => RunVerdict::Unknown,
            _ => RunVerdict::Fail,
        };
        self.verdicts.push(verdict);
        let mut commands = vec![self.command(sum.runnable, &format!("--seeds {seeds}"))];
        if let Some(first) = sum.totals.notable.first() {
            commands.push(self.command(sum.runnable, &format!("--seed {}", first.seed)));
        }
        let footer = Footer {
            commands,
            written: sum.written(),
            pictures: pictures(self.args),
            verified: self.args.verify.then(|| match sum.differing {
                0 => "every run twice, one digest each".to_owned(),
                some => format!("no, {} came out differently", counted(some, "run")),
            }),
        };
        self.show(console, |quiet, color| {
            if quiet {
                text::totals_line(&sum.totals, verdict, color)
            } else {
                text::runs(&mut sum.totals, verdict, &footer, color)
            }
        });
        if self.args.json {
            self.documents.push(json::runs(&mut sum.totals, verdict, sum.documents));
        }
    }

    /// Prints the rest: the closing line, the JSON document and write errors. Returns the exit
    /// status.
    pub(super) fn finish(mut self, console: &mut Console) -> Exit {
        self.show_sum(console);
        let worst = self.verdicts.iter().copied().max_by_key(|verdict| match verdict {
            RunVerdict::Pass => 0,
            RunVerdict::Unknown => 1,
            RunVerdict::Fail => 2,
        });
        if self.runnables > 1 && !self.args.quiet {
            let closing = text::closing(&self.verdicts);
            self.print(console, &format!("\n{closing}"));
        }
        if self.args.json {
            let document = match (self.runnables, self.documents.pop()) {
                (1, Some(document)) => document,
                (_, last) => {
                    self.documents.extend(last);
                    let documents = std::mem::take(&mut self.documents);
                    json::scenarios(worst.unwrap_or(RunVerdict::Pass), documents)
                }
            };
            console.json(&document);
        }
        for error in self.unwritten.iter().take(MOST_ERRORS) {
            console.error(&error.to_string());
        }
        if self.unwritten.len() > MOST_ERRORS {
            let rest = (self.unwritten.len() - MOST_ERRORS) as u64;
            console.error(&format!("and {} like these", counted(rest, "more error")));
        }
        if self.unwritten.is_empty() { self.exit } else { Exit::Usage }
    }

    /// Prints `text(quiet, color)` for people. With `--json` it goes to standard error, or nowhere
    /// with `--quiet`.
    fn show(&self, console: &mut Console, text: impl FnOnce(bool, bool) -> String) {
        let quiet = self.args.quiet;
        if quiet && self.args.json {
            return;
        }
        let color = if self.args.json { console.err_color() } else { console.out_color() };
        let gap = if self.verdicts.len() > 1 && !quiet { "\n" } else { "" };
        let text = format!("{gap}{}", text(quiet, color));
        self.print(console, &text);
    }

    fn print(&self, console: &mut Console, text: &str) {
        if self.args.json {
            console.err(text);
        } else {
            console.out(text);
        }
    }

    /// The command that repeats the run.
    fn command(&self, runnable: &Runnable<'_>, seeds: &str) -> String {
        let mut command =
            format!("{} run {}", self.program, quoted(&runnable.file.to_string_lossy()));
        for set in &self.args.sets {
            command.push_str(" --set ");
            command.push_str(&quoted(set));
        }
        format!("{command} {seeds}")
    }
}

/// The pictures in each folder.
fn pictures(args: &RunArgs) -> Vec<&'static str> {
    let files = |asked, files: [&'static str; 2]| files.into_iter().filter(move |_| asked);
    files(args.plot, folder::TIMELINE).chain(files(args.diagram, folder::DIAGRAM)).collect()
}

/// The JSON document of a run.
fn document(completed: &CompletedRun) -> Value {
    let report = &completed.report;
    let verified = completed.verification.as_ref().map(Verification::is_same);
    verified.map_or_else(|| json::run(report), |same| json::verified(report, same))
}
