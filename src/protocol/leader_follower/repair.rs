//! Reads of several replicas, and read repair: the node that a client asks coordinates.
//!
//! The coordinator asks every other node what it holds, and as soon as enough have answered, itself included, takes
//! the newest by last write wins. With repair it writes that to those among them that hold something older, the
//! leader too, and answers when they have acknowledged it or, if so configured, before. Without waiting, a later read of
//! other replicas may find the older value again; without repair too.
//!
//! A coordinator does not know whether the write that it finds newest was ever acknowledged: a repair finishes the
//! work of a leader that gave up or died.

use std::collections::{BTreeMap, VecDeque};

use crate::history::Failure;
use crate::id::{KeyId, NodeId, NodeSet, OpId};
use crate::names::Names;
use crate::operation::ReadQuorum;
use crate::protocol::{
    Context, DiscardReason, Observation, Outcome, Reply, RequestId, Response, Stored,
};
use crate::time::{Span, Time};

use super::config::Defect;
use super::journal::{Deferred, Record};
use super::message::{Entry, Message, STAMP, entry_text};
use super::{LeaderFollower, Timer};

/// How a node coordinates reads of several replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reads {
    /// How long the coordinator waits for replicas, and for their repair.
    pub timeout: Span,
    /// When it answers a read that repairs.
    pub answer: RepairAnswer,
}

/// When a coordinator answers a read that repairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepairAnswer {
    /// Once the stale replicas have acknowledged the newest value.
    AfterRepair,
    /// At once; the repair goes on behind.
    BeforeRepair,
}

/// A message of a read: between its coordinator and the other replicas.
///
/// What few messages have is boxed: the size of the enum is that of the messages of every write.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Repair {
    /// Coordinator to replica: what do you hold?
    Read {
        /// The request that is coordinated; names the read for good.
        read: RequestId,
        /// The key.
        key: KeyId,
    },
    /// Replica to coordinator: this.
    Answer {
        /// Which read.
        read: RequestId,
        /// What the key holds, tombstones included.
        stored: Option<Box<Stored>>,
    },
    /// Coordinator to stale replica: there is something newer.
    Write {
        /// Which read.
        read: RequestId,
        /// The newest write found.
        entry: Box<Entry>,
    },
    /// Stale replica to coordinator: I have it, or something newer still.
    Written {
        /// Which read.
        read: RequestId,
    },
    /// Replica to coordinator: a list, and this is its newest element.
    AnswerList {
        /// Which read.
        read: RequestId,
        /// The newest element.
        stored: Box<Stored>,
    },
}

