//! Scripted operations that stand for generated ones: an id that names an operation of the workload
//! gives it the same draws, so the run of the script equals the run of the workload.

use splitbrain::config::{Config, ReadFrom, ScriptedOperation};
use splitbrain::digest::DigestValue;
use splitbrain::history::{Entry, Function};
use splitbrain::id::{ClientId, NodeId, Value};
use splitbrain::operation::Operation;
use splitbrain::rng::{CausalId, Draws, Purpose, Root};
use splitbrain::run::{RunOptions, RunResult};
use splitbrain::scenario::Scenario;

use crate::support::scenario::read;

const SEED: u64 = 11;

/// A workload under losses, crashes and short timeouts; `pace` says how it is driven.
fn scenario(pace: &str) -> Scenario {
    let text = format!(
        r#"
duration = "20s"
settle = "10s"
[cluster]
nodes = 3
[protocol.leader-follower]
mode = "semi-sync"
write-quorum = 1
resend = "40ms"
on-ack-timeout = "fail"
ack-timeout = "300ms"
wal = {{ policy = "fsync" }}
[network]
delay = {{ exponential = "10ms" }}
client-delay = {{ exponential = "5ms" }}
loss = "10%"
[disk]
sync = {{ exponential = "5ms" }}
[workload]
clients = 3
operations = 150
keys = 5
mix = {{ put = 4, get = 4, delete = 1, append = 1, list = 1, read-all = 1, cas = 2 }}
read-from = "any"
timeout = "60ms"
retries = 2
backoff = {{ uniform = ["1ms", "20ms"] }}
{pace}
[[fault]]
id = "down"
at = "700ms"
for = "300ms"
power-loss = "n1"
[[fault]]
id = "lossy"
at = "1s"
for = "500ms"
drop = {{ probability = "30%" }}
"#
    );
    read(&text)
}

/// The workload's operations as a script, from their history; `id` names an operation by its stream
/// and its position there.
fn written_out(
    config: &Config,
    result: &RunResult,
    id: impl Fn(ClientId, usize) -> String,
) -> Config {
    let workload = config.workload.as_ref().expect("a workload");
    assert_eq!(workload.read_from, ReadFrom::Any);
    let is_open = matches!(workload.pace, splitbrain::config::Pace::Open { .. });
    let draws = Draws::new(SEED);
    let mut begun = [0; 3];
    let mut script = Vec::new();
    for (place, entry) in result.history.entries().iter().enumerate() {
        let of_client = &mut begun[entry.client.0 as usize];
        let (source, index) = match is_open {
            true => (ClientId::ARRIVALS, place),
            false => (entry.client, *of_client),
        };
        *of_client += 1;
        let small = u32::try_from(index).expect("few");
        let root = CausalId::root(Root::Operation, source.0.into(), small.into());
        let (key, value, quorum) = (entry.key, Value::made(source, small), None);
        let (operation, reads) = match entry.function {
            Function::Put => (Operation::Put { key, value, quorum }, false),
            Function::Append => (Operation::Append { key, value, quorum }, false),
            Function::Delete => (Operation::Delete { key, quorum }, false),
            Function::Get => (Operation::Get { key, quorum: None }, true),
            Function::List => (Operation::List, true),
            Function::ReadAll => (Operation::ReadAll, true),
            Function::Cas => (Operation::Cas { key, from: entry.over, to: value }, false),
            Function::Clear | Function::Batch => panic!("the workload has none"),
        };
        let drawn = draws.below(Purpose::Replica, root, 0, config.cluster.nodes.into());
        script.push(ScriptedOperation {
            id: id(source, index),
            at: entry.invoked_at,
            client: entry.client,
            operation,
            node: reads.then(|| NodeId(u16::try_from(drawn).expect("a node"))),
            retry: workload.retry.clone(),
            expect: splitbrain::config::Answer::default(),
        });
    }
    Config { workload: None, script, ..config.clone() }
}

/// How the values of these operations are shown.
fn name(source: ClientId, index: usize) -> String {
    match source {
        ClientId::ARRIVALS => format!("a.{}", index + 1),
        ClientId(client) => format!("c{}.{}", client + 1, index + 1),
    }
}

/// The history without due times: a scripted operation is due when it is invoked.
fn lives(result: &RunResult) -> Vec<Entry> {
    result.history.entries().to_vec()
}

fn play(scenario: &Scenario, config: &Config) -> RunResult {
    scenario.protocol.run(config, &scenario.names, SEED, RunOptions::default())
}

#[test]
fn a_script_of_a_workloads_operations_is_that_workload() {
    let closed = ["think = { exponential = '20ms' }", "think = '0ms'"];
    let open =
        ["open = { interval = { exponential = '15ms' } }", "open = { rate = '200/s', burst = 4 }"];
    let mut digests: Vec<DigestValue> = Vec::new();
    for pace in closed.into_iter().chain(open) {
        let scenario = scenario(pace);
        let generated = play(&scenario, &scenario.config);
        let entries = generated.history.entries();
        assert_eq!(entries.len(), 150, "{pace}");
        let failed = entries.iter().filter(|entry| !entry.is_ok()).count();
        assert!(failed > 5, "{pace}: luck decides too little: {failed} failed");

        let scripted = play(&scenario, &written_out(&scenario.config, &generated, name));
        assert_eq!(lives(&scripted), lives(&generated), "{pace}");
        assert_eq!(scripted.history.nemesis().len(), generated.history.nemesis().len());
        assert_eq!(scripted.finals, generated.finals, "{pace}");
        assert_eq!(scripted.messages, generated.messages, "{pace}");

        // Under other ids the same operations draw differently.
        let named = |source, index| format!("x{}", name(source, index));
        let others = play(&scenario, &written_out(&scenario.config, &generated, named));
        assert_ne!(lives(&others), lives(&generated), "{pace}");
        digests.push(scripted.digest);
    }
    digests.dedup();
    assert_eq!(digests.len(), 4, "four workloads, four runs");
}

/// What shrinking does: without one operation, the others draw the same.
#[test]
fn an_operation_left_out_of_a_script_changes_no_other_ones_luck() {
    let scenario = scenario("think = { exponential = '20ms' }");
    let generated = play(&scenario, &scenario.config);
    let mut config = written_out(&scenario.config, &generated, name);
    // The last read, which causes nothing but its answer.
    let last = config.script.iter().rposition(|one| matches!(one.operation, Operation::Get { .. }));
    let last = last.expect("a read");
    config.script.remove(last);
    let mut expected = lives(&generated);
    expected.remove(last);
    let fates = |entries: &[Entry]| -> Vec<_> {
        entries.iter().map(|e| (e.invoked_at, e.completed_at, e.status, e.version)).collect()
    };
    assert_eq!(fates(&lives(&play(&scenario, &config))), fates(&expected));
}
