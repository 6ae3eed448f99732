//! `[[fault]]`: what goes wrong, when and for how long.

use std::collections::BTreeMap;
use std::mem::discriminant;
use std::sync::LazyLock;

use serde_json::json;
use toml::Value;

use super::decode::{Element, TableDecoder, word_for};
use super::diagnostics::{Loc, Problem};
use super::ids::ids;
use super::keys::{
    Declaration, Draft, Format, Section, Texts, ValueShape, Variant, boolean, distribution, drift,
    duration, integer, key, name_shape, node, only_true, positive_duration, probability,
    signed_duration, time, whole_number, words,
};
use super::units;
use super::words::{ACTIONS, OCCURRENCES, TARGETS};
use crate::config::{
    Clock, DiskFault, Fault, FaultAction, Group, HealWhat, Occurrence, Route, Start, Target,
    Trigger,
};
use crate::id::{FaultId, NodeId};
use crate::rng::Probability;
use crate::sampler::Distribution;
use crate::time::{Span, Time};

/// The most that an occurrence may be counted to.
const MOST_OCCURRENCES: u32 = 1_000_000;

const NO_TIME: Distribution = Distribution::Constant(Span::ZERO);
const EVERY_LINK: Route = Route { from: Target::All, to: Target::All, both_ways: false };

/// An entry of `[[fault]]`.
pub(super) fn section() -> &'static Section<Fault> {
    static SECTION: LazyLock<Section<Fault>> = LazyLock::new(fault);
    &SECTION
}

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
        element.table(|table| section().decode(table)).map(|fault| Fault { id, ..fault })
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

fn fault() -> Section<Fault> {
    let base = Fault {
        id: FaultId(0),
        start: Start::At(Time::ZERO),
        lasts: None,
        action: FaultAction::MajoritiesRing,
        forever: false,
    };
    Section::new("A fault: exactly one thing that goes wrong, at a time or at a moment.", base)
        .by_hand(
            vec![Declaration::new(
                "id",
                "A stable id, which keys its random draws; by default its kind and time or \
                 moment, such as crash-4s or crash-persists-5, and crash-4s-2 for a second one.",
                name_shape(),
            )],
            |table, _| table.optional("id", Element::name).map(drop),
            |fault, texts, table| {
                table.insert("id".to_owned(), texts.names.fault(fault.id).into());
            },
        )
        .one_of(
            "when the fault starts",
            vec![
                Variant::new("at", "When it starts.", time(), Start::At, |start| match start {
                    Start::At(at) => Some(*at),
                    Start::When(_) => None,
                }),
                Variant::new("when", "", trigger().format(), Start::When, |start| match start {
                    Start::When(trigger) => Some(*trigger),
                    Start::At(_) => None,
                }),
            ],
            |fault| fault.start,
            |fault, start| fault.start = start,
        )
        .key(key("for", "After how long it ends by itself.", positive_duration().some(), |fault| {
            &mut fault.lasts
        }))
        .key(key(
            "forever",
            "Whether a node that it takes down stays down even for the settling phase.",
            only_true(),
            |fault| &mut fault.forever,
        ))
        .one_of(
            "what goes wrong",
            [network_faults(), process_faults(), clock_and_disk_faults()]
                .into_iter()
                .flatten()
                .collect(),
            |fault| fault.action.clone(),
            |fault, action| fault.action = action,
        )
        .checked(ends_as_its_action_can)
}

/// Refuses an end that the action cannot have.
fn ends_as_its_action_can(draft: &Draft<Fault>, table: &mut TableDecoder<'_>) -> Option<()> {
    let given: Vec<&str> = ACTIONS.into_iter().filter(|kind| table.has(kind)).collect();
    let lasts = draft.is_right("for") && draft.value.lasts.is_some();
    let is_forever = table.has("forever");
    if let [kind] = given[..] {
        if lasts && matches!(kind, "restart" | "resume" | "flip-bit" | "heal") {
            let at = table.key_at("for");
            let title = format!("`{kind}` has no end");
            table.sink().push(Problem::new(at, title, "it happens once, and cannot last"));
            return None;
        }
        if is_forever && !matches!(kind, "crash" | "power-loss") {
            let at = table.key_at("forever");
            let label = "only a `crash` or a `power-loss` can keep a node down forever";
            table.sink().push(Problem::new(at, format!("`{kind}` cannot last forever"), label));
            return None;
        }
    }
    if is_forever && lasts {
        let help = "leave one of them out";
        table.contradiction("for", "forever", "the fault ends, and lasts forever", help);
        return None;
    }
    Some(())
}

