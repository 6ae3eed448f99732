//! The checker of durability on stories, and against its definition.

use proptest::prelude::*;

use super::*;
use crate::check::testing::Story;
use crate::check::testing::any_story::any_story;
use crate::check::testing::definitions::{removal_versions, shown, versions, writer};
use crate::check::{Evidence, Verdict};
use crate::history::Status;
use crate::metrics::{Settlement, Standstill};
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
    story.assert_figures(Durability, &[("acknowledged_writes", 2), ("lost_writes", 0)]);
}

#[test]
fn an_older_survivor_proves_the_loss() {
    let mut story = two_writes();
    story.holds(2, "city", "Durham", 5).holds(3, "city", "Durham", 5).down(1);
    let witness = story.witness(Durability);
    assert_eq!(
        witness.summary,
        "put city=Raleigh by c1 was acknowledged by n1 at 1.200000000 s with 0 of 2 followers; at \
         the end city \
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

    // A delete that had completed before the writes explains nothing; a concurrent or an unknown
    // one does.
    story.delete("c2", "city").at(1).ok(2).version(1);
    assert_eq!(story.witness(Durability).count, 2);
    story
        .and(|story| story.delete("c2", "city").at(1_100).ok(1_300).version(10))
        .assert_valid(Durability);
    let between = story.and(|story| story.delete("c2", "city").at(910).ok(920).version(6));
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
        "put city=Raleigh by c1 was acknowledged by n1 at 0.004000000 s, degraded; at the end \
         city is deleted, by \
         delete city by c2 that had completed before at 0.002000000 s; no client ever read it"
    );
}

#[test]
fn a_delete_is_lost_when_an_older_value_comes_back() {
    let mut story = Story::new(3);
    story.put("c1", "city", "Raleigh").at(1).ok(2).version(4);
    story.delete("c1", "city").at(3).ok(4).version(9);
    story.assert_valid(Durability);
    story.and(|story| story.tombstone(1, "city", 9)).assert_valid(Durability);
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
    story.witness(Durability).assert_ends("; last seen on n1, down");
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
        at: crate::check::testing::ms(7),
        why: Standstill::Crowd { pending: 9 },
    });
    assert!(story.unknown(Durability).contains("stuck at 0.007000000 s"));
}

#[test]
fn a_write_is_not_its_version() {
    // The leader forgot what it had stamped, and gave the version again: followers kept the first
    // write.
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
    // Two leaders of one term tell this and that; and what the leader has never heard of others may
    // still tell.
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
    story
        .and(|story| story.holds(1, "city", "Durham", 1).holds(2, "city", "Durham", 1))
        .assert_figures(Durability, &[("lost_writes", 3), ("discarded_writes", 0)]);
    let mut removed = Story::new(2);
    removed.put("c1", "city", "Durham").at(1).ok(2).version(1).over(None);
    removed.delete("c1", "city").at(3).ok(4).version(2).over(Some(0));
    removed.put("c1", "city", "Apex").at(5).ok(6).version(3).over(None);
    removed.put("c1", "city", "Cary").at(7).ok(8).version(4).over(Some(1));
    removed.holds(1, "city", "Cary", 4);
    assert_eq!(removed.figure(Durability, "discarded_writes"), 0);
}

/// A put was invoked first and accepted last, over a later one, which was itself written over a
/// third. The walk back has to go on from the later put, though it has passed its place in the
/// history.
#[test]
fn what_a_slow_write_is_written_over_leads_back_further() {
    let mut story = Story::new(1);
    story.put("c1", "city", "Durham").at(1).ok(20).version(9).over(Some(2));
    story.put("c2", "city", "Raleigh").at(2).ok(3).version(4).over(None);
    story.put("c2", "city", "Apex").at(4).ok(5).version(5).over(Some(1));
    story.holds(1, "city", "Durham", 9);
    assert_eq!(story.figure(Durability, "discarded_writes"), 0);
    // Where the slow one was written over the first of the two, the second was thrown away.
    let mut thrown_away = Story::new(1);
    thrown_away.put("c1", "city", "Durham").at(1).ok(20).version(9).over(Some(1));
    thrown_away.put("c2", "city", "Raleigh").at(2).ok(3).version(4).over(None);
    thrown_away.put("c2", "city", "Apex").at(4).ok(5).version(5).over(Some(1));
    thrown_away.holds(1, "city", "Durham", 9);
    let discarded = thrown_away.evidence(|evidence| discarded_writes(&Facts::of(evidence)));
    assert_eq!(discarded, Some(vec![OpId(2)]));
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
            keys.filter(|key| {
                if entry.is_on_one_key() {
                    entry.key == *key
                } else {
                    !versions(history, *op, *key).is_empty()
                }
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
