//! What every node keeps, in any role and with either way of replication: the store, the stamps,
//! and their records on the disk.
//!
//! Most stamps are in the writes of a node's log and of the states that it is sent. The others (a
//! delete that found nothing to erase, a clear of nothing, a write older than what its key held,
//! the number of a state) have a record of their own, [`Record::Seen`], and a field of their own,
//! [`super::Installed::seen`].

use crate::id::{KeyId, NodeId, Term, Version};
use crate::protocol::parts::entry::{StoredEntry, apply, contents};
use crate::protocol::parts::stamps::Stamps;
use crate::protocol::parts::store::{Applied, Store};
use crate::protocol::parts::tombstones::Tombstones;
use crate::protocol::{Context, DiscardReason, Observation, Stored};
use crate::time::Span;

use super::config::Config;
use super::storage::{Journal, Record, StoredBallot};
use super::types::{Timer, Types};

/// A replica: what it stores, and its disk.
#[derive(Debug)]
pub(super) struct Replica {
    pub(super) config: Config,
    pub(super) me: NodeId,
    pub(super) nodes: u16,
    pub(super) store: Store,
    pub(super) stamps: Stamps,
    pub(super) tombstones: Tombstones,
    pub(super) ballot: StoredBallot,
    /// The write-ahead log; `None` when nothing is logged.
    pub(super) journal: Option<Journal>,
}

impl Replica {
    /// The node's term.
    #[inline]
    pub(super) const fn term(&self) -> Term {
        self.ballot.term()
    }

    /// Whether a log is kept and its disk is full. The node lives on: it answers reads, refuses
    /// writes, and as follower takes in nothing that it could not acknowledge.
    #[inline]
    pub(super) fn cannot_write(&self, cx: &Context<'_, impl Types>) -> bool {
        self.journal.is_some() && cx.disk_is_full()
    }

    /// Writes a record of `term`, if there is a log.
    #[inline]
    pub(super) fn log_record(
        &mut self,
        term: Term,
        record: impl FnOnce() -> Record,
        cx: &mut Context<'_, impl Types>,
    ) {
        if let Some(journal) = &mut self.journal {
            journal.append(term, &record(), cx);
        }
    }

    /// Applies a write to the store, as leader or follower, and logs it if it changes the store;
    /// whether the log shows its stamp then.
    #[inline]
    pub(super) fn apply_and_log(
        &mut self,
        entry: StoredEntry,
        cx: &mut Context<'_, impl Types>,
    ) -> bool {
        let known = self.stamps.newest();
        if self.apply_observed(entry, cx) {
            self.log_record(self.term(), || Record::Write(entry), cx);
            return true;
        }
        // A delete that found nothing to erase leaves no trace in the store; its stamp is logged.
        let is_new = self.stamps.newest() > known;
        if is_new {
            self.log_stamps(cx);
        }
        is_new
    }

    /// Applies the writes of a batch to the store, as a follower, and logs them as one.
    pub(super) fn apply_batch(
        &mut self,
        entries: &[StoredEntry],
        cx: &mut Context<'_, impl Types>,
    ) {
        for entry in entries {
            self.apply_observed(*entry, cx);
        }
        self.log_record(self.term(), || Record::Batch(entries.to_vec()), cx);
    }

