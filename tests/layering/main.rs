//! The house rules that a compiler does not know: imports point down and never in a circle, some
//! things stay where they belong, and files, functions, lines and names keep to a measure.
//!
//! Items that are compiled for tests alone may import what they like: a test may drive a part from
//! above.

mod imports;
mod layers;
mod modules;
mod planted;
mod rules;
mod sizes;
mod source;
mod words;

use std::path::Path;

#[test]
fn every_file_keeps_the_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = source::read(root, &["src", "tests", "benches"]);
    assert!(sources.len() > 10, "the sources were not found");
    let breaches = rules::breaches(&sources);
    let failures: Vec<_> = breaches
        .chunk_by(|one, next| one.rule == next.rule)
        .map(|broken| {
            let lines: Vec<_> = broken.iter().map(ToString::to_string).collect();
            format!("{:?}, {} breaches:\n{}\n", broken[0].rule, broken.len(), lines.join("\n"))
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn no_name_is_shared_on_paper_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert_eq!(words::unneeded(&source::read(root, &["src"])), Vec::<&str>::new());
    assert!(!words::unneeded(&[]).is_empty(), "none is defined twice in no file");
}
