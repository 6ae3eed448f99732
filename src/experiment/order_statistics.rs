//! Order statistics: mean and standard deviation of the k-th smallest of n delays.
//!
//! A write that waits for k of n acknowledgements waits for the k-th smallest of n independent
//! delays, one way or both ways. A sweep over the write quorum should measure the same.
//!
//! Delays are real numbers here. Simulated ones are whole nanoseconds and at most
//! [`crate::time::Span::MAX`]; the model ignores that.

use crate::experiment::order_statistics::component::{Component, Excess, components, sum_survival};
use crate::experiment::order_statistics::quadrature::integrate;
use crate::sampler::Distribution;

mod component;
mod quadrature;

/// The relative error allowed in the integrals. Mostly it is far smaller.
const TOLERANCE: f64 = 1e-8;

/// The ratio of the widths of neighbouring panels of the integration.
const GROWTH: f64 = 4.0;

/// The most places at which an integral is split because the distribution is not smooth there.
/// Others are found by halving.
const BREAKS: usize = 256;

/// The most panels for a tail: it then reaches beyond 10^180 times the spread.
const PANELS: u32 = 300;

/// The first two moments of a delay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// The mean, in nanoseconds.
    pub mean: f64,
    /// The standard deviation, in nanoseconds; infinite if the tail is too heavy.
    pub deviation: f64,
}

/// The moments of the `k`-th smallest of `n` independent delays. Each delay is drawn from `out`, or
/// is the sum of a draw from `out` and one from `back`. The relative error is below one in a
/// million for `n` up to a thousand.
///
/// `None` if the mean is infinite. With a Pareto tail of index alpha, the k-th smallest has a tail
/// of index alpha (n + 1 - k), which must exceed 1 for a mean and 2 for a deviation.
///
/// Constant, uniform, exponential (Rényi's representation) and Pareto delays have closed forms (H.
/// A. David and H. N. Nagaraja, "Order Statistics", 3rd edition, 2003, sections 2.5 and 3.1), also
/// if a constant is added. All others are integrated, among them two such delays there and back:
/// with S(x) the probability that the k-th smallest exceeds x, and any c, the mean is c plus the
/// integral of S above c less the integral of 1 - S below c.
///
/// # Panics
///
/// Unless 1 <= `k` <= `n`.
#[must_use]
pub fn kth_of(n: u32, k: u32, out: &Distribution, back: Option<&Distribution>) -> Option<Moments> {
    assert!((1..=n).contains(&k), "there is no {k}-th of {n}");
    let out = components(out);
    let back = back
        .map_or_else(|| components(&Distribution::Constant(crate::time::Span::ZERO)), components);
    let order = Order { n, k };
    let moments = match (out.as_slice(), back.as_slice()) {
        ([one], [Component { origin, shape: Excess::Point, .. }])
        | ([Component { origin, shape: Excess::Point, .. }], [one]) => {
            order.closed_form(one.shape, one.origin + origin)
        }
        _ => None,
    };
    let moments = moments.unwrap_or_else(|| Wait::of(order, &out, &back).moments());
    moments.mean.is_finite().then_some(moments)
}

/// The k-th smallest of n.
#[derive(Clone, Copy)]
struct Order {
    n: u32,
    k: u32,
}

impl Order {
    /// Its rank from the greatest, from 1.
    const fn rank_from_above(self) -> u32 {
        self.n - self.k + 1
    }

    /// The moments by a closed form, if there is one. The mean may be infinite.
    fn closed_form(self, shape: Excess, origin: f64) -> Option<Moments> {
        let (n, k) = (f64::from(self.n), f64::from(self.k));
        // The spacings of exponentials are independent, with rates from n down to n + 1 - k.
        let rates = || (self.rank_from_above()..=self.n).map(f64::from);
        let (mean, deviation) = match shape {
            Excess::Point => (0.0, 0.0),
            Excess::Uniform(width) => {
                let variance = k * (n + 1.0 - k) / ((n + 1.0) * (n + 1.0) * (n + 2.0));
                (width * k / (n + 1.0), width * variance.sqrt())
            }
            Excess::Exponential(mean) => {
                let squares: f64 = rates().map(|rate| 1.0 / (rate * rate)).sum();
                (mean * rates().map(|rate| 1.0 / rate).sum::<f64>(), mean * squares.sqrt())
            }
            Excess::LogNormal { .. } => return None,
            Excess::Pareto { scale, shape } => {
                let index = shape * f64::from(self.rank_from_above());
                let whole: f64 = rates().map(|rate| rate / (rate - 1.0 / shape)).product();
                // The second moment over the square of the first, by logarithms near 0.
                let excess = |rate: f64| 1.0 / (shape * shape * rate * (rate - 2.0 / shape));
                let ratio: f64 = rates().map(|rate| libm::log1p(excess(rate))).sum();
                match index {
                    _ if index <= 1.0 => (f64::INFINITY, f64::INFINITY),
                    _ if index <= 2.0 => (scale * (whole - 1.0), f64::INFINITY),
                    _ => (scale * (whole - 1.0), scale * whole * libm::expm1(ratio).sqrt()),
                }
            }
        };
        Some(Moments { mean: origin + mean, deviation })
    }

