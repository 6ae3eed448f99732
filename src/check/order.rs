//! The order of the writes of a key, and what explains that a read did not find one.
//!
//! **Real time orders two writes where one completed before the other was invoked; versions order
//! only concurrent writes.** A wrong clock gives a later write the lower version, and that does not
//! excuse what clients were told. A write of unknown outcome never completes, so it is concurrent
//! with everything that is invoked after it.
//!
//! The relation is not transitive, because versions may contradict real time. "Older than any of
//! these" is therefore decided for each relevant write and not for one maximum: a [`Front`] keeps
//! the writes that no other makes redundant.

use crate::id::{OpId, Version};

/// The version of a removal whose version is unknown: above that of every write.
pub(super) const UNKNOWN_REMOVAL: Version =
    Version { timestamp: i64::MAX, node: crate::id::NodeId(u16::MAX), sequence: u32::MAX };

/// A write of a key and its place among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Write {
    /// The operation; `None` for a value that no known operation wrote.
    pub(super) op: Option<OpId>,
    /// The place of its invocation in the history.
    pub(super) invoked: u32,
    /// The place after which it cannot take effect any more ([`crate::history::Entry::end`]).
    pub(super) end: u32,
    pub(super) version: Version,
}

impl Write {
    /// A value of which only the version is known: it may have been written at any time.
    pub(super) const fn unknown(version: Version) -> Self {
        Self { op: None, invoked: 0, end: u32::MAX, version }
    }

    /// Whether it completed before `other` was invoked.
    pub(super) const fn precedes(&self, other: &Self) -> bool {
        self.end < other.invoked
    }

    /// Whether it comes before `other`: by real time, or by version if they were concurrent.
    pub(super) fn is_older_than(&self, other: &Self) -> bool {
        let is_same = self.op.is_some() && self.op == other.op;
        !is_same && !other.precedes(self) && (self.precedes(other) || self.version < other.version)
    }

    /// Whether every write that is older than `other` is older than this one too.
    fn stands_for(&self, other: &Self) -> bool {
        self.version >= other.version && self.invoked >= other.invoked && self.end >= other.end
    }
}

/// Writes of a key, without those for which another one stands: usually a single one.
#[derive(Clone, Debug, Default)]
pub(super) struct Front {
    last: Option<Write>,
    others: Vec<Write>,
}

