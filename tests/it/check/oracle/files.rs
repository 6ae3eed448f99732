//! The files that a run writes, read as plain values.
//!
//! Nothing here knows more of the files than README says. Three things are taken from the library:
//! the run of a scenario, the writing of `result.json`, `nodes.json`, `history.jsonl` and
//! `trace.txt`, and the output of `splitbrain promises`.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use splitbrain::property::SettlesWithin;
use splitbrain::report::{Report, history, json, nodes};
use splitbrain::run::RunOptions;
use splitbrain::scenario::{Registry, Scenario};

/// A place in the history that comes after every line.
pub(crate) const NEVER: usize = usize::MAX;

/// Everything that is known of a run.
pub(crate) struct Files {
    /// The scenario file as it stands.
    pub(crate) text: String,
    /// The same, read.
    pub(crate) scenario: toml::Table,
    /// `result.json`.
    pub(crate) report: Json,
    /// `history.jsonl` as it stands.
    pub(crate) history: Vec<u8>,
    /// The same, read: the operations, by their numbers.
    pub(crate) ops: Vec<Op>,
    /// The history's lines in order: the number of the operation, and whether the line is its
    /// completion.
    pub(crate) lines: Vec<(usize, bool)>,
    /// What the nemesis did, from the same file.
    pub(crate) acts: Vec<Act>,
    /// `nodes.json`, `end`.
    pub(crate) nodes: Vec<Node>,
    /// The same for the nodes of `[expect.state]`, in the scenario's order.
    pub(crate) states: Vec<Node>,
    /// `trace.txt`.
    trace: String,
    /// How long the settings may need to settle, as `splitbrain promises` says, and whether
    /// settling may begin again.
    pub(crate) settles: Option<(u64, bool)>,
}

/// What is asked of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum F {
    Put,
    Get,
    Delete,
    List,
    ReadAll,
    Clear,
    Append,
}

/// Its outcome. A pending operation has no second line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Pending,
    Ok,
    Fail,
    Info,
}

/// `timestamp@node#sequence`, which compares in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    pub(crate) timestamp: i128,
    pub(crate) node: u32,
    pub(crate) sequence: u64,
}

/// An operation: both its lines.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    pub(crate) op: u32,
    /// The process without its `#`.
    pub(crate) client: String,
    pub(crate) f: F,
    pub(crate) key: Option<String>,
    /// The value of a put, the element of an append.
    pub(crate) written: Option<String>,
    pub(crate) invoked_ns: u64,
    pub(crate) due_ns: u64,
    /// The line of the invocation.
    pub(crate) invoked: usize,
    pub(crate) status: Status,
    pub(crate) completed_ns: u64,
    /// The line of the completion; [`NEVER`] without one.
    pub(crate) completed: usize,
    /// What was found, or null.
    pub(crate) value: Json,
    pub(crate) version: Option<Version>,
    pub(crate) node: Option<String>,
    pub(crate) degraded: bool,
    pub(crate) error: Option<String>,
    /// `[2, 5]` for `"2 of 5"`.
    pub(crate) acknowledgements: Option<[u64; 2]>,
    pub(crate) existed: Option<bool>,
    pub(crate) leader: Option<String>,
    /// In the shape of `value`, the operations that wrote it.
    pub(crate) written_by: Json,
    /// For each attempt, the operations of which one had written what the key held; `None` where
    /// the file does not say.
    pub(crate) over: Option<Vec<Vec<u32>>>,
    /// The versions of other attempts.
    pub(crate) attempts: Vec<Version>,
    /// By key, the versions of its removals by a clear.
    pub(crate) cleared: BTreeMap<String, Vec<Version>>,
    /// By key, the version of what a read of everything found.
    pub(crate) versions: BTreeMap<String, Version>,
    pub(crate) contested: Vec<Contested>,
}

/// What a node did with a write while two led.
#[derive(Clone, Debug)]
pub(crate) struct Contested {
    pub(crate) node: String,
    pub(crate) accepted_ns: u64,
    pub(crate) answered_ns: u64,
}

