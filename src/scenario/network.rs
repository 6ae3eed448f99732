//! `[network]`, `[[clock]]` and `[disk]`.

use std::sync::LazyLock;

use serde_json::json;

use super::decode::{Element, TableDecoder};
use super::keys::{
    Format, Section, Texts, Variant, bandwidth, boolean, declared, distribution, drift, keys,
    name_shape, named, node, probability, signed_duration,
};
use crate::config::{ClientLeg, Clock, Config, Disk, Link, LinkOrder, LinkOverride, Network};
use crate::id::{ClientId, NodeId};
use crate::names::Names;
use crate::rng::Probability;
use crate::sampler::Distribution;
use crate::time::Span;

/// The default link: a delay of a millisecond, nothing lost.
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
pub(super) static SECTION: LazyLock<Section<Network>> = LazyLock::new(network);

fn network() -> Section<Network> {
    let base = Network {
        default: plain_link(),
        links: Vec::new(),
        client_delay: Distribution::Constant(Span::ZERO),
        refuse: false,
        client_legs: Vec::new(),
    };
    Section::new("The links between nodes, and between clients and nodes.", base)
        .flat(link(), |network| &mut network.default)
        .with(keys! { |network: Network|
            /// One-way latency between any client and any node.
            "client-delay" => network.client_delay, distribution();
            /// Whether a message to a node that is down comes back to its sender as refused.
            "refuse" => network.refuse, boolean();
        })
        .by_hand(
            declared! {
                /// Links that differ.
                "link": LINK_OVERRIDE.shape().list(json!({}));
            },
            |table, draft| {
                // If the default has mistakes, the links are read all the same, to report theirs.
                let base =
                    OneLink { link: draft.value.default.clone(), ..OneLink::of(plain_link()) };
                let section = &LINK_OVERRIDE;
                let links = table.list("link", |link| {
                    link.table(|table| section.decode_over(table, base.clone()))
                })?;
                draft.value.links = links.into_iter().flat_map(OneLink::directions).collect();
                Some(())
            },
            |network, _, table| {
                if !network.links.is_empty() {
                    table.insert("link".to_owned(), encode_links(&network.links));
                }
            },
        )
        .with(keys! { |network: Network|
            /// Client legs that differ.
            "client" => network.client_legs,
                client_leg().format().list(json!({})),
                without_default(),
                written_if(|network| !network.client_legs.is_empty());
        })
}

/// The settings of a link.
fn link() -> Section<Link> {
    Section::new("", plain_link()).with(keys! { |link: Link|
        /// One-way delay.
        "delay" => link.delay, distribution();
        /// Share of messages lost.
        "loss" => link.loss, probability();
        /// Share of messages delivered twice, the copy with a delay of its own.
        "duplication" => link.duplication, probability();
        /// Whether messages may overtake one another, or keep order as over one TCP connection.
        "order" => link.order, named();
        /// Bytes a second, with a queue before them.
        "bandwidth" => link.bandwidth, bandwidth().or_word("unlimited");
    })
}

/// An entry of `[[network.link]]`: one direction or both.
#[derive(Clone)]
struct OneLink {
    from: Option<NodeId>,
    to: Option<NodeId>,
    both_ways: bool,
    link: Link,
}

impl OneLink {
    const fn of(link: Link) -> Self {
        Self { from: None, to: None, both_ways: false, link }
    }

    fn directions(self) -> Vec<LinkOverride> {
        let Self { from, to, both_ways, link } = self;
        let there = LinkOverride { from, to, link: link.clone() };
        let back = LinkOverride { from: to, to: from, link };
        if both_ways { vec![there, back] } else { vec![there] }
    }
}

static LINK_OVERRIDE: LazyLock<Section<OneLink>> = LazyLock::new(links);

fn links() -> Section<OneLink> {
    let help = "A link that differs; what is not given is as in [network]. A later one wins over \
                an earlier one.";
    Section::new(help, OneLink::of(plain_link()))
        .with(keys! { |link: OneLink|
            /// Senders.
            "from" => link.from, node().or_word("*"), required();
            /// Receivers.
            "to" => link.to, node().or_word("*"), required();
            /// Whether the way back is meant too.
            "both-ways" => link.both_ways,
                boolean(),
                without_default(),
                written_if(|link| link.both_ways);
        })
        // Absent keys are inherited from [network], so they have no defaults here.
        .flat(link().without_defaults(), |link| &mut link.link)
}

/// `[[network.client]]`.
fn client_leg() -> Section<ClientLeg> {
    let base = ClientLeg { client: None, node: None, delay: Distribution::Constant(Span::ZERO) };
    Section::new(
        "The latency between some clients and some nodes; a later one wins over an earlier one.",
        base,
    )
    .with(keys! { |leg: ClientLeg|
        /// Which client; `*` for every one.
        "client" => leg.client, client().or_text("*"), without_default();
        /// Which node.
        "node" => leg.node, node().or_word("*"), without_default();
        /// One-way latency, the same both ways.
        "delay" => leg.delay, distribution(), required();
    })
}

/// The name of a client of the workload or the script.
fn client() -> Format<ClientId> {
    let read = |element: &Element<'_>| {
        let text = element.text()?;
        let names = element.scope().names.borrow();
        let found = names.client(text);
        if found.is_none() {
            let title = format!("there is no client `{}`", text.escape_debug());
            let known = names.some_clients();
            let label = "expected a client of the workload or of an operation";
            let problem = element.problem(title, label);
            let known = known.iter().map(String::as_str);
            element.sink().push(problem.suggest(text, known, "there are"));
        }
        found
    };
    let write = |client: &ClientId, texts: &Texts<'_>| texts.names.client(*client).into();
    Format::with_texts(name_shape(), read, write)
}

