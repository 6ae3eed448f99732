//! Settings back to TOML, every one explicit (but for clocks that are right): what [`super::Scenario::parse`] reads as equal settings.

use toml::{Table, Value};

use super::decode::word_for;
use super::distribution::encode_distribution;
use super::fuzz::{self, Fuzz};
use super::network::{encode_link, encode_link_override};
use super::script::status_word;
use super::units;
use super::words::{OCCURRENCES, TARGETS, TIES};
use super::{ConfiguredProtocol, Scenario};
use crate::config::{
    Answer, Bounds, Change, ClientLeg, Clock, Config, DiskFault, Expect, ExpectedState,
    ExpectedValue, Fault, FaultAction, Group, HealWhat, Occurrence, Pace, ReadFrom, RetryPolicy,
    Route, ScriptedOperation, Skew, Start, Target, Trigger, Workload,
};
use crate::id::NodeId;
use crate::named::Named;
use crate::names::Names;
use crate::operation::{Operation, ReadQuorum};

/// The scenario as one table of TOML, in the order of a file.
pub(super) fn encode(scenario: &Scenario) -> Table {
    let Scenario { config, protocol, fuzz, .. } = scenario;
    encode_settings(config, protocol.as_ref(), fuzz.as_ref())
}

/// The same of settings that no file was read for.
pub(super) fn encode_settings(
    config: &Config,
    protocol: &dyn ConfiguredProtocol,
    drawn: Option<&Fuzz>,
) -> Table {
    let mut file = top(config);
    let kinds = protocol.message_kinds();
    set(&mut file, "cluster", cluster(config));
    set(&mut file, "protocol", one(protocol.name(), protocol.encode()));
    set(&mut file, "network", network(config));
    set_list(&mut file, "clock", clocks(config));
    set(&mut file, "disk", one("sync", encode_distribution(&config.disk.sync)));
    if let Some(load) = &config.workload {
        set(&mut file, "workload", workload(load));
    }
    let operations = config.script.iter().map(|scripted| operation(scripted, &config.names));
    set_list(&mut file, "operation", operations);
    let faults = config.faults.iter().map(|scheduled| fault(scheduled, &config.names, kinds));
    set_list(&mut file, "fault", faults);
    set_list(&mut file, "change", config.changes.iter().map(change));
    if let Some(drawn) = drawn {
        set(&mut file, "fuzz", fuzz::encode(drawn));
    }
    let bounds = bounds(&config.bounds);
    if !bounds.is_empty() {
        set(&mut file, "check", bounds);
    }
    let expect = expect(&config.expect, &config.names);
    if !expect.is_empty() {
        set(&mut file, "expect", expect);
    }
    file
}

fn network(config: &Config) -> Table {
    let mut network = encode_link(&config.network.default);
    set(&mut network, "client-delay", encode_distribution(&config.network.client_delay));
    set(&mut network, "refuse", config.network.refuse);
    set_list(&mut network, "link", config.network.links.iter().map(encode_link_override));
    let legs = config.network.client_legs.iter().map(|leg| client_leg(leg, &config.names));
    set_list(&mut network, "client", legs);
    network
}

/// Every clock that errs.
fn clocks(config: &Config) -> Vec<Table> {
    let nodes = NodeId::all(config.cluster.nodes).zip(&config.clocks);
    // A clock without an entry is right; a thousand entries that say so would hide the others.
    let nodes = nodes.filter(|(_, clock)| **clock != Clock::default());
    let nodes = nodes.map(|(node, clock)| self::clock(("node", node.to_string()), clock));
    let clients = config.client_clocks.iter().map(|(client, clock)| {
        self::clock(("client", config.names.client(*client).to_owned()), clock)
    });
    nodes.chain(clients).collect()
}

