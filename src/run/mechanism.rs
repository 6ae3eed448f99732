//! How a lost write was lost: one mechanism each.
//!
//! A write may vanish from several nodes in several ways. The one that is named is the end that made the loss
//! certain:
//!
//! 1. Where a live node still has the write, or has had it replaced, and a higher version is shown all the same,
//!    last write wins decided.
//! 2. Where only the node that accepted it ever had it and another dropped it on arrival, that drop decided.
//! 3. Else the end of the last copy, by time: until then the write could have been saved. Of ends at one instant it
//!    is the accepting node's.
//!
//! A crash is named by what it took: the unsynced tail of a log, a log that could not be read up to the write, or a
//! memory with no log behind it; where nobody else ever had the write, it was never shipped.

use std::collections::BTreeMap;
use std::fmt;

use crate::id::{KeyId, NodeId, Version};
use crate::protocol::{DiscardReason, NodeSnapshot, Observation};
use crate::sim::{Crash, Sighting, SightingKind};
use crate::time::Time;

/// How a write was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mechanism {
    /// The node that accepted it went down before any other had it.
    NeverShipped,
    /// Those that had it crashed, and nothing of it was on a disk.
    MemoryLost,
    /// A power loss took the end of the log that was not yet synced.
    UnsyncedTailLost,
    /// The log was there after the crash, and could not be read as far as the write.
    LogDamage,
    /// The disk that had it was replaced by an empty one.
    DiskReplaced,
    /// Last write wins dropped it for a write of a higher version.
    OlderTimestamp,
    /// Cut off the log of a node that followed another leader.
    Truncated,
    /// A full state without it replaced the store.
    FullStateOverwrite,
    /// A write of a lower version was put in its place.
    OverwrittenByOlder,
    /// A clear emptied a replica alone.
    Cleared,
    /// A removal left nothing behind, and an older write came back.
    Resurrected,
    /// A tombstone was purged, and an older write came back.
    TombstonePurged,
    /// The nodes that have it are down.
    LeftBehind,
    /// What the protocol says of itself does not tell.
    Unexplained,
}

impl Mechanism {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::NeverShipped,
        Self::MemoryLost,
        Self::UnsyncedTailLost,
        Self::LogDamage,
        Self::DiskReplaced,
        Self::OlderTimestamp,
        Self::Truncated,
        Self::FullStateOverwrite,
        Self::OverwrittenByOlder,
        Self::Cleared,
        Self::Resurrected,
        Self::TombstonePurged,
        Self::LeftBehind,
        Self::Unexplained,
    ];

    /// The name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NeverShipped => "never-shipped",
            Self::MemoryLost => "memory-lost",
            Self::UnsyncedTailLost => "unsynced-tail-lost",
            Self::LogDamage => "log-damage",
            Self::DiskReplaced => "disk-replaced",
            Self::OlderTimestamp => "older-timestamp",
            Self::Truncated => "truncated",
            Self::FullStateOverwrite => "full-state-overwrite",
            Self::OverwrittenByOlder => "overwritten-by-older",
            Self::Cleared => "cleared",
            Self::Resurrected => "resurrected",
            Self::TombstonePurged => "tombstone-purged",
            Self::LeftBehind => "left-behind",
            Self::Unexplained => "unexplained",
        }
    }

    /// The name of the figure that counts it, beside the verdict of durability.
    #[must_use]
    pub const fn figure(self) -> &'static str {
        match self {
            Self::NeverShipped => "lost_never_shipped",
            Self::MemoryLost => "lost_memory_lost",
            Self::UnsyncedTailLost => "lost_unsynced_tail_lost",
            Self::LogDamage => "lost_log_damage",
            Self::DiskReplaced => "lost_disk_replaced",
            Self::OlderTimestamp => "lost_older_timestamp",
            Self::Truncated => "lost_truncated",
            Self::FullStateOverwrite => "lost_full_state_overwrite",
            Self::OverwrittenByOlder => "lost_overwritten_by_older",
            Self::Cleared => "lost_cleared",
            Self::Resurrected => "lost_resurrected",
            Self::TombstonePurged => "lost_tombstone_purged",
            Self::LeftBehind => "lost_left_behind",
            Self::Unexplained => "lost_unexplained",
        }
    }

    /// In words, as the end of "the write was lost: ..".
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::NeverShipped => "never shipped before the crash of the node that accepted it",
            Self::MemoryLost => "only in the memory of nodes that crashed",
            Self::UnsyncedTailLost => "in the unsynced tail of a log that lost power",
            Self::LogDamage => "behind the place up to which the log could be read",
            Self::DiskReplaced => "on a disk that was replaced by an empty one",
            Self::OlderTimestamp => "dropped by last write wins, for a higher version",
            Self::Truncated => "truncated, as the new leader's log does not have it",
            Self::FullStateOverwrite => "overwritten by a full state without it",
            Self::OverwrittenByOlder => "overwritten by an older write",
            Self::Cleared => "cleared on a replica alone",
            Self::Resurrected => "a removal that an older write outlived",
            Self::TombstonePurged => {
                "a removal whose tombstone was purged before all had heard of it"
            }
            Self::LeftBehind => "left behind on nodes that are down",
            Self::Unexplained => "the protocol's observations do not tell how",
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a write is, to those who ask how it was lost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) key: KeyId,
    /// The highest version that it was given.
    pub(super) version: Option<Version>,
    /// Whether it removes the key.
    pub(super) removes: bool,
    /// Every node at the end.
    pub(super) finals: &'a [NodeSnapshot],
}

