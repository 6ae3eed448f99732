//! A run made by hand, with one of everything that a report can show.

use std::sync::Arc;

use crate::check::{CheckReport, Verdict, Witness};
use crate::config::{Config, Expect, ExpectedVerdict};
use crate::digest::DigestValue;
use crate::history::{Entry, Failure, History, Item, Process, Status};
use crate::id::{ClientId, FaultId, KeyId, NodeId, Term, Value, Version};
use crate::metrics::{KindCounts, LastWrite, Leadership, MessageCounts, Settlement, Unserved};
use crate::named::Named;
use crate::names::Names;
use crate::operation::Operation;
use crate::property::{Befallen, Hazard, Hazards, Incident, Incidents, Promise, Property};
use crate::run::{Expectation, RunResult, RunVerdict};
use crate::sampler::Distribution;
use crate::time::{Span, Time};

const CITY: KeyId = KeyId(0);

/// The names that [`run`] refers to.
pub(crate) fn names() -> Arc<Names> {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Arc::new(Names {
        keys: texts(&["city"]),
        values: texts(&["Raleigh"]),
        clients: texts(&["c1", "c2"]),
        faults: texts(&["split"]),
        ..Names::default()
    })
}

/// The settings of [`run`].
pub(crate) fn config() -> Config {
    let mut config = Config {
        title: "A partition, and what it costs".to_owned(),
        duration: Span::from_secs(30),
        settle: Span::from_secs(30),
        expect: Expect {
            checks: vec![(Property::Durability, ExpectedVerdict::Violation)],
            ..Expect::default()
        },
        ..Config::quiet(3)
    };
    config.network.default.delay = Distribution::Constant(Span::from_millis(50));
    config
}

/// A run of [`config`] that passes: a put, a get that times out, a list, a read of everything, a
/// refusal, and a partition.
pub(crate) fn run() -> (Config, RunResult) {
    let result = RunResult {
        seed: 1,
        digest: DigestValue(0x0123_4567_89ab_cdef),
        verdict: RunVerdict::Pass,
        ended_at: Time::from_nanos(31_200_000_000),
        events: 1234,
        history: history(),
        finals: Vec::new(),
        states: Vec::new(),
        last_write: Some(LastWrite {
            at: Time::ZERO + Span::from_millis(700),
            leader: NodeId(0),
            followers: 2,
            keys: 4,
            differing: 3,
            agreed_at: Some(Time::ZERO + Span::from_millis(790)),
        }),
        settlement: Settlement::Settled { after: Span::from_millis(1200) },
        unserved: Unserved::default(),
        messages: MessageCounts {
            sent: 1200,
            delivered: 1100,
            lost: 60,
            duplicated: 0,
            blocked: 40,
            by_kind: vec![
                KindCounts { kind: "replicate", sent: 700, delivered: 640 },
                KindCounts { kind: "state", sent: 0, delivered: 0 },
                KindCounts { kind: "ack", sent: 300, delivered: 260 },
            ],
        },
        recoveries: Vec::new(),
        log: None,
        impacts: Vec::new(),
        incidents: Incidents::NONE,
        leaderships: vec![
            Leadership {
                term: Term(1),
                node: NodeId(0),
                from: Time::ZERO,
                until: Some(Time::from_nanos(12_400_000_000)),
            },
            Leadership {
                term: Term(2),
                node: NodeId(1),
                from: Time::from_nanos(13_000_000_000),
                until: None,
            },
        ],
        checks: checks(),
        expectations: vec![Expectation {
            name: "durability = violation".to_owned(),
            met: true,
            found: String::new(),
            demanded_of: None,
        }],
        trace: None,
        steps: Vec::new(),
    };
    (config(), result)
}

fn version() -> Version {
    Version { timestamp: 1_000_000, node: NodeId(0), sequence: 1 }
}

