//! Checks of histories that were made linearizable by construction, and of one with one answer
//! changed: CPU time of the check alone.
//!
//! `cargo bench --bench linearizability`

#[path = "measure.rs"]
mod measure;

use measure::{median, timed};
use splitbrain::id::KeyId;
use splitbrain::linearizability::{
    BUDGET, Content, Expects, Judgement, Operations, Others, Step, Update, check,
};

const ROUNDS: usize = 5;

/// Numbers that look random: SplitMix64.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % u64::from(bound)) as u32
    }
}

/// What the clients do.
struct Load {
    operations: u32,
    clients: u32,
    keys: u32,
    /// Whether writes append to what is there.
    appends: bool,
    /// Which answer of a read, counted from the first, shows something else. `None`: none does.
    wrong: Option<u32>,
}

/// Each client's operation takes effect at a moment between its call and its return, both random.
fn history(load: &Load) -> Operations {
    let mut draws = Draws(1);
    let mut operations = Operations::new(Content::ABSENT);
    operations.reserve(load.operations as usize);
    let mut store = vec![Vec::<u32>::new(); load.keys as usize];
    // By client, what it has under way: the operation, its key, what it writes, what it read.
    let mut under_way = vec![None; load.clients as usize];
    let (mut place, mut called, mut written, mut reads) = (0, 0, 0, 0);
    loop {
        let client = draws.below(load.clients) as usize;
        match under_way[client].take() {
            None if called == load.operations => {
                if under_way.iter().all(Option::is_none) {
                    return operations;
                }
            }
            None => {
                let op = operations.call(client as u32, place);
                let writes = draws.below(2) == 0;
                under_way[client] = Some((op, draws.below(load.keys), writes, None));
                called += 1;
                place += 1;
            }
            Some((op, key, writes, None)) => {
                let held = &mut store[key as usize];
                if writes {
                    written += 1;
                    if !load.appends {
                        held.clear();
                    }
                    held.push(written);
                }
                under_way[client] = Some((op, key, writes, Some(held.clone())));
            }
            Some((op, key, writes, Some(held))) => {
                let key = KeyId(key);
                let step = match (writes, held.last()) {
                    (true, Some(last)) if load.appends => {
                        Step::write(key, Update::Append(Content::of(*last)))
                    }
                    (true, last) => {
                        let written = Content::of(*last.expect("it was written"));
                        Step::write(key, Update::Set(written))
                    }
                    (false, _) => {
                        reads += 1;
                        let wrong = load.wrong == Some(reads);
                        // An answer from before the last few writes.
                        let kept = held.len() - usize::from(wrong) * held.len().min(12);
                        operations.shows(&held[..kept]);
                        Step::read(key, Expects::Holds(Content::sequence(&held[..kept])))
                    }
                };
                let is_nothing = step.expects == Expects::Holds(Content::ABSENT);
                let expects = if is_nothing { Expects::Absent { by: None } } else { step.expects };
                let step = Step { expects, ..step };
                operations.answer(op, place, [step], Others::Untouched);
                place += 1;
            }
        }
    }
}

fn main() {
    let register =
        Load { operations: 1_000_000, clients: 50, keys: 1, appends: false, wrong: None };
    let appends = Load { operations: 5_000, clients: 50, keys: 10, appends: true, wrong: None };
    println!("| history | operations | verdict | ms of CPU time |");
    println!("|---|---|---|---|");
    for (name, load) in [
        ("register, values all different", &register),
        ("lists, 10 keys", &appends),
        ("lists, 10 keys, an early answer wrong", &Load { wrong: Some(200), ..appends }),
        ("lists, 10 keys, a late answer wrong", &Load { wrong: Some(2_300), ..appends }),
    ] {
        let operations = history(load);
        let judge = || check(&operations, BUDGET);
        let verdict = match judge() {
            Judgement::Linearizable => "linearizable",
            Judgement::Contradictory(_) => "not linearizable",
            Judgement::Unknown => "unknown",
        };
        let times = (0..ROUNDS).map(|_| timed(judge).0 / 1e6).collect();
        println!("| {name} | {} | {verdict} | {:.1} |", load.operations, median(times));
    }
}
