//! Phases, settling, ties, the trace, changes on the way, and time that stands still.

use splitbrain::config::{Change, Config, EventOrder, Pace, ScriptedOperation};
use splitbrain::history::HistoryEvent;
use splitbrain::metrics::{Settlement, Standstill};
use splitbrain::names::Names;
use splitbrain::protocol::leader_follower::{LeaderFollower, Mode};
use splitbrain::run::{RunOptions, RunResult, RunVerdict, run};
use splitbrain::sampler::Distribution;
use splitbrain::scenario::Scenario;
use splitbrain::time::{Span, Time};

use crate::support::cluster;
use crate::support::scenario::read;

fn scenario(cluster: &str, rest: &str) -> Scenario {
    let text = format!("title = 't'\nduration = '1s'\nsettle = '2s'\n{cluster}\n{rest}");
    read(&text)
}

fn play(config: &Config, mode: Mode, seed: u64) -> RunResult {
    let names = cluster::names(config);
    run::<LeaderFollower>(config, &names, &cluster::settings(mode), seed, RunOptions::default())
}

const TWO: &str = "[cluster]\nnodes = 2\n[protocol.leader-follower]\nmode = 'sync'\n";

#[test]
fn the_trace_of_one_write_over_a_bad_link() {
    let rest = "ack-timeout = '30ms'\n[network]\ndelay = { constant = '5ms' }\n\
        [[operation]]\nat = '10ms'\nclient = 'ann'\nput = { key = 'city', value = 'Oslo' }\n\
        [[operation]]\nat = '50ms'\nclient = 'ann'\nput = { key = 'city', value = 'Rome' }\n\
        [[fault]]\nid = 'cut'\nat = '40ms'\npartition = [['n1']]\n\
        [[fault]]\nat = '900ms'\ncrash = 'n2'\n";
    let result = scenario(TWO, rest).run(1, RunOptions { trace: true, ..RunOptions::default() });
    let expected = "\
       time (s)  who       what        content
    0.000000000  n1        . role      leader of term 1
    0.000000000  n2        . role      follower of term 1
    0.010000000  ann       invoke      due at 0.010000000
    0.010000000  ann       . ask       put city=Oslo
    0.010000000  n1        request     ann asks put city=Oslo (attempt 1)
    0.010000000  n1        . accept    city 0.010000000@n1#1
    0.010000000  n1        . apply     city 0.010000000@n1#1
    0.015000000  n2        deliver     replicate from n1: city=Oslo 0.010000000@n1#1
    0.015000000  n2        . apply     city 0.010000000@n1#1
    0.020000000  n1        deliver     ack from n2: 0.010000000@n1#1
    0.020000000  ann       answer      from n1: ok, version 0.010000000@n1#1, confirmed by 1 of 1
    0.040000000  nemesis   fault       cut starts
    0.040000000  nemesis   . act       partition n1 | n2
";
    let trace = result.trace.expect("a trace was asked for");
    assert!(trace.trim_start().starts_with(expected), "{trace}");
    for line in [
        "    0.050000000  n1        . blocked   replicate to n2: city=Rome 0.050000000@n1#2",
        "    0.080000000  ann       answer      from n1: ok, version 0.050000000@n1#2, confirmed \
         by 0 of 1, degraded",
        "    0.900000000  nemesis   fault       crash-900ms starts",
        "    1.000000000  nemesis   heal        the fault phase ends",
        "    1.000000000  n2        . role      follower of term 1",
        "    1.000000000  nemesis   settled?",
    ] {
        assert!(trace.lines().any(|other| other == line), "{line}\n{trace}");
    }
}

