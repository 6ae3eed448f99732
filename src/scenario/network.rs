//! `[network]`, `[[clock]]` and `[disk]`.

use super::decode::{Element, TableDecoder, word_for};
use super::distribution::encode_distribution;
use super::names::Interned;
use super::units;
use crate::config::{ClientLeg, Clock, Disk, Link, LinkOrder, LinkOverride, Network};
use crate::id::{ClientId, NodeId};
use crate::rng::Probability;
use crate::sampler::Distribution;
use crate::time::Span;

/// The words for the order of a link.
pub(super) const ORDER: [(&str, LinkOrder); 2] =
    [("reordering", LinkOrder::Reordering), ("fifo", LinkOrder::Fifo)];

/// The link of which nothing is said: a millisecond, nothing lost.
const fn plain_link() -> Link {
    Link {
        delay: Distribution::Constant(Span::from_millis(1)),
        loss: Probability::ZERO,
        duplication: Probability::ZERO,
        order: LinkOrder::Reordering,
        bandwidth: None,
    }
}

/// `[network]`.
pub(super) fn network(
    table: &mut TableDecoder<'_>,
    nodes: u16,
    names: &Interned,
) -> Option<Network> {
    let default = link(table, &plain_link());
    // With a wrong default the links are read all the same, for their own mistakes.
    let inherited = default.clone().unwrap_or_else(plain_link);
    let links = table
        .list("link", |element| element.table(|table| link_override(table, nodes, &inherited)));
    let client_delay =
        table.or("client-delay", Distribution::Constant(Span::ZERO), Element::distribution);
    let refuse = table.or("refuse", false, Element::boolean);
    let client_legs =
        table.list("client", |element| element.table(|table| client_leg(table, nodes, names)));
    Some(Network {
        default: default?,
        links: links?.into_iter().flatten().collect(),
        client_delay: client_delay?,
        refuse: refuse?,
        client_legs: client_legs?,
    })
}

/// The settings of a link; those not given are `inherited`.
fn link(table: &mut TableDecoder<'_>, inherited: &Link) -> Option<Link> {
    let delay = table.or("delay", inherited.delay.clone(), Element::distribution);
    let loss = table.or("loss", inherited.loss, Element::probability);
    let duplication = table.or("duplication", inherited.duplication, Element::probability);
    let order = table.or("order", inherited.order, |order| order.choice(&ORDER));
    let bandwidth = table.or("bandwidth", inherited.bandwidth, |bandwidth| {
        if bandwidth.is_text("unlimited") { Some(None) } else { bandwidth.bandwidth().map(Some) }
    });
    Some(Link {
        delay: delay?,
        loss: loss?,
        duplication: duplication?,
        order: order?,
        bandwidth: bandwidth?,
    })
}

/// `[[network.link]]`: one direction, or the two of it.
fn link_override(
    table: &mut TableDecoder<'_>,
    nodes: u16,
    inherited: &Link,
) -> Option<Vec<LinkOverride>> {
    let from = table.required("from", |from| from.node_or("*", nodes));
    let to = table.required("to", |to| to.node_or("*", nodes));
    let both_ways = table.or("both-ways", false, Element::boolean);
    let link = link(table, inherited);
    let (from, to, link) = (from?, to?, link?);
    let there = LinkOverride { from, to, link: link.clone() };
    let back = LinkOverride { from: to, to: from, link };
    Some(if both_ways? { vec![there, back] } else { vec![there] })
}

/// `[[network.client]]`.
fn client_leg(table: &mut TableDecoder<'_>, nodes: u16, names: &Interned) -> Option<ClientLeg> {
    let client = table.or("client", None, |client| {
        if client.is_text("*") { Some(None) } else { client.client(names).map(Some) }
    });
    let node = table.or("node", None, |node| node.node_or("*", nodes));
    let delay = table.required("delay", Element::distribution);
    Some(ClientLeg { client: client?, node: node?, delay: delay? })
}