/// `{ persists = 5, node = "n1", after = "2ms" }`.
fn trigger() -> Section<Trigger> {
    let base = Trigger { what: Occurrence::Elected, node: None, nth: 1, after: Span::ZERO };
    let helps = [
        "Right after a node begins to lead.",
        "Right after a node hands a record to its disk.",
        "Just before a record becomes durable.",
        "Right after a node answers a client's write with ok.",
        "Just before a message reaches a node.",
        "Right after a node starts again.",
    ];
    let variant = |((word, what), help): ((&'static str, Occurrence), &'static str)| {
        Variant::new(
            word,
            help,
            integer(1..=MOST_OCCURRENCES),
            move |nth| (what, nth),
            move |(other, nth)| (discriminant(other) == discriminant(&what)).then_some(*nth),
        )
    };
    Section::new(
        "The moment at which it starts: the how-manieth time that exactly one of these happens.",
        base,
    )
    .one_of(
        "what the fault is tied to",
        OCCURRENCES.into_iter().zip(helps).map(variant).collect(),
        |trigger| (trigger.what, trigger.nth),
        |trigger, (what, nth)| (trigger.what, trigger.nth) = (what, nth),
    )
    .by_hand(
        vec![Declaration::new(
            "kind",
            "With `receives`, the kind of message, as the protocol names it; else any.",
            name_shape(),
        )],
        decode_received_kind,
        |trigger, texts, table| {
            if let Occurrence::Receives(kind) = &trigger.what
                && let Some(kind) = message_kind().write(kind, texts)
            {
                table.insert("kind".to_owned(), kind);
            }
        },
    )
    .key(key("node", "On which node; else on any, counted together.", node().some(), |trigger| {
        &mut trigger.node
    }))
    .key(key(
        "after",
        "How much later it starts.",
        duration().checked(|after, element| {
            let duration = element.scope().frame.duration;
            if after > duration {
                let label = format!("faults start before `duration`, {duration}, is over");
                return element.wrong("the fault could never start", label);
            }
            Some(after)
        }),
        |trigger| &mut trigger.after,
    ))
}

fn decode_received_kind(table: &mut TableDecoder<'_>, draft: &mut Draft<Trigger>) -> Option<()> {
    let kind = table.optional("kind", |kind| message_kind().read(kind));
    let words = OCCURRENCES.iter().map(|(word, _)| *word);
    let given: Vec<&str> = words.filter(|word| table.has(word)).collect();
    match given[..] {
        ["receives"] => {
            if let Occurrence::Receives(of) = &mut draft.value.what {
                *of = kind?.flatten();
            }
        }
        [word] if table.has("kind") => {
            let at = table.key_at("kind");
            let title = format!("`{word}` has no kind of message");
            table.sink().push(Problem::new(at, title, "only `receives` has one"));
            return None;
        }
        _ => {}
    }
    Some(())
}

/// A kind of message, as the protocol names it.
fn message_kind() -> Format<Option<u8>> {
    let read = |kind: &Element<'_>| match kind.scope().kinds {
        Some(kinds) => {
            let choices: Vec<(&str, u8)> = kinds.iter().copied().zip(0..=u8::MAX).collect();
            kind.choice(&choices)
        }
        None => kind.text().map(|_| 0),
    };
    Format::with_texts(name_shape(), read, |kind: &u8, texts| {
        texts.kinds[usize::from(*kind)].into()
    })
    .some()
}

fn target() -> Format<Target> {
    let shape = ValueShape::defined("target", "nodes", "\"n1\"");
    Format::new(
        shape,
        |element| element.target(),
        |target| match target {
            Target::Nodes(nodes) => match nodes.as_slice() {
                [node] => node.to_string().into(),
                nodes => nodes.iter().map(ToString::to_string).collect::<Vec<_>>().into(),
            },
            described => word_for(&TARGETS, described).into(),
        },
    )
}

/// Messages between some nodes: `from`, `to` and `both-ways`.
fn route(help: &'static str) -> Section<Route> {
    Section::new(help, EVERY_LINK)
        .key(key("from", "Senders.", target(), |route| &mut route.from))
        .key(key("to", "Receivers.", target(), |route| &mut route.to))
        .key(
            key(
                "both-ways",
                "Whether the way back is meant too.",
                boolean(),
                |route: &mut Route| &mut route.both_ways,
            )
            .without_default(),
        )
}

