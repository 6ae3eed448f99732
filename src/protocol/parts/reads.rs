//! Reads of several replicas: what their coordinator keeps, and what it makes of each answer.
//!
//! The coordinator asks every other node what it holds. As soon as enough have answered, itself
//! included, the newest by last write wins is what the read finds. With read repair it is written
//! to those among them that hold something older, and the client may wait until they have it.

use std::collections::{BTreeMap, VecDeque};

use crate::id::{KeyId, NodeId, NodeSet};
use crate::operation::ReadQuorum;
use crate::protocol::{Reply, RequestId};
use crate::time::Time;

use super::entry::StoredEntry;
use super::store::TieBreak;

/// The reads that a node coordinates.
#[derive(Debug, Default)]
pub struct CoordinatedReads {
    open: BTreeMap<RequestId, Reading>,
    /// When each is given up, the oldest first; those closed since are still in it.
    deadlines: VecDeque<(Time, RequestId)>,
}

#[derive(Debug)]
struct Reading {
    key: KeyId,
    quorum: ReadQuorum,
    /// What each replica holds that has answered, in the order of the answers.
    answers: Vec<(NodeId, Option<StoredEntry>)>,
    /// Once enough have answered: the client's reply, and the stale replicas that lack the repair.
    repairing: Option<(Reply, NodeSet)>,
    /// The replicas whose processes are not there.
    refused: NodeSet,
}

/// What an event leaves to be done for a read.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing yet, or nothing any more.
    Wait,
    /// Enough have answered: the client may be answered, and the stale replicas repaired.
    Enough(Found),
    /// Every stale replica has been repaired: the client, who waited for that, is answered.
    Repaired(Reply),
    /// Nobody is left to wait for.
    Hopeless,
}

/// What enough replicas hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// The newest write among it.
    pub newest: Option<StoredEntry>,
    /// Who has answered.
    pub answered: Vec<NodeId>,
    /// Who of them holds something older, where that is to be repaired.
    pub stale: Vec<NodeId>,
}

/// What the timer of the reads finds when it runs out.
#[derive(Debug, PartialEq, Eq)]
pub struct Expired {
    /// The reads that have waited long enough; they are closed.
    pub reads: Vec<RequestId>,
    /// When the next read will have.
    pub next: Option<Time>,
}

impl CoordinatedReads {
    /// How many reads are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether no read is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// A read of `key` begins with what the coordinator itself holds, and is given up at
    /// `deadline`, which is not before those of other reads. Whether it is the only one with a
    /// deadline.
    pub fn begin(
        &mut self,
        read: RequestId,
        key: KeyId,
        quorum: ReadQuorum,
        own: (NodeId, Option<StoredEntry>),
        deadline: Time,
    ) -> bool {
        let reading =
            Reading { key, quorum, answers: vec![own], repairing: None, refused: NodeSet::EMPTY };
        self.open.insert(read, reading);
        self.deadlines.push_back((deadline, read));
        self.deadlines.len() == 1
    }

    /// The replica `from` holds `held` under the key of the read.
    pub fn answer(
        &mut self,
        read: RequestId,
        from: NodeId,
        held: impl FnOnce(KeyId) -> Option<StoredEntry>,
        ties: TieBreak,
        peers: impl IntoIterator<Item = NodeId>,
    ) -> Decision {
        let Some(reading) = self.open.get_mut(&read) else { return Decision::Wait };
        if reading.has_answered(from) || reading.repairing.is_some() {
            return Decision::Wait;
        }
        reading.answers.push((from, held(reading.key)));
        if reading.answers.len() < usize::from(reading.quorum.replicas) {
            return reading.hopeless_or_wait(peers);
        }
        Decision::Enough(reading.found(ties))
    }

    /// A message of the read to `replica` came back: its process is not there.
    pub fn refuse(
        &mut self,
        read: RequestId,
        replica: NodeId,
        peers: impl IntoIterator<Item = NodeId>,
    ) -> Decision {
        let Some(reading) = self.open.get_mut(&read) else { return Decision::Wait };
        reading.refused.insert(replica);
        reading.hopeless_or_wait(peers)
    }

    /// The client of this read, which is open, waits for `reply` until all of `stale` are repaired.
    pub fn await_repair(&mut self, read: RequestId, reply: Reply, stale: &[NodeId]) {
        let reading = self.open.get_mut(&read).expect("a read that is repaired is open");
        reading.repairing = Some((reply, stale.iter().copied().collect()));
    }

    /// The stale replica `from` has what the read found newest.
    pub fn repaired(
        &mut self,
        read: RequestId,
        from: NodeId,
        peers: impl IntoIterator<Item = NodeId>,
    ) -> Decision {
        let Some(reading) = self.open.get_mut(&read) else { return Decision::Wait };
        let Some((reply, unrepaired)) = &mut reading.repairing else { return Decision::Wait };
        unrepaired.remove(from);
        if unrepaired.is_empty() {
            return Decision::Repaired(reply.clone());
        }
        reading.hopeless_or_wait(peers)
    }

    /// The read needs no more answers. Whether none is open any more.
    pub fn close(&mut self, read: RequestId) -> bool {
        self.open.remove(&read);
        if self.open.is_empty() {
            self.deadlines.clear();
        }
        self.open.is_empty()
    }

    /// Gives up the reads that have waited long enough.
    pub fn expire(&mut self, now: Time) -> Expired {
        let mut expired = Expired { reads: Vec::new(), next: None };
        while let Some((deadline, read)) = self.deadlines.front().copied() {
            let is_open = self.open.contains_key(&read);
            if is_open && deadline > now {
                expired.next = Some(deadline);
                break;
            }
            self.deadlines.pop_front();
            if self.open.remove(&read).is_some() {
                expired.reads.push(read);
            }
        }
        expired
    }
}

