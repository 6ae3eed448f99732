//! What several checkers need to know of the evidence, gathered once.
//!
//! Writes are told apart by [`Version`]. Three things make that less than simple, and are settled here for all:
//!
//! - **A retried write may have several versions**, one for each attempt that a node accepted. A checker counts it
//!   with the version that *claims least*: the least when the write sets a bound for others ([`Facts::least`]), the
//!   greatest when it is held against one ([`Facts::greatest`]).
//! - **A read that finds nothing has no version.** It counts as having seen the highest removal (delete or clear)
//!   of the key that it can have seen: one that was invoked before the read completed and did not fail. With no
//!   such removal it counts as below every write, [`UNWRITTEN`]; when the version of one is not known, as above
//!   every write, [`UNKNOWN_REMOVAL`]. So a read of nothing is held against a bound only where no removal explains it.
//! - **A clear** removes the keys whose removal a node accepted ([`crate::history::History::cleared`]). One that
//!   accepted none may have emptied a single replica, any key of it: it explains every absence, and promises none.

use std::collections::BTreeMap;

use crate::history::{Entry, Function, Status};
use crate::id::{KeyId, NodeId, OpId, Value, Version};
use crate::protocol::{NodeSnapshot, Stored};

use super::Evidence;

/// Below the version of every write.
pub(super) const UNWRITTEN: Version = Version { timestamp: i64::MIN, node: NodeId(0), sequence: 0 };
/// Above the version of every write: what a removal counts as whose version nobody knows.
pub(super) const UNKNOWN_REMOVAL: Version =
    Version { timestamp: i64::MAX, node: NodeId(u16::MAX), sequence: u32::MAX };

/// What a live replica holds for a key, and the operation that wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holding {
    pub(super) stored: Stored,
    /// One of the replicas that hold it.
    pub(super) node: NodeId,
    /// Who was given that version; `None` when no operation was.
    pub(super) writer: Option<OpId>,
}

/// The evidence, with what is derived from it.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) evidence: Evidence<'a>,
    /// Completed gets and reads of everything.
    pub(super) reads: u64,
    /// One more than the highest client that completed an operation.
    pub(super) clients: usize,
    /// The nodes that are up.
    pub(super) live: Vec<NodeId>,
    /// By key, the highest version that a live replica holds.
    pub(super) newest: Vec<Option<Holding>>,
    /// What live replicas hold beside [`Facts::newest`], each version and value once, by key and version.
    pub(super) others: Vec<(KeyId, Holding)>,
    /// The live replicas to which a key shows something else than the newest version does, or another list than the
    /// longest, by key.
    pub(super) behind: Vec<(KeyId, NodeId)>,
    removals: Vec<Vec<Removal>>,
    blind_from: u32,
    attempts: Vec<(OpId, Version)>,
    cleared: Vec<(OpId, KeyId, Version)>,
}

/// A removal higher than all removals of its key that were invoked before it.
#[derive(Clone, Copy, Debug)]
struct Removal {
    invoked_seq: u32,
    version: Version,
}

impl<'a> Facts<'a> {
    pub(super) fn of(evidence: &Evidence<'a>) -> Self {
        let keys = evidence.names().keys.len();
        let mut attempts = evidence.history.other_versions().to_vec();
        attempts.sort_unstable();
        let mut cleared = evidence.history.cleared().to_vec();
        cleared.sort_unstable();
        let mut facts = Self {
            evidence: *evidence,
            reads: 0,
            clients: 0,
            live: Vec::new(),
            newest: vec![None; keys],
            others: Vec::new(),
            behind: Vec::new(),
            removals: vec![Vec::new(); keys],
            blind_from: u32::MAX,
            attempts,
            cleared,
        };
        facts.compare_replicas(evidence.finals);
        facts.read_history();
        facts
    }

    fn compare_replicas(&mut self, finals: &[NodeSnapshot]) {
        let live = || finals.iter().filter(|snapshot| snapshot.up);
        self.live = live().map(|snapshot| snapshot.node).collect();
        for snapshot in live() {
            for (key, stored) in &snapshot.data {
                let newest = &mut self.newest[key.0 as usize];
                if newest.is_none_or(|newest| newest.stored.version < stored.version) {
                    *newest = Some(Holding { stored: *stored, node: snapshot.node, writer: None });
                }
            }
        }
        for snapshot in live() {
            let mut data = snapshot.data.iter().peekable();
            for (key, newest) in (0..).map(KeyId).zip(&self.newest) {
                let stored = data.next_if(|(other, _)| **other == key).map(|(_, stored)| *stored);
                let visible = |stored: Option<Stored>| {
                    stored.and_then(|stored| stored.value.map(|value| (value, stored.version)))
                };
                if visible(stored) != visible(newest.map(|newest| newest.stored)) {
                    self.behind.push((key, snapshot.node));
                }
                if let Some(stored) = stored
                    && newest.is_some_and(|newest| newest.stored != stored)
                {
                    self.others.push((key, Holding { stored, node: snapshot.node, writer: None }));
                }
            }
        }
        self.compare_lists(finals);
        self.behind.sort_unstable();
        self.behind.dedup();
        let content = |(key, holding): &(KeyId, Holding)| {
            (*key, holding.stored.version, holding.stored.value)
        };
        self.others.sort_by_key(content);
        self.others.dedup_by_key(|other| content(other));
    }

