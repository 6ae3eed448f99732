//! What nodes send one another.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::id::{LogIndex, NodeId, Position, Term, Version};
use crate::protocol::parts::entry::StoredEntry;
use crate::protocol::parts::log;
use crate::time::Time;

pub use exchange::{AntiEntropy, Repair};

mod contract;
mod digest;
mod exchange;

/// An entry of the replicated log: a write.
pub type LogEntry = log::LogEntry<StoredEntry>;

/// Everything that a leader stores; behind one pointer, so that no other message is larger for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FullState {
    /// When the leader booted, on its monotonic clock: puts its incarnations in order.
    pub incarnation: Time,
    /// Registers, tombstones included, and elements of lists.
    pub entries: Box<[StoredEntry]>,
}

/// What a leader has at a position of the log, for a follower that lacks what came before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Registers, tombstones included, and elements of lists.
    pub entries: Box<[StoredEntry]>,
    /// The newest timestamp that the leader has seen, where the entries do not show it.
    pub seen: Option<i64>,
}

impl Hash for Installed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { entries, seen } = self;
        entries.hash(state);
        if let Some(seen) = seen {
            seen.hash(state);
        }
    }
}

/// The place of a full state among all that leaders sent: the term, the incarnation of the leader
/// in it, and the number of the write that the state follows. Stamps have no say, for clocks may go
/// back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct StateOrder {
    /// The leader's term.
    pub term: Term,
    /// The leader.
    pub leader: NodeId,
    /// When the leader booted, on its monotonic clock in nanoseconds.
    pub incarnation: u64,
    /// How many writes it had stamped.
    pub sequence: u32,
}

impl StateOrder {
    /// Whether a follower that has taken the state at this place has no use for the one at `other`.
    /// Without fencing a term that is over is as good as another.
    pub(super) fn outdates(self, other: Self, fencing: bool) -> bool {
        let same_leader = (self.term, self.leader) == (other.term, other.leader);
        let came_before = (self.incarnation, self.sequence) >= (other.incarnation, other.sequence);
        (fencing && self.term > other.term) || (same_leader && came_before)
    }
}

/// A message between nodes. Each carries the term in which its sender was when it left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Leader to follower: apply this write.
    Replicate {
        /// The leader's term.
        term: Term,
        /// The write.
        entry: StoredEntry,
    },
    /// Leader to follower: apply these, all part of one write (a clear).
    ReplicateMany {
        /// The leader's term.
        term: Term,
        /// What to name in the acknowledgement.
        version: Version,
        /// The deletes.
        entries: Arc<[StoredEntry]>,
    },
    /// Leader to follower: this is all there is.
    State {
        /// The leader's term.
        term: Term,
        /// The version of the write that it follows, and what to name in the acknowledgement.
        version: Version,
        /// What the leader stores.
        state: Arc<FullState>,
    },
    /// Follower to leader: the write of this version is applied.
    ///
    /// A version names a write for good: the timestamp tells the incarnations of a leader apart, so
    /// that an acknowledgement of an earlier incarnation counts for nothing.
    Ack {
        /// The follower's term.
        term: Term,
        /// Which.
        version: Version,
    },
    /// "I am here", and what the others need to know to judge who leads and who is behind.
    Heartbeat {
        /// The sender's term.
        term: Term,
        /// Whether it leads.
        leads: bool,
        /// Where its log ends.
        last: Position,
        /// The highest timestamp of a write that it stores.
        newest: i64,
        /// The in-sync set that it believes in, where there is one.
        in_sync: Option<Arc<InSync>>,
    },
    /// A candidate asks for a vote, or whether it would get one.
    RequestVote(VoteRequest),
    /// The answer.
    Vote(Vote),
    /// Follower to leader: send me everything.
    Join {
        /// The follower's term.
        term: Term,
    },
    /// Leader to follower: these come behind `previous` in the log. None: does your log end there?
    Append {
        /// The leader's term.
        term: Term,
        /// What comes before them.
        previous: Position,
        /// The entries.
        entries: Arc<[LogEntry]>,
    },
    /// Follower to leader: my log is as yours up to here, durably.
    Appended {
        /// The follower's term.
        term: Term,
        /// The index.
        index: LogIndex,
    },
    /// Follower to leader: my log does not have what came before.
    Behind {
        /// The follower's term.
        term: Term,
        /// The last position that it may have in common with the leader; `None`: it needs the whole
        /// state.
        last: Option<Position>,
    },
    /// Leader to follower: the state at a position of the log, in place of what you have.
    Install {
        /// The leader's term.
        term: Term,
        /// The position.
        position: Position,
        /// Everything the leader stored there.
        state: Arc<Installed>,
    },
    /// Follower to leader: I had these, and your state or log does not.
    Offer {
        /// The follower's term.
        term: Term,
        /// The writes.
        entries: Arc<[StoredEntry]>,
    },
    /// Of a read of several replicas.
    Repair(Repair),
    /// Of the comparison of two replicas.
    AntiEntropy(AntiEntropy),
    /// Leader to follower: apply the writes of this batch, all at once.
    ReplicateBatch {
        /// The leader's term.
        term: Term,
        /// What to name in the acknowledgement.
        version: Version,
        /// The writes, in their order.
        entries: Arc<[StoredEntry]>,
    },
}

