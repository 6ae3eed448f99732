//! The four session guarantees: read your writes, monotonic reads, monotonic writes, writes follow reads.
//!
//! Terry et al., "Session guarantees for weakly consistent replicated data" (1994). There they speak of the sets of
//! writes that a server holds; here they are checked on each key alone:
//!
//! - **read your writes**: a read returns nothing older than an earlier acknowledged write of its session;
//! - **monotonic reads**: a read returns nothing older than what an earlier read of its session returned, nor, once
//!   a read has found the key removed, a value from before the removal;
//! - **monotonic writes**: an acknowledged write gets a version above those of the session's earlier ones;
//! - **writes follow reads**: an acknowledged write gets a version above those that the session had read.
//!
//! What is *older* is said by [`super::order`]: real time orders two writes where one completed before the other was
//! invoked, versions order only what was concurrent. The last two guarantees say what order the writes *have* under
//! last write wins, by version, which decides what a key ends up with; not in what order each replica takes them in.
//! Order across keys is not checked.
//!
//! **A session is a client**, across operations whose outcome it never learned. Only operations that completed ok are
//! compared, and those of one client never overlap, so the reason for which a *process* of a history ends with an
//! unknown outcome (it may still be under way) does not arise, while the person behind the client remembers what they
//! were told. A client has at most one operation under way.
//!
//! **Elements.** A read of a list that lacks an element breaks read your writes where the session had appended it, and
//! monotonic reads where the session had read it, unless something that may have come later ended the list. Whatever showed
//! the element counts: a list, a read of everything, or a quorum, which tells the last element alone. An append of an
//! element that the list had writes nothing.
//!
//! A read of everything, and a list of keys, is a read of every key: those it lacks were found absent, and of those in a
//! list of keys it is only known that they were there. A read of nothing breaks a guarantee unless a removal explains it,
//! and retried writes count with the version that claims least ([`super::facts`]). Operations that failed never happened.
//!
//! **A read of nothing leaves its mark** where it had to be explained by a removal, and is: the session had read a value
//! before, or the node that answers had acknowledged one. The session has then seen that removal, and a value older than
//! every removal that it can have been is no monotonic read. One that something the session had read leaves unexplained is
//! broken itself, and says nothing of a removal.

use std::cell::OnceCell;

use crate::history::{Entry, Function};
use crate::id::{KeyId, NodeId, OpId, Value, Version};
use crate::property::Property;

use super::facts::{Facts, Seen, place};
use super::order::{Front, Write};
use super::{Finding, Witness, words};

/// A version with the operation that wrote or read it.
#[derive(Clone, Copy, Debug)]
struct Mark {
    version: Version,
    op: OpId,
}

/// Writes that a session has to see again, those of registers and those of elements apart: a list is compared element
/// by element.
#[derive(Clone, Debug, Default)]
struct Known {
    registers: Front,
    /// Apart, because most keys are no lists.
    list: Option<Box<KnownList>>,
}

#[derive(Clone, Debug, Default)]
struct KnownList {
    appended: Front,
    /// Elements that have to be in a list.
    elements: Vec<(Value, Write)>,
}

impl Known {
    fn list(&mut self) -> &mut KnownList {
        self.list.get_or_insert_default()
    }

    fn iter(&self) -> impl Iterator<Item = &Write> {
        self.registers.iter().chain(self.list.iter().flat_map(|list| list.appended.iter()))
    }
}

/// How many keys a page of a session's index has.
const PAGE: usize = 64;

/// What a session has done, by key.
#[derive(Debug, Default)]
struct Session {
    /// For each key one more than its place in `keys`, or 0: in pages, of which a session has those that it needs.
    pages: Vec<Option<Box<[u32; PAGE]>>>,
    keys: Vec<OnKey>,
}

impl Session {
    fn get(&mut self, key: KeyId) -> Option<&mut OnKey> {
        let page = self.pages.get(key.0 as usize / PAGE)?.as_ref()?;
        let place = page[key.0 as usize % PAGE].checked_sub(1)?;
        Some(&mut self.keys[place as usize])
    }

    fn entry(&mut self, key: KeyId) -> &mut OnKey {
        let page = key.0 as usize / PAGE;
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, || None);
        }
        let place = &mut self.pages[page].get_or_insert_with(|| Box::new([0; PAGE]));
        let place = &mut place[key.0 as usize % PAGE];
        if *place == 0 {
            self.keys.push(OnKey::default());
            *place = self.keys.len() as u32;
        }
        &mut self.keys[*place as usize - 1]
    }
}

