//! Faults that started and hit nobody, and why: probably not what the scenario intends.

use crate::config::{Config, DiskFault, FaultAction, HealWhat, Target};
use crate::id::NodeId;
use crate::metrics::Impact;
use crate::names::Names;
use crate::report::layout::moment;

/// A line for each fault that hit nobody, in order of time.
pub(super) fn idle_faults(config: &Config, names: &Names, impacts: &[Impact]) -> Vec<String> {
    let line = |impact: &Impact| {
        let name = names.fault(impact.fault);
        let fault = config.faults.iter().find(|fault| fault.id == impact.fault)?;
        Some(format!("{name} hits nobody at {}: {}", moment(impact.at), why(&fault.action, names)))
    };
    impacts.iter().filter(|impact| impact.hits_nobody).filter_map(line).collect()
}

fn why(action: &FaultAction, names: &Names) -> String {
    match action {
        FaultAction::Crash(target) | FaultAction::Pause(target) => lacks(target, "down", "up"),
        FaultAction::Restart { target, .. } => lacks(target, "up", "down"),
        FaultAction::Resume(target) => lacks(target, "not paused", "paused"),
        FaultAction::Disk { target: Target::Nodes(_), fault: DiskFault::FlipBit { .. } } => {
            "nothing is written there".to_owned()
        }
        FaultAction::PowerLoss(target)
        | FaultAction::Bridge(target)
        | FaultAction::Isolate(target)
        | FaultAction::ClockJump { target, .. }
        | FaultAction::ClockDrift { target, .. }
        | FaultAction::Disk { target, .. } => lacks(target, "down", "up"),
        FaultAction::Block(route)
        | FaultAction::Clog(route)
        | FaultAction::Slow { route, .. }
        | FaultAction::Drop { route, .. } => {
            let described = [&route.from, &route.to].into_iter().find_map(described);
            described.unwrap_or("no message goes that way").to_owned()
        }
        FaultAction::Heal(HealWhat::Network) => "no fault is on the network".to_owned(),
        FaultAction::Heal(HealWhat::Fault(fault)) => {
            format!("{} is not on", names.fault(*fault))
        }
        FaultAction::Partition(_) | FaultAction::MajoritiesRing => {
            "all nodes reach one another as before".to_owned()
        }
    }
}

/// Why a target has no node: its nodes are `instead`, and not `wanted`.
fn lacks(target: &Target, instead: &str, wanted: &str) -> String {
    match target {
        Target::Nodes(nodes) => {
            let names: Vec<String> = nodes.iter().map(NodeId::to_string).collect();
            let is = if names.len() == 1 { "is" } else { "are" };
            format!("{} {is} {instead}", names.join(" and "))
        }
        Target::All | Target::Majority => format!("of those that are meant nobody is {wanted}"),
        Target::Leader | Target::Follower | Target::LowestId | Target::HighestId => {
            let nobody = described(target).filter(|_| wanted == "up");
            nobody.map_or_else(|| format!("nobody such is {wanted}"), str::to_owned)
        }
    }
}

/// Why no node that is up fits a description.
const fn described(target: &Target) -> Option<&'static str> {
    match target {
        Target::Leader => Some("nobody leads"),
        Target::Follower => Some("no follower is up"),
        Target::LowestId | Target::HighestId => Some("nobody is up"),
        Target::Nodes(_) | Target::All | Target::Majority => None,
    }
}
