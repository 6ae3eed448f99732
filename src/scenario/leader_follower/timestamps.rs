//! How `[protocol.leader-follower]` stamps writes, and how long it keeps tombstones.

use crate::protocol::leader_follower::{Config, Deletes, TimestampSource};
use crate::protocol::parts::store::TieBreak;
use crate::scenario::keys::{Given, Section, interval, keys, positive_duration, words};
use crate::time::Span;

const SOURCES: [(&str, TimestampSource); 4] = [
    ("wall", TimestampSource::Wall),
    ("hybrid", TimestampSource::Hybrid),
    ("client", TimestampSource::Client),
    ("term-sequence", TimestampSource::TermSequence),
];
const TIES: [(&str, TieBreak); 2] =
    [("node-id", TieBreak::NodeId), ("keep-existing", TieBreak::KeepExisting)];

/// The section with these keys.
pub(super) fn with_timestamps(section: Section<Config>) -> Section<Config> {
    section.with(keys! { |config: Config|
        /// What a write is stamped by: the leader's wall clock; the same, but above every
        /// timestamp it has seen; the client's wall clock; or the leader's term and the number
        /// of the write.
        "timestamps" => config.timestamps.source, words(SOURCES);
        /// What a timestamp of a clock is rounded down to a multiple of.
        "timestamp-resolution" => config.timestamps.resolution, positive_duration();
        /// Which of two writes with one timestamp wins: that of the higher node id, and of one
        /// node the later; or the one that is there already.
        "ties" => config.timestamps.ties, words(TIES);
        /// How old a tombstone gets before a node removes it; `off`: it stays.
        "tombstone-grace" => config.tombstone_grace, interval().or_word("off"),
            checked(has_an_age);
    })
}

/// Refuses a grace if there are no tombstones, or if timestamps do not tell their age.
fn has_an_age(grace: Option<Span>, given: &Given<'_, '_, Config>) -> Option<Option<Span>> {
    let config = &given.draft.value;
    let (setting, title, label) = if grace.is_none() {
        return Some(grace);
    } else if config.deletes == Deletes::Erase {
        let label = "with deletes `erase` there are none to keep";
        ("deletes", "`tombstone-grace` needs tombstones", label)
    } else if config.timestamps.source == TimestampSource::TermSequence {
        let label = "a term and a sequence do not tell how old a tombstone is";
        ("timestamps", "`tombstone-grace` needs timestamps of a clock", label)
    } else {
        return Some(grace);
    };
    if given.is_left_behind(setting) {
        return Some(None);
    }
    given.element.wrong(title, label)
}
