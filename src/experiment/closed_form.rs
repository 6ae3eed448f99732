//! What theory says of a configuration's write latency, where it says anything: the k-th fastest of n confirmations.

use super::order_statistics::{self, Moments};
use crate::config::{Config, Link, LinkOrder, Pace};
use crate::id::NodeId;
use crate::operation::Operation;
use crate::rng::Probability;
use crate::sampler::Distribution;
use crate::scenario::Scenario;
use crate::time::Span;

/// By how many standard deviations a wait has to stay below every timeout for the closed form to hold.
const ROOM: f64 = 10.0;

/// Mean and standard deviation of a put's latency in nanoseconds, by order statistics of the configured delays.
///
/// There is one where nothing but delay decides: a leader for the whole run that waits for k of n confirmations of
/// equal standing, links to all followers alike and back alike, clients that are equally far and do not queue, and
/// no loss, no fault, no changing setting, no timeout near enough to cut a wait short.
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
    if u32::from(awaited.confirmations) > followers {
        // It waits for more than there are, and in vain.
        return None;
    }
    if awaited.confirmations == 0 {
        return Some(Moments { mean: there, deviation: 0.0 });
    }
    let (out, back) = (same_link(config, leader, true)?, same_link(config, leader, false)?);
    let is_instant = matches!(back.delay, Distribution::Constant(Span::ZERO));
    let back = (!is_instant).then_some(&back.delay);
    let moments =
        order_statistics::kth_of(followers, awaited.confirmations.into(), &out.delay, back)?;
    let longest = moments.mean + ROOM * moments.deviation;
    let timeouts = [Some(awaited.ack_timeout), config.workload.as_ref().map(|w| w.retry.timeout)];
    let cuts = timeouts.into_iter().flatten().any(|timeout| longest > timeout.nanos() as f64);
    (!cuts).then_some(Moments { mean: moments.mean + there, ..moments })
}

/// Whether some write asks for a number of confirmations of its own, or waits before it is invoked.
fn asks_otherwise(config: &Config) -> bool {
    let queues = config.workload.as_ref().is_some_and(|w| matches!(w.pace, Pace::Open { .. }));
    let own = |operation: &Operation| matches!(operation, Operation::Put { quorum: Some(_), .. });
    queues || config.script.iter().any(|scripted| own(&scripted.operation))
}

/// The link between the leader and every follower, if all are alike and nothing but delay happens on it.
fn same_link(config: &Config, leader: NodeId, out: bool) -> Option<&Link> {
    let link = |follower: NodeId| {
        let (from, to) = if out { (leader, follower) } else { (follower, leader) };
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
