//! Who leads: terms, heartbeats, and the policies by which nodes find a leader.
//!
//! A node *leads*, *follows* a leader, or does neither: then it *waits*, for a node that it expects to lead or for
//! its own election timeout to end, or it *campaigns* for votes. Hearing of a higher term takes it there, and out of office.
//! What is sent in a lower term is refused, if fencing is on, and the sender told of the higher one. Without fencing a
//! deposed leader is obeyed, and counts what it is answered, until it hears of the next leader.
//!
//! One timer serves all waits, [`Timer::Election`]: while a leader is heard it does no more than look again later.

use crate::id::{LogIndex, NodeId, NodeSet, Position, Term};
use crate::protocol::parts::ballot::Ballot;
use crate::protocol::{Context, Observation, Role};
use crate::time::{Span, Time};

use super::config::{CatchUp, Defect, Election, WithoutLeader};
use super::message::{Message, Round, Vote, VoteRequest};
use super::storage::Deferred;
use super::{LeaderFollower, Timer};

/// What a node knows of the others, and what it does while nobody leads.
#[derive(Debug)]
pub(super) struct FailureDetector {
    /// When each node was last heard of, on this node's monotonic clock.
    heard: Vec<Option<Time>>,
    /// When the leader that this node follows last said something as leader: a node that no longer leads, or came back
    /// from a crash, may still be heard.
    leader_heard: Time,
    /// With election by newest timestamp: the newest write that each node has told of.
    newest: Vec<i64>,
    /// The election timeout drawn for the current wait.
    election_timeout: Span,
    /// Since when, while no leader is heard.
    since: Time,
    pub(super) candidacy: Candidacy,
}

/// What a node does while it knows of no leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Candidacy {
    /// It waits, for this node to lead or for its election timeout to end.
    Waiting(Option<NodeId>),
    /// It asks for votes.
    Campaigning {
        round: Round,
        /// Who has granted its vote, this node apart.
        granted: NodeSet,
        /// Whether a node with a higher id has refused.
        refused: bool,
    },
}

impl FailureDetector {
    pub(super) fn new(nodes: u16) -> Self {
        let nodes = usize::from(nodes);
        Self {
            heard: vec![None; nodes],
            leader_heard: Time::ZERO,
            newest: vec![i64::MIN; nodes],
            election_timeout: Span::ZERO,
            since: Time::ZERO,
            candidacy: Candidacy::Waiting(None),
        }
    }
}

impl LeaderFollower {
    pub(super) const fn term(&self) -> Term {
        self.ballot.term()
    }

    /// Takes its place at boot. The scenario's leader is appointed at the first boot, and never again: with its memory
    /// or its disk a node that comes back may have lost what it acknowledged, and others may have led since. Where
    /// nobody is elected that node is the leader all the same, for there is no other.
    pub(super) fn start_role(&mut self, is_first: bool, cx: &mut Context<'_, Self>) {
        let settings = self.config.failover;
        let now = cx.monotonic();
        if self.all_heartbeat() {
            self.heartbeat(cx);
        }
        if let Some(interval) = settings.look_every {
            cx.set_timer(Timer::Election, interval);
        }
        let is_appointed = is_first || settings.election == Election::None;
        if is_appointed && let Some(leader) = cx.initial_leader() {
            if leader == self.me {
                // A leader that comes back leads anew: what it stamped and forgot it is not to stamp again.
                return self.become_leader(self.term().next(), cx);
            }
            let term = self.term().max(Term(1));
            self.vote_in(term, Some(leader), cx);
            self.detector.heard[leader.index()] = Some(now);
            self.detector.leader_heard = now;
            self.leader = Some(leader);
            cx.observe(Observation::Role { role: Role::Follower, term });
        } else {
            if !is_first && cx.initial_leader().is_some() {
                // Term 1 is that of the appointed leader, whatever this node has forgotten: nobody is elected in it.
                self.ballot.was_in(Term(1));
            }
            let term = self.term();
            cx.observe(Observation::Role { role: self.role(), term });
            if settings.election == Election::HighestId && !is_first {
                return self.campaign(Round::Vote, cx);
            }
        }
        self.start_election_timeout(cx);
    }

