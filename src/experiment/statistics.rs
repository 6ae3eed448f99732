//! Pooled samples of many runs, and confidence intervals.
//!
//! The latencies of all runs of a point are pooled: every operation counts the same, whatever its
//! run. Operations of one run are not independent (they share a leader, a partition, a crash), but
//! runs are. So intervals resample runs, never operations.
//!
//! An operation that timed out is *censored*: its latency is only known to be above some bound.
//! Leaving it out would make a system look faster the more it fails. Quantiles count it as longer
//! than every latency. Means cannot, so they are of the operations that completed; read them
//! together with the censored share.
//!
//! All intervals have a confidence of 95%. They are a pure function of the samples and the point's
//! index: the same on every platform, in every build and with any number of threads. With fewer
//! than [`FEWEST_RUNS`] runs there is none, because no method covers the truth often enough. No
//! interval covers what no run shows, such as a slow election that happens once in twenty runs.

use crate::experiment::statistics::resample::{NORMAL, difference_of, interval_of, student};

pub use crate::experiment::statistics::resample::{FEWEST_RUNS, RatioTerm, Resamples};
pub use crate::report::plot::Interval;

mod resample;

/// The fewest samples that must lie beyond a quantile.
const TAIL: u64 = 10;

/// What one run contributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunSample {
    /// The latencies of the operations that completed, in nanoseconds, in any order.
    pub latencies: Vec<u64>,
    /// How many operations did not complete in time.
    pub censored: u64,
}

/// The samples of all runs of a point.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pooled {
    /// All latencies in rising order, each with the place of its run.
    sorted: Vec<(u64, u32)>,
    /// Per run: the sum and the number of its latencies.
    sums: Vec<RatioTerm>,
    /// Per run: the number of operations, including censored ones.
    operations: Vec<u64>,
    /// At every `stride` samples, how many samples of each run come before. Counting starts at the
    /// nearest mark, not at the first sample.
    marks: Vec<Vec<u32>>,
    /// How many samples lie between two marks.
    stride: usize,
}

/// The most independent operations that one operation counts for, where runs differ less than
/// chance would make them.
const MOST_INFORMED: f64 = 4.0;

/// How many marks there are among the samples of a point.
const MARKS: usize = 64;

impl Pooled {
    /// Pools `runs`. They stay in order: the i-th runs of two points share a seed.
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
            pooled.sums.push(RatioTerm { part: sum as f64, whole: run.latencies.len() as f64 });
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

    /// The sample standard deviation (with count - 1) of the completed operations, in nanoseconds;
    /// `None` with fewer than two.
    #[must_use]
    pub fn deviation(&self) -> Option<f64> {
        let mean = self.mean()?;
        let offsets = self.sorted.iter().map(|(latency, _)| *latency as f64 - mean);
        let squares: f64 = offsets.map(|offset| offset * offset).sum();
        let count = self.sorted.len();
        (count > 1).then(|| (squares / (count - 1) as f64).sqrt())
    }

    /// A quantile by nearest rank, as in [`crate::metrics::Latency`]: the least latency, in
    /// nanoseconds, with at least `per_mille` thousandths of all operations at or below it.
    /// Censored operations count as longer than any.
    ///
    /// `None` if it would depend on single operations (fewer than ten lie beyond it), or if its
    /// rank falls among the censored ones.
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

    /// The interval of [`Self::mean`]; `None` with fewer than [`FEWEST_RUNS`] runs, or if nothing
    /// completed.
    ///
    /// # Panics
    ///
    /// If `resamples` are of another number of runs.
    #[must_use]
    pub fn mean_interval(&self, resamples: &Resamples) -> Option<Interval> {
        ratio(&self.sums, resamples)
    }

    /// The interval of [`Self::quantile`]; `None` if there is no quantile, or with fewer than
    /// [`FEWEST_RUNS`] runs.
    ///
    /// A latency is in the interval if `per_mille` thousandths are in the interval, by [`share`],
    /// of the share of operations that take no longer (Woodruff, Journal of the American
    /// Statistical Association 47 (1952), 635-646). The upper end is infinite if it lies among
    /// censored operations or beyond all samples.
    #[must_use]
    pub fn quantile_interval(&self, per_mille: u32) -> Option<Interval> {
        let value = self.quantile(per_mille)?;
        let wanted = f64::from(per_mille) / 1000.0;
        let no_longer = |length: u64| share(&self.no_longer_than(length));
        share(&self.no_longer_than(value))?;
        // Below the quantile the share may be too small, from it on too large.
        let place = self.sorted.partition_point(|(latency, _)| *latency < value);
        let enough = |latency: u64| no_longer(latency).is_some_and(|share| share.high >= wanted);
        let low = first_where(&self.sorted[..place], enough).unwrap_or(value);
        let too_many = |latency: u64| no_longer(latency).is_some_and(|share| share.low > wanted);
        let high = first_where(&self.sorted[place..], too_many);
        let high = high.map_or(f64::INFINITY, |latency| latency as f64);
        Some(Interval { value: value as f64, low: low as f64, high })
    }

