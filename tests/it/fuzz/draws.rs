//! What a campaign draws: kinds, lengths and strengths as its scenario says, and the same case
//! whenever it is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::{fs, thread};

use splitbrain::config::{
    Config, DiskFault, Fault, FaultAction, LogMoment, Occurrence, Start, Target, Trigger,
};
use splitbrain::fuzz::judge::JudgedProperties;
use splitbrain::fuzz::target::{FuzzCase, FuzzTarget};
use splitbrain::id::NodeId;
use splitbrain::named::Named;
use splitbrain::names::Names;
use splitbrain::run::RunOptions;
use splitbrain::sampler::Distribution;
use splitbrain::scenario::fuzz::Kind;
use splitbrain::scenario::{Document, Registry};
use splitbrain::time::{Span, Time};

use crate::support::cli::{command_in, files, text};
use crate::support::scenario::{parse, read_with};

/// A cluster of five, with bounds of its own for everything that can be drawn.
const GROUND: &str = r#"
duration = "3s"
settle = "10s"
[cluster]
nodes = 5
[protocol.leader-follower]
mode = "semi-sync"
write-quorum = 2
wal.policy = "fsync"
[protocol.leader-follower.failover]
election = "majority-vote"
heartbeat = "50ms"
timeout = "150ms"
catch-up = "log"
[disk]
sync = "2ms"
[workload]
operations = 50
[fuzz]
kinds = "all"
faults = [2, 9]
for = ["5ms", "300ms"]
swarm = false
clock-offset = "400ms"
clock-jump = "700ms"
clock-drift = "5%"
slow = "90ms"
loss = "60%"
"#;

const SEED: u64 = 11;

fn target_of(text: &str, sets: &[&str]) -> FuzzTarget {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    FuzzTarget::new("ground.toml", text.as_bytes().to_vec(), &Registry::new(), &sets)
        .unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn target(sets: &[&str]) -> FuzzTarget {
    target_of(GROUND, sets)
}

/// The drawn faults, each counted once: a node that comes back with an empty disk takes two, a
/// crash and a restart.
fn drawn(config: &Config) -> Vec<(&Fault, &'static str)> {
    let mut drawn = Vec::new();
    for (place, fault) in config.faults.iter().enumerate() {
        let next = config.faults.get(place + 1).map(|fault| &fault.action);
        match fault.action {
            FaultAction::Restart { .. } => {}
            FaultAction::Crash(_) if matches!(next, Some(FaultAction::Restart { .. })) => {
                drawn.push((fault, "empty-disk"));
            }
            _ => drawn.push((fault, FaultAction::KINDS[fault.action.kind()])),
        }
    }
    drawn
}

fn cases(target: &FuzzTarget, count: u64) -> impl Iterator<Item = FuzzCase> {
    (0..count).map(|index| target.case(SEED, index))
}

/// Pearson's chi-square of these counts against all being equally likely.
fn chi_square(counts: &[u64]) -> f64 {
    let all: u64 = counts.iter().sum();
    let expected = all as f64 / counts.len() as f64;
    counts.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum()
}

#[test]
fn every_number_of_faults_within_the_bounds_is_as_likely() {
    let target = target(&[]);
    let mut counts: BTreeMap<usize, u64> = BTreeMap::new();
    for case in cases(&target, 4_000) {
        *counts.entry(drawn(case.config()).len()).or_default() += 1;
    }
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), (2..=9).collect::<Vec<_>>());
    // Seven degrees of freedom: above 24.3 once in a thousand.
    let far = chi_square(&counts.into_values().collect::<Vec<_>>());
    assert!(far < 24.3, "{far}");

    let one = self::target(&["fuzz.faults=3"]);
    assert!(cases(&one, 200).all(|case| drawn(case.config()).len() == 3));
}

