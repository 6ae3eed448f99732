//! One case, played.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::judge::{self, Finding};
use super::subject::Subject;
use crate::run::{Causes, QueueKind, RunOptions, RunResult};

/// What a campaign does not ask for costs it nothing.
const OPTIONS: RunOptions = RunOptions {
    trace: false,
    steps: false,
    queue: QueueKind::Calendar,
    causes: Causes::OfTheUnexpected,
    without_last_write: true,
};

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
    let drawn = subject.case(seed, case);
    let kinds = drawn.config().faults.iter().map(|fault| fault.action.kind() as u8).collect();
    match caught_run(|| drawn.run(OPTIONS)) {
        Ok(result) => {
            let findings = judge::findings(drawn.config(), &result, drawn.safety_only());
            Played { case, findings, kinds, result: Some(result) }
        }
        Err(panicked) => Played { case, findings: vec![panicked], kinds, result: None },
    }
}

/// A run, or the find that the protocol panicked in it.
pub(super) fn caught_run(play: impl FnOnce() -> RunResult) -> Result<RunResult, Finding> {
    // A simulation is built and dropped inside: what a panic leaves of it nobody sees.
    catch_unwind(AssertUnwindSafe(play)).map_err(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        judge::panicked(text.unwrap_or("without a word"))
    })
}
