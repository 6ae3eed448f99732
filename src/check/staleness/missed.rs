//! Which acknowledged writes of a key a read misses: the first of them, and how many.
//!
//! The writes are in the order of their acknowledgements. A read can miss only writes that ended
//! after the write that it found was invoked. Of those it misses each that has a greater version,
//! and each that was invoked after the found write had ended. A tree of maxima finds the first; a
//! Fenwick tree over the versions counts them for all stale reads at once. So a read that is far
//! behind costs no more than another.

use std::cell::OnceCell;

use crate::check::order::Write;
use crate::id::Version;

/// Up to this many writes are compared one by one, without a tree.
const FEW: usize = 24;

/// The writes of a key in the order of their acknowledgements.
#[derive(Debug, Default)]
pub(super) struct WritesByAck {
    writes: Vec<Write>,
    ranked: OnceCell<Ranked>,
}

#[derive(Debug)]
struct Ranked {
    versions: Vec<Version>,
    by_version: Maxima,
    by_invocation: Maxima,
    by_age: Maxima,
}

/// The writes that a read misses, before they are counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct MissedWrites {
    /// The place of the first.
    pub(super) first: usize,
    /// An upper bound of their number: `below` says which of them are not missed.
    upper: u64,
    /// Writes of at most this version between these places are not missed.
    below: Option<(usize, usize, Version)>,
}

impl WritesByAck {
    pub(super) fn of(mut writes: Vec<Write>) -> Self {
        writes.sort_unstable_by_key(|write| write.end);
        Self { writes, ranked: OnceCell::new() }
    }

    pub(super) fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// How many were acknowledged before the place `seq`.
    pub(super) fn before(&self, seq: u32) -> usize {
        self.writes.partition_point(|write| write.end < seq)
    }

    /// What a read of the value that `found` wrote misses of the first `until` writes.
    pub(super) fn missed_by(&self, found: &Write, until: usize) -> Option<MissedWrites> {
        let from = self.before(found.invoked);
        if from >= until {
            return None;
        }
        let window = &self.writes[from..until];
        if window.len() <= FEW {
            let first = window.iter().position(|write| found.is_older_than(write))?;
            let count = window.iter().filter(|write| found.is_older_than(write)).count();
            return Some(MissedWrites { first: from + first, upper: count as u64, below: None });
        }
        let Ranked { versions, by_version, by_invocation, by_age } = self.ranked();
        let rank = rank(versions, found.version);
        let first = [
            by_version.first_above((from, until), rank),
            by_invocation.first_above((from, until), found.end),
        ];
        let first = first.into_iter().flatten().min()?;
        // Up to `middle`, writes ended before the found one, so only a greater version is missed.
        let middle = self.writes.partition_point(|write| write.end <= found.end).min(until);
        let middle = middle.max(from);
        let mut upper = (until - from) as u64;
        let mut at = middle;
        // Later writes are missed unless they were concurrent and have no greater version: few.
        while let Some(place) = by_age.first_above((at, until), u32::MAX - found.end) {
            upper -= u64::from(self.writes[place].version <= found.version);
            at = place + 1;
        }
        Some(MissedWrites { first, upper, below: Some((from, middle, found.version)) })
    }

    fn ranked(&self) -> &Ranked {
        self.ranked.get_or_init(|| {
            let mut versions: Vec<Version> =
                self.writes.iter().map(|write| write.version).collect();
            versions.sort_unstable();
            let writes = || self.writes.iter();
            Ranked {
                by_version: Maxima::of(writes().map(|write| rank(&versions, write.version))),
                by_invocation: Maxima::of(writes().map(|write| write.invoked)),
                by_age: Maxima::of(writes().map(|write| u32::MAX - write.invoked)),
                versions,
            }
        })
    }

    /// How many writes each of these reads misses.
    pub(super) fn count(&self, missed: &[MissedWrites]) -> Vec<u64> {
        let mut counts: Vec<u64> = missed.iter().map(|missed| missed.upper).collect();
        // How many writes up to a place have at most a version; for which read; added or not.
        let mut questions: Vec<(usize, usize, Version, bool)> = Vec::new();
        for (read, missed) in missed.iter().enumerate() {
            if let Some((from, until, version)) = missed.below {
                questions.push((from, read, version, true));
                questions.push((until, read, version, false));
            }
        }
        if questions.is_empty() {
            return counts;
        }
        questions.sort_unstable();
        let versions = &self.ranked().versions;
        let mut counted = Fenwick::new(versions.len());
        let mut place = 0;
        for (until, read, version, adds) in questions {
            while place < until {
                counted.add(rank(versions, self.writes[place].version));
                place += 1;
            }
            let below = counted.up_to(rank(versions, version));
            counts[read] = if adds { counts[read] + below } else { counts[read] - below };
        }
        counts
    }
}

