//! `network.refuse`: a machine whose process is down refuses messages at once; one whose process
//! hangs stays silent.
//!
//! Three nodes are a millisecond apart; n1 leads in mode `sync` and waits a second for
//! acknowledgements. At 300 ms a client asks n1 for a write; the others have it at 301 ms, and n1
//! hears of it at 302 ms.

use splitbrain::config::ExpectedVerdict;
use splitbrain::property::Property;
use splitbrain::run::{RunOptions, RunResult};
use splitbrain::scenario::Scenario;

use crate::support::result::assert_none_unmet;
use crate::support::result::judged;
use crate::support::scenario::read;

const SYNC: &str = "mode = 'sync', ack-timeout = '1s'";
const DOWN: &str = "{ at = '100ms', for = '1500ms', crash = 'n3' }";
const HANGS: &str = "{ at = '100ms', for = '1500ms', pause = 'n3' }";

/// What the client expects of its write, as a scenario says it.
const AT_ONCE: &str = "status = 'ok', degraded = true, confirmations = '1 of 2', within = '2ms'";
const AT_THE_TIMEOUT: &str = "status = 'ok', degraded = true, confirmations = '1 of 2', \
                              after = '1s', within = '1s'";
const CONFIRMED: &str = "status = 'ok', degraded = false, confirmations = '2 of 2', within = '2ms'";

fn put(expect: &str) -> String {
    format!(
        "{{ at = '300ms', client = 'user', put = {{ key = 'k', value = 'v' }}, expect = {{ \
         {expect} }} }}"
    )
}

fn scenario(network: &str, settings: &str, operation: &str, faults: &str) -> Scenario {
    let text = format!(
        r"duration = '3s'
settle = '5s'
cluster.nodes = 3
network = {{ delay = '1ms', {network} }}
protocol.leader-follower = {{ {settings} }}
operation = [{operation}]
fault = [{faults}]
"
    );
    read(&text)
}

#[track_caller]
fn plays(network: &str, settings: &str, operation: &str, faults: &str) -> RunResult {
    let options = RunOptions { trace: true, ..RunOptions::default() };
    let scenario = scenario(network, settings, operation, faults);
    let result = scenario.run(1, options);
    assert_none_unmet(&format!("{network} {settings} {faults}"), &result);
    assert_eq!(result.digest, scenario.run(1, options).digest);
    result
}

/// Expects the answer under `settings`, with `faults` and with messages refused.
#[track_caller]
fn answers(settings: &str, faults: &str, expect: &str) -> RunResult {
    plays("refuse = true", settings, &put(expect), faults)
}

#[test]
fn who_is_not_there_refuses_and_who_hangs_is_waited_for() {
    answers(SYNC, "", CONFIRMED);
    answers(SYNC, DOWN, AT_ONCE);
    answers(SYNC, HANGS, AT_THE_TIMEOUT);
    plays("", SYNC, &put(AT_THE_TIMEOUT), DOWN);
    // A machine that lost its power is back before its process; a machine whose process gave up is
    // up as well.
    answers(SYNC, "{ at = '100ms', for = '1500ms', power-loss = 'n3' }", AT_ONCE);
    // Nobody acknowledges.
    let nobody = "status = 'ok', degraded = true, confirmations = '0 of 2', within = '2ms'";
    answers(SYNC, "{ at = '100ms', for = '1500ms', crash = ['n2', 'n3'] }", nobody);
    // One process is down and one hangs: the one that hangs may still acknowledge.
    let both = format!("{DOWN}, {{ at = '100ms', for = '1500ms', pause = 'n2' }}");
    answers(SYNC, &both, "degraded = true, confirmations = '0 of 2', after = '1s', within = '1s'");
}

