//! Every way in which a node gets or regains what it stores, tried on one node with its disk: after
//! it the node knows the newest timestamp that there was in it, and never gives a number again that
//! it has given an operation. And what it stores when its process dies it stores when it starts
//! again.

use std::num::NonZeroU32;
use std::sync::Arc;

use proptest::prelude::*;

use crate::config::Cluster;
use crate::id::{KeyId, LogIndex, OpId, Position, Value, Version};
use crate::operation::Operation;
use crate::protocol::harness::{Harness, StepError};
use crate::protocol::leader_follower::*;
use crate::protocol::parts::entry::contents;
use crate::protocol::parts::entry::tests::any_entry;
use crate::protocol::parts::store::TieBreak;
use crate::protocol::parts::wal::Policy;
use crate::protocol::{RequestId, Stored};
use crate::time::{Span, Time, Wall};

const ME: NodeId = NodeId(0);
const OTHER: NodeId = NodeId(1);
/// Later than any timestamp of a step, and so than any grace period.
const LATE: i64 = 10_000;

/// A node with a disk on which everything is durable at once.
struct Bench {
    config: Config,
    leads: bool,
    cluster: Harness<LeaderFollower>,
    /// How many states and operations there were: what numbers them.
    steps: u32,
    /// The newest timestamp of all that the node took in, and the highest number that it gave an
    /// operation.
    newest: i64,
    given: u32,
}

impl Bench {
    fn new(config: Config, leads: bool) -> Self {
        let initial_leader = Some(if leads { ME } else { OTHER });
        let mut cluster = Harness::of_cluster(Cluster { nodes: 3, initial_leader }, config);
        for text in ["0", "1", "2", "3", "4", "5"] {
            // So that keys and values have texts: their places are their ids.
            let _ = (cluster.key(text), cluster.value(text));
        }
        let mut bench = Self { config, leads, cluster, steps: 0, newest: 0, given: 0 };
        bench.act(|cluster| cluster.start(ME));
        bench
    }

    /// Takes a step, and lets the disk do what it is asked.
    fn act(&mut self, step: impl FnOnce(&mut Harness<LeaderFollower>) -> Result<(), StepError>) {
        step(&mut self.cluster).expect("a step that can be taken");
        while self.cluster.sync(ME).is_ok() {}
    }

    fn node(&self) -> &LeaderFollower {
        self.cluster.process(ME).expect("it runs")
    }

    /// Another node sends this, and the timestamps in it are seen.
    fn hear(&mut self, message: Message, timestamps: impl IntoIterator<Item = i64>) {
        self.newest = timestamps.into_iter().fold(self.newest, i64::max);
        self.act(|cluster| {
            cluster.inject(OTHER, ME, message);
            cluster.deliver(OTHER, ME)
        });
    }

    /// The wall clock is late while tombstones are purged, and then stands at 0 again.
    fn purge(&mut self) {
        self.act(|cluster| {
            cluster.set_wall_offset(ME, LATE)?;
            if cluster.timers(ME).any(|(timer, _)| timer == Timer::Purge) {
                cluster.timer(ME, Timer::Purge)?;
            }
            let elapsed = i64::try_from(cluster.now().nanos()).expect("a short test");
            cluster.set_wall_offset(ME, -elapsed)
        });
    }

    /// A client asks for something, and what stamps it got are given. One that got none, such as an
    /// append that is known already, leaves the last stamp that of a shared state, which a leader
    /// may forget.
    fn ask(&mut self, operation: Operation) {
        let before = self.node().replica.stamps.given();
        self.act(|cluster| cluster.request(ME, operation).map(drop));
        let given = self.node().replica.stamps.given();
        if self.node().leads() && given > before {
            self.given = self.given.max(given);
        }
    }

    /// All that the node stores.
    fn stored(&self) -> Vec<StoredEntry> {
        contents(&self.node().replica.store).collect()
    }

    /// Whatever is stored is seen, and the node knows it.
    fn check(&mut self, after: &Step) -> Result<(), TestCaseError> {
        for StoredEntry { stored: Stored { version, .. }, .. } in self.stored() {
            self.newest = self.newest.max(version.timestamp);
            if version.node == ME {
                self.given = self.given.max(version.sequence);
            }
        }
        let (newest, given) =
            (self.node().replica.stamps.newest(), self.node().replica.stamps.given());
        prop_assert!(newest >= self.newest, "{after:?}: knows {newest} of {}", self.newest);
        prop_assert!(given >= self.given, "{after:?}: counts {given} of {}", self.given);
        Ok(())
    }
}

