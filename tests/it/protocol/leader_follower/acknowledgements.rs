//! How many followers a write waits for, and what becomes of one that waits too long.

use crate::support::story::{play, play_all};

/// Four nodes: n2, n3 and n4 acknowledge after 10, 20 and 30 ms.
const LABORATORY: &str = r#"
cluster.nodes = 4
network.delay = "0ms"
network.link = [
    { from = "n1", to = "n2", delay = "10ms" },
    { from = "n1", to = "n3", delay = "20ms" },
    { from = "n1", to = "n4", delay = "30ms" },
]
"#;

#[test]
fn a_write_waits_for_the_acknowledgements_it_asks_for() {
    let stories = [
        (
            "asynchronous: answered before anybody else has it",
            r#"
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" },
      expect = { status = "ok", degraded = false, confirmations = "0 of 3", within = "0ms" } },
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
    { at = "1s", client = "u", put = { key = "a", value = "x", w = 2 },
      expect = { confirmations = "2 of 3", after = "20ms", within = "20ms" } },
]"#,
        ),
        (
            "semi-synchronous: exactly as many as configured, or as the write alone asks for",
            r#"
protocol.leader-follower = { mode = "semi-sync", write-quorum = 2 }
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" },
      expect = { status = "ok", degraded = false, confirmations = "2 of 3", after = "20ms",
          within = "20ms" } },
    { at = "2s", client = "u", put = { key = "a", value = "y", w = 1 },
      expect = { confirmations = "1 of 3", after = "10ms", within = "10ms" } },
    { at = "3s", client = "u", put = { key = "a", value = "z", w = 3 },
      expect = { confirmations = "3 of 3", after = "30ms", within = "30ms" } },
    { at = "4s", client = "u", delete = { key = "a", w = 1 },
      expect = { existed = true, confirmations = "1 of 3", after = "10ms", within = "10ms" } },
    { at = "5s", client = "u", clear = { },
      expect = { confirmations = "2 of 3", after = "20ms", within = "20ms" } },
]"#,
        ),
        (
            "synchronous: all, but where a write asks for fewer",
            r#"
protocol.leader-follower = { mode = "sync" }
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" },
      expect = { status = "ok", degraded = false, confirmations = "3 of 3", after = "30ms",
          within = "30ms" } },
    { at = "2s", client = "u", put = { key = "a", value = "y", w = 2 },
      expect = { confirmations = "2 of 3", after = "20ms", within = "20ms" } },
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
operation = [{ at = "1s", client = "u", put = { key = "a", value = "x" },
    expect = { status = "ok", confirmations = "0 of 0", within = "0ms" } }]"#,
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
    { at = "1s", client = "u", put = { key = "a", value = "x" },
      expect = { status = "ok", degraded = true, confirmations = "1 of 2", after = "1s",
          within = "1s" } },
    { at = "1400ms", client = "v", put = { key = "b", value = "y" },
      expect = { status = "ok", degraded = true, confirmations = "1 of 2", after = "1s",
          within = "1s" } },
    { at = "1600ms", client = "w", put = { key = "c", value = "z", w = 1 },
      expect = { degraded = false, confirmations = "1 of 2", within = "2ms" } },
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
    { at = "1s", client = "u", put = { key = "a", value = "x" },
      expect = { status = "info", error = "too-few-confirmations", degraded = false,
          confirmations = "1 of 2", after = "1s", within = "1s" } },
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
operation = [{ at = "1s", client = "u", put = { key = "a", value = "x" },
    expect = { degraded = true, confirmations = "0 of 2", after = "500ms", within = "500ms" } }]
fault = [{ at = "0s", isolate = "n1" }]
"#,
        ),
        (
            "a paused follower confirms when it goes on",
            r#"
protocol.leader-follower = { mode = "sync" }
operation = [{ at = "1s", client = "u", put = { key = "a", value = "x" },
    expect = { degraded = false, confirmations = "2 of 2", after = "501ms", within = "501ms" } }]
fault = [{ at = "900ms", for = "600ms", pause = "n2" }]
"#,
        ),
        (
            "a leader that crashes forgets who waits",
            r#"
protocol.leader-follower = { mode = "sync", ack-timeout = "1s" }
operation = [{ at = "1s", client = "u", put = { key = "a", value = "x" }, timeout = "3s",
    expect = { status = "info", error = "timeout", after = "3s", within = "3s" } }]
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
fn only_an_acknowledgement_of_this_write_by_another_follower_counts() {
    play_all(&[
        (
            "everything arrives twice: the second acknowledgement of one follower is none of \
             another",
            r#"
protocol.leader-follower = { mode = "semi-sync", write-quorum = 2, ack-timeout = "500ms" }
network.delay = { uniform = ["1ms", "5ms"] }
network.duplication = "100%"
operation = [{ at = "1s", client = "u", put = { key = "a", value = "x" },
    expect = { degraded = true, confirmations = "1 of 2", after = "500ms" } }]
fault = [{ at = "0s", block = { from = "n1", to = "n3" } }]
"#,
        ),
        (
            "nor are those of a write that was sent again and again",
            r#"
protocol.leader-follower = { mode = "semi-sync", write-quorum = 2, ack-timeout = "500ms",
    resend = "10ms" }
network.delay = "50ms"
operation = [{ at = "1s", client = "u", put = { key = "a", value = "x" },
    expect = { degraded = true, confirmations = "1 of 2", after = "500ms" } }]
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
    { at = "1s", client = "u", put = { key = "a", value = "x" }, timeout = "3s",
      expect = { status = "info", error = "timeout" } },
    { at = "1900ms", client = "v", put = { key = "b", value = "y" },
      expect = { status = "ok", confirmations = "1 of 1", after = "1s", within = "1s" } },
]
fault = [{ at = "1200ms", for = "100ms", crash = "n1" }]
expect.convergence = "allowed"
"#,
        ),
    ]);
}
