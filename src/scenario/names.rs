//! Interning: each text of the file once, by a small id; and the ids of what the file does not name.

use std::collections::{BTreeMap, BTreeSet};

use super::decode::{Element, numbered};
use super::diagnostics::Problem;
use super::tree::{Node, Tree};
use super::units;
use super::words::OCCURRENCES;
use crate::id::{ClientId, FaultId, KeyId, Value};
use crate::names::Names;

/// The ids of a list's tables: those given, the others by what they are. A repeated one is a mistake.
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
            element.sink.push(problem.and(first, "given first here"));
        }
    }
    Some(ids)
}

/// The ids of faults or operations: those given, the others by kind and time, `crash-4s`, or by kind and moment,
/// `crash-persists-5`, with a number from the second on: `crash-4s-2`. What stands before and after in the file does not
/// matter, for an id keys random draws: with one fault left out, the others must meet the same luck.
pub(super) fn ids_of(items: &[&Node], kinds: &[&str]) -> Vec<String> {
    // One that is no name is reported where the table is decoded.
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

/// `crash-4s` or `crash-persists-5`; of a table with mistakes what is right of it.
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
        Some(Tree::Text(at)) => match units::duration(at) {
            Ok(at) => format!("{kind}-{}", units::show_whole(at)),
            Err(_) => (*kind).to_owned(),
        },
        _ => (*kind).to_owned(),
    }
}

/// Texts by id: `made` of them named by a letter and a number, the rest as they come.
#[derive(Clone, Debug)]
struct Interner {
    letter: char,
    made: u32,
    extra: Vec<String>,
    ids: BTreeMap<String, u32>,
}

impl Interner {
    const fn new(letter: char, made: u32) -> Self {
        Self { letter, made, extra: Vec::new(), ids: BTreeMap::new() }
    }

    fn is_made(&self, text: &str) -> Option<u32> {
        let number = u32::try_from(numbered(self.letter, text)?).ok()?;
        (1..=self.made).contains(&number).then(|| number - 1)
    }

    fn find(&self, text: &str) -> Option<u32> {
        self.is_made(text).or_else(|| self.ids.get(text).copied())
    }

    fn intern(&mut self, text: &str) -> u32 {
        if let Some(id) = self.find(text) {
            return id;
        }
        // A file of at most 16 MiB, so the count fits.
        let id = self.made + self.extra.len() as u32;
        self.extra.push(text.to_owned());
        self.ids.insert(text.to_owned(), id);
        id
    }

    fn into_texts(self) -> Vec<String> {
        let made = (1..=self.made).map(|number| format!("{}{number}", self.letter));
        made.chain(self.extra).collect()
    }
}

/// Every name of a scenario while it is decoded.
#[derive(Clone, Debug)]
pub(super) struct Interned {
    keys: Interner,
    clients: Interner,
    values: Vec<String>,
    value_ids: BTreeMap<String, usize>,
    faults: Vec<String>,
}

impl Interned {
    /// The names of a workload of so many clients and keys.
    pub(super) const fn new(clients: u32, keys: u32) -> Self {
        Self {
            keys: Interner::new('k', keys),
            clients: Interner::new('c', clients),
            values: Vec::new(),
            value_ids: BTreeMap::new(),
            faults: Vec::new(),
        }
    }

    pub(super) fn key(&mut self, text: &str) -> KeyId {
        KeyId(self.keys.intern(text))
    }

    /// Whether the workload drives the client of this name.
    pub(super) fn is_workload_client(&self, text: &str) -> bool {
        self.clients.is_made(text).is_some()
    }

    pub(super) fn script_client(&mut self, text: &str) -> ClientId {
        ClientId(self.clients.intern(text))
    }

    /// The client of this name, if the workload or the script has it.
    pub(super) fn client(&self, text: &str) -> Option<ClientId> {
        self.clients.find(text).map(ClientId)
    }

    /// How many clients there are.
    pub(super) fn client_count(&self) -> usize {
        self.clients.made as usize + self.clients.extra.len()
    }

    /// Names of clients for a list of what exists: the script's, and the ends of the workload's.
    pub(super) fn some_clients(&self) -> Vec<String> {
        let mut names = self.clients.extra.clone();
        match self.clients.made {
            0 => {}
            1 => names.push("c1".to_owned()),
            made => names.extend(["c1".to_owned(), format!("c{made}")]),
        }
        names
    }

    /// The value that the workload writes and shows as `c3.17`, if this is its text.
    pub(super) fn made_value(&self, text: &str) -> Option<Value> {
        let (client, index) = text.split_once('.')?;
        let client = self.clients.is_made(client)?;
        let index = u32::try_from(numbered('.', &format!(".{index}"))?).ok()?;
        index.checked_sub(1).map(|index| Value::made(ClientId(client), index))
    }

    /// The value of this text: the workload's own, or a text.
    pub(super) fn value(&mut self, text: &str) -> Value {
        if let Some(made) = self.made_value(text) {
            return made;
        }
        let next = self.values.len();
        let index = *self.value_ids.entry(text.to_owned()).or_insert(next);
        if index == next {
            self.values.push(text.to_owned());
        }
        Value::text(index)
    }

    pub(super) fn set_faults(&mut self, ids: Vec<String>) {
        self.faults = ids;
    }

    pub(super) fn fault(&self, id: &str) -> Option<FaultId> {
        let index = self.faults.iter().position(|fault| fault == id)?;
        u32::try_from(index).ok().map(FaultId)
    }

    pub(super) fn faults(&self) -> &[String] {
        &self.faults
    }

    pub(super) fn into_names(self) -> Names {
        Names {
            keys: self.keys.into_texts(),
            values: self.values,
            clients: self.clients.into_texts(),
            faults: self.faults,
        }
    }
}
