//! The cause of each event, for the comparison of two runs.

use std::collections::BTreeMap;

use crate::protocol::Protocol;
use crate::rng::CausalId;
use crate::time::Time;

use super::super::event::Event;
use super::tapped::Tap;

/// Notes for each event the one that was being played when it was scheduled.
#[derive(Debug, Default)]
pub(crate) struct Lineage {
    /// By the identity of pending events. Two of one identity are siblings and have one parent.
    pending: BTreeMap<CausalId, Option<usize>>,
    /// For each event taken, in order, the place of its cause, if it had one.
    pub(in super::super) parents: Vec<Option<usize>>,
}

impl<P: Protocol> Tap<P> for Lineage {
    fn scheduled(&mut self, _: Time, event: &Event<P>) {
        self.pending.insert(event.id, self.parents.len().checked_sub(1));
    }

    fn taken(&mut self, _: Time, id: CausalId) {
        self.parents.push(self.pending.remove(&id).flatten());
    }
}
