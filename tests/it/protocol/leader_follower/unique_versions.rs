//! No version is given twice, and a hybrid clock stamps above everything that its node has seen. A
//! node must know both again after every kind of start. The unit tests of the protocol try all
//! kinds; each story here is one that was once forgotten.

use std::collections::BTreeSet;

use splitbrain::run::RunResult;

use crate::support::story::play;

/// Every answered write has its own version; later writes of one client have higher ones.
fn versions_rise(story: &str, text: &str) -> RunResult {
    let result = play(story, text);
    let answered =
        result.history.entries().iter().filter(|entry| entry.is_ok() && entry.is_write());
    let versions: Vec<_> = answered.filter_map(|entry| entry.version).collect();
    let distinct: BTreeSet<_> = versions.iter().collect();
    assert_eq!(distinct.len(), versions.len(), "{story}: {versions:?}");
    result
}

const SAFE: &str = r#"mode = "semi-sync", write-quorum = 1, on-ack-timeout = "fail",
timestamps = "hybrid",
failover = { election = "majority-vote", heartbeat = "50ms", timeout = "200ms", jitter = "20ms",
  catch-up = "log" }"#;

/// n1's clock is 100 s ahead, and n3 misses all of n1's writes. n1 and n2 take checkpoints and
/// restart, so n3 is sent a state instead of entries. n3 restarts from that state and leads when n1
/// is down: a write stamped by n3's own clock would lose to those that n1 acknowledged.
#[test]
fn a_node_that_starts_from_an_installed_state_has_seen_the_stamps_in_it() {
    play(
        "an installed state",
        &format!(
            r#"
duration = "12s"
clock = [{{ node = "n1", offset = "100s" }}]
operation = [
    {{ at = "1s", client = "a", put = {{ key = "k", value = "v1" }} }},
    {{ at = "1010ms", client = "a", put = {{ key = "k", value = "v2" }} }},
    {{ at = "1020ms", client = "a", put = {{ key = "k", value = "v3" }} }},
    {{ at = "1030ms", client = "a", put = {{ key = "k", value = "v4" }} }},
    {{ at = "9s", client = "a", put = {{ key = "k", value = "b2", to = "n2" }} }},
    {{ at = "9010ms", client = "a", put = {{ key = "k", value = "b3", to = "n3" }},
      expect = {{ status = "ok" }} }},
]
fault = [
    {{ at = "500ms", for = "3500ms", isolate = "n3" }},
    {{ at = "2s", for = "100ms", crash = ["n1", "n2"] }},
    {{ at = "6s", for = "100ms", crash = "n3" }},
    {{ at = "7s", for = "4s", crash = "n1" }},
    {{ at = "7s", for = "250ms", crash = "n2" }},
]
expect = {{ durability = "valid", monotonic-writes = "valid", convergence = "valid", state = [
    {{ at = "11900ms", node = "n1", key = "k", value = "b3" }},
    {{ at = "11900ms", node = "n3", role = "leader" }},
] }}
protocol.leader-follower = {{ wal = {{ policy = "fsync", checkpoint-every = 4 }}, {SAFE} }}
"#
        ),
    );
}

