//! Faults with `when`: at which event each starts, in what order with other events, and what is
//! reported of one that never starts.
//!
//! Three nodes are a millisecond apart; n1 leads. A client writes every 100 ms and is answered when
//! all nodes have the record on disk. A sync takes four milliseconds.

use splitbrain::digest::DigestValue;
use splitbrain::metrics::Settlement;
use splitbrain::report::{Report, text};
use splitbrain::run::{QueueKind, RunOptions, RunResult};
use splitbrain::scenario::Scenario;

use crate::support::scenario::read_with;

const LOGGED: &str = "resend = '500ms'\nwal = { policy = 'fsync' }";

/// `more` holds settings of the protocol; empty stands for [`LOGGED`].
fn scenario(more: &str, rest: &str) -> Scenario {
    scenario_with(more, rest, &[])
}

fn scenario_with(more: &str, rest: &str, sets: &[&str]) -> Scenario {
    let more = if more.is_empty() { LOGGED } else { more };
    let writes: String = (1..=10)
        .map(|i| {
            format!(
                "[[operation]]\nid = \"w{i}\"\nat = \"{i}00ms\"\nclient = \"writer\"\n\
                 put = {{ key = \"r{i}\", value = \"{i}\" }}\ntimeout = \"90ms\"\n"
            )
        })
        .collect();
    let text = format!(
        "title = \"ten writes\"\nduration = \"3s\"\nsettle = \"5s\"\n[cluster]\nnodes = 3\n\
         [protocol.leader-follower]\nmode = \"sync\"\n\
         {more}\n[network]\ndelay = \"1ms\"\n\
         [disk]\nsync = \"4ms\"\n{writes}{rest}"
    );
    read_with(&text, sets)
}

/// Runs the scenario, and again through either queue and without a trace: all agree.
#[track_caller]
fn play(scenario: &Scenario, seed: u64) -> RunResult {
    let traced = RunOptions { trace: true, steps: true, ..RunOptions::default() };
    let result = scenario.run(seed, traced);
    for queue in [QueueKind::Calendar, QueueKind::Heap] {
        let other = scenario.run(seed, RunOptions { queue, ..RunOptions::default() });
        assert_eq!(known(&other), known(&result), "{queue:?}");
    }
    assert_eq!(result.steps.len() as u64, result.events, "every event has its step");
    result
}

/// Not the names: a fault that never came has one.
fn known(result: &RunResult) -> (DigestValue, u64, String) {
    let history = (result.history.entries(), result.history.nemesis());
    (result.digest, result.events, format!("{history:?}"))
}

/// What the nemesis did in the fault phase, as "time what".
fn acts(result: &RunResult) -> Vec<String> {
    let acts = result.history.nemesis().iter().filter(|act| act.fault.is_some());
    acts.map(|act| format!("{} {}", act.at, act.what)).collect()
}

fn trace(result: &RunResult) -> Vec<String> {
    let trace = result.trace.as_deref().unwrap_or_default();
    trace.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// The number of the `nth` trace line that contains all of `words`.
#[track_caller]
fn line(trace: &[String], nth: usize, words: &[&str]) -> usize {
    let has = |line: &String| words.iter().all(|word| line.contains(word));
    let mut found = (0..trace.len()).filter(|at| has(&trace[*at]));
    found.nth(nth - 1).unwrap_or_else(|| panic!("no {words:?} in\n{}", trace.join("\n")))
}

#[test]
fn a_power_loss_just_before_the_third_record_is_durable_leaves_two() {
    let fault =
        "[[fault]]\nwhen = { persists = 3, node = \"n1\" }\nfor = \"20ms\"\npower-loss = \"n1\"\n";
    let (before, later) =
        (scenario("", fault), fault.replace("\"n1\" }", "\"n1\", after = \"1ms\" }"));
    let later = scenario("", &later);
    let mut whole = 0;
    for seed in 0..20 {
        let result = play(&before, seed);
        assert_eq!(acts(&result)[0], "0.304000000 power loss of n1");
        let recovery = result.recoveries[0];
        assert_eq!((recovery.written, recovery.synced), (3, 2), "seed {seed}");
        whole += recovery.records - 2;
        let result = play(&later, seed);
        assert_eq!(acts(&result)[0], "0.305000000 power loss of n1");
        let recovery = result.recoveries[0];
        assert_eq!((recovery.written, recovery.synced, recovery.records), (3, 3, 3), "seed {seed}");
    }
    // The unsynced part is torn at a random byte, rarely just after its last.
    assert!(whole <= 2, "the third record survived {whole} times");
}

/// (trigger, the act that follows, whether the triggering event comes after it, and the event's
/// occurrence and words in the trace)
type Story = (&'static str, &'static str, bool, usize, &'static [&'static str]);

