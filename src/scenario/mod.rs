//! Scenario files: TOML text to validated settings and back.
//!
//! A file is parsed to a tree in which every key and value remembers where it was written (`tree`); `--set`
//! arguments are put into that tree (`set`); then it is decoded key by key (`decode`) into
//! [`Config`], every mistake going to one place (`diagnostics`), so that all of them are shown at once, each as
//! rustc would show it. [`schema()`] describes the same files to an editor.

use std::any::Any;
use std::path::Path;

use keys::{Section, Texts, ValueShape};

use crate::config::{Cluster, Config};
use crate::explain::chronicle::{Chronicle, Window};
use crate::explain::{Explanation, NoSuchWrite, Question};
use crate::names::Names;
use crate::property::{Promises, SettlesWithin};
use crate::protocol::leader_follower::LeaderFollower;
use crate::protocol::{Message, Protocol};
use crate::rng::Probability;
use crate::run::diff::Recording;
use crate::run::{RunOptions, RunResult};
use crate::time::Span;

mod answer;
mod changes;
mod cluster;
mod decode;
mod diagnostics;
mod distribution;
mod document;
mod expect;
mod export;
mod faults;
mod frame;
pub mod fuzz;
mod ids;
mod intervals;
pub mod keys;
mod leader_follower;
mod names;
mod network;
pub mod reference;
mod schema;
mod script;
mod sections;
mod set;
mod template;
mod tree;
mod units;
mod vary;
mod words;
mod workload;

pub use decode::{Element, TableDecoder, word_for};
pub use diagnostics::Diagnostics;
pub use distribution::encode_distribution;
pub use document::{Document, LISTS};
pub use schema::schema;
pub use template::Template;
pub use units::read_percentage as percentage;
pub use vary::{Axis, settings};

/// A length of time as scenario files write it: `150ms`, `1.5s`.
///
/// # Errors
///
/// Why it is none, in words.
pub(crate) fn duration(text: &str) -> Result<Span, String> {
    units::duration(text).map_err(|not| not.why)
}

/// A share as scenario files write it: `5%`.
pub(crate) fn percentage_text(share: Probability) -> String {
    units::show_percentage(share.parts_per_billion())
}

/// A protocol that can be named in a scenario file, as `[protocol.NAME]`.
pub trait ScenarioProtocol: Protocol {
    /// The name of its table, in kebab-case.
    const NAME: &'static str;

    /// The keys of its table, and where they go in its settings.
    fn section() -> &'static Section<Self::Config>;

    /// Notes what does not go together, where each key for itself is right. `None` says that a mistake was noted.
    fn check(config: &Self::Config, cluster: &Cluster, table: &mut TableDecoder<'_>) -> Option<()> {
        let _ = (config, cluster, table);
        Some(())
    }

    /// What a put waits for before it is answered, when that is a number of confirmations of equal standing and nothing
    /// else: what a closed form of its latency needs. `None` where there is no such rule.
    fn awaited(config: &Self::Config, scenario: &Config) -> Option<Awaited> {
        let _ = (config, scenario);
        None
    }

    /// The lengths of time on which the protocol turns: heartbeats, timeouts, intervals. Fuzzing lets faults begin and
    /// last about as long as these, where they do the most harm.
    fn timescales(config: &Self::Config) -> Vec<Span> {
        let _ = config;
        Vec::new()
    }
}

/// What a put waits for: the k fastest confirmations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// How many other nodes have to confirm.
    pub confirmations: u16,
    /// How long the leader waits for them.
    pub ack_timeout: Span,
}

