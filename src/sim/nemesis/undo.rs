//! What ends a fault.

use crate::id::NodeId;

/// What ends a fault that is on.
#[derive(Debug)]
pub(in super::super) enum Undo {
    /// Take it off the network, and let what it held back travel on.
    Network,
    /// Restart these nodes, if they are still down.
    Restart(Vec<NodeId>),
    /// Let these nodes resume.
    Resume(Vec<NodeId>),
    /// Let these clocks jump back by this much.
    Jump { nodes: Vec<NodeId>, by_ns: i64 },
    /// Give these clocks the drift that they have without it.
    Drift(Vec<NodeId>),
    /// Mend these disks.
    Disk(Vec<NodeId>),
}
