//! Chain replication (van Renesse and Schneider, 2004), as an author outside splitbrain would write
//! it: an example to copy from. `mod.rs` registers it and runs it.
//!
//! The nodes form a chain in the order of their ids, from the initial leader round to its
//! predecessor. The *head* takes every write, the *tail* answers every read. A node appends a write
//! to its log, syncs, and only when the disk says so hands it on; what the tail has, every node
//! has. So the tail acknowledges, the acknowledgement travels back, and the head answers the
//! client. The order of writes is their index in the log: no clock matters.
//!
//! A protocol is one type per node, and six things about it:
//!
//! 1. [`Config`]: its settings, validated.
//! 2. [`Message`], [`Record`], [`Timer`]: what it sends, what it writes, what it waits for.
//! 3. [`Chain`]: what a node keeps in memory. A crash drops it.
//! 4. `impl Protocol`: built from the disk, fed with inputs, shown in a snapshot.
//! 5. Its promises, against which the checkers hold every run.
//! 6. `impl ScenarioProtocol`: the table `[protocol.chain]` of scenario files.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};
use splitbrain::config::{Cluster, Config as Scenario};
use splitbrain::history::Failure;
use splitbrain::id::{KeyId, NodeId, Term, Value, Version};
use splitbrain::named::Named;
use splitbrain::names::Names;
use splitbrain::operation::Operation;
use splitbrain::property::{Hazard, Hazards, Promise, Promises, Property};
use splitbrain::protocol::parts::store::Store;
use splitbrain::protocol::{
    Carried, Context, DiskError, DiskImage, File, Input, Message as Contract, NodeSnapshot,
    Observation, Outcome, Protocol, Reply, RequestId, Response, Role, Stored, Ticket,
};
use splitbrain::scenario::keys::{Section, integer, key, positive_duration, words};
use splitbrain::scenario::{ScenarioProtocol, TableDecoder};
use splitbrain::time::Span;

/// The one file: the log. A number is name enough.
const LOG: File = File(0);

// 1. Settings. Every default has been filled in and every contradiction refused by the time a node
//    sees them.

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// After how long without an acknowledgement a node sends all it has again, and up to a quarter
    /// more.
    retransmit: Span,
    /// How many records are appended before the log is replaced by one record a key.
    checkpoint_every: u32,
    answer: Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// When the whole chain has the write on its disks.
    Acknowledged,
    /// A planted defect: as soon as the head has written it, before its sync. A power loss then
    /// loses writes that were acknowledged, and the durability checker has to find out.
    Written,
}

const ANSWERS: [(&str, Answer); 2] =
    [("acknowledged", Answer::Acknowledged), ("written", Answer::Written)];

// 2. What it sends, writes and waits for.

/// A write: in the log as bytes, between nodes as it is. Its version is its index, and the head's
/// life to tell apart two writes of one index, of which the first was lost with the head's power
/// before anybody else had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Record {
    key: KeyId,
    stored: Stored,
}

impl Record {
    const fn index(&self) -> i64 {
        self.stored.version.timestamp
    }
}

/// `Hash` feeds the digest of the run, so it covers the content.
#[derive(Clone, Debug, Hash)]
pub(crate) enum Message {
    /// Downstream: the next write.
    Write(Record),
    /// Downstream: the newest write of every key, in the order of the log.
    CatchUp(Arc<[Record]>),
    /// Upstream: from here to the tail, every disk has all writes up to this index.
    Ack { upto: i64 },
}

