//! The simple components that every distribution of a delay is a mixture of, and sums of two of them.

use crate::experiment::order_statistics::quadrature::integrate;
use crate::sampler::Distribution;

/// Relative error asked of the survival function of a sum; what comes out is far better.
const TOLERANCE: f64 = 1e-9;

/// Beyond this many units nothing of an exponential is left, or of a normal deviate beyond [`DEVIATES`].
const EXPONENTS: f64 = 46.0;

/// See [`EXPONENTS`].
const DEVIATES: f64 = 10.0;

/// How a delay exceeds a component's origin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Excess {
    /// Not at all.
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

/// A part of a mixture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Component {
    /// Its share of the mixture.
    pub(super) weight: f64,
    /// The least delay, in nanoseconds.
    pub(super) origin: f64,
    /// What comes on top.
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
    /// The probability of an excess greater than `y`; its relative error is small even where it is.
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

    /// The excesses between which its survival may fall steeply, so that no step hides between the nodes of an
    /// integral; 0 where there are none.
    pub(super) fn ends(self) -> [f64; 2] {
        match self {
            Self::Uniform(width) => [width; 2],
            Self::LogNormal { median, sigma } => {
                [-6.0, 6.0].map(|deviates| median * libm::exp(deviates * sigma))
            }
            Self::Point | Self::Exponential(_) | Self::Pareto { .. } => [0.0; 2],
        }
    }

    /// A length of the order of its greatest usual values.
    pub(super) fn reach(self) -> f64 {
        match self {
            Self::Point => 0.0,
            Self::Uniform(width) => width,
            Self::Exponential(mean) => mean,
            Self::LogNormal { median, sigma } => median * libm::exp(2.0 * sigma * sigma),
            Self::Pareto { scale, .. } => scale,
        }
    }

    /// The variable in which its density is smooth and of the order of 1, at the excess `y` above 0, and the least
    /// value of that variable that matters.
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

    /// The excess where the natural variable is `v`, and the density of that variable there.
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

    /// The probability that the sum of an excess of this shape, at most `half`, and one of `other` exceeds `y`.
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
/// Two uniform ones, and whatever comes with a point, have closed forms. Else either excess is at most half of `y`
/// and the other makes up for it, or both are above: so no function is integrated beyond where it matters, and
/// nothing is subtracted, which keeps the relative error where the probability is tiny.
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

/// Of uniform ones of these widths.
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