impl Repair {
    /// The names of its kinds, in the order of [`Repair::kind`].
    pub(super) const KINDS: [&'static str; 4] = ["read", "read-answer", "repair", "repaired"];

    pub(super) const fn kind(&self) -> u8 {
        match self {
            Self::Read { .. } => 0,
            Self::Answer { .. } | Self::AnswerList { .. } => 1,
            Self::Write { .. } => 2,
            Self::Written { .. } => 3,
        }
    }

    /// The write that it brings to a stale replica.
    pub(super) fn written(&self) -> Option<&Entry> {
        match self {
            Self::Write { entry, .. } => Some(entry),
            Self::Read { .. }
            | Self::Answer { .. }
            | Self::AnswerList { .. }
            | Self::Written { .. } => None,
        }
    }

    /// The client's read that it answers.
    pub(super) const fn answers(&self) -> Option<OpId> {
        match self {
            Self::Answer { read, .. } | Self::AnswerList { read, .. } => Some(read.operation),
            Self::Read { .. } | Self::Write { .. } | Self::Written { .. } => None,
        }
    }

    /// What it takes on the wire besides the header: the key that is asked for, or what is held or written.
    pub(super) fn content_size(&self, names: &Names) -> u64 {
        match self {
            Self::Read { key, .. } => names.key_length(*key),
            Self::Answer { stored: None, .. } | Self::Written { .. } => 0,
            Self::Answer { stored: Some(stored), .. } | Self::AnswerList { stored, .. } => {
                STAMP + stored.value.map_or(0, |value| names.value_length(value))
            }
            Self::Write { entry, .. } => entry.wire_size(names),
        }
    }

    pub(super) fn describe(&self, names: &Names) -> String {
        match self {
            Self::Read { key, .. } => names.key(*key).to_owned(),
            Self::Answer { stored: None, .. } => "nothing".to_owned(),
            Self::Answer { stored: Some(stored), .. } | Self::AnswerList { stored, .. } => {
                match stored.value {
                    Some(value) => format!("{} {}", names.value(value), stored.version),
                    None => format!("deleted {}", stored.version),
                }
            }
            Self::Write { entry, .. } => entry_text(entry, names),
            Self::Written { read } => format!("read of operation {}", read.operation.0),
        }
    }
}

/// The reads that a node coordinates.
#[derive(Debug, Default)]
pub(super) struct Coordinating {
    reads: BTreeMap<RequestId, Reading>,
    /// When each is given up, the oldest first; those answered since are still in it.
    deadlines: VecDeque<(Time, RequestId)>,
}

#[derive(Debug)]
struct Reading {
    key: KeyId,
    quorum: ReadQuorum,
    /// What each replica holds that has answered, in the order of the answers.
    answers: Vec<(NodeId, Option<Entry>)>,
    /// Once enough have answered: what the client is to be told, and the stale replicas that have not acknowledged.
    repairing: Option<(Reply, NodeSet)>,
    /// The replicas whose processes are not there.
    refused: NodeSet,
}

impl Coordinating {
    /// What the coordinator still means to do.
    pub(super) fn pending(&self) -> Option<String> {
        match self.reads.len() {
            0 => None,
            1 => Some("1 read awaits replicas".to_owned()),
            many => Some(format!("{many} reads await replicas")),
        }
    }
}

impl LeaderFollower {
    /// A client asks for what several replicas hold.
    pub(super) fn coordinate(
        &mut self,
        read: RequestId,
        (key, quorum): (KeyId, ReadQuorum),
        cx: &mut Context<'_, Self>,
    ) {
        let answers = vec![(self.me, self.held(key))];
        let reading = Reading { key, quorum, answers, repairing: None, refused: NodeSet::EMPTY };
        self.coordinating.reads.insert(read, reading);
        if self.coordinating.deadlines.is_empty() {
            cx.set_timer(Timer::ReadTimeout, self.config.reads.timeout);
        }
        let deadline = cx.monotonic() + self.config.reads.timeout;
        self.coordinating.deadlines.push_back((deadline, read));
        for replica in cx.peers() {
            cx.send(replica, Message::Repair(Repair::Read { read, key }));
        }
    }

    /// What a key holds here: a put, a delete, or the newest element of a list.
    fn held(&self, key: KeyId) -> Option<Entry> {
        let stored = self.store.stored(key)?;
        let newest = self.store.elements(key).last();
        let is_element = newest.is_some_and(|(version, _)| *version == stored.version);
        Some(Entry { key, element: is_element, stored })
    }

    /// A message of a read arrives.
    pub(super) fn receive_repair(
        &mut self,
        from: NodeId,
        message: Repair,
        cx: &mut Context<'_, Self>,
    ) {
        match message {
            Repair::Read { read, key } => {
                let answer = match self.held(key) {
                    Some(Entry { element: true, stored, .. }) => {
                        Repair::AnswerList { read, stored: Box::new(stored) }
                    }
                    held => {
                        let stored = held.map(|held| Box::new(held.stored));
                        Repair::Answer { read, stored }
                    }
                };
                cx.send(from, Message::Repair(answer));
            }
            Repair::Answer { read, stored } => {
                let register = |key| stored.map(|stored| Entry::register(key, *stored));
                self.replica_answers((from, read), register, cx);
            }
            Repair::AnswerList { read, stored } => {
                let element = |key| Some(Entry::element(key, *stored));
                self.replica_answers((from, read), element, cx);
            }
            // A node that cannot write does not acknowledge.
            Repair::Write { .. } if self.cannot_write(cx) => {}
            Repair::Write { read, entry } => self.take_repair((from, read), *entry, cx),
            Repair::Written { read } => self.repaired(from, read, cx),
        }
    }

