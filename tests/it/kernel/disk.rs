//! Crashes, power losses and new disks, seen by a small protocol that logs what it is asked to
//! write.

use std::collections::{BTreeMap, BTreeSet};

use splitbrain::config::{Config, Fault, FaultAction, Occurrence, Start, Target, Trigger};
use splitbrain::id::{FaultId, KeyId, NodeId, Value, Version};
use splitbrain::names::Names;
use splitbrain::operation::Operation;
use splitbrain::property::Promises;
use splitbrain::protocol::{
    Context, DiskImage, File, Input, NoMessage, NoTimer, NodeSnapshot, Outcome, Protocol, Reply,
    RequestId, Response, Role, Stored, Ticket,
};
use splitbrain::run::{RunOptions, RunResult, run};
use splitbrain::sampler::Distribution;
use splitbrain::time::{Span, Time};

use crate::support::cluster;

const DIARY: File = File(0);

/// Writes each put to its diary; with `true` it answers when that is durable, otherwise at once.
struct Diary {
    me: NodeId,
    careful: bool,
    data: BTreeMap<KeyId, Stored>,
    waiting: Vec<(Ticket, RequestId, Version)>,
    written: u32,
}

impl Protocol for Diary {
    type Config = bool;
    type Message = NoMessage;
    type Record = (KeyId, Stored);
    type Timer = NoTimer;

    fn recover(careful: &bool, disk: &DiskImage, cx: &mut Context<'_, Self>) -> Self {
        let data: BTreeMap<_, _> = disk.records(DIARY).records.into_iter().collect();
        // Cut off a torn tail: records appended after it would be lost with it.
        let written = u32::try_from(data.len()).expect("few");
        let records: Vec<_> = data.iter().map(|(key, stored)| (*key, *stored)).collect();
        if written > 0 {
            let _ = cx.replace(DIARY, &records);
        }
        Self { me: cx.node(), careful: *careful, data, waiting: Vec::new(), written }
    }

    fn handle(&mut self, input: Input<Self>, cx: &mut Context<'_, Self>) {
        let written =
            |version| Reply::of(Outcome::Ok(Response::Written { version, existed: None }));
        match input {
            Input::Request { request, operation: Operation::Put { value, .. }, .. } => {
                // Each write has its own key, so the data show which writes are there.
                let key = KeyId(self.written);
                self.written += 1;
                let version =
                    Version { timestamp: cx.wall().0, node: self.me, sequence: self.written };
                let stored = Stored { value: Some(value), version };
                self.data.insert(key, stored);
                let _ = cx.append(DIARY, &(key, stored));
                if self.careful {
                    let ticket = cx.sync(DIARY);
                    self.waiting.push((ticket, request, version));
                } else {
                    cx.reply(request, written(version));
                }
            }
            Input::Request { request, .. } => cx.reply(request, Reply::unsupported()),
            Input::Persisted(ticket, Ok(())) => {
                for (_, request, version) in
                    self.waiting.extract_if(.., |(covers, ..)| *covers <= ticket)
                {
                    cx.reply(request, written(version));
                }
            }
            Input::Message { .. }
            | Input::Refused { .. }
            | Input::Timer(_)
            | Input::Persisted(..) => {}
        }
    }

    fn snapshot(&self) -> NodeSnapshot {
        NodeSnapshot { data: self.data.clone(), ..NodeSnapshot::new(self.me, Role::Leader) }
    }

    fn promises(_: &bool, _: &Config) -> Promises {
        Promises::default()
    }
}

/// One node takes writes for a second, with syncs of 1 to 20 ms, and has a fault from 700 ms to 800
/// ms.
fn play(careful: bool, action: FaultAction, more: Option<FaultAction>, seed: u64) -> RunResult {
    // Not a multiple of a client's round trip, so the fault hits writes at every stage.
    let at = 700 + seed % 50;
    let start = |at| Start::At(Time::ZERO + Span::from_millis(at));
    let mut faults = vec![(start(at), more.is_none().then_some(100), action)];
    faults.extend(more.map(|more| (start(at + 100), None, more)));
    play_with(careful, faults, seed)
}

/// The same with faults of the given starts and lengths, in milliseconds.
fn play_with(
    careful: bool,
    faults: Vec<(Start, Option<u64>, FaultAction)>,
    seed: u64,
) -> RunResult {
    let mut config = cluster::config(1);
    cluster::set_clients(&mut config, 1, 1_000);
    (config.duration, config.settle) = (Span::from_secs(1), Span::from_secs(1));
    config.disk.sync = cluster::uniform_ms(1, 20);
    config.network.client_delay = Distribution::Constant(Span::from_millis(1));
    for (id, (start, lasts, action)) in (0..).map(FaultId).zip(faults) {
        let lasts = lasts.map(Span::from_millis);
        config.faults.push(Fault { id, start, lasts, action, forever: false });
    }
    // Without this delay the node that is down would refuse a thousand operations at one instant.
    let workload = config.workload.as_mut().expect("a workload");
    workload.retry.retries = 1_000;
    workload.retry.timeout = Span::from_millis(50);
    let mut names = Names::clone(&cluster::names(&config));
    names.keys = (1..=1_000).map(|key| format!("k{key}")).collect();
    run::<Diary>(&config, &names.into(), &careful, seed, RunOptions::default())
}

