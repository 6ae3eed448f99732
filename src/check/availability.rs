//! Availability: enough of what clients ask is answered, and a lost leader is soon replaced.
//!
//! A measurement with bounds. It is broken only where the scenario sets a bound and the run breaks it:
//!
//! - **share** (`availability_ppm`): the operations that completed ok among those invoked, in parts per million, held
//!   against [`crate::config::Bounds::availability`]. One whose outcome is unknown was not answered.
//! - **recovery** (`longest_recovery_ns`): from the loss of a leader to the next acknowledged write, held against
//!   [`crate::config::Bounds::recovery`]. A leader is lost when a leadership ends, by a crash or a step down, and no
//!   other goes on at that instant. The write has to be answered by a node that began to lead since: what the old
//!   leader still had on its way back is no recovery. Time counts only from the first write that waited; a loss that no
//!   write met is not measured, and one from which the cluster did not recover counts until the last write gave up.
//!
//! And without a bound the **longest gap** (`longest_gap_ns`): the longest time in which somebody asked and nobody was
//! answered. It begins with an answer while others wait, or with the first invocation after, and ends with the next
//! answer or the end of the last operation. Refusals and timeouts do not end it.
//!
//! One pass over the events of the history.

use std::collections::VecDeque;

use crate::history::{Entry, HistoryEvent, Status};
use crate::id::NodeId;
use crate::metrics::Leadership;
use crate::time::{Span, Time};

use super::{Evidence, Finding, Witness, words};

/// A leader that was lost, and the first write that waited for another.
#[derive(Clone, Copy, Debug)]
struct Loss {
    node: NodeId,
    at: Time,
    waiting_since: Option<Time>,
}

/// How long a lost leader was missed.
#[derive(Clone, Copy, Debug)]
struct Outage {
    loss: Loss,
    length: Span,
    recovered: bool,
}

/// What one pass over the history measures.
#[derive(Debug, Default)]
struct Measured {
    operations: u64,
    answered: u64,
    /// The longest gap and when it began.
    gap: (Span, Time),
    outages: Vec<Outage>,
}

pub(super) fn check(evidence: &Evidence<'_>) -> Finding {
    let losses = losses(evidence);
    let leaders_lost = losses.len() as u64;
    let measured = Pass::new(evidence, losses).run();
    let longest = measured.outages.iter().map(|outage| outage.length).max();
    let unrecovered = measured.outages.iter().filter(|outage| !outage.recovered).count();
    let mut figures = vec![("operations", measured.operations), ("answered", measured.answered)];
    if let Some(share) = (measured.answered * 1_000_000).checked_div(measured.operations) {
        figures.push(("availability_ppm", share));
    }
    figures.extend([
        ("longest_gap_ns", measured.gap.0.nanos()),
        ("leaders_lost", leaders_lost),
        ("longest_recovery_ns", longest.unwrap_or_default().nanos()),
        ("unrecovered", unrecovered as u64),
    ]);
    Finding::of(witness(evidence, &measured), figures)
}

/// The leaders that were lost, in order of time.
fn losses(evidence: &Evidence<'_>) -> Vec<Loss> {
    let mut led: Vec<&Leadership> = evidence.leaderships.iter().collect();
    led.sort_by_key(|led| led.from);
    // Until when somebody leads of those who began first.
    let goes_on = |until: &mut Option<Time>, led: &&Leadership| {
        let last = led.until.unwrap_or(Time::MAX).max(until.unwrap_or(Time::ZERO));
        *until = Some(last);
        *until
    };
    let led_until: Vec<Time> = led.iter().scan(None, goes_on).collect();
    let lost = |ended: &&Leadership| {
        let at = ended.until?;
        let begun = led.partition_point(|other| other.from <= at);
        let goes_on = led_until[..begun].last().is_some_and(|until| *until > at);
        (!goes_on).then_some(Loss { node: ended.node, at, waiting_since: None })
    };
    let mut losses: Vec<Loss> = led.iter().filter_map(lost).collect();
    losses.sort_by_key(|loss| loss.at);
    losses
}

/// One pass over the history.
struct Pass<'a> {
    evidence: Evidence<'a>,
    to_come: VecDeque<Loss>,
    open: Vec<Loss>,
    /// Operations and writes under way.
    waiting: u64,
    writes_waiting: u64,
    /// From when on somebody asked and nobody was answered.
    unanswered_since: Option<Time>,
    measured: Measured,
}

impl<'a> Pass<'a> {
    fn new(evidence: &Evidence<'a>, losses: Vec<Loss>) -> Self {
        Self {
            evidence: *evidence,
            to_come: losses.into(),
            open: Vec::new(),
            waiting: 0,
            writes_waiting: 0,
            unanswered_since: None,
            measured: Measured::default(),
        }
    }