    fn replica_answers(
        &mut self,
        (from, read): (NodeId, RequestId),
        held: impl FnOnce(KeyId) -> Option<Entry>,
        cx: &mut Context<'_, Self>,
    ) {
        let Some(reading) = self.coordinating.reads.get_mut(&read) else { return };
        let is_known = reading.answers.iter().any(|(replica, _)| *replica == from);
        if is_known || reading.repairing.is_some() {
            return;
        }
        reading.answers.push((from, held(reading.key)));
        if reading.answers.len() >= usize::from(reading.quorum.replicas) {
            self.enough_answers(read, cx);
        } else if !reading.refused.is_empty() {
            self.give_up_read_if_hopeless(read, cx);
        }
    }

    /// A question, or a repair, has come back from a replica whose process is not there.
    pub(super) fn read_refused_by(
        &mut self,
        replica: NodeId,
        read: RequestId,
        cx: &mut Context<'_, Self>,
    ) {
        if let Some(reading) = self.coordinating.reads.get_mut(&read) {
            reading.refused.insert(replica);
            self.give_up_read_if_hopeless(read, cx);
        }
    }

    /// Gives a read up when nobody is left to wait for.
    #[cold]
    fn give_up_read_if_hopeless(&mut self, read: RequestId, cx: &mut Context<'_, Self>) {
        let Some(reading) = self.coordinating.reads.get(&read) else { return };
        let is_gone = |node: NodeId| reading.refused.contains(node);
        let answered = |node| reading.answers.iter().any(|(replica, _)| *replica == node);
        let hopeless = match &reading.repairing {
            None => cx.peers().all(|node| is_gone(node) || answered(node)),
            Some((_, unrepaired)) => unrepaired.iter().all(is_gone),
        };
        if hopeless {
            self.close_read(read, cx);
            cx.reply(read, Reply::of(Outcome::Refused(Failure::TooFewReplies)));
        }
    }

    /// Enough replicas have answered: repairs those that are stale, and answers the client before or after.
    fn enough_answers(&mut self, read: RequestId, cx: &mut Context<'_, Self>) {
        let Some(reading) = self.coordinating.reads.get(&read) else { return };
        let quorum = reading.quorum;
        let ties = self.config.timestamps.ties;
        let replaces = |new: Entry, held: Option<Entry>| {
            held.is_none_or(|held| ties.replaces(new.stored.version, held.stored.version))
        };
        let newest = reading.answers.iter().fold(None, |newest, (_, held)| match *held {
            Some(held) if replaces(held, newest) => Some(held),
            _ => newest,
        });
        let asked_leader = reading.answers.iter().any(|(node, _)| Some(*node) == self.leader);
        let reply = self.answer_read(newest.map(|newest| newest.stored), asked_leader);
        let stale: Vec<NodeId> = match newest {
            Some(newest) if quorum.repair => {
                let is_stale = |(_, held): &&(NodeId, Option<Entry>)| replaces(newest, *held);
                reading.answers.iter().filter(is_stale).map(|(node, _)| *node).collect()
            }
            _ => Vec::new(),
        };
        let waits = self.config.reads.answer == RepairAnswer::AfterRepair && !stale.is_empty();
        if waits {
            let unrepaired = stale.iter().copied().collect();
            if let Some(reading) = self.coordinating.reads.get_mut(&read) {
                reading.repairing = Some((reply, unrepaired));
            }
        } else {
            self.close_read(read, cx);
            cx.reply(read, reply);
        }
        let Some(entry) = newest else { return };
        for node in stale {
            if node != self.me {
                let entry = Box::new(entry);
                cx.send(node, Message::Repair(Repair::Write { read, entry }));
            } else if !self.cannot_write(cx) {
                self.take_repair((node, read), entry, cx);
            }
        }
    }

