//! Lists that are appended to: reads, replication, logs and retries.

use splitbrain::config::ExpectedVerdict;
use splitbrain::history::Function;
use splitbrain::id::NodeId;
use splitbrain::property::Property;
use splitbrain::run::RunResult;
use splitbrain::scenario::Scenario;

use crate::support::result::{assert_expectations_met, figure, in_both_queues, judged};
use crate::support::scenario::read;

fn play(scenario: &str) -> (Scenario, RunResult) {
    let text = format!("cluster.nodes = 3\n{scenario}");
    let scenario = read(&text);
    let result = in_both_queues(&scenario, 1);
    (scenario, result)
}

/// The elements of the list that a node holds at the end, by name.
fn list(scenario: &Scenario, result: &RunResult, node: u16) -> Vec<String> {
    let snapshot = result.finals.iter().find(|one| one.node == NodeId(node - 1)).expect("a node");
    let lists: Vec<_> = snapshot.lists.values().collect();
    let elements = lists.iter().flat_map(|list| list.iter());
    elements.map(|(_, value)| scenario.names.value(*value)).collect()
}

const THREE_APPENDS: &str = r#"
operation = [
    { at = "1s", client = "u", append = { key = "log", value = "a" } },
    { at = "2s", client = "u", append = { key = "log", value = "b" } },
    { at = "3s", client = "u", append = { key = "log", value = "c" } },
    { at = "4s", client = "u", get = { key = "log" }, expect = { value = "c" } },
]
"#;

