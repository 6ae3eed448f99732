//! What counts as a find in a run.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::check::{CheckReport, Verdict};
use crate::config::{Config, ExpectedVerdict};
use crate::metrics::{Settlement, Standstill};
use crate::named::Named;
use crate::property::Property;
use crate::run::{Expectation, RunResult, is_unexpected};

/// A kind of failure. Finds with the same signature count as the same defect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Signature {
    /// The name of the property that was broken, or one of these:
    ///
    /// - `stuck`: virtual time stood still,
    /// - `panic`: the protocol panicked,
    /// - `determinism`: two runs of the case differ,
    /// - `expectation`: the run misses a state or an answer that the scenario expects.
    pub check: String,
    /// How it failed, where the run shows it: how a write was lost
    /// ([`crate::check::Mechanism`]), or which expectation was not met.
    pub mechanism: Option<String>,
}

impl Signature {
    fn of(check: &str) -> Self {
        Self { check: check.to_owned(), mechanism: None }
    }

    /// Two runs of the same case differ.
    #[must_use]
    pub fn determinism() -> Self {
        Self::of("determinism")
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.mechanism {
            Some(mechanism) => write!(f, "{}, {mechanism}", self.check),
            None => f.write_str(&self.check),
        }
    }
}

/// A failure that a run shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Find {
    /// Its kind.
    pub signature: Signature,
    /// The verdict of the check, by name.
    pub verdict: String,
    /// The witness, in words.
    pub summary: String,
}

/// Which properties count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JudgedProperties {
    /// All of them.
    All,
    /// All but liveness and availability: the faults may have any number of nodes down.
    Safety,
}

/// The failures of a run that count as finds:
///
/// - broken promises that the scenario does not expect to be broken,
/// - broken properties that it expects to hold, promised or not,
/// - bounds that it sets and the run misses.
#[must_use]
pub fn findings(config: &Config, result: &RunResult, scope: JudgedProperties) -> Vec<Find> {
    let of_progress = |property| matches!(property, Property::Liveness | Property::Availability);
    broken(result, |report| {
        let counts = scope == JudgedProperties::All || !of_progress(report.property);
        counts && is_unexpected(config, report)
    })
}

/// Every property that a run broke, whether it was promised, expected or neither.
#[must_use]
pub fn all_broken(result: &RunResult) -> Vec<Find> {
    broken(result, |report| matches!(report.verdict, Verdict::Invalid(_)))
}

fn broken(result: &RunResult, counted: impl Fn(&CheckReport) -> bool) -> Vec<Find> {
    let reports = result.checks.iter().filter(|report| counted(report));
    let mut findings: Vec<Find> = reports.map(|report| finding(report, result)).collect();
    if let Settlement::Stuck { at, why } = &result.settlement {
        findings.push(Find {
            signature: Signature::of("stuck"),
            verdict: ExpectedVerdict::Unknown.name().to_owned(),
            summary: match why {
                Standstill::Loop { events } => {
                    format!("time stood still at {at} s: {events} events at one instant")
                }
                Standstill::Crowd { pending } => {
                    format!("stopped at {at} s: more than {pending} events were pending")
                }
            },
        });
    }
    findings
}

/// The find that the protocol panicked with this message.
pub(super) fn panicked(words: &str) -> Find {
    Find {
        signature: Signature::of("panic"),
        verdict: ExpectedVerdict::Violation.name().to_owned(),
        summary: format!("the protocol panicked: {words}"),
    }
}

/// The find that two runs of one case differ.
pub(super) fn nondeterministic() -> Find {
    Find {
        signature: Signature::determinism(),
        verdict: ExpectedVerdict::Violation.name().to_owned(),
        summary: "the same run, played twice, has two digests".to_owned(),
    }
}

/// The expected states and answers that the run misses.
#[must_use]
pub fn unmet(config: &Config, result: &RunResult) -> Vec<Find> {
    // Expectations of checks come first, one each. What is broken there, or misses a bound, is a
    // find of its own.
    let of_schedule = result.expectations.iter().skip(config.expect.checks.len());
    let unmet =
        of_schedule.filter(|expectation| !expectation.met && expectation.demanded_of.is_none());
    let finding = |expectation: &Expectation| Find {
        signature: Signature {
            check: "expectation".to_owned(),
            mechanism: Some(expectation.name.clone()),
        },
        verdict: "unmet".to_owned(),
        summary: format!("expected {}, found {}", expectation.name, expectation.found),
    };
    unmet.map(finding).collect()
}

/// Whether the verdict of some check is unknown.
#[must_use]
pub fn is_unknown(result: &RunResult) -> bool {
    result.checks.iter().any(|report| report.judged == ExpectedVerdict::Unknown)
}

fn finding(report: &CheckReport, result: &RunResult) -> Find {
    let summary = match &report.verdict {
        Verdict::Invalid(witness) => witness.summary.clone(),
        Verdict::Unknown(why) | Verdict::Unchecked(why) => why.clone(),
        Verdict::Valid => String::new(),
    };
    Find {
        signature: Signature {
            check: report.property.name().to_owned(),
            mechanism: result.mechanism(report.property).map(|how| how.name().to_owned()),
        },
        verdict: report.judged.name().to_owned(),
        summary,
    }
}
