//! Votes (Raft section 5.2): a candidate asks every node, and each has one vote a term.
//!
//! A candidate may first ask whether it would win ([`Round::PreVote`]). With election by highest id
//! votes are not counted: a candidate leads unless a higher id refuses it.

use crate::id::{NodeId, NodeSet, Term};
use crate::protocol::leader_follower::config::Election;
use crate::protocol::leader_follower::message::{Message, Round, Vote, VoteRequest};
use crate::protocol::leader_follower::node::Candidacy;
use crate::protocol::leader_follower::storage::Deferred;
use crate::protocol::leader_follower::{Cx, LeaderFollower, Timer};
use crate::protocol::{Observation, Role};

impl LeaderFollower {
    /// Asks for votes in the next term, or whether it would get them.
    pub(crate) fn campaign(&mut self, round: Round, cx: &mut Cx<'_>) {
        if !self.may_lead(self.replica.me) {
            self.wait_for(None, cx);
            return self.start_election_timeout(cx);
        }
        if round == Round::Vote {
            self.vote_in(self.term().next(), Some(self.replica.me), cx);
        }
        self.candidacy = Candidacy::Campaigning { round, granted: NodeSet::EMPTY, refused: false };
        cx.observe(Observation::Role { role: Role::Candidate, term: self.term() });
        if self.replica.config.failover.election == Election::HighestId {
            cx.set_timer(Timer::Election, self.replica.config.failover.heartbeat);
        } else {
            self.start_election_timeout(cx);
        }
        let request = Deferred::RequestVotes { term: self.term_asked_for(round), round };
        self.once_voted(request, cx);
    }

    /// Its own vote is durable: asks for the others'.
    pub(crate) fn request_votes(&mut self, term: Term, round: Round, cx: &mut Cx<'_>) {
        if term != self.term_asked_for(round) || !self.is_campaigning(round) {
            return;
        }
        if round == Round::Vote {
            cx.observe(Observation::Vote { term, candidate: self.replica.me });
        }
        let last = self.replication.last_written(self.replica.stamps.newest());
        for peer in cx.peers() {
            cx.send(peer, Message::RequestVote(VoteRequest { term, last, round }));
        }
        self.count_votes(cx);
    }

    /// The term in which a candidate asks to lead: its own, which it raised when it began to ask,
    /// or in a pre-vote the next one.
    pub(crate) fn term_asked_for(&self, round: Round) -> Term {
        match round {
            Round::PreVote => self.term().next(),
            Round::Vote => self.term(),
        }
    }

    pub(crate) fn is_campaigning(&self, wanted: Round) -> bool {
        self.leader.is_none()
            && matches!(self.candidacy, Candidacy::Campaigning { round, .. } if round == wanted)
    }

    /// A candidate asks for a vote.
    pub(crate) fn vote(
        &mut self,
        candidate: NodeId,
        VoteRequest { term, last, round }: VoteRequest,
        cx: &mut Cx<'_>,
    ) {
        if self.bullies(candidate) {
            return self.bully(candidate, cx);
        }
        let checks_log = matches!(
            self.replica.config.failover.election,
            Election::MajorityVote { check_log: true, .. }
        );
        let up_to_date =
            !checks_log || last >= self.replication.last_written(self.replica.stamps.newest());
        let may = up_to_date && self.may_lead(candidate);
        if round == Round::PreVote {
            // While a leader is heard nobody would win (Raft thesis section 9.6).
            let granted = may && term > self.term() && !self.hears_leader(cx);
            let answer = Message::Vote(Vote { term: self.term(), granted, round });
            return cx.send(candidate, answer);
        }
        if term > self.term() {
            self.advance_term(term, cx);
        }
        let may_vote = self.replica.ballot.get().may_vote_for(candidate, term);
        let granted = may && may_vote && !self.leads();
        if granted {
            if self.replica.ballot.get().vote().is_none() || !self.replica.ballot.is_written() {
                self.vote_in(term, Some(candidate), cx);
            }
            if self.leader.is_none() {
                self.wait_for(Some(candidate), cx);
                self.start_election_timeout(cx);
            }
        }
        self.once_voted(Deferred::Vote { to: candidate, term, granted }, cx);
    }

    /// Its vote is durable: sends it to the candidate, unless the term is over.
    pub(crate) fn send_vote(&self, to: NodeId, term: Term, granted: bool, cx: &mut Cx<'_>) {
        let granted = granted && term == self.term();
        if granted {
            cx.observe(Observation::Vote { term, candidate: to });
        }
        cx.send(to, Message::Vote(Vote { term: self.term(), granted, round: Round::Vote }));
    }

    /// A vote reaches a candidate.
    pub(crate) fn voted(&mut self, voter: NodeId, vote: Vote, cx: &mut Cx<'_>) {
        if !self.is_campaigning(vote.round)
            || (vote.round == Round::Vote && vote.term != self.term() && vote.granted)
        {
            return;
        }
        let Candidacy::Campaigning { granted, refused, .. } = &mut self.candidacy else {
            unreachable!("it campaigns")
        };
        if vote.granted {
            granted.insert(voter);
        } else {
            *refused |= voter > self.replica.me;
        }
        self.count_votes(cx);
    }

    pub(crate) fn count_votes(&mut self, cx: &mut Cx<'_>) {
        let Candidacy::Campaigning { round, granted, .. } = &self.candidacy else {
            return;
        };
        let votes = |node| node == self.replica.me || granted.contains(node);
        let has_majority = self.quorum.is_met_by(votes);
        let by_majority =
            matches!(self.replica.config.failover.election, Election::MajorityVote { .. });
        if !by_majority || !has_majority {
            return;
        }
        if *round == Round::PreVote {
            self.campaign(Round::Vote, cx);
        } else {
            self.become_leader(self.term(), cx);
        }
    }
}
