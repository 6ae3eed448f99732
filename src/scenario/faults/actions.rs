//! What faults do.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use toml::Value;

use super::target::{message_kind, target};
use crate::config::{DiskFault, FaultAction, Group, HealWhat, Route, Target};
use crate::rng::Probability;
use crate::sampler::Distribution;
use crate::scenario::decode::Element;
use crate::scenario::diagnostics::Loc;
use crate::scenario::keys::{
    Format, Section, Texts, ValueShape, Variant, boolean, distribution, drift, key, keys,
    name_shape, only_true, probability, signed_duration, variants, whole_number, words,
};
use crate::time::Span;

const NO_TIME: Distribution = Distribution::Constant(Span::ZERO);
const EVERY_LINK: Route = Route { from: Target::All, to: Target::All, both_ways: false };

/// The actions of faults.
pub(super) fn actions() -> Vec<Variant<FaultAction>> {
    [network_faults(), process_faults(), clock_and_disk_faults()].into_iter().flatten().collect()
}

/// The keys of a route: `from`, `to` and `both-ways`.
fn route(help: &'static str) -> Section<Route> {
    Section::new(help, EVERY_LINK).with(keys! { |route: Route|
        /// Senders.
        "from" => route.from, target();
        /// Receivers.
        "to" => route.to, target();
        /// Whether the way back is meant too.
        "both-ways" => route.both_ways, boolean(), without_default();
    })
}

fn network_faults() -> Vec<Variant<FaultAction>> {
    let slow = Section::new("Messages take longer.", (EVERY_LINK, NO_TIME))
        .flat(route(""), |slow| &mut slow.0)
        .with(keys! { |slow: (Route, Distribution)|
            /// How much longer.
            "by" => slow.1, distribution(), required();
        });
    let ring = only_true().checked(enough_for_a_ring).convert(drop, |()| Some(true));
    variants! { FaultAction:
        /// Nodes of different groups cannot reach each other; nodes named in no group form one
        /// more.
        "partition" => (groups) -> Partition(groups), partition();
        /// Each node reaches only its neighbours in a ring: every node sees a majority, no two the
        /// same.
        "majorities-ring" => () -> MajoritiesRing {}, ring;
        /// Two halves that only this node connects.
        "bridge" => (target) -> Bridge(target), target().checked(bridge);
        /// These nodes reach no other node and are reached by none; clients still reach them.
        "isolate" => (target) -> Isolate(target), target();
        "block" => (route) -> Block(route), route("Messages are lost, one way.").format();
        "clog" => (route) -> Clog(route),
            route("Messages are held back, and all delivered when it ends.").format();
        "slow" => (route, extra) -> Slow { route, extra }, slow.format();
        "drop" => (route, kind, probability) -> Drop { route, kind, probability },
            drop_messages().format();
    }
}

/// The table of `drop`: links, kind of message and probability.
fn drop_messages() -> Section<(Route, Option<u8>, Probability)> {
    Section::new("Messages of one kind, or all, are lost.", (EVERY_LINK, None, Probability::ONE))
        .flat(route(""), |drop| &mut drop.0)
        .with(keys! { |drop: (Route, Option<u8>, Probability)|
            /// The kind of message, as the protocol names it; else all.
            "kind" => drop.1, message_kind();
            /// How likely each is lost.
            "probability" => drop.2, probability();
        })
}

fn process_faults() -> Vec<Variant<FaultAction>> {
    variants! { FaultAction:
        /// The process dies; what was written to the disk survives.
        "crash" => (target) -> Crash(target), target();
        /// The machine dies; what was not synced is gone.
        "power-loss" => (target) -> PowerLoss(target), target();
        /// Crashed nodes start again.
        "restart" => (target, empty_disk) -> Restart { target, empty_disk }, restart();
        /// The process stops being scheduled; what reaches it waits.
        "pause" => (target) -> Pause(target), target();
        /// Paused nodes go on.
        "resume" => (target) -> Resume(target), target();
    }
}

/// A target, or `{ target, disk = "empty" }`.
fn restart() -> Format<(Target, bool)> {
    let section = Section::new("Crashed nodes start again.", (Target::All, false)).with(
        keys! { |restart: (Target, bool)|
            /// Who.
            "target" => restart.0, target(), required();
            /// Whether the disk was replaced by an empty one.
            "disk" => restart.1, words([("kept", false), ("empty", true)]);
        },
    );
    let full = section.format();
    let shape = target().shape().clone().or(full.shape().clone());
    let full = Arc::new(full);
    let writes = Arc::clone(&full);
    let read = move |element: &Element<'_>| {
        if element.is_table() { full.read(element) } else { Some((element.target()?, false)) }
    };
    Format::with_texts(shape, read, move |restart, texts| {
        writes.write(restart, texts).unwrap_or_else(|| unreachable!("a table is written"))
    })
}

fn clock_and_disk_faults() -> Vec<Variant<FaultAction>> {
    let jump = beside_node("The wall clock jumps.", "by", "By how much.", signed_duration(), 0);
    let rate = "Both clocks run at another rate.";
    let drift = beside_node(rate, "drift", "How much faster.", drift(), 0);
    let slow = beside_node("Syncs take longer.", "by", "How much longer.", distribution(), NO_TIME);
    variants! { FaultAction:
        "clock-jump" => (target, by_ns) -> ClockJump { target, by_ns }, jump.format();
        "clock-drift" => (target, ppb) -> ClockDrift { target, ppb }, drift.format();
        /// A power loss leaves a hole in what was not synced, and the rest of it.
        "torn-write" => (target) -> Disk { target, fault: DiskFault::TornWrite }, target();
        /// Syncs complete and make nothing durable: a power loss takes what they covered.
        "lost-write" => (target) -> Disk { target, fault: DiskFault::LostWrite }, target();
        "flip-bit" => (target, byte) -> Disk { target, fault: DiskFault::FlipBit { byte } },
            flip_bit().format();
        /// A process that starts cannot read its disk, and gives up.
        "read-error" => (target) -> Disk { target, fault: DiskFault::ReadError }, target();
        /// Nothing more can be written: writes are refused, the node lives.
        "disk-full" => (target) -> Disk { target, fault: DiskFault::Full }, target();
        "slow-disk" => (target, by) -> Disk { target, fault: DiskFault::Slow(by) }, slow.format();
        /// Ends faults before their time: `network` for all that are on the network, or a fault's
        /// id.
        "heal" => (what) -> Heal(what), heal();
    }
}

