//! Staleness: no read misses a write that was acknowledged longer before it than the bound.
//!
//! The two measures of probabilistically bounded staleness (Bailis et al., "Probabilistically bounded staleness for
//! practical partial quorums", VLDB 2012), here of a run that happened. A read *misses* a write of its key when the
//! write was acknowledged before the read was invoked, in event order, and has a greater version than the read
//! returned. A read that misses a write is stale:
//!
//! - **t-visibility**: by the time from the acknowledgement of the first write it misses to the read's invocation. The
//!   property is broken when that is longer than [`crate::config::Bounds::staleness`]; equal is not. Without a bound
//!   no read may miss a write at all.
//! - **k-staleness**: by the number of writes it misses.
//!
//! The figures count reads as operations (`reads`, `stale_reads`) and give the worst of both measures
//! (`max_staleness_ns`, `max_versions_behind`). A read of everything is one operation and a read of every key; it is as
//! stale as its stalest. `reads_of_failed_writes` counts the gets that returned what a failed write wrote: such a
//! write never happened, so it makes nothing stale, but somebody saw it.
//!
//! A read of nothing is stale only as far as no removal explains it, and a retried write counts with its least
//! version ([`super::facts`]).
//!
//! Key by key, in event order. The first write missed is the first of those that set a record (a monotone stack,
//! searched by halving); how many are missed is counted by a Fenwick tree over the versions, built only for keys that
//! have a stale read. O(n log n), and next to nothing when there are no reads.

use crate::history::Function;
use crate::id::{KeyId, OpId, Version};
use crate::time::Span;

use super::facts::{Facts, UNWRITTEN};
use super::{Demand, Finding, Witness, words};

/// An acknowledged write of a key.
#[derive(Clone, Copy, Debug)]
struct Acknowledged {
    key: KeyId,
    completed_seq: u32,
    op: OpId,
    version: Version,
}

/// A read of a key: a get, or what a read of everything found there.
#[derive(Clone, Copy, Debug)]
struct Read {
    key: KeyId,
    op: OpId,
    seen: Version,
}

/// A read that misses a write of its key.
#[derive(Clone, Copy, Debug)]
struct Stale {
    read: Read,
    /// How many writes of the key had been acknowledged before the read.
    before: usize,
    /// The first of them that it misses.
    missed: Acknowledged,
}

/// What the stale reads come to.
#[derive(Debug, Default)]
struct Tally {
    stale: Vec<OpId>,
    too_stale: Vec<OpId>,
    versions_behind: u64,
    worst: Option<(Span, u64, Stale)>,
}

pub(super) fn check(facts: &Facts<'_>) -> Finding {
    let mut tally = Tally::default();
    if facts.reads > 0 {
        let (reads, reads_of_all) = reads(facts);
        let writes = acknowledged(facts, &reads, !reads_of_all.is_empty());
        let mut reads = reads.as_slice();
        for writes in writes.chunk_by(|a, b| a.key == b.key) {
            let key = writes[0].key;
            let until = reads.partition_point(|read| read.key <= key);
            let from = reads[..until].partition_point(|read| read.key < key);
            tally.add(facts, writes, &stale(facts, writes, &reads[from..until], &reads_of_all));
            reads = &reads[until..];
        }
        for operations in [&mut tally.stale, &mut tally.too_stale] {
            operations.sort_unstable();
            operations.dedup();
        }
    }
    let longest = tally.worst.map_or(Span::ZERO, |(longest, ..)| longest);
    let figures = vec![
        ("reads", facts.reads),
        ("stale_reads", tally.stale.len() as u64),
        ("max_staleness_ns", longest.nanos()),
        ("max_versions_behind", tally.versions_behind),
        ("reads_of_failed_writes", reads_of_failed_writes(facts)),
    ];
    let broken = tally.worst.filter(|_| !tally.too_stale.is_empty());
    let demand = facts.evidence.config.bounds.staleness.map(|bound| Demand {
        bound: format!("staleness-bound = {bound}"),
        found: format!("a read missed a write of {} before", longest.short()),
        met: broken.is_none(),
    });
    Finding::of(broken.map(|worst| witness(facts, worst, tally.too_stale.len() as u64)), figures)
        .demanding(demand.into_iter().collect())
}

