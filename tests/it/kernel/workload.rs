//! The workload: how often clients ask, for which keys, with which operations, and whom.

use std::collections::{BTreeMap, BTreeSet};

use splitbrain::config::{ClientLeg, Config, Mix, Pace, ReadFrom, Skew};
use splitbrain::history::{Entry, Function, Status};
use splitbrain::id::{ClientId, NodeId, OpId};
use splitbrain::protocol::leader_follower::{LeaderFollower, Mode};
use splitbrain::run::{RunOptions, RunResult, run};
use splitbrain::sampler::Distribution;
use splitbrain::time::{Span, Time};

use crate::support::cluster;
use crate::support::result::assert_expectations_met;
use crate::support::scenario::read;

fn play(config: &Config) -> RunResult {
    let (names, settings) = (cluster::names(config), cluster::settings(Mode::Async));
    run::<LeaderFollower>(config, &names, &settings, 1, RunOptions::default())
}

fn with_workload(
    clients: u32,
    operations: u64,
    set: impl FnOnce(&mut splitbrain::config::Workload),
) -> Config {
    let mut config = cluster::config(3);
    cluster::set_clients(&mut config, clients, operations);
    config.duration = Span::from_secs(100_000);
    set(config.workload.as_mut().expect("a workload"));
    config
}

/// Within five standard deviations of a binomial.
#[track_caller]
fn assert_share(count: usize, of: usize, share: f64) {
    let deviation = (of as f64 * share * (1.0 - share)).sqrt();
    let off = (count as f64 - of as f64 * share).abs();
    assert!(off <= 5.0 * deviation, "{count} of {of}, expected a share of {share}");
}

#[test]
fn an_open_loop_keeps_its_rate_whatever_becomes_of_operations() {
    let interval = Distribution::Exponential { mean: Span::from_millis(10) };
    let config = with_workload(50, 20_000, |load| load.pace = Pace::Open { interval, burst: 1 });
    let result = play(&config);
    let last = result.history.iter().map(|(op, _)| result.history.due_at(op)).max().expect("some");
    let rate = 20_000.0 / (last.nanos() as f64 / 1e9);
    assert!((97.0..103.0).contains(&rate), "{rate} a second instead of 100");
}

