//! Following single writes through a run: where they were taken, sent, dropped and lost.
//!
//! Only a run that is played again to look at some writes does this; every other one pays a branch that is never
//! taken. What a node has is tracked here from its observations, and checked against a snapshot after each start.

use std::collections::BTreeMap;

use crate::id::{KeyId, NodeId, NodeSet, Version};
use crate::protocol::{
    Cargo, DiscardReason, DiskImage, Message, NodeSnapshot, Observation, Protocol,
};
use crate::time::Time;

use super::Simulation;
use super::event::Event;
use super::network::Fate;
use super::queue::EventQueue;

/// A write to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Every version that it was given: retries are given several.
    pub(crate) versions: Vec<Version>,
    /// Whether it removes a key: then a node that lacks the key has it.
    pub(crate) removes: bool,
}

/// A moment in the life of a write that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub(crate) at: Time,
    pub(crate) node: NodeId,
    /// Its place among those that are followed.
    pub(crate) write: u32,
    /// Whose message the node was taking in.
    pub(crate) from: Option<NodeId>,
    pub(crate) what: SightingKind,
}

/// What happened to a write, or to a node that had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SightingKind {
    /// The node said something about it.
    Observed(Observation),
    /// The node, which had it, took another write of its key.
    Superseded { by: Version },
    /// The node, which had had it until another write took its place, dropped that one.
    Uncovered { reason: DiscardReason },
    /// The node sent a message about it.
    Sent { to: NodeId, cargo: Cargo, passage: Passage },
    /// A message about it reached the node.
    Delivered { from: NodeId, cargo: Cargo },
    /// A message about it reached the node's machine while the process was down.
    Undelivered { from: NodeId, cargo: Cargo },
    /// The node, which had it, died.
    Crashed(Crash),
    /// The machine of the node, down already, lost power; whether that took the write from its disk.
    PowerCut { tail: bool },
    /// The node, which had it and is down, was given an empty disk.
    DiskReplaced,
    /// The node, which had it when it died, started again; whether it still has it, and whether it stayed up.
    Started { has_it: bool, up: bool },
}

/// What died with a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crash {
    /// Whether the machine lost power.
    pub(crate) power: bool,
    /// Whether that took the write, not yet synced, from its disk.
    pub(crate) tail: bool,
    /// Whether anything is left on its disk.
    pub(crate) logged: bool,
    /// Whether nothing is left of a log that had records: it was cut, and no checkpoint has them.
    pub(crate) cut: bool,
}

/// A disk before and after its machine lost power.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PowerLoss {
    pub(crate) before: DiskImage,
    pub(crate) after: DiskImage,
}

/// More bytes than an encoded version has.
const MOST_OF_A_VERSION: usize = 32;

/// What became of a message when it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// It is on its way.
    Travels,
    /// Lost by chance.
    Lost,
    /// A fault stood in its way: the first of this index that can have.
    Blocked(Option<u32>),
    /// The fault of this index holds it back.
    Held(u32),
}

/// The writes that are followed, and what was seen of them.
#[derive(Debug)]
pub(crate) struct Watch {
    of_version: BTreeMap<Version, u32>,
    of_key: BTreeMap<KeyId, Vec<u32>>,
    writes: Vec<Followed>,
    /// Whether a node starts: what it reads from its disk is told by the start as a whole.
    starting: bool,
    /// The last message that reached anybody: when, from whom, whom.
    arrived: Option<(Time, NodeId, NodeId)>,
    sightings: Vec<Sighting>,
}

#[derive(Debug)]
struct Followed {
    target: Target,
    /// Known from the first observation on.
    key: Option<KeyId>,
    /// The nodes that are up and have it.
    held: NodeSet,
    /// The nodes that had it when they died, and are down.
    down: NodeSet,
    /// The nodes that had it and forgot that it removed the key.
    purged: NodeSet,
}

impl Watch {
    /// `None` when there is nothing to follow.
    pub(crate) fn of(targets: Vec<Target>) -> Option<Box<Self>> {
        if targets.is_empty() {
            return None;
        }
        let mut of_version = BTreeMap::new();
        for (write, target) in (0..).zip(&targets) {
            of_version.extend(target.versions.iter().map(|version| (*version, write)));
        }
        let follow = |target| Followed {
            target,
            key: None,
            held: NodeSet::EMPTY,
            down: NodeSet::EMPTY,
            purged: NodeSet::EMPTY,
        };
        Some(Box::new(Self {
            of_version,
            of_key: BTreeMap::new(),
            writes: targets.into_iter().map(follow).collect(),
            starting: false,
            arrived: None,
            sightings: Vec::new(),
        }))
    }

    /// Everything seen, in event order.
    pub(crate) fn into_sightings(self) -> Vec<Sighting> {
        self.sightings
    }

