//! Batches: decided as a whole on the leader, and done in one step.

use splitbrain::config::ExpectedVerdict;
use splitbrain::history::{Failure, Function, Status};
use splitbrain::id::{NodeId, OpId};
use splitbrain::operation::Operation;
use splitbrain::property::Property;
use splitbrain::protocol::harness::{Harness, StepError, Unsynced};
use splitbrain::protocol::leader_follower::LeaderFollower;
use splitbrain::run::RunResult;

use crate::support::result::{assert_expectations_met, in_both_queues, judged};
use crate::support::scenario::{busy_clients, read};

/// Registers by single writes and by full states, and one log.
const WAYS: [&str; 3] = [
    "protocol.leader-follower = { mode = \"sync\" }",
    "protocol.leader-follower = { mode = \"sync\", replication = \"full-state\" }",
    "protocol.leader-follower = { mode = \"sync\", failover.catch-up = \"log\" }",
];

fn play(way: &str, text: &str) -> RunResult {
    in_both_queues(&read(&format!("cluster.nodes = 3\n{way}\n{text}")), 1)
}

const CASES: &str = r#"
network.delay = "5ms"
operation = [
    { at = "1s", client = "u", batch = [
        { put = { key = "city", value = "Rome" } },
        { get = { key = "city" } },
        { append = { key = "log", value = "a" } },
        { append = { key = "log", value = "b" } },
        { cas = { key = "river", to = "Tiber" } },
    ], expect = { status = "ok", confirmations = "2 of 2" } },
    { at = "2s", client = "v", batch = [
        { put = { key = "city", value = "Oslo" } },
        { cas = { key = "river", from = "Po", to = "Glomma" } },
    ], expect = { status = "fail", error = "mismatch" } },
    { at = "3s", client = "v", batch = [
        { cas = { key = "river", from = "Tiber", to = "Po" } },
        { cas = { key = "river", from = "Po", to = "Arno" } },
        { delete = { key = "city" } },
        { get = { key = "city" } },
    ], expect = { status = "ok" } },
    { at = "4s", client = "v", batch = [{ get = { key = "log" } }, { get = { key = "river" } }],
      expect = { status = "ok" } },
    { at = "5s", client = "v", get = { key = "river", from = "n3" }, expect = { value = "Arno" } },
    { at = "5s", client = "u", get = { key = "log", from = "n2" }, expect = { value = "b" } },
    { at = "6s", client = "u", get = { key = "city", from = "n2" }, expect = { absent = true } },
]
"#;

#[test]
fn it_is_done_as_a_whole_or_not_at_all() {
    for way in WAYS {
        let result = play(way, CASES);
        assert_expectations_met(way, &result);
        for property in [
            Property::Linearizability,
            Property::Durability,
            Property::LwwMaximum,
            Property::AppendUniqueness,
            Property::Convergence,
        ] {
            assert_eq!(judged(&result, property), ExpectedVerdict::Valid, "{way}: {property}");
        }
    }
}

#[test]
fn a_workload_draws_batches_and_every_checker_takes_them() {
    for way in WAYS {
        let mix = "batch = 5, cas = 3, get = 2, put = 1, append = 1";
        let result = play(way, &busy_clients(1_500, mix));
        let batches = result.history.iter().filter(|(_, one)| one.function == Function::Batch);
        let parts: Vec<usize> = batches.map(|(op, _)| result.history.parts(op).len()).collect();
        assert!(parts.len() > 500 && parts.iter().all(|count| (2..=4).contains(count)));
        for property in [Property::Linearizability, Property::Durability, Property::Staleness] {
            assert_eq!(judged(&result, property), ExpectedVerdict::Valid, "{way}: {property}");
        }
    }
}

/// A follower's machine loses power in the middle of writing it down.
#[test]
fn a_torn_tail_leaves_no_half_of_it() -> Result<(), StepError> {
    let text = r#"
cluster.nodes = 2
protocol.leader-follower = { mode = "sync", wal.policy = "fsync" }
network.delay = "1ms"
"#;
    let scenario = read(text);
    let settings = *scenario.settings::<LeaderFollower>().expect("its settings");
    let [n1, n2] = [0, 1].map(NodeId);
    let holds = |kept: Option<usize>| {
        let mut cluster = Harness::<LeaderFollower>::new(2, settings);
        cluster.start_all()?;
        cluster.settle()?;
        let parts = [cluster.put("city", "Rome"), cluster.put("river", "Tiber")];
        let batch = cluster.batch(&parts);
        assert!(matches!(batch, Operation::Batch(_)));
        cluster.request(n1, batch)?;
        cluster.sync(n1)?;
        cluster.deliver(n1, n2)?;
        match kept {
            Some(bytes) => cluster.lose_power(n2, Unsynced::Torn { bytes })?,
            None => cluster.sync(n2)?,
        }
        if kept.is_some() {
            cluster.start(n2)?;
        }
        Ok::<usize, StepError>(cluster.snapshot(n2).map_or(0, |node| node.data.len()))
    };
    assert_eq!(holds(None)?, 2);
    for bytes in 0..60 {
        let held = holds(Some(bytes))?;
        assert!(held == 0 || held == 2, "{bytes} bytes leave {held} keys");
    }
    Ok(())
}