/// The variant of an action on some nodes and nothing else.
fn on_nodes(
    name: &'static str,
    help: &'static str,
    make: fn(Target) -> FaultAction,
) -> Variant<FaultAction> {
    let is_made_by = move |action: &FaultAction| {
        let nodes = match action {
            FaultAction::Bridge(nodes)
            | FaultAction::Isolate(nodes)
            | FaultAction::Crash(nodes)
            | FaultAction::PowerLoss(nodes)
            | FaultAction::Pause(nodes)
            | FaultAction::Resume(nodes)
            | FaultAction::Disk { target: nodes, .. } => nodes,
            _ => return None,
        };
        (make(nodes.clone()) == *action).then(|| nodes.clone())
    };
    let format = if name == "bridge" { target().checked(bridge) } else { target() };
    Variant::new(name, help, format, make, is_made_by)
}

fn network_faults() -> Vec<Variant<FaultAction>> {
    let slow = Section::new("Messages take longer.", (EVERY_LINK, NO_TIME))
        .flat(route(""), |slow| &mut slow.0)
        .key(
            key("by", "How much longer.", distribution(), |slow: &mut (Route, Distribution)| {
                &mut slow.1
            })
            .required(),
        );
    vec![
        Variant::new(
            "partition",
            "Nodes of different groups cannot reach each other; nodes named in no group form one \
             more.",
            partition(),
            FaultAction::Partition,
            |action| match action {
                FaultAction::Partition(groups) => Some(groups.clone()),
                _ => None,
            },
        ),
        Variant::new(
            "majorities-ring",
            "Each node reaches only its neighbours in a ring: every node sees a majority, no two \
             the same.",
            only_true().checked(enough_for_a_ring),
            |_| FaultAction::MajoritiesRing,
            |action| (*action == FaultAction::MajoritiesRing).then_some(true),
        ),
        on_nodes("bridge", "Two halves that only this node connects.", FaultAction::Bridge),
        on_nodes(
            "isolate",
            "These nodes reach no other node and are reached by none; clients still reach them.",
            FaultAction::Isolate,
        ),
        Variant::new(
            "block",
            "",
            route("Messages are lost, one way.").format(),
            FaultAction::Block,
            |action| match action {
                FaultAction::Block(route) => Some(route.clone()),
                _ => None,
            },
        ),
        Variant::new(
            "clog",
            "",
            route("Messages are held back, and all delivered when it ends.").format(),
            FaultAction::Clog,
            |action| match action {
                FaultAction::Clog(route) => Some(route.clone()),
                _ => None,
            },
        ),
        Variant::new(
            "slow",
            "",
            slow.format(),
            |(route, extra)| FaultAction::Slow { route, extra },
            |action| match action {
                FaultAction::Slow { route, extra } => Some((route.clone(), extra.clone())),
                _ => None,
            },
        ),
        Variant::new("drop", "", drop_messages().format(), Loss::action, Loss::of),
    ]
}

/// Which messages are lost, and how likely.
#[derive(Clone)]
struct Loss {
    route: Route,
    kind: Option<u8>,
    probability: Probability,
}

impl Loss {
    fn action(self) -> FaultAction {
        let Self { route, kind, probability } = self;
        FaultAction::Drop { route, kind, probability }
    }

    fn of(action: &FaultAction) -> Option<Self> {
        match action {
            FaultAction::Drop { route, kind, probability } => {
                Some(Self { route: route.clone(), kind: *kind, probability: *probability })
            }
            _ => None,
        }
    }
}

fn drop_messages() -> Section<Loss> {
    let base = Loss { route: EVERY_LINK, kind: None, probability: Probability::ONE };
    Section::new("Messages of one kind, or all, are lost.", base)
        .flat(route(""), |loss| &mut loss.route)
        .key(key(
            "kind",
            "The kind of message, as the protocol names it; else all.",
            message_kind(),
            |loss| &mut loss.kind,
        ))
        .key(key("probability", "How likely each is lost.", probability(), |loss| {
            &mut loss.probability
        }))
}

fn process_faults() -> Vec<Variant<FaultAction>> {
    vec![
        on_nodes(
            "crash",
            "The process dies; what was written to the disk survives.",
            FaultAction::Crash,
        ),
        on_nodes(
            "power-loss",
            "The machine dies; what was not synced is gone.",
            FaultAction::PowerLoss,
        ),
        Variant::new(
            "restart",
            RESTART,
            restart(),
            |(target, empty_disk)| FaultAction::Restart { target, empty_disk },
            |action| match action {
                FaultAction::Restart { target, empty_disk } => Some((target.clone(), *empty_disk)),
                _ => None,
            },
        ),
        on_nodes("pause", "The process stops being scheduled; what reaches it waits.", |nodes| {
            FaultAction::Pause(nodes)
        }),
        on_nodes("resume", "Paused nodes go on.", FaultAction::Resume),
    ]
}

