//! The states of the nodes that each fault hits, at the instant before.

use crate::config::{FaultAction, HealWhat, Route};
use crate::id::NodeId;
use crate::metrics::{Impact, NodeState, NodeStates};
use crate::protocol::{Protocol, Role};
use crate::rng::CausalId;

use super::super::Simulation;
use super::super::event::Queue;
use super::super::network::faults;

impl<P: Protocol, Q: Queue<P>> Simulation<'_, P, Q> {
    /// Notes a fault that is about to start.
    pub(super) fn note_impact(&mut self, index: u32, id: CausalId) {
        let fault = &self.config.faults[index as usize];
        let hit = self.hit_by(&fault.action, id);
        let (at, states) = (self.kernel.now, self.states_of(&hit));
        let hits_nobody = match &fault.action {
            FaultAction::Heal(HealWhat::Network) => self.network.active().is_empty(),
            FaultAction::Heal(HealWhat::Fault(healed)) => self.undo[healed.0 as usize].is_none(),
            FaultAction::Partition(groups) => {
                faults::partition(self.config.cluster.nodes, groups).is_idle()
            }
            FaultAction::Block(route)
            | FaultAction::Clog(route)
            | FaultAction::Slow { route, .. }
            | FaultAction::Drop { route, .. } => !self.connects(route, id),
            FaultAction::MajoritiesRing
            | FaultAction::Bridge(_)
            | FaultAction::Isolate(_)
            | FaultAction::Disk { .. }
            | FaultAction::Crash(_)
            | FaultAction::PowerLoss(_)
            | FaultAction::Restart { .. }
            | FaultAction::Pause(_)
            | FaultAction::Resume(_)
            | FaultAction::ClockJump { .. }
            | FaultAction::ClockDrift { .. } => hit.is_empty(),
        };
        self.impacts.push(Impact { fault: fault.id, at, states, hits_nobody });
    }

    /// Whether a route leads from any node to another.
    fn connects(&self, route: &Route, id: CausalId) -> bool {
        let (from, to) = (self.machines(&route.from, id), self.machines(&route.to, id));
        from.iter().any(|from| to.iter().any(|to| from != to))
    }

    /// The nodes that a fault hits if it starts now.
    fn hit_by(&self, action: &FaultAction, id: CausalId) -> Vec<NodeId> {
        match action {
            // The nodes that are named in no group form one.
            FaultAction::Partition(_) | FaultAction::MajoritiesRing => {
                NodeId::all(self.config.cluster.nodes).collect()
            }
            FaultAction::Bridge(target) => self.machines(target, id).into_iter().take(1).collect(),
            FaultAction::Block(route)
            | FaultAction::Clog(route)
            | FaultAction::Slow { route, .. }
            | FaultAction::Drop { route, .. } => self.both_ends(route, id),
            FaultAction::Crash(target) | FaultAction::Pause(target) => self.resolve(target, id),
            FaultAction::Isolate(target)
            | FaultAction::PowerLoss(target)
            | FaultAction::ClockJump { target, .. }
            | FaultAction::ClockDrift { target, .. }
            | FaultAction::Disk { target, .. } => self.machines(target, id),
            FaultAction::Restart { target, .. } => {
                self.resolve_among(target, id, |node, sim| !sim.is_up(node))
            }
            FaultAction::Resume(target) => {
                self.resolve_among(target, id, |node, sim| sim.slots[node.index()].paused)
            }
            FaultAction::Heal(_) => Vec::new(),
        }
    }

    fn both_ends(&self, route: &Route, id: CausalId) -> Vec<NodeId> {
        let mut ends = self.machines(&route.from, id);
        ends.extend(self.machines(&route.to, id));
        ends
    }

    /// The states that any of these nodes is in now.
    fn states_of(&self, nodes: &[NodeId]) -> NodeStates {
        let mut states = NodeStates::default();
        if nodes.is_empty() {
            return states;
        }
        if self.leader().is_none() {
            states.insert(NodeState::Leaderless);
        }
        for node in nodes {
            let slot = &self.slots[node.index()];
            match slot.role {
                Some((Role::Leader, _)) => states.insert(NodeState::Leader),
                Some((Role::Follower, _)) => states.insert(NodeState::Follower),
                Some((Role::Candidate, _)) => states.insert(NodeState::Candidate),
                None => {}
            }
            if !slot.is_up() {
                states.insert(NodeState::Down);
            }
            if slot.paused {
                states.insert(NodeState::Paused);
            }
            if slot.disk.has_unsynced() {
                states.insert(NodeState::Unsynced);
            }
        }
        if self.clients.asked_to_write().any(|node| nodes.contains(&node)) {
            states.insert(NodeState::WriteInFlight);
        }
        states
    }
}
