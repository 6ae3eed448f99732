//! Which of several writes of a key stays, in whatever order they arrive, and deletes among them.

use splitbrain::id::NodeId;

use crate::support::story::{play, play_all};

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
    {{ at = "1s", client = "u", delete = {{ key = "a" }},
      expect = {{ status = "ok", existed = false }} }},
    {{ at = "2s", client = "u", put = {{ key = "a", value = "x" }} }},
    {{ at = "3s", client = "u", delete = {{ key = "a" }},
      expect = {{ status = "ok", existed = true }} }},
    {{ at = "4s", client = "u", delete = {{ key = "a" }},
      expect = {{ status = "ok", existed = false }} }},
    {{ at = "5s", client = "u", get = {{ key = "a", from = "n3" }},
      expect = {{ status = "ok", absent = true }} }},
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
