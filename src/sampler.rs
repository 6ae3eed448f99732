//! Distributions of lengths of time, sampled in integer nanoseconds from keyed draws.
//!
//! Every sampler inverts its cumulative distribution function. A sample takes one draw; a mixture
//! takes a second one to choose its part. All functions come from `libm`, so every platform and
//! every build gives the same bits. A greater draw never gives a shorter length, which keeps
//! configurations comparable under common random numbers.

use crate::time::Span;

/// The distribution of a length of time: a network delay, a think time, a disk sync.
///
/// The scenario layer checks the ranges that the variants state.
#[derive(Clone, PartialEq, Debug)]
pub enum Distribution {
    /// Always the same.
    Constant(Span),
    /// Uniform on the whole nanoseconds of `(low, high]`, where `low <= high`.
    Uniform {
        /// Excluded, unless equal to `high`.
        low: Span,
        /// Included.
        high: Span,
    },
    /// Exponential with this mean.
    Exponential {
        /// The mean.
        mean: Span,
    },
    /// Lognormal.
    LogNormal {
        /// The median e^mu, above 0.
        median: Span,
        /// The standard deviation of the logarithm, finite and above 0.
        sigma: f64,
    },
    /// Pareto: `scale` times u^(-1/`shape`).
    Pareto {
        /// The least value, above 0.
        scale: Span,
        /// The tail index alpha, finite and above 0. The mean is finite above 1, the variance above
        /// 2.
        shape: f64,
    },
    /// One of several, chosen by weight. There is at least one part and one weight above 0, and no
    /// part is a mixture.
    Mixture(Vec<(u32, Self)>),
    /// Linear between measured quantiles (parts per billion, length). Both ascend; the first part
    /// is 0 and the last 1,000,000,000.
    Quantiles(Vec<(u32, Span)>),
}

impl Distribution {
    /// A sample of this distribution. `draw(0)` gives the 64 uniform bits for the value, `draw(1)`
    /// those that choose the part of a mixture. A draw that decides nothing is not made.
    #[inline]
    #[must_use]
    pub fn sample(&self, draw: impl Fn(u32) -> u64) -> Span {
        match self {
            Self::Constant(length) => *length,
            Self::Uniform { low, high } => uniform(*low, *high, draw(0)),
            Self::Mixture(parts) => choose(parts, draw(1)).invert(draw(0)),
            Self::Exponential { .. }
            | Self::LogNormal { .. }
            | Self::Pareto { .. }
            | Self::Quantiles(_) => self.invert(draw(0)),
        }
    }

    /// The length at 64 uniform bits.
    #[inline(never)]
    fn invert(&self, bits: u64) -> Span {
        match self {
            Self::Constant(length) => *length,
            Self::Uniform { low, high } => uniform(*low, *high, bits),
            Self::Quantiles(points) => interpolate(points, bits),
            Self::Exponential { .. }
            | Self::LogNormal { .. }
            | Self::Pareto { .. }
            | Self::Mixture(_) => {
                let p = open_unit(bits);
                to_span(self.inverse(p, 1.0 - p))
            }
        }
    }

    /// The length that half of all samples do not exceed.
    #[must_use]
    pub fn median(&self) -> Span {
        self.invert(1 << 63)
    }

    /// The length that one sample in a billion exceeds. `None` when it is longer than an hour.
    #[must_use]
    pub fn slowest(&self) -> Option<Span> {
        const HOUR: f64 = 3.6e12;
        let length = self.inverse(1.0 - 1e-9, 1e-9);
        (length <= HOUR).then(|| to_span(length))
    }

    /// The length that one sample in a hundred exceeds.
    #[must_use]
    pub fn usual(&self) -> Span {
        to_span(self.quantile_nanos(0.99))
    }

    /// The mean. `None` when it is infinite.
    #[must_use]
    pub fn mean(&self) -> Option<Span> {
        self.mean_nanos().map(to_span)
    }

