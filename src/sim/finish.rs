//! What a run leaves when it is over.

use crate::digest::DigestValue;
use crate::history::{Entry, Failure, History, Status};
use crate::id::{NodeId, NodeSet, OpId};
use crate::metrics::{
    Application, Impact, LastWrite, Leadership, MessageCounts, Recovery, Settlement, Unserved,
};
use crate::property::Incidents;
use crate::protocol::{NodeSnapshot, Protocol};
use crate::time::Time;

use super::Simulation;
use super::event::Event;
use super::queue::EventQueue;
use super::record::{NodeEvent, Record};
use super::watch::{Watch, WriteEvent};

/// What a run left. [`crate::run::judge`] checks it and holds it against what the scenario expects.
pub struct Finished {
    /// The digest of every event played.
    pub digest: DigestValue,
    /// The time of the last one.
    pub ended_at: Time,
    /// How many there were.
    pub events: u64,
    /// What clients invoked and were answered, and what the nemesis did.
    pub history: History,
    /// Every node at the end, in node order.
    pub finals: Vec<NodeSnapshot>,
    /// How the run ended.
    pub settlement: Settlement,
    /// How far followers were from the leader when the last write was answered; `None` where none was, or nobody led.
    pub last_write: Option<LastWrite>,
    /// Messages by fate.
    pub messages: MessageCounts,
    /// Arrivals that were never invoked.
    pub unserved: Unserved,
    /// Who led when.
    pub leaderships: Vec<Leadership>,
    /// Every start of a node from its log, in order of time.
    pub recoveries: Vec<Recovery>,
    /// Every fault that struck, in order of time.
    pub impacts: Vec<Impact>,
    /// What befell whom that may void a promise.
    pub incidents: Incidents,
    /// Nodes that are up and never lost what was in their memory.
    pub(crate) survivors: NodeSet,
    /// What each expected state looked like at its time, in file order.
    pub(crate) states: Vec<NodeSnapshot>,
    /// The operation that each entry of the script became.
    pub(crate) script: Vec<Option<OpId>>,
    /// With [`NoteOptions::trace`](super::NoteOptions::trace), a line an event.
    pub trace: Option<String>,
    /// Where the lines of each event begin in the trace.
    pub(crate) marks: Vec<usize>,
    /// The event that caused each one, where the queue keeps that.
    pub(crate) parents: Vec<Option<usize>>,
    /// With [`NoteOptions::steps`](super::NoteOptions::steps), the time of each event and the digest
    /// up to and including it.
    pub steps: Vec<(Time, DigestValue)>,
    pub(crate) write_events: Vec<WriteEvent>,
    pub(crate) applications: Option<Vec<Application>>,
    /// What happened on every node, in event order, where a picture is to be made.
    pub node_events: Vec<NodeEvent>,
}

impl<P: Protocol, Q: EventQueue<Event<P>>> Simulation<'_, P, Q> {
    /// Ends the run here, whether it is over or not: what is still under way will never be known.
    #[must_use]
    pub fn finish(mut self) -> Finished {
        let settlement = self.settlement.take().unwrap_or_else(|| Settlement::Unsettled {
            waiting_for: vec!["the settling phase, which never began".to_owned()],
        });
        self.look_at_all_states();
        let last_write = self.last_write();
        let now = self.kernel.now;
        // Of a run that ended before its faults were over: what still waits for a client never gets one.
        self.clients.stop(now);
        let pending = self.kernel.history.iter().filter(|(_, e)| e.status == Status::Pending);
        let pending: Vec<OpId> = pending.map(|(op, _)| op).collect();
        for op in pending {
            let fill = |entry: &mut Entry| entry.failure = Some(Failure::Unfinished);
            self.kernel.history.complete(op, now, Status::Info, fill);
        }
        let finals = self.nodes();
        let nodes = NodeId::all(self.config.cluster.nodes);
        let survives = |node: &NodeId| {
            let slot = &self.slots[node.index()];
            slot.is_up() && !slot.lost_memory
        };
        let (marks, parents) = (self.kernel.trace.marks(), self.kernel.parents());
        Finished {
            survivors: nodes.filter(survives).collect(),
            digest: self.kernel.digest(),
            ended_at: now,
            events: self.kernel.events,
            finals,
            settlement,
            last_write,
            messages: self.kernel.counts,
            unserved: self.clients.unserved(),
            leaderships: self.leaderships,
            recoveries: self.recoveries,
            impacts: self.impacts,
            incidents: self.kernel.incidents,
            states: self.states.into_snapshots(),
            script: self.clients.script_operations().to_vec(),
            history: self.kernel.history,
            marks,
            parents,
            trace: self.kernel.trace.into_text(),
            steps: self.steps.unwrap_or_default(),
            write_events: self.watch.map_or_else(Vec::new, |watch| Watch::into_sightings(*watch)),
            applications: self.applications,
            node_events: self
                .record
                .map_or_else(Vec::new, |record| Record::into_node_events(*record)),
        }
    }
}
