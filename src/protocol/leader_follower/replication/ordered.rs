//! Replication in the order of one log: what a leader ships, and how a follower takes it in (Raft
//! section 5.3).
//!
//! The leader sends each entry with the position before it. A follower that has that position takes
//! the entry, and cuts off what it has in its place; one that lacks it keeps the entry for when the
//! gap is filled, or says how far its log goes, and the leader steps back to the last position that
//! both can have. Heartbeats tell where the leader's log ends, so that what was lost on the way is
//! asked for again.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::id::{KeyId, LogIndex, NodeId, Position, Term, Version};
use crate::protocol::leader_follower::config::{Mode, Tail};
use crate::protocol::leader_follower::message::{Installed, LogEntry, Message};
use crate::protocol::leader_follower::replica::Replica;
use crate::protocol::leader_follower::storage::Record;
use crate::protocol::leader_follower::types::Types;
use crate::protocol::parts::entry::{Rules, StoredEntry, apply, contents, store_of};
use crate::protocol::parts::log::{Extension, ReplicatedLog};
use crate::protocol::parts::progress::{Advance, Followers};
use crate::protocol::parts::store::Store;
use crate::protocol::{Context, DiscardReason, EntryHash, LogStatus, Observation};
use crate::time::Time;

/// How many messages that came too early a follower keeps.
const EARLY: usize = 4096;

/// What a node keeps whose cluster replicates one log.
#[derive(Debug, Default)]
pub(crate) struct Ordered {
    log: ReplicatedLog<StoredEntry>,
    rollback: Rollback,
    /// Up to which index the last checkpoint reaches.
    checkpointed: LogIndex,
    /// Leader: how far each follower is.
    followers: Followers,
    /// Leader: up to which index entries may be sent.
    released: LogIndex,
    /// Follower: entries that came before those that they follow.
    early: BTreeMap<Position, Arc<[LogEntry]>>,
}

/// What rebuilding the store takes besides the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rollback {
    /// What the entries up to the log's base made of the store.
    before: Store,
    /// The tombstones that were purged, and up to which index the log went then, in order.
    purged: Vec<(LogIndex, KeyId, Version)>,
}

impl Rollback {
    /// The store at the base of a log.
    const fn from_base(before: Store) -> Self {
        Self { before, purged: Vec::new() }
    }

    /// A tombstone was purged when the log ended at `last`: rebuilding purges it again.
    fn purged(&mut self, last: LogIndex, key: KeyId, version: Version) {
        self.purged.push((last, key, version));
    }

    /// The log was cut behind `index`.
    fn cut(&mut self, index: LogIndex) {
        for (at, ..) in &mut self.purged {
            *at = (*at).min(index);
        }
    }

    /// The store that `log` makes.
    fn store(&self, log: &ReplicatedLog<StoredEntry>, rules: Rules) -> Store {
        let mut store = self.before.clone();
        let mut purged = self.purged.iter().peekable();
        let mut purge = |store: &mut Store, index| {
            while let Some((_, key, version)) = purged.next_if(|(at, ..)| *at <= index) {
                store.purge(*key, *version);
            }
        };
        purge(&mut store, log.base().index);
        for (index, entry) in log.iter() {
            apply(&mut store, entry.entry, rules);
            purge(&mut store, index);
        }
        store
    }
}

/// What the acknowledgement of a follower comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reached {
    /// What it acknowledged anew.
    pub(crate) new: Option<Advance>,
    /// Whether it has everything that the leader has.
    pub(crate) is_caught_up: bool,
}

/// Says that the log has an entry. Hashing it is for the observation's sake alone.
#[inline]
fn observe_append(position: Position, entry: LogEntry, cx: &mut Context<'_, impl Types>) {
    if cx.says_of_its_log() {
        let entry = EntryHash::of(&entry.entry);
        cx.observe(Observation::Append { position, entry });
    }
}

/// Says where the log begins. The state there has entries that may yet be cut off elsewhere, for a
/// node applies what it has at once.
fn observe_base(position: Position, installed: bool, cx: &mut Context<'_, impl Types>) {
    cx.observe(Observation::Snapshot { position, state: None, installed });
}

