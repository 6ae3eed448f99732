//! The leader's side: accept a write, replicate it, count acknowledgements, answer.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::config::Operation;
use crate::history::Failure;
use crate::id::{KeyId, NodeId, NodeSet, Value, Version};
use crate::protocol::store::Applied;
use crate::protocol::{
    Context, DiscardReason, Observation, Outcome, Reply, RequestId, Response, Stored,
};
use crate::time::{Span, Time};

use super::config::{Deletes, OnAckTimeout, Replication};
use super::journal::{Record, Then};
use super::message::{Entry, Message};
use super::resend::Unconfirmed;
use super::{LeaderFollower, Timer};

/// What only a leader keeps.
#[derive(Debug, Default)]
pub(super) struct Leading {
    /// Drawn at boot: tells this life of the leader from another.
    life: u32,
    /// Writes stamped so far.
    sequence: u32,
    /// Writes not yet answered, the oldest first: the sequences of their versions rise.
    unanswered: VecDeque<Pending>,
    /// With resending: what each follower has not confirmed.
    unconfirmed: Unconfirmed,
}

/// A write that its client waits for.
#[derive(Debug)]
struct Pending {
    version: Version,
    request: RequestId,
    response: Response,
    deadline: Time,
    wanted: u16,
    confirmed: NodeSet,
    confirmations: u16,
    answered: bool,
}

/// A write that the leader has accepted and not yet sent.
#[derive(Debug)]
pub(super) struct Accepted {
    request: RequestId,
    version: Version,
    payload: Payload,
    response: Response,
    /// How many confirmations it awaits.
    wanted: u16,
}

/// What a write sends to every follower.
#[derive(Clone, Debug)]
pub(super) enum Payload {
    One(Entry),
    Many(Arc<[Entry]>),
    State(Arc<[Entry]>),
}

impl Payload {
    fn message(&self, life: u32, version: Version) -> Message {
        match self {
            Self::One(entry) => Message::Replicate { entry: *entry },
            Self::Many(entries) => Message::ReplicateMany { version, entries: Arc::clone(entries) },
            Self::State(entries) => Message::State { life, version, entries: Arc::clone(entries) },
        }
    }
}

impl Leading {
    /// A leader that has just booted, in a drawn life of its own.
    pub(super) fn boot(random: u64) -> Self {
        let life = u32::try_from(random >> 32).expect("32 bits");
        Self { life, ..Self::default() }
    }

    /// The log has a write of this version: the versions of later ones of the same node go on from there.
    pub(super) fn has_stamped(&mut self, version: Version, me: NodeId) {
        if version.node == me {
            self.sequence = self.sequence.max(version.sequence);
        }
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

    /// What the leader still means to do.
    pub(super) fn pending(&self) -> Vec<String> {
        let mut pending = Vec::new();
        let unanswered = self.unanswered.iter().filter(|pending| !pending.answered).count();
        if unanswered > 0 {
            let what = if unanswered == 1 { "write awaits" } else { "writes await" };
            pending.push(format!("{unanswered} {what} confirmations"));
        }
        if !self.unconfirmed.is_empty() {
            let count = self.unconfirmed.len();
            let what = if count == 1 { "write is" } else { "writes are" };
            pending.push(format!("{count} unconfirmed {what} to be sent again"));
        }
        pending
    }
}

impl LeaderFollower {
    /// A client's write reaches the leader.
    pub(super) fn lead_write(
        &mut self,
        request: RequestId,
        operation: Operation,
        cx: &mut Context<'_, Self>,
    ) {
        let followers = cx.nodes() - 1;
        match operation {
            Operation::Put { key, value, quorum } => {
                let (stored, _) = self.accept(request, key, Some(value), cx);
                let version = stored.version;
                let response = Response::Written { version, existed: None };
                let wanted = quorum.unwrap_or(self.config.mode.quorum(followers));
                let payload = Payload::One(Entry { key, stored });
                let accepted = Accepted { request, version, payload, response, wanted };
                self.commit(accepted, cx);
            }
            Operation::Delete { key, quorum } => {
                let (stored, existed) = self.accept(request, key, None, cx);
                let version = stored.version;
                let response = Response::Written { version, existed: Some(existed) };
                let wanted = quorum.unwrap_or(self.config.mode.quorum(followers));
                let payload = Payload::One(Entry { key, stored });
                let accepted = Accepted { request, version, payload, response, wanted };
                self.commit(accepted, cx);
            }
            Operation::Clear => {
                let keys: Vec<KeyId> =
                    self.store.items(false).iter().map(|item| item.key).collect();
                let entry = |key| Entry { key, stored: self.accept(request, key, None, cx).0 };
                let entries: Arc<[Entry]> = keys.into_iter().map(entry).collect();
                // The last delete names the clear; one of nothing is stamped all the same.
                let last = entries.last().map(|entry| entry.stored.version);
                let version = last.unwrap_or_else(|| self.stamp(cx));
                let wanted = self.config.mode.quorum(followers);
                let payload = Payload::Many(entries);
                let accepted =
                    Accepted { request, version, payload, response: Response::Cleared, wanted };
                self.commit(accepted, cx);
            }
            Operation::Get { .. } | Operation::List | Operation::ReadAll => {}
        }
    }

