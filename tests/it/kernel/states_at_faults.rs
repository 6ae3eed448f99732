//! The recorded states of the nodes that a fault hits, as they were just before it.
//!
//! Three nodes are a millisecond apart; n1 leads. At 300 ms a client asks n1 for a write. n1 has it
//! on disk at 304 ms; the followers have it in memory at 305 ms and on disk at 309 ms; at 310 ms
//! the client has its answer.

use splitbrain::config::ExpectedVerdict;
use splitbrain::metrics::NodeState;
use splitbrain::named::Named;
use splitbrain::property::Property;
use splitbrain::run::{RunOptions, RunResult};

use crate::support::result::judged;
use crate::support::scenario::read;

const QUIET: &str = "mode = 'sync', resend = '500ms', wal = { policy = 'fsync' }";
const WRITE: &str = "{ at = '300ms', client = 'writer', put = { key = 'k', value = 'v' } }";

fn play(settings: &str, operation: &str, faults: &str) -> RunResult {
    let text = format!(
        r"duration = '3s'
settle = '5s'
cluster.nodes = 3
network.delay = '1ms'
disk.sync = '4ms'
protocol.leader-follower = {{ {settings} }}
operation = [{operation}]
fault = [{faults}]
"
    );
    read(&text).run(1, RunOptions::default())
}