/// What happens to the node.
#[derive(Clone, Debug)]
enum Step {
    /// The leader sends writes: singly, as one clear, or as entries of the log.
    Writes(Vec<StoredEntry>),
    Clear(Vec<StoredEntry>),
    /// The leader of a next term sends entries behind an earlier place in the log.
    Cut(u64, Vec<StoredEntry>),
    /// The leader sends all that it has, and has seen this.
    State(Vec<StoredEntry>, i64),
    /// Another node offers, repairs or fills in what this one may lack.
    Offer(Vec<StoredEntry>),
    Repair(StoredEntry),
    Newer(Vec<StoredEntry>),
    /// A client asks this node.
    Ask(Operation),
    /// Tombstones are purged.
    Purge,
    /// The process dies and starts again.
    Restart,
    /// It starts again with an empty disk.
    Replace,
}

fn times(entries: &[StoredEntry]) -> Vec<i64> {
    entries.iter().map(|entry| entry.stored.version.timestamp).collect()
}

fn hear_installed(bench: &mut Bench, entries: Vec<StoredEntry>, seen: i64) {
    let (term, last) = (bench.node().term(), bench.node().replication.last());
    let position = Position { term, index: last.index.plus(3) };
    let timestamps = [times(&entries), vec![seen]].concat();
    let state = Arc::new(Installed { entries: entries.into(), seen: Some(seen) });
    bench.hear(Message::Install { term, position, state }, timestamps);
}

fn hear_state(bench: &mut Bench, entries: Vec<StoredEntry>, seen: i64) {
    bench.steps += 1;
    let term = bench.node().term();
    // By a hybrid clock it is above all that its leader has.
    let seen = times(&entries).into_iter().fold(seen, i64::max);
    let version = Version { timestamp: seen, node: OTHER, sequence: bench.steps };
    let timestamps = [times(&entries), vec![seen]].concat();
    let state = Arc::new(FullState { incarnation: Time::ZERO, entries: entries.into() });
    bench.hear(Message::State { term, version, state }, timestamps);
}

fn play(bench: &mut Bench, step: &Step) {
    let term = bench.node().term();
    let is_ordered = bench.config.failover.catch_up == CatchUp::Log;
    let log = |term: Term, entries: &[StoredEntry]| -> Arc<[LogEntry]> {
        entries.iter().map(|entry| LogEntry { term, entry: *entry }).collect()
    };
    match step.clone() {
        Step::Writes(_) | Step::Clear(_) | Step::Cut(..) | Step::State(..) if bench.leads => {}
        Step::Writes(entries) if is_ordered => {
            let (previous, all) = (bench.node().replication.last(), log(term, &entries));
            bench.hear(Message::Append { term, previous, entries: all }, times(&entries));
        }
        Step::Writes(entries) => {
            for entry in entries {
                bench.hear(Message::Replicate { term, entry }, times(&[entry]));
            }
        }
        Step::Cut(index, entries) if is_ordered => {
            let Replication::Log(held) = &bench.node().replication else {
                unreachable!("its cluster replicates one log")
            };
            let index = LogIndex(index).min(held.last().index);
            let Some(previous) = held.at(index) else { return };
            let all = log(term.next(), &entries);
            let message = Message::Append { term: term.next(), previous, entries: all };
            bench.hear(message, times(&entries));
        }
        Step::Clear(entries) if !is_ordered => {
            bench.steps += 1;
            let mut version = Version { timestamp: 1000, node: OTHER, sequence: bench.steps };
            version = entries.last().map_or(version, |entry| entry.stored.version);
            let timestamps = [times(&entries), vec![version.timestamp]].concat();
            let entries = entries.into();
            bench.hear(Message::ReplicateMany { term, version, entries }, timestamps);
        }
        Step::State(entries, seen) if is_ordered => hear_installed(bench, entries, seen),
        Step::State(entries, seen) => hear_state(bench, entries, seen),
        Step::Offer(entries) if bench.leads && bench.config.failover.is_on() => {
            let timestamps = times(&entries);
            bench.hear(Message::Offer { term, entries: entries.into() }, timestamps);
        }
        Step::Repair(entry) if !is_ordered => {
            bench.steps += 1;
            let read = RequestId::new(OpId(bench.steps), 0);
            // A list is not mended by its newest element, and so not looked at.
            let mends = bench.node().replica.store.elements(entry.key).is_empty();
            let timestamps = if mends { times(&[entry]) } else { Vec::new() };
            let message = Repair::Write { read, entry: Box::new(entry) };
            bench.hear(Message::Repair(message), timestamps);
        }
        Step::Newer(entries) if !is_ordered => {
            let timestamps = times(&entries);
            let message = AntiEntropy::Newer(entries.into());
            bench.hear(Message::AntiEntropy(message), timestamps);
        }
        Step::Clear(_) | Step::Cut(..) | Step::Offer(_) | Step::Repair(_) | Step::Newer(_) => {}
        Step::Ask(operation) => bench.ask(operation),
        Step::Purge => bench.purge(),
        Step::Restart => bench.act(|cluster| {
            cluster.crash(ME)?;
            cluster.start(ME)
        }),
        Step::Replace => {
            (bench.newest, bench.given) = (0, 0);
            bench.act(|cluster| {
                cluster.crash(ME)?;
                cluster.replace_disk(ME)?;
                cluster.start(ME)
            });
        }
    }
}

