//! What a node has said of itself and its log.

use crate::id::{LogIndex, NodeBits, NodeId, Position, Term};

/// Who votes, by an entry of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LogConfiguration {
    pub(super) index: LogIndex,
    pub(super) voters: NodeBits,
    /// Of a joint configuration, who voted before.
    pub(super) outgoing: NodeBits,
}

/// What a node has said, in all its lives.
#[derive(Clone, Debug)]
pub(super) struct NodeLog {
    /// Its term in this life, at least that of its last vote and of what its log has at a start.
    pub(super) term: Term,
    /// The term that it leads.
    pub(super) leads: Option<Term>,
    /// Its last vote.
    pub(super) voted: Option<(Term, NodeId)>,
    /// The position of its snapshot, which stands for all that came before.
    pub(super) snapshot: Position,
    /// Up to where its snapshot has a state of committed entries.
    pub(super) snapshot_state: LogIndex,
    /// The index of its last entry, or of the snapshot.
    pub(super) last: LogIndex,
    pub(super) durable: LogIndex,
    pub(super) commit: LogIndex,
    pub(super) applied: LogIndex,
    /// The configurations in its log, the latest last, behind the one that it began with.
    configurations: Vec<LogConfiguration>,
    /// While it starts, what it had before.
    pub(super) restated: Option<Restated>,
}

/// What a node that starts had before, and how much of it is there again.
#[derive(Clone, Debug)]
pub(super) struct Restated {
    /// The first index that it has said again.
    pub(super) first: Option<LogIndex>,
    /// Up to where what is there again was durable.
    pub(super) durable: LogIndex,
    pub(super) before: Box<NodeLog>,
}

impl NodeLog {
    /// A node with an empty log, in a cluster in which these vote.
    pub(super) fn new(voters: NodeBits) -> Self {
        let index = LogIndex(0);
        Self {
            term: Term(0),
            leads: None,
            voted: None,
            snapshot: Position::default(),
            snapshot_state: index,
            last: index,
            durable: index,
            commit: index,
            applied: index,
            configurations: vec![LogConfiguration { index, voters, outgoing: NodeBits::EMPTY }],
            restated: None,
        }
    }

    /// The latest configuration in the log.
    pub(super) fn configuration(&self) -> LogConfiguration {
        *self.configurations.last().expect("the first stays")
    }

    /// A configuration is in the log, in place of those of later entries.
    pub(super) fn configure(&mut self, configuration: LogConfiguration) {
        self.forget_configurations(configuration.index);
        self.configurations.push(configuration);
    }

    /// The log was cut from an index on.
    pub(super) fn cut(&mut self, from: LogIndex) {
        self.last = from.before();
        self.durable = self.durable.min(self.last);
        self.forget_configurations(from);
    }

    /// Forgets the configurations of entries from `index` on, but the one that it began with.
    pub(super) fn forget_configurations(&mut self, index: LogIndex) {
        while self.configurations.len() > 1 && self.configuration().index >= index {
            self.configurations.pop();
        }
    }

    /// The node starts, and knows nothing but what it will say.
    pub(super) fn begin_to_start(&mut self) {
        let before = self.clone();
        *self = Self::new(self.configurations[0].voters);
        self.voted = before.voted;
        self.term = self.voted.map_or(Term(0), |(term, _)| term);
        let (durable, before) = (before.durable, Box::new(before));
        self.restated = Some(Restated { first: None, durable, before });
    }

    /// The node does not start, and has what it had before. It leads nobody.
    pub(super) fn give_up_start(&mut self) {
        if let Some(Restated { before, .. }) = self.restated.take() {
            *self = Self { leads: None, ..*before };
        }
    }
}
