//! A run, or many, for people: the verdicts first, then the figures, then how to see it again.
//!
//! Everything fits eighty columns. Only verdict words are coloured, and no word gets its meaning
//! from its colour.

use crate::metrics::Settlement;
use crate::named::Named;
use crate::report::Report;
use crate::report::layout::{counted, wrap};
use crate::report::totals::RunTotals;
use crate::run::RunVerdict;

use page::{Page, nonzero, outcomes, verdict_word};
use sections::{availability, ending, faults, last_write, leaders, shortened};

mod page;
mod sections;
#[cfg(test)]
mod tests;

pub use page::Footer;

/// One line: the verdict, the title, the seed, the digest.
#[must_use]
pub fn verdict_line(report: &Report, color: bool) -> String {
    let word = verdict_word(report.verdict, color);
    format!("{word}  {}  seed {}  digest {}\n", report.title, report.seed, report.digest)
}

/// One line for many runs: the verdict, the title, how many of them passed.
#[must_use]
pub fn totals_line(totals: &RunTotals, verdict: RunVerdict, color: bool) -> String {
    format!("{}  {}  {}\n", verdict_word(verdict, color), totals.title, outcomes(totals))
}

/// The report of one run.
#[must_use]
pub fn run(report: &Report, footer: &Footer, color: bool) -> String {
    let mut page = Page { out: String::new(), color };
    let aside = format!("seed {}  digest {}", report.seed, report.digest);
    page.heading(report.verdict, &report.title, &aside);
    for reason in report.reasons() {
        page.line(&wrap(&reason, 6));
    }
    page.gap();
    page.checks(&report.checks);
    page.gap();
    page.latencies("Latency", &report.latencies);
    page.operations(&report.operations);
    page.section("Availability", &availability(report));
    page.messages(&report.messages);
    page.section("Leaders", &leaders(&report.leaderships));
    page.section("Last write", report.last_write.map(last_write).as_slice());
    page.section("Faults", &faults(&report.faults, &report.never));
    page.section("Warnings", &shortened(report.warnings.iter().cloned(), "warnings"));
    page.section("End", &[ending(report)]);
    if let Settlement::Unsettled { waiting_for } = &report.settlement {
        page.section("Waiting for", waiting_for);
    }
    page.expectations(report);
    page.gap();
    page.footer(footer);
    page.out
}

/// The report of many runs of one scenario.
#[must_use]
pub fn runs(totals: &mut RunTotals, verdict: RunVerdict, footer: &Footer, color: bool) -> String {
    let mut page = Page { out: String::new(), color };
    page.heading(verdict, &totals.title, &outcomes(totals));
    page.gap();
    page.counts(totals);
    page.gap();
    let latencies = totals.latencies();
    page.latencies("Latency", &latencies);
    page.operations(&totals.operations);
    page.messages(&totals.messages);
    page.notable(totals);
    page.gap();
    page.footer(footer);
    page.out
}

/// One line for several scenarios: how many passed.
#[must_use]
pub fn closing(verdicts: &[RunVerdict]) -> String {
    let count = |verdict| verdicts.iter().filter(|one| **one == verdict).count() as u64;
    let outcomes: Vec<_> =
        RunVerdict::all().map(|verdict| (count(verdict), verdict.name())).collect();
    format!("{}: {}\n", counted(verdicts.len() as u64, "scenario"), nonzero(&outcomes))
}
