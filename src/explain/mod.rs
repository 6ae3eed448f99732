//! Why a run went as it did: the mechanism behind a broken property, what became of a write, and
//! where in the run to look.
//!
//! Each explanation plays the run again, under the same seed, and notes more the second time.
//! Reading order: `losses` (the writes that are followed), `classify` (by which
//! [`crate::check::Mechanism`] a write was lost), `missed` (how a read missed a write), `causes`
//! (the mechanism behind each broken property), `fate`, [`story`] and `narrator` (one write in
//! words), [`explanation`] (what `splitbrain explain` says), [`chronicle`] (everything that
//! pictures show), [`focus`] (the stretch of time to show).

use std::sync::Arc;

use crate::config::Config;
use crate::names::Names;
use crate::protocol::Protocol;
use crate::run::{self, RunOptions, RunResult};

pub mod chronicle;
pub mod explanation;
pub mod focus;
pub mod story;

mod causes;
mod classify;
mod fate;
mod losses;
mod missed;
mod narrator;
#[cfg(test)]
pub(crate) mod sample;

pub use explanation::{BrokenRead, Discarded, Explanation, NoSuchWrite, Question, explain};
pub use losses::MOST_FOLLOWED;

/// Runs as [`run::run`] does, and adds the mechanism to each broken property that
/// [`RunOptions::causes`] selects.
///
/// The run is simulated a second time where a write is at fault.
#[must_use]
pub fn run<P: Protocol>(
    config: &Config,
    names: &Arc<Names>,
    settings: &P::Config,
    seed: u64,
    options: RunOptions,
) -> RunResult {
    let mut judged = run::play::<P>(config, names, settings, seed, options);
    causes::find::<P>(config, settings, &mut judged, options);
    run::conclude(config, judged)
}
