//! Finding and changing keys of a file that is a tree of TOML.

use toml::{Table, Value};

use crate::scenario::set;
use crate::scenario::words::VARIANTS;

/// The lists of a scenario file, each item of which is a `[[LIST]]`.
pub const LISTS: [&str; 7] =
    ["clock", "operation", "fault", "change", "network.link", "network.client", "expect.state"];

/// Whether this is the path of a list.
pub(super) fn is_list<S: AsRef<str>>(path: &[S]) -> bool {
    LISTS.iter().any(|list| list.split('.').eq(path.iter().map(AsRef::as_ref)))
}

/// Whether it is a distribution written as a table.
pub(super) fn is_distribution(value: &Value) -> bool {
    let Value::Table(table) = value else { return false };
    table.len() == 1 && table.keys().all(|key| VARIANTS.contains(&key.as_str()))
}

/// The paths of the leaves of a table, in order. `descends` says which inner tables to enter.
pub(super) fn leaves_of(
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

pub(super) fn find<'a, S: AsRef<str>>(table: &'a Table, path: &[S]) -> Option<&'a Value> {
    let (last, way) = path.split_last()?;
    let inner = way.iter().try_fold(table, |table, key| table.get(key.as_ref())?.as_table())?;
    inner.get(last.as_ref())
}

pub(super) fn items<'a>(file: &'a Table, list: &str) -> Option<&'a Vec<Value>> {
    let path: Vec<&str> = list.split('.').collect();
    find(file, &path).filter(|_| is_list(&path))?.as_array()
}

pub(super) fn items_mut<'a>(file: &'a mut Table, list: &str) -> Option<&'a mut Vec<Value>> {
    let path: Vec<&str> = list.split('.').collect();
    if !is_list(&path) {
        return None;
    }
    let (last, way) = path.split_last()?;
    let inner = way.iter().try_fold(file, |table, key| table.get_mut(*key)?.as_table_mut())?;
    inner.get_mut(*last)?.as_array_mut()
}

pub(super) fn item<'a>(file: &'a Table, list: &str, place: usize) -> Option<&'a Table> {
    items(file, list)?.get(place)?.as_table()
}

pub(super) fn item_mut<'a>(file: &'a mut Table, list: &str, place: usize) -> Option<&'a mut Table> {
    items_mut(file, list)?.get_mut(place)?.as_table_mut()
}

/// Removes the key at `path` and the tables that this empties; `depth` is the depth of `table`
/// below the file's root.
pub(super) fn remove<S: AsRef<str>>(table: &mut Table, path: &[S], depth: usize) {
    let Some((first, rest)) = path.split_first() else { return };
    let key = first.as_ref();
    if !rest.is_empty() {
        let Some(inner) = table.get_mut(key).and_then(Value::as_table_mut) else { return };
        // The protocol's table stays even if it is empty: it names the protocol.
        let is_in_protocol = depth == 0 && key == "protocol" && rest.len() > 1;
        if is_in_protocol {
            if let Some(settings) = inner.get_mut(rest[0].as_ref()).and_then(Value::as_table_mut) {
                remove(settings, &rest[1..], 2);
            }
        } else {
            remove(inner, rest, depth + 1);
        }
        if is_in_protocol || depth == 0 && key == "cluster" || !inner.is_empty() {
            return;
        }
    }
    table.remove(key);
}

/// Puts `value` at `path` of `table`, whose own path is `walked`.
pub(super) fn put(table: &mut Table, walked: &mut Vec<String>, path: &[String], value: Value) {
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
    // A table replaces a scalar: `network.delay.constant` replaces the shorthand of
    // `network.delay`.
    if !inner.is_table() {
        *inner = Value::Table(Table::new());
    }
    if let Value::Table(inner) = inner {
        walked.push(key.clone());
        put(inner, walked, rest, value);
        walked.pop();
    }
}
