//! Durability: no acknowledged write is lost.
//!
//! Decided at the end of the run by real time, the event order of the history, never by stamps: stamps are what a
//! wrong clock gets wrong. For each key let the *surviving write* be the one that a client can be told at the end: what the
//! leader holds where one leads and knows the key, else the one whose version is the greatest that any live replica holds.
//! It is known by the operation that wrote it, for two writes may bear one version ([`crate::history::Writers`]).
//!
//! - An acknowledged put is lost when the key shows a value whose write had completed before the put was invoked, or
//!   when the key shows nothing and every delete or clear of it that may have happened had completed before then.
//! - An acknowledged delete is lost when the key shows a value whose write had completed before the delete was invoked.
//!   So is a clear, for the keys that it removed ([`super::facts`]).
//!
//! An append counts as a put: its element is the key's value. One whose element is in the list that the key shows is not
//! lost, whoever appended it last. What became of the other elements of a list says [`super::append_uniqueness`].
//!
//! A write whose outcome is unknown never completes: it may take effect at any time and so proves no loss. So does
//! one that failed and survives all the same, which is a defect of another kind ([`super::lww_maximum`]). A write that
//! a later or concurrent one replaced is not lost. A degraded acknowledgement is an acknowledgement.
//!
//! The definition follows Jepsen's lost updates for registers ("acknowledged, then never seen again", Kingsbury,
//! "Call me maybe"), made exact for last write wins by the real-time order of Herlihy and Wing (1990).
//!
//! What was thrown away and then written over breaks nothing at the end, and is counted apart ([`discarded`]).
//!
//! One pass, two thresholds a key: the lost writes of a key are those invoked after a place in the history.

use crate::history::{Entry, Function};
use crate::id::{KeyId, NodeId, OpId, Version};
use crate::metrics::Settlement;
use crate::protocol::Stored;

use super::facts::{Facts, Holding};
use super::{Finding, Verdict, Witness, words};

mod discarded;