    /// Draws an election timeout and starts to wait for it.
    fn start_election_timeout(&mut self, cx: &mut Context<'_, Self>) {
        if self.config.failover.election == Election::None {
            return;
        }
        self.detector.election_timeout = self.draw_election_timeout(cx);
        self.detector.since = cx.monotonic();
        self.look_again_after(self.detector.election_timeout, cx);
    }

    /// Looks again when `wait` is over, or whenever it is time to look.
    fn look_again_after(&self, wait: Span, cx: &mut Context<'_, Self>) {
        if self.config.failover.look_every.is_none() {
            cx.set_timer(Timer::Election, wait);
        }
    }

    /// Whether every node says that it is there, and not the leader alone.
    fn all_heartbeat(&self) -> bool {
        self.config.failover.election.all_heartbeat()
            && !self.config.defects.has(Defect::SilentFollowers)
    }

    fn draw_election_timeout(&self, cx: &mut Context<'_, Self>) -> Span {
        let settings = &self.config.failover;
        let jitter = u128::from(settings.jitter.nanos());
        if jitter == 0 {
            return settings.timeout;
        }
        let drawn = (u128::from(cx.random()) * (jitter + 1)) >> 64;
        settings.timeout + Span::from_nanos(u64::try_from(drawn).unwrap_or(u64::MAX))
    }

    /// Hears a message: whether it is to be acted on.
    pub(super) fn accept_term(
        &mut self,
        from: NodeId,
        message: &Message,
        cx: &mut Context<'_, Self>,
    ) -> bool {
        self.detector.heard[from.index()] = Some(cx.monotonic());
        let term = message.term();
        if let Message::Heartbeat { newest, in_sync, .. } = message {
            self.detector.newest[from.index()] = *newest;
            if let Some(in_sync) = in_sync
                && self.in_sync.learn(in_sync)
            {
                self.ballot.write(self.in_sync.believed(), cx);
            }
        }
        // Whether a candidate may raise this node's term is decided where its request is answered.
        // A pre-vote is granted from whatever term the voter is in.
        if let Message::RequestVote(_)
        | Message::Vote(Vote { round: Round::PreVote, granted: true, .. }) = message
        {
            return true;
        }
        let settings = self.config.failover;
        let fencing = settings.fencing;
        if term > self.term() {
            if !fencing && self.leads() && !message.is_from_leader() {
                // Without fencing nothing deposes a leader but another.
                return true;
            }
            if self.leads() && settings.election == Election::NewestTimestamp {
                // Who has the newer writes is told by a heartbeat, of a leader or of one that follows it, and by nothing
                // else.
                match message {
                    Message::Heartbeat { .. } if self.outranks(from) => {
                        self.become_leader(term.next(), cx);
                        return false;
                    }
                    Message::Heartbeat { .. } => {}
                    _ => return false,
                }
            }
            if settings.election == Election::None && cx.initial_leader() == Some(self.me) {
                // Nobody else ever leads: it was in that term itself, and its disk forgot it.
                self.become_leader(term.next(), cx);
                return false;
            }
            self.advance_term(term, cx);
        } else if term < self.term() && fencing {
            if self.config.defects.has(Defect::ConfirmWhatIsIgnored) {
                acknowledge_ignored(from, message, cx);
            } else if message.is_from_leader() {
                self.send_heartbeat(from, cx);
            }
            return false;
        }
        if !message.is_from_leader() {
            return true;
        }
        if self.leader == Some(from) {
            self.detector.leader_heard = cx.monotonic();
            return true;
        }
        // Without fencing whoever knows of no leader follows the one it hears, be its term over.
        if term == self.term() || (!fencing && self.leader.is_none()) {
            return self.recognise_leader((from, term), cx);
        }
        true
    }

    /// Election by newest timestamp: whether this leader has newer writes than `other`.
    fn outranks(&self, other: NodeId) -> bool {
        self.stamps.newest() > self.detector.newest[other.index()]
    }

    /// Goes to a higher term, in which it knows of no leader yet.
    fn advance_term(&mut self, term: Term, cx: &mut Context<'_, Self>) {
        self.vote_in(term, None, cx);
        if self.leads() {
            self.step_down(cx);
        }
        self.leader = None;
        self.wait_for(None, cx);
        self.start_election_timeout(cx);
    }

