//! Single leader: at most one node leads in a term.
//!
//! Election safety (Ongaro and Ousterhout, "In search of an understandable consensus algorithm",
//! 2014, figure 3). Two nodes that lead at once in *different* terms do not violate it: the older
//! leader has not yet heard of the newer one, and fencing must make it harmless. Such windows are
//! measured, not judged: their number (`overlapping_leaderships`) and the time in which two nodes
//! or more led at once (`overlapping_leaderships_ns`).
//!
//! A protocol without terms reports term 0. Its nodes may lead one after the other, so in term 0
//! two nodes break the property only when they lead at the same time.

use crate::id::{NodeId, Term};
use crate::metrics::Leadership;
use crate::time::Time;

use super::{Evidence, Finding, Witness, words};

pub(super) fn check(evidence: &Evidence<'_>) -> Finding {
    let (windows, total_ns) = overlaps(evidence);
    let figures = vec![
        ("leaderships", evidence.leaderships.len() as u64),
        ("overlapping_leaderships", windows),
        ("overlapping_leaderships_ns", total_ns),
    ];
    Finding::of(witness(evidence), figures)
}

fn witness(evidence: &Evidence<'_>) -> Option<Witness> {
    let mut led = evidence.leaderships.to_vec();
    led.sort_by_key(|led| (led.term, led.from));
    let mut shown: Option<(Leadership, Leadership)> = None;
    let mut count = 0;
    for term in led.chunk_by(|a, b| a.term == b.term) {
        if let Some(pair) = rivals(evidence, term) {
            count += 1;
            if shown.is_none_or(|(_, second)| pair.1.from < second.from) {
                shown = Some(pair);
            }
        }
    }
    let (first, second) = shown?;
    let span = |led: Leadership| match led.until {
        Some(until) => format!("from {} s to {until} s", led.from),
        None => format!("from {} s to the end", led.from),
    };
    let term = match first.term {
        Term(0) => "without terms".to_owned(),
        term => format!("in term {term}"),
    };
    let mut nodes = vec![first.node, second.node];
    nodes.sort_unstable();
    let summary = format!(
        "{} and {} both led {term}: {} {}, {} {}{}",
        first.node,
        second.node,
        first.node,
        span(first),
        second.node,
        span(second),
        words::in_all(count, "terms with several leaders"),
    );
    Some(Witness { summary, count, nodes, ..Witness::default() })
}

/// The first two leaderships of one term, by their beginning, that contradict each other.
fn rivals(evidence: &Evidence<'_>, term: &[Leadership]) -> Option<(Leadership, Leadership)> {
    let first = term.first()?;
    if first.term != Term(0) {
        return term.iter().find(|led| led.node != first.node).map(|second| (*first, *second));
    }
    // The longest leadership so far, and the longest of any other node: one that overlaps an
    // earlier leadership of another node overlaps one of these two.
    let until = |led: &Leadership| led.until.unwrap_or(evidence.ended_at);
    let (mut longest, mut rival): (Leadership, Option<Leadership>) = (*first, None);
    for led in &term[1..] {
        for earlier in [Some(longest), rival].into_iter().flatten() {
            if earlier.node != led.node && led.from < until(&earlier) {
                return Some((earlier, *led));
            }
        }
        if until(led) > until(&longest) {
            if led.node != longest.node {
                rival = Some(longest);
            }
            longest = *led;
        } else if led.node != longest.node && rival.is_none_or(|rival| until(&rival) < until(led)) {
            rival = Some(*led);
        }
    }
    None
}

/// How many windows there were in which two or more nodes led at once, and their length in
/// nanoseconds.
fn overlaps(evidence: &Evidence<'_>) -> (u64, u64) {
    // Ends come before beginnings at one instant: handing over is no overlap.
    let mut turns: Vec<(Time, bool, NodeId)> = Vec::with_capacity(evidence.leaderships.len() * 2);
    for led in evidence.leaderships {
        let until = led.until.unwrap_or(evidence.ended_at);
        if led.from < until {
            turns.push((led.from, true, led.node));
            turns.push((until, false, led.node));
        }
    }
    turns.sort_unstable();
    let mut leading: Vec<NodeId> = Vec::new();
    let (mut windows, mut total_ns) = (0, 0);
    let mut since = None;
    for (at, begins, node) in turns {
        if begins {
            leading.push(node);
        } else if let Some(place) = leading.iter().position(|other| *other == node) {
            leading.swap_remove(place);
        }
        let split = leading.iter().any(|other| Some(other) != leading.first());
        match (since, split) {
            (None, true) => since = Some(at),
            (Some(began), false) => {
                since = None;
                // A window that ends as the next begins at the same instant counts as two; it has
                // no length.
                windows += u64::from(at > began);
                total_ns += at.since(began).nanos();
            }
            (None, false) | (Some(_), true) => {}
        }
    }
    (windows, total_ns)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Story;
    use crate::id::NodeId;
    use crate::property::Property::SingleLeader;

    #[test]
    fn a_leader_a_term_is_right_and_split_brain_is_measured() {
        let mut story = Story::new(3);
        story.leads(1, 1, 0, Some(400)).leads(2, 2, 250, Some(600)).leads(2, 4, 700, Some(800));
        story.leads(1, 5, 790, None).leads(3, 6, 900, None);
        story.assert_valid(SingleLeader);
        story.assert_figures(SingleLeader, &[("leaderships", 5), ("overlapping_leaderships", 3)]);
        // 250..400, 790..800, and 900 to the end of the run at 1 s.
        assert_eq!(story.figure(SingleLeader, "overlapping_leaderships_ns"), 260_000_000);
    }

    #[test]
    fn handing_over_is_no_overlap_nor_is_one_node_in_two_terms() {
        let mut story = Story::new(2);
        story.leads(1, 1, 0, Some(400)).leads(2, 2, 400, Some(600)).leads(2, 3, 500, Some(700));
        assert_eq!(story.figure(SingleLeader, "overlapping_leaderships"), 0);
        assert_eq!(story.figure(SingleLeader, "overlapping_leaderships_ns"), 0);
        Story::new(2).assert_valid(SingleLeader);
    }

    #[test]
    fn two_leaders_of_one_term_are_caught_even_one_after_the_other() {
        let mut story = Story::new(3);
        story.leads(1, 3, 0, Some(100)).leads(1, 3, 150, Some(200)).leads(2, 3, 300, None);
        story.leads(1, 4, 350, None).leads(3, 4, 360, None);
        let witness = story.witness(SingleLeader);
        assert_eq!(
            witness.summary,
            "n1 and n2 both led in term 3: n1 from 0.000000000 s to 0.100000000 s, n2 from \
             0.300000000 s to the end (2 terms with several leaders in all)"
        );
        assert_eq!((witness.count, witness.nodes), (2, vec![NodeId(0), NodeId(1)]));
    }

    #[test]
    fn without_terms_nodes_may_lead_one_after_the_other_but_not_at_once() {
        let mut story = Story::new(3);
        story.leads(1, 0, 0, Some(500)).leads(2, 0, 500, Some(600)).leads(2, 0, 600, None);
        story.assert_valid(SingleLeader);
        story.leads(3, 0, 700, None);
        story
            .witness(SingleLeader)
            .assert_begins("n2 and n3 both led without terms: n2 from 0.600");

        // The overlap is with an earlier one than the last.
        let mut story = Story::new(3);
        story.leads(1, 0, 0, None).leads(1, 0, 10, Some(20)).leads(2, 0, 30, Some(40));
        assert_eq!(story.witness(SingleLeader).nodes, [NodeId(0), NodeId(1)]);
    }
}
