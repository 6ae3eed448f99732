//! Pooled samples of many runs, and honest intervals around what they show.
//!
//! A point of a sweep is played under many seeds, and each run yields some latencies. They are pooled: every
//! operation counts the same, whatever run it is of. Operations of one run are not independent of one another (they
//! share a leader, a partition, a crash), runs are; so intervals resample runs, never operations.
//!
//! An operation that timed out has no latency, but it took longer than some bound. It is *censored*: dropping it
//! would make a system look faster the more it fails. A quantile counts it as longer than every latency; a mean
//! cannot, and is therefore of the operations that completed, to be read beside the censored share.
//!
//! Every interval is for a confidence of 95%, and a pure function of the samples and the point's index: the same on
//! every platform, in every build and under any number of threads. With fewer than two runs there is none.

use crate::experiment::statistics::resample::{central, difference_of, interval_of, student};

pub use crate::experiment::statistics::resample::{Resamples, Tally};
pub use crate::report::plot::Interval;

mod resample;

/// The standard normal distribution's quantile at 97.5%.
const NORMAL: f64 = 1.959_963_984_540_054;

/// Samples that have to lie beyond a quantile for it to be told.
const TAIL: u64 = 10;

/// What one run contributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunSample {
    /// The latencies of the operations that completed, in nanoseconds, in any order.
    pub latencies: Vec<u64>,
    /// How many operations did not complete within their bound, or ever.
    pub censored: u64,
}

/// The samples of all runs of a point.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pooled {
    /// Every latency with the place of its run, ascending.
    sorted: Vec<(u64, u32)>,
    /// Per run: the sum of its latencies, over how many.
    sums: Vec<Tally>,
    /// Per run: operations, censored ones included.
    operations: Vec<u64>,
    /// At every so many samples, how many of each run come before: a resample's quantile is then looked for from the
    /// last mark below it, and not from the start.
    marks: Vec<Vec<u32>>,
    /// How many samples lie between two marks.
    stride: usize,
}

/// Marks among the samples of a point.
const MARKS: usize = 64;

impl Pooled {
    /// Pools `runs`, which stay in this order: under common random numbers the i-th runs of two points share a seed.
    ///
    /// # Panics
    ///
    /// With 2^32 runs or more.
    #[must_use]
    pub fn of(runs: &[RunSample]) -> Self {
        let mut pooled = Self::default();
        for (place, run) in runs.iter().enumerate() {
            let place = u32::try_from(place).expect("fewer than 2^32 runs");
            pooled.sorted.extend(run.latencies.iter().map(|latency| (*latency, place)));
            let sum: u128 = run.latencies.iter().map(|latency| u128::from(*latency)).sum();
            pooled.sums.push(Tally { part: sum as f64, whole: run.latencies.len() as f64 });
            pooled.operations.push(run.latencies.len() as u64 + run.censored);
        }
        pooled.sorted.sort_unstable();
        pooled.stride = pooled.sorted.len().div_ceil(MARKS).max(1);
        let mut before = vec![0; runs.len()];
        for samples in pooled.sorted.chunks(pooled.stride) {
            pooled.marks.push(before.clone());
            for (_, run) in samples {
                before[*run as usize] += 1;
            }
        }
        pooled
    }

    /// How many runs.
    #[must_use]
    pub const fn runs(&self) -> usize {
        self.sums.len()
    }

    /// How many operations completed.
    #[must_use]
    pub const fn completed(&self) -> u64 {
        self.sorted.len() as u64
    }

    /// How many operations did not.
    #[must_use]
    pub fn censored(&self) -> u64 {
        self.operations.iter().sum::<u64>() - self.completed()
    }

    /// The mean of the completed operations, in nanoseconds; `None` without any.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let sum: u128 = self.sorted.iter().map(|(latency, _)| u128::from(*latency)).sum();
        (!self.sorted.is_empty()).then(|| sum as f64 / self.sorted.len() as f64)
    }

    /// The longest of the completed operations, in nanoseconds; `None` without any.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        self.sorted.last().map(|(latency, _)| *latency)
    }

    /// The sample standard deviation (over count - 1) of the completed operations, in nanoseconds; `None` with fewer
    /// than two.
    #[must_use]
    pub fn deviation(&self) -> Option<f64> {
        let mean = self.mean()?;
        let offsets = self.sorted.iter().map(|(latency, _)| *latency as f64 - mean);
        let squares: f64 = offsets.map(|offset| offset * offset).sum();
        let count = self.sorted.len();
        (count > 1).then(|| (squares / (count - 1) as f64).sqrt())
    }

    /// The nearest rank, as [`crate::metrics::Latency`] has it: the least latency, in nanoseconds, with at least
    /// `per_mille` thousandths of all operations at or below it, censored ones counted as longer than any.
    ///
    /// `None` where fewer than ten operations are to lie beyond it (count times (1 - q) below 10), since it would
    /// tell of single operations, and where its rank falls among the censored ones.
    #[must_use]
    pub fn quantile(&self, per_mille: u32) -> Option<u64> {
        let all: u64 = self.operations.iter().sum();
        let beyond = all * u64::from(1000_u32.saturating_sub(per_mille));
        if beyond < TAIL * 1000 {
            return None;
        }
        let place = usize::try_from(rank(all, per_mille) - 1).ok()?;
        self.sorted.get(place).map(|(latency, _)| *latency)
    }

    /// The interval of [`Self::mean`]; `None` with fewer than two runs, or where nothing completed.
    ///
    /// # Panics
    ///
    /// If `resamples` are of another number of runs.
    #[must_use]
    pub fn mean_interval(&self, resamples: &Resamples) -> Option<Interval> {
        ratio(&self.sums, resamples)
    }

    /// The interval of [`Self::quantile`], by the percentiles of its resamples; `None` where that is, and with fewer
    /// than two runs.
    ///
    /// # Panics
    ///
    /// If `resamples` are of another number of runs.
    #[must_use]
    pub fn quantile_interval(&self, per_mille: u32, resamples: &Resamples) -> Option<Interval> {
        assert_eq!(resamples.runs(), self.runs(), "resamples of other runs");
        let value = self.quantile(per_mille)? as f64;
        if self.runs() < 2 {
            return None;
        }
        let drawn = resamples.iter().map(|counts| self.resampled_quantile(per_mille, counts));
        percentiles(value, drawn.collect())
    }

    /// The quantile when run i counts `counts[i]` times; infinite among the censored.
    fn resampled_quantile(&self, per_mille: u32, counts: &[u32]) -> f64 {
        let weigh = |(count, operations): (&u32, &u64)| u64::from(*count) * operations;
        let rank = rank(counts.iter().zip(&self.operations).map(weigh).sum(), per_mille);
        let drawn = |mark: &Vec<u32>| -> u64 {
            mark.iter()
                .zip(counts)
                .map(|(before, count)| u64::from(*before) * u64::from(*count))
                .sum()
        };
        // Nothing is before the first mark, so there is always one below the rank.
        let mark = self.marks.partition_point(|mark| drawn(mark) < rank).saturating_sub(1);
        let mut below = self.marks.get(mark).map_or(0, drawn);
        for (latency, run) in self.sorted.iter().skip(mark * self.stride) {
            below += u64::from(counts[*run as usize]);
            if below >= rank {
                return *latency as f64;
            }
        }
        f64::INFINITY
    }
}

