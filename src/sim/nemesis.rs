//! The nemesis: plays the scenario's faults, ends them, and heals everything when the fault phase is over.

use crate::config::{FaultAction, Group, HealWhat, Occurrence, Route, Target};
use crate::id::{ClientId, FaultId, NodeId, NodeSet};
use crate::property::Hazard;
use crate::protocol::{Message, Protocol, Role};
use crate::rng::{CausalId, Cause, Purpose};
use crate::time::{Span, Time};

use super::event::{Event, What};
use super::network::{self, Ends, NetworkFault, Packet};
use super::queue::EventQueue;
use super::record::NodeEventKind;
use super::watch::PowerLoss;
mod disks;

use super::Simulation;

/// What ends a fault that is on.
#[derive(Debug)]
pub(super) enum Undo {
    /// Take it off the network, and send on what it held back.
    Network,
    /// Restart these, if they are still down.
    Restart(Vec<NodeId>),
    /// Let these go on.
    Resume(Vec<NodeId>),
    /// Let these clocks jump back by this much.
    Jump(Vec<NodeId>, i64),
    /// Give these clocks back the drift they would have without it.
    Drift(Vec<NodeId>),
    /// These disks are as they were.
    Disk(Vec<NodeId>),
}

impl<P: Protocol, Q: EventQueue<Event<P>>> Simulation<'_, P, Q> {
    /// Notes what the nemesis did.
    fn act(&mut self, fault: Option<FaultId>, starts: bool, what: String) {
        self.kernel.trace.line(self.kernel.now, "nemesis", ". act", &what);
        self.kernel.history.act(self.kernel.now, fault, starts, what);
    }

    /// A fault starts.
    pub(super) fn start_fault(&mut self, index: u32, id: CausalId) {
        if self.settling() {
            // At the instant at which the fault phase ends, random ties may put the fault after the end.
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

    /// Does what a fault does; how to undo it, and what it did in words.
    fn inflict(&mut self, index: u32, id: CausalId) -> (Option<Undo>, String) {
        let fault = &self.config.faults[index as usize];
        let nodes = self.config.cluster.nodes;
        match &fault.action {
            FaultAction::Partition(groups) => {
                let text = format!("partition {}", self.groups_text(groups));
                self.on_network(index, network::partition(nodes, groups), text)
            }
            FaultAction::MajoritiesRing => {
                let text = "majorities ring".to_owned();
                self.on_network(index, network::majorities_ring(nodes), text)
            }
            FaultAction::Bridge(target) => match self.machines(target, id)[..] {
                [bridge, ..] => {
                    let text = format!("bridge over {bridge}");
                    self.on_network(index, network::bridge(nodes, bridge), text)
                }
                [] => (None, "bridge: nobody to hit".to_owned()),
            },
            FaultAction::Isolate(target) => {
                let hit = self.machines(target, id);
                let text = format!("isolate {}", names(&hit));
                self.on_network(index, network::isolate(nodes, &hit.into_iter().collect()), text)
            }
            FaultAction::Block(route) => {
                let (ends, text) = self.ends(route, id);
                self.on_network(index, network::block(nodes, &ends), format!("block {text}"))
            }
            FaultAction::Clog(route) => {
                let (ends, text) = self.ends(route, id);
                self.on_network(index, NetworkFault::Clog(ends), format!("clog {text}"))
            }
            FaultAction::Slow { route, extra } => {
                let (ends, text) = self.ends(route, id);
                let fault = NetworkFault::Slow(ends, extra.clone());
                self.on_network(index, fault, format!("slow {text}"))
            }
            FaultAction::Drop { route, kind, probability } => {
                let (ends, text) = self.ends(route, id);
                let fault = NetworkFault::Drop(ends, *kind, *probability);
                let ppm = probability.parts_per_billion() / 1_000;
                let share = format!("{}.{:04}", ppm / 10_000, ppm % 10_000);
                let share = share.trim_end_matches('0').trim_end_matches('.');
                let what = kind.map_or("message", |kind| P::Message::KINDS[usize::from(kind)]);
                let text = format!("drop {share}% of {what} messages {text}");
                self.on_network(index, fault, text.replace("message messages", "messages"))
            }
            FaultAction::Disk { target, fault } => {
                self.inflict_on_disks((index, id), (target, fault))
            }
            FaultAction::Heal(HealWhat::Network) => {
                for index in self.network.active() {
                    self.end_network_fault(index);
                }
                (None, "heal the network".to_owned())
            }
            FaultAction::Heal(HealWhat::Fault(healed)) => {
                self.end_fault(healed.0, id);
                (None, format!("heal {}", self.config.names.fault(*healed)))
            }
            FaultAction::Crash(target) => self.bring_down(target, (false, fault.forever), id),
            FaultAction::PowerLoss(target) => self.bring_down(target, (true, fault.forever), id),
            FaultAction::Restart { target, empty_disk } => {
                (None, self.bring_up(target, *empty_disk, id))
            }
            FaultAction::Pause(target) => {
                let hit = self.resolve(target, id);
                for node in &hit {
                    self.slots[node.index()].paused = true;
                    self.any_paused = true;
                    self.record(*node, NodeEventKind::Paused);
                }
                let text = format!("pause {}", names(&hit));
                (Some(Undo::Resume(hit)), text)
            }
            FaultAction::Resume(target) => {
                let paused = |node: NodeId, sim: &Self| sim.slots[node.index()].paused;
                let hit = self.resolve_among(target, id, paused);
                for node in &hit {
                    self.forget_pauses(*node);
                    self.resume(*node);
                }
                (None, format!("resume {}", names(&hit)))
            }
            FaultAction::ClockJump { target, by_ns } => {
                let hit = self.machines(target, id);
                self.jump(&hit, *by_ns);
                let (sign, by) = (if *by_ns < 0 { "-" } else { "" }, by_ns.unsigned_abs());
                let text =
                    format!("clock of {} jumps by {sign}{}", names(&hit), Span::from_nanos(by));
                (Some(Undo::Jump(hit, *by_ns)), text)
            }
            FaultAction::ClockDrift { target, ppb } => {
                let hit = self.machines(target, id);
                for node in &hit {
                    self.slots[node.index()].drifts.push((index, *ppb));
                    self.set_drift(*node, id);
                }
                let (sign, by) = (if *ppb < 0 { "-" } else { "" }, ppb.unsigned_abs());
                let ppm = format!("{}.{:03}", by / 1_000, by % 1_000);
                let ppm = ppm.trim_end_matches('0').trim_end_matches('.');
                let text = format!("clock of {} drifts by {sign}{ppm}ppm", names(&hit));
                (Some(Undo::Drift(hit)), text)
            }
        }
    }

    /// Crashes nodes, and with `power` their machines: those lose what their disks had not synced even where the
    /// process was down already.
    fn bring_down(
        &mut self,
        target: &Target,
        (power, for_good): (bool, bool),
        id: CausalId,
    ) -> (Option<Undo>, String) {
        // Looked up before anybody is down: what describes a live node would describe the next one then.
        let machines = self.machines(target, id);
        let hit = self.resolve(target, id);
        for node in &hit {
            self.crash(*node, (power, for_good), id);
        }
        if !power {
            let text = format!("crash {}", names(&hit));
            return (Some(Undo::Restart(hit)), text);
        }
        let also: Vec<NodeId> = machines.into_iter().filter(|n| !hit.contains(n)).collect();
        for node in &also {
            let lost = self.cut_power(*node, id);
            if let (Some(watch), Some(lost)) = (&mut self.watch, lost) {
                watch.power_cut(self.kernel.now, *node, &lost);
            }
        }
        let text = match (&hit[..], &also[..]) {
            (_, []) => format!("power loss of {}", names(&hit)),
            ([], _) => format!("power loss of {}, down already", names(&also)),
            _ => format!("power loss of {}, and of {}, down already", names(&hit), names(&also)),
        };
        (Some(Undo::Restart(hit)), text)
    }

    /// Restarts nodes that are down; what was done, in words.
    fn bring_up(&mut self, target: &Target, empty_disk: bool, id: CausalId) -> String {
        let down = |node: NodeId, sim: &Self| !sim.slots[node.index()].is_up();
        let hit = self.resolve_among(target, id, down);
        for node in &hit {
            if empty_disk {
                self.slots[node.index()].disk.wipe();
                self.slots[node.index()].last_data = None;
                self.kernel.befalls(*node, Hazard::EmptyDisk);
                if let Some(watch) = &mut self.watch {
                    watch.disk_replaced(self.kernel.now, *node);
                }
            }
            self.restart(*node, id);
        }
        let disk = if empty_disk { " with an empty disk" } else { "" };
        format!("restart {}{disk}", names(&hit))
    }

    fn on_network(
        &mut self,
        index: u32,
        fault: NetworkFault,
        text: String,
    ) -> (Option<Undo>, String) {
        let id = super::fault_id(self.config, self.config.faults[index as usize].id);
        self.network.start(index, id, fault);
        (Some(Undo::Network), text)
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
            Undo::Restart(hit) => {
                // Who was restarted before, and is down again, is down for another reason.
                let down: Vec<NodeId> = hit.into_iter().filter(|n| !self.is_up(*n)).collect();
                for node in &down {
                    self.restart(*node, id);
                }
                format!("restart {}", names(&down))
            }
            Undo::Resume(mut hit) => {
                // Who is paused by another fault too stays paused until that ends.
                for undo in self.undo.iter().flatten() {
                    if let Undo::Resume(others) = undo {
                        hit.retain(|node| !others.contains(node));
                    }
                }
                for node in &hit {
                    self.resume(*node);
                }
                format!("resume {}", names(&hit))
            }
            Undo::Jump(hit, by_ns) => {
                self.jump(&hit, -by_ns);
                format!("clock of {} jumps back", names(&hit))
            }
            Undo::Disk(hit) => self.mend_disks(&hit, index),
            Undo::Drift(hit) => {
                for node in &hit {
                    self.slots[node.index()].drifts.retain(|(fault, _)| *fault != index);
                    self.set_drift(*node, id);
                }
                format!("clock of {} keeps its rate again", names(&hit))
            }
        };
        let fault = self.config.faults[index as usize].id;
        self.act(Some(fault), false, what);
    }

    /// Takes a fault off the network and sends on what it held back.
    fn end_network_fault(&mut self, index: u32) {
        self.undo[index as usize] = None;
        if !self.network.end(index) {
            return;
        }
        self.release(index);
        self.let_go(index);
        let fault = self.config.faults[index as usize].id;
        let what = format!("{} heals", self.config.names.fault(fault));
        self.act(Some(fault), false, what);
    }

    /// The fault phase is over: the network heals, nodes resume and restart unless they are down for good. Clocks
    /// keep what they have.
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
        // What would have ended a fault later has nothing left to end: clocks keep what they have.
        self.undo.fill_with(|| None);
        self.clients.stop(self.kernel.now);
        self.look_for_the_last_write();
        self.begin_settling(id);
    }

    /// The clog of this index is over: what it held back travels on, in the order in which it was sent.
    #[cold]
    fn release(&mut self, index: u32) {
        for (fault, event, slower) in std::mem::take(&mut self.held) {
            let What::Message { to, from, boot, message } = event.what else {
                self.release_refusal((fault, index), event, slower);
                continue;
            };
            let id = event.id;
            let size = self.weigh(&message);
            let packet = Packet { from, to, kind: message.kind(), size, id };
            let held_by = if fault == index { self.network.clog_on(from, to) } else { Some(fault) };
            if let Some(fault) = held_by {
                let event = Event { id, what: What::Message { to, from, boot, message } };
                self.held.push((fault, event, slower));
                continue;
            }
            let fate = self.network.depart(packet, slower, self.kernel.now, &self.kernel.draws);
            self.put_on_its_way((from, to, boot), id, message, fate);
        }
    }

    /// The slowness of this index is over: what it still holds back arrives.
    fn let_go(&mut self, index: u32) {
        let now = self.kernel.now;
        let kernel = &mut self.kernel;
        self.network.let_go(index, now, |event, at| {
            let Event { id, what } = kernel.revoke(event)?;
            Some(kernel.schedule_revocable(at, id, what))
        });
    }

    /// Settings change.
    pub(super) fn change(&mut self, index: u32) {
        let change = &self.config.changes[index as usize];
        self.network.configure(&change.network);
        if let Some(workload) = &change.workload {
            self.clients.configure(workload);
        }
    }

    pub(super) fn is_up(&self, node: NodeId) -> bool {
        self.slots[node.index()].is_up()
    }

    /// A node's process dies, and with `power` its machine.
    pub(super) fn crash(&mut self, node: NodeId, (power, for_good): (bool, bool), id: CausalId) {
        let slot = &mut self.slots[node.index()];
        if P::REPLAY_RESTORES_DATA
            && let Some(state) = &slot.state
        {
            slot.last_data = Some(state.snapshot().data);
        }
        slot.state = None;
        slot.role = None;
        slot.paused = false;
        slot.lost_memory = true;
        slot.down_for_good |= for_good;
        let backlog = std::mem::take(&mut slot.backlog);
        self.stop_timers(node);
        self.any_paused = self.slots.iter().any(|slot| slot.paused);
        self.forget_pauses(node);
        self.kernel.befalls(node, Hazard::Crash);
        if for_good {
            self.kernel.befalls(node, Hazard::StayedDown);
        }
        let lost = if power { self.cut_power(node, id) } else { None };
        for event in backlog {
            if self.kernel.trace.wanted() {
                self.trace_never_resumed(&event.what);
            }
            match event.what {
                // The process took it and died: its sender hears nothing.
                What::Message { to, from, message, .. } => {
                    self.kernel.in_flight -= u64::from(!message.is_background());
                    self.kernel.lose((from, to), false);
                }
                What::Refused { message, .. } => {
                    self.kernel.in_flight -= u64::from(!message.is_background());
                }
                // The process took it and died: the client hears nothing.
                What::Request { .. } => self.kernel.counts.lost += 1,
                // Timers and syncs of a process that is no more; nothing else waits for a node.
                _ => {}
            }
        }
        self.end_leadership(node);
        self.look_at_differences();
        if let Some(watch) = &mut self.watch {
            let disk = &self.slots[node.index()].disk;
            let left = (&disk.image(), disk.had_records());
            watch.crashed(self.kernel.now, node, lost.as_ref(), left);
        }
        self.record(node, NodeEventKind::Down);
    }

    /// A machine loses power; its disk before and after, where writes are followed.
    fn cut_power(&mut self, node: NodeId, id: CausalId) -> Option<PowerLoss> {
        let disk = &mut self.slots[node.index()].disk;
        let before = self.watch.is_some().then(|| disk.image());
        disk.lose_power(&self.kernel.draws, id);
        self.kernel.befalls(node, Hazard::PowerLoss);
        before.map(|before| PowerLoss { before, after: disk.image() })
    }

    fn restart(&mut self, node: NodeId, id: CausalId) {
        self.slots[node.index()].down_for_good = false;
        self.forget_crashes(node);
        self.boot(node, id.child(Cause::Boot, node.0.into(), 0));
        self.look_at_differences();
        if self.triggers.is_some() && self.is_up(node) {
            self.happens(node, Occurrence::Restarts, 1);
        }
    }

    fn resume(&mut self, node: NodeId) {
        self.record(node, NodeEventKind::Resumed);
        let slot = &mut self.slots[node.index()];
        slot.paused = false;
        let backlog = std::mem::take(&mut slot.backlog);
        self.any_paused = self.slots.iter().any(|slot| slot.paused);
        // At once and in order: what reaches the node at this very instant comes after what waited.
        for event in backlog {
            self.replay(event);
        }
    }

    /// The node goes on, whatever paused it: no fault that did has it on its conscience any more.
    fn forget_pauses(&mut self, node: NodeId) {
        for undo in self.undo.iter_mut().flatten() {
            if let Undo::Resume(hit) = undo {
                hit.retain(|paused| *paused != node);
            }
        }
    }

    /// The node is up again, so the end of what brought it down restarts it no more, should it be down then for
    /// another reason.
    fn forget_crashes(&mut self, node: NodeId) {
        for undo in self.undo.iter_mut().flatten() {
            if let Undo::Restart(hit) = undo {
                hit.retain(|down| *down != node);
            }
        }
    }

    fn jump(&mut self, nodes: &[NodeId], by_ns: i64) {
        for node in nodes {
            self.slots[node.index()].clock.jump(by_ns);
            self.kernel.befalls(*node, Hazard::ClockSkew);
        }
    }

    /// Gives a node's clocks the rate of the latest fault on them, or their own when there is none, and moves its
    /// running timers to when they run out at that rate.
    fn set_drift(&mut self, node: NodeId, id: CausalId) {
        let own = self.config.clocks[node.index()].drift_ppb;
        let ppb = self.slots[node.index()].drifts.last().map_or(own, |(_, ppb)| *ppb);
        self.kernel.befalls(node, Hazard::ClockDrift);
        let now = self.kernel.now;
        let slot = &mut self.slots[node.index()];
        let local_left = |due: Time, slot: &super::Slot<P>| {
            slot.clock.monotonic(due).since(slot.clock.monotonic(now))
        };
        let running: Vec<_> = slot
            .timers
            .iter()
            .map(|(timer, running)| (timer, local_left(running.due, slot)))
            .collect();
        slot.clock.set_drift(now, ppb);
        for (timer, left) in running {
            let due = now + self.slots[node.index()].clock.true_span(left);
            let id = id.child(Cause::Timer, crate::digest::name_hash(&timer), node.0.into());
            self.start_timer(node, timer, due, id);
        }
    }

    /// The nodes whose processes a target means now, lowest id first: those that are up.
    pub(super) fn resolve(&self, target: &Target, id: CausalId) -> Vec<NodeId> {
        self.resolve_among(target, id, |node, sim| sim.is_up(node))
    }

    pub(super) fn resolve_among(
        &self,
        target: &Target,
        id: CausalId,
        among: impl Fn(NodeId, &Self) -> bool,
    ) -> Vec<NodeId> {
        let all = NodeId::all(self.config.cluster.nodes);
        let candidates: Vec<NodeId> = all.clone().filter(|node| among(*node, self)).collect();
        let first = |node: Option<&NodeId>| node.copied().into_iter().collect();
        match target {
            Target::Nodes(nodes) => {
                nodes.iter().copied().filter(|node| candidates.contains(node)).collect()
            }
            Target::All => candidates,
            Target::LowestId => first(candidates.first()),
            Target::HighestId => first(candidates.last()),
            Target::Leader => {
                self.leader().into_iter().filter(|n| candidates.contains(n)).collect()
            }
            Target::Follower => {
                let leader = self.leader();
                let followers: Vec<NodeId> =
                    candidates.into_iter().filter(|node| Some(*node) != leader).collect();
                let draws = &self.kernel.draws;
                let drawn = draws.below(Purpose::Target, id, 0, followers.len() as u64);
                first(followers.get(usize::try_from(drawn).unwrap_or(0)))
            }
            Target::Majority => {
                // The first half of a shuffle whose every exchange is a draw of its own.
                let mut shuffled: Vec<NodeId> = all.collect();
                let majority = shuffled.len() / 2 + 1;
                for place in 0..majority {
                    let left = (shuffled.len() - place) as u64;
                    let index = u32::try_from(place).unwrap_or(0);
                    let drawn = self.kernel.draws.below(Purpose::Target, id, index, left);
                    shuffled.swap(place, place + usize::try_from(drawn).unwrap_or(0));
                }
                shuffled.truncate(majority);
                shuffled.sort_unstable();
                shuffled.into_iter().filter(|node| candidates.contains(node)).collect()
            }
        }
    }

    /// The live node that leads: of several the one with the highest term, then the lowest id.
    pub(super) fn leader(&self) -> Option<NodeId> {
        let leads = |node: &NodeId| match self.slots[node.index()].role {
            Some((Role::Leader, term)) => Some((term, *node)),
            _ => None,
        };
        let leaders = NodeId::all(self.config.cluster.nodes).filter_map(|node| leads(&node));
        leaders.max_by_key(|(term, node)| (*term, std::cmp::Reverse(*node))).map(|(_, node)| node)
    }

    fn ends(&self, route: &Route, id: CausalId) -> (Ends, String) {
        let (from, to) = (self.machines(&route.from, id), self.machines(&route.to, id));
        let arrow = if route.both_ways { "<->" } else { "->" };
        // Nothing goes from a node to itself.
        let others = |to: &NodeId| from.len() != 1 || to != &from[0];
        let named: Vec<NodeId> = to.iter().copied().filter(others).collect();
        let text = format!("{} {arrow} {}", names(&from), names(&named));
        let set = |nodes: Vec<NodeId>| nodes.into_iter().collect::<NodeSet>();
        (Ends { from: set(from), to: set(to), both_ways: route.both_ways }, text)
    }

    /// The nodes whose machines a target means now, whether their processes are up or not: their links, clocks and disks
    /// are there all the same, and as the fault leaves them when the process starts.
    pub(super) fn machines(&self, target: &Target, id: CausalId) -> Vec<NodeId> {
        match target {
            Target::Nodes(_) | Target::Majority | Target::All => {
                self.resolve_among(target, id, |_, _| true)
            }
            // These are described by what only a live node can be.
            Target::Leader | Target::Follower | Target::LowestId | Target::HighestId => {
                self.resolve(target, id)
            }
        }
    }

    fn groups_text(&self, groups: &[Group]) -> String {
        let client = |client: &ClientId| self.config.names.client(*client).to_owned();
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

fn names(nodes: &[NodeId]) -> String {
    if nodes.is_empty() {
        return "nobody".to_owned();
    }
    nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
