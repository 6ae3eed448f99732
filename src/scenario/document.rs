//! Scenario files as trees of TOML, the form in which shrinking edits them.
//!
//! Shrinking removes parts of a scenario and changes numbers, thousands of times. That is easier in
//! a file than in the settings that it decodes to, where names are indices and defaults look like
//! any other value. A [`Document`] decodes to the same scenario as its text, without the text.

use toml::{Table, Value};

use super::diagnostics::{Diagnostics, Loc};
use super::tree::value_of;
use super::{ConfiguredProtocol, Registry, Scenario, export, set};
use crate::config::Config;
use crate::names::Names;

mod brief;
mod decode;
mod render;
mod table;

use decode::decode;
use render::{bare_or_quoted, below};
use table::{find, is_list, item, item_mut, items, items_mut, leaves_of, put, remove};

pub use table::LISTS;

/// A scenario file as a tree.
///
/// A *path* names a key: its parts are joined by dots, and a part that has a dot is quoted, as in
/// `--set`. A *leaf* is a key whose value is not a table, or is a distribution: `network.delay`.
/// The items of a list ([`LISTS`]) have *places*, counted from 0; the paths in an item start there:
/// `put.key`.
///
/// Editing returns another document, which need not be a valid scenario: see
/// [`Document::scenario`].
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    comment: Vec<String>,
    file: Table,
}

impl Document {
    /// The scenario with every setting explicit, except clocks without error.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        Self { comment: Vec::new(), file: export::encode(scenario) }
    }

    /// The same for settings that were not read from a file; without a `[fuzz]`.
    #[must_use]
    pub fn of_settings(config: &Config, names: &Names, protocol: &dyn ConfiguredProtocol) -> Self {
        Self { comment: Vec::new(), file: export::encode_settings(config, names, protocol, None) }
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

    /// The document with these lines as the comment at its top. Lines are not wrapped; control
    /// characters, which a comment cannot have, are replaced.
    #[must_use]
    pub fn with_comment(&self, lines: &[String]) -> Self {
        Self { comment: lines.to_vec(), file: self.file.clone() }
    }

    /// The scenario that parsing the rendered text would give; `origin` is the file's name in
    /// diagnostics.
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

    /// As [`Document::scenario`], but without the mistakes: finding that there are some is several
    /// times as fast as showing them.
    #[must_use]
    pub fn try_scenario(&self, origin: &str, registry: &Registry) -> Option<Scenario> {
        decode(&self.file, registry).map(|decoded| Scenario::of_decoded(origin, decoded))
    }

    /// The document without redundant keys: those without which it decodes to an equal scenario.
    ///
    /// If either of two keys may go, but not both, the later one stays. Constant distributions are
    /// written as lengths of time. A document that is not a valid scenario stays as it is.
    #[must_use]
    pub fn brief(&self, registry: &Registry) -> Self {
        Self { comment: self.comment.clone(), file: brief::brief(&self.file, registry) }
    }

    /// How many items a list has; 0 if there is no such list.
    #[must_use]
    pub fn count(&self, list: &str) -> usize {
        items(&self.file, list).map_or(0, Vec::len)
    }

    /// The document without the items at these places of a list. Other places are ignored.
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

    /// The leaves of an item, in order: paths, and values as TOML. Empty if there is no such item.
    #[must_use]
    pub fn item(&self, list: &str, place: usize) -> Vec<(String, String)> {
        let Some(item) = item(&self.file, list, place) else { return Vec::new() };
        let mut found = Vec::new();
        leaves_of(item, &mut Vec::new(), &|_, _| true, &mut found);
        let text = |path: Vec<String>| Some((joined(&path), find(item, &path)?.to_string()));
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

    /// The value at a path, as TOML.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<String> {
        find(&self.file, &parts(path)?).map(Value::to_string)
    }

    /// The document with this value at a path. As with `--set`, missing tables are made, keys that
    /// exclude this one are removed, and text that is not a TOML value is a string. Invalid paths
    /// are ignored.
    #[must_use]
    pub fn set(&self, path: &str, value: &str) -> Self {
        let mut document = self.clone();
        if let Some(path) = parts(path) {
            put(&mut document.file, &mut Vec::new(), &path, value_of(value));
        }
        document
    }

    /// The document without the key at a path, a leaf or a table. Tables that this empties are
    /// removed too, except `[cluster]` and the protocol's.
    #[must_use]
    pub fn without_key(&self, path: &str) -> Self {
        let mut document = self.clone();
        if let Some(path) = parts(path) {
            remove(&mut document.file, &path, 0);
        }
        document
    }

    /// The value at a path of an item, as TOML.
    #[must_use]
    pub fn get_in(&self, list: &str, place: usize, path: &str) -> Option<String> {
        find(item(&self.file, list, place)?, &parts(path)?).map(Value::to_string)
    }

    /// As [`Document::set`], at a path of an item. It changes nothing if there is no such item.
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

    /// As [`Document::without_key`], at a path of an item.
    #[must_use]
    pub fn without_in(&self, list: &str, place: usize, path: &str) -> Self {
        let mut document = self.clone();
        if let (Some(path), Some(item)) = (parts(path), item_mut(&mut document.file, list, place)) {
            remove(item, &path, 1);
        }
        document
    }
}

/// The parts of a path; `None` if the text is not a path.
fn parts(path: &str) -> Option<Vec<String>> {
    let nowhere = Loc { source: 0, start: 0, end: 0 };
    let segments = set::path(path, nowhere).ok()?;
    Some(segments.into_iter().map(|segment| segment.key).collect())
}

/// The path of these parts.
fn joined<S: AsRef<str>>(parts: &[S]) -> String {
    parts.iter().fold(String::new(), |path, part| below(&path, &bare_or_quoted(part.as_ref())))
}

impl Scenario {
    /// The scenario as TOML that parses back to equal settings, every setting explicit.
    #[must_use]
    pub fn export(&self) -> String {
        Document::of(self).render()
    }
}
