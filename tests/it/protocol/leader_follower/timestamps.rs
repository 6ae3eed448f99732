//! Where timestamps come from, their resolution, and who wins a tie.

use splitbrain::id::Version;

use crate::support::story::play;

/// The versions of a story's acknowledged writes, in the order of their invocations: timestamp and
/// sequence.
fn stamps(story: &str, text: &str) -> Vec<(i64, u32)> {
    let result = play(story, text);
    let versions = result.history.iter().filter(|(_, entry)| entry.is_write() && entry.is_ok());
    versions
        .map(|(_, entry)| entry.version.expect("an acknowledged write has a version"))
        .map(|Version { timestamp, sequence, .. }| (timestamp, sequence))
        .collect()
}

const SECOND: i64 = 1_000_000_000;

/// n1's wall clock is 10 s ahead for its second write, and right again for its third.
fn ahead_for_a_while(protocol: &str, found: &str) -> String {
    format!(
        r#"
protocol.leader-follower = {{ mode = "sync", {protocol} }}
operation = [
    {{ at = "1s", client = "u", put = {{ key = "x", value = "a" }} }},
    {{ at = "2s", client = "u", put = {{ key = "x", value = "b" }} }},
    {{ at = "3s", client = "u", put = {{ key = "x", value = "c" }}, expect = {{ status = "ok" }} }},
    {{ at = "4s", client = "u", get = {{ key = "x" }}, expect = {{ value = "{found}" }} }},
]
fault = [{{ at = "1500ms", for = "1s", clock-jump = {{ node = "n1", by = "10s" }} }}]
"#
    )
}

#[test]
fn each_source_stamps_by_its_own_clock() {
    let (first, second) = ((SECOND, 1), (12 * SECOND, 2));
    assert_eq!(
        stamps("a wall clock follows every jump", &ahead_for_a_while("", "b")),
        [first, second, (3 * SECOND, 3)]
    );
    let hybrid = ahead_for_a_while("timestamps = \"hybrid\"", "c");
    assert_eq!(
        stamps("a hybrid one never goes back", &hybrid),
        [first, second, (12 * SECOND + 1, 3)]
    );
    let client = ahead_for_a_while("timestamps = \"client\"", "c");
    assert_eq!(
        stamps("that of the client has not jumped", &client),
        [first, (2 * SECOND, 2), (3 * SECOND, 3)]
    );
    let count = ahead_for_a_while("timestamps = \"term-sequence\"", "c");
    let of_term = |sequence: u32| ((1_i64 << 32) + i64::from(sequence), sequence);
    assert_eq!(stamps("a count has no clock", &count), [of_term(1), of_term(2), of_term(3)]);
}

#[test]
fn clients_have_clocks_of_their_own() {
    let text = r#"
protocol.leader-follower = { mode = "sync", timestamps = "client" }
network.client-delay = "250ms"
clock = [{ client = "*", offset = "-1s" }, { client = "fast", offset = "10s" },
    { client = "late", drift = "50%" }]
operation = [
    { at = "1s", client = "fast", put = { key = "x", value = "a" } },
    { at = "4s", client = "late", put = { key = "x", value = "b" }, expect = { status = "ok" } },
    { at = "5s", client = "slow", put = { key = "y", value = "c" } },
    { at = "6s", client = "late", get = { key = "x" }, expect = { value = "a" } },
]
expect.durability = "allowed"
"#;
    // Invoked 250 ms before the request reaches the leader: the time of the invocation counts.
    assert_eq!(
        stamps("ahead, drifting, behind", text),
        [(11 * SECOND, 1), (6 * SECOND, 2), (4 * SECOND, 3)]
    );
    let retried = r#"
protocol.leader-follower = { timestamps = "client" }
operation = [
    { at = "1s", client = "u", put = { key = "x", value = "a" }, retries = 5, timeout = "1s",
      backoff = "1s", expect = { status = "ok" } },
]
fault = [{ at = "500ms", for = "3s", crash = "n1" }]
expect.convergence = "valid"
"#;
    assert_eq!(stamps("another attempt has the timestamp of the first", retried), [(SECOND, 1)]);
}

