//! The checkers are sound and complete on a known cluster: with every safeguard nothing is lost
//! under crashes, power losses and partitions; without any one of them, the checker in charge finds
//! the loss.
//!
//! Schedules are random, and each case is a pure function of its seed. `SAFEGUARD_CASES=100000`
//! plays that many of each kind of random settings.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use rayon::prelude::*;
use splitbrain::check::CheckReport;
use splitbrain::config::{
    DiskFault, ExpectedVerdict, Fault, FaultAction, Group, Route, Start, Target,
};
use splitbrain::id::{FaultId, NodeId};
use splitbrain::property::Property;
use splitbrain::run::{RunOptions, RunResult};
use splitbrain::sampler::Distribution;
use splitbrain::scenario::Scenario;
use splitbrain::time::{Span, Time};

use crate::support::result::{check, judged};
use crate::support::scenario::{SAFE, read_with};

/// The scenario with some settings changed.
fn ground(nodes: u16, sets: &[&str]) -> Scenario {
    let quorum = nodes / 2;
    let mut all = vec![
        "title='every safeguard'".to_owned(),
        "workload.operations=100".to_owned(),
        "protocol.leader-follower.mode=semi-sync".to_owned(),
        "protocol.leader-follower.wal.policy=fsync".to_owned(),
        format!("cluster.nodes={nodes}"),
        format!("protocol.leader-follower.write-quorum={quorum}"),
    ];
    let tables = ["workload.", "network."];
    let path = |set: &&str| {
        let is_whole = tables.iter().any(|table| set.starts_with(table));
        if is_whole { (*set).to_owned() } else { format!("protocol.leader-follower.{set}") }
    };
    all.extend(sets.iter().map(path));
    read_with(SAFE, &all)
}

/// A number below `bound`.
fn below(rng: &mut ChaCha8Rng, bound: u64) -> u64 {
    rng.next_u64() % bound
}

/// Clocks that are wrong by up to half a second, and two to eight faults that end: crashes, power
/// losses of one node or all, partitions, and links blocked one way.
fn draw_faults(scenario: &mut Scenario, seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let nodes = scenario.config.cluster.nodes;
    for clock in &mut scenario.config.clocks {
        clock.offset_ns =
            i64::try_from(below(&mut rng, 1_000_000_000)).expect("a second") - 500_000_000;
    }
    let count = 2 + below(&mut rng, 7);
    for index in 0..u32::try_from(count).expect("a few") {
        let rng = &mut rng;
        let at = Time::ZERO + Span::from_millis(100 + below(rng, 2_600));
        let lasts = Span::from_millis(5 + below(rng, 600));
        let node = NodeId(u16::try_from(below(rng, nodes.into())).expect("a node"));
        let other = NodeId(u16::try_from(below(rng, nodes.into())).expect("a node"));
        let action = match below(rng, 13) {
            0 => FaultAction::Crash(Target::Leader),
            1 => FaultAction::PowerLoss(Target::Leader),
            2 => FaultAction::Crash(Target::Nodes(vec![node])),
            3 => FaultAction::PowerLoss(Target::Nodes(vec![node])),
            4 => FaultAction::PowerLoss(Target::All),
            5 => FaultAction::PowerLoss(Target::Majority),
            6 | 7 => FaultAction::Isolate(Target::Leader),
            8..=10 => {
                let (from, to) = (Target::Nodes(vec![node]), Target::Nodes(vec![other]));
                FaultAction::Block(Route { from, to, both_ways: false })
            }
            _ => {
                let side = NodeId::all(nodes).filter(|_| below(rng, 2) == 0).collect();
                FaultAction::Partition(vec![Group { nodes: side, clients: Vec::new() }])
            }
        };
        let id = FaultId(index);
        Arc::make_mut(&mut scenario.names).faults.push(format!("f{index}"));
        scenario.config.faults.push(Fault {
            id,
            start: Start::At(at),
            lasts: Some(lasts),
            action,
            forever: false,
        });
    }
}

