//! The closed forms against published ones, the integrals against the closed forms, and both
//! against samples.

use std::time::{Duration, Instant};

use super::*;
use crate::rng::{CausalId, Draws, Purpose, Root};
use crate::time::Span;

fn ms(ms: u64) -> Span {
    Span::from_millis(ms)
}

fn uniform(low: u64, high: u64) -> Distribution {
    Distribution::Uniform { low: ms(low), high: ms(high) }
}

fn exponential(mean: u64) -> Distribution {
    Distribution::Exponential { mean: ms(mean) }
}

fn pareto(scale: u64, shape: f64) -> Distribution {
    Distribution::Pareto { scale: ms(scale), shape }
}

fn moments(n: u32, k: u32, out: &Distribution, back: Option<&Distribution>) -> Moments {
    kth_of(n, k, out, back).expect("a finite mean")
}

fn near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance * expected.abs(), "{found}, not {expected}");
}

fn integrated(n: u32, k: u32, out: &Distribution) -> Moments {
    let point = components(&Distribution::Constant(Span::ZERO));
    Wait::of(Order { n, k }, &components(out), &point).moments()
}

#[test]
fn uniform_delays_have_the_published_moments() {
    let delay = uniform(0, 1000);
    let one_way = [166.667, 333.333, 500.0, 666.667, 833.333];
    let deviations = [140.859, 178.174, 188.982, 178.174, 140.859];
    let both_ways = [522.817, 787.698, 1000.0, 1212.302, 1477.183];
    for (k, at) in (1..=5).zip(0..) {
        let out = moments(5, k, &delay, None);
        near(out.mean / 1e6, one_way[at], 3e-6);
        near(out.deviation / 1e6, deviations[at], 3e-6);
        near(moments(5, k, &delay, Some(&delay)).mean / 1e6, both_ways[at], 1e-6);
    }
    // The integral of (1 - y^2 / 2)^5 to 1, and of ((2 - y)^2 / 2)^5 beyond.
    let exact = 1e9
        * (1.0 - 5.0 / 6.0 + 10.0 / 20.0 - 10.0 / 56.0 + 5.0 / 144.0 - 1.0 / 352.0 + 1.0 / 352.0);
    near(moments(5, 1, &delay, Some(&delay)).mean, exact, 1e-9);
}

#[test]
fn exponential_delays_have_renyis_moments() {
    let wait = moments(5, 3, &exponential(60), None);
    near(wait.mean, 6e7 * (1.0 / 5.0 + 1.0 / 4.0 + 1.0 / 3.0), 1e-14);
    near(wait.deviation, 6e7 * (1.0_f64 / 25.0 + 1.0 / 16.0 + 1.0 / 9.0).sqrt(), 1e-14);
    // There and back, a single one: twice the mean, the root of two of the deviation.
    let both = moments(1, 1, &exponential(60), Some(&exponential(60)));
    near(both.mean, 1.2e8, 1e-8);
    near(both.deviation, 6e7 * 2.0_f64.sqrt(), 1e-8);
    let uneven = moments(1, 1, &exponential(1), Some(&exponential(1000)));
    near(uneven.mean, 1.001e9, 1e-8);
    near(uneven.deviation, 1e6 * 1_000_001.0_f64.sqrt(), 1e-8);
}

#[test]
fn constants_only_shift() {
    let fixed = Distribution::Constant(ms(70));
    assert_eq!(moments(5, 2, &fixed, None), Moments { mean: 7e7, deviation: 0.0 });
    assert_eq!(moments(5, 2, &fixed, Some(&fixed)), Moments { mean: 1.4e8, deviation: 0.0 });
    assert_eq!(moments(3, 2, &uniform(5, 5), None), Moments { mean: 5e6, deviation: 0.0 });
    for other in [uniform(10, 30), exponential(5), pareto(3, 4.0)] {
        let (alone, shifted) = (moments(4, 3, &other, None), moments(4, 3, &other, Some(&fixed)));
        near(shifted.mean, alone.mean + 7e7, 1e-12);
        assert_eq!(shifted, moments(4, 3, &fixed, Some(&other)));
        near(shifted.deviation, alone.deviation, 1e-12);
    }
}

/// Every closed form against integration, with heavy tails, and as a mixture.
#[test]
fn integrals_agree_with_the_closed_forms() {
    let narrow = Distribution::Uniform { low: ms(10_000), high: Span::from_nanos(10_000_001_000) };
    let shapes = [
        uniform(0, 1000),
        uniform(100, 130),
        narrow,
        exponential(60),
        pareto(1, 1.51),
        pareto(20, 10.0),
        pareto(2, 0.7),
        pareto(5, 1.02),
    ];
    for out in &shapes {
        for (n, k) in [(1, 1), (2, 1), (3, 2), (5, 1), (5, 3), (5, 5), (40, 20), (40, 39)] {
            let closed = kth_of(n, k, out, None);
            let found = integrated(n, k, out);
            let Some(closed) = closed else {
                assert_eq!(found.mean, f64::INFINITY, "{k} of {n} {out:?}");
                continue;
            };
            near(found.mean, closed.mean, 1e-6);
            if closed.deviation.is_finite() {
                near(found.deviation, closed.deviation, 1e-6);
            } else {
                assert_eq!(found.deviation, f64::INFINITY);
            }
            let halves = Distribution::Mixture(vec![
                (3, out.clone()),
                (0, pareto(1, 0.1)),
                (5, out.clone()),
            ]);
            near(moments(n, k, &halves, None).mean, closed.mean, 1e-6);
        }
    }
}

