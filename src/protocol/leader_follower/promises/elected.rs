//! What a cluster promises that elects its leaders.
//!
//! - **single-leader**: by majority vote, while votes are not forgotten; never by any other
//!   election: each node judges by whom it hears
//! - **durability**: when an acknowledged write is on a majority and no leader can be elected or
//!   obeyed without it: all of the safeguards of [`missing_safeguard`]; never with one of them
//!   missing, nor where the stamps of two leaders may be equal
//! - **convergence**: with the same safeguards as far as they concern the log, unless too few nodes
//!   are left to elect anybody; with catch-up by full state and fencing unless a message is lost or
//!   a node crashes, and deletes of single entries leave tombstones; never without catch-up, nor
//!   with a clear, which may reach a follower
//! - **lww-maximum**: never: a write that a new leader lacks is gone, however high its stamp
//! - **sessions, staleness**: never: a deposed leader answers reads until it hears of the next one;
//!   the order of one client's writes with the safeguards of durability; of writes after what was
//!   read only where a later leader stamps above what no majority had: not with a hybrid clock
//! - **votes, log-matching, leader-append-only**: with catch-up by log, by majority vote and with
//!   fencing, while votes and, under a buffered log, entries are not forgotten; of the other
//!   invariants of a replicated log none, for it commits nothing
//! - **liveness**: unless too many nodes stay down to elect anybody; never by majority vote without
//!   jitter: candidates may split the votes for ever
//!
//! Only clocks of nodes that led matter, for only those stamp. A disk that forgets matters on any
//! node: it forgets the node's vote too. A node that stays down takes its copies with it, and
//! forgets nothing.

use crate::config::Config as Scenario;
use crate::operation::Operation;
use crate::property::{Hazard, Hazards, Promise, Promises, Property, Whose};
use crate::protocol::leader_follower::config::{
    CatchUp, Config, Election, FullStateIs, Mode, OnAckTimeout, Shipping,
};
use crate::protocol::parts::entry::Deletes;
use crate::protocol::parts::stamps::TimestampSource;
use crate::protocol::parts::wal::Policy;

use super::shared::{self, never};

pub(super) fn promises(config: &Config, scenario: &Scenario) -> Promises {
    let kept = Hazards::of(&[Hazard::EmptyDisk, Hazard::LostWrite, Hazard::BitRot]);
    let mut disks = shared::misordered(config, kept);
    let copies = shared::least_written(config, scenario);
    disks = disks.and(Whose::MoreThan(copies - 1), &[Hazard::StayedDown]);
    if config.timestamps.source == TimestampSource::Wall {
        // Two leaders stamp, and the clocks of both have to agree.
        disks = disks.and(Whose::Leader, &[Hazard::ClockDrift]);
    }
    let safe = missing_safeguard(config, scenario);
    let reads = never("a deposed leader answers reads from what it has until it hears of the next");
    let kept_by_majority = match safe {
        None => Promise::Unless {
            hazards: disks,
            why: "what a leader acknowledged is in the log of every later one, before what that \
                one accepts",
        },
        Some(why) => never(why),
    };
    let writes = match (kept_by_majority, equal_stamps(config)) {
        (Promise::Unless { .. }, Some(why)) => never(why),
        (promise, _) => promise,
    };
    let after_reads = match (writes, dirty_reads_win(config)) {
        (Promise::Unless { .. }, Some(why)) => never(why),
        (promise, _) => promise,
    };
    let durability = if scenario.retries_writes() { never(shared::RETRIED) } else { writes };
    let promises = Promises::default()
        .with(Property::SingleLeader, single_leader(config, kept))
        .with(Property::Convergence, convergence(config, scenario, safe, kept))
        .with(
            Property::LwwMaximum,
            never("a write that a new leader lacks is gone, however high its stamp"),
        )
        .with(Property::Durability, durability)
        .with(Property::ReadYourWrites, reads)
        .with(Property::MonotonicReads, reads)
        .with(Property::MonotonicWrites, writes)
        .with(Property::WritesFollowReads, after_reads)
        .with(Property::Staleness, reads)
        .with(Property::Replay, shared::replay(config.wal.policy))
        .with(Property::SplitBrain, kept_by_majority)
        .with(
            Property::Availability,
            never("between the loss of a leader and the next one nobody answers"),
        )
        .with(Property::Liveness, liveness(config, scenario))
        .with(Property::ReplicationLag, shared::REPLICATION_LAG)
        .with(Property::Resurrection, reads)
        .with(Property::AppendUniqueness, appends(config, scenario, writes))
        .with(
            Property::Linearizability,
            never("a deposed leader answers reads until it hears of the next"),
        );
    shared::without(config, scenario, with_log(config, kept, promises))
}