/// The interval of a ratio of sums over runs, the sum of all parts over the sum of all wholes, by a studentized
/// bootstrap; `None` with fewer than two runs, or where the wholes sum to 0. For a share, which may be 0 in every
/// run, use [`share`].
///
/// The studentized bootstrap (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 12.5) keeps its
/// promise with skewed samples and few runs, where plain percentiles are too narrow. Its standard error is the usual
/// linearization for a ratio. Below five runs there are too few different resamples, and the interval is Student's;
/// it also is where too many resamples have no error of their own. Ends below 0 are cut off, since no part is.
///
/// # Panics
///
/// If `resamples` are of another number of runs.
#[must_use]
pub fn ratio(runs: &[Tally], resamples: &Resamples) -> Option<Interval> {
    let interval = interval_of(runs, resamples)?;
    Some(Interval { low: interval.low.max(0.0), ..interval })
}

/// The interval of a share: parts are counts out of the wholes, such as the writes that a run lost. `None` with fewer
/// than two runs, or where the wholes sum to 0.
///
/// What is resampled from runs that lost nothing has lost nothing, so a bootstrap would be certain of a share of 0.
/// This is Wilson's interval instead, with as many operations as would err as much if they were independent (Korn
/// and Graubard, Survey Methodology 24 (1998), 193-201): fewer than there are where operations of a run share their
/// fate, and as many as there are runs where none or all were struck.
#[must_use]
pub fn share(runs: &[Tally]) -> Option<Interval> {
    if runs.len() < 2 {
        return None;
    }
    let whole: f64 = runs.iter().map(|run| run.whole).sum();
    let part: f64 = runs.iter().map(|run| run.part).sum();
    if whole <= 0.0 {
        return None;
    }
    let (value, count) = (part / whole, runs.len() as f64);
    let squares = runs.iter().map(|run| run.part - value * run.whole).map(|error| error * error);
    let variance = squares.sum::<f64>() * count / (count - 1.0) / (whole * whole);
    let independent = value * (1.0 - value);
    let effective = if part <= 0.0 || part >= whole {
        count
    } else if independent < whole * variance {
        independent / variance
    } else {
        whole
    };
    let widened = NORMAL / student(runs.len() - 1);
    Some(wilson(value, effective * widened * widened))
}

/// The interval of the difference of two ratios, `left` less `right`, of two points that were played under the same
/// seeds: the same runs are drawn for both, so what a seed does to both cancels. By the means of [`ratio`].
///
/// # Panics
///
/// If both and `resamples` are not of the same number of runs.
#[must_use]
pub fn ratio_difference(
    left: &[Tally],
    right: &[Tally],
    resamples: &Resamples,
) -> Option<Interval> {
    difference_of(left, right, resamples)
}

/// The place, from 1, of a quantile among `count` samples.
fn rank(count: u64, per_mille: u32) -> u64 {
    (count * u64::from(per_mille)).div_ceil(1000).max(1)
}

/// The central 95% of what was drawn, around `value`; `None` where a draw is not a number.
fn percentiles(value: f64, mut drawn: Vec<f64>) -> Option<Interval> {
    if drawn.iter().any(|draw| draw.is_nan()) {
        return None;
    }
    let (low, high) = central(&mut drawn)?;
    Some(Interval { value, low: low.min(value), high: high.max(value) })
}

/// Wilson's interval for a share `value` of `count` independent trials.
fn wilson(value: f64, count: f64) -> Interval {
    let square = NORMAL * NORMAL / count;
    let centre = (value + square / 2.0) / (1.0 + square);
    let spread = value * (1.0 - value) / count + square / (4.0 * count);
    let half = NORMAL * spread.sqrt() / (1.0 + square);
    // At a share of 0 or 1 the end that is exact in theory is off by a rounding.
    Interval {
        value,
        low: (centre - half).clamp(0.0, value),
        high: (centre + half).clamp(value, 1.0),
    }
}

#[cfg(test)]
mod tests;