/// The reads of single keys, by key and then in order, and the reads of everything, in order.
fn reads(facts: &Facts<'_>) -> (Vec<Read>, Vec<OpId>) {
    let history = facts.evidence.history;
    let (mut reads, mut of_all) = (Vec::new(), Vec::new());
    for (op, entry) in history.iter().filter(|(_, entry)| entry.is_ok()) {
        match entry.function {
            Function::Get => {
                let (seen, _) = facts.seen(entry);
                reads.push(Read { key: entry.key, op, seen });
            }
            Function::ReadAll => {
                let Some(items) = history.contents(op) else { continue };
                of_all.push(op);
                for item in items {
                    if let Some(seen) = item.version {
                        reads.push(Read { key: item.key, op, seen });
                    }
                }
            }
            Function::Put
            | Function::Delete
            | Function::List
            | Function::Clear
            | Function::Append => {}
        }
    }
    reads.sort_unstable_by_key(|read| (read.key, read.op));
    (reads, of_all)
}

/// The acknowledged writes of keys that are read, by key and then in the order of their acknowledgements.
fn acknowledged(facts: &Facts<'_>, reads: &[Read], all: bool) -> Vec<Acknowledged> {
    let mut is_read = vec![all; facts.newest.len()];
    for read in reads {
        is_read[read.key.0 as usize] = true;
    }
    let mut writes = Vec::new();
    let history = facts.evidence.history;
    for (op, entry) in history.iter().filter(|(_, entry)| entry.is_ok() && entry.is_write()) {
        let completed_seq = entry.completed_seq;
        if entry.function == Function::Clear {
            // Sorted by key, then version: a retried clear has a key several times.
            for removed in facts.cleared(op).chunk_by(|a, b| a.1 == b.1) {
                let (_, key, version) = removed[0];
                if !is_read[key.0 as usize] {
                    continue;
                }
                writes.push(Acknowledged { key, completed_seq, op, version });
            }
        } else if let Some(version) = entry.version
            && is_read[entry.key.0 as usize]
        {
            let version = facts.least(op, version);
            writes.push(Acknowledged { key: entry.key, completed_seq, op, version });
        }
    }
    writes.sort_unstable_by_key(|write| (write.key, write.completed_seq));
    writes
}

/// The stale reads of one key, in order.
fn stale(
    facts: &Facts<'_>,
    writes: &[Acknowledged],
    reads: &[Read],
    reads_of_all: &[OpId],
) -> Vec<Stale> {
    let history = facts.evidence.history;
    let key = writes[0].key;
    // The writes that exceed all acknowledged before them.
    let mut records: Vec<Acknowledged> = Vec::new();
    let mut before = 0;
    let mut stale = Vec::new();
    let (mut reads, mut reads_of_all) = (reads.iter().peekable(), reads_of_all.iter().peekable());
    loop {
        // A read of everything that lacks the key has no read among `reads`; in order of invocation.
        let of_all = reads_of_all.peek().map(|op| **op);
        let read = match (reads.peek(), of_all) {
            (Some(read), Some(op)) if op < read.op => None,
            (Some(_), _) => reads.next().copied(),
            (None, Some(_)) => None,
            (None, None) => break,
        };
        let read = read.or_else(|| {
            reads_of_all.next().map(|op| {
                let seen = facts.seen_in_nothing(key, history.entry(*op).completed_seq);
                Read { key, op: *op, seen }
            })
        });
        let Some(read) = read else { break };
        reads_of_all.next_if(|op| **op == read.op);

        let invoked_seq = history.entry(read.op).invoked_seq;
        while before < writes.len() && writes[before].completed_seq < invoked_seq {
            let highest = records.last().map_or(UNWRITTEN, |record| record.version);
            if writes[before].version > highest {
                records.push(writes[before]);
            }
            before += 1;
        }
        let first_missed = records.partition_point(|record| record.version <= read.seen);
        if let Some(missed) = records.get(first_missed) {
            stale.push(Stale { read, before, missed: *missed });
        }
    }
    stale
}

