//! Tombstones with a grace period: each node removes its own once they are older than that by its
//! own clock.
//!
//! A tombstone is as old as its timestamp says, on whichever node it is, so all nodes remove it at
//! about the same time, and none gets it back from another. A replica that did not hear of the
//! delete in that time brings the value back.

use crate::id::Version;
use crate::protocol::Stored;
use crate::time::{Span, Wall};

/// When a node purges its next tombstone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tombstones {
    /// How long a tombstone is kept; `None`: for ever.
    grace: Option<Span>,
    /// What the wall clock shows when the next one is purged; `None` when none is to be.
    next: Option<i64>,
}

impl Tombstones {
    /// No tombstone is there yet.
    #[must_use]
    pub const fn new(grace: Option<Span>) -> Self {
        Self { grace, next: None }
    }

    /// Whether tombstones are purged at all.
    #[must_use]
    pub const fn are_purged(&self) -> bool {
        self.grace.is_some()
    }

    /// Whether this is a tombstone whose grace period is over when the wall clock shows `wall`.
    #[must_use]
    pub fn is_past_grace(&self, stored: Stored, wall: Wall) -> bool {
        stored.value.is_none() && self.expiry(stored.version).is_some_and(|expiry| wall.0 >= expiry)
    }

    /// What a wall clock shows when the grace period of a tombstone is over.
    fn expiry(&self, version: Version) -> Option<i64> {
        self.grace.map(|grace| version.timestamp.saturating_add(nanos(grace)))
    }

    /// A tombstone of this version is stored: after how long the next one is to be purged, where
    /// that is sooner than what was said before.
    #[inline]
    pub fn bury(&mut self, version: Version, wall: Wall) -> Option<Span> {
        self.expiry(version).and_then(|expiry| self.schedule(expiry, wall))
    }

    /// A tombstone is past its grace period, and cannot be purged yet: after how long that is to be
    /// tried again, where that is sooner than what was said before.
    pub fn postpone(&mut self, wall: Wall) -> Option<Span> {
        let grace = self.grace?;
        self.schedule(wall.0.saturating_add(nanos(grace)), wall)
    }

    fn schedule(&mut self, at: i64, wall: Wall) -> Option<Span> {
        if self.next.is_some_and(|earlier| earlier <= at) {
            return None;
        }
        self.next = Some(at);
        let ahead = (i128::from(at) - i128::from(wall.0)).max(0);
        // A timestamp far in the future keeps its tombstone as long as a run may last.
        Some(Span::from_nanos(u64::try_from(ahead).unwrap_or(u64::MAX).min(Span::MAX.nanos())))
    }

    /// The timer has run out. The owner looks at every tombstone, and buries again those that stay.
    pub const fn review(&mut self) {
        self.next = None;
    }
}

fn nanos(span: Span) -> i64 {
    i64::try_from(span.nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Only what is a tombstone grows old.
    #[test]
    fn a_value_is_never_past_its_grace_period() {
        let version = Version { timestamp: 0, ..Version::default() };
        let of = |value| Stored { value, version };
        let tombstones = Tombstones::new(Some(Span::from_nanos(1)));
        assert!(tombstones.is_past_grace(of(None), Wall(9)));
        assert!(!tombstones.is_past_grace(of(Some(crate::id::Value::text(1))), Wall(9)));
        assert!(!Tombstones::new(None).is_past_grace(of(None), Wall(i64::MAX)));
    }

    proptest! {
        /// The twin looks at every tombstone at every instant.
        #[test]
        fn each_tombstone_is_purged_at_the_first_instant_at_which_it_may_be(
            stamps in proptest::collection::vec(-5..20_i64, 1..8),
            grace in 0..6_u64,
        ) {
            let mut tombstones = Tombstones::new(Some(Span::from_nanos(grace)));
            let stored = |timestamp| {
                Stored { value: None, version: Version { timestamp, ..Version::default() } }
            };
            let mut kept = stamps.clone();
            let mut timer = None;
            let set = |now: i64, timer: &mut Option<i64>, after: Option<Span>| {
                if let Some(after) = after {
                    *timer = Some(now + nanos(after));
                }
            };
            for stamp in &stamps {
                set(0, &mut timer, tombstones.bury(stored(*stamp).version, Wall(0)));
            }
            for now in 0..30 {
                if timer.take_if(|at| *at == now).is_some() {
                    tombstones.review();
                    kept.retain(|stamp| !tombstones.is_past_grace(stored(*stamp), Wall(now)));
                    for stamp in &kept {
                        set(now, &mut timer, tombstones.bury(stored(*stamp).version, Wall(now)));
                    }
                }
                let is_young = |stamp: &i64| stamp + nanos(Span::from_nanos(grace)) > now;
                let twin: Vec<i64> = stamps.iter().copied().filter(is_young).collect();
                prop_assert_eq!(&kept, &twin, "at {}", now);
            }
        }
    }
}
