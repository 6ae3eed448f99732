//! The file of a shrunk find: the scenario, with a comment that says what it shows and how it came
//! about.

use super::oracle::{Oracle, caught, played};
use super::size::{Shrunk, Size};
use crate::check::Verdict;
use crate::config::ExpectedVerdict;
use crate::explain::Question;
use crate::fuzz::judge::{Find, Signature};
use crate::history::Function;
use crate::named::Named;
use crate::property::Property;
use crate::report::explain;
use crate::report::layout::wrap;
use crate::run::RunResult;
use crate::scenario::{Document, Scenario};

/// Writes the file, and plays it as its readers will.
pub(super) fn tell(
    origin: &str,
    document: &Document,
    oracle: &Oracle<'_>,
    before: Size,
) -> Result<Shrunk, String> {
    let signature = &oracle.finding.signature;
    let parse = |file: &Document| {
        Scenario::parse("shrunk.toml", file.render().as_bytes(), oracle.registry, &[])
            .map_err(|mistakes| format!("the shrunk file of {origin} is no scenario: {mistakes}"))
    };
    let mut file = document.set("title", &title(&oracle.finding));
    let result = parse(&file).map(|scenario| caught(|| played(&scenario)))?;
    if Property::by_name(&signature.check).is_some() {
        file = expecting(&file, &oracle.finding, result.as_ref());
    }
    // Through the settings, so that keys are in the order of the documentation.
    let file = Document::of(&parse(&file)?).brief(oracle.registry);
    let lines = comment(origin, &parse(&file)?, oracle, result.as_ref())?;
    let file = file.with_comment(&lines);
    // Judge the very text of the file.
    let scenario = parse(&file)?;
    let finding = super::oracle::broken(signature, &scenario.config, || played(&scenario))
        .into_iter()
        .find(|found| oracle.is_same(found))
        .ok_or_else(|| format!("the shrunk file of {origin} does not fail as the find does"))?;
    Ok(Shrunk {
        text: file.render(),
        digest: caught(|| played(&scenario)).map(|result| result.digest),
        faults_before: before.faults,
        operations_before: before.operations,
        faults: file.count("fault"),
        operations: operations(&scenario),
        runs: oracle.runs,
        finding,
    })
}

/// How many operations the clients invoke at most.
fn operations(scenario: &Scenario) -> usize {
    let generated = scenario.config.workload.as_ref().and_then(|load| load.operations);
    scenario.config.script.len() + generated.map_or(0, |generated| generated as usize)
}

/// Replaces the file's expectations by the verdicts of this run: that of the find's check, and
/// those of all other broken promises and missed bounds. So running the file reports nothing
/// unexpected.
fn expecting(file: &Document, finding: &Find, result: Option<&RunResult>) -> Document {
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

/// The comment: what the file shows, and how it came about.
fn comment(
    origin: &str,
    scenario: &Scenario,
    oracle: &Oracle<'_>,
    result: Option<&RunResult>,
) -> Result<Vec<String>, String> {
    let signature = &oracle.finding.signature;
    let found = super::oracle::broken(signature, &scenario.config, || played(scenario));
    let Some(finding) = found.into_iter().find(|found| oracle.is_same(found)) else {
        return Err(format!("{origin}: what its shrunk file breaks is broken in another way"));
    };
    let mut lines = vec![format!("Found by splitbrain {}: {origin}.", env!("CARGO_PKG_VERSION"))];
    lines.push(String::new());
    lines.extend(wrap(&finding.summary, 0).lines().map(|line| line.trim_start().to_owned()));
    if let Some(story) = result.and_then(|result| story(scenario, signature, result)) {
        lines.push(String::new());
        lines.extend(story.lines().map(|line| line.trim_end().to_owned()));
    }
    Ok(lines)
}

/// The title: what is wrong, in a line.
fn title(finding: &Find) -> String {
    let Signature { check, mechanism } = &finding.signature;
    let how = mechanism.as_ref().map_or_else(String::new, |how| format!(": {how}"));
    match finding.verdict.as_str() {
        "unmet" => format!("Not met{how}"),
        "allowed" => format!("{check} does not hold, and is not promised{how}"),
        _ => format!("{check} is broken{how}"),
    }
}

/// What became of the writes that the find is about.
fn story(scenario: &Scenario, signature: &Signature, result: &RunResult) -> Option<String> {
    let seed = scenario.config.seed;
    let report = result.checks.iter().find(|report| report.property.name() == signature.check)?;
    let Verdict::Invalid(witness) = &report.verdict else { return None };
    let asked = if signature.check == "durability" {
        Question::Lost
    } else {
        let written = |op: &&crate::id::OpId| {
            let function = result.history.entry(**op).function;
            matches!(function, Function::Put | Function::Append)
        };
        let op = witness.operations.iter().find(written)?;
        let value = result.history.entry(*op).value?;
        Question::Write(scenario.names.value(value))
    };
    let explanation =
        scenario.protocol.explain(&scenario.config, &scenario.names, seed, &asked).ok()?;
    let text = explain::text(&scenario.name, &asked, &explanation);
    // Without the first lines: they name the file and the verdict, which the comment has already.
    Some(text.lines().skip_while(|line| !line.is_empty()).skip(1).collect::<Vec<_>>().join("\n"))
}
