//! The summary of the runs of a point: pooled latencies, counts and shares, with 95% confidence
//! intervals.

use serde::{Deserialize, Serialize};

use super::measure::{FunctionMeasures, RunMeasures};
use super::statistics::{self, Interval, Pooled, RatioTerm, Resamples, RunSample};
use crate::config::ExpectedVerdict;
use crate::history::Function;
use crate::metrics::LastWrite;
use crate::named::Named;
use crate::property::Property;
use crate::run::RunVerdict;
use crate::time::Span;

/// The percentiles, in thousandths: p50, p90, p95, p99 and p99.9.
pub const PERCENTILES: [u32; 5] = [500, 900, 950, 990, 999];

/// The fewest reads of which visibility is reported.
const FEWEST_READS: f64 = 100.0;

/// The fewest runs with a lost leader for an interval of their recoveries.
pub const FEWEST_RECOVERIES: usize = 10;

/// The most steps of a cumulative curve.
const STEPS: usize = 240;

/// The times since an acknowledgement for which visibility is reported, as powers of ten in
/// nanoseconds: from 1 us to 1,000 s, eight to a decade.
const DECADES: (u32, u32) = (3, 12);

/// A figure with its 95% confidence interval, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The figure, from all runs together.
    pub value: f64,
    /// The lower end of the interval; `None` with too few runs (see [`statistics::FEWEST_RUNS`]).
    pub low: Option<f64>,
    /// The upper end of the interval; `None` also if it lies among operations that timed out, or
    /// beyond all samples.
    pub high: Option<f64>,
}

impl Estimate {
    fn new(value: f64, interval: Option<Interval>) -> Self {
        let finite = |end: f64| end.is_finite().then_some(end);
        Self {
            value,
            low: interval.and_then(|interval| finite(interval.low)),
            high: interval.and_then(|interval| finite(interval.high)),
        }
    }

    /// The ends of the interval; the figure itself for an end that is missing.
    #[must_use]
    pub fn ends(&self) -> (f64, f64) {
        (self.low.unwrap_or(self.value), self.high.unwrap_or(self.value))
    }
}

/// The summary of the runs of a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How many runs.
    pub runs: u64,
    /// Runs that passed.
    pub pass: u64,
    /// Runs that failed.
    pub fail: u64,
    /// Runs whose verdict is unknown.
    pub unknown: u64,
    /// The functions that occurred, in the order of reports.
    pub functions: Vec<FunctionSummary>,
    /// By property, how many runs got each verdict, in the order of [`ExpectedVerdict`].
    pub checks: Vec<(String, [u64; ExpectedVerdict::ALL.len()])>,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Acknowledged writes that were lost where durability was not promised.
    pub lost_allowed: u64,
    /// Acknowledged writes that were lost although durability was promised.
    pub lost_violating: u64,
    /// Acknowledged writes that were gone before their keys were written again, so that nothing is
    /// missing at the end; `None` if unknown in all runs.
    pub discarded: Option<u64>,
    /// The share of acknowledged writes that were lost; `None` without any.
    pub lost_share: Option<Estimate>,
    /// The least number of followers that had acknowledged a write when its client was answered;
    /// `None` if no answer says so.
    pub least_confirmations: Option<u16>,
    /// Reads that completed.
    pub reads: u64,
    /// Reads that missed a write acknowledged before them.
    pub stale_reads: u64,
    /// The share of stale reads; `None` without reads.
    pub stale_share: Option<Estimate>,
    /// The longest time for which a missed write had been acknowledged, in nanoseconds.
    pub longest_staleness: u64,
    /// The probability that a read sees a write, by the time since its acknowledgement in
    /// nanoseconds.
    pub visibility: Vec<(u64, Estimate)>,
    /// The share of operations that completed ok.
    pub availability: Option<Estimate>,
    /// The longest time in which operations were pending and none was answered, in nanoseconds.
    pub longest_gap: u64,
    /// The longest time in which writes were pending and none was acknowledged, in nanoseconds.
    pub longest_write_gap: u64,
    /// Leaders that were lost.
    pub leaders_lost: u64,
    /// The mean, over runs that lost a leader, of the longest recovery in the run, in nanoseconds.
    pub recovery: Option<Estimate>,
    /// The longest recovery of all runs, in nanoseconds.
    pub longest_recovery: u64,
    /// Lost leaders from whom the cluster did not recover.
    pub unrecovered: u64,
    /// Live followers times keys, when the last write was answered: the mean of the runs that know
    /// it.
    pub replica_keys: Option<f64>,
    /// How many of those replicas of keys differed from the leader's: the mean of the same runs.
    pub differing: Option<Estimate>,
    /// How long it took until none differed, in nanoseconds: the mean of the runs in which that
    /// happened.
    pub agreement: Option<Estimate>,
    /// Runs in which some differed to the end.
    pub never_agreed: u64,
    /// Messages handed to the network.
    pub messages: u64,
    /// Messages lost or blocked.
    pub undelivered: u64,
    /// Messages per operation.
    pub messages_per_operation: Option<Estimate>,
    /// Runs in which the cluster settled.
    pub settled: u64,
    /// What happened in the runs whose replicas differed at the end, in words, and in how many.
    pub diverged: Vec<(String, u64)>,
    /// The figures of each run for differences between points, in the order of the seeds.
    pub by_run: Vec<RunFigures>,
}

