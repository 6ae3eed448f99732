//! What each mode promises, and why; with elections see [`elected`].
//!
//! | property | promised |
//! |---|---|
//! | single-leader, split-brain | always: the leader is fixed |
//! | replay | with a log, unless a disk lies or flips a bit: a bit of the last batch that flips looks like a torn tail |
//! | convergence, lww-maximum | with resending, unless a node forgets; without, unless a message is lost or a node crashes; never when a clear may reach a follower (sent there, or tried again at the next node), and never lww-maximum when deletes erase |
//! | durability | never when writes are tried again: an attempt that was given up may arrive late and win by its stamp over what was acknowledged since; else unless a node forgets or a wall clock is set wrong (last write wins drops what is stamped in the past); when deletes erase, not with entry replication, and not when a message is lost |
//! | monotonic writes, writes follow reads | unless a node forgets or a wall clock is set wrong |
//! | read your writes, monotonic reads, staleness | when every read asks the leader and nothing is tried again elsewhere, unless a node forgets or a wall clock is set wrong; never when followers are read |
//! | resurrection | as durability when every read asks the leader and nothing is tried again elsewhere, else never |
//! | append uniqueness | never when appends are tried again and not deduplicated, or other writes are tried again; else unless a node forgets or a wall clock is set wrong |
//! | liveness | never without a leader from the start, else unless a node stays down: what waits is answered in the end, and the leader is back once the faults are over |
//! | availability, replication lag | never: nobody takes the place of the leader, and no answer waits for every follower for longer than `ack-timeout` |
//!
//! What makes a node forget what it confirmed depends on the policy of its log: without one a crash, a power loss
//! and an empty disk; with `fsync` and `group-commit` an empty disk, one that lies or flips a bit, and a node that
//! does not come back; with a buffered log these and a power loss. Monotonic reads are void after a power loss under every policy: a write is read before it is durable.

use crate::config::{Config as Scenario, Operation, ScriptedOperation};
use crate::property::{Hazard, Hazards, Promise, Promises, Property};
use crate::protocol::wal::Policy;

use super::config::{CatchUp, Config, Deletes, Election, Replication};

mod elected;

const RETRIED: &str = "an attempt that its client gave up may arrive late, and its later stamp wins over what was acknowledged since";