    /// The mean in nanoseconds. `None` when it is infinite.
    #[must_use]
    pub fn mean_nanos(&self) -> Option<f64> {
        let mean = match self {
            Self::Constant(length) => nanos(*length),
            // Whole nanoseconds from low + 1 to high.
            Self::Uniform { low, high } if low < high => (nanos(*low) + nanos(*high) + 1.0) / 2.0,
            Self::Uniform { high, .. } => nanos(*high),
            Self::Exponential { mean } => nanos(*mean),
            Self::LogNormal { median, sigma } => nanos(*median) * libm::exp(sigma * sigma / 2.0),
            Self::Pareto { scale, shape } if *shape > 1.0 => nanos(*scale) * shape / (shape - 1.0),
            Self::Pareto { .. } => f64::INFINITY,
            Self::Mixture(parts) => {
                weighted(parts, |part| part.mean_nanos().unwrap_or(f64::INFINITY))
            }
            Self::Quantiles(points) => {
                let piece = |ends: &[(u32, Span)]| {
                    f64::from(ends[1].0 - ends[0].0) * (nanos(ends[0].1) + nanos(ends[1].1)) / 2.0
                };
                points.windows(2).map(piece).sum::<f64>() / CERTAIN
            }
        };
        mean.is_finite().then_some(mean)
    }

    /// The length in nanoseconds that a share `p` of all samples does not exceed; at most
    /// [`Span::MAX`].
    #[must_use]
    pub fn quantile_nanos(&self, p: f64) -> f64 {
        let p = p.clamp(0.0, 1.0);
        let length = self.inverse(p, 1.0 - p);
        length.clamp(0.0, nanos(Span::MAX))
    }

    /// The share of all samples that do not exceed this length in nanoseconds.
    #[must_use]
    pub fn cdf(&self, length: f64) -> f64 {
        match self {
            Self::Constant(constant) => step(length >= nanos(*constant)),
            Self::Uniform { low, high } if low < high => {
                ((length - nanos(*low)) / (nanos(*high) - nanos(*low))).clamp(0.0, 1.0)
            }
            Self::Uniform { high, .. } => step(length >= nanos(*high)),
            Self::Exponential { mean } if mean.is_zero() => step(length >= 0.0),
            Self::Exponential { mean } => -libm::expm1(-(length / nanos(*mean)).max(0.0)),
            Self::LogNormal { median, sigma } if length > 0.0 => {
                normal_cdf(libm::log(length / nanos(*median)) / sigma)
            }
            Self::Pareto { scale, shape } if length > nanos(*scale) => {
                1.0 - libm::pow(nanos(*scale) / length, *shape)
            }
            Self::LogNormal { .. } | Self::Pareto { .. } => 0.0,
            Self::Mixture(parts) => weighted(parts, |part| part.cdf(length)),
            Self::Quantiles(points) => {
                let next = points.partition_point(|point| nanos(point.1) <= length);
                match (next.checked_sub(1).map(|at| points[at]), points.get(next)) {
                    (None, _) => 0.0,
                    (_, None) => 1.0,
                    (Some((p, low)), Some(&(next_p, high))) => {
                        let part = (length - nanos(low)) / (nanos(high) - nanos(low));
                        (f64::from(p) + f64::from(next_p - p) * part) / CERTAIN
                    }
                }
            }
        }
    }

    /// The length in nanoseconds that a share `p` of samples does not exceed. `q` is 1 - `p`, which
    /// upper tails need exactly. The result may be infinite but is never NaN.
    fn inverse(&self, p: f64, q: f64) -> f64 {
        match self {
            Self::Constant(length) => nanos(*length),
            Self::Uniform { low, high } => nanos(*low) + p * (nanos(*high) - nanos(*low)),
            Self::Exponential { mean } if mean.is_zero() => 0.0,
            Self::Exponential { mean } => -nanos(*mean) * libm::log(q),
            Self::LogNormal { median, sigma } => {
                nanos(*median) * libm::exp(sigma * normal_quantile(p, q))
            }
            Self::Pareto { scale, shape } => nanos(*scale) * libm::pow(q, -1.0 / shape),
            Self::Mixture(parts) => mixture_quantile(self, parts, p, q),
            Self::Quantiles(points) => {
                let p = p * CERTAIN;
                let next = points.partition_point(|point| f64::from(point.0) <= p);
                let (low_p, low) = points[next.max(1) - 1];
                let (high_p, high) = points[next.min(points.len() - 1)];
                if high_p == low_p {
                    return nanos(high);
                }
                let part = (p - f64::from(low_p)) / f64::from(high_p - low_p);
                nanos(low) + part * (nanos(high) - nanos(low))
            }
        }
    }
}

/// The number of parts that make a probability of one in [`Distribution::Quantiles`].
const CERTAIN: f64 = 1e9;

