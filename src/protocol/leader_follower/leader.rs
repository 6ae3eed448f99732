//! The leader's side: accept a write, replicate it, count acknowledgements, answer.

use std::sync::Arc;

use crate::history::Failure;
use crate::id::{KeyId, LogIndex, NodeId, NodeSet, Value, Version};
use crate::operation::Operation;
use crate::protocol::parts::entry::StoredEntry;
use crate::protocol::{Mismatch, Observation, Outcome, Reply, RequestId, Response, Stored};

use super::config::{Config, Mode, OnAckTimeout, Shipping};
use super::replication::Replication;
use super::storage::Deferred;
use super::write::{AcceptedWrite, Payload, Pending};
use super::{Cx, LeaderFollower, Timer};

/// What a write is answered that too few have acknowledged: how many, of how many.
fn too_few(config: &Config, response: Response, acknowledgements: (u16, u16)) -> Reply {
    let (outcome, degraded) = match config.on_ack_timeout {
        OnAckTimeout::Succeed => (Outcome::Ok(response), true),
        OnAckTimeout::Fail => (Outcome::Unknown(Failure::TooFewAcknowledgements), false),
    };
    Reply { outcome, degraded, acknowledgements: Some(acknowledgements), leader: None }
}

impl LeaderFollower {
    /// A client's write reaches the leader.
    pub(super) fn lead_write(&mut self, request: RequestId, operation: Operation, cx: &mut Cx<'_>) {
        if self.too_few_in_sync() {
            return cx.reply(request, Reply::of(Outcome::Refused(Failure::TooFewInSync)));
        }
        match operation {
            Operation::Put { key, value, quorum } => {
                self.lead_register(request, key, Some(value), quorum, cx);
            }
            Operation::Delete { key, quorum } => self.lead_register(request, key, None, quorum, cx),
            Operation::Clear => self.lead_clear(request, cx),
            Operation::Append { key, value, quorum } => {
                self.lead_append(request, key, value, quorum, cx);
            }
            Operation::Cas { key, from, to } => self.lead_cas(request, (key, from), to, cx),
            Operation::Batch(batch) => self.lead_batch(request, batch, cx),
            Operation::Get { .. } | Operation::List | Operation::ReadAll => {
                unreachable!("reads are answered by whoever is asked")
            }
        }
    }

    /// A put, or a delete.
    fn lead_register(
        &mut self,
        request: RequestId,
        key: KeyId,
        value: Option<Value>,
        quorum: Option<u16>,
        cx: &mut Cx<'_>,
    ) {
        let (stored, existed) = self.accept(request, key, value, cx);
        let version = stored.version;
        let existed = value.is_none().then_some(existed);
        let response = Response::Written { version, existed };
        let payload = Payload::One(StoredEntry::register(key, stored));
        self.commit(self.accepted(request, version, payload, response, quorum), cx);
    }

    /// A put where the leader's own copy of the key holds what the client expects.
    fn lead_cas(
        &mut self,
        request: RequestId,
        (key, from): (KeyId, Option<Value>),
        to: Value,
        cx: &mut Cx<'_>,
    ) {
        let held = self.replica.store.get(key).map(|(value, _)| value);
        if held == from {
            return self.lead_register(request, key, Some(to), None, cx);
        }
        let mismatch = Mismatch { part: 0, found: Some(self.found(key)) };
        cx.reply(request, Reply::of(Outcome::Mismatch(Box::new(mismatch))));
    }

    /// A delete of every key.
    fn lead_clear(&mut self, request: RequestId, cx: &mut Cx<'_>) {
        let items = self.replica.store.items(false);
        let mut entry = |key| StoredEntry::register(key, self.accept(request, key, None, cx).0);
        let entries: Arc<[StoredEntry]> = items.iter().map(|item| entry(item.key)).collect();
        // The last delete names the clear; one of nothing is stamped all the same.
        let last = entries.last().map(|entry| entry.stored.version);
        let version = last.unwrap_or_else(|| self.replica.stamp_apart(cx));
        let payload = Payload::Many(entries);
        self.commit(self.accepted(request, version, payload, Response::Cleared, None), cx);
    }

