//! The ledger: takes one observation after the other, and holds it against what others said.

use crate::id::{LogIndex, NodeBits, NodeId, Position, Term};
use crate::property::Property;
use crate::protocol::{EntryHash, Observation, Role, StateHash};

use super::breach::{Breach, How, Moment};
use super::findings::{Examined, LogFindings};
use super::node::{LogConfiguration, NodeLog, Restated};
use super::slots::{Committed, HeldEntry, Slots};

/// A node began to lead a term, with a log up to an index.
#[derive(Clone, Copy, Debug)]
struct TermLed {
    term: Term,
    node: NodeId,
    last: LogIndex,
}

/// What nodes have said of their logs, and where that broke an invariant.
#[derive(Debug)]
pub struct LogLedger {
    nodes: Vec<NodeLog>,
    slots: Slots,
    /// Every leadership so far.
    leaderships: Vec<TermLed>,
    /// The greatest term that was led.
    last_led: Term,
    /// How many nodes have applied no more than what is forgotten, and the index before it.
    behind: usize,
    now: Moment,
    breaches: Vec<Breach>,
    examined: Examined,
}

impl LogLedger {
    /// The properties that it judges.
    pub const PROPERTIES: [Property; 6] = [
        Property::Votes,
        Property::LogMatching,
        Property::LeaderAppendOnly,
        Property::LeaderCompleteness,
        Property::StateMachineSafety,
        Property::CommittedDurable,
    ];

    /// The ledger of a cluster of this many nodes, all of which vote, with empty logs.
    ///
    /// # Panics
    ///
    /// With more nodes than [`NodeBits::ROOM`].
    #[must_use]
    pub fn new(nodes: u16) -> Self {
        assert!(nodes <= NodeBits::ROOM, "a ledger of at most 64 nodes");
        Self {
            nodes: (0..nodes).map(|_| NodeLog::new(NodeBits::first(nodes))).collect(),
            slots: Slots::new(),
            leaderships: Vec::new(),
            last_led: Term(0),
            behind: usize::from(nodes),
            now: Moment::default(),
            breaches: Vec::new(),
            examined: Examined::default(),
        }
    }

    /// The first breach of each property that was broken, in the order in which they were.
    #[must_use]
    pub fn breaches(&self) -> &[Breach] {
        &self.breaches
    }

    /// The moment of the last observation.
    pub(super) const fn now(&self) -> Moment {
        self.now
    }

    /// How much it has seen.
    #[must_use]
    pub const fn examined(&self) -> Examined {
        self.examined
    }

    /// What it found.
    #[must_use]
    pub fn into_findings(self) -> LogFindings {
        LogFindings { breaches: self.breaches, examined: self.examined, unexamined: None }
    }

    /// How many indices it still compares.
    #[must_use]
    pub fn compares(&self) -> usize {
        self.slots.len()
    }

    /// A node observed something. Observations that are about no log change nothing.
    #[inline]
    pub fn observe(&mut self, now: Moment, node: NodeId, observation: &Observation) {
        self.now = now;
        match *observation {
            Observation::Role { role, term } => self.take_role(node, role, term),
            Observation::Vote { term, candidate } => self.vote(node, term, candidate),
            Observation::Append { position, entry } => self.append(node, position, entry),
            Observation::Truncate { from } => self.cut(node, from),
            Observation::Durable { index } => {
                let log = &mut self.nodes[node.index()];
                // A node that starts may say so before it says its log.
                let last = if log.restated.is_some() { index } else { log.last };
                log.durable = log.durable.max(index.min(last));
            }
            Observation::Commit { index } => self.commit(node, index),
            Observation::Applied { index, state } => self.apply(node, index, state),
            Observation::Snapshot { position, state, installed } => {
                self.take_snapshot(node, position, state, installed);
            }
            Observation::Configuration { index, voters, outgoing, .. } => {
                self.nodes[node.index()].configure(LogConfiguration { index, voters, outgoing });
            }
            Observation::Accept { .. }
            | Observation::Apply { .. }
            | Observation::Discard { .. }
            | Observation::Replay { .. } => {}
        }
    }

    /// A node starts: what it says until [`LogLedger::has_started`] is what its disk kept.
    pub fn begins_to_start(&mut self, now: Moment, node: NodeId) {
        self.now = now;
        self.nodes[node.index()].begin_to_start();
        self.count_those_behind();
    }

