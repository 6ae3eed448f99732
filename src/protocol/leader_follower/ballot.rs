//! A node's term and its vote in it: what Raft calls `currentTerm` and `votedFor` (figure 2).
//!
//! A node that forgets them may vote twice in a term, or follow a leader that it has promised a later one not to
//! follow. With a log they go to a file of their own, replaced as a whole, and what tells others of them waits until
//! it is durable.

use std::collections::VecDeque;

use crate::id::{NodeId, Term};
use crate::protocol::wal::Policy;
use crate::protocol::{Context, DiskImage, File, Origin, Ticket};

use super::LeaderFollower;
use super::config::{Config, Election};
use super::journal::{Deferred, Record};
use super::message::InSync;

const BALLOT: File = File(1);

/// Term, vote and in-sync set.
#[derive(Debug, Default)]
pub(super) struct Ballot {
    term: Term,
    vote: Option<NodeId>,
    persists: bool,
    /// Writes under way, the oldest first.
    writing: VecDeque<Ticket>,
    /// Whether the disk was full when term and vote were last to be written.
    is_unwritten: bool,
    /// What waits for the last of them.
    waiting: VecDeque<(Ticket, Origin, Deferred)>,
}

impl Ballot {
    /// What the disk kept, and the in-sync set with it; nothing on first boot.
    pub(super) fn recover(config: &Config, disk: &DiskImage) -> (Self, Option<InSync>) {
        let forgets =
            matches!(config.failover.election, Election::MajorityVote { persist_vote: false, .. });
        let persists = config.failover.is_on() && !forgets && config.wal.policy != Policy::Off;
        let mut ballot = Self { persists, ..Self::default() };
        let mut kept = None;
        if persists
            && let Some(Record::Ballot { term, vote, in_sync }) =
                disk.records::<Record>(BALLOT).records.pop()
        {
            (ballot.term, ballot.vote, kept) = (term, vote, in_sync);
        }
        (ballot, kept)
    }

    /// Whether it is written to the disk, and so known again after a start.
    pub(super) const fn persists(&self) -> bool {
        self.persists
    }

    #[inline]
    pub(super) const fn term(&self) -> Term {
        self.term
    }

    pub(super) const fn vote(&self) -> Option<NodeId> {
        self.vote
    }

    /// Goes to `term`, with a vote in it or none yet.
    pub(super) fn set(
        &mut self,
        (term, vote): (Term, Option<NodeId>),
        in_sync: Option<&InSync>,
        cx: &mut Context<'_, LeaderFollower>,
    ) {
        (self.term, self.vote) = (term, vote);
        self.write(in_sync, cx);
    }

    /// A log has an entry of `term`: the node was in it, whatever else it forgot.
    pub(super) fn was_in(&mut self, term: Term) {
        if term > self.term {
            (self.term, self.vote) = (term, None);
        }
    }

    /// Writes term, vote and in-sync set, if they are kept.
    pub(super) fn write(&mut self, in_sync: Option<&InSync>, cx: &mut Context<'_, LeaderFollower>) {
        if self.persists {
            let (term, vote, in_sync) = (self.term, self.vote, in_sync.cloned());
            self.is_unwritten = false;
            let ticket = cx.replace(BALLOT, &[Record::Ballot { term, vote, in_sync }]);
            self.writing.push_back(ticket);
        }
    }

    /// Hands `then` back when term and vote are durable; else it waits until they are.
    pub(super) fn once_durable(
        &mut self,
        then: Deferred,
        cx: &Context<'_, LeaderFollower>,
    ) -> Option<Deferred> {
        match self.writing.back() {
            None => Some(then),
            Some(ticket) => {
                self.waiting.push_back((*ticket, cx.origin(), then));
                None
            }
        }
    }

    /// The disk has finished what `ticket` names.
    pub(super) fn persisted(&mut self, ticket: Ticket) {
        while self.writing.pop_front_if(|write| *write <= ticket).is_some() {}
    }

    /// The disk was full, and what waits for this write is never told. It says so at once: what was asked of it before
    /// may still be under way.
    pub(super) fn refused(&mut self, ticket: Ticket) {
        self.writing.retain(|write| *write != ticket);
        self.waiting.retain(|(awaited, ..)| *awaited != ticket);
        self.is_unwritten = true;
    }

    /// Whether term and vote are what the disk has, or will have when it is done.
    pub(super) const fn is_written(&self) -> bool {
        !self.is_unwritten
    }

    /// The next of what need not wait any longer.
    pub(super) fn next_ready(&mut self, cx: &mut Context<'_, LeaderFollower>) -> Option<Deferred> {
        let oldest = self.writing.front().copied();
        let ready =
            |waits: &mut (Ticket, Origin, Deferred)| oldest.is_none_or(|oldest| waits.0 < oldest);
        let (_, origin, then) = self.waiting.pop_front_if(ready)?;
        cx.continue_from(origin);
        Some(then)
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}
