//! Split brain: at no time do two nodes both believe that they lead and both acknowledge writes.
//!
//! A *window* is a time in which two leaderships of different nodes overlap, in whatever terms, and
//! within which each of the two nodes acknowledged a client's write. Two leaders are harmless while
//! one of them can do nothing (fencing, quorums). Two that both acknowledge build two histories,
//! one of which will be given up. [`super::single_leader`] is about terms, this is about harm.
//!
//! A write counts within a window when the node both accepted and answered it, ok, inside. The
//! times are the node's: when a distant client asked or received the answer says nothing about what
//! two leaders did. A write that was accepted before the window and answered within it does not
//! count, because the node may have had what it waited for before the other began to lead. A clear
//! that found nothing to remove, and an append of an element that its list had, wrote nothing and
//! do not count. If the protocol does not say what its nodes accept, a write counts when its whole
//! call, from invocation to completion at the client, lies inside the window. At the very instants
//! at which a window begins and ends the order is unknown, so a write there does not count.
//!
//! The *losing side* of a window is the leadership of the lower term; of equal terms, the one that
//! ended first. Its writes in windows (`losing_writes`) are those at risk. [`super::durability`]
//! says whether they are lost.

use crate::history::{ContestedWrite, Entry, Function};
use crate::id::{NodeId, OpId, Term};
use crate::metrics::Leadership;
use crate::time::Time;

use super::facts::Facts;
use super::{Evidence, Finding, Witness, words};

/// An acknowledged write: which node answered, and when it accepted and answered it. If the
/// protocol does not say so, the times are those of the client's call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct AnsweredWrite {
    node: NodeId,
    begun_at: Time,
    ended_at: Time,
    op: OpId,
    /// Whether the times are the client's.
    called: bool,
}

/// Two overlapping leaderships, with the writes that each acknowledged meanwhile.
#[derive(Clone, Debug)]
struct Overlap {
    from: Time,
    until: Time,
    loser: Leadership,
    winner: Leadership,
    by_loser: Vec<OpId>,
    by_winner: Vec<OpId>,
}

pub(super) fn check(facts: &Facts<'_>) -> Finding {
    let evidence = &facts.evidence;
    let windows = windows(facts);
    let mut losing: Vec<OpId> =
        windows.iter().flat_map(|window| window.by_loser.iter().copied()).collect();
    losing.sort_unstable();
    losing.dedup();
    let figures = vec![
        ("windows", windows.len() as u64),
        ("windows_ns", total_ns(&windows)),
        ("losing_writes", losing.len() as u64),
    ];
    Finding::of(windows.first().map(|first| witness(evidence, first, windows.len())), figures)
}

/// Every window, in the order in which they begin.
fn windows(facts: &Facts<'_>) -> Vec<Overlap> {
    let evidence = &facts.evidence;
    let overlaps = overlaps(evidence);
    if overlaps.is_empty() {
        return Vec::new();
    }
    let called = |(op, entry): (OpId, &Entry)| {
        let node = entry.node.filter(|_| entry.is_ok() && wrote(facts, op, entry))?;
        let (begun_at, ended_at) = (entry.invoked_at, entry.completed_at);
        Some(AnsweredWrite { node, begun_at, ended_at, op, called: true })
    };
    let noted = |write: &ContestedWrite| {
        let ContestedWrite { op, node, accepted_at: begun_at, answered_at: ended_at } = *write;
        AnsweredWrite { node, begun_at, ended_at, op, called: false }
    };
    // If both are known, the call contains the node's times and adds nothing.
    let mut writes: Vec<AnsweredWrite> = evidence.history.iter().filter_map(called).collect();
    writes.extend(evidence.history.contested().iter().map(noted));
    writes.sort_unstable();
    let window = |(from, until, loser, winner): (Time, Time, Leadership, Leadership)| {
        let by_loser = within(&writes, loser.node, from, until);
        let by_winner = within(&writes, winner.node, from, until);
        let both = !by_loser.is_empty() && !by_winner.is_empty();
        both.then_some(Overlap { from, until, loser, winner, by_loser, by_winner })
    };
    overlaps.into_iter().filter_map(window).collect()
}

