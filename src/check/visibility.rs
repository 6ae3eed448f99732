//! Visibility: how soon after its acknowledgement gets see a write.
//!
//! This is t-visibility (Bailis et al., "Probabilistically bounded staleness for practical partial
//! quorums", VLDB 2012) of single gets: how old the newest write was that a get should have seen,
//! and whether it saw that write or a newer one. [`super::order`] defines newer.

use std::collections::BTreeMap;

use crate::history::{Entry, Function, History, Writers};
use crate::id::{KeyId, OpId};
use crate::time::{Span, Time};

use super::facts::{ACCESSES, place};
use super::order::Write;

/// How fresh the answer to a get was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// How long before its invocation the newest write of its key had been acknowledged.
    pub since: Span,
    /// Whether it returned that write, or a newer one.
    pub seen: bool,
}

/// What one pass over the events knows of a key so far.
#[derive(Default)]
struct NewestOfKey {
    /// The newest write that was acknowledged, and when.
    newest: Option<(Write, Time)>,
    /// Whether anything ever removed the key: then a get of nothing may have seen that.
    removed: bool,
}

/// How fresh each get was, in the order of invocation. A get counts only if a write of its key was
/// acknowledged before. A get of nothing, not even a tombstone, counts only if nothing ever removed
/// the key; otherwise it is unknown what it saw.
pub(super) fn visibility(history: &History) -> Vec<Freshness> {
    let writers = Writers::of(history);
    let mut known: BTreeMap<KeyId, NewestOfKey> = BTreeMap::new();
    let mut cleared = false;
    for (_, entry) in history.accesses() {
        match entry.function {
            Function::Delete => known.entry(entry.key).or_default().removed = true,
            Function::Clear => cleared = true,
            Function::Put
            | Function::Get
            | Function::List
            | Function::ReadAll
            | Function::Append => {}
            Function::Cas | Function::Batch => unreachable!("{ACCESSES}"),
        }
    }
    let mut freshness = Vec::new();
    for (op, entry) in events(history) {
        let known = known.entry(entry.key).or_default();
        if entry.is_write() {
            let Some(version) = entry.version else { continue };
            let write = Write { version, ..place(op, entry) };
            if known.newest.is_none_or(|(newest, _)| !write.is_older_than(&newest)) {
                known.newest = Some((write, entry.completed_at));
            }
        } else if let Some((newest, at)) = known.newest {
            let seen = match entry.version {
                Some(version) => {
                    let writer = writers.found(entry, entry.key, entry.value, version);
                    let found = writer.map_or(Write::unknown(version), |op| Write {
                        version,
                        ..place(op, history.entry(op))
                    });
                    !found.is_older_than(&newest)
                }
                None if known.removed || cleared => continue,
                None => false,
            };
            freshness.push(Freshness { since: entry.invoked_at.since(at), seen });
        }
    }
    freshness
}

/// The completions of acknowledged writes of one key and the invocations of gets that completed, in
/// event order.
fn events(history: &History) -> Vec<(OpId, &Entry)> {
    let completed = history.accesses().filter(|(_, entry)| entry.is_ok());
    let mut events: Vec<(u32, OpId, &Entry)> = completed
        .filter_map(|(op, entry)| match entry.function {
            // What a compare-and-set has read comes without a version; and what a batch reads it
            // may have put itself.
            Function::Get if entry.access_of.is_some() => None,
            Function::Get => Some((entry.invoked_seq, op, entry)),
            Function::Put | Function::Delete | Function::Append => {
                Some((entry.completed_seq, op, entry))
            }
            Function::List | Function::ReadAll | Function::Clear => None,
            Function::Cas | Function::Batch => unreachable!("{ACCESSES}"),
        })
        .collect();
    events.sort_unstable_by_key(|(place, ..)| *place);
    events.into_iter().map(|(_, op, entry)| (op, entry)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::testing::Story;

    /// Of each get: milliseconds since the newest write was acknowledged, and whether the get saw
    /// it.
    fn of(story: &Story) -> Vec<(u64, bool)> {
        let freshness = story.evidence(|evidence| visibility(evidence.history));
        freshness.iter().map(|one| (one.since.nanos() / 1_000_000, one.seen)).collect()
    }

    #[test]
    fn a_get_sees_the_newest_write_acknowledged_before_it_or_does_not() {
        let mut story = Story::new(2);
        story.miss("c1", "k").at(1).ok(2);
        story.put("c1", "k", "a").at(3).ok(4).version(1);
        story.get("c2", "k", ("a", 1)).at(6).ok(7);
        story.put("c1", "k", "b").at(8).ok(9).version(2);
        story.get("c2", "k", ("a", 1)).at(10).ok(11);
        story.get("c2", "k", ("b", 2)).at(12).ok(13);
        story.miss("c2", "k").at(14).ok(15);
        assert_eq!(of(&story), [(2, true), (1, false), (3, true), (5, false)]);
        // Once anything has removed the key, it is unknown what a get of nothing saw, unless it
        // found the tombstone.
        story.delete("c2", "k").at(20).ok(21).version(3);
        story.miss("c2", "k").at(22).ok(23).tombstone(3);
        story.put("c1", "k", "c").at(30).ok(31).version(4);
        story.miss("c2", "k").at(32).ok(33).tombstone(3);
        assert_eq!(of(&story), [(2, true), (1, false), (3, true), (1, true), (1, false)]);
    }

    /// A clock that was set back gave the later write the lower version, and a leader that counted
    /// anew gave two writes one: by versions alone the old value would be the newest there is.
    #[test]
    fn a_wrong_clock_and_a_version_given_twice_hide_no_stale_get() {
        for version in [3, 5] {
            let mut story = Story::new(2);
            story.put("c1", "k", "a").at(1).ok(2).version(5);
            story.put("c1", "k", "b").at(3).ok(4).version(version);
            story.get("c2", "k", ("a", 5)).at(6).ok(7);
            story.get("c2", "k", ("b", version)).at(8).ok(9);
            assert_eq!(of(&story), [(2, false), (4, true)], "{version}");
        }
    }
}
