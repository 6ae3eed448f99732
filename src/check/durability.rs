//! Durability: no acknowledged write is lost.
//!
//! Decided at the end of the run by real time, the event order of the history, never by stamps: stamps are what a
//! wrong clock gets wrong. For each key let the *surviving write* be the one whose version is the greatest that any
//! live replica holds.
//!
//! - An acknowledged put is lost when the key shows a value whose write had completed before the put was invoked, or
//!   when the key shows nothing and every delete or clear of it that may have happened had completed before then.
//! - An acknowledged delete is lost when the key shows a value whose write had completed before the delete was invoked.
//!   So is a clear, for the keys that it removed ([`super::facts`]).
//!
//! A write whose outcome is unknown never completes: it may take effect at any time and so proves no loss. So does
//! one that failed and survives all the same, which is a defect of another kind ([`super::lww_maximum`]). A write that
//! a later or concurrent one replaced is not lost. A degraded acknowledgement is an acknowledgement.
//!
//! The definition follows Jepsen's lost updates for registers ("acknowledged, then never seen again", Kingsbury,
//! "Call me maybe"), made exact for last write wins by the real-time order of Herlihy and Wing (1990).
//!
//! One pass, two thresholds a key: the lost writes of a key are those invoked after a place in the history.

use crate::history::{Entry, Function};
use crate::id::{KeyId, NodeId, OpId, Version};
use crate::metrics::Settlement;

use super::facts::{Facts, end};
use super::{Finding, Verdict, Witness, words};

/// The places in the history after whose completion a write invoked later is lost; `u32::MAX`: none is.
#[derive(Clone, Copy, Debug)]
struct Thresholds {
    put: u32,
    removal: u32,
}

pub(super) fn check(facts: &Facts<'_>) -> Finding {
    let history = facts.evidence.history;
    let thresholds = thresholds(facts);
    let (mut acknowledged, mut lost) = (0, 0);
    let mut first: Option<(OpId, KeyId)> = None;
    let mut unjudged: Option<KeyId> = None;
    for (op, entry) in history.iter() {
        if !entry.is_ok() || !entry.is_write() {
            continue;
        }
        acknowledged += 1;
        let is_lost = |key: KeyId| match &thresholds[key.0 as usize] {
            Some(threshold) if entry.function == Function::Put => threshold.put < entry.invoked_seq,
            Some(threshold) => threshold.removal < entry.invoked_seq,
            None => false,
        };
        let lost_key = if entry.function == Function::Clear {
            facts.cleared(op).iter().map(|(_, key, _)| *key).find(|key| is_lost(*key))
        } else {
            if thresholds[entry.key.0 as usize].is_none() {
                unjudged = unjudged.or(Some(entry.key));
            }
            is_lost(entry.key).then_some(entry.key)
        };
        if let Some(key) = lost_key {
            lost += 1;
            first = first.or(Some((op, key)));
        }
    }

    let figures = vec![("acknowledged_writes", acknowledged), ("lost_writes", lost)];
    let unknown =
        |reason: String| Finding { verdict: Verdict::Unknown(reason), figures: Vec::new() };
    if acknowledged == 0 {
        return Finding::of(None, figures);
    }
    if let Settlement::Stuck { at, .. } = facts.evidence.settlement {
        return unknown(format!(
            "the simulation got stuck at {at} s, before replicas could settle"
        ));
    }
    if facts.live.is_empty() {
        return unknown("no node is up".to_owned());
    }
    if let (None, Some(key), Some(held)) =
        (first, unjudged, unjudged.and_then(|key| facts.newest[key.0 as usize]))
    {
        let shown = words::holds(facts.evidence.names(), key, Some(held.stored));
        return unknown(format!("{} holds {shown}, a version that no write was given", held.node));
    }
    Finding::of(first.map(|(op, key)| witness(facts, op, key, lost)), figures)
}

/// By key; `None` where what is held was written by no known operation.
fn thresholds(facts: &Facts<'_>) -> Vec<Option<Thresholds>> {
    let history = facts.evidence.history;
    // By key, the place until which a removal may have taken effect.
    let mut removed_until = vec![0; facts.newest.len()];
    let mut all_removed_until = 0;
    for (op, entry) in history.iter() {
        match entry.function {
            Function::Delete if entry.may_have_happened() => {
                let until = &mut removed_until[entry.key.0 as usize];
                *until = end(entry).max(*until);
            }
            Function::Clear if entry.may_have_happened() => {
                let cleared = facts.cleared(op);
                for (_, key, _) in cleared {
                    let until = &mut removed_until[key.0 as usize];
                    *until = end(entry).max(*until);
                }
                if cleared.is_empty() {
                    all_removed_until = end(entry).max(all_removed_until);
                }
            }
            Function::Put
            | Function::Get
            | Function::Delete
            | Function::List
            | Function::ReadAll
            | Function::Clear => {}
        }
    }
    let of_key = |(newest, removed_until): (&Option<super::facts::Holding>, u32)| {
        let removed = Thresholds { put: removed_until.max(all_removed_until), removal: u32::MAX };
        let Some(newest) = newest else { return Some(removed) };
        let survived = end(history.entry(newest.writer?));
        Some(match newest.stored.value {
            Some(_) => Thresholds { put: survived, removal: survived },
            None => Thresholds { put: removed.put.max(survived), ..removed },
        })
    };
    facts.newest.iter().zip(removed_until).map(of_key).collect()
}

