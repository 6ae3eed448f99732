//! Stories: short scenarios that say what has to come of them.
//!
//! Unless a story says otherwise it has three nodes, `n1` leads, a message takes a millisecond,
//! and a client's message none.

use splitbrain::run::RunResult;
use splitbrain::scenario::Scenario;

use super::result::{assert_expectations_met, assert_passed, in_both_queues};
use super::scenario::read;

pub(crate) const NODES: &str = "cluster.nodes = 3\n";
const DELAY: &str = "network.delay = \"1ms\"\n";
const PROTOCOL: &str = "protocol.leader-follower = { }\n";

/// Reads a story and fills in what it leaves unsaid. Panics when it has mistakes.
#[track_caller]
pub(crate) fn scenario(text: &str) -> Scenario {
    let mut whole = String::new();
    for (key, line) in [("cluster", NODES), ("network", DELAY), ("protocol", PROTOCOL)] {
        if !text.lines().any(|line| line.trim_start().trim_start_matches('[').starts_with(key)) {
            whole += line;
        }
    }
    read(&(whole + text))
}

/// Runs a story. Panics when an expectation or a verdict is not met, or nothing is expected.
#[track_caller]
pub(crate) fn play(story: &str, text: &str) -> RunResult {
    let result = in_both_queues(&scenario(text), 1);
    assert_expectations_met(story, &result);
    assert_passed(story, &result);
    result
}

#[track_caller]
pub(crate) fn play_all(stories: &[(&str, &str)]) {
    for (story, text) in stories {
        play(story, text);
    }
}
