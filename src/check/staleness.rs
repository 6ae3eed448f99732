//! Staleness: no read misses a write that was acknowledged longer before it than the bound.
//!
//! These are the two measures of probabilistically bounded staleness (Bailis et al.,
//! "Probabilistically bounded staleness for practical partial quorums", VLDB 2012), taken of one
//! run. A read *misses* a write of its key if the write was acknowledged before the read was
//! invoked, in event order, and what the read returned is older. [`order`] defines older: real time
//! orders two writes where one completed before the other was invoked; versions order only
//! concurrent writes. A read that misses a write is stale:
//!
//! - **t-visibility**: by the time from the acknowledgement of the first write that it misses to
//!   its own invocation. The property is broken when that is longer than
//!   [`crate::config::Bounds::staleness`]. Without a bound no read may miss a write at all.
//! - **k-staleness**: by the number of writes that it misses.
//!
//! The figures count reads as operations (`reads`, `stale_reads`) and give the worst of both
//! measures (`max_staleness_ns`, `max_versions_behind`). A read of everything, or a list of keys,
//! is one operation that reads every key; it is as stale as its stalest key. What a compare-and-set
//! read and each get of a batch count as one read each.
//! `reads_of_failed_writes` counts the gets that returned the value of a failed write. Such a write
//! never happened, so it makes nothing stale, but a client saw it.
//!
//! A get that finds a tombstone has read that removal. A read of nothing without one is stale only
//! where no removal explains it. A list of keys that shows a removed key is stale only where no put
//! or append explains the key. A read of a list misses the elements that it lacks, unless something
//! that may have come later ended the list; and it misses a put or a delete that should have ended
//! the list. A retried write counts with its least version ([`super::facts`]).
//!
//! Key by key, in event order. O(n log n), and almost free when there are no reads.
//!
//! [`order`]: super::order

use std::cell::OnceCell;

use crate::history::{Entry, Function, History, KeyContent, OtherKeys};
use crate::id::{KeyId, OpId, Value};
use crate::time::Span;

use super::facts::{Facts, ListRead, ReadResult};
use super::order::Write;
use super::{Demand, Finding, Witness, words};

use missed::{MissedWrites, WritesByAck};

mod missed;
#[cfg(test)]
mod tests;

/// A read of a key: a get, or what a read of the whole store found there.
#[derive(Clone, Copy, Debug)]
struct KeyRead<'a> {
    key: KeyId,
    op: OpId,
    seen: ReadResult,
    /// The elements, where it found a list.
    list: Option<&'a [Value]>,
}

/// A read that misses a write of its key.
#[derive(Clone, Copy, Debug)]
struct Stale {
    read: OpId,
    key: KeyId,
    /// The first write that it misses.
    missed: Write,
    /// How many it misses.
    behind: u64,
}

/// The stale reads of a run.
#[derive(Debug, Default)]
struct StaleReads {
    stale: Vec<OpId>,
    too_stale: Vec<OpId>,
    versions_behind: u64,
    worst: Option<(Span, Stale)>,
}

