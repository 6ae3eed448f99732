//! Leader-follower replication over a write-ahead log: what each policy keeps, and what it costs.

use splitbrain::config::ExpectedVerdict;
use splitbrain::metrics::Settlement;
use splitbrain::property::Property;
use splitbrain::run::{RunOptions, RunResult};
use splitbrain::scenario::Scenario;

use crate::support::result::holds;
use crate::support::result::judged;
use crate::support::scenario::read_with;

/// A cluster under crashes and power losses, single and of everybody, with slow syncs.
const HARD: &str = r#"
duration = "6s"
settle = "20s"
[cluster]
nodes = 3
[protocol.leader-follower]
mode = "semi-sync"
write-quorum = 1
resend = "100ms"
on-ack-timeout = "fail"
[network]
delay = { exponential = "5ms" }
loss = "2%"
duplication = "5%"
[disk]
sync = { uniform = ["1ms", "20ms"] }
[workload]
clients = 4
operations = "unlimited"
keys = 500
mix = { put = 6, get = 3, delete = 1 }
think = { exponential = "10ms" }
timeout = "1s"
[[fault]]
at = "1s"
for = "300ms"
crash = "n1"
[[fault]]
at = "2s"
for = "300ms"
FIRST = ["n2", "n3"]
[[fault]]
at = "3s"
for = "300ms"
FIRST = "n1"
[[fault]]
at = "4s"
for = "500ms"
crash = "all"
[[fault]]
at = "5s"
for = "500ms"
FIRST = "all"
"#;

fn scenario(text: &str, sets: &[&str]) -> Scenario {
    let sets: Vec<String> =
        sets.iter().map(|set| format!("protocol.leader-follower.{set}")).collect();
    read_with(text, &sets)
}

fn run(scenario: &Scenario, seed: u64) -> RunResult {
    scenario.run(seed, RunOptions::default())
}

#[test]
fn what_was_synced_before_it_was_answered_survives_crashes_and_power_losses() {
    let text = HARD.replace("FIRST", "power-loss");
    for (policy, replication, checkpoint_every) in [
        ("fsync", "entry", "off"),
        ("fsync", "full-state", "7"),
        ("group-commit", "entry", "1"),
        ("group-commit", "entry", "20"),
        ("group-commit", "full-state", "off"),
    ] {
        let sets = [
            format!("wal.policy={policy}"),
            format!("replication={replication}"),
            format!("wal.checkpoint-every={checkpoint_every}"),
        ];
        let scenario = scenario(&text, &[&sets[0], &sets[1], &sets[2]]);
        for seed in 0..25 {
            let result = run(&scenario, seed);
            let at = format!("{policy}, {replication}, {checkpoint_every}, seed {seed}");
            let settled = matches!(result.settlement, Settlement::Settled { .. });
            assert!(settled, "{at}: {:?}", result.settlement);
            for check in &result.checks {
                let void = check.property == Property::MonotonicReads;
                let fine = holds(check) || void && check.judged == ExpectedVerdict::Allowed;
                assert!(fine, "{at}: {check:#?}");
            }
            let entries = result.history.entries().iter();
            let writes = entries.filter(|entry| entry.is_ok() && entry.is_write()).count();
            assert!(writes > 30, "{at}: {writes} writes");
        }
    }
}

#[test]
fn what_was_only_written_survives_crashes_of_the_process_alone() {
    let sets = ["wal.policy=buffered", "wal.sync-every=700ms"];
    let of_seeds = |fault: &str| -> Vec<ExpectedVerdict> {
        let scenario = scenario(&HARD.replace("FIRST", fault), &sets);
        let judge = |seed| {
            let result = run(&scenario, seed);
            assert_eq!(judged(&result, Property::Replay), ExpectedVerdict::Valid, "seed {seed}");
            judged(&result, Property::Durability)
        };
        (0..10).map(judge).collect()
    };
    assert_eq!(of_seeds("crash"), [ExpectedVerdict::Valid; 10]);
    assert_eq!(of_seeds("power-loss"), [ExpectedVerdict::Allowed; 10]);
    // Without a log a crash is enough.
    let scenario = scenario(&HARD.replace("FIRST", "crash"), &[]);
    assert_eq!(judged(&run(&scenario, 0), Property::Durability), ExpectedVerdict::Allowed);
}

fn mean_latency_ms(sets: &[&str], clients: u32) -> f64 {
    let text = format!(
        "[cluster]\nnodes = 3\n[protocol.leader-follower]\nmode = \"sync\"\n\
         [network]\ndelay = {{ exponential = \"2ms\" }}\n[disk]\nsync = \"10ms\"\n\
         [workload]\nclients = {clients}\noperations = 1000\nmix = {{ put = 1 }}\n"
    );
    let result = run(&scenario(&text, sets), 3);
    let latencies = result.history.iter().filter_map(|(op, _)| result.history.latency(op));
    latencies.map(|latency| latency.nanos() as f64 / 1e6).sum::<f64>() / 1_000.0
}

/// A single client never shares a sync: the two policies then give the same run, down to every
/// draw.
#[test]
fn writes_that_arrive_together_share_a_sync_and_one_alone_has_its_own() {
    let alone = mean_latency_ms(&["wal.policy=fsync"], 1);
    assert!((20.0..30.0).contains(&alone), "a sync here and one there: {alone}");
    assert!((alone - mean_latency_ms(&["wal.policy=group-commit"], 1)).abs() < 1e-9);
    // Twenty syncs of 10 ms in a row, or at most two.
    let queued = mean_latency_ms(&["wal.policy=fsync"], 20);
    let shared = mean_latency_ms(&["wal.policy=group-commit"], 20);
    assert!((195.0..225.0).contains(&queued), "{queued}");
    assert!((20.0..50.0).contains(&shared), "{shared}");
}