    fn run(mut self) -> Measured {
        let history = self.evidence.history;
        let (mut last, mut last_write) = (Time::ZERO, Time::ZERO);
        for event in history.events() {
            match event {
                HistoryEvent::Invoke(op) => {
                    let entry = history.entry(op);
                    self.lose_until(entry.invoked_at);
                    self.invoked(entry);
                }
                HistoryEvent::Complete(op) => {
                    let entry = history.entry(op);
                    self.lose_until(entry.completed_at);
                    self.completed(entry);
                    last = entry.completed_at;
                    if entry.is_write() {
                        last_write = entry.completed_at;
                    }
                }
                HistoryEvent::Nemesis(_) => {}
            }
        }
        let end = |waiting: u64, last| if waiting > 0 { self.evidence.ended_at } else { last };
        let (end, end_of_writes) = (end(self.waiting, last), end(self.writes_waiting, last_write));
        self.end_gap(end);
        for loss in std::mem::take(&mut self.open) {
            self.end_outage(loss, end_of_writes, false);
        }
        self.measured
    }

    /// Takes in the leaders that were lost before `now`.
    fn lose_until(&mut self, now: Time) {
        while let Some(mut loss) = self.to_come.pop_front_if(|loss| loss.at < now) {
            loss.waiting_since = (self.writes_waiting > 0).then_some(loss.at);
            self.open.push(loss);
        }
    }

    fn invoked(&mut self, entry: &Entry) {
        self.measured.operations += 1;
        self.waiting += 1;
        self.unanswered_since.get_or_insert(entry.invoked_at);
        if entry.is_write() {
            self.writes_waiting += 1;
            for loss in &mut self.open {
                loss.waiting_since.get_or_insert(entry.invoked_at);
            }
        }
    }

    fn completed(&mut self, entry: &Entry) {
        self.waiting -= 1;
        self.writes_waiting -= u64::from(entry.is_write());
        if entry.status != Status::Ok {
            return;
        }
        self.measured.answered += 1;
        self.end_gap(entry.completed_at);
        self.unanswered_since = (self.waiting > 0).then_some(entry.completed_at);
        if entry.is_write() && !self.open.is_empty() {
            let open = std::mem::take(&mut self.open);
            let (over, open) = open.into_iter().partition(|loss| self.is_over(loss, entry));
            self.open = open;
            let over: Vec<Loss> = over;
            for loss in over {
                self.end_outage(loss, entry.completed_at, true);
            }
        }
    }

    /// Whether `write` was answered by a leader that began since.
    fn is_over(&self, loss: &Loss, write: &Entry) -> bool {
        let after = self.evidence.leaderships.iter().filter(|led| led.from >= loss.at);
        after.filter(|led| Some(led.node) == write.node).any(|led| {
            led.from <= write.completed_at
                && (led.node != loss.node || led.from <= write.invoked_at)
        })
    }

    fn end_gap(&mut self, at: Time) {
        if let Some(since) = self.unanswered_since
            && at.since(since) > self.measured.gap.0
        {
            self.measured.gap = (at.since(since), since);
        }
    }

    fn end_outage(&mut self, loss: Loss, at: Time, recovered: bool) {
        if let Some(since) = loss.waiting_since {
            self.measured.outages.push(Outage { loss, length: at.since(since), recovered });
        }
    }
}

