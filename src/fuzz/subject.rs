//! What is fuzzed: a scenario and what may be drawn for it; and its cases.

use std::sync::Arc;

use proptest::collection::VecValueTree;
use proptest::strategy::{Strategy as _, ValueTree as _};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use super::generate::{self, FaultTree, Scene};
use crate::config::{Clock, Config};
use crate::rng::Probability;
use crate::run::{RunOptions, RunResult};
use crate::scenario::fuzz::{Choice, Fuzz, Kind};
use crate::scenario::{Diagnostics, Registry, Scenario, Template, percentage_text};
use crate::time::Span;

/// So often are settings drawn that have to fit one another.
const ATTEMPTS: u32 = 100;

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
    pub scenario: Arc<Scenario>,
    /// What may be drawn.
    pub fuzz: Fuzz,
    template: Template,
    scene: Scene,
}

impl Subject {
    /// Reads the scenario.
    ///
    /// # Errors
    ///
    /// Every mistake found in the text and in the arguments; or that none of the settings that may be drawn fit one
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
        let subject = Self {
            origin: origin.to_owned(),
            text,
            sets: sets.to_vec(),
            registry: registry.clone(),
            scene: Scene::new(&scenario.config, scenario.protocol.as_ref(), &fuzz),
            scenario: Arc::new(scenario),
            fuzz,
            template,
        };
        if !subject.fuzz.settings.is_empty() && subject.with_settings(&mut stream(0, 0)).is_none() {
            return Err(Diagnostics::of_file(
                origin,
                &format!(
                    "no {ATTEMPTS} draws of [fuzz.settings] make a scenario: the values do not fit one another"
                ),
                "draw together what depends on one another: for example write-quorum where cluster.nodes is drawn",
            ));
        }
        Ok(subject)
    }

    /// Case `index` of the campaign of this seed: a pure function of the scenario and the two.
    #[must_use]
    pub fn case(&self, seed: u64, index: u64) -> Case {
        self.draw(seed, index).current()
    }

    /// The same, before it is settled which of the faults drawn it has.
    pub(super) fn draw(&self, seed: u64, index: u64) -> Draw<'_> {
        let mut stream = stream(seed, index);
        // A scenario's seed has 63 bits, as the integers of its file have.
        let simulation_seed = stream.next_u64() >> 1;
        let (scenario, scene) = match self.with_settings(&mut stream) {
            Some(scenario) => {
                let scene = Scene::new(&scenario.config, scenario.protocol.as_ref(), &self.fuzz);
                (Arc::new(scenario), scene)
            }
            None => (Arc::clone(&self.scenario), self.scene.clone()),
        };
        let mut kinds = scene.kinds().to_vec();
        if self.fuzz.swarm {
            let on = stream.next_u64();
            let some = kinds.iter().zip(0..).filter(|(_, bit)| on >> bit & 1 == 1);
            let some: Vec<Kind> = some.map(|(kind, _)| *kind).collect();
            // All switched off is none switched off.
            kinds = if some.is_empty() { kinds } else { some };
        }
        let offset = kinds.contains(&Kind::ClockOffset).then_some(self.fuzz.clock_offset);
        let clocks = clocks(&scenario.config, offset, &mut stream);
        kinds.retain(|kind| *kind != Kind::ClockOffset);
        let mut runner_seed = [0; 32];
        stream.fill_bytes(&mut runner_seed);
        let mut runner = generate::runner(runner_seed);
        let strategy = generate::faults(&scene, &self.fuzz, kinds);
        let tree = strategy.new_tree(&mut runner).expect("nothing is filtered");
        Draw { seed: simulation_seed, scenario, clocks, tree, fuzz: &self.fuzz }
    }

    /// The scenario with settings drawn, where any are.
    fn with_settings(&self, stream: &mut ChaCha8Rng) -> Option<Scenario> {
        if self.fuzz.settings.is_empty() {
            return None;
        }
        // Each value was tried when the file was read; some may not fit one another.
        let drawn = (0..ATTEMPTS).find_map(|_| {
            let drawn = self.fuzz.settings.iter();
            let drawn = drawn.map(|(path, choice)| format!("{path}={}", pick(choice, stream)));
            self.template.with(&drawn.collect::<Vec<String>>())
        });
        drawn.map(bare)
    }
}

/// The scenario without what it expects of its own schedule: other faults make other states and answers.
fn bare(mut scenario: Scenario) -> Scenario {
    scenario.config.expect.states.clear();
    for scripted in &mut scenario.config.script {
        scripted.expect = crate::config::Answer::default();
    }
    scenario
}

/// A case under way from draws to faults: what is left of it may still be taken away.
pub(super) struct Draw<'a> {
    seed: u64,
    scenario: Arc<Scenario>,
    clocks: Vec<Clock>,
    tree: VecValueTree<FaultTree>,
    fuzz: &'a Fuzz,
}

impl Draw<'_> {
    /// The case with what is left.
    pub(super) fn current(&self) -> Case {
        let mut config = self.scenario.config.clone();
        config.clocks.clone_from(&self.clocks);
        generate::put(&self.tree.current(), self.fuzz.max_down, &mut config);
        Case {
            seed: self.seed,
            scenario: Arc::clone(&self.scenario),
            config,
            safety_only: self.fuzz.max_down.is_none(),
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
pub struct Case {
    seed: u64,
    scenario: Arc<Scenario>,
    config: Config,
    safety_only: bool,
}

impl Case {
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

    /// The scenario that the faults were drawn for.
    #[must_use]
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
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

/// A number from `low` to `high`.
fn between(stream: &mut ChaCha8Rng, low: u64, high: u64) -> u64 {
    let count = u128::from(high - low) + 1;
    low + ((u128::from(stream.next_u64()) * count) >> 64) as u64
}

/// One of what may be drawn, as the text of a TOML value.
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

/// The nodes' clocks, each as likely right as off by up to `most`.
fn clocks(config: &Config, most: Option<Span>, stream: &mut ChaCha8Rng) -> Vec<Clock> {
    let mut clocks = config.clocks.clone();
    let Some(most) = most else { return clocks };
    let size = i64::try_from(most.nanos()).unwrap_or(i64::MAX);
    for clock in &mut clocks {
        let percent = between(stream, 0, 400) as i64;
        // From 100 per cent behind to as much ahead.
        let percent = if percent <= 200 { percent - 100 } else { 0 };
        clock.offset_ns = clock.offset_ns.saturating_add(size / 100 * percent);
    }
    clocks
}
