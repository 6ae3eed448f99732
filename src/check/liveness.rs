//! Liveness: after the faults, every operation ends, and a node leads.
//!
//! Something good *eventually* happens (Alpern and Schneider, "Defining liveness", 1985). No finite
//! run refutes that, so `settle` and a bound stand for "eventually". The property is broken in
//! three cases:
//!
//! - **Something is left.** The settling phase ran out while the cluster still waited for something
//!   other than equal replicas (those are [`super::convergence`]'s): an operation, a replication, a
//!   message, a node. Without a settling phase (`settle = 0`) this is not checked.
//! - **No node leads at the end**, although a majority of the nodes is up.
//! - **No node led for too long**, at any time of the run: longer than
//!   [`crate::config::Bounds::leaderless`], if the scenario sets that. The bound must leave room
//!   for the times in which the scenario itself leaves too few nodes up or connected.
//!
//! The last two apply only to protocols with leaders: a node led, or refused for want of a leader.

use crate::history::Failure;
use crate::id::NodeId;
use crate::metrics::{Leadership, Settlement};
use crate::time::{Span, Time};

use super::facts::Facts;
use super::{Demand, Evidence, Finding, Verdict, Witness, words};

pub(super) fn check(facts: &Facts<'_>) -> Finding {
    let evidence = &facts.evidence;
    let left = left_to_do(facts);
    let mut figures = vec![("left_to_do", left.len() as u64)];
    let (mut parts, mut demands) = (Vec::new(), Vec::new());
    let mut nodes = Vec::new();
    if let Some(first) = left.first() {
        let settle = evidence.config.settle.short();
        let rest = words::in_all(left.len() as u64, "things left to do");
        parts.push(format!("{settle} after the faults the cluster still waits for: {first}{rest}"));
    }
    if has_leaders(evidence) {
        let stretches = leaderless(evidence);
        // Of several, the first.
        let longest = stretches.iter().rev().max_by_key(|(from, until)| until.since(*from));
        let longest =
            longest.map_or((Time::ZERO, Span::ZERO), |(from, until)| (*from, until.since(*from)));
        figures.push(("longest_leaderless_ns", longest.1.nanos()));
        if let Some(summary) = nobody_leads(facts) {
            nodes.clone_from(&facts.live);
            parts.push(summary);
        }
        let bound = evidence.config.bounds.leaderless;
        demands.extend(bound.map(|bound| Demand {
            bound: format!("leaderless-bound = {bound}"),
            found: format!("nobody led for {}", longest.1.short()),
            met: longest.1 <= bound,
        }));
        if let Some(bound) = bound.filter(|bound| longest.1 > *bound) {
            let long = stretches.iter().filter(|(from, until)| until.since(*from) > bound).count();
            parts.push(format!(
                "nobody led for {} from {} s on, longer than the bound of {}{}",
                longest.1.short(),
                longest.0,
                bound.short(),
                words::in_all(long as u64, "times")
            ));
        }
    }
    if let Settlement::Stuck { at, .. } = evidence.settlement
        && parts.is_empty()
    {
        let reason =
            format!("the simulation got stuck at {at} s, before anything could come to an end");
        return Finding::new(Verdict::Unknown(reason), figures);
    }
    let count = parts.len() as u64;
    let witness = Witness { summary: parts.join("; "), count, nodes, ..Witness::default() };
    Finding::of((count > 0).then_some(witness), figures).demanding(demands)
}

/// What the cluster still waited for when the settling phase ran out, except equal replicas.
fn left_to_do<'a>(facts: &Facts<'a>) -> &'a [String] {
    match facts.evidence.settlement {
        Settlement::Unsettled { waiting_for } if !facts.evidence.config.settle.is_zero() => {
            // The last item is the difference of replicas, if they differ.
            let differ = usize::from(!facts.behind.is_empty());
            &waiting_for[..waiting_for.len().saturating_sub(differ)]
        }
        Settlement::Unsettled { .. } | Settlement::Settled { .. } | Settlement::Stuck { .. } => &[],
    }
}

/// Whether the run shows that the protocol has leaders.
fn has_leaders(evidence: &Evidence<'_>) -> bool {
    let refused = |failure| failure == Some(Failure::NoLeader);
    !evidence.leaderships.is_empty()
        || evidence.history.entries().iter().any(|entry| refused(entry.failure))
}

/// Says that nobody leads at the end, with a majority up, if that is so.
fn nobody_leads(facts: &Facts<'_>) -> Option<String> {
    let evidence = &facts.evidence;
    let of = usize::from(evidence.config.cluster.nodes);
    let leads = |led: &Leadership| led.until.is_none() && facts.live.contains(&led.node);
    if facts.live.len() * 2 <= of || evidence.leaderships.iter().any(leads) {
        return None;
    }
    let last: Option<(NodeId, Time)> = evidence
        .leaderships
        .iter()
        .filter_map(|led| Some((led.node, led.until?)))
        .max_by_key(|(_, until)| *until);
    let last = last.map_or_else(
        || "nobody ever did".to_owned(),
        |(node, until)| format!("the last was {node}, until {until} s"),
    );
    Some(format!(
        "at the end nobody leads, although {} of {of} nodes are up; {last}",
        facts.live.len()
    ))
}