#[test]
fn what_a_log_has_is_not_stamped_below() {
    let restarted = |source: &str, every: &str| {
        format!(
            r#"
protocol.leader-follower = {{ wal = {{ policy = "fsync", checkpoint-every = {every} }},
    timestamps = "{source}" }}
operation = [
    {{ at = "1s", client = "u", put = {{ key = "x", value = "a" }} }},
    {{ at = "3s", client = "u", put = {{ key = "x", value = "b" }} }},
    {{ at = "4s", client = "u", get = {{ key = "x" }}, expect = {{ value = "b" }} }},
]
clock = [{{ node = "n1", offset = "1h" }}]
fault = [{{ at = "1500ms", for = "1s", crash = "n1" }},
    {{ at = "2700ms", clock-jump = {{ node = "n1", by = "-1h" }} }}]
"#
        )
    };
    let (hour, term) = (3600 * SECOND, 1_i64 << 32);
    // Restored from the records of the log, and from a checkpoint.
    for every in ["\"off\"", "1"] {
        let hybrid = stamps("hybrid", &restarted("hybrid", every));
        assert_eq!(hybrid, [(hour + SECOND, 1), (hour + SECOND + 1, 2)], "{every}");
        let counted = stamps("counted", &restarted("term-sequence", every));
        assert_eq!(counted, [(term + 1, 1), (term + 2, 2)], "{every}");
    }
}

#[test]
fn equal_timestamps_go_to_the_later_write_or_to_the_earlier_one() {
    let within_a_millisecond = |ties: &str, found: &str, erased: &str| {
        format!(
            r#"
protocol.leader-follower = {{ timestamp-resolution = "1ms", ties = "{ties}" }}
operation = [
    {{ at = "1000.2ms", client = "u", put = {{ key = "x", value = "a" }} }},
    {{ at = "1000.9ms", client = "u", put = {{ key = "x", value = "b" }},
      expect = {{ status = "ok" }} }},
    {{ at = "1500ms", client = "u", get = {{ key = "x" }}, expect = {{ value = "{found}" }} }},
    {{ at = "2000.1ms", client = "u", put = {{ key = "y", value = "c" }} }},
    {{ at = "2000.2ms", client = "u", delete = {{ key = "y" }} }},
    {{ at = "2500ms", client = "u", get = {{ key = "y" }}, expect = {{ {erased} }} }},
]
"#
        )
    };
    let expected = [(SECOND, 1), (SECOND, 2), (2 * SECOND, 3), (2 * SECOND, 4)];
    let later = within_a_millisecond("node-id", "b", "absent = true");
    assert_eq!(stamps("the later one", &later), expected);
    let earlier = within_a_millisecond("keep-existing", "a", "value = \"c\"");
    assert_eq!(stamps("the one that is there", &earlier), expected);
}

/// n1's clock is an hour ahead. n2, which takes over, has received n1's writes out of order, or in
/// a full state.
#[test]
fn a_hybrid_clock_is_above_all_that_was_received() {
    let found = |story: &str, fault: &str, change: &str| {
        let text = format!(
            r#"
protocol.leader-follower = {{ timestamps = "hybrid",
    failover = {{ election = "lowest-id", heartbeat = "50ms", timeout = "150ms" }} }}
clock = [{{ node = "n1", offset = "1h" }}]
operation = [
    {{ at = "1000ms", client = "u", put = {{ key = "j", value = "1" }} }},
    {{ at = "1010ms", client = "u", put = {{ key = "k", value = "1" }} }},
    {{ at = "2s", client = "u", put = {{ key = "k", value = "2", to = "n2" }},
      expect = {{ status = "ok" }} }},
    {{ at = "2500ms", client = "u", get = {{ key = "k", from = "n3" }},
      expect = {{ value = "2" }} }},
]
fault = [{fault}{{ at = "1500ms", for = "2s", crash = "n1" }}]
change = [{change}]
"#
        );
        play(story, &text);
    };
    found(
        "the later first",
        "",
        r#"
    { at = "999ms", set = { "network.link" = [{ from = "n1", to = "n2", delay = "51ms" }] } },
    { at = "1004ms", set = { "network.link" = [] } },
"#,
    );
    found("in a full state", r#"{ at = "1020ms", for = "50ms", crash = "n2" }, "#, "");
}
