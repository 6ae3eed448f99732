//! What the promises of fixed and of elected leaders have in common.

use crate::config::Config as Scenario;
use crate::property::{Hazard, Hazards, Promise, Promises, Property, Whose};
use crate::protocol::leader_follower::config::{Config, OnAckTimeout};
use crate::protocol::parts::entry::Deletes;
use crate::protocol::parts::stamps::TimestampSource;
use crate::protocol::parts::store::TieBreak;
use crate::protocol::parts::wal::Policy;

/// It is not promised.
pub(super) const fn never(why: &'static str) -> Promise {
    Promise::Never { why }
}

pub(super) const ERASED: &str =
    "an erased key forgets its delete, so replicas depend on the order of arrival";

pub(super) const RETRIED: &str = "an attempt that its client gave up may arrive late, and its \
    later stamp wins over what was acknowledged since";

pub(super) const AVAILABILITY: Promise =
    never("nobody takes the place of a leader that is down, paused or cut off");

pub(super) const REPLICATION_LAG: Promise =
    never("a follower takes in a write when the network brings it");

pub(super) const LEADERLESS: &str = "for how long nobody leads depends on what went wrong";

pub(super) const CLEARED: Promise = never(
    "a clear that reaches a follower, sent there or tried again there, empties that follower \
        alone",
);

/// What makes writes win that came first: a clock that is wrong where it stamps.
pub(super) fn misordered(config: &Config, hazards: Hazards) -> Hazards {
    match config.timestamps.source {
        TimestampSource::Wall => hazards.and(Whose::Leader, &[Hazard::ClockSkew]),
        TimestampSource::Client => {
            hazards.and(Whose::Client, &[Hazard::ClockSkew, Hazard::ClockDrift])
        }
        TimestampSource::Hybrid | TimestampSource::TermSequence => hazards,
    }
}

/// How many replicas have a write that was acknowledged, at the least.
pub(super) fn least_written(config: &Config, scenario: &Scenario) -> u16 {
    if config.on_ack_timeout == OnAckTimeout::Succeed {
        return 1;
    }
    let configured = config.mode.quorum(scenario.cluster.nodes - 1);
    1 + scenario.weakest_write_quorum().map_or(configured, |asked| asked.min(configured))
}

/// Takes back what a rule for equal timestamps, or the loss of tombstones, leaves of the promises.
pub(super) fn without(config: &Config, scenario: &Scenario, mut promises: Promises) -> Promises {
    let state =
        [Property::Convergence, Property::LwwMaximum, Property::Durability, Property::Resurrection];
    let reads = [
        Property::ReadYourWrites,
        Property::MonotonicReads,
        Property::Staleness,
        Property::Linearizability,
    ];
    let writes = [Property::MonotonicWrites, Property::WritesFollowReads];
    let mut take_back = |properties: &[Property], why| {
        for property in properties {
            promises = std::mem::take(&mut promises).with(*property, never(why));
        }
    };
    let fills_in = config.anti_entropy.is_some() || scenario.repairs_reads();
    if config.timestamps.ties == TieBreak::KeepExisting {
        let why = "of two writes with one timestamp a replica keeps the one that came first";
        take_back(&state, why);
        take_back(&writes, why);
        let of_reads = [Property::ReadYourWrites, Property::Staleness, Property::Linearizability];
        take_back(&of_reads, why);
        if !scenario.reads_only_leader() {
            take_back(&[Property::MonotonicReads], why);
        }
    }
    if config.tombstone_grace.is_some() {
        take_back(&state, "what takes longer than the grace period brings back what was deleted");
    }
    if fills_in && (config.tombstone_grace.is_some() || config.deletes == Deletes::Erase) {
        let why = "a replica that missed a delete brings the value back to those that forgot it";
        take_back(&state, why);
        take_back(&reads, why);
        take_back(&writes, why);
    }
    promises
}

pub(super) fn replay(policy: Policy) -> Promise {
    match policy {
        Policy::Off => Promise::Always { why: "nothing is written, and nothing read back" },
        Policy::Buffered { .. } | Policy::Fsync | Policy::GroupCommit => Promise::Unless {
            hazards: Hazards::of(&[Hazard::LostWrite, Hazard::BitRot]),
            why: "what a sync covered is read back, whole, or the node does not start",
        },
    }
}

pub(super) fn append_uniqueness(config: &Config, scenario: &Scenario) -> Promise {
    if scenario.retries_writes() && !config.deduplicate {
        return never(
            "an append that is tried again is appended again, if the first attempt had come \
                to the leader",
        );
    }
    if scenario.retries_writes() && !scenario.only_appends() {
        return never("a put or a delete that its client gave up may arrive late and end a list");
    }
    let mut forgets = Hazards::NONE.and(Whose::Leader, forgets(config.wal.policy));
    if scenario.repairs_reads() {
        // A read that finds an element that is not yet durable writes it to others: the leader
        // alone forgets it.
        forgets = forgets.and(Whose::Leader, &[Hazard::PowerLoss]);
    }
    Promise::Unless {
        hazards: misordered(config, forgets),
        why: "the leader appends each element once, above what its clock has stamped before",
    }
}

/// What makes a node lose what it has acknowledged, as a leader or as a follower.
pub(super) const fn forgets(policy: Policy) -> &'static [Hazard] {
    match policy {
        Policy::Off => &[Hazard::Crash, Hazard::PowerLoss, Hazard::EmptyDisk],
        Policy::Buffered { .. } => &[
            Hazard::PowerLoss,
            Hazard::EmptyDisk,
            Hazard::StayedDown,
            Hazard::LostWrite,
            Hazard::BitRot,
        ],
        Policy::Fsync | Policy::GroupCommit => {
            &[Hazard::EmptyDisk, Hazard::StayedDown, Hazard::LostWrite, Hazard::BitRot]
        }
    }
}