impl Element<'_> {
    /// Reads it as the name of a client that the workload or the script has.
    pub(super) fn client(&self, names: &Interned) -> Option<ClientId> {
        let text = self.text()?;
        let found = names.client(text);
        if found.is_none() {
            let title = format!("there is no client `{}`", text.escape_debug());
            let known = names.some_clients();
            let label = "expected a client of the workload or of an operation";
            let problem = self.problem(title, label);
            let known = known.iter().map(String::as_str);
            self.sink.push(problem.suggest(text, known, "there are"));
        }
        found
    }
}

/// The clocks of a scenario.
#[derive(Debug)]
pub(super) struct Clocks {
    /// Every node's, in node order.
    pub(super) nodes: Vec<Clock>,
    /// Those of clients that err.
    pub(super) clients: Vec<(ClientId, Clock)>,
}

/// Whose clock an entry of `[[clock]]` is.
enum Whose {
    Node(NodeId),
    EveryNode,
    Client(ClientId),
    EveryClient,
}

/// `[[clock]]`.
pub(super) fn clocks(table: &mut TableDecoder<'_>, nodes: u16, names: &Interned) -> Option<Clocks> {
    let given = table.list("clock", |element| element.table(|table| clock(table, nodes, names)))?;
    let mut of_nodes = vec![Clock::default(); usize::from(nodes)];
    let mut of_clients = vec![Clock::default(); names.client_count()];
    for (whose, clock) in given {
        match whose {
            Whose::Node(node) => of_nodes[node.index()] = clock,
            Whose::EveryNode => of_nodes.fill(clock),
            Whose::Client(client) => of_clients[client.0 as usize] = clock,
            Whose::EveryClient => of_clients.fill(clock),
        }
    }
    let clients = (0..).map(ClientId).zip(of_clients);
    let clients = clients.filter(|(_, clock)| *clock != Clock::default()).collect();
    Some(Clocks { nodes: of_nodes, clients })
}

fn clock(table: &mut TableDecoder<'_>, nodes: u16, names: &Interned) -> Option<(Whose, Clock)> {
    let whose = table.exactly_one(&["node", "client"], "the owner of the clock", |place, whose| {
        if place == 0 {
            let node = whose.node_or("*", nodes)?;
            return Some(node.map_or(Whose::EveryNode, Whose::Node));
        }
        if whose.is_text("*") {
            return Some(Whose::EveryClient);
        }
        whose.client(names).map(Whose::Client)
    });
    let offset_ns = table.or("offset", 0, Element::signed_duration);
    let drift_ppb = table.or("drift", 0, Element::drift);
    Some((whose?, Clock { offset_ns: offset_ns?, drift_ppb: drift_ppb? }))
}

/// `[disk]`.
pub(super) fn disk(table: &mut TableDecoder<'_>) -> Option<Disk> {
    let sync = table.or("sync", Distribution::Constant(Span::ZERO), Element::distribution);
    Some(Disk { sync: sync? })
}

/// Links as [`network`] reads them, every setting explicit.
pub(super) fn encode_links(links: &[LinkOverride]) -> toml::Value {
    let encode = |link: &LinkOverride| toml::Value::Table(encode_link_override(link));
    toml::Value::Array(links.iter().map(encode).collect())
}

/// A link that differs, every setting explicit.
pub(super) fn encode_link_override(link: &LinkOverride) -> toml::Table {
    let mut table = toml::Table::new();
    let end = |node: Option<NodeId>| node.map_or_else(|| "*".to_owned(), |node| node.to_string());
    table.insert("from".to_owned(), end(link.from).into());
    table.insert("to".to_owned(), end(link.to).into());
    table.extend(encode_link(&link.link));
    table
}

/// A link's settings.
pub(super) fn encode_link(link: &Link) -> toml::Table {
    let mut table = toml::Table::new();
    let mut set = |key: &str, value: toml::Value| table.insert(key.to_owned(), value);
    let percentage = |probability: Probability| {
        toml::Value::String(units::show_percentage(probability.parts_per_billion()))
    };
    let bandwidth = link.bandwidth.map_or_else(|| "unlimited".to_owned(), units::show_bandwidth);
    set("delay", encode_distribution(&link.delay));
    set("loss", percentage(link.loss));
    set("duplication", percentage(link.duplication));
    set("order", word_for(&ORDER, &link.order).into());
    set("bandwidth", bandwidth.into());
    table
}
