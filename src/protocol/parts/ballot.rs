//! A node's term and its vote in it: what Raft calls `currentTerm` and `votedFor` (figure 2).
//!
//! A node that forgets them may vote twice in a term, or follow a leader although it has promised
//! not to, so a ballot is durable before any message reveals it.

use crate::id::{NodeId, Term};

/// Term and vote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ballot {
    term: Term,
    vote: Option<NodeId>,
}

impl Ballot {
    /// A ballot as it was written down.
    #[must_use]
    pub const fn new(term: Term, vote: Option<NodeId>) -> Self {
        Self { term, vote }
    }

    /// The current term.
    #[must_use]
    #[inline]
    pub const fn term(&self) -> Term {
        self.term
    }

    /// The candidate that the node has voted for in it.
    #[must_use]
    pub const fn vote(&self) -> Option<NodeId> {
        self.vote
    }

    /// The node was in `term`, whatever else it forgot: a lower term of its own is over. Whether
    /// that is so.
    pub fn advance(&mut self, term: Term) -> bool {
        let is_new = term > self.term;
        if is_new {
            *self = Self { term, vote: None };
        }
        is_new
    }

    /// Whether the node may vote for `candidate` in `term`: its own term, in which it has voted
    /// for nobody else.
    #[must_use]
    pub fn may_vote_for(&self, candidate: NodeId, term: Term) -> bool {
        term == self.term && self.vote.is_none_or(|vote| vote == candidate)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The twin remembers every vote that was ever given.
        #[test]
        fn a_node_votes_for_one_candidate_a_term_and_its_term_never_falls(
            requests in proptest::collection::vec((0..5_u32, 0..3_u16), 0..30),
        ) {
            let mut ballot = Ballot::default();
            let mut votes: BTreeMap<Term, NodeId> = BTreeMap::new();
            for (term, candidate) in requests {
                let (term, candidate, before) = (Term(term), NodeId(candidate), ballot.term());
                prop_assert_eq!(ballot.advance(term), term > before);
                prop_assert_eq!(ballot.term(), term.max(before));
                let granted = ballot.may_vote_for(candidate, term);
                let first = votes.get(&term).is_none_or(|vote| *vote == candidate);
                prop_assert_eq!(granted, term >= before && first);
                if granted {
                    ballot = Ballot::new(term, Some(candidate));
                    votes.insert(term, candidate);
                }
                let later = ballot.term().next();
                prop_assert!(!ballot.may_vote_for(candidate, later), "not there yet");
                prop_assert_eq!(ballot.vote(), votes.get(&ballot.term()).copied());
            }
        }
    }
}
