//! A queue that notes the cause of each event, for the comparison of two runs.

use std::collections::BTreeMap;

use crate::protocol::Protocol;
use crate::rng::CausalId;
use crate::time::Time;

use super::super::event::Event;
use super::super::queue::{EventQueue, Handle};

/// A queue that notes for each event the one that was being played when it was scheduled.
#[derive(Debug)]
pub(crate) struct Lineage<Q> {
    inner: Q,
    /// By the identity of pending events. Two of one identity are siblings and have one parent.
    pending: BTreeMap<CausalId, Option<usize>>,
    parents: Vec<Option<usize>>,
}

impl<P: Protocol, Q: EventQueue<Event<P>>> EventQueue<Event<P>> for Lineage<Q> {
    fn new() -> Self {
        Self { inner: Q::new(), pending: BTreeMap::new(), parents: Vec::new() }
    }

    fn push(&mut self, time: Time, order: u64, event: Event<P>) {
        self.pending.insert(event.id, self.parents.len().checked_sub(1));
        self.inner.push(time, order, event);
    }

    fn push_revocable(&mut self, time: Time, order: u64, event: Event<P>) -> Handle {
        self.pending.insert(event.id, self.parents.len().checked_sub(1));
        self.inner.push_revocable(time, order, event)
    }

    fn revoke(&mut self, handle: Handle) -> Option<Event<P>> {
        let event = self.inner.revoke(handle)?;
        self.pending.remove(&event.id);
        Some(event)
    }

    fn is_overfull(&self) -> bool {
        self.inner.is_overfull()
    }

    fn pop(&mut self) -> Option<(Time, Event<P>)> {
        let (time, event) = self.inner.pop()?;
        self.parents.push(self.pending.remove(&event.id).flatten());
        Some((time, event))
    }

    fn next_time(&mut self) -> Option<Time> {
        self.inner.next_time()
    }

    fn peek(&mut self) -> Option<(Time, &Event<P>)> {
        self.inner.peek()
    }

    fn each(&self, look: &mut dyn FnMut(&Event<P>)) {
        self.inner.each(look);
    }

    fn len(&self) -> usize {
        self.inner.len()
    }

    fn parents(&mut self) -> Vec<Option<usize>> {
        std::mem::take(&mut self.parents)
    }
}
