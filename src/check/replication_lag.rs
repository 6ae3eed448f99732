//! Replication lag: each acknowledged write reaches every live replica within the bound.
//!
//! The lag of a write on a replica is the time from when any node first applied the write, usually
//! the leader, until the replica first held that version of the key or a greater one. Under last
//! write wins a later write that overtakes brings everything that the earlier one would have.
//! Acknowledged puts and deletes are measured, on the nodes that are up at the end. A write that no
//! node applied has no lag ([`super::durability`] reports it). A replica that never held such a
//! version lags to the end of the run (`never_applied`). The property is broken when a lag is
//! longer than [`crate::config::Bounds::replication_lag`].
//!
//! What nodes apply is noted only when the scenario sets the bound, because it costs a note for
//! each write on each node. Without the bound the property is unchecked.

use crate::history::{Entry, Function};
use crate::id::{KeyId, NodeId, OpId, Version};
use crate::metrics::{Application, Latency};
use crate::property::Property;
use crate::time::{Span, Time};

use super::facts::{ACCESSES, Facts};
use super::{Demand, Finding, Verdict, Witness, words};

/// When a replica first held this version of a key, or a greater one; versions rise with time.
type Held = Vec<(Version, Time)>;

/// A write and a replica on which it lags.
#[derive(Clone, Copy, Debug)]
struct WriteLag {
    length: Span,
    op: OpId,
    node: NodeId,
    version: Version,
    applied: bool,
}

pub(super) fn check(facts: &Facts<'_>) -> Finding {
    let evidence = &facts.evidence;
    let (Some(bound), Some(applications)) =
        (evidence.config.bounds.replication_lag, evidence.applications)
    else {
        return Finding::of(None, Vec::new())
            .if_bounded(Property::ReplicationLag, &evidence.config.bounds);
    };
    let lags = lags(facts, applications);
    if applications.is_empty()
        && evidence.history.accesses().any(|(op, e)| leaves_something(facts, op, e))
    {
        let reason = "the protocol does not say what its nodes apply".to_owned();
        return Finding::new(Verdict::Unknown(reason), Vec::new());
    }
    let mut lengths: Vec<Span> = lags.iter().map(|lag| lag.length).collect();
    let latency = Latency::of(&mut lengths);
    let figures = vec![
        ("lags", latency.count),
        ("lag_p50_ns", latency.p50.nanos()),
        ("lag_p99_ns", latency.p99.nanos()),
        ("max_lag_ns", latency.max.nanos()),
        ("never_applied", lags.iter().filter(|lag| !lag.applied).count() as u64),
    ];
    let broken = || lags.iter().filter(|lag| lag.length > bound);
    // Of several, the first.
    let worst = broken().rev().max_by_key(|lag| lag.length);
    let count = broken().count() as u64;
    let demand = Demand {
        bound: format!("replication-lag-bound = {bound}"),
        found: format!("a write lagged by {}", latency.max.short()),
        met: count == 0,
    };
    Finding::of(worst.map(|worst| witness(facts, worst, bound, count)), figures)
        .demanding(vec![demand])
}

/// Whether an acknowledged write must have been applied by some node: a delete of a key that was
/// not there, and a clear of nothing, leave nothing to apply.
fn leaves_something(facts: &Facts<'_>, op: OpId, entry: &Entry) -> bool {
    entry.is_ok()
        && match entry.function {
            Function::Put | Function::Append => true,
            Function::Delete => entry.existed != Some(false),
            Function::Clear => facts.evidence.history.effects(op).next().is_some(),
            Function::Get | Function::List | Function::ReadAll => false,
            Function::Cas | Function::Batch => unreachable!("{ACCESSES}"),
        }
}

/// Every acknowledged write on every live replica.
fn lags(facts: &Facts<'_>, applications: &[Application]) -> Vec<WriteLag> {
    let history = facts.evidence.history;
    let nodes = usize::from(facts.evidence.config.cluster.nodes);
    let mut held: Vec<Held> = vec![Vec::new(); facts.newest.len() * nodes];
    let place = |key: KeyId, node: NodeId| key.0 as usize * nodes + node.index();
    let mut first: Vec<(Version, KeyId, Time)> = Vec::with_capacity(applications.len());
    for Application { at, node, key, version, .. } in applications.iter().copied() {
        first.push((version, key, at));
        let held = &mut held[place(key, node)];
        if held.last().is_none_or(|(last, _)| *last < version) {
            held.push((version, at));
        }
    }
    first.sort_unstable();
    let mut lags = Vec::new();
    for (op, entry) in history.accesses() {
        let Some(version) = entry.version.filter(|_| entry.is_ok() && entry.is_write()) else {
            continue;
        };
        let begin = first.partition_point(|(other, key, _)| (*other, *key) < (version, entry.key));
        let Some((_, _, from)) =
            first.get(begin).filter(|(other, key, _)| (*other, *key) == (version, entry.key))
        else {
            continue;
        };
        for node in &facts.live {
            let held = &held[place(entry.key, *node)];
            let reached = held.get(held.partition_point(|(other, _)| *other < version));
            let until = reached.map_or(facts.evidence.ended_at, |(_, at)| *at);
            // A greater version may have been there before.
            let length = if until > *from { until.since(*from) } else { Span::ZERO };
            lags.push(WriteLag { length, op, node: *node, version, applied: reached.is_some() });
        }
    }
    lags
}

