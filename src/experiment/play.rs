//! Playing every point under every seed on all cores. The result does not depend on their number.

use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;

use rayon::iter::{IntoParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _};

use super::measure::RunMeasures;
use super::points::SweepPoint;
use super::progress::SweepProgress;
use super::summary::Summary;
use crate::run::{Causes, QueueKind, RunOptions};

/// Only what a table needs.
const OPTIONS: RunOptions = RunOptions {
    trace: false,
    steps: false,
    queue: QueueKind::Calendar,
    causes: Causes::OfAllButAllowedReads,
    without_last_write: false,
};

/// What is to be played.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The points.
    pub points: &'a [SweepPoint],
    /// The seeds; all points have the same, so differences between points are not chance.
    pub seeds: &'a [u64],
}

/// A hash of everything that the results of a plan depend on.
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

/// Plays all points, except those that are `done`, and returns the summaries in the order of the
/// points.
///
/// Each point is kept in `progress` as soon as it is finished. `on_run` is called after each run,
/// on the thread that played it.
///
/// # Errors
///
/// When the progress cannot be written.
pub fn play(
    plan: &Plan<'_>,
    done: BTreeMap<usize, Summary>,
    progress: &SweepProgress,
    on_run: &(dyn Fn() + Sync),
) -> io::Result<Vec<Summary>> {
    let done = Mutex::new(done);
    let take = |index| done.lock().ok().and_then(|mut done| done.remove(&index));
    // Points are played in parallel, so no core waits for the slowest run of a point.
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
