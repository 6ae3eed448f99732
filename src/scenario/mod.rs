//! Scenario files: TOML text to validated settings and back.

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