#[test]
fn every_kind_is_as_likely_as_any_other() {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for case in cases(&target(&[]), 4_000) {
        for (_, kind) in drawn(case.config()) {
            *counts.entry(kind).or_default() += 1;
        }
    }
    // A clock that is wrong from the start is no fault.
    let expected: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    let found: BTreeSet<&str> = counts.keys().copied().chain(["clock-offset"]).collect();
    assert_eq!(found, expected);
    // 19 degrees of freedom: above 43.8 once in a thousand.
    let far = chi_square(&counts.values().copied().collect::<Vec<_>>());
    assert!(far < 43.8, "{far}: {counts:?}");
}

#[test]
fn what_is_not_listed_or_not_possible_is_not_drawn() {
    let two = target(&[
        "cluster.nodes=2",
        "protocol.leader-follower.write-quorum=1",
        "fuzz.kinds=['bridge', 'majorities-ring', 'crash', 'slow-disk']",
    ]);
    let kinds: BTreeSet<&str> = cases(&two, 300)
        .flat_map(|case| drawn(case.config()).into_iter().map(|(_, kind)| kind).collect::<Vec<_>>())
        .collect();
    assert_eq!(kinds, BTreeSet::from(["crash", "slow-disk"]));
}

#[test]
fn swarm_testing_switches_each_kind_off_in_half_of_the_cases() {
    // So many faults that an enabled kind is hardly ever missing.
    let target = target(&["fuzz.swarm=true", "fuzz.faults=300"]);
    let cases_played = 400;
    let (mut on, mut sizes) = (BTreeMap::<&str, u64>::new(), Vec::new());
    for case in cases(&target, cases_played) {
        let mut kinds: BTreeSet<&str> =
            drawn(case.config()).into_iter().map(|(_, kind)| kind).collect();
        if case.config().clocks.iter().any(|clock| clock.offset_ns != 0) {
            kinds.insert("clock-offset");
        }
        sizes.push(kinds.len());
        for kind in kinds {
            *on.entry(kind).or_default() += 1;
        }
    }
    assert_eq!(on.len(), Kind::ALL.len());
    for (kind, count) in on {
        // Half of 400, and five standard deviations of 10 either way.
        assert!((150..=250).contains(&count), "{kind} in {count} of {cases_played}");
    }
    // Kinds are switched one by one: of 21 there are not always ten, and rarely all or none.
    let (least, most) = (sizes.iter().min(), sizes.iter().max());
    assert!(least < Some(&7) && most > Some(&14), "{least:?} to {most:?} kinds");
}

#[test]
fn times_lie_within_their_bounds_and_reach_all_of_them() {
    let (mut starts, mut lengths, mut tied, mut timed) = ([0_u64; 10], Vec::new(), 0_u64, 0_u64);
    for case in cases(&target(&[]), 2_000) {
        let duration = case.config().duration.nanos();
        for (fault, kind) in drawn(case.config()) {
            match fault.start {
                Start::At(at) => {
                    assert!(at.nanos() < duration, "{fault:?}");
                    starts[(at.nanos() * 10 / duration) as usize] += 1;
                    timed += 1;
                }
                Start::When(moment) => {
                    assert!(moment.nth > 0, "{fault:?}");
                    tied += 1;
                }
            }
            match fault.lasts {
                Some(lasts) => lengths.push(lasts),
                None => assert!(["empty-disk", "flip-bit"].contains(&kind), "{fault:?}"),
            }
        }
    }
    let all = tied + timed;
    // A quarter, and six standard deviations.
    let off = (tied as f64 - all as f64 / 4.0).abs();
    assert!(off < 6.0 * (all as f64 * 0.1875).sqrt(), "{tied} of {all} are tied to moments");
    // Uniform is four in ten, so a tenth has a 25th at the least.
    assert!(starts.iter().all(|count| *count > timed / 40), "{starts:?}");

    let (least, most) = (Span::from_millis(5), Span::from_millis(300));
    assert!(lengths.iter().all(|length| (least..=most).contains(length)));
    let share =
        |of: &dyn Fn(&&Span) -> bool| lengths.iter().filter(of).count() * 100 / lengths.len();
    assert!(share(&|length| **length < Span::from_millis(20)) > 10);
    assert!(share(&|length| **length > Span::from_millis(200)) > 10);
    let none = target(&["fuzz.moments=false"]);
    let is_timed = |fault: &Fault| matches!(fault.start, Start::At(_));
    assert!(cases(&none, 300).all(|case| case.config().faults.iter().all(is_timed)));
}

