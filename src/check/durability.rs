//! Durability: no acknowledged write is lost.
//!
//! The definition follows Jepsen's lost updates for registers ("acknowledged, then never seen
//! again", Kingsbury, "Call me maybe"), made exact for last write wins by the real-time order of
//! Herlihy and Wing (1990).
//!
//! Real time decides, which is the event order of the history, and never timestamps: a wrong clock
//! makes those wrong. The *surviving write* of a key is the write that a client can be shown at the
//! end of the run: what the leader holds, where one leads and knows the key; otherwise the greatest
//! version on any live replica. It is identified by its operation, because two writes may have the
//! same version ([`crate::history::Writers`]).
//!
//! - An acknowledged put is lost when the key shows a value whose write had completed before the
//!   put was invoked. It is also lost when the key shows nothing and every delete or clear that may
//!   have removed it had completed before the put was invoked.
//! - An acknowledged delete is lost when the key shows a value whose write had completed before the
//!   delete was invoked. So is a clear, for the keys that it removed ([`super::facts`]).
//!
//! An append counts as a put of its element. It is not lost while its element is in the list that
//! the key shows, whoever appended it last. The other elements of a list are checked by
//! [`super::append_uniqueness`].
//!
//! A write of unknown outcome never completes: it may take effect at any time, so it proves no
//! loss. Neither does a failed write that survives; that is another defect
//! ([`super::lww_maximum`]). A write that a later or concurrent write replaced is not lost. A
//! degraded acknowledgement is an acknowledgement.
//!
//! Writes that were thrown away and then overwritten break nothing at the end. They are counted
//! separately ([`discarded`]).
//!
//! One pass with two thresholds for each key: the lost writes are those invoked after a threshold.

use crate::history::{Entry, Function, OtherKeys};
use crate::id::{KeyId, NodeId, OpId};
use crate::protocol::Stored;

use super::facts::{Facts, Holding};
use super::{Finding, Verdict, Witness, words};

mod discarded;
#[cfg(test)]
mod tests;

/// An acknowledged write of a key is lost if it was invoked at or after this place in the history;
/// `u32::MAX` for none. (An invocation and a completion never share a place, so "at or after" means
/// "after".)
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
    let mut written = vec![false; facts.newest.len()];
    for (op, entry) in history.accesses() {
        if !entry.is_ok() || !entry.is_write() {
            continue;
        }
        acknowledged += 1;
        if entry.is_on_one_key() {
            written[entry.key.0 as usize] = true;
            if thresholds[entry.key.0 as usize].is_none() {
                unjudged = unjudged.or(Some(entry.key));
            }
        }
        if let Some(key) = lost_key(facts, &thresholds, (op, entry)) {
            lost += 1;
            first = first.or(Some((op, key)));
        }
    }

    let acked = ("acknowledged_writes", acknowledged);
    let mut figures = vec![acked, ("lost_writes", lost)];
    if let Some(discarded) = discarded::discarded(facts, |op| is_lost(facts, &thresholds, op)) {
        figures.push(("discarded_writes", discarded.len() as u64));
        let written = written.iter().filter(|written| **written).count();
        figures.push(("written_keys", written as u64));
    }
    let unknown = |reason: String| Finding::new(Verdict::Unknown(reason), vec![acked]);
    if acknowledged == 0 {
        return Finding::of(None, figures);
    }
    if let Some(reason) = facts.no_end() {
        return unknown(reason);
    }
    if let (None, Some(key), Some(held)) =
        (first, unjudged, unjudged.and_then(|key| facts.shown[key.0 as usize]))
    {
        let shown = words::holds(facts.evidence.names(), key, Some(held.stored));
        return unknown(format!("{} holds {shown}, a version that no write was given", held.node));
    }
    Finding::of(first.map(|(op, key)| witness(facts, op, key, lost)), figures)
}

fn is_lost(facts: &Facts<'_>, thresholds: &[Option<Thresholds>], op: OpId) -> bool {
    lost_key(facts, thresholds, (op, facts.evidence.history.entry(op))).is_some()
}

/// Every acknowledged write that was thrown away before its key was written again, in the order of
/// invocation. `None` if the protocol does not say what its writes overwrite.
pub(super) fn discarded_writes(facts: &Facts<'_>) -> Option<Vec<OpId>> {
    let thresholds = thresholds(facts);
    discarded::discarded(facts, |op| is_lost(facts, &thresholds, op))
}

