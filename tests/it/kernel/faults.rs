//! Faults in whole runs: each test is a small scenario with its expectations.

use splitbrain::metrics::Settlement;
use splitbrain::run::{RunOptions, RunResult};
use splitbrain::scenario::Scenario;

use crate::support::result::assert_none_unmet;
use crate::support::scenario::read;

/// Three nodes a millisecond apart, for ten seconds; `mode` holds settings of the protocol.
fn scenario(mode: &str, rest: &str) -> Scenario {
    let text = format!(
        "title = 't'\nduration = '10s'\nsettle = '10s'\n[cluster]\nnodes = 3\n\
         [protocol.leader-follower]\n{mode}\n[network]\ndelay = {{ constant = '1ms' }}\n{rest}"
    );
    read(&text)
}

#[track_caller]
fn play_seed(scenario: &Scenario, seed: u64) -> RunResult {
    let result = scenario.run(seed, RunOptions { trace: true, ..RunOptions::default() });
    assert_none_unmet(&format!("seed {seed}"), &result);
    result
}

#[track_caller]
fn play(rest: &str) -> RunResult {
    play_seed(&scenario("mode = 'async'", rest), 1)
}

fn acts(result: &RunResult) -> Vec<String> {
    let text = |act: &splitbrain::history::NemesisEvent| format!("{} {}", act.at, act.what);
    result.history.nemesis().iter().map(text).collect()
}

/// What a node applied, in order, as (time, key) texts.
fn applied(result: &RunResult, node: &str) -> Vec<(String, String)> {
    let trace = result.trace.as_deref().expect("a trace was asked for");
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [time, who, ".", "apply", key, _] if who == node => {
                Some((time.to_owned(), key.to_owned()))
            }
            _ => None,
        }
    };
    trace.lines().filter_map(line).collect()
}

fn settled(result: &RunResult) -> bool {
    matches!(result.settlement, Settlement::Settled { .. })
}

#[test]
fn a_node_that_is_down_gets_nothing_and_refuses_clients() {
    let result = play(
        r"[[fault]]
at = '1s'
for = '2s'
crash = 'n2'
[[operation]]
at = '2s'
client = 'a'
put = { key = 'k', value = 'v' }
[[operation]]
at = '2500ms'
client = 'a'
get = { key = 'k', from = 'n2' }
expect = { status = 'fail', error = 'refused' }
[[operation]]
at = '4s'
client = 'a'
get = { key = 'k', from = 'n2' }
expect = { absent = true }
[[expect.state]]
at = '2s'
node = 'n2'
role = 'down'
[[expect.state]]
at = '3s'
node = 'n2'
role = 'follower'
[[expect.state]]
at = '5s'
node = 'n3'
key = 'k'
value = 'v'
",
    );
    // The replicated write and the refused request.
    assert_eq!(result.messages.lost, 2);
    let Settlement::Unsettled { waiting_for } = &result.settlement else { panic!("it settled") };
    assert_eq!(waiting_for[..], ["n1 and n2 differ: k is v and nothing"]);
}

/// A message that arrives at the instant of the resume once overtook those that had waited, and
/// random ties shuffled the waiting ones.
#[test]
fn what_reaches_a_paused_node_waits_in_order() {
    let rest = "[[fault]]\nat = '1s'\nfor = '1s'\npause = 'n2'\n\
        [[operation]]\nat = '1200ms'\nclient = 'a'\nput = { key = 'one', value = '1' }\n\
        [[operation]]\nat = '1300ms'\nclient = 'a'\nput = { key = 'two', value = '2' }\n\
        [[operation]]\nat = '1400ms'\nclient = 'a'\nput = { key = 'three', value = '3' }\n\
        [[operation]]\nat = '1500ms'\nclient = 'b'\nget = { key = 'three', from = 'n2' }\n\
        expect = { value = '3', after = '500ms', within = '500ms' }\n\
        [[operation]]\nat = '1999ms'\nclient = 'a'\nput = { key = 'four', value = '4' }\n\
        [[expect.state]]\nat = '1999ms'\nnode = 'n2'\nkey = 'one'\nabsent = true\n";
    let in_order = |result: &RunResult| {
        let applied = applied(result, "n2");
        assert!(applied.iter().all(|(time, _)| time == "2.000000000"), "{applied:?}");
        let keys: Vec<&str> = applied.iter().map(|(_, key)| key.as_str()).collect();
        assert_eq!(keys[..3], ["one", "two", "three"]);
        assert_eq!(keys.len(), 4);
        assert!(settled(result));
        keys[3] == "four"
    };
    assert!(in_order(&play(rest)));
    let ties = scenario("mode = 'async'", rest);
    let config =
        splitbrain::config::Config { ties: splitbrain::config::EventOrder::Random, ..ties.config };
    for seed in 0..30 {
        let options = RunOptions { trace: true, ..RunOptions::default() };
        in_order(&ties.protocol.run(&config, &ties.names, seed, options));
    }
}