#[test]
fn a_read_of_everything_returns_lists_whole() {
    let text = format!(
        "protocol.leader-follower = {{ }}\nnetwork.delay = \"5ms\"\n{}",
        THREE_APPENDS
            .replace("get = { key = \"log\" }, expect = { value = \"c\" }", "read-all = { }")
    );
    let (scenario, result) = play(&text);
    let (op, read) = result.history.iter().last().expect("four operations");
    assert_eq!(read.function, Function::ReadAll);
    let [item] = result.history.contents(op).expect("everything") else { panic!("one key") };
    let elements = item.elements.iter().flatten();
    let names: Vec<_> = elements.map(|value| scenario.names.value(*value)).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn a_get_returns_the_list_and_every_replica_holds_it() {
    let text =
        format!("protocol.leader-follower = {{ }}\nnetwork.delay = \"5ms\"\n{THREE_APPENDS}");
    let (scenario, result) = play(&text);
    for node in 1..=3 {
        assert_eq!(list(&scenario, &result, node), ["a", "b", "c"]);
    }
    let (op, read) = result.history.iter().last().expect("four operations");
    assert_eq!(read.function, Function::Get);
    let elements = result.history.elements(op).expect("a list was found");
    let names: Vec<_> = elements.iter().map(|value| scenario.names.value(*value)).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_expectations_met("three appends", &result);
    assert_eq!(judged(&result, Property::AppendUniqueness), ExpectedVerdict::Valid);
    assert_eq!(figure(&result, Property::AppendUniqueness, "appends"), 3);
}

#[test]
fn a_delete_ends_a_list_and_an_append_begins_another() {
    let (scenario, result) = play(
        r#"
protocol.leader-follower = { }
operation = [
    { at = "1s", client = "u", append = { key = "log", value = "a" } },
    { at = "2s", client = "u", delete = { key = "log" }, expect = { existed = true } },
    { at = "3s", client = "u", get = { key = "log" }, expect = { absent = true } },
    { at = "4s", client = "u", append = { key = "log", value = "b" } },
]
"#,
    );
    assert_eq!(list(&scenario, &result, 3), ["b"]);
    assert_expectations_met("a delete", &result);
    assert_eq!(judged(&result, Property::AppendUniqueness), ExpectedVerdict::Valid);
}

#[test]
fn a_log_brings_lists_back_and_without_one_they_are_lost() {
    let crash = "fault = [{ at = \"3500ms\", for = \"100ms\", power-loss = \"n1\" }]\n";
    let protocol =
        "protocol.leader-follower = { wal = { policy = \"fsync\" }, resend = \"50ms\" }\n";
    let (scenario, result) = play(&format!("{protocol}{THREE_APPENDS}{crash}"));
    for node in 1..=3 {
        assert_eq!(list(&scenario, &result, node), ["a", "b", "c"]);
    }
    assert_eq!(judged(&result, Property::AppendUniqueness), ExpectedVerdict::Valid);
    assert_eq!(judged(&result, Property::Convergence), ExpectedVerdict::Valid);

    let all = "fault = [{ at = \"3500ms\", for = \"100ms\", crash = \"all\" }]\n";
    let appends = THREE_APPENDS.replace(", expect = { value = \"c\" }", "");
    let (_, result) = play(&format!("protocol.leader-follower = {{ }}\n{appends}{all}"));
    assert_eq!(judged(&result, Property::AppendUniqueness), ExpectedVerdict::Allowed);
    assert_eq!(figure(&result, Property::AppendUniqueness, "lost_appends"), 3);
}

#[test]
fn lists_converge_over_a_lossy_network_in_both_ways_of_replication() {
    for replication in ["entry", "full-state"] {
        let (_, result) = play(&format!(
            r#"
duration = "5s"
protocol.leader-follower = {{ replication = "{replication}", resend = "50ms" }}
network = {{ delay = {{ uniform = ["1ms", "40ms"] }}, loss = "20%", duplication = "10%" }}
[workload]
clients = 5
keys = 4
think = "20ms"
mix = {{ append = 8, get = 4, delete = 1, put = 1 }}
[expect]
"#
        ));
        let verdicts = [Property::Convergence, Property::LwwMaximum, Property::Durability];
        for property in verdicts.into_iter().chain([Property::AppendUniqueness]) {
            assert_eq!(judged(&result, property), ExpectedVerdict::Valid, "{replication}");
        }
        assert!(figure(&result, Property::AppendUniqueness, "appends") > 100);
        assert!(result.finals.iter().any(|snapshot| snapshot.lists.values().any(|l| l.len() > 1)));
    }
}

/// An acknowledgement takes 20 ms; the client retries after 15 ms.
fn impatient(deduplicate: bool) -> (Scenario, RunResult) {
    play(&format!(
        r#"
network.delay = "10ms"
protocol.leader-follower = {{ mode = "sync", deduplicate = {deduplicate} }}
operation = [
    {{ at = "1s", client = "u", append = {{ key = "log", value = "a", to = "n1" }},
      timeout = "15ms", retries = 9 }},
    {{ at = "3s", client = "u", get = {{ key = "log" }} }},
]
"#
    ))
}

#[test]
fn an_append_that_is_tried_again_is_appended_again() {
    let (scenario, result) = impatient(false);
    assert!(list(&scenario, &result, 1).len() > 1);
    assert_eq!(judged(&result, Property::AppendUniqueness), ExpectedVerdict::Allowed);
    assert_eq!(
        (
            figure(&result, Property::AppendUniqueness, "reads_of_repeated"),
            figure(&result, Property::AppendUniqueness, "repeated_at_end")
        ),
        (1, 1)
    );
}

#[test]
fn unless_the_leader_knows_it_by_its_element() {
    let (scenario, result) = impatient(true);
    for node in 1..=3 {
        assert_eq!(list(&scenario, &result, node), ["a"]);
    }
    assert_eq!(judged(&result, Property::AppendUniqueness), ExpectedVerdict::Valid);
    let append = &result.history.entries()[0];
    assert!(append.is_ok(), "{append:?}");
}

/// An acknowledgement takes 20 ms and a sync 50 ms; the answer comes 10 ms after the client's
/// timeout.
#[test]
fn an_append_that_is_tried_again_is_answered_as_the_first_would_be() {
    let stories = [
        // The answer goes to the attempt that still waits.
        r#"
network.delay = "10ms"
protocol.leader-follower = { mode = "sync", deduplicate = true }
operation = [
    { at = "1s", client = "u", append = { key = "log", value = "a", to = "n1" }, timeout = "15ms",
      retries = 9, backoff = "0ms", expect = { status = "ok", after = "20ms", within = "20ms" } },
]
"#,
        // The second attempt waits for the record of the first.
        r#"
network.delay = "1ms"
disk.sync = "50ms"
protocol.leader-follower = { deduplicate = true, wal.policy = "fsync" }
operation = [
    { at = "1s", client = "u", append = { key = "log", value = "a", to = "n1" }, timeout = "30ms",
      retries = 9, expect = { status = "ok", after = "50ms", within = "50ms" } },
]
"#,
        // In one log the put has its own position, and the element is in the list once.
        r#"
network = { delay = "1ms", client-delay = "10ms" }
protocol.leader-follower = { deduplicate = true, failover.catch-up = "log" }
operation = [
    { at = "1s", client = "u", append = { key = "log", value = "a", to = "n1" }, timeout = "15ms",
      retries = 1, backoff = "0ms", expect = { status = "info" } },
]
expect.append-uniqueness = "valid"
"#,
    ];
    for story in stories {
        let (scenario, result) = play(story);
        assert_expectations_met(story, &result);
        assert_eq!(list(&scenario, &result, 1), ["a"], "{story}");
    }
}

/// With `ties = "keep-existing"`, a put with the timestamp of an element is acknowledged and
/// dropped: it ends no list. A put between two elements by timestamp removes the older one only.
/// Replicas that hear of everything hold what the leader holds, and no delete that nobody
/// requested.
#[test]
fn no_replica_holds_a_delete_that_nobody_wrote() {
    for (settings, found) in [
        (r#"ties = "keep-existing", timestamp-resolution = "100s""#, "e1"),
        (r#"ties = "keep-existing""#, "e2"),
        (r#"ties = "node-id""#, "e2"),
        (r#"ties = "node-id", timestamp-resolution = "100s""#, "e2"),
    ] {
        for replication in ["entry", "full-state"] {
            for wal in ["off", "fsync"] {
                let (_, result) = play(&format!(
                    r#"
duration = "5s"
settle = "5s"
network.delay = "1ms"
operation = [
    {{ at = "1s", client = "a", append = {{ key = "k", value = "e1" }} }},
    {{ at = "2s", client = "a", put = {{ key = "k", value = "v" }} }},
    {{ at = "2500ms", client = "a", append = {{ key = "k", value = "{found}" }} }},
    {{ at = "3s", client = "a", put = {{ key = "l", value = "w" }} }},
    {{ at = "3500ms", client = "b", get = {{ key = "k", from = "n1" }},
      expect = {{ value = "{found}" }} }},
    {{ at = "3500ms", client = "c", get = {{ key = "k", from = "n2" }},
      expect = {{ value = "{found}" }} }},
]
fault = [{{ at = "4s", for = "100ms", crash = "n2" }}]
[protocol.leader-follower]
replication = "{replication}"
wal.policy = "{wal}"
resend = "200ms"
{}
"#,
                    settings.replace(", ", "\n")
                ));
                assert_expectations_met(&format!("{settings}, {replication}, {wal}"), &result);
                for node in &result.finals {
                    let deletes = node.data.values().filter(|stored| stored.value.is_none());
                    assert_eq!(deletes.count(), 0, "{settings}, {replication}, {wal}: {node:?}");
                }
            }
        }
    }
}
