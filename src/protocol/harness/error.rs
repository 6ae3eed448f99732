//! Why a step cannot be taken.

use crate::id::NodeId;

/// A step that cannot be taken. Nothing has happened: the harness is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// There is no such node.
    #[error("there is no {node}: the cluster has {nodes} nodes")]
    NoSuchNode {
        /// The node.
        node: NodeId,
        /// How many there are.
        nodes: u16,
    },
    /// The node's process does not run.
    #[error("{0} is down")]
    Down(NodeId),
    /// The node's process runs.
    #[error("{0} is up")]
    Up(NodeId),
    /// The timer is not set.
    #[error("{node} has not set timer {timer}; set: {set}")]
    TimerNotSet {
        /// The node.
        node: NodeId,
        /// The timer.
        timer: String,
        /// Those that are set, the first due first; `none`.
        set: String,
    },
    /// No message is on its way, or fewer than the place that was asked for.
    #[error("{}", no_message(*.from, *.to, *.waiting))]
    NoMessage {
        /// Who would have sent it.
        from: NodeId,
        /// The receiver.
        to: NodeId,
        /// How many are on their way.
        waiting: usize,
    },
    /// The disk has nothing to complete.
    #[error("{0} waits for nothing of its disk")]
    NothingToSync(NodeId),
    /// The request was never made.
    #[error("there was no request {0}")]
    NoSuchRequest(u32),
    /// Nodes answer one another for ever.
    #[error("after {0} steps messages are still on their way")]
    NeverSettles(u32),
}

fn no_message(from: NodeId, to: NodeId, waiting: usize) -> String {
    match waiting {
        0 => format!("no message is on its way from {from} to {to}"),
        1 => format!("only one message is on its way from {from} to {to}"),
        _ => format!("only {waiting} messages are on their way from {from} to {to}"),
    }
}
