//! What a node may do in a step: the only way from a protocol to the world.

use std::fmt;

use crate::id::{NodeId, Term};
use crate::operation::{BatchId, Batches, Operation};
use crate::rng::{CausalId, Cause, Draws, Purpose};
use crate::time::{Span, Time, Wall};

use super::Protocol;
use super::disk::{File, Ticket};
use super::effect::{DiskOperation, Effect, Effects};
use super::input::RequestId;
use super::observation::Observation;
use super::parts::frame;
use super::reply::Reply;

/// Names a step, as the cause of effects that follow in a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin(pub(super) CausalId);

/// What a node may do in a step.
pub struct Context<'a, P: Protocol> {
    pub(crate) node: NodeId,
    pub(crate) nodes: u16,
    pub(crate) initial_leader: Option<NodeId>,
    pub(crate) wall: Wall,
    pub(crate) monotonic: Time,
    pub(crate) cause: CausalId,
    pub(crate) draws: &'a Draws,
    pub(crate) drawn: u32,
    pub(crate) next_ticket: &'a mut u64,
    /// Whether single writes are followed: by a trace, or by an explanation of a lost write.
    pub(crate) observed: bool,
    /// Whether the protocol keeps a replicated log, and observations of it are wanted.
    pub(crate) keeps_log: bool,
    pub(crate) disk_is_full: bool,
    pub(crate) batches: &'a Batches,
    pub(crate) effects: &'a mut Effects<P>,
}

impl<P: Protocol> fmt::Debug for Context<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("node", &self.node).finish_non_exhaustive()
    }
}

impl<'a, P: Protocol> Context<'a, P> {
    /// The node that takes this step.
    #[must_use]
    pub const fn node(&self) -> NodeId {
        self.node
    }

    /// The number of nodes of the cluster.
    #[must_use]
    pub const fn nodes(&self) -> u16 {
        self.nodes
    }

