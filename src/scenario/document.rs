//! Whole scenario files as trees of TOML: the form in which scenarios are edited.
//!
//! Shrinking takes things away from a scenario and changes its numbers, thousands of times, and asks each time what
//! the rest does. That is easier said of a file than of the settings that it decodes to, where a name is an index and
//! a default is a value like any other. A [`Document`] is such a file without the text: it decodes to what its text
//! would decode to, without going through it.

use toml::{Table, Value};

use super::diagnostics::{Diagnostics, Loc};
use super::distribution::VARIANTS;
use super::tree::{Entry, Node, Tree};
use super::{ConfiguredProtocol, Registry, Scenario, export, sections, set};
use crate::config::Config;

mod brief;
mod render;

use render::{bare_or_quoted, below};

/// The lists of a scenario file: what stands there as `[[LIST]]`, once for each of its items.
pub const LISTS: [&str; 7] =
    ["clock", "operation", "fault", "change", "network.link", "network.client", "expect.state"];

/// A scenario file as a tree.
///
/// A *path* names a key: its parts are joined by dots, and a part with a dot of its own is quoted, as in `--set`. A
/// *leaf* is a key whose value is no table, or a distribution: `network.delay`. The items of a list ([`LISTS`]) are
/// known by their *places*, counted from 0; paths of an item start in it: `put.key`.
///
/// Editing leaves the document as it is and returns another. Whether that one is a scenario is told by
/// [`Document::scenario`].
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    comment: Vec<String>,
    file: Table,
}

impl Document {
    /// The scenario with every setting explicit, but for clocks that are right.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        Self { comment: Vec::new(), file: export::encode(scenario) }
    }

    /// The same of settings that no file was read for; without a `[fuzz]`.
    #[must_use]
    pub fn of_settings(config: &Config, protocol: &dyn ConfiguredProtocol) -> Self {
        Self { comment: Vec::new(), file: export::encode_settings(config, protocol, None) }
    }

    /// The text of the file.
    #[must_use]
    pub fn render(&self) -> String {
        let text = render::render(&self.file);
        if self.comment.is_empty() {
            return text;
        }
        format!("{}\n{text}", render::comment(&self.comment))
    }

    /// The document with these lines as a comment at its top, in place of those it had. Lines are not wrapped; what
    /// cannot stand in a comment, a control character, is replaced.
    #[must_use]
    pub fn with_comment(&self, lines: &[String]) -> Self {
        Self { comment: lines.to_vec(), file: self.file.clone() }
    }

    /// The scenario that parsing the rendered text would give; `origin` is what diagnostics call the file.
    ///
    /// # Errors
    ///
    /// Every mistake, shown in the rendered text.
    pub fn scenario(&self, origin: &str, registry: &Registry) -> Result<Scenario, Diagnostics> {
        match decode(&self.file, registry) {
            Some(decoded) => Ok(Scenario::of_decoded(origin, decoded)),
            None => Scenario::parse(origin, self.render().as_bytes(), registry, &[]),
        }
    }

    /// The scenario, as [`Document::scenario`] gives it, or nothing: for a caller who will not show mistakes, since
    /// showing them takes several times as long as finding that there are some.
    #[must_use]
    pub fn try_scenario(&self, origin: &str, registry: &Registry) -> Option<Scenario> {
        decode(&self.file, registry).map(|decoded| Scenario::of_decoded(origin, decoded))
    }

    /// The document without every key that says what holds anyway: its absence decodes to an equal scenario.
    ///
    /// Keys are left out one by one, or many at once where all of them may go; of two keys of which either may go, but
    /// not both, the later one stays. Distributions that are constant are written as lengths of time. A document that
    /// is no scenario stays as it is.
    #[must_use]
    pub fn brief(&self, registry: &Registry) -> Self {
        Self { comment: self.comment.clone(), file: brief::brief(&self.file, registry) }
    }

    /// How many items a list has; none where there is no such list.
    #[must_use]
    pub fn count(&self, list: &str) -> usize {
        items(&self.file, list).map_or(0, Vec::len)
    }

    /// The document without the items at these places of a list. Places that are not there are passed over.
    #[must_use]
    pub fn without(&self, list: &str, places: &[usize]) -> Self {
        let mut document = self.clone();
        let Some(items) = items_mut(&mut document.file, list) else { return document };
        let mut place = 0..;
        items.retain(|_| place.next().is_none_or(|place| !places.contains(&place)));
        if items.is_empty() {
            let path: Vec<&str> = list.split('.').collect();
            remove(&mut document.file, &path, 0);
        }
        document
    }

    /// The leaves of an item, in order: path and value as a text of TOML; none where there is no such item.
    #[must_use]
    pub fn item(&self, list: &str, place: usize) -> Vec<(String, String)> {
        let Some(item) = item(&self.file, list, place) else { return Vec::new() };
        let mut found = Vec::new();
        leaves_of(item, &mut Vec::new(), &|_, _| true, &mut found);
        let text = |path: Vec<String>| {
            let value = find(item, &path)?.to_string();
            Some((joined(&path), value))
        };
        found.into_iter().filter_map(text).collect()
    }

    /// The paths of the leaves outside lists and outside `[fuzz]`, in order.
    #[must_use]
    pub fn leaves(&self) -> Vec<String> {
        let mut found = Vec::new();
        let descends = |path: &[String], _: &Value| !is_list(path) && path[0] != "fuzz";
        leaves_of(&self.file, &mut Vec::new(), &descends, &mut found);
        found.retain(|path| !is_list(path) && path[0] != "fuzz");
        found.iter().map(|path| joined(path)).collect()
    }

    /// The value at a path, as a text of TOML.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<String> {
        find(&self.file, &parts(path)?).map(Value::to_string)
    }

    /// The document with this value at a path, as `--set` puts it there: tables on the way are made, what excludes the
    /// key goes, and a text that is no value of TOML is a string. A path that is none changes nothing.
    #[must_use]
    pub fn set(&self, path: &str, value: &str) -> Self {
        let mut document = self.clone();
        if let Some(path) = parts(path) {
            put(&mut document.file, &mut Vec::new(), &path, value_of(value));
        }
        document
    }

    /// The document without the key at a path, be it a leaf or a table. A table that has nothing left goes too, but for
    /// `[cluster]` and the protocol's.
    #[must_use]
    pub fn without_key(&self, path: &str) -> Self {
        let mut document = self.clone();
        if let Some(path) = parts(path) {
            remove(&mut document.file, &path, 0);
        }
        document
    }

    /// The value at a path of an item, as a text of TOML.
    #[must_use]
    pub fn get_in(&self, list: &str, place: usize, path: &str) -> Option<String> {
        find(item(&self.file, list, place)?, &parts(path)?).map(Value::to_string)
    }

    /// The document with this value at a path of an item, as [`Document::set`] puts it. An item that is not there
    /// changes nothing.
    #[must_use]
    pub fn set_in(&self, list: &str, place: usize, path: &str, value: &str) -> Self {
        let mut document = self.clone();
        if let (Some(path), Some(item)) = (parts(path), item_mut(&mut document.file, list, place)) {
            let mut walked: Vec<String> = list.split('.').map(str::to_owned).collect();
            walked.push(place.to_string());
            put(item, &mut walked, &path, value_of(value));
        }
        document
    }

    /// The document without the key at a path of an item. A table of the item that has nothing left goes too.
    #[must_use]
    pub fn without_in(&self, list: &str, place: usize, path: &str) -> Self {
        let mut document = self.clone();
        if let (Some(path), Some(item)) = (parts(path), item_mut(&mut document.file, list, place)) {
            remove(item, &path, 1);
        }
        document
    }
}

