//! A scenario that was read.

use std::path::Path;
use std::sync::Arc;

use super::diagnostics::Diagnostics;
use super::fuzz::Fuzz;
use super::protocol::{ConfiguredProtocol, ScenarioProtocol};
use super::registry::Registry;
use super::sections::{self, Decoded};
use super::tree;
use super::vary::Overrides;
use crate::config::Config;
use crate::names::Names;
use crate::run::{RunOptions, RunResult};

/// A scenario: the settings of a run, and a protocol with its own.
pub struct Scenario {
    /// The file's name without folder and ending.
    pub name: String,
    /// Everything but the protocol.
    pub config: Config,
    /// The texts behind the ids in `config`.
    pub names: Arc<Names>,
    /// The protocol with its settings, ready to run.
    pub protocol: Box<dyn ConfiguredProtocol>,
    /// What a campaign may draw, if the file says so.
    pub fuzz: Option<Fuzz>,
    /// What is no mistake, but perhaps not intended.
    pub warnings: Option<Diagnostics>,
}

impl std::fmt::Debug for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scenario")
            .field("name", &self.name)
            .field("config", &self.config)
            .field("names", &self.names)
            .field("protocol", &self.protocol.name())
            .field("settings", &self.protocol.encode())
            .finish()
    }
}

impl Scenario {
    /// Reads the file at `path`. `sets` are `PATH=VALUE` arguments, applied before the file is
    /// decoded.
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

    /// The same for the text of a file; `origin` is the file's name in diagnostics.
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

    pub(super) fn of_decoded(origin: &str, decoded: Decoded) -> Self {
        let Decoded { config, names, protocol, fuzz } = decoded;
        let stem = Path::new(origin).file_stem();
        let name = stem.map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        Self { name, config, names: Arc::new(names), protocol, fuzz, warnings: None }
    }

    /// The settings of the protocol; `None` if it is not `P`.
    #[must_use]
    pub fn settings<P: ScenarioProtocol>(&self) -> Option<&P::Config> {
        self.protocol.settings().downcast_ref()
    }

    /// Runs it.
    #[must_use]
    pub fn run(&self, seed: u64, options: RunOptions) -> RunResult {
        self.protocol.run(&self.config, &self.names, seed, options)
    }
}
