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
    if total <= 1 || quiet || !console.draws_progress() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    let style =
        ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} runs, {eta} left");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
