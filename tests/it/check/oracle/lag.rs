//! How soon each acknowledged write is on every live replica, from what the trace says that nodes
//! apply.

use super::claims::{Claims, Found};
use super::files::{Files, Version, version};

/// A node took a write.
struct Applied<'a> {
    at_ns: u64,
    node: &'a str,
    key: &'a str,
    version: Version,
}

pub(crate) fn replication_lag(files: &Files, claims: &mut Claims) {
    let property = "replication-lag";
    let Some(bound) = files.span("check.replication-lag-bound") else {
        return claims.property(files, property, Found::Unchecked, &[]);
    };
    let applied = files.trace().filter(|line| line.what == ". apply").map(|line| {
        let (key, text) = line.content.rsplit_once(' ').expect("a key and a version");
        Applied { at_ns: line.at_ns, node: line.who, key, version: version(text) }
    });
    let applied: Vec<Applied<'_>> = applied.collect();
    let (mut lengths, mut never) = (Vec::new(), 0);
    for op in files.ops.iter().filter(|op| op.is_ok() && op.is_write()) {
        let Some(version) = op.version else { continue };
        let of_key = |one: &&Applied<'_>| one.key == op.key();
        let first = applied.iter().filter(of_key).find(|one| one.version == version);
        let Some(first) = first else { continue };
        for node in files.live() {
            let on_node = applied.iter().filter(of_key).filter(|one| one.node == node.name);
            let held = on_node.filter(|one| one.version >= version).map(|one| one.at_ns).min();
            never += u64::from(held.is_none());
            let held = held.unwrap_or_else(|| files.ended_ns());
            // A greater version may have been there before.
            lengths.push(held.saturating_sub(first.at_ns));
        }
    }
    lengths.sort_unstable();
    let percentile = |percent: usize| {
        let at_most = |length: &&u64| {
            lengths.iter().filter(|other| other <= length).count() * 100 >= lengths.len() * percent
        };
        lengths.iter().find(at_most).copied().unwrap_or(0)
    };
    let figures = [
        ("lags", lengths.len() as u64),
        ("lag_p50_ns", percentile(50)),
        ("lag_p99_ns", percentile(99)),
        ("max_lag_ns", lengths.last().copied().unwrap_or(0)),
        ("never_applied", never),
    ];
    let found = match lengths.iter().filter(|length| **length > bound).count() {
        0 => Found::Holds,
        long => Found::Broken(long as u64),
    };
    claims.property(files, property, found, &figures);
}
