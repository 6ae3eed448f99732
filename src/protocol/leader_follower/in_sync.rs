//! The in-sync set (Kafka's ISR): the followers that a write waits for, and the nodes that may lead.
//!
//! The leader takes a follower out that has not had everything for a while, and back in when it has. It tells of
//! the set with its heartbeats, every node believes the newest that it has heard of, and tells of it in turn. That is
//! weaker than Kafka's controller, which decides for all: a node that was cut off when the set shrank believes the
//! one it knew.

use std::sync::Arc;

use crate::id::{NodeId, Term};
use crate::protocol::Context;
use crate::time::Span;

use super::config::Mode;
use super::message::InSync;
use super::{LeaderFollower, Timer};

/// The in-sync set as a node believes it to be.
#[derive(Debug, Default)]
pub(super) struct Membership {
    /// `None` without an in-sync set: then every node counts as in sync.
    believed: Option<Arc<InSync>>,
}

impl Membership {
    /// What was kept; with nothing kept every node, for all begin alike, but nobody where the node may have `forgotten`
    /// what it knew: it cannot say that it is in sync itself.
    pub(super) fn boot(mode: Mode, kept: Option<InSync>, forgotten: bool, nodes: u16) -> Self {
        let begun = || {
            let nodes = NodeId::all(if forgotten { 0 } else { nodes }).collect();
            InSync { term: Term(0), epoch: 0, nodes }
        };
        let has_one = matches!(mode, Mode::InSync { .. });
        Self { believed: has_one.then(|| Arc::new(kept.unwrap_or_else(begun))) }
    }

    pub(super) fn believed(&self) -> Option<&InSync> {
        self.believed.as_deref()
    }

    pub(super) fn shared(&self) -> Option<Arc<InSync>> {
        self.believed.clone()
    }

    pub(super) fn has(&self, node: NodeId) -> bool {
        self.believed().is_none_or(|set| set.nodes.contains(&node))
    }

    /// Another node told of its belief: whether it is newer, and so believed from now on.
    pub(super) fn learn(&mut self, told: &Arc<InSync>) -> bool {
        let newer = self
            .believed
            .as_ref()
            .is_some_and(|known| (told.term, told.epoch) > (known.term, known.epoch));
        if newer {
            self.believed = Some(Arc::clone(told));
        }
        newer
    }
}

impl LeaderFollower {
    /// A new leader begins with the set that it believes in, itself included.
    pub(super) fn begin_in_sync(&mut self, cx: &mut Context<'_, Self>) {
        let Mode::InSync { lag, .. } = self.config.mode else { return };
        let Some(known) = self.in_sync.believed() else { return };
        // One that leads although it was not in sync knows nothing of who is.
        let nodes =
            if known.nodes.contains(&self.me) { known.nodes.clone() } else { vec![self.me] };
        let set = InSync { term: self.term(), epoch: 0, nodes };
        self.believe(set, cx);
        cx.set_timer(Timer::InSync, Span::from_nanos(lag.nanos().div_ceil(2)));
    }

    fn believe(&mut self, set: InSync, cx: &mut Context<'_, Self>) {
        self.in_sync.believed = Some(Arc::new(set));
        self.ballot.write(self.in_sync.believed(), cx);
    }

    /// Time to look who has fallen behind.
    pub(super) fn review_in_sync(&mut self, cx: &mut Context<'_, Self>) {
        let Mode::InSync { lag, .. } = self.config.mode else { return };
        if !self.leads() {
            return;
        }
        let now = cx.monotonic();
        let Some(known) = self.in_sync.believed() else { return };
        let stays =
            |node: &NodeId| *node == self.me || !self.leading.followers.of(*node).lags(now, lag);
        let nodes: Vec<NodeId> = known.nodes.iter().copied().filter(stays).collect();
        if nodes.len() < known.nodes.len() {
            let set = InSync { epoch: known.epoch + 1, nodes, ..*known };
            self.believe(set, cx);
            self.heartbeat(cx);
            self.answer_in_sync(cx);
        }
        cx.set_timer(Timer::InSync, Span::from_nanos(lag.nanos().div_ceil(2)));
    }

    /// A follower has everything that the leader has.
    pub(super) fn caught_up(&mut self, follower: NodeId, cx: &mut Context<'_, Self>) {
        let Some(known) = self.in_sync.believed() else { return };
        if known.nodes.contains(&follower) {
            return;
        }
        let mut nodes = known.nodes.clone();
        nodes.push(follower);
        nodes.sort_unstable();
        let set = InSync { epoch: known.epoch + 1, nodes, ..*known };
        self.believe(set, cx);
        self.heartbeat(cx);
    }

    /// Whether the set has too few nodes for a write to be accepted.
    pub(super) fn too_few_in_sync(&self) -> bool {
        let Mode::InSync { min, .. } = self.config.mode else { return false };
        self.in_sync.believed().is_some_and(|set| set.nodes.len() < usize::from(min))
    }
}