#[test]
fn faults_are_tied_to_moments_of_the_log_where_that_is_asked_for() {
    let moments = |sets: &[&str]| {
        let mut counts: BTreeMap<Option<LogMoment>, u64> = BTreeMap::new();
        for case in cases(&target(sets), 600) {
            for fault in &case.config().faults {
                let Start::When(Trigger { what, .. }) = fault.start else { continue };
                let moment = if let Occurrence::OfLog(moment) = what { Some(moment) } else { None };
                *counts.entry(moment).or_default() += 1;
            }
        }
        counts
    };
    assert_eq!(moments(&[]).into_keys().collect::<Vec<_>>(), [None]);
    let of_log = moments(&["fuzz.moments='log'"]);
    let has = [LogMoment::Votes, LogMoment::Truncates, LogMoment::Installs];
    let drawn: Vec<_> = of_log.keys().copied().collect();
    assert_eq!(drawn, [None].into_iter().chain(has.map(Some)).collect::<Vec<_>>());
    let (all, others) = (of_log.values().sum::<u64>(), of_log[&None]);
    // A third of all.
    assert!((60..73).contains(&(others * 100 / all)), "{of_log:?}");
    // Without a log there are none.
    let none = ["fuzz.moments='log'", "protocol.leader-follower.failover.catch-up='full-state'"];
    assert_eq!(moments(&none).into_keys().collect::<Vec<_>>(), [None]);
}

/// How large each drawn value is, in per cent of its maximum.
fn amounts(case: &FuzzCase, fault: &Fault) -> Option<(&'static str, i64)> {
    let percent = |part: i64, most: i64| part * 100 / most;
    let longer = |extra: &Distribution| {
        let Distribution::Constant(extra) = extra else { panic!("{extra:?}") };
        percent(extra.nanos() as i64, 90_000_000)
    };
    assert_eq!(case.config().clocks.len(), 5);
    Some(match &fault.action {
        FaultAction::ClockJump { by_ns, .. } => ("clock-jump", percent(*by_ns, 700_000_000)),
        FaultAction::ClockDrift { ppb, .. } => ("clock-drift", percent(*ppb, 50_000_000)),
        FaultAction::Slow { extra, .. } => ("slow", longer(extra)),
        FaultAction::Disk { fault: DiskFault::Slow(extra), .. } => ("slow-disk", longer(extra)),
        FaultAction::Drop { probability, .. } => {
            ("drop", percent(probability.parts_per_billion().into(), 600_000_000))
        }
        _ => return None,
    })
}

#[test]
fn clocks_links_and_disks_are_off_by_as_much_as_they_may_be_and_no_more() {
    let mut seen: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    let (mut right, mut clocks) = (0, 0);
    for case in cases(&target(&[]), 2_000) {
        let faults = case.config().faults.iter();
        for (what, percent) in faults.filter_map(|fault| amounts(&case, fault)) {
            seen.entry(what).or_default().push(percent);
        }
        for clock in &case.config().clocks {
            clocks += 1;
            right += u64::from(clock.offset_ns == 0);
            seen.entry("clock-offset").or_default().push(clock.offset_ns * 100 / 400_000_000);
        }
    }
    assert_eq!(clocks, 10_000);
    assert!((4_800..5_300).contains(&right), "{right} clocks of {clocks} are right");
    for (what, percents) in seen {
        let (least, most) = (percents.iter().min(), percents.iter().max());
        let (low, lowest) = if what.starts_with("clock") { (-97, -100) } else { (3, 0) };
        assert!(most >= Some(&97) && most <= Some(&100), "{what}: up to {most:?}%");
        assert!(least <= Some(&low) && least >= Some(&lowest), "{what}: down to {least:?}%");
    }
}