/// The figures of one run for differences between points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunFigures {
    /// By function, in the order of [`Function`]: how many operations completed ok, and the sum of
    /// their latencies in nanoseconds.
    pub completed: Vec<(u64, f64)>,
    /// How many writes were acknowledged, and how many of those were lost.
    pub acknowledged: (u64, u64),
}

/// The operations of one function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FunctionSummary {
    /// The function's name in reports.
    pub function: String,
    /// Completed ok.
    pub ok: u64,
    /// Failed: did not happen.
    pub fail: u64,
    /// Whether it happened is unknown.
    pub info: u64,
    /// Ok, with fewer acknowledgements than asked for.
    pub degraded: u64,
    /// Got no answer in time: their latency is longer than the client waited.
    pub censored: u64,
    /// The latencies of those that completed ok; `None` without any.
    pub latency: Option<LatencySummary>,
    /// The cumulative distribution: a latency in nanoseconds, and the share of all operations that
    /// took no longer. Censored ones count as longer than any.
    pub curve: Vec<(u64, f64)>,
}

/// Latencies, in nanoseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencySummary {
    /// The mean of those that completed.
    pub mean: Estimate,
    /// The sample standard deviation; `None` of a single one.
    pub deviation: Option<f64>,
    /// The percentiles of [`PERCENTILES`]; `None` with fewer than ten operations in the tail.
    pub percentiles: Vec<Option<Estimate>>,
    /// The longest of those that completed.
    pub max: u64,
}

