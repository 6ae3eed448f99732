//! What a cluster promises whose leader is the same for ever.

use crate::config::{Config as Scenario, ScriptedOperation};
use crate::operation::Operation;
use crate::property::{Hazard, Hazards, Promise, Promises, Property, Whose};
use crate::protocol::leader_follower::config::{
    CatchUp, Config, FullStateIs, RepairAnswer, Shipping,
};
use crate::protocol::parts::entry::Deletes;
use crate::protocol::parts::stamps::TimestampSource;
use crate::protocol::parts::wal::Policy;

use super::shared::{
    self, AVAILABILITY, CLEARED, ERASED, LEADERLESS, REPLICATION_LAG, RETRIED, append_uniqueness,
    forgets, least_written, misordered, never, replay, without,
};

const MERGED: &str =
    "a state that is merged says of no key that it was erased, so followers keep what was deleted";

pub(super) fn promises(config: &Config, scenario: &Scenario) -> Promises {
    let policy = config.wal.policy;
    let forgets = Hazards::NONE.and(Whose::Leader, forgets(policy));
    let durability =
        if scenario.retries_writes() { never(RETRIED) } else { durability(config, scenario) };
    let convergence = convergence(config, scenario);
    let lww_maximum = match config.deletes {
        Deletes::Tombstone => convergence,
        Deletes::Erase => never(
            "an erased key forgets its delete, and an older write that arrives late comes \
                back",
        ),
    };
    let session = |hazards, why| {
        if scenario.reads_only_leader() {
            Promise::Unless { hazards: misordered(config, hazards), why }
        } else {
            never("followers answer reads from what has reached them so far")
        }
    };
    let from_leader = session(
        forgets,
        match policy {
            Policy::Off => {
                "every read asks the leader, which has every write it accepted, in memory"
            }
            Policy::Buffered { .. } | Policy::Fsync | Policy::GroupCommit => {
                "every read asks the leader, which has every write it acknowledged, in its log"
            }
        },
    );
    let dirty = forgets.and(Whose::Leader, &[Hazard::PowerLoss]);
    let monotonic_reads = match policy {
        Policy::Off | Policy::Buffered { .. } => from_leader,
        Policy::Fsync | Policy::GroupCommit => {
            session(dirty, "every read asks the leader, which shows a write before it is durable")
        }
    };
    let writes = |hazards| Promise::Unless {
        hazards: misordered(config, hazards),
        why: match config.timestamps.source {
            TimestampSource::Wall => "one leader stamps all writes, in the order of its wall clock",
            TimestampSource::Client => "writes are stamped in the order of their clients' clocks",
            TimestampSource::Hybrid | TimestampSource::TermSequence => {
                "one leader stamps all writes, each above the one before"
            }
        },
    };
    let resurrection = match durability {
        Promise::Unless { hazards, why } => {
            session(hazards.and(Whose::Leader, shared::forgets(policy)), why)
        }
        never if scenario.reads_only_leader() => never,
        Promise::Always { .. } | Promise::Never { .. } => session(forgets, ""),
    };
    let promises = Promises::default()
        .with(Property::SingleLeader, Promise::Always { why: "the leader is fixed" })
        .with(Property::Convergence, convergence)
        .with(Property::LwwMaximum, lww_maximum)
        .with(Property::Durability, durability)
        .with(Property::ReadYourWrites, from_leader)
        .with(Property::MonotonicReads, monotonic_reads)
        .with(Property::MonotonicWrites, writes(forgets))
        .with(Property::WritesFollowReads, writes(dirty))
        .with(Property::Staleness, from_leader)
        .with(Property::Replay, replay(policy))
        .with(Property::SplitBrain, Promise::Always { why: "the leader is fixed" })
        .with(Property::Availability, AVAILABILITY)
        .with(Property::Liveness, liveness(scenario))
        .with(Property::ReplicationLag, REPLICATION_LAG)
        .with(Property::Resurrection, resurrection)
        .with(Property::AppendUniqueness, append_uniqueness(config, scenario))
        .with(Property::Linearizability, linearizability(config, scenario, dirty));
    without(config, scenario, with_quorums(config, scenario, promises))
}

/// The leader's store is the one copy of the data, as long as it takes every write that it
/// acknowledges and every read asks it.
fn linearizability(config: &Config, scenario: &Scenario, dirty: Hazards) -> Promise {
    if scenario.retries_writes() {
        return never(RETRIED);
    }
    if may_clear_follower(scenario) {
        return CLEARED;
    }
    if !scenario.reads_only_leader() {
        return never("followers answer reads from what has reached them so far");
    }
    Promise::Unless {
        hazards: misordered(config, dirty),
        why: "every operation asks the leader, which shows a write before it is durable",
    }
}