fn witness(facts: &Facts<'_>, op: OpId, key: KeyId, count: u64) -> Witness {
    let names = facts.evidence.names();
    let history = facts.evidence.history;
    let entry = history.entry(op);
    let newest = facts.newest[key.0 as usize];
    let survivor = newest.and_then(|newest| newest.writer).map(|writer| history.entry(writer));
    let key_name = names.key(key);
    let now = match (newest.and_then(|newest| newest.stored.value), survivor) {
        (Some(value), Some(survivor)) => format!(
            "{key_name} holds {}, whose write had completed before at {} s",
            names.value(value),
            survivor.completed_at
        ),
        (None, Some(survivor)) => format!(
            "{key_name} is deleted, by {} that had completed before at {} s",
            words::call_by(names, survivor),
            survivor.completed_at
        ),
        (_, None) => format!("no live replica has {key_name}, and no delete explains that"),
    };
    let version = removal_or_put_version(facts, op, entry, key);
    let keepers = keepers(facts, op, key);
    let mut summary = format!(
        "{} was {}; at the end {now}",
        words::call_by(names, entry),
        words::acknowledged(entry),
    );
    if let (Some(version), Some(newest)) = (version, newest)
        && version < newest.stored.version
    {
        summary += &format!(" but has the higher stamp ({} over {version})", newest.stored.version);
    }
    summary += &last_seen(facts, op, entry, &keepers);
    summary += &words::in_all(count, "acknowledged writes lost");
    let mut operations = vec![op];
    operations.extend(newest.and_then(|newest| newest.writer));
    let nodes = entry.node.into_iter().collect();
    Witness { summary, count, operations, nodes, write: version }
}

fn removal_or_put_version(
    facts: &Facts<'_>,
    op: OpId,
    entry: &Entry,
    key: KeyId,
) -> Option<Version> {
    let cleared = facts.cleared(op).iter().find(|(_, other, _)| *other == key);
    entry.version.or(cleared.map(|(.., version)| *version))
}

/// The nodes, up or down, that still have the write `op` of `key`.
fn keepers(facts: &Facts<'_>, op: OpId, key: KeyId) -> Vec<(NodeId, bool)> {
    let entry = facts.evidence.history.entry(op);
    let is_kept = |held: Version| {
        entry.version.is_some_and(|version| version == held || (facts.least(op, version) == held))
            || facts.cleared(op).iter().any(|(_, other, version)| *other == key && *version == held)
    };
    let finals = facts.evidence.finals.iter();
    finals
        .filter(|snapshot| snapshot.data.get(&key).is_some_and(|stored| is_kept(stored.version)))
        .map(|snapshot| (snapshot.node, snapshot.up))
        .collect()
}

/// Where the lost write was last seen: on a node that still has it, else by the last get that found it.
fn last_seen(facts: &Facts<'_>, op: OpId, entry: &Entry, keepers: &[(NodeId, bool)]) -> String {
    if !keepers.is_empty() {
        let which = |up: bool| -> Vec<NodeId> {
            keepers.iter().filter(|(_, is_up)| *is_up == up).map(|(node, _)| *node).collect()
        };
        let (up, down) = (which(true), which(false));
        let parts: Vec<String> = [(up, ""), (down, ", down")]
            .into_iter()
            .filter(|(nodes, _)| !nodes.is_empty())
            .map(|(nodes, state)| format!("on {}{state}", words::nodes(&nodes)))
            .collect();
        return format!("; last seen {}", parts.join("; "));
    }
    let Some(version) = entry.version else { return String::new() };
    let found = |(_, read): &(OpId, &Entry)| {
        read.function == Function::Get
            && read.is_ok()
            && read.key == entry.key
            && read.version.is_some_and(|read| read == version || read == facts.least(op, version))
    };
    let last =
        facts.evidence.history.iter().filter(found).max_by_key(|(_, read)| read.completed_seq);
    last.map_or_else(
        || "; no client ever read it".to_owned(),
        |(_, read)| format!("; last read {}", words::answered(read)),
    )
}
