//! The dumb twin of the ledger: it keeps every log as a table, and compares all of them after each
//! step, by the definitions alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{NodeBits, NodeId, Position, Term};
use crate::property::Property;
use crate::protocol::{EntryHash, Observation, Role, StateHash};

use super::tests::Step;

type Entry = (Term, EntryHash);

#[derive(Clone, Default)]
struct Node {
    /// The terms of this life, and what it had to be in when that began.
    terms: Vec<Term>,
    votes: Vec<(Term, NodeId)>,
    leads: Option<Term>,
    log: BTreeMap<u64, Entry>,
    snapshot: Position,
    /// Up to where the snapshot has a state of committed entries.
    snapshot_state: u64,
    /// By index, whether its disk has this entry there.
    durable: BTreeMap<u64, Entry>,
    commit: u64,
    applied: u64,
    configurations: Vec<(u64, NodeBits, NodeBits)>,
}

#[derive(Clone, Default)]
pub(super) struct Twin {
    nodes: Vec<Node>,
    /// The first entry committed at each index, and the term in which it was.
    committed: BTreeMap<u64, (Entry, Term)>,
    states: BTreeMap<u64, StateHash>,
    /// Every term that was led, and where the log of its leader ended then.
    led: Vec<(Term, u64)>,
    /// Up to where every node had applied at once: what comes before is not compared.
    forgotten: u64,
    pub(super) broken: BTreeSet<Property>,
}

impl Node {
    fn has(&self, index: u64, entry: Entry) -> bool {
        self.snapshot.index.0 >= index || self.log.get(&index) == Some(&entry)
    }

    fn has_durably(&self, index: u64, entry: Entry) -> bool {
        self.snapshot.index.0 >= index
            || (self.log.get(&index) == Some(&entry) && self.durable.get(&index) == Some(&entry))
    }

    /// What comes before `index`: an entry, or the position of the snapshot.
    fn before(&self, index: u64) -> Option<(Term, Option<EntryHash>)> {
        let before = index.checked_sub(1)?;
        match self.log.get(&before) {
            Some((term, entry)) => Some((*term, Some(*entry))),
            None if self.snapshot.index.0 == before => Some((self.snapshot.term, None)),
            None => None,
        }
    }

    fn last(&self) -> u64 {
        self.log.keys().next_back().copied().unwrap_or(0).max(self.snapshot.index.0)
    }

    fn cut(&mut self, from: u64) {
        self.log.split_off(&from);
        self.durable.split_off(&from);
        self.configurations.retain(|(index, ..)| *index < from);
    }
}

impl Twin {
    pub(super) fn new(nodes: u16) -> Self {
        Self { nodes: (0..nodes).map(|_| Node::default()).collect(), ..Self::default() }
    }

    /// Takes a step, and compares everything.
    pub(super) fn take(&mut self, step: &Step) {
        let before = self.clone();
        match step {
            Step::Observe(node, observation) => self.observe(node.index(), *observation),
            Step::Restart(node, said) => self.restart(node.index(), said),
        }
        let who = match step {
            Step::Observe(node, _) | Step::Restart(node, _) => node.index(),
        };
        self.compare_votes();
        self.compare_logs();
        self.compare_leaders(&before, matches!(step, Step::Restart(..)).then_some(who));
        if let Step::Observe(_, Observation::Commit { .. } | Observation::Append { .. }) = step {
            self.commit_what_is_new(who);
        }
        self.compare_committed(&before);
        let applied = self.nodes.iter().map(|node| node.applied).min().unwrap_or(0);
        self.forgotten = self.forgotten.max(applied);
    }