impl Ordered {
    /// Where the log ends.
    #[inline]
    pub(crate) fn last(&self) -> Position {
        self.log.last()
    }

    /// Where the log begins and ends.
    pub(crate) fn status(&self) -> LogStatus {
        let (first, last) = (self.log.base().index.next(), self.log.last().index);
        LogStatus { first, last, commit: None, applied: last }
    }

    /// The position at `index`.
    #[cfg(test)]
    pub(crate) fn at(&self, index: LogIndex) -> Option<Position> {
        self.log.at(index)
    }

    /// How far each follower is.
    pub(crate) const fn followers(&self) -> &Followers {
        &self.followers
    }

    /// A new leader knows nothing of its followers.
    pub(crate) fn lead(&mut self, nodes: u16, now: Time) {
        self.followers = Followers::unknown(nodes, self.log.last().index, now);
        self.released = LogIndex(0);
    }

    /// What came early from another leader is of no use.
    pub(crate) fn follow(&mut self) {
        self.early.clear();
    }

    /// Whether the log has entries that were not released for sending.
    pub(crate) fn has_unreleased(&self) -> bool {
        self.log.last().index > self.released
    }

    /// A tombstone was purged: rebuilding the store from the log purges it again.
    pub(crate) fn purged(&mut self, key: KeyId, version: Version) {
        self.rollback.purged(self.log.last().index, key, version);
    }

    /// A checkpoint stands for the log up to its end.
    pub(crate) fn checkpoint(&mut self) -> Position {
        let position = self.log.last();
        self.checkpointed = position.index;
        position
    }

    /// At boot: a checkpoint was read back, and makes this store.
    pub(crate) fn restore(&mut self, position: Position, store: Store) {
        self.checkpointed = position.index;
        self.reset(position, store);
    }

    /// Of the log only the state at `base` is known from now on.
    fn reset(&mut self, base: Position, store: Store) {
        self.log = ReplicatedLog::from_base(base);
        self.rollback = Rollback::from_base(store);
    }

    /// Appends an entry to the log and applies it, as leader or follower.
    pub(crate) fn append(
        &mut self,
        entry: LogEntry,
        replica: &mut Replica,
        cx: &mut Context<'_, impl Types>,
    ) {
        replica.log_record(entry.term, || Record::Entry(entry), cx);
        self.append_logged(entry, replica, cx);
    }

    /// The same of an entry that a record of its batch has.
    pub(crate) fn append_logged(
        &mut self,
        entry: LogEntry,
        replica: &mut Replica,
        cx: &mut Context<'_, impl Types>,
    ) {
        let position = self.log.push(entry);
        observe_append(position, entry, cx);
        replica.apply_observed(entry.entry, cx);
    }

    /// Leader: everything up to `index` may be sent.
    pub(crate) fn ship_all(
        &mut self,
        index: LogIndex,
        replica: &Replica,
        cx: &mut Context<'_, impl Types>,
    ) {
        self.released = self.released.max(index);
        for follower in cx.peers() {
            self.ship(follower, replica, cx);
        }
    }

    /// Sends a follower what it was not sent yet, or asks whether its log ends there.
    fn ship(&mut self, follower: NodeId, replica: &Replica, cx: &mut Context<'_, impl Types>) {
        let progress = self.followers.of_mut(follower);
        let Some(previous) = self.log.at(progress.sent()) else {
            return self.install(follower, replica, cx);
        };
        let entries: Arc<[LogEntry]> = self.log.between(previous.index, self.released).into();
        progress.send_from(previous.index.plus(entries.len() as u64));
        cx.send(follower, Message::Append { term: replica.term(), previous, entries });
    }

    /// Sends a follower the whole state, for want of the entries that it lacks.
    fn install(&mut self, follower: NodeId, replica: &Replica, cx: &mut Context<'_, impl Types>) {
        let (term, position) = (replica.term(), self.log.last());
        self.followers.of_mut(follower).send_from(position.index);
        let entries: Box<[StoredEntry]> = contents(&replica.store).collect();
        let seen = replica.stamps.newest_beyond(&entries);
        let state = Arc::new(Installed { entries, seen });
        cx.send(follower, Message::Install { term, position, state });
    }