    /// The parts of a batch that a client asks for, in their order.
    #[must_use]
    pub fn batch(&self, batch: BatchId) -> &'a [Operation] {
        self.batches.get(batch)
    }

    /// The other nodes, lowest id first.
    pub fn peers(&self) -> impl DoubleEndedIterator<Item = NodeId> + Clone + use<P> {
        let me = self.node;
        NodeId::all(self.nodes).filter(move |node| *node != me)
    }

    /// The leader that the scenario appoints; `None` when all leaders are elected. Where leaders
    /// are elected the appointment holds for a node's first boot alone
    /// ([`super::DiskOrigin::New`]).
    #[must_use]
    pub const fn initial_leader(&self) -> Option<NodeId> {
        self.initial_leader
    }

    /// The node's wall clock, with its offset, drift and jumps. Use it to stamp data, never to
    /// measure time.
    #[must_use]
    pub const fn wall(&self) -> Wall {
        self.wall
    }

    /// The node's monotonic clock, which has drift alone. Use it to measure timeouts and leases.
    #[must_use]
    pub const fn monotonic(&self) -> Time {
        self.monotonic
    }

    /// 64 uniform random bits, others at each call.
    #[must_use]
    pub fn random(&mut self) -> u64 {
        let index = self.drawn;
        self.drawn += 1;
        self.draws.draw(Purpose::Protocol, self.cause, index)
    }

    /// Sends `message` to another node, or to itself.
    #[inline]
    pub fn send(&mut self, to: NodeId, message: P::Message) {
        self.effects.push(Effect::Send { to, message });
    }

    /// In a step that takes [`super::Input::Refused`]: the message that came back, as it was sent.
    /// The first call hands it out.
    #[must_use]
    pub const fn returned(&mut self) -> Option<P::Message> {
        self.effects.returned.take()
    }

    /// Starts `timer`, which replaces a running timer of that name. `after` is measured on the
    /// node's monotonic clock.
    pub fn set_timer(&mut self, timer: P::Timer, after: Span) {
        self.effects.push(Effect::SetTimer { timer, after });
    }

    /// Stops `timer` if it runs.
    pub fn cancel_timer(&mut self, timer: P::Timer) {
        self.effects.push(Effect::CancelTimer { timer });
    }

    /// Appends `record` to `file`, framed by length and checksum. The record is not durable until a
    /// later [`Context::sync`] completes. An append by itself brings [`super::Input::Persisted`]
    /// only when it fails.
    ///
    /// # Panics
    ///
    /// When the record's `Serialize` fails, which that of plain data does not.
    pub fn append(&mut self, file: File, record: &P::Record) -> Ticket {
        let start = self.effects.bytes.len();
        frame::encode(frame::Header::default(), record, &mut self.effects.bytes);
        let end = self.effects.bytes.len();
        self.disk(file, DiskOperation::Append { start, end, sequence: 0 })
    }

    /// Appends a record of a [`super::parts::wal::Wal`], and returns the number of bytes that it
    /// takes.
    pub(in crate::protocol) fn append_stamped(
        &mut self,
        file: File,
        stamp: frame::Header,
        record: &P::Record,
    ) -> u64 {
        let start = self.effects.bytes.len();
        frame::encode(stamp, record, &mut self.effects.bytes);
        let end = self.effects.bytes.len();
        self.disk(file, DiskOperation::Append { start, end, sequence: stamp.sequence });
        (end - start) as u64
    }

    /// Whether the disk is full. Then each [`Context::append`] and [`Context::replace`] of this
    /// step writes nothing and brings [`super::DiskError::Full`] in [`super::Input::Persisted`].
    #[must_use]
    pub const fn disk_is_full(&self) -> bool {
        self.disk_is_full
    }

    /// Makes everything written to `file` so far durable. [`super::Input::Persisted`] with this
    /// ticket says when.
    pub fn sync(&mut self, file: File) -> Ticket {
        self.disk(file, DiskOperation::Sync)
    }

    /// Cuts `file` to its first `length` bytes. The cut is durable after the next sync.
    pub fn truncate_suffix(&mut self, file: File, length: u64) -> Ticket {
        self.disk(file, DiskOperation::TruncateSuffix { length })
    }

    /// Replaces the content of `file` by these records and makes that durable, as a whole or not at
    /// all (as a write to another file and a rename). [`super::Input::Persisted`] with this ticket
    /// says when.
    pub fn replace(&mut self, file: File, records: &[P::Record]) -> Ticket {
        let start = self.effects.bytes.len();
        for record in records {
            frame::encode(frame::Header::default(), record, &mut self.effects.bytes);
        }
        let end = self.effects.bytes.len();
        self.disk(file, DiskOperation::Replace { start, end })
    }

    /// Replaces the content of `file` by these records of a [`super::parts::wal::Wal`], each with
    /// its term. `last` is the sequence of the last one. Returns the ticket and the number of
    /// bytes.
    pub(in crate::protocol) fn replace_stamped(
        &mut self,
        file: File,
        last: u64,
        records: &[(Term, P::Record)],
    ) -> (Ticket, u64) {
        let start = self.effects.bytes.len();
        let first = last + 1 - records.len() as u64;
        for (sequence, (term, record)) in (first..).zip(records) {
            // The replacement is atomic: when a record is there, all bytes before it are durable.
            let durable = (self.effects.bytes.len() - start) as u64;
            let header = frame::Header { term: term.0.into(), sequence, durable };
            frame::encode(header, record, &mut self.effects.bytes);
        }
        let end = self.effects.bytes.len();
        let ticket = self.disk(file, DiskOperation::Replace { start, end });
        (ticket, (end - start) as u64)
    }

    fn disk(&mut self, file: File, operation: DiskOperation) -> Ticket {
        let ticket = Ticket(*self.next_ticket);
        *self.next_ticket += 1;
        self.effects.push(Effect::Disk { ticket, file, operation });
        ticket
    }

    /// This step, for [`Context::continue_from`] in a later one.
    #[must_use]
    pub const fn origin(&self) -> Origin {
        Origin(self.cause.child(Cause::Disk, u64::MAX, 0))
    }

    /// Continues work that the step `origin` left waiting: the effects that follow count as caused
    /// by that step and not by this one. So their random draws do not depend on which other work
    /// waited for the same sync.
    pub fn continue_from(&mut self, origin: Origin) {
        self.effects.push(Effect::Continue(origin.0));
    }

    /// Ends the process for the reason `why`. It does not start again by itself.
    pub fn stop(&mut self, why: impl Into<String>) {
        self.effects.push(Effect::Stop(why.into()));
    }

    /// Replies to a client's request. The client ignores all replies but the first.
    #[inline]
    pub fn reply(&mut self, request: RequestId, reply: Reply) {
        self.effects.push(Effect::Reply { request, reply });
    }

    /// Whether the node keeps a replicated log and is to say what happens to it. A protocol asks
    /// this before it does work for an observation's sake alone, such as hashing an entry.
    #[must_use]
    #[inline]
    pub const fn says_of_its_log(&self) -> bool {
        self.keeps_log || self.observed
    }

    /// Says what has happened inside the node.
    #[inline]
    pub fn observe(&mut self, observation: Observation) {
        let is_wanted = match observation {
            Observation::Role { .. } | Observation::Accept { .. } | Observation::Replay { .. } => {
                true
            }
            Observation::Vote { .. }
            | Observation::Append { .. }
            | Observation::Truncate { .. }
            | Observation::Durable { .. }
            | Observation::Commit { .. }
            | Observation::Applied { .. }
            | Observation::Snapshot { .. }
            | Observation::Configuration { .. } => self.keeps_log,
            Observation::Apply { .. } | Observation::Discard { .. } => false,
        };
        if is_wanted || self.observed {
            self.effects.push(Effect::Observe(observation));
        }
    }
}