fn play(nodes: u16, sets: &[&str], seed: u64) -> RunResult {
    let mut scenario = ground(nodes, sets);
    draw_faults(&mut scenario, seed);
    scenario.run(seed, RunOptions::default())
}

/// Whether `property` was broken, promised or not.
fn is_broken(result: &RunResult, property: Property) -> bool {
    let broken = [ExpectedVerdict::Violation, ExpectedVerdict::Allowed];
    broken.contains(&judged(result, property))
}

const JUDGED: [Property; 6] = [
    Property::Durability,
    Property::SingleLeader,
    Property::Convergence,
    Property::Votes,
    Property::LogMatching,
    Property::LeaderAppendOnly,
];

#[test]
fn nothing_is_lost_with_every_safeguard() {
    let seeds = 10_000_u64;
    let written: u64 = (0..seeds)
        .into_par_iter()
        .map(|seed| {
            let nodes = if seed % 2 == 0 { 3 } else { 5 };
            // The other safe policies of the log.
            let ways: [&[&str]; 3] =
                [&[], &["wal.checkpoint-every=5"], &["wal.policy=group-commit"]];
            let result = play(nodes, ways[usize::try_from(seed / 2 % 3).expect("small")], seed);
            let promised = |report: &&CheckReport| report.judged == ExpectedVerdict::Violation;
            let broken: Vec<_> = result.checks.iter().filter(promised).collect();
            assert!(broken.is_empty(), "seed {seed} with {nodes} nodes: {broken:#?}");
            for property in JUDGED {
                assert!(
                    !is_broken(&result, property),
                    "seed {seed} with {nodes} nodes: {:#?}",
                    check(&result, property)
                );
            }
            result.history.iter().filter(|(_, entry)| entry.is_ok() && entry.is_write()).count()
                as u64
        })
        .sum();
    // No finding means something only if there were writes to lose.
    assert!(written > seeds * 40, "{written} writes were acknowledged");
}

/// Each safeguard, the setting that removes it, and the property that breaks without it.
const SAFEGUARDS: [(&str, &[&str], Property); 10] = [
    ("fsync", &["wal.policy=buffered"], Property::Durability),
    ("persisted vote", &["failover.persist-vote=false"], Property::SingleLeader),
    ("persisted vote", &["failover.persist-vote=false"], Property::Votes),
    ("votes", &["failover.election=lowest-id"], Property::LogMatching),
    ("fencing", &["failover.fencing=false"], Property::LeaderAppendOnly),
    ("up-to-date check", &["failover.check-log=false"], Property::Durability),
    ("fencing", &["failover.fencing=false"], Property::Durability),
    ("catch-up", &["failover.catch-up=none"], Property::Convergence),
    ("quorum", &["write-quorum=1", "mode=async"], Property::Durability),
    ("timestamps", &["timestamps=wall"], Property::Durability),
];

#[test]
fn without_a_safeguard_the_checker_that_should_tell_tells() {
    for (safeguard, sets, property) in SAFEGUARDS {
        let found = (0..2_000_u64).into_par_iter().find_first(|seed| {
            let nodes = if seed % 2 == 0 { 3 } else { 5 };
            is_broken(&play(nodes, sets, *seed), property)
        });
        println!("without {safeguard}: {property} breaks first under seed {found:?}");
        assert!(found.is_some(), "without {safeguard} {property} holds for 2,000 seeds");
    }
}

