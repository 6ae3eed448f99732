//! The settling phase, and the states that a scenario expects on the way.
//!
//! After `duration` everything heals and nobody invokes anything more. From then on the simulation
//! looks, ever less often, whether the cluster has settled:
//!
//! - no operation is under way, no node has anything left to do, no message is on its way;
//! - the replicas are equal;
//! - where nodes lead and a majority is up, a node leads and no node takes another for the leader.
//!
//! What is meant for a node that stays down for good does not count: no protocol can know that it
//! will not come back, so one that sends until it has an acknowledgement sends to it for ever. When
//! the time to settle is over, messages that compare replicas do not count either: they go on for
//! as long as replicas differ.

use crate::id::{KeyId, NodeId};
use crate::metrics::Settlement;
use crate::names::Names;
use crate::protocol::{Message, NodeSnapshot, Protocol, Role};
use crate::rng::{CausalId, Cause};
use crate::time::Span;

use super::Simulation;
use super::event::{Queue, What};
use super::node::Slot;

impl<P: Protocol, Q: Queue<P>> Simulation<'_, P, Q> {
    /// Takes the snapshots whose time is before the next event.
    #[cold]
    pub(super) fn look_at_states(&mut self) {
        let next = self.kernel.next_time();
        while let Some(due) = self.states.take_due(next) {
            let snapshot = self.snapshot(due.node);
            self.states.see(due, snapshot);
        }
    }

    /// Takes the snapshots that are due after the end of the run: they show its end.
    pub(super) fn look_at_all_states(&mut self) {
        while let Some(due) = self.states.take_due(None) {
            let snapshot = self.snapshot(due.node);
            self.states.see(due, snapshot);
        }
    }

    /// Whether the fault phase is over.
    pub(super) const fn settling(&self) -> bool {
        self.healed_at.is_some()
    }

    /// The fault phase has ended: schedules the first look.
    pub(super) fn begin_settling(&mut self, id: CausalId) {
        self.healed_at = Some(self.kernel.now);
        let id = id.child(Cause::End, 0, 0);
        self.kernel.schedule(self.kernel.now, id, What::SettleCheck);
    }

    /// Looks whether the cluster has settled; if not, and there is time, schedules the next look.
    pub(super) fn check_settled(&mut self, id: CausalId) -> Option<Settlement> {
        let healed_at = self.healed_at.expect("nobody looks before the fault phase has ended");
        let elapsed = self.kernel.now - healed_at;
        let nothing_to_come = self.kernel.pending_events() == 0;
        let last_look = elapsed >= self.config.settle || nothing_to_come;
        if last_look {
            let waiting_for = self.waiting_for();
            if !waiting_for.is_empty() {
                return Some(Settlement::Unsettled { waiting_for });
            }
        }
        if last_look || self.has_settled() {
            return Some(Settlement::Settled { after: elapsed });
        }
        // The pause grows with time: the number of looks is logarithmic in the length of the phase.
        let pause = Span::from_nanos((elapsed.nanos() / 8).max(1_000_000));
        let next = (self.kernel.now + pause).min(healed_at + self.config.settle);
        self.settle_checks += 1;
        self.kernel.schedule(next, id.child(Cause::End, 0, self.settle_checks), What::SettleCheck);
        None
    }

    /// Whether [`Self::waiting_for`] would find nothing. Most looks find something, so the cheapest
    /// questions come first.
    fn has_settled(&self) -> bool {
        let any_down = self.slots.iter().any(|slot| !slot.is_up() && !slot.down_for_good);
        if self.clients.busy > 0 || self.in_flight() > 0 || any_down || self.lacks_leader() {
            return false;
        }
        let leader = self.leader();
        let mut first: Option<NodeSnapshot> = None;
        for node in NodeId::all(self.config.cluster.nodes) {
            let snapshot = self.snapshot(node);
            if self.to_do(&snapshot).next().is_some() || follows_another(&snapshot, leader) {
                return false;
            }
            match &first {
                Some(first) if snapshot.up && !shows_the_same(first, &snapshot) => return false,
                None if snapshot.up => first = Some(snapshot),
                Some(_) | None => {}
            }
        }
        self.clients_to_do().is_empty()
    }

    /// What a node still means to do.
    fn to_do<'b>(&'b self, snapshot: &'b NodeSnapshot) -> impl Iterator<Item = &'b String> {
        let owed = snapshot.owed.iter();
        let owed = owed.filter(|(whom, _)| !self.slots[whom.index()].down_for_good);
        snapshot.pending.iter().chain(owed.map(|(_, what)| what))
    }

    /// How many messages are on their way, without heartbeats, and without those to nodes that are
    /// down for good and what these refuse.
    fn in_flight(&self) -> u64 {
        let any_gone = self.slots.iter().any(|slot| slot.down_for_good);
        if self.kernel.in_flight == 0 || !any_gone {
            return self.kernel.in_flight;
        }
        self.kernel.in_flight
            - self.messages(|to, message| self.is_gone(to) && !message.is_background())
    }

    /// How many of these messages compare replicas.
    fn comparisons(&self) -> u64 {
        if self.kernel.in_flight == 0 {
            return 0;
        }
        self.messages(|to, message| {
            !self.is_gone(to) && message.compares() && !message.is_background()
        })
    }

    fn is_gone(&self, node: NodeId) -> bool {
        self.slots[node.index()].down_for_good
    }

    /// How many messages on their way `is_such` picks. After the fault phase none is held back or
    /// waits for a paused node.
    fn messages(&self, is_such: impl Fn(NodeId, &P::Message) -> bool) -> u64 {
        let mut count = 0;
        self.kernel.each_pending(&mut |event| {
            if let What::Message { to, message, .. } | What::Refused { to, message, .. } =
                &event.what
            {
                count += u64::from(is_such(*to, message));
            }
        });
        count
    }

    /// Whether no node leads although one did, or is a candidate, and a majority is up.
    fn lacks_leader(&self) -> bool {
        let up = self.slots.iter().filter(|slot| slot.is_up()).count();
        let stands =
            |slot: &Slot<P>| matches!(slot.role, Some((Role::Candidate | Role::PreCandidate, _)));
        2 * up > self.slots.len()
            && self.leader().is_none()
            && (!self.leaderships.is_empty() || self.slots.iter().any(stands))
    }

    /// What clients wait for, in words.
    fn clients_to_do(&self) -> Vec<String> {
        let (batches, now) = (&self.kernel.batches, self.kernel.now);
        self.clients.waiting_for(self.config, self.names, batches, now)
    }

    /// What the cluster still waits for, a line each.
    pub(super) fn waiting_for(&self) -> Vec<String> {
        let mut waiting = self.clients_to_do();
        let nodes = || NodeId::all(self.config.cluster.nodes);
        let snapshots: Vec<NodeSnapshot> = nodes().map(|node| self.snapshot(node)).collect();
        for (node, slot) in nodes().zip(&self.slots) {
            if !slot.is_up() && !slot.down_for_good {
                waiting.push(format!("{node} is down"));
            }
        }
        for snapshot in &snapshots {
            waiting.extend(self.to_do(snapshot).map(|what| format!("{}: {what}", snapshot.node)));
        }
        match self.in_flight() - self.comparisons() {
            0 => {}
            1 => waiting.push("a message is on its way".to_owned()),
            many => waiting.push(format!("{many} messages are on their way")),
        }
        if self.lacks_leader() {
            waiting.push("somebody to lead".to_owned());
        }
        if let Some(leader) = self.leader() {
            for other in snapshots.iter().filter(|node| follows_another(node, Some(leader))) {
                let taken = other.leader.filter(|taken| *taken != other.node);
                let taken = taken.map_or_else(|| "itself".to_owned(), |taken| taken.to_string());
                let node = other.node;
                waiting.push(format!("{node} takes {taken} for the leader, and {leader} leads"));
            }
        }
        waiting.extend(unequal(&snapshots, self.names));
        waiting
    }
}