pub(super) fn promises(config: &Config, scenario: &Scenario) -> Promises {
    if config.failover.election != Election::None {
        return elected::promises(config, scenario);
    }
    let policy = config.wal.policy;
    let forgets = forgets(policy);
    let durability = if scenario.retries_writes() {
        Promise::Never { why: RETRIED }
    } else {
        durability(config, with(forgets, Hazard::ClockSkew))
    };
    let convergence = convergence(config, scenario);
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
            Policy::Buffered { .. } | Policy::Fsync | Policy::GroupCommit => {
                "every read asks the leader, which has every write it acknowledged, in its log"
            }
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
    let resurrection = if scenario.reads_only_leader() {
        durability
    } else {
        Promise::Never { why: "followers answer reads from what has reached them so far" }
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
        .with(Property::Replay, replay(policy))
        .with(Property::SplitBrain, Promise::Always { why: "the leader is fixed" })
        .with(Property::Availability, AVAILABILITY)
        .with(Property::Liveness, liveness(scenario))
        .with(Property::ReplicationLag, REPLICATION_LAG)
        .with(Property::Resurrection, resurrection)
        .with(Property::AppendUniqueness, append_uniqueness(config, scenario))
}

fn replay(policy: Policy) -> Promise {
    match policy {
        Policy::Off => Promise::Always { why: "nothing is written, and nothing read back" },
        Policy::Buffered { .. } | Policy::Fsync | Policy::GroupCommit => Promise::Unless {
            hazards: Hazards::of(&[Hazard::LostWrite, Hazard::BitRot]),
            why: "what a sync covered is read back, whole, or the node does not start",
        },
    }
}

fn append_uniqueness(config: &Config, scenario: &Scenario) -> Promise {
    if scenario.retries_writes() && !config.deduplicate {
        return Promise::Never {
            why: "an append that is tried again is appended again, if the first attempt had come to the leader",
        };
    }
    if scenario.retries_writes() && !scenario.only_appends() {
        return Promise::Never {
            why: "a put or a delete that its client gave up may arrive late and end a list",
        };
    }
    Promise::Unless {
        hazards: with(forgets(config.wal.policy), Hazard::ClockSkew),
        why: "the leader appends each element once, above what its clock has stamped before",
    }
}

const AVAILABILITY: Promise =
    Promise::Never { why: "nobody takes the place of a leader that is down, paused or cut off" };

const REPLICATION_LAG: Promise =
    Promise::Never { why: "a follower takes in a write when the network brings it" };

fn liveness(scenario: &Scenario) -> Promise {
    if scenario.cluster.initial_leader.is_none() {
        return Promise::Never { why: "no node leads from the start, and none is elected" };
    }
    Promise::Unless {
        hazards: Hazards::of(&[Hazard::StayedDown]),
        why: "no write waits for longer than ack-timeout, and the leader is back once the faults are over",
    }
}

/// What makes a node lose what it has confirmed or acknowledged.
fn forgets(policy: Policy) -> Hazards {
    match policy {
        Policy::Off => Hazards::of(&[Hazard::Crash, Hazard::PowerLoss, Hazard::EmptyDisk]),
        Policy::Buffered { .. } => with(forgets(Policy::Fsync), Hazard::PowerLoss),
        Policy::Fsync | Policy::GroupCommit => {
            Hazards::of(&[Hazard::EmptyDisk, Hazard::StayedDown, Hazard::LostWrite, Hazard::BitRot])
        }
    }
}

fn with(mut hazards: Hazards, hazard: Hazard) -> Hazards {
    hazards.insert(hazard);
    hazards
}

/// A delete is a write like any other, and one that leaves no tombstone is easily lost.
fn durability(config: &Config, mut hazards: Hazards) -> Promise {
    if config.deletes == Deletes::Tombstone {
        let why = match config.wal.policy {
            Policy::Off => {
                "the store is in memory, and last write wins drops what is stamped in the past"
            }
            Policy::Buffered { .. } => {
                "no answer waits for a sync, and last write wins drops what is stamped in the past"
            }
            Policy::Fsync | Policy::GroupCommit => {
                "the leader syncs a write before it is sent or answered, and last write wins drops what is stamped in the past"
            }
        };
        return Promise::Unless { hazards, why };
    }
    match config.replication {
        Replication::Entry => Promise::Never {
            why: "an erased key forgets its delete, and an older write that arrives late comes back",
        },
        Replication::FullState => {
            hazards.insert(Hazard::MessageLost);
            let why = "nothing but the state that was lost says that a key was erased";
            Promise::Unless { hazards, why }
        }
    }
}

fn convergence(config: &Config, scenario: &Scenario) -> Promise {
    let leader = scenario.cluster.initial_leader;
    let may_clear_follower = |scripted: &ScriptedOperation| {
        let asks_leader = match scripted.node {
            Some(node) => leader == Some(node),
            None => leader.is_some() && !scenario.may_ask_around(scripted),
        };
        scripted.operation == Operation::Clear && !asks_leader
    };
    if scenario.script.iter().any(may_clear_follower) {
        return Promise::Never {
            why: "a clear that reaches a follower, sent there or tried again there, empties that follower alone",
        };
    }
    if config.deletes == Deletes::Erase && config.replication == Replication::Entry {
        return Promise::Never {
            why: "an erased key forgets its delete, so replicas depend on the order of arrival",
        };
    }
    if config.failover.catch_up == CatchUp::Log {
        return Promise::Unless {
            hazards: forgets(config.wal.policy),
            why: "what a follower lacks of the leader's log is sent to it, but a node may forget what it had",
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
            hazards: with(with(forgets(Policy::Off), Hazard::MessageLost), Hazard::DiskFull),
            why: "what is lost is not sent again, so a follower that missed a write stays behind",
        },
    }
}