    /// Follower: entries behind `previous` reach it. Up to which index its log is as the leader's
    /// then; `None` when it lacks `previous`.
    pub(crate) fn take_entries(
        &mut self,
        from: NodeId,
        previous: Position,
        entries: Arc<[LogEntry]>,
        replica: &mut Replica,
        cx: &mut Context<'_, impl Types>,
    ) -> Option<LogIndex> {
        if !self.log.has(previous) {
            self.refuse_entries(from, previous, entries, replica, cx);
            return None;
        }
        let mut until = self.extend(from, previous, &entries, replica, cx);
        // Each early message was sent behind a position; those whose gap is filled now follow.
        while let Some(early) = self.early.first_entry()
            && early.key().index <= self.log.last().index
        {
            let (before, entries) = early.remove_entry();
            if self.log.has(before) {
                until = until.max(self.extend(from, before, &entries, replica, cx));
            }
        }
        Some(until)
    }

    /// The log lacks what comes before the entries: they wait, or the leader is told where the two
    /// logs may meet.
    fn refuse_entries(
        &mut self,
        from: NodeId,
        previous: Position,
        entries: Arc<[LogEntry]>,
        replica: &Replica,
        cx: &mut Context<'_, impl Types>,
    ) {
        let is_gap = previous.index > self.log.last().index;
        if is_gap && !entries.is_empty() && self.early.len() < EARLY {
            self.early.insert(previous, entries);
            return;
        }
        let index = if is_gap { previous.index } else { previous.index.before() };
        let last = self.log.last_up_to(Position { index, ..previous });
        cx.send(from, Message::Behind { term: replica.term(), last });
    }

    /// Makes the log go on behind `previous` as the leader's does; up to which index the two are
    /// equal then.
    fn extend(
        &mut self,
        from: NodeId,
        previous: Position,
        entries: &[LogEntry],
        replica: &mut Replica,
        cx: &mut Context<'_, impl Types>,
    ) -> LogIndex {
        let Extension { cut, appended, until } = self.log.extension(previous, entries);
        if let Some(index) = cut {
            self.cut(index, from, replica, cx);
        }
        for entry in appended {
            self.append(*entry, replica, cx);
        }
        until
    }

    /// Cuts off everything behind `index`: gone, or offered to the leader.
    fn cut(
        &mut self,
        index: LogIndex,
        leader: NodeId,
        replica: &mut Replica,
        cx: &mut Context<'_, impl Types>,
    ) {
        let cut = self.log.cut(index);
        self.rollback.cut(index);
        cx.observe(Observation::Truncate { from: index.next() });
        for LogEntry { entry, .. } in &cut {
            let (key, stored, reason) = (entry.key, entry.stored, DiscardReason::Truncated);
            cx.observe(Observation::Discard { key, stored, reason });
        }
        self.rebuild(replica);
        replica.bury_all(cx);
        let term = replica.term();
        if index >= self.checkpointed {
            replica.log_record(term, || Record::Cut { behind: index }, cx);
        } else if let Some(journal) = &mut replica.journal {
            // A replay starts from the checkpoint, which cannot be cut, so the state that is left
            // is written as a whole.
            let (position, entries) = (self.log.last(), contents(&replica.store).collect());
            journal.append(term, &Record::Install { position, entries }, cx);
        }
        if replica.config.failover.tail == Tail::Merge {
            let entries = cut.iter().map(|cut| cut.entry).collect();
            cx.send(leader, Message::Offer { term, entries });
        }
    }

    /// At a start: says what the log has, once it is read back.
    pub(crate) fn observe_log(&self, cx: &mut Context<'_, impl Types>) {
        let base = self.log.base();
        if base.index > LogIndex(0) {
            observe_base(base, false, cx);
        }
        for (index, entry) in self.log.iter() {
            observe_append(Position { term: entry.term, index }, *entry, cx);
        }
    }

    /// Makes the store what the log says.
    fn rebuild(&self, replica: &mut Replica) {
        replica.store = self.rollback.store(&self.log, replica.config.rules());
    }

