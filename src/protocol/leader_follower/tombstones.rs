//! Purging tombstones: see [`crate::protocol::parts::tombstones`].

use crate::id::{KeyId, Version};
use crate::protocol::{Context, DiscardReason, Observation, Stored};
use crate::time::Span;

use super::storage::Record;
use super::{LeaderFollower, Timer};

impl LeaderFollower {
    /// A tombstone was stored: sees to it that it is purged in time.
    #[inline]
    pub(super) fn bury(&mut self, version: Version, cx: &mut Context<'_, Self>) {
        let sooner = self.tombstones.bury(version, cx.wall());
        set_timer(sooner, cx);
    }

    /// The store is another, or was read back: sees to its tombstones.
    pub(super) fn bury_all(&mut self, cx: &mut Context<'_, Self>) {
        if self.tombstones.are_purged()
            && let Some(oldest) = self.store.tombstones().map(|(_, stored)| stored.version).min()
        {
            self.bury(oldest, cx);
        }
    }

    /// Removes a tombstone, now or as it was removed before; where the store is made of a log,
    /// whenever it is made anew.
    pub(super) fn purge_one(&mut self, key: KeyId, version: Version) {
        self.store.purge(key, version);
        if self.config.failover.is_ordered() {
            self.rollback.purged(self.log.last().index, key, version);
        }
    }

    /// Removes the tombstones that are past their grace period.
    pub(super) fn purge(&mut self, cx: &mut Context<'_, Self>) {
        self.tombstones.review();
        let tombstones: Vec<(KeyId, Stored)> = self.store.tombstones().collect();
        for (key, stored) in tombstones {
            let version = stored.version;
            if !self.tombstones.is_past_grace(stored, cx.wall()) {
                self.bury(version, cx);
            } else if self.cannot_write(cx) {
                // A purge that the log does not have would be undone by a restart: another time.
                let sooner = self.tombstones.postpone(cx.wall());
                set_timer(sooner, cx);
            } else {
                self.purge_one(key, version);
                self.log_record(self.term(), || Record::Purge { key, version }, cx);
                let reason = DiscardReason::Purged;
                cx.observe(Observation::Discard { key, stored, reason });
            }
        }
    }
}

#[inline]
fn set_timer(sooner: Option<Span>, cx: &mut Context<'_, LeaderFollower>) {
    if let Some(after) = sooner {
        cx.set_timer(Timer::Purge, after);
    }
}
