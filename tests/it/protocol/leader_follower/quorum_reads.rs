//! Reads of several replicas, read repair, anti-entropy and tombstones with a grace period,
//! behaviour by behaviour.

use splitbrain::config::ExpectedVerdict;
use splitbrain::metrics::Settlement;
use splitbrain::property::{Promise, Property};
use splitbrain::run::RunOptions;

use crate::support::story::{play, play_all, scenario};

/// n2 misses the second write of `x`, and n3 is slow to answer n2.
const STALE: &str = r#"
duration = "20s"
network.delay = "1ms"
network.link = [{ from = "n3", to = "n2", delay = "20ms" }]
fault = [{ at = "1500ms", for = "1s", drop = { to = "n2", kind = "replicate" } }]
"#;

const WRITES: &str = r#"
    { at = "1s", client = "w", put = { key = "x", value = "old" } },
    { at = "2s", client = "w", put = { key = "x", value = "new" } },
"#;

fn stale(story: &str, protocol: &str, operations: &str, states: &str) {
    let text = format!(
        r"protocol.leader-follower = {{ {protocol} }}
{STALE}
operation = [{WRITES}{operations}]
expect.state = [{states}]
"
    );
    play(story, &text);
}

#[test]
fn a_read_is_answered_by_as_many_replicas_as_it_asks() {
    stale(
        "the newest of the first answers, as soon as there are enough",
        "",
        r#"
    { at = "3s", client = "r", get = { key = "x", from = "n2" },
      expect = { value = "old", within = "0ms" } },
    { at = "4s", client = "r", get = { key = "x", from = "n2", r = 1 },
      expect = { value = "old", within = "0ms" } },
    { at = "5s", client = "r", get = { key = "x", from = "n2", r = 2 },
      expect = { value = "new", after = "2ms", within = "2ms" } },
    { at = "6s", client = "r", get = { key = "x", from = "n2", r = 3 },
      expect = { value = "new", after = "21ms", within = "21ms" } },
    { at = "7s", client = "r", get = { key = "x", r = "all" },
      expect = { value = "new", after = "2ms", within = "2ms" } },
    { at = "8s", client = "r", get = { key = "y", from = "n2", r = 2 },
      expect = { absent = true, not-yet-replicated = false } },
"#,
        r#"{ at = "9s", node = "n2", key = "x", value = "old" }"#,
    );
    play(
        "too few answer in time; each read in its own time, and late answers are nobody's",
        r#"
protocol.leader-follower.read = { timeout = "100ms" }
fault = [{ at = "0s", for = "5s", crash = "n3" }]
operation = [
    { at = "1s", client = "a", get = { key = "x", r = 3 },
      expect = { status = "fail", error = "too-few-replies", after = "100ms", within = "100ms" } },
    { at = "1060ms", client = "b", get = { key = "x", r = 3 },
      expect = { status = "fail", error = "too-few-replies", after = "100ms", within = "100ms" } },
    { at = "1070ms", client = "c", get = { key = "x", r = 2 },
      expect = { absent = true, within = "2ms" } },
    { at = "2s", client = "a", get = { key = "x", r = 2 },
      expect = { status = "ok", within = "2ms" } },
    { at = "6s", client = "a", get = { key = "x", r = 3 },
      expect = { status = "ok", within = "2ms" } },
]"#,
    );
}

#[test]
fn a_read_repairs_before_or_after_it_answers() {
    let read = |within: &str| {
        format!(
            r#"{{ at = "3s", client = "r", get = {{ key = "x", r = "all", repair = true }},
  expect = {{ value = "new", after = "{within}", within = "{within}" }} }},"#
        )
    };
    let states = r#"
    { at = "3002ms", node = "n2", key = "x", value = "old" },
    { at = "3003ms", node = "n2", key = "x", value = "new" },
"#;
    stale("before: as long as the stale replica takes to confirm", "", &read("4ms"), states);
    stale("after: as long as the answers", "read.repair = \"after-answer\"", &read("2ms"), states);
    stale(
        "the coordinator repairs itself, and nobody else has to confirm",
        "",
        r#"{ at = "3s", client = "r", get = { key = "x", from = "n2", r = 2, repair = true },
  expect = { value = "new", within = "2ms" } },"#,
        r#"
    { at = "3001ms", node = "n2", key = "x", value = "old" },
    { at = "3002ms", node = "n2", key = "x", value = "new" },
"#,
    );
    stale(
        "a replica confirms a repair when it is durable",
        "wal.policy = \"fsync\"",
        &read("14ms"),
        &format!("{states}]\ndisk.sync = \"10ms\"\n#["),
    );
}

