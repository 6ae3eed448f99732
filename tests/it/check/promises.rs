//! What is promised, and what is not: runs that break what must not be promised, and runs that must not void what is.
//!
//! Each story is a run that was once judged wrongly, or one of its kind. A promise that is too strong calls an honest
//! run a violation; one that is too weak lets a broken protocol pass.

use std::fs;

use splitbrain::check::Verdict;
use splitbrain::config::ExpectedVerdict;
use splitbrain::named::Named;
use splitbrain::property::{Promise, Property, SettlesWithin};
use splitbrain::run::{RunOptions, RunResult};
use splitbrain::scenario::{Registry, Scenario};
use splitbrain::time::Span;

use crate::support::cli::{splitbrain_in, text};
use crate::support::scenario::{home, read_with};

use ExpectedVerdict::{Allowed, Unknown, Valid, Violation};
use Property::{
    Convergence, Durability, Liveness, LwwMaximum, MonotonicReads, ReadYourWrites, Staleness,
    WritesFollowReads,
};

use crate::support::result::check;

fn scenario(text: &str) -> Scenario {
    with(text, &[])
}

fn with(text: &str, sets: &[&str]) -> Scenario {
    read_with(&format!("cluster.nodes = 3\n{text}"), sets)
}

fn run(scenario: &Scenario) -> RunResult {
    scenario.run(scenario.config.seed, RunOptions::default())
}

fn judged(scenario: &Scenario, property: Property) -> ExpectedVerdict {
    check(&run(scenario), property).judged
}

fn promise(scenario: &Scenario, property: Property) -> Promise {
    scenario.protocol.promises(&scenario.config).of(property)
}

fn is_never(scenario: &Scenario, property: Property) -> bool {
    matches!(promise(scenario, property), Promise::Never { .. })
}

/// Whether it was promised, and nothing of the run voided that.
fn is_promised_in(result: &RunResult, property: Property) -> bool {
    let report = check(result, property);
    match report.promise {
        Promise::Always { .. } => true,
        Promise::Unless { .. } => report.voided_by.is_empty(),
        Promise::Never { .. } => false,
    }
}

/// Leads by majority vote, confirms by a majority, syncs, catches up by log.
const SAFE: &str = r#"
[protocol.leader-follower]
mode = "semi-sync"
write-quorum = 1
on-ack-timeout = "fail"
wal.policy = "fsync"
failover = { election = "majority-vote", heartbeat = "50ms", timeout = "200ms", catch-up = "log" }
[network]
delay = "1ms"
"#;

// --- Too strong ---

/// n3 stamps "old" and is cut off; the next leader reads the same ten seconds, and its id is lower.
#[test]
fn a_clock_that_is_read_more_coarsely_than_a_failover_takes_orders_nothing() {
    let story = format!(
        r#"
duration = "4s"
settle = "30s"
cluster.initial-leader = "n3"
{SAFE}
[[operation]]
at = "100ms"
client = "a"
put = {{ key = "k", value = "old" }}
[[operation]]
at = "2s"
client = "a"
put = {{ key = "k", value = "new" }}
ask-next = true
[[operation]]
at = "2500ms"
client = "a"
put = {{ key = "k", value = "newer" }}
[[fault]]
at = "500ms"
for = "1s"
isolate = "n3"
"#
    );
    let coarse = "protocol.leader-follower.timestamp-resolution=10s";
    assert_eq!(judged(&with(&story, &[coarse]), Durability), Allowed);
    let properties = [Durability, Property::MonotonicWrites, WritesFollowReads];
    for (source, resolution, promised) in [
        ("wall", "201ms", [false, false, false]),
        // No failover fits in, but a write of a leader that does not know it is deposed does.
        ("wall", "200ms", [true, true, false]),
        ("wall", "1ns", [true, true, true]),
        ("client", "2ns", [false, false, false]),
        ("client", "1ns", [true, true, true]),
        ("hybrid", "10s", [true, true, false]),
        ("term-sequence", "10s", [true, true, true]),
    ] {
        let sets = [
            format!("protocol.leader-follower.timestamps={source}"),
            format!("protocol.leader-follower.timestamp-resolution={resolution}"),
        ];
        let scenario = with(&story, &[&sets[0], &sets[1]]);
        let found = properties.map(|property| !is_never(&scenario, property));
        assert_eq!(found, promised, "{source}, {resolution}");
    }
}

