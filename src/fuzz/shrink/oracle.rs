//! The oracle of shrinking: does a smaller scenario still fail in the same way?

use std::collections::BTreeSet;

use xxhash_rust::xxh3::xxh3_64;

use crate::config::{Config, ExpectedVerdict};
use crate::fuzz::budget;
use crate::fuzz::judge::{self, Find, JudgedProperties, Signature};
use crate::fuzz::play::caught_run;
use crate::named::Named;
use crate::property::Property;
use crate::run::{RunOptions, RunResult};
use crate::scenario::{Document, Registry, Scenario};

/// Compares runs with the find that has to stay. Its signature and verdict must stay the same; its
/// witness may change.
pub(super) struct Oracle<'a> {
    pub(super) registry: &'a Registry,
    pub(super) finding: Find,
    /// How many nodes may be down at once, if that is bounded. A shrunk find keeps to the bound
    /// that it was found under.
    pub(super) max_down: Option<u16>,
    /// How many runs were played.
    pub(super) runs: u64,
    /// Hashes of the files that were tried.
    tried: BTreeSet<u64>,
}

impl<'a> Oracle<'a> {
    pub(super) const fn new(registry: &'a Registry, finding: Find, max_down: Option<u16>) -> Self {
        Self { registry, finding, max_down, runs: 0, tried: BTreeSet::new() }
    }

    /// Whether the file fails in the same way, under its own seed.
    ///
    /// A file that was tried before counts as one that does not: either it did not, or it was given
    /// up for a smaller one, and going back would be a circle.
    pub(super) fn fails(&mut self, document: &Document) -> bool {
        if !self.tried.insert(xxh3_64(document.render().as_bytes())) {
            return false;
        }
        // A document that is no scenario does not fail in the same way.
        let scenario = document.try_scenario("shrinking.toml", self.registry);
        scenario.is_some_and(|scenario| self.reproduces(&scenario.config, || played(&scenario)))
    }

    /// Whether the run of this configuration fails in the same way.
    pub(super) fn reproduces(&mut self, config: &Config, play: impl Fn() -> RunResult) -> bool {
        if self.max_down.is_some_and(|most| !budget::is_kept(config, most)) {
            return false;
        }
        self.runs += 1;
        broken(&self.finding.signature, config, play).iter().any(|found| self.is_same(found))
    }

    pub(super) fn is_same(&self, found: &Find) -> bool {
        let finding = &self.finding;
        // An expectation must be missed by the same value: finding nothing at all is another
        // failure.
        let is_as_found =
            found.signature.check != "expectation" || found.summary == finding.summary;
        found.signature == finding.signature && found.verdict == finding.verdict && is_as_found
    }
}

/// The run of a scenario under its own seed.
pub(super) fn played(scenario: &Scenario) -> RunResult {
    scenario.run(scenario.config.seed, RunOptions::default())
}

/// The run; `None` when the protocol panics.
pub(super) fn caught(play: impl Fn() -> RunResult) -> Option<RunResult> {
    caught_run(play).ok()
}

/// Everything that a run breaks, promised or not. Runs a second time only if the `wanted` find is
/// that two runs differ.
pub(super) fn broken(
    wanted: &Signature,
    config: &Config,
    play: impl Fn() -> RunResult,
) -> Vec<Find> {
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

/// The worst failure of a run, in the order that [`super::shrink_scenario`] documents.
pub(super) fn worst(
    config: &Config,
    check: Option<Property>,
    play: impl Fn() -> RunResult,
) -> Option<Find> {
    let result = match caught_run(play) {
        Ok(result) => result,
        Err(panicked) => return Some(panicked),
    };
    let mut found = judge::findings(config, &result, JudgedProperties::All);
    found.extend(judge::unmet(config, &result));
    // Of the failures that are allowed, first those that the file expects.
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
