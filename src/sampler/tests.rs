//! The samplers follow their distributions, agree with their own quantiles, and give fixed bits.

use super::*;
use crate::rng::{CausalId, Draws, Purpose, Root};

fn ms(ms: u64) -> Span {
    Span::from_millis(ms)
}

/// One or more of each kind, named.
fn all() -> Vec<(&'static str, Distribution)> {
    let exponential = Distribution::Exponential { mean: ms(40) };
    let pareto = Distribution::Pareto { scale: Span::from_micros(1_050), shape: 1.51 };
    vec![
        ("constant", Distribution::Constant(ms(5))),
        ("uniform", Distribution::Uniform { low: ms(100), high: ms(1_000) }),
        ("exponential", exponential.clone()),
        ("lognormal", Distribution::LogNormal { median: ms(20), sigma: 0.7 }),
        ("wide lognormal", Distribution::LogNormal { median: ms(20), sigma: 2.5 }),
        ("pareto", pareto.clone()),
        ("thin pareto", Distribution::Pareto { scale: ms(10), shape: 10.0 }),
        ("mixture", Distribution::Mixture(vec![(38, pareto), (62, exponential)])),
        (
            "mixture with a constant",
            Distribution::Mixture(vec![
                (1, Distribution::Constant(ms(30))),
                (0, Distribution::Pareto { scale: ms(1), shape: 0.5 }),
                (3, Distribution::Uniform { low: ms(10), high: ms(50) }),
            ]),
        ),
        (
            "quantiles",
            Distribution::Quantiles(vec![
                (0, ms(1)),
                (500_000_000, ms(4)),
                (900_000_000, ms(10)),
                (990_000_000, ms(10)),
                (1_000_000_000, ms(80)),
            ]),
        ),
    ]
}

/// `count` samples under the keyed draws of `seed`, ascending, in nanoseconds.
fn samples(distribution: &Distribution, seed: u64, count: u64) -> Vec<f64> {
    let draws = Draws::new(seed);
    let mut samples: Vec<f64> = (0..count)
        .map(|operation| {
            let id = CausalId::root(Root::Operation, 3, operation);
            nanos(distribution.sample(|index| draws.draw(Purpose::Delay, id, index)))
        })
        .collect();
    samples.sort_by(f64::total_cmp);
    samples
}

/// The Kolmogorov-Smirnov statistic: the greatest distance between the distribution function of the
/// samples and the stated one. Where the stated one jumps, its value just below the sample counts
/// on the lower side.
fn distance(distribution: &Distribution, samples: &[f64]) -> f64 {
    let count = samples.len() as f64;
    let mut greatest = 0.0_f64;
    let mut start = 0;
    while start < samples.len() {
        let value = samples[start];
        let end = start + samples[start..].partition_point(|&other| other <= value);
        greatest = greatest.max((distribution.cdf(value) - end as f64 / count).abs());
        greatest = greatest.max((distribution.cdf(value - 1.0) - start as f64 / count).abs());
        start = end;
    }
    greatest
}

/// With 100,000 samples, chance exceeds a distance of 1.95 / sqrt(100,000) once in a thousand
/// times. The seeds are fixed, so the outcome never changes.
#[test]
fn samples_are_distributed_as_stated() {
    const COUNT: u64 = 100_000;
    let threshold = 1.95 / (COUNT as f64).sqrt();
    for (name, distribution) in all() {
        for seed in [1, 2] {
            let distance = distance(&distribution, &samples(&distribution, seed, COUNT));
            assert!(distance < threshold, "{name}, seed {seed}: {distance} >= {threshold}");
        }
    }
}

/// Five standard errors of the mean, where the variance is finite and known.
#[test]
fn means_and_variances_are_the_closed_forms() {
    let square = |x: f64| x * x;
    let variance = |distribution: &Distribution| match distribution {
        Distribution::Uniform { low, high } => Some(square(nanos(*high) - nanos(*low)) / 12.0),
        Distribution::Exponential { mean } => Some(square(nanos(*mean))),
        Distribution::LogNormal { median, sigma } if *sigma < 1.0 => {
            let growth = (sigma * sigma).exp();
            Some(square(nanos(*median)) * growth * (growth - 1.0))
        }
        Distribution::Pareto { scale, shape } if *shape > 4.0 => {
            let (a, b) = (shape - 1.0, shape - 2.0);
            Some(square(nanos(*scale)) * shape / (a * a * b))
        }
        _ => None,
    };
    let mut checked = 0;
    for (name, distribution) in all() {
        let Some(variance) = variance(&distribution) else { continue };
        checked += 1;
        let samples = samples(&distribution, 5, 200_000);
        let count = samples.len() as f64;
        let mean = samples.iter().sum::<f64>() / count;
        let expected = distribution.mean_nanos().expect("a finite variance has a finite mean");
        let error = 5.0 * (variance / count).sqrt();
        assert!((mean - expected).abs() < error, "{name}: mean {mean}, not {expected}");
        let seen = samples.iter().map(|x| square(x - mean)).sum::<f64>() / (count - 1.0);
        assert!((seen / variance - 1.0).abs() < 0.05, "{name}: variance {seen}, not {variance}");
    }
    assert_eq!(checked, 4);
}