impl Summary {
    /// Summarises the runs of a point; they are in the order of the seeds.
    #[must_use]
    pub fn of(samples: &[RunMeasures]) -> Self {
        // All points have the same resamples, so equal points have equal intervals.
        let resamples = Resamples::draw(0, samples.len());
        let sum = |figure: fn(&RunMeasures) -> u64| samples.iter().map(figure).sum::<u64>();
        let most = |figure: fn(&RunMeasures) -> u64| samples.iter().map(figure).max().unwrap_or(0);
        let verdicts = |verdict| samples.iter().filter(|s| s.verdict == verdict).count() as u64;
        let share = |part: fn(&RunMeasures) -> u64, whole: fn(&RunMeasures) -> u64| {
            let terms = terms(samples, part, whole);
            ratio_of(&terms).map(|value| Estimate::new(value, statistics::share(&terms)))
        };
        let judged = |sample: &RunMeasures| sample.checks[Property::Durability as usize];
        let lost = |wanted: fn(ExpectedVerdict) -> bool| {
            samples.iter().filter(|s| judged(s).is_some_and(wanted)).map(|sample| sample.lost).sum()
        };
        let messages = terms(samples, |s| s.messages, RunMeasures::operations);
        let ratio = |terms: &[RatioTerm]| {
            let interval = statistics::ratio(terms, &resamples);
            ratio_of(terms).map(|value| Estimate::new(value, interval))
        };
        Self {
            runs: samples.len() as u64,
            pass: verdicts(RunVerdict::Pass),
            fail: verdicts(RunVerdict::Fail),
            unknown: verdicts(RunVerdict::Unknown),
            functions: functions(samples, &resamples),
            checks: checks(samples),
            acknowledged: sum(|s| s.acknowledged),
            lost_allowed: lost(|verdict| verdict != ExpectedVerdict::Violation),
            lost_violating: lost(|verdict| verdict == ExpectedVerdict::Violation),
            discarded: samples.iter().filter_map(|s| s.discarded).reduce(|a, b| a + b),
            lost_share: share(|s| s.lost, |s| s.acknowledged),
            least_confirmations: samples.iter().filter_map(|s| s.least_confirmations).min(),
            reads: sum(|s| s.reads),
            stale_reads: sum(|s| s.stale_reads),
            stale_share: share(|s| s.stale_reads, |s| s.reads),
            longest_staleness: most(|s| s.longest_staleness),
            visibility: visibility(samples),
            availability: share(RunMeasures::answered, |s| s.operations() + s.never_served),
            longest_gap: most(|s| s.longest_gap),
            longest_write_gap: most(|s| s.longest_write_gap),
            leaders_lost: sum(|s| s.leaders_lost),
            recovery: recovery(samples),
            longest_recovery: most(|s| s.longest_recovery),
            unrecovered: sum(|s| s.unrecovered),
            replica_keys: ratio_of(&last(samples, |last| Some(last.replica_keys()))),
            differing: mean_of(&last(samples, |last| Some(last.differing))),
            agreement: mean_of(&last(samples, |last| last.agreed_after().map(Span::nanos))),
            never_agreed: sum(|s| u64::from(s.last_write.is_some_and(|l| l.agreed_at.is_none()))),
            messages: sum(|s| s.messages),
            undelivered: sum(|s| s.undelivered),
            messages_per_operation: ratio(&messages),
            settled: sum(|s| u64::from(s.settled)),
            diverged: diverged(samples),
            by_run: samples.iter().map(RunFigures::of).collect(),
        }
    }

    /// The summary of a function.
    #[must_use]
    pub fn function(&self, function: Function) -> Option<&FunctionSummary> {
        self.functions.iter().find(|one| one.function == function.name())
    }

    /// Whether any follower differed from the leader when the last write was answered.
    #[must_use]
    pub fn differs(&self) -> bool {
        self.differing.is_some_and(|differing| differing.value > 0.0)
    }

    /// How many runs gave a property this verdict.
    #[must_use]
    pub fn judged(&self, property: Property, verdict: ExpectedVerdict) -> u64 {
        let place = ExpectedVerdict::ALL.iter().position(|one| *one == verdict);
        let counts = self.checks.iter().find(|(name, _)| name == property.name());
        counts.zip(place).map_or(0, |((_, counts), place)| counts[place])
    }

    /// The mean latency of a function less that of `other`, in nanoseconds, under the same seeds.
    #[must_use]
    pub fn slower_than(&self, other: &Self, function: Function) -> Option<Estimate> {
        let term = |figures: &RunFigures| {
            let (count, sum) =
                figures.completed.get(function as usize).copied().unwrap_or_default();
            RatioTerm { part: sum, whole: count as f64 }
        };
        difference(self, other, term)
    }

    /// The share of lost writes less that of `other`, under the same seeds.
    #[must_use]
    pub fn loses_more_than(&self, other: &Self) -> Option<Estimate> {
        let term = |figures: &RunFigures| RatioTerm {
            part: figures.acknowledged.1 as f64,
            whole: figures.acknowledged.0 as f64,
        };
        difference(self, other, term)
    }
}

impl RunFigures {
    fn of(sample: &RunMeasures) -> Self {
        let completed = |function: &FunctionMeasures| {
            let all = &function.latencies;
            (all.len() as u64, all.iter().map(|latency| *latency as f64).sum())
        };
        Self {
            completed: sample.functions.iter().map(completed).collect(),
            acknowledged: (sample.acknowledged, sample.lost),
        }
    }
}

