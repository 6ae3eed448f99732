//! What nodes accept and answer while more than one of them leads: the evidence of a split brain.
//!
//! Times are those of the nodes, in event order: it does not matter how far away the clients are,
//! and whether they still wait. While one node leads, nothing is noted.

use std::collections::BTreeMap;

use crate::history::ContestedWrite;
use crate::id::{NodeId, OpId};
use crate::time::Time;

/// How many nodes lead, and what is under way on them while it is more than one.
#[derive(Debug, Default)]
pub(super) struct Contest {
    leading: usize,
    /// The writes that a node accepted while it and another led and has not answered, with when it
    /// did.
    accepted: BTreeMap<(OpId, NodeId), Time>,
}

impl Contest {
    /// A node begins to lead.
    pub(super) const fn begin(&mut self) {
        self.leading += 1;
    }

    /// `node` no longer leads: from now on it does not answer as a leader.
    pub(super) fn end(&mut self, node: NodeId) {
        self.leading -= 1;
        if self.is_on() {
            self.accepted.retain(|(_, by), _| *by != node);
        } else {
            self.accepted.clear();
        }
    }

    /// Whether more than one node leads.
    #[inline]
    pub(super) const fn is_on(&self) -> bool {
        self.leading > 1
    }

    /// Whether an answer may be to a contested write.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        !self.accepted.is_empty()
    }

    /// A node that leads accepts a write while others lead too.
    #[cold]
    pub(super) fn accept(&mut self, op: OpId, node: NodeId, at: Time) {
        self.accepted.entry((op, node)).or_insert(at);
    }

    /// A node acknowledges an operation; the contested write that it is, if it is one.
    #[cold]
    pub(super) fn acknowledge(
        &mut self,
        op: OpId,
        node: NodeId,
        answered_at: Time,
    ) -> Option<ContestedWrite> {
        let accepted_at = self.accepted.remove(&(op, node))?;
        Some(ContestedWrite { op, node, accepted_at, answered_at })
    }
}