/// How a write was lost, and where and when that was certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cause {
    pub(super) mechanism: Mechanism,
    pub(super) decisive: Option<(NodeId, Time)>,
}

/// A node's copy of the write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Copied {
    Has,
    /// The node is down; whether its disk was replaced meanwhile.
    Down {
        at: Time,
        crash: Crash,
        replaced: bool,
    },
    /// The node came back without it.
    Forgotten {
        at: Time,
        crash: Crash,
        replaced: bool,
    },
    Dropped {
        at: Time,
        how: Mechanism,
    },
}

/// Every node's copy.
#[derive(Debug, Default)]
struct Copies {
    acceptor: Option<NodeId>,
    by_node: BTreeMap<NodeId, Copied>,
    /// The last drop by a node that never had the write.
    refused: Option<(NodeId, Time, Mechanism)>,
}

/// Names the mechanism by which the write of these sightings was lost.
pub(super) fn classify(sightings: &[Sighting], subject: Subject<'_>) -> Cause {
    let mut copies = Copies::default();
    for sighting in sightings {
        copies.see(sighting, subject);
    }
    if let Some(cause) = copies.beaten(subject) {
        return cause;
    }
    let others = copies.by_node.keys().any(|node| Some(*node) != copies.acceptor);
    if let (false, Some((node, at, mechanism))) = (others, copies.refused) {
        return Cause { mechanism, decisive: Some((node, at)) };
    }
    let alone = !others && subject.finals.len() > 1;
    let ends = copies.by_node.iter().filter_map(|(node, copied)| {
        let (at, how) = copied.end(alone)?;
        Some((at, Some(*node) == copies.acceptor, *node, how))
    });
    match ends.max_by_key(|(at, accepted, node, _)| (*at, *accepted, std::cmp::Reverse(*node))) {
        Some((at, _, node, mechanism)) => Cause { mechanism, decisive: Some((node, at)) },
        None => Cause { mechanism: Mechanism::Unexplained, decisive: None },
    }
}