/// What R + W > N does not cover, each once with a replica that missed a message.
#[test]
fn overlapping_quorums_do_not_cover_lists_nor_purged_tombstones() {
    let story = |operations: &str| {
        format!(
            r#"
duration = "10s"
[protocol.leader-follower]
mode = "semi-sync"
write-quorum = 1
on-ack-timeout = "fail"
tombstone-grace = "1h"
[network]
delay = "1ms"
{operations}
[[operation]]
at = "6s"
client = "a"
get = {{ key = "k", r = 2, from = "n3" }}
[[fault]]
at = "2s"
for = "2s"
block = {{ from = "n1", to = "n3" }}
"#
        )
    };
    let list = story(
        r#"
[[operation]]
at = "1s"
client = "a"
append = { key = "k", value = "v1" }
[[operation]]
at = "3s"
client = "a"
append = { key = "k", value = "v2" }
"#,
    )
    .replace("tombstone-grace = \"1h\"\n", "");
    let purged = story(
        r#"
[[operation]]
at = "1s"
client = "a"
put = { key = "k", value = "v" }
[[operation]]
at = "3s"
client = "a"
delete = { key = "k" }
"#,
    )
    .replace("\"1h\"", "\"1s\"");
    for story in [list, purged] {
        let scenario = scenario(&story);
        assert!(is_never(&scenario, ReadYourWrites) && is_never(&scenario, Staleness), "{story}");
        let result = run(&scenario);
        assert_ne!(check(&result, ReadYourWrites).judged, Violation, "{story}");
        assert_ne!(check(&result, Staleness).judged, Violation, "{story}");
    }
}

/// n3 missed "one" and keeps "two"; the others keep "one". Which a read finds depends on whom it asks.
#[test]
fn ties_left_to_what_is_there_differ_from_replica_to_replica() {
    let story = r#"
duration = "9s"
[protocol.leader-follower]
ties = "keep-existing"
timestamp-resolution = "100s"
[network]
delay = "1ms"
[[operation]]
at = "1s"
client = "w"
put = { key = "k", value = "one" }
[[operation]]
at = "3s"
client = "w"
put = { key = "k", value = "two" }
[[operation]]
at = "5s"
client = "a"
get = { key = "k", r = 2, repair = true, from = "n3" }
[[operation]]
at = "6s"
client = "a"
get = { key = "k", r = 2, repair = true, from = "n2" }
[[fault]]
at = "500ms"
for = "1s"
block = { from = "n1", to = "n3" }
"#;
    let scenario = scenario(story);
    assert!(is_never(&scenario, MonotonicReads));
    assert_ne!(judged(&scenario, MonotonicReads), Violation);
}

/// A follower does not refuse a clear. Who leads when it comes nobody knows beforehand.
#[test]
fn a_clear_under_an_election_may_reach_a_follower() {
    let story = r#"
duration = "3s"
[protocol.leader-follower]
failover = { election = "majority-vote", heartbeat = "50ms", timeout = "200ms" }
[network]
delay = "1ms"
[[operation]]
at = "1s"
client = "a"
put = { key = "k", value = "v" }
[[operation]]
at = "2s"
client = "a"
clear = { from = "n3" }
"#;
    assert_eq!(judged(&scenario(story), Convergence), Allowed);
    let to_the_leader = story.replace("{ from = \"n3\" }", "{}");
    for text in [
        story.to_owned(),
        to_the_leader,
        format!(
            "duration = \"3s\"{SAFE}[[operation]]\nat = \"1s\"\nclient = \"a\"\nclear = {{}}\n"
        ),
    ] {
        assert!(is_never(&scenario(&text), Convergence), "{text}");
    }
}

