//! Where the version of a write comes from.
//!
//! - **wall**: the node's wall clock. Orders writes in real time, as far as that clock is right.
//! - **hybrid**: the same, but above every timestamp that the node has seen (Kulkarni et al.,
//!   "Logical physical clocks", 2014). Orders them by what the node knew.
//! - **client**: the client's wall clock when it invoked the write. Orders them in real time, as
//!   far as all clients' clocks are right.
//! - **term and sequence**: the leader's term, then how many writes it has stamped. Orders them as
//!   the leader did.
//!
//! A node knows the newest timestamp that it has seen and how many writes it has stamped, whatever
//! becomes of those writes, and has to know both again after a start: only then is no version given
//! twice, and what a hybrid clock stamps is above all that the node ever had. Most of it is shown
//! by the writes that the node stores. The protocol has to write the others down itself.

use crate::id::{NodeId, Term, Version};
use crate::time::{Span, Wall};

use super::entry::StoredEntry;
use super::store::TieBreak;

/// How writes are stamped, and how stamps are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamps {
    /// Where a timestamp comes from.
    pub source: TimestampSource,
    /// What a clock's reading is rounded down to a multiple of; at least 1 ns.
    pub resolution: Span,
    /// Which of two writes with one timestamp wins.
    pub ties: TieBreak,
}

/// Where a write's timestamp comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampSource {
    /// The leader's wall clock.
    Wall,
    /// The leader's wall clock, but above every timestamp it has seen.
    Hybrid,
    /// The client's wall clock.
    Client,
    /// The leader's term, then the number of the write.
    TermSequence,
}

/// The stamps that a node has given and seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamps {
    /// The greatest timestamp that the node has stamped, received or read from its log.
    newest: i64,
    /// How many writes it has stamped.
    given: u32,
    /// What the clock showed of the client that is being served.
    client: Wall,
}

impl Stamps {
    /// A client is served whose clock showed this when it asked.
    #[inline]
    pub const fn serve(&mut self, stamped: Wall) {
        self.client = stamped;
    }

    /// What the clock showed of the client that is being served.
    #[must_use]
    pub const fn client(&self) -> Wall {
        self.client
    }

    /// The greatest timestamp that the node has seen.
    #[must_use]
    pub const fn newest(&self) -> i64 {
        self.newest
    }

    /// How many writes the node has stamped.
    #[must_use]
    pub const fn given(&self) -> u32 {
        self.given
    }

    /// There is a write with this timestamp, or was; whether it is newer than all seen before.
    #[inline]
    pub fn see(&mut self, timestamp: i64) -> bool {
        let is_new = timestamp > self.newest;
        self.newest = self.newest.max(timestamp);
        is_new
    }

    /// The node, `me`, takes in a write of this version, however it came by it: what it stamps from
    /// now on is another version, and by a hybrid clock a later one. Whether its timestamp is newer
    /// than all seen before.
    #[inline]
    pub fn note(&mut self, version: Version, me: NodeId) -> bool {
        if version.node == me {
            self.has_given(version.sequence);
        }
        self.see(version.timestamp)
    }

    /// The node has stamped so many writes, whatever became of them.
    #[inline]
    pub fn has_given(&mut self, count: u32) {
        self.given = self.given.max(count);
    }

    /// The newest timestamp that the node has seen, if these entries of its do not show it.
    #[must_use]
    pub fn newest_beyond(&self, entries: &[StoredEntry]) -> Option<i64> {
        let shown = entries.iter().map(|entry| entry.stored.version.timestamp).max();
        (self.newest > shown.unwrap_or(0)).then_some(self.newest)
    }

