//! The ledger of the replicated log: nanoseconds of CPU time an observation.
//!
//! `cargo bench --bench log_ledger`

#[path = "measure.rs"]
mod measure;

use std::hint::black_box;

use measure::{median, timed};
use splitbrain::check::replicated_log::{LogLedger, Moment};
use splitbrain::id::{LogIndex, NodeId, Position, Term};
use splitbrain::protocol::{EntryHash, Observation, Role, StateHash};
use splitbrain::time::Time;

const ROUNDS: usize = 7;
const ENTRIES: u64 = 300_000;

/// A log that is replicated in batches.
struct Load {
    nodes: u16,
    batch: u64,
    /// Whether the last node never applies anything, so that nothing is forgotten.
    one_lags: bool,
}

const LOADS: [Load; 7] = [
    Load { nodes: 3, batch: 1, one_lags: false },
    Load { nodes: 5, batch: 1, one_lags: false },
    Load { nodes: 7, batch: 1, one_lags: false },
    Load { nodes: 3, batch: 100, one_lags: false },
    Load { nodes: 5, batch: 100, one_lags: false },
    Load { nodes: 7, batch: 100, one_lags: false },
    Load { nodes: 5, batch: 1, one_lags: true },
];

fn main() {
    println!("{ENTRIES} entries, median of {ROUNDS} rounds\n");
    println!("| nodes | entries a batch | one lags | ns/observation | ns/entry |");
    println!("|---|---|---|---|---|");
    let mut costs = vec![Vec::new(); LOADS.len()];
    let mut counts = vec![0; LOADS.len()];
    for _ in 0..ROUNDS {
        for ((load, costs), count) in LOADS.iter().zip(&mut costs).zip(&mut counts) {
            let (cost, observations) = timed(|| replicate(load));
            costs.push(cost);
            *count = observations;
        }
    }
    for ((load, costs), count) in LOADS.iter().zip(costs).zip(counts) {
        let cost = median(costs);
        let (each, entry) = (cost / count as f64, cost / ENTRIES as f64);
        let Load { nodes, batch, one_lags } = load;
        println!("| {nodes} | {batch} | {one_lags} | {each:.1} | {entry:.0} |");
    }
}

/// How many observations a ledger takes in of a log that breaks nothing.
fn replicate(load: &Load) -> u64 {
    let Load { nodes, batch, one_lags } = *load;
    let mut ledger = LogLedger::new(nodes);
    let mut count = 0;
    let mut say = |ledger: &mut LogLedger, node, observation| {
        count += 1;
        let now = Moment { at: Time::from_nanos(count), event: count };
        ledger.observe(now, node, black_box(&observation));
    };
    say(&mut ledger, NodeId(0), Observation::Role { role: Role::Leader, term: Term(1) });
    let mut first = 1;
    while first <= ENTRIES {
        let last = first + batch - 1;
        for node in NodeId::all(nodes) {
            for index in first..=last {
                let position = Position { term: Term(1), index: LogIndex(index) };
                let entry = EntryHash(index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
                say(&mut ledger, node, Observation::Append { position, entry });
            }
            say(&mut ledger, node, Observation::Durable { index: LogIndex(last) });
        }
        for node in NodeId::all(nodes) {
            say(&mut ledger, node, Observation::Commit { index: LogIndex(last) });
            if one_lags && node.0 + 1 == nodes {
                continue;
            }
            for index in first..=last {
                let (index, state) = (LogIndex(index), StateHash(!index));
                say(&mut ledger, node, Observation::Applied { index, state });
            }
        }
        first = last + 1;
    }
    assert_eq!(ledger.breaches(), [], "the log is replicated in order");
    assert_eq!(ledger.examined().committed, ENTRIES);
    count
}
