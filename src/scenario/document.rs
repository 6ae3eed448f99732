//! Whole scenario files as trees of TOML: the form in which scenarios are edited.
//!
//! Shrinking takes things away from a scenario and changes its numbers, thousands of times, and
//! asks each time what the rest does. That is easier said of a file than of the settings that it
//! decodes to, where a name is an index and a default is a value like any other. A [`Document`] is
//! such a file without the text: it decodes to what its text would decode to, without going through
//! it.

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
/// A *path* names a key: its parts are joined by dots, and a part with a dot of its own is quoted,
/// as in `--set`. A *leaf* is a key whose value is no table, or a distribution: `network.delay`.
/// The items of a list ([`LISTS`]) are known by their *places*, counted from 0; paths of an item
/// start in it: `put.key`.
///
/// Editing leaves the document as it is and returns another. Whether that one is a scenario is told
/// by [`Document::scenario`].
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

    /// The document with these lines as a comment at its top, in place of those it had. Lines are
    /// not wrapped; what cannot stand in a comment, a control character, is replaced.
    #[must_use]
    pub fn with_comment(&self, lines: &[String]) -> Self {
        Self { comment: lines.to_vec(), file: self.file.clone() }
    }

    /// The scenario that parsing the rendered text would give; `origin` is what diagnostics call
    /// the file.
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

    /// The scenario, as [`Document::scenario`] gives it, or nothing: for a caller who will not show
    /// mistakes, since showing them takes several times as long as finding that there are some.
    #[must_use]
    pub fn try_scenario(&self, origin: &str, registry: &Registry) -> Option<Scenario> {
        decode(&self.file, registry).map(|decoded| Scenario::of_decoded(origin, decoded))
    }

    /// The document without every key that says what holds anyway: its absence decodes to an equal
    /// scenario.
    ///
    /// Keys are left out one by one, or many at once where all of them may go; of two keys of which
    /// either may go, but not both, the later one stays. Distributions that are constant are
    /// written as lengths of time. A document that is no scenario stays as it is.
    #[must_use]
    pub fn brief(&self, registry: &Registry) -> Self {
        Self { comment: self.comment.clone(), file: brief::brief(&self.file, registry) }
    }

    /// How many items a list has; none where there is no such list.
    #[must_use]
    pub fn count(&self, list: &str) -> usize {
        items(&self.file, list).map_or(0, Vec::len)
    }

    /// The document without the items at these places of a list. Places that are not there are
    /// passed over.
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

    /// The leaves of an item, in order: path and value as a text of TOML; none where there is no
    /// such item.
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

    /// The document with this value at a path, as `--set` puts it there: tables on the way are
    /// made, what excludes the key goes, and a text that is no value of TOML is a string. A path
    /// that is none changes nothing.
    #[must_use]
    pub fn set(&self, path: &str, value: &str) -> Self {
        let mut document = self.clone();
        if let Some(path) = parts(path) {
            put(&mut document.file, &mut Vec::new(), &path, value_of(value));
        }
        document
    }

    /// The document without the key at a path, be it a leaf or a table. A table that has nothing
    /// left goes too, but for `[cluster]` and the protocol's.
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

    /// The document with this value at a path of an item, as [`Document::set`] puts it. An item
    /// that is not there changes nothing.
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

    /// The document without the key at a path of an item. A table of the item that has nothing left
    /// goes too.
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

impl Scenario {
    /// The scenario as TOML that parses back to equal settings, every setting explicit.
    #[must_use]
    pub fn export(&self) -> String {
        Document::of(self).render()
    }
}
