//! The sum of many runs of one scenario.

use crate::config::ExpectedVerdict;
use crate::history::Function;
use crate::metrics::{Latency, MessageCounts};
use crate::named::Named;
use crate::property::Property;
use crate::report::{Lengths, OperationCounts, Report};
use crate::run::RunVerdict;

/// How many runs that did not pass are shown one by one.
const SHOWN: usize = 10;

/// The sum of many runs of one scenario. It takes 8 bytes for each operation that completed ok.
#[derive(Clone, Debug, Default)]
pub struct RunTotals {
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's title.
    pub title: String,
    /// Runs that passed.
    pub pass: u64,
    /// Runs that failed.
    pub fail: u64,
    /// Runs whose verdict is unknown.
    pub unknown: u64,
    /// By property, how often each verdict was given, in the order of [`ExpectedVerdict`].
    pub checks: Vec<(Property, [u64; ExpectedVerdict::ALL.len()])>,
    /// Operations of all runs.
    pub operations: OperationCounts,
    /// Messages of all runs.
    pub messages: MessageCounts,
    /// The first runs that did not pass.
    pub notable: Vec<Notable>,
    lengths: Lengths,
}

/// A run that did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notable {
    /// Its seed.
    pub seed: u64,
    /// Its verdict.
    pub verdict: RunVerdict,
    /// Why it did not pass.
    pub reasons: Vec<String>,
}

impl RunTotals {
    /// The sum of no runs.
    #[must_use]
    pub fn new(scenario: &str, title: &str) -> Self {
        Self {
            scenario: scenario.to_owned(),
            title: title.to_owned(),
            checks: Property::all().map(|property| (property, Default::default())).collect(),
            ..Self::default()
        }
    }

    /// How often each property got each verdict, in the order of [`ExpectedVerdict`]; those of a
    /// replicated log only where one was kept.
    pub fn judged(&self) -> impl Iterator<Item = &(Property, [u64; ExpectedVerdict::ALL.len()])> {
        self.checks.iter().filter(|(property, counts)| {
            !property.is_of_a_log() || counts.iter().any(|count| *count > 0)
        })
    }

    /// Adds a run.
    pub fn add(&mut self, report: &Report, mut lengths: Lengths) {
        match report.verdict {
            RunVerdict::Pass => self.pass += 1,
            RunVerdict::Fail => self.fail += 1,
            RunVerdict::Unknown => self.unknown += 1,
        }
        if report.verdict != RunVerdict::Pass && self.notable.len() < SHOWN {
            self.notable.push(Notable {
                seed: report.seed,
                verdict: report.verdict,
                reasons: report.reasons(),
            });
        }
        for check in &report.checks {
            let place = ExpectedVerdict::ALL.iter().position(|one| *one == check.report.judged);
            let counts = self.checks.iter_mut().find(|(one, _)| *one == check.report.property);
            if let (Some(place), Some((_, counts))) = (place, counts) {
                counts[place] += 1;
            }
        }
        self.operations.add(&report.operations);
        self.messages.add(&report.messages);
        self.lengths.append(&mut lengths);
    }

    /// How many runs.
    #[must_use]
    pub const fn runs(&self) -> u64 {
        self.pass + self.fail + self.unknown
    }

    /// The statistics of all runs' operations together.
    pub fn latencies(&mut self) -> Vec<(Function, Latency)> {
        self.lengths.latencies()
    }
}
