//! A node: what it keeps, and what it takes itself for.

use crate::id::{NodeId, NodeSet, Term};
use crate::operation::Operation;
use crate::protocol::parts::anti_entropy::Turns;
use crate::protocol::parts::quorum::Quorum;
use crate::protocol::parts::reads::CoordinatedReads;
use crate::protocol::{Context, RequestId, Role};
use crate::time::Wall;

use super::config::Defect;
use super::election::FailureDetector;
use super::message::Round;
use super::replica::Replica;
use super::replication::{Membership, Replication};
use super::write::Leading;

/// What a node may do in a step.
pub(super) type Cx<'a> = Context<'a, LeaderFollower>;

/// A node of a leader-follower cluster.
#[derive(Debug)]
pub struct LeaderFollower {
    pub(super) replica: Replica,
    pub(super) replication: Replication,
    /// The node that this one takes for the leader.
    pub(super) leader: Option<NodeId>,
    pub(super) leading: Leading,
    /// Who votes: every node.
    pub(super) quorum: Quorum,
    pub(super) detector: FailureDetector,
    pub(super) candidacy: Candidacy,
    pub(super) in_sync: Membership,
    /// Requests that wait for a leader.
    pub(super) parked: Vec<(RequestId, Operation, Wall)>,
    pub(super) reads: CoordinatedReads,
    pub(super) turns: Turns,
}

/// What a node does while it knows of no leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Candidacy {
    /// It waits, for this node to lead or for its election timeout.
    Waiting(Option<NodeId>),
    /// It asks for votes.
    Campaigning {
        /// What it asks for.
        round: Round,
        /// Who has granted its vote, this node apart.
        granted: NodeSet,
        /// Whether a node with a higher id has refused.
        refused: bool,
    },
}

impl LeaderFollower {
    #[inline]
    pub(super) const fn term(&self) -> Term {
        self.replica.term()
    }

    #[inline]
    pub(super) fn leads(&self) -> bool {
        self.leader == Some(self.replica.me)
    }

    pub(super) fn role(&self) -> Role {
        match self.leader {
            Some(leader) if leader == self.replica.me => Role::Leader,
            None if self.replica.config.failover.is_on() && !self.follows_the_awaited() => {
                Role::Candidate
            }
            Some(_) | None => Role::Follower,
        }
    }

    pub(super) fn follows_the_awaited(&self) -> bool {
        self.replica.config.defects.has(Defect::FollowTheAwaited)
    }

    /// The leader that it names to others.
    pub(super) fn named_leader(&self) -> Option<NodeId> {
        match self.leader {
            None if self.follows_the_awaited() => self.awaited(),
            leader => leader,
        }
    }

    /// The node that it waits for to lead, while it knows of no leader.
    pub(super) const fn awaited(&self) -> Option<NodeId> {
        match self.candidacy {
            Candidacy::Waiting(awaited) if self.leader.is_none() => awaited,
            Candidacy::Waiting(_) | Candidacy::Campaigning { .. } => None,
        }
    }
}
