//! Small runs for tests, played and then looked at a second time.

use super::chronicle::{self, Chronicle, FaultSpan, Window};
use crate::run::{RunOptions, RunResult};
use crate::scenario::{Registry, Scenario};

/// A leader that is cut off accepts a write, which is lost with it.
pub(crate) const CUT_OFF: &str = r#"
title = "A leader is cut off with a write, and dies"
duration = "2s"
[cluster]
nodes = 3
[network]
delay = "5ms"
client-delay = "2ms"
[protocol.leader-follower]
mode = "async"
[protocol.leader-follower.failover]
election = "lowest-id"
heartbeat = "50ms"
timeout = "150ms"
[[operation]]
at = "500ms"
client = "a"
put = { key = "k", value = "kept" }
[[fault]]
id = "split"
at = "600ms"
for = "1s"
partition = [["n1", "a"], ["n2", "n3"]]
[[operation]]
at = "610ms"
client = "a"
put = { key = "k", value = "lost" }
[[fault]]
id = "stop"
at = "650ms"
for = "1200ms"
crash = "n1"
"#;

/// A run with its chronicle.
pub(crate) struct PlayedRun {
    pub(crate) scenario: Scenario,
    pub(crate) result: RunResult,
    /// What nodes did; without messages.
    pub(crate) chronicle: Chronicle,
    pub(crate) faults: Vec<FaultSpan>,
}

impl PlayedRun {
    pub(crate) fn of(text: &str, seed: u64) -> Self {
        let scenario = Scenario::parse("x.toml", text.as_bytes(), &Registry::new(), &[]).unwrap();
        let result = scenario.run(seed, RunOptions::default());
        let chronicle = scenario.protocol.chronicle(&scenario.config, &scenario.names, seed, None);
        let faults = chronicle::faults(&scenario.config, &result.history, &chronicle);
        Self { scenario, result, chronicle, faults }
    }

    /// The chronicle with the messages of `window`.
    pub(crate) fn within(&self, window: Window) -> Chronicle {
        let Scenario { config, names, protocol, .. } = &self.scenario;
        protocol.chronicle(config, names, self.result.seed, Some(window))
    }
}