/// The places in the history from which on an acknowledged write of a key is lost, when it was invoked there; none is
/// from `u32::MAX` on. (An invocation and a completion never share a place, so "at or after" is "after".)
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
    for (op, entry) in history.iter() {
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
    if let Settlement::Stuck { at, .. } = facts.evidence.settlement {
        return unknown(format!(
            "the simulation got stuck at {at} s, before replicas could settle"
        ));
    }
    if facts.live.is_empty() {
        return unknown("no node is up".to_owned());
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

/// Every acknowledged write that was thrown away before its key was written again, in the order of invocation; `None`
/// where the protocol does not say what its writes are written over.
pub(super) fn discarded_writes(facts: &Facts<'_>) -> Option<Vec<OpId>> {
    let thresholds = thresholds(facts);
    discarded::discarded(facts, |op| is_lost(facts, &thresholds, op))
}

/// Every acknowledged write that is lost, in the order of invocation, with the key on which it is: of a clear the
/// first.
pub(super) fn lost_writes(facts: &Facts<'_>) -> Vec<(OpId, KeyId)> {
    let thresholds = thresholds(facts);
    let writes = facts.evidence.history.iter().filter(|(_, e)| e.is_ok() && e.is_write());
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
        Some(threshold) if matches!(entry.function, Function::Put | Function::Append) => {
            threshold.put <= entry.invoked_seq && !is_element(facts, entry)
        }
        Some(threshold) => threshold.removal <= entry.invoked_seq,
        None => false,
    };
    if entry.function == Function::Clear {
        return facts.cleared(op).iter().map(|(_, key, _)| *key).find(|key| is_lost(*key));
    }
    is_lost(entry.key).then_some(entry.key)
}

/// Whether the append `entry` has its element in the list that the key shows.
fn is_element(facts: &Facts<'_>, entry: &Entry) -> bool {
    let (Function::Append, Some(element)) = (entry.function, entry.value) else { return false };
    let mut lists = facts.shown_lists(entry.key);
    lists.any(|(_, list)| list.iter().any(|(_, value)| *value == element))
}

/// By key; `None` where what is held was written by no known operation.
fn thresholds(facts: &Facts<'_>) -> Vec<Option<Thresholds>> {
    let history = facts.evidence.history;
    // By key, the place until which a removal may have taken effect.
    let mut removed_until = vec![0; facts.shown.len()];
    let mut all_removed_until = 0;
    let removals =
        if facts.asks_for(&[Function::Delete, Function::Clear]) { history.entries() } else { &[] };
    for (op, entry) in (0..).map(OpId).zip(removals) {
        match entry.function {
            Function::Delete if entry.may_have_happened() => {
                let until = &mut removed_until[entry.key.0 as usize];
                *until = entry.end().max(*until);
            }
            Function::Clear if entry.may_have_happened() => {
                let cleared = facts.cleared(op);
                for (_, key, _) in cleared {
                    let until = &mut removed_until[key.0 as usize];
                    *until = entry.end().max(*until);
                }
                if cleared.is_empty() {
                    all_removed_until = entry.end().max(all_removed_until);
                }
            }
            Function::Put
            | Function::Get
            | Function::Delete
            | Function::List
            | Function::ReadAll
            | Function::Clear
            | Function::Append => {}
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
    let is_kept = |held: &Stored| facts.writers.writer(key, held.value, held.version) == Some(op);
    let finals = facts.evidence.finals.iter();
    finals
        .filter(|snapshot| snapshot.data.get(&key).is_some_and(is_kept))
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
    if entry.version.is_none() {
        return String::new();
    }
    let found = |(_, read): &(OpId, &Entry)| {
        read.function == Function::Get
            && read.is_ok()
            && read.key == entry.key
            && read.value.zip(read.version).is_some_and(|(value, version)| {
                facts.writers.found(read, read.key, value, version) == Some(op)
            })
    };
    let last =
        facts.evidence.history.iter().filter(found).max_by_key(|(_, read)| read.completed_seq);
    last.map_or_else(
        || "; no client ever read it".to_owned(),
        |(_, read)| format!("; last read {}", words::answered(read)),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{Story, any_story, removal_versions, shown, versions, writer};
    use super::super::{Evidence, Verdict};
    use super::*;
    use crate::history::Status;
    use crate::metrics::Standstill;
    use crate::property::Property::Durability;

    /// Durham, then Raleigh, one after the other, both acknowledged.
    fn two_writes() -> Story {
        let mut story = Story::new(3);
        story.put("c1", "city", "Durham").at(800).ok(900).version(5);
        story.put("c1", "city", "Raleigh").at(1_000).ok(1_200).version(9).confirmed(0, 2);
        story
    }

    #[test]
    fn an_overwritten_write_is_not_lost() {
        let mut story = two_writes();
        story.holds(2, "city", "Raleigh", 9);
        story.assert_valid(Durability);
        assert_eq!(story.figure(Durability, "acknowledged_writes"), 2);
        assert_eq!(story.figure(Durability, "lost_writes"), 0);
    }

    #[test]
    fn an_older_survivor_proves_the_loss() {
        let mut story = two_writes();
        story.holds(2, "city", "Durham", 5).holds(3, "city", "Durham", 5).down(1);
        let witness = story.witness(Durability);
        assert_eq!(
            witness.summary,
            "put city=Raleigh by c1 was acknowledged by n1 at 1.200000000 s with 0 of 2 followers; at the end city \
             holds Durham, whose write had completed before at 0.900000000 s; no client ever read it"
        );
        assert_eq!((witness.count, witness.operations), (1, vec![OpId(1), OpId(0)]));
        assert_eq!((witness.nodes, witness.write), (vec![NodeId(0)], Some(story.stamp(9))));
        assert_eq!(story.figure(Durability, "lost_writes"), 1);
    }

    #[test]
    fn real_time_decides_and_not_the_stamps() {
        // The clock ran backwards: the later write has the lower stamp, so the earlier one survives it.
        let mut story = Story::new(2);
        story.put("c1", "city", "Durham").at(1).ok(2).version(9);
        story.put("c2", "city", "Raleigh").at(3).ok(4).version(5);
        story.get("c2", "city", ("Raleigh", 5)).at(5).ok(6).by(2);
        story.holds(1, "city", "Durham", 9).holds(2, "city", "Durham", 9);
        let summary = story.witness(Durability).summary;
        assert!(summary.contains("has the higher stamp"), "{summary}");
        assert!(summary.ends_with("; last read from n2 at 0.006000000 s"), "{summary}");
    }

    #[test]
    fn a_concurrent_survivor_proves_nothing_whatever_its_stamp() {
        let mut story = Story::new(2);
        story.put("c1", "city", "Durham").at(1).ok(4).version(5);
        story.put("c2", "city", "Raleigh").at(3).ok(6).version(9);
        story.holds(1, "city", "Durham", 5);
        story.assert_valid(Durability);
    }

    #[test]
    fn a_survivor_of_unknown_outcome_never_completed() {
        for outcome in [Status::Info, Status::Pending, Status::Fail] {
            let mut story = Story::new(2);
            let older = story.put("c1", "city", "Durham").at(1).version(5);
            match outcome {
                Status::Info => older.info(2),
                Status::Fail => older.fail(2),
                Status::Pending | Status::Ok => older,
            };
            story.put("c2", "city", "Raleigh").at(3).ok(4).version(9);
            story.holds(1, "city", "Durham", 5);
            story.assert_valid(Durability);
        }
    }

    #[test]
    fn an_unacknowledged_write_may_go() {
        let mut story = Story::new(2);
        story.put("c1", "city", "Durham").at(1).ok(2).version(5);
        story.put("c1", "city", "Raleigh").at(3).info(4).version(9);
        story.holds(1, "city", "Durham", 5);
        story.assert_valid(Durability);
    }

    #[test]
    fn every_version_of_a_retried_write_is_that_write() {
        let mut story = Story::new(2);
        story.put("c1", "city", "Durham").at(1).ok(2).version(5);
        story.put("c1", "city", "Raleigh").at(3).ok(9).attempt(6).version(8);
        story.holds(1, "city", "Raleigh", 6);
        story.assert_valid(Durability);
    }

    #[test]
    fn a_key_that_is_gone_needs_a_delete() {
        let mut story = two_writes();
        let summary = story.witness(Durability).summary;
        assert!(summary.contains("no live replica has city, and no delete explains"), "{summary}");
        assert!(summary.ends_with("(2 acknowledged writes lost in all)"), "{summary}");

        // A delete that had completed before the writes explains nothing; a concurrent or an unknown one does.
        story.delete("c2", "city").at(1).ok(2).version(1);
        assert_eq!(story.witness(Durability).count, 2);
        let mut concurrent = story.clone();
        concurrent.delete("c2", "city").at(1_100).ok(1_300).version(10);
        concurrent.assert_valid(Durability);
        let mut between = story.clone();
        between.delete("c2", "city").at(910).ok(920).version(6);
        assert_eq!(between.witness(Durability).count, 1, "only the write after the delete is lost");
        story.delete("c2", "city").at(3).info(4);
        story.assert_valid(Durability);
    }

    #[test]
    fn a_delete_that_failed_explains_nothing() {
        let mut story = two_writes();
        story.delete("c2", "city").at(1_300).fail(1_400);
        assert_eq!(story.witness(Durability).count, 2);
    }

    #[test]
    fn an_older_tombstone_proves_the_loss_of_a_put() {
        let mut story = Story::new(2);
        story.delete("c2", "city").at(1).ok(2).version(4);
        story.put("c1", "city", "Raleigh").at(3).ok(4).version(9).degraded();
        story.tombstone(1, "city", 4);
        assert_eq!(
            story.witness(Durability).summary,
            "put city=Raleigh by c1 was acknowledged by n1 at 0.004000000 s, degraded; at the end city is deleted, by \
             delete city by c2 that had completed before at 0.002000000 s; no client ever read it"
        );
    }

    #[test]
    fn a_delete_is_lost_when_an_older_value_comes_back() {
        let mut story = Story::new(3);
        story.put("c1", "city", "Raleigh").at(1).ok(2).version(4);
        story.delete("c1", "city").at(3).ok(4).version(9);
        let mut gone = story.clone();
        gone.assert_valid(Durability);
        gone.tombstone(1, "city", 9).assert_valid(Durability);
        story.holds(3, "city", "Raleigh", 4);
        let summary = story.witness(Durability).summary;
        assert!(summary.starts_with("delete city by c1 was acknowledged by n1"), "{summary}");
        assert!(summary.contains("at the end city holds Raleigh"), "{summary}");
    }

    #[test]
    fn a_clear_is_lost_for_the_keys_it_removed() {
        let mut story = Story::new(2);
        story.put("c1", "city", "Raleigh").at(1).ok(2).version(4);
        story.put("c1", "weather", "rainy").at(3).ok(4).version(5);
        story.clear("c1", &[("weather", 9)]).at(5).ok(6);
        story.holds(1, "city", "Raleigh", 4);
        story.assert_valid(Durability);
        story.holds(2, "weather", "rainy", 5);
        let witness = story.witness(Durability);
        assert_eq!((witness.count, witness.write), (1, Some(story.stamp(9))));
        assert!(witness.summary.starts_with("clear by c1 was acknowledged by n1 at 0.006000000 s"));
    }

    #[test]
    fn the_clear_of_one_replica_explains_an_absence_and_promises_none() {
        let mut story = two_writes();
        story.clear("c2", &[]).at(1_300).ok(1_400);
        story.assert_valid(Durability);
        story.holds(2, "city", "Raleigh", 9);
        story.assert_valid(Durability);
    }

    #[test]
    fn a_lost_write_may_still_lie_on_a_node_that_is_down() {
        let mut story = two_writes();
        story.holds(2, "city", "Durham", 5).holds(1, "city", "Raleigh", 9).down(1);
        let summary = story.witness(Durability).summary;
        assert!(summary.ends_with("; last seen on n1, down"), "{summary}");
    }

    #[test]
    fn without_a_basis_there_is_no_verdict() {
        let mut story = two_writes();
        story.down(1).down(2).down(3);
        assert_eq!(story.unknown(Durability), "no node is up");
        Story::new(1).down(1).assert_valid(Durability);

        let mut story = two_writes();
        story.holds(2, "city", "Apex", 77);
        let reason = story.unknown(Durability);
        assert!(reason.starts_with("n2 holds city=Apex (version 0.000000077@n1#1), a version"));

        let mut story = two_writes();
        story.settlement(Settlement::Stuck {
            at: super::super::testing::ms(7),
            why: Standstill::Crowd { pending: 9 },
        });
        assert!(story.unknown(Durability).contains("stuck at 0.007000000 s"));
    }

    #[test]
    fn a_write_is_not_its_version() {
        // The leader forgot what it had stamped, and gave the version again: followers kept the first write.
        let mut story = Story::new(3);
        story.put("c1", "city", "Durham").at(1).ok(2).version(5);
        story.put("c1", "city", "Raleigh").at(3).ok(4).version(5);
        story.holds(2, "city", "Durham", 5).holds(3, "city", "Durham", 5).down(1);
        let witness = story.witness(Durability);
        assert_eq!((witness.count, witness.operations), (1, vec![OpId(1), OpId(0)]));
        // Where a live replica has the second one, nobody can say that it is gone.
        story.holds(3, "city", "Raleigh", 5);
        story.assert_valid(Durability);
    }

    #[test]
    fn the_leader_tells_what_is_there_at_the_end() {
        let mut story = two_writes();
        story.holds(1, "city", "Raleigh", 9).holds(2, "city", "Durham", 20).led_by(1);
        story.put("c3", "city", "Durham").at(1).version(20);
        story.assert_valid(Durability);
        // The other way round: a follower has what the leader lacks.
        let mut story = two_writes();
        story.holds(1, "city", "Durham", 5).holds(2, "city", "Raleigh", 9).led_by(1);
        assert_eq!(story.witness(Durability).count, 1);
        // Two leaders of one term tell this and that; and what the leader has never heard of others may still tell.
        story.led_by(2);
        story.assert_valid(Durability);
        let mut story = two_writes();
        story.holds(2, "city", "Raleigh", 9).led_by(1);
        story.assert_valid(Durability);
        let mut story = two_writes();
        story.holds(1, "city", "Durham", 5).holds(2, "city", "Raleigh", 9).led_by(1).down(1);
        story.assert_valid(Durability);
    }

    #[test]
    fn an_element_appended_again_and_known_is_not_lost() {
        let mut story = Story::new(2);
        story.append("c1", "city", "x").at(1).ok(2).version(1);
        story.append("c1", "city", "y").at(3).ok(4).version(2);
        story.append("c1", "city", "x").at(5).ok(6).version(1);
        let mut kept = story.clone();
        kept.lists(1, "city", &[("x", 1), ("y", 2)]).assert_valid(Durability);
        story.lists(1, "city", &[("y", 2)]);
        assert_eq!(story.witness(Durability).operations[0], OpId(2));
    }

    #[test]
    fn what_is_thrown_away_and_written_over_is_counted() {
        let mut story = Story::new(2);
        story.put("c1", "city", "Durham").at(1).ok(2).version(1).over(None);
        story.put("c1", "city", "Raleigh").at(3).ok(4).version(2).over(Some(0));
        // The next leader did not have it.
        story.put("c2", "city", "Apex").at(5).ok(6).version(3).by(2).over(Some(0));
        story.put("c2", "city", "Cary").at(7).ok(8).version(4).by(2).over(Some(2));
        story.holds(1, "city", "Cary", 4).holds(2, "city", "Cary", 4);
        story.assert_valid(Durability);
        assert_eq!(story.figure(Durability, "discarded_writes"), 1);
        let discarded = story.evidence(|evidence| discarded_writes(&Facts::of(evidence)));
        assert_eq!(discarded, Some(vec![OpId(1)]));

        // What is lost is not discarded, and what a removal explains is neither.
        let mut lost = story.clone();
        lost.holds(1, "city", "Durham", 1).holds(2, "city", "Durham", 1);
        assert_eq!(lost.figure(Durability, "lost_writes"), 3);
        assert_eq!(lost.figure(Durability, "discarded_writes"), 0);
        let mut removed = Story::new(2);
        removed.put("c1", "city", "Durham").at(1).ok(2).version(1).over(None);
        removed.delete("c1", "city").at(3).ok(4).version(2).over(Some(0));
        removed.put("c1", "city", "Apex").at(5).ok(6).version(3).over(None);
        removed.put("c1", "city", "Cary").at(7).ok(8).version(4).over(Some(1));
        removed.holds(1, "city", "Cary", 4);
        assert_eq!(removed.figure(Durability, "discarded_writes"), 0);
    }

    #[test]
    fn a_protocol_that_does_not_say_what_it_writes_over_has_no_count() {
        let figures = two_writes().report(Durability).figures;
        assert!(figures.iter().all(|(name, _)| *name != "discarded_writes"), "{figures:?}");
    }

    /// The definition word by word: quadratic, one write at a time. The lost writes in order.
    fn lost(evidence: &Evidence<'_>) -> Vec<OpId> {
        let history = evidence.history;
        let is_lost = |entry: &Entry, key: KeyId| {
            let newest = shown(evidence, key);
            let had_completed = |other: &Entry| other.is_ok() && other.precedes(entry);
            let writer = newest.and_then(|newest| writer(history, key, newest));
            let writer = writer.map(|op| history.entry(op));
            if newest.is_some_and(|newest| newest.value.is_some()) {
                return writer.is_some_and(had_completed);
            }
            entry.function == Function::Put
                && writer.is_none_or(had_completed)
                && history
                    .iter()
                    .filter(|(_, other)| other.may_have_happened())
                    .filter(|(other, _)| !removal_versions(history, *other, key).is_empty())
                    .all(|(_, other)| had_completed(other))
        };
        let acknowledged = history.iter().filter(|(_, entry)| entry.is_ok() && entry.is_write());
        acknowledged
            .filter(|(op, entry)| {
                let keys = (0..2).map(KeyId);
                keys.filter(|key| match entry.function {
                    Function::Clear => !versions(history, *op, *key).is_empty(),
                    _ => entry.key == *key,
                })
                .any(|key| is_lost(entry, key))
            })
            .map(|(op, _)| op)
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn the_fast_checker_agrees_with_the_definition(story in any_story()) {
            let lost = story.evidence(lost);
            prop_assert_eq!(story.figure(Durability, "lost_writes"), lost.len() as u64);
            match story.report(Durability).verdict {
                Verdict::Valid => prop_assert!(lost.is_empty()),
                Verdict::Invalid(witness) => {
                    prop_assert_eq!(witness.operations[0], lost[0]);
                    prop_assert_eq!(witness.count, lost.len() as u64);
                }
                Verdict::Unknown(reason) | Verdict::Unchecked(reason) => {
                    prop_assert!(false, "{}", reason);
                }
            }
        }
    }
}