    /// A node has started: what it has not said of its log is lost.
    pub fn has_started(&mut self, now: Moment, node: NodeId) {
        self.now = now;
        let log = &mut self.nodes[node.index()];
        let Some(Restated { first, durable, before }) = log.restated.take() else { return };
        let (last, applied) = (log.last, log.applied);
        log.durable = log.durable.max(durable).min(last);
        for index in self.slots.first_from(LogIndex(0))..=before.last.0 {
            if first.is_none_or(|first| index < first.0) || index > last.0 {
                self.release(node, LogIndex(index));
            }
        }
        self.uncover(node, before.snapshot.index);
        let from = before.snapshot_state;
        if applied < from {
            let how = How::AppliedWentBack { from };
            self.broken(Property::StateMachineSafety, node, Some(applied), how);
        }
        self.count_those_behind();
    }

    /// A node that was to start did not, for it found its disk unusable: nothing that it had is
    /// known to be lost.
    pub fn did_not_start(&mut self, node: NodeId) {
        self.nodes[node.index()].give_up_start();
        self.count_those_behind();
    }

    /// Notes a breach, unless the property was broken before.
    #[cold]
    fn broken(&mut self, property: Property, node: NodeId, index: Option<LogIndex>, how: How) {
        if self.breaches.iter().all(|breach| breach.property != property) {
            let (moment, term) = (self.now, self.nodes[node.index()].term);
            self.breaches.push(Breach { property, moment, node, term, index, how });
        }
    }

    // Terms and votes.

    fn take_role(&mut self, node: NodeId, role: Role, term: Term) {
        let log = &mut self.nodes[node.index()];
        let from = std::mem::replace(&mut log.term, term);
        let leads = (role == Role::Leader).then_some(term);
        let is_new = leads.is_some() && log.leads != leads;
        let last = log.last;
        log.leads = leads;
        if term < from {
            self.broken(Property::Votes, node, None, How::TermWentBack { from });
        }
        if is_new {
            self.leads_now(node, term, last);
        }
    }

    /// A node begins to lead a term, with everything that was committed in an earlier one.
    fn leads_now(&mut self, node: NodeId, term: Term, last: LogIndex) {
        self.leaderships.push(TermLed { term, node, last });
        self.last_led = self.last_led.max(term);
        if self.examined.committed == 0 {
            return;
        }
        let committed = self.slots.first_from(LogIndex(0))..self.slots.end();
        let lacked = committed.map(LogIndex).find_map(|index| {
            let committed = self.slots.get(index)?.committed?;
            let is_earlier = committed.committed_in < term;
            (is_earlier && !self.has(node, index, committed)).then_some((index, committed))
        });
        if let Some((index, committed)) = lacked {
            self.lacks(node, index, committed);
        }
    }

    /// A node has a vote. That of a term which is over may become durable late.
    fn vote(&mut self, node: NodeId, term: Term, candidate: NodeId) {
        self.examined.votes += 1;
        let log = &mut self.nodes[node.index()];
        log.term = log.term.max(term);
        let Some((from, first)) = log.voted.replace((term, candidate)) else { return };
        if term < from {
            self.broken(Property::Votes, node, None, How::TermWentBack { from });
        } else if term == from && first != candidate {
            let how = How::VotedTwice { first, second: candidate };
            self.broken(Property::Votes, node, None, how);
        }
    }

    // Entries.

    /// Whether a node has a committed entry, in its log or under its snapshot.
    fn has(&self, node: NodeId, index: LogIndex, committed: Committed) -> bool {
        let Committed { term, entry, .. } = committed;
        self.nodes[node.index()].snapshot.index >= index
            || self.slots.holders(index, term, entry).contains(node)
    }

    fn lacks(&mut self, node: NodeId, index: LogIndex, committed: Committed) {
        let Committed { term, committed_in, .. } = committed;
        let how = How::LeaderLacks { term, committed_in };
        self.broken(Property::LeaderCompleteness, node, Some(index), how);
    }

