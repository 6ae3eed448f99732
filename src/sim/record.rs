//! A record of a whole run, for pictures: what became of every message, what every node did.
//!
//! Only a run that is played again to be drawn keeps one. Messages on their way are noted by a queue of their own
//! ([`Transmissions`]), so that the simulation's common path knows nothing of them; what never got on its way is noted
//! where it was stopped.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::id::{ClientId, KeyId, NodeId, Term};
use crate::protocol::{
    Carried, DiscardReason, Message, NodeSnapshot, Observation, Protocol, RequestId, Role, Stored,
};
use crate::rng::CausalId;
use crate::time::Time;

use super::event::{Event, What};
use super::network::Fate;
use super::queue::{EventQueue, Handle};
use super::{Finished, NoteOptions, Simulation};

/// One end of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// A node.
    Node(NodeId),
    /// A client.
    Client(ClientId),
}

/// A message from its sending to wherever it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmission {
    /// Who sent it.
    pub from: End,
    /// To whom.
    pub to: End,
    /// Its kind as scenario files name it; `request` and `answer` between a client and a node.
    pub kind: &'static str,
    /// When it was sent, in virtual time.
    pub sent_at: Time,
    /// What became of it.
    pub delivery: Delivery,
    /// Until when a clog held it back, in virtual time; `None` when none did.
    pub held_until: Option<Time>,
    /// Whether it says no more than "I am here".
    pub background: bool,
    /// The writes that it has to do with.
    pub carries: Vec<Carried>,
    /// The client's request that it is, or answers.
    pub request: Option<RequestId>,
}

/// What became of a message; times are virtual.
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
    /// A fault stood in its way, when it was sent.
    Blocked,
    /// A clog held it back to the end of the run.
    Held,
}

/// Something that a node did, or that was done to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeEvent {
    /// When, in virtual time.
    pub at: Time,
    /// Which node.
    pub node: NodeId,
    /// What.
    pub what: NodeEventKind,
}

/// What happened on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeEventKind {
    /// It took a role.
    Role {
        /// The role.
        role: Role,
        /// The term.
        term: Term,
    },
    /// Its store took a write.
    Applied {
        /// The key.
        key: KeyId,
        /// The write.
        stored: Stored,
    },
    /// It dropped a write that it was sent or had.
    Discarded {
        /// The key.
        key: KeyId,
        /// The write.
        stored: Stored,
        /// Why.
        reason: DiscardReason,
    },
    /// Its process died.
    Down,
    /// Its process has started, with these writes from its disk.
    Up(Vec<(KeyId, Stored)>),
    /// Its process is no longer scheduled.
    Paused,
    /// It goes on.
    Resumed,
}

/// What is noted while a run is played.
#[derive(Debug, Default)]
pub(crate) struct Record {
    node_events: Vec<NodeEvent>,
    /// Messages that reached a process that was down.
    undelivered: Vec<CausalId>,
}

impl Record {
    pub(super) fn note(&mut self, at: Time, node: NodeId, what: NodeEventKind) {
        self.node_events.push(NodeEvent { at, node, what });
    }

    pub(super) fn undelivered(&mut self, id: CausalId) {
        self.undelivered.push(id);
    }

    pub(super) fn observed(&mut self, at: Time, node: NodeId, observation: Observation) {
        let what = match observation {
            Observation::Role { role, term } => NodeEventKind::Role { role, term },
            Observation::Apply { key, stored } => NodeEventKind::Applied { key, stored },
            Observation::Discard { key, stored, reason } => {
                NodeEventKind::Discarded { key, stored, reason }
            }
            Observation::Accept { .. }
            | Observation::Append { .. }
            | Observation::Truncate { .. }
            | Observation::Commit { .. }
            | Observation::Replay { .. } => return,
        };
        self.note(at, node, what);
    }

    pub(super) fn booted(&mut self, at: Time, node: NodeId, snapshot: &NodeSnapshot) {
        let what = if snapshot.up {
            let data = snapshot.data.iter().map(|(key, stored)| (*key, *stored));
            NodeEventKind::Up(data.collect())
        } else {
            NodeEventKind::Down
        };
        self.note(at, node, what);
    }
}

/// Messages that did not get on their way at once.
#[derive(Debug, Default)]
pub(crate) struct Stopped {
    /// Those that never will.
    lost: Vec<Transmission>,
    /// Those that a clog holds back, or held back before it let them go.
    held: BTreeMap<CausalId, Transmission>,
}

