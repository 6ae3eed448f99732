//! Term, vote and in-sync set on the disk: a file of their own, replaced as a whole.
//!
//! What tells others of a term or a vote waits until it is durable.

use std::collections::VecDeque;

use crate::id::Term;
use crate::protocol::leader_follower::config::{Config, Election};
use crate::protocol::leader_follower::message::InSync;
use crate::protocol::leader_follower::types::Types;
use crate::protocol::parts::ballot::Ballot;
use crate::protocol::parts::durable::AfterSync;
use crate::protocol::parts::wal::Policy;
use crate::protocol::{Context, DiskImage, Ticket};

use super::deferred::Deferred;
use super::record::{BALLOT, Record};

/// Term and vote, and what waits until they are durable.
#[derive(Debug, Default)]
pub(crate) struct StoredBallot {
    ballot: Ballot,
    /// Whether it is written to the disk, and so known again after a start.
    pub(crate) persists: bool,
    /// Writes under way, the oldest first.
    writing: VecDeque<Ticket>,
    /// Whether the disk was full when term and vote were last to be written.
    is_unwritten: bool,
    waiting: AfterSync<Ticket, Deferred>,
}

impl StoredBallot {
    /// What the disk kept, and the in-sync set with it; nothing on first boot.
    pub(crate) fn recover(config: &Config, disk: &DiskImage) -> (Self, Option<InSync>) {
        let forgets =
            matches!(config.failover.election, Election::MajorityVote { persist_vote: false, .. });
        let persists = config.failover.is_on() && !forgets && config.wal.policy != Policy::Off;
        let mut stored = Self { persists, ..Self::default() };
        let mut kept = None;
        if persists
            && let Some(Record::Ballot { term, vote, in_sync }) =
                disk.records::<Record>(BALLOT).records.pop()
        {
            (stored.ballot, kept) = (Ballot::new(term, vote), in_sync);
        }
        (stored, kept)
    }

    #[inline]
    pub(crate) const fn term(&self) -> Term {
        self.ballot.term()
    }

    pub(crate) const fn get(&self) -> &Ballot {
        &self.ballot
    }

    /// Goes to `ballot`.
    pub(crate) fn set(
        &mut self,
        ballot: Ballot,
        in_sync: Option<&InSync>,
        cx: &mut Context<'_, impl Types>,
    ) {
        self.ballot = ballot;
        self.write(in_sync, cx);
    }

    /// A log has an entry of `term`: the node was in it, whatever else it forgot.
    pub(crate) fn was_in(&mut self, term: Term) {
        self.ballot.advance(term);
    }

    /// Writes term, vote and in-sync set, if they are kept.
    pub(crate) fn write(&mut self, in_sync: Option<&InSync>, cx: &mut Context<'_, impl Types>) {
        if self.persists {
            let (term, vote) = (self.ballot.term(), self.ballot.vote());
            self.is_unwritten = false;
            let record = Record::Ballot { term, vote, in_sync: in_sync.cloned() };
            self.writing.push_back(cx.replace(BALLOT, &[record]));
        }
    }

    /// Hands `deferred` back when term and vote are durable; else it waits until they are.
    pub(crate) fn once_durable(
        &mut self,
        deferred: Deferred,
        cx: &Context<'_, impl Types>,
    ) -> Option<Deferred> {
        match self.writing.back() {
            None => Some(deferred),
            Some(ticket) => {
                self.waiting.put(*ticket, cx.origin(), deferred);
                None
            }
        }
    }

    /// The disk has finished what `ticket` names.
    pub(crate) fn persisted(&mut self, ticket: Ticket) {
        while self.writing.pop_front_if(|write| *write <= ticket).is_some() {}
    }

    /// The disk was full, and what waits for this write is never done. A refusal comes at once, so
    /// earlier writes may still be under way.
    pub(crate) fn refused(&mut self, ticket: Ticket) {
        self.writing.retain(|write| *write != ticket);
        self.waiting.refuse(ticket);
        self.is_unwritten = true;
    }

    /// Whether term and vote are what the disk has, or will have when it is done.
    pub(crate) const fn is_written(&self) -> bool {
        !self.is_unwritten
    }

    /// The next of what need not wait any longer, now that the disk has finished what `ticket`
    /// names.
    pub(crate) fn next_ready(
        &mut self,
        ticket: Ticket,
        cx: &mut Context<'_, impl Types>,
    ) -> Option<Deferred> {
        let (origin, deferred) = self.waiting.next(ticket)?;
        cx.continue_from(origin);
        Some(deferred)
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}
