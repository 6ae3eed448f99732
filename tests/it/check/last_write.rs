//! The last question of the quorum laboratory: when the last write is answered, how many keys of
//! replicas differ from the leader's, and when do all agree?

use rayon::prelude::*;
use splitbrain::id::NodeId;
use splitbrain::metrics::LastWrite;
use splitbrain::run::{RunOptions, RunResult};
use splitbrain::scenario::Scenario;
use splitbrain::time::Span;

use crate::support::scenario::read_with;

const LABORATORY: &str = include_str!("../../../scenarios/quorum-latency.toml");

fn scenario(text: &str, sets: &[&str]) -> Scenario {
    read_with(text, sets)
}

fn play(text: &str, sets: &[&str]) -> RunResult {
    scenario(text, sets).run(1, RunOptions::default())
}

fn last_write(text: &str, sets: &[&str]) -> LastWrite {
    play(text, sets).last_write.expect("a write is acknowledged, and somebody leads")
}

/// The laboratory's program sends a hundred writes through ten workers: a free worker takes the
/// next write, like a client that serves the arrivals of an open loop.
const POOL: &str = "workload.open={ interval = \"1ms\", burst = 100 }";

/// Five followers and ten keys: the mean of 400 runs against the result of an independent model,
/// for write quorums from 1 to 5.
fn assert_differ(sets: &[&str], expected: [f64; 5]) {
    for (quorum, expected) in (1..).zip(expected) {
        let set = format!("protocol.leader-follower.write-quorum={quorum}");
        let laboratory = scenario(LABORATORY, &[sets, &[&set]].concat());
        let runs: Vec<LastWrite> = (1..=400_u64)
            .into_par_iter()
            .filter_map(|seed| laboratory.run(seed, RunOptions::default()).last_write)
            .collect();
        assert_eq!(runs.len(), 400);
        assert!(runs.iter().all(|last| last.replica_keys() == 50 && last.leader == NodeId(0)));
        let differing: u64 = runs.iter().map(|last| last.differing).sum();
        let mean = differing as f64 / 400.0;
        assert!((mean - expected).abs() <= 0.5, "quorum {quorum}: {mean:.2}, not {expected}");
        // Nothing is lost, and nothing takes longer than a second.
        let after = |last: &LastWrite| last.agreed_after().expect("it ends");
        assert!(runs.iter().all(|last| after(last) <= Span::from_secs(1)), "quorum {quorum}");
        assert!(runs.iter().all(|last| (last.differing == 0) == (after(last) == Span::ZERO)));
    }
}

#[test]
fn the_laboratory_s_replicas_differ_as_an_independent_model_has_it() {
    assert_differ(&[POOL], [23.5, 11.9, 5.3, 1.9, 0.0]);
}

/// When each client has ten writes of its own, some finish early, and fewer writes are in flight at
/// the end.
#[test]
fn clients_with_a_share_each_leave_less_to_be_done() {
    assert_differ(&[], [16.3, 6.9, 3.4, 1.4, 0.0]);
}

/// A write reaches n2 after 100 ms and n3 after 300 ms, and waits for one of them. Acknowledgements
/// take no time.
const STORY: &str = r#"
duration = "10s"
settle = "10s"
[cluster]
nodes = 3
[protocol.leader-follower]
mode = "semi-sync"
write-quorum = 1
[network]
delay = "0ms"
[[network.link]]
from = "n1"
to = "n2"
delay = "100ms"
[[network.link]]
from = "n1"
to = "n3"
delay = "300ms"
"#;

fn writes(of: &[(&str, &str)]) -> String {
    let one = |(at, key): &(&str, &str)| {
        format!(
            r#"[[operation]]
at = "{at}"
client = "a"
put = {{ key = "{key}", value = "{at}" }}
"#
        )
    };
    STORY.to_owned() + &of.iter().map(one).collect::<String>()
}

fn ms(length: u64) -> Option<Span> {
    Some(Span::from_millis(length))
}

/// The last write is answered at 2.1 s, and n3 has it 200 ms later. A later read changes nothing.
#[test]
fn a_follower_that_lags_differs_until_it_has_the_write() {
    let story = writes(&[("1s", "city"), ("2s", "weather")]);
    let last = last_write(&story, &[]);
    assert_eq!(
        (last.at.nanos(), last.leader, last.followers, last.keys),
        (2_100_000_000, NodeId(0), 2, 2)
    );
    assert_eq!((last.differing, last.agreed_after()), (1, ms(200)));
    let read = "[[operation]]\nat = \"5s\"\nclient = \"b\"\nget = { key = \"city\" }\n";
    assert_eq!(last_write(&(story + read), &[]), last);
}

