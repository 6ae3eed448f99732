//! A broken guarantee in words: what the session had done, and what does not fit it.

use crate::check::facts::Facts;
use crate::check::{Witness, words};
use crate::history::{Entry, Function};
use crate::id::{KeyId, OpId, Value, Version};

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

/// The last read of the session before the one that broke it that had found `write`.
fn reader(facts: &Facts<'_>, first: Break, write: Option<OpId>) -> OpId {
    let history = facts.evidence.history;
    let client = history.entry(first.later).client;
    let found = |(op, entry): &(OpId, &Entry)| {
        if !entry.is_ok() || entry.client != client || *op >= first.later {
            return false;
        }
        let wrote = |value: Value, version: Version| {
            facts.writers.found(entry, first.key, value, version) == write
        };
        let appended =
            |value: &Value| facts.writers.found_element(entry, first.key, *value) == write;
        let shows = |value: Option<Value>, version: Option<Version>, list: Option<&[Value]>| {
            let mut elements = list.unwrap_or_default().iter();
            value.zip(version).is_some_and(|(value, version)| wrote(value, version))
                || elements.any(appended)
        };
        match entry.function {
            Function::Get if entry.key == first.key => {
                shows(entry.value, entry.version, history.elements(*op))
            }
            Function::ReadAll => {
                let items = history.contents(*op).unwrap_or_default().iter();
                let mut of_key = items.filter(|item| item.key == first.key);
                of_key.any(|item| shows(item.value, item.version, item.elements.as_deref()))
            }
            Function::Get
            | Function::Put
            | Function::Delete
            | Function::List
            | Function::Clear
            | Function::Append => false,
        }
    };
    history.iter().filter(found).last().map_or(first.later, |(op, _)| op)
}

/// The value that the read `op` found for `key`, in words.
fn value_on(facts: &Facts<'_>, op: OpId, key: KeyId) -> String {
    let history = facts.evidence.history;
    let value = match history.contents(op) {
        Some(items) => items.iter().find(|item| item.key == key).and_then(|item| item.value),
        None => history.entry(op).value,
    };
    value.map_or_else(|| "nothing".to_owned(), |value| facts.evidence.names().value(value))
}
