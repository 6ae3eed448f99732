//! The four session guarantees: read your writes, monotonic reads, monotonic writes, writes follow reads.
//!
//! Terry et al., "Session guarantees for weakly consistent replicated data" (1994). There they speak of the sets of
//! writes that a server holds; here they are checked on each key alone, by the versions that last write wins orders:
//!
//! - **read your writes**: a read returns no version below one of an earlier acknowledged write of its session;
//! - **monotonic reads**: a read returns no version below one that an earlier read of its session returned, nor, once
//!   a read has found the key removed, the value from before the removal;
//! - **monotonic writes**: an acknowledged write gets a version above those of the session's earlier ones;
//! - **writes follow reads**: an acknowledged write gets a version above those that the session had read.
//!
//! So the last two say what order the writes *have*, not in what order each replica takes them in: under last write
//! wins the first decides what a key ends up with. Order across keys is not checked.
//!
//! **A session is a client**, across operations whose outcome it never learned. Only operations that completed ok are
//! compared, and those of one client never overlap, so the reason for which a *process* of a history ends with an
//! unknown outcome (it may still be under way) does not arise, while the person behind the client remembers what they
//! were told. A client has at most one operation under way.
//!
//! A read of everything is a read of every key, those it lacks found absent; a list of keys has no versions and is left
//! out. A read of nothing breaks a guarantee unless a removal explains it, and retried writes count with the version
//! that claims least ([`super::facts`]). Operations that failed never happened.

use std::collections::BTreeMap;

use crate::history::{Entry, Function};
use crate::id::{KeyId, OpId, Version};
use crate::property::Property;

use super::facts::Facts;
use super::{Finding, Witness, words};

/// A version with the operation that wrote or read it.
#[derive(Clone, Copy, Debug)]
struct Mark {
    version: Version,
    op: OpId,
}

/// What a session has done with a key.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// The greatest version it wrote.
    wrote: Option<Mark>,
    /// The greatest version it read.
    read: Option<Mark>,
    /// Whether it has since found that version removed.
    removed: bool,
    /// The last read of everything that had the key.
    listed: Option<OpId>,
}

/// The breaks of one guarantee.
#[derive(Clone, Copy, Debug, Default)]
struct Breaks {
    count: u64,
    first: Option<Break>,
}

/// An operation that does not fit an earlier one of its session.
#[derive(Clone, Copy, Debug)]
struct Break {
    later: OpId,
    earlier: OpId,
    key: KeyId,
    /// What the later read returned or the later write was given; `None` when it found nothing.
    version: Option<Version>,
}

impl Breaks {
    fn note(&mut self, found: Break) {
        self.count += 1;
        if self.first.is_none_or(|first| found.later < first.later) {
            self.first = Some(found);
        }
    }
}

/// The breaks of each guarantee.
#[derive(Debug, Default)]
pub(super) struct Scan {
    read_your_writes: Breaks,
    monotonic_reads: Breaks,
    monotonic_writes: Breaks,
    writes_follow_reads: Breaks,
}

/// Reads every session once, for all guarantees.
///
/// In the order of the history and not session by session: the history is read as it lies in memory, which is what
/// this costs. What a session knows takes room by the keys it used.
pub(super) fn scan(facts: &Facts<'_>) -> Scan {
    let mut scan = Scan::default();
    let mut sessions = vec![BTreeMap::new(); facts.clients];
    for (op, entry) in facts.evidence.history.iter() {
        if entry.is_ok() {
            scan.step(facts, &mut sessions[entry.client.0 as usize], (op, entry));
        }
    }
    scan
}