impl Stopped {
    /// A message of a node that was stopped when it was sent.
    fn message(
        &mut self,
        at: Time,
        (from, to, id): (NodeId, NodeId, CausalId),
        message: &impl Message,
        delivery: Delivery,
    ) {
        let transmission = transmission_of(at, (from, to), message, delivery);
        if delivery == Delivery::Held {
            self.held.insert(id, transmission);
        } else {
            self.lost.push(transmission);
        }
    }

    /// A client's request that was stopped.
    #[cold]
    pub(super) fn request(&mut self, at: Time, client: ClientId, node: NodeId, of: RequestId) {
        let ends = (End::Client(client), End::Node(node));
        self.lost.push(of_client(at, ends, "request", of, Delivery::Blocked));
    }

    /// The answer to one.
    #[cold]
    pub(super) fn answer(&mut self, at: Time, node: NodeId, client: ClientId, of: RequestId) {
        let ends = (End::Node(node), End::Client(client));
        self.lost.push(of_client(at, ends, "answer", of, Delivery::Blocked));
    }
}

fn of_client(
    sent_at: Time,
    (from, to): (End, End),
    kind: &'static str,
    request: RequestId,
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
        request: Some(request),
    }
}

fn transmission_of<M: Message>(
    sent_at: Time,
    (from, to): (NodeId, NodeId),
    message: &M,
    delivery: Delivery,
) -> Transmission {
    let mut carries = Vec::new();
    message.carries(&mut |carried| carries.push(carried));
    Transmission {
        from: End::Node(from),
        to: End::Node(to),
        kind: M::KINDS[usize::from(message.kind())],
        sent_at,
        delivery,
        held_until: None,
        background: message.is_background(),
        carries,
        request: None,
    }
}

/// Another queue, which notes every message that goes through it.
#[derive(Debug)]
pub(crate) struct Transmissions<Q> {
    inner: Q,
    /// The instant being played.
    now: Time,
    /// Only those that are under way at some time between these are kept.
    window: (Time, Time),
    pending: BTreeMap<CausalId, Transmission>,
    delivered: Vec<(CausalId, Transmission)>,
}

impl<Q> Transmissions<Q> {
    fn keep(&mut self, id: CausalId, transmission: Transmission) {
        if let Delivery::Arrived(at) = transmission.delivery
            && at >= self.window.0
        {
            self.delivered.push((id, transmission));
        }
    }
}

impl<Q> Transmissions<Q> {
    /// A message, or something else, will arrive at `time`.
    fn note<P: Protocol>(&mut self, time: Time, event: &Event<P>) {
        let (now, delivery) = (self.now, Delivery::UnderWay(time));
        let transmission = match &event.what {
            _ if now > self.window.1 => None,
            What::Message { to, from, .. } if to == from => None,
            What::Message { to, from, message, .. } => {
                Some(transmission_of(now, (*from, *to), message, delivery))
            }
            What::Request { node, client, request, .. } => {
                let ends = (End::Client(*client), End::Node(*node));
                Some(of_client(now, ends, "request", *request, delivery))
            }
            What::Answer { client, node, request, .. } => {
                let ends = (End::Node(*node), End::Client(*client));
                Some(of_client(now, ends, "answer", *request, delivery))
            }
            _ => None,
        };
        if let Some(transmission) = transmission {
            self.pending.insert(event.id, transmission);
        }
    }
}

impl<P: Protocol, Q: EventQueue<Event<P>>> EventQueue<Event<P>> for Transmissions<Q> {
    fn new() -> Self {
        Self {
            inner: Q::new(),
            now: Time::ZERO,
            window: (Time::ZERO, Time::MAX),
            pending: BTreeMap::new(),
            delivered: Vec::new(),
        }
    }

    fn push(&mut self, time: Time, order: u64, event: Event<P>) {
        self.note(time, &event);
        self.inner.push(time, order, event);
    }

    fn push_revocable(&mut self, time: Time, order: u64, event: Event<P>) -> Handle {
        match self.pending.get_mut(&event.id) {
            // It was taken back to arrive sooner: it has been under way since it was sent.
            Some(transmission) => transmission.delivery = Delivery::UnderWay(time),
            None => self.note(time, &event),
        }
        self.inner.push_revocable(time, order, event)
    }