    /// The version of the next write: a timestamp, and how many writes this node has stamped.
    fn stamp(&mut self, cx: &Context<'_, Self>) -> Version {
        self.leading.sequence += 1;
        let sequence = self.leading.sequence;
        Version { timestamp: self.timestamp(sequence, cx), node: cx.node(), sequence }
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
        cx.observe(Observation::Accept { request, key, version });
        let existed = self.store.get(key).is_some();
        self.take(Entry { key, stored }, cx);
        (stored, existed)
    }

    /// An accepted write goes on to the followers once its record is durable; at once without a log.
    #[inline]
    fn commit(&mut self, mut accepted: Accepted, cx: &mut Context<'_, Self>) {
        if self.config.replication == Replication::FullState {
            accepted.payload = Payload::State(self.everything());
        }
        if self.journal.is_none() {
            self.replicate(accepted, cx);
        } else {
            self.once_durable(Then::Replicate(Box::new(accepted)), cx);
        }
    }

    /// Sends an accepted write to every follower at once, and answers it or waits for confirmations.
    #[inline]
    pub(super) fn replicate(&mut self, accepted: Accepted, cx: &mut Context<'_, Self>) {
        let Accepted { request, version, payload, response, wanted } = accepted;
        let life = self.leading.life;
        for follower in cx.peers() {
            cx.send(follower, payload.message(life, version));
        }
        if let Some(interval) = self.config.resend {
            self.expect_confirmations(version, &payload, interval, cx);
        }
        if wanted == 0 {
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
            request,
            response,
            deadline,
            wanted,
            confirmed: NodeSet::EMPTY,
            confirmations: 0,
            answered: false,
        });
    }

    /// Everything the leader stores, as a full-state message carries it.
    fn everything(&self) -> Arc<[Entry]> {
        self.store.iter().map(|(key, stored)| Entry { key, stored }).collect()
    }

    /// A follower confirms a write.
    pub(super) fn confirmed(&mut self, from: NodeId, version: Version, cx: &mut Context<'_, Self>) {
        if self.config.resend.is_some() {
            for older in self.leading.unconfirmed.remove(from, version) {
                self.count_confirmation(from, older, cx);
            }
        }
        self.count_confirmation(from, version, cx);
    }

