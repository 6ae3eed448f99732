//! The two ways in which writes are replicated.
//!
//! - Registers: each key on its own, last write wins. The leader sends a write, or all that it
//!   stores, to every follower at once ([`registers`], [`full_state`]); what is lost on the way
//!   stays lost unless it is sent again ([`resend`]) or the follower asks for everything.
//! - Log: one log, in which a follower takes an entry only behind the one that the leader has
//!   before it ([`ordered`]). Only this way tells which followers have everything
//!   ([`in_sync`]).
//!
//! Which of the two a cluster uses is decided here, in one `match` a verb: here, where the
//! whole node has to do with it, and in [`choice`]. All nodes of a cluster
//! have the same settings, so no message of the other way ever arrives.

use crate::id::{LogIndex, NodeId, Position, Version};
use crate::protocol::parts::entry::{StoredEntry, would_change};

use super::config::CatchUp;
use super::message::LogEntry;
use super::storage::Deferred;
use super::write::Payload;
use super::{Cx, LeaderFollower};

pub(super) use choice::Replication;
pub(super) use membership::Membership;

mod choice;
mod full_state;
mod in_sync;
mod membership;
mod one_log;
mod ordered;
mod registers;
mod resend;

impl LeaderFollower {
    /// The leader takes a write of its own into its store or its log.
    #[inline]
    pub(super) fn write(&mut self, entry: StoredEntry, cx: &mut Cx<'_>) {
        match &mut self.replication {
            Replication::Registers(_) => {
                if !self.replica.apply_and_log(entry, cx) {
                    // It changes nothing, and is answered: its stamp is not to be given again.
                    self.replica.log_stamps(cx);
                }
            }
            Replication::Log(log) => {
                let term = self.replica.term();
                log.append(LogEntry { term, entry }, &mut self.replica, cx);
            }
        }
    }

    /// The leader sends a write, or its log up to an index, to every follower at once.
    #[inline]
    pub(super) fn send_to_all(
        &mut self,
        version: Version,
        payload: &Payload,
        index: LogIndex,
        cx: &mut Cx<'_>,
    ) {
        match &mut self.replication {
            Replication::Registers(registers) => {
                let oldest_awaited = self.leading.oldest_awaited();
                registers.send(version, payload, oldest_awaited, &self.replica, cx);
            }
            Replication::Log(log) => log.ship_all(index, &self.replica, cx),
        }
    }

    /// A new leader knows nothing of what its followers have.
    pub(super) fn begin_replication(&mut self, cx: &mut Cx<'_>) {
        match &mut self.replication {
            Replication::Registers(_) => {}
            Replication::Log(log) => log.lead(self.replica.nodes, cx.monotonic()),
        }
        self.begin_in_sync(cx);
    }

    /// A new leader sends its followers what they may lack.
    pub(super) fn share(&mut self, cx: &mut Cx<'_>) {
        match self.replica.config.failover.catch_up {
            CatchUp::None => self.replicate_all(cx),
            CatchUp::FullState => self.once_durable(Deferred::ShareState, cx),
            CatchUp::Log => {
                let (term, index) = (self.term(), self.replication.last().index);
                self.once_durable(Deferred::ShareLog { term, index }, cx);
            }
        }
    }

    /// A follower compares itself with its leader, whose log ends at `last`, and asks for what it
    /// lacks.
    pub(super) fn catch_up(&mut self, leader: NodeId, last: Position, cx: &mut Cx<'_>) {
        match &mut self.replication {
            Replication::Registers(registers) => {
                if self.replica.config.failover.catch_up == CatchUp::FullState {
                    registers.join(leader, self.replica.term(), cx);
                }
            }
            Replication::Log(log) => {
                if let Some(index) = log.compare(leader, last, &mut self.replica, cx) {
                    self.acknowledge_log(leader, index, cx);
                }
            }
        }
    }

    /// Leader: a follower has writes that the leader's state or log lacked; those that win are
    /// replicated.
    pub(super) fn take_offer(&mut self, entries: &[StoredEntry], cx: &mut Cx<'_>) {
        if !self.leads() {
            return;
        }
        for entry in entries.iter().copied() {
            if !would_change(&self.replica.store, &entry, self.replica.config.rules()) {
                self.replica.note_apart(entry.stored.version, cx);
                continue;
            }
            match &mut self.replication {
                Replication::Registers(_) => {
                    self.replica.apply_and_log(entry, cx);
                    self.once_durable(Deferred::ReplicateUnsolicited(entry), cx);
                }
                Replication::Log(log) => {
                    let term = self.replica.term();
                    log.append(LogEntry { term, entry }, &mut self.replica, cx);
                }
            }
        }
        match &self.replication {
            Replication::Registers(_) => {}
            Replication::Log(_) => self.share(cx),
        }
    }
}
