//! The end of a run, and what it leaves.

use std::sync::Arc;

use crate::check::replicated_log::LogFindings;
use crate::config::Config;
use crate::digest::DigestValue;
use crate::history::{Entry, Failure, History, Status};
use crate::id::{NodeId, NodeSet, OpId};
use crate::metrics::{
    Application, Impact, LastWrite, Leadership, MessageCounts, Recovery, Settlement, Unserved,
};
use crate::names::Names;
use crate::property::Incidents;
use crate::protocol::{NodeSnapshot, Protocol};
use crate::time::Time;

use super::Simulation;
use super::event::Queue;
use super::notes::lineage::Lineage;
use super::notes::record::NodeEvent;
use super::notes::tapped::Tapped;
use super::notes::transmissions::{Transmission, Transmissions, Window};
use super::notes::write_event::WriteEvent;
use super::notes::{NoteOptions, RunNotes};

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
    /// How far followers were from the leader when the last write was answered; `None` where none
    /// was, or nobody led, or it was not measured ([`NoteOptions::last_write`]).
    pub last_write: Option<LastWrite>,
    /// Messages by fate.
    pub messages: MessageCounts,
    /// Arrivals that were never invoked.
    pub unserved: Unserved,
    /// Who led when.
    pub leaderships: Vec<Leadership>,
    /// Every start of a node from its log, in order of time.
    pub recoveries: Vec<Recovery>,
    /// The impact of every fault that started, in order of time.
    pub impacts: Vec<Impact>,
    /// The incidents, which may void promises.
    pub incidents: Incidents,
    /// Nodes that are up and never lost their memory.
    pub(crate) survivors: NodeSet,
    /// What each expected state looked like at its time, in file order.
    pub(crate) states: Vec<NodeSnapshot>,
    /// The operation that each entry of the script became; `None` of one that was never invoked.
    pub(crate) script: Vec<Option<OpId>>,
    /// With [`NoteOptions::trace`], a line an event.
    pub trace: Option<String>,
    /// Where the lines of each event begin in the trace.
    pub(crate) marks: Vec<usize>,
    /// With [`NoteOptions::steps`], the time of each event and the digest
    /// up to and including it.
    pub steps: Vec<(Time, DigestValue)>,
    pub(crate) write_events: Vec<WriteEvent>,
    pub(crate) applications: Option<Vec<Application>>,
    /// What was found of the replicated log; `None` where the protocol keeps none.
    pub log: Option<LogFindings>,
    /// With [`NoteOptions::record`], what happened on every node, in event order.
    pub node_events: Vec<NodeEvent>,
}

impl<P: Protocol, Q: Queue<P>> Simulation<'_, P, Q> {
    /// Plays the run, or what is left of it, to its end.
    #[must_use]
    pub fn run(mut self) -> Finished {
        while self.play_next().is_some() {}
        self.finish()
    }

    /// Ends the run here, whether it is over or not: what is still under way will never be known.
    #[must_use]
    pub fn finish(mut self) -> Finished {
        let settlement = self.settlement.take().unwrap_or_else(|| self.broken_off());
        self.look_at_all_states();
        let last_write = self.last_write();
        let now = self.kernel.now;
        // Where the run ends before its fault phase does, arrivals may still wait for a client.
        self.clients.stop(now);
        let pending = self.kernel.history.iter().filter(|(_, e)| e.status == Status::Pending);
        let pending: Vec<OpId> = pending.map(|(op, _)| op).collect();
        for op in pending {
            let fill = |entry: &mut Entry| entry.failure = Some(Failure::Unfinished);
            self.kernel.history.complete(op, now, Status::Info, fill);
        }
        let log = self.log_findings();
        let nodes = NodeId::all(self.config.cluster.nodes);
        let survives = |node: &NodeId| {
            let slot = &self.slots[node.index()];
            slot.is_up() && !slot.lost_memory
        };
        let (finals, digest) = (self.nodes(), self.kernel.digest());
        let RunNotes { trace, watch, record, applications, steps, .. } = self.kernel.notes;
        let (trace, marks) = trace.finish();
        Finished {
            survivors: nodes.filter(survives).collect(),
            log,
            digest,
            ended_at: now,
            events: self.kernel.events,
            finals,
            settlement,
            last_write,
            messages: self.kernel.kinds.add_to::<P::Message>(self.kernel.counts),
            unserved: self.clients.unserved(),
            leaderships: self.leaderships,
            recoveries: self.recoveries,
            impacts: self.impacts,
            incidents: self.kernel.incidents,
            states: self.states.into_snapshots(),
            script: self.clients.script_operations().to_vec(),
            history: self.kernel.history,
            trace,
            marks,
            steps: steps.unwrap_or_default(),
            write_events: watch.map_or_else(Vec::new, |watch| watch.into_write_events()),
            applications,
            node_events: record.map_or_else(Vec::new, |record| record.into_node_events()),
        }
    }

    /// How a run ends that is not over.
    fn broken_off(&self) -> Settlement {
        let (mut waiting_for, end) = match self.healed_at {
            None => (Vec::new(), "the settling phase, which never began"),
            Some(_) => (self.waiting_for(), "the end of the settling phase"),
        };
        waiting_for.push(end.to_owned());
        Settlement::Unsettled { waiting_for }
    }
}

impl<'a, P: Protocol, Q: Queue<P>> Simulation<'a, P, Tapped<Q, Transmissions>> {
    /// As [`Simulation::new`], and keeps every message that is under way at some time of `window`.
    /// The options must ask for a record.
    pub(crate) fn noting_transmissions(
        config: &'a Config,
        names: &'a Arc<Names>,
        settings: &'a P::Config,
        seed: u64,
        notes: NoteOptions,
        window: Window,
    ) -> Self {
        let mut simulation = Self::unstarted(config, names, settings, seed, notes);
        simulation.kernel.notes.note_stopped();
        simulation.kernel.queue().tap.window = window;
        simulation.start();
        simulation
    }

    /// Plays the run to its end; what it left, and the messages kept, by sending.
    pub(crate) fn run_with_transmissions(mut self) -> (Finished, Vec<Transmission>) {
        while self.step().is_some() {}
        let (stopped, undelivered) = self.kernel.notes.take_undelivered();
        let transmissions = self.kernel.queue().tap.finish(stopped, undelivered);
        (self.finish(), transmissions)
    }
}

impl<P: Protocol, Q: Queue<P>> Simulation<'_, P, Tapped<Q, Lineage>> {
    /// Plays the run to its end; what it left, and for each event the place of the one that caused
    /// it, if one did.
    pub(crate) fn run_with_parents(mut self) -> (Finished, Vec<Option<usize>>) {
        while self.step().is_some() {}
        let parents = std::mem::take(&mut self.kernel.queue().tap.parents);
        (self.finish(), parents)
    }
}
