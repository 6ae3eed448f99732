//! Where the timestamp of a write comes from.
//!
//! | source | a write's timestamp | orders writes by |
//! |---|---|---|
//! | wall | the leader's wall clock | real time, as far as that clock is right |
//! | hybrid | the same, but above every timestamp the leader has seen (Kulkarni et al., "Logical physical clocks", 2014) | what the leader knew |
//! | client | the client's wall clock when it invoked the write | real time, as far as all clients' clocks are right |
//! | term and sequence | the leader's term, then how many writes it has stamped | the leader's order |

use crate::id::Version;
use crate::protocol::Context;
use crate::protocol::store::Ties;
use crate::time::{Span, Wall};

use super::LeaderFollower;

/// How writes are stamped, and how stamps are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamps {
    /// Where a timestamp comes from.
    pub source: TimestampSource,
    /// What a clock's reading is rounded down to a multiple of; at least 1 ns.
    pub resolution: Span,
    /// Which of two writes with one timestamp wins.
    pub ties: Ties,
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

    /// A write of this version was received or replayed.
    #[inline]
    pub(super) fn sees(&mut self, version: Version) {
        self.newest_seen = self.newest_seen.max(version.timestamp);
    }
}

impl LeaderFollower {
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
                (u64::from(self.term()) << 32 | u64::from(sequence)).cast_signed()
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
