//! The checker of availability on stories, and against its definition.

use proptest::prelude::*;

use super::*;
use crate::check::Verdict;
use crate::check::testing::Story;
use crate::check::testing::any_story::any_story;
use crate::config::{Bounds, ExpectedVerdict};
use crate::property::Property::Availability;
use crate::rng::Probability;

fn percent(percent: u32) -> Option<Probability> {
    Some(Probability::from_parts_per_billion(percent * 10_000_000).expect("at most 100"))
}

/// n1 leads and is lost at 100 ms; n2 leads from 400 ms on.
fn failover() -> Story {
    let mut story = Story::new(3);
    story.leads(1, 1, 0, Some(100)).leads(2, 2, 400, None);
    story.put("c1", "city", "Raleigh").at(10).ok(20).by(1);
    // On its way back as n1 is lost: no recovery.
    story.put("c2", "city", "Cary").at(95).ok(105).by(1);
    story.put("c1", "city", "Apex").at(150).fail(160).by(3);
    story.put("c1", "city", "Durham").at(300).ok(450).by(2);
    story
}

#[test]
fn shares_gaps_and_recovery_are_measured() {
    let story = failover();
    let figure = |name| story.figure(Availability, name);
    assert_eq!((figure("operations"), figure("answered"), figure("never_served")), (4, 3, 0));
    assert_eq!(figure("availability_ppm"), 750_000);
    // From the first refused write to the answer; the pause before it is nobody's.
    assert_eq!(figure("longest_gap_ns"), 300_000_000);
    // A write was waiting as the leader was lost.
    assert_eq!((figure("leaders_lost"), figure("longest_recovery_ns")), (1, 350_000_000));
    assert_eq!(figure("unrecovered"), 0);
}

#[test]
fn without_a_bound_it_is_measured_and_not_checked() {
    let story = failover();
    let report = story.report(Availability);
    let why = "the scenario does not set `check.availability-bound` or `check.recovery-bound`";
    assert_eq!(report.verdict, Verdict::Unchecked(why.to_owned()));
    assert_eq!((report.judged, report.demands), (ExpectedVerdict::Unchecked, Vec::new()));
}

#[test]
fn a_bound_is_broken_by_less_and_not_by_as_much() {
    let mut story = failover();
    story.bounds(Bounds { availability: percent(75), ..Bounds::default() });
    story.assert_valid(Availability);
    story.bounds(Bounds { availability: percent(76), ..Bounds::default() });
    assert_eq!(
        story.witness(Availability).summary,
        "3 of 4 operations were answered: 75%, less than the bound of 76%; nothing was answered \
         for 300ms from 0.150000000 s on"
    );
    let demand = |bound: &str, found: &str| {
        vec![Demand { bound: bound.to_owned(), found: found.to_owned(), met: false }]
    };
    assert_eq!(
        story.report(Availability).demands,
        demand("availability-bound = 76%", "75% answered, 3 of 4")
    );
    story.bounds(Bounds { recovery: Some(Span::from_millis(350)), ..Bounds::default() });
    story.assert_valid(Availability);
    story.bounds(Bounds { recovery: Some(Span::from_millis(349)), ..Bounds::default() });
    let witness = story.witness(Availability);
    assert_eq!(
        witness.summary,
        "the leader n1 was lost at 0.100000000 s and writes were acknowledged again after 350ms, \
         longer than the bound of 349ms"
    );
    assert_eq!(
        story.report(Availability).demands,
        demand("recovery-bound = 349ms", "writes were acknowledged again after 350ms")
    );
    assert_eq!((witness.count, witness.nodes), (1, vec![NodeId(0)]));
}

#[test]
fn an_old_answer_of_a_leader_that_leads_again_is_no_recovery() {
    let mut story = Story::new(2);
    story.leads(1, 1, 0, Some(100)).leads(1, 2, 150, None);
    story.put("c1", "city", "Raleigh").at(95).ok(160).by(1);
    story.put("c2", "city", "Durham").at(155).ok(200).by(1);
    assert_eq!(story.figure(Availability, "longest_recovery_ns"), 100_000_000);
}

#[test]
fn a_cluster_that_never_recovers_is_down_until_the_last_write_gives_up() {
    let mut story = Story::new(2);
    story.leads(1, 1, 0, Some(100));
    story.put("c1", "city", "Raleigh").at(200).info(700);
    story.get("c1", "city", ("Cary", 1)).at(710).ok(900).by(2);
    story.assert_figures(Availability, &[("longest_recovery_ns", 500_000_000), ("unrecovered", 1)]);
    story.bounds(Bounds { recovery: Some(Span::from_millis(100)), ..Bounds::default() });
    story.witness(Availability).assert_says("no write was acknowledged for 500ms, to the end");
}

#[test]
fn a_hand_over_is_no_loss_and_neither_is_one_that_nobody_meets() {
    let mut story = Story::new(2);
    story.leads(1, 1, 0, Some(100)).leads(2, 2, 100, Some(300)).leads(1, 3, 200, Some(250));
    story.assert_figures(Availability, &[("leaders_lost", 1), ("longest_recovery_ns", 0)]);
    story.bounds(Bounds { recovery: Some(Span::ZERO), ..Bounds::default() });
    story.assert_valid(Availability);
}

