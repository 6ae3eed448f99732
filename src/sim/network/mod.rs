//! The network between nodes, and between clients and nodes.
//!
//! Fault model: each link has, per direction, a delay, a loss, a duplication, an order and a
//! bandwidth. Whether a message is lost, blocked, held back or slowed is decided when it is sent;
//! one that is on its way arrives, if its receiver is up.
//!
//! - A blocked message is lost.
//! - A clogged message is held and travels on when the clog ends.
//! - A slowed message arrives when the slowness ends, or when it would have without it, whichever
//!   is later.
//!
//! Faults add up: a link is open when no fault closes it. A client reaches a node with the latency
//! of its leg and without loss, unless a partition that names the client lies between. Where the
//! scenario says so, a machine whose process is down refuses messages (`refusal`).

use std::collections::BTreeMap;

use crate::config::{ClientLeg, Config, Link, LinkOrder, Network as Settings};
use crate::id::{ClientId, NodeId};
use crate::rng::{CausalId, Cause, Draws, Purpose};
use crate::sampler::Distribution;
use crate::time::{Span, Time};

use super::queue::Handle;
use faults::NetworkFault;

pub(super) mod faults;

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It arrives then, and a second copy at another time if there is one.
    Arrives { at: Time, copy: Option<Time> },
    /// The same, but it may arrive sooner: see [`NetworkState::let_go`].
    Slowed { at: Time, copy: Option<Time> },
    /// It is lost by chance.
    Lost,
    /// A fault stands in its way.
    Blocked,
    /// The fault of this index holds it back; [`NetworkState::take_slowness`] says by how much
    /// others slow it.
    Held { fault: u32 },
}

/// By how much each fault, by its index, slows a message.
pub(crate) type Slowness = Vec<(u32, Span)>;

/// A message on its way that a fault slows.
#[derive(Debug)]
struct Delayed {
    pair: usize,
    /// When it would arrive if no fault slowed it and the link kept no order.
    unslowed: Time,
    /// When the message before it arrives, over a link that keeps order.
    after: Option<Time>,
    slower: Slowness,
    at: Time,
    /// The event of its arrival.
    event: Option<Handle>,
}

/// The state of every link.
#[derive(Debug)]
pub(crate) struct NetworkState {
    nodes: usize,
    /// The default link, then the overrides.
    links: Vec<Link>,
    /// Which of `links` each directed pair has; empty when all have the default.
    link_of: Vec<u16>,
    /// How many faults close each directed pair; empty until the first does.
    cuts: Vec<u16>,
    /// The faults that are on, by index, with the identity that keys their draws.
    active: Vec<(u32, CausalId, NetworkFault)>,
    /// When the last message of each FIFO link arrives; empty when there is none.
    last_arrival: Vec<Time>,
    /// When each link's bandwidth is free; empty when no link has a bandwidth.
    free_at: Vec<Time>,
    /// By how much faults slow the message that was last found to be held.
    slowness: Slowness,
    /// Slowed messages in the order of sending; some of them have arrived.
    delayed: Vec<Delayed>,
    /// From this length of `delayed` on, those that have arrived are taken out.
    most_delayed: usize,
    client_delay: Distribution,
    /// Whether a message to a node that is down comes back.
    pub(crate) refuses: bool,
    client_legs: Vec<ClientLeg>,
}

/// A message as the network sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet {
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    pub(crate) kind: u8,
    pub(crate) size: u64,
    pub(crate) id: CausalId,
}

impl NetworkState {
    pub(crate) fn new(config: &Config) -> Self {
        let mut network = Self {
            nodes: usize::from(config.cluster.nodes),
            links: Vec::new(),
            link_of: Vec::new(),
            cuts: Vec::new(),
            active: Vec::new(),
            last_arrival: Vec::new(),
            free_at: Vec::new(),
            slowness: Slowness::new(),
            delayed: Vec::new(),
            most_delayed: 64,
            client_delay: config.network.client_delay.clone(),
            refuses: false,
            client_legs: Vec::new(),
        };
        network.configure(&config.network);
        network
    }

