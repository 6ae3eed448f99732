//! Events, and the kernel: what every part of a simulation uses to schedule, draw, count and write down.

use std::hash::Hash;

use crate::config::EventOrder;
use crate::digest::{Digest, DigestValue};
use crate::history::History;
use crate::id::{ClientId, NodeId};
use crate::metrics::MessageCounts;
use crate::names::Names;
use crate::operation::Operation;
use crate::property::{Befallen, Hazard, Incidents};
use crate::protocol::{DiskError, Message, Protocol, Reply, RequestId, Ticket};
use crate::rng::{CausalId, Draws, Purpose};
use crate::time::{Span, Time};

use super::queue::{EventQueue, Handle};
use super::record::Stopped;
use super::trace::Trace;

/// Something that happens at an instant.
pub struct Event<P: Protocol> {
    /// Its identity by what caused it.
    pub(crate) id: CausalId,
    /// What happens.
    pub(crate) what: What<P>,
}

/// What happens.
// A tag of a whole word: taken apart behind one of a byte, an event is copied at odd addresses, in pieces that the
// next copy cannot be fed from.
#[repr(u64)]
pub(crate) enum What<P: Protocol> {
    /// A message reaches a node; `boot` says which boot of its sender it is of.
    Message { to: NodeId, from: NodeId, boot: u32, message: P::Message },
    /// A message to `to` comes back to the boot of its sender that sent it.
    Refused { to: NodeId, from: NodeId, boot: u32, message: P::Message },
    /// A client's request reaches a node.
    Request { node: NodeId, client: ClientId, request: RequestId, operation: Operation },
    /// An answer reaches a client.
    Answer { client: ClientId, node: NodeId, request: RequestId, reply: Reply },
    /// A timer of the node's boot number `boot` runs out.
    Timer { node: NodeId, boot: u32, generation: u32, timer: P::Timer },
    /// A disk finishes an operation that the node's boot number `boot` asked for.
    Disk { node: NodeId, boot: u32, ticket: Ticket, result: Result<(), DiskError> },
    /// A client invokes its next operation, due at an instant.
    Invoke { client: ClientId, due_at: Time },
    /// Operations of an open loop arrive.
    Arrival { index: u64 },
    /// A client looks whether its attempt has taken too long.
    Alarm { client: ClientId },
    /// A client tries its operation again.
    Retry { client: ClientId, request: RequestId },
    /// A fault starts, or ends.
    Fault { index: u32, starts: bool },
    /// Settings change.
    Change { index: u32 },
    /// The fault phase ends: everything heals.
    Heal,
    /// Has the cluster settled?
    SettleCheck,
}

/// Actors that are no node, in the digest.
const NOBODY: u32 = u32::MAX;
const CLIENT: u32 = 1 << 31;

impl<P: Protocol> What<P> {
    /// The node whose process the event reaches, and of which boot where it is meant for one alone.
    pub(crate) const fn process(&self) -> Option<(NodeId, Option<u32>)> {
        match self {
            Self::Message { to, .. } => Some((*to, None)),
            Self::Request { node, .. } => Some((*node, None)),
            Self::Refused { from: node, boot, .. }
            | Self::Timer { node, boot, .. }
            | Self::Disk { node, boot, .. } => Some((*node, Some(*boot))),
            Self::Answer { .. }
            | Self::Invoke { .. }
            | Self::Arrival { .. }
            | Self::Alarm { .. }
            | Self::Retry { .. }
            | Self::Fault { .. }
            | Self::Change { .. }
            | Self::Heal
            | Self::SettleCheck => None,
        }
    }

    /// Feeds (time, actor, kind, content) to the digest.
    #[inline]
    fn feed(&self, at: Time, digest: &mut Digest) {
        let mut head = |actor: u32, kind: u8| {
            digest.write_pair(at.nanos(), u64::from(actor) << 8 | u64::from(kind));
        };
        match self {
            // Both in one, so that there is one place to put the message's hash, and no call.
            Self::Message { to, from, message, .. } | Self::Refused { to, from, message, .. } => {
                let kind = if matches!(self, Self::Refused { .. }) { 14 } else { 1 };
                head(u32::from(to.0) << 16 | u32::from(from.0), kind);
                message.hash(digest);
            }
            Self::Request { node, client, request, operation } => {
                head(node.0.into(), 2);
                (client, request, operation).hash(digest);
            }
            Self::Answer { client, node, request, reply } => {
                head(client.0 | CLIENT, 3);
                (node, request, reply).hash(digest);
            }
            Self::Timer { node, boot, generation, timer } => {
                head(node.0.into(), 4);
                (boot, generation, timer).hash(digest);
            }
            Self::Disk { node, boot, ticket, result } => {
                head(node.0.into(), 5);
                (boot, ticket).hash(digest);
                if let Err(error) = result {
                    error.hash(digest);
                }
            }
            Self::Invoke { client, due_at } => {
                head(client.0 | CLIENT, 6);
                due_at.hash(digest);
            }
            Self::Arrival { index } => {
                head(NOBODY, 7);
                index.hash(digest);
            }
            Self::Alarm { client } => head(client.0 | CLIENT, 8),
            Self::Retry { client, request } => {
                head(client.0 | CLIENT, 9);
                request.hash(digest);
            }
            Self::Fault { index, starts } => {
                head(NOBODY, 10);
                (index, starts).hash(digest);
            }
            Self::Change { index } => {
                head(NOBODY, 11);
                index.hash(digest);
            }
            Self::Heal => head(NOBODY, 12),
            Self::SettleCheck => head(NOBODY, 13),
        }
    }
}

