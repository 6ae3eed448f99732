//! How far each follower is behind its leader, counted in writes.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{KeyId, NodeId, Term, Value, Version};
use crate::protocol::{DiscardReason, Role, Stored};
use crate::sim::{NodeEvent, NodeEventKind};
use crate::time::Time;

/// How far a node was behind the leader: the number of writes that the leader had applied and the
/// node had not. A node that has a later write of a key lacks no earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    /// Which node.
    pub node: NodeId,
    /// By how many writes it was behind, from a virtual time to that of the next step; `None` while
    /// it was down, led, or no node led.
    pub steps: Vec<(Time, Option<u64>)>,
}

/// The lag of each of `nodes` nodes over the whole run, behind the leader of the highest term.
#[must_use]
pub fn lags(node_events: &[NodeEvent], nodes: u16) -> Vec<Lag> {
    let mut book = Book::new(nodes);
    for node_event in node_events {
        book.take(node_event);
    }
    NodeId::all(nodes).zip(book.steps).map(|(node, steps)| Lag { node, steps }).collect()
}

/// A write of a key, ordered by version. Two writes may have the same version.
type VersionedValue = (Version, Option<Value>);

/// What a node has, and its lag.
#[derive(Debug, Default)]
struct ReplicaLag {
    /// The term that it leads.
    leads: Option<Term>,
    down: bool,
    held: BTreeMap<KeyId, BTreeSet<VersionedValue>>,
    /// The writes that it applied at this instant. They stay when the write that they replaced is
    /// dropped.
    fresh: (Time, Vec<(KeyId, VersionedValue)>),
    /// By key, how many writes of the leader it lacks.
    lacks: BTreeMap<KeyId, u64>,
    lag: u64,
}

impl ReplicaLag {
    /// Counts anew how many of the leader's writes of a key this one lacks.
    fn recount(&mut self, key: KeyId, leader: Option<&BTreeSet<VersionedValue>>) {
        let held = self.held.get(&key);
        let newest = held.and_then(|held| held.last()).map(|(version, _)| *version);
        let is_lacked = |write: &&VersionedValue| {
            newest.is_none_or(|mine| write.0 > mine)
                || newest == Some(write.0) && held.is_some_and(|held| !held.contains(*write))
        };
        let lacks = leader.map_or(0, |all| all.iter().rev().take_while(is_lacked).count()) as u64;
        let before =
            if lacks == 0 { self.lacks.remove(&key) } else { self.lacks.insert(key, lacks) };
        self.lag = self.lag + lacks - before.unwrap_or(0);
    }
}

const fn write(stored: Stored) -> VersionedValue {
    (stored.version, stored.value)
}

#[derive(Debug)]
struct Book {
    replicas: Vec<ReplicaLag>,
    leader: Option<usize>,
    steps: Vec<Vec<(Time, Option<u64>)>>,
}

impl Book {
    fn new(nodes: u16) -> Self {
        let replicas = (0..nodes).map(|_| ReplicaLag::default()).collect();
        let steps = (0..nodes).map(|_| vec![(Time::ZERO, None)]).collect();
        Self { replicas, leader: None, steps }
    }

    fn take(&mut self, node_event: &NodeEvent) {
        let NodeEvent { at, node, what } = node_event;
        let replica = &mut self.replicas[node.index()];
        let touched = match what {
            NodeEventKind::Role { role, term } => {
                replica.leads = (*role == Role::Leader).then_some(*term);
                None
            }
            NodeEventKind::Down => {
                (replica.leads, replica.down) = (None, true);
                None
            }
            NodeEventKind::Up(data) => {
                replica.down = false;
                replica.held.clear();
                for (key, stored) in data {
                    replica.held.entry(*key).or_default().insert(write(*stored));
                }
                None
            }
            NodeEventKind::Applied { key, stored } => {
                replica.held.entry(*key).or_default().insert(write(*stored));
                if replica.fresh.0 != *at {
                    replica.fresh = (*at, Vec::new());
                }
                replica.fresh.1.push((*key, write(*stored)));
                Some(*key)
            }
            NodeEventKind::Discarded {
                reason: DiscardReason::Older | DiscardReason::SameVersion,
                ..
            }
            | NodeEventKind::Paused
            | NodeEventKind::Resumed => return,
            NodeEventKind::Discarded { key, stored, reason: DiscardReason::Truncated } => {
                replica.held.entry(*key).or_default().remove(&write(*stored));
                Some(*key)
            }
            // The writes that the dropped one had replaced go with it.
            NodeEventKind::Discarded { key, stored, .. } => {
                let (when, taken) = &replica.fresh;
                let dropped = write(*stored);
                let is_fresh = |other: &VersionedValue| {
                    when == at && *other != dropped && taken.contains(&(*key, *other))
                };
                let held = replica.held.entry(*key).or_default();
                held.retain(|other| other.0 > dropped.0 || is_fresh(other));
                Some(*key)
            }
        };
        match touched {
            Some(key) => self.recount_key(*node, key),
            None => self.recount_all(*node),
        }
        self.step(*at);
    }

