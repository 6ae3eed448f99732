//! Which nodes a target means at an instant.

use std::cmp::Reverse;

use crate::config::Target;
use crate::id::NodeId;
use crate::protocol::{Protocol, Role};
use crate::rng::{CausalId, Purpose};

use super::super::Simulation;
use super::super::event::Queue;

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
            Some((Role::Follower | Role::Candidate, _)) | None => None,
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
}
