//! The settling phase, and the states that a scenario expects on the way.
//!
//! After `duration` everything heals and nobody invokes anything more. From then on the simulation looks, ever
//! less often, whether the cluster has settled: no operation under way, nothing that a node still means to do, no
//! message on its way, replicas equal; and where nodes lead and a majority is up, somebody who does, and nobody who takes
//! another for the leader. What is meant for a node that stays down for good nobody waits for: no protocol can know that
//! it will not come back, and what is sent until it is confirmed is sent to it for ever. Nor do messages that compare
//! replicas keep a cluster from having settled when its time is over: they go on for as long as replicas differ. And the
//! guard against time that never advances.

use crate::config::{Config, ExpectedState, Workload};
use crate::id::{KeyId, NodeId};
use crate::metrics::{Settlement, Standstill};
use crate::protocol::{NodeSnapshot, Protocol, Role};
use crate::rng::{CausalId, Cause};
use crate::time::{Span, Time};

use super::Simulation;
use super::event::{Event, InFlight, What};
use super::node::Slot;
use super::queue::{EventQueue, MOST_PENDING};

/// The events at one instant that any scenario may have; see [`events_an_instant`].
const EVENTS_AN_INSTANT: u64 = 500_000;

/// How many events an instant may have before they count as a loop without progress: what any scenario may have,
/// and what the clients of this one can set off if all they may ever ask falls on one instant. A closed loop
/// without a limit may ask once a client.
pub(super) fn events_an_instant(config: &Config) -> u64 {
    let asked =
        |workload: &Workload| workload.operations.unwrap_or_else(|| workload.clients.into());
    let operations = config.workload.as_ref().map_or(0, asked) + config.script.len() as u64;
    EVENTS_AN_INSTANT + operations * 8 * u64::from(config.cluster.nodes)
}

/// When the fault phase ended.
#[derive(Debug)]
pub(crate) struct Settle {
    healed_at: Option<Time>,
    looks: u32,
}

impl Settle {
    pub(crate) const fn new() -> Self {
        Self { healed_at: None, looks: 0 }
    }
}

/// What nodes look like when the scenario expects something of them.
#[derive(Debug)]
pub(crate) struct StateWatch {
    /// (time, place in the file, node), the last first.
    to_come: Vec<(Time, usize, NodeId)>,
    seen: Vec<Option<NodeSnapshot>>,
}

impl StateWatch {
    pub(crate) fn new(states: &[ExpectedState]) -> Self {
        let mut to_come: Vec<_> =
            states.iter().enumerate().map(|(i, state)| (state.at, i, state.node)).collect();
        to_come.sort_by_key(|(at, place, _)| std::cmp::Reverse((*at, *place)));
        Self { to_come, seen: states.iter().map(|_| None).collect() }
    }

    pub(crate) const fn pending(&self) -> bool {
        !self.to_come.is_empty()
    }

    pub(crate) fn into_snapshots(self) -> Vec<NodeSnapshot> {
        self.seen.into_iter().flatten().collect()
    }
}

