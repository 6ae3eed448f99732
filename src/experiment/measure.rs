//! Reducing a run to what its point of a sweep needs.

use std::collections::BTreeSet;

use crate::check::{self, Freshness};
use crate::config::ExpectedVerdict;
use crate::history::{Entry, Failure, Function, History, Status};
use crate::metrics::{LastWrite, Settlement};
use crate::named::Named;
use crate::property::{Hazard, Property};
use crate::run::{RunResult, RunVerdict};

/// The latencies and counts of one run.
#[derive(Clone, Debug)]
pub struct RunMeasures {
    /// Its verdict.
    pub verdict: RunVerdict,
    /// How every property was judged, in the order of [`Property`].
    pub checks: Vec<Option<ExpectedVerdict>>,
    /// Operations by function, in the order of [`Function`].
    pub functions: Vec<FunctionMeasures>,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Acknowledged writes that were lost.
    pub lost: u64,
    /// Acknowledged writes that were gone before their keys were written again; `None` if unknown.
    pub discarded: Option<u64>,
    /// The least number of followers that had acknowledged a write when its client was answered;
    /// `None` if no answer says so.
    pub least_confirmations: Option<u16>,
    /// Completed reads.
    pub reads: u64,
    /// Reads that missed a write acknowledged before them.
    pub stale_reads: u64,
    /// The longest time for which a missed write had been acknowledged, in nanoseconds.
    pub longest_staleness: u64,
    /// Operations that were due and never invoked.
    pub never_served: u64,
    /// The longest time in which operations were pending and none was answered, in nanoseconds.
    pub longest_gap: u64,
    /// The longest time in which writes were pending and none was acknowledged, in nanoseconds.
    pub longest_write_gap: u64,
    /// Leaders that were lost.
    pub leaders_lost: u64,
    /// The longest time from the loss of a leader to an answer by the next, in nanoseconds.
    pub longest_recovery: u64,
    /// Lost leaders from whom the cluster did not recover.
    pub unrecovered: u64,
    /// How much followers differed from the leader when the last write was answered; `None` if
    /// unknown.
    pub last_write: Option<LastWrite>,
    /// Messages handed to the network.
    pub messages: u64,
    /// Messages lost or blocked.
    pub undelivered: u64,
    /// Whether the cluster settled.
    pub settled: bool,
    /// The hazards that voided the promise to converge; empty if replicas match.
    pub divergence: Vec<Hazard>,
    /// How fresh the answer of each get was.
    pub visibility: Vec<Freshness>,
}

/// The operations of one function.
#[derive(Clone, Debug, Default)]
pub struct FunctionMeasures {
    /// Completed ok.
    pub ok: u64,
    /// Failed: did not happen.
    pub fail: u64,
    /// Whether it happened is unknown.
    pub info: u64,
    /// Ok, with fewer acknowledgements than asked for.
    pub degraded: u64,
    /// The latency of each that completed ok, in nanoseconds.
    pub latencies: Vec<u64>,
    /// Those without an answer in time. Their latency is only known to be longer than the client
    /// waited.
    pub censored: u64,
}

impl FunctionMeasures {
    /// How many were invoked.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.ok + self.fail + self.info
    }
}

impl RunMeasures {
    /// Reduces a run.
    #[must_use]
    pub fn of(result: &RunResult) -> Self {
        let report = |property| result.checks.iter().find(|check| check.property == property);
        let known = |property, name| {
            let figures = report(property).map_or(&[][..], |check| &check.figures);
            figures.iter().find(|(other, _)| *other == name).map(|(_, figure)| *figure)
        };
        let figure = |property, name| known(property, name).unwrap_or(0);
        let judged = |property| report(property).map(|check| check.judged);
        let divergence = report(Property::Convergence)
            .filter(|check| check.judged != ExpectedVerdict::Valid)
            .map_or_else(Vec::new, |check| {
                let hazards = check.voided_by.iter().map(|incident| incident.hazard);
                hazards.collect::<BTreeSet<_>>().into_iter().collect()
            });
        let reads = figure(Property::Staleness, "reads");
        Self {
            verdict: result.verdict,
            checks: Property::all().map(judged).collect(),
            functions: functions(&result.history),
            acknowledged: figure(Property::Durability, "acknowledged_writes"),
            lost: figure(Property::Durability, "lost_writes"),
            discarded: known(Property::Durability, "discarded_writes"),
            least_confirmations: least_confirmations(&result.history),
            reads,
            stale_reads: figure(Property::Staleness, "stale_reads"),
            longest_staleness: figure(Property::Staleness, "max_staleness_ns"),
            never_served: figure(Property::Availability, "never_served"),
            longest_gap: figure(Property::Availability, "longest_gap_ns"),
            longest_write_gap: figure(Property::Availability, "longest_write_gap_ns"),
            leaders_lost: figure(Property::Availability, "leaders_lost"),
            longest_recovery: figure(Property::Availability, "longest_recovery_ns"),
            unrecovered: figure(Property::Availability, "unrecovered"),
            last_write: result.last_write,
            messages: result.messages.sent,
            undelivered: result.messages.lost + result.messages.blocked,
            settled: matches!(result.settlement, Settlement::Settled { .. }),
            divergence,
            visibility: if reads > 0 { check::visibility(&result.history) } else { Vec::new() },
        }
    }

    /// Operations that were invoked.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.functions.iter().map(FunctionMeasures::count).sum()
    }

    /// Operations that completed ok.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.functions.iter().map(|one| one.ok).sum()
    }
}

fn functions(history: &History) -> Vec<FunctionMeasures> {
    let mut functions = vec![FunctionMeasures::default(); Function::ALL.len()];
    for (op, entry) in history.iter() {
        let function = &mut functions[entry.function as usize];
        function.degraded += u64::from(entry.degraded);
        function.censored += u64::from(is_censored(entry));
        match entry.status {
            Status::Ok => {
                function.ok += 1;
                function.latencies.extend(history.latency(op).map(crate::time::Span::nanos));
            }
            Status::Fail => function.fail += 1,
            Status::Info | Status::Pending => function.info += 1,
        }
    }
    functions
}

/// Whether a client gave up waiting for it. A refusal is an answer.
const fn is_censored(entry: &Entry) -> bool {
    match entry.status {
        Status::Ok => false,
        Status::Info | Status::Pending => true,
        Status::Fail => matches!(
            entry.failure,
            Some(Failure::Timeout | Failure::TooFewReplies | Failure::Unfinished)
        ),
    }
}

/// The least number of followers that had acknowledged a write when its client was answered.
fn least_confirmations(history: &History) -> Option<u16> {
    let tells = |entry: &&Entry| entry.is_ok() && entry.is_write() && entry.followers > 0;
    history.entries().iter().filter(tells).map(|entry| entry.acknowledgements).min()
}
