//! Links, clocks and disks.

use strum::{IntoStaticStr, VariantArray};

use crate::id::{ClientId, NodeId};
use crate::rng::Probability;
use crate::sampler::Distribution;

/// Every link of the cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// The default link between two nodes.
    pub default: Link,
    /// Links that differ, each with all of its settings; a later one wins over an earlier one.
    pub links: Vec<LinkOverride>,
    /// The default one-way latency between a client and a node.
    pub client_delay: Distribution,
    /// Whether a message to a node that is down comes back to its sender as refused; else it is
    /// lost.
    pub refuse: bool,
    /// Client legs that differ; a later one wins over an earlier one.
    pub client_legs: Vec<ClientLeg>,
}

/// One direction of a connection between two nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// One-way delay.
    pub delay: Distribution,
    /// Share of messages lost.
    pub loss: Probability,
    /// Share of messages delivered twice, the copy with a delay of its own.
    pub duplication: Probability,
    /// Whether messages may overtake one another.
    pub order: LinkOrder,
    /// Bytes a second, with a queue before them; `None` for no limit.
    pub bandwidth: Option<u64>,
}

/// Whether a link keeps order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum LinkOrder {
    /// Each message arrives after its own delay and may overtake.
    Reordering,
    /// No message arrives before one that was sent earlier, as over one TCP connection.
    Fifo,
}

/// A link that differs from the default.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkOverride {
    /// Senders; `None` for every node.
    pub from: Option<NodeId>,
    /// Receivers; `None` for every node.
    pub to: Option<NodeId>,
    /// All of the link's settings.
    pub link: Link,
}

/// The latency between some clients and some nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientLeg {
    /// Which client; `None` for every client.
    pub client: Option<ClientId>,
    /// Which node; `None` for every node.
    pub node: Option<NodeId>,
    /// One-way latency, the same both ways.
    pub delay: Distribution,
}

/// How a node's or a client's clock errs from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Clock {
    /// How far the wall clock is ahead at the start, in nanoseconds.
    pub offset_ns: i64,
    /// How much faster both clocks run, in parts per billion; above -1,000,000,000.
    pub drift_ppb: i64,
}

/// A node's disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Disk {
    /// How long a sync takes, the writing apart.
    pub sync: Distribution,
    /// Bytes a second that it writes; `None` if writing takes no time.
    pub rate: Option<u64>,
}