    /// The probability of fewer than `k` successes in `n` trials, with probabilities `p` of success
    /// and `q` = 1 - `p` of failure: the (n + 1 - k)-th failure comes before the k-th success.
    fn fewer(self, p: f64, q: f64) -> f64 {
        negative_binomial(self.k, self.rank_from_above(), p, q)
    }

    /// The probability of at least `k` successes in `n` trials.
    fn enough(self, p: f64, q: f64) -> f64 {
        negative_binomial(self.rank_from_above(), self.k, q, p)
    }
}

/// The probability that the `failures`-th failure comes before the `successes`-th success. All
/// terms are positive, so tiny probabilities are as exact as large ones.
fn negative_binomial(successes: u32, failures: u32, p: f64, q: f64) -> f64 {
    let mut term = libm::pow(q, f64::from(failures));
    let mut sum = term;
    for i in 1..successes {
        term *= p * f64::from(failures - 1 + i) / f64::from(i);
        sum += term;
    }
    sum.min(1.0)
}

/// The waiting time whose moments are integrated.
struct Wait {
    order: Order,
    /// The delay as a mixture of sums: the weight, the origin and the two excesses that are added.
    sums: Vec<(f64, f64, Excess, Excess)>,
}

impl Wait {
    fn of(order: Order, out: &[Component], back: &[Component]) -> Self {
        let sum = |one: &Component, other: &Component| {
            (one.weight * other.weight, one.origin + other.origin, one.shape, other.shape)
        };
        let sums = out.iter().flat_map(|one| back.iter().map(move |other| sum(one, other)));
        Self { order, sums: sums.collect() }
    }

    /// The probability that one delay exceeds `x`.
    fn survival(&self, x: f64) -> f64 {
        let sums = self.sums.iter();
        let survive = |(weight, origin, one, other): &(f64, f64, Excess, Excess)| {
            weight * sum_survival(*one, *other, x - origin)
        };
        sums.map(survive).sum::<f64>().min(1.0)
    }

    /// The probability that the wait exceeds `x`.
    fn exceeds(&self, x: f64) -> f64 {
        let q = self.survival(x);
        self.order.fewer(1.0 - q, q)
    }

    /// The tail index of the wait; infinite without a Pareto tail.
    fn index(&self) -> f64 {
        let shapes = self.sums.iter().flat_map(|(_, _, one, other)| [one, other]);
        let index = shapes.filter_map(|shape| match shape {
            Excess::Pareto { shape, .. } => Some(*shape),
            _ => None,
        });
        index.fold(f64::INFINITY, f64::min) * f64::from(self.order.rank_from_above())
    }

    /// The least possible wait.
    fn origin(&self) -> f64 {
        self.sums.iter().map(|(_, origin, ..)| *origin).fold(f64::INFINITY, f64::min)
    }

    /// Beyond this length there is nothing but the tail.
    fn reach(&self) -> f64 {
        let reaches =
            self.sums.iter().map(|(_, origin, one, other)| origin + one.reach() + other.reach());
        reaches.fold(0.0, f64::max)
    }

    /// Where the distribution function is not smooth, in rising order.
    fn breaks(&self) -> Vec<f64> {
        let mut breaks = Vec::new();
        for (_, origin, one, other) in &self.sums {
            let ends = |shape: &Excess| {
                let [first, last] = shape.ends();
                [0.0, first, last]
            };
            for end in ends(one) {
                breaks.extend(ends(other).map(|other| origin + end + other));
            }
        }
        breaks.sort_unstable_by(f64::total_cmp);
        breaks.dedup();
        let step = breaks.len().div_ceil(BREAKS).max(1);
        breaks.into_iter().step_by(step).collect()
    }

