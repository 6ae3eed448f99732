//! Faults of processes and machines: crash, power loss, restart, pause.

use crate::config::{Occurrence, Target};
use crate::id::NodeId;
use crate::property::Hazard;
use crate::protocol::{Message, Protocol};
use crate::rng::{CausalId, Cause};

use super::super::Simulation;
use super::super::event::{Queue, What};
use super::super::node::{Down, DownCause, DownUntil};
use super::super::notes::record::NodeEventKind;
use super::super::notes::watch::{PowerLoss, Remains};
use super::undo::Undo;
use super::words::names;

impl<P: Protocol, Q: Queue<P>> Simulation<'_, P, Q> {
    /// Brings nodes down; how to undo it, and what was done, in words. A power loss also hits
    /// machines whose process is down already.
    pub(super) fn bring_down(
        &mut self,
        target: &Target,
        down: Down,
        id: CausalId,
    ) -> (Option<Undo>, String) {
        // Both are resolved first: once a node is down, `leader` may mean another.
        let machines = self.machines(target, id);
        let hit = self.resolve(target, id);
        for node in &hit {
            self.crash(*node, down, id);
        }
        if down.cause == DownCause::Crash {
            let text = format!("crash {}", names(&hit));
            return (Some(Undo::Restart(hit)), text);
        }
        let also: Vec<NodeId> = machines.into_iter().filter(|n| !hit.contains(n)).collect();
        for node in &also {
            let lost = self.cut_power(*node, id);
            if let Some(lost) = lost {
                self.kernel.notes.power_cut(self.kernel.now, *node, &lost);
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
    pub(super) fn bring_up(&mut self, target: &Target, empty_disk: bool, id: CausalId) -> String {
        let down = |node: NodeId, sim: &Self| !sim.slots[node.index()].is_up();
        let hit = self.resolve_among(target, id, down);
        for node in &hit {
            if empty_disk {
                self.slots[node.index()].disk.wipe();
                self.slots[node.index()].last_data = None;
                self.kernel.befalls(*node, Hazard::EmptyDisk);
                self.kernel.notes.disk_replaced(self.kernel.now, *node);
            }
            self.restart(*node, id);
        }
        let disk = if empty_disk { " with an empty disk" } else { "" };
        format!("restart {}{disk}", names(&hit))
    }

    /// The end of a fault restarts the nodes that it brought down.
    pub(super) fn restart_after_fault(&mut self, hit: Vec<NodeId>, id: CausalId) -> String {
        // A node that was restarted before and is down again is down for another reason.
        let down: Vec<NodeId> = hit.into_iter().filter(|node| !self.is_up(*node)).collect();
        for node in &down {
            self.restart(*node, id);
        }
        format!("restart {}", names(&down))
    }

    /// Pauses nodes; how to undo it, and what was done, in words.
    pub(super) fn pause(&mut self, target: &Target, id: CausalId) -> (Option<Undo>, String) {
        let hit = self.resolve(target, id);
        for node in &hit {
            self.slots[node.index()].paused = true;
            self.any_paused = true;
            self.kernel.notes.node_event(self.kernel.now, *node, NodeEventKind::Paused);
        }
        let text = format!("pause {}", names(&hit));
        (Some(Undo::Resume(hit)), text)
    }

    /// Lets nodes resume that are paused; what was done, in words.
    pub(super) fn resume_all(&mut self, target: &Target, id: CausalId) -> String {
        let paused = |node: NodeId, sim: &Self| sim.slots[node.index()].paused;
        let hit = self.resolve_among(target, id, paused);
        for node in &hit {
            self.forget_pauses(*node);
            self.resume(*node);
        }
        format!("resume {}", names(&hit))
    }

    /// The end of a fault lets the nodes resume that it paused.
    pub(super) fn resume_after_fault(&mut self, mut hit: Vec<NodeId>) -> String {
        // A node that another fault pauses too stays paused until that ends.
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

    pub(in super::super) fn is_up(&self, node: NodeId) -> bool {
        self.slots[node.index()].is_up()
    }

    /// Builds a node from its disk.
    pub(in super::super) fn boot(&mut self, node: NodeId, id: CausalId) {
        self.stop_timers(node);
        let slot = &mut self.slots[node.index()];
        slot.boot += 1;
        if slot.disk.is_unreadable() {
            return self.stop(node, DownUntil::Restart, "its disk cannot be read", id);
        }
        let (settings, image) = (self.settings, slot.disk.image());
        slot.disk.is_taken();
        self.kernel.notes.boots();
        self.node_starts(true);
        self.tell_ledger_of_start(node);
        self.node_step(node, id, |state, cx| *state = Some(P::recover(settings, &image, cx)));
        self.tell_ledger_of_started(node);
        self.node_starts(false);
        if self.kernel.notes.looks_at_boots() {
            let snapshot = self.snapshot(node);
            self.kernel.notes.booted(self.kernel.now, node, &snapshot);
        }
    }

    /// A node's process gives up.
    #[cold]
    pub(in super::super) fn stop(
        &mut self,
        node: NodeId,
        until: DownUntil,
        why: &str,
        id: CausalId,
    ) {
        self.crash(node, Down { cause: DownCause::Crash, until }, id);
        self.kernel.trace(node, ". stop", || why.to_owned());
        self.kernel.history.act(self.kernel.now, None, true, format!("{node} stops: {why}"));
    }

    /// A node's process goes down.
    fn crash(&mut self, node: NodeId, Down { cause, until }: Down, id: CausalId) {
        let for_good = until == DownUntil::ForGood;
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
        let lost = match cause {
            DownCause::Crash => None,
            DownCause::PowerLoss => self.cut_power(node, id),
        };
        for event in backlog {
            self.lose_backlog(&event.what);
        }
        self.end_leadership(node);
        self.compare_again();
        let disk = &self.slots[node.index()].disk;
        let remains = || Remains { image: disk.image(), had_records: disk.had_records() };
        self.kernel.notes.crashed(self.kernel.now, node, lost.as_ref(), remains);
    }

    /// An event waited for a paused process that has died: its sender gets no answer.
    fn lose_backlog(&mut self, what: &What<P>) {
        if self.kernel.notes.trace.wanted() {
            self.trace_never_resumed(what);
        }
        if let What::Message { message, .. } | What::Refused { message, .. } = what {
            self.kernel.in_flight -= u64::from(!message.is_background());
        }
        // What else waits for a process, timers and the ends of syncs, dies with it.
        if let What::Message { to, from, .. } = what {
            self.kernel.lose(*from, *to);
        } else if let What::Request { .. } = what {
            self.kernel.counts.lost += 1;
        }
    }

    /// A machine loses power; its disk before and after, where writes are followed.
    fn cut_power(&mut self, node: NodeId, id: CausalId) -> Option<PowerLoss> {
        let disk = &mut self.slots[node.index()].disk;
        let before = self.kernel.notes.follows_writes().then(|| disk.image());
        disk.lose_power(&self.kernel.draws, id);
        self.kernel.befalls(node, Hazard::PowerLoss);
        before.map(|before| PowerLoss { before, after: disk.image() })
    }

    pub(super) fn restart(&mut self, node: NodeId, id: CausalId) {
        self.slots[node.index()].down_for_good = false;
        self.forget_crashes(node);
        self.boot(node, id.child(Cause::Boot, node.0.into(), 0));
        self.compare_again();
        if self.triggers.is_some() && self.is_up(node) {
            self.happens(node, Occurrence::Restarts, 1);
        }
    }

    pub(super) fn resume(&mut self, node: NodeId) {
        self.kernel.notes.node_event(self.kernel.now, node, NodeEventKind::Resumed);
        let slot = &mut self.slots[node.index()];
        slot.paused = false;
        let backlog = std::mem::take(&mut slot.backlog);
        self.any_paused = self.slots.iter().any(|slot| slot.paused);
        // Before anything else of this instant: what waited reached the node first.
        for event in backlog {
            self.replay(event);
        }
    }

    /// The node resumes, whatever paused it: the ends of those faults resume it no more.
    fn forget_pauses(&mut self, node: NodeId) {
        for undo in self.undo.iter_mut().flatten() {
            if let Undo::Resume(hit) = undo {
                hit.retain(|paused| *paused != node);
            }
        }
    }

    /// The node is up again: the ends of the faults that brought it down restart it no more, for it
    /// may be down then for another reason.
    fn forget_crashes(&mut self, node: NodeId) {
        for undo in self.undo.iter_mut().flatten() {
            if let Undo::Restart(hit) = undo {
                hit.retain(|down| *down != node);
            }
        }
    }
}
