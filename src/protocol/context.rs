//! What a node may do while it takes an input: the one way from a protocol to the world.

use std::fmt;

use crate::id::{NodeId, Term};
use crate::rng::{CausalId, Cause, Draws, Purpose};
use crate::time::{Span, Time, Wall};

use super::{
    DiskOperation, Effect, Effects, File, Observation, Origin, Protocol, Reply, RequestId, Ticket,
    parts::wal,
};

/// What a node may do while it takes an input.
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
    /// Whether anybody wants to know what happens to single writes: a trace, or a second look at a lost one.
    pub(crate) observed: bool,
    pub(crate) disk_is_full: bool,
    pub(crate) effects: &'a mut Effects<P>,
}

impl<P: Protocol> fmt::Debug for Context<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("node", &self.node).finish_non_exhaustive()
    }
}

impl<P: Protocol> Context<'_, P> {
    /// The node whose turn it is.
    #[must_use]
    pub const fn node(&self) -> NodeId {
        self.node
    }

    /// How many nodes the cluster has.
    #[must_use]
    pub const fn nodes(&self) -> u16 {
        self.nodes
    }

    /// The other nodes, lowest id first.
    pub fn peers(&self) -> impl DoubleEndedIterator<Item = NodeId> + Clone + use<P> {
        let me = self.node;
        NodeId::all(self.nodes).filter(move |node| *node != me)
    }

    /// The leader that the scenario appoints; `None` when all are elected. Where leaders are elected the appointment is
    /// for a node's first boot ([`super::DiskOrigin::New`]): whoever starts again has to be told, or elected.
    #[must_use]
    pub const fn initial_leader(&self) -> Option<NodeId> {
        self.initial_leader
    }

    /// The node's wall clock, with its offset, drift and jumps: stamps data, never measures.
    #[must_use]
    pub const fn wall(&self) -> Wall {
        self.wall
    }

    /// The node's monotonic clock, with its drift alone: measures timeouts and leases.
    #[must_use]
    pub const fn monotonic(&self) -> Time {
        self.monotonic
    }

    /// 64 uniform random bits; each call of one step gives others.
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

    /// Under [`super::Input::Refused`]: the message that came back, as it was sent. Told once.
    #[must_use]
    pub const fn returned(&mut self) -> Option<P::Message> {
        self.effects.returned.take()
    }

    /// Starts `timer`, in place of one of that name already running; `after` is measured on the node's monotonic
    /// clock.
    pub fn set_timer(&mut self, timer: P::Timer, after: Span) {
        self.effects.push(Effect::SetTimer { timer, after });
    }

    /// Stops `timer` if it runs.
    pub fn cancel_timer(&mut self, timer: P::Timer) {
        self.effects.push(Effect::CancelTimer { timer });
    }

    /// Appends `record` to `file`, framed by length and checksum. Not durable until a [`Context::sync`] that
    /// follows it is: no [`super::Input::Persisted`] comes for an append that succeeds without a sync.
    ///
    /// # Panics
    ///
    /// When the record's `Serialize` fails; one of plain data does not.
    pub fn append(&mut self, file: File, record: &P::Record) -> Ticket {
        let start = self.effects.bytes.len();
        wal::encode(wal::Header::default(), record, &mut self.effects.bytes);
        let end = self.effects.bytes.len();
        self.disk(file, DiskOperation::Append { start, end, sequence: 0 })
    }

    /// Appends a record of a [`wal::Wal`]; how many bytes that takes.
    pub(in crate::protocol) fn append_stamped(
        &mut self,
        file: File,
        stamp: wal::Header,
        record: &P::Record,
    ) -> u64 {
        let start = self.effects.bytes.len();
        wal::encode(stamp, record, &mut self.effects.bytes);
        let end = self.effects.bytes.len();
        self.disk(file, DiskOperation::Append { start, end, sequence: stamp.sequence });
        (end - start) as u64
    }

    /// Whether the disk has no room: an [`Context::append`] or a [`Context::replace`] of this step writes nothing, and
    /// [`super::Input::Persisted`] brings [`super::DiskError::Full`] with its ticket.
    #[must_use]
    pub const fn disk_is_full(&self) -> bool {
        self.disk_is_full
    }

    /// Makes everything written to `file` so far durable; [`super::Input::Persisted`] with this ticket says when.
    pub fn sync(&mut self, file: File) -> Ticket {
        self.disk(file, DiskOperation::Sync)
    }

    /// Cuts `file` to its first `length` bytes; durable after the next sync.
    pub fn truncate_suffix(&mut self, file: File, length: u64) -> Ticket {
        self.disk(file, DiskOperation::TruncateSuffix { length })
    }

    /// Puts these records in the place of all of `file`, at once or not at all (a write beside it and a rename),
    /// and makes that durable; [`super::Input::Persisted`] with this ticket says when.
    pub fn replace(&mut self, file: File, records: &[P::Record]) -> Ticket {
        let start = self.effects.bytes.len();
        for record in records {
            wal::encode(wal::Header::default(), record, &mut self.effects.bytes);
        }
        let end = self.effects.bytes.len();
        self.disk(file, DiskOperation::Replace { start, end })
    }

    /// Puts the last records of a [`wal::Wal`] with their terms, the last of all of this sequence, in the place of
    /// all; how many bytes that takes.
    pub(in crate::protocol) fn replace_stamped(
        &mut self,
        (file, last): (File, u64),
        records: &[(Term, P::Record)],
    ) -> (Ticket, u64) {
        let start = self.effects.bytes.len();
        let first = last + 1 - records.len() as u64;
        for (sequence, (term, record)) in (first..).zip(records) {
            // What is there whole or not at all is durable before any of its bytes.
            let durable = (self.effects.bytes.len() - start) as u64;
            let stamp = wal::Header { term: term.0.into(), sequence, durable };
            wal::encode(stamp, record, &mut self.effects.bytes);
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

    /// This step, to be named by [`Context::continue_from`] when what it leaves to wait goes on.
    #[must_use]
    pub const fn origin(&self) -> Origin {
        Origin(self.cause.child(Cause::Disk, u64::MAX, 0))
    }

    /// Goes on with what an earlier step left to wait: the effects that follow are caused by that step and not by
    /// this one, so that their luck does not depend on what they shared a sync with.
    pub fn continue_from(&mut self, origin: Origin) {
        self.effects.push(Effect::Continue(origin.0));
    }

    /// Gives up: the process ends, says why, and does not start again by itself.
    pub fn stop(&mut self, why: impl Into<String>) {
        self.effects.push(Effect::Stop(why.into()));
    }

    /// Answers a client's request; answers after the first are ignored by the client.
    #[inline]
    pub fn reply(&mut self, request: RequestId, reply: Reply) {
        self.effects.push(Effect::Reply { request, reply });
    }

    /// Says what happened inside the node.
    #[inline]
    pub fn observe(&mut self, observation: Observation) {
        let always = match observation {
            Observation::Role { .. } | Observation::Accept { .. } | Observation::Replay { .. } => {
                true
            }
            Observation::Apply { .. }
            | Observation::Discard { .. }
            | Observation::Append { .. }
            | Observation::Truncate { .. }
            | Observation::Commit { .. } => false,
        };
        if always || self.observed {
            self.effects.push(Effect::Observe(observation));
        }
    }
}