    /// Follower: the whole state at a position, in place of what it has; whether it was of use.
    pub(crate) fn take_install(
        &mut self,
        position: Position,
        state: &Installed,
        replica: &mut Replica,
        cx: &mut Context<'_, impl Types>,
    ) -> bool {
        let Installed { entries, seen } = state;
        if self.is_overtaken(position, replica.term()) || self.log.has(position) {
            return false;
        }
        let record = || Record::Install { position, entries: entries.to_vec() };
        replica.log_record(replica.term(), record, cx);
        let store = store_of(entries, Rules::RESTORE);
        replica.replace_store(store.clone(), cx);
        self.reset(position, store);
        observe_base(position, true, cx);
        self.early.clear();
        if seen.is_some_and(|seen| replica.stamps.see(seen)) {
            replica.log_stamps(cx);
        }
        true
    }

    /// Whether a message about `position` is outdated: this node has a state of a later position
    /// and an entry of the leader's own term, so everything that the leader had at `position`.
    fn is_overtaken(&self, position: Position, term: Term) -> bool {
        let mine = self.log.last();
        mine.term == term && position.index <= mine.index && self.log.at(position.index).is_none()
    }

    /// Leader: a follower lacks what came before the entries that it was sent.
    pub(crate) fn step_back(
        &mut self,
        follower: NodeId,
        last: Option<Position>,
        replica: &Replica,
        cx: &mut Context<'_, impl Types>,
    ) {
        let Some(common) = last.and_then(|last| self.log.last_up_to(last)) else {
            return self.install(follower, replica, cx);
        };
        self.followers.of_mut(follower).send_from(common.index);
        self.ship(follower, replica, cx);
    }

    /// Follower: the leader's log ends at `last`. Entries of earlier terms behind that will never
    /// be in the leader's log, and are cut off. Up to which index the two are equal, where the
    /// leader is to know.
    pub(crate) fn compare(
        &mut self,
        leader: NodeId,
        last: Position,
        replica: &mut Replica,
        cx: &mut Context<'_, impl Types>,
    ) -> Option<LogIndex> {
        if self.is_overtaken(last, replica.term()) {
            return None;
        }
        if self.log.last() == last {
            // In mode in-sync a follower says that it is up to date, or an idle cluster would look
            // like one whose followers are gone.
            return matches!(replica.config.mode, Mode::InSync { .. }).then_some(last.index);
        }
        if self.log.has(last) {
            let next = self.log.at(last.index.next());
            let is_foreign = next.is_some_and(|next| next.term < replica.term());
            if !is_foreign || replica.cannot_write(cx) {
                return None;
            }
            self.cut(last.index, leader, replica, cx);
            return Some(last.index);
        }
        let last = self.log.last_up_to(last);
        cx.send(leader, Message::Behind { term: replica.term(), last });
        None
    }

    /// Leader: a follower has everything up to `index`.
    pub(crate) fn acknowledge(&mut self, from: NodeId, index: LogIndex, now: Time) -> Reached {
        let last = self.log.last().index;
        let progress = self.followers.of_mut(from);
        let new = progress.acknowledge(index);
        Reached { new, is_caught_up: progress.is_caught_up(last, now) }
    }

    /// At boot: an entry of the log is read back.
    pub(crate) fn recover_entry(
        &mut self,
        entry: LogEntry,
        replica: &mut Replica,
        cx: &mut Context<'_, impl Types>,
    ) {
        replica.ballot.was_in(entry.term);
        self.log.push(entry);
        replica.apply_observed(entry.entry, cx);
    }

    /// At boot: the log was cut.
    pub(crate) fn recover_cut(&mut self, behind: LogIndex, replica: &mut Replica) {
        self.log.cut(behind);
        self.rollback.cut(behind);
        self.rebuild(replica);
    }

    /// At boot: a state was installed.
    pub(crate) fn recover_install(
        &mut self,
        position: Position,
        entries: &[StoredEntry],
        replica: &mut Replica,
    ) {
        replica.ballot.was_in(position.term);
        for entry in entries {
            replica.note(entry.stored.version);
        }
        replica.store = store_of(entries, Rules::RESTORE);
        self.reset(position, replica.store.clone());
    }
}