    /// Whether the sizes of messages matter.
    #[inline]
    pub(crate) const fn weighs(&self) -> bool {
        !self.free_at.is_empty()
    }

    /// Takes new settings; faults that are on stay on.
    pub(crate) fn configure(&mut self, settings: &Settings) {
        self.client_delay = settings.client_delay.clone();
        self.refuses = settings.refuse;
        self.client_legs.clone_from(&settings.client_legs);
        self.links = vec![settings.default.clone()];
        self.links.extend(settings.links.iter().map(|over| over.link.clone()));
        let pairs = self.nodes * self.nodes;
        self.link_of.clear();
        if !settings.links.is_empty() {
            self.link_of.resize(pairs, 0);
        }
        for (link, over) in (1..).zip(&settings.links) {
            for (from, to) in self.pairs_of(over.from, over.to) {
                self.link_of[from * self.nodes + to] = link;
            }
        }
        if self.links.iter().any(|link| link.order == LinkOrder::Fifo) {
            self.last_arrival.resize(pairs, Time::ZERO);
        }
        if self.links.iter().any(|link| link.bandwidth.is_some()) {
            self.free_at.resize(pairs, Time::ZERO);
        }
    }

    fn pairs_of(&self, from: Option<NodeId>, to: Option<NodeId>) -> Vec<(usize, usize)> {
        let ends = |end: Option<NodeId>| end.map_or(0..self.nodes, |n| n.index()..n.index() + 1);
        ends(from).flat_map(|from| ends(to).map(move |to| (from, to))).collect()
    }

    #[inline]
    fn link(&self, pair: usize) -> &Link {
        match self.link_of.get(pair) {
            None => &self.links[0],
            Some(link) => &self.links[usize::from(*link)],
        }
    }

    /// Decides what becomes of a message handed to the network at `now`.
    #[inline]
    pub(crate) fn decide(&mut self, packet: Packet, now: Time, draws: &Draws) -> Fate {
        let pair = packet.from.index() * self.nodes + packet.to.index();
        // The fast path: no fault is on.
        if !self.active.is_empty() {
            return self.decide_among_faults(pair, packet, now, draws);
        }
        let link = self.link(pair);
        if draws.happens(Purpose::Loss, packet.id, 0, link.loss) {
            return Fate::Lost;
        }
        let takes = takes(link, packet, draws);
        at_once(link, now, takes).unwrap_or_else(|| self.in_turn(pair, packet, now, takes))
    }

    /// As [`Self::decide`], while faults are on.
    #[cold]
    fn decide_among_faults(
        &mut self,
        pair: usize,
        packet: Packet,
        now: Time,
        draws: &Draws,
    ) -> Fate {
        let (slower, held) = match self.hindrance(pair, packet, draws) {
            Hindrance::None { slower, held } => (slower, held),
            Hindrance::Blocked => return Fate::Blocked,
        };
        if draws.happens(Purpose::Loss, packet.id, 0, self.link(pair).loss) {
            return Fate::Lost;
        }
        if let Some(fault) = held {
            self.slowness = slower;
            return Fate::Held { fault };
        }
        self.depart(packet, slower, now, draws)
    }

    /// By how much faults slow the message that was just found to be held.
    pub(crate) fn take_slowness(&mut self) -> Slowness {
        std::mem::take(&mut self.slowness)
    }

    /// Sends a message on its way that nothing stops; `slower` says by how much faults slow it.
    #[cold]
    pub(crate) fn depart(
        &mut self,
        packet: Packet,
        mut slower: Slowness,
        now: Time,
        draws: &Draws,
    ) -> Fate {
        // While it was held, faults may have ended.
        slower.retain(|(fault, _)| self.active.iter().any(|(index, ..)| index == fault));
        let pair = packet.from.index() * self.nodes + packet.to.index();
        let link = self.link(pair);
        let takes = takes(link, packet, draws);
        if slower.is_empty() {
            return at_once(link, now, takes)
                .unwrap_or_else(|| self.in_turn(pair, packet, now, takes));
        }
        let at = self.delay(pair, packet.size, (now, takes.0), slower.clone());
        let copy = takes.1.map(|takes| self.delay(pair, packet.size, (now, takes), slower));
        Fate::Slowed { at, copy }
    }

