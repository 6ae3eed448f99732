//! How a fault starts at the very instant of its trigger.
//!
//! A fault that is triggered is an event of its own, queued before all else at its instant.
//!
//! - A fault that comes before its trigger (the arrival of a message, the end of a sync) is found
//!   while that event is the first of the queue. The event is played, and counted, after the fault,
//!   unless the fault removes it.
//! - A fault that comes after its trigger is found in the middle of an event. It is the next event.
//!
//! What the simulation itself sees is counted, so triggers work for every protocol. Two kinds need
//! the protocol to say what happens: `elected` its roles, and the moments of a replicated log the
//! observations of that log.

use crate::config::{LogMoment, Occurrence};
use crate::id::NodeId;
use crate::protocol::{Message, Observation, Outcome, Protocol, Reply, RequestId};
use crate::time::Time;

use super::super::event::{Queue, What};
use super::super::node::Slot;
use super::super::{Simulation, fault_id};
use super::triggers::DueFault;

/// What is about to occur on a node by this event, and how often, of what faults can come before.
fn about_to<P: Protocol>(slots: &[Slot<P>], what: &What<P>) -> Option<(NodeId, Occurrence, u64)> {
    // A process that is down receives nothing; one that is paused will.
    if let What::Message { to, from, message, .. } = what
        && to != from
        && slots[to.index()].is_up()
    {
        return Some((*to, Occurrence::Receives(Some(message.kind())), 1));
    }
    // The disk works on while the process is down or paused.
    let What::Disk { node, ticket, .. } = what else { return None };
    let records = slots[node.index()].disk.records_of(*ticket);
    (records > 0).then_some((*node, Occurrence::Persists, records))
}

/// The moment that an observation tells of.
const fn moment_of(observation: &Observation) -> Option<LogMoment> {
    match observation {
        Observation::Vote { .. } => Some(LogMoment::Votes),
        Observation::Commit { .. } => Some(LogMoment::Commits),
        Observation::Truncate { .. } => Some(LogMoment::Truncates),
        Observation::Snapshot { installed: false, .. } => Some(LogMoment::Snapshots),
        Observation::Snapshot { installed: true, .. } => Some(LogMoment::Installs),
        Observation::Role { .. }
        | Observation::Accept { .. }
        | Observation::Apply { .. }
        | Observation::Discard { .. }
        | Observation::Append { .. }
        | Observation::Durable { .. }
        | Observation::Applied { .. }
        | Observation::Configuration { .. }
        | Observation::Replay { .. } => None,
    }
}

impl<P: Protocol, Q: Queue<P>> Simulation<'_, P, Q> {
    /// Queues the faults that come before what the next event triggers.
    #[cold]
    pub(in super::super) fn trigger_before_next(&mut self) {
        let Some(triggers) = self.triggers.as_mut().filter(|triggers| triggers.looks_ahead) else {
            return;
        };
        let Some((at, event)) = self.kernel.peek() else { return };
        let Some((node, what, count)) = about_to(&self.slots, &event.what) else { return };
        let due = triggers.take(node, what, count);
        if !due.iter().any(|due| due.after.is_zero()) {
            // Nothing comes before the event, so it is played next: the faults that still wait
            // count it.
            triggers.count(node, what, count);
        }
        if !due.is_empty() {
            self.strike_all(due, at);
        }
    }

    /// Something occurs `count` times on a node in the middle of an event, and faults may follow
    /// it.
    #[cold]
    pub(in super::super) fn happens(&mut self, node: NodeId, what: Occurrence, count: u64) {
        let Some(triggers) = &mut self.triggers else { return };
        let due = triggers.take(node, what, count);
        triggers.count(node, what, count);
        if !due.is_empty() {
            let now = self.kernel.now;
            self.strike_all(due, now);
        }
    }

    /// An answer leaves a node.
    #[cold]
    pub(in super::super) fn answers(&mut self, node: NodeId, request: RequestId, reply: &Reply) {
        let asked = self.kernel.history.entry(request.operation());
        if asked.is_write() && matches!(reply.outcome, Outcome::Ok(_)) {
            self.happens(node, Occurrence::Acknowledges, 1);
        }
    }

    /// A node says something of itself.
    #[cold]
    pub(in super::super) fn log_moment(&mut self, node: NodeId, observation: &Observation) {
        // A node whose log counts for nothing speaks of it only in runs that are watched.
        let starts = self.triggers.as_ref().is_some_and(|triggers| triggers.node_starts);
        if self.keeps_log
            && !starts
            && let Some(moment) = moment_of(observation)
        {
            self.happens(node, Occurrence::OfLog(moment), 1);
        }
    }

    /// Notes whether what nodes say is of what they had before their start.
    pub(super) fn node_starts(&mut self, starts: bool) {
        if let Some(triggers) = &mut self.triggers {
            triggers.node_starts = starts;
        }
    }

    /// No fault waits for its trigger any more.
    pub(super) fn disarm(&mut self) {
        self.triggers = None;
    }

    /// Queues faults that are due.
    fn strike_all(&mut self, due: Vec<DueFault>, at: Time) {
        for DueFault { index, after } in due {
            let id = fault_id(self.names, self.config.faults[index as usize].id);
            let what = What::Fault { index, starts: true };
            if after.is_zero() {
                self.kernel.schedule_first(at, index, id, what);
            } else if at + after <= Time::ZERO + self.config.duration {
                self.kernel.schedule(at + after, id, what);
            }
        }
        if self.triggers.as_ref().is_some_and(|triggers| triggers.is_empty()) {
            self.disarm();
        }
    }
}
