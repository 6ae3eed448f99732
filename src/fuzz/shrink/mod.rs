//! Shrinking: of a find the smallest scenario that still fails in the same way.
//!
//! First proptest takes away faults and shortens their times (`generate`); then the operations that the
//! workload invoked are written out, so that single ones can go; then `passes` take away and simplify until nothing more
//! can be: each proposes scenarios, and `trial` says which of them still break the same property by the same mechanism
//! with the same verdict. The simulation's seed stays, and draws are keyed by what they are for, so what is taken away
//! takes along what it caused and nothing else.
//!
//! Every proposal is judged as the file that it would be: what is written in the end is what was played.

use crate::config::Config;
use crate::digest::DigestValue;
use crate::property::Property;
use crate::run::{RunOptions, RunResult};
use crate::scenario::{ConfiguredProtocol, Document, Registry, Scenario};

use super::judge::{Finding, Signature};
use super::subject::{Case, Subject};
use trial::Trial;

mod narrative;
mod passes;
mod trial;

/// Of more faults than this proptest takes none away: it would go one by one, and `passes` go by halves.
const FEW: usize = 40;

/// A find, made small.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The scenario: a file that stands alone, with its seed, its faults, its operations, the verdict that it expects and
    /// a comment that tells the story.
    pub text: String,
    /// The digest of its run; `None` where the protocol panics.
    pub digest: Option<DigestValue>,
    /// How many faults the find had.
    pub faults_before: usize,
    /// How many operations its clients had invoked.
    pub operations_before: usize,
    /// How many faults are left.
    pub faults: usize,
    /// How many operations are left.
    pub operations: usize,
    /// How many runs it took.
    pub runs: u64,
    /// What it shows.
    pub finding: Finding,
}

/// Shrinks what case `case` of a campaign broke in the way that `signature` says.
///
/// # Errors
///
/// When the case does not fail so; in words.
pub fn shrink_case(
    subject: &Subject,
    seed: u64,
    case: u64,
    signature: &Signature,
) -> Result<Shrunk, String> {
    let mut draw = subject.draw(seed, case);
    let drawn = draw.current();
    let protocol = drawn.scenario().protocol.as_ref();
    let run = |case: &Case| case.run(RunOptions::default());
    let wanted = |finding: &Finding| finding.signature == *signature;
    let broken = trial::broken(signature, drawn.config(), || run(&drawn));
    let Some(finding) = broken.into_iter().find(wanted) else {
        return Err(format!("case {case} does not fail by {signature}"));
    };
    let size = Size::of(drawn.config(), || run(&drawn));
    let mut trial = Trial::new(&subject.registry, finding, subject.fuzz.max_down);
    let mut best = Config { seed: drawn.seed(), ..drawn.config().clone() };
    // The loop of proptest's runner (`TestRunner::shrink`), with a find in the place of a failure.
    let mut goes_on = best.faults.len() <= FEW && draw.simplify();
    while goes_on {
        let less = draw.current();
        goes_on = if trial.finds(less.config(), || run(&less)) {
            best = Config { seed: less.seed(), ..less.config().clone() };
            draw.simplify()
        } else {
            draw.complicate()
        };
    }
    let origin = format!("{}, case {case} of seed {seed}", subject.scenario.name);
    shrink(&origin, (&best, protocol), trial, size)
}

/// Shrinks a scenario that fails under `seed`: by the property that it breaks against its promises or against what the
/// file expects, and if there is none by what it expects to be broken, or by anything else that it breaks; or by how it
/// breaks `check`.
///
/// # Errors
///
/// When nothing is broken; in words.
pub fn shrink_scenario(
    scenario: &Scenario,
    seed: u64,
    registry: &Registry,
    check: Option<Property>,
) -> Result<Shrunk, String> {
    let config = Config { seed, ..scenario.config.clone() };
    let play = || scenario.protocol.run(&config, seed, RunOptions::default());
    let Some(finding) = trial::worst(&config, check, play) else {
        let keeps = |check: Property| format!("keeps {check}");
        let does = check.map_or_else(|| "breaks nothing".to_owned(), keeps);
        return Err(format!("{} {does} under seed {seed}", scenario.name));
    };
    let (size, trial) = (Size::of(&config, play), Trial::new(registry, finding, None));
    shrink(
        &format!("{}, seed {seed}", scenario.name),
        (&config, scenario.protocol.as_ref()),
        trial,
        size,
    )
}

/// How large a find was.
#[derive(Clone, Copy)]
struct Size {
    faults: usize,
    operations: usize,
}

impl Size {
    /// Of a run; what a protocol that panics was asked is not known, but what it was to be.
    fn of(config: &Config, play: impl Fn() -> RunResult) -> Self {
        let invoked = trial::caught(play).map(|result| result.history.entries().len());
        let generated = config.workload.as_ref().and_then(|load| load.operations).unwrap_or(0);
        let to_be = config.script.len() + usize::try_from(generated).unwrap_or(0);
        Self { faults: config.faults.len(), operations: invoked.unwrap_or(to_be) }
    }
}

/// Takes away whatever can go.
fn shrink(
    origin: &str,
    (config, protocol): (&Config, &dyn ConfiguredProtocol),
    mut trial: Trial<'_>,
    before: Size,
) -> Result<Shrunk, String> {
    let document = Document::of_settings(config, protocol);
    if !trial.fails(&document) {
        return Err(format!("{origin}: the file of the run does not fail as the run does"));
    }
    let document = passes::reduce(document, &mut trial);
    narrative::tell(origin, &document, &trial, before)
}
