//! Checkpoints of a write-ahead log: whenever a crash comes, all that was synced survives.

use proptest::prelude::*;
use splitbrain::config::ExpectedVerdict;
use splitbrain::metrics::Settlement;
use splitbrain::property::Property;
use splitbrain::run::{RunOptions, RunResult};

use crate::support::result::{self, check};
use crate::support::scenario::read;

/// Two clients write and delete four keys 24 times, on one node that takes a checkpoint after every
/// third record. During one sync about three writes arrive.
const SMALL: &str = r#"
duration = "400ms"
settle = "2s"
[cluster]
nodes = 1
[protocol.leader-follower]
wal = { policy = "fsync", checkpoint-every = 3 }
[disk]
sync = { uniform = ["5ms", "12ms"] }
[workload]
clients = 2
operations = 24
keys = 4
mix = { put = 5, delete = 1 }
think = { uniform = ["1ms", "5ms"] }
timeout = "50ms"
"#;

fn run(text: &str, seed: u64) -> RunResult {
    read(text).run(seed, RunOptions::default())
}

fn figure(result: &RunResult, name: &str) -> u64 {
    result::figure(result, Property::Replay, name)
}

/// Asserts that no promise broke, and that every start replayed what it should.
#[track_caller]
fn assert_sound(result: &RunResult, at: &str) {
    for check in &result.checks {
        assert_ne!(check.judged, ExpectedVerdict::Violation, "{at}: {check:#?}");
    }
    let replay = check(result, Property::Replay);
    assert_eq!(replay.judged, ExpectedVerdict::Valid, "{at}: {replay:#?}");
    let settled = matches!(result.settlement, Settlement::Settled { .. });
    assert!(settled && result.finals.iter().all(|node| node.up), "{at}: {:?}", result.settlement);
}

/// Just before and just after every event of the small run: a crash, a power loss, and a power loss
/// soon after a crash, since it may take a checkpoint that the restarted process has seen.
#[test]
fn a_crash_at_any_event_loses_nothing_that_was_synced() {
    for policy in ["fsync", "group-commit", "buffered\", sync-every = \"9ms"] {
        let text = SMALL.replace("fsync", policy);
        let options = RunOptions { steps: true, ..RunOptions::default() };
        let base = read(&text).run(3, options);
        let mut times: Vec<u64> = base.steps.iter().map(|(at, _)| at.nanos()).collect();
        times.dedup();
        times.retain(|at| *at < 390_000_000);
        assert!(times.len() > 30, "{policy}: {}", times.len());
        let (mut recoveries, mut from_checkpoints) = (0, 0);
        for at in times.into_iter().flat_map(|at| [at, at + 1]) {
            for faults in [
                format!("[[fault]]\nat = \"{at}ns\"\nfor = \"1ms\"\ncrash = \"n1\"\n"),
                format!("[[fault]]\nat = \"{at}ns\"\nfor = \"1ms\"\npower-loss = \"n1\"\n"),
                format!(
                    "[[fault]]\nat = \"{at}ns\"\nfor = \"1ms\"\ncrash = \"n1\"\n\
                     [[fault]]\nat = \"{}ns\"\nfor = \"1ms\"\npower-loss = \"n1\"\n",
                    at + 3_000_000
                ),
            ] {
                let result = run(&format!("{text}{faults}"), 3);
                assert_sound(&result, &format!("{policy}: {faults}"));
                recoveries += figure(&result, "recoveries");
                from_checkpoints += figure(&result, "from_checkpoints");
            }
        }
        let half = from_checkpoints * 4 > recoveries && from_checkpoints < recoveries;
        assert!(half, "{policy}: {from_checkpoints} of {recoveries}");
    }
}

