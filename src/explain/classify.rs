//! The mechanism by which a write was lost: exactly one for each lost write.
//!
//! Several nodes may lose their copies in several ways. The mechanism is that of the end that made
//! the loss certain:
//!
//! 1. If a live node still has the write, or replaced it with a newer one, and a higher version is
//!    shown at the end, last write wins decided. If the leader shows an older version, the
//!    mechanism is how the leader came to lack the write.
//! 2. If only the node that accepted the write ever had it, and another node dropped it on arrival,
//!    that drop decided.
//! 3. If only the node that accepted the write ever had it, and another node led while that node
//!    was down, the crash decided, even if its disk kept the write until it came back and followed.
//!    The write was never shipped.
//! 4. Otherwise the end of the last copy decided: until then the write could have been saved. Of
//!    several ends at one instant, the accepting node's counts.
//! 5. If that end was the work of a leader (a full state, a truncation), and this leader had had
//!    the write and its disk had lost it, the mechanism is how that disk lost it. The same holds if
//!    so many nodes had the write that no majority could elect a leader without one whose disk had
//!    lost it. A memory without a log promises nothing: there the overwriting counts.
//!
//! If replicas differ, the question is not how all replicas lost a write but how one came to lack
//! it (`lacking`): its copy ended, or it never got one.
//!
//! A crash is named by what it took: the unsynced tail of a log; a log that could not be read up to
//! the write, or was cut before a checkpoint had it; or a memory with no log behind it. If no other
//! node ever had the write, it was never shipped.

use std::collections::BTreeMap;

use crate::check::{self, Mechanism};
use crate::id::{KeyId, NodeId};
use crate::metrics::Leadership;
use crate::protocol::{DiscardReason, NodeSnapshot, Observation, Relation, Stored};
use crate::sim::{Crash, WatchedWrite, WriteEvent, WriteEventKind};
use crate::time::Time;

/// A write, and the rest of the run that decides its mechanism.
#[derive(Clone, Copy, Debug)]
pub(super) struct WriteContext<'a> {
    pub(super) write: &'a WatchedWrite,
    /// Every node at the end.
    pub(super) finals: &'a [NodeSnapshot],
    /// Who led, and when.
    pub(super) leaderships: &'a [Leadership],
}

/// How a write was lost, and where and when that was certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LossCause {
    pub(super) mechanism: Mechanism,
    pub(super) decisive: Option<(NodeId, Time)>,
}

/// The state of a node's copy of the write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CopyState {
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
        /// The sender of the message that made it drop the write.
        from: Option<NodeId>,
    },
}

/// Every node's copy.
#[derive(Debug, Default)]
pub(super) struct Copies {
    acceptor: Option<NodeId>,
    pub(super) by_node: BTreeMap<NodeId, CopyState>,
    /// When the accepting node crashed, and when it was back with the write.
    absences: Vec<(Time, Option<Time>)>,
    /// The last drop by a node that never had the write.
    refused: Option<(NodeId, Time, Mechanism)>,
    /// The last time that a write of a higher version replaced it.
    overtaken: Option<(NodeId, Time, Stored)>,
}

/// Names the mechanism by which the write with these events was lost.
pub(super) fn classify(write_events: &[WriteEvent], subject: WriteContext<'_>) -> LossCause {
    let mut copies = Copies::default();
    for event in write_events {
        copies.see(event, subject);
    }
    if let Some(cause) = copies.beaten(subject) {
        return cause;
    }
    let others = copies.by_node.keys().any(|node| Some(*node) != copies.acceptor);
    if let (false, Some((node, at, mechanism))) = (others, copies.refused) {
        return LossCause { mechanism, decisive: Some((node, at)) };
    }
    let alone = !others && subject.finals.len() > 1;
    let ends = copies.by_node.iter().filter_map(|(node, copied)| {
        let (at, how) = copied.end(alone)?;
        Some((at, Some(*node) == copies.acceptor, *node, how))
    });
    let last =
        ends.max_by_key(|(at, accepted, node, _)| (*at, *accepted, std::cmp::Reverse(*node)));
    let Some((at, _, node, mechanism)) = last else {
        return LossCause { mechanism: Mechanism::Unexplained, decisive: None };
    };
    let earlier = match mechanism {
        Mechanism::FullStateOverwrite | Mechanism::Truncated if !others => copies.outlived(subject),
        Mechanism::FullStateOverwrite | Mechanism::Truncated => {
            copies.lost_before((node, at), subject)
        }
        _ => None,
    };
    earlier.unwrap_or(LossCause { mechanism, decisive: Some((node, at)) })
}