impl Copies {
    fn see(&mut self, sighting: &Sighting, subject: Subject<'_>) {
        let Sighting { at, node, what, .. } = *sighting;
        let copied = self.by_node.get(&node).copied();
        let now = match what {
            SightingKind::Observed(Observation::Accept { .. }) => {
                self.acceptor.get_or_insert(node);
                Copied::Has
            }
            SightingKind::Observed(Observation::Apply { .. }) => Copied::Has,
            SightingKind::Observed(Observation::Discard { reason, .. }) => {
                let how = of_discard(reason);
                if copied.is_none() {
                    self.refused = Some((node, at, how));
                    return;
                }
                Copied::Dropped { at, how }
            }
            SightingKind::Superseded { by } => {
                if copied != Some(Copied::Has) || subject.version.is_none_or(|mine| by > mine) {
                    return;
                }
                let how = if subject.removes {
                    Mechanism::Resurrected
                } else {
                    Mechanism::OverwrittenByOlder
                };
                Copied::Dropped { at, how }
            }
            SightingKind::Crashed(crash) => Copied::Down { at, crash, replaced: false },
            SightingKind::PowerCut { tail } => match copied {
                Some(Copied::Down { at, crash, replaced }) => {
                    let crash = Crash { tail: crash.tail || tail, ..crash };
                    Copied::Down { at, crash, replaced }
                }
                _ => return,
            },
            SightingKind::DiskReplaced => match copied {
                Some(Copied::Down { at, crash, .. }) => Copied::Down { at, crash, replaced: true },
                _ => return,
            },
            SightingKind::Started { has_it: true, .. } => Copied::Has,
            SightingKind::Started { has_it: false, up } => match copied {
                Some(Copied::Down { at, crash, replaced }) if up => {
                    Copied::Forgotten { at, crash, replaced }
                }
                _ => return,
            },
            SightingKind::Observed(_)
            | SightingKind::Sent { .. }
            | SightingKind::Delivered { .. }
            | SightingKind::Undelivered { .. } => return,
        };
        self.by_node.insert(node, now);
    }

    /// Where a live node has had the write to the end and it is lost all the same: what beat it.
    fn beaten(&self, subject: Subject<'_>) -> Option<Cause> {
        let is_live = |node: NodeId| subject.finals.get(node.index()).is_some_and(|f| f.up);
        let mut kept = self.by_node.iter().filter(|(_, copied)| **copied == Copied::Has);
        let (keeper, _) = kept.find(|(node, _)| is_live(**node))?;
        let live = subject.finals.iter().filter(|snapshot| snapshot.up);
        let held = live.filter_map(|snapshot| Some((snapshot.data.get(&subject.key)?, snapshot)));
        let newest = held.max_by_key(|(stored, _)| stored.version);
        let (mechanism, node) = match (newest, subject.version) {
            (Some((stored, snapshot)), Some(version)) if stored.version > version => {
                (Mechanism::OlderTimestamp, snapshot.node)
            }
            _ if subject.removes => (Mechanism::Resurrected, *keeper),
            _ => (Mechanism::Unexplained, *keeper),
        };
        let at = match self.refused {
            Some((_, at, _)) => at,
            None => return Some(Cause { mechanism, decisive: None }),
        };
        Some(Cause { mechanism, decisive: Some((node, at)) })
    }
}

impl Copied {
    /// When and how the copy ended; `alone` where no other node ever had one.
    fn end(self, alone: bool) -> Option<(Time, Mechanism)> {
        let (at, crash, replaced, down) = match self {
            Self::Has => return None,
            Self::Dropped { at, how } => return Some((at, how)),
            Self::Down { at, crash, replaced } => (at, crash, replaced, true),
            Self::Forgotten { at, crash, replaced } => (at, crash, replaced, false),
        };
        let how = if replaced {
            Mechanism::DiskReplaced
        } else if crash.tail {
            Mechanism::UnsyncedTailLost
        } else if alone && (down || !crash.logged) {
            Mechanism::NeverShipped
        } else if !crash.logged {
            Mechanism::MemoryLost
        } else if down {
            Mechanism::LeftBehind
        } else {
            Mechanism::LogDamage
        };
        Some((at, how))
    }
}

const fn of_discard(reason: DiscardReason) -> Mechanism {
    match reason {
        DiscardReason::Older => Mechanism::OlderTimestamp,
        DiscardReason::Cleared => Mechanism::Cleared,
        DiscardReason::Replaced => Mechanism::FullStateOverwrite,
        DiscardReason::Truncated => Mechanism::Truncated,
        DiscardReason::Purged => Mechanism::TombstonePurged,
    }
}

#[cfg(test)]
mod tests;