/// The parts of a path; `None` for a text that is none.
fn parts(path: &str) -> Option<Vec<String>> {
    let nowhere = Loc { source: 0, start: 0, end: 0 };
    let segments = set::path(path, nowhere).ok()?;
    Some(segments.into_iter().map(|segment| segment.key).collect())
}

/// The path of these parts.
fn joined<S: AsRef<str>>(parts: &[S]) -> String {
    parts.iter().fold(String::new(), |path, part| below(&path, &bare_or_quoted(part.as_ref())))
}

/// The value of this text, as `--set` reads it: what is no value of TOML is a string.
pub(super) fn value_of(text: &str) -> Value {
    text.parse().unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// Whether this path is a list's.
fn is_list<S: AsRef<str>>(path: &[S]) -> bool {
    LISTS.iter().any(|list| list.split('.').eq(path.iter().map(AsRef::as_ref)))
}

/// Whether it is a distribution written as a table.
fn is_distribution(value: &Value) -> bool {
    let Value::Table(table) = value else { return false };
    table.len() == 1 && table.keys().all(|key| VARIANTS.contains(&key.as_str()))
}

/// The paths of the leaves of a table, in order. A table is entered where `descends` says so of its path.
fn leaves_of(
    table: &Table,
    walked: &mut Vec<String>,
    descends: &impl Fn(&[String], &Value) -> bool,
    found: &mut Vec<Vec<String>>,
) {
    for (key, value) in table {
        walked.push(key.clone());
        match value {
            Value::Table(inner)
                if !inner.is_empty() && !is_distribution(value) && descends(walked, value) =>
            {
                leaves_of(inner, walked, descends, found);
            }
            _ => found.push(walked.clone()),
        }
        walked.pop();
    }
}

fn find<'a, S: AsRef<str>>(table: &'a Table, path: &[S]) -> Option<&'a Value> {
    let (last, way) = path.split_last()?;
    let inner = way.iter().try_fold(table, |table, key| table.get(key.as_ref())?.as_table())?;
    inner.get(last.as_ref())
}

