//! Anti-entropy: replicas compare what they store in the background, and each takes what the other has newer.
//!
//! Every interval a node sends a digest of each range of keys to one peer, to the peers in turn. The peer answers with
//! its entries of the ranges whose digests differ from its own; the node takes what is newer there and sends back what
//! is newer here. (Dynamo compares Merkle trees, section 4.7; this is such a tree of one level.) Both merge by last
//! write wins, so a delete that left no tombstone on one side loses to the value on the other. What a node tells of is
//! durable here first: a leader that forgot it would stamp another write the same, or take one in again that is tried
//! again.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher;
use std::sync::Arc;

use crate::digest::NameHasher;
use crate::id::{KeyId, NodeId, Version};
use crate::names::Names;
use crate::protocol::Context;

use super::apply::contents;
use super::journal::Deferred;
use super::message::{Entry, Message, entry_text};
use super::{LeaderFollower, Timer};

/// Into how many ranges the keys are divided: the bits of [`AntiEntropy::Differences`].
const RANGES: usize = 16;

/// The digest of all that a replica stores in a range of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RangeDigest(u64);

/// A message of anti-entropy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AntiEntropy {
    /// This is what I store, in short.
    Digests(Box<[RangeDigest; RANGES]>),
    /// We differ in these ranges, and this is what I store there.
    Differences {
        /// A bit a range.
        ranges: u16,
        /// Everything of those ranges.
        entries: Arc<[Entry]>,
    },
    /// This is what I have newer, or you have not.
    Newer(Arc<[Entry]>),
}

impl AntiEntropy {
    /// The names of its kinds, in the order of [`AntiEntropy::kind`].
    pub(super) const KINDS: [&'static str; 3] = ["digests", "differences", "newer"];

    pub(super) const fn kind(&self) -> u8 {
        match self {
            Self::Digests(_) => 0,
            Self::Differences { .. } => 1,
            Self::Newer(_) => 2,
        }
    }

    /// The writes that it brings.
    pub(super) fn entries(&self) -> &[Entry] {
        match self {
            Self::Digests(_) => &[],
            Self::Differences { entries, .. } | Self::Newer(entries) => entries,
        }
    }

    /// What it takes on the wire besides the header: 8 bytes a digest, or its writes.
    pub(super) fn content_size(&self, names: &Names) -> u64 {
        match self {
            Self::Digests(_) => 8 * RANGES as u64,
            Self::Differences { entries, .. } | Self::Newer(entries) => {
                entries.iter().map(|entry| entry.wire_size(names)).sum()
            }
        }
    }

    pub(super) fn describe(&self, names: &Names) -> String {
        let list = |entries: &[Entry]| {
            let texts: Vec<String> = entries.iter().map(|e| entry_text(e, names)).collect();
            format!("[{}]", texts.join(", "))
        };
        match self {
            Self::Digests(_) => format!("of {RANGES} ranges"),
            Self::Differences { ranges, entries } => {
                format!("in {} of {RANGES} ranges {}", ranges.count_ones(), list(entries))
            }
            Self::Newer(entries) => list(entries),
        }
    }
}

/// The range of a key, as a store would take it from a hash of the key.
const fn range_of(key: KeyId) -> usize {
    key.0 as usize % RANGES
}

impl LeaderFollower {
    /// Sends the digests to the next peer, and sets the timer for the one after.
    pub(super) fn compare_with_next_peer(&mut self, cx: &mut Context<'_, Self>) {
        let Some(interval) = self.config.anti_entropy else { return };
        cx.set_timer(Timer::AntiEntropy, interval);
        let others = u32::from(self.nodes - 1);
        if others == 0 {
            return;
        }
        let steps = self.comparisons % others + 1;
        self.comparisons = self.comparisons.wrapping_add(1);
        let peer = (u32::from(self.me.0) + steps) % u32::from(self.nodes);
        let peer = NodeId(u16::try_from(peer).expect("a remainder of a 16-bit number"));
        let digests = Box::new(self.digests(cx));
        cx.send(peer, Message::AntiEntropy(AntiEntropy::Digests(digests)));
    }

