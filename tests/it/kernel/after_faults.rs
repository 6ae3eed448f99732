//! When a fault ends, everything that it still delays is released: no delay outlives its fault.
//!
//! Three nodes are a millisecond apart; n1 leads and sends each write to the others at once. From 1
//! s to 2 s a fault delays something by ten minutes.

use splitbrain::metrics::Settlement;
use splitbrain::run::{RunOptions, RunResult};

use crate::support::result::in_both_queues;
use crate::support::scenario::read;

fn play(settings: &str, rest: &str) -> RunResult {
    let text = format!(
        "duration = '10s'\nsettle = '10s'\ncluster.nodes = 3\nnetwork.delay = '1ms'\n\
         [protocol.leader-follower]\n{settings}\n{rest}"
    );
    let scenario = read(&text);
    in_both_queues(&scenario, 1)
}

fn put(at: &str, key: &str) -> String {
    format!(
        "[[operation]]\nat = '{at}'\nclient = 'c-{key}'\nput = {{ key = '{key}', value = 'v' }}\n"
    )
}

fn fault(at: &str, lasts: &str, what: &str) -> String {
    format!("[[fault]]\nat = '{at}'\nfor = '{lasts}'\n{what}\n")
}

/// When n2 applied each key, in order: "1.501 k".
fn applied(result: &RunResult) -> Vec<String> {
    let trace = result.trace.as_deref().expect("a trace was asked for");
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [time, "n2", ".", "apply", key, _] => {
                Some(format!("{} {key}", &time[..time.len() - 6]))
            }
            _ => None,
        }
    };
    trace.lines().filter_map(line).collect()
}

const SLOW: &str = "slow = { from = 'n1', to = 'n2', by = '10m' }";

#[test]
fn a_slow_link_lets_go_when_it_is_well_again() {
    let faults = fault("1s", "1s", SLOW);
    // The third would have arrived half a millisecond after the fault's end in any case.
    let writes = put("1500ms", "a") + &put("1600ms", "b") + &put("1999500us", "c");
    let result = play("", &(faults + &writes + &put("2100ms", "d")));
    assert_eq!(applied(&result), ["2.000 a", "2.000 b", "2.000 c", "2.101 d"]);
    let last = "2.000500000  n2        . apply     c";
    assert!(result.trace.is_some_and(|trace| trace.contains(last)), "as if nothing had slowed it");
    assert!(matches!(result.settlement, Settlement::Settled { .. }));
}

/// A fault without an end of its own ends with the fault phase.
#[test]
fn the_end_of_the_fault_phase_and_a_heal_let_go_as_well() {
    let endless = format!("[[fault]]\nid = 'slow'\nat = '1s'\n{SLOW}\n");
    let write = put("1500ms", "a");
    assert_eq!(applied(&play("", &(endless.clone() + &write))), ["10.000 a"]);
    for what in ["network", "slow"] {
        let heal = format!("[[fault]]\nat = '3s'\nheal = '{what}'\n");
        assert_eq!(applied(&play("", &(endless.clone() + &heal + &write))), ["3.000 a"], "{what}");
    }
}

/// Two faults add up: each contributes its own delay.
#[test]
fn a_link_slowed_twice_stays_slowed_by_the_fault_that_is_still_on() {
    let other = "slow = { from = 'n1', to = 'n2', by = '5s' }";
    let faults = fault("1s", "1s", SLOW) + &fault("1s", "8s", other);
    let writes = put("1500ms", "a") + &put("1600ms", "b");
    assert_eq!(applied(&play("", &(faults + &writes))), ["6.501 a", "6.601 b"]);
    // Messages that only the second fault still delays arrive when it ends.
    let faults = fault("1s", "1s", SLOW) + &fault("1s", "4s", other);
    assert_eq!(applied(&play("", &(faults + &put("1500ms", "a")))), ["5.000 a"]);
}

/// A FIFO link keeps its order before and after the heal; a message sent before the fault arrives
/// first.
#[test]
fn what_is_let_go_keeps_the_order_of_its_link() {
    let network = "[network]\norder = 'fifo'\ndelay = '20ms'\nduplication = '100%'\n";
    let settings = network.to_owned();
    let faults = fault("1s", "1s", SLOW);
    let writes = put("990ms", "a") + &put("1500ms", "b") + &put("1990ms", "c") + &put("2s", "d");
    let text = faults + &writes;
    let scenario = format!(
        "duration = '10s'\nsettle = '10s'\ncluster.nodes = 2\n{settings}\
         [protocol.leader-follower]\n{text}"
    );
    let scenario = read(&scenario);
    let result = scenario.run(1, RunOptions { trace: true, ..RunOptions::default() });
    assert_eq!(applied(&result), ["1.010 a", "2.000 b", "2.010 c", "2.020 d"]);
    assert!(matches!(result.settlement, Settlement::Settled { .. }));
}

/// A message released from a clog travels at the link's present speed, not at that of its sending.
#[test]
fn what_a_clog_held_is_slowed_by_nothing_that_is_over() {
    let clog = "clog = { from = 'n1', to = 'n2' }";
    let write = put("1500ms", "a");
    let faults = fault("1s", "3s", clog) + &fault("1s", "1s", SLOW);
    assert_eq!(applied(&play("", &(faults + &write))), ["4.001 a"]);
    let faults = fault("1s", "1s", clog) + &fault("1s", "3s", SLOW);
    assert_eq!(applied(&play("", &(faults + &write))), ["4.000 a"]);
}

#[test]
fn a_slow_disk_lets_go_when_it_is_well_again() {
    let settings = "mode = 'sync'\nwal.policy = 'fsync'\n";
    let slow =
        |at, lasts, by| fault(at, lasts, &format!("slow-disk = {{ node = 'n1', by = '{by}' }}"));
    let disk = "[disk]\nsync = '10ms'\n";
    let answered = |faults: String, at: &[&str]| {
        let writes: Vec<String> = at.iter().map(|at| put(at, &format!("k{at}"))).collect();
        let result = play(settings, &(disk.to_owned() + &faults + &writes.concat()));
        assert!(matches!(result.settlement, Settlement::Settled { .. }), "{:?}", result.settlement);
        let entries = result.history.entries().iter();
        entries.map(|entry| entry.completed_at.nanos() / 1_000_000).collect::<Vec<_>>()
    };
    // After the leader's own sync, the round trip and the followers' syncs take 12 ms.
    assert_eq!(answered(slow("1s", "1s", "10m"), &["1500ms"]), [2_012]);
    // Syncs that would be over by now complete at once; the followers sync one after another.
    assert_eq!(
        answered(slow("1s", "1s", "10m"), &["1500ms", "1600ms", "1995ms"]),
        [2_012, 2_022, 2_032]
    );
    // Two faults slow the disk, and the second is still active.
    let both = slow("1s", "1s", "10m") + &slow("1s", "5s", "2s");
    assert_eq!(answered(both, &["1500ms"]), [3_522]);
    // Only the end of the fault phase ends this one.
    assert_eq!(
        answered("[[fault]]\nat = '1s'\nslow-disk = { node = 'n1', by = '10m' }\n".into(), &["9s"]),
        [10_012]
    );
}
