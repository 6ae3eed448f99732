//! The four session guarantees: read your writes, monotonic reads, monotonic writes, writes follow
//! reads.
//!
//! Terry et al., "Session guarantees for weakly consistent replicated data" (1994), define them by
//! the sets of writes that a server holds. Here they are checked on each key alone:
//!
//! - **read your writes**: a read returns nothing older than an earlier acknowledged write of its
//!   session;
//! - **monotonic reads**: a read returns nothing older than what an earlier read of its session
//!   returned. After a read has found the key removed, it returns no value from before the removal.
//! - **monotonic writes**: an acknowledged write gets a version above those of the session's
//!   earlier writes;
//! - **writes follow reads**: an acknowledged write gets a version above those that the session had
//!   read.
//!
//! [`super::order`] defines *older*: real time orders two writes where one completed before the
//! other was invoked; versions order only concurrent writes. The last two guarantees concern the
//! order that writes *have* under last write wins, which decides the final value of a key, and not
//! the order in which each replica receives them. Order across keys is not checked.
//!
//! **A session is a client**, across operations whose outcome it never learned. In a history a
//! *process* ends with an operation of unknown outcome, because that may still be under way. Here
//! only operations that completed ok are compared, and those of one client never overlap.
//!
//! **Elements.** A read of a list that lacks an element breaks read your writes if the session had
//! appended the element, and monotonic reads if the session had read it, unless something that may
//! have come later ended the list. Any read that showed the element counts: a list, a read of
//! everything, or a quorum read, which returns only the last element. An append of an element that
//! the list already had writes nothing.
//!
//! A read of everything, or a list of keys, is a read of every key: the keys it lacks were absent.
//! A list of keys says only that its keys were there. A get that finds a tombstone has read that
//! removal, a write like others. A read of nothing without one breaks a guarantee unless a removal
//! explains it, and retried writes count with the version that claims least
//! ([`super::facts`]). Operations that failed never happened.
//!
//! **A read of nothing is remembered** where a removal had to explain it and did: the session had
//! read a value before, or the node that answered had acknowledged one. The session has then seen
//! that removal, so a later read of a value older than every removal that it can have been breaks
//! monotonic reads. A read of nothing that no removal explains is itself a break and shows no
//! removal.

use std::cell::OnceCell;

use crate::history::{Entry, Function, KeyContent, OtherKeys};
use crate::id::{KeyId, NodeId, OpId, Value, Version};

use super::Finding;
use super::facts::{Facts, ListRead, ReadResult, place};
use super::order::{Front, Write};
use broken::{Break, Broken, Earlier};
use witness::witness;

/// A version with the operation that wrote or read it.
#[derive(Clone, Copy, Debug)]
struct Mark {
    version: Version,
    op: OpId,
}

/// Writes that later reads of a session have to see. Registers and elements are kept apart, because
/// lists are compared element by element.
#[derive(Clone, Debug, Default)]
struct MustSee {
    registers: Front,
    /// In a box, because most keys are no lists.
    list: Option<Box<MustSeeInList>>,
}

#[derive(Clone, Debug, Default)]
struct MustSeeInList {
    appended: Front,
    /// Elements that have to be in a list.
    elements: Vec<(Value, Write)>,
}

impl MustSee {
    fn list(&mut self) -> &mut MustSeeInList {
        self.list.get_or_insert_default()
    }

    fn iter(&self) -> impl Iterator<Item = &Write> {
        self.registers.iter().chain(self.list.iter().flat_map(|list| list.appended.iter()))
    }
}

/// The number of keys in a page of a session's index.
const PAGE: usize = 64;

/// What a session has done, by key.
#[derive(Debug, Default)]
struct SessionKeys {
    /// For each key its place in `keys` plus one, or 0. In pages, so that a session of few keys
    /// stays small.
    pages: Vec<Option<Box<[u32; PAGE]>>>,
    keys: Vec<SessionKey>,
}

impl SessionKeys {
    fn get(&mut self, key: KeyId) -> Option<&mut SessionKey> {
        let page = self.pages.get(key.0 as usize / PAGE)?.as_ref()?;
        let place = page[key.0 as usize % PAGE].checked_sub(1)?;
        Some(&mut self.keys[place as usize])
    }

    fn entry(&mut self, key: KeyId) -> &mut SessionKey {
        let page = key.0 as usize / PAGE;
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, || None);
        }
        let place = &mut self.pages[page].get_or_insert_with(|| Box::new([0; PAGE]));
        let place = &mut place[key.0 as usize % PAGE];
        if *place == 0 {
            self.keys.push(SessionKey::default());
            *place = self.keys.len() as u32;
        }
        &mut self.keys[*place as usize - 1]
    }
}

