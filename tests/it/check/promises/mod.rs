//! Promises: runs that break what must not be promised, and runs that must not void what is.
//!
//! Each story is a run that was once judged wrongly, or a similar one. A promise that is too strong
//! calls a correct run a violation; one that is too weak lets a broken protocol pass.

mod at_the_end;
mod linearizability;
mod too_strong;
mod too_weak;

use splitbrain::config::ExpectedVerdict;
use splitbrain::property::{Promise, Property};
use splitbrain::run::{RunOptions, RunResult};
use splitbrain::scenario::Scenario;

use crate::support::result::check;
use crate::support::scenario::read_with;

fn scenario(text: &str) -> Scenario {
    with(text, &[])
}

fn with(text: &str, sets: &[&str]) -> Scenario {
    read_with(&format!("cluster.nodes = 3\n{text}"), sets)
}

fn run(scenario: &Scenario) -> RunResult {
    scenario.run(scenario.config.seed, RunOptions::default())
}

fn judged(scenario: &Scenario, property: Property) -> ExpectedVerdict {
    check(&run(scenario), property).judged
}

fn promise(scenario: &Scenario, property: Property) -> Promise {
    scenario.protocol.promises(&scenario.config).of(property)
}

fn is_never(scenario: &Scenario, property: Property) -> bool {
    matches!(promise(scenario, property), Promise::Never { .. })
}

/// Whether the property was promised and nothing in the run voided the promise.
fn is_promised_in(result: &RunResult, property: Property) -> bool {
    let report = check(result, property);
    match report.promise {
        Promise::Always { .. } => true,
        Promise::Unless { .. } => report.voided_by.is_empty(),
        Promise::Never { .. } => false,
    }
}

/// Elections by majority vote, acknowledgement by a majority, synced logs, catch-up by log.
const SAFE: &str = r#"
[protocol.leader-follower]
mode = "semi-sync"
write-quorum = 1
on-ack-timeout = "fail"
wal.policy = "fsync"
failover = { election = "majority-vote", heartbeat = "50ms", timeout = "200ms", catch-up = "log" }
[network]
delay = "1ms"
"#;
