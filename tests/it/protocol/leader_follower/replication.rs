//! Leader-follower replication, behaviour by behaviour: each a short story as a scenario, whose every expectation has
//! to be met.

use splitbrain::config::ExpectedVerdict;
use splitbrain::history::Entry;
use splitbrain::id::{NodeId, Term};
use splitbrain::metrics::Settlement;
use splitbrain::property::{Promise, Property};
use splitbrain::protocol::Role;
use splitbrain::run::{RunOptions, RunVerdict};

use crate::support::scenario::{read, read_with};
use crate::support::story::{NODES, play, play_all};

/// Four nodes, of which n2, n3 and n4 confirm after 10, 20 and 30 ms.
const LABORATORY: &str = r#"
cluster.nodes = 4
network.delay = "0ms"
network.link = [
    { from = "n1", to = "n2", delay = "10ms" },
    { from = "n1", to = "n3", delay = "20ms" },
    { from = "n1", to = "n4", delay = "30ms" },
]
"#;

/// Whether a property held, or needs a bound that these scenarios do not set.
fn holds(judged: ExpectedVerdict) -> bool {
    matches!(judged, ExpectedVerdict::Valid | ExpectedVerdict::Unchecked)
}

#[test]
fn a_write_waits_for_the_confirmations_it_asks_for() {
    let stories = [
        (
            "asynchronous: answered before anybody else has it",
            r#"
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" }, expect = { status = "ok", degraded = false, confirmations = "0 of 3", within = "0ms" } },
]
expect.state = [
    { at = "1s", node = "n1", key = "a", value = "x" },
    { at = "1009ms", node = "n2", key = "a", absent = true },
    { at = "1010ms", node = "n2", key = "a", value = "x" },
    { at = "1030ms", node = "n4", key = "a", value = "x" },
]"#,
        ),
        (
            "asynchronous, but one write asks for two",
            r#"
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x", w = 2 }, expect = { confirmations = "2 of 3", after = "20ms", within = "20ms" } },
]"#,
        ),
        (
            "semi-synchronous: exactly as many as configured, or as the write alone asks for",
            r#"
protocol.leader-follower = { mode = "semi-sync", write-quorum = 2 }
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" }, expect = { status = "ok", degraded = false, confirmations = "2 of 3", after = "20ms", within = "20ms" } },
    { at = "2s", client = "u", put = { key = "a", value = "y", w = 1 }, expect = { confirmations = "1 of 3", after = "10ms", within = "10ms" } },
    { at = "3s", client = "u", put = { key = "a", value = "z", w = 3 }, expect = { confirmations = "3 of 3", after = "30ms", within = "30ms" } },
    { at = "4s", client = "u", delete = { key = "a", w = 1 }, expect = { existed = true, confirmations = "1 of 3", after = "10ms", within = "10ms" } },
    { at = "5s", client = "u", clear = { }, expect = { confirmations = "2 of 3", after = "20ms", within = "20ms" } },
]"#,
        ),
        (
            "synchronous: all, but where a write asks for fewer",
            r#"
protocol.leader-follower = { mode = "sync" }
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" }, expect = { status = "ok", degraded = false, confirmations = "3 of 3", after = "30ms", within = "30ms" } },
    { at = "2s", client = "u", put = { key = "a", value = "y", w = 2 }, expect = { confirmations = "2 of 3", after = "20ms", within = "20ms" } },
]"#,
        ),
    ];
    for (story, scenario) in stories {
        play(story, &format!("{LABORATORY}{scenario}"));
    }
    play(
        "a leader without followers waits for nobody",
        r#"
cluster.nodes = 1
protocol.leader-follower = { mode = "sync" }
operation = [{ at = "1s", client = "u", put = { key = "a", value = "x" }, expect = { status = "ok", confirmations = "0 of 0", within = "0ms" } }]"#,
    );
}

