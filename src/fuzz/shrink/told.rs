//! The file of a find: what is left of the scenario, what it shows, and how it came to that.

use super::trial::{Trial, caught, played};
use super::{Shrunk, Size};
use crate::check::Verdict;
use crate::config::ExpectedVerdict;
use crate::fuzz::judge::{Finding, Signature};
use crate::history::Function;
use crate::report::explain;
use crate::report::layout::wrap;
use crate::run::RunResult;
use crate::run::explain::Asked;
use crate::scenario::{Document, Scenario};

/// Writes the file, and plays it as anybody will.
pub(super) fn tell(
    origin: &str,
    document: &Document,
    trial: &Trial<'_>,
    before: Size,
) -> Result<Shrunk, String> {
    let Finding { signature, verdict, .. } = &trial.finding;
    let mut file = document.set("title", &title(signature));
    if crate::property::Property::from_name(&signature.check).is_some() {
        file = expecting(&file, &signature.check, verdict);
    }
    let parse = |file: &Document| {
        Scenario::parse("shrunk.toml", file.render().as_bytes(), trial.registry, &[])
            .map_err(|mistakes| format!("the shrunk file of {origin} is no scenario: {mistakes}"))
    };
    // By way of the settings, so that keys stand in the order of the documentation whatever was changed first.
    let file = Document::of(&parse(&file)?).brief(trial.registry);
    let scenario = parse(&file)?;
    let finding = super::trial::broken(signature, &scenario.config, || played(&scenario))
        .into_iter()
        .find(|found| trial.is_same(found))
        .ok_or_else(|| format!("the shrunk file of {origin} does not fail as the find does"))?;
    let result = caught(|| played(&scenario));
    let file = result.iter().fold(file, expecting_the_rest);
    let mut lines = vec![format!("Found by splitbrain {}: {origin}.", env!("CARGO_PKG_VERSION"))];
    lines.push(String::new());
    lines.extend(wrap(&finding.summary, 0, false).lines().map(|line| line.trim_start().to_owned()));
    if let Some(story) = result.as_ref().and_then(|result| story(&scenario, signature, result)) {
        lines.push(String::new());
        lines.extend(story.lines().map(|line| line.trim_end().to_owned()));
    }
    let file = file.with_comment(&lines);
    let scenario = parse(&file)?;
    let played = caught(|| played(&scenario));
    Ok(Shrunk {
        text: file.render(),
        digest: played.map(|result| result.digest),
        faults_before: before.faults,
        operations_before: before.operations,
        faults: file.count("fault"),
        operations: operations(&scenario),
        runs: trial.runs,
        finding,
    })
}

/// How many operations are asked, at the most.
fn operations(scenario: &Scenario) -> usize {
    let generated = scenario.config.workload.as_ref().and_then(|load| load.operations);
    scenario.config.script.len() + generated.map_or(0, |generated| generated as usize)
}

/// The file with no expectation but that this check comes out as it does.
fn expecting(file: &Document, check: &str, verdict: &str) -> Document {
    let states: Vec<usize> = (0..file.count("expect.state")).collect();
    let mut bare = file.without("expect.state", &states);
    for path in file.leaves().iter().filter(|path| path.starts_with("expect.")) {
        bare = bare.without_key(path);
    }
    bare.set(&format!("expect.{check}"), verdict)
}

/// The file expecting whatever else it breaks of what is promised, so that it passes as a test of the one find.
fn expecting_the_rest(file: Document, result: &RunResult) -> Document {
    let expects = |name: &str| file.get(&format!("expect.{name}")).is_some();
    let names = result.checks.iter().filter(|report| report.judged == ExpectedVerdict::Violation);
    let rest: Vec<&str> =
        names.map(|report| report.property.name()).filter(|n| !expects(n)).collect();
    let verdict = ExpectedVerdict::Violation.name();
    rest.iter().fold(file, |file, name| file.set(&format!("expect.{name}"), verdict))
}

/// What is wrong, in a line.
fn title(signature: &Signature) -> String {
    match &signature.mechanism {
        Some(mechanism) if signature.check == "expectation" => format!("Not met: {mechanism}"),
        Some(mechanism) => format!("{} is broken: {mechanism}", signature.check),
        None => format!("{} is broken", signature.check),
    }
}

/// The lives of the writes that it is about.
fn story(scenario: &Scenario, signature: &Signature, result: &RunResult) -> Option<String> {
    let seed = scenario.config.seed;
    let report = result.checks.iter().find(|report| report.property.name() == signature.check)?;
    let Verdict::Invalid(witness) = &report.verdict else { return None };
    let asked = if signature.check == "durability" {
        Asked::Lost
    } else {
        let written = |op: &&crate::id::OpId| {
            let function = result.history.entry(**op).function;
            matches!(function, Function::Put | Function::Append)
        };
        let op = witness.operations.iter().find(written)?;
        let value = result.history.entry(*op).value?;
        Asked::Write(scenario.config.names.value(value))
    };
    let explanation = scenario.protocol.explain(&scenario.config, seed, &asked).ok()?;
    let text = explain::text(&scenario.name, &asked, &explanation);
    // The first lines name the file and the verdict, which stand above already.
    Some(text.lines().skip_while(|line| !line.is_empty()).skip(1).collect::<Vec<_>>().join("\n"))
}
