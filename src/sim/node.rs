//! A node's slot: the state machine while it is up, and what outlives it.
//!
//! Fault model: a crash drops the state machine and its timers; messages and requests that reach a node while it
//! is down are lost, and a client is told that the connection was refused. A paused node keeps its state; what
//! reaches it waits, in order, and timers that ran out meanwhile fire when it resumes.

use std::collections::BTreeMap;
use std::hash::BuildHasherDefault;

use indexmap::IndexMap;

use crate::digest::NameHasher;
use crate::id::KeyId;
use crate::protocol::{NodeSnapshot, Protocol, Role, Stored};
use crate::time::Time;

use super::clock::Clock;
use super::disk::Disk;
use super::event::Event;

/// A node, up or down.
pub(crate) struct Slot<P: Protocol> {
    /// The state machine; `None` while the node is down.
    pub(crate) state: Option<P>,
    /// How often the node has booted: what belongs to an earlier boot is void.
    pub(crate) boot: u32,
    pub(crate) paused: bool,
    /// Whether it stays down even for the settling phase.
    pub(crate) down_for_good: bool,
    pub(crate) clock: Clock,
    /// Faults that are on the rate of its clocks and the drift each gives, the latest last.
    pub(crate) drifts: Vec<(u32, i64)>,
    pub(crate) disk: Disk,
    pub(crate) timers: Timers<P::Timer>,
    pub(crate) next_ticket: u64,
    /// What reached the node while it was paused.
    pub(crate) backlog: Vec<Event<P>>,
    /// What it last said of its role, and in which term; `None` while down.
    pub(crate) role: Option<(Role, u64)>,
    /// Whether it ever lost what was in its memory.
    pub(crate) lost_memory: bool,
    /// What it stored when its process died, to be held against what it reads back.
    pub(crate) last_data: Option<BTreeMap<KeyId, Stored>>,
}

impl<P: Protocol> Slot<P> {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            state: None,
            boot: 0,
            paused: false,
            down_for_good: false,
            clock,
            drifts: Vec::new(),
            disk: Disk::default(),
            timers: Timers::new(),
            next_ticket: 0,
            backlog: Vec::new(),
            role: None,
            lost_memory: false,
            last_data: None,
        }
    }

    pub(crate) const fn is_up(&self) -> bool {
        self.state.is_some()
    }

    /// The node as it stands; one that is down has nothing but its id.
    pub(crate) fn snapshot(&self, node: crate::id::NodeId) -> NodeSnapshot {
        match &self.state {
            Some(state) => state.snapshot(),
            None => NodeSnapshot { up: false, ..NodeSnapshot::new(node, Role::Follower) },
        }
    }
}

/// The timers that run on a node, by name.
#[derive(Debug)]
pub(crate) struct Timers<T> {
    running: IndexMap<T, Running, BuildHasherDefault<NameHasher>>,
    next_generation: u32,
}

/// A running timer: which of the events that carry its name is the valid one, and when that comes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Running {
    pub(crate) generation: u32,
    pub(crate) due: Time,
}

impl<T: Copy + Eq + std::hash::Hash> Timers<T> {
    fn new() -> Self {
        Self { running: IndexMap::default(), next_generation: 0 }
    }

    /// Starts a timer, in place of one of that name; the generation its event must carry.
    pub(crate) fn start(&mut self, timer: T, due: Time) -> u32 {
        let generation = self.next_generation;
        self.next_generation += 1;
        self.running.insert(timer, Running { generation, due });
        generation
    }

    pub(crate) fn cancel(&mut self, timer: &T) {
        self.running.swap_remove(timer);
    }

    /// Whether an event of this generation is the one that ends the timer; if so the timer no longer runs.
    pub(crate) fn expire(&mut self, timer: &T, generation: u32) -> bool {
        let valid = self.running.get(timer).is_some_and(|running| running.generation == generation);
        if valid {
            self.running.swap_remove(timer);
        }
        valid
    }

    pub(crate) fn clear(&mut self) {
        self.running.clear();
    }

    /// Every running timer.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (T, Running)> + '_ {
        self.running.iter().map(|(timer, running)| (*timer, *running))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_start_of_a_timer_expires_it() {
        let mut timers: Timers<&str> = Timers::new();
        let at = Time::from_nanos(5);
        let first = timers.start("election", at);
        let second = timers.start("election", at);
        let other = timers.start("heartbeat", at);
        assert!(!timers.expire(&"election", first));
        assert!(timers.expire(&"election", second));
        assert!(!timers.expire(&"election", second));
        timers.cancel(&"heartbeat");
        assert!(!timers.expire(&"heartbeat", other));
    }
}
