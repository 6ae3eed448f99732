//! What a cluster promises that elects its leaders.
//!
//! | property | promised |
//! |---|---|
//! | single-leader | by majority vote, while votes are not forgotten; never by any other election: each node judges by whom it hears |
//! | durability | when an acknowledged write is on a majority and no leader can be elected or obeyed without it: all of the safeguards of [`missing_safeguard`]; never with one of them missing |
//! | convergence | with the same safeguards as far as they concern the log; with catch-up by full state and fencing unless a message is lost or a node crashes, and deletes of single entries leave tombstones; never without catch-up |
//! | lww-maximum | never: a write that a new leader lacks is gone, however high its stamp |
//! | sessions, staleness | never: a deposed leader answers reads until it hears of the next one; the order of one client's writes with the safeguards of durability |

use crate::config::Config as Scenario;
use crate::property::{Hazard, Hazards, Promise, Promises, Property};
use crate::protocol::leader_follower::config::{
    CatchUp, Config, Deletes, Election, FullStateIs, Mode, OnAckTimeout, Replication,
};
use crate::protocol::leader_follower::timestamps::TimestampSource;
use crate::protocol::wal::Policy;

pub(super) fn promises(config: &Config, scenario: &Scenario) -> Promises {
    let kept = Hazards::of(&[Hazard::EmptyDisk, Hazard::LostWrite, Hazard::BitRot]);
    let mut disks = super::misordered(config, kept);
    disks.insert(Hazard::StayedDown);
    if config.timestamps.source == TimestampSource::Wall {
        // Two leaders stamp, and the clocks of both have to agree.
        disks.insert(Hazard::ClockDrift);
    }
    let never = |why| Promise::Never { why };
    let safe = missing_safeguard(config, scenario);
    let reads = never("a deposed leader answers reads from what it has until it hears of the next");
    let writes = match safe {
        None => Promise::Unless {
            hazards: disks,
            why: "what a leader acknowledged is in the log of every later one, before what that one accepts",
        },
        Some(why) => never(why),
    };
    let durability = if scenario.retries_writes() { never(super::RETRIED) } else { writes };
    let promises = Promises::default()
        .with(Property::SingleLeader, single_leader(config, kept))
        .with(Property::Convergence, convergence(config, safe, kept))
        .with(
            Property::LwwMaximum,
            never("a write that a new leader lacks is gone, however high its stamp"),
        )
        .with(Property::Durability, durability)
        .with(Property::ReadYourWrites, reads)
        .with(Property::MonotonicReads, reads)
        .with(Property::MonotonicWrites, writes)
        .with(Property::WritesFollowReads, writes)
        .with(Property::Staleness, reads)
        .with(Property::Replay, super::replay(config.wal.policy))
        .with(Property::SplitBrain, writes)
        .with(
            Property::Availability,
            never("between the loss of a leader and the next one nobody answers"),
        )
        .with(Property::Liveness, liveness(config, scenario))
        .with(Property::ReplicationLag, super::REPLICATION_LAG)
        .with(Property::Resurrection, reads)
        .with(Property::AppendUniqueness, appends(config, scenario, writes));
    super::without(config, scenario, promises)
}

/// What is acknowledged is there, and what is tried again is known, where both are promised.
fn appends(config: &Config, scenario: &Scenario, writes: Promise) -> Promise {
    match super::append_uniqueness(config, scenario) {
        never @ Promise::Never { .. } => never,
        Promise::Always { .. } | Promise::Unless { .. } => writes,
    }
}

fn liveness(config: &Config, scenario: &Scenario) -> Promise {
    if scenario.bounds.leaderless.is_some() {
        return Promise::Never { why: super::LEADERLESS };
    }
    if matches!(config.mode, Mode::InSync { .. }) && !config.failover.unclean {
        return Promise::Never {
            why: "nobody leads who is out of sync, be there nobody else who could",
        };
    }
    Promise::Unless {
        hazards: Hazards::of(&[Hazard::StayedDown, Hazard::DiskFull]),
        why: "once all nodes hear one another somebody leads, and brings the others up to date",
    }
}

