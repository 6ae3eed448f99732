//! What each mode promises, and why.
//!
//! | property | promised |
//! |---|---|
//! | single-leader | always: the leader is fixed |
//! | convergence, lww-maximum | with resending, unless a node loses what it confirmed; without, unless a message is lost or a node crashes; never lww-maximum when deletes erase |
//! | durability | unless a node loses what it confirmed or a wall clock is set wrong (last write wins drops what is stamped in the past) |
//! | session guarantees, staleness | when every read asks the leader, unless a node loses what it confirmed or a wall clock is set wrong; never when followers are read |
//!
//! What makes a node lose what it confirmed depends on the policy of its log: without one a crash, a power loss and
//! an empty disk; with a buffered one a power loss and an empty disk; with `fsync` and `group-commit` an empty disk
//! alone. Monotonic reads are void after a power loss under every policy: a write is read before it is durable.

use crate::config::Config as Scenario;
use crate::property::{Hazard, Hazards, Promise, Promises, Property};
use crate::protocol::wal::Policy;

use super::config::{Config, Deletes, Replication};

pub(super) fn promises(config: &Config, scenario: &Scenario) -> Promises {
    let policy = config.wal.policy;
    let forgets = forgets(policy);
    let durability = Promise::Unless {
        hazards: with(forgets, Hazard::ClockSkew),
        why: match policy {
            Policy::Off => {
                "the store is in memory, and last write wins drops what is stamped in the past"
            }
            Policy::Buffered { .. } => {
                "no answer waits for a sync, and last write wins drops what is stamped in the past"
            }
            Policy::Fsync | Policy::GroupCommit => {
                "the leader syncs a write before it is sent or answered, and last write wins drops what is stamped in the past"
            }
        },
    };
    let convergence = convergence(config);
    let lww_maximum = match config.deletes {
        Deletes::Tombstone => convergence,
        Deletes::Erase => Promise::Never {
            why: "an erased key forgets its delete, and an older write that arrives late comes back",
        },
    };
    let session = |hazards, why| {
        if scenario.reads_only_leader() {
            Promise::Unless { hazards: with(hazards, Hazard::ClockSkew), why }
        } else {
            Promise::Never { why: "followers answer reads from what has reached them so far" }
        }
    };
    let from_leader = session(
        forgets,
        match policy {
            Policy::Off => {
                "every read asks the leader, which has every write it accepted, in memory"
            }
            _ => "every read asks the leader, which has every write it acknowledged, in its log",
        },
    );
    let monotonic_reads = match policy {
        Policy::Off | Policy::Buffered { .. } => from_leader,
        Policy::Fsync | Policy::GroupCommit => session(
            with(forgets, Hazard::PowerLoss),
            "every read asks the leader, which shows a write before it is durable",
        ),
    };
    let writes = Promise::Unless {
        hazards: with(forgets, Hazard::ClockSkew),
        why: "one leader stamps all writes, in the order of its wall clock",
    };
    Promises::default()
        .with(Property::SingleLeader, Promise::Always { why: "the leader is fixed" })
        .with(Property::Convergence, convergence)
        .with(Property::LwwMaximum, lww_maximum)
        .with(Property::Durability, durability)
        .with(Property::ReadYourWrites, from_leader)
        .with(Property::MonotonicReads, monotonic_reads)
        .with(Property::MonotonicWrites, writes)
        .with(Property::WritesFollowReads, writes)
        .with(Property::Staleness, from_leader)
}

/// What makes a node lose what it has confirmed or acknowledged.
fn forgets(policy: Policy) -> Hazards {
    match policy {
        Policy::Off => Hazards::of(&[Hazard::Crash, Hazard::PowerLoss, Hazard::EmptyDisk]),
        Policy::Buffered { .. } => Hazards::of(&[Hazard::PowerLoss, Hazard::EmptyDisk]),
        Policy::Fsync | Policy::GroupCommit => Hazards::of(&[Hazard::EmptyDisk]),
    }
}

fn with(mut hazards: Hazards, hazard: Hazard) -> Hazards {
    hazards.insert(hazard);
    hazards
}

fn convergence(config: &Config) -> Promise {
    if config.deletes == Deletes::Erase && config.replication == Replication::Entry {
        return Promise::Never {
            why: "an erased key forgets its delete, so replicas depend on the order of arrival",
        };
    }
    match (config.resend, config.wal.policy) {
        (Some(_), Policy::Off) => Promise::Unless {
            hazards: forgets(Policy::Off),
            why: "what a follower has not confirmed is sent again, but a crash empties a node's memory",
        },
        (Some(_), policy) => Promise::Unless {
            hazards: forgets(policy),
            why: "what a follower has not confirmed is sent again, and what it has is in its log",
        },
        // A leader may crash between its sync and its sending, and then nothing was lost on the way.
        (None, _) => Promise::Unless {
            hazards: with(forgets(Policy::Off), Hazard::MessageLost),
            why: "what is lost is not sent again, so a follower that missed a write stays behind",
        },
    }
}
