//! Who led when, by the trace; whether two nodes led in one term, and whether two leaders both
//! served clients.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::claims::{Claims, Found};
use super::files::{Files, Op};

/// A node that led.
#[derive(Clone, Debug)]
pub(crate) struct Led {
    pub(crate) term: u64,
    pub(crate) node: String,
    pub(crate) from_ns: u64,
    /// `None`: to the end of the run.
    pub(crate) until_ns: Option<u64>,
}

impl Led {
    pub(crate) fn until(&self, files: &Files) -> u64 {
        self.until_ns.unwrap_or_else(|| files.ended_ns())
    }
}

/// Every leadership in order of beginning: from when a node says that it leads a term until it says
/// something else or its process ends.
pub(crate) fn leaderships(files: &Files) -> Vec<Led> {
    let mut all: Vec<Led> = Vec::new();
    for line in files.trace() {
        let (ended, begins): (Vec<&str>, Option<u64>) = match line.what {
            ". role" => {
                let (role, term) = line.content.split_once(" of term ").expect("a role of a term");
                let term = (role == "leader").then(|| term.parse().expect("a term"));
                let open = |led: &Led| led.node == line.who && led.until_ns.is_none();
                if all.iter().any(|led| open(led) && Some(led.term) == term) {
                    continue;
                }
                (vec![line.who], term)
            }
            ". stop" => (vec![line.who], None),
            ". act" if ["crash ", "power loss "].iter().any(|s| line.content.starts_with(s)) => {
                (line.content.split([' ', ',']).collect(), None)
            }
            _ => continue,
        };
        for led in &mut all {
            if led.until_ns.is_none() && ended.contains(&led.node.as_str()) {
                led.until_ns = Some(line.at_ns);
            }
        }
        if let Some(term) = begins {
            let node = line.who.to_owned();
            all.push(Led { term, node, from_ns: line.at_ns, until_ns: None });
        }
    }
    all
}

pub(crate) fn leaders(files: &Files, claims: &mut Claims) {
    let one = |led: Led| {
        let Led { term, node, from_ns, until_ns } = led;
        json!({ "term": term, "node": node, "from_ns": from_ns, "until_ns": until_ns })
    };
    claims.say("/leaders", leaderships(files).into_iter().map(one).collect::<Json>());
}

/// At most one node leads in a term; where there are no terms, at a time.
pub(crate) fn single_leader(files: &Files, claims: &mut Claims) {
    let all = leaderships(files);
    let terms: BTreeSet<u64> = all.iter().map(|led| led.term).collect();
    let overlap = |a: &Led, b: &Led| a.from_ns < b.until(files) && b.from_ns < a.until(files);
    let is_shared = |term: &&u64| {
        let of: Vec<&Led> = all.iter().filter(|led| led.term == **term).collect();
        let rivals = |a: &&Led, b: &&Led| a.node != b.node && (**term != 0 || overlap(a, b));
        of.iter().any(|a| of.iter().any(|b| rivals(a, b)))
    };
    let shared = terms.iter().filter(is_shared).count() as u64;
    let found = if shared == 0 { Found::Holds } else { Found::Broken(shared) };

    // The number of leaders changes only at these instants.
    let led_then = |from: u64, until: u64| {
        let leads = |led: &&Led| led.from_ns <= from && led.until(files) >= until;
        all.iter().filter(leads).map(|led| &led.node).collect::<BTreeSet<_>>().len()
    };
    let ends = all.iter().flat_map(|led| [led.from_ns, led.until(files)]);
    let instants: Vec<u64> = ends.collect::<BTreeSet<_>>().into_iter().collect();
    let (mut windows, mut length) = (0, 0);
    let mut goes_on = false;
    for pair in instants.windows(2) {
        let (from, until) = (pair[0], pair[1]);
        // A leader that ends when another begins does not overlap with it.
        let across = all.iter().filter(|led| led.from_ns < from && led.until(files) > from);
        goes_on &= across.map(|led| &led.node).collect::<BTreeSet<_>>().len() > 1;
        if led_then(from, until) > 1 {
            windows += u64::from(!goes_on);
            length += until - from;
            goes_on = true;
        } else {
            goes_on = false;
        }
    }
    let figures = [
        ("leaderships", all.len() as u64),
        ("overlapping_leaderships", windows),
        ("overlapping_leaderships_ns", length),
    ];
    claims.property(files, "single-leader", found, &figures);
}

/// At no time do two nodes both lead and both accept and answer writes.
pub(crate) fn split_brain(files: &Files, claims: &mut Claims) {
    let all = leaderships(files);
    let (mut windows, mut losing) = (Vec::new(), BTreeSet::new());
    for (i, a) in all.iter().enumerate() {
        for b in &all[..i] {
            let from = a.from_ns.max(b.from_ns);
            let until = a.until(files).min(b.until(files));
            if a.node == b.node || from >= until {
                continue;
            }
            let inside = |op: &Op, node: &str| {
                op.contested.iter().any(|one| {
                    one.node == node && one.accepted_ns >= from && one.answered_ns <= until
                })
            };
            let of = |node: &str| -> Vec<u32> {
                files.ops.iter().filter(|op| inside(op, node)).map(|op| op.op).collect()
            };
            if of(&a.node).is_empty() || of(&b.node).is_empty() {
                continue;
            }
            windows.push((from, until));
            // The one of the lower term; in one term, the one that ended first; then the one that
            // began first.
            let rank = |led: &Led| (led.term, led.until(files), led.from_ns);
            let loser = if rank(a) < rank(b) { a } else { b };
            losing.extend(of(&loser.node));
        }
    }
    let ends = windows.iter().flat_map(|(from, until)| [*from, *until]);
    let instants: Vec<u64> = ends.collect::<BTreeSet<_>>().into_iter().collect();
    let in_any = |from: u64, until: u64| windows.iter().any(|w| w.0 <= from && w.1 >= until);
    let covered = instants.windows(2).filter(|pair| in_any(pair[0], pair[1]));
    let length: u64 = covered.map(|pair| pair[1] - pair[0]).sum();
    let count = windows.len() as u64;
    let found = if count == 0 { Found::Holds } else { Found::Broken(count) };
    let figures =
        [("windows", count), ("windows_ns", length), ("losing_writes", losing.len() as u64)];
    claims.property(files, "split-brain", found, &figures);
}
