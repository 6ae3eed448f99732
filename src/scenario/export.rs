//! Settings back to TOML, every one explicit (but for clocks that are right): what [`super::Scenario::parse`] reads as equal settings.

use toml::{Table, Value};

use super::decode::word_for;
use super::distribution::encode_distribution;
use super::fuzz::{self, Fuzz};
use super::keys::Texts;
use super::script::status_word;
use super::sections::Top;
use super::words::{OCCURRENCES, TARGETS};
use super::workload::{encode_replicas, retry};
use super::{ConfiguredProtocol, Scenario, cluster, network, sections, units, workload};
use crate::config::{
    Answer, Change, Config, DiskFault, Expect, ExpectedState, ExpectedValue, Fault, FaultAction,
    Group, HealWhat, Occurrence, Route, ScriptedOperation, Start, Target, Trigger,
};
use crate::id::NodeId;
use crate::named::Named;
use crate::names::Names;
use crate::operation::Operation;

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
    let texts = Texts { names: &config.names, kinds: protocol.message_kinds() };
    let mut file = sections::top().encode(&Top::of(config), &texts);
    let kinds = protocol.message_kinds();
    set(&mut file, "cluster", cluster::section().encode(&config.cluster, &texts));
    set(&mut file, "protocol", one(protocol.name(), protocol.encode()));
    set(&mut file, "network", network::section().encode(&config.network, &texts));
    let clocks = network::encode_clocks(config, &texts);
    if !clocks.is_empty() {
        set(&mut file, "clock", clocks);
    }
    set(&mut file, "disk", network::disk().encode(&config.disk, &texts));
    if let Some(load) = &config.workload {
        set(&mut file, "workload", workload::section().encode(load, &texts));
    }
    let operations = config.script.iter().map(|scripted| operation(scripted, &texts));
    set_list(&mut file, "operation", operations);
    let faults = config.faults.iter().map(|scheduled| fault(scheduled, &config.names, kinds));
    set_list(&mut file, "fault", faults);
    set_list(&mut file, "change", config.changes.iter().map(change));
    if let Some(drawn) = drawn {
        set(&mut file, "fuzz", fuzz::section().encode(drawn, &texts));
    }
    let bounds = sections::bounds().encode(&config.bounds, &texts);
    if !bounds.is_empty() {
        set(&mut file, "check", bounds);
    }
    let expect = expect(&config.expect, &config.names);
    if !expect.is_empty() {
        set(&mut file, "expect", expect);
    }
    file
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

fn node_or(word: &str, node: Option<NodeId>) -> String {
    node.map_or_else(|| word.to_owned(), |node| node.to_string())
}

fn operation(scripted: &ScriptedOperation, texts: &Texts<'_>) -> Table {
    let names = texts.names;
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
            encode_replicas(&mut asked, ["r", "repair"], quorum);
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
    table.extend(retry().encode(&scripted.retry, texts));
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
