//! `sweep.csv`: a row for each point. Column names are stable.
//!
//! The varied keys come first, then `seeds`, then the results. Times are integer nanoseconds
//! (`_ns`), shares are between 0 and 1. `_low` and `_high` are the ends of a 95% confidence
//! interval over runs: by a bootstrap for means, by Wilson's formula for shares, by the interval of
//! the share that took no longer for percentiles.
//!
//! A field is empty if its value is not known: a percentile with fewer than ten operations beyond
//! it, an interval of fewer than five runs (ten for recoveries), an end of an interval beyond all
//! samples, the latency of operations that never completed.
//!
//! - runs: `seeds runs_pass runs_fail runs_unknown runs_settled`
//! - operations by outcome (censored ones got no answer in time):
//!   `FUNCTION_ok _fail _info _degraded _censored`
//! - latency of those that completed ok, all runs pooled: `FUNCTION_latency_mean_ns _mean_low_ns
//!   _mean_high_ns _deviation_ns`; `FUNCTION_latency_p50_ns _p50_low_ns _p50_high_ns`, and p90,
//!   p95, p99, p999, by nearest rank, with censored ones longer than any; `FUNCTION_latency_max_ns`
//! - the closed form, if there is one: `put_latency_theory_mean_ns put_latency_theory_deviation_ns`
//! - durability (discarded writes were gone before their keys were written again):
//!   `acknowledged_writes lost_writes_allowed lost_writes_violating discarded_writes lost_share
//!   lost_share_low lost_share_high least_confirmations`
//! - staleness: `reads stale_reads stale_share stale_share_low stale_share_high max_staleness_ns`
//! - the share of operations that completed ok, and gaps: `availability availability_low
//!   availability_high longest_gap_ns longest_write_gap_ns`
//! - failover: `leaders_lost recovery_mean_ns recovery_mean_low_ns recovery_mean_high_ns
//!   recovery_max_ns unrecovered`
//! - how many keys of live followers differed from the leader's when the last write was answered,
//!   and how long it took until none did: `differing_replica_keys _low _high replica_keys
//!   agreement_mean_ns agreement_mean_low_ns agreement_mean_high_ns never_agreed`
//! - the network: `messages messages_undelivered messages_per_operation _low _high`
//! - in how many runs a property got each verdict: `CHECK_valid CHECK_allowed CHECK_violation
//!   CHECK_unknown CHECK_unchecked`
//!
//! FUNCTION is `put get delete list read_all clear append`, if any point invoked it; CHECK is the
//! name of a property with underscores.

use std::fmt::Display;

use super::Sweep;
use super::summary::{Estimate, FunctionSummary, Summary};
use crate::config::ExpectedVerdict;
use crate::history::Function;
use crate::named::Named;

/// The names of the percentiles of [`super::summary::PERCENTILES`].
pub const PERCENTILE_NAMES: [&str; 5] = ["p50", "p90", "p95", "p99", "p999"];

/// A row: the names of its columns and its fields.
#[derive(Default)]
struct CsvRow {
    names: Vec<String>,
    fields: Vec<String>,
}

impl CsvRow {
    fn put(&mut self, name: impl Into<String>, field: impl Display) {
        self.put_some(name, Some(field));
    }

    /// Puts an empty field for `None`.
    fn put_some(&mut self, name: impl Into<String>, field: Option<impl Display>) {
        self.names.push(name.into());
        self.fields.push(field.map_or_else(String::new, |field| field.to_string()));
    }

    /// Puts a duration with its interval, in whole nanoseconds.
    fn put_length(&mut self, name: &str, estimate: Option<Estimate>) {
        let whole = |value: f64| libm::round(value) as u64;
        self.put_some(format!("{name}_ns"), estimate.map(|e| whole(e.value)));
        self.put_some(format!("{name}_low_ns"), estimate.and_then(|e| e.low).map(whole));
        self.put_some(format!("{name}_high_ns"), estimate.and_then(|e| e.high).map(whole));
    }

    /// Puts a share or a ratio with its interval, to six decimals.
    fn put_ratio(&mut self, name: &str, estimate: Option<Estimate>) {
        let six = |value: f64| format!("{value:.6}");
        self.put_some(name, estimate.map(|e| six(e.value)));
        self.put_some(format!("{name}_low"), estimate.and_then(|e| e.low).map(six));
        self.put_some(format!("{name}_high"), estimate.and_then(|e| e.high).map(six));
    }
}

