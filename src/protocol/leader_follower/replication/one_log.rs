//! One log: what a node does with the messages of its cluster about it.

use std::sync::Arc;

use crate::id::{LogIndex, NodeId, Position, Term};
use crate::protocol::leader_follower::message::{Installed, LogEntry, Message};
use crate::protocol::leader_follower::storage::Deferred;
use crate::protocol::leader_follower::{Cx, LeaderFollower};
use crate::protocol::parts::progress::Advance;

use super::ordered::Reached;

impl LeaderFollower {
    /// Follower: entries behind `previous` reach it.
    pub(crate) fn take_entries(
        &mut self,
        from: NodeId,
        previous: Position,
        entries: Arc<[LogEntry]>,
        cx: &mut Cx<'_>,
    ) {
        let log = self.replication.log();
        if let Some(until) = log.take_entries(from, previous, entries, &mut self.replica, cx) {
            self.pass_on(cx);
            self.acknowledge_log(from, until, cx);
        }
    }

    /// Follower: the whole state at a position reaches it.
    pub(crate) fn take_install(
        &mut self,
        from: NodeId,
        position: Position,
        state: &Installed,
        cx: &mut Cx<'_>,
    ) {
        if self.replication.log().take_install(position, state, &mut self.replica, cx) {
            self.pass_on(cx);
        }
        self.acknowledge_log(from, position.index, cx);
    }

    /// Without fencing a leader takes in entries of a deposed one. It sends them on, or its
    /// followers would ask for them again and again.
    fn pass_on(&mut self, cx: &mut Cx<'_>) {
        if self.leads() && self.replication.log().has_unreleased() {
            self.share(cx);
        }
    }

    /// Follower: tells the leader, once that is durable, that its log is as the leader's up to
    /// `index`.
    pub(crate) fn acknowledge_log(&mut self, leader: NodeId, index: LogIndex, cx: &mut Cx<'_>) {
        let term = self.term();
        self.once_durable(Deferred::AcknowledgeLog { to: leader, term, index }, cx);
    }

    /// What was acknowledged in a term that is over may have been cut off since.
    pub(crate) fn send_appended(&self, to: NodeId, term: Term, index: LogIndex, cx: &mut Cx<'_>) {
        if term == self.term() {
            cx.send(to, Message::Appended { term, index });
        }
    }

    /// Leader: its log is durable up to `index`, and everybody is sent that.
    pub(crate) fn share_log(&mut self, term: Term, index: LogIndex, cx: &mut Cx<'_>) {
        if self.leads() && term == self.term() {
            self.replication.log().ship_all(index, &self.replica, cx);
        }
    }

    /// Leader: a follower has everything up to `index`.
    pub(crate) fn appended(&mut self, from: NodeId, index: LogIndex, cx: &mut Cx<'_>) {
        if !self.leads() {
            return;
        }
        let log = self.replication.log();
        let Reached { new, is_caught_up } = log.acknowledge(from, index, cx.monotonic());
        if is_caught_up {
            self.caught_up(from, cx);
        }
        if let Some(Advance { known, index }) = new {
            self.count_acknowledged_entries(from, known, index, cx);
        }
    }

    /// Leader: a follower lacks what came before the entries that it was sent.
    pub(crate) fn behind(&mut self, from: NodeId, last: Option<Position>, cx: &mut Cx<'_>) {
        if self.leads() {
            self.replication.log().step_back(from, last, &self.replica, cx);
        }
    }
}