#[test]
fn a_write_that_waits_too_long_is_degraded_or_unknown() {
    play_all(&[
        (
            "succeed: answered with what has come, and marked; each write in its own time",
            r#"
protocol.leader-follower = { mode = "sync", ack-timeout = "1s", on-ack-timeout = "succeed" }
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" }, expect = { status = "ok", degraded = true, confirmations = "1 of 2", after = "1s", within = "1s" } },
    { at = "1400ms", client = "v", put = { key = "b", value = "y" }, expect = { status = "ok", degraded = true, confirmations = "1 of 2", after = "1s", within = "1s" } },
    { at = "1600ms", client = "w", put = { key = "c", value = "z", w = 1 }, expect = { degraded = false, confirmations = "1 of 2", within = "2ms" } },
]
fault = [{ at = "0s", block = { from = "n1", to = "n2" } }]
expect.state = [{ at = "10s", node = "n2", key = "a", absent = true }]
"#,
        ),
        (
            "fail: the client cannot know, and the write is there all the same",
            r#"
protocol.leader-follower = { mode = "sync", ack-timeout = "1s", on-ack-timeout = "fail" }
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" }, expect = { status = "info", error = "too-few-confirmations", degraded = false, confirmations = "1 of 2", after = "1s", within = "1s" } },
    { at = "3s", client = "u", get = { key = "a" }, expect = { value = "x" } },
]
fault = [{ at = "0s", block = { from = "n2", to = "n1" } }]
expect.state = [{ at = "10s", node = "n2", key = "a", value = "x" }]
"#,
        ),
        (
            "the leader's own clock measures the wait: at double speed a second is half a second",
            r#"
protocol.leader-follower = { mode = "sync", ack-timeout = "1s" }
clock = [{ node = "n1", drift = "100%" }]
operation = [{ at = "1s", client = "u", put = { key = "a", value = "x" }, expect = { degraded = true, confirmations = "0 of 2", after = "500ms", within = "500ms" } }]
fault = [{ at = "0s", isolate = "n1" }]
"#,
        ),
        (
            "a paused follower confirms when it goes on",
            r#"
protocol.leader-follower = { mode = "sync" }
operation = [{ at = "1s", client = "u", put = { key = "a", value = "x" }, expect = { degraded = false, confirmations = "2 of 2", after = "501ms", within = "501ms" } }]
fault = [{ at = "900ms", for = "600ms", pause = "n2" }]
"#,
        ),
        (
            "a leader that crashes forgets who waits",
            r#"
protocol.leader-follower = { mode = "sync", ack-timeout = "1s" }
operation = [{ at = "1s", client = "u", put = { key = "a", value = "x" }, timeout = "3s", expect = { status = "info", error = "timeout", after = "3s", within = "3s" } }]
fault = [{ at = "1000500us", for = "1ms", crash = "n1" }]
expect.state = [
    { at = "1001ms", node = "n1", role = "down" },
    { at = "5s", node = "n1", key = "a", absent = true },
    { at = "5s", node = "n2", key = "a", value = "x" },
]
expect.convergence = "allowed"
"#,
        ),
    ]);
}

#[test]
fn only_a_confirmation_of_this_write_by_another_follower_counts() {
    play_all(&[
        (
            "everything arrives twice: the second acknowledgement of one follower is none of another",
            r#"
protocol.leader-follower = { mode = "semi-sync", write-quorum = 2, ack-timeout = "500ms" }
network.delay = { uniform = ["1ms", "5ms"] }
network.duplication = "100%"
operation = [{ at = "1s", client = "u", put = { key = "a", value = "x" }, expect = { degraded = true, confirmations = "1 of 2", after = "500ms" } }]
fault = [{ at = "0s", block = { from = "n1", to = "n3" } }]
"#,
        ),
        (
            "nor are those of a write that was sent again and again",
            r#"
protocol.leader-follower = { mode = "semi-sync", write-quorum = 2, ack-timeout = "500ms", resend = "10ms" }
network.delay = "50ms"
operation = [{ at = "1s", client = "u", put = { key = "a", value = "x" }, expect = { degraded = true, confirmations = "1 of 2", after = "500ms" } }]
fault = [{ at = "0s", for = "5s", block = { from = "n1", to = "n3" } }]
expect.convergence = "valid"
"#,
        ),
        (
            "an acknowledgement of an earlier life of the leader confirms no write of this one",
            r#"
cluster.nodes = 2
network.delay = "0ms"
network.link = [{ from = "n2", to = "n1", delay = "1s" }]
protocol.leader-follower = { mode = "sync" }
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" }, timeout = "3s", expect = { status = "info", error = "timeout" } },
    { at = "1900ms", client = "v", put = { key = "b", value = "y" }, expect = { status = "ok", confirmations = "1 of 1", after = "1s", within = "1s" } },
]
fault = [{ at = "1200ms", for = "100ms", crash = "n1" }]
expect.convergence = "allowed"
"#,
        ),
    ]);
}

