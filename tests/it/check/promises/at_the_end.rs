//! Promises about the end of a run, which may have come too early to tell.

use splitbrain::check::Verdict;
use splitbrain::config::ExpectedVerdict;
use splitbrain::property::{Property, SettlesWithin};
use splitbrain::time::Span;

use super::{is_never, is_promised_in, judged, run, scenario, with};
use crate::support::result::check;

use ExpectedVerdict::{Allowed, Unknown, Valid, Violation};
use Property::{Convergence, Durability, Liveness, LwwMaximum};

/// One write on a network of 5 ms.
const WRITE: &str = r#"[network]
delay = "5ms"
[[operation]]
client = "a"
put = { key = "k", value = "v" }
"#;

/// A story, a `settle` that is too short for it, and the properties that cannot be told then.
type Unfinished = (&'static str, String, &'static str, &'static [Property]);

/// In each the cluster is still busy when `settle` ends, and would have finished later.
fn unfinished() -> [Unfinished; 7] {
    let sync = format!("duration = \"10s\"\n[protocol.leader-follower]\nmode = \"sync\"\n{WRITE}");
    let plain = format!("duration = \"10s\"\n[protocol.leader-follower]\n{WRITE}");
    let cut_off = "[[fault]]\nat = \"8s\"\nfor = \"1500ms\"\nisolate = \"n3\"\n";
    let resend = plain.replace("[network]", "resend = \"60s\"\n[network]");
    [
        (
            "ack-timeout",
            format!("{sync}at = \"9s\"\ntimeout = \"20s\"\n{cut_off}"),
            "3s",
            &[Liveness],
        ),
        (
            "the client's timeout",
            format!(
                r#"{sync}at = "9s"
[[fault]]
at = "9007ms"
for = "10ms"
crash = "n1"
"#
            ),
            "5s",
            &[Liveness],
        ),
        (
            "a clock that all but stands still",
            format!(
                r#"{}at = "9s"
timeout = "60s"
{cut_off}[[clock]]
node = "n1"
drift = "-99%"
"#,
                sync.replace("[network]", "ack-timeout = \"1s\"\n[network]")
            ),
            "30s",
            &[Liveness],
        ),
        (
            "an election",
            r#"duration = "10s"
[protocol.leader-follower]
wal.policy = "fsync"
failover = { election = "lowest-id" }
[network]
delay = "5ms"
[[fault]]
at = "9s"
for = "500ms"
crash = "n1"
"#
            .to_owned(),
            "3s",
            &[Liveness],
        ),
        (
            "resending",
            format!(
                r#"{resend}at = "5s"
[[fault]]
at = "4s"
for = "2s"
isolate = "n1"
"#
            ),
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
    ]
}

#[test]
fn what_is_to_hold_in_the_end_is_unknown_where_the_end_has_not_come() {
    for (what, story, settle, properties) in unfinished() {
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
        // With a longer `settle` it finishes.
        let long = scenario(&format!("settle = \"{needed}\"\n{story}"));
        assert!(long.warnings.is_none(), "{what}");
        let result = run(&long);
        for property in properties {
            assert!(is_promised_in(&result, *property), "{what}: {property}");
            assert_eq!(check(&result, *property).judged, Valid, "{what}: {property}");
        }
        // The default of `settle` is long enough.
        assert!(scenario(&story).config.settle >= needed.min(Span::from_secs(600)), "{what}");
    }
}

/// Without jitter and with constant delays all nodes become candidates at the same time, vote for
/// themselves, and so on for ever.
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

/// A settled cluster that has lost a write is judged, however short `settle` is: nothing was in
/// flight.
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
    // Replicas differ, and no message is pending that could change it.
    assert_eq!(judged(&broken, Convergence), Violation);
}

/// Where heartbeats may be lost, or later than the election timeout, an election may begin at any
/// time.
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
    let within = |story: &str| {
        let scenario = scenario(story);
        scenario.protocol.settles_within(&scenario.config)
    };
    let unsaid = |story: &str| match within(story) {
        SettlesWithin::Unsaid { why } => why,
        SettlesWithin::Span(span) | SettlesWithin::Anew { within: span, .. } => {
            panic!("{span}: {story}")
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
    let logged =
        |policy: &str| format!("{plain}wal.policy = \"{policy}\"\n[disk]\nrate = \"1MB/s\"\n");
    assert!(unsaid(&logged("group-commit")).contains("a disk of some rate"));
    // Without a log nothing is written.
    assert!(matches!(within(&logged("off")), SettlesWithin::Span(_)));
}

/// n1 erases a key and keeps no trace of it. n2 received the state without the key, lost that with
/// its unsynced log, and has the key again: no node knows that it was deleted.
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
        // With a synced log n2 loses nothing, and without a log it has nothing at all.
        for (policy, fault) in
            [("fsync", "power-loss"), ("buffered", "crash"), ("off", "power-loss")]
        {
            let result = story(policy, "n2", fault);
            assert!(is_promised_in(&result, property), "{property}: {policy}, {fault}");
            assert_eq!(judged(policy, fault), Valid, "{property}: {policy}, {fault}");
        }
    }
}
