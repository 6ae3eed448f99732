//! Last-write-wins maximum: at the end each live replica shows, for each key, the greatest version
//! among the accepted writes that reached a surviving node.
//!
//! This is the rule of a last-writer-wins register (Shapiro et al., "A comprehensive study of
//! convergent and commutative replicated data types", 2011, section 3.2.1): merging keeps the
//! greater timestamp. A key breaks it when
//!
//! 1. a live replica stores a version that no operation was given, or stores with it another value
//!    than that operation wrote: something was made up or mixed up;
//! 2. a node that has been up all along ([`super::Evidence::survivors`]) accepted a write, which
//!    thereby reached a surviving node, and no live replica holds that version or a greater one;
//! 3. a live replica shows something other than the greatest version on any live replica.
//!
//! A tombstone equals absence. A key that is nowhere satisfies an accepted delete. It satisfies an
//! accepted put when a removal without a version (the clear of a single replica) may have come
//! after the put. A failed write never happened and requires nothing; the figure
//! `surviving_failed_writes` counts those whose value survives.
//!
//! The second rule assumes that a node applies what it accepts. A protocol that may drop an
//! accepted write before it is applied (the log tail of a deposed leader) should not promise this
//! property.

use crate::history::{Function, OtherKeys};
use crate::id::{KeyId, OpId, Value, Version};

use super::facts::{Facts, Holding};
use super::{Finding, Verdict, Witness, words};

/// The greatest write of a key that a survivor accepted.
#[derive(Clone, Copy, Debug)]
struct AcceptedVersion {
    version: Version,
    op: OpId,
}

pub(super) fn check(facts: &Facts<'_>) -> Finding {
    let history = facts.evidence.history;
    let failed = holdings(facts)
        .filter(|(_, held)| held.writer.is_some_and(|op| !history.entry(op).may_have_happened()))
        .count();
    let figures = vec![("surviving_failed_writes", failed as u64)];
    let unknown = |reason: String| Finding::new(Verdict::Unknown(reason), figures.clone());
    if let Some(reason) = facts.no_end() {
        return unknown(reason);
    }

    let missing = missing(facts);
    let mut broken: Vec<KeyId> = missing.iter().map(|(key, _)| *key).collect();
    let made_up: Vec<(KeyId, Holding)> =
        holdings(facts).filter(|(key, held)| is_made_up(facts, *key, held)).collect();
    broken.extend(made_up.iter().map(|(key, _)| *key));
    broken.extend(facts.behind.iter().map(|(key, _)| *key));
    broken.sort_unstable();
    broken.dedup();
    let count = broken.len() as u64;

    // The gravest first: a value that nobody wrote, a write that is gone, one that has not spread.
    let witness = if let Some((key, held)) = made_up.first() {
        made_up_witness(facts, *key, held, count)
    } else if let Some((key, accepted)) = missing.first() {
        missing_witness(facts, *key, *accepted, count)
    } else if let Some((key, _)) = facts.behind.first() {
        behind_witness(facts, *key, count)
    } else {
        return Finding::of(None, figures);
    };
    Finding::of(Some(witness), figures)
}

/// What live replicas hold, each version and value of a key once.
fn holdings(facts: &Facts<'_>) -> impl Iterator<Item = (KeyId, Holding)> {
    let newest = (0..).map(KeyId).zip(&facts.newest);
    let newest = newest.filter_map(|(key, held)| held.map(|held| (key, held)));
    newest.chain(facts.others.iter().copied())
}

/// The value that `op` left behind; `None` for a removal.
fn written(facts: &Facts<'_>, op: OpId) -> Option<Value> {
    let entry = facts.evidence.history.entry(op);
    let leaves_value = matches!(entry.function, Function::Put | Function::Append);
    entry.value.filter(|_| leaves_value)
}

fn is_made_up(facts: &Facts<'_>, key: KeyId, held: &Holding) -> bool {
    let (value, version) = (held.stored.value, held.stored.version);
    held.writer.is_none_or(|op| written(facts, op) != value || !facts.gave(op, key, version))
}