#[test]
fn the_last_write_wins_whatever_arrives_when() {
    play_all(&[
        (
            "an older write that arrives late is ignored",
            r#"
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "old" } },
    { at = "1500ms", client = "u", put = { key = "a", value = "new" } },
]
change = [
    { at = "900ms", set = { "network.link" = [{ from = "n1", to = "n2", delay = "1s" }] } },
    { at = "1100ms", set = { "network.link" = [] } },
]
expect.state = [
    { at = "1600ms", node = "n2", key = "a", value = "new" },
    { at = "3s", node = "n2", key = "a", value = "new" },
]
expect.convergence = "valid"
expect.lww-maximum = "valid"
"#,
        ),
        (
            "so it is at the leader, whose clock went back an hour: it acknowledges what it drops",
            r#"
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "first" } },
    { at = "3s", client = "u", put = { key = "a", value = "second" }, expect = { status = "ok" } },
    { at = "3s", client = "u", put = { key = "b", value = "other" } },
    { at = "4s", client = "u", get = { key = "a" }, expect = { value = "first" } },
    { at = "5s", client = "u", delete = { key = "a" }, expect = { existed = true } },
]
fault = [{ at = "2s", clock-jump = { node = "n1", by = "-1h" } }]
expect.state = [
    { at = "10s", node = "n1", key = "a", value = "first" },
    { at = "10s", node = "n2", key = "a", value = "first" },
    { at = "10s", node = "n2", key = "b", value = "other" },
]
expect.durability = "allowed"
expect.convergence = "valid"
"#,
        ),
        (
            "and when deletes erase: what is newer than the delete stays",
            r#"
protocol.leader-follower = { deletes = "erase" }
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" } },
    { at = "3s", client = "u", delete = { key = "a" }, expect = { status = "ok", existed = true } },
    { at = "4s", client = "u", get = { key = "a" }, expect = { value = "x" } },
]
fault = [{ at = "2s", clock-jump = { node = "n1", by = "-1h" } }]
"#,
        ),
    ]);
}

/// Duplicates, overtaking and loss in one: with resending every replica comes to the same.
#[test]
fn replicas_agree_under_duplication_reordering_and_loss() {
    let text = r#"
duration = "5s"
cluster.nodes = 5
protocol.leader-follower = { mode = "semi-sync", write-quorum = 2, resend = "300ms", replication = "entry" }
network = { delay = { uniform = ["0ms", "500ms"] }, duplication = "50%", loss = "20%" }
workload = { clients = 5, operations = "unlimited", keys = 3, mix = { put = 3, delete = 1, get = 1 } }
"#;
    for replication in ["entry", "full-state"] {
        let sets = [format!("protocol.leader-follower.replication={replication}")];
        let scenario = read_with(text, &sets);
        for seed in 0..10 {
            let result = scenario.run(seed, RunOptions::default());
            let settled = matches!(result.settlement, Settlement::Settled { .. });
            assert!(settled, "{replication}, seed {seed}: {:?}", result.settlement);
            let broken: Vec<_> = result.checks.iter().filter(|c| !holds(c.judged)).collect();
            assert!(broken.is_empty(), "{replication}, seed {seed}: {broken:#?}");
        }
    }
}

#[test]
fn two_writes_in_one_nanosecond_are_two_versions() {
    let result = play(
        "one leader, one stamp, two clients",
        r#"
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" }, expect = { status = "ok" } },
    { at = "1s", client = "v", put = { key = "a", value = "y" }, expect = { status = "ok" } },
]
expect.state = [
    { at = "2s", node = "n1", key = "a", value = "y" },
    { at = "2s", node = "n2", key = "a", value = "y" },
]
expect.convergence = "valid"
expect.lww-maximum = "valid"
"#,
    );
    let versions: Vec<_> = result.history.entries().iter().filter_map(|e| e.version).collect();
    let [first, second] = versions[..] else { panic!("two writes: {versions:?}") };
    assert_eq!((first.timestamp, second.timestamp), (1_000_000_000, 1_000_000_000));
    assert_eq!((first.node, second.node), (NodeId(0), NodeId(0)));
    assert!(first < second, "{first} {second}");
}