#[test]
fn a_repair_reaches_the_leader_and_carries_deletes() {
    play_all(&[
        (
            "a leader that lost its memory has it back from its followers",
            r#"
operation = [
    { at = "1s", client = "u", put = { key = "x", value = "a" } },
    { at = "3s", client = "u", get = { key = "x" },
      expect = { absent = true, not-yet-replicated = false } },
    { at = "4s", client = "u", get = { key = "x", from = "n2", r = "all", repair = true },
      expect = { value = "a" } },
    { at = "5s", client = "u", get = { key = "x" }, expect = { value = "a" } },
]
fault = [{ at = "2s", for = "500ms", crash = "n1" }]
expect.durability = "valid"
"#,
        ),
        (
            "a delete that a replica missed is written back like a value",
            r#"
operation = [
    { at = "1s", client = "u", put = { key = "x", value = "a" } },
    { at = "2s", client = "u", delete = { key = "x" } },
    { at = "3s", client = "u", get = { key = "x", from = "n2" }, expect = { value = "a" } },
    { at = "4s", client = "u", get = { key = "x", from = "n2", r = 3, repair = true },
      expect = { absent = true, not-yet-replicated = false } },
    { at = "5s", client = "u", get = { key = "x", from = "n2" }, expect = { absent = true } },
]
fault = [{ at = "1500ms", for = "1s", block = { from = "n1", to = "n2" } }]
"#,
        ),
        (
            "a stale replica whose disk is full confirms nothing, and the read fails",
            r#"
protocol.leader-follower = { wal.policy = "fsync", read.timeout = "1s" }
operation = [
    { at = "1s", client = "u", put = { key = "x", value = "a" } },
    { at = "3s", client = "u", get = { key = "x", r = 3 },
      expect = { value = "a", within = "2ms" } },
    { at = "4s", client = "u", get = { key = "x", r = 3, repair = true },
      expect = { status = "fail", error = "too-few-replies", after = "1s" } },
    { at = "8s", client = "u", get = { key = "x", r = 3, repair = true },
      expect = { value = "a" } },
]
fault = [{ at = "500ms", for = "6s", disk-full = "n2" }]
"#,
        ),
    ]);
}

#[test]
fn a_follower_that_finds_nothing_says_that_it_may_not_know_yet() {
    play(
        "not yet replicated, replicated, deleted: for all that a follower knows, written again \
         since",
        r#"
network.delay = "100ms"
network.link = [{ from = "n1", to = "n2", delay = "300ms" }]
operation = [
    { at = "1s", client = "w", put = { key = "x", value = "a" } },
    { at = "1050ms", client = "r", get = { key = "x", from = "n2" },
      expect = { status = "ok", absent = true, not-yet-replicated = true, leader = "n1" } },
    { at = "1060ms", client = "r", get = { key = "y", from = "n1" },
      expect = { absent = true, not-yet-replicated = false } },
    { at = "2s", client = "r", get = { key = "x", from = "n2" },
      expect = { value = "a", not-yet-replicated = false } },
    { at = "3s", client = "w", delete = { key = "x" } },
    { at = "4s", client = "r", get = { key = "x", from = "n2" },
      expect = { absent = true, not-yet-replicated = true, leader = "n1" } },
    { at = "5s", client = "r", get = { key = "x", from = "n2", r = 2 },
      expect = { absent = true, not-yet-replicated = true } },
    { at = "6s", client = "r", get = { key = "x", from = "n2", r = 3 },
      expect = { absent = true, not-yet-replicated = false } },
]"#,
    );
}

#[test]
fn anti_entropy_fills_in_what_was_missed() {
    let missed = |anti_entropy: &str, found: &str, verdict: &str| {
        format!(
            r#"
protocol.leader-follower.anti-entropy = {{ interval = "{anti_entropy}" }}
operation = [
    {{ at = "1s", client = "u", put = {{ key = "x", value = "a" }} }},
    {{ at = "1s", client = "v", put = {{ key = "y", value = "b" }} }},
    {{ at = "2s", client = "u", delete = {{ key = "y" }} }},
]
fault = [{{ at = "0s", for = "5s", isolate = "n3" }}]
expect.state = [{{ at = "4900ms", node = "n3", key = "x", absent = true }},
    {{ at = "5500ms", node = "n3", key = "x", {found} }}]
expect.convergence = "{verdict}"
"#
        )
    };
    play("every 200 ms with another", &missed("200ms", "value = \"a\"", "valid"));
    play("never", &missed("off", "absent = true", "allowed"));
    let result = play(
        "a leader that comes back with nothing, and its followers the other way round",
        r#"
protocol.leader-follower.anti-entropy = { interval = "100ms" }
operation = [{ at = "1s", client = "u", put = { key = "x", value = "a" } }]
fault = [{ at = "2s", for = "500ms", crash = "n1" },
    { at = "4s", for = "500ms", crash = ["n2", "n3"] }]
expect.state = [
    { at = "2500ms", node = "n1", key = "x", absent = true },
    { at = "3s", node = "n1", key = "x", value = "a" },
    { at = "5s", node = "n2", key = "x", value = "a" },
    { at = "5s", node = "n3", key = "x", value = "a" },
]
expect.durability = "valid"
"#,
    );
    assert!(matches!(result.settlement, Settlement::Settled { .. }), "{:?}", result.settlement);
}