/// What a session has done with a key.
#[derive(Clone, Debug, Default)]
struct SessionKey {
    /// The write of the greatest version.
    wrote_greatest: Option<Mark>,
    /// The read of the greatest version.
    read_greatest: Option<Mark>,
    wrote: MustSee,
    read: MustSee,
    /// The reads of nothing that a removal had to explain, each with a write that had been there.
    /// Of several reads for the same write the first is kept: the fewest removals can explain it.
    nothing: Vec<(OpId, Write)>,
    /// The last read that had an effect on the key.
    read_by: Option<OpId>,
}

/// The breaks of one guarantee.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Breaks {
    count: u64,
    first: Option<Break>,
}

impl Breaks {
    /// The finding for the guarantee.
    pub(super) fn finding(self, facts: &Facts<'_>) -> Finding {
        let witness = self.first.map(|first| witness(facts, self.count, first));
        Finding::of(witness, Vec::new())
    }

    fn note(&mut self, found: Break) {
        self.count += 1;
        // They are noted in the order of the history.
        self.first.get_or_insert(found);
    }
}

/// The breaks of each guarantee.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) read_your_writes: Breaks,
    pub(super) monotonic_reads: Breaks,
    pub(super) monotonic_writes: Breaks,
    pub(super) writes_follow_reads: Breaks,
}

/// A read of a key.
#[derive(Clone, Copy)]
struct SessionRead<'a> {
    op: OpId,
    entry: &'a Entry,
    key: KeyId,
    seen: ReadResult,
    version: Option<Version>,
    /// The elements, where it found a list.
    list: Option<&'a [Value]>,
}

/// Puts and appends by key, node that acknowledged them and place of the acknowledgement.
type AnsweredBy = OnceCell<Vec<(KeyId, NodeId, u32, OpId)>>;

/// Reads every session once, for all guarantees.
///
/// It goes in the order of the history, not session by session: reading the history in memory order
/// is most of the cost. The room of a session is proportional to the keys that it used.
pub(super) fn scan(facts: &Facts<'_>) -> Scan {
    let mut scan = Scan::default();
    let answered_by = AnsweredBy::new();
    let mut sessions: Vec<SessionKeys> = Vec::new();
    sessions.resize_with(facts.clients, SessionKeys::default);
    for (op, entry) in facts.evidence.history.accesses() {
        if entry.is_ok() {
            let session = &mut sessions[entry.client.0 as usize];
            scan.step(facts, &answered_by, session, (op, entry));
        }
    }
    scan
}

impl Scan {
    fn step(
        &mut self,
        facts: &Facts<'_>,
        answered_by: &AnsweredBy,
        session: &mut SessionKeys,
        (op, entry): (OpId, &Entry),
    ) {
        let history = facts.evidence.history;
        if entry.is_write() {
            facts.for_each_write(op, entry, |key, write, greatest| {
                self.write(session.entry(key), (op, entry), key, (write, greatest));
            });
            return;
        }
        for effect in history.effects(op) {
            let Some(seen) = facts.seen(entry, &effect) else { continue };
            let on_key = session.entry(effect.key);
            on_key.read_by = Some(op);
            let (key, version) = (effect.key, effect.version);
            let list = effect.found().and_then(KeyContent::elements);
            let read = SessionRead { op, entry, key, seen, version, list };
            self.read(facts, answered_by, on_key, read);
        }
        if history.other_keys(op) != OtherKeys::SeenAbsent {
            return;
        }
        for key in (0..facts.newest.len()).map(|key| KeyId(key as u32)) {
            // A key that the session does not know matters only if it was ever removed.
            if session.get(key).is_none() && !facts.was_removed(key) {
                continue;
            }
            let on_key = session.entry(key);
            if on_key.read_by != Some(op) {
                let (seen, version, list) = (ReadResult::Nothing, None, None);
                let read = SessionRead { op, entry, key, seen, version, list };
                self.read(facts, answered_by, on_key, read);
            }
        }
    }

    fn write(
        &mut self,
        on_key: &mut SessionKey,
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
        on_key: &mut SessionKey,
        read: SessionRead<'_>,
    ) {
        let SessionRead { op, entry, key, seen, .. } = read;
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
            ReadResult::Nothing => {
                let had = had_been_there(facts, answered_by, on_key, (key, entry));
                // An unexplained read of nothing is a break, and shows no removal.
                if had.iter().all(|had| facts.is_removed(key, had, entry.completed_seq)) {
                    for had in had {
                        if on_key.nothing.iter().all(|(_, other)| *other != had) {
                            on_key.nothing.push((op, had));
                        }
                    }
                }
            }
            ReadResult::Key => {}
            ReadResult::Value(write) | ReadResult::Tombstone(write) => {
                on_key.take(facts, read, write);
            }
        }
    }
}