    /// One more follower has a write, or what has replaced it there: its client may have waited for that.
    #[inline]
    fn count_confirmation(&mut self, from: NodeId, version: Version, cx: &mut Context<'_, Self>) {
        let Some(pending) = self.leading.find(version) else { return };
        if pending.answered || !pending.confirmed.insert(from) {
            return;
        }
        pending.confirmations += 1;
        if pending.confirmations < pending.wanted {
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

    /// Drops the answered writes at the front; stops the timer when none is left.
    fn drop_answered(&mut self, cx: &mut Context<'_, Self>) {
        let unanswered = &mut self.leading.unanswered;
        while unanswered.front().is_some_and(|pending| pending.answered) {
            unanswered.pop_front();
        }
        if unanswered.is_empty() {
            cx.cancel_timer(Timer::AckTimeout);
        }
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
            let (outcome, degraded) = match self.config.on_ack_timeout {
                OnAckTimeout::Succeed => (Outcome::Ok(pending.response), true),
                OnAckTimeout::Fail => (Outcome::Unknown(Failure::TooFewConfirmations), false),
            };
            let confirmations = Some((pending.confirmations, followers));
            cx.reply(pending.request, Reply { outcome, degraded, confirmations, leader: None });
        }
        if let Some(oldest) = self.leading.unanswered.front() {
            cx.set_timer(Timer::AckTimeout, oldest.deadline.since(now));
        }
    }

    /// With resending: remembers what every follower has to confirm.
    fn expect_confirmations(
        &mut self,
        version: Version,
        payload: &Payload,
        interval: Span,
        cx: &mut Context<'_, Self>,
    ) {
        if cx.nodes() == 1 {
            return;
        }
        if self.leading.unconfirmed.is_empty() {
            cx.set_timer(Timer::Resend, interval);
        }
        let now = cx.monotonic();
        let oldest_awaited = self.leading.unanswered.front().map(|write| write.version.sequence);
        for follower in cx.peers() {
            let payload = payload.clone();
            self.leading.unconfirmed.insert((follower, version), payload, now, oldest_awaited);
        }
    }

    /// After a start: what the log has is unconfirmed once more, for what followers confirmed before is forgotten.
    pub(super) fn replicate_all(&mut self, cx: &mut Context<'_, Self>) {
        let Some(interval) = self.config.resend else { return };
        let everything = self.everything();
        match self.config.replication {
            Replication::Entry => {
                for entry in &*everything {
                    let version = entry.stored.version;
                    self.expect_confirmations(version, &Payload::One(*entry), interval, cx);
                }
            }
            Replication::FullState => {
                let version = self.stamp(cx);
                self.expect_confirmations(version, &Payload::State(everything), interval, cx);
            }
        }
    }

    /// Sends every write again that a follower has left unconfirmed for the interval.
    pub(super) fn resend(&mut self, cx: &mut Context<'_, Self>) {
        let Some(interval) = self.config.resend else { return };
        let (now, life) = (cx.monotonic(), self.leading.life);
        self.leading.unconfirmed.send_due(now, interval, |follower, version, payload| {
            cx.send(follower, payload.message(life, version));
        });
        if let Some(oldest) = self.leading.unconfirmed.oldest() {
            cx.set_timer(Timer::Resend, (oldest + interval).since(now));
        }
    }

    /// Takes a write into the store, as leader or follower, and says what became of it.
    pub(super) fn take(&mut self, entry: Entry, cx: &mut Context<'_, Self>) {
        let Entry { key, stored } = entry;
        let version = stored.version;
        let ties = self.config.timestamps.ties;
        self.stamping.sees(version);
        if stored.value.is_none() && self.config.deletes == Deletes::Erase {
            if self.store.erase_under(ties, key, version) {
                self.log(|| Record::Write(entry), cx);
            }
            let observation = if self.store.stored(key).is_none() {
                Observation::Apply { key, version }
            } else {
                Observation::Discard { key, version, reason: DiscardReason::Older }
            };
            cx.observe(observation);
            return;
        }
        match self.store.apply_under(ties, key, stored) {
            Applied::Newest { .. } => {
                self.log(|| Record::Write(entry), cx);
                cx.observe(Observation::Apply { key, version });
                if stored.value.is_none() {
                    self.bury(version, cx);
                }
            }
            Applied::Known => {}
            Applied::Older => {
                let reason = DiscardReason::Older;
                cx.observe(Observation::Discard { key, version, reason });
            }
        }
    }
}