    /// Applies a write to the store and says what became of it; whether it changed the store.
    pub(super) fn apply_observed(
        &mut self,
        entry: StoredEntry,
        cx: &mut Context<'_, impl Types>,
    ) -> bool {
        let StoredEntry { key, stored, element } = entry;
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

    /// Replaces what the key holds by this write, even if it is older.
    pub(super) fn overwrite(&mut self, entry: StoredEntry, cx: &mut Context<'_, impl Types>) {
        let StoredEntry { key, stored, .. } = entry;
        let held = self.store.stored(key);
        if held == Some(stored) {
            return;
        }
        self.note(stored.version);
        if let Some(held) = held.filter(|held| held.version >= stored.version) {
            let reason = DiscardReason::Overwritten;
            cx.observe(Observation::Discard { key, stored: held, reason });
        }
        self.store.overwrite(key, stored);
        self.log_record(self.term(), || Record::Overwrite(entry), cx);
        cx.observe(Observation::Apply { key, stored });
    }

    /// Replaces the store, and says what that changes.
    pub(super) fn replace_store(&mut self, store: Store, cx: &mut Context<'_, impl Types>) {
        let before = std::mem::replace(&mut self.store, store);
        self.bury_all(cx);
        for entry in contents(&self.store) {
            self.stamps.note(entry.stored.version, self.me);
        }
        for (key, stored) in self.store.iter() {
            if before.stored(key) != Some(stored) {
                cx.observe(Observation::Apply { key, stored });
            }
        }
        for (key, element) in before.all_elements().chain(self.store.all_elements()) {
            match (before.has_element(key, element), self.store.has_element(key, element)) {
                (false, true) => cx.observe(Observation::Apply { key, stored: element }),
                (true, false) => {
                    let reason = DiscardReason::Replaced;
                    cx.observe(Observation::Discard { key, stored: element, reason });
                }
                (true, true) | (false, false) => {}
            }
        }
        for (key, held) in before.iter() {
            let is_gone = |now: Stored| {
                now.version < held.version || now.version == held.version && now != held
            };
            if self.store.stored(key).is_none_or(is_gone) {
                let reason = DiscardReason::Replaced;
                cx.observe(Observation::Discard { key, stored: held, reason });
            }
        }
    }

    /// Takes note of the stamp of whatever this node takes in, however it came by it; whether its
    /// timestamp is the newest so far.
    #[inline]
    pub(super) fn note(&mut self, version: Version) -> bool {
        self.stamps.note(version, self.me)
    }

    /// Takes note of a stamp that nothing this node stores will show, in its log too.
    pub(super) fn note_apart(&mut self, version: Version, cx: &mut Context<'_, impl Types>) {
        if self.note(version) {
            self.log_stamps(cx);
        }
    }

    /// The version of the next write: a timestamp, and how many writes this node has stamped.
    #[inline]
    pub(super) fn stamp(&mut self, cx: &Context<'_, impl Types>) -> Version {
        self.stamps.stamp(self.config.timestamps, self.me, self.term(), cx.wall())
    }

    /// Gives a stamp that no record of a write will show.
    pub(super) fn stamp_apart(&mut self, cx: &mut Context<'_, impl Types>) -> Version {
        let version = self.stamp(cx);
        self.log_stamps(cx);
        version
    }

    /// Writes down which stamps there were, for want of another record that shows it.
    pub(super) fn log_stamps(&mut self, cx: &mut Context<'_, impl Types>) {
        let record = self.stamps_record();
        self.log_record(self.term(), || record, cx);
    }

    /// The record of the stamps that there were.
    pub(super) const fn stamps_record(&self) -> Record {
        Record::Seen { newest: self.stamps.newest(), stamped: self.stamps.given() }
    }

    /// What a key holds: a put, a delete, or the newest element of a list.
    pub(super) fn held(&self, key: KeyId) -> Option<StoredEntry> {
        let stored = self.store.stored(key)?;
        let newest = self.store.elements(key).last();
        let is_element = newest.is_some_and(|(version, _)| *version == stored.version);
        Some(StoredEntry { key, element: is_element, stored })
    }

    /// A tombstone was stored: sees to it that it is purged in time.
    #[inline]
    pub(super) fn bury(&mut self, version: Version, cx: &mut Context<'_, impl Types>) {
        let sooner = self.tombstones.bury(version, cx.wall());
        set_purge_timer(sooner, cx);
    }

    /// The store is another, or was read back: sees to its tombstones.
    pub(super) fn bury_all(&mut self, cx: &mut Context<'_, impl Types>) {
        if self.tombstones.are_purged()
            && let Some(oldest) = self.store.tombstones().map(|(_, stored)| stored.version).min()
        {
            self.bury(oldest, cx);
        }
    }

    /// Looks at every tombstone: those that are past their grace period are purged, and told to
    /// `purged`; the timer is set for the others.
    pub(super) fn purge(
        &mut self,
        mut purged: impl FnMut(KeyId, Version),
        cx: &mut Context<'_, impl Types>,
    ) {
        self.tombstones.review();
        let tombstones: Vec<(KeyId, Stored)> = self.store.tombstones().collect();
        for (key, stored) in tombstones {
            let version = stored.version;
            if !self.tombstones.is_past_grace(stored, cx.wall()) {
                self.bury(version, cx);
            } else if self.cannot_write(cx) {
                // A restart would undo a purge that is not in the log, so it waits.
                let sooner = self.tombstones.postpone(cx.wall());
                set_purge_timer(sooner, cx);
            } else {
                self.store.purge(key, version);
                purged(key, version);
                self.log_record(self.term(), || Record::Purge { key, version }, cx);
                let reason = DiscardReason::Purged;
                cx.observe(Observation::Discard { key, stored, reason });
            }
        }
    }
}

#[inline]
fn set_purge_timer(sooner: Option<Span>, cx: &mut Context<'_, impl Types>) {
    if let Some(after) = sooner {
        cx.set_timer(Timer::Purge, after);
    }
}
