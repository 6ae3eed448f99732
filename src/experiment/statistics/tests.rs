//! The statistics against a dumb twin, and the intervals against the truth that they claim to
//! cover.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;
use crate::metrics::Latency;
use crate::time::Span;

pub(super) fn run(latencies: &[u64], censored: u64) -> RunSample {
    RunSample { latencies: latencies.to_vec(), censored }
}

pub(super) fn terms(of: &[(u32, u32)]) -> Vec<RatioTerm> {
    of.iter()
        .map(|(part, whole)| RatioTerm { part: f64::from(*part), whole: f64::from(*whole) })
        .collect()
}

/// The difference of the means of two points.
pub(super) fn mean_difference(
    left: &Pooled,
    right: &Pooled,
    resamples: &Resamples,
) -> Option<Interval> {
    ratio_difference(&left.sums, &right.sums, resamples)
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{found}, not {expected}");
}

#[test]
fn runs_are_pooled_not_averaged() {
    let pooled = Pooled::of(&[run(&[10, 20, 30], 1), run(&[], 0), run(&[100], 3)]);
    assert_eq!((pooled.runs(), pooled.completed(), pooled.censored()), (3, 4, 4));
    assert_eq!(pooled.mean(), Some(40.0));
    // Squares of -30, -20, -10 and 60 over three.
    near(pooled.deviation().unwrap(), (5000.0_f64 / 3.0).sqrt());
}

#[test]
fn nothing_has_no_statistics() {
    let nothing = Pooled::of(&[run(&[], 0), run(&[], 0)]);
    let resamples = Resamples::draw(0, 2);
    assert_eq!((nothing.mean(), nothing.deviation()), (None, None));
    assert_eq!((nothing.quantile(500), nothing.mean_interval(&resamples)), (None, None));
    assert_eq!(Pooled::of(&[]).mean_interval(&Resamples::draw(0, 0)), None);
    assert_eq!(share(&terms(&[(0, 0), (0, 0)])), None);
}

#[test]
fn fewer_than_five_runs_have_no_interval() {
    let latencies: Vec<u64> = (1..=100).collect();
    for runs in 1..=5 {
        let pooled = Pooled::of(&vec![run(&latencies, 0); runs]);
        let resamples = Resamples::draw(0, runs);
        assert_eq!(pooled.quantile(500), Some(50));
        let given = [
            pooled.mean_interval(&resamples).is_some(),
            pooled.quantile_interval(500).is_some(),
            mean_difference(&pooled, &pooled, &resamples).is_some(),
            share(&terms(&vec![(1, 2); runs])).is_some(),
        ];
        assert_eq!(given, [runs == 5; 4], "{runs} runs");
    }
}

#[test]
fn a_quantile_wants_ten_samples_beyond_it() {
    let of = |count: u64| Pooled::of(&[run(&(1..=count).collect::<Vec<_>>(), 0)]);
    assert_eq!((of(19).quantile(500), of(20).quantile(500)), (None, Some(10)));
    assert_eq!((of(199).quantile(950), of(200).quantile(950)), (None, Some(190)));
    assert_eq!((of(999).quantile(990), of(1000).quantile(990)), (None, Some(990)));
    assert_eq!(of(1000).quantile(1000), None);
}

#[test]
fn what_never_completed_is_longer_than_everything() {
    // Of 40, the median is the 20th, the 75% quantile the 30th.
    let latencies: Vec<u64> = (1..=25).collect();
    let pooled = Pooled::of(&[run(&latencies, 0), run(&[], 15)]);
    assert_eq!(pooled.quantile(500), Some(20));
    assert_eq!(pooled.quantile(625), Some(25));
    assert_eq!(pooled.quantile(650), None);
    assert_eq!(pooled.mean(), Some(13.0));
}

#[test]
fn an_interval_that_reaches_the_censored_has_no_end() {
    let done: Vec<u64> = (1..=10).collect();
    let runs: Vec<_> = (0..10).map(|i| if i < 6 { run(&done, 0) } else { run(&[], 10) }).collect();
    let interval = Pooled::of(&runs).quantile_interval(500).expect("a median");
    assert_eq!(interval.value, 9.0);
    assert!(interval.low >= 5.0 && interval.low < 9.0, "{interval:?}");
    assert_eq!(interval.high, f64::INFINITY);
}

