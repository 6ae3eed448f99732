//! Tombstones with a grace period: each node removes its own once they are older than that by its own clock.
//!
//! A tombstone is as old as its timestamp says, on whichever node it is, so that all remove it at about the same time
//! and none has it back from another. A replica that did not hear of the delete in that time brings the value back.

use crate::id::{KeyId, Version};
use crate::protocol::{Context, DiscardReason, Observation, Stored};
use crate::time::{Span, Wall};

use super::journal::Record;
use super::{LeaderFollower, Timer};

impl LeaderFollower {
    /// Whether this is a tombstone that is to be purged when the wall clock shows `wall`.
    pub(super) fn is_past_grace(&self, stored: Stored, wall: Wall) -> bool {
        let Some(grace) = self.config.tombstone_grace else { return false };
        stored.value.is_none() && wall.0 >= expiry(stored.version, grace)
    }

    /// A tombstone was stored: sees to it that it is purged in time.
    #[inline]
    pub(super) fn bury(&mut self, version: Version, cx: &mut Context<'_, Self>) {
        if let Some(grace) = self.config.tombstone_grace {
            self.purge_at(expiry(version, grace), cx);
        }
    }

    /// The store is another, or was read back: sees to its tombstones.
    pub(super) fn bury_all(&mut self, cx: &mut Context<'_, Self>) {
        if self.config.tombstone_grace.is_some()
            && let Some(oldest) = self.store.tombstones().map(|(_, stored)| stored.version).min()
        {
            self.bury(oldest, cx);
        }
    }

    /// Removes a tombstone, now or as it was removed before; where the store is made of a log, whenever it is made anew.
    pub(super) fn purge_one(&mut self, key: KeyId, version: Version) {
        self.store.purge(key, version);
        if self.config.failover.is_ordered() {
            self.log.purged(key, version);
        }
    }

    /// Sets the timer, unless it runs out earlier already.
    fn purge_at(&mut self, at: i64, cx: &mut Context<'_, Self>) {
        if self.purge_at.is_none_or(|earlier| at < earlier) {
            self.purge_at = Some(at);
            let ahead = i128::from(at) - i128::from(cx.wall().0);
            // A timestamp far in the future keeps its tombstone as long as a run may last.
            let after = u64::try_from(ahead.max(0)).unwrap_or(u64::MAX).min(Span::MAX.nanos());
            cx.set_timer(Timer::Purge, Span::from_nanos(after));
        }
    }

    /// Removes the tombstones that are past their grace period.
    pub(super) fn purge(&mut self, cx: &mut Context<'_, Self>) {
        let Some(grace) = self.config.tombstone_grace else { return };
        self.purge_at = None;
        let tombstones: Vec<(KeyId, Stored)> = self.store.tombstones().collect();
        for (key, stored) in tombstones {
            let version = stored.version;
            if !self.is_past_grace(stored, cx.wall()) {
                self.purge_at(expiry(version, grace), cx);
            } else if self.cannot_write(cx) {
                // A purge that the log does not have would be undone by a restart: another time.
                self.purge_at(cx.wall().0.saturating_add(nanos(grace)), cx);
            } else {
                self.purge_one(key, version);
                self.log_record(self.term(), || Record::Purge { key, version }, cx);
                let reason = DiscardReason::Purged;
                cx.observe(Observation::Discard { key, stored, reason });
            }
        }
    }
}

/// What a wall clock shows when a tombstone's grace period is over.
fn expiry(version: Version, grace: Span) -> i64 {
    version.timestamp.saturating_add(nanos(grace))
}

fn nanos(span: Span) -> i64 {
    i64::try_from(span.nanos()).unwrap_or(i64::MAX)
}
