//! The leader's side: accept a write, replicate it, count acknowledgements, answer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::history::Failure;
use crate::id::{KeyId, LogIndex, NodeId, NodeSet, Value, Version};
use crate::operation::Operation;
use crate::protocol::parts::entry::{Entry, contents};
use crate::protocol::parts::progress::{Acknowledged, Followers};
use crate::protocol::{Context, Observation, Outcome, Reply, RequestId, Response, Stored};
use crate::time::{Span, Time};

use super::accepted::{Accepted, Payload};
use super::config::{Config, Mode, OnAckTimeout, Replication};
use super::message::{FullState, LogEntry};
use super::resend::Unacknowledged;
use super::storage::Deferred;
use super::{LeaderFollower, Timer};

/// What only a leader keeps.
#[derive(Debug, Default)]
pub(super) struct Leading {
    /// When this incarnation of the node began, on its monotonic clock.
    incarnation: Time,
    /// Writes not yet answered, the oldest first: the sequences of their versions rise.
    unanswered: VecDeque<Pending>,
    /// Of unanswered writes that came back: from which followers.
    refusals: BTreeMap<Version, NodeSet>,
    /// With resending: what each follower has not acknowledged.
    unacknowledged: Unacknowledged,
    /// With an ordered log: how far each follower is.
    pub(super) followers: Followers,
    /// With an ordered log: up to which index entries may be sent.
    pub(super) released: LogIndex,
    /// With resending: whether everybody is to have the state, once the disk has room for its number.
    owes_state: bool,
}

/// A write that its client waits for.
#[derive(Debug)]
struct Pending {
    version: Version,
    /// Its place in the log, where there is one.
    index: LogIndex,
    request: RequestId,
    response: Response,
    deadline: Time,
    wanted: u16,
    acknowledged: NodeSet,
    confirmations: u16,
    answered: bool,
}

impl Leading {
    /// A node that has just booted.
    pub(super) fn boot(incarnation: Time) -> Self {
        Self { incarnation, ..Self::default() }
    }

    /// The unanswered write of this version. Timestamps may go back; sequences rise, nearly always by one.
    #[inline]
    fn find(&mut self, version: Version) -> Option<&mut Pending> {
        let first = self.unanswered.front()?.version.sequence;
        let guess = version.sequence.checked_sub(first)? as usize;
        let place = match self.unanswered.get(guess) {
            Some(pending) if pending.version == version => guess,
            _ => self.unanswered.partition_point(|other| other.version.sequence < version.sequence),
        };
        self.unanswered.get_mut(place).filter(|pending| pending.version == version)
    }

    /// What the leader still means to do, but for what it owes single followers.
    pub(super) fn pending(&self) -> Vec<String> {
        let mut pending = Vec::new();
        let unanswered = self.unanswered.iter().filter(|pending| !pending.answered).count();
        if unanswered > 0 {
            let what = if unanswered == 1 { "write awaits" } else { "writes await" };
            pending.push(format!("{unanswered} {what} confirmations"));
        }
        pending
    }

    /// What the leader still means to send to each follower.
    pub(super) fn owed(&self) -> Vec<(NodeId, String)> {
        let owed = |(follower, count): (NodeId, usize)| {
            let what = if count == 1 { "write is" } else { "writes are" };
            (follower, format!("{count} unconfirmed {what} to be sent to {follower} again"))
        };
        self.unacknowledged.of_each_follower().into_iter().map(owed).collect()
    }
}

/// What a write is answered that too few have acknowledged: how many, of how many.
fn too_few(config: &Config, response: Response, confirmations: (u16, u16)) -> Reply {
    let (outcome, degraded) = match config.on_ack_timeout {
        OnAckTimeout::Succeed => (Outcome::Ok(response), true),
        OnAckTimeout::Fail => (Outcome::Unknown(Failure::TooFewConfirmations), false),
    };
    Reply { outcome, degraded, confirmations: Some(confirmations), leader: None }
}