    /// An element for a list; with `deduplicate` one that the list has is not added again.
    fn lead_append(
        &mut self,
        request: RequestId,
        key: KeyId,
        value: Value,
        quorum: Option<u16>,
        cx: &mut Cx<'_>,
    ) {
        let known = self.known_element(key, value);
        if let Some((_, version)) = known {
            // While the first attempt waits, its answer goes to this one: the client has given the
            // first up.
            let waits = |pending: &&mut Pending| !pending.answered && !pending.is_of_batch();
            if let Some(pending) = self.leading.find(version).filter(waits) {
                pending.request = request;
                return;
            }
            // If a batch waits, it may have brought the element: this one then waits by itself.
            if !self.replication.appends_again() && !self.leading.awaits_batch() {
                return self.once_durable(Deferred::Repeated(request, version), cx);
            }
        }
        let stamp = match known {
            Some(_) => self.replica.stamp_apart(cx),
            None => self.replica.stamp(cx),
        };
        if known.is_none() {
            let over = self.replica.store.get(key).map(|(value, _)| value).into();
            cx.observe(Observation::Accept { request, key, version: stamp, over });
        }
        // A retried append is appended to the log again: followers may not have the first copy. The
        // store ignores the duplicate element.
        let element = known.map_or(stamp, |(_, version)| version);
        let entry = StoredEntry::element(key, Stored { value: Some(value), version: element });
        self.write(entry, cx);
        let payload = match known {
            None => Payload::One(entry),
            // What is acknowledged is the stamp, and not the element's version.
            Some(_) => Payload::Many([entry].into()),
        };
        let response = Response::Written { version: element, existed: None };
        self.commit(self.accepted(request, stamp, payload, response, quorum), cx);
    }

    /// Answers an append that was accepted before and answered, to a client that did not learn of
    /// it. The leader has forgotten how many followers acknowledged it, so the answer is marked
    /// degraded where a quorum was required.
    pub(super) fn answer_repeated(&self, request: RequestId, version: Version, cx: &mut Cx<'_>) {
        let degraded = self.replica.config.mode.quorum(cx.nodes() - 1) > 0;
        let response = Response::Written { version, existed: None };
        cx.reply(request, Reply { degraded, ..Reply::of(Outcome::Ok(response)) });
    }

    /// Stamps a write and applies it here; whether the key existed before.
    ///
    /// Last write wins even on the leader: after its clock went back, a write that it accepts and
    /// answers can be older than what the key holds, and is dropped. That is how such stores lose
    /// writes.
    fn accept(
        &mut self,
        request: RequestId,
        key: KeyId,
        value: Option<Value>,
        cx: &mut Cx<'_>,
    ) -> (Stored, bool) {
        let version = self.replica.stamp(cx);
        let stored = Stored { value, version };
        let held = self.replica.store.get(key).map(|(value, _)| value);
        cx.observe(Observation::Accept { request, key, version, over: held.into() });
        let existed = held.is_some();
        self.write(StoredEntry::register(key, stored), cx);
        (stored, existed)
    }

    /// A write that this leader has taken into its store or its log.
    #[inline]
    pub(super) fn accepted(
        &self,
        request: RequestId,
        version: Version,
        payload: Payload,
        response: Response,
        quorum: Option<u16>,
    ) -> AcceptedWrite {
        let followers = self.replica.nodes - 1;
        let wanted = quorum.unwrap_or_else(|| self.replica.config.mode.quorum(followers));
        let (term, index) = (self.term(), self.replication.last().index);
        AcceptedWrite { term, index, request, version, payload, response, wanted }
    }

    /// An accepted write goes on to the followers once its record is durable; at once without a
    /// log.
    #[inline]
    pub(super) fn commit(&mut self, mut accepted: AcceptedWrite, cx: &mut Cx<'_>) {
        if self.replica.config.replication == Shipping::FullState {
            accepted.payload = Payload::State(self.full_state());
        }
        if self.need_not_wait(cx) {
            self.replicate(accepted, cx);
        } else {
            self.once_durable(Deferred::Replicate(Box::new(accepted)), cx);
        }
    }

