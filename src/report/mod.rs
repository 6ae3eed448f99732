//! Reports: text for people, JSON for programs, files, pictures.
//!
//! [`Report`] is the part of a [`RunResult`] that is reported, small enough to keep thousands of.
//! Everything here reads it, except [`history`] and [`edn`], which write out the operations
//! themselves.
//! Nothing in this layer prints.

use crate::check::CheckReport;
use crate::check::Mechanism;
use crate::check::replicated_log::Breach;
use crate::config::{Config, ExpectedVerdict};
use crate::digest::DigestValue;
use crate::history::{Failure, Function, History, NemesisEvent, Status};
use crate::metrics::{
    LastWrite, Latency, Leadership, MessageCounts, Settlement, Standstill, Unserved,
};
use crate::named::Named;
use crate::property::Incident;
use crate::run::{Expectation, RunResult, RunVerdict};
use crate::time::{Span, Time};

mod breach;
pub mod check;
pub mod diff;
pub mod edn;
mod event_value;
pub mod explain;
pub mod files;
pub mod folder;
pub mod history;
mod idle;
pub mod json;
pub(crate) mod layout;
mod never;
pub mod nodes;
pub mod pictures;
pub mod plot;
mod remark;
#[cfg(test)]
pub(crate) mod sample;
mod strayed;
pub mod text;
pub mod totals;
pub(crate) mod verify;

pub use never::NeverStarted;
use never::never_started;
pub use strayed::Strayed;

/// The report of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The scenario's name: its path below `scenarios`, without the extension.
    pub scenario: String,
    /// What the scenario shows, in a line.
    pub title: String,
    /// The seed.
    pub seed: u64,
    /// The digest of every event.
    pub digest: DigestValue,
    /// The verdict.
    pub verdict: RunVerdict,
    /// The virtual time at which the run ended.
    pub ended_at: Time,
    /// How many events were played.
    pub events: u64,
    /// The operations, by outcome.
    pub operations: OperationCounts,
    /// The latencies of operations that completed ok, by function; none for a function without any.
    pub latencies: Vec<(Function, Latency)>,
    /// Every property, in the order of reports.
    pub checks: Vec<CheckedProperty>,
    /// The first breach of each invariant of the replicated log that was broken.
    pub breaches: Vec<Breach>,
    /// Messages by fate.
    pub messages: MessageCounts,
    /// Who led when.
    pub leaderships: Vec<Leadership>,
    /// The operations that a node refused because it was down, while another node led.
    pub strayed: Option<Strayed>,
    /// What the nemesis did.
    pub faults: Vec<FaultAct>,
    /// The faults that never started because their trigger never fired, in file order.
    pub never: Vec<NeverStarted>,
    /// How much followers differed from the leader when the last write was answered.
    pub last_write: Option<LastWrite>,
    /// Warnings for the author of the scenario, a line each: faults that hit nobody.
    pub warnings: Vec<String>,
    /// How the run ended.
    pub settlement: Settlement,
    /// The scenario's expectations, and what was found.
    pub expectations: Vec<Expectation>,
}

/// A checked property, and what the scenario expected of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedProperty {
    /// What was found and promised.
    pub report: CheckReport,
    /// What `[expect]` says of it, if anything.
    pub expected: Option<ExpectedVerdict>,
    /// How it was broken, if the run shows it.
    pub mechanism: Option<Mechanism>,
    /// The incidents that voided the promise, in words: what happened to which node, and when.
    pub voided: Vec<String>,
}

/// An act of the nemesis, with its fault named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultAct {
    /// The fault's id in the scenario; `None` for the healing at the end of the fault phase.
    pub fault: Option<String>,
    /// Whether it starts or ends.
    pub starts: bool,
    /// When it happened.
    pub at: Time,
    /// What happened, in words.
    pub what: String,
}

/// Operations by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OperationCounts {
    /// All of them.
    pub invoked: u64,
    /// Those that happened.
    pub ok: u64,
    /// Those that did not.
    pub fail: u64,
    /// Those whose outcome is unknown, including pending ones.
    pub info: u64,
    /// Ok, but with fewer acknowledgements than asked for.
    pub degraded: u64,
    /// Arrivals of an open loop that found no free client and were never invoked.
    pub unserved: Unserved,
    /// How often each reason for a failure was given, in the order of [`Failure`].
    pub failures: [u64; Failure::ALL.len()],
}

