//! `list`: the scenarios of a folder with their titles and what they expect.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::cli::args::ListArgs;
use crate::cli::folder::files_beneath;
use crate::cli::names::scenario_name;
use crate::cli::trouble::Trouble;
use crate::cli::{Environment, Exit};
use crate::config::{Answer, Config};
use crate::named::Named;
use crate::report::layout::{counted, wrap};
use crate::scenario::{Diagnostics, Scenario};

/// Shows every scenario of the folder. One that does not load is shown as such, and the exit status
/// is [`Exit::Usage`].
pub(super) fn run(args: &ListArgs, env: &mut Environment<'_>) -> Result<Exit, Trouble> {
    let is_scenario = |path: &Path| Ok(path.extension().is_some_and(|end| end == "toml"));
    let files = files_beneath(&args.dir, is_scenario)?;
    let mut exit = Exit::Pass;
    let mut documents = Vec::new();
    for file in &files {
        let loaded = Scenario::load(file, env.registry, &[]);
        if loaded.is_err() {
            exit = Exit::Usage;
        }
        if args.json {
            documents.push(document(file, &loaded));
        } else {
            let entry = entry(file, &loaded);
            env.console.out(&entry);
        }
        if let Err(diagnostics) = loaded {
            env.console.mistakes(&diagnostics);
        }
    }
    if args.json {
        env.console.json(&json!({ "scenarios": documents }));
    } else if files.is_empty() {
        env.console.err(&format!("no scenario files (*.toml) in {}\n", args.dir.display()));
    }
    Ok(exit)
}

fn entry(file: &Path, loaded: &Result<Scenario, Diagnostics>) -> String {
    let name = scenario_name(file);
    match loaded {
        Ok(Scenario { config, .. }) => {
            let title = wrap(&config.title, 4);
            let expected = wrap(&format!("expects {}", expectations(config)), 4);
            format!("{name}\n{title}\n{expected}\n")
        }
        Err(_) => format!("{name}\n    does not load\n"),
    }
}

/// What a run of the scenario must show, in words.
fn expectations(config: &Config) -> String {
    let checks = config.expect.checks.iter();
    let mut parts: Vec<_> =
        checks.map(|(property, verdict)| format!("{property} {}", verdict.name())).collect();
    let states = config.expect.states.len() as u64;
    if states > 0 {
        parts.push(counted(states, "state"));
    }
    let answers = config.script.iter().filter(|scripted| scripted.expect != Answer::default());
    let answers = answers.count() as u64;
    if answers > 0 {
        parts.push(counted(answers, "answer"));
    }
    if parts.is_empty() { "what is promised".to_owned() } else { parts.join(", ") }
}

fn document(file: &Path, loaded: &Result<Scenario, Diagnostics>) -> Value {
    let config = loaded.as_ref().ok().map(|scenario| &scenario.config);
    let expect = config.map(|config| {
        let checks = config.expect.checks.iter();
        checks
            .map(|(property, verdict)| (property.name().to_owned(), verdict.name().into()))
            .collect::<Map<String, Value>>()
    });
    json!({
        "file": file.to_string_lossy(),
        "scenario": scenario_name(file),
        "title": config.map(|config| &config.title),
        "expect": expect,
        "error": loaded.as_ref().err().map(|diagnostics| diagnostics.render(false)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn expectations_are_told_in_words() {
        let mut config = sample::config();
        assert_eq!(expectations(&config), "durability violation");
        config.expect.checks.clear();
        assert_eq!(expectations(&config), "what is promised");
    }
}