/// How `node` came to lack the write with these events. `None` if it has the write, or received it
/// and the events do not show what became of it.
pub(super) fn lacking(
    write_events: &[WriteEvent],
    subject: WriteContext<'_>,
    node: NodeId,
) -> Option<Mechanism> {
    let mut copies = Copies::default();
    let mut arrived = false;
    let mut refused = None;
    let here = |event: &&WriteEvent| event.node == node;
    for event in write_events.iter().filter(here) {
        copies.see(event, subject);
        match event.what {
            WriteEventKind::Delivered { relation: Relation::Carries, .. } => arrived = true,
            WriteEventKind::Observed(Observation::Discard { reason, .. }) => {
                refused = Some(of_discard(reason));
            }
            _ => {}
        }
    }
    match copies.by_node.get(&node) {
        Some(copied) => copied.end(false).map(|(_, how)| how),
        None if refused.is_some() => refused,
        None => (!arrived).then_some(Mechanism::NeverArrived),
    }
}

/// How a removed value came back, given how the removal itself was lost. If any node purged its
/// tombstone, that is the reason: against the tombstone the older write would have lost.
pub(super) fn came_back(write_events: &[WriteEvent], lost: Mechanism) -> Mechanism {
    let purges = |event: &WriteEvent| {
        let WriteEventKind::Observed(observation) = event.what else { return false };
        matches!(observation, Observation::Discard { reason: DiscardReason::Purged, .. })
    };
    if write_events.iter().any(purges) { Mechanism::TombstonePurged } else { lost }
}

impl Copies {
    pub(super) fn see(&mut self, event: &WriteEvent, subject: WriteContext<'_>) {
        let WriteEvent { at, node, from, what, .. } = *event;
        let copied = self.by_node.get(&node).copied();
        let now = match what {
            WriteEventKind::Observed(Observation::Accept { .. }) => {
                self.acceptor.get_or_insert(node);
                CopyState::Has
            }
            WriteEventKind::Observed(Observation::Apply { .. }) => CopyState::Has,
            WriteEventKind::Observed(Observation::Discard { reason, .. }) => {
                let how = of_discard(reason);
                if copied.is_none() {
                    self.refused = Some((node, at, how));
                    return;
                }
                CopyState::Dropped { at, how, from }
            }
            WriteEventKind::Superseded { by } => match replaced(subject.write, by) {
                None => {
                    self.overtaken = Some((node, at, by));
                    return;
                }
                Some(how) if copied == Some(CopyState::Has) => CopyState::Dropped { at, how, from },
                Some(_) => return,
            },
            WriteEventKind::Uncovered { reason } => {
                CopyState::Dropped { at, how: of_discard(reason), from }
            }
            WriteEventKind::Crashed(crash) => {
                // It had dropped the write before the crash.
                if matches!(copied, Some(CopyState::Dropped { .. })) {
                    return;
                }
                if self.acceptor == Some(node) {
                    self.absences.push((at, None));
                }
                CopyState::Down { at, crash, replaced: false }
            }
            WriteEventKind::PowerCut { tail } => match copied {
                Some(CopyState::Down { at, crash, replaced }) => {
                    let crash = Crash { tail: crash.tail || tail, ..crash };
                    CopyState::Down { at, crash, replaced }
                }
                _ => return,
            },
            WriteEventKind::DiskReplaced => match copied {
                Some(CopyState::Down { at, crash, .. }) => {
                    CopyState::Down { at, crash, replaced: true }
                }
                _ => return,
            },
            WriteEventKind::Started { has_it: true, .. } => {
                if let (Some((_, back)), true) =
                    (self.absences.last_mut(), self.acceptor == Some(node))
                {
                    *back = Some(at);
                }
                CopyState::Has
            }
            WriteEventKind::Started { has_it: false, up } => match copied {
                Some(CopyState::Down { at, crash, replaced }) if up => {
                    CopyState::Forgotten { at, crash, replaced }
                }
                _ => return,
            },
            WriteEventKind::Observed(_)
            | WriteEventKind::Sent { .. }
            | WriteEventKind::Delivered { .. }
            | WriteEventKind::Undelivered { .. }
            | WriteEventKind::Answered { .. }
            | WriteEventKind::Replied { .. }
            | WriteEventKind::Heard { .. } => return,
        };
        self.by_node.insert(node, now);
    }