/// What is promised of one log, with catch-up by log.
fn with_log(config: &Config, kept: Hazards, promises: Promises) -> Promises {
    if config.failover.catch_up != CatchUp::Log {
        return promises;
    }
    let (votes, entries) = match log(config, kept) {
        Ok((votes, entries)) => (votes, entries),
        Err(why) => (never(why), never(why)),
    };
    let commits_nothing = never("it commits nothing: a node applies at once what it appends");
    promises
        .with(Property::Votes, votes)
        .with(Property::LogMatching, entries)
        .with(Property::LeaderAppendOnly, entries)
        .with(Property::LeaderCompleteness, commits_nothing)
        .with(Property::StateMachineSafety, commits_nothing)
        .with(Property::CommittedDurable, commits_nothing)
}

/// What is promised of votes and of the entries of logs; why nothing is.
fn log(config: &Config, kept: Hazards) -> Result<(Promise, Promise), &'static str> {
    let Election::MajorityVote { persist_vote, .. } = config.failover.election else {
        return Err("each node judges by whom it hears, and two may lead in one term");
    };
    if !config.failover.fencing {
        return Err("without fencing a deposed leader is obeyed, in a term that is over");
    }
    let (forgets_vote, forgets_entries): (&[Hazard], &[Hazard]) = match config.wal.policy {
        Policy::Off => (&[Hazard::Crash, Hazard::PowerLoss], &[Hazard::Crash, Hazard::PowerLoss]),
        Policy::Buffered { .. } => (&[], &[Hazard::PowerLoss]),
        Policy::Fsync | Policy::GroupCommit => (&[], &[]),
    };
    let forgets_vote: &[Hazard] =
        if persist_vote { forgets_vote } else { &[Hazard::Crash, Hazard::PowerLoss] };
    let kept = kept.and(Whose::Anyone, forgets_vote);
    let votes = Promise::Unless {
        hazards: kept,
        why: "a node tells of no term and no vote before its disk has them",
    };
    let entries = Promise::Unless {
        hazards: kept.and(Whose::Anyone, forgets_entries),
        why: "one leader a term gives out its indices, and a follower takes an entry only behind \
            the one that the leader has before it",
    };
    Ok((votes, entries))
}

/// What is acknowledged is there, and what is tried again is known, where both are promised.
fn appends(config: &Config, scenario: &Scenario, writes: Promise) -> Promise {
    match shared::append_uniqueness(config, scenario) {
        never @ Promise::Never { .. } => never,
        Promise::Always { .. } | Promise::Unless { .. } => writes,
    }
}

fn liveness(config: &Config, scenario: &Scenario) -> Promise {
    if scenario.bounds.leaderless.is_some() {
        return never(shared::LEADERLESS);
    }
    if matches!(config.mode, Mode::InSync { .. }) && !config.failover.unclean {
        return never("nobody leads who is out of sync, be there nobody else who could");
    }
    if let (Election::MajorityVote { .. }, true, 2..) =
        (config.failover.election, config.failover.jitter.is_zero(), scenario.cluster.nodes)
    {
        return never(
            "without jitter candidates stand at the same time, and split the votes for ever",
        );
    }
    Promise::Unless {
        hazards: Hazards::NONE
            .and(spare(config, scenario), &[Hazard::StayedDown])
            .and(Whose::Anyone, &[Hazard::DiskFull]),
        why: "once all nodes hear one another somebody leads, and brings the others up to date",
    }
}

/// More nodes than can be spared where somebody is to be elected.
fn spare(config: &Config, scenario: &Scenario) -> Whose {
    let nodes = scenario.cluster.nodes;
    Whose::MoreThan(match config.failover.election {
        Election::MajorityVote { .. } | Election::NewestTimestamp => (nodes - 1) / 2,
        // Whoever is left leads.
        Election::None | Election::LowestId { .. } | Election::HighestId => nodes - 1,
    })
}

