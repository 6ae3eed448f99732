//! Taking a write in: into the store by last write wins, and into the log if that changes the store.

use crate::protocol::store::{Applied, Store};
use crate::protocol::{Context, DiscardReason, Observation, Stored};

use super::LeaderFollower;
use super::config::{Deletes, Rules};
use super::journal::Record;
use super::message::Entry;

impl LeaderFollower {
    /// Applies a write to the store, as leader or follower, and logs it if it changes the store; whether the log
    /// shows its stamp then.
    #[inline]
    pub(super) fn apply_and_log(&mut self, entry: Entry, cx: &mut Context<'_, Self>) -> bool {
        let known = self.stamping.newest_seen;
        if self.apply_observed(entry, cx) {
            self.log_record(self.term(), || Record::Write(entry), cx);
            return true;
        }
        // A delete that found nothing to erase has left nothing, and was there.
        let is_new = self.stamping.newest_seen > known;
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

/// Applies a write to a store: last write wins, and a delete leaves a tombstone or nothing.
pub(super) fn apply(store: &mut Store, entry: Entry, rules: Rules) -> Applied {
    let Entry { key, element, stored } = entry;
    if let (true, Some(value)) = (element, stored.value) {
        return store.append(key, value, stored.version);
    }
    let Rules { deletes, ties } = rules;
    if stored.value.is_some() || deletes == Deletes::Tombstone {
        return store.apply_under(ties, key, stored);
    }
    store.erase_under(ties, key, stored)
}

/// Whether [`apply`] would change the store.
pub(super) fn would_change(store: &Store, entry: &Entry, rules: Rules) -> bool {
    let Entry { key, element, stored: Stored { value, version } } = *entry;
    if element {
        return store.lacks_element(key, version);
    }
    if let Some(would) = store.would_end_list(rules.ties, key, version) {
        return would;
    }
    let leaves_nothing = value.is_none() && rules.deletes == Deletes::Erase;
    match store.stored(key) {
        Some(held) if leaves_nothing => {
            held.version == version || rules.ties.replaces(version, held.version)
        }
        Some(held) => rules.ties.replaces(version, held.version),
        None => !leaves_nothing,
    }
}

/// Everything in a store, as entries that make it anew: registers and tombstones first, then the elements of lists.
pub(super) fn contents(store: &Store) -> impl Iterator<Item = Entry> + '_ {
    let registers = store.all_but_elements().map(|(key, stored)| Entry::register(key, stored));
    registers.chain(store.all_elements().map(|(key, stored)| Entry::element(key, stored)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::{KeyId, NodeId, Value, Version};
    use crate::protocol::store::TieBreak;

    fn entries() -> impl Strategy<Value = Entry> {
        let version = (0..4_i64, 0..2_u16, 0..3_u32).prop_map(|(timestamp, node, sequence)| {
            Version { timestamp, node: NodeId(node), sequence }
        });
        (0..2_u32, 0..3_u8, version).prop_map(|(key, kind, version)| {
            let value = (kind > 0).then(|| Value::text(version.sequence as usize));
            Entry { key: KeyId(key), element: kind == 2, stored: Stored { value, version } }
        })
    }

    fn rules() -> impl Strategy<Value = Rules> {
        let deletes = prop_oneof![Just(Deletes::Tombstone), Just(Deletes::Erase)];
        let ties = prop_oneof![Just(TieBreak::NodeId), Just(TieBreak::KeepExisting)];
        (deletes, ties).prop_map(|(deletes, ties)| Rules { deletes, ties })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

        /// A store holds, and passes on, nothing but what was written; and who is told all of it holds the same.
        #[test]
        fn what_a_store_passes_on_was_written_and_makes_the_same_store(
            writes in proptest::collection::vec(entries(), 0..8),
            rules in rules(),
        ) {
            let (mut store, mut told) = (Store::default(), Store::default());
            // One version is one write.
            let mut writes = writes;
            let mut known = std::collections::BTreeSet::new();
            writes.retain(|write| known.insert(write.stored.version));
            for entry in &writes {
                apply(&mut store, *entry, rules);
            }
            for entry in contents(&store) {
                prop_assert!(writes.contains(&entry), "nobody wrote {:?}", entry);
                apply(&mut told, entry, Rules { deletes: Deletes::Tombstone, ..rules });
            }
            prop_assert_eq!(contents(&told).collect::<Vec<_>>(), contents(&store).collect::<Vec<_>>());
            prop_assert_eq!((told.to_map(), told.to_lists()), (store.to_map(), store.to_lists()));
        }

        /// Whether a write would change a store is what applying it to a copy says.
        #[test]
        fn a_write_would_change_a_store_exactly_when_it_does(
            before in proptest::collection::vec(entries(), 0..6),
            entry in entries(),
            rules in rules(),
        ) {
            let mut store = Store::default();
            for entry in before {
                apply(&mut store, entry, rules);
            }
            let (would, before) = (would_change(&store, &entry, rules), store.clone());
            let applied = apply(&mut store, entry, rules);
            let changes =
                matches!(applied, Applied::Newest { .. } | Applied::Within | Applied::Below);
            prop_assert_eq!(would, changes, "{:?}", applied);
            let all = |store: &Store| contents(store).collect::<Vec<_>>();
            prop_assert_eq!(all(&store) != all(&before), changes, "{:?}", applied);
        }
    }
}