#[test]
fn bursts_arrive_together_and_wait_for_a_free_client() {
    let interval = Distribution::Constant(Span::from_millis(100));
    let mut config = with_workload(2, 12, |load| load.pace = Pace::Open { interval, burst: 5 });
    config.network.client_delay = Distribution::Constant(Span::from_millis(10));
    let result = play(&config);
    let times = |(op, entry): (OpId, &Entry)| {
        let ms = |at: Time| at.nanos() / 1_000_000;
        (
            ms(result.history.due_at(op)),
            ms(entry.invoked_at),
            result.history.latency(op).map(|latency| latency.nanos() / 1_000_000),
        )
    };
    let found: Vec<_> = result.history.iter().map(times).collect();
    // Two clients, twenty milliseconds an operation, bursts of five; the last burst is the
    // remainder.
    let burst = |at: u64| [0, 0, 20, 20, 40].map(|wait| (at, at + wait, Some(wait + 20)));
    let expected: Vec<_> = [burst(100), burst(200)]
        .concat()
        .into_iter()
        .chain(burst(300).into_iter().take(2))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_closed_loop_thinks_between_a_completion_and_the_next_invocation() {
    let think = cluster::uniform_ms(10, 30);
    let mut config = with_workload(3, 3_000, |load| load.pace = Pace::Closed { think });
    config.network.client_delay = Distribution::Constant(Span::from_millis(7));
    let result = play(&config);
    let mut thought = Vec::new();
    for client in 0..3 {
        let mine = result.history.entries().iter().filter(|entry| entry.client == ClientId(client));
        let mine: Vec<&Entry> = mine.collect();
        assert_eq!(mine.len(), 1_000);
        thought.extend(
            mine.windows(2).map(|pair| (pair[1].invoked_at - pair[0].completed_at).nanos()),
        );
    }
    assert!(thought.iter().all(|ns| (10_000_000..=30_000_000).contains(ns)));
    let mean = thought.iter().sum::<u64>() / thought.len() as u64;
    assert!((19_700_000..20_300_000).contains(&mean), "{mean}");
}

#[test]
fn operations_are_shared_evenly() {
    for (clients, operations, expected) in
        [(3, 10, vec![4, 3, 3]), (4, 2, vec![1, 1]), (1, 5, vec![5])]
    {
        let result = play(&with_workload(clients, operations, |_| {}));
        let mut counts: BTreeMap<ClientId, usize> = BTreeMap::new();
        for entry in result.history.entries() {
            *counts.entry(entry.client).or_default() += 1;
        }
        assert_eq!(counts.into_values().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn keys_follow_their_law_and_values_are_unique() {
    const OPERATIONS: usize = 20_000;
    for (skew, exponent) in [(Skew::Uniform, 0.0), (Skew::Zipf { exponent: 1.2 }, 1.2)] {
        let config = with_workload(5, OPERATIONS as u64, |load| load.skew = skew);
        let result = play(&config);
        let mut counts = [0; 10];
        let mut values = BTreeSet::new();
        for entry in result.history.entries() {
            counts[entry.key.0 as usize] += 1;
            values.insert(entry.value.expect("a put has a value"));
        }
        assert_eq!(values.len(), OPERATIONS);
        let weight = |rank: usize| (rank as f64).powf(-exponent);
        let total: f64 = (1..=10).map(weight).sum();
        for (rank, count) in (1..).zip(counts) {
            assert_share(count, OPERATIONS, weight(rank) / total);
        }
    }
}

#[test]
fn the_mix_is_what_was_asked_for() {
    const OPERATIONS: usize = 10_000;
    let mix = Mix { put: 50, get: 30, delete: 10, list: 7, read_all: 3, ..Mix::default() };
    let result = play(&with_workload(5, OPERATIONS as u64, |load| load.mix = mix));
    for (function, share) in [
        (Function::Put, 0.50),
        (Function::Get, 0.30),
        (Function::Delete, 0.10),
        (Function::List, 0.07),
        (Function::ReadAll, 0.03),
        (Function::Clear, 0.0),
    ] {
        let count =
            result.history.entries().iter().filter(|entry| entry.function == function).count();
        assert_share(count, OPERATIONS, share);
    }
}

#[test]
fn reads_ask_whom_they_should_and_writes_the_leader() {
    let leg = |client, node, ms| ClientLeg {
        client: Some(ClientId(client)),
        node: Some(NodeId(node)),
        delay: Distribution::Constant(Span::from_millis(ms)),
    };
    let asked = |read_from: ReadFrom| {
        let mut config = with_workload(2, 3_000, |load| {
            load.mix = Mix { put: 1, get: 1, ..Mix::default() };
            load.read_from = read_from;
        });
        config.network.client_delay = cluster::uniform_ms(4, 6);
        // c1 is near n3; c2 takes the lowest of equally near nodes.
        config.network.client_legs = vec![leg(0, 2, 1)];
        let result = play(&config);
        let mut reads: BTreeMap<(u32, NodeId), usize> = BTreeMap::new();
        for entry in result.history.entries() {
            assert_eq!(entry.status, Status::Ok);
            let node = entry.node.expect("answered");
            if entry.is_write() {
                assert_eq!(node, NodeId(0));
            } else {
                *reads.entry((entry.client.0, node)).or_default() += 1;
            }
        }
        reads
    };
    let nodes = |reads: &BTreeMap<(u32, NodeId), usize>| {
        reads.keys().map(|(client, node)| (*client, node.0)).collect::<Vec<_>>()
    };
    assert_eq!(nodes(&asked(ReadFrom::Leader)), [(0, 0), (1, 0)]);
    assert_eq!(nodes(&asked(ReadFrom::Node(NodeId(1)))), [(0, 1), (1, 1)]);
    assert_eq!(nodes(&asked(ReadFrom::Nearest)), [(0, 2), (1, 0)]);
    let any = asked(ReadFrom::Any);
    assert_eq!(nodes(&any), [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
    let total: usize = any.values().sum();
    for count in any.into_values() {
        assert_share(count, total, 1.0 / 6.0);
    }
}

/// Arrivals that waited for a client when the fault phase ended were once left out of the report.
#[test]
fn arrivals_that_no_client_ever_took_are_counted() {
    let mut config = with_workload(1, 100, |workload| {
        workload.pace =
            Pace::Open { interval: Distribution::Constant(Span::from_millis(10)), burst: 1 };
    });
    // One client, an operation of two seconds, one second in all: the first arrival is served.
    config.network.client_delay = Distribution::Constant(Span::from_secs(1));
    config.duration = Span::from_secs(1);
    let result = play(&config);
    assert_eq!(result.history.entries().len(), 1);
    // Arrivals at 20, 30 .. 990 ms; the one at one second comes after the end of the phase.
    assert_eq!(result.unserved.count, 98);
    assert_eq!(result.unserved.longest_wait, Span::from_millis(980));
}

/// A client follows at most as many redirects as there are nodes, and each retry allows as many
/// again. Here every try goes to a follower that redirects to the leader, which is down: five
/// redirects in all among three nodes, and at the fifth try the leader is up. If redirects were
/// counted over all tries, the client would stop following them at the fourth try and be answered
/// one backoff later.
#[test]
fn redirects_are_counted_anew_after_each_wait() {
    let text = "duration = '3s'\ncluster.nodes = 3\n[protocol.leader-follower]\n\
        [[fault]]\nat = '900ms'\nfor = '550ms'\ncrash = 'n1'\n\
        [[operation]]\nat = '1s'\nclient = 'a'\nput = { key = 'k', value = 'v' }\n\
        retries = 9\nbackoff = '100ms'\n\
        expect = { status = 'ok', after = '500ms', within = '500ms' }\n";
    let result = read(text).run(1, RunOptions::default());
    assert_expectations_met("a client that asks again", &result);
}
