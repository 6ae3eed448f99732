//! The simulation: pops events, dispatches them to nodes and clients, and drains what nodes want
//! done.
//!
//! Reading order:
//!
//! - `event` (what can happen), [`queue`] (what happens next), `kernel` (what every part uses),
//!   `start`;
//! - `node` (a slot, with its `clock` and `disk`), `network`, `send` and `refusal` (what travels),
//!   `kinds` (how much of it, by kind), `ordinals` (the identity of effects);
//! - `clients` (who asks what), `nemesis` (what goes wrong);
//! - `settle` (when it is over), `states`, `finish` (what it leaves);
//! - `observe`, `ledger`, `agreement`, `contest` (what observations mean), `notes` (what is noted
//!   on the side).
//!
//! The head of each file that can go wrong states its fault model. `impl Simulation` is spread over
//! the files; each part that has data of its own has them in a type that knows no simulation.

#![warn(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;

use crate::check::replicated_log::LogLedger;
use crate::config::{Config, Occurrence};
use crate::digest::{DigestValue, name_hash};
use crate::history::History;
use crate::id::{FaultId, NodeBits, NodeId};
use crate::metrics::{Impact, Leadership, Recovery, Settlement};
use crate::names::Names;
use crate::protocol::{
    Context, DiskOperation, Effect, Effects, File, Input, NodeSnapshot, Protocol, Ticket,
};
use crate::rng::{CausalId, Cause, Root};
use crate::time::Time;

use agreement::Agreement;
use clients::{ClientStep, Clients};
use clock::SkewedClock;
use contest::Contest;
use disk::{DiskCall, Done};
use event::{Hop, What};
use kernel::Kernel;
use nemesis::triggers::Triggers;
use nemesis::undo::Undo;
use network::{NetworkState, Slowness};
use node::{DownUntil, Running, Slot};
use notes::RunNotes;
use ordinals::Ordinals;
use queue::CalendarQueue;
use states::StateWatch;

pub(crate) use clients::generator::{operation_id, replica_asked};
pub use event::{Event, Queue};
pub use finish::Finished;
pub use notes::NoteOptions;
pub(crate) use notes::lineage::Lineage;
pub use notes::record::{NodeEvent, NodeEventKind};
pub(crate) use notes::tapped::Tapped;
pub(crate) use notes::transmissions::Transmissions;
pub use notes::transmissions::{Delivery, End, Transmission, Window};
pub(crate) use notes::write_event::{
    Crash, Passage, WatchedEffect, WatchedWrite, WriteEvent, WriteEventKind,
};

mod agreement;
mod clients;
mod clock;
mod contest;
mod disk;
mod event;
mod finish;
mod kernel;
mod kinds;
mod ledger;
mod nemesis;
mod network;
mod node;
mod notes;
mod observe;
mod ordinals;
pub mod queue;
mod refusal;
mod send;
mod settle;
mod start;
mod states;

/// One run under way.
///
/// [`Simulation::run`] plays it to its end. It can also be played in pieces, by
/// [`Simulation::step`] and [`Simulation::step_until`], and asked in between; that changes nothing
/// of what follows. A run in pieces has the digest of a run in one.
///
/// An event is played whole: between two of them the state is consistent, and no effect of a node
/// is left over. What an event causes at its own instant is an event of its own, so an instant is
/// over only when the next event is later, as it is after [`Simulation::step_until`].
///
/// `Q` is the event queue, which does not affect the outcome.
pub struct Simulation<'a, P: Protocol, Q = CalendarQueue<Event<P>>> {
    config: &'a Config,
    names: &'a Names,
    settings: &'a P::Config,
    kernel: Kernel<P, Q>,
    slots: Vec<Slot<P>>,
    network: NetworkState,
    clients: Clients,
    effects: Effects<P>,
    ordinals: Ordinals,
    /// What ends each fault that is on, by its index.
    undo: Vec<Option<Undo>>,
    /// What clogs hold back, in the order of sending.
    held: Vec<HeldMessage<P>>,
    leaderships: Vec<Leadership>,
    contest: Contest,
    recoveries: Vec<Recovery>,
    impacts: Vec<Impact>,
    /// The faults whose triggers are still to come; `None` when there are none.
    triggers: Option<Box<Triggers>>,
    /// When the fault phase ended.
    healed_at: Option<Time>,
    /// How many times the simulation has looked in vain whether the cluster has settled.
    settle_checks: u32,
    /// How the run ended, once it has.
    settlement: Option<Settlement>,
    states: StateWatch,
    /// Whether any node is paused.
    any_paused: bool,
    /// Whether nodes keep a replicated log, and say what happens to it.
    keeps_log: bool,
    /// What they have said; `None` where they keep none, or are more than it has room for.
    ledger: Option<Box<LogLedger>>,
    /// How far followers are from the leader since the last write was answered.
    agreement: Agreement,
}