    /// A node's writes of a key changed.
    fn recount_key(&mut self, node: NodeId, key: KeyId) {
        let Some(leader) = self.leader else { return };
        let held = std::mem::take(&mut self.replicas[leader].held);
        for (place, replica) in self.replicas.iter_mut().enumerate() {
            if place != leader && (node.index() == leader || node.index() == place) {
                replica.recount(key, held.get(&key));
            }
        }
        self.replicas[leader].held = held;
    }

    /// A node's role or all that it has changed.
    fn recount_all(&mut self, node: NodeId) {
        let leading = |place: &usize| self.replicas[*place].leads.map(|term| (term, *place));
        let leader = (0..self.replicas.len()).filter_map(|place| leading(&place)).max();
        let leader = leader.map(|(_, place)| place);
        if leader == self.leader && leader.is_some_and(|leader| leader != node.index()) {
            self.recount_node(node.index());
            return;
        }
        self.leader = leader;
        for place in 0..self.replicas.len() {
            self.recount_node(place);
        }
    }

    fn recount_node(&mut self, place: usize) {
        let replica = &mut self.replicas[place];
        (replica.lag, replica.lacks) = (0, BTreeMap::new());
        let Some(leader) = self.leader.filter(|leader| *leader != place) else { return };
        let held = std::mem::take(&mut self.replicas[leader].held);
        for (key, all) in &held {
            self.replicas[place].recount(*key, Some(all));
        }
        self.replicas[leader].held = held;
    }

    /// Notes the lags that are now others than before.
    fn step(&mut self, at: Time) {
        for (place, (replica, steps)) in self.replicas.iter().zip(&mut self.steps).enumerate() {
            let follows = self.leader.is_some_and(|leader| leader != place) && !replica.down;
            let lag = follows.then_some(replica.lag);
            match steps.last_mut() {
                Some((_, last)) if *last == lag => {}
                Some((when, last)) if *when == at => *last = lag,
                _ => steps.push((at, lag)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(timestamp: i64) -> Stored {
        let version = Version { timestamp, node: NodeId(0), sequence: 0 };
        Stored { value: Some(Value::text(0)), version }
    }

    fn play(node_events: &[(u64, u16, NodeEventKind)]) -> Vec<Vec<(u64, Option<u64>)>> {
        let one = |(at, node, what): &(u64, u16, NodeEventKind)| NodeEvent {
            at: Time::from_nanos(*at),
            node: NodeId(*node),
            what: what.clone(),
        };
        let node_events: Vec<NodeEvent> = node_events.iter().map(one).collect();
        let steps = |lag: Lag| lag.steps.iter().map(|(at, lag)| (at.nanos(), *lag)).collect();
        lags(&node_events, 2).into_iter().map(steps).collect()
    }

    fn applied(key: u32, at: i64) -> NodeEventKind {
        NodeEventKind::Applied { key: KeyId(key), stored: stored(at) }
    }

    #[test]
    fn a_follower_lacks_what_the_leader_applied_and_no_later_write_of_the_key_covers() {
        use NodeEventKind::{Down, Role as Took, Up};
        let leads = Took { role: Role::Leader, term: Term(1) };
        let lags = play(&[
            (1, 0, leads),
            (2, 0, applied(0, 1)),
            (3, 0, applied(0, 2)),
            (4, 0, applied(1, 3)),
            (5, 1, applied(0, 2)),
            (6, 1, applied(1, 3)),
            (7, 1, Down),
            (8, 1, Up(vec![(KeyId(0), stored(2))])),
            (9, 0, Down),
        ]);
        assert_eq!(lags[0], [(0, None)], "the leader has no lag");
        let expected = [
            (0, None),
            (1, Some(0)),
            (2, Some(1)),
            (3, Some(2)),
            (4, Some(3)),
            (5, Some(1)),
            (6, Some(0)),
            (7, None),
            (8, Some(1)),
            (9, None),
        ];
        assert_eq!(lags[1], expected);
    }

    #[test]
    fn a_write_that_takes_the_place_of_a_higher_one_stays() {
        use NodeEventKind::{Discarded, Role as Took};
        let (key, reason) = (KeyId(0), DiscardReason::Replaced);
        let lags = play(&[
            (1, 0, Took { role: Role::Leader, term: Term(1) }),
            (2, 1, applied(0, 8)),
            (3, 1, applied(0, 9)),
            (4, 0, applied(0, 5)),
            (5, 1, applied(0, 5)),
            (5, 1, Discarded { key, stored: stored(9), reason }),
            (6, 0, applied(0, 6)),
        ]);
        assert_eq!(lags[1], [(0, None), (1, Some(0)), (6, Some(1))]);
    }

    #[test]
    fn who_wins_the_higher_term_is_the_measure() {
        use NodeEventKind::Role as Took;
        let lags = play(&[
            (1, 0, Took { role: Role::Leader, term: Term(1) }),
            (2, 0, applied(0, 1)),
            (3, 1, Took { role: Role::Leader, term: Term(2) }),
            (4, 1, applied(1, 2)),
        ]);
        assert_eq!(lags[0], [(0, None), (3, Some(0)), (4, Some(1))]);
        assert_eq!(lags[1], [(0, None), (1, Some(0)), (2, Some(1)), (3, None)]);
    }
}
