//! The page that a report is written on: headings, sections, tables.

use std::fmt::Write as _;

use crate::check::{CheckReport, Verdict};
use crate::config::ExpectedVerdict;
use crate::history::Function;
use crate::metrics::{Latency, MessageCounts};
use crate::named::Named;
use crate::report::layout::{WIDTH, counted, grouped, width, wrap, wrap_hanging};
use crate::report::remark::discarded;
use crate::report::totals::{Notable, RunTotals};
use crate::report::{CheckedProperty, OperationCounts, Report};
use crate::run::RunVerdict;

use super::sections::promise;

/// The column in which the text of a section starts.
const LABEL: usize = 14;
/// The column in which the text of a verdict starts: after the longest verdict word.
const VERDICT: usize = 13;

/// The end of a report: how to see the run again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footer {
    /// The commands that play it again: all of it, then the part to look at.
    pub commands: Vec<String>,
    /// The folder of its files, if it left any.
    pub written: Option<String>,
    /// The pictures among them.
    pub pictures: Vec<&'static str>,
    /// The result of playing it twice, if it was.
    pub verified: Option<String>,
}

/// A report that is being written.
pub(super) struct Page {
    pub(super) out: String,
    pub(super) color: bool,
}

impl Page {
    pub(super) fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    /// Ends with an empty line.
    pub(super) fn gap(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// The verdict and the title, with `aside` at the right; below if it does not fit.
    pub(super) fn heading(&mut self, verdict: RunVerdict, title: &str, aside: &str) {
        let word = verdict_word(verdict, self.color);
        // The word may have colour codes, which take no room.
        let start = verdict.name().len() + 2;
        let used = start + width(title);
        if used + 2 + width(aside) <= WIDTH {
            let fill = " ".repeat(WIDTH - used - width(aside));
            self.line(&format!("{word}  {title}{fill}{aside}"));
        } else {
            let title = wrap(title, start);
            self.line(&format!("{word}  {}", title.trim_start()));
            self.line(&format!("{}{aside}", " ".repeat(start)));
        }
    }

    /// The label, with `lines` beside it; nothing if there are no lines.
    pub(super) fn section(&mut self, label: &str, lines: &[String]) {
        for (i, line) in lines.iter().enumerate() {
            let label = if i == 0 { label } else { "" };
            // Only lines that are too long are wrapped: wrapping loses the spaces of columns.
            if LABEL + width(line) <= WIDTH {
                self.line(&format!("{label:LABEL$}{line}"));
            } else {
                let wrapped = wrap(line, LABEL);
                self.line(&format!("{label:LABEL$}{}", wrapped.trim_start()));
            }
        }
    }

    /// The checks: those that do not hold, the worst first; then those that hold, on one line.
    pub(super) fn checks(&mut self, checks: &[CheckedProperty]) {
        let worst_first =
            [ExpectedVerdict::Violation, ExpectedVerdict::Unknown, ExpectedVerdict::Allowed];
        for verdict in worst_first {
            for check in checks.iter().filter(|check| check.report.judged == verdict) {
                self.check(check);
            }
        }
        let valid = checks.iter().filter(|check| check.report.judged == ExpectedVerdict::Valid);
        let (remarked, plain): (Vec<&CheckedProperty>, Vec<&CheckedProperty>) =
            valid.partition(|check| discarded(&check.report).is_some());
        for check in remarked {
            let name = check.report.property.name();
            let remark = discarded(&check.report).unwrap_or_default();
            self.verdict(ExpectedVerdict::Valid, &format!("{name}, at the end"));
            self.line(&wrap(&remark, VERDICT));
        }
        let names: Vec<_> = plain.iter().map(|check| check.report.property.name()).collect();
        if !names.is_empty() {
            self.verdict(ExpectedVerdict::Valid, &names.join(", "));
        }
        let unchecked =
            checks.iter().filter(|check| check.report.judged == ExpectedVerdict::Unchecked);
        for (reason, names) in by_reason(unchecked.map(|check| &check.report)) {
            let names = format!("{} ({reason})", names.join(", "));
            self.verdict(ExpectedVerdict::Unchecked, &names);
        }
        let met = |verdict| checks.iter().any(|check| check.report.judged == verdict);
        // Readers meet "allowed" often, and must not take it for "held".
        if met(ExpectedVerdict::Allowed) {
            self.gap();
            self.line("  (allowed: it was broken, and this configuration does not promise it)");
        }
    }

    fn check(&mut self, CheckedProperty { report, expected, voided, .. }: &CheckedProperty) {
        let mut title = report.property.name().to_owned();
        let explanation = match &report.verdict {
            Verdict::Valid => None,
            Verdict::Unknown(reason) | Verdict::Unchecked(reason) => Some(reason),
            Verdict::Invalid(witness) => Some(&witness.summary),
        };
        if *expected == Some(report.judged) {
            title.push_str(", as the scenario expects");
        } else if report.misses_a_bound() && expected.is_none() {
            title.push_str(", though the scenario sets a bound");
        }
        self.verdict(report.judged, &title);
        if let Some(explanation) = explanation {
            self.line(&wrap(explanation, VERDICT));
        }
        if report.judged != ExpectedVerdict::Unknown {
            self.line(&wrap(&promise(report, voided), VERDICT));
        }
    }

    fn verdict(&mut self, verdict: ExpectedVerdict, text: &str) {
        let name = verdict.name();
        let paint = match verdict {
            ExpectedVerdict::Valid => GREEN,
            ExpectedVerdict::Violation => RED,
            ExpectedVerdict::Allowed | ExpectedVerdict::Unknown | ExpectedVerdict::Unchecked => {
                YELLOW
            }
        };
        let fill = " ".repeat(VERDICT - 2 - name.len());
        let text = wrap_hanging(text, VERDICT);
        self.line(&format!("  {}{fill}{text}", painted(name, paint, self.color)));
    }

    /// A table of how often each property got each verdict.
    pub(super) fn counts(&mut self, totals: &RunTotals) {
        let mut head = format!("{:22}", "Verdicts");
        for verdict in ExpectedVerdict::all() {
            let _ = write!(head, "{:>11}", verdict.name());
        }
        self.line(&head);
        for (property, counts) in totals.judged() {
            let mut row = format!("  {:20}", property.name());
            for count in counts {
                let shown = if *count == 0 { "-".to_owned() } else { grouped(*count) };
                let _ = write!(row, "{shown:>11}");
            }
            self.line(&row);
        }
    }

    pub(super) fn latencies(&mut self, label: &str, latencies: &[(Function, Latency)]) {
        if latencies.is_empty() {
            return;
        }
        let heads = ["mean", "p50", "p95", "p99", "p99.9", "max"];
        let mut head = format!("{label:LABEL$}{:>9}", "count");
        for name in heads {
            let _ = write!(head, "{name:>9}");
        }
        self.line(&head);
        for (function, latency) in latencies {
            let Latency { count, mean, p50, p95, p99, p999, max } = *latency;
            let mut row = format!("  {:12}{:>9}", function.name(), grouped(count));
            for span in [mean, p50, p95, p99, p999, max] {
                let _ = write!(row, "{:>9}", span.short());
            }
            self.line(&row);
        }
        self.gap();
    }

    pub(super) fn operations(&mut self, counts: &OperationCounts) {
        let fates = [(counts.ok, "ok"), (counts.fail, "failed"), (counts.info, "unknown")];
        let mut lines = vec![format!("{} invoked: {}", grouped(counts.invoked), nonzero(&fates))];
        if counts.invoked == 0 {
            lines = vec!["none".to_owned()];
        }
        if counts.degraded > 0 {
            let many = grouped(counts.degraded);
            lines.push(format!("{many} answered with fewer confirmations than asked for"));
        }
        if counts.unserved.count > 0 {
            let (many, wait) =
                (counted(counts.unserved.count, "arrival"), counts.unserved.longest_wait);
            lines.push(format!(
                "{many} found no free client and were never invoked; the first had waited {}",
                wait.short()
            ));
        }
        let why: Vec<_> = counts
            .reasons()
            .map(|(failure, count)| format!("{} {}", grouped(count), failure.name()))
            .collect();
        if !why.is_empty() {
            lines.push(format!("errors: {}", why.join(", ")));
        }
        self.section("Operations", &lines);
    }

    pub(super) fn messages(&mut self, counts: &MessageCounts) {
        let fates = [
            (counts.delivered, "delivered"),
            (counts.lost, "lost"),
            (counts.blocked, "blocked"),
            (counts.duplicated, "duplicated"),
        ];
        let line = format!("{} sent: {}", grouped(counts.sent), nonzero(&fates));
        let line = if counts.sent == 0 { "none".to_owned() } else { line };
        self.section("Messages", &[line]);
    }

    pub(super) fn expectations(&mut self, report: &Report) {
        let all = report.expectations.len() as u64;
        let mut lines = Vec::new();
        let unmet = report.expectations.iter().filter(|expectation| !expectation.met);
        for expectation in unmet {
            lines.push(format!("not met: {}", expectation.name));
            lines.push(format!("  found: {}", expectation.found));
        }
        match (lines.len() as u64 / 2, all) {
            (_, 0) => {}
            (0, 1) => lines.push("met".to_owned()),
            (0, _) => lines.push(format!("all {all} met")),
            (unmet, _) => lines.insert(0, format!("{unmet} of {all} not met")),
        }
        self.section("Expectations", &lines);
    }

    pub(super) fn notable(&mut self, totals: &RunTotals) {
        let longest =
            totals.notable.iter().map(|one| one.seed.to_string().len()).max().unwrap_or(0);
        let line = |Notable { seed, verdict, reasons }: &Notable| {
            format!("seed {seed:longest$}  {}  {}", verdict.name(), reasons.join("; "))
        };
        let mut lines: Vec<_> = totals.notable.iter().map(line).collect();
        let rest = totals.fail + totals.unknown - totals.notable.len() as u64;
        if rest > 0 {
            lines.push(format!("and {}", counted(rest, "more run")));
        }
        self.section("Not passed", &lines);
    }

    pub(super) fn footer(&mut self, footer: &Footer) {
        if let Some(verified) = &footer.verified {
            self.line(&format!("verified: {verified}"));
            self.gap();
        }
        // Commands and paths are never broken: people copy them.
        for (i, command) in footer.commands.iter().enumerate() {
            let label = if i == 0 { "Reproduce" } else { "" };
            self.line(&format!("{label:LABEL$}{command}"));
        }
        if let Some(written) = &footer.written {
            self.line(&format!("{:LABEL$}{written}", "Written to"));
            if !footer.pictures.is_empty() {
                self.line(&format!("{:LABEL$}{}", "Pictures", footer.pictures.join(", ")));
            }
        }
    }
}

pub(super) const GREEN: &str = "\x1b[32m";
pub(super) const RED: &str = "\x1b[31m";
pub(super) const YELLOW: &str = "\x1b[33m";

fn painted(text: &str, paint: &str, color: bool) -> String {
    if color { format!("{paint}{text}\x1b[0m") } else { text.to_owned() }
}

pub(super) fn verdict_word(verdict: RunVerdict, color: bool) -> String {
    let (word, paint) = match verdict {
        RunVerdict::Pass => ("PASS", GREEN),
        RunVerdict::Fail => ("FAIL", RED),
        RunVerdict::Unknown => ("UNKNOWN", YELLOW),
    };
    painted(word, paint, color)
}

/// The counts that are not 0: `3 ok, 1 failed`.
pub(super) fn nonzero(counts: &[(u64, &str)]) -> String {
    let some = counts.iter().filter(|(count, _)| *count > 0);
    let texts: Vec<_> = some.map(|(count, name)| format!("{} {name}", grouped(*count))).collect();
    texts.join(", ")
}

pub(super) fn outcomes(totals: &RunTotals) -> String {
    let outcomes = [(totals.pass, "pass"), (totals.fail, "fail"), (totals.unknown, "unknown")];
    format!("{}: {}", counted(totals.runs(), "run"), nonzero(&outcomes))
}

/// Properties that were not checked, by why, in a few words.
fn by_reason<'a>(
    unchecked: impl Iterator<Item = &'a CheckReport>,
) -> Vec<(&'a str, Vec<&'static str>)> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for report in unchecked {
        let reason = match &report.verdict {
            Verdict::Unchecked(why) if report.property.needed_bounds().is_empty() => why.as_str(),
            _ => "no bound is set",
        };
        match reasons.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, names)) => names.push(report.property.name()),
            None => reasons.push((reason, vec![report.property.name()])),
        }
    }
    reasons
}
