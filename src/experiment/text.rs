//! The report of a sweep or a comparison for people: a table, then the conclusions.

use super::analysis::{Analysis, Share};
use super::points::short_key;
use super::statistics::FEWEST_RUNS;
use super::summary::{Estimate, Summary};
use super::{Design, Sweep};
use super::{length, whole};
use crate::report::layout::{counted, grouped, width, wrap};

/// What is said if there are too few runs for intervals.
const FROM_HOW_MANY: &str = " are given from 5 runs on";

/// A column: its head, and a field for each point.
struct Column {
    head: String,
    fields: Vec<String>,
}

/// The whole report. `files` are the paths of the files that were written.
#[must_use]
pub fn text(sweep: &Sweep<'_>, analysis: &Analysis, files: &[String]) -> String {
    let runs = sweep.summaries.first().map_or(0, |summary| summary.runs);
    let mut out = format!("{}\n", sweep.heading.title);
    let what = if sweep.heading.design == Design::Comparison { "configuration" } else { "point" };
    out += &format!(
        "{}, {} each (seeds {}); 95% intervals over runs{}\n\n",
        counted(sweep.summaries.len() as u64, what),
        counted(runs, "run"),
        sweep.heading.seeds,
        if runs < FEWEST_RUNS as u64 { FROM_HOW_MANY } else { "" },
    );
    out += &table(sweep);
    for paragraph in analysis.paragraphs() {
        out.push('\n');
        out += &wrap(paragraph, 0);
        out.push('\n');
    }
    if !files.is_empty() {
        out.push('\n');
    }
    for file in files {
        out += &format!("written  {file}\n");
    }
    out
}

/// The table, with aligned columns: the first to the left, the others to the right.
fn table(sweep: &Sweep<'_>) -> String {
    let columns = columns(sweep);
    let widths: Vec<usize> = columns
        .iter()
        .map(|column| {
            column.fields.iter().map(|f| width(f)).max().unwrap_or(0).max(width(&column.head))
        })
        .collect();
    let line = |fields: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (place, (field, wide)) in fields.zip(&widths).enumerate() {
            let pad = " ".repeat(wide - width(field));
            line += &if place == 0 { format!("{field}{pad}") } else { format!("  {pad}{field}") };
        }
        format!("{}\n", line.trim_end())
    };
    let mut out = line(&mut columns.iter().map(|column| column.head.as_str()));
    for row in 0..sweep.summaries.len() {
        out += &line(&mut columns.iter().map(|column| column.fields[row].as_str()));
    }
    out
}

/// The columns that have something to show.
fn columns(sweep: &Sweep<'_>) -> Vec<Column> {
    let column = |head: &str, field: &dyn Fn(&Summary) -> String| column(sweep, head, field);
    let percentile = |per_mille: u32| {
        move |s: &Summary| {
            let latency = sweep.reported(s).and_then(|function| function.latency.as_ref());
            let estimate = latency.and_then(|latency| latency.percentile(per_mille));
            estimate.map_or_else(|| "-".to_owned(), |estimate| length(estimate.value))
        }
    };
    let theory: Vec<String> = sweep
        .theory
        .iter()
        .map(|moments| moments.map_or_else(|| "-".to_owned(), |moments| length(moments.mean)))
        .collect();
    let any = |wanted: fn(&Summary) -> bool| sweep.summaries.iter().any(wanted);
    let keys: Vec<&str> = sweep.heading.keys.iter().map(|key| short_key(key)).collect();
    let keys = keys.join(", ");
    let mut columns = vec![
        Column { head: keys, fields: sweep.labels.clone() },
        column("mean", &|s| mean(sweep, s, |mean| length(mean.value))),
        column("95% interval", &|s| mean(sweep, s, interval)),
    ];
    if sweep.theory.iter().any(Option::is_some) {
        columns.push(Column { head: "theory".to_owned(), fields: theory });
    }
    columns.push(column("p50", &percentile(500)));
    columns.push(column("p95", &percentile(950)));
    columns.push(column("p99", &percentile(990)));
    if any(|s| s.functions.iter().any(|function| function.censored > 0)) {
        columns.push(column("timed out", &|s| {
            grouped(s.functions.iter().map(|function| function.censored).sum())
        }));
    }
    if any(|s| s.functions.iter().any(|function| function.degraded > 0)) {
        columns.push(column("degraded", &|s| {
            grouped(s.functions.iter().map(|function| function.degraded).sum())
        }));
    }
    outcome_columns(sweep, &mut columns);
    columns
}

