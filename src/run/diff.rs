//! Where two runs first part, and what caused it.

use std::sync::Arc;

use crate::check::replicated_log::Breach;
use crate::config::Config;
use crate::digest::DigestValue;
use crate::names::Names;
use crate::protocol::Protocol;
use crate::sim::queue::CalendarQueue;
use crate::sim::{Event, Lineage, NoteOptions, Simulation, Tapped};
use crate::time::Time;

/// How many events before the first difference are shown.
const BEFORE: usize = 3;
/// How many causes of an event are shown, the nearest first.
const MOST_CAUSES: usize = 4;

/// The digest up to and including an event, and when that was.
pub(crate) type EventDigest = (Time, DigestValue);

type Noting<P> = Tapped<CalendarQueue<Event<P>>, Lineage>;

/// A run with every event noted: its digest, its lines in the trace, what caused it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    steps: Vec<EventDigest>,
    trace: String,
    marks: Vec<usize>,
    parents: Vec<Option<usize>>,
    breaches: Vec<Breach>,
}

/// Runs the scenario under `seed` and notes every event.
#[must_use]
pub fn account<P: Protocol>(
    config: &Config,
    names: &Arc<Names>,
    settings: &P::Config,
    seed: u64,
) -> Recording {
    let notes = NoteOptions { trace: true, steps: true, ..NoteOptions::default() };
    let simulation = Simulation::<P, Noting<P>>::new(config, names, settings, seed, notes);
    let (finished, parents) = simulation.run_with_parents();
    Recording {
        steps: finished.steps,
        trace: finished.trace.unwrap_or_default(),
        marks: finished.marks,
        parents,
        breaches: finished.log.map_or_else(Vec::new, |log| log.breaches),
    }
}

impl Recording {
    /// How many events the run had.
    #[must_use]
    pub const fn events(&self) -> usize {
        self.steps.len()
    }

    /// The first breach of each invariant of the replicated log that the run broke.
    #[must_use]
    pub fn breaches(&self) -> &[Breach] {
        &self.breaches
    }

    /// An event with what led to it; `None` where the run had fewer events.
    #[must_use]
    pub fn event(&self, event: usize) -> Option<EventAccount> {
        self.steps.get(event)?;
        let before = (event.saturating_sub(BEFORE)..event).map(|event| self.traced(event));
        let (causes, causes_left_out) = self.some_causes(event);
        let breaches =
            self.breaches.iter().filter(|breach| breach.moment.event == event as u64 + 1);
        Some(EventAccount {
            event: self.traced(event),
            before: before.collect(),
            causes,
            causes_left_out,
            breaches: breaches.copied().collect(),
        })
    }

    /// The digest of the run.
    #[must_use]
    pub fn digest(&self) -> Option<DigestValue> {
        self.steps.last().map(|(_, digest)| *digest)
    }

    /// The event's line in the trace, and the lines of what it did.
    fn lines(&self, event: usize) -> (&str, Vec<&str>) {
        let end = self.marks.get(event + 1).copied().unwrap_or(self.trace.len());
        let mut lines = self.trace[self.marks[event]..end].lines();
        (lines.next().unwrap_or_default(), lines.collect())
    }

    fn traced(&self, event: usize) -> TracedEvent {
        let (line, did) = self.lines(event);
        let at = self.steps[event].0;
        // What comes too late to do anything has no line in the trace.
        let nothing = || format!("{:>15}  something that comes to nothing", at.to_string());
        TracedEvent {
            event,
            at,
            line: if line.is_empty() { nothing() } else { line.to_owned() },
            did: did.into_iter().map(str::to_owned).collect(),
        }
    }

    /// Some of the events that led to `event`: the nearest first, with the root at the end, and how
    /// many were left out before that.
    fn some_causes(&self, event: usize) -> (Vec<TracedEvent>, usize) {
        let mut causes = self.causes(event);
        let left_out = causes.len().saturating_sub(MOST_CAUSES);
        if left_out > 0 {
            causes.drain(MOST_CAUSES - 1..causes.len() - 1);
        }
        (causes.into_iter().map(|cause| self.traced(cause)).collect(), left_out)
    }

