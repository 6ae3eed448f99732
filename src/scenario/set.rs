//! Changing a tree by path, for `--set network.loss=5%` and the `set` of a `[[change]]`.

use super::diagnostics::{Loc, Problem, Sink, Sources};
use super::ids::ids_of;
use super::tree::{Node, Tree, TreeEntry, parse_value};
use super::words::{ACTIONS, OPERATIONS, VARIANTS};

/// A part of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) key: String,
    pub(super) at: Loc,
}

/// Applies the arguments of a flag to the tree, in order. Mistakes point into the argument.
pub(super) fn apply_arguments(
    root: &mut Node,
    flag: &str,
    arguments: &[String],
    sources: &mut Sources,
    sink: &Sink,
) {
    for argument in arguments {
        let source = sources.add(flag, argument);
        if let Err(problem) = apply_argument(root, argument, source) {
            sink.push(*problem);
        }
    }
}

fn apply_argument(root: &mut Node, argument: &str, source: usize) -> Result<(), Box<Problem>> {
    let whole = Loc { source, start: 0, end: argument.len() };
    let Some(equals) = find_outside_quotes(argument, '=') else {
        let problem = Problem::new(whole, "the argument has no `=`", "expected PATH=VALUE");
        return Err(Box::new(problem.help("for example network.loss=5%")));
    };
    let path = path(&argument[..equals], Loc { source, start: 0, end: equals })?;
    let value = &argument[equals + 1..];
    let start = equals + 1 + (value.len() - value.trim_start().len());
    let value = value.trim();
    let node = parse_value(value, source, start).unwrap_or_else(|| {
        let at = Loc { source, start, end: start + value.len() };
        Node { value: Tree::Text(value.to_owned()), at }
    });
    set(root, &path, node)
}

pub(super) fn find_outside_quotes(text: &str, wanted: char) -> Option<usize> {
    let mut quoted = false;
    text.char_indices().find_map(|(index, character)| {
        quoted ^= character == '"';
        (!quoted && character == wanted).then_some(index)
    })
}

/// The parts of a path. Dots separate them, except inside quotes; there are no escapes. `at` is the
/// place of the text.
pub(super) fn path(text: &str, at: Loc) -> Result<Vec<Segment>, Box<Problem>> {
    let mut segments = Vec::new();
    let mut start = 0;
    loop {
        let rest = &text[start..];
        let length = find_outside_quotes(rest, '.').unwrap_or(rest.len());
        let raw = &rest[..length];
        let trimmed = raw.trim();
        let from = at.start + start + (raw.len() - raw.trim_start().len());
        let segment_at = Loc { source: at.source, start: from, end: from + trimmed.len() };
        let unquoted = trimmed.strip_prefix('"').and_then(|inner| inner.strip_suffix('"'));
        let key = unquoted.unwrap_or(trimmed);
        if key.is_empty() || key.contains('"') {
            let title = "a part of the path is empty or misquoted";
            return Err(Box::new(Problem::new(segment_at, title, "expected a key")));
        }
        segments.push(Segment { key: key.to_owned(), at: segment_at });
        if segments.len() > MAX_PATH {
            return Err(Box::new(Problem::new(at, "the path is too long", "nothing is that deep")));
        }
        start += length + 1;
        if start > text.len() {
            return Ok(segments);
        }
    }
}

/// The parts of a path that is the key of a table at `at`.
pub(super) fn path_of_key(key: &str, at: Loc, sink: &Sink) -> Option<Vec<Segment>> {
    // A key with dots is quoted, so its text begins one byte later.
    let inner = if key.contains('.') { Loc { start: at.start + 1, ..at } } else { at };
    path(key, inner).map_err(|problem| sink.push(*problem)).ok()
}

/// The most parts of a path; it bounds recursion over the tree.
const MAX_PATH: usize = 40;

/// Puts `value` at `path`, and makes the tables on the way. A key removes the keys that exclude it.
pub(super) fn set(root: &mut Node, path: &[Segment], value: Node) -> Result<(), Box<Problem>> {
    let mut node = root;
    let mut walked: Vec<&str> = Vec::new();
    let Some((last, way)) = path.split_last() else { return Ok(()) };
    for segment in way {
        node = step(node, segment, &walked)?;
        walked.push(&segment.key);
    }
    let target = step(node, last, &walked)?;
    *target = value;
    Ok(())
}

