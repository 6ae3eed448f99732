//! A breach of an invariant of the replicated log, and its words.

use crate::id::{LogIndex, NodeId, Position, Term};
use crate::property::Property;
use crate::protocol::StateHash;
use crate::time::Time;

/// A moment of a run: an event, and its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The time.
    pub at: Time,
    /// The number of the event among all events of the run, counted from 1; 0 before the first.
    pub event: u64,
}

/// The first breach of an invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The invariant.
    pub property: Property,
    /// When it was broken.
    pub moment: Moment,
    /// The node that broke it.
    pub node: NodeId,
    /// The term of that node.
    pub term: Term,
    /// The index at which it was broken; `None` of [`Property::Votes`].
    pub index: Option<LogIndex>,
    /// How.
    pub how: How,
}

/// How an invariant was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The node voted for two candidates in one term.
    VotedTwice {
        /// The candidate that it had voted for.
        first: NodeId,
        /// The one that it voted for now.
        second: NodeId,
    },
    /// The node's term went back.
    TermWentBack {
        /// From this one, which it had told of.
        from: Term,
    },
    /// Another log has another entry of the same term at this index.
    EntriesDiffer {
        /// Whose.
        other: NodeId,
        /// The entry's term.
        term: Term,
    },
    /// Another log has the same entry at this index, and another one before it.
    EntriesBeforeDiffer {
        /// Whose.
        other: NodeId,
        /// The entry's term.
        term: Term,
    },
    /// The node led, and cut its log from this index on.
    LeaderCut,
    /// The node leads without an entry that was committed in an earlier term.
    LeaderLacks {
        /// The entry's term.
        term: Term,
        /// The term in which it was committed.
        committed_in: Term,
    },
    /// The node committed another entry than had been committed at this index.
    CommittedAnother {
        /// The term of the entry that had been committed.
        first: Term,
        /// The term of the entry that it committed.
        second: Term,
    },
    /// The node has another state after this index than another had.
    StatesDiffer {
        /// The state of whoever was the first.
        first: StateHash,
        /// The state of this node.
        second: StateHash,
    },
    /// What the node had committed went back to this index.
    CommitWentBack {
        /// From this one.
        from: LogIndex,
    },
    /// What the node had applied went back to this index.
    AppliedWentBack {
        /// From this one.
        from: LogIndex,
    },
    /// The node committed an entry that no quorum of its configuration has durably.
    NoQuorum {
        /// The entry's term.
        term: Term,
        /// How many voters have it durably.
        durable: u32,
        /// How many voters there are.
        voters: u32,
    },
    /// A committed entry is on no node any more.
    OnNoNode {
        /// The entry's term.
        term: Term,
    },
}

impl Breach {
    /// What happened, in a sentence without its end.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { node, term, moment: Moment { at, .. }, .. } = *self;
        let index = self.index.unwrap_or_default();
        let position = |term| Position { term, index };
        let what = match self.how {
            How::VotedTwice { first, second } => {
                format!(
                    "{node} voted for {second} in term {term}, in which it had voted for {first}"
                )
            }
            How::TermWentBack { from } => {
                format!("the term of {node} went back from {from} to {term}")
            }
            How::EntriesDiffer { other, term } => format!(
                "{node} has another entry {} than {other} (term.index): two logs differ in one \
                 entry",
                position(term)
            ),
            How::EntriesBeforeDiffer { other, term } => format!(
                "{node} and {other} have the same entry {} (term.index), and differ in the one \
                 before",
                position(term)
            ),
            How::LeaderCut => {
                format!("{node} led term {term} and cut its own log from index {index} on")
            }
            How::LeaderLacks { term: of, committed_in } => format!(
                "{node} leads term {term} without the entry {} (term.index), which was committed \
                 in term {committed_in}",
                position(of)
            ),
            How::CommittedAnother { first, second } => format!(
                "{node} committed the entry {}, where {} (term.index) had been committed",
                position(second),
                position(first)
            ),
            How::StatesDiffer { first, second } => format!(
                "{node} has the state {second} after index {index}, where another node, or itself \
                 before, had {first}"
            ),
            How::CommitWentBack { from } => {
                format!("what {node} knows to be committed went back from index {from} to {index}")
            }
            How::AppliedWentBack { from } => {
                format!("what {node} has applied went back from index {from} to {index}")
            }
            How::NoQuorum { term: of, durable, voters } => format!(
                "{node} committed the entry {} (term.index), which {durable} of {voters} voters \
                 had durably",
                position(of)
            ),
            How::OnNoNode { term: of } => format!(
                "the committed entry {} (term.index) is on no node any more, since {node} lost it",
                position(of)
            ),
        };
        format!("{what}, at {at} s")
    }
}
