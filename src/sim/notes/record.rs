//! A record of what happens on every node, for pictures.

use crate::id::{KeyId, NodeId, Term};
use crate::protocol::{DiscardReason, NodeSnapshot, Observation, Role, Stored};
use crate::rng::CausalId;
use crate::time::Time;

/// Something that happened on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeEvent {
    /// When, in virtual time.
    pub at: Time,
    /// Which node.
    pub node: NodeId,
    /// What happened.
    pub what: NodeEventKind,
}

/// What happened on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeEventKind {
    /// It took a role.
    Role {
        /// The role.
        role: Role,
        /// The term.
        term: Term,
    },
    /// Its store took a write.
    Applied {
        /// The key.
        key: KeyId,
        /// The write.
        stored: Stored,
    },
    /// It dropped a write that it was sent or had.
    Discarded {
        /// The key.
        key: KeyId,
        /// The write.
        stored: Stored,
        /// Why.
        reason: DiscardReason,
    },
    /// Its process died.
    Down,
    /// Its process has started, with these writes from its disk.
    Up(Vec<(KeyId, Stored)>),
    /// Its process is no longer scheduled.
    Paused,
    /// It is scheduled again.
    Resumed,
}

/// What is noted of nodes while a run is played.
#[derive(Debug, Default)]
pub(in super::super) struct NodeRecord {
    node_events: Vec<NodeEvent>,
    /// Messages that reached a process that was down.
    undelivered: Vec<CausalId>,
}

impl NodeRecord {
    pub(super) fn note(&mut self, at: Time, node: NodeId, what: NodeEventKind) {
        self.node_events.push(NodeEvent { at, node, what });
    }

    /// A message reached a process that was down.
    pub(super) fn undelivered(&mut self, id: CausalId) {
        self.undelivered.push(id);
    }

    pub(super) fn observed(&mut self, at: Time, node: NodeId, observation: Observation) {
        let what = match observation {
            Observation::Role { role, term } => NodeEventKind::Role { role, term },
            Observation::Apply { key, stored } => NodeEventKind::Applied { key, stored },
            Observation::Discard { key, stored, reason } => {
                NodeEventKind::Discarded { key, stored, reason }
            }
            Observation::Accept { .. }
            | Observation::Vote { .. }
            | Observation::Append { .. }
            | Observation::Truncate { .. }
            | Observation::Durable { .. }
            | Observation::Commit { .. }
            | Observation::Applied { .. }
            | Observation::Snapshot { .. }
            | Observation::Configuration { .. }
            | Observation::Replay { .. } => return,
        };
        self.note(at, node, what);
    }

    pub(super) fn booted(&mut self, at: Time, node: NodeId, snapshot: &NodeSnapshot) {
        let what = if snapshot.up {
            let data = snapshot.data.iter().map(|(key, stored)| (*key, *stored));
            NodeEventKind::Up(data.collect())
        } else {
            NodeEventKind::Down
        };
        self.note(at, node, what);
    }

    /// Everything noted so far, in event order.
    pub(super) fn node_events(&self) -> &[NodeEvent] {
        &self.node_events
    }

    /// The messages that reached a process that was down.
    pub(super) fn take_undelivered(&mut self) -> Vec<CausalId> {
        std::mem::take(&mut self.undelivered)
    }

    /// Everything noted, in event order.
    pub(in super::super) fn into_node_events(self) -> Vec<NodeEvent> {
        self.node_events
    }
}