/// How many of the sorted `versions` are at most `version`.
fn rank(versions: &[Version], version: Version) -> u32 {
    u32::try_from(versions.partition_point(|other| *other <= version)).expect("fewer than 2^32")
}

/// The maxima of numbers over halves, quarters and so on: a segment tree.
#[derive(Debug)]
struct Maxima {
    leaves: usize,
    tree: Vec<u32>,
}

impl Maxima {
    fn of(numbers: impl ExactSizeIterator<Item = u32>) -> Self {
        let leaves = numbers.len().next_power_of_two();
        let mut tree = vec![0; 2 * leaves];
        tree[leaves..].iter_mut().zip(numbers).for_each(|(leaf, number)| *leaf = number);
        for node in (1..leaves).rev() {
            tree[node] = tree[2 * node].max(tree[2 * node + 1]);
        }
        Self { leaves, tree }
    }

    /// The first place from `from` to before `until` whose number is above `bound`.
    fn first_above(&self, (from, until): (usize, usize), bound: u32) -> Option<usize> {
        if from >= until {
            return None;
        }
        let mut node = from + self.leaves;
        // Up, until the maximum of a subtree that starts here or to the right is above.
        while self.tree[node] <= bound {
            while node % 2 == 1 {
                if node == 1 {
                    return None;
                }
                node /= 2;
            }
            node += 1;
        }
        while node < self.leaves {
            node *= 2;
            if self.tree[node] <= bound {
                node += 1;
            }
        }
        Some(node - self.leaves).filter(|place| *place < until)
    }
}

/// Counts of ranks, with the count up to a rank in logarithmic time (Fenwick, 1994).
#[derive(Debug)]
struct Fenwick(Vec<u32>);

impl Fenwick {
    /// Without counts, for ranks from 1 to `ranks`.
    fn new(ranks: usize) -> Self {
        Self(vec![0; ranks + 1])
    }

    fn add(&mut self, rank: u32) {
        let mut i = rank as usize;
        while i < self.0.len() {
            self.0[i] += 1;
            i += i & i.wrapping_neg();
        }
    }

    fn up_to(&self, rank: u32) -> u64 {
        let (mut i, mut sum) = (rank as usize, 0);
        while i > 0 {
            sum += u64::from(self.0[i]);
            i &= i - 1;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::{NodeId, OpId};

    fn write(op: u32, (invoked, length, timestamp): (u32, u32, i64)) -> Write {
        let version = Version { timestamp, node: NodeId(0), sequence: 1 };
        // Completions and invocations never share a place.
        Write { op: Some(OpId(op)), invoked: 2 * invoked, end: 2 * (invoked + length) + 1, version }
    }

    #[test]
    fn the_first_number_above_a_bound_is_found_from_any_place() {
        let numbers = [3_u32, 1, 4, 1, 5, 9, 2];
        let maxima = Maxima::of(numbers.into_iter());
        for from in 0..=7 {
            for until in from..=7 {
                for bound in 0..10 {
                    let expected = (from..until).find(|place| numbers[*place] > bound);
                    assert_eq!(maxima.first_above((from, until), bound), expected);
                }
            }
        }
        assert_eq!(Maxima::of([7].into_iter()).first_above((0, 1), 7), None);
    }

    proptest! {
        /// The twin looks at every write; more than a few, so that the trees are asked.
        #[test]
        fn a_read_misses_the_writes_that_what_it_found_is_older_than(
            told in prop::collection::vec((0..60_u32, 0..20_u32, 0..30_i64), 0..90),
            reads in prop::collection::vec(
                (any::<prop::sample::Index>(), any::<bool>(), 0..170_u32),
                1..6,
            ),
        ) {
            let writes: Vec<Write> = (0..).zip(told).map(|(op, told)| write(op, told)).collect();
            if writes.is_empty() {
                return Ok(());
            }
            let acknowledged = WritesByAck::of(writes.clone());
            let (mut found, mut expected) = (Vec::new(), Vec::new());
            for (index, open, seq) in reads {
                let mut seen = writes[index.index(writes.len())];
                if open {
                    seen = Write { end: u32::MAX, ..seen };
                }
                let until = acknowledged.before(2 * seq);
                let older = |write: &&Write| seen.is_older_than(write);
                let there = &acknowledged.writes()[..until];
                let first = there.iter().position(|write| seen.is_older_than(write));
                let missed = acknowledged.missed_by(&seen, until);
                prop_assert_eq!(missed.map(|missed| missed.first), first);
                if let Some(missed) = missed {
                    found.push(missed);
                    expected.push(there.iter().filter(older).count() as u64);
                }
            }
            prop_assert_eq!(acknowledged.count(&found), expected);
        }
    }
}