/// What a session has done with a key.
#[derive(Clone, Debug, Default)]
struct OnKey {
    /// The write of the greatest version.
    wrote_greatest: Option<Mark>,
    /// The read of the greatest version.
    read_greatest: Option<Mark>,
    wrote: Known,
    read: Known,
    /// The reads of nothing that a removal had to explain, each with a write that had been there. Of reads that have to
    /// explain the same the first, for it leaves the fewest removals.
    nothing: Vec<(OpId, Write)>,
    /// The last read of the whole store that had the key.
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
    /// What it does not fit; of a read by what that had found, which is looked up for those that are shown.
    earlier: Earlier,
    key: KeyId,
    what: Broken,
    /// The write at fault: the one that came too low, or that was not seen.
    write: Version,
}

#[derive(Clone, Copy, Debug)]
enum Earlier {
    Operation(OpId),
    ReadOf(Option<OpId>),
}

/// How the later operation does not fit.
#[derive(Clone, Copy, Debug)]
enum Broken {
    /// It was given a version that is not above that of the earlier one.
    Low { version: Version, below: Version },
    /// It returned something older.
    Older,
    /// It found nothing.
    Absent,
    /// It found the key listed although it was removed.
    Listed,
    /// It found a value from before a removal.
    Returned,
    /// It found a list without this element.
    Lacks(Value),
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

/// A read of a key.
#[derive(Clone, Copy)]
struct Read<'a> {
    op: OpId,
    entry: &'a Entry,
    key: KeyId,
    seen: Seen,
    version: Option<Version>,
    /// The elements, where it found a list.
    list: Option<&'a [Value]>,
}

/// Puts and appends by key, node that acknowledged them and place of the acknowledgement.
type AnsweredBy = OnceCell<Vec<(KeyId, NodeId, u32, OpId)>>;

