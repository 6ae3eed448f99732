//! A ledger that listens to the nodes of a harness.

use crate::id::NodeId;
use crate::protocol::Observation;
use crate::protocol::harness::Listener;
use crate::time::Time;

use super::breach::Moment;
use super::ledger::LogLedger;

/// In a harness every observation is an event of its own.
impl Listener for LogLedger {
    fn starts(&mut self, now: Time, node: NodeId) {
        let moment = self.next_moment(now);
        self.begins_to_start(moment, node);
    }

    fn has_started(&mut self, now: Time, node: NodeId, is_up: bool) -> Option<String> {
        let (moment, known) = (self.next_moment(now), self.breaches().len());
        if is_up {
            Self::has_started(self, moment, node);
        } else {
            self.did_not_start(node);
        }
        self.said_since(known)
    }

    fn hears(&mut self, now: Time, node: NodeId, observation: &Observation) -> Option<String> {
        let (moment, known) = (self.next_moment(now), self.breaches().len());
        self.observe(moment, node, observation);
        self.said_since(known)
    }
}

impl LogLedger {
    const fn next_moment(&self, at: Time) -> Moment {
        Moment { at, event: self.now().event + 1 }
    }

    /// The breaches behind the first `known`, in words.
    fn said_since(&self, known: usize) -> Option<String> {
        let new = self.breaches()[known..].iter();
        let said = new.map(|one| format!("broken: {}: {}", one.property, one.sentence()));
        Some(said.collect::<Vec<_>>().join("; ")).filter(|said| !said.is_empty())
    }
}