#[test]
fn a_purged_tombstone_protects_nobody() {
    let late = |grace: &str, found: &str| {
        format!(
            r#"
protocol.leader-follower = {{ tombstone-grace = "{grace}" }}
network.delay = "1ms"
network.link = [{{ from = "n1", to = "n3", delay = "1ms" }}]
operation = [
    {{ at = "1s", client = "u", put = {{ key = "x", value = "a" }} }},
    {{ at = "1500ms", client = "u", delete = {{ key = "x" }}, expect = {{ existed = true }} }},
]
change = [
    {{ at = "500ms", set = {{ "network.link.0.delay" = "5001ms" }} }},
    {{ at = "1200ms", set = {{ "network.link.0.delay" = "1ms" }} }},
]
expect.state = [
    {{ at = "5900ms", node = "n3", key = "x", absent = true }},
    {{ at = "6100ms", node = "n3", key = "x", {found} }},
]
"#
        )
    };
    play("the older write arrives within the grace", &late("5s", "absent = true"));
    play("the older write arrives after it", &late("3s", "value = \"a\""));
    play(
        "a purge is in the log: what came back after it is there after a restart",
        r#"
protocol.leader-follower = { wal.policy = "fsync", tombstone-grace = "1s",
    anti-entropy.interval = "100ms" }
operation = [
    { at = "1s", client = "u", put = { key = "x", value = "a" } },
    { at = "2s", client = "u", delete = { key = "x" } },
]
fault = [
    { at = "1500ms", for = "3s", isolate = "n3" },
    { at = "6s", isolate = "n2" },
    { at = "7s", for = "1s", crash = "n2" },
]
expect.state = [
    { at = "4s", node = "n2", key = "x", absent = true },
    { at = "5500ms", node = "n2", key = "x", value = "a" },
    { at = "9s", node = "n2", key = "x", value = "a" },
]
"#,
    );
}

#[test]
fn quorums_that_overlap_promise_what_they_keep() {
    let promised = |protocol: &str, read: &str, property: Property| {
        let text = format!(
            "protocol.leader-follower = {{ mode = \"semi-sync\", write-quorum = 1, {protocol} }}\n\
             workload = {{ mix = {{ put = 1, get = 1 }}, read-from = \"any\", {read} }}\n"
        );
        let scenario = scenario(&text);
        !matches!(scenario.protocol.promises(&scenario.config).of(property), Promise::Never { .. })
    };
    let fails = "on-ack-timeout = \"fail\"";
    let repairs = "read-quorum = 2, read-repair = true";
    assert!(promised(fails, "read-quorum = 2", Property::ReadYourWrites));
    assert!(promised(fails, "read-quorum = 2", Property::Staleness));
    assert!(!promised(fails, "read-quorum = 1", Property::ReadYourWrites));
    assert!(!promised("", "read-quorum = 2", Property::ReadYourWrites), "a degraded answer");
    assert!(promised("", "read-quorum = \"all\"", Property::ReadYourWrites));
    assert!(promised(fails, repairs, Property::MonotonicReads));
    assert!(!promised(fails, "read-quorum = 2", Property::MonotonicReads));
    let behind = format!("{fails}, read.repair = \"after-answer\"");
    assert!(!promised(&behind, repairs, Property::MonotonicReads));
}