    fn see(&mut self, at: Time, node: NodeId, write: u32, what: SightingKind) {
        let arrived = self.arrived.filter(|(when, _, to)| (*when, *to) == (at, node));
        let from = arrived.map(|(_, from, _)| from);
        self.sightings.push(Sighting { at, node, write, from, what });
    }

    /// A node said something.
    pub(crate) fn observed(&mut self, at: Time, node: NodeId, observation: Observation) {
        let (key, version) = match observation {
            Observation::Accept { key, version, .. }
            | Observation::Apply { key, version }
            | Observation::Discard { key, version, .. } => (key, version),
            Observation::Role { .. }
            | Observation::Append { .. }
            | Observation::Truncate { .. }
            | Observation::Commit { .. }
            | Observation::Replay { .. } => return,
        };
        let this = self.of_version.get(&version).copied();
        if matches!(observation, Observation::Apply { .. }) && !self.starting {
            self.superseded(at, node, key, version, this);
        }
        if let Observation::Discard { reason, .. } = observation {
            self.uncovered(at, node, (key, version), reason);
        }
        let Some(write) = this else { return };
        let followed = &mut self.writes[write as usize];
        if followed.key.replace(key).is_none() {
            self.of_key.entry(key).or_default().push(write);
        }
        let followed = &mut self.writes[write as usize];
        match observation {
            Observation::Discard { reason, .. } => {
                followed.held.remove(node);
                if reason == DiscardReason::Purged {
                    followed.purged.insert(node);
                }
            }
            _ => {
                followed.held.insert(node);
                followed.purged.remove(node);
            }
        }
        if !self.starting {
            self.see(at, node, write, SightingKind::Observed(observation));
        }
    }

    /// A node took a write of `key`: those of it that it had are no longer what it shows.
    fn superseded(&mut self, at: Time, node: NodeId, key: KeyId, by: Version, itself: Option<u32>) {
        let writes = self.of_key.get(&key).cloned().unwrap_or_default();
        for write in writes.into_iter().filter(|write| Some(*write) != itself) {
            let followed = &self.writes[write as usize];
            let comes_back = followed.purged.contains(node) && followed.is_above(by);
            if followed.held.contains(node) || comes_back {
                self.see(at, node, write, SightingKind::Superseded { by });
            }
        }
    }

    /// A node dropped the write of `key` that it showed, and with it those that this one had replaced.
    fn uncovered(
        &mut self,
        at: Time,
        node: NodeId,
        (key, dropped): (KeyId, Version),
        reason: DiscardReason,
    ) {
        match reason {
            DiscardReason::Replaced
            | DiscardReason::Overwritten
            | DiscardReason::Cleared
            | DiscardReason::Purged => {}
            // It was never shown; of a log, what came before it stays.
            DiscardReason::Older | DiscardReason::Truncated => return,
        }
        let writes = self.of_key.get(&key).cloned().unwrap_or_default();
        for write in writes {
            let followed = &mut self.writes[write as usize];
            let mine = followed.target.versions.iter().max();
            if mine.is_some_and(|mine| *mine < dropped) && followed.held.remove(node) {
                self.see(at, node, write, SightingKind::Uncovered { reason });
            }
        }
    }

    /// A message reaches a node.
    pub(crate) fn arrives(
        &mut self,
        at: Time,
        (from, to): (NodeId, NodeId),
        message: &impl Message,
        up: bool,
    ) {
        self.arrived = Some((at, from, to));
        self.about(message, to, |watch, write, cargo| {
            let what = if up {
                SightingKind::Delivered { from, cargo }
            } else {
                SightingKind::Undelivered { from, cargo }
            };
            watch.see(at, to, write, what);
        });
    }

    /// Calls `tell` for every followed write that `message` brings to somebody who lacks it, or confirms.
    fn about(
        &mut self,
        message: &impl Message,
        to: NodeId,
        mut tell: impl FnMut(&mut Self, u32, Cargo),
    ) {
        message.carries(&mut |version, cargo| {
            let Some(write) = self.of_version.get(&version).copied() else { return };
            // A full state brings again what everybody has had for long.
            if cargo == Cargo::Confirmation || !self.writes[write as usize].held.contains(to) {
                tell(self, write, cargo);
            }
        });
    }

    /// A node's process died, and with `power` its machine; what that left on its disk, and
    /// whether its log ever had records.
    pub(crate) fn crashed(
        &mut self,
        at: Time,
        node: NodeId,
        power: Option<&PowerLoss>,
        (left, had_records): (&DiskImage, bool),
    ) {
        for write in 0..self.writes.len() {
            let followed = &mut self.writes[write];
            if !followed.held.remove(node) {
                continue;
            }
            followed.down.insert(node);
            let tail = power.is_some_and(|power| followed.went_with(power));
            let logged = !left.is_empty();
            let was_empty = power.is_none_or(|power| power.before.is_empty());
            let cut = had_records && !logged && was_empty;
            let crash = Crash { power: power.is_some(), tail, logged, cut };
            if !self.starting {
                self.see(at, node, index(write), SightingKind::Crashed(crash));
            }
        }
    }