    /// The events that led to `event`, the nearest first.
    fn causes(&self, event: usize) -> Vec<usize> {
        std::iter::successors(self.parents[event], |event| self.parents[*event]).collect()
    }
}

/// An event as the trace shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedEvent {
    /// Its place among the events of the run, counted from 0.
    pub event: usize,
    /// When.
    pub at: Time,
    /// Its line in the trace.
    pub line: String,
    /// The lines of what it did.
    pub did: Vec<String>,
}

/// An event of a run, and what led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventAccount {
    /// The event.
    pub event: TracedEvent,
    /// The events just before it.
    pub before: Vec<TracedEvent>,
    /// What led to it, the nearest first; at most a few, with the root at the end.
    pub causes: Vec<TracedEvent>,
    /// How many causes are not shown between the last two.
    pub causes_left_out: usize,
    /// The invariants of the replicated log that it was the first to break.
    pub breaches: Vec<Breach>,
}

/// Where two runs part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parting {
    /// The first event that differs, counted from 0.
    pub event: usize,
    /// The events just before it, the same in both.
    pub before: Vec<TracedEvent>,
    /// The event in either run; `None` for a run that had ended.
    pub sides: [Option<Side>; 2],
    /// What one event did in one run and not in the other, when the two have the cause in common.
    pub cause: Option<CommonCause>,
}

/// One run at the event where the two part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// The event.
    pub event: TracedEvent,
    /// What led to it, the nearest first; at most a few, with the root at the end.
    pub causes: Vec<TracedEvent>,
    /// How many causes are not shown between the last two.
    pub causes_left_out: usize,
    /// When this very event happens in the other run, later than here; `None` when it does not.
    pub in_the_other: Option<Time>,
}

/// The last event that both runs have and that did something else in each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommonCause {
    /// The event, the same in both.
    pub event: TracedEvent,
    /// What it did in the first run alone, and in the second alone.
    pub did_alone: [Vec<String>; 2],
}

/// The first step in which two runs differ, counted from 0, and what each has there.
pub(crate) fn first_difference(
    a: &[EventDigest],
    b: &[EventDigest],
) -> (usize, [Option<EventDigest>; 2]) {
    let common = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    (common, [a.get(common).copied(), b.get(common).copied()])
}

/// Where two runs part; `None` when they are the same.
#[must_use]
pub fn compare(first: &Recording, second: &Recording) -> Option<Parting> {
    let (event, steps) = first_difference(&first.steps, &second.steps);
    if steps == [None, None] {
        return None;
    }
    let before = (event.saturating_sub(BEFORE)..event).map(|event| first.traced(event)).collect();
    let sides = [side(event, first, second), side(event, second, first)];
    let parents = [first, second].map(|run| run.parents.get(event).copied().flatten());
    let cause = parents.into_iter().flatten().max().map(|parent| {
        let (here, there) = (first.traced(parent), second.traced(parent));
        let alone = |mine: &[String], other: &[String]| {
            mine.iter().filter(|line| !other.contains(line)).cloned().collect()
        };
        let did_alone = [alone(&here.did, &there.did), alone(&there.did, &here.did)];
        CommonCause { event: here, did_alone }
    });
    Some(Parting { event, before, sides, cause })
}

