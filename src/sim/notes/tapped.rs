//! A queue that is listened to.
//!
//! What asks for the scheduling of every event listens to the queue, and not behind
//! [`super::RunNotes::on`]: the queue is a type parameter of the simulation, so runs without such a
//! listener pay nothing for it.

use crate::protocol::Protocol;
use crate::rng::CausalId;
use crate::time::Time;

use super::super::event::{Event, Queue};
use super::super::queue::{EventQueue, Handle};

/// What listens to a queue.
pub(crate) trait Tap<P: Protocol>: Default {
    /// An event is scheduled.
    fn scheduled(&mut self, at: Time, event: &Event<P>);

    /// An event is scheduled that may be revoked, or is one that was revoked and comes sooner.
    fn scheduled_revocable(&mut self, at: Time, event: &Event<P>) {
        self.scheduled(at, event);
    }

    /// An event is taken to be played.
    fn taken(&mut self, at: Time, id: CausalId);
}

/// A queue and what listens to it.
#[derive(Debug)]
pub(crate) struct Tapped<Q, T> {
    inner: Q,
    pub(in super::super) tap: T,
}

impl<P: Protocol, Q: Queue<P>, T: Tap<P>> EventQueue<Event<P>> for Tapped<Q, T> {
    fn new() -> Self {
        Self { inner: Q::new(), tap: T::default() }
    }

    fn push(&mut self, time: Time, order: u64, event: Event<P>) {
        self.tap.scheduled(time, &event);
        self.inner.push(time, order, event);
    }

    fn push_revocable(&mut self, time: Time, order: u64, event: Event<P>) -> Handle {
        self.tap.scheduled_revocable(time, &event);
        self.inner.push_revocable(time, order, event)
    }

    fn revoke(&mut self, handle: Handle) -> Option<Event<P>> {
        self.inner.revoke(handle)
    }

    fn is_overfull(&self) -> bool {
        self.inner.is_overfull()
    }

    fn pop(&mut self) -> Option<(Time, Event<P>)> {
        let (time, event) = self.inner.pop()?;
        self.tap.taken(time, event.id);
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
}