fn items<'a>(file: &'a Table, list: &str) -> Option<&'a Vec<Value>> {
    let path: Vec<&str> = list.split('.').collect();
    find(file, &path).filter(|_| is_list(&path))?.as_array()
}

fn items_mut<'a>(file: &'a mut Table, list: &str) -> Option<&'a mut Vec<Value>> {
    let path: Vec<&str> = list.split('.').collect();
    if !is_list(&path) {
        return None;
    }
    let (last, way) = path.split_last()?;
    let inner = way.iter().try_fold(file, |table, key| table.get_mut(*key)?.as_table_mut())?;
    inner.get_mut(*last)?.as_array_mut()
}

fn item<'a>(file: &'a Table, list: &str, place: usize) -> Option<&'a Table> {
    items(file, list)?.get(place)?.as_table()
}

fn item_mut<'a>(file: &'a mut Table, list: &str, place: usize) -> Option<&'a mut Table> {
    items_mut(file, list)?.get_mut(place)?.as_table_mut()
}

/// Removes the key at `path` and the tables that this empties; `depth` says how far from the file's root `table` is.
fn remove<S: AsRef<str>>(table: &mut Table, path: &[S], depth: usize) {
    let Some((first, rest)) = path.split_first() else { return };
    let key = first.as_ref();
    if !rest.is_empty() {
        let Some(inner) = table.get_mut(key).and_then(Value::as_table_mut) else { return };
        // What is in `protocol` says which it is, even where nothing more is said of it.
        let stays =
            depth == 0 && key == "cluster" || depth == 0 && key == "protocol" && rest.len() > 1;
        if key == "protocol" && depth == 0 && rest.len() > 1 {
            if let Some(settings) = inner.get_mut(rest[0].as_ref()).and_then(Value::as_table_mut) {
                remove(settings, &rest[1..], 2);
            }
        } else {
            remove(inner, rest, depth + 1);
        }
        if stays || !inner.is_empty() {
            return;
        }
    }
    table.remove(key);
}

/// Puts `value` at `path` of `table`, which is at `walked`.
fn put(table: &mut Table, walked: &mut Vec<String>, path: &[String], value: Value) {
    let Some((key, rest)) = path.split_first() else { return };
    let way: Vec<&str> = walked.iter().map(String::as_str).collect();
    let siblings = set::siblings(key, &way);
    let is_protocol = way == ["protocol"];
    let goes = |other: &str| other != key && (is_protocol || siblings.contains(&other));
    table.retain(|other, _| !goes(other));
    if rest.is_empty() {
        table.insert(key.clone(), value);
        return;
    }
    let inner = table.entry(key.clone()).or_insert_with(|| Value::Table(Table::new()));
    // A scalar in the way gives way: `network.delay.constant` replaces the shorthand of `network.delay`.
    if !inner.is_table() {
        *inner = Value::Table(Table::new());
    }
    if let Value::Table(inner) = inner {
        walked.push(key.clone());
        put(inner, walked, rest, value);
        walked.pop();
    }
}

/// Decodes a file that was never text.
fn decode(file: &Table, registry: &Registry) -> Option<sections::Decoded> {
    let mut count = 0;
    let value = Tree::Table(entries(file, &mut count));
    let root = Node { value, at: Loc { source: 0, start: 0, end: 0 } };
    sections::decode_tree(&root, registry)
}

/// What parsing the text would make of it, but for the places: they are numbered in the order of the text.
fn node(value: &Value, count: &mut usize) -> Node {
    let at = next(count);
    let value = match value {
        Value::String(text) => Tree::Text(text.clone()),
        Value::Integer(number) => Tree::Integer(Some(*number)),
        Value::Float(number) => Tree::Float(*number),
        Value::Boolean(truth) => Tree::Bool(*truth),
        Value::Datetime(date) => Tree::Date(date.to_string()),
        Value::Array(items) => Tree::Array(items.iter().map(|item| node(item, count)).collect()),
        Value::Table(table) => Tree::Table(entries(table, count)),
    };
    Node { value, at }
}

fn entries(table: &Table, count: &mut usize) -> Vec<Entry> {
    let entry = |(key, value): (&String, &Value)| Entry {
        key: key.clone(),
        key_at: next(count),
        node: node(value, count),
    };
    table.iter().map(entry).collect()
}

const fn next(count: &mut usize) -> Loc {
    *count += 1;
    Loc { source: 0, start: *count, end: *count }
}
