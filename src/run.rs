//! One run, from settings and a seed to everything that is known of it: simulate, check, hold against what the
//! scenario expects.

use crate::check::{self, CheckReport};
use crate::config::{Config, ExpectedVerdict};
use crate::digest::DigestValue;
use crate::history::History;
use crate::metrics::{
    Impact, LastWrite, Leadership, MessageCounts, Recovery, Settlement, Unserved,
};
use crate::property::{Incidents, Property};
use crate::protocol::{NodeSnapshot, Protocol};
use crate::sim::queue::{CalendarQueue, HeapQueue};
use crate::sim::{Event, Finished, NoteOptions, Simulation};
use crate::time::Time;

pub mod chronicle;
pub mod diff;
pub mod explain;
pub mod focus;
pub mod mechanism;
pub mod story;
pub mod written_out;

mod causes;
mod expect;
mod fate;
mod losses;

pub use losses::MOST_FOLLOWED;
use mechanism::Mechanism;

/// What to do besides simulating.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Write a line an event ([`RunResult::trace`]).
    pub trace: bool,
    /// Note each event's digest, so that two runs can be compared ([`RunResult::steps`]).
    pub steps: bool,
    /// Which event queue to use; the digest is the same.
    pub queue: QueueKind,
    /// Of which broken properties to find out how they came to be broken.
    pub causes: Causes,
    /// Do without [`RunResult::last_write`], which nobody reads who plays many thousands of runs.
    pub without_last_write: bool,
}

/// Of which broken properties it is found out how they came to be broken. That takes a second run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Causes {
    /// Of all.
    #[default]
    OfAll,
    /// Of all but reads that nobody promised anything of: where reads may be stale they often are, and a table of many
    /// runs does not say how.
    OfAllButAllowedReads,
    /// Of those that must not have been broken: see [`is_unexpected`].
    OfTheUnexpected,
}

/// Whether a property must not have been broken: it was promised, and the scenario does not expect it to be broken; or
/// the scenario expects it to hold, or sets a bound that was missed, promised or not.
#[must_use]
pub fn is_unexpected(config: &Config, report: &CheckReport) -> bool {
    let mut expected = config.expect.checks.iter().filter(|(p, _)| *p == report.property);
    let expected = expected.next().map(|(_, verdict)| *verdict);
    match report.judged {
        ExpectedVerdict::Violation => expected != Some(ExpectedVerdict::Violation),
        ExpectedVerdict::Allowed => {
            expected == Some(ExpectedVerdict::Valid)
                || (report.misses_a_bound() && config.expect.demands(report.property))
        }
        ExpectedVerdict::Valid | ExpectedVerdict::Unknown | ExpectedVerdict::Unchecked => false,
    }
}

/// Which event queue a simulation uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueKind {
    /// Buckets of time, sorted when their turn comes: the fastest.
    #[default]
    Calendar,
    /// A 4-ary heap of packed keys.
    Heap,
}

/// The verdict of a run, and its exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunVerdict {
    /// All as promised and expected.
    Pass,
    /// A promised property was broken and the scenario does not expect it, or an expectation was not met.
    Fail,
    /// A checker could not tell.
    Unknown,
}

impl RunVerdict {
    /// The name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        }
    }
}

/// An expectation of the scenario, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// What was expected, in words: `durability = violation`, `at 12s n2 city = Raleigh`.
    pub name: String,
    /// Whether it was so.
    pub met: bool,
    /// What was found instead; empty when it was met.
    pub found: String,
    /// The property whose bound it is, where the bound is the expectation.
    pub demanded_of: Option<Property>,
}

