//! Reads of several replicas, and read repair: the node that a client asks coordinates.
//!
//! The coordinator asks every other node what it holds, and as soon as enough have answered, itself
//! included, takes the newest by last write wins. With repair it writes that to those among them
//! that hold something older, the leader too, and answers when they have acknowledged it or, if so
//! configured, before. Without waiting, a later read of other replicas may find the older value
//! again; without repair too.
//!
//! A coordinator does not know whether the write that it finds newest was ever acknowledged: a
//! repair finishes the work of a leader that gave up or died.

use crate::history::Failure;
use crate::id::{KeyId, NodeId};
use crate::operation::ReadQuorum;
use crate::protocol::parts::entry::StoredEntry;
use crate::protocol::parts::reads::{Decision, Expired, Found};
use crate::protocol::{Outcome, Reply, RequestId, Response, Stored};

use super::config::{Defect, RepairAnswer};
use super::message::{Message, Repair};
use super::storage::Deferred;
use super::{Cx, LeaderFollower, Timer};

impl LeaderFollower {
    /// A client asks for what several replicas hold.
    pub(super) fn coordinate(
        &mut self,
        read: RequestId,
        key: KeyId,
        quorum: ReadQuorum,
        cx: &mut Cx<'_>,
    ) {
        let own = (self.replica.me, self.replica.held(key));
        let deadline = cx.monotonic() + self.replica.config.reads.timeout;
        if self.reads.begin(read, key, quorum, own, deadline) {
            cx.set_timer(Timer::ReadTimeout, self.replica.config.reads.timeout);
        }
        for replica in cx.peers() {
            cx.send(replica, Message::Repair(Repair::Read { read, key }));
        }
    }

