//! Refused connections: messages come back from a machine whose process is down.
//!
//! Model: the machine outlives its process and refuses connections, to nodes as to clients,
//! whatever brought the process down. A refusal is sent at the instant at which the message reaches
//! the machine. It travels as any message does, over the link that leads back: with that link's
//! delay, order, bandwidth and loss, and under the faults that are on it. Its draws are keyed by
//! the identity of the message that it refuses.
//!
//! A message that is lost or blocked on the way is not refused, for it reaches no machine. Neither
//! is one that waits for a paused process.
//!
//! A refusal is for the boot that sent the message: if the sender has crashed since, nobody learns
//! of it.

use crate::id::NodeId;
use crate::protocol::{Input, Message, Protocol};
use crate::rng::{CausalId, Cause};

use super::event::{Event, Hop, Queue, What};
use super::network::{Fate, Packet, Slowness};
use super::{HeldMessage, Simulation};

/// The kind of a refusal: no message has it, since a protocol has at most 255 kinds.
const NO_KIND: u8 = u8::MAX;

/// A reset of a connection, in bytes: the headers of IP and TCP.
const SIZE: u64 = 40;

/// The refusal of a message that took this hop.
const fn refusal(id: CausalId, hop: Hop) -> Packet {
    Packet { from: hop.to, to: hop.from, kind: NO_KIND, size: SIZE, id }
}

impl<P: Protocol, Q: Queue<P>> Simulation<'_, P, Q> {
    /// A message has reached a machine whose process is down: it comes back, where the scenario
    /// says so.
    #[cold]
    pub(super) fn refuse(&mut self, id: CausalId, hop: Hop, message: P::Message) {
        let Hop { from, to, boot } = hop;
        if !self.network.refuses || from == to {
            return;
        }
        let id = id.child(Cause::Refusal, from.0.into(), 0);
        let packet = refusal(id, hop);
        let counted = u64::from(!message.is_background());
        match self.network.decide(packet, self.kernel.now, &self.kernel.draws) {
            fate @ (Fate::Arrives { .. } | Fate::Slowed { .. }) => {
                self.kernel.in_flight += counted;
                self.send_back(id, What::Refused { to, from, boot, message }, fate);
            }
            Fate::Held { fault } => {
                self.kernel.in_flight += counted;
                let event = Event { id, what: What::Refused { to, from, boot, message } };
                self.held.push(HeldMessage { fault, event, slower: self.network.take_slowness() });
            }
            Fate::Lost => self.trace_refusal(to, ". lost", from),
            Fate::Blocked => self.trace_refusal(to, ". blocked", from),
        }
    }

    /// Says in the trace why a refusal goes nowhere.
    fn trace_refusal(&mut self, who: NodeId, what: &str, to: NodeId) {
        self.kernel.trace(who, what, || format!("refusal to {to}"));
    }

    /// A refusal that a clog held back travels on.
    pub(super) fn release_refusal(
        &mut self,
        id: CausalId,
        hop: Hop,
        message: P::Message,
        slower: Slowness,
    ) {
        let Hop { from, to, boot } = hop;
        let (now, draws) = (self.kernel.now, &self.kernel.draws);
        let fate = self.network.depart(refusal(id, hop), slower, now, draws);
        self.send_back(id, What::Refused { to, from, boot, message }, fate);
    }

    /// Schedules the arrival of a refusal that the network lets through. Of two copies only the
    /// first counts: a connection is refused once.
    fn send_back(&mut self, id: CausalId, what: What<P>, fate: Fate) {
        match fate {
            Fate::Arrives { at, copy } => {
                self.kernel.schedule(copy.map_or(at, |copy| copy.min(at)), id, what);
            }
            Fate::Slowed { at, copy } => {
                let event = self.kernel.schedule_revocable(copy.unwrap_or(at), id, what);
                self.network.arrives_by(event, None);
            }
            Fate::Lost | Fate::Blocked | Fate::Held { .. } => {
                unreachable!("the network lets it through")
            }
        }
    }

    /// A refusal reaches the machine of the node that sent what is refused.
    #[cold]
    pub(super) fn come_back(&mut self, id: CausalId, hop: Hop, message: P::Message) {
        let Hop { from, to, boot } = hop;
        self.kernel.in_flight -= u64::from(!message.is_background());
        let slot = &self.slots[from.index()];
        if !slot.is_up() || slot.boot != boot {
            let why = || "the process that sent it is gone".to_owned();
            return self.kernel.trace(from, ". lost", why);
        }
        self.effects.returned = Some(message);
        self.handle(from, id, Input::Refused { to });
        self.effects.returned = None;
    }
}
