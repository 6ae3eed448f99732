//! Who has to agree: a majority of one set of voters, or of each of two while the set changes.

use crate::id::{LogIndex, NodeId, NodeSet};

/// The voters of a cluster. While their set changes a quorum is a majority of the old set and a
/// majority of the new one (joint consensus, Raft section 6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorum {
    voters: NodeSet,
    /// The old set, while it changes; empty where it does not.
    outgoing: NodeSet,
}

impl Quorum {
    /// A majority of `voters`.
    #[must_use]
    pub const fn simple(voters: NodeSet) -> Self {
        Self { voters, outgoing: NodeSet::EMPTY }
    }

    /// A majority of `voters` and one of `outgoing`.
    #[must_use]
    pub const fn joint(voters: NodeSet, outgoing: NodeSet) -> Self {
        Self { voters, outgoing }
    }

    /// Whether `nodes` are enough. Without voters nobody is.
    #[must_use]
    pub fn is_met_by(&self, nodes: impl Fn(NodeId) -> bool) -> bool {
        let majority = |voters: &NodeSet| {
            voters.iter().filter(|voter| nodes(*voter)).count() * 2 > voters.len()
        };
        majority(&self.voters) && (self.outgoing.is_empty() || majority(&self.outgoing))
    }

    /// The last index that a quorum has reached, where each voter has reached that of `matched`:
    /// what may be committed (Raft section 5.3). 0 without voters.
    #[must_use]
    pub fn reached(&self, matched: impl Fn(NodeId) -> LogIndex) -> LogIndex {
        let of_majority = |voters: &NodeSet| {
            let mut indices: Vec<LogIndex> = voters.iter().map(&matched).collect();
            indices.sort_unstable();
            // As many have reached it as come after it, itself included: more than half.
            indices.get((indices.len().max(1) - 1) / 2).copied().unwrap_or_default()
        };
        let reached = of_majority(&self.voters);
        if self.outgoing.is_empty() { reached } else { reached.min(of_majority(&self.outgoing)) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set() -> impl Strategy<Value = NodeSet> {
        proptest::collection::btree_set(0..7_u16, 0..7)
            .prop_map(|nodes| nodes.into_iter().map(NodeId).collect())
    }

    proptest! {
        /// Any two quorums of one configuration share a voter, and so do quorums of the joint one
        /// with those of either set: no two leaders of a term, whatever is on its way.
        #[test]
        fn quorums_overlap(voters in set(), outgoing in set(), one in set(), other in set()) {
            let joint = Quorum::joint(voters.clone(), outgoing.clone());
            let shared = one.iter().any(|node| other.contains(node));
            let met = |quorum: &Quorum, nodes: &NodeSet| quorum.is_met_by(|n| nodes.contains(n));
            if met(&joint, &one) {
                for quorum in [Quorum::simple(voters), joint] {
                    prop_assert!(shared || !met(&quorum, &other));
                }
                if !outgoing.is_empty() {
                    prop_assert!(shared || !met(&Quorum::simple(outgoing), &other));
                }
            }
        }

        /// The twin tries every index, and counts who has reached it.
        #[test]
        fn the_index_reached_is_the_last_that_a_quorum_has(
            voters in set(),
            outgoing in set(),
            matched in proptest::collection::vec(0..6_u64, 7),
        ) {
            let quorum = Quorum::joint(voters, outgoing);
            let matched = |node: NodeId| LogIndex(matched[node.index()]);
            let has = |index| quorum.is_met_by(|node| matched(node) >= LogIndex(index));
            let twin = (0..6).rev().find(|index| has(*index)).unwrap_or(0);
            prop_assert_eq!(quorum.reached(matched), LogIndex(twin));
        }
    }
}