/// An act of the nemesis.
#[derive(Clone, Debug)]
pub(crate) struct Act {
    pub(crate) at_ns: u64,
    pub(crate) fault: Option<String>,
    pub(crate) starts: bool,
    pub(crate) what: String,
}

/// A node at the end of the run.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) up: bool,
    pub(crate) role: Option<String>,
    pub(crate) term: u64,
    /// The leader that it knows.
    pub(crate) leader: Option<String>,
    /// The work that it still had.
    pub(crate) pending: Vec<String>,
    pub(crate) data: BTreeMap<String, Held>,
}

impl Node {
    pub(crate) fn leads(&self) -> bool {
        self.role.as_deref() == Some("leader")
    }
}

/// What a node holds for a key; a tombstone has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) value: Option<String>,
    pub(crate) version: Version,
    pub(crate) op: Option<u32>,
    /// The list beside the key: each element with its version and its operation.
    pub(crate) elements: Option<Vec<(String, Version, Option<u32>)>>,
}

/// A line of the trace: when, who, what and the rest. A line with a dot is an effect of the event
/// above it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) at_ns: u64,
    pub(crate) who: &'a str,
    pub(crate) what: &'a str,
    pub(crate) content: &'a str,
}

impl Op {
    pub(crate) fn is_ok(&self) -> bool {
        self.status == Status::Ok
    }

    pub(crate) fn is_write(&self) -> bool {
        matches!(self.f, F::Put | F::Delete | F::Clear | F::Append)
    }

    pub(crate) fn key(&self) -> &str {
        self.key.as_deref().unwrap_or_default()
    }
}

impl Op {
    /// An operation of which only the first line is known.
    fn invoked(place: usize, line: &Json) -> Self {
        let at = line["time_ns"].as_u64().expect("a time");
        let process = text(line, "process").expect("a process");
        Self {
            op: number(&line["op"]).expect("a number"),
            client: process.split('#').next().unwrap_or_default().to_owned(),
            f: function(line["f"].as_str().expect("a function")),
            key: text(line, "key"),
            written: text(line, "value"),
            invoked_ns: at,
            due_ns: line["due_ns"].as_u64().unwrap_or(at),
            invoked: place,
            status: Status::Pending,
            completed_ns: 0,
            completed: NEVER,
            value: Json::Null,
            version: None,
            node: None,
            degraded: false,
            error: None,
            acknowledgements: None,
            existed: None,
            leader: None,
            written_by: Json::Null,
            over: None,
            attempts: Vec::new(),
            cleared: BTreeMap::new(),
            versions: BTreeMap::new(),
            contested: Vec::new(),
        }
    }

    /// Adds what its second line says.
    fn complete(&mut self, place: usize, line: &Json) {
        self.status = match line["event"].as_str() {
            Some("ok") => Status::Ok,
            Some("fail") => Status::Fail,
            Some("info") => Status::Info,
            other => panic!("{other:?} is no event"),
        };
        self.completed = place;
        self.completed_ns = line["time_ns"].as_u64().expect("a time");
        self.value = line["value"].clone();
        self.version = line["version"].as_str().map(version);
        self.node = text(line, "node");
        self.degraded = line["degraded"] == true;
        self.error = text(line, "error");
        self.acknowledgements = line["confirmations"].as_str().map(|text| {
            let (acknowledged, of) = text.split_once(" of ").expect("so many of so many");
            [acknowledged, of].map(|number| number.parse().expect("a number"))
        });
        self.existed = line["existed"].as_bool();
        self.leader = text(line, "leader");
        self.written_by = line["written_by"].clone();
        let one = |over: &Json| match over.as_array() {
            Some(several) => several.iter().filter_map(number).collect(),
            None => number(over).into_iter().collect(),
        };
        self.over = line["over"].as_array().map(|over| over.iter().map(one).collect());
        let versions = |list: &Json| {
            let texts = array(list).iter().map(|text| version(text.as_str().expect("a version")));
            texts.collect::<Vec<Version>>()
        };
        self.attempts = versions(&line["attempts"]);
        let cleared = line["cleared"].as_object().into_iter().flatten();
        self.cleared = cleared.map(|(key, list)| (key.clone(), versions(list))).collect();
        let versions = line["versions"].as_object().into_iter().flatten();
        let told = |text: &Json| version(text.as_str().expect("a version"));
        self.versions = versions.map(|(key, text)| (key.clone(), told(text))).collect();
        let contested = array(&line["contested"]).iter().map(|one| Contested {
            node: one["node"].as_str().expect("a node").to_owned(),
            accepted_ns: one["accepted_ns"].as_u64().expect("a time"),
            answered_ns: one["answered_ns"].as_u64().expect("a time"),
        });
        self.contested = contested.collect();
    }
}