#[test]
fn each_milestone_is_counted_on_its_node_and_struck_before_or_after() {
    let stories: [Story; 9] = [
        ("appends = 3, node = 'n1'", "0.300000000", false, 3, &["n1 request", "writer asks"]),
        ("appends = 3, node = 'n2'", "0.305000000", false, 3, &["n2 deliver replicate"]),
        ("appends = 4", "0.200000000", false, 2, &["n1 request", "writer asks"]),
        ("persists = 3, node = 'n2'", "0.309000000", true, 3, &["n2 persisted"]),
        // For each write: the leader's record, then both followers' at one instant.
        ("persists = 5", "0.209000000", true, 2, &["n2 persisted"]),
        ("persists = 6", "0.209000000", true, 2, &["n3 persisted"]),
        ("acknowledges = 3", "0.310000000", false, 6, &["n1 deliver ack"]),
        (
            "receives = 3, kind = 'replicate', node = 'n3'",
            "0.305000000",
            true,
            3,
            &["n3 deliver replicate"],
        ),
        ("receives = 6, kind = 'ack'", "0.310000000", true, 6, &["n1 deliver ack"]),
    ];
    for (when, at, comes_first, nth, words) in stories {
        let fault =
            format!("[[fault]]\nid = 'f'\nwhen = {{ {when} }}\nfor = '1us'\npause = 'n3'\n");
        let result = play(&scenario("", &fault), 1);
        assert_eq!(acts(&result)[0], format!("{at} pause n3"), "{when}");
        let trace = trace(&result);
        let (impact, tied) = (line(&trace, 1, &["f starts"]), line(&trace, nth, words));
        assert_eq!(
            impact < tied,
            comes_first,
            "{when}:\n{}",
            trace[impact.min(tied)..=impact.max(tied)].join("\n")
        );
        // Between the two lines stand only the effects of the triggering event.
        let events = trace[impact.min(tied) + 1..impact.max(tied)].iter();
        assert!(events.clone().all(|line| line.contains(" . ")), "{when}: {events:#?}");
    }
}

#[test]
fn a_node_is_elected_and_starts_again_as_often_as_is_said() {
    let elects = "wal = { policy = 'fsync' }\n\
                  failover = { election = 'majority-vote', heartbeat = '20ms', timeout = '100ms', \
                  catch-up = 'log' }";
    let faults = r"[[fault]]
id = 'one'
when = { elected = 1 }
for = '400ms'
crash = 'leader'
[[fault]]
id = 'two'
when = { elected = 2, after = '5ms' }
pause = 'leader'
[[fault]]
id = 'back'
when = { restarts = 1, node = 'n1' }
clock-jump = { node = 'n1', by = '1s' }
[[fault]]
id = 'go'
when = { restarts = 1, after = '50ms' }
resume = 'all'
";
    let result = play(&scenario(elects, faults), 1);
    let acts = acts(&result);
    // The leader of the scenario begins to lead at its boot.
    assert_eq!(acts[0], "0.000000000 crash n1");
    let second = result.leaderships[1];
    let after = second.from + splitbrain::time::Span::from_millis(5);
    assert_eq!(acts[1], format!("{after} pause {}", second.node));
    assert_eq!(acts[2..4], ["0.400000000 restart n1", "0.400000000 clock of n1 jumps by 1s"]);
    assert!(acts[4].starts_with(&format!("0.450000000 resume {}", second.node)), "{acts:#?}");
}

#[test]
fn a_moment_is_a_time_that_need_not_be_known() {
    for (when, action) in [
        ("persists = 3, node = 'n1'", "power-loss = 'n1'"),
        ("persists = 5, node = 'n3'", "crash = 'follower'"),
        ("receives = 9", "partition = [['n1'], ['n2', 'n3']]"),
        ("acknowledges = 4, after = '333us'", "pause = 'leader'"),
        ("appends = 2, node = 'n2', after = '1ns'", "restart = { target = 'n2', disk = 'empty' }"),
    ] {
        let fault = |start: &str| format!("[[fault]]\nid = 'f'\n{start}\nfor = '70ms'\n{action}\n");
        let fault = |start: &str| match action.starts_with("restart") {
            true => fault(start).replace("for = '70ms'\n", ""),
            false => fault(start),
        };
        // Keeps any two events from sharing an instant.
        let sets = ["network.delay={ exponential = '1ms' }", "disk.sync={ exponential = '3ms' }"];
        let tied = fault(&format!("when = {{ {when} }}"));
        let tied = play(&scenario_with("", &tied, &sets), 7);
        let struck = tied.history.nemesis()[0].at.nanos();
        let timed = fault(&format!("at = '{struck}ns'"));
        let timed = play(&scenario_with("", &timed, &sets), 7);
        assert_eq!(known(&timed), known(&tied), "{when}");
        assert_eq!(timed.trace, tied.trace, "{when}");
    }
}

/// A fault starts once, and its effect may trigger the next fault.
#[test]
fn moments_follow_one_another_and_do_not_come_back() {
    let faults = r"[[fault]]
id = 'down'
when = { persists = 2, node = 'n2' }
for = '10ms'
crash = 'n2'
[[fault]]
id = 'again'
when = { restarts = 1 }
for = '10ms'
crash = 'n2'
[[fault]]
id = 'too'
when = { persists = 2, node = 'n2' }
for = '3ms'
pause = 'n1'
";
    let result = play(&scenario("", faults), 1);
    assert_eq!(
        acts(&result),
        [
            "0.209000000 crash n2",
            "0.209000000 pause n1",
            "0.212000000 resume n1",
            "0.219000000 restart n2",
            "0.219000000 crash n2",
            "0.229000000 restart n2",
        ]
    );
    assert!(matches!(result.settlement, Settlement::Settled { .. }), "{:?}", result.settlement);
}

