//! The states of nodes that a scenario expects at given times.

use std::cmp::Reverse;

use crate::config::ExpectedState;
use crate::id::NodeId;
use crate::protocol::NodeSnapshot;
use crate::time::Time;

/// What nodes look like when the scenario expects something of them.
#[derive(Debug)]
pub(super) struct StateWatch {
    /// The last first.
    to_come: Vec<Due>,
    /// By place in the file.
    seen: Vec<Option<NodeSnapshot>>,
}

/// A snapshot that is to be taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    at: Time,
    /// The place of the expectation in the file.
    place: usize,
    pub(super) node: NodeId,
}

impl StateWatch {
    pub(super) fn new(states: &[ExpectedState]) -> Self {
        let due = |(place, state): (usize, &ExpectedState)| {
            let ExpectedState { at, node, .. } = *state;
            Due { at, place, node }
        };
        let mut to_come: Vec<Due> = states.iter().enumerate().map(due).collect();
        to_come.sort_by_key(|due| Reverse((due.at, due.place)));
        Self { to_come, seen: states.iter().map(|_| None).collect() }
    }

    pub(super) const fn pending(&self) -> bool {
        !self.to_come.is_empty()
    }

    /// The next snapshot to take, if it is due before the time `next`; any, where that is `None`.
    pub(super) fn take_due(&mut self, next: Option<Time>) -> Option<Due> {
        self.to_come.pop_if(|due| next.is_none_or(|next| next > due.at))
    }

    /// Keeps a snapshot that was due.
    pub(super) fn see(&mut self, due: Due, snapshot: NodeSnapshot) {
        self.seen[due.place] = Some(snapshot);
    }

    pub(super) fn into_snapshots(self) -> Vec<NodeSnapshot> {
        self.seen.into_iter().flatten().collect()
    }
}