    /// Per run, how many of its operations took at most `length`.
    fn no_longer_than(&self, length: u64) -> Vec<RatioTerm> {
        let count = self.sorted.partition_point(|(latency, _)| *latency <= length);
        let mark = (count / self.stride).min(self.marks.len().saturating_sub(1));
        let mut below = self.marks.get(mark).cloned().unwrap_or_default();
        for (_, run) in &self.sorted[mark * self.stride..count] {
            below[*run as usize] += 1;
        }
        let term =
            |(part, whole): (u32, &u64)| RatioTerm { part: part.into(), whole: *whole as f64 };
        below.into_iter().zip(&self.operations).map(term).collect()
    }
}

/// The first of `sorted` that is `wanted`; all after it are, too.
fn first_where(sorted: &[(u64, u32)], wanted: impl Fn(u64) -> bool) -> Option<u64> {
    let place = sorted.partition_point(|(latency, _)| !wanted(*latency));
    sorted.get(place).map(|(latency, _)| *latency)
}

/// The interval of a ratio over runs (the sum of all parts divided by the sum of all wholes), by a
/// studentized bootstrap; `None` with fewer than [`FEWEST_RUNS`] runs, or if the wholes sum to 0.
/// For a share, which may be 0 in every run, use [`share`].
///
/// The studentized bootstrap (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993,
/// section 12.5) has the right coverage with skewed samples and few runs, where plain percentiles
/// are too narrow. The standard error is the usual linearization of a ratio. If too many resamples
/// have an error of 0, Student's interval is used. Ends below 0 are cut off, since no part is
/// negative.
///
/// # Panics
///
/// If `resamples` are of another number of runs.
#[must_use]
pub fn ratio(runs: &[RatioTerm], resamples: &Resamples) -> Option<Interval> {
    let interval = interval_of(runs, resamples)?;
    Some(Interval { low: interval.low.max(0.0), ..interval })
}

/// The interval of a share: parts are counts out of the wholes, such as the writes that a run lost.
/// `None` with fewer than [`FEWEST_RUNS`] runs, or if the wholes sum to 0.
///
/// A bootstrap would be certain of a share of 0: resamples of runs without losses have no losses.
/// This is Wilson's interval instead, with the effective number of independent operations (Korn and
/// Graubard, Survey Methodology 24 (1998), 193-201). It is smaller than the number of operations if
/// those of a run share their fate.
///
/// - The variance is the jackknife's over runs, because a run with many operations pulls the share
///   towards itself.
/// - A variance that comes from few runs is not known well. So the degrees of freedom of Student's
///   quantile are at most one more than the number of runs with some of both outcomes.
/// - A run counts for at least one independent operation.
/// - If the share is 0 or 1, it is the rule of three, with runs in place of operations.
#[must_use]
pub fn share(runs: &[RatioTerm]) -> Option<Interval> {
    if runs.len() < FEWEST_RUNS {
        return None;
    }
    let whole: f64 = runs.iter().map(|run| run.whole).sum();
    let part: f64 = runs.iter().map(|run| run.part).sum();
    if whole <= 0.0 {
        return None;
    }
    let (value, count) = (part / whole, runs.len() as f64);
    let unseen = 1.0 - libm::pow(0.05, 1.0 / count);
    if part <= 0.0 {
        return Some(Interval { value, low: 0.0, high: unseen });
    }
    if part >= whole {
        return Some(Interval { value, low: 1.0 - unseen, high: 1.0 });
    }
    let without = |run: &RatioTerm| (run.part - value * run.whole) / (whole - run.whole).max(1.0);
    let squares: f64 = runs.iter().map(without).map(|moves| moves * moves).sum();
    let variance = squares * (count - 1.0) / count;
    let effective = (value * (1.0 - value) / variance).min(whole * MOST_INFORMED);
    let struck = |is: fn(&&RatioTerm) -> bool| runs.iter().filter(is).count();
    let struck = struck(|run| run.part > 0.0).min(struck(|run| run.part < run.whole));
    let widened = |freedom: usize| {
        let by = NORMAL / student(freedom);
        by * by
    };
    let freedom = runs.len() - 1;
    let least = (count * widened(freedom)).min(whole);
    Some(wilson(value, (effective * widened(freedom.min(struck + 1))).max(least)))
}

/// The interval of the difference of two ratios, `left` less `right`, of two points under the same
/// seeds. The same runs are drawn for both, so effects of a seed on both cancel. Otherwise as
/// [`ratio`].
///
/// # Panics
///
/// If both and `resamples` are not of the same number of runs.
#[must_use]
pub fn ratio_difference(
    left: &[RatioTerm],
    right: &[RatioTerm],
    resamples: &Resamples,
) -> Option<Interval> {
    difference_of(left, right, resamples)
}

/// The rank of a quantile among `count` samples, from 1.
fn rank(count: u64, per_mille: u32) -> u64 {
    (count * u64::from(per_mille)).div_ceil(1000).max(1)
}

/// Wilson's interval of a share `value` of `count` independent trials.
fn wilson(value: f64, count: f64) -> Interval {
    let square = NORMAL * NORMAL / count;
    let centre = (value + square / 2.0) / (1.0 + square);
    let spread = value * (1.0 - value) / count + square / (4.0 * count);
    let half = NORMAL * spread.sqrt() / (1.0 + square);
    // Clamped: at a share of 0 or 1 the end that is exact in theory has a rounding error.
    Interval {
        value,
        low: (centre - half).clamp(0.0, value),
        high: (centre + half).clamp(value, 1.0),
    }
}

#[cfg(test)]
mod coverage;
#[cfg(test)]
mod tests;