fn expect(expect: &Expect, names: &Names) -> Table {
    let checks = expect.checks.iter();
    let mut table: Table = checks
        .map(|(property, verdict)| (property.name().to_owned(), verdict.name().into()))
        .collect();
    set_list(&mut table, "state", expect.states.iter().map(|expected| state(expected, names)));
    table
}

/// Tables at `key`, if there are any.
fn set_list(table: &mut Table, key: &str, items: impl IntoIterator<Item = Table>) {
    let items: Vec<Value> = items.into_iter().map(Value::Table).collect();
    if !items.is_empty() {
        set(table, key, items);
    }
}

fn set(table: &mut Table, key: &str, value: impl Into<Value>) {
    table.insert(key.to_owned(), value.into());
}

fn one(key: &str, value: impl Into<Value>) -> Table {
    let mut table = Table::new();
    set(&mut table, key, value);
    table
}

fn bounds(bounds: &Bounds) -> Table {
    let Bounds { staleness, availability, recovery, leaderless, replication_lag } = *bounds;
    let mut table = Table::new();
    if let Some(bound) = staleness {
        set(&mut table, "staleness-bound", bound.to_string());
    }
    if let Some(share) = availability {
        let share = units::show_percentage(share.parts_per_billion());
        set(&mut table, "availability-bound", share);
    }
    let optional = [
        ("recovery-bound", recovery),
        ("leaderless-bound", leaderless),
        ("replication-lag-bound", replication_lag),
    ];
    for (key, bound) in optional {
        if let Some(bound) = bound {
            set(&mut table, key, bound.to_string());
        }
    }
    table
}

fn top(config: &Config) -> Table {
    let mut table = one("title", config.title.clone());
    // Decoded from an integer of TOML, which has 63 bits; a larger one was set by a program.
    set(&mut table, "seed", i64::try_from(config.seed).unwrap_or(i64::MAX));
    set(&mut table, "duration", config.duration.to_string());
    set(&mut table, "settle", config.settle.to_string());
    set(&mut table, "ties", word_for(&TIES, &config.ties));
    table
}

fn cluster(config: &Config) -> Table {
    let mut table = one("nodes", i64::from(config.cluster.nodes));
    set(&mut table, "initial-leader", node_or("none", config.cluster.initial_leader));
    table
}

fn node_or(word: &str, node: Option<NodeId>) -> String {
    node.map_or_else(|| word.to_owned(), |node| node.to_string())
}

fn client_leg(leg: &ClientLeg, names: &Names) -> Table {
    let client = leg.client.map_or("*", |client| names.client(client));
    let mut table = one("client", client);
    set(&mut table, "node", node_or("*", leg.node));
    set(&mut table, "delay", encode_distribution(&leg.delay));
    table
}

fn clock((kind, whose): (&str, String), clock: &Clock) -> Table {
    let mut table = one(kind, whose);
    set(&mut table, "offset", units::show_signed(clock.offset_ns));
    set(&mut table, "drift", units::show_drift(clock.drift_ppb));
    table
}

/// A read of several replicas, at these keys.
fn read_quorum(table: &mut Table, [replicas, repair]: [&str; 2], quorum: Option<ReadQuorum>) {
    if let Some(quorum) = quorum {
        set(table, replicas, i64::from(quorum.replicas));
        set(table, repair, quorum.repair);
    }
}

