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
//! What a wrong wall clock voids it voids with timestamps of the wall clock or, a drift too, of clients; a hybrid clock
//! and (term, sequence) order the writes of one leader whatever its clock shows. Ties left to what is there void all
//! but single-leader and monotonic reads: of two writes with one timestamp the second is acknowledged and dropped.
//! Tombstones that are purged void convergence, lww-maximum and durability: a message that takes longer than their
//! grace brings back what they deleted. Where replicas fill one another in (read repair, anti-entropy), a delete that
//! leaves nothing, or is purged, may come back even to the leader, and the promises of its reads go too.
//!
//! With anti-entropy, tombstones that stay and time enough to settle, replicas converge whatever was lost.
//!
//! When every read asks R of N replicas and an acknowledged write is on W (one more than the followers it waited for,
//! and one alone if it may be answered degraded), R + W > N promises read your writes and staleness; 2R > N with
//! repair before the answer promises monotonic reads. Tried-again writes and clears void both.
//!
//! What makes a node forget what it confirmed depends on the policy of its log: without one a crash, a power loss
//! and an empty disk; with `fsync` and `group-commit` an empty disk, one that lies or flips a bit, and a node that
//! does not come back; with a buffered log these and a power loss. Monotonic reads are void after a power loss under every policy: a write is read before it is durable.

use crate::config::{Config as Scenario, Operation, ScriptedOperation};
use crate::property::{Hazard, Hazards, Promise, Promises, Property};
use crate::protocol::wal::Policy;

use crate::protocol::store::Ties;

use super::config::{CatchUp, Config, Deletes, Election, FullStateIs, OnAckTimeout, Replication};
use super::repair::RepairAnswer;
use super::timestamps::TimestampSource;

mod elected;

const ERASED: &str = "an erased key forgets its delete, so replicas depend on the order of arrival";

const MERGED: &str =
    "a state that is merged says of no key that it was erased, so followers keep what was deleted";

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
        durability(config, misordered(config, forgets))
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
            Promise::Unless { hazards: misordered(config, hazards), why }
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
        hazards: misordered(config, forgets),
        why: match config.timestamps.source {
            TimestampSource::Wall => "one leader stamps all writes, in the order of its wall clock",
            TimestampSource::Client => "writes are stamped in the order of their clients' clocks",
            TimestampSource::Hybrid | TimestampSource::TermSequence => {
                "one leader stamps all writes, each above the one before"
            }
        },
    };
    let resurrection = if scenario.reads_only_leader() {
        durability
    } else {
        Promise::Never { why: "followers answer reads from what has reached them so far" }
    };
    let promises = Promises::default()
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
        .with(Property::AppendUniqueness, append_uniqueness(config, scenario));
    without(config, scenario, with_quorums(config, scenario, promises))
}

/// What makes writes win that came first: a clock that is wrong where it stamps.
fn misordered(config: &Config, hazards: Hazards) -> Hazards {
    match config.timestamps.source {
        TimestampSource::Wall => with(hazards, Hazard::ClockSkew),
        TimestampSource::Client => with(with(hazards, Hazard::ClockSkew), Hazard::ClockDrift),
        TimestampSource::Hybrid | TimestampSource::TermSequence => hazards,
    }
}

/// How many replicas have a write that was acknowledged, at the least.
fn least_written(config: &Config, scenario: &Scenario) -> u16 {
    if config.on_ack_timeout == OnAckTimeout::Succeed {
        return 1;
    }
    let asked = scenario.script.iter().filter_map(|scripted| match scripted.operation {
        Operation::Put { quorum, .. }
        | Operation::Delete { quorum, .. }
        | Operation::Append { quorum, .. } => quorum,
        Operation::Get { .. } | Operation::List | Operation::ReadAll | Operation::Clear => None,
    });
    1 + asked.fold(config.mode.quorum(scenario.cluster.nodes - 1), u16::min)
}

/// What quorums of reads and writes that overlap promise besides, where reads ask others than the leader.
fn with_quorums(config: &Config, scenario: &Scenario, mut promises: Promises) -> Promises {
    let Some(quorum) = scenario.weakest_read_quorum() else { return promises };
    let clears = scenario.script.iter().any(|scripted| scripted.operation == Operation::Clear);
    let asks_leader = scenario.reads_only_leader();
    if asks_leader || scenario.retries_writes() || clears || config.deletes == Deletes::Erase {
        return promises;
    }
    let nodes = scenario.cluster.nodes;
    let hazards = misordered(config, forgets(config.wal.policy_on_followers()));
    if quorum.replicas + least_written(config, scenario) > nodes {
        let why = "of the replicas that a read asks one has every write that was acknowledged";
        let promise = Promise::Unless { hazards, why };
        promises = promises.with(Property::ReadYourWrites, promise);
        promises = promises.with(Property::Staleness, promise);
    }
    let waits = quorum.repair && config.reads.answer == RepairAnswer::AfterRepair;
    if waits && 2 * quorum.replicas > nodes {
        let hazards = with(hazards, Hazard::PowerLoss);
        let why = "what a read answered is on so many replicas that a later one asks one of them";
        promises = promises.with(Property::MonotonicReads, Promise::Unless { hazards, why });
    }
    promises
}