fn single_leader(config: &Config, kept: Hazards) -> Promise {
    match config.failover.election {
        Election::MajorityVote { persist_vote: true, .. } if config.wal.policy != Policy::Off => {
            Promise::Unless {
                hazards: kept,
                why: "a node votes once a term and does not forget it, and two majorities share a node",
            }
        }
        Election::MajorityVote { .. } => {
            let mut hazards = kept;
            hazards.insert(Hazard::Crash);
            hazards.insert(Hazard::PowerLoss);
            Promise::Unless {
                hazards,
                why: "a node that crashes forgets its vote and may vote again",
            }
        }
        Election::None
        | Election::LowestId { .. }
        | Election::HighestId
        | Election::NewestTimestamp => Promise::Never {
            why: "each node judges by whom it hears, and two may judge differently",
        },
    }
}

/// Why an acknowledged write may be lost although no disk failed; `None`: it may not.
fn missing_safeguard(config: &Config, scenario: &Scenario) -> Option<&'static str> {
    let followers = scenario.cluster.nodes - 1;
    let asks_less = scenario.asks_for_fewer_than(followers.div_ceil(2));
    let quorum = match config.mode {
        Mode::InSync { .. } => 0,
        mode => mode.quorum(followers),
    };
    let (check_log, persist_vote) = match config.failover.election {
        Election::MajorityVote { check_log, persist_vote, .. } => (check_log, persist_vote),
        Election::None
        | Election::LowestId { .. }
        | Election::HighestId
        | Election::NewestTimestamp => {
            return Some("who leads next need not have what was acknowledged");
        }
    };
    if quorum < followers.div_ceil(2) || asks_less {
        return Some("a write is acknowledged that no majority has");
    }
    if config.on_ack_timeout == OnAckTimeout::Succeed {
        return Some("a write that too few confirm is acknowledged all the same");
    }
    if !matches!(config.wal.policy, Policy::Fsync | Policy::GroupCommit) {
        return Some("a node confirms what it has not synced, and may forget it");
    }
    if config.failover.catch_up != CatchUp::Log {
        return Some("a follower may have a later write and lack an earlier one");
    }
    if !check_log {
        return Some("a node may be elected that lacks what was acknowledged");
    }
    if !persist_vote {
        return Some("a node that forgets its vote may elect two leaders of one term");
    }
    if !config.failover.fencing {
        return Some("a deposed leader is still obeyed");
    }
    None
}

fn convergence(config: &Config, safe: Option<&'static str>, kept: Hazards) -> Promise {
    match config.failover.catch_up {
        CatchUp::Log if safe.is_none() => Promise::Unless {
            hazards: kept,
            why: "every follower's log is made the leader's, and the store is what the log says",
        },
        CatchUp::Log => Promise::Never {
            why: "with two leaders of one term, or one that is obeyed too long, logs may differ where they look alike",
        },
        CatchUp::FullState
            if config.deletes == Deletes::Erase && config.replication == Replication::Entry =>
        {
            Promise::Never { why: super::ERASED }
        }
        CatchUp::FullState if config.full_state == FullStateIs::Merged => Promise::Never {
            why: "a state that is merged takes nothing away, so a node keeps what its new leader lacks",
        },
        // No message need be lost for it: a slow link is enough.
        CatchUp::FullState if !config.failover.fencing => Promise::Never {
            why: "a leader that takes a late write of the one before it passes it on to nobody",
        },
        CatchUp::FullState => Promise::Unless {
            hazards: Hazards::of(&[
                Hazard::MessageLost,
                Hazard::Crash,
                Hazard::PowerLoss,
                Hazard::EmptyDisk,
                Hazard::DiskFull,
            ]),
            why: "a follower is sent the whole state when it meets its leader, and single writes after that",
        },
        CatchUp::None => Promise::Never { why: "nobody brings a node up to date that was away" },
    }
}
