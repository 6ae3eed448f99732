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
            | Observation::Vote { .. }
            | Observation::Append { .. }
            | Observation::Truncate { .. }
            | Observation::Durable { .. }
            | Observation::Commit { .. }
            | Observation::Applied { .. }
            | Observation::Snapshot { .. }
            | Observation::Configuration { .. }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Value;
    use crate::protocol::{DiscardReason, Role, Stored};
    use crate::time::Time;

    const LEADER: NodeId = NodeId(0);
    const FOLLOWER: NodeId = NodeId(1);
    const KEY: KeyId = KeyId(0);

    fn stored(value: Option<usize>, timestamp: i64) -> Stored {
        let version = Version { timestamp, node: LEADER, sequence: 0 };
        Stored { value: value.map(Value::text), version }
    }

    fn holds(node: NodeId, held: Option<Stored>) -> NodeSnapshot {
        let mut snapshot = NodeSnapshot::new(node, Role::Follower);
        snapshot.data.extend(held.map(|stored| (KEY, stored)));
        snapshot
    }

    fn differences(leader: Option<Stored>, follower: Option<Stored>) -> Differences {
        compare(&holds(LEADER, leader), &[holds(FOLLOWER, follower)]).0
    }

    /// The last write is answered, and the leader has this and the follower that.
    fn differ(leader: Option<Stored>, follower: Option<Stored>) -> Agreement {
        let differences = differences(leader, follower);
        assert_eq!(differences.len(), 1);
        let (at, differing) = (Time::ZERO, 1);
        let last =
            LastWrite { at, leader: LEADER, followers: 1, keys: 1, differing, agreed_at: None };
        Agreement::Differ { last, leader: LEADER, differences }
    }

    fn applies(agreement: &mut Agreement, node: NodeId, key: KeyId, stored: Stored) -> bool {
        agreement.observed(node, Observation::Apply { key, stored })
    }

    #[test]
    fn a_follower_agrees_when_it_applies_the_version_that_the_leader_has_and_no_other() {
        let mut agreement = differ(Some(stored(Some(1), 9)), Some(stored(Some(0), 5)));
        assert!(!applies(&mut agreement, FOLLOWER, KeyId(1), stored(Some(1), 9)));
        assert!(!applies(&mut agreement, FOLLOWER, KEY, stored(Some(0), 7)));
        assert!(applies(&mut agreement, FOLLOWER, KEY, stored(Some(1), 9)));
    }

    /// The leader applied a newer write, so the one that the follower waited for ends nothing.
    #[test]
    fn a_key_that_the_leader_changes_is_compared_again() {
        let mut agreement = differ(Some(stored(Some(1), 9)), None);
        assert!(!applies(&mut agreement, LEADER, KeyId(1), stored(Some(2), 11)));
        assert!(applies(&mut agreement, LEADER, KEY, stored(Some(2), 11)));
    }

    /// The follower had a write that the leader never got, and cut it off its log.
    #[test]
    fn a_key_of_which_a_follower_drops_a_write_is_compared_again() {
        let dropped = stored(Some(1), 9);
        let mut agreement = differ(Some(stored(Some(0), 5)), Some(dropped));
        let drops =
            |key| Observation::Discard { key, stored: dropped, reason: DiscardReason::Truncated };
        assert!(!agreement.observed(FOLLOWER, drops(KeyId(1))));
        assert!(agreement.observed(FOLLOWER, drops(KEY)));
    }

    /// The leader has purged its tombstone, and the follower has one or gets one.
    #[test]
    fn a_tombstone_of_any_version_agrees_with_a_key_that_is_not_there() {
        assert_eq!(differences(None, Some(stored(None, 3))), Differences::new());
        assert_eq!(differences(Some(stored(None, 9)), Some(stored(None, 3))), Differences::new());
        let mut agreement = differ(None, Some(stored(Some(0), 5)));
        assert!(applies(&mut agreement, FOLLOWER, KEY, stored(None, 7)));
        let mut agreement = differ(Some(stored(None, 9)), Some(stored(Some(0), 5)));
        assert!(applies(&mut agreement, FOLLOWER, KEY, stored(None, 7)));
    }
}
