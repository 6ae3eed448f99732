//! What a campaign costs: runs a second of CPU time, the bare runs of the same cases beside what is
//! around them, in turns in one process; and what a second core adds.
//!
//! `cargo bench --bench campaign`

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

#[path = "measure.rs"]
mod measure;

use measure::{median, timed};
use rayon::{ThreadPool, ThreadPoolBuilder};
use splitbrain::fuzz::campaign::{Length, StoppingRule, play_missing};
use splitbrain::fuzz::cases::Cases;
use splitbrain::fuzz::identity::{Identity, Shard};
use splitbrain::fuzz::judge;
use splitbrain::fuzz::target::{FuzzCase, FuzzTarget};
use splitbrain::rng::Probability;
use splitbrain::run::RunOptions;
use splitbrain::scenario::Registry;

/// Measured in turns; the median round counts.
const ROUNDS: usize = 5;
/// As many cases a round has.
const CASES: u64 = 4_000;
/// The share of cases that are played twice when nobody says, in parts per billion.
const VERIFIED: u32 = 50_000_000;
/// As many runs a second a core there are to be.
const WANTED: f64 = 3_000.0;

fn main() {
    let target = target();
    compare(&target);
    two_cores(&target);
}

/// The scenario beside this file.
fn target() -> FuzzTarget {
    let origin = "benches/campaign.toml";
    let text = include_bytes!("campaign.toml").to_vec();
    FuzzTarget::new(origin, text, &Registry::new(), &[])
        .unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)))
}

/// Cases drawn beforehand and only played; drawn, played and judged; and the whole campaign.
fn compare(target: &FuzzTarget) {
    let one = pool(1);
    let share = Probability::from_parts_per_billion(VERIFIED).expect("a share");
    let none = Probability::from_parts_per_billion(0).expect("a share");
    type Way<'a> = (&'static str, Box<dyn Fn(u64) -> f64 + 'a>);
    let ways: [Way<'_>; 4] = [
        ("cases played", Box::new(|seed| played(target, seed))),
        ("drawn, played, judged", Box::new(|seed| judged(target, seed))),
        ("a campaign, none played twice", Box::new(|seed| campaign(target, &one, seed, none).cpu)),
        ("a campaign", Box::new(|seed| campaign(target, &one, seed, share).cpu)),
    ];
    let mut costs = vec![Vec::new(); ways.len()];
    for round in 0..ROUNDS {
        for ((_, way), costs) in ways.iter().zip(&mut costs) {
            costs.push(way(round as u64) / CASES as f64 / 1e3);
        }
    }
    println!(
        "{CASES} cases, {ROUNDS} rounds in turns, CPU time; ratio: to the first row, by round\n"
    );
    println!("| one core | us/case | cases/s | ratio (least .. most) |");
    println!("|---|---|---|---|");
    for ((name, _), of_row) in ways.iter().zip(&costs) {
        let ratios: Vec<f64> = of_row.iter().zip(&costs[0]).map(|(a, b)| a / b).collect();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        let cost = median(of_row.clone());
        println!(
            "| {name} | {cost:.0} | {:.0} | {:.2} ({least:.2} .. {most:.2}) |",
            1e6 / cost,
            median(ratios),
        );
    }
    let rate = 1e6 / median(costs[ways.len() - 1].clone());
    println!("\n{:.2} times the {WANTED} runs a second that there are to be\n", rate / WANTED);
}

/// The time that goes by with one thread and with two: on a machine that has something else to do
/// it says little.
fn two_cores(target: &FuzzTarget) {
    let share = Probability::from_parts_per_billion(VERIFIED).expect("a share");
    let pools = [pool(1), pool(2)];
    let mut costs = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        for (pool, costs) in pools.iter().zip(&mut costs) {
            costs.push(campaign(target, pool, round as u64, share));
        }
    }
    println!("| threads | runs/s by the clock | CPU us/case |");
    println!("|---|---|---|");
    for (threads, costs) in (1..).zip(&costs) {
        let took = costs.iter().map(|cost| cost.took.as_secs_f64()).collect();
        let cpu = costs.iter().map(|cost| cost.cpu).collect();
        let (rate, cpu) = (CASES as f64 / median(took), median(cpu) / CASES as f64 / 1e3);
        println!("| {threads} | {rate:.0} | {cpu:.0} |");
    }
    let times = |(one, two): (&Cost, &Cost)| one.took.as_secs_f64() / two.took.as_secs_f64();
    let gains: Vec<f64> = costs[0].iter().zip(&costs[1]).map(times).collect();
    let most = gains.iter().copied().fold(0.0, f64::max);
    println!("\ntwo threads do {:.2} times as much as one; at best {most:.2}", median(gains));
}

fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started")
}

/// The CPU time of playing the cases, all checkers on, without drawing them.
fn played(target: &FuzzTarget, seed: u64) -> f64 {
    // Drawn in parts, so that what is drawn does not fill the memory.
    const PART: u64 = 100;
    let part = |part: u64| {
        let cases = part * PART..(part + 1) * PART;
        let cases: Vec<FuzzCase> = cases.map(|index| target.case(seed, index)).collect();
        let play = || {
            for case in &cases {
                black_box(case.run(RunOptions::default()));
            }
        };
        timed(play).0
    };
    (0..CASES / PART).map(part).sum()
}

fn judged(target: &FuzzTarget, seed: u64) -> f64 {
    let play = || {
        for index in 0..CASES {
            let case = target.case(seed, index);
            let result = case.run(RunOptions::default());
            black_box(judge::findings(case.config(), &result, case.scope()));
        }
    };
    timed(play).0
}

/// What a campaign took, on the processor in nanoseconds and by the clock.
struct Cost {
    cpu: f64,
    took: Duration,
}

/// Everything that `splitbrain fuzz` does with cases: they are drawn, played, judged and kept in a
/// folder.
fn campaign(target: &FuzzTarget, pool: &ThreadPool, seed: u64, verify: Probability) -> Cost {
    let folder = tempfile::tempdir().expect("a folder for the campaign");
    let begun = Instant::now();
    let (cpu, ()) = timed(|| play(target, pool, folder.path(), (seed, verify)));
    Cost { cpu, took: begun.elapsed() }
}

fn play(target: &FuzzTarget, pool: &ThreadPool, folder: &Path, (seed, verify): (u64, Probability)) {
    let identity = Identity::new(target, "campaign", seed, verify);
    let cases = Cases::open(folder, identity, Shard::WHOLE).expect("a new folder");
    let rule = StoppingRule { length: Length::Runs(CASES), stop_after: None };
    let played = pool.install(|| play_missing(target, rule, &cases, &|_| ()));
    assert_eq!(played.expect("the folder takes them"), CASES);
    let totals = cases.finish(CASES).expect("the folder takes them");
    assert_eq!(totals.kinds.len(), 0, "the configuration is safe");
    cases.close().expect("the folder is ours");
}
