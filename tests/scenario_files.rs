//! Scenario files: what ships reads, validates and round-trips; mistakes are shown; nothing panics.

use std::path::{Path, PathBuf};

use splitbrain::scenario::{Registry, Scenario, schema};

mod scenario_common;
use scenario_common::{MAXIMAL, shipped};

fn parse(text: &str, sets: &[&str]) -> Result<Scenario, String> {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    Scenario::parse("s.toml", text.as_bytes(), &Registry::new(), &sets)
        .map_err(|mistakes| mistakes.to_string())
}

fn assert_same(a: &Scenario, b: &Scenario, what: &str) {
    assert_eq!(a.config, b.config, "{what}");
    assert_eq!(a.protocol.name(), b.protocol.name(), "{what}");
    assert_eq!(a.protocol.encode(), b.protocol.encode(), "{what}");
}

fn round_trips(scenario: &Scenario, what: &str) {
    let text = scenario.export();
    match parse(&text, &[]) {
        Ok(again) => assert_same(scenario, &again, &text),
        Err(mistakes) => panic!("{what} exported to what does not read:\n{mistakes}\n{text}"),
    }
}

#[test]
fn every_shipped_scenario_reads_and_round_trips() {
    let shipped = shipped();
    assert!(shipped.len() >= 5, "{shipped:?}");
    for path in shipped {
        let scenario = Scenario::load(&path, &Registry::new(), &[])
            .unwrap_or_else(|mistakes| panic!("{}:\n{mistakes}", path.display()));
        assert!(!scenario.config.title.is_empty(), "{} has no title", path.display());
        round_trips(&scenario, &path.display().to_string());
    }
}

#[test]
fn maximal_scenarios_round_trip() {
    for text in MAXIMAL {
        let scenario = parse(text, &[]).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        round_trips(&scenario, "maximal");
    }
}

#[test]
fn shipped_and_maximal_scenarios_and_their_exports_meet_the_schema() {
    let schema = schema(&Registry::new());
    jsonschema::meta::validate(&schema).expect("the schema is one");
    let validator = jsonschema::validator_for(&schema).expect("the schema compiles");
    let mut texts: Vec<(String, String)> = MAXIMAL
        .iter()
        .enumerate()
        .map(|(index, text)| (format!("maximal {index}"), (*text).to_owned()))
        .collect();
    for path in shipped() {
        let text = std::fs::read_to_string(&path).expect("listed just now");
        texts.push((path.display().to_string(), text));
    }
    for (name, text) in texts {
        let exported = parse(&text, &[]).expect("valid").export();
        for text in [text, exported] {
            let value: toml::Table = toml::from_str(&text).expect("valid TOML");
            let value = serde_json::to_value(value).expect("TOML is JSON, but for dates");
            let errors: Vec<String> = validator
                .iter_errors(&value)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{name}:\n{}\n{text}", errors.join("\n"));
        }
    }
}

#[test]
fn a_missing_file_and_a_folder_are_named() {
    let load = |path: &Path| {
        Scenario::load(path, &Registry::new(), &[]).expect_err("no scenario").to_string()
    };
    let missing = PathBuf::from("no/such/file.toml");
    assert_eq!(load(&missing), "error: cannot read `no/such/file.toml`: there is no such file");
    let folder = tempfile::tempdir().expect("a folder");
    assert!(load(folder.path()).ends_with("it is a folder, not a scenario file"));
}

#[test]
fn a_scenario_is_named_by_its_file() {
    let [first, ..] = MAXIMAL;
    let registry = Registry::new();
    let scenario = Scenario::parse("a/b/quick.toml", first.as_bytes(), &registry, &[]);
    assert_eq!(scenario.expect("valid").name, "quick");
}
