//! Batches before every checker: each is judged as its parts, all at one moment.

use super::ExpectedVerdict::{Valid, Violation};
use super::testing::Story;
use super::testing::several::Part::{Append, Cas, Delete, Get, Put};
use super::testing::several::judged;
use crate::history::Failure;
use crate::id::OpId;
use crate::property::Property::{
    AppendUniqueness, Durability, Linearizability, LwwMaximum, MonotonicReads, MonotonicWrites,
    ReadYourWrites, Resurrection, SplitBrain, Staleness, WritesFollowReads,
};

/// The story after Rome and Tiber were put as one.
fn rome() -> Story {
    let mut story = Story::new(2);
    story.batch("c1", &[Put("city", "Rome", 5), Put("river", "Tiber", 6)]).at(1).ok(2);
    story
}

/// Its numbers count down, and yet its parts come in their order.
#[test]
fn witnesses_name_the_first_read_that_is_wrong_and_the_one_before() {
    let mut story = rome();
    story.put("c1", "city", "Oslo").at(3).ok(4).version(8);
    let read = |found| [Get("river", Some(("Tiber", 6))), Get("city", Some(found))];
    story.batch("c2", &read(("Oslo", 8))).at(5).ok(6);
    story.batch("c2", &read(("Rome", 5))).at(7).ok(8);
    story.get("c2", "city", ("Rome", 5)).at(9).ok(10);
    let witness = story.witness(MonotonicReads);
    witness.assert_begins("c2: read city=Oslo from n1 at 0.006000000 s; then read the older");
    assert_eq!(witness.operations, [2, 3].map(OpId));
    // One that comes after many reads is no earlier than they.
    let mut late = rome();
    late.put("c1", "city", "Oslo").at(3).ok(4).version(8);
    late.get("c2", "city", ("Rome", 5)).at(5).ok(6);
    late.batch("c2", &read(("Rome", 5))).at(5).ok(6);
    assert_eq!(late.witness(Staleness).operations, [1, 2].map(OpId));
}

#[test]
fn its_parts_are_seen_at_one_moment() {
    let both = [Get("city", Some(("Rome", 5))), Get("river", Some(("Tiber", 6)))];
    let half = [Get("city", Some(("Rome", 5))), Get("river", None)];
    for (parts, expected) in [(&both, Valid), (&half, Violation)] {
        let story = rome().and(|story| story.batch("c2", parts).at(3).ok(4));
        judged(&story, &[(Linearizability, expected), (Staleness, expected)]);
    }
    // Half of it is seen while it is under way: then it was not done at one moment.
    let mut story = Story::new(2);
    story.batch("c1", &[Put("city", "Rome", 5), Put("river", "Tiber", 6)]).at(1).ok(9);
    story.batch("c2", &half).at(3).ok(4);
    judged(&story, &[(Linearizability, Violation), (Staleness, Valid)]);
    let told = "batch [get city, get river] by c2 (which found city=Rome, river=nothing)";
    story.witness(Linearizability).assert_begins(told);
    // Each key alone is possible all the same.
    let mut story = Story::new(2);
    story.batch("c1", &[Put("city", "Rome", 5), Put("river", "Tiber", 6)]).at(1).ok(9);
    story.get("c2", "city", ("Rome", 5)).at(3).ok(4);
    story.miss("c3", "river").at(3).ok(4);
    judged(&story, &[(Linearizability, Valid), (Staleness, Valid)]);
    story.miss("c3", "river").at(5).ok(6);
    judged(&story, &[(Linearizability, Violation), (Staleness, Valid)]);
}

#[test]
fn a_part_sees_what_the_parts_before_it_wrote() {
    let mut story = rome();
    let parts = [
        Get("city", Some(("Rome", 5))),
        Put("city", "Oslo", 8),
        Get("city", Some(("Oslo", 8))),
        Delete("city", 9),
        Get("city", None),
        Put("city", "Bonn", 10),
    ];
    story.batch("c2", &parts).at(3).ok(4);
    story.get("c1", "city", ("Bonn", 10)).at(5).ok(6);
    story.holds(1, "city", "Bonn", 10).holds(2, "city", "Bonn", 10);
    story.holds(1, "river", "Tiber", 6).holds(2, "river", "Tiber", 6);
    let all = [
        Linearizability,
        Staleness,
        ReadYourWrites,
        MonotonicReads,
        MonotonicWrites,
        WritesFollowReads,
        Durability,
        LwwMaximum,
        Resurrection,
    ];
    judged(&story, &all.map(|property| (property, Valid)));
    // What was there before, it cannot see any more.
    let mut old = rome();
    let parts = [Put("city", "Oslo", 8), Get("city", Some(("Rome", 5)))];
    old.batch("c2", &parts).at(3).ok(4);
    judged(&old, &[(Linearizability, Violation), (ReadYourWrites, Violation)]);
    // What it put in between, nobody else can see after it.
    let between = story.and(|story| story.get("c3", "city", ("Oslo", 8)).at(7).ok(8));
    judged(&between, &[(Linearizability, Violation)]);
}