impl LatencySummary {
    /// A percentile, by its thousandths; one of [`PERCENTILES`].
    #[must_use]
    pub fn percentile(&self, per_mille: u32) -> Option<Estimate> {
        let place = PERCENTILES.iter().position(|one| *one == per_mille)?;
        self.percentiles.get(place).copied().flatten()
    }
}

/// The difference of two ratios, over runs under the same seeds.
fn difference(
    left: &Summary,
    right: &Summary,
    term: impl Fn(&RunFigures) -> RatioTerm,
) -> Option<Estimate> {
    let of = |summary: &Summary| -> Vec<RatioTerm> { summary.by_run.iter().map(&term).collect() };
    let (left, right) = (of(left), of(right));
    let value = ratio_of(&left)? - ratio_of(&right)?;
    let resamples = Resamples::draw(0, left.len());
    Some(Estimate::new(value, statistics::ratio_difference(&left, &right, &resamples)))
}

fn terms(
    samples: &[RunMeasures],
    part: fn(&RunMeasures) -> u64,
    whole: fn(&RunMeasures) -> u64,
) -> Vec<RatioTerm> {
    let term = |s: &RunMeasures| RatioTerm { part: part(s) as f64, whole: whole(s) as f64 };
    samples.iter().map(term).collect()
}

fn ratio_of(terms: &[RatioTerm]) -> Option<f64> {
    let whole: f64 = terms.iter().map(|term| term.whole).sum();
    let part: f64 = terms.iter().map(|term| term.part).sum();
    (whole > 0.0).then(|| part / whole)
}

/// A figure of each run's last write, for the runs that have it.
fn last(samples: &[RunMeasures], figure: fn(LastWrite) -> Option<u64>) -> Vec<RatioTerm> {
    let figures = samples.iter().filter_map(|sample| figure(sample.last_write?));
    figures.map(|figure| RatioTerm { part: figure as f64, whole: 1.0 }).collect()
}

/// The mean of a figure per run.
fn mean_of(runs: &[RatioTerm]) -> Option<Estimate> {
    let interval = statistics::ratio(runs, &Resamples::draw(0, runs.len()));
    ratio_of(runs).map(|value| Estimate::new(value, interval))
}

/// The mean of the longest recoveries of the runs that lost a leader.
///
/// Elections that need a second round are rare and far slower. With fewer runs than
/// [`FEWEST_RECOVERIES`] there is often none, and the interval would be too narrow.
fn recovery(samples: &[RunMeasures]) -> Option<Estimate> {
    let lost_one = samples.iter().filter(|sample| sample.leaders_lost > 0);
    let term = |s: &RunMeasures| RatioTerm { part: s.longest_recovery as f64, whole: 1.0 };
    let terms: Vec<RatioTerm> = lost_one.map(term).collect();
    let value = ratio_of(&terms)?;
    let resamples = Resamples::draw(0, terms.len());
    let interval = statistics::ratio(&terms, &resamples);
    Some(Estimate::new(value, interval.filter(|_| terms.len() >= FEWEST_RECOVERIES)))
}

fn functions(samples: &[RunMeasures], resamples: &Resamples) -> Vec<FunctionSummary> {
    let mut functions = Vec::new();
    for function in Function::all() {
        let place = function as usize;
        let of = |figure: fn(&FunctionMeasures) -> u64| {
            samples.iter().map(|sample| figure(&sample.functions[place])).sum::<u64>()
        };
        let (ok, fail, info) = (of(|f| f.ok), of(|f| f.fail), of(|f| f.info));
        if ok + fail + info == 0 {
            continue;
        }
        let run = |sample: &RunMeasures| {
            let one = &sample.functions[place];
            RunSample { latencies: one.latencies.clone(), censored: one.censored }
        };
        let runs: Vec<RunSample> = samples.iter().map(run).collect();
        functions.push(FunctionSummary {
            function: function.name().to_owned(),
            ok,
            fail,
            info,
            degraded: of(|f| f.degraded),
            censored: of(|f| f.censored),
            latency: latency(&Pooled::of(&runs), resamples),
            curve: curve(&runs),
        });
    }
    functions
}

