//! A node's slot: the state machine while it is up, and what outlives it.
//!
//! Fault model: a crash drops the state machine and its timers. Messages and requests that reach a
//! node that is down are lost, and a client is told that the connection was refused. A paused node
//! keeps its state; what reaches it waits, in order, and timers that ran out meanwhile fire when it
//! resumes.

use std::collections::BTreeMap;
use std::hash::BuildHasherDefault;

use indexmap::IndexMap;

use crate::digest::NameHasher;
use crate::id::{KeyId, NodeId, Term};
use crate::protocol::{NodeSnapshot, Protocol, Role, Stored};
use crate::time::Time;

use super::clock::SkewedClock;
use super::disk::NodeDisk;
use super::event::Event;
use super::queue::Handle;

/// How a process goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Down {
    pub(crate) cause: DownCause,
    pub(crate) until: DownUntil,
}

/// What goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DownCause {
    /// The process alone.
    Crash,
    /// The machine with it: its disk loses what was not synced.
    PowerLoss,
}

/// For how long a process is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DownUntil {
    /// Until something restarts it, at the latest the end of the fault phase.
    Restart,
    /// Until a fault restarts it: the end of the fault phase does not.
    ForGood,
}

/// A node, up or down.
pub(crate) struct Slot<P: Protocol> {
    /// The state machine; `None` while the node is down.
    pub(crate) state: Option<P>,
    /// How often the node has booted: events of an earlier boot are void.
    pub(crate) boot: u32,
    pub(crate) paused: bool,
    /// Whether the end of the fault phase does not restart it.
    pub(crate) down_for_good: bool,
    pub(crate) clock: SkewedClock,
    /// The faults that set the rate of its clocks, and the drift that each gives; the latest last.
    pub(crate) drifts: Vec<(u32, i64)>,
    pub(crate) disk: NodeDisk,
    pub(crate) timers: Timers<P::Timer>,
    pub(crate) next_ticket: u64,
    /// What reached the node while it was paused.
    pub(crate) backlog: Vec<Event<P>>,
    /// The last role that it said it had, and the term; `None` while down.
    pub(crate) role: Option<(Role, Term)>,
    /// Whether it ever lost its memory.
    pub(crate) lost_memory: bool,
    /// What it stored when its process died, to be compared with what it reads back.
    pub(crate) last_data: Option<BTreeMap<KeyId, Stored>>,
}

impl<P: Protocol> Slot<P> {
    pub(crate) fn new(clock: SkewedClock) -> Self {
        Self {
            state: None,
            boot: 0,
            paused: false,
            down_for_good: false,
            clock,
            drifts: Vec::new(),
            disk: NodeDisk::default(),
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
    pub(crate) fn snapshot(&self, node: NodeId) -> NodeSnapshot {
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

/// A running timer: when it runs out, and the event that says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Running {
    /// Which start of the timer this is: an event that waited for its paused node may be of an
    /// earlier one.
    pub(crate) generation: u32,
    pub(crate) due: Time,
    pub(crate) event: Handle,
}

impl<T: Copy + Eq + std::hash::Hash> Timers<T> {
    fn new() -> Self {
        Self { running: IndexMap::default(), next_generation: 0 }
    }

    /// Numbers the next start of a timer.
    pub(crate) const fn next_generation(&mut self) -> u32 {
        let generation = self.next_generation;
        self.next_generation += 1;
        generation
    }

    /// Starts a timer; the event of the one of that name that ran, which is to be revoked.
    #[must_use]
    pub(crate) fn start(&mut self, timer: T, running: Running) -> Option<Handle> {
        self.running.insert(timer, running).map(|before| before.event)
    }

    /// Cancels a timer; its event, which is to be revoked, if it ran.
    #[must_use]
    pub(crate) fn cancel(&mut self, timer: &T) -> Option<Handle> {
        self.running.swap_remove(timer).map(|before| before.event)
    }

    /// Whether this start of the timer is the one that runs.
    pub(crate) fn is_running(&self, timer: &T, generation: u32) -> bool {
        self.running.get(timer).is_some_and(|running| running.generation == generation)
    }

    /// Ends the timer if this start of it is the one that runs; whether it was.
    pub(crate) fn expire(&mut self, timer: &T, generation: u32) -> bool {
        let valid = self.is_running(timer, generation);
        if valid {
            self.running.swap_remove(timer);
        }
        valid
    }

    /// Stops all timers; the events of those that ran, which are to be revoked.
    pub(crate) fn clear(&mut self) -> impl Iterator<Item = Handle> + '_ {
        self.running.drain(..).map(|(_, before)| before.event)
    }

    /// Every running timer.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (T, Running)> + '_ {
        self.running.iter().map(|(timer, running)| (*timer, *running))
    }
}

#[cfg(test)]
mod tests {
    use super::super::queue::{EventQueue, HeapQueue};
    use super::*;

    /// The event of an earlier start is handed back to be revoked; one that has come already is
    /// void.
    #[test]
    fn only_the_latest_start_of_a_timer_expires_it() {
        let mut timers: Timers<&str> = Timers::new();
        let mut queue = HeapQueue::new();
        let due = Time::from_nanos(5);
        let mut start = |timers: &mut Timers<&'static str>, timer| {
            let generation = timers.next_generation();
            let event = queue.push_revocable(due, generation.into(), timer);
            (generation, timers.start(timer, Running { generation, due, event }), event)
        };
        let (first, before, event) = start(&mut timers, "election");
        assert_eq!(before, None);
        let (second, before, _) = start(&mut timers, "election");
        assert_eq!(before, Some(event));
        let (other, _, heartbeat) = start(&mut timers, "heartbeat");
        assert!(!timers.expire(&"election", first));
        assert!(timers.expire(&"election", second));
        assert!(!timers.expire(&"election", second));
        assert_eq!(timers.cancel(&"heartbeat"), Some(heartbeat));
        assert!(!timers.expire(&"heartbeat", other));
        let (_, _, last) = start(&mut timers, "election");
        assert_eq!(timers.clear().collect::<Vec<_>>(), [last]);
    }
}
