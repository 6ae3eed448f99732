//! Compare-and-set: decided on the leader, replicated as the put that it becomes.

use splitbrain::config::ExpectedVerdict;
use splitbrain::history::{Failure, Function, Status};
use splitbrain::property::Property;
use splitbrain::run::RunResult;

use crate::support::result::{assert_expectations_met, in_both_queues, judged};
use crate::support::scenario::{busy_clients, read};

/// Registers, and one log.
const WAYS: [&str; 2] = [
    "protocol.leader-follower = { mode = \"sync\" }",
    "protocol.leader-follower = { mode = \"sync\", failover.catch-up = \"log\" }",
];

const CASES: &str = r#"
network.delay = "5ms"
operation = [
    { at = "1s", client = "u", cas = { key = "city", from = "Rome", to = "Oslo" },
      expect = { status = "fail", error = "mismatch", absent = true } },
    { at = "2s", client = "u", cas = { key = "city", to = "Rome" },
      expect = { status = "ok", absent = true, confirmations = "2 of 2" } },
    { at = "3s", client = "v", cas = { key = "city", to = "Bonn" },
      expect = { error = "mismatch", value = "Rome" } },
    { at = "4s", client = "v", cas = { key = "city", from = "Rome", to = "Oslo", at = "n2" },
      expect = { error = "not-leader", leader = "n1" } },
    { at = "5s", client = "v", cas = { key = "city", from = "Rome", to = "Oslo" },
      expect = { status = "ok", value = "Rome" } },
    { at = "6s", client = "u", delete = { key = "city" } },
    { at = "7s", client = "u", cas = { key = "city", from = "Oslo", to = "Bonn" },
      expect = { error = "mismatch", absent = true } },
    { at = "8s", client = "u", cas = { key = "city", to = "Bonn" }, expect = { status = "ok" } },
    { at = "9s", client = "u", append = { key = "log", value = "a" } },
    { at = "10s", client = "u", append = { key = "log", value = "b" } },
    { at = "11s", client = "u", cas = { key = "log", from = "a", to = "c" },
      expect = { error = "mismatch", value = "b" } },
    { at = "12s", client = "u", cas = { key = "log", from = "b", to = "c" },
      expect = { status = "ok", value = "b" } },
]
[[expect.state]]
at = "13s"
node = "n3"
key = "city"
value = "Bonn"
[[expect.state]]
at = "13s"
node = "n2"
key = "log"
value = "c"
"#;

fn play(way: &str, text: &str) -> RunResult {
    in_both_queues(&read(&format!("cluster.nodes = 3\n{way}\n{text}")), 1)
}

#[test]
fn it_is_done_where_the_leader_holds_what_is_expected() {
    for way in WAYS {
        let result = play(way, CASES);
        assert_expectations_met(way, &result);
        for property in [Property::Linearizability, Property::Durability, Property::Staleness] {
            assert_eq!(judged(&result, property), ExpectedVerdict::Valid, "{way}: {property}");
        }
    }
}

/// The answer to the first attempt is lost; the second finds what the first has put.
#[test]
fn a_retry_that_finds_its_own_first_attempt_is_of_unknown_outcome() {
    let result = play(
        WAYS[0],
        r#"
network.delay = "5ms"
network.client-delay = "5ms"
operation = [
    { at = "1s", client = "u", cas = { key = "city", to = "Rome", at = "n1" }, timeout = "50ms",
      retries = 1, expect = { status = "info", error = "mismatch" } },
    { at = "2s", client = "u", get = { key = "city" }, expect = { value = "Rome" } },
]
[[fault]]
at = "1010ms"
for = "45ms"
partition = [["n1"], ["n2", "n3"], ["u"]]
"#,
    );
    assert_expectations_met(WAYS[0], &result);
    assert_eq!(judged(&result, Property::Linearizability), ExpectedVerdict::Valid);
}

/// What a generated one expects is what its client last saw.
#[test]
fn a_workload_compares_with_what_each_client_last_saw() {
    for way in WAYS {
        let mix = "cas = 5, get = 2, put = 1, delete = 1";
        let result = play(way, &busy_clients(2_000, mix));
        let cas: Vec<_> =
            result.history.entries().iter().filter(|e| e.function == Function::Cas).collect();
        let ok = cas.iter().filter(|entry| entry.status == Status::Ok).count();
        let mismatches =
            cas.iter().filter(|entry| entry.failure == Some(Failure::Mismatch)).count();
        assert!(ok > 200 && mismatches > 200, "{ok} ok, {mismatches} mismatches");
        let expecting = cas.iter().filter(|entry| entry.over.is_some()).count();
        assert!(expecting > 500 && expecting < cas.len(), "{expecting} of {}", cas.len());
        assert_eq!(judged(&result, Property::Linearizability), ExpectedVerdict::Valid);
        assert_eq!(judged(&result, Property::Durability), ExpectedVerdict::Valid);
    }
}
