//! What becomes of every message, for pictures.
//!
//! Messages on their way are noted as they go through the queue ([`Transmissions`]). Messages that
//! are stopped when they are sent are noted there ([`Stopped`]).

use std::collections::BTreeMap;

use crate::id::{ClientId, NodeId};
use crate::protocol::{Carried, Message, Protocol, RequestId};
use crate::rng::CausalId;
use crate::time::Time;

use super::super::event::{Event, What};
use super::super::network::{Fate, Packet};
use super::tapped::Tap;

/// One end of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// A node.
    Node(NodeId),
    /// A client.
    Client(ClientId),
}

/// A message, from its sending to its delivery or loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmission {
    /// Who sent it.
    pub from: End,
    /// The receiver.
    pub to: End,
    /// Its kind as scenario files name it; `request` and `answer` between a client and a node.
    pub kind: &'static str,
    /// When it was sent, in virtual time.
    pub sent_at: Time,
    /// What became of it.
    pub delivery: Delivery,
    /// Until when a clog held it back, in virtual time; `None` when none did.
    pub held_until: Option<Time>,
    /// Whether it is a heartbeat.
    pub background: bool,
    /// The writes that it has to do with.
    pub carries: Vec<Carried>,
    /// The client's request that it is, or answers.
    pub request: Option<RequestId>,
}

/// What became of a message. All times are virtual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It reached its receiver then.
    Arrived(Time),
    /// It reached its receiver's machine then, and the process was down.
    Undelivered(Time),
    /// It would have arrived then; the run ended first.
    UnderWay(Time),
    /// Lost by chance, when it was sent.
    Lost,
    /// Stopped by a fault, when it was sent.
    Blocked,
    /// A clog held it back to the end of the run.
    Held,
}

/// Messages that were stopped when they were sent.
#[derive(Debug, Default)]
pub(crate) struct Stopped {
    /// For good.
    lost: Vec<Transmission>,
    /// By a clog, which may have let them go since.
    held: BTreeMap<CausalId, Transmission>,
}

impl Stopped {
    /// A message between nodes was handed to the network, which stops it for now or for good.
    pub(super) fn message(&mut self, at: Time, packet: Packet, message: &impl Message, fate: Fate) {
        let delivery = match fate {
            Fate::Arrives { .. } | Fate::Slowed { .. } => return,
            Fate::Lost => Delivery::Lost,
            Fate::Blocked => Delivery::Blocked,
            Fate::Held { .. } => Delivery::Held,
        };
        let transmission = transmission_of(at, packet.from, packet.to, message, delivery);
        if delivery == Delivery::Held {
            self.held.insert(packet.id, transmission);
        } else {
            self.lost.push(transmission);
        }
    }

    /// A request of a client that was stopped, or the answer to one.
    pub(super) fn of_client(&mut self, at: Time, from: End, to: End, request: RequestId) {
        self.lost.push(of_client(at, from, to, request, Delivery::Blocked));
    }
}

/// A request of a client, or the answer to one.
fn of_client(at: Time, from: End, to: End, request: RequestId, delivery: Delivery) -> Transmission {
    let kind = if matches!(from, End::Client(_)) { "request" } else { "answer" };
    Transmission { request: Some(request), ..plain(at, from, to, kind, delivery) }
}

fn transmission_of<M: Message>(
    at: Time,
    from: NodeId,
    to: NodeId,
    message: &M,
    delivery: Delivery,
) -> Transmission {
    let mut carries = Vec::new();
    message.carries(&mut |carried| carries.push(carried));
    let kind = M::KINDS[usize::from(message.kind())];
    let plain = plain(at, End::Node(from), End::Node(to), kind, delivery);
    Transmission { background: message.is_background(), carries, ..plain }
}

fn plain(
    sent_at: Time,
    from: End,
    to: End,
    kind: &'static str,
    delivery: Delivery,
) -> Transmission {
    Transmission {
        from,
        to,
        kind,
        sent_at,
        delivery,
        held_until: None,
        background: false,
        carries: Vec::new(),
        request: None,
    }
}

/// The time between two instants, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its start.
    pub from: Time,
    /// Its end, at or after the begin.
    pub until: Time,
}