    /// When a slowed message arrives.
    fn delay(
        &mut self,
        pair: usize,
        size: u64,
        (now, takes): (Time, Span),
        slower: Slowness,
    ) -> Time {
        if self.delayed.len() >= self.most_delayed {
            self.delayed.retain(|message| message.at >= now);
            self.most_delayed = 64.max(2 * self.delayed.len());
        }
        let Link { order, bandwidth, .. } = *self.link(pair);
        let unslowed = self.leaves(pair, bandwidth, size, now) + takes;
        let after = (order == LinkOrder::Fifo).then(|| self.last_arrival[pair]);
        let mut message = Delayed { pair, unslowed, after, slower, at: unslowed, event: None };
        message.at = message.arrives();
        if after.is_some() {
            self.last_arrival[pair] = message.at;
        }
        let at = message.at;
        self.delayed.push(message);
        at
    }

    /// Notes the events of the arrival of the message that was just slowed, and of its copy.
    pub(crate) fn arrives_by(&mut self, event: Handle, copy: Option<Handle>) {
        let events = [Some(event), copy];
        let messages = self.delayed.iter_mut().rev();
        for (message, event) in messages.zip(events.into_iter().flatten().rev()) {
            message.event = Some(event);
        }
    }

    /// The fault of this index is over and slows nothing any more. For each message that arrives
    /// sooner for it, in the order of sending, calls `again` with the event of its arrival and its
    /// new time; `again` returns the event that replaces it.
    pub(crate) fn let_go(
        &mut self,
        index: u32,
        now: Time,
        mut again: impl FnMut(Handle, Time) -> Option<Handle>,
    ) {
        let mut last: BTreeMap<usize, Time> = BTreeMap::new();
        self.delayed.retain(|message| message.at > now);
        for message in &mut self.delayed {
            message.slower.retain(|(fault, _)| *fault != index);
            if let (Some(after), Some(before)) = (&mut message.after, last.get(&message.pair)) {
                *after = *before;
            }
            let at = message.arrives().max(now);
            if message.after.is_some() {
                last.insert(message.pair, at);
            }
            if let Some(event) = message.event
                && at < message.at
            {
                message.at = at;
                message.event = again(event, at);
            }
        }
        // A fault slows all messages of its links, so these are the last that were sent over each
        // link.
        for (pair, at) in last {
            self.last_arrival[pair] = at;
        }
        self.delayed.retain(|message| !message.slower.is_empty());
    }

    /// When a message and its copy arrive over a link with an order or a bandwidth.
    fn in_turn(&mut self, pair: usize, packet: Packet, now: Time, takes: Takes) -> Fate {
        let link = self.link(pair);
        let of_link = (link.order, link.bandwidth);
        let at = self.queue_up(pair, of_link, packet.size, now, takes.0);
        let copy = takes.1.map(|takes| self.queue_up(pair, of_link, packet.size, now, takes));
        Fate::Arrives { at, copy }
    }

    /// When a message arrives over a link with an order or a bandwidth.
    fn queue_up(
        &mut self,
        pair: usize,
        (order, bandwidth): (LinkOrder, Option<u64>),
        size: u64,
        now: Time,
        takes: Span,
    ) -> Time {
        let mut at = self.leaves(pair, bandwidth, size, now) + takes;
        if order == LinkOrder::Fifo {
            at = in_order(at, self.last_arrival[pair]);
            self.last_arrival[pair] = at;
        }
        at
    }

