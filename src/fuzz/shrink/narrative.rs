//! The file of a find: what is left of the scenario, what it shows, and how it came to that.

use super::trial::{Trial, caught, played};
use super::{Shrunk, Size};
use crate::check::Verdict;
use crate::config::ExpectedVerdict;
use crate::fuzz::judge::{Finding, Signature};
use crate::history::Function;
use crate::named::Named;
use crate::property::Property;
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
    let signature = &trial.finding.signature;
    let parse = |file: &Document| {
        Scenario::parse("shrunk.toml", file.render().as_bytes(), trial.registry, &[])
            .map_err(|mistakes| format!("the shrunk file of {origin} is no scenario: {mistakes}"))
    };
    let mut file = document.set("title", &title(&trial.finding));
    let result = parse(&file).map(|scenario| caught(|| played(&scenario)))?;
    if Property::by_name(&signature.check).is_some() {
        file = expecting(&file, &trial.finding, result.as_ref());
    }
    // By way of the settings, so that keys stand in the order of the documentation whatever was changed first.
    let file = Document::of(&parse(&file)?).brief(trial.registry);
    let lines = comment(origin, &parse(&file)?, trial, result.as_ref())?;
    let file = file.with_comment(&lines);
    // From here on it is the file that is judged, as whoever runs it will see it.
    let scenario = parse(&file)?;
    let finding = super::trial::broken(signature, &scenario.config, || played(&scenario))
        .into_iter()
        .find(|found| trial.is_same(found))
        .ok_or_else(|| format!("the shrunk file of {origin} does not fail as the find does"))?;
    Ok(Shrunk {
        text: file.render(),
        digest: caught(|| played(&scenario)).map(|result| result.digest),
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

/// The file with no expectation but that the check comes out as it does, and that what else the run breaks against its
/// promises or its bounds is broken: who plays it is told of nothing new.
fn expecting(file: &Document, finding: &Finding, result: Option<&RunResult>) -> Document {
    let states: Vec<usize> = (0..file.count("expect.state")).collect();
    let mut bare = file.without("expect.state", &states);
    for path in file.leaves().iter().filter(|path| path.starts_with("expect.")) {
        bare = bare.without_key(path);
    }
    for place in 0..file.count("operation") {
        bare = bare.without_in("operation", place, "expect");
    }
    bare = bare.set(&format!("expect.{}", finding.signature.check), &finding.verdict);
    let reports = result.iter().flat_map(|result| &result.checks);
    reports
        .filter(|report| report.judged == ExpectedVerdict::Violation || report.misses_a_bound())
        .fold(bare, |bare, report| {
            bare.set(&format!("expect.{}", report.property), report.judged.name())
        })
}

/// What the file shows, and how it comes to that.
fn comment(
    origin: &str,
    scenario: &Scenario,
    trial: &Trial<'_>,
    result: Option<&RunResult>,
) -> Result<Vec<String>, String> {
    let signature = &trial.finding.signature;
    let found = super::trial::broken(signature, &scenario.config, || played(scenario));
    let Some(finding) = found.into_iter().find(|found| trial.is_same(found)) else {
        return Err(format!("{origin}: what its shrunk file breaks is broken in another way"));
    };
    let mut lines = vec![format!("Found by splitbrain {}: {origin}.", env!("CARGO_PKG_VERSION"))];
    lines.push(String::new());
    lines.extend(wrap(&finding.summary, 0, false).lines().map(|line| line.trim_start().to_owned()));
    if let Some(story) = result.and_then(|result| story(scenario, signature, result)) {
        lines.push(String::new());
        lines.extend(story.lines().map(|line| line.trim_end().to_owned()));
    }
    Ok(lines)
}

/// What is wrong, in a line.
fn title(finding: &Finding) -> String {
    let Signature { check, mechanism } = &finding.signature;
    let how = mechanism.as_ref().map_or_else(String::new, |how| format!(": {how}"));
    match finding.verdict.as_str() {
        "unmet" => format!("Not met{how}"),
        "allowed" => format!("{check} does not hold, and is not promised{how}"),
        _ => format!("{check} is broken{how}"),
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