proptest! {
    #[test]
    fn quantiles_are_those_of_a_sorted_list(
        runs in prop::collection::vec(prop::collection::vec(0_u64..500, 0..60), 1..8),
        censored in 0_u64..20,
    ) {
        let mut samples: Vec<RunSample> = runs.iter().map(|run| self::run(run, 0)).collect();
        let mut lengths: Vec<Span> = runs.concat().into_iter().map(Span::from_nanos).collect();
        let uncensored = Pooled::of(&samples);
        let latency = Latency::of(&mut lengths);
        for (per_mille, expected) in [(500, latency.p50), (950, latency.p95), (990, latency.p99)] {
            if let Some(found) = uncensored.quantile(per_mille) {
                prop_assert_eq!(found, expected.nanos());
            }
        }
        // A censored operation takes forever.
        samples[0].censored = censored;
        let pooled = Pooled::of(&samples);
        lengths.extend((0..censored).map(|_| Span::MAX));
        for (per_mille, expected) in
            [(500, Latency::of(&mut lengths).p50), (950, Latency::of(&mut lengths).p95)]
        {
            let enough = lengths.len() as u64 * u64::from(1000 - per_mille) >= 10_000;
            let expected = (enough && expected != Span::MAX).then(|| expected.nanos());
            prop_assert_eq!(pooled.quantile(per_mille), expected);
        }
    }

    #[test]
    fn what_took_no_longer_is_counted_by_run(
        runs in prop::collection::vec((prop::collection::vec(0_u64..500, 0..60), 0_u64..3), 2..8),
        length in 0_u64..500,
    ) {
        let samples: Vec<RunSample> = runs.iter().map(|(run, c)| self::run(run, *c)).collect();
        let term = |run: &RunSample| RatioTerm {
            part: run.latencies.iter().filter(|latency| **latency <= length).count() as f64,
            whole: (run.latencies.len() as u64 + run.censored) as f64,
        };
        let expected: Vec<RatioTerm> = samples.iter().map(term).collect();
        prop_assert_eq!(Pooled::of(&samples).no_longer_than(length), expected);
    }

    #[test]
    fn an_interval_holds_its_estimate(
        runs in prop::collection::vec((0_u32..20, 0_u32..20), 2..20),
        point in 0_u32..100,
    ) {
        let runs: Vec<(u32, u32)> = runs.into_iter().map(|(a, b)| (a.min(b), b)).collect();
        let runs = terms(&runs);
        let ordered = |interval: &Interval| {
            interval.low >= 0.0 && interval.low <= interval.value && interval.value <= interval.high
        };
        prop_assert!(ratio(&runs, &Resamples::draw(point, runs.len())).iter().all(ordered));
        let latencies = |(of, and): &(f64, f64)| run(&[*of as u64; 9], *and as u64);
        let samples: Vec<_> = runs.iter().map(|t| latencies(&(t.part, t.whole))).collect();
        let quantile = Pooled::of(&samples).quantile_interval(500);
        prop_assert!(quantile.iter().all(ordered), "{:?}", quantile);
        prop_assert!(share(&runs).iter().all(|share| ordered(share) && share.high <= 1.0));
    }
}

