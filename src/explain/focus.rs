//! Where in a run to look: the stretch of time that shows what went wrong, from its cause to its
//! effect.

use std::collections::BTreeMap;

use crate::check::{Verdict, Witness};
use crate::config::ExpectedVerdict;
use crate::history::{Entry, History, Status, Writers};
use crate::id::{KeyId, NodeId, OpId, Version};
use crate::metrics::Leadership;
use crate::property::Property;
use crate::protocol::Stored;
use crate::run::RunResult;
use crate::time::{Span, Time};

use super::chronicle::{Chronicle, FaultSpan, NodeEvent, NodeEventKind, Window};
use super::losses;

/// How many operations are shown of a run in which nothing goes wrong.
const FIRST_OPERATIONS: usize = 3;

/// What to show of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Focus {
    /// From when until when, in virtual time.
    pub window: Window,
    /// Why there, in words: `durability: put a=west-1 by west`.
    pub why: String,
    /// When it went wrong, in virtual time. `None` if nothing did, or not at one moment.
    pub moment: Option<Time>,
    /// The operations that it is about.
    pub operations: Vec<OpId>,
    /// The writes that it is about, if only their version is known.
    pub versions: Vec<Version>,
}

/// What went wrong, when, and how bad that is.
struct Candidate {
    /// Lowest first: a broken promise, a broken property that was not promised, one without a
    /// moment.
    rank: u8,
    moment: Option<Time>,
    window: Window,
    property: Property,
    operations: Vec<OpId>,
    versions: Vec<Version>,
}

/// Where to look in a run, in order of preference: around the first broken promise, the first
/// broken property, the first fault, or at the start.
#[must_use]
pub fn focus(result: &RunResult, chronicle: &Chronicle, faults: &[FaultSpan]) -> Focus {
    let holders = || Search { result, chronicle, faults };
    let broken = result.checks.iter().filter_map(|check| match &check.verdict {
        Verdict::Invalid(witness) => Some(holders().case(check.property, check.judged, witness)),
        Verdict::Valid | Verdict::Unknown(_) | Verdict::Unchecked(_) => None,
    });
    let mut focus = match broken.min_by_key(|case| (case.rank, case.moment.unwrap_or(Time::MAX))) {
        Some(case) => of_case(&result.history, case),
        None => match faults.first() {
            Some(fault) => around(fault, &result.history),
            None => start(&result.history, result.ended_at),
        },
    };
    focus.window = padded(focus.window, result.ended_at);
    focus
}

/// The window that was asked for.
#[must_use]
pub fn chosen(window: Window) -> Focus {
    let why = "the window that was asked for".to_owned();
    Focus { window, why, moment: None, operations: Vec::new(), versions: Vec::new() }
}

fn of_case(history: &History, case: Candidate) -> Focus {
    let Candidate { moment, window, property, operations, versions, .. } = case;
    let why = match operations.first() {
        Some(op) => {
            let call = crate::check::words::call_by(history.names(), history.entry(*op));
            format!("{property}: {call}")
        }
        None => property.to_string(),
    };
    Focus { window, why, moment, operations, versions }
}

/// A fault, with the last write before it and the first operation after it.
fn around(fault: &FaultSpan, history: &History) -> Focus {
    let Window { from, until } = fault.window;
    let is_before = |entry: &&Entry| entry.is_ok() && entry.completed_at <= from;
    let before = || history.entries().iter().rev().filter(is_before);
    let before = before().find(|entry| entry.is_write()).or_else(|| before().next());
    let after = history.entries().iter().find(|entry| entry.is_ok() && entry.invoked_at >= until);
    let from = before.map_or(from, |entry| entry.invoked_at);
    let until = after.map_or(until, |entry| entry.completed_at);
    let why = format!("the first fault, {}", fault.what);
    let window = Window { from, until };
    Focus { window, why, moment: None, operations: Vec::new(), versions: Vec::new() }
}

/// The first operations of a run.
fn start(history: &History, ended_at: Time) -> Focus {
    let first = || history.iter().take(FIRST_OPERATIONS);
    let ends = first().map(|(_, entry)| entry.completed_at);
    let until = ends.max().unwrap_or(ended_at).min(ended_at);
    let operations = first().map(|(op, _)| op).collect();
    let window = Window { from: Time::ZERO, until };
    let why = "the start of the run".to_owned();
    Focus { window, why, moment: None, operations, versions: Vec::new() }
}

