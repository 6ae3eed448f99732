//! Faults that are tied to moments: who counts what happens, and how a fault strikes at the very instant.
//!
//! A fault strikes as an event of its own, in the queue before all else that is pending at its instant. What it has
//! to come before is seen while it is still the first of the queue: the fault is put before it, and what the fault
//! leaves of it is played and counted after. What it has to follow is counted when it happens, in the middle of an
//! event, and the fault is the next event.
//!
//! Only what the simulation itself sees is counted, so that every protocol has all milestones that it can have: one
//! that says nothing of its role is never elected.

use crate::config::{Config, Occurrence, Start, Trigger};
use crate::id::NodeId;
use crate::protocol::{Message, Outcome, Protocol, Reply, RequestId};
use crate::time::{Span, Time};

use super::Simulation;
use super::event::{Event, What};
use super::node::Slot;
use super::queue::EventQueue;

/// The faults whose moments are still to come.
#[derive(Debug)]
pub(super) struct Triggers {
    armed: Vec<Armed>,
    /// Whether any of them has to come before what it waits for, so that events are looked at before they are taken.
    looks_ahead: bool,
}

/// A fault that waits for its moment.
#[derive(Debug)]
struct Armed {
    index: u32,
    trigger: Trigger,
    /// How often it has happened so far.
    seen: u64,
}

/// A fault whose moment has come, and how long after it strikes.
type Due = (u32, Span);

impl Triggers {
    /// `None` when every fault has its time.
    pub(super) fn of(config: &Config) -> Option<Box<Self>> {
        let armed = (0..).zip(&config.faults).filter_map(|(index, fault)| match fault.start {
            Start::At(_) => None,
            Start::When(trigger) => Some(Armed { index, trigger, seen: 0 }),
        });
        let armed: Vec<Armed> = armed.collect();
        let looks_ahead = armed.iter().any(Armed::comes_before);
        (!armed.is_empty()).then(|| Box::new(Self { armed, looks_ahead }))
    }

    /// Takes out those that wait for the last of `count` more of `what` on `node`, or for one before it.
    fn take(&mut self, node: NodeId, what: Occurrence, count: u64) -> Vec<Due> {
        let reached = |armed: &mut Armed| {
            armed.counts(node, what) && armed.seen + count >= armed.trigger.nth.into()
        };
        if !self.armed.iter_mut().any(reached) {
            return Vec::new();
        }
        let due = self.armed.extract_if(.., reached);
        let due: Vec<Due> = due.map(|armed| (armed.index, armed.trigger.after)).collect();
        if !due.is_empty() {
            self.looks_ahead = self.armed.iter().any(Armed::comes_before);
        }
        due
    }

    fn count(&mut self, node: NodeId, what: Occurrence, count: u64) {
        for armed in self.armed.iter_mut().filter(|armed| armed.counts(node, what)) {
            armed.seen += count;
        }
    }
}

impl Armed {
    /// Whether the fault strikes before what it waits for, and not after.
    const fn comes_before(&self) -> bool {
        matches!(self.trigger.what, Occurrence::Receives(_) | Occurrence::Persists)
    }

    fn counts(&self, node: NodeId, what: Occurrence) -> bool {
        let is_meant = match (self.trigger.what, what) {
            (Occurrence::Receives(None), Occurrence::Receives(_)) => true,
            (waits_for, what) => waits_for == what,
        };
        is_meant && self.trigger.node.is_none_or(|meant| meant == node)
    }
}

/// What the event is about to bring about on a node, and how often, of what a fault has to come before.
fn about_to<P: Protocol>(slots: &[Slot<P>], what: &What<P>) -> Option<(NodeId, Occurrence, u64)> {
    match what {
        // A process that is down gets nothing; one that is paused will.
        What::Message { to, from, message, .. } if to != from && slots[to.index()].is_up() => {
            Some((*to, Occurrence::Receives(Some(message.kind())), 1))
        }
        // The disk works on without the process.
        What::Disk { node, ticket, .. } => {
            let records = slots[node.index()].disk.records_of(*ticket);
            (records > 0).then_some((*node, Occurrence::Persists, records))
        }
        _ => None,
    }
}

impl<P: Protocol, Q: EventQueue<Event<P>>> Simulation<'_, P, Q> {
    /// Before the next event is taken: the states that were to be seen before it, and the faults that come before.
    #[cold]
    #[inline(never)]
    pub(super) fn look_ahead(&mut self) {
        if self.states.pending() {
            self.look_at_states();
        }
        let Some(triggers) = self.triggers.as_mut().filter(|triggers| triggers.looks_ahead) else {
            return;
        };
        let Some((at, event)) = self.kernel.peek() else { return };
        let Some((node, what, count)) = about_to(&self.slots, &event.what) else { return };
        let due = triggers.take(node, what, count);
        if !due.iter().any(|(_, after)| after.is_zero()) {
            // Nothing comes before it now, so it is the next to be played: those that were not due have seen it.
            triggers.count(node, what, count);
        }
        if !due.is_empty() {
            self.strike_all(due, at);
        }
    }

    /// Something happens `count` times on a node in the midst of an event, and faults may follow it.
    #[cold]
    pub(super) fn happens(&mut self, node: NodeId, what: Occurrence, count: u64) {
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
    pub(super) fn answers(&mut self, node: NodeId, request: RequestId, reply: &Reply) {
        let asked = self.kernel.history.entry(request.operation);
        if asked.is_write() && matches!(reply.outcome, Outcome::Ok(_)) {
            self.happens(node, Occurrence::Acknowledges, 1);
        }
    }

    /// Nothing is waited for any more.
    pub(super) fn disarm(&mut self) {
        self.triggers = None;
    }

    fn strike_all(&mut self, due: Vec<Due>, at: Time) {
        for (index, after) in due {
            let id = super::fault_id(self.config, self.config.faults[index as usize].id);
            let what = What::Fault { index, starts: true };
            if after.is_zero() {
                self.kernel.schedule_first(at, index, id, what);
            } else if at + after <= Time::ZERO + self.config.duration {
                self.kernel.schedule(at + after, id, what);
            }
        }
        if self.triggers.as_ref().is_some_and(|triggers| triggers.armed.is_empty()) {
            self.disarm();
        }
    }
}
