//! The evidence of a run, which checkers judge.

use crate::config::Config;
use crate::history::History;
use crate::id::NodeSet;
use crate::metrics::{Application, Leadership, Recovery, Settlement};
use crate::names::Names;
use crate::protocol::NodeSnapshot;
use crate::time::Time;

use super::replicated_log::findings::LogFindings;

/// Everything that checkers may use.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The settings of the run, bounds among them.
    pub config: &'a Config,
    /// What clients invoked, and the answers.
    pub history: &'a History,
    /// Every node at the end of the run, in node order.
    pub finals: &'a [NodeSnapshot],
    /// Who led when, in order of their beginning.
    pub leaderships: &'a [Leadership],
    /// Every start of a node from its write-ahead log, in order of time.
    pub recoveries: &'a [Recovery],
    /// How the run ended.
    pub settlement: &'a Settlement,
    /// When the run ended.
    pub ended_at: Time,
    /// Operations that were due and never invoked: arrivals of an open loop that found no free
    /// client, and script entries whose client was still busy when the run ended.
    pub never_served: u64,
    /// The nodes that never crashed, lost power or restarted, so they never lost their memory.
    pub survivors: &'a NodeSet,
    /// What was found of the replicated log; `None` where the protocol keeps none.
    pub log: Option<&'a LogFindings>,
    /// What each node applied, in event order; `None` if that was not recorded.
    pub applications: Option<&'a [Application]>,
}

impl<'a> Evidence<'a> {
    /// The texts behind ids.
    #[must_use]
    pub fn names(&self) -> &'a Names {
        self.history.names()
    }
}