    /// What a read of one replica, or of several, is answered: the newest of what they hold.
    pub(super) fn answer_read(&self, newest: Option<Stored>, asked_leader: bool) -> Reply {
        let found = newest.and_then(|stored| stored.value.map(|value| (value, stored.version)));
        match found {
            Some((value, version)) => Reply::of(Outcome::Ok(Response::Found { value, version })),
            // Followers that find nothing say whom to ask: a write may not have reached them yet.
            None => {
                let leader = self.named_leader().filter(|_| !asked_leader);
                Reply { leader, ..Reply::of(Outcome::Ok(Response::Absent)) }
            }
        }
    }

    /// Takes what a read found newest, and acknowledges it to the coordinator once that is durable.
    fn take_repair(
        &mut self,
        (coordinator, read): (NodeId, RequestId),
        entry: Entry,
        cx: &mut Context<'_, Self>,
    ) {
        // What a list holds is more than its newest element, which begins one where there is none and mends no other; and
        // a log is repaired by its leader alone.
        let is_repaired =
            self.store.elements(entry.key).is_empty() && !self.config.failover.is_ordered();
        if is_repaired && self.config.defects.has(Defect::RepairIgnoresStamps) {
            self.overwrite(entry, cx);
        } else if is_repaired {
            self.apply_and_log(entry, cx);
        }
        self.once_durable(Deferred::Repaired { coordinator, read }, cx);
    }

    /// Puts a write in the place of what the key holds, be it newer.
    pub(super) fn overwrite(&mut self, entry: Entry, cx: &mut Context<'_, Self>) {
        let Entry { key, stored, .. } = entry;
        let held = self.store.stored(key);
        if held == Some(stored) {
            return;
        }
        self.note(stored.version);
        if let Some(held) = held.filter(|held| held.version >= stored.version) {
            let reason = DiscardReason::Overwritten;
            cx.observe(Observation::Discard { key, stored: held, reason });
        }
        self.store.overwrite(key, stored);
        self.log_record(self.term(), || Record::Overwrite(entry), cx);
        cx.observe(Observation::Apply { key, stored });
    }

    /// A repair is durable here: its coordinator is told.
    pub(super) fn acknowledge_repair(
        &mut self,
        coordinator: NodeId,
        read: RequestId,
        cx: &mut Context<'_, Self>,
    ) {
        if coordinator == self.me {
            self.repaired(coordinator, read, cx);
        } else {
            cx.send(coordinator, Message::Repair(Repair::Written { read }));
        }
    }

    /// A stale replica has what the read found newest: the client may have waited for that.
    fn repaired(&mut self, from: NodeId, read: RequestId, cx: &mut Context<'_, Self>) {
        let Some(reading) = self.coordinating.reads.get_mut(&read) else { return };
        let Some((reply, unrepaired)) = &mut reading.repairing else { return };
        unrepaired.remove(from);
        if unrepaired.is_empty() {
            let reply = reply.clone();
            self.close_read(read, cx);
            cx.reply(read, reply);
        } else if !reading.refused.is_empty() {
            self.give_up_read_if_hopeless(read, cx);
        }
    }

    /// The read needs no more answers.
    fn close_read(&mut self, read: RequestId, cx: &mut Context<'_, Self>) {
        let Coordinating { reads, deadlines } = &mut self.coordinating;
        reads.remove(&read);
        if reads.is_empty() {
            deadlines.clear();
            cx.cancel_timer(Timer::ReadTimeout);
        }
    }

    /// The oldest read may have waited long enough. All wait equally long, so one timer serves them all.
    pub(super) fn read_timeout(&mut self, cx: &mut Context<'_, Self>) {
        let now = cx.monotonic();
        let Coordinating { reads, deadlines } = &mut self.coordinating;
        while let Some((deadline, read)) = deadlines.front().copied() {
            let is_open = reads.contains_key(&read);
            if is_open && deadline > now {
                return cx.set_timer(Timer::ReadTimeout, deadline.since(now));
            }
            deadlines.pop_front();
            if reads.remove(&read).is_some() {
                cx.reply(read, Reply::of(Outcome::Refused(Failure::TooFewReplies)));
            }
        }
    }
}
