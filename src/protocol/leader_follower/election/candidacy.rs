//! What a node does while it knows of no leader.

use crate::id::{NodeId, NodeSet};
use crate::protocol::leader_follower::message::Round;

/// What a node does while it knows of no leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Candidacy {
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