#[test]
fn a_pause_lasts_until_every_fault_that_paused_has_ended_or_somebody_resumes() {
    let write = "[[operation]]\nat = '1500ms'\nclient = 'a'\nput = { key = 'k', value = 'v' }\n";
    let pause =
        |at: u32, lasts: u32| format!("[[fault]]\nat = '{at}s'\nfor = '{lasts}s'\npause = 'n2'\n");
    let reaches_n2 = |faults: String| applied(&play(&(faults + write)), "n2");
    let at = |time: &str| vec![(time.to_owned(), "k".to_owned())];
    assert_eq!(reaches_n2(pause(1, 2)), at("3.000000000"));
    assert_eq!(reaches_n2(pause(1, 2) + &pause(2, 3)), at("5.000000000"));
    assert_eq!(reaches_n2(pause(1, 4) + &pause(2, 1)), at("5.000000000"));
    let resume = "[[fault]]\nat = '4s'\nresume = 'n2'\n";
    assert_eq!(reaches_n2(pause(1, 8) + &pause(2, 4) + resume), at("4.000000000"));
    // A crash ends a pause and loses the messages that waited.
    let crash = "[[fault]]\nat = '2s'\nfor = '1s'\ncrash = 'n2'\n";
    assert_eq!(reaches_n2(pause(1, 8) + crash), vec![]);
    // A pause without an end ends with the fault phase.
    assert_eq!(reaches_n2("[[fault]]\nat = '1s'\npause = 'n2'\n".into()), at("10.000000000"));
}

#[test]
fn a_clog_loses_nothing_and_keeps_the_order_of_the_link() {
    let puts: String = (0..20)
        .map(|i| {
            let at = 1_000 + i * 10;
            format!(
                r"[[operation]]
at = '{at}ms'
client = 'a'
put = {{ key = 'k{i:02}', value = 'v' }}
"
            )
        })
        .collect();
    let fifo = r"order = 'fifo'
[[network.link]]
from = 'n1'
to = 'n2'
delay = { uniform = ['0ms', '80ms'] }
";
    for (lasts, released) in [("for = '2s'\n", "3.0"), ("", "10.0")] {
        let clog =
            format!("[[fault]]\nid = 'c'\nat = '1s'\n{lasts}clog = {{ from = 'n1', to = 'n2' }}\n");
        let result = play(&format!("{fifo}{clog}{puts}"));
        let applied = applied(&result, "n2");
        let keys: Vec<String> = applied.iter().map(|(_, key)| key.clone()).collect();
        let sent: Vec<String> = (0..20).map(|i| format!("k{i:02}")).collect();
        assert_eq!(keys, sent, "{released}");
        assert!(
            applied[0].0.starts_with(released) && applied[19].0.starts_with(released),
            "{applied:?}"
        );
        assert_eq!((result.messages.lost, result.messages.blocked), (0, 0));
        assert!(settled(&result));
    }
}

