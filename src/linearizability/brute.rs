//! The dumb twin: tries every order, for histories of a few operations.

use crate::id::{KeyId, OpId};

use super::model::{Content, Expects, Step, Update};
use super::operations::{Operation, Operations, Others};

/// Whether some order of the operations gives every answer.
pub(super) fn is_linearizable(operations: &Operations) -> bool {
    let store = vec![operations.initial; operations.keys as usize];
    let left: Vec<OpId> = operations.ids().filter(|op| !operations.get(*op).is_silent()).collect();
    from(operations, &store, &left)
}

fn from(operations: &Operations, store: &[Content], left: &[OpId]) -> bool {
    if left.iter().all(|op| operations.get(*op).is_open()) {
        return true;
    }
    left.iter().any(|op| {
        let call = operations.get(*op).call;
        let is_first = left.iter().all(|other| operations.get(*other).ret > call);
        is_first
            && take_effect(operations, store, *op).is_some_and(|store| {
                let left: Vec<OpId> = left.iter().copied().filter(|other| other != op).collect();
                from(operations, &store, &left)
            })
    })
}

/// What the keys hold after the operation, if its answer fits.
pub(super) fn take_effect(
    operations: &Operations,
    store: &[Content],
    op: OpId,
) -> Option<Vec<Content>> {
    let Operation { others, .. } = *operations.get(op);
    let keys = (0..).map(KeyId).zip(store);
    keys.map(|(key, held)| {
        let named = operations.steps(op).iter().find(|step| step.key == key);
        let unnamed = match others {
            Others::Untouched => Step::read(key, Expects::Anything),
            Others::SeenAbsent => Step::read(key, Expects::Absent { by: None }),
            Others::Removed => Step::write(key, Update::Remove),
        };
        named.unwrap_or(&unnamed).apply(*held)
    })
    .collect()
}
