//! Settings for where the program of a small course store differs from its specification.
//!
//! Three nodes are a millisecond apart. Sessions of the program are the scenarios
//! `scenarios/systems/course-store-*.toml`.

use splitbrain::named::Named;
use splitbrain::property::Property;
use splitbrain::run::{RunOptions, RunResult};

use crate::support::result::{assert_expectations_met, judged};
use crate::support::scenario::read;

const NOBODY: &str = "initial-leader = 'none'";

/// A fault that keeps a node down until it boots at this time, in milliseconds.
fn boots(node: u16, at: u64) -> String {
    format!("{{ at = '0s', for = '{at}ms', crash = 'n{node}' }}")
}

fn run(cluster: &str, settings: &str, operations: &str, faults: &str, states: &str) -> RunResult {
    let text = format!(
        r"duration = '40s'
settle = '30s'
cluster = {{ nodes = 3, {cluster} }}
network.delay = '1ms'
protocol.leader-follower = {{ {settings} }}
operation = [{operations}]
fault = [{faults}]
expect.state = [{states}]
"
    );
    read(&text).run(1, RunOptions { trace: true, ..RunOptions::default() })
}

/// Runs a story, whose every expectation has to be met.
#[track_caller]
fn play(cluster: &str, settings: &str, operations: &str, faults: &str, states: &str) -> RunResult {
    let result = run(cluster, settings, operations, faults, states);
    assert_expectations_met(settings, &result);
    result
}

fn verdict(result: &RunResult, property: Property) -> &'static str {
    judged(result, property).name()
}

/// What followers answer after a delete: one that was up all the time, and one that was away.
#[test]
fn a_state_that_is_merged_says_of_no_key_that_it_was_erased() {
    let session = |found: &str, after: &str| {
        format!(
            "{{ at = '1s', client = 'user', put = {{ key = 'city', value = 'NYC' }} }},
             {{ at = '2s', client = 'user', put = {{ key = 'state', value = 'NY' }} }},
             {{ at = '3s', client = 'user', delete = {{ key = 'city' }}, expect = {{ existed = \
             true }} }},
             {{ at = '4s', client = 'user', get = {{ key = 'city', from = 'n2' }}, expect = {{ \
             {found} }} }},
             {{ at = '20s', client = 'user', get = {{ key = 'city', from = 'n3' }}, expect = {{ \
             {after} }} }}"
        )
    };
    let (gone, there) = ("absent = true", "value = 'NYC'");
    let full = "replication = 'full-state'";
    // The full state after the delete has no city: a follower that replaces its state loses the
    // city, one that merges keeps it.
    play("", &format!("{full}, deletes = 'erase'"), &session(gone, gone), "", "");
    let merges = format!("{full}, full-state = 'merge'");
    let result = play("", &format!("{merges}, deletes = 'erase'"), &session(there, there), "", "");
    for property in [Property::Convergence, Property::Resurrection] {
        assert_eq!(verdict(&result, property), "allowed", "{property}");
    }
    // A tombstone is part of the state and is merged like any write.
    let result = play("", &merges, &session(gone, gone), "", "");
    assert_eq!(verdict(&result, Property::Convergence), "valid");
    // A follower's log holds what it stored; its replay merges nothing else.
    let logged = format!("{merges}, deletes = 'erase', wal = {{ policy = 'fsync' }}");
    play("", &logged, &session(there, there), "{ at = '10s', for = '1s', crash = 'n3' }", "");
    // A full state for catch-up: n3 misses the delete.
    let away = "{ at = '2500ms', for = '8s', crash = 'n3' }";
    let catches_up =
        "wal = { policy = 'fsync' }, deletes = 'erase', failover = { election = 'lowest-id' }";
    play("", catches_up, &session(gone, gone), away, "");
    let catches_up = format!("full-state = 'merge', {catches_up}");
    play("", &catches_up, &session(gone, there), away, "");
}

