//! The order that the answers give: an exact yes in O(n log n), or nothing.
//!
//! Where a leader numbers all writes, the numbers usually are the order in which the writes took
//! effect, across all keys. A read then comes after the write that it saw, and after every
//! operation that had returned before the read was called. Replaying that order shows whether every
//! answer fits. An operation on the whole store is replayed like any other.

use crate::id::{OpId, Version};

use super::model::{Content, Update};
use super::operations::{Operation, Operations, Others};

/// Whether the order of the ranks explains every answer. `false` says nothing.
pub(super) fn fits(operations: &Operations) -> bool {
    order(operations).is_some()
}

/// The operations in the order of their ranks, where it explains every answer.
pub(super) fn order(operations: &Operations) -> Option<Vec<OpId>> {
    if operations.ranks.is_empty() {
        return None;
    }
    let order = by_rank(operations)?;
    (keeps_real_time(operations, &order) && replays(operations, &order)).then_some(order)
}

fn is_write(operations: &Operations, op: OpId) -> bool {
    operations.get(op).others == Others::Removed
        || operations.steps(op).iter().any(|step| step.change != Update::Nothing)
}

/// `None` where a write that was answered has no rank. Of two writes that share one, which some
/// stores give, the one called first comes first: whether that is an order shows later.
fn by_rank(operations: &Operations) -> Option<Vec<OpId>> {
    let rank = |op: OpId| operations.ranks.get(op.0 as usize).copied().flatten().map(Rank::of);
    let mut places: Vec<Option<OpId>> = Vec::new();
    let mut note = |place: u32, op: OpId| {
        let place = place as usize;
        if places.len() <= place {
            places.resize(place + 1, None);
        }
        places[place] = Some(op);
    };
    for op in operations.ids() {
        let operation = operations.get(op);
        note(operation.call, op);
        if !operation.is_open() {
            note(operation.ret, op);
        }
    }
    // By operation; those left out have no place in the order.
    let mut order: Vec<(Rank, OpId)> = Vec::with_capacity(operations.list.len());
    // By operation, the rank that it was placed at.
    let mut placed = vec![Rank::NONE; operations.list.len()];
    let mut returned = Rank::NONE;
    for (place, op) in places.into_iter().enumerate() {
        let Some(op) = op else { continue };
        let operation = operations.get(op);
        if operation.call as usize != place {
            returned = returned.max(placed[op.0 as usize]);
            continue;
        }
        if operation.is_silent() {
            continue;
        }
        let is_write = is_write(operations, op);
        let at = match (rank(op), is_write) {
            (None, true) if operation.is_open() => continue,
            (None, true) => return None,
            (Some(rank), true) => rank,
            (rank, false) => rank.unwrap_or(Rank::NONE).max(returned),
        };
        placed[op.0 as usize] = at;
        order.push((Rank(at.0 | u128::from(!is_write)), op));
    }
    // Reads of one rank stay in the order of their calls.
    order.sort_by_key(|(at, _)| *at);
    Some(order.into_iter().map(|(_, op)| op).collect())
}

/// A version as a number that is ordered as versions are. The lowest bit says that a read comes
/// after the write of its version.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank(u128);

impl Rank {
    /// Below every version.
    const NONE: Self = Self(0);

    const fn of(version: Version) -> Self {
        let timestamp = (version.timestamp as u64 ^ 1 << 63) as u128;
        let (node, sequence) = (version.node.0 as u128, version.sequence as u128);
        Self(1 << 127 | timestamp << 49 | node << 33 | sequence << 1)
    }
}

/// Whether no operation comes before one that had returned before its call.
fn keeps_real_time(operations: &Operations, order: &[OpId]) -> bool {
    let mut first_return = Operation::OPEN;
    order.iter().rev().all(|op| {
        let operation = operations.get(*op);
        let keeps = operation.call < first_return;
        first_return = first_return.min(operation.ret);
        keeps
    })
}

/// Whether every answer fits when the operations take effect in this order.
pub(super) fn replays(operations: &Operations, order: &[OpId]) -> bool {
    let mut store = vec![operations.initial; operations.keys as usize];
    let exists = |contents: &[Content]| contents.iter().filter(|held| !held.is_absent()).count();
    let mut existing = exists(&store);
    order.iter().all(|op| {
        let steps = operations.steps(*op);
        let shown = steps.iter().filter(|step| !store[step.key.0 as usize].is_absent()).count();
        let others = operations.get(*op).others;
        if others == Others::SeenAbsent && shown != existing {
            return false;
        }
        if others == Others::Removed {
            store.fill(Content::ABSENT);
            existing = 0;
        }
        steps.iter().all(|step| {
            let held = &mut store[step.key.0 as usize];
            let before = usize::from(!held.is_absent());
            let Some(after) = step.apply(*held) else { return false };
            *held = after;
            existing = existing + usize::from(!after.is_absent()) - before;
            true
        })
    })
}