#[test]
fn what_came_there_is_refused_and_what_did_not_is_silence() {
    // The message is in flight when the process dies.
    answers(SYNC, "{ at = '300.5ms', for = '1s', crash = 'n3' }", AT_ONCE);
    // The process is up again when the message arrives.
    answers(SYNC, "{ at = '300.2ms', for = '0.5ms', crash = 'n3' }", CONFIRMED);
    // The process took the message and died with it: no refusal.
    let dies_paused = "{ at = '100ms', pause = 'n3' }, { at = '400ms', for = '1s', crash = 'n3' }";
    answers(SYNC, dies_paused, AT_THE_TIMEOUT);
    // A partition lets no refusal through, and a machine that was not reached refuses nothing.
    for between in [
        "partition = [['n1', 'n2'], ['n3']]",
        "isolate = 'n3'",
        "block = { from = 'n1', to = 'n3' }",
        "block = { from = 'n3', to = 'n1' }",
        "drop = { from = 'n1', to = 'n3' }",
        "drop = { from = 'n3', to = 'n1' }",
    ] {
        let faults = format!("{{ at = '50ms', for = '2s', {between} }}, {DOWN}");
        answers(SYNC, &faults, AT_THE_TIMEOUT);
    }
    // The partition begins between the message and its refusal.
    let after = format!("{DOWN}, {{ at = '300.5ms', for = '1s', partition = [['n3']] }}");
    answers(SYNC, &after, AT_THE_TIMEOUT);
    // A dropped message is not refused.
    let of_a_kind = format!(
        "{DOWN}, {{ at = '50ms', for = '2s', drop = {{ from = 'n3', to = 'n1', kind = 'ack' }} }}"
    );
    answers(SYNC, &of_a_kind, AT_ONCE);
}

#[test]
fn a_refusal_travels_as_a_message_does() {
    let slow = |ends: &str| {
        format!("{DOWN}, {{ at = '50ms', for = '2s', slow = {{ {ends}, by = '0.5s' }} }}")
    };
    let late = "degraded = true, confirmations = '1 of 2', after = '502ms', within = '502ms'";
    answers(SYNC, &slow("from = 'n1', to = 'n3'"), late);
    answers(SYNC, &slow("from = 'n3', to = 'n1'"), late);
    let clog =
        format!("{DOWN}, {{ at = '50ms', for = '650ms', clog = {{ from = 'n3', to = 'n1' }} }}");
    answers(SYNC, &clog, "degraded = true, after = '401ms', within = '401ms'");
    let link = |settings: &str| {
        format!("refuse = true, link = [{{ from = 'n3', to = 'n1', {settings} }}]")
    };
    plays(&link("loss = '100%'"), SYNC, &put(AT_THE_TIMEOUT), DOWN);
    plays(&link("delay = '200ms'"), SYNC, &put("after = '201ms', within = '201ms'"), DOWN);
    plays(&link("duplication = '100%', order = 'fifo'"), SYNC, &put(AT_ONCE), DOWN);
}

#[test]
fn a_refusal_is_for_the_process_that_sent_the_message() {
    // n1 dies between its message and the refusal, and a new process takes its place. That process
    // did not send the message: it answers its own client as if no refusal had come.
    let operations = put("status = 'info'")
        .replace("client = 'user',", "client = 'user', timeout = '1s',")
        + ", { at = '301.9ms', client = 'other', put = { key = 'l', value = 'w' }, expect = { \
           within = '2.1ms' } }";
    let faults = format!("{DOWN}, {{ at = '301.2ms', for = '0.5ms', crash = 'n1' }}");
    let result = plays("refuse = true", SYNC, &operations, &faults);
    let trace = result.trace.unwrap_or_default();
    assert!(trace.contains("n1        . lost      the process that sent it is gone"), "{trace}");
    // A paused process receives the refusal when it resumes.
    let faults = format!("{DOWN}, {{ at = '301.5ms', for = '100ms', pause = 'n1' }}");
    answers(SYNC, &faults, "degraded = true, after = '101.5ms', within = '101.5ms'");
}

