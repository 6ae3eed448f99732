//! Catch-up by full state: what a leader sends a follower that was away, and what becomes of what that one had.

use std::sync::Arc;

use crate::id::NodeId;
use crate::protocol::parts::entry::{Entry, Rules, apply, contents, would_change};
use crate::protocol::parts::store::Store;
use crate::protocol::{Context, DiscardReason, Observation, Stored};

use super::LeaderFollower;
use super::accepted::Payload;
use super::config::{FullStateIs, Replication, Tail};
use super::message::{LogEntry, Message, StateOrder};
use super::storage::{Deferred, Record};

impl LeaderFollower {
    /// Leader: sends everybody everything.
    pub(super) fn share_state(&mut self, cx: &mut Context<'_, Self>) {
        if !self.leads() {
            return;
        }
        let state = self.state(cx);
        for follower in cx.peers() {
            cx.send(follower, state.clone());
        }
    }

    /// Leader: a follower asks for everything.
    pub(super) fn admit_follower(&mut self, from: NodeId, cx: &mut Context<'_, Self>) {
        if self.leads() {
            let state = self.state(cx);
            cx.send(from, state);
        }
    }

    /// A leader that forgets this stamp leads in another term, where no answer to the state counts.
    fn state(&mut self, cx: &Context<'_, Self>) -> Message {
        let version = self.stamp(cx);
        Message::State { term: self.term(), version, state: self.full_state() }
    }

    /// Puts the leader's state in the place of this follower's, or merges it, unless a later one has come before it.
    pub(super) fn take_state(
        &mut self,
        from: NodeId,
        (order, timestamp): (StateOrder, i64),
        entries: &[Entry],
        cx: &mut Context<'_, Self>,
    ) {
        if self.last_state.is_some_and(|last| last.outdates(order, self.config.failover.fencing)) {
            return;
        }
        let known_incarnation =
            self.last_state.is_some_and(|last| last.incarnation == order.incarnation);
        self.last_state = Some(order);
        let mut store = Store::default();
        // What is read back at boot is taken as it was.
        let rules = if from == self.me { Rules::RESTORE } else { self.config.rules() };
        for entry in entries {
            apply(&mut store, *entry, rules);
        }
        // What is read back at boot was merged before it was written.
        if self.config.full_state == FullStateIs::Merged && from != self.me {
            self.keep_what_it_lacks(&mut store);
        }
        self.keep_what_came_after(from, (order.sequence, timestamp, known_incarnation), &mut store);
        if self.config.failover.is_on() && !self.joined && from != self.me {
            self.joined = true;
            if self.config.failover.tail == Tail::Merge {
                self.merge_into(from, &mut store, cx);
            }
        }
        self.log_record(
            order.term,
            || Record::State { order, entries: contents(&store).collect() },
            cx,
        );
        self.replace_store(store, cx);
    }

    /// A state that is merged says nothing of keys that it lacks: they stay, be it that they were erased.
    fn keep_what_it_lacks(&self, store: &mut Store) {
        let is_lacking = |entry: &Entry| store.stored(entry.key).is_none();
        let kept: Vec<Entry> = contents(&self.store).filter(is_lacking).collect();
        for entry in kept {
            apply(store, entry, Rules::RESTORE);
        }
    }

    /// Writes that the leader stamped after the state may have overtaken it on the way. A leader without a log counts
    /// anew in each incarnation, so against the first state of one its stamps have to be later too.
    fn keep_what_came_after(
        &self,
        leader: NodeId,
        (sequence, timestamp, known_incarnation): (u32, i64, bool),
        store: &mut Store,
    ) {
        // What is read back at boot comes from this node itself, and was in order when it was written.
        if self.config.replication == Replication::FullState || leader == self.me {
            return;
        }
        for entry in contents(&self.store) {
            let version = entry.stored.version;
            let is_later = known_incarnation || version.timestamp >= timestamp;
            if version.node == leader && version.sequence > sequence && is_later {
                apply(store, entry, self.config.rules());
            }
        }
    }

    /// Keeps what this node has and the leader's state lacks, and offers it to the leader.
    fn merge_into(&self, leader: NodeId, store: &mut Store, cx: &mut Context<'_, Self>) {
        let is_newer = |entry: &Entry| would_change(store, entry, self.config.rules());
        let entries: Arc<[Entry]> = contents(&self.store).filter(is_newer).collect();
        if entries.is_empty() {
            return;
        }
        for entry in &*entries {
            apply(store, *entry, self.config.rules());
        }
        cx.send(leader, Message::Offer { term: self.term(), entries });
    }

    /// Puts `store` in the place of this node's, and says what that changes.
    pub(super) fn replace_store(&mut self, store: Store, cx: &mut Context<'_, Self>) {
        let before = std::mem::replace(&mut self.store, store);
        self.bury_all(cx);
        for Entry { stored: Stored { version, .. }, .. } in contents(&self.store) {
            self.stamps.note(version, self.me);
        }
        for (key, stored) in self.store.iter() {
            if before.stored(key) != Some(stored) {
                cx.observe(Observation::Apply { key, stored });
            }
        }
        for (key, element) in before.all_elements().chain(self.store.all_elements()) {
            match (before.has_element(key, element), self.store.has_element(key, element)) {
                (false, true) => cx.observe(Observation::Apply { key, stored: element }),
                (true, false) => {
                    let reason = DiscardReason::Replaced;
                    cx.observe(Observation::Discard { key, stored: element, reason });
                }
                (true, true) | (false, false) => {}
            }
        }
        for (key, held) in before.iter() {
            let is_gone = |now: Stored| {
                now.version < held.version || now.version == held.version && now != held
            };
            if self.store.stored(key).is_none_or(is_gone) {
                let reason = DiscardReason::Replaced;
                cx.observe(Observation::Discard { key, stored: held, reason });
            }
        }
    }

    /// Leader: a follower has writes that the leader's state or log lacked; those that win are replicated.
    pub(super) fn take_offer(&mut self, entries: &[Entry], cx: &mut Context<'_, Self>) {
        if !self.leads() {
            return;
        }
        for entry in entries.iter().copied() {
            if !would_change(&self.store, &entry, self.config.rules()) {
                self.note_apart(entry.stored.version, cx);
                continue;
            }
            if self.config.failover.is_ordered() {
                self.append(LogEntry { term: self.term(), entry }, cx);
            } else {
                self.apply_and_log(entry, cx);
                self.once_durable(Deferred::ReplicateUnsolicited(entry), cx);
            }
        }
        if self.config.failover.is_ordered() {
            let (term, index) = (self.term(), self.log.last().index);
            self.once_durable(Deferred::ShareLog { term, index }, cx);
        }
    }

    /// Leader: sends a write that no client waits for.
    pub(super) fn replicate_unsolicited(&mut self, entry: Entry, cx: &mut Context<'_, Self>) {
        if !self.leads() {
            return;
        }
        let version = entry.stored.version;
        let payload = match self.config.replication {
            Replication::Entry => Payload::One(entry),
            Replication::FullState => return self.share_state(cx),
        };
        self.send_payload(version, &payload, cx);
    }
}
