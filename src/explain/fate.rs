//! What became of one write on every node, from a second run that followed it.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::id::NodeId;
use crate::protocol::Observation;
use crate::sim::{WriteEvent, WriteEventKind};

/// Where the write was last seen, in sentences to follow a witness: `n1 held it until it crashed at
/// 3.1 s; it never reached n2, n3.`
pub(super) fn of_write(write_events: &[WriteEvent], config: &Config) -> String {
    let mut fates: BTreeMap<NodeId, OnNode> = BTreeMap::new();
    for event in write_events {
        let fate = fates.entry(event.node).or_default();
        let at = format!("{} s", event.at);
        match event.what {
            WriteEventKind::Observed(Observation::Apply { .. }) => fate.held_since = Some(at),
            WriteEventKind::Observed(Observation::Discard { reason, .. })
            | WriteEventKind::Uncovered { reason } => {
                let (held, why) = (fate.held_since.take().is_some(), reason.phrase());
                let verb = if held { "held it until it dropped it" } else { "dropped it" };
                fate.ended = Some(format!("{verb} at {at} ({why})"));
            }
            WriteEventKind::Crashed(_) if fate.held_since.is_some() => {
                fate.held_before = fate.held_since.take();
                fate.ended = Some(format!("held it until it crashed at {at}"));
            }
            // Its log still had it.
            WriteEventKind::Started { has_it: true, .. } => {
                fate.held_since = fate.held_before.take();
            }
            WriteEventKind::Crashed(_)
            | WriteEventKind::PowerCut { .. }
            | WriteEventKind::DiskReplaced
            | WriteEventKind::Started { has_it: false, .. }
            | WriteEventKind::Superseded { .. }
            | WriteEventKind::Sent { .. }
            | WriteEventKind::Delivered { .. }
            | WriteEventKind::Undelivered { .. }
            | WriteEventKind::Answered { .. }
            | WriteEventKind::Replied { .. }
            | WriteEventKind::Heard { .. }
            | WriteEventKind::Observed(_) => {}
        }
    }
    let mut parts = Vec::new();
    let mut never = Vec::new();
    for node in NodeId::all(config.cluster.nodes) {
        match fates.get(&node) {
            Some(OnNode { held_since: Some(since), .. }) => {
                parts.push(format!("{node} took it at {since}"));
            }
            Some(OnNode { ended: Some(ended), .. }) => parts.push(format!("{node} {ended}")),
            _ => never.push(node.to_string()),
        }
    }
    if !never.is_empty() {
        parts.push(format!("it never reached {}", never.join(", ")));
    }
    format!(". That write: {}", parts.join("; "))
}

/// What is known of the write on a node.
#[derive(Debug, Default)]
struct OnNode {
    held_since: Option<String>,
    /// Since when it had held the write when it crashed.
    held_before: Option<String>,
    ended: Option<String>,
}
