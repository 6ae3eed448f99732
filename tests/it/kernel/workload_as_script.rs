//! A workload written out as a script gives the same run: the same operations at the same times
//! with the same answers, for any workload and any faults. Shrinking relies on it.

use splitbrain::fuzz::target::{FuzzCase, FuzzTarget};
use splitbrain::fuzz::written_out::written_out;
use splitbrain::history::{Entry, Function};
use splitbrain::id::{ClientId, KeyId};
use splitbrain::run::{RunOptions, RunResult};
use splitbrain::scenario::{Document, Registry, Scenario};

use crate::support::scenario::read;

const GROUND: &str = r#"
duration = "2s"
settle = "10s"
[cluster]
nodes = 3
[protocol.leader-follower]
mode = "semi-sync"
write-quorum = 1
on-ack-timeout = "fail"
ack-timeout = "150ms"
timestamps = "term-sequence"
wal.policy = "fsync"
[protocol.leader-follower.failover]
election = "majority-vote"
heartbeat = "50ms"
timeout = "150ms"
catch-up = "log"
[network]
delay = { exponential = "5ms" }
client-delay = { exponential = "3ms" }
loss = "3%"
duplication = "5%"
[disk]
sync = { uniform = ["1ms", "4ms"] }
[workload]
clients = 4
operations = 60
keys = 6
mix = { put = 4, get = 4, delete = 1, append = 2, list = 1, read-all = 1, cas = 3, batch = 2 }
think = { exponential = "40ms" }
timeout = "120ms"
retries = 2
backoff = { uniform = ["1ms", "20ms"] }
[fuzz]
kinds = "all"
faults = [1, 8]
"#;

/// Further ways to ask, each with and without random delays.
const WAYS: [(&str, &[&str]); 9] = [
    ("closed loop", &[]),
    ("no pauses for thought", &["workload.think=0ms"]),
    ("reads of any replica", &["workload.read-from=any"]),
    ("reads of the nearest replica", &["workload.read-from=nearest"]),
    (
        "a read quorum",
        &["workload.read-from=any", "workload.read-quorum=2", "workload.read-repair=true"],
    ),
    ("open loop", &["workload.open={ interval = { exponential = '12ms' } }"]),
    (
        "bursts on any replica",
        &["workload.open={ rate = '100/s', burst = 4 }", "workload.read-from=any"],
    ),
    (
        "changes of the workload",
        &["change=[{ at = '300ms', set = { 'workload.read-from' = 'any', 'workload.read-quorum' \
             = 2 } }, \
           { at = '600ms', set = { 'workload.timeout' = '30ms', 'network.loss' = '10%' } }, \
           { at = '900ms', set = { 'workload.read-from' = 'leader', 'workload.retries' = 0 } }]"],
    ),
    (
        "a script beside it",
        &["operation=[{ at = '200ms', client = 'c9', put = { key = 'k1', value = 'mine' } }]"],
    ),
];

const CONSTANT: [&str; 2] = ["network.delay=5ms", "network.client-delay=2ms"];

fn target(sets: &[&str]) -> FuzzTarget {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    // One pace replaces the other.
    let text = if sets.iter().any(|set| set.starts_with("workload.open")) {
        GROUND.replace("think = { exponential = \"40ms\" }\n", "")
    } else {
        GROUND.to_owned()
    };
    FuzzTarget::new("ground.toml", text.into_bytes(), &Registry::new(), &sets)
        .unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// An operation with its key, client and value by name, since each file numbers its own.
type Life = (Entry, [String; 4]);

/// The history without due times, which only a workload has.
fn lives(result: &RunResult) -> Vec<Life> {
    let life = |entry: &Entry| {
        let names = result.history.names();
        let key = match entry.function {
            Function::List | Function::ReadAll | Function::Clear | Function::Batch => String::new(),
            _ => names.key(entry.key).to_owned(),
        };
        let value = |value: Option<_>| value.map_or(String::new(), |value| names.value(value));
        let client = names.client(entry.client).to_owned();
        let words = [key, client, value(entry.value), value(entry.over)];
        let named =
            Entry { key: KeyId(0), client: ClientId(0), value: None, over: None, ..entry.clone() };
        (named, words)
    };
    result.history.entries().iter().map(life).collect()
}

/// The run of the case, and the run of its file with the operations written out.
fn both(case: &FuzzCase) -> (Vec<Life>, Vec<Life>, Scenario) {
    let generated = case.run(RunOptions::default());
    let (config, names) = written_out(case.config(), case.seed(), &generated.history);
    let text = Document::of_settings(&config, &names, case.scenario().protocol.as_ref()).render();
    let script = read(&text);
    let scripted = script.run(case.seed(), RunOptions::default());
    (lives(&generated), lives(&scripted), script)
}

/// Operations of one instant have an order, and the script's need not be the workload's.
fn in_any_order(lives: &mut [Life]) {
    for (entry, _) in lives.iter_mut() {
        (entry.invoked_seq, entry.completed_seq) = (0, 0);
    }
    lives.sort_by_key(|(entry, words)| (entry.invoked_at, words[1].clone()));
}

fn first_difference(a: &[Life], b: &[Life]) -> String {
    let place = a.iter().zip(b).position(|(a, b)| a != b);
    let place = place.unwrap_or_else(|| a.len().min(b.len()));
    format!(
        "operation {place} of {} and {}:\n{:#?}\n{:#?}",
        a.len(),
        b.len(),
        a.get(place),
        b.get(place)
    )
}

#[test]
fn a_workload_written_out_is_the_same_run() {
    for (way, sets) in WAYS {
        for (luck, more) in [("random", &[][..]), ("constant", &CONSTANT)] {
            let is_burst = way.starts_with("bursts");
            if is_burst && luck == "constant" {
                // Which operation of a burst is served first decides what the others find.
                continue;
            }
            let target = target(&[sets, more].concat());
            let (mut operations, mut failed) = (0, 0);
            for index in 0..60 {
                let case = target.case(5, index);
                let (mut generated, mut scripted, script) = both(&case);
                if luck == "constant" || is_burst {
                    in_any_order(&mut generated);
                    in_any_order(&mut scripted);
                }
                assert!(script.config.workload.is_none());
                assert!(
                    generated == scripted,
                    "{way}, {luck} delays, case {index}: {}",
                    first_difference(&generated, &scripted)
                );
                operations += generated.len();
                failed += generated.iter().filter(|(entry, _)| !entry.is_ok()).count();
            }
            assert!(operations > 60 * 40, "{way}, {luck} delays: {operations} operations");
            assert!(failed > 60, "{way}, {luck} delays: luck decides too little: {failed} failed");
        }
    }
}