/// A protocol with its settings, whatever its type: the one dynamic call a run.
pub trait ConfiguredProtocol: Send + Sync {
    /// The name of its table.
    fn name(&self) -> &'static str;
    /// Runs it.
    fn run(&self, config: &Config, seed: u64, options: RunOptions) -> RunResult;
    /// Runs it and notes every event, for a comparison with another run.
    fn account(&self, config: &Config, seed: u64) -> Recording;
    /// Runs it and tells the lives of some writes.
    ///
    /// # Errors
    ///
    /// When nobody wrote what was asked for.
    fn explain(
        &self,
        config: &Config,
        seed: u64,
        asked: &Question,
    ) -> Result<Explanation, NoSuchWrite>;
    /// Runs it and notes what happens on every node and, where a window is asked for, every message of it.
    fn chronicle(&self, config: &Config, seed: u64, window: Option<Window>) -> Chronicle;
    /// What it promises in this scenario.
    fn promises(&self, config: &Config) -> Promises;
    /// How long it may need to settle after everything has healed.
    fn settles_within(&self, config: &Config) -> SettlesWithin;
    /// What a put waits for, where that is a number of confirmations.
    fn awaited(&self, config: &Config) -> Option<Awaited>;
    /// The lengths of time on which it turns.
    fn timescales(&self) -> Vec<Span>;
    /// Its settings, as in a scenario file.
    fn encode(&self) -> toml::Table;
    /// Its settings, of the type [`Protocol::Config`].
    fn settings(&self) -> &dyn Any;
    /// The names of its kinds of message, by index.
    fn message_kinds(&self) -> &'static [&'static str];
}

struct Configured<P: ScenarioProtocol>(P::Config);

impl<P: ScenarioProtocol> ConfiguredProtocol for Configured<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn run(&self, config: &Config, seed: u64, options: RunOptions) -> RunResult {
        crate::explain::run::<P>(config, &self.0, seed, options)
    }

    fn account(&self, config: &Config, seed: u64) -> Recording {
        crate::run::diff::account::<P>(config, &self.0, seed)
    }

    fn explain(
        &self,
        config: &Config,
        seed: u64,
        asked: &Question,
    ) -> Result<Explanation, NoSuchWrite> {
        crate::explain::explain::<P>(config, &self.0, seed, asked)
    }

    fn chronicle(&self, config: &Config, seed: u64, window: Option<Window>) -> Chronicle {
        crate::explain::chronicle::chronicle::<P>(config, &self.0, seed, window)
    }

    fn promises(&self, config: &Config) -> Promises {
        P::promises(&self.0, config)
    }

    fn settles_within(&self, config: &Config) -> SettlesWithin {
        P::settles_within(&self.0, config)
    }

    fn awaited(&self, config: &Config) -> Option<Awaited> {
        P::awaited(&self.0, config)
    }

    fn timescales(&self) -> Vec<Span> {
        P::timescales(&self.0)
    }

    fn encode(&self) -> toml::Table {
        let texts = Texts { names: &Names::default(), kinds: P::Message::KINDS };
        P::section().encode(&self.0, &texts)
    }

    fn settings(&self) -> &dyn Any {
        &self.0
    }

    fn message_kinds(&self) -> &'static [&'static str] {
        P::Message::KINDS
    }
}

type DecodeProtocol = fn(&mut TableDecoder<'_>, &Cluster) -> Option<Box<dyn ConfiguredProtocol>>;

/// What the scenario layer needs to know of a protocol before it has settings.
#[derive(Clone, Copy)]
struct Registered {
    name: &'static str,
    decode: DecodeProtocol,
    shape: fn() -> ValueShape,
}

/// The protocols that scenario files may name.
#[derive(Clone)]
pub struct Registry {
    protocols: Vec<Registered>,
}

impl Registry {
    /// The protocols that come with splitbrain.
    #[must_use]
    pub fn new() -> Self {
        Self { protocols: Vec::new() }.with::<LeaderFollower>()
    }

    /// Adds `P`, in place of one with the same name.
    #[must_use]
    pub fn with<P: ScenarioProtocol>(mut self) -> Self {
        self.protocols.retain(|other| other.name != P::NAME);
        self.protocols.push(Registered {
            name: P::NAME,
            decode: |table, cluster| {
                let config = P::section().decode(table)?;
                P::check(&config, cluster, table)?;
                Some(Box::new(Configured::<P>(config)))
            },
            shape: || P::section().shape(),
        });
        self
    }

    /// The names, in the order in which they were added.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.protocols.iter().map(|protocol| protocol.name)
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// What is set from outside before a file is decoded, in this order. Mistakes point into the arguments.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides<'a> {
    /// `PATH=VALUE` of `--set`.
    pub sets: &'a [String],
    /// `PATH=VALUE` of one configuration of a comparison, `--with`.
    pub with: &'a [String],
    /// A point of a sweep: of each axis the index of the value that it takes.
    pub point: &'a [(&'a Axis, usize)],
}