/// Whether an acknowledged operation wrote anything.
fn wrote(facts: &Facts<'_>, op: OpId, entry: &Entry) -> bool {
    match entry.function {
        Function::Put | Function::Delete | Function::Cas => true,
        Function::Batch => entry.is_write(),
        Function::Clear => facts.evidence.history.effects(op).next().is_some(),
        Function::Append => !facts.is_repeated(op),
        Function::Get | Function::List | Function::ReadAll => false,
    }
}

/// The writes that `node` acknowledged from `from` to `until`, in the order of their invocations.
fn within(writes: &[AnsweredWrite], node: NodeId, from: Time, until: Time) -> Vec<OpId> {
    let first = writes.partition_point(|write| (write.node, write.begun_at) < (node, from));
    let inside = |write: &&AnsweredWrite| write.node == node && write.begun_at <= until;
    let candidates = writes[first..].iter().take_while(inside);
    let surely = |write: &&AnsweredWrite| write.begun_at > from && write.ended_at < until;
    let inside =
        candidates.filter(|write| write.ended_at <= until && (!write.called || surely(write)));
    let mut operations: Vec<OpId> = inside.map(|write| write.op).collect();
    operations.sort_unstable();
    operations.dedup();
    operations
}

/// Every two overlapping leaderships of different nodes: from when until when, the loser, the
/// winner.
fn overlaps(evidence: &Evidence<'_>) -> Vec<(Time, Time, Leadership, Leadership)> {
    let until = |led: &Leadership| led.until.unwrap_or(evidence.ended_at);
    let mut leaderships = evidence.leaderships.to_vec();
    leaderships.sort_by_key(|led| led.from);
    let mut leading: Vec<Leadership> = Vec::new();
    let mut overlaps = Vec::new();
    for led in leaderships {
        leading.retain(|earlier| until(earlier) > led.from);
        for earlier in leading.iter().filter(|earlier| earlier.node != led.node) {
            let end = until(earlier).min(until(&led));
            if led.from == end {
                continue;
            }
            let rank = |led: &Leadership| (led.term, until(led));
            let (loser, winner) =
                if rank(earlier) <= rank(&led) { (*earlier, led) } else { (led, *earlier) };
            overlaps.push((led.from, end, loser, winner));
        }
        leading.push(led);
    }
    overlaps
}

/// How long there was a window, in nanoseconds. Where several overlap, the time counts once.
fn total_ns(windows: &[Overlap]) -> u64 {
    let mut covered = Time::ZERO;
    let mut total = 0;
    for window in windows {
        let from = window.from.max(covered);
        if from < window.until {
            total += window.until.since(from).nanos();
            covered = window.until;
        }
    }
    total
}