    fn observe(&mut self, node: usize, observation: Observation) {
        let me = &mut self.nodes[node];
        match observation {
            Observation::Role { role, term } => {
                me.terms.push(term);
                let leads = (role == Role::Leader).then_some(term);
                if leads.is_some() && leads != me.leads {
                    self.led.push((term, me.last()));
                }
                me.leads = leads;
            }
            Observation::Vote { term, candidate } => {
                let now = me.terms.last().copied().unwrap_or_default();
                me.terms.push(term.max(now));
                me.votes.push((term, candidate));
            }
            Observation::Append { position, entry } => {
                let (index, entry) = (position.index.0, (position.term, entry));
                if me.log.get(&index) == Some(&entry) && index >= self.forgotten {
                    me.cut(index + 1);
                } else {
                    // Nobody can tell any more that a forgotten entry is the same.
                    let is_rewritten = index < self.forgotten && me.log.contains_key(&index);
                    if me.leads.is_some() && is_rewritten {
                        self.broken.insert(Property::LeaderAppendOnly);
                    }
                    me.cut(index);
                    me.log.insert(index, entry);
                }
            }
            Observation::Truncate { from } => me.cut(from.0),
            Observation::Durable { index } => {
                let up_to = me.log.range(..=index.0);
                me.durable.extend(up_to.map(|(index, entry)| (*index, *entry)));
            }
            Observation::Commit { index } => {
                if index.0 < me.commit {
                    self.broken.insert(Property::StateMachineSafety);
                }
                me.commit = index.0;
            }
            Observation::Applied { index, state } => {
                if index.0 < me.applied {
                    self.broken.insert(Property::StateMachineSafety);
                }
                me.applied = index.0;
                self.reach(index.0, state);
            }
            Observation::Snapshot { position, state, installed } => {
                self.snapshot(node, position, state, installed);
            }
            Observation::Configuration { index, voters, outgoing, .. } => {
                me.configurations.retain(|(other, ..)| *other < index.0);
                me.configurations.push((index.0, voters, outgoing));
            }
            Observation::Accept { .. }
            | Observation::Apply { .. }
            | Observation::Discard { .. }
            | Observation::Replay { .. } => {}
        }
    }

    fn snapshot(
        &mut self,
        node: usize,
        position: Position,
        state: Option<StateHash>,
        installed: bool,
    ) {
        let me = &mut self.nodes[node];
        // What all have applied is forgotten, and taken to be the same.
        let is_forgotten = position.index.0 < self.forgotten && position.index.0 <= me.last();
        let has = is_forgotten
            || me.snapshot == position
            || me.log.get(&position.index.0).is_some_and(|(term, _)| *term == position.term);
        if position.index < me.snapshot.index {
            me.commit = me.commit.min(position.index.0);
        }
        me.snapshot = position;
        me.snapshot_state = if state.is_some() { position.index.0 } else { 0 };
        if installed {
            if !has {
                me.log.clear();
                me.durable.clear();
                me.configurations.clear();
            }
            let is_late = has && position.index.0 <= me.applied;
            if state.is_some() && !is_late {
                if position.index.0 < me.applied {
                    self.broken.insert(Property::StateMachineSafety);
                }
                me.applied = position.index.0;
                me.commit = me.commit.max(position.index.0);
            }
        }
        self.reach_snapshot(position, state);
    }

    fn reach_snapshot(&mut self, position: Position, state: Option<StateHash>) {
        let index = position.index.0;
        if let Some(state) = state {
            self.reach(index, state);
        }
        let committed = self.committed.get(&index).filter(|_| index >= self.forgotten);
        if committed.is_some_and(|((term, _), _)| *term != position.term) {
            self.broken.insert(Property::StateMachineSafety);
        }
    }

    fn reach(&mut self, index: u64, state: StateHash) {
        if index >= self.forgotten && *self.states.entry(index).or_insert(state) != state {
            self.broken.insert(Property::StateMachineSafety);
        }
    }

    fn restart(&mut self, node: usize, said: &[Observation]) {
        let old = std::mem::take(&mut self.nodes[node]);
        let me = &mut self.nodes[node];
        me.votes = old.votes;
        let mut term = me.votes.last().map_or(Term(0), |(term, _)| *term);
        for observation in said {
            if let Observation::Snapshot { position, state, .. } = *observation {
                me.snapshot = position;
                term = term.max(position.term);
                if state.is_some() {
                    me.snapshot_state = position.index.0;
                    (me.commit, me.applied) = (position.index.0, position.index.0);
                }
            } else if let Observation::Append { position, entry } = *observation {
                me.log.split_off(&position.index.0);
                me.log.insert(position.index.0, (position.term, entry));
                term = term.max(position.term);
            }
        }
        me.terms = vec![term];
        if me.applied < old.snapshot_state {
            self.broken.insert(Property::StateMachineSafety);
        }
        // What was durable is so still, as far as the log is the same from its beginning on.
        for (index, entry) in &me.log {
            // What all have applied is forgotten, and taken to be the same.
            let is_there = old.durable.contains_key(index) && *index < self.forgotten;
            if !is_there && old.durable.get(index) != Some(entry) {
                break;
            }
            me.durable.insert(*index, *entry);
        }
        for observation in said {
            if let Observation::Snapshot { state, position, .. } = *observation {
                self.reach_snapshot(position, state);
            } else if let Observation::Durable { .. } = observation {
                self.observe(node, *observation);
            }
        }
    }