fn workload(load: &Workload) -> Table {
    let mut table = one("clients", i64::from(load.clients));
    match load.operations.map(i64::try_from) {
        Some(Ok(operations)) => set(&mut table, "operations", operations),
        _ => set(&mut table, "operations", "unlimited"),
    }
    set(&mut table, "keys", i64::from(load.keys));
    match load.skew {
        Skew::Uniform => set(&mut table, "skew", "uniform"),
        Skew::Zipf { exponent } => set(&mut table, "skew", one("zipf", exponent)),
    }
    let mut mix = Table::new();
    let weights = [
        ("put", load.mix.put),
        ("get", load.mix.get),
        ("delete", load.mix.delete),
        ("list", load.mix.list),
        ("read-all", load.mix.read_all),
        ("append", load.mix.append),
    ];
    for (key, weight) in weights {
        set(&mut mix, key, i64::from(weight));
    }
    set(&mut table, "mix", mix);
    match &load.pace {
        Pace::Closed { think } => set(&mut table, "think", encode_distribution(think)),
        Pace::Open { interval, burst } => {
            let mut open = one("interval", encode_distribution(interval));
            set(&mut open, "burst", i64::from(*burst));
            set(&mut table, "open", open);
        }
    }
    let read_from = match load.read_from {
        ReadFrom::Leader => "leader".to_owned(),
        ReadFrom::Any => "any".to_owned(),
        ReadFrom::Nearest => "nearest".to_owned(),
        ReadFrom::Node(node) => node.to_string(),
    };
    set(&mut table, "read-from", read_from);
    read_quorum(&mut table, ["read-quorum", "read-repair"], load.read_quorum);
    retry(&mut table, &load.retry);
    table
}

fn retry(table: &mut Table, retry: &RetryPolicy) {
    set(table, "timeout", retry.timeout.to_string());
    set(table, "retries", i64::from(retry.retries));
    set(table, "ask-next", retry.ask_next);
    set(table, "backoff", encode_distribution(&retry.backoff));
}

fn operation(scripted: &ScriptedOperation, names: &Names) -> Table {
    let mut table = one("id", scripted.id.clone());
    set(&mut table, "at", time(scripted.at));
    set(&mut table, "client", names.client(scripted.client));
    let mut asked = Table::new();
    if let Some(key) = scripted.operation.key() {
        set(&mut asked, "key", names.key(key));
    }
    let (kind, quorum) = match scripted.operation {
        Operation::Put { value, quorum, .. } => {
            set(&mut asked, "value", names.value(value));
            ("put", quorum)
        }
        Operation::Get { quorum, .. } => {
            read_quorum(&mut asked, ["r", "repair"], quorum);
            ("get", None)
        }
        Operation::Delete { quorum, .. } => ("delete", quorum),
        Operation::List => ("list", None),
        Operation::ReadAll => ("read-all", None),
        Operation::Clear => ("clear", None),
        Operation::Append { value, quorum, .. } => {
            set(&mut asked, "value", names.value(value));
            ("append", quorum)
        }
    };
    if let Some(quorum) = quorum {
        set(&mut asked, "w", i64::from(quorum));
    }
    if let Some(node) = scripted.node {
        let whom = if matches!(kind, "put" | "delete" | "append") { "to" } else { "from" };
        set(&mut asked, whom, node.to_string());
    }
    set(&mut table, kind, asked);
    retry(&mut table, &scripted.retry);
    let expect = answer(&scripted.expect, names);
    if !expect.is_empty() {
        set(&mut table, "expect", expect);
    }
    table
}

fn time(at: crate::time::Time) -> String {
    at.since(crate::time::Time::ZERO).to_string()
}

fn answer(answer: &Answer, names: &Names) -> Table {
    let mut table = Table::new();
    if let Some(status) = answer.status {
        set(&mut table, "status", status_word(status));
    }
    if let Some(value) = answer.value {
        expected_value(&mut table, value, names);
    }
    if let Some(degraded) = answer.degraded {
        set(&mut table, "degraded", degraded);
    }
    if let Some((confirmed, followers)) = answer.confirmations {
        set(&mut table, "confirmations", format!("{confirmed} of {followers}"));
    }
    if let Some(error) = &answer.error {
        set(&mut table, "error", error.clone());
    }
    if let Some(not_yet_replicated) = answer.not_yet_replicated {
        set(&mut table, "not-yet-replicated", not_yet_replicated);
    }
    if let Some(leader) = answer.leader {
        set(&mut table, "leader", node_or("none", leader));
    }
    if let Some(existed) = answer.existed {
        set(&mut table, "existed", existed);
    }
    if let Some(keys) = &answer.keys {
        let keys: Vec<Value> = keys.iter().map(|key| names.key(*key).into()).collect();
        set(&mut table, "keys", keys);
    }
    if let Some(all) = &answer.all {
        let pairs =
            all.iter().map(|(key, value)| (names.key(*key).to_owned(), names.value(*value).into()));
        set(&mut table, "all", pairs.collect::<Table>());
    }
    if let Some(within) = answer.within {
        set(&mut table, "within", within.to_string());
    }
    if let Some(after) = answer.after {
        set(&mut table, "after", after.to_string());
    }
    table
}

