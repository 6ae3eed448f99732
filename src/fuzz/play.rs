//! One case, played.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::judge::{self, Finding, Signature};
use super::subject::Subject;
use crate::run::{RunOptions, RunResult};

/// What a case came to.
#[derive(Clone, Debug)]
pub struct Played {
    /// Which case.
    pub case: u64,
    /// What must not have happened, in the order of checks.
    pub findings: Vec<Finding>,
    /// The kind of each of its faults, by the fault's id: an index in [`crate::config::FaultAction::KINDS`].
    pub kinds: Vec<u8>,
    /// The run; `None` when the protocol panicked.
    pub result: Option<RunResult>,
}

/// Plays case `case` of the campaign of this seed. A protocol that panics is a find and no end of the campaign.
#[must_use]
pub fn play(subject: &Subject, seed: u64, case: u64) -> Played {
    let run = || {
        let drawn = subject.case(seed, case);
        let result = drawn.run(RunOptions::default());
        let findings = judge::findings(drawn.config(), &result, drawn.safety_only());
        let kinds = drawn.config().faults.iter().map(|fault| fault.action.kind() as u8).collect();
        (findings, kinds, result)
    };
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok((findings, kinds, result)) => Played { case, findings, kinds, result: Some(result) },
        Err(payload) => {
            let text = payload.downcast_ref::<String>().cloned();
            let text = text.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string));
            let finding = Finding {
                signature: Signature { check: "panic".to_owned(), mechanism: None },
                verdict: "violation".to_owned(),
                summary: text.unwrap_or_else(|| "the protocol panicked".to_owned()),
            };
            Played { case, findings: vec![finding], kinds: Vec::new(), result: None }
        }
    }
}