/// Every lost acknowledged write, in the order of invocation, with the key on which it was lost;
/// for a clear, the first such key.
pub(super) fn lost_writes(facts: &Facts<'_>) -> Vec<(OpId, KeyId)> {
    let thresholds = thresholds(facts);
    let writes = facts.evidence.history.accesses().filter(|(_, e)| e.is_ok() && e.is_write());
    let lost = |(op, entry)| Some((op, lost_key(facts, &thresholds, (op, entry))?));
    writes.filter_map(lost).collect()
}

/// The key on which an acknowledged write is lost, if it is.
fn lost_key(
    facts: &Facts<'_>,
    thresholds: &[Option<Thresholds>],
    (op, entry): (OpId, &Entry),
) -> Option<KeyId> {
    let is_lost = |key: KeyId| match &thresholds[key.0 as usize] {
        Some(threshold) if entry.is_removal() => threshold.removal <= entry.invoked_seq,
        Some(threshold) => threshold.put <= entry.invoked_seq && !is_element(facts, entry),
        None => false,
    };
    if entry.is_on_one_key() {
        return is_lost(entry.key).then_some(entry.key);
    }
    facts.evidence.history.effects(op).map(|effect| effect.key).find(|key| is_lost(*key))
}

/// Whether the append `entry` has its element in the list that the key shows.
fn is_element(facts: &Facts<'_>, entry: &Entry) -> bool {
    let (Function::Append, Some(element)) = (entry.function, entry.value) else { return false };
    let mut lists = facts.shown_lists(entry.key);
    lists.any(|(_, list)| list.iter().any(|(_, value)| *value == element))
}

/// The thresholds by key; `None` if no known operation wrote what is held.
fn thresholds(facts: &Facts<'_>) -> Vec<Option<Thresholds>> {
    let history = facts.evidence.history;
    // By key, the place until which a removal may have taken effect.
    let mut removed_until = vec![0; facts.shown.len()];
    let mut all_removed_until = 0;
    let any = facts.has_invoked(&[Function::Delete, Function::Clear]);
    let all = any.then(|| history.accesses()).into_iter().flatten();
    for (op, entry) in all.filter(|(_, entry)| entry.is_removal() && entry.may_have_happened()) {
        for effect in history.effects(op) {
            let until = &mut removed_until[effect.key.0 as usize];
            *until = entry.end().max(*until);
        }
        if history.other_keys(op) == OtherKeys::PerhapsRemoved {
            all_removed_until = entry.end().max(all_removed_until);
        }
    }
    let of_key = |(newest, removed_until): (&Option<Holding>, u32)| {
        let removed = Thresholds { put: removed_until.max(all_removed_until), removal: u32::MAX };
        let Some(newest) = newest else { return Some(removed) };
        let survived = history.entry(newest.writer?).end();
        Some(match newest.stored.value {
            Some(_) => Thresholds { put: survived, removal: survived },
            None => Thresholds { put: removed.put.max(survived), ..removed },
        })
    };
    facts.shown.iter().zip(removed_until).map(of_key).collect()
}

fn witness(facts: &Facts<'_>, op: OpId, key: KeyId, count: u64) -> Witness {
    let names = facts.evidence.names();
    let history = facts.evidence.history;
    let entry = history.entry(op);
    let newest = facts.shown[key.0 as usize];
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
    let version = history.effect_on(op, key).and_then(|effect| effect.version);
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

/// The nodes, up or down, that still have the write `op` of `key`.
fn keepers(facts: &Facts<'_>, op: OpId, key: KeyId) -> Vec<(NodeId, bool)> {
    let is_kept = |held: &Stored| facts.writers.writer(key, held.value, held.version) == Some(op);
    let finals = facts.evidence.finals.iter();
    finals
        .filter(|snapshot| snapshot.data.get(&key).is_some_and(is_kept))
        .map(|snapshot| (snapshot.node, snapshot.up))
        .collect()
}

/// Where the lost write was last seen: on a node that still has it, or else by the last get that
/// found it.
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
    if entry.version.is_none() {
        return String::new();
    }
    let found = |(_, read): &(OpId, &Entry)| {
        read.function == Function::Get
            && read.is_ok()
            && read.key == entry.key
            && read.value.zip(read.version).is_some_and(|(value, version)| {
                facts.writers.found(read, read.key, Some(value), version) == Some(op)
            })
    };
    let last =
        facts.evidence.history.accesses().filter(found).max_by_key(|(_, read)| read.completed_seq);
    last.map_or_else(
        || "; no client ever read it".to_owned(),
        |(_, read)| format!("; last read {}", words::answered(read)),
    )
}
