//! Convergence: at the end of the run all live replicas show the same data.
//!
//! Strong eventual consistency's end state (Shapiro et al., "Conflict-free replicated data types", 2011): replicas
//! that have stopped taking writes hold equal state. Compared is what a client could read, each key's value and
//! version; a tombstone equals absence, since a replica that never had a key and one that deleted it answer alike.
//! Replicas that are down at the end are left out, and fewer than two live ones agree by themselves.
//!
//! A replica is *behind* on a key when it shows something else than the highest version that any live replica holds.
//! Equal is not right: replicas may agree on a value that last write wins should have replaced
//! ([`super::lww_maximum`]), or on nothing at all ([`super::durability`]).

use crate::id::{KeyId, NodeId};
use crate::metrics::Settlement;

use super::facts::Facts;
use super::{Finding, Verdict, Witness, words};

pub(super) fn check(facts: &Facts<'_>) -> Finding {
    let mut keys: Vec<KeyId> = facts.behind.iter().map(|(key, _)| *key).collect();
    keys.dedup();
    let figures =
        vec![("differing_keys", keys.len() as u64), ("live_replicas", facts.live.len() as u64)];
    if facts.live.len() < 2 {
        return Finding::of(None, figures);
    }
    if let Settlement::Stuck { at, .. } = facts.evidence.settlement {
        let reason = format!("the simulation got stuck at {at} s, before replicas could settle");
        return Finding { verdict: Verdict::Unknown(reason), figures };
    }
    Finding::of(keys.first().map(|first| witness(facts, *first, keys.len() as u64)), figures)
}

fn witness(facts: &Facts<'_>, key: KeyId, count: u64) -> Witness {
    let names = facts.evidence.names();
    let on_key: Vec<NodeId> =
        facts.behind.iter().filter(|(other, _)| *other == key).map(|(_, node)| *node).collect();
    let mut on_any: Vec<NodeId> = facts.behind.iter().map(|(_, node)| *node).collect();
    on_any.sort_unstable();
    on_any.dedup();

    let newest = facts.newest[key.0 as usize];
    let mut summary = String::new();
    if let Some(newest) = newest {
        let held = words::holds(names, key, Some(newest.stored));
        summary = format!("{} holds {held}", newest.node);
    }
    let data = |node| facts.evidence.finals.iter().find(|snapshot| snapshot.node == node);
    let mut groups: Vec<(String, Vec<NodeId>)> = Vec::new();
    for node in on_key {
        let stored = data(node).and_then(|snapshot| snapshot.data.get(&key)).copied();
        let held = words::holds(names, key, stored);
        match groups.iter_mut().find(|(other, _)| *other == held) {
            Some((_, nodes)) => nodes.push(node),
            None => groups.push((held, vec![node])),
        }
    }
    for (held, nodes) in &groups {
        let verb = if nodes.len() == 1 { "holds" } else { "hold" };
        summary += &format!(", {} {verb} {held}", words::nodes(nodes));
    }
    let (keys, are) =
        (if count == 1 { "key differs" } else { "keys differ" }, words::nodes(&on_any));
    summary += &format!("; {count} {keys}, behind: {are}");
    if let Settlement::Unsettled { waiting_for } = facts.evidence.settlement {
        let what = waiting_for.first().map(|line| format!(": {line}")).unwrap_or_default();
        summary += &format!("; the run ended before the cluster settled{what}");
    }
    Witness {
        summary,
        count,
        operations: newest.and_then(|newest| newest.writer).into_iter().collect(),
        nodes: on_any,
        write: newest.map(|newest| newest.stored.version),
    }
}