fn n1() -> Target {
    Target::Nodes(vec![NodeId(0)])
}

/// Values whose write was acknowledged before the fault, and those that the node has at the end.
fn acknowledged_and_kept(result: &RunResult, seed: u64) -> (BTreeSet<Value>, BTreeSet<Value>) {
    let fault = Time::ZERO + Span::from_millis(700 + seed % 50);
    let before = |entry: &&splitbrain::history::Entry| entry.is_ok() && entry.completed_at < fault;
    let acknowledged =
        result.history.entries().iter().filter(before).filter_map(|entry| entry.value);
    let kept = result.finals[0].visible().map(|(_, value, _)| value);
    (acknowledged.collect(), kept.collect())
}

#[test]
fn a_power_loss_takes_what_was_not_synced_and_a_crash_does_not() {
    let mut lost_by_the_careless = 0;
    for seed in 0..40 {
        for (careful, action) in [
            (true, FaultAction::PowerLoss(n1())),
            (true, FaultAction::Crash(n1())),
            (false, FaultAction::Crash(n1())),
        ] {
            let result = play(careful, action.clone(), None, seed);
            let (acknowledged, kept) = acknowledged_and_kept(&result, seed);
            assert!(
                acknowledged.len() > 20 && acknowledged.is_subset(&kept),
                "{careful} {action:?} {seed}"
            );
            assert!(kept.len() > acknowledged.len(), "it went on after the fault");
        }
        let result = play(false, FaultAction::PowerLoss(n1()), None, seed);
        let (acknowledged, kept) = acknowledged_and_kept(&result, seed);
        lost_by_the_careless += acknowledged.difference(&kept).count();
    }
    assert!(lost_by_the_careless > 40 * 20, "{lost_by_the_careless}");
}

#[test]
fn a_restart_may_find_an_empty_disk() {
    for (empty_disk, finds) in [(false, true), (true, false)] {
        let restart = FaultAction::Restart { target: n1(), empty_disk };
        let result = play(true, FaultAction::Crash(n1()), Some(restart), 3);
        let (acknowledged, kept) = acknowledged_and_kept(&result, 3);
        assert_eq!(acknowledged.is_subset(&kept), finds);
        assert_eq!(acknowledged.is_disjoint(&kept), !finds);
        assert!(!kept.is_empty());
    }
}

/// Records are counted, whether or not their protocol numbers them.
#[test]
fn a_moment_finds_the_records_of_a_diary() {
    let when = |what, nth| Start::When(Trigger { what, node: None, nth, after: Span::ZERO });
    let lost = |careful, start, seed| {
        let result =
            play_with(careful, vec![(start, Some(100), FaultAction::PowerLoss(n1()))], seed);
        let acts = result.history.nemesis();
        let at = acts.iter().find(|act| act.fault.is_some())?.at;
        let entries = result.history.entries().iter();
        // A client learns of its write a millisecond after the node has answered.
        let ok = entries.filter(|e| e.is_ok() && e.completed_at <= at + Span::from_millis(1));
        Some((at, ok.count()))
    };
    for seed in 0..10 {
        // With one client the fifth record is written after the fourth write was answered, and is
        // durable before the fifth write is answered.
        let (appended, before) = lost(true, when(Occurrence::Appends, 5), seed).expect("appended");
        let (durable, answered) =
            lost(true, when(Occurrence::Persists, 5), seed).expect("persisted");
        let (told, five) = lost(true, when(Occurrence::Acknowledges, 5), seed).expect("answered");
        assert!(appended < durable && durable == told, "{appended} {durable} {told}");
        assert_eq!((before, answered, five), (4, 4, 5), "seed {seed}");
        assert_eq!(lost(false, when(Occurrence::Persists, 1), seed), None, "it never syncs");
    }
}

/// A put waits until its record is durable: for the sync's latency, and for the record's bytes.
#[test]
fn a_write_is_answered_later_by_its_record_at_the_rate_of_the_disk() {
    let puts = |rate: Option<u64>| {
        let mut config = cluster::config(1);
        config.disk.sync = Distribution::Constant(Span::from_millis(2));
        config.disk.rate = rate;
        let names = cluster::names(&config);
        let result = run::<Diary>(&config, &names, &true, 1, RunOptions::default());
        let latency = |entry: &splitbrain::history::Entry| entry.completed_at - entry.invoked_at;
        result.history.entries().iter().map(latency).collect::<Vec<_>>()
    };
    let plain = puts(None);
    assert_eq!(plain, [Span::from_millis(2); 10]);
    // The first put has the same record each time; later ones have other times in it.
    let longer = |rate| puts(Some(rate))[0].nanos() - 2_000_000;
    let a_byte_a_millisecond = longer(1_000);
    assert_eq!(a_byte_a_millisecond % 1_000_000, 0);
    assert!((40_000_000..60_000_000).contains(&a_byte_a_millisecond), "a header has 36 bytes");
    assert_eq!(2 * longer(2_000), a_byte_a_millisecond);
    assert!(puts(Some(1_000)).iter().all(|latency| *latency > Span::from_millis(40)));
}