    /// If only the accepting node ever had the write: the crash of that node during which another
    /// began to lead.
    fn outlived(&self, subject: WriteContext<'_>) -> Option<LossCause> {
        let acceptor = self.acceptor?;
        let is_led = |(crash, back): &&(Time, Option<Time>)| {
            subject.leaderships.iter().any(|led| {
                // A leader from before the crash had deposed it before the crash.
                led.node != acceptor
                    && *crash <= led.from
                    && back.is_none_or(|back| led.from < back)
            })
        };
        let (crash, _) = self.absences.iter().find(is_led)?;
        let decisive = Some((acceptor, *crash));
        Some(LossCause { mechanism: Mechanism::NeverShipped, decisive })
    }

    /// How a disk had lost the write before `node` dropped it at `end`: the disk of the leader that
    /// made it drop the write, or of a node whose vote that leader needed.
    fn lost_before(
        &self,
        (node, end): (NodeId, Time),
        subject: WriteContext<'_>,
    ) -> Option<LossCause> {
        let lost = |(node, copied): (&NodeId, &CopyState)| {
            let CopyState::Forgotten { .. } = copied else { return None };
            let (at, mechanism) = copied.end(false)?;
            let is_of_disk = matches!(
                mechanism,
                Mechanism::UnsyncedTailLost
                    | Mechanism::LogDamage
                    | Mechanism::LogCut
                    | Mechanism::DiskReplaced
            );
            (is_of_disk && at < end).then_some((at, *node, mechanism))
        };
        let nodes = subject.finals.len();
        let is_needed = nodes - self.by_node.len() <= nodes / 2;
        let leader = match self.by_node.get(&node) {
            Some(CopyState::Dropped { from, .. }) => *from,
            _ => None,
        };
        let cases = self.by_node.iter().filter_map(lost);
        let counts = cases.filter(|(_, node, _)| is_needed || Some(*node) == leader);
        let (at, node, mechanism) =
            counts.max_by_key(|(at, node, _)| (Some(*node) == leader, *at))?;
        Some(LossCause { mechanism, decisive: Some((node, at)) })
    }

    /// Why the write is lost although a live node has it at the end.
    fn beaten(&self, subject: WriteContext<'_>) -> Option<LossCause> {
        let is_live = |node: NodeId| subject.finals.get(node.index()).is_some_and(|f| f.up);
        let mut kept = self.by_node.iter().filter(|(_, copied)| **copied == CopyState::Has);
        let (keeper, _) = kept.find(|(node, _)| is_live(**node))?;
        let WatchedWrite { key, versions, .. } = subject.write;
        let (mechanism, decisive) = match (shown(subject.finals, *key), subject.write.version()) {
            (Some((stored, node)), Some(version)) if stored.version > version => {
                let refused = self.refused.map(|(_, at, _)| (node, at));
                let by = |(_, _, by): &(NodeId, Time, Stored)| by.version == stored.version;
                let overtaken = self.overtaken.filter(by).map(|(node, at, _)| (node, at));
                (Mechanism::OlderTimestamp, refused.or(overtaken))
            }
            (Some((stored, _)), _)
                if versions.contains(&stored.version) && !subject.write.is(*key, stored) =>
            {
                (Mechanism::VersionReused, self.refusal_on(*keeper))
            }
            _ if subject.write.removes() => {
                (Mechanism::Resurrected, self.resurrection().or_else(|| self.refusal_on(*keeper)))
            }
            _ => self
                .lacked_by_the_leader(subject)
                .unwrap_or_else(|| (Mechanism::Unexplained, self.refusal_on(*keeper))),
        };
        Some(LossCause { mechanism, decisive })
    }

