//! Anti-entropy: replicas compare what they store in the background, and each takes what the other
//! has newer. Their messages: [`crate::protocol::parts::anti_entropy`].
//!
//! Every interval a node sends its digests to one peer, to the peers in turn. A node sends only
//! what is durable: a leader that forgot a write could give its stamp again, or accept a retry of
//! it as new.

use crate::id::NodeId;
use crate::protocol::parts::anti_entropy::{RANGES, RangeDigest, Ranges, digests, newer};
use crate::protocol::parts::entry::{StoredEntry, contents};

use super::message::{AntiEntropy, Message};
use super::storage::Deferred;
use super::{Cx, LeaderFollower, Timer};

impl LeaderFollower {
    /// Sends the digests to the next peer, and sets the timer for the one after.
    pub(super) fn compare_with_next_peer(&mut self, cx: &mut Cx<'_>) {
        let interval =
            self.replica.config.anti_entropy.expect("the timer runs where anti-entropy is on");
        cx.set_timer(Timer::AntiEntropy, interval);
        if let Some(peer) = self.turns.next(self.replica.me, self.replica.nodes) {
            let digests = Box::new(self.digests(cx));
            cx.send(peer, Message::AntiEntropy(AntiEntropy::Digests(digests)));
        }
    }

    /// A message of anti-entropy arrives.
    pub(super) fn receive_anti_entropy(
        &mut self,
        from: NodeId,
        message: AntiEntropy,
        cx: &mut Cx<'_>,
    ) {
        match message {
            AntiEntropy::Digests(theirs) => {
                let ranges = Ranges::differing(&self.digests(cx), &theirs);
                if !ranges.is_empty() {
                    let entries = self.entries_of(ranges, cx).collect();
                    let message = AntiEntropy::Differences { ranges, entries };
                    self.once_durable(Deferred::Compare { to: from, message }, cx);
                }
            }
            AntiEntropy::Differences { ranges, entries } => {
                let ours = self.entries_of(ranges, cx);
                let newer: Vec<StoredEntry> =
                    newer(ours, &entries, self.replica.config.timestamps.ties);
                if !newer.is_empty() {
                    let message = AntiEntropy::Newer(newer.into());
                    self.once_durable(Deferred::Compare { to: from, message }, cx);
                }
                self.merge(&entries, cx);
            }
            AntiEntropy::Newer(entries) => self.merge(&entries, cx),
        }
    }

    fn digests(&self, cx: &Cx<'_>) -> [RangeDigest; RANGES] {
        digests(self.entries_of(Ranges::ALL, cx))
    }

    /// Everything stored in these ranges, but for tombstones that are about to be purged: what one
    /// replica has purged already another is not to bring back.
    fn entries_of(&self, ranges: Ranges, cx: &Cx<'_>) -> impl Iterator<Item = StoredEntry> {
        let wall = cx.wall();
        contents(&self.replica.store)
            .filter(move |entry| ranges.contains(entry.key))
            .filter(move |entry| !self.replica.tombstones.is_past_grace(entry.stored, wall))
    }

    fn merge(&mut self, entries: &[StoredEntry], cx: &mut Cx<'_>) {
        if self.replica.cannot_write(cx) {
            return;
        }
        for entry in entries {
            self.replica.apply_and_log(*entry, cx);
        }
    }
}