/// The text under a key of a line.
fn text(line: &Json, key: &str) -> Option<String> {
    line[key].as_str().map(str::to_owned)
}

impl Files {
    /// Every function with its name.
    pub(crate) const FUNCTIONS: [(F, &str); 7] = [
        (F::Put, "put"),
        (F::Get, "get"),
        (F::Delete, "delete"),
        (F::List, "list"),
        (F::ReadAll, "read-all"),
        (F::Clear, "clear"),
        (F::Append, "append"),
    ];

    /// Runs the scenario, and reads what is written out.
    pub(crate) fn of(name: &str, text: &str, seed: u64) -> Result<Self, String> {
        let scenario = Scenario::parse(name, text.as_bytes(), &Registry::new(), &[])
            .map_err(|mistakes| mistakes.to_string())?;
        let result = scenario.run(seed, RunOptions { trace: true, ..RunOptions::default() });
        let (report, _) = Report::of(name, &scenario.config, &result);
        let mut lines = Vec::new();
        history::write(&result.history, &mut lines).map_err(|error| error.to_string())?;
        let nodes = nodes::nodes(&result.finals, &result.states, &result.history);
        let mut files = Self {
            text: text.to_owned(),
            scenario: text.parse().map_err(|error: toml::de::Error| error.to_string())?,
            report: json::run(&report),
            history: Vec::new(),
            ops: Vec::new(),
            lines: Vec::new(),
            acts: Vec::new(),
            nodes: array(&nodes["end"]).iter().map(node).collect(),
            states: array(&nodes["states"]).iter().map(node).collect(),
            trace: result.trace.clone().unwrap_or_default(),
            settles: match scenario.protocol.settles_within(&scenario.config) {
                SettlesWithin::Span(span) => Some((span.nanos(), false)),
                SettlesWithin::Anew { within, .. } => Some((within.nanos(), true)),
                SettlesWithin::Unsaid { .. } => None,
            },
        };
        for (place, line) in String::from_utf8_lossy(&lines).lines().enumerate() {
            let line: Json = serde_json::from_str(line).map_err(|error| error.to_string())?;
            files.take(place, &line);
        }
        files.history = lines;
        Ok(files)
    }

    /// Takes in a line of the history.
    fn take(&mut self, place: usize, line: &Json) {
        let Some(op) = line["op"].as_u64() else {
            assert_eq!(line["process"], "nemesis", "whatever else happens has a number");
            self.acts.push(Act {
                at_ns: line["time_ns"].as_u64().expect("a time"),
                fault: text(line, "fault"),
                starts: line["f"] == "start",
                what: text(line, "value").expect("an act in words"),
            });
            return;
        };
        let number = usize::try_from(op).expect("a number");
        let is_invoked = line["event"] == "invoke";
        self.lines.push((number, !is_invoked));
        if is_invoked {
            assert_eq!(number, self.ops.len(), "operations are numbered by invocation");
            self.ops.push(Op::invoked(place, line));
        } else {
            self.ops[number].complete(place, line);
        }
    }

