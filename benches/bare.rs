//! The bare loop: the replicated write with nothing around it, the yardstick for the simulator's
//! own run.
//!
//! One leader, `followers` followers, ten closed-loop clients. A write travels from its client to
//! the leader, from there to every follower and back, and is answered when followers / 2 + 1 of
//! them have acknowledged; the client starts its next one at once. Each of these 2 x followers + 2
//! messages takes a delay of its own, uniform on (0, 1000] ms. Each node keeps the last value of a
//! key by (stamp, client). No faults, no checks, no digest.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

use splitbrain::sim::queue::{EventQueue, Handle};
use splitbrain::time::{Span, Time};

const CLIENTS: u32 = 10;
const KEYS: u64 = 10;
const SECOND: u64 = 1_000_000_000;

/// What a run did, to be the same through every queue and near the closed form in every model.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Outcome {
    /// Messages delivered.
    pub(crate) messages: u64,
    /// From invocation to completion, averaged over all writes.
    pub(crate) mean_latency_ms: f64,
}

/// Messages on their way.
#[derive(Clone, Copy)]
pub(crate) enum Event {
    /// A client asks the leader for a write.
    Request { client: u32, key: u32, value: u64 },
    /// The leader hands entry `index` to a follower.
    Replicate { follower: u32, index: u64, key: u32, client: u32, stamp: Time, value: u64 },
    /// A follower has entry `index`.
    Acknowledge { index: u64 },
    /// The leader tells a client that its write is done.
    Reply { client: u32 },
}

/// The standard library's heap, of whole events.
pub(crate) struct StdHeap<T> {
    heap: BinaryHeap<Entry<T>>,
}

struct Entry<T> {
    time: Time,
    order: u64,
    item: T,
}

impl<T> Ord for Entry<T> {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap gives the greatest first.
        (other.time, other.order).cmp(&(self.time, self.order))
    }
}

impl<T> PartialOrd for Entry<T> {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Entry<T> {}

impl<T> EventQueue<T> for StdHeap<T> {
    fn new() -> Self {
        Self { heap: BinaryHeap::new() }
    }

    #[inline]
    fn push(&mut self, time: Time, order: u64, item: T) {
        self.heap.push(Entry { time, order, item });
    }

    fn push_revocable(&mut self, _: Time, _: u64, _: T) -> Handle {
        unreachable!("nothing is taken back in a bare loop")
    }

    fn revoke(&mut self, _: Handle) -> Option<T> {
        None
    }

    fn is_overfull(&self) -> bool {
        false
    }

    #[inline]
    fn pop(&mut self) -> Option<(Time, T)> {
        self.heap.pop().map(|entry| (entry.time, entry.item))
    }

    #[inline]
    fn next_time(&mut self) -> Option<Time> {
        self.heap.peek().map(|entry| entry.time)
    }

    fn peek(&mut self) -> Option<(Time, &T)> {
        self.heap.peek().map(|entry| (entry.time, &entry.item))
    }

    fn each(&self, look: &mut dyn FnMut(&T)) {
        self.heap.iter().for_each(|entry| look(&entry.item));
    }

    fn len(&self) -> usize {
        self.heap.len()
    }
}

/// The value of a key on a node, and what decides between two.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Versioned {
    stamp: Time,
    client: u32,
    value: u64,
}

impl Versioned {
    fn merge(&mut self, other: Self) {
        if (other.stamp, other.client) > (self.stamp, self.client) {
            *self = other;
        }
    }
}

/// An entry that not every follower has acknowledged yet.
struct Pending {
    client: u32,
    acknowledgements: u32,
}

struct Model<Q> {
    queue: Q,
    now: Time,
    order: u64,
    random: u64,
    quorum: u32,
    /// A store a node, the leader's first, one after the other.
    stores: Vec<Versioned>,
    followers: u32,
    /// Entries from `first_pending` on.
    log: VecDeque<Pending>,
    first_pending: u64,
    invoked: [Time; CLIENTS as usize],
    started: u64,
    writes: u64,
    latency: u128,
}

/// Runs `writes` writes to the end, late acknowledgements included.
pub(crate) fn run<Q: EventQueue<Event>>(followers: u32, writes: u64, seed: u64) -> Outcome {
    let nodes = followers as usize + 1;
    let mut model = Model {
        queue: Q::new(),
        now: Time::ZERO,
        order: 0,
        random: seed,
        quorum: followers / 2 + 1,
        stores: vec![Versioned::default(); nodes * KEYS as usize],
        followers,
        log: VecDeque::new(),
        first_pending: 0,
        invoked: [Time::ZERO; CLIENTS as usize],
        started: 0,
        writes,
        latency: 0,
    };
    for client in 0..CLIENTS {
        model.start(client);
    }
    let mut messages = 0;
    while let Some((time, event)) = model.queue.pop() {
        model.now = time;
        messages += 1;
        model.deliver(event);
    }
    assert!(model.log.is_empty(), "every entry is acknowledged by all");
    let mut stores = model.stores.chunks(KEYS as usize);
    let leader = stores.next();
    assert!(stores.all(|store| Some(store) == leader), "every node has the last writes");
    Outcome { messages, mean_latency_ms: model.latency as f64 / 1e6 / writes as f64 }
}

impl<Q: EventQueue<Event>> Model<Q> {
    /// splitmix64.
    #[inline]
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.random ^ self.random >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    #[inline]
    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.random()) * u128::from(bound)) >> 64) as u64
    }

    #[inline]
    fn send(&mut self, event: Event) {
        let delay = Span::from_nanos(1 + self.below(SECOND));
        self.queue.push(self.now + delay, self.order, event);
        self.order += 1;
    }

    #[inline]
    fn store(&mut self, node: u32, key: u32) -> &mut Versioned {
        &mut self.stores[node as usize * KEYS as usize + key as usize]
    }

    fn start(&mut self, client: u32) {
        if self.started == self.writes {
            return;
        }
        self.started += 1;
        self.invoked[client as usize] = self.now;
        let key = self.below(KEYS) as u32;
        self.send(Event::Request { client, key, value: self.started });
    }

    #[inline]
    fn deliver(&mut self, event: Event) {
        match event {
            Event::Request { client, key, value } => {
                let stamp = self.now;
                self.store(0, key).merge(Versioned { stamp, client, value });
                let index = self.first_pending + self.log.len() as u64;
                self.log.push_back(Pending { client, acknowledgements: 0 });
                for follower in 1..=self.followers {
                    self.send(Event::Replicate { follower, index, key, client, stamp, value });
                }
            }
            Event::Replicate { follower, index, key, client, stamp, value } => {
                self.store(follower, key).merge(Versioned { stamp, client, value });
                self.send(Event::Acknowledge { index });
            }
            Event::Acknowledge { index } => {
                let pending = &mut self.log[(index - self.first_pending) as usize];
                pending.acknowledgements += 1;
                if pending.acknowledgements == self.quorum {
                    let client = pending.client;
                    self.send(Event::Reply { client });
                }
                while self.log.front().is_some_and(|p| p.acknowledgements == self.followers) {
                    self.log.pop_front();
                    self.first_pending += 1;
                }
            }
            Event::Reply { client } => {
                let latency = self.now - self.invoked[client as usize];
                self.latency += u128::from(latency.nanos());
                self.start(client);
            }
        }
    }
}
