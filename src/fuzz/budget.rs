//! How many nodes faults may have stopped at once: what `max-down` bounds, of a case and of what is left of it.

use crate::config::{Config, DiskFault, Fault, FaultAction, Start, Target};
use crate::time::Time;

/// Nodes that a fault stops, from when until when (both taken in), as far as that can be told before a run.
#[derive(Clone, Copy, Debug)]
struct Outage {
    from: Time,
    until: Time,
    nodes: u16,
}

/// Whether no more than `most` nodes are stopped at once, whatever the run makes of the faults of `config`.
pub(super) fn keeps(config: &Config, most: u16) -> bool {
    let outages: Vec<Outage> =
        config.faults.iter().filter_map(|fault| outage(fault, config)).collect();
    // Most are stopped at once at a moment at which some outage begins.
    let at_once = |at: Time| -> u32 {
        let then = outages.iter().filter(|outage| outage.from <= at && at <= outage.until);
        then.map(|outage| u32::from(outage.nodes)).sum()
    };
    outages.iter().all(|outage| at_once(outage.from) <= u32::from(most))
}

/// Whether a fault stops any node.
pub(super) fn stops(action: &FaultAction) -> bool {
    target(action).is_some()
}

fn outage(fault: &Fault, config: &Config) -> Option<Outage> {
    let target = target(&fault.action)?;
    let nodes = count(target, config.cluster.nodes);
    let (from, until) = match (fault.start, &fault.action, fault.lasts) {
        // A moment may come at any time.
        (Start::When(_), ..) => (Time::ZERO, Time::MAX),
        // Whoever crashes meanwhile cannot start again, and a bit stays flipped.
        (Start::At(at), FaultAction::Disk { .. }, _) => (at, Time::MAX),
        (Start::At(at), _, Some(lasts)) => (at, at + lasts),
        (Start::At(at), _, None) => (at, restarted(target, at, config)),
    };
    Some(Outage { from, until, nodes })
}

/// Whom it stops, or keeps from starting.
fn target(action: &FaultAction) -> Option<&Target> {
    match action {
        FaultAction::Crash(target)
        | FaultAction::PowerLoss(target)
        | FaultAction::Pause(target)
        | FaultAction::Disk { target, fault: DiskFault::ReadError | DiskFault::FlipBit { .. } } => {
            Some(target)
        }
        _ => None,
    }
}

fn count(target: &Target, nodes: u16) -> u16 {
    match target {
        Target::Nodes(named) => u16::try_from(named.len()).unwrap_or(u16::MAX),
        Target::Leader | Target::Follower | Target::LowestId | Target::HighestId => 1,
        Target::Majority => nodes / 2 + 1,
        Target::All => nodes,
    }
}

/// When a fault restarts whom one at `at` had stopped for good.
fn restarted(stopped: &Target, at: Time, config: &Config) -> Time {
    let restarts = config.faults.iter().filter_map(|fault| match (&fault.action, fault.start) {
        (FaultAction::Restart { target, .. } | FaultAction::Resume(target), Start::At(again)) => {
            (again > at && (target == stopped || *target == Target::All)).then_some(again)
        }
        _ => None,
    });
    restarts.min().unwrap_or(Time::MAX)
}