#[test]
fn who_does_not_lead_refuses_it_and_one_that_only_reads_is_no_write() {
    let result = play(
        WAYS[0],
        r#"
network.delay = "5ms"
fault = [{ at = "500ms", for = "5s", crash = "n1" }]
operation = [
    { at = "1s", client = "u", batch = [{ get = { key = "city" } }],
      expect = { status = "fail", error = "refused" } },
    { at = "2s", client = "v", batch = [{ put = { key = "city", value = "x" } }],
      expect = { status = "fail", error = "refused" } },
]
"#,
    );
    let [reads, writes] = result.history.entries() else { panic!("two operations") };
    assert!(!reads.is_write() && writes.is_write());
    let answers = [reads, writes].map(|one| (one.status, one.failure));
    assert_eq!(answers, [(Status::Fail, Some(Failure::Refused)); 2]);
}

/// Nobody's answer goes to another: an element that a batch brought is acknowledged by itself.
#[test]
fn an_append_of_what_a_waiting_batch_appends_waits_too() {
    for parts in [
        r#"{ append = { key = "log", value = "a" } }, { put = { key = "city", value = "Rome" } }"#,
        r#"{ put = { key = "city", value = "Rome" } }, { append = { key = "log", value = "a" } }"#,
    ] {
        for way in WAYS {
            let way = way.replace("mode", "deduplicate = true, mode");
            let text = format!(
                r#"
network.delay = "50ms"
operation = [
    {{ at = "1s", client = "u", batch = [{parts}],
      expect = {{ status = "ok", confirmations = "2 of 2" }} }},
    {{ at = "1010ms", client = "v", append = {{ key = "log", value = "a" }},
      expect = {{ status = "ok", confirmations = "2 of 2", within = "110ms" }} }},
]
"#
            );
            assert_expectations_met(&way, &play(&way, &text));
        }
    }
}

/// The batch is invoked first, and comes to the leader last: what it appends is there.
#[test]
fn an_element_is_that_of_the_append_that_came_first() {
    let result = play(
        "protocol.leader-follower = { mode = \"sync\", deduplicate = true }",
        r#"
network = { delay = "1ms", client = [{ client = "u", delay = "100ms" }] }
operation = [
    { at = "1s", client = "u", batch = [
        { get = { key = "log" } },
        { append = { key = "log", value = "a" } },
    ] },
    { at = "1010ms", client = "v", append = { key = "log", value = "a" } },
    { at = "1020ms", client = "v", get = { key = "log" }, expect = { value = "a" } },
]
"#,
    );
    assert_expectations_met("the run", &result);
    for property in [Property::Linearizability, Property::WritesFollowReads] {
        assert_eq!(judged(&result, property), ExpectedVerdict::Valid, "{property}");
    }
}

/// Its second attempt finds the element, which no write has to follow: it is its own.
#[test]
fn a_batch_that_is_tried_again_may_read_what_it_appended() {
    let result = play(
        "protocol.leader-follower = { mode = \"async\", deduplicate = true }",
        r#"
network = { client-delay = "10ms" }
[[fault]]
at = "1005ms"
for = "100ms"
partition = [["n1", "n2", "n3"], ["u"]]
[[operation]]
at = "1s"
client = "u"
batch = [{ get = { key = "log" } }, { append = { key = "log", value = "a" } }]
timeout = "200ms"
retries = 3
expect.status = "ok"
"#,
    );
    assert_expectations_met("the run", &result);
    let read = result.history.effects(OpId(0)).next().and_then(|effect| effect.found());
    assert!(read.and_then(|found| found.elements()).is_some(), "{read:?}");
    assert_eq!(judged(&result, Property::WritesFollowReads), ExpectedVerdict::Valid);
}

/// What the batch itself would have written is not told for what the key holds.
#[test]
fn a_mismatch_tells_what_is_there_and_not_what_the_batch_would_have_put() {
    let result = play(
        WAYS[0],
        r#"
operation = [
    { at = "1s", client = "u", put = { key = "city", value = "Rome" } },
    { at = "2s", client = "u", batch = [
        { put = { key = "city", value = "Oslo" } },
        { cas = { key = "city", from = "Rome", to = "Bonn" } },
    ], expect = { error = "mismatch" } },
    { at = "3s", client = "u", batch = [
        { put = { key = "river", value = "Po" } },
        { cas = { key = "city", from = "Oslo", to = "Bonn" } },
    ], expect = { error = "mismatch" } },
]
"#,
    );
    assert_expectations_met("the run", &result);
    let found = |op| result.history.effects(OpId(op)).filter(|effect| effect.found().is_some());
    assert_eq!([1, 2].map(|op| found(op).count()), [0, 1]);
    let trace = result.trace.as_deref().unwrap_or_default();
    assert!(trace.contains("mismatch: the batch itself writes the key before"), "{trace}");
}