/// Each key of the state is taken as it is, even where the follower has a newer value.
#[test]
fn of_the_keys_in_a_state_that_is_merged_none_stays_as_it_was() {
    // n3 led alone and took a write; then n1, which has another value of that key, leads again.
    let operations = "{ at = '1s', client = 'a', put = { key = 'k', value = 'old' } },
        { at = '20s', client = 'b', put = { key = 'k', value = 'lost', to = 'n3' }, expect = { \
        status = 'ok' } },
        { at = '20s', client = 'c', put = { key = 'only', value = 'kept', to = 'n3' }, expect = { \
        status = 'ok' } }";
    let faults = "{ at = '5s', for = '20s', isolate = 'n3' }";
    let settings = "failover = { election = 'lowest-id', pre-empt = true }";
    let states = |only: &str| {
        format!(
            "{{ at = '39s', node = 'n3', key = 'k', value = 'old' }},
             {{ at = '39s', node = 'n3', key = 'only', {only} }}"
        )
    };
    play("", settings, operations, faults, &states("absent = true"));
    let merges = format!("full-state = 'merge', {settings}");
    let result = play("", &merges, operations, faults, &states("value = 'kept'"));
    assert_eq!(verdict(&result, Property::Convergence), "allowed");
}

#[test]
fn a_node_that_looks_now_and_then_notices_late() {
    let at = |at: &str, node: u16, role: &str| {
        format!("{{ at = '{at}', node = 'n{node}', role = '{role}' }}")
    };
    let look = |every: &str| format!("failover = {{ election = 'lowest-id'{every} }}");
    let all_boot = |at| [boots(1, at), boots(2, at), boots(3, at)].join(", ");
    let states =
        |before: &str, after: &str| [at(before, 1, "candidate"), at(after, 1, "leader")].join(", ");
    // It boots at 300 ms and hears from no leader.
    play(NOBODY, &look(""), "", &all_boot(300), &states("6299ms", "6301ms"));
    play(NOBODY, &look(", look-every = '1s'"), "", &all_boot(300), &states("6299ms", "6301ms"));
    play(NOBODY, &look(", look-every = '4s'"), "", &all_boot(300), &states("8299ms", "8301ms"));
    play(NOBODY, &look(", look-every = '6s'"), "", &all_boot(300), &states("6299ms", "6301ms"));
    let late = look(", timeout = '6001ms', look-every = '6s'");
    play(NOBODY, &late, "", &all_boot(300), &states("12299ms", "12301ms"));
    // n1 leads from the start and sends a heartbeat every two seconds, the last at 10 s. n2 booted
    // at 0 s: it looks at 16 s, when six seconds are not quite over, and again at 17 s. A node with
    // a timer would know at 16.001 s.
    let stops = "{ at = '11s', for = '20s', crash = 'n1' }";
    let of_n2 =
        |before: &str, after: &str| [at(before, 2, "follower"), at(after, 2, "leader")].join(", ");
    play("", &look(""), "", stops, &of_n2("16s", "16002ms"));
    play("", &look(", look-every = '1s'"), "", stops, &of_n2("16999ms", "17001ms"));
    // The same with elections by vote.
    let votes = "failover = { election = 'majority-vote', jitter = '0s', look-every = '700ms' }";
    play(
        NOBODY,
        votes,
        "",
        "{ at = '0s', for = '20s', crash = ['n2'] }, { at = '0s', for = '5s', crash = 'n3' }",
        &[at("6299ms", 1, "candidate"), at("6310ms", 1, "leader")].join(", "),
    );
}