#[test]
fn the_mean_is_the_integral_of_the_quantiles() {
    for (name, distribution) in all() {
        let Some(mean) = distribution.mean_nanos() else { panic!("{name} has a mean") };
        if name.starts_with("wide") || name == "pareto" || name == "mixture" {
            continue; // Too much of the mean is in the last millionth.
        }
        const STEPS: u32 = 20_000;
        let midpoints = (0..STEPS).map(|i| (f64::from(i) + 0.5) / f64::from(STEPS));
        let integral = midpoints.map(|p| distribution.quantile_nanos(p)).sum::<f64>();
        let integral = integral / f64::from(STEPS);
        assert!((integral / mean - 1.0).abs() < 2e-3, "{name}: {integral}, not {mean}");
    }
    let endless = Distribution::Pareto { scale: ms(1), shape: 1.0 };
    assert_eq!(endless.mean_nanos(), None);
    let partly = Distribution::Mixture(vec![(9, Distribution::Constant(ms(1))), (1, endless)]);
    assert_eq!(partly.mean_nanos(), None);
}

#[test]
fn quantile_and_cdf_undo_each_other() {
    for (name, distribution) in all() {
        for step in 1..1_000 {
            let p = f64::from(step) / 1_000.0;
            let x = distribution.quantile_nanos(p);
            // The definition of a quantile where the distribution jumps or rests: reached at x, not
            // before.
            let (at, before) = (distribution.cdf(x), distribution.cdf(x * (1.0 - 1e-12) - 1e-6));
            assert!(at >= p - 1e-9, "{name}: the {p} quantile {x} is reached by {at}");
            assert!(
                before <= p + 1e-9,
                "{name}: the {p} quantile {x} was reached before by {before}"
            );
        }
    }
}

#[test]
fn a_greater_draw_never_gives_a_shorter_length() {
    for (name, distribution) in all() {
        for choice in [0, u64::MAX / 2, u64::MAX] {
            let at =
                |bits: u64| distribution.sample(|index| if index == 0 { bits } else { choice });
            let lengths: Vec<Span> = (0..=u8::MAX).map(|i| at(u64::from(i) << 56)).collect();
            assert!(lengths.is_sorted(), "{name}");
        }
    }
}

#[test]
fn the_extreme_draws_stay_in_range() {
    let s = Span::from_nanos;
    let at = |distribution: &Distribution, bits| distribution.sample(|_| bits);
    for (name, distribution) in all() {
        assert!(at(&distribution, 0) <= at(&distribution, u64::MAX), "{name}");
        assert!(at(&distribution, u64::MAX) <= Span::MAX, "{name}");
    }
    // (low, high], also where that is one nanosecond, nothing, or everything.
    for (low, high, first) in [(5, 9, 6), (5, 6, 6), (5, 5, 5), (0, 0, 0), (0, 1 << 62, 1)] {
        let uniform = Distribution::Uniform { low: s(low), high: s(high) };
        assert_eq!((at(&uniform, 0), at(&uniform, u64::MAX)), (s(first), s(high)));
    }
    let cases = [
        // -log(2^-53) = 36.7 means at the most.
        (Distribution::Exponential { mean: s(1_000_000) }, 0, 36_736_801),
        (Distribution::Exponential { mean: Span::ZERO }, 0, 0),
        (Distribution::Exponential { mean: Span::MAX }, 512, 1 << 62),
        (Distribution::LogNormal { median: ms(1), sigma: 1e300 }, 0, 1 << 62),
        (Distribution::LogNormal { median: Span::MAX, sigma: 1e-300 }, 1 << 62, 1 << 62),
        (Distribution::Pareto { scale: s(7), shape: 1e-300 }, 1 << 62, 1 << 62),
        (Distribution::Pareto { scale: s(7), shape: 1e300 }, 7, 7),
        (Distribution::Quantiles(vec![(0, s(0)), (1_000_000_000, Span::MAX)]), 0, (1 << 62) - 2),
    ];
    for (distribution, least, most) in cases {
        let seen = (at(&distribution, 0).nanos(), at(&distribution, u64::MAX).nanos());
        assert_eq!(seen, (least, most), "{distribution:?}");
        for p in [0.0, 0.5, 1.0] {
            let quantile = distribution.quantile_nanos(p);
            assert!((0.0..=nanos(Span::MAX)).contains(&quantile), "{distribution:?}: {quantile}");
        }
        for length in [-1.0, 0.0, 1.0, 1e30, f64::INFINITY] {
            let share = distribution.cdf(length);
            assert!((0.0..=1.0).contains(&share), "{distribution:?} at {length}: {share}");
        }
    }
    assert!(open_unit(0) > 0.0 && open_unit(u64::MAX) < 1.0);
    assert_eq!(1.0 - open_unit(u64::MAX), open_unit(0));
}

