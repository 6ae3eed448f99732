//! Messages that come back: what a node makes of hearing that another's process is not there.
//!
//! A leader does not wait for a follower that refused a write, nor a coordinator for a replica that
//! refused a read: once every other node has answered or refused, too few can come, and the client
//! is told so at once, as it would be when the timeout ends. A node that hangs refuses nothing, so
//! it is waited for to the end. Nobody is taken for dead: who is, elections and the in-sync set
//! judge by silence alone, and what is to be sent again is.

use crate::id::{LogIndex, NodeId};
use crate::protocol::Context;

use super::LeaderFollower;
use super::message::{Message, Repair};

impl LeaderFollower {
    /// A message to `to` came back.
    #[cold]
    pub(super) fn came_back(&mut self, to: NodeId, cx: &mut Context<'_, Self>) {
        let message = cx.returned().expect("what came back is told with the refusal");
        // What an earlier leadership of this very process sent has no client that waits.
        let is_current = self.leads() && message.term() == self.term();
        match message {
            Message::Replicate { entry, .. } if is_current => {
                self.refused_by(to, entry.stored.version, cx);
            }
            Message::ReplicateMany { version, .. } | Message::State { version, .. }
                if is_current =>
            {
                self.refused_by(to, version, cx);
            }
            Message::Append { previous, entries, .. } if is_current => {
                let until = previous.index.plus(entries.len() as u64);
                self.entries_refused_by(to, previous.index, until, cx);
            }
            Message::Install { position, .. } if is_current => {
                self.entries_refused_by(to, LogIndex(0), position.index, cx);
            }
            Message::Repair(Repair::Read { read, .. } | Repair::Write { read, .. }) => {
                self.read_refused_by(to, read, cx);
            }
            Message::Replicate { .. }
            | Message::ReplicateMany { .. }
            | Message::State { .. }
            | Message::Append { .. }
            | Message::Install { .. }
            | Message::Ack { .. }
            | Message::Heartbeat { .. }
            | Message::RequestVote(_)
            | Message::Vote(_)
            | Message::Join { .. }
            | Message::Appended { .. }
            | Message::Behind { .. }
            | Message::Offer { .. }
            | Message::Repair(_)
            | Message::AntiEntropy(_) => {}
        }
    }
}
