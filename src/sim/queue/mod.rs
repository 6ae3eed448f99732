//! The event queue: what happens next, by (time, order).
//!
//! Two implementations of one contract. [`HeapQueue`] is the plain one; [`CalendarQueue`] is the
//! fast one, whose cost hardly grows with the number of pending events. Both give exactly the same
//! order, so a run has the same digest through either.
//!
//! What is queued moves as a 128-bit key of (time: 64, order: 40, slot: 24 bits): one integer
//! comparison decides, and an event's payload is written once, into a slab, and read once. The slot
//! never decides anything, because (time, order) is unique.
//!
//! The calendar keeps the near future in unsorted buckets of time and sorts a bucket when its turn
//! comes, so an event costs one append and its share of one small sort. Where its guesses fail
//! (everything at one instant, densities that change by the billion), it degrades to a sort or to a
//! heap, never to anything quadratic:
//!
//! | an event falls | it goes to | at a cost of |
//! |---|---|---|
//! | in the bucket whose turn it is | its place in the sorted run, moving the shorter side | at most 512 keys moved |
//! | there, but further than that from both ends | a small heap beside the run | log n |
//! | within the calendar | the end of its bucket | 1 |
//! | beyond the calendar | a heap of the far future | log n |
//!
//! What may be taken back before it comes, such as a timer, is in neither: a heap beside it that
//! can find each holds those few, and the rest pays one comparison for them.

use std::mem::{self, ManuallyDrop};

use crate::time::Time;

mod calendar;
mod revocable;
#[cfg(test)]
mod tests;

pub use calendar::CalendarQueue;
use revocable::Revocable;

/// Pending events, ordered by (time, order).
///
/// `order` is below 2^40 and unique among the events of one time; no event is pushed at a time
/// before that of the last one popped.
pub trait EventQueue<T> {
    /// A queue of nothing; it allocates when something is pushed.
    #[must_use]
    fn new() -> Self;

    /// Adds an event, or drops it when [`MOST_PENDING`] are pending already: see
    /// [`Self::is_overfull`].
    ///
    /// # Panics
    ///
    /// When `order` is 2^40 or more.
    fn push(&mut self, time: Time, order: u64, item: T);

    /// Adds an event that may be taken back before it comes; by what it is known then.
    fn push_revocable(&mut self, time: Time, order: u64, item: T) -> Handle;

    /// Takes an event back, as if it had never been added; nothing when it has come.
    fn revoke(&mut self, handle: Handle) -> Option<T>;

    /// Whether an event was dropped for want of room: what is popped from then on lacks it.
    #[must_use]
    fn is_overfull(&self) -> bool;

    /// Takes the first event.
    fn pop(&mut self) -> Option<(Time, T)>;

    /// The time of the first event; the queue may sort itself to find out.
    fn next_time(&mut self) -> Option<Time>;

    /// The first event and its time, left where it is; the queue may sort itself to find out.
    fn peek(&mut self) -> Option<(Time, &T)>;

    /// Looks at every pending event, in no order.
    fn each(&self, look: &mut dyn FnMut(&T));

    /// How many events are pending.
    #[must_use]
    fn len(&self) -> usize;

    /// For each item popped, in order, the place of the one popped last when it was pushed, if
    /// there was one: what caused it. Nothing, unless the queue is made to keep that.
    fn parents(&mut self) -> Vec<Option<usize>> {
        Vec::new()
    }

    /// Whether nothing is pending.
    #[must_use]
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

const SLOT_BITS: u32 = 24;
const ORDER_BITS: u32 = 40;

/// How many events may be pending at once: what 24 bits of slot can tell apart.
pub const MOST_PENDING: usize = 1 << SLOT_BITS;

/// An event that may be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle(Key);

/// (time: 64, order: 40, slot: 24), most significant first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u128);

impl Key {
    /// After every event that there can be.
    const NEVER: Self = Self(u128::MAX);

    #[inline]
    fn new(time: Time, order: u64, slot: u32) -> Self {
        assert!(order < 1 << ORDER_BITS, "event order {order} does not fit in {ORDER_BITS} bits");
        Self(u128::from(time.nanos()) << 64 | u128::from(order << SLOT_BITS | u64::from(slot)))
    }

    #[inline]
    const fn nanos(self) -> u64 {
        (self.0 >> 64) as u64
    }

    #[inline]
    const fn time(self) -> Time {
        Time::from_nanos(self.nanos())
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the lowest 24 bits are the slot")]
    const fn slot(self) -> usize {
        (self.0 as u32 & ((1 << SLOT_BITS) - 1)) as usize
    }
}

/// The payloads; the slot freed last is used first, while it is still in the cache.
struct Slab<T> {
    items: Vec<Option<T>>,
    free: Vec<u32>,
    /// Whether it had no slot for an item.
    overfull: bool,
}

impl<T> Slab<T> {
    const fn new() -> Self {
        Self { items: Vec::new(), free: Vec::new(), overfull: false }
    }

    /// The slot of the item; `None` when there is none left, and the item is dropped.
    #[inline]
    fn insert(&mut self, item: T) -> Option<u32> {
        if let Some(slot) = self.free.pop() {
            // Nobody drops the item where it stands, whatever fails on the way, nor the nothing
            // that it replaces: so it is put together in its slot, and not beside it.
            let item = ManuallyDrop::new(item);
            let place = &mut self.items[slot as usize];
            mem::forget(place.replace(ManuallyDrop::into_inner(item)));
            Some(slot)
        } else {
            self.extend(item)
        }
    }

