//! The same scenario and seed give the same run: twice in one process, through either queue, on one
//! thread or many, with the trace or without; and no configuration makes the simulation panic.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config as Cases, RngAlgorithm, TestRng, TestRunner};
use rayon::prelude::*;
use splitbrain::config::{
    Clock, Config, EventOrder, Fault, FaultAction, Group, HealWhat, LinkOrder, LinkOverride,
    LogMoment, Mix, Occurrence, Pace, ReadFrom, RetryPolicy, Route, Skew, Start, Target, Trigger,
};
use splitbrain::digest::DigestValue;
use splitbrain::history::{History, Status};
use splitbrain::id::{ClientId, FaultId, NodeId};
use splitbrain::metrics::Settlement;
use splitbrain::protocol::leader_follower::{
    Config as Settings, LeaderFollower, Mode, Shipping, WalOn, WalSettings,
};
use splitbrain::protocol::parts::wal::Policy;
use splitbrain::rng::Probability;
use splitbrain::run::{Causes, QueueKind, RunOptions, RunResult, run};
use splitbrain::sampler::Distribution;
use splitbrain::scenario::Scenario;
use splitbrain::sim::queue::{CalendarQueue, EventQueue, HeapQueue};
use splitbrain::sim::{Event, Finished, NoteOptions, Simulation};
use splitbrain::time::{Span, Time};
use strum::VariantArray;

use crate::support::{cluster, scenario};

const PLAIN: RunOptions = RunOptions {
    trace: false,
    steps: false,
    queue: QueueKind::Calendar,
    causes: Causes::OfAll,
    without_last_write: false,
};
const HEAP: RunOptions = RunOptions { queue: QueueKind::Heap, ..PLAIN };
const WATCHED: RunOptions = RunOptions {
    trace: true,
    steps: true,
    queue: QueueKind::Calendar,
    causes: Causes::OfAll,
    without_last_write: false,
};
const WATCHED_HEAP: RunOptions = RunOptions { queue: QueueKind::Heap, ..WATCHED };

/// Plays a run in every way there is, and holds the outcomes against each other.
fn the_same_in_every_way(play: impl Fn(RunOptions) -> RunResult) -> RunResult {
    let first = play(PLAIN);
    let known = |result: &RunResult| {
        (result.digest, result.events, result.ended_at, result.messages.clone())
    };
    for options in [PLAIN, HEAP, WATCHED] {
        let other = play(options);
        assert_eq!(known(&other), known(&first), "{options:?}");
        assert_eq!(other.history, first.history, "{options:?}");
        assert_eq!(other.finals, first.finals, "{options:?}");
        assert_eq!((&other.verdict, &other.settlement), (&first.verdict, &first.settlement));
    }
    let (watched, heap) = (play(WATCHED), play(WATCHED_HEAP));
    assert_eq!(watched.trace, heap.trace);
    assert_eq!(watched.steps, heap.steps);
    let last = watched.steps.last().map(|(_, digest)| *digest);
    assert_eq!((last, watched.steps.len() as u64), (Some(first.digest), first.events));
    first
}

#[test]
fn every_scenario_file_is_the_same_in_every_way() {
    for path in scenario::shipped() {
        let scenario = scenario::load(&path);
        for seed in [scenario.config.seed, 7] {
            the_same_in_every_way(|options| scenario.run(seed, options));
        }
    }
    for text in scenario::MAXIMAL {
        let scenario = scenario::read(text);
        the_same_in_every_way(|options| scenario.run(3, options));
    }
}

fn lengths() -> impl Strategy<Value = Span> {
    (0_u64..200).prop_map(Span::from_millis)
}

fn positive() -> impl Strategy<Value = Span> {
    (1_u64..200).prop_map(Span::from_millis)
}

fn plain_delay() -> impl Strategy<Value = Distribution> {
    prop_oneof![
        lengths().prop_map(Distribution::Constant),
        (lengths(), lengths())
            .prop_map(|(a, b)| Distribution::Uniform { low: a.min(b), high: a.max(b) }),
        positive().prop_map(|mean| Distribution::Exponential { mean }),
        (positive(), 0.1..3.0)
            .prop_map(|(median, sigma)| Distribution::LogNormal { median, sigma }),
        // Down to a tail so heavy that a delay may be for ever.
        (positive(), 0.05..3.0).prop_map(|(scale, shape)| Distribution::Pareto { scale, shape }),
        (lengths(), lengths()).prop_map(|(a, b)| {
            Distribution::Quantiles(vec![
                (0, a.min(b)),
                (900_000_000, a.max(b)),
                (1_000_000_000, Span::from_secs(1)),
            ])
        }),
    ]
}

