//! Random schedules against promises: clusters that are safe by any combination of settings, and
//! clusters of random settings under every kind of fault. No case breaks a promise.
//!
//! A failure names the case by seed and number; `FuzzTarget::case` draws it again.

use std::cell::Cell;
use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{
    Config as Runner, RngAlgorithm, RngSeed, TestCaseError, TestError, TestRng, TestRunner,
};
use rayon::prelude::*;
use splitbrain::fuzz::play::{PlayedCase, play};
use splitbrain::fuzz::target::FuzzTarget;
use splitbrain::scenario::Registry;

use crate::support::scenario::SAFE;

/// The campaigns of safe clusters, behind [`SAFE`]; all of them promise this much.
const CAMPAIGN: &str = r#"
[fuzz]
faults = [1, 12]

[expect]
single-leader = "valid"
"#;

/// What settings that wait for a majority promise in addition.
const KEPT: [&str; 2] = ["expect.durability=valid", "expect.convergence=valid"];

/// The faults that these clusters survive: all but disks that lie, rot or come back empty, and full
/// disks, which may stop them.
const SURVIVED: &str = "crash power-loss pause partition majorities-ring bridge isolate block clog \
                        slow drop \
     clock-offset clock-jump clock-drift torn-write slow-disk";

/// Choices of acknowledgement, write-ahead log and election.
const MODES: [&[&str]; 3] =
    [&["mode=semi-sync"], &["mode=sync"], &["mode=in-sync", "in-sync.lag=300ms"]];
const LOGS: [&[&str]; 3] = [
    &["wal.policy=fsync"],
    &["wal.policy=group-commit"],
    &["wal.policy=fsync", "wal.checkpoint-every=5"],
];
const VOTES: [&str; 2] = ["failover.pre-vote=false", "failover.pre-vote=true"];

/// A runner with a fixed seed that sets every field that the environment could set.
fn runner(cases: u32, seed: u8) -> TestRunner {
    let config = Runner {
        cases,
        failure_persistence: None,
        max_shrink_iters: 0,
        max_shrink_time: 0,
        verbose: 0,
        rng_algorithm: RngAlgorithm::ChaCha,
        rng_seed: RngSeed::Fixed(0),
        ..Runner::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]))
}

fn target(text: &str, sets: &[String]) -> FuzzTarget {
    FuzzTarget::new("random.toml", text.as_bytes().to_vec(), &Registry::new(), sets)
        .unwrap_or_else(|mistakes| panic!("{sets:?}: {mistakes}"))
}

/// [`SAFE`] with settings: paths below the protocol, unless they name a whole table.
fn safe(nodes: u16, ways: &[&str]) -> FuzzTarget {
    let mut sets = vec![format!("cluster.nodes={nodes}")];
    if ways.contains(&"mode=semi-sync") {
        sets.push(format!("protocol.leader-follower.write-quorum={}", nodes / 2));
    }
    if !ways.contains(&"mode=in-sync") {
        sets.extend(KEPT.map(str::to_owned));
    }
    let kinds = SURVIVED.split_whitespace().map(|kind| format!("{kind:?}")).collect::<Vec<_>>();
    sets.push(format!("fuzz.kinds=[{}]", kinds.join(", ")));
    sets.extend(ways.iter().map(|set| format!("protocol.leader-follower.{set}")));
    target(&format!("{SAFE}{CAMPAIGN}"), &sets)
}

/// Every combination of the choices above, on three and on five nodes.
fn every_safe_way() -> Vec<(String, FuzzTarget)> {
    let mut all = Vec::new();
    for nodes in [3, 5] {
        for mode in MODES {
            for log in LOGS {
                for vote in VOTES {
                    let ways = [mode, log, &[vote]].concat();
                    all.push((format!("{nodes} nodes, {}", ways.join(", ")), safe(nodes, &ways)));
                }
            }
        }
    }
    all
}

/// Plays a case that must find nothing.
fn silent(
    name: &str,
    target: &FuzzTarget,
    seed: u64,
    case: u64,
) -> Result<PlayedCase, TestCaseError> {
    let played = play(target, seed, case);
    prop_assert!(
        played.findings.is_empty(),
        "{name}: case {case} of seed {seed}: {:#?}",
        played.findings
    );
    Ok(played)
}

/// Acknowledged writes of a case.
fn acknowledged(played: &PlayedCase) -> usize {
    let result = played.result.as_ref().expect("a protocol that panics is a find");
    result.history.iter().filter(|(_, entry)| entry.is_ok() && entry.is_write()).count()
}

/// Plays `cases` cases of every second way from `first`.
fn hold(first: usize, cases: u32) {
    for (number, (name, target)) in (1_u8..).zip(every_safe_way().iter().skip(first).step_by(2)) {
        let (written, struck) = (Cell::new(0), Cell::new(0));
        let property = |(seed, case): (u64, u64)| {
            let played = silent(name, target, seed, case)?;
            written.set(written.get() + acknowledged(&played));
            struck.set(struck.get() + played.result.map_or(0, |result| result.impacts.len()));
            Ok(())
        };
        let done = runner(cases, number).run(&(any::<u64>(), any::<u64>()), property);
        done.unwrap_or_else(|broken| panic!("{broken}"));
        // No finding means something only if there were writes to lose and faults to lose them.
        let (cases, written, struck) = (cases as usize, written.get(), struck.get());
        assert!(
            written > cases * 15 && struck > cases * 3,
            "{name}: {written} writes, {struck} strikes"
        );
    }
}

#[test]
fn a_safe_cluster_without_pre_votes_loses_nothing_under_any_schedule() {
    hold(0, 100);
}

