//! The closed form of a configuration's write latency, where there is one: the k-th fastest of n
//! acknowledgements.

use super::order_statistics::{self, Moments};
use crate::config::{Config, Link, LinkOrder, Pace};
use crate::id::NodeId;
use crate::operation::Operation;
use crate::rng::Probability;
use crate::sampler::Distribution;
use crate::scenario::Scenario;
use crate::time::Span;

/// How many standard deviations the mean must be below every timeout for the closed form to hold.
const ROOM: f64 = 10.0;

/// Mean and standard deviation of a put's latency in nanoseconds, by order statistics of the
/// configured delays.
///
/// There is a closed form only where nothing but delay matters:
///
/// - one leader for the whole run, which waits for any k of n acknowledgements;
/// - equal links to all followers, and equal links back;
/// - clients at the same distance, which do not queue;
/// - no loss, no faults, no changing settings, no timeout short enough to end a wait.
#[must_use]
pub fn put_latency(scenario: &Scenario) -> Option<Moments> {
    let config = &scenario.config;
    let awaited = scenario.protocol.awaited(config)?;
    let leader = config.cluster.initial_leader?;
    let followers = u32::from(config.cluster.nodes - 1);
    if !config.faults.is_empty() || !config.changes.is_empty() || asks_otherwise(config) {
        return None;
    }
    let Distribution::Constant(leg) = config.network.client_delay else { return None };
    if !config.network.client_legs.is_empty() {
        return None;
    }
    let there = 2.0 * leg.nanos() as f64;
    if u32::from(awaited.acknowledgements) > followers {
        // It waits in vain for more followers than there are.
        return None;
    }
    if awaited.acknowledgements == 0 {
        return Some(Moments { mean: there, deviation: 0.0 });
    }
    let out = same_link(config, leader, LinkWay::ToFollowers)?;
    let back = same_link(config, leader, LinkWay::ToLeader)?;
    let is_instant = matches!(back.delay, Distribution::Constant(Span::ZERO));
    let back = (!is_instant).then_some(&back.delay);
    let moments =
        order_statistics::kth_of(followers, awaited.acknowledgements.into(), &out.delay, back)?;
    let longest = moments.mean + ROOM * moments.deviation;
    let timeouts = [Some(awaited.ack_timeout), config.workload.as_ref().map(|w| w.retry.timeout)];
    let cuts = timeouts.into_iter().flatten().any(|timeout| longest > timeout.nanos() as f64);
    (!cuts).then_some(Moments { mean: moments.mean + there, ..moments })
}

/// Whether some write asks for its own number of acknowledgements, or queues before it is invoked.
fn asks_otherwise(config: &Config) -> bool {
    let queues = config.workload.as_ref().is_some_and(|w| matches!(w.pace, Pace::Open { .. }));
    let own = |operation: &Operation| matches!(operation, Operation::Put { quorum: Some(_), .. });
    queues || config.script.iter().any(|scripted| own(&scripted.operation))
}

/// A leg of a round trip.
#[derive(Clone, Copy)]
enum LinkWay {
    ToFollowers,
    ToLeader,
}

/// The link between the leader and each follower, if all are equal and do nothing but delay.
fn same_link(config: &Config, leader: NodeId, leg: LinkWay) -> Option<&Link> {
    let link = |follower: NodeId| {
        let (from, to) = match leg {
            LinkWay::ToFollowers => (leader, follower),
            LinkWay::ToLeader => (follower, leader),
        };
        let covers = |end: Option<NodeId>, node| end.is_none_or(|end| end == node);
        let links = &config.network.links;
        let special = links.iter().rfind(|link| covers(link.from, from) && covers(link.to, to));
        special.map_or(&config.network.default, |special| &special.link)
    };
    let mut links = NodeId::all(config.cluster.nodes).filter(|node| *node != leader).map(link);
    let first = links.next()?;
    let plain = first.loss == Probability::ZERO
        && first.duplication == Probability::ZERO
        && first.order == LinkOrder::Reordering
        && first.bandwidth.is_none();
    (plain && links.all(|link| link == first)).then_some(first)
}
