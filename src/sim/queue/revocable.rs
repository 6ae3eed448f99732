//! Events that may be taken back before they come.

use super::key::EventKey;

/// The keys of the pending events that may be taken back: a 4-ary min-heap that knows where each of
/// them is.
pub(super) struct Revocable {
    heap: Vec<EventKey>,
    /// By slot, where its key is in the heap; meaningless for the slots of other events.
    places: Vec<u32>,
    /// The first of the keys, or [`EventKey::NEVER`]: what every other event is compared with.
    pub(super) soonest: EventKey,
}

impl Revocable {
    pub(super) const fn new() -> Self {
        Self { heap: Vec::new(), places: Vec::new(), soonest: EventKey::NEVER }
    }

    #[inline]
    pub(super) fn push(&mut self, key: EventKey) {
        if key.slot() >= self.places.len() {
            self.places.resize(key.slot() + 1, 0);
        }
        self.heap.push(key);
        self.rise(self.heap.len() - 1, key);
        self.soonest = self.heap[0];
    }

    /// Takes `key` out; false when it is not there any more.
    #[inline]
    pub(super) fn revoke(&mut self, key: EventKey) -> bool {
        let Some(place) = self.places.get(key.slot()) else { return false };
        let place = *place as usize;
        // The slot of an event that has come may be another's by now.
        let is_there = self.heap.get(place) == Some(&key);
        if is_there {
            self.remove(place);
        }
        is_there
    }

    pub(super) fn pop(&mut self) -> Option<EventKey> {
        let key = *self.heap.first()?;
        self.remove(0);
        Some(key)
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
        self.soonest = self.heap.first().copied().unwrap_or(EventKey::NEVER);
    }

    /// Puts a key where it belongs, on the way from `at` to the root.
    fn rise(&mut self, mut at: usize, key: EventKey) {
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
    fn sink(&mut self, mut at: usize, key: EventKey) {
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
    fn set(&mut self, at: usize, key: EventKey) {
        self.heap[at] = key;
        self.places[key.slot()] = at as u32;
    }
}
