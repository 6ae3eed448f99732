//! Availability: enough operations are answered, and a lost leader is soon replaced.
//!
//! This is a measurement with bounds. The property is broken only where the scenario sets a bound
//! and the run misses it; without either bound it is unchecked:
//!
//! - **share** (`availability_ppm`): the operations that completed ok among those that were due, in
//!   parts per million, compared with [`crate::config::Bounds::availability`]. An operation of
//!   unknown outcome was not answered. Neither was one that was due and never invoked
//!   (`never_served`): an arrival that waited for a free client until the fault phase ended, or a
//!   script entry whose client was busy to the end.
//! - **recovery** (`longest_recovery_ns`): from the loss of a leader to the next acknowledged
//!   write, compared with [`crate::config::Bounds::recovery`]. A leader is lost when a leadership
//!   ends, by a crash or by stepping down, and no other leadership is open at that instant. The
//!   write must be answered by a node that began to lead after the loss: an answer of the old
//!   leader that was still under way is no recovery. The time counts from the first write that
//!   waited. A loss during which nobody wrote is not measured; a loss without recovery counts until
//!   the last write gave up.
//!
//! Two **gaps** need no bound: the longest time during which operations waited and none was
//! answered (`longest_gap_ns`), and the longest time during which writes waited and none was
//! acknowledged (`longest_write_gap_ns`; answered reads do not end it). A gap begins with an answer
//! while others wait, or with the first operation due after that. It ends with the next answer, or
//! when the last operation ends. Refusals and timeouts do not end it. An arrival waits from the
//! time it was due, whether or not a client was free. What an arrival that was never invoked would
//! have asked is unknown, but all clients waited while it did.
//!
//! One pass over the events of the history.

use std::collections::VecDeque;

use crate::history::{Entry, HistoryEvent, Status};
use crate::id::{NodeId, OpId};
use crate::metrics::Leadership;
use crate::property::Property;
use crate::time::{Span, Time};

use super::{Demand, Evidence, Finding, Witness, words};

#[cfg(test)]
mod tests;

/// A leader that was lost, and the first write that waited for another.
#[derive(Clone, Copy, Debug)]
struct LeaderLoss {
    node: NodeId,
    at: Time,
    waiting_since: Option<Time>,
}

/// How long a lost leader was missed.
#[derive(Clone, Copy, Debug)]
struct LeaderOutage {
    loss: LeaderLoss,
    length: Span,
    recovered: bool,
}

/// What one pass over the history measures.
#[derive(Debug, Default)]
struct Measured {
    /// The operations that were due.
    operations: u64,
    answered: u64,
    never_served: u64,
    all: Gaps,
    writes: Gaps,
    outages: Vec<LeaderOutage>,
}

/// The times in which operations of some kind waited and none was answered.
#[derive(Debug, Default)]
struct Gaps {
    /// How many are due and not completed.
    waiting: u64,
    /// When the last one completed.
    last: Time,
    /// When the present gap began.
    since: Option<Time>,
    /// The longest gap and when it began.
    longest: (Span, Time),
}

impl Gaps {
    fn due(&mut self, at: Time) {
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

    /// Ends the gaps at the end of the run.
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
fn losses(evidence: &Evidence<'_>) -> Vec<LeaderLoss> {
    let mut led: Vec<&Leadership> = evidence.leaderships.iter().collect();
    led.sort_by_key(|led| led.from);
    // By place, the latest end of this leadership and those that began before it.
    let goes_on = |until: &mut Time, led: &&Leadership| {
        *until = led.until.unwrap_or(Time::MAX).max(*until);
        Some(*until)
    };
    let led_until: Vec<Time> = led.iter().scan(Time::ZERO, goes_on).collect();
    let lost = |ended: &&Leadership| {
        let at = ended.until?;
        let begun = led.partition_point(|other| other.from <= at);
        let goes_on = led_until[..begun].last().is_some_and(|until| *until > at);
        (!goes_on).then_some(LeaderLoss { node: ended.node, at, waiting_since: None })
    };
    let mut losses: Vec<LeaderLoss> = led.iter().filter_map(lost).collect();
    losses.sort_by_key(|loss| loss.at);
    losses
}

/// One pass over the history.
struct Pass<'a> {
    evidence: Evidence<'a>,
    to_come: VecDeque<LeaderLoss>,
    open: Vec<LeaderLoss>,
    /// Arrivals that waited for a free client, in the order in which they were due.
    queued: VecDeque<OpId>,
    /// Writes that were invoked and are not completed.
    writes_under_way: u64,
    measured: Measured,
}

impl<'a> Pass<'a> {
    fn new(evidence: &Evidence<'a>, losses: Vec<LeaderLoss>) -> Self {
        let history = evidence.history;
        let waited = history.iter().filter(|(op, entry)| history.due_at(*op) < entry.invoked_at);
        let mut queued: Vec<OpId> = waited.map(|(op, _)| op).collect();
        queued.sort_by_key(|op| history.due_at(*op));
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
                    self.invoked(op);
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

    /// Notes the leaders that were lost before `now`, and the arrivals that were due by then.
    fn come_to(&mut self, now: Time) {
        while let Some(mut loss) = self.to_come.pop_front_if(|loss| loss.at < now) {
            loss.waiting_since = (self.writes_under_way > 0).then_some(loss.at);
            self.open.push(loss);
        }
        let history = self.evidence.history;
        let is_due = |op: &mut OpId| history.due_at(*op) <= now;
        while let Some(op) = self.queued.pop_front_if(is_due) {
            self.due(op);
        }
    }

    fn due(&mut self, op: OpId) {
        let history = self.evidence.history;
        let due_at = history.due_at(op);
        self.measured.all.due(due_at);
        if history.entry(op).is_write() {
            self.measured.writes.due(due_at);
        }
    }

    fn invoked(&mut self, op: OpId) {
        let history = self.evidence.history;
        let entry = history.entry(op);
        self.measured.operations += 1;
        if history.due_at(op) >= entry.invoked_at {
            self.due(op);
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
            let open = std::mem::take(&mut self.open).into_iter();
            let (over, open): (Vec<_>, _) = open.partition(|loss| self.is_over(loss, entry));
            self.open = open;
            for loss in over {
                self.end_outage(loss, entry.completed_at, true);
            }
        }
    }

    /// Whether a leader that began after the loss answered `write`.
    fn is_over(&self, loss: &LeaderLoss, write: &Entry) -> bool {
        let after = self.evidence.leaderships.iter().filter(|led| led.from >= loss.at);
        after.filter(|led| Some(led.node) == write.node).any(|led| {
            led.from <= write.completed_at
                && (led.node != loss.node || led.from <= write.invoked_at)
        })
    }

    fn end_outage(&mut self, loss: LeaderLoss, at: Time, recovered: bool) {
        if let Some(since) = loss.waiting_since {
            self.measured.outages.push(LeaderOutage { loss, length: at.since(since), recovered });
        }
    }
}

impl Measured {
    /// Whether fewer operations were answered than the scenario demands.
    fn misses_the_share(&self, evidence: &Evidence<'_>) -> bool {
        evidence.config.bounds.availability.is_some_and(|bound| {
            let needed = u128::from(bound.parts_per_billion()) * u128::from(self.operations);
            u128::from(self.answered) * 1_000_000_000 < needed
        })
    }

    /// The longest outage; of several, the first.
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
            "{answered} of {operations} operations were answered{never}: {share}, less than the \
             bound of {bound}; {writes}nothing was answered for {} from {from} s on",
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
