//! The leader's memory of what followers have not acknowledged, for sending it again.
//!
//! To each follower at most one write of a key, and one full state, is to be sent again: the
//! newest. A follower that has the newest does not need the older ones, so its acknowledgement
//! counts for them too.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::id::{NodeId, Version};
use crate::protocol::leader_follower::write::{About, Payload};
use crate::time::{Span, Time};

/// What each follower has not acknowledged.
///
/// A clear has the version of its last delete, and a batch that of its last write. Where both are
/// sent, one takes the other's place in `sent`, and its traces in the other two maps are passed
/// over.
#[derive(Debug, Default)]
pub(crate) struct Unacknowledged {
    sent: BTreeMap<(NodeId, Version), Sent>,
    /// The same, by the time it was last sent.
    by_time: BTreeSet<(Time, NodeId, Version)>,
    /// The same, by what a newer write makes needless.
    newest: BTreeMap<(NodeId, About), Version>,
}

#[derive(Debug)]
struct Sent {
    at: Time,
    payload: Payload,
    /// Older writes about the same that a client may still wait for; their sequences rise but for a
    /// clock that went back.
    covers: VecDeque<Version>,
}

impl Unacknowledged {
    pub(crate) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// How many writes each follower has not acknowledged that lacks any.
    pub(crate) fn of_each_follower(&self) -> BTreeMap<NodeId, usize> {
        self.sent.keys().fold(BTreeMap::new(), |mut counts, (follower, _)| {
            *counts.entry(*follower).or_default() += 1;
            counts
        })
    }

    /// A write was sent to a follower. No client waits for one with a sequence below
    /// `oldest_awaited`, if for any.
    pub(crate) fn insert(
        &mut self,
        follower: NodeId,
        version: Version,
        payload: Payload,
        at: Time,
        oldest_awaited: Option<u32>,
    ) {
        let mut covers = VecDeque::new();
        if let Some(subject) = payload.subject() {
            if let Some(other) = self.newest.get(&(follower, subject)).copied()
                && let Some(sent) = self.sent.get_mut(&(follower, other))
                && sent.payload.subject() == Some(subject)
            {
                // States replace one another in the order of their sequences, writes of a key by
                // their stamps.
                let stays = subject != About::Everything && other > version;
                forget_unawaited(&mut sent.covers, oldest_awaited);
                if stays {
                    sent.covers.push_back(version);
                    return;
                }
                covers = std::mem::take(&mut sent.covers);
                if oldest_awaited.is_some_and(|oldest| other.sequence >= oldest) {
                    covers.push_back(other);
                }
                let sent_at = sent.at;
                self.sent.remove(&(follower, other));
                self.by_time.remove(&(sent_at, follower, other));
            }
            self.newest.insert((follower, subject), version);
        }
        self.sent.insert((follower, version), Sent { at, payload, covers });
        self.by_time.insert((at, follower, version));
    }

    /// A follower has acknowledged a write: the older ones that this acknowledges too.
    pub(crate) fn remove(&mut self, follower: NodeId, version: Version) -> VecDeque<Version> {
        let Some(sent) = self.sent.remove(&(follower, version)) else { return VecDeque::new() };
        self.by_time.remove(&(sent.at, follower, version));
        if let Some(subject) = sent.payload.subject() {
            self.newest.remove(&(follower, subject));
        }
        sent.covers
    }

    /// Calls `send` with everything that was last sent `interval` ago or earlier, in that order: it
    /// is sent now.
    pub(crate) fn send_due(
        &mut self,
        now: Time,
        interval: Span,
        mut send: impl FnMut(NodeId, Version, &Payload),
    ) {
        let mut due = Vec::new();
        while let Some((at, follower, version)) = self.by_time.first().copied()
            && now.since(at) >= interval
        {
            self.by_time.pop_first();
            due.push((follower, version));
        }
        for (follower, version) in due {
            if let Some(sent) = self.sent.get_mut(&(follower, version)) {
                sent.at = now;
                self.by_time.insert((now, follower, version));
                send(follower, version, &sent.payload);
            }
        }
    }

    /// When the one was sent that has waited longest.
    pub(crate) fn oldest(&self) -> Option<Time> {
        self.by_time.first().map(|(at, _, _)| *at)
    }
}

fn forget_unawaited(covers: &mut VecDeque<Version>, oldest_awaited: Option<u32>) {
    match oldest_awaited {
        None => covers.clear(),
        Some(oldest) => while covers.pop_front_if(|version| version.sequence < oldest).is_some() {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{KeyId, Value};
    use crate::protocol::Stored;
    use crate::protocol::parts::entry::StoredEntry;

    const FOLLOWER: NodeId = NodeId(1);

    fn entry(key: u32, sequence: u32) -> StoredEntry {
        let version = Version { timestamp: sequence.into(), node: NodeId(0), sequence };
        StoredEntry::register(KeyId(key), Stored { value: Some(Value::text(0)), version })
    }

    /// What is sent again, by keys.
    fn due(unacknowledged: &mut Unacknowledged) -> Vec<Vec<u32>> {
        let mut due = Vec::new();
        let later = Time::from_nanos(1_000);
        unacknowledged.send_due(later, Span::ZERO, |_, _, payload| {
            due.push(match payload {
                Payload::One(entry) => vec![entry.key.0],
                Payload::Many(entries) | Payload::Batch(entries) => {
                    entries.iter().map(|entry| entry.key.0).collect()
                }
                Payload::State(_) => unreachable!("no state was sent"),
            });
        });
        due
    }

    /// A leader that starts again sends all that it stores; the last write of a batch is among
    /// that, and then the batch itself is sent, which has its version.
    #[test]
    fn a_batch_and_its_last_write_are_two_things() {
        let mut sent = Unacknowledged::default();
        let insert = |sent: &mut Unacknowledged, entry: StoredEntry, payload| {
            sent.insert(FOLLOWER, entry.stored.version, payload, Time::ZERO, None);
        };
        let (first, last, next) = (entry(1, 4), entry(3, 5), entry(3, 6));
        insert(&mut sent, last, Payload::One(last));
        insert(&mut sent, last, Payload::Batch([first, last].into()));
        assert_eq!(due(&mut sent), [vec![1, 3]]);
        // A later write of that key does not stand for all of the batch.
        insert(&mut sent, next, Payload::One(next));
        assert_eq!(due(&mut sent), [vec![3], vec![1, 3]]);
        sent.remove(FOLLOWER, last.stored.version);
        assert_eq!(due(&mut sent), [vec![3]]);
        // Nor is it passed over when the batch is acknowledged first.
        let mut sent = Unacknowledged::default();
        insert(&mut sent, last, Payload::One(last));
        insert(&mut sent, last, Payload::Batch([first, last].into()));
        sent.remove(FOLLOWER, last.stored.version);
        insert(&mut sent, next, Payload::One(next));
        assert_eq!(due(&mut sent), [vec![3]]);
    }
}