    fn append(&mut self, node: NodeId, position: Position, entry: EntryHash) {
        self.examined.appended += 1;
        let Position { term, index } = position;
        let log = &mut self.nodes[node.index()];
        if let Some(restated) = &mut log.restated {
            let replaced = match restated.first {
                Some(_) => log.last,
                None => index,
            };
            restated.first.get_or_insert(index);
            log.last = index;
            log.term = log.term.max(term);
            let is_forgotten = index < self.slots.base();
            let held = self.slots.held(node, index);
            let is_same = is_forgotten || held.is_some_and(|held| held.is(term, entry));
            if !is_same {
                restated.durable = restated.durable.min(index.before());
            }
            // What it had said of this start comes to nothing behind what it says now.
            for index in self.slots.first_from(index.next())..=replaced.0 {
                self.release(node, LogIndex(index));
            }
            if is_same {
                return;
            }
            self.release(node, index);
        } else if index <= log.last {
            if self.slots.held(node, index).is_some_and(|held| held.is(term, entry)) {
                return self.cut(node, index.next());
            }
            self.cut(node, index);
        }
        let log = &mut self.nodes[node.index()];
        log.last = index;
        let is_committed = log.snapshot.index < index && index <= log.commit;
        self.slots.hold(node, index, term, entry);
        self.compare(node, position, entry);
        if is_committed {
            self.commit_entry(node, index);
        }
    }

    /// Compares an entry that a node has just appended with the same entry in other logs.
    #[inline]
    fn compare(&mut self, node: NodeId, position: Position, entry: EntryHash) {
        let Position { term, index } = position;
        if self.slots.is_contested(index) {
            let is_another = |variant: &&HeldEntry| {
                variant.term == term && variant.entry != entry && !variant.holders.is_empty()
            };
            let another = self.slots.variants(index).find(is_another).copied();
            if let Some(other) = another.and_then(|another| another.holders.iter().next()) {
                let how = How::EntriesDiffer { other, term };
                self.broken(Property::LogMatching, node, Some(index), how);
            }
        }
        let others = self.slots.holders(index, term, entry).without(node);
        if others.is_empty() || index == LogIndex(0) {
            return;
        }
        // Nearly always all of them have the same entry before it, in their logs.
        let before = index.before();
        let same = self.slots.held(node, before).map_or(NodeBits::EMPTY, |held| held.holders);
        if others.0 & !same.0 != 0
            && let Some(other) = self.differs_before(node, before, others)
        {
            let how = How::EntriesBeforeDiffer { other, term };
            self.broken(Property::LogMatching, node, Some(index), how);
        }
    }

    /// One of `others` that has another entry at an index than a node, in its log or as the
    /// position of its snapshot.
    #[cold]
    fn differs_before(&self, node: NodeId, index: LogIndex, others: NodeBits) -> Option<NodeId> {
        let at = |node: NodeId| match self.slots.held(node, index) {
            Some(held) => Some((held.term, Some(held.entry))),
            None => {
                let snapshot = self.nodes[node.index()].snapshot;
                let is_there = snapshot.index == index && index >= self.slots.base();
                is_there.then_some((snapshot.term, None))
            }
        };
        let (term, entry) = at(node)?;
        others.iter().find(|other| {
            at(*other).is_some_and(|(of, what)| {
                of != term || what.zip(entry).is_some_and(|(what, entry)| what != entry)
            })
        })
    }

    /// A node cut its log, from this index on.
    fn cut(&mut self, node: NodeId, from: LogIndex) {
        let log = &mut self.nodes[node.index()];
        if from > log.last {
            return;
        }
        let (last, leads) = (log.last, log.leads.is_some());
        log.cut(from);
        if leads {
            self.broken(Property::LeaderAppendOnly, node, Some(from), How::LeaderCut);
        }
        for index in self.slots.first_from(from)..=last.0 {
            self.release(node, LogIndex(index));
        }
    }

    /// The log of a node has nothing at an index any more.
    fn release(&mut self, node: NodeId, index: LogIndex) {
        let Some(left) = self.slots.release(node, index) else { return };
        if let Some(committed) = self.slots.get(index).and_then(|slot| slot.committed)
            && (committed.term, committed.entry) == (left.term, left.entry)
        {
            self.lose(node, index, committed);
        }
    }

