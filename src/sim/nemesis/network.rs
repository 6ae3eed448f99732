//! Faults of the network: what the nemesis puts on it, and takes off.

use crate::config::{FaultAction, Group, Route};
use crate::id::{ClientId, NodeId, NodeSet};
use crate::protocol::{Message, Protocol};
use crate::rng::{CausalId, Probability};

use super::super::event::{Event, Hop, Queue, What};
use super::super::network::Packet;
use super::super::network::faults::{self, Ends, NetworkFault};
use super::super::{HeldMessage, Simulation, fault_id};
use super::undo::Undo;
use super::words::{decimal, names};

impl<P: Protocol, Q: Queue<P>> Simulation<'_, P, Q> {
    /// Puts a fault on the network; what it did, in words.
    pub(super) fn inflict_on_network(
        &mut self,
        index: u32,
        id: CausalId,
    ) -> (Option<Undo>, String) {
        let fault = &self.config.faults[index as usize];
        let (on_network, text) = self.network_fault(&fault.action, id);
        let undo = on_network.map(|on_network| {
            self.network.start(index, fault_id(self.names, fault.id), on_network);
            Undo::Network
        });
        (undo, text)
    }

    /// What a fault is on this network now, and in words; `None` where it hits nobody.
    fn network_fault(&self, action: &FaultAction, id: CausalId) -> (Option<NetworkFault>, String) {
        let nodes = self.config.cluster.nodes;
        let (fault, text) = match action {
            FaultAction::Partition(groups) => {
                let text = format!("partition {}", self.groups_text(groups));
                (faults::partition(nodes, groups), text)
            }
            FaultAction::MajoritiesRing => {
                (faults::majorities_ring(nodes), "majorities ring".to_owned())
            }
            FaultAction::Bridge(target) => match self.machines(target, id)[..] {
                [bridge, ..] => (faults::bridge(nodes, bridge), format!("bridge over {bridge}")),
                [] => return (None, "bridge: nobody to hit".to_owned()),
            },
            FaultAction::Isolate(target) => {
                let hit = self.machines(target, id);
                let text = format!("isolate {}", names(&hit));
                (faults::isolate(nodes, &hit.into_iter().collect()), text)
            }
            FaultAction::Block(route) => {
                let (ends, text) = self.ends(route, id);
                (faults::block(nodes, &ends), format!("block {text}"))
            }
            FaultAction::Clog(route) => {
                let (ends, text) = self.ends(route, id);
                (NetworkFault::Clog(ends), format!("clog {text}"))
            }
            FaultAction::Slow { route, extra } => {
                let (ends, text) = self.ends(route, id);
                (NetworkFault::Slow(ends, extra.clone()), format!("slow {text}"))
            }
            FaultAction::Drop { route, kind, probability } => {
                let (ends, text) = self.ends(route, id);
                let what = drop_text::<P::Message>(*kind, *probability);
                (NetworkFault::Drop(ends, *kind, *probability), format!("{what} {text}"))
            }
            FaultAction::Disk { .. }
            | FaultAction::Heal(_)
            | FaultAction::Crash(_)
            | FaultAction::PowerLoss(_)
            | FaultAction::Restart { .. }
            | FaultAction::Pause(_)
            | FaultAction::Resume(_)
            | FaultAction::ClockJump { .. }
            | FaultAction::ClockDrift { .. } => unreachable!("no fault of the network"),
        };
        (Some(fault), text)
    }

    /// Takes a fault off the network; what it held back travels on.
    pub(super) fn end_network_fault(&mut self, index: u32) {
        self.undo[index as usize] = None;
        if !self.network.end(index) {
            return;
        }
        self.release(index);
        self.let_go(index);
        let fault = self.config.faults[index as usize].id;
        let what = format!("{} heals", self.names.fault(fault));
        self.act(Some(fault), false, what);
    }

    /// The clog of this index is over: what it held back travels on, in the order in which it was
    /// sent.
    #[cold]
    fn release(&mut self, index: u32) {
        for HeldMessage { fault, event, slower } in std::mem::take(&mut self.held) {
            let (from, to) = event.what.link().expect("clogs hold back what goes between nodes");
            let still = if fault == index { self.network.clog_on(from, to) } else { Some(fault) };
            if let Some(fault) = still {
                self.held.push(HeldMessage { fault, event, slower });
                continue;
            }
            let Event { id, what } = event;
            if let What::Refused { to, from, boot, message } = what {
                self.release_refusal(id, Hop { from, to, boot }, message, slower);
                continue;
            }
            let What::Message { to, from, boot, message } = what else {
                unreachable!("it has no link")
            };
            let size = self.weigh(&message);
            let packet = Packet { from, to, kind: message.kind(), size, id };
            let (now, draws) = (self.kernel.now, &self.kernel.draws);
            let fate = self.network.depart(packet, slower, now, draws);
            self.put_on_its_way(Hop { from, to, boot }, id, message, fate);
        }
    }

    /// The slowness of this index is over: what it still delays arrives.
    fn let_go(&mut self, index: u32) {
        let now = self.kernel.now;
        let kernel = &mut self.kernel;
        self.network.let_go(index, now, |event, at| {
            let Event { id, what } = kernel.revoke(event)?;
            Some(kernel.schedule_revocable(at, id, what))
        });
    }

    fn ends(&self, route: &Route, id: CausalId) -> (Ends, String) {
        let (from, to) = (self.machines(&route.from, id), self.machines(&route.to, id));
        let arrow = if route.both_ways { "<->" } else { "->" };
        // A fault does not touch what a node sends to itself.
        let others = |to: &NodeId| from.len() != 1 || to != &from[0];
        let named: Vec<NodeId> = to.iter().copied().filter(others).collect();
        let text = format!("{} {arrow} {}", names(&from), names(&named));
        let set = |nodes: Vec<NodeId>| nodes.into_iter().collect::<NodeSet>();
        (Ends { from: set(from), to: set(to), both_ways: route.both_ways }, text)
    }

    fn groups_text(&self, groups: &[Group]) -> String {
        let client = |client: &ClientId| self.names.client(*client).to_owned();
        let side = |group: &Group| {
            let nodes = group.nodes.iter().map(ToString::to_string);
            nodes.chain(group.clients.iter().map(client)).collect::<Vec<_>>().join(" ")
        };
        let mut sides: Vec<String> = groups.iter().map(side).collect();
        let grouped = |node: &NodeId| groups.iter().any(|group| group.nodes.contains(node));
        let rest: Vec<NodeId> =
            NodeId::all(self.config.cluster.nodes).filter(|node| !grouped(node)).collect();
        if !rest.is_empty() {
            sides.push(names(&rest));
        }
        sides.join(" | ")
    }
}

/// `drop 5% of replicate messages`.
fn drop_text<M: Message>(kind: Option<u8>, probability: Probability) -> String {
    let ppm = u64::from(probability.parts_per_billion() / 1_000);
    let share = decimal(ppm / 10_000, ppm % 10_000, 4);
    match kind {
        Some(kind) => format!("drop {share}% of {} messages", M::KINDS[usize::from(kind)]),
        None => format!("drop {share}% of messages"),
    }
}