/// Settings that promise something: under loss, partitions and crashes no promise breaks.
#[test]
fn no_promise_is_broken_under_faults() {
    let protocols = [
        "mode = \"semi-sync\", write-quorum = 1, on-ack-timeout = \"fail\", ack-timeout = \
         \"100ms\", read.timeout = \"300ms\"",
        "mode = \"semi-sync\", write-quorum = 1, on-ack-timeout = \"fail\", wal.policy = \
         \"group-commit\", anti-entropy.interval = \"200ms\"",
        "anti-entropy.interval = \"100ms\", timestamps = \"hybrid\"",
        "anti-entropy.interval = \"100ms\", timestamps = \"term-sequence\", wal.policy = \"fsync\"",
        "resend = \"100ms\", timestamps = \"client\", timestamp-resolution = \"10ms\"",
        "anti-entropy.interval = \"150ms\", tombstone-grace = \"300ms\"",
        "anti-entropy.interval = \"150ms\", deletes = \"erase\"",
        "anti-entropy.interval = \"150ms\", ties = \"keep-existing\", timestamp-resolution = \
         \"20ms\"",
        "mode = \"sync\", replication = \"full-state\", anti-entropy.interval = \"150ms\", resend \
         = \"50ms\"",
    ];
    let reads = ["read-quorum = 2", "read-quorum = 2, read-repair = true", "read-quorum = \"all\""];
    let mut judged = 0;
    for protocol in protocols {
        for read in reads {
            let text = format!(
                r#"
duration = "2s"
protocol.leader-follower = {{ {protocol} }}
network.delay = {{ exponential = "10ms" }}
network.loss = "5%"
disk.sync = "2ms"
workload = {{ clients = 4, keys = 3, mix = {{ put = 5, delete = 2, get = 8 }}, read-from = "any",
    {read}, think = {{ exponential = "20ms" }}, timeout = "500ms" }}
fault = [
    {{ at = "300ms", for = "300ms", isolate = "follower" }},
    {{ at = "900ms", for = "100ms", crash = "follower" }},
    {{ at = "1400ms", for = "100ms", clock-jump = {{ node = "n1", by = "-200ms" }} }},
]
"#
            );
            let scenario = scenario(&text);
            for seed in 1..=8 {
                let result = scenario.run(seed, RunOptions::default());
                judged += result.history.iter().count();
                for check in &result.checks {
                    assert_ne!(
                        check.judged,
                        ExpectedVerdict::Violation,
                        "{protocol}, {read}, seed {seed}: {check:#?}"
                    );
                }
            }
        }
    }
    assert!(judged > 10_000, "{judged} operations are no test");
}

#[test]
fn a_read_that_repairs_waits_for_every_stale_replica() {
    play(
        "two are stale, and the way back from one is long",
        r#"
duration = "5s"
network.link = [{ from = "n3", to = "n1", delay = "20ms" }]
fault = [{ at = "1500ms", for = "1s", drop = { kind = "replicate" } }]
operation = [
    { at = "1s", client = "w", put = { key = "x", value = "old" } },
    { at = "2s", client = "w", put = { key = "x", value = "new" } },
    { at = "3s", client = "r", get = { key = "x", r = "all", repair = true },
      expect = { value = "new", after = "42ms", within = "42ms" } },
]
"#,
    );
}

#[test]
fn an_answer_that_comes_twice_counts_once() {
    play(
        "two nodes are up, and three have to answer",
        r#"
duration = "5s"
network.duplication = "100%"
protocol.leader-follower = { read.timeout = "100ms" }
fault = [{ at = "1500ms", for = "3s", crash = "n3" }]
operation = [
    { at = "1s", client = "w", put = { key = "x", value = "a" } },
    { at = "2s", client = "r", get = { key = "x", r = 3 },
      expect = { status = "fail", error = "too-few-replies" } },
]
"#,
    );
}

/// A read finds the newest element of a list. Read repair once wrote it back as a put, which ends
/// the list, and anti-entropy spread that.
#[test]
fn a_list_that_a_replica_lacks_is_not_ended_by_its_repair() {
    for settings in ["anti-entropy.interval = \"500ms\"", "resend = \"700ms\""] {
        play(
            settings,
            &format!(
                r#"
protocol.leader-follower = {{ {settings} }}
operation = [
    {{ at = "1s", client = "w", append = {{ key = "log", value = "a" }} }},
    {{ at = "1100ms", client = "w", append = {{ key = "log", value = "b" }} }},
    {{ at = "1200ms", client = "r", get = {{ key = "log", from = "n2", r = 2, repair = true }},
      expect = {{ value = "b" }} }},
    {{ at = "5s", client = "r", get = {{ key = "log", from = "n2" }}, expect = {{ value = "b" }} }},
]
fault = [{{ at = "900ms", for = "400ms", block = {{ from = "n1", to = "n2" }} }}]
expect = {{ convergence = "valid", append-uniqueness = "valid" }}
"#
            ),
        );
    }
}

