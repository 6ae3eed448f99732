//! How many operations there were of each kind, and how long they took.

use serde_json::{Map, Value as Json, json};

use super::availability::unserved;
use super::claims::Claims;
use super::files::{Files, Op, Status};

/// What became of the operations.
pub(crate) fn operations(files: &Files, claims: &mut Claims) {
    let count = |counts: &dyn Fn(&Op) -> bool| files.ops.iter().filter(|op| counts(op)).count();
    let by = |status: Status| count(&|op| op.status == status);
    claims.say("/operations/invoked", files.ops.len());
    claims.say("/operations/ok", by(Status::Ok));
    claims.say("/operations/fail", by(Status::Fail));
    claims.say("/operations/info", by(Status::Info) + by(Status::Pending));
    claims.say("/operations/degraded", count(&|op| op.degraded));
    claims.say("/operations/unserved", unserved(files));
    let mut errors = Map::new();
    for error in files.ops.iter().filter_map(|op| op.error.as_ref()) {
        // That a follower found nothing is no error.
        if error != "not-yet-replicated" {
            let so_far = errors.get(error).and_then(Json::as_u64).unwrap_or(0);
            errors.insert(error.clone(), (so_far + 1).into());
        }
    }
    claims.say("/operations/errors", errors);
}

/// Of each function the lengths of time from when an operation was due to its completion, of those
/// that completed ok.
pub(crate) fn latencies(files: &Files, claims: &mut Claims) {
    let mut all = Map::new();
    for (f, name) in Files::FUNCTIONS {
        let mut lengths: Vec<u64> = files
            .ops
            .iter()
            .filter(|op| op.f == f && op.is_ok())
            .map(|op| op.completed_ns - op.due_ns)
            .collect();
        if lengths.is_empty() {
            continue;
        }
        lengths.sort_unstable();
        let count = lengths.len();
        // The least length that as many in a thousand do not exceed.
        let percentile = |per_mille: usize| {
            let is_enough = |length: &&u64| {
                let at_most = lengths.iter().filter(|other| other <= length).count();
                at_most * 1000 >= count * per_mille
            };
            *lengths.iter().find(is_enough).expect("the longest is enough")
        };
        let sum: u64 = lengths.iter().sum();
        let figures = json!({
            "count": count,
            "mean": sum / count as u64,
            "p50": percentile(500),
            "p95": percentile(950),
            "p99": percentile(990),
            "p999": percentile(999),
            "max": lengths[count - 1],
        });
        all.insert(name.to_owned(), figures);
    }
    claims.say("/latency_ns", all);
}
