//! Availability: enough of what clients ask is answered, and a lost leader is soon replaced.
//!
//! A measurement with bounds. It is broken only where the scenario sets a bound and the run misses it, and without
//! either bound it is unchecked:
//!
//! - **share** (`availability_ppm`): the operations that completed ok among those that were due, in parts per million,
//!   held against [`crate::config::Bounds::availability`]. One whose outcome is unknown was not answered. Neither was
//!   one that was due and never invoked (`never_served`): an arrival that waited for a free client until the fault
//!   phase was over, an entry of the script whose client was busy to the end.
//! - **recovery** (`longest_recovery_ns`): from the loss of a leader to the next acknowledged write, held against
//!   [`crate::config::Bounds::recovery`]. A leader is lost when a leadership ends, by a crash or a step down, and no
//!   other goes on at that instant. The write has to be answered by a node that began to lead since: what the old
//!   leader still had on its way back is no recovery. Time counts only from the first write that waited; a loss that no
//!   write met is not measured, and one from which the cluster did not recover counts until the last write gave up.
//!
//! And without a bound two **gaps**: the longest time in which somebody asked and nobody was answered
//! (`longest_gap_ns`), and the longest in which somebody asked to write and no write was acknowledged
//! (`longest_write_gap_ns`), which reads that are answered do not end. A gap begins with an answer while others wait,
//! or with the first operation due after, and ends with the next answer or the end of the last operation. Refusals and
//! timeouts do not end it. An arrival waits from when it was due, whether or not a client was free to ask; of one that
//! was never invoked nobody knows what it would have asked, but while it waited every client waited too.
//!
//! One pass over the events of the history.

use std::collections::VecDeque;

use crate::history::{Entry, HistoryEvent, Status};
use crate::id::{NodeId, OpId};
use crate::metrics::Leadership;
use crate::property::Property;
use crate::time::{Span, Time};

use super::{Demand, Evidence, Finding, Witness, words};

/// A leader that was lost, and the first write that waited for another.
#[derive(Clone, Copy, Debug)]
struct Loss {
    node: NodeId,
    at: Time,
    waiting_since: Option<Time>,
}

/// How long a lost leader was missed.
#[derive(Clone, Copy, Debug)]
struct LeaderOutage {
    loss: Loss,
    length: Span,
    recovered: bool,
}

/// What one pass over the history measures.
#[derive(Debug, Default)]
struct Measured {
    /// Those that were due.
    operations: u64,
    answered: u64,
    never_served: u64,
    all: Gaps,
    writes: Gaps,
    outages: Vec<LeaderOutage>,
}

/// The times in which operations of some kind were asked for and none was answered.
#[derive(Debug, Default)]
struct Gaps {
    /// Those that are due and not completed.
    waiting: u64,
    /// When the last one completed.
    last: Time,
    /// From when on somebody asked and nobody was answered.
    since: Option<Time>,
    /// The longest gap and when it began.
    longest: (Span, Time),
}

impl Gaps {
    fn asked(&mut self, at: Time) {
        self.waiting += 1;
        self.since.get_or_insert(at);
    }

    fn completed(&mut self, at: Time, answered: bool) {
        self.waiting -= 1;
        self.last = at;
        if answered {
            self.end(at);
            self.since = (self.waiting > 0).then_some(at);
        }
    }

    fn end(&mut self, at: Time) {
        if let Some(since) = self.since
            && at.since(since) > self.longest.0
        {
            self.longest = (at.since(since), since);
        }
    }

    /// The run is over.
    fn close(&mut self, ended_at: Time) {
        self.end(if self.waiting > 0 { ended_at } else { self.last });
    }
}

pub(super) fn check(evidence: &Evidence<'_>) -> Finding {
    let losses = losses(evidence);
    let leaders_lost = losses.len() as u64;
    let measured = Pass::new(evidence, losses).run();
    let longest = measured.outages.iter().map(|outage| outage.length).max();
    let unrecovered = measured.outages.iter().filter(|outage| !outage.recovered).count();
    let mut figures = vec![
        ("operations", measured.operations),
        ("answered", measured.answered),
        ("never_served", measured.never_served),
    ];
    if let Some(share) = (measured.answered * 1_000_000).checked_div(measured.operations) {
        figures.push(("availability_ppm", share));
    }
    figures.extend([
        ("longest_gap_ns", measured.all.longest.0.nanos()),
        ("longest_write_gap_ns", measured.writes.longest.0.nanos()),
        ("leaders_lost", leaders_lost),
        ("longest_recovery_ns", longest.unwrap_or_default().nanos()),
        ("unrecovered", unrecovered as u64),
    ]);
    Finding::of(witness(evidence, &measured), figures)
        .demanding(demands(evidence, &measured))
        .if_bounded(Property::Availability, &evidence.config.bounds)
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
    /// Arrivals that waited for a free client, in the order in which they were due.
    queued: VecDeque<OpId>,
    /// Writes that were invoked and are not completed.
    writes_under_way: u64,
    measured: Measured,
}

