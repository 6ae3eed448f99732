//! The ids of operations and faults: those given, and those derived.

use std::collections::{BTreeMap, BTreeSet};

use super::decode::Element;
use super::diagnostics::Problem;
use super::tree::{Node, Tree};
use super::units;
use super::words::OCCURRENCES;

/// The ids of a list's tables, as in [`ids_of`]. One that is given twice is a mistake.
pub(super) fn ids(list: &Element<'_>, kinds: &[&str]) -> Option<Vec<String>> {
    let elements = list.items()?;
    let nodes: Vec<&Node> = elements.iter().map(|element| element.node).collect();
    let ids = ids_of(&nodes, kinds);
    let mut seen = BTreeMap::new();
    for (element, id) in elements.iter().zip(&ids) {
        let at = element.node.get("id").map_or(element.at(), |id| id.at);
        if let Some(first) = seen.insert(id, at) {
            let title = format!("the id `{}` is given twice", id.escape_debug());
            let problem = Problem::new(at, title, "given again here");
            element.sink().push(problem.and(first, "given first here"));
        }
    }
    Some(ids)
}

/// The ids of faults or operations. One without a given id has its kind and time (`crash-4s`), or
/// its kind and trigger (`crash-persists-5`); the second of the same has a number, `crash-4s-2`.
/// The id does not depend on other items of the list: it keys random draws, and without one fault
/// the others must draw the same.
pub(super) fn ids_of(items: &[&Node], kinds: &[&str]) -> Vec<String> {
    // An id that is not a name is reported where the table is decoded.
    let given = |item: &Node| match item.get("id").map(|id| &id.value) {
        Some(Tree::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let mut taken: BTreeSet<String> = items.iter().filter_map(|item| given(item)).collect();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let id = |item: &&Node| {
        given(item).unwrap_or_else(|| {
            let what = what_and_when(item, kinds);
            let count = counts.entry(what.clone()).or_default();
            loop {
                *count += 1;
                let id = if *count == 1 { what.clone() } else { format!("{what}-{count}") };
                if taken.insert(id.clone()) {
                    return id;
                }
            }
        })
    };
    items.iter().map(id).collect()
}

/// `crash-4s` or `crash-persists-5`; of a table with mistakes, the parts that are right.
fn what_and_when(item: &Node, kinds: &[&str]) -> String {
    let kind = kinds.iter().find(|kind| item.get(kind).is_some()).unwrap_or(&"unknown");
    if let Some(when) = item.get("when") {
        let occurrence = OCCURRENCES.iter().find_map(|(word, _)| match when.get(word)?.value {
            Tree::Integer(Some(nth)) => Some(format!("{kind}-{word}-{nth}")),
            _ => None,
        });
        return occurrence.unwrap_or_else(|| (*kind).to_owned());
    }
    match item.get("at").map(|at| &at.value) {
        Some(Tree::Text(at)) if let Ok(at) = units::duration(at) => {
            format!("{kind}-{}", units::show_whole(at))
        }
        _ => (*kind).to_owned(),
    }
}
