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
pub(super) fn scan(facts: &Facts<'_>) -> Scan {
    let mut scan = Scan::default();
    let (operations, bounds) = by_client(facts);
    let mut session = BTreeMap::new();
    for bound in bounds.windows(2) {
        session.clear();
        for op in &operations[bound[0] as usize..bound[1] as usize] {
            scan.step(facts, &mut session, *op);
        }
    }
    scan
}

/// The completed operations that matter, by client and then in order, with where each client's begin.
///
/// A counting sort: 4 bytes an operation, and then one session's state at a time, however many sessions there are.
fn by_client(facts: &Facts<'_>) -> (Vec<OpId>, Vec<u32>) {
    let history = facts.evidence.history;
    let matters = |entry: &Entry| entry.is_ok() && entry.function != Function::List;
    let mut bounds = vec![0; facts.clients + 1];
    for entry in history.entries().iter().filter(|entry| matters(entry)) {
        bounds[entry.client.0 as usize + 1] += 1;
    }
    for i in 1..bounds.len() {
        bounds[i] += bounds[i - 1];
    }
    let mut next = bounds.clone();
    let mut operations = vec![OpId(0); bounds.last().map_or(0, |total| *total as usize)];
    for (op, _) in history.iter().filter(|(_, entry)| matters(entry)) {
        let place = &mut next[history.entry(op).client.0 as usize];
        operations[*place as usize] = op;
        *place += 1;
    }
    (operations, bounds)
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
            | Property::Staleness => Breaks::default(),
        };
        let figures = Vec::new();
        let witness = breaks.first.map(|first| witness(facts, property, breaks.count, first));
        Finding::of(witness, figures)
    }

    fn step(&mut self, facts: &Facts<'_>, session: &mut BTreeMap<KeyId, Known>, op: OpId) {
        let entry = facts.evidence.history.entry(op);
        match entry.function {
            Function::Put | Function::Delete => {
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
        Function::Put | Function::Get | Function::Delete | Function::List => entry.version,
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