/// The keys whose greatest write that a survivor accepted is on no live replica.
fn missing(facts: &Facts<'_>) -> Vec<(KeyId, AcceptedVersion)> {
    let history = facts.evidence.history;
    let mut greatest: Vec<Option<AcceptedVersion>> = vec![None; facts.newest.len()];
    // By key, the place in the history until which a removal without a version may have taken
    // effect.
    let mut erased_until: Vec<u32> = vec![0; facts.newest.len()];
    let mut all_erased_until = 0;
    let mut accept = |op: OpId, key: KeyId, version: Version| {
        let greatest = &mut greatest[key.0 as usize];
        if facts.evidence.survivors.contains(version.node)
            && greatest.is_none_or(|greatest| greatest.version < version)
            && history.entry(op).may_have_happened()
        {
            *greatest = Some(AcceptedVersion { version, op });
        }
    };
    for (op, entry) in history.accesses().filter(|(_, entry)| entry.is_write()) {
        // Nearly all are on one key.
        if let Some(version) = entry.version {
            accept(op, entry.key, version);
            continue;
        }
        for effect in history.effects(op) {
            if let Some(version) = effect.version {
                accept(op, effect.key, version);
            } else if effect.removes() && entry.may_have_happened() {
                let until = &mut erased_until[effect.key.0 as usize];
                *until = entry.end().max(*until);
            }
        }
        if history.other_keys(op) == OtherKeys::PerhapsRemoved && entry.may_have_happened() {
            all_erased_until = entry.end().max(all_erased_until);
        }
    }
    for (op, version) in history.other_versions() {
        accept(*op, history.entry(*op).key, *version);
    }

    let is_missing = |(key, accepted): &(KeyId, AcceptedVersion)| {
        let newest = facts.newest[key.0 as usize].map(|newest| newest.stored);
        if newest.is_some_and(|newest| newest.version >= accepted.version) {
            return false;
        }
        let absent = newest.is_none_or(|newest| newest.value.is_none());
        let until = erased_until[key.0 as usize].max(all_erased_until);
        let removed =
            written(facts, accepted.op).is_none() || history.entry(accepted.op).invoked_seq < until;
        !(absent && removed)
    };
    let accepted = (0..).map(KeyId).zip(greatest);
    let accepted = accepted.filter_map(|(key, accepted)| accepted.map(|accepted| (key, accepted)));
    accepted.filter(is_missing).collect()
}

fn made_up_witness(facts: &Facts<'_>, key: KeyId, held: &Holding, count: u64) -> Witness {
    let names = facts.evidence.names();
    let shown = words::holds(names, key, Some(held.stored));
    let version = held.stored.version;
    let given = facts.writers.of_version(key, version).next();
    let summary = match (held.writer, given) {
        (_, Some(op)) => {
            let call = words::call_by(names, facts.evidence.history.entry(op));
            format!("{} holds {shown}, but that is the version of {call}", held.node)
        }
        (Some(op), None) => {
            let call = words::call_by(names, facts.evidence.history.entry(op));
            format!("{} holds {shown}, a version that {call} was not given", held.node)
        }
        (None, None) => format!("{} holds {shown}, a version that no write was given", held.node),
    };
    Witness {
        summary: summary + &words::in_all(count, "keys"),
        count,
        operations: held.writer.or(given).into_iter().collect(),
        nodes: vec![held.node],
        write: Some(version),
    }
}

fn missing_witness(
    facts: &Facts<'_>,
    key: KeyId,
    accepted: AcceptedVersion,
    count: u64,
) -> Witness {
    let names = facts.evidence.names();
    let entry = facts.evidence.history.entry(accepted.op);
    let node = accepted.version.node;
    let newest = facts.newest[key.0 as usize];
    let shown = words::holds(names, key, newest.map(|newest| newest.stored));
    let instead = match newest {
        Some(newest) => {
            format!("the greatest that a live replica holds is {shown}, on {}", newest.node)
        }
        None => format!("every live replica has {shown}"),
    };
    let summary = format!(
        "{node}, which has been up all along, accepted {} as version {}, but {instead}{}",
        words::call_by(names, entry),
        accepted.version,
        words::in_all(count, "keys"),
    );
    let mut operations = vec![accepted.op];
    operations.extend(newest.and_then(|newest| newest.writer));
    Witness { summary, count, operations, nodes: vec![node], write: Some(accepted.version) }
}