impl Window {
    /// Whether the two share an instant.
    #[must_use]
    pub fn meets(self, other: Self) -> bool {
        self.from <= other.until && other.from <= self.until
    }

    /// Whether `at` lies in it.
    #[must_use]
    pub fn contains(self, at: Time) -> bool {
        self.from <= at && at <= self.until
    }
}

/// Notes every message that goes through the queue.
#[derive(Debug)]
pub(crate) struct Transmissions {
    /// The instant being played.
    now: Time,
    /// Only messages that are under way at some time of it are kept.
    pub(in super::super) window: Window,
    pending: BTreeMap<CausalId, Transmission>,
    delivered: Vec<(CausalId, Transmission)>,
}

impl Default for Transmissions {
    fn default() -> Self {
        let window = Window { from: Time::ZERO, until: Time::MAX };
        let (pending, delivered) = (BTreeMap::new(), Vec::new());
        Self { now: Time::ZERO, window, pending, delivered }
    }
}

impl<P: Protocol> Tap<P> for Transmissions {
    fn scheduled(&mut self, at: Time, event: &Event<P>) {
        let (now, delivery) = (self.now, Delivery::UnderWay(at));
        if now > self.window.until {
            return;
        }
        let transmission = match &event.what {
            What::Message { to, from, .. } if to == from => return,
            What::Message { to, from, message, .. } => {
                transmission_of(now, *from, *to, message, delivery)
            }
            What::Request { node, session, request, .. } => {
                of_client(now, End::Client(session.client), End::Node(*node), *request, delivery)
            }
            What::Answer { client, node, request, .. } => {
                of_client(now, End::Node(*node), End::Client(*client), *request, delivery)
            }
            What::Refused { .. }
            | What::Timer { .. }
            | What::Disk { .. }
            | What::Invoke { .. }
            | What::Arrival { .. }
            | What::Alarm { .. }
            | What::Retry { .. }
            | What::Fault { .. }
            | What::Change { .. }
            | What::Heal
            | What::SettleCheck => return,
        };
        self.pending.insert(event.id, transmission);
    }

    fn scheduled_revocable(&mut self, at: Time, event: &Event<P>) {
        match self.pending.get_mut(&event.id) {
            // It was revoked and comes sooner: it has been under way since it was sent.
            Some(transmission) => transmission.delivery = Delivery::UnderWay(at),
            None => self.scheduled(at, event),
        }
    }

    fn taken(&mut self, at: Time, id: CausalId) {
        self.now = at;
        if let Some(transmission) = self.pending.remove(&id)
            && at >= self.window.from
        {
            let delivery = Delivery::Arrived(at);
            self.delivered.push((id, Transmission { delivery, ..transmission }));
        }
    }
}

impl Transmissions {
    /// Every message that was under way at some time of the window, in the order of sending: those
    /// that went through the queue, and those that were stopped.
    pub(in super::super) fn finish(
        &mut self,
        stopped: Stopped,
        mut undelivered: Vec<CausalId>,
    ) -> Vec<Transmission> {
        let Window { from, until } = self.window;
        let Stopped { lost, mut held } = stopped;
        undelivered.sort_unstable();
        let mut transmitted = std::mem::take(&mut self.delivered);
        let pending = std::mem::take(&mut self.pending).into_iter();
        transmitted.extend(pending.filter(|(_, transmission)| {
            matches!(transmission.delivery, Delivery::UnderWay(at) if at >= from)
        }));
        let mut transmissions = Vec::with_capacity(transmitted.len() + lost.len());
        for (id, mut transmission) in transmitted {
            if let Some(before) = held.remove(&id) {
                transmission.held_until = Some(transmission.sent_at);
                transmission.sent_at = before.sent_at;
            }
            if let Delivery::Arrived(at) = transmission.delivery
                && undelivered.binary_search(&id).is_ok()
            {
                transmission.delivery = Delivery::Undelivered(at);
            }
            transmissions.push(transmission);
        }
        let never_on_its_way = lost.into_iter().chain(held.into_values());
        let of_window = |transmission: &Transmission| {
            transmission.sent_at <= until
                && (transmission.delivery == Delivery::Held || transmission.sent_at >= from)
        };
        transmissions.extend(never_on_its_way.filter(of_window));
        transmissions.sort_by_key(|transmission| transmission.sent_at);
        transmissions
    }
}
