//! What the simulation makes of observations: leaderships, recoveries, the last write, the history.

use crate::config::Occurrence;
use crate::id::{NodeId, OpId, Term};
use crate::metrics::{LastWrite, Leadership, Recovery};
use crate::protocol::{File, NodeSnapshot, Observation, Outcome, Protocol, Reply, Role};

use super::Simulation;
use super::agreement::{self, Agreement, Differences};
use super::disk::written::{LogAccount, LogRead};
use super::event::Queue;

impl<P: Protocol, Q: Queue<P>> Simulation<'_, P, Q> {
    /// A node observed something.
    #[inline]
    pub(super) fn observe(&mut self, node: NodeId, observation: Observation) {
        self.tell_ledger(node, &observation);
        let mut written = None;
        match observation {
            Observation::Role { role, term } => self.note_role(node, role, term),
            Observation::Accept { request, key, version, over } => {
                let op = request.operation();
                if self.contest.is_on() {
                    self.note_contested(node, op);
                }
                written = Some(self.kernel.history.accept_on(op, key, version, over));
            }
            Observation::Vote { .. }
            | Observation::Append { .. }
            | Observation::Truncate { .. }
            | Observation::Durable { .. }
            | Observation::Commit { .. }
            | Observation::Applied { .. }
            | Observation::Snapshot { .. }
            | Observation::Configuration { .. }
            | Observation::Apply { .. }
            | Observation::Discard { .. } => {}
            Observation::Replay { file, covers, records, last, digest } => {
                self.note_recovery(node, file, covers, LogRead { records, last, digest });
            }
        }
        if self.triggers.is_some() {
            self.log_moment(node, &observation);
        }
        if self.kernel.notes.on {
            let observation = observation.of_access(written);
            if self.agreement.observed(node, observation) {
                self.compare_again();
            }
            let (now, names) = (self.kernel.now, self.names);
            self.kernel.notes.observed(now, node, observation, names);
        }
    }

    /// Compares what a node read of its log with what it ought to have.
    #[cold]
    fn note_recovery(&mut self, node: NodeId, file: File, covers: u64, read: LogRead) {
        let slot = &mut self.slots[node.index()];
        let LogAccount { written, synced, same } = slot.disk.written_log(file).resume(read);
        if written == 0 && read.last == 0 {
            return;
        }
        let LogRead { records, last, .. } = read;
        // A node that read all that it wrote stores what it stored before; what a shorter log gives
        // is not known.
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
            self.compare_again();
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

    /// A node accepts a write while several lead.
    #[cold]
    fn note_contested(&mut self, node: NodeId, op: OpId) {
        let role = self.slots[node.index()].role;
        if role.is_some_and(|(role, _)| role == Role::Leader) {
            self.contest.accept(op, node, self.kernel.now);
        }
    }

    /// A node answers while there are contested writes.
    #[cold]
    pub(super) fn note_answered(&mut self, node: NodeId, op: OpId, reply: &Reply) {
        if matches!(reply.outcome, Outcome::Ok(_))
            && let Some(contested) = self.contest.acknowledge(op, node, self.kernel.now)
        {
            self.kernel.history.contest(contested);
        }
    }

    /// Looks whether the last write is answered.
    #[inline]
    pub(super) fn look_for_the_last_write(&mut self) {
        if matches!(self.agreement, Agreement::ToCome) && self.clients.has_written() {
            self.last_write_answered();
        }
    }

    #[cold]
    fn last_write_answered(&mut self) {
        let operations = self.kernel.history.entries();
        let any = operations.iter().any(|entry| entry.is_ok() && entry.is_write());
        let Some(leader) = self.leading().filter(|_| any) else {
            self.agreement = Agreement::Over(None);
            return;
        };
        let (differences, followers, keys) = self.compare_with(leader);
        let (at, differing) = (self.kernel.now, differences.len() as u64);
        let last = LastWrite { at, leader, followers, keys, differing, agreed_at: None };
        self.agreement = Agreement::Differ { last, leader, differences };
        self.kernel.notes.listen_for(true);
        self.end_comparison();
    }

    /// Who leads: of several the one of the highest term.
    fn leading(&self) -> Option<NodeId> {
        let open = self.leaderships.iter().filter(|led| led.until.is_none());
        open.max_by_key(|led| (led.term, led.from)).map(|led| led.node)
    }

    /// Where live followers differ from the leader, how many followers there are, and how many
    /// keys.
    fn compare_with(&self, leader: NodeId) -> (Differences, u64, u64) {
        let nodes = NodeId::all(self.config.cluster.nodes);
        let live = nodes.filter(|node| *node != leader && self.slots[node.index()].is_up());
        let followers: Vec<NodeSnapshot> = live.map(|node| self.snapshot(node)).collect();
        let (differences, keys) = agreement::compare(&self.snapshot(leader), &followers);
        (differences, followers.len() as u64, keys)
    }

    /// Compares followers with the leader again, if the last write is answered and they differed.
    #[cold]
    pub(super) fn compare_again(&mut self) {
        if !matches!(self.agreement, Agreement::Differ { .. }) {
            return;
        }
        let Some(now_leads) = self.leading() else { return };
        let (found, ..) = self.compare_with(now_leads);
        if let Agreement::Differ { leader, differences, .. } = &mut self.agreement {
            (*leader, *differences) = (now_leads, found);
        }
        self.end_comparison();
    }

    /// Takes note of it if nothing differs any more.
    fn end_comparison(&mut self) {
        if let Agreement::Differ { last, differences, .. } = &self.agreement
            && differences.is_empty()
        {
            let agreed_at = Some(self.kernel.now);
            self.agreement = Agreement::Over(Some(LastWrite { agreed_at, ..*last }));
            self.kernel.notes.listen_for(false);
        }
    }

    /// What is known of the last write when the run is over.
    pub(super) fn last_write(&mut self) -> Option<LastWrite> {
        self.compare_again();
        match &self.agreement {
            Agreement::ToCome => None,
            Agreement::Differ { last, .. } => Some(*last),
            Agreement::Over(last) => *last,
        }
    }
}