/// A column whose fields are computed from the summaries.
fn column(sweep: &Sweep<'_>, head: &str, field: &dyn Fn(&Summary) -> String) -> Column {
    Column { head: head.to_owned(), fields: sweep.summaries.iter().map(field).collect() }
}

/// The columns behind the latencies: losses, staleness, availability and so on.
fn outcome_columns(sweep: &Sweep<'_>, columns: &mut Vec<Column>) {
    let column = |head: &str, field: &dyn Fn(&Summary) -> String| column(sweep, head, field);
    let any = |wanted: fn(&Summary) -> bool| sweep.summaries.iter().any(wanted);
    columns.push(column("lost", &|s| grouped(s.lost_allowed)));
    if any(|s| s.lost_violating > 0) {
        columns.push(column("lost against promise", &|s| grouped(s.lost_violating)));
    }
    if any(|s| s.discarded > Some(0)) {
        columns.push(column("discarded", &|s| s.discarded.map_or_else(|| "-".to_owned(), grouped)));
    }
    if any(|s| s.reads > 0) {
        columns.push(column("stale reads", &|s| share(s.stale_share)));
    }
    columns.push(column("available", &|s| share(s.availability)));
    if any(|s| s.leaders_lost > 0) {
        columns.push(column("recovery", &|s| {
            let never = if s.unrecovered > 0 {
                format!(", {} never", s.unrecovered)
            } else {
                String::new()
            };
            s.recovery.map_or_else(|| "-".to_owned(), |recovery| length(recovery.value) + &never)
        }));
    }
    if any(Summary::differs) {
        columns.push(column("differ", &differing));
        columns.push(column("agreed after", &|s| {
            let never = match s.never_agreed {
                0 => String::new(),
                runs => format!(", {} never", grouped(runs)),
            };
            s.agreement.map_or_else(|| "-".to_owned(), |after| length(after.value) + &never)
        }));
    }
    columns.push(column("messages/op", &|s| {
        s.messages_per_operation.map_or_else(|| "-".to_owned(), |e| format!("{:.2}", e.value))
    }));
    if any(|s| s.fail > 0) {
        columns.push(column("broke a promise", &|s| of_runs(s.fail, s)));
    }
    if any(|s| s.unknown > 0) {
        columns.push(column("unknown", &|s| of_runs(s.unknown, s)));
    }
}

/// How many replicas of keys differed from the leader's when the last write was answered.
fn differing(summary: &Summary) -> String {
    match (summary.differing, summary.replica_keys) {
        (Some(differing), Some(all)) => format!("{:.1} of {}", differing.value, whole(all)),
        _ => "-".to_owned(),
    }
}

fn of_runs(count: u64, summary: &Summary) -> String {
    format!("{}/{}", grouped(count), grouped(summary.runs))
}

fn mean(sweep: &Sweep<'_>, summary: &Summary, show: impl Fn(Estimate) -> String) -> String {
    let latency = sweep.reported(summary).and_then(|function| function.latency.as_ref());
    latency.map_or_else(|| "-".to_owned(), |latency| show(latency.mean))
}

fn interval(estimate: Estimate) -> String {
    match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => format!("{}..{}", length(low), length(high)),
        _ => "-".to_owned(),
    }
}

fn share(estimate: Option<Estimate>) -> String {
    estimate.map_or_else(|| "-".to_owned(), |estimate| Share(estimate.value).to_string())
}