impl Contract for Message {
    /// `drop = { kind = "catch-up" }` in a scenario is checked against these.
    const KINDS: &'static [&'static str] = &["write", "catch-up", "ack"];

    fn kind(&self) -> u8 {
        match self {
            Self::Write(_) => 0,
            Self::CatchUp(_) => 1,
            Self::Ack { .. } => 2,
        }
    }

    fn size(&self) -> u64 {
        match self {
            Self::Write(_) | Self::Ack { .. } => 64,
            Self::CatchUp(records) => 64 * (1 + records.len() as u64),
        }
    }

    /// `explain` follows writes by this; an acknowledgement names no single one.
    fn carries(&self, note: &mut dyn FnMut(Carried)) {
        let mut brings = |record: &Record| note(Carried::write(record.key, record.stored));
        match self {
            Self::Write(record) => brings(record),
            Self::CatchUp(records) => records.iter().for_each(brings),
            Self::Ack { .. } => {}
        }
    }

    fn describe(&self, names: &Names) -> String {
        match self {
            Self::Write(record) => {
                let value = record.stored.value.map_or("deleted".into(), |v| names.value(v));
                format!("{} is {value}, index {}", names.key(record.key), record.index())
            }
            Self::CatchUp(records) => format!("{} keys", records.len()),
            Self::Ack { upto } => format!("up to index {upto}"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Timer {
    Retransmit,
}

// 3. A node.

#[derive(Debug)]
pub(crate) struct Chain {
    config: Config,
    me: NodeId,
    head: NodeId,
    tail: NodeId,
    upstream: Option<NodeId>,
    downstream: Option<NodeId>,
    /// Drawn at boot: tells the writes of this life of a head from those of another.
    life: u32,
    /// What is durable here, and nothing else: what is read cannot be lost again.
    store: Store,
    /// Written and not yet durable, the oldest first.
    syncing: VecDeque<Batch>,
    /// The index last written.
    written: i64,
    /// The index last made durable.
    durable: i64,
    /// The index up to which the whole rest of the chain has all writes.
    acknowledged: i64,
    appended_since_checkpoint: u32,
    /// Whether the store has been read from the disk. Before that the tail knows less than it has
    /// acknowledged.
    ready: bool,
    /// The disk is full: from now on this node takes no write.
    full: bool,
    retransmitting: bool,
    /// The head's clients that wait, with the index they wait for.
    unanswered: VecDeque<(i64, RequestId, Response)>,
}

/// What one sync makes durable.
#[derive(Debug)]
struct Batch {
    ticket: Ticket,
    records: Vec<Record>,
}

// 4. The contract.

impl Protocol for Chain {
    type Config = Config;
    type Message = Message;
    type Record = Record;
    type Timer = Timer;

    const FILES: &'static [&'static str] = &["log"];

    /// First boot and restart are one: on first boot nothing is on the disk.
    fn recover(config: &Config, disk: &DiskImage, cx: &mut Context<'_, Self>) -> Self {
        let (me, nodes) = (cx.node(), cx.nodes());
        let head = cx.initial_leader().unwrap_or(NodeId(0));
        let place = (me.0 + nodes - head.0) % nodes;
        let at = |place: u16| NodeId((head.0 + place) % nodes);
        let role = if place == 0 { Role::Leader } else { Role::Follower };
        cx.observe(Observation::Role { role, term: Term(1) });

        // A power loss may have torn the last record in two. What is appended behind a torn record
        // can never be read again, so it is cut off first.
        let log = disk.records::<Record>(LOG);
        if log.torn > 0 {
            cx.truncate_suffix(LOG, log.length);
        }
        // What a restarted process reads back is written, and not yet durable if only the process
        // had died: it is synced like anything else before anybody is told of it.
        let mut syncing = VecDeque::new();
        let ready = log.records.is_empty();
        let written = log.records.iter().map(Record::index).max().unwrap_or(0);
        if !ready {
            syncing.push_back(Batch { ticket: cx.sync(LOG), records: log.records });
        }
        Self {
            config: config.clone(),
            me,
            head,
            tail: at(nodes - 1),
            upstream: (place > 0).then(|| at(place - 1)),
            downstream: (place < nodes - 1).then(|| at(place + 1)),
            life: (cx.random() >> 32) as u32,
            store: Store::default(),
            syncing,
            written,
            durable: 0,
            acknowledged: 0,
            appended_since_checkpoint: 0,
            ready,
            full: false,
            retransmitting: false,
            unanswered: VecDeque::new(),
        }
    }

    fn handle(&mut self, input: Input<Self>, cx: &mut Context<'_, Self>) {
        match input {
            Input::Request { request, operation, .. } => self.serve(request, operation, cx),
            Input::Message { message, .. } => self.receive(message, cx),
            // Who is not there is sent everything again when the timer runs out, as is who hangs.
            Input::Refused { .. } => {}
            Input::Timer(Timer::Retransmit) => {
                self.retransmitting = false;
                self.send_everything(cx);
            }
            Input::Persisted(ticket, Ok(())) => self.persisted(ticket, cx),
            Input::Persisted(_, Err(DiskError::Full)) => self.full = true,
        }
    }

    fn snapshot(&self) -> NodeSnapshot {
        let role = if self.me == self.head { Role::Leader } else { Role::Follower };
        let mut pending = Vec::new();
        if self.acknowledged < self.written {
            pending.push(format!("{} writes to acknowledge", self.written - self.acknowledged));
        }
        NodeSnapshot {
            term: Term(1),
            leader: Some(self.head),
            mode: "chain",
            peers: [self.upstream, self.downstream].into_iter().flatten().collect(),
            pending,
            data: self.store.to_map(),
            ..NodeSnapshot::new(self.me, role)
        }
    }

    fn describe_record(record: &Record, names: &Names) -> String {
        Message::Write(*record).describe(names)
    }

    // 5. Promises. What is not promised may break, and a run passes all the same.
    fn promises(_: &Config, _: &Scenario) -> Promises {
        let hazards = Hazards::of(&[Hazard::EmptyDisk]);
        let why = "every write is on every disk before it is answered, unless a disk is replaced";
        let kept = Promise::Unless { hazards, why };
        let all = Property::all();
        let promises = all.fold(Promises::default(), |all, property| all.with(property, kept));
        promises.with(Property::SingleLeader, Promise::Always { why: "the head is fixed" })
    }
}

impl Chain {
    fn serve(&mut self, request: RequestId, operation: Operation, cx: &mut Context<'_, Self>) {
        // A refusal may say whom to ask instead: clients follow.
        let refuse =
            |failure, instead| Reply { leader: instead, ..Reply::of(Outcome::Refused(failure)) };
        if operation.is_write() && self.me != self.head {
            return cx.reply(request, refuse(Failure::NotLeader, Some(self.head)));
        }
        if !operation.is_write() && self.me != self.tail {
            return cx.reply(request, refuse(Failure::NotLeader, Some(self.tail)));
        }
        if !self.ready || self.full {
            return cx.reply(request, refuse(Failure::Disk, None));
        }
        let found = match operation {
            Operation::Put { key, value, .. } => return self.lead(request, (key, Some(value)), cx),
            Operation::Delete { key, .. } => return self.lead(request, (key, None), cx),
            Operation::Get { key, .. } => match self.store.stored(key) {
                Some(Stored { value: Some(value), version }) => Response::Found { value, version },
                Some(Stored { value: None, version }) => Response::Tombstone { version },
                None => Response::Absent,
            },
            Operation::List => Response::Contents(self.store.items(false)),
            Operation::ReadAll => Response::Contents(self.store.items(true)),
            Operation::Clear
            | Operation::Append { .. }
            | Operation::Cas { .. }
            | Operation::Batch(_) => {
                return cx.reply(request, Reply::unsupported());
            }
        };
        cx.reply(request, Reply::of(Outcome::Ok(found)));
    }

    /// The head gives a write its place and version.
    fn lead(
        &mut self,
        request: RequestId,
        (key, value): (KeyId, Option<Value>),
        cx: &mut Context<'_, Self>,
    ) {
        let existed = value.is_none().then(|| self.newest(key).is_some_and(|s| s.value.is_some()));
        let index = self.written + 1;
        let version = Version { timestamp: index, node: self.me, sequence: self.life };
        let over = self.newest(key).and_then(|held| held.value).into();
        cx.observe(Observation::Accept { request, key, version, over });
        let response = Response::Written { version, existed };
        match self.config.answer {
            Answer::Acknowledged => self.unanswered.push_back((index, request, response)),
            Answer::Written => cx.reply(request, Reply::of(Outcome::Ok(response))),
        }
        self.write(vec![Record { key, stored: Stored { value, version } }], cx);
    }

    /// What the key will hold once everything written is durable.
    fn newest(&self, key: KeyId) -> Option<Stored> {
        let written = self.syncing.iter().rev().flat_map(|batch| batch.records.iter().rev());
        let found = written.filter(|record| record.key == key).map(|record| record.stored);
        found.chain(self.store.stored(key)).next()
    }

    /// Writes records to the log. Nothing may depend on them before the sync's ticket comes back.
    fn write(&mut self, records: Vec<Record>, cx: &mut Context<'_, Self>) {
        let Some(last) = records.last() else { return };
        self.written = last.index();
        for record in &records {
            cx.append(LOG, record);
            self.appended_since_checkpoint += 1;
        }
        self.syncing.push_back(Batch { ticket: cx.sync(LOG), records });
        if self.appended_since_checkpoint >= self.config.checkpoint_every {
            // The log becomes what is durable, one record a key, and what is on its way to be; at
            // once or not at all. The syncs under way still say when theirs is.
            let syncing = self.syncing.iter().flat_map(|batch| &batch.records);
            let records: Vec<Record> =
                self.everything().into_iter().chain(syncing.copied()).collect();
            cx.replace(LOG, &records);
            self.appended_since_checkpoint = 0;
        }
    }

    /// The store as records, in the order of the log.
    fn everything(&self) -> Vec<Record> {
        let mut records: Vec<Record> =
            self.store.iter().map(|(key, stored)| Record { key, stored }).collect();
        records.sort_by_key(Record::index);
        records
    }

    /// The disk has finished. Operations on one disk finish in the order of their tickets.
    fn persisted(&mut self, ticket: Ticket, cx: &mut Context<'_, Self>) {
        while let Some(batch) = self.syncing.pop_front_if(|batch| batch.ticket <= ticket) {
            for Record { key, stored } in &batch.records {
                self.store.apply(*key, *stored);
                cx.observe(Observation::Apply { key: *key, stored: *stored });
            }
            let last = batch.records.iter().map(Record::index).max();
            self.durable = self.durable.max(last.unwrap_or(0));
            self.ready = true;
            match (self.downstream, &batch.records[..]) {
                (None, _) => self.acknowledge(self.durable, cx),
                (Some(next), [record]) => {
                    cx.send(next, Message::Write(*record));
                    self.watch(cx);
                }
                (Some(_), _) => self.send_everything(cx),
            }
        }
    }

    fn receive(&mut self, message: Message, cx: &mut Context<'_, Self>) {
        let news = match message {
            Message::Ack { upto } => return self.acknowledge(upto, cx),
            Message::Write(record) if record.index() == self.written + 1 => vec![record],
            // Sent twice, or ahead of one that was lost, for which there is the sender's timer.
            Message::Write(_) => Vec::new(),
            Message::CatchUp(records) => {
                records.iter().copied().filter(|record| record.index() > self.written).collect()
            }
        };
        if news.is_empty() {
            self.acknowledge(self.acknowledged, cx);
        } else if !self.full {
            self.write(news, cx);
        }
    }

    /// The rest of the chain has everything up to an index.
    fn acknowledge(&mut self, upto: i64, cx: &mut Context<'_, Self>) {
        self.acknowledged = self.acknowledged.max(upto);
        if self.acknowledged >= self.durable && self.retransmitting {
            self.retransmitting = false;
            cx.cancel_timer(Timer::Retransmit);
        }
        if let Some(upstream) = self.upstream {
            cx.send(upstream, Message::Ack { upto: self.acknowledged });
        }
        let acknowledged = self.acknowledged;
        while let Some((_, request, response)) =
            self.unanswered.pop_front_if(|(index, ..)| *index <= acknowledged)
        {
            cx.reply(request, Reply::of(Outcome::Ok(response)));
        }
    }

    /// Sends the next node all that is durable here, unless it has that.
    fn send_everything(&mut self, cx: &mut Context<'_, Self>) {
        if let Some(next) = self.downstream
            && self.acknowledged < self.durable
        {
            cx.send(next, Message::CatchUp(self.everything().into()));
            self.watch(cx);
        }
    }

    /// Waits for an acknowledgement, if it does not already. Chance comes from the context alone.
    fn watch(&mut self, cx: &mut Context<'_, Self>) {
        if !self.retransmitting && self.acknowledged < self.durable {
            let jitter = cx.random() % (self.config.retransmit.nanos() / 4 + 1);
            cx.set_timer(Timer::Retransmit, self.config.retransmit + Span::from_nanos(jitter));
            self.retransmitting = true;
        }
    }
}

// 6. The table of scenario files.

impl ScenarioProtocol for Chain {
    const NAME: &'static str = "chain";
    const INITIAL_LEADER: Option<NodeId> = Some(NodeId(0));

    fn section() -> &'static Section<Config> {
        static SECTION: LazyLock<Section<Config>> = LazyLock::new(|| {
            let base = Config {
                retransmit: Span::from_millis(100),
                checkpoint_every: 64,
                answer: Answer::Acknowledged,
            };
            Section::new("Chain replication: the head takes writes, the tail answers reads.", base)
                .key(key(
                    "retransmit",
                    "How long a node waits for its successor before it sends a write again.",
                    positive_duration(),
                    |config| &mut config.retransmit,
                ))
                .key(key(
                    "checkpoint-every",
                    "After how many records a node writes a checkpoint.",
                    integer(1..=1_000_000),
                    |config| &mut config.checkpoint_every,
                ))
                .key(key(
                    "answer",
                    "When a write is answered: when the whole chain has it, or when the head does.",
                    words(ANSWERS),
                    |config| &mut config.answer,
                ))
        });
        &SECTION
    }

    fn check(_: &Config, cluster: &Cluster, table: &mut TableDecoder<'_>) -> Option<()> {
        if cluster.initial_leader.is_none() {
            return table.wrong("a chain elects nobody", "needs an `initial-leader`: the head");
        }
        Some(())
    }
}