fn behind_witness(facts: &Facts<'_>, key: KeyId, count: u64) -> Witness {
    let names = facts.evidence.names();
    let on_key = facts.behind.iter().filter(|(other, _)| *other == key);
    let nodes: Vec<_> = on_key.map(|(_, node)| *node).collect();
    let newest = facts.newest[key.0 as usize];
    let holder = newest.map(|newest| newest.node.to_string()).unwrap_or_default();
    let summary = format!(
        "{holder} holds {}, which has not replaced what {} {}{}",
        words::holds(names, key, newest.map(|newest| newest.stored)),
        words::nodes(&nodes),
        if nodes.len() == 1 { "shows" } else { "show" },
        words::in_all(count, "keys"),
    );
    Witness {
        summary,
        count,
        operations: newest.and_then(|newest| newest.writer).into_iter().collect(),
        nodes,
        write: newest.map(|newest| newest.stored.version),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Story, ms};
    use super::*;
    use crate::id::NodeId;
    use crate::metrics::{Settlement, Standstill};
    use crate::property::Property::LwwMaximum;

    /// Durham accepted by n1, Raleigh with a greater version by n2.
    fn two_writes() -> Story {
        let mut story = Story::new(2);
        story.put("c1", "city", "Durham").at(1).ok(2).version(5);
        story.put("c2", "city", "Raleigh").at(3).info(4).version(9).by(2);
        story
    }

    #[test]
    fn the_greatest_accepted_write_everywhere_is_right() {
        let mut story = two_writes();
        story.holds(1, "city", "Raleigh", 9).holds(2, "city", "Raleigh", 9);
        story.assert_valid(LwwMaximum);
        assert_eq!(story.figure(LwwMaximum, "surviving_failed_writes"), 0);
    }

    #[test]
    fn replicas_may_agree_on_the_wrong_value() {
        let mut story = two_writes();
        story.holds(1, "city", "Durham", 5).holds(2, "city", "Durham", 5);
        let witness = story.witness(LwwMaximum);
        assert_eq!(
            witness.summary,
            "n2, which has been up all along, accepted put city=Raleigh by c2 as version \
             0.000000009@n2#1, but the \
             greatest that a live replica holds is city=Durham (version 0.000000005@n1#1), on n1"
        );
        assert_eq!(witness.operations, [OpId(1), OpId(0)]);
        assert_eq!((witness.nodes, witness.write), (vec![NodeId(1)], Some(story.stamp(9))));
        // A node that crashed may have forgotten it, so it need not have reached a survivor.
        story.crashed(2).assert_valid(LwwMaximum);
    }

    #[test]
    fn an_attempt_that_a_survivor_accepted_counts() {
        let mut story = Story::new(2);
        story.put("c1", "city", "Durham").at(1).ok(9).attempt(7).version(5);
        story.holds(1, "city", "Durham", 5).holds(2, "city", "Durham", 5);
        assert_eq!(story.witness(LwwMaximum).write, Some(story.stamp(7)));
    }

    #[test]
    fn a_failed_write_asks_for_nothing_and_is_counted_when_it_survives() {
        let mut story = Story::new(2);
        story.put("c1", "city", "Durham").at(1).ok(2).version(5);
        story.put("c2", "city", "Raleigh").at(3).fail(4).version(9);
        story.holds(1, "city", "Durham", 5).holds(2, "city", "Durham", 5);
        story.assert_valid(LwwMaximum);
        story.holds(1, "city", "Raleigh", 9).holds(2, "city", "Raleigh", 9);
        story.assert_valid(LwwMaximum);
        assert_eq!(story.figure(LwwMaximum, "surviving_failed_writes"), 1);
    }

    #[test]
    fn a_replica_behind_the_others_is_caught() {
        let mut story = two_writes();
        story.holds(1, "city", "Durham", 5).holds(2, "city", "Raleigh", 9);
        assert_eq!(
            story.witness(LwwMaximum).summary,
            "n2 holds city=Raleigh (version 0.000000009@n2#1), which has not replaced what n1 shows"
        );
    }

    #[test]
    fn what_nobody_wrote_is_caught() {
        let mut story = two_writes();
        story.holds(1, "city", "Apex", 9).holds(2, "city", "Apex", 9);
        assert_eq!(
            story.witness(LwwMaximum).summary,
            "n1 holds city=Apex (version 0.000000009@n2#1), but that is the version of put \
             city=Raleigh by c2"
        );
        let mut story = two_writes();
        story.holds(1, "city", "Raleigh", 11).holds(2, "city", "Raleigh", 11);
        story
            .witness(LwwMaximum)
            .assert_ends("a version that put city=Raleigh by c2 was not given");
        let mut story = two_writes();
        story.holds(1, "city", "Apex", 11).holds(2, "city", "Apex", 11);
        story.witness(LwwMaximum).assert_ends("a version that no write was given");
        // Beneath a good one, too: a tombstone that no delete left.
        let mut story = two_writes();
        story.tombstone(1, "city", 5).holds(2, "city", "Raleigh", 9);
        let witness = story.witness(LwwMaximum);
        witness.assert_begins("n1 holds city deleted");
        assert_eq!(witness.count, 1);
    }

    #[test]
    fn a_delete_is_a_write_and_needs_no_tombstone() {
        let mut story = two_writes();
        story.delete("c1", "city").at(5).ok(6).version(12);
        story.assert_valid(LwwMaximum);
        let mut kept = story.clone();
        kept.tombstone(1, "city", 12).assert_valid(LwwMaximum);
        // An older write that comes in after the key was erased takes hold of it.
        story.holds(1, "city", "Raleigh", 9).holds(2, "city", "Raleigh", 9);
        story.witness(LwwMaximum).assert_says("accepted delete city by c1");
    }

    #[test]
    fn a_key_that_is_nowhere_needs_a_removal() {
        let mut story = two_writes();
        story.witness(LwwMaximum).assert_ends("but every live replica has no city");
        story.and(|story| story.clear("c1", &[]).at(1).ok(2)).witness(LwwMaximum);
        story.and(|story| story.clear("c1", &[]).at(5).ok(6)).assert_valid(LwwMaximum);
        story.clear("c1", &[("city", 20)]).at(5).ok(6);
        story.assert_valid(LwwMaximum);
    }

    #[test]
    fn without_replicas_or_rest_there_is_no_verdict() {
        let mut story = two_writes();
        story.settlement(Settlement::Stuck { at: ms(1), why: Standstill::Loop { events: 1 } });
        assert!(story.unknown(LwwMaximum).contains("stuck"));
        let mut story = two_writes();
        story.down(1).down(2);
        assert_eq!(story.unknown(LwwMaximum), "no node is up");
    }
}