/// Ten writes, one every 100 ms, to three nodes that sync each; and the given faults.
fn ten_writes(more: &str) -> String {
    let writes: String = (1..=10)
        .map(|i| {
            format!(
                "[[operation]]\nat = \"{}ms\"\nclient = \"writer\"\n\
                 put = {{ key = \"r{i}\", value = \"{i}\" }}\ntimeout = \"90ms\"\n",
                100 * i
            )
        })
        .collect();
    format!(
        "duration = \"3s\"\nsettle = \"5s\"\n[cluster]\nnodes = 3\n\
         [protocol.leader-follower]\nmode = \"sync\"\nresend = \"100ms\"\n\
         wal = {{ policy = \"fsync\" }}\n{writes}{more}"
    )
}

fn acts(result: &RunResult) -> Vec<&str> {
    result.history.nemesis().iter().map(|event| event.what.as_str()).collect()
}

#[test]
fn a_full_disk_refuses_writes_and_the_node_lives() {
    let full = "[[fault]]\nat = \"350ms\"\nfor = \"300ms\"\ndisk-full = \"n1\"\n";
    let result = run(&scenario(&ten_writes(full), &[]), 1);
    let failures: Vec<_> = result.history.entries().iter().map(|entry| entry.failure).collect();
    let disk = Some(splitbrain::history::Failure::Disk);
    assert_eq!(failures[..3], [None; 3]);
    assert_eq!(failures[3..6], [disk; 3]);
    assert_eq!(failures[6..], [None; 4]);
    assert!(result.checks.iter().all(holds));
    assert_eq!(acts(&result)[..2], ["the disk of n1 is full", "the disk of n1 is as before"]);
}

/// A follower whose disk is full acknowledges nothing, and catches up once it has room.
#[test]
fn a_follower_with_a_full_disk_acknowledges_nothing() {
    let full = "[[fault]]\nat = \"350ms\"\nfor = \"1s\"\ndisk-full = \"n3\"\n";
    let result = run(&scenario(&ten_writes(full), &[]), 1);
    let ok = result.history.entries().iter().filter(|entry| entry.is_ok()).count();
    assert_eq!(ok, 3);
    assert!(matches!(result.settlement, Settlement::Settled { .. }), "{:?}", result.settlement);
    assert_eq!(result.finals[2].data.len(), 10);
}

#[test]
fn a_disk_that_lied_loses_what_it_called_durable_and_takes_the_blame() {
    let lie = "[[fault]]\nat = \"0s\"\nlost-write = \"all\"\n\
               [[fault]]\nat = \"1500ms\"\nfor = \"100ms\"\npower-loss = \"all\"\n";
    let lies = scenario(&ten_writes(lie), &[]);
    let judged = |seed| judged(&run(&lies, seed), Property::Durability);
    let verdicts: Vec<ExpectedVerdict> = (0..20).map(judged).collect();
    let lost = verdicts.iter().filter(|verdict| **verdict == ExpectedVerdict::Allowed).count();
    assert!(lost > 10 && !verdicts.contains(&ExpectedVerdict::Violation), "{verdicts:?}");
    // With an honest disk nothing is lost, with or without torn writes.
    let honest = scenario(&ten_writes(&lie.replace("lost-write", "torn-write")), &[]);
    for seed in 0..20 {
        assert!(run(&honest, seed).checks.iter().all(holds));
    }
}

#[test]
fn a_node_that_cannot_read_its_disk_is_down_until_it_can() {
    let error = "[[fault]]\nat = \"1500ms\"\nread-error = \"n1\"\n\
                 [[fault]]\nat = \"1600ms\"\nfor = \"100ms\"\ncrash = \"n1\"\n\
                 [[expect.state]]\nat = \"2s\"\nnode = \"n2\"\nkey = \"r10\"\nvalue = \"10\"\n";
    let result = run(&scenario(&ten_writes(error), &[]), 1);
    assert!(acts(&result).contains(&"n1 stops: its disk cannot be read"), "{:?}", acts(&result));
    assert!(result.checks.iter().all(holds));
    assert_eq!((result.finals[0].up, result.finals[0].data.len()), (true, 10));
}

#[test]
fn a_damaged_log_stops_its_node_and_a_careless_one_is_caught() {
    let flip = "[[fault]]\nat = \"1500ms\"\nflip-bit = { node = \"n2\", byte = 130 }\n\
                [[fault]]\nat = \"1600ms\"\nfor = \"100ms\"\ncrash = \"n2\"\n";
    for seed in 0..20 {
        let result = run(&scenario(&ten_writes(flip), &[]), seed);
        let stops =
            acts(&result).iter().any(|what| what.starts_with("n2 stops: the log is damaged"));
        assert!(stops && !result.finals[1].up, "{:?}", acts(&result));
        assert!(result.checks.iter().all(holds));

        let careless = scenario(&ten_writes(flip), &["defects=[\"truncate-corruption\"]"]);
        let result = run(&careless, seed);
        assert_eq!(judged(&result, Property::Replay), ExpectedVerdict::Allowed);
        assert_eq!(judged(&result, Property::Convergence), ExpectedVerdict::Allowed);
        assert_eq!(result.finals[1].data.len(), 2);
    }
}