    #[cold]
    fn extend(&mut self, item: T) -> Option<u32> {
        let slot = self.items.len();
        if slot == MOST_PENDING {
            self.overfull = true;
            return None;
        }
        if self.items.capacity() == 0 {
            // The first few doublings would otherwise be most of what a run of one write allocates.
            self.items.reserve(32);
            self.free.reserve(32);
        }
        self.items.push(Some(item));
        #[expect(clippy::cast_possible_truncation, reason = "checked above")]
        Some(slot as u32)
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "slots have 24 bits")]
    fn take(&mut self, slot: usize) -> T {
        self.free.push(slot as u32);
        self.items[slot].take().expect("a queued key's slot is full")
    }

    /// Puts an item in, and its key among those that may be taken back.
    #[inline]
    fn insert_revocable(
        &mut self,
        revocable: &mut Revocable,
        (time, order): (Time, u64),
        item: T,
    ) -> Handle {
        let Some(slot) = self.insert(item) else { return Handle(Key::NEVER) };
        let key = Key::new(time, order, slot);
        revocable.push(key);
        Handle(key)
    }

    fn get(&self, slot: usize) -> &T {
        self.items[slot].as_ref().expect("a queued key's slot is full")
    }

    fn each(&self, look: &mut dyn FnMut(&T)) {
        self.items.iter().flatten().for_each(look);
    }

    fn len(&self) -> usize {
        self.items.len() - self.free.len()
    }
}

/// A 4-ary min-heap of keys: half as deep as a binary one, and four keys share a cache line.
struct KeyHeap {
    keys: Vec<Key>,
}

impl KeyHeap {
    const fn new() -> Self {
        Self { keys: Vec::new() }
    }

    #[inline]
    fn len(&self) -> usize {
        self.keys.len()
    }

    #[inline]
    fn first(&self) -> Option<Key> {
        self.keys.first().copied()
    }

    #[inline]
    fn push(&mut self, key: Key) {
        let mut at = self.keys.len();
        self.keys.push(key);
        let keys = self.keys.as_mut_slice();
        while at > 0 {
            let parent = (at - 1) / 4;
            if keys[parent] <= key {
                break;
            }
            keys[at] = keys[parent];
            at = parent;
        }
        keys[at] = key;
    }

    #[inline]
    fn pop(&mut self) -> Option<Key> {
        let last = self.keys.pop()?;
        let keys = self.keys.as_mut_slice();
        let Some(&first) = keys.first() else { return Some(last) };
        let mut at = 0;
        loop {
            let child = 4 * at + 1;
            let (least, key) = if let Some(&[a, b, c, d]) = keys.get(child..child + 4) {
                // A tournament rather than a scan: two comparisons deep, and without branches.
                let (ab, ab_key) = if b < a { (1, b) } else { (0, a) };
                let (cd, cd_key) = if d < c { (3, d) } else { (2, c) };
                if cd_key < ab_key { (child + cd, cd_key) } else { (child + ab, ab_key) }
            } else if child < keys.len() {
                let mut least = child;
                for other in child + 1..keys.len() {
                    if keys[other] < keys[least] {
                        least = other;
                    }
                }
                (least, keys[least])
            } else {
                break;
            };
            if last <= key {
                break;
            }
            keys[at] = key;
            at = least;
        }
        keys[at] = last;
        Some(first)
    }
}

/// The plain queue: one heap of keys beside the slab.
pub struct HeapQueue<T> {
    heap: KeyHeap,
    revocable: Revocable,
    slab: Slab<T>,
    /// The time of the last event popped.
    now: Time,
}

impl<T> HeapQueue<T> {
    /// The first event; [`Key::NEVER`] where there is none.
    #[inline]
    fn first(&self) -> Key {
        self.heap.first().unwrap_or(Key::NEVER).min(self.revocable.soonest)
    }
}

impl<T> EventQueue<T> for HeapQueue<T> {
    fn new() -> Self {
        let (heap, revocable, slab) = (KeyHeap::new(), Revocable::new(), Slab::new());
        Self { heap, revocable, slab, now: Time::ZERO }
    }

    #[inline]
    fn push(&mut self, time: Time, order: u64, item: T) {
        debug_assert!(time >= self.now, "an event at {time} pushed at {}", self.now);
        let Some(slot) = self.slab.insert(item) else { return };
        self.heap.push(Key::new(time, order, slot));
    }

    fn push_revocable(&mut self, time: Time, order: u64, item: T) -> Handle {
        debug_assert!(time >= self.now, "an event at {time} pushed at {}", self.now);
        self.slab.insert_revocable(&mut self.revocable, (time, order), item)
    }

    fn revoke(&mut self, Handle(key): Handle) -> Option<T> {
        self.revocable.revoke(key).then(|| self.slab.take(key.slot()))
    }

    fn is_overfull(&self) -> bool {
        self.slab.overfull
    }

    #[inline]
    fn pop(&mut self) -> Option<(Time, T)> {
        let first = self.first();
        let key =
            if first == self.revocable.soonest { self.revocable.pop() } else { self.heap.pop() };
        let key = key?;
        self.now = key.time();
        Some((key.time(), self.slab.take(key.slot())))
    }

    #[inline]
    fn next_time(&mut self) -> Option<Time> {
        let first = self.first();
        (first != Key::NEVER).then(|| first.time())
    }

    fn peek(&mut self) -> Option<(Time, &T)> {
        let first = self.first();
        (first != Key::NEVER).then(|| (first.time(), self.slab.get(first.slot())))
    }

    fn each(&self, look: &mut dyn FnMut(&T)) {
        self.slab.each(look);
    }

    fn len(&self) -> usize {
        self.slab.len()
    }
}
