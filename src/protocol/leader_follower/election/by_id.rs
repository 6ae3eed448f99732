//! Election by id: the lowest id among the live nodes leads, or the highest, by the bully algorithm
//! (Garcia-Molina 1982).

use crate::id::NodeId;
use crate::protocol::leader_follower::config::{Defect, Election};
use crate::protocol::leader_follower::message::{Message, Round, Vote};
use crate::protocol::leader_follower::node::Candidacy;
use crate::protocol::leader_follower::{Cx, LeaderFollower};

impl LeaderFollower {
    /// Without votes: leads if it is this node's turn among those it hears; else waits for the one
    /// whose turn it is.
    pub(crate) fn judge(&mut self, cx: &mut Cx<'_>) {
        let next = if self.replica.config.defects.has(Defect::AddressesBeforeIds) {
            // Of the addresses, and those are the others'.
            cx.peers().next()
        } else if self.replica.config.defects.has(Defect::WaitForLowestConfigured) {
            Some(NodeId(0))
        } else if self.replica.config.failover.election == Election::NewestTimestamp {
            self.newest_of_a_majority(cx)
        } else {
            self.first_of_the_live(cx)
        };
        if next == Some(self.replica.me) {
            return self.become_leader(self.term().next(), cx);
        }
        if self.candidacy != Candidacy::Waiting(next) || next.is_none() {
            self.wait_for(next, cx);
        }
        if self.replica.config.defects.has(Defect::RaiseTermWhileWaiting) {
            self.vote_in(self.term().next(), None, cx);
        }
        self.look_again_after(self.replica.config.failover.heartbeat, cx);
    }

    /// The lowest id of those that are live and may lead.
    pub(crate) fn first_of_the_live(&self, cx: &Cx<'_>) -> Option<NodeId> {
        self.live(cx).find(|node| self.may_lead(*node))
    }

    /// Of two leaders of one term, whether `one` is to be followed rather than `other`.
    pub(crate) fn precedes(&self, one: NodeId, other: NodeId) -> bool {
        let highest_wins = self.replica.config.failover.election == Election::HighestId;
        if highest_wins { one > other } else { one < other }
    }

    /// Election by highest id: whether this node is to lead rather than `other`. One that may not
    /// lead itself follows.
    pub(crate) fn bullies(&self, other: NodeId) -> bool {
        let (election, me) = (self.replica.config.failover.election, self.replica.me);
        election == Election::HighestId && me > other && self.may_lead(me)
    }

    /// Election by highest id: a candidate with a lower id is refused, and this node stands itself.
    pub(crate) fn bully(&mut self, candidate: NodeId, cx: &mut Cx<'_>) {
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
}
