//! Taking a write in: into the store by last write wins, and into the log if that changes the store.

use crate::protocol::parts::entry::{Entry, apply};
use crate::protocol::parts::store::Applied;
use crate::protocol::{Context, DiscardReason, Observation};

use super::LeaderFollower;
use super::storage::Record;

impl LeaderFollower {
    /// Applies a write to the store, as leader or follower, and logs it if it changes the store; whether the log
    /// shows its stamp then.
    #[inline]
    pub(super) fn apply_and_log(&mut self, entry: Entry, cx: &mut Context<'_, Self>) -> bool {
        let known = self.stamps.newest();
        if self.apply_observed(entry, cx) {
            self.log_record(self.term(), || Record::Write(entry), cx);
            return true;
        }
        // A delete that found nothing to erase has left nothing, and was there.
        let is_new = self.stamps.newest() > known;
        if is_new {
            self.log_stamps(cx);
        }
        is_new
    }

    /// Applies a write to the store and says what became of it; whether it changed the store.
    pub(super) fn apply_observed(&mut self, entry: Entry, cx: &mut Context<'_, Self>) -> bool {
        let Entry { key, stored, element } = entry;
        let version = stored.version;
        self.note(version);
        let applied = apply(&mut self.store, entry, self.config.rules());
        match applied {
            Applied::Newest { .. } | Applied::Within => {
                cx.observe(Observation::Apply { key, stored });
                if stored.value.is_none() {
                    self.bury(version, cx);
                }
                true
            }
            Applied::Known => {
                let held = self.store.stored(key);
                let is_another = match held {
                    // An element that is there need not be the key's newest.
                    Some(_) if element => !self.store.has_element(key, stored),
                    Some(held) => held != stored,
                    None => false,
                };
                if is_another {
                    let reason = DiscardReason::SameVersion;
                    cx.observe(Observation::Discard { key, stored, reason });
                } else if stored.value.is_none() && held.is_none() {
                    // A delete that finds nothing to erase is applied all the same.
                    cx.observe(Observation::Apply { key, stored });
                }
                false
            }
            Applied::Older | Applied::Below => {
                let reason = DiscardReason::Older;
                cx.observe(Observation::Discard { key, stored, reason });
                if applied == Applied::Below && stored.value.is_none() {
                    self.bury(version, cx);
                }
                applied == Applied::Below
            }
        }
    }
}
