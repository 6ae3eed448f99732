//! The election timeout.
//!
//! One timer serves all waits, [`Timer::Election`]: while a leader is heard it does no more than
//! look again later.

use crate::id::NodeId;
use crate::protocol::leader_follower::config::Election;
use crate::protocol::leader_follower::{Cx, LeaderFollower, Timer};
use crate::time::Span;

impl LeaderFollower {
    /// Draws an election timeout and starts to wait for it.
    pub(crate) fn start_election_timeout(&mut self, cx: &mut Cx<'_>) {
        if self.replica.config.failover.election == Election::None {
            return;
        }
        let timeout = self.draw_election_timeout(cx);
        self.detector.wait(timeout, cx.monotonic());
        self.look_again_after(timeout, cx);
    }

    /// Looks again when `wait` is over, or whenever it is time to look.
    pub(crate) fn look_again_after(&self, wait: Span, cx: &mut Cx<'_>) {
        if self.replica.config.failover.look_every.is_none() {
            cx.set_timer(Timer::Election, wait);
        }
    }

    fn draw_election_timeout(&self, cx: &mut Cx<'_>) -> Span {
        let settings = &self.replica.config.failover;
        let jitter = u128::from(settings.jitter.nanos());
        if jitter == 0 {
            return settings.timeout;
        }
        let drawn = (u128::from(cx.random()) * (jitter + 1)) >> 64;
        settings.timeout + Span::from_nanos(u64::try_from(drawn).unwrap_or(u64::MAX))
    }

    /// The election timeout of a node that does not lead may be over.
    pub(crate) fn election_timeout(&mut self, cx: &mut Cx<'_>) {
        let now = cx.monotonic();
        let looks = self.replica.config.failover.look_every;
        if let Some(interval) = looks {
            cx.set_timer(Timer::Election, interval);
        }
        if self.leads() {
            return;
        }
        if self.leader.is_some() || looks.is_some() {
            let rest = self.detector.rest(self.leader.is_some(), now);
            if rest > Span::ZERO {
                return self.look_again_after(rest, cx);
            }
        }
        if self.leader.take().is_some() {
            self.wait_for(None, cx);
        }
        self.elect(cx);
    }

    /// The nodes heard from within the timeout, this one included, that may lead.
    pub(crate) fn live(&self, cx: &Cx<'_>) -> impl Iterator<Item = NodeId> + '_ {
        let (now, timeout) = (cx.monotonic(), self.replica.config.failover.timeout);
        let is_live = move |node: &NodeId| {
            *node == self.replica.me || self.detector.is_live(*node, now, timeout)
        };
        NodeId::all(self.replica.nodes).filter(is_live)
    }

    /// Whether this node leads, or has heard its leader within the timeout.
    pub(crate) fn hears_leader(&self, cx: &Cx<'_>) -> bool {
        let timeout = self.replica.config.failover.timeout;
        let is_heard = self.detector.hears_leader(cx.monotonic(), timeout);
        self.leads() || (self.leader.is_some() && is_heard)
    }
}
