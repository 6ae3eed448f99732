//! How a follower undoes writes that are cut off its log: it rebuilds the store from the log.

use crate::id::{KeyId, LogIndex, Version};
use crate::protocol::parts::entry::{Rules, StoredEntry, apply};
use crate::protocol::parts::log::ReplicatedLog;
use crate::protocol::parts::store::Store;

/// What rebuilding the store takes besides the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rollback {
    /// What the entries up to the log's base made of the store.
    before: Store,
    /// The tombstones that were purged, and up to which index the log went then, in order.
    purged: Vec<(LogIndex, KeyId, Version)>,
}

impl Rollback {
    /// The store at the base of a log.
    pub(crate) const fn from_base(before: Store) -> Self {
        Self { before, purged: Vec::new() }
    }

    /// A tombstone was purged when the log ended at `last`: rebuilding purges it again.
    pub(crate) fn purged(&mut self, last: LogIndex, key: KeyId, version: Version) {
        self.purged.push((last, key, version));
    }

    /// The log was cut behind `index`.
    pub(crate) fn cut(&mut self, index: LogIndex) {
        for (at, ..) in &mut self.purged {
            *at = (*at).min(index);
        }
    }

    /// The store that `log` makes.
    pub(crate) fn store(&self, log: &ReplicatedLog<StoredEntry>, rules: Rules) -> Store {
        let mut store = self.before.clone();
        let mut purged = self.purged.iter().peekable();
        let mut purge = |store: &mut Store, index| {
            while let Some((_, key, version)) = purged.next_if(|(at, ..)| *at <= index) {
                store.purge(*key, *version);
            }
        };
        purge(&mut store, log.base().index);
        for (index, entry) in log.iter() {
            apply(&mut store, entry.entry, rules);
            purge(&mut store, index);
        }
        store
    }
}
