//! Following single writes through a run: where they were taken, sent, dropped and lost.
//!
//! What a node has is tracked here from its observations, and checked against a snapshot after each
//! start.
//!
//! **A write is not its version**: two writes may bear the same one. What a node says of a write,
//! and what a message brings, is recognised by the operation that the value carries. A value that
//! was read back from a disk carries none and is recognised by its text and version. A removal has
//! no value, and an acknowledgement names a version alone: of several writes of one version they
//! mean the one that was accepted last, and none that was not invoked yet.

use std::collections::BTreeMap;

use crate::id::{KeyId, NodeId, NodeSet, OpId, Value, ValueKind, Version};
use crate::protocol::{
    Carried, DiscardReason, DiskImage, Message, NodeSnapshot, Observation, Relation, Stored,
};
use crate::rng::CausalId;
use crate::time::Time;

use super::super::network::{Fate, NetworkState, Packet};
use super::write_event::{Crash, Passage, WatchedEffect, WatchedWrite, WriteEvent, WriteEventKind};

/// A message between nodes that reaches its receiver's machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) id: CausalId,
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    /// Whether the receiver's process is up.
    pub(crate) is_up: bool,
}

/// A disk before and after its machine lost power.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PowerLoss {
    pub(crate) before: DiskImage,
    pub(crate) after: DiskImage,
}

/// What a crash left on the disk of its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remains {
    pub(crate) image: DiskImage,
    /// Whether a log on it ever had records.
    pub(crate) had_records: bool,
}

/// More bytes than an encoded version has.
const MOST_OF_A_VERSION: usize = 32;

/// The writes that are followed, and what was seen of them.
#[derive(Debug, Default)]
pub(in super::super) struct Watch {
    of_version: BTreeMap<Version, Vec<u32>>,
    of_value: BTreeMap<(KeyId, Value), Vec<u32>>,
    of_key: BTreeMap<KeyId, Vec<u32>>,
    of_op: BTreeMap<(OpId, KeyId), u32>,
    of_read: BTreeMap<OpId, Vec<u32>>,
    /// The operation that was given each followed version last.
    accepted: BTreeMap<Version, OpId>,
    writes: Vec<WriteTrack>,
    /// Whether a node is starting: what it reads from its disk is noted once it has started.
    starting: bool,
    /// The last message that reached a node, and when.
    arrived: Option<(Time, Arrival)>,
    write_events: Vec<WriteEvent>,
}

#[derive(Debug)]
struct WriteTrack {
    target: WatchedWrite,
    /// The nodes that are up and have it.
    held: NodeSet,
    /// The nodes that had it when they died, and are down.
    down: NodeSet,
    /// The nodes that had it and purged its tombstone.
    purged: NodeSet,
}

impl Watch {
    /// `None` when there is nothing to follow.
    pub(super) fn of(targets: Vec<WatchedWrite>) -> Option<Box<Self>> {
        if targets.is_empty() {
            return None;
        }
        let mut watch = Box::new(Self::default());
        for (write, target) in (0..).zip(targets) {
            watch.follow(write, target);
        }
        Some(watch)
    }

    fn follow(&mut self, write: u32, target: WatchedWrite) {
        for version in &target.versions {
            self.of_version.entry(*version).or_default().push(write);
        }
        if let WatchedEffect::Put(value) | WatchedEffect::Append(value) = target.effect {
            self.of_value.entry((target.key, value)).or_default().push(write);
        }
        self.of_key.entry(target.key).or_default().push(write);
        for read in &target.reads {
            self.of_read.entry(*read).or_default().push(write);
        }
        if let Some((op, _)) = target.op {
            self.of_op.insert((op, target.key), write);
        }
        let (held, down, purged) = (NodeSet::EMPTY, NodeSet::EMPTY, NodeSet::EMPTY);
        self.writes.push(WriteTrack { target, held, down, purged });
    }

    /// The place of the followed write that `stored`, of `key`, is.
    fn write_of(&self, now: Time, key: KeyId, stored: Stored) -> Option<u32> {
        let of_value = stored.value.and_then(|value| self.of_value.get(&(key, value)));
        let of_version = self.of_version.get(&stored.version);
        let mut candidates = of_value.into_iter().chain(of_version).flatten().copied();
        let is_known = stored.value.is_some_and(|value| {
            matches!(value.kind(), ValueKind::Made(..)) || value.writer().is_some()
        });
        candidates.find(|write| {
            let target = &self.writes[*write as usize].target;
            target.is(key, stored)
                && target.is_invoked(now)
                && (is_known || self.is_the_last_of(stored.version, target))
        })
    }

    /// The place of the followed write that a message names by its version alone.
    fn write_of_version(&self, now: Time, version: Version) -> Option<u32> {
        self.of_version.get(&version)?.iter().copied().find(|write| {
            let target = &self.writes[*write as usize].target;
            target.is_invoked(now) && self.is_the_last_of(version, target)
        })
    }

