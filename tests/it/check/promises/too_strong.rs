//! Promises that were too strong: a correct run broke them.

use splitbrain::config::ExpectedVerdict;
use splitbrain::property::Property;

use super::{SAFE, is_never, is_promised_in, judged, run, scenario, with};
use crate::support::result::check;

use ExpectedVerdict::{Allowed, Valid, Violation};
use Property::{
    Convergence, Durability, Liveness, MonotonicReads, ReadYourWrites, Staleness, WritesFollowReads,
};

/// n3 stamps "old" and is cut off. The next leader's coarse clock shows the same ten seconds, and
/// its id is lower.
#[test]
fn a_clock_that_is_read_more_coarsely_than_a_failover_takes_orders_nothing() {
    let story = format!(
        r#"
duration = "4s"
settle = "30s"
cluster.initial-leader = "n3"
{SAFE}
[[operation]]
at = "100ms"
client = "a"
put = {{ key = "k", value = "old" }}
[[operation]]
at = "2s"
client = "a"
put = {{ key = "k", value = "new" }}
ask-next = true
[[operation]]
at = "2500ms"
client = "a"
put = {{ key = "k", value = "newer" }}
[[fault]]
at = "500ms"
for = "1s"
isolate = "n3"
"#
    );
    let coarse = "protocol.leader-follower.timestamp-resolution=10s";
    assert_eq!(judged(&with(&story, &[coarse]), Durability), Allowed);
    let properties = [Durability, Property::MonotonicWrites, WritesFollowReads];
    for (source, resolution, promised) in [
        ("wall", "201ms", [false, false, false]),
        // Too short for a failover, but not for a write of a leader that does not know it is
        // deposed.
        ("wall", "200ms", [true, true, false]),
        ("wall", "1ns", [true, true, true]),
        ("client", "2ns", [false, false, false]),
        ("client", "1ns", [true, true, true]),
        ("hybrid", "10s", [true, true, false]),
        ("term-sequence", "10s", [true, true, true]),
    ] {
        let sets = [
            format!("protocol.leader-follower.timestamps={source}"),
            format!("protocol.leader-follower.timestamp-resolution={resolution}"),
        ];
        let scenario = with(&story, &[&sets[0], &sets[1]]);
        let found = properties.map(|property| !is_never(&scenario, property));
        assert_eq!(found, promised, "{source}, {resolution}");
    }
}

/// What R + W > N does not cover: each time a replica missed a message.
#[test]
fn overlapping_quorums_do_not_cover_lists_nor_purged_tombstones() {
    let story = |operations: &str| {
        format!(
            r#"
duration = "10s"
[protocol.leader-follower]
mode = "semi-sync"
write-quorum = 1
on-ack-timeout = "fail"
tombstone-grace = "1h"
[network]
delay = "1ms"
{operations}
[[operation]]
at = "6s"
client = "a"
get = {{ key = "k", r = 2, from = "n3" }}
[[fault]]
at = "2s"
for = "2s"
block = {{ from = "n1", to = "n3" }}
"#
        )
    };
    let list = story(
        r#"
[[operation]]
at = "1s"
client = "a"
append = { key = "k", value = "v1" }
[[operation]]
at = "3s"
client = "a"
append = { key = "k", value = "v2" }
"#,
    )
    .replace("tombstone-grace = \"1h\"\n", "");
    let purged = story(
        r#"
[[operation]]
at = "1s"
client = "a"
put = { key = "k", value = "v" }
[[operation]]
at = "3s"
client = "a"
delete = { key = "k" }
"#,
    )
    .replace("\"1h\"", "\"1s\"");
    for story in [list, purged] {
        let scenario = scenario(&story);
        assert!(is_never(&scenario, ReadYourWrites) && is_never(&scenario, Staleness), "{story}");
        let result = run(&scenario);
        assert_ne!(check(&result, ReadYourWrites).judged, Violation, "{story}");
        assert_ne!(check(&result, Staleness).judged, Violation, "{story}");
    }
}

/// n3 missed "one" and keeps "two"; the others keep "one". A read's answer depends on the node it
/// asks.
#[test]
fn ties_left_to_what_is_there_differ_from_replica_to_replica() {
    let story = r#"
duration = "9s"
[protocol.leader-follower]
ties = "keep-existing"
timestamp-resolution = "100s"
[network]
delay = "1ms"
[[operation]]
at = "1s"
client = "w"
put = { key = "k", value = "one" }
[[operation]]
at = "3s"
client = "w"
put = { key = "k", value = "two" }
[[operation]]
at = "5s"
client = "a"
get = { key = "k", r = 2, repair = true, from = "n3" }
[[operation]]
at = "6s"
client = "a"
get = { key = "k", r = 2, repair = true, from = "n2" }
[[fault]]
at = "500ms"
for = "1s"
block = { from = "n1", to = "n3" }
"#;
    let scenario = scenario(story);
    assert!(is_never(&scenario, MonotonicReads));
    assert_ne!(judged(&scenario, MonotonicReads), Violation);
}