    /// How the leader at the end, which answers clients, came to lack the write.
    fn lacked_by_the_leader(
        &self,
        subject: WriteContext<'_>,
    ) -> Option<(Mechanism, Option<(NodeId, Time)>)> {
        let leader = check::leader(subject.finals)?;
        match self.by_node.get(&leader) {
            Some(copied) => copied.end(false).map(|(at, how)| (how, Some((leader, at)))),
            None => {
                let led = subject.leaderships.iter().rev().find(|led| led.node == leader);
                Some((Mechanism::NotOnTheLeader, led.map(|led| (leader, led.from))))
            }
        }
    }

    /// The first node on which an older write replaced the removal.
    fn resurrection(&self) -> Option<(NodeId, Time)> {
        let nodes = self.by_node.iter();
        let back = nodes.filter_map(|(node, copied)| match copied {
            CopyState::Dropped { at, how: Mechanism::Resurrected, .. } => Some((*at, *node)),
            _ => None,
        });
        back.min().map(|(at, node)| (node, at))
    }

    fn refusal_on(&self, keeper: NodeId) -> Option<(NodeId, Time)> {
        self.refused.map(|(_, at, _)| (keeper, at))
    }
}

/// The mechanism when the write `by` replaced `write`; `None` if `by` has a higher version, and so
/// replaced it rightly.
fn replaced(write: &WatchedWrite, by: Stored) -> Option<Mechanism> {
    let mine = write.version().filter(|mine| by.version <= *mine)?;
    Some(if mine == by.version {
        Mechanism::VersionReused
    } else if write.removes() {
        Mechanism::Resurrected
    } else {
        Mechanism::OverwrittenByOlder
    })
}

impl CopyState {
    /// When and how the copy ended. `alone`: no other node ever had one.
    pub(super) fn end(self, alone: bool) -> Option<(Time, Mechanism)> {
        let (at, crash, replaced, down) = match self {
            Self::Has => return None,
            Self::Dropped { at, how, .. } => return Some((at, how)),
            Self::Down { at, crash, replaced } => (at, crash, replaced, true),
            Self::Forgotten { at, crash, replaced } => (at, crash, replaced, false),
        };
        let was_on_disk = crash.logged && !crash.tail && !crash.cut;
        let how = if replaced && was_on_disk {
            Mechanism::DiskReplaced
        } else if crash.tail {
            Mechanism::UnsyncedTailLost
        } else if crash.cut {
            Mechanism::LogCut
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

/// What clients are shown of a key at the end, and the node that shows it: the leader, or else the
/// live node with the highest version.
pub(super) fn shown(finals: &[NodeSnapshot], key: KeyId) -> Option<(Stored, NodeId)> {
    let live = finals.iter().filter(|snapshot| snapshot.up);
    let held = || {
        let held = live.clone();
        held.filter_map(|snapshot| Some((*snapshot.data.get(&key)?, snapshot.node)))
    };
    let leader = check::leader(finals);
    let by_leader = held().find(|(_, node)| Some(*node) == leader);
    by_leader.or_else(|| held().max_by_key(|(stored, _)| stored.version))
}

pub(super) const fn of_discard(reason: DiscardReason) -> Mechanism {
    match reason {
        DiscardReason::Older => Mechanism::OlderTimestamp,
        DiscardReason::SameVersion => Mechanism::VersionReused,
        DiscardReason::Cleared => Mechanism::Cleared,
        DiscardReason::Replaced => Mechanism::FullStateOverwrite,
        DiscardReason::Overwritten => Mechanism::OverwrittenByOlder,
        DiscardReason::Truncated => Mechanism::Truncated,
        DiscardReason::Purged => Mechanism::TombstonePurged,
    }
}

#[cfg(test)]
mod tests;
