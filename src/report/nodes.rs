//! `nodes.json`: every node as it stood at the end of a run, as its status page would show it.
//!
//! A list of `{node, up, role, term, leader, mode, peers[], blocked[], pending[], data[{key, value, version}]}`, in
//! node order. `pending` is what the node still meant to do, in words; a deleted key that left a tombstone has the
//! value null. A node that is down has its id alone, and no data.

use serde_json::{Value, json};

use crate::config::Names;
use crate::id::{KeyId, NodeId};
use crate::protocol::{NodeSnapshot, Stored};

/// The status of `nodes`.
#[must_use]
pub fn nodes(nodes: &[NodeSnapshot], names: &Names) -> Value {
    nodes.iter().map(|node| status(node, names)).collect()
}

fn status(node: &NodeSnapshot, names: &Names) -> Value {
    let ids = |nodes: &[NodeId]| nodes.iter().map(ToString::to_string).collect::<Vec<_>>();
    let stored = |(key, stored): (&KeyId, &Stored)| {
        json!({
            "key": names.key(*key),
            "value": stored.value.map(|value| names.value(value)),
            "version": stored.version.to_string(),
        })
    };
    json!({
        "node": node.node.to_string(),
        "up": node.up,
        "role": node.up.then(|| node.role.name()),
        "term": node.up.then_some(node.term),
        "leader": node.leader.map(|leader| leader.to_string()),
        "mode": node.mode,
        "peers": ids(&node.peers),
        "blocked": ids(&node.blocked),
        "pending": node.pending,
        "data": node.data.iter().map(stored).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Value as Stamp, Version};
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
        (up.term, up.leader, up.mode) = (2, Some(NodeId(0)), "sync");
        (up.peers, up.blocked) = (vec![NodeId(1)], vec![NodeId(1)]);
        up.data.insert(KeyId(0), Stored { value: Some(Stamp::text(0)), version });
        up.data.insert(KeyId(1), Stored { value: None, version });
        let down = NodeSnapshot { up: false, ..NodeSnapshot::new(NodeId(1), Role::Follower) };
        let expected = json!([
            {
                "node": "n1", "up": true, "role": "leader", "term": 2, "leader": "n1", "mode": "sync",
                "peers": ["n2"], "blocked": ["n2"], "pending": [],
                "data": [
                    { "key": "city", "value": "Raleigh", "version": "1.000000000@n1#1" },
                    { "key": "gone", "value": null, "version": "1.000000000@n1#1" },
                ],
            },
            {
                "node": "n2", "up": false, "role": null, "term": null, "leader": null, "mode": "",
                "peers": [], "blocked": [], "pending": [], "data": [],
            },
        ]);
        assert_eq!(nodes(&[up, down], &names), expected);
    }
}