impl Reading {
    fn has_answered(&self, node: NodeId) -> bool {
        self.answers.iter().any(|(replica, _)| *replica == node)
    }

    /// Whether everybody who could still be waited for is not there.
    fn hopeless_or_wait(&self, peers: impl IntoIterator<Item = NodeId>) -> Decision {
        let is_gone = |node: NodeId| self.refused.contains(node);
        let is_hopeless = match &self.repairing {
            None => peers.into_iter().all(|node| is_gone(node) || self.has_answered(node)),
            Some((_, unrepaired)) => unrepaired.iter().all(is_gone),
        };
        if is_hopeless && !self.refused.is_empty() { Decision::Hopeless } else { Decision::Wait }
    }

    fn found(&self, ties: TieBreak) -> Found {
        let replaces = |new: StoredEntry, held: Option<StoredEntry>| {
            held.is_none_or(|held| ties.replaces(new.stored.version, held.stored.version))
        };
        let newest = self.answers.iter().fold(None, |newest, (_, held)| match *held {
            Some(held) if replaces(held, newest) => Some(held),
            Some(_) | None => newest,
        });
        let stale = match newest {
            Some(newest) if self.quorum.repair => {
                let is_stale = |(_, held): &&(NodeId, Option<StoredEntry>)| replaces(newest, *held);
                self.answers.iter().filter(is_stale).map(|(node, _)| *node).collect()
            }
            Some(_) | None => Vec::new(),
        };
        let answered = self.answers.iter().map(|(node, _)| *node).collect();
        Found { newest, answered, stale }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::{OpId, Value, Version};
    use crate::protocol::{Outcome, Response, Stored};

    const ME: NodeId = NodeId(0);

    fn peers() -> impl Iterator<Item = NodeId> {
        (1..4).map(NodeId)
    }

    fn held(timestamp: i64) -> Option<StoredEntry> {
        let version = Version { timestamp, ..Version::default() };
        let stored = Stored { value: Some(Value::text(0)), version };
        (timestamp > 0).then(|| StoredEntry::register(KeyId(0), stored))
    }

    proptest! {
        /// The twin is the list of what each replica said, looked at anew after each event.
        #[test]
        fn a_read_is_decided_once_by_the_first_answers_that_are_enough(
            replicas in 2..5_u16,
            repair in any::<bool>(),
            events in proptest::collection::vec((1..4_u16, 0..4_u8, 0..4_i64), 0..16),
        ) {
            let read = RequestId::new(OpId(7), 0);
            let mut reads = CoordinatedReads::default();
            let quorum = ReadQuorum { replicas, repair };
            prop_assert!(reads.begin(read, KeyId(0), quorum, (ME, held(1)), Time::ZERO));
            let mut answers: Vec<(NodeId, i64)> = vec![(ME, 1)];
            let mut gone: Vec<NodeId> = Vec::new();
            for (node, kind, timestamp) in events {
                let node = NodeId(node);
                let has_answered = |node, answers: &[(NodeId, i64)]| {
                    answers.iter().any(|(other, _)| *other == node)
                };
                let is_new = !has_answered(node, &answers);
                let decision = if kind == 0 {
                    gone.push(node);
                    reads.refuse(read, node, peers())
                } else {
                    if is_new {
                        answers.push((node, timestamp));
                    }
                    let held = |_| held(timestamp);
                    reads.answer(read, node, held, TieBreak::NodeId, peers())
                };
                let enough = answers.len() == usize::from(replicas) && kind > 0 && is_new;
                let nobody_left =
                    peers().all(|peer| gone.contains(&peer) || has_answered(peer, &answers));
                if enough {
                    let newest = answers.iter().map(|(_, at)| *at).max().unwrap_or(0);
                    let stale = answers.iter().filter(|(_, at)| repair && *at < newest);
                    let stale: Vec<NodeId> = stale.map(|(node, _)| *node).collect();
                    let answered = answers.iter().map(|(node, _)| *node).collect();
                    let found = Found { newest: held(newest), answered, stale: stale.clone() };
                    prop_assert_eq!(decision, Decision::Enough(found));
                    return check_repair(&mut reads, read, &stale, &gone);
                }
                let is_told = (kind == 0 || is_new) && nobody_left && !gone.is_empty();
                let twin = if is_told { Decision::Hopeless } else { Decision::Wait };
                prop_assert_eq!(decision, twin);
            }
        }
    }

    fn check_repair(
        reads: &mut CoordinatedReads,
        read: RequestId,
        stale: &[NodeId],
        gone: &[NodeId],
    ) -> Result<(), TestCaseError> {
        let reply = Reply::of(Outcome::Ok(Response::Absent));
        reads.await_repair(read, reply.clone(), stale);
        for (place, node) in stale.iter().enumerate() {
            let rest = &stale[place + 1..];
            let twin = match rest {
                [] => Decision::Repaired(reply.clone()),
                // A replica that refused once is not waited for, even if it is back.
                _ if rest.iter().all(|node| gone.contains(node)) => Decision::Hopeless,
                _ => Decision::Wait,
            };
            prop_assert_eq!(reads.repaired(read, *node, peers()), twin);
        }
        let expired = reads.expire(Time::ZERO);
        prop_assert_eq!(expired, Expired { reads: vec![read], next: None });
        prop_assert!(reads.is_empty() && reads.close(read));
        Ok(())
    }
}
