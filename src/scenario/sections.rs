//! The whole file, section by section: each comes after the sections that it refers to.

use std::cell::RefCell;
use std::sync::LazyLock;

use super::decode::{Element, Scope, TableDecoder};
use super::diagnostics::{Problem, Sink, Sources};
use super::frame::Frame;
use super::fuzz::{self, Fuzz};
use super::keys::{Section, duration, integer, keys, line, named, positive_duration, probability};
use super::names::Interned;
use super::tree::{Node, Tree};
use super::words::NODES;
use super::{
    ConfiguredProtocol, Diagnostics, Overrides, Registry, changes, cluster, expect, faults,
    network, script, set, tree, vary, workload,
};
use crate::config::{Bounds, Cluster, Config, EventOrder, Pace};
use crate::id::NodeId;
use crate::names::Names;
use crate::sampler::Distribution;
use crate::time::Span;

/// The default of `settle`: this, or longer if the settings need it, up to [`MOST_SETTLE`].
const SETTLE: Span = Span::from_secs(30);
/// The longest default of `settle`.
const MOST_SETTLE: Span = Span::from_secs(600);

/// A decoded file.
pub(super) struct Decoded {
    pub(super) config: Config,
    pub(super) names: Names,
    pub(super) protocol: Box<dyn ConfiguredProtocol>,
    pub(super) fuzz: Option<Fuzz>,
}

/// The same, with warnings.
pub(super) type Warned = (Decoded, Option<Diagnostics>);

/// Parses and decodes a file with its arguments; warnings are what is perhaps not intended.
pub(super) fn decode(
    origin: &str,
    text: &[u8],
    registry: &Registry,
    overrides: &Overrides<'_>,
) -> Result<Warned, Diagnostics> {
    let sink = Sink::default();
    decode_into(origin, text, registry, overrides, sink).0
}

/// The same; the sink comes back if there was no mistake.
fn decode_into(
    origin: &str,
    text: &[u8],
    registry: &Registry,
    overrides: &Overrides<'_>,
    sink: Sink,
) -> (Result<Warned, Diagnostics>, Option<Sink>) {
    let mut sources = Sources::default();
    let Some(mut root) = tree::parse(origin, text, &mut sources, &sink) else {
        return (Err(Diagnostics::new(sources, sink)), None);
    };
    if overrides.is_empty() && matches!(&root.value, Tree::Table(entries) if entries.is_empty()) {
        let title = "the scenario is empty";
        let problem =
            Problem::new(root.at, title, "expected at least [cluster] and a [protocol] table");
        sink.push(problem.help("see the scenarios that come with splitbrain"));
        return (Err(Diagnostics::new(sources, sink)), None);
    }
    set::apply_arguments(&mut root, "--set", overrides.sets, &mut sources, &sink);
    set::apply_arguments(&mut root, "--with", overrides.with, &mut sources, &sink);
    vary::apply(&mut root, overrides, &mut sources, &sink);
    let decoded = decode_whole(&root, registry, &sink);
    if decoded.is_some() && sink.is_clean() {
        fuzz::check_settings(&root, &mut sources, &sink, |tree, sink| {
            let _ = decode_whole(tree, registry, sink);
        });
    }
    match decoded {
        Some(decoded) if sink.is_clean() => {
            let warning = short_settle(&root, &decoded);
            let warnings = warning.map(|warning| Diagnostics::warning(sources, warning));
            (Ok((decoded, warnings)), Some(sink))
        }
        _ => (Err(Diagnostics::new(sources, sink)), None),
    }
}

/// Decodes a tree that has no text; `None` if there is a mistake.
pub(super) fn decode_tree(root: &Node, registry: &Registry) -> Option<Decoded> {
    let sink = Sink::default();
    let decoded = decode_whole(root, registry, &sink)?;
    if sink.is_clean() && decoded.fuzz.is_some() {
        fuzz::check_settings(root, &mut Sources::default(), &sink, |tree, sink| {
            let _ = decode_whole(tree, registry, sink);
        });
    }
    sink.is_clean().then_some(decoded)
}

fn decode_whole(root: &Node, registry: &Registry, sink: &Sink) -> Option<Decoded> {
    let names = RefCell::new(Interned::new(0, 0));
    let frame = Frame { nodes: NODES, duration: Span::MAX, settle: Span::ZERO };
    let scope = Scope { sink, names: &names, frame, kinds: None, moments: None };
    Element::new(root, scope, "").table(|table| scenario(table, root, registry))
}

