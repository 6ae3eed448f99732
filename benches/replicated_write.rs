//! What a replicated write costs: CPU time a delivered message, the bare loop beside the simulator,
//! interleaved in one process, so that the ratio holds however busy the machine is.
//!
//! `cargo bench --bench replicated_write`

use std::num::NonZeroU32;

#[path = "bare.rs"]
mod bare;
#[path = "measure.rs"]
mod measure;
#[path = "../tests/it/support/cluster.rs"]
mod settings;

use bare::{Event, Outcome, StdHeap};
use measure::{median, timed};
use splitbrain::protocol::leader_follower::{
    CatchUp, Config as Settings, Election, Failover, LeaderFollower, Mode,
};
use splitbrain::protocol::parts::wal::Policy;
use splitbrain::run::{QueueKind, RunOptions, RunVerdict, run};
use splitbrain::sim::queue::{CalendarQueue, HeapQueue};
use splitbrain::time::Span;

/// Measured in turns; the median round counts.
const ROUNDS: usize = 5;

/// A way to run the model: (followers, writes, seed). The first row is what the others are compared
/// with.
struct Row {
    name: &'static str,
    run: fn(u32, u64, u64) -> Outcome,
}

const ROWS: &[Row] = &[
    Row { name: "bare, std BinaryHeap", run: bare::run::<StdHeap<Event>> },
    Row { name: "bare, 4-ary heap of keys", run: bare::run::<HeapQueue<Event>> },
    Row { name: "bare, calendar", run: bare::run::<CalendarQueue<Event>> },
    Row { name: "splitbrain, calendar", run: |f, w, seed| ours(f, w, seed, QueueKind::Calendar) },
    Row { name: "splitbrain, heap", run: |f, w, seed| ours(f, w, seed, QueueKind::Heap) },
];

/// The same model in the simulator, with everything on that a run has: digest, history, checkers.
fn ours(followers: u32, writes: u64, seed: u64, queue: QueueKind) -> Outcome {
    simulate((followers, writes, seed), queue, |_| {})
}

/// The same with other settings.
fn simulate(
    (followers, writes, seed): (u32, u64, u64),
    queue: QueueKind,
    change: impl FnOnce(&mut Settings),
) -> Outcome {
    let nodes = u16::try_from(followers + 1).expect("a cluster has at most 1024 nodes");
    let mut config = settings::config(nodes);
    config.network.default = settings::link(settings::uniform_ms(0, 1_000));
    config.network.client_delay = settings::uniform_ms(0, 1_000);
    // Ten writers, each done with a write after two seconds in the mean, and some time to spare.
    config.duration = Span::from_secs(writes / 5 + writes / 50 + 1_000);
    settings::set_clients(&mut config, 10, writes);
    let write_quorum = u16::try_from(followers / 2 + 1).expect("a quorum of the followers");
    let mut protocol = settings::settings(Mode::SemiSync { write_quorum });
    change(&mut protocol);
    let options = RunOptions { queue, ..RunOptions::default() };
    let names = settings::names(&config);
    let result = run::<LeaderFollower>(&config, &names, &protocol, seed, options);
    assert_eq!(result.verdict, RunVerdict::Pass);
    let latencies = result.history.iter().filter_map(|(op, _)| result.history.latency(op));
    let total: u128 = latencies.map(|latency| u128::from(latency.nanos())).sum();
    Outcome { messages: result.messages.sent, mean_latency_ms: total as f64 / 1e6 / writes as f64 }
}

fn main() {
    // First, because what the process ever held is all that the system tells.
    memory();
    println!(
        "replicated write, {ROUNDS} rounds in turns, CPU time; ratio: to the first row, by round\n"
    );
    println!(
        "| followers | writes | model | ns/message | M messages/s | ratio (least .. most) \
         | mean latency ms |"
    );
    println!("|---|---|---|---|---|---|---|");
    let cases = [(5, 10_000), (5, 100_000), (5, 1_000_000), (50, 100_000), (500, 10_000)];
    for (followers, writes) in cases {
        compare(followers, writes);
    }
    durable_and_elected();
    println!("\nwhole runs, F = 5, from nothing to the result\n");
    println!("| writes | model | us/run |");
    println!("|---|---|---|");
    for (writes, repeats) in [(1, 20_000), (1_000, 200)] {
        short_runs(writes, repeats);
    }
}

