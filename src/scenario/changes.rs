//! `[[change]]`: settings that change during the run.
//!
//! A change is applied to the file's tree like an argument, after the changes before it, and the
//! tree is decoded again. So a key means the same in a change as in the file.

use serde_json::json;
use toml::{Table, Value};

use super::decode::{Element, Scope, TableDecoder};
use super::diagnostics::{Loc, Problem, Sink};
use super::keys::{Declaration, ValueShape, time};
use super::network::{self, encode_links};
use super::set::{self, Segment};
use super::tree::{Node, value_of};
use super::workload;
use crate::config::{Change, Config, Network, Workload};
use crate::time::Time;

/// The settings of the workload that may change.
const WORKLOAD: [&str; 10] = [
    "mix",
    "think",
    "open",
    "read-from",
    "read-quorum",
    "read-repair",
    "timeout",
    "retries",
    "backoff",
    "ask-next",
];

/// The keys of `[[change]]`.
pub(super) fn declared() -> Vec<Declaration> {
    let settings = WORKLOAD.join("|");
    let path = format!("^(network\\..+|workload\\.({settings})(\\..+)?)$");
    let set = json!({ "type": "object", "propertyNames": { "pattern": path } });
    let set = ValueShape::new(set, "paths with their values", "{ \"network.loss\" = \"5%\" }");
    let help = "Paths and values, such as \"network.loss\" = \"5%\".";
    vec![
        Declaration::new("at", "When.", time().shape().clone()).required(),
        Declaration::new("set", help, set).required(),
    ]
}

/// A change as an entry of `[[change]]`.
pub(super) fn encode(change: &Change) -> Value {
    let settings: Table =
        change.set.iter().map(|(path, text)| (path.clone(), value_of(text))).collect();
    let at = change.at.since(Time::ZERO).to_string();
    let keys = [("at", at.into()), ("set", settings.into())];
    Value::Table(keys.map(|(key, value)| (key.to_owned(), value)).into_iter().collect())
}

/// A change as written, its settings not yet decoded.
pub(super) struct WrittenChange<'a> {
    at: Time,
    place: Loc,
    set: Vec<(Vec<Segment>, &'a str, &'a Node)>,
}

/// Every `[[change]]` as written, in time order.
pub(super) fn written<'a>(
    table: &mut TableDecoder<'a>,
    has_workload: bool,
) -> Option<Vec<WrittenChange<'a>>> {
    let mut written = table.list("change", |element| {
        let place = element.at();
        element.table(|table| change(table, place, has_workload))
    })?;
    written.sort_by_key(|change| change.at);
    Some(written)
}

/// Decodes the changes on top of `root`, which decoded to `config` without a mistake.
pub(super) fn apply(
    written: &[WrittenChange<'_>],
    root: &Node,
    config: &Config,
    scope: Scope<'_>,
) -> Option<Vec<Change>> {
    let mut tree = root.clone();
    let (mut network, mut workload) = (config.network.clone(), config.workload.clone());
    let mut changes = Vec::new();
    for change in written {
        for (path, _, value) in &change.set {
            if let Err(problem) = set::set(&mut tree, path, (*value).clone()) {
                scope.sink.push(*problem);
                return None;
            }
        }
        let (after, load) = decode_again(&tree, change, scope)?;
        let set = canonical(change, &network, &after);
        network = after;
        if let (Some(before), Some(after)) = (&workload, &load)
            && std::mem::discriminant(&before.pace) != std::mem::discriminant(&after.pace)
        {
            let title =
                "a closed loop cannot become an open one on the way, nor the other way round";
            let label = "sets `open` over `think`, or `think` over `open`";
            scope.sink.push(Problem::new(change.place, title, label));
            return None;
        }
        // The workload of the file named keys and clients, so their numbers cannot change.
        workload = workload.zip(load).map(|(before, load)| Workload {
            clients: before.clients,
            keys: before.keys,
            operations: before.operations,
            ..load
        });
        changes.push(Change {
            at: change.at,
            set,
            network: network.clone(),
            workload: workload.clone(),
        });
    }
    Some(changes)
}

fn change<'a>(
    table: &mut TableDecoder<'a>,
    place: Loc,
    has_workload: bool,
) -> Option<WrittenChange<'a>> {
    let at = table.required("at", |at| at.time());
    let set = table.required("set", |set| {
        set.table(|table| {
            let pairs: Vec<Option<_>> = table
                .entries()
                .into_iter()
                .map(|(key, element)| {
                    let at = table.key_at(key);
                    let path = settable(key, at, has_workload, &element)?;
                    Some((path, key, element.node))
                })
                .collect();
            pairs.into_iter().collect::<Option<Vec<_>>>()
        })
    });
    Some(WrittenChange { at: at?, place, set: set? })
}

