//! A run played to its end, and what the checkers say of it.

use std::sync::Arc;

use crate::check::{self, CheckReport, Evidence};
use crate::config::Config;
use crate::names::Names;
use crate::protocol::Protocol;
use crate::sim::queue::{CalendarQueue, HeapQueue};
use crate::sim::{Event, Finished, NoteOptions, Simulation};

use super::options::{QueueKind, RunOptions};

/// A run that is over, with the checkers' reports.
pub(crate) struct Judged {
    pub(crate) seed: u64,
    pub(crate) finished: Finished,
    pub(crate) checks: Vec<CheckReport>,
}

/// Simulates `config` with a protocol's `settings` under `seed`, and checks the run.
pub(crate) fn play<P: Protocol>(
    config: &Config,
    names: &Arc<Names>,
    settings: &P::Config,
    seed: u64,
    options: RunOptions,
) -> Judged {
    let notes = NoteOptions {
        trace: options.trace,
        steps: options.steps,
        last_write: !options.without_last_write,
        ..NoteOptions::default()
    };
    let finished = simulate::<P>(config, names, settings, seed, options.queue, notes);
    check::<P>(config, settings, seed, finished)
}

/// Checks a run that is over.
pub(super) fn check<P: Protocol>(
    config: &Config,
    settings: &P::Config,
    seed: u64,
    finished: Finished,
) -> Judged {
    let promises = P::promises(settings, config);
    let settles = P::settles_within(settings, config);
    let evidence = evidence(config, &finished);
    let checks = check::judge(&evidence, &promises, &finished.incidents, settles);
    Judged { seed, finished, checks }
}

/// Simulates a run to its end and checks nothing.
pub(crate) fn simulate<P: Protocol>(
    config: &Config,
    names: &Arc<Names>,
    settings: &P::Config,
    seed: u64,
    queue: QueueKind,
    notes: NoteOptions,
) -> Finished {
    match queue {
        QueueKind::Calendar => {
            Simulation::<P, CalendarQueue<Event<P>>>::new(config, names, settings, seed, notes)
                .run()
        }
        QueueKind::Heap => {
            Simulation::<P, HeapQueue<Event<P>>>::new(config, names, settings, seed, notes).run()
        }
    }
}

/// What checkers may look at.
pub(crate) fn evidence<'a>(config: &'a Config, finished: &'a Finished) -> Evidence<'a> {
    Evidence {
        config,
        history: &finished.history,
        finals: &finished.finals,
        leaderships: &finished.leaderships,
        recoveries: &finished.recoveries,
        log: finished.log.as_ref(),
        applications: finished.applications.as_deref(),
        settlement: &finished.settlement,
        ended_at: finished.ended_at,
        never_served: finished.unserved.count + never_invoked(config, finished),
        survivors: &finished.survivors,
    }
}

/// How many scripted operations were due and never invoked: their client was still busy as the run
/// ended.
fn never_invoked(config: &Config, finished: &Finished) -> u64 {
    let entries = config.script.iter().zip(&finished.script);
    let was_due = |at| at <= finished.ended_at;
    entries.filter(|(scripted, op)| op.is_none() && was_due(scripted.at)).count() as u64
}
