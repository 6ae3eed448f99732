//! A replicated log: entries in the order in which leaders accepted them, each at a (term, index).
//!
//! Two logs that have an entry of the same term at the same index are equal up to there (the log
//! matching property, Raft section 5.3): one leader gives out the indices of a term, and a follower
//! takes an entry only behind the one that the leader has before it.

use crate::id::{LogIndex, Position, Term};

/// An entry of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct LogEntry<T> {
    /// The term of the leader that accepted it.
    pub term: Term,
    /// What it says.
    pub entry: T,
}

/// The entries behind a base. What came before, the base included, is known only as the state that
/// it led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicatedLog<T> {
    base: Position,
    entries: Vec<LogEntry<T>>,
}

/// What makes a follower's log go on as its leader's does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension<'a, T> {
    /// Behind which index the follower's log differs, and has to be cut off first; `None` where it
    /// does not.
    pub cut: Option<LogIndex>,
    /// What is to be appended then.
    pub appended: &'a [LogEntry<T>],
    /// Up to which index the two logs are equal then.
    pub until: LogIndex,
}

impl<T> Default for ReplicatedLog<T> {
    fn default() -> Self {
        Self::from_base(Position::default())
    }
}

impl<T> ReplicatedLog<T> {
    /// A log of which only the state at `base` is known.
    #[must_use]
    pub const fn from_base(base: Position) -> Self {
        Self { base, entries: Vec::new() }
    }

    /// The position before the first entry.
    #[must_use]
    pub const fn base(&self) -> Position {
        self.base
    }

    /// Every entry, with its index.
    pub fn iter(&self) -> impl Iterator<Item = (LogIndex, &LogEntry<T>)> {
        (self.base.index.next().0..).map(LogIndex).zip(&self.entries)
    }

    /// The last entry's position; that of the base where there is none.
    #[must_use]
    #[inline]
    pub fn last(&self) -> Position {
        let index = self.base.index.plus(self.entries.len() as u64);
        self.entries.last().map_or(self.base, |last| Position { term: last.term, index })
    }

    /// The position at `index`; `None` below the base, whose entries are forgotten, and behind the
    /// end.
    #[must_use]
    pub fn at(&self, index: LogIndex) -> Option<Position> {
        if index == self.base.index {
            return Some(self.base);
        }
        let place = index.0.checked_sub(self.base.index.0 + 1)?;
        let entry = self.entries.get(usize::try_from(place).ok()?)?;
        Some(Position { term: entry.term, index })
    }

    /// Whether `position` is in this log, and so everything before it too.
    #[must_use]
    pub fn has(&self, position: Position) -> bool {
        self.at(position.index) == Some(position)
    }

    /// Appends an entry; its position.
    pub fn push(&mut self, entry: LogEntry<T>) -> Position {
        self.entries.push(entry);
        self.last()
    }

    /// How many entries come before the one behind `index`, all of them at most.
    fn place_behind(&self, index: LogIndex) -> usize {
        let place = usize::try_from(index.0.saturating_sub(self.base.index.0));
        place.unwrap_or(usize::MAX).min(self.entries.len())
    }

    /// The entries behind `index` up to `until`, both at or above the base.
    #[must_use]
    pub fn between(&self, index: LogIndex, until: LogIndex) -> &[LogEntry<T>] {
        let first = self.place_behind(index);
        &self.entries[first..self.place_behind(until).max(first)]
    }

    /// The last position whose term and index are both at most those of `other`: no later one can
    /// be in common with a log that ends there. `None` when that lies below the base.
    #[must_use]
    pub fn last_up_to(&self, other: Position) -> Option<Position> {
        let index = other.index.min(self.last().index);
        let reachable = self.between(self.base.index, index);
        match reachable.iter().rposition(|entry| entry.term <= other.term) {
            Some(place) => self.at(self.base.index.plus(1 + place as u64)),
            None => (self.base.term <= other.term && self.base.index <= index).then_some(self.base),
        }
    }

