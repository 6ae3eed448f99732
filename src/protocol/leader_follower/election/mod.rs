//! Who leads: terms, heartbeats, and the policies by which nodes find a leader.
//!
//! A node *leads*, *follows* a leader, or is a *candidate*: it waits for a node that it expects to
//! lead, or for its election timeout, or it campaigns for votes. A message of a higher term takes a
//! node there, and a leader steps down. What is sent in a lower term is refused, if fencing is on,
//! and the sender told of the higher one. Without fencing a deposed leader is obeyed, and counts
//! what it is answered, until it hears of the next leader.

use std::cmp::Ordering;

use crate::id::{NodeId, Position, Term};
use crate::protocol::parts::ballot::Ballot;
use crate::protocol::{Observation, Role};

use super::config::{Defect, Election};
use super::message::{Message, Round, Vote};
use super::node::Candidacy;
use super::storage::Deferred;
use super::{Cx, LeaderFollower, Timer};

pub(super) use detector::FailureDetector;

mod by_id;
mod by_timestamp;
mod by_vote;
mod detector;
mod timeout;

/// What a node does that meets a higher term.
enum HigherTerm {
    /// It goes there, and knows of no leader in it yet.
    Advance,
    /// It stays in its own term, and acts on the message.
    Stay,
    /// It stays in its own term, and ignores the message.
    Ignore,
    /// It leads in a term above that.
    LeadAbove,
}

impl LeaderFollower {
    /// The rule of the term: hears a message, and says whether it is to be acted on.
    pub(crate) fn accept_term(&mut self, from: NodeId, message: &Message, cx: &mut Cx<'_>) -> bool {
        self.hear(from, message, cx);
        // Whether a candidate raises this node's term is decided where its request is answered. A
        // pre-vote is granted from whatever term the voter is in.
        if let Message::RequestVote(_)
        | Message::Vote(Vote { round: Round::PreVote, granted: true, .. }) = message
        {
            return true;
        }
        let (term, fencing) = (message.term(), self.replica.config.failover.fencing);
        match term.cmp(&self.term()) {
            Ordering::Greater => match self.judge_higher_term(from, message, cx) {
                HigherTerm::Advance => self.advance_term(term, cx),
                HigherTerm::Stay => return true,
                HigherTerm::Ignore => return false,
                HigherTerm::LeadAbove => {
                    self.become_leader(term.next(), cx);
                    return false;
                }
            },
            Ordering::Less if fencing => {
                self.refuse(from, message, cx);
                return false;
            }
            Ordering::Less | Ordering::Equal => {}
        }
        if !message.is_from_leader() {
            return true;
        }
        if self.leader == Some(from) {
            self.detector.hear_leader(cx.monotonic());
            return true;
        }
        // Without fencing, a node that knows no leader follows any node that claims to lead, even
        // in an older term.
        if term == self.term() || (!fencing && self.leader.is_none()) {
            return self.recognise_leader(from, term, cx);
        }
        true
    }

    fn judge_higher_term(&self, from: NodeId, message: &Message, cx: &Cx<'_>) -> HigherTerm {
        let settings = self.replica.config.failover;
        if !settings.fencing && self.leads() && !message.is_from_leader() {
            // Without fencing nothing deposes a leader but another.
            return HigherTerm::Stay;
        }
        if self.leads() && settings.election == Election::NewestTimestamp {
            // Only heartbeats tell which node has the newer writes.
            if !matches!(message, Message::Heartbeat { .. }) {
                return HigherTerm::Ignore;
            }
            if self.outranks(from) {
                return HigherTerm::LeadAbove;
            }
        }
        if settings.election == Election::None && cx.initial_leader() == Some(self.replica.me) {
            // No other node ever leads, so this node was in that term itself and its disk forgot
            // it.
            return HigherTerm::LeadAbove;
        }
        HigherTerm::Advance
    }

    /// Notes that a node is there, and what it tells.
    fn hear(&mut self, from: NodeId, message: &Message, cx: &mut Cx<'_>) {
        self.detector.hear(from, cx.monotonic());
        if let Message::Heartbeat { newest, in_sync, .. } = message {
            self.detector.hear_newest(from, *newest);
            if let Some(in_sync) = in_sync
                && self.in_sync.learn(in_sync)
            {
                self.replica.ballot.write(self.in_sync.believed(), cx);
            }
        }
    }

