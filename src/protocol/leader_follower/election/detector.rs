//! The failure detector: which nodes were heard, and which have been silent for too long.

use crate::id::NodeId;
use crate::time::{Span, Time};

/// When a node heard of the others, and how long it waits for a leader.
#[derive(Debug)]
pub(crate) struct FailureDetector {
    /// When each node was last heard of, on this node's monotonic clock.
    heard: Vec<Option<Time>>,
    /// When the leader that this node follows last said something as leader: a node that no longer
    /// leads, or came back from a crash, may still be heard.
    leader_heard: Time,
    /// With election by newest timestamp: the newest write that each node has reported.
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

    /// A node reports the newest timestamp that it has seen.
    pub(crate) fn hear_newest(&mut self, node: NodeId, newest: i64) {
        self.newest[node.index()] = newest;
    }

    /// The newest timestamp that a node has reported.
    pub(crate) fn newest(&self, node: NodeId) -> i64 {
        self.newest[node.index()]
    }

    /// Whether a node was heard of within the timeout.
    pub(crate) fn is_live(&self, node: NodeId, now: Time, timeout: Span) -> bool {
        self.heard[node.index()].is_some_and(|heard| now.since(heard) < timeout)
    }

    /// Whether the leader was heard of within the timeout.
    pub(crate) fn hears_leader(&self, now: Time, timeout: Span) -> bool {
        now.since(self.leader_heard) < timeout
    }

    /// Another wait begins, for as long as `timeout`.
    pub(crate) const fn wait(&mut self, timeout: Span, now: Time) {
        (self.election_timeout, self.since) = (timeout, now);
    }

    /// How much of the wait is left: since the leader was heard, if there is one, or since the wait
    /// began.
    pub(crate) fn rest(&self, has_leader: bool, now: Time) -> Span {
        let last = if has_leader { self.leader_heard } else { self.since };
        let silent = now.since(last).nanos();
        Span::from_nanos(self.election_timeout.nanos().saturating_sub(silent))
    }
}