/// The states recorded for the last fault that started.
#[track_caller]
fn last_found(result: &RunResult) -> String {
    let impacts = &result.impacts;
    assert!(impacts.is_sorted_by_key(|impact| impact.at), "{impacts:?}");
    let acts = result.history.nemesis().iter().filter(|act| act.starts && act.fault.is_some());
    let told: Vec<_> = acts.map(|act| (act.fault, act.at)).collect();
    let struck: Vec<_> = impacts.iter().map(|impact| (Some(impact.fault), impact.at)).collect();
    assert_eq!(struck, told, "each start of a fault is a strike");
    let states = impacts.last().expect("something struck").states;
    states.iter().map(NodeState::name).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_fault_finds_its_nodes_as_they_were() {
    let cases = [
        ("{ at = '250ms', crash = 'n1' }", "leader"),
        ("{ at = '250ms', crash = 'n3' }", "follower"),
        ("{ at = '250ms', crash = 'all' }", "leader follower"),
        ("{ at = '302ms', crash = 'n1' }", "leader unsynced write-in-flight"),
        ("{ at = '307ms', crash = ['n2', 'n3'] }", "follower unsynced"),
        ("{ when = { persists = 1 }, crash = 'n1' }", "leader unsynced write-in-flight"),
        // The client waits for n1, n1 waits for the followers, and nothing is pending on n1's disk.
        ("{ at = '307ms', crash = 'n1' }", "leader write-in-flight"),
        ("{ at = '311ms', crash = 'all' }", "leader follower"),
        // A pending read is not a pending write.
        ("{ when = { appends = 1, node = 'n1', after = '200ms' }, crash = 'n1' }", "leader"),
        // A partition hits all nodes.
        ("{ at = '307ms', partition = [['n2']] }", "leader follower unsynced write-in-flight"),
        ("{ at = '250ms', isolate = 'n2' }", "follower"),
        ("{ at = '250ms', bridge = 'n2' }", "follower"),
        ("{ at = '250ms', block = { from = 'n1', to = 'n2' } }", "leader follower"),
        ("{ at = '250ms', drop = { from = 'n2', to = 'n3' } }", "follower"),
        ("{ at = '250ms', clock-jump = { node = 'leader', by = '1s' } }", "leader"),
        ("{ at = '302ms', torn-write = 'leader' }", "leader unsynced write-in-flight"),
        // A fault of nodes that are down already.
        ("{ at = '150ms', crash = 'n2' }, { at = '250ms', power-loss = 'n2' }", "down"),
        ("{ at = '150ms', crash = 'n2' }, { at = '250ms', restart = 'all' }", "down"),
        (
            "{ at = '150ms', crash = 'n2' }, { at = '250ms', slow = { from = 'n2', by = '1s' } }",
            "leader follower down",
        ),
        ("{ at = '150ms', pause = 'n2' }, { at = '250ms', resume = 'all' }", "follower paused"),
        ("{ at = '150ms', crash = 'n1' }, { at = '250ms', pause = 'n2' }", "follower leaderless"),
        (
            "{ at = '150ms', crash = 'n1' }, { at = '250ms', power-loss = 'all' }",
            "follower down leaderless",
        ),
        // The write was in the disk's cache when the machine died; only synced data is left.
        (
            "{ at = '302ms', power-loss = 'n1' }, { at = '303ms', restart = 'n1' }",
            "down write-in-flight leaderless",
        ),
        (
            "{ at = '302ms', crash = 'n1' }, { at = '303ms', restart = 'n1' }",
            "down unsynced write-in-flight leaderless",
        ),
        // A fault that hits nobody.
        ("{ at = '150ms', crash = 'n1' }, { at = '250ms', crash = 'leader' }", ""),
        ("{ at = '150ms', crash = 'n1' }, { at = '250ms', crash = 'n1' }", ""),
        ("{ at = '302ms', restart = 'n1' }", ""),
        ("{ at = '302ms', resume = 'n1' }", ""),
        ("{ at = '302ms', heal = 'network' }", ""),
    ];
    let read = "{ at = '500ms', client = 'reader', get = { key = 'k', from = 'n1' } }";
    let operations = format!("{WRITE}, {read}");
    for (faults, states) in cases {
        let result = play(QUIET, &operations, faults);
        assert_eq!(last_found(&result), states, "{faults}");
    }
}

#[test]
fn who_stands_for_election_is_a_candidate() {
    let elects = "mode = 'sync', failover = { election = 'majority-vote', heartbeat = '20ms', \
                  timeout = '100ms', catch-up = 'log' }";
    let faults = "{ at = '150ms', crash = 'n1' }, \
                  { when = { receives = 1, kind = 'request-vote' }, pause = ['n2', 'n3'] }";
    let result = play(elects, WRITE, faults);
    assert_eq!(last_found(&result), "follower candidate leaderless");
}

/// A client in its backoff has no request pending.
#[test]
fn a_write_between_two_attempts_is_not_in_flight() {
    let write = "{ at = '200ms', client = 'patient', retries = 1, backoff = '50ms', \
                 put = { key = 'p', value = 'v', to = 'n1' } }";
    let found = |at: &str| {
        let slow = format!("{{ at = '{at}', slow-disk = {{ node = 'n1', by = '1ms' }} }}");
        let crash = "{ at = '150ms', for = '75ms', crash = 'n1' }";
        last_found(&play(QUIET, write, &format!("{crash}, {slow}")))
    };
    assert_eq!(found("220ms"), "down leaderless");
    assert_eq!(found("230ms"), "leader");
    // The second attempt is being written.
    assert_eq!(found("252ms"), "leader unsynced write-in-flight");
}

/// A power loss of `follower` once looked for a follower a second time, after the first was down,
/// and cut the disk of another node that ran on.
#[test]
fn a_power_loss_takes_one_machine_where_it_names_one() {
    for target in ["leader", "follower", "lowest-id", "highest-id"] {
        let fault = format!("{{ id = 'cut', at = '311ms', power-loss = '{target}' }}");
        let result = play(QUIET, WRITE, &fault);
        let act = result.history.nemesis().iter().find(|act| act.starts).expect("it struck");
        let one = act.what.strip_prefix("power loss of n").expect(&act.what);
        assert!(matches!(one, "1" | "2" | "3"), "{target}: {}", act.what);
        assert_eq!(judged(&result, Property::Replay), ExpectedVerdict::Valid, "{target}");
    }
}
