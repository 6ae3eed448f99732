//! Following single writes through a run: where they were taken, sent, dropped and lost.
//!
//! Only a run that is played again to look at some writes does this; every other one pays a branch that is never
//! taken. What a node has is tracked here from its observations, and checked against a snapshot after each start.
//!
//! **A write is not its version**: two may bear one. What a node says of a write, and what a message brings, is told by
//! the operation that the value carries; where it carries none, because it was read back from a disk, by its text and
//! version. A removal has no value, and a confirmation names no more than a version: of several writes of one version
//! these mean the one that was accepted last, and none before its operation was invoked.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::id::{KeyId, NodeId, NodeSet, OpId, Value, ValueKind, Version};
use crate::protocol::{
    Carried, DiscardReason, DiskImage, Message, NodeSnapshot, Observation, Protocol, Relation,
    Stored,
};
use crate::time::Time;

use super::Simulation;
use super::event::Event;
use super::network::Fate;
use super::queue::EventQueue;

/// A write to follow, on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The operation and when it was invoked; `None` of a write of which only the version is known.
    pub(crate) op: Option<(OpId, Time)>,
    /// The key.
    pub(crate) key: KeyId,
    /// Every version that it was given: retries are given several.
    pub(crate) versions: Vec<Version>,
    /// What it does to the key.
    pub(crate) effect: TargetEffect,
    /// The reads that are asked about it: when a node answers one, that is seen too.
    pub(crate) reads: Vec<OpId>,
}

/// What a write that is followed does to its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TargetEffect {
    /// It sets it to this value.
    Put(Value),
    /// It adds this element to its list.
    Append(Value),
    /// It removes it: then a node that lacks the key has the write.
    Remove,
    /// Nobody knows, as its operation is not known.
    Unknown,
}

impl Target {
    /// The highest version that it was given.
    pub(crate) fn version(&self) -> Option<Version> {
        self.versions.iter().max().copied()
    }

    /// Whether it removes the key.
    pub(crate) fn removes(&self) -> bool {
        self.effect == TargetEffect::Remove
    }

    /// Whether `stored`, of `key`, is this write, and not another of its version.
    pub(crate) fn is(&self, key: KeyId, stored: Stored) -> bool {
        let bears_it = self.versions.contains(&stored.version);
        key == self.key
            && match (self.effect, stored.value) {
                (TargetEffect::Put(mine) | TargetEffect::Append(mine), Some(value)) => {
                    let is_its_own = match (value.kind(), value.writer()) {
                        (ValueKind::Made(..), _) => true,
                        (ValueKind::Text(_), Some(writer)) => mine.writer() == Some(writer),
                        (ValueKind::Text(_), None) => bears_it,
                    };
                    mine == value && is_its_own
                }
                (TargetEffect::Remove, None) | (TargetEffect::Unknown, _) => bears_it,
                (TargetEffect::Put(_) | TargetEffect::Append(_), None)
                | (TargetEffect::Remove, Some(_)) => false,
            }
    }

    fn is_invoked(&self, now: Time) -> bool {
        self.op.is_none_or(|(_, at)| at <= now)
    }
}

/// A moment in the life of a write that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WriteEvent {
    pub(crate) at: Time,
    pub(crate) node: NodeId,
    /// Its place among those that are followed.
    pub(crate) write: u32,
    /// Whose message the node was taking in.
    pub(crate) from: Option<NodeId>,
    pub(crate) what: WriteEventKind,
}

/// What happened to a write, or to a node that had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteEventKind {
    /// The node said something about it.
    Observed(Observation),
    /// The node, which had it, took another write of its key.
    Superseded { by: Stored },
    /// The node, which had had it until another write took its place, dropped that one.
    Uncovered { reason: DiscardReason },
    /// The node sent a message about it.
    Sent { to: NodeId, relation: Relation, passage: Passage },
    /// A message about it reached the node.
    Delivered { from: NodeId, relation: Relation },
    /// A message about it reached the node's machine while the process was down.
    Undelivered { from: NodeId, relation: Relation },
    /// The node, which had it, died.
    Crashed(Crash),
    /// The machine of the node, down already, lost power; whether that took the write from its disk.
    PowerCut { tail: bool },
    /// The node, which had it and is down, was given an empty disk.
    DiskReplaced,
    /// The node, which had it when it died, started again; whether it still has it, and whether it stayed up.
    Started { has_it: bool, up: bool },
    /// The node answered this read.
    Answered { read: OpId },
    /// The node told another, which coordinates this read, what it holds.
    Replied { read: OpId },
    /// What this node told it of what it holds reached the coordinator of this read.
    Heard { read: OpId, from: NodeId },
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