impl<'a> Pass<'a> {
    fn new(evidence: &Evidence<'a>, losses: Vec<Loss>) -> Self {
        let history = evidence.history;
        let waited = history.iter().filter(|(_, entry)| entry.due_at < entry.invoked_at);
        let mut queued: Vec<OpId> = waited.map(|(op, _)| op).collect();
        queued.sort_by_key(|op| history.entry(*op).due_at);
        let never_served = evidence.never_served;
        Self {
            evidence: *evidence,
            to_come: losses.into(),
            open: Vec::new(),
            queued: queued.into(),
            writes_under_way: 0,
            measured: Measured { operations: never_served, never_served, ..Measured::default() },
        }
    }

    fn run(mut self) -> Measured {
        let history = self.evidence.history;
        for event in history.events() {
            match event {
                HistoryEvent::Invoke(op) => {
                    let entry = history.entry(op);
                    self.come_to(entry.invoked_at);
                    self.invoked(entry);
                }
                HistoryEvent::Complete(op) => {
                    let entry = history.entry(op);
                    self.come_to(entry.completed_at);
                    self.completed(entry);
                }
                HistoryEvent::Nemesis(_) => {}
            }
        }
        let ended_at = self.evidence.ended_at;
        let last = self.measured.writes.last;
        let end_of_writes = if self.writes_under_way > 0 { ended_at } else { last };
        self.measured.all.close(ended_at);
        self.measured.writes.close(ended_at);
        for loss in std::mem::take(&mut self.open) {
            self.end_outage(loss, end_of_writes, false);
        }
        self.measured
    }

    /// Takes in the leaders that were lost before `now`, and the arrivals that were due by then.
    fn come_to(&mut self, now: Time) {
        while let Some(mut loss) = self.to_come.pop_front_if(|loss| loss.at < now) {
            loss.waiting_since = (self.writes_under_way > 0).then_some(loss.at);
            self.open.push(loss);
        }
        let history = self.evidence.history;
        let is_due = |op: &mut OpId| history.entry(*op).due_at <= now;
        while let Some(op) = self.queued.pop_front_if(is_due) {
            self.asked(history.entry(op));
        }
    }

    fn asked(&mut self, entry: &Entry) {
        self.measured.all.asked(entry.due_at);
        if entry.is_write() {
            self.measured.writes.asked(entry.due_at);
        }
    }

    fn invoked(&mut self, entry: &Entry) {
        self.measured.operations += 1;
        if entry.due_at >= entry.invoked_at {
            self.asked(entry);
        }
        if entry.is_write() {
            self.writes_under_way += 1;
            for loss in &mut self.open {
                loss.waiting_since.get_or_insert(entry.invoked_at);
            }
        }
    }