/// What a candidate asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VoteRequest {
    /// The term in which it wants to lead.
    pub term: Term,
    /// Where its log ends.
    pub last: Position,
    /// What it asks for.
    pub round: Round,
}

/// The answer to a [`VoteRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Vote {
    /// The voter's term.
    pub term: Term,
    /// Whether it is for the candidate.
    pub granted: bool,
    /// Which round it answers.
    pub round: Round,
}

/// The rounds of an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// The candidate asks whether it would win, and raises no term (Raft thesis section 9.6).
    PreVote,
    /// It asks for votes.
    Vote,
}

impl Round {
    /// The beginning of a message of this round in words.
    const fn prefix(self) -> &'static str {
        match self {
            Self::PreVote => "pre-vote, ",
            Self::Vote => "",
        }
    }
}

/// One byte.
impl Hash for Round {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u8(match self {
            Self::PreVote => 1,
            Self::Vote => 0,
        });
    }
}

/// Who is in sync, as one leader saw it.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct InSync {
    /// The leader's term.
    pub term: Term,
    /// Counts the changes in a term.
    pub epoch: u32,
    /// The nodes, lowest id first.
    pub nodes: Vec<NodeId>,
}

impl Message {
    /// The sender's term; of a request for a vote the term it asks for; 0 where terms have no say.
    #[inline]
    pub(super) const fn term(&self) -> Term {
        match self {
            Self::Replicate { term, .. }
            | Self::ReplicateMany { term, .. }
            | Self::ReplicateBatch { term, .. }
            | Self::State { term, .. }
            | Self::Ack { term, .. }
            | Self::Heartbeat { term, .. }
            | Self::RequestVote(VoteRequest { term, .. })
            | Self::Vote(Vote { term, .. })
            | Self::Join { term }
            | Self::Append { term, .. }
            | Self::Appended { term, .. }
            | Self::Behind { term, .. }
            | Self::Install { term, .. }
            | Self::Offer { term, .. } => *term,
            Self::Repair(_) | Self::AntiEntropy(_) => Term(0),
        }
    }

    /// The term and the version that its acknowledgement names; `None` of what is not acknowledged
    /// by a version.
    pub(super) const fn replicated(&self) -> Option<(Term, Version)> {
        if let Self::Replicate { term, entry } = self {
            return Some((*term, entry.stored.version));
        }
        if let Self::ReplicateMany { term, version, .. }
        | Self::ReplicateBatch { term, version, .. }
        | Self::State { term, version, .. } = self
        {
            return Some((*term, *version));
        }
        None
    }

    /// Whether the rule of the term applies to it: reads and comparisons of replicas know no terms.
    #[inline]
    pub(super) const fn has_term(&self) -> bool {
        !matches!(self, Self::Repair(_) | Self::AntiEntropy(_))
    }

    /// Whether only a leader sends it.
    #[inline]
    pub(super) const fn is_from_leader(&self) -> bool {
        matches!(
            self,
            Self::Heartbeat { leads: true, .. }
                | Self::Replicate { .. }
                | Self::ReplicateMany { .. }
                | Self::ReplicateBatch { .. }
                | Self::State { .. }
                | Self::Append { .. }
                | Self::Install { .. }
        )
    }

    /// Whether it brings writes that a node without room on its disk cannot take in.
    #[inline]
    pub(super) const fn brings_writes(&self) -> bool {
        matches!(self, Self::Offer { .. })
            || self.is_from_leader() && !matches!(self, Self::Heartbeat { .. })
    }

    /// Calls `visit` with every write that it brings.
    #[inline]
    fn each_write(&self, mut visit: impl FnMut(&StoredEntry)) {
        match self {
            Self::Replicate { entry, .. } => visit(entry),
            Self::ReplicateMany { entries, .. }
            | Self::ReplicateBatch { entries, .. }
            | Self::Offer { entries, .. } => {
                entries.iter().for_each(visit);
            }
            Self::State { state, .. } => state.entries.iter().for_each(visit),
            Self::Install { state, .. } => state.entries.iter().for_each(visit),
            Self::Append { entries, .. } => entries.iter().for_each(|entry| visit(&entry.entry)),
            Self::Repair(message) => message.written().into_iter().for_each(visit),
            Self::AntiEntropy(message) => message.entries().iter().for_each(visit),
            Self::Ack { .. }
            | Self::Heartbeat { .. }
            | Self::RequestVote(_)
            | Self::Vote(_)
            | Self::Join { .. }
            | Self::Appended { .. }
            | Self::Behind { .. } => {}
        }
    }
}

// Every write pays for the size of its messages: what reads and comparisons carry must not add to
// it.
const _: () = assert!(size_of::<Message>() <= 40);
