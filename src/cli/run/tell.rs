//! Telling what came of the runs, in order: text for people, one document for programs.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli::args::RunArgs;
use crate::cli::run::play::{Plan, Played};
use crate::cli::{Console, Exit, quoted};
use crate::report::folder::{self, FolderError};
use crate::report::json;
use crate::report::layout::counted;
use crate::report::tally::Tally;
use crate::report::text::{self, Notes};
use crate::report::verify::Verification;
use crate::run::RunVerdict;

/// How many files that could not be written are named; a full disk fails them all.
const TROUBLES: usize = 3;

/// Takes runs in order and tells them: each by itself, or with `--seeds` a scenario's together.
pub(super) struct Teller<'a> {
    args: &'a RunArgs,
    program: &'a str,
    /// How many scenarios there are.
    plans: usize,
    exit: Exit,
    verdicts: Vec<RunVerdict>,
    documents: Vec<Value>,
    troubles: Vec<FolderError>,
    /// What is being added up, with `--seeds`.
    sum: Option<Sum<'a>>,
}

/// One scenario's runs, added up.
struct Sum<'a> {
    plan: &'a Plan<'a>,
    tally: Tally,
    documents: Vec<Value>,
    folders: Vec<PathBuf>,
    /// How many runs were done twice and not the same.
    differing: u64,
}

