//! What is noted of a run besides its outcome: the one place that listens.
//!
//! Hardly any run has a listener, so the common path takes one branch, on [`RunNotes::on`], and
//! everything else is behind it. The listeners:
//!
//! | listener | what it notes | who asks for it |
//! |---|---|---|
//! | [`trace`] | a line an event, and lines of what it did (`lines`) | people |
//! | [`watch`] | what becomes of single writes ([`write_event`]) | mechanisms and stories |
//! | [`record`] | what happens on every node | pictures |
//! | [`transmissions`] | messages that are stopped | pictures |
//! | applications | what each node applies | the bound of the replication lag |
//! | steps | the digest after each event | comparisons of two runs |
//!
//! Two more listen to the queue ([`tapped`]): [`transmissions`] notes the messages that travel, and
//! [`lineage`] what caused each event.

use crate::digest::DigestValue;
use crate::id::{NodeId, OpId};
use crate::metrics::Application;
use crate::names::Names;
use crate::protocol::{Message, NodeSnapshot, Observation, RequestId, Stored};
use crate::rng::CausalId;
use crate::time::Time;

use super::network::{Fate, NetworkState, Packet};
use record::{NodeEvent, NodeEventKind, NodeRecord};
use trace::Trace;
use transmissions::{End, Stopped};
use watch::{Arrival, PowerLoss, Remains, Watch};
use write_event::WatchedWrite;

pub(super) mod lineage;
mod lines;
pub(super) mod record;
pub(super) mod tapped;
mod trace;
pub(super) mod transmissions;
pub(super) mod watch;
pub(super) mod write_event;

/// What to note besides the outcome.
#[derive(Clone, Debug, Default)]
pub struct NoteOptions {
    /// A line an event ([`Finished::trace`](super::Finished::trace)).
    pub trace: bool,
    /// The digest after each event ([`Finished::steps`](super::Finished::steps)).
    pub steps: bool,
    /// How far followers were from the leader when the last write was answered
    /// ([`Finished::last_write`](super::Finished::last_write)).
    pub last_write: bool,
    /// What happens on every node ([`Finished::node_events`](super::Finished::node_events)).
    pub record: bool,
    /// The writes to follow; a `WriteEvent` names one by its place here.
    pub(crate) watched: Vec<WatchedWrite>,
}

/// The listeners of a run.
#[derive(Debug)]
pub(crate) struct RunNotes {
    /// Whether anybody listens, here or elsewhere ([`RunNotes::listen_for`]).
    pub(super) on: bool,
    pub(super) trace: Trace,
    pub(super) watch: Option<Box<Watch>>,
    pub(super) record: Option<Box<NodeRecord>>,
    stopped: Option<Box<Stopped>>,
    pub(super) applications: Option<Vec<Application>>,
    pub(super) steps: Option<Vec<(Time, DigestValue)>>,
}

impl RunNotes {
    pub(super) fn new(options: NoteOptions, measures_lag: bool) -> Self {
        let mut notes = Self {
            on: false,
            trace: Trace::new(options.trace),
            watch: Watch::of(options.watched),
            record: options.record.then(Box::default),
            stopped: None,
            applications: measures_lag.then(Vec::new),
            steps: options.steps.then(Vec::new),
        };
        notes.listen_for(false);
        notes
    }

    /// Says whether somebody elsewhere follows observations from now on.
    pub(super) fn listen_for(&mut self, another: bool) {
        self.on = another
            || self.trace.wanted()
            || self.watch.is_some()
            || self.record.is_some()
            || self.applications.is_some()
            || self.steps.is_some();
    }

    /// Notes messages that are stopped, from now on; of a run that keeps a record.
    pub(super) fn note_stopped(&mut self) {
        assert!(self.record.is_some(), "who draws messages draws nodes");
        self.stopped = Some(Box::default());
    }

    /// An event is about to be played; `digest` includes it.
    pub(super) fn step(&mut self, at: Time, digest: DigestValue) {
        if let Some(steps) = &mut self.steps {
            steps.push((at, digest));
        }
    }

    /// A message between nodes reaches its receiver's machine.
    pub(super) fn arrives(&mut self, at: Time, arrival: Arrival, message: &impl Message) {
        if let Some(watch) = &mut self.watch {
            watch.arrives(at, arrival, message);
        }
        if let (Some(record), false) = (&mut self.record, arrival.is_up) {
            record.undelivered(arrival.id);
        }
    }

