//! Playing points: every point under every seed, on all cores, with the same result however many there are.

use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;

use rayon::iter::{IntoParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _};

use super::measure::RunMeasures;
use super::points::SweepPoint;
use super::progress::Progress;
use super::summary::Summary;
use crate::run::{Causes, QueueKind, RunOptions};

/// How a run is played that is to be a line of a table.
const OPTIONS: RunOptions = RunOptions {
    trace: false,
    steps: false,
    queue: QueueKind::Calendar,
    causes: Causes::OfAllButAllowedReads,
    without_last_write: false,
};

/// What is played at every point.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The points.
    pub points: &'a [SweepPoint],
    /// The seeds, the same for every point: differences between points are no luck.
    pub seeds: &'a [u64],
}

/// Everything that the results of a plan depend on, in 64 bits.
#[must_use]
pub fn fingerprint(plan: &Plan<'_>) -> u64 {
    let mut text = format!("{} {:?}\n", env!("CARGO_PKG_VERSION"), plan.seeds);
    for point in plan.points {
        text += &point.label();
        text.push('\n');
        text += &point.scenario.export();
    }
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}

/// Plays all points but those `done` before; the summaries in the order of the points.
///
/// `on_run` is called after each run, on whatever thread played it. What is finished is kept in the progress at once.
///
/// # Errors
///
/// When the progress cannot be written.
pub fn play(
    plan: &Plan<'_>,
    done: BTreeMap<usize, Summary>,
    progress: &Progress,
    on_run: &(dyn Fn() + Sync),
) -> io::Result<Vec<Summary>> {
    let done = Mutex::new(done);
    let take = |index| done.lock().ok().and_then(|mut done| done.remove(&index));
    // Points go on side by side, so that no core waits at the end of each for the slowest run.
    let play_one = |index: usize| {
        if let Some(summary) = take(index) {
            return Ok(summary);
        }
        let point = &plan.points[index];
        let samples: Vec<RunMeasures> = plan
            .seeds
            .par_iter()
            .map(|seed| {
                let sample = RunMeasures::of(&point.scenario.run(*seed, OPTIONS));
                on_run();
                sample
            })
            .collect();
        let summary = Summary::of(&samples);
        progress.keep(index, &summary)?;
        Ok(summary)
    };
    (0..plan.points.len()).into_par_iter().map(play_one).collect()
}
