//! Where the accesses of operations are kept that have several, and how they are numbered.

use std::ops::Range;

use super::entry::Entry;
use crate::id::OpId;

/// The number of the first access. They count down, so that no operation's number is in their way.
pub(super) const FIRST: u32 = (1 << 30) - 2;

/// The number of no operation, and of no access.
const NONE: OpId = OpId(u32::MAX);

/// The accesses of all operations that have several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Accesses {
    pub(super) entries: Vec<Entry>,
    /// The operations, in the order of their invocations.
    pub(super) wholes: Vec<Whole>,
}

/// An operation that has several accesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whole {
    pub(super) op: OpId,
    /// Where its accesses begin.
    pub(super) from: u32,
    /// How many of its accesses come before the write that a node accepts next: nodes accept the
    /// writes of a batch in their order, all of them in each attempt.
    pub(super) accepted: u32,
}

impl Accesses {
    /// The place of an access in `entries`. `None` for the number of an operation.
    pub(super) const fn place(&self, op: OpId) -> Option<usize> {
        match FIRST.checked_sub(op.0) {
            Some(place) if (place as usize) < self.entries.len() => Some(place as usize),
            Some(_) | None => None,
        }
    }

    /// The places of the accesses of `whole`; none where it has none.
    pub(super) fn of(&self, whole: OpId) -> Range<usize> {
        match self.wholes.binary_search_by_key(&whole, |whole| whole.op) {
            Ok(at) => self.range(at),
            Err(_) => 0..0,
        }
    }

    /// The operation at a place of [`Accesses::wholes`]; [`NONE`] where there is none.
    pub(super) fn whole(&self, at: usize) -> OpId {
        self.wholes.get(at).map_or(NONE, |whole| whole.op)
    }

    pub(super) fn range(&self, at: usize) -> Range<usize> {
        let from = self.wholes[at].from as usize;
        from..self.wholes.get(at + 1).map_or(self.entries.len(), |next| next.from as usize)
    }
}

/// The number of the access at a place.
pub(super) const fn id(place: usize) -> OpId {
    // Fewer than 2^30 operations, and accesses too.
    OpId(FIRST - place as u32)
}
