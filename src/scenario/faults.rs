//! `[[fault]]`: what goes wrong, when and for how long.

use std::collections::BTreeMap;

use super::decode::{Element, TableDecoder};
use super::diagnostics::{Loc, Problem};
use super::ids::ids;
use super::units;
use super::words::{ACTIONS, OCCURRENCES, TARGETS};
use crate::config::{
    Clock, DiskFault, Fault, FaultAction, Group, HealWhat, Occurrence, Route, Start, Target,
    Trigger,
};
use crate::id::{FaultId, NodeId};
use crate::time::Span;

/// The most that a occurrence may be counted to.
pub(super) const MOST_OCCURRENCES: u32 = 1_000_000;

/// Every `[[fault]]`; `kinds` are the protocol's kinds of message and `clocks` those of the nodes, if they are known.
pub(super) fn faults(table: &mut TableDecoder<'_>, clocks: Option<&[Clock]>) -> Option<Vec<Fault>> {
    let Some(list) = table.get("fault") else { return Some(Vec::new()) };
    let ids = ids(&list, &ACTIONS)?;
    if let Some(index) = ids.iter().position(|id| id == "network")
        && let Some(element) = list.items()?.get(index)
    {
        let at = element.node.get("id").map_or(element.at(), |id| id.at);
        let label = "`heal = \"network\"` means every fault of the network";
        list.sink().push(Problem::new(at, "`network` cannot be a fault's id", label));
    }
    table.scope().names.borrow_mut().set_faults(ids);
    let mut index = 0;
    let faults = list.list(|element| {
        // A file of at most 16 MiB, so the count fits.
        let id = FaultId(index);
        index += 1;
        element.table(|table| fault(table, id))
    })?;
    bounded_jumps(&list, &faults, clocks.unwrap_or_default())?;
    Some(faults)
}

/// Refuses jumps that add up to more than a clock may be off. A target that is found when the fault starts may be any
/// node.
fn bounded_jumps(list: &Element<'_>, faults: &[Fault], clocks: &[Clock]) -> Option<()> {
    let mut off = vec![0_u64; usize::from(list.nodes())];
    for (sum, clock) in off.iter_mut().zip(clocks) {
        *sum = clock.offset_ns.unsigned_abs();
    }
    for (fault, element) in faults.iter().zip(list.items()?) {
        let FaultAction::ClockJump { target, by_ns } = &fault.action else { continue };
        let jumping: Vec<NodeId> = match target {
            Target::Nodes(nodes) => nodes.clone(),
            _ => NodeId::all(list.nodes()).collect(),
        };
        for node in jumping {
            // Each part is ten years at most and the first sum above that ends it, so nothing overflows.
            off[node.index()] += by_ns.unsigned_abs();
            if off[node.index()] > units::MAX_JUMPS {
                let by = element.node.get("clock-jump").and_then(|jump| jump.get("by"));
                let at = by.map_or(element.at(), |by| by.at);
                let title =
                    format!("the offset and the jumps of {node}'s clock exceed 10 years together");
                let problem = Problem::new(at, title, "with this jump it is too much");
                list.sink().push(problem.help("they may add up to 87600h, whatever their signs"));
                return None;
            }
        }
    }
    Some(())
}

fn fault(table: &mut TableDecoder<'_>, id: FaultId) -> Option<Fault> {
    let given_id = table.optional("id", Element::name);
    let start = table.exactly_one(&["at", "when"], "when the fault starts", |key, value| {
        if key == 0 {
            value.time().map(Start::At)
        } else {
            value.table(|table| trigger(table)).map(Start::When)
        }
    });
    let lasts = table.optional("for", Element::positive_duration);
    let forever = table.get("forever");
    let is_forever =
        forever.as_ref().map_or(Some(false), |forever| forever.only_true().map(|()| true));
    let found = table.exactly_one(&ACTIONS, "what goes wrong", |index, value| {
        Some((ACTIONS[index], action(ACTIONS[index], value)))
    });
    let Some((kind, action)) = found else {
        if forever.is_some() && matches!(lasts, Some(Some(_))) {
            ends_and_lasts(table);
        }
        return None;
    };
    if matches!(lasts, Some(Some(_))) && matches!(kind, "restart" | "resume" | "flip-bit" | "heal")
    {
        let at = table.key_at("for");
        let title = format!("`{kind}` has no end");
        table.sink().push(Problem::new(at, title, "it happens once, and cannot last"));
        return None;
    }
    if forever.is_some() && !matches!(kind, "crash" | "power-loss") {
        let at = table.key_at("forever");
        let label = "only a `crash` or a `power-loss` can keep a node down forever";
        table.sink().push(Problem::new(at, format!("`{kind}` cannot last forever"), label));
        return None;
    }
    if forever.is_some() && matches!(lasts, Some(Some(_))) {
        ends_and_lasts(table);
        return None;
    }
    given_id?;
    Some(Fault { id, start: start?, lasts: lasts?, action: action?, forever: is_forever? })
}