pub(super) fn check(facts: &Facts<'_>) -> Finding {
    let mut tally = StaleReads::default();
    if facts.reads > 0 {
        let history = facts.evidence.history;
        let (reads, of_all) = reads(facts);
        let writes = acknowledged(facts, &reads, !of_all.is_empty());
        let mut reads = reads.as_slice();
        for writes in writes.chunk_by(|a, b| a.0 == b.0) {
            let key = writes[0].0;
            let until = reads.partition_point(|read| read.key <= key);
            let from = reads[..until].partition_point(|read| read.key < key);
            let of_key =
                KeyWrites::of(facts, key, writes.iter().map(|(_, write)| *write).collect());
            let reads_of_key = with_absent(history, key, &reads[from..until], &of_all);
            tally.add(facts, &of_key.stale(&reads_of_key));
            reads = &reads[until..];
        }
        for operations in [&mut tally.stale, &mut tally.too_stale] {
            operations.sort_unstable();
            operations.dedup();
        }
    }
    let longest = tally.worst.map_or(Span::ZERO, |(longest, _)| longest);
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

/// The reads of single keys, by key and then in order, and the reads of the whole store, in order.
fn reads<'a>(facts: &Facts<'a>) -> (Vec<KeyRead<'a>>, Vec<OpId>) {
    let history = facts.evidence.history;
    let (mut reads, mut of_all) = (Vec::new(), Vec::new());
    for (op, entry) in history.accesses().filter(|(_, entry)| entry.is_ok()) {
        if entry.is_write() {
            continue;
        }
        for effect in history.effects(op) {
            let Some(seen) = facts.seen(entry, &effect) else { continue };
            let list = effect.found().and_then(KeyContent::elements);
            reads.push(KeyRead { key: effect.key, op, seen, list });
        }
        if history.other_keys(op) == OtherKeys::SeenAbsent {
            of_all.push(op);
        }
    }
    reads.sort_by_key(|read| read.key);
    (reads, of_all)
}

/// The reads of one key in order, with those of the whole store that lack it.
fn with_absent<'a>(
    history: &History,
    key: KeyId,
    reads: &[KeyRead<'a>],
    of_all: &[OpId],
) -> Vec<KeyRead<'a>> {
    if of_all.is_empty() {
        return reads.to_vec();
    }
    let when = |read: &KeyRead<'_>| history.when(read.op);
    let lacks = |op: &&OpId| reads.binary_search_by_key(&history.when(**op), when).is_err();
    let absent = of_all.iter().filter(lacks);
    let mut all = reads.to_vec();
    all.extend(absent.map(|op| KeyRead { key, op: *op, seen: ReadResult::Nothing, list: None }));
    all.sort_unstable_by_key(when);
    all
}

/// The acknowledged writes of keys that are read, by key.
fn acknowledged(facts: &Facts<'_>, reads: &[KeyRead<'_>], all: bool) -> Vec<(KeyId, Write)> {
    let mut is_read = vec![all; facts.newest.len()];
    for read in reads {
        is_read[read.key.0 as usize] = true;
    }
    let mut writes = Vec::new();
    let history = facts.evidence.history;
    for (op, entry) in history.accesses().filter(|(_, entry)| entry.is_ok() && entry.is_write()) {
        facts.for_each_write(op, entry, |key, write, _| {
            if is_read[key.0 as usize] {
                writes.push((key, write));
            }
        });
    }
    writes.sort_by_key(|(key, _)| *key);
    writes
}

/// The acknowledged writes of one key, and what reads of it may miss.
struct KeyWrites<'a> {
    facts: &'a Facts<'a>,
    key: KeyId,
    all: WritesByAck,
    /// What a read of nothing, or a list with the key, may miss: by place, how many of the writes
    /// before it no concurrent write explains.
    unexplained: [OnceCell<Vec<u32>>; 2],
    lists: OnceCell<Lists>,
}

/// The writes of a key whose lists are read: registers, each with the latest invocation so far, and
/// elements.
struct Lists {
    registers: WritesByAck,
    latest: Vec<u32>,
    elements: Vec<(Write, Value)>,
}

impl<'a> KeyWrites<'a> {
    fn of(facts: &'a Facts<'a>, key: KeyId, writes: Vec<Write>) -> Self {
        let unexplained = [OnceCell::new(), OnceCell::new()];
        Self { facts, key, all: WritesByAck::of(writes), unexplained, lists: OnceCell::new() }
    }

