//! `--set` arguments: what they set, and mistakes in them.

use super::{BASE, load, shown};
use crate::support::scenario::MAXIMAL;

#[test]
fn arguments_set_what_they_name() {
    let set = |text: &str, sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        load(text.as_bytes(), &sets).unwrap_or_else(|mistakes| panic!("{mistakes}")).export()
    };
    let [closed, open, faults] = MAXIMAL;
    let cases: &[(&str, &[&str], &[&str])] = &[
        (BASE, &["duration=5s"], &["duration = \"5s\""]),
        (BASE, &["seed=0x10", "title=a b"], &["seed = 16", "title = \"a b\""]),
        (BASE, &["network.delay=7ms"], &["delay = { constant = \"7ms\" }"]),
        (BASE, &["network.delay={uniform=[\"1ms\",\"2ms\"]}"], &["uniform = [\"1ms\", \"2ms\"]"]),
        (closed, &["network.delay.constant=7ms"], &["delay = { constant = \"7ms\" }"]),
        (closed, &["workload.mix={put=50,get=50}"], &["put = 50, get = 50, delete = 0"]),
        (
            BASE,
            &["workload.clients=2", "workload.open.rate=10/s"],
            &["open = { interval = { exponential = \"100ms\" }"],
        ),
        (faults, &["workload.open.rate=10/s"], &["exponential = \"200ms\""]),
        (open, &["workload.think=1s"], &["think = { constant = \"1s\" }"]),
        (closed, &["protocol.leader-follower.write-quorum=3"], &["write-quorum = 3"]),
        (closed, &["protocol.leader-follower.mode=async"], &["mode = \"async\""]),
        (
            closed,
            &["protocol.leader-follower.mode=sync", "protocol.leader-follower.write-quorum=2"],
            &["mode = \"sync\""],
        ),
        (
            BASE,
            &["protocol.leader-follower.mode=semi-sync", "protocol.leader-follower.write-quorum=2"],
            &["write-quorum = 2"],
        ),
        (closed, &["network.link.0.loss=33%"], &["loss = \"33%\""]),
        (faults, &["fault.cut.at=17s"], &["at = \"17s\""]),
        (faults, &["fault.cut.isolate=n1"], &["isolate = \"n1\""]),
        (
            faults,
            &["fault.majorities-ring-1s.at=17s"],
            &["at = \"17s\"", "id = \"majorities-ring-1s\""],
        ),
        (faults, &["fault.clog-1s-2.for=7s", "fault.5.at=8s"], &["for = \"7s\"", "at = \"8s\""]),
        (open, &["operation.get-2s-2.at=1500ms"], &["id = \"get-2s-2\"\nat = \"1.5s\""]),
        (open, &["operation.first.delete.key=z"], &["delete = { key = \"z\" }"]),
        (" ", &["cluster.nodes=3", "protocol.leader-follower={}"], &["nodes = 3"]),
    ];
    for (text, sets, fragments) in cases {
        let exported = set(text, sets);
        for fragment in *fragments {
            assert!(exported.contains(fragment), "{sets:?}: `{fragment}` is not in\n{exported}");
        }
    }
}

#[test]
fn wrong_arguments_are_pointed_at() {
    let cases: &[(&str, &[&str])] = &[
        ("network.loss", &["the argument has no `=`"]),
        ("=5", &["--set:1:1"]),
        ("", &["the argument has no `=`"]),
        ("network..loss=5%", &["empty or misquoted", "--set:1:9"]),
        ("netwrok.loss=5%", &["unknown key `netwrok`", "--set:1:1"]),
        ("network.loss=500%", &["over 100%", "--set:1:14"]),
        ("network.loss.x=1", &["found a table"]),
        ("network.link.3.loss=1", &["expected an array", "--set:1:9"]),
        ("seed=x", &["found a string", "--set:1:6"]),
        ("duration=", &["is not a length of time"]),
        ("protocol.raft.x=1", &["unknown key `raft`"]),
        ("protocol.leader-follower.mode=semi-sync", &["needs a `write-quorum`", "--set:1:31"]),
        ("protocol.leader-follower.write-quorum=2", &["needs mode `semi-sync`"]),
    ];
    for (argument, fragments) in cases {
        let (shown, _) = shown(BASE, &[argument]);
        for fragment in *fragments {
            assert!(shown.contains(fragment), "{argument}: `{fragment}` is not in\n{shown}");
        }
    }
    let (unknown, count) = shown(BASE, &["protocol.raft.x=1"]);
    assert!(count == 1 && unknown.contains("--set:1:10"), "{unknown}");
    let (shown, _) = shown(MAXIMAL[2], &["fault.nope.at=1s"]);
    assert!(shown.contains("there is no item `nope`"), "{shown}");
}