#[test]
fn a_run_settles_as_soon_as_nothing_is_left_or_says_what_is() {
    let write = r"[[operation]]
at = '999ms'
client = 'a'
put = { key = 'k', value = 'v' }
timeout = '9s'
";
    let network = |delay: &str| format!("[network]\ndelay = {{ constant = '{delay}' }}\n");
    let isolate = "[[fault]]\nat = '0s'\nisolate = 'n2'\n";
    let outcome = |rest: String| scenario(TWO, &rest).run(1, RunOptions::default()).settlement;
    assert_eq!(outcome(network("1ms")), Settlement::Settled { after: Span::ZERO });
    // The round trip takes until 1.199 s; the run checks for settling every millisecond at first
    // and then every eighth of the phase.
    let Settlement::Settled { after } = outcome(network("100ms") + write) else {
        panic!("unsettled")
    };
    assert!(after >= Span::from_millis(199) && after < Span::from_millis(225), "{after:?}");
    let unsettled = |rest: String| match outcome(rest) {
        Settlement::Unsettled { waiting_for } => waiting_for.join("; "),
        other => panic!("{other:?}"),
    };
    let slow = unsettled(network("5s") + write);
    assert!(slow.contains("a waits for n1 to answer put k=v"), "{slow}");
    assert!(slow.contains("a message is on its way"), "{slow}");
    assert!(slow.contains("n1 and n2 differ: k is v and nothing"), "{slow}");
    let quick = "on-ack-timeout = 'succeed'\nack-timeout = '100ms'\n".to_owned();
    let behind = unsettled(quick + &network("1ms") + isolate + write);
    assert!(behind.ends_with("n1 and n2 differ: k is v and nothing"), "{behind}");
}

/// A client that was thinking when the fault phase ended once invoked another operation.
#[test]
fn nobody_invokes_in_the_settling_phase() {
    for pace in [
        Pace::Closed { think: cluster::uniform_ms(1, 900) },
        Pace::Open { interval: cluster::uniform_ms(1, 900), burst: 3 },
    ] {
        let mut config = cluster::config(3);
        cluster::set_clients(&mut config, 5, 1);
        (config.duration, config.settle) = (Span::from_secs(3), Span::from_secs(3));
        // Slow enough that clients are active and the cluster is unsettled when the phase ends.
        config.network.default.delay = cluster::uniform_ms(0, 900);
        let workload = config.workload.as_mut().expect("a workload");
        (workload.pace, workload.operations) = (pace, None);
        let end = Time::ZERO + config.duration;
        for seed in 0..10 {
            let result = play(&config, Mode::Sync, seed);
            assert!(result.history.entries().iter().all(|entry| entry.invoked_at <= end), "{seed}");
            assert!(result.history.entries().len() > 5 && result.ended_at > end);
        }
    }
}

#[test]
fn a_loop_without_time_ends_as_stuck_and_one_with_a_limit_ends() {
    let mut config = cluster::config(1);
    cluster::set_clients(&mut config, 3, 0);
    config.network.default.delay = Distribution::Constant(Span::ZERO);
    config.workload.as_mut().expect("a workload").operations = None;
    let stuck = play(&config, Mode::Async, 1);
    let Settlement::Stuck { at, why: Standstill::Loop { events } } = stuck.settlement else {
        panic!("{:?}", stuck.settlement)
    };
    assert_eq!((at, stuck.verdict), (Time::ZERO, RunVerdict::Unknown));
    assert!((500_000..600_000).contains(&events), "{events}");
    config.workload.as_mut().expect("a workload").operations = Some(100_000);
    config.cluster.nodes = 3;
    config.clocks.resize(3, splitbrain::config::Clock::default());
    let limited = play(&config, Mode::Sync, 1);
    assert_eq!(limited.settlement, Settlement::Settled { after: Span::ZERO });
    assert!(limited.events > 500_000 && limited.history.entries().len() == 100_000);
}