/// What quorums of reads and writes that overlap promise besides, where reads ask others than the
/// leader.
fn with_quorums(config: &Config, scenario: &Scenario, mut promises: Promises) -> Promises {
    let Some(quorum) = scenario.weakest_read_quorum() else { return promises };
    let clears = scenario.script.iter().any(|scripted| scripted.operation == Operation::Clear);
    let asks_leader = scenario.reads_only_leader();
    if asks_leader || scenario.retries_writes() || clears || config.deletes == Deletes::Erase {
        return promises;
    }
    let mut promise = |property, why| {
        let promised = std::mem::take(&mut promises);
        promises = promised.with(property, why);
    };
    let both = [Property::ReadYourWrites, Property::Staleness];
    // What takes a promise away whatever the quorums.
    let why = if scenario.appends() {
        Some("a list is read from the node asked alone, however many replicas a read asks")
    } else if config.tombstone_grace.is_some() {
        Some(
            "a replica that missed a delete shows the value to a read whose others purged the \
             tombstone",
        )
    } else {
        None
    };
    if let Some(why) = why {
        let of_reads = [Property::MonotonicReads, Property::Linearizability];
        for property in both.into_iter().chain(of_reads) {
            promise(property, never(why));
        }
        return promises;
    }
    let nodes = scenario.cluster.nodes;
    let unless = |shared: u16, more: &[Hazard], why| {
        let hazards = all_forget(config, Whose::MoreThan(shared - 1));
        let hazards = hazards.and(Whose::MoreThan(shared - 1), more);
        Promise::Unless { hazards: misordered(config, hazards), why }
    };
    let shared = (quorum.replicas + least_written(config, scenario)).saturating_sub(nodes);
    let of_writes = shared;
    if shared > 0 {
        let why = "of the replicas that a read asks one has every write that was acknowledged";
        for property in both {
            promise(property, unless(shared, &[], why));
        }
    }
    let waits = quorum.repair && config.reads.answer == RepairAnswer::AfterRepair;
    let shared = (2 * quorum.replicas).saturating_sub(nodes);
    if waits && shared > 0 {
        let why = "what a read answered is on so many replicas that a later one asks one of them";
        promise(Property::MonotonicReads, unless(shared, &[Hazard::PowerLoss], why));
        let shared = shared.min(of_writes);
        if shared > 0 {
            let why = "a read asks a replica that has what was acknowledged, and writes back what \
                it answers";
            promise(Property::Linearizability, unless(shared, &[Hazard::PowerLoss], why));
        }
    }
    promises
}

fn liveness(scenario: &Scenario) -> Promise {
    if scenario.bounds.leaderless.is_some() {
        return never(LEADERLESS);
    }
    if scenario.cluster.initial_leader.is_none() {
        return never("no node leads from the start, and none is elected");
    }
    Promise::Unless {
        hazards: Hazards::NONE.and(Whose::Leader, &[Hazard::StayedDown]),
        why: "no write waits for longer than ack-timeout, and the leader is back once the faults \
            are over",
    }
}

/// What makes a node forget the last writes that it acknowledged, and keep the earlier ones.
fn forgets_the_end(policy: Policy) -> Vec<Hazard> {
    let partly = [Hazard::PowerLoss, Hazard::LostWrite, Hazard::BitRot];
    let forgotten = |hazard: &Hazard| policy != Policy::Off && forgets(policy).contains(hazard);
    partly.into_iter().filter(forgotten).collect()
}

/// When nobody has any more what so many had: when those forget it, or, where it is the leader that
/// decides what others have, the leader.
fn all_forget(config: &Config, whose: Whose) -> Hazards {
    let leader = forgets(config.wal.policy);
    // Followers forget more where the leader alone has a log.
    let all =
        if whose == Whose::Leader { leader } else { forgets(config.wal.policy_on_followers()) };
    let hazards = Hazards::NONE.and(whose, all);
    let is_made_like_its_leader =
        config.replication == Shipping::FullState || config.failover.catch_up != CatchUp::None;
    if whose == Whose::Leader || is_made_like_its_leader || stamps_again(config) {
        return hazards.and(Whose::Leader, leader);
    }
    match config.timestamps.source {
        // A clock that was ahead, and that a leader which forgot is behind of.
        TimestampSource::Hybrid => {
            hazards.and(Whose::Leader, &[Hazard::ClockSkew, Hazard::ClockDrift])
        }
        TimestampSource::Wall | TimestampSource::Client | TimestampSource::TermSequence => hazards,
    }
}

/// Whether a leader that forgot what it stamped stamps below it, or the same again.
const fn stamps_again(config: &Config) -> bool {
    match config.timestamps.source {
        TimestampSource::TermSequence => true,
        // Within one reading the sequence decides, which begins anew.
        TimestampSource::Wall | TimestampSource::Client | TimestampSource::Hybrid => {
            config.timestamps.resolution.nanos() > 1
        }
    }
}

