//! Settings for tests that build a run in code.

use std::sync::Arc;

use splitbrain::config::{
    Bounds, Clock, Cluster, Config, Disk, EventOrder, Expect, Link, LinkOrder, Mix, Network, Pace,
    ReadFrom, RetryPolicy, Skew, Workload,
};
use splitbrain::id::NodeId;
use splitbrain::names::Names;
use splitbrain::protocol::leader_follower::{
    Config as LeaderFollower, Defects, Deletes, Failover, FullStateIs, Mode, OnAckTimeout, Reads,
    RepairAnswer, Shipping, TimestampSource, Timestamps, WalOn, WalSettings,
};
use splitbrain::protocol::parts::store::TieBreak;
use splitbrain::protocol::parts::wal::Policy;
use splitbrain::rng::Probability;
use splitbrain::sampler::Distribution;
use splitbrain::time::Span;

/// A quiet cluster: constant delays of 1 ms, nothing goes wrong, one client that writes ten times.
pub(crate) fn config(nodes: u16) -> Config {
    Config {
        title: "test".into(),
        seed: 1,
        duration: Span::from_secs(30),
        settle: Span::from_secs(30),
        ties: EventOrder::Causal,
        cluster: Cluster { nodes, initial_leader: Some(NodeId(0)) },
        network: Network {
            default: link(Distribution::Constant(Span::from_millis(1))),
            links: vec![],
            client_delay: Distribution::Constant(Span::ZERO),
            refuse: false,
            client_legs: vec![],
        },
        clocks: vec![Clock::default(); nodes.into()],
        client_clocks: vec![],
        disk: Disk { sync: Distribution::Constant(Span::ZERO), rate: None },
        workload: Some(Workload {
            clients: 1,
            pace: Pace::Closed { think: Distribution::Constant(Span::ZERO) },
            operations: Some(10),
            keys: 10,
            skew: Skew::Uniform,
            mix: Mix { put: 1, ..Mix::default() },
            read_from: ReadFrom::Leader,
            read_quorum: None,
            retry: RetryPolicy {
                timeout: Span::from_secs(10),
                retries: 0,
                ask_next: false,
                backoff: Distribution::Constant(Span::from_millis(10)),
            },
        }),
        script: vec![],
        faults: vec![],
        changes: vec![],
        bounds: Bounds::default(),
        expect: Expect::default(),
    }
}

/// The names of the workload's keys and clients, and of the faults by their place.
pub(crate) fn names(config: &Config) -> Arc<Names> {
    let load = config.workload.as_ref();
    let numbered = |letter, count| (1..=count).map(|n| format!("{letter}{n}")).collect();
    Arc::new(Names {
        keys: numbered("k", load.map_or(0, |load| load.keys)),
        values: vec![],
        clients: numbered("c", load.map_or(0, |load| load.clients)),
        faults: (0..config.faults.len()).map(|place| format!("fault-{place}")).collect(),
        ..Names::default()
    })
}

pub(crate) fn link(delay: Distribution) -> Link {
    Link {
        delay,
        loss: Probability::ZERO,
        duplication: Probability::ZERO,
        order: LinkOrder::Reordering,
        bandwidth: None,
    }
}

pub(crate) fn uniform_ms(low: u64, high: u64) -> Distribution {
    Distribution::Uniform { low: Span::from_millis(low), high: Span::from_millis(high) }
}

pub(crate) fn set_clients(config: &mut Config, clients: u32, operations: u64) {
    let workload = config.workload.as_mut().expect("the quiet cluster has a workload");
    workload.clients = clients;
    workload.operations = Some(operations);
}

pub(crate) fn settings(mode: Mode) -> LeaderFollower {
    LeaderFollower {
        mode,
        ack_timeout: Span::from_secs(5),
        on_ack_timeout: OnAckTimeout::Succeed,
        replication: Shipping::Entry,
        full_state: FullStateIs::Replacing,
        resend: None,
        deletes: Deletes::Tombstone,
        tombstone_grace: None,
        timestamps: Timestamps {
            source: TimestampSource::Wall,
            resolution: Span::from_nanos(1),
            ties: TieBreak::NodeId,
        },
        reads: Reads { timeout: Span::from_secs(5), answer: RepairAnswer::AfterRepair },
        anti_entropy: None,
        deduplicate: false,
        wal: WalSettings { policy: Policy::Off, checkpoint_every: None, on: WalOn::All },
        failover: Failover::NONE,
        defects: Defects::default(),
    }
}