/// The whole table, with its head.
#[must_use]
pub fn csv(sweep: &Sweep<'_>) -> String {
    let functions: Vec<Function> = Function::all()
        .filter(|function| sweep.summaries.iter().any(|s| s.function(*function).is_some()))
        .collect();
    let mut writer = csv::Writer::from_writer(Vec::new());
    for (place, summary) in sweep.summaries.iter().enumerate() {
        let row = row(sweep, place, summary, &functions);
        if place == 0 {
            write(&mut writer, &row.names);
        }
        write(&mut writer, &row.fields);
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Writes a record into memory.
fn write(writer: &mut csv::Writer<Vec<u8>>, record: &[String]) {
    writer.write_record(record).expect("rows of one sweep are equally long, and memory takes them");
}

fn row(sweep: &Sweep<'_>, place: usize, summary: &Summary, functions: &[Function]) -> CsvRow {
    let mut row = CsvRow::default();
    for (key, value) in sweep.heading.keys.iter().zip(&sweep.points[place].values) {
        row.put(key.as_str(), value);
    }
    row.put("seeds", summary.runs);
    row.put("runs_pass", summary.pass);
    row.put("runs_fail", summary.fail);
    row.put("runs_unknown", summary.unknown);
    row.put("runs_settled", summary.settled);
    for function in functions {
        let name = function.name().replace('-', "_");
        put_function(&mut row, &name, summary.function(*function));
        if *function == Function::Put {
            let theory = sweep.theory[place];
            let whole = |value: f64| libm::round(value) as u64;
            row.put_some("put_latency_theory_mean_ns", theory.map(|m| whole(m.mean)));
            row.put_some("put_latency_theory_deviation_ns", theory.map(|m| whole(m.deviation)));
        }
    }
    row.put("acknowledged_writes", summary.acknowledged);
    row.put("lost_writes_allowed", summary.lost_allowed);
    row.put("lost_writes_violating", summary.lost_violating);
    row.put_some("discarded_writes", summary.discarded);
    row.put_ratio("lost_share", summary.lost_share);
    row.put_some("least_confirmations", summary.least_confirmations);
    row.put("reads", summary.reads);
    row.put("stale_reads", summary.stale_reads);
    row.put_ratio("stale_share", summary.stale_share);
    row.put("max_staleness_ns", summary.longest_staleness);
    row.put_ratio("availability", summary.availability);
    row.put("longest_gap_ns", summary.longest_gap);
    row.put("longest_write_gap_ns", summary.longest_write_gap);
    row.put("leaders_lost", summary.leaders_lost);
    row.put_length("recovery_mean", summary.recovery);
    row.put("recovery_max_ns", summary.longest_recovery);
    row.put("unrecovered", summary.unrecovered);
    row.put_ratio("differing_replica_keys", summary.differing);
    row.put_some("replica_keys", summary.replica_keys.map(|keys| format!("{keys:.6}")));
    row.put_length("agreement_mean", summary.agreement);
    row.put("never_agreed", summary.never_agreed);
    row.put("messages", summary.messages);
    row.put("messages_undelivered", summary.undelivered);
    row.put_ratio("messages_per_operation", summary.messages_per_operation);
    for (property, counts) in &summary.checks {
        let name = property.replace('-', "_");
        for (verdict, count) in ExpectedVerdict::all().zip(counts) {
            row.put(format!("{name}_{}", verdict.name()), count);
        }
    }
    row
}

fn put_function(row: &mut CsvRow, name: &str, summary: Option<&FunctionSummary>) {
    let count = |figure: fn(&FunctionSummary) -> u64| summary.map_or(0, figure);
    row.put(format!("{name}_ok"), count(|f| f.ok));
    row.put(format!("{name}_fail"), count(|f| f.fail));
    row.put(format!("{name}_info"), count(|f| f.info));
    row.put(format!("{name}_degraded"), count(|f| f.degraded));
    row.put(format!("{name}_censored"), count(|f| f.censored));
    let latency = summary.and_then(|summary| summary.latency.as_ref());
    row.put_length(&format!("{name}_latency_mean"), latency.map(|latency| latency.mean));
    let deviation = latency.and_then(|latency| latency.deviation);
    row.put_some(
        format!("{name}_latency_deviation_ns"),
        deviation.map(|value| libm::round(value) as u64),
    );
    for (place, percentile) in PERCENTILE_NAMES.into_iter().enumerate() {
        let estimate = latency.and_then(|latency| latency.percentiles[place]);
        row.put_length(&format!("{name}_latency_{percentile}"), estimate);
    }
    row.put_some(format!("{name}_latency_max_ns"), latency.map(|latency| latency.max));
}