/// `node`, and one more key.
fn beside_node<T: Clone + Send + Sync + 'static>(
    help: &'static str,
    name: &'static str,
    key_help: &'static str,
    format: Format<T>,
    base: T,
) -> Section<(Target, T)> {
    Section::new(help, (Target::All, base))
        .key(key("node", "Whose.", target(), |(nodes, _): &mut (Target, T)| nodes).required())
        .key(key(name, key_help, format, |(_, value): &mut (Target, T)| value).required())
}

fn flip_bit() -> Section<(Target, Option<u64>)> {
    let byte = Format::new(
        whole_number(0..=i64::MAX.unsigned_abs()),
        |element| element.integer(0..=u64::MAX),
        |byte| i64::try_from(*byte).unwrap_or(i64::MAX).into(),
    );
    Section::new("A bit of a disk flips, for good.", (Target::All, None)).with(
        keys! { |flip: (Target, Option<u64>)|
            /// Whose.
            "node" => flip.0, target(), required();
            /// The byte it is in, counted through the files of the disk; else a drawn one.
            "byte" => flip.1, byte.some();
        },
    )
}

fn enough_for_a_ring(truth: bool, element: &Element<'_>) -> Option<bool> {
    let nodes = element.nodes();
    if nodes < 4 {
        let title = format!("{nodes} nodes make no ring of majorities");
        return element.wrong(title, "needs at least four nodes");
    }
    Some(truth)
}

/// `[["n1"], ["n2", "c1"]]`; no node or client is in two groups.
fn partition() -> Format<Vec<Group>> {
    let member = ValueShape::new(name_shape().schema(), "a node or a client", "\"n1\"")
        .and("description", json!("A node or a client."));
    let groups = member.list(json!({ "minItems": 1 })).list(json!({ "minItems": 1 }));
    Format::with_texts(groups, groups_of, |groups, texts| {
        groups.iter().map(|side| group(side, texts)).collect::<Vec<_>>().into()
    })
}

fn group(group: &Group, texts: &Texts<'_>) -> Value {
    let nodes = group.nodes.iter().map(|node| node.to_string().into());
    let clients = group.clients.iter().map(|client| texts.names.client(*client).into());
    Value::Array(nodes.chain(clients).collect())
}

fn groups_of(value: &Element<'_>) -> Option<Vec<Group>> {
    let mut sides: BTreeMap<String, Loc> = BTreeMap::new();
    let groups = value.list(|group| {
        let mut members = Group::default();
        let all_known = group.list(|member| {
            let name = member.text()?;
            if let Some(first) = sides.insert(name.to_owned(), member.at()) {
                let title = format!("`{}` is in the partition twice", name.escape_debug());
                let problem = member.problem(title, "given again here");
                member
                    .sink()
                    .push(problem.and(first, "given first here").help("groups share no member"));
                return None;
            }
            let client = member.scope().names.borrow().client(name);
            match client {
                Some(client) => members.clients.push(client),
                None => members.nodes.push(member.node_or_client()?),
            }
            Some(())
        })?;
        if all_known.is_empty() {
            return group
                .wrong("a group is empty", "expected nodes or clients, such as [\"n1\", \"n2\"]");
        }
        members.nodes.sort();
        members.clients.sort();
        Some(members)
    })?;
    if groups.is_empty() {
        return value.wrong(
            "a partition without groups",
            "expected groups, such as [[\"n1\"], [\"n2\", \"n3\"]]",
        );
    }
    Some(groups)
}

fn bridge(target: Target, value: &Element<'_>) -> Option<Target> {
    let nodes = value.nodes();
    if nodes < 3 {
        let title = format!("{nodes} nodes have no two halves and a bridge");
        return value.wrong(title, "needs at least three nodes");
    }
    let several = match &target {
        Target::Nodes(list) => list.len() != 1,
        Target::Majority | Target::All => true,
        Target::Leader | Target::Follower | Target::LowestId | Target::HighestId => false,
    };
    if several {
        return value.wrong("a bridge is one node", "expected a single node");
    }
    Some(target)
}

fn heal() -> Format<HealWhat> {
    Format::with_texts(name_shape(), healed, |what, texts| match what {
        HealWhat::Network => "network".into(),
        HealWhat::Fault(id) => texts.names.fault(*id).into(),
    })
}

fn healed(value: &Element<'_>) -> Option<HealWhat> {
    let text = value.text()?;
    if text == "network" {
        return Some(HealWhat::Network);
    }
    let names = value.scope().names.borrow();
    let found = names.fault(text);
    if found.is_none() {
        let known = names.faults().iter().map(String::as_str).chain(["network"]);
        let title = format!("there is no fault `{}`", text.escape_debug());
        let problem = value.problem(title, "expected `network` or a fault's id");
        value.sink().push(problem.suggest(text, known, "there are"));
    }
    found.map(HealWhat::Fault)
}
