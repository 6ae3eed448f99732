//! A history by key.
//!
//! Linearizability is local (Herlihy and Wing, theorem 1): a history of operations on one key each
//! is linearizable exactly if its part on every key is. With operations on several keys, the parts
//! only show what is *not* linearizable; whatever they do not settle is searched together, over
//! all keys that some operation joins.

use crate::id::{KeyId, OpId};

use super::model::{Expects, Step, Update};
use super::operations::{Operation, Operations, Others};

/// The steps of a history, sorted by key.
pub(super) struct Split<'a> {
    operations: &'a Operations,
    /// By key, where its parts begin; one more than there are keys.
    starts: Vec<u32>,
    parts: Vec<StepOf>,
}

/// A step of an operation: an index into the steps of the history, then into [`UNNAMED`].
#[derive(Clone, Copy, Default)]
struct StepOf {
    op: OpId,
    step: u32,
}

/// What operations on the whole store do with a key that they do not name, whichever it is: it was
/// seen absent, or is removed.
const UNNAMED: [Step; 2] =
    [Step::read(KeyId(0), Expects::Absent { by: None }), Step::write(KeyId(0), Update::Remove)];

/// What one operation did with one key. Its step may be one that names another key.
#[derive(Clone, Copy)]
pub(super) struct OnKey<'a> {
    pub(super) op: OpId,
    pub(super) operation: &'a Operation,
    pub(super) step: &'a Step,
}

/// Calls `note` with each step of each operation and its key, in the order of the operations.
fn for_each_step(operations: &Operations, mut note: impl FnMut(KeyId, StepOf)) {
    let named = operations.steps.len() as u32;
    // By key, one more than the last operation that named it.
    let mut named_by = vec![0_u32; operations.keys as usize];
    for op in operations.ids() {
        let from = operations.get(op).steps.0;
        for (step, on) in (from..).zip(operations.steps(op)) {
            named_by[on.key.0 as usize] = op.0 + 1;
            note(on.key, StepOf { op, step });
        }
        let unnamed = match operations.get(op).others {
            Others::Untouched => continue,
            Others::SeenAbsent => named,
            Others::Removed => named + 1,
        };
        for key in operations.key_ids().filter(|key| named_by[key.0 as usize] != op.0 + 1) {
            note(key, StepOf { op, step: unnamed });
        }
    }
}

impl<'a> Split<'a> {
    pub(super) fn of(operations: &'a Operations) -> Self {
        let mut starts = vec![0_u32; operations.keys as usize + 1];
        for_each_step(operations, |key, _| starts[key.0 as usize + 1] += 1);
        for key in 1..starts.len() {
            starts[key] += starts[key - 1];
        }
        let mut next = starts.clone();
        let mut parts = vec![StepOf::default(); starts[operations.keys as usize] as usize];
        for_each_step(operations, |key, step| {
            let next = &mut next[key.0 as usize];
            parts[*next as usize] = step;
            *next += 1;
        });
        Self { operations, starts, parts }
    }

    /// What was done with `key`, in the order of the operations.
    pub(super) fn on_key(&self, key: KeyId) -> impl ExactSizeIterator<Item = OnKey<'_>> + Clone {
        let range = self.starts[key.0 as usize] as usize..self.starts[key.0 as usize + 1] as usize;
        let named = self.operations.steps.len();
        self.parts[range].iter().map(move |part| {
            let step = part.step as usize;
            let step = self.operations.steps.get(step).unwrap_or_else(|| &UNNAMED[step - named]);
            OnKey { op: part.op, operation: self.operations.get(part.op), step }
        })
    }

    /// The keys that operations join, in groups of two and more.
    pub(super) fn joined(&self) -> Vec<Vec<KeyId>> {
        let mut root: Vec<u32> = (0..self.operations.keys).collect();
        fn find(root: &mut [u32], mut key: u32) -> u32 {
            while root[key as usize] != key {
                root[key as usize] = root[root[key as usize] as usize];
                key = root[key as usize];
            }
            key
        }
        for op in self.operations.ids() {
            let steps = self.operations.steps(op);
            let whole = self.operations.get(op).others != Others::Untouched;
            let named = steps.iter().map(|step| step.key.0);
            let all = whole.then_some(0..self.operations.keys).into_iter().flatten();
            let mut keys = named.chain(all);
            let Some(first) = keys.next() else { continue };
            for key in keys {
                let (a, b) = (find(&mut root, first), find(&mut root, key));
                root[a.max(b) as usize] = a.min(b);
            }
        }
        let mut groups: Vec<Vec<KeyId>> = vec![Vec::new(); root.len()];
        for key in self.operations.key_ids() {
            let at = find(&mut root, key.0);
            groups[at as usize].push(key);
        }
        groups.retain(|group| group.len() > 1);
        groups
    }
}