    /// When a message has left its sender, behind all others that share the link's bandwidth.
    fn leaves(&mut self, pair: usize, bandwidth: Option<u64>, size: u64, now: Time) -> Time {
        let Some(bandwidth) = bandwidth else { return now };
        let transmission = u128::from(size) * 1_000_000_000 / u128::from(bandwidth);
        let transmission = u64::try_from(transmission).unwrap_or(u64::MAX);
        let leaves = self.free_at[pair].max(now).later(Span::from_nanos(transmission));
        self.free_at[pair] = leaves;
        leaves
    }

    /// What the faults that are on do to a message.
    fn hindrance(&self, pair: usize, packet: Packet, draws: &Draws) -> Hindrance {
        if self.cuts.get(pair).is_some_and(|cuts| *cuts > 0) {
            return Hindrance::Blocked;
        }
        let mut slower = Slowness::new();
        let mut held = None;
        for (index, fault, active) in &self.active {
            // Keyed by message and fault: neither shifts the draws of others.
            let id = packet.id.child(Cause::Fault, fault.get(), 0);
            match active {
                NetworkFault::Cut { .. } => {}
                NetworkFault::Clog(ends) => {
                    if held.is_none() && ends.cover(packet.from, packet.to) {
                        held = Some(*index);
                    }
                }
                NetworkFault::Slow(ends, by) => {
                    if ends.cover(packet.from, packet.to) {
                        let more = by.sample(|i| draws.draw(Purpose::FaultDelay, id, i));
                        slower.push((*index, more));
                    }
                }
                NetworkFault::Drop(ends, kind, probability) => {
                    let meant = kind.is_none_or(|kind| kind == packet.kind);
                    if meant
                        && ends.cover(packet.from, packet.to)
                        && draws.happens(Purpose::FaultLoss, id, 0, *probability)
                    {
                        return Hindrance::Blocked;
                    }
                }
            }
        }
        Hindrance::None { slower, held }
    }

    /// Puts a fault on the network.
    pub(crate) fn start(&mut self, index: u32, id: CausalId, fault: NetworkFault) {
        if let NetworkFault::Cut { pairs, .. } = &fault {
            self.cuts.resize(self.nodes * self.nodes, 0);
            for (from, to) in pairs {
                self.cuts[from.index() * self.nodes + to.index()] += 1;
            }
        }
        self.active.push((index, id, fault));
    }

    /// Takes a fault off the network; whether it was on.
    pub(crate) fn end(&mut self, index: u32) -> bool {
        let Some(at) = self.active.iter().position(|(fault, ..)| *fault == index) else {
            return false;
        };
        let (_, _, fault) = self.active.remove(at);
        if let NetworkFault::Cut { pairs, .. } = &fault {
            for (from, to) in pairs {
                self.cuts[from.index() * self.nodes + to.index()] -= 1;
            }
        }
        true
    }

    /// The faults that are on, by index.
    pub(crate) fn active(&self) -> Vec<u32> {
        self.active.iter().map(|(index, ..)| *index).collect()
    }

    /// The first clog that holds back messages of this link.
    pub(crate) fn clog_on(&self, from: NodeId, to: NodeId) -> Option<u32> {
        let clogs = |fault: &NetworkFault| match fault {
            NetworkFault::Clog(ends) => ends.cover(from, to),
            NetworkFault::Cut { .. } | NetworkFault::Slow(..) | NetworkFault::Drop(..) => false,
        };
        self.active.iter().find(|(_, _, fault)| clogs(fault)).map(|(index, ..)| *index)
    }

    /// The first fault that may have stopped a message of this kind.
    #[cold]
    pub(crate) fn blocker(&self, from: NodeId, to: NodeId, kind: u8) -> Option<u32> {
        let stops = |fault: &NetworkFault| match fault {
            NetworkFault::Cut { pairs, .. } => pairs.contains(&(from, to)),
            NetworkFault::Drop(ends, meant, _) => {
                meant.is_none_or(|meant| meant == kind) && ends.cover(from, to)
            }
            NetworkFault::Clog(_) | NetworkFault::Slow(..) => false,
        };
        self.active.iter().find(|(_, _, fault)| stops(fault)).map(|(index, ..)| *index)
    }

