//! The replicated log: writes in the order in which leaders accepted them, each at a (term, index).
//!
//! Two logs that have an entry of the same term at the same index are equal up to there (the log matching property,
//! Raft section 5.3), for one leader gives out the indices of a term, and a follower takes an entry only behind the
//! one that the leader has before it.

use crate::id::{KeyId, LogIndex, Position, Term, Version};
use crate::protocol::store::Store;

use super::apply::apply;
use super::config::Rules;
use super::message::Entry;

/// An entry of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct LogEntry {
    /// The term of the leader that accepted it.
    pub term: Term,
    /// The write.
    pub entry: Entry,
}

/// The log as a node has it: everything up to `base` as a store, and the entries behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ReplicatedLog {
    base: Position,
    /// What the entries up to the base made of the store.
    before: Store,
    entries: Vec<LogEntry>,
    /// The tombstones that were purged, and up to which index the log went then, in order.
    purged: Vec<(LogIndex, KeyId, Version)>,
}

impl ReplicatedLog {
    /// A log of which only the state at `base` is known.
    pub(super) const fn from_state(base: Position, before: Store) -> Self {
        Self { base, before, entries: Vec::new(), purged: Vec::new() }
    }

    /// The last entry's position.
    pub(super) fn last(&self) -> Position {
        let index = self.base.index.plus(self.entries.len() as u64);
        self.entries.last().map_or(self.base, |last| Position { term: last.term, index })
    }

    /// The position of the entry at `index`; `None` below the base, whose entries are forgotten, and behind the end.
    pub(super) fn at(&self, index: LogIndex) -> Option<Position> {
        if index == self.base.index {
            return Some(self.base);
        }
        let entry = self.entries.get(self.place(index)?)?;
        Some(Position { term: entry.term, index })
    }

    fn place(&self, index: LogIndex) -> Option<usize> {
        usize::try_from(index.0.checked_sub(self.base.index.0 + 1)?).ok()
    }

    /// Whether `position` is in this log, and so everything before it too.
    pub(super) fn has(&self, position: Position) -> bool {
        self.at(position.index) == Some(position)
    }

    pub(super) fn push(&mut self, entry: LogEntry) {
        self.entries.push(entry);
    }

    /// The entries behind `index` up to `until`, both at or above the base.
    pub(super) fn between(&self, index: LogIndex, until: LogIndex) -> &[LogEntry] {
        let place = |index: LogIndex| {
            let place =
                usize::try_from(index.0.saturating_sub(self.base.index.0)).unwrap_or(usize::MAX);
            place.min(self.entries.len())
        };
        &self.entries[place(index)..place(until).max(place(index))]
    }

    /// The last position whose term and index are both at most those of `other`: no later one can be in common with
    /// a log that ends there. `None` when that lies below the base.
    pub(super) fn last_up_to(&self, other: Position) -> Option<Position> {
        let index = other.index.min(self.last().index);
        let reachable = self.between(self.base.index, index);
        let place = reachable.iter().rposition(|entry| entry.term <= other.term);
        match place {
            Some(place) => self.at(self.base.index.plus(1 + place as u64)),
            None => (self.base.term <= other.term && self.base.index <= index).then_some(self.base),
        }
    }

    /// Cuts off everything behind `index`, which is at or above the base: what is cut off, oldest first.
    pub(super) fn cut_behind(&mut self, index: LogIndex) -> Vec<LogEntry> {
        let keep = usize::try_from(index.0.saturating_sub(self.base.index.0)).unwrap_or(usize::MAX);
        for (at, ..) in &mut self.purged {
            *at = (*at).min(index);
        }
        self.entries.split_off(keep.min(self.entries.len()))
    }

    /// A tombstone was purged: it is not to come back when the store is made of the log once more.
    pub(super) fn purged(&mut self, key: KeyId, version: Version) {
        self.purged.push((self.last().index, key, version));
    }

    /// The store that the log makes.
    pub(super) fn store(&self, rules: Rules) -> Store {
        let mut store = self.before.clone();
        let mut purged = self.purged.iter().peekable();
        let mut purge = |store: &mut Store, index| {
            while let Some((_, key, version)) = purged.next_if(|(at, ..)| *at <= index) {
                store.purge(*key, *version);
            }
        };
        purge(&mut store, self.base.index);
        for (entry, index) in self.entries.iter().zip(self.base.index.0 + 1..) {
            apply(&mut store, entry.entry, rules);
            purge(&mut store, LogIndex(index));
        }
        store
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::{KeyId, NodeId, Version};
    use crate::protocol::Stored;

    fn at(term: u32, index: u64) -> Position {
        Position { term: Term(term), index: LogIndex(index) }
    }

    fn entry(term: u32) -> LogEntry {
        let version = Version { timestamp: 0, node: NodeId(0), sequence: 0 };
        LogEntry {
            term: Term(term),
            entry: Entry::register(KeyId(0), Stored { value: None, version }),
        }
    }

    fn log(base: Position, terms: &[u32]) -> ReplicatedLog {
        let mut log = ReplicatedLog::from_state(base, Store::default());
        for term in terms {
            log.push(entry(*term));
        }
        log
    }

    #[test]
    fn positions_are_found_at_and_above_the_base() {
        let base = at(2, 5);
        let mut log = log(base, &[2, 3, 3]);
        assert_eq!(log.last(), at(3, 8));
        assert_eq!((log.at(LogIndex(4)), log.at(LogIndex(9))), (None, None));
        assert!(log.has(base) && log.has(at(2, 6)));
        assert!(!log.has(at(2, 7)));
        assert_eq!(log.between(LogIndex(6), LogIndex(7)), [entry(3)]);
        assert_eq!(log.last_up_to(at(2, 9)), log.at(LogIndex(6)));
        assert_eq!(log.last_up_to(at(1, 9)), None);
        assert_eq!(log.cut_behind(LogIndex(6)), [entry(3), entry(3)]);
        assert_eq!(log.last(), at(2, 6));
        assert_eq!(log.cut_behind(LogIndex(5)).len(), 1);
        assert_eq!(log.last(), base);
    }

    proptest! {
        /// The twin is a plain list of terms. A leader that steps back by `last_up_to` finds the longest common prefix.
        #[test]
        fn stepping_back_ends_at_the_longest_common_prefix(
            common in proptest::collection::vec(1..4_u32, 0..8),
            ours in proptest::collection::vec(0..3_u32, 0..6),
            theirs in proptest::collection::vec(0..3_u32, 0..6),
        ) {
            let terms = |own: &[u32], parity: u32| {
                let mut terms = common.clone();
                terms.sort_unstable();
                let mut term = terms.last().copied().unwrap_or(0) + 1;
                // One leader a term: what differs never has the same term.
                term += (term + parity) % 2;
                for step in own {
                    term += 2 * step;
                    terms.push(term);
                }
                terms
            };
            let (ours, theirs) = (terms(&ours, 0), terms(&theirs, 1));
            let (leader, follower) = (log(Position::default(), &ours), log(Position::default(), &theirs));
            let mut hint = follower.last();
            let mut rounds = 0;
            let found = loop {
                let candidate = leader.last_up_to(hint).expect("nothing is forgotten");
                if follower.has(candidate) {
                    break candidate;
                }
                hint = follower.last_up_to(candidate).expect("nothing is forgotten");
                rounds += 1;
                prop_assert!(rounds < 20);
            };
            let same = ours.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
            prop_assert_eq!(found.index, LogIndex(same as u64));
        }
    }
}
