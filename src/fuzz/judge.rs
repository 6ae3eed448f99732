//! What of a run counts as a find.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::check::{CheckReport, Verdict};
use crate::config::{Config, ExpectedVerdict};
use crate::metrics::{Settlement, Standstill};
use crate::named::Named;
use crate::property::Property;
use crate::run::{Expectation, RunResult, is_unexpected};

/// What tells one kind of failure from another: finds of the same signature are taken for the same defect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Signature {
    /// The property that was broken, by name; `stuck` for a run in which time stood still, `panic` for a protocol
    /// that panicked, `determinism` for a case that played differently the second time, `expectation` for a state or an
    /// answer that the scenario expects and did not get.
    pub check: String,
    /// How, where the run tells: of a lost write how it was lost ([`crate::run::mechanism::Mechanism`]); of an
    /// expectation which.
    pub mechanism: Option<String>,
}

impl Signature {
    fn of(check: &str) -> Self {
        Self { check: check.to_owned(), mechanism: None }
    }

    /// Of a case that played differently the second time.
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

/// Something that must not have happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What kind of failure it is.
    pub signature: Signature,
    /// The verdict of the check, by name.
    pub verdict: String,
    /// The witness, in words.
    pub summary: String,
}

/// What a run must not have done: promises broken that the scenario does not expect to be, and properties broken that
/// it expects to hold or bounds missed that it sets, promised or not. With `safety_only` liveness and availability do not count.
#[must_use]
pub fn findings(config: &Config, result: &RunResult, safety_only: bool) -> Vec<Finding> {
    let of_progress = |property| matches!(property, Property::Liveness | Property::Availability);
    broken(result, |report| {
        !(safety_only && of_progress(report.property)) && is_unexpected(config, report)
    })
}

/// Everything that a run broke, whether it was promised or expected or neither.
#[must_use]
pub fn all_broken(result: &RunResult) -> Vec<Finding> {
    broken(result, |report| matches!(report.verdict, Verdict::Invalid(_)))
}

fn broken(result: &RunResult, counted: impl Fn(&CheckReport) -> bool) -> Vec<Finding> {
    let reports = result.checks.iter().filter(|report| counted(report));
    let mut findings: Vec<Finding> = reports.map(|report| finding(report, result)).collect();
    if let Settlement::Stuck { at, why } = &result.settlement {
        findings.push(Finding {
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

/// A protocol panicked, with these words.
pub(super) fn panicked(words: &str) -> Finding {
    Finding {
        signature: Signature::of("panic"),
        verdict: ExpectedVerdict::Violation.name().to_owned(),
        summary: format!("the protocol panicked: {words}"),
    }
}

/// A case played differently the second time.
pub(super) fn nondeterministic() -> Finding {
    Finding {
        signature: Signature::determinism(),
        verdict: ExpectedVerdict::Violation.name().to_owned(),
        summary: "the same run, played twice, has two digests".to_owned(),
    }
}

/// What the scenario expects of states and answers and did not get.
#[must_use]
pub fn unmet(config: &Config, result: &RunResult) -> Vec<Finding> {
    // Expectations of checks come first, one each; what they and bounds find broken has a finding of its own.
    let of_schedule = result.expectations.iter().skip(config.expect.checks.len());
    let unmet =
        of_schedule.filter(|expectation| !expectation.met && expectation.demanded_of.is_none());
    let finding = |expectation: &Expectation| Finding {
        signature: Signature {
            check: "expectation".to_owned(),
            mechanism: Some(expectation.name.clone()),
        },
        verdict: "unmet".to_owned(),
        summary: format!("expected {}, found {}", expectation.name, expectation.found),
    };
    unmet.map(finding).collect()
}

/// Whether a checker could not tell what the run was to be told of.
#[must_use]
pub fn is_unknown(result: &RunResult) -> bool {
    result.checks.iter().any(|report| report.judged == ExpectedVerdict::Unknown)
}

fn finding(report: &CheckReport, result: &RunResult) -> Finding {
    let summary = match &report.verdict {
        Verdict::Invalid(witness) => witness.summary.clone(),
        Verdict::Unknown(why) | Verdict::Unchecked(why) => why.clone(),
        Verdict::Valid => String::new(),
    };
    Finding {
        signature: Signature {
            check: report.property.name().to_owned(),
            mechanism: result.mechanism(report.property).map(|how| how.name().to_owned()),
        },
        verdict: report.judged.name().to_owned(),
        summary,
    }
}
