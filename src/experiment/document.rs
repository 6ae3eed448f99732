//! `sweep.json`: everything that `sweep.csv` has, and the analysis and the differences between points.
//!
//! `{scenario, title, version, seeds, keys[], points[{values[], label, theory{mean_ns, deviation_ns}, summary{..}}],
//! differences[{key, from, to, mean_latency_ns{value, low, high}, lost_share{..}}], analysis{replicas, agreement, losses, shape, choice}}`.
//! A summary's keys are the fields of [`super::summary::Summary`]; an estimate is `{value, low, high}`. Differences
//! are of each point less the one before it along one setting (of a comparison: less the file as it is), under the same
//! seeds; `value` of a length is in nanoseconds.

use serde_json::{Value, json};

use super::Sweep;
use super::analysis::Analysis;
use super::summary::{Estimate, Summary};

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
        "scenario": sweep.scenario,
        "title": sweep.title,
        "version": env!("CARGO_PKG_VERSION"),
        "seeds": sweep.seeds,
        "keys": sweep.keys,
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

/// A summary without what only differences need.
fn without_runs(summary: &Summary) -> Value {
    let mut value = serde_json::to_value(summary).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.shift_remove("by_run");
    }
    value
}

fn differences(sweep: &Sweep<'_>) -> Value {
    let difference = |after: usize, (key, before): (usize, usize)| {
        let (left, right) = (&sweep.summaries[after], &sweep.summaries[before]);
        json!({
            "key": sweep.keys[key],
            "from": sweep.labels[before],
            "to": sweep.labels[after],
            "mean_latency_ns": estimate(left.slower_than(right, sweep.function)),
            "lost_share": estimate(left.loses_more_than(right)),
        })
    };
    let places = 0..sweep.summaries.len();
    places
        .flat_map(|after| sweep.before(after).into_iter().map(move |before| (after, before)))
        .map(|(after, before)| difference(after, before))
        .collect()
}

fn estimate(estimate: Option<Estimate>) -> Value {
    serde_json::to_value(estimate).unwrap_or_default()
}