impl Tally {
    /// Takes in the stale reads of one key; `before` never falls from one to the next.
    fn add(&mut self, facts: &Facts<'_>, writes: &[Acknowledged], stale: &[Stale]) {
        if stale.is_empty() {
            return;
        }
        let history = facts.evidence.history;
        let mut versions: Vec<Version> = writes.iter().map(|write| write.version).collect();
        versions.sort_unstable();
        let rank = |version| versions.partition_point(|other| *other <= version);
        let mut counted = Fenwick::new(versions.len());
        let mut writes = writes.iter();
        for one in stale {
            let missing = one.before - counted.total();
            for write in writes.by_ref().take(missing) {
                counted.add(rank(write.version));
            }
            let behind = (counted.total() - counted.up_to(rank(one.read.seen))) as u64;
            let invoked_at = history.entry(one.read.op).invoked_at;
            let length = invoked_at.since(history.entry(one.missed.op).completed_at);
            self.stale.push(one.read.op);
            if length > facts.evidence.config.bounds.staleness.unwrap_or_default() {
                self.too_stale.push(one.read.op);
            }
            self.versions_behind = self.versions_behind.max(behind);
            // Of equals the first in the history, whatever its key.
            let is_worse = |(longest, _, worst): (Span, u64, Stale)| {
                longest < length || longest == length && one.read.op < worst.read.op
            };
            if self.worst.is_none_or(is_worse) {
                self.worst = Some((length, behind, *one));
            }
        }
    }
}

/// Counts of ranks, with the count up to a rank in logarithmic time (Fenwick, 1994).
#[derive(Debug)]
struct Fenwick {
    counts: Vec<u32>,
    total: usize,
}

impl Fenwick {
    /// No count, for ranks from 1 to `ranks`.
    fn new(ranks: usize) -> Self {
        Self { counts: vec![0; ranks + 1], total: 0 }
    }

    fn total(&self) -> usize {
        self.total
    }

    fn add(&mut self, rank: usize) {
        self.total += 1;
        let mut i = rank;
        while i < self.counts.len() {
            self.counts[i] += 1;
            i += i & i.wrapping_neg();
        }
    }

    fn up_to(&self, rank: usize) -> usize {
        let (mut i, mut sum) = (rank, 0);
        while i > 0 {
            sum += self.counts[i] as usize;
            i &= i - 1;
        }
        sum
    }
}

fn reads_of_failed_writes(facts: &Facts<'_>) -> u64 {
    let history = facts.evidence.history;
    let failed =
        history.entries().iter().filter(|entry| entry.is_write() && !entry.may_have_happened());
    let mut versions: Vec<Version> = failed.filter_map(|entry| entry.version).collect();
    if versions.is_empty() {
        return 0;
    }
    versions.sort_unstable();
    let gets = history.entries().iter().filter(|entry| entry.function == Function::Get);
    let found = gets.filter(|entry| entry.is_ok()).filter_map(|entry| entry.version);
    found.filter(|version| versions.binary_search(version).is_ok()).count() as u64
}

