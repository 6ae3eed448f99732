//! Search: a depth-first search for an order, with just-in-time linearization.
//!
//! The algorithm is Lowe's ("Testing for linearizability", 2017), after Wing and Gong (1993): walk
//! the events in order, and let an operation take effect only when the return of one needs it. The
//! operation that returns is tried first, then every other one that is under way. A configuration
//! is the place among the events, what the keys hold, which operations under way have taken
//! effect, and how many of each kind whose outcome is unknown. One that led nowhere is remembered,
//! so it is entered once.
//!
//! Two rules keep it small. A read takes effect as soon as the keys hold what it shows: no
//! later moment leaves more choices. And a configuration that leads nowhere also rules out those
//! that differ only in having used *more* operations of unknown outcome.
//!
//! Memory is a few words an event, and some ten words for each configuration that led nowhere.

use std::hash::{BuildHasherDefault, Hasher};

use indexmap::{IndexMap, IndexSet};

use crate::id::OpId;

use super::model::{Content, mix};
use super::operations::Operation;
use problem::SearchProblem;

pub(super) use lists::ShownLists;

mod lists;
pub(super) mod problem;

/// How a search ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// In this order the operations may have taken effect, each with the place of the event just
    /// before which it did.
    Order(Vec<(u32, OpId)>),
    /// No order fits. The history up to just before the return of `first` has one. If that is
    /// exact, the history up to just after it has none.
    NoOrder { first: OpId, is_exact: bool },
    /// The steps ran out.
    OutOfSteps,
}

/// Looks for an order, in at most `budget` steps, which it counts down.
pub(super) fn search(problem: &SearchProblem, budget: &mut u64) -> Ending {
    DepthFirst::new(problem).run(budget)
}

/// Something that was done and may have to be undone.
#[derive(Clone, Copy, Debug)]
enum Undoable {
    /// A key held this before.
    Held { key: u32, content: Content },
    /// An operation took effect, at this event.
    Effect { op: u32, event: u32 },
    /// One of a kind whose outcome is unknown took effect, at this event.
    EffectOfKind { kind: u32, event: u32 },
    /// An event was passed: a call.
    Called { op: u32 },
    /// An event was passed: a return.
    Returned,
}

/// Which operation to try next.
#[derive(Clone, Copy, Debug)]
enum Next {
    Returning,
    UnderWay(u32),
    Kind(u32),
}

/// A return that needs its operation to take effect.
struct Branching {
    /// How much had been done.
    done: usize,
    next: Next,
}

struct DepthFirst<'a> {
    problem: &'a SearchProblem,
    /// The next event.
    event: u32,
    contents: Vec<Content>,
    /// Of `contents`.
    state: u64,
    /// By operation, whether it has taken effect.
    effective: Vec<bool>,
    /// Of the operations that have taken effect. Those that have returned all have, at one event.
    effects: u64,
    /// By kind: how many have been called and how many have taken effect.
    called: Vec<u32>,
    used: Vec<u32>,
    /// A ring of the operations under way that have not taken effect, in the order of their calls;
    /// the entry after the last operation is its head.
    after: Vec<u32>,
    before: Vec<u32>,
    done: Vec<Undoable>,
    frames: Vec<Branching>,
    /// Configurations that led nowhere, and what they had used of each kind.
    dead: IndexSet<u128, AsItIs>,
    dead_with: IndexMap<u128, Vec<Box<[u32]>>, AsItIs>,
}

impl<'a> DepthFirst<'a> {
    fn new(problem: &'a SearchProblem) -> Self {
        let count = problem.list.len();
        let contents = vec![problem.initial; problem.keys];
        let ring = |_| vec![count as u32; count + 1];
        let mut search = Self {
            problem,
            event: 0,
            contents,
            state: 0,
            effective: vec![false; count],
            effects: 0,
            called: vec![0; problem.kinds.len()],
            used: vec![0; problem.kinds.len()],
            after: ring(()),
            before: ring(()),
            done: Vec::new(),
            frames: Vec::new(),
            dead: IndexSet::default(),
            dead_with: IndexMap::default(),
        };
        search.state =
            (0..).zip(&search.contents).fold(0, |state, (key, held)| state ^ of(key, *held));
        search
    }

