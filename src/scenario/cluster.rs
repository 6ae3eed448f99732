//! `[cluster]`.

use std::sync::LazyLock;

use super::decode::TableDecoder;
use super::keys::{Section, ValueShape, declared, integer, keys, node};
use super::registry::{Registered, Registry};
use super::words::NODES;
use crate::config::Cluster;
use crate::id::NodeId;

const HELP: &str = "The nodes: n1, n2 and so on.";

/// The table.
pub(super) static SECTION: LazyLock<Section<Cluster>> = LazyLock::new(|| {
    let base = Cluster { nodes: 1, initial_leader: None };
    let keys = keys! { |cluster: Cluster|
        /// How many nodes.
        "nodes" => cluster.nodes, integer(1..=NODES), required();
    };
    Section::new(HELP, base).with(keys).by_hand(
        declared! {
            /// Who leads from the start; `none`: the nodes elect a leader at boot.
            "initial-leader": node().or_word("none").shape().clone();
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
            table.insert("initial-leader".to_owned(), leader_text(cluster.initial_leader).into());
        },
    )
});

/// Reads the table; `leader` leads from the start unless it says otherwise.
pub(super) fn decode(table: &mut TableDecoder<'_>, leader: Option<NodeId>) -> Option<Cluster> {
    SECTION.decode_over(table, Cluster { initial_leader: leader, ..*SECTION.base() })
}

/// The shape of the table. Who leads by default is the protocol's to say.
pub(super) fn shape(registry: &Registry) -> ValueShape {
    let mut keys = SECTION.declared();
    let key = keys.iter_mut().find(|key| key.name == "initial-leader").expect("it is declared");
    let default = |protocol: &Registered| leader_text(protocol.initial_leader);
    let mut defaults: Vec<String> = registry.protocols.iter().map(default).collect();
    defaults.sort();
    defaults.dedup();
    if let [default] = &defaults[..] {
        key.default = Some(default.clone().into());
    } else {
        let each = registry.protocols.iter();
        let each = each.map(|one| format!("{} for {}", default(one), one.name));
        key.help += &format!(" By default {}.", each.collect::<Vec<_>>().join(", "));
    }
    ValueShape::table(HELP, keys)
}

fn leader_text(leader: Option<NodeId>) -> String {
    leader.map_or_else(|| "none".to_owned(), |node| node.to_string())
}
