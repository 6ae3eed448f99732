//! Clients: whom they ask, how they find the leader, and what trying again may do.

use splitbrain::property::{Promise, Property};

use crate::support::scenario::read;
use crate::support::story::{NODES, play, play_all};

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
    { at = "3s", client = "v", get = { key = "nothing", from = "n2" },
      expect = { status = "ok", absent = true, leader = "n1" } },
    { at = "4s", client = "v", list = { from = "n1" }, expect = { keys = ["a", "b"] } },
    { at = "4s", client = "v", list = { from = "n2" }, expect = { keys = ["a", "b"] } },
    { at = "4s", client = "v", read-all = { from = "n1" },
      expect = { all = { a = "z", b = "y" } } },
    { at = "4s", client = "v", read-all = { from = "n3" },
      expect = { all = { a = "z", b = "y" } } },
]
expect.staleness = "allowed"
"#,
        ),
        (
            "a clear at the leader empties all, and one at a follower that follower alone, until \
             it is written to",
            r#"
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" } },
    { at = "1s", client = "u", put = { key = "b", value = "y" } },
    { at = "2s", client = "u", clear = { from = "n2" },
      expect = { status = "ok", within = "0ms" } },
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
    { at = "1s", client = "u", put = { key = "a", value = "x", to = "n2" },
      expect = { status = "fail", error = "not-leader", leader = "n1" } },
    { at = "2s", client = "u", delete = { key = "a", to = "n3" },
      expect = { status = "fail", error = "not-leader", leader = "n1" } },
]
expect.state = [{ at = "5s", node = "n1", key = "a", absent = true }]
"#,
        ),
        (
            "nobody leads where nobody is elected",
            r#"
cluster = { nodes = 3, initial-leader = "none" }
operation = [{ at = "1s", client = "u", put = { key = "a", value = "x" },
    expect = { status = "fail", error = "no-leader" } }]
expect.state = [{ at = "5s", node = "n1", role = "follower", leader = "none" }]
"#,
        ),
        (
            "a node that is down refuses at once",
            r#"
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" },
      expect = { status = "fail", error = "refused", within = "0ms" } },
    { at = "1s", client = "v", get = { key = "a", from = "n1" },
      expect = { status = "fail", error = "refused", within = "0ms" } },
]
fault = [{ at = "500ms", for = "1s", crash = "n1" }]
"#,
        ),
        (
            "retried until the leader is back: the others, asked in turn, lead back to it",
            r#"
cluster = { nodes = 3, initial-leader = "n2" }
operation = [{ at = "1s", client = "u", put = { key = "a", value = "x" }, retries = 9,
    backoff = "100ms", expect = { status = "ok", after = "900ms", within = "900ms" } }]
fault = [{ at = "500ms", for = "1400ms", crash = "n2" }]
expect.state = [{ at = "5s", node = "n3", key = "a", value = "x" }]
"#,
        ),
        (
            "an attempt that times out may have happened: a write ends unknown, a read fails",
            r#"
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" }, timeout = "100ms",
      expect = { status = "info", error = "timeout", after = "100ms", within = "100ms" } },
    { at = "1s", client = "v", get = { key = "a" }, timeout = "100ms",
      expect = { status = "fail", error = "timeout", after = "100ms", within = "100ms" } },
]
fault = [{ at = "500ms", for = "1s", pause = "n1" }]
expect.state = [{ at = "2s", node = "n1", key = "a", value = "x" }]
"#,
        ),
        (
            "cut off from the leader, it asks another, is sent back, and gets through when the cut \
             is healed",
            r#"
operation = [{ at = "1s", client = "u", put = { key = "a", value = "x" }, timeout = "100ms",
    retries = 5, backoff = "10ms", expect = { status = "ok", after = "330ms", within = "330ms" } }]
fault = [{ at = "500ms", for = "750ms", partition = [["n1"], ["n2", "n3", "u"]] }]
"#,
        ),
    ]);
}

/// The client gives up its first attempt to write `x`; the attempt arrives after `y` was
/// acknowledged and wins by its timestamp.
#[test]
fn a_write_that_is_tried_again_may_undo_a_later_one() {
    let story = |retries: u32, end: &str| {
        format!(
            r#"
network.client-delay = "3s"
operation = [
    {{ at = "1s", client = "u", put = {{ key = "a", value = "x" }}, timeout = "100ms",
      retries = {retries}, backoff = "0ms", {end}
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
            r#"{ at = "1s", client = "u", list = { }, retries = 1 },
{ at = "2s", client = "u", clear = { } }"#,
        ),
        (
            true,
            r#"{ at = "1s", client = "u", list = { }, retries = 1 },
{ at = "2s", client = "v", clear = { } }"#,
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
    { at = "3s", client = "u", clear = { }, timeout = "100ms", retries = 2,
      expect = { status = "ok" } },
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

/// n1 knows of no leader and can reach nobody. One client asks the next node for its next
/// operation; the other keeps asking n1.
#[test]
fn a_client_that_is_told_of_no_leader_asks_the_next_node_if_it_is_to() {
    play(
        "a client that is told of no leader asks the next node if it is to",
        r#"
duration = "3s"
cluster.nodes = 3
network.delay = "5ms"
operation = [
    { at = "1s", client = "u", put = { key = "k", value = "1" }, ask-next = true,
      expect = { error = "no-leader" } },
    { at = "1100ms", client = "u", put = { key = "k", value = "2" }, expect = { status = "ok" } },
    { at = "1s", client = "v", put = { key = "k", value = "3" }, expect = { error = "no-leader" } },
    { at = "1100ms", client = "v", put = { key = "k", value = "4" },
      expect = { error = "no-leader" } },
]
fault = [
    { at = "90ms", for = "1800ms", isolate = "n1" },
    { at = "100ms", for = "50ms", crash = "n1" },
]

[protocol.leader-follower]
wal.policy = "fsync"
failover = { election = "majority-vote", heartbeat = "50ms", timeout = "150ms", catch-up = "log" }
"#,
    );
}
