//! The house rules that a compiler does not know: imports point down, and some things stay where they belong.
//!
//! What is compiled for unit tests alone is exempt: a test may drive a part from above.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules by layer, the lowest first. A module may use its own layer and those below.
const LAYERS: [&[&str]; 8] = [
    &["time", "id", "rng", "sampler", "digest"],
    &["operation", "names", "config", "history", "metrics", "property"],
    &["protocol"],
    &["check"],
    &["sim"],
    &["run", "scenario"],
    &["report", "experiment", "fuzz"],
    &["main", "cli"],
];

/// The first layer that may use hash maps, the machine's clock and floats: nothing it computes is replayed.
const FREE_LAYER: usize = 5;

/// Floats below that layer: parameters of distributions, and the samplers' arithmetic on `libm`.
const FLOATS_ALLOWED: [&str; 2] = ["sampler.rs", "config/mod.rs"];

/// Where and how a file breaks a rule.
#[derive(Debug, PartialEq, Eq)]
struct Breach {
    file: String,
    line: usize,
    rule: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "src/{}:{}: {}", self.file, self.line, self.rule)
    }
}

#[test]
fn every_file_keeps_the_rules() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    collect(&src, &src, &mut sources);
    sources.sort();
    assert!(sources.len() > 10, "the sources were not found");
    let protocols: Vec<String> = folders_in(&src.join("protocol"));
    let test_only = test_only_files(&sources);
    let kept = sources.iter().filter(|(file, _)| !test_only.contains(file));
    let breaches: Vec<_> =
        kept.flat_map(|(file, text)| breaches_of(file, text, &protocols)).collect();
    let shown: Vec<_> = breaches.iter().map(ToString::to_string).collect();
    assert!(breaches.is_empty(), "{} breaches:\n{}", shown.len(), shown.join("\n"));
}

#[test]
fn a_planted_breach_is_caught() {
    let protocols = ["raft".to_owned(), "leader_follower".to_owned()];
    let rules = |file: &str, text: &str| -> Vec<String> {
        breaches_of(file, text, &protocols).into_iter().map(|breach| breach.rule).collect()
    };
    let bad = [
        ("check/mod.rs", "use crate::sim::Simulation;", "`check` (layer 3) uses `sim` (layer 4)"),
        ("id.rs", "fn f(c: &crate::config::Config) {}", "`id` (layer 0) uses `config` (layer 1)"),
        (
            "sim/mod.rs",
            "use crate::{\n    time::{Time, Span},\n    scenario::Scenario,\n};",
            "`sim` (layer 4) uses `scenario` (layer 5)",
        ),
        ("protocol/raft/mod.rs", "use crate::protocol::leader_follower::X;", "sibling protocol"),
        ("protocol/raft/mod.rs", "use super::leader_follower::X;", "sibling protocol"),
        ("protocol/raft/log.rs", "use super::super::leader_follower::X;", "sibling protocol"),
        ("id.rs", "use super::sim::Simulation;", "name it by `crate::`"),
        ("run.rs", "use toml::Value;", "`toml` outside scenario"),
        ("report/json.rs", "println!();", "`println!` outside cli"),
        ("sim/mod.rs", "std::process::exit(1)", "`process::exit` outside cli"),
        ("sim/mod.rs", "use std::collections::HashMap;", "`HashMap` below layer 5"),
        ("sim/mod.rs", "use std::collections::{BTreeMap, HashSet};", "`HashSet` below layer 5"),
        ("sim/mod.rs", "use std::time::Instant;", "`std::time` below layer 5"),
        ("sim/mod.rs", "use std::{fmt, time};", "`std::time` below layer 5"),
        ("sim/mod.rs", "let x: f64 = 1;", "`f64` below layer 5"),
        ("sim/mod.rs", "let x = 1f32;", "`f32` below layer 5"),
        ("cli/run.rs", "use plotters::prelude;", "`plotters` outside report"),
        ("nowhere.rs", "", "not in the table of layers"),
    ];
    for (file, text, rule) in bad {
        let found = rules(file, text);
        assert!(found.len() == 1 && found[0].contains(rule), "{file}: {text}: {found:?}");
    }
    let good = [
        ("sim/mod.rs", "use crate::time::Time; // use crate::cli::X; f64"),
        (
            "sim/mod.rs",
            "/// [`crate::run::run`] and `f64`\n/* /* crate::cli */ HashMap */ fn f() {}",
        ),
        ("sim/mod.rs", "const X: &str = \"crate::cli // f64\"; const Y: &str = r#\"\"f64\"\"#;"),
        ("sim/mod.rs", "fn f<'a>(c: char) -> bool { c == '\"' || c == '\\'' } // f64 \""),
        (
            "sim/mod.rs",
            "fn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::cli;\n    const X: f64 = 1.0;\n}",
        ),
        (
            "sim/node.rs",
            "use super::disk::Disk;\nmod inner {\n    use super::super::disk::Disk;\n}",
        ),
        ("config/mod.rs", "pub exponent: f64"),
        ("protocol/raft/mod.rs", "use crate::protocol::wal; use super::quorum;"),
        ("protocol/mod.rs", "pub mod raft; pub mod leader_follower;"),
        ("scenario/parse.rs", "use toml::Value; use std::time::Duration;"),
        ("cli/mod.rs", "print!(); eprintln!();"),
        ("run.rs", "fn describe(toml: &str) -> Time { crate::time::Time::ZERO }"),
    ];
    for (file, text) in good {
        assert_eq!(rules(file, text), Vec::<String>::new(), "{file}: {text}");
    }
}

