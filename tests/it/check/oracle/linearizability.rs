//! Linearizability, as `splitbrain check` finds it from `history.jsonl`: a client sees texts, and
//! knows neither the operation that wrote what it read nor any version.

use splitbrain::foreign::{self, ReadAs};
use splitbrain::linearizability::{self, BUDGET, Judgement};

use super::claims::{Claims, Found};
use super::files::{Files, Status};

fn found(files: &Files) -> Found {
    if files.ops.iter().all(|op| op.status == Status::Fail) {
        return Found::Holds;
    }
    // A run gives its search fewer steps.
    if files.report["checks"]["linearizability"]["verdict"] == "unknown" {
        return Found::Unknown;
    }
    let recorded = foreign::read("history.jsonl", files.history.as_slice(), &ReadAs::default());
    let recorded = recorded.expect("what a run writes can be read");
    match linearizability::check(&recorded.operations, BUDGET) {
        Judgement::Linearizable => Found::Holds,
        Judgement::Contradictory(_) => Found::Broken(1),
        Judgement::Unknown => Found::Unknown,
    }
}

pub(super) fn check(files: &Files, claims: &mut Claims) {
    claims.property(files, "linearizability", found(files), &[]);
}
