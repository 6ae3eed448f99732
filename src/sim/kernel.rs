//! The kernel: what every part of a simulation uses to schedule, draw, count and write down.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::config::{Config, EventOrder, Workload};
use crate::digest::{Digest, DigestValue};
use crate::history::History;
use crate::id::NodeId;
use crate::metrics::{MessageCounts, Settlement, Standstill};
use crate::names::Names;
use crate::operation::Batches;
use crate::property::{Befallen, Hazard, Incidents};
use crate::protocol::Protocol;
use crate::rng::{CausalId, Draws, Purpose};
use crate::time::{Span, Time};

use super::event::{Event, Queue, What};
use super::kinds::KindTally;
use super::notes::RunNotes;
use super::queue::{Handle, MOST_PENDING};

/// The events at one instant that any scenario may have; see [`events_an_instant`].
const EVENTS_AN_INSTANT: u64 = 500_000;
/// The most operations for which the history makes room before the run: growing beyond costs
/// nothing.
const MOST_EXPECTED: u64 = 4_000_000;

/// What every part of a simulation uses to schedule, draw, count and write down.
pub(crate) struct Kernel<P: Protocol, Q> {
    /// The instant being played.
    pub(crate) now: Time,
    /// The draws of the run's seed.
    pub(crate) draws: Draws,
    /// What clients invoked, and the answers.
    pub(crate) history: History,
    /// The parts of the batches that clients asked for.
    pub(crate) batches: Batches,
    /// Messages by fate. Of those sent and delivered it counts the clients' alone.
    pub(crate) counts: MessageCounts,
    /// Messages sent and delivered between nodes.
    pub(crate) kinds: KindTally,
    /// Messages between nodes that are on their way, heartbeats left out.
    pub(crate) in_flight: u64,
    /// The incidents, which may void promises.
    pub(crate) incidents: Incidents,
    /// What is noted besides the outcome.
    pub(crate) notes: RunNotes,
    /// Events played.
    pub(crate) events: u64,
    /// How many of them at `now`.
    events_now: u64,
    /// More events than this at one instant are a loop without progress.
    events_an_instant: u64,
    digest: Digest,
    queue: Q,
    sequence: u64,
    ties: EventOrder,
    _protocol: PhantomData<fn() -> P>,
}

impl<P: Protocol, Q: Queue<P>> Kernel<P, Q> {
    pub(crate) fn new(config: &Config, names: &Arc<Names>, seed: u64, notes: RunNotes) -> Self {
        let generated = config.workload.as_ref().and_then(|workload| workload.operations);
        let operations = generated.unwrap_or(0).min(MOST_EXPECTED) as usize + config.script.len();
        Self {
            now: Time::ZERO,
            draws: Draws::new(seed),
            history: History::with_capacity(operations, Arc::clone(names)),
            batches: names.batches.clone(),
            counts: MessageCounts::default(),
            kinds: KindTally::new(),
            in_flight: 0,
            incidents: Incidents::NONE,
            notes,
            events: 0,
            events_now: 0,
            events_an_instant: events_an_instant(config),
            digest: Digest::new(),
            queue: Q::new(),
            sequence: 0,
            ties: config.ties,
            _protocol: PhantomData,
        }
    }

    /// Schedules an event. Events of one instant are played in the order in which they were
    /// scheduled, or in a random one drawn from their identities where the scenario asks for that.
    #[inline]
    pub(crate) fn schedule(&mut self, at: Time, id: CausalId, what: What<P>) {
        let order = self.order(id);
        self.queue.push(at, order, Event { id, what });
    }

    /// Schedules an event that may be taken back; the handle to do so.
    pub(crate) fn schedule_revocable(&mut self, at: Time, id: CausalId, what: What<P>) -> Handle {
        let order = self.order(id);
        self.queue.push_revocable(at, order, Event { id, what })
    }

    /// Takes back an event that has not come; `None` when it has.
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
            // Forty bits: sixteen drawn, then the last twenty-four of the sequence.
            EventOrder::Random => {
                self.draws.draw(Purpose::Tie, id, 0) >> 48 << 24 | sequence & 0xff_ffff
            }
        }
    }

    /// Keeps the first `orders` orders of every instant for [`Self::schedule_first`].
    ///
    /// # Panics
    ///
    /// When something has been scheduled already.
    pub(crate) fn reserve_orders(&mut self, orders: u64) {
        assert_eq!(self.sequence, 0, "orders are reserved first");
        self.sequence = orders;
    }

    /// Schedules an event before all that is pending at its instant, but for those of a lower
    /// reserved order.
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
    // Apart from `pop`, so that the event is not moved once more.
    #[inline]
    pub(crate) fn feed(&mut self, event: &Event<P>) {
        event.what.feed(self.now, &mut self.digest);
    }

    /// Whether the run cannot go on: the present instant does not end, or the queue is full.
    #[inline]
    pub(crate) fn is_stuck(&self) -> bool {
        self.events_now > self.events_an_instant || self.queue.is_overfull()
    }

    /// Why the run cannot go on.
    #[cold]
    pub(crate) fn standstill(&self) -> Settlement {
        let why = if self.queue.is_overfull() {
            Standstill::Crowd { pending: MOST_PENDING as u64 }
        } else {
            Standstill::Loop { events: self.events_now }
        };
        Settlement::Stuck { at: self.now, why }
    }

    pub(crate) const fn queue(&mut self) -> &mut Q {
        &mut self.queue
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

    /// Counts a message between nodes that a fault stopped, and notes that it will not arrive.
    pub(crate) fn block(&mut self, from: NodeId, to: NodeId) {
        self.counts.blocked += 1;
        self.incidents.note_lost_message(from, to, self.now);
    }

    /// Counts a message between nodes that was lost, and notes that it will not arrive.
    pub(crate) fn lose(&mut self, from: NodeId, to: NodeId) {
        self.counts.lost += 1;
        self.incidents.note_lost_message(from, to, self.now);
    }

    /// Writes a line of the trace at the present instant, if there is one; `content` is not asked
    /// otherwise.
    #[inline]
    pub(crate) fn trace(
        &mut self,
        who: impl fmt::Display,
        what: &str,
        content: impl FnOnce() -> String,
    ) {
        if self.notes.on && self.notes.trace.wanted() {
            self.notes.trace.line(self.now, &who.to_string(), what, &content());
        }
    }
}

/// How many events an instant may have before they count as a loop without progress: what any
/// scenario may have, and what the clients of this one can set off if all they may ever ask falls
/// on one instant. A closed loop without a limit may ask once a client.
fn events_an_instant(config: &Config) -> u64 {
    let asked =
        |workload: &Workload| workload.operations.unwrap_or_else(|| workload.clients.into());
    let operations = config.workload.as_ref().map_or(0, asked) + config.script.len() as u64;
    EVENTS_AN_INSTANT + operations * 8 * u64::from(config.cluster.nodes)
}
