//! The follower's side: take writes in, and acknowledge them.

use crate::id::{NodeId, Version};
use crate::protocol::parts::stamps::TimestampSource;

use super::message::{Message, StateOrder};
use super::storage::Deferred;
use super::{Cx, LeaderFollower};

impl LeaderFollower {
    /// A message from another node.
    #[inline]
    pub(super) fn receive(&mut self, from: NodeId, message: Message, cx: &mut Cx<'_>) {
        if self.replica.cannot_write(cx) && message.brings_writes() {
            return;
        }
        if self.replica.config.failover.is_on()
            && message.has_term()
            && !self.accept_term(from, &message, cx)
        {
            return;
        }
        if let Message::Replicate { entry, .. } = message {
            self.replica.apply_and_log(entry, cx);
            return self.acknowledge_once_durable(from, entry.stored.version, cx);
        }
        if let Message::Ack { version, .. } = message {
            return self.acknowledged(from, version, cx);
        }
        self.receive_rare(from, message, cx);
    }

    /// The rest of [`Self::receive`], out of the way of the messages that every write sends.
    #[inline(never)]
    fn receive_rare(&mut self, from: NodeId, message: Message, cx: &mut Cx<'_>) {
        match message {
            Message::Replicate { .. } | Message::Ack { .. } => {
                unreachable!("these are received at once")
            }
            Message::ReplicateMany { version, entries, .. } => {
                for entry in &*entries {
                    self.replica.apply_and_log(*entry, cx);
                }
                if entries.is_empty() {
                    self.replica.note_apart(version, cx);
                }
                self.acknowledge_once_durable(from, version, cx);
            }
            Message::ReplicateBatch { version, entries, .. } => {
                self.replica.apply_batch(&entries, cx);
                self.acknowledge_once_durable(from, version, cx);
            }
            Message::State { term, version, state } => {
                let (incarnation, sequence) = (state.incarnation.nanos(), version.sequence);
                let order = StateOrder { term, leader: from, incarnation, sequence };
                self.take_state(order, version.timestamp, &state.entries, cx);
                if self.replica.config.timestamps.source == TimestampSource::Hybrid {
                    // It is above all that the leader has seen, and the state need not show that.
                    self.replica.note_apart(version, cx);
                }
                self.acknowledge_once_durable(from, version, cx);
            }
            Message::Heartbeat { leads, last, .. } => self.take_heartbeat(from, leads, last, cx),
            Message::RequestVote(request) => self.vote(from, request, cx),
            Message::Vote(vote) => self.voted(from, vote, cx),
            Message::Join { .. } => self.admit_follower(from, cx),
            Message::Append { previous, entries, .. } => {
                self.take_entries(from, previous, entries, cx);
            }
            Message::Appended { index, .. } => self.appended(from, index, cx),
            Message::Behind { last, .. } => self.behind(from, last, cx),
            Message::Install { position, state, .. } => {
                self.take_install(from, position, &state, cx);
            }
            Message::Offer { entries, .. } => self.take_offer(&entries, cx),
            Message::Repair(message) => self.receive_repair(from, message, cx),
            Message::AntiEntropy(message) => self.receive_anti_entropy(from, message, cx),
        }
    }

    #[inline]
    fn acknowledge_once_durable(&mut self, leader: NodeId, version: Version, cx: &mut Cx<'_>) {
        if self.need_not_wait(cx) {
            self.acknowledge(leader, version, cx);
        } else {
            self.once_durable(Deferred::Acknowledge { to: leader, version }, cx);
        }
    }

    /// Acknowledges a write to the leader.
    #[inline]
    pub(super) fn acknowledge(&self, leader: NodeId, version: Version, cx: &mut Cx<'_>) {
        cx.send(leader, Message::Ack { term: self.term(), version });
    }
}
