//! Histories made by hand: a story of operations at given times, and the evidence it leaves.
//!
//! Times are milliseconds, and nodes count from 1. A version is given by its timestamp alone; its
//! node is the one that answers the write. Events are ordered by time; events at one time are in
//! the order in which the story has them.

use std::sync::Arc;

use crate::config::{Bounds, Config};
use crate::history::{ContestedWrite, Failure, Function, History, Item, Over, Status};
use crate::id::{ClientId, KeyId, NodeId, NodeSet, OpId, Term, Value, Version};
use crate::metrics::{Application, Leadership, Recovery, Settlement};
use crate::names::Names;
use crate::operation::Operation;
use crate::property::{Incidents, Promises, Property, SettlesWithin};
use crate::protocol::{NodeSnapshot, Role, Stored};
use crate::time::{Span, Time};

use super::{CheckReport, Evidence, ExpectedVerdict, Verdict, Witness, judge};

pub(super) mod any_story;
pub(super) mod definitions;
pub(super) mod several;

pub(super) const fn ms(ms: u64) -> Time {
    Time::from_nanos(ms * 1_000_000)
}

fn node(number: u16) -> NodeId {
    NodeId(number - 1)
}

fn intern(names: &mut Vec<String>, name: &str) -> usize {
    names.iter().position(|other| other == name).unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    })
}

fn texts(values: &[usize]) -> Vec<Value> {
    values.iter().copied().map(Value::text).collect()
}

/// An operation as the story has it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    client: ClientId,
    operation: Operation,
    invoked: u64,
    /// How long it had been due when it was invoked.
    waited: u64,
    completed: Option<(u64, Status)>,
    /// When its node accepted and answered it while another led too.
    handled: Option<(u64, u64)>,
    node: u16,
    version: Option<i64>,
    attempts: Vec<i64>,
    removes: Vec<(KeyId, i64)>,
    finds: Vec<(KeyId, Value, i64)>,
    tombstone: Option<i64>,
    acknowledgements: (u16, u16),
    degraded: bool,
    failure: Option<Failure>,
    elements: Option<Vec<Value>>,
    over: Over,
    existed: Option<bool>,
    /// What a compare-and-set finds that it does not expect: a value, and a version.
    instead: Option<(Option<Value>, Option<i64>)>,
    /// Of a batch its parts, each with the version that it is given or finds, and what a get finds.
    parts: Vec<(Operation, Option<i64>, Option<Value>)>,
    /// Which part of a batch finds something else than it expects, and what.
    mismatch_of: Option<(usize, String, i64)>,
}

