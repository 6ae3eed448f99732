//! Many runs at a time: threads, and a progress bar.

use std::num::NonZeroUsize;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::cli::Console;
use crate::cli::trouble::Trouble;

/// A pool of `jobs` threads. Without a number it is `RAYON_NUM_THREADS`, or else one for each core.
pub(super) fn pool(jobs: Option<NonZeroUsize>) -> Result<ThreadPool, Trouble> {
    // 0 leaves the number to rayon.
    let threads = jobs.map_or(0, NonZeroUsize::get);
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|error| Trouble::Error(format!("cannot start threads: {error}")))
}

/// A progress bar on a terminal. Elsewhere, or for a single run, one that is never drawn.
pub(super) fn progress(total: u64, quiet: bool, console: &Console) -> ProgressBar {
    let template = "{bar:40} {human_pos} of {human_len} runs, {eta} left";
    bar(Some(total), template, quiet || total <= 1, console)
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
