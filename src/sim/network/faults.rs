//! Faults of the network, with nodes in the place of descriptions.

use crate::config::Group;
use crate::id::{ClientId, NodeId, NodeSet};
use crate::rng::Probability;
use crate::sampler::Distribution;

/// A fault that is on the network.
#[derive(Clone, Debug)]
pub(crate) enum NetworkFault {
    /// Pairs (from, to) that no message passes, and the nodes that each confined client reaches.
    Cut { pairs: Vec<(NodeId, NodeId)>, clients: Vec<(ClientId, NodeSet)> },
    /// Messages are held back.
    Clog(Ends),
    /// Messages take longer.
    Slow(Ends, Distribution),
    /// Messages of one kind, or of all, are lost with some probability.
    Drop(Ends, Option<u8>, Probability),
}

impl NetworkFault {
    /// Whether it stops nothing.
    pub(crate) const fn is_idle(&self) -> bool {
        matches!(self, Self::Cut { pairs, clients } if pairs.is_empty() && clients.is_empty())
    }
}

/// Which directed links a fault is on.
#[derive(Clone, Debug)]
pub(crate) struct Ends {
    pub(crate) from: NodeSet,
    pub(crate) to: NodeSet,
    pub(crate) both_ways: bool,
}

impl Ends {
    pub(super) fn cover(&self, from: NodeId, to: NodeId) -> bool {
        (self.from.contains(from) && self.to.contains(to))
            || (self.both_ways && self.from.contains(to) && self.to.contains(from))
    }
}

/// Cuts every pair of nodes that are in no common group, and confines clients to their group.
pub(crate) fn partition(nodes: u16, groups: &[Group]) -> NetworkFault {
    let side_of = |node: NodeId| groups.iter().position(|group| group.nodes.contains(&node));
    let pairs = pairs(nodes, |from, to| side_of(from) != side_of(to));
    let reach = |group: &Group| group.nodes.iter().copied().collect::<NodeSet>();
    let clients = groups
        .iter()
        .flat_map(|group| group.clients.iter().map(move |client| (*client, reach(group))))
        .collect();
    NetworkFault::Cut { pairs, clients }
}

/// Leaves each node its nearest neighbours in a ring: a bare majority, itself included.
pub(crate) fn majorities_ring(nodes: u16) -> NetworkFault {
    // A majority of n nodes is n / 2 + 1: itself and n / 2 neighbours, split between the two sides.
    let neighbours = nodes / 2;
    let (ahead, behind) = (neighbours.div_ceil(2), neighbours / 2);
    let sees = |from: NodeId, to: NodeId| {
        let distance = (to.0 + nodes - from.0) % nodes;
        distance <= ahead || nodes - distance <= behind
    };
    cut_where(nodes, |from, to| !(sees(from, to) || sees(to, from)))
}

/// Cuts the cluster in two halves that both reach `bridge`.
pub(crate) fn bridge(nodes: u16, bridge: NodeId) -> NetworkFault {
    let others: Vec<NodeId> = NodeId::all(nodes).filter(|node| *node != bridge).collect();
    let first_half: NodeSet = others[..others.len() / 2].iter().copied().collect();
    cut_where(nodes, |from, to| {
        from != bridge && to != bridge && first_half.contains(from) != first_half.contains(to)
    })
}

/// Cuts each of `isolated` off every other node.
pub(crate) fn isolate(nodes: u16, isolated: &NodeSet) -> NetworkFault {
    cut_where(nodes, |from, to| from != to && (isolated.contains(from) || isolated.contains(to)))
}

/// Cuts the pairs that `ends` cover.
pub(crate) fn block(nodes: u16, ends: &Ends) -> NetworkFault {
    cut_where(nodes, |from, to| from != to && ends.cover(from, to))
}

fn cut_where(nodes: u16, cut: impl Fn(NodeId, NodeId) -> bool) -> NetworkFault {
    NetworkFault::Cut { pairs: pairs(nodes, cut), clients: Vec::new() }
}

/// The directed pairs of nodes that `cut` picks.
fn pairs(nodes: u16, cut: impl Fn(NodeId, NodeId) -> bool) -> Vec<(NodeId, NodeId)> {
    let all = || NodeId::all(nodes);
    let pairs = all().flat_map(|from| all().map(move |to| (from, to)));
    pairs.filter(|(from, to)| cut(*from, *to)).collect()
}