/// A delete is a write like any other, and one that leaves no tombstone is easily lost.
fn durability(config: &Config, scenario: &Scenario) -> Promise {
    let policy = config.wal.policy;
    // A read may repair a leader that forgot with what one had who missed the write, and the leader
    // shows that.
    let others = if scenario.repairs_reads() { 0 } else { least_written(config, scenario) - 1 };
    let whose = if others == 0 { Whose::Leader } else { Whose::LeaderAnd(others) };
    let mut hazards = misordered(config, all_forget(config, whose));
    // A leader that forgot the end of its log alone shows what came before, whatever the others
    // have.
    hazards = hazards.and(Whose::Leader, &forgets_the_end(policy));
    if config.deletes == Deletes::Tombstone {
        let why = match policy {
            Policy::Off if others > 0 => {
                "an answer waits for confirmations, and last write wins drops what is stamped in \
                 the past"
            }
            Policy::Off => {
                "the store is in memory, and last write wins drops what is stamped in the past"
            }
            Policy::Buffered { .. } => {
                "no answer waits for a sync, and last write wins drops what is stamped in the past"
            }
            Policy::Fsync | Policy::GroupCommit => {
                "the leader syncs a write before it is sent or answered, and last write wins \
                 drops what is stamped in the past"
            }
        };
        return Promise::Unless { hazards, why };
    }
    match config.replication {
        Shipping::Entry => never(
            "an erased key forgets its delete, and an older write that arrives late comes \
                back",
        ),
        Shipping::FullState if config.full_state == FullStateIs::Merged => never(MERGED),
        Shipping::FullState => Promise::Unless {
            // A follower that forgot it has the key again, of which the leader knows nothing.
            hazards: hazards
                .and(Whose::Leader, &[Hazard::MessageLost])
                .and(Whose::Anyone, &forgets_the_end(config.wal.policy_on_followers()))
                .and(Whose::Anyone, &[Hazard::DiskFull]),
            why: "nothing but the state that was lost says that a key was erased",
        },
    }
}

fn may_clear_follower(scenario: &Scenario) -> bool {
    let leader = scenario.cluster.initial_leader;
    let around = scenario.clients_that_ask_around();
    let may = |scripted: &ScriptedOperation| {
        let asks_leader = match scripted.node {
            Some(node) => leader == Some(node),
            None => leader.is_some() && !around.contains(&scripted.client),
        };
        scripted.operation == Operation::Clear && !asks_leader
    };
    scenario.script.iter().any(may)
}

fn convergence(config: &Config, scenario: &Scenario) -> Promise {
    if may_clear_follower(scenario) {
        return CLEARED;
    }
    if config.deletes == Deletes::Erase && config.replication == Shipping::Entry {
        return never(ERASED);
    }
    if config.deletes == Deletes::Erase && config.full_state == FullStateIs::Merged {
        return never(MERGED);
    }
    let policy = config.wal.policy;
    if config.failover.catch_up == CatchUp::Log {
        return Promise::Unless {
            hazards: Hazards::NONE.and(Whose::Leader, forgets(policy)),
            why: "what a follower lacks of the leader's log is sent to it, but a leader may \
                forget what it had",
        };
    }
    // A leader that forgot how many writes it had stamped gives a version twice.
    let counts = stamps_again(config) || config.timestamps.source == TimestampSource::Client;
    if config.anti_entropy.is_some() {
        let hazards = Hazards::NONE;
        // Whoever forgets is filled in, but for that.
        let mut hazards =
            if counts { hazards.and(Whose::Leader, forgets(policy)) } else { hazards };
        if counts && scenario.repairs_reads() {
            // A read that finds what is not yet durable writes it to others.
            hazards = hazards.and(Whose::Leader, &[Hazard::PowerLoss]);
        }
        return Promise::Unless {
            hazards: hazards.and(Whose::Anyone, &[Hazard::DiskFull]),
            why: "replicas compare what they store, and each takes what the other has newer",
        };
    }
    let mut hazards = Hazards::NONE;
    let policy = config.wal.policy_on_followers();
    if config.resend.is_some() && policy != Policy::Off {
        if counts && config.failover.catch_up == CatchUp::None {
            hazards = hazards.and(Whose::Leader, &[Hazard::PowerLoss, Hazard::Crash]);
        }
        return Promise::Unless {
            hazards: forgets(policy).iter().fold(hazards, |hazards, hazard| {
                // A follower that is down need not converge.
                let stayed_down = *hazard == Hazard::StayedDown;
                let whose = if stayed_down { Whose::Leader } else { Whose::Anyone };
                hazards.and(whose, &[*hazard])
            }),
            why: "what a follower has not confirmed is sent again, and what it has is in its log",
        };
    }
    hazards = hazards.and(Whose::Anyone, forgets(Policy::Off));
    if config.resend.is_some() {
        return Promise::Unless {
            hazards,
            why: "what a follower has not confirmed is sent again, but a crash empties a node's \
                memory",
        };
    }
    // A leader may crash between its sync and its sending, and then nothing was lost on the way.
    Promise::Unless {
        hazards: hazards
            .and(Whose::Anyone, &[Hazard::DiskFull])
            .and(Whose::Leader, &[Hazard::MessageLost]),
        why: "what is lost is not sent again, so a follower that missed a write stays behind",
    }
}