fn witness(evidence: &Evidence<'_>, measured: &Measured) -> Option<Witness> {
    let bounds = &evidence.config.bounds;
    let Measured { operations, answered, gap: (gap, gap_from), outages } = measured;
    let mut parts = Vec::new();
    let (mut count, mut nodes) = (0, Vec::new());
    let asked = u128::from(bounds.availability.parts_per_billion()) * u128::from(*operations);
    if u128::from(*answered) * 1_000_000_000 < asked {
        count += 1;
        parts.push(format!(
            "{answered} of {operations} operations were answered, fewer than the bound asks for; the longest gap was {} \
             from {gap_from} s on",
            gap.short()
        ));
    }
    if let Some(bound) = bounds.recovery {
        let broken = || outages.iter().filter(|outage| outage.length > bound);
        // Of equals the first.
        if let Some(worst) = broken().rev().max_by_key(|outage| outage.length) {
            let Outage { loss, length, recovered } = worst;
            let how = if *recovered {
                format!("writes were acknowledged again after {}", length.short())
            } else {
                format!("no write was acknowledged for {}, to the end", length.short())
            };
            let all = broken().count() as u64;
            parts.push(format!(
                "the leader {} was lost at {} s and {how}, longer than {}{}",
                loss.node,
                loss.at,
                bound.short(),
                words::in_all(all, "lost leaders")
            ));
            nodes.push(loss.node);
            count += all;
        }
    }
    (count > 0).then(|| Witness { summary: parts.join("; "), count, nodes, ..Witness::default() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{Story, any_story};
    use super::*;
    use crate::config::Bounds;
    use crate::property::Property::Availability;
    use crate::rng::Probability;

    fn percent(percent: u32) -> Probability {
        Probability::from_parts_per_billion(percent * 10_000_000).expect("at most 100")
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
        story.assert_valid(Availability);
        let figure = |name| story.figure(Availability, name);
        assert_eq!((figure("operations"), figure("answered")), (4, 3));
        assert_eq!(figure("availability_ppm"), 750_000);
        // From the first refused write to the answer; the pause before it is nobody's.
        assert_eq!(figure("longest_gap_ns"), 300_000_000);
        // A write was waiting as the leader was lost.
        assert_eq!((figure("leaders_lost"), figure("longest_recovery_ns")), (1, 350_000_000));
        assert_eq!(figure("unrecovered"), 0);
    }

    #[test]
    fn a_bound_is_broken_by_less_and_not_by_as_much() {
        let mut story = failover();
        story.bounds(Bounds { availability: percent(75), ..Bounds::default() });
        story.assert_valid(Availability);
        story.bounds(Bounds { availability: percent(76), ..Bounds::default() });
        assert_eq!(
            story.witness(Availability).summary,
            "3 of 4 operations were answered, fewer than the bound asks for; the longest gap was 300ms from \
             0.150000000 s on"
        );
        story.bounds(Bounds { recovery: Some(Span::from_millis(350)), ..Bounds::default() });
        story.assert_valid(Availability);
        story.bounds(Bounds { recovery: Some(Span::from_millis(349)), ..Bounds::default() });
        let witness = story.witness(Availability);
        assert_eq!(
            witness.summary,
            "the leader n1 was lost at 0.100000000 s and writes were acknowledged again after 350ms, longer than 349ms"
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
        assert_eq!(story.figure(Availability, "longest_recovery_ns"), 500_000_000);
        assert_eq!(story.figure(Availability, "unrecovered"), 1);
        story.bounds(Bounds { recovery: Some(Span::from_millis(100)), ..Bounds::default() });
        let summary = story.witness(Availability).summary;
        assert!(summary.contains("no write was acknowledged for 500ms, to the end"), "{summary}");
    }

    #[test]
    fn a_hand_over_is_no_loss_and_neither_is_one_that_nobody_meets() {
        let mut story = Story::new(2);
        story.leads(1, 1, 0, Some(100)).leads(2, 2, 100, Some(300)).leads(1, 3, 200, Some(250));
        assert_eq!(story.figure(Availability, "leaders_lost"), 1);
        assert_eq!(story.figure(Availability, "longest_recovery_ns"), 0);
        story.bounds(Bounds { recovery: Some(Span::ZERO), ..Bounds::default() });
        story.assert_valid(Availability);
    }

    /// The longest gap, instant by instant: from an invocation or an answer to the next answer.
    fn longest_gap(evidence: &Evidence<'_>) -> u64 {
        let history = evidence.history;
        let ends = |entry: &Entry| match entry.status {
            Status::Pending => evidence.ended_at,
            _ => entry.completed_at,
        };
        let answers: Vec<&Entry> = history.entries().iter().filter(|entry| entry.is_ok()).collect();
        let last = history.entries().iter().map(ends).max().unwrap_or(Time::ZERO);
        let mut longest = 0;
        let mut gap = |from: Time, from_seq: u32| {
            let next = answers.iter().filter(|entry| entry.completed_seq > from_seq);
            let until = next.map(|entry| entry.completed_at).min().unwrap_or(last);
            longest = longest.max(until.since(from).nanos());
        };
        for entry in history.entries() {
            gap(entry.invoked_at, entry.invoked_seq);
        }
        for answer in &answers {
            let under_way = |other: &Entry| {
                other.invoked_seq < answer.completed_seq
                    && other.completed_seq > answer.completed_seq
            };
            if history.entries().iter().any(under_way) {
                gap(answer.completed_at, answer.completed_seq);
            }
        }
        longest
    }

    proptest! {
        #[test]
        fn the_longest_gap_is_that_of_its_twin(story in any_story()) {
            let expected = story.evidence(longest_gap);
            prop_assert_eq!(story.figure(Availability, "longest_gap_ns"), expected);
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
}
