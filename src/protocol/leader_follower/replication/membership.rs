//! The in-sync set as a node believes it to be.

use std::sync::Arc;

use crate::id::{NodeId, Term};
use crate::protocol::leader_follower::config::Mode;
use crate::protocol::leader_follower::message::InSync;

/// The in-sync set as a node believes it to be.
#[derive(Debug, Default)]
pub(crate) struct Membership {
    /// `None` without an in-sync set: then every node counts as in sync.
    believed: Option<Arc<InSync>>,
}

impl Membership {
    /// What was kept; with nothing kept every node, for all begin alike, but nobody where the node
    /// may have `forgotten` what it knew: it cannot say that it is in sync itself.
    pub(crate) fn boot(mode: Mode, kept: Option<InSync>, forgotten: bool, nodes: u16) -> Self {
        let begun = || {
            let nodes = NodeId::all(if forgotten { 0 } else { nodes }).collect();
            InSync { term: Term(0), epoch: 0, nodes }
        };
        let has_one = matches!(mode, Mode::InSync { .. });
        Self { believed: has_one.then(|| Arc::new(kept.unwrap_or_else(begun))) }
    }

    pub(crate) fn believed(&self) -> Option<&InSync> {
        self.believed.as_deref()
    }

    pub(crate) fn shared(&self) -> Option<Arc<InSync>> {
        self.believed.clone()
    }

    pub(crate) fn has(&self, node: NodeId) -> bool {
        self.believed().is_none_or(|set| set.nodes.contains(&node))
    }

    /// Another node believes in the set `theirs`: it replaces this node's if it is newer. Whether
    /// it is.
    pub(crate) fn learn(&mut self, theirs: &Arc<InSync>) -> bool {
        let newer = self
            .believed
            .as_ref()
            .is_some_and(|known| (theirs.term, theirs.epoch) > (known.term, known.epoch));
        if newer {
            self.believed = Some(Arc::clone(theirs));
        }
        newer
    }

    /// This node, as leader, has changed the set.
    pub(crate) fn believe(&mut self, set: InSync) {
        self.believed = Some(Arc::new(set));
    }
}