    /// Whether this write is the last one that was given `version`.
    fn is_the_last_of(&self, version: Version, target: &WatchedWrite) -> bool {
        let (Some(last), Some((op, _))) = (self.accepted.get(&version), target.op) else {
            return true;
        };
        *last == op
    }

    /// Everything seen, in event order.
    pub(in super::super) fn into_write_events(self) -> Vec<WriteEvent> {
        self.write_events
    }

    fn see(&mut self, at: Time, node: NodeId, write: u32, what: WriteEventKind) {
        let arrived = self.arrived.filter(|(when, arrival)| (*when, arrival.to) == (at, node));
        let from = arrived.map(|(_, arrival)| arrival.from);
        self.write_events.push(WriteEvent { at, node, write, from, what });
    }

    /// A node observed something.
    pub(super) fn observed(&mut self, at: Time, node: NodeId, observation: Observation) {
        let write = match observation {
            Observation::Accept { key, version, request, .. } => {
                if self.of_version.contains_key(&version) {
                    self.accepted.insert(version, request.operation());
                }
                let of_op = self.of_op.get(&(request.operation(), key)).copied();
                of_op.or_else(|| self.unknown_of(key, version))
            }
            Observation::Apply { key, stored } => {
                let this = self.write_of(at, key, stored);
                if !self.starting {
                    self.superseded(at, node, (key, stored), this);
                }
                this
            }
            Observation::Discard { key, stored, reason } => {
                self.uncovered(at, node, (key, stored.version), reason);
                self.write_of(at, key, stored)
            }
            Observation::Role { .. }
            | Observation::Vote { .. }
            | Observation::Append { .. }
            | Observation::Truncate { .. }
            | Observation::Durable { .. }
            | Observation::Commit { .. }
            | Observation::Applied { .. }
            | Observation::Snapshot { .. }
            | Observation::Configuration { .. }
            | Observation::Replay { .. } => return,
        };
        let Some(write) = write else { return };
        let followed = &mut self.writes[write as usize];
        if let Observation::Discard { reason, .. } = observation {
            followed.held.remove(node);
            if reason == DiscardReason::Purged {
                followed.purged.insert(node);
            }
        } else {
            followed.held.insert(node);
            followed.purged.remove(node);
        }
        if !self.starting {
            self.see(at, node, write, WriteEventKind::Observed(observation));
        }
    }

    /// The followed write of this version whose operation is not known.
    fn unknown_of(&self, key: KeyId, version: Version) -> Option<u32> {
        self.of_version.get(&version)?.iter().copied().find(|write| {
            let target = &self.writes[*write as usize].target;
            target.effect == WatchedEffect::Unknown && target.key == key
        })
    }

    /// A node answers a client.
    pub(super) fn answers(&mut self, at: Time, node: NodeId, read: OpId) {
        self.asked(at, node, read, WriteEventKind::Answered { read });
    }

    fn asked(&mut self, at: Time, node: NodeId, read: OpId, what: WriteEventKind) {
        for write in self.of_read.get(&read).cloned().unwrap_or_default() {
            self.see(at, node, write, what);
        }
    }

    /// A node took the write `by` of `key`, which hides the other writes of that key that it has.
    fn superseded(
        &mut self,
        at: Time,
        node: NodeId,
        (key, by): (KeyId, Stored),
        itself: Option<u32>,
    ) {
        let writes = self.of_key.get(&key).cloned().unwrap_or_default();
        for write in writes.into_iter().filter(|write| Some(*write) != itself) {
            let followed = &self.writes[write as usize];
            // A list holds other elements beside this one.
            if matches!(followed.target.effect, WatchedEffect::Append(_)) && by.value.is_some() {
                continue;
            }
            let comes_back = followed.purged.contains(node) && followed.is_above(by.version);
            if followed.held.contains(node) || comes_back {
                self.see(at, node, write, WriteEventKind::Superseded { by });
            }
        }
    }

