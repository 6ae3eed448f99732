//! The rules, and everything that breaks one.

use std::fmt;

use crate::imports::Imports;
use crate::modules::{Modules, module_path};
use crate::source::{Source, is_cfg_test};
use crate::{layers, sizes, words};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// Imports point down.
    Layer,
    /// No protocol uses another, and no shared part uses one.
    Protocols,
    /// What one room alone may name, and what is kept out of everything that is replayed.
    Place,
    /// Rooms of one layer do not use each other in a circle.
    CircleOfRooms,
    /// Files do not use each other in a circle.
    Circle,
    FileLength,
    FunctionLength,
    LineWidth,
    /// No function that others see takes a tuple apart in its parameters.
    TupleParameter,
    /// A name of a type has one meaning.
    DoubleName,
    /// A name of a type says what it is.
    EmptyName,
    /// Each file is a module of its parent.
    DeadFile,
}

/// Where and how a file breaks a rule.
#[derive(Debug)]
pub(crate) struct Breach {
    pub(crate) rule: Rule,
    /// From the top of the repository.
    pub(crate) file: String,
    /// 0 where the whole file is meant.
    pub(crate) line: usize,
    pub(crate) what: String,
    /// All files that have a part in it, where these are several.
    pub(crate) others: Vec<String>,
}

impl Breach {
    pub(crate) fn new(rule: Rule, source: &Source, line: usize, what: String) -> Self {
        Self { rule, file: source.path.clone(), line, what, others: Vec::new() }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// Everything in these sources that breaks a rule, by rule, file and line.
pub(crate) fn breaches(sources: &[Source]) -> Vec<Breach> {
    let test_only = test_only(sources);
    let kept: Vec<usize> = (0..sources.len())
        .filter(|file| sources[*file].in_src().is_some() && !test_only.contains(file))
        .collect();
    let modules = Modules::of(sources, |file| kept.contains(&file));
    let imports = Imports::of(sources, &modules);
    let mut breaches = layers::breaches(sources, &modules, &kept);
    breaches.extend(imports.circles_of_rooms());
    breaches.extend(imports.circles());
    breaches.extend(sizes::breaches(sources));
    breaches.extend(words::breaches(sources, &kept));
    breaches.extend(dead_files(sources));
    let place =
        |breach: &Breach| (breach.rule, breach.file.clone(), breach.line, breach.what.clone());
    breaches.sort_by_key(place);
    breaches.dedup_by_key(|breach| place(breach));
    breaches
}

/// The files of `src/` that are declared as modules of tests, `#[cfg(test)] mod name;`, and those
/// beneath them.
pub(crate) fn test_only(sources: &[Source]) -> Vec<usize> {
    let tests: Vec<_> = declared(sources).into_iter().filter(|declared| declared.is_test).collect();
    let is_beneath = |source: &Source| {
        let path = source.in_src().map(module_path);
        path.is_some_and(|path| tests.iter().any(|declared| path.starts_with(&declared.path)))
    };
    (0..sources.len()).filter(|file| is_beneath(&sources[*file])).collect()
}

/// The files of `src/` that no file declares.
fn dead_files(sources: &[Source]) -> Vec<Breach> {
    if sources.iter().all(|source| source.in_src() != Some("lib.rs")) {
        return Vec::new();
    }
    let declared = declared(sources);
    let is_dead = |source: &&Source| {
        source.in_src().is_some_and(|file| {
            let path = module_path(file);
            !matches!(file, "lib.rs" | "main.rs") && declared.iter().all(|known| known.path != path)
        })
    };
    let dead = sources.iter().filter(is_dead);
    dead.map(|source| Breach::new(Rule::DeadFile, source, 0, "no module declares it".to_owned()))
        .collect()
}

/// A module with a file of its own.
struct Declared {
    path: Vec<String>,
    is_test: bool,
}

fn declared(sources: &[Source]) -> Vec<Declared> {
    let mut found = Vec::new();
    for source in sources {
        if let Some(file) = source.in_src() {
            add_declared(&module_path(file), &source.whole.items, &mut found);
        }
    }
    found
}

fn add_declared(parent: &[String], items: &[syn::Item], found: &mut Vec<Declared>) {
    for item in items {
        let syn::Item::Mod(item) = item else { continue };
        let mut path = parent.to_vec();
        path.push(item.ident.to_string());
        match &item.content {
            Some((_, items)) => add_declared(&path, items, found),
            None => {
                let is_test = item.attrs.iter().any(is_cfg_test);
                found.push(Declared { path, is_test });
            }
        }
    }
}