/// Everything that is known of a run.
#[derive(Clone, Debug)]
pub struct RunResult {
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
    /// What clients asked and were told, and what the nemesis did.
    pub history: History,
    /// Every node at the end, in node order.
    pub finals: Vec<NodeSnapshot>,
    /// The nodes of which a state was expected, each at its time, in file order.
    pub states: Vec<(Time, NodeSnapshot)>,
    /// How it ended.
    pub settlement: Settlement,
    /// How far followers were from the leader when the last write was answered; `None` where none was acknowledged, or
    /// nobody led then, and with [`RunOptions::without_last_write`].
    pub last_write: Option<LastWrite>,
    /// Messages by fate.
    pub messages: MessageCounts,
    /// Arrivals of an open loop that were never invoked.
    pub unserved: Unserved,
    /// Who led when.
    pub leaderships: Vec<Leadership>,
    /// Every start of a node from its write-ahead log, in order of time.
    pub recoveries: Vec<Recovery>,
    /// Every fault that struck, in order of time.
    pub impacts: Vec<Impact>,
    /// What befell whom that may void a promise.
    pub incidents: Incidents,
    /// Every property, in the order of [`crate::property::Property`].
    pub checks: Vec<CheckReport>,
    /// How what was broken came to be broken, where the run tells: of a lost write how it was lost; of replicas that
    /// differ why one lacks the newest write; of a deleted key that came back what became of the delete; of a read
    /// that missed a write what the replica that answered had of it then.
    pub mechanisms: Vec<(Property, Mechanism)>,
    /// Every expectation, in file order: checks, bounds of properties that no expected check names, states, answers.
    pub expectations: Vec<Expectation>,
    /// With [`RunOptions::trace`], a line an event.
    pub trace: Option<String>,
    /// With [`RunOptions::steps`], each event's time and the digest up to and including it.
    pub steps: Vec<(Time, DigestValue)>,
}

impl RunResult {
    /// How `property` came to be broken, where the run tells.
    #[must_use]
    pub fn mechanism(&self, property: Property) -> Option<Mechanism> {
        self.mechanisms.iter().find(|(broken, _)| *broken == property).map(|(_, how)| *how)
    }
}

/// Runs `config` with a protocol's `settings` under `seed`, checks the run and holds it against what the scenario
/// expects.
///
/// The result depends on these three alone. A run that is to be asked while it goes on is a [`Simulation`],
/// whose end is handed to [`judge`]. When writes are found lost, the run is simulated a second time to note
/// what became of them on every node.
#[must_use]
pub fn run<P: Protocol>(
    config: &Config,
    settings: &P::Config,
    seed: u64,
    options: RunOptions,
) -> RunResult {
    let notes = NoteOptions {
        trace: options.trace,
        steps: options.steps,
        last_write: !options.without_last_write,
        ..NoteOptions::default()
    };
    let finished = simulate::<P>(config, settings, seed, options.queue, notes);
    judge::<P>(config, settings, seed, options, finished)
}

/// Checks a run that [`Simulation`] played, by `config`, `settings` and `seed`, and holds it against what
/// the scenario expects.
#[must_use]
pub fn judge<P: Protocol>(
    config: &Config,
    settings: &P::Config,
    seed: u64,
    options: RunOptions,
    finished: Finished,
) -> RunResult {
    let promises = P::promises(settings, config);
    let evidence = losses::evidence(config, &finished);
    let settles = P::settles_within(settings, config);
    let mut checks = check::judge(&evidence, &promises, &finished.incidents, settles);
    let mechanisms = causes::tell::<P>(&mut checks, config, settings, (seed, options), &finished);
    let expectations = expect::evaluate(config, &finished, &checks);
    let verdict = verdict(config, &finished.settlement, &checks, &expectations);
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
        impacts: finished.impacts,
        incidents: finished.incidents,
        checks,
        mechanisms,
        expectations,
        trace: finished.trace,
        steps: finished.steps,
    }
}

fn simulate<P: Protocol>(
    config: &Config,
    settings: &P::Config,
    seed: u64,
    queue: QueueKind,
    notes: NoteOptions,
) -> Finished {
    match queue {
        QueueKind::Calendar => {
            Simulation::<P, CalendarQueue<Event<P>>>::new(config, settings, seed, notes).run()
        }
        QueueKind::Heap => {
            Simulation::<P, HeapQueue<Event<P>>>::new(config, settings, seed, notes).run()
        }
    }
}

/// A run fails when a promised property was broken and the scenario does not say so, or an expectation was not
/// met; it is unknown when a checker could not tell and the scenario does not say so, or time stood still.
fn verdict(
    config: &Config,
    settlement: &Settlement,
    checks: &[CheckReport],
    expectations: &[Expectation],
) -> RunVerdict {
    let expected =
        |report: &CheckReport| config.expect.checks.contains(&(report.property, report.judged));
    let found = |judged| checks.iter().any(|report| report.judged == judged && !expected(report));
    if found(ExpectedVerdict::Violation) || expectations.iter().any(|expectation| !expectation.met)
    {
        RunVerdict::Fail
    } else if found(ExpectedVerdict::Unknown) || matches!(settlement, Settlement::Stuck { .. }) {
        RunVerdict::Unknown
    } else {
        RunVerdict::Pass
    }
}