    /// A node dropped the write of `key` that it showed, and with it the older ones that it had
    /// hidden.
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
            // The write was never shown, or it was cut off a log, which keeps what came before.
            DiscardReason::Older | DiscardReason::SameVersion | DiscardReason::Truncated => return,
        }
        let writes = self.of_key.get(&key).cloned().unwrap_or_default();
        for write in writes {
            let followed = &mut self.writes[write as usize];
            let mine = followed.target.versions.iter().max();
            if mine.is_some_and(|mine| *mine < dropped) && followed.held.remove(node) {
                self.see(at, node, write, WriteEventKind::Uncovered { reason });
            }
        }
    }

    /// A message reaches a node.
    pub(super) fn arrives(&mut self, at: Time, arrival: Arrival, message: &impl Message) {
        self.arrived = Some((at, arrival));
        let Arrival { from, to, is_up, .. } = arrival;
        if let (true, Some(read)) = (is_up, message.answers()) {
            let read = read.operation();
            self.asked(at, to, read, WriteEventKind::Heard { read, from });
        }
        self.about(at, message, to, |watch, write, relation| {
            let what = if is_up {
                WriteEventKind::Delivered { from, relation }
            } else {
                WriteEventKind::Undelivered { from, relation }
            };
            watch.see(at, to, write, what);
        });
    }

    /// A message was handed to the network, which decided its fate.
    pub(super) fn sent(
        &mut self,
        at: Time,
        packet: Packet,
        message: &impl Message,
        fate: Fate,
        network: &NetworkState,
    ) {
        let Packet { from, to, kind, .. } = packet;
        if let Some(read) = message.answers() {
            let read = read.operation();
            self.asked(at, from, read, WriteEventKind::Replied { read });
        }
        self.about(at, message, to, |watch, write, relation| {
            let passage = match fate {
                Fate::Arrives { .. } | Fate::Slowed { .. } => Passage::Travels,
                Fate::Lost => Passage::Lost,
                Fate::Blocked => Passage::Blocked(network.blocker(from, to, kind)),
                Fate::Held { fault } => Passage::Held(fault),
            };
            watch.see(at, from, write, WriteEventKind::Sent { to, relation, passage });
        });
    }

    /// Calls `tell` for every followed write that `message` brings to a node that lacks it, and for
    /// every one that it acknowledges.
    fn about(
        &mut self,
        now: Time,
        message: &impl Message,
        to: NodeId,
        mut tell: impl FnMut(&mut Self, u32, Relation),
    ) {
        message.carries(&mut |Carried { version, content, relation }| {
            let write = match content {
                Some((key, value)) => self.write_of(now, key, Stored { value, version }),
                None => self.write_of_version(now, version),
            };
            let Some(write) = write else { return };
            // A full state brings every write, also to nodes that have it.
            if relation == Relation::Acknowledges || !self.writes[write as usize].held.contains(to)
            {
                tell(self, write, relation);
            }
        });
    }

    /// A node's process died, and with `power` its machine; what that left on its disk.
    pub(super) fn crashed(
        &mut self,
        at: Time,
        node: NodeId,
        power: Option<&PowerLoss>,
        remains: &Remains,
    ) {
        for write in 0..self.writes.len() {
            let followed = &mut self.writes[write];
            if !followed.held.remove(node) {
                continue;
            }
            followed.down.insert(node);
            let tail = power.is_some_and(|power| followed.went_with(power));
            let logged = !remains.image.is_empty();
            let was_empty = power.is_none_or(|power| power.before.is_empty());
            let cut = remains.had_records && !logged && was_empty;
            let crash = Crash { power: power.is_some(), tail, logged, cut };
            if !self.starting {
                self.see(at, node, index(write), WriteEventKind::Crashed(crash));
            }
        }
    }

    /// The machine of a node that is down lost power.
    pub(super) fn power_cut(&mut self, at: Time, node: NodeId, power: &PowerLoss) {
        for write in 0..self.writes.len() {
            if self.writes[write].down.contains(node) {
                let tail = self.writes[write].went_with(power);
                self.see(at, node, index(write), WriteEventKind::PowerCut { tail });
            }
        }
    }

    /// A node that is down was given an empty disk.
    pub(super) fn disk_replaced(&mut self, at: Time, node: NodeId) {
        for write in 0..self.writes.len() {
            if self.writes[write].down.contains(node) {
                self.see(at, node, index(write), WriteEventKind::DiskReplaced);
            }
        }
    }

    /// A node starts.
    pub(super) const fn boots(&mut self) {
        self.starting = true;
    }

    /// A node has started: what it has now is what its snapshot shows.
    pub(super) fn booted(&mut self, at: Time, node: NodeId, snapshot: &NodeSnapshot) {
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
            let what = WriteEventKind::Started { has_it, up: snapshot.up };
            self.see(at, node, index(write), what);
        }
    }
}

impl WriteTrack {
    /// Whether a power loss took this write from the disk: its version is among the bytes that
    /// went. A protocol may write versions in another way; where this one is nowhere on the disk,
    /// any loss counts.
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
            // A version that was torn in two went too.
            if among(&before[same.count().saturating_sub(MOST_OF_A_VERSION)..]) && !among(after) {
                return true;
            }
            is_there |= among(after);
        }
        !is_there && power.before != power.after
    }

    /// Whether the write has a higher version than `other`.
    fn is_above(&self, other: Version) -> bool {
        self.target.version().is_some_and(|mine| mine > other)
    }

    /// Whether a node shows this write, or one that has replaced it by a higher version.
    fn is_in(&self, snapshot: &NodeSnapshot) -> bool {
        let WatchedWrite { key, versions, effect, .. } = &self.target;
        if let (WatchedEffect::Append(_), Some(list)) = (effect, snapshot.lists.get(key)) {
            let element = |(version, value): &(Version, Value)| {
                self.target.is(*key, Stored { value: Some(*value), version: *version })
            };
            return list.iter().any(element);
        }
        match snapshot.data.get(key) {
            Some(stored) => {
                self.target.is(*key, *stored) || versions.iter().any(|mine| *mine < stored.version)
            }
            None => self.target.removes(),
        }
    }
}

fn index(write: usize) -> u32 {
    u32::try_from(write).expect("few writes are followed")
}

#[cfg(test)]
mod tests;
