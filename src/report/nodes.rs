//! `nodes.json`: the status of every node at the end of a run, and of the nodes whose state the
//! scenario expects.
//!
//! `{end[STATUS], states[{at_ns, ..STATUS}]}`, where STATUS is `{node, up, health, role, term,
//! leader, awaits, mode, peers[], blocked[], pending[], log{first, last, commit, applied}, keys,
//! tombstones, data[{key, value, version, op, elements[{value, version, op}]}]}`.
//! `end` is in the order of nodes, `states` in
//! file order.
//!
//! - `health` is what a health check would see: `up`, `paused` (no answer) or `down` (the
//!   connection is refused). A node that is down has its id alone, and no data.
//! - `awaits` is the node that it waits for to lead.
//! - `pending` is what the node still meant to do, in words.
//! - `log` is where its replicated log begins and ends, and how far it is committed and applied:
//!   `last` is below `first` where the log is empty, `commit` null of a protocol that commits
//!   nothing. Null where no log is kept.
//! - `keys` counts the keys that exist. A deleted key that left a tombstone has the value null.
//! - `op` is the operation in `history.jsonl` that wrote the value, null if none did.
//! - `elements` are the elements of a list, in the order of their versions.

use serde_json::{Value, json};

use crate::history::{History, Writers};
use crate::id::{KeyId, NodeId, Value as Element, Version};
use crate::names::Names;
use crate::protocol::{LogStatus, NodeSnapshot, Stored};
use crate::time::Time;

/// The status of the nodes at the `end`, and of those in `states`.
#[must_use]
pub fn nodes(end: &[NodeSnapshot], states: &[(Time, NodeSnapshot)], history: &History) -> Value {
    let (names, writers) = (history.names(), Writers::of(history));
    let status = |node: &NodeSnapshot| status(node, &writers, names);
    let state =
        |(at, node): &(Time, NodeSnapshot)| with(json!({ "at_ns": at.nanos() }), status(node));
    json!({
        "end": end.iter().map(status).collect::<Vec<_>>(),
        "states": states.iter().map(state).collect::<Vec<_>>(),
    })
}

fn status(node: &NodeSnapshot, writers: &Writers<'_>, names: &Names) -> Value {
    let ids = |nodes: &[NodeId]| nodes.iter().map(ToString::to_string).collect::<Vec<_>>();
    let held = |key: KeyId, Stored { value, version }: Stored| {
        json!({
            "value": value.map(|value| names.value(value)),
            "version": version.to_string(),
            "op": writers.writer(key, value, version).map(|op| writers.history().whole(op).0),
        })
    };
    let stored = |(key, stored): (&KeyId, &Stored)| {
        let mut shown = with(json!({ "key": names.key(*key) }), held(*key, *stored));
        if let Some(list) = node.lists.get(key) {
            let element = |(version, value): &(Version, Element)| {
                held(*key, Stored { value: Some(*value), version: *version })
            };
            shown["elements"] = list.iter().map(element).collect();
        }
        shown
    };
    let owed = node.owed.iter().map(|(_, what)| what);
    json!({
        "node": node.node.to_string(),
        "up": node.up,
        "health": health(node),
        "role": node.up.then(|| node.role.name()),
        "term": node.up.then_some(node.term),
        "leader": node.leader.map(|leader| leader.to_string()),
        "awaits": node.awaits.map(|awaited| awaited.to_string()),
        "mode": node.mode,
        "peers": ids(&node.peers),
        "blocked": ids(&node.blocked),
        "pending": node.pending.iter().chain(owed).collect::<Vec<_>>(),
        "log": node.log.map(log),
        "keys": node.visible().count(),
        "tombstones": node.data.values().filter(|stored| stored.value.is_none()).count(),
        "data": node.data.iter().map(stored).collect::<Vec<_>>(),
    })
}

fn log(LogStatus { first, last, commit, applied }: LogStatus) -> Value {
    json!({
        "first": first.0,
        "last": last.0,
        "commit": commit.map(|index| index.0),
        "applied": applied.0,
    })
}

/// An object with the keys of `more` behind its own.
fn with(mut object: Value, more: Value) -> Value {
    if let (Some(object), Value::Object(more)) = (object.as_object_mut(), more) {
        object.extend(more);
    }
    object
}

/// What a health check would see.
const fn health(node: &NodeSnapshot) -> &'static str {
    match (node.up, node.paused) {
        (false, _) => "down",
        (true, true) => "paused",
        (true, false) => "up",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Process;
    use crate::id::{ClientId, LogIndex, Term, Value as Stamp};
    use crate::operation::Operation;
    use crate::protocol::Role;

    #[test]
    fn a_node_is_told_whole_and_one_that_is_down_by_its_id() {
        let names = Names {
            keys: vec!["city".into(), "gone".into()],
            values: vec!["Raleigh".into()],
            ..Names::default()
        };
        let version = Version { timestamp: 1_000_000_000, node: NodeId(0), sequence: 1 };
        let mut up = NodeSnapshot::new(NodeId(0), Role::Leader);
        let (first, last, applied) = (LogIndex(3), LogIndex(7), LogIndex(5));
        up.log = Some(LogStatus { first, last, commit: Some(LogIndex(6)), applied });
        (up.term, up.leader, up.mode) = (Term(2), Some(NodeId(0)), "sync");
        (up.peers, up.blocked) = (vec![NodeId(1)], vec![NodeId(1)]);
        up.data.insert(KeyId(0), Stored { value: Some(Stamp::text(0)), version });
        up.data.insert(KeyId(1), Stored { value: None, version });
        up.lists.insert(KeyId(0), vec![(version, Stamp::text(0))]);
        let down = NodeSnapshot { up: false, ..NodeSnapshot::new(NodeId(1), Role::Follower) };
        let expected = json!({ "states": [], "end": [
            {
                "node": "n1", "up": true, "health": "up", "role": "leader", "term": 2,
                "leader": "n1", "awaits": null, "mode": "sync",
                "peers": ["n2"], "blocked": ["n2"], "pending": [],
                "log": { "first": 3, "last": 7, "commit": 6, "applied": 5 },
                "keys": 1, "tombstones": 1,
                "data": [
                    {
                        "key": "city", "value": "Raleigh", "version": "1.000000000@n1#1", "op": 0,
                        "elements": [
                            { "value": "Raleigh", "version": "1.000000000@n1#1", "op": 0 },
                        ],
                    },
                    { "key": "gone", "value": null, "version": "1.000000000@n1#1", "op": null },
                ],
            },
            {
                "node": "n2", "up": false, "health": "down", "role": null, "term": null,
                "leader": null, "awaits": null, "mode": "",
                "peers": [], "blocked": [], "pending": [], "log": null,
                "keys": 0, "tombstones": 0, "data": [],
            },
        ] });
        let mut history = History::with_capacity(1, names.into());
        let put = Operation::Put { key: KeyId(0), value: Stamp::text(0), quorum: None };
        let put = history.invoke(Time::ZERO, Time::ZERO, Process::first(ClientId(0)), put);
        history.accept(put, version);
        assert_eq!(nodes(&[up.clone(), down], &[], &history), expected);
        let states = nodes(&[], &[(Time::from_nanos(7), up)], &history);
        assert_eq!(states["states"][0]["at_ns"], json!(7));
        assert_eq!(states["states"][0]["blocked"], json!(["n2"]));
        let paused = NodeSnapshot { paused: true, ..NodeSnapshot::new(NodeId(1), Role::Follower) };
        assert_eq!(nodes(&[paused], &[], &history)["end"][0]["health"], json!("paused"));
    }
}
