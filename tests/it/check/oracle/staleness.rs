//! Staleness: every read against every write that was acknowledged before it was invoked.

use super::claims::{Claims, Found};
use super::files::{F, Files, Op, Status};
use super::told::{KeyRead, Told, Write};

pub(crate) fn check(files: &Files, told: &Told<'_>, claims: &mut Claims) {
    let bound = files.span("check.staleness-bound");
    let (mut reads, mut stale_reads, mut too_stale) = (0, 0, 0);
    let (mut longest, mut most) = (0, 0);
    let mut worst = None;
    for read in files.ops.iter().filter(|op| op.is_ok() && !op.is_write()) {
        reads += 1;
        let mut stalest = None;
        for (key, seen) in told.seen(read) {
            let found = KeyRead { key, seen: &seen, completed: read.completed };
            let is_missed = |write: &&Write| write.end < read.invoked && told.misses(&found, write);
            let acknowledged = told.keys[key].acknowledged.iter();
            let missed: Vec<&Write> = acknowledged.filter(is_missed).collect();
            let first = missed.iter().min_by_key(|write| write.end).and_then(|write| write.op);
            let Some(first) = first else { continue };
            let length = read.invoked_ns - told.op(first).completed_ns;
            stalest = stalest.max(Some(length));
            most = most.max(missed.len() as u64);
        }
        let Some(length) = stalest else { continue };
        stale_reads += 1;
        if worst.is_none() || longest < length {
            worst = Some(read.op);
        }
        longest = longest.max(length);
        too_stale += u64::from(bound.is_none_or(|bound| length > bound));
    }
    let found = if too_stale == 0 { Found::Holds } else { Found::Broken(too_stale) };
    let gets = files.ops.iter().filter(|op| op.f == F::Get && op.is_ok());
    let of_failed = gets.filter(|get| shows_failed(told, get)).count() as u64;
    let figures = [
        ("reads", reads),
        ("stale_reads", stale_reads),
        ("max_staleness_ns", longest),
        ("max_versions_behind", most),
        ("reads_of_failed_writes", of_failed),
    ];
    claims.property(files, "staleness", found, &figures);
    if let (Some(worst), Found::Broken(_)) = (worst, found) {
        claims.say("/checks/staleness/witness/operations/1", worst);
    }
}

/// Whether a get returned what a failed write wrote.
fn shows_failed(told: &Told<'_>, get: &Op) -> bool {
    told.seen(get).iter().any(|(_, seen)| {
        let mut writers = seen.values().into_iter().filter_map(|write| write.op);
        writers.any(|op| told.op(op).status == Status::Fail)
    })
}