#[test]
fn a_delete_leaves_a_tombstone_or_nothing() {
    // The put reaches n2 after the delete.
    let late = |deletes: &str, expected: &str| {
        format!(
            r#"
protocol.leader-follower = {{ deletes = "{deletes}" }}
operation = [
    {{ at = "1s", client = "u", put = {{ key = "a", value = "x" }} }},
    {{ at = "1500ms", client = "u", delete = {{ key = "a" }}, expect = {{ existed = true }} }},
]
change = [
    {{ at = "900ms", set = {{ "network.link" = [{{ from = "n1", to = "n2", delay = "1s" }}] }} }},
    {{ at = "1100ms", set = {{ "network.link" = [] }} }},
]
{expected}"#
        )
    };
    let dead = r#"
expect.state = [
    { at = "1600ms", node = "n2", key = "a", absent = true },
    { at = "3s", node = "n2", key = "a", absent = true },
]
expect.convergence = "valid"
expect.durability = "valid""#;
    play("a tombstone keeps the late put dead", &late("tombstone", dead));
    let risen = r#"
expect.state = [
    { at = "1600ms", node = "n2", key = "a", absent = true },
    { at = "3s", node = "n2", key = "a", value = "x" },
    { at = "3s", node = "n3", key = "a", absent = true },
]
expect.convergence = "allowed"
expect.lww-maximum = "allowed"
expect.durability = "allowed""#;
    play("after an erasure it comes back", &late("erase", risen));
    for deletes in ["tombstone", "erase"] {
        let story = format!("a delete says whether there was something to delete, with {deletes}");
        let scenario = format!(
            r#"
protocol.leader-follower = {{ deletes = "{deletes}" }}
operation = [
    {{ at = "1s", client = "u", delete = {{ key = "a" }}, expect = {{ status = "ok", existed = false }} }},
    {{ at = "2s", client = "u", put = {{ key = "a", value = "x" }} }},
    {{ at = "3s", client = "u", delete = {{ key = "a" }}, expect = {{ status = "ok", existed = true }} }},
    {{ at = "4s", client = "u", delete = {{ key = "a" }}, expect = {{ status = "ok", existed = false }} }},
    {{ at = "5s", client = "u", get = {{ key = "a", from = "n3" }}, expect = {{ status = "ok", absent = true }} }},
    {{ at = "6s", client = "u", list = {{ from = "n3" }}, expect = {{ keys = [] }} }},
    {{ at = "7s", client = "u", put = {{ key = "a", value = "y" }} }},
    {{ at = "8s", client = "u", get = {{ key = "a", from = "n3" }}, expect = {{ value = "y" }} }},
]
expect.convergence = "valid"
"#
        );
        play(&story, &scenario);
    }
}

#[test]
fn reads_are_answered_by_the_node_asked() {
    play_all(&[
        (
            "each from what it has; a follower that lacks a key names the leader",
            r#"
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" } },
    { at = "1s", client = "u", put = { key = "b", value = "y" } },
    { at = "2s", client = "u", put = { key = "a", value = "z" } },
    { at = "2000500us", client = "v", get = { key = "a", from = "n1" }, expect = { value = "z" } },
    { at = "2000500us", client = "v", get = { key = "a", from = "n2" }, expect = { value = "x" } },
    { at = "3s", client = "v", get = { key = "nothing", from = "n2" }, expect = { status = "ok", absent = true, leader = "n1" } },
    { at = "4s", client = "v", list = { from = "n1" }, expect = { keys = ["a", "b"] } },
    { at = "4s", client = "v", list = { from = "n2" }, expect = { keys = ["a", "b"] } },
    { at = "4s", client = "v", read-all = { from = "n1" }, expect = { all = { a = "z", b = "y" } } },
    { at = "4s", client = "v", read-all = { from = "n3" }, expect = { all = { a = "z", b = "y" } } },
]
expect.staleness = "allowed"
"#,
        ),
        (
            "a clear at the leader empties all, and one at a follower that follower alone, until it is written to",
            r#"
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" } },
    { at = "1s", client = "u", put = { key = "b", value = "y" } },
    { at = "2s", client = "u", clear = { from = "n2" }, expect = { status = "ok", within = "0ms" } },
    { at = "3s", client = "u", list = { from = "n2" }, expect = { keys = [] } },
    { at = "3s", client = "u", list = { from = "n1" }, expect = { keys = ["a", "b"] } },
    { at = "3s", client = "u", list = { from = "n3" }, expect = { keys = ["a", "b"] } },
    { at = "4s", client = "u", put = { key = "a", value = "z" } },
    { at = "5s", client = "u", read-all = { from = "n2" }, expect = { all = { a = "z" } } },
]
expect.convergence = "allowed"
expect.lww-maximum = "allowed"
"#,
        ),
        (
            "a clear at the leader",
            r#"
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" } },
    { at = "1s", client = "u", put = { key = "b", value = "y" } },
    { at = "2s", client = "u", clear = { }, expect = { status = "ok" } },
    { at = "3s", client = "u", list = { from = "n1" }, expect = { keys = [] } },
    { at = "3s", client = "u", read-all = { from = "n2" }, expect = { all = { } } },
]
expect.convergence = "valid"
expect.durability = "valid"
"#,
        ),
    ]);
}