/// How many nodes a fault stops, computed in another way than by the generator.
fn stops(fault: &Fault, nodes: u16) -> u16 {
    let (FaultAction::Crash(target) | FaultAction::PowerLoss(target) | FaultAction::Pause(target)) =
        &fault.action
    else {
        return 0;
    };
    match target {
        Target::Nodes(named) => named.iter().collect::<BTreeSet<&NodeId>>().len() as u16,
        Target::All => nodes,
        Target::Majority => (nodes + 2) / 2,
        _ => 1,
    }
}

/// The most nodes that can be stopped at once: at each start of a fault, all active faults and all
/// with `when`, which may start just then.
fn most_stopped(config: &Config) -> u16 {
    let nodes = config.cluster.nodes;
    let at = |fault: &Fault| match fault.start {
        Start::At(at) => Some(at),
        Start::When(_) => None,
    };
    let until = |place: usize, from: Time| match config.faults[place].lasts {
        Some(lasts) => from + lasts,
        None => config.faults.get(place + 1).and_then(at).expect("the restart comes next"),
    };
    let any_time = config.faults.iter().filter(|fault| at(fault).is_none());
    let tied: u16 = any_time.map(|fault| stops(fault, nodes)).sum();
    let starts = config.faults.iter().filter_map(at);
    let under_way = |now: Time| -> u16 {
        let faults = config.faults.iter().enumerate().filter(|(_, fault)| stops(fault, nodes) > 0);
        let covers = faults.filter(|(place, fault)| {
            at(fault).is_some_and(|from| from <= now && now <= until(*place, from))
        });
        covers.map(|(_, fault)| stops(fault, nodes)).sum()
    };
    tied + starts.map(under_way).max().unwrap_or(0)
}

#[test]
fn no_more_nodes_are_down_at_once_than_the_budget_allows() {
    let kinds = "fuzz.kinds=['crash', 'power-loss', 'empty-disk', 'pause', 'isolate']";
    for budget in 1..=5_u16 {
        let set = format!("fuzz.max-down={budget}");
        let target = target(&[kinds, &set]);
        let (mut reached, mut others) = (0, 0);
        for (index, case) in cases(&target, 1_000).enumerate() {
            assert_eq!(case.scope(), JudgedProperties::All);
            let most = most_stopped(case.config());
            assert!(
                most <= budget,
                "case {index}: {most} of {budget}: {:#?}",
                case.config().faults
            );
            reached += u64::from(most == budget);
            let isolates = |fault: &&Fault| matches!(fault.action, FaultAction::Isolate(_));
            others += case.config().faults.iter().filter(isolates).count();
        }
        assert!(
            reached > 100,
            "{budget}: a budget that is used {reached} times in 1,000 says little"
        );
        assert!(others > 1_000, "{budget}: what stops nobody is not in the budget: {others}");
    }
    let unlimited = target(&[kinds]);
    assert!(cases(&unlimited, 300).all(|case| case.scope() == JudgedProperties::Safety));
    let most = cases(&unlimited, 300).map(|case| most_stopped(case.config())).max();
    assert!(most > Some(10), "{most:?}");
}

