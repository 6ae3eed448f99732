//! What the simulation takes note of: observations of nodes, leaderships.

use crate::id::NodeId;
use crate::metrics::Leadership;
use crate::protocol::{Observation, Protocol, Role};

use super::Simulation;
use super::event::Event;
use super::queue::EventQueue;

impl<P: Protocol, Q: EventQueue<Event<P>>> Simulation<'_, P, Q> {
    /// Takes note of what happened inside a node.
    #[inline]
    pub(super) fn observe(&mut self, node: NodeId, observation: Observation) {
        match observation {
            Observation::Role { role, term } => self.note_role(node, role, term),
            Observation::Accept { request, key, version } => {
                let op = request.operation;
                if self.kernel.history.entry(op).is_on_one_key() {
                    self.kernel.history.accept(op, version);
                } else {
                    self.kernel.history.accept_clear(op, key, version);
                }
            }
            Observation::Apply { .. }
            | Observation::Discard { .. }
            | Observation::Append { .. }
            | Observation::Truncate { .. }
            | Observation::Commit { .. } => {}
        }
        if let Some(watch) = &mut self.watch {
            watch.observed(self.kernel.now, node, observation);
        }
        if self.kernel.trace.wanted() {
            let (what, text) = observation.describe(&self.config.names);
            self.kernel.trace.line(self.kernel.now, &node.to_string(), what, &text);
        }
    }

    fn note_role(&mut self, node: NodeId, role: Role, term: u64) {
        let slot = &mut self.slots[node.index()];
        let now_leads = (role == Role::Leader).then_some(term);
        let led = slot.role.filter(|(role, _)| *role == Role::Leader).map(|(_, term)| term);
        slot.role = Some((role, term));
        if led == now_leads {
            return;
        }
        self.end_leadership(node);
        if let Some(term) = now_leads {
            let from = self.kernel.now;
            self.leaderships.push(Leadership { term, node, from, until: None });
        }
    }

    pub(super) fn end_leadership(&mut self, node: NodeId) {
        let open = |led: &&mut Leadership| led.node == node && led.until.is_none();
        if let Some(leadership) = self.leaderships.iter_mut().rev().find(open) {
            leadership.until = Some(self.kernel.now);
        }
    }
}