    /// The version of the next write of the node `me`.
    #[inline]
    pub fn stamp(&mut self, by: Timestamps, me: NodeId, term: Term, wall: Wall) -> Version {
        self.given += 1;
        let sequence = self.given;
        let timestamp = match by.source {
            TimestampSource::Wall => rounded(wall, by.resolution),
            TimestampSource::Hybrid => {
                rounded(wall, by.resolution).max(self.newest.saturating_add(1))
            }
            TimestampSource::Client => rounded(self.client, by.resolution),
            TimestampSource::TermSequence => {
                (u64::from(term.0) << 32 | u64::from(sequence)).cast_signed()
            }
        };
        if by.source == TimestampSource::Hybrid {
            self.see(timestamp);
        }
        Version { timestamp, node: me, sequence }
    }
}

/// The reading rounded down; resolutions are at least a nanosecond.
#[inline]
fn rounded(wall: Wall, resolution: Span) -> i64 {
    match resolution.nanos() {
        0 | 1 => wall.0,
        step => {
            let step = i64::try_from(step).unwrap_or(i64::MAX);
            wall.0.saturating_sub(wall.0.rem_euclid(step))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::KeyId;
    use crate::protocol::Stored;

    #[test]
    fn a_reading_is_rounded_down_on_both_sides_of_zero() {
        let ms = Span::from_millis(1);
        assert_eq!(rounded(Wall(1_999_999), ms), 1_000_000);
        assert_eq!(rounded(Wall(2_000_000), ms), 2_000_000);
        assert_eq!(rounded(Wall(-1), ms), -1_000_000);
        assert_eq!(rounded(Wall(-1), Span::from_nanos(1)), -1);
        assert_eq!(rounded(Wall(i64::MIN), ms), i64::MIN);
    }

    /// What the entries show need not be said beside them.
    #[test]
    fn a_timestamp_that_the_entries_show_is_not_told_again() {
        let mut stamps = Stamps::default();
        let version = Version { timestamp: 5, ..Version::default() };
        let entry = StoredEntry::register(KeyId(0), Stored { value: None, version });
        assert_eq!(stamps.newest_beyond(&[]), None, "none was seen");
        stamps.see(5);
        assert_eq!(stamps.newest_beyond(&[entry]), None);
        assert_eq!(stamps.newest_beyond(&[]), Some(5));
        stamps.see(6);
        assert_eq!(stamps.newest_beyond(&[entry]), Some(6));
    }

    proptest! {
        /// The twin keeps every version that the node gave or took in.
        #[test]
        fn versions_are_given_once_and_by_a_hybrid_clock_above_all_that_was_seen(
            steps in proptest::collection::vec((0..2_u8, -3..9_i64, 0..2_u16, 0..9_u32), 0..30),
            source in prop_oneof![
                Just(TimestampSource::Wall),
                Just(TimestampSource::Hybrid),
                Just(TimestampSource::Client),
                Just(TimestampSource::TermSequence),
            ],
        ) {
            let by = Timestamps { source, resolution: Span::from_nanos(2), ties: TieBreak::NodeId };
            let (me, mut stamps, mut all) = (NodeId(0), Stamps::default(), Vec::<Version>::new());
            for (kind, at, node, sequence) in steps {
                let newest = all.iter().map(|known| known.timestamp).max().unwrap_or(0).max(0);
                let version = if kind == 0 {
                    stamps.serve(Wall(at - 1));
                    let version = stamps.stamp(by, me, Term(1), Wall(at));
                    prop_assert!(!all.contains(&version));
                    prop_assert!(source != TimestampSource::Hybrid || version.timestamp > newest);
                    if source == TimestampSource::Client {
                        prop_assert_eq!(version.timestamp, rounded(Wall(at - 1), by.resolution));
                    }
                    version
                } else {
                    Version { timestamp: at, node: NodeId(node), sequence }
                };
                // A hybrid clock has seen what it stamped, before the write comes to a store.
                if kind > 0 || source != TimestampSource::Hybrid {
                    stamps.note(version, me);
                }
                all.push(version);
                prop_assert_eq!(stamps.newest(), newest.max(version.timestamp));
                let own = all.iter().filter(|known| known.node == me).map(|known| known.sequence);
                prop_assert_eq!(stamps.given(), own.max().unwrap_or(0));
            }
        }
    }
}