#[test]
fn random_ties_explore_orders_that_constant_delays_hide() {
    let mut config = cluster::config(4);
    cluster::set_clients(&mut config, 4, 40);
    let digests = |config: &Config| {
        let mut digests: Vec<_> = (0..20)
            .map(|seed| {
                let result = play(config, Mode::Sync, seed);
                assert_eq!(result.digest, play(config, Mode::Sync, seed).digest);
                assert!(matches!(result.settlement, Settlement::Settled { .. }));
                assert_eq!(result.verdict, RunVerdict::Pass);
                // The order of completion in the first round of four.
                let first = |event: &HistoryEvent| match event {
                    HistoryEvent::Complete(op) => Some(result.history.entry(*op).client),
                    _ => None,
                };
                result.history.events().collect::<Vec<_>>().iter().find_map(first)
            })
            .collect();
        digests.sort();
        digests.dedup();
        digests.len()
    };
    assert_eq!(digests(&config), 1);
    config.ties = EventOrder::Random;
    assert_eq!(digests(&config), 4);
}

#[test]
fn the_history_is_in_event_order() {
    let mut config = cluster::config(3);
    cluster::set_clients(&mut config, 4, 200);
    config.network.default.delay = cluster::uniform_ms(0, 5);
    let result = play(&config, Mode::Sync, 1);
    let at = |event: &HistoryEvent| match event {
        HistoryEvent::Invoke(op) => result.history.entry(*op).invoked_at,
        HistoryEvent::Complete(op) => result.history.entry(*op).completed_at,
        HistoryEvent::Nemesis(index) => result.history.nemesis()[*index].at,
    };
    let events: Vec<HistoryEvent> = result.history.events().collect();
    assert_eq!(events.len(), 2 * 200 + 1, "and the end of the fault phase");
    assert!(events.is_sorted_by_key(at));
    // A client has one operation at a time: invocations and completions alternate.
    for client in 0..4 {
        let mine = result.history.entries().iter().filter(|entry| entry.client.0 == client);
        let mine: Vec<_> = mine.collect();
        assert!(mine.windows(2).all(|pair| pair[0].precedes(pair[1])));
    }
}

#[test]
fn settings_change_on_the_way() {
    let mut config = cluster::config(2);
    cluster::set_clients(&mut config, 1, 0);
    let mut later = config.clone();
    later.network.default.delay = Distribution::Constant(Span::from_millis(10));
    let load = later.workload.as_mut().expect("a workload");
    load.pace = Pace::Closed { think: Distribution::Constant(Span::from_millis(30)) };
    config.workload.as_mut().expect("a workload").operations = None;
    config.duration = Span::from_secs(2);
    config.changes = vec![Change {
        at: Time::ZERO + Span::from_secs(1),
        set: vec![],
        network: later.network,
        workload: later.workload,
    }];
    let result = play(&config, Mode::Sync, 1);
    let count = |from: u64, to: u64, latency: u64| {
        let within = |at: Time| {
            (Time::ZERO + Span::from_millis(from)..Time::ZERO + Span::from_millis(to)).contains(&at)
        };
        let inside = result.history.iter().filter(|(_, entry)| within(entry.invoked_at));
        let latencies: Vec<_> = inside.filter_map(|(op, _)| result.history.latency(op)).collect();
        assert!(
            latencies.iter().all(|found| *found == Span::from_millis(latency)),
            "{latencies:?}"
        );
        latencies.len()
    };
    // Every 2 ms at first, every 50 ms after.
    assert_eq!((count(0, 999, 2), count(1_010, 2_000, 20)), (500, 20));
}

#[test]
fn a_scripted_operation_waits_for_its_clients_previous_one() {
    let mut config = cluster::config(2);
    let mut names = Names::clone(&cluster::names(&config));
    names.values = ["a", "b", "c"].map(str::to_owned).to_vec();
    config.workload = None;
    config.network.default.delay = Distribution::Constant(Span::from_millis(100));
    let put = |index: usize, at: u64| ScriptedOperation {
        id: format!("op-{index}"),
        at: Time::ZERO + Span::from_millis(at),
        client: splitbrain::id::ClientId(0),
        operation: splitbrain::operation::Operation::Put {
            key: splitbrain::id::KeyId(0),
            value: splitbrain::id::Value::text(index),
            quorum: None,
        },
        node: None,
        retry: splitbrain::config::RetryPolicy {
            timeout: Span::from_secs(9),
            retries: 0,
            ask_next: false,
            backoff: Distribution::Constant(Span::ZERO),
        },
        expect: splitbrain::config::Answer::default(),
    };
    // In time order, whatever the order in the file.
    config.script = vec![put(2, 900), put(0, 100), put(1, 150)];
    let settings = cluster::settings(Mode::Sync);
    let result = run::<LeaderFollower>(&config, &names.into(), &settings, 1, RunOptions::default());
    let invoked: Vec<u64> =
        result.history.entries().iter().map(|entry| entry.invoked_at.nanos() / 1_000_000).collect();
    assert_eq!(invoked, [100, 300, 900]);
}