    fn revoke(&mut self, handle: Handle) -> Option<Event<P>> {
        self.inner.revoke(handle)
    }

    fn is_overfull(&self) -> bool {
        self.inner.is_overfull()
    }

    fn pop(&mut self) -> Option<(Time, Event<P>)> {
        let (time, event) = self.inner.pop()?;
        self.now = time;
        if let Some(transmission) = self.pending.remove(&event.id) {
            self.keep(event.id, Transmission { delivery: Delivery::Arrived(time), ..transmission });
        }
        Some((time, event))
    }

    fn next_time(&mut self) -> Option<Time> {
        self.inner.next_time()
    }

    fn peek(&mut self) -> Option<(Time, &Event<P>)> {
        self.inner.peek()
    }

    fn each(&self, look: &mut dyn FnMut(&Event<P>)) {
        self.inner.each(look);
    }

    fn len(&self) -> usize {
        self.inner.len()
    }
}

impl<'a, P: Protocol, Q: EventQueue<Event<P>>> Simulation<'a, P, Transmissions<Q>> {
    /// As [`Simulation::new`], and keeps every message that is under way at some time of `window`.
    pub(crate) fn noting_transmissions(
        config: &'a Config,
        settings: &'a P::Config,
        seed: u64,
        (notes, window): (NoteOptions, (Time, Time)),
    ) -> Self {
        let mut simulation = Self::unstarted(config, settings, seed, notes);
        simulation.kernel.queue().window = window;
        simulation.kernel.stopped = Some(Stopped::default());
        simulation.start();
        simulation
    }

    /// Plays the run to its end; what it left, and the messages kept, by sending.
    pub(crate) fn run_with_transmissions(mut self) -> (Finished, Vec<Transmission>) {
        while self.step().is_some() {}
        let stopped = self.kernel.stopped.take().unwrap_or_default();
        let queue = self.kernel.queue();
        let mut transmitted = std::mem::take(&mut queue.delivered);
        let window = queue.window;
        let (from, _) = window;
        let pending = std::mem::take(&mut queue.pending).into_iter();
        transmitted.extend(pending.filter(|(_, transmission)| match transmission.delivery {
            Delivery::UnderWay(at) => at >= from,
            _ => false,
        }));
        let undelivered = match &mut self.record {
            Some(record) => std::mem::take(&mut record.undelivered),
            None => Vec::new(),
        };
        let transmissions = merge(transmitted, stopped, undelivered, window);
        (self.finish(), transmissions)
    }
}

/// Puts together what was noted of messages on their way and of those that were stopped.
fn merge(
    transmitted: Vec<(CausalId, Transmission)>,
    Stopped { lost, mut held }: Stopped,
    mut undelivered: Vec<CausalId>,
    (from, until): (Time, Time),
) -> Vec<Transmission> {
    undelivered.sort_unstable();
    let mut transmissions: Vec<Transmission> = Vec::with_capacity(transmitted.len() + lost.len());
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

impl<P: Protocol, Q: EventQueue<Event<P>>> Simulation<'_, P, Q> {
    /// A message was handed to the network, which stops it for now or for good.
    #[cold]
    pub(super) fn note_stopped(
        &mut self,
        ends: (NodeId, NodeId, CausalId),
        message: &P::Message,
        fate: Fate,
    ) {
        let Some(stopped) = &mut self.kernel.stopped else { return };
        let delivery = match fate {
            Fate::Arrives { .. } | Fate::Slowed { .. } => return,
            Fate::Lost => Delivery::Lost,
            Fate::Blocked => Delivery::Blocked,
            Fate::Held { .. } => Delivery::Held,
        };
        stopped.message(self.kernel.now, ends, message, delivery);
    }

    /// Notes what was done to a node, where that is noted.
    #[cold]
    pub(super) fn record(&mut self, node: NodeId, what: NodeEventKind) {
        if let Some(record) = &mut self.record {
            record.note(self.kernel.now, node, what);
        }
    }
}

impl Record {
    /// Everything noted so far, in event order.
    pub(super) fn node_events(&self) -> &[NodeEvent] {
        &self.node_events
    }

    /// Everything noted, in event order.
    pub(super) fn into_node_events(self) -> Vec<NodeEvent> {
        self.node_events
    }
}