/// `{ persists = 5, node = "n1", after = "2ms" }`.
fn trigger(table: &mut TableDecoder<'_>) -> Option<Trigger> {
    let node = table.optional("node", |node| node.node());
    let after = table.or("after", Span::ZERO, |after| {
        let span = after.duration()?;
        if span > after.scope().frame.duration {
            let label = format!(
                "faults start before `duration`, {}, is over",
                after.scope().frame.duration
            );
            return after.wrong("the fault could never start", label);
        }
        Some(span)
    });
    let kind = table.optional("kind", |kind| message_kind(kind));
    let words = OCCURRENCES.map(|(word, _)| word);
    let found = table.exactly_one(&words, "what the fault is tied to", |index, value| {
        Some((index, value.integer_u32(1..=MOST_OCCURRENCES)))
    });
    let (index, nth) = found?;
    let (word, mut what) = OCCURRENCES[index];
    let has_kind = table.get("kind").is_some();
    match &mut what {
        Occurrence::Receives(of) => *of = kind?,
        _ if has_kind => {
            let at = table.key_at("kind");
            let title = format!("`{word}` has no kind of message");
            table.sink().push(Problem::new(at, title, "only `receives` has one"));
            return None;
        }
        _ => {}
    }
    Some(Trigger { what, node: node?, nth: nth?, after: after? })
}

/// A kind of message, as the protocol names it.
fn message_kind(kind: &Element<'_>) -> Option<u8> {
    match kind.scope().kinds {
        Some(kinds) => {
            let choices: Vec<(&str, u8)> = kinds.iter().copied().zip(0..=u8::MAX).collect();
            kind.choice(&choices)
        }
        None => kind.text().map(|_| 0),
    }
}

fn ends_and_lasts(table: &mut TableDecoder<'_>) {
    let help = "leave one of them out";
    table.contradiction("for", "forever", "the fault ends, and lasts forever", help);
}

fn action(kind: &str, value: &Element<'_>) -> Option<FaultAction> {
    let nodes = value.nodes();
    let target = || value.target();
    Some(match kind {
        "partition" => FaultAction::Partition(partition(value)?),
        "majorities-ring" => {
            value.only_true()?;
            if nodes < 4 {
                let title = format!("{nodes} nodes make no ring of majorities");
                return value.wrong(title, "needs at least four nodes");
            }
            FaultAction::MajoritiesRing
        }
        "bridge" => FaultAction::Bridge(bridge(value)?),
        "isolate" => FaultAction::Isolate(target()?),
        "block" => FaultAction::Block(value.table(|table| route(table))?),
        "clog" => FaultAction::Clog(value.table(|table| route(table))?),
        "slow" => value.table(|table| {
            let route = route(table);
            let extra = table.required("by", Element::distribution);
            Some(FaultAction::Slow { route: route?, extra: extra? })
        })?,
        "drop" => value.table(|table| drop_messages(table))?,
        "crash" => FaultAction::Crash(target()?),
        "power-loss" => FaultAction::PowerLoss(target()?),
        "restart" => restart(value)?,
        "pause" => FaultAction::Pause(target()?),
        "resume" => FaultAction::Resume(target()?),
        "clock-jump" => value.table(|table| {
            let target = table.required("node", |node| node.target());
            let by_ns = table.required("by", Element::signed_duration);
            Some(FaultAction::ClockJump { target: target?, by_ns: by_ns? })
        })?,
        "clock-drift" => value.table(|table| {
            let target = table.required("node", |node| node.target());
            let ppb = table.required("drift", Element::drift);
            Some(FaultAction::ClockDrift { target: target?, ppb: ppb? })
        })?,
        "torn-write" | "lost-write" | "flip-bit" | "read-error" | "disk-full" | "slow-disk" => {
            disk(kind, value)?
        }
        _ => FaultAction::Heal(heal(value)?),
    })
}

