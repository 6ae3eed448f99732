//! The follower's side: take writes in, and acknowledge them.

use crate::id::{NodeId, Version};
use crate::protocol::Context;
use crate::protocol::parts::stamps::TimestampSource;

use super::LeaderFollower;
use super::message::{Message, StateOrder};
use super::storage::Deferred;

impl LeaderFollower {
    /// A message from another node.
    #[inline]
    pub(super) fn receive(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        // Two messages are all that a store in memory with a leader for ever sends: they go the
        // shortest way.
        if self.is_plain {
            match message {
                Message::Replicate { entry, .. } => {
                    self.replica.apply_and_log(entry, cx);
                    return self.acknowledge(from, entry.stored.version, cx);
                }
                Message::Ack { version, .. } => return self.acknowledged(from, version, cx),
                other => return self.receive_any(from, other, cx),
            }
        }
        self.receive_any(from, message, cx);
    }

    #[inline(never)]
    fn receive_any(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        if message.brings_writes() && self.replica.cannot_write(cx) {
            return;
        }
        // Reads and comparisons of replicas know no terms.
        let has_term = !matches!(message, Message::Repair(_) | Message::AntiEntropy(_));
        if has_term && self.replica.config.failover.is_on() && !self.accept_term(from, &message, cx)
        {
            return;
        }
        match message {
            Message::Replicate { entry, .. } => {
                self.replica.apply_and_log(entry, cx);
                self.acknowledge_once_durable(from, entry.stored.version, cx);
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
            Message::Ack { version, .. } => self.acknowledged(from, version, cx),
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

    fn acknowledge_once_durable(
        &mut self,
        leader: NodeId,
        version: Version,
        cx: &mut Context<'_, Self>,
    ) {
        if self.need_not_wait(cx) {
            self.acknowledge(leader, version, cx);
        } else {
            self.once_durable(Deferred::Acknowledge { to: leader, version }, cx);
        }
    }

    /// Tells the leader that this node has a write.
    #[inline]
    pub(super) fn acknowledge(&self, leader: NodeId, version: Version, cx: &mut Context<'_, Self>) {
        cx.send(leader, Message::Ack { term: self.term(), version });
    }
}
