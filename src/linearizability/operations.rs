//! Histories: operations, when they were under way, and what they did.

use crate::id::{KeyId, OpId, Version};

use super::model::{Content, Expects, Step, Update};

/// An operation: who asked, when, and what it did.
///
/// Calls and returns are places among the events of the history, each of which is used once. Their
/// order is real time: an operation precedes another if it returned before the other was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The process, which has one operation under way at a time.
    pub process: u32,
    /// The place of its call.
    pub call: u32,
    /// The place of its return; [`Operation::OPEN`] where the outcome is unknown. It may then have
    /// taken effect at any time after its call, or never.
    pub ret: u32,
    /// What it did with the keys that its steps do not name.
    pub others: Others,
    /// Where its steps begin, and how many there are.
    pub(super) steps: (u32, u32),
}

/// What an operation did with the keys that none of its steps names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// Nothing.
    Untouched,
    /// It saw that they do not exist: a read of the whole store.
    SeenAbsent,
    /// It removed them: a clear of the whole store.
    Removed,
}

impl Operation {
    /// The place of the return of an operation whose outcome is unknown.
    pub const OPEN: u32 = u32::MAX;

    /// Whether the outcome is unknown.
    #[must_use]
    #[inline]
    pub const fn is_open(&self) -> bool {
        self.ret == Self::OPEN
    }

    /// Whether it says nothing and changes nothing.
    #[must_use]
    #[inline]
    pub const fn is_silent(&self) -> bool {
        self.steps.1 == 0 && matches!(self.others, Others::Untouched)
    }

    /// Whether this returned before `other` was called.
    #[must_use]
    #[inline]
    pub const fn precedes(&self, other: &Self) -> bool {
        self.ret < other.call
    }
}

/// A history: operations, numbered in the order in which their calls were added.
#[derive(Clone, Debug)]
pub struct Operations {
    pub(super) list: Vec<Operation>,
    pub(super) steps: Vec<Step>,
    /// By operation, the rank of its write among all writes, or of the write that it read. Empty
    /// where no operation has one.
    pub(super) ranks: Vec<Option<Version>>,
    /// The elements of the lists that reads showed, by the list's hash: see [`Operations::shows`].
    pub(super) lists: Vec<(Content, Box<[u32]>)>,
    pub(super) initial: Content,
    pub(super) keys: u32,
    /// One more than the greatest symbol.
    pub(super) symbols: u32,
}

impl Operations {
    /// No operation yet, on keys that all hold `initial`.
    #[must_use]
    pub fn new(initial: Content) -> Self {
        let symbols = initial.last().map_or(0, |symbol| symbol + 1);
        let (list, steps, ranks, lists) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { list, steps, ranks, lists, initial, keys: 0, symbols }
    }

    /// Makes room for this many more operations of one step.
    pub fn reserve(&mut self, operations: usize) {
        self.list.reserve(operations);
        self.steps.reserve(operations);
    }

    /// Adds an operation that `process` called at the place `call`. Until [`Operations::answer`]
    /// says more it has no step, so it says nothing.
    ///
    /// # Panics
    ///
    /// At 2^32 operations.
    pub fn call(&mut self, process: u32, call: u32) -> OpId {
        let op = OpId(u32::try_from(self.list.len()).expect("fewer than 2^32 operations"));
        let (ret, others, steps) = (Operation::OPEN, Others::Untouched, (0, 0));
        self.list.push(Operation { process, call, ret, others, steps });
        op
    }

    /// Says what the operation `op` did: it returned at the place `ret`, or its outcome is unknown
    /// ([`Operation::OPEN`]). No two of the steps are on one key.
    ///
    /// Of an operation that certainly did nothing and learned nothing, say nothing.
    ///
    /// # Panics
    ///
    /// When `op` was answered before.
    pub fn answer(
        &mut self,
        op: OpId,
        ret: u32,
        steps: impl IntoIterator<Item = Step>,
        others: Others,
    ) {
        let from = self.steps.len();
        self.steps.extend(steps);
        for step in &self.steps[from..] {
            self.keys = self.keys.max(step.key.0 + 1);
            let symbols = match step.expects {
                Expects::Holds(content) | Expects::HoldsNot(content) => content.last(),
                Expects::EndsWith(symbol) => Some(symbol),
                Expects::Anything | Expects::Absent { .. } | Expects::Present => None,
            };
            let changed = match step.change {
                Update::Set(content) | Update::Append(content) => content.last(),
                Update::Nothing | Update::Remove => None,
            };
            let highest = symbols.max(changed).map_or(0, |symbol| symbol + 1);
            self.symbols = self.symbols.max(highest);
        }
        let operation = &mut self.list[op.0 as usize];
        assert_eq!(operation.steps, (0, 0), "an operation is answered once");
        operation.ret = ret;
        operation.others = others;
        let count = self.steps.len() - from;
        let short = |number: usize| u32::try_from(number).expect("fewer than 2^32 steps");
        operation.steps = (short(from), short(count));
    }

    /// Says that the operation `op` wrote or read what has this version: `order` tries the order
    /// of the versions.
    pub fn rank(&mut self, op: OpId, version: Version) {
        self.ranks.resize(self.list.len(), None);
        self.ranks[op.0 as usize] = Some(version);
    }

    /// Says which elements a read showed that is answered with a step that expects
    /// `Content::sequence(elements)`. Only with them does `search` know which element came after
    /// which, without which a history of appends may take it for ever.
    pub fn shows(&mut self, elements: &[u32]) {
        if elements.len() > 1 {
            self.lists.push((Content::sequence(elements), elements.into()));
        }
    }

    /// Every operation, by its number.
    #[must_use]
    pub fn list(&self) -> &[Operation] {
        &self.list
    }

    /// The operation `op`.
    #[must_use]
    #[inline]
    pub fn get(&self, op: OpId) -> &Operation {
        &self.list[op.0 as usize]
    }

    /// What the operation `op` did, key by key.
    #[must_use]
    #[inline]
    pub fn steps(&self, op: OpId) -> &[Step] {
        let (from, count) = self.get(op).steps;
        &self.steps[from as usize..][..count as usize]
    }

    /// The ids of all operations.
    pub(super) fn ids(&self) -> impl ExactSizeIterator<Item = OpId> + use<> {
        (0..self.list.len() as u32).map(OpId)
    }

    /// The ids of all keys that a step names.
    pub(super) fn key_ids(&self) -> impl Iterator<Item = KeyId> + use<> {
        (0..self.keys).map(KeyId)
    }
}
