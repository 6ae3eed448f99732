//! How far a follower's log is, as its leader knows it: Raft's `nextIndex` and `matchIndex`.

use crate::id::{LogIndex, NodeId};
use crate::time::{Span, Time};

/// How far one follower is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Behind which index the next entries are sent.
    sent: LogIndex,
    /// Up to which index the follower is known to have what the leader has.
    matched: LogIndex,
    /// When it last had everything.
    caught_up_at: Time,
}

/// What the follower has acknowledged anew: the entries behind `known`, up to `index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advance {
    /// What it had acknowledged before.
    pub known: LogIndex,
    /// What it has acknowledged now.
    pub index: LogIndex,
}

impl Progress {
    /// Behind which index the next entries are sent.
    #[must_use]
    pub const fn sent(&self) -> LogIndex {
        self.sent
    }

    /// Up to which index the follower is known to have what the leader has.
    #[must_use]
    pub const fn matched(&self) -> LogIndex {
        self.matched
    }

    /// Everything up to `index` is on its way; or, where the follower lacks what came before, the
    /// next entries are sent again from there.
    pub const fn send_from(&mut self, index: LogIndex) {
        self.sent = index;
    }

    /// The follower acknowledges everything up to `index`; `None` when it did so before.
    pub fn acknowledge(&mut self, index: LogIndex) -> Option<Advance> {
        let known = self.matched;
        self.matched = known.max(index);
        (index > known).then_some(Advance { known, index })
    }

    /// Whether the follower has everything, where the leader's log ends at `last`; notes when.
    pub fn is_caught_up(&mut self, last: LogIndex, now: Time) -> bool {
        let has_all = self.matched >= last;
        if has_all {
            self.caught_up_at = now;
        }
        has_all
    }

    /// Whether the follower has lacked something for longer than `lag`.
    #[must_use]
    pub fn lags(&self, now: Time, lag: Span) -> bool {
        now.since(self.caught_up_at) > lag
    }
}

/// The progress of every node, as their leader knows it. Nobody but a leader knows any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Followers {
    progress: Vec<Progress>,
}

impl Followers {
    /// A new leader, whose log ends at `last`, knows nothing of its followers, and guesses that
    /// they have all that it has.
    #[must_use]
    pub fn unknown(nodes: u16, last: LogIndex, now: Time) -> Self {
        let unknown = Progress { sent: last, matched: LogIndex(0), caught_up_at: now };
        Self { progress: vec![unknown; usize::from(nodes)] }
    }

    /// The progress of `node`.
    ///
    /// # Panics
    ///
    /// Before the node led.
    #[must_use]
    pub fn of(&self, node: NodeId) -> &Progress {
        &self.progress[node.index()]
    }

    /// The same, to be changed.
    ///
    /// # Panics
    ///
    /// Before the node led.
    pub fn of_mut(&mut self, node: NodeId) -> &mut Progress {
        &mut self.progress[node.index()]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The twin is the highest index that was ever acknowledged.
        #[test]
        fn what_is_acknowledged_anew_is_told_once(
            indices in proptest::collection::vec(0..9_u64, 0..20),
            last in 0..9_u64,
        ) {
            let mut followers = Followers::unknown(3, LogIndex(last), Time::ZERO);
            let follower = followers.of_mut(NodeId(2));
            prop_assert_eq!((follower.sent(), follower.matched()), (LogIndex(last), LogIndex(0)));
            let mut highest = 0;
            for (count, index) in (1..).zip(indices) {
                let now = Time::from_nanos(count);
                let new = follower.acknowledge(LogIndex(index));
                let told = (index > highest)
                    .then_some(Advance { known: LogIndex(highest), index: LogIndex(index) });
                prop_assert_eq!(new, told);
                highest = highest.max(index);
                prop_assert_eq!(follower.is_caught_up(LogIndex(last), now), highest >= last);
                prop_assert_eq!(follower.lags(now, Span::ZERO), highest < last);
            }
            prop_assert_eq!(followers.of(NodeId(2)).matched(), LogIndex(highest));
        }
    }
}
