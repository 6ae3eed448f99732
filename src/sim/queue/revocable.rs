//! Events that may be taken back before they come: those few among many that never are.

use crate::time::Time;

use super::{Handle, Key, Slab};

/// Pending events that may be taken back: a 4-ary min-heap of keys that knows where each of them is.
pub(super) struct Revocable<T> {
    heap: Vec<Key>,
    /// By slot, where its key is in the heap; without meaning for a free slot.
    places: Vec<u32>,
    slab: Slab<T>,
    /// The first of the keys, or [`Key::NEVER`]: what every other event is held against.
    pub(super) soonest: Key,
}

impl<T> Revocable<T> {
    pub(super) const fn new() -> Self {
        Self { heap: Vec::new(), places: Vec::new(), slab: Slab::new(), soonest: Key::NEVER }
    }

    #[inline]
    pub(super) fn push(&mut self, time: Time, order: u64, item: T) -> Handle {
        let Some(slot) = self.slab.insert(item) else { return Handle(Key::NEVER) };
        let key = Key::new(time, order, slot);
        if slot as usize == self.places.len() {
            self.places.push(0);
        }
        self.heap.push(key);
        self.rise(self.heap.len() - 1, key);
        self.soonest = self.heap[0];
        Handle(key)
    }

    #[inline]
    pub(super) fn revoke(&mut self, Handle(key): Handle) -> Option<T> {
        let place = *self.places.get(key.slot())? as usize;
        // The slot of an event that has come may be another's by now.
        if self.heap.get(place) != Some(&key) {
            return None;
        }
        self.remove(place);
        Some(self.slab.take(key.slot()))
    }

    #[inline(never)]
    pub(super) fn pop(&mut self) -> Option<(Time, T)> {
        let key = *self.heap.first()?;
        self.remove(0);
        Some((key.time(), self.slab.take(key.slot())))
    }

    pub(super) fn peek(&self) -> Option<(Time, &T)> {
        let key = self.heap.first()?;
        Some((key.time(), self.slab.get(key.slot())))
    }

    /// The earlier of `first` and the first of these; `None` when neither is an event.
    pub(super) fn earlier(&self, first: Key) -> Option<Key> {
        let earlier = first.min(self.soonest);
        (earlier != Key::NEVER).then_some(earlier)
    }

    pub(super) const fn is_overfull(&self) -> bool {
        self.slab.overfull
    }

    pub(super) fn each(&self, look: &mut dyn FnMut(&T)) {
        self.slab.each(look);
    }

    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Takes out the key at `place`; the last one fills the gap.
    fn remove(&mut self, place: usize) {
        let last = self.heap.pop().expect("a key is taken out of those that are there");
        if place < self.heap.len() {
            if place > 0 && last < self.heap[(place - 1) / 4] {
                self.rise(place, last);
            } else {
                self.sink(place, last);
            }
        }
        self.soonest = self.heap.first().copied().unwrap_or(Key::NEVER);
    }

    /// Puts a key where it belongs, on the way from `at` to the root.
    fn rise(&mut self, mut at: usize, key: Key) {
        while at > 0 {
            let parent = (at - 1) / 4;
            if self.heap[parent] <= key {
                break;
            }
            self.set(at, self.heap[parent]);
            at = parent;
        }
        self.set(at, key);
    }

    /// Puts a key where it belongs, on the way from `at` to the leaves.
    fn sink(&mut self, mut at: usize, key: Key) {
        loop {
            let first = 4 * at + 1;
            let children = first..self.heap.len().min(first + 4);
            let Some(least) = children.min_by_key(|child| self.heap[*child]) else { break };
            if key <= self.heap[least] {
                break;
            }
            self.set(at, self.heap[least]);
            at = least;
        }
        self.set(at, key);
    }

    #[expect(clippy::cast_possible_truncation, reason = "there are at most as many keys as slots")]
    fn set(&mut self, at: usize, key: Key) {
        self.heap[at] = key;
        self.places[key.slot()] = at as u32;
    }
}