/// n5 has missed a write, and the three that have it are gone for good. Two of five elect nobody.
#[test]
fn where_too_few_are_left_to_elect_anybody_nothing_comes_to_an_end() {
    let story = |down: &str| {
        format!(
            r#"
duration = "3s"
settle = "60s"
{SAFE}
[[operation]]
at = "1s"
client = "a"
put = {{ key = "k", value = "v" }}
[[fault]]
at = "900ms"
for = "1500ms"
block = {{ from = "n1", to = "n5" }}
[[fault]]
at = "1050ms"
forever = true
crash = {down}
"#
        )
    };
    let of_five = |down: &str| {
        let sets = [
            "cluster.nodes=5",
            "protocol.leader-follower.write-quorum=2",
            "protocol.leader-follower.timestamps=term-sequence",
        ];
        run(&with(&story(down), &sets))
    };
    let minority = of_five(r#"["n1", "n2", "n3"]"#);
    assert_eq!(check(&minority, Convergence).judged, Allowed);
    let told: Vec<_> =
        check(&minority, Convergence).voided_by.iter().map(|i| i.phrase(|_| "")).collect();
    assert_eq!(told[0], "n1 stayed down at 1.050000000 s");
    assert!(!is_promised_in(&minority, Liveness));
    // A majority elects somebody, and what was confirmed by a majority has a copy among them.
    let majority = of_five(r#"["n1", "n2"]"#);
    for property in [Convergence, Liveness, Durability] {
        assert!(is_promised_in(&majority, property), "{property}");
        assert_eq!(check(&majority, property).judged, Valid, "{property}");
    }
}

/// A client reads "dirty" of a leader that has not synced it. The power goes, the version is given again.
#[test]
fn what_was_read_before_it_was_durable_is_followed_by_nothing_after_a_power_loss() {
    let story = r#"
duration = "5s"
[protocol.leader-follower]
timestamps = "term-sequence"
wal.policy = "fsync"
[network]
delay = "1ms"
[disk]
sync = "100ms"
[[operation]]
at = "1s"
client = "w"
put = { key = "k", value = "dirty" }
[[operation]]
at = "1010ms"
client = "a"
get = { key = "k" }
[[operation]]
at = "3s"
client = "a"
put = { key = "k", value = "next" }
[[fault]]
at = "1020ms"
for = "500ms"
power-loss = "n1"
"#;
    assert_eq!(judged(&scenario(story), WritesFollowReads), Allowed);
    for policy in ["\"group-commit\"", "\"buffered\""] {
        let scenario = scenario(&story.replace("\"fsync\"", policy));
        assert_ne!(judged(&scenario, WritesFollowReads), Violation, "{policy}");
    }
    // A follower's power has nothing to do with it.
    let follower = run(&scenario(&story.replace("power-loss = \"n1\"", "power-loss = \"n2\"")));
    assert!(is_promised_in(&follower, WritesFollowReads));
    assert_eq!(check(&follower, WritesFollowReads).judged, Valid);
}

/// The deposed leader's clock is ahead, and what it shows no majority has: the next leader never sees that stamp.
#[test]
fn a_hybrid_clock_does_not_order_writes_after_what_no_majority_has() {
    let story = format!(
        r#"
duration = "6s"
settle = "30s"
{SAFE}
[[clock]]
node = "n1"
offset = "100s"
[[operation]]
at = "1s"
client = "w"
put = {{ key = "k", value = "dirty" }}
[[operation]]
at = "1100ms"
client = "a"
get = {{ key = "k", from = "n1" }}
[[operation]]
at = "3s"
client = "a"
put = {{ key = "k", value = "next", to = "n2" }}
[[operation]]
at = "3100ms"
client = "a"
put = {{ key = "k", value = "next", to = "n3" }}
[[fault]]
at = "900ms"
for = "3s"
isolate = "n1"
"#
    );
    let hybrid = with(&story, &["protocol.leader-follower.timestamps=hybrid"]);
    assert!(is_never(&hybrid, WritesFollowReads));
    assert_ne!(judged(&hybrid, WritesFollowReads), Violation);
    assert_ne!(
        judged(
            &with(&story, &["protocol.leader-follower.timestamps=term-sequence"]),
            WritesFollowReads
        ),
        Violation
    );
}

// --- The end ---

/// In each the cluster is still at it as `settle` ends, and would have come to an end.
#[test]
fn what_is_to_hold_in_the_end_is_unknown_where_the_end_has_not_come() {
    const WRITE: &str = "[network]\ndelay = \"5ms\"\n[[operation]]\nclient = \"a\"\nput = { key = \"k\", value = \"v\" }\n";
    let sync = format!("duration = \"10s\"\n[protocol.leader-follower]\nmode = \"sync\"\n{WRITE}");
    let plain = format!("duration = \"10s\"\n[protocol.leader-follower]\n{WRITE}");
    let cut_off = "[[fault]]\nat = \"8s\"\nfor = \"1500ms\"\nisolate = \"n3\"\n";
    let resend = plain.replace("[network]", "resend = \"60s\"\n[network]");
    let stories: [(&str, String, &str, &[Property]); 7] = [
        ("ack-timeout", format!("{sync}at = \"9s\"\ntimeout = \"20s\"\n{cut_off}"), "3s", &[Liveness]),
        (
            "the client's timeout",
            format!("{sync}at = \"9s\"\n[[fault]]\nat = \"9007ms\"\nfor = \"10ms\"\ncrash = \"n1\"\n"),
            "5s",
            &[Liveness],
        ),
        (
            "a clock that all but stands still",
            format!(
                "{}at = \"9s\"\ntimeout = \"60s\"\n{cut_off}[[clock]]\nnode = \"n1\"\ndrift = \"-99%\"\n",
                sync.replace("[network]", "ack-timeout = \"1s\"\n[network]")
            ),
            "30s",
            &[Liveness],
        ),
        (
            "an election",
            "duration = \"10s\"\n[protocol.leader-follower]\nwal.policy = \"fsync\"\nfailover = { election = \
             \"lowest-id\" }\n[network]\ndelay = \"5ms\"\n[[fault]]\nat = \"9s\"\nfor = \"500ms\"\ncrash = \"n1\"\n"
                .to_owned(),
            "3s",
            &[Liveness],
        ),
        (
            "resending",
            format!("{resend}at = \"5s\"\n[[fault]]\nat = \"4s\"\nfor = \"2s\"\nisolate = \"n1\"\n"),
            "5s",
            &[Convergence, LwwMaximum],
        ),
        ("no time at all", format!("{plain}at = \"9998ms\"\n"), "0ms", &[Convergence, LwwMaximum]),
        (
            "a slow network",
            format!("{}at = \"9900ms\"\n", plain.replace("\"5ms\"", "{ exponential = \"2s\" }")),
            "1s",
            &[Convergence, LwwMaximum, Liveness],
        ),
    ];
    for (what, story, settle, properties) in stories {
        let story = story.replace("value = \"v\" }\nat", "value = \"v\" }\nretries = 0\nat");
        let short = format!("settle = \"{settle}\"\n{story}");
        let short = scenario(&short);
        let needed = short.protocol.settles_within(&short.config).whole_seconds().expect("said");
        assert!(needed > short.config.settle, "{what}: {needed}");
        let warned = short.warnings.as_ref().map(ToString::to_string).unwrap_or_default();
        assert!(warned.contains(&format!("{needed} would do")), "{what}: {warned}");
        let result = run(&short);
        for property in properties {
            let report = check(&result, *property);
            assert_eq!(report.judged, Unknown, "{what}: {property}: {:?}", report.verdict);
            let Verdict::Unknown(why) = &report.verdict else { panic!("{report:?}") };
            assert!(why.contains(&format!("`settle = \"{needed}\"`")), "{what}: {why}");
            assert!(why.contains("still settling"), "{what}: {why}");
        }
        // With that long it does.
        let long = scenario(&format!("settle = \"{needed}\"\n{story}"));
        assert!(long.warnings.is_none(), "{what}");
        let result = run(&long);
        for property in properties {
            assert!(is_promised_in(&result, *property), "{what}: {property}");
            assert_eq!(check(&result, *property).judged, Valid, "{what}: {property}");
        }
        // And a file that is silent gives it that long.
        assert!(scenario(&story).config.settle >= needed.min(Span::from_secs(600)), "{what}");
    }
}

/// Constant delays, no jitter: all stand at the same time, each votes for itself, and so on.
#[test]
fn votes_that_split_for_ever_are_no_violation_and_no_time_would_do() {
    let story = r#"
duration = "10s"
settle = "60s"
cluster.initial-leader = "none"
[protocol.leader-follower]
failover = { election = "majority-vote", heartbeat = "50ms", timeout = "200ms", jitter = "0ms" }
[network]
delay = "5ms"
[[operation]]
at = "5s"
client = "a"
put = { key = "k", value = "v" }
"#;
    let split = with(story, &["cluster.nodes=4"]);
    assert!(is_never(&split, Liveness));
    assert_eq!(judged(&split, Liveness), Allowed);
    assert!(matches!(split.protocol.settles_within(&split.config), SettlesWithin::Unsaid { .. }));
    let jitter = "protocol.leader-follower.failover.jitter=100ms";
    let drawn = with(story, &["cluster.nodes=4", jitter]);
    assert!(!is_never(&drawn, Liveness));
    assert_eq!(judged(&drawn, Liveness), Valid);
}

/// Settled and lost is lost, however short `settle` is: nothing was under way.
#[test]
fn what_a_settled_cluster_has_lost_is_lost_however_little_time_it_had() {
    let story = r#"
duration = "8s"
settle = "1s"
[protocol.leader-follower]
mode = "semi-sync"
write-quorum = 1
defects = ["repair-ignores-stamps"]
[[operation]]
at = "0ms"
client = "c2"
put = { key = "k3", value = "c2.20" }
timeout = "500ms"
[[operation]]
at = "0ms"
client = "c3"
get = { key = "k3", repair = true, from = "n3" }
timeout = "500ms"
[[operation]]
at = "0ms"
client = "c2"
put = { key = "k3", value = "c2.21" }
timeout = "500ms"
[[fault]]
at = "0ms"
for = "500ms"
clog = { from = "n1" }
"#;
    let mut broken = scenario(story);
    broken.config.seed = 4_210_952_580_168_242_326;
    let needed = broken.protocol.settles_within(&broken.config).whole_seconds();
    assert!(needed > Some(broken.config.settle));
    // Replicas differ, and nothing is to come that could change it.
    assert_eq!(judged(&broken, Convergence), Violation);
}

/// An election may begin at any time where heartbeats may be lost, or may come later than a follower's patience lasts.
#[test]
fn where_leaders_may_be_given_up_what_has_settled_may_begin_anew() {
    let anew = |settings: &str| {
        let story = format!(
            "[protocol.leader-follower]\n[protocol.leader-follower.failover]\n{settings}\n"
        );
        let scenario = scenario(&story);
        match scenario.protocol.settles_within(&scenario.config) {
            SettlesWithin::Anew { .. } => true,
            SettlesWithin::Span(_) => false,
            SettlesWithin::Unsaid { why } => panic!("{why}: {story}"),
        }
    };
    let elects = "election = 'lowest-id'\nheartbeat = '50ms'\ntimeout = '150ms'\n[network]\n";
    assert!(!anew(&format!("{elects}delay = '99ms'")));
    assert!(anew(&format!("{elects}loss = '1%'")));
    assert!(anew(&format!("{elects}delay = {{ exponential = '10ms' }}")), "a few are slow");
    assert!(!anew("[network]\nloss = '1%'"), "nobody is elected");
}

#[test]
fn what_cannot_be_said_is_said_to_be_so() {
    let unsaid = |story: &str| {
        let scenario = scenario(story);
        match scenario.protocol.settles_within(&scenario.config) {
            SettlesWithin::Unsaid { why } => why,
            SettlesWithin::Span(span) | SettlesWithin::Anew { within: span, .. } => {
                panic!("{span}: {story}")
            }
        }
    };
    let plain = "[protocol.leader-follower]\n";
    assert_eq!(
        unsaid(&format!(
            "{plain}[network]\ndelay = {{ pareto = {{ scale = \"1ms\", shape = 1.0 }} }}\n"
        )),
        "a message may take longer than an hour"
    );
    assert!(unsaid(&format!("{plain}[network]\nbandwidth = \"1MB/s\"\n")).contains("bandwidth"));
    assert!(
        unsaid(&format!("{plain}wal.policy = \"fsync\"\n[disk]\nsync = \"8760h\"\n"))
            .contains("sync")
    );
}

/// Once n1 has erased a key it knows nothing of it. n2 took the state without it, forgot that with its unsynced log, and has
/// the key again: nobody is left who could say that it was deleted.
#[test]
fn where_nothing_is_left_of_a_delete_a_follower_that_forgets_it_brings_the_key_back() {
    let story = |policy: &str, node: &str, fault: &str| {
        run(&scenario(&format!(
            r#"
duration = "2s"
[protocol.leader-follower]
replication = "full-state"
resend = "100ms"
deletes = "erase"
timestamps = "term-sequence"
wal.policy = "{policy}"
[[operation]]
at = "0ms"
client = "u"
put = {{ key = "k", value = "v" }}
[[operation]]
at = "1s"
client = "u"
delete = {{ key = "k" }}
[[fault]]
at = "1200ms"
{fault} = "{node}"
"#
        )))
    };
    for property in [Durability, Property::Resurrection] {
        let judged = |policy, fault| check(&story(policy, "n2", fault), property).judged;
        assert_eq!(judged("buffered", "power-loss"), Allowed, "{property}");
        // It forgets nothing, and without a log it has nothing at all.
        for (policy, fault) in
            [("fsync", "power-loss"), ("buffered", "crash"), ("off", "power-loss")]
        {
            let result = story(policy, "n2", fault);
            assert!(is_promised_in(&result, property), "{property}: {policy}, {fault}");
            assert_eq!(judged(policy, fault), Valid, "{property}: {policy}, {fault}");
        }
    }
}

// --- Too weak ---

/// All that is promised of the leader alone, whatever happens to the others.
const OF_THE_LEADER: [Property; 8] = [
    Durability,
    ReadYourWrites,
    MonotonicReads,
    Property::MonotonicWrites,
    WritesFollowReads,
    Staleness,
    Property::Resurrection,
    Property::AppendUniqueness,
];

#[test]
fn what_befalls_a_follower_voids_nothing_that_rests_on_the_leader() {
    let story = |protocol: &str, hazard: &str| {
        format!(
            "duration = \"5s\"\nsettle = \"30s\"\n[protocol.leader-follower]\n{protocol}[network]\ndelay = \
             \"1ms\"\n[[operation]]\nat = \"1s\"\nclient = \"w\"\nput = {{ key = \"k\", value = \"one\" }}\n{hazard}"
        )
    };
    let memory = "mode = \"sync\"\n";
    let synced = "wal.policy = \"fsync\"\n";
    let fault = |what: &str| format!("[[fault]]\nat = \"2s\"\nfor = \"100ms\"\n{what}\n");
    let cases = [
        (memory, fault("crash = NODE")),
        (memory, fault("power-loss = NODE")),
        (memory, "[[clock]]\nnode = NODE\noffset = \"1ms\"\n".to_owned()),
        (synced, "[[clock]]\nnode = NODE\noffset = \"1ms\"\n".to_owned()),
        (synced, fault("clock-jump = { node = NODE, by = \"1s\" }")),
        (synced, fault("lost-write = NODE")),
        (synced, "[[fault]]\nat = \"2s\"\nforever = true\ncrash = NODE\n".to_owned()),
        (
            synced,
            "[[fault]]\nat = \"2s\"\ncrash = NODE\n[[fault]]\nat = \"3s\"\nrestart = { target = NODE, disk = \"empty\" }\n"
                .to_owned(),
        ),
    ];
    for (protocol, hazard) in cases {
        let of_follower = run(&scenario(&story(protocol, &hazard.replace("NODE", "\"n3\""))));
        for property in OF_THE_LEADER {
            assert!(is_promised_in(&of_follower, property), "{property}: {hazard}");
            assert_eq!(check(&of_follower, property).judged, Valid, "{property}: {hazard}");
        }
        let of_leader = run(&scenario(&story(protocol, &hazard.replace("NODE", "\"n1\""))));
        for property in OF_THE_LEADER {
            assert!(!is_promised_in(&of_leader, property), "{property}: {hazard}");
        }
        let report = check(&of_leader, ReadYourWrites);
        assert!(report.voided_by[0].phrase(|_| "").starts_with("n1 "), "{:?}", report.voided_by);
    }
}

/// With clients' stamps the clocks of nodes stamp nothing.
#[test]
fn only_the_clocks_that_stamp_count() {
    let story = |timestamps: &str, clock: &str| {
        format!(
            "duration = \"2s\"\n[protocol.leader-follower]\nwal.policy = \"fsync\"\ntimestamps = \
             \"{timestamps}\"\n[[clock]]\n{clock}\noffset = \"1ms\"\n[[operation]]\nat = \"1s\"\nclient = \"w\"\nput = \
             {{ key = \"k\", value = \"one\" }}\n"
        )
    };
    let promised =
        |timestamps, clock| is_promised_in(&run(&scenario(&story(timestamps, clock))), Durability);
    assert!(!promised("wall", "node = \"n1\"") && promised("wall", "node = \"n2\""));
    assert!(promised("client", "node = \"n1\"") && !promised("client", "client = \"w\""));
    assert!(promised("wall", "client = \"w\"") && promised("hybrid", "node = \"n1\""));
}

/// How many have a write that was answered, and so how many have to forget it.
#[test]
fn a_write_that_many_have_is_lost_when_all_of_them_forget_it() {
    let story = |mode: &str, down: &[&str]| {
        let mut text = format!(
            "duration = \"6s\"\n[protocol.leader-follower]\n{mode}\n[network]\ndelay = \"1ms\"\n[[operation]]\nat = \
             \"1s\"\nclient = \"w\"\nput = {{ key = \"k\", value = \"one\" }}\n"
        );
        for (second, node) in (2..).zip(down) {
            text +=
                &format!("[[fault]]\nat = \"{second}s\"\nfor = \"100ms\"\ncrash = \"{node}\"\n");
        }
        run(&scenario(&text))
    };
    let sync = "mode = \"sync\"\non-ack-timeout = \"fail\"";
    let quorum = "mode = \"semi-sync\"\nwrite-quorum = 1\non-ack-timeout = \"fail\"";
    let degraded = "mode = \"sync\"\non-ack-timeout = \"succeed\"";
    let full = "mode = \"sync\"\non-ack-timeout = \"fail\"\nreplication = \"full-state\"";
    let again = "mode = \"sync\"\non-ack-timeout = \"fail\"\ntimestamps = \"term-sequence\"";
    for (mode, down, promised) in [
        (sync, &["n1", "n2"][..], true),
        (sync, &["n2", "n3"], true),
        (sync, &["n1", "n2", "n3"], false),
        (quorum, &["n1"], true),
        (quorum, &["n2", "n3"], true),
        (quorum, &["n1", "n3"], false),
        (degraded, &["n1"], false),
        (degraded, &["n2", "n3"], true),
        // Followers are made like a leader that forgot.
        (full, &["n1"], false),
        // A leader that forgot stamps below what it stamped before.
        (again, &["n1"], false),
    ] {
        let result = story(mode, down);
        assert_eq!(is_promised_in(&result, Durability), promised, "{mode}, {down:?}");
        assert_ne!(check(&result, Durability).judged, Violation, "{mode}, {down:?}");
    }
}

/// All have both elements. A leader that loses the end of its log alone knows the key, and shows what came before.
#[test]
fn a_leader_that_forgets_a_part_shows_what_came_before_whatever_the_others_have() {
    let story = |policy: &str, fault: &str| {
        run(&scenario(&format!(
            "duration = \"3s\"\n[protocol.leader-follower]\nmode = \"sync\"\non-ack-timeout = \"fail\"\nwal.policy = \
             \"{policy}\"\n[[operation]]\nat = \"0s\"\nclient = \"a\"\nappend = {{ key = \"k\", value = \"one\" \
             }}\n[[operation]]\nat = \"100ms\"\nclient = \"a\"\nappend = {{ key = \"k\", value = \"two\" \
             }}\n[[fault]]\nat = \"200ms\"\nfor = \"1s\"\n{fault}\n"
        )))
    };
    let lost = story("buffered", "power-loss = \"n1\"");
    assert!(!is_promised_in(&lost, Durability));
    assert_ne!(check(&lost, Durability).judged, Violation);
    assert!(!is_promised_in(&story("fsync", "lost-write = \"n1\""), Durability));
    assert!(is_promised_in(&story("buffered", "power-loss = \"n2\""), Durability));
}

/// The answer waited for all three. n1 and n2 die right after it; n3 has what was answered.
#[test]
fn what_every_follower_confirmed_survives_in_one_memory() {
    let story = r#"
duration = "5s"
settle = "5s"
[protocol.leader-follower]
mode = "sync"
on-ack-timeout = "fail"
[network]
delay = "10ms"
[[operation]]
at = "1s"
client = "w"
put = { key = "k", value = "one" }
[[fault]]
at = "900ms"
for = "100ms"
drop = { from = "n1", to = "n3" }
[[fault]]
when = { acknowledges = 1 }
for = "500ms"
crash = ["n1", "n2"]
"#;
    let result = run(&scenario(story));
    assert!(is_promised_in(&result, Durability));
    assert_ne!(check(&result, Durability).judged, Violation);
}

/// A leader that waits for one confirmation less than it says, by the settings of another.
///
/// What such a run loses is a violation of what the honest settings promise: none of what happened in it voids that.
struct Hasty {
    honest: Scenario,
    hasty: Scenario,
}

impl Hasty {
    fn of(text: &str) -> Self {
        let early =
            ["protocol.leader-follower.mode=semi-sync", "protocol.leader-follower.write-quorum=1"];
        let load = |sets: &[&str]| read_with(text, sets);
        Self { honest: load(&[]), hasty: load(&early) }
    }

    /// Whether a run loses a write against the promise of the honest settings.
    fn violates(&self, config: &splitbrain::config::Config, seed: u64) -> bool {
        let result = self.hasty.protocol.run(config, seed, RunOptions::default());
        let led = |node| result.leaderships.iter().any(|leadership| leadership.node == node);
        let lost = matches!(check(&result, Durability).verdict, Verdict::Invalid(_));
        let voided = match self.honest.protocol.promises(config).of(Durability) {
            Promise::Always { .. } => false,
            Promise::Unless { hazards, .. } => {
                !hazards.voided_by(&result.incidents, led).is_empty()
            }
            Promise::Never { .. } => true,
        };
        lost && !voided
    }
}

#[test]
fn a_leader_that_answers_one_confirmation_early_breaks_its_promise_and_fuzzing_finds_it() {
    let story = r#"
duration = "5s"
cluster.nodes = 3
[protocol.leader-follower]
mode = "sync"
on-ack-timeout = "fail"
[network]
delay = "10ms"
[[operation]]
at = "1s"
client = "w"
put = { key = "k", value = "one" }
[[fault]]
at = "900ms"
for = "3s"
drop = { from = "n1", to = "n3" }
[[fault]]
when = { acknowledges = 1 }
for = "500ms"
crash = ["n1", "n2"]
"#;
    let early = Hasty::of(story);
    assert!(early.violates(&early.hasty.config, 1));

    let text = fs::read_to_string(home("scenarios/fuzz/sync-in-memory.toml")).expect("a file");
    let early = Hasty::of(&text);
    let target = splitbrain::fuzz::target::FuzzTarget::new(
        "s.toml",
        text.into_bytes(),
        &Registry::new(),
        &[],
    );
    let target = target.unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let cases = (0..1000).map(|index| target.case(1, index));
    let found = cases.filter(|case| early.violates(case.config(), case.seed())).count();
    assert!(found > 0, "fuzzing does not find it");
}

/// R + W > N through lost messages, and a protocol that breaks it all the same.
///
/// n3 misses "v2", n2 misses "v3", and each time the other has it. But a replica that looks at no stamp takes a late
/// repair with "v2" over "v3", and then two of three show "v2".
#[test]
fn a_lost_message_voids_nothing_that_overlapping_quorums_promise() {
    let story = r#"
duration = "8s"
[protocol.leader-follower]
mode = "semi-sync"
write-quorum = 1
on-ack-timeout = "fail"
[network]
delay = "1ms"
[[network.link]]
from = "n1"
to = "n2"
delay = "5ms"
[[network.link]]
from = "n1"
to = "n3"
delay = "5ms"
[[operation]]
at = "1s"
client = "w"
put = { key = "k", value = "v1" }
[[operation]]
at = "2s"
client = "w"
put = { key = "k", value = "v2" }
[[operation]]
at = "3s"
client = "a"
get = { key = "k", r = 2, repair = true, from = "n2" }
[[operation]]
at = "4s"
client = "w"
put = { key = "k", value = "v3" }
[[operation]]
at = "6s"
client = "w"
get = { key = "k", r = 2, repair = true, from = "n3" }
[[fault]]
at = "1900ms"
for = "1s"
block = { from = "n1", to = "n3" }
[[fault]]
at = "3001ms"
for = "2s"
clog = { from = "n2", to = "n3" }
[[fault]]
at = "3900ms"
for = "1s"
block = { from = "n1", to = "n2" }
"#;
    let properties = [ReadYourWrites, Staleness];
    let sound = run(&scenario(story));
    assert!(sound.messages.blocked > 0, "something was lost");
    for property in properties {
        assert!(is_promised_in(&sound, property), "{property}");
        assert_eq!(check(&sound, property).judged, Valid, "{property}");
    }
    let defect = "protocol.leader-follower.defects=[\"repair-ignores-stamps\"]";
    let broken = run(&with(story, &[defect]));
    for property in properties {
        let report = check(&broken, property);
        assert_eq!(report.judged, Violation, "{property}: {report:?}");
    }
}

/// As many nodes may forget as two quorums share, less one.
#[test]
fn quorums_share_as_many_replicas_as_may_forget_and_one_more() {
    let story = |r: u16, down: &str| {
        format!(
            "duration = \"4s\"\n[protocol.leader-follower]\nmode = \"sync\"\non-ack-timeout = \"fail\"\n[[operation]]\nat \
             = \"1s\"\nclient = \"w\"\nput = {{ key = \"k\", value = \"one\" }}\n[[operation]]\nat = \"3s\"\nclient = \
             \"w\"\nget = {{ key = \"k\", r = {r}, from = \"n3\" }}\n[[fault]]\nat = \"2s\"\nfor = \"100ms\"\ncrash = {down}\n"
        )
    };
    for (r, down, promised) in [
        (2, "\"n1\"", true),
        (2, "[\"n1\", \"n2\"]", false),
        (3, "[\"n1\", \"n2\"]", true),
        (3, "[\"n1\", \"n2\", \"n3\"]", false),
    ] {
        let result = run(&scenario(&story(r, down)));
        assert_eq!(is_promised_in(&result, ReadYourWrites), promised, "r = {r}, {down}");
        assert_ne!(check(&result, ReadYourWrites).judged, Violation, "r = {r}, {down}");
    }
}

// --- The command line ---

/// The exit status, standard output and standard error.
fn splitbrain(scenario: &str, args: &[&str]) -> (i32, String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("s.toml"), scenario).expect("a file");
    let output = splitbrain_in(folder.path(), args);
    (output.status.code().expect("a status"), text(&output.stdout), text(&output.stderr))
}

const FILE: &str = r#"title = "Two followers in memory"
settle = "5s"
[cluster]
nodes = 3
[protocol.leader-follower]
mode = "sync"
on-ack-timeout = "fail"
[[operation]]
at = "1s"
client = "a"
put = { key = "k", value = "v" }
"#;

#[test]
fn promises_tells_what_the_settings_of_a_file_promise_and_why() {
    let (status, out, err) = splitbrain(FILE, &["promises", "s.toml", "--set", "settle=60s"]);
    assert_eq!((status, err.as_str()), (0, ""));
    let words: String = out.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in [
        "always single-leader, split-brain because the leader is fixed",
        "promised durability unless a leader and 2 other nodes crashed, lost power or came back with an empty disk, or a \
         leader had its wall clock set wrong because",
        "never availability because nobody takes the place of a leader",
        "may need 6s after everything has healed, and `settle` is 60s.",
    ] {
        assert!(words.contains(told), "{told}: {out}");
    }
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    let mut names = Property::ALL.iter().map(|property| property.name());
    assert!(names.all(|name| words.contains(name)), "{out}");

    let set = ["--set", "protocol.leader-follower.on-ack-timeout=succeed"];
    let (_, out, _) = splitbrain(FILE, &[&["promises", "s.toml", "--json"][..], &set].concat());
    let document: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(document["scenario"], "s");
    assert_eq!(document["protocol"], "leader-follower");
    let promises = document["promises"].as_array().expect("a list");
    assert_eq!(promises.len(), Property::ALL.len());
    let durability = &promises[2];
    assert_eq!(durability["property"], "durability");
    assert_eq!(durability["promised"], "unless");
    assert_eq!(durability["conditions"][0]["whose"], "leader");
    let hazards = serde_json::json!(["crash", "power-loss", "empty-disk", "clock-skew"]);
    assert_eq!(durability["conditions"][0]["hazards"], hazards);
}

#[test]
fn promises_shows_the_mistakes_of_a_file_and_of_arguments() {
    let cases: [(&str, &[&str], &str); 3] = [
        (FILE, &["promises", "none.toml"], "none.toml"),
        (FILE, &["promises", "s.toml", "--set", "setle=1s"], "setle=1s"),
        ("[cluster]\nnodes = 0\n", &["promises", "s.toml"], "nodes = 0"),
    ];
    for (text, args, shown) in cases {
        let (status, out, err) = splitbrain(text, args);
        assert_eq!((status, out.as_str()), (2, ""), "{args:?}");
        assert!(err.starts_with("error") && err.contains(shown), "{err}");
    }
}

#[test]
fn a_settle_that_is_too_short_is_warned_of_where_it_stands_and_nothing_else_changes() {
    let (status, out, err) = splitbrain(FILE, &["run", "s.toml", "--json"]);
    assert_eq!(status, 0, "{err}");
    serde_json::from_str::<serde_json::Value>(&out).expect("JSON");
    assert!(err.starts_with("warning: `settle` is shorter than these settings may need"), "{err}");
    assert!(err.contains("s.toml:2:10") && err.contains("^^^^ 6s would do"), "{err}");
    let (status, _, err) = splitbrain(FILE, &["run", "s.toml", "--set", "settle=2s"]);
    assert_eq!(status, 0);
    assert!(err.contains("--set:1:8") && err.contains("^^ 6s would do"), "{err}");
    let (status, _, err) = splitbrain(FILE, &["run", "s.toml", "--set", "settle=16s"]);
    assert_eq!((status, err.as_str()), (0, ""));
}
