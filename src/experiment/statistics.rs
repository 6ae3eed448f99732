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
//! every platform, in every build and under any number of threads. With fewer than [`FEWEST_RUNS`] runs there is none:
//! what so few show covers the truth less often than it says, however it is made. No interval knows of what no run
//! shows, such as a slow election that happens once in twenty runs.

use crate::experiment::statistics::resample::{NORMAL, difference_of, interval_of, student};

pub use crate::experiment::statistics::resample::{FEWEST_RUNS, RatioTerm, Resamples};
pub use crate::report::plot::Interval;

mod resample;

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
    sums: Vec<RatioTerm>,
    /// Per run: operations, censored ones included.
    operations: Vec<u64>,
    /// At every so many samples, how many of each run come before: counting up to a sample then begins at the last
    /// mark below it, and not at the start.
    marks: Vec<Vec<u32>>,
    /// How many samples lie between two marks.
    stride: usize,
}

/// Operations of runs that are more alike than chance are worth up to so many independent ones each.
const MOST_INFORMED: f64 = 4.0;

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

    /// The interval of [`Self::mean`]; `None` with fewer than [`FEWEST_RUNS`] runs, or where nothing completed.
    ///
    /// # Panics
    ///
    /// If `resamples` are of another number of runs.
    #[must_use]
    pub fn mean_interval(&self, resamples: &Resamples) -> Option<Interval> {
        ratio(&self.sums, resamples)
    }

    /// The interval of [`Self::quantile`]; `None` where that is, and with fewer than [`FEWEST_RUNS`] runs.
    ///
    /// It holds the lengths of which nobody can say that more or fewer operations than `per_mille` thousandths take no
    /// longer: those for which the quantile is in the interval that [`share`] gives (Woodruff, Journal of the American
    /// Statistical Association 47 (1952), 635-646). The upper end is infinite where it lies among what was censored,
    /// or beyond everything that was seen.
    #[must_use]
    pub fn quantile_interval(&self, per_mille: u32) -> Option<Interval> {
        let value = self.quantile(per_mille)?;
        let wanted = f64::from(per_mille) / 1000.0;
        let no_longer = |length: u64| share(&self.no_longer_than(length));
        share(&self.no_longer_than(value))?;
        // Up to the quantile too few may take so long, from it on too many may.
        let place = self.sorted.partition_point(|(latency, _)| *latency < value);
        let enough = |latency: u64| no_longer(latency).is_some_and(|share| share.high >= wanted);
        let low = first_where(&self.sorted[..place], enough).unwrap_or(value);
        let too_many = |latency: u64| no_longer(latency).is_some_and(|share| share.low > wanted);
        let high = first_where(&self.sorted[place..], too_many);
        let high = high.map_or(f64::INFINITY, |latency| latency as f64);
        Some(Interval { value: value as f64, low: low as f64, high })
    }

    /// Per run, how many of its operations took no longer than `length`.
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

/// The least of ascending latencies that is as wanted, where all from some place on are.
fn first_where(sorted: &[(u64, u32)], wanted: impl Fn(u64) -> bool) -> Option<u64> {
    let place = sorted.partition_point(|(latency, _)| !wanted(*latency));
    sorted.get(place).map(|(latency, _)| *latency)
}

/// The interval of a ratio of sums over runs, the sum of all parts over the sum of all wholes, by a studentized
/// bootstrap; `None` with fewer than [`FEWEST_RUNS`] runs, or where the wholes sum to 0. For a share, which may be 0 in every
/// run, use [`share`].
///
/// The studentized bootstrap (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 12.5) keeps its
/// promise with skewed samples and few runs, where plain percentiles are too narrow. Its standard error is the usual
/// linearization for a ratio. Where too many resamples have no error of their own the interval is Student's. Ends
/// below 0 are cut off, since no part is.
///
/// # Panics
///
/// If `resamples` are of another number of runs.
#[must_use]
pub fn ratio(runs: &[RatioTerm], resamples: &Resamples) -> Option<Interval> {
    let interval = interval_of(runs, resamples)?;
    Some(Interval { low: interval.low.max(0.0), ..interval })
}

/// The interval of a share: parts are counts out of the wholes, such as the writes that a run lost. `None` with fewer
/// than [`FEWEST_RUNS`] runs, or where the wholes sum to 0.
///
/// What is resampled from runs that lost nothing has lost nothing, so a bootstrap would be certain of a share of 0.
/// This is Wilson's interval instead, with as many operations as would err as much if they were independent (Korn
/// and Graubard, Survey Methodology 24 (1998), 193-201): fewer than there are where operations of a run share their
/// fate. How much they err is by the jackknife over runs, which knows that a run with many operations pulls the share
/// towards itself. A variance that only a few runs show is known badly, so Student's quantile has no more degrees of
/// freedom than one above the number of runs that were struck; but runs are never less than one independent operation
/// each. Where none was struck, or all of all, it is the rule of three with runs in the place of operations: the
/// share of runs that may all be otherwise.
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

/// The interval of the difference of two ratios, `left` less `right`, of two points that were played under the same
/// seeds: the same runs are drawn for both, so what a seed does to both cancels. By the means of [`ratio`].
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

/// The place, from 1, of a quantile among `count` samples.
fn rank(count: u64, per_mille: u32) -> u64 {
    (count * u64::from(per_mille)).div_ceil(1000).max(1)
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
mod coverage;
#[cfg(test)]
mod tests;