/// Adds a twentieth on either side, between 1 and 20 ms.
fn padded(window: Window, ended_at: Time) -> Window {
    let length = window.until.since(window.from).nanos();
    let (least, most) = (Span::from_millis(1).nanos(), Span::from_millis(20).nanos());
    let pad = (length / 20).clamp(least, most);
    let from = Time::from_nanos(window.from.nanos() - pad.min(window.from.nanos()));
    let until = (window.until + Span::from_nanos(pad)).min(ended_at.max(window.until));
    Window { from, until }
}

struct Search<'a> {
    result: &'a RunResult,
    chronicle: &'a Chronicle,
    faults: &'a [FaultSpan],
}

impl Search<'_> {
    fn case(&self, property: Property, judged: ExpectedVerdict, witness: &Witness) -> Candidate {
        let history = &self.result.history;
        let mut operations = witness.operations.clone();
        let owner = witness.write.and_then(|version| owner(history, &operations, version));
        let versions: Vec<Version> =
            witness.write.filter(|_| owner.is_none()).into_iter().collect();
        if let Some(op) = owner.filter(|op| !operations.contains(op)) {
            operations.insert(0, op);
        }
        let entries = || operations.iter().map(|op| history.entry(*op));
        let ends = || entries().filter(|entry| entry.status != Status::Pending);
        let began = entries().map(|entry| entry.invoked_at).min();
        let answered = ends().map(|entry| entry.completed_at).max();
        let overlap = overlap(&self.result.leaderships);
        let moment = match (property, witness.write) {
            (Property::SingleLeader | Property::SplitBrain, _) => answered.max(overlap),
            (
                Property::Durability
                | Property::LwwMaximum
                | Property::Convergence
                | Property::AppendUniqueness,
                Some(version),
            ) => self.vanished(owner, version).or(answered),
            (of_a_log, _) if of_a_log.is_of_a_log() => self.breach_of(of_a_log),
            // The read that shows it was answered then.
            _ => answered,
        };
        let from =
            [began, moment].into_iter().flatten().chain(overlap.filter(|_| began.is_none())).min();
        let until = [answered, moment].into_iter().flatten().max();
        let window = match (from, until) {
            (Some(from), Some(until)) => self.with_faults(Window { from, until: until.max(from) }),
            _ => match self.faults.first() {
                Some(fault) => fault.window,
                None => Window { from: Time::ZERO, until: self.result.ended_at },
            },
        };
        let rank = match (moment, judged) {
            (Some(_), ExpectedVerdict::Violation) => 0,
            (Some(_), _) => 1,
            (None, ExpectedVerdict::Violation) => 2,
            (None, _) => 3,
        };
        Candidate { rank, moment, window, property, operations, versions }
    }

    /// When an invariant of the replicated log was broken.
    fn breach_of(&self, property: Property) -> Option<Time> {
        let mut breaches = self.result.log.iter().flat_map(|log| &log.breaches);
        breaches.find(|breach| breach.property == property).map(|breach| breach.moment.at)
    }

    /// The window, extended to the begin of each fault that is on in it.
    fn with_faults(&self, window: Window) -> Window {
        let on = self.faults.iter().filter(|fault| fault.window.meets(window));
        let from = on.map(|fault| fault.window.from).min().unwrap_or(window.from);
        Window { from: from.min(window.from), ..window }
    }

    /// When the last node that showed a write stopped showing it. `None` if a node always shows it.
    fn vanished(&self, owner: Option<OpId>, version: Version) -> Option<Time> {
        let history = &self.result.history;
        let key = owner.map(|op| history.entry(op).key);
        let target = owner.and_then(|op| losses::written(history, &[(op, key?)]).pop());
        let is_it = |(of, stored): &(KeyId, Stored)| match &target {
            Some(write) => write.target.is(*of, *stored),
            None => stored.version == version,
        };
        let mut newest: BTreeMap<NodeId, Vec<(KeyId, Stored)>> = BTreeMap::new();
        let mut vanished = None;
        for NodeEvent { at, node, what } in &self.chronicle.node_events {
            let held = newest.entry(*node).or_default();
            let showed = held.last().is_some_and(is_it);
            take(held, what, key);
            if showed && !held.last().is_some_and(is_it) {
                vanished = Some(*at);
            }
        }
        vanished
    }
}