impl Front {
    /// Adds a write.
    pub(super) fn insert(&mut self, write: Write) {
        let Some(last) = self.last.replace(write) else { return };
        self.others.retain(|other| !write.stands_for(other));
        if write.stands_for(&last) {
            return;
        }
        if last.stands_for(&write) || self.others.iter().any(|other| other.stands_for(&write)) {
            self.last = Some(last);
        } else {
            self.others.push(last);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Write> {
        self.last.iter().chain(&self.others)
    }
}

/// Writes of one kind on a key that explain why a read did not find another write: one of them may
/// have come after it.
#[derive(Clone, Debug, Default)]
pub(super) struct Explaining {
    /// Those that completed, in the order of their invocations, each with the latest end so far.
    closed: Vec<(Write, u32)>,
    /// Those that may take effect at any time, in the order of invocation, each with the greatest
    /// version so far.
    open: Vec<(Write, Version)>,
}

impl Explaining {
    /// Adds a write, which was invoked after all before it.
    pub(super) fn push(&mut self, write: Write) {
        if write.end == u32::MAX {
            let greatest = self.open.last().map_or(write.version, |(_, v)| write.version.max(*v));
            self.open.push((write, greatest));
        } else {
            let latest = self.closed.last().map_or(write.end, |(_, end)| write.end.max(*end));
            self.closed.push((write, latest));
        }
    }

    /// The last invocation before the place `before`.
    pub(super) fn last_invoked(&self, before: u32) -> Option<u32> {
        let (closed, open) = self.until(before);
        let last = |writes: &[(Write, _)]| writes.last().map(|(write, _)| write.invoked);
        last(closed).max(open.last().map(|(write, _)| write.invoked))
    }

    #[expect(clippy::type_complexity, reason = "the two lists, cut")]
    fn until(&self, before: u32) -> (&[(Write, u32)], &[(Write, Version)]) {
        let closed = self.closed.partition_point(|(write, _)| write.invoked < before);
        let open = self.open.partition_point(|(write, _)| write.invoked < before);
        (&self.closed[..closed], &self.open[..open])
    }

    /// Whether some write that was invoked before the place `before` is not older than `write`:
    /// then the read may have seen it.
    pub(super) fn explains(&self, write: &Write, before: u32) -> bool {
        let (closed, open) = self.until(before);
        if let Some((last, greatest)) = open.last()
            && (write.precedes(last) || *greatest >= write.version)
        {
            return true;
        }
        // Writes that ended before `write` was invoked are older.
        let may = closed.iter().rev().take_while(|(_, latest)| *latest >= write.invoked);
        may.into_iter().any(|(explaining, _)| !explaining.is_older_than(write))
    }

    /// Whether some write that was invoked before `before` is not older than `write`, and `shown`
    /// is not older than it.
    pub(super) fn allows(&self, write: &Write, shown: &Write, before: u32) -> bool {
        let (closed, open) = self.until(before);
        let fits = |e: &Write| !e.is_older_than(write) && !shown.is_older_than(e);
        let may = closed.iter().rev().take_while(|(_, latest)| *latest >= write.invoked);
        may.into_iter().any(|(e, _)| fits(e)) || open.iter().rev().any(|(e, _)| fits(e))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::NodeId;

    fn write(op: u32, invoked: u32, end: u32, timestamp: i64) -> Write {
        let version = Version { timestamp, node: NodeId(0), sequence: 1 };
        Write { op: Some(OpId(op)), invoked, end, version }
    }

    #[test]
    fn real_time_orders_first_and_versions_only_what_was_concurrent() {
        let (early, late) = (write(0, 1, 2, 9), write(1, 3, 4, 5));
        assert!(early.is_older_than(&late) && !late.is_older_than(&early));
        let concurrent = write(2, 2, 5, 7);
        assert!(late.is_older_than(&concurrent) && !concurrent.is_older_than(&late));
        let unknown = write(3, 0, u32::MAX, 6);
        assert!(late.is_older_than(&unknown) && unknown.is_older_than(&concurrent));
        assert!(!early.is_older_than(&early));
        assert!(!Write::unknown(early.version).is_older_than(&Write::unknown(early.version)));
    }

    fn writes() -> impl Strategy<Value = Vec<Write>> {
        let one = (0..12_u32, 0..8_u32, any::<bool>(), 0..6_i64);
        prop::collection::vec(one, 0..10).prop_map(|told| {
            let mut writes: Vec<Write> = (0..)
                .zip(told)
                .map(|(op, (invoked, length, open, timestamp))| {
                    let end =
                        if open && length < 3 { u32::MAX } else { 2 * (invoked + length) + 1 };
                    write(op, 2 * invoked, end, timestamp)
                })
                .collect();
            writes.sort_by_key(|write| write.invoked);
            writes
        })
    }

    proptest! {
        /// The twin keeps all.
        #[test]
        fn whatever_is_older_than_one_of_many_is_older_than_one_of_the_front(
            many in writes(),
            one in (0..24_u32, 0..12_u32, 0..6_i64),
        ) {
            let mut front = Front::default();
            many.iter().for_each(|write| front.insert(*write));
            let one = write(99, one.0, one.0 + one.1, one.2);
            let by_front = front.iter().any(|write| one.is_older_than(write));
            prop_assert_eq!(by_front, many.iter().any(|write| one.is_older_than(write)));
            prop_assert!(front.iter().count() <= many.len());
        }

        /// The twin asks each.
        #[test]
        fn a_write_is_explained_by_one_that_is_not_older(
            many in writes(),
            (missed, shown) in ((0..24_u32, 0..12_u32, 0..6_i64), (0..24_u32, 0..12_u32, 0..6_i64)),
            before in 0..30_u32,
        ) {
            let mut explaining = Explaining::default();
            many.iter().for_each(|write| explaining.push(*write));
            let missed = write(98, missed.0, missed.0 + missed.1, missed.2);
            let shown = write(99, shown.0, shown.0 + shown.1, shown.2);
            let invoked = || many.iter().filter(|e| e.invoked < before);
            let explains = invoked().any(|e| !e.is_older_than(&missed));
            prop_assert_eq!(explaining.explains(&missed, before), explains);
            let allows =
                invoked().any(|e| !e.is_older_than(&missed) && !shown.is_older_than(e));
            prop_assert_eq!(explaining.allows(&missed, &shown, before), allows);
            prop_assert_eq!(explaining.last_invoked(before), invoked().map(|e| e.invoked).max());
        }
    }
}
