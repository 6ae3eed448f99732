//! The nemesis: starts the scenario's faults, ends them, and heals everything when the fault phase
//! is over.

use crate::config::{FaultAction, HealWhat};
use crate::id::{FaultId, NodeId};
use crate::protocol::Protocol;
use crate::rng::{CausalId, Cause};

use super::Simulation;
use super::event::{Queue, What};
use super::node::{Down, DownCause, DownUntil};
use undo::Undo;
use words::names;

mod clock;
mod disks;
mod network;
mod process;
mod strike;
mod targets;
pub(super) mod triggers;
pub(super) mod undo;
mod words;

impl<P: Protocol, Q: Queue<P>> Simulation<'_, P, Q> {
    /// Notes what the nemesis did.
    fn act(&mut self, fault: Option<FaultId>, starts: bool, what: String) {
        self.kernel.trace("nemesis", ". act", || what.clone());
        self.kernel.history.act(self.kernel.now, fault, starts, what);
    }

    /// A fault starts.
    pub(super) fn start_fault(&mut self, index: u32, id: CausalId) {
        if self.settling() {
            // With random ties a fault may come after the end of the fault phase at that instant.
            return;
        }
        let fault = &self.config.faults[index as usize];
        self.note_impact(index, id);
        let (undo, what) = self.inflict(index, id);
        self.act(Some(fault.id), true, what);
        if undo.is_some() {
            self.undo[index as usize] = undo;
            if let Some(lasts) = fault.lasts {
                let id = id.child(Cause::End, 0, 0);
                self.kernel.schedule_after(lasts, id, What::Fault { index, starts: false });
            }
        }
    }

    /// Does what a fault does; how to undo it, and what was done, in words.
    fn inflict(&mut self, index: u32, id: CausalId) -> (Option<Undo>, String) {
        let fault = &self.config.faults[index as usize];
        let until = if fault.forever { DownUntil::ForGood } else { DownUntil::Restart };
        match &fault.action {
            FaultAction::Partition(_)
            | FaultAction::MajoritiesRing
            | FaultAction::Bridge(_)
            | FaultAction::Isolate(_)
            | FaultAction::Block(_)
            | FaultAction::Clog(_)
            | FaultAction::Slow { .. }
            | FaultAction::Drop { .. } => self.inflict_on_network(index, id),
            FaultAction::Disk { target, fault } => self.inflict_on_disks(index, id, target, fault),
            FaultAction::Heal(HealWhat::Network) => {
                for index in self.network.active() {
                    self.end_network_fault(index);
                }
                (None, "heal the network".to_owned())
            }
            FaultAction::Heal(HealWhat::Fault(healed)) => {
                self.end_fault(healed.0, id);
                (None, format!("heal {}", self.names.fault(*healed)))
            }
            FaultAction::Crash(target) => {
                self.bring_down(target, Down { cause: DownCause::Crash, until }, id)
            }
            FaultAction::PowerLoss(target) => {
                self.bring_down(target, Down { cause: DownCause::PowerLoss, until }, id)
            }
            FaultAction::Restart { target, empty_disk } => {
                (None, self.bring_up(target, *empty_disk, id))
            }
            FaultAction::Pause(target) => self.pause(target, id),
            FaultAction::Resume(target) => (None, self.resume_all(target, id)),
            FaultAction::ClockJump { target, by_ns } => self.start_jump(target, *by_ns, id),
            FaultAction::ClockDrift { target, ppb } => self.start_drift(index, target, *ppb, id),
        }
    }

    /// A fault ends, by itself or because something heals it.
    pub(super) fn end_fault(&mut self, index: u32, id: CausalId) {
        let Some(undo) = self.undo[index as usize].take() else { return };
        let what = match undo {
            Undo::Network => {
                self.undo[index as usize] = Some(Undo::Network);
                self.end_network_fault(index);
                return;
            }
            Undo::Restart(hit) => self.restart_after_fault(hit, id),
            Undo::Resume(hit) => self.resume_after_fault(hit),
            Undo::Jump { nodes, by_ns } => {
                self.jump(&nodes, -by_ns);
                format!("clock of {} jumps back", names(&nodes))
            }
            Undo::Disk(hit) => self.mend_disks(&hit, index),
            Undo::Drift(hit) => self.end_drift(&hit, index, id),
        };
        let fault = self.config.faults[index as usize].id;
        self.act(Some(fault), false, what);
    }

    /// The fault phase is over: network and disks heal, and nodes resume and restart unless they
    /// are down for good. Clocks keep what they have.
    pub(super) fn heal_all(&mut self, id: CausalId) {
        self.disarm();
        self.act(None, false, "the fault phase ends".to_owned());
        for index in self.network.active() {
            self.end_network_fault(index);
        }
        for index in 0..u32::try_from(self.undo.len()).expect("a file of at most 16 MiB") {
            if matches!(self.undo[index as usize], Some(Undo::Disk(_))) {
                self.end_fault(index, id);
            }
        }
        let nodes = || NodeId::all(self.config.cluster.nodes);
        let paused: Vec<NodeId> = nodes().filter(|n| self.slots[n.index()].paused).collect();
        if !paused.is_empty() {
            self.act(None, false, format!("resume {}", names(&paused)));
        }
        for node in paused {
            self.resume(node);
        }
        let stays = |node: &NodeId| self.slots[node.index()].down_for_good;
        let down: Vec<NodeId> = nodes().filter(|n| !self.is_up(*n) && !stays(n)).collect();
        if !down.is_empty() {
            self.act(None, false, format!("restart {}", names(&down)));
        }
        for node in down {
            self.restart(node, id);
        }
        // Nothing is left to end but faults of clocks, and clocks keep what they have.
        self.undo.fill_with(|| None);
        self.clients.stop(self.kernel.now);
        self.look_for_the_last_write();
        self.begin_settling(id);
    }

    /// Settings change.
    pub(super) fn change(&mut self, index: u32) {
        let change = &self.config.changes[index as usize];
        self.network.configure(&change.network);
        if let Some(workload) = &change.workload {
            self.clients.configure(workload);
        }
    }
}
