//! The end of a run: whether the replicas agree, and whether all work is done.

use std::collections::BTreeSet;
use std::iter;

use super::claims::{Claims, Found, span};
use super::files::{Files, Node, Version};
use super::leaders::leaderships;

/// What a client sees of a key: its value and its list's elements, with their versions. A tombstone
/// looks like no value.
pub(crate) fn shown<'a>(node: &'a Node, key: &str) -> Option<Vec<(&'a str, Version)>> {
    let held = node.data.get(key)?;
    let elements = held.elements.iter().flatten().map(|(value, version, _)| (&value[..], *version));
    Some(iter::once((held.value.as_deref()?, held.version)).chain(elements).collect())
}

/// The keys on which two live replicas differ.
pub(crate) fn differing(files: &Files) -> BTreeSet<&str> {
    let keys = files.live().flat_map(|node| node.data.keys().map(String::as_str));
    let differs = |key: &&str| {
        let mut live = files.live().map(|node| shown(node, key));
        let first = live.next();
        live.any(|other| Some(other) != first)
    };
    keys.filter(differs).collect()
}

/// All live replicas show the same.
pub(crate) fn convergence(files: &Files, claims: &mut Claims) {
    let live = files.live().count() as u64;
    let differing = differing(files).len() as u64;
    let found = match (live, differing) {
        (0, _) => Found::Unknown,
        (1, _) => Found::Holds,
        _ if files.report["settled"]["outcome"] == "stuck" => Found::Unknown,
        (_, 0) => Found::Holds,
        (_, keys) => Found::Broken(keys),
    };
    let figures = [("differing_keys", differing), ("live_replicas", live)];
    claims.property(files, "convergence", found, &figures);
}

/// No work is left when the settling phase ends, a node leads if a majority is up, and no time
/// without a leader exceeded the bound.
pub(crate) fn liveness(files: &Files, claims: &mut Claims) {
    let stuck = files.report["settled"]["outcome"] == "stuck";
    let waiting = files.report["settled"]["waiting_for"].as_array().map_or(0, Vec::len);
    // Unequal replicas are another property's subject.
    let unequal = usize::from(!differing(files).is_empty());
    let has_time = span(files, "settle") > 0;
    let left = if has_time { waiting.saturating_sub(unequal) as u64 } else { 0 };
    let mut figures = vec![("left_to_do", left)];
    let mut broken = u64::from(left > 0);

    let all = leaderships(files);
    let no_leader = files.ops.iter().any(|op| op.error.as_deref() == Some("no-leader"));
    if !all.is_empty() || no_leader {
        // Leadership changes only at these instants: between two of them a node leads throughout,
        // or none does.
        let ended = files.ended_ns();
        let ends = all.iter().flat_map(|led| [led.from_ns, led.until(files)]);
        let instants: BTreeSet<u64> = ends.chain([0, ended]).collect();
        let instants: Vec<u64> = instants.into_iter().collect();
        let (mut stretch, mut longest) = (0, 0);
        for pair in instants.windows(2) {
            let (from, until) = (pair[0], pair[1]);
            let led = all.iter().any(|led| led.from_ns <= from && led.until(files) >= until);
            // A leader of no duration ends a leaderless time as well.
            let began = all.iter().any(|led| led.from_ns == from);
            stretch = if led { 0 } else { until - from + if began { 0 } else { stretch } };
            longest = longest.max(stretch);
        }
        figures.push(("longest_leaderless_ns", longest));
        let bound = files.span("check.leaderless-bound");
        broken += u64::from(bound.is_some_and(|bound| longest > bound));
        let up = files.live().count();
        broken +=
            u64::from(2 * up > files.nodes.len() && all.iter().all(|led| led.until_ns.is_some()));
    }
    let found = match broken {
        0 if stuck => Found::Unknown,
        0 => Found::Holds,
        cases => Found::Broken(cases),
    };
    claims.property(files, "liveness", found, &figures);
}