/// The workload's last write ends at 2.1 s; later scripted reads and changes of the network are no
/// writes.
#[test]
fn a_read_of_the_script_comes_after_the_last_write_of_the_workload() {
    let load = "[workload]\noperations = 2\nmix = { put = 1 }\nthink = \"1s\"\n";
    let story = STORY.to_owned() + load;
    let read = "[[operation]]\nat = \"5s\"\nclient = \"b\"\nget = { key = \"k1\" }\n";
    let last = last_write(&story, &[]);
    assert_eq!((last.at.nanos(), last.differing), (2_200_000_000, 1));
    assert_eq!(last_write(&(story + read), &[]), last);
    let reads = "[workload]\nmix = { get = 1 }\nthink = \"1s\"\n\
                 [[change]]\nat = \"1s\"\nset = { \"network.loss\" = \"0%\" }\n";
    let written = writes(&[("1s", "city"), ("2s", "weather")]) + reads;
    assert_eq!(last_write(&written, &[]).at.nanos(), 2_100_000_000);
}

/// When every write is on every follower before its answer, no key differs, and all agree at once.
#[test]
fn where_all_acknowledge_nothing_differs() {
    let story = writes(&[("1s", "city"), ("2s", "weather")]);
    let last = last_write(&story, &["protocol.leader-follower.write-quorum=2"]);
    assert_eq!((last.differing, last.agreed_after()), (0, ms(0)));
}

/// A write that is lost differs to the end, unless it is resent.
#[test]
fn what_is_never_sent_again_differs_to_the_end() {
    let cut = "[[fault]]\nat = \"1500ms\"\nfor = \"1s\"\nblock = { from = \"n1\", to = \"n3\" }\n";
    let story = writes(&[("1s", "city"), ("2s", "weather")]) + cut;
    let last = last_write(&story, &[]);
    assert_eq!((last.differing, last.agreed_at), (1, None));
    let again = last_write(&story, &["protocol.leader-follower.resend=700ms"]);
    // Lost at 2 s and resent at 2.7 s; it takes 300 ms.
    assert_eq!((again.differing, again.agreed_after()), (1, ms(900)));
}

/// A replica that is down does not count as different.
#[test]
fn only_followers_that_are_up_are_held_against_the_leader() {
    let crash = "[[fault]]\nat = \"1500ms\"\nfor = \"5s\"\ncrash = \"n3\"\n";
    let last = last_write(&(writes(&[("1s", "city"), ("2s", "weather")]) + crash), &[]);
    assert_eq!((last.followers, last.differing, last.agreed_after()), (1, 0, ms(0)));
}

/// A difference may end because its follower crashes, and does not count again when that one
/// returns.
#[test]
fn a_follower_that_dies_differs_no_more() {
    let crash = "[[fault]]\nat = \"2200ms\"\nfor = \"5s\"\ncrash = \"n3\"\n";
    let last = last_write(&(writes(&[("1s", "city"), ("2s", "weather")]) + crash), &[]);
    assert_eq!((last.followers, last.differing, last.agreed_after()), (2, 1, ms(100)));
}

/// The only node that has the last write dies. The two others are equal, so nothing differs from
/// the leader once one of them leads.
#[test]
fn who_leads_next_is_the_one_to_agree_with() {
    let story = STORY.replace("mode = \"semi-sync\"\nwrite-quorum = 1", "mode = \"async\"");
    let rest = r#"
[protocol.leader-follower.failover]
election = "lowest-id"
heartbeat = "50ms"
timeout = "400ms"
[[operation]]
at = "1s"
client = "a"
put = { key = "city", value = "Raleigh" }
[[fault]]
at = "900ms"
for = "1s"
drop = { from = "n1", kind = "replicate" }
[[fault]]
at = "1200ms"
crash = "n1"
forever = true
"#;
    let result = play(&(story + rest), &[]);
    let last = result.last_write.expect("it is answered");
    assert_eq!((last.leader, last.followers, last.differing), (NodeId(0), 2, 2));
    let next = result.leaderships.last().expect("somebody leads");
    assert_eq!((next.node, last.agreed_at), (NodeId(1), Some(next.from)));
    assert!(next.from < result.ended_at);
}

/// The end of the fault phase stops a closed loop: the last answered write is the last write.
#[test]
fn a_workload_without_a_number_of_operations_ends_with_its_last_answer() {
    for pace in
        ["think = \"0ms\"", "think = { exponential = \"70ms\" }", "open = { rate = \"20/s\" }"]
    {
        let load = format!("[workload]\nclients = 3\nkeys = 5\nmix = {{ put = 1 }}\n{pace}\n");
        let result = play(&(STORY.to_owned() + &load), &[]);
        let completed = result.history.entries().iter().map(|entry| entry.completed_at).max();
        let last = result.last_write.expect("it is answered");
        assert_eq!(Some(last.at), completed, "{pace}");
        assert!(last.differing > 0 && last.agreed_after() <= ms(300), "{pace}: {last:?}");
    }
}

#[test]
fn without_an_acknowledged_write_there_is_nothing_to_say() {
    let reads = "[workload]\nclients = 3\noperations = 9\nmix = { get = 1 }\n";
    assert_eq!(play(&(STORY.to_owned() + reads), &[]).last_write, None);
}
