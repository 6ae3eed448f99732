//! The fault budget: how many nodes may be down at once (`max-down`), in a case and while it
//! shrinks.

use crate::config::{Config, DiskFault, Fault, FaultAction, Start, Target};
use crate::time::Time;

/// Nodes that a fault stops, and when (both ends included), as far as that is known before a run.
#[derive(Clone, Copy, Debug)]
struct Downtime {
    from: Time,
    until: Time,
    nodes: u16,
}

/// Whether the faults of `config` can never have more than `most` nodes down at once.
pub(super) fn is_kept(config: &Config, most: u16) -> bool {
    let downtimes: Vec<Downtime> =
        config.faults.iter().filter_map(|fault| downtime(fault, config)).collect();
    // The number of nodes down is highest at the start of some downtime.
    let at_once = |at: Time| -> u32 {
        let then = downtimes.iter().filter(|downtime| downtime.from <= at && at <= downtime.until);
        then.map(|downtime| u32::from(downtime.nodes)).sum()
    };
    downtimes.iter().all(|downtime| at_once(downtime.from) <= u32::from(most))
}

/// Whether a fault stops any node.
pub(super) fn stops(action: &FaultAction) -> bool {
    target(action).is_some()
}

fn downtime(fault: &Fault, config: &Config) -> Option<Downtime> {
    let target = target(&fault.action)?;
    let nodes = count(target, config.cluster.nodes);
    let (from, until) = match (fault.start, &fault.action, fault.lasts) {
        // A trigger may fire at any time.
        (Start::When(_), ..) => (Time::ZERO, Time::MAX),
        // A node that crashes meanwhile cannot start again, and a bit stays flipped.
        (Start::At(at), FaultAction::Disk { .. }, _) => (at, Time::MAX),
        (Start::At(at), _, Some(lasts)) => (at, at + lasts),
        (Start::At(at), _, None) => (at, restarted(target, at, config)),
    };
    Some(Downtime { from, until, nodes })
}

/// The nodes that an action stops, or keeps from starting.
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

/// When another fault restarts the nodes that a fault at `at` has stopped for good.
fn restarted(stopped: &Target, at: Time, config: &Config) -> Time {
    let restarts = config.faults.iter().filter_map(|fault| match (&fault.action, fault.start) {
        (FaultAction::Restart { target, .. } | FaultAction::Resume(target), Start::At(again)) => {
            (again > at && (target == stopped || *target == Target::All)).then_some(again)
        }
        _ => None,
    });
    restarts.min().unwrap_or(Time::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Registry, Scenario};

    /// The smallest budget that these faults on five nodes keep to.
    fn least(faults: &str) -> u16 {
        let text = format!(
            "duration = '10s'\ncluster.nodes = 5\nprotocol.leader-follower = {{}}\n\
             fault = [{faults}]\n"
        );
        let scenario = Scenario::parse("b.toml", text.as_bytes(), &Registry::new(), &[])
            .unwrap_or_else(|mistakes| panic!("{mistakes}"));
        (0..=99).find(|most| is_kept(&scenario.config, *most)).expect("some number does")
    }

    #[test]
    fn as_many_are_down_as_outages_overlap_at_one_moment() {
        let cases = [
            ("", 0),
            ("{ at = '1s', partition = [['n1']] }", 0),
            (
                "{ at = '1s', for = '1s', crash = 'n1' }, \
                 { at = '3s', for = '1s', pause = 'leader' }",
                1,
            ),
            ("{ at = '1s', for = '2s', crash = 'n1' }, { at = '3s', for = '1s', crash = 'n2' }", 2),
            // Each overlaps the first, and they do not overlap one another.
            (
                "{ at = '1s', for = '8s', crash = 'n1' }, { at = '2s', for = '1s', crash = 'n2' }, \
                 { at = '5s', for = '1s', crash = 'n3' }",
                2,
            ),
            ("{ at = '1s', crash = 'n1' }, { at = '5s', for = '1s', crash = 'n2' }", 2),
            (
                "{ at = '1s', crash = 'n1' }, { at = '2s', restart = 'n1' }, \
                 { at = '5s', for = '1s', crash = 'n2' }",
                1,
            ),
            ("{ at = '1s', for = '1s', power-loss = 'majority' }", 3),
            ("{ at = '1s', for = '1s', power-loss = 'all' }", 5),
            // A node that cannot start may be down to the end.
            (
                "{ at = '1s', for = '1s', read-error = 'n1' }, \
                 { at = '8s', for = '1s', crash = 'n2' }",
                2,
            ),
            (
                "{ when = { persists = 3 }, for = '1s', crash = 'n1' }, \
                 { at = '8s', for = '1s', crash = 'n2' }",
                2,
            ),
        ];
        for (faults, nodes) in cases {
            assert_eq!(least(faults), nodes, "{faults}");
        }
    }
}
