//! `[cluster]`.

use std::sync::LazyLock;

use super::decode::TableDecoder;
use super::keys::{Section, declared, integer, keys, node};
use super::words::NODES;
use crate::config::Cluster;
use crate::id::NodeId;

/// The table.
pub(super) static SECTION: LazyLock<Section<Cluster>> = LazyLock::new(|| {
    let base = Cluster { nodes: 1, initial_leader: Some(NodeId(0)) };
    let keys = keys! { |cluster: Cluster|
        /// How many nodes.
        "nodes" => cluster.nodes, integer(1..=NODES), required();
    };
    Section::new("The nodes: n1, n2 and so on.", base).with(keys).by_hand(
        declared! {
            /// Who leads from the start; `none`: the nodes elect a leader at boot.
            "initial-leader": node().or_word("none").shape().clone(),
                default(NodeId(0).to_string());
        },
        |table, draft| {
            // The leader is one of the nodes that the same table counts.
            let mut scope = table.scope();
            let nodes = draft.value.nodes;
            scope.frame.nodes = if draft.is_right("nodes") { nodes } else { NODES };
            table.set_scope(scope);
            let leader = draft.value.initial_leader;
            draft.value.initial_leader =
                table.or("initial-leader", leader, |leader| leader.node_or("none"))?;
            Some(())
        },
        |cluster, _, table| {
            let leader = cluster.initial_leader;
            let leader = leader.map_or_else(|| "none".to_owned(), |node| node.to_string());
            table.insert("initial-leader".to_owned(), leader.into());
        },
    )
});

/// Reads the table.
pub(super) fn decode(table: &mut TableDecoder<'_>) -> Option<Cluster> {
    SECTION.decode(table)
}