/// Why writes of two leaders may bear equal timestamps although one was acknowledged before the
/// other was asked for; `None`: they may not. The node with the higher id then wins.
///
/// A leader that has the last acknowledged write stands for election only after a whole timeout of
/// silence.
fn equal_stamps(config: &Config) -> Option<&'static str> {
    let resolution = config.timestamps.resolution;
    match config.timestamps.source {
        TimestampSource::Wall if resolution > config.failover.timeout => Some(
            "a failover fits into what clocks are rounded to, and of equal stamps the higher node \
             id wins",
        ),
        TimestampSource::Client if resolution.nanos() > 1 => Some(
            "two operations fit into what clients' clocks are rounded to, and of equal stamps of \
             two leaders the higher node id wins",
        ),
        TimestampSource::Wall
        | TimestampSource::Client
        | TimestampSource::Hybrid
        | TimestampSource::TermSequence => None,
    }
}

/// Why a write may be stamped below one that its client had read of a leader, and that no majority
/// had; `None`: it may not.
fn dirty_reads_win(config: &Config) -> Option<&'static str> {
    match config.timestamps.source {
        TimestampSource::Hybrid => Some(
            "a leader shows what no majority has, and the next one, who never saw its stamp, may \
             stamp below it",
        ),
        // Two leaders may stamp at the same time.
        TimestampSource::Wall if config.timestamps.resolution.nanos() > 1 => Some(
            "a leader shows what no majority has, and the next one may round its clock to the \
             same stamp",
        ),
        TimestampSource::Wall | TimestampSource::Client | TimestampSource::TermSequence => None,
    }
}

fn single_leader(config: &Config, kept: Hazards) -> Promise {
    match config.failover.election {
        Election::MajorityVote { persist_vote: true, .. } if config.wal.policy != Policy::Off => {
            Promise::Unless {
                hazards: kept,
                why: "a node votes once a term and does not forget it, and two majorities share a \
                    node",
            }
        }
        Election::MajorityVote { .. } => Promise::Unless {
            hazards: kept.and(Whose::Anyone, &[Hazard::Crash, Hazard::PowerLoss]),
            why: "a node that crashes forgets its vote and may vote again",
        },
        Election::None
        | Election::LowestId { .. }
        | Election::HighestId
        | Election::NewestTimestamp => {
            never("each node judges by whom it hears, and two may judge differently")
        }
    }
}

/// Why an acknowledged write may be lost although no disk failed; `None`: it may not.
fn missing_safeguard(config: &Config, scenario: &Scenario) -> Option<&'static str> {
    let followers = scenario.cluster.nodes - 1;
    let asked = scenario.weakest_write_quorum().unwrap_or(followers);
    let quorum = match config.mode {
        Mode::InSync { .. } => 0,
        mode @ (Mode::Async | Mode::SemiSync { .. } | Mode::Sync) => mode.quorum(followers),
    };
    let Election::MajorityVote { check_log, persist_vote, .. } = config.failover.election else {
        return Some("who leads next need not have what was acknowledged");
    };
    if quorum.min(asked) < followers.div_ceil(2) {
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

fn convergence(
    config: &Config,
    scenario: &Scenario,
    safe: Option<&'static str>,
    kept: Hazards,
) -> Promise {
    // Whoever leads from the start may follow when the clear comes.
    if scenario.script.iter().any(|scripted| scripted.operation == Operation::Clear) {
        return shared::CLEARED;
    }
    match config.failover.catch_up {
        CatchUp::Log if safe.is_none() => Promise::Unless {
            hazards: kept.and(spare(config, scenario), &[Hazard::StayedDown]),
            why: "every follower's log is made the leader's, and the store is what the log says",
        },
        CatchUp::Log => never(
            "with two leaders of one term, or one that is obeyed too long, logs may differ \
                where they look alike",
        ),
        CatchUp::FullState
            if config.deletes == Deletes::Erase && config.replication == Shipping::Entry =>
        {
            never(shared::ERASED)
        }
        CatchUp::FullState if config.full_state == FullStateIs::Merged => never(
            "a state that is merged takes nothing away, so a node keeps what its new leader \
                lacks",
        ),
        // No message need be lost for it: a slow link is enough.
        CatchUp::FullState if !config.failover.fencing => {
            never("a leader that takes a late write of the one before it passes it on to nobody")
        }
        CatchUp::FullState => Promise::Unless {
            hazards: Hazards::of(&[
                Hazard::MessageLost,
                Hazard::Crash,
                Hazard::PowerLoss,
                Hazard::EmptyDisk,
                Hazard::DiskFull,
            ]),
            why: "a follower is sent the whole state when it meets its leader, and single writes \
                after that",
        },
        CatchUp::None => never("nobody brings a node up to date that was away"),
    }
}