/// The paths of all keys that decoding `text` reads; items of an array are `[]`, free keys `*`.
#[cfg(test)]
pub(super) fn keys_read(text: &str, registry: &Registry) -> std::collections::BTreeSet<String> {
    let sink = Sink::default();
    sink.record_keys();
    let (decoded, sink) =
        decode_into("test.toml", text.as_bytes(), registry, &Overrides::default(), sink);
    decoded.expect("the text is a valid scenario");
    sink.expect("kept when valid").into_keys()
}

/// The values of the top-level keys that are not tables.
#[derive(Clone)]
pub(super) struct Top {
    title: String,
    seed: u64,
    duration: Span,
    settle: Span,
    ties: EventOrder,
}

impl Top {
    pub(super) fn of(config: &Config) -> Self {
        let Config { seed, duration, settle, ties, .. } = *config;
        Self { title: config.title.clone(), seed, duration, settle, ties }
    }
}

/// The top-level keys that are not tables.
pub(super) static TOP: LazyLock<Section<Top>> = LazyLock::new(|| {
    let base = Top {
        title: String::new(),
        seed: 1,
        duration: Span::from_secs(30),
        settle: SETTLE,
        ties: EventOrder::Causal,
    };
    Section::new("", base).with(keys! { |top: Top|
        /// What the scenario shows, in a line.
        "title" => top.title, line();
        /// The seed used when the command line names none.
        "seed" => top.seed, integer(0..=i64::MAX.unsigned_abs());
        /// How long faults and workload last.
        "duration" => top.duration, positive_duration();
        /// How long the healed cluster may take to settle after that. The default is 30s,
        /// or longer where the settings may need it.
        "settle" => top.settle, duration();
        /// The order of events at one instant: as they were caused, or drawn.
        "ties" => top.ties, named();
    })
});

fn scenario(table: &mut TableDecoder<'_>, root: &Node, registry: &Registry) -> Option<Decoded> {
    let top = TOP.draft(table, TOP.base().clone());
    let leader = initial_leader(root, registry);
    let cluster_given =
        table.required("cluster", |cluster| cluster.table(|t| cluster::decode(t, leader)));
    // After a wrong cluster the rest is read as if the cluster had the most nodes.
    let cluster =
        cluster_given.clone().unwrap_or(Cluster { nodes: NODES, initial_leader: Some(NodeId(0)) });
    let length = |unknown| if top.is_right("duration") { top.value.duration } else { unknown };
    let settle = if top.is_right("settle") { top.value.settle } else { Span::ZERO };
    let mut scope = table.scope();
    scope.frame = Frame { nodes: cluster.nodes, duration: length(Span::ZERO), settle };
    table.set_scope(scope);
    let protocol = table
        .required("protocol", |element| element.table(|table| protocol(table, &cluster, registry)));
    let workload = table.optional("workload", |load| load.table(|t| workload::SECTION.decode(t)));

    scope.frame.duration = length(Span::MAX);
    scope.kinds = protocol.as_ref().map(|protocol| protocol.message_kinds());
    scope.moments = protocol.as_ref().map(|protocol| protocol.moments());
    table.set_scope(scope);
    let names = scope.names;
    *names.borrow_mut() = match &workload {
        Some(Some(workload)) => Interned::new(workload.clients, workload.keys),
        Some(None) => Interned::new(0, 0),
        // Other sections may name the clients of a workload that has mistakes.
        None => Interned::new(written_clients(root), 0),
    };
    let script = script::operations(table);
    let network = table.table("network", |table| network::SECTION.decode(table));
    let clocks = network::clocks(table);
    let disk = table.table("disk", |table| network::disk().decode(table));
    let faults = faults::faults(table, clocks.as_ref().map(|c| c.nodes.as_slice()));
    let fuzz = table.optional("fuzz", |fuzz| fuzz.table(fuzz::decode));
    let bounds = table.table("check", |table| bounds().decode(table));
    let expect =
        table.table("expect", |table| expect::decode(table, bounds.as_ref(), protocol.as_deref()));
    let changes = changes::written(table, root.get("workload").is_some());

    let clocks = clocks?;
    let has_settle = table.has("settle");
    let Top { title, seed, duration, settle, ties } = top.is_all_right().then_some(top.value)?;
    let mut config = Config {
        title,
        seed,
        duration,
        settle,
        ties,
        cluster: cluster_given?,
        network: network?,
        clocks: clocks.nodes,
        client_clocks: clocks.clients,
        disk: disk?,
        workload: workload?,
        script: script?,
        faults: faults?,
        changes: Vec::new(),
        bounds: bounds?,
        expect: expect?,
    };
    // Changes apply to settings without mistakes.
    config.changes = changes::apply(&changes?, root, &config, scope)?;
    let protocol = protocol?;
    if stands_still(&config, protocol.as_ref()) {
        let at = table.key_at("workload");
        let title = "these clients would ask for ever at one instant";
        let label = "nobody thinks, requests take no time, and answers come at once";
        let problem = Problem::new(at, title, label);
        table.sink().push(
            problem.help("set `workload.think`, `workload.operations` or `network.client-delay`"),
        );
        return None;
    }
    if !has_settle && let Some(needed) = protocol.settles_within(&config).whole_seconds() {
        config.settle = needed.clamp(SETTLE, MOST_SETTLE);
    }
    Some(Decoded { config, names: names.take().into_names(), protocol, fuzz: fuzz? })
}

