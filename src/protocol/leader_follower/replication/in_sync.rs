//! The in-sync set (Kafka's ISR): the followers that a write waits for, and the nodes that may
//! lead.
//!
//! The leader takes a follower out that has not had everything for a while, and back in when it
//! has. The set travels in heartbeats: every node believes the newest set that it has heard of and
//! passes it on. That is weaker than Kafka's controller, which decides for all nodes: a node that
//! was partitioned when the set shrank still believes the old one.

use crate::id::NodeId;
use crate::time::Span;

use crate::protocol::leader_follower::config::Mode;
use crate::protocol::leader_follower::message::InSync;
use crate::protocol::leader_follower::{Cx, LeaderFollower, Timer};

/// Mode in-sync has a set from the start.
const HAS_SET: &str = "mode in-sync has an in-sync set";

impl LeaderFollower {
    /// A new leader begins with the set that it believes in, itself included.
    pub(crate) fn begin_in_sync(&mut self, cx: &mut Cx<'_>) {
        let Mode::InSync { lag, .. } = self.replica.config.mode else { return };
        let known = self.in_sync.believed().expect(HAS_SET);
        // A leader that was not in sync does not know who is.
        let me = self.replica.me;
        let nodes = if known.nodes.contains(&me) { known.nodes.clone() } else { vec![me] };
        let set = InSync { term: self.term(), epoch: 0, nodes };
        self.believe(set, cx);
        cx.set_timer(Timer::InSync, Span::from_nanos(lag.nanos().div_ceil(2)));
    }

    fn believe(&mut self, set: InSync, cx: &mut Cx<'_>) {
        self.in_sync.believe(set);
        self.replica.ballot.write(self.in_sync.believed(), cx);
    }

    /// Takes followers out of the set that have lagged for too long.
    pub(crate) fn review_in_sync(&mut self, cx: &mut Cx<'_>) {
        let Mode::InSync { lag, .. } = self.replica.config.mode else {
            unreachable!("the timer runs in mode in-sync")
        };
        if !self.leads() {
            return;
        }
        let (me, now) = (self.replica.me, cx.monotonic());
        let known = self.in_sync.believed().expect(HAS_SET);
        let followers = self.replication.log().followers();
        let stays = |node: &NodeId| *node == me || !followers.of(*node).lags(now, lag);
        let nodes: Vec<NodeId> = known.nodes.iter().copied().filter(stays).collect();
        if nodes.len() < known.nodes.len() {
            let set = InSync { epoch: known.epoch + 1, nodes, ..*known };
            self.believe(set, cx);
            self.heartbeat(cx);
            self.answer_in_sync(cx);
        }
        cx.set_timer(Timer::InSync, Span::from_nanos(lag.nanos().div_ceil(2)));
    }

    /// A follower has everything that the leader has.
    pub(crate) fn caught_up(&mut self, follower: NodeId, cx: &mut Cx<'_>) {
        let Some(known) = self.in_sync.believed() else { return };
        if known.nodes.contains(&follower) {
            return;
        }
        let mut nodes = known.nodes.clone();
        nodes.push(follower);
        nodes.sort_unstable();
        let set = InSync { epoch: known.epoch + 1, nodes, ..*known };
        self.believe(set, cx);
        self.heartbeat(cx);
    }

    /// Whether the set has too few nodes for a write to be accepted.
    pub(crate) fn too_few_in_sync(&self) -> bool {
        let Mode::InSync { min, .. } = self.replica.config.mode else { return false };
        self.in_sync.believed().is_some_and(|set| set.nodes.len() < usize::from(min))
    }
}