    /// A message of anti-entropy arrives.
    pub(super) fn receive_anti_entropy(
        &mut self,
        from: NodeId,
        message: AntiEntropy,
        cx: &mut Context<'_, Self>,
    ) {
        match message {
            AntiEntropy::Digests(theirs) => {
                let pairs = self.digests(cx).into_iter().zip(*theirs);
                let ranges = (0..).zip(pairs).fold(0, |ranges, (range, (ours, theirs))| {
                    ranges | u16::from(ours != theirs) << range
                });
                if ranges != 0 {
                    let entries = self.entries_of(ranges, cx).collect();
                    let message = AntiEntropy::Differences { ranges, entries };
                    self.once_durable(Deferred::Compare { to: from, message }, cx);
                }
            }
            AntiEntropy::Differences { ranges, entries } => {
                let newer = self.newer_than(ranges, &entries, cx);
                if !newer.is_empty() {
                    let message = AntiEntropy::Newer(newer);
                    self.once_durable(Deferred::Compare { to: from, message }, cx);
                }
                self.merge(&entries, cx);
            }
            AntiEntropy::Newer(entries) => self.merge(&entries, cx),
        }
    }

    /// A digest of each range. It does not depend on the order of the entries: it is a sum over them.
    fn digests(&self, cx: &Context<'_, Self>) -> [RangeDigest; RANGES] {
        let mut digests = [RangeDigest::default(); RANGES];
        for Entry { key, element, stored } in self.entries_of(u16::MAX, cx) {
            let mut hasher = NameHasher::default();
            hasher.write_u32(key.0);
            hasher.write_u8(element.into());
            hasher.write_u64(stored.value.map_or(0, crate::id::Value::bits));
            hasher.write_i64(stored.version.timestamp);
            hasher.write_u16(stored.version.node.0);
            hasher.write_u32(stored.version.sequence);
            let digest = &mut digests[range_of(key)].0;
            *digest = digest.wrapping_add(hasher.finish());
        }
        digests
    }

    /// Everything stored in these ranges, but for tombstones that are about to be purged: what one replica has purged
    /// already another is not to bring back.
    fn entries_of(&self, ranges: u16, cx: &Context<'_, Self>) -> impl Iterator<Item = Entry> {
        let wall = cx.wall();
        contents(&self.store)
            .filter(move |entry| ranges & 1 << range_of(entry.key) != 0)
            .filter(move |entry| !self.is_past_grace(entry.stored, wall))
    }

    /// What is stored here in these ranges and would be taken by a replica that holds `theirs` there.
    fn newer_than(&self, ranges: u16, theirs: &[Entry], cx: &Context<'_, Self>) -> Arc<[Entry]> {
        let ties = self.config.timestamps.ties;
        let registers: BTreeMap<KeyId, Version> = theirs
            .iter()
            .filter(|entry| !entry.element)
            .map(|entry| (entry.key, entry.stored.version))
            .collect();
        let elements: BTreeSet<(KeyId, Version)> = theirs
            .iter()
            .filter(|entry| entry.element)
            .map(|entry| (entry.key, entry.stored.version))
            .collect();
        let is_newer = |ours: &Entry| {
            let (key, version) = (ours.key, ours.stored.version);
            if ours.element {
                return !elements.contains(&(key, version));
            }
            registers.get(&key).is_none_or(|held| ties.replaces(version, *held))
        };
        self.entries_of(ranges, cx).filter(is_newer).collect()
    }

    fn merge(&mut self, entries: &[Entry], cx: &mut Context<'_, Self>) {
        if self.cannot_write(cx) {
            return;
        }
        for entry in entries {
            self.apply_and_log(*entry, cx);
        }
    }
}