/// The stretches of time in which nobody led.
fn leaderless(evidence: &Evidence<'_>) -> Vec<(Time, Time)> {
    let mut led: Vec<&Leadership> = evidence.leaderships.iter().collect();
    led.sort_by_key(|led| led.from);
    let mut stretches = Vec::new();
    let mut led_until = Time::ZERO;
    for led in led {
        if led.from > led_until {
            stretches.push((led_until, led.from));
        }
        led_until = led_until.max(led.until.unwrap_or(evidence.ended_at));
    }
    if evidence.ended_at > led_until {
        stretches.push((led_until, evidence.ended_at));
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Story, ms};
    use super::*;
    use crate::config::Bounds;
    use crate::metrics::Standstill;
    use crate::property::Property::Liveness;

    fn unsettled(waiting_for: &[&str]) -> Settlement {
        let waiting_for = waiting_for.iter().map(|what| (*what).to_owned()).collect();
        Settlement::Unsettled { waiting_for }
    }

    #[test]
    fn what_is_left_to_do_is_named() {
        let mut story = Story::new(2);
        story.put("c1", "city", "Raleigh").at(1).ok(2).version(9);
        story.settlement(unsettled(&["n1: 2 writes await confirmations", "n2 is down"]));
        let witness = story.witness(Liveness);
        assert_eq!(
            witness.summary,
            "1s after the faults the cluster still waits for: n1: 2 writes await confirmations (2 \
             things left to do in all)"
        );
        assert_eq!(story.figure(Liveness, "left_to_do"), 2);
    }

    #[test]
    fn unequal_replicas_alone_are_convergences_affair() {
        let mut story = Story::new(2);
        story.put("c1", "city", "Raleigh").at(1).ok(2).version(9);
        story.holds(1, "city", "Raleigh", 9);
        story.settlement(unsettled(&["n1 and n2 differ: city is Raleigh and nothing"]));
        story.assert_valid(Liveness);
        story.settlement(unsettled(&["a message is on its way", "n1 and n2 differ: city is .."]));
        assert_eq!(story.figure(Liveness, "left_to_do"), 1);
        story.without_settling();
        story.assert_valid(Liveness);
    }

    #[test]
    fn a_majority_without_a_leader_is_caught() {
        let mut story = Story::new(3);
        story.leads(1, 1, 0, Some(100)).leads(2, 2, 300, Some(400));
        story.get("c1", "city", ("Raleigh", 9)).at(900).ok(1000);
        let witness = story.witness(Liveness);
        assert_eq!(
            witness.summary,
            "at the end nobody leads, although 3 of 3 nodes are up; the last was n2, until \
             0.400000000 s"
        );
        assert_eq!((witness.count, witness.nodes.len()), (1, 3));
        // From the last leader to the end of the run.
        assert_eq!(story.figure(Liveness, "longest_leaderless_ns"), 600_000_000);
        story.down(1).down(2).assert_valid(Liveness);
    }

    #[test]
    fn half_of_the_nodes_are_no_majority() {
        let mut story = Story::new(4);
        story.leads(1, 1, 0, Some(100));
        story.down(1).witness(Liveness);
        story.down(2).assert_valid(Liveness);
    }

    #[test]
    fn nobody_ever_led_although_nodes_ask_for_a_leader() {
        let mut story = Story::new(3);
        story.put("c1", "city", "Raleigh").at(1).fail(2);
        story.assert_valid(Liveness);
        story.put("c1", "city", "Raleigh").at(3).fail(4).because(Failure::NoLeader);
        story.witness(Liveness).assert_ends("3 of 3 nodes are up; nobody ever did");
    }

    #[test]
    fn nobody_leads_for_longer_than_the_bound() {
        let mut story = Story::new(3);
        story.leads(1, 1, 0, Some(100)).leads(2, 2, 50, Some(300)).leads(3, 3, 450, None);
        story.assert_valid(Liveness);
        story.bounds(Bounds { leaderless: Some(Span::from_millis(150)), ..Bounds::default() });
        story.assert_valid(Liveness);
        assert!(!story.report(Liveness).misses_a_bound());
        story.bounds(Bounds { leaderless: Some(Span::from_millis(149)), ..Bounds::default() });
        assert_eq!(
            story.witness(Liveness).summary,
            "nobody led for 150ms from 0.300000000 s on, longer than the bound of 149ms"
        );
        assert!(story.report(Liveness).misses_a_bound());
    }

    #[test]
    fn who_leads_within_anothers_time_leaves_nobody_without_a_leader() {
        let mut story = Story::new(3);
        story.leads(1, 1, 0, Some(500)).leads(2, 2, 100, Some(200)).leads(3, 3, 500, None);
        assert_eq!(story.figure(Liveness, "longest_leaderless_ns"), 0);
    }

    #[test]
    fn where_time_stands_still_nothing_is_known() {
        let mut story = Story::new(1);
        story.settlement(Settlement::Stuck { at: ms(7), why: Standstill::Loop { events: 1_000 } });
        assert!(story.unknown(Liveness).contains("stuck at 0.007000000 s"));
    }
}