/// A message, or a refusal, that a clog holds back.
struct HeldMessage<P: Protocol> {
    /// The index of the clog.
    fault: u32,
    event: Event<P>,
    /// By how much other faults slow it.
    slower: Slowness,
}

impl<'a, P: Protocol, Q: Queue<P>> Simulation<'a, P, Q> {
    /// A run of `config`, whose ids `names` spells out, and a protocol's `settings` under `seed`,
    /// at its beginning: the nodes have booted, and no event has been played.
    #[must_use]
    pub fn new(
        config: &'a Config,
        names: &'a Arc<Names>,
        settings: &'a P::Config,
        seed: u64,
        notes: NoteOptions,
    ) -> Self {
        let mut simulation = Self::unstarted(config, names, settings, seed, notes);
        simulation.start();
        simulation
    }

    fn unstarted(
        config: &'a Config,
        names: &'a Arc<Names>,
        settings: &'a P::Config,
        seed: u64,
        options: NoteOptions,
    ) -> Self {
        let agreement = if options.last_write { Agreement::ToCome } else { Agreement::Over(None) };
        let notes = RunNotes::new(options, config.bounds.replication_lag.is_some());
        let mut kernel = Kernel::new(config, names, seed, notes);
        let triggers = Triggers::of(config);
        if triggers.is_some() {
            kernel.reserve_orders(config.faults.len() as u64);
        }
        Self {
            config,
            names,
            settings,
            kernel,
            slots: config.clocks.iter().map(|clock| Slot::new(SkewedClock::new(*clock))).collect(),
            network: NetworkState::new(config),
            clients: Clients::new(config, names),
            effects: Effects::new(),
            ordinals: Ordinals::new(config.cluster.nodes),
            undo: config.faults.iter().map(|_| None).collect(),
            held: Vec::new(),
            leaderships: Vec::new(),
            contest: Contest::default(),
            recoveries: Vec::new(),
            impacts: Vec::new(),
            triggers,
            healed_at: None,
            settle_checks: 0,
            settlement: None,
            states: StateWatch::new(&config.expect.states),
            any_paused: false,
            keeps_log: P::keeps_log(settings),
            ledger: (P::keeps_log(settings) && config.cluster.nodes <= NodeBits::ROOM)
                .then(|| Box::new(LogLedger::new(config.cluster.nodes))),
            agreement,
        }
    }

    /// Plays the next event; its time, or `None` when the run is over: the cluster has settled, or
    /// had its time to, or cannot go on.
    pub fn step(&mut self) -> Option<Time> {
        self.play_next()
    }

    /// Plays every event up to and including the time `at`: those too that the events at `at` cause
    /// at that same instant. Fewer where the run is over before.
    pub fn step_until(&mut self, at: Time) {
        while self.kernel.next_time().is_some_and(|next| next <= at) && self.step().is_some() {}
    }