#[test]
fn a_safe_cluster_with_pre_votes_loses_nothing_under_any_schedule() {
    hold(1, 100);
}

/// Clusters without elections, with every choice of acknowledgement and log, keep their promises.
/// Nobody replaces the leader, so a disk that comes back empty or broken voids all of them.
const FOR_EVER: &str = r#"
duration = "2s"
settle = "20s"

[cluster]
nodes = 3

[protocol.leader-follower]
mode = "semi-sync"
write-quorum = 1
on-ack-timeout = "fail"
ack-timeout = "150ms"
resend = "50ms"
wal.policy = "fsync"

[network]
delay = { uniform = ["1ms", "15ms"] }
client-delay = "1ms"
loss = "2%"
duplication = "5%"

[disk]
sync = { uniform = ["1ms", "4ms"] }

[workload]
clients = 4
operations = 60
keys = 10
mix = { put = 6, get = 3, delete = 1 }
think = { exponential = "30ms" }
timeout = "500ms"

[fuzz]
kinds = "all"
faults = [1, 10]

[fuzz.settings]
"cluster.nodes" = [2, 3, 5]
"protocol.leader-follower.mode" = ["async", "semi-sync", "sync"]
"protocol.leader-follower.wal.policy" = ["off", "buffered", "fsync", "group-commit"]
"protocol.leader-follower.timestamps" = ["wall", "hybrid", "term-sequence", "client"]
"protocol.leader-follower.deletes" = ["tombstone", "erase"]
"protocol.leader-follower.replication" = ["entry", "full-state"]
"protocol.leader-follower.ties" = ["keep-existing", "node-id"]
"workload.read-from" = ["leader", "any", "nearest"]
"workload.read-quorum" = [1, 2]
"workload.retries" = { from = 0, to = 3 }
"network.loss" = { from = "0%", to = "10%" }
"network.duplication" = { from = "0%", to = "20%" }
"network.client-delay" = { from = "0ms", to = "20ms" }
"#;

/// Every election, every way to catch up, and all other choices.
const ELECTED: &str = r#"
[fuzz]
kinds = "all"
faults = [1, 12]

[fuzz.settings]
"cluster.nodes" = [2, 3, 4, 5]
"protocol.leader-follower.mode" = ["async", "semi-sync", "sync"]
"protocol.leader-follower.on-ack-timeout" = ["succeed", "fail"]
"protocol.leader-follower.timestamps" = ["wall", "hybrid", "term-sequence", "client"]
"protocol.leader-follower.wal.policy" = ["buffered", "fsync", "group-commit"]
"protocol.leader-follower.wal.checkpoint-every" = [3, 1000]
"protocol.leader-follower.deduplicate" = [true, false]
"protocol.leader-follower.failover.election" = ["lowest-id", "highest-id", "majority-vote",
    "newest-timestamp"]
"protocol.leader-follower.failover.fencing" = [true, false]
"protocol.leader-follower.failover.catch-up" = ["none", "full-state", "log"]
"protocol.leader-follower.failover.without-leader" = ["refuse", "wait"]
"workload.mix" = [{ put = 8, get = 1, delete = 1 }, { append = 8, get = 2 },
    { put = 2, append = 2, list = 1, read-all = 1 }]
"workload.retries" = { from = 0, to = 3 }
"network.loss" = { from = "0%", to = "5%" }
"#;

/// Plays cases of random settings under every kind of fault, in parallel; none may break a promise.
/// Returns how many writes were acknowledged, and for how many combinations of settings.
fn whatever(target: &FuzzTarget, cases: u64) {
    let written: Vec<(usize, String)> = (0..cases)
        .into_par_iter()
        .map(|case| {
            let played = silent("random settings", target, 3, case);
            let played = played.unwrap_or_else(|broken| panic!("{broken}"));
            let settings = target.case(3, case).scenario().protocol.encode().to_string();
            (acknowledged(&played), settings)
        })
        .collect();
    let all: usize = written.iter().map(|(count, _)| count).sum();
    assert!(all as u64 > cases * 10, "{all} writes");
    let settings: BTreeSet<&String> = written.iter().map(|(_, settings)| settings).collect();
    assert!(settings.len() > 300, "{} combinations", settings.len());
}

#[test]
fn whatever_a_leader_for_ever_promises_is_kept_under_every_kind_of_fault() {
    whatever(&target(FOR_EVER, &[]), 2_000);
}

#[test]
fn whatever_elected_leaders_promise_is_kept_under_every_kind_of_fault() {
    let text = format!("{SAFE}{ELECTED}");
    let sets = ["mode=semi-sync", "write-quorum=1", "wal.policy=fsync"];
    let sets = sets.map(|set| format!("protocol.leader-follower.{set}"));
    whatever(&target(&text, &[&sets[..], &["cluster.nodes=3".to_owned()]].concat()), 2_000);
}

/// The safe clusters are safe for a reason: without any one safeguard the same property fails.
#[test]
fn without_a_safeguard_the_property_does_not_hold() {
    for without in
        ["wal.policy=buffered", "failover.check-log=false", "failover.fencing=false", "mode=async"]
    {
        let mode = if without == "mode=async" { &[][..] } else { &["mode=semi-sync"] };
        let target = safe(3, &[mode, &["wal.policy=fsync"], &[without]].concat());
        let broken = runner(2_000, 1).run(&(any::<u64>(), any::<u64>()), |(seed, case)| {
            silent(without, &target, seed, case).map(|_| ())
        });
        let Err(TestError::Fail(why, _)) = broken else { panic!("{without}: {broken:?}") };
        assert!(why.message().contains("durability"), "{without}: {why}");
    }
}
