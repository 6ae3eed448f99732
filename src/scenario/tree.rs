//! The tree of a scenario file: every key and value with its place.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::diagnostics::{Loc, Problem, Sink, Sources};

/// A value and its place; the place of a table with a header is the header.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Tree,
    pub(super) at: Loc,
}

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    Text(String),
    /// `None` if it does not fit 64 bits.
    Integer(Option<i64>),
    Float(f64),
    Bool(bool),
    Date(String),
    Array(Vec<Node>),
    Table(Vec<TreeEntry>),
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(super) struct TreeEntry {
    pub(super) key: String,
    pub(super) key_at: Loc,
    pub(super) node: Node,
}

impl Tree {
    /// The kind of value, for "expected .., found ..".
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Bool(_) => "a boolean",
            Self::Date(_) => "a date",
            Self::Array(_) => "an array",
            Self::Table(_) => "a table",
        }
    }
}

impl Node {
    /// The entry of `key`, if this is a table that has it.
    pub(super) fn entry(&self, key: &str) -> Option<&TreeEntry> {
        match &self.value {
            Tree::Table(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The value of `key`, if this is a table that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// The value without its places.
    pub(super) fn to_toml(&self) -> toml::Value {
        match &self.value {
            Tree::Text(text) | Tree::Date(text) => toml::Value::String(text.clone()),
            Tree::Integer(number) => toml::Value::Integer(number.unwrap_or(i64::MAX)),
            Tree::Float(number) => toml::Value::Float(*number),
            Tree::Bool(truth) => toml::Value::Boolean(*truth),
            Tree::Array(items) => toml::Value::Array(items.iter().map(Self::to_toml).collect()),
            Tree::Table(entries) => toml::Value::Table(
                entries.iter().map(|entry| (entry.key.clone(), entry.node.to_toml())).collect(),
            ),
        }
    }
}

/// The most bytes of a scenario file. A larger file is not a scenario.
const MAX_BYTES: u64 = 16 << 20;

/// The bytes of a file, or why it cannot be read.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    if path.is_dir() {
        return Err("it is a folder, not a scenario file".to_owned());
    }
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 > MAX_BYTES => {
            Err("it is larger than 16 MiB, which no scenario file is".to_owned())
        }
        Ok(_) => Ok(bytes),
        Err(error) => Err(match error.kind() {
            ErrorKind::NotFound => "there is no such file".to_owned(),
            ErrorKind::PermissionDenied => "permission denied".to_owned(),
            _ => error.to_string(),
        }),
    }
}

/// Parses the file's bytes; `None` means that mistakes were noted.
pub(super) fn parse(
    origin: &str,
    bytes: &[u8],
    sources: &mut Sources,
    sink: &Sink,
) -> Option<Node> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            // The lossy text is the same up to the first wrong byte, and has a replacement
            // character there.
            let source = sources.add(origin, &String::from_utf8_lossy(bytes));
            let start = error.valid_up_to();
            let at = Loc { source, start, end: start + '\u{fffd}'.len_utf8() };
            sink.push(Problem::new(
                at,
                "the file is not UTF-8",
                "this byte belongs to no character",
            ));
            return None;
        }
    };
    let source = sources.add(origin, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let place = Place { source, offset: 0 };
    let root = Node { value: place.table(table.get_ref()), at: Loc { source, start: 0, end: 0 } };
    let mut line = None;
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        // Errors later in the same line are mostly consequences of the first.
        let end_of_line = text.get(span.start..).and_then(|rest| rest.find('\n'));
        let this_line = Some(end_of_line.map_or(text.len(), |end| span.start + end));
        if this_line == line {
            continue;
        }
        line = this_line;
        let at = Loc { source, start: span.start, end: span.end };
        sink.push(syntax_problem(at, error.message(), text, &root));
    }
    errors.is_empty().then_some(root)
}

/// How deep the parser lets tables and arrays nest.
const MAX_DEPTH: usize = 80;