/// What decides nothing is not drawn: a constant link costs no hash.
#[test]
fn nothing_is_drawn_in_vain() {
    let constant = Distribution::Constant(ms(5));
    assert_eq!(constant.sample(|_| panic!("drawn")), ms(5));
    for (_, distribution) in all() {
        if !matches!(distribution, Distribution::Mixture(_)) {
            let _ = distribution.sample(|index| if index == 0 { 1 } else { panic!("drawn") });
        }
    }
}

/// A mixture in a mixture is refused by the scenario layer, and means what it says all the same.
#[test]
fn a_nested_mixture_is_sampled_by_its_quantiles() {
    let [.., (_, inner), _] = &all()[..8] else { panic!("a mixture") };
    let inner = Distribution::Mixture(vec![(1, inner.clone()), (1, all()[2].1.clone())]);
    let outer = Distribution::Mixture(vec![(1, inner.clone())]);
    let bits = 3 << 61;
    let expected = to_span(inner.quantile_nanos(open_unit(bits)));
    assert_eq!(outer.sample(|_| bits), expected);
}

/// Published: Wichura's own check values, then the distribution function far out.
#[test]
fn the_normal_quantile_is_good_to_the_last_digits() {
    let published = [
        (0.25, -0.674_489_750_196_081_7),
        (0.001, -3.090_232_306_167_813),
        (1e-20, -9.262_340_089_798_408),
        (0.975, 1.959_963_984_540_054),
    ];
    for (p, expected) in published {
        let seen = normal_quantile(p, 1.0 - p);
        assert!((seen / expected - 1.0).abs() < 1e-15, "{p}: {seen}, not {expected}");
    }
    for exponent in 1..300 {
        let p = libm::pow(10.0, -f64::from(exponent));
        let back = normal_cdf(normal_quantile(p, 1.0));
        assert!((back / p - 1.0).abs() < 1e-11, "{p} came back as {back}");
    }
}

/// Replaying a seed needs the same bits in every build and on every platform. Never change these
/// numbers without a new version of everything that was recorded with them.
#[test]
fn samples_are_what_they_always_were() {
    let bits = [0, 0x0123_4567_89ab_cdef, 0x8000_0000_0000_0000, 0xdead_beef_0bad_f00d, u64::MAX];
    let expected = [
        ("constant", [5_000_000, 5_000_000, 5_000_000, 5_000_000, 5_000_000]),
        ("uniform", [100_000_001, 104_000_000, 550_000_001, 882_854_786, 1_000_000_000]),
        ("exponential", [0, 178_174, 27_725_887, 81_559_218, 1_469_472_023]),
        ("lognormal", [63_868, 3_203_755, 20_000_000, 43_977_247, 6_262_956_141]),
        ("wide lognormal", [0, 28_868, 20_000_000, 333_553_784, 16_384_025_669_716_756]),
        ("pareto", [1_050_000, 1_053_102, 1_661_678, 4_051_586, 38_649_402_938_474_520]),
        ("thin pareto", [10_000_000, 10_004_455, 10_717_735, 12_261_731, 393_966_212]),
        ("mixture", [0, 178_174, 1_661_678, 4_051_586, 1_469_472_023]),
        ("mixture with a constant", [10_000_001, 10_177_778, 30_000_000, 44_793_547, 50_000_000]),
        ("quantiles", [1_000_000, 1_026_666, 4_000_000, 9_547_579, 79_999_999]),
    ];
    let seen = all().into_iter().map(|(name, distribution)| {
        (
            name,
            bits.map(|value| distribution.sample(|index| value ^ u64::from(index) << 63).nanos()),
        )
    });
    assert_eq!(seen.collect::<Vec<_>>(), expected);
}
