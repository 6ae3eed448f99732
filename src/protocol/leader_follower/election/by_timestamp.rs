//! Election by newest timestamp: of a majority that hear one another, the node leads that has the
//! newest write.

use std::cmp::Reverse;

use crate::id::NodeId;
use crate::protocol::leader_follower::{Cx, LeaderFollower};

impl LeaderFollower {
    /// Election by newest timestamp: whether this leader has newer writes than `other`.
    pub(crate) fn outranks(&self, other: NodeId) -> bool {
        self.replica.stamps.newest() > self.detector.newest(other)
    }

    /// Who of a majority that is live has the newest write; of several the lowest id.
    pub(crate) fn newest_of_a_majority(&self, cx: &Cx<'_>) -> Option<NodeId> {
        let live: Vec<NodeId> = self.live(cx).collect();
        if !self.quorum.is_met_by(|node| live.contains(&node)) {
            return None;
        }
        let newest = |node: &NodeId| {
            if *node == self.replica.me {
                self.replica.stamps.newest()
            } else {
                self.detector.newest(*node)
            }
        };
        let may_lead = live.into_iter().filter(|node| self.may_lead(*node));
        may_lead.max_by_key(|node| (newest(node), Reverse(*node)))
    }
}
