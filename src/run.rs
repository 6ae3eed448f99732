//! One run, from settings and a seed to everything that is known of it.

use crate::check::CheckReport;
use crate::digest::DigestValue;
use crate::history::History;
use crate::metrics::{Leadership, MessageCounts, Settlement};
use crate::protocol::NodeSnapshot;
use crate::time::Time;

/// What to do besides simulating.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Write a line an event ([`RunResult::trace`]).
    pub trace: bool,
    /// Note each event's digest, so that two runs can be compared ([`RunResult::steps`]).
    pub steps: bool,
    /// Which event queue to use; the digest is the same.
    pub queue: QueueKind,
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
    /// How it ended.
    pub settlement: Settlement,
    /// Messages by fate.
    pub messages: MessageCounts,
    /// Who led when.
    pub leaderships: Vec<Leadership>,
    /// Every property, in the order of [`crate::property::Property::ALL`].
    pub checks: Vec<CheckReport>,
    /// Every expectation, in file order: checks, states, answers.
    pub expectations: Vec<Expectation>,
    /// With [`RunOptions::trace`], a line an event.
    pub trace: Option<String>,
    /// With [`RunOptions::steps`], each event's time and the digest up to and including it.
    pub steps: Vec<(Time, DigestValue)>,
}

/// Runs `config` with `settings` under `seed`.
#[must_use]
pub fn run<P: crate::protocol::Protocol>(
    config: &crate::config::Config,
    settings: &P::Config,
    seed: u64,
    options: RunOptions,
) -> RunResult {
    let _ = (config, settings, seed, options);
    unreachable!("wired up when the simulation lands")
}
