//! Reading a table key by key.
//!
//! A [`TableDecoder`] hands out the values of one table, each as an [`Element`], and remembers
//! which keys were read; the others are unknown keys. An [`Element`] reads itself as a length of
//! time, a node, a choice. A mistake is noted where it is found, and decoding goes on, so one pass
//! finds all mistakes. `None` always means that a mistake was noted: read every key first, use `?`
//! last.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::RangeInclusive;

use super::diagnostics::{Loc, Problem, Sink};
use super::frame::Frame;
use super::names::Interned;
use super::tree::{Node, Tree, TreeEntry};
use super::units::{self, NotThat};
use crate::config::LogMoment;
use crate::rng::Probability;
use crate::spelling::nearest;
use crate::time::Span;

/// Where mistakes go, and the scenario that values have to fit into.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    pub(super) sink: &'a Sink,
    pub(super) names: &'a RefCell<Interned>,
    pub(super) frame: Frame,
    /// The protocol's kinds of message; `None` when the protocol is wrong: then any name will do.
    pub(super) kinds: Option<&'static [&'static str]>,
    /// The moments of a replicated log that its nodes can come to; `None` the same way.
    pub(super) moments: Option<&'static [LogMoment]>,
}

/// Reads the keys of one table.
#[derive(Debug)]
pub struct TableDecoder<'a> {
    entries: &'a [TreeEntry],
    at: Loc,
    path: String,
    read: Vec<String>,
    /// Missing keys, any one of which would do, and the mistake to report.
    missing: Vec<(Vec<String>, Problem)>,
    scope: Scope<'a>,
}

/// A value of the file, to be read as what it should be.
#[derive(Clone, Debug)]
pub struct Element<'a> {
    pub(super) node: &'a Node,
    scope: Scope<'a>,
    path: String,
}

impl<'a> TableDecoder<'a> {
    /// Reads `entries`, then notes the keys that `decode` did not read.
    pub(super) fn read<T>(
        entries: &'a [TreeEntry],
        at: Loc,
        path: &str,
        scope: Scope<'a>,
        decode: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let mut table = TableDecoder {
            entries,
            at,
            path: path.to_owned(),
            read: Vec::new(),
            missing: Vec::new(),
            scope,
        };
        let decoded = decode(&mut table);
        let known = table.finish();
        decoded.filter(|_| known)
    }

    /// Notes unknown and missing keys; whether there were none.
    fn finish(self) -> bool {
        let known = || self.read.iter().map(String::as_str);
        let unknown: Vec<&TreeEntry> =
            self.entries.iter().filter(|entry| !self.read.contains(&entry.key)).collect();
        let place = match self.path.replace("[]", "").as_str() {
            "" => "at the top of a scenario".to_owned(),
            path => format!("in `{path}`"),
        };
        for entry in &unknown {
            let title = format!("unknown key `{}`", entry.key.escape_debug());
            let label = format!("there is no such key {place}");
            let problem = Problem::new(entry.key_at, title, label);
            self.scope.sink.push(problem.suggest(&entry.key, known(), "the keys here are"));
        }
        let clean = unknown.is_empty() && self.missing.is_empty();
        // An unknown protocol is one mistake, not an unknown key and a missing protocol.
        let is_unknown_protocol = self.path == "protocol" && !unknown.is_empty();
        for (keys, problem) in self.missing {
            // A misspelt key is one mistake, not an unknown key and a missing one.
            let names = || keys.iter().map(String::as_str);
            let is_meant =
                |entry: &&TreeEntry| keys.is_empty() || nearest(&entry.key, names()).is_some();
            let is_misspelt = unknown.iter().any(is_meant);
            if !is_unknown_protocol && !is_misspelt {
                self.scope.sink.push(problem);
            }
        }
        clean
    }