fn witness(evidence: &Evidence<'_>, window: &Overlap, count: usize) -> Witness {
    let Overlap { from, until, loser, winner, by_loser, by_winner } = window;
    let (names, history) = (evidence.names(), evidence.history);
    let led = |led: &Leadership| match led.term {
        Term(0) => led.node.to_string(),
        term => format!("{} (term {term})", led.node),
    };
    let first = |side: &[OpId]| words::call_by(names, history.entry(side[0]));
    let writes = |side: &[OpId]| match side.len() {
        1 => "1 write".to_owned(),
        many => format!("{many} writes"),
    };
    let count = count as u64;
    let summary = format!(
        "from {from} s to {until} s {} and {} both led and both acknowledged writes: {} {} (the \
         first: {}), {} {} (the first: {}){}",
        led(loser),
        led(winner),
        loser.node,
        writes(by_loser),
        first(by_loser),
        winner.node,
        writes(by_winner),
        first(by_winner),
        words::in_all(count, "windows"),
    );
    let mut nodes = vec![loser.node, winner.node];
    nodes.sort_unstable();
    let operations = vec![by_loser[0], by_winner[0]];
    Witness { summary, count, operations, nodes, write: None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::Story;
    use super::super::testing::any_story::any_story;
    use super::*;
    use crate::property::Property::SplitBrain;

    #[test]
    fn two_leaders_that_both_acknowledge_are_caught() {
        let mut story = Story::new(3);
        story.leads(1, 1, 0, Some(400)).leads(2, 2, 250, None);
        story.put("c1", "city", "Raleigh").at(260).ok(270).by(1);
        story.put("c1", "city", "Cary").at(280).ok(290).by(1);
        story.put("c2", "city", "Durham").at(300).ok(310).by(2);
        story.get("c3", "city", ("Durham", 1)).at(990).ok(1000).by(2);
        let witness = story.witness(SplitBrain);
        assert_eq!(
            witness.summary,
            "from 0.250000000 s to 0.400000000 s n1 (term 1) and n2 (term 2) both led and both \
             acknowledged writes: n1 2 writes (the first: put city=Raleigh by c1), n2 1 write (the \
             first: put city=Durham by c2)"
        );
        assert_eq!((witness.count, witness.operations), (1, vec![OpId(0), OpId(2)]));
        assert_eq!(witness.nodes, [NodeId(0), NodeId(1)]);
        story.assert_figures(SplitBrain, &[("windows", 1), ("windows_ns", 150_000_000)]);
        assert_eq!(story.figure(SplitBrain, "losing_writes"), 2);
    }

    #[test]
    fn a_deposed_leader_that_acknowledges_nothing_is_harmless() {
        let mut story = Story::new(3);
        story.leads(1, 1, 0, Some(400)).leads(2, 2, 250, None);
        // Before the other led, on the way as it began to, and not acknowledged; a read does no
        // harm.
        story.put("c1", "city", "Raleigh").at(100).ok(110).by(1);
        story.put("c1", "city", "Cary").at(245).ok(255).by(1);
        story.put("c1", "city", "Apex").at(260).info(390).by(1);
        story.get("c3", "city", ("Cary", 3)).at(300).ok(301).by(1);
        story.put("c2", "city", "Durham").at(300).ok(310).by(2);
        story.assert_valid(SplitBrain);
        story.assert_figures(SplitBrain, &[("windows", 0), ("losing_writes", 0)]);
    }

    /// Clients are a second away: each asked long before the window, and heard long after it, or
    /// had given up.
    #[test]
    fn what_counts_is_when_nodes_accept_and_answer() {
        let story = |by_second: (u64, u64)| {
            let mut story = Story::new(3);
            story.leads(1, 1, 1000, Some(1400)).leads(2, 2, 1250, None);
            story.put("c1", "city", "Raleigh").at(300).ok(2300).by(1).handled(1260, 1270);
            story.put("c2", "city", "Cary").at(300).info(1290).by(1).handled(1280, 1285);
            story
                .put("c3", "city", "Durham")
                .at(310)
                .ok(2310)
                .by(2)
                .handled(by_second.0, by_second.1);
            story
        };
        let inside = story((1300, 1400));
        let witness = inside.witness(SplitBrain);
        witness.assert_says("n1 2 writes (the first: put city=Raleigh by c1), n2 1 write");
        assert_eq!(inside.figure(SplitBrain, "losing_writes"), 2);
        // Accepted before n2 led, or answered when n1 no longer did.
        for outside in [(1249, 1300), (1300, 1401), (1401, 1402)] {
            story(outside).assert_valid(SplitBrain);
        }
    }

    #[test]
    fn one_after_the_other_is_no_split_brain() {
        let mut story = Story::new(2);
        story.leads(1, 1, 0, Some(400)).leads(2, 2, 400, None);
        story.put("c1", "city", "Raleigh").at(390).ok(400).by(1);
        story.put("c2", "city", "Durham").at(400).ok(410).by(2);
        story.assert_valid(SplitBrain);
    }

    /// Whichever began first.
    #[test]
    fn of_equal_terms_the_one_that_ended_first_loses() {
        for (first, second) in [((0, Some(300)), (250, None)), ((0, None), (250, Some(300)))] {
            let mut story = Story::new(2);
            story.leads(1, 1, first.0, first.1).leads(2, 1, second.0, second.1);
            story.put("c1", "city", "Raleigh").at(260).ok(270).by(1);
            story.put("c2", "city", "Durham").at(260).ok(270).by(2);
            story.put("c2", "city", "Apex").at(280).ok(290).by(2);
            story.get("c3", "city", ("Durham", 1)).at(990).ok(1000).by(2);
            let by_loser = if first.1.is_some() { 1 } else { 2 };
            assert_eq!(story.figure(SplitBrain, "losing_writes"), by_loser);
        }
    }

    /// Two leaders, one of which does nothing but find its store empty, and the list as it should
    /// be.
    #[test]
    fn what_writes_nothing_is_no_sides_write() {
        let mut story = Story::new(2);
        story.leads(1, 1, 0, Some(400)).leads(2, 2, 200, None);
        story.append("c3", "log", "a").at(10).ok(20).version(3).by(2);
        story.put("c1", "city", "Raleigh").at(210).ok(220).by(1);
        story.clear("c2", &[]).at(230).ok(240).by(2);
        story.append("c3", "log", "a").at(250).ok(260).version(3).by(2);
        story.miss("c4", "city").at(990).ok(1000).by(2);
        story.assert_valid(SplitBrain);
        story.clear("c2", &[("city", 9)]).at(270).ok(280).by(2);
        assert_eq!(story.figure(SplitBrain, "windows"), 1);
    }

    /// A client without latency hears at the instant at which the old leader gives up, which may
    /// have been before it was answered: only the node knows.
    #[test]
    fn a_call_at_the_instant_at_which_a_leader_gives_up_proves_nothing() {
        let mut story = Story::new(2);
        story.leads(1, 1, 0, Some(400)).leads(2, 2, 200, None);
        story.put("c1", "city", "Raleigh").at(210).ok(220).by(1);
        story.put("c2", "city", "Durham").at(400).ok(400).by(2);
        story.put("c3", "city", "Cary").at(200).ok(210).by(2);
        story.assert_valid(SplitBrain);
        story.put("c2", "city", "Apex").at(380).ok(420).handled(390, 400).by(2);
        assert_eq!(story.figure(SplitBrain, "windows"), 1);
    }

    #[test]
    fn time_counts_once_where_three_lead() {
        let mut story = Story::new(3);
        story.leads(1, 1, 0, Some(300)).leads(2, 2, 100, Some(400)).leads(3, 3, 200, Some(500));
        for (client, node) in [("c1", 1), ("c2", 2), ("c3", 3)] {
            story.put(client, "city", client).at(250).ok(260).by(node);
        }
        story.assert_figures(SplitBrain, &[("windows", 3), ("windows_ns", 300_000_000)]);
        assert_eq!(story.figure(SplitBrain, "losing_writes"), 2);
    }

    /// Every pair of leaderships against every pair of writes.
    fn twin(evidence: &Evidence<'_>) -> (u64, u64) {
        let facts = Facts::of(evidence);
        let (mut windows, mut losing) = (0, std::collections::BTreeSet::new());
        let until = |led: &Leadership| led.until.unwrap_or(evidence.ended_at);
        let led = evidence.leaderships;
        for (i, a) in led.iter().enumerate() {
            for b in &led[..i] {
                let (from, end) = (a.from.max(b.from), until(a).min(until(b)));
                if a.node == b.node || from >= end {
                    continue;
                }
                let by = |node| {
                    let inside = |op: OpId, entry: &Entry| {
                        let called = entry.node == Some(node)
                            && entry.is_ok()
                            && wrote(&facts, op, entry)
                            && entry.invoked_at > from
                            && entry.completed_at < end;
                        let handled = evidence.history.contested().iter().any(|write| {
                            (write.op, write.node) == (op, node)
                                && write.accepted_at >= from
                                && write.answered_at <= end
                        });
                        called || handled
                    };
                    let all = evidence.history.iter();
                    let inside = all.filter(|(op, entry)| inside(*op, entry)).map(|(op, _)| op);
                    inside.collect::<Vec<OpId>>()
                };
                if !by(a.node).is_empty() && !by(b.node).is_empty() {
                    windows += 1;
                    // In the test below terms rise.
                    losing.extend(by(if a.term < b.term { a.node } else { b.node }));
                }
            }
        }
        (windows, losing.len() as u64)
    }

    proptest! {
        #[test]
        fn it_agrees_with_its_twin(
            mut story in any_story(),
            led in prop::collection::vec((1..=2_u16, 0..60_u64, 1..80_u64), 0..6),
            handled in prop::collection::vec(prop::option::of((0..100_u64, 0..20_u64)), 24),
        ) {
            story.handles(&handled);
            for (term, (node, from, length)) in (1..).zip(led) {
                story.leads(node, term, from, Some(from + length));
            }
            let (windows, losing) = story.evidence(twin);
            prop_assert_eq!(story.figure(SplitBrain, "windows"), windows);
            prop_assert_eq!(story.figure(SplitBrain, "losing_writes"), losing);
        }
    }
}