/// Reads every session once, for all guarantees.
///
/// In the order of the history and not session by session: the history is read as it lies in memory, which is what
/// this costs. What a session knows takes room by the keys it used.
pub(super) fn scan(facts: &Facts<'_>) -> Scan {
    let mut scan = Scan::default();
    let answered_by = AnsweredBy::new();
    let mut sessions: Vec<Session> = Vec::new();
    sessions.resize_with(facts.clients, Session::default);
    for (op, entry) in facts.evidence.history.iter() {
        if entry.is_ok() {
            let session = &mut sessions[entry.client.0 as usize];
            scan.step(facts, &answered_by, session, (op, entry));
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
        let witness = breaks.first.map(|first| witness(facts, breaks.count, first));
        Finding::of(witness, figures)
    }

    fn step(
        &mut self,
        facts: &Facts<'_>,
        answered_by: &AnsweredBy,
        session: &mut Session,
        (op, entry): (OpId, &Entry),
    ) {
        let history = facts.evidence.history;
        match entry.function {
            Function::Put | Function::Delete | Function::Append | Function::Clear => {
                facts.for_each_write(op, entry, |key, write| {
                    let greatest = match entry.function {
                        Function::Clear => {
                            let removed = facts.cleared(op).iter().filter(|(_, k, _)| *k == key);
                            removed.map(|(.., version)| *version).max()
                        }
                        _ => entry.version.map(|version| facts.greatest(op, version)),
                    };
                    let greatest = greatest.unwrap_or(write.version);
                    self.write(session.entry(key), (op, entry), key, (write, greatest));
                });
            }
            Function::Get => {
                let (key, seen, version) = (entry.key, facts.seen(entry), entry.version);
                let list = history.elements(op);
                let read = Read { op, entry, key, seen, version, list };
                self.read(facts, answered_by, session.entry(key), read);
            }
            Function::ReadAll | Function::List => {
                let Some(items) = history.contents(op) else { return };
                for item in items {
                    let seen = match (item.value, item.version) {
                        (Some(value), Some(v)) => {
                            Seen::Value(facts.found(entry, item.key, value, v))
                        }
                        _ => Seen::Key,
                    };
                    let on_key = session.entry(item.key);
                    on_key.listed = Some(op);
                    let (key, version) = (item.key, item.version);
                    let list = item.elements.as_deref();
                    let read = Read { op, entry, key, seen, version, list };
                    self.read(facts, answered_by, on_key, read);
                }
                for key in (0..facts.newest.len()).map(|key| KeyId(key as u32)) {
                    // A key that the session does not know may leave its mark, where it was ever removed.
                    if session.get(key).is_none() && !facts.was_removed(key) {
                        continue;
                    }
                    let on_key = session.entry(key);
                    if on_key.listed != Some(op) {
                        let (seen, version, list) = (Seen::Nothing, None, None);
                        let read = Read { op, entry, key, seen, version, list };
                        self.read(facts, answered_by, on_key, read);
                    }
                }
            }
        }
    }

    fn write(
        &mut self,
        on_key: &mut OnKey,
        (op, entry): (OpId, &Entry),
        key: KeyId,
        (write, greatest): (Write, Version),
    ) {
        let break_of = |mark: Mark| {
            let what = Broken::Low { version: greatest, below: mark.version };
            let earlier = Earlier::Operation(mark.op);
            Break { later: op, earlier, key, what, write: greatest }
        };
        if let Some(wrote) = on_key.wrote_greatest.filter(|wrote| greatest <= wrote.version) {
            self.monotonic_writes.note(break_of(wrote));
        }
        if let Some(read) = on_key.read_greatest.filter(|read| greatest <= read.version) {
            self.writes_follow_reads.note(break_of(read));
        }
        if on_key.wrote_greatest.is_none_or(|wrote| wrote.version < write.version) {
            on_key.wrote_greatest = Some(Mark { version: write.version, op });
        }
        match entry.value.filter(|_| entry.function == Function::Append) {
            Some(value) => {
                let list = on_key.wrote.list();
                list.appended.insert(write);
                list.elements.push((value, write));
            }
            None => on_key.wrote.registers.insert(write),
        }
    }

    fn read(
        &mut self,
        facts: &Facts<'_>,
        answered_by: &AnsweredBy,
        on_key: &mut OnKey,
        read: Read<'_>,
    ) {
        let Read { op, entry, key, seen, .. } = read;
        let found = |(what, write): (Broken, Write), earlier: Earlier| Break {
            later: op,
            earlier,
            key,
            what,
            write: write.version,
        };
        if let Some((what, write)) = missed(facts, &mut on_key.wrote, read) {
            let earlier = Earlier::Operation(write.op.unwrap_or(op));
            self.read_your_writes.note(found((what, write), earlier));
        }
        if let Some((what, write)) = missed(facts, &mut on_key.read, read) {
            self.monotonic_reads.note(found((what, write), Earlier::ReadOf(write.op)));
        } else if let Some((nothing, shown)) = on_key.returned(facts, read) {
            let earlier = Earlier::Operation(nothing);
            self.monotonic_reads.note(found((Broken::Returned, shown), earlier));
        }
        match seen {
            Seen::Nothing => {
                let had = had_been_there(facts, answered_by, on_key, (key, entry));
                // Unexplained it broke something, and says nothing of a removal.
                if had.iter().all(|had| facts.is_removed(key, had, entry.completed_seq)) {
                    for had in had {
                        if on_key.nothing.iter().all(|(_, other)| *other != had) {
                            on_key.nothing.push((op, had));
                        }
                    }
                }
            }
            Seen::Key => {}
            Seen::Value(write) => on_key.take(facts, read, write),
        }
    }
}

impl OnKey {
    /// A read of nothing, and what `read` shows from before any removal that it can have seen.
    fn returned(&self, facts: &Facts<'_>, read: Read<'_>) -> Option<(OpId, Write)> {
        if self.nothing.is_empty() {
            return None;
        }
        let shown: Vec<Write> = match (read.seen, read.list) {
            (Seen::Value(last), Some(list)) => {
                facts.found_in((read.entry, read.key), list, last).collect()
            }
            (Seen::Value(shown), None) => vec![shown],
            (Seen::Nothing | Seen::Key, _) => Vec::new(),
        };
        let completed = |op: OpId| facts.evidence.history.entry(op).completed_seq;
        let contradicts = |(nothing, had): &(OpId, Write), shown: &Write| {
            !facts.may_return(read.key, had, shown, completed(*nothing))
        };
        self.nothing.iter().find_map(|nothing| {
            let shown = shown.iter().find(|shown| contradicts(nothing, shown))?;
            Some((nothing.0, *shown))
        })
    }

    /// The session has read `write`, and with a list its elements.
    fn take(&mut self, facts: &Facts<'_>, read: Read<'_>, write: Write) {
        let version = read.version.unwrap_or(write.version);
        if self.read_greatest.is_none_or(|greatest| greatest.version < version) {
            self.read_greatest = Some(Mark { version, op: read.op });
        }
        let append = write.op.map(|op| facts.evidence.history.entry(op));
        let append = append.filter(|by| by.function == Function::Append);
        let elements: Vec<(Value, Write)> = match (read.list, append.and_then(|by| by.value)) {
            (Some(list), _) => list
                .iter()
                .copied()
                .zip(facts.bounds_of((read.entry, read.key), list, write))
                .collect(),
            // What a quorum tells of a list is its last element alone.
            (None, Some(value)) => vec![(value, write)],
            (None, None) => return self.read.registers.insert(write),
        };
        let known = self.read.list();
        elements.iter().for_each(|(_, element)| known.appended.insert(*element));
        // Those that were missed stay known.
        let mut there: Vec<Value> = elements.iter().map(|(value, _)| *value).collect();
        there.sort_unstable();
        known.elements.retain(|(value, _)| there.binary_search(value).is_err());
        known.elements.extend(elements);
    }
}

/// The first of the writes that a session has to see that a read misses, and how.
fn missed(facts: &Facts<'_>, known: &mut Known, read: Read<'_>) -> Option<(Broken, Write)> {
    let Read { key, seen, entry, .. } = read;
    let completed = entry.completed_seq;
    let what = match seen {
        Seen::Value(_) => Broken::Older,
        Seen::Nothing => Broken::Absent,
        Seen::Key => Broken::Listed,
    };
    let misses = |seen, write: &&Write| facts.misses((key, seen), write, completed);
    let Some(list) = read.list else {
        return known.iter().find(|write| misses(seen, write)).map(|write| (what, *write));
    };
    // Whatever ends a list ends its first element before the others.
    let first = match seen {
        Seen::Value(last) => {
            facts.found_in((entry, key), list, last).next().map_or(seen, Seen::Value)
        }
        Seen::Nothing | Seen::Key => seen,
    };
    let mut registers = known.registers.iter();
    if let Some(write) = registers.find(|write| misses(first, write)) {
        return Some((what, *write));
    }
    let elements = &mut known.list.as_mut()?.elements;
    let mut there: Vec<Value> = Vec::new();
    if !elements.is_empty() {
        there.extend(list);
        there.sort_unstable();
    }
    let is_there = |value: &Value| there.binary_search(value).is_ok();
    elements.retain(|(value, write)| is_there(value) || !facts.is_ended(key, write, completed));
    let lacks = elements.iter().find(|(value, _)| !is_there(value));
    lacks.map(|(value, write)| (Broken::Lacks(*value), *write))
}

/// Writes that had certainly been where a read finds nothing: the session had read them, or else the node that answers
/// had acknowledged one before the read was invoked.
fn had_been_there(
    facts: &Facts<'_>,
    answered_by: &AnsweredBy,
    on_key: &OnKey,
    (key, read): (KeyId, &Entry),
) -> Vec<Write> {
    let known: Vec<Write> = on_key.read.iter().copied().collect();
    if !known.is_empty() {
        return known;
    }
    let history = facts.evidence.history;
    let answered = answered_by.get_or_init(|| {
        let creates = |e: &Entry| matches!(e.function, Function::Put | Function::Append);
        let acknowledged = history.iter().filter(|(_, e)| e.is_ok() && creates(e));
        let by = |(op, e): (OpId, &Entry)| Some((e.key, e.node?, e.completed_seq, op));
        let mut answered: Vec<_> = acknowledged.filter_map(by).collect();
        answered.sort_unstable();
        answered
    });
    let Some(node) = read.node else { return known };
    let before = (key, node, read.invoked_seq);
    let until = answered.partition_point(|(k, n, seq, _)| (*k, *n, *seq) < before);
    let last = answered[..until].last().filter(|(k, n, ..)| (*k, *n) == (key, node));
    let write = last.and_then(|(.., op)| {
        let entry = history.entry(*op);
        Some(Write { version: facts.least(*op, entry.version?), ..place(*op, entry) })
    });
    write.into_iter().collect()
}

fn witness(facts: &Facts<'_>, count: u64, first: Break) -> Witness {
    let names = facts.evidence.names();
    let history = facts.evidence.history;
    let earlier_op = match first.earlier {
        Earlier::Operation(op) => op,
        Earlier::ReadOf(write) => reader(facts, first, write),
    };
    let (earlier, later) = (history.entry(earlier_op), history.entry(first.later));
    let key = names.key(first.key);
    let answered = words::answered(later);
    let before = if earlier.is_write() {
        format!("{}, {}", words::call(names, earlier), words::acknowledged(earlier))
    } else if matches!(first.what, Broken::Returned) {
        format!("found {key} removed {}", words::answered(earlier))
    } else {
        let value = value_on(facts, earlier_op, first.key);
        format!("read {key}={value} {}", words::answered(earlier))
    };
    let value = || value_on(facts, first.later, first.key);
    let after = match first.what {
        Broken::Low { version, below } => format!(
            "{}, {}, with the lower version {version} below {below}",
            words::call(names, later),
            words::acknowledged(later)
        ),
        Broken::Older => format!("read the older {key}={} {answered}", value()),
        Broken::Absent => format!("found no {key} {answered}, and no delete explains that"),
        Broken::Listed => {
            format!("found {key} among the keys {answered}, and no put explains that")
        }
        Broken::Returned => format!("read {} again, from before the removal, {answered}", value()),
        Broken::Lacks(element) => format!(
            "read a list of {key} without {} {answered}, and nothing that ends a list explains that",
            names.value(element)
        ),
    };
    let summary = format!(
        "{}: {before}; then {after}{}",
        names.client(later.client),
        words::in_all(count, "cases")
    );
    Witness {
        summary,
        count,
        operations: vec![earlier_op, first.later],
        nodes: [earlier.node, later.node].into_iter().flatten().collect(),
        write: Some(first.write),
    }
}

/// The last read of the session before the one that broke it that had found `write`.
fn reader(facts: &Facts<'_>, first: Break, write: Option<OpId>) -> OpId {
    let history = facts.evidence.history;
    let client = history.entry(first.later).client;
    let found = |(op, entry): &(OpId, &Entry)| {
        if !entry.is_ok() || entry.client != client || *op >= first.later {
            return false;
        }
        let wrote = |value: Value, version: Version| {
            facts.writers.found(entry, first.key, value, version) == write
        };
        let appended =
            |value: &Value| facts.writers.found_element(entry, first.key, *value) == write;
        let shows = |value: Option<Value>, version: Option<Version>, list: Option<&[Value]>| {
            let mut elements = list.unwrap_or_default().iter();
            value.zip(version).is_some_and(|(value, version)| wrote(value, version))
                || elements.any(appended)
        };
        match entry.function {
            Function::Get if entry.key == first.key => {
                shows(entry.value, entry.version, history.elements(*op))
            }
            Function::ReadAll => {
                let items = history.contents(*op).unwrap_or_default().iter();
                let mut of_key = items.filter(|item| item.key == first.key);
                of_key.any(|item| shows(item.value, item.version, item.elements.as_deref()))
            }
            Function::Get
            | Function::Put
            | Function::Delete
            | Function::List
            | Function::Clear
            | Function::Append => false,
        }
    };
    history.iter().filter(found).last().map_or(first.later, |(op, _)| op)
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

    use super::super::testing::{
        Found, Story, Told, any_story, found, is_older, misses, removals, versions,
    };
    use super::super::{Evidence, Verdict};
    use super::*;
    use crate::history::History;
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
        assert_eq!(
            summary,
            "c1: found city removed from n1 at 0.008000000 s; then read Durham again, from before the removal, from n3 \
             at 0.010000000 s"
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

    #[test]
    fn a_wrong_clock_excuses_no_read_of_the_value_before() {
        // Told ok, and the value with the higher stamp from before is read: the clock had gone back.
        let mut story = Story::new(1);
        story.put("c1", "city", "Durham").at(1).ok(2).version(9);
        story.get("c1", "city", ("Durham", 9)).at(3).ok(4);
        story.put("c2", "city", "Raleigh").at(5).ok(6).version(5);
        story.get("c1", "city", ("Raleigh", 5)).at(7).ok(8);
        all_valid(&story);
        story.get("c2", "city", ("Durham", 9)).at(9).ok(10);
        only(&story, ReadYourWrites);
        let mut story = story.clone();
        story.get("c1", "city", ("Durham", 9)).at(11).ok(12);
        assert_eq!(story.witness(MonotonicReads).count, 1);
    }

    #[test]
    fn writes_of_one_version_are_two_writes() {
        let mut story = Story::new(1);
        story.put("c2", "city", "Durham").at(1).ok(2).version(5);
        story.get("c1", "city", ("Durham", 5)).at(3).ok(4);
        story.put("c2", "city", "Raleigh").at(5).ok(6).version(5);
        story.get("c1", "city", ("Raleigh", 5)).at(7).ok(8);
        assert_eq!(story.witness(MonotonicWrites).count, 1);
        story.assert_valid(MonotonicReads);
        story.get("c1", "city", ("Durham", 5)).at(9).ok(10);
        story.get("c2", "city", ("Durham", 5)).at(11).ok(12);
        let summary = story.witness(MonotonicReads).summary;
        assert!(summary.contains("read city=Raleigh"), "{summary}");
        assert!(summary.contains("then read the older city=Durham"), "{summary}");
        assert_eq!(story.witness(ReadYourWrites).count, 1);
    }

    #[test]
    fn a_clear_excuses_no_read_of_nothing_once_something_came_after() {
        let mut story = Story::new(2);
        story.clear("c2", &[]).at(1).ok(2);
        story.miss("c1", "city").at(1).ok(2);
        story.put("c1", "city", "Durham").at(3).ok(5).version(5);
        let mut under_way = story.clone();
        under_way.clear("c2", &[]).at(4).ok(6);
        under_way.miss("c1", "city").at(7).ok(8);
        all_valid(&under_way);
        let mut unknown = story.clone();
        unknown.clear("c2", &[]).at(4).info(6);
        unknown.miss("c1", "city").at(107).ok(108);
        all_valid(&unknown);
        story.miss("c1", "city").at(7).ok(8);
        only(&story, ReadYourWrites);
    }

    #[test]
    fn a_read_of_nothing_that_a_delete_explains_leaves_its_mark() {
        // The node that answers had the value: only the delete explains that it finds nothing.
        let mut story = Story::new(3);
        story.put("c2", "city", "Durham").at(1).ok(2).version(5);
        story.delete("c2", "city").at(3).version(7);
        story.miss("c1", "city").at(4).ok(5);
        all_valid(&story);
        let mut newer = story.clone();
        newer.put("c3", "city", "Apex").at(6).ok(7).version(9);
        newer.get("c1", "city", ("Apex", 9)).at(8).ok(9);
        all_valid(&newer);
        story.get("c1", "city", ("Durham", 5)).at(6).ok(7).by(2);
        let summary = only(&story, MonotonicReads).summary;
        assert!(summary.starts_with("c1: found city removed from n1"), "{summary}");

        // One that had lost what the session had read since says nothing of the delete.
        let mut lost = Story::new(3);
        lost.put("c2", "city", "Durham").at(1).ok(2).version(5);
        lost.delete("c2", "city").at(3).version(7);
        lost.get("c1", "city", ("Durham", 5)).at(3).ok(4);
        lost.put("c2", "city", "Apex").at(5).version(9);
        lost.get("c1", "city", ("Apex", 9)).at(6).ok(7);
        lost.miss("c1", "city").at(8).ok(9);
        lost.put("c3", "city", "Cary").at(0).info(1).version(6);
        only(&lost, MonotonicReads);
        lost.get("c1", "city", ("Apex", 9)).at(10).ok(11);
        assert_eq!(only(&lost, MonotonicReads).count, 1);

        // One that never had it may simply be behind.
        let mut story = Story::new(3);
        story.put("c2", "city", "Durham").at(1).ok(2).version(5);
        story.delete("c2", "city").at(3).version(7);
        story.miss("c1", "city").at(4).ok(5).by(3);
        story.get("c1", "city", ("Durham", 5)).at(6).ok(7).by(2);
        all_valid(&story);
    }

    #[test]
    fn a_list_has_every_element_that_the_session_knows() {
        let mut story = Story::new(2);
        story.append("c1", "city", "e1").at(1).ok(2).version(1);
        story.append("c1", "city", "e2").at(3).ok(4).version(2);
        story.append("c2", "city", "e3").at(5).ok(6).version(3);
        let whole = |story: &mut Story, list: &[usize]| {
            story.get("c1", "city", ("e3", 3)).at(7).ok(8).finds_list(list);
        };
        let mut all = story.clone();
        whole(&mut all, &[0, 1, 2]);
        all_valid(&all);
        // A list without an element that it read before.
        all.get("c1", "city", ("e2", 2)).at(9).ok(10).finds_list(&[0, 1]);
        let summary = only(&all, MonotonicReads).summary;
        assert!(summary.contains("then read a list of city without e3"), "{summary}");

        let mut hole = story.clone();
        whole(&mut hole, &[1, 2]);
        let summary = only(&hole, ReadYourWrites).summary;
        assert!(summary.contains("then read a list of city without e1"), "{summary}");

        // A delete that may have come later ends the list; one that was over before explains nothing.
        let mut ended = story.clone();
        ended.delete("c3", "city").at(2).ok(5).version(2);
        ended.get("c1", "city", ("e3", 3)).at(7).ok(8).finds_list(&[2]);
        all_valid(&ended);
        let mut before = story.clone();
        before.delete("c3", "city").at(0).ok(0).version(0);
        before.get("c1", "city", ("e3", 3)).at(7).ok(8).finds_list(&[2]);
        only(&before, ReadYourWrites);
    }

    #[test]
    fn a_read_of_everything_shows_and_lacks_elements_as_a_get_does() {
        let mut story = Story::new(2);
        story.append("c2", "city", "e1").at(1).ok(2).version(1);
        story.append("c2", "city", "e2").at(3).ok(4).version(2);
        let mut shown = story.clone();
        shown.read_all("c1", &[("city", "e2", 2)]).at(5).ok(6).finds_list(&[0, 1]);
        all_valid(&shown);
        shown.get("c1", "city", ("e2", 2)).at(7).ok(8).finds_list(&[1]);
        let witness = only(&shown, MonotonicReads);
        assert_eq!((witness.count, witness.operations), (1, vec![OpId(2), OpId(3)]));
        // What was lacking once is still known.
        shown.read_all("c1", &[("city", "e2", 2)]).at(9).ok(10).finds_list(&[1]);
        assert_eq!(only(&shown, MonotonicReads).count, 2);

        // A clock that was set back put e2 before e1: a read of everything that shows both misses neither.
        let mut back = Story::new(2);
        back.append("c1", "city", "e1").at(1).ok(2).version(9);
        back.append("c1", "city", "e2").at(3).ok(4).version(2);
        back.read_all("c1", &[("city", "e1", 9)]).at(5).ok(6).finds_list(&[1, 0]);
        assert_eq!(only(&back, MonotonicWrites).count, 1);
    }

    #[test]
    fn an_element_that_was_tried_again_around_a_delete_claims_as_little_as_it_can() {
        let mut story = Story::new(2);
        story.append("c2", "city", "e1").at(1).version(9).attempt(1);
        story.append("c2", "city", "e2").at(2).version(12);
        story.delete("c1", "city").at(3).ok(4).version(5);
        // Under e2 it may be the second attempt, which came after the delete.
        story.get("c1", "city", ("e2", 12)).at(6).ok(7).finds_list(&[0, 1]);
        all_valid(&story);
        // Where the first was what a list showed, the delete explains that it is gone; of the last it is known.
        story.get("c1", "city", ("e2", 12)).at(8).ok(9).finds_list(&[1]);
        all_valid(&story);
        story.get("c3", "city", ("e1", 9)).at(10).ok(11).finds_list(&[0]);
        story.get("c3", "city", ("e2", 12)).at(12).ok(13).finds_list(&[1]);
        assert_eq!(only(&story, MonotonicReads).count, 1);
    }

    #[test]
    fn an_element_that_a_quorum_told_alone_is_known() {
        let mut story = Story::new(2);
        story.append("c2", "city", "e1").at(1).ok(2).version(1);
        story.append("c3", "city", "e2").at(1).ok(2).version(2);
        story.get("c1", "city", ("e1", 1)).at(3).ok(4);
        all_valid(&story);
        story.get("c1", "city", ("e2", 2)).at(5).ok(6).finds_list(&[1]);
        let summary = only(&story, MonotonicReads).summary;
        assert!(summary.contains("then read a list of city without e1"), "{summary}");
    }

    #[test]
    fn an_element_from_before_a_removal_that_was_seen_is_caught_under_a_newer_one() {
        let mut story = Story::new(2);
        story.append("c2", "city", "e1").at(1).ok(2).version(1);
        story.get("c1", "city", ("e1", 1)).at(3).ok(4).finds_list(&[0]);
        story.delete("c2", "city").at(5).ok(6).version(5);
        story.miss("c1", "city").at(7).ok(8);
        story.append("c2", "city", "e2").at(9).ok(10).version(9);
        let mut ended = story.clone();
        ended.get("c1", "city", ("e2", 9)).at(11).ok(12).finds_list(&[1]);
        all_valid(&ended);
        story.get("c1", "city", ("e2", 9)).at(11).ok(12).finds_list(&[0, 1]);
        let summary = only(&story, MonotonicReads).summary;
        assert!(summary.starts_with("c1: found city removed from n1"), "{summary}");
    }

    #[test]
    fn an_element_that_the_list_had_is_written_by_nobody_again() {
        let mut story = Story::new(2);
        story.append("c1", "city", "x").at(1).ok(2).version(1);
        story.append("c1", "city", "y").at(3).ok(4).version(2);
        story.append("c1", "city", "x").at(5).ok(6).version(1);
        story.get("c1", "city", ("y", 2)).at(7).ok(8).finds_list(&[0, 1]);
        all_valid(&story);
    }

    #[test]
    fn a_list_of_keys_reads_every_key() {
        let mut story = Story::new(2);
        story.put("c1", "city", "Durham").at(1).ok(2).version(1);
        let mut there = story.clone();
        there.list("c1", &["city"]).at(3).ok(4);
        all_valid(&there);
        there.delete("c1", "city").at(5).ok(6).version(2);
        there.list("c1", &["city"]).at(7).ok(8);
        let summary = only(&there, ReadYourWrites).summary;
        assert!(summary.contains("then found city among the keys"), "{summary}");
        let mut put_again = there.clone();
        put_again.put("c2", "city", "Apex").at(6).info(7).version(3);
        all_valid(&put_again);

        let mut missing = story.clone();
        missing.list("c1", &[]).at(3).ok(4);
        only(&missing, ReadYourWrites);
        let mut read = Story::new(2);
        read.put("c2", "city", "Durham").at(1).ok(2).version(1);
        read.get("c1", "city", ("Durham", 1)).at(3).ok(4);
        read.list("c1", &[]).at(5).ok(6);
        only(&read, MonotonicReads);
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
                let wrote: Vec<Told> = before
                    .iter()
                    .filter_map(|(op, _)| {
                        Some((Some(*op), versions(history, *op, key).into_iter().min()?))
                    })
                    .collect();
                let values = |reads: &[(OpId, &Entry)]| -> Vec<Told> {
                    let found = |(op, _): &(OpId, &Entry)| found(history, *op, key);
                    reads.iter().filter_map(found).filter_map(Found::write).collect()
                };
                let read = values(&before);
                if let Some(now) = found(history, later, key) {
                    let missed = |writes: &[Told]| {
                        writes.iter().any(|write| misses(history, (later, key, now), *write))
                    };
                    // A read of nothing before, that only a removal after a write explains.
                    let returned = |i: usize| {
                        let (nothing, nothing_entry) = before[i];
                        if !matches!(found(history, nothing, key), Some(Found::Nothing)) {
                            return false;
                        }
                        let Some(shown) = now.write() else { return false };
                        let mut had = values(&before[..i]);
                        if had.is_empty() {
                            had.extend(last_acknowledged(history, key, nothing_entry));
                        }
                        let explain = |had: Told| -> Vec<Told> {
                            removals(history, key, nothing_entry.completed_seq)
                                .filter(|removal| !is_older(history, *removal, had))
                                .collect()
                        };
                        let explained: Vec<Vec<Told>> = had.into_iter().map(explain).collect();
                        explained.iter().all(|removals| !removals.is_empty())
                            && explained.iter().any(|removals| {
                                removals.iter().all(|removal| is_older(history, shown, *removal))
                            })
                    };
                    breaks[0] += u64::from(missed(&wrote));
                    breaks[1] += u64::from(missed(&read) || (0..before.len()).any(returned));
                } else if let Some(now) = versions(history, later, key).into_iter().max() {
                    breaks[2] += u64::from(wrote.iter().any(|(_, wrote)| now <= *wrote));
                    breaks[3] += u64::from(read.iter().any(|(_, read)| now <= *read));
                }
            }
        }
        breaks
    }

    /// The last put of `key` that the node that answers `read` had acknowledged before it.
    fn last_acknowledged(history: &History, key: KeyId, read: &Entry) -> Option<Told> {
        let put = |(_, e): &(OpId, &Entry)| {
            e.function == Function::Put && e.key == key && e.is_ok() && e.node == read.node
        };
        let before = history.iter().filter(put).filter(|(_, e)| e.precedes(read));
        let (op, _) = before.max_by_key(|(_, e)| e.completed_seq)?;
        Some((Some(op), versions(history, op, key).into_iter().min()?))
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
