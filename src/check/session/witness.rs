//! A broken guarantee in words: what the session had done, and what does not fit it.

use crate::check::facts::Facts;
use crate::check::{Witness, words};
use crate::history::{Entry, KeyContent};
use crate::id::{KeyId, OpId};

use super::broken::{Break, Broken, Earlier};

pub(super) fn witness(facts: &Facts<'_>, count: u64, first: Break) -> Witness {
    let names = facts.evidence.names();
    let history = facts.evidence.history;
    let earlier_op = match first.earlier {
        Earlier::Operation(op) => op,
        Earlier::ReadOf(write) => reader(facts, first, write),
    };
    let (earlier, later) = (history.entry(earlier_op), history.entry(first.later));
    let key = names.key(first.key);
    let answered = words::answered(later);
    let before = if earlier.is_write() {
        format!("{}, {}", words::call(names, earlier), words::acknowledged(earlier))
    } else if matches!(first.what, Broken::Returned) {
        format!("found {key} removed {}", words::answered(earlier))
    } else if is_tombstone(facts, earlier_op, first.key) {
        format!("found the tombstone of {key} {}", words::answered(earlier))
    } else {
        let value = value_on(facts, earlier_op, first.key);
        format!("read {key}={value} {}", words::answered(earlier))
    };
    let value = || value_on(facts, first.later, first.key);
    let after = match first.what {
        Broken::Low { version, below } => format!(
            "{}, {}, with the lower version {version} below {below}",
            words::call(names, later),
            words::acknowledged(later)
        ),
        Broken::Older => format!("read the older {key}={} {answered}", value()),
        Broken::OlderRemoval => {
            format!("found the tombstone of an older removal of {key} {answered}")
        }
        Broken::Absent => format!("found no {key} {answered}, and no delete explains that"),
        Broken::Listed => {
            format!("found {key} among the keys {answered}, and no put explains that")
        }
        Broken::Returned => format!("read {} again, from before the removal, {answered}", value()),
        Broken::Lacks(element) => format!(
            "read a list of {key} without {} {answered}, and nothing that ends a list explains \
             that",
            names.value(element)
        ),
    };
    let summary = format!(
        "{}: {before}; then {after}{}",
        names.client(later.client),
        words::in_all(count, "cases")
    );
    Witness {
        summary,
        count,
        operations: vec![earlier_op, first.later],
        nodes: [earlier.node, later.node].into_iter().flatten().collect(),
        write: Some(first.write),
    }
}

/// The session's last read before the break that had found `write`.
fn reader(facts: &Facts<'_>, first: Break, write: Option<OpId>) -> OpId {
    let history = facts.evidence.history;
    let client = history.entry(first.later).client;
    let found = |(op, entry): &(OpId, &Entry)| {
        if !entry.is_ok() || entry.client != client || !history.is_before(*op, first.later) {
            return false;
        }
        let Some(effect) = history.effect_on(*op, first.key) else { return false };
        let Some(content) = effect.found() else { return false };
        let mut elements = content.elements().unwrap_or_default().iter();
        effect.version.is_some_and(|version| {
            facts.writers.found(entry, first.key, content.value(), version) == write
        }) || elements.any(|value| facts.writers.found_element(entry, first.key, *value) == write)
    };
    history.accesses().filter(found).last().map_or(first.later, |(op, _)| op)
}

fn is_tombstone(facts: &Facts<'_>, op: OpId, key: KeyId) -> bool {
    let effect = facts.evidence.history.effect_on(op, key);
    matches!(effect.and_then(|effect| effect.found()), Some(KeyContent::Tombstone))
}

/// The value that the read `op` found for `key`, in words.
fn value_on(facts: &Facts<'_>, op: OpId, key: KeyId) -> String {
    let value = facts.evidence.history.value_found(op, key);
    value.map_or_else(|| "nothing".to_owned(), |value| facts.evidence.names().value(value))
}