fn delay() -> impl Strategy<Value = Distribution> {
    let mixture = (plain_delay(), plain_delay(), 1_u32..5)
        .prop_map(|(a, b, weight)| Distribution::Mixture(vec![(weight, a), (1, b)]));
    prop_oneof![4 => plain_delay(), 1 => mixture]
}

fn share() -> impl Strategy<Value = Probability> {
    let some =
        (0..=1_000_000_000_u32).prop_filter_map("at most all", Probability::from_parts_per_billion);
    prop_oneof![2 => Just(Probability::ZERO), 1 => some]
}

fn link() -> impl Strategy<Value = splitbrain::config::Link> {
    let bandwidth = proptest::option::of(1_u64..100_000);
    (delay(), share(), share(), any::<bool>(), bandwidth).prop_map(
        |(delay, loss, duplication, fifo, bandwidth)| {
            let order = if fifo { LinkOrder::Fifo } else { LinkOrder::Reordering };
            splitbrain::config::Link { delay, loss, duplication, order, bandwidth }
        },
    )
}

fn target(nodes: u16) -> impl Strategy<Value = Target> {
    prop_oneof![
        (0..nodes).prop_map(|node| Target::Nodes(vec![NodeId(node)])),
        Just(Target::Nodes(NodeId::all(nodes).collect())),
        Just(Target::Leader),
        Just(Target::Follower),
        Just(Target::LowestId),
        Just(Target::HighestId),
        Just(Target::Majority),
        Just(Target::All),
    ]
}

fn route(nodes: u16) -> impl Strategy<Value = Route> {
    (target(nodes), target(nodes), any::<bool>()).prop_map(|(from, to, both_ways)| Route {
        from,
        to,
        both_ways,
    })
}

fn action(nodes: u16) -> impl Strategy<Value = FaultAction> {
    let partition = (1..=nodes, any::<bool>()).prop_map(move |(first, with_client)| {
        let clients = if with_client { vec![ClientId(0)] } else { vec![] };
        FaultAction::Partition(vec![Group { nodes: NodeId::all(first).collect(), clients }])
    });
    let ring =
        if nodes < 4 { FaultAction::Isolate(Target::Leader) } else { FaultAction::MajoritiesRing };
    let links = prop_oneof![
        partition,
        Just(ring),
        target(nodes).prop_map(FaultAction::Bridge),
        target(nodes).prop_map(FaultAction::Isolate),
        route(nodes).prop_map(FaultAction::Block),
        route(nodes).prop_map(FaultAction::Clog),
        (route(nodes), delay()).prop_map(|(route, extra)| FaultAction::Slow { route, extra }),
        (route(nodes), proptest::option::of(0_u8..4), share())
            .prop_map(|(route, kind, probability)| FaultAction::Drop { route, kind, probability }),
    ];
    let processes = prop_oneof![
        target(nodes).prop_map(FaultAction::Crash),
        target(nodes).prop_map(FaultAction::PowerLoss),
        (target(nodes), any::<bool>())
            .prop_map(|(target, empty_disk)| FaultAction::Restart { target, empty_disk }),
        target(nodes).prop_map(FaultAction::Pause),
        target(nodes).prop_map(FaultAction::Resume),
        (
            target(nodes),
            prop_oneof![-1_000_000_000..1_000_000_000_i64, Just(1 << 62), Just(-(1 << 62))]
        )
            .prop_map(|(target, by_ns)| FaultAction::ClockJump { target, by_ns }),
        (target(nodes), prop_oneof![Just(-999_999_999_i64), -500_000_000..1_000_000_000_i64])
            .prop_map(|(target, ppb)| FaultAction::ClockDrift { target, ppb }),
        Just(FaultAction::Heal(HealWhat::Network)),
        (0_u32..3).prop_map(|fault| FaultAction::Heal(HealWhat::Fault(FaultId(fault)))),
    ];
    prop_oneof![links, processes]
}

/// (start, for in ms, action, forever).
type Planned = (Start, Option<u64>, FaultAction, bool);