impl OperationCounts {
    fn of(history: &History, unserved: Unserved) -> Self {
        let mut counts = Self { unserved, ..Self::default() };
        for entry in history.entries() {
            counts.invoked += 1;
            counts.degraded += u64::from(entry.degraded);
            match entry.status {
                Status::Ok => counts.ok += 1,
                Status::Fail => counts.fail += 1,
                Status::Info | Status::Pending => counts.info += 1,
            }
            if let Some(failure) = entry.failure {
                counts.failures[failure as usize] += 1;
            }
        }
        counts
    }

    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Self) {
        self.invoked += other.invoked;
        self.ok += other.ok;
        self.fail += other.fail;
        self.info += other.info;
        self.degraded += other.degraded;
        self.unserved.count += other.unserved.count;
        self.unserved.longest_wait = self.unserved.longest_wait.max(other.unserved.longest_wait);
        for (mine, theirs) in self.failures.iter_mut().zip(other.failures) {
            *mine += theirs;
        }
    }

    /// The reasons that were given, and how often.
    pub fn reasons(&self) -> impl Iterator<Item = (Failure, u64)> {
        Failure::all().zip(self.failures).filter(|(_, count)| *count > 0)
    }
}

/// The latency of each operation that completed ok, by function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lengths([Vec<Span>; Function::ALL.len()]);

impl Lengths {
    /// The latencies of a history.
    #[must_use]
    pub fn of(history: &History) -> Self {
        let mut lengths = Self::default();
        for (op, entry) in history.iter().filter(|(_, entry)| entry.is_ok()) {
            lengths.0[entry.function as usize].extend(history.latency(op));
        }
        lengths
    }

    /// Adds the latencies of another run.
    pub fn append(&mut self, other: &mut Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&mut other.0) {
            mine.append(theirs);
        }
    }

    /// The statistics of every function with latencies.
    pub fn latencies(&mut self) -> Vec<(Function, Latency)> {
        let some = Function::all().zip(&mut self.0).filter(|(_, all)| !all.is_empty());
        some.map(|(function, all)| (function, Latency::of(all))).collect()
    }
}

impl Report {
    /// The report of `result`, a run of `config`; and all latencies, for pooling with other runs.
    #[must_use]
    pub fn of(scenario: &str, config: &Config, result: &RunResult) -> (Self, Lengths) {
        let mut lengths = Lengths::of(&result.history);
        let names = result.history.names();
        let voided = |incident: &Incident| incident.phrase(|id| names.client(id));
        let check = |report: &CheckReport| {
            let mut said = config.expect.checks.iter();
            let expected = said.find(|(property, _)| *property == report.property);
            CheckedProperty {
                report: report.clone(),
                expected: expected.map(|(_, verdict)| *verdict),
                mechanism: result.mechanism(report.property),
                voided: report.voided_by.iter().map(voided).collect(),
            }
        };
        let fault = |act: &NemesisEvent| FaultAct {
            fault: act.fault.map(|id| names.fault(id).to_owned()),
            starts: act.starts,
            at: act.at,
            what: act.what.clone(),
        };
        let report = Self {
            scenario: scenario.to_owned(),
            title: config.title.clone(),
            seed: result.seed,
            digest: result.digest,
            verdict: result.verdict,
            ended_at: result.ended_at,
            events: result.events,
            operations: OperationCounts::of(&result.history, result.unserved),
            latencies: lengths.latencies(),
            checks: result.checks.iter().map(check).collect(),
            breaches: result.log.as_ref().map_or_else(Vec::new, |log| log.breaches.clone()),
            messages: result.messages.clone(),
            leaderships: result.leaderships.clone(),
            strayed: Strayed::of(config, &result.history, &result.leaderships),
            faults: result.history.nemesis().iter().map(fault).collect(),
            never: never_started(config, &result.history),
            last_write: result.last_write,
            warnings: idle::idle_faults(config, names, &result.impacts),
            settlement: result.settlement.clone(),
            expectations: result.expectations.clone(),
        };
        (report, lengths)
    }

    /// Why the run did not pass, shortest first; empty when it did.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.verdict == RunVerdict::Pass {
            return reasons;
        }
        for CheckedProperty { report, expected, .. } in &self.checks {
            match (report.judged, expected) {
                // A check that is expected is among the expectations, met or not.
                (_, Some(_)) => {}
                (ExpectedVerdict::Violation, None) => {
                    reasons.push(format!("{} was promised and broken", report.property));
                }
                (ExpectedVerdict::Unknown, None) => {
                    reasons.push(format!("{} could not be told", report.property));
                }
                // A missed bound is among the expectations.
                (
                    ExpectedVerdict::Valid | ExpectedVerdict::Allowed | ExpectedVerdict::Unchecked,
                    None,
                ) => {}
            }
        }
        let unmet = self.expectations.iter().filter(|expectation| !expectation.met);
        reasons.extend(unmet.map(
            |Expectation { name, found, demanded_of, .. }| match demanded_of {
                Some(property) => format!("{property} missed its bound: {name}, found: {found}"),
                None => format!("not met: {name}"),
            },
        ));
        if let Settlement::Stuck { at, why } = self.settlement {
            let at = layout::moment(at);
            reasons.push(match why {
                Standstill::Loop { .. } => format!("virtual time stood still at {at}"),
                Standstill::Crowd { .. } => format!("too many events were pending at {at}"),
            });
        }
        reasons
    }
}