impl LeaderFollower {
    /// A client's write reaches the leader.
    pub(super) fn lead_write(
        &mut self,
        request: RequestId,
        operation: Operation,
        cx: &mut Context<'_, Self>,
    ) {
        if self.too_few_in_sync() {
            return cx.reply(request, Reply::of(Outcome::Refused(Failure::TooFewInSync)));
        }
        let followers = cx.nodes() - 1;
        let term = self.term();
        match operation {
            Operation::Put { key, value, quorum } => {
                let (stored, _) = self.accept(request, key, Some(value), cx);
                let version = stored.version;
                let response = Response::Written { version, existed: None };
                let wanted = quorum.unwrap_or(self.config.mode.quorum(followers));
                let payload = Payload::One(Entry::register(key, stored));
                let index = self.log.last().index;
                let accepted =
                    Accepted { term, index, request, version, payload, response, wanted };
                self.commit(accepted, cx);
            }
            Operation::Delete { key, quorum } => {
                let (stored, existed) = self.accept(request, key, None, cx);
                let version = stored.version;
                let response = Response::Written { version, existed: Some(existed) };
                let wanted = quorum.unwrap_or(self.config.mode.quorum(followers));
                let payload = Payload::One(Entry::register(key, stored));
                let index = self.log.last().index;
                let accepted =
                    Accepted { term, index, request, version, payload, response, wanted };
                self.commit(accepted, cx);
            }
            Operation::Clear => {
                let keys: Vec<KeyId> =
                    self.store.items(false).iter().map(|item| item.key).collect();
                let entry = |key| Entry::register(key, self.accept(request, key, None, cx).0);
                let entries: Arc<[Entry]> = keys.into_iter().map(entry).collect();
                // The last delete names the clear; one of nothing is stamped all the same.
                let last = entries.last().map(|entry| entry.stored.version);
                let version = last.unwrap_or_else(|| self.stamp_apart(cx));
                let wanted = self.config.mode.quorum(followers);
                let payload = Payload::Many(entries);
                let index = self.log.last().index;
                let response = Response::Cleared;
                let accepted =
                    Accepted { term, index, request, version, payload, response, wanted };
                self.commit(accepted, cx);
            }
            Operation::Append { key, value, quorum } => {
                let wanted = quorum.unwrap_or(self.config.mode.quorum(followers));
                self.lead_append(request, (key, value), wanted, cx);
            }
            Operation::Get { .. } | Operation::List | Operation::ReadAll => {}
        }
    }

    /// An element for a list; with `deduplicate` one that the list has is not added again.
    fn lead_append(
        &mut self,
        request: RequestId,
        (key, value): (KeyId, Value),
        wanted: u16,
        cx: &mut Context<'_, Self>,
    ) {
        let known = self.store.elements(key).iter().find(|(_, element)| *element == value);
        let known = known.copied().filter(|_| self.config.deduplicate);
        if let Some((version, _)) = known {
            // The first attempt, while it still waits, is answered as this one: its client has given it up.
            if let Some(pending) = self.leading.find(version).filter(|pending| !pending.answered) {
                pending.request = request;
                return;
            }
            if !self.config.failover.is_ordered() {
                return self.once_durable(Deferred::Repeated(request, version), cx);
            }
        }
        let stamp = if known.is_some() { self.stamp_apart(cx) } else { self.stamp(cx) };
        if known.is_none() {
            let over = self.store.get(key).map(|(value, _)| value).into();
            cx.observe(Observation::Accept { request, key, version: stamp, over });
        }
        // In one log an element that is there, but that followers may lack, or a next leader cut off, gets another
        // place, and its client waits until that is acknowledged. The list has it once all the same.
        let element = known.map_or(stamp, |(version, _)| version);
        let entry = Entry::element(key, Stored { value: Some(value), version: element });
        self.append_or_apply(entry, cx);
        let response = Response::Written { version: element, existed: None };
        let (version, payload) = (stamp, Payload::One(entry));
        let (term, index) = (self.term(), self.log.last().index);
        self.commit(Accepted { term, index, request, version, payload, response, wanted }, cx);
    }

    /// Answers an append that was accepted before and answered, to a client that did not learn of it. How many
    /// followers acknowledged it is forgotten, so where that was to be waited for the answer is marked degraded.
    pub(super) fn answer_repeated(
        &self,
        request: RequestId,
        version: Version,
        cx: &mut Context<'_, Self>,
    ) {
        let degraded = self.config.mode.quorum(cx.nodes() - 1) > 0;
        let response = Response::Written { version, existed: None };
        cx.reply(request, Reply { degraded, ..Reply::of(Outcome::Ok(response)) });
    }

    /// A write that this leader stamped goes to its log or to its store.
    #[inline]
    fn append_or_apply(&mut self, entry: Entry, cx: &mut Context<'_, Self>) {
        if self.config.failover.is_ordered() {
            self.append(LogEntry { term: self.term(), entry }, cx);
        } else if !self.apply_and_log(entry, cx) {
            // It changes nothing, and is answered: its stamp is not to be given again.
            self.log_stamps(cx);
        }
    }