/// Losses, duplicates and drops of messages between nodes, as often as configured.
#[test]
fn messages_are_lost_duplicated_and_dropped_as_often_as_configured() {
    let counts = |sets: &[&str]| {
        let text = r#"duration = "60s"
[cluster]
nodes = 5
[protocol.leader-follower]
mode = "async"
[workload]
clients = 1
operations = 4000
mix = { put = 1 }
"#;
        let result = read_with(text, sets).run(SEED, RunOptions::default());
        assert_eq!(result.history.entries().len(), 4_000);
        // A client's request and the answer are never lost.
        (result.messages.clone(), (result.messages.sent - 8_000) as f64)
    };
    let near = |found: u64, of: f64, share: f64, what: &str| {
        let (expected, deviation) = (of * share, (of * share * (1.0 - share)).sqrt());
        let off = (found as f64 - expected).abs();
        assert!(off < 4.0 * deviation, "{what}: {found} of {of}, expected {expected} or so");
    };
    let (quiet, all) = counts(&[]);
    assert_eq!((quiet.lost, quiet.duplicated, quiet.blocked), (0, 0, 0));
    assert!(all >= 32_000.0, "{all}");
    for percent in [1_u32, 10, 50] {
        let share = f64::from(percent) / 100.0;
        let (found, all) = counts(&[&format!("network.loss={percent}%")]);
        near(found.lost, all, share, "lost");
        let (found, all) = counts(&[&format!("network.duplication={percent}%")]);
        near(found.duplicated, all, share, "duplicated");
        let drop = "drop = { probability =";
        let fault = format!("fault=[{{ at = \"0s\", for = \"60s\", {drop} \"{percent}%\" }} }}]");
        let (found, all) = counts(&[&fault]);
        near(found.blocked, all, share, "dropped");
        assert_eq!((found.lost, found.duplicated), (0, 0));
    }
    // A lost message is not duplicated.
    let (found, all) = counts(&["network.loss=20%", "network.duplication=30%"]);
    near(found.lost, all, 0.2, "lost beside duplicates");
    near(found.duplicated, all - found.lost as f64, 0.3, "duplicated beside losses");
}

/// All that makes a case: its seed and its scenario.
type Whole = (u64, (Config, Arc<Names>, String));

fn whole(case: &FuzzCase) -> Whole {
    let protocol = case.scenario().protocol.encode().to_string();
    (case.seed(), (case.config().clone(), Arc::clone(case.names()), protocol))
}

/// Scenarios with everything: five nodes with random settings, appends, lists, reads of any
/// replica, an open loop, and settings that change during the run.
fn varied() -> Vec<(&'static str, FuzzTarget)> {
    let settings = "\n[fuzz.settings]\n\"cluster.nodes\" = [3, 5]\n\
         \"protocol.leader-follower.timestamps\" = [\"wall\", \"term-sequence\"]\n\
         \"network.loss\" = { from = \"0%\", to = \"7%\" }\n\"network.delay\" = { from = \"1ms\", \
         to = \"20ms\" }\n\
         \"workload.operations\" = { from = 10, to = 60 }\n";
    let mix = "workload.mix={ put = 3, append = 2, delete = 1, get = 2, list = 1, read-all = 1 }";
    let change = "change=[{ at = '1s', set = { 'network.loss' = '5%', 'workload.mix' = { put = 1, \
                  get = 1 } } }]";
    vec![
        ("all kinds", target(&["fuzz.swarm=true"])),
        ("settings drawn", target_of(&format!("{GROUND}{settings}"), &["fuzz.swarm=true"])),
        ("appends and lists", target(&[mix, "workload.read-from=any", "workload.retries=2"])),
        ("open loop", target(&[mix, "workload.open={ rate = '100/s', burst = 3 }"])),
        ("a short phase", target(&["duration=170ms", "fuzz.for=['5ms', '150ms']"])),
        ("changes", target(&[change, "network.delay={ exponential = '5ms' }", "fuzz.max-down=2"])),
    ]
}

#[test]
fn a_case_is_a_function_of_its_seed_and_its_number() {
    for (name, target) in varied() {
        let first: Vec<_> = cases(&target, 60).map(|case| whole(&case)).collect();
        let mut backwards: Vec<_> =
            (0..60).rev().map(|index| whole(&target.case(SEED, index))).collect();
        backwards.reverse();
        assert!(first == backwards, "{name}: in another order");
        let (first, target) = (&first, &target);
        thread::scope(|scope| {
            for place in 0..4 {
                scope.spawn(move || {
                    for index in (place..60).step_by(4) {
                        let again = whole(&target.case(SEED, index as u64));
                        assert!(again == first[index], "{name}: case {index} on a thread");
                    }
                });
            }
        });
        let seeds: BTreeSet<u64> = first.iter().map(|(seed, ..)| *seed).collect();
        assert_eq!(seeds.len(), 60, "{name}: each case has luck of its own");
        let same = |a: &Whole, b: &Whole| a.1 == b.1;
        let twins = (1..60).filter(|index| first[..*index].iter().any(|a| same(a, &first[*index])));
        assert_eq!(twins.count(), 0, "{name}: different cases differ");
        assert!(!same(&first[0], &whole(&target.case(SEED + 1, 0))), "{name}: so do campaigns");
    }
}