/// A follower accepts a clear, and with elections no client can know who leads when its request
/// arrives.
#[test]
fn a_clear_under_an_election_may_reach_a_follower() {
    let story = r#"
duration = "3s"
[protocol.leader-follower]
failover = { election = "majority-vote", heartbeat = "50ms", timeout = "200ms" }
[network]
delay = "1ms"
[[operation]]
at = "1s"
client = "a"
put = { key = "k", value = "v" }
[[operation]]
at = "2s"
client = "a"
clear = { from = "n3" }
"#;
    assert_eq!(judged(&scenario(story), Convergence), Allowed);
    let to_the_leader = story.replace("{ from = \"n3\" }", "{}");
    for text in [
        story.to_owned(),
        to_the_leader,
        format!(
            "duration = \"3s\"{SAFE}[[operation]]\nat = \"1s\"\nclient = \"a\"\nclear = {{}}\n"
        ),
    ] {
        assert!(is_never(&scenario(&text), Convergence), "{text}");
    }
}

/// n5 has missed a write, and three of the nodes that have it stay down. Two of five elect nobody.
#[test]
fn where_too_few_are_left_to_elect_anybody_nothing_comes_to_an_end() {
    let story = |down: &str| {
        format!(
            r#"
duration = "3s"
settle = "60s"
{SAFE}
[[operation]]
at = "1s"
client = "a"
put = {{ key = "k", value = "v" }}
[[fault]]
at = "900ms"
for = "1500ms"
block = {{ from = "n1", to = "n5" }}
[[fault]]
at = "1050ms"
forever = true
crash = {down}
"#
        )
    };
    let of_five = |down: &str| {
        let sets = [
            "cluster.nodes=5",
            "protocol.leader-follower.write-quorum=2",
            "protocol.leader-follower.timestamps=term-sequence",
        ];
        run(&with(&story(down), &sets))
    };
    let minority = of_five(r#"["n1", "n2", "n3"]"#);
    assert_eq!(check(&minority, Convergence).judged, Allowed);
    let told: Vec<_> =
        check(&minority, Convergence).voided_by.iter().map(|i| i.phrase(|_| "")).collect();
    assert_eq!(told[0], "n1 stayed down at 1.050000000 s");
    assert!(!is_promised_in(&minority, Liveness));
    // A majority elects a leader, and every write acknowledged by a majority is on one of its
    // nodes.
    let majority = of_five(r#"["n1", "n2"]"#);
    for property in [Convergence, Liveness, Durability] {
        assert!(is_promised_in(&majority, property), "{property}");
        assert_eq!(check(&majority, property).judged, Valid, "{property}");
    }
}

/// A client reads "dirty" from a leader that has not synced it. The leader loses power and gives
/// the version again.
#[test]
fn what_was_read_before_it_was_durable_is_followed_by_nothing_after_a_power_loss() {
    let story = r#"
duration = "5s"
[protocol.leader-follower]
timestamps = "term-sequence"
wal.policy = "fsync"
[network]
delay = "1ms"
[disk]
sync = "100ms"
[[operation]]
at = "1s"
client = "w"
put = { key = "k", value = "dirty" }
[[operation]]
at = "1010ms"
client = "a"
get = { key = "k" }
[[operation]]
at = "3s"
client = "a"
put = { key = "k", value = "next" }
[[fault]]
at = "1020ms"
for = "500ms"
power-loss = "n1"
"#;
    assert_eq!(judged(&scenario(story), WritesFollowReads), Allowed);
    for policy in ["\"group-commit\"", "\"buffered\""] {
        let scenario = scenario(&story.replace("\"fsync\"", policy));
        assert_ne!(judged(&scenario, WritesFollowReads), Violation, "{policy}");
    }
    // A power loss of a follower voids nothing.
    let follower = run(&scenario(&story.replace("power-loss = \"n1\"", "power-loss = \"n2\"")));
    assert!(is_promised_in(&follower, WritesFollowReads));
    assert_eq!(check(&follower, WritesFollowReads).judged, Valid);
}

/// The deposed leader's clock is ahead, and no majority has what it shows: the next leader never
/// sees that timestamp.
#[test]
fn a_hybrid_clock_does_not_order_writes_after_what_no_majority_has() {
    let story = format!(
        r#"
duration = "6s"
settle = "30s"
{SAFE}
[[clock]]
node = "n1"
offset = "100s"
[[operation]]
at = "1s"
client = "w"
put = {{ key = "k", value = "dirty" }}
[[operation]]
at = "1100ms"
client = "a"
get = {{ key = "k", from = "n1" }}
[[operation]]
at = "3s"
client = "a"
put = {{ key = "k", value = "next", to = "n2" }}
[[operation]]
at = "3100ms"
client = "a"
put = {{ key = "k", value = "next", to = "n3" }}
[[fault]]
at = "900ms"
for = "3s"
isolate = "n1"
"#
    );
    let hybrid = with(&story, &["protocol.leader-follower.timestamps=hybrid"]);
    assert!(is_never(&hybrid, WritesFollowReads));
    assert_ne!(judged(&hybrid, WritesFollowReads), Violation);
    assert_ne!(
        judged(
            &with(&story, &["protocol.leader-follower.timestamps=term-sequence"]),
            WritesFollowReads
        ),
        Violation
    );
}
