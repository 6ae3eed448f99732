//! Faults of clocks: jumps and drift.

use crate::config::Target;
use crate::digest::name_hash;
use crate::id::NodeId;
use crate::property::Hazard;
use crate::protocol::Protocol;
use crate::rng::{CausalId, Cause};
use crate::time::{Span, Time};

use super::super::Simulation;
use super::super::event::Queue;
use super::super::node::Slot;
use super::undo::Undo;
use super::words::{decimal, names, sign};

impl<P: Protocol, Q: Queue<P>> Simulation<'_, P, Q> {
    /// Lets clocks jump; how to undo it, and what was done, in words.
    pub(super) fn start_jump(
        &mut self,
        target: &Target,
        by_ns: i64,
        id: CausalId,
    ) -> (Option<Undo>, String) {
        let nodes = self.machines(target, id);
        self.jump(&nodes, by_ns);
        let by = Span::from_nanos(by_ns.unsigned_abs());
        let text = format!("clock of {} jumps by {}{by}", names(&nodes), sign(by_ns));
        (Some(Undo::Jump { nodes, by_ns }), text)
    }

    /// Lets clocks drift; how to undo it, and what was done, in words.
    pub(super) fn start_drift(
        &mut self,
        index: u32,
        target: &Target,
        ppb: i64,
        id: CausalId,
    ) -> (Option<Undo>, String) {
        let hit = self.machines(target, id);
        for node in &hit {
            self.slots[node.index()].drifts.push((index, ppb));
            self.set_drift(*node, id);
        }
        let by = ppb.unsigned_abs();
        let ppm = decimal(by / 1_000, by % 1_000, 3);
        let text = format!("clock of {} drifts by {}{ppm}ppm", names(&hit), sign(ppb));
        (Some(Undo::Drift(hit)), text)
    }

    /// The drift of this fault is over; what was done, in words.
    pub(super) fn end_drift(&mut self, hit: &[NodeId], index: u32, id: CausalId) -> String {
        for node in hit {
            self.slots[node.index()].drifts.retain(|(fault, _)| *fault != index);
            self.set_drift(*node, id);
        }
        format!("clock of {} keeps its rate again", names(hit))
    }

    pub(super) fn jump(&mut self, nodes: &[NodeId], by_ns: i64) {
        for node in nodes {
            self.slots[node.index()].clock.jump(by_ns);
            self.kernel.befalls(*node, Hazard::ClockSkew);
        }
    }

    /// Gives a node's clocks the rate of the latest fault on them, or their own where there is
    /// none, and moves its running timers to when they run out at that rate.
    fn set_drift(&mut self, node: NodeId, id: CausalId) {
        let own = self.config.clocks[node.index()].drift_ppb;
        let ppb = self.slots[node.index()].drifts.last().map_or(own, |(_, ppb)| *ppb);
        self.kernel.befalls(node, Hazard::ClockDrift);
        let now = self.kernel.now;
        let slot = &mut self.slots[node.index()];
        let local_left =
            |due: Time, slot: &Slot<P>| slot.clock.monotonic(due).since(slot.clock.monotonic(now));
        let running: Vec<_> = slot
            .timers
            .iter()
            .map(|(timer, running)| (timer, local_left(running.due, slot)))
            .collect();
        slot.clock.set_drift(now, ppb);
        for (timer, left) in running {
            let due = now + self.slots[node.index()].clock.true_span(left);
            let id = id.child(Cause::Timer, name_hash(&timer), node.0.into());
            self.start_timer(node, timer, due, id);
        }
    }
}