#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 ns is 104 days; beyond, an error of 1e-16 of it is nothing"
)]
const fn nanos(length: Span) -> f64 {
    length.nanos() as f64
}

/// The nearest [`Span`], at most [`Span::MAX`].
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast of a float saturates, and what is above the greatest length was taken care of"
)]
fn to_span(length: f64) -> Span {
    if length >= nanos(Span::MAX) {
        Span::MAX
    } else {
        Span::from_nanos(libm::round(length) as u64)
    }
}

/// A number above 0 and below 1: the top 52 bits plus one half. The number and its complement are
/// exact. With 53 bits the half would be lost to rounding at the upper end, and 1 would occur.
#[expect(clippy::cast_precision_loss, reason = "52 bits fit")]
fn open_unit(bits: u64) -> f64 {
    ((bits >> 12) as f64 + 0.5) * (1.0 / (1_u64 << 52) as f64)
}

const fn step(reached: bool) -> f64 {
    if reached { 1.0 } else { 0.0 }
}

/// Uniform on (low, high] in integers. `low` when that is empty.
#[inline]
fn uniform(low: Span, high: Span, bits: u64) -> Span {
    let width = high.nanos() - low.nanos();
    let part = ((u128::from(bits) * u128::from(width)) >> 64) as u64;
    Span::from_nanos(low.nanos() + part + u64::from(width > 0))
}

/// The part of a mixture that these bits choose.
fn choose(parts: &[(u32, Distribution)], bits: u64) -> &Distribution {
    let total: u64 = parts.iter().map(|part| u64::from(part.0)).sum();
    let mut rest = ((u128::from(bits) * u128::from(total)) >> 64) as u64;
    for (weight, part) in parts {
        match rest.checked_sub(u64::from(*weight)) {
            Some(less) => rest = less,
            None => return part,
        }
    }
    panic!("a mixture has a weight above 0");
}

/// Linear interpolation, in integers, between the two quantiles around the probability `bits` /
/// 2^64.
#[expect(clippy::cast_possible_truncation, reason = "a part of a length is a length")]
fn interpolate(points: &[(u32, Span)], bits: u64) -> Span {
    // In parts per billion with 32 binary places: the product below fits.
    let p = (u128::from(bits) * 1_000_000_000) >> 32;
    let next = points.partition_point(|point| u128::from(point.0) << 32 <= p);
    let ((low_p, low), (high_p, high)) = (points[next - 1], points[next]);
    let part = u128::from(high.nanos() - low.nanos()) * (p - (u128::from(low_p) << 32))
        / (u128::from(high_p - low_p) << 32);
    Span::from_nanos(low.nanos() + part as u64)
}

/// The mean of `value` over the parts of a mixture, by weight.
fn weighted(parts: &[(u32, Distribution)], value: impl Fn(&Distribution) -> f64) -> f64 {
    // Zero times an infinite value would be NaN, so parts of weight 0 are left out.
    let parts = || parts.iter().filter(|part| part.0 > 0);
    let total: f64 = parts().map(|part| f64::from(part.0)).sum();
    parts().map(|(weight, part)| f64::from(*weight) * value(part)).sum::<f64>() / total
}

