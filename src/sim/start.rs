//! The start of a run: what is known before the first event.

use crate::config::Start;
use crate::id::NodeId;
use crate::property::{Befallen, Hazard};
use crate::protocol::Protocol;
use crate::rng::{CausalId, Root};
use crate::time::Time;

use super::event::{Queue, What};
use super::{Simulation, fault_id};

impl<P: Protocol, Q: Queue<P>> Simulation<'_, P, Q> {
    /// Schedules what the scenario sets, boots the nodes and lets the clients begin.
    pub(super) fn start(&mut self) {
        self.note_clocks();
        for (index, fault) in (0..).zip(&self.config.faults) {
            let id = fault_id(self.names, fault.id);
            if let Start::At(at) = fault.start {
                self.kernel.schedule(at, id, What::Fault { index, starts: true });
            }
        }
        for (index, change) in (0..).zip(&self.config.changes) {
            let id = CausalId::root(Root::Change, index.into(), 0);
            self.kernel.schedule(change.at, id, What::Change { index });
        }
        let healed_at = Time::ZERO + self.config.duration;
        self.kernel.schedule(healed_at, CausalId::root(Root::Run, 0, 0), What::Heal);
        for node in NodeId::all(self.config.cluster.nodes) {
            self.boot(node, CausalId::root(Root::Boot, node.0.into(), 0));
        }
        self.clients().start();
    }

    /// Notes which clocks are wrong from the start.
    fn note_clocks(&mut self) {
        let nodes = NodeId::all(self.config.cluster.nodes).map(Befallen::Node);
        let clients = self.config.client_clocks.iter();
        let clocks = nodes.zip(&self.config.clocks);
        let of_clients = clients.map(|(client, clock)| (Befallen::Client(*client), clock));
        for (befell, clock) in clocks.chain(of_clients) {
            if clock.offset_ns != 0 {
                self.kernel.incidents.note(Hazard::ClockSkew, befell, Time::ZERO);
            }
            if clock.drift_ppb != 0 {
                self.kernel.incidents.note(Hazard::ClockDrift, befell, Time::ZERO);
            }
        }
    }
}
