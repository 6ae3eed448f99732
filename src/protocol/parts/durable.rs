//! What waits until something is durable: no promise leaves before its record is.

use std::collections::VecDeque;

use crate::protocol::Origin;

/// What waits for the disk, the oldest first. Each waits until a point, a [`Ticket`] or a record's
/// sequence, is durable; points never fall, for a disk makes durable in the order of writing.
///
/// [`Ticket`]: crate::protocol::Ticket
#[derive(Debug)]
pub struct AfterSync<K, T> {
    waiting: VecDeque<Waiting<K, T>>,
}

#[derive(Debug)]
struct Waiting<K, T> {
    until: K,
    origin: Origin,
    deferred: T,
}

impl<K, T> Default for AfterSync<K, T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new() }
    }
}

impl<K: Copy + Ord, T> AfterSync<K, T> {
    /// `deferred` waits until `until` is durable. It goes on as the effect of the step `origin`.
    ///
    /// # Panics
    ///
    /// When something waits for a later point: then this one would be overtaken.
    pub fn put(&mut self, until: K, origin: Origin, deferred: T) {
        assert!(
            self.waiting.back().is_none_or(|last| last.until <= until),
            "what is written later is durable later"
        );
        self.waiting.push_back(Waiting { until, origin, deferred });
    }

    /// The next that need not wait any longer, now that everything up to `durable` is durable.
    pub fn next(&mut self, durable: K) -> Option<(Origin, T)> {
        let ready = self.waiting.pop_front_if(|waiting| waiting.until <= durable)?;
        Some((ready.origin, ready.deferred))
    }

    /// The step whose wait is the oldest of those for more than `durable`.
    #[must_use]
    pub fn first_beyond(&self, durable: K) -> Option<Origin> {
        let first = self.waiting.iter().find(|waiting| waiting.until > durable)?;
        Some(first.origin)
    }

    /// The disk refused to write what `point` names: whatever waits for it is never done.
    pub fn refuse(&mut self, point: K) {
        self.waiting.retain(|waiting| waiting.until != point);
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rng::{CausalId, Root};

    /// The step that makes the wait of this number.
    fn origin(number: u32) -> Origin {
        Origin(CausalId::root(Root::Run, 0, number.into()))
    }

    proptest! {
        /// The twin is a list of everything, searched from the start.
        #[test]
        fn what_waits_goes_on_once_and_in_order(
            steps in proptest::collection::vec((0..3_u8, 0..4_u64), 0..40),
        ) {
            let mut parts = Parts::default();
            for step in steps {
                parts.play(step)?;
            }
        }
    }

    #[derive(Default)]
    struct Parts {
        waiting: AfterSync<u64, u32>,
        twin: Vec<(u64, u32)>,
        written: u64,
        count: u32,
    }

    impl Parts {
        fn play(&mut self, (kind, amount): (u8, u64)) -> Result<(), TestCaseError> {
            match kind {
                0 => {
                    self.written += amount;
                    self.count += 1;
                    self.waiting.put(self.written, origin(self.count), self.count);
                    self.twin.push((self.written, self.count));
                }
                1 => {
                    let durable = self.written.saturating_sub(amount);
                    while let Some((step, next)) = self.waiting.next(durable) {
                        let (until, first) = self.twin.remove(0);
                        prop_assert!(until <= durable);
                        prop_assert_eq!((step, next), (origin(first), first));
                    }
                    prop_assert!(self.twin.iter().all(|(until, _)| *until > durable));
                }
                _ => {
                    self.waiting.refuse(self.written);
                    self.twin.retain(|(until, _)| *until != self.written);
                }
            }
            let durable = self.written.saturating_sub(amount);
            let beyond = self.twin.iter().find(|(until, _)| *until > durable);
            let beyond = beyond.map(|(_, number)| origin(*number));
            prop_assert_eq!(self.waiting.first_beyond(durable), beyond);
            prop_assert_eq!(self.waiting.len(), self.twin.len());
            prop_assert_eq!(self.waiting.is_empty(), self.twin.is_empty());
            Ok(())
        }
    }
}