/// Whether a node takes another for the leader than the one that leads. One that knows of no leader
/// says itself that it waits for one, if it does.
fn follows_another(snapshot: &NodeSnapshot, leader: Option<NodeId>) -> bool {
    let is_other = |taken: NodeId| leader.is_some_and(|leader| leader != taken);
    snapshot.up && snapshot.leader.is_some_and(is_other)
}

/// Whether a client sees the same on two replicas.
fn shows_the_same(one: &NodeSnapshot, other: &NodeSnapshot) -> bool {
    one.visible().eq(other.visible()) && one.lists == other.lists
}

/// The first replica that differs from the first one that is up, in words.
fn unequal(snapshots: &[NodeSnapshot], names: &Names) -> Option<String> {
    let mut live = snapshots.iter().filter(|snapshot| snapshot.up);
    let first = live.next()?;
    let other = live.find(|other| !shows_the_same(first, other))?;
    let holds = |snapshot: &NodeSnapshot, key| {
        snapshot.data.get(&key).and_then(|stored| stored.value.map(|value| (value, stored.version)))
    };
    let keys = first.data.keys().chain(other.data.keys());
    let list = |snapshot: &'_ NodeSnapshot, key| snapshot.lists.get(&key).cloned();
    let differ = |key: &KeyId| {
        holds(first, *key) != holds(other, *key) || list(first, *key) != list(other, *key)
    };
    let key = keys.copied().filter(differ).min()?;
    if holds(first, key) == holds(other, key) {
        let length = |snapshot| list(snapshot, key).map_or(0, |elements| elements.len());
        return Some(format!(
            "{} and {} differ: the list {} has {} and {} elements",
            first.node,
            other.node,
            names.key(key),
            length(first),
            length(other)
        ));
    }
    let text = |snapshot| match holds(snapshot, key) {
        Some((value, _)) => names.value(value),
        None => "nothing".to_owned(),
    };
    Some(format!(
        "{} and {} differ: {} is {} and {}",
        first.node,
        other.node,
        names.key(key),
        text(first),
        text(other)
    ))
}
