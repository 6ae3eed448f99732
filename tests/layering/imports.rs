//! Arrows between files: who uses what is defined where. And the circles that they make.

use std::collections::{BTreeMap, BTreeSet};

use crate::modules::{Kind, Modules};
use crate::rules::{Breach, Rule};
use crate::source::Source;

/// Files that may use `Protocol`, although the file that defines it uses what they define: a
/// protocol is handed a context of its own type, and a context is generic over the protocol.
const CONTRACT: [&str; 3] = ["protocol/context.rs", "protocol/effect.rs", "protocol/input.rs"];

/// The arrows from each file to those whose items it uses, with the line and the name of each use.
pub(crate) struct Imports<'s> {
    sources: &'s [Source],
    arrows: BTreeMap<usize, BTreeMap<usize, BTreeSet<(usize, String)>>>,
}

impl<'s> Imports<'s> {
    pub(crate) fn of(sources: &'s [Source], modules: &Modules) -> Self {
        let mut arrows: BTreeMap<_, BTreeMap<_, BTreeSet<_>>> = BTreeMap::new();
        for used in &modules.uses {
            // A parent that passes on what its child defines does not use it.
            if used.kind != Kind::Reexport
                && let Some(target) = modules.target(used)
                && target.file != used.file
                && !is_of_the_contract(&sources[used.file], &target.name)
            {
                let targets = arrows.entry(used.file).or_default();
                targets.entry(target.file).or_default().insert((used.line, target.name));
            }
        }
        Self { sources, arrows }
    }

    /// The circles between files.
    pub(crate) fn circles(&self) -> Vec<Breach> {
        let graph = self.arrows.iter().map(|(from, to)| (*from, to.keys().copied().collect()));
        circles(&graph.collect()).iter().map(|circle| self.circle(circle)).collect()
    }

    /// The circles between the rooms, which are the modules directly beneath the crate's root.
    pub(crate) fn circles_of_rooms(&self) -> Vec<Breach> {
        let room = |file: usize| room(self.sources[file].in_src().unwrap()).to_owned();
        let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, targets) in &self.arrows {
            let to = targets.keys().map(|to| room(*to)).filter(|to| *to != room(*from));
            graph.entry(room(*from)).or_default().extend(to);
        }
        graph.retain(|room, _| room != "lib");
        let circle = |rooms: &BTreeSet<String>| {
            let files = self.arrows.keys().filter(|file| rooms.contains(&room(**file)));
            let mut breach = self.arrows_among(files, |from, to| {
                room(from) != room(to) && rooms.contains(&room(to))
            });
            let names: Vec<_> = rooms.iter().map(|name| format!("`{name}`")).collect();
            breach.rule = Rule::CircleOfRooms;
            breach.what = format!("{} use each other:{}", names.join(", "), breach.what);
            breach
        };
        circles(&graph).iter().map(circle).collect()
    }

    fn circle(&self, files: &BTreeSet<usize>) -> Breach {
        let mut breach = self.arrows_among(files.iter(), |_, to| files.contains(&to));
        breach.what = format!("a circle of {} files:{}", files.len(), breach.what);
        breach
    }

    /// The arrows from `files` that count, a line an arrow.
    fn arrows_among<'f>(
        &self,
        files: impl Iterator<Item = &'f usize>,
        counts: impl Fn(usize, usize) -> bool,
    ) -> Breach {
        let (mut what, mut others) = (String::new(), Vec::new());
        for from in files {
            let mut used = false;
            for (to, uses) in &self.arrows[from] {
                if !counts(*from, *to) {
                    continue;
                }
                used = true;
                let names: BTreeSet<_> = uses.iter().map(|(_, name)| name.as_str()).collect();
                let names: Vec<_> = names.into_iter().collect();
                let (line, _) = uses.first().unwrap();
                let (from, to) = (&self.sources[*from].path, &self.sources[*to].path);
                what.push_str(&format!("\n    {from}:{line} -> {to} ({})", names.join(", ")));
            }
            if used {
                others.push(self.sources[*from].path.clone());
            }
        }
        let file = others.first().cloned().unwrap_or_default();
        Breach { rule: Rule::Circle, file, line: 0, what, others }
    }
}

fn is_of_the_contract(source: &Source, name: &str) -> bool {
    name == "Protocol" && source.in_src().is_some_and(|file| CONTRACT.contains(&file))
}

/// The module directly beneath the crate's root that a file of `src/` belongs to.
pub(crate) fn room(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap_or_default()
}

/// The groups of two and more that reach one another.
fn circles<N: Ord + Clone>(graph: &BTreeMap<N, BTreeSet<N>>) -> Vec<BTreeSet<N>> {
    let reached: BTreeMap<&N, BTreeSet<&N>> =
        graph.keys().map(|start| (start, reached_from(graph, start))).collect();
    let mut circles = BTreeSet::new();
    for (start, ahead) in &reached {
        let back =
            ahead.iter().filter(|node| reached.get(*node).is_some_and(|r| r.contains(start)));
        let circle: BTreeSet<N> = back.map(|node| (*node).clone()).collect();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

fn reached_from<'g, N: Ord>(graph: &'g BTreeMap<N, BTreeSet<N>>, start: &N) -> BTreeSet<&'g N> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&N> = graph.get(start).into_iter().flatten().collect();
    while let Some(node) = open.pop() {
        if reached.insert(node) {
            open.extend(graph.get(node).into_iter().flatten());
        }
    }
    reached
}
