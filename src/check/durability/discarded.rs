//! Acknowledged writes that were thrown away before their key was written again.
//!
//! Such a write is not lost at the end, because something newer is there. But the newer value was
//! written by a node that did not have the write, and a client that had asked in between would have
//! missed it. Where keys are rewritten often, losses hide in this way.
//!
//! Every write that a node accepts says which value its key held there ([`crate::history::Over`]).
//! From what is held at the end, a walk leads back through everything that was written over
//! something. An acknowledged put or delete that is neither on that walk nor lost was *discarded*.
//! Where the walk ends, at a write over nothing or at a key that shows nothing, a removal explains
//! what lies behind. Clears and elements of lists are not counted.

use crate::check::facts::{Facts, place};
use crate::check::order::Write;
use crate::history::{Entry, Function, History};
use crate::id::{KeyId, OpId, Value, Version};

/// The discarded writes in the order of invocation, without those that `is_lost`. `None` if the
/// protocol does not say what its writes overwrite.
pub(super) fn discarded(facts: &Facts<'_>, is_lost: impl Fn(OpId) -> bool) -> Option<Vec<OpId>> {
    let history = facts.evidence.history;
    if !history.tells_over() {
        return None;
    }
    let kept = Kept::of(facts);
    let counts = |entry: &Entry| matches!(entry.function, Function::Put | Function::Delete);
    let acknowledged = history.accesses().filter(|(_, entry)| entry.is_ok() && counts(entry));
    let is_discarded = |(op, entry): (OpId, &Entry)| {
        if kept.operations[history.place(op)] {
            return None;
        }
        let version = facts.least(op, entry.version?);
        let write = Write { version, ..place(op, entry) };
        (!kept.is_removed(facts, entry.key, &write) && !is_lost(op)).then_some(op)
    };
    Some(acknowledged.filter_map(is_discarded).collect())
}

/// The operations that lead to what is held at the end.
struct Kept {
    operations: Vec<bool>,
    /// By key, the place in the history until which a removal may have emptied it; `None` if it was
    /// never empty.
    empty_until: Vec<Option<u32>>,
}

impl Kept {
    fn of(facts: &Facts<'_>) -> Self {
        let history = facts.evidence.history;
        let operations = vec![false; history.places()];
        let mut kept = Self { operations, empty_until: vec![None; facts.newest.len()] };
        for (key, shown) in (0..).map(KeyId).zip(&facts.shown) {
            if shown.is_none_or(|shown| shown.stored.value.is_none()) {
                kept.empty(key, u32::MAX);
            }
        }
        for snapshot in facts.evidence.finals.iter().filter(|snapshot| snapshot.up) {
            for (key, stored) in &snapshot.data {
                match stored.value {
                    Some(value) => {
                        kept.keep(
                            history,
                            facts.writers.candidates_of(*key, value, stored.version),
                        );
                    }
                    None => kept.keep(history, facts.writers.writer(*key, None, stored.version)),
                }
            }
            for (key, list) in &snapshot.lists {
                let of_element = |(version, value): &(Version, Value)| {
                    facts.writers.candidates_of(*key, *value, *version)
                };
                kept.keep(history, list.iter().flat_map(of_element));
            }
        }
        // Backwards through the history: a write is usually invoked after the write that it
        // overwrites.
        let mut later: Vec<OpId> = Vec::new();
        let all: Vec<OpId> = history.accesses().map(|(op, _)| op).collect();
        for last in all.into_iter().rev() {
            if kept.operations[history.place(last)] {
                kept.lead_back(facts, last, (last, &mut later));
            }
            while let Some(op) = later.pop() {
                kept.lead_back(facts, op, (last, &mut later));
            }
        }
        kept
    }

    fn keep(&mut self, history: &History, writers: impl IntoIterator<Item = OpId>) {
        for op in writers {
            self.operations[history.place(op)] = true;
        }
    }

    /// Keeps the writes that `op` overwrote. Those that were invoked after `last` and are kept only
    /// now are added to `later`.
    fn lead_back(&mut self, facts: &Facts<'_>, op: OpId, (last, later): (OpId, &mut Vec<OpId>)) {
        let history = facts.evidence.history;
        let entry = history.entry(op);
        if !entry.is_on_one_key() {
            // A clear does not say what it overwrote.
            return;
        }
        for over in history.over(op) {
            let Some(value) = over else {
                self.empty(entry.key, entry.completed_seq);
                continue;
            };
            // A value read back from a disk may be that of any write of this text.
            for before in facts.writers.candidates_under(entry, value) {
                let kept = &mut self.operations[history.place(before)];
                if !std::mem::replace(kept, true) && history.is_before(last, before) {
                    later.push(before);
                }
            }
        }
    }

    fn empty(&mut self, key: KeyId, until: u32) {
        let empty = &mut self.empty_until[key.0 as usize];
        *empty = (*empty).max(Some(until));
    }

    /// Whether a removal may have come after `write` before its key was empty.
    fn is_removed(&self, facts: &Facts<'_>, key: KeyId, write: &Write) -> bool {
        let until = self.empty_until[key.0 as usize];
        until.is_some_and(|until| facts.is_removed(key, write, until))
    }
}