#[test]
fn a_case_written_as_a_file_is_the_same_run() {
    for (name, target) in varied() {
        let mut digests = BTreeSet::new();
        for (index, case) in cases(&target, 60).enumerate() {
            let protocol = case.scenario().protocol.as_ref();
            let text = Document::of_settings(case.config(), case.names(), protocol).render();
            let read = parse(&text, &[]);
            let read =
                read.unwrap_or_else(|mistakes| panic!("{name}, {index}: {mistakes}\n{text}"));
            assert!(
                read.config == *case.config() && read.names == *case.names(),
                "{name}, {index}:\n{text}"
            );
            let options = RunOptions::default();
            let (drawn, read) = (case.run(options), read.run(case.seed(), options));
            assert_eq!(drawn.digest, read.digest, "{name}, {index}:\n{text}");
            assert_eq!(drawn.verdict, read.verdict, "{name}, {index}");
            digests.insert(drawn.digest.to_string());
        }
        assert!(digests.len() == 60, "{name}: {} runs", digests.len());
    }
}

#[test]
fn no_environment_variable_of_proptest_has_a_say() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("ground.toml");
    fs::write(&file, format!("{GROUND}\n[expect]\ndurability = \"valid\"\n")).expect("written");
    let campaign = |name: &str, variables: &[(&str, &str)]| {
        let args = ["fuzz", "--runs", "60", "--quiet", "--out", name, "ground.toml"];
        let mut command = command_in(home.path(), &args);
        let done = command.envs(variables.iter().copied()).output().expect("it starts");
        assert_eq!((done.status.code(), text(&done.stderr)), (Some(1), String::new()));
        files(&home.path().join(name))
    };
    let plain = campaign("plain", &[]);
    assert!(plain.keys().any(|name| name.ends_with(".toml")), "nothing was shrunk: {plain:?}");
    let variables = [
        ("PROPTEST_CASES", "1"),
        ("PROPTEST_MAX_LOCAL_REJECTS", "1"),
        ("PROPTEST_MAX_GLOBAL_REJECTS", "1"),
        ("PROPTEST_MAX_SHRINK_ITERS", "1"),
        ("PROPTEST_MAX_SHRINK_TIME", "1"),
        ("PROPTEST_MAX_DEFAULT_SIZE_RANGE", "1"),
        ("PROPTEST_VERBOSE", "2"),
        ("PROPTEST_RNG_ALGORITHM", "xs"),
        ("PROPTEST_RNG_SEED", "7"),
        ("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "0"),
    ];
    assert!(campaign("set", &variables) == plain);
}

/// Values that never fit together were once left out silently, and the campaign reported no find.
#[test]
fn settings_that_never_fit_one_another_are_refused() {
    let text = r"[cluster]
nodes = 5
[protocol.leader-follower]
mode = 'semi-sync'
write-quorum = 1
[fuzz.settings]
'cluster.nodes' = [3]
'protocol.leader-follower.write-quorum' = [4]
";
    let refused =
        FuzzTarget::new("s.toml", text.into(), &Registry::new(), &[]).expect_err("four of two");
    let shown = refused.render(false);
    assert!(shown.contains("the values do not fit one another"), "{shown}");
    let fits = text.replace("nodes' = [3]", "nodes' = [3, 5]");
    let target =
        FuzzTarget::new("s.toml", fits.into(), &Registry::new(), &[]).expect("four of four");
    assert!((0..20).all(|case| target.case(1, case).config().cluster.nodes == 5));
}
