//! What README.md claims is true: its commands run, its outputs are the real ones, its tables list
//! what there is.
//!
//! How it is marked, in Markdown that readers do not see:
//!
//! - ` ```sh `: command lines, run in order in a copy of `scenarios/`; `# exit status N` behind one
//!   says that it ends so. Lines that call `cargo test` are left to whoever reads this.
//! - ` ```text output `: standard output of the command before it; ` ```json file PATH A-B `: these
//!   lines of a file, and the same with `clojure`.
//! - ` ```toml `: a whole scenario, which passes; ` ```toml fragment `: one that needs a cluster
//!   around it.
//! - `<!-- keys PREFIX -->`, `<!-- json FILE -->`, `<!-- properties -->`, `<!-- promises -->`,
//!   `<!-- quorum-latency -->`: what the table below lists.
//!
//! `UPDATE_README=1 cargo test --test it readme` writes outputs, promises and measured figures
//! anew.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::{env, fs};

use serde_json::Value;
use splitbrain::named::Named;
use splitbrain::property::{Promise, Property};
use splitbrain::run::{RunOptions, RunVerdict};
use splitbrain::scenario::{Registry, Scenario, schema};

use crate::support::cli::{splitbrain_in, text};
use crate::support::scenario::read_with;

const AGAIN: &str = "UPDATE_README=1 cargo test --test it readme";

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    fs::read_to_string(home().join("README.md")).expect("README.md is there")
}

// --- The parts of the page ---

/// A fenced block: what stands behind the opening fence, and where its content is.
#[derive(Debug)]
struct Block {
    info: String,
    content: Range<usize>,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, usize)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let after = at + line.len();
        if let Some(info) = line.strip_prefix("```") {
            open = match open {
                None => Some((info.trim().to_owned(), after)),
                Some((info, start)) => {
                    blocks.push(Block { info, content: start..at });
                    None
                }
            };
        }
        at = after;
    }
    assert!(open.is_none(), "a block of README.md is not closed");
    blocks
}

/// The rows of the tables below `<!-- WHAT .. -->`, with what stands behind WHAT; cells without
/// their blanks.
fn tables(text: &str, what: &str) -> Vec<(String, Vec<Vec<String>>)> {
    let mut tables = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(argument) = marked(line, what) else { continue };
        let rows = lines.by_ref().take_while(|line| line.starts_with('|')).skip(2);
        tables.push((argument, rows.map(cells).collect()));
    }
    assert!(!tables.is_empty(), "README.md has no <!-- {what} -->");
    tables
}

/// What stands behind `what` in a marking line.
fn marked(line: &str, what: &str) -> Option<String> {
    let inside = line.strip_prefix("<!-- ")?.strip_suffix(" -->")?.strip_prefix(what)?;
    (inside.is_empty() || inside.starts_with(' ')).then(|| inside.trim().to_owned())
}

fn cells(row: &str) -> Vec<String> {
    let inside = row.trim().trim_start_matches('|').trim_end_matches('|');
    inside.split(" | ").map(|cell| cell.trim_matches([' ', '|']).to_owned()).collect()
}

/// The `quoted` names of a cell.
fn names(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Puts `replace(cells)` in the place of each row of the table below `<!-- WHAT -->`.
fn with_rows(
    text: &str,
    what: &str,
    mut replace: impl FnMut(Vec<String>) -> Vec<String>,
) -> String {
    let mut out = String::with_capacity(text.len());
    // Lines of the table still to come before its first row.
    let mut head = None;
    for line in text.split_inclusive('\n') {
        head = match head {
            None => marked(line.trim_end(), what).map(|_| 2),
            Some(0) if line.starts_with('|') => {
                let row = replace(cells(line)).join(" | ");
                out.push_str(&format!("| {row} |\n"));
                continue;
            }
            Some(0) => None,
            Some(lines) => Some(lines - 1_u32),
        };
        out.push_str(line);
    }
    out
}

#[test]
fn its_links_lead_somewhere() {
    let text = readme();
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let local: Vec<_> = links.filter(|link| !link.contains("://")).collect();
    assert!(local.len() > 5, "{local:?}");
    let anchors: BTreeSet<String> =
        text.lines().filter(|line| line.starts_with('#')).map(anchor).collect();
    let leads = |link: &str| match link.strip_prefix('#') {
        Some(heading) => anchors.contains(heading),
        None => home().join(link).exists(),
    };
    let missing: Vec<_> = local.iter().filter(|link| !leads(link)).collect();
    assert!(missing.is_empty(), "README.md links to {missing:?}");
}

/// What a heading is linked to by: its words in lower case, with hyphens between.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || "-_ ".contains(*c);
    let text: String = heading.trim_start_matches('#').trim().chars().filter(kept).collect();
    text.to_lowercase().replace(' ', "-")
}