/// The child of `node` that `segment` names; it is made if it is not there.
fn step<'a>(
    node: &'a mut Node,
    segment: &Segment,
    walked: &[&str],
) -> Result<&'a mut Node, Box<Problem>> {
    // A table replaces a scalar: `network.delay.constant` replaces the shorthand of
    // `network.delay`. If no table belongs there, decoding says so.
    if !matches!(node.value, Tree::Table(_) | Tree::Array(_)) {
        *node = Node { value: Tree::Table(Vec::new()), at: segment.at };
    }
    let entries = match &mut node.value {
        Tree::Array(items) => return item(items, segment, walked),
        Tree::Table(entries) => entries,
        _ => return Err(Box::new(Problem::new(segment.at, "this has no keys", ""))),
    };
    let siblings = siblings(&segment.key, walked);
    entries.retain(|entry| entry.key == segment.key || !siblings.contains(&entry.key.as_str()));
    if walked == ["protocol"] {
        entries.retain(|entry| entry.key == segment.key);
    }
    let index = entries.iter().position(|entry| entry.key == segment.key).unwrap_or_else(|| {
        let empty = Node { value: Tree::Table(Vec::new()), at: segment.at };
        entries.push(TreeEntry { key: segment.key.clone(), key_at: segment.at, node: empty });
        entries.len() - 1
    });
    Ok(&mut entries[index].node)
}

/// The item of an array that `segment` names by its index or its id.
fn item<'a>(
    items: &'a mut [Node],
    segment: &Segment,
    walked: &[&str],
) -> Result<&'a mut Node, Box<Problem>> {
    let kinds: Option<&[&str]> = match walked {
        ["operation"] => Some(&OPERATIONS),
        ["fault"] => Some(&ACTIONS),
        _ => None,
    };
    let ids = kinds.map_or_else(Vec::new, |kinds| {
        let items: Vec<&Node> = items.iter().collect();
        ids_of(&items, kinds)
    });
    let found = match segment.key.parse::<usize>() {
        Ok(index) => Some(index),
        Err(_) => ids.iter().position(|id| *id == segment.key),
    };
    if let Some((index, id)) = found.and_then(|index| Some((index, ids.get(index)?)))
        && let Tree::Table(entries) = &mut items[index].value
        && !entries.iter().any(|entry| entry.key == "id")
    {
        // It keeps its derived id, and so its random draws, if the argument changes its kind or
        // time.
        let node = Node { value: Tree::Text(id.clone()), at: segment.at };
        entries.push(TreeEntry { key: "id".to_owned(), key_at: segment.at, node });
    }
    let count = items.len();
    found.and_then(|index| items.get_mut(index)).ok_or_else(|| {
        let title = format!("there is no item `{}`", segment.key.escape_debug());
        let label = match count {
            0 => "the array is empty".to_owned(),
            count => format!("items are counted from 0 to {}", count - 1),
        };
        let known = ids.iter().map(String::as_str);
        Box::new(Problem::new(segment.at, title, label).suggest(
            &segment.key,
            known,
            "their ids are",
        ))
    })
}

/// The keys that exclude `key` in a table at the path `walked`.
pub(super) fn siblings(key: &str, walked: &[&str]) -> &'static [&'static str] {
    const PACE: &[&str] = &["think", "open"];
    const INTERVAL: &[&str] = &["interval"];
    const RATE: &[&str] = &["rate", "arrivals"];
    const VALUE: &[&str] = &["value", "absent"];
    const END: &[&str] = &["for", "forever"];
    if walked == ["workload", "open"] {
        return match key {
            "interval" => RATE,
            "rate" | "arrivals" => INTERVAL,
            _ => &[],
        };
    }
    let groups: &[&'static [&'static str]] = match walked {
        ["workload"] => &[PACE],
        ["fault", _] => &[&ACTIONS, END],
        ["operation", _] => &[&OPERATIONS],
        ["operation", _, "expect"] | ["expect", "state", _] => &[VALUE],
        _ => &[&VARIANTS],
    };
    groups.iter().find(|group| group.contains(&key)).copied().unwrap_or(&[])
}
