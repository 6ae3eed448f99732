//! What replicas hold at the end, and whether removed values and elements come back:
//! last-write-wins maximum, resurrection, append uniqueness.

use std::collections::{BTreeMap, BTreeSet};

use super::claims::{Claims, Found};
use super::files::{F, Files, Held, Op, Status, Version};
use super::told::{Seen, Told, Write, end, may_have_happened, versions};

/// Whether the run got stuck or no node is up, so the end says nothing.
fn says_nothing(files: &Files) -> bool {
    files.report["settled"]["outcome"] == "stuck" || files.live().count() == 0
}

fn found(count: u64) -> Found {
    if count == 0 { Found::Holds } else { Found::Broken(count) }
}

pub(crate) fn lww_maximum(files: &Files, told: &Told<'_>, claims: &mut Claims) {
    let mut failed: BTreeSet<(&str, Version, Option<&str>)> = BTreeSet::new();
    let mut broken: BTreeSet<&str> = BTreeSet::new();
    let survivors = survivors(files);
    for key in told.keys.keys() {
        let all: Vec<&Held> = files.live().filter_map(|node| node.data.get(key)).collect();
        for held in &all {
            let writer = held.op.map(|op| told.op(op));
            if writer.is_some_and(|op| !may_have_happened(op)) {
                failed.insert((key, held.version, held.value.as_deref()));
            }
            let elements = held.elements.iter().flatten();
            let elements = elements.map(|(value, version, op)| (Some(value), *version, *op));
            let shown = (held.value.as_ref(), held.version, held.op);
            let made_up = elements.chain([shown]).any(|(value, version, op)| {
                op.map(|op| told.op(op)).is_none_or(|op| {
                    op.written.as_ref() != value || !versions(op, key).contains(&version)
                })
            });
            if made_up {
                broken.insert(key);
            }
        }
        let visible = |held: Option<&Held>| {
            let held = held.filter(|held| held.value.is_some())?;
            Some((held.value.clone(), held.version, held.elements.as_deref().map(texts)))
        };
        let shown: Vec<_> = files.live().map(|node| visible(node.data.get(key))).collect();
        if shown.iter().any(|one| *one != shown[0]) || is_missing(told, key, &all, &survivors) {
            broken.insert(key);
        }
    }
    let verdict = if says_nothing(files) { Found::Unknown } else { found(broken.len() as u64) };
    let figures = [("surviving_failed_writes", failed.len() as u64)];
    claims.property(files, "lww-maximum", verdict, &figures);
}

fn texts(elements: &[(String, Version, Option<u32>)]) -> Vec<(String, Version)> {
    elements.iter().map(|(value, version, _)| (value.clone(), *version)).collect()
}

/// Whether no node holds the greatest write that a survivor accepted, nor a greater one.
fn is_missing(told: &Told<'_>, key: &str, held: &[&Held], survivors: &BTreeSet<String>) -> bool {
    let writes = told.files.ops.iter().filter(|op| op.is_write() && may_have_happened(op));
    let given = writes.flat_map(|op| versions(op, key).into_iter().map(move |v| (v, op)));
    let accepted = given.filter(|(version, _)| survivors.contains(&format!("n{}", version.node)));
    let Some((version, op)) = accepted.max_by_key(|(version, _)| *version) else { return false };
    if held.iter().any(|held| held.version >= version) {
        return false;
    }
    let is_absent =
        held.iter().max_by_key(|held| held.version).is_none_or(|held| held.value.is_none());
    let erases = |other: &&Op| {
        may_have_happened(other)
            && match other.f {
                F::Clear => other.cleared.is_empty(),
                F::Delete => other.key() == key && other.version.is_none(),
                _ => false,
            }
    };
    let mut erasing = told.files.ops.iter().filter(erases);
    let explained =
        matches!(op.f, F::Delete | F::Clear) || erasing.any(|erasing| op.invoked < end(erasing));
    !(is_absent && explained)
}

/// The nodes that are up and never crashed, lost power or gave up.
fn survivors(files: &Files) -> BTreeSet<String> {
    let mut survivors: BTreeSet<String> = files.live().map(|node| node.name.clone()).collect();
    for act in &files.acts {
        let hit = act.what.strip_prefix("crash ");
        let hit = hit.or_else(|| act.what.strip_prefix("power loss of "));
        let hit = hit.or_else(|| act.what.split_once(" stops: ").map(|(node, _)| node));
        for node in hit.into_iter().flat_map(|hit| hit.split([' ', ','])) {
            survivors.remove(node);
        }
    }
    survivors
}