fn expected_value(table: &mut Table, value: ExpectedValue, names: &Names) {
    match value {
        ExpectedValue::Absent => set(table, "absent", true),
        ExpectedValue::Is(value) => set(table, "value", names.value(value)),
    }
}

fn fault(fault: &Fault, names: &Names, kinds: &[&str]) -> Table {
    let mut table = one("id", names.fault(fault.id));
    match fault.start {
        Start::At(at) => set(&mut table, "at", time(at)),
        Start::When(trigger) => set(&mut table, "when", when(&trigger, kinds)),
    }
    if let Some(lasts) = fault.lasts {
        set(&mut table, "for", lasts.to_string());
    }
    if fault.forever {
        set(&mut table, "forever", true);
    }
    let (kind, value) = action(&fault.action, names, kinds);
    set(&mut table, kind, value);
    table
}

fn when(trigger: &Trigger, kinds: &[&str]) -> Table {
    let (occurrence, kind) = match trigger.what {
        Occurrence::Receives(kind) => (Occurrence::Receives(None), kind),
        other => (other, None),
    };
    let mut table = one(word_for(&OCCURRENCES, &occurrence), i64::from(trigger.nth));
    if let Some(kind) = kind.and_then(|kind| kinds.get(usize::from(kind))) {
        set(&mut table, "kind", *kind);
    }
    if let Some(node) = trigger.node {
        set(&mut table, "node", node.to_string());
    }
    set(&mut table, "after", trigger.after.to_string());
    table
}

fn action(action: &FaultAction, names: &Names, kinds: &[&str]) -> (&'static str, Value) {
    match action {
        FaultAction::Partition(groups) => {
            let groups: Vec<Value> = groups.iter().map(|side| group(side, names)).collect();
            ("partition", groups.into())
        }
        FaultAction::MajoritiesRing => ("majorities-ring", true.into()),
        FaultAction::Bridge(nodes) => ("bridge", target(nodes)),
        FaultAction::Isolate(nodes) => ("isolate", target(nodes)),
        FaultAction::Block(between) => ("block", route(between).into()),
        FaultAction::Clog(between) => ("clog", route(between).into()),
        FaultAction::Slow { route: between, extra } => {
            let mut table = route(between);
            set(&mut table, "by", encode_distribution(extra));
            ("slow", table.into())
        }
        FaultAction::Drop { route: between, kind, probability } => {
            let mut table = route(between);
            if let Some(kind) = kind.and_then(|kind| kinds.get(usize::from(kind))) {
                set(&mut table, "kind", *kind);
            }
            let probability = units::show_percentage(probability.parts_per_billion());
            set(&mut table, "probability", probability);
            ("drop", table.into())
        }
        FaultAction::Crash(nodes) => ("crash", target(nodes)),
        FaultAction::PowerLoss(nodes) => ("power-loss", target(nodes)),
        FaultAction::Restart { target: nodes, empty_disk } => {
            let mut table = one("target", target(nodes));
            set(&mut table, "disk", if *empty_disk { "empty" } else { "kept" });
            ("restart", table.into())
        }
        FaultAction::Pause(nodes) => ("pause", target(nodes)),
        FaultAction::Resume(nodes) => ("resume", target(nodes)),
        FaultAction::ClockJump { target: nodes, by_ns } => {
            let mut table = one("node", target(nodes));
            set(&mut table, "by", units::show_signed(*by_ns));
            ("clock-jump", table.into())
        }
        FaultAction::ClockDrift { target: nodes, ppb } => {
            let mut table = one("node", target(nodes));
            set(&mut table, "drift", units::show_drift(*ppb));
            ("clock-drift", table.into())
        }
        FaultAction::Disk { target: nodes, fault } => disk_fault(nodes, fault),
        FaultAction::Heal(HealWhat::Network) => ("heal", "network".into()),
        FaultAction::Heal(HealWhat::Fault(id)) => ("heal", names.fault(*id).into()),
    }
}

