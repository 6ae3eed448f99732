//! Faults that wait for a trigger: what has occurred so far, and which faults are due for it.

use crate::config::{Config, Occurrence, Start, Trigger};
use crate::id::NodeId;
use crate::time::Span;

/// The faults whose triggers are still to come.
#[derive(Debug)]
pub(in super::super) struct Triggers {
    armed: Vec<Armed>,
    /// Whether any of them comes before its trigger: then each event is looked at before it is
    /// taken.
    pub(super) looks_ahead: bool,
    /// Whether a node is just starting, and says what it had before.
    pub(super) node_starts: bool,
}

/// A fault that waits for its trigger.
#[derive(Debug)]
struct Armed {
    index: u32,
    trigger: Trigger,
    /// How often it has occurred so far.
    seen: u64,
}

/// A fault that is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct DueFault {
    pub(super) index: u32,
    /// How long after its trigger it starts.
    pub(super) after: Span,
}

impl Triggers {
    /// `None` when every fault starts at a given time.
    pub(in super::super) fn of(config: &Config) -> Option<Box<Self>> {
        let armed = (0..).zip(&config.faults).filter_map(|(index, fault)| match fault.start {
            Start::At(_) => None,
            Start::When(trigger) => Some(Armed { index, trigger, seen: 0 }),
        });
        let armed: Vec<Armed> = armed.collect();
        let looks_ahead = armed.iter().any(Armed::comes_before);
        (!armed.is_empty()).then(|| Box::new(Self { armed, looks_ahead, node_starts: false }))
    }

    /// Takes out the faults that are due when `what` has occurred `count` more times on `node`.
    pub(super) fn take(&mut self, node: NodeId, what: Occurrence, count: u64) -> Vec<DueFault> {
        let reached = |armed: &mut Armed| {
            armed.counts(node, what) && armed.seen + count >= armed.trigger.nth.into()
        };
        if !self.armed.iter_mut().any(reached) {
            return Vec::new();
        }
        let due = self.armed.extract_if(.., reached);
        let due: Vec<DueFault> =
            due.map(|armed| DueFault { index: armed.index, after: armed.trigger.after }).collect();
        if !due.is_empty() {
            self.looks_ahead = self.armed.iter().any(Armed::comes_before);
        }
        due
    }

    /// Counts `what` for the faults that still wait.
    pub(super) fn count(&mut self, node: NodeId, what: Occurrence, count: u64) {
        for armed in self.armed.iter_mut().filter(|armed| armed.counts(node, what)) {
            armed.seen += count;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.armed.is_empty()
    }
}

impl Armed {
    /// Whether the fault starts before what it waits for, and not after.
    const fn comes_before(&self) -> bool {
        matches!(self.trigger.what, Occurrence::Receives(_) | Occurrence::Persists)
    }

    fn counts(&self, node: NodeId, what: Occurrence) -> bool {
        let is_meant = match (self.trigger.what, what) {
            (Occurrence::Receives(None), Occurrence::Receives(_)) => true,
            (waits_for, what) => waits_for == what,
        };
        is_meant && self.trigger.node.is_none_or(|meant| meant == node)
    }
}