/// A syntax error; a key that is given twice shows both places.
fn syntax_problem(at: Loc, message: &str, text: &str, root: &Node) -> Problem {
    if message == "duplicate key" {
        let written = text.get(at.start..at.end).unwrap_or("");
        let problem = Problem::new(at, format!("`{written}` is given twice"), "given again here");
        let key = written.trim_matches(['"', '\'']);
        return match header_before(text, at).or_else(|| key_before(root, key, at)) {
            Some(first) => problem.and(first, "given first here"),
            None => problem,
        };
    }
    // The parser's two messages: one for values, one for keys and headers.
    if message.contains("max recursion depth") || message == "recursion limit" {
        let label = format!("expected at most {MAX_DEPTH} tables or arrays inside each other");
        return Problem::new(at, "nested too deeply", label);
    }
    match message.split_once(", expected ") {
        Some((what, expected)) => Problem::new(at, what, format!("expected {expected}")),
        None => Problem::new(at, message, ""),
    }
}

/// The first line with the same table header as the line at `at`. The recovered tree has only the
/// second.
fn header_before(text: &str, at: Loc) -> Option<Loc> {
    let before = text.get(..at.start)?;
    let line = before.rfind('\n').map_or(0, |end| end + 1);
    let header = text.get(line..)?.lines().next()?.trim();
    if !header.starts_with('[') {
        return None;
    }
    let mut start = 0;
    for earlier in before.get(..line)?.split_inclusive('\n') {
        if earlier.trim() == header {
            return Some(Loc { source: at.source, start, end: start + earlier.trim_end().len() });
        }
        start += earlier.len();
    }
    None
}

/// The last place before `at` where `key` is a key: in the same table, that is the first one.
fn key_before(node: &Node, key: &str, at: Loc) -> Option<Loc> {
    match &node.value {
        Tree::Table(entries) => {
            let here = |entry: &TreeEntry| (entry.key == key).then_some(entry.key_at);
            let inside = |entry: &TreeEntry| key_before(&entry.node, key, at);
            let places = entries.iter().flat_map(|entry| [here(entry), inside(entry)]);
            places.flatten().filter(|place| place.start < at.start).max()
        }
        Tree::Array(items) => items.iter().filter_map(|item| key_before(item, key, at)).max(),
        _ => None,
    }
}

/// Parses a value inside another text, at `offset`; `None` if it is not TOML.
pub(super) fn parse_value(text: &str, source: usize, offset: usize) -> Option<Node> {
    let value = DeValue::parse(text).ok()?;
    Some(Place { source, offset }.node(&value))
}

/// The value of this text, as `--set` reads it: text that is not a TOML value is a string.
pub(super) fn value_of(text: &str) -> toml::Value {
    text.parse().unwrap_or_else(|_| toml::Value::String(text.to_owned()))
}

#[derive(Clone, Copy)]
struct Place {
    source: usize,
    offset: usize,
}

impl Place {
    fn loc<T>(self, spanned: &Spanned<T>) -> Loc {
        let span = spanned.span();
        Loc { source: self.source, start: span.start + self.offset, end: span.end + self.offset }
    }

    // The parser refuses nesting deeper than 80, so recursion is bounded.
    fn node(self, value: &Spanned<DeValue<'_>>) -> Node {
        let tree = match value.get_ref() {
            DeValue::String(text) => Tree::Text(text.to_string()),
            DeValue::Integer(number) => {
                Tree::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok())
            }
            // The parser has checked the text: parsing fails only by overflow.
            DeValue::Float(number) => Tree::Float(number.as_str().parse().unwrap_or(f64::INFINITY)),
            DeValue::Boolean(truth) => Tree::Bool(*truth),
            DeValue::Datetime(date) => Tree::Date(date.to_string()),
            DeValue::Array(items) => {
                Tree::Array(items.iter().map(|item| self.node(item)).collect())
            }
            DeValue::Table(table) => self.table(table),
        };
        Node { value: tree, at: self.loc(value) }
    }

    fn table(self, table: &DeTable<'_>) -> Tree {
        let entry = |(key, node): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| TreeEntry {
            key: key.get_ref().to_string(),
            key_at: self.loc(key),
            node: self.node(node),
        };
        Tree::Table(table.iter().map(entry).collect())
    }
}
