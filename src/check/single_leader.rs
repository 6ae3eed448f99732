//! Single leader: at most one node leads in a term.
//!
//! Election safety (Ongaro and Ousterhout, "In search of an understandable consensus algorithm", 2014, figure 3).
//! Two nodes that lead at once in *different* terms are no violation of it: the older has not yet heard of the newer,
//! and fencing has to make it harmless. Such split-brain windows are measured, not judged: how many there were
//! (`overlapping_leaderships`) and for how long two nodes or more led at once (`overlapping_leaderships_ns`).
//!
//! A protocol without terms leaves the term 0. Its nodes may lead one after the other, so in term 0 two nodes break
//! the property only when they lead at the same time.

use crate::id::NodeId;
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
        0 => "without terms".to_owned(),
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

/// The first two leaderships of one term, by the order of their beginning, that may not both be.
fn rivals(evidence: &Evidence<'_>, term: &[Leadership]) -> Option<(Leadership, Leadership)> {
    let first = term.first()?;
    if first.term != 0 {
        return term.iter().find(|led| led.node != first.node).map(|second| (*first, *second));
    }
    // The one that lasts longest of those before, and the longest of other nodes than that one's: whoever overlaps
    // any earlier leadership of another node overlaps one of these two.
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

/// How many windows there were in which two nodes or more led at once, and their length in nanoseconds.
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
                // A window that ends as the next begins at the same instant counts as two; it has no length.
                windows += u64::from(at > began);
                total_ns += at.since(began).nanos();
            }
            (None, false) | (Some(_), true) => {}
        }
    }
    (windows, total_ns)
}
