//! What travels: messages between nodes, requests of clients and the answers to them.

use crate::history::Failure;
use crate::id::{ClientId, NodeId};
use crate::protocol::{Input, Message, Outcome, Protocol, Reply, RequestId};
use crate::rng::{CausalId, Cause};
use crate::time::Wall;

use super::clock::SkewedClock;
use super::event::{Event, Hop, Queue, What};
use super::network::{ClientWay, Fate, Packet};
use super::notes::transmissions::End;
use super::{HeldMessage, Simulation};

impl<P: Protocol, Q: Queue<P>> Simulation<'_, P, Q> {
    /// Hands a message to the network.
    #[inline]
    pub(super) fn send(&mut self, from: NodeId, to: NodeId, id: CausalId, message: P::Message) {
        let kind = message.kind();
        let ordinal = self.ordinals.message(to, kind);
        let id = id.child(Cause::Send, u64::from(to.0) | u64::from(kind) << 16, ordinal);
        self.kernel.kinds.sent(kind);
        let counted = u64::from(!message.is_background());
        let boot = self.slots[from.index()].boot;
        if from == to {
            self.kernel.in_flight += counted;
            let what = What::Message { to, from, boot, message };
            self.kernel.schedule(self.kernel.now, id, what);
            return;
        }
        let size = self.weigh(&message);
        let packet = Packet { from, to, kind, size, id };
        let fate = self.network.decide(packet, self.kernel.now, &self.kernel.draws);
        if self.kernel.notes.on {
            self.kernel.notes.sent(self.kernel.now, packet, &message, fate, &self.network);
        }
        match fate {
            // The common case: the message is built in the queue and not copied.
            Fate::Arrives { at, copy: None } => {
                self.kernel.in_flight += counted;
                self.kernel.schedule(at, id, What::Message { to, from, boot, message });
            }
            Fate::Arrives { .. } | Fate::Slowed { .. } => {
                self.kernel.in_flight += counted;
                self.put_on_its_way(Hop { from, to, boot }, id, message, fate);
            }
            Fate::Lost => {
                self.kernel.lose(from, to);
                self.trace_stopped(from, to, ". lost", &message);
            }
            Fate::Blocked => {
                self.kernel.block(from, to);
                self.trace_stopped(from, to, ". blocked", &message);
            }
            Fate::Held { fault } => {
                self.kernel.in_flight += counted;
                let event = Event { id, what: What::Message { to, from, boot, message } };
                self.held.push(HeldMessage { fault, event, slower: self.network.take_slowness() });
            }
        }
    }

    fn trace_stopped(&mut self, from: NodeId, to: NodeId, what: &str, message: &P::Message) {
        let names = self.names;
        self.kernel.trace(from, what, || {
            let kind = P::Message::KINDS[usize::from(message.kind())];
            format!("{kind} to {to}: {}", message.describe(names))
        });
    }

    /// Schedules the arrival of a message that the network lets through, and of its copy.
    #[cold]
    pub(super) fn put_on_its_way(
        &mut self,
        hop: Hop,
        id: CausalId,
        message: P::Message,
        fate: Fate,
    ) {
        let Hop { from, to, boot } = hop;
        match fate {
            Fate::Arrives { at, copy } => {
                if let Some(copy_at) = copy {
                    self.kernel.counts.duplicated += 1;
                    self.kernel.in_flight += u64::from(!message.is_background());
                    let what = What::Message { to, from, boot, message: message.clone() };
                    self.kernel.schedule(copy_at, id.child(Cause::Duplicate, 0, 0), what);
                }
                self.kernel.schedule(at, id, What::Message { to, from, boot, message });
            }
            Fate::Slowed { at, copy } => {
                let copy = copy.map(|copy_at| {
                    self.kernel.counts.duplicated += 1;
                    self.kernel.in_flight += u64::from(!message.is_background());
                    let what = What::Message { to, from, boot, message: message.clone() };
                    let id = id.child(Cause::Duplicate, 0, 0);
                    self.kernel.schedule_revocable(copy_at, id, what)
                });
                let what = What::Message { to, from, boot, message };
                let event = self.kernel.schedule_revocable(at, id, what);
                self.network.arrives_by(event, copy);
            }
            Fate::Lost | Fate::Blocked | Fate::Held { .. } => {
                unreachable!("the network lets it through")
            }
        }
    }

    /// How large a message is on the wire, where that matters.
    #[inline]
    pub(super) fn weigh(&self, message: &P::Message) -> u64 {
        if self.network.weighs() { message.wire_size(self.names) } else { 0 }
    }

    /// Sends an answer to a client.
    pub(super) fn reply(&mut self, node: NodeId, id: CausalId, request: RequestId, reply: Reply) {
        let client = self.kernel.history.entry(request.operation()).client;
        self.kernel.counts.sent += 1;
        if self.contest.is_open() {
            self.note_answered(node, request.operation(), &reply);
        }
        if self.kernel.notes.on {
            self.kernel.notes.answers(self.kernel.now, node, request.operation());
        }
        if !self.network.client_reaches(client, node) {
            self.kernel.counts.blocked += 1;
            let (from, to) = (End::Node(node), End::Client(client));
            self.kernel.notes.stopped_of_client(self.kernel.now, from, to, request);
            return;
        }
        if self.triggers.is_some() {
            self.answers(node, request, &reply);
        }
        let attempt = self.clients.attempt_id(client, request).unwrap_or(id);
        let takes =
            self.network.client_takes(client, node, attempt, ClientWay::Back, &self.kernel.draws);
        let id = id.child(Cause::Reply, client.0.into(), request.attempt());
        self.kernel.schedule_after(takes, id, What::Answer { client, node, request, reply });
    }

    /// A message reaches its receiver.
    #[inline]
    pub(super) fn deliver(&mut self, id: CausalId, hop: Hop, message: P::Message) {
        let Hop { from, to, .. } = hop;
        self.kernel.in_flight -= u64::from(!message.is_background());
        if self.slots[to.index()].is_up() {
            self.kernel.kinds.delivered(message.kind());
            // Not through `handle`: the message is moved once less.
            self.node_step(to, id, |state, cx| {
                if let Some(state) = state {
                    state.handle(Input::Message { from, message }, cx);
                }
            });
        } else {
            self.kernel.lose(from, to);
            self.trace_down(to);
            self.refuse(id, hop, message);
        }
    }

    /// Says in the trace why the event above it did nothing.
    #[cold]
    fn trace_down(&mut self, node: NodeId) {
        self.kernel.trace(node, ". lost", || "the node is down".to_owned());
    }

    /// A client's request reaches a node.
    pub(super) fn request(&mut self, id: CausalId, node: NodeId, input: Input<P>) {
        if self.slots[node.index()].is_up() {
            self.kernel.counts.delivered += 1;
            self.handle(node, id, input);
        } else if let Input::Request { request, .. } = input {
            // The connection is refused: the one thing a client learns of a node that is down.
            self.kernel.counts.lost += 1;
            self.trace_down(node);
            let refusal = Outcome::Refused(Failure::Refused);
            self.reply(node, id, request, Reply::of(refusal));
        }
    }

    /// What a client's wall clock showed when it invoked what `request` is an attempt at.
    pub(super) fn stamped(&self, client: ClientId, request: RequestId) -> Wall {
        let invoked_at = self.kernel.history.entry(request.operation()).invoked_at;
        let clocks = &self.config.client_clocks;
        if clocks.is_empty() {
            // A clock without error.
            return SkewedClock::new(crate::config::Clock::default()).wall_when(invoked_at);
        }
        let place = clocks.binary_search_by_key(&client, |(client, _)| *client);
        let clock =
            SkewedClock::new(place.map_or_else(|_| Default::default(), |place| clocks[place].1));
        clock.wall_when(clock.monotonic(invoked_at))
    }
}
