//! The sections of a report, as lines.

use crate::check::CheckReport;
use crate::metrics::{LastWrite, Leadership, Settlement, Standstill};
use crate::property::{Promise, Property};
use crate::report::layout::{counted, grouped, moment};
use crate::report::{CheckedProperty, FaultAct, NeverStarted, Report, Strayed};
use crate::time::{Span, Time};

/// How many lines of a list are shown; the rest are counted.
const LINES: usize = 12;

/// How many causes that void a promise are shown. JSON has all of them.
const CAUSES_SHOWN: usize = 3;

/// What is promised of a broken property, and whether the promise covers this run.
pub(super) fn promise(report: &CheckReport, voided: &[String]) -> String {
    match report.promise {
        Promise::Always { why } => format!("Promised: {why}"),
        Promise::Unless { why, .. } if voided.is_empty() => format!("Promised: {why}"),
        Promise::Unless { why, .. } => {
            let (shown, rest) = voided.split_at(voided.len().min(CAUSES_SHOWN));
            let mut because = shown.join(" and ");
            if !rest.is_empty() {
                because += &format!(" and {} more", rest.len());
            }
            format!("Not promised in this run, because {because} ({why})")
        }
        Promise::Never { why } => format!("Not promised: {why}"),
    }
}

/// How far followers were from the leader when the last write was answered.
pub(super) fn last_write(last: LastWrite) -> String {
    let (at, all) = (moment(last.at), counted(last.replica_keys(), "replica-key"));
    let (some, leader) = (grouped(last.differing), last.leader);
    let for_how_long = match (last.differing, last.agreed_after()) {
        (0, _) => String::new(),
        (_, Some(after)) => format!(" for {}", after.short()),
        (_, None) => ", and some to the end".to_owned(),
    };
    format!("at {at}; then {some} of {all} differed from {leader}{for_how_long}")
}

pub(super) fn leaders(leaderships: &[Leadership]) -> Vec<String> {
    let node_width = leaderships.iter().map(|one| one.node.to_string().len()).max().unwrap_or(0);
    let term_width = leaderships.iter().map(|one| one.term.to_string().len()).max().unwrap_or(0);
    let rows = leaderships.iter().map(|one| {
        let until = one.until.map_or_else(|| "the end".to_owned(), moment);
        let (node, from) = (one.node.to_string(), moment(one.from));
        format!("{node:node_width$}  term {:term_width$}  {from:>8} to {until}", one.term)
    });
    shortened(rows, "leaders")
}

pub(super) fn faults(acts: &[FaultAct], never: &[NeverStarted]) -> Vec<String> {
    let rows = acts.iter().map(|act| {
        let event = if act.starts { "start" } else { "end" };
        let unnamed = act.fault.as_ref().filter(|id| !act.what.starts_with(id.as_str()));
        let id = unnamed.map_or_else(String::new, |id| format!("{id}: "));
        format!("{:>8}  {event:5}  {id}{}", moment(act.at), act.what)
    });
    let mut lines = shortened(rows, "faults");
    lines.extend(
        never.iter().map(|one| format!("{:>8}  start  {}: {}", "never", one.fault, one.why)),
    );
    lines
}

/// The first rows, and where to find the rest.
pub(super) fn shortened(rows: impl ExactSizeIterator<Item = String>, key: &str) -> Vec<String> {
    let all = rows.len();
    let mut lines: Vec<_> = rows.take(LINES).collect();
    if all > LINES {
        lines.push(format!("and {} more: `{key}` in result.json", all - LINES));
    }
    lines
}

pub(super) fn ending(report: &Report) -> String {
    let ended = moment(report.ended_at);
    let events = counted(report.events, "event");
    let how = match &report.settlement {
        Settlement::Settled { after } if after.is_zero() => "settled at once".to_owned(),
        Settlement::Settled { after } => format!("settled in {}", after.short()),
        Settlement::Unsettled { .. } => "not settled".to_owned(),
        Settlement::Stuck { at, why } => stuck(*at, *why),
    };
    format!("at {ended}, after {events}; {how}")
}

fn stuck(at: Time, why: Standstill) -> String {
    match why {
        Standstill::Loop { events } => {
            format!("virtual time stood still at {} for {}", moment(at), counted(events, "event"))
        }
        Standstill::Crowd { pending } => format!(
            "stopped at {}: more than {} were pending, and there is room for no more",
            moment(at),
            counted(pending, "event")
        ),
    }
}

/// The availability that was measured; no lines without operations.
pub(super) fn availability(report: &Report) -> Vec<String> {
    let of_availability =
        |check: &&CheckedProperty| check.report.property == Property::Availability;
    let figures = report.checks.iter().find(of_availability).map(|check| &check.report.figures[..]);
    let figure = |name| {
        let found = figures?.iter().find(|(other, _)| *other == name);
        found.map(|(_, figure)| *figure)
    };
    let Some(ppm) = figure("availability_ppm") else { return Vec::new() };
    let span = |name| Span::from_nanos(figure(name).unwrap_or(0)).short();
    let share = format!("{}.{:02}% answered", ppm / 10_000, ppm % 10_000 / 100);
    // Writes by themselves: reads may be answered while no write is.
    let writes = match figure("longest_write_gap_ns") {
        None | Some(0) => String::new(),
        Some(_) => format!("no write for {}, ", span("longest_write_gap_ns")),
    };
    let mut line =
        format!("{share}; at the longest {writes}nothing for {}", span("longest_gap_ns"));
    match (figure("leaders_lost"), figure("unrecovered")) {
        (None | Some(0), _) => {}
        (Some(lost), Some(1..)) => {
            line += &format!("; {}, not all recovered from", counted(lost, "lost leader"));
        }
        (Some(lost), None | Some(0)) => {
            let (lost, recovery) = (counted(lost, "lost leader"), span("longest_recovery_ns"));
            line += &format!("; {lost}, recovery within {recovery}");
        }
    }
    let mut lines = vec![line];
    if let Some(Strayed { count, asked, leader, keeps }) = report.strayed {
        let operations = counted(count, "operation");
        let why = if keeps {
            ": clients that neither retry nor ask the next node (`retries`, `ask-next`) keep to \
             the one they know"
        } else {
            ""
        };
        lines.push(format!(
            "{operations} refused by {asked}, which was down, while {leader} led{why}"
        ));
    }
    lines
}