impl Scan {
    /// What was found of one guarantee; valid of any other property.
    pub(super) fn finding(&self, facts: &Facts<'_>, property: Property) -> Finding {
        let breaks = match property {
            Property::ReadYourWrites => self.read_your_writes,
            Property::MonotonicReads => self.monotonic_reads,
            Property::MonotonicWrites => self.monotonic_writes,
            Property::WritesFollowReads => self.writes_follow_reads,
            Property::Convergence
            | Property::LwwMaximum
            | Property::Durability
            | Property::SingleLeader
            | Property::Staleness
            | Property::Replay
            | Property::SplitBrain
            | Property::Availability
            | Property::Liveness
            | Property::ReplicationLag
            | Property::Resurrection
            | Property::AppendUniqueness => Breaks::default(),
        };
        let figures = Vec::new();
        let witness = breaks.first.map(|first| witness(facts, property, breaks.count, first));
        Finding::of(witness, figures)
    }

    fn step(
        &mut self,
        facts: &Facts<'_>,
        session: &mut BTreeMap<KeyId, Known>,
        (op, entry): (OpId, &Entry),
    ) {
        match entry.function {
            Function::Put | Function::Delete | Function::Append => {
                if let Some(version) = entry.version {
                    let known = session.entry(entry.key).or_default();
                    let versions = (facts.least(op, version), facts.greatest(op, version));
                    self.write(known, op, entry.key, versions);
                }
            }
            Function::Clear => {
                // Sorted by key, then version: a retried clear has a key several times.
                for removed in facts.cleared(op).chunk_by(|a, b| a.1 == b.1) {
                    let (_, key, least) = removed[0];
                    let (.., greatest) = removed[removed.len() - 1];
                    self.write(session.entry(key).or_default(), op, key, (least, greatest));
                }
            }
            Function::Get => {
                let (seen, found) = facts.seen(entry);
                self.read(session.entry(entry.key).or_default(), op, entry.key, (seen, found));
            }
            Function::ReadAll => {
                let Some(items) = facts.evidence.history.contents(op) else { return };
                for item in items {
                    let Some(version) = item.version else { continue };
                    let known = session.entry(item.key).or_default();
                    known.listed = Some(op);
                    self.read(known, op, item.key, (version, true));
                }
                for (key, known) in session.iter_mut() {
                    if known.listed != Some(op) {
                        let seen = facts.seen_in_nothing(*key, entry.completed_seq);
                        self.read(known, op, *key, (seen, false));
                    }
                }
            }
            Function::List => {}
        }
    }

    fn write(
        &mut self,
        known: &mut Known,
        op: OpId,
        key: KeyId,
        (least, greatest): (Version, Version),
    ) {
        let break_of =
            |mark: Mark| Break { later: op, earlier: mark.op, key, version: Some(greatest) };
        if let Some(wrote) = known.wrote
            && greatest <= wrote.version
        {
            self.monotonic_writes.note(break_of(wrote));
        }
        if let Some(read) = known.read
            && greatest <= read.version
        {
            self.writes_follow_reads.note(break_of(read));
        }
        if known.wrote.is_none_or(|wrote| wrote.version < least) {
            known.wrote = Some(Mark { version: least, op });
        }
    }

    fn read(&mut self, known: &mut Known, op: OpId, key: KeyId, (seen, found): (Version, bool)) {
        let break_of =
            |mark: Mark| Break { later: op, earlier: mark.op, key, version: found.then_some(seen) };
        if let Some(wrote) = known.wrote
            && seen < wrote.version
        {
            self.read_your_writes.note(break_of(wrote));
        }
        match known.read {
            Some(read) if seen < read.version => self.monotonic_reads.note(break_of(read)),
            Some(read) if found && seen == read.version => {
                if known.removed {
                    self.monotonic_reads.note(break_of(read));
                }
            }
            Some(_) if !found => known.removed = true,
            None | Some(_) if found => {
                known.read = Some(Mark { version: seen, op });
                known.removed = false;
            }
            None | Some(_) => {}
        }
    }
}

