//! Messages, and starts from a log, by the trace.

use serde_json::{Value as Json, json};

use super::claims::Claims;
use super::files::{Files, Line};

/// Messages by what became of them, between nodes and between clients and nodes. The trace has no
/// line for a sending or for a copy made by the network, so those numbers are not computed.
pub(crate) fn network(files: &Files, claims: &mut Claims) {
    let (mut delivered, mut lost) = (0, 0);
    for line in files.trace() {
        let Line { what, content, .. } = line;
        let waits = content.starts_with("a message of") || content.starts_with("a request of");
        match what {
            "deliver" | "request" | "answer" => delivered += 1,
            // It has reached the machine but not the process.
            ". waits" if waits => delivered -= 1,
            ". resume" if waits => delivered += 1,
            ". lost" if content == "the node is down" => {
                delivered -= 1;
                lost += 1;
            }
            // A message of a node, or one that had waited for a process that died; a refusal is no
            // message.
            ". lost" if content == "the process that sent it is gone" => {}
            ". lost" if content.starts_with("refusal to") => {}
            ". lost" => lost += 1,
            _ => {}
        }
    }
    claims.say("/network/delivered", delivered);
    claims.say("/network/lost", lost);
}

/// Starts from a log, and how many of them were from a checkpoint. A log that was never written
/// does not count; whether an empty log was ever written, the trace does not say.
pub(crate) fn replay(files: &Files, claims: &mut Claims) {
    let starts: Vec<&str> =
        files.trace().filter(|line| line.what == ". replay").map(|line| line.content).collect();
    let from_checkpoints = starts.iter().filter(|what| what.starts_with("a checkpoint")).count();
    let empty = starts.iter().filter(|what| **what == "an empty log").count() as u64;
    let all = starts.len() as u64;
    let said = files.number("/checks/replay/figures/recoveries").unwrap_or(u64::MAX);
    let figures: Json =
        json!({ "recoveries": said.clamp(all - empty, all), "from_checkpoints": from_checkpoints });
    claims.say("/checks/replay/figures", figures);
}
