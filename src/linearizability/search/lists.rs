//! What reads that show lists say of the order in which the elements were appended.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::super::model::{Content, Expects, Step, Update};
use super::super::operations::{Operation, Operations};
use super::super::witness::Why;
use crate::id::OpId;

/// The lists that reads showed, by their content.
#[derive(Debug, Default)]
pub(in super::super) struct ShownLists<'a> {
    by_content: IndexMap<Content, &'a [u32]>,
    /// Whether appends that no read needs stay, because an order of all operations is asked for.
    keeps_all: bool,
}

impl<'a> ShownLists<'a> {
    pub(in super::super) fn of(operations: &'a Operations) -> Self {
        let lists = operations.lists.iter();
        let by_content = lists.map(|(content, list)| (*content, list.as_ref())).collect();
        Self { by_content, keeps_all: false }
    }

    /// The same, for an order of all operations.
    pub(in super::super) fn for_an_order(self) -> Self {
        Self { keeps_all: true, ..self }
    }

    pub(super) fn symbols<'b>(&'b self, content: &'b Content) -> Option<&'b [u32]> {
        match content.count() {
            0 | 1 => Some(content.last_as_list()),
            _ => self.by_content.get(content).copied(),
        }
    }

    /// Makes every append of an element that a closed read shows expect what the read shows before
    /// it. Two reads that show different things before one element contradict each other. Nothing
    /// was there at first. Where one operation writes several symbols, which are not known, nothing
    /// is done. Whether an append expects something now.
    pub(super) fn precede(
        &self,
        operations: &Operations,
        part: &mut [(OpId, Step)],
        is_alone: bool,
        until: u32,
        binds: impl Fn(OpId) -> bool,
    ) -> Result<bool, Why> {
        if !part.iter().any(|(_, step)| matches!(step.change, Update::Append(_))) {
            return Ok(false);
        }
        // Of each symbol: which operation wrote it, if exactly one did.
        let mut writes: BTreeMap<u32, Option<OpId>> = BTreeMap::new();
        for (op, step) in part.iter() {
            if let Update::Append(content) | Update::Set(content) = step.change
                && !content.is_absent()
            {
                let Some(symbol) = content.only() else { return Ok(false) };
                writes.entry(symbol).and_modify(|write| *write = None).or_insert(Some(*op));
            }
        }
        let mut before: BTreeMap<u32, (Content, OpId)> = BTreeMap::new();
        let closed = |op: OpId| operations.get(op).ret < until && binds(op);
        for (op, step) in part.iter().filter(|(op, _)| closed(*op)) {
            let Expects::Holds(content) = step.expects else { continue };
            let Some(symbols) = self.symbols(&content) else { continue };
            let mut prefix = Content::ABSENT;
            for symbol in symbols {
                if let Some(Some(write)) = writes.get(symbol) {
                    if binds(*write) && operations.get(*op).precedes(operations.get(*write)) {
                        return Err(Why::BeforeItsWrite { read: *op, write: *write });
                    }
                    let (first, read) = *before.entry(*symbol).or_insert((prefix, *op));
                    if first != prefix {
                        let write = *write;
                        return Err(Why::TwoPlaces { write, reads: (read, *op) });
                    }
                }
                prefix = prefix.then(Content::of(*symbol));
            }
        }
        let grows = |(op, step): &(OpId, Step)| {
            matches!(step.change, Update::Append(_) | Update::Nothing)
                || operations.get(*op).call >= until
        };
        let mut settled_at = None;
        if part.iter().all(grows) {
            settled_at = self.only_grows(operations, part, &writes, &before, closed)?;
        }
        let is_value = |change| matches!(change, Update::Set(content) if content.is_value());
        let sets_values = part.iter().any(|(_, step)| is_value(step.change));
        let mut foresees = false;
        for (op, step) in part {
            let (Expects::Anything, Update::Append(content)) = (step.expects, step.change) else {
                continue;
            };
            let Some(symbol) = content.only().filter(|symbol| writes[symbol] == Some(*op)) else {
                continue;
            };
            if let Some((prefix, _)) = before.get(&symbol)
                // The first element of a list may take the place of a value.
                && (!prefix.is_absent() || !sets_values)
            {
                step.expects = Expects::Holds(*prefix);
                foresees = true;
            } else if let Some(settled_at) = settled_at.filter(|_| is_alone)
                && operations.get(*op).ret > settled_at
                && !self.keeps_all
                && !before.contains_key(&symbol)
            {
                // It may come after all that reads show, and nobody asks what it made of the list.
                // Where operations join keys, what another key shows may come later still.
                step.change = Update::Nothing;
                foresees = true;
            }
        }
        Ok(foresees)
    }

    /// A list that is only appended to never loses an element: a read that was called after an
    /// append or a read of more had returned, and shows less, contradicts that.
    ///
    /// Where each read shows the list whole, and every element is known, this gives the last call
    /// of a read or of an append that a read shows: all of these can have taken effect by then.
    fn only_grows(
        &self,
        operations: &Operations,
        part: &[(OpId, Step)],
        writes: &BTreeMap<u32, Option<OpId>>,
        before: &BTreeMap<u32, (Content, OpId)>,
        closed: impl Fn(OpId) -> bool,
    ) -> Result<Option<u32>, Why> {
        let (mut is_whole, mut last_call) = (true, 0);
        // How long the list is once an operation has returned, and how long reads show it.
        let (mut lengths, mut reads) = (Vec::new(), Vec::new());
        let is_known = |symbol: &u32| matches!(writes.get(symbol), Some(Some(_)));
        for (op, step) in part.iter().filter(|(op, _)| closed(*op)) {
            let shown = match step.expects {
                Expects::Absent { .. } => Some(0),
                Expects::Holds(content) if !content.is_value() => self
                    .symbols(&content)
                    .filter(|symbols| symbols.iter().all(is_known))
                    .map(|_| content.count()),
                _ => None,
            };
            let Operation { call, ret, .. } = *operations.get(*op);
            is_whole &= shown.is_some() || step.expects == Expects::Anything;
            if shown.is_some() {
                last_call = last_call.max(call);
            }
            if let Some(length) = shown {
                reads.push((call, length, *op));
                lengths.push((ret, length, *op));
            }
            if let Update::Append(content) = step.change
                && let Some(symbol) = content.only().filter(is_known)
            {
                // Of an element that no read shows the place is not known, but that it is missing.
                let place = before.get(&symbol).map(|(prefix, _)| prefix.count() + 1);
                lengths.push((ret, place.unwrap_or(u32::MAX), *op));
            }
        }
        for (op, step) in part {
            if let Update::Append(content) = step.change
                && content.only().is_some_and(|symbol| before.contains_key(&symbol))
            {
                last_call = last_call.max(operations.get(*op).call);
            }
        }
        lengths.sort_unstable();
        reads.sort_unstable();
        let mut lengths = lengths.into_iter().peekable();
        let mut longest = (0, OpId(0));
        for (call, length, read) in reads {
            while let Some((_, length, op)) = lengths.next_if(|(ret, ..)| *ret < call) {
                longest = longest.max((length, op));
            }
            if longest.0 > length {
                return Err(Why::Lacks { earlier: longest.1, read });
            }
        }
        Ok(is_whole.then_some(last_call))
    }
}
