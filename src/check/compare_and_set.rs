//! Compare-and-sets before every checker: each is judged as the read and the put that it is.
//!
//! The write of Rome has version 5 and that of Oslo version 8, unless a test says otherwise.

use super::ExpectedVerdict::{Valid, Violation};
use super::testing::Story;
use super::testing::several::{Part, judged};
use crate::property::Property::{
    Durability, Linearizability, LwwMaximum, MonotonicReads, MonotonicWrites, ReadYourWrites,
    Resurrection, SplitBrain, Staleness, WritesFollowReads,
};

/// The story after Rome was put.
fn rome() -> Story {
    let mut story = Story::new(2);
    story.put("c1", "city", "Rome").at(1).ok(2).version(5);
    story
}

#[test]
fn one_that_finds_what_it_expects_has_read_that_and_put_another() {
    let mut story = rome();
    story.cas("c2", "city", Some("Rome"), "Oslo").at(3).ok(4).version(8);
    story.get("c1", "city", ("Oslo", 8)).at(5).ok(6);
    story.holds(1, "city", "Oslo", 8).holds(2, "city", "Oslo", 8);
    judged(
        &story,
        &[
            (Linearizability, Valid),
            (Staleness, Valid),
            (Durability, Valid),
            (LwwMaximum, Valid),
            (MonotonicReads, Valid),
            (WritesFollowReads, Valid),
        ],
    );
    // The second of two cannot have found the same.
    let twice =
        story.and(|story| story.cas("c3", "city", Some("Rome"), "Bonn").at(7).ok(8).version(9));
    judged(&twice, &[(Linearizability, Violation), (Staleness, Violation)]);
    twice.witness(Staleness).assert_begins("c3 read city=Rome from n1, asked at 0.007000000 s");
    twice.witness(Staleness).assert_says("put city=Oslo (of a cas) by c2");
    twice.witness(Linearizability).assert_says("cas city from Rome to Bonn by c3");
}

#[test]
fn one_that_expects_nothing_has_read_nothing() {
    let mut story = Story::new(2);
    story.cas("c1", "city", None, "Rome").at(1).ok(2).version(5);
    judged(&story, &[(Linearizability, Valid), (Staleness, Valid)]);
    story.cas("c2", "city", None, "Oslo").at(3).ok(4).version(8);
    judged(&story, &[(Linearizability, Violation), (Staleness, Violation)]);
    story.delete("c3", "city").at(2).ok(4).version(7);
    judged(&story, &[(Linearizability, Valid), (Staleness, Valid)]);
}

#[test]
fn one_that_finds_something_else_has_read_that_and_put_nothing() {
    let mut story = rome();
    story.put("c2", "city", "Oslo").at(3).ok(4).version(8);
    let with = |from, found| story.and(|s| s.mismatch("c3", "city", from, found).at(5).fail(6));
    let fresh = with(Some("Rome"), Some(("Oslo", 8)));
    judged(&fresh, &[(Linearizability, Valid), (Staleness, Valid), (MonotonicReads, Valid)]);
    for (from, found) in [(Some("Bonn"), Some(("Rome", 5))), (Some("Rome"), None)] {
        let stale = with(from, found);
        judged(&stale, &[(Linearizability, Violation), (Staleness, Violation)]);
    }
    // Nobody put it, so nobody can read it.
    let put = fresh.and(|s| s.get("c1", "city", ("never put", 9)).at(7).ok(8));
    judged(&put, &[(Linearizability, Violation)]);
}

#[test]
fn one_that_failed_for_another_reason_or_of_unknown_outcome_has_read_nothing() {
    let mut story = rome();
    story.put("c2", "city", "Oslo").at(3).ok(4).version(8);
    let failed = story.and(|s| s.cas("c3", "city", Some("Rome"), "Bonn").at(5).fail(6));
    judged(&failed, &[(Linearizability, Valid), (Staleness, Valid)]);
    let unknown = story.and(|s| s.cas("c3", "city", Some("Rome"), "Bonn").at(5).info(6));
    judged(&unknown, &[(Linearizability, Valid), (Staleness, Valid)]);
    // Its put may come at any time, but only where the key holds what it expects.
    let late = |from, found| {
        let mut story = story.clone();
        story.cas("c3", "city", Some(from), "Bonn").at(5).info(6).version(9);
        story.get("c1", "city", found).at(7).ok(8);
        story
    };
    judged(&late("Oslo", ("Bonn", 9)), &[(Linearizability, Valid), (Staleness, Valid)]);
    judged(&late("Rome", ("Bonn", 9)), &[(Linearizability, Violation), (Staleness, Valid)]);
    // A retry that found what its own first attempt had put is of unknown outcome.
    let mut retried = rome();
    retried.mismatch("c2", "city", Some("Rome"), Some(("never put", 8))).at(3).info(4).version(8);
    retried.get("c1", "city", ("never put", 8)).at(5).ok(6);
    judged(&retried, &[(Linearizability, Valid), (MonotonicReads, Valid)]);
}

