//! How far followers are from the leader when the last write is answered, and when that is over.
//!
//! The last write is answered when no write is under way and none is to come. Of a script that is known of each
//! operation; a workload that writes at all may write until its last operation is answered, or given up. Then each
//! live follower is held against the leader, key by key, and what differs is followed until nothing does: first by
//! what followers say that they apply, and where that says that nothing differs, or a follower loses or the leader takes
//! or loses what differs, or somebody else leads, or a node goes or comes, by looking again.
//! Before that moment nothing is noted, and after it only while something differs.

use std::collections::BTreeMap;

use crate::id::{KeyId, NodeId, Version};
use crate::metrics::LastWrite;
use crate::protocol::{NodeSnapshot, Observation, Protocol};

use super::Simulation;
use super::event::Event;
use super::queue::EventQueue;

/// What is known of the last write, as the run goes on.
#[derive(Debug)]
pub(super) enum Agreement {
    /// It is not answered yet.
    ToCome,
    /// It was, and followers still differ from who leads by now.
    Differ(LastWrite, NodeId, Differences),
    /// It was; and by now, or at the end of the run, they have agreed or nobody can say more.
    Over(Option<LastWrite>),
}

/// On which node which key differs, and the version that would end it; `None`: no single one is known to.
type Differences = BTreeMap<(NodeId, KeyId), Option<Version>>;

impl<P: Protocol, Q: EventQueue<Event<P>>> Simulation<'_, P, Q> {
    /// Looks whether the last write is answered.
    #[inline]
    pub(super) fn look_for_the_last_write(&mut self) {
        if matches!(self.agreement, Agreement::ToCome) && self.clients.has_written() {
            self.last_write_answered();
        }
    }

    #[cold]
    fn last_write_answered(&mut self) {
        let operations = self.kernel.history.entries();
        let any = operations.iter().any(|entry| entry.is_ok() && entry.is_write());
        let Some(leader) = self.leading().filter(|_| any) else {
            self.agreement = Agreement::Over(None);
            return;
        };
        let (differences, followers, keys) = self.differences(leader);
        let (at, differing) = (self.kernel.now, differences.len() as u64);
        let last = LastWrite { at, leader, followers, keys, differing, agreed_at: None };
        self.agreement = Agreement::Differ(last, leader, differences);
        self.observed = true;
        self.end_of_differences();
    }

    /// Who leads: of several the one of the highest term.
    fn leading(&self) -> Option<NodeId> {
        let open = self.leaderships.iter().filter(|led| led.until.is_none());
        open.max_by_key(|led| (led.term, led.from)).map(|led| led.node)
    }

    /// Where live followers differ from the leader, how many followers there are, and how many keys any of them has.
    fn differences(&self, leader: NodeId) -> (Differences, u64, u64) {
        let nodes = NodeId::all(self.config.cluster.nodes);
        let live = nodes.filter(|node| *node != leader && self.slots[node.index()].is_up());
        let (mine, followers) = (self.snapshot(leader), live.map(|node| self.snapshot(node)));
        let followers: Vec<NodeSnapshot> = followers.collect();
        let of = |snapshot: &NodeSnapshot| -> Vec<KeyId> {
            snapshot.visible().map(|(key, ..)| key).collect()
        };
        let mut keys: Vec<KeyId> = followers.iter().flat_map(of).chain(of(&mine)).collect();
        keys.sort_unstable();
        keys.dedup();
        let shown = |snapshot: &NodeSnapshot, key| {
            let stored = snapshot.data.get(&key).filter(|stored| stored.value.is_some());
            stored.map(|stored| (stored.value, stored.version))
        };
        let mut differences = Differences::new();
        for follower in &followers {
            for key in keys.iter().copied() {
                let lists = (mine.lists.get(&key), follower.lists.get(&key));
                if shown(&mine, key) != shown(follower, key) || lists.0 != lists.1 {
                    // A removal of whatever version shows what the leader's does.
                    let version = shown(&mine, key).map(|(_, version)| version);
                    let wanted = version.filter(|_| lists == (None, None));
                    differences.insert((follower.node, key), wanted);
                }
            }
        }
        (differences, followers.len() as u64, keys.len() as u64)
    }

    /// Looks again at what differs, and whether anything does.
    #[cold]
    pub(super) fn look_at_differences(&mut self) {
        if !matches!(self.agreement, Agreement::Differ(..)) {
            return;
        }
        let Some(leader) = self.leading() else { return };
        let (found, ..) = self.differences(leader);
        if let Agreement::Differ(_, held_against, differences) = &mut self.agreement {
            (*held_against, *differences) = (leader, found);
        }
        self.end_of_differences();
    }

    /// Takes note of it if nothing differs any more.
    fn end_of_differences(&mut self) {
        if let Agreement::Differ(last, _, differences) = &self.agreement
            && differences.is_empty()
        {
            let agreed_at = Some(self.kernel.now);
            self.agreement = Agreement::Over(Some(LastWrite { agreed_at, ..*last }));
            self.observed = self.observes_anyway();
        }
    }

    /// A node says what it does with a write, while something differs.
    pub(super) fn differs_less(&mut self, node: NodeId, observation: Observation) {
        let Agreement::Differ(_, leader, differences) = &mut self.agreement else { return };
        let (key, version) = match observation {
            Observation::Apply { key, stored } => (key, Some(stored.version)),
            Observation::Discard { key, .. } => (key, None),
            Observation::Role { .. }
            | Observation::Accept { .. }
            | Observation::Append { .. }
            | Observation::Truncate { .. }
            | Observation::Commit { .. }
            | Observation::Replay { .. } => return,
        };
        if node == *leader {
            // Whatever ends it, it is no longer the version that it was; and this may end it.
            if differences.keys().any(|(_, other)| *other == key) {
                self.look_at_differences();
            }
            return;
        }
        // What is left of a key of which something was thrown away only a look can tell.
        if version.is_none() && differences.contains_key(&(node, key)) {
            self.look_at_differences();
            return;
        }
        let ends = |wanted: &Option<Version>| wanted.is_none() || *wanted == version;
        if differences.get(&(node, key)).is_some_and(ends) {
            differences.remove(&(node, key));
            if differences.is_empty() {
                self.look_at_differences();
            }
        }
    }

    /// What is known when the run is over.
    pub(super) fn last_write(&mut self) -> Option<LastWrite> {
        self.look_at_differences();
        match &self.agreement {
            Agreement::ToCome => None,
            Agreement::Differ(last, ..) => Some(*last),
            Agreement::Over(last) => *last,
        }
    }
}