/// The clocks of a scenario.
#[derive(Debug)]
pub(super) struct Clocks {
    /// Every node's, in node order.
    pub(super) nodes: Vec<Clock>,
    /// Those of clients whose clocks err.
    pub(super) clients: Vec<(ClientId, Clock)>,
}

/// Whose clock an entry of `[[clock]]` is.
#[derive(Clone, Copy)]
enum ClockOwner {
    Node(NodeId),
    EveryNode,
    Client(ClientId),
    EveryClient,
}

/// An entry of `[[clock]]`.
#[derive(Clone)]
pub(super) struct OneClock {
    whose: ClockOwner,
    clock: Clock,
}

/// An entry of `[[clock]]`.
pub(super) static CLOCK: LazyLock<Section<OneClock>> = LazyLock::new(|| {
    let base = OneClock { whose: ClockOwner::EveryNode, clock: Clock::default() };
    let every_node = |node: Option<NodeId>| node.map_or(ClockOwner::EveryNode, ClockOwner::Node);
    let every_client =
        |client: Option<ClientId>| client.map_or(ClockOwner::EveryClient, ClockOwner::Client);
    let owners =
        vec![
            Variant::new("node", "Which node's.", node().or_word("*"), every_node, |whose| {
                match whose {
                    ClockOwner::Node(node) => Some(Some(*node)),
                    ClockOwner::EveryNode => Some(None),
                    ClockOwner::Client(_) | ClockOwner::EveryClient => None,
                }
            }),
            Variant::new(
                "client",
                "Which client's; `*` for every one.",
                client().or_text("*"),
                every_client,
                |whose| match whose {
                    ClockOwner::Client(client) => Some(Some(*client)),
                    ClockOwner::EveryClient => Some(None),
                    ClockOwner::Node(_) | ClockOwner::EveryNode => None,
                },
            ),
        ];
    Section::new("How the clock of a node, or of a client, errs.", base)
        .one_of(
            "the owner of the clock",
            owners,
            |entry| entry.whose,
            |entry, whose| entry.whose = whose,
        )
        .with(keys! { |entry: OneClock|
            /// How far the wall clock is ahead at the start.
            "offset" => entry.clock.offset_ns, signed_duration();
            /// How much faster both clocks run.
            "drift" => entry.clock.drift_ppb, drift();
        })
});

/// `[[clock]]`.
pub(super) fn clocks(table: &mut TableDecoder<'_>) -> Option<Clocks> {
    let given = table.list("clock", |element| element.table(|table| CLOCK.decode(table)))?;
    let mut of_nodes = vec![Clock::default(); usize::from(table.nodes())];
    let mut of_clients = vec![Clock::default(); table.scope().names.borrow().client_count()];
    for OneClock { whose, clock } in given {
        match whose {
            ClockOwner::Node(node) => of_nodes[node.index()] = clock,
            ClockOwner::EveryNode => of_nodes.fill(clock),
            ClockOwner::Client(client) => of_clients[client.0 as usize] = clock,
            ClockOwner::EveryClient => of_clients.fill(clock),
        }
    }
    let clients = (0..).map(ClientId).zip(of_clients);
    let clients = clients.filter(|(_, clock)| *clock != Clock::default()).collect();
    Some(Clocks { nodes: of_nodes, clients })
}

/// Every clock that errs, as entries of `[[clock]]`.
pub(super) fn encode_clocks(config: &Config, texts: &Texts<'_>) -> Vec<toml::Value> {
    let nodes = NodeId::all(config.cluster.nodes).map(ClockOwner::Node).zip(config.clocks.iter());
    // A clock without an entry is right. Entries for all right clocks would hide the others.
    let nodes = nodes.filter(|(_, clock)| **clock != Clock::default());
    let clients = config.client_clocks.iter();
    let clients = clients.map(|(client, clock)| (ClockOwner::Client(*client), clock));
    let entries = nodes.chain(clients).map(|(whose, clock)| OneClock { whose, clock: *clock });
    entries.map(|entry| CLOCK.encode(&entry, texts).into()).collect()
}

/// `[disk]`.
pub(super) fn disk() -> Section<Disk> {
    let base = Disk { sync: Distribution::Constant(Span::ZERO), rate: None };
    Section::new("Every node's disk.", base).with(keys! { |disk: Disk|
        /// How long a sync takes.
        "sync" => disk.sync, distribution();
        /// Bytes a second: a sync takes longer by what it has to write.
        "rate" => disk.rate,
            bandwidth().or_word("unlimited"),
            written_if(|disk| disk.rate.is_some());
    })
}

/// Links as `[network]` reads them, every setting explicit.
pub(super) fn encode_links(links: &[LinkOverride]) -> toml::Value {
    let section = &LINK_OVERRIDE;
    // A link has no names in it.
    let texts = &Texts { names: &Names::default(), kinds: &[] };
    let encode = |link: &LinkOverride| {
        let LinkOverride { from, to, link } = link.clone();
        toml::Value::Table(section.encode(&OneLink { from, to, both_ways: false, link }, texts))
    };
    toml::Value::Array(links.iter().map(encode).collect())
}
