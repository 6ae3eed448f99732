//! The bootstrap over runs, and studentized intervals by it.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::report::plot::Interval;

/// The standard normal distribution's quantile at 97.5%.
pub(super) const NORMAL: f64 = 1.959_963_984_540_054;

/// The fewest runs of which there is an interval.
pub const FEWEST_RUNS: usize = 5;

/// Keeps these draws apart from those of runs, whose seeds are small numbers.
const SEED: u64 = 0xb007_57a9_0000_0000;

/// What one run adds to the two sums of a ratio. Neither is below 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RatioTerm {
    /// The numerator: lost writes, messages, nanoseconds.
    pub part: f64,
    /// The denominator: acknowledged writes, operations, latencies.
    pub whole: f64,
}

/// Bootstrap resamples: how often each run was drawn, when as many runs as there are were drawn
/// with replacement. All statistics of a point use the same resamples, and so do both sides of a
/// difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resamples {
    runs: usize,
    /// The counts of all resamples, one for each run, one resample after another.
    counts: Vec<u32>,
}

impl Resamples {
    /// How many resamples there are by default.
    pub const COUNT: usize = 1000;

    /// [`Self::COUNT`] resamples of `runs` runs, for the point with this index.
    #[must_use]
    pub fn draw(point: u32, runs: usize) -> Self {
        Self::draw_many(point, runs, Self::COUNT)
    }

    /// `resamples` resamples of `runs` runs, for the point with this index.
    #[must_use]
    pub fn draw_many(point: u32, runs: usize, resamples: usize) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(SEED | u64::from(point));
        let mut counts = vec![0; runs * resamples];
        for resample in counts.chunks_exact_mut(runs.max(1)) {
            for _ in 0..runs {
                let draw = u128::from(generator.next_u64()) * runs as u128;
                resample[(draw >> 64) as usize] += 1;
            }
        }
        Self { runs, counts }
    }

    /// How many runs they are of.
    #[must_use]
    pub const fn runs(&self) -> usize {
        self.runs
    }

    /// The resamples: how often each run was drawn.
    pub fn iter(&self) -> impl Iterator<Item = &[u32]> {
        self.counts.chunks_exact(self.runs.max(1))
    }
}

/// The interval of a ratio.
pub(super) fn interval_of(runs: &[RatioTerm], resamples: &Resamples) -> Option<Interval> {
    assert_eq!(resamples.runs(), runs.len(), "resamples of other runs");
    studentized(|counts| Some(Linear::of(runs, counts)?.estimate(runs, counts)), resamples)
}

/// The interval of the difference of two ratios.
pub(super) fn difference_of(
    left: &[RatioTerm],
    right: &[RatioTerm],
    resamples: &Resamples,
) -> Option<Interval> {
    assert_eq!(resamples.runs(), left.len(), "resamples of other runs");
    assert_eq!(right.len(), left.len(), "points of different runs");
    let estimate = |counts: &[u32]| {
        let (minuend, subtrahend) = (Linear::of(left, counts)?, Linear::of(right, counts)?);
        let pairs = left.iter().zip(right);
        let influences =
            pairs.map(|(left, right)| minuend.influence(left) - subtrahend.influence(right));
        Some((minuend.ratio - subtrahend.ratio, error(influences, counts)))
    };
    studentized(estimate, resamples)
}

/// A ratio of sums, linearized in the terms of each run.
struct Linear {
    ratio: f64,
    whole: f64,
}

impl Linear {
    fn of(runs: &[RatioTerm], counts: &[u32]) -> Option<Self> {
        let (mut part, mut whole) = (0.0, 0.0);
        for (run, count) in runs.iter().zip(counts) {
            part += f64::from(*count) * run.part;
            whole += f64::from(*count) * run.whole;
        }
        (whole > 0.0).then(|| Self { ratio: part / whole, whole })
    }

    /// The influence of a run on the ratio.
    fn influence(&self, run: &RatioTerm) -> f64 {
        (run.part - self.ratio * run.whole) / self.whole
    }

    fn estimate(&self, runs: &[RatioTerm], counts: &[u32]) -> (f64, f64) {
        (self.ratio, error(runs.iter().map(|run| self.influence(run)), counts))
    }
}

/// The standard error of an estimate, from the influences of the runs.
fn error(influences: impl Iterator<Item = f64>, counts: &[u32]) -> f64 {
    let runs = counts.len() as f64;
    let squares = influences.zip(counts).map(|(moves, count)| f64::from(*count) * moves * moves);
    (squares.sum::<f64>() * runs / (runs - 1.0)).sqrt()
}

/// The interval of an estimate; `estimate` computes it and its standard error from how often each
/// run counts.
fn studentized(
    estimate: impl Fn(&[u32]) -> Option<(f64, f64)>,
    resamples: &Resamples,
) -> Option<Interval> {
    let runs = resamples.runs();
    if runs < FEWEST_RUNS {
        return None;
    }
    let (value, error) = estimate(&vec![1; runs])?;
    let around = |low: f64, high: f64| Interval {
        value,
        low: (value + error * low).min(value),
        high: (value + error * high).max(value),
    };
    let student = student(runs - 1);
    if error <= 0.0 {
        return Some(around(-student, student));
    }
    let deviates = resamples.iter().filter_map(&estimate).map(|(drawn, its_error)| {
        let off = drawn - value;
        // If all drawn runs agree, the error is 0 and the deviate infinite.
        if off.abs() > 0.0 { off / its_error } else { 0.0 }
    });
    match central(&mut deviates.collect::<Vec<_>>()) {
        Some((low, high)) if low.is_finite() && high.is_finite() => Some(around(-high, -low)),
        _ => Some(around(-student, student)),
    }
}

/// The ends of the central 95%, by nearest rank from either end; `None` without values.
fn central(values: &mut [f64]) -> Option<(f64, f64)> {
    values.sort_unstable_by(f64::total_cmp);
    let rank = (values.len() * 25).div_ceil(1000);
    let last = values.len().checked_sub(rank)?;
    Some((*values.get(rank.checked_sub(1)?)?, *values.get(last)?))
}

/// The 97.5% quantile of Student's distribution. For few degrees of freedom it is from a table with
/// four figures, from five on by the expansion around the normal distribution (Abramowitz and
/// Stegun, 26.7.5), which is off by less than 0.003.
pub(super) fn student(freedom: usize) -> f64 {
    const FEW: [f64; 5] = [f64::INFINITY, 12.706, 4.303, 3.182, 2.776];
    if let Some(quantile) = FEW.get(freedom) {
        return *quantile;
    }
    let (z, n) = (NORMAL, freedom as f64);
    let square = z * z;
    let first = z * (square + 1.0) / 4.0;
    let second = z * ((5.0 * square + 16.0) * square + 3.0) / 96.0;
    let third = z * (((3.0 * square + 19.0) * square + 17.0) * square - 15.0) / 384.0;
    z + (first + (second + third / n) / n) / n
}
