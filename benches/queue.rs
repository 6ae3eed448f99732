//! The hold model: pop the first event, push one at its time plus a random delay; nanoseconds of
//! CPU time for the pair.
//!
//! `cargo bench --bench queue`

#[expect(dead_code, reason = "only the standard heap is of use here")]
#[path = "bare.rs"]
mod bare;
#[path = "measure.rs"]
mod measure;

use bare::StdHeap;
use measure::{median, timed};
use splitbrain::sim::queue::{CalendarQueue, EventQueue, HeapQueue};
use splitbrain::time::{Span, Time};

/// As large as the bare loop's events.
type Item = [u64; 5];

const ROUNDS: usize = 5;
const HOLDS: u64 = 2_000_000;

/// The delays of a load, in nanoseconds, from 64 uniform bits and the number of the hold.
struct Load {
    name: &'static str,
    delay: fn(u64, u64) -> u64,
}

const LOADS: &[Load] = &[
    Load { name: "uniform (0, 1 s]", delay: |bits, _| 1 + below(bits, 1_000_000_000) },
    Load { name: "constant 1 ms", delay: |_, _| 1_000_000 },
    Load { name: "all at one instant", delay: |_, _| 0 },
    Load {
        name: "1 us, a 16th 5 s",
        delay: |bits, hold| if hold % 16 == 0 { 5_000_000_000 } else { below(bits, 1_000) },
    },
    Load { name: "any magnitude to 2^40", delay: |bits, _| bits >> 24 >> (bits % 40) },
    Load {
        name: "1 ns apart, then 10 s",
        delay: |bits, hold| {
            if hold / 100_000 % 2 == 0 {
                below(bits, 100)
            } else {
                below(bits, 100) * 10_000_000_000
            }
        },
    },
];

fn main() {
    println!("hold model, {ROUNDS} rounds in turns, ns of CPU time for a pop and a push\n");
    println!("| delays | pending | std BinaryHeap | 4-ary heap of keys | calendar |");
    println!("|---|---|---|---|---|");
    for (place, load) in LOADS.iter().enumerate() {
        let sizes: &[u64] = if place == 0 {
            &[2, 16, 64, 256, 1_000, 5_000, 100_000, 1_000_000]
        } else {
            &[16, 1_000, 100_000]
        };
        for &pending in sizes {
            let queues = [
                hold::<StdHeap<Item>> as fn(&Load, u64) -> f64,
                hold::<HeapQueue<Item>>,
                hold::<CalendarQueue<Item>>,
            ];
            let mut costs = vec![Vec::new(); queues.len()];
            for _ in 0..ROUNDS {
                for (queue, costs) in queues.iter().zip(&mut costs) {
                    costs.push(queue(load, pending));
                }
            }
            let cells: Vec<String> =
                costs.into_iter().map(|costs| format!("{:.1}", median(costs))).collect();
            println!("| {} | {pending} | {} |", load.name, cells.join(" | "));
        }
    }
}

/// The cost of a hold once the load has settled.
fn hold<Q: EventQueue<Item>>(load: &Load, pending: u64) -> f64 {
    let (mut queue, mut random, mut order) = (Q::new(), pending, 0);
    let mut push = |queue: &mut Q, now: Time, hold: u64| {
        let delay = Span::from_nanos((load.delay)(next(&mut random), hold));
        queue.push(now + delay, order, [order; 5]);
        order += 1;
    };
    for hold in 0..pending {
        push(&mut queue, Time::ZERO, hold);
    }
    let mut run = |holds: u64| {
        for hold in 0..holds {
            let (now, item) = queue.pop().expect("as many as before");
            std::hint::black_box(item);
            push(&mut queue, now, hold);
        }
    };
    run(2 * pending + 1_000);
    timed(|| run(HOLDS)).0 / HOLDS as f64
}

fn below(bits: u64, bound: u64) -> u64 {
    ((u128::from(bits) * u128::from(bound)) >> 64) as u64
}

/// splitmix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}
