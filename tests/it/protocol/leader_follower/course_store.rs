//! The settings by which the program of a small course store differs from what its text says.
//!
//! Three nodes a millisecond apart. The sessions of the program are scenarios:
//! `scenarios/systems/course-store-*.toml`.

use splitbrain::property::Property;
use splitbrain::run::{RunOptions, RunResult};

use crate::support::result::{assert_expectations_met, judged};
use crate::support::scenario::read;

const NOBODY: &str = "initial-leader = 'none'";

/// A node that boots at this time, in milliseconds.
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

/// What a follower that was up all the time answers after a delete, and one that was away.
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
    // The state that follows the delete has no city: put in place it takes the city away, merged it
    // does not.
    play("", &format!("{full}, deletes = 'erase'"), &session(gone, gone), "", "");
    let merges = format!("{full}, full-state = 'merge'");
    let result = play("", &format!("{merges}, deletes = 'erase'"), &session(there, there), "", "");
    for property in [Property::Convergence, Property::Resurrection] {
        assert_eq!(verdict(&result, property), "allowed", "{property}");
    }
    // A tombstone is in the state, and merged like any other write.
    let result = play("", &merges, &session(gone, gone), "", "");
    assert_eq!(verdict(&result, Property::Convergence), "valid");
    // The log of a follower has what it stored, and no more is merged when it is read back.
    let logged = format!("{merges}, deletes = 'erase', wal = {{ policy = 'fsync' }}");
    play("", &logged, &session(there, there), "{ at = '10s', for = '1s', crash = 'n3' }", "");
    // A state that brings a follower up to date: n3 misses the delete.
    let away = "{ at = '2500ms', for = '8s', crash = 'n3' }";
    let catches_up =
        "wal = { policy = 'fsync' }, deletes = 'erase', failover = { election = 'lowest-id' }";
    play("", catches_up, &session(gone, gone), away, "");
    let catches_up = format!("full-state = 'merge', {catches_up}");
    play("", &catches_up, &session(gone, there), away, "");
}

/// What is newer on the follower than in the state is replaced as well: each key of the state is
/// taken as it is.
#[test]
fn of_the_keys_in_a_state_that_is_merged_none_stays_as_it_was() {
    // n3 led alone and took a write; n1, who has another of the same key, leads it again.
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
    // It boots at 300 ms and hears nobody lead.
    play(NOBODY, &look(""), "", &all_boot(300), &states("6299ms", "6301ms"));
    play(NOBODY, &look(", look-every = '1s'"), "", &all_boot(300), &states("6299ms", "6301ms"));
    play(NOBODY, &look(", look-every = '4s'"), "", &all_boot(300), &states("8299ms", "8301ms"));
    play(NOBODY, &look(", look-every = '6s'"), "", &all_boot(300), &states("6299ms", "6301ms"));
    let late = look(", timeout = '6001ms', look-every = '6s'");
    play(NOBODY, &late, "", &all_boot(300), &states("12299ms", "12301ms"));
    // n1 leads from the start and says so every two seconds, the last time at 10 s. n2 booted at 0
    // s: it looks at 16 s and finds that six seconds are not quite over, and again at 17 s; one
    // that knows at once knows at 16.001 s.
    let stops = "{ at = '11s', for = '20s', crash = 'n1' }";
    let of_n2 =
        |before: &str, after: &str| [at(before, 2, "follower"), at(after, 2, "leader")].join(", ");
    play("", &look(""), "", stops, &of_n2("16s", "16002ms"));
    play("", &look(", look-every = '1s'"), "", stops, &of_n2("16999ms", "17001ms"));
    // With votes, too.
    let votes = "failover = { election = 'majority-vote', jitter = '0s', look-every = '700ms' }";
    play(
        NOBODY,
        votes,
        "",
        "{ at = '0s', for = '20s', crash = ['n2'] }, { at = '0s', for = '5s', crash = 'n3' }",
        &[at("6299ms", 1, "candidate"), at("6310ms", 1, "leader")].join(", "),
    );
}

/// Each mistake alone, in a store that is otherwise as its text says.
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
    // Nobody takes itself for the lowest.
    let waits =
        |node, awaited| state("35s", node, &format!("role = 'candidate', awaits = '{awaited}'"));
    play(
        NOBODY,
        &with("'addresses-before-ids'"),
        "",
        "",
        &[waits(1, "n2"), waits(2, "n1"), waits(3, "n1")].join(", "),
    );
    // Who waits names the one it waits for, and calls itself its follower.
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
    // n1 is gone for a second, and the others are in a higher term when it is back: it leads term
    // 1, and is told of the higher one by whoever refuses what it says, or by those that say that
    // they are there; unless nobody does either.
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

/// A message is as large as what it brings: 32 bytes, and 24, a key and a value for each write.
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
        let unmet: Vec<_> = result.expectations.iter().filter(|expected| !expected.met).collect();
        assert!(unmet.is_empty(), "{key} {value}: {unmet:?}");
    };
    // At a byte a millisecond, there and the 32 bytes of the confirmation back.
    takes("", "k", "v", 32 + 24 + 2 + 32);
    takes("", "a-longer-key", "v", 32 + 24 + 13 + 32);
    takes("", "k", "a value of thirty-two characters", 32 + 24 + 33 + 32);
    takes("replication = 'full-state'", "k", "a value of thirty-two characters", 32 + 24 + 33 + 32);
    takes("failover = { catch-up = 'log', heartbeat = '100s' }", "key", "value", 32 + 24 + 8 + 32);
}