    /// How this log is to change so that behind `previous`, which it has, it goes on with
    /// `entries`. Entries that it has already change nothing, also where more follow them in this
    /// log.
    ///
    /// # Panics
    ///
    /// When the log does not have `previous`.
    #[must_use]
    pub fn extension<'a>(
        &self,
        previous: Position,
        entries: &'a [LogEntry<T>],
    ) -> Extension<'a, T> {
        assert!(self.has(previous), "entries follow a position that the log has");
        let held = self.between(previous.index, self.last().index);
        let pairs = held.iter().zip(entries);
        let known = pairs.take_while(|(held, entry)| held.term == entry.term).count();
        let common = previous.index.plus(known as u64);
        let differs = known < held.len() && known < entries.len();
        Extension {
            cut: differs.then_some(common),
            appended: &entries[known..],
            until: previous.index.plus(entries.len() as u64),
        }
    }

    /// Cuts off everything behind `index`, which is at or above the base: what is cut off, oldest
    /// first.
    pub fn cut(&mut self, index: LogIndex) -> Vec<LogEntry<T>> {
        let keep = self.place_behind(index);
        self.entries.split_off(keep)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(term: u32, index: u64) -> Position {
        Position { term: Term(term), index: LogIndex(index) }
    }

    fn entry(term: u32) -> LogEntry<()> {
        LogEntry { term: Term(term), entry: () }
    }

    fn log(base: Position, terms: &[u32]) -> ReplicatedLog<()> {
        let mut log = ReplicatedLog::from_base(base);
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
        assert_eq!(log.cut(LogIndex(6)), [entry(3), entry(3)]);
        assert_eq!(log.last(), at(2, 6));
        assert_eq!(log.cut(LogIndex(5)).len(), 1);
        assert_eq!(log.last(), base);
    }

    proptest! {
        /// The twin is a plain list of terms. A leader that steps back by `last_up_to` finds the
        /// longest common prefix.
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
            let start = Position::default();
            let (leader, follower) = (log(start, &ours), log(start, &theirs));
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

        /// The twin is the list of the terms of both, of which the follower's is cut where the two
        /// first differ, if the leader's goes on there.
        #[test]
        fn an_extended_log_goes_on_as_the_leaders_does(
            ours in proptest::collection::vec(0..3_u32, 0..7),
            sent in proptest::collection::vec(0..3_u32, 0..7),
            base in 0..4_usize,
        ) {
            let rising = |steps: &[u32]| {
                let rise = |term: &mut u32, step: &u32| { *term += step; Some(*term) };
                steps.iter().scan(1, rise).collect::<Vec<_>>()
            };
            let (ours, sent) = (rising(&ours), rising(&sent));
            let common = ours.iter().zip(&sent).take_while(|(a, b)| a == b).count();
            let base = base.min(common);
            let position = |length: usize| match length {
                0 => Position::default(),
                _ => at(ours[length - 1], length as u64),
            };
            for previous in base..=common {
                let mut follower = log(position(base), &ours[base..]);
                let entries: Vec<_> = sent[previous..].iter().map(|term| entry(*term)).collect();
                let Extension { cut, appended, until } =
                    follower.extension(position(previous), &entries);
                let cut = cut.map(|index| (index, follower.cut(index)));
                for entry in appended {
                    follower.push(*entry);
                }
                let differs = common < ours.len() && common < sent.len();
                let twin = if differs || sent.len() > ours.len() { &sent } else { &ours };
                let terms: Vec<u32> = follower.iter().map(|(_, entry)| entry.term.0).collect();
                prop_assert_eq!(&terms, &twin[base..]);
                prop_assert_eq!(until, LogIndex(sent.len() as u64));
                prop_assert_eq!(cut.is_some(), differs);
                if let Some((index, cut)) = cut {
                    prop_assert_eq!(index, LogIndex(common as u64));
                    prop_assert_eq!(cut.len(), ours.len() - common);
                }
                for (index, entry) in follower.iter() {
                    prop_assert_eq!(follower.at(index), Some(Position { term: entry.term, index }));
                }
            }
        }
    }
}