/// Random settings of every kind: such a cluster keeps its promises, whatever they are.
fn draw_settings(rng: &mut ChaCha8Rng, nodes: u16) -> Vec<String> {
    fn one_of<'a>(rng: &mut ChaCha8Rng, choices: &[&'a str]) -> &'a str {
        choices[usize::try_from(below(rng, choices.len() as u64)).expect("an index")]
    }
    let mut sets = Vec::new();
    let mut set = |key: &str, value: &str| sets.push(format!("{key}={value}"));
    let quorum = (1 + below(rng, u64::from(nodes) - 1)).to_string();
    let catch_up = one_of(rng, &["none", "full-state", "log", "log"]);
    let election = one_of(
        rng,
        &["none", "lowest-id", "highest-id", "majority-vote", "majority-vote", "newest-timestamp"],
    );
    let mode = one_of(rng, &["async", "semi-sync", "sync", "in-sync"]);
    let is_log = catch_up == "log";
    match mode {
        "in-sync" if is_log => set("in-sync.lag", "300ms"),
        _ => set("write-quorum", &quorum),
    }
    set("mode", if mode == "in-sync" && !is_log { "semi-sync" } else { mode });
    set("on-ack-timeout", one_of(rng, &["succeed", "fail", "fail"]));
    set("deletes", one_of(rng, &["tombstone", "tombstone", "erase"]));
    set("timestamps", one_of(rng, &["wall", "hybrid", "client", "term-sequence"]));
    set("wal.policy", one_of(rng, &["off", "buffered", "fsync", "group-commit"]));
    set("failover.election", election);
    set("failover.catch-up", catch_up);
    set("failover.fencing", one_of(rng, &["true", "true", "false"]));
    set("failover.without-leader", one_of(rng, &["refuse", "wait"]));
    if !is_log {
        set("replication", one_of(rng, &["entry", "full-state"]));
        set("resend", one_of(rng, &["off", "100ms"]));
        if below(rng, 3) == 0 {
            set("anti-entropy.interval", "100ms");
        }
    }
    if catch_up != "none" {
        set("failover.tail", one_of(rng, &["discard", "merge"]));
    }
    if election == "majority-vote" {
        set("failover.pre-vote", one_of(rng, &["false", "true"]));
        set("failover.check-log", one_of(rng, &["true", "true", "false"]));
        set("failover.persist-vote", one_of(rng, &["true", "true", "false"]));
    }
    sets
}

/// The seeds of random settings: as many as the environment says, or few enough for every test run.
fn seeds(usual: u64) -> impl ParallelIterator<Item = u64> {
    let cases = std::env::var("SAFEGUARD_CASES").ok().map(|cases| cases.parse());
    (0..cases.map_or(usual, |cases| cases.expect("a number of cases"))).into_par_iter()
}

#[test]
fn whatever_is_promised_is_kept() {
    seeds(10_000).for_each(|seed| {
        let nodes = [2, 3, 3, 4, 5][usize::try_from(seed % 5).expect("small")];
        let mut rng = ChaCha8Rng::seed_from_u64(!seed);
        let sets = draw_settings(&mut rng, nodes);
        let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
        let result = play(nodes, &sets, seed);
        let promised = |report: &&CheckReport| report.judged == ExpectedVerdict::Violation;
        let broken: Vec<_> = result.checks.iter().filter(promised).collect();
        assert!(broken.is_empty(), "seed {seed} with {nodes} nodes and {sets:?}: {broken:#?}");
    });
}

/// One to four faults of further kinds: pauses, clocks that jump or drift, disks that are full,
/// slow, lying or damaged, and nodes that come back with an empty disk.
fn draw_rare_faults(scenario: &mut Scenario, rng: &mut ChaCha8Rng) {
    let nodes = scenario.config.cluster.nodes;
    for _ in 0..1 + below(rng, 4) {
        let at = Time::ZERO + Span::from_millis(100 + below(rng, 2_600));
        let lasts = Span::from_millis(5 + below(rng, 900));
        let target = match below(rng, 4) {
            0 => Target::Leader,
            1 => Target::All,
            _ => Target::Nodes(vec![NodeId(
                u16::try_from(below(rng, nodes.into())).expect("a node"),
            )]),
        };
        let on_disk = |fault| FaultAction::Disk { target: target.clone(), fault };
        let by_ns = i64::try_from(below(rng, 2_000_000_000)).expect("two seconds") - 1_000_000_000;
        let action = match below(rng, 12) {
            0 | 1 => FaultAction::Pause(target),
            2 => FaultAction::ClockJump { target, by_ns },
            3 => FaultAction::ClockDrift { target, ppb: by_ns / 2 },
            4..=6 => on_disk(DiskFault::Full),
            7 => on_disk(DiskFault::Slow(Distribution::Constant(Span::from_millis(50)))),
            8 => on_disk(DiskFault::TornWrite),
            9 => on_disk(DiskFault::LostWrite),
            10 => on_disk(DiskFault::FlipBit { byte: None }),
            _ => FaultAction::PowerLoss(target),
        };
        let mut add = |at, lasts, action| {
            let id = FaultId(u32::try_from(scenario.config.faults.len()).expect("a few"));
            Arc::make_mut(&mut scenario.names).faults.push(format!("f{}", id.0));
            scenario.config.faults.push(Fault {
                id,
                start: Start::At(at),
                lasts,
                action,
                forever: false,
            });
        };
        match &action {
            FaultAction::PowerLoss(target) => {
                let target = target.clone();
                let again = FaultAction::Restart { target, empty_disk: true };
                add(at, None, action);
                add(at + lasts, None, again);
            }
            _ => add(at, Some(lasts), action),
        }
    }
}