    /// Sends an accepted write to every follower at once, and answers it or waits for
    /// acknowledgements.
    #[inline]
    pub(super) fn replicate(&mut self, accepted: AcceptedWrite, cx: &mut Cx<'_>) {
        let AcceptedWrite { term, index, request, version, payload, response, wanted } = accepted;
        if !self.leads() || term != self.term() {
            // It was deposed while the record was on its way to the disk.
            return cx.reply(request, Reply::of(Outcome::Unknown(Failure::SteppedDown)));
        }
        self.send_to_all(version, &payload, index, cx);
        if wanted == 0 && !matches!(self.replica.config.mode, Mode::InSync { .. }) {
            let acknowledgements = Some((0, cx.nodes() - 1));
            cx.reply(request, Reply { acknowledgements, ..Reply::of(Outcome::Ok(response)) });
            return;
        }
        let ack_timeout = self.replica.config.ack_timeout;
        if self.leading.unanswered.is_empty() {
            cx.set_timer(Timer::AckTimeout, ack_timeout);
        }
        self.leading.unanswered.push_back(Pending {
            version,
            index,
            request,
            response,
            deadline: cx.monotonic() + ack_timeout,
            wanted,
            acknowledged: NodeSet::EMPTY,
            acknowledgements: 0,
            answered: false,
        });
        self.count_early_acknowledgements(version, index, cx);
    }

    /// A state that the leader installed may have brought a follower a write before it was durable
    /// here, and so before anybody waited for acknowledgements.
    #[inline]
    fn count_early_acknowledgements(&mut self, version: Version, index: LogIndex, cx: &mut Cx<'_>) {
        let log = match &self.replication {
            Replication::Registers(_) => return,
            Replication::Log(log) => log,
        };
        if let Mode::InSync { .. } = self.replica.config.mode {
            return self.answer_in_sync(cx);
        }
        let has_it = |follower: &NodeId| log.followers().of(*follower).matched() >= index;
        let early: Vec<NodeId> = cx.peers().filter(has_it).collect();
        for follower in early {
            self.count_acknowledgement(follower, version, cx);
        }
    }

    /// Answers the writes that still wait: their outcome is unknown.
    pub(super) fn give_up_all(&mut self, cx: &mut Cx<'_>) {
        let followers = cx.nodes() - 1;
        for pending in std::mem::take(&mut self.leading.unanswered) {
            if !pending.answered {
                let acknowledgements = Some((pending.acknowledgements, followers));
                let outcome = Outcome::Unknown(Failure::SteppedDown);
                cx.reply(pending.request, Reply { acknowledgements, ..Reply::of(outcome) });
            }
        }
        self.leading.refusals.clear();
        cx.cancel_timer(Timer::AckTimeout);
        cx.cancel_timer(Timer::Resend);
    }

    /// A follower acknowledges a write.
    pub(super) fn acknowledged(&mut self, from: NodeId, version: Version, cx: &mut Cx<'_>) {
        if !self.leads() {
            return;
        }
        if self.replica.config.resend.is_some() {
            for older in self.replication.registers().acknowledge(from, version) {
                self.count_acknowledgement(from, older, cx);
            }
        }
        self.count_acknowledgement(from, version, cx);
    }

    /// One more follower has a write, or what has replaced it there: its client may have waited for
    /// that.
    #[inline]
    fn count_acknowledgement(&mut self, from: NodeId, version: Version, cx: &mut Cx<'_>) {
        let Some(pending) = self.leading.find(version) else { return };
        if pending.answered || !pending.acknowledged.insert(from) {
            return;
        }
        pending.acknowledgements += 1;
        if pending.acknowledgements < pending.wanted {
            if !self.leading.refusals.is_empty() {
                self.give_up_if_hopeless(version, cx);
            }
            return;
        }
        pending.answered = true;
        let reply = Reply {
            acknowledgements: Some((pending.acknowledgements, cx.nodes() - 1)),
            ..Reply::of(Outcome::Ok(std::mem::replace(&mut pending.response, Response::Cleared)))
        };
        cx.reply(pending.request, reply);
        self.drop_answered(cx);
    }

    /// A follower has everything up to an index: the writes among that which it had not
    /// acknowledged before.
    pub(super) fn count_acknowledged_entries(
        &mut self,
        from: NodeId,
        known: LogIndex,
        index: LogIndex,
        cx: &mut Cx<'_>,
    ) {
        if let Mode::InSync { .. } = self.replica.config.mode {
            return self.answer_in_sync(cx);
        }
        for version in self.leading.between(known, index) {
            self.count_acknowledgement(from, version, cx);
        }
    }