/// The end of one clog once released messages that another clog of the same link was to hold.
#[test]
fn clogs_on_one_link_add_up() {
    let result = play(
        "[[fault]]\nat = '1s'\nfor = '3s'\nclog = { from = 'n1', to = 'n2' }\n\
         [[fault]]\nat = '2s'\nfor = '4s'\nclog = { from = 'all', to = 'n2' }\n\
         [[operation]]\nat = '1500ms'\nclient = 'a'\nput = { key = 'k', value = 'v' }\n",
    );
    assert_eq!(applied(&result, "n2"), [("6.001000000".to_owned(), "k".to_owned())]);
    assert!(settled(&result));
}

/// The write waits for n2, which is cut off, until the leader's timer of five seconds fires; faults
/// of the leader's clock decide when. Two overlapping drifts once left the clock at the rate of the
/// first for ever.
#[test]
fn drift_moves_timers_and_a_jump_moves_none() {
    let drift = |at: &str, lasts: &str, drift: &str| {
        let lasts = if lasts.is_empty() { String::new() } else { format!("for = '{lasts}'\n") };
        format!(
            r"[[fault]]
id = 'd{at}'
at = '{at}'
{lasts}clock-drift = {{ node = 'n1', drift = '{drift}' }}
"
        )
    };
    let jump =
        |by: &str| format!("[[fault]]\nat = '2s'\nclock-jump = {{ node = 'n1', by = '{by}' }}\n");
    let heal = "[[fault]]\nat = '3s'\nheal = 'd2s'\n";
    let cases = [
        (String::new(), 5_000),
        (jump("1h"), 5_000),
        (jump("-1h"), 5_000),
        (drift("2s", "", "100%"), 3_000),
        (drift("2s", "1s", "100%"), 4_000),
        (drift("2s", "", "100%") + heal, 4_000),
        (drift("2s", "2s", "-50%"), 6_000),
        // A second, half a second at twice the rate, a second at half the rate, and the rest.
        (drift("2s", "1s", "100%") + &drift("2500ms", "1s", "-50%"), 5_000),
        // One inside the other: 1 s, 0.5 s at twice the rate, 0.5 s at half, 1 s at twice, and the
        // rest.
        (drift("2s", "2s", "100%") + &drift("2500ms", "500ms", "-50%"), 3_750),
    ];
    for (faults, expected) in cases {
        let write = format!(
            r"[[operation]]
at = '1s'
client = 'a'
put = {{ key = 'k', value = 'v' }}
timeout = '9s'
expect = {{ degraded = true, after = '{expected}ms', within = '{expected}ms' }}
"
        );
        let cut = "[[fault]]\nat = '0s'\nisolate = 'n2'\n";
        let scenario =
            scenario("mode = 'sync'\nack-timeout = '5s'", &format!("{cut}{faults}{write}"));
        play_seed(&scenario, 1);
    }
}

#[test]
fn a_jump_and_an_offset_show_in_stamps() {
    let jump = "[[fault]]\nat = '1s'\nfor = '1s'\nclock-jump = { node = 'n1', by = '-20s' }\n";
    let put = |at: u32| {
        format!("[[operation]]\nat = '{at}ms'\nclient = 'a'\nput = {{ key = 'k', value = 'v' }}\n")
    };
    let result = play(&(jump.to_owned() + &put(500) + &put(1_500) + &put(2_500)));
    let stamps: Vec<i64> = result
        .history
        .entries()
        .iter()
        .map(|entry| entry.version.expect("accepted").timestamp / 1_000_000)
        .collect();
    assert_eq!(stamps, [500, 1_500 - 20_000, 2_500]);
}

