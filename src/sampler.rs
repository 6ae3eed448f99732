//! Distributions of a length of time: sampled in integer nanoseconds from keyed draws.
//!
//! Every sampler inverts its cumulative distribution, one draw a sample (a mixture takes a second to choose its
//! part), on `libm`'s functions: the same bits on every platform and in every build.

use crate::time::Span;

/// How long something takes: a message on its way, a client's thought, a disk's sync.
///
/// The constructors of the scenario layer check the ranges that each variant names.
#[derive(Clone, PartialEq, Debug)]
pub enum Distribution {
    /// Always the same.
    Constant(Span),
    /// Uniform on `(low, high]` to the nanosecond; `low <= high`.
    Uniform {
        /// Never reached unless equal to `high`.
        low: Span,
        /// Reached.
        high: Span,
    },
    /// Exponential with this mean.
    Exponential {
        /// The mean.
        mean: Span,
    },
    /// Lognormal: the logarithm is normal.
    LogNormal {
        /// The median, e^mu; above 0.
        median: Span,
        /// The standard deviation of the logarithm; above 0, finite.
        sigma: f64,
    },
    /// Pareto: `scale` times u^(-1/`shape`).
    Pareto {
        /// The least value; above 0.
        scale: Span,
        /// The tail index alpha; above 0, finite. The mean is finite above 1, the variance above 2.
        shape: f64,
    },
    /// One of several, by weight; at least one part, at least one weight above 0, parts not mixtures themselves.
    Mixture(Vec<(u32, Distribution)>),
    /// Piecewise linear between measured quantiles: (parts per billion, length), both ascending, from 0 to
    /// 1,000,000,000 inclusive.
    Quantiles(Vec<(u32, Span)>),
}
