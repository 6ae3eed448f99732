//! Scenarios that several tests read.

use std::path::{Path, PathBuf};

/// Scenarios that together use every key.
pub(crate) const MAXIMAL: [&str; 3] = [
    include_str!("maximal/workload.toml"),
    include_str!("maximal/script.toml"),
    include_str!("maximal/faults.toml"),
];

/// Every file under `scenarios/`, sorted.
#[must_use]
pub(crate) fn shipped() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")];
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
