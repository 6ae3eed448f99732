//! The in-sync set: who is in it, whom a write waits for, and who may lead.

use crate::support::story::play;

/// Two followers have everything, and nothing is written for ten times the lag. Then one of them is
/// down for ten times the lag.
#[test]
fn a_follower_of_an_idle_leader_stays_in_sync_until_it_is_gone() {
    play(
        "a follower of an idle leader stays in sync until it is gone",
        r#"
duration = "5s"
cluster.nodes = 3
protocol.leader-follower.mode = "in-sync"
protocol.leader-follower.wal.policy = "fsync"
protocol.leader-follower.in-sync = { min = 3, lag = "200ms" }
network.delay = "5ms"
disk.sync = "1ms"
operation = [
    { at = "2s", client = "u", put = { key = "k", value = "1" },
      expect = { status = "ok", confirmations = "2 of 2" } },
    { at = "3s", client = "u", put = { key = "k", value = "2" },
      expect = { status = "fail", error = "too-few-in-sync" } },
]
fault = [{ at = "2500ms", for = "1s", crash = "n3" }]

[protocol.leader-follower.failover]
election = "lowest-id"
catch-up = "log"
heartbeat = "50ms"
timeout = "150ms"
"#,
    );
}

/// n3 falls behind and catches up. Then n1 is down, n2 takes a write, and n2 is down when n1 comes
/// back. n1 believes itself in sync until n3 tells it otherwise.
#[test]
fn a_node_that_fell_out_of_sync_does_not_lead_before_it_has_caught_up() {
    play(
        "a node that fell out of sync does not lead before it has caught up",
        r#"
duration = "4s"
cluster.nodes = 3
network.delay = "5ms"
operation = [
    { at = "550ms", client = "u", put = { key = "k", value = "1" },
      expect = { status = "ok", confirmations = "1 of 2", after = "150ms", within = "400ms" } },
    { at = "1400ms", client = "u", put = { key = "k", value = "2" },
      expect = { status = "ok", confirmations = "2 of 2", within = "15ms" } },
    { at = "2300ms", client = "v", put = { key = "k", value = "3", to = "n2" },
      expect = { status = "ok", confirmations = "1 of 2", within = "15ms" } },
    { at = "3s", client = "w", get = { key = "k", from = "n1" }, expect = { value = "3" } },
]
fault = [
    { at = "500ms", for = "500ms", crash = "n3" },
    { at = "1500ms", for = "1s", crash = "n1" },
    { at = "2400ms", for = "1s", crash = "n2" },
]
expect.state = [
    { at = "2s", node = "n2", role = "leader", term = 2 },
    { at = "2900ms", node = "n3", role = "leader" },
]

[protocol.leader-follower]
mode = "in-sync"
in-sync = { min = 1, lag = "200ms" }
wal.policy = "fsync"
failover = { election = "lowest-id", catch-up = "log", heartbeat = "50ms", timeout = "150ms" }
"#,
    );
}

/// n3 has missed a write and knows that it is not in sync. With `unclean` it leads when no other
/// node is up, and waits for no acknowledgement.
#[test]
fn an_unclean_leader_is_in_sync_with_itself_alone() {
    play(
        "an unclean leader is in sync with itself alone",
        r#"
duration = "2s"
cluster.nodes = 3
network.delay = "5ms"
operation = [
    { at = "100ms", client = "u", put = { key = "k", value = "1" },
      expect = { status = "ok", confirmations = "1 of 2" } },
    { at = "850ms", client = "v", put = { key = "l", value = "2", to = "n3" },
      expect = { status = "ok", confirmations = "0 of 2", within = "0ms" } },
]
fault = [
    { at = "50ms", for = "1s", drop = { from = "n1", to = "n3", kind = "append" } },
    { at = "600ms", for = "1s", crash = ["n1", "n2"] },
]
expect.state = [{ at = "840ms", node = "n3", role = "leader" }]

[protocol.leader-follower]
mode = "in-sync"
in-sync = { min = 1, lag = "200ms" }
wal.policy = "fsync"
failover = { election = "lowest-id", catch-up = "log", heartbeat = "50ms", timeout = "150ms",
    unclean = true }
"#,
    );
}

/// n1 comes back with an empty disk while no other node is up. It cannot know that it is in sync,
/// and does not lead.
#[test]
fn a_node_that_forgot_who_is_in_sync_does_not_lead() {
    play(
        "a node that forgot who is in sync does not lead",
        r#"
duration = "4s"
cluster.nodes = 3
network.delay = "5ms"
operation = [
    { at = "100ms", client = "a", put = { key = "k", value = "1" }, expect = { status = "ok" } },
    { at = "1s", client = "a", put = { key = "k", value = "2", to = "n1" },
      expect = { status = "fail", error = "no-leader" } },
]
fault = [
    { at = "500ms", for = "1s", crash = ["n2", "n3"] },
    { at = "500ms", crash = "n1" },
    { at = "600ms", restart = { target = "n1", disk = "empty" } },
]
expect.state = [{ at = "1400ms", node = "n1", role = "candidate" }]

[protocol.leader-follower]
mode = "in-sync"
in-sync = { min = 1, lag = "200ms" }
wal.policy = "fsync"
failover = { election = "lowest-id", catch-up = "log", heartbeat = "50ms", timeout = "150ms" }
"#,
    );
}

/// n3 has the highest id but knows that it is not in sync, so it may not lead. It follows n2 and
/// catches up. It once refused every other leader for ever.
#[test]
fn by_highest_id_a_node_that_may_not_lead_follows() {
    play(
        "by highest id a node that may not lead follows",
        r#"
duration = "3s"
cluster.nodes = 3
network.delay = "5ms"
operation = [
    { at = "200ms", client = "a", put = { key = "k", value = "1" },
      expect = { status = "ok", confirmations = "1 of 2" } },
]
fault = [
    { at = "100ms", for = "800ms", drop = { from = "n1", to = "n3", kind = "append" } },
    { at = "700ms", for = "2s", crash = "n1" },
]
expect.state = [
    { at = "650ms", node = "n3", key = "k", absent = true },
    { at = "2s", node = "n2", role = "leader" },
    { at = "2s", node = "n3", role = "follower", key = "k", value = "1" },
]

[protocol.leader-follower]
mode = "in-sync"
in-sync = { min = 1, lag = "200ms" }
wal.policy = "fsync"
failover = { election = "highest-id", catch-up = "log", heartbeat = "50ms", timeout = "150ms" }
"#,
    );
}
