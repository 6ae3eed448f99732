//! What is fuzzed: a scenario and what may be drawn for it.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use crate::config::Config;
use crate::run::{RunOptions, RunResult};
use crate::scenario::fuzz::Fuzz;
use crate::scenario::{Diagnostics, Registry, Scenario};

/// A scenario to be fuzzed.
#[derive(Debug)]
pub struct Subject {
    /// What diagnostics call the file.
    pub origin: String,
    /// The text of the file.
    pub text: Vec<u8>,
    /// `PATH=VALUE` arguments put into the file's tree.
    pub sets: Vec<String>,
    /// The protocols that it may name.
    pub registry: Registry,
    /// The scenario as it is without anything drawn.
    pub scenario: Scenario,
    /// What may be drawn.
    pub fuzz: Fuzz,
}

impl Subject {
    /// Reads the scenario.
    ///
    /// # Errors
    ///
    /// Every mistake found in the text and in the arguments.
    pub fn new(
        origin: &str,
        text: Vec<u8>,
        registry: &Registry,
        sets: &[String],
    ) -> Result<Self, Diagnostics> {
        let scenario = Scenario::parse(origin, &text, registry, sets)?;
        let fuzz = scenario.fuzz.clone();
        let fuzz = fuzz.unwrap_or_else(|| Fuzz::standard(scenario.config.duration));
        Ok(Self {
            origin: origin.to_owned(),
            text,
            sets: sets.to_vec(),
            registry: registry.clone(),
            scenario,
            fuzz,
        })
    }

    /// Case `index` of the campaign of this seed.
    #[must_use]
    pub fn case(&self, seed: u64, index: u64) -> Case<'_> {
        let config = self.scenario.config.clone();
        let mut stream = stream(seed, index);
        // A scenario's seed has 63 bits, as the integers of its file have.
        let drawn = stream.next_u64() >> 1;
        Case {
            seed: drawn,
            scenario: &self.scenario,
            config,
            safety_only: self.fuzz.max_down.is_none(),
        }
    }
}

/// A case: a scenario with everything drawn.
#[derive(Debug)]
pub struct Case<'a> {
    seed: u64,
    scenario: &'a Scenario,
    config: Config,
    safety_only: bool,
}

impl Case<'_> {
    /// The seed of its simulation.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Its settings, with the faults drawn.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Whether nodes may be down in any number, so that only safety is judged.
    #[must_use]
    pub const fn safety_only(&self) -> bool {
        self.safety_only
    }

    /// Plays it.
    #[must_use]
    pub fn run(&self, options: RunOptions) -> RunResult {
        self.scenario.protocol.run(&self.config, self.seed, options)
    }
}

/// Everything that is drawn for case `index` of the campaign of this seed comes from here.
fn stream(seed: u64, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&index.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}
