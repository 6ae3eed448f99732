//! Where the timestamp of a write comes from.
//!
//! | source | a write's timestamp | orders writes by |
//! |---|---|---|
//! | wall | the leader's wall clock | real time, as far as that clock is right |
//! | hybrid | the same, but above every timestamp the leader has seen (Kulkarni et al., "Logical physical clocks", 2014) | what the leader knew |
//! | client | the client's wall clock when it invoked the write | real time, as far as all clients' clocks are right |
//! | term and sequence | the leader's term, then how many writes it has stamped | the leader's order |

//!
//! A node knows the newest timestamp that it has seen, and how many writes it has stamped, whatever becomes of those
//! writes, and knows both again after a start: what a hybrid clock stamps is above all that the node ever had, and no
//! stamp is given twice. Most of it is shown by the writes in its log and in states that others send. What these do
//! not show (a delete that found nothing to erase, a clear of nothing, a write that was older than what its key held,
//! the number of a state) is kept and sent beside them: [`Record::Seen`], [`super::Installed::seen`].

use crate::id::Version;
use crate::protocol::Context;
use crate::protocol::store::TieBreak;
use crate::time::{Span, Wall};

use super::LeaderFollower;
use super::journal::Record;
use super::message::Entry;

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

/// What a node stamps writes by, besides its clock.
#[derive(Debug, Default)]
pub(super) struct Stamping {
    /// The greatest timestamp that the node has stamped, received or read from its log.
    pub(super) newest_seen: i64,
    /// What the clock showed of the client that is being served.
    pub(super) client: Wall,
}

impl Stamping {
    /// A client is served whose clock showed this when it asked.
    pub(super) const fn serves(&mut self, stamped: Wall) {
        self.client = stamped;
    }

    /// There is a write with this timestamp, or was.
    #[inline]
    pub(super) fn sees(&mut self, timestamp: i64) {
        self.newest_seen = self.newest_seen.max(timestamp);
    }
}

impl LeaderFollower {
    /// Takes note of the stamp of whatever this node takes in, however it came by it: what it stamps from now on is
    /// another one, and by a hybrid clock a later one.
    #[inline]
    pub(super) fn note(&mut self, version: Version) {
        self.stamping.sees(version.timestamp);
        self.leading.has_stamped(version, self.me);
    }

    /// Takes note of a stamp that nothing this node stores will show, in its log too.
    pub(super) fn note_apart(&mut self, version: Version, cx: &mut Context<'_, Self>) {
        let known = self.stamping.newest_seen;
        self.note(version);
        if self.stamping.newest_seen > known {
            self.log_stamps(cx);
        }
    }

    /// Gives a stamp that no record of a write will show.
    pub(super) fn stamp_apart(&mut self, cx: &mut Context<'_, Self>) -> Version {
        let version = self.stamp(cx);
        self.log_stamps(cx);
        version
    }

    /// Writes down which stamps there were, for want of another record that shows it.
    pub(super) fn log_stamps(&mut self, cx: &mut Context<'_, Self>) {
        let record = self.stamps();
        self.log_record(self.term(), || record, cx);
    }

    /// The record of the stamps that there were.
    pub(super) const fn stamps(&self) -> Record {
        Record::Seen { newest: self.stamping.newest_seen, stamped: self.leading.stamped() }
    }

    /// The newest timestamp that this node has seen, if these entries of its do not show it.
    pub(super) fn seen_beyond(&self, entries: &[Entry]) -> Option<i64> {
        let shown = entries.iter().map(|entry| entry.stored.version.timestamp).max();
        let newest = self.stamping.newest_seen;
        (newest > shown.unwrap_or(Stamping::default().newest_seen)).then_some(newest)
    }

    /// The timestamp of this node's write number `sequence`.
    pub(super) fn timestamp(&self, sequence: u32, cx: &Context<'_, Self>) -> i64 {
        let Timestamps { source, resolution, .. } = self.config.timestamps;
        match source {
            TimestampSource::Wall => rounded(cx.wall(), resolution),
            TimestampSource::Hybrid => {
                let after_all_seen = self.stamping.newest_seen.saturating_add(1);
                rounded(cx.wall(), resolution).max(after_all_seen)
            }
            TimestampSource::Client => rounded(self.stamping.client, resolution),
            TimestampSource::TermSequence => {
                (u64::from(self.term().0) << 32 | u64::from(sequence)).cast_signed()
            }
        }
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
    use super::*;

    #[test]
    fn a_reading_is_rounded_down_on_both_sides_of_zero() {
        let ms = Span::from_millis(1);
        assert_eq!(rounded(Wall(1_999_999), ms), 1_000_000);
        assert_eq!(rounded(Wall(2_000_000), ms), 2_000_000);
        assert_eq!(rounded(Wall(-1), ms), -1_000_000);
        assert_eq!(rounded(Wall(-1), Span::from_nanos(1)), -1);
        assert_eq!(rounded(Wall(i64::MIN), ms), i64::MIN);
    }
}
