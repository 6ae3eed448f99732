//! Removing redundant keys.
//!
//! A key may go if the file without it decodes to an equal scenario. Trying every key of every
//! operation on the whole file takes too long. So keys are first tried on a small file, in which
//! each list has one item of each shape; the keys that went there are removed from the whole file
//! at once. If that changes the scenario, every key is tried on the whole file.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::decode::{decode, node};
use super::table::{LISTS, find, is_list, items, items_mut, leaves_of, remove};
use crate::config::Config;
use crate::names::Names;
use crate::scenario::Registry;
use crate::scenario::fuzz::Fuzz;
use crate::scenario::ids::ids_of;
use crate::scenario::sections::Decoded;
use crate::scenario::tree::{Node, Tree};
use crate::scenario::words::{ACTIONS, OPERATIONS};

/// The file without redundant keys; unchanged if it does not decode.
pub(super) fn brief(file: &Table, registry: &Registry) -> Table {
    let Some(whole) = Meaning::of(file, registry) else { return file.clone() };
    let classes = classes(file);
    if let Some(mut small) = Trial::new(sample(file, &classes), registry) {
        let cuts = small.thin(&classes);
        let mut brief = file.clone();
        cuts.iter().for_each(|cut| cut.apply(&mut brief));
        shorten_constants(&mut brief);
        leave_out_ids(&mut brief);
        if Meaning::of(&brief, registry).as_ref() == Some(&whole) {
            return without_settle(brief, &whole, registry);
        }
    }
    let mut trial = Trial { file: file.clone(), meaning: whole, registry, places: None };
    let _ = trial.thin(&classes);
    for change in [shorten_constants, leave_out_ids] {
        let mut candidate = trial.file.clone();
        change(&mut candidate);
        trial.takes(candidate);
    }
    trial.file
}

/// Removes `settle` if it is redundant. Its default depends on all settings, so only the whole file
/// shows that.
fn without_settle(brief: Table, whole: &Meaning, registry: &Registry) -> Table {
    let mut without = brief.clone();
    without.remove("settle");
    if Meaning::of(&without, registry).as_ref() == Some(whole) { without } else { brief }
}

/// The meaning of a file, which may not change.
#[derive(PartialEq)]
struct Meaning {
    config: Config,
    names: Names,
    protocol: &'static str,
    settings: Table,
    fuzz: Option<Fuzz>,
}

impl Meaning {
    fn of(file: &Table, registry: &Registry) -> Option<Self> {
        let Decoded { config, names, protocol, fuzz } = decode(file, registry)?;
        Some(Self { config, names, protocol: protocol.name(), settings: protocol.encode(), fuzz })
    }
}

/// A key that may go.
enum Cut {
    Setting(Vec<String>),
    OfItems(Class),
}

/// A key of some items of a list, which all have the same keys, and the same value at this one.
#[derive(Clone)]
struct Class {
    list: &'static str,
    path: Vec<String>,
    places: Vec<usize>,
}

impl Cut {
    fn apply(&self, file: &mut Table) {
        match self {
            Self::Setting(path) => remove(file, path, 0),
            Self::OfItems(class) => class.remove(file, Some),
        }
    }
}

impl Class {
    /// Removes the key from the items; `find` maps their places to those in `file`.
    fn remove(&self, file: &mut Table, find: impl Fn(usize) -> Option<usize>) {
        let Some(items) = items_mut(file, self.list) else { return };
        for place in self.places.iter().filter_map(|place| find(*place)) {
            if let Some(item) = items.get_mut(place).and_then(Value::as_table_mut) {
                remove(item, &self.path, 1);
            }
        }
    }
}

/// A file that gets smaller and goes on meaning the same.
struct Trial<'a> {
    file: Table,
    meaning: Meaning,
    registry: &'a Registry,
    /// If the file is a sample, the places in the whole file of each list's items, in order.
    places: Option<Sampled>,
}

type Sampled = BTreeMap<&'static str, Vec<usize>>;

impl<'a> Trial<'a> {
    fn new((file, places): (Table, Sampled), registry: &'a Registry) -> Option<Self> {
        let meaning = Meaning::of(&file, registry)?;
        Some(Self { file, meaning, registry, places: Some(places) })
    }

    /// Replaces the file by the candidate if it means the same; whether it does.
    fn takes(&mut self, candidate: Table) -> bool {
        let same = Meaning::of(&candidate, self.registry).as_ref() == Some(&self.meaning);
        if same {
            self.file = candidate;
        }
        same
    }

    /// Removes all settings and keys of items that may go, and returns them.
    fn thin(&mut self, classes: &[Class]) -> Vec<Cut> {
        let mut cuts = Vec::new();
        for section in settings(&self.file).chunk_by(|a, b| parent(a) == parent(b)) {
            let gone = self.try_all(section, |path, file| remove(file, path, 0));
            cuts.extend(gone.into_iter().map(Cut::Setting));
        }
        let places = self.places.take();
        let find = |list: &str, place: usize| match &places {
            Some(sampled) => sampled.get(list)?.iter().position(|other| *other == place),
            None => Some(place),
        };
        for key in classes.chunk_by(|a, b| (a.list, &a.path) == (b.list, &b.path)) {
            let remove =
                |class: &Class, file: &mut Table| class.remove(file, |at| find(class.list, at));
            cuts.extend(self.try_all(key, remove).into_iter().map(Cut::OfItems));
        }
        cuts
    }

    /// Removes all of these, or each that may go, and returns the removed ones.
    fn try_all<T: Clone>(&mut self, all: &[T], cut: impl Fn(&T, &mut Table)) -> Vec<T> {
        let mut candidate = self.file.clone();
        all.iter().for_each(|one| cut(one, &mut candidate));
        if self.takes(candidate) {
            return all.to_vec();
        }
        let each = if all.len() > 1 { all } else { &[] };
        let goes = |one: &&T| {
            let mut candidate = self.file.clone();
            cut(one, &mut candidate);
            self.takes(candidate)
        };
        each.iter().filter(goes).cloned().collect()
    }
}