#[test]
fn symbolic_targets_mean_live_nodes_at_the_time() {
    let crash = |target: &str| format!("[[fault]]\nat = '2s'\nfor = '1s'\ncrash = '{target}'\n");
    let hit = |faults: String, seed| {
        let scenario = scenario("mode = 'async'", &faults);
        let acts = acts(&play_seed(&scenario, seed));
        acts.into_iter().find_map(|act| act.strip_prefix("2.000000000 crash ").map(str::to_owned))
    };
    let first_down = "[[fault]]\nat = '1s'\nfor = '5s'\ncrash = 'n1'\n";
    let last_down = "[[fault]]\nat = '1s'\nfor = '5s'\ncrash = 'n3'\n";
    for (before, target, expected) in [
        ("", "leader", "n1"),
        ("", "lowest-id", "n1"),
        ("", "highest-id", "n3"),
        ("", "all", "n1 n2 n3"),
        ("", "n2", "n2"),
        (first_down, "leader", "nobody"),
        (first_down, "lowest-id", "n2"),
        (first_down, "all", "n2 n3"),
        (last_down, "highest-id", "n2"),
        (last_down, "follower", "n2"),
        (last_down, "n3", "nobody"),
    ] {
        assert_eq!(
            hit(before.to_owned() + &crash(target), 1).as_deref(),
            Some(expected),
            "{target}"
        );
    }
    let drawn = |target| {
        let mut seen: Vec<String> = (0..60).filter_map(|seed| hit(crash(target), seed)).collect();
        assert_eq!(seen.len(), 60);
        seen.sort();
        seen.dedup();
        seen
    };
    assert_eq!(drawn("follower"), ["n2", "n3"]);
    assert_eq!(drawn("majority"), ["n1 n2", "n1 n3", "n2 n3"]);
}

#[test]
fn a_fault_ends_by_itself_by_name_with_the_network_or_with_the_phase() {
    let split =
        |lasts: &str| format!("[[fault]]\nid = 'split'\nat = '1s'\n{lasts}partition = [['n1']]\n");
    let isolate = "[[fault]]\nid = 'alone'\nat = '1s'\nisolate = 'n3'\n";
    let heal = |what: &str| format!("[[fault]]\nat = '2s'\nheal = '{what}'\n");
    let ends = |faults: String| {
        let acts = acts(&play(&faults));
        acts.into_iter().filter(|act| act.ends_with(" heals")).collect::<Vec<_>>()
    };
    assert_eq!(ends(split("for = '3s'\n")), ["4.000000000 split heals"]);
    assert_eq!(ends(split("")), ["10.000000000 split heals"]);
    assert_eq!(ends(split("for = '3s'\n") + &heal("split")), ["2.000000000 split heals"]);
    assert_eq!(
        ends(split("") + isolate + &heal("split")),
        ["2.000000000 split heals", "10.000000000 alone heals"]
    );
    assert_eq!(
        ends(split("") + isolate + &heal("network")),
        ["2.000000000 split heals", "2.000000000 alone heals"]
    );
    assert_eq!(ends(split("for = '20s'\n")), ["10.000000000 split heals"], "it outlasts the phase");
}

#[test]
fn a_node_is_down_for_good_only_if_the_fault_says_so() {
    for (forever, up) in [("", true), ("forever = true\n", false)] {
        let result = play(&format!("[[fault]]\nat = '1s'\n{forever}crash = 'n3'\n"));
        assert_eq!(result.finals[2].up, up);
        assert!(settled(&result));
    }
    // A fault may still restart it, and then it is up.
    let result = play(
        "[[fault]]\nat = '1s'\nforever = true\ncrash = 'n3'\n[[fault]]\nat = '2s'\nrestart = 'n3'\n\
         [[expect.state]]\nat = '3s'\nnode = 'n3'\nrole = 'follower'\n",
    );
    assert!(result.finals[2].up);
}

/// When a crash was ended early by a restart, its own end once restarted the node again, out of a
/// later crash.
#[test]
fn the_end_of_a_crash_restarts_nobody_out_of_another() {
    play(
        "[[fault]]\nat = '1s'\nfor = '5s'\ncrash = 'n2'\n[[fault]]\nat = '2s'\nrestart = 'n2'\n\
         [[fault]]\nat = '3s'\nfor = '5s'\ncrash = 'n2'\n\
         [[expect.state]]\nat = '2s'\nnode = 'n2'\nrole = 'follower'\n\
         [[expect.state]]\nat = '7s'\nnode = 'n2'\nrole = 'down'\n\
         [[expect.state]]\nat = '8s'\nnode = 'n2'\nrole = 'follower'\n",
    );
}

