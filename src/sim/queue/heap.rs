//! The plain queue.

use crate::time::Time;

use super::EventQueue;
use super::key::{EventKey, Handle, KeyHeap};
use super::revocable::Revocable;
use super::slab::Slab;

/// The plain queue: one heap of keys beside the slab.
pub struct HeapQueue<T> {
    heap: KeyHeap,
    revocable: Revocable,
    slab: Slab<T>,
    /// The time of the last event popped.
    now: Time,
}

impl<T> HeapQueue<T> {
    /// The first event; [`EventKey::NEVER`] where there is none.
    #[inline]
    fn first(&self) -> EventKey {
        self.heap.first().unwrap_or(EventKey::NEVER).min(self.revocable.soonest)
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
        self.heap.push(EventKey::new(time, order, slot));
    }

    fn push_revocable(&mut self, time: Time, order: u64, item: T) -> Handle {
        debug_assert!(time >= self.now, "an event at {time} pushed at {}", self.now);
        self.slab.insert_revocable(&mut self.revocable, time, order, item)
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
        (first != EventKey::NEVER).then(|| first.time())
    }

    fn peek(&mut self) -> Option<(Time, &T)> {
        let first = self.first();
        (first != EventKey::NEVER).then(|| (first.time(), self.slab.get(first.slot())))
    }

    fn each(&self, look: &mut dyn FnMut(&T)) {
        self.slab.each(look);
    }

    fn len(&self) -> usize {
        self.slab.len()
    }
}
