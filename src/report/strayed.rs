//! Operations that a node refused because it was down, while another node led.

use std::collections::BTreeMap;

use crate::config::{Config, RetryPolicy};
use crate::history::{Failure, History};
use crate::id::NodeId;
use crate::metrics::Leadership;

/// Operations that were refused by a node that was down, while another led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strayed {
    /// How many.
    pub count: u64,
    /// The node that most of them were sent to.
    pub asked: NodeId,
    /// The node that led when most of these ended.
    pub leader: NodeId,
    /// Whether the workload's clients stay with a node that is down: they neither retry nor ask the
    /// next one.
    pub keeps: bool,
}

impl Strayed {
    /// The refused operations of a run; `None` if there are none.
    pub(super) fn of(
        config: &Config,
        history: &History,
        leaderships: &[Leadership],
    ) -> Option<Self> {
        let mut by_nodes: BTreeMap<(NodeId, NodeId), u64> = BTreeMap::new();
        let refused = history.entries().iter().filter(|e| e.failure == Some(Failure::Refused));
        for entry in refused {
            let Some(asked) = entry.node else { continue };
            let leads = |led: &&Leadership| {
                led.node != asked
                    && led.from <= entry.invoked_at
                    && led.until.is_none_or(|until| until > entry.completed_at)
            };
            if let Some(led) = leaderships.iter().find(leads) {
                *by_nodes.entry((asked, led.node)).or_default() += 1;
            }
        }
        let ((asked, leader), _) = by_nodes.iter().max_by_key(|(_, count)| **count)?;
        let keeps = config.workload.as_ref().is_some_and(|load| RetryPolicy::stays(&load.retry));
        Some(Self { count: by_nodes.values().sum(), asked: *asked, leader: *leader, keeps })
    }
}