/// The path, if it is one that may change.
fn settable(key: &str, at: Loc, has_workload: bool, element: &Element<'_>) -> Option<Vec<Segment>> {
    let path = set::path_of_key(key, at, element.sink())?;
    let keys: Vec<&str> = path.iter().map(|segment| segment.key.as_str()).collect();
    let problem = match keys.as_slice() {
        ["network", _, ..] => return Some(path),
        ["workload", setting, ..] if WORKLOAD.contains(setting) => {
            if has_workload {
                return Some(path);
            }
            Problem::new(at, "there is no workload to change", "the scenario has no [workload]")
        }
        ["workload", setting, ..] => {
            let title = format!("`workload.{}` cannot change on the way", setting.escape_debug());
            Problem::new(at, title, "not a setting that can change").suggest(
                setting,
                WORKLOAD,
                "of the workload these can",
            )
        }
        _ => {
            let title = format!("`{}` cannot change on the way", key.escape_debug());
            Problem::new(at, title, "expected a path such as \"network.loss\"")
                .help("`network.` and some settings of `workload.` can change")
        }
    };
    element.sink().push(problem);
    None
}

fn decode_again(
    tree: &Node,
    change: &WrittenChange<'_>,
    scope: Scope<'_>,
) -> Option<(Network, Option<Workload>)> {
    let again = Sink::default();
    let mut inner = Scope { sink: &again, ..scope };
    let element = |key: &str, scope| tree.get(key).map(|node| Element::new(node, scope, key));
    let network = match element("network", inner) {
        Some(element) => element.table(|table| network::SECTION.decode(table)),
        None => TableDecoder::read(&[], change.place, "network", inner, |table| {
            network::SECTION.decode(table)
        }),
    };
    inner.frame.duration = (Time::ZERO + scope.frame.duration).since(change.at);
    let load = element("workload", inner)
        .map(|element| element.table(|table| workload::SECTION.decode(table)));
    for problem in again.into_problems() {
        let outside = problem.place().is_none_or(|at| {
            !change.set.iter().any(|(path, _, node)| {
                node.at.contains(at) || path.iter().any(|segment| segment.at == at)
            })
        });
        let problem =
            if outside { problem.and(change.place, "because of this change") } else { problem };
        scope.sink.push(problem);
    }
    Some((network?, load.map_or(Some(None), |load| load.map(Some))?))
}

/// What the change sets, as texts that set the same on the exported scenario. A link there inherits
/// nothing, so if any link changed, all links are set.
fn canonical(
    change: &WrittenChange<'_>,
    before: &Network,
    after: &Network,
) -> Vec<(String, String)> {
    let is_of_links = |path: &[Segment]| matches!(path, [_, second, ..] if second.key == "link");
    let mut set: Vec<(String, String)> = change
        .set
        .iter()
        .filter(|(path, ..)| !is_of_links(path))
        .map(|(_, key, node)| ((*key).to_owned(), node.to_toml().to_string()))
        .collect();
    if before.links != after.links {
        set.push(("network.link".to_owned(), encode_links(&after.links).to_string()));
    }
    set
}
