//! Promises that were too weak: a harmless fault voided them, so a broken protocol could pass.

use std::fs;
use std::sync::Arc;

use splitbrain::check::Verdict;
use splitbrain::config::{Config, ExpectedVerdict};
use splitbrain::fuzz::target::{FuzzCase, FuzzTarget};
use splitbrain::names::Names;
use splitbrain::property::{Promise, Property};
use splitbrain::run::RunOptions;
use splitbrain::scenario::{Registry, Scenario};

use super::{is_promised_in, run, scenario, with};
use crate::support::result::check;
use crate::support::scenario::{home, read_with};

use ExpectedVerdict::{Valid, Violation};
use Property::{Durability, MonotonicReads, ReadYourWrites, Staleness, WritesFollowReads};

/// Properties that rest on the leader only, whatever happens to the followers.
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
            r#"duration = "5s"
settle = "30s"
[protocol.leader-follower]
{protocol}[network]
delay = "1ms"
[[operation]]
at = "1s"
client = "w"
put = {{ key = "k", value = "one" }}
{hazard}"#
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
            r#"[[fault]]
at = "2s"
crash = NODE
[[fault]]
at = "3s"
restart = { target = NODE, disk = "empty" }
"#
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

/// With clients' timestamps the nodes' clocks stamp nothing.
#[test]
fn only_the_clocks_that_stamp_count() {
    let story = |timestamps: &str, clock: &str| {
        format!(
            r#"duration = "2s"
[protocol.leader-follower]
wal.policy = "fsync"
timestamps = "{timestamps}"
[[clock]]
{clock}
offset = "1ms"
[[operation]]
at = "1s"
client = "w"
put = {{ key = "k", value = "one" }}
"#
        )
    };
    let promised =
        |timestamps, clock| is_promised_in(&run(&scenario(&story(timestamps, clock))), Durability);
    assert!(!promised("wall", "node = \"n1\"") && promised("wall", "node = \"n2\""));
    assert!(promised("client", "node = \"n1\"") && !promised("client", "client = \"w\""));
    assert!(promised("wall", "client = \"w\"") && promised("hybrid", "node = \"n1\""));
}

/// How many nodes have an answered write, and so how many must lose it.
#[test]
fn a_write_that_many_have_is_lost_when_all_of_them_forget_it() {
    let story = |mode: &str, down: &[&str]| {
        let mut text = format!(
            r#"duration = "6s"
[protocol.leader-follower]
{mode}
[network]
delay = "1ms"
[[operation]]
at = "1s"
client = "w"
put = {{ key = "k", value = "one" }}
"#
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
        // With full states, followers become equal to a leader that lost its data.
        (full, &["n1"], false),
        // A leader that lost its data stamps below its earlier versions.
        (again, &["n1"], false),
    ] {
        let result = story(mode, down);
        assert_eq!(is_promised_in(&result, Durability), promised, "{mode}, {down:?}");
        assert_ne!(check(&result, Durability).judged, Violation, "{mode}, {down:?}");
    }
}

/// All nodes have both elements. A leader that loses the end of its log still has the key, and
/// shows its earlier value.
#[test]
fn a_leader_that_forgets_a_part_shows_what_came_before_whatever_the_others_have() {
    let story = |policy: &str, fault: &str| {
        run(&scenario(&format!(
            r#"duration = "3s"
[protocol.leader-follower]
mode = "sync"
on-ack-timeout = "fail"
wal.policy = "{policy}"
[[operation]]
at = "0s"
client = "a"
append = {{ key = "k", value = "one" }}
[[operation]]
at = "100ms"
client = "a"
append = {{ key = "k", value = "two" }}
[[fault]]
at = "200ms"
for = "1s"
{fault}
"#
        )))
    };
    let lost = story("buffered", "power-loss = \"n1\"");
    assert!(!is_promised_in(&lost, Durability));
    assert_ne!(check(&lost, Durability).judged, Violation);
    assert!(!is_promised_in(&story("fsync", "lost-write = \"n1\""), Durability));
    assert!(is_promised_in(&story("buffered", "power-loss = \"n2\""), Durability));
}

/// The answer waited for all three nodes. n1 and n2 crash right after it; n3 has the write.
#[test]
fn what_every_follower_acknowledged_survives_in_one_memory() {
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

/// A leader that waits for one acknowledgement less than its settings say, played by other
/// settings.
///
/// A write that such a run loses violates the promise of the honest settings: nothing in the run
/// voids it.
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

    /// Whether a run loses a write that the honest settings promise to keep.
    fn violates(&self, config: &Config, names: &Arc<Names>, seed: u64) -> bool {
        let result = self.hasty.protocol.run(config, names, seed, RunOptions::default());
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
fn a_leader_that_answers_one_acknowledgement_early_breaks_its_promise_and_fuzzing_finds_it() {
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
    assert!(early.violates(&early.hasty.config, &early.hasty.names, 1));

    let text = fs::read_to_string(home("scenarios/fuzz/sync-in-memory.toml")).expect("a file");
    let early = Hasty::of(&text);
    let target = FuzzTarget::new("s.toml", text.into_bytes(), &Registry::new(), &[]);
    let target = target.unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let cases = (0..1000).map(|index| target.case(1, index));
    let violates = |case: &FuzzCase| early.violates(case.config(), case.names(), case.seed());
    let found = cases.filter(violates).count();
    assert!(found > 0, "fuzzing does not find it");
}

/// R + W > N under lost messages, and a protocol that breaks it.
///
/// n3 misses "v2" and n2 misses "v3"; each time the other has it. A replica that ignores timestamps
/// takes a late repair with "v2" over "v3", and then two of three nodes show "v2".
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

/// Two quorums that share k nodes keep the promise when k - 1 nodes lose their data.
#[test]
fn quorums_share_as_many_replicas_as_may_forget_and_one_more() {
    let story = |r: u16, down: &str| {
        format!(
            r#"duration = "4s"
[protocol.leader-follower]
mode = "sync"
on-ack-timeout = "fail"
[[operation]]
at = "1s"
client = "w"
put = {{ key = "k", value = "one" }}
[[operation]]
at = "3s"
client = "w"
get = {{ key = "k", r = {r}, from = "n3" }}
[[fault]]
at = "2s"
for = "100ms"
crash = {down}
"#
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