pub(crate) fn resurrection(files: &Files, told: &Told<'_>, claims: &mut Claims) {
    // Whether a value of `key` was deleted before the line `before`.
    let is_deleted = |key: &str, writer: u32, before: usize| {
        let acknowledged = &told.keys[key].acknowledged;
        acknowledged.iter().any(|delete: &Write| {
            matches!(delete.f, Some(F::Delete | F::Clear))
                && end(told.op(writer)) < delete.invoked
                && delete.end < before
        })
    };
    let shows_deleted = |read: &&Op| {
        told.seen(read).iter().any(|(key, seen)| {
            let mut writers = seen.values().into_iter().filter_map(|write| write.op);
            writers.any(|op| is_deleted(key, op, read.invoked))
        })
    };
    let reads = files.ops.iter().filter(|op| op.is_ok() && !op.is_write());
    let reads = reads.filter(shows_deleted).count() as u64;
    let is_back = |key: &&String| {
        let Some(held) = told.shown_at_end(key).filter(|held| held.value.is_some()) else {
            return false;
        };
        let lists = told.shown_lists(key).into_iter().filter(|of| of.version == held.version);
        let elements = lists.flat_map(|of| of.elements.iter().flatten());
        let elements = elements.filter_map(|(.., op)| *op);
        elements.chain(held.op).any(|op| is_deleted(key, op, usize::MAX))
    };
    let keys = told.keys.keys().filter(is_back).count() as u64;
    let figures = [("reads_of_deleted", reads), ("resurrected_keys", keys)];
    claims.property(files, "resurrection", found(reads + keys), &figures);
}

pub(crate) fn append_uniqueness(files: &Files, told: &Told<'_>, claims: &mut Claims) {
    let appends: Vec<&Op> = files.ops.iter().filter(|op| op.f == F::Append).collect();
    let acknowledged = appends.iter().filter(|op| op.is_ok()).count() as u64;
    let mut figures = vec![("appends", acknowledged)];
    if appends.iter().all(|op| op.status == Status::Fail) {
        claims.property(files, "append-uniqueness", Found::Holds, &figures);
        return;
    }
    let is_repeated = |key: &str, elements: Vec<&str>| {
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        elements.iter().for_each(|element| *times.entry(element).or_default() += 1);
        times.into_iter().any(|(element, times)| {
            let asked = |op: &&&Op| {
                may_have_happened(op) && op.key() == key && op.written.as_deref() == Some(element)
            };
            times > appends.iter().filter(asked).count().max(1)
        })
    };
    let in_read = |read: &&Op| {
        told.seen(read).iter().any(|(key, seen)| {
            matches!(seen, Seen::List(..))
                && is_repeated(
                    key,
                    seen.writes().iter().filter_map(|w| w.element.as_deref()).collect(),
                )
        })
    };
    let reads = files.ops.iter().filter(|op| op.is_ok() && !op.is_write());
    let reads = reads.filter(in_read).count() as u64;
    let lists = |key: &str| -> Vec<Vec<&str>> {
        let held = files.live().filter_map(|node| node.data.get(key)?.elements.as_ref());
        held.map(|list| list.iter().map(|(value, ..)| value.as_str()).collect()).collect()
    };
    let at_end = told
        .keys
        .keys()
        .filter(|key| lists(key).into_iter().any(|elements| is_repeated(key, elements)));
    let at_end = at_end.count() as u64;
    let is_lost = |append: &&&Op| {
        let element = append.written.as_deref().unwrap_or_default();
        let ends = |op: &Op| {
            may_have_happened(op)
                && end(op) > append.invoked
                && (op.f == F::Clear
                    || matches!(op.f, F::Put | F::Delete) && op.key() == append.key())
        };
        append.is_ok()
            && !lists(append.key()).concat().contains(&element)
            && !files.ops.iter().any(ends)
    };
    let lost = appends.iter().filter(is_lost).count() as u64;
    figures.extend([
        ("reads_of_repeated", reads),
        ("repeated_at_end", at_end),
        ("lost_appends", lost),
    ]);
    let count = reads + at_end + lost;
    let verdict = if acknowledged > 0 && reads + at_end == 0 && says_nothing(files) {
        Found::Unknown
    } else {
        found(count)
    };
    claims.property(files, "append-uniqueness", verdict, &figures);
}