    /// Where mistakes go.
    pub(super) const fn sink(&self) -> &'a Sink {
        self.scope.sink
    }

    /// The scenario that its values have to fit into.
    pub(super) const fn scope(&self) -> Scope<'a> {
        self.scope
    }

    /// Sets the scope of the keys that are read from here on.
    pub(super) const fn set_scope(&mut self, scope: Scope<'a>) {
        self.scope = scope;
    }

    /// How many nodes the scenario has.
    #[must_use]
    pub const fn nodes(&self) -> u16 {
        self.scope.frame.nodes
    }

    fn entry(&self, key: &str) -> Option<&'a TreeEntry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The value of `key`, if it is there; the key still counts as not read.
    pub(super) fn peek(&self, key: &str) -> Option<Element<'a>> {
        let entry = self.entry(key)?;
        Some(Element { node: &entry.node, scope: self.scope, path: String::new() })
    }

    /// The value of `key`, if it is there.
    pub fn get(&mut self, key: &str) -> Option<Element<'a>> {
        let path = self.path_of(key);
        if !self.read.iter().any(|read| read == key) {
            self.read.push(key.to_owned());
            self.scope.sink.note_read(&path);
        }
        Some(Element { node: &self.entry(key)?.node, scope: self.scope, path })
    }

    /// Whether `key` is there.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// Whether `key` is there and came from an argument, not from the file.
    #[must_use]
    pub fn is_from_argument(&self, key: &str) -> bool {
        self.entry(key).is_some_and(|entry| entry.node.at.source != 0)
    }

    /// The value of `key`, read by `read`; the default when it is not there.
    pub fn or<T>(
        &mut self,
        key: &str,
        default: T,
        read: impl FnOnce(&Element<'a>) -> Option<T>,
    ) -> Option<T> {
        self.get(key).map_or(Some(default), |element| read(&element))
    }

    /// The value of `key`, read by `read`; `Some(None)` when it is not there.
    pub fn optional<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&Element<'a>) -> Option<T>,
    ) -> Option<Option<T>> {
        self.get(key).map_or(Some(None), |element| read(&element).map(Some))
    }

    /// The value of `key`, read by `read`; a mistake when it is not there.
    pub fn required<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&Element<'a>) -> Option<T>,
    ) -> Option<T> {
        match self.get(key) {
            Some(element) => read(&element),
            None => {
                self.lacks(&[key], format!("`{key}` is missing"), format!("needs a key `{key}`"))
            }
        }
    }

    /// Notes that the table needs one of `keys` and has none. It is not reported where an unknown
    /// key looks like a misspelling of one of them.
    pub fn lacks<T>(
        &mut self,
        keys: &[&str],
        title: impl Display,
        label: impl Display,
    ) -> Option<T> {
        let problem = Problem::new(self.at, title.to_string(), label.to_string());
        self.missing.push((keys.iter().map(|key| (*key).to_owned()).collect(), problem));
        None
    }

    /// Notes that the table has none of the keys that would give it a meaning. It is not reported
    /// where the table has an unknown key.
    pub fn says_nothing<T>(&mut self, title: &str, label: &str) -> Option<T> {
        self.lacks(&[], title, label)
    }

    /// The table at `key`, read by `read`; as if it were empty when it is not there.
    pub fn table<T>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        match self.get(key) {
            Some(element) => element.table(read),
            None => Self::read(&[], self.at, &self.path_of(key), self.scope, read),
        }
    }

    /// Every item of the array at `key`, each read by `read`; none when it is not there.
    pub fn list<T>(
        &mut self,
        key: &str,
        mut read: impl FnMut(&Element<'a>) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.get(key).map_or(Some(Vec::new()), |element| element.list(&mut read))
    }

    /// Every key with its value, for a table whose keys are not fixed.
    pub fn entries(&mut self) -> Vec<(&'a str, Element<'a>)> {
        self.scope.sink.note_read(&format!("{}.*", self.path));
        self.read.extend(self.entries.iter().map(|entry| entry.key.clone()));
        let element = |entry: &'a TreeEntry| {
            let path = format!("{}.*", self.path);
            (entry.key.as_str(), Element { node: &entry.node, scope: self.scope, path })
        };
        self.entries.iter().map(element).collect()
    }

    /// Notes a mistake of the whole table; `label` says what was expected. Always `None`, for
    /// `return table.wrong(..)`.
    pub fn wrong<T>(&self, title: impl Display, label: impl Display) -> Option<T> {
        self.scope.sink.push(Problem::new(self.at, title.to_string(), label.to_string()));
        None
    }

    /// Where `key` was written.
    pub(super) fn key_at(&self, key: &str) -> Loc {
        self.entry(key).map_or(self.at, |entry| entry.key_at)
    }

    /// The only one of `keys` that is there, read by `read`, which takes the key's index in `keys`.
    /// None or several is a mistake; `what` names what the keys give. If there are several, each is
    /// read all the same, to report its mistakes.
    pub fn exactly_one<T>(
        &mut self,
        keys: &[&str],
        what: &str,
        mut read: impl FnMut(usize, &Element<'a>) -> Option<T>,
    ) -> Option<T> {
        let mut found: Vec<(usize, Option<T>)> = Vec::new();
        for (index, key) in keys.iter().enumerate() {
            found.extend(self.get(key).map(|element| (index, read(index, &element))));
        }
        if found.len() == 1 {
            return found.pop().and_then(|(_, read)| read);
        }
        let list = list_of(keys);
        // In file order.
        let mut places: Vec<(Loc, &str)> =
            found.iter().map(|(index, _)| (self.key_at(keys[*index]), keys[*index])).collect();
        places.sort();
        let Some(((at, last), earlier)) = places.split_last() else {
            return self.lacks(keys, format!("{what} is missing"), format!("needs one of {list}"));
        };
        let title = format!("{what} is given {} times", places.len());
        let mut problem = Problem::new(*at, title, format!("`{last}` contradicts it"));
        for (at, key) in earlier {
            problem = problem.and(*at, format!("`{key}` is given here"));
        }
        self.scope.sink.push(problem.help(format!("give one of {list}")));
        None
    }

    /// Notes a contradiction between two keys that are there.
    pub fn contradiction(&mut self, first: &str, second: &str, title: &str, help: &str) {
        let (a, b) = (self.key_at(first), self.key_at(second));
        let problem = Problem::new(b, title, format!("`{second}` is given here"));
        self.scope.sink.push(problem.and(a, format!("`{first}` is given here")).help(help));
    }
}

