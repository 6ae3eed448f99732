//! Decoding a file from its tree, without text.

use toml::{Table, Value};

use crate::scenario::diagnostics::Loc;
use crate::scenario::tree::{Node, Tree, TreeEntry};
use crate::scenario::{Registry, sections};

/// Decodes a file; `None` if it has mistakes.
pub(super) fn decode(file: &Table, registry: &Registry) -> Option<sections::Decoded> {
    let mut count = 0;
    let value = Tree::Table(entries(file, &mut count));
    let root = Node { value, at: Loc { source: 0, start: 0, end: 0 } };
    sections::decode_tree(&root, registry)
}

/// The node that parsing the text would give, except for its places: these are numbered in the
/// order of the text.
pub(super) fn node(value: &Value, count: &mut usize) -> Node {
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

fn entries(table: &Table, count: &mut usize) -> Vec<TreeEntry> {
    let entry = |(key, value): (&String, &Value)| TreeEntry {
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