    /// Refuses a message of a lower term: a leader is told of the higher one.
    fn refuse(&self, from: NodeId, message: &Message, cx: &mut Cx<'_>) {
        if self.replica.config.defects.has(Defect::AcknowledgeIgnored) {
            if let Some((term, version)) = message.replicated() {
                cx.send(from, Message::Ack { term, version });
            }
        } else if message.is_from_leader() {
            self.send_heartbeat(from, cx);
        }
    }

    /// Takes its place at boot. The scenario's leader is appointed at the first boot, and never
    /// again: with its memory or its disk a node that comes back may have lost what it
    /// acknowledged, and others may have led since. Where nobody is elected that node is the leader
    /// all the same, for there is no other.
    pub(crate) fn start_role(&mut self, is_first: bool, cx: &mut Cx<'_>) {
        let settings = self.replica.config.failover;
        let now = cx.monotonic();
        if self.all_heartbeat() {
            self.heartbeat(cx);
        }
        if let Some(interval) = settings.look_every {
            cx.set_timer(Timer::Election, interval);
        }
        let is_appointed = is_first || settings.election == Election::None;
        if is_appointed && let Some(leader) = cx.initial_leader() {
            if leader == self.replica.me {
                // A leader that restarts takes a new term, so that it cannot repeat a stamp that it
                // has forgotten.
                return self.become_leader(self.term().next(), cx);
            }
            let term = self.term().max(Term(1));
            self.vote_in(term, Some(leader), cx);
            self.detector.hear(leader, now);
            self.detector.hear_leader(now);
            self.leader = Some(leader);
            cx.observe(Observation::Role { role: Role::Follower, term });
        } else {
            if !is_first && cx.initial_leader().is_some() {
                // Term 1 belongs to the appointed leader, so nobody is elected in it.
                self.replica.ballot.was_in(Term(1));
            }
            let term = self.term();
            cx.observe(Observation::Role { role: self.role(), term });
            if settings.election == Election::HighestId && !is_first {
                return self.campaign(Round::Vote, cx);
            }
        }
        self.start_election_timeout(cx);
    }

    /// Goes to a higher term, in which it knows of no leader yet.
    pub(crate) fn advance_term(&mut self, term: Term, cx: &mut Cx<'_>) {
        self.vote_in(term, None, cx);
        if self.leads() {
            self.step_down(cx);
        }
        self.leader = None;
        self.wait_for(None, cx);
        self.start_election_timeout(cx);
    }

    /// A node says that it leads this node's own term: whether this node follows it from now on.
    pub(crate) fn recognise_leader(&mut self, other: NodeId, term: Term, cx: &mut Cx<'_>) -> bool {
        if self.bullies(other) && !self.leads() {
            // The campaign takes the next term, so the leader steps down for this node's higher id.
            if term == self.term() || !self.is_campaigning(Round::Vote) {
                self.campaign(Round::Vote, cx);
            }
            return false;
        }
        let yields = match self.leader {
            None => true,
            // Two leaders of one term: without votes each node judges for itself, so one of them
            // must step down.
            Some(known) => self.precedes(other, known),
        };
        if !yields {
            if self.leads() {
                self.send_heartbeat(other, cx);
            }
            return false;
        }
        if self.leads() {
            self.step_down(cx);
        }
        self.follow(other, cx);
        true
    }

    pub(crate) fn follow(&mut self, leader: NodeId, cx: &mut Cx<'_>) {
        self.leader = Some(leader);
        self.detector.hear_leader(cx.monotonic());
        self.replication.follow();
        cx.observe(Observation::Role { role: Role::Follower, term: self.term() });
        self.start_election_timeout(cx);
        if let Election::LowestId { pre_empt: true } = self.replica.config.failover.election
            && self.replica.me < leader
            && self.first_of_the_live(cx) == Some(self.replica.me)
        {
            return self.become_leader(self.term().next(), cx);
        }
        self.serve_parked(cx);
    }

    /// Leads no longer: nobody knows what will become of the writes that wait for acknowledgements.
    fn step_down(&mut self, cx: &mut Cx<'_>) {
        self.give_up_all(cx);
        self.replication.step_down();
        self.leader = None;
        if !self.all_heartbeat() {
            cx.cancel_timer(Timer::Heartbeat);
        }
    }