impl<'a> Element<'a> {
    /// An element outside any table: the file's root, or a value by itself.
    pub(super) fn new(node: &'a Node, scope: Scope<'a>, path: &str) -> Self {
        Self { node, scope, path: path.to_owned() }
    }

    /// Where mistakes go.
    pub(super) const fn sink(&self) -> &'a Sink {
        self.scope.sink
    }

    /// The scenario that it has to fit into.
    pub(super) const fn scope(&self) -> Scope<'a> {
        self.scope
    }

    /// How many nodes the scenario has.
    #[must_use]
    pub const fn nodes(&self) -> u16 {
        self.scope.frame.nodes
    }

    /// Notes a mistake at this value; `label` says what was expected. Always `None`, for `return
    /// element.wrong(..)`.
    pub fn wrong<T>(&self, title: impl Display, label: impl Display) -> Option<T> {
        self.scope.sink.push(Problem::new(self.node.at, title.to_string(), label.to_string()));
        None
    }

    pub(super) fn problem(&self, title: impl Into<String>, label: impl Into<String>) -> Problem {
        Problem::new(self.node.at, title, label)
    }

    /// Whether the value came from a `--set` argument, not from the file.
    #[must_use]
    pub const fn is_from_argument(&self) -> bool {
        self.node.at.source != 0
    }

    /// Where it was written.
    pub(super) const fn at(&self) -> Loc {
        self.node.at
    }

    fn mistyped<T>(&self, expected: &str) -> Option<T> {
        let title = format!("expected {expected}, found {}", self.node.value.kind());
        let key = self.path.trim_end_matches("[]").rsplit('.').next().unwrap_or_default();
        let label = if key == "*" { String::new() } else { format!("`{key}` takes {expected}") };
        self.wrong(title, label)
    }

    /// The value of `key`, in a table that has it; the key still counts as not read.
    pub(super) fn peek(&self, key: &str) -> Option<Self> {
        let entry = self.node.entry(key)?;
        Some(Self { node: &entry.node, scope: self.scope, path: String::new() })
    }

    /// Where `key` was written, in a table that has it.
    pub(super) fn key_at(&self, key: &str) -> Option<Loc> {
        self.node.entry(key).map(|entry| entry.key_at)
    }

    /// Reads it as a table.
    pub fn table<T>(&self, read: impl FnOnce(&mut TableDecoder<'a>) -> Option<T>) -> Option<T> {
        match &self.node.value {
            Tree::Table(entries) => {
                TableDecoder::read(entries, self.node.at, &self.path, self.scope, read)
            }
            _ => self.mistyped("a table"),
        }
    }

    /// Its items, when it is an array.
    pub fn items(&self) -> Option<Vec<Self>> {
        let path = format!("{}[]", self.path);
        match &self.node.value {
            Tree::Array(items) => {
                Some(items.iter().map(|node| Element::new(node, self.scope, &path)).collect())
            }
            _ => self.mistyped("an array"),
        }
    }

    /// Reads it as an array, each item by `read`.
    pub fn list<T>(&self, mut read: impl FnMut(&Self) -> Option<T>) -> Option<Vec<T>> {
        // Reads all items, to report the mistakes of each.
        let read: Vec<Option<T>> = self.items()?.iter().map(&mut read).collect();
        read.into_iter().collect()
    }

    /// Reads it as a string.
    pub fn text(&self) -> Option<&'a str> {
        match &self.node.value {
            Tree::Text(text) => Some(text),
            _ => self.mistyped("a string"),
        }
    }

    pub(super) const fn is_string(&self) -> bool {
        matches!(self.node.value, Tree::Text(_))
    }

    pub(super) const fn is_table(&self) -> bool {
        matches!(self.node.value, Tree::Table(_))
    }

    pub(super) const fn is_array(&self) -> bool {
        matches!(self.node.value, Tree::Array(_))
    }

    /// Whether it is this string.
    #[must_use]
    pub fn is_text(&self, text: &str) -> bool {
        matches!(&self.node.value, Tree::Text(found) if found == text)
    }

    /// Reads it as a text of one line: without control characters; it may be empty.
    pub fn line(&self) -> Option<&'a str> {
        let text = self.text()?;
        if text.chars().any(char::is_control) {
            return self
                .wrong("the text has control characters", "expected one line of visible text");
        }
        Some(text)
    }

    /// Reads it as a name: a string that is not empty and has no control characters.
    pub fn name(&self) -> Option<&'a str> {
        let text = self.text()?;
        if text.is_empty() || text.chars().any(char::is_control) {
            return self.wrong("a name is empty or unprintable", "expected some visible text");
        }
        Some(text)
    }

    /// Reads it as `true` or `false`.
    pub fn boolean(&self) -> Option<bool> {
        match &self.node.value {
            Tree::Bool(truth) => Some(*truth),
            _ => self.mistyped("`true` or `false`"),
        }
    }

    /// Reads it as `true`, the only value of a key that is a flag.
    pub(super) fn only_true(&self) -> Option<()> {
        if self.boolean()? {
            return Some(());
        }
        self.wrong("this can only be `true`", "leave the key out instead")
    }

    /// Reads it as a whole number of `range`.
    pub fn integer<N: TryFrom<i64> + PartialOrd + Display>(
        &self,
        range: RangeInclusive<N>,
    ) -> Option<N> {
        let expected = format!("expected a whole number from {} to {}", range.start(), range.end());
        match &self.node.value {
            Tree::Integer(Some(number)) => match N::try_from(*number) {
                Ok(number) if range.contains(&number) => Some(number),
                _ => self.wrong(format!("{number} is out of range"), expected),
            },
            Tree::Integer(None) => self.wrong("the number is out of range", expected),
            _ => self.mistyped("a whole number"),
        }
    }

    /// The number that it is, if it is one.
    const fn number(&self) -> Option<f64> {
        match self.node.value {
            Tree::Float(number) => Some(number),
            // Large integers lose their last digits; no parameter of a distribution needs them.
            Tree::Integer(Some(number)) => Some(number as f64),
            _ => None,
        }
    }

    /// Reads it as a finite number above 0.
    pub fn positive_number(&self) -> Option<f64> {
        let Some(number) = self.number() else { return self.mistyped("a number") };
        if number.is_finite() && number > 0.0 {
            return Some(number);
        }
        self.wrong(format!("{number} is out of range"), "expected a finite number above 0")
    }

    /// Reads it as one of some words, each standing for a value.
    pub fn choice<T: Clone>(&self, choices: &[(&str, T)]) -> Option<T> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let Tree::Text(text) = &self.node.value else {
            return self.mistyped(&format!("one of {}", list_of(&words)));
        };
        if let Some((_, value)) = choices.iter().find(|(word, _)| word == text) {
            return Some(value.clone());
        }
        let title = format!("`{}` is none of the choices", text.escape_debug());
        let label = format!("expected one of {}", list_of(&words));
        self.scope.sink.push(self.problem(title, label).suggest(text, words, "the choices are"));
        None
    }

    /// Reads it as a length of time: `"150ms"`, `"1.5s"`; exact.
    pub fn duration(&self) -> Option<Span> {
        self.quantity(units::duration, "a length of time", "such as \"150ms\"")
    }

    /// Reads it as a length of time above 0.
    pub fn positive_duration(&self) -> Option<Span> {
        let span = self.duration()?;
        if span.is_zero() {
            return self.wrong("a length of time is zero", "expected more than 0");
        }
        Some(span)
    }

    /// Reads it as a length of time that may be negative, in nanoseconds: `"-5s"`.
    pub fn signed_duration(&self) -> Option<i64> {
        self.quantity(units::signed_duration, "a length of time", "such as \"-5s\" or \"150ms\"")
    }

    /// Reads it as a drift in parts per billion: `"200ppm"`, `"-0.5%"`.
    pub(super) fn drift(&self) -> Option<i64> {
        self.quantity(units::drift, "a drift", "such as \"200ppm\" or \"-0.5%\"")
    }

    /// Reads it as bytes a second: `"10MB/s"`.
    pub(super) fn bandwidth(&self) -> Option<u64> {
        self.quantity(units::bandwidth, "a bandwidth", "such as \"10MB/s\"")
    }

    /// Reads it as a rate: `"100/s"`.
    pub(super) fn rate(&self) -> Option<units::Rate> {
        self.quantity(units::rate, "a rate", "such as \"100/s\"")
    }

    /// Reads it as a probability: `"0.5%"`, or a number from 0 to 1.
    pub fn probability(&self) -> Option<Probability> {
        let Some(number) = self.number() else {
            return self.quantity(units::percentage, "a percentage", "such as \"0.5%\"");
        };
        if !(0.0..=1.0).contains(&number) {
            let title = format!("{number} is no probability");
            return self.wrong(title, "expected 0 to 1, or a percentage such as \"5%\"");
        }
        // At most a billion, so the cast is exact.
        let parts = (number * 1e9).round() as u32;
        Probability::from_parts_per_billion(parts)
    }

    fn quantity<T>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, NotThat>,
        what: &str,
        example: &str,
    ) -> Option<T> {
        let Tree::Text(text) = &self.node.value else {
            return self.mistyped(&format!("{what} {example}"));
        };
        match parse(text) {
            Ok(quantity) => Some(quantity),
            Err(NotThat { why }) => {
                let shown: String = text.escape_debug().take(60).collect();
                let problem = self.problem(format!("`{shown}` is not {what}"), why);
                self.scope.sink.push(problem.help(format!("write {what} {example}")));
                None
            }
        }
    }
}

/// The word that stands for `value` among the choices that [`Element::choice`] reads it from; empty
/// when none does.
pub fn word_for<T: PartialEq>(choices: &[(&'static str, T)], value: &T) -> &'static str {
    choices.iter().find(|(_, choice)| choice == value).map_or("", |(word, _)| word)
}

/// "`a`, `b` or `c`".
pub(super) fn list_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
