//! What a report says of availability: how much was answered, the longest gaps, and whom clients asked in vain.

use std::collections::BTreeMap;

use crate::config::{Config, RetryPolicy};
use crate::history::{Failure, History};
use crate::id::NodeId;
use crate::metrics::Leadership;
use crate::property::Property;
use crate::report::Report;
use crate::report::layout::counted;
use crate::time::Span;

/// Operations that were refused by a node that was down, while another led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strayed {
    /// How many.
    pub count: u64,
    /// The node that most of them asked.
    pub asked: NodeId,
    /// Who led as most of these ended.
    pub leader: NodeId,
    /// Whether the workload's clients keep to a node that is down: they neither retry nor ask the next.
    pub keeps: bool,
}

impl Strayed {
    /// Those of a run; `None` where there are none.
    pub(super) fn of(
        config: &Config,
        history: &History,
        leaderships: &[Leadership],
    ) -> Option<Self> {
        let mut by_nodes: BTreeMap<(NodeId, NodeId), u64> = BTreeMap::new();
        let refused = history.entries().iter().filter(|e| e.failure == Some(Failure::Refused));
        for entry in refused {
            let Some(asked) = entry.node else { continue };
            let leads = |led: &&Leadership| {
                led.node != asked
                    && led.from <= entry.invoked_at
                    && led.until.is_none_or(|until| until > entry.completed_at)
            };
            if let Some(led) = leaderships.iter().find(leads) {
                *by_nodes.entry((asked, led.node)).or_default() += 1;
            }
        }
        let ((asked, leader), _) = by_nodes.iter().max_by_key(|(_, count)| **count)?;
        let keeps = config.workload.as_ref().is_some_and(|load| RetryPolicy::stays(&load.retry));
        Some(Self { count: by_nodes.values().sum(), asked: *asked, leader: *leader, keeps })
    }
}

/// What was measured of availability, when anything was asked.
pub(super) fn lines(report: &Report) -> Vec<String> {
    let of_availability =
        |check: &&crate::report::Check| check.report.property == Property::Availability;
    let figures = report.checks.iter().find(of_availability).map(|check| &check.report.figures[..]);
    let figure = |name| {
        let found = figures?.iter().find(|(other, _)| *other == name);
        found.map(|(_, figure)| *figure)
    };
    let Some(ppm) = figure("availability_ppm") else { return Vec::new() };
    let span = |name| Span::from_nanos(figure(name).unwrap_or(0)).short();
    let share = format!("{}.{:02}% answered", ppm / 10_000, ppm % 10_000 / 100);
    // Reads that are answered do not hide that no write is.
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
            ": clients that neither retry nor ask the next node (`retries`, `ask-next`) keep to the one they know"
        } else {
            ""
        };
        lines.push(format!(
            "{operations} refused by {asked}, which was down, while {leader} led{why}"
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Check, sample};

    #[test]
    fn availability_is_told_when_something_was_asked() {
        let (config, result) = sample::run();
        let (mut report, _) = Report::of("quickstart", &config, &result);
        assert_eq!(lines(&report), [""; 0]);
        let check = |check: &&mut Check| check.report.property == Property::Availability;
        let figures =
            &mut report.checks.iter_mut().find(check).expect("it is there").report.figures;
        figures.extend([("availability_ppm", 990_599), ("longest_gap_ns", 1_200_000_000)]);
        assert_eq!(lines(&report), ["99.05% answered; at the longest nothing for 1.2s"]);
        let figures =
            &mut report.checks.iter_mut().find(check).expect("it is there").report.figures;
        figures.extend([
            ("longest_write_gap_ns", 1_500_000_000),
            ("leaders_lost", 2),
            ("longest_recovery_ns", 300_000_000),
        ]);
        assert_eq!(
            lines(&report),
            [
                "99.05% answered; at the longest no write for 1.5s, nothing for 1.2s; 2 lost leaders, recovery within \
                 300ms"
            ]
        );
        let (asked, leader) = (NodeId(0), NodeId(1));
        report.strayed = Some(Strayed { count: 7, asked, leader, keeps: true });
        assert_eq!(
            lines(&report)[1],
            "7 operations refused by n1, which was down, while n2 led: clients that neither retry nor ask the next node \
             (`retries`, `ask-next`) keep to the one they know"
        );
    }
}
