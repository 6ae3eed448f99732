//! The payloads of pending events.

use std::mem::{self, ManuallyDrop};

use crate::time::Time;

use super::key::{EventKey, Handle, MOST_PENDING};
use super::revocable::Revocable;

/// The payloads. The slot that was freed last is used first, while it is in the cache.
pub(super) struct Slab<T> {
    items: Vec<Option<T>>,
    free: Vec<u32>,
    /// Whether it had no slot for an item.
    pub(super) overfull: bool,
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self { items: Vec::new(), free: Vec::new(), overfull: false }
    }

    /// The slot of the item; `None` when there is none left, and the item is dropped.
    #[inline]
    pub(super) fn insert(&mut self, item: T) -> Option<u32> {
        if let Some(slot) = self.free.pop() {
            // Without drop glue for the item, and for the `None` that it replaces, the item is
            // built in its slot and not copied there.
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
            // Without this the first doublings are most of what a run of one write allocates.
            self.items.reserve(32);
            self.free.reserve(32);
        }
        self.items.push(Some(item));
        #[expect(clippy::cast_possible_truncation, reason = "checked above")]
        Some(slot as u32)
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "slots have 24 bits")]
    pub(super) fn take(&mut self, slot: usize) -> T {
        self.free.push(slot as u32);
        self.items[slot].take().expect("a queued key's slot is full")
    }

    /// Inserts an item that may be taken back.
    #[inline]
    pub(super) fn insert_revocable(
        &mut self,
        revocable: &mut Revocable,
        time: Time,
        order: u64,
        item: T,
    ) -> Handle {
        let Some(slot) = self.insert(item) else { return Handle(EventKey::NEVER) };
        let key = EventKey::new(time, order, slot);
        revocable.push(key);
        Handle(key)
    }

    pub(super) fn get(&self, slot: usize) -> &T {
        self.items[slot].as_ref().expect("a queued key's slot is full")
    }

    pub(super) fn each(&self, look: &mut dyn FnMut(&T)) {
        self.items.iter().flatten().for_each(look);
    }

    pub(super) fn len(&self) -> usize {
        self.items.len() - self.free.len()
    }
}