/// Faults longer than the fault phase once ended amid settling: a clock jumped back, and a node
/// that had resumed was reported to resume again.
#[test]
fn what_outlasts_the_fault_phase_ends_with_it() {
    let rest = r"[[fault]]
at = '9s'
for = '3s'
clock-jump = { node = 'n1', by = '5s' }
[[fault]]
at = '9s'
for = '3s'
pause = 'n3'
[[fault]]
at = '9s'
for = '5s'
crash = 'n2'
";
    let expected = [
        "9.000000000 clock of n1 jumps by 5s",
        "9.000000000 pause n3",
        "9.000000000 crash n2",
        "10.000000000 the fault phase ends",
        "10.000000000 resume n3",
        "10.000000000 restart n2",
    ];
    assert_eq!(acts(&play(rest)), expected);
}

/// With random ties a fault at the last instant once came after the heal and stayed for ever.
#[test]
fn faults_at_the_first_and_the_last_instant() {
    let rest = "[[fault]]\nat = '0s'\ncrash = 'n1'\n[[fault]]\nat = '10s'\ncrash = 'n2'\n\
        [[fault]]\nat = '10s'\npartition = [['n1']]\n[[fault]]\nat = '10s'\npause = 'n3'\n";
    let result = play(rest);
    let expected = [
        "0.000000000 crash n1",
        "10.000000000 crash n2",
        "10.000000000 partition n1 | n2 n3",
        "10.000000000 pause n3",
        "10.000000000 the fault phase ends",
        "10.000000000 partition-10s heals",
        "10.000000000 resume n3",
        "10.000000000 restart n1 n2",
    ];
    assert_eq!(acts(&result), expected);
    let ties = scenario("mode = 'async'", rest);
    let config =
        splitbrain::config::Config { ties: splitbrain::config::EventOrder::Random, ..ties.config };
    for seed in 0..20 {
        let result = ties.protocol.run(&config, &ties.names, seed, RunOptions::default());
        assert!(settled(&result) && result.finals.iter().all(|node| node.up), "seed {seed}");
    }
}

/// The disk goes on while the process is paused: a write whose sync completes during a pause is
/// durable, even if the power is lost before the process hears of it.
#[test]
fn a_sync_that_completes_during_a_pause_is_durable() {
    let text = r"duration = '4s'
settle = '1s'
cluster.nodes = 1
disk.sync = '50ms'
[protocol.leader-follower]
wal.policy = 'fsync'
[[operation]]
at = '1s'
client = 'a'
put = { key = 'city', value = 'Raleigh' }
timeout = '100ms'
[[fault]]
at = '1010ms'
for = '2s'
pause = 'n1'
[[fault]]
at = '1200ms'
for = '300ms'
power-loss = 'n1'
[[expect.state]]
at = '2s'
node = 'n1'
key = 'city'
value = 'Raleigh'
";
    let scenario = read(text);
    // Unsynced data may survive by chance, so several seeds are needed.
    for seed in 0..20 {
        play_seed(&scenario, seed);
    }
}

