//! Replication of registers: each write is sent to every follower at once, and takes its place
//! there by last write wins.

use std::collections::VecDeque;

use crate::id::{NodeId, Term, Version};
use crate::protocol::Context;
use crate::protocol::leader_follower::message::{Message, StateOrder};
use crate::protocol::leader_follower::replica::Replica;
use crate::protocol::leader_follower::types::{Timer, Types};
use crate::protocol::leader_follower::write::Payload;
use crate::time::Span;

use super::resend::Unacknowledged;

/// What a node keeps whose cluster replicates registers.
#[derive(Debug, Default)]
pub(crate) struct Registers {
    /// Leader, with resending: what each follower has not acknowledged.
    unacknowledged: Unacknowledged,
    /// Leader, with resending: whether everybody is to have the state, once the disk has room for
    /// its number. That is tried again with the next resending.
    pub(crate) owes_state: bool,
    /// Follower: the place of the last full state taken; an older one that arrives late is dropped.
    pub(crate) last_state: Option<StateOrder>,
    /// Follower, under catch-up by full state: whether it has had the state of the leader that it
    /// follows.
    pub(crate) joined: bool,
}

/// The full state that was taken before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Previous {
    /// It was of the same incarnation of the leader.
    SameIncarnation,
    /// It was not, or there was none.
    Other,
}

impl Registers {
    /// Sends a write to every follower, and with resending remembers what they have to acknowledge.
    #[inline]
    pub(crate) fn send(
        &mut self,
        version: Version,
        payload: &Payload,
        oldest_awaited: Option<u32>,
        replica: &Replica,
        cx: &mut Context<'_, impl Types>,
    ) {
        let term = replica.term();
        for follower in cx.peers() {
            cx.send(follower, payload.message(term, version));
        }
        if let Some(interval) = replica.config.resend {
            self.expect(version, payload, oldest_awaited, interval, cx);
        }
    }

    /// With resending: remembers what every follower has to acknowledge.
    pub(crate) fn expect(
        &mut self,
        version: Version,
        payload: &Payload,
        oldest_awaited: Option<u32>,
        interval: Span,
        cx: &mut Context<'_, impl Types>,
    ) {
        if cx.nodes() == 1 {
            return;
        }
        if self.unacknowledged.is_empty() {
            cx.set_timer(Timer::Resend, interval);
        }
        let now = cx.monotonic();
        for follower in cx.peers() {
            let payload = payload.clone();
            self.unacknowledged.insert(follower, version, payload, now, oldest_awaited);
        }
    }

    /// A follower acknowledges a write: the older ones that this acknowledges too.
    pub(crate) fn acknowledge(&mut self, from: NodeId, version: Version) -> VecDeque<Version> {
        self.unacknowledged.remove(from, version)
    }

    /// Sends every write again that a follower has left unacknowledged for the interval.
    pub(crate) fn resend(&mut self, interval: Span, term: Term, cx: &mut Context<'_, impl Types>) {
        let now = cx.monotonic();
        self.unacknowledged.send_due(now, interval, |follower, version, payload| {
            cx.send(follower, payload.message(term, version));
        });
        if let Some(oldest) = self.unacknowledged.oldest() {
            cx.set_timer(Timer::Resend, (oldest + interval).since(now));
        }
    }

    pub(crate) fn owed(&self) -> Vec<(NodeId, String)> {
        let owed = |(follower, count): (NodeId, usize)| {
            let what = if count == 1 { "write is" } else { "writes are" };
            (follower, format!("{count} unconfirmed {what} to be sent to {follower} again"))
        };
        self.unacknowledged.of_each_follower().into_iter().map(owed).collect()
    }

    pub(crate) fn step_down(&mut self) {
        self.unacknowledged = Unacknowledged::default();
        self.owes_state = false;
    }

    /// Follower: asks its leader for everything, unless it has had that.
    pub(crate) fn join(&self, leader: NodeId, term: Term, cx: &mut Context<'_, impl Types>) {
        if !self.joined {
            cx.send(leader, Message::Join { term });
        }
    }

    /// Follower: it has the state of the leader that it follows; whether it is the first.
    pub(crate) const fn joins(&mut self) -> bool {
        !std::mem::replace(&mut self.joined, true)
    }

    /// A full state arrives: what was taken before it; `None` when a later state was, which leaves
    /// no use for this one.
    pub(crate) fn take_state(&mut self, order: StateOrder, fencing: bool) -> Option<Previous> {
        if self.last_state.is_some_and(|last| last.outdates(order, fencing)) {
            return None;
        }
        let last = self.last_state.replace(order);
        Some(match last {
            Some(last) if last.incarnation == order.incarnation => Previous::SameIncarnation,
            Some(_) | None => Previous::Other,
        })
    }
}