    /// Answers the writes that every follower of the in-sync set has.
    pub(super) fn answer_in_sync(&mut self, cx: &mut Cx<'_>) {
        let Some(set) = self.in_sync.shared() else { unreachable!("mode in-sync has a set") };
        let me = self.replica.me;
        let others = || set.nodes.iter().filter(|node| **node != me);
        let followers = self.replication.log().followers();
        let matched = others().map(|node| followers.of(*node).matched());
        let index = matched.min().unwrap_or(LogIndex(u64::MAX));
        let acknowledgements = u16::try_from(others().count()).expect("as many as there are nodes");
        while let Some(pending) =
            self.leading.unanswered.pop_front_if(|pending| pending.index <= index)
        {
            if !pending.answered {
                let acknowledgements = Some((acknowledgements, cx.nodes() - 1));
                let ok = Reply::of(Outcome::Ok(pending.response));
                cx.reply(pending.request, Reply { acknowledgements, ..ok });
            }
        }
        self.drop_answered(cx);
    }

    /// Drops the answered writes at the front; stops the timer when none is left.
    fn drop_answered(&mut self, cx: &mut Cx<'_>) {
        let unanswered = &mut self.leading.unanswered;
        while unanswered.front().is_some_and(|pending| pending.answered) {
            unanswered.pop_front();
        }
        if unanswered.is_empty() {
            cx.cancel_timer(Timer::AckTimeout);
            self.leading.refusals.clear();
        }
    }

    /// A write of its own has come back from a follower whose process is not there: that one is not
    /// waited for.
    pub(super) fn refused_by(&mut self, follower: NodeId, version: Version, cx: &mut Cx<'_>) {
        if self.leading.find(version).is_some_and(|pending| !pending.answered) {
            self.leading.refusals.entry(version).or_default().insert(follower);
            self.give_up_if_hopeless(version, cx);
        }
    }

    /// The same of what a log has behind an index, up to another.
    pub(super) fn entries_refused_by(
        &mut self,
        follower: NodeId,
        behind: LogIndex,
        until: LogIndex,
        cx: &mut Cx<'_>,
    ) {
        for version in self.leading.between(behind, until) {
            self.refused_by(follower, version, cx);
        }
    }

    /// Answers a write as if it had waited long enough, when every follower has either acknowledged
    /// it or is not there. Who hangs may still acknowledge it, so that is waited for. A write that
    /// is sent again later may still get there: its client does not wait for that.
    #[cold]
    fn give_up_if_hopeless(&mut self, version: Version, cx: &mut Cx<'_>) {
        if let Mode::InSync { .. } = self.replica.config.mode {
            // Its writes wait for the set, which a follower leaves by being silent for long enough.
            return;
        }
        let (config, followers) = (self.replica.config, cx.nodes() - 1);
        let Some(refused) = self.leading.refusals.get(&version).cloned() else { return };
        let Some(pending) = self.leading.find(version).filter(|pending| !pending.answered) else {
            return;
        };
        let spoke = |node: &NodeId| refused.contains(*node) || pending.acknowledged.contains(*node);
        if !cx.peers().all(|node| spoke(&node)) {
            return;
        }
        pending.answered = true;
        let response = std::mem::replace(&mut pending.response, Response::Cleared);
        let (request, acknowledgements) = (pending.request, pending.acknowledgements);
        cx.reply(request, too_few(&config, response, (acknowledgements, followers)));
        self.leading.refusals.remove(&version);
        self.drop_answered(cx);
    }

    /// The oldest write may have waited long enough. All wait equally long, so one timer serves
    /// them all.
    pub(super) fn ack_timeout(&mut self, cx: &mut Cx<'_>) {
        let (now, followers) = (cx.monotonic(), cx.nodes() - 1);
        let is_over = |pending: &mut Pending| pending.answered || pending.deadline <= now;
        while let Some(pending) = self.leading.unanswered.pop_front_if(is_over) {
            if !pending.answered {
                let acknowledgements = (pending.acknowledgements, followers);
                let reply = too_few(&self.replica.config, pending.response, acknowledgements);
                cx.reply(pending.request, reply);
            }
        }
        if let Some(oldest) = self.leading.unanswered.front() {
            cx.set_timer(Timer::AckTimeout, oldest.deadline.since(now));
        }
    }
}