/// n2 and n3 miss the only key of the last range, and the change of one of two keys of another
/// range. n1 compares with n2, and n2 asks n1 for both.
#[test]
fn anti_entropy_compares_every_key_of_every_range() {
    let writes = (0..17).map(|i| {
        let at = 100 + i;
        format!(
            "{{ at = \"{at}ms\", client = \"w\", put = {{ key = \"k{i}\", value = \"old\" }} }},"
        )
    });
    let writes: String = writes.collect();
    play(
        "within one interval",
        &format!(
            r#"
protocol.leader-follower = {{ anti-entropy.interval = "500ms" }}
operation = [
    {writes}
    {{ at = "200ms", client = "w", put = {{ key = "k0", value = "new" }} }},
]
fault = [
    {{ at = "114500us", for = "1ms", drop = {{ kind = "replicate" }} }},
    {{ at = "190ms", for = "20ms", drop = {{ kind = "replicate" }} }},
]
expect.state = [
    {{ at = "499ms", node = "n2", key = "k15", absent = true }},
    {{ at = "510ms", node = "n2", key = "k15", value = "old" }},
    {{ at = "510ms", node = "n2", key = "k0", value = "new" }},
    {{ at = "510ms", node = "n3", key = "k0", value = "new" }},
]
"#
        ),
    );
}

#[test]
fn a_tombstone_is_told_of_until_its_grace_is_over() {
    play(
        "n2 misses a delete",
        r#"
duration = "3s"
protocol.leader-follower = { anti-entropy.interval = "300ms", tombstone-grace = "2s" }
operation = [
    { at = "100ms", client = "u", put = { key = "x", value = "a" } },
    { at = "200ms", client = "u", delete = { key = "x" } },
]
fault = [{ at = "190ms", for = "20ms", drop = { to = "n2", kind = "replicate" } }]
expect.state = [
    { at = "250ms", node = "n2", key = "x", value = "a" },
    { at = "1s", node = "n2", key = "x", absent = true },
]
"#,
    );
}

/// A purge that does not fit on the disk would leave a gap in the log.
#[test]
fn a_full_disk_takes_no_purge() {
    play(
        "the grace is over while the disk is full",
        r#"
cluster.nodes = 1
duration = "2s"
protocol.leader-follower = { wal.policy = "fsync", tombstone-grace = "500ms" }
operation = [
    { at = "100ms", client = "u", put = { key = "k", value = "1" } },
    { at = "200ms", client = "u", delete = { key = "k" } },
    { at = "1s", client = "u", put = { key = "j", value = "1" } },
]
fault = [
    { at = "600ms", for = "200ms", disk-full = "n1" },
    { at = "1200ms", for = "100ms", crash = "n1" },
]
expect.replay = "valid"
"#,
    );
}

/// Each tombstone is purged when its own grace period ends, including those that came in a full
/// state.
#[test]
fn no_tombstone_outlives_its_grace() {
    let result = play(
        "two deletes; n3 has them from the leader's state",
        r#"
duration = "3s"
protocol.leader-follower = { tombstone-grace = "1s",
    failover = { election = "lowest-id", heartbeat = "50ms", timeout = "150ms" } }
operation = [
    { at = "100ms", client = "u", put = { key = "x", value = "a" } },
    { at = "110ms", client = "u", put = { key = "y", value = "a" } },
    { at = "200ms", client = "u", delete = { key = "x" } },
    { at = "600ms", client = "u", delete = { key = "y" }, expect = { existed = true } },
]
fault = [{ at = "700ms", for = "50ms", crash = "n3" }]
"#,
    );
    for snapshot in &result.finals {
        assert!(snapshot.data.is_empty(), "{snapshot:#?}");
    }
}

/// n2 never starts a comparison that reaches n1. When n1 compares, n2 gets what it lacks and sends
/// what it has newer: values and elements of lists.
#[test]
fn the_one_who_compares_sends_back_what_it_has_newer() {
    play(
        "of values and of lists",
        r#"
duration = "6s"
protocol.leader-follower.anti-entropy = { interval = "1s" }
cluster.nodes = 2
operation = [
    { at = "1200ms", client = "a", put = { key = "x", value = "1" } },
    { at = "1300ms", client = "a", append = { key = "l", value = "e1" } },
    { at = "1400ms", client = "a", append = { key = "l", value = "e2" } },
    { at = "3s", client = "a", get = { key = "l", from = "n2" }, expect = { value = "e2" } },
]
fault = [
    { at = "0s", for = "6s", drop = { from = "n1", to = "n2", kind = "replicate" } },
    { at = "0s", for = "6s", drop = { from = "n2", to = "n1", kind = "digests" } },
]
expect.state = [
    { at = "1900ms", node = "n2", key = "l", absent = true },
    { at = "2100ms", node = "n2", key = "x", value = "1" },
    { at = "2100ms", node = "n2", key = "l", value = "e2" },
]
"#,
    );
}