/// Faults at random times, with their targets.
fn faults() -> impl Strategy<Value = String> {
    let kind = prop_oneof![
        3 => Just("crash"),
        3 => Just("power-loss"),
        1 => Just("disk-full"),
        1 => Just("torn-write"),
        1 => Just("pause"),
    ];
    let target = prop_oneof![Just("n1"), Just("n2"), Just("all")];
    let fault = (kind, target, 0..900_u64, 1..60_u64).prop_map(|(kind, target, at, lasts)| {
        format!("[[fault]]\nat = \"{at}ms\"\nfor = \"{lasts}ms\"\n{kind} = \"{target}\"\n")
    });
    proptest::collection::vec(fault, 1..8).prop_map(|faults| faults.concat())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn crashes_at_any_time_lose_nothing_that_was_synced(
        faults in faults(),
        policy in prop::sample::select(vec!["fsync", "group-commit", "buffered"]),
        replication in prop::sample::select(vec!["entry", "full-state"]),
        deletes in prop::sample::select(vec!["tombstone", "erase"]),
        every in 1..12_u32,
        seed in any::<u32>(),
    ) {
        let text = format!(
            "duration = \"1s\"\nsettle = \"10s\"\n[cluster]\nnodes = 2\n\
             [protocol.leader-follower]\nmode = \"sync\"\nresend = \"20ms\"\n\
             on-ack-timeout = \"fail\"\nreplication = \"{replication}\"\ndeletes = \"{deletes}\"\n\
             wal = {{ policy = \"{policy}\", checkpoint-every = {every} }}\n\
             [network]\ndelay = {{ exponential = \"2ms\" }}\n\
             [disk]\nsync = {{ uniform = [\"1ms\", \"15ms\"] }}\n\
             [workload]\nclients = 4\noperations = \"unlimited\"\nkeys = 6\n\
             mix = {{ put = 5, delete = 1 }}\nthink = {{ exponential = \"3ms\" }}\n\
             timeout = \"100ms\"\n{faults}"
        );
        let result = run(&text, seed.into());
        for check in &result.checks {
            prop_assert_ne!(check.judged, ExpectedVerdict::Violation, "{:#?}", check);
        }
        let replay = check(&result, Property::Replay);
        prop_assert_eq!(replay.judged, ExpectedVerdict::Valid, "{:#?}", replay);
        prop_assert!(result.finals.iter().all(|node| node.up));
    }
}

/// The same under load and with the defect: some crash falls between the cut and the checkpoint.
#[test]
fn a_log_that_is_cut_too_early_is_caught() {
    let crash = "[[fault]]\nat = \"TIMEms\"\nfor = \"5ms\"\nFAULT = \"n1\"\n";
    let careless = "defects = [\"truncate-before-checkpoint\"]\nwal = ";
    for fault in ["crash", "power-loss"] {
        let mut caught = 0;
        for seed in 0..60 {
            let at = (40 + seed).to_string();
            let text = SMALL.to_owned() + &crash.replace("TIME", &at).replace("FAULT", fault);
            let defective = text.replace("wal = ", careless);
            assert_sound(&run(&text, seed), &format!("{fault}, seed {seed}"));
            let result = run(&defective, seed);
            let replay = check(&result, Property::Replay).judged;
            let durability = check(&result, Property::Durability).judged;
            caught += u32::from(replay == ExpectedVerdict::Violation);
            // Whenever a synced write is lost, the replay is reported as wrong.
            assert!(replay != ExpectedVerdict::Valid || durability == ExpectedVerdict::Valid);
        }
        assert!((5..55).contains(&caught), "{fault}: {caught}");
    }
}

/// Ten writes, one every 50 ms, with syncs of 10 ms and a checkpoint after the fifth and the tenth;
/// and the given faults.
fn ten_writes(more: &str) -> String {
    let writes: String = (1..=10)
        .map(|i| {
            format!(
                "[[operation]]\nat = \"{}ms\"\nclient = \"writer\"\n\
                 put = {{ key = \"r{i}\", value = \"{i}\" }}\n",
                50 * i
            )
        })
        .collect();
    format!(
        r#"duration = "1s"
[cluster]
nodes = 1
[protocol.leader-follower]
wal = {{ policy = "fsync", checkpoint-every = 5 }}
[disk]
sync = "10ms"
{writes}{more}"#
    )
}

