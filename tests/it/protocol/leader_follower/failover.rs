//! Elections, and what becomes of a leader that comes back.

use splitbrain::run::RunOptions;

use crate::support::scenario::read;
use crate::support::story::play;

/// n1 is cut off with a write that no other node has. When the cut ends, a message of a follower
/// reaches it before one of the new leader.
#[test]
fn by_newest_timestamp_a_leader_takes_over_from_whoever_tells_it_of_older_writes() {
    play(
        "by newest timestamp a leader takes over from whoever tells it of older writes",
        r#"
duration = "3s"
cluster.nodes = 5
network.delay = "5ms"
operation = [
    { at = "500ms", client = "u", put = { key = "k", value = "newest", to = "n1" },
      expect = { status = "ok" } },
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
    );
}

/// The bully algorithm: n3 has the highest id, so it leads although n2's timeout fires at the same
/// time; when n3 comes back after a crash it takes over again.
#[test]
fn by_highest_id_the_highest_leads_and_takes_over_when_it_comes_back() {
    play(
        "by highest id the highest leads and takes over when it comes back",
        r#"
duration = "5s"
cluster.nodes = 3
network.delay = "5ms"
fault = [
    { at = "1s", for = "3s", crash = "n1" },
    { at = "2s", for = "1s", crash = "n3" },
]
expect.state = [
    { at = "1900ms", node = "n3", role = "leader" },
    { at = "1900ms", node = "n2", role = "follower", leader = "n3" },
    { at = "2900ms", node = "n2", role = "leader" },
    { at = "3900ms", node = "n3", role = "leader" },
    { at = "3900ms", node = "n2", role = "follower", leader = "n3" },
    { at = "4900ms", node = "n1", role = "follower", leader = "n3" },
]

[protocol.leader-follower]
wal.policy = "fsync"
failover = { election = "highest-id", heartbeat = "50ms", timeout = "150ms" }
"#,
    );
}

/// Without a leader a write is refused, or waits until there is one.
#[test]
fn without_a_leader_a_write_is_refused_or_waits() {
    for (without_leader, expect) in [
        ("refuse", r#"{ status = "fail", error = "no-leader", within = "1ms" }"#),
        ("wait", r#"{ status = "ok", after = "100ms", within = "300ms" }"#),
    ] {
        play(
            "without a leader a write is refused or waits",
            &format!(
                r#"
duration = "3s"
cluster = {{ nodes = 3, initial-leader = "none" }}
network.delay = "5ms"
operation = [
    {{ at = "20ms", client = "u", put = {{ key = "k", value = "1", to = "n1" }},
      expect = {expect} }},
]

[protocol.leader-follower.failover]
election = "lowest-id"
heartbeat = "50ms"
timeout = "150ms"
without-leader = "{without_leader}"
"#,
            ),
        );
    }
}

/// n1 is cut off with a write that no other node has. When it comes back as a follower, that tail
/// is discarded or merged, whether it catches up by log or by full state.
#[test]
fn the_tail_of_a_leader_that_comes_back_is_gone_or_merged() {
    for catch_up in ["full-state", "log"] {
        for (tail, found) in [("discard", "absent = true"), ("merge", r#"value = "alone""#)] {
            play(
                "the tail of a leader that comes back is gone or merged",
                &format!(
                    r#"
duration = "3s"
cluster.nodes = 3
network.delay = "5ms"
operation = [
    {{ at = "200ms", client = "u", put = {{ key = "k", value = "alone", to = "n1" }},
      expect = {{ status = "ok" }} }},
    {{ at = "2s", client = "u", get = {{ key = "k", from = "n1" }}, expect = {{ {found} }} }},
    {{ at = "2s", client = "v", get = {{ key = "k", from = "n3" }}, expect = {{ {found} }} }},
]
fault = [{{ at = "100ms", for = "1s", isolate = "n1" }}]
expect.convergence = "valid"

[protocol.leader-follower.failover]
election = "lowest-id"
heartbeat = "50ms"
timeout = "150ms"
catch-up = "{catch_up}"
tail = "{tail}"
"#,
                ),
            );
        }
    }
}

/// n3 is down, and n2 asks n1 for its vote while n1's disk is full: n1 does not answer. A duplicate
/// of the request comes when there is room again; a vote given then survives a crash of n1.
#[test]
fn a_ballot_that_a_full_disk_refused_is_written_before_it_is_told() {
    let text = r#"
duration = "1s"
cluster = { nodes = 3, initial-leader = "n3" }
network.delay = "5ms"
network.link = [
    { from = "n3", to = "n1", delay = "60ms" },
    { from = "n2", to = "n1", delay = { uniform = ["1ms", "100ms"] }, duplication = "100%" },
]
disk.sync = "1ms"
fault = [
    { at = "200ms", crash = "n3", forever = true },
    { at = "310ms", for = "55ms", disk-full = "n1" },
    { at = "480ms", isolate = "n1" },
    { at = "490ms", for = "1ms", crash = "n1" },
]
expect.state = [
    { at = "479ms", node = "n2", role = "leader", term = 2 },
    { at = "500ms", node = "n1", term = 2 },
]

[protocol.leader-follower]
wal.policy = "fsync"
failover = { election = "majority-vote", heartbeat = "50ms", timeout = "150ms", jitter = "0ms",
    catch-up = "log" }
"#;
    let scenario = read(text);
    let mut elected = 0;
    for seed in 0..40 {
        let result = scenario.run(seed, RunOptions::default());
        let [leads, in_term, remembers] = &result.expectations[..] else { panic!("of three") };
        let is_elected = leads.met && in_term.met;
        elected += u32::from(is_elected);
        assert!(!is_elected || remembers.met, "seed {seed}: {remembers:?}");
    }
    assert!((10..40).contains(&elected), "{elected}");
}

/// n2 leads term 2 while n3 is down. n2 crashes and n3 comes back, still in term 1: its pre-vote is
/// enough for n1.
#[test]
fn a_pre_vote_counts_from_a_voter_in_a_lower_term() {
    play(
        "a pre vote counts from a voter in a lower term",
        r#"
duration = "2s"
cluster.nodes = 3
network.delay = "5ms"
fault = [
    { at = "100ms", for = "920ms", crash = "n3" },
    { at = "200ms", for = "50ms", crash = "n1" },
    { at = "1s", for = "900ms", crash = "n2" },
]
expect.state = [
    { at = "990ms", node = "n2", role = "leader", term = 2 },
    { at = "1030ms", node = "n3", role = "candidate", term = 1 },
    { at = "1200ms", node = "n1", role = "leader", term = 3 },
]

[protocol.leader-follower]
wal.policy = "fsync"
failover = { election = "majority-vote", pre-vote = true, heartbeat = "50ms", timeout = "150ms",
    jitter = "0ms" }
"#,
    );
}

/// n1 restarts from a checkpoint and sends its state to n3, which was away. The message is slow,
/// and a later state with one more write overtakes it.
#[test]
fn a_state_that_comes_late_does_not_undo_a_later_one() {
    play(
        "a state that comes late does not undo a later one",
        r#"
duration = "2s"
cluster.nodes = 3
network.delay = "5ms"
operation = [
    { at = "200ms", client = "u", put = { key = "k", value = "old" }, expect = { status = "ok" } },
    { at = "630ms", client = "u", put = { key = "k", value = "new" }, expect = { status = "ok" } },
]
fault = [
    { at = "100ms", for = "490ms", crash = "n3" },
    { at = "400ms", for = "50ms", crash = "n1" },
]
change = [
    { at = "607ms", set = { "network.link" = [{ from = "n1", to = "n3", delay = "305ms" }] } },
    { at = "617ms", set = { "network.link" = [] } },
]
expect.state = [
    { at = "629ms", node = "n3", key = "k", absent = true },
    { at = "914ms", node = "n3", key = "k", value = "new" },
    { at = "916ms", node = "n3", key = "k", value = "new" },
]

[protocol.leader-follower]
wal = { policy = "fsync", checkpoint-every = 1 }
failover = { catch-up = "log", heartbeat = "50ms", timeout = "150ms" }
"#,
    );
}

/// n3 is down. n1 is still syncing an entry when n2 asks for its vote, and n1's disk is full by
/// then. The entry becomes durable, the vote does not.
#[test]
fn a_vote_that_a_full_disk_refused_is_not_told_when_something_else_is_durable() {
    play(
        "a vote that a full disk refused is not told when something else is durable",
        r#"
duration = "1s"
cluster = { nodes = 3, initial-leader = "n3" }
network.delay = "5ms"
network.link = [{ from = "n3", to = "n1", delay = "60ms" }]
disk.sync = "1ms"
operation = [{ at = "190ms", client = "u", put = { key = "k", value = "1" } }]
fault = [
    { at = "200ms", for = "700ms", crash = "n3" },
    { at = "240ms", for = "200ms", slow-disk = { node = "n1", by = "150ms" } },
    { at = "310ms", for = "140ms", disk-full = "n1" },
]
expect.state = [
    { at = "440ms", node = "n2", role = "candidate", term = 2 },
]

[protocol.leader-follower]
wal.policy = "fsync"
failover = { election = "majority-vote", heartbeat = "50ms", timeout = "150ms", jitter = "0ms",
    catch-up = "log" }
"#,
    );
}

/// A write reaches n3 in the state that n3 asked for, and n3's acknowledgement reaches n1 long
/// before the write is durable on n1.
#[test]
fn an_acknowledgement_that_comes_before_the_leader_waits_for_it_counts() {
    play(
        "a confirmation that comes before the leader waits for it counts",
        r#"
duration = "2s"
cluster.nodes = 3
network.delay = "5ms"
operation = [
    { at = "200ms", client = "u", put = { key = "k", value = "old", w = 1 } },
    { at = "608ms", client = "u", put = { key = "k", value = "new" },
      expect = { status = "ok", confirmations = "2 of 2", within = "100ms" } },
]
fault = [
    { at = "100ms", for = "490ms", crash = "n3" },
    { at = "400ms", for = "50ms", crash = "n1" },
    { at = "600ms", for = "60ms", slow-disk = { node = "n1", by = "50ms" } },
]

[protocol.leader-follower]
mode = "sync"
ack-timeout = "500ms"
wal = { policy = "fsync", checkpoint-every = 1 }
failover = { catch-up = "log", heartbeat = "50ms", timeout = "150ms" }
"#,
    );
}

/// n1, the only node that may lead, comes back with an empty disk, in a lower term than its
/// followers.
#[test]
fn an_appointed_leader_that_forgot_its_term_leads_on_above_it() {
    play(
        "an appointed leader that forgot its term leads on above it",
        r#"
duration = "3s"
cluster.nodes = 3
network.delay = "5ms"
operation = [
    { at = "1500ms", client = "u", put = { key = "k", value = "1" },
      expect = { status = "ok", confirmations = "2 of 2", within = "20ms" } },
]
fault = [
    { at = "300ms", for = "50ms", crash = "n1" },
    { at = "600ms", power-loss = "n1" },
    { at = "650ms", restart = { target = "n1", disk = "empty" } },
]
expect.state = [{ at = "1s", node = "n1", role = "leader", term = 3 }]

[protocol.leader-follower]
mode = "sync"
wal.policy = "fsync"
failover = { catch-up = "log", heartbeat = "50ms", timeout = "150ms" }
"#,
    );
}

const MAJORITY: &str = r#"
mode = "semi-sync"
write-quorum = 2
on-ack-timeout = "fail"
timestamps = "term-sequence"
wal.policy = "fsync"
failover = { election = "majority-vote", heartbeat = "50ms", timeout = "150ms", catch-up = "log" }
"#;

/// n1 was the initial leader and comes back with an empty disk before any election timeout. It asks
/// for votes like any node and gets none, since the others have more entries. A second restart
/// changes nothing.
#[test]
fn an_appointed_leader_that_comes_back_with_nothing_is_not_appointed_again() {
    let wiped = |faults: &str| {
        play(
            "an appointed leader that comes back with nothing is not appointed again",
            &format!(
                r#"
duration = "4s"
cluster.nodes = 3
operation = [
    {{ at = "100ms", client = "a", put = {{ key = "k", value = "1" }},
      expect = {{ status = "ok" }} }},
    {{ at = "3s", client = "a", get = {{ key = "k", from = "n1" }}, expect = {{ value = "1" }} }},
]
fault = [{{ at = "500ms", crash = "n1" }}, {faults}]
[expect]
convergence = "valid"
durability = "valid"
state = [
    {{ at = "580ms", node = "n1", role = "candidate", term = 1 }},
    {{ at = "3s", node = "n1", role = "follower", key = "k", value = "1" }},
]
[protocol.leader-follower]
{MAJORITY}
"#
            ),
        );
    };
    let wipe = r#"{ at = "550ms", restart = { target = "n1", disk = "empty" } }"#;
    wiped(wipe);
    wiped(&format!(
        r#"{wipe}, {{ at = "560ms", crash = "n1" }}, {{ at = "570ms", restart = "n1" }}"#
    ));
}

/// Without a log a node always starts empty. When n1 leads again, it does so in a new term.
#[test]
fn without_a_log_an_appointed_leader_that_comes_back_waits_for_its_turn() {
    for election in ["lowest-id", "majority-vote", "newest-timestamp"] {
        let result = play(
            "without a log an appointed leader that comes back waits for its turn",
            &format!(
                r#"
duration = "3s"
cluster.nodes = 3
network.delay = "5ms"
operation = [
    {{ at = "100ms", client = "a", put = {{ key = "k", value = "1" }},
      expect = {{ status = "ok" }} }},
]
fault = [{{ at = "500ms", for = "20ms", crash = "n1" }}]
expect.state = [{{ at = "540ms", node = "n1", role = "candidate", term = 1 }}]

[protocol.leader-follower]
wal.policy = "off"
failover = {{ election = "{election}", heartbeat = "50ms", timeout = "150ms", jitter = "50ms" }}
"#
            ),
        );
        let of_one = result
            .leaderships
            .iter()
            .filter(|leadership| leadership.term == splitbrain::id::Term(1))
            .count();
        assert_eq!(of_one, 1, "{election}: {:?}", result.leaderships);
        assert!(result.leaderships.len() > 1, "{election}: somebody leads again");
    }
}

/// Messages of n1 are held back until n2 leads. Without fencing n2 accepts them and tells its
/// followers how long its log is; they ask once for the missing entries.
#[test]
fn without_fencing_a_leader_passes_on_what_a_deposed_one_sent_it() {
    let result = play(
        "without fencing a leader passes on what a deposed one sent it",
        r#"
duration = "2s"
settle = "20s"
cluster.nodes = 3
network.delay = "5ms"
operation = [
    { at = "100ms", client = "a", put = { key = "k", value = "1", to = "n1" },
      expect = { status = "ok" } },
    { at = "500ms", client = "a", put = { key = "k", value = "2", to = "n1" },
      expect = { status = "ok" } },
    { at = "520ms", client = "a", put = { key = "l", value = "3", to = "n1" },
      expect = { status = "ok" } },
]
fault = [{ at = "200ms", for = "500ms", clog = { from = "n1", to = "n2", both-ways = true } }]
expect.state = [
    { at = "1900ms", node = "n2", role = "leader", key = "k", value = "2" },
    { at = "1900ms", node = "n1", role = "follower", key = "k", value = "2" },
    { at = "1900ms", node = "n3", key = "k", value = "2" },
    { at = "1900ms", node = "n3", key = "l", value = "3" },
]

[protocol.leader-follower]
wal.policy = "off"
failover = { election = "lowest-id", catch-up = "log", fencing = false, heartbeat = "20ms",
    timeout = "120ms" }
"#,
    );
    assert!(result.messages.sent < 1500, "they ask for ever: {} messages", result.messages.sent);
}
