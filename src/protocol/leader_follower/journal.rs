//! A node's write-ahead log: what is written to it, and what waits until that is durable.
//!
//! | policy | a write is replicated, counted and answered, and a follower confirms it |
//! |---|---|
//! | off | at once; nothing is written |
//! | buffered | when it is written; what was written is synced every so often |
//! | fsync | when a sync of its own has made it durable |
//! | group commit | when a sync has made it durable, which it shares with all that arrived while one was under way |

use std::collections::VecDeque;

use crate::id::{KeyId, NodeId, Version};
use crate::protocol::wal::{Corruption, Log, Policy};
use crate::protocol::{Context, DiskImage, File, Origin, RequestId, Ticket};

use super::leader::Accepted;
use super::message::Entry;
use super::{Config, LeaderFollower, Timer};

const LOG: File = File(0);
/// The leader is fixed, and so is the term.
const TERM: u64 = 1;

/// What a node writes to its log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Record {
    /// A write that the store took.
    Write(Entry),
    /// A full state that a follower took in the place of its store.
    State {
        /// The life of the leader that sent it.
        life: u32,
        /// The version of the write that it followed.
        version: Version,
        /// Everything in it.
        entries: Vec<Entry>,
    },
    /// A clear that emptied this replica alone.
    Clear,
    /// A tombstone that was purged.
    Purge {
        /// The key.
        key: KeyId,
        /// The delete's version.
        version: Version,
    },
    /// A write that the store took in the place of a newer one: a defect of repair.
    Overwrite(Entry),
}

/// What a node does once its log is durable up to here.
#[derive(Debug)]
pub(super) enum Then {
    /// Leader: replicate a write and answer it.
    Replicate(Box<Accepted>),
    /// Leader, after a start: send everything to followers that may lack it.
    ReplicateAll,
    /// Follower: confirm a write.
    Acknowledge { to: NodeId, version: Version },
    /// Answer a clear of this replica alone.
    Cleared(RequestId),
    /// Replica: tell the coordinator of a read that what it wrote back is here.
    Repaired { coordinator: NodeId, read: RequestId },
}

/// The log, and what waits for it.
#[derive(Debug)]
pub(super) struct Journal {
    policy: Policy,
    log: Log,
    /// The oldest first.
    waiting: VecDeque<Waiting>,
    /// Whether the timer of the buffered policy runs.
    flush_is_set: bool,
}

#[derive(Debug)]
struct Waiting {
    /// The last record that has to be durable.
    sequence: u64,
    origin: Origin,
    then: Then,
}

impl Journal {
    /// The log as the disk kept it, with its records, synced from now on; `None` when nothing is logged.
    pub(super) fn open(
        config: &Config,
        disk: &DiskImage,
        cx: &mut Context<'_, LeaderFollower>,
    ) -> Result<Option<(Self, Vec<Record>)>, Corruption> {
        let policy = config.wal.policy;
        if policy == Policy::Off {
            return Ok(None);
        }
        let (mut log, records) = Log::open((LOG, config.defects.carelessness()), disk, cx)?;
        log.sync(cx);
        let journal = Self { policy, log, waiting: VecDeque::new(), flush_is_set: false };
        Ok(Some((journal, records)))
    }

    /// Writes a record.
    pub(super) fn append(&mut self, record: &Record, cx: &mut Context<'_, LeaderFollower>) {
        self.log.append(TERM, record, cx);
    }

    /// Hands `then` back when it may be done now; else it waits until all that is written so far is durable.
    pub(super) fn once_durable(
        &mut self,
        then: Then,
        cx: &mut Context<'_, LeaderFollower>,
    ) -> Option<Then> {
        let sequence = self.log.written();
        if self.log.durable() == sequence {
            return Some(then);
        }
        match self.policy {
            Policy::Off => return Some(then),
            Policy::Buffered { sync_every } => {
                if !self.flush_is_set {
                    self.flush_is_set = true;
                    cx.set_timer(Timer::Flush, sync_every);
                }
                return Some(then);
            }
            Policy::Fsync => self.log.sync(cx),
            Policy::GroupCommit if self.log.is_syncing() => {}
            Policy::GroupCommit => self.log.sync(cx),
        }
        self.waiting.push_back(Waiting { sequence, origin: cx.origin(), then });
        None
    }

    /// The buffered policy: time to sync.
    pub(super) fn flush(&mut self, cx: &mut Context<'_, LeaderFollower>) {
        self.flush_is_set = false;
        self.log.sync(cx);
    }

    /// A sync has completed. What arrived meanwhile shares the next one, which is caused by the first of them.
    pub(super) fn persisted(&mut self, ticket: Ticket, cx: &mut Context<'_, LeaderFollower>) {
        self.log.persisted(ticket);
        if self.policy != Policy::GroupCommit || self.log.is_syncing() {
            return;
        }
        let durable = self.log.durable();
        if let Some(opener) = self.waiting.iter().find(|waiting| waiting.sequence > durable) {
            cx.continue_from(opener.origin);
            self.log.sync(cx);
        }
    }

    /// The next of what need not wait any longer.
    pub(super) fn next_ready(&mut self, cx: &mut Context<'_, LeaderFollower>) -> Option<Then> {
        let durable = self.log.durable();
        let Waiting { origin, then, .. } =
            self.waiting.pop_front_if(|waiting| waiting.sequence <= durable)?;
        cx.continue_from(origin);
        Some(then)
    }

    /// How much waits.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

impl LeaderFollower {
    /// Takes in what the log has, as it was taken in before.
    pub(super) fn take_records(&mut self, records: Vec<Record>, cx: &mut Context<'_, Self>) {
        for record in records {
            match record {
                Record::Write(entry) => {
                    self.leading.has_stamped(entry.stored.version, self.me);
                    self.take(entry, cx);
                }
                Record::State { life, version, entries } => {
                    self.take_state((life, version), &entries, cx);
                }
                Record::Clear => self.store.clear(),
                Record::Purge { key, version } => {
                    self.store.erase(key, version);
                }
                Record::Overwrite(entry) => self.overwrite(entry, cx),
            }
        }
    }

    /// Writes a record, if there is a log.
    #[inline]
    pub(super) fn log(&mut self, record: impl FnOnce() -> Record, cx: &mut Context<'_, Self>) {
        if let Some(journal) = &mut self.journal {
            journal.append(&record(), cx);
        }
    }

    /// Does `then` once everything written is durable; at once without a log.
    pub(super) fn once_durable(&mut self, then: Then, cx: &mut Context<'_, Self>) {
        let then = match &mut self.journal {
            Some(journal) => journal.once_durable(then, cx),
            None => Some(then),
        };
        if let Some(then) = then {
            self.proceed(then, cx);
        }
    }

    /// The disk has finished a sync.
    pub(super) fn persisted(&mut self, ticket: Ticket, cx: &mut Context<'_, Self>) {
        if let Some(journal) = &mut self.journal {
            journal.persisted(ticket, cx);
        }
        while let Some(then) = self.journal.as_mut().and_then(|journal| journal.next_ready(cx)) {
            self.proceed(then, cx);
        }
    }

    fn proceed(&mut self, then: Then, cx: &mut Context<'_, Self>) {
        match then {
            Then::Replicate(accepted) => self.replicate(*accepted, cx),
            Then::ReplicateAll => self.replicate_all(cx),
            Then::Acknowledge { to, version } => self.acknowledge(to, version, cx),
            Then::Cleared(request) => Self::answer_clear(request, cx),
            Then::Repaired { coordinator, read } => self.confirm_repair(coordinator, read, cx),
        }
    }
}