    /// No snapshot of a node covers the entries up to `until` any more, but those up to its present
    /// one.
    fn uncover(&mut self, node: NodeId, until: LogIndex) {
        let covered = self.nodes[node.index()].snapshot.index;
        for index in self.slots.first_from(covered.next())..=until.0 {
            let index = LogIndex(index);
            if let Some(committed) = self.slots.get(index).and_then(|slot| slot.committed) {
                self.lose(node, index, committed);
            }
        }
    }

    /// A node has a committed entry no more, unless its snapshot covers that.
    #[cold]
    fn lose(&mut self, node: NodeId, index: LogIndex, committed: Committed) {
        let leads_later =
            self.nodes[node.index()].leads.is_some_and(|term| term > committed.committed_in);
        if leads_later && !self.has(node, index, committed) {
            self.lacks(node, index, committed);
        }
        let mut nodes = (0..self.nodes.len()).map(NodeId::from_index);
        if !nodes.any(|node| self.has(node, index, committed)) {
            let how = How::OnNoNode { term: committed.term };
            self.broken(Property::CommittedDurable, node, Some(index), how);
        }
    }

    // Commitment, application, snapshots.

    fn commit(&mut self, node: NodeId, index: LogIndex) {
        let log = &mut self.nodes[node.index()];
        let (from, last) = (log.commit, log.last);
        log.commit = index;
        if index < from {
            let how = How::CommitWentBack { from };
            self.broken(Property::StateMachineSafety, node, Some(index), how);
        }
        let first = from.max(self.nodes[node.index()].snapshot.index).next();
        for index in self.slots.first_from(first)..=index.min(last).0 {
            self.commit_entry(node, LogIndex(index));
        }
    }

    /// A node has this entry and knows that it is committed.
    fn commit_entry(&mut self, node: NodeId, index: LogIndex) {
        let Some(held) = self.slots.held(node, index).copied() else { return };
        let committed_in = self.nodes[node.index()].term;
        let Some(slot) = self.slots.get_mut(index) else { return };
        match slot.committed {
            Some(first) if (first.term, first.entry) != (held.term, held.entry) => {
                let how = How::CommittedAnother { first: first.term, second: held.term };
                self.broken(Property::StateMachineSafety, node, Some(index), how);
            }
            Some(_) => {}
            None => {
                let committed = Committed { entry: held.entry, term: held.term, committed_in };
                slot.committed = Some(committed);
                self.examined.committed += 1;
                self.committed_anew(node, index, committed, held.holders);
            }
        }
    }

    /// An entry is committed for the first time: a quorum has it durably, and so has whoever leads
    /// a later term.
    fn committed_anew(
        &mut self,
        node: NodeId,
        index: LogIndex,
        committed: Committed,
        holders: NodeBits,
    ) {
        let (mut durable, mut lacking) = (NodeBits::EMPTY, None);
        for (place, log) in self.nodes.iter().enumerate() {
            let of = NodeId::from_index(place);
            let (is_held, is_covered) = (holders.contains(of), log.snapshot.index >= index);
            if is_covered || (is_held && log.durable >= index) {
                durable = durable.with(of);
            }
            let leads_later = log.leads.is_some_and(|term| term > committed.committed_in);
            if leads_later && !is_held && !is_covered && lacking.is_none() {
                lacking = Some(of);
            }
        }
        if self.last_led > committed.committed_in {
            lacking = lacking.or_else(|| self.lacked(index, committed.committed_in));
        }
        if let Some(leader) = lacking {
            self.lacks(leader, index, committed);
        }
        let LogConfiguration { voters, outgoing, .. } = self.nodes[node.index()].configuration();
        let is_met = |set: NodeBits| set.common(durable) * 2 > set.len();
        if !(is_met(voters) && (outgoing.is_empty() || is_met(outgoing))) {
            let (durable, voters) = (voters.common(durable), voters.len());
            let how = How::NoQuorum { term: committed.term, durable, voters };
            self.broken(Property::CommittedDurable, node, Some(index), how);
        }
    }

    /// Who began to lead a later term than this with a log that ended before an index: what it
    /// appended behind is of its own term.
    #[cold]
    fn lacked(&self, index: LogIndex, committed_in: Term) -> Option<NodeId> {
        let mut leaderships = self.leaderships.iter();
        let lacks = |led: &&TermLed| led.term > committed_in && led.last < index;
        leaderships.find(lacks).map(|led| led.node)
    }