    fn run(mut self, budget: &mut u64) -> Ending {
        let mut furthest = 0;
        loop {
            let Some(returning) = self.walk() else { return Ending::Order(self.order()) };
            furthest = furthest.max(self.event);
            if !self.is_dead() {
                self.frames.push(Branching { done: self.done.len(), next: Next::Returning });
            }
            let mut returning = returning;
            loop {
                let Some(frame) = self.frames.last() else {
                    let first = self.problem.events[furthest as usize].op;
                    let first = self.problem.list[first as usize].id;
                    return Ending::NoOrder { first, is_exact: !self.problem.foresees };
                };
                if self.done.len() > frame.done {
                    self.undo(frame.done);
                    returning = self.problem.events[self.event as usize].op;
                }
                if *budget == 0 {
                    return Ending::OutOfSteps;
                }
                *budget -= 1;
                if self.try_next(returning) {
                    break;
                }
            }
        }
    }

    /// Lets the next candidate of the last frame take effect, or gives up the frame. Whether one
    /// did.
    fn try_next(&mut self, returning: u32) -> bool {
        let head = self.problem.list.len() as u32;
        let Some(frame) = self.frames.last_mut() else { return false };
        match frame.next {
            Next::Returning => {
                frame.next = Next::UnderWay(self.after[head as usize]);
                self.take_effect(returning)
            }
            Next::UnderWay(op) if op == head => {
                frame.next = Next::Kind(0);
                false
            }
            Next::UnderWay(op) => {
                frame.next = Next::UnderWay(self.after[op as usize]);
                // What only reads would have taken effect had it been possible.
                op != returning && !self.problem.list[op as usize].is_read && self.take_effect(op)
            }
            Next::Kind(kind) => {
                let place = kind as usize;
                if place == self.problem.kinds.len() {
                    self.die();
                    self.frames.pop();
                    return false;
                }
                frame.next = Next::Kind(kind + 1);
                self.used[place] < self.called[place] && self.take_effect_of_kind(kind)
            }
        }
    }

    /// Passes events up to the next return of an operation that has not taken effect, and returns
    /// that operation. `None` at the end.
    fn walk(&mut self) -> Option<u32> {
        while let Some(event) = self.problem.events.get(self.event as usize) {
            let op = event.op;
            let local = &self.problem.list[op as usize];
            if event.is_return {
                if !self.effective[op as usize] {
                    return Some(op);
                }
                self.done.push(Undoable::Returned);
            } else if local.ret == Operation::OPEN {
                self.called[local.kind as usize] += 1;
                self.done.push(Undoable::Called { op });
            } else {
                self.link_last(op);
                self.done.push(Undoable::Called { op });
                if local.is_read {
                    self.read(op);
                }
            }
            self.event += 1;
        }
        None
    }

    /// Lets the operation take effect, and then every read that shows what there is now. Whether
    /// what it was told fits.
    fn take_effect(&mut self, op: u32) -> bool {
        if !self.change(op) {
            return false;
        }
        self.note_effect(op);
        self.read_all();
        true
    }

    fn take_effect_of_kind(&mut self, kind: u32) -> bool {
        let state = self.state;
        let done = self.done.len();
        if !self.change(self.problem.kinds[kind as usize]) {
            return false;
        }
        if self.state == state {
            // Nothing came of it, so it need not have happened.
            self.undo(done);
            return false;
        }
        self.used[kind as usize] += 1;
        self.done.push(Undoable::EffectOfKind { kind, event: self.event });
        self.read_all();
        true
    }

    fn note_effect(&mut self, op: u32) {
        self.unlink(op);
        self.effective[op as usize] = true;
        self.effects ^= of_op(op);
        self.done.push(Undoable::Effect { op, event: self.event });
    }

    /// Changes the keys as the operation does, if they hold what it was told.
    fn change(&mut self, op: u32) -> bool {
        let problem = self.problem;
        let steps = problem.steps(op);
        if steps.len() > 1
            && !steps.iter().all(|step| step.apply(self.contents[step.key.0 as usize]).is_some())
        {
            return false;
        }
        for step in steps {
            let key = step.key.0;
            let held = self.contents[key as usize];
            let Some(now) = step.apply(held) else { return false };
            if now != held {
                self.done.push(Undoable::Held { key, content: held });
                self.hold(key, now);
            }
        }
        true
    }

    fn hold(&mut self, key: u32, content: Content) {
        let held = &mut self.contents[key as usize];
        self.state ^= of(key, *held) ^ of(key, content);
        *held = content;
    }

    /// Lets a read take effect if it shows what there is.
    fn read(&mut self, op: u32) {
        let problem = self.problem;
        let mut steps = problem.steps(op).iter();
        if steps.all(|step| step.apply(self.contents[step.key.0 as usize]).is_some()) {
            self.note_effect(op);
        }
    }

    fn read_all(&mut self) {
        let head = self.problem.list.len() as u32;
        let mut op = self.after[head as usize];
        while op != head {
            let next = self.after[op as usize];
            if self.problem.list[op as usize].is_read {
                self.read(op);
            }
            op = next;
        }
    }