fn witness(facts: &Facts<'_>, worst: &WriteLag, bound: Span, count: u64) -> Witness {
    let entry = facts.evidence.history.entry(worst.op);
    let call = words::call_by(facts.evidence.names(), entry);
    let length = worst.length.short();
    let lag = if worst.applied {
        format!("reached {} only {length} after the first node", worst.node)
    } else {
        format!("had not reached {} at the end, {length} after the first node", worst.node)
    };
    let summary = format!(
        "{call}, {}, {lag}, longer than the bound of {}{}",
        words::acknowledged(entry),
        bound.short(),
        words::in_all(count, "lags")
    );
    let (operations, nodes) = (vec![worst.op], vec![worst.node]);
    Witness { summary, count, operations, nodes, write: Some(worst.version) }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Story;
    use super::*;
    use crate::config::Bounds;
    use crate::property::Property::ReplicationLag;

    fn bound(ms: u64) -> Bounds {
        Bounds { replication_lag: Some(Span::from_millis(ms)), ..Bounds::default() }
    }

    fn two_writes() -> Story {
        let mut story = Story::new(3);
        story.put("c1", "city", "Raleigh").at(1).ok(4).version(5);
        story.put("c1", "city", "Cary").at(10).ok(14).version(9);
        story.get("c1", "city", ("Cary", 9)).at(90).ok(100);
        story.bounds(bound(20));
        for (node, version, at) in [(1, 5, 2), (1, 9, 11), (2, 5, 20), (2, 9, 31), (3, 9, 22)] {
            story.applies(node, "city", version, at);
        }
        story
    }

    #[test]
    fn lag_counts_from_the_first_node_and_a_later_write_brings_the_earlier() {
        let story = two_writes();
        story.assert_valid(ReplicationLag);
        let figure = |name| story.figure(ReplicationLag, name);
        // n1: 0 and 0; n2: 18 and 20; n3: 20, by the second write, and 11.
        assert_eq!((figure("lags"), figure("never_applied")), (6, 0));
        assert_eq!((figure("lag_p50_ns"), figure("max_lag_ns")), (11_000_000, 20_000_000));
    }

    #[test]
    fn a_lag_over_the_bound_is_caught() {
        let mut story = two_writes();
        story.bounds(bound(19));
        let witness = story.witness(ReplicationLag);
        assert_eq!(
            witness.summary,
            "put city=Raleigh by c1, acknowledged by n1 at 0.004000000 s, reached n3 only 20ms \
             after the first node, longer than the bound of 19ms (2 lags in all)"
        );
        assert_eq!((witness.nodes, witness.write), (vec![NodeId(2)], Some(story.stamp(5))));
    }

    #[test]
    fn a_replica_that_never_applies_lags_to_the_end() {
        let mut story = two_writes();
        story.put("c1", "weather", "rainy").at(40).ok(42).version(12);
        story.applies(1, "weather", 12, 41).applies(2, "weather", 12, 45);
        story.witness(ReplicationLag).assert_says("had not reached n3 at the end, 59ms after");
        assert_eq!(story.figure(ReplicationLag, "never_applied"), 1);
        story.down(3).assert_valid(ReplicationLag);
    }

    #[test]
    fn what_is_not_acknowledged_does_not_lag() {
        let mut story = Story::new(2);
        story.put("c1", "city", "Raleigh").at(1).info(400).version(5);
        story.get("c1", "city", ("Raleigh", 5)).at(900).ok(1000);
        story.bounds(bound(1)).applies(1, "city", 5, 2);
        story.assert_valid(ReplicationLag);
        assert_eq!(story.figure(ReplicationLag, "lags"), 0);
    }

    #[test]
    fn without_a_bound_or_without_notes_there_is_nothing_to_say() {
        let mut story = two_writes();
        story.bounds(Bounds::default());
        let report = story.report(ReplicationLag);
        let unchecked = "the scenario does not set `check.replication-lag-bound`".to_owned();
        assert_eq!(report.verdict, Verdict::Unchecked(unchecked));
        assert_eq!((report.figures, report.demands), (Vec::new(), Vec::new()));
        let mut silent = Story::new(2);
        silent.put("c1", "city", "Raleigh").at(1).ok(4).version(5);
        silent.bounds(bound(1)).applies_nothing();
        assert_eq!(
            silent.unknown(ReplicationLag),
            "the protocol does not say what its nodes apply"
        );
    }

    /// A store that is cleared while it is empty applies nothing, and whoever cleared it knows as
    /// much as before.
    #[test]
    fn a_clear_of_nothing_and_a_delete_of_nothing_lag_nowhere() {
        let mut story = Story::new(2);
        story.clear("c1", &[]).at(1).ok(4);
        story.bounds(bound(1)).applies_nothing();
        story.assert_valid(ReplicationLag);
        story.delete("c1", "city").at(5).ok(6).existed(false);
        story.assert_valid(ReplicationLag);
        story.delete("c1", "city").at(7).ok(8).existed(true);
        assert!(story.unknown(ReplicationLag).contains("does not say"));
    }
}