    fn completed(&mut self, entry: &Entry) {
        let answered = entry.status == Status::Ok;
        self.measured.answered += u64::from(answered);
        self.measured.all.completed(entry.completed_at, answered);
        if !entry.is_write() {
            return;
        }
        self.writes_under_way -= 1;
        self.measured.writes.completed(entry.completed_at, answered);
        if answered && !self.open.is_empty() {
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

    fn end_outage(&mut self, loss: Loss, at: Time, recovered: bool) {
        if let Some(since) = loss.waiting_since {
            self.measured.outages.push(LeaderOutage { loss, length: at.since(since), recovered });
        }
    }
}

impl Measured {
    /// Whether fewer operations were answered than the scenario demands.
    fn misses_the_share(&self, evidence: &Evidence<'_>) -> bool {
        evidence.config.bounds.availability.is_some_and(|bound| {
            let asked = u128::from(bound.parts_per_billion()) * u128::from(self.operations);
            u128::from(self.answered) * 1_000_000_000 < asked
        })
    }

    /// The longest outage, of equals the first.
    fn worst_outage(&self) -> Option<&LeaderOutage> {
        self.outages.iter().rev().max_by_key(|outage| outage.length)
    }
}

impl LeaderOutage {
    fn in_words(&self) -> String {
        let length = self.length.short();
        if self.recovered {
            format!("writes were acknowledged again after {length}")
        } else {
            format!("no write was acknowledged for {length}, to the end")
        }
    }
}

/// The bounds that the scenario sets.
fn demands(evidence: &Evidence<'_>, measured: &Measured) -> Vec<Demand> {
    let bounds = &evidence.config.bounds;
    let Measured { operations, answered, .. } = measured;
    let share = bounds.availability.map(|bound| Demand {
        bound: format!("availability-bound = {}", words::percent(bound.parts_per_billion().into())),
        found: match words::share(*answered, *operations) {
            Some(share) => format!("{share} answered, {answered} of {operations}"),
            None => "nothing was asked".to_owned(),
        },
        met: !measured.misses_the_share(evidence),
    });
    let worst = measured.worst_outage();
    let recovery = bounds.recovery.map(|bound| Demand {
        bound: format!("recovery-bound = {bound}"),
        found: worst.map_or_else(|| "no leader was missed".to_owned(), LeaderOutage::in_words),
        met: worst.is_none_or(|worst| worst.length <= bound),
    });
    share.into_iter().chain(recovery).collect()
}

fn witness(evidence: &Evidence<'_>, measured: &Measured) -> Option<Witness> {
    let bounds = &evidence.config.bounds;
    let Measured { operations, answered, never_served, .. } = measured;
    let mut parts = Vec::new();
    let (mut count, mut nodes) = (0, Vec::new());
    if let Some(bound) = bounds.availability
        && measured.misses_the_share(evidence)
    {
        count += 1;
        let share = words::share(*answered, *operations).unwrap_or_default();
        let bound = words::percent(bound.parts_per_billion().into());
        let never = match never_served {
            0 => String::new(),
            1 => ", one was due and never invoked".to_owned(),
            many => format!(", {many} were due and never invoked"),
        };
        let (gap, from) = measured.all.longest;
        let (write_gap, write_from) = measured.writes.longest;
        let writes = if write_gap > gap {
            format!(
                "no write was acknowledged for {} from {write_from} s on, and ",
                write_gap.short()
            )
        } else {
            String::new()
        };
        parts.push(format!(
            "{answered} of {operations} operations were answered{never}: {share}, less than the bound of {bound}; \
             {writes}nothing was answered for {} from {from} s on",
            gap.short()
        ));
    }
    if let Some(bound) = bounds.recovery
        && let Some(worst) = measured.worst_outage().filter(|outage| outage.length > bound)
    {
        let broken = measured.outages.iter().filter(|outage| outage.length > bound);
        let all = broken.count() as u64;
        parts.push(format!(
            "the leader {} was lost at {} s and {}, longer than the bound of {}{}",
            worst.loss.node,
            worst.loss.at,
            worst.in_words(),
            bound.short(),
            words::in_all(all, "lost leaders")
        ));
        nodes.push(worst.loss.node);
        count += all;
    }
    (count > 0).then(|| Witness { summary: parts.join("; "), count, nodes, ..Witness::default() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Verdict;
    use super::super::testing::Story;
    use super::super::testing::any_story::any_story;
    use super::*;
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
            "3 of 4 operations were answered: 75%, less than the bound of 76%; nothing was answered for 300ms from \
             0.150000000 s on"
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
            "the leader n1 was lost at 0.100000000 s and writes were acknowledged again after 350ms, longer than the \
             bound of 349ms"
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
            "1 of 3 operations were answered, 2 were due and never invoked: 33.3333%, less than the bound of 50%; \
             nothing was answered for 100ms from 0.000000000 s on"
        );
        let figure = |name| story.figure(Availability, name);
        assert_eq!((figure("operations"), figure("never_served")), (3, 2));
        assert_eq!(figure("availability_ppm"), 333_333);
    }

    /// Reads that are answered do not hide that writes are not, nor does a client that was not free to ask.
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
        let gaps = "no write was acknowledged for 560ms from 0.020000000 s on, and nothing was answered for 100ms \
                    from 0.050000000 s on";
        assert!(summary.ends_with(gaps), "{summary}");
    }

    /// The longest gap, instant by instant: from when something was due, or from an answer, to the next answer.
    fn longest_gap(evidence: &Evidence<'_>, counts: impl Fn(&Entry) -> bool) -> u64 {
        let entries: Vec<&Entry> =
            evidence.history.entries().iter().filter(|entry| counts(entry)).collect();
        let ends = |entry: &&Entry| match entry.status {
            Status::Pending => evidence.ended_at,
            Status::Ok | Status::Fail | Status::Info => entry.completed_at,
        };
        let answers: Vec<&Entry> = entries.iter().copied().filter(|entry| entry.is_ok()).collect();
        let last = entries.iter().map(ends).max().unwrap_or(Time::ZERO);
        let is_due_by = |entry: &Entry, answer: &Entry| {
            if entry.due_at < entry.invoked_at {
                entry.due_at <= answer.completed_at
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
            .map(|entry| until(&|answer| is_due_by(entry, answer)).since(entry.due_at).nanos());
        let under_way = |answer: &&&Entry| {
            let waits = |other: &&Entry| {
                is_due_by(other, answer) && other.completed_seq > answer.completed_seq
            };
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
}