    /// Against the longest list of each key: whoever lacks an element has a shorter one.
    fn compare_lists(&mut self, finals: &[NodeSnapshot]) {
        let live = || finals.iter().filter(|snapshot| snapshot.up);
        let mut longest: BTreeMap<KeyId, &Vec<(Version, Value)>> = BTreeMap::new();
        for (key, list) in live().flat_map(|snapshot| &snapshot.lists) {
            let longest = longest.entry(*key).or_insert(list);
            if longest.len() < list.len() {
                *longest = list;
            }
        }
        for (key, longest) in longest {
            let differs = |snapshot: &&NodeSnapshot| snapshot.lists.get(&key) != Some(longest);
            self.behind.extend(live().filter(differs).map(|snapshot| (key, snapshot.node)));
        }
    }

    fn read_history(&mut self) {
        for (op, entry) in self.evidence.history.iter() {
            if entry.is_ok() {
                self.clients = self.clients.max(entry.client.0 as usize + 1);
            }
            match entry.function {
                Function::Put | Function::Append => {}
                Function::Get | Function::ReadAll => self.reads += u64::from(entry.is_ok()),
                Function::Delete => {
                    let version =
                        entry.version.map_or(UNKNOWN_REMOVAL, |version| self.greatest(op, version));
                    self.note_removal(entry, entry.key, version);
                }
                Function::Clear => {
                    let removed = self.cleared_range(op);
                    if removed.is_empty() && entry.may_have_happened() {
                        self.blind_from = self.blind_from.min(entry.invoked_seq);
                    }
                    for i in removed {
                        let (_, key, version) = self.cleared[i];
                        self.note_removal(entry, key, version);
                        self.note_writer(op, key, version);
                    }
                }
                Function::List => {}
            }
            if let (Function::Put | Function::Delete | Function::Append, Some(version)) =
                (entry.function, entry.version)
            {
                self.note_writer(op, entry.key, version);
            }
        }
        for i in 0..self.attempts.len() {
            let (op, version) = self.attempts[i];
            self.note_writer(op, self.evidence.history.entry(op).key, version);
        }
    }

    fn note_removal(&mut self, entry: &Entry, key: KeyId, version: Version) {
        let removals = &mut self.removals[key.0 as usize];
        if entry.may_have_happened() && removals.last().is_none_or(|last| last.version < version) {
            removals.push(Removal { invoked_seq: entry.invoked_seq, version });
        }
    }

    fn note_writer(&mut self, op: OpId, key: KeyId, version: Version) {
        let Some(newest) = &mut self.newest[key.0 as usize] else { return };
        if newest.stored.version == version {
            newest.writer = Some(op);
        }
        if self.others.is_empty() {
            return;
        }
        let place = |(key, holding): &(KeyId, Holding)| (*key, holding.stored.version);
        let from = self.others.partition_point(|other| place(other) < (key, version));
        for other in &mut self.others[from..] {
            if place(other) != (key, version) {
                break;
            }
            other.1.writer = Some(op);
        }
    }

    fn cleared_range(&self, op: OpId) -> std::ops::Range<usize> {
        let from = self.cleared.partition_point(|(other, ..)| *other < op);
        let until = self.cleared.partition_point(|(other, ..)| *other <= op);
        from..until
    }

    /// The keys that the clear `op` removed, each with the version of its removal.
    pub(super) fn cleared(&self, op: OpId) -> &[(OpId, KeyId, Version)] {
        &self.cleared[self.cleared_range(op)]
    }

    /// The versions of earlier attempts of `op`.
    fn attempts(&self, op: OpId) -> &[(OpId, Version)] {
        if self.attempts.is_empty() {
            return &[];
        }
        let from = self.attempts.partition_point(|(other, _)| *other < op);
        let until = self.attempts.partition_point(|(other, _)| *other <= op);
        &self.attempts[from..until]
    }

    /// The least version that the write `op` was given, `version` being the last.
    pub(super) fn least(&self, op: OpId, version: Version) -> Version {
        self.attempts(op).iter().fold(version, |least, (_, attempt)| least.min(*attempt))
    }

    /// The greatest version that the write `op` was given, `version` being the last.
    pub(super) fn greatest(&self, op: OpId, version: Version) -> Version {
        self.attempts(op).iter().fold(version, |greatest, (_, attempt)| greatest.max(*attempt))
    }

    /// What a read of `key` that found nothing and completed at `completed_seq` counts as having seen.
    pub(super) fn seen_in_nothing(&self, key: KeyId, completed_seq: u32) -> Version {
        if self.blind_from < completed_seq {
            return UNKNOWN_REMOVAL;
        }
        let removals = &self.removals[key.0 as usize];
        let before = removals.partition_point(|removal| removal.invoked_seq < completed_seq);
        before.checked_sub(1).map_or(UNWRITTEN, |last| removals[last].version)
    }

    /// What a completed get counts as having seen, and whether it found a value.
    pub(super) fn seen(&self, entry: &Entry) -> (Version, bool) {
        match (entry.value, entry.version) {
            (Some(_), Some(version)) => (version, true),
            _ => (self.seen_in_nothing(entry.key, entry.completed_seq), false),
        }
    }
}

/// The place in the history after which a write cannot take effect any more: its completion if that was ok. One
/// whose outcome is unknown may take effect at any time, and so may one that failed yet shows an effect.
pub(super) const fn end(entry: &Entry) -> u32 {
    match entry.status {
        Status::Ok => entry.completed_seq,
        Status::Pending | Status::Fail | Status::Info => u32::MAX,
    }
}
