//! Scenarios that would run for ever or panic: each is refused as a mistake, or ends with a reason.

use splitbrain::metrics::Settlement;
use splitbrain::run::{RunOptions, RunResult};

use crate::support::scenario::{parse, read};

#[track_caller]
fn play(text: &str) -> RunResult {
    read(text).run(1, RunOptions::default())
}

/// Queued syncs once added up beyond the end of virtual time.
#[test]
fn a_disk_that_is_busy_for_ever_ends_no_run() {
    let settings = "duration = '2s'\nsettle = '2s'\ncluster.nodes = 1\n\
        [protocol.leader-follower]\nwal.policy = 'fsync'\n";
    let load = "[workload]\nclients = 5\noperations = 1000\nthink = '1ms'\ntimeout = '5ms'\n";
    let slow = "[[fault]]\nat = '0s'\nslow-disk = { node = 'n1', by = '87600h' }\n";
    let pareto = "{ pareto = { scale = '10ms', shape = 0.1 } }";
    for (disk, faults) in [
        ("'87600h'", String::new()),
        (pareto, String::new()),
        ("'1ms'", slow.repeat(40)),
        ("'87600h'", slow.repeat(40)),
    ] {
        let result = play(&format!("{settings}[disk]\nsync = {disk}\n{load}{faults}"));
        assert!(result.history.entries().len() > 500, "it went on");
        // A slow disk recovers when the faults end; one whose every sync takes ten years does not.
        match &result.settlement {
            Settlement::Unsettled { waiting_for } => {
                let syncs = waiting_for.iter().any(|line| line.contains("sync"));
                assert!(syncs, "{waiting_for:?}");
            }
            other => {
                assert_eq!((disk, matches!(other, Settlement::Settled { .. })), ("'1ms'", true));
            }
        }
    }
}

/// Every length of time at its maximum, all at once: many places add lengths.
#[test]
fn the_longest_lengths_add_up_to_no_panic() {
    let ten = "87600h";
    let heavy = "{ pareto = { scale = '87600h', shape = 0.05 } }";
    let faults = format!(
        r"[[fault]]
at = '1s'
for = '{ten}'
slow = {{ from = 'n1', by = {heavy} }}
[[fault]]
at = '1s'
for = '1s'
slow = {{ from = 'n1', by = {heavy} }}
[[fault]]
at = '1s'
for = '1s'
slow-disk = {{ node = 'n2', by = {heavy} }}
[[fault]]
at = '1s'
for = '2s'
clock-drift = {{ node = 'n2', drift = '-99.9999999%' }}
[[fault]]
at = '2s'
for = '2s'
clock-drift = {{ node = 'n2', drift = '100%' }}
[[fault]]
at = '3s'
for = '1s'
clog = {{ from = 'n1' }}
[[fault]]
at = '3s'
for = '1s'
clock-jump = {{ node = 'n1', by = '-{ten}' }}
"
    );
    for order in ["reordering", "fifo"] {
        let text = format!(
            r"duration = '10s'
settle = '10s'
cluster.nodes = 3
[protocol.leader-follower]
mode = 'semi-sync'
write-quorum = 1
ack-timeout = '{ten}'
resend = '{ten}'
anti-entropy.interval = '{ten}'
read.timeout = '{ten}'
wal = {{ policy = 'buffered', sync-every = '{ten}' }}
failover = {{ election = 'majority-vote', heartbeat = '1s', timeout = '{ten}', jitter = '{ten}' }}
[network]
delay = {heavy}
order = '{order}'
bandwidth = '1B/s'
duplication = '50%'
client-delay = '1ms'
[disk]
sync = {heavy}
[workload]
clients = 3
mix = {{ put = 1, get = 1 }}
think = {{ exponential = '1ms' }}
timeout = '20ms'
retries = 2
backoff = {heavy}
{faults}"
        );
        let result = play(&text);
        assert!(matches!(result.settlement, Settlement::Unsettled { .. }), "{order}");
    }
}

const FILE: &str = "cluster.nodes = 3\n[protocol.leader-follower]\nmode = 'async'\n";