fn disk_fault(nodes: &Target, fault: &DiskFault) -> (&'static str, Value) {
    match fault {
        DiskFault::TornWrite => ("torn-write", target(nodes)),
        DiskFault::LostWrite => ("lost-write", target(nodes)),
        DiskFault::ReadError => ("read-error", target(nodes)),
        DiskFault::Full => ("disk-full", target(nodes)),
        DiskFault::FlipBit { byte } => {
            let mut table = one("node", target(nodes));
            if let Some(byte) = byte {
                set(&mut table, "byte", i64::try_from(*byte).unwrap_or(i64::MAX));
            }
            ("flip-bit", table.into())
        }
        DiskFault::Slow(by) => {
            let mut table = one("node", target(nodes));
            set(&mut table, "by", encode_distribution(by));
            ("slow-disk", table.into())
        }
    }
}

fn group(group: &Group, names: &Names) -> Value {
    let nodes = group.nodes.iter().map(|node| node.to_string().into());
    let clients = group.clients.iter().map(|client| names.client(*client).into());
    Value::Array(nodes.chain(clients).collect())
}

fn target(target: &Target) -> Value {
    match target {
        Target::Nodes(nodes) => match nodes.as_slice() {
            [node] => node.to_string().into(),
            nodes => Value::Array(nodes.iter().map(|node| node.to_string().into()).collect()),
        },
        described => word_for(&TARGETS, described).into(),
    }
}

fn route(route: &Route) -> Table {
    let mut table = one("from", target(&route.from));
    set(&mut table, "to", target(&route.to));
    set(&mut table, "both-ways", route.both_ways);
    table
}

fn change(change: &Change) -> Table {
    let mut table = one("at", time(change.at));
    // The texts were made from values, so they parse; one made by hand that does not stays a text.
    let value = |text: &String| {
        toml::from_str::<Table>(&format!("value = {text}"))
            .ok()
            .and_then(|mut table| table.remove("value"))
            .unwrap_or_else(|| Value::String(text.clone()))
    };
    let settings: Table =
        change.set.iter().map(|(path, text)| (path.clone(), value(text))).collect();
    set(&mut table, "set", settings);
    table
}

fn state(state: &ExpectedState, names: &Names) -> Table {
    let mut table = one("at", time(state.at));
    set(&mut table, "node", state.node.to_string());
    if let Some((key, value)) = state.key {
        set(&mut table, "key", names.key(key));
        expected_value(&mut table, value, names);
    }
    if let Some(role) = &state.role {
        set(&mut table, "role", role.clone());
    }
    if let Some(term) = state.term {
        set(&mut table, "term", i64::try_from(term).unwrap_or(i64::MAX));
    }
    if let Some(leader) = state.leader {
        set(&mut table, "leader", node_or("none", leader));
    }
    if let Some(awaits) = state.awaits {
        set(&mut table, "awaits", node_or("none", awaits));
    }
    if let Some(blocked) = &state.blocked {
        let nodes: Vec<Value> = blocked.iter().map(|node| node.to_string().into()).collect();
        set(&mut table, "blocked", nodes);
    }
    table
}
