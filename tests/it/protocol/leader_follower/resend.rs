//! Followers that missed writes: what they are sent again, when, and how much that is.

use splitbrain::metrics::Settlement;
use splitbrain::run::{RunOptions, RunVerdict};

use crate::support::result::holds;
use crate::support::scenario::{read, read_with};
use crate::support::story::{play, play_all};

/// Under duplication, reordering and loss together, resending makes all replicas equal.
#[test]
fn replicas_agree_under_duplication_reordering_and_loss() {
    let text = r#"
duration = "5s"
cluster.nodes = 5
protocol.leader-follower = { mode = "semi-sync", write-quorum = 2, resend = "300ms",
    replication = "entry" }
network = { delay = { uniform = ["0ms", "500ms"] }, duplication = "50%", loss = "20%" }
workload = { clients = 5, operations = "unlimited", keys = 3,
    mix = { put = 3, delete = 1, get = 1 } }
"#;
    for replication in ["entry", "full-state"] {
        let sets = [format!("protocol.leader-follower.replication={replication}")];
        let scenario = read_with(text, &sets);
        for seed in 0..10 {
            let result = scenario.run(seed, RunOptions::default());
            let settled = matches!(result.settlement, Settlement::Settled { .. });
            assert!(settled, "{replication}, seed {seed}: {:?}", result.settlement);
            let broken: Vec<_> = result.checks.iter().filter(|c| !holds(c)).collect();
            assert!(broken.is_empty(), "{replication}, seed {seed}: {broken:#?}");
        }
    }
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
}

#[test]
fn each_write_and_state_comes_in_its_time() {
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
            "a follower that was down is sent what it missed, but not what it had confirmed and \
             forgot",
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
        // Full states were once ordered by timestamps, and followers acknowledged and dropped every
        // state until the leader's clock had caught up with its past.
        (
            "a full state after the leader's clock went back is no old one",
            r#"
protocol.leader-follower = { mode = "sync", replication = "full-state" }
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" } },
    { at = "3s", client = "u", put = { key = "b", value = "y" },
      expect = { confirmations = "2 of 2" } },
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
fn resending_ends_when_all_have_acknowledged() {
    let result = play(
        "acknowledgements are lost for a while",
        r#"
protocol.leader-follower = { resend = "100ms" }
operation = [{ at = "1s", client = "u", put = { key = "a", value = "x" } }]
fault = [{ at = "0s", for = "1950ms", drop = { kind = "ack" } }]
expect.convergence = "valid"
"#,
    );
    // To each of two followers: the write, nine resends whose acknowledgements are lost, and a
    // tenth; as many acknowledgements; and the client's request and answer.
    assert_eq!((result.messages.sent, result.messages.blocked), (2 * 11 + 2 * 11 + 2, 2 * 10));
    let used = result.messages.by_kind.iter().filter(|counts| counts.sent > 0);
    let used: Vec<_> = used.map(|counts| (counts.kind, counts.sent, counts.delivered)).collect();
    assert_eq!(used, [("replicate", 2 * 11, 2 * 11), ("ack", 2 * 11, 2)]);
    assert!(matches!(result.settlement, Settlement::Settled { .. }), "{:?}", result.settlement);
}

#[test]
fn of_one_key_the_newest_is_sent_again_and_acknowledges_the_older() {
    let story = |replication: &str, more: &str| {
        format!(
            r#"
protocol.leader-follower = {{ mode = "sync", ack-timeout = "5s", resend = "1s",
    replication = "{replication}" }}
fault = [
    {{ at = "0s", for = "1800ms", block = {{ from = "n1", to = "n2" }} }},
    {more}"#
        )
    };
    // The second write is resent a second after it was lost; the first never.
    let newest = r#"
]
operation = [
    { at = "1s", client = "u", put = { key = "a", value = "x" },
      expect = { status = "ok", degraded = false, confirmations = "2 of 2", after = "1502ms",
          within = "1502ms" } },
    { at = "1500ms", client = "v", put = { key = "a", value = "y" },
      expect = { status = "ok", degraded = false, confirmations = "2 of 2", after = "1002ms",
          within = "1002ms" } },
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
    { at = "1s", client = "u", put = { key = "a", value = "x" },
      expect = { status = "ok", confirmations = "2 of 2", after = "1002ms", within = "1002ms" } },
    { at = "1500ms", client = "v", put = { key = "a", value = "y" },
      expect = { status = "ok", confirmations = "2 of 2", after = "502ms", within = "502ms" } },
]
expect.state = [{ at = "2001ms", node = "n2", key = "a", value = "x" }]
expect.convergence = "valid"
"#;
    play("the later one has the older stamp", &story("entry", older));
}

/// A resend visits the writes that are due, not all unacknowledged ones; else the second of these
/// runs would take minutes.
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