impl<'a> Sum<'a> {
    fn new(plan: &'a Plan<'a>) -> Self {
        Self {
            plan,
            tally: Tally::new(&plan.name, &plan.config.title),
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

impl<'a> Teller<'a> {
    pub(super) fn new(args: &'a RunArgs, program: &'a str, plans: usize) -> Self {
        Self {
            args,
            program,
            plans,
            exit: Exit::Pass,
            verdicts: Vec::new(),
            documents: Vec::new(),
            troubles: Vec::new(),
            sum: None,
        }
    }

    /// Takes the next run.
    pub(super) fn tell(&mut self, plan: &'a Plan<'a>, played: Played, console: &mut Console) {
        self.exit = self.exit.worse(played.report.verdict.into());
        if let Some(Verification::Differs(difference)) = &played.verification {
            self.exit = self.exit.worse(Exit::Violation);
            console.error(&difference.describe(&plan.name, played.report.seed));
        }
        if self.args.seeds.is_some() {
            self.add(plan, played, console);
            return;
        }
        self.tell_one(plan, &played, console);
        if self.args.json {
            self.documents.push(document(&played));
        }
        if let Some(Err(error)) = played.written {
            self.troubles.push(error);
        }
    }

    /// Adds a run to those of its scenario; the first of another scenario ends them.
    fn add(&mut self, plan: &'a Plan<'a>, played: Played, console: &mut Console) {
        if self.sum.as_ref().is_some_and(|sum| !std::ptr::eq(sum.plan, plan)) {
            self.tell_sum(console);
        }
        let sum = self.sum.get_or_insert_with(|| Sum::new(plan));
        sum.differing += u64::from(played.differs());
        if self.args.json {
            sum.documents.push(document(&played));
        }
        match played.written {
            Some(Ok(folder)) => sum.folders.push(folder),
            Some(Err(error)) => self.troubles.push(error),
            None => {}
        }
        sum.tally.add(&played.report, played.lengths);
    }

    fn tell_one(&mut self, plan: &Plan<'_>, played: &Played, console: &mut Console) {
        let report = &played.report;
        self.verdicts.push(report.verdict);
        let notes = Notes {
            commands: vec![self.command(plan, &format!("--seed {}", report.seed))],
            written: match &played.written {
                Some(Ok(folder)) => Some(folder.display().to_string()),
                Some(Err(_)) | None => None,
            },
            pictures: pictures(self.args),
            verified: played.verification.as_ref().map(|verification| match verification {
                Verification::Same => "two runs, one digest".to_owned(),
                Verification::Differs(_) => "no, two runs that differ".to_owned(),
            }),
        };
        self.say(console, |quiet, color| {
            if quiet { text::verdict_line(report, color) } else { text::run(report, &notes, color) }
        });
    }

    /// Tells what was added up, if anything was.
    fn tell_sum(&mut self, console: &mut Console) {
        let (Some(mut sum), Some(seeds)) = (self.sum.take(), self.args.seeds) else { return };
        let verdict = match (sum.tally.fail, sum.tally.unknown) {
            (0, 0) => RunVerdict::Pass,
            (0, _) => RunVerdict::Unknown,
            _ => RunVerdict::Fail,
        };
        self.verdicts.push(verdict);
        let mut commands = vec![self.command(sum.plan, &format!("--seeds {seeds}"))];
        if let Some(first) = sum.tally.notable.first() {
            commands.push(self.command(sum.plan, &format!("--seed {}", first.seed)));
        }
        let notes = Notes {
            commands,
            written: sum.written(),
            pictures: pictures(self.args),
            verified: self.args.verify.then(|| match sum.differing {
                0 => "every run twice, one digest each".to_owned(),
                some => format!("no, {} came out differently", counted(some, "run")),
            }),
        };
        self.say(console, |quiet, color| {
            if quiet {
                text::tally_line(&sum.tally, verdict, color)
            } else {
                text::runs(&mut sum.tally, verdict, &notes, color)
            }
        });
        if self.args.json {
            self.documents.push(json::runs(&mut sum.tally, verdict, sum.documents));
        }
    }

    /// Tells the rest: what could not be written, the document; how it all ends.
    pub(super) fn finish(mut self, console: &mut Console) -> Exit {
        self.tell_sum(console);
        let worst = self.verdicts.iter().copied().max_by_key(|verdict| match verdict {
            RunVerdict::Pass => 0,
            RunVerdict::Unknown => 1,
            RunVerdict::Fail => 2,
        });
        if self.plans > 1 && !self.args.quiet {
            let closing = text::closing(&self.verdicts);
            self.people(console, &format!("\n{closing}"));
        }
        if self.args.json {
            let document = match (self.plans, self.documents.pop()) {
                (1, Some(document)) => document,
                (_, last) => {
                    self.documents.extend(last);
                    let documents = std::mem::take(&mut self.documents);
                    json::scenarios(worst.unwrap_or(RunVerdict::Pass), documents)
                }
            };
            console.json(&document);
        }
        for error in self.troubles.iter().take(TROUBLES) {
            console.error(&error.to_string());
        }
        if self.troubles.len() > TROUBLES {
            let rest = (self.troubles.len() - TROUBLES) as u64;
            console.error(&format!("and {} like these", counted(rest, "more error")));
        }
        if self.troubles.is_empty() { self.exit } else { Exit::Usage }
    }

    /// Prints `text`, a function of whether it is to be quiet and coloured: for people, so to
    /// standard error when a document goes to standard output, and then not at all when quiet.
    fn say(&self, console: &mut Console, text: impl FnOnce(bool, bool) -> String) {
        let quiet = self.args.quiet;
        if quiet && self.args.json {
            return;
        }
        let color = if self.args.json { console.err_color() } else { console.out_color() };
        let gap = if self.verdicts.len() > 1 && !quiet { "\n" } else { "" };
        let text = format!("{gap}{}", text(quiet, color));
        self.people(console, &text);
    }

    fn people(&self, console: &mut Console, text: &str) {
        if self.args.json {
            console.err(text);
        } else {
            console.out(text);
        }
    }

    /// The command that does it again.
    fn command(&self, plan: &Plan<'_>, seeds: &str) -> String {
        let mut command = format!("{} run {}", self.program, quoted(&plan.file.to_string_lossy()));
        for set in &self.args.sets {
            command.push_str(" --set ");
            command.push_str(&quoted(set));
        }
        format!("{command} {seeds}")
    }
}

/// The pictures that each folder has.
fn pictures(args: &RunArgs) -> Vec<&'static str> {
    let files = |asked, files: [&'static str; 2]| files.into_iter().filter(move |_| asked);
    files(args.plot, folder::TIMELINE).chain(files(args.diagram, folder::DIAGRAM)).collect()
}

/// The document of a run.
fn document(played: &Played) -> Value {
    let report = &played.report;
    let verified = played.verification.as_ref().map(Verification::is_same);
    verified.map_or_else(|| json::run(report), |same| json::verified(report, same))
}