    /// The machine of a node that is down lost power.
    pub(crate) fn power_cut(&mut self, at: Time, node: NodeId, power: &PowerLoss) {
        for write in 0..self.writes.len() {
            if self.writes[write].down.contains(node) {
                let tail = self.writes[write].went_with(power);
                self.see(at, node, index(write), SightingKind::PowerCut { tail });
            }
        }
    }

    /// A node that is down was given an empty disk.
    pub(crate) fn disk_replaced(&mut self, at: Time, node: NodeId) {
        for write in 0..self.writes.len() {
            if self.writes[write].down.contains(node) {
                self.see(at, node, index(write), SightingKind::DiskReplaced);
            }
        }
    }

    /// A node has started: what it has now is what its snapshot shows.
    fn started(&mut self, at: Time, node: NodeId, snapshot: &NodeSnapshot) {
        self.starting = false;
        for write in 0..self.writes.len() {
            let followed = &mut self.writes[write];
            if !followed.down.contains(node) {
                continue;
            }
            let has_it = snapshot.up && followed.is_in(snapshot);
            if snapshot.up {
                followed.down.remove(node);
            }
            if has_it {
                followed.held.insert(node);
            } else {
                followed.held.remove(node);
            }
            let what = SightingKind::Started { has_it, up: snapshot.up };
            self.see(at, node, index(write), what);
        }
    }
}

impl Followed {
    /// Whether a loss of power took this write from the disk: it is among the bytes that went. Where its version
    /// cannot be found on the disk at all, because the protocol writes it in another way, any loss may be its own.
    fn went_with(&self, power: &PowerLoss) -> bool {
        let needle = |version| postcard::to_allocvec(version).expect("integers are encoded");
        let needles: Vec<Vec<u8>> = self.target.versions.iter().map(needle).collect();
        let among = |bytes: &[u8]| {
            needles.iter().any(|needle| bytes.windows(needle.len()).any(|part| part == needle))
        };
        let mut is_there = false;
        for (file, before) in power.before.files() {
            let after = power.after.bytes(file);
            let same = before.iter().zip(after).take_while(|(before, after)| before == after);
            // What was torn in two went too.
            if among(&before[same.count().saturating_sub(MOST_OF_A_VERSION)..]) && !among(after) {
                return true;
            }
            is_there |= among(after);
        }
        !is_there && power.before != power.after
    }

    /// Whether the write has a higher version than `other`.
    fn is_above(&self, other: Version) -> bool {
        self.target.versions.iter().max().is_some_and(|mine| *mine > other)
    }

    /// Whether a node shows this write, or one that has replaced it by a higher version.
    fn is_in(&self, snapshot: &NodeSnapshot) -> bool {
        let Some(key) = self.key else { return false };
        match snapshot.data.get(&key) {
            Some(stored) => self.target.versions.iter().any(|mine| *mine <= stored.version),
            None => self.target.removes,
        }
    }
}

fn index(write: usize) -> u32 {
    u32::try_from(write).expect("few writes are followed")
}

impl<P: Protocol, Q: EventQueue<Event<P>>> Simulation<'_, P, Q> {
    /// A message was handed to the network.
    #[cold]
    #[inline(never)]
    pub(super) fn watch_sent(
        &mut self,
        (from, to): (NodeId, NodeId),
        message: &P::Message,
        fate: Fate,
    ) {
        let Some(watch) = &mut self.watch else { return };
        let (at, network) = (self.kernel.now, &self.network);
        watch.about(message, to, |watch, write, cargo| {
            let passage = match fate {
                Fate::Arrives { .. } | Fate::Slowed { .. } => Passage::Travels,
                Fate::Lost => Passage::Lost,
                Fate::Blocked => Passage::Blocked(network.blocker(from, to, message.kind())),
                Fate::Held { fault } => Passage::Held(fault),
            };
            watch.see(at, from, write, SightingKind::Sent { to, cargo, passage });
        });
    }

    /// A node starts.
    pub(super) fn watch_boots(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch.starting = true;
        }
    }

    /// A node has started, or given up at once.
    pub(super) fn watch_booted(&mut self, node: NodeId) {
        if self.watch.is_none() && self.record.is_none() {
            return;
        }
        let snapshot = self.snapshot(node);
        if let Some(record) = &mut self.record {
            record.booted(self.kernel.now, node, &snapshot);
        }
        if let Some(watch) = &mut self.watch {
            watch.started(self.kernel.now, node, &snapshot);
        }
    }
}