/// The quantile of a mixture, by bisection between the least and the greatest quantile of its parts
/// until no float lies between.
fn mixture_quantile(mixture: &Distribution, parts: &[(u32, Distribution)], p: f64, q: f64) -> f64 {
    let ends = || parts.iter().filter(|part| part.0 > 0).map(|(_, part)| part.inverse(p, q));
    let most = nanos(Span::MAX);
    let mut low = ends().fold(most, f64::min);
    let mut high = ends().fold(0.0, f64::max).min(most);
    loop {
        let middle = low.midpoint(high);
        if middle <= low || middle >= high {
            return high;
        }
        if mixture.cdf(middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// The standard normal distribution function.
fn normal_cdf(x: f64) -> f64 {
    libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2) / 2.0
}

/// The inverse of the standard normal distribution function: algorithm AS 241 (PPND16) of M. J.
/// Wichura, Applied Statistics 37 (1988), 477-484, with a relative error of about 10^-16. `q` is 1
/// - `p`.
fn normal_quantile(p: f64, q: f64) -> f64 {
    if p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if q <= 0.0 {
        return f64::INFINITY;
    }
    let offset = p - 0.5;
    if offset.abs() <= 0.425 {
        let r = 0.180_625 - offset * offset;
        return offset * rational(&CENTRE, r);
    }
    let r = libm::sqrt(-libm::log(p.min(q)));
    let magnitude = if r <= 5.0 { rational(&SHOULDER, r - 1.6) } else { rational(&TAIL, r - 5.0) };
    if offset < 0.0 { -magnitude } else { magnitude }
}

/// The quotient of two polynomials. Coefficients are in ascending powers.
fn rational([above, below]: &[[f64; 8]; 2], x: f64) -> f64 {
    let horner =
        |coefficients: &[f64; 8]| coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c);
    horner(above) / horner(below)
}

/// Coefficients for probabilities within 0.425 of one half.
#[expect(clippy::excessive_precision, reason = "as published")]
const CENTRE: [[f64; 8]; 2] = [
    [
        3.387_132_872_796_366_608_0,
        1.331_416_678_917_843_774_5e2,
        1.971_590_950_306_551_442_7e3,
        1.373_169_376_550_946_112_5e4,
        4.592_195_393_154_987_145_7e4,
        6.726_577_092_700_870_085_3e4,
        3.343_057_558_358_812_810_5e4,
        2.509_080_928_730_122_672_7e3,
    ],
    [
        1.0,
        4.231_333_070_160_091_125_2e1,
        6.871_870_074_920_579_083_0e2,
        5.394_196_021_424_751_107_7e3,
        2.121_379_430_158_659_586_7e4,
        3.930_789_580_009_271_061_0e4,
        2.872_908_573_572_194_267_4e4,
        5.226_495_278_852_854_561_0e3,
    ],
];

/// Coefficients further out, to about 1.4e-11 from 0 and 1.
#[expect(clippy::excessive_precision, reason = "as published")]
const SHOULDER: [[f64; 8]; 2] = [
    [
        1.423_437_110_749_683_577_34,
        4.630_337_846_156_545_295_90,
        5.769_497_221_460_691_405_50,
        3.647_848_324_763_204_605_04,
        1.270_458_252_452_368_382_58,
        2.417_807_251_774_506_117_70e-1,
        2.272_384_498_926_918_458_33e-2,
        7.745_450_142_783_414_076_40e-4,
    ],
    [
        1.0,
        2.053_191_626_637_758_821_87,
        1.676_384_830_183_803_849_40,
        6.897_673_349_851_000_045_50e-1,
        1.481_039_764_274_800_745_90e-1,
        1.519_866_656_361_645_719_66e-2,
        5.475_938_084_995_344_946_00e-4,
        1.050_750_071_644_416_843_24e-9,
    ],
];

/// Coefficients for the ends.
#[expect(clippy::excessive_precision, reason = "as published")]
const TAIL: [[f64; 8]; 2] = [
    [
        6.657_904_643_501_103_777_20,
        5.463_784_911_164_114_369_90,
        1.784_826_539_917_291_335_80,
        2.965_605_718_285_048_912_30e-1,
        2.653_218_952_657_612_309_30e-2,
        1.242_660_947_388_078_438_60e-3,
        2.711_555_568_743_487_578_15e-5,
        2.010_334_399_292_288_132_65e-7,
    ],
    [
        1.0,
        5.998_322_065_558_879_376_90e-1,
        1.369_298_809_227_358_053_10e-1,
        1.487_536_129_085_061_485_25e-2,
        7.868_691_311_456_132_591_00e-4,
        1.846_318_317_510_054_681_80e-5,
        1.421_511_758_316_445_888_70e-7,
        2.044_263_103_389_939_785_64e-15,
    ],
];

/// Cumulative weights of the ranks 1 to `ranks` under Zipf's law, scaled to 64 bits. A draw belongs
/// to the first rank whose entry exceeds it.
pub(crate) fn zipf_table(ranks: u32, exponent: f64) -> Vec<u64> {
    let weights: Vec<f64> = (1..=ranks).map(|rank| libm::pow(f64::from(rank), -exponent)).collect();
    let total: f64 = weights.iter().sum();
    let mut sum = 0.0;
    let cumulative = weights.iter().map(|weight| {
        sum += weight;
        // The cast saturates: the last entries may be the greatest integer.
        (sum / total * 18_446_744_073_709_551_616.0) as u64
    });
    cumulative.collect()
}

#[cfg(test)]
mod tests;
