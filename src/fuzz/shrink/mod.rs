//! Shrinking: from a find to the smallest scenario that fails in the same way.
//!
//! Three steps:
//!
//! 1. proptest removes faults and shortens their times (`generate`).
//! 2. The operations that the workload invoked are written out as a script, so that single ones can
//!    be removed.
//! 3. `passes` remove and simplify until nothing more can be: each pass proposes scenarios, and
//!    `oracle` says which of them still break the same property by the same mechanism with the same
//!    verdict.
//!
//! The simulation's seed stays the same, and draws are keyed by what they are for: removing
//! something removes what it caused and nothing else.
//!
//! Every proposal is judged as the file that it would be, so the file that is written is one that
//! was played.

use crate::config::Config;
use crate::names::Names;
use crate::property::Property;
use crate::run::RunOptions;
use crate::scenario::{ConfiguredProtocol, Document, Registry, Scenario};

use super::judge::{Find, Signature};
use super::target::{FuzzCase, FuzzTarget};
use oracle::Oracle;

mod narrative;
mod oracle;
mod passes;
mod size;

pub use size::Shrunk;
use size::Size;

/// With more faults than this, proptest shrinks nothing: it removes one at a time, while `passes`
/// remove halves.
const FEW: usize = 40;

/// Shrinks the failure with this signature in case `case` of a campaign.
///
/// # Errors
///
/// A message, when the case does not fail in this way.
pub fn shrink_case(
    target: &FuzzTarget,
    seed: u64,
    case: u64,
    signature: &Signature,
) -> Result<Shrunk, String> {
    let mut draw = target.draw(seed, case);
    let mut best = draw.current();
    let run = |case: &FuzzCase| case.run(RunOptions::default());
    let wanted = |finding: &Find| finding.signature == *signature;
    let broken = oracle::broken(signature, best.config(), || run(&best));
    let Some(finding) = broken.into_iter().find(wanted) else {
        return Err(format!("case {case} does not fail by {signature}"));
    };
    let size = Size::of(best.config(), || run(&best));
    let mut oracle = Oracle::new(&target.registry, finding, target.fuzz.max_down);
    // The loop of proptest's `TestRunner::shrink`, with a find in place of a failed test.
    let mut goes_on = best.config().faults.len() <= FEW && draw.simplify();
    while goes_on {
        let less = draw.current();
        goes_on = if oracle.reproduces(less.config(), || run(&less)) {
            best = less;
            draw.simplify()
        } else {
            draw.complicate()
        };
    }
    let origin = format!("{}, case {case} of seed {seed}", target.scenario.name);
    let config = Config { seed: best.seed(), ..best.config().clone() };
    shrink(&origin, &config, best.names(), best.scenario().protocol.as_ref(), oracle, size)
}

/// Shrinks a scenario that fails under `seed`. Which failure is kept, in order of preference:
///
/// 1. a broken promise, or what the file expects and does not get;
/// 2. a property that is broken as the file expects;
/// 3. any other property that is broken.
///
/// With `check`, only failures of this property count.
///
/// # Errors
///
/// A message, when nothing is broken.
pub fn shrink_scenario(
    scenario: &Scenario,
    seed: u64,
    registry: &Registry,
    check: Option<Property>,
) -> Result<Shrunk, String> {
    let config = Config { seed, ..scenario.config.clone() };
    let play = || scenario.protocol.run(&config, &scenario.names, seed, RunOptions::default());
    let Some(finding) = oracle::worst(&config, check, play) else {
        let keeps = |check: Property| format!("keeps {check}");
        let does = check.map_or_else(|| "breaks nothing".to_owned(), keeps);
        return Err(format!("{} {does} under seed {seed}", scenario.name));
    };
    let (size, oracle) = (Size::of(&config, play), Oracle::new(registry, finding, None));
    let origin = format!("{}, seed {seed}", scenario.name);
    shrink(&origin, &config, &scenario.names, scenario.protocol.as_ref(), oracle, size)
}

/// Removes everything that can be removed.
fn shrink(
    origin: &str,
    config: &Config,
    names: &Names,
    protocol: &dyn ConfiguredProtocol,
    mut oracle: Oracle<'_>,
    before: Size,
) -> Result<Shrunk, String> {
    let document = Document::of_settings(config, names, protocol);
    if !oracle.fails(&document) {
        return Err(format!("{origin}: the file of the run does not fail as the run does"));
    }
    let document = passes::reduce(document, &mut oracle);
    narrative::tell(origin, &document, &oracle, before)
}