// --- Commands and their outputs ---

/// The repository as far as commands need it, in a folder that goes away.
fn copy() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let mut folders = vec!["scenarios".to_owned()];
    while let Some(next) = folders.pop() {
        fs::create_dir(folder.path().join(&next)).expect("a new folder");
        for entry in fs::read_dir(home().join(&next)).expect("scenarios/ is there") {
            let entry = entry.expect("an entry");
            let path = format!("{next}/{}", entry.file_name().to_str().expect("a plain name"));
            if entry.path().is_dir() {
                folders.push(path);
            } else {
                fs::copy(entry.path(), folder.path().join(path)).expect("a copy");
            }
        }
    }
    folder
}

/// Runs a command line; `None` when it is not for this test.
fn run_line(folder: &Path, line: &str) -> Option<String> {
    let (words, remark) = line.split_once('#').unwrap_or((line, ""));
    if words.contains("cargo test") {
        return None;
    }
    let args = words.strip_prefix("cargo run --release -- ").or(words.strip_prefix("splitbrain "));
    let args = args.unwrap_or_else(|| panic!("README.md: what is `{line}`?"));
    // Splits words like a shell, as far as the page needs it: double quotes keep blanks.
    let quoted = args.split('"').enumerate();
    let words = quoted.flat_map(|(place, part)| match place % 2 {
        0 => part.split_whitespace().collect(),
        _ => vec![part],
    });
    let output = splitbrain_in(folder, &words.collect::<Vec<_>>());
    let status = remark.trim().strip_prefix("exit status ").unwrap_or("0");
    let found = output.status.code().map_or_else(String::new, |code| code.to_string());
    let said = text(&output.stderr);
    assert_eq!(found, status, "README.md: `{line}` ended otherwise\n{said}");
    Some(text(&output.stdout))
}

/// The page with every shown output as it is today.
fn with_outputs(text: &str) -> String {
    let folder = copy();
    let mut said = String::new();
    let mut out = String::new();
    let mut copied = 0;
    for Block { info, content } in blocks(text) {
        let words: Vec<_> = info.split_whitespace().collect();
        let fresh = match words[..] {
            ["sh"] => {
                for line in text[content].lines() {
                    said = run_line(folder.path(), line).unwrap_or(said);
                }
                continue;
            }
            ["text", "output"] => said.clone(),
            ["json" | "clojure", "file", path, lines] => {
                let number = |part: &str| part.parse::<usize>().expect("a line number");
                let (first, last) = lines.split_once('-').expect("lines as A-B");
                let file = fs::read_to_string(folder.path().join(path)).expect(path);
                let lines = file.split_inclusive('\n').take(number(last)).skip(number(first) - 1);
                lines.collect()
            }
            ["toml", "file", path] => fs::read_to_string(folder.path().join(path)).expect(path),
            ["toml", ..] | ["rust,no_run"] => continue,
            _ => panic!("README.md: what is a block of `{info}`?"),
        };
        out.push_str(&text[copied..content.start]);
        out.push_str(&fresh);
        copied = content.end;
    }
    out + &text[copied..]
}