const RESTART: &str = "Crashed nodes start again.";

/// A target, or `{ target, disk = "empty" }`.
fn restart() -> Format<(Target, bool)> {
    let section = Section::new(RESTART, (Target::All, false))
        .key(key("target", "Who.", target(), |(nodes, _): &mut (Target, bool)| nodes).required())
        .key(key(
            "disk",
            "Whether the disk was replaced by an empty one.",
            words([("kept", false), ("empty", true)]),
            |(_, empty)| empty,
        ));
    let full = section.format();
    let shape = target().shape().clone().or(full.shape().clone());
    let full = std::sync::Arc::new(full);
    let writes = std::sync::Arc::clone(&full);
    let read = move |element: &Element<'_>| {
        if element.is_table() { full.read(element) } else { Some((element.target()?, false)) }
    };
    Format::with_texts(shape, read, move |restart, texts| {
        writes.write(restart, texts).unwrap_or_else(|| unreachable!("a table is written"))
    })
}

fn clock_and_disk_faults() -> Vec<Variant<FaultAction>> {
    let disk = |target, fault| FaultAction::Disk { target, fault };
    vec![
        Variant::new(
            "clock-jump",
            "",
            beside_node("The wall clock jumps.", "by", "By how much.", signed_duration(), 0)
                .format(),
            |(target, by_ns)| FaultAction::ClockJump { target, by_ns },
            |action| match action {
                FaultAction::ClockJump { target, by_ns } => Some((target.clone(), *by_ns)),
                _ => None,
            },
        ),
        Variant::new(
            "clock-drift",
            "",
            beside_node(
                "Both clocks run at another rate.",
                "drift",
                "How much faster.",
                drift(),
                0,
            )
            .format(),
            |(target, ppb)| FaultAction::ClockDrift { target, ppb },
            |action| match action {
                FaultAction::ClockDrift { target, ppb } => Some((target.clone(), *ppb)),
                _ => None,
            },
        ),
        on_nodes(
            "torn-write",
            "A power loss leaves a hole in what was not synced, and the rest of it.",
            |target| FaultAction::Disk { target, fault: DiskFault::TornWrite },
        ),
        on_nodes(
            "lost-write",
            "Syncs complete and make nothing durable: a power loss takes what they covered.",
            |target| FaultAction::Disk { target, fault: DiskFault::LostWrite },
        ),
        Variant::new(
            "flip-bit",
            "",
            flip_bit().format(),
            move |(target, byte)| disk(target, DiskFault::FlipBit { byte }),
            |action| match action {
                FaultAction::Disk { target, fault: DiskFault::FlipBit { byte } } => {
                    Some((target.clone(), *byte))
                }
                _ => None,
            },
        ),
        on_nodes(
            "read-error",
            "A process that starts cannot read its disk, and gives up.",
            |target| FaultAction::Disk { target, fault: DiskFault::ReadError },
        ),
        on_nodes(
            "disk-full",
            "Nothing more can be written: writes are refused, the node lives.",
            |target| FaultAction::Disk { target, fault: DiskFault::Full },
        ),
        Variant::new(
            "slow-disk",
            "",
            beside_node("Syncs take longer.", "by", "How much longer.", distribution(), NO_TIME)
                .format(),
            move |(target, by)| disk(target, DiskFault::Slow(by)),
            |action| match action {
                FaultAction::Disk { target, fault: DiskFault::Slow(by) } => {
                    Some((target.clone(), by.clone()))
                }
                _ => None,
            },
        ),
        Variant::new(
            "heal",
            "Ends faults before their time: `network` for all that are on the network, or a \
             fault's id.",
            heal(),
            FaultAction::Heal,
            |action| match action {
                FaultAction::Heal(what) => Some(what.clone()),
                _ => None,
            },
        ),
    ]
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
    Section::new("A bit of a disk flips, for good.", (Target::All, None))
        .key(
            key("node", "Whose.", target(), |(nodes, _): &mut (Target, Option<u64>)| nodes)
                .required(),
        )
        .key(key(
            "byte",
            "The byte it is in, counted through the files of the disk; else a drawn one.",
            byte.some(),
            |(_, byte)| byte,
        ))
}

fn enough_for_a_ring(truth: bool, element: &Element<'_>) -> Option<bool> {
    let nodes = element.nodes();
    if nodes < 4 {
        let title = format!("{nodes} nodes make no ring of majorities");
        return element.wrong(title, "needs at least four nodes");
    }
    Some(truth)
}

/// `[["n1"], ["n2", "c1"]]`: no node or client on two sides.
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
