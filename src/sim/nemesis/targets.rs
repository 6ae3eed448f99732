//! Which nodes a target means at an instant, and the states of those that a fault hits.

use std::cmp::Reverse;

use crate::config::{FaultAction, HealWhat, Target};
use crate::id::NodeId;
use crate::metrics::{Impact, NodeState, NodeStates};
use crate::protocol::{Protocol, Role};
use crate::rng::{CausalId, Purpose};

use super::super::Simulation;
use super::super::event::Queue;
use super::super::network::faults;

impl<P: Protocol, Q: Queue<P>> Simulation<'_, P, Q> {
    /// The nodes whose processes a target means now: those that are up, lowest id first.
    pub(super) fn resolve(&self, target: &Target, id: CausalId) -> Vec<NodeId> {
        self.resolve_among(target, id, |node, sim| sim.is_up(node))
    }

    /// The nodes that a target means now among those that `among` picks, lowest id first.
    pub(super) fn resolve_among(
        &self,
        target: &Target,
        id: CausalId,
        among: impl Fn(NodeId, &Self) -> bool,
    ) -> Vec<NodeId> {
        let all = NodeId::all(self.config.cluster.nodes);
        let candidates: Vec<NodeId> = all.clone().filter(|node| among(*node, self)).collect();
        let first = |node: Option<&NodeId>| node.copied().into_iter().collect();
        match target {
            Target::Nodes(nodes) => {
                nodes.iter().copied().filter(|node| candidates.contains(node)).collect()
            }
            Target::All => candidates,
            Target::LowestId => first(candidates.first()),
            Target::HighestId => first(candidates.last()),
            Target::Leader => {
                self.leader().into_iter().filter(|n| candidates.contains(n)).collect()
            }
            Target::Follower => {
                let leader = self.leader();
                let followers: Vec<NodeId> =
                    candidates.into_iter().filter(|node| Some(*node) != leader).collect();
                let draws = &self.kernel.draws;
                let drawn = draws.below(Purpose::Target, id, 0, followers.len() as u64);
                first(followers.get(usize::try_from(drawn).unwrap_or(0)))
            }
            Target::Majority => {
                // The start of a shuffle, with a draw for each place.
                let mut shuffled: Vec<NodeId> = all.collect();
                let majority = shuffled.len() / 2 + 1;
                for place in 0..majority {
                    let left = (shuffled.len() - place) as u64;
                    let index = u32::try_from(place).unwrap_or(0);
                    let drawn = self.kernel.draws.below(Purpose::Target, id, index, left);
                    shuffled.swap(place, place + usize::try_from(drawn).unwrap_or(0));
                }
                shuffled.truncate(majority);
                shuffled.sort_unstable();
                shuffled.into_iter().filter(|node| candidates.contains(node)).collect()
            }
        }
    }

    /// The live node that leads: of several the one with the highest term, then the lowest id.
    pub(in super::super) fn leader(&self) -> Option<NodeId> {
        let leads = |node: &NodeId| match self.slots[node.index()].role {
            Some((Role::Leader, term)) => Some((term, *node)),
            Some((Role::Follower | Role::Candidate | Role::PreCandidate | Role::Learner, _))
            | None => None,
        };
        let leaders = NodeId::all(self.config.cluster.nodes).filter_map(|node| leads(&node));
        leaders.max_by_key(|(term, node)| (*term, Reverse(*node))).map(|(_, node)| node)
    }

    /// The nodes whose machines a target means now, whether their processes are up or not: links,
    /// clocks and disks outlive a process.
    pub(super) fn machines(&self, target: &Target, id: CausalId) -> Vec<NodeId> {
        match target {
            Target::Nodes(_) | Target::Majority | Target::All => {
                self.resolve_among(target, id, |_, _| true)
            }
            // Only a live node can be one of these.
            Target::Leader | Target::Follower | Target::LowestId | Target::HighestId => {
                self.resolve(target, id)
            }
        }
    }

    /// Notes a fault that is about to start.
    pub(super) fn note_impact(&mut self, index: u32, id: CausalId) {
        let fault = &self.config.faults[index as usize];
        let nodes = self.config.cluster.nodes;
        // Whether it hits nobody, where that is not the same as whether it hits no node.
        let mut misses = None;
        let hit = match &fault.action {
            FaultAction::Partition(groups) => {
                misses = Some(faults::partition(nodes, groups).is_idle());
                NodeId::all(nodes).collect()
            }
            FaultAction::MajoritiesRing => NodeId::all(nodes).collect(),
            FaultAction::Bridge(target) => self.machines(target, id).into_iter().take(1).collect(),
            FaultAction::Block(route)
            | FaultAction::Clog(route)
            | FaultAction::Slow { route, .. }
            | FaultAction::Drop { route, .. } => {
                let (mut ends, to) = (self.machines(&route.from, id), self.machines(&route.to, id));
                misses = Some(!ends.iter().any(|from| to.iter().any(|to| from != to)));
                ends.extend(to);
                ends
            }
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
            FaultAction::Heal(what) => {
                misses = Some(match what {
                    HealWhat::Network => self.network.active().is_empty(),
                    HealWhat::Fault(healed) => self.undo[healed.0 as usize].is_none(),
                });
                Vec::new()
            }
        };
        let (at, states) = (self.kernel.now, self.states_of(&hit));
        let hits_nobody = misses.unwrap_or(hit.is_empty());
        self.impacts.push(Impact { fault: fault.id, at, states, hits_nobody });
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
                Some((Role::PreCandidate, _)) => states.insert(NodeState::PreCandidate),
                Some((Role::Learner, _)) => states.insert(NodeState::Learner),
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
