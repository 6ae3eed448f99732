//! Validated settings: what a simulation is built from.
//!
//! Nothing here is optional in the sense of "use the default": the scenario layer has filled in
//! every default and refused every contradiction. The text of the file stays in that layer.
//! The settings of the protocol itself are the protocol's own type,
//! [`crate::protocol::Protocol::Config`].

use strum::{IntoStaticStr, VariantArray};

use crate::id::{ClientId, NodeId};
use crate::time::{Span, Time};

mod expect;
mod fault;
mod network;
mod questions;
mod script;
#[cfg(test)]
mod testing;
mod workload;

pub use expect::{
    Bounds, Expect, Expected, ExpectedRole, ExpectedState, ExpectedStatus, ExpectedVerdict,
};
pub use fault::{
    DiskFault, Fault, FaultAction, Group, HealWhat, LogMoment, Occurrence, Route, Start, Target,
    Trigger,
};
pub use network::{ClientLeg, Clock, Disk, Link, LinkOrder, LinkOverride, Network};
pub use script::{Answer, ScriptedOperation};
pub use workload::{Mix, Pace, ReadFrom, RetryPolicy, Skew, Workload};

/// The settings of a run, without those of its protocol.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// What the scenario shows, in a line.
    pub title: String,
    /// The seed used when the command line names none.
    pub seed: u64,
    /// How long faults and workload last.
    pub duration: Span,
    /// How long the healed cluster may take to settle after that.
    pub settle: Span,
    /// The order of events at one instant.
    pub ties: EventOrder,
    /// The nodes.
    pub cluster: Cluster,
    /// Every link between nodes, and between clients and nodes.
    pub network: Network,
    /// Each node's clock, in node order.
    pub clocks: Vec<Clock>,
    /// The clocks of clients that err, in client order.
    pub client_clocks: Vec<(ClientId, Clock)>,
    /// Every node's disk.
    pub disk: Disk,
    /// The generated workload, if there is one.
    pub workload: Option<Workload>,
    /// Operations at exact times, in file order.
    pub script: Vec<ScriptedOperation>,
    /// What goes wrong, in file order.
    pub faults: Vec<Fault>,
    /// Settings that change on the way, in time order.
    pub changes: Vec<Change>,
    /// The bounds that checkers need.
    pub bounds: Bounds,
    /// What the scenario expects of the run.
    pub expect: Expect,
}

/// The order in which events of one instant are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum EventOrder {
    /// The order in which they were caused.
    Causal,
    /// A random order, drawn from each event's causal identity.
    Random,
}

/// The nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// How many nodes: 1 to [`crate::id::MAX_NODES`].
    pub nodes: u16,
    /// Who leads from the start; `None` when the nodes elect a leader at boot.
    pub initial_leader: Option<NodeId>,
}

/// Settings that change on the way.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// When.
    pub at: Time,
    /// What the file set, as (path, value) texts: for export and the trace.
    pub set: Vec<(String, String)>,
    /// The network from then on.
    pub network: Network,
    /// The workload from then on; clients, keys and operations stay as they were.
    pub workload: Option<Workload>,
}