/// What every part of a simulation uses to schedule, draw, count and write down.
pub(crate) struct Kernel<P: Protocol, Q> {
    /// The instant being played.
    pub(crate) now: Time,
    /// The draws of the run's seed.
    pub(crate) draws: Draws,
    /// What clients asked and were told.
    pub(crate) history: History,
    /// Messages by fate.
    pub(crate) counts: MessageCounts,
    /// Messages between nodes that are on their way and mean something besides "I am here".
    pub(crate) in_flight: u64,
    /// What befell whom that may void a promise.
    pub(crate) incidents: Incidents,
    /// A line an event, if asked for.
    pub(crate) trace: Trace,
    /// Messages that were stopped, if asked for.
    pub(crate) stopped: Option<Stopped>,
    /// Events played.
    pub(crate) events: u64,
    /// How many of them at `now`.
    events_now: u64,
    digest: Digest,
    queue: Q,
    sequence: u64,
    ties: EventOrder,
    _protocol: std::marker::PhantomData<fn() -> P>,
}

impl<P: Protocol, Q: EventQueue<Event<P>>> Kernel<P, Q> {
    pub(crate) fn new(seed: u64, ties: EventOrder, operations: usize, trace: Trace) -> Self {
        Self {
            now: Time::ZERO,
            draws: Draws::new(seed),
            history: History::with_capacity(operations),
            counts: MessageCounts::default(),
            in_flight: 0,
            incidents: Incidents::NONE,
            trace,
            stopped: None,
            events: 0,
            events_now: 0,
            digest: Digest::new(),
            queue: Q::new(),
            sequence: 0,
            ties,
            _protocol: std::marker::PhantomData,
        }
    }

    /// Schedules an event. Events of one instant are played in the order in which they were scheduled, or in a
    /// random one drawn from their identities where the scenario asks for that.
    #[inline]
    pub(crate) fn schedule(&mut self, at: Time, id: CausalId, what: What<P>) {
        let order = self.order(id);
        self.queue.push(at, order, Event { id, what });
    }

    /// Schedules an event that may be taken back; by what it is known then.
    pub(crate) fn schedule_revocable(&mut self, at: Time, id: CausalId, what: What<P>) -> Handle {
        let order = self.order(id);
        self.queue.push_revocable(at, order, Event { id, what })
    }

    /// Takes an event back that has not come; nothing when it has.
    pub(crate) fn revoke(&mut self, handle: Handle) -> Option<Event<P>> {
        self.queue.revoke(handle)
    }

    /// The place of the next event to be scheduled among those of its instant.
    #[inline]
    fn order(&mut self, id: CausalId) -> u64 {
        let sequence = self.sequence;
        self.sequence += 1;
        match self.ties {
            EventOrder::Causal => sequence,
            // Forty bits in all: sixteen of chance before the last twenty-four of the sequence.
            EventOrder::Random => {
                self.draws.draw(Purpose::Tie, id, 0) >> 48 << 24 | sequence & 0xff_ffff
            }
        }
    }

    /// Keeps the first `orders` orders of every instant for [`Self::schedule_first`]. Before anything is scheduled.
    pub(crate) fn reserve_orders(&mut self, orders: u64) {
        debug_assert_eq!(self.sequence, 0, "orders are reserved first");
        self.sequence = orders;
    }

    /// Schedules an event before all that is pending at its instant, but for those of a lower reserved order.
    pub(crate) fn schedule_first(&mut self, at: Time, order: u32, id: CausalId, what: What<P>) {
        self.queue.push(at, order.into(), Event { id, what });
    }

    #[inline]
    pub(crate) fn schedule_after(&mut self, after: Span, id: CausalId, what: What<P>) {
        self.schedule(self.now + after, id, what);
    }