    /// The nodes to which messages of `from` are blocked.
    pub(crate) fn blocked_from(&self, from: NodeId) -> Vec<NodeId> {
        if self.cuts.is_empty() {
            return Vec::new();
        }
        let row = &self.cuts[from.index() * self.nodes..][..self.nodes];
        let blocked = |(to, cuts): (usize, &u16)| (*cuts > 0).then(|| NodeId::from_index(to));
        row.iter().enumerate().filter_map(blocked).collect()
    }

    /// Whether a client and a node reach each other.
    #[inline]
    pub(crate) fn client_reaches(&self, client: ClientId, node: NodeId) -> bool {
        self.active.iter().all(|(_, _, fault)| match fault {
            NetworkFault::Cut { clients, .. } => {
                clients.iter().all(|(confined, reach)| *confined != client || reach.contains(node))
            }
            NetworkFault::Clog(_) | NetworkFault::Slow(..) | NetworkFault::Drop(..) => true,
        })
    }

    /// How long a message takes between a client and a node. Keyed by the attempt alone, so that
    /// two protocols are compared under the same client legs.
    #[inline]
    pub(crate) fn client_takes(
        &self,
        client: ClientId,
        node: NodeId,
        attempt: CausalId,
        leg: ClientWay,
        draws: &Draws,
    ) -> Span {
        let draw = |i| draws.draw(Purpose::ClientDelay, attempt, 2 * leg as u32 + i);
        self.client_leg(client, node).sample(draw)
    }

    /// The latency between a client and a node.
    pub(crate) fn client_leg(&self, client: ClientId, node: NodeId) -> &Distribution {
        let meant = |leg: &&ClientLeg| {
            leg.client.is_none_or(|meant| meant == client)
                && leg.node.is_none_or(|meant| meant == node)
        };
        let special = self.client_legs.iter().rev().find(meant);
        special.map_or(&self.client_delay, |leg| &leg.delay)
    }
}

/// What faults do to a message.
enum Hindrance {
    /// None stops it for good: by how much they slow it, and which one holds it back.
    None {
        slower: Slowness,
        held: Option<u32>,
    },
    Blocked,
}

/// One way between a client and a node.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ClientWay {
    There = 0,
    Back = 1,
}

impl Delayed {
    /// When it arrives, with all that slows it, and behind the message before it.
    fn arrives(&self) -> Time {
        let slower = self.slower.iter().fold(Span::ZERO, |sum, (_, more)| {
            // The longest length is for ever.
            (sum + *more).min(Span::MAX)
        });
        let at = self.unslowed + slower;
        self.after.map_or(at, |after| in_order(at, after))
    }
}

/// How long a message takes over its link, and its copy, if it has one.
type Takes = (Span, Option<Span>);

#[inline(always)]
fn takes(link: &Link, packet: Packet, draws: &Draws) -> Takes {
    let takes = link.delay.sample(|i| draws.draw(Purpose::Delay, packet.id, i));
    let duplicated = draws.happens(Purpose::Duplication, packet.id, 0, link.duplication);
    let copy_takes =
        duplicated.then(|| link.delay.sample(|i| draws.draw(Purpose::Delay, packet.id, 2 + i)));
    (takes, copy_takes)
}

/// When a message and its copy arrive over a link without order and bandwidth; `None` of another
/// link.
#[inline(always)]
fn at_once(link: &Link, now: Time, (takes, copy_takes): Takes) -> Option<Fate> {
    let is_free = link.order == LinkOrder::Reordering && link.bandwidth.is_none();
    is_free.then(|| Fate::Arrives { at: now + takes, copy: copy_takes.map(|takes| now + takes) })
}

/// Strictly after the message before it, so that random ties cannot reorder the two.
fn in_order(at: Time, last: Time) -> Time {
    at.max(last + Span::from_nanos(1))
}

#[cfg(test)]
mod tests;