fn side(event: usize, run: &Recording, other: &Recording) -> Option<Side> {
    run.steps.get(event)?;
    let traced = run.traced(event);
    let (causes, causes_left_out) = run.some_causes(event);
    let content = |line: &str| line.trim_start().split_once(' ').map(|(_, rest)| rest.to_owned());
    let same = |place: &usize| {
        content(other.lines(*place).0) == content(&traced.line)
            && other.parents[*place] == run.parents[event]
    };
    let in_the_other = (event..other.events()).find(same).map(|place| other.steps[place].0);
    Some(Side { event: traced, causes, causes_left_out, in_the_other })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of events (time, digest, line, parent).
    fn account(events: &[(u64, u64, &str, Option<usize>)]) -> Recording {
        let mut account = Recording { trace: "head\n".to_owned(), ..Recording::default() };
        for (at, digest, line, parent) in events {
            account.steps.push((Time::from_nanos(*at), DigestValue(*digest)));
            account.marks.push(account.trace.len());
            account.trace += line;
            account.trace.push('\n');
            account.parents.push(*parent);
        }
        account
    }

    #[test]
    fn the_same_runs_do_not_part() {
        let run = account(&[(1, 1, "1 n1 boot", None), (2, 2, "2 n1 timer", Some(0))]);
        assert_eq!(compare(&run, &run), None);
    }

    #[test]
    fn a_later_arrival_is_found_and_its_cause_named() {
        let sends = "1 n1 request\n1 n1 . apply";
        let drops = "1 n1 request\n1 n1 . apply\n1 n1 . lost to n3";
        let first =
            account(&[(1, 1, sends, None), (5, 2, "5 n2 deliver", Some(0)), (6, 3, "6 x y", None)]);
        let second =
            account(&[(1, 1, drops, None), (6, 4, "6 x y", None), (9, 5, "9 n2 deliver", Some(0))]);
        let parting = compare(&first, &second).unwrap();
        assert_eq!((parting.event, parting.before.len()), (1, 1));
        let [Some(a), Some(b)] = &parting.sides else { panic!("both go on") };
        assert_eq!((a.event.line.as_str(), b.event.line.as_str()), ("5 n2 deliver", "6 x y"));
        assert_eq!(a.in_the_other, Some(Time::from_nanos(9)));
        assert_eq!(b.in_the_other, Some(Time::from_nanos(6)));
        assert_eq!((a.causes.len(), a.causes[0].line.as_str()), (1, "1 n1 request"));
        assert_eq!(b.causes, []);
        let cause = parting.cause.unwrap();
        assert_eq!(cause.event.line, "1 n1 request");
        assert_eq!(cause.did_alone, [vec![], vec!["1 n1 . lost to n3".to_owned()]]);
    }

    #[test]
    fn of_two_causes_the_later_one_is_named() {
        let one = [(1, 1, "1 a", None), (2, 2, "2 b", Some(0)), (5, 3, "5 x", Some(0))];
        let other = [(1, 1, "1 a", None), (2, 2, "2 b", Some(0)), (5, 4, "5 y", Some(1))];
        for (first, second) in [(one, other), (other, one)] {
            let parting = compare(&account(&first), &account(&second)).unwrap();
            assert_eq!(parting.cause.unwrap().event.line, "2 b");
        }
    }

    #[test]
    fn a_run_that_ends_first_has_no_side() {
        let long = account(&[(1, 1, "a", None), (2, 2, "b", Some(0)), (3, 3, "c", Some(1))]);
        let short = account(&[(1, 1, "a", None)]);
        let parting = compare(&long, &short).unwrap();
        assert_eq!(parting.event, 1);
        assert!(parting.sides[1].is_none());
        assert_eq!(parting.sides[0].as_ref().unwrap().in_the_other, None);
    }

    #[test]
    fn a_long_chain_keeps_its_nearest_causes_and_its_root() {
        let events: Vec<_> =
            (0..20_usize).map(|i| (i as u64, i as u64, "e", i.checked_sub(1))).collect();
        let mut other = events.clone();
        other[19].1 = 99;
        let parting = compare(&account(&events), &account(&other)).unwrap();
        let side = parting.sides[0].as_ref().unwrap();
        let places: Vec<usize> = side.causes.iter().map(|cause| cause.event).collect();
        assert_eq!((places, side.causes_left_out), (vec![18, 17, 16, 0], 15));
    }
}