    /// The next event's time; `None` when nothing will ever happen again.
    #[inline]
    pub(crate) fn next_time(&mut self) -> Option<Time> {
        self.queue.next_time()
    }

    /// The next event and its time, left where it is.
    pub(crate) fn peek(&mut self) -> Option<(Time, &Event<P>)> {
        self.queue.peek()
    }

    /// Takes the next event and moves the clock to it. The digest is due before it is played.
    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<Event<P>> {
        let (time, event) = self.queue.pop()?;
        if time > self.now {
            self.now = time;
            self.events_now = 0;
        }
        self.events += 1;
        self.events_now += 1;
        Some(event)
    }

    /// Digests the event just taken.
    // Not part of `pop`, so that the event need not move once more behind it.
    #[inline]
    pub(crate) fn feed(&mut self, event: &Event<P>) {
        event.what.feed(self.now, &mut self.digest);
    }

    /// How many events the present instant has had.
    pub(crate) const fn events_now(&self) -> u64 {
        self.events_now
    }

    /// The event that caused each one played, where the queue keeps that.
    pub(crate) fn parents(&mut self) -> Vec<Option<usize>> {
        self.queue.parents()
    }

    pub(crate) const fn queue(&mut self) -> &mut Q {
        &mut self.queue
    }

    /// Whether there was no room for an event: the run cannot go on.
    #[inline]
    pub(crate) fn is_overfull(&self) -> bool {
        self.queue.is_overfull()
    }

    pub(crate) fn pending_events(&self) -> usize {
        self.queue.len()
    }

    /// Looks at every pending event, in no order.
    pub(crate) fn each_pending(&self, look: &mut dyn FnMut(&Event<P>)) {
        self.queue.each(look);
    }

    pub(crate) fn digest(&self) -> DigestValue {
        self.digest.value()
    }

    /// Notes that a hazard befell a node.
    pub(crate) fn befalls(&mut self, node: NodeId, hazard: Hazard) {
        self.incidents.note(hazard, Befallen::Node(node), self.now);
    }

    /// Notes that a message between nodes will not arrive.
    pub(crate) fn lose(&mut self, (from, to): (NodeId, NodeId), blocked: bool) {
        if blocked {
            self.counts.blocked += 1;
        } else {
            self.counts.lost += 1;
        }
        self.incidents.note_lost_message(from, to, self.now);
    }
}

/// The event in words: who it happens to, its kind, its content.
pub(crate) fn describe<P: Protocol>(
    what: &What<P>,
    names: &Names,
) -> (String, &'static str, String) {
    match what {
        What::Message { to, from, message, .. } => {
            let kind = P::Message::KINDS[usize::from(message.kind())];
            (to.to_string(), "deliver", format!("{kind} from {from}: {}", message.describe(names)))
        }
        What::Refused { to, from, message, .. } => {
            let kind = P::Message::KINDS[usize::from(message.kind())];
            (from.to_string(), "refused", format!("{kind} to {to}: {}", message.describe(names)))
        }
        What::Request { node, client, request, operation } => {
            let text = operation.describe(names);
            let attempt = request.attempt + 1;
            (
                node.to_string(),
                "request",
                format!("{} asks {text} (attempt {attempt})", names.client(*client)),
            )
        }
        What::Answer { client, node, reply, .. } => (
            names.client(*client).to_owned(),
            "answer",
            format!("from {node}: {}", reply.describe(names)),
        ),
        What::Timer { node, timer, .. } => (node.to_string(), "timer", format!("{timer:?}")),
        What::Disk { node, ticket, result, .. } => {
            let error = result.err().map_or_else(String::new, |error| format!(": {error}"));
            (node.to_string(), "persisted", format!("ticket {}{error}", ticket.0))
        }
        What::Invoke { client, due_at } => {
            (names.client(*client).to_owned(), "invoke", format!("due at {due_at}"))
        }
        What::Arrival { index } => ("workload".into(), "arrival", format!("number {}", index + 1)),
        What::Alarm { client } => (names.client(*client).to_owned(), "alarm", String::new()),
        What::Retry { client, request } => {
            (names.client(*client).to_owned(), "retry", format!("attempt {}", request.attempt + 1))
        }
        What::Fault { index, starts } => {
            let verb = if *starts { "starts" } else { "ends" };
            ("nemesis".into(), "fault", format!("{} {verb}", names.faults[*index as usize]))
        }
        What::Change { index } => ("nemesis".into(), "change", format!("number {}", index + 1)),
        What::Heal => ("nemesis".into(), "heal", "the fault phase ends".into()),
        What::SettleCheck => ("nemesis".into(), "settled?", String::new()),
    }
}
