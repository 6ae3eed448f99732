//! Durability: acknowledged writes that are lost at the end, and those discarded on the way.

use std::collections::BTreeSet;

use super::claims::{Claims, Found};
use super::files::{F, Files, NEVER, Op};
use super::told::{Told, end, explained};

pub(crate) fn check(files: &Files, told: &Told<'_>, claims: &mut Claims) {
    let acknowledged: Vec<&Op> =
        files.ops.iter().filter(|op| op.is_ok() && op.is_write()).collect();
    let lost: BTreeSet<u32> =
        acknowledged.iter().filter(|op| is_lost(told, op)).map(|op| op.op).collect();
    let written: BTreeSet<&str> = acknowledged.iter().filter_map(|op| op.key.as_deref()).collect();
    let mut figures = vec![
        ("acknowledged_writes", acknowledged.len() as u64),
        ("lost_writes", lost.len() as u64),
    ];
    if let Some(discarded) = discarded(told, &lost) {
        figures.push(("discarded_writes", discarded));
        figures.push(("written_keys", written.len() as u64));
    }
    let nobody_wrote = acknowledged.iter().any(|op| {
        let shown = op.key.as_deref().and_then(|key| told.shown_at_end(key));
        shown.is_some_and(|held| held.op.is_none())
    });
    let is_stuck = files.report["settled"]["outcome"] == "stuck";
    let unknown = is_stuck || files.live().count() == 0 || lost.is_empty() && nobody_wrote;
    let found = if !acknowledged.is_empty() && unknown {
        figures.truncate(1);
        Found::Unknown
    } else if lost.is_empty() {
        Found::Holds
    } else {
        Found::Broken(lost.len() as u64)
    };
    // These files do not show how each write was lost, so only the sum of the mechanisms' counts is
    // compared.
    let said = files.report["checks"]["durability"]["figures"].as_object();
    let mechanisms: Vec<(&str, u64)> = said
        .into_iter()
        .flatten()
        .filter(|(name, _)| name.starts_with("lost_") && *name != "lost_writes")
        .filter_map(|(name, count)| Some((name.as_str(), count.as_u64()?)))
        .collect();
    let by_mechanism: u64 = mechanisms.iter().map(|(_, count)| count).sum();
    if by_mechanism == lost.len() as u64 {
        figures.extend(mechanisms);
    }
    claims.property(files, "durability", found, &figures);
    if let (Some(first), true) =
        (lost.first(), files.report["checks"]["durability"]["witness"].is_object())
    {
        claims.say("/checks/durability/witness/operations/0", *first);
    }
}

/// Whether an acknowledged write is lost; a clear counts for every key that it removed.
fn is_lost(told: &Told<'_>, op: &Op) -> bool {
    let on = |key: &str| is_lost_on(told, op, key);
    match op.f {
        F::Clear => op.cleared.keys().any(|key| on(key)),
        _ => on(op.key()),
    }
}

fn is_lost_on(told: &Told<'_>, op: &Op, key: &str) -> bool {
    let shown = told.shown_at_end(key);
    let leaves_value = matches!(op.f, F::Put | F::Append);
    if op.f == F::Append && is_element(told, op, key) {
        return false;
    }
    match shown {
        // The files do not say who wrote it.
        Some(held) if held.op.is_none() => false,
        Some(held) if held.value.is_some() => {
            held.op.is_some_and(|writer| end(told.op(writer)) < op.invoked)
        }
        shown => {
            let tombstone = shown.and_then(|held| held.op).map(|op| end(told.op(op)));
            let removals = told.keys[key].removals.iter().map(|removal| removal.end);
            leaves_value && removals.chain(tombstone).all(|end| end < op.invoked)
        }
    }
}

/// Whether a list at the end has the element.
fn is_element(told: &Told<'_>, append: &Op, key: &str) -> bool {
    let shown = told.shown_lists(key);
    let mut elements = shown.into_iter().flat_map(|held| held.elements.iter().flatten());
    elements.any(|(value, ..)| Some(value) == append.written.as_ref())
}

/// How many acknowledged puts and deletes are not lost, are no ancestors of what is held at the
/// end, and were removed by nothing; `None` where the files do not say which writes were
/// overwritten.
fn discarded(told: &Told<'_>, lost: &BTreeSet<u32>) -> Option<u64> {
    let files = told.files;
    let is_accepted = |op: &&Op| op.is_write() && op.key.is_some() && op.version.is_some();
    if files.ops.iter().filter(is_accepted).any(|op| op.over.is_none()) {
        return None;
    }
    let mut discarded = 0;
    for (key, of_key) in &told.keys {
        let mut empty_until: Option<usize> = None;
        let shows_nothing = told.shown_at_end(key).is_none_or(|held| held.value.is_none());
        if shows_nothing {
            empty_until = Some(NEVER);
        }
        let mut kept: BTreeSet<u32> = BTreeSet::new();
        for held in files.live().filter_map(|node| node.data.get(key)) {
            kept.extend(held.op);
            kept.extend(held.elements.iter().flatten().filter_map(|(.., op)| *op));
        }
        let mut to_follow: Vec<u32> = kept.iter().copied().collect();
        while let Some(op) = to_follow.pop() {
            for over in told.op(op).over.iter().flatten() {
                if over.is_empty() {
                    empty_until = empty_until.max(Some(told.op(op).completed));
                }
                for before in over.iter().filter(|before| kept.insert(**before)) {
                    to_follow.push(*before);
                }
            }
        }
        for write in &of_key.acknowledged {
            let Some(op) = write.op.filter(|_| matches!(write.f, Some(F::Put | F::Delete))) else {
                continue;
            };
            let removed =
                empty_until.is_some_and(|until| explained(&[&of_key.removals], write, until));
            discarded += u64::from(!kept.contains(&op) && !removed && !lost.contains(&op));
        }
    }
    Some(discarded)
}