    /// The stale reads among `reads`, which come in order.
    fn stale(&self, reads: &[KeyRead<'_>]) -> Vec<Stale> {
        let history = self.facts.evidence.history;
        let (mut stale, mut uncounted) = (Vec::new(), Vec::new());
        let (mut places, mut of_lists) = (Vec::new(), Vec::new());
        for read in reads {
            let entry = history.entry(read.op);
            let until = self.all.before(entry.invoked_seq);
            if until == 0 {
                continue;
            }
            match (read.seen, read.list) {
                (ReadResult::Value(last), Some(list)) => {
                    if let Some(found) = self.missed_by_list(read.op, (list, last), &mut of_lists) {
                        stale.push(found);
                    }
                }
                (ReadResult::Value(found), None) | (ReadResult::Tombstone(found), _) => {
                    if let Some(missed) = self.all.missed_by(&found, until) {
                        places.push(stale.len());
                        uncounted.push(missed);
                        let missed = self.all.writes()[missed.first];
                        let key = self.key;
                        stale.push(Stale { read: read.op, key, missed, behind: 0 });
                    }
                }
                (ReadResult::Nothing | ReadResult::Key, _) => {
                    stale.extend(self.missed_by_place(*read, until, entry.completed_seq));
                }
            }
        }
        for (place, count) in places.into_iter().zip(self.all.count(&uncounted)) {
            stale[place].behind = count;
        }
        self.add_registers(&mut stale, &of_lists);
        stale
    }

    /// What a read of nothing, or a list with the key, misses.
    fn missed_by_place(&self, read: KeyRead<'_>, until: usize, completed: u32) -> Option<Stale> {
        let (facts, key) = (self.facts, self.key);
        let which = usize::from(matches!(read.seen, ReadResult::Key));
        // What was invoked after a write explains it, whatever its version.
        let from = facts.last_explaining(key, read.seen, completed);
        let from = from.map_or(0, |invoked| self.all.before(invoked));
        let counts = self.unexplained[which].get_or_init(|| {
            let misses = |write: &Write| facts.misses(key, read.seen, write, write.end);
            let mut counts = vec![0];
            for write in self.all.writes() {
                counts.push(counts[counts.len() - 1] + u32::from(misses(write)));
            }
            counts
        });
        if from >= until || counts[from] == counts[until] {
            return None;
        }
        let first = counts.partition_point(|count| *count <= counts[from]) - 1;
        let behind = u64::from(counts[until] - counts[from]);
        Some(Stale { read: read.op, key, missed: self.all.writes()[first], behind })
    }

    fn lists(&self) -> &Lists {
        self.lists.get_or_init(|| {
            let history = self.facts.evidence.history;
            let element = |write: &Write| {
                let entry = history.entry(write.op?);
                let value = entry.value.filter(|_| entry.function == Function::Append)?;
                Some((*write, value))
            };
            let writes = self.all.writes().iter();
            let elements = writes.clone().filter_map(element).collect();
            let registers = writes.filter(|write| element(write).is_none()).copied().collect();
            let registers = WritesByAck::of(registers);
            let latest = registers.writes().iter().scan(0, |latest, write| {
                *latest = write.invoked.max(*latest);
                Some(*latest)
            });
            let latest = latest.collect();
            Lists { registers, latest, elements }
        })
    }

    /// What a read of a list misses. Elements are counted here; registers are added to `of_lists`
    /// and counted later.
    fn missed_by_list(
        &self,
        read: OpId,
        (list, last): (&[Value], Write),
        of_lists: &mut Vec<(OpId, MissedWrites)>,
    ) -> Option<Stale> {
        let (facts, key) = (self.facts, self.key);
        let Lists { registers, latest, elements } = self.lists();
        let entry = facts.evidence.history.entry(read);
        let until = registers.before(entry.invoked_seq);
        // Whatever ends a list ends its first element before the others.
        let first = facts.found_in(ListRead { read: entry, key, elements: list, last }).next();
        let by_register = first.and_then(|first| registers.missed_by(&first, until));
        if let Some(missed) = by_register {
            of_lists.push((read, missed));
        }
        // An acknowledged write that ends the list explains the elements that ended before it was
        // invoked.
        let over = until.checked_sub(1).map_or(0, |last| latest[last]);
        let from = elements.partition_point(|(write, _)| write.end < over);
        let until = elements.partition_point(|(write, _)| write.end < entry.invoked_seq);
        let mut there = list.to_vec();
        there.sort_unstable();
        let lacks = |(write, value): &&(Write, Value)| {
            there.binary_search(value).is_err() && !facts.is_ended(key, write, entry.completed_seq)
        };
        let mut lacking = elements[from..until.max(from)].iter().filter(lacks);
        let first_element = lacking.next().map(|(write, _)| *write);
        let behind = u64::from(first_element.is_some()) + lacking.count() as u64;
        let first_register = by_register.map(|missed| registers.writes()[missed.first]);
        let first = first_element.into_iter().chain(first_register);
        let missed = first.min_by_key(|write| write.end)?;
        Some(Stale { read, key, missed, behind })
    }

    fn add_registers(&self, stale: &mut [Stale], of_lists: &[(OpId, MissedWrites)]) {
        if of_lists.is_empty() {
            return;
        }
        let missed: Vec<MissedWrites> = of_lists.iter().map(|(_, missed)| *missed).collect();
        for ((op, _), count) in of_lists.iter().zip(self.lists().registers.count(&missed)) {
            // In the order of the reads.
            let when = |op| self.facts.evidence.history.when(op);
            if let Ok(place) = stale.binary_search_by_key(&when(*op), |one| when(one.read)) {
                stale[place].behind += count;
            }
        }
    }
}

impl StaleReads {
    /// Adds the stale reads of one key.
    fn add(&mut self, facts: &Facts<'_>, stale: &[Stale]) {
        let history = facts.evidence.history;
        for one in stale {
            let invoked_at = history.entry(one.read).invoked_at;
            let acknowledged_at = one.missed.op.map(|op| history.entry(op).completed_at);
            let length = acknowledged_at.map_or(Span::ZERO, |at| invoked_at.since(at));
            self.stale.push(one.read);
            if facts.evidence.config.bounds.staleness.is_none_or(|bound| length > bound) {
                self.too_stale.push(one.read);
            }
            self.versions_behind = self.versions_behind.max(one.behind);
            // Of several, the first in the history.
            let is_worse = |(longest, worst): (Span, Stale)| {
                longest < length || longest == length && history.is_before(one.read, worst.read)
            };
            if self.worst.is_none_or(is_worse) {
                self.worst = Some((length, *one));
            }
        }
    }
}

fn reads_of_failed_writes(facts: &Facts<'_>) -> u64 {
    if facts.reads == 0 {
        return 0;
    }
    let history = facts.evidence.history;
    let failed = |op: OpId| !history.entry(op).may_have_happened();
    let has_failed = |e: &Entry| e.is_write() && !e.may_have_happened() && e.version.is_some();
    if !history.accesses().any(|(_, e)| has_failed(e)) {
        return 0;
    }
    let gets = history.accesses().filter(|(_, e)| e.function == Function::Get && e.is_ok());
    let written =
        gets.filter_map(|(_, e)| facts.writers.found(e, e.key, Some(e.value?), e.version?));
    written.filter(|op| failed(*op)).count() as u64
}

fn witness(facts: &Facts<'_>, (length, stale): (Span, Stale), count: u64) -> Witness {
    let names = facts.evidence.names();
    let history = facts.evidence.history;
    let read = history.entry(stale.read);
    let missed = stale.missed.op.unwrap_or(stale.read);
    let (write, behind) = (history.entry(missed), stale.behind);
    let key = names.key(stale.key);
    let found = history.value_found(stale.read, stale.key).map_or_else(
        || format!("found no {key}"),
        |value| format!("read {key}={}", names.value(value)),
    );
    let from = read.node.map(|node| format!(" from {node}")).unwrap_or_default();
    let summary = format!(
        "{} {found}{from}, asked at {} s, though {} had been {}, {} earlier (bound {}); it missed \
         {behind} acknowledged {}{}",
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
        operations: vec![missed, stale.read],
        nodes: read.node.into_iter().collect(),
        write: Some(stale.missed.version),
    }
}
