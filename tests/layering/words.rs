//! Names of types: what two may share, and what none should be called.

use std::collections::BTreeMap;

use syn::visit::{self, Visit};

use crate::rules::{Breach, Rule};
use crate::source::{self, Source};

/// Names that are defined in several files because they mean the same in each, and why.
const SHARED: [(&str, &str); 4] = [
    ("Config", "the settings of a run, and of each protocol, as the contract calls them"),
    ("LogEntry", "leader-follower's is the one of `parts::log` with its own content"),
    ("Message", "the contract's trait, and the type of each protocol that implements it"),
    ("Operation", "the room that judges histories knows none of what ours ask of a node"),
];

/// Last words of names that say nothing.
const EMPTY: [&str; 7] = ["Manager", "Handler", "Helper", "Util", "Engine", "Processor", "Data"];

/// The rules on names of types, for the files of `src/` that are compiled outside of tests.
pub(crate) fn breaches(sources: &[Source], kept: &[usize]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let mut defined: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
    for file in kept {
        let mut types = Types(Vec::new());
        types.visit_file(sources[*file].kept());
        for (name, line) in types.0 {
            if EMPTY.iter().any(|word| name.ends_with(word)) {
                let what = format!("`{name}` says nothing: what is it?");
                breaches.push(Breach::new(Rule::EmptyName, &sources[*file], line, what));
            }
            let places = defined.entry(name).or_default();
            if places.iter().all(|(known, _)| known != file) {
                places.push((*file, line));
            }
        }
    }
    for (name, places) in &defined {
        if places.len() > 1 && !is_shared(name) {
            let shown: Vec<_> = places
                .iter()
                .map(|(file, line)| format!("{}:{line}", sources[*file].path))
                .collect();
            let (file, line) = places[0];
            let what = format!("`{name}` has {} definitions: {}", places.len(), shown.join(", "));
            let mut breach = Breach::new(Rule::DoubleName, &sources[file], line, what);
            breach.others = places.iter().map(|(file, _)| sources[*file].path.clone()).collect();
            breaches.push(breach);
        }
    }
    breaches
}

/// The names that may have several definitions and have not.
pub(crate) fn unneeded(sources: &[Source]) -> Vec<&'static str> {
    let files = |name: &str| {
        let defines = |source: &&Source| {
            let mut types = Types(Vec::new());
            types.visit_file(source.kept());
            types.0.iter().any(|(defined, _)| defined == name)
        };
        sources.iter().filter(|source| source.in_src().is_some()).filter(defines).count()
    };
    SHARED.iter().map(|(name, _)| *name).filter(|name| files(name) < 2).collect()
}

fn is_shared(name: &str) -> bool {
    SHARED.iter().any(|(shared, _)| *shared == name)
}

struct Types(Vec<(String, usize)>);

impl Types {
    fn add(&mut self, name: &syn::Ident) {
        self.0.push((name.to_string(), source::line(name.span())));
    }
}

impl<'ast> Visit<'ast> for Types {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        match item {
            syn::Item::Enum(item) => self.add(&item.ident),
            syn::Item::Struct(item) => self.add(&item.ident),
            syn::Item::Trait(item) => self.add(&item.ident),
            syn::Item::Type(item) => self.add(&item.ident),
            syn::Item::Union(item) => self.add(&item.ident),
            _ => {}
        }
        visit::visit_item(self, item);
    }
}