/// Some faults once spared a node that was down. Its links, clocks and disk exist while its process
/// does not, and the process finds them as the fault left them.
#[test]
fn a_named_node_that_is_down_is_struck_all_the_same() {
    let down = "[[fault]]\nat = '1s'\nfor = '1s'\ncrash = 'n2'\n";
    let put = "[[operation]]\nat = '2500ms'\nclient = 'a'\nput = { key = 'k', value = 'v' }\n";
    let absent = "[[expect.state]]\nat = '3s'\nnode = 'n2'\nkey = 'k'\nabsent = true\n";
    let there = "[[expect.state]]\nat = '3s'\nnode = 'n3'\nkey = 'k'\nvalue = 'v'\n";
    for what in [
        "isolate = 'n2'",
        "isolate = ['n2']",
        "partition = [['n2']]",
        "block = { from = 'n1', to = 'n2' }",
        "clog = { from = 'n1', to = 'n2' }",
        "slow = { from = 'n1', to = 'n2', by = '10s' }",
        "drop = { from = 'n1', to = 'n2' }",
    ] {
        let fault = format!("[[fault]]\nat = '1500ms'\nfor = '2s'\n{what}\n");
        let result = play(&format!("{down}{fault}{put}{absent}{there}"));
        assert!(result.impacts.iter().all(|impact| !impact.hits_nobody), "{what}");
    }
    // The two others reach each other over n2 only.
    let bridge = "[[fault]]\nat = '1500ms'\nfor = '2s'\nbridge = 'n2'\n";
    play(&format!(
        "{down}{bridge}{put}[[expect.state]]\nat = '3s'\nnode = 'n3'\nkey = 'k'\nabsent = true\n"
    ));
    // `majority` and `all` include nodes that are down.
    play(&format!("{down}[[fault]]\nat = '1500ms'\nfor = '2s'\nisolate = 'all'\n{put}{absent}"));
    // Clocks: the leader's jumped and began to drift while the leader was down.
    let down = down.replace("n2", "n1");
    let clocks = "[[fault]]\nat = '1500ms'\nclock-jump = { node = 'n1', by = '-1h' }\n\
        [[fault]]\nat = '1500ms'\nclock-drift = { node = 'n1', drift = '10%' }\n";
    let result = play(&format!("{down}{clocks}{put}"));
    let version = result.history.entries()[0].version.expect("accepted");
    assert_eq!(version.timestamp / 1_000_000, 1_500 + 1_100 - 3_600_000);
    // The disk: it cannot be read, so the starting process gives up.
    let disk = "[[fault]]\nat = '1500ms'\nfor = '1s'\nread-error = 'n2'\n\
        [[expect.state]]\nat = '2400ms'\nnode = 'n2'\nrole = 'down'\n";
    play(&format!("[[fault]]\nat = '1s'\nfor = '1s'\ncrash = 'n2'\n{disk}"));
}

/// A fault that finds no target does nothing, and says so in the report.
#[test]
fn a_fault_that_hits_nobody_is_a_warning() {
    let warnings = |faults: &str| {
        let text = format!("[[fault]]\nid = 'first'\nat = '1s'\ncrash = 'n1'\n{faults}");
        let scenario = scenario("mode = 'async'", &text);
        let result = scenario.run(1, RunOptions::default());
        splitbrain::report::Report::of("t", &scenario.config, &result).0.warnings
    };
    let of = |what: &str| warnings(&format!("[[fault]]\nid = 'x'\nat = '2s'\n{what}\n"));
    for (what, why) in [
        ("crash = 'n1'", "n1 is down"),
        ("pause = 'n1'", "n1 is down"),
        ("restart = 'n3'", "n3 is up"),
        ("restart = ['n2', 'n3']", "n2 and n3 are up"),
        ("resume = 'n3'", "n3 is not paused"),
        ("crash = 'leader'", "nobody leads"),
        ("isolate = 'leader'", "nobody leads"),
        ("bridge = 'leader'", "nobody leads"),
        ("power-loss = 'leader'", "nobody leads"),
        ("clock-jump = { node = 'leader', by = '1s' }", "nobody leads"),
        ("clock-drift = { node = 'leader', drift = '1%' }", "nobody leads"),
        ("slow-disk = { node = 'leader', by = '1s' }", "nobody leads"),
        ("slow = { to = 'leader', by = '1s' }", "nobody leads"),
        ("block = { from = 'leader' }", "nobody leads"),
        ("partition = [['n1', 'n2', 'n3']]", "all nodes reach one another as before"),
        ("heal = 'network'", "no fault is on the network"),
        ("flip-bit = { node = 'n2' }", "nothing is written there"),
    ] {
        assert_eq!(of(what), [format!("x hits nobody at 2.000s: {why}")], "{what}");
    }
    for what in [
        "restart = 'n1'",
        "isolate = 'n1'",
        "power-loss = 'n1'",
        "pause = 'lowest-id'",
        "crash = 'all'",
        "heal = 'first'",
        "slow = { to = 'n1', by = '1s' }",
    ] {
        assert_eq!(of(what), [""; 0], "{what}");
    }
}