/// Methods that set one field and hand the whole back.
macro_rules! setters {
    ($(
        $(#[$doc:meta])*
        $name:ident($($arg:ident: $type:ty),*): $($field:ident).+ = $value:expr;
    )*) => {
        $(
            $(#[$doc])*
            pub(super) fn $name(&mut self $(, $arg: $type)*) -> &mut Self {
                self.$($field).+ = $value;
                self
            }
        )*
    };
}

impl Line {
    setters! {
        at(ms: u64): invoked = ms;
        /// It had been due for so long when it was invoked.
        waited(ms: u64): waited = ms;
        ok(ms: u64): completed = Some((ms, Status::Ok));
        info(ms: u64): completed = Some((ms, Status::Info));
        fail(ms: u64): completed = Some((ms, Status::Fail));
        /// The node that answers, and that stamps a write.
        by(node: u16): node = node;
        version(version: i64): version = Some(version);
        /// A get that finds nothing is told the version of a tombstone.
        tombstone(version: i64): tombstone = Some(version);
        /// A get finds a list of these values, numbered in the order in which the story first has
        /// them.
        finds_list(values: &[usize]): elements = Some(texts(values));
        /// The value that the key held where the write was accepted, numbered in the order in which
        /// the story first has values.
        over(value: Option<usize>): over = value.map(Value::text).into();
        /// Whether the key that it deletes was there.
        existed(existed: bool): existed = Some(existed);
        because(failure: Failure): failure = Some(failure);
        degraded(): degraded = true;
        confirmed(by: u16, of: u16): acknowledgements = (by, of);
        /// Its node accepted and answered it then, while another led too.
        handled(accepted: u64, answered: u64): handled = Some((accepted, answered));
    }
    /// An earlier attempt that was accepted.
    pub(super) fn attempt(&mut self, version: i64) -> &mut Self {
        self.attempts.push(version);
        self
    }
}

/// Operations, and what is left at the end.
#[derive(Clone, Debug)]
pub(super) struct Story {
    config: Config,
    names: Names,
    lines: Vec<Line>,
    finals: Vec<NodeSnapshot>,
    leaderships: Vec<Leadership>,
    recoveries: Vec<Recovery>,
    settlement: Settlement,
    never_served: u64,
    survivors: NodeSet,
    applications: Option<Vec<Application>>,
}

impl Story {
    pub(super) fn new(nodes: u16) -> Self {
        Self {
            config: Config::quiet(nodes),
            names: Names::default(),
            lines: Vec::new(),
            finals: (1..=nodes).map(|n| NodeSnapshot::new(node(n), Role::Follower)).collect(),
            leaderships: Vec::new(),
            recoveries: Vec::new(),
            settlement: Settlement::Settled { after: Span::ZERO },
            never_served: 0,
            survivors: NodeId::all(nodes).collect(),
            applications: None,
        }
    }

    setters! {
        settlement(settlement: Settlement): settlement = settlement;
        bounds(bounds: Bounds): config.bounds = bounds;
        bound(ms: u64): config.bounds.staleness = Some(Span::from_millis(ms));
        never_served(operations: u64): never_served = operations;
        settles_for(settle: Span): config.settle = settle;
        without_settling(): config.settle = Span::ZERO;
        /// What nodes apply was to be noted, and no node said anything.
        applies_nothing(): applications = Some(Vec::new());
    }

    /// This story with something more, where the story itself goes on without it.
    pub(super) fn and<T>(&self, more: impl FnOnce(&mut Self) -> &mut T) -> Self {
        let mut story = self.clone();
        more(&mut story);
        story
    }

    fn key(&mut self, key: &str) -> KeyId {
        KeyId(intern(&mut self.names.keys, key) as u32)
    }

    fn value(&mut self, value: &str) -> Value {
        Value::text(intern(&mut self.names.values, value))
    }

    fn tell(&mut self, client: &str, operation: Operation) -> &mut Line {
        let client = ClientId(intern(&mut self.names.clients, client) as u32);
        self.lines.push(Line {
            client,
            operation,
            invoked: 0,
            waited: 0,
            completed: None,
            handled: None,
            node: 1,
            version: None,
            attempts: Vec::new(),
            removes: Vec::new(),
            finds: Vec::new(),
            tombstone: None,
            acknowledgements: (0, 0),
            degraded: false,
            failure: None,
            elements: None,
            over: Over::Unsaid,
            existed: None,
            instead: None,
            parts: Vec::new(),
            mismatch_of: None,
        });
        self.lines.last_mut().expect("pushed above")
    }

    pub(super) fn put(&mut self, client: &str, key: &str, value: &str) -> &mut Line {
        let (key, value) = (self.key(key), self.value(value));
        self.tell(client, Operation::Put { key, value, quorum: None })
    }

    pub(super) fn append(&mut self, client: &str, key: &str, value: &str) -> &mut Line {
        let (key, value) = (self.key(key), self.value(value));
        self.tell(client, Operation::Append { key, value, quorum: None })
    }

    pub(super) fn delete(&mut self, client: &str, key: &str) -> &mut Line {
        let key = self.key(key);
        self.tell(client, Operation::Delete { key, quorum: None })
    }

    /// A clear that removes these keys with these versions.
    pub(super) fn clear(&mut self, client: &str, removes: &[(&str, i64)]) -> &mut Line {
        let removes = removes.iter().map(|(key, version)| (self.key(key), *version)).collect();
        let line = self.tell(client, Operation::Clear);
        line.removes = removes;
        line
    }

    /// A get that finds a value of a version.
    pub(super) fn get(&mut self, client: &str, key: &str, found: (&str, i64)) -> &mut Line {
        let (key, value) = (self.key(key), self.value(found.0));
        let line = self.tell(client, Operation::Get { key, quorum: None });
        line.finds.push((key, value, found.1));
        line
    }

    /// A get that finds nothing.
    pub(super) fn miss(&mut self, client: &str, key: &str) -> &mut Line {
        let key = self.key(key);
        self.tell(client, Operation::Get { key, quorum: None })
    }

    pub(super) fn read_all(&mut self, client: &str, found: &[(&str, &str, i64)]) -> &mut Line {
        let finds = found.iter().map(|(key, value, v)| (self.key(key), self.value(value), *v));
        let finds = finds.collect();
        let line = self.tell(client, Operation::ReadAll);
        line.finds = finds;
        line
    }

    /// A list of keys.
    pub(super) fn list(&mut self, client: &str, keys: &[&str]) -> &mut Line {
        let keys: Vec<KeyId> = keys.iter().map(|key| self.key(key)).collect();
        let line = self.tell(client, Operation::List);
        line.finds = keys.into_iter().map(|key| (key, Value::text(0), 0)).collect();
        line
    }

    /// The operation told last.
    pub(super) fn last(&mut self) -> &mut Line {
        self.lines.last_mut().expect("one was told")
    }

    /// What a node holds at the end.
    pub(super) fn holds(&mut self, on: u16, key: &str, value: &str, version: i64) -> &mut Self {
        let value = self.value(value);
        self.store(on, key, Some(value), version)
    }

    /// The elements of a list that a node holds at the end, in order.
    pub(super) fn lists(&mut self, on: u16, key: &str, elements: &[(&str, i64)]) -> &mut Self {
        let elements: Vec<(Version, Value)> = elements
            .iter()
            .map(|(value, version)| (self.stamp(*version), self.value(value)))
            .collect();
        let key = self.key(key);
        let snapshot = &mut self.finals[node(on).index()];
        if let Some((version, value)) = elements.last().copied() {
            snapshot.data.insert(key, Stored { value: Some(value), version });
        }
        snapshot.lists.insert(key, elements);
        self
    }

    pub(super) fn tombstone(&mut self, on: u16, key: &str, version: i64) -> &mut Self {
        self.store(on, key, None, version)
    }

    fn store(&mut self, on: u16, key: &str, value: Option<Value>, version: i64) -> &mut Self {
        let key = self.key(key);
        let version = self.stamp(version);
        self.finals[node(on).index()].data.insert(key, Stored { value, version });
        self
    }

    /// This node leads at the end.
    pub(super) fn led_by(&mut self, on: u16) -> &mut Self {
        self.finals[node(on).index()].role = Role::Leader;
        self
    }

    pub(super) fn down(&mut self, on: u16) -> &mut Self {
        self.finals[node(on).index()].up = false;
        self.crashed(on)
    }

    pub(super) fn crashed(&mut self, on: u16) -> &mut Self {
        self.survivors.remove(node(on));
        self
    }

    /// When each operation was accepted, and how long it took to be answered, while several led.
    pub(super) fn handles(&mut self, handled: &[Option<(u64, u64)>]) -> &mut Self {
        for (line, handled) in self.lines.iter_mut().zip(handled) {
            line.handled = handled.map(|(accepted, took)| (accepted, accepted + took));
        }
        self
    }

    /// How long each operation had been due when it was invoked.
    pub(super) fn waits(&mut self, waits: &[u64]) -> &mut Self {
        for (line, waited) in self.lines.iter_mut().zip(waits) {
            line.waited = *waited;
        }
        self
    }

    /// A node applies a write; what is told first is noted first.
    pub(super) fn applies(&mut self, on: u16, key: &str, version: i64, at: u64) -> &mut Self {
        let (key, version) = (self.key(key), self.stamp(version));
        let application = Application { at: ms(at), node: node(on), key, version, value: None };
        self.applications.get_or_insert_default().push(application);
        self
    }

    pub(super) fn leads(&mut self, on: u16, term: u32, from: u64, until: Option<u64>) -> &mut Self {
        let (from, until) = (ms(from), until.map(ms));
        self.leaderships.push(Leadership { term: Term(term), node: node(on), from, until });
        self
    }

    pub(super) fn recovers(&mut self, recovery: Recovery) -> &mut Self {
        self.recoveries.push(recovery);
        self
    }

    /// The version of this timestamp: its node is the one that answers the write it belongs to,
    /// else the first.
    pub(super) fn stamp(&self, timestamp: i64) -> Version {
        let is_writer = |line: &&Line| {
            line.operation.is_write()
                && (line.version == Some(timestamp)
                    || line.attempts.contains(&timestamp)
                    || line.removes.iter().any(|(_, version)| *version == timestamp)
                    || line
                        .parts
                        .iter()
                        .any(|(part, version, _)| part.is_write() && *version == Some(timestamp)))
        };
        let by = self.lines.iter().find(is_writer).map_or(1, |line| line.node);
        Version { timestamp, node: node(by), sequence: 1 }
    }

    fn history(&self) -> History {
        let mut events: Vec<(u64, bool, usize)> = Vec::new();
        for (i, line) in self.lines.iter().enumerate() {
            events.push((line.invoked, false, i));
            if let Some((completed, _)) = line.completed {
                assert!(line.invoked <= completed, "{line:?}");
                events.push((completed, true, i));
            }
        }
        events.sort_by_key(|(at, completes, i)| (*at, *i, *completes));
        let names = Arc::new(self.names.clone());
        let mut history = History::with_capacity(self.lines.len(), names);
        let mut ids = vec![None; self.lines.len()];
        for (at, completes, i) in events {
            let line = &self.lines[i];
            if !completes {
                let due_at = ms(at.saturating_sub(line.waited));
                let op = self.invoke(&mut history, line, due_at);
                ids[i] = Some(op);
                if let Some((accepted, answered)) = line.handled {
                    let (accepted_at, answered_at) = (ms(accepted), ms(answered));
                    let node = node(line.node);
                    history.contest(ContestedWrite { op, node, accepted_at, answered_at });
                }
                for version in line.attempts.iter().chain(&line.version) {
                    history.accept(op, self.stamp(*version));
                    history.written_over(op, line.over);
                }
                for (key, version) in &line.removes {
                    history.accept_clear(op, *key, self.stamp(*version));
                }
                continue;
            }
            let op: OpId = ids[i].expect("invoked before it completes");
            let status = line.completed.map_or(Status::Pending, |(_, status)| status);
            history.complete(op, ms(at), status, |entry| {
                entry.node = Some(node(line.node));
                (entry.acknowledgements, entry.followers) = line.acknowledgements;
                entry.degraded = line.degraded;
                entry.failure = line.failure;
                entry.existed = line.existed;
                if let (Function::Get, Some((_, value, version))) =
                    (entry.function, line.finds.first())
                {
                    entry.value = Some(*value);
                    entry.version = Some(self.stamp(*version));
                }
                if let Some(version) = line.tombstone {
                    entry.version = Some(self.stamp(version));
                }
            });
            if let (Operation::Get { .. }, Some(elements)) = (line.operation, &line.elements) {
                history.set_elements(op, elements.clone().into());
            }
            self.answer(&mut history, line, op);
            if matches!(line.operation, Operation::List | Operation::ReadAll) {
                let whole = line.operation == Operation::ReadAll;
                let item = |(key, value, version): &(KeyId, Value, i64)| Item {
                    key: *key,
                    value: whole.then_some(*value),
                    version: whole.then(|| self.stamp(*version)),
                    elements: line.elements.clone().filter(|_| whole).map(Into::into),
                };
                history.set_contents(op, line.finds.iter().map(item).collect());
            }
        }
        history
    }

    /// Shows `look` the evidence.
    pub(super) fn evidence<T>(&self, look: impl FnOnce(&Evidence<'_>) -> T) -> T {
        let history = self.history();
        let ended_at = self.lines.iter().filter_map(|line| line.completed).map(|(at, _)| at).max();
        look(&Evidence {
            config: &self.config,
            history: &history,
            finals: &self.finals,
            leaderships: &self.leaderships,
            recoveries: &self.recoveries,
            settlement: &self.settlement,
            ended_at: ms(ended_at.unwrap_or(1_000)),
            never_served: self.never_served,
            survivors: &self.survivors,
            log: None,
            applications: self.applications.as_deref(),
        })
    }

    pub(super) fn report(&self, property: Property) -> CheckReport {
        let judge = |evidence: &Evidence<'_>| {
            let settles = SettlesWithin::Span(Span::ZERO);
            judge(evidence, &Promises::default(), &Incidents::NONE, settles)
        };
        let reports = self.evidence(judge);
        let report = reports.into_iter().find(|report| report.property == property);
        report.expect("every property is reported")
    }

    /// How a property is judged that is promised.
    pub(super) fn judged(&self, property: Property) -> ExpectedVerdict {
        match self.report(property).verdict {
            Verdict::Valid => ExpectedVerdict::Valid,
            Verdict::Invalid(_) => ExpectedVerdict::Violation,
            Verdict::Unknown(_) => ExpectedVerdict::Unknown,
            Verdict::Unchecked(_) => ExpectedVerdict::Unchecked,
        }
    }

    pub(super) fn witness(&self, property: Property) -> Witness {
        let verdict = self.report(property).verdict;
        let Verdict::Invalid(witness) = verdict else { panic!("{property}: {verdict:?}") };
        witness
    }

    #[track_caller]
    pub(super) fn assert_valid(&self, property: Property) {
        assert_eq!(self.report(property).verdict, Verdict::Valid);
    }

    pub(super) fn unknown(&self, property: Property) -> String {
        let verdict = self.report(property).verdict;
        let Verdict::Unknown(reason) = verdict else { panic!("{property}: {verdict:?}") };
        reason
    }

    #[track_caller]
    pub(super) fn assert_figures(&self, property: Property, expected: &[(&str, u64)]) {
        for (name, figure) in expected {
            assert_eq!(self.figure(property, name), *figure, "{name}");
        }
    }

    pub(super) fn figure(&self, property: Property, name: &str) -> u64 {
        let figures = self.report(property).figures;
        figures.iter().find(|(other, _)| *other == name).expect("such a figure").1
    }
}

impl Witness {
    #[track_caller]
    pub(super) fn assert_says(&self, part: &str) {
        assert!(self.summary.contains(part), "{}", self.summary);
    }

    #[track_caller]
    pub(super) fn assert_begins(&self, start: &str) {
        assert!(self.summary.starts_with(start), "{}", self.summary);
    }

    #[track_caller]
    pub(super) fn assert_ends(&self, end: &str) {
        assert!(self.summary.ends_with(end), "{}", self.summary);
    }
}