fn history() -> History {
    let ms = |ms: u64| Time::from_nanos(ms * 1_000_000);
    let mut history = History::with_capacity(8, names());
    let raleigh = Value::text(0);
    let put = Operation::Put { key: CITY, value: raleigh, quorum: None };
    let first = history.invoke(ms(1), ms(1), Process::first(ClientId(0)), put);
    history.complete(first, ms(101), Status::Ok, |entry| {
        entry.version = Some(version());
        entry.node = Some(NodeId(0));
        (entry.acknowledgements, entry.followers) = (1, 2);
    });
    history.act(ms(10_000), Some(FaultId(0)), true, "partition n1 | n2 n3".to_owned());
    let mut complete = |at: u64, process, operation, status, fill: &dyn Fn(&mut Entry)| {
        let op = history.invoke(ms(at), ms(at), process, operation);
        history.complete(op, ms(at + 50), status, |entry| fill(entry));
        op
    };
    let (c1, c2) = (Process::first(ClientId(0)), Process::first(ClientId(1)));
    complete(10_100, c2, Operation::Get { key: CITY, quorum: None }, Status::Info, &|entry| {
        entry.failure = Some(Failure::Timeout);
    });
    complete(10_200, c1, put, Status::Fail, &|entry| {
        entry.failure = Some(Failure::NotLeader);
        entry.node = Some(NodeId(2));
        entry.leader = Some(NodeId(0));
    });
    let list = complete(10_300, c1, Operation::List, Status::Ok, &|_| {});
    let all = complete(10_400, c1, Operation::ReadAll, Status::Ok, &|_| {});
    history.set_contents(
        list,
        Box::new([Item { key: CITY, value: None, version: None, elements: None }]),
    );
    let (value, version) = (Some(raleigh), Some(version()));
    let item = Item { key: CITY, value, version, elements: None };
    history.set_contents(all, Box::new([item]));
    history.act(ms(15_000), Some(FaultId(0)), false, "partition n1 | n2 n3".to_owned());
    // Due before its client was free, and pending to the end.
    history.invoke(
        ms(15_100),
        ms(15_050),
        Process { client: ClientId(1), incarnation: 1 },
        Operation::Get { key: CITY, quorum: None },
    );
    history
}

fn checks() -> Vec<CheckReport> {
    let valid = |property| CheckReport {
        property,
        verdict: Verdict::Valid,
        promise: Promise::Never { why: "the protocol says nothing about it" },
        voided_by: Vec::new(),
        judged: ExpectedVerdict::Valid,
        demands: Vec::new(),
        figures: Vec::new(),
        mechanism: None,
    };
    let report = |property| match property {
        Property::Durability => CheckReport {
            verdict: Verdict::Invalid(Witness {
                summary:
                    "c1's put of city = Raleigh, acknowledged by n1 at 0.101s, was last seen on n1 \
                          and is on no node at the end."
                        .to_owned(),
                count: 3,
                operations: vec![crate::id::OpId(0)],
                nodes: vec![NodeId(0)],
                write: Some(version()),
            }),
            promise: Promise::Always { why: "Every write waits for a majority." },
            judged: ExpectedVerdict::Violation,
            figures: vec![("lost", 3)],
            ..valid(property)
        },
        Property::Staleness => CheckReport {
            verdict: Verdict::Invalid(Witness {
                summary: "A read missed a write.".to_owned(),
                count: 1,
                ..Witness::default()
            }),
            promise: Promise::Unless {
                hazards: Hazards::of(&[Hazard::MessageLost, Hazard::Crash]),
                why: "A follower applies what reaches it.",
            },
            voided_by: vec![Incident {
                hazard: Hazard::MessageLost,
                befell: Befallen::Link(NodeId(0), NodeId(1)),
                at: Time::ZERO + Span::from_secs(5),
            }],
            judged: ExpectedVerdict::Allowed,
            ..valid(property)
        },
        Property::Availability | Property::ReplicationLag => CheckReport {
            verdict: Verdict::Unchecked("no bound is set".to_owned()),
            judged: ExpectedVerdict::Unchecked,
            ..valid(property)
        },
        _ => valid(property),
    };
    Property::all().filter(|property| !property.is_of_a_log()).map(report).collect()
}