    /// Stamps a write and applies it here; whether the key existed before.
    ///
    /// Last write wins even on the leader: after its clock went back, a write that it accepts and answers can be
    /// older than what the key holds, and is dropped. That is how such stores lose writes.
    fn accept(
        &mut self,
        request: RequestId,
        key: KeyId,
        value: Option<Value>,
        cx: &mut Context<'_, Self>,
    ) -> (Stored, bool) {
        let version = self.stamp(cx);
        let stored = Stored { value, version };
        let held = self.store.get(key).map(|(value, _)| value);
        cx.observe(Observation::Accept { request, key, version, over: held.into() });
        let existed = held.is_some();
        self.append_or_apply(Entry::register(key, stored), cx);
        (stored, existed)
    }

    /// An accepted write goes on to the followers once its record is durable; at once without a log.
    #[inline]
    fn commit(&mut self, mut accepted: Accepted, cx: &mut Context<'_, Self>) {
        if self.config.replication == Replication::FullState {
            accepted.payload = Payload::State(self.full_state());
        }
        if self.need_not_wait(cx) {
            self.replicate(accepted, cx);
        } else {
            self.once_durable(Deferred::Replicate(Box::new(accepted)), cx);
        }
    }

    /// Sends an accepted write to every follower at once, and answers it or waits for acknowledgements.
    #[inline]
    pub(super) fn replicate(&mut self, accepted: Accepted, cx: &mut Context<'_, Self>) {
        let Accepted { term, index, request, version, payload, response, wanted } = accepted;
        if !self.leads() || term != self.term() {
            // It was deposed while the record was on its way to the disk.
            return cx.reply(request, Reply::of(Outcome::Unknown(Failure::SteppedDown)));
        }
        if self.config.failover.is_ordered() {
            self.ship_all(index, cx);
        } else {
            self.send_payload(version, &payload, cx);
        }
        if wanted == 0 && !matches!(self.config.mode, Mode::InSync { .. }) {
            let confirmations = Some((0, cx.nodes() - 1));
            cx.reply(request, Reply { confirmations, ..Reply::of(Outcome::Ok(response)) });
            return;
        }
        let deadline = cx.monotonic() + self.config.ack_timeout;
        if self.leading.unanswered.is_empty() {
            cx.set_timer(Timer::AckTimeout, self.config.ack_timeout);
        }
        self.leading.unanswered.push_back(Pending {
            version,
            index,
            request,
            response,
            deadline,
            wanted,
            acknowledged: NodeSet::EMPTY,
            confirmations: 0,
            answered: false,
        });
        match self.config.mode {
            Mode::InSync { .. } => self.answer_in_sync(cx),
            _ if self.config.failover.is_ordered() => {
                self.count_early_acknowledgements(version, index, cx);
            }
            _ => {}
        }
    }

    /// A state that the leader installed may have brought a follower a write before it was durable here, and so before
    /// anybody waited for acknowledgements.
    fn count_early_acknowledgements(
        &mut self,
        version: Version,
        index: LogIndex,
        cx: &mut Context<'_, Self>,
    ) {
        for follower in cx.peers() {
            if self.leading.followers.of(follower).matched() >= index {
                self.count_acknowledgement(follower, version, cx);
            }
        }
    }

    /// Sends a write to every follower, and with resending remembers what they have to acknowledge.
    #[inline]
    pub(super) fn send_payload(
        &mut self,
        version: Version,
        payload: &Payload,
        cx: &mut Context<'_, Self>,
    ) {
        let term = self.term();
        for follower in cx.peers() {
            cx.send(follower, payload.message(term, version));
        }
        if let Some(interval) = self.config.resend {
            self.expect_acknowledgements(version, payload, interval, cx);
        }
    }

    /// A new leader knows nothing of what its followers have.
    pub(super) fn begin_leading(&mut self, cx: &mut Context<'_, Self>) {
        if self.config.failover.is_ordered() {
            let (last, now) = (self.log.last().index, cx.monotonic());
            self.leading.followers = Followers::unknown(self.nodes, last, now);
            self.leading.released = LogIndex(0);
        }
        self.begin_in_sync(cx);
    }

    /// Answers the writes that still wait: their outcome is unknown. Forgets what only a leader keeps.
    pub(super) fn forget_leading(&mut self, cx: &mut Context<'_, Self>) {
        let followers = cx.nodes() - 1;
        for pending in std::mem::take(&mut self.leading.unanswered) {
            if !pending.answered {
                let confirmations = Some((pending.confirmations, followers));
                let outcome = Outcome::Unknown(Failure::SteppedDown);
                cx.reply(pending.request, Reply { confirmations, ..Reply::of(outcome) });
            }
        }
        self.leading.refusals.clear();
        self.leading.unacknowledged = Unacknowledged::default();
        self.leading.owes_state = false;
        cx.cancel_timer(Timer::AckTimeout);
        cx.cancel_timer(Timer::Resend);
    }