#[test]
fn with_a_compare_and_set_it_is_done_or_not() {
    let parts = [Cas("city", Some("Rome"), "Oslo", 8), Put("river", "Glomma", 9)];
    let done = rome().and(|story| story.batch("c2", &parts).at(3).ok(4));
    judged(&done, &[(Linearizability, Valid), (Staleness, Valid)]);
    let twice = done.and(|story| {
        let parts = [Cas("city", Some("Rome"), "Bonn", 10), Put("river", "Rhine", 11)];
        story.batch("c3", &parts).at(5).ok(6)
    });
    judged(&twice, &[(Linearizability, Violation), (Staleness, Violation)]);
    // One that was not done wrote nothing, and has read what it found.
    let refused = |found| {
        let mut story = done.clone();
        let parts = [Put("river", "Rhine", 10), Cas("city", Some("Rome"), "Bonn", 11)];
        story.batch("c3", &parts).mismatches_at(1, found).at(5).fail(6);
        story
    };
    judged(&refused(("Oslo", 8)), &[(Linearizability, Valid), (Staleness, Valid)]);
    judged(&refused(("Rome", 5)), &[(Linearizability, Violation), (Staleness, Violation)]);
    let seen =
        refused(("Oslo", 8)).and(|story| story.get("c1", "river", ("Rhine", 10)).at(7).ok(8));
    judged(&seen, &[(Linearizability, Violation)]);
    // What the batch itself would have put before is no news, and not told.
    let mut own = rome();
    let parts = [Put("city", "Oslo", 8), Cas("city", Some("Rome"), "Bonn", 9)];
    own.batch("c2", &parts).because(Failure::Mismatch).at(3).fail(4);
    judged(&own, &[(Linearizability, Valid), (Staleness, Valid), (MonotonicReads, Valid)]);
}

#[test]
fn one_of_unknown_outcome_happened_as_a_whole_or_never() {
    let mut story = rome();
    let parts = [Cas("city", Some("Rome"), "Oslo", 8), Put("river", "Glomma", 9)];
    story.batch("c2", &parts).at(3).info(4);
    let all = [Get("city", Some(("Oslo", 8))), Get("river", Some(("Glomma", 9)))];
    let none = [Get("city", Some(("Rome", 5))), Get("river", Some(("Tiber", 6)))];
    let half = [Get("city", Some(("Oslo", 8))), Get("river", Some(("Tiber", 6)))];
    for (parts, expected) in [(&all, Valid), (&none, Valid), (&half, Violation)] {
        let read = story.and(|story| story.batch("c1", parts).at(5).ok(6));
        judged(&read, &[(Linearizability, expected), (Staleness, Valid)]);
    }
}

#[test]
fn its_writes_are_lost_revived_and_counted_as_others() {
    let mut story = rome();
    story.batch("c2", &[Put("city", "Oslo", 8), Delete("river", 9)]).at(3).ok(4);
    let lost = story.and(|story| {
        story.holds(1, "city", "Rome", 5).holds(2, "city", "Rome", 5).tombstone(1, "river", 9)
    });
    judged(&lost, &[(Durability, Violation), (LwwMaximum, Violation)]);
    lost.witness(Durability).assert_begins("put city=Oslo (of a batch) by c2 was acknowledged");
    assert_eq!(lost.witness(Durability).operations, [1, 0].map(OpId));
    let revived = story.and(|story| story.get("c3", "river", ("Tiber", 6)).at(5).ok(6));
    judged(&revived, &[(Resurrection, Violation), (Linearizability, Violation)]);
    let low = story.and(|story| story.batch("c2", &[Put("city", "Bonn", 7)]).at(5).ok(6));
    judged(&low, &[(MonotonicWrites, Violation)]);
    let read = story.and(|story| {
        story.batch("c3", &[Get("city", Some(("Oslo", 8))), Put("city", "Bonn", 7)]).at(5).ok(6)
    });
    judged(&read, &[(WritesFollowReads, Violation), (MonotonicWrites, Valid)]);
    let mut appended = Story::new(1);
    appended.batch("c1", &[Append("log", "a", 5), Append("log", "b", 6)]).at(1).ok(2);
    judged(
        &appended.and(|story| story.lists(1, "log", &[("a", 5), ("b", 6)])),
        &[(AppendUniqueness, Valid), (Durability, Valid)],
    );
    let gone = appended.and(|story| story.lists(1, "log", &[("b", 6)]));
    judged(&gone, &[(AppendUniqueness, Violation)]);
}

#[test]
fn two_leaders_that_answer_batches_are_a_split_brain_unless_these_only_read() {
    for (parts, expected) in [(Put("river", "Po", 8), Violation), (Get("river", None), Valid)] {
        let mut two = Story::new(2);
        two.leads(1, 1, 0, Some(20)).leads(2, 2, 5, None);
        two.put("c1", "city", "Rome").at(6).ok(8).version(5);
        two.batch("c2", &[parts]).at(9).ok(12).by(2);
        two.miss("c3", "river").at(13).info(30);
        judged(&two, &[(SplitBrain, expected)]);
    }
}