#[test]
fn what_was_due_and_never_invoked_was_not_answered() {
    let mut story = Story::new(1);
    story.put("c1", "city", "Raleigh").at(0).ok(100);
    story.never_served(1);
    story.bounds(Bounds { availability: percent(50), ..Bounds::default() });
    story.assert_valid(Availability);
    story.never_served(2);
    assert_eq!(
        story.witness(Availability).summary,
        "1 of 3 operations were answered, 2 were due and never invoked: 33.3333%, less than the \
         bound of 50%; nothing was answered for 100ms from 0.000000000 s on"
    );
    let figures = [("operations", 3), ("never_served", 2), ("availability_ppm", 333_333)];
    story.assert_figures(Availability, &figures);
}

/// Reads that are answered do not hide that writes are not, nor does a client that was not free
/// to ask.
#[test]
fn a_gap_of_writes_is_told_apart_from_a_gap_of_everything() {
    let mut story = Story::new(2);
    story.put("c1", "city", "Raleigh").at(0).ok(10);
    story.put("c1", "city", "Cary").at(20).info(500);
    for at in [20, 120, 220, 320, 420, 520] {
        story.get("c2", "city", ("Raleigh", 1)).at(at).ok(at + 30);
    }
    story.put("c2", "city", "Durham").at(550).waited(100).ok(580);
    let figure = |name| story.figure(Availability, name);
    assert_eq!(figure("longest_write_gap_ns"), 560_000_000);
    assert_eq!(figure("longest_gap_ns"), 100_000_000);
    story.bounds(Bounds { availability: percent(100), ..Bounds::default() });
    let summary = story.witness(Availability).summary;
    let gaps = "no write was acknowledged for 560ms from 0.020000000 s on, and nothing was \
                answered for 100ms from 0.050000000 s on";
    assert!(summary.ends_with(gaps), "{summary}");
}

/// The longest gap, instant by instant: from when something was due, or from an answer, to the
/// next answer.
fn longest_gap(evidence: &Evidence<'_>, counts: impl Fn(&Entry) -> bool) -> u64 {
    let entries: Vec<&Entry> =
        evidence.history.entries().iter().filter(|entry| counts(entry)).collect();
    let waited: Vec<(u32, Time)> = evidence
        .history
        .iter()
        .map(|(op, entry)| (entry.invoked_seq, evidence.history.due_at(op)))
        .collect();
    let due_at = |entry: &Entry| {
        let its = waited.iter().find(|(seq, _)| *seq == entry.invoked_seq);
        its.map_or(entry.invoked_at, |(_, due_at)| *due_at)
    };
    let ends = |entry: &&Entry| match entry.status {
        Status::Pending => evidence.ended_at,
        Status::Ok | Status::Fail | Status::Info => entry.completed_at,
    };
    let answers: Vec<&Entry> = entries.iter().copied().filter(|entry| entry.is_ok()).collect();
    let last = entries.iter().map(ends).max().unwrap_or(Time::ZERO);
    let is_due_by = |entry: &Entry, answer: &Entry| {
        if due_at(entry) < entry.invoked_at {
            due_at(entry) <= answer.completed_at
        } else {
            entry.invoked_seq < answer.completed_seq
        }
    };
    let until = |later: &dyn Fn(&Entry) -> bool| {
        let next = answers.iter().filter(|answer| later(answer));
        next.map(|answer| answer.completed_at).min().unwrap_or(last)
    };
    let after_due = entries
        .iter()
        .map(|entry| until(&|answer| is_due_by(entry, answer)).since(due_at(entry)).nanos());
    let under_way = |answer: &&&Entry| {
        let waits =
            |other: &&Entry| is_due_by(other, answer) && other.completed_seq > answer.completed_seq;
        entries.iter().any(waits)
    };
    let after_answers = answers.iter().filter(under_way).map(|answer| {
        let next = until(&|other| other.completed_seq > answer.completed_seq);
        next.since(answer.completed_at).nanos()
    });
    after_due.chain(after_answers).max().unwrap_or(0)
}

proptest! {
    #[test]
    fn the_longest_gaps_are_those_of_their_twin(
        mut story in any_story(),
        waits in prop::collection::vec(prop_oneof![Just(0), 0..20_u64], 40),
    ) {
        story.waits(&waits);
        let expected = story.evidence(|evidence| longest_gap(evidence, |_| true));
        prop_assert_eq!(story.figure(Availability, "longest_gap_ns"), expected);
        let expected = story.evidence(|evidence| longest_gap(evidence, Entry::is_write));
        prop_assert_eq!(story.figure(Availability, "longest_write_gap_ns"), expected);
    }
}

#[test]
fn an_answer_while_others_wait_begins_a_gap() {
    let mut story = Story::new(1);
    story.put("c1", "city", "Raleigh").at(0).ok(100);
    story.put("c2", "city", "Cary").at(90).ok(400);
    story.put("c1", "city", "Apex").at(900).ok(901);
    assert_eq!(story.figure(Availability, "longest_gap_ns"), 300_000_000);
}