#[test]
fn a_client_finds_the_leader() {
    play_all(&[
        (
            "a follower refuses writes and names the leader; one told whom to ask does not follow",
            r#"
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x", to = "n2" }, expect = { status = "fail", error = "not-leader", leader = "n1" } },
    { at = "2s", client = "u", delete = { key = "a", to = "n3" }, expect = { status = "fail", error = "not-leader", leader = "n1" } },
]
expect.state = [{ at = "5s", node = "n1", key = "a", absent = true }]
"#,
        ),
        (
            "nobody leads where nobody is elected",
            r#"
cluster = { nodes = 3, initial-leader = "none" }
operation = [{ at = "1s", client = "u", put = { key = "a", value = "x" }, expect = { status = "fail", error = "no-leader" } }]
expect.state = [{ at = "5s", node = "n1", role = "follower", leader = "none" }]
"#,
        ),
        (
            "a node that is down refuses at once",
            r#"
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" }, expect = { status = "fail", error = "refused", within = "0ms" } },
    { at = "1s", client = "v", get = { key = "a", from = "n1" }, expect = { status = "fail", error = "refused", within = "0ms" } },
]
fault = [{ at = "500ms", for = "1s", crash = "n1" }]
"#,
        ),
        (
            "retried until the leader is back: the others, asked in turn, lead back to it",
            r#"
cluster = { nodes = 3, initial-leader = "n2" }
operation = [{ at = "1s", client = "u", put = { key = "a", value = "x" }, retries = 9, backoff = "100ms", expect = { status = "ok", after = "900ms", within = "900ms" } }]
fault = [{ at = "500ms", for = "1400ms", crash = "n2" }]
expect.state = [{ at = "5s", node = "n3", key = "a", value = "x" }]
"#,
        ),
        (
            "an attempt that times out may have happened: a write ends unknown, a read fails",
            r#"
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" }, timeout = "100ms", expect = { status = "info", error = "timeout", after = "100ms", within = "100ms" } },
    { at = "1s", client = "v", get = { key = "a" }, timeout = "100ms", expect = { status = "fail", error = "timeout", after = "100ms", within = "100ms" } },
]
fault = [{ at = "500ms", for = "1s", pause = "n1" }]
expect.state = [{ at = "2s", node = "n1", key = "a", value = "x" }]
"#,
        ),
        (
            "cut off from the leader, it asks another, is sent back, and gets through when the cut is healed",
            r#"
operation = [{ at = "1s", client = "u", put = { key = "a", value = "x" }, timeout = "100ms", retries = 5, backoff = "10ms", expect = { status = "ok", after = "330ms", within = "330ms" } }]
fault = [{ at = "500ms", for = "750ms", partition = [["n1"], ["n2", "n3", "u"]] }]
"#,
        ),
    ]);
}

