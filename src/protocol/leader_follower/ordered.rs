//! Replication in the order of one log: what a leader ships, and how a follower takes it in (Raft section 5.3).
//!
//! The leader sends each entry with the position before it. A follower that has that position takes the entry, and
//! cuts off what it has in its place; one that lacks it keeps the entry for when the gap is filled, or says how far
//! its log goes, and the leader steps back to the last position that both can have. Heartbeats tell where the
//! leader's log ends, so that what was lost on the way is asked for again.

use std::sync::Arc;

use crate::id::{LogIndex, NodeId, Position, Term};
use crate::protocol::parts::entry::{Entry, Rules, apply, contents};
use crate::protocol::parts::log::{Extension, ReplicatedLog};
use crate::protocol::parts::store::Store;
use crate::protocol::{Context, DiscardReason, Observation};

use super::LeaderFollower;
use super::config::{Mode, Tail};
use super::message::{Installed, LogEntry, Message};
use super::rollback::Rollback;
use super::storage::{Deferred, Record};

/// How many entries that came too early a follower keeps.
const EARLY: usize = 4096;

impl LeaderFollower {
    /// Appends an entry to the log and applies it, as leader or follower.
    pub(super) fn append(&mut self, entry: LogEntry, cx: &mut Context<'_, Self>) {
        self.log_record(entry.term, || Record::Entry(entry), cx);
        let at = self.log.push(entry);
        cx.observe(Observation::Append { at });
        self.apply_observed(entry.entry, cx);
    }

    /// Leader: everything up to `index` may be sent.
    pub(super) fn ship_all(&mut self, index: LogIndex, cx: &mut Context<'_, Self>) {
        self.leading.released = self.leading.released.max(index);
        for follower in cx.peers() {
            self.ship(follower, cx);
        }
    }

    /// Sends a follower what it was not sent yet, or asks whether its log ends there.
    fn ship(&mut self, follower: NodeId, cx: &mut Context<'_, Self>) {
        let term = self.term();
        let until = self.leading.released;
        let progress = self.leading.followers.of_mut(follower);
        let Some(previous) = self.log.at(progress.sent()) else {
            return self.install(follower, cx);
        };
        let entries: Arc<[LogEntry]> = self.log.between(previous.index, until).into();
        progress.send_from(previous.index.plus(entries.len() as u64));
        cx.send(follower, Message::Append { term, previous, entries });
    }

    /// Sends a follower the whole state, for want of the entries that it lacks.
    fn install(&mut self, follower: NodeId, cx: &mut Context<'_, Self>) {
        let (term, position) = (self.term(), self.log.last());
        self.leading.followers.of_mut(follower).send_from(position.index);
        let entries: Box<[Entry]> = contents(&self.store).collect();
        let seen = self.stamps.newest_beyond(&entries);
        let state = Arc::new(Installed { entries, seen });
        cx.send(follower, Message::Install { term, position, state });
    }

    /// Follower: entries behind `previous` reach it.
    pub(super) fn take_entries(
        &mut self,
        from: NodeId,
        (previous, entries): (Position, Arc<[LogEntry]>),
        cx: &mut Context<'_, Self>,
    ) {
        if !self.log.has(previous) {
            return self.refuse_entries(from, previous, entries, cx);
        }
        let mut until = self.extend_log(from, previous, &entries, cx);
        // Each stashed message was sent behind a position; those whose gap is filled now follow.
        while let Some((before, entries)) =
            self.early.first_key_value().map(|(k, v)| (*k, v.clone()))
        {
            if before.index > self.log.last().index {
                break;
            }
            self.early.remove(&before);
            if self.log.has(before) {
                until = until.max(self.extend_log(from, before, &entries, cx));
            }
        }
        self.pass_on(cx);
        self.acknowledge_log_once_durable(from, until, cx);
    }