fn start(nodes: u16) -> impl Strategy<Value = Start> {
    let at = prop_oneof![4 => 0_u64..=2_000, 1 => Just(0), 1 => Just(2_000)]
        .prop_map(|at| Start::At(Time::from_nanos(at * 1_000_000)));
    let what = prop_oneof![
        Just(Occurrence::Elected),
        Just(Occurrence::Appends),
        Just(Occurrence::Persists),
        Just(Occurrence::Acknowledges),
        proptest::option::of(0_u8..4).prop_map(Occurrence::Receives),
        Just(Occurrence::Restarts),
        proptest::sample::select(LogMoment::VARIANTS).prop_map(Occurrence::OfLog),
    ];
    let after = prop_oneof![2 => Just(Span::ZERO), 1 => lengths()];
    let when = (what, proptest::option::of((0..nodes).prop_map(NodeId)), 1_u32..20, after)
        .prop_map(|(what, node, nth, after)| Start::When(Trigger { what, node, nth, after }));
    prop_oneof![2 => at, 1 => when]
}

fn planned(nodes: u16) -> impl Strategy<Value = Vec<Planned>> {
    let fault = (start(nodes), proptest::option::of(1_u64..3_000), action(nodes), any::<bool>());
    // At least three, so that a heal finds its fault.
    prop::collection::vec(fault, 3..9)
}

fn pace() -> impl Strategy<Value = Pace> {
    prop_oneof![
        delay().prop_map(|think| Pace::Closed { think }),
        (positive(), 1_u32..5).prop_map(|(mean, burst)| Pace::Open {
            interval: Distribution::Exponential { mean },
            burst,
        }),
    ]
}

fn settings(nodes: u16) -> impl Strategy<Value = Settings> {
    let mode = prop_oneof![
        Just(Mode::Async),
        (1..=nodes.max(2) - 1).prop_map(|write_quorum| Mode::SemiSync { write_quorum }),
        Just(Mode::Sync),
    ];
    let logs = any::<bool>();
    (mode, any::<bool>(), proptest::option::of(positive()), logs).prop_map(
        |(mode, full, resend, logs)| {
            let replication = if full { Shipping::FullState } else { Shipping::Entry };
            let policy = if logs { Policy::Fsync } else { Policy::Off };
            let wal = WalSettings { policy, checkpoint_every: None, on: WalOn::All };
            Settings { replication, resend, wal, ..cluster::settings(mode) }
        },
    )
}

/// A small cluster, with any network, any workload and any faults.
fn any_run() -> impl Strategy<Value = (Config, Settings, u64)> {
    (1_u16..=7).prop_flat_map(|nodes| {
        let network = (link(), link(), delay(), 0..nodes);
        let workload = (
            pace(),
            1_u32..5,
            proptest::option::of(1_u64..60),
            any::<bool>(),
            0..4_usize,
            0..nodes,
        );
        let retry = (positive(), 0_u32..3, delay());
        let clocks = prop::collection::vec(
            (-1_000_000_i64..1_000_000, -500_000_000..500_000_000_i64),
            usize::from(nodes),
        );
        let rest = (any::<bool>(), any::<u64>(), settings(nodes));
        (network, workload, retry, clocks, planned(nodes), rest).prop_map(
            move |(network, workload, retry, clocks, planned, (random, seed, settings))| {
                let mut config = cluster::config(nodes);
                (config.duration, config.settle) = (Span::from_secs(2), Span::from_secs(3));
                config.ties = if random { EventOrder::Random } else { EventOrder::Causal };
                let (default, special, client_delay, from) = network;
                config.network.default = default;
                config.network.links =
                    vec![LinkOverride { from: Some(NodeId(from)), to: None, link: special }];
                config.network.client_delay = client_delay;
                let (pace, clients, operations, zipf, read_from, node) = workload;
                cluster::set_clients(&mut config, clients, 0);
                let load = config.workload.as_mut().expect("a workload");
                // Without time in the loop there must be a limit.
                load.operations = operations.or(match &pace {
                    Pace::Open { .. } => None,
                    Pace::Closed { .. } => Some(100),
                });
                load.pace = pace;
                if zipf {
                    load.skew = Skew::Zipf { exponent: 1.1 };
                }
                load.mix = Mix {
                    put: 4,
                    get: 3,
                    delete: 1,
                    list: 1,
                    read_all: 1,
                    append: 1,
                    cas: 1,
                    batch: 1,
                };
                load.read_from = [
                    ReadFrom::Leader,
                    ReadFrom::Node(NodeId(node)),
                    ReadFrom::Any,
                    ReadFrom::Nearest,
                ][read_from];
                let (timeout, retries, backoff) = retry;
                load.retry = RetryPolicy { timeout, retries, backoff, ask_next: retries == 1 };
                config.clocks = clocks
                    .into_iter()
                    .map(|(offset_ns, drift_ppb)| Clock { offset_ns, drift_ppb })
                    .collect();
                for (index, (start, lasts, action, forever)) in (0..).zip(planned) {
                    config.faults.push(Fault {
                        id: FaultId(index),
                        start,
                        lasts: lasts.map(Span::from_millis),
                        action,
                        forever,
                    });
                }
                (config, settings, seed)
            },
        )
    })
}

