//! `[expect]` and `[[expect.state]]`: the verdicts and states that a run must have.

use std::sync::LazyLock;

use serde_json::json;
use toml::{Table, Value as Toml};

use super::ConfiguredProtocol;
use super::answer::{decode_value, encode_value, expected_node, key_name, value_or_absent};
use super::decode::{Element, TableDecoder};
use super::diagnostics::{Loc, Problem};
use super::keys::{
    Declaration, Draft, Format, Section, Texts, ValueShape, declared, duration, integer, keys,
    named, node,
};
use crate::config::{Bounds, Expect, Expected, ExpectedState, ExpectedVerdict};
use crate::id::NodeId;
use crate::named::Named;
use crate::property::Property;
use crate::time::Time;

/// The keys of `[expect]`.
pub(super) fn declared() -> Vec<Declaration> {
    let verdict = |property: Property| {
        let bounds = property.needed_bounds();
        let mut help = format!("The verdict expected of the check `{property}`");
        if property.is_of_a_log() {
            help += ", of a protocol that keeps a replicated log";
        }
        if !bounds.is_empty() {
            help += &format!("; `unchecked` unless `check` has {}", bounds.join(" or "));
        }
        let verdicts = ExpectedVerdict::all();
        let may_be_unchecked = !bounds.is_empty() || property.is_of_a_log();
        let verdicts =
            verdicts.filter(|one| may_be_unchecked || *one != ExpectedVerdict::Unchecked);
        let words: Vec<&str> = verdicts.map(Named::name).collect();
        Declaration::new(property.name(), &(help + "."), ValueShape::words(&words))
    };
    let states = STATE.shape().list(json!({}));
    Property::all()
        .map(verdict)
        .chain([Declaration::new("state", "States at a time.", states)])
        .collect()
}

/// Reads `[expect]`: a verdict for each property, and `[[expect.state]]`. `bounds` are `None` if
/// they have mistakes: then nothing is said of verdicts that depend on them. So is `protocol`.
pub(super) fn decode(
    table: &mut TableDecoder<'_>,
    bounds: Option<&Bounds>,
    protocol: Option<&dyn ConfiguredProtocol>,
) -> Option<Expect> {
    let mut checks = Vec::new();
    let without_log = protocol.filter(|protocol| !protocol.keeps_log());
    for property in Property::all() {
        if let Some(element) = table.get(property.name()) {
            let verdict = match without_log {
                Some(protocol) if property.is_of_a_log() => {
                    let at = table.key_at(property.name());
                    element.sink().push(lacks_log(at, property, protocol.name()));
                    None
                }
                _ => expected_verdict(&element, property, bounds),
            };
            checks
                .push((table.key_at(property.name()), verdict.map(|verdict| (property, verdict))));
        }
    }
    checks.sort_by_key(|(at, _)| *at);
    let states = table.list("state", |element| element.table(|table| STATE.decode(table)));
    let checks: Option<Vec<_>> = checks.into_iter().map(|(_, check)| check).collect();
    Some(Expect { checks: checks?, states: states?, excused: Vec::new() })
}

/// The mistake of a file that expects something of a log that is not kept.
fn lacks_log(at: Loc, property: Property, protocol: &str) -> Problem {
    let title = format!("`{property}` is about a replicated log, and these nodes keep none");
    let expected = format!("expected settings of `{protocol}` under which it keeps one");
    let problem = Problem::new(at, title, expected);
    match protocol {
        "leader-follower" => problem.help("it keeps one with `failover.catch-up = \"log\"`"),
        _ => problem,
    }
}

/// A verdict that is possible for `property`.
fn expected_verdict(
    element: &Element<'_>,
    property: Property,
    bounds: Option<&Bounds>,
) -> Option<ExpectedVerdict> {
    let verdict = element.choice(&ExpectedVerdict::words())?;
    let needed = property.needed_bounds();
    let is_checked = bounds.map(|bounds| bounds.suffice(property));
    let problem = match (verdict, is_checked) {
        (ExpectedVerdict::Unchecked, Some(true)) if property.is_of_a_log() => return Some(verdict),
        (ExpectedVerdict::Unchecked, Some(true)) if needed.is_empty() => element
            .problem(
                format!("`{property}` is never unchecked"),
                "expected a verdict to which it can come",
            )
            .help("it needs no bound: expect `valid`, `allowed`, `violation` or `unknown`"),
        (ExpectedVerdict::Unchecked, Some(true)) => element
            .problem(
                format!("`{property}` is checked: the file sets a bound for it"),
                "expected `valid`, `allowed`, `violation` or `unknown`",
            )
            .help(format!("without `check.{}` it is unchecked", needed.join("` and `check."))),
        (ExpectedVerdict::Unchecked, _) | (_, Some(true) | None) => return Some(verdict),
        (_, Some(false)) => {
            let example = match property {
                Property::Availability => "availability-bound = \"99%\"",
                _ => "replication-lag-bound = \"1s\"",
            };
            let title = format!("`{property}` is held against a bound, and the file sets none");
            element
                .problem(title, "expected `unchecked`, which is what comes of it without a bound")
                .help(format!(
                    "set `check.{}`: under [check], `{example}`",
                    needed.join("` or `check.")
                ))
                .help(
                    "a bound that is set is a demand: a run that misses it fails without this line",
                )
        }
    };
    element.sink().push(problem);
    None
}