#[test]
fn a_fault_whose_moment_never_comes_is_told_of() {
    let cases = [
        ("persists = 11, node = 'n1'", "n1 persisted fewer than 11 records by 3.000s"),
        // The tenth record is durable at 1.004 s.
        (
            "persists = 10, node = 'n1', after = '2s'",
            "n1 persisted fewer than 10 records by 1.000s",
        ),
        ("appends = 31", "the nodes appended fewer than 31 records by 3.000s"),
        ("acknowledges = 1, node = 'n2'", "n2 acknowledged no write by 3.000s"),
        (
            "receives = 11, kind = 'replicate', node = 'n2'",
            "n2 received fewer than 11 such messages by 3.000s",
        ),
        ("receives = 1000000", "the nodes received fewer than 1000000 messages by 3.000s"),
        ("restarts = 1", "the nodes never started again by 3.000s"),
        ("elected = 2", "the nodes began to lead fewer than 2 times by 3.000s"),
    ];
    for (when, why) in cases {
        let tied = scenario("", &format!("[[fault]]\nwhen = {{ {when} }}\ncrash = 'n1'\n"));
        let result = play(&tied, 1);
        assert_eq!(acts(&result), Vec::<String>::new(), "{when}");
        assert!(result.impacts.is_empty(), "{when}");
        assert_eq!(known(&result), known(&play(&scenario("", ""), 1)), "{when}");
        let (report, _) = Report::of("s", &tied.config, &result);
        let (word, rest) = when.split_once(" = ").expect("a milestone and how often");
        let nth = rest.split(',').next().unwrap_or(rest);
        let said = format!("   never  start  crash-{word}-{nth}: {why}");
        let told = text::run(&report, &text::Footer::default(), false);
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            told.contains(&said.split_whitespace().collect::<Vec<_>>().join(" ")),
            "{said}\n{told}"
        );
    }
}

/// A sync makes all earlier writes durable, and follows each of them in the trace.
#[test]
fn each_record_of_a_sync_counts() {
    let slow = "resend = '500ms'\nwal = { policy = 'buffered', sync-every = '350ms' }";
    let syncs = play(&scenario(slow, ""), 1);
    let trace = trace(&syncs);
    let at = |nth| trace[line(&trace, nth, &["n1 persisted"])].split(' ').next().map(str::to_owned);
    let [first, second] = [1, 2].map(at).map(|at| at.expect("a time"));
    // Records 1 to 4 are on disk at 454 ms, 5 to 8 at 854 ms.
    assert_eq!((first.as_str(), second.as_str()), ("0.454000000", "0.854000000"));
    for (nth, syncs, synced) in [(1, &first, 0), (4, &first, 0), (5, &second, 4), (8, &second, 4)] {
        let fault = format!(
            r"[[fault]]
when = {{ persists = {nth}, node = 'n1' }}
for = '10ms'
power-loss = 'n1'
"
        );
        let result = play(&scenario(slow, &fault), 1);
        assert_eq!(acts(&result)[0], format!("{syncs} power loss of n1"), "{nth}");
        assert_eq!(result.recoveries[0].synced, synced, "{nth}");
    }
}

/// The heal at the end restarts n2, and no longer counts as a trigger.
#[test]
fn nothing_is_counted_once_the_fault_phase_has_ended() {
    let faults = "[[fault]]\nat = '1s'\ncrash = 'n2'\n\
                  [[fault]]\nwhen = { restarts = 1 }\nforever = true\ncrash = 'n2'\n";
    let result = play(&scenario("", faults), 1);
    assert_eq!(acts(&result), ["1.000000000 crash n2"]);
    assert!(result.finals[1].up);
    let without = play(&scenario("", "[[fault]]\nat = '1s'\ncrash = 'n2'\n"), 1);
    assert_eq!(known(&result), known(&without));
}

/// A message to a node that is down triggers nothing; one to a paused node does, though it waits.
#[test]
fn a_message_counts_where_it_will_be_taken_in() {
    let at = |stop: &str| {
        let faults = format!(
            r"[[fault]]
at = '150ms'
for = '100ms'
{stop} = 'n3'
[[fault]]
id = 'f'
when = {{ receives = 3, kind = 'replicate', node = 'n3' }}
for = '1ms'
pause = 'n2'
"
        );
        let result = play(&scenario("", &faults), 1);
        let acts = acts(&result);
        acts.iter().find(|act| act.ends_with("pause n2")).cloned()
    };
    assert_eq!(at("pause").as_deref(), Some("0.305000000 pause n2"));
    assert_eq!(at("crash").as_deref(), Some("0.405000000 pause n2"));
}