    /// Everything the leader stores, as a full-state message carries it.
    pub(super) fn everything(&self) -> Arc<[Entry]> {
        contents(&self.store).collect()
    }

    /// The same with this incarnation of the leader.
    pub(super) fn full_state(&self) -> Arc<FullState> {
        let entries = contents(&self.store).collect();
        Arc::new(FullState { incarnation: self.leading.incarnation, entries })
    }

    /// A follower acknowledges a write.
    pub(super) fn acknowledged(
        &mut self,
        from: NodeId,
        version: Version,
        cx: &mut Context<'_, Self>,
    ) {
        if !self.leads() {
            return;
        }
        if self.config.resend.is_some() {
            for older in self.leading.unacknowledged.remove(from, version) {
                self.count_acknowledgement(from, older, cx);
            }
        }
        self.count_acknowledgement(from, version, cx);
    }

    /// One more follower has a write, or what has replaced it there: its client may have waited for that.
    #[inline]
    fn count_acknowledgement(
        &mut self,
        from: NodeId,
        version: Version,
        cx: &mut Context<'_, Self>,
    ) {
        let Some(pending) = self.leading.find(version) else { return };
        if pending.answered || !pending.acknowledged.insert(from) {
            return;
        }
        pending.confirmations += 1;
        if pending.confirmations < pending.wanted {
            if !self.leading.refusals.is_empty() {
                self.give_up_if_hopeless(version, cx);
            }
            return;
        }
        pending.answered = true;
        let reply = Reply {
            confirmations: Some((pending.confirmations, cx.nodes() - 1)),
            ..Reply::of(Outcome::Ok(std::mem::replace(&mut pending.response, Response::Cleared)))
        };
        cx.reply(pending.request, reply);
        self.drop_answered(cx);
    }

    /// A follower has everything up to an index: the writes among that which it had not acknowledged before.
    pub(super) fn count_acknowledged_entries(
        &mut self,
        from: NodeId,
        Acknowledged { known, index }: Acknowledged,
        cx: &mut Context<'_, Self>,
    ) {
        if let Mode::InSync { .. } = self.config.mode {
            return self.answer_in_sync(cx);
        }
        let unanswered = &self.leading.unanswered;
        let first = unanswered.partition_point(|pending| pending.index <= known);
        let newly = unanswered.iter().skip(first).take_while(|pending| pending.index <= index);
        let versions: Vec<Version> = newly.map(|pending| pending.version).collect();
        for version in versions {
            self.count_acknowledgement(from, version, cx);
        }
    }

    /// Answers the writes that every follower of the in-sync set has.
    pub(super) fn answer_in_sync(&mut self, cx: &mut Context<'_, Self>) {
        let Some(set) = self.in_sync.shared() else { return };
        let others = || set.nodes.iter().filter(|node| **node != self.me);
        let matched = |node: &NodeId| self.leading.followers.of(*node).matched();
        let index = others().map(matched).min().unwrap_or(LogIndex(u64::MAX));
        let confirmations = u16::try_from(others().count()).unwrap_or(u16::MAX);
        while let Some(pending) =
            self.leading.unanswered.pop_front_if(|pending| pending.index <= index)
        {
            if !pending.answered {
                let confirmations = Some((confirmations, cx.nodes() - 1));
                let ok = Reply::of(Outcome::Ok(pending.response));
                cx.reply(pending.request, Reply { confirmations, ..ok });
            }
        }
        self.drop_answered(cx);
    }

    /// Drops the answered writes at the front; stops the timer when none is left.
    fn drop_answered(&mut self, cx: &mut Context<'_, Self>) {
        let unanswered = &mut self.leading.unanswered;
        while unanswered.front().is_some_and(|pending| pending.answered) {
            unanswered.pop_front();
        }
        if unanswered.is_empty() {
            cx.cancel_timer(Timer::AckTimeout);
            self.leading.refusals.clear();
        }
    }

    /// A write of its own has come back from a follower whose process is not there: that one is not waited for.
    pub(super) fn refused_by(
        &mut self,
        follower: NodeId,
        version: Version,
        cx: &mut Context<'_, Self>,
    ) {
        if self.leading.find(version).is_some_and(|pending| !pending.answered) {
            self.leading.refusals.entry(version).or_default().insert(follower);
            self.give_up_if_hopeless(version, cx);
        }
    }