/// n1's clock is 100 s ahead. A delete leaves nothing in a checkpoint, and nodes that start from
/// their checkpoints lead next.
#[test]
fn a_checkpoint_keeps_the_stamp_of_what_left_nothing() {
    let story = |policy: &str, offset: &str, gone: &str| {
        play(
            "a delete that left nothing",
            &format!(
                r#"
duration = "8s"
clock = [{{ node = "n1", offset = "{offset}" }}]
operation = [
    {{ at = "1s", client = "a", put = {{ key = "k", value = "v" }} }},
    {{ at = "1100ms", client = "a", {gone} }},
    {{ at = "4s", client = "a", put = {{ key = "k", value = "again", to = "n2" }} }},
    {{ at = "4100ms", client = "a", put = {{ key = "k", value = "again3", to = "n3" }} }},
    {{ at = "7s", client = "b", get = {{ key = "k" }}, expect = {{ status = "ok" }} }},
]
fault = [
    {{ at = "2s", for = "100ms", crash = ["n2", "n3"] }},
    {{ at = "2500ms", for = "3s", crash = "n1" }},
]
expect = {{ durability = "valid", monotonic-writes = "valid", writes-follow-reads = "valid" }}
protocol.leader-follower = {{ deletes = "erase",
    wal = {{ policy = "{policy}", checkpoint-every = 2 }}, {SAFE} }}
"#
            ),
        );
    };
    story("fsync", "100s", r#"delete = { key = "k" }"#);
    story("group-commit", "1h", r#"delete = { key = "k" }"#);
    story("fsync", "100s", "clear = { }");
}

/// A crash follows an answered write that changed nothing: a delete of a missing key, a clear of an
/// empty store, a put older than its key's value. The next write has a new number.
#[test]
fn the_number_of_a_write_that_changed_nothing_is_not_given_again() {
    let story = |settings: &str, nothing: &str, also: &str| {
        let story = format!("{settings}: {nothing}");
        let text = format!(
            r#"
duration = "5s"
protocol.leader-follower = {{ {settings} }}
operation = [
    {{ at = "1s", client = "a", put = {{ key = "x", value = "first" }} }},
    {{ at = "1500ms", client = "a", {nothing} }},
    {{ at = "3s", client = "a", put = {{ key = "k", value = "v" }}, expect = {{ status = "ok" }} }},
]
fault = [{{ at = "2s", for = "500ms", crash = "n1" }}{also}]
"#
        );
        versions_rise(&story, &text)
    };
    for policy in ["fsync", "group-commit"] {
        for replication in ["entry", "full-state"] {
            let settings = format!(
                r#"deletes = "erase", timestamps = "term-sequence", wal.policy = "{policy}",
replication = "{replication}""#
            );
            let result = story(&settings, r#"delete = { key = "k" }"#, "");
            let last = result.history.entries().last().and_then(|entry| entry.version);
            assert_eq!(last.map(|version| version.sequence), Some(3), "{settings}");
        }
    }
    // All clocks show the same ten seconds; n1's then goes back by ten.
    let settings = r#"timestamp-resolution = "10s", wal.policy = "fsync""#;
    let back = r#", { at = "1200ms", clock-jump = { node = "n1", by = "-10s" } }"#;
    let result = story(settings, r#"put = { key = "x", value = "older" }"#, back);
    let last = result.history.entries().last().and_then(|entry| entry.version);
    assert_eq!(last.map(|version| version.sequence), Some(3));
}

/// n1 accepts an element, is asked by n2 where the two differ before it has synced, and loses
/// power. n2 once was told of the element and kept it under a version that n1 then gave to another;
/// neither ever learnt of the other's.
#[test]
fn what_is_not_yet_durable_is_no_answer_to_a_comparison() {
    for policy in ["fsync", "group-commit"] {
        versions_rise(
            policy,
            &format!(
                r#"
duration = "3s"
cluster.nodes = 2
protocol.leader-follower = {{ timestamps = "term-sequence", wal.policy = "{policy}",
    anti-entropy.interval = "10ms" }}
disk.sync = "100ms"
operation = [
    {{ at = "1s", client = "u", append = {{ key = "k", value = "a" }},
      expect = {{ status = "info" }} }},
    {{ at = "1141ms", client = "v", append = {{ key = "k", value = "b" }},
      expect = {{ status = "ok" }} }},
]
fault = [{{ at = "1090ms", for = "50ms", power-loss = "n1" }}]
expect.state = [
    {{ at = "1089ms", node = "n1", key = "k", value = "a" }},
    {{ at = "1089ms", node = "n2", key = "k", absent = true }},
]
expect.convergence = "valid"
expect.append-uniqueness = "valid"
"#
            ),
        );
    }
}
