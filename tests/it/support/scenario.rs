//! Scenarios: read from text, and those that are shipped.

use std::path::{Path, PathBuf};

use splitbrain::scenario::{Registry, Scenario};

/// Scenarios that together use every key.
pub(crate) const MAXIMAL: [&str; 3] = [
    include_str!("maximal/workload.toml"),
    include_str!("maximal/script.toml"),
    include_str!("maximal/faults.toml"),
];

/// A cluster that lacks no safeguard; who waits for whom and the log's policy are left open.
pub(crate) const SAFE: &str = include_str!("safe.toml");

/// Reads a scenario with `--set` arguments, for the protocols of `registry`; or its mistakes, as
/// they are shown.
pub(crate) fn parse_for(
    registry: &Registry,
    text: &str,
    sets: &[&str],
) -> Result<Scenario, String> {
    let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
    let parsed = Scenario::parse("s.toml", text.as_bytes(), registry, &sets);
    parsed.map_err(|mistakes| mistakes.to_string())
}

/// Reads a scenario with `--set` arguments, or its mistakes, as they are shown.
pub(crate) fn parse(text: &str, sets: &[&str]) -> Result<Scenario, String> {
    parse_for(&Registry::new(), text, sets)
}

/// Reads a scenario. Panics with its mistakes.
#[track_caller]
pub(crate) fn read(text: &str) -> Scenario {
    read_with::<&str>(text, &[])
}

/// Reads a scenario with `--set` arguments. Panics with its mistakes.
#[track_caller]
pub(crate) fn read_with<S: AsRef<str>>(text: &str, sets: &[S]) -> Scenario {
    let sets: Vec<&str> = sets.iter().map(AsRef::as_ref).collect();
    parse(text, &sets).unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"))
}

/// A path in the repository.
pub(crate) fn home(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Reads a scenario file. Panics with its mistakes.
#[track_caller]
pub(crate) fn load(path: &Path) -> Scenario {
    Scenario::load(path, &Registry::new(), &[]).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// Every file under `scenarios/`, sorted.
pub(crate) fn shipped() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![home("scenarios")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The sections of a workload of four clients on three keys, whose messages overtake each other.
pub(crate) fn busy_clients(operations: u32, mix: &str) -> String {
    format!(
        r#"
network.delay = {{ uniform = ["1ms", "9ms"] }}
network.client-delay = "1ms"
workload = {{ clients = 4, keys = 3, operations = {operations}, mix = {{ {mix} }} }}
"#
    )
}
