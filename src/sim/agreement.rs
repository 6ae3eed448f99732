//! How far followers are from the leader when the last write is answered, and when that is over.
//!
//! The last write is answered when no write is under way and none is to come. Of a script that is
//! known of each operation; a workload that may write counts as writing until its last operation is
//! over. Then each live follower is compared with the leader, key by key, and what differs is
//! followed until nothing does: by what followers say that they apply. The comparison is made again
//! where that says that nothing differs any more, where a follower drops or the leader changes a
//! key that differs, where another node leads, and where a node goes down or comes up.
//!
//! Before that moment nothing is noted, and after it only while something differs.

use std::collections::BTreeMap;

use crate::id::{KeyId, NodeId, Version};
use crate::metrics::LastWrite;
use crate::protocol::{NodeSnapshot, Observation};

/// What is known of the last write, as the run goes on.
#[derive(Debug)]
pub(super) enum Agreement {
    /// It is not answered yet.
    ToCome,
    /// It is answered, and followers differ from the node that leads now.
    Differ { last: LastWrite, leader: NodeId, differences: Differences },
    /// It is answered, and followers have agreed with the leader, or nobody can say more.
    Over(Option<LastWrite>),
}

/// On which node which key differs, and the version that would end it; `None`: no single one would.
pub(super) type Differences = BTreeMap<(NodeId, KeyId), Option<Version>>;

impl Agreement {
    /// A node says what it does with a write; whether the comparison is to be made again for that.
    pub(super) fn observed(&mut self, node: NodeId, observation: Observation) -> bool {
        let Self::Differ { leader, differences, .. } = self else { return false };
        let (key, version) = match observation {
            Observation::Apply { key, stored } => (key, Some(stored.version)),
            Observation::Discard { key, .. } => (key, None),
            Observation::Role { .. }
            | Observation::Accept { .. }
            | Observation::Append { .. }
            | Observation::Truncate { .. }
            | Observation::Commit { .. }
            | Observation::Replay { .. } => return false,
        };
        if node == *leader {
            // The version that would have ended the difference is no longer the leader's.
            return differences.keys().any(|(_, other)| *other == key);
        }
        let Some(wanted) = differences.get(&(node, key)) else { return false };
        let Some(version) = version else {
            // Only a comparison can tell what is left of a key of which something was dropped.
            return true;
        };
        if wanted.is_some_and(|wanted| wanted != version) {
            return false;
        }
        differences.remove(&(node, key));
        differences.is_empty()
    }
}

/// Where followers differ from the leader, and the number of keys that any of them has.
pub(super) fn compare(leader: &NodeSnapshot, followers: &[NodeSnapshot]) -> (Differences, u64) {
    let of = |snapshot: &NodeSnapshot| -> Vec<KeyId> {
        snapshot.visible().map(|(key, ..)| key).collect()
    };
    let mut keys: Vec<KeyId> = followers.iter().flat_map(of).chain(of(leader)).collect();
    keys.sort_unstable();
    keys.dedup();
    let shown = |snapshot: &NodeSnapshot, key| {
        let stored = snapshot.data.get(&key).filter(|stored| stored.value.is_some());
        stored.map(|stored| (stored.value, stored.version))
    };
    let mut differences = Differences::new();
    for follower in followers {
        for key in keys.iter().copied() {
            let lists = (leader.lists.get(&key), follower.lists.get(&key));
            if shown(leader, key) != shown(follower, key) || lists.0 != lists.1 {
                // Where the leader shows nothing, a removal of any version ends the difference.
                let version = shown(leader, key).map(|(_, version)| version);
                let wanted = version.filter(|_| lists == (None, None));
                differences.insert((follower.node, key), wanted);
            }
        }
    }
    (differences, keys.len() as u64)
}