/// The page with the measured means, which are near the closed form.
fn with_quorum_latency(text: &str) -> String {
    let folder = copy();
    with_rows(text, "quorum-latency", |row| {
        let set = format!("protocol.leader-follower.write-quorum={}", row[0]);
        let file = "scenarios/quorum-latency.toml";
        let args = ["run", file, "--seeds", "1..=200", "--set", &set, "--json", "--quiet"];
        let document: Value = json(&splitbrain_in(folder.path(), &args).stdout);
        let put = &document["summary"]["latency_ns"]["put"];
        assert_eq!(put["count"], 20_000);
        let mean = put["mean"].as_u64().expect("a mean") as f64 / 1e6;
        let quorum: f64 = row[0].parse().expect("a quorum");
        let closed = 1000.0 * quorum / 6.0;
        assert!((mean / closed - 1.0).abs() < 0.02, "quorum {quorum}: {mean} ms");
        vec![row[0].clone(), format!("{closed:.2}"), format!("{mean:.2}")]
    })
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

#[test]
fn what_it_shows_is_what_comes_out() {
    let text = readme();
    let fresh = with_promises(&with_quorum_latency(&with_outputs(&text)));
    if env::var_os("UPDATE_README").is_some() {
        fs::write(home().join("README.md"), fresh).expect("README.md can be written");
        return;
    }
    let mut pairs = text.lines().zip(fresh.lines()).enumerate();
    if let Some((at, (is, should))) = pairs.find(|(_, (is, should))| is != should) {
        let at = at + 1;
        panic!(
            "README.md:{at} is out of date\n   it is: {is}\n  should: {should}\n\
             to rewrite it: {AGAIN}"
        );
    }
    assert_eq!(text, fresh, "README.md is out of date; to rewrite it: {AGAIN}");
}

#[test]
fn its_scenarios_pass_and_its_fragments_read() {
    let text = readme();
    let mut scenarios = 0;
    for Block { info, content } in blocks(&text) {
        let around = match info.as_str() {
            "toml" => "",
            "toml fragment" => "[cluster]\nnodes = 5\n[protocol.leader-follower]\n",
            _ => continue,
        };
        let toml = format!("{around}{}", &text[content]);
        let scenario = Scenario::parse("README.md", toml.as_bytes(), &Registry::new(), &[]);
        let scenario = scenario.unwrap_or_else(|mistakes| panic!("{mistakes}"));
        for seed in [scenario.config.seed].into_iter().chain(1..=20) {
            let result = scenario.run(seed, RunOptions::default());
            let expectations = &result.expectations;
            assert_eq!(result.verdict, RunVerdict::Pass, "seed {seed}: {expectations:#?}\n{toml}");
        }
        scenarios += 1;
    }
    assert!(scenarios >= 2);
}

// --- Keys of scenario files ---

/// What the schema says of a key: its default, `required`, or `none`.
type Keys = BTreeMap<String, String>;

/// The keys that take a value, by path without array brackets; distributions are entered where they
/// are defined.
fn schema_keys(schema: &Value, required: bool, path: &str, into: &mut Keys) {
    let properties = schema["properties"].as_object();
    let alternatives = schema["anyOf"].as_array().into_iter().flatten();
    let (tables, values): (Vec<_>, Vec<_>) =
        alternatives.partition(|alternative| alternative["properties"].is_object());
    let items = &schema["items"];
    let is_list_of_tables = items["properties"].is_object();
    if properties.is_none() && !is_list_of_tables && (tables.is_empty() || !values.is_empty()) {
        let default = match &schema["default"] {
            Value::Null if required => "required".to_owned(),
            Value::Null => "none".to_owned(),
            Value::String(text) if text.is_empty() => "\"\"".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        into.insert(path.to_owned(), default);
    }
    for table in tables {
        schema_keys(table, required, path, into);
    }
    if is_list_of_tables {
        schema_keys(items, false, path, into);
    }
    for (key, inner) in properties.into_iter().flatten() {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let of = |list: &Value| {
            list.as_array().is_some_and(|list| list.contains(&Value::from(key.as_str())))
        };
        schema_keys(inner, of(&schema["required"]), &path, into);
    }
}

/// Every key of every scenario file.
fn all_keys() -> Keys {
    let schema = schema(&Registry::new());
    let mut keys = Keys::new();
    schema_keys(&schema, false, "", &mut keys);
    let mut parts = Keys::new();
    for alternative in schema["$defs"]["distribution"]["anyOf"].as_array().expect("a choice") {
        if alternative["properties"].is_object() {
            schema_keys(alternative, false, "distribution", &mut parts);
        }
    }
    // A mixture is a list of parts, told in one row.
    parts.retain(|path, _| !path.starts_with("distribution.mixture."));
    parts.insert("distribution.mixture".to_owned(), "none".to_owned());
    keys.extend(parts);
    keys
}

#[test]
fn its_tables_list_every_key_with_its_default() {
    let mut listed = Keys::new();
    for (prefix, rows) in tables(&readme(), "keys") {
        for row in rows {
            for key in names(&row[0]) {
                let path =
                    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
                let default = row[1].trim_matches('`').to_owned();
                assert!(listed.insert(path, default).is_none(), "README.md lists {key} twice");
            }
        }
    }
    let all = all_keys();
    assert!(all.len() > 100, "{all:#?}");
    let wrong: Vec<_> = all
        .keys()
        .chain(listed.keys())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .filter(|key| all.get(*key) != listed.get(*key))
        .map(|key| format!("{key}: schema {:?}, README {:?}", all.get(key), listed.get(key)))
        .collect();
    assert!(wrong.is_empty(), "key tables of README.md:\n{}", wrong.join("\n"));
}

#[test]
fn it_names_every_word_that_a_key_takes() {
    fn words(schema: &Value, into: &mut BTreeSet<String>) {
        match schema {
            Value::Object(keys) => {
                let listed = keys.get("enum").and_then(Value::as_array).into_iter().flatten();
                into.extend(listed.filter_map(Value::as_str).map(str::to_owned));
                keys.values().for_each(|inner| words(inner, into));
            }
            Value::Array(items) => items.iter().for_each(|inner| words(inner, into)),
            _ => {}
        }
    }
    let text = readme();
    let mut all = BTreeSet::new();
    words(&schema(&Registry::new()), &mut all);
    assert!(all.contains("semi-sync") && all.contains("too-few-confirmations"));
    let missing: Vec<_> = all.iter().filter(|word| !text.contains(&format!("`{word}`"))).collect();
    assert!(missing.is_empty(), "README.md does not name {missing:?}");
}

// --- Properties and promises ---

#[test]
fn it_defines_every_property_in_order() {
    let tables = tables(&readme(), "properties");
    let defined: Vec<_> = tables[0].1.iter().flat_map(|row| names(&row[0])).collect();
    assert_eq!(defined, Property::all().map(Property::name).collect::<Vec<_>>());
}

/// Settings that promises may depend on: `key = value`.
type Settings = Vec<String>;

/// Every combination of them, with what it promises.
fn combinations() -> Vec<(Settings, Scenario)> {
    let choices: [(&str, &[&str]); 7] = [
        ("mode", &["async", "semi-sync", "sync"]),
        ("replication", &["entry", "full-state"]),
        ("resend", &["off", "100ms"]),
        ("deletes", &["tombstone", "erase"]),
        ("wal.policy", &["off", "buffered", "fsync", "group-commit"]),
        ("read-from", &["leader", "any"]),
        ("retries", &["0", "3"]),
    ];
    let mut all: Vec<Settings> = vec![Vec::new()];
    for (key, values) in choices {
        let with = |settings: &Settings, value: &&str| {
            let mut settings = settings.clone();
            settings.push(format!("{key} = {value}"));
            settings
        };
        all = all.iter().flat_map(|one| values.iter().map(move |value| with(one, value))).collect();
    }
    all.into_iter().map(|settings| (settings.clone(), scenario_with(&settings))).collect()
}

fn scenario_with(settings: &Settings) -> Scenario {
    let mut sets: Vec<_> = settings
        .iter()
        .map(|setting| {
            let (key, value) = setting.split_once(" = ").expect("key = value");
            let of_workload = matches!(key, "read-from" | "retries");
            let table = if of_workload { "workload" } else { "protocol.leader-follower" };
            format!("{table}.{key}={value}")
        })
        .collect();
    if settings[0] == "mode = semi-sync" {
        sets.push("protocol.leader-follower.write-quorum=1".to_owned());
    }
    let file = r"[cluster]
nodes = 3
[protocol.leader-follower]
[workload]
think = '1ms'
mix = { put = 1, get = 1 }
";
    read_with(file, &sets)
}

/// When it is promised, and why, in the words of the table.
fn told(promise: Promise) -> (String, String) {
    match promise {
        Promise::Always { why } => ("always".to_owned(), why.to_owned()),
        Promise::Never { why } => ("never".to_owned(), why.to_owned()),
        Promise::Unless { hazards, why } => {
            (format!("unless {}", hazards.phrases().join(", ")), why.to_owned())
        }
    }
}

/// The page with the promises as the protocol makes them; every combination of settings falls on
/// one row.
fn with_promises(text: &str) -> String {
    let judged = Property::all().filter(|property| !property.is_of_a_log());
    let mut left: Vec<_> = judged
        .flat_map(|property| combinations().into_iter().map(move |one| (property, one)))
        .collect();
    let fresh = with_rows(text, "promises", |row| {
        let properties: Vec<_> = names(&row[0]).into_iter().map(Property::by_name).collect();
        let conditions: Vec<_> = names(&row[1]).into_iter().map(str::to_owned).collect();
        let (mine, others) = left.drain(..).partition(|(of, (settings, _))| {
            properties.contains(&Some(*of))
                && conditions.iter().all(|condition| settings.contains(condition))
        });
        left = others;
        let mine: Vec<(Property, (Settings, Scenario))> = mine;
        let promises: BTreeSet<_> = mine
            .iter()
            .map(|(property, (_, scenario))| {
                told(scenario.protocol.promises(&scenario.config).of(*property))
            })
            .collect();
        let row_text = row.join(" | ");
        assert_eq!(promises.len(), 1, "the row `{row_text}` stands for {promises:#?}");
        let (promised, why) = promises.into_iter().next().expect("one");
        vec![row[0].clone(), row[1].clone(), promised, why]
    });
    let missing: BTreeSet<_> = left.iter().map(|(property, _)| property.name()).collect();
    assert!(missing.is_empty(), "no row for every setting of {missing:?}");
    fresh
}

// --- Output files ---

/// The paths of all keys of a document; an array's items share a path, and what is named by the run
/// is `*`.
fn paths(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    const NAMED: [&str; 5] =
        ["latency_ns", "checks", "operations.errors", "checks.*.figures", "network.by_kind"];
    let is_tables = |items: &Vec<Value>| items.iter().any(Value::is_object);
    match value {
        Value::Object(keys) => {
            for (key, inner) in keys {
                let key = if NAMED.contains(&path) { "*" } else { key };
                let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
                paths(inner, &path, into);
            }
        }
        Value::Array(items) if is_tables(items) => {
            items.iter().for_each(|item| paths(item, path, into));
        }
        // A place for a table, or for a list of tables, that is empty here.
        Value::Null if matches!(path, "checks.*.witness" | "promises.conditions") => {}
        _ => {
            into.insert(path.to_owned());
        }
    }
}

/// A run in which every key of the files is used.
const EVENTFUL: &str = r#"
duration = "5s"
[cluster]
nodes = 3
[protocol.leader-follower]
[network]
client-delay = "20ms"
[workload]
mix = { put = 5, get = 5, delete = 1 }
open = { rate = "40/s" }
read-from = "any"
timeout = "100ms"
[[operation]]
at = "1s"
client = "user"
put = { key = "k", value = "v", to = "n2" }
[[operation]]
at = "1s"
client = "hasty"
put = { key = "k", value = "twice" }
timeout = "30ms"
retries = 3
[[operation]]
at = "1400ms"
client = "user"
read-all = { from = "n1" }
[[operation]]
at = "1500ms"
client = "user"
clear = {}
[[operation]]
at = "1600ms"
client = "user"
cas = { key = "k", from = "never", to = "put" }
[[fault]]
at = "2s"
for = "2s"
partition = [["n1"], ["n2", "n3"]]
[[fault]]
at = "3s"
for = "1s"
pause = "n3"
"#;

#[test]
fn its_tables_list_every_key_of_the_files() {
    let folder = copy();
    fs::write(folder.path().join("eventful.toml"), EVENTFUL).expect("a file");
    let args = ["run", "eventful.toml", "--set", "expect.durability=violation", "--quiet"];
    let output = splitbrain_in(folder.path(), &[&args[..], &["--out", "out"]].concat());
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    // Two leaders at once are another story.
    let contested = "scenarios/regressions/two-leaders-and-clients-far-away.toml";
    let output = splitbrain_in(folder.path(), &["run", contested, "--quiet", "--out", "contested"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let read = |name: &str| fs::read_to_string(folder.path().join("out").join(name)).expect(name);
    let contested = fs::read_to_string(folder.path().join("contested/history.jsonl"));
    let contested = contested.expect("a history");
    for (file, rows) in tables(&readme(), "json") {
        let listed: BTreeSet<_> =
            rows.iter().flat_map(|row| names(&row[0])).map(str::to_owned).collect();
        let mut found = BTreeSet::new();
        if file == "result.json" {
            paths(&json(read(&file).as_bytes()), "", &mut found);
        } else if file == "promises" {
            let output = splitbrain_in(folder.path(), &["promises", "eventful.toml", "--json"]);
            paths(&json(&output.stdout), "", &mut found);
        } else {
            for line in read(&file).lines().chain(contested.lines()) {
                let line: Value = json(line.as_bytes());
                found.extend(line.as_object().expect("an object").keys().cloned());
            }
        }
        assert_eq!(listed, found, "{file}");
    }
}
