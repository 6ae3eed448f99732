//! Which module may use which, and what stays where it belongs.

use crate::imports::room;
use crate::modules::{Kind, Modules, Use};
use crate::rules::{Breach, Rule};
use crate::source::{self, Source};
use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

/// Rooms by layer, the lowest first. A room may use its own layer and those below.
///
/// Some are still to be built.
const LAYERS: [&[&str]; 8] = [
    &["time", "id", "rng", "sampler", "digest", "spelling", "named"],
    &[
        "operation",
        "names",
        "config",
        "history",
        "metrics",
        "property",
        "promise",
        "linearizability",
    ],
    &["protocol"],
    &["check"],
    &["sim"],
    &["run", "explain", "scenario", "foreign"],
    &["report", "experiment", "fuzz", "zoo", "lab"],
    &["main", "cli"],
];

/// What each room of layer 5 may use of its own layer. What plays and explains a run does not know
/// that its settings came from a file.
const LAYER_5: [(&str, &[&str]); 4] = [
    ("run", &[]),
    ("explain", &["run"]),
    ("foreign", &[]),
    ("scenario", &["run", "explain", "foreign"]),
];

/// The first layer that may use hash maps, the machine's clock and floats: nothing it computes is
/// replayed.
const FREE_LAYER: usize = 5;

/// Floats below that layer: parameters of distributions, and the samplers' arithmetic on `libm`.
const FLOATS_ALLOWED: [&str; 2] = ["sampler.rs", "config/workload.rs"];

/// Folders of `protocol/` that hold no protocol.
const NO_PROTOCOLS: [&str; 2] = ["parts", "harness"];

/// Shared parts that are handed the `Context` of whatever protocol keeps them: they write to disk.
const WRITES_TO_DISK: [&str; 2] = ["protocol/parts/wal.rs", "protocol/parts/checkpoint.rs"];

/// Crates that may be named in one room only.
const CRATES: [(&str, &str); 2] = [("toml", "scenario"), ("plotters", "report")];

/// Crates with sockets in them. `std::net` is another.
const SOCKETS: [&str; 8] =
    ["tokio", "hyper", "tiny_http", "axum", "mio", "socket2", "tungstenite", "rouille"];

/// The rules on what a file may name, for all files of `src/` that are in `modules`.
pub(crate) fn breaches(sources: &[Source], modules: &Modules, kept: &[usize]) -> Vec<Breach> {
    let protocols = protocols(sources);
    let mut breaches = Vec::new();
    for file in kept {
        let source = &sources[*file];
        let room = room(source.in_src().unwrap());
        // The map of the code declares every module and uses none.
        if room != "lib" && layer_of(room).is_none() {
            let what = format!("`{room}` is not in the table of layers");
            breaches.push(Breach::new(Rule::Layer, source, 1, what));
        }
        for line in floats(source.kept()) {
            if let Some(what) = float(source.in_src().unwrap(), "a float") {
                breaches.push(Breach::new(Rule::Place, source, line, what));
            }
        }
    }
    for used in &modules.uses {
        let source = &sources[used.file];
        let file = source.in_src().unwrap();
        let mut breach = |rule, what: Option<String>| {
            breaches.extend(what.map(|what| Breach::new(rule, source, used.line, what)));
        };
        let absolute = modules.absolute(used);
        let target = modules.target(used).and_then(|item| sources[item.file].in_src());
        let climbs = modules
            .climbs_to_the_root(used)
            .then(|| "a path from the root: name it by `crate::`".to_owned());
        let upward = absolute.as_ref().and_then(|path| upward(room(file), path));
        breach(Rule::Layer, upward.or(climbs));
        let named = absolute.iter().flat_map(|path| protocol_named(path, &protocols));
        let reached = target.into_iter().flat_map(|target| protocol_of(target, &protocols));
        breach(
            Rule::Protocols,
            named.chain(reached).find_map(|used| foreign_protocol(file, used, &protocols)),
        );
        if file.starts_with("protocol/parts/")
            && !WRITES_TO_DISK.contains(&file)
            && used.path.iter().any(|name| name == "Context")
        {
            let what = "a part names `Context`: it decides, and the protocol sends".to_owned();
            breach(Rule::Protocols, Some(what));
        }
        breach(Rule::Place, misplaced(file, used));
    }
    breaches
}

fn layer_of(room: &str) -> Option<usize> {
    LAYERS.iter().position(|rooms| rooms.contains(&room))
}

/// What is wrong with a use of `path` by a room.
fn upward(room: &str, path: &[String]) -> Option<String> {
    let used = path.first()?.as_str();
    let (layer, theirs) = (layer_of(room)?, layer_of(used)?);
    if theirs > layer {
        return Some(format!("`{room}` (layer {layer}) uses `{used}` (layer {theirs})"));
    }
    if room == used {
        return None;
    }
    if room == "linearizability" && theirs > 0 {
        return Some(format!("`{room}` uses `{used}`, and may use layer 0 alone"));
    }
    let (_, allowed) = LAYER_5.iter().find(|(of, _)| *of == room)?;
    (theirs == layer && !allowed.contains(&used))
        .then(|| format!("`{room}` uses `{used}` of its own layer"))
}

