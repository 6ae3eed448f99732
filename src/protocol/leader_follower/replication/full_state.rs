//! Full states: what a leader sends a follower that was away, and what becomes of what that one
//! had.

use std::sync::Arc;

use crate::id::{NodeId, Version};
use crate::protocol::leader_follower::config::{FullStateIs, Shipping, Tail};
use crate::protocol::leader_follower::message::{FullState, Message, StateOrder};
use crate::protocol::leader_follower::storage::{Deferred, Record};
use crate::protocol::leader_follower::write::Payload;
use crate::protocol::leader_follower::{Cx, LeaderFollower, Timer};
use crate::protocol::parts::entry::{Rules, StoredEntry, apply, contents, store_of, would_change};
use crate::protocol::parts::store::Store;

use super::registers::Previous;

impl LeaderFollower {
    /// Leader: sends everybody everything.
    pub(crate) fn share_state(&mut self, cx: &mut Cx<'_>) {
        if !self.leads() {
            return;
        }
        let state = self.state_message(cx);
        for follower in cx.peers() {
            cx.send(follower, state.clone());
        }
    }

    /// Leader: a follower asks for everything.
    pub(crate) fn admit_follower(&mut self, from: NodeId, cx: &mut Cx<'_>) {
        if self.leads() {
            let state = self.state_message(cx);
            cx.send(from, state);
        }
    }

    /// The stamp need not be durable: a leader that forgets it leads in another term, in which no
    /// acknowledgement of this state counts.
    fn state_message(&mut self, cx: &Cx<'_>) -> Message {
        let version = self.replica.stamp(cx);
        Message::State { term: self.term(), version, state: self.full_state() }
    }

    /// Everything that the leader stores.
    pub(crate) fn full_state(&self) -> Arc<FullState> {
        let entries = contents(&self.replica.store).collect();
        Arc::new(FullState { incarnation: self.leading.incarnation, entries })
    }

    /// Leader: sends a write that no client waits for.
    pub(crate) fn replicate_unsolicited(&mut self, entry: StoredEntry, cx: &mut Cx<'_>) {
        if !self.leads() {
            return;
        }
        match self.replica.config.replication {
            Shipping::Entry => {
                let (version, index) = (entry.stored.version, self.replication.last().index);
                self.send_to_all(version, &Payload::One(entry), index, cx);
            }
            Shipping::FullState => self.share_state(cx),
        }
    }

    /// After a restart the leader has forgotten what followers acknowledged, so everything in its
    /// log counts as unacknowledged.
    pub(crate) fn replicate_all(&mut self, cx: &mut Cx<'_>) {
        let Some(interval) = self.replica.config.resend else { return };
        let oldest_awaited = self.leading.oldest_awaited();
        let registers = self.replication.registers();
        match self.replica.config.replication {
            Shipping::Entry => {
                for entry in contents(&self.replica.store) {
                    let (version, payload) = (entry.stored.version, Payload::One(entry));
                    registers.expect(version, &payload, oldest_awaited, interval, cx);
                }
            }
            Shipping::FullState if self.replica.cannot_write(cx) => {
                registers.owes_state = true;
                cx.set_timer(Timer::Resend, interval);
            }
            Shipping::FullState => {
                let version = self.replica.stamp_apart(cx);
                let state = self.full_state();
                self.once_durable(Deferred::ResendState { version, state }, cx);
            }
        }
    }

    /// The number of the state is durable: sends it to followers until they acknowledge it.
    pub(crate) fn resend_state(
        &mut self,
        version: Version,
        state: Arc<FullState>,
        cx: &mut Cx<'_>,
    ) {
        let Some(interval) = self.replica.config.resend.filter(|_| self.leads()) else { return };
        let (payload, oldest_awaited) = (Payload::State(state), self.leading.oldest_awaited());
        self.replication.registers().expect(version, &payload, oldest_awaited, interval, cx);
    }

    /// Time to send again what followers have not acknowledged.
    pub(crate) fn resend(&mut self, cx: &mut Cx<'_>) {
        let interval = self.replica.config.resend.expect("the timer runs where resending is on");
        if std::mem::take(&mut self.replication.registers().owes_state) {
            self.replicate_all(cx);
        }
        let term = self.term();
        self.replication.registers().resend(interval, term, cx);
    }

    /// Puts the leader's state, which has this place among all, in the place of this follower's, or
    /// merges it, unless a later one has come before it. `timestamp` is that of the write that the
    /// state follows.
    pub(crate) fn take_state(
        &mut self,
        order: StateOrder,
        timestamp: i64,
        entries: &[StoredEntry],
        cx: &mut Cx<'_>,
    ) {
        let config = self.replica.config;
        let registers = self.replication.registers();
        let Some(previous) = registers.take_state(order, config.failover.fencing) else { return };
        let mut store = store_of(entries, config.rules());
        if config.full_state == FullStateIs::Merged {
            self.keep_what_it_lacks(&mut store);
        }
        if config.replication == Shipping::Entry {
            self.keep_what_came_after(order, timestamp, previous, &mut store);
        }
        let is_first = config.failover.is_on() && self.replication.registers().joins();
        if is_first && config.failover.tail == Tail::Merge {
            self.merge_into(order.leader, &mut store, cx);
        }
        let record = || Record::State { order, entries: contents(&store).collect() };
        self.replica.log_record(order.term, record, cx);
        self.replica.replace_store(store, cx);
    }

    /// At boot: a full state is read back, and taken as it was.
    pub(crate) fn restore_state(
        &mut self,
        order: StateOrder,
        entries: &[StoredEntry],
        cx: &mut Cx<'_>,
    ) {
        self.replica.ballot.was_in(order.term);
        let fencing = self.replica.config.failover.fencing;
        if self.replication.registers().take_state(order, fencing).is_some() {
            self.replica.replace_store(store_of(entries, Rules::RESTORE), cx);
        }
    }

    /// A state that is merged says nothing of keys that it lacks: they stay, even if they were
    /// erased.
    fn keep_what_it_lacks(&self, store: &mut Store) {
        let is_lacking = |entry: &StoredEntry| store.stored(entry.key).is_none();
        let kept: Vec<StoredEntry> = contents(&self.replica.store).filter(is_lacking).collect();
        for entry in kept {
            apply(store, entry, Rules::RESTORE);
        }
    }

    /// Writes that the leader stamped after the state may have overtaken it on the way. A leader
    /// without a log counts anew in each incarnation, so against the first state of one its stamps
    /// have to be later too.
    fn keep_what_came_after(
        &self,
        order: StateOrder,
        timestamp: i64,
        previous: Previous,
        store: &mut Store,
    ) {
        for entry in contents(&self.replica.store) {
            let version = entry.stored.version;
            let is_later = match previous {
                Previous::SameIncarnation => true,
                Previous::Other => version.timestamp >= timestamp,
            };
            if version.node == order.leader && version.sequence > order.sequence && is_later {
                apply(store, entry, self.replica.config.rules());
            }
        }
    }

    /// Keeps what this node has and the leader's state lacks, and offers it to the leader.
    fn merge_into(&self, leader: NodeId, store: &mut Store, cx: &mut Cx<'_>) {
        let rules = self.replica.config.rules();
        let is_newer = |entry: &StoredEntry| would_change(store, entry, rules);
        let entries: Arc<[StoredEntry]> = contents(&self.replica.store).filter(is_newer).collect();
        if entries.is_empty() {
            return;
        }
        for entry in &*entries {
            apply(store, *entry, rules);
        }
        cx.send(leader, Message::Offer { term: self.term(), entries });
    }
}
