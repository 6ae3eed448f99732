//! The components of a delay's distribution, which is a mixture of them; and sums of two of them.

use crate::experiment::order_statistics::quadrature::integrate;
use crate::sampler::Distribution;

/// The relative error allowed in the survival function of a sum. It is far smaller.
const TOLERANCE: f64 = 1e-9;

/// How many means an exponential is followed: beyond, its probability is negligible.
const EXPONENTS: f64 = 46.0;

/// How many standard deviations a normal deviate is followed.
const DEVIATES: f64 = 10.0;

/// The distribution of a delay's excess over its component's origin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Excess {
    /// Always 0.
    Point,
    /// Uniform from 0 to the width, in nanoseconds.
    Uniform(f64),
    /// Exponential with this mean, in nanoseconds.
    Exponential(f64),
    /// Lognormal.
    LogNormal {
        /// In nanoseconds.
        median: f64,
        /// Of the logarithm.
        sigma: f64,
    },
    /// Pareto, less its least value.
    Pareto {
        /// The least value, in nanoseconds.
        scale: f64,
        /// The tail index.
        shape: f64,
    },
}

/// A component of a mixture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Component {
    /// Its share of the mixture.
    pub(super) weight: f64,
    /// The least delay, in nanoseconds.
    pub(super) origin: f64,
    /// The distribution of the rest.
    pub(super) shape: Excess,
}

/// The components of a distribution; their weights sum to 1.
pub(super) fn components(distribution: &Distribution) -> Vec<Component> {
    let nanos = |length: &crate::time::Span| length.nanos() as f64;
    let one = |origin, shape| vec![Component { weight: 1.0, origin, shape }];
    let uniform = |low: f64, high: f64| match high - low {
        width if width > 0.0 => Excess::Uniform(width),
        _ => Excess::Point,
    };
    match distribution {
        Distribution::Constant(length) => one(nanos(length), Excess::Point),
        Distribution::Uniform { low, high } => one(nanos(low), uniform(nanos(low), nanos(high))),
        Distribution::Exponential { mean } if mean.is_zero() => one(0.0, Excess::Point),
        Distribution::Exponential { mean } => one(0.0, Excess::Exponential(nanos(mean))),
        Distribution::LogNormal { median, sigma } => {
            one(0.0, Excess::LogNormal { median: nanos(median), sigma: *sigma })
        }
        Distribution::Pareto { scale, shape } => {
            one(nanos(scale), Excess::Pareto { scale: nanos(scale), shape: *shape })
        }
        Distribution::Mixture(parts) => {
            let total: f64 = parts.iter().map(|(weight, _)| f64::from(*weight)).sum();
            let some = parts.iter().filter(|(weight, _)| *weight > 0);
            let scaled = |(weight, part): &(u32, Distribution)| {
                let share = f64::from(*weight) / total;
                let mut components = components(part);
                components.iter_mut().for_each(|component| component.weight *= share);
                components
            };
            some.flat_map(scaled).collect()
        }
        Distribution::Quantiles(points) => {
            let between = points.windows(2).filter(|ends| ends[0].0 < ends[1].0);
            let component = |ends: &[(u32, crate::time::Span)]| Component {
                weight: f64::from(ends[1].0 - ends[0].0) / 1e9,
                origin: nanos(&ends[0].1),
                shape: uniform(nanos(&ends[0].1), nanos(&ends[1].1)),
            };
            between.map(component).collect()
        }
    }
}

impl Excess {
    /// The probability of an excess greater than `y`. Its relative error is small even if it is
    /// tiny.
    pub(super) fn survival(self, y: f64) -> f64 {
        if y < 0.0 {
            return 1.0;
        }
        match self {
            Self::Point => 0.0,
            Self::Uniform(width) => (1.0 - y / width).max(0.0),
            Self::Exponential(mean) => libm::exp(-y / mean),
            Self::LogNormal { median, sigma } => {
                let deviate = libm::log(y / median) / sigma;
                libm::erfc(deviate * std::f64::consts::FRAC_1_SQRT_2) / 2.0
            }
            Self::Pareto { scale, shape } => libm::exp(-shape * libm::log1p(y / scale)),
        }
    }