/// What is wrong with disks: a target, or a table with one.
fn disk(kind: &str, value: &Element<'_>) -> Option<FaultAction> {
    let fault = match kind {
        "torn-write" => DiskFault::TornWrite,
        "lost-write" => DiskFault::LostWrite,
        "read-error" => DiskFault::ReadError,
        "disk-full" => DiskFault::Full,
        _ => {
            return value.table(|table| {
                let target = table.required("node", |node| node.target());
                let fault = if kind == "flip-bit" {
                    let byte = table.optional("byte", |byte| byte.integer(0..=u64::MAX));
                    byte.map(|byte| DiskFault::FlipBit { byte })
                } else {
                    table.required("by", Element::distribution).map(DiskFault::Slow)
                };
                Some(FaultAction::Disk { target: target?, fault: fault? })
            });
        }
    };
    Some(FaultAction::Disk { target: value.target()?, fault })
}

/// `[["n1"], ["n2", "c1"]]`: no node or client on two sides.
fn partition(value: &Element<'_>) -> Option<Vec<Group>> {
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

fn bridge(value: &Element<'_>) -> Option<Target> {
    let nodes = value.nodes();
    let target = value.target()?;
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

/// `from`, `to` and `both-ways`.
fn route(table: &mut TableDecoder<'_>) -> Option<Route> {
    let from = table.or("from", Target::All, |from| from.target());
    let to = table.or("to", Target::All, |to| to.target());
    let both_ways = table.or("both-ways", false, Element::boolean);
    Some(Route { from: from?, to: to?, both_ways: both_ways? })
}

fn drop_messages(table: &mut TableDecoder<'_>) -> Option<FaultAction> {
    let route = route(table);
    let kind = table.optional("kind", |kind| message_kind(kind));
    let probability = table.or("probability", crate::rng::Probability::ONE, Element::probability);
    Some(FaultAction::Drop { route: route?, kind: kind?, probability: probability? })
}

/// A target, or `{ target, disk = "empty" }`.
fn restart(value: &Element<'_>) -> Option<FaultAction> {
    if !value.is_table() {
        return Some(FaultAction::Restart { target: value.target()?, empty_disk: false });
    }
    value.table(|table| {
        let target = table.required("target", |target| target.target());
        let disks = [("kept", false), ("empty", true)];
        let empty_disk = table.or("disk", false, |disk| disk.choice(&disks));
        Some(FaultAction::Restart { target: target?, empty_disk: empty_disk? })
    })
}

fn heal(value: &Element<'_>) -> Option<HealWhat> {
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

impl Element<'_> {
    /// Reads it as nodes: a word such as `"leader"`, a node, or a list of nodes.
    pub fn target(&self) -> Option<Target> {
        if self.is_array() {
            let list = self.node_list()?;
            if list.is_empty() {
                return self.wrong("nobody is meant", "expected at least one node");
            }
            return Some(Target::Nodes(list));
        }
        let word = TARGETS.iter().find(|(word, _)| self.is_text(word));
        if let Some((_, target)) = word {
            return Some(target.clone());
        }
        let words = TARGETS.map(|(word, _)| word);
        self.word_or_node(&words).map(|node| Target::Nodes(vec![node]))
    }

    /// Reads it as a list of nodes, each at most once; lowest id first.
    pub fn node_list(&self) -> Option<Vec<NodeId>> {
        let mut first = BTreeMap::new();
        let mut list = self.list(|element| {
            let node = element.node()?;
            if let Some(first) = first.insert(node, element.at()) {
                let problem =
                    element.problem(format!("`{node}` is given twice"), "given again here");
                element.sink().push(problem.and(first, "given first here"));
                return None;
            }
            Some(node)
        })?;
        list.sort();
        Some(list)
    }

    /// A member of a partition that is no client: a node, or a mistake that names both.
    fn node_or_client(&self) -> Option<NodeId> {
        let name = self.text()?;
        let nodes = self.nodes();
        if super::names::node_named(name).is_some() {
            return self.node();
        }
        let title = format!("there is no node or client `{}`", name.escape_debug());
        let known = self.scope().names.borrow().some_clients();
        let label = format!("expected one of n1 to n{nodes}, or a client");
        let problem = self.problem(title, label);
        self.sink().push(problem.suggest_near(name, known.iter().map(String::as_str)));
        None
    }
}