    /// Without fencing a leader too takes in what a deposed one sends: what it has then it sends its followers, who
    /// would ask for it for ever.
    fn pass_on(&mut self, cx: &mut Context<'_, Self>) {
        let (term, index) = (self.term(), self.log.last().index);
        if self.leads() && index > self.leading.released {
            self.once_durable(Deferred::ShareLog { term, index }, cx);
        }
    }

    fn refuse_entries(
        &mut self,
        from: NodeId,
        previous: Position,
        entries: Arc<[LogEntry]>,
        cx: &mut Context<'_, Self>,
    ) {
        let is_gap = previous.index > self.log.last().index;
        if is_gap && !entries.is_empty() && self.early.len() < EARLY {
            self.early.insert(previous, entries);
            return;
        }
        let index = if is_gap { previous.index } else { previous.index.before() };
        let below = Position { index, ..previous };
        let last = self.log.last_up_to(below);
        cx.send(from, Message::Behind { term: self.term(), last });
    }

    /// Makes the log go on behind `previous` as the leader's does; up to which index the two are equal then.
    fn extend_log(
        &mut self,
        from: NodeId,
        previous: Position,
        entries: &[LogEntry],
        cx: &mut Context<'_, Self>,
    ) -> LogIndex {
        let Extension { cut, appended, until } = self.log.extension(previous, entries);
        if let Some(index) = cut {
            self.cut_log(index, Some(from), cx);
        }
        for entry in appended {
            self.append(*entry, cx);
        }
        until
    }

    fn acknowledge_log_once_durable(
        &mut self,
        leader: NodeId,
        index: LogIndex,
        cx: &mut Context<'_, Self>,
    ) {
        let term = self.term();
        self.once_durable(Deferred::AcknowledgeLog { to: leader, term, index }, cx);
    }

    /// What was acknowledged in a term that is over may have been cut off since.
    pub(super) fn acknowledge_log(
        &self,
        (to, term, index): (NodeId, Term, LogIndex),
        cx: &mut Context<'_, Self>,
    ) {
        if term == self.term() {
            cx.send(to, Message::Appended { term, index });
        }
    }

    /// Cuts off everything behind `index`: gone, or offered to the leader.
    fn cut_log(&mut self, index: LogIndex, leader: Option<NodeId>, cx: &mut Context<'_, Self>) {
        let cut = self.log.cut(index);
        self.rollback.cut(index);
        cx.observe(Observation::Truncate { from: index.next() });
        for LogEntry { entry, .. } in &cut {
            let (key, stored, reason) = (entry.key, entry.stored, DiscardReason::Truncated);
            cx.observe(Observation::Discard { key, stored, reason });
        }
        self.rebuild();
        self.bury_all(cx);
        if index >= self.checkpointed {
            self.log_record(self.term(), || Record::Cut { behind: index }, cx);
        } else {
            // Replay begins with the checkpoint, from which nothing can be cut: what is left is written whole.
            let (position, entries) = (self.log.last(), contents(&self.store).collect());
            self.log_record(self.term(), || Record::Install { position, entries }, cx);
        }
        if let (Some(leader), Tail::Merge) = (leader, self.config.failover.tail) {
            let entries = cut.iter().map(|cut| cut.entry).collect();
            cx.send(leader, Message::Offer { term: self.term(), entries });
        }
    }

    /// Makes the store what the log says.
    fn rebuild(&mut self) {
        self.store = self.rollback.store(&self.log, self.config.rules());
    }

