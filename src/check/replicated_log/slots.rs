//! What all logs have at each index.

use std::collections::{BTreeMap, VecDeque};

use crate::id::{LogIndex, NodeBits, NodeId, Term};
use crate::protocol::{EntryHash, StateHash};

/// An entry at some index, and the logs that have it there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HeldEntry {
    pub(super) entry: EntryHash,
    pub(super) term: Term,
    pub(super) holders: NodeBits,
}

impl HeldEntry {
    pub(super) const fn is(&self, term: Term, entry: EntryHash) -> bool {
        self.term.0 == term.0 && self.entry.0 == entry.0
    }
}

/// The entry that was the first to be committed at an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Committed {
    pub(super) entry: EntryHash,
    pub(super) term: Term,
    /// The term of the node that was the first to commit it.
    pub(super) committed_in: Term,
}

/// What is known of an index.
#[derive(Clone, Debug, Default)]
pub(super) struct AtIndex {
    /// The entry that most logs have.
    variant: HeldEntry,
    /// Whether logs have other entries, too: [`Slots::rivals`] has those.
    is_contested: bool,
    pub(super) committed: Option<Committed>,
    /// The state of whoever was the first to apply this.
    pub(super) state: Option<StateHash>,
}

/// The indices that are still compared.
#[derive(Debug)]
pub(super) struct Slots {
    /// The index of the first slot. What came before is forgotten.
    base: u64,
    slots: VecDeque<AtIndex>,
    /// Where logs have several entries, all but the one in the slot.
    rivals: BTreeMap<u64, Vec<HeldEntry>>,
}

impl Slots {
    pub(super) fn new() -> Self {
        Self { base: 0, slots: VecDeque::new(), rivals: BTreeMap::new() }
    }

    /// The first index that is still compared.
    pub(super) const fn base(&self) -> LogIndex {
        LogIndex(self.base)
    }

    /// The first index from `from` on that is still compared.
    pub(super) fn first_from(&self, from: LogIndex) -> u64 {
        from.0.max(self.base)
    }

    /// The index behind the last that is known.
    pub(super) fn end(&self) -> u64 {
        self.base + self.slots.len() as u64
    }

    /// Whether logs have, or had, several entries at an index.
    #[inline]
    pub(super) fn is_contested(&self, index: LogIndex) -> bool {
        self.get(index).is_some_and(|slot| slot.is_contested)
    }

    #[inline]
    fn place(&self, index: LogIndex) -> Option<usize> {
        usize::try_from(index.0.checked_sub(self.base)?).ok()
    }

    #[inline]
    pub(super) fn get(&self, index: LogIndex) -> Option<&AtIndex> {
        self.slots.get(self.place(index)?)
    }

    /// The slot of an index; `None` of one that is forgotten.
    #[inline]
    pub(super) fn get_mut(&mut self, index: LogIndex) -> Option<&mut AtIndex> {
        let place = self.place(index)?;
        if place >= self.slots.len() {
            self.slots.resize_with(place + 1, AtIndex::default);
        }
        self.slots.get_mut(place)
    }

    /// Every entry that some log has, or had, at an index.
    pub(super) fn variants(&self, index: LogIndex) -> impl Iterator<Item = &HeldEntry> {
        let slot = self.get(index);
        let rivals = slot.filter(|slot| slot.is_contested).and_then(|_| self.rivals.get(&index.0));
        slot.map(|slot| &slot.variant).into_iter().chain(rivals.into_iter().flatten())
    }

    /// What the log of `node` has at an index.
    #[inline]
    pub(super) fn held(&self, node: NodeId, index: LogIndex) -> Option<&HeldEntry> {
        let slot = self.get(index)?;
        if slot.variant.holders.contains(node) {
            return Some(&slot.variant);
        }
        if !slot.is_contested {
            return None;
        }
        self.rivals.get(&index.0)?.iter().find(|variant| variant.holders.contains(node))
    }

    /// The logs that have this entry at an index.
    #[inline]
    pub(super) fn holders(&self, index: LogIndex, term: Term, entry: EntryHash) -> NodeBits {
        match self.get(index) {
            Some(slot) if slot.variant.is(term, entry) => slot.variant.holders,
            Some(slot) if slot.is_contested => {
                let other = self.variants(index).find(|variant| variant.is(term, entry));
                other.map_or(NodeBits::EMPTY, |variant| variant.holders)
            }
            _ => NodeBits::EMPTY,
        }
    }

    /// The log of `node`, which has nothing at this index, has this entry there from now on.
    #[inline]
    pub(super) fn hold(&mut self, node: NodeId, index: LogIndex, term: Term, entry: EntryHash) {
        let Some(slot) = self.get_mut(index) else { return };
        if slot.variant.is(term, entry) {
            slot.variant.holders = slot.variant.holders.with(node);
        } else if slot.variant.holders.is_empty() && !slot.is_contested {
            slot.variant = HeldEntry { entry, term, holders: NodeBits::of(node) };
        } else {
            self.contest(node, index, term, entry);
        }
    }

    #[cold]
    fn contest(&mut self, node: NodeId, index: LogIndex, term: Term, entry: EntryHash) {
        let rivals = self.rivals.entry(index.0).or_default();
        match rivals.iter_mut().find(|variant| variant.is(term, entry)) {
            Some(variant) => variant.holders = variant.holders.with(node),
            None => rivals.push(HeldEntry { entry, term, holders: NodeBits::of(node) }),
        }
        if let Some(slot) = self.get_mut(index) {
            slot.is_contested = true;
        }
    }

    /// The log of `node` has nothing at this index any more; what it had.
    pub(super) fn release(&mut self, node: NodeId, index: LogIndex) -> Option<HeldEntry> {
        let slot = self.slots.get_mut(usize::try_from(index.0.checked_sub(self.base)?).ok()?)?;
        if slot.variant.holders.contains(node) {
            slot.variant.holders = slot.variant.holders.without(node);
            return Some(slot.variant);
        }
        if !slot.is_contested {
            return None;
        }
        let rivals = self.rivals.get_mut(&index.0)?;
        let place = rivals.iter().position(|variant| variant.holders.contains(node))?;
        let variant = &mut rivals[place];
        variant.holders = variant.holders.without(node);
        let left = *variant;
        if left.holders.is_empty() {
            rivals.swap_remove(place);
            if rivals.is_empty() {
                slot.is_contested = false;
                self.rivals.remove(&index.0);
            }
        }
        Some(left)
    }

    /// Forgets what comes before `base`.
    pub(super) fn forget_before(&mut self, base: LogIndex) {
        let gone = usize::try_from(base.0.saturating_sub(self.base)).unwrap_or(usize::MAX);
        if gone == 0 {
            return;
        }
        self.slots.drain(..gone.min(self.slots.len()));
        self.base = base.0;
        if !self.rivals.is_empty() {
            self.rivals = self.rivals.split_off(&base.0);
        }
    }

    /// How many indices are still compared.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }
}