/// What an operation costs in memory: how far the most that the process ever held rises with a
/// million writes.
fn memory() {
    const WRITES: u64 = 1_000_000;
    let most_held = || -> Option<f64> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    std::hint::black_box(ours(5, 10, 0, QueueKind::Calendar));
    let before = most_held();
    std::hint::black_box(ours(5, WRITES, 0, QueueKind::Calendar));
    match (before, most_held()) {
        (Some(before), Some(after)) => {
            let bytes = (after - before) * 1024.0 / WRITES as f64;
            println!("memory: {bytes:.0} bytes an operation, over {WRITES} writes\n");
        }
        _ => println!("memory: this system does not say\n"),
    }
}

fn compare(followers: u32, writes: u64) {
    let messages = writes * (2 * u64::from(followers) + 2);
    let mut costs = vec![Vec::new(); ROWS.len()];
    let mut latency = vec![0.0; ROWS.len()];
    for round in 0..ROUNDS {
        for (row, Row { name, run }) in ROWS.iter().enumerate() {
            let (cost, outcome) = timed(|| run(followers, writes, round as u64));
            assert_eq!(outcome.messages, messages, "{name} sent another number of messages");
            // The closed form is 2000 ms for an odd number of followers and hardly more for a large
            // even one.
            let error = (outcome.mean_latency_ms / 2_000.0 - 1.0).abs();
            assert!(error < 0.02, "{name}: a mean latency of {} ms", outcome.mean_latency_ms);
            costs[row].push(cost / messages as f64);
            latency[row] = outcome.mean_latency_ms;
        }
    }
    for (row, Row { name, .. }) in ROWS.iter().enumerate() {
        let ratios: Vec<f64> = costs[row].iter().zip(&costs[0]).map(|(a, b)| a / b).collect();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        let cost = median(costs[row].clone());
        println!(
            "| {followers} | {writes} | {name} | {cost:.1} | {:.1} | {:.2} \
             ({least:.2} .. {most:.2}) | {:.1} |",
            1e3 / cost,
            median(ratios),
            latency[row],
        );
    }
}

/// What logs, checkpoints, heartbeats and the timers of failover add to a write.
fn durable_and_elected() {
    const WRITES: u64 = 100_000;
    type Way = (&'static str, fn(&mut Settings));
    const WAYS: [Way; 4] = [
        ("in memory, a leader for ever", |_| {}),
        ("buffered log", logged),
        ("buffered log, checkpoints, majority vote", |settings| {
            logged(settings);
            elected(settings, MAJORITY_VOTE);
        }),
        ("buffered log, checkpoints, lowest id", |settings| {
            logged(settings);
            elected(settings, Election::LowestId { pre_empt: false });
        }),
    ];
    println!("\nlogs and elections, F = 5, {WRITES} writes; ratio: to the first row, by round\n");
    println!("| model | us/write | ratio (least .. most) |");
    println!("|---|---|---|");
    let mut costs = vec![Vec::new(); WAYS.len()];
    for round in 0..ROUNDS {
        for (row, (_, change)) in WAYS.iter().enumerate() {
            let case = (5, WRITES, round as u64);
            let (cost, _) = timed(|| simulate(case, QueueKind::Calendar, change));
            costs[row].push(cost / WRITES as f64 / 1e3);
        }
    }
    for ((name, _), of_row) in WAYS.iter().zip(&costs) {
        let ratios: Vec<f64> = of_row.iter().zip(&costs[0]).map(|(a, b)| a / b).collect();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        let cost = median(of_row.clone());
        println!("| {name} | {cost:.2} | {:.2} ({least:.2} .. {most:.2}) |", median(ratios));
    }
}

const MAJORITY_VOTE: Election =
    Election::MajorityVote { pre_vote: false, check_log: true, persist_vote: true };

fn logged(settings: &mut Settings) {
    settings.wal.policy = Policy::Buffered { sync_every: Span::from_secs(10) };
}

fn elected(settings: &mut Settings, election: Election) {
    settings.wal.checkpoint_every = NonZeroU32::new(10_000);
    settings.failover = Failover { election, catch_up: CatchUp::FullState, ..Failover::NONE };
}

fn short_runs(writes: u64, repeats: u64) {
    let mut costs = vec![Vec::new(); ROWS.len()];
    for _ in 0..ROUNDS {
        for (row, Row { run, .. }) in ROWS.iter().enumerate() {
            let (cost, _) = timed(|| {
                for seed in 0..repeats {
                    std::hint::black_box(run(5, writes, seed));
                }
            });
            costs[row].push(cost / repeats as f64 / 1e3);
        }
    }
    for (Row { name, .. }, costs) in ROWS.iter().zip(costs) {
        println!("| {writes} | {name} | {:.1} |", median(costs));
    }
}
