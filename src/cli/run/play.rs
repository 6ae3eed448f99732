//! One run on a worker thread: play it, verify it, write its folder, and keep only its report.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::report::folder::{self, FolderError};
use crate::report::pictures::{self, Wanted};
use crate::report::verify::{Verification, verify};
use crate::report::{Lengths, Report};
use crate::run::chronicle::{Chronicle, Window};
use crate::run::{RunOptions, RunResult, RunVerdict};

/// A scenario that is ready to run.
pub(super) struct RunPlan<'a> {
    /// Its file, as the command line names it.
    pub(super) file: &'a Path,
    /// Its name.
    pub(super) name: String,
    /// Its settings.
    pub(super) config: &'a Config,
    /// Runs it under a seed.
    pub(super) play: Box<dyn Fn(u64, RunOptions) -> RunResult + Sync + 'a>,
    /// Runs it once more for a picture.
    pub(super) chronicle: Box<dyn Fn(u64, Option<Window>) -> Chronicle + Sync + 'a>,
}

/// Which runs leave a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Folders {
    /// All of them.
    All,
    /// Those that did not pass.
    Notable,
}

/// What to make of a run besides its report.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outputs {
    /// Play it twice and compare.
    pub(super) verify: bool,
    /// Write its trace.
    pub(super) trace: bool,
    /// Which runs leave a folder.
    pub(super) folders: Folders,
    /// Draw its timeline.
    pub(super) plot: bool,
    /// Draw its space-time diagram.
    pub(super) diagram: bool,
    /// The part of the run in the diagram; `None` for where something went wrong.
    pub(super) window: Option<Window>,
}

/// A run that was played, without its history: small enough to keep until it is reported.
#[derive(Debug)]
pub(super) struct PlayedRun {
    pub(super) report: Report,
    pub(super) lengths: Lengths,
    pub(super) verification: Option<Verification>,
    /// Its folder, or why it could not be written; `None` when it is to have none.
    pub(super) written: Option<Result<PathBuf, FolderError>>,
}

impl PlayedRun {
    /// Whether the run was played twice and the two differ.
    pub(super) fn differs(&self) -> bool {
        self.verification.as_ref().is_some_and(|verification| !verification.is_same())
    }
}

/// Plays `plan` under `seed`, and writes `folder` if the run is to leave one.
pub(super) fn play(plan: &RunPlan<'_>, seed: u64, outputs: Outputs, folder: PathBuf) -> PlayedRun {
    // If only some runs leave a folder, those are played again for their trace.
    let trace_at_once = outputs.trace && outputs.folders == Folders::All;
    let options =
        RunOptions { trace: trace_at_once, steps: outputs.verify, ..RunOptions::default() };
    let again = |options| (plan.play)(seed, options);
    let mut result = again(options);
    let verification = outputs.verify.then(|| verify(&result, options, &again));
    let (report, lengths) = Report::of(&plan.name, plan.config, &result);
    let mut played = PlayedRun { report, lengths, verification, written: None };
    let notable = played.report.verdict != RunVerdict::Pass || played.differs();
    if notable || outputs.folders == Folders::All {
        if outputs.trace && result.trace.is_none() {
            result = again(RunOptions { trace: true, ..RunOptions::default() });
        }
        let again = |window| (plan.chronicle)(seed, window);
        let wanted =
            Wanted { plot: outputs.plot, diagram: outputs.diagram, window: outputs.window };
        let drawn = pictures::draw((&plan.name, plan.config), &result, wanted, &again);
        let written = folder::write(&folder, &played.report, &result, &plan.config.names)
            .and_then(|()| folder::write_pictures(&folder, &drawn));
        played.written = Some(written.map(|()| folder));
    }
    played
}