    /// A node says that it leads this node's own term: whether this node follows it from now on.
    fn recognise_leader(
        &mut self,
        (other, term): (NodeId, Term),
        cx: &mut Context<'_, Self>,
    ) -> bool {
        if self.bullies(other) && !self.leads() {
            // The next term is above that of the leader, who gives way to a candidate with a higher id.
            if term == self.term() || !self.is_campaigning(Round::Vote) {
                self.campaign(Round::Vote, cx);
            }
            return false;
        }
        let yields = match self.leader {
            None => true,
            // Two leaders of one term: without votes each node judges for itself, and one of the two gives way.
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

    /// Of two leaders of one term, whether `one` is to be followed rather than `other`.
    fn precedes(&self, one: NodeId, other: NodeId) -> bool {
        match self.config.failover.election {
            Election::HighestId => one > other,
            Election::None
            | Election::LowestId { .. }
            | Election::MajorityVote { .. }
            | Election::NewestTimestamp => one < other,
        }
    }

    fn follow(&mut self, leader: NodeId, cx: &mut Context<'_, Self>) {
        self.leader = Some(leader);
        self.detector.leader_heard = cx.monotonic();
        self.joined = false;
        self.early.clear();
        cx.observe(Observation::Role { role: Role::Follower, term: self.term() });
        self.start_election_timeout(cx);
        if let Election::LowestId { pre_empt: true } = self.config.failover.election
            && self.me < leader
            && self.first_of_the_live(cx) == Some(self.me)
        {
            return self.become_leader(self.term().next(), cx);
        }
        self.serve_parked(cx);
    }

    /// Leads no longer: nobody knows what will become of the writes that wait for
    /// acknowledgements.
    fn step_down(&mut self, cx: &mut Context<'_, Self>) {
        self.forget_leading(cx);
        self.leader = None;
        if !self.all_heartbeat() {
            cx.cancel_timer(Timer::Heartbeat);
        }
    }

    /// Leads from now on in `term`, and says so at once.
    pub(super) fn become_leader(&mut self, term: Term, cx: &mut Context<'_, Self>) {
        if self.leads() {
            self.step_down(cx);
        }
        if (term, Some(self.me)) != (self.term(), self.ballot.get().vote()) {
            self.vote_in(term, Some(self.me), cx);
        }
        self.leader = Some(self.me);
        if self.config.failover.look_every.is_none() {
            cx.cancel_timer(Timer::Election);
        }
        cx.observe(Observation::Role { role: Role::Leader, term });
        self.begin_leading(cx);
        self.heartbeat(cx);
        match self.config.failover.catch_up {
            CatchUp::None => self.replicate_all(cx),
            CatchUp::FullState => self.once_durable(Deferred::ShareState, cx),
            CatchUp::Log => {
                let (term, index) = (self.term(), self.log.last().index);
                self.once_durable(Deferred::ShareLog { term, index }, cx);
            }
        }
        self.serve_parked(cx);
    }

    /// Waits for `awaited` to lead, or for nobody in particular.
    fn wait_for(&mut self, awaited: Option<NodeId>, cx: &mut Context<'_, Self>) {
        self.detector.candidacy = Candidacy::Waiting(awaited);
        cx.observe(Observation::Role { role: self.role(), term: self.term() });
    }

    /// Time to send heartbeats.
    pub(super) fn heartbeat(&mut self, cx: &mut Context<'_, Self>) {
        for peer in cx.peers() {
            self.send_heartbeat(peer, cx);
        }
        cx.set_timer(Timer::Heartbeat, self.config.failover.heartbeat);
    }

    pub(super) fn send_heartbeat(&self, to: NodeId, cx: &mut Context<'_, Self>) {
        let (term, leads, last) = (self.term(), self.leads(), self.log.last());
        let in_sync = self.in_sync.shared();
        cx.send(
            to,
            Message::Heartbeat { term, leads, last, newest: self.stamps.newest(), in_sync },
        );
    }

    /// The election timeout of a node that does not lead may be over.
    pub(super) fn election_timeout(&mut self, cx: &mut Context<'_, Self>) {
        let now = cx.monotonic();
        let looks = self.config.failover.look_every;
        if let Some(interval) = looks {
            cx.set_timer(Timer::Election, interval);
        }
        if self.leads() {
            return;
        }
        if self.leader.is_some() || looks.is_some() {
            let last = if self.leader.is_some() {
                self.detector.leader_heard
            } else {
                self.detector.since
            };
            let silent = now.since(last);
            if silent < self.detector.election_timeout {
                let rest =
                    Span::from_nanos(self.detector.election_timeout.nanos() - silent.nanos());
                return self.look_again_after(rest, cx);
            }
        }
        if self.leader.take().is_some() {
            self.wait_for(None, cx);
        }
        self.elect(cx);
    }

    fn elect(&mut self, cx: &mut Context<'_, Self>) {
        match self.config.failover.election {
            Election::None => {}
            Election::LowestId { .. } | Election::NewestTimestamp => self.judge(cx),
            Election::HighestId => match &self.detector.candidacy {
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

    /// Without votes: leads if it is this node's turn among those it hears; else waits for the one whose turn it is.
    fn judge(&mut self, cx: &mut Context<'_, Self>) {
        let next = if self.config.defects.has(Defect::AddressesBeforeIds) {
            // Of the addresses, and those are the others'.
            cx.peers().next()
        } else if self.config.defects.has(Defect::WaitForLowestConfigured) {
            Some(NodeId(0))
        } else if self.config.failover.election == Election::NewestTimestamp {
            self.newest_of_a_majority(cx)
        } else {
            self.first_of_the_live(cx)
        };
        if next == Some(self.me) {
            return self.become_leader(self.term().next(), cx);
        }
        if self.detector.candidacy != Candidacy::Waiting(next) || next.is_none() {
            self.wait_for(next, cx);
        }
        if self.config.defects.has(Defect::RaiseTermWhileWaiting) {
            self.vote_in(self.term().next(), None, cx);
        }
        self.look_again_after(self.config.failover.heartbeat, cx);
    }

    /// The nodes heard from within the timeout, this one included, that may lead.
    fn live(&self, cx: &Context<'_, Self>) -> impl Iterator<Item = NodeId> + '_ {
        let (now, timeout) = (cx.monotonic(), self.config.failover.timeout);
        let is_live = move |node: &NodeId| {
            let heard = self.detector.heard[node.index()];
            *node == self.me || heard.is_some_and(|heard| now.since(heard) < timeout)
        };
        NodeId::all(self.nodes).filter(is_live)
    }

    fn first_of_the_live(&self, cx: &Context<'_, Self>) -> Option<NodeId> {
        self.live(cx).find(|node| self.may_lead(*node))
    }

    fn newest_of_a_majority(&self, cx: &Context<'_, Self>) -> Option<NodeId> {
        let live: Vec<NodeId> = self.live(cx).collect();
        if !self.quorum.is_met_by(|node| live.contains(&node)) {
            return None;
        }
        let newest = |node: &NodeId| {
            if *node == self.me { self.stamps.newest() } else { self.detector.newest[node.index()] }
        };
        let may_lead = live.into_iter().filter(|node| self.may_lead(*node));
        may_lead.max_by_key(|node| (newest(node), std::cmp::Reverse(*node)))
    }

    /// Whether the in-sync set allows it.
    fn may_lead(&self, node: NodeId) -> bool {
        self.config.failover.unclean || self.in_sync.has(node)
    }

    /// Asks for votes in the next term, or whether it would get them.
    fn campaign(&mut self, round: Round, cx: &mut Context<'_, Self>) {
        if !self.may_lead(self.me) {
            self.wait_for(None, cx);
            return self.start_election_timeout(cx);
        }
        if round == Round::Vote {
            self.vote_in(self.term().next(), Some(self.me), cx);
        }
        self.detector.candidacy =
            Candidacy::Campaigning { round, granted: NodeSet::EMPTY, refused: false };
        cx.observe(Observation::Role { role: Role::Candidate, term: self.term() });
        if self.config.failover.election == Election::HighestId {
            cx.set_timer(Timer::Election, self.config.failover.heartbeat);
        } else {
            self.start_election_timeout(cx);
        }
        let request = Deferred::RequestVotes { term: self.term_asked_for(round), round };
        self.once_voted(request, cx);
    }

    /// Goes to `term`, with this vote in it or none yet, and writes that down.
    fn vote_in(&mut self, term: Term, vote: Option<NodeId>, cx: &mut Context<'_, Self>) {
        self.ballot.set(Ballot::new(term, vote), self.in_sync.believed(), cx);
    }

    /// Does what is deferred once term and vote are durable.
    fn once_voted(&mut self, deferred: Deferred, cx: &mut Context<'_, Self>) {
        if let Some(deferred) = self.ballot.once_durable(deferred, cx) {
            self.proceed(deferred, cx);
        }
    }

    /// Its own vote is durable: asks for the others'.
    pub(super) fn request_votes(&mut self, term: Term, round: Round, cx: &mut Context<'_, Self>) {
        if term != self.term_asked_for(round) || !self.is_campaigning(round) {
            return;
        }
        let last = self.last_written();
        for peer in cx.peers() {
            cx.send(peer, Message::RequestVote(VoteRequest { term, last, round }));
        }
        self.count_votes(cx);
    }

    /// The term in which a candidate asks to lead: its own, which it raised when it began to ask,
    /// or in a pre-vote the next one.
    fn term_asked_for(&self, round: Round) -> Term {
        match round {
            Round::PreVote => self.term().next(),
            Round::Vote => self.term(),
        }
    }

    fn is_campaigning(&self, wanted: Round) -> bool {
        self.leader.is_none()
            && matches!(self.detector.candidacy, Candidacy::Campaigning { round, .. } if round == wanted)
    }

    /// Where the writes of this node end, as votes compare it: the last (term, index), or without one log the newest
    /// timestamp.
    fn last_written(&self) -> Position {
        if self.config.failover.is_ordered() {
            return self.log.last();
        }
        let newest = u64::try_from(self.stamps.newest()).unwrap_or(0);
        Position { term: Term(0), index: LogIndex(newest) }
    }

    /// A candidate asks for a vote.
    pub(super) fn vote(
        &mut self,
        candidate: NodeId,
        VoteRequest { term, last, round }: VoteRequest,
        cx: &mut Context<'_, Self>,
    ) {
        if self.bullies(candidate) {
            return self.bully(candidate, cx);
        }
        let up_to_date = match self.config.failover.election {
            Election::MajorityVote { check_log: true, .. } => last >= self.last_written(),
            _ => true,
        };
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
        let may_vote = self.ballot.get().may_vote_for(candidate, term);
        let granted = may && may_vote && !self.leads();
        if granted {
            if self.ballot.get().vote().is_none() || !self.ballot.is_written() {
                self.vote_in(term, Some(candidate), cx);
            }
            if self.leader.is_none() {
                self.wait_for(Some(candidate), cx);
                self.start_election_timeout(cx);
            }
        }
        self.once_voted(Deferred::Vote { to: candidate, term, granted }, cx);
    }

    /// Election by highest id: whether this node is to lead rather than `other`. One that may not lead itself follows.
    fn bullies(&self, other: NodeId) -> bool {
        let by_id = self.config.failover.election == Election::HighestId && self.me > other;
        by_id && self.may_lead(self.me)
    }

    /// Election by highest id: a candidate with a lower id is refused, and this node stands itself.
    fn bully(&mut self, candidate: NodeId, cx: &mut Context<'_, Self>) {
        let answer = Message::Vote(Vote { term: self.term(), granted: false, round: Round::Vote });
        cx.send(candidate, answer);
        if self.leads() {
            self.send_heartbeat(candidate, cx);
        } else if !self.is_campaigning(Round::Vote) {
            if self.leader.take().is_some() {
                self.wait_for(None, cx);
            }
            self.campaign(Round::Vote, cx);
        }
    }

    fn hears_leader(&self, cx: &Context<'_, Self>) -> bool {
        let silent = cx.monotonic().since(self.detector.leader_heard);
        self.leads() || (self.leader.is_some() && silent < self.config.failover.timeout)
    }

    /// Its vote is durable: tells the candidate, unless the term is over.
    pub(super) fn send_vote(
        &self,
        (to, term, granted): (NodeId, Term, bool),
        cx: &mut Context<'_, Self>,
    ) {
        let granted = granted && term == self.term();
        cx.send(to, Message::Vote(Vote { term: self.term(), granted, round: Round::Vote }));
    }

    /// A vote reaches a candidate.
    pub(super) fn voted(&mut self, voter: NodeId, vote: Vote, cx: &mut Context<'_, Self>) {
        if !self.is_campaigning(vote.round)
            || (vote.round == Round::Vote && vote.term != self.term() && vote.granted)
        {
            return;
        }
        let Candidacy::Campaigning { granted, refused, .. } = &mut self.detector.candidacy else {
            return;
        };
        if vote.granted {
            granted.insert(voter);
        } else {
            *refused |= voter > self.me;
        }
        self.count_votes(cx);
    }

    fn count_votes(&mut self, cx: &mut Context<'_, Self>) {
        let Candidacy::Campaigning { round, granted, .. } = &self.detector.candidacy else {
            return;
        };
        let votes = |node| node == self.me || granted.contains(node);
        let has_majority = self.quorum.is_met_by(votes);
        let by_majority = matches!(self.config.failover.election, Election::MajorityVote { .. });
        if !by_majority || !has_majority {
            return;
        }
        if *round == Round::PreVote {
            self.campaign(Round::Vote, cx);
        } else {
            self.become_leader(self.term(), cx);
        }
    }

    /// A follower compares itself with the leader whose heartbeat it hears.
    pub(super) fn compare(
        &mut self,
        from: NodeId,
        (leads, last): (bool, Position),
        cx: &mut Context<'_, Self>,
    ) {
        // Without fencing a follower does as it is told by whoever says that it leads.
        let obeys = self.leader == Some(from) || (!self.config.failover.fencing && !self.leads());
        // A node without room for what it lacks does not ask for it, over and over, until it has.
        let must_wait = self.cannot_write(cx) && self.log.last() != last;
        if !leads || !obeys || must_wait {
            return;
        }
        match self.config.failover.catch_up {
            CatchUp::None => {}
            CatchUp::FullState if self.joined => {}
            CatchUp::FullState => cx.send(from, Message::Join { term: self.term() }),
            CatchUp::Log => self.compare_log(from, last, cx),
        }
    }

    /// What this node waits for before there can be a leader, in words.
    pub(super) fn awaits_leader(&self) -> Option<String> {
        if !self.config.failover.is_on() || self.leader.is_some() {
            return None;
        }
        Some(match &self.detector.candidacy {
            Candidacy::Waiting(Some(node)) => format!("waits for {node} to lead"),
            Candidacy::Waiting(None) => "waits for a leader".to_owned(),
            Candidacy::Campaigning { .. } => "asks for votes".to_owned(),
        })
    }

    /// Whom it waits for.
    pub(super) const fn awaited(&self) -> Option<NodeId> {
        match self.detector.candidacy {
            Candidacy::Waiting(awaited) if self.leader.is_none() => awaited,
            Candidacy::Waiting(_) | Candidacy::Campaigning { .. } => None,
        }
    }

    /// Serves the requests that waited for a leader.
    fn serve_parked(&mut self, cx: &mut Context<'_, Self>) {
        for (request, operation, stamped) in std::mem::take(&mut self.parked) {
            self.stamps.serve(stamped);
            self.serve(request, operation, cx);
        }
    }

    /// Whether requests wait while no leader is known.
    pub(super) fn parks(&self) -> bool {
        self.leader.is_none() && self.config.failover.without_leader == WithoutLeader::Wait
    }
}

/// Acknowledges what came from a leader of a lower term as if it had been taken in: a defect.
fn acknowledge_ignored(leader: NodeId, message: &Message, cx: &mut Context<'_, LeaderFollower>) {
    let (term, version) = match message {
        Message::Replicate { term, entry } => (*term, entry.stored.version),
        Message::ReplicateMany { term, version, .. } | Message::State { term, version, .. } => {
            (*term, *version)
        }
        _ => return,
    };
    cx.send(leader, Message::Ack { term, version });
}