#[test]
fn resamples_draw_as_many_runs_as_there_are_and_each_as_often() {
    let resamples = Resamples::draw(3, 7);
    assert_eq!(resamples.iter().count(), Resamples::COUNT);
    let mut sums = [0; 7];
    for counts in resamples.iter() {
        assert_eq!(counts.iter().sum::<u32>(), 7);
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    // 1000 expected of each, give or take four standard deviations of 29.
    assert!(sums.iter().all(|sum| (880..1120).contains(sum)), "{sums:?}");
    assert_ne!(Resamples::draw(4, 7), resamples);
}

/// The same bits on every platform and in every build.
#[test]
fn resamples_and_intervals_are_what_they_always_were() {
    let drawn: Vec<Vec<u32>> = Resamples::draw_many(0, 6, 2).iter().map(<[u32]>::to_vec).collect();
    assert_eq!(drawn, [[1, 0, 1, 0, 2, 2], [0, 3, 1, 2, 0, 0]]);
    let runs = terms(&[(3, 5), (0, 4), (2, 5), (5, 5), (1, 3), (2, 5), (4, 5)]);
    let interval = ratio(&runs, &Resamples::draw(1, 7)).unwrap();
    let (low, high) = (0.269_907_007_720_567_75, 0.868_303_295_649_027);
    assert_eq!(interval, Interval { value: 0.531_25, low, high });
}

#[test]
fn students_quantiles_are_those_of_the_tables() {
    let table = [(1, 12.706), (2, 4.303), (4, 2.776), (5, 2.571), (9, 2.262), (30, 2.042)];
    for (freedom, expected) in table.into_iter().chain([(199, 1.972)]) {
        assert!((student(freedom) - expected).abs() < 0.0035, "{freedom}: {}", student(freedom));
    }
}

#[test]
fn runs_that_agree_leave_no_doubt() {
    let runs = terms(&[(8, 2); 9]);
    let resamples = Resamples::draw(0, 9);
    let certain = Interval { value: 4.0, low: 4.0, high: 4.0 };
    assert_eq!(ratio(&runs, &resamples), Some(certain));
    // One of ten differs, and a third of the resamples miss it: no end is infinite.
    let mut runs = terms(&[(8, 2); 10]);
    runs[4].part = 80.0;
    let interval = ratio(&runs, &Resamples::draw(0, 10)).unwrap();
    assert!(interval.low < 4.0 && interval.high > 8.0 && interval.high < 30.0, "{interval:?}");
}

/// Nothing lost in 30 runs of 5 writes: at most 0.095, by the rule of three for 30, not for 150.
#[test]
fn no_loss_is_not_certainty() {
    let interval = share(&terms(&[(0, 5); 30])).unwrap();
    assert_eq!((interval.value, interval.low), (0.0, 0.0));
    assert!(interval.high > 0.090 && interval.high < 0.1, "{interval:?}");
    let all = share(&terms(&[(5, 5); 30])).unwrap();
    assert_eq!((all.value, all.high), (1.0, 1.0));
    near(all.low, 1.0 - interval.high);
}

/// From a single run with losses one learns little about how many a run loses.
#[test]
fn a_share_is_less_certain_where_few_runs_were_struck() {
    let struck = |runs: usize, by: u32| {
        let of = |place: usize| if place < runs { (by, 100) } else { (0, 100) };
        share(&terms(&(0..30).map(of).collect::<Vec<_>>())).unwrap().high
    };
    assert!(struck(1, 12) > struck(2, 6) && struck(2, 6) > struck(12, 1));
    assert!(struck(1, 1) < struck(0, 0), "one write lost is no sign that all of a run may be");
}

/// If no operation of 30 runs is longer, still more than 1 run in 100 may have a longer one.
#[test]
fn a_percentile_has_no_upper_end_where_nothing_longer_was_seen() {
    let alike = Pooled::of(&vec![run(&[7; 100], 0); 30]);
    assert_eq!(alike.quantile_interval(500), Some(Interval { value: 7.0, low: 7.0, high: 7.0 }));
    let rare = alike.quantile_interval(990).unwrap();
    assert_eq!(rare, Interval { value: 7.0, low: 7.0, high: f64::INFINITY });
}

#[test]
fn a_share_is_less_certain_where_runs_share_their_fate() {
    let mixed: Vec<_> = (0..40).map(|i| (1 + i % 3, 4)).collect();
    let whole_runs: Vec<_> = (0..40).map(|i| if i % 2 == 0 { (4, 4) } else { (0, 4) }).collect();
    let width = |runs: &[(u32, u32)]| {
        let interval = share(&terms(runs)).unwrap();
        interval.high - interval.low
    };
    assert!(width(&whole_runs) > 1.9 * width(&mixed), "{} {}", width(&whole_runs), width(&mixed));
}

#[test]
fn common_luck_cancels_in_a_difference() {
    let mut generator = ChaCha8Rng::seed_from_u64(5);
    let luck: Vec<u64> = (0..50).map(|_| generator.next_u64() % 1000).collect();
    let point = |more: u64| {
        let runs: Vec<_> = luck
            .iter()
            .zip(0_u64..)
            .map(|(luck, i)| run(&[luck + more + i % 3, luck + 2 * more], 0))
            .collect();
        Pooled::of(&runs)
    };
    let (near_point, far_point, resamples) = (point(0), point(10), Resamples::draw(0, 50));
    let difference = mean_difference(&far_point, &near_point, &resamples).unwrap();
    assert_eq!(difference, Interval { value: 15.0, ..difference });
    assert!(difference.high - difference.low < 1e-6, "{difference:?}");
    let alone = far_point.mean_interval(&resamples).unwrap();
    assert!(alone.high - alone.low > 100.0, "{alone:?}");
}

/// The k-th smallest of five uniform delays up to one second.
pub(super) fn quorum_wait(generator: &mut ChaCha8Rng, k: usize) -> u64 {
    let mut delays: [u64; 5] = std::array::from_fn(|_| generator.next_u64() % 1_000_000_000);
    delays.sort_unstable();
    delays[k - 1]
}

pub(super) fn waits(generator: &mut ChaCha8Rng, k: usize, runs: usize, writes: usize) -> Pooled {
    let mut write = || quorum_wait(generator, k);
    let samples: Vec<_> =
        (0..runs).map(|_| run(&(0..writes).map(|_| write()).collect::<Vec<_>>(), 0)).collect();
    Pooled::of(&samples)
}

/// Five points of 200 runs of 5 writes, with a mean, three quantiles and a difference each, take
/// well below a second; the bound is for a slow and busy machine.
#[test]
fn a_sweep_is_resampled_in_no_time() {
    let mut generator = ChaCha8Rng::seed_from_u64(1);
    let points: Vec<_> = (1..=5).map(|k| waits(&mut generator, k, 200, 5)).collect();
    let start = Instant::now();
    for (point, pooled) in (0..).zip(&points) {
        let resamples = Resamples::draw(point, 200);
        assert!(pooled.mean_interval(&resamples).is_some());
        for per_mille in [500, 950, 990] {
            assert!(pooled.quantile_interval(per_mille).is_some());
        }
        assert!(mean_difference(pooled, &points[0], &resamples).is_some());
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}
