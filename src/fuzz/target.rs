//! What is fuzzed: a scenario with what may be drawn for it, and its cases.

use std::sync::Arc;

use proptest::collection::VecValueTree;
use proptest::strategy::{Strategy as _, ValueTree as _};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use super::generate::{self, FaultSpace, FaultTree};
use super::judge::JudgedProperties;
use crate::config::{Clock, Config};
use crate::names::Names;
use crate::rng::Probability;
use crate::run::{RunOptions, RunResult};
use crate::scenario::fuzz::{Choice, Fuzz, Kind};
use crate::scenario::{Diagnostics, Registry, Scenario, Template, percentage_text};
use crate::time::Span;

/// How many times settings are drawn to find some that fit one another.
const ATTEMPTS: u32 = 100;

/// A scenario to fuzz.
#[derive(Debug)]
pub struct FuzzTarget {
    /// The file's name in diagnostics.
    pub origin: String,
    /// The text of the file.
    pub text: Vec<u8>,
    /// The `PATH=VALUE` arguments that change the file's settings.
    pub sets: Vec<String>,
    /// The protocols that the file may name.
    pub registry: Registry,
    /// The scenario, with nothing drawn.
    pub scenario: Arc<Scenario>,
    /// What may be drawn.
    pub fuzz: Fuzz,
    template: Template,
    space: FaultSpace,
}

impl FuzzTarget {
    /// Reads the scenario.
    ///
    /// # Errors
    ///
    /// Every mistake in the text and in the arguments; or that no settings were drawn that fit one
    /// another.
    pub fn new(
        origin: &str,
        text: Vec<u8>,
        registry: &Registry,
        sets: &[String],
    ) -> Result<Self, Diagnostics> {
        let (scenario, template) = Template::parse(origin, &text, registry, sets)?;
        let scenario = bare(scenario);
        let fuzz = scenario.fuzz.clone();
        let fuzz = fuzz.unwrap_or_else(|| Fuzz::standard(scenario.config.duration));
        let target = Self {
            origin: origin.to_owned(),
            text,
            sets: sets.to_vec(),
            registry: registry.clone(),
            space: FaultSpace::new(&scenario.config, scenario.protocol.as_ref(), &fuzz),
            scenario: Arc::new(scenario),
            fuzz,
            template,
        };
        if !target.fuzz.settings.is_empty() && target.with_settings(&mut stream(0, 0)).is_none() {
            return Err(Diagnostics::of_file(
                origin,
                &format!(
                    "no {ATTEMPTS} draws of [fuzz.settings] make a scenario: the values do not fit \
                     one another"
                ),
                "draw together what depends on one another: for example write-quorum where \
                 cluster.nodes is drawn",
            ));
        }
        Ok(target)
    }

    /// Case `index` of the campaign with this seed: a pure function of the scenario and the
    /// two.
    #[must_use]
    pub fn case(&self, seed: u64, index: u64) -> FuzzCase {
        self.draw(seed, index).current()
    }

    /// The draws of that case, which can still be shrunk.
    pub(super) fn draw(&self, seed: u64, index: u64) -> Draw<'_> {
        let mut stream = stream(seed, index);
        // The seed has 63 bits: integers in TOML are signed.
        let simulation_seed = stream.next_u64() >> 1;
        let (scenario, space) = match self.with_settings(&mut stream) {
            Some(scenario) => {
                let space =
                    FaultSpace::new(&scenario.config, scenario.protocol.as_ref(), &self.fuzz);
                (Arc::new(scenario), space)
            }
            None => (Arc::clone(&self.scenario), self.space.clone()),
        };
        let mut kinds = space.kinds().to_vec();
        if self.fuzz.swarm {
            let on = stream.next_u64();
            let some = kinds.iter().zip(0..).filter(|(_, bit)| on >> bit & 1 == 1);
            let some: Vec<Kind> = some.map(|(kind, _)| *kind).collect();
            // A draw that switches all kinds off counts as one that switches none off.
            kinds = if some.is_empty() { kinds } else { some };
        }
        let offset = kinds.contains(&Kind::ClockOffset).then_some(self.fuzz.clock_offset);
        let clocks = clocks(&scenario.config, offset, &mut stream);
        kinds.retain(|kind| *kind != Kind::ClockOffset);
        let mut runner_seed = [0; 32];
        stream.fill_bytes(&mut runner_seed);
        let mut runner = generate::runner(runner_seed);
        let strategy = generate::faults(&space, &self.fuzz, kinds);
        let tree = strategy.new_tree(&mut runner).expect("nothing is filtered");
        Draw { seed: simulation_seed, scenario, clocks, tree, fuzz: &self.fuzz }
    }

    /// The scenario with drawn settings; `None` where none are to be drawn.
    fn with_settings(&self, stream: &mut ChaCha8Rng) -> Option<Scenario> {
        if self.fuzz.settings.is_empty() {
            return None;
        }
        // Each value by itself was tried when the file was read; together they may not fit.
        let drawn = (0..ATTEMPTS).find_map(|_| {
            let drawn = self.fuzz.settings.iter();
            let drawn = drawn.map(|(path, choice)| format!("{path}={}", pick(choice, stream)));
            self.template.with(&drawn.collect::<Vec<String>>())
        });
        drawn.map(bare)
    }
}

