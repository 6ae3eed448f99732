//! What a search works on: operations on a few keys, made ready.
//!
//! Before the search starts it is made smaller, without changing its answer:
//!
//! - A read that shows a list fixes what came before each of its elements. An append of such an
//!   element then expects exactly that ([`ShownLists`]).
//! - An operation of unknown outcome whose effect no answer can show need not take effect.
//! - Operations of unknown outcome that do the same are alike: how many of a *kind* took effect
//!   matters, not which.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::id::OpId;

use super::super::model::{Content, Expects, Step, Update};
use super::super::operations::{Operation, Operations};
use super::super::split::OnKey;
use super::super::witness::Why;
use super::lists::ShownLists;

/// An operation, with its steps on the keys of the problem.
#[derive(Clone, Copy, Debug)]
pub(super) struct Local {
    pub(super) id: OpId,
    pub(super) call: u32,
    pub(super) ret: u32,
    /// Where its steps are.
    pub(super) steps: (u32, u32),
    /// Whether it changes nothing.
    pub(super) is_read: bool,
    /// Of an operation of unknown outcome: its kind.
    pub(super) kind: u32,
}

/// One event of the history.
#[derive(Clone, Copy, Debug)]
pub(super) struct Happening {
    pub(super) place: u32,
    /// An index into [`SearchProblem::list`].
    pub(super) op: u32,
    pub(super) is_return: bool,
}

/// Operations on a few keys, which are numbered from 0.
#[derive(Clone, Debug)]
pub(in super::super) struct SearchProblem {
    pub(super) list: Vec<Local>,
    pub(super) steps: Vec<Step>,
    pub(super) events: Vec<Happening>,
    pub(super) keys: usize,
    pub(super) initial: Content,
    /// Whether an append expects what a later read shows before its element.
    pub(super) foresees: bool,
    /// One operation of each kind whose outcome is unknown.
    pub(super) kinds: Vec<u32>,
}

impl SearchProblem {
    /// The operations of `parts`, one iterator a key, as they are where nothing returned from the
    /// place `until` on, or what contradicts itself at sight. `binds` says whether the time of an
    /// operation counts; where it does not, its changes may take effect at any time or never, and
    /// what it was told is forgotten.
    pub(in super::super) fn new<'a, P: Iterator<Item = OnKey<'a>>>(
        operations: &Operations,
        lists: &ShownLists<'_>,
        parts: impl Iterator<Item = P>,
        until: u32,
        binds: impl Fn(OpId) -> bool,
    ) -> Result<Self, Why> {
        let mut problem = Self {
            list: Vec::new(),
            steps: Vec::new(),
            events: Vec::new(),
            keys: 0,
            initial: operations.initial,
            foresees: false,
            kinds: Vec::new(),
        };
        let mut all: Vec<(OpId, Step)> = Vec::new();
        let mut shown = Visible::default();
        let parts: Vec<P> = parts.collect();
        let is_alone = parts.len() == 1;
        for (key, part) in (0..).zip(parts) {
            problem.keys += 1;
            let from = all.len();
            all.extend(part.map(|on| {
                let mut step = *on.step;
                step.key.0 = key;
                (on.op, step)
            }));
            // Before appends expect what reads show, which is no answer of theirs.
            shown.note(&all[from..], lists, |op| operations.get(op).ret < until && binds(op));
            if operations.initial.is_absent() {
                problem.foresees |=
                    lists.precede(operations, &mut all[from..], is_alone, until, &binds)?;
            }
        }
        all.retain(|(op, _)| operations.get(*op).call < until);
        // By operation; on one key they are sorted already.
        if problem.keys > 1 {
            all.sort_by_key(|(op, _)| *op);
        }
        for of_one in all.chunk_by(|a, b| a.0 == b.0) {
            let op = of_one[0].0;
            let Operation { call, ret, .. } = *operations.get(op);
            let is_read = of_one.iter().all(|(_, step)| step.change == Update::Nothing);
            let (call, ret) = match (binds(op), ret < until) {
                (true, true) => (call, ret),
                (true, false) => (call, Operation::OPEN),
                (false, _) => (0, Operation::OPEN),
            };
            if ret == Operation::OPEN
                && (is_read || of_one.iter().all(|(_, step)| !shown.shows(step)))
            {
                continue;
            }
            let from = problem.steps.len() as u32;
            problem.steps.extend(of_one.iter().map(|(_, step)| *step));
            let steps = (from, of_one.len() as u32);
            problem.list.push(Local { id: op, call, ret, steps, is_read, kind: 0 });
        }
        problem.number_kinds();
        problem.order_events();
        Ok(problem)
    }

    pub(super) fn steps(&self, op: u32) -> &[Step] {
        let (from, count) = self.list[op as usize].steps;
        &self.steps[from as usize..][..count as usize]
    }

    fn number_kinds(&mut self) {
        let mut kinds: IndexMap<Vec<Step>, u32> = IndexMap::new();
        for op in 0..self.list.len() as u32 {
            if self.list[op as usize].ret == Operation::OPEN {
                let next = self.kinds.len() as u32;
                let kind = *kinds.entry(self.steps(op).to_vec()).or_insert(next);
                if kind == next {
                    self.kinds.push(op);
                }
                self.list[op as usize].kind = kind;
            }
        }
    }

    fn order_events(&mut self) {
        for (op, local) in (0..).zip(&self.list) {
            self.events.push(Happening { place: local.call, op, is_return: false });
            if local.ret != Operation::OPEN {
                self.events.push(Happening { place: local.ret, op, is_return: true });
            }
        }
        // Stable, for operations that do not bind are all called at the place 0.
        self.events.sort_by_key(|event| event.place);
    }
}

/// What the answers can show, over all keys.
#[derive(Default)]
struct Visible {
    /// Whether some answer may depend on any change.
    anything: bool,
    /// Whether some answer may depend on a key being removed.
    nothing: bool,
    /// Whether something is appended: to nothing, if what was there was removed, or to a value,
    /// whose place it takes.
    appends: bool,
    /// The symbols that answers show.
    symbols: BTreeSet<u32>,
}

impl Visible {
    /// Adds what the operations on one key can show.
    fn note(
        &mut self,
        part: &[(OpId, Step)],
        lists: &ShownLists<'_>,
        closed: impl Fn(OpId) -> bool,
    ) {
        for (op, step) in part {
            self.appends |= matches!(step.change, Update::Append(_));
            // Nobody was told what a read of unknown outcome showed.
            if step.change == Update::Nothing && !closed(*op) {
                continue;
            }
            match step.expects {
                Expects::Anything => {}
                Expects::Holds(content) => {
                    self.nothing |= content.is_absent();
                    match lists.symbols(&content) {
                        Some(symbols) => self.symbols.extend(symbols),
                        None => self.anything = true,
                    }
                }
                Expects::Absent { .. } => self.nothing = true,
                Expects::EndsWith(symbol) => {
                    self.symbols.insert(symbol);
                }
                Expects::HoldsNot(_) | Expects::Present => self.anything = true,
            }
        }
    }

    /// Whether some answer may depend on the change of `step`.
    fn shows(&self, step: &Step) -> bool {
        self.anything
            || match step.change {
                Update::Nothing => false,
                Update::Remove => self.nothing || self.appends,
                Update::Set(content) if content.is_value() && self.appends => true,
                Update::Set(content) | Update::Append(content) => {
                    content.only().is_none_or(|symbol| self.symbols.contains(&symbol))
                }
            }
    }
}