fn witness(facts: &Facts<'_>, (length, behind, stale): (Span, u64, Stale), count: u64) -> Witness {
    let names = facts.evidence.names();
    let history = facts.evidence.history;
    let (read, write) = (history.entry(stale.read.op), history.entry(stale.missed.op));
    let value = match history.contents(stale.read.op) {
        Some(items) => {
            items.iter().find(|item| item.key == stale.read.key).and_then(|item| item.value)
        }
        None => read.value,
    };
    let key = names.key(stale.read.key);
    let found = value.map_or_else(
        || format!("found no {key}"),
        |value| format!("read {key}={}", names.value(value)),
    );
    let from = read.node.map(|node| format!(" from {node}")).unwrap_or_default();
    let summary = format!(
        "{} {found}{from}, asked at {} s, though {} had been {}, {} earlier (bound {}); it missed {behind} \
         acknowledged {}{}",
        names.client(read.client),
        read.invoked_at,
        words::call_by(names, write),
        words::acknowledged(write),
        length.short(),
        facts.evidence.config.bounds.staleness.unwrap_or_default(),
        if behind == 1 { "write" } else { "writes" },
        words::in_all(count, "reads beyond the bound"),
    );
    Witness {
        summary,
        count,
        operations: vec![stale.missed.op, stale.read.op],
        nodes: read.node.into_iter().collect(),
        write: Some(stale.missed.version),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{Story, any_story, seen, versions};
    use super::super::{Evidence, Verdict};
    use super::*;
    use crate::id::NodeId;
    use crate::property::Property::Staleness;

    /// Three writes, acknowledged at 20, 40 and 60 ms.
    fn three_writes() -> Story {
        let mut story = Story::new(3);
        story.put("c1", "city", "Durham").at(10).ok(20).version(1);
        story.put("c1", "city", "Raleigh").at(30).ok(40).version(2).confirmed(1, 2);
        story.put("c1", "city", "Apex").at(50).ok(60).version(3);
        story.bound(25);
        story
    }

    #[test]
    fn the_newest_value_is_fresh() {
        let mut story = three_writes();
        story.get("c2", "city", ("Apex", 3)).at(100).ok(110);
        story.get("c2", "city", ("Durham", 1)).at(25).ok(29);
        story.assert_valid(Staleness);
        assert_eq!(story.figure(Staleness, "reads"), 2);
        assert_eq!(story.figure(Staleness, "stale_reads"), 0);
    }

    #[test]
    fn a_read_is_as_stale_as_the_first_write_it_misses() {
        let mut story = three_writes();
        story.get("c2", "city", ("Durham", 1)).at(100).ok(110).by(3);
        story.get("c2", "city", ("Raleigh", 2)).at(120).ok(130).by(3);
        let witness = story.witness(Staleness);
        assert_eq!(
            witness.summary,
            "c2 read city=Durham from n3, asked at 0.100000000 s, though put city=Raleigh by c1 had been \
             acknowledged by n1 at 0.040000000 s with 1 of 2 followers, 60ms earlier (bound 25ms); it missed 2 \
             acknowledged writes (2 reads beyond the bound in all)"
        );
        assert_eq!(witness.operations, [OpId(1), OpId(3)]);
        assert_eq!((witness.nodes, witness.write), (vec![NodeId(2)], Some(story.stamp(2))));
        assert_eq!(story.figure(Staleness, "stale_reads"), 2);
        assert_eq!(story.figure(Staleness, "max_staleness_ns"), 60_000_000);
        assert_eq!(story.figure(Staleness, "max_versions_behind"), 2);
    }

    #[test]
    fn the_bound_itself_is_allowed() {
        let mut story = three_writes();
        story.get("c2", "city", ("Raleigh", 2)).at(85).ok(90);
        story.assert_valid(Staleness);
        assert_eq!(story.figure(Staleness, "max_staleness_ns"), 25_000_000);
        story.get("c2", "city", ("Raleigh", 2)).at(91).ok(92);
        assert_eq!(story.witness(Staleness).count, 1);
    }

    #[test]
    fn only_acknowledged_writes_can_be_missed() {
        let mut story = Story::new(1);
        story.put("c1", "city", "Durham").at(1).ok(2).version(1);
        story.put("c1", "city", "Raleigh").at(3).info(4).version(2);
        story.put("c1", "city", "Apex").at(5).fail(6).version(3);
        story.put("c3", "city", "Cary").at(7).ok(50).version(4);
        story.get("c2", "city", ("Durham", 1)).at(49).ok(60);
        story.assert_valid(Staleness);
        assert_eq!(story.figure(Staleness, "stale_reads"), 0);
        story.get("c2", "city", ("Apex", 3)).at(61).ok(62);
        assert_eq!(story.figure(Staleness, "reads_of_failed_writes"), 1);
    }

    #[test]
    fn the_order_of_events_decides_and_not_the_times() {
        let mut story = Story::new(1);
        story.put("c1", "city", "Durham").at(1).ok(2).version(1);
        story.miss("c2", "city").at(2).ok(3);
        assert_eq!(story.figure(Staleness, "stale_reads"), 1);
        story.assert_valid(Staleness);
        let mut story = Story::new(1);
        story.miss("c2", "city").at(2).ok(3);
        story.put("c1", "city", "Durham").at(1).ok(2).version(1);
        assert_eq!(story.figure(Staleness, "stale_reads"), 0);
    }

    #[test]
    fn nothing_is_stale_unless_a_removal_explains_it() {
        let mut story = three_writes();
        story.miss("c2", "city").at(100).ok(110);
        let witness = story.witness(Staleness);
        assert!(witness.summary.starts_with("c2 found no city from n1"), "{}", witness.summary);
        assert_eq!(story.figure(Staleness, "max_versions_behind"), 3);

        // The delete of a version between explains a part, the delete under way explains all.
        let mut part = story.clone();
        part.delete("c3", "city").at(45).info(46).version(2);
        assert_eq!(part.figure(Staleness, "max_versions_behind"), 1);
        assert_eq!(part.figure(Staleness, "max_staleness_ns"), 40_000_000);
        story.delete("c3", "city").at(105);
        story.assert_valid(Staleness);
    }

    #[test]
    fn a_value_from_before_a_delete_is_stale() {
        let mut story = Story::new(1);
        story.put("c1", "city", "Durham").at(10).ok(20).version(1);
        story.delete("c1", "city").at(30).ok(40).version(2);
        story.put("c1", "weather", "clear").at(50).ok(60).version(3);
        story.clear("c1", &[("weather", 4)]).at(70).ok(80);
        story.get("c2", "city", ("Durham", 1)).at(90).ok(91);
        story.get("c2", "weather", ("clear", 3)).at(92).ok(93);
        let summary = story.witness(Staleness).summary;
        assert!(summary.contains("though delete city by c1 had been acknowledged"), "{summary}");
        assert_eq!(story.figure(Staleness, "stale_reads"), 2);
    }

    #[test]
    fn a_read_of_everything_is_one_read_as_stale_as_its_stalest_key() {
        let mut story = three_writes();
        story.put("c1", "weather", "clear").at(65).ok(70).version(4);
        story.read_all("c2", &[("city", "Raleigh", 2)]).at(100).ok(110);
        assert_eq!(story.figure(Staleness, "stale_reads"), 1);
        let witness = story.witness(Staleness);
        assert!(witness.summary.starts_with("c2 read city=Raleigh from n1"), "{}", witness.summary);
        assert_eq!(witness.count, 1);
        assert_eq!(story.figure(Staleness, "max_staleness_ns"), 40_000_000);
    }

    /// The definition word by word, a read and a write at a time: the stale reads with their (t, k).
    fn stale_reads(evidence: &Evidence<'_>) -> Vec<(OpId, u64, u64)> {
        let history = evidence.history;
        let mut stale = Vec::new();
        for (op, read) in history.iter().filter(|(_, read)| read.is_ok()) {
            let keys: Vec<KeyId> = match read.function {
                Function::Get => vec![read.key],
                Function::ReadAll => (0..2).map(KeyId).collect(),
                _ => continue,
            };
            let (mut t, mut k) = (None, 0);
            for key in keys {
                let (seen, _) = seen(history, read, op, key);
                let missed = |(op, write): &(OpId, &crate::history::Entry)| {
                    let least = versions(history, *op, key).into_iter().min();
                    write.is_ok() && write.precedes(read) && least.is_some_and(|v| Some(v) > seen)
                };
                let missed: Vec<_> = history.iter().filter(missed).collect();
                if let Some((_, first)) = missed.iter().min_by_key(|(_, w)| w.completed_seq) {
                    t = t.max(Some(read.invoked_at.since(first.completed_at).nanos()));
                    k = k.max(missed.len() as u64);
                }
            }
            if let Some(t) = t {
                stale.push((op, t, k));
            }
        }
        stale
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn the_sweep_agrees_with_the_definition(story in any_story(), bound in 0..40_u64) {
            let mut story = story;
            story.bound(bound);
            let stale = story.evidence(stale_reads);
            prop_assert_eq!(story.figure(Staleness, "stale_reads"), stale.len() as u64);
            let longest = stale.iter().map(|(_, t, _)| *t).max().unwrap_or(0);
            prop_assert_eq!(story.figure(Staleness, "max_staleness_ns"), longest);
            let behind = stale.iter().map(|(.., k)| *k).max().unwrap_or(0);
            prop_assert_eq!(story.figure(Staleness, "max_versions_behind"), behind);
            let broken: Vec<_> = stale.iter().filter(|(_, t, _)| *t > bound * 1_000_000).collect();
            match story.report(Staleness).verdict {
                Verdict::Valid => prop_assert!(broken.is_empty()),
                Verdict::Invalid(witness) => {
                    prop_assert_eq!(witness.count, broken.len() as u64);
                    let worst = broken.iter().find(|(_, t, _)| *t == longest);
                    prop_assert_eq!(Some(witness.operations[1]), worst.map(|(op, ..)| *op));
                }
                Verdict::Unknown(reason) | Verdict::Unchecked(reason) => {
                    prop_assert!(false, "{}", reason);
                }
            }
        }
    }
}