impl Overrides<'_> {
    const fn is_empty(&self) -> bool {
        self.sets.is_empty() && self.with.is_empty() && self.point.is_empty()
    }
}

/// A scenario: settings, with a protocol and its settings.
pub struct Scenario {
    /// The file's name without folder and ending.
    pub name: String,
    /// Everything but the protocol.
    pub config: Config,
    /// The protocol with its settings, ready to run.
    pub protocol: Box<dyn ConfiguredProtocol>,
    /// What a campaign may draw, if the file says so.
    pub fuzz: Option<fuzz::Fuzz>,
    /// What is no mistake, and may not be meant.
    pub warnings: Option<Diagnostics>,
}

impl std::fmt::Debug for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scenario")
            .field("name", &self.name)
            .field("config", &self.config)
            .field("protocol", &self.protocol.name())
            .field("settings", &self.protocol.encode())
            .finish()
    }
}

impl Scenario {
    /// Reads the file at `path`. `sets` are `PATH=VALUE` arguments, put into the file's tree before it is decoded.
    ///
    /// # Errors
    ///
    /// Every mistake found in the file and in the arguments.
    pub fn load(path: &Path, registry: &Registry, sets: &[String]) -> Result<Self, Diagnostics> {
        Self::load_with(path, registry, &Overrides { sets, ..Overrides::default() })
    }

    /// The same with settings from several places.
    ///
    /// # Errors
    ///
    /// Every mistake found in the file and in the arguments.
    pub fn load_with(
        path: &Path,
        registry: &Registry,
        overrides: &Overrides<'_>,
    ) -> Result<Self, Diagnostics> {
        let origin = path.display().to_string();
        let text = tree::read(path).map_err(|why| Diagnostics::unreadable(&origin, &why))?;
        Self::parse_with(&origin, &text, registry, overrides)
    }

    /// The same for text already at hand; `origin` is what diagnostics call the file.
    ///
    /// # Errors
    ///
    /// Every mistake found in the text and in the arguments.
    pub fn parse(
        origin: &str,
        text: &[u8],
        registry: &Registry,
        sets: &[String],
    ) -> Result<Self, Diagnostics> {
        Self::parse_with(origin, text, registry, &Overrides { sets, ..Overrides::default() })
    }

    /// The same with settings from several places.
    ///
    /// # Errors
    ///
    /// Every mistake found in the text and in the arguments.
    pub fn parse_with(
        origin: &str,
        text: &[u8],
        registry: &Registry,
        overrides: &Overrides<'_>,
    ) -> Result<Self, Diagnostics> {
        let (decoded, warnings) = sections::decode(origin, text, registry, overrides)?;
        Ok(Self { warnings, ..Self::of_decoded(origin, decoded) })
    }

    fn of_decoded(origin: &str, (config, protocol, fuzz): sections::Decoded) -> Self {
        let stem = Path::new(origin).file_stem();
        let name = stem.map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        Self { name, config, protocol, fuzz, warnings: None }
    }

    /// The scenario as TOML that parses back to equal settings, every setting explicit.
    #[must_use]
    pub fn export(&self) -> String {
        Document::of(self).render()
    }

    /// The settings of the protocol; `None` where it is another than `P`.
    #[must_use]
    pub fn settings<P: ScenarioProtocol>(&self) -> Option<&P::Config> {
        self.protocol.settings().downcast_ref()
    }

    /// Runs it.
    #[must_use]
    pub fn run(&self, seed: u64, options: RunOptions) -> RunResult {
        self.protocol.run(&self.config, seed, options)
    }
}