    /// The least length that the wait exceeds with probability `level` or less, by 60 halvings.
    fn quantile(&self, level: f64) -> f64 {
        let origin = self.origin();
        let (mut low, mut high) = (0.0, 1.0);
        while self.exceeds(origin + high) > level && high < 1e150 {
            (low, high) = (high, high * GROWTH);
        }
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if middle <= low || middle >= high || high - low < 1e-12 * (origin + high) {
                break;
            }
            if self.exceeds(origin + middle) > level { low = middle } else { high = middle }
        }
        origin + high
    }

    /// The moments by integration from the median, over panels that become wider away from it. The
    /// first is as wide as the interquartile range.
    fn moments(&self) -> Moments {
        let index = self.index();
        if index <= 1.0 {
            return Moments { mean: f64::INFINITY, deviation: f64::INFINITY };
        }
        let centre = self.quantile(0.5);
        let width = (self.quantile(0.25) - self.quantile(0.75)).max(centre * 1e-9).max(1e-3);
        let breaks = self.breaks();
        let below = self.below(centre, width, &breaks);
        let above = self.above(centre, width, &breaks, below);
        let offset = above[0] - below[0];
        let squares = above[1] + below[1];
        let deviation = (squares - offset * offset).max(0.0).sqrt();
        Moments {
            mean: centre + offset,
            deviation: if index <= 2.0 { f64::INFINITY } else { deviation },
        }
    }

    /// The integrals of 1 - S and 2 (c - x) (1 - S) below c, `centre`.
    fn below(&self, centre: f64, width: f64, breaks: &[f64]) -> [f64; 2] {
        let integrand = |x: f64| {
            let q = self.survival(x);
            let enough = self.order.enough(1.0 - q, q);
            [enough, 2.0 * (centre - x) * enough]
        };
        let (mut total, mut high, mut step) = ([0.0; 2], centre, width);
        let origin = self.origin();
        while high > origin {
            let low = (centre - step).max(origin);
            let part = between(&integrand, low, high, breaks, total);
            total = [total[0] + part[0], total[1] + part[1]];
            (high, step) = (low, step * GROWTH);
        }
        total
    }

    /// The integrals of S and 2 (x - c) S above c, `centre`. `below` are the integrals below it.
    fn above(&self, centre: f64, width: f64, breaks: &[f64], below: [f64; 2]) -> [f64; 2] {
        let integrand = |x: f64| {
            let exceeds = self.exceeds(x);
            [exceeds, 2.0 * (x - centre) * exceeds]
        };
        let (index, reach) =
            (self.index(), self.reach().max(breaks.last().copied().unwrap_or(0.0)));
        let (mut total, mut low, mut step) = ([0.0; 2], centre, width);
        let mut before = [f64::INFINITY; 2];
        for _ in 0..PANELS {
            let high = centre + step;
            let floor = [total[0] + below[0], total[1] + below[1]];
            let part = between(&integrand, low, high, breaks, floor);
            total = [total[0] + part[0], total[1] + part[1]];
            // What a pure tail of this index would add from here on.
            let [exceeds, _] = integrand(high);
            let rest = |power: f64| match index - power {
                room if room.is_infinite() || room <= 0.0 => 0.0,
                room => libm::pow(step, power) * exceeds * power / room,
            };
            let whole = [total[0] + rest(1.0), total[1] + rest(2.0)];
            let settled = |at: usize| {
                let scale = whole[at] + below[at];
                (whole[at] - before[at]).abs() <= TOLERANCE * 0.01 * scale
            };
            if high > reach && settled(0) && (settled(1) || index <= 2.0) {
                return whole;
            }
            (before, low, step) = (whole, high, step * GROWTH);
        }
        before
    }
}

/// The integral from `low` to `high`, split at the `breaks` between.
fn between(
    integrand: &impl Fn(f64) -> [f64; 2],
    low: f64,
    high: f64,
    breaks: &[f64],
    floor: [f64; 2],
) -> [f64; 2] {
    let first = breaks.partition_point(|at| *at <= low);
    let last = breaks.partition_point(|at| *at < high).max(first);
    let mut total = [0.0; 2];
    let mut from = low;
    for to in breaks[first..last].iter().copied().chain([high]) {
        let floor = [floor[0] + total[0], floor[1] + total[1]];
        let part = integrate(integrand, from, to, floor, TOLERANCE);
        total = [total[0] + part[0], total[1] + part[1]];
        from = to;
    }
    total
}

#[cfg(test)]
mod tests;