/// The trace shows only what happens. A cancelled timer once had a line all the same, and a message
/// to a paused node had two.
#[test]
fn the_trace_shows_what_happens_and_shows_it_once() {
    // Acknowledged long before the write's timeout, the client's timeout and the next write.
    let write = |at: &str, key: &str| {
        format!(
            r"[[operation]]
at = '{at}'
client = 'ann'
put = {{ key = '{key}', value = 'v' }}
timeout = '50ms'
"
        )
    };
    let text = format!(
        r"ack-timeout = '30ms'
wal.policy = 'fsync'
[disk]
sync = '4ms'
[network]
delay = '1ms'
[[fault]]
id = 'p'
at = '200ms'
for = '100ms'
pause = 'n2'
[[fault]]
id = 'c'
at = '500ms'
for = '300ms'
isolate = 'n2'
[[fault]]
id = 'h'
at = '600ms'
heal = 'c'
[[fault]]
id = 'w'
at = '702ms'
for = '10ms'
power-loss = 'n1'
{}{}{}{}",
        write("10ms", "a"),
        write("20ms", "b"),
        write("199ms", "c"),
        write("700ms", "d"),
    );
    let result = scenario(TWO, &text).run(1, RunOptions { trace: true, ..RunOptions::default() });
    let trace = result.trace.expect("a trace was asked for");
    let lines = |of: &str| trace.lines().filter(|line| line.contains(of)).count();
    // Two writes were acknowledged in time; n2 was paused at the third, and n1 lost its power at
    // the fourth.
    assert_eq!(lines("timer       AckTimeout"), 1, "{trace}");
    assert_eq!(lines("alarm"), 1, "{trace}");
    assert_eq!(lines("deliver     replicate"), 3, "{trace}");
    assert_eq!(lines("replicate from n1: c=v"), 1, "{trace}");
    let at = |time: &str, of: &str| {
        trace.lines().any(|line| line.trim_start().starts_with(time) && line.contains(of))
    };
    assert!(at("0.204", "n2        . waits     a message of n1: replicate"), "{trace}");
    assert!(at("0.204", "n2        deliver     replicate from n1: c=v"), "{trace}");
    assert!(at("0.300", "n2        . resume    a message of n1: replicate"), "{trace}");
    // The healed fault does not end again, and the interrupted sync does not complete.
    assert_eq!(lines("c ends"), 0, "{trace}");
    assert!(!at("0.704", "n1        persisted"), "{trace}");
}

/// Each write sets timers and cancels them when it is acknowledged. No event of theirs may stay in
/// the queue, or a long run with a long timeout would hold millions.
#[test]
fn a_timer_that_is_set_again_leaves_nothing_behind() {
    let mut config = cluster::config(3);
    cluster::set_clients(&mut config, 1, 2_000);
    (config.duration, config.settle) = (Span::from_secs(30), Span::from_secs(1));
    let mut settings = cluster::settings(Mode::Sync);
    let events = |settings: &_| {
        let names = cluster::names(&config);
        let result = run::<LeaderFollower>(&config, &names, settings, 1, RunOptions::default());
        assert_eq!(result.verdict, RunVerdict::Pass);
        (result.events, result.digest)
    };
    // A timeout within the run and one beyond it make no difference.
    settings.ack_timeout = Span::from_millis(20);
    let within = events(&settings);
    settings.ack_timeout = Span::from_secs(3_600);
    assert_eq!(within, events(&settings));
}