/// An entry of `[[expect.state]]`.
static STATE: LazyLock<Section<ExpectedState>> = LazyLock::new(expected_state);

fn expected_state() -> Section<ExpectedState> {
    let base = ExpectedState {
        at: Time::ZERO,
        node: NodeId(0),
        key: None,
        role: None,
        term: None,
        leader: Expected::Anything,
        awaits: Expected::Anything,
        blocked: None,
    };
    let help = "The state of a node after every event up to and including a time.";
    Section::new(help, base)
        .with(keys! { |state: ExpectedState|
            /// When.
            "at" => state.at, until_settled(), required();
            /// Who.
            "node" => state.node, node(), required();
        })
        .by_hand(
            [
                declared! {
                    /// A key, with `value` or `absent`.
                    "key": key_name().shape().clone();
                },
                value_or_absent("What the key holds.", "The key is absent."),
            ]
            .concat(),
            decode_key,
            |state, texts, table| {
                if let Some((key, value)) = state.key {
                    table.insert("key".to_owned(), texts.names.key(key).into());
                    encode_value(value.map_or(Expected::Nothing, Expected::Is), texts, table);
                }
            },
        )
        .with(keys! { |state: ExpectedState|
            /// The node's role.
            "role" => state.role, named().some();
            /// The node's term.
            "term" => state.term, integer(0..=i64::MAX.unsigned_abs()).some();
            /// Whom the node takes for the leader.
            "leader" => state.leader, expected_node();
            /// Whom the node waits for to lead, while it knows of no leader.
            "awaits" => state.awaits, expected_node();
            /// The nodes to which the network blocks its messages.
            "blocked" => state.blocked, nodes().some();
        })
        .checked(says_something)
}

/// A point of time up to the end of the settling phase.
fn until_settled() -> Format<Time> {
    let length = duration();
    let shape = length.shape().clone();
    let read = |at: &Element<'_>| {
        let span = at.duration()?;
        let frame = at.scope().frame;
        let end = frame.duration + frame.settle;
        if span > end {
            let label = format!("`duration` and `settle` are {end} together");
            return at.wrong(format!("{span} is after the end"), label);
        }
        Some(Time::ZERO + span)
    };
    Format::new(shape, read, |at| at.since(Time::ZERO).to_string().into())
}

fn nodes() -> Format<Vec<NodeId>> {
    let one = node().shaped(|shape| shape.and("description", json!("One of them.")));
    let shape = one.list(json!({})).shape().clone();
    Format::new(
        shape,
        |element| element.node_list(),
        |nodes: &Vec<NodeId>| nodes.iter().map(ToString::to_string).collect::<Vec<_>>().into(),
    )
}

fn decode_key(table: &mut TableDecoder<'_>, draft: &mut Draft<ExpectedState>) -> Option<()> {
    let key = table.optional("key", Element::name);
    let value = decode_value(table);
    if let (Some(key), Some(wanted)) = (key?, value?.wanted()) {
        draft.value.key = Some((table.scope().names.borrow_mut().key(key), wanted));
    }
    Some(())
}

/// Refuses a key without its value, a value without its key, and a state without any part.
fn says_something(draft: &Draft<ExpectedState>, table: &mut TableDecoder<'_>) -> Option<()> {
    let says = ["key", "role", "term", "leader", "awaits", "blocked"];
    if !says.iter().all(|key| draft.is_right(key)) {
        return Some(());
    }
    match (table.has("key"), table.has("value") || table.has("absent")) {
        (true, false) => {
            let needs = "needs `value`, or `absent = true`";
            return table.lacks(&["value", "absent"], "what does the key hold?", needs);
        }
        (false, true) => {
            return table.lacks(&["key"], "`key` is missing", "a value of which key?");
        }
        (true, true) | (false, false) => {}
    }
    if !says.iter().any(|key| table.has(key)) {
        let needs = "needs `key`, `role`, `term`, `leader`, `awaits` or `blocked`";
        return table.says_nothing("a state of nothing", needs);
    }
    Some(())
}

/// Writes what [`decode`] reads.
pub(super) fn encode(expect: &Expect, texts: &Texts<'_>) -> Table {
    let checks = expect.checks.iter();
    let mut table: Table = checks
        .map(|(property, verdict)| (property.name().to_owned(), verdict.name().into()))
        .collect();
    if !expect.states.is_empty() {
        let states = expect.states.iter().map(|one| Toml::Table(STATE.encode(one, texts)));
        table.insert("state".to_owned(), states.collect::<Vec<_>>().into());
    }
    table
}