    /// Every line of the trace.
    pub(crate) fn trace(&self) -> impl Iterator<Item = Line<'_>> {
        self.trace.lines().skip(1).map(|line| {
            let (time, rest) = line.trim_start().split_once(' ').expect("a time and more");
            let (who, rest) = rest.trim_start().split_once(' ').unwrap_or((rest.trim(), ""));
            let rest = rest.trim_start();
            let dot = if rest.starts_with(". ") { 2 } else { 0 };
            let end = rest[dot..].find(' ').map_or(rest.len(), |end| dot + end);
            let (what, content) = rest.split_at(end);
            Line { at_ns: nanos(time), who, what, content: content.trim_start() }
        })
    }

    /// A length of time that the scenario sets, by its path.
    pub(crate) fn span(&self, path: &str) -> Option<u64> {
        self.set(path)?.as_str().map(length)
    }

    /// What the scenario sets, by its path.
    pub(crate) fn set(&self, path: &str) -> Option<&toml::Value> {
        let (first, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
        let mut at = self.scenario.get(first)?;
        for key in rest.into_iter().flat_map(|rest| rest.split('.')) {
            at = at.get(key)?;
        }
        Some(at)
    }

    /// A number of the report, by its JSON pointer.
    pub(crate) fn number(&self, pointer: &str) -> Option<u64> {
        self.report.pointer(pointer)?.as_u64()
    }

    /// The tables of a list of the scenario.
    pub(crate) fn tables(&self, path: &str) -> &[toml::Value] {
        self.set(path).and_then(toml::Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// When the run ended.
    pub(crate) fn ended_ns(&self) -> u64 {
        self.number("/virtual_time_ns").expect("an end")
    }

    /// The nodes that are up at the end.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.up)
    }
}

fn function(name: &str) -> F {
    let found = Files::FUNCTIONS.iter().find(|(_, other)| *other == name);
    found.unwrap_or_else(|| panic!("{name} is no function")).0
}

fn node(node: &Json) -> Node {
    let text = |json: &Json| json.as_str().expect("a text").to_owned();
    let element = |of: &Json| (text(&of["value"]), version_of(of), number(&of["op"]));
    let held = |held: &Json| Held {
        value: held["value"].as_str().map(str::to_owned),
        version: version_of(held),
        op: number(&held["op"]),
        elements: held["elements"].as_array().map(|all| all.iter().map(element).collect()),
    };
    let data = array(&node["data"]).iter().map(|one| (text(&one["key"]), held(one)));
    let data: BTreeMap<String, Held> = data.collect();
    let keys = data.values().filter(|held| held.value.is_some()).count();
    assert_eq!((&node["keys"], &node["tombstones"]), (&keys.into(), &(data.len() - keys).into()));
    Node {
        name: text(&node["node"]),
        up: node["up"] == true,
        role: node["role"].as_str().map(str::to_owned),
        term: node["term"].as_u64().unwrap_or(0),
        leader: node["leader"].as_str().map(str::to_owned),
        pending: array(&node["pending"]).iter().map(text).collect(),
        data,
    }
}

fn version_of(of: &Json) -> Version {
    version(of["version"].as_str().expect("a version"))
}

/// `timestamp@node#sequence`.
pub(crate) fn version(text: &str) -> Version {
    let (timestamp, rest) = text.split_once('@').expect("a timestamp");
    let (node, sequence) = rest.split_once('#').expect("a node");
    let (sign, digits) = timestamp.strip_prefix('-').map_or((1, timestamp), |rest| (-1, rest));
    Version {
        timestamp: sign * i128::from(nanos(digits)),
        node: node[1..].parse().expect("a node's number"),
        sequence: sequence.parse().expect("a sequence"),
    }
}

/// Seconds with nine digits behind the point.
fn nanos(text: &str) -> u64 {
    let (seconds, nanos) = text.split_once('.').expect("seconds and nanoseconds");
    let number = |digits: &str| digits.parse::<u64>().expect("digits");
    number(seconds) * 1_000_000_000 + number(nanos)
}

/// A whole number with its unit, the form in which the generator writes lengths of time.
pub(crate) fn length(text: &str) -> u64 {
    let digits = text.find(|c: char| !c.is_ascii_digit()).expect("a unit");
    let unit = match &text[digits..] {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        other => panic!("{other} is no unit"),
    };
    text[..digits].parse::<u64>().expect("digits") * unit
}

fn number(json: &Json) -> Option<u32> {
    json.as_u64().map(|number| u32::try_from(number).expect("a number"))
}

fn array(json: &Json) -> &[Json] {
    json.as_array().map_or(&[], Vec::as_slice)
}