    fn compare_votes(&mut self) {
        for node in &self.nodes {
            let falls = |terms: &[Term]| terms.windows(2).any(|pair| pair[1] < pair[0]);
            let votes: Vec<Term> = node.votes.iter().map(|(term, _)| *term).collect();
            let falls = falls(&node.terms) || falls(&votes);
            let twice = node.votes.iter().any(|(term, candidate)| {
                node.votes.iter().any(|(other, whom)| other == term && whom != candidate)
            });
            if falls || twice {
                self.broken.insert(Property::Votes);
            }
        }
    }

    fn compare_logs(&mut self) {
        for first in &self.nodes {
            for second in &self.nodes {
                for (index, (term, entry)) in first.log.range(self.forgotten..) {
                    let Some((other_term, other)) = second.log.get(index) else { continue };
                    let before = first.before(*index).zip(second.before(*index));
                    let before = before.filter(|_| *index > self.forgotten);
                    let differs_before = before.is_some_and(|(one, other)| {
                        one.0 != other.0 || one.1.zip(other.1).is_some_and(|(a, b)| a != b)
                    });
                    if term == other_term && (entry != other || differs_before) {
                        self.broken.insert(Property::LogMatching);
                    }
                }
            }
        }
    }

    fn compare_leaders(&mut self, before: &Self, restarted: Option<usize>) {
        for (place, (now, was)) in self.nodes.iter().zip(&before.nodes).enumerate() {
            let lost = was.log.iter().any(|(index, entry)| {
                *index > now.snapshot.index.0 && now.log.get(index) != Some(entry)
            });
            let is_shorter = now.last() < was.last();
            if was.leads.is_some() && (lost || is_shorter) && restarted != Some(place) {
                self.broken.insert(Property::LeaderAppendOnly);
            }
        }
    }

    /// What a node has and knows to be committed, for the first time or not.
    fn commit_what_is_new(&mut self, place: usize) {
        let node = self.nodes[place].clone();
        let is_known = |index: u64| node.snapshot.index.0 < index && index <= node.commit;
        let log = node.log.range(self.forgotten..);
        for (index, entry) in log.filter(|(index, _)| is_known(**index)) {
            if let Some((first, _)) = self.committed.get(index) {
                if first != entry {
                    self.broken.insert(Property::StateMachineSafety);
                }
                continue;
            }
            let term = node.terms.last().copied().unwrap_or_default();
            self.committed.insert(*index, (*entry, term));
            let everybody = (0, NodeBits::first(self.nodes.len() as u16), NodeBits::EMPTY);
            let (_, voters, outgoing) = node.configurations.last().copied().unwrap_or(everybody);
            let has = |node: &NodeId| self.nodes[node.index()].has_durably(*index, *entry);
            let is_met = |set: NodeBits| 2 * set.iter().filter(has).count() > set.iter().count();
            if !is_met(voters) || (!outgoing.is_empty() && !is_met(outgoing)) {
                self.broken.insert(Property::CommittedDurable);
            }
        }
    }

    fn compare_committed(&mut self, before: &Self) {
        for (index, (entry, committed_in)) in self.committed.range(self.forgotten..) {
            let is_there = |twin: &Self| twin.nodes.iter().any(|node| node.has(*index, *entry));
            if !is_there(self) && (is_there(before) || !before.committed.contains_key(index)) {
                self.broken.insert(Property::CommittedDurable);
            }
            let lacks = |node: &Node| {
                node.leads.is_some_and(|term| term > *committed_in) && !node.has(*index, *entry)
            };
            let is_new = !before.committed.contains_key(index);
            let lacked = |(term, last): &(Term, u64)| *term > *committed_in && *last < *index;
            if self.nodes.iter().any(lacks) || (is_new && self.led.iter().any(lacked)) {
                self.broken.insert(Property::LeaderCompleteness);
            }
        }
    }
}
