//! When a cluster has settled: the run waits for work that can still be done, and not for work that
//! never can.

use splitbrain::metrics::Settlement;
use splitbrain::run::RunResult;

use crate::support::story::{play, play_all, scenario};

/// What the run was still waiting for at its end.
fn left_to_do(result: &RunResult) -> &[String] {
    match &result.settlement {
        Settlement::Unsettled { waiting_for } => waiting_for,
        Settlement::Settled { .. } => &[],
        Settlement::Stuck { .. } => panic!("{:?}", result.settlement),
    }
}

/// With `resend`, a leader sends for ever to a node that stays down, and cannot know it. Such a
/// cluster was once judged broken.
#[test]
fn nobody_waits_for_what_is_meant_for_a_node_that_stays_down() {
    let put = r#"operation = [
    { at = "2s", client = "u", put = { key = "a", value = "x" }, expect = { status = "ok" } },
]
expect.liveness = "valid"
expect.convergence = "valid"
"#;
    let crash = r#"fault = [{ at = "1s", forever = true, crash = "n3" }]"#;
    let resend = r#"protocol.leader-follower = { resend = "100ms" }"#;
    let story = |lines: &[&str]| lines.join("\n") + "\n" + put;
    // The log of n3 is damaged before its end, so n3 does not start again.
    let damaged = r#"
protocol.leader-follower = { resend = "100ms", wal.policy = "fsync",
    failover = { election = "majority-vote", heartbeat = "50ms", timeout = "150ms",
        jitter = "150ms", catch-up = "none" } }
operation = [
    { at = "100ms", client = "u", put = { key = "a", value = "x" } },
    { at = "200ms", client = "u", put = { key = "b", value = "y" } },
    { at = "1500ms", client = "u", put = { key = "a", value = "z" }, expect = { status = "ok" } },
]
fault = [
    { at = "1s", flip-bit = { node = "n3", byte = 20 } },
    { at = "1100ms", for = "100ms", crash = "n3" },
]
expect.liveness = "valid"
"#;
    let stories = [
        ("the leader is fixed", story(&[resend, crash])),
        (
            "the state is sent whole",
            story(&[
                r#"protocol.leader-follower = { resend = "100ms", replication = "full-state" }"#,
                crash,
            ]),
        ),
        (
            "some message to it is always on its way",
            story(&[
                r#"network = { delay = "1ms", link = [{ from = "n1", to = "n3", delay = "1s" }] }"#,
                resend,
                crash,
            ]),
        ),
        (
            "some message is always coming back",
            story(&[
                r#"network = { delay = "1ms", refuse = true,
  link = [{ from = "n3", to = "n1", delay = "1s" }] }"#,
                resend,
                crash,
            ]),
        ),
        ("it cannot start", damaged.to_owned()),
    ];
    for (story, text) in &stories {
        let result = play(story, text);
        assert!(result.finals.iter().any(|node| !node.up), "{story}: all are up");
        let owed: Vec<_> = result.finals.iter().flat_map(|node| &node.owed).collect();
        assert!(!owed.is_empty(), "{story}: nothing is left that could be waited for");
        assert_eq!(left_to_do(&result), <[String; 0]>::default(), "{story}");
    }
}

/// To a follower that is up, the leader still owes what that one cannot acknowledge.
#[test]
fn what_is_meant_for_a_node_that_is_up_is_waited_for() {
    let text = r#"
duration = "3s"
settle = "5s"
network = { delay = "1ms", link = [{ from = "n2", to = "n1", loss = "100%" }] }
protocol.leader-follower = { resend = "100ms" }
fault = [{ at = "1s", forever = true, crash = "n3" }]
operation = [{ at = "2s", client = "u", put = { key = "a", value = "x" } }]
"#;
    let story = scenario(text);
    let result = story.run(1, splitbrain::run::RunOptions::default());
    assert_eq!(left_to_do(&result), ["n1: 1 unconfirmed write is to be sent to n2 again"]);
    // A node that will come back is waited for.
    play_all(&[(
        "it is down for a while",
        r#"
protocol.leader-follower = { resend = "100ms" }
fault = [{ at = "1s", crash = "n3" }]
operation = [{ at = "2s", client = "u", put = { key = "a", value = "x" } }]
expect.liveness = "valid"
expect.convergence = "valid"
"#,
    )]);
}

/// Of two writes with one timestamp each replica keeps the first, so the replicas differ for ever
/// and tell each other so for ever. Liveness was once judged broken when such a message was in
/// flight at the end.
#[test]
fn replicas_that_compare_themselves_for_ever_have_nothing_left_to_do() {
    let text = r#"
duration = "1s"
settle = "30s"
network = { delay = "60ms", link = [{ from = "n1", to = "n3", delay = "90ms" }] }
protocol.leader-follower = { timestamps = "client", timestamp-resolution = "1h",
    ties = "keep-existing", anti-entropy.interval = "10ms" }
operation = [
    { at = "100ms", client = "u", put = { key = "a", value = "x" } },
    { at = "101ms", client = "v", put = { key = "a", value = "y" } },
]
fault = [{ at = "100ms", for = "1ms", block = { from = "n1", to = "n2" } }]
expect.liveness = "valid"
expect.convergence = "allowed"
"#;
    let result = play("which write came first", text);
    assert_eq!(left_to_do(&result).len(), 1, "{:?}", result.settlement);
    assert!(left_to_do(&result)[0].contains("differ"), "{:?}", result.settlement);
}
