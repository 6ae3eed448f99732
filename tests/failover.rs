//! Elections and the in-sync set, in short stories.

use splitbrain::run::{QueueKind, RunOptions, RunResult};
use splitbrain::scenario::{Registry, Scenario};

fn play(scenario: &str) -> RunResult {
    let scenario = Scenario::parse("failover.toml", scenario.as_bytes(), &Registry::new(), &[])
        .unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let run = |queue| scenario.run(1, RunOptions { queue, ..RunOptions::default() });
    let (result, other) = (run(QueueKind::Calendar), run(QueueKind::Heap));
    assert_eq!(result.digest, other.digest, "the queues differ");
    result
}

fn all_met(result: &RunResult) {
    let unmet: Vec<_> = result.expectations.iter().filter(|one| !one.met).collect();
    assert!(unmet.is_empty(), "{unmet:?}");
}

/// Two followers have everything and nothing is written for ten times the lag; then one of them is gone for as long.
#[test]
fn a_follower_of_an_idle_leader_stays_in_sync_until_it_is_gone() {
    all_met(&play(
        r#"
duration = "5s"
cluster.nodes = 3
protocol.leader-follower.mode = "in-sync"
protocol.leader-follower.wal.policy = "fsync"
protocol.leader-follower.in-sync = { min = 3, lag = "200ms" }
network.delay = "5ms"
disk.sync = "1ms"
operation = [
    { at = "2s", client = "u", put = { key = "k", value = "1" }, expect = { status = "ok", confirmations = "2 of 2" } },
    { at = "3s", client = "u", put = { key = "k", value = "2" }, expect = { status = "fail", error = "too-few-in-sync" } },
]
fault = [{ at = "2500ms", for = "1s", crash = "n3" }]

[protocol.leader-follower.failover]
election = "lowest-id"
catch-up = "log"
heartbeat = "50ms"
timeout = "150ms"
"#,
    ));
}

/// n1 is cut off with a write that nobody else has; of the others it is a follower whose heartbeat comes through first.
#[test]
fn by_newest_timestamp_a_leader_takes_over_from_whoever_tells_it_of_older_writes() {
    all_met(&play(
        r#"
duration = "3s"
cluster.nodes = 5
network.delay = "5ms"
operation = [
    { at = "500ms", client = "u", put = { key = "k", value = "newest", to = "n1" }, expect = { status = "ok" } },
]
fault = [
    { at = "200ms", for = "1s", isolate = "n1" },
    { at = "1200ms", for = "60ms", block = { from = "n2", to = "n1" } },
]
expect.state = [
    { at = "1100ms", node = "n2", role = "leader", term = 2 },
    { at = "1400ms", node = "n1", role = "leader", term = 3 },
    { at = "2s", node = "n2", role = "follower", leader = "n1", key = "k", value = "newest" },
]

[protocol.leader-follower.failover]
election = "newest-timestamp"
heartbeat = "50ms"
timeout = "150ms"
"#,
    ));
}
