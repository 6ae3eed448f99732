//! Convergence: at the end of the run all live replicas show the same data.
//!
//! This is the end state of strong eventual consistency (Shapiro et al., "Conflict-free replicated
//! data types", 2011): replicas that no longer receive writes hold equal state. What a client could
//! read is compared, the value and version of each key. A tombstone equals absence, since a replica
//! that never had a key and one that deleted it give the same answer. Replicas that are down at the
//! end are left out. Fewer than two live replicas always agree.
//!
//! A replica is *behind* on a key when it shows something other than the highest version on any
//! live replica. Equal replicas need not be right: they may agree on a value that last write wins
//! should have replaced ([`super::lww_maximum`]), or on nothing at all ([`super::durability`]).

use crate::id::{KeyId, NodeId};
use crate::metrics::Settlement;

use super::facts::Facts;
use super::{Finding, Verdict, Witness, words};

pub(super) fn check(facts: &Facts<'_>) -> Finding {
    let mut keys: Vec<KeyId> = facts.behind.iter().map(|(key, _)| *key).collect();
    keys.dedup();
    let figures =
        vec![("differing_keys", keys.len() as u64), ("live_replicas", facts.live.len() as u64)];
    if facts.live.is_empty() {
        return Finding::new(Verdict::Unknown("no node is up".to_owned()), figures);
    }
    if facts.live.len() == 1 {
        return Finding::of(None, figures);
    }
    if let Some(reason) = facts.no_end() {
        return Finding::new(Verdict::Unknown(reason), figures);
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

    let data = |node| facts.evidence.finals.iter().find(|snapshot| snapshot.node == node);
    let list = |node| match data(node).and_then(|snapshot| snapshot.lists.get(&key)) {
        Some(list) => format!(", a list of {}", list.len()),
        None => String::new(),
    };
    let newest = facts.newest[key.0 as usize];
    let mut summary = String::new();
    if let Some(newest) = newest {
        let held = words::holds(names, key, Some(newest.stored));
        summary = format!("{} holds {held}{}", newest.node, list(newest.node));
    }
    let mut groups: Vec<(String, Vec<NodeId>)> = Vec::new();
    for node in on_key {
        let stored = data(node).and_then(|snapshot| snapshot.data.get(&key)).copied();
        let held = words::holds(names, key, stored) + &list(node);
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
    // The last item is this difference; the items before it may be the reason.
    if let Settlement::Unsettled { waiting_for } = facts.evidence.settlement
        && let [reason, .., _] = &waiting_for[..]
    {
        summary += &format!("; the run ended before the cluster settled: {reason}");
    }
    Witness {
        summary,
        count,
        operations: newest.and_then(|newest| newest.writer).into_iter().collect(),
        nodes: on_any,
        write: newest.map(|newest| newest.stored.version),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Story, ms};
    use super::*;
    use crate::id::OpId;
    use crate::metrics::Standstill;
    use crate::property::Property::Convergence;

    fn one_write() -> Story {
        let mut story = Story::new(3);
        story.put("c1", "city", "Raleigh").at(1).ok(2).version(9);
        story
    }

    #[test]
    fn equal_replicas_converged() {
        let mut story = one_write();
        story.assert_valid(Convergence);
        for node in 1..=3 {
            story.holds(node, "city", "Raleigh", 9);
        }
        story.assert_valid(Convergence);
        story.assert_figures(Convergence, &[("live_replicas", 3), ("differing_keys", 0)]);
    }

    #[test]
    fn a_tombstone_equals_absence() {
        let mut story = one_write();
        story.tombstone(1, "city", 12).tombstone(2, "city", 11);
        story.assert_valid(Convergence);
        // But not an older value.
        story.holds(2, "city", "Raleigh", 9);
        story.witness(Convergence).assert_begins(
            "n1 holds city deleted (version 0.000000012@n1#1), n2 holds city=Raleigh",
        );
    }

    #[test]
    fn a_replica_that_lacks_or_has_an_older_value_is_behind() {
        let mut story = one_write();
        story.put("c1", "city", "Durham").at(0).ok(1).version(5);
        story.put("c1", "weather", "rainy").at(3).ok(4).version(10);
        story.holds(1, "city", "Raleigh", 9).holds(2, "city", "Durham", 5);
        story.holds(1, "weather", "rainy", 10).holds(2, "weather", "rainy", 10);
        let witness = story.witness(Convergence);
        assert_eq!(
            witness.summary,
            "n1 holds city=Raleigh (version 0.000000009@n1#1), n2 holds city=Durham (version \
             0.000000005@n1#1), n3 holds no city; 2 keys differ, behind: n2 and n3"
        );
        assert_eq!((witness.count, witness.nodes), (2, vec![NodeId(1), NodeId(2)]));
        assert_eq!((witness.operations, witness.write), (vec![OpId(1)], Some(story.stamp(9))));
    }

    #[test]
    fn one_version_with_two_values_is_no_agreement() {
        let mut story = one_write();
        story.holds(1, "city", "Raleigh", 9).holds(2, "city", "Durham", 9).down(3);
        assert_eq!(story.witness(Convergence).nodes, [NodeId(1)]);
    }

    #[test]
    fn replicas_that_are_down_do_not_count() {
        let mut story = one_write();
        story.holds(1, "city", "Raleigh", 9).down(2);
        assert_eq!(story.witness(Convergence).nodes, [NodeId(2)]);
        story.down(3).assert_valid(Convergence);
        assert_eq!(story.down(1).unknown(Convergence), "no node is up");
    }

    #[test]
    fn a_run_that_did_not_settle_says_so() {
        let mut story = one_write();
        story.holds(1, "city", "Raleigh", 9);
        let waiting_for = ["n1: replication to n2", "n1 and n2 differ"].map(str::to_owned).to_vec();
        story.settlement(Settlement::Unsettled { waiting_for });
        let summary = story.witness(Convergence).summary;
        assert!(summary.ends_with(
            "n2 and n3 hold no city; 1 key differs, behind: n2 and n3; the run ended before the \
             cluster settled: n1: replication to n2"
        ));
        story.settlement(Settlement::Stuck { at: ms(7), why: Standstill::Loop { events: 1_000 } });
        assert!(story.unknown(Convergence).contains("stuck at 0.007000000 s"));
    }
}
