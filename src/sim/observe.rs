//! What the simulation takes note of: observations of nodes, leaderships and recoveries.

use crate::config::Occurrence;
use crate::id::{NodeId, Term};
use crate::metrics::{Application, Leadership, Recovery};
use crate::protocol::{File, Observation, Protocol, Role, Stored};

use super::Simulation;
use super::disk::ledger::{Account, Read};
use super::event::Event;
use super::queue::EventQueue;

impl<P: Protocol, Q: EventQueue<Event<P>>> Simulation<'_, P, Q> {
    /// Takes note of what happened inside a node.
    #[inline]
    pub(super) fn observe(&mut self, node: NodeId, observation: Observation) {
        match observation {
            Observation::Role { role, term } => self.note_role(node, role, term),
            Observation::Accept { request, key, version, over } => {
                let op = request.operation;
                if self.contest.is_on() {
                    self.note_contested(node, op);
                }
                if self.kernel.history.entry(op).is_on_one_key() {
                    self.kernel.history.accept(op, version);
                    self.kernel.history.written_over(op, over);
                } else {
                    self.kernel.history.accept_clear(op, key, version);
                }
            }
            Observation::Apply { key, stored: Stored { value, version } } => {
                if let Some(applications) = &mut self.applications {
                    let at = self.kernel.now;
                    applications.push(Application { at, node, key, version, value });
                }
            }
            Observation::Discard { .. }
            | Observation::Append { .. }
            | Observation::Truncate { .. }
            | Observation::Commit { .. } => {}
            Observation::Replay { file, covers, records, last, digest } => {
                self.note_recovery((node, file), covers, Read { records, last, digest });
            }
        }
        if self.observed {
            self.look_into(node, observation);
        }
        if self.kernel.trace.wanted() {
            let (what, text) = observation.describe(&self.config.names);
            self.kernel.trace.line(self.kernel.now, &node.to_string(), what, &text);
        }
    }

    /// What an observation means to those who follow single writes or keep a record.
    #[cold]
    fn look_into(&mut self, node: NodeId, observation: Observation) {
        self.differs_less(node, observation);
        if let Some(watch) = &mut self.watch {
            watch.observed(self.kernel.now, node, observation);
        }
        if let Some(record) = &mut self.record {
            record.observed(self.kernel.now, node, observation);
        }
    }

    /// Holds what a node read of its log against what it ought to have.
    #[cold]
    fn note_recovery(&mut self, (node, file): (NodeId, File), covers: u64, read: Read) {
        let slot = &mut self.slots[node.index()];
        let Account { written, synced, same } = slot.disk.ledger(file).resume(read);
        if written == 0 && read.last == 0 {
            return;
        }
        let Read { records, last, .. } = read;
        // With all that it wrote it stores what it stored; with less, nobody knows what that would be.
        let before = slot.last_data.take().filter(|_| last == written);
        let same_data = before.map(|data| slot.snapshot(node).data == data);
        let (at, same_records) = (self.kernel.now, same);
        self.recoveries.push(Recovery {
            node,
            at,
            covers,
            records,
            last,
            synced,
            written,
            same_records,
            same_data,
        });
    }

    fn note_role(&mut self, node: NodeId, role: Role, term: Term) {
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
            self.contest.begin();
            self.leaderships.push(Leadership { term, node, from, until: None });
            self.look_at_differences();
            if self.triggers.is_some() {
                self.happens(node, Occurrence::Elected, 1);
            }
        }
    }

    pub(super) fn end_leadership(&mut self, node: NodeId) {
        let open = |led: &&mut Leadership| led.node == node && led.until.is_none();
        if let Some(leadership) = self.leaderships.iter_mut().rev().find(open) {
            leadership.until = Some(self.kernel.now);
            self.contest.end(node);
        }
    }
}