#[test]
fn every_way_of_replicating_hears_of_it() {
    answers(
        "mode = 'sync', ack-timeout = '1s', on-ack-timeout = 'fail'",
        DOWN,
        "status = 'info', error = 'too-few-confirmations', confirmations = '1 of 2', within = \
         '2ms'",
    );
    answers("mode = 'sync', ack-timeout = '1s', replication = 'full-state'", DOWN, AT_ONCE);
    answers("mode = 'semi-sync', write-quorum = 2, ack-timeout = '1s'", DOWN, AT_ONCE);
    let one = "status = 'ok', degraded = false, confirmations = '1 of 2', within = '2ms'";
    answers("mode = 'semi-sync', write-quorum = 1, ack-timeout = '1s'", DOWN, one);
    let log = "mode = 'sync', ack-timeout = '1s', failover = { catch-up = 'log' }";
    answers(log, DOWN, AT_ONCE);
    answers(log, HANGS, AT_THE_TIMEOUT);
    answers(&format!("{log}, wal = {{ policy = 'fsync' }}"), DOWN, AT_ONCE);
    // With `resend` the message is sent again: the client does not wait for it, and the follower
    // has it in the end.
    let result = answers("mode = 'sync', ack-timeout = '1s', resend = '100ms'", DOWN, AT_ONCE);
    assert_eq!(judged(&result, Property::Convergence), ExpectedVerdict::Valid);
    // Two writes in flight: each has its own answer.
    let second = put(CONFIRMED)
        .replace("'user'", "'other'")
        .replace("'300ms'", "'300.2ms'")
        .replace("'k'", "'l'");
    let first_alone = "{ at = '300.9ms', for = '0.15ms', crash = 'n3' }";
    plays("refuse = true", SYNC, &format!("{}, {second}", put(AT_ONCE)), first_alone);
}

#[test]
fn a_coordinator_hears_of_it() {
    let read = |expect: &str| {
        format!(
            "{{ at = '300ms', client = 'user', get = {{ key = 'k', from = 'n1', r = 3 }}, expect = \
             {{ {expect} }} }}"
        )
    };
    let refused = "status = 'fail', error = 'too-few-replies'";
    plays("refuse = true", SYNC, &read(&format!("{refused}, within = '2ms'")), DOWN);
    let late = read(&format!("{refused}, after = '900ms'"));
    let settings = format!("{SYNC}, read = {{ timeout = '900ms' }}");
    plays("refuse = true", &settings, &late, HANGS);
    plays("", &settings, &late, DOWN);
}

#[test]
fn nobody_waits_for_the_end_of_refusals_to_settle() {
    // Heartbeats to a node that stays down are always refused.
    let settings = "mode = 'async', failover = { election = 'lowest-id', heartbeat = '20ms', \
                    timeout = '100ms' }";
    let faults = "{ at = '100ms', forever = true, crash = 'n3' }";
    let result = plays("refuse = true", settings, &put("status = 'ok'"), faults);
    assert!(result.trace.unwrap_or_default().contains("n1        refused     heartbeat to n3"));
    let settled = format!("{:?}", result.settlement);
    assert!(settled.starts_with("Settled"), "{settled}");
}

/// Refusals change no draws: every other message goes as it does without them.
#[test]
fn refusals_take_no_luck_from_others() {
    let settings = "mode = 'async'";
    let network = "delay = { uniform = ['0ms', '20ms'] }, loss = '10%'";
    let run = |refuse: &str| {
        let text = format!(
            r"duration = '3s'
cluster.nodes = 3
network = {{ {network}, {refuse} }}
workload = {{ clients = 3, operations = 200, think = '10ms',
    mix = {{ put = 2, get = 1 }}, read-from = 'any' }}
protocol.leader-follower = {{ {settings} }}
fault = [{{ at = '0.1s', for = '1s', crash = 'n3' }}]
"
        );
        let scenario = read(&text);
        let result = scenario.run(7, RunOptions { trace: true, ..RunOptions::default() });
        result.trace.unwrap_or_default()
    };
    let (with, without) = (run("refuse = true"), run("refuse = false"));
    let is_of_refusals =
        |line: &&str| line.contains("refus") || line.contains("that sent it is gone");
    assert!(with.lines().any(|line| line.contains("refused     replicate to n3")), "{with}");
    assert!(with.lines().any(|line| line.contains(". lost      refusal to n1")), "{with}");
    let rest: Vec<&str> = with.lines().filter(|line| !is_of_refusals(line)).collect();
    let before: Vec<&str> = without.lines().filter(|line| !is_of_refusals(line)).collect();
    assert_eq!(rest, before);
}
