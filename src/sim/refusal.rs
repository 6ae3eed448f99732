//! Messages that come back: a process that is not there refuses at once, one that hangs does not.
//!
//! Model: the machine of a node whose process is down is still there and refuses the connection, whatever brought the
//! process down, as it does to clients. A refusal is sent at the instant at which the message reaches the machine, and
//! goes back as any message does: over the link that leads back, with its delay, order and bandwidth, slowed, held,
//! dropped or blocked by what is on that link, and lost by its chance, all drawn from the identity of the message that
//! it refuses. Nothing is refused that never came there: a message that was lost or blocked on the way, a fault's or the
//! link's, is silence. Nor is what a hanging process has been handed: it waits for the process, and dies with it.
//!
//! A refusal is for the process that sent the message. One that has died since learns nothing, and neither does the one
//! that has started in its place.

use crate::id::NodeId;
use crate::protocol::{Input, Protocol};
use crate::rng::{CausalId, Cause};

use super::Simulation;
use super::event::{Event, What};
use super::network::{Fate, Packet, Slowness};
use super::queue::EventQueue;

/// No kind of message: of these a protocol has at most 255.
const NO_KIND: u8 = u8::MAX;

/// A reset of a connection, in bytes: the headers of IP and TCP.
const SIZE: u64 = 40;

const fn refusal(id: CausalId, (from, to): (NodeId, NodeId)) -> Packet {
    Packet { from: to, to: from, kind: NO_KIND, size: SIZE, id }
}

impl<P: Protocol, Q: EventQueue<Event<P>>> Simulation<'_, P, Q> {
    /// A message from `from` has reached the machine of `to`, whose process is down: it comes back, if the network does
    /// that.
    #[cold]
    pub(super) fn refuse(
        &mut self,
        id: CausalId,
        (from, to): (NodeId, NodeId),
        boot: u32,
        message: P::Message,
    ) {
        if !self.network.refuses || from == to {
            return;
        }
        let id = id.child(Cause::Refusal, from.0.into(), 0);
        let packet = refusal(id, (from, to));
        match self.network.decide(packet, self.kernel.now, &self.kernel.draws) {
            fate @ (Fate::Arrives { .. } | Fate::Slowed { .. }) => {
                self.kernel.departs(to, &message);
                self.send_back(id, What::Refused { to, from, boot, message }, fate);
            }
            Fate::Held { fault } => {
                self.kernel.departs(to, &message);
                let event = Event { id, what: What::Refused { to, from, boot, message } };
                self.held.push((fault, event, self.network.take_slowness()));
            }
            Fate::Lost => self.note_refusal(to, ". lost", from),
            Fate::Blocked => self.note_refusal(to, ". blocked", from),
        }
    }

    /// A clog has ended: a refusal that one held back goes on, if nothing else holds it.
    pub(super) fn release_refusal(
        &mut self,
        (held_by, ended): (u32, u32),
        event: Event<P>,
        slower: Slowness,
    ) {
        let Event { id, what: What::Refused { to, from, boot, message } } = event else { return };
        let held_by = if held_by == ended { self.network.clog_on(to, from) } else { Some(held_by) };
        let what = What::Refused { to, from, boot, message };
        if let Some(fault) = held_by {
            return self.held.push((fault, Event { id, what }, slower));
        }
        let (now, draws) = (self.kernel.now, &self.kernel.draws);
        let fate = self.network.depart(refusal(id, (from, to)), slower, now, draws);
        self.send_back(id, what, fate);
    }

    /// Schedules the arrival of a refusal that the network lets through. A connection is refused once, however often
    /// that is said.
    fn send_back(&mut self, id: CausalId, what: What<P>, fate: Fate) {
        match fate {
            Fate::Arrives { at, copy } => {
                self.kernel.schedule(copy.map_or(at, |copy| copy.min(at)), id, what);
            }
            Fate::Slowed { at, copy } => {
                let event = self.kernel.schedule_revocable(copy.unwrap_or(at), id, what);
                self.network.arrives_by(event, None);
            }
            Fate::Lost | Fate::Blocked | Fate::Held { .. } => {}
        }
    }

    /// A refusal reaches the machine of the node that sent what is refused.
    #[cold]
    pub(super) fn come_back(
        &mut self,
        id: CausalId,
        (from, to): (NodeId, NodeId),
        boot: u32,
        message: P::Message,
    ) {
        self.kernel.arrives(to, &message);
        let slot = &self.slots[from.index()];
        if !slot.is_up() || slot.boot != boot {
            if self.kernel.trace.wanted() {
                let (now, who) = (self.kernel.now, from.to_string());
                self.kernel.trace.line(now, &who, ". lost", "the process that sent it is gone");
            }
            return;
        }
        self.effects.returned = Some(message);
        self.handle(from, id, Input::Refused { to });
        self.effects.returned = None;
    }

    /// Says in the trace why a refusal goes nowhere.
    fn note_refusal(&mut self, who: NodeId, what: &str, to: NodeId) {
        if self.kernel.trace.wanted() {
            let text = format!("refusal to {to}");
            self.kernel.trace.line(self.kernel.now, &who.to_string(), what, &text);
        }
    }
}
