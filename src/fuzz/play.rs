//! Playing one case.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::judge::{self, Find};
use super::target::FuzzTarget;
use crate::run::{Causes, QueueKind, RunOptions, RunResult};

/// Only what a campaign needs: everything else would slow it down.
const OPTIONS: RunOptions = RunOptions {
    trace: false,
    steps: false,
    queue: QueueKind::Calendar,
    causes: Causes::OfTheUnexpected,
    without_last_write: true,
};

/// A case that was played.
#[derive(Clone, Debug)]
pub struct PlayedCase {
    /// The number of the case.
    pub case: u64,
    /// Its failures, in the order of checks.
    pub findings: Vec<Find>,
    /// The kind of each of its faults, by the fault's id: an index into
    /// [`crate::config::FaultAction::KINDS`].
    pub kinds: Vec<u8>,
    /// The run; `None` when the protocol panicked.
    pub result: Option<RunResult>,
}

/// Plays case `case` of the campaign with this seed. A panic of the protocol is a find; it does not
/// end the campaign.
#[must_use]
pub fn play(target: &FuzzTarget, seed: u64, case: u64) -> PlayedCase {
    let drawn = target.case(seed, case);
    let kinds = drawn.config().faults.iter().map(|fault| fault.action.kind() as u8).collect();
    match caught_run(|| drawn.run(OPTIONS)) {
        Ok(result) => {
            let findings = judge::findings(drawn.config(), &result, drawn.scope());
            PlayedCase { case, findings, kinds, result: Some(result) }
        }
        Err(panicked) => PlayedCase { case, findings: vec![panicked], kinds, result: None },
    }
}

/// The run, or the find that the protocol panicked.
pub(super) fn caught_run(play: impl FnOnce() -> RunResult) -> Result<RunResult, Find> {
    // Unwind safe: the simulation is built and dropped inside, so nothing half changed is left.
    catch_unwind(AssertUnwindSafe(play)).map_err(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        judge::panicked(text.unwrap_or("without a word"))
    })
}