#[test]
fn a_follower_that_missed_a_write() {
    let missed = |protocol: &str, expected: &str| {
        format!(
            r#"
protocol.leader-follower = {{ {protocol} }}
operation = [
    {{ at = "1s", client = "u", put = {{ key = "a", value = "x" }} }},
    {{ at = "4s", client = "u", put = {{ key = "b", value = "y" }} }},
]
fault = [{{ at = "500ms", for = "2500ms", block = {{ from = "n1", to = "n2" }} }}]
{expected}"#
        )
    };
    let stays = r#"
expect.state = [
    { at = "20s", node = "n2", key = "a", absent = true },
    { at = "20s", node = "n2", key = "b", value = "y" },
]
expect.convergence = "allowed""#;
    play("stays behind", &missed("", stays));
    let next = r#"
expect.state = [
    { at = "3900ms", node = "n2", key = "a", absent = true },
    { at = "4001ms", node = "n2", key = "a", value = "x" },
    { at = "4001ms", node = "n2", key = "b", value = "y" },
]
expect.convergence = "valid""#;
    play("has it with the next full state", &missed("replication = \"full-state\"", next));
    let again = r#"
expect.state = [
    { at = "3s", node = "n2", key = "a", absent = true },
    { at = "3101ms", node = "n2", key = "a", value = "x" },
]
expect.convergence = "valid""#;
    play("is sent it again", &missed("resend = \"100ms\"", again));
    play_all(&[
        (
            "each write is sent again when its own interval is over, not that of an older one",
            r#"
protocol.leader-follower = { resend = "1s" }
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" } },
    { at = "1100ms", client = "u", put = { key = "b", value = "y" } },
]
fault = [{ at = "500ms", for = "1s", block = { from = "n1", to = "n2" } }]
expect.state = [
    { at = "2000ms", node = "n2", key = "a", absent = true },
    { at = "2001ms", node = "n2", key = "a", value = "x" },
    { at = "2100ms", node = "n2", key = "b", absent = true },
    { at = "2101ms", node = "n2", key = "b", value = "y" },
]
"#,
        ),
        (
            "a follower that was down is sent what it missed, but not what it had confirmed and forgot",
            r#"
protocol.leader-follower = { resend = "100ms" }
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" } },
    { at = "3s", client = "u", put = { key = "b", value = "y" } },
]
fault = [{ at = "2s", for = "2s", crash = "n2" }]
expect.state = [
    { at = "3s", node = "n2", role = "down" },
    { at = "5s", node = "n2", key = "a", absent = true },
    { at = "5s", node = "n2", key = "b", value = "y" },
]
expect.convergence = "allowed"
"#,
        ),
        (
            "an older full state that arrives late is dropped",
            r#"
protocol.leader-follower = { replication = "full-state" }
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" } },
    { at = "1500ms", client = "u", put = { key = "b", value = "y" } },
]
change = [
    { at = "900ms", set = { "network.link" = [{ from = "n1", to = "n2", delay = "1s" }] } },
    { at = "1100ms", set = { "network.link" = [] } },
]
expect.state = [{ at = "3s", node = "n2", key = "b", value = "y" }]
expect.convergence = "valid"
"#,
        ),
        // States used to be ordered by stamps, and followers confirmed and dropped every state until the leader's
        // clock had caught up with itself.
        (
            "a full state after the leader's clock went back is no old one",
            r#"
protocol.leader-follower = { mode = "sync", replication = "full-state" }
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" } },
    { at = "3s", client = "u", put = { key = "b", value = "y" }, expect = { confirmations = "2 of 2" } },
]
fault = [{ at = "2s", clock-jump = { node = "n1", by = "-1h" } }]
expect.state = [{ at = "4s", node = "n2", key = "b", value = "y" }]
expect.convergence = "valid"
expect.durability = "valid"
"#,
        ),
    ]);
}

#[test]
fn resending_ends_when_all_have_confirmed() {
    let result = play(
        "acknowledgements are lost for a while",
        r#"
protocol.leader-follower = { resend = "100ms" }
operation = [{ at = "1s", client = "u", put = { key = "a", value = "x" } }]
fault = [{ at = "0s", for = "1950ms", drop = { kind = "ack" } }]
expect.convergence = "valid"
"#,
    );
    // To two followers: at once and nine times again in vain, and a tenth time; as many acknowledgements; and the
    // client's request and answer.
    assert_eq!((result.messages.sent, result.messages.blocked), (2 * 11 + 2 * 11 + 2, 2 * 10));
    assert!(matches!(result.settlement, Settlement::Settled { .. }), "{:?}", result.settlement);
}

