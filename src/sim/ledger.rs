//! The ledger of the replicated log, fed with what nodes say of theirs.

use crate::check::replicated_log::{LogFindings, Moment};
use crate::id::NodeId;
use crate::protocol::{Observation, Protocol};

use super::Simulation;
use super::event::Queue;

impl<P: Protocol, Q: Queue<P>> Simulation<'_, P, Q> {
    const fn moment(&self) -> Moment {
        Moment { at: self.kernel.now, event: self.kernel.events }
    }

    /// A node said something of its log.
    #[inline]
    pub(super) fn tell_ledger(&mut self, node: NodeId, observation: &Observation) {
        let now = self.moment();
        if let Some(ledger) = &mut self.ledger {
            ledger.observe(now, node, observation);
        }
    }

    /// A node starts, and will say what its log has.
    pub(super) fn tell_ledger_of_start(&mut self, node: NodeId) {
        let now = self.moment();
        if let Some(ledger) = &mut self.ledger {
            ledger.begins_to_start(now, node);
        }
    }

    /// A node has started, or stopped in the attempt.
    pub(super) fn tell_ledger_of_started(&mut self, node: NodeId) {
        let (now, is_up) = (self.moment(), self.slots[node.index()].is_up());
        if let Some(ledger) = &mut self.ledger {
            if is_up {
                ledger.has_started(now, node);
            } else {
                ledger.did_not_start(node);
            }
        }
    }

    /// What the ledger found; `None` where nodes keep no log.
    pub(super) fn log_findings(&mut self) -> Option<LogFindings> {
        let unexamined = Some("there are more than 64 nodes");
        P::keeps_log(self.settings).then(|| match self.ledger.take() {
            Some(ledger) => ledger.into_findings(),
            None => LogFindings { unexamined, ..LogFindings::default() },
        })
    }
}
