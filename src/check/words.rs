//! Words for witnesses: how their sentences name operations, versions and nodes.

use crate::history::{AccessOf, Entry, Function, History};
use crate::id::{KeyId, NodeId, OpId};
use crate::named::Named;
use crate::names::Names;
use crate::protocol::Stored;

/// The most nodes that a sentence names; it counts the rest.
const NAMED: usize = 5;

/// An operation with its arguments, and of an access what it belongs to: `put city=Raleigh`,
/// `delete city`, `clear`, `put city=Raleigh (of a batch)`.
pub(crate) fn call(names: &Names, entry: &Entry) -> String {
    let of = match entry.access_of {
        Some(AccessOf::Cas) => " (of a cas)",
        Some(AccessOf::Batch) => " (of a batch)",
        Some(AccessOf::CasInBatch) => " (of a cas in a batch)",
        None => "",
    };
    bare_call(names, entry) + of
}

/// An operation or access with its arguments alone.
pub(crate) fn bare_call(names: &Names, entry: &Entry) -> String {
    let function = entry.function.name();
    match (entry.function, entry.value) {
        (Function::Put, Some(value)) => {
            format!("{function} {}={}", names.key(entry.key), names.value(value))
        }
        (Function::Append, Some(value)) => {
            format!("{function} {} to {}", names.value(value), names.key(entry.key))
        }
        (Function::Put | Function::Get | Function::Delete | Function::Append, _) => {
            format!("{function} {}", names.key(entry.key))
        }
        (Function::List | Function::ReadAll | Function::Clear, _) => function.to_owned(),
        (Function::Cas, to) => {
            let to = to.expect("a compare-and-set has a value from its invocation on");
            names.cas(entry.key, entry.over, to)
        }
        (Function::Batch, _) => function.to_owned(),
    }
}

/// An operation with its arguments, and a batch with its parts.
pub(crate) fn call_of(history: &History, op: OpId) -> String {
    let (names, entry) = (history.names(), history.entry(op));
    if entry.function != Function::Batch {
        return call(names, entry);
    }
    let parts = history.parts(op).iter().map(|part| names.call(*part, &names.batches));
    format!("batch [{}]", parts.collect::<Vec<_>>().join(", "))
}

/// An operation and who invoked it: `put city=Raleigh by c1`.
pub(crate) fn call_by(names: &Names, entry: &Entry) -> String {
    format!("{} by {}", call(names, entry), names.client(entry.client))
}

/// How a write was answered: `acknowledged by n1 at 1.200000000 s with 0 of 2 followers`.
pub(super) fn acknowledged(entry: &Entry) -> String {
    let by = entry.node.map(|node| format!(" by {node}")).unwrap_or_default();
    let with = if entry.followers == 0 {
        String::new()
    } else {
        format!(" with {} of {} followers", entry.acknowledgements, entry.followers)
    };
    let degraded = if entry.degraded { ", degraded" } else { "" };
    format!("acknowledged{by} at {} s{with}{degraded}", entry.completed_at)
}

/// Where and when a read was answered: `from n2 at 1.500000000 s`.
pub(super) fn answered(entry: &Entry) -> String {
    let from = entry.node.map(|node| format!("from {node} ")).unwrap_or_default();
    format!("{from}at {} s", entry.completed_at)
}

/// What a key holds: `city=Raleigh (version ..)`, `city deleted (version ..)`, `no city`.
pub(crate) fn holds(names: &Names, key: KeyId, stored: Option<Stored>) -> String {
    let key = names.key(key);
    match stored {
        Some(Stored { value: Some(value), version }) => {
            format!("{key}={} (version {version})", names.value(value))
        }
        Some(Stored { value: None, version }) => format!("{key} deleted (version {version})"),
        None => format!("no {key}"),
    }
}

/// `n1`, `n1 and n2`, `n1, n2 and n3`, `n1, n2, n3, n4, n5 and 3 more`.
pub(crate) fn nodes(nodes: &[NodeId]) -> String {
    let mut parts: Vec<String> = nodes.iter().take(NAMED).map(ToString::to_string).collect();
    if nodes.len() > NAMED {
        parts.push(format!("{} more", nodes.len() - NAMED));
    }
    match parts.split_last() {
        None => "no node".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// ` (5 writes in all)`; empty for a single case.
pub(super) fn in_all(count: u64, what: &str) -> String {
    if count > 1 { format!(" ({count} {what} in all)") } else { String::new() }
}

/// Parts in a billion as a percentage: `99.95%`.
pub(super) fn percent(parts: u64) -> String {
    let decimals = format!("{:07}", parts % 10_000_000);
    let decimals = decimals.trim_end_matches('0');
    let dot = if decimals.is_empty() { "" } else { "." };
    format!("{}{dot}{decimals}%", parts / 10_000_000)
}

/// `part` of `whole` as a percentage with at most four decimals, rounded down, so that a share
/// below a bound never looks as if it met it. `None` if `whole` is 0.
pub(super) fn share(part: u64, whole: u64) -> Option<String> {
    let parts = (u128::from(part) * 1_000_000).checked_div(u128::from(whole))?;
    // A part is at most the whole.
    Some(percent(parts as u64 * 1_000))
}
