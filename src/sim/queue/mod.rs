//! The event queue: what happens next, by (time, order).
//!
//! Two implementations of one contract. [`HeapQueue`] is the plain one. [`CalendarQueue`] is the
//! fast one: its cost hardly grows with the number of pending events. Both give exactly the same
//! order, so a run has the same digest through either.
//!
//! Only a 128-bit key of (time: 64, order: 40, slot: 24 bits) is moved and compared. An event's
//! payload is written once, into a slab, and read once. The slot never decides an order, because
//! (time, order) is unique.
//!
//! The calendar keeps the near future in unsorted buckets of time and sorts a bucket when its turn
//! comes, so an event costs one append and its share of one small sort. Where its guesses fail
//! (everything at one instant, densities that change by the billion), it degrades to a sort or to a
//! heap, never to anything quadratic:
//!
//! | an event falls | it goes to | at a cost of |
//! |---|---|---|
//! | in the bucket whose turn it is | its place in the sorted run | at most 512 keys moved |
//! | there, but further from both ends | a small heap beside the run | log n |
//! | within the calendar | the end of its bucket | 1 |
//! | beyond the calendar | a heap of the far future | log n |
//!
//! Events that may be taken back before they come, such as timers, are few. They are in a heap of
//! their own, which finds each of them, and cost the others one comparison.

use crate::time::Time;

mod calendar;
mod heap;
mod key;
mod revocable;
mod slab;
#[cfg(test)]
mod tests;

pub use calendar::CalendarQueue;
pub use heap::HeapQueue;
pub use key::{Handle, MOST_PENDING};

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

    /// Adds an event that may be taken back before it comes; the handle to do so.
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

    /// Whether nothing is pending.
    #[must_use]
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
