//! Stories: short scenarios whose every expectation has to be met.
//!
//! Unless a story says otherwise there are three nodes, `n1` leads, a message takes a millisecond, and a client none.

use splitbrain::run::{QueueKind, RunOptions, RunResult, RunVerdict};
use splitbrain::scenario::{Registry, Scenario};

pub(crate) const NODES: &str = "cluster.nodes = 3\n";
const DELAY: &str = "network.delay = \"1ms\"\n";
const PROTOCOL: &str = "protocol.leader-follower = { }\n";

/// A story with what it leaves unsaid. Panics when it is not read.
pub(crate) fn scenario(story: &str, scenario: &str) -> Scenario {
    let mut text = String::new();
    for (key, line) in [("cluster", NODES), ("network", DELAY), ("protocol", PROTOCOL)] {
        if !scenario.lines().any(|line| line.trim_start().starts_with(key)) {
            text += line;
        }
    }
    text += scenario;
    Scenario::parse("story.toml", text.as_bytes(), &Registry::new(), &[])
        .unwrap_or_else(|mistakes| panic!("{story}:\n{mistakes}"))
}

/// Runs a story. Panics when an expectation is not met.
pub(crate) fn play(story: &str, text: &str) -> RunResult {
    let scenario = scenario(story, text);
    let run = |queue| scenario.run(1, RunOptions { queue, ..RunOptions::default() });
    let (result, other) = (run(QueueKind::Calendar), run(QueueKind::Heap));
    assert_eq!(result.digest, other.digest, "{story}: the queues differ");
    let unmet: Vec<String> = (result.expectations.iter().filter(|expectation| !expectation.met))
        .map(|expectation| format!("{}, found {}", expectation.name, expectation.found))
        .collect();
    assert!(unmet.is_empty(), "{story}:\n{}", unmet.join("\n"));
    assert!(!result.expectations.is_empty(), "{story}: nothing is expected");
    assert_eq!(result.verdict, RunVerdict::Pass, "{story}: {:#?}", result.checks);
    result
}

pub(crate) fn play_all(stories: &[(&str, &str)]) {
    for (story, scenario) in stories {
        play(story, scenario);
    }
}
