//! Whom a node has heard of, and when its patience with silence is over.
//!
//! One timer serves all waits, [`Timer::Election`]: while a leader is heard it does no more than
//! look again later.

use crate::id::NodeId;
use crate::protocol::Context;
use crate::protocol::leader_follower::config::Election;
use crate::protocol::leader_follower::{LeaderFollower, Timer};
use crate::time::{Span, Time};

/// When a node heard of the others, and how long it waits for a leader.
#[derive(Debug)]
pub(crate) struct FailureDetector {
    /// When each node was last heard of, on this node's monotonic clock.
    heard: Vec<Option<Time>>,
    /// When the leader that this node follows last said something as leader: a node that no longer
    /// leads, or came back from a crash, may still be heard.
    leader_heard: Time,
    /// With election by newest timestamp: the newest write that each node has told of.
    newest: Vec<i64>,
    /// The election timeout drawn for the current wait.
    election_timeout: Span,
    /// When the current wait began.
    since: Time,
}

impl FailureDetector {
    pub(crate) fn new(nodes: u16) -> Self {
        let nodes = usize::from(nodes);
        Self {
            heard: vec![None; nodes],
            leader_heard: Time::ZERO,
            newest: vec![i64::MIN; nodes],
            election_timeout: Span::ZERO,
            since: Time::ZERO,
        }
    }

    /// A node is heard of.
    #[inline]
    pub(crate) fn hear(&mut self, node: NodeId, now: Time) {
        self.heard[node.index()] = Some(now);
    }

    /// The leader that this node follows is heard of as leader.
    #[inline]
    pub(crate) const fn hear_leader(&mut self, now: Time) {
        self.leader_heard = now;
    }

    /// A node tells of the newest timestamp that it has seen.
    pub(crate) fn hear_newest(&mut self, node: NodeId, newest: i64) {
        self.newest[node.index()] = newest;
    }

    /// The newest timestamp that a node has told of.
    pub(crate) fn newest(&self, node: NodeId) -> i64 {
        self.newest[node.index()]
    }

    /// Whether a node was heard of within the timeout.
    pub(crate) fn is_live(&self, node: NodeId, now: Time, timeout: Span) -> bool {
        self.heard[node.index()].is_some_and(|heard| now.since(heard) < timeout)
    }
}

impl LeaderFollower {
    /// Draws an election timeout and starts to wait for it.
    pub(crate) fn start_election_timeout(&mut self, cx: &mut Context<'_, Self>) {
        if self.replica.config.failover.election == Election::None {
            return;
        }
        self.detector.election_timeout = self.draw_election_timeout(cx);
        self.detector.since = cx.monotonic();
        self.look_again_after(self.detector.election_timeout, cx);
    }

    /// Looks again when `wait` is over, or whenever it is time to look.
    pub(crate) fn look_again_after(&self, wait: Span, cx: &mut Context<'_, Self>) {
        if self.replica.config.failover.look_every.is_none() {
            cx.set_timer(Timer::Election, wait);
        }
    }

    fn draw_election_timeout(&self, cx: &mut Context<'_, Self>) -> Span {
        let settings = &self.replica.config.failover;
        let jitter = u128::from(settings.jitter.nanos());
        if jitter == 0 {
            return settings.timeout;
        }
        let drawn = (u128::from(cx.random()) * (jitter + 1)) >> 64;
        settings.timeout + Span::from_nanos(u64::try_from(drawn).unwrap_or(u64::MAX))
    }

    /// The election timeout of a node that does not lead may be over.
    pub(crate) fn election_timeout(&mut self, cx: &mut Context<'_, Self>) {
        let now = cx.monotonic();
        let looks = self.replica.config.failover.look_every;
        if let Some(interval) = looks {
            cx.set_timer(Timer::Election, interval);
        }
        if self.leads() {
            return;
        }
        if self.leader.is_some() || looks.is_some() {
            let detector = &self.detector;
            let last = if self.leader.is_some() { detector.leader_heard } else { detector.since };
            let (silent, timeout) = (now.since(last), detector.election_timeout);
            if silent < timeout {
                let rest = Span::from_nanos(timeout.nanos() - silent.nanos());
                return self.look_again_after(rest, cx);
            }
        }
        if self.leader.take().is_some() {
            self.wait_for(None, cx);
        }
        self.elect(cx);
    }

    /// The nodes heard from within the timeout, this one included, that may lead.
    pub(crate) fn live(&self, cx: &Context<'_, Self>) -> impl Iterator<Item = NodeId> + '_ {
        let (now, timeout) = (cx.monotonic(), self.replica.config.failover.timeout);
        let is_live = move |node: &NodeId| {
            *node == self.replica.me || self.detector.is_live(*node, now, timeout)
        };
        NodeId::all(self.replica.nodes).filter(is_live)
    }

    /// Whether this node leads, or has heard its leader within the timeout.
    pub(crate) fn hears_leader(&self, cx: &Context<'_, Self>) -> bool {
        let silent = cx.monotonic().since(self.detector.leader_heard);
        self.leads() || (self.leader.is_some() && silent < self.replica.config.failover.timeout)
    }
}
