//! `sweep.json`: everything in `sweep.csv`, the differences between points, and the analysis.
//!
//! ```text
//! {
//!   "scenario": .., "title": .., "version": .., "seeds": .., "keys": [..],
//!   "points": [{"values": [..], "label": .., "theory": {"mean_ns", "deviation_ns"},
//!               "summary": {..}}],
//!   "differences": [{"key", "from", "to", "mean_latency_ns": {..}, "lost_share": {..}}],
//!   "analysis": {"replicas", "agreement", "losses", "shape", "choice"}
//! }
//! ```
//!
//! A summary's keys are the fields of [`super::summary::Summary`]; an estimate is `{value, low,
//! high}`. A difference is that of a point to the one before it along one setting, or, in a
//! comparison, to the file as it is, under the same seeds. Durations are in nanoseconds.

use serde_json::{Value, json};

use super::analysis::Analysis;
use super::summary::Summary;
use super::{Neighbour, Sweep};

/// The document of a sweep or a comparison.
#[must_use]
pub fn document(sweep: &Sweep<'_>, analysis: &Analysis) -> Value {
    let places = 0..sweep.summaries.len();
    let point = |place: usize| {
        let theory = sweep.theory[place]
            .map(|moments| json!({ "mean_ns": moments.mean, "deviation_ns": moments.deviation }));
        json!({
            "values": sweep.points[place].values,
            "label": sweep.labels[place],
            "theory": theory,
            "summary": without_runs(&sweep.summaries[place]),
        })
    };
    json!({
        "scenario": sweep.heading.scenario,
        "title": sweep.heading.title,
        "version": env!("CARGO_PKG_VERSION"),
        "seeds": sweep.heading.seeds,
        "keys": sweep.heading.keys,
        "points": places.map(point).collect::<Value>(),
        "differences": differences(sweep),
        "analysis": {
            "replicas": analysis.replicas,
            "agreement": analysis.agreement,
            "losses": analysis.losses,
            "shape": analysis.shape,
            "choice": analysis.choice,
        },
    })
}

/// A summary without the figures that only differences need.
fn without_runs(summary: &Summary) -> Value {
    let mut value = serde_json::to_value(summary).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.shift_remove("by_run");
    }
    value
}

fn differences(sweep: &Sweep<'_>) -> Value {
    let difference = |after: usize, before: Neighbour| {
        let (left, right) = (&sweep.summaries[after], &sweep.summaries[before.point]);
        json!({
            "key": sweep.heading.keys[before.key],
            "from": sweep.labels[before.point],
            "to": sweep.labels[after],
            "mean_latency_ns": left.slower_than(right, sweep.function),
            "lost_share": left.loses_more_than(right),
        })
    };
    let places = 0..sweep.summaries.len();
    places
        .flat_map(|after| sweep.before(after).into_iter().map(move |before| (after, before)))
        .map(|(after, before)| difference(after, before))
        .collect()
}