#[test]
fn of_one_key_the_newest_is_sent_again_and_confirms_the_older() {
    let story = |replication: &str, more: &str| {
        format!(
            r#"
protocol.leader-follower = {{ mode = "sync", ack-timeout = "5s", resend = "1s", replication = "{replication}" }}
fault = [
    {{ at = "0s", for = "1800ms", block = {{ from = "n1", to = "n2" }} }},
    {more}"#
        )
    };
    // The second is sent again a second after it was sent in vain; the first never.
    let newest = r#"
]
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" }, expect = { status = "ok", degraded = false, confirmations = "2 of 2", after = "1502ms", within = "1502ms" } },
    { at = "1500ms", client = "v", put = { key = "a", value = "y" }, expect = { status = "ok", degraded = false, confirmations = "2 of 2", after = "1002ms", within = "1002ms" } },
]
expect.state = [
    { at = "2500ms", node = "n2", key = "a", absent = true },
    { at = "2501ms", node = "n2", key = "a", value = "y" },
]
expect.convergence = "valid"
"#;
    for replication in ["entry", "full-state"] {
        play("two writes of one key in vain", &(story(replication, "") + newest));
    }
    let older = r#"{ at = "1200ms", clock-jump = { node = "n1", by = "-1h" } },
]
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" }, expect = { status = "ok", confirmations = "2 of 2", after = "1002ms", within = "1002ms" } },
    { at = "1500ms", client = "v", put = { key = "a", value = "y" }, expect = { status = "ok", confirmations = "2 of 2", after = "502ms", within = "502ms" } },
]
expect.state = [{ at = "2001ms", node = "n2", key = "a", value = "x" }]
expect.convergence = "valid"
"#;
    play("the later one has the older stamp", &story("entry", older));
}

/// Sending again touches what is due, not all that is unconfirmed: else the second of these would take minutes.
#[test]
fn a_long_outage_is_no_burden() {
    for (keys, most_messages) in [(10, 150_000), (100_000, 700_000)] {
        let text = format!(
            r#"
duration = "60s"
cluster.nodes = 3
protocol.leader-follower = {{ resend = "1s" }}
network.client-delay = "1ms"
workload = {{ clients = 100, open = {{ rate = "400/s" }}, keys = {keys}, mix = {{ put = 1 }} }}
fault = [{{ at = "5s", for = "50s", block = {{ from = "n1", to = "n2" }} }}]
"#
        );
        let scenario = read(&text);
        let result = scenario.run(1, RunOptions::default());
        assert_eq!(result.verdict, RunVerdict::Pass, "{:#?}", result.checks);
        assert!(matches!(result.settlement, Settlement::Settled { .. }));
        let sent = result.messages.sent;
        assert!(sent < most_messages, "{keys} keys: {sent} messages");
    }
}

