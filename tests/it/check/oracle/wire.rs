//! Messages, and starts from a log, by the trace.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::claims::Claims;
use super::files::{Files, Line};

/// Messages by what became of them, between nodes and between clients and nodes. The trace has no
/// line for a sending or for a copy made by the network, so those numbers are not computed.
pub(crate) fn network(files: &Files, claims: &mut Claims) {
    // Each arrival with its kind, which a request or an answer has not; taken back where it came
    // to nothing.
    let mut arrivals: Vec<(Option<&str>, i64)> = Vec::new();
    let (mut last, mut lost) = (None, 0);
    for line in files.trace() {
        let Line { what, content, .. } = line;
        let message = content.strip_prefix("a message of ").and_then(|rest| rest.split_once(": "));
        let waiting = message.map(|(_, kind)| kind);
        let waits = message.is_some() || content.starts_with("a request of");
        match what {
            "deliver" | "request" | "answer" => {
                last = content.split(' ').next().filter(|_| what == "deliver");
                arrivals.push((last, 1));
            }
            // It has reached the machine but not the process.
            ". waits" if waits => arrivals.push((waiting, -1)),
            ". resume" if waits => arrivals.push((waiting, 1)),
            ". lost" if content == "the node is down" => {
                arrivals.push((last, -1));
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
    let delivered = |what: Option<&str>| {
        let of = arrivals.iter().filter(|(kind, _)| what.is_none() || *kind == what);
        of.map(|(_, by)| by).sum::<i64>()
    };
    claims.say("/network/delivered", delivered(None));
    claims.say("/network/lost", lost);
    let sent = files.report["network"]["by_kind"].as_object().expect("an object").keys();
    let arrived = arrivals.iter().filter_map(|(kind, _)| *kind);
    let kinds: BTreeSet<&str> = sent.map(String::as_str).chain(arrived).collect();
    if kinds.is_empty() {
        claims.say("/network/by_kind", json!({}));
    }
    for kind in kinds {
        claims.say(format!("/network/by_kind/{kind}/delivered"), delivered(Some(kind)));
    }
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