#[test]
fn files_compiled_for_tests_alone_are_exempt() {
    let source = |file: &str, text: &str| (file.to_owned(), text.to_owned());
    let sources = [
        source("report/mod.rs", "#[cfg(test)]\npub(crate) mod sample;\nmod text;"),
        source("report/sample.rs", ""),
        source("report/text.rs", "#[cfg(test)] mod tests;"),
        source("report/text/tests.rs", ""),
        source("report/tests.rs", ""),
    ];
    assert_eq!(test_only_files(&sources), ["report/sample.rs", "report/text/tests.rs"]);
}

fn folders_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.path().is_dir());
    folders.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// Every source file beneath `folder`, by its path from `src` with forward slashes.
fn collect(src: &Path, folder: &Path, sources: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(src, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let parts: Vec<_> =
                path.strip_prefix(src).unwrap().iter().map(|part| part.to_str().unwrap()).collect();
            sources.push((parts.join("/"), fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The files that are declared as modules of tests: `#[cfg(test)] mod name;`.
fn test_only_files(sources: &[(String, String)]) -> Vec<String> {
    let mut files = Vec::new();
    for (file, text) in sources {
        let tokens = tokens(&bare(text));
        let folder = match file.rsplit_once('/') {
            Some((folder, "mod.rs")) => PathBuf::from(folder),
            None if file == "lib.rs" || file == "main.rs" => PathBuf::new(),
            _ => PathBuf::from(file.trim_end_matches(".rs")),
        };
        for at in 0..tokens.len() {
            if let Some((name, Declared::Elsewhere)) = test_module(&tokens, at) {
                let stem = folder.join(name);
                files.push(format!("{}.rs", stem.to_str().unwrap()));
                files.push(format!("{}/mod.rs", stem.to_str().unwrap()));
            }
        }
    }
    files.retain(|file| sources.iter().any(|(source, _)| source == file));
    files
}

/// Every breach in one file.
fn breaches_of(file: &str, text: &str, protocols: &[String]) -> Vec<Breach> {
    let module = file.split(['/', '.']).next().unwrap_or_default();
    let layer = layer_of(module);
    let mut breaches = Vec::new();
    let mut breach = |line, rule: String| {
        breaches.push(Breach { file: file.to_owned(), line, rule });
    };
    // The map of the code declares every module and uses none.
    if module != "lib" && layer.is_none() {
        breach(1, format!("`{module}` is not in the table of layers"));
    }
    let tokens = without_test_modules(&tokens(&bare(text)));
    for (at, token) in tokens.iter().enumerate() {
        for used in crate_paths(&tokens, at) {
            if let (Some(layer), Some(theirs)) = (layer, layer_of(&used))
                && theirs > layer
            {
                let rule = format!("`{module}` (layer {layer}) uses `{used}` (layer {theirs})");
                breach(token.line, rule);
            }
        }
        if climbs_to_the_root(file, &tokens, at) {
            breach(token.line, "a path from the root: name it by `crate::`".to_owned());
        }
        if let Some(rule) = sibling_protocol(file, &tokens, at, protocols) {
            breach(token.line, rule);
        }
        if let Some(rule) = misplaced(file, module, layer, &tokens, at) {
            breach(token.line, rule);
        }
    }
    breaches
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// The modules named where a path from `crate` starts at token `at`; several when it is a group.
fn crate_paths(tokens: &[Token], at: usize) -> Vec<String> {
    if tokens[at].text != "crate" || text_at(tokens, at + 1) != "::" {
        return Vec::new();
    }
    firsts_of(tokens, at + 2)
}

/// The first names of the path or the group of paths that starts at `at`.
fn firsts_of(tokens: &[Token], at: usize) -> Vec<String> {
    if text_at(tokens, at) != "{" {
        return tokens.get(at).map(|token| token.text.clone()).into_iter().collect();
    }
    let mut names = Vec::new();
    let (mut depth, mut first) = (0, true);
    for token in &tokens[at..] {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 1 => first = true,
            name if depth == 1 && first => {
                names.push(name.to_owned());
                first = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

/// How many modules deep a file is: `sim/node.rs` and `sim/node/mod.rs` are two.
fn depth_of(file: &str) -> usize {
    file.trim_end_matches(".rs").trim_end_matches("/mod").split('/').count()
}

/// The length of the chain of `super`s that starts at `at`, which must be its first.
fn supers(tokens: &[Token], at: usize) -> usize {
    let is_super = |i: usize| text_at(tokens, i) == "super" && text_at(tokens, i + 1) == "::";
    if at >= 2 && is_super(at - 2) {
        return 0;
    }
    (0..).take_while(|i| is_super(at + 2 * i)).count()
}

/// Whether the path at `at` reaches the crate's root by `super`, which would hide what it uses.
///
/// rustfmt indents what is in a module inside the file, so a path at the margin counts from the file's own.
fn climbs_to_the_root(file: &str, tokens: &[Token], at: usize) -> bool {
    let inside = usize::from(tokens[at].indented);
    let climbed = supers(tokens, at);
    climbed > 0 && climbed >= depth_of(file) + inside
}

/// A use of one protocol by another.
fn sibling_protocol(
    file: &str,
    tokens: &[Token],
    at: usize,
    protocols: &[String],
) -> Option<String> {
    let own = protocols.iter().find(|own| file.starts_with(&format!("protocol/{own}/")))?;
    let text = tokens[at].text.as_str();
    let named = if text == "crate" && text_at(tokens, at + 2) == "protocol" {
        firsts_of(tokens, at + 4)
    } else if supers(tokens, at) > 0 {
        firsts_of(tokens, at + 2 * supers(tokens, at))
    } else {
        return None;
    };
    let sibling = named.iter().find(|name| *name != own && protocols.contains(name))?;
    Some(format!("`{own}` uses its sibling protocol `{sibling}`"))
}

/// A name that does not belong in the file.
fn misplaced(
    file: &str,
    module: &str,
    layer: Option<usize>,
    tokens: &[Token],
    at: usize,
) -> Option<String> {
    let text = tokens[at].text.as_str();
    let next = text_at(tokens, at + 1);
    let before = if at > 0 { text_at(tokens, at - 1) } else { "" };
    let path_start = next == "::" && before != "::";
    let prints = matches!(text, "print" | "println" | "eprint" | "eprintln" | "dbg");
    let replayed = layer.is_some_and(|layer| layer < FREE_LAYER);
    let front = matches!(module, "cli" | "main");
    if text == "toml" && path_start && module != "scenario" {
        return Some("`toml` outside scenario".to_owned());
    }
    if text == "plotters" && path_start && module != "report" {
        return Some("`plotters` outside report".to_owned());
    }
    if prints && next == "!" && !front {
        return Some(format!("`{text}!` outside cli"));
    }
    if text == "process" && next == "::" && text_at(tokens, at + 2) == "exit" && !front {
        return Some("`process::exit` outside cli".to_owned());
    }
    if !replayed {
        return None;
    }
    let below = |what: &str| Some(format!("`{what}` below layer {FREE_LAYER}"));
    if matches!(text, "HashMap" | "HashSet") {
        return below(text);
    }
    if text == "std" && path_start && firsts_of(tokens, at + 2).iter().any(|name| name == "time") {
        return below("std::time");
    }
    let number = text.starts_with(|first: char| first.is_ascii_digit()) && !text.starts_with("0x");
    let float = ["f32", "f64"]
        .into_iter()
        .find(|float| text == *float || (number && text.ends_with(float)))?;
    if FLOATS_ALLOWED.contains(&file) { None } else { below(float) }
}

/// A word or a sign of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    text: String,
    line: usize,
    /// Whether its line starts with a space.
    indented: bool,
}

fn text_at(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).map_or("", |token| token.text.as_str())
}

fn tokens(bare: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (number, line) in bare.lines().enumerate() {
        let indented = line.starts_with(' ');
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let word = |c: char| c.is_alphanumeric() || c == '_';
            let length = if word(first) {
                rest.find(|c| !word(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            let (text, after) = rest.split_at(length);
            tokens.push(Token { text: text.to_owned(), line: number + 1, indented });
            rest = after.trim_start();
        }
    }
    tokens
}

/// Where the body of a module is.
#[derive(Debug, PartialEq, Eq)]
enum Declared {
    /// In braces, the first of which is this token.
    Here(usize),
    /// In a file of its own.
    Elsewhere,
}

/// The module of tests whose `#[cfg(test)]` starts at token `at`.
fn test_module(tokens: &[Token], at: usize) -> Option<(&str, Declared)> {
    const ATTRIBUTE: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    if !(0..ATTRIBUTE.len()).all(|i| text_at(tokens, at + i) == ATTRIBUTE[i]) {
        return None;
    }
    let mut next = at + ATTRIBUTE.len();
    if text_at(tokens, next) == "pub" {
        next += 1;
        if text_at(tokens, next) == "(" {
            next += tokens[next..].iter().position(|token| token.text == ")")? + 1;
        }
    }
    if text_at(tokens, next) != "mod" {
        return None;
    }
    let declared = match text_at(tokens, next + 2) {
        "{" => Declared::Here(next + 2),
        _ => Declared::Elsewhere,
    };
    Some((text_at(tokens, next + 1), declared))
}

fn without_test_modules(tokens: &[Token]) -> Vec<Token> {
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        if let Some((_, Declared::Here(open))) = test_module(tokens, at) {
            let mut depth = 0;
            at = open;
            while at < tokens.len() {
                depth += i32::from(tokens[at].text == "{") - i32::from(tokens[at].text == "}");
                at += 1;
                if depth == 0 {
                    break;
                }
            }
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// `text` with comments and the content of strings and characters blanked out, line by line as it was.
fn bare(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = blank_length(rest, out.chars().next_back());
        if length == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            out.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[length..];
        }
    }
    out
}

/// How much of the start of `rest` is a comment, a string or a character; 0 when none.
fn blank_length(rest: &str, before: Option<char>) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment_length(rest);
    }
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let hashes = rest[1.min(rest.len())..].chars().take_while(|c| *c == '#').count();
    if rest.starts_with('r') && !in_word && rest[1 + hashes..].starts_with('"') {
        let close = format!("\"{}", "#".repeat(hashes));
        let body = 2 + hashes;
        return rest[body..].find(&close).map_or(rest.len(), |at| body + at + close.len());
    }
    if rest.starts_with('"') {
        return quoted_length(rest, '"');
    }
    // A lifetime has no closing quote right after one character or an escape.
    let mut after = rest.chars().skip(1);
    if rest.starts_with('\'') && (after.next() == Some('\\') || after.next() == Some('\'')) {
        return quoted_length(rest, '\'');
    }
    0
}

fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn block_comment_length(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}