fn witness(facts: &Facts<'_>, property: Property, count: u64, first: Break) -> Witness {
    let names = facts.evidence.names();
    let history = facts.evidence.history;
    let (earlier, later) = (history.entry(first.earlier), history.entry(first.later));
    let key = names.key(first.key);
    let version_of = |op: OpId| version_on(facts, op, first.key);
    let before = if earlier.is_write() {
        format!("{}, {}", words::call(names, earlier), words::acknowledged(earlier))
    } else {
        let value = value_on(facts, first.earlier, first.key);
        format!("read {key}={value} {}", words::answered(earlier))
    };
    let after = if later.is_write() {
        let stamps = match (first.version, version_of(first.earlier)) {
            (Some(later), Some(earlier)) => format!("{later} below {earlier}"),
            (Some(_), None) | (None, _) => String::new(),
        };
        format!(
            "{}, {}, with the lower version {stamps}",
            words::call(names, later),
            words::acknowledged(later)
        )
    } else {
        let answered = words::answered(later);
        let value = value_on(facts, first.later, first.key);
        if first.version.is_none() {
            format!("found no {key} {answered}, and no delete explains that")
        } else if first.version == version_of(first.earlier) {
            format!("found {key} removed, then read {value} again {answered}")
        } else {
            format!("read the older {key}={value} {answered}")
        }
    };
    let summary = format!(
        "{}: {before}; then {after}{}",
        names.client(later.client),
        words::in_all(count, "cases")
    );
    Witness {
        summary,
        count,
        operations: vec![first.earlier, first.later],
        nodes: [earlier.node, later.node].into_iter().flatten().collect(),
        write: version_of(match property {
            // The write at fault is the one that came too low; else the one that was not seen.
            Property::MonotonicWrites | Property::WritesFollowReads => first.later,
            _ => first.earlier,
        }),
    }
}

/// The version that `op` gave or found for `key`.
fn version_on(facts: &Facts<'_>, op: OpId, key: KeyId) -> Option<Version> {
    let entry = facts.evidence.history.entry(op);
    match entry.function {
        Function::Clear => {
            facts.cleared(op).iter().find(|(_, other, _)| *other == key).map(|(.., v)| *v)
        }
        Function::ReadAll => {
            let items = facts.evidence.history.contents(op).unwrap_or_default();
            items.iter().find(|item| item.key == key).and_then(|item| item.version)
        }
        Function::Put | Function::Get | Function::Delete | Function::List | Function::Append => {
            entry.version
        }
    }
}