fn runner(cases: u32) -> TestRunner {
    let config = Cases { cases, failure_persistence: None, ..Cases::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

#[test]
fn two_hundred_configurations_are_the_same_in_every_way() {
    let same = |(config, settings, seed): (Config, Settings, u64)| {
        let names = cluster::names(&config);
        let result = the_same_in_every_way(|options| {
            run::<LeaderFollower>(&config, &names, &settings, seed, options)
        });
        let end = Time::ZERO + config.duration + config.settle;
        prop_assert!(result.ended_at <= end, "{:?}", result.ended_at);
        prop_assert!(result.history.entries().iter().all(|entry| entry.status != Status::Pending));
        let phase = Time::ZERO + config.duration;
        let late = result.history.entries().iter().filter(|entry| entry.invoked_at > phase).count();
        prop_assert_eq!(late, 0, "nobody invokes after the fault phase");
        Ok(())
    };
    if let Err(failure) = runner(200).run(&any_run(), same) {
        panic!("{failure}");
    }
}

/// A piece of a run: so many events, or all up to and including a time.
#[derive(Clone, Copy, Debug)]
enum Piece {
    Steps(usize),
    Until(Time),
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let until = |ms: u64| Piece::Until(Time::from_nanos(ms * 1_000_000));
    let piece = prop_oneof![
        (0_usize..400).prop_map(Piece::Steps),
        // Whole tenths of a second, at which faults start, and any other time.
        (0_u64..40).prop_map(move |tenths| until(tenths * 100)),
        (0_u64..4_000).prop_map(until),
    ];
    proptest::collection::vec(piece, 1..8)
}

/// Plays a run piece by piece, asking in between, and its rest in one.
fn play_in_pieces<Q: EventQueue<Event<LeaderFollower>>>(
    (config, settings, seed): &(Config, Settings, u64),
    pieces: &[Piece],
    noted: &NoteOptions,
) -> Finished {
    let names = cluster::names(config);
    let begin =
        || Simulation::<LeaderFollower, Q>::new(config, &names, settings, *seed, noted.clone());
    let mut simulation = begin();
    let mut played_until = None;
    for piece in pieces {
        match *piece {
            Piece::Steps(count) => {
                for _ in 0..count {
                    let Some(at) = simulation.step() else { break };
                    assert!(played_until.take().is_none_or(|until| at > until), "{at} is late");
                    assert_eq!(simulation.now(), at);
                }
            }
            Piece::Until(until) => {
                let before = simulation.now();
                simulation.step_until(until);
                assert!(simulation.now() <= until.max(before));
                played_until = Some(until.max(before));
            }
        }
        assert_eq!(simulation.nodes().len(), usize::from(config.cluster.nodes));
        let now = simulation.now();
        assert!(simulation.history().entries().iter().all(|entry| entry.invoked_at <= now));
        assert!(simulation.node_events().iter().all(|event| event.at <= now));
    }
    let (digest, seen) = (simulation.digest(), simulation.node_events().to_vec());
    let none = begin().digest();
    let finished = simulation.run();
    let mut digests = finished.steps.iter().map(|(_, digest)| *digest);
    assert!(digest == none || digests.any(|step| step == digest));
    assert!(finished.node_events.starts_with(&seen));
    finished
}

#[test]
fn a_run_in_pieces_is_the_run_in_one() {
    let noted = {
        let mut noted = NoteOptions::default();
        (noted.steps, noted.record, noted.last_write) = (true, true, true);
        noted
    };
    let same = |(run, pieces): ((Config, Settings, u64), Vec<Piece>)| {
        let (config, settings, seed) = &run;
        let plain = NoteOptions::default();
        let names = cluster::names(config);
        let whole = Simulation::<LeaderFollower>::new(config, &names, settings, *seed, plain).run();
        let calendar = play_in_pieces::<CalendarQueue<_>>(&run, &pieces, &noted);
        let heap = play_in_pieces::<HeapQueue<_>>(&run, &pieces, &noted);
        prop_assert_eq!(&calendar.steps, &heap.steps);
        prop_assert_eq!(&calendar.node_events, &heap.node_events);
        for pieced in [calendar, heap] {
            let known =
                |run: &Finished| (run.digest, run.events, run.ended_at, run.messages.clone());
            prop_assert_eq!(known(&pieced), known(&whole));
            prop_assert_eq!(&pieced.history, &whole.history);
            prop_assert_eq!(&pieced.finals, &whole.finals);
            prop_assert_eq!(&pieced.settlement, &whole.settlement);
        }
        Ok(())
    };
    if let Err(failure) = runner(120).run(&(any_run(), pieces()), same) {
        panic!("{failure}");
    }
}

/// Whoever takes notes alone hears all that it hears beside the others.
#[test]
fn each_note_taken_alone_is_the_one_taken_with_the_others() {
    let played = scenario::load(&scenario::shipped()[0]);
    let settings = played.protocol.settings().downcast_ref::<Settings>().expect("its own");
    let play = |noted: fn(&mut NoteOptions)| {
        let mut notes = NoteOptions::default();
        noted(&mut notes);
        let Scenario { config, names, .. } = &played;
        Simulation::<LeaderFollower>::new(config, names, settings, config.seed, notes).run()
    };
    let all = play(|noted| (noted.trace, noted.steps, noted.record) = (true, true, true));
    assert_eq!(play(|noted| noted.trace = true).trace, all.trace);
    assert_eq!(play(|noted| noted.steps = true).steps, all.steps);
    assert_eq!(play(|noted| noted.record = true).node_events, all.node_events);
    assert!(all.trace.is_some() && !all.steps.is_empty() && !all.node_events.is_empty());
}

/// What is asked of a run on its way is what a run that is broken off there leaves.
#[test]
fn a_run_that_is_broken_off_leaves_what_it_had() {
    let played = scenario::load(&scenario::shipped()[0]);
    let settings = played.protocol.settings().downcast_ref::<Settings>().expect("its own");
    let play = || {
        let notes = NoteOptions::default();
        let Scenario { config, names, .. } = &played;
        Simulation::<LeaderFollower>::new(config, names, settings, config.seed, notes)
    };
    let half = Time::ZERO + Span::from_nanos(played.config.duration.nanos() / 2);
    let mut simulation = play();
    simulation.step_until(half);
    let (digest, nodes, now) = (simulation.digest(), simulation.nodes(), simulation.now());
    let answered = simulation.history().entries().iter().filter(|entry| entry.is_ok()).count();
    assert!(now <= half && answered > 0);
    let broken_off = simulation.finish();
    assert_eq!((broken_off.digest, broken_off.ended_at), (digest, now));
    assert_eq!(broken_off.finals, nodes);
    let ok = broken_off.history.entries().iter().filter(|entry| entry.is_ok()).count();
    assert_eq!(ok, answered);
    assert!(broken_off.history.entries().iter().all(|entry| entry.status != Status::Pending));
    let waits_for = |settlement, what: &str| match settlement {
        Settlement::Unsettled { waiting_for } => waiting_for.iter().any(|line| line == what),
        Settlement::Settled { .. } | Settlement::Stuck { .. } => false,
    };
    assert!(waits_for(broken_off.settlement, "the settling phase, which never began"));
    let mut simulation = play();
    let healed = |history: &History| history.nemesis().iter().any(|act| act.fault.is_none());
    while !healed(simulation.history()) {
        simulation.step().expect("the fault phase ends");
    }
    assert_eq!(simulation.now(), Time::ZERO + played.config.duration);
    assert!(waits_for(simulation.finish().settlement, "the end of the settling phase"));
    let whole = play().run();
    assert!(whole.events > broken_off.events && whole.digest != digest);
}

#[test]
fn threads_change_nothing() {
    let mut runner = runner(1);
    let runs: Vec<_> = (0..60)
        .map(|_| any_run().new_tree(&mut runner).expect("a configuration").current())
        .collect();
    let digest = |(config, settings, seed): &(Config, Settings, u64)| -> DigestValue {
        run::<LeaderFollower>(config, &cluster::names(config), settings, *seed, PLAIN).digest
    };
    let one: Vec<DigestValue> = runs.iter().map(digest).collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().expect("a pool");
    let many: Vec<DigestValue> = pool.install(|| runs.par_iter().map(digest).collect());
    assert_eq!(one, many);
    let mut different = one;
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), runs.len(), "digests tell runs apart");
}
