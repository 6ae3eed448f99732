//! Messages that come back: what a node makes of hearing that another's process is not there.
//!
//! A leader does not wait for a follower that refused a write, nor a coordinator for a replica that
//! refused a read: once every other node has answered or refused, too few can come, and the client
//! is told so at once, as it would be when the timeout ends. A node that hangs refuses nothing, so
//! the leader waits for it until the timeout. A refusal does not count as a failure: elections and
//! the in-sync set judge by silence alone, and resending goes on.

use crate::id::{LogIndex, NodeId};

use super::message::{Message, Repair};
use super::{Cx, LeaderFollower};

impl LeaderFollower {
    /// A message to `to` came back.
    #[cold]
    pub(super) fn came_back(&mut self, to: NodeId, cx: &mut Cx<'_>) {
        let message = cx.returned().expect("what came back is told with the refusal");
        if let Message::Repair(Repair::Read { read, .. } | Repair::Write { read, .. }) = message {
            return self.read_refused_by(to, read, cx);
        }
        if !self.leads() || message.term() != self.term() {
            // No client waits for what an earlier leadership of this process sent.
            return;
        }
        if let Some((_, version)) = message.replicated() {
            return self.refused_by(to, version, cx);
        }
        if let Message::Append { previous, entries, .. } = message {
            let until = previous.index.plus(entries.len() as u64);
            self.entries_refused_by(to, previous.index, until, cx);
        } else if let Message::Install { position, .. } = message {
            self.entries_refused_by(to, LogIndex(0), position.index, cx);
        }
    }
}