/// The value that the read `op` found for `key`, in words.
fn value_on(facts: &Facts<'_>, op: OpId, key: KeyId) -> String {
    let history = facts.evidence.history;
    let value = match history.contents(op) {
        Some(items) => items.iter().find(|item| item.key == key).and_then(|item| item.value),
        None => history.entry(op).value,
    };
    value.map_or_else(|| "nothing".to_owned(), |value| facts.evidence.names().value(value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{Story, any_story, seen, versions};
    use super::super::{Evidence, Verdict};
    use super::*;
    use crate::id::NodeId;
    use crate::property::Property::{
        MonotonicReads, MonotonicWrites, ReadYourWrites, WritesFollowReads,
    };

    const GUARANTEES: [Property; 4] =
        [ReadYourWrites, MonotonicReads, MonotonicWrites, WritesFollowReads];

    /// Only `broken` is broken; its witness.
    fn only(story: &Story, broken: Property) -> Witness {
        for guarantee in GUARANTEES.into_iter().filter(|guarantee| *guarantee != broken) {
            story.assert_valid(guarantee);
        }
        story.witness(broken)
    }

    fn all_valid(story: &Story) {
        GUARANTEES.into_iter().for_each(|guarantee| story.assert_valid(guarantee));
    }

    #[test]
    fn an_orderly_session_keeps_all_guarantees() {
        let mut story = Story::new(2);
        story.put("c1", "city", "Durham").at(1).ok(2).version(1);
        story.get("c1", "city", ("Durham", 1)).at(3).ok(4);
        story.put("c1", "city", "Raleigh").at(5).ok(6).version(2);
        story.get("c1", "city", ("Apex", 3)).at(7).ok(8);
        story.put("c2", "city", "Apex").at(5).ok(9).version(3);
        story.delete("c1", "city").at(10).ok(11).version(4);
        story.miss("c1", "city").at(12).ok(13);
        story.read_all("c1", &[]).at(14).ok(15);
        all_valid(&story);
    }

    #[test]
    fn a_read_that_misses_the_sessions_write_is_caught() {
        let mut story = Story::new(2);
        story.put("c2", "city", "Durham").at(1).ok(2).version(1);
        story.put("c1", "city", "Raleigh").at(3).ok(4).version(2).confirmed(0, 1);
        story.get("c1", "city", ("Durham", 1)).at(5).ok(6).by(2);
        let witness = only(&story, ReadYourWrites);
        assert_eq!(
            witness.summary,
            "c1: put city=Raleigh, acknowledged by n1 at 0.004000000 s with 0 of 1 followers; then read the older \
             city=Durham from n2 at 0.006000000 s"
        );
        assert_eq!(witness.operations, [OpId(1), OpId(2)]);
        assert_eq!(witness.nodes, [NodeId(0), NodeId(1)]);
        assert_eq!(witness.write, Some(story.stamp(2)));
    }

    #[test]
    fn only_the_sessions_own_acknowledged_writes_bind_its_reads() {
        let mut story = Story::new(2);
        story.put("c2", "city", "Durham").at(1).ok(2).version(1);
        story.put("c1", "city", "Raleigh").at(3).info(4).version(2);
        story.put("c1", "city", "Cary").at(5).fail(6).version(3);
        story.put("c2", "city", "Apex").at(7).ok(8).version(4);
        story.put("c1", "weather", "clear").at(7).ok(8).version(5);
        story.get("c1", "city", ("Durham", 1)).at(9).ok(10);
        all_valid(&story);
    }

    #[test]
    fn a_session_outlives_an_operation_of_unknown_outcome() {
        let mut story = Story::new(2);
        story.put("c2", "city", "Durham").at(1).ok(2).version(1);
        story.put("c1", "city", "Raleigh").at(3).ok(4).version(2);
        story.put("c1", "city", "Cary").at(5).info(6).version(3);
        story.get("c1", "city", ("Durham", 1)).at(7).ok(8);
        assert_eq!(only(&story, ReadYourWrites).count, 1);
    }

    #[test]
    fn nothing_after_a_write_needs_a_removal_that_explains_it() {
        let mut story = Story::new(2);
        story.put("c1", "city", "Raleigh").at(3).ok(4).version(5);
        story.miss("c1", "city").at(10).ok(20).by(2);
        let witness = only(&story, ReadYourWrites);
        assert!(
            witness.summary.ends_with(
                "then found no city from n2 at 0.020000000 s, and no delete explains that"
            ),
            "{}",
            witness.summary
        );

        let mut older = story.clone();
        older.delete("c2", "city").at(1).ok(2).version(4);
        older.witness(ReadYourWrites);
        let mut failed = story.clone();
        failed.delete("c2", "city").at(5).fail(6).version(9);
        failed.witness(ReadYourWrites);
        let mut too_late = story.clone();
        too_late.delete("c2", "city").at(21).ok(22).version(9);
        too_late.witness(ReadYourWrites);
        let mut under_way = story.clone();
        under_way.delete("c2", "city").at(19).version(9);
        all_valid(&under_way);
        let mut cleared = story.clone();
        cleared.clear("c2", &[("city", 9)]).at(5).info(6);
        all_valid(&cleared);
        story.clear("c2", &[]).at(5).ok(6);
        all_valid(&story);
    }

    #[test]
    fn a_value_from_before_the_sessions_own_delete_is_caught() {
        let mut story = Story::new(2);
        story.put("c2", "city", "Durham").at(1).ok(2).version(1);
        story.delete("c1", "city").at(3).ok(4).version(2);
        story.get("c1", "city", ("Durham", 1)).at(5).ok(6).by(2);
        let summary = only(&story, ReadYourWrites).summary;
        assert!(summary.starts_with("c1: delete city, acknowledged by n1"), "{summary}");

        let mut story = Story::new(2);
        story.put("c2", "city", "Durham").at(1).ok(2).version(1);
        story.clear("c1", &[("city", 2)]).at(3).ok(4);
        story.get("c1", "city", ("Durham", 1)).at(5).ok(6).by(2);
        let summary = only(&story, ReadYourWrites).summary;
        assert!(summary.starts_with("c1: clear, acknowledged by n1"), "{summary}");
    }

    #[test]
    fn a_read_that_goes_back_is_caught() {
        let mut story = Story::new(3);
        story.put("c2", "city", "Durham").at(1).ok(2).version(1);
        story.put("c2", "city", "Raleigh").at(3).ok(4).version(2);
        story.get("c1", "city", ("Raleigh", 2)).at(5).ok(6).by(2);
        story.get("c3", "city", ("Durham", 1)).at(7).ok(8).by(3);
        all_valid(&story);
        story.get("c1", "city", ("Durham", 1)).at(7).ok(8).by(3);
        let witness = only(&story, MonotonicReads);
        assert_eq!(
            witness.summary,
            "c1: read city=Raleigh from n2 at 0.006000000 s; then read the older city=Durham from n3 at 0.008000000 s"
        );
        assert_eq!(witness.nodes, [NodeId(1), NodeId(2)]);
    }

    #[test]
    fn a_value_that_comes_back_after_its_removal_was_seen_is_caught() {
        let mut story = Story::new(3);
        story.put("c2", "city", "Durham").at(1).ok(2).version(1);
        story.get("c1", "city", ("Durham", 1)).at(3).ok(4);
        story.delete("c2", "city").at(5).ok(6).version(2);
        story.miss("c1", "city").at(7).ok(8);
        all_valid(&story);
        story.get("c1", "city", ("Durham", 1)).at(9).ok(10).by(3);
        let summary = only(&story, MonotonicReads).summary;
        assert!(
            summary
                .ends_with("found city removed, then read Durham again from n3 at 0.010000000 s"),
            "{summary}"
        );
    }

    #[test]
    fn a_read_of_everything_reads_every_key() {
        let mut story = Story::new(3);
        story.put("c1", "city", "Durham").at(1).ok(2).version(1);
        story.read_all("c1", &[("city", "Durham", 1), ("weather", "clear", 7)]).at(3).ok(4);
        story.put("c2", "weather", "clear").at(1).ok(2).version(7);
        all_valid(&story);
        story.read_all("c1", &[("weather", "clear", 7)]).at(5).ok(6).by(2);
        let witness = story.witness(MonotonicReads);
        assert_eq!(
            witness.summary,
            "c1: read city=Durham from n1 at 0.004000000 s; then found no city from n2 at 0.006000000 s, and no delete \
             explains that"
        );
        assert_eq!(story.witness(ReadYourWrites).count, 1);
    }

    #[test]
    fn writes_that_get_falling_versions_are_caught() {
        let mut story = Story::new(2);
        story.put("c1", "city", "Durham").at(1).ok(2).version(5);
        story.put("c1", "city", "Raleigh").at(3).ok(4).version(3).by(2);
        let witness = only(&story, MonotonicWrites);
        assert_eq!(
            witness.summary,
            "c1: put city=Durham, acknowledged by n1 at 0.002000000 s; then put city=Raleigh, acknowledged by n2 at \
             0.004000000 s, with the lower version 0.000000003@n2#1 below 0.000000005@n1#1"
        );
        assert_eq!(witness.write, Some(story.stamp(3)));
        let mut others = Story::new(2);
        others.put("c1", "city", "Durham").at(1).ok(2).version(5);
        others.put("c2", "city", "Raleigh").at(3).ok(4).version(3);
        others.put("c1", "weather", "clear").at(3).ok(4).version(2);
        all_valid(&others);
    }

    #[test]
    fn a_write_below_what_its_session_had_read_is_caught() {
        let mut story = Story::new(2);
        story.put("c2", "city", "Durham").at(1).ok(2).version(5);
        story.get("c1", "city", ("Durham", 5)).at(3).ok(4);
        story.put("c1", "city", "Raleigh").at(5).ok(6).version(3).by(2);
        let witness = only(&story, WritesFollowReads);
        assert!(witness.summary.starts_with("c1: read city=Durham from n1"), "{}", witness.summary);
        assert!(witness.summary.contains("with the lower version 0.000000003@n2#1"));
    }

    #[test]
    fn a_retried_write_counts_with_the_version_that_claims_least() {
        let mut story = Story::new(2);
        story.put("c1", "city", "Durham").at(1).ok(4).attempt(2).version(6);
        story.put("c2", "city", "Apex").at(1).ok(3).version(4);
        story.get("c1", "city", ("Apex", 4)).at(5).ok(6);
        story.put("c1", "city", "Cary").at(7).ok(8).attempt(1).version(5);
        all_valid(&story);
    }

    /// The definitions word by word, an operation and those before it at a time: how often each is broken.
    fn breaks(evidence: &Evidence<'_>) -> [u64; 4] {
        let history = evidence.history;
        let mut breaks = [0; 4];
        for (later, entry) in history.iter().filter(|(_, entry)| entry.is_ok()) {
            for key in (0..2).map(KeyId) {
                let before: Vec<(OpId, &Entry)> = history
                    .iter()
                    .filter(|(_, e)| e.is_ok() && e.client == entry.client && e.precedes(entry))
                    .collect();
                let reads = |e: &Entry| {
                    e.function == Function::ReadAll || e.function == Function::Get && e.key == key
                };
                let wrote: Vec<Version> = before
                    .iter()
                    .filter_map(|(op, _)| versions(history, *op, key).into_iter().min())
                    .collect();
                // By place: (what was seen, whether it was a value).
                let read: Vec<(Option<Version>, bool)> = before
                    .iter()
                    .filter(|(_, e)| reads(e))
                    .map(|(op, e)| seen(history, e, *op, key))
                    .collect();
                let values = |read: &[(Option<Version>, bool)]| {
                    read.iter().filter(|(_, found)| *found).filter_map(|(v, _)| *v).max()
                };
                if reads(entry) {
                    let (now, found) = seen(history, entry, later, key);
                    let back = now < values(&read);
                    let removed = |i: &usize| {
                        let (seen, found) = read[*i];
                        !found && values(&read[..*i]).is_some_and(|v| Some(v) < seen)
                    };
                    let again =
                        found && (0..read.len()).filter(removed).any(|i| now <= values(&read[..i]));
                    breaks[0] += u64::from(wrote.iter().any(|wrote| now < Some(*wrote)));
                    breaks[1] += u64::from(back || again);
                } else if let Some(now) = versions(history, later, key).into_iter().max() {
                    breaks[2] += u64::from(wrote.iter().any(|wrote| now <= *wrote));
                    breaks[3] += u64::from(values(&read).is_some_and(|read| now <= read));
                }
            }
        }
        breaks
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn the_scan_agrees_with_the_definitions(story in any_story()) {
            let expected = story.evidence(breaks);
            let found = GUARANTEES.map(|guarantee| match story.report(guarantee).verdict {
                Verdict::Valid => 0,
                Verdict::Invalid(witness) => witness.count,
                Verdict::Unknown(_) | Verdict::Unchecked(_) => u64::MAX,
            });
            prop_assert_eq!(found, expected);
        }
    }
}
