//! What a leader keeps while clients wait.

use std::collections::{BTreeMap, VecDeque};

use crate::id::{LogIndex, NodeSet, Version};
use crate::protocol::{RequestId, Response};
use crate::time::Time;

/// What only a leader keeps, however writes are replicated.
#[derive(Debug, Default)]
pub(super) struct Leading {
    /// When this incarnation of the node began, on its monotonic clock.
    incarnation: Time,
    /// Writes not yet answered, the oldest first: the sequences of their versions rise.
    pub(super) unanswered: VecDeque<Pending>,
    /// Of unanswered writes that came back: from which followers.
    pub(super) refusals: BTreeMap<Version, NodeSet>,
}

/// A write that its client waits for.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) version: Version,
    /// Its place in the log, where there is one.
    pub(super) index: LogIndex,
    pub(super) request: RequestId,
    pub(super) response: Response,
    pub(super) deadline: Time,
    pub(super) wanted: u16,
    pub(super) acknowledged: NodeSet,
    pub(super) confirmations: u16,
    pub(super) answered: bool,
}

impl Leading {
    /// A node that has just booted.
    pub(super) fn boot(incarnation: Time) -> Self {
        Self { incarnation, ..Self::default() }
    }

    /// When this incarnation of the node began, on its monotonic clock.
    pub(super) const fn incarnation(&self) -> Time {
        self.incarnation
    }

    /// The number of the oldest write that a client waits for.
    #[inline]
    pub(super) fn oldest_awaited(&self) -> Option<u32> {
        self.unanswered.front().map(|write| write.version.sequence)
    }

    /// The unanswered write of this version. Timestamps may go back; sequences rise, nearly always
    /// by one.
    #[inline]
    pub(super) fn find(&mut self, version: Version) -> Option<&mut Pending> {
        let first = self.unanswered.front()?.version.sequence;
        let guess = version.sequence.checked_sub(first)? as usize;
        let place = match self.unanswered.get(guess) {
            Some(pending) if pending.version == version => guess,
            Some(_) | None => {
                self.unanswered.partition_point(|other| other.version.sequence < version.sequence)
            }
        };
        self.unanswered.get_mut(place).filter(|pending| pending.version == version)
    }

    /// The unanswered writes that the log has behind an index, up to another.
    pub(super) fn between(&self, behind: LogIndex, until: LogIndex) -> Vec<Version> {
        let first = self.unanswered.partition_point(|pending| pending.index <= behind);
        let writes = self.unanswered.iter().skip(first);
        writes.take_while(|pending| pending.index <= until).map(|p| p.version).collect()
    }

    /// What the leader still means to do, but for what it owes single followers.
    pub(super) fn pending(&self) -> Vec<String> {
        let unanswered = self.unanswered.iter().filter(|pending| !pending.answered).count();
        match unanswered {
            0 => Vec::new(),
            1 => vec!["1 write awaits confirmations".to_owned()],
            many => vec![format!("{many} writes await confirmations")],
        }
    }
}
