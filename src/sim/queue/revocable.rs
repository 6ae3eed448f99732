//! Events that may be taken back before they come: those few among many that never are.

use std::collections::BTreeSet;

use crate::time::Time;

use super::{Handle, Key, Slab};

/// Pending events that may be taken back, in order.
pub(super) struct Revocable<T> {
    keys: BTreeSet<Key>,
    slab: Slab<T>,
    /// The first of the keys, or [`Key::NEVER`]: what every other event is held against.
    pub(super) soonest: Key,
}

impl<T> Revocable<T> {
    pub(super) const fn new() -> Self {
        Self { keys: BTreeSet::new(), slab: Slab::new(), soonest: Key::NEVER }
    }

    pub(super) fn push(&mut self, time: Time, order: u64, item: T) -> Handle {
        let Some(slot) = self.slab.insert(item) else { return Handle(Key::NEVER) };
        let key = Key::new(time, order, slot);
        self.keys.insert(key);
        self.soonest = self.soonest.min(key);
        Handle(key)
    }

    pub(super) fn revoke(&mut self, Handle(key): Handle) -> Option<T> {
        if !self.keys.remove(&key) {
            return None;
        }
        if key == self.soonest {
            self.find_soonest();
        }
        Some(self.slab.take(key.slot()))
    }

    #[inline(never)]
    pub(super) fn pop(&mut self) -> Option<(Time, T)> {
        let key = self.keys.pop_first()?;
        self.find_soonest();
        Some((key.time(), self.slab.take(key.slot())))
    }

    fn find_soonest(&mut self) {
        self.soonest = self.keys.first().copied().unwrap_or(Key::NEVER);
    }

    pub(super) fn peek(&self) -> Option<(Time, &T)> {
        let key = self.keys.first()?;
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

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}
