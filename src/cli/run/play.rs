//! One run on a worker thread: play it, verify it, write its files, and drop what is no longer
//! needed.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::explain::chronicle::{Chronicle, Window};
use crate::report::folder::{self, FolderError, HistoryFile};
use crate::report::pictures::{self, Wanted};
use crate::report::plot::PlottedRun;
use crate::report::verify::{Verification, verify};
use crate::report::{Lengths, Report};
use crate::run::{RunOptions, RunResult, RunVerdict};

/// A scenario that is ready to run.
pub(super) struct Runnable<'a> {
    /// Its file, as the command line names it.
    pub(super) file: &'a Path,
    /// Its name.
    pub(super) name: String,
    /// Its settings.
    pub(super) config: &'a Config,
    /// Runs it with a seed.
    pub(super) play: Box<dyn Fn(u64, RunOptions) -> RunResult + Sync + 'a>,
    /// Runs it again to draw pictures.
    pub(super) chronicle: Box<dyn Fn(u64, Option<Window>) -> Chronicle + Sync + 'a>,
}

/// What to do with a run besides showing its result.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlayOptions {
    /// Run it twice and compare.
    pub(super) verify: bool,
    /// Write a trace into its folder.
    pub(super) trace: bool,
    /// In which format to write the history into its folder.
    pub(super) history: HistoryFile,
    /// Write a folder only if it did not pass.
    pub(super) only_notable: bool,
    /// Draw its timeline.
    pub(super) plot: bool,
    /// Draw its space-time diagram.
    pub(super) diagram: bool,
    /// Which part the diagram shows. `None`: where something went wrong.
    pub(super) window: Option<Window>,
}

/// The result of a run without its history, which would be too large to hold for many runs.
#[derive(Debug)]
pub(super) struct CompletedRun {
    pub(super) report: Report,
    pub(super) lengths: Lengths,
    pub(super) verification: Option<Verification>,
    /// Its folder, or why that could not be written. `None` when no folder was wanted.
    pub(super) written: Option<Result<PathBuf, FolderError>>,
}

impl CompletedRun {
    /// Whether the run was done twice with different results.
    pub(super) fn differs(&self) -> bool {
        self.verification.as_ref().is_some_and(|verification| !verification.is_same())
    }
}

/// Plays `runnable` with `seed`. Its files go to `folder`, if it gets one.
pub(super) fn play(
    runnable: &Runnable<'_>,
    seed: u64,
    wanted: PlayOptions,
    folder: PathBuf,
) -> CompletedRun {
    // When only some runs get a folder, those are traced afterwards in a second run.
    let trace_at_once = wanted.trace && !wanted.only_notable;
    let options =
        RunOptions { trace: trace_at_once, steps: wanted.verify, ..RunOptions::default() };
    let again = |options| (runnable.play)(seed, options);
    let mut result = again(options);
    let verification = wanted.verify.then(|| verify(&result, options, &again));
    let (report, lengths) = Report::of(&runnable.name, runnable.config, &result);
    let mut completed = CompletedRun { report, lengths, verification, written: None };
    let notable = completed.report.verdict != RunVerdict::Pass || completed.differs();
    if notable || !wanted.only_notable {
        if wanted.trace && result.trace.is_none() {
            result = again(RunOptions { trace: true, ..RunOptions::default() });
        }
        let again = |window| (runnable.chronicle)(seed, window);
        let PlayOptions { plot, diagram, window, .. } = wanted;
        let pictures = Wanted { plot, diagram, window };
        let run = PlottedRun { scenario: &runnable.name, config: runnable.config, result: &result };
        let drawn = pictures::draw(&run, pictures, &again);
        let written = folder::write(&folder, &completed.report, &result, wanted.history)
            .and_then(|()| folder::write_pictures(&folder, &drawn));
        completed.written = Some(written.map(|()| folder));
    }
    completed
}
