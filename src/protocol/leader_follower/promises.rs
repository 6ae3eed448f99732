//! What each mode promises, and why.
//!
//! | property | promised |
//! |---|---|
//! | single-leader | always: the leader is fixed |
//! | convergence, lww-maximum | with resending, unless a node crashes; without, unless a message is lost or a node crashes; never lww-maximum when deletes erase |
//! | durability | unless a node crashes (the store is in memory) or a wall clock is set wrong (last write wins drops what is stamped in the past) |
//! | session guarantees, staleness | when every read asks the leader, unless a node crashes or a wall clock is set wrong; never when followers are read |

use crate::config::Config as Scenario;
use crate::property::{Hazard, Hazards, Promise, Promises, Property};

use super::config::{Config, Deletes, Replication};

pub(super) fn promises(config: &Config, scenario: &Scenario) -> Promises {
    let crash_or_clock =
        Hazards::of(&[Hazard::Crash, Hazard::PowerLoss, Hazard::EmptyDisk, Hazard::ClockSkew]);
    let durability = Promise::Unless {
        hazards: crash_or_clock,
        why: "the store is in memory, and last write wins drops what is stamped in the past",
    };
    let convergence = convergence(config);
    let lww_maximum = match config.deletes {
        Deletes::Tombstone => convergence,
        Deletes::Erase => Promise::Never {
            why: "an erased key forgets its delete, and an older write that arrives late comes back",
        },
    };
    let session = if scenario.reads_only_leader() {
        Promise::Unless {
            hazards: crash_or_clock,
            why: "every read asks the leader, which has every write it accepted, in memory",
        }
    } else {
        Promise::Never { why: "followers answer reads from what has reached them so far" }
    };
    let writes = Promise::Unless {
        hazards: crash_or_clock,
        why: "one leader stamps all writes, in the order of its wall clock",
    };
    Promises::default()
        .with(Property::SingleLeader, Promise::Always { why: "the leader is fixed" })
        .with(Property::Convergence, convergence)
        .with(Property::LwwMaximum, lww_maximum)
        .with(Property::Durability, durability)
        .with(Property::ReadYourWrites, session)
        .with(Property::MonotonicReads, session)
        .with(Property::MonotonicWrites, writes)
        .with(Property::WritesFollowReads, writes)
        .with(Property::Staleness, session)
}

fn convergence(config: &Config) -> Promise {
    if config.deletes == Deletes::Erase && config.replication == Replication::Entry {
        return Promise::Never {
            why: "an erased key forgets its delete, so replicas depend on the order of arrival",
        };
    }
    let crash = [Hazard::Crash, Hazard::PowerLoss, Hazard::EmptyDisk];
    match config.resend {
        Some(_) => Promise::Unless {
            hazards: Hazards::of(&crash),
            why: "what a follower has not confirmed is sent again, but a crash empties a node's memory",
        },
        None => Promise::Unless {
            hazards: Hazards::of(&[&crash[..], &[Hazard::MessageLost]].concat()),
            why: "what is lost is not sent again, so a follower that missed a write stays behind",
        },
    }
}