/// The folders of `protocol/` that hold a protocol.
fn protocols(sources: &[Source]) -> Vec<String> {
    let files = sources.iter().filter_map(|source| source.path.strip_prefix("src/protocol/"));
    let folders = files.filter_map(|file| file.split_once('/')).map(|(folder, _)| folder);
    let mut protocols: Vec<_> =
        folders.filter(|folder| !NO_PROTOCOLS.contains(folder)).map(str::to_owned).collect();
    protocols.dedup();
    protocols
}

/// The protocol that a path from the root leads into.
fn protocol_named<'p>(path: &[String], protocols: &'p [String]) -> Option<&'p str> {
    let [room, named, ..] = path else { return None };
    protocols.iter().find(|known| room == "protocol" && *known == named).map(String::as_str)
}

/// The protocol that a file belongs to.
fn protocol_of<'p>(file: &str, protocols: &'p [String]) -> Option<&'p str> {
    let (folder, _) = file.strip_prefix("protocol/")?.split_once('/')?;
    protocols.iter().find(|known| *known == folder).map(String::as_str)
}

/// A use of a protocol by another or by a shared part.
fn foreign_protocol(file: &str, used: &str, protocols: &[String]) -> Option<String> {
    match protocol_of(file, protocols) {
        Some(own) if own != used => Some(format!("`{own}` uses its sibling protocol `{used}`")),
        None if file.starts_with("protocol/parts/") => {
            Some(format!("a part uses the protocol `{used}`"))
        }
        _ => None,
    }
}

/// A name that does not belong in the file.
fn misplaced(file: &str, used: &Use) -> Option<String> {
    let room = room(file);
    let first = used.path[0].as_str();
    let last = used.path.last().unwrap().as_str();
    let front = matches!(room, "cli" | "main");
    let names = |path: &[&str]| used.path.windows(path.len()).any(|window| window == path);
    let is_path = used.path.len() > 1;
    if let Some((name, home)) = CRATES.iter().find(|(name, _)| *name == first)
        && is_path
        && room != *home
    {
        return Some(format!("`{name}` outside {home}"));
    }
    let is_socket = names(&["std", "net"]) || (is_path && SOCKETS.contains(&first));
    let serves = file.starts_with("cli/serve/") || file == "cli/serve.rs";
    if (is_socket || names(&["os", "unix", "net"])) && !serves {
        return Some("a socket outside cli/serve".to_owned());
    }
    if used.kind == Kind::Macro
        && matches!(last, "print" | "println" | "eprint" | "eprintln" | "dbg")
        && !front
    {
        return Some(format!("`{last}!` outside cli"));
    }
    if names(&["process", "exit"]) && !front {
        return Some("`process::exit` outside cli".to_owned());
    }
    if layer_of(room).is_none_or(|layer| layer >= FREE_LAYER) {
        return None;
    }
    let below = |what: &str| Some(format!("`{what}` below layer {FREE_LAYER}"));
    if let Some(map) = used.path.iter().find(|name| matches!(name.as_str(), "HashMap" | "HashSet"))
    {
        return below(map);
    }
    if names(&["std", "time"]) {
        return below("std::time");
    }
    let named = used.path.iter().find(|name| matches!(name.as_str(), "f32" | "f64"))?;
    float(file, &format!("`{named}`"))
}

fn float(file: &str, what: &str) -> Option<String> {
    let replayed = layer_of(room(file)).is_some_and(|layer| layer < FREE_LAYER);
    (replayed && !FLOATS_ALLOWED.contains(&file))
        .then(|| format!("{what} below layer {FREE_LAYER}"))
}

/// The lines with a number that is a float.
fn floats(file: &syn::File) -> Vec<usize> {
    let mut floats = Floats { lines: Vec::new() };
    floats.visit_file(file);
    floats.lines
}

struct Floats {
    lines: Vec<usize>,
}

impl Floats {
    fn scan(&mut self, tokens: TokenStream) {
        let mut after_dot = false;
        for token in tokens {
            match &token {
                TokenTree::Group(group) => self.scan(group.stream()),
                // In `pair.0.1` the lexer sees a float.
                TokenTree::Literal(literal) if !after_dot => {
                    self.visit_lit(&syn::Lit::new(literal.clone()));
                }
                _ => {}
            }
            after_dot = matches!(&token, TokenTree::Punct(sign) if sign.as_char() == '.');
        }
    }
}

impl<'ast> Visit<'ast> for Floats {
    fn visit_lit(&mut self, literal: &'ast syn::Lit) {
        let is_float = match literal {
            syn::Lit::Float(_) => true,
            syn::Lit::Int(number) => matches!(number.suffix(), "f32" | "f64"),
            _ => false,
        };
        if is_float {
            self.lines.push(source::line(literal.span()));
        }
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.scan(call.tokens.clone());
        visit::visit_macro(self, call);
    }
}
