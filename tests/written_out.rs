//! A run whose workload is written out as a script is the run that it was: the same operations at the same times, with the
//! same answers, whatever the workload is like and whatever fails meanwhile. Shrinking rests on it.

use splitbrain::fuzz::subject::{Case, Subject};
use splitbrain::history::Entry;
use splitbrain::run::written_out::written_out;
use splitbrain::run::{RunOptions, RunResult};
use splitbrain::scenario::{Document, Registry, Scenario};

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
mix = { put = 4, get = 4, delete = 1, append = 2, list = 1, read-all = 1 }
think = { exponential = "40ms" }
timeout = "120ms"
retries = 2
backoff = { uniform = ["1ms", "20ms"] }
[fuzz]
kinds = "all"
faults = [1, 8]
"#;

/// Ways of asking, beside the first: each with and without luck in delays.
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
        &[
            "change=[{ at = '300ms', set = { 'workload.read-from' = 'any', 'workload.read-quorum' = 2 } }, \
           { at = '600ms', set = { 'workload.timeout' = '30ms', 'network.loss' = '10%' } }, \
           { at = '900ms', set = { 'workload.read-from' = 'leader', 'workload.retries' = 0 } }]",
        ],
    ),
    (
        "a script beside it",
        &["operation=[{ at = '200ms', client = 'c9', put = { key = 'k1', value = 'mine' } }]"],
    ),
];

const CONSTANT: [&str; 2] = ["network.delay=5ms", "network.client-delay=2ms"];

fn subject(sets: &[&str]) -> Subject {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    // A pace replaces the other.
    let text = if sets.iter().any(|set| set.starts_with("workload.open")) {
        GROUND.replace("think = { exponential = \"40ms\" }\n", "")
    } else {
        GROUND.to_owned()
    };
    Subject::new("ground.toml", text.into_bytes(), &Registry::new(), &sets)
        .unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// The history but for what only a workload has: when an operation was due. Values by name, since a script numbers its
/// own.
fn lives(
    case: &Case,
    result: &RunResult,
    script: Option<&splitbrain::config::Config>,
) -> Vec<(Entry, String)> {
    let names = &script.unwrap_or(case.config()).names;
    let value = |entry: &Entry| entry.value.map_or(String::new(), |value| names.value(value));
    let entries = result.history.entries().iter();
    entries
        .map(|entry| {
            let bare = Entry { due_at: entry.invoked_at, value: None, ..entry.clone() };
            (bare, value(entry))
        })
        .collect()
}

/// The case's run, and that of its file with the operations written out.
fn both(case: &Case) -> (Vec<(Entry, String)>, Vec<(Entry, String)>, Scenario) {
    let generated = case.run(RunOptions::default());
    let config = written_out(case.config(), case.seed(), &generated.history);
    let text = Document::of_settings(&config, case.scenario().protocol.as_ref()).render();
    let script = Scenario::parse("script.toml", text.as_bytes(), &Registry::new(), &[])
        .unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"));
    let scripted = script.run(case.seed(), RunOptions::default());
    let scripted = lives(case, &scripted, Some(&script.config));
    (lives(case, &generated, None), scripted, script)
}

fn first_difference(a: &[(Entry, String)], b: &[(Entry, String)]) -> String {
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
            let subject = subject(&[sets, more].concat());
            let (mut operations, mut failed) = (0, 0);
            for index in 0..60 {
                let case = subject.case(5, index);
                let (generated, scripted, script) = both(&case);
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