impl SessionKey {
    /// An earlier read of nothing, and a write that `read` found though every removal that the
    /// earlier read can have seen is later.
    fn returned(&self, facts: &Facts<'_>, read: SessionRead<'_>) -> Option<(OpId, Write)> {
        if self.nothing.is_empty() {
            return None;
        }
        let shown: Vec<Write> = match (read.seen, read.list) {
            (ReadResult::Value(last), Some(list)) => facts
                .found_in(ListRead { read: read.entry, key: read.key, elements: list, last })
                .collect(),
            (ReadResult::Value(shown), None) => vec![shown],
            // A tombstone brings nothing back.
            (ReadResult::Tombstone(_) | ReadResult::Nothing | ReadResult::Key, _) => Vec::new(),
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
    fn take(&mut self, facts: &Facts<'_>, read: SessionRead<'_>, write: Write) {
        let history = facts.evidence.history;
        let version = read.version.unwrap_or(write.version);
        // Tried again, a batch may find what its own first attempt appended.
        let is_own = write.op.is_some_and(|op| history.whole(op) == history.whole(read.op));
        if !is_own && self.read_greatest.is_none_or(|greatest| greatest.version < version) {
            self.read_greatest = Some(Mark { version, op: read.op });
        }
        let append = write.op.map(|op| history.entry(op));
        let append = append.filter(|by| by.function == Function::Append);
        let elements: Vec<(Value, Write)> = match (read.list, append.and_then(|by| by.value)) {
            (Some(list), _) => list
                .iter()
                .copied()
                .zip(facts.bounds_of(ListRead {
                    read: read.entry,
                    key: read.key,
                    elements: list,
                    last: write,
                }))
                .collect(),
            // A quorum read of a list returns only its last element.
            (None, Some(value)) => vec![(value, write)],
            (None, None) => return self.read.registers.insert(write),
        };
        let known = self.read.list();
        elements.iter().for_each(|(_, element)| known.appended.insert(*element));
        // Elements that this read missed still have to be seen.
        let mut there: Vec<Value> = elements.iter().map(|(value, _)| *value).collect();
        there.sort_unstable();
        known.elements.retain(|(value, _)| there.binary_search(value).is_err());
        known.elements.extend(elements);
    }
}

/// The first write that a session has to see and a read misses, and how.
fn missed(
    facts: &Facts<'_>,
    known: &mut MustSee,
    read: SessionRead<'_>,
) -> Option<(Broken, Write)> {
    let SessionRead { key, seen, entry, .. } = read;
    let completed = entry.completed_seq;
    let what = match seen {
        ReadResult::Value(_) => Broken::Older,
        ReadResult::Tombstone(_) => Broken::OlderRemoval,
        ReadResult::Nothing => Broken::Absent,
        ReadResult::Key => Broken::Listed,
    };
    let misses = |seen, write: &&Write| facts.misses(key, seen, write, completed);
    let Some(list) = read.list else {
        return known.iter().find(|write| misses(seen, write)).map(|write| (what, *write));
    };
    // Whatever ends a list ends its first element before the others.
    let first = match seen {
        ReadResult::Value(last) => facts
            .found_in(ListRead { read: entry, key, elements: list, last })
            .next()
            .map_or(seen, ReadResult::Value),
        ReadResult::Tombstone(_) | ReadResult::Nothing | ReadResult::Key => seen,
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

/// Writes that were certainly there before a read found nothing: those that the session had read,
/// or else the last that the answering node acknowledged before the read was invoked.
fn had_been_there(
    facts: &Facts<'_>,
    answered_by: &AnsweredBy,
    on_key: &SessionKey,
    (key, read): (KeyId, &Entry),
) -> Vec<Write> {
    let known: Vec<Write> = on_key.read.iter().copied().collect();
    if !known.is_empty() {
        return known;
    }
    let history = facts.evidence.history;
    let answered = answered_by.get_or_init(|| {
        let creates = |e: &Entry| matches!(e.function, Function::Put | Function::Append);
        let acknowledged = history.accesses().filter(|(_, e)| e.is_ok() && creates(e));
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

mod broken;
mod witness;

#[cfg(test)]
mod tests;