impl<P: Protocol, Q: EventQueue<Event<P>>> Simulation<'_, P, Q> {
    /// Why the simulation cannot go on.
    #[cold]
    pub(super) fn standstill(&self) -> Settlement {
        let why = if self.kernel.is_overfull() {
            Standstill::Crowd { pending: MOST_PENDING as u64 }
        } else {
            Standstill::Loop { events: self.kernel.events_now() }
        };
        Settlement::Stuck { at: self.kernel.now, why }
    }

    /// Takes the snapshots whose time is before the next event.
    #[cold]
    pub(super) fn look_at_states(&mut self) {
        let next = self.kernel.next_time();
        while let Some((at, place, node)) = self.states.to_come.last().copied()
            && next.is_none_or(|next| next > at)
        {
            self.states.to_come.pop();
            self.states.seen[place] = Some(self.snapshot(node));
        }
    }

    /// Takes the snapshots that were due after the end: the end is what they see.
    pub(super) fn look_at_all_states(&mut self) {
        while let Some((_, place, node)) = self.states.to_come.pop() {
            self.states.seen[place] = Some(self.snapshot(node));
        }
    }

    /// Whether the fault phase is over.
    pub(super) const fn settling(&self) -> bool {
        self.settle.healed_at.is_some()
    }

    /// The fault phase has ended: schedules the first look.
    pub(super) fn begin_settling(&mut self, id: CausalId) {
        self.settle.healed_at = Some(self.kernel.now);
        let id = id.child(Cause::End, 0, 0);
        self.kernel.schedule(self.kernel.now, id, What::SettleCheck);
    }

    /// Looks whether the cluster has settled; if not, and there is time, schedules the next look.
    pub(super) fn check_settled(&mut self, id: CausalId) -> Option<Settlement> {
        let healed_at = self.settle.healed_at.unwrap_or_default();
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
        // The looks thin out with time: their number grows with the logarithm of the phase's length.
        let pause = Span::from_nanos((elapsed.nanos() / 8).max(1_000_000));
        let next = (self.kernel.now + pause).min(healed_at + self.config.settle);
        self.settle.looks += 1;
        self.kernel.schedule(next, id.child(Cause::End, 0, self.settle.looks), What::SettleCheck);
        None
    }

    /// Whether there is nothing that [`Self::waiting_for`] would tell. Most looks find something, so each thing is
    /// looked at only when all that costs less to see is as it should be.
    fn has_settled(&self) -> bool {
        let any_down = self.slots.iter().any(|slot| !slot.is_up() && !slot.down_for_good);
        if self.clients.busy > 0 || self.in_flight().meant > 0 || any_down || self.lacks_leader() {
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
                _ => {}
            }
        }
        self.clients.waiting_for(self.config, self.kernel.now).is_empty()
    }

    /// What a node still means to do.
    fn to_do<'b>(&'b self, snapshot: &'b NodeSnapshot) -> impl Iterator<Item = &'b String> {
        let owed = snapshot.owed.iter();
        let owed = owed.filter(|(whom, _)| !self.slots[whom.index()].down_for_good);
        snapshot.pending.iter().chain(owed.map(|(_, what)| what))
    }

    /// The messages that are on their way to nodes that are up or will be.
    fn in_flight(&self) -> InFlight {
        let mut all = InFlight::default();
        for (slot, to) in self.slots.iter().zip(&self.kernel.in_flight) {
            if !slot.down_for_good {
                all.meant += to.meant;
                all.comparing += to.comparing;
            }
        }
        all
    }

    /// Whether nobody leads although somebody did, or stood for it, and a majority is up.
    fn lacks_leader(&self) -> bool {
        let up = self.slots.iter().filter(|slot| slot.is_up()).count();
        let stands = |slot: &Slot<P>| matches!(slot.role, Some((Role::Candidate, _)));
        2 * up > self.slots.len()
            && self.leader().is_none()
            && (!self.leaderships.is_empty() || self.slots.iter().any(stands))
    }

    /// What the cluster still waits for, a line each.
    fn waiting_for(&self) -> Vec<String> {
        let mut waiting = self.clients.waiting_for(self.config, self.kernel.now);
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
        let in_flight = self.in_flight();
        match in_flight.meant - in_flight.comparing {
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
        waiting.extend(unequal(&snapshots, self.config));
        waiting
    }
}

/// Whether a node takes somebody else for the leader than who leads. Who knows of none says so itself, or cannot know.
fn follows_another(snapshot: &NodeSnapshot, leader: Option<NodeId>) -> bool {
    let is_other = |taken: NodeId| leader.is_some_and(|leader| leader != taken);
    snapshot.up && snapshot.leader.is_some_and(is_other)
}

/// Whether two replicas show a client the same.
fn shows_the_same(one: &NodeSnapshot, other: &NodeSnapshot) -> bool {
    one.visible().eq(other.visible()) && one.lists == other.lists
}

/// The first replica that differs from the first one that is up, in words.
fn unequal(snapshots: &[NodeSnapshot], config: &Config) -> Option<String> {
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
        let text = |snapshot| list(snapshot, key).map_or(0, |elements| elements.len());
        return Some(format!(
            "{} and {} differ: the list {} has {} and {} elements",
            first.node,
            other.node,
            config.names.key(key),
            text(first),
            text(other)
        ));
    }
    let text = |snapshot| match holds(snapshot, key) {
        Some((value, _)) => config.names.value(value),
        None => "nothing".to_owned(),
    };
    Some(format!(
        "{} and {} differ: {} is {} and {}",
        first.node,
        other.node,
        config.names.key(key),
        text(first),
        text(other)
    ))
}
