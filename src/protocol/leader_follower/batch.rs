//! A batch on its leader: decided as a whole, then done in one step.
//!
//! The leader compares first: every compare-and-set sees what the store holds, and what the parts
//! before it would write. Only if each finds what it expects is anything done. Then the writes are
//! stamped and applied in their order, reads among them are answered from the store as it is then,
//! and all writes go into one record of the log and, between registers, into one message.
//!
//! In one log the writes of a batch are entries like others, one after the other. The leader that
//! accepted it has all of them on its disk, or none. A follower may lose the last ones with its
//! power; until the leader sends them again, or for good if that follower leads next, half of the
//! batch is there.

use crate::id::{KeyId, Value, Version};
use crate::operation::{BatchId, Operation};
use crate::protocol::parts::entry::StoredEntry;
use crate::protocol::{Mismatch, Observation, Outcome, Reply, RequestId, Response, Stored};

use super::message::LogEntry;
use super::replication::Replication;
use super::storage::Record;
use super::write::Payload;
use super::{Cx, LeaderFollower};

/// What the parts of a batch would put, while nothing is done yet.
#[derive(Debug, Default)]
struct Planned(Vec<(KeyId, Option<Value>)>);

impl Planned {
    /// What a key would hold; `None`: no part before writes it.
    fn held(&self, key: KeyId) -> Option<Option<Value>> {
        self.0.iter().rev().find(|(other, _)| *other == key).map(|(_, value)| *value)
    }
}

impl LeaderFollower {
    /// A batch reaches the leader.
    pub(super) fn lead_batch(&mut self, request: RequestId, batch: BatchId, cx: &mut Cx<'_>) {
        let parts = cx.batch(batch);
        if let Some(mismatch) = self.mismatch(parts) {
            return cx.reply(request, Reply::of(Outcome::Mismatch(Box::new(mismatch))));
        }
        let before = self.replica.stamps.given();
        let mut entries = Vec::new();
        let answers: Box<[Response]> =
            parts.iter().map(|part| self.lead_part(request, *part, &mut entries, cx)).collect();
        let response = Response::Batch(answers);
        let Some(last) = entries.last() else {
            return cx.reply(request, Reply::of(Outcome::Ok(response)));
        };
        // An element that was there already has an old stamp, which names another write.
        let is_new = last.stored.version.sequence > before;
        let version = if is_new { last.stored.version } else { self.replica.stamp_apart(cx) };
        let term = self.replica.term();
        let record = || match self.replication {
            Replication::Registers(_) => Record::Batch(entries.clone()),
            Replication::Log(_) => {
                let of_log = |entry: &StoredEntry| LogEntry { term, entry: *entry };
                Record::EntryBatch(entries.iter().map(of_log).collect())
            }
        };
        self.replica.log_record(term, record, cx);
        let payload = Payload::Batch(entries.into());
        self.commit(self.accepted(request, version, payload, response, None), cx);
    }

    /// The first compare-and-set that would not find what it expects.
    fn mismatch(&self, parts: &[Operation]) -> Option<Mismatch> {
        let mut planned = Planned::default();
        for (place, part) in (0..).zip(parts) {
            let (key, value) = match *part {
                Operation::Get { .. } => continue,
                Operation::Put { key, value, .. } | Operation::Append { key, value, .. } => {
                    (key, Some(value))
                }
                Operation::Delete { key, .. } => (key, None),
                Operation::Cas { key, from, to } => {
                    let own = planned.held(key);
                    let held = || self.replica.store.get(key).map(|(value, _)| value);
                    if own.unwrap_or_else(held) != from {
                        let found = own.is_none().then(|| self.found(key));
                        return Some(Mismatch { part: place, found });
                    }
                    (key, Some(to))
                }
                Operation::List | Operation::ReadAll | Operation::Clear | Operation::Batch(_) => {
                    unreachable!("parts are on single keys")
                }
            };
            planned.0.push((key, value));
        }
        None
    }

    /// Does a part; a write is added to the `entries`.
    fn lead_part(
        &mut self,
        request: RequestId,
        part: Operation,
        entries: &mut Vec<StoredEntry>,
        cx: &mut Cx<'_>,
    ) -> Response {
        let (key, value, known) = match part {
            Operation::Get { key, .. } => return self.found(key),
            Operation::Put { key, value, .. } => (key, Some(value), None),
            // An element that is there already goes out once more: followers may lack it.
            Operation::Append { key, value, .. } => {
                (key, Some(value), self.known_element(key, value))
            }
            Operation::Cas { key, to, .. } => (key, Some(to), None),
            Operation::Delete { key, .. } => (key, None, None),
            Operation::List | Operation::ReadAll | Operation::Clear | Operation::Batch(_) => {
                unreachable!("parts are on single keys")
            }
        };
        let held = self.replica.store.get(key).map(|(value, _)| value);
        // An element that is there takes its own place.
        let over = known.map_or(held, |(element, _)| Some(element));
        let version = known.map_or_else(|| self.replica.stamp(cx), |(_, version)| version);
        cx.observe(Observation::Accept { request, key, version, over: over.into() });
        let element = matches!(part, Operation::Append { .. });
        let entry = StoredEntry { key, element, stored: Stored { value, version } };
        self.apply_in_batch(entry, cx);
        entries.push(entry);
        let existed = value.is_none().then_some(held.is_some());
        Response::Written { version, existed }
    }

    /// Takes a write of a batch into the store or the log; the record of the batch has it.
    fn apply_in_batch(&mut self, entry: StoredEntry, cx: &mut Cx<'_>) {
        match &mut self.replication {
            Replication::Registers(_) => {
                self.replica.apply_observed(entry, cx);
            }
            Replication::Log(log) => {
                let term = self.replica.term();
                log.append_logged(LogEntry { term, entry }, &mut self.replica, cx);
            }
        }
    }

    /// With `deduplicate`: an element that the list has already, and its version.
    pub(super) fn known_element(&self, key: KeyId, value: Value) -> Option<(Value, Version)> {
        if !self.replica.config.deduplicate {
            return None;
        }
        let mut elements = self.replica.store.elements(key).iter();
        elements
            .find(|(_, element)| *element == value)
            .map(|(version, element)| (*element, *version))
    }
}