impl Passage {
    /// In words: `lost on the way`, `held back (clog)`.
    pub(crate) fn text(self, config: &Config) -> String {
        let fault = |index: u32| config.names.fault(config.faults[index as usize].id);
        match self {
            Self::Travels => "on its way".to_owned(),
            Self::Lost => "lost on the way".to_owned(),
            Self::Blocked(Some(index)) => format!("blocked ({})", fault(index)),
            Self::Blocked(None) => "blocked by a fault".to_owned(),
            Self::Held(index) => format!("held back ({})", fault(index)),
        }
    }
}

/// The writes that are followed, and what was seen of them.
#[derive(Debug)]
pub(crate) struct Watch {
    of_version: BTreeMap<Version, Vec<u32>>,
    of_value: BTreeMap<(KeyId, Value), Vec<u32>>,
    of_key: BTreeMap<KeyId, Vec<u32>>,
    of_op: BTreeMap<(OpId, KeyId), u32>,
    of_read: BTreeMap<OpId, Vec<u32>>,
    /// Of versions that are followed, the operation that was given it last.
    accepted: BTreeMap<Version, OpId>,
    writes: Vec<Followed>,
    /// Whether a node starts: what it reads from its disk is told by the start as a whole.
    starting: bool,
    /// The last message that reached anybody: when, from whom, whom.
    arrived: Option<(Time, NodeId, NodeId)>,
    write_events: Vec<WriteEvent>,
}