/// Each defect alone, in a store that otherwise meets its specification.
#[test]
fn each_mistake_of_the_program_is_one_of_its_own() {
    let with = |defects: &str| {
        format!(
            "mode = 'sync', ack-timeout = '1s', replication = 'full-state', defects = [{defects}],
             failover = {{ election = 'lowest-id', catch-up = 'none' }}"
        )
    };
    let state =
        |at: &str, node: u16, what: &str| format!("{{ at = '{at}', node = 'n{node}', {what} }}");
    // No node believes that it is the lowest.
    let waits =
        |node, awaited| state("35s", node, &format!("role = 'candidate', awaits = '{awaited}'"));
    play(
        NOBODY,
        &with("'addresses-before-ids'"),
        "",
        "",
        &[waits(1, "n2"), waits(2, "n1"), waits(3, "n1")].join(", "),
    );
    // A node that waits for another names it as its leader and calls itself a follower.
    let follows = |node, awaited| {
        state(
            "5s",
            node,
            &format!("role = 'follower', term = 0, leader = '{awaited}', awaits = 'none'"),
        )
    };
    let refused = |node, leader: &str, error: &str| {
        format!(
            "{{ at = '35s', client = 'c{node}', put = {{ key = 'k', value = 'v', to = 'n{node}' }},
            expect = {{ status = 'fail', error = '{error}', leader = '{leader}' }} }}"
        )
    };
    let after = |node, awaited| {
        state("35s", node, &format!("role = 'follower', leader = '{awaited}', awaits = 'none'"))
    };
    play(
        NOBODY,
        &with("'addresses-before-ids', 'follow-the-awaited'"),
        &[refused(1, "n2", "not-leader"), refused(2, "n1", "not-leader")].join(", "),
        "",
        &[follows(1, "none"), follows(3, "none"), after(1, "n2"), after(3, "n1")].join(", "),
    );
    play(NOBODY, &with("'addresses-before-ids'"), &refused(1, "none", "no-leader"), "", "");
    // n1 is away, and the others are in a higher term when it is back in term 1. It hears of that
    // term from refusals, or from the heartbeats of followers; with both defects from neither.
    let higher = "'wait-for-lowest-configured', 'raise-term-while-waiting'";
    let pause = "{ at = '10s', for = '10s', pause = 'n1' }";
    let write = |expect: &str| {
        format!(
            "{{ at = '30s', client = 'w', put = {{ key = 'k', value = 'v', to = 'n1' }}, expect = \
             {{ {expect} }} }}"
        )
    };
    play(
        NOBODY,
        &with(&format!("{higher}, 'silent-followers', 'confirm-what-is-ignored'")),
        &write("status = 'ok', degraded = false, confirmations = '2 of 2', within = '2ms'"),
        pause,
        &[
            state("30s", 1, "role = 'leader', term = 1"),
            state("31s", 2, "role = 'candidate'"),
            state("31s", 2, "key = 'k', absent = true"),
        ]
        .join(", "),
    );
    for told in
        [format!("{higher}, 'silent-followers'"), format!("{higher}, 'confirm-what-is-ignored'")]
    {
        let result = run(NOBODY, &with(&told), "", pause, "");
        assert!(
            result
                .leaderships
                .iter()
                .any(|led| led.term > splitbrain::id::Term(1) || led.until.is_some()),
            "{told}"
        );
    }
}

/// A message has 32 bytes, and for each write 24 bytes, the key and the value.
#[test]
fn a_message_is_as_large_as_its_keys_and_values() {
    let takes = |settings: &str, key: &str, value: &str, millis: u64| {
        let text = format!(
            r"duration = '10s'
settle = '20s'
cluster.nodes = 2
network = {{ delay = '0s', bandwidth = '1kB/s' }}
protocol.leader-follower = {{ mode = 'sync', {settings} }}
operation = [{{ at = '1s', client = 'user', put = {{ key = '{key}', value = '{value}' }},
             expect = {{ after = '{millis}ms', within = '{millis}ms' }} }}]
"
        );
        let result = read(&text).run(1, RunOptions::default());
        assert_expectations_met(&format!("{key} {value}"), &result);
    };
    // At a byte a millisecond: the message there, and the 32 bytes of the acknowledgement back.
    takes("", "k", "v", 32 + 24 + 2 + 32);
    takes("", "a-longer-key", "v", 32 + 24 + 13 + 32);
    takes("", "k", "a value of thirty-two characters", 32 + 24 + 33 + 32);
    takes("replication = 'full-state'", "k", "a value of thirty-two characters", 32 + 24 + 33 + 32);
    takes("failover = { catch-up = 'log', heartbeat = '100s' }", "key", "value", 32 + 24 + 8 + 32);
}