    /// A message of a read arrives.
    pub(super) fn receive_repair(&mut self, from: NodeId, message: Repair, cx: &mut Cx<'_>) {
        match message {
            Repair::Read { read, key } => {
                let answer = match self.replica.held(key) {
                    Some(StoredEntry { element: true, stored, .. }) => {
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
                let register = |key| stored.map(|stored| StoredEntry::register(key, *stored));
                self.replica_answers(from, read, register, cx);
            }
            Repair::AnswerList { read, stored } => {
                let element = |key| Some(StoredEntry::element(key, *stored));
                self.replica_answers(from, read, element, cx);
            }
            // A node that cannot write does not acknowledge.
            Repair::Write { .. } if self.replica.cannot_write(cx) => {}
            Repair::Write { read, entry } => self.take_repair(from, read, *entry, cx),
            Repair::Written { read } => self.repaired(from, read, cx),
        }
    }

    fn replica_answers(
        &mut self,
        from: NodeId,
        read: RequestId,
        held: impl FnOnce(KeyId) -> Option<StoredEntry>,
        cx: &mut Cx<'_>,
    ) {
        let ties = self.replica.config.timestamps.ties;
        let decision = self.reads.answer(read, from, held, ties, cx.peers());
        self.go_on_reading(read, decision, cx);
    }

    /// A question, or a repair, has come back from a replica whose process is not there.
    #[cold]
    pub(super) fn read_refused_by(&mut self, replica: NodeId, read: RequestId, cx: &mut Cx<'_>) {
        let decision = self.reads.refuse(read, replica, cx.peers());
        self.go_on_reading(read, decision, cx);
    }

    fn go_on_reading(&mut self, read: RequestId, decision: Decision, cx: &mut Cx<'_>) {
        match decision {
            Decision::Wait => {}
            Decision::Enough(found) => self.enough_answers(read, &found, cx),
            Decision::Repaired(reply) => self.close_read(read, reply, cx),
            Decision::Hopeless => {
                let reply = Reply::of(Outcome::Refused(Failure::TooFewReplies));
                self.close_read(read, reply, cx);
            }
        }
    }

    /// Enough replicas have answered: repairs those that are stale, and answers the client before
    /// or after.
    fn enough_answers(&mut self, read: RequestId, found: &Found, cx: &mut Cx<'_>) {
        let Found { newest, answered, stale } = found;
        let asked_leader = self.leader.is_some_and(|leader| answered.contains(&leader));
        let reply = self.answer_read(newest.map(|newest| newest.stored), asked_leader);
        let waits =
            self.replica.config.reads.answer == RepairAnswer::AfterRepair && !stale.is_empty();
        if waits {
            self.reads.await_repair(read, reply, stale);
        } else {
            self.close_read(read, reply, cx);
        }
        let Some(entry) = *newest else { return };
        for node in stale.iter().copied() {
            if node != self.replica.me {
                let entry = Box::new(entry);
                cx.send(node, Message::Repair(Repair::Write { read, entry }));
            } else if !self.replica.cannot_write(cx) {
                self.take_repair(node, read, entry, cx);
            }
        }
    }

    /// What a read of one replica, or of several, is answered: the newest of what they hold.
    pub(super) fn answer_read(&self, newest: Option<Stored>, asked_leader: bool) -> Reply {
        let found = Self::found_stored(newest);
        if let Response::Found { .. } = found {
            return Reply::of(Outcome::Ok(found));
        }
        // Followers that find nothing say whom to ask: a write may not have reached them yet.
        let leader = self.named_leader().filter(|_| !asked_leader);
        Reply { leader, ..Reply::of(Outcome::Ok(found)) }
    }

    pub(super) const fn found_stored(stored: Option<Stored>) -> Response {
        match stored {
            Some(Stored { value: Some(value), version }) => Response::Found { value, version },
            Some(Stored { value: None, version }) => Response::Tombstone { version },
            None => Response::Absent,
        }
    }

    /// Takes what a read found newest, and acknowledges it to the coordinator once that is durable.
    fn take_repair(
        &mut self,
        coordinator: NodeId,
        read: RequestId,
        entry: StoredEntry,
        cx: &mut Cx<'_>,
    ) {
        // A read carries only a list's newest element, so it cannot repair an existing list; and a
        // log is repaired by its leader alone.
        let is_repaired =
            self.replica.store.elements(entry.key).is_empty() && self.replication.takes_repairs();
        if is_repaired && self.replica.config.defects.has(Defect::RepairIgnoresStamps) {
            self.replica.overwrite(entry, cx);
        } else if is_repaired {
            self.replica.apply_and_log(entry, cx);
        }
        self.once_durable(Deferred::Repaired { coordinator, read }, cx);
    }

    /// A repair is durable here: its coordinator is told.
    pub(super) fn acknowledge_repair(
        &mut self,
        coordinator: NodeId,
        read: RequestId,
        cx: &mut Cx<'_>,
    ) {
        if coordinator == self.replica.me {
            self.repaired(coordinator, read, cx);
        } else {
            cx.send(coordinator, Message::Repair(Repair::Written { read }));
        }
    }

    /// A stale replica has what the read found newest: the client may have waited for that.
    fn repaired(&mut self, from: NodeId, read: RequestId, cx: &mut Cx<'_>) {
        let decision = self.reads.repaired(read, from, cx.peers());
        self.go_on_reading(read, decision, cx);
    }

    /// The client is answered, and the read needs no more answers.
    fn close_read(&mut self, read: RequestId, reply: Reply, cx: &mut Cx<'_>) {
        if self.reads.close(read) {
            cx.cancel_timer(Timer::ReadTimeout);
        }
        cx.reply(read, reply);
    }

    /// The oldest read may have waited long enough. All wait equally long, so one timer serves them
    /// all.
    pub(super) fn read_timeout(&mut self, cx: &mut Cx<'_>) {
        let Expired { reads, next } = self.reads.expire(cx.monotonic());
        for read in reads {
            cx.reply(read, Reply::of(Outcome::Refused(Failure::TooFewReplies)));
        }
        if let Some(deadline) = next {
            cx.set_timer(Timer::ReadTimeout, deadline.since(cx.monotonic()));
        }
    }

    /// The reads that wait, in words.
    pub(super) fn pending_reads(&self) -> Option<String> {
        match self.reads.len() {
            0 => None,
            1 => Some("1 read awaits replicas".to_owned()),
            many => Some(format!("{many} reads await replicas")),
        }
    }
}