/// `resend = "1ns"` is a thousand million rounds a second: such a run never ended.
#[test]
fn what_goes_on_for_ever_may_not_be_too_quick() {
    let every =
        ["resend", "anti-entropy.interval", "failover.heartbeat", "tombstone-grace", "in-sync.lag"];
    for key in every {
        let set = |value: &str| format!("protocol.leader-follower.{key}={value}");
        let mode = "protocol.leader-follower.mode=in-sync";
        let log = "protocol.leader-follower.failover.catch-up=log";
        let play = |value: &str| match key {
            "in-sync.lag" => parse(FILE, &[mode, log, &set(value)]),
            _ => parse(FILE, &[&set(value)]),
        };
        for value in ["1ns", "99999ns"] {
            let why = play(value).map(|_| ()).expect_err(&format!("{key} = {value}"));
            assert!(why.contains("times a second"), "{why}");
            assert!(why.contains("expected at least 100us"), "{why}");
        }
        let why = play("1ns").map(|_| ()).expect_err("a mistake");
        assert!(why.contains("every 1ns is 1,000,000,000 times a second"), "{why}");
        if !key.starts_with("in-sync") {
            assert!(play("100us").is_ok(), "{key}");
        }
    }
    // In the file itself, with its place.
    let why = parse(&format!("{FILE}resend = '1ns'\n"), &[]).map(|_| ()).expect_err("a mistake");
    assert!(why.contains("s.toml:4:10"), "{why}");
    // And where a campaign would set it.
    let fuzz = "[fuzz.settings]\n'protocol.leader-follower.resend' = ['100ms', '1ns']\n";
    let why = parse(&format!("{FILE}{fuzz}"), &[]).map(|_| ()).expect_err("a mistake");
    assert!(why.contains("every 1ns is"), "{why}");
}

#[test]
fn clients_do_not_ask_more_than_a_million_times_a_second() {
    let load = "[workload]\nclients = 2\nthink = '1ms'\noperations = 10\n";
    for (key, value) in [
        ("think", "1ns"),
        ("think", "{ exponential = '10ns' }"),
        ("timeout", "999ns"),
        ("backoff", "1ns"),
        ("backoff", "{ uniform = ['0ms', '1us'] }"),
    ] {
        let set = format!("workload.{key}={value}");
        let why = parse(&format!("{FILE}{load}"), &[&set]).map(|_| ()).expect_err(&set);
        assert!(why.contains("more than a million times a second"), "{why}");
        let change =
            format!("[[change]]\nat = '1s'\nset = {{ 'workload.{key}' = {} }}\n", quoted(value));
        let why = parse(&format!("{FILE}{load}{change}"), &[]).map(|_| ()).expect_err(&change);
        assert!(why.contains("more than a million times a second"), "{why}");
    }
    for set in ["workload.think=0ms", "workload.backoff=0ms", "workload.timeout=1us"] {
        assert!(parse(&format!("{FILE}{load}"), &[set]).is_ok(), "{set}");
    }
}

fn quoted(value: &str) -> String {
    if value.starts_with('{') { value.to_owned() } else { format!("'{value}'") }
}

/// The simplest file once got stuck at its first instant.
#[test]
fn clients_for_whom_no_time_passes_are_a_mistake() {
    let load = "[workload]\nclients = 2\n";
    let why = parse(&format!("{FILE}{load}"), &[]).map(|_| ()).expect_err("a mistake");
    assert!(why.contains("these clients would ask for ever at one instant"), "{why}");
    assert!(why.contains("`workload.think`"), "{why}");
    for set in [
        "workload.think=1ms",
        "workload.operations=10",
        "network.client-delay=1ms",
        "protocol.leader-follower.mode=sync",
        "workload.open={rate=\"100/s\"}",
    ] {
        assert!(parse(&format!("{FILE}{load}"), &[set]).is_ok(), "{set}");
    }
}

/// A rate that needs too much memory is refused before the run, with the number of operations.
#[test]
fn arrivals_that_no_run_can_play_are_a_mistake() {
    let load = "duration = '10s'\n[workload]\nclients = 2\n";
    let text = format!(
        "{}\n[protocol.leader-follower]\n",
        load.replacen("[workload]", "cluster.nodes = 3\n[workload]", 1)
    );
    let open = |set: &str| parse(&text, &[set]).map(|_| ());
    let why = open("workload.open={rate=\"1000000000/s\"}").expect_err("too many");
    assert!(why.contains("about 10,000,000,000 operations would arrive in 10s"), "{why}");
    assert!(why.contains("expected at most 20,000,000, or `operations`"), "{why}");
    let why = open("workload.open={interval=\"1us\", burst=10}").expect_err("too many");
    assert!(why.contains("about 100,000,000 operations"), "{why}");
    assert!(open("workload.open={rate=\"2000000/s\"}").is_ok());
    let limited = ["workload.open={rate=\"1000000000/s\"}", "workload.operations=1000"];
    assert!(parse(&text, &limited).is_ok(), "it says how many");
}