const RESTART: &str = "[[fault]]\nat = \"800ms\"\nfor = \"10ms\"\ncrash = \"n1\"\n";

fn stops(result: &RunResult) -> Vec<&str> {
    let acts = result.history.nemesis().iter().map(|event| event.what.as_str());
    acts.filter(|what| what.starts_with("n1 stops")).collect()
}

#[test]
fn a_damaged_checkpoint_stops_its_node() {
    let flip = "[[fault]]\nat = \"700ms\"\nflip-bit = { node = \"n1\", byte = 60 }\n";
    let result = run(&ten_writes(&format!("{flip}{RESTART}")), 1);
    assert_eq!(stops(&result), ["n1 stops: the checkpoint is damaged"]);
    assert_eq!(check(&result, Property::Replay).judged, ExpectedVerdict::Valid);
}

/// A checkpoint that cannot be written, and a log that cannot be cut, are retried after
/// `checkpoint-every` more records.
#[test]
fn a_full_disk_leaves_the_log_long_and_the_node_alive() {
    // The sync of the fifth write is done at 260 ms, its checkpoint at 270 ms.
    for (from, until) in [(255, 265), (265, 275)] {
        let lasts = until - from;
        let full =
            format!("[[fault]]\nat = \"{from}ms\"\nfor = \"{lasts}ms\"\ndisk-full = \"n1\"\n");
        let result = run(&ten_writes(&format!("{full}{RESTART}")), 1);
        assert_sound(&result, &full);
        assert_eq!(result.finals[0].data.len(), 10, "{full}");
        assert_eq!(figure(&result, "from_checkpoints"), 1, "{full}");
    }
}

/// A disk lies about syncing the checkpoint, syncs the cut, and loses its power. The log left does
/// not continue the checkpoint left: the node reports that and stops, and the verdict blames the
/// disk.
#[test]
fn a_log_that_does_not_join_on_to_its_checkpoint_stops_its_node() {
    let faults = "[[fault]]\nat = \"265ms\"\nfor = \"8ms\"\nlost-write = \"n1\"\n\
                  [[fault]]\nat = \"320ms\"\nfor = \"10ms\"\npower-loss = \"n1\"\n";
    let gap = "n1 stops: the log starts at record 6, and the checkpoint ends with record 0";
    let mut stopped = 0;
    for seed in 0..20 {
        let result = run(&ten_writes(faults), seed);
        for check in &result.checks {
            assert_ne!(check.judged, ExpectedVerdict::Violation, "seed {seed}: {check:#?}");
        }
        stopped += usize::from(stops(&result) == [gap]);
    }
    assert!((1..20).contains(&stopped), "{stopped}");
}

/// A full state that was overtaken by a later one stays ignored, even when its follower has
/// meanwhile started from a checkpoint.
#[test]
fn a_checkpoint_remembers_which_state_was_the_last() {
    let text = r#"
duration = "1s"
[cluster]
nodes = 2
[protocol.leader-follower]
replication = "full-state"
wal = { policy = "fsync", checkpoint-every = 1 }
[[change]]
at = "0s"
set = { "network.link" = [{ from = "n1", to = "n2", delay = "500ms" }] }
[[change]]
at = "150ms"
set = { "network.link" = [] }
[[operation]]
at = "100ms"
client = "writer"
put = { key = "r1", value = "1" }
[[operation]]
at = "200ms"
client = "writer"
put = { key = "r2", value = "2" }
[[fault]]
at = "400ms"
for = "50ms"
crash = "n2"
"#;
    let result = run(text, 1);
    assert_eq!(figure(&result, "from_checkpoints"), 1);
    assert_eq!(result.finals[1].data.len(), 2);
}