#[test]
fn a_single_delay_has_its_own_moments() {
    for sigma in [0.000_1, 0.3, 1.0, 2.5] {
        let one = Distribution::LogNormal { median: ms(20), sigma };
        let wait = moments(1, 1, &one, None);
        let variance = libm::expm1(sigma * sigma);
        near(wait.mean, one.mean_nanos().unwrap(), 1e-8);
        near(wait.deviation, wait.mean * variance.sqrt(), 1e-6);
        // There and back, two of them, or one and an exponential: means add, and so do variances.
        let both = moments(1, 1, &one, Some(&one));
        near(both.mean, 2.0 * wait.mean, 1e-7);
        near(both.deviation, wait.deviation * 2.0_f64.sqrt(), 1e-6);
        let mixed = moments(1, 1, &exponential(3), Some(&one));
        near(mixed.mean, 3e6 + wait.mean, 1e-7);
    }
    let points =
        vec![(0, ms(1)), (500_000_000, ms(4)), (500_000_000, ms(6)), (1_000_000_000, ms(80))];
    let measured = Distribution::Quantiles(points);
    near(moments(1, 1, &measured, None).mean, measured.mean_nanos().unwrap(), 1e-9);
    near(
        moments(1, 1, &measured, Some(&measured)).mean,
        2.0 * measured.mean_nanos().unwrap(),
        1e-8,
    );
    let tailed = moments(1, 1, &pareto(2, 1.51), Some(&pareto(2, 1.51)));
    near(tailed.mean, 4e6 * 1.51 / 0.51, 1e-6);
    assert_eq!(tailed.deviation, f64::INFINITY);
}

#[test]
fn too_heavy_a_tail_has_no_mean() {
    assert_eq!(kth_of(3, 3, &pareto(1, 1.0), None), None);
    assert_eq!(kth_of(3, 2, &pareto(1, 0.5), None), None);
    assert_eq!(kth_of(3, 3, &exponential(1), Some(&pareto(1, 0.9))), None);
    let wait = moments(3, 2, &pareto(1, 0.9), None);
    assert!(wait.mean.is_finite() && wait.deviation.is_infinite(), "{wait:?}");
}

#[test]
#[should_panic(expected = "there is no 4-th of 3")]
fn there_is_no_more_than_the_last() {
    let _ = kth_of(3, 4, &exponential(1), None);
}

/// One of each kind, and pairs.
fn pairs() -> Vec<(Distribution, Option<Distribution>)> {
    let lognormal = Distribution::LogNormal { median: ms(20), sigma: 0.7 };
    let mixture = Distribution::Mixture(vec![(38, pareto(1, 2.5)), (62, exponential(5))]);
    let stepped =
        Distribution::Mixture(vec![(1, Distribution::Constant(ms(30))), (3, uniform(10, 50))]);
    let points = [(0, 1), (500, 4), (900, 10), (990, 10), (1000, 80)];
    let measured = Distribution::Quantiles(points.map(|(p, at)| (p * 1_000_000, ms(at))).to_vec());
    vec![
        (Distribution::Constant(ms(5)), None),
        (uniform(100, 1000), None),
        (exponential(40), None),
        (lognormal.clone(), None),
        (pareto(1, 3.0), None),
        (mixture.clone(), None),
        (stepped.clone(), None),
        (measured.clone(), None),
        (exponential(40), Some(exponential(10))),
        (uniform(10, 100), Some(exponential(10))),
        (lognormal.clone(), Some(lognormal.clone())),
        (uniform(10, 100), Some(lognormal)),
        (mixture.clone(), Some(mixture)),
        (stepped.clone(), Some(stepped)),
        (measured.clone(), Some(measured.clone())),
        (measured, Some(pareto(10, 3.0))),
    ]
}

/// 40,000 samples of each, with fixed seeds: within 1% of the mean, and 3% of the deviation.
#[test]
fn samples_agree() {
    const COUNT: u64 = 40_000;
    let draws = Draws::new(7);
    for (out, back) in pairs() {
        let sample = |write: u64, node: u64, leg: u64| {
            let id = CausalId::root(Root::Operation, 2 * node + leg, write);
            let from = if leg == 0 { Some(&out) } else { back.as_ref() };
            from.map_or(0, |from| from.sample(|i| draws.draw(Purpose::Delay, id, i)).nanos())
        };
        let (mut sums, mut squares) = ([0.0; 5], [0.0; 5]);
        for write in 0..COUNT {
            let mut delays: [u64; 5] = std::array::from_fn(|node| {
                sample(write, node as u64, 0) + sample(write, node as u64, 1)
            });
            delays.sort_unstable();
            for (at, delay) in delays.into_iter().enumerate() {
                sums[at] += delay as f64;
                squares[at] += delay as f64 * delay as f64;
            }
        }
        for (k, at) in [(1, 0), (4, 3)] {
            let start = Instant::now();
            let found = moments(5, k, &out, back.as_ref());
            let took = start.elapsed();
            assert!(took < Duration::from_secs(2), "{took:?} for {out:?} {back:?}");
            let mean = sums[at] / COUNT as f64;
            near(found.mean, mean, 0.01);
            let deviation = (squares[at] / COUNT as f64 - mean * mean).max(0.0).sqrt();
            near(found.deviation, deviation, 0.03);
        }
    }
}
