//! Tombstones with a grace period: each is purged when its period ends, wherever it is stored and
//! however the node received it, and none comes back.

use splitbrain::run::RunResult;

use crate::support::story::play;

/// The nodes that hold a tombstone at the end, even below the elements of a list.
fn buried(result: &RunResult) -> Vec<String> {
    let holds = result.finals.iter().filter(|node| node.data.values().any(|s| s.value.is_none()));
    holds.map(|node| node.node.to_string()).collect()
}

/// n2 has the first delete alone. A key that was never written has no version, and neither has one
/// whose delete left no tombstone.
#[test]
fn a_get_of_nothing_has_the_version_of_the_tombstone_that_it_found() {
    let versions = |deletes: &str| {
        let text = format!(
            r#"
duration = "12s"
protocol.leader-follower = {{ deletes = "{deletes}" }}
fault = [{{ at = "1500ms", for = "2s", drop = {{ to = "n2", kind = "replicate" }} }}]
operation = [
    {{ at = "1s", client = "u", delete = {{ key = "a" }} }},
    {{ at = "2s", client = "u", put = {{ key = "a", value = "x" }} }},
    {{ at = "3s", client = "u", delete = {{ key = "a" }} }},
    {{ at = "4s", client = "u", get = {{ key = "a", from = "n1" }}, expect = {{ absent = true }} }},
    {{ at = "5s", client = "u", get = {{ key = "a", from = "n2" }}, expect = {{ absent = true }} }},
    {{ at = "6s", client = "u", get = {{ key = "a", from = "n2", r = 3 }},
      expect = {{ absent = true }} }},
    {{ at = "7s", client = "u", get = {{ key = "b", from = "n1" }}, expect = {{ absent = true }} }},
]
"#
        );
        let result = play("two deletes, and gets of nothing", &text);
        result.history.entries().iter().map(|entry| entry.version).collect::<Vec<_>>()
    };
    let told = versions("tombstone");
    let (first, second) = (told[0], told[2]);
    assert!(first.is_some() && first < second, "{told:?}");
    assert_eq!(told[3..], [second, first, second, None]);
    assert_eq!(versions("erase")[3..], [None; 4]);
}

/// A delete below newer elements of a list once stayed for ever and hid elements that other
/// replicas had. Anti-entropy does not spread tombstones past their grace period, so the replicas
/// never became equal.
#[test]
fn a_tombstone_below_a_list_goes_too() {
    let story = |delete: &str, faults: &str| {
        format!(
            r#"
duration = "4s"
protocol.leader-follower = {{ tombstone-grace = "500ms", anti-entropy.interval = "100ms" }}
operation = [
    {{ at = "100ms", client = "u", append = {{ key = "l", value = "e1" }} }},
    {{ at = "{delete}", client = "u", delete = {{ key = "l" }}, expect = {{ existed = true }} }},
    {{ at = "1s", client = "u", append = {{ key = "l", value = "e2" }} }},
    {{ at = "3900ms", client = "u", get = {{ key = "l", from = "n1" }},
      expect = {{ value = "e2" }} }},
]
fault = [{faults}]
expect.convergence = "valid"
expect.liveness = "valid"
"#
        )
    };
    let lengths = |result: &RunResult| -> Vec<usize> {
        result.finals.iter().flat_map(|node| node.lists.values().map(Vec::len)).collect()
    };
    // No other node heard of the delete while its tombstone existed.
    let late = r#"{ at = "200ms", for = "2s", isolate = "n1" }"#;
    assert_eq!(lengths(&play("it comes too late to the others", &story("990ms", late))), [2, 2, 2]);
    assert_eq!(lengths(&play("all hear of it", &story("990ms", ""))), [1, 1, 1]);
}

/// Tombstones from a checkpoint or an installed state were once purged at the time of another, or
/// never.
#[test]
fn a_tombstone_that_is_read_back_goes_in_its_time() {
    let protocol = r#"protocol.leader-follower = { tombstone-grace = "1s",
wal = { policy = "fsync", checkpoint-every = 1 }"#;
    let operations = r#"
operation = [
    { at = "100ms", client = "u", put = { key = "x", value = "a" } },
    { at = "200ms", client = "u", delete = { key = "x" }, expect = { existed = true } },
]
"#;
    let all = r#"fault = [{ at = "500ms", for = "100ms", crash = "all" }]"#;
    let plain = play(
        "from a checkpoint",
        &format!(
            "duration = \"3s\"\n{protocol} }}\n{operations}{all}\nexpect.replay = \"valid\"\n"
        ),
    );
    assert_eq!(buried(&plain), <[String; 0]>::default());
    let election = r#"
failover = { election = "lowest-id", heartbeat = "20ms", timeout = "60ms", catch-up = "log" }"#;
    let installed = play(
        "from an installed state, written to the log",
        &format!(
            r#"
duration = "3s"
{protocol}, {election} }}
{operations}
fault = [
    {{ at = "50ms", for = "250ms", isolate = "n3" }},
    {{ at = "250ms", for = "40ms", crash = "n1" }},
    {{ at = "600ms", for = "40ms", crash = "n3" }},
]
expect.replay = "valid"
"#
        ),
    );
    assert_eq!(buried(&installed), <[String; 0]>::default());
}

/// A store rebuilt after its log was cut once held purged tombstones again, until a restart from a
/// checkpoint without them.
#[test]
fn a_purged_tombstone_stays_away_when_the_log_is_cut() {
    for (story, wal, crash) in [
        ("in memory", "policy = \"off\"", ""),
        (
            "and after a restart",
            "policy = \"fsync\", checkpoint-every = 2",
            r#"{ at = "3s", for = "100ms", crash = "n1" }"#,
        ),
    ] {
        let result = play(
            story,
            &format!(
                r#"
duration = "4s"
protocol.leader-follower = {{ tombstone-grace = "500ms", wal = {{ {wal} }},
    failover = {{ election = "lowest-id", heartbeat = "50ms", timeout = "150ms",
        catch-up = "log" }} }}
operation = [
    {{ at = "100ms", client = "u", put = {{ key = "x", value = "a" }} }},
    {{ at = "200ms", client = "u", delete = {{ key = "x" }}, expect = {{ existed = true }} }},
    {{ at = "1100ms", client = "u", put = {{ key = "y", value = "a" }} }},
    {{ at = "1600ms", client = "v", put = {{ key = "z", value = "a" }}, ask-next = true }},
]
fault = [
    {{ at = "1s", for = "1s", isolate = "n1" }},
    {crash}
]
expect.replay = "valid"
"#
            ),
        );
        let n1 = &result.finals[0];
        assert!(n1.data.len() <= 1, "{story}: nothing was cut off: {n1:?}");
        assert_eq!(buried(&result), <[String; 0]>::default(), "{story}");
    }
}