    /// Leads from now on in `term`, and says so at once.
    pub(crate) fn become_leader(&mut self, term: Term, cx: &mut Cx<'_>) {
        if self.leads() {
            self.step_down(cx);
        }
        if *self.replica.ballot.get() != Ballot::new(term, Some(self.replica.me)) {
            self.vote_in(term, Some(self.replica.me), cx);
        }
        self.leader = Some(self.replica.me);
        if self.replica.config.failover.look_every.is_none() {
            cx.cancel_timer(Timer::Election);
        }
        cx.observe(Observation::Role { role: Role::Leader, term });
        self.begin_replication(cx);
        self.heartbeat(cx);
        self.share(cx);
        self.serve_parked(cx);
    }

    /// Waits for `awaited` to lead, or for nobody in particular.
    pub(crate) fn wait_for(&mut self, awaited: Option<NodeId>, cx: &mut Cx<'_>) {
        self.candidacy = Candidacy::Waiting(awaited);
        cx.observe(Observation::Role { role: self.role(), term: self.term() });
    }

    /// Time to send heartbeats.
    pub(crate) fn heartbeat(&mut self, cx: &mut Cx<'_>) {
        for peer in cx.peers() {
            self.send_heartbeat(peer, cx);
        }
        cx.set_timer(Timer::Heartbeat, self.replica.config.failover.heartbeat);
    }

    pub(crate) fn send_heartbeat(&self, to: NodeId, cx: &mut Cx<'_>) {
        let (term, leads, last) = (self.term(), self.leads(), self.replication.last());
        let in_sync = self.in_sync.shared();
        cx.send(
            to,
            Message::Heartbeat { term, leads, last, newest: self.replica.stamps.newest(), in_sync },
        );
    }

    /// Whether every node says that it is there, and not the leader alone.
    pub(crate) fn all_heartbeat(&self) -> bool {
        self.replica.config.failover.election.all_heartbeat()
            && !self.replica.config.defects.has(Defect::SilentFollowers)
    }

    pub(crate) fn elect(&mut self, cx: &mut Cx<'_>) {
        match self.replica.config.failover.election {
            Election::None => {}
            Election::LowestId { .. } | Election::NewestTimestamp => self.judge(cx),
            Election::HighestId => match &self.candidacy {
                Candidacy::Campaigning { refused: false, .. } => {
                    self.become_leader(self.term(), cx);
                }
                Candidacy::Campaigning { .. } => {
                    self.wait_for(None, cx);
                    self.start_election_timeout(cx);
                }
                Candidacy::Waiting(_) => self.campaign(Round::Vote, cx),
            },
            Election::MajorityVote { pre_vote: true, .. } => self.campaign(Round::PreVote, cx),
            Election::MajorityVote { pre_vote: false, .. } => self.campaign(Round::Vote, cx),
        }
    }

    /// Whether the in-sync set allows it.
    pub(crate) fn may_lead(&self, node: NodeId) -> bool {
        self.replica.config.failover.unclean || self.in_sync.has(node)
    }

    /// Goes to `term`, with this vote in it or none yet, and writes that down.
    pub(crate) fn vote_in(&mut self, term: Term, vote: Option<NodeId>, cx: &mut Cx<'_>) {
        self.replica.ballot.set(Ballot::new(term, vote), self.in_sync.believed(), cx);
    }

    /// Does what is deferred once term and vote are durable.
    pub(crate) fn once_voted(&mut self, deferred: Deferred, cx: &mut Cx<'_>) {
        if let Some(deferred) = self.replica.ballot.once_durable(deferred, cx) {
            self.proceed(deferred, cx);
        }
    }

    /// A heartbeat is heard: a follower compares itself with its leader.
    pub(crate) fn take_heartbeat(
        &mut self,
        from: NodeId,
        leads: bool,
        last: Position,
        cx: &mut Cx<'_>,
    ) {
        // Without fencing a follower obeys whoever says that it leads.
        let obeys =
            self.leader == Some(from) || (!self.replica.config.failover.fencing && !self.leads());
        // A node whose disk is full does not ask for what it could not store.
        let must_wait = self.replica.cannot_write(cx) && self.replication.last() != last;
        if leads && obeys && !must_wait {
            self.catch_up(from, last, cx);
        }
    }

    /// What this node waits for before there can be a leader, in words.
    pub(crate) fn awaits_leader(&self) -> Option<String> {
        if !self.replica.config.failover.is_on() || self.leader.is_some() {
            return None;
        }
        Some(match &self.candidacy {
            Candidacy::Waiting(Some(node)) => format!("waits for {node} to lead"),
            Candidacy::Waiting(None) => "waits for a leader".to_owned(),
            Candidacy::Campaigning { .. } => "asks for votes".to_owned(),
        })
    }
}