    /// The same of what a log has behind an index, up to another.
    pub(super) fn entries_refused_by(
        &mut self,
        follower: NodeId,
        (behind, until): (LogIndex, LogIndex),
        cx: &mut Context<'_, Self>,
    ) {
        let unanswered = &self.leading.unanswered;
        let first = unanswered.partition_point(|pending| pending.index <= behind);
        let refused = unanswered.iter().skip(first).take_while(|pending| pending.index <= until);
        let versions: Vec<Version> = refused.map(|pending| pending.version).collect();
        for version in versions {
            self.refused_by(follower, version, cx);
        }
    }

    /// Answers a write as if it had waited long enough, when every follower has either acknowledged it or is not there.
    /// Who hangs may still acknowledge it, so that is waited for. A write that is sent again later may still get there: its
    /// client does not wait for that.
    #[cold]
    fn give_up_if_hopeless(&mut self, version: Version, cx: &mut Context<'_, Self>) {
        if let Mode::InSync { .. } = self.config.mode {
            // Its writes wait for the set, which a follower leaves by being silent for long enough.
            return;
        }
        let (config, followers) = (self.config, cx.nodes() - 1);
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
        let (request, confirmations) = (pending.request, pending.confirmations);
        cx.reply(request, too_few(&config, response, (confirmations, followers)));
        self.leading.refusals.remove(&version);
        self.drop_answered(cx);
    }

    /// The oldest write may have waited long enough. All wait equally long, so one timer serves them all.
    pub(super) fn ack_timeout(&mut self, cx: &mut Context<'_, Self>) {
        let now = cx.monotonic();
        let followers = cx.nodes() - 1;
        while let Some(pending) = self.leading.unanswered.front()
            && (pending.answered || pending.deadline <= now)
        {
            let Some(pending) = self.leading.unanswered.pop_front() else { return };
            if pending.answered {
                continue;
            }
            let confirmations = (pending.confirmations, followers);
            cx.reply(pending.request, too_few(&self.config, pending.response, confirmations));
        }
        if let Some(oldest) = self.leading.unanswered.front() {
            cx.set_timer(Timer::AckTimeout, oldest.deadline.since(now));
        }
    }

    /// With resending: remembers what every follower has to acknowledge.
    fn expect_acknowledgements(
        &mut self,
        version: Version,
        payload: &Payload,
        interval: Span,
        cx: &mut Context<'_, Self>,
    ) {
        if cx.nodes() == 1 {
            return;
        }
        if self.leading.unacknowledged.is_empty() {
            cx.set_timer(Timer::Resend, interval);
        }
        let now = cx.monotonic();
        let oldest_awaited = self.leading.unanswered.front().map(|write| write.version.sequence);
        for follower in cx.peers() {
            let payload = payload.clone();
            self.leading.unacknowledged.insert((follower, version), payload, now, oldest_awaited);
        }
    }

    /// After a start: what the log has is unacknowledged once more, for what followers acknowledged before is forgotten.
    pub(super) fn replicate_all(&mut self, cx: &mut Context<'_, Self>) {
        let Some(interval) = self.config.resend else { return };
        match self.config.replication {
            Replication::Entry => {
                for entry in &*self.everything() {
                    let version = entry.stored.version;
                    self.expect_acknowledgements(version, &Payload::One(*entry), interval, cx);
                }
            }
            Replication::FullState if self.cannot_write(cx) => {
                self.leading.owes_state = true;
                cx.set_timer(Timer::Resend, interval);
            }
            Replication::FullState => {
                let version = self.stamp_apart(cx);
                let state = self.full_state();
                self.once_durable(Deferred::ResendState { version, state }, cx);
            }
        }
    }

    /// What the leader stores is to be acknowledged by everybody, and is sent until it is.
    pub(super) fn resend_state(
        &mut self,
        (version, state): (Version, Arc<FullState>),
        cx: &mut Context<'_, Self>,
    ) {
        let Some(interval) = self.config.resend.filter(|_| self.leads()) else { return };
        self.expect_acknowledgements(version, &Payload::State(state), interval, cx);
    }

    /// Sends every write again that a follower has left unacknowledged for the interval.
    pub(super) fn resend(&mut self, cx: &mut Context<'_, Self>) {
        let Some(interval) = self.config.resend else { return };
        if std::mem::take(&mut self.leading.owes_state) {
            self.replicate_all(cx);
        }
        let (now, term) = (cx.monotonic(), self.term());
        self.leading.unacknowledged.send_due(now, interval, |follower, version, payload| {
            cx.send(follower, payload.message(term, version));
        });
        if let Some(oldest) = self.leading.unacknowledged.oldest() {
            cx.set_timer(Timer::Resend, (oldest + interval).since(now));
        }
    }
}
