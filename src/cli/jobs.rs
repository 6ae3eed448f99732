//! What commands that play many runs share: threads, progress, and why they end early.

use std::io;
use std::num::NonZeroUsize;
use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::cli::{Console, Exit};
use crate::scenario::Diagnostics;

/// Why a command cannot go on. The exit status is [`Exit::Usage`].
pub(super) enum Trouble {
    /// Mistakes in an argument or a scenario.
    Mistakes(Diagnostics),
    /// Anything else, in one line.
    Message(String),
}

impl From<Diagnostics> for Trouble {
    fn from(diagnostics: Diagnostics) -> Self {
        Self::Mistakes(diagnostics)
    }
}

impl Trouble {
    /// An error of a file or folder that cannot be used.
    pub(super) fn with(path: &Path) -> impl Fn(io::Error) -> Self {
        move |why| Self::Message(format!("cannot use {}: {why}", path.display()))
    }

    /// Prints it.
    pub(super) fn report(self, console: &mut Console) -> Exit {
        match self {
            Self::Mistakes(diagnostics) => console.mistakes(&diagnostics),
            Self::Message(why) => console.error(&why),
        }
        Exit::Usage
    }
}

/// A pool of `jobs` threads; without a number `RAYON_NUM_THREADS`, or else one thread for each core.
pub(super) fn pool(jobs: Option<NonZeroUsize>) -> Result<ThreadPool, Trouble> {
    // rayon takes 0 for the default.
    let threads = jobs.map_or(0, NonZeroUsize::get);
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|error| Trouble::Message(format!("cannot start threads: {error}")))
}

/// A progress bar in the style of `template`. It is drawn only on a terminal, and not when `quiet`.
pub(super) fn bar(
    total: Option<u64>,
    template: &str,
    quiet: bool,
    console: &Console,
) -> ProgressBar {
    let target = if quiet || !console.draws_progress() {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    };
    ProgressBar::with_draw_target(total, target).with_style(style(template))
}

/// The style of `template`.
pub(super) fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A progress bar of `total` runs; hidden for a single one.
pub(super) fn progress(total: u64, quiet: bool, console: &Console) -> ProgressBar {
    let template = "{bar:40} {human_pos} of {human_len} runs, {eta} left";
    bar(Some(total), template, quiet || total <= 1, console)
}