#[test]
fn what_it_put_is_lost_or_made_up_as_any_put() {
    let mut story = rome();
    story.cas("c2", "city", Some("Rome"), "Oslo").at(3).ok(4).version(8);
    let lost = story.and(|s| s.holds(1, "city", "Rome", 5).holds(2, "city", "Rome", 5));
    judged(&lost, &[(Durability, Violation), (LwwMaximum, Violation)]);
    lost.witness(Durability).assert_begins("put city=Oslo (of a cas) by c2 was acknowledged");
    assert_eq!(lost.witness(Durability).operations, [1, 0].map(crate::id::OpId));
    let made_up = story.and(|s| s.holds(1, "city", "Oslo", 7).holds(2, "city", "Oslo", 7));
    judged(&made_up, &[(LwwMaximum, Violation)]);
    let gone = story.and(|s| s);
    judged(&gone, &[(Durability, Violation)]);
    // A refused one wrote nothing, and nothing of it can be lost.
    let mut refused = rome();
    refused.mismatch("c2", "city", Some("Bonn"), Some(("Rome", 5))).at(3).fail(4);
    refused.holds(1, "city", "Rome", 5).holds(2, "city", "Rome", 5);
    judged(&refused, &[(Durability, Valid), (LwwMaximum, Valid), (Linearizability, Valid)]);
}

#[test]
fn a_session_has_to_see_what_it_compared_and_set() {
    let mut story = rome();
    story.cas("c1", "city", Some("Rome"), "Oslo").at(3).ok(4).version(8);
    let stale = story.and(|s| s.get("c1", "city", ("Rome", 5)).at(5).ok(6));
    judged(&stale, &[(ReadYourWrites, Violation), (MonotonicReads, Valid)]);
    // What a mismatch found, later reads have to see.
    let mut other = story.clone();
    other.mismatch("c2", "city", Some("Bonn"), Some(("Oslo", 8))).at(5).fail(6);
    other.get("c2", "city", ("Rome", 5)).at(7).ok(8);
    judged(&other, &[(MonotonicReads, Violation), (ReadYourWrites, Valid)]);
    // A mismatch has to see what its session wrote.
    let blind =
        story.and(|s| s.mismatch("c1", "city", Some("Bonn"), Some(("Rome", 5))).at(5).fail(6));
    judged(&blind, &[(ReadYourWrites, Violation)]);
    // Its put comes after what it read, and after earlier writes.
    let mut low = rome();
    low.put("c2", "city", "Oslo").at(3).ok(4).version(8);
    low.cas("c2", "city", Some("Oslo"), "Bonn").at(5).ok(6).version(7);
    judged(&low, &[(MonotonicWrites, Violation), (WritesFollowReads, Violation)]);
}

#[test]
fn it_reads_what_was_deleted_and_writes_on_two_leaders() {
    let mut story = rome();
    story.delete("c2", "city").at(3).ok(4).version(8);
    let revived = story.and(|s| s.cas("c3", "city", Some("Rome"), "Bonn").at(5).ok(6).version(9));
    judged(&revived, &[(Resurrection, Violation), (Linearizability, Violation)]);
    let found = story.and(|s| s.mismatch("c3", "city", None, Some(("Rome", 5))).at(5).fail(6));
    judged(&found, &[(Resurrection, Violation), (Linearizability, Violation)]);
    let mut two = Story::new(2);
    two.leads(1, 1, 0, Some(20)).leads(2, 2, 5, None);
    two.put("c1", "city", "Rome").at(6).ok(8).version(5).handled(7, 7);
    two.cas("c2", "city", Some("Rome"), "Oslo").at(9).ok(12).by(2).version(8).handled(10, 11);
    judged(&two, &[(SplitBrain, Violation)]);
}

/// Which attempt's it was, nobody knows.
#[test]
fn what_it_expects_may_be_of_any_attempt() {
    let mut story = Story::new(1);
    story.put("c1", "city", "Rome").at(1).ok(9).version(8).attempt(5);
    story.put("c3", "city", "Oslo").at(1).ok(9).version(7);
    story.cas("c2", "city", Some("Rome"), "Bonn").at(2).ok(3).version(6);
    story.get("c2", "city", ("Oslo", 7)).at(10).ok(11);
    judged(&story, &[(WritesFollowReads, Valid), (MonotonicReads, Valid)]);
}

/// A list that ends with the text, or a put of it that is under way: it may be either.
#[test]
fn what_it_expects_may_be_the_last_element_of_a_list() {
    for put_in_a_batch in [false, true] {
        let mut story = Story::new(1);
        story.append("c1", "log", "a").at(1).ok(2).version(5);
        story.cas("c1", "log", Some("a"), "b").at(3).ok(5).version(6);
        if put_in_a_batch {
            story.batch("c2", &[Part::Put("log", "a", 7)]).at(4).ok(6);
        } else {
            story.put("c2", "log", "a").at(4).ok(6).version(7);
        }
        story.get("c3", "log", ("a", 7)).at(8).ok(9);
        judged(&story, &[(Linearizability, Valid), (Staleness, Valid)]);
        story.cas("c1", "log", Some("b"), "c").at(10).ok(11).version(8);
        judged(&story, &[(Linearizability, Violation), (Staleness, Violation)]);
    }
}

/// A text that two writes wrote may be either.
#[test]
fn which_write_it_expects_is_not_guessed() {
    let mut story = rome();
    story.put("c1", "city", "Oslo").at(3).ok(4).version(7);
    story.put("c1", "city", "Rome").at(5).ok(6).version(8);
    story.cas("c2", "city", Some("Rome"), "Bonn").at(7).ok(8).version(9);
    judged(&story, &[(Linearizability, Valid), (Staleness, Valid), (MonotonicReads, Valid)]);
    let stale = story.and(|s| s.cas("c3", "city", Some("Oslo"), "Paris").at(9).ok(10).version(10));
    judged(&stale, &[(Linearizability, Violation), (Staleness, Violation)]);
}