/// The first attempt of `x` is given up and arrives after `y` was acknowledged: it wins by its stamp.
#[test]
fn a_write_that_is_tried_again_may_undo_a_later_one() {
    let story = |retries: u32, end: &str| {
        format!(
            r#"
network.client-delay = "3s"
operation = [
    {{ at = "1s", client = "u", put = {{ key = "a", value = "x" }}, timeout = "100ms", retries = {retries}, backoff = "0ms", {end}
    {{ at = "2s", client = "v", put = {{ key = "a", value = "y" }}, expect = {{ status = "ok" }} }},
]
change = [{{ at = "1050ms", set = {{ "network.client-delay" = "0ms" }} }}]
"#
        )
    };
    let late = r#"
[expect]
state = [
    { at = "3s", node = "n1", key = "a", value = "y" },
    { at = "5s", node = "n1", key = "a", value = "x" },
]
"#;
    let retried = story(1, r#"expect = { status = "ok" } },"#);
    play("tried again", &format!("{retried}{late}durability = \"allowed\""));
    let once = story(0, r#"expect = { status = "info" } },"#);
    play("tried once", &format!("{once}{late}durability = \"valid\""));
}

#[test]
fn what_is_tried_again_is_promised_less() {
    let promised = |property, scenario: &str| {
        let text = format!("{NODES}protocol.leader-follower = {{ resend = \"1s\" }}\n{scenario}");
        let scenario = read(&text);
        let promise = scenario.protocol.promises(&scenario.config).of(property);
        !matches!(promise, Promise::Never { .. })
    };
    for (expected, scenario) in [
        (true, "workload.mix = { put = 1, get = 1 }"),
        (false, "workload = { mix = { delete = 1 }, retries = 1 }"),
        (true, "workload = { mix = { get = 1 }, retries = 1 }"),
        (
            false,
            r#"
workload.mix = { put = 1 }
change = [{ at = "1s", set = { "workload.retries" = 1 } }]"#,
        ),
        (false, r#"operation = [{ at = "1s", client = "u", clear = { }, retries = 1 }]"#),
        (true, r#"operation = [{ at = "1s", client = "u", list = { }, retries = 1 }]"#),
    ] {
        assert_eq!(promised(Property::Durability, scenario), expected, "{scenario}");
    }
    for (expected, scenario) in [
        (true, r#"{ at = "1s", client = "u", clear = { } }"#),
        (true, r#"{ at = "1s", client = "u", clear = { from = "n1" }, retries = 1 }"#),
        (false, r#"{ at = "1s", client = "u", clear = { from = "n2" } }"#),
        (false, r#"{ at = "1s", client = "u", clear = { }, retries = 1 }"#),
        (
            false,
            r#"{ at = "1s", client = "u", list = { }, retries = 1 }, { at = "2s", client = "u", clear = { } }"#,
        ),
        (
            true,
            r#"{ at = "1s", client = "u", list = { }, retries = 1 }, { at = "2s", client = "v", clear = { } }"#,
        ),
    ] {
        let scenario = format!("operation = [{scenario}]");
        for property in [Property::Convergence, Property::LwwMaximum] {
            assert_eq!(promised(property, &scenario), expected, "{property}: {scenario}");
        }
    }
    play(
        "a clear finds another node when it is tried again, and that one empties itself",
        r#"
protocol.leader-follower = { resend = "200ms" }
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" } },
    { at = "3s", client = "u", clear = { }, timeout = "100ms", retries = 2, expect = { status = "ok" } },
]
fault = [{ at = "2s", for = "5s", partition = [["u", "n2"], ["n1", "n3"]] }]
expect.state = [
    { at = "4s", node = "n1", key = "a", value = "x" },
    { at = "4s", node = "n2", key = "a", absent = true },
]
expect.convergence = "allowed"
expect.lww-maximum = "allowed"
"#,
    );
}

#[test]
fn a_node_tells_its_status() {
    let result = play(
        "who it is, whom it follows, and how",
        r#"
cluster = { nodes = 3, initial-leader = "n2" }
protocol.leader-follower = { mode = "semi-sync", write-quorum = 1 }
operation = [{ at = "1s", client = "u", put = { key = "a", value = "x" } }]
fault = [{ at = "2s", forever = true, crash = "n3" }]
expect.state = [
    { at = "0s", node = "n2", role = "leader", term = 1, leader = "n2" },
    { at = "0s", node = "n1", role = "follower", term = 1, leader = "n2" },
    { at = "3s", node = "n3", role = "down" },
]
"#,
    );
    let [n1, n2, n3] = &result.finals[..] else { panic!("three nodes") };
    assert_eq!((n1.node, n1.up, n1.role, n1.term), (NodeId(0), true, Role::Follower, Term(1)));
    assert_eq!((n1.leader, n1.mode), (Some(NodeId(1)), "semi-sync"));
    assert_eq!((n2.role, n2.leader), (Role::Leader, Some(NodeId(1))));
    assert_eq!(n2.peers, [NodeId(0), NodeId(2)]);
    assert_eq!((&n2.blocked[..], &n2.pending[..]), (&[][..], &[][..]));
    assert_eq!((n1.data.len(), &n1.data), (1, &n2.data));
    assert_eq!((n3.node, n3.up, n3.data.len()), (NodeId(2), false, 0));
    let put: &Entry = &result.history.entries()[0];
    assert_eq!((put.node, put.confirmations, put.followers), (Some(NodeId(1)), 1, 2));
    let leaders: Vec<_> = result.leaderships.iter().map(|l| (l.term, l.node, l.until)).collect();
    assert_eq!(leaders, [(Term(1), NodeId(1), None)]);
    let leader = result.checks.iter().find(|check| check.property == Property::SingleLeader);
    assert_eq!(leader.map(|check| check.judged), Some(ExpectedVerdict::Valid));
}

#[test]
fn an_empty_leader_that_starts_again_leaves_its_followers_nothing() {
    play(
        "what a leader counted before it crashed is not later than what it counts anew",
        r#"
duration = "1s"
settle = "1s"
protocol.leader-follower.failover = { election = "none", catch-up = "full-state", heartbeat = "50ms" }

[[operation]]
at = "10ms"
client = "writer"
put = { key = "a", value = "1" }

[[operation]]
at = "20ms"
client = "writer"
put = { key = "b", value = "2" }

[[expect.state]]
at = "90ms"
node = "n3"
key = "b"
value = "2"

[[fault]]
at = "100ms"
for = "20ms"
crash = "n1"

[[expect.state]]
at = "200ms"
node = "n3"
leader = "n1"
key = "b"
absent = true

[expect]
durability = "allowed"
convergence = "valid"
"#,
    );
}
