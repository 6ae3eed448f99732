//! The statistics against a dumb twin, and the intervals against the truth that they claim to cover.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;
use crate::metrics::Latency;
use crate::time::Span;

fn run(latencies: &[u64], censored: u64) -> RunSample {
    RunSample { latencies: latencies.to_vec(), censored }
}

fn tallies(of: &[(u32, u32)]) -> Vec<Tally> {
    of.iter()
        .map(|(part, whole)| Tally { part: f64::from(*part), whole: f64::from(*whole) })
        .collect()
}

/// By how much the mean of one point exceeds that of another.
fn mean_difference(left: &Pooled, right: &Pooled, resamples: &Resamples) -> Option<Interval> {
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
    assert_eq!(share(&tallies(&[(0, 0), (0, 0)])), None);
}

#[test]
fn one_run_has_no_interval() {
    let latencies: Vec<u64> = (1..=100).collect();
    let pooled = Pooled::of(&[run(&latencies, 0)]);
    let resamples = Resamples::draw(0, 1);
    assert_eq!(pooled.quantile(500), Some(50));
    assert_eq!(pooled.mean_interval(&resamples), None);
    assert_eq!(pooled.quantile_interval(500, &resamples), None);
    assert_eq!(mean_difference(&pooled, &pooled, &resamples), None);
    assert_eq!(share(&tallies(&[(1, 2)])), None);
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
    let interval =
        Pooled::of(&runs).quantile_interval(500, &Resamples::draw(0, 10)).expect("a median");
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
        // A censored operation is one that takes for ever.
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
    fn a_resampled_quantile_is_that_of_the_runs_written_out(
        runs in prop::collection::vec((prop::collection::vec(0_u64..500, 0..60), 0_u64..3), 2..8),
        point in 0_u32..100,
    ) {
        let samples: Vec<RunSample> = runs.iter().map(|(run, c)| self::run(run, *c)).collect();
        let pooled = Pooled::of(&samples);
        for counts in Resamples::draw_many(point, runs.len(), 5).iter() {
            let drawn = || samples.iter().zip(counts);
            let mut all: Vec<u64> = drawn()
                .flat_map(|(run, count)| run.latencies.repeat(*count as usize))
                .collect();
            let censored: u64 = drawn().map(|(run, count)| run.censored * u64::from(*count)).sum();
            all.sort_unstable();
            for per_mille in [10, 500, 990] {
                let rank = ((all.len() as u64 + censored) * per_mille).div_ceil(1000).max(1);
                let expected = all.get(rank as usize - 1).map_or(f64::INFINITY, |x| *x as f64);
                prop_assert_eq!(pooled.resampled_quantile(per_mille as u32, counts), expected);
            }
        }
    }

    #[test]
    fn an_interval_holds_its_estimate(
        runs in prop::collection::vec((0_u32..20, 0_u32..20), 2..20),
        point in 0_u32..100,
    ) {
        let runs: Vec<(u32, u32)> = runs.into_iter().map(|(a, b)| (a.min(b), b)).collect();
        let runs = tallies(&runs);
        let ordered = |interval: &Interval| {
            interval.low >= 0.0 && interval.low <= interval.value && interval.value <= interval.high
        };
        prop_assert!(ratio(&runs, &Resamples::draw(point, runs.len())).iter().all(ordered));
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

/// To the bit: on every platform and in every build the same.
#[test]
fn resamples_and_intervals_are_what_they_always_were() {
    let drawn: Vec<Vec<u32>> = Resamples::draw_many(0, 6, 2).iter().map(<[u32]>::to_vec).collect();
    assert_eq!(drawn, [[1, 0, 1, 0, 2, 2], [0, 3, 1, 2, 0, 0]]);
    let runs = tallies(&[(3, 5), (0, 4), (2, 5), (5, 5), (1, 3), (2, 5), (4, 5)]);
    let interval = ratio(&runs, &Resamples::draw(1, 7)).unwrap();
    let (low, high) = (0.269_907_007_720_567_75, 0.868_303_295_649_027);
    assert_eq!(interval, Interval { value: 0.531_25, low, high });
}

#[test]
fn few_runs_have_students_interval() {
    // Means 1, 2 and 6: 3, give or take 4.303 sqrt(7 / 3).
    let three = tallies(&[(1, 1), (2, 1), (6, 1)]);
    let interval = interval_of(&three, &Resamples::draw(0, 3)).unwrap();
    near(interval.value, 3.0);
    near(interval.high, 3.0 + 4.303 * (7.0_f64 / 3.0).sqrt());
    near(interval.low, 3.0 - 4.303 * (7.0_f64 / 3.0).sqrt());
    assert_eq!(ratio(&three, &Resamples::draw(0, 3)).unwrap().low, 0.0);
    for (freedom, expected) in [(4, 2.776), (5, 2.571), (9, 2.262), (30, 2.042), (199, 1.972)] {
        assert!((student(freedom) - expected).abs() < 0.0035, "{freedom}: {}", student(freedom));
    }
}

#[test]
fn runs_that_agree_leave_no_doubt() {
    let runs = tallies(&[(8, 2); 9]);
    let resamples = Resamples::draw(0, 9);
    let certain = Interval { value: 4.0, low: 4.0, high: 4.0 };
    assert_eq!(ratio(&runs, &resamples), Some(certain));
    // One of ten differs, and a third of the resamples miss it: no end is infinite.
    let mut runs = tallies(&[(8, 2); 10]);
    runs[4].part = 80.0;
    let interval = ratio(&runs, &Resamples::draw(0, 10)).unwrap();
    assert!(interval.low < 4.0 && interval.high > 8.0 && interval.high < 30.0, "{interval:?}");
}

/// Nothing lost in 30 runs of 5 writes: at most 0.12, the rule of three for 30, not for 150, and not certainly 0.
#[test]
fn no_loss_is_not_certainty() {
    let interval = share(&tallies(&[(0, 5); 30])).unwrap();
    assert_eq!((interval.value, interval.low), (0.0, 0.0));
    assert!(interval.high > 0.10 && interval.high < 0.13, "{interval:?}");
    let all = share(&tallies(&[(5, 5); 30])).unwrap();
    assert_eq!((all.value, all.high), (1.0, 1.0));
    near(all.low, 1.0 - interval.high);
}

#[test]
fn a_share_is_less_certain_where_runs_share_their_fate() {
    let mixed: Vec<_> = (0..40).map(|i| (1 + i % 3, 4)).collect();
    let whole_runs: Vec<_> = (0..40).map(|i| if i % 2 == 0 { (4, 4) } else { (0, 4) }).collect();
    let width = |runs: &[(u32, u32)]| {
        let interval = share(&tallies(runs)).unwrap();
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

/// In how many of 200 experiments the interval covers the truth: `experiment` makes one of the generator that it is
/// given, in the place that it is told.
fn covered(truth: f64, experiment: impl Fn(&mut ChaCha8Rng, u32) -> Interval) -> usize {
    let covers = |repetition: &u32| {
        let mut generator = ChaCha8Rng::seed_from_u64(u64::from(*repetition));
        let interval = experiment(&mut generator, *repetition);
        interval.low <= truth && truth <= interval.high
    };
    (0..200).filter(covers).count()
}

/// The k-th smallest of five uniform delays up to one second.
fn quorum_wait(generator: &mut ChaCha8Rng, k: usize) -> u64 {
    let mut delays: [u64; 5] = std::array::from_fn(|_| generator.next_u64() % 1_000_000_000);
    delays.sort_unstable();
    delays[k - 1]
}

fn waits(generator: &mut ChaCha8Rng, k: usize, runs: usize, writes: usize) -> Pooled {
    let mut write = || quorum_wait(generator, k);
    let samples: Vec<_> =
        (0..runs).map(|_| run(&(0..writes).map(|_| write()).collect::<Vec<_>>(), 0)).collect();
    Pooled::of(&samples)
}

/// The promise of every interval: 95% of experiments, tested as 90% to 99% of 200, cover the closed form.
#[test]
fn intervals_of_means_cover_the_closed_form() {
    for k in 1..=5 {
        let truth = 1e9 * k as f64 / 6.0;
        for (runs, writes) in [(40, 5), (8, 3), (4, 5)] {
            let covered = covered(truth, |generator, point| {
                let pooled = waits(generator, k, runs, writes);
                pooled.mean_interval(&Resamples::draw(point, runs)).unwrap()
            });
            assert!((180..=198).contains(&covered), "k = {k}, {runs} runs: {covered} of 200");
        }
    }
}

#[test]
fn intervals_of_medians_cover_the_closed_form() {
    // The third of five is as often above one half as below.
    let covered = covered(5e8, |generator, point| {
        let pooled = waits(generator, 3, 40, 5);
        pooled.quantile_interval(500, &Resamples::draw(point, 40)).unwrap()
    });
    assert!((180..=198).contains(&covered), "{covered} of 200");
}

/// A write is lost with its whole run as often as alone.
#[test]
fn intervals_of_shares_cover_the_truth() {
    for (runs, chance) in [(40, 0.3), (40, 0.02), (200, 0.05), (6, 0.5)] {
        let covered = covered(chance, |generator, _| {
            let mut flip = || generator.next_u64() < (chance * u64::MAX as f64) as u64;
            let tally = |_| {
                let together = flip();
                let alone: u32 = (0..5).map(|_| u32::from(flip())).sum();
                if flip() { (alone, 5) } else { (5 * u32::from(together), 5) }
            };
            let drawn: Vec<_> = (0..runs).map(tally).collect();
            share(&tallies(&drawn)).unwrap()
        });
        assert!((180..=200).contains(&covered), "{chance}, {runs} runs: {covered} of 200");
    }
}

/// Both sides of a pair see the same luck, and wait for the second and the fourth of the same five.
#[test]
fn intervals_of_differences_cover_the_closed_form() {
    let covered = covered(2e9 / 6.0, |generator, point| {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for _ in 0..40 {
            let mut delays: [u64; 5] =
                std::array::from_fn(|_| generator.next_u64() % 1_000_000_000);
            delays.sort_unstable();
            left.push(run(&[delays[3]], 0));
            right.push(run(&[delays[1]], 0));
        }
        let resamples = Resamples::draw(point, 40);
        mean_difference(&Pooled::of(&left), &Pooled::of(&right), &resamples).unwrap()
    });
    assert!((180..=198).contains(&covered), "{covered} of 200");
}

/// Five points of 200 runs of 5 writes, with a mean, three quantiles and a difference each, take well below a second;
/// the bound is for a slow and busy machine.
#[test]
fn a_sweep_is_resampled_in_no_time() {
    let mut generator = ChaCha8Rng::seed_from_u64(1);
    let points: Vec<_> = (1..=5).map(|k| waits(&mut generator, k, 200, 5)).collect();
    let start = Instant::now();
    for (point, pooled) in (0..).zip(&points) {
        let resamples = Resamples::draw(point, 200);
        assert!(pooled.mean_interval(&resamples).is_some());
        for per_mille in [500, 950, 990] {
            assert!(pooled.quantile_interval(per_mille, &resamples).is_some());
        }
        assert!(mean_difference(pooled, &points[0], &resamples).is_some());
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}