    /// Follower: the whole state at a position, in place of what it has.
    pub(super) fn take_install(
        &mut self,
        from: NodeId,
        (position, state): (Position, &Installed),
        cx: &mut Context<'_, Self>,
    ) {
        let Installed { entries, seen } = state;
        if !self.is_overtaken(position) && !self.log.has(position) {
            let record = || Record::Install { position, entries: entries.to_vec() };
            self.log_record(self.term(), record, cx);
            let mut store = Store::default();
            for entry in entries {
                apply(&mut store, *entry, Rules::RESTORE);
            }
            self.replace_store(store.clone(), cx);
            self.log = ReplicatedLog::from_base(position);
            self.rollback = Rollback::from_base(store);
            self.early.clear();
            if seen.is_some_and(|seen| self.stamps.see(seen)) {
                self.log_stamps(cx);
            }
            self.pass_on(cx);
        }
        self.acknowledge_log_once_durable(from, position.index, cx);
    }

    /// Whether what a leader said of `position` came late: this node has a state of a later one, and an entry of the
    /// leader's own term, so all that the leader had before that.
    fn is_overtaken(&self, position: Position) -> bool {
        let mine = self.log.last();
        mine.term == self.term()
            && position.index <= mine.index
            && self.log.at(position.index).is_none()
    }

    /// Leader: a follower has everything up to `index`.
    pub(super) fn appended(&mut self, from: NodeId, index: LogIndex, cx: &mut Context<'_, Self>) {
        if !self.leads() {
            return;
        }
        let (last, now) = (self.log.last().index, cx.monotonic());
        let progress = self.leading.followers.of_mut(from);
        let new = progress.acknowledge(index);
        if progress.is_caught_up(last, now) {
            self.caught_up(from, cx);
        }
        if let Some(new) = new {
            self.count_acknowledged_entries(from, new, cx);
        }
    }

    /// Leader: a follower lacks what came before the entries that it was sent.
    pub(super) fn behind(
        &mut self,
        from: NodeId,
        last: Option<Position>,
        cx: &mut Context<'_, Self>,
    ) {
        if !self.leads() {
            return;
        }
        let Some(common) = last.and_then(|last| self.log.last_up_to(last)) else {
            return self.install(from, cx);
        };
        self.leading.followers.of_mut(from).send_from(common.index);
        self.ship(from, cx);
    }

    /// Follower: the leader's log ends at `last`. What this one has of earlier terms behind that is in no log that
    /// the leader will ever have.
    pub(super) fn compare_log(
        &mut self,
        leader: NodeId,
        last: Position,
        cx: &mut Context<'_, Self>,
    ) {
        if self.is_overtaken(last) {
            return;
        }
        if self.log.last() == last {
            // Who is in sync says so, or an idle cluster would look like one whose followers are gone.
            if let Mode::InSync { .. } = self.config.mode {
                self.acknowledge_log_once_durable(leader, last.index, cx);
            }
            return;
        }
        if self.log.has(last) {
            let next = self.log.at(last.index.next());
            if next.is_some_and(|next| next.term < self.term()) && !self.cannot_write(cx) {
                self.cut_log(last.index, Some(leader), cx);
                self.acknowledge_log_once_durable(leader, last.index, cx);
            }
            return;
        }
        let last = self.log.last_up_to(last);
        cx.send(leader, Message::Behind { term: self.term(), last });
    }

    /// At boot: an entry of the log is read back.
    pub(super) fn recover_entry(&mut self, entry: LogEntry, cx: &mut Context<'_, Self>) {
        self.ballot.was_in(entry.term);
        self.log.push(entry);
        self.apply_observed(entry.entry, cx);
    }

    /// At boot: the log was cut.
    pub(super) fn recover_cut(&mut self, behind: LogIndex) {
        self.log.cut(behind);
        self.rollback.cut(behind);
        self.rebuild();
    }

    /// At boot: a state was installed.
    pub(super) fn recover_install(&mut self, position: Position, entries: &[Entry]) {
        self.ballot.was_in(position.term);
        let mut store = Store::default();
        for entry in entries {
            apply(&mut store, *entry, Rules::RESTORE);
            self.note(entry.stored.version);
        }
        self.store.clone_from(&store);
        self.log = ReplicatedLog::from_base(position);
        self.rollback = Rollback::from_base(store);
    }
}