/// Settings besides those of [`draw_settings`].
fn draw_more_settings(rng: &mut ChaCha8Rng, sets: &mut Vec<String>) {
    let mut maybe = |rng: &mut ChaCha8Rng, one_in: u64, set: &str| {
        if below(rng, one_in) == 0 {
            sets.push(set.to_owned());
        }
    };
    maybe(rng, 2, "wal.checkpoint-every=5");
    maybe(rng, 3, "tombstone-grace=200ms");
    maybe(rng, 4, "ties=keep-existing");
    maybe(rng, 3, "deduplicate=true");
    maybe(rng, 3, "read.repair=after-answer");
    maybe(rng, 2, "failover.unclean=true");
    maybe(rng, 3, "workload.read-from=any");
    maybe(rng, 3, "workload.read-quorum=2");
    maybe(rng, 3, "workload.read-repair=true");
    maybe(rng, 3, "workload.retries=3");
    match below(rng, 3) {
        0 => maybe(rng, 1, "workload.mix={ append = 8, get = 2 }"),
        1 => maybe(
            rng,
            1,
            "workload.mix={ put = 4, append = 4, get = 4, delete = 1, list = 1, read-all = 1 }",
        ),
        _ => {}
    }
    maybe(rng, 4, "network.loss=5%");
    maybe(rng, 4, "network.duplication=20%");
    maybe(rng, 4, "network.delay={ uniform = [\"1ms\", \"60ms\"] }");
}

/// A cut of the replicated log on a full disk once left a hole in the numbered log, and the
/// simulation panicked.
#[test]
fn whatever_is_promised_is_kept_whatever_happens() {
    seeds(5_000).for_each(|seed| {
        let nodes = [2, 3, 3, 4, 5][usize::try_from(seed % 5).expect("small")];
        let mut rng = ChaCha8Rng::seed_from_u64(!seed);
        let mut sets = draw_settings(&mut rng, nodes);
        draw_more_settings(&mut rng, &mut sets);
        let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
        let mut scenario = ground(nodes, &sets);
        draw_faults(&mut scenario, seed);
        draw_rare_faults(&mut scenario, &mut rng);
        let result = scenario.run(seed, RunOptions::default());
        let promised = |report: &&CheckReport| report.judged == ExpectedVerdict::Violation;
        let broken: Vec<_> = result.checks.iter().filter(promised).collect();
        assert!(broken.is_empty(), "seed {seed} with {nodes} nodes and {sets:?}: {broken:#?}");
    });
}

/// A leader once answered a retried append at once, though no follower had it, and the next leader
/// cut it off.
#[test]
fn an_append_that_is_tried_again_waits_like_the_first() {
    (0..2_000_u64).into_par_iter().for_each(|seed| {
        let nodes = if seed % 2 == 0 { 3 } else { 5 };
        let sets = [
            "deduplicate=true",
            "ack-timeout=60ms",
            "workload.mix={ append = 8, get = 2 }",
            "workload.timeout=40ms",
            "workload.retries=9",
            "network.loss=5%",
        ];
        let result = play(nodes, &sets, seed);
        assert!(
            !is_broken(&result, Property::AppendUniqueness),
            "seed {seed} with {nodes} nodes: {:#?}",
            result.checks
        );
    });
}
