//! The protocols that scenario files may name.

use super::decode::TableDecoder;
use super::keys::ValueShape;
use super::protocol::{Configured, ConfiguredProtocol, ScenarioProtocol};
use crate::config::Cluster;
use crate::id::NodeId;
use crate::protocol::leader_follower::LeaderFollower;

type DecodeProtocol = fn(&mut TableDecoder<'_>, &Cluster) -> Option<Box<dyn ConfiguredProtocol>>;

/// What the scenario layer needs to know of a protocol before it has settings.
#[derive(Clone, Copy)]
pub(super) struct Registered {
    pub(super) name: &'static str,
    pub(super) initial_leader: Option<NodeId>,
    pub(super) decode: DecodeProtocol,
    pub(super) shape: fn() -> ValueShape,
}

/// The protocols that scenario files may name.
#[derive(Clone)]
pub struct Registry {
    pub(super) protocols: Vec<Registered>,
}

impl Registry {
    /// The protocols that come with splitbrain.
    #[must_use]
    pub fn new() -> Self {
        Self { protocols: Vec::new() }.with::<LeaderFollower>()
    }

    /// Adds `P`, and replaces a protocol of the same name.
    #[must_use]
    pub fn with<P: ScenarioProtocol>(mut self) -> Self {
        self.protocols.retain(|other| other.name != P::NAME);
        self.protocols.push(Registered {
            name: P::NAME,
            initial_leader: P::INITIAL_LEADER,
            decode: |table, cluster| {
                let config = P::section().decode(table)?;
                P::check(&config, cluster, table)?;
                Some(Box::new(Configured::<P>(config)))
            },
            shape: || P::section().shape(),
        });
        self
    }

    /// The names, in the order in which they were added.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.protocols.iter().map(|protocol| protocol.name)
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}
