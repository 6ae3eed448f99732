//! Scenario files: TOML text to validated settings and back.

use std::fmt;
use std::path::Path;

use crate::config::Config;
use crate::protocol::Protocol;
use crate::run::{RunOptions, RunResult};

/// A protocol that can be named in a scenario file, as `[protocol.NAME]`.
pub trait ScenarioProtocol: Protocol {
    /// The name of its table.
    const NAME: &'static str;

    // decode: reads the table; see the implementations in scenario/
    // encode: writes it back
    // schema: the JSON schema of the table
}

/// A scenario: settings, with a protocol and its settings.
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// Everything but the protocol.
    pub config: Config,
    /// The protocol with its settings, ready to run: the one dynamic call a run.
    pub protocol: Box<dyn ConfiguredProtocol>,
}

/// A protocol with its settings.
pub trait ConfiguredProtocol: Send + Sync {
    /// The name of its table.
    fn name(&self) -> &'static str;
    /// Runs it.
    fn run(&self, config: &Config, seed: u64, options: RunOptions) -> RunResult;
}

impl Scenario {
    /// Stub: no file loads yet.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn load(path: &Path, _: &Registry, _: &[String]) -> Result<Self, Diagnostics> {
        match std::fs::read(path) {
            Ok(_) => Err(Diagnostics(format!("error: {}: not read yet", path.display()))),
            Err(error) => Err(Diagnostics(format!("error: {}: {error}", path.display()))),
        }
    }

    /// Runs it.
    #[must_use]
    pub fn run(&self, seed: u64, options: RunOptions) -> RunResult {
        self.protocol.run(&self.config, seed, options)
    }
}

/// What is wrong with a scenario.
#[derive(Debug)]
pub struct Diagnostics(String);

impl Diagnostics {
    /// As rustc shows it.
    #[must_use]
    pub fn render(&self, _color: bool) -> String {
        self.0.clone()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Diagnostics {}

/// The JSON schema of scenario files.
#[must_use]
pub fn schema(_: &Registry) -> serde_json::Value {
    serde_json::json!({})
}

/// The protocols that scenario files may name.
#[derive(Debug, Default)]
pub struct Registry;

impl Registry {
    /// None but the built-in ones.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}