/// Takes back what a rule for equal timestamps, or the loss of tombstones, leaves of the promises.
fn without(config: &Config, scenario: &Scenario, mut promises: Promises) -> Promises {
    let state =
        [Property::Convergence, Property::LwwMaximum, Property::Durability, Property::Resurrection];
    let reads = [Property::ReadYourWrites, Property::MonotonicReads, Property::Staleness];
    let writes = [Property::MonotonicWrites, Property::WritesFollowReads];
    let mut never = |properties: &[Property], why| {
        for property in properties {
            promises = std::mem::take(&mut promises).with(*property, Promise::Never { why });
        }
    };
    let fills_in = config.anti_entropy.is_some() || scenario.repairs_reads();
    if config.timestamps.ties == Ties::KeepExisting {
        let why = "of two writes with one timestamp a replica keeps the one that came first";
        never(&state, why);
        never(&writes, why);
        never(&[Property::ReadYourWrites, Property::Staleness], why);
    }
    if config.tombstone_grace.is_some() {
        never(&state, "what takes longer than the grace period brings back what was deleted");
    }
    if fills_in && (config.tombstone_grace.is_some() || config.deletes == Deletes::Erase) {
        let why = "a replica that missed a delete brings the value back to those that forgot it";
        never(&state, why);
        never(&reads, why);
        never(&writes, why);
    }
    promises
}

/// Whether anti-entropy has the time to bring all replicas together while the cluster settles: every node in turn with
/// every other, and as often again for what that brought.
fn compares_in_time(config: &Config, scenario: &Scenario) -> bool {
    config.anti_entropy.is_some_and(|interval| {
        let rounds = 4 * u64::from(scenario.cluster.nodes);
        interval.nanos().saturating_mul(rounds) <= scenario.settle.nanos()
    })
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
        hazards: misordered(config, forgets(config.wal.policy)),
        why: "the leader appends each element once, above what its clock has stamped before",
    }
}

const AVAILABILITY: Promise =
    Promise::Never { why: "nobody takes the place of a leader that is down, paused or cut off" };

const REPLICATION_LAG: Promise =
    Promise::Never { why: "a follower takes in a write when the network brings it" };

const LEADERLESS: &str = "for how long nobody leads depends on what went wrong";

fn liveness(scenario: &Scenario) -> Promise {
    if scenario.bounds.leaderless.is_some() {
        return Promise::Never { why: LEADERLESS };
    }
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
        Replication::FullState if config.full_state == FullStateIs::Merged => {
            Promise::Never { why: MERGED }
        }
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
        return Promise::Never { why: ERASED };
    }
    if config.deletes == Deletes::Erase && config.full_state == FullStateIs::Merged {
        return Promise::Never { why: MERGED };
    }
    if config.failover.catch_up == CatchUp::Log {
        return Promise::Unless {
            hazards: forgets(config.wal.policy),
            why: "what a follower lacks of the leader's log is sent to it, but a node may forget what it had",
        };
    }
    if compares_in_time(config, scenario) {
        let hazards = Hazards::of(&[Hazard::DiskFull, Hazard::ClockDrift]);
        // Whoever forgets is filled in, but a leader that forgot its sequence gives a version twice.
        let forgets = forgets(config.wal.policy).iter();
        let forgets = forgets.filter(|_| config.timestamps.source == TimestampSource::TermSequence);
        return Promise::Unless {
            hazards: forgets.fold(hazards, with),
            why: "replicas compare what they store, and each takes what the other has newer",
        };
    }
    // A leader that forgot how many writes it had stamped gives a version twice.
    let counts = config.timestamps.source == TimestampSource::TermSequence;
    let forgets_count = |mut hazards: Hazards| {
        if counts && config.failover.catch_up == CatchUp::None {
            hazards = with(with(hazards, Hazard::PowerLoss), Hazard::Crash);
        }
        hazards
    };
    match (config.resend, config.wal.policy_on_followers()) {
        (Some(_), Policy::Off) => Promise::Unless {
            hazards: forgets(Policy::Off),
            why: "what a follower has not confirmed is sent again, but a crash empties a node's memory",
        },
        (Some(_), policy) => Promise::Unless {
            hazards: forgets_count(forgets(policy)),
            why: "what a follower has not confirmed is sent again, and what it has is in its log",
        },
        // A leader may crash between its sync and its sending, and then nothing was lost on the way.
        (None, _) => Promise::Unless {
            hazards: with(with(forgets(Policy::Off), Hazard::MessageLost), Hazard::DiskFull),
            why: "what is lost is not sent again, so a follower that missed a write stays behind",
        },
    }
}
