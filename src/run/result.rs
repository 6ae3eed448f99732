//! Everything that is known of a run.

use strum::{IntoStaticStr, VariantArray};

use crate::check::replicated_log::LogFindings;
use crate::check::{CheckReport, Mechanism};
use crate::digest::DigestValue;
use crate::history::History;
use crate::metrics::{
    Impact, LastWrite, Leadership, MessageCounts, Recovery, Settlement, Unserved,
};
use crate::property::{Incidents, Property};
use crate::protocol::NodeSnapshot;
use crate::time::Time;

/// The verdict of a run, and its exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum RunVerdict {
    /// All as promised and expected.
    Pass,
    /// A promised property was broken and the scenario does not expect it, or an expectation was
    /// not met.
    Fail,
    /// A checker could not tell.
    Unknown,
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
    /// What clients asked, the answers they got, and what the nemesis did.
    pub history: History,
    /// Every node at the end, in node order.
    pub finals: Vec<NodeSnapshot>,
    /// The nodes of which a state was expected, each at its time, in file order.
    pub states: Vec<(Time, NodeSnapshot)>,
    /// How it ended.
    pub settlement: Settlement,
    /// How far followers were from the leader when the last write was answered; `None` where none
    /// was acknowledged, or nobody led then, and with [`super::RunOptions::without_last_write`].
    pub last_write: Option<LastWrite>,
    /// Messages by fate.
    pub messages: MessageCounts,
    /// Arrivals of an open loop that were never invoked.
    pub unserved: Unserved,
    /// Who led when.
    pub leaderships: Vec<Leadership>,
    /// Every start of a node from its write-ahead log, in order of time.
    pub recoveries: Vec<Recovery>,
    /// What was found of the replicated log; `None` where the protocol keeps none.
    pub log: Option<LogFindings>,
    /// The impact of every fault that started, in order of time.
    pub impacts: Vec<Impact>,
    /// Everything that may void a promise: what happened to which node or link, and when.
    pub incidents: Incidents,
    /// Every property, in the order of [`crate::property::Property`].
    pub checks: Vec<CheckReport>,
    /// Every expectation, in file order: checks, bounds of properties that no expected check names,
    /// states, answers.
    pub expectations: Vec<Expectation>,
    /// With [`super::RunOptions::trace`], a line an event.
    pub trace: Option<String>,
    /// With [`super::RunOptions::steps`], each event's time and the digest up to and including it.
    pub steps: Vec<(Time, DigestValue)>,
}

impl RunResult {
    /// How `property` came to be broken, where [`crate::explain::run`] found out.
    #[must_use]
    pub fn mechanism(&self, property: Property) -> Option<Mechanism> {
        self.checks.iter().find(|report| report.property == property)?.mechanism
    }
}