    /// The time of the last event played; [`Time::ZERO`] before the first.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.kernel.now
    }

    /// The digest of the events played so far.
    #[must_use]
    pub fn digest(&self) -> DigestValue {
        self.kernel.digest()
    }

    /// What clients have invoked and were answered so far; an operation under way is
    /// [`Status::Pending`](crate::history::Status::Pending).
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.kernel.history
    }

    /// Every node as it stands, in node order.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeSnapshot> {
        NodeId::all(self.config.cluster.nodes).map(|node| self.snapshot(node)).collect()
    }

    /// What has happened on every node so far, in event order; nothing without
    /// [`NoteOptions::record`].
    #[must_use]
    pub fn node_events(&self) -> &[NodeEvent] {
        self.kernel.notes.node_events()
    }

    /// Plays the next event.
    // Always inlined: its hot caller, `run`, plays nearly every event there is.
    #[inline(always)]
    fn play_next(&mut self) -> Option<Time> {
        if self.settlement.is_some() {
            return None;
        }
        // Combined into one branch: both are rare.
        if self.states.pending() | self.triggers.is_some() {
            self.look_ahead();
        }
        let event = self.kernel.pop()?;
        self.kernel.feed(&event);
        if self.kernel.notes.on {
            self.note_event(&event);
        }
        // The hot caller of `play` owns the event, so it is not moved.
        if self.any_paused {
            self.play_unless_held(event);
        } else {
            self.play(event);
        }
        if self.kernel.is_stuck() {
            self.settlement = Some(self.kernel.standstill());
        }
        Some(self.kernel.now)
    }

    /// Before the next event is taken: snapshots that are due before it, and faults that come
    /// before it.
    #[cold]
    #[inline(never)]
    fn look_ahead(&mut self) {
        if self.states.pending() {
            self.look_at_states();
        }
        if self.triggers.is_some() {
            self.trigger_before_next();
        }
    }

    /// Plays an event while some node is paused, or was a moment ago.
    #[cold]
    #[inline(never)]
    fn play_unless_held(&mut self, event: Event<P>) {
        if self.is_held(&event.what) {
            self.hold(event);
        } else {
            self.play(event);
        }
    }

    /// Plays one event.
    // Always inlined: there is one hot caller, beside cold ones.
    #[inline(always)]
    fn play(&mut self, event: Event<P>) {
        // Matched in place: moving the content out as a whole costs as much as a follower's part of
        // a write.
        let id = event.id;
        match event.what {
            What::Message { to, from, boot, message } => {
                self.deliver(id, Hop { from, to, boot }, message);
            }
            What::Refused { to, from, boot, message } => {
                self.come_back(id, Hop { from, to, boot }, message);
            }
            What::Request { node, session, request, operation } => {
                let stamped = self.stamped(session.client, request);
                self.request(id, node, Input::Request { session, request, operation, stamped });
            }
            What::Answer { client, node, request, reply } => {
                self.kernel.counts.delivered += 1;
                self.clients().answer(client, node, request, reply);
                self.look_for_the_last_write();
            }
            What::Timer { node, boot, generation, timer } => {
                let slot = &mut self.slots[node.index()];
                if slot.boot == boot && slot.timers.expire(&timer, generation) {
                    self.handle(node, id, Input::Timer(timer));
                }
            }
            What::Disk { node, boot, ticket, result } => {
                let slot = &mut self.slots[node.index()];
                slot.disk.complete(ticket);
                if slot.boot == boot {
                    self.handle(node, id, Input::Persisted(ticket, result));
                }
            }
            What::Invoke { client, due_at } => {
                self.clients().turn(client, due_at);
            }
            What::Arrival { index } => {
                self.clients().arrive(index);
            }
            What::Alarm { client } => {
                self.clients().alarm(client);
                self.look_for_the_last_write();
            }
            What::Retry { client, request } => {
                self.clients().retry(client, request);
            }
            What::Fault { index, starts: true } => self.start_fault(index, id),
            What::Fault { index, starts: false } => self.end_fault(index, id),
            What::Change { index } => self.change(index),
            What::Heal => self.heal_all(id),
            What::SettleCheck => self.settlement = self.check_settled(id),
        }
    }

    /// The clients, ready to act.
    #[inline]
    fn clients(&mut self) -> ClientStep<'_, P, Q> {
        let Self { config, names, kernel, network, clients, .. } = self;
        ClientStep { clients, config, names, kernel, network }
    }

    /// Whether an event reaches the process of a paused node.
    #[cold]
    fn is_held(&self, what: &What<P>) -> bool {
        let Some((node, boot)) = what.process() else { return false };
        let slot = &self.slots[node.index()];
        slot.paused && boot.is_none_or(|boot| boot == slot.boot)
    }

    /// Puts an event of a paused node aside, in order.
    #[cold]
    fn hold(&mut self, event: Event<P>) {
        let (node, _) = event.what.process().expect("only what reaches a process is held");
        let slot = &mut self.slots[node.index()];
        if let What::Disk { ticket, .. } = &event.what {
            // The disk works on while the process is paused.
            slot.disk.complete(*ticket);
        }
        slot.backlog.push(event);
    }

    /// An event that reached a node while it was paused reaches its process, now that it resumes.
    #[cold]
    fn replay(&mut self, event: Event<P>) {
        if self.kernel.notes.trace.wanted() && !self.is_held(&event.what) {
            self.trace_resumed(&event.what);
        }
        // An event that waited before this one may have triggered a fault that pauses the node
        // again.
        self.play_unless_held(event);
    }

    /// Hands an input to a node, if it is up.
    #[inline]
    fn handle(&mut self, node: NodeId, id: CausalId, input: Input<P>) {
        self.node_step(node, id, |state, cx| {
            if let Some(state) = state {
                state.handle(input, cx);
            }
        });
    }

    /// Lets a node act, and plays the effects.
    #[inline]
    fn node_step(
        &mut self,
        node: NodeId,
        id: CausalId,
        act: impl FnOnce(&mut Option<P>, &mut Context<'_, P>),
    ) {
        let slot = &mut self.slots[node.index()];
        let monotonic = slot.clock.monotonic(self.kernel.now);
        let mut cx = Context {
            node,
            nodes: self.config.cluster.nodes,
            initial_leader: self.config.cluster.initial_leader,
            wall: slot.clock.wall_when(monotonic),
            monotonic,
            cause: id,
            draws: &self.kernel.draws,
            drawn: 0,
            next_ticket: &mut slot.next_ticket,
            observed: self.kernel.notes.on,
            keeps_log: self.keeps_log,
            disk_is_full: slot.disk.is_full(),
            batches: &self.kernel.batches,
            effects: &mut self.effects,
        };
        act(&mut slot.state, &mut cx);
        self.drain(node, id);
    }

    /// Plays the effects of a node's step, in the order in which the node asked for them.
    #[inline]
    fn drain(&mut self, node: NodeId, mut id: CausalId) {
        if self.effects.list.is_empty() {
            return;
        }
        self.ordinals.next_step();
        let mut list = std::mem::take(&mut self.effects.list);
        // Reversed and popped, so that the buffer keeps its capacity; most steps have one effect.
        list.reverse();
        while let Some(effect) = list.pop() {
            match effect {
                Effect::Send { to, message } => self.send(node, to, id, message),
                Effect::Observe(observation) => self.observe(node, observation),
                Effect::Reply { request, reply } => self.reply(node, id, request, reply),
                Effect::Continue(origin) => {
                    id = origin;
                    self.ordinals.next_step();
                }
                Effect::Stop(why) => self.stop(node, DownUntil::ForGood, &why, id),
                Effect::SetTimer { timer, after } => {
                    let due = self.kernel.now + self.slots[node.index()].clock.true_span(after);
                    let id = id.child(Cause::Timer, name_hash(&timer), 0);
                    self.start_timer(node, timer, due, id);
                }
                Effect::CancelTimer { timer } => {
                    if let Some(event) = self.slots[node.index()].timers.cancel(&timer) {
                        self.kernel.revoke(event);
                    }
                }
                Effect::Disk { ticket, file, operation } => {
                    self.perform(node, id, ticket, file, &operation);
                }
            }
        }
        self.effects.list = list;
        self.effects.bytes.clear();
    }

    /// Does what a node asks of its disk, and schedules the completion where it is announced.
    fn perform(
        &mut self,
        node: NodeId,
        id: CausalId,
        ticket: Ticket,
        file: File,
        operation: &DiskOperation,
    ) {
        let slot = &mut self.slots[node.index()];
        let ordinal = self.ordinals.disk(file);
        // An append has no event of its own, so it needs no identity and no draw.
        let is_silent = matches!(operation, DiskOperation::Append { .. }) && !slot.disk.is_full();
        let id = if is_silent { id } else { id.child(Cause::Disk, file.0.into(), ordinal) };
        let call = DiskCall {
            ticket,
            file,
            at: self.kernel.now,
            id,
            draws: &self.kernel.draws,
            settings: &self.config.disk,
        };
        let done = slot.disk.perform(&call, operation, &self.effects.bytes);
        if let Some(Done { at, result, is_slowed }) = done {
            let what = What::Disk { node, boot: slot.boot, ticket, result };
            if is_slowed {
                let event = self.kernel.schedule_revocable(at, id, what);
                slot.disk.completes_by(ticket, event);
            } else {
                self.kernel.schedule(at, id, what);
            }
        }
        if is_silent && self.triggers.is_some() {
            self.happens(node, Occurrence::Appends, 1);
        }
    }

    /// Starts a node's timer, in place of one of that name.
    fn start_timer(&mut self, node: NodeId, timer: P::Timer, due: Time, id: CausalId) {
        let slot = &mut self.slots[node.index()];
        let (boot, generation) = (slot.boot, slot.timers.next_generation());
        let what = What::Timer { node, boot, generation, timer };
        let event = self.kernel.schedule_revocable(due, id, what);
        if let Some(before) = slot.timers.start(timer, Running { generation, due, event }) {
            self.kernel.revoke(before);
        }
    }

    /// Stops all timers of a node.
    fn stop_timers(&mut self, node: NodeId) {
        for event in self.slots[node.index()].timers.clear() {
            self.kernel.revoke(event);
        }
    }

    /// A node as it stands, with what only the simulation knows of it.
    fn snapshot(&self, node: NodeId) -> NodeSnapshot {
        let mut snapshot = self.slots[node.index()].snapshot(node);
        snapshot.paused = self.slots[node.index()].paused;
        snapshot.blocked = self.network.blocked_from(node);
        snapshot
    }
}

/// The identity of a fault, by its id in the scenario: taking out a fault before it changes
/// nothing.
fn fault_id(names: &Names, fault: FaultId) -> CausalId {
    CausalId::root(Root::Fault, name_hash(names.fault(fault)), 0)
}
