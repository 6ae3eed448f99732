//! Settings for unit tests.

use crate::id::NodeId;
use crate::rng::Probability;
use crate::sampler::Distribution;
use crate::time::Span;

use super::{Bounds, Clock, Cluster, Config, Disk, EventOrder, Expect, Link, LinkOrder, Network};

impl Config {
    /// Nodes of which the first leads, with exact clocks and without delays, for a second and a
    /// second to settle; no client invokes anything, and nothing goes wrong.
    pub(crate) fn quiet(nodes: u16) -> Self {
        let none = Distribution::Constant(Span::ZERO);
        let link = Link {
            delay: none.clone(),
            loss: Probability::ZERO,
            duplication: Probability::ZERO,
            order: LinkOrder::Reordering,
            bandwidth: None,
        };
        Self {
            title: String::new(),
            seed: 1,
            duration: Span::from_secs(1),
            settle: Span::from_secs(1),
            ties: EventOrder::Causal,
            cluster: Cluster { nodes, initial_leader: Some(NodeId(0)) },
            network: Network {
                default: link,
                links: Vec::new(),
                client_delay: none.clone(),
                refuse: false,
                client_legs: Vec::new(),
            },
            clocks: vec![Clock::default(); nodes.into()],
            client_clocks: Vec::new(),
            disk: Disk { sync: none, rate: None },
            workload: None,
            script: Vec::new(),
            faults: Vec::new(),
            changes: Vec::new(),
            bounds: Bounds::default(),
            expect: Expect::default(),
        }
    }
}