/// What a node holds of a key, lowest version first, after something happened on it.
fn take(held: &mut Vec<(KeyId, Stored)>, what: &NodeEventKind, key: Option<KeyId>) {
    let of_key = |other: KeyId| key.is_none_or(|key| key == other);
    match what {
        NodeEventKind::Applied { key, stored } if of_key(*key) => {
            // Of two writes of one version, the later one is last.
            held.retain(|other| *other != (*key, *stored));
            let place = held.partition_point(|(_, other)| other.version <= stored.version);
            held.insert(place, (*key, *stored));
        }
        NodeEventKind::Discarded { key, stored, .. } if of_key(*key) => {
            held.retain(|other| *other != (*key, *stored));
        }
        NodeEventKind::Down => held.clear(),
        NodeEventKind::Up(data) => {
            held.extend(data.iter().filter(|(key, _)| of_key(*key)));
            held.sort_by_key(|(_, stored)| stored.version);
        }
        NodeEventKind::Applied { .. }
        | NodeEventKind::Discarded { .. }
        | NodeEventKind::Role { .. }
        | NodeEventKind::Paused
        | NodeEventKind::Resumed => {}
    }
}

/// The operation that was given this version; of several, one that the witness shows.
fn owner(history: &History, shown: &[OpId], version: Version) -> Option<OpId> {
    let key = shown.first().map(|op| history.entry(*op).key)?;
    let writers = Writers::of(history);
    let of_version: Vec<OpId> = writers.of_version(key, version).collect();
    let is_shown = of_version.iter().find(|op| shown.contains(op));
    is_shown.or_else(|| of_version.first()).copied().or_else(|| any_owner(history, version))
}

/// The operation that was given this version, on any key.
fn any_owner(history: &History, version: Version) -> Option<OpId> {
    let is_it = |entry: &Entry| entry.is_write() && entry.version == Some(version);
    let first = history.iter().find(|(_, entry)| is_it(entry)).map(|(op, _)| op);
    let others = || history.other_versions().iter().find(|(_, other)| *other == version);
    first.or_else(|| others().map(|(op, _)| history.whole(*op)))
}

/// When two nodes first led at once.
fn overlap(leaderships: &[Leadership]) -> Option<Time> {
    let second = leaderships.iter().enumerate().find(|(place, led)| {
        let before = leaderships[..*place].iter();
        before
            .into_iter()
            .any(|other| other.node != led.node && other.until.is_none_or(|until| until > led.from))
    });
    second.map(|(_, led)| led.from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::sample::{CUT_OFF, PlayedRun};

    fn look(text: &str) -> (RunResult, Focus) {
        let PlayedRun { result, chronicle, faults, .. } = PlayedRun::of(text, 1);
        let focus = focus(&result, &chronicle, &faults);
        (result, focus)
    }

    #[test]
    fn a_lost_write_is_shown_from_its_cause_to_its_end() {
        let (result, focus) = look(CUT_OFF);
        let ms = |ms: u64| Time::from_nanos(ms * 1_000_000);
        assert_eq!(focus.moment, Some(ms(650)), "it died with n1: {focus:?}");
        assert_eq!(result.history.entry(focus.operations[0]).invoked_at, ms(610));
        assert!(
            focus.window.from < ms(500) && focus.window.from > ms(490),
            "with what survived: {focus:?}"
        );
        assert!(focus.window.until > ms(650) && focus.window.until < ms(660), "{focus:?}");
        assert_eq!(focus.versions, [], "its operation is known");
    }

    #[test]
    fn where_nothing_goes_wrong_the_first_fault_or_the_start_is_shown() {
        let (base, _) = CUT_OFF.split_once("[[fault]]").unwrap();
        let (_, quiet) = look(base);
        assert_eq!((quiet.window.from, quiet.moment), (Time::ZERO, None));
        let fault =
            "[[fault]]\nat = \"1s\"\nfor = \"100ms\"\nclog = { from = \"n2\", to = \"n3\" }\n";
        let (_, focus) = look(&format!("{base}{fault}"));
        assert!(focus.window.from < Time::from_nanos(500_000_000), "the write before it");
        assert!(focus.window.until > Time::from_nanos(1_100_000_000), "{focus:?}");
    }
}