    /// A message between nodes was handed to the network, which decided its fate.
    #[cold]
    #[inline(never)]
    pub(super) fn sent<M: Message>(
        &mut self,
        at: Time,
        packet: Packet,
        message: &M,
        fate: Fate,
        network: &NetworkState,
    ) {
        if let Some(watch) = &mut self.watch {
            watch.sent(at, packet, message, fate, network);
        }
        if let Some(stopped) = &mut self.stopped {
            stopped.message(at, packet, message, fate);
        }
    }

    /// A client's request was stopped, or the answer to one.
    #[cold]
    pub(super) fn stopped_of_client(&mut self, at: Time, from: End, to: End, request: RequestId) {
        if let Some(stopped) = &mut self.stopped {
            stopped.of_client(at, from, to, request);
        }
    }

    /// A node observed something.
    #[cold]
    pub(super) fn observed(
        &mut self,
        at: Time,
        node: NodeId,
        observation: Observation,
        names: &Names,
    ) {
        if let (Some(applications), Observation::Apply { key, stored: Stored { value, version } }) =
            (&mut self.applications, observation)
        {
            applications.push(Application { at, node, key, version, value });
        }
        if let Some(watch) = &mut self.watch {
            watch.observed(at, node, observation);
        }
        if let Some(record) = &mut self.record {
            record.observed(at, node, observation);
        }
        if self.trace.wanted() {
            let (what, text) = observation.describe(names);
            self.trace.line(at, &node.to_string(), what, &text);
        }
    }

    /// A node answers a client.
    #[cold]
    pub(super) fn answers(&mut self, at: Time, node: NodeId, op: OpId) {
        if let Some(watch) = &mut self.watch {
            watch.answers(at, node, op);
        }
    }

    /// A node was paused, or resumed.
    #[cold]
    pub(super) fn node_event(&mut self, at: Time, node: NodeId, what: NodeEventKind) {
        if let Some(record) = &mut self.record {
            record.note(at, node, what);
        }
    }

    /// Whether single writes are followed: then losses on disks are looked up.
    pub(super) const fn follows_writes(&self) -> bool {
        self.watch.is_some()
    }

    /// A node's process died; what that left on its disk, and what its machine lost with its power.
    pub(super) fn crashed(
        &mut self,
        at: Time,
        node: NodeId,
        lost: Option<&PowerLoss>,
        remains: impl FnOnce() -> Remains,
    ) {
        if let Some(watch) = &mut self.watch {
            watch.crashed(at, node, lost, &remains());
        }
        self.node_event(at, node, NodeEventKind::Down);
    }

    /// The machine of a node that is down lost power.
    pub(super) fn power_cut(&mut self, at: Time, node: NodeId, lost: &PowerLoss) {
        if let Some(watch) = &mut self.watch {
            watch.power_cut(at, node, lost);
        }
    }

    /// A node that is down was given an empty disk.
    pub(super) fn disk_replaced(&mut self, at: Time, node: NodeId) {
        if let Some(watch) = &mut self.watch {
            watch.disk_replaced(at, node);
        }
    }

    /// A node starts.
    pub(super) fn boots(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch.boots();
        }
    }

    /// Whether any listener asks what a node has when it has started.
    pub(super) const fn looks_at_boots(&self) -> bool {
        self.watch.is_some() || self.record.is_some()
    }

    /// A node has started, or given up at once.
    pub(super) fn booted(&mut self, at: Time, node: NodeId, snapshot: &NodeSnapshot) {
        if let Some(record) = &mut self.record {
            record.booted(at, node, snapshot);
        }
        if let Some(watch) = &mut self.watch {
            watch.booted(at, node, snapshot);
        }
    }

    /// What has happened on every node so far.
    pub(super) fn node_events(&self) -> &[NodeEvent] {
        self.record.as_ref().map_or(&[], |record| record.node_events())
    }

    /// The messages that were stopped, and those that reached a process that was down.
    pub(super) fn take_undelivered(&mut self) -> (Stopped, Vec<CausalId>) {
        let stopped = self.stopped.take().map_or_else(Stopped::default, |stopped| *stopped);
        (stopped, self.record.as_mut().map_or_else(Vec::new, |record| record.take_undelivered()))
    }
}