/// Whether the workload starts with a loop in which no time passes. That is known only of protocols
/// that say what a put waits for.
fn stands_still(config: &Config, protocol: &dyn ConfiguredProtocol) -> bool {
    let Some(load) = &config.workload else { return false };
    let at_once = Distribution::Constant(Span::ZERO);
    let thinks = !matches!(&load.pace, Pace::Closed { think } if *think == at_once);
    let legs = config.network.client_legs.iter().map(|leg| &leg.delay);
    let takes_time = legs.chain([&config.network.client_delay]).any(|delay| *delay != at_once);
    let answers_at_once =
        || protocol.awaited(config).is_some_and(|awaited| awaited.acknowledgements == 0);
    load.operations.is_none() && !thinks && !takes_time && answers_at_once()
}

/// The warning about a `settle` that is shorter than the settings may need.
fn short_settle(root: &Node, Decoded { config, protocol, .. }: &Decoded) -> Option<Problem> {
    let needed = protocol.settles_within(config).whole_seconds()?;
    if config.settle >= needed {
        return None;
    }
    let title = format!("`settle` is shorter than these settings may need, {needed}");
    let help = "a property that is to hold in the end and does not is `unknown` in such a \
                run, and no violation";
    let problem = match root.get("settle") {
        Some(settle) => {
            Problem::new(settle.at, title, format!("{needed} would do, whatever goes wrong before"))
        }
        None => Problem::nowhere(format!("{title}: it is {} by default", config.settle)),
    };
    Some(problem.help(help))
}

/// How many clients a workload with mistakes has.
fn written_clients(root: &Node) -> u32 {
    match root.get("workload").and_then(|workload| workload.get("clients")).map(|node| &node.value)
    {
        Some(Tree::Integer(Some(clients))) => {
            u32::try_from(*clients).unwrap_or(1).min(workload::MAX_CLIENTS)
        }
        _ => 1,
    }
}

/// Who leads from the start unless `[cluster]` says otherwise: what the protocol says that the file
/// names.
fn initial_leader(root: &Node, registry: &Registry) -> Option<NodeId> {
    let named = root.get("protocol")?;
    let protocol = registry.protocols.iter().find(|one| named.get(one.name).is_some())?;
    protocol.initial_leader
}

/// `[protocol.NAME]`, exactly one.
fn protocol(
    table: &mut TableDecoder<'_>,
    cluster: &Cluster,
    registry: &Registry,
) -> Option<Box<dyn ConfiguredProtocol>> {
    let names: Vec<&str> = registry.names().collect();
    table.exactly_one(&names, "the protocol", |index, element| {
        element.table(|table| (registry.protocols[index].decode)(table, cluster))
    })
}

/// `[check]`.
pub(super) fn bounds() -> Section<Bounds> {
    Section::new(
        "The bounds that checkers need. One that is set is a demand: a run that misses it fails, \
         unless `expect` says otherwise.",
        Bounds::default(),
    )
    .with(keys! { |bounds: Bounds|
        /// How long after a write was acknowledged a read may still miss it. Without it a read may
        /// miss none, which is no demand.
        "staleness-bound" => bounds.staleness, duration().some();
        /// The least share of operations that complete ok.
        "availability-bound" => bounds.availability, probability().some();
        /// How long after the loss of a leader a write may wait to be acknowledged.
        "recovery-bound" => bounds.recovery, duration().some();
        /// How long nobody may lead.
        "leaderless-bound" => bounds.leaderless, duration().some();
        /// How long a write may take from the first node to a live replica; setting it has the lag
        /// measured.
        "replication-lag-bound" => bounds.replication_lag, duration().some();
    })
}