fn an_entry() -> impl Strategy<Value = StoredEntry> {
    any_entry(3, 1000..1100, 3, 1..6)
}

fn a_step() -> impl Strategy<Value = Step> {
    let entries = || proptest::collection::vec(an_entry(), 0..4);
    let operation = (0..3_u32, 0..5_u8).prop_map(|(key, kind)| {
        let (key, value, quorum) = (KeyId(key), Value::text(kind.into()), None);
        match kind {
            0 => Operation::Put { key, value, quorum },
            1 | 2 => Operation::Delete { key, quorum },
            3 => Operation::Append { key, value, quorum },
            _ => Operation::Clear,
        }
    });
    prop_oneof![
        2 => entries().prop_map(Step::Writes),
        1 => entries().prop_map(Step::Clear),
        1 => (0..6_u64, entries()).prop_map(|(index, entries)| Step::Cut(index, entries)),
        1 => (entries(), 1000..1200_i64).prop_map(|(entries, seen)| Step::State(entries, seen)),
        1 => entries().prop_map(Step::Offer),
        1 => an_entry().prop_map(Step::Repair),
        1 => entries().prop_map(Step::Newer),
        4 => operation.prop_map(Step::Ask),
        1 => Just(Step::Purge),
        4 => Just(Step::Restart),
        1 => Just(Step::Replace),
    ]
}

fn a_config() -> impl Strategy<Value = Config> {
    let policy = prop_oneof![
        Just(Policy::Fsync),
        Just(Policy::GroupCommit),
        Just(Policy::Buffered { sync_every: Span::from_millis(1) }),
    ];
    let wal = (policy, proptest::option::of(1..4_u32)).prop_map(|(policy, every)| WalSettings {
        policy,
        checkpoint_every: every.and_then(NonZeroU32::new),
        on: WalOn::All,
    });
    let catch_up = prop_oneof![Just(CatchUp::None), Just(CatchUp::FullState), Just(CatchUp::Log)];
    let deletes = prop_oneof![Just(Deletes::Tombstone), Just(Deletes::Erase)];
    let ties = prop_oneof![Just(TieBreak::NodeId), Just(TieBreak::KeepExisting)];
    let replication = prop_oneof![Just(Shipping::Entry), Just(Shipping::FullState)];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (wal, catch_up, deletes, ties, replication, flags).prop_map(
        |(wal, catch_up, deletes, ties, replication, (resends, purges, overwrites, merges))| {
            let mut defects = Defects::NONE;
            if overwrites {
                defects.insert(Defect::RepairIgnoresStamps);
            }
            let timestamps = Timestamps {
                source: TimestampSource::Hybrid,
                resolution: Span::from_nanos(1),
                ties,
            };
            // One log sends single entries, and asks for what is missing.
            let is_log = catch_up == CatchUp::Log;
            let replication = if is_log { Shipping::Entry } else { replication };
            let reads = Reads { timeout: Span::from_secs(1), answer: RepairAnswer::AfterRepair };
            Config {
                mode: Mode::Async,
                ack_timeout: Span::from_secs(1),
                on_ack_timeout: OnAckTimeout::Fail,
                replication,
                full_state: if merges { FullStateIs::Merged } else { FullStateIs::Replacing },
                resend: (resends && !is_log).then(|| Span::from_secs(1)),
                deletes,
                deduplicate: true,
                tombstone_grace: purges.then(|| Span::from_nanos(1)),
                timestamps,
                reads,
                anti_entropy: None,
                wal,
                failover: Failover { catch_up, ..Failover::NONE },
                defects,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn a_node_never_stamps_at_or_below_what_it_ever_had(
        config in a_config(),
        leads in any::<bool>(),
        steps in proptest::collection::vec(a_step(), 1..20),
    ) {
        let mut bench = Bench::new(config, leads);
        for step in &steps {
            let before = bench.stored();
            play(&mut bench, step);
            if let Step::Restart = step {
                prop_assert_eq!(before, bench.stored(), "what the log has is what was stored");
            }
            bench.check(step)?;
        }
        let (mut stamps, term) = (bench.node().replica.stamps, bench.node().term());
        let given = stamps.stamp(config.timestamps, ME, term, Wall(0));
        prop_assert!(given.timestamp > bench.newest && given.sequence > bench.given, "{given}");
    }
}