fn parent(path: &[String]) -> &[String] {
    &path[..path.len().saturating_sub(1)]
}

/// The settings outside lists.
fn settings(file: &Table) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    leaves_of(file, &mut Vec::new(), &|path, _| path != ["fuzz", "settings"], &mut found);
    found.retain(|path| !is_list(path) && *path != ["fuzz", "settings"]);
    found
}

/// Whether the key cannot be redundant: every item needs it, or it changes the meaning of each.
fn is_needed(list: &str, path: &[String]) -> bool {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match (list, path.as_slice()) {
        ("change" | "expect.state", _)
        | ("operation", ["expect", ..] | [_, "key" | "value"] | ["at" | "client"])
        | ("fault", ["at" | "when" | "for" | "forever"])
        | ("clock", ["node" | "client"])
        | ("network.link", ["from" | "to"])
        | ("network.client", ["delay"]) => true,
        ("operation", [kind]) => OPERATIONS.contains(kind),
        ("fault", [kind]) => ACTIONS.contains(kind),
        _ => false,
    }
}

/// A list, the path of a key, the keys of the item, the value.
type Key = (&'static str, Vec<String>, Vec<String>, Option<String>);

/// The keys of items that may be redundant, except ids, sorted by key.
fn classes(file: &Table) -> Vec<Class> {
    let mut classes: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
    for list in LISTS {
        for (place, item) in items(file, list).into_iter().flatten().enumerate() {
            let Value::Table(item) = item else { continue };
            let mut paths = Vec::new();
            leaves_of(item, &mut Vec::new(), &|_, _| true, &mut paths);
            let shape = paths.concat();
            let is_cut = |path: &&Vec<String>| !is_needed(list, path) && **path != ["id"];
            for path in paths.iter().filter(is_cut) {
                let value = find(item, path).map(Value::to_string);
                let key = (list, path.clone(), shape.clone(), value);
                classes.entry(key).or_default().push(place);
            }
        }
    }
    let class = |((list, path, ..), places): (Key, _)| Class { list, path, places };
    classes.into_iter().map(class).collect()
}

/// The file with one item of each class, and the items that others refer to, so that it is probably
/// a valid scenario.
fn sample(file: &Table, classes: &[Class]) -> (Table, Sampled) {
    let mut sampled = Sampled::new();
    let mut sample = file.clone();
    for list in LISTS {
        let Some(all) = items_mut(&mut sample, list) else { continue };
        let firsts = classes.iter().filter(|class| class.list == list);
        let mut kept: Vec<usize> =
            firsts.filter_map(|class| class.places.first().copied()).collect();
        let mut clients = Vec::new();
        let names_client =
            |item: &Value| item.get("client").filter(|_| list == "operation").cloned();
        for (place, client) in
            all.iter().enumerate().filter_map(|(at, one)| Some((at, names_client(one)?)))
        {
            if !clients.contains(&client) {
                clients.push(client);
                kept.push(place);
            }
        }
        if list == "fault" && all.iter().any(|item| item.get("heal").is_some()) {
            kept = (0..all.len()).collect();
        }
        kept.sort_unstable();
        kept.dedup();
        let mut place = 0..;
        all.retain(|_| place.next().is_none_or(|place| kept.binary_search(&place).is_ok()));
        sampled.insert(list, kept);
    }
    (sample, sampled)
}

/// Writes constant distributions as lengths of time.
fn shorten_constants(file: &mut Table) {
    for (key, value) in file.iter_mut() {
        // The values of `[[change]]` and `[fuzz]` are compared as texts.
        if key != "change" && key != "fuzz" {
            shorten(value);
        }
    }
}

fn shorten(value: &mut Value) {
    match value {
        Value::Table(table) if table.len() == 1 => match table.get("constant") {
            Some(length @ Value::String(_)) => *value = length.clone(),
            _ => table.iter_mut().for_each(|(_, inner)| shorten(inner)),
        },
        Value::Table(table) => table.iter_mut().for_each(|(_, inner)| shorten(inner)),
        Value::Array(items) => items.iter_mut().for_each(shorten),
        _ => {}
    }
}

/// Removes ids of operations and faults that would be derived.
fn leave_out_ids(file: &mut Table) {
    for (list, kinds) in [("operation", &OPERATIONS[..]), ("fault", &ACTIONS[..])] {
        let Some(all) = items_mut(file, list) else { continue };
        let given: Vec<Node> = all.iter().map(|item| node(item, &mut 0)).collect();
        let ids = ids_of(&given.iter().collect::<Vec<_>>(), kinds);
        let mut bare: Vec<Node> = given.iter().map(without_id).collect();
        // A given id may be one that another item would derive, so this repeats until all are
        // right.
        loop {
            let made = ids_of(&bare.iter().collect::<Vec<_>>(), kinds);
            let mut differ = (0..made.len()).filter(|place| made[*place] != ids[*place]).peekable();
            if differ.peek().is_none() {
                break;
            }
            differ.for_each(|place| bare[place] = given[place].clone());
        }
        for (item, bare) in all.iter_mut().zip(bare) {
            if let Value::Table(item) = item
                && bare.get("id").is_none()
            {
                item.remove("id");
            }
        }
    }
}

fn without_id(item: &Node) -> Node {
    let Tree::Table(entries) = &item.value else { return item.clone() };
    let entries = entries.iter().filter(|entry| entry.key != "id").cloned().collect();
    Node { value: Tree::Table(entries), at: item.at }
}