    /// The ends of the range in which its survival may fall steeply; integrals are split there so
    /// that no step is missed. 0 if there is none.
    pub(super) fn ends(self) -> [f64; 2] {
        match self {
            Self::Uniform(width) => [width; 2],
            Self::LogNormal { median, sigma } => {
                [-6.0, 6.0].map(|deviates| median * libm::exp(deviates * sigma))
            }
            Self::Point | Self::Exponential(_) | Self::Pareto { .. } => [0.0; 2],
        }
    }

    /// The order of magnitude of its largest usual values.
    pub(super) fn reach(self) -> f64 {
        match self {
            Self::Point => 0.0,
            Self::Uniform(width) => width,
            Self::Exponential(mean) => mean,
            Self::LogNormal { median, sigma } => median * libm::exp(2.0 * sigma * sigma),
            Self::Pareto { scale, .. } => scale,
        }
    }

    /// Of the variable in which its density is smooth and of order 1: the least value that matters,
    /// and the value at the excess `y`.
    fn natural(self, y: f64) -> (f64, f64) {
        match self {
            Self::Point => (0.0, 0.0),
            Self::Uniform(width) => (0.0, (y / width).min(1.0)),
            Self::Exponential(mean) => (0.0, (y / mean).min(EXPONENTS)),
            Self::LogNormal { median, sigma } => {
                (-DEVIATES, (libm::log(y / median) / sigma).min(DEVIATES))
            }
            Self::Pareto { scale, shape } => (0.0, (shape * libm::log1p(y / scale)).min(EXPONENTS)),
        }
    }

    /// The excess at the value `v` of the natural variable, and the density of that variable there.
    fn at(self, v: f64) -> (f64, f64) {
        match self {
            Self::Point => (0.0, 1.0),
            Self::Uniform(width) => (width * v, 1.0),
            Self::Exponential(mean) => (mean * v, libm::exp(-v)),
            Self::LogNormal { median, sigma } => {
                let density = libm::exp(-v * v / 2.0) / libm::sqrt(2.0 * std::f64::consts::PI);
                (median * libm::exp(sigma * v), density)
            }
            Self::Pareto { scale, shape } => (scale * libm::expm1(v / shape), libm::exp(-v)),
        }
    }

    /// The probability that the sum of this excess and `other` exceeds `y`, and this one is at most
    /// `half`.
    fn leading(self, other: Self, y: f64, half: f64, floor: f64) -> f64 {
        let (low, high) = self.natural(half);
        let integrand = |v: f64| {
            let (excess, density) = self.at(v);
            [density * other.survival(y - excess)]
        };
        let [before, after] = other.ends().map(|end| match y - end {
            split if split > 0.0 && split < half => self.natural(split).1.clamp(low, high.max(low)),
            split if split >= half => high,
            _ => low,
        });
        let part = |from, to| integrate(&integrand, from, to, [floor], TOLERANCE)[0];
        part(low, after) + part(after, before) + part(before, high)
    }
}

/// The probability that the sum of two independent excesses exceeds `y`.
///
/// There are closed forms for two uniform excesses and if one of them is always 0. Otherwise there
/// are three cases: one excess is at most half of `y`, the other is, or both are above. So no
/// function is integrated where it is negligible, and nothing is subtracted, which keeps the
/// relative error small.
pub(super) fn sum_survival(one: Excess, other: Excess, y: f64) -> f64 {
    match (one, other) {
        _ if y < 0.0 => 1.0,
        (Excess::Point, rest) | (rest, Excess::Point) => rest.survival(y),
        (Excess::Uniform(v), Excess::Uniform(w)) => uniform_sum(v.min(w), v.max(w), y),
        _ => {
            let half = y / 2.0;
            let both = one.survival(half) * other.survival(half);
            let floor = both.max(one.survival(y)).max(other.survival(y));
            both + one.leading(other, y, half, floor) + other.leading(one, y, half, floor)
        }
    }
}

/// The same for two uniform excesses of these widths.
fn uniform_sum(narrow: f64, wide: f64, y: f64) -> f64 {
    if y < narrow {
        1.0 - y * (y / narrow) / (2.0 * wide)
    } else if y < wide {
        1.0 - (y - narrow / 2.0) / wide
    } else {
        let rest = (narrow + wide - y).max(0.0);
        rest * (rest / narrow) / (2.0 * wide)
    }
}