fn latency(pooled: &Pooled, resamples: &Resamples) -> Option<LatencySummary> {
    let percentile = |per_mille: u32| {
        let value = pooled.quantile(per_mille)? as f64;
        Some(Estimate::new(value, pooled.quantile_interval(per_mille)))
    };
    Some(LatencySummary {
        mean: Estimate::new(pooled.mean()?, pooled.mean_interval(resamples)),
        deviation: pooled.deviation(),
        percentiles: PERCENTILES.into_iter().map(percentile).collect(),
        max: pooled.max()?,
    })
}

/// The cumulative distribution of all latencies, reduced to [`STEPS`] steps if there are more.
fn curve(runs: &[RunSample]) -> Vec<(u64, f64)> {
    let mut sorted: Vec<u64> = runs.iter().flat_map(|run| &run.latencies).copied().collect();
    sorted.sort_unstable();
    let all = sorted.len() as u64 + runs.iter().map(|run| run.censored).sum::<u64>();
    let mut steps: Vec<(u64, f64)> = Vec::new();
    let count = sorted.len().min(STEPS);
    for step in 1..=count {
        let rank = (sorted.len() * step).div_ceil(count);
        let (length, share) = (sorted[rank - 1], rank as f64 / all as f64);
        match steps.last_mut() {
            Some(last) if last.0 == length => last.1 = share,
            _ => steps.push((length, share)),
        }
    }
    steps
}

fn checks(samples: &[RunMeasures]) -> Vec<(String, [u64; ExpectedVerdict::ALL.len()])> {
    let count = |property: Property| {
        let judged = |verdict: ExpectedVerdict| {
            samples.iter().filter(|s| s.checks[property as usize] == Some(verdict)).count() as u64
        };
        (
            property.name().to_owned(),
            std::array::from_fn(|place| judged(ExpectedVerdict::ALL[place])),
        )
    };
    Property::all().map(count).collect()
}

/// What happened in the runs whose replicas differ, the most frequent first.
fn diverged(samples: &[RunMeasures]) -> Vec<(String, u64)> {
    let mut counts: Vec<(String, u64)> = Vec::new();
    let judged = |sample: &&RunMeasures| {
        sample.checks[Property::Convergence as usize] != Some(ExpectedVerdict::Valid)
    };
    for sample in samples.iter().filter(judged) {
        let phrases: Vec<&str> = sample.divergence.iter().map(|hazard| hazard.phrase()).collect();
        let what =
            if phrases.is_empty() { "nothing that explains it".into() } else { phrases.join("; ") };
        match counts.iter_mut().find(|(other, _)| *other == what) {
            Some((_, count)) => *count += 1,
            None => counts.push((what, 1)),
        }
    }
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

/// The probability that a read sees a write, by the time since its acknowledgement. Runs are
/// independent, reads are not.
///
/// Neighbouring times are merged until they have enough reads; the longest of them is reported.
fn visibility(samples: &[RunMeasures]) -> Vec<(u64, Estimate)> {
    let bins: Vec<u64> = (DECADES.0 * 8..=DECADES.1 * 8)
        .map(|eighth| libm::round(libm::pow(10.0, f64::from(eighth) / 8.0)) as u64)
        .collect();
    let place = |since: u64| bins.partition_point(|bin| *bin < since).min(bins.len() - 1);
    let mut terms = vec![vec![RatioTerm::default(); samples.len()]; bins.len()];
    for (run, sample) in samples.iter().enumerate() {
        for one in &sample.visibility {
            let term = &mut terms[place(one.since.nanos())][run];
            term.part += f64::from(u8::from(one.seen));
            term.whole += 1.0;
        }
    }
    let mut curve: Vec<(u64, Estimate)> = Vec::new();
    let mut together = vec![RatioTerm::default(); samples.len()];
    for (bin, terms) in bins.iter().zip(&terms) {
        for (sum, term) in together.iter_mut().zip(terms) {
            sum.part += term.part;
            sum.whole += term.whole;
        }
        if together.iter().map(|term| term.whole).sum::<f64>() < FEWEST_READS {
            continue;
        }
        if let Some(value) = ratio_of(&together) {
            curve.push((*bin, Estimate::new(value, statistics::share(&together))));
        }
        together.fill(RatioTerm::default());
    }
    curve
}
