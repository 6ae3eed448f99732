//! The question that shrinking asks again and again: does this still fail in the same way?

use std::collections::BTreeSet;

use xxhash_rust::xxh3::xxh3_64;

use crate::config::{Config, ExpectedVerdict};
use crate::fuzz::budget;
use crate::fuzz::judge::{self, Finding, Signature};
use crate::fuzz::play::caught_run;
use crate::named::Named;
use crate::property::Property;
use crate::run::{RunOptions, RunResult};
use crate::scenario::{Document, Registry, Scenario};

/// The find that has to stay: its signature and its verdict, that is; its witness may change.
pub(super) struct Trial<'a> {
    pub(super) registry: &'a Registry,
    pub(super) finding: Finding,
    /// How many nodes may be stopped at once, if that is bounded: what is left of a find keeps to what it was found
    /// within.
    pub(super) max_down: Option<u16>,
    /// How many runs were asked.
    pub(super) runs: u64,
    /// Hashes of the files that were asked about.
    asked: BTreeSet<u64>,
}

impl<'a> Trial<'a> {
    pub(super) const fn new(
        registry: &'a Registry,
        finding: Finding,
        max_down: Option<u16>,
    ) -> Self {
        Self { registry, finding, max_down, runs: 0, asked: BTreeSet::new() }
    }

    /// Whether the file fails in the same way, under its own seed. Of a file that was asked about before it is said that
    /// it does not: either so it is, or it is one that was left for a better one, and to go back to it would be to go in
    /// a circle.
    pub(super) fn fails(&mut self, document: &Document) -> bool {
        if !self.asked.insert(xxh3_64(document.render().as_bytes())) {
            return false;
        }
        // What is no scenario fails in another way.
        let scenario = document.try_scenario("shrinking.toml", self.registry);
        scenario.is_some_and(|scenario| self.finds(&scenario.config, || played(&scenario)))
    }

    /// Whether the run of this configuration fails in the same way.
    pub(super) fn finds(&mut self, config: &Config, play: impl Fn() -> RunResult) -> bool {
        if self.max_down.is_some_and(|most| !budget::keeps(config, most)) {
            return false;
        }
        self.runs += 1;
        broken(&self.finding.signature, config, play).iter().any(|found| self.is_same(found))
    }

    pub(super) fn is_same(&self, found: &Finding) -> bool {
        let finding = &self.finding;
        // Nothing at all is no value either: what was found in place of what was expected has to stay.
        let is_as_found =
            found.signature.check != "expectation" || found.summary == finding.summary;
        found.signature == finding.signature && found.verdict == finding.verdict && is_as_found
    }
}

/// The run of a scenario under its own seed.
pub(super) fn played(scenario: &Scenario) -> RunResult {
    scenario.run(scenario.config.seed, RunOptions::default())
}

/// A run; `None` when the protocol panics.
pub(super) fn caught(play: impl Fn() -> RunResult) -> Option<RunResult> {
    caught_run(play).ok()
}

/// All that a run breaks, promised or not. Whether it is the same a second time is looked at only if that is `wanted`.
pub(super) fn broken(
    wanted: &Signature,
    config: &Config,
    play: impl Fn() -> RunResult,
) -> Vec<Finding> {
    let result = match caught_run(&play) {
        Ok(result) => result,
        Err(panicked) => return vec![panicked],
    };
    if *wanted == Signature::determinism() {
        let differs = caught(&play).is_none_or(|again| again.digest != result.digest);
        return differs.then(judge::nondeterministic).into_iter().collect();
    }
    let mut broken = judge::all_broken(&result);
    broken.extend(judge::unmet(config, &result));
    broken
}

/// What is worst about a run: a broken promise or expectation, else anything that is broken; of this property, if one is
/// wanted.
pub(super) fn worst(
    config: &Config,
    check: Option<Property>,
    play: impl Fn() -> RunResult,
) -> Option<Finding> {
    let result = match caught_run(play) {
        Ok(result) => result,
        Err(panicked) => return Some(panicked),
    };
    let mut found = judge::findings(config, &result, false);
    found.extend(judge::unmet(config, &result));
    // Of what may be broken first what the file is about.
    let (named, others): (Vec<_>, Vec<_>) =
        judge::all_broken(&result).into_iter().partition(|one| {
            let is_named = |(property, _): &(Property, ExpectedVerdict)| {
                property.name() == one.signature.check
            };
            config.expect.checks.iter().any(is_named)
        });
    found.extend(named.into_iter().chain(others));
    found.into_iter().find(|one| check.is_none_or(|check| one.signature.check == check.name()))
}
