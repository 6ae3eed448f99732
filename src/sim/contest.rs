//! What nodes accept and answer while more than one of them leads: the evidence of a split brain.
//!
//! By the times of the nodes, in event order: how far away clients are, and whether they still wait, makes no leader.
//! Nothing is noted, and next to nothing asked, while one node leads.

use std::collections::BTreeMap;

use crate::history::ContestedWrite;
use crate::id::{NodeId, OpId};
use crate::protocol::{Outcome, Protocol, Reply, RequestId, Role};
use crate::time::Time;

use super::Simulation;
use super::event::Event;
use super::queue::EventQueue;

/// Who leads, and what is under way on those who are not alone in it.
#[derive(Debug, Default)]
pub(super) struct Contest {
    /// How many nodes lead.
    leading: usize,
    /// The writes that a node accepted while it and another led, and has not answered, with when it did.
    accepted: BTreeMap<(OpId, NodeId), Time>,
}

impl Contest {
    /// A node begins to lead.
    pub(super) const fn begin(&mut self) {
        self.leading += 1;
    }

    /// `node` no longer leads: what it answers from now on it does not answer as a leader.
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

    /// Whether an answer may be one to note.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        !self.accepted.is_empty()
    }
}

impl<P: Protocol, Q: EventQueue<Event<P>>> Simulation<'_, P, Q> {
    /// A node accepts a write while several lead.
    #[cold]
    pub(super) fn note_contested(&mut self, node: NodeId, op: OpId) {
        let role = self.slots[node.index()].role;
        if role.is_some_and(|(role, _)| role == Role::Leader) {
            self.contest.accepted.entry((op, node)).or_insert(self.kernel.now);
        }
    }

    /// A node answers while it or another has accepted such writes.
    #[cold]
    pub(super) fn note_answered(&mut self, node: NodeId, request: RequestId, reply: &Reply) {
        let op = request.operation;
        if matches!(reply.outcome, Outcome::Ok(_))
            && let Some(accepted_at) = self.contest.accepted.remove(&(op, node))
        {
            let answered_at = self.kernel.now;
            self.kernel.history.contest(ContestedWrite { op, node, accepted_at, answered_at });
        }
    }
}