#[derive(Debug)]
struct Followed {
    target: Target,
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
        let mut watch = Self {
            of_version: BTreeMap::new(),
            of_value: BTreeMap::new(),
            of_key: BTreeMap::new(),
            of_op: BTreeMap::new(),
            of_read: BTreeMap::new(),
            accepted: BTreeMap::new(),
            writes: Vec::with_capacity(targets.len()),
            starting: false,
            arrived: None,
            write_events: Vec::new(),
        };
        for (write, target) in (0..).zip(targets) {
            watch.follow(write, target);
        }
        Some(Box::new(watch))
    }

    fn follow(&mut self, write: u32, target: Target) {
        for version in &target.versions {
            self.of_version.entry(*version).or_default().push(write);
        }
        if let TargetEffect::Put(value) | TargetEffect::Append(value) = target.effect {
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
        self.writes.push(Followed { target, held, down, purged });
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

    /// The place of the followed write that a message names by nothing but its version.
    fn write_of_version(&self, now: Time, version: Version) -> Option<u32> {
        self.of_version.get(&version)?.iter().copied().find(|write| {
            let target = &self.writes[*write as usize].target;
            target.is_invoked(now) && self.is_the_last_of(version, target)
        })
    }

    /// Whether no other write has been given `version` since it was given to this one.
    fn is_the_last_of(&self, version: Version, target: &Target) -> bool {
        let (Some(last), Some((op, _))) = (self.accepted.get(&version), target.op) else {
            return true;
        };
        *last == op
    }

    /// Everything seen, in event order.
    pub(crate) fn into_sightings(self) -> Vec<WriteEvent> {
        self.write_events
    }

    fn see(&mut self, at: Time, node: NodeId, write: u32, what: WriteEventKind) {
        let arrived = self.arrived.filter(|(when, _, to)| (*when, *to) == (at, node));
        let from = arrived.map(|(_, from, _)| from);
        self.write_events.push(WriteEvent { at, node, write, from, what });
    }

    /// A node said something.
    pub(crate) fn observed(&mut self, at: Time, node: NodeId, observation: Observation) {
        let write = match observation {
            Observation::Accept { key, version, request, .. } => {
                if self.of_version.contains_key(&version) {
                    self.accepted.insert(version, request.operation);
                }
                let of_op = self.of_op.get(&(request.operation, key)).copied();
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
            | Observation::Append { .. }
            | Observation::Truncate { .. }
            | Observation::Commit { .. }
            | Observation::Replay { .. } => return,
        };
        let Some(write) = write else { return };
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
            self.see(at, node, write, WriteEventKind::Observed(observation));
        }
    }

    /// The followed write of this version whose operation is not known.
    fn unknown_of(&self, key: KeyId, version: Version) -> Option<u32> {
        self.of_version.get(&version)?.iter().copied().find(|write| {
            let target = &self.writes[*write as usize].target;
            target.effect == TargetEffect::Unknown && target.key == key
        })
    }

    /// A node answers a client.
    pub(crate) fn answers(&mut self, at: Time, node: NodeId, read: OpId) {
        self.asked(at, node, read, WriteEventKind::Answered { read });
    }

    fn asked(&mut self, at: Time, node: NodeId, read: OpId, what: WriteEventKind) {
        for write in self.of_read.get(&read).cloned().unwrap_or_default() {
            self.see(at, node, write, what);
        }
    }

    /// A node took a write of `key`: those of it that it had are no longer what it shows.
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
            // Beside an element of a list there is room for others.
            if matches!(followed.target.effect, TargetEffect::Append(_)) && by.value.is_some() {
                continue;
            }
            let comes_back = followed.purged.contains(node) && followed.is_above(by.version);
            if followed.held.contains(node) || comes_back {
                self.see(at, node, write, WriteEventKind::Superseded { by });
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
    pub(crate) fn arrives(
        &mut self,
        at: Time,
        (from, to): (NodeId, NodeId),
        message: &impl Message,
        up: bool,
    ) {
        self.arrived = Some((at, from, to));
        if let (true, Some(read)) = (up, message.answers()) {
            self.asked(at, to, read, WriteEventKind::Heard { read, from });
        }
        self.about(at, message, to, |watch, write, relation| {
            let what = if up {
                WriteEventKind::Delivered { from, relation }
            } else {
                WriteEventKind::Undelivered { from, relation }
            };
            watch.see(at, to, write, what);
        });
    }

    /// Calls `tell` for every followed write that `message` brings to somebody who lacks it, or confirms.
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
            // A full state brings again what everybody has had for long.
            if relation == Relation::Confirmation || !self.writes[write as usize].held.contains(to)
            {
                tell(self, write, relation);
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
                self.see(at, node, index(write), WriteEventKind::Crashed(crash));
            }
        }
    }

    /// The machine of a node that is down lost power.
    pub(crate) fn power_cut(&mut self, at: Time, node: NodeId, power: &PowerLoss) {
        for write in 0..self.writes.len() {
            if self.writes[write].down.contains(node) {
                let tail = self.writes[write].went_with(power);
                self.see(at, node, index(write), WriteEventKind::PowerCut { tail });
            }
        }
    }

    /// A node that is down was given an empty disk.
    pub(crate) fn disk_replaced(&mut self, at: Time, node: NodeId) {
        for write in 0..self.writes.len() {
            if self.writes[write].down.contains(node) {
                self.see(at, node, index(write), WriteEventKind::DiskReplaced);
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
            let what = WriteEventKind::Started { has_it, up: snapshot.up };
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
        self.target.version().is_some_and(|mine| mine > other)
    }

    /// Whether a node shows this write, or one that has replaced it by a higher version.
    fn is_in(&self, snapshot: &NodeSnapshot) -> bool {
        let Target { key, versions, effect, .. } = &self.target;
        if let (TargetEffect::Append(_), Some(list)) = (effect, snapshot.lists.get(key)) {
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
        if let Some(read) = message.answers() {
            watch.asked(at, from, read, WriteEventKind::Replied { read });
        }
        watch.about(at, message, to, |watch, write, relation| {
            let passage = match fate {
                Fate::Arrives { .. } | Fate::Slowed { .. } => Passage::Travels,
                Fate::Lost => Passage::Lost,
                Fate::Blocked => Passage::Blocked(network.blocker(from, to, message.kind())),
                Fate::Held { fault } => Passage::Held(fault),
            };
            watch.see(at, from, write, WriteEventKind::Sent { to, relation, passage });
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

#[cfg(test)]
mod tests;