    fn apply(&mut self, node: NodeId, index: LogIndex, state: StateHash) {
        self.examined.applied += 1;
        self.reach_state(node, index, state);
        let log = &mut self.nodes[node.index()];
        let from = log.applied;
        log.applied = index;
        if index < from {
            let how = How::AppliedWentBack { from };
            self.broken(Property::StateMachineSafety, node, Some(index), how);
        }
        self.has_applied(from, index);
    }

    /// A node has this state after an index.
    fn reach_state(&mut self, node: NodeId, index: LogIndex, state: StateHash) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let first = *slot.state.get_or_insert(state);
        if first != state {
            let how = How::StatesDiffer { first, second: state };
            self.broken(Property::StateMachineSafety, node, Some(index), how);
        }
    }

    fn take_snapshot(
        &mut self,
        node: NodeId,
        position: Position,
        state: Option<StateHash>,
        installed: bool,
    ) {
        if let Some(state) = state {
            self.reach_state(node, position.index, state);
        }
        if let Some(committed) = self.slots.get(position.index).and_then(|slot| slot.committed)
            && committed.term != position.term
        {
            let how = How::CommittedAnother { first: committed.term, second: position.term };
            self.broken(Property::StateMachineSafety, node, Some(position.index), how);
        }
        let held = self.slots.held(node, position.index).map(|held| held.term);
        let log = &mut self.nodes[node.index()];
        let (before, last) = (std::mem::replace(&mut log.snapshot, position), log.last);
        log.snapshot_state = if state.is_some() { position.index } else { LogIndex(0) };
        if log.restated.is_some() {
            log.last = log.last.max(position.index);
            log.term = log.term.max(position.term);
            if state.is_some() {
                (log.commit, log.applied) = (position.index, position.index);
            }
            return;
        }
        if position.index < before.index {
            // What only the later snapshot stood for is not known to be committed any more.
            log.commit = log.commit.min(position.index);
        }
        if installed {
            // What all have applied is forgotten, and taken to be the same.
            let is_forgotten = position.index < self.slots.base() && position.index <= last;
            let has = is_forgotten || held == Some(position.term) || before == position;
            self.install(node, position, has, state.is_some());
        }
        self.uncover(node, before.index);
    }

    /// A snapshot is in place of what a node had up to its position, and of what it had behind it
    /// unless its log `has` the position (Raft section 7).
    fn install(&mut self, node: NodeId, position: Position, has: bool, is_applied: bool) {
        let index = position.index;
        if !has {
            let first = self.slots.base().max(LogIndex(1));
            if self.nodes[node.index()].last > index {
                // What the leader of a later term cuts off like this, it had not to have.
                self.cut(node, index.next());
            }
            for index in first.0..=index.0.min(self.nodes[node.index()].last.0) {
                self.release(node, LogIndex(index));
            }
        }
        let log = &mut self.nodes[node.index()];
        log.last = log.last.max(index);
        if !has {
            // The node says which configuration the snapshot brought.
            log.forget_configurations(LogIndex(0));
        }
        let from = log.applied;
        // A snapshot that comes late of what the node has applied changes nothing (figure 13).
        if !is_applied || (has && index <= from) {
            return;
        }
        log.applied = index;
        log.commit = log.commit.max(index);
        if index < from {
            let how = How::AppliedWentBack { from };
            self.broken(Property::StateMachineSafety, node, Some(index), how);
        }
        self.has_applied(from, index);
    }

    /// A node that had applied an index has applied another one. What every node has applied is
    /// forgotten.
    #[inline]
    fn has_applied(&mut self, from: LogIndex, to: LogIndex) {
        let base = self.slots.base();
        match (from <= base, to <= base) {
            (true, false) => {
                self.behind -= 1;
                if self.behind == 0 {
                    self.count_those_behind();
                }
            }
            (false, true) => self.behind += 1,
            (true, true) | (false, false) => {}
        }
    }

    fn count_those_behind(&mut self) {
        let all = self.nodes.iter().map(|log| log.applied).min().unwrap_or_default();
        self.slots.forget_before(all);
        let base = self.slots.base();
        self.behind = self.nodes.iter().filter(|log| log.applied <= base).count();
    }
}
