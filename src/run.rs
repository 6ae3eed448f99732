//! One run, from settings and a seed to everything that is known of it: simulate, check, compare
//! with what the scenario expects.
//!
//! Reading order: [`RunOptions`] (how to play it), `judge` (simulate and check), `expect` (the
//! expectations and the verdict), [`RunResult`], [`diff`] (where two runs differ). How a broken
//! property came to be broken is found by [`crate::explain`].

use std::sync::Arc;

use crate::config::Config;
use crate::names::Names;
use crate::protocol::Protocol;
use crate::sim::Finished;

pub mod diff;

mod expect;
mod judge;
mod options;
mod result;

pub use expect::is_unexpected;
pub(crate) use judge::{Judged, evidence, play, simulate};
pub use options::{Causes, QueueKind, RunOptions};
pub use result::{Expectation, RunResult, RunVerdict};

/// Runs `config` with a protocol's `settings` under `seed`, checks the run and compares it with
/// what the scenario expects. `names` spells out the ids in `config`.
///
/// The result depends on these four alone. To look into a run while it goes on, step a
/// [`crate::sim::Simulation`] and hand its end to [`judge()`].
#[must_use]
pub fn run<P: Protocol>(
    config: &Config,
    names: &Arc<Names>,
    settings: &P::Config,
    seed: u64,
    options: RunOptions,
) -> RunResult {
    conclude(config, play::<P>(config, names, settings, seed, options))
}

/// Checks a run that [`crate::sim::Simulation`] played piece by piece, by the same `config`,
/// `settings` and `seed`, and compares it with what the scenario expects.
#[must_use]
pub fn judge<P: Protocol>(
    config: &Config,
    settings: &P::Config,
    seed: u64,
    finished: Finished,
) -> RunResult {
    conclude(config, judge::check::<P>(config, settings, seed, finished))
}

/// The result of a run whose reports are complete.
pub(crate) fn conclude(config: &Config, judged: Judged) -> RunResult {
    let Judged { seed, finished, checks } = judged;
    let expectations = expect::evaluate(config, &finished, &checks);
    let verdict = expect::verdict(config, &finished.settlement, &checks, &expectations);
    RunResult {
        seed,
        digest: finished.digest,
        verdict,
        ended_at: finished.ended_at,
        events: finished.events,
        history: finished.history,
        finals: finished.finals,
        states: config.expect.states.iter().map(|state| state.at).zip(finished.states).collect(),
        settlement: finished.settlement,
        last_write: finished.last_write,
        messages: finished.messages,
        unserved: finished.unserved,
        leaderships: finished.leaderships,
        recoveries: finished.recoveries,
        log: finished.log,
        impacts: finished.impacts,
        incidents: finished.incidents,
        checks,
        expectations,
        trace: finished.trace,
        steps: finished.steps,
    }
}
