//! The scan against stories, and against the definitions read word for word.

use proptest::prelude::*;

use super::*;
use crate::check::Witness;
use crate::check::testing::Story;
use crate::check::testing::any_story::any_story;
use crate::check::testing::definitions::{
    Found, Told, found, is_older, misses, removals, versions,
};
use crate::check::{Evidence, Verdict};
use crate::history::History;
use crate::id::NodeId;
use crate::property::Property::{
    self, MonotonicReads, MonotonicWrites, ReadYourWrites, WritesFollowReads,
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
        "c1: put city=Raleigh, acknowledged by n1 at 0.004000000 s with 0 of 1 followers; then \
         read the older city=Durham from n2 at 0.006000000 s"
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
        witness
            .summary
            .ends_with("then found no city from n2 at 0.020000000 s, and no delete explains that"),
        "{}",
        witness.summary
    );

    story.and(|story| story.delete("c2", "city").at(1).ok(2).version(4)).witness(ReadYourWrites);
    story.and(|story| story.delete("c2", "city").at(5).fail(6).version(9)).witness(ReadYourWrites);
    story.and(|story| story.delete("c2", "city").at(21).ok(22).version(9)).witness(ReadYourWrites);
    all_valid(&story.and(|story| story.delete("c2", "city").at(19).version(9)));
    all_valid(&story.and(|story| story.clear("c2", &[("city", 9)]).at(5).info(6)));
    story.clear("c2", &[]).at(5).ok(6);
    all_valid(&story);
}

#[test]
fn a_value_from_before_the_sessions_own_delete_is_caught() {
    let mut story = Story::new(2);
    story.put("c2", "city", "Durham").at(1).ok(2).version(1);
    story.delete("c1", "city").at(3).ok(4).version(2);
    story.get("c1", "city", ("Durham", 1)).at(5).ok(6).by(2);
    only(&story, ReadYourWrites).assert_begins("c1: delete city, acknowledged by n1");

    let mut story = Story::new(2);
    story.put("c2", "city", "Durham").at(1).ok(2).version(1);
    story.clear("c1", &[("city", 2)]).at(3).ok(4);
    story.get("c1", "city", ("Durham", 1)).at(5).ok(6).by(2);
    only(&story, ReadYourWrites).assert_begins("c1: clear, acknowledged by n1");
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
        "c1: read city=Raleigh from n2 at 0.006000000 s; then read the older city=Durham from n3 \
         at 0.008000000 s"
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
        "c1: found city removed from n1 at 0.008000000 s; then read Durham again, from before the \
         removal, from n3 at 0.010000000 s"
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
        "c1: read city=Durham from n1 at 0.004000000 s; then found no city from n2 at 0.006000000 \
         s, and no delete explains that"
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
        "c1: put city=Durham, acknowledged by n1 at 0.002000000 s; then put city=Raleigh, \
         acknowledged by n2 at \
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
    witness.assert_begins("c1: read city=Durham from n1");
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
    only(&story, MonotonicReads).assert_begins("c1: found city removed from n1");

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
    only(&all, MonotonicReads).assert_says("then read a list of city without e3");

    let mut hole = story.clone();
    whole(&mut hole, &[1, 2]);
    only(&hole, ReadYourWrites).assert_says("then read a list of city without e1");

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

    // A clock that was set back put e2 before e1: a read of everything that shows both misses
    // neither.
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
    // Where the first was what a list showed, the delete explains that it is gone; of the last it
    // is known.
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
    only(&story, MonotonicReads).assert_says("then read a list of city without e1");
}

#[test]
fn an_element_from_before_a_removal_that_was_seen_is_caught_under_a_newer_one() {
    let mut story = Story::new(2);
    story.append("c2", "city", "e1").at(1).ok(2).version(1);
    story.get("c1", "city", ("e1", 1)).at(3).ok(4).finds_list(&[0]);
    story.delete("c2", "city").at(5).ok(6).version(5);
    story.miss("c1", "city").at(7).ok(8);
    story.append("c2", "city", "e2").at(9).ok(10).version(9);
    all_valid(
        &story.and(|story| story.get("c1", "city", ("e2", 9)).at(11).ok(12).finds_list(&[1])),
    );
    story.get("c1", "city", ("e2", 9)).at(11).ok(12).finds_list(&[0, 1]);
    only(&story, MonotonicReads).assert_begins("c1: found city removed from n1");
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
    only(&there, ReadYourWrites).assert_says("then found city among the keys");
    all_valid(&there.and(|story| story.put("c2", "city", "Apex").at(6).info(7).version(3)));

    only(&story.and(|story| story.list("c1", &[]).at(3).ok(4)), ReadYourWrites);
    let mut read = Story::new(2);
    read.put("c2", "city", "Durham").at(1).ok(2).version(1);
    read.get("c1", "city", ("Durham", 1)).at(3).ok(4);
    read.list("c1", &[]).at(5).ok(6);
    only(&read, MonotonicReads);
}

/// A delete that may yet happen would explain any read of nothing.
#[test]
fn a_tombstone_tells_which_removal_a_session_has_read() {
    let mut story = Story::new(2);
    story.delete("c1", "city").at(1).ok(2).version(1);
    story.put("c1", "city", "Durham").at(3).ok(4).version(3);
    story.delete("c2", "city").at(1).info(9).version(5);
    story.miss("c1", "city").at(10).ok(11);
    all_valid(&story);
    story.miss("c1", "city").at(12).ok(13).tombstone(5);
    all_valid(&story);
    only(&story.and(|story| story.get("c1", "city", ("Durham", 3)).at(14).ok(15)), MonotonicReads)
        .assert_says(
            "c1: found the tombstone of city from n1 at 0.013000000 s; then read the older",
        );
    let mut missed = Story::new(2);
    missed.delete("c1", "city").at(1).ok(2).version(1);
    missed.put("c1", "city", "Durham").at(3).ok(4).version(3);
    missed.delete("c2", "city").at(1).info(9).version(5);
    missed.miss("c1", "city").at(10).ok(11).tombstone(1);
    only(&missed, ReadYourWrites).assert_says("found the tombstone of an older removal of city");
}

/// The definitions word by word, an operation and those before it at a time: how often each is
/// broken.
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
                    writes.iter().any(|write| misses(history, later, key, now, *write))
                };
                // A read of nothing before, that only a removal after a write explains.
                let returned = |i: usize| {
                    let (nothing, nothing_entry) = before[i];
                    if !matches!(found(history, nothing, key), Some(Found::Nothing)) {
                        return false;
                    }
                    let Found::Value(shown) = now else { return false };
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
