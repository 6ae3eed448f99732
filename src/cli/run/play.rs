//! One run, from a worker's point of view: play, verify, keep what is to be kept, and let the rest
//! go.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::explain::chronicle::{Chronicle, Window};
use crate::report::folder::{self, FolderError};
use crate::report::pictures::{self, Wanted};
use crate::report::verify::{Verification, verify};
use crate::report::{Lengths, Report};
use crate::run::{RunOptions, RunResult, RunVerdict};

/// A scenario that is ready to run.
pub(super) struct Plan<'a> {
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

/// What to do with a run besides telling it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wishes {
    /// Do it twice.
    pub(super) verify: bool,
    /// Leave a trace in its folder.
    pub(super) trace: bool,
    /// Leave a folder only when it did not pass.
    pub(super) only_notable: bool,
    /// Draw its timeline.
    pub(super) plot: bool,
    /// Draw its space-time diagram.
    pub(super) diagram: bool,
    /// Which part of it; `None`: what went wrong.
    pub(super) window: Option<Window>,
}

/// A run that was played, without its history: small enough to wait for its turn.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) report: Report,
    pub(super) lengths: Lengths,
    pub(super) verification: Option<Verification>,
    /// Where its folder is, or why there is none; `None` when none was wanted.
    pub(super) written: Option<Result<PathBuf, FolderError>>,
}

impl Played {
    /// Whether the run was done twice and not the same.
    pub(super) fn differs(&self) -> bool {
        self.verification.as_ref().is_some_and(|verification| !verification.is_same())
    }
}

/// Plays `plan` under `seed`; its folder is `folder`, when it is to have one.
pub(super) fn play(plan: &Plan<'_>, seed: u64, wishes: Wishes, folder: PathBuf) -> Played {
    // Where few folders are kept, only the runs that have one are traced, afterwards.
    let trace_at_once = wishes.trace && !wishes.only_notable;
    let options =
        RunOptions { trace: trace_at_once, steps: wishes.verify, ..RunOptions::default() };
    let again = |options| (plan.play)(seed, options);
    let mut result = again(options);
    let verification = wishes.verify.then(|| verify(&result, options, &again));
    let (report, lengths) = Report::of(&plan.name, plan.config, &result);
    let mut played = Played { report, lengths, verification, written: None };
    let notable = played.report.verdict != RunVerdict::Pass || played.differs();
    if notable || !wishes.only_notable {
        if wishes.trace && result.trace.is_none() {
            result = again(RunOptions { trace: true, ..RunOptions::default() });
        }
        let again = |window| (plan.chronicle)(seed, window);
        let wanted = Wanted { plot: wishes.plot, diagram: wishes.diagram, window: wishes.window };
        let drawn = pictures::draw((&plan.name, plan.config), &result, wanted, &again);
        let written = folder::write(&folder, &played.report, &result, &plan.config.names)
            .and_then(|()| folder::write_pictures(&folder, &drawn));
        played.written = Some(written.map(|()| folder));
    }
    played
}