    fn link_last(&mut self, op: u32) {
        let head = self.problem.list.len();
        let last = self.before[head];
        (self.before[op as usize], self.after[op as usize]) = (last, head as u32);
        self.after[last as usize] = op;
        self.before[head] = op;
    }

    fn unlink(&mut self, op: u32) {
        let (before, after) = (self.before[op as usize], self.after[op as usize]);
        self.after[before as usize] = after;
        self.before[after as usize] = before;
    }

    /// Puts an operation back where it was: the last that was taken out is put back first.
    fn relink(&mut self, op: u32) {
        let (before, after) = (self.before[op as usize], self.after[op as usize]);
        self.after[before as usize] = op;
        self.before[after as usize] = op;
    }

    /// Undoes what was done after the first `keep`.
    fn undo(&mut self, keep: usize) {
        while self.done.len() > keep {
            match self.done.pop() {
                None => return,
                Some(Undoable::Held { key, content }) => self.hold(key, content),
                Some(Undoable::Effect { op, .. }) => {
                    self.relink(op);
                    self.effective[op as usize] = false;
                    self.effects ^= of_op(op);
                }
                Some(Undoable::EffectOfKind { kind, .. }) => self.used[kind as usize] -= 1,
                Some(Undoable::Returned) => self.event -= 1,
                Some(Undoable::Called { op }) => {
                    self.event -= 1;
                    let local = &self.problem.list[op as usize];
                    if local.ret == Operation::OPEN {
                        self.called[local.kind as usize] -= 1;
                    } else {
                        self.unlink(op);
                    }
                }
            }
        }
    }

    /// The configuration, but for what was used of each kind.
    fn configuration(&self) -> u128 {
        let low = mix(self.state ^ mix(self.effects));
        let high = mix(self.effects ^ mix(self.state ^ u64::from(self.event)));
        u128::from(high) << 64 | u128::from(low)
    }

    fn is_dead(&self) -> bool {
        if self.used.is_empty() {
            return !self.dead.is_empty() && self.dead.contains(&self.configuration());
        }
        let uses_less = |dead: &[u32]| dead.iter().zip(&self.used).all(|(a, b)| a <= b);
        let dead = self.dead_with.get(&self.configuration());
        dead.is_some_and(|dead| dead.iter().any(|dead| uses_less(dead)))
    }

    /// Remembers that the configuration leads nowhere.
    fn die(&mut self) {
        let configuration = self.configuration();
        if self.used.is_empty() {
            self.dead.insert(configuration);
            return;
        }
        let used: Box<[u32]> = self.used.as_slice().into();
        let dead = self.dead_with.entry(configuration).or_default();
        dead.retain(|other| !used.iter().zip(other).all(|(a, b)| a <= b));
        dead.push(used);
    }

    fn order(&self) -> Vec<(u32, OpId)> {
        // Of a kind, the one that was called first takes effect first.
        let mut of_kind = vec![Vec::new(); self.problem.kinds.len()];
        for local in self.problem.list.iter().rev().filter(|local| local.ret == Operation::OPEN) {
            of_kind[local.kind as usize].push((local.call, local.id));
        }
        for calls in &mut of_kind {
            calls.sort_unstable_by(|a, b| b.cmp(a));
        }
        let place = |event: u32| {
            let event = self.problem.events.get(event as usize);
            event.map_or(Operation::OPEN, |event| event.place)
        };
        let effects = self.done.iter().filter_map(|done| match *done {
            Undoable::Effect { op, event } => {
                Some((place(event), self.problem.list[op as usize].id))
            }
            Undoable::EffectOfKind { kind, event } => {
                let (_, op) = of_kind[kind as usize].pop().expect("used after its call");
                Some((place(event), op))
            }
            Undoable::Held { .. } | Undoable::Called { .. } | Undoable::Returned => None,
        });
        effects.collect()
    }
}

/// Hashes a configuration, whose bits are spread already.
type AsItIs = BuildHasherDefault<LowBits>;

#[derive(Default)]
struct LowBits(u64);

impl Hasher for LowBits {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = mix(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u128(&mut self, number: u128) {
        self.0 = number as u64;
    }
}

/// Spreads what a key holds over a number, so that those of all keys can be added up.
fn of(key: u32, content: Content) -> u64 {
    mix(content.hash() ^ mix(u64::from(key)))
}

fn of_op(op: u32) -> u64 {
    mix(u64::from(op) ^ 0x5eed_0000_0000_0000)
}