/// The scenario without the states and answers that it expects: they are of its own faults.
fn bare(mut scenario: Scenario) -> Scenario {
    scenario.config.expect.states.clear();
    for scripted in &mut scenario.config.script {
        scripted.expect = crate::config::Answer::default();
    }
    scenario
}

/// The draws of a case, which proptest can still shrink.
pub(super) struct Draw<'a> {
    seed: u64,
    scenario: Arc<Scenario>,
    clocks: Vec<Clock>,
    tree: VecValueTree<FaultTree>,
    fuzz: &'a Fuzz,
}

impl Draw<'_> {
    /// The case as it is now.
    pub(super) fn current(&self) -> FuzzCase {
        let (mut config, mut names) =
            (self.scenario.config.clone(), Names::clone(&self.scenario.names));
        config.clocks.clone_from(&self.clocks);
        generate::put(&self.tree.current(), self.fuzz.max_down, &mut config, &mut names);
        FuzzCase {
            seed: self.seed,
            scenario: Arc::clone(&self.scenario),
            config,
            names: Arc::new(names),
            scope: if self.fuzz.max_down.is_none() {
                JudgedProperties::Safety
            } else {
                JudgedProperties::All
            },
        }
    }

    /// As [`proptest::strategy::ValueTree::simplify`].
    pub(super) fn simplify(&mut self) -> bool {
        self.tree.simplify()
    }

    /// As [`proptest::strategy::ValueTree::complicate`].
    pub(super) fn complicate(&mut self) -> bool {
        self.tree.complicate()
    }
}

/// A case: a scenario with everything drawn.
#[derive(Debug)]
pub struct FuzzCase {
    seed: u64,
    scenario: Arc<Scenario>,
    config: Config,
    names: Arc<Names>,
    scope: JudgedProperties,
}

impl FuzzCase {
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

    /// The texts behind the ids in the settings.
    #[must_use]
    pub const fn names(&self) -> &Arc<Names> {
        &self.names
    }

    /// The scenario that the faults were drawn for.
    #[must_use]
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// Which properties are judged: only safety, if any number of nodes may be down.
    #[must_use]
    pub const fn scope(&self) -> JudgedProperties {
        self.scope
    }

    /// Plays it.
    #[must_use]
    pub fn run(&self, options: RunOptions) -> RunResult {
        self.scenario.protocol.run(&self.config, &self.names, self.seed, options)
    }
}

/// The random numbers from which all of case `index` is drawn.
fn stream(seed: u64, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&index.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// A number from `low` to `high`.
fn between(stream: &mut ChaCha8Rng, low: u64, high: u64) -> u64 {
    let count = u128::from(high - low) + 1;
    low + ((u128::from(stream.next_u64()) * count) >> 64) as u64
}

/// A value drawn from `choice`, as TOML.
fn pick(choice: &Choice, stream: &mut ChaCha8Rng) -> String {
    match choice {
        Choice::OneOf(values) => {
            values[between(stream, 0, values.len() as u64 - 1) as usize].clone()
        }
        Choice::Integer(low, high) => {
            let above = between(stream, 0, high.abs_diff(*low));
            low.saturating_add_unsigned(above).to_string()
        }
        Choice::Duration(low, high) => {
            Span::from_nanos(between(stream, low.nanos(), high.nanos())).to_string()
        }
        Choice::Share(low, high) => {
            let (low, high) = (low.parts_per_billion(), high.parts_per_billion());
            let parts = between(stream, low.into(), high.into()) as u32;
            percentage_text(Probability::from_parts_per_billion(parts).unwrap_or_default())
        }
    }
}

/// The nodes' clocks: each is right with a chance of one half, else off by up to `most`.
fn clocks(config: &Config, most: Option<Span>, stream: &mut ChaCha8Rng) -> Vec<Clock> {
    let mut clocks = config.clocks.clone();
    let Some(most) = most else { return clocks };
    let size = i64::try_from(most.nanos()).unwrap_or(i64::MAX);
    for clock in &mut clocks {
        let percent = between(stream, 0, 400) as i64;
        // 0 to 200 stand for -100% to 100% of `most`; the other half for no offset.
        let percent = if percent <= 200 { percent - 100 } else { 0 };
        clock.offset_ns = clock.offset_ns.saturating_add(size / 100 * percent);
    }
    clocks
}
