//! Random stories of logs, most of whose steps are plausible.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::id::{LogIndex, NodeBits, NodeId};
use crate::protocol::{Observation, Role};

use super::tests::{Step, append, applied, commit, durable, role, snapshot, truncate, vote};

/// What a node of a random story has, as its narrator knows it.
#[derive(Clone, Default)]
pub(super) struct Sketch {
    term: u32,
    log: Vec<(u32, u64)>,
    snapshot: u64,
    snapshot_term: u32,
    commit: u64,
    applied: u64,
}

pub(super) struct AnyStory {
    dice: ChaCha8Rng,
    pub(super) nodes: Vec<Sketch>,
}

impl AnyStory {
    pub(super) fn new(seed: u64) -> Self {
        let dice = ChaCha8Rng::seed_from_u64(seed);
        let mut story = Self { dice, nodes: Vec::new() };
        let nodes = 2 + story.below(4);
        story.nodes = (0..nodes).map(|_| Sketch::default()).collect();
        story
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.dice.next_u64() % end.max(1)
    }

    fn one_in(&mut self, odds: u64) -> bool {
        self.below(odds) == 0
    }

    pub(super) fn step(&mut self) -> Step {
        let place = self.below(self.nodes.len() as u64) as usize;
        let node = NodeId::from_index(place);
        let observation = match self.below(24) {
            0..2 => self.role(place),
            2..4 => self.vote(place),
            4..12 => self.append(place),
            12 => {
                let last = self.nodes[place].log.len() as u64;
                let first = self.nodes[place].snapshot + 1;
                let from = first + self.below(last + 2 - first.min(last + 1));
                self.nodes[place].log.truncate(from as usize - 1);
                truncate(from)
            }
            13..15 => {
                let last = self.nodes[place].log.len() as u64;
                durable(if self.one_in(3) { self.below(last + 1) } else { last })
            }
            15..18 => self.commit(place),
            18..21 => self.apply(place),
            21 => self.snapshot(place),
            22 => self.configuration(place),
            _ => return Step::Restart(node, self.restart(place)),
        };
        Step::Observe(node, observation)
    }

    fn role(&mut self, place: usize) -> Observation {
        let raised = u32::from(self.one_in(3));
        let sketch = &mut self.nodes[place];
        sketch.term += raised;
        let lowered = self.one_in(60);
        let sketch = &mut self.nodes[place];
        sketch.term = sketch.term.saturating_sub(u32::from(lowered));
        let term = sketch.term;
        role(if self.one_in(2) { Role::Leader } else { Role::Follower }, term)
    }

    fn vote(&mut self, place: usize) -> Observation {
        let candidate = self.below(self.nodes.len() as u64) as u16 + 1;
        let raised = if self.one_in(8) { 0 } else { 1 };
        self.nodes[place].term += raised;
        vote(self.nodes[place].term, candidate)
    }

    /// Mostly what another log has there.
    fn append(&mut self, place: usize) -> Observation {
        let other = self.below(self.nodes.len() as u64) as usize;
        let mut index = self.nodes[place].log.len() as u64 + 1;
        if self.one_in(15) && index > self.nodes[place].snapshot + 1 {
            index -= 1;
        }
        let copied = self.nodes[other].log.get(index as usize - 1).copied();
        let entry = match copied.filter(|_| !self.one_in(8)) {
            Some(entry) => entry,
            None => (self.nodes[place].term, self.below(2)),
        };
        let log = &mut self.nodes[place].log;
        log.truncate(index as usize - 1);
        log.push(entry);
        append(entry.0, index, entry.1)
    }

    fn commit(&mut self, place: usize) -> Observation {
        let sketch = &self.nodes[place];
        let (from, last) = (sketch.commit, sketch.log.len() as u64);
        let index = from + self.below(last.saturating_sub(from) + 1);
        let index = if self.one_in(60) { index.saturating_sub(1) } else { index };
        let index = index + u64::from(self.one_in(30));
        self.nodes[place].commit = index;
        commit(index)
    }

    fn state(&mut self, index: u64) -> u64 {
        index + if self.one_in(80) { 1_000 } else { 0 }
    }

    fn apply(&mut self, place: usize) -> Observation {
        let sketch = &self.nodes[place];
        let next = (sketch.applied + 1).min(sketch.log.len() as u64).max(sketch.applied);
        let index = if self.one_in(60) { next.saturating_sub(1) } else { next };
        self.nodes[place].applied = index;
        applied(index, self.state(index))
    }

    fn snapshot(&mut self, place: usize) -> Observation {
        let from = self.below(self.nodes.len() as u64) as usize;
        let other = &self.nodes[from];
        let index = other.applied.min(other.log.len() as u64);
        if index == 0 || (from == place && index < other.snapshot) {
            return applied(self.nodes[place].applied, self.nodes[place].applied);
        }
        let (term, _) = other.log[index as usize - 1];
        let prefix = other.log[..index as usize].to_vec();
        let (installed, state) = (from != place, self.state(index));
        let me = &mut self.nodes[place];
        if !installed {
            (me.snapshot, me.snapshot_term) = (index, term);
            return snapshot(term, index, state, false);
        }
        let has = me.log.get(index as usize - 1).is_some_and(|(of, _)| *of == term);
        if !has {
            me.log = prefix;
        }
        (me.snapshot, me.snapshot_term) = (index, term);
        (me.applied, me.commit) = (index, me.commit.max(index));
        snapshot(term, index, state, true)
    }

    fn configuration(&mut self, place: usize) -> Observation {
        let all = 1 << self.nodes.len();
        let index = LogIndex(self.nodes[place].log.len() as u64);
        let outgoing = if self.one_in(3) { self.below(all) } else { 0 };
        Observation::Configuration {
            index,
            voters: NodeBits(self.below(all)),
            outgoing: NodeBits(outgoing),
            learners: NodeBits::EMPTY,
        }
    }

    /// Mostly everything is there again.
    fn restart(&mut self, place: usize) -> Vec<Observation> {
        let loses_snapshot = self.one_in(6);
        let cut = self.one_in(3);
        let last = self.nodes[place].log.len() as u64;
        let kept = if cut { self.below(last + 1) } else { last };
        let is_changed = self.one_in(20);
        let me = &mut self.nodes[place];
        if loses_snapshot {
            (me.snapshot, me.snapshot_term) = (0, 0);
        }
        me.log.truncate(kept.max(me.snapshot) as usize);
        let mut said = Vec::new();
        if me.snapshot > 0 {
            said.push(snapshot(me.snapshot_term, me.snapshot, me.snapshot, false));
        }
        if is_changed && let Some((_, entry)) = me.log.last_mut() {
            *entry ^= 1;
        }
        let entries = me.log.iter().enumerate().skip(me.snapshot as usize);
        said.extend(entries.map(|(place, (term, entry))| append(*term, place as u64 + 1, *entry)));
        (me.commit, me.applied) = (me.snapshot, me.snapshot);
        said
    }
}
