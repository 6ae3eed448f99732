//! The simulation: pops events, hands them to nodes and clients, and drains what nodes want done.
//!
//! Reading order: `event` (what can happen, and the kernel that schedules it), [`queue`], `node`, `clock`, `disk`,
//! `network`, `refusal`, `client`, `nemesis`, `triggers`, `impacts`, `settle`, `agreement`, `observe`, `watch`, `record`, `trace`, `lines`, `finish`. The head of each file that can go wrong states its fault model.

use crate::config::{Config, Occurrence, Start};
use crate::digest::{DigestValue, name_hash};
use crate::history::{Failure, History};
use crate::id::{ClientId, FaultId, NodeId};
use crate::metrics::{Application, Impact, Leadership, Recovery, Settlement};
use crate::property::{Befallen, Hazard};
use crate::protocol::{
    Context, DiskOperation, Effect, Effects, Input, Message, NodeSnapshot, Protocol, Reply,
    RequestId,
};
use crate::rng::{CausalId, Cause, Root};
use crate::time::{Time, Wall};

use agreement::Agreement;
use client::{Clients, World};
use clock::Clock;
use contest::Contest;
use disk::Done;
use event::{Kernel, What};
use nemesis::Undo;
use network::{Fate, Network, Packet, Slowness};
use node::{Running, Slot};
use ordinals::Ordinals;
use queue::{CalendarQueue, EventQueue};
use record::Record;
use settle::{Settle, StateWatch, events_an_instant};
use trace::Trace;
use triggers::Triggers;
use watch::Watch;

pub use event::Event;
pub use finish::Finished;
pub(crate) use lineage::Lineage;
pub(crate) use record::Transmissions;
pub use record::{Delivery, End, NodeEvent, NodeEventKind, Transmission};
pub(crate) use watch::{Crash, Passage, Target, TargetEffect, WriteEvent, WriteEventKind};
pub(crate) use workload::{operation_id, replica_asked};

mod agreement;
pub(crate) mod client;
mod clock;
mod contest;
mod disk;
pub(crate) mod event;
mod finish;
mod impacts;
mod lineage;
mod lines;
mod nemesis;
mod network;
mod node;
mod observe;
mod ordinals;
pub mod queue;
mod record;
mod refusal;
mod settle;
mod trace;
mod triggers;
mod watch;
mod workload;

/// One run under way.
///
/// [`Simulation::run`] plays it to its end. It can also be played in pieces, by [`Simulation::step`]
/// and [`Simulation::step_until`], and asked in between; that changes nothing of what follows. A run in
/// pieces has the digest of a run in one.
///
/// An event is played whole: between two of them the state is consistent, and no effect of a node is
/// left over. What an event causes at its own instant is an event of its own, though, so that an
/// instant is over only when the next event is later: after [`Simulation::step_until`].
///
/// `Q` is the event queue, which has no say in the outcome.
pub struct Simulation<'a, P: Protocol, Q = CalendarQueue<Event<P>>> {
    config: &'a Config,
    settings: &'a P::Config,
    kernel: Kernel<P, Q>,
    slots: Vec<Slot<P>>,
    network: Network,
    clients: Clients,
    effects: Effects<P>,
    ordinals: Ordinals,
    /// What ends each fault that is on, by its index.
    undo: Vec<Option<Undo>>,
    /// Messages that a clog holds back, in the order in which they were sent, with the fault and by how much other
    /// faults slow them.
    held: Vec<(u32, Event<P>, Slowness)>,
    /// More events than this at one instant are a loop without progress.
    events_an_instant: u64,
    leaderships: Vec<Leadership>,
    contest: Contest,
    recoveries: Vec<Recovery>,
    impacts: Vec<Impact>,
    /// The faults that are tied to moments still to come; `None` when there are none.
    triggers: Option<Box<Triggers>>,
    settle: Settle,
    /// How the run ended, once it has.
    settlement: Option<Settlement>,
    states: StateWatch,
    /// Whether any node is paused.
    any_paused: bool,
    /// Whether anybody wants to know what happens to single writes.
    observed: bool,
    /// How far followers are from the leader since the last write was answered.
    agreement: Agreement,
    /// What each node applied, when the scenario bounds the replication lag.
    applications: Option<Vec<Application>>,
    /// The writes whose lives are noted.
    watch: Option<Box<Watch>>,
    /// What happens on every node, for a picture.
    record: Option<Box<Record>>,
    steps: Option<Vec<(Time, DigestValue)>>,
}

/// What to note besides the outcome.
#[derive(Clone, Debug, Default)]
pub struct NoteOptions {
    /// A line an event ([`Finished::trace`]).
    pub trace: bool,
    /// The digest after each event ([`Finished::steps`]).
    pub steps: bool,
    /// How far followers were from the leader when the last write was answered
    /// ([`Finished::last_write`]).
    pub last_write: bool,
    /// What happens on every node ([`Finished::node_events`]).
    pub record: bool,
    /// The writes to follow; a [`WriteEvent`] names one by its place here.
    pub(crate) watched: Vec<Target>,
}

impl<'a, P: Protocol, Q: EventQueue<Event<P>>> Simulation<'a, P, Q> {
    /// A run of `config` and a protocol's `settings` under `seed`, at its beginning: the nodes have
    /// booted, and no event has been played.
    #[must_use]
    pub fn new(config: &'a Config, settings: &'a P::Config, seed: u64, notes: NoteOptions) -> Self {
        let mut simulation = Self::unstarted(config, settings, seed, notes);
        simulation.start();
        simulation
    }

    fn unstarted(
        config: &'a Config,
        settings: &'a P::Config,
        seed: u64,
        notes: NoteOptions,
    ) -> Self {
        let measures_lag = config.bounds.replication_lag.is_some();
        let generated = config.workload.as_ref().and_then(|workload| workload.operations);
        // What the scenario promises to invoke, up to a few million; beyond that growing costs nothing.
        let operations = generated.unwrap_or(0).min(4_000_000) as usize + config.script.len();
        let mut kernel = Kernel::new(seed, config.ties, operations, Trace::new(notes.trace));
        let triggers = Triggers::of(config);
        if triggers.is_some() {
            kernel.reserve_orders(config.faults.len() as u64);
        }
        let observed = notes.trace || notes.record || !notes.watched.is_empty() || measures_lag;
        Self {
            config,
            settings,
            kernel,
            slots: config.clocks.iter().map(|clock| Slot::new(Clock::new(*clock))).collect(),
            network: Network::new(config),
            clients: Clients::new(config),
            effects: Effects::new(),
            ordinals: Ordinals::new(config.cluster.nodes),
            undo: config.faults.iter().map(|_| None).collect(),
            held: Vec::new(),
            events_an_instant: events_an_instant(config),
            leaderships: Vec::new(),
            contest: Contest::default(),
            recoveries: Vec::new(),
            impacts: Vec::new(),
            triggers,
            settle: Settle::new(),
            settlement: None,
            states: StateWatch::new(&config.expect.states),
            any_paused: false,
            observed,
            agreement: if notes.last_write { Agreement::ToCome } else { Agreement::Over(None) },
            watch: Watch::of(notes.watched),
            record: notes.record.then(Box::default),
            applications: measures_lag.then(Vec::new),
            steps: notes.steps.then(Vec::new),
        }
    }

    /// Whether anybody but [`Agreement`] wants to know what happens to single writes.
    fn observes_anyway(&self) -> bool {
        let noted = self.record.is_some() || self.watch.is_some() || self.applications.is_some();
        noted || self.kernel.trace.wanted()
    }

    /// Plays the run, or what is left of it, to its end.
    #[must_use]
    pub fn run(mut self) -> Finished {
        while self.play_next().is_some() {}
        self.finish()
    }

    /// Plays the next event; its time, or `None` when the run is over: the cluster has settled, or had
    /// its time to, or cannot go on.
    pub fn step(&mut self) -> Option<Time> {
        self.play_next()
    }

    /// Plays every event up to and including the time `at`: those too that the events at `at` cause at
    /// that same instant. Fewer where the run is over before.
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
        self.record.as_ref().map_or(&[], |record| record.node_events())
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
        if self.observed {
            self.look_at(&event);
        }
        // The hot caller of `play` has the event to itself.
        if self.any_paused {
            self.play_unless_held(event);
        } else {
            self.play(event);
        }
        if let Some(steps) = &mut self.steps {
            steps.push((self.kernel.now, self.kernel.digest()));
        }
        if self.kernel.events_now() > self.events_an_instant || self.kernel.is_overfull() {
            self.settlement = Some(self.standstill());
        }
        Some(self.kernel.now)
    }

    fn start(&mut self) {
        self.note_clocks();
        for (index, fault) in (0..).zip(&self.config.faults) {
            let id = fault_id(self.config, fault.id);
            if let Start::At(at) = fault.start {
                self.kernel.schedule(at, id, What::Fault { index, starts: true });
            }
        }
        for (index, change) in (0..).zip(&self.config.changes) {
            let id = CausalId::root(Root::Change, index.into(), 0);
            self.kernel.schedule(change.at, id, What::Change { index });
        }
        let healed_at = Time::ZERO + self.config.duration;
        self.kernel.schedule(healed_at, CausalId::root(Root::Run, 0, 0), What::Heal);
        for node in NodeId::all(self.config.cluster.nodes) {
            self.boot(node, CausalId::root(Root::Boot, node.0.into(), 0));
        }
        self.clients.start(self.config, &mut self.kernel);
    }

    /// Which clocks are wrong from the start.
    fn note_clocks(&mut self) {
        let nodes = NodeId::all(self.config.cluster.nodes).map(Befallen::Node);
        let clients = self.config.client_clocks.iter();
        let clocks = nodes.zip(&self.config.clocks);
        let of_clients = clients.map(|(client, clock)| (Befallen::Client(*client), clock));
        for (befell, clock) in clocks.chain(of_clients) {
            if clock.offset_ns != 0 {
                self.kernel.incidents.note(Hazard::ClockSkew, befell, Time::ZERO);
            }
            if clock.drift_ppb != 0 {
                self.kernel.incidents.note(Hazard::ClockDrift, befell, Time::ZERO);
            }
        }
    }

    /// Plays an event in a run in which some node is paused, or was a moment ago.
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
        // The event is taken apart where it lies: moving its content out as a whole would cost as much as a
        // follower's part of a write.
        let id = event.id;
        match event.what {
            What::Message { to, from, boot, message } => {
                self.deliver(id, (from, to), boot, message);
            }
            What::Refused { to, from, boot, message } => {
                self.come_back(id, (from, to), boot, message);
            }
            What::Request { node, client, request, operation } => {
                let stamped = self.stamped(client, request);
                self.request(id, node, Input::Request { client, request, operation, stamped });
            }
            What::Answer { client, node, request, reply } => {
                self.kernel.counts.delivered += 1;
                let (clients, mut world) = self.clients();
                clients.answer((client, node), request, reply, &mut world);
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
                let (clients, mut world) = self.clients();
                clients.turn(client, due_at, &mut world);
            }
            What::Arrival { index } => {
                let (clients, mut world) = self.clients();
                clients.arrive(index, &mut world);
            }
            What::Alarm { client } => {
                let (clients, mut world) = self.clients();
                clients.alarm(client, &mut world);
                self.look_for_the_last_write();
            }
            What::Retry { client, request } => {
                let (clients, mut world) = self.clients();
                clients.retry((client, request), &mut world);
            }
            What::Fault { index, starts: true } => self.start_fault(index, id),
            What::Fault { index, starts: false } => self.end_fault(index, id),
            What::Change { index } => self.change(index),
            What::Heal => self.heal_all(id),
            What::SettleCheck => self.settlement = self.check_settled(id),
        }
    }

    /// The clients, and what they act in.
    #[inline]
    fn clients(&mut self) -> (&mut Clients, World<'_, P, Q>) {
        let (config, kernel, network) = (self.config, &mut self.kernel, &self.network);
        (&mut self.clients, World { config, kernel, network })
    }

    /// A message reaches its receiver.
    #[inline]
    fn deliver(
        &mut self,
        id: CausalId,
        (from, to): (NodeId, NodeId),
        boot: u32,
        message: P::Message,
    ) {
        self.kernel.in_flight -= u64::from(!message.is_background());
        if self.slots[to.index()].is_up() {
            self.kernel.counts.delivered += 1;
            // Not through `handle`, so that the message moves once less.
            self.node_step(to, id, |state, cx| {
                if let Some(state) = state {
                    state.handle(Input::Message { from, message }, cx);
                }
            });
        } else {
            self.kernel.lose((from, to), false);
            self.note_down(to);
            self.refuse(id, (from, to), boot, message);
        }
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
        let Some((node, _)) = event.what.process() else { return };
        let slot = &mut self.slots[node.index()];
        if let What::Disk { ticket, .. } = &event.what {
            // The disk works on while the process does not.
            slot.disk.complete(*ticket);
        }
        slot.backlog.push(event);
    }

    /// What reached a node while it was paused reaches its process now that it goes on.
    #[cold]
    fn replay(&mut self, event: Event<P>) {
        if self.kernel.trace.wanted() && !self.is_held(&event.what) {
            self.trace_resumed(&event.what);
        }
        // The node is no longer paused, unless what waited before this had a fault that pauses it.
        self.play_unless_held(event);
    }

    /// A client's request reaches a node.
    fn request(&mut self, id: CausalId, node: NodeId, input: Input<P>) {
        if self.slots[node.index()].is_up() {
            self.kernel.counts.delivered += 1;
            self.handle(node, id, input);
        } else if let Input::Request { request, .. } = input {
            // The connection is refused: the one thing a client learns of a node that is down.
            self.kernel.counts.lost += 1;
            self.note_down(node);
            let refusal = crate::protocol::Outcome::Refused(Failure::Refused);
            self.reply(node, id, request, Reply::of(refusal));
        }
    }

    /// What a client's wall clock showed when it invoked what `request` is an attempt at.
    fn stamped(&self, client: ClientId, request: RequestId) -> Wall {
        let invoked_at = self.kernel.history.entry(request.operation).invoked_at;
        let clocks = &self.config.client_clocks;
        if clocks.is_empty() {
            // A clock without error.
            return Clock::new(crate::config::Clock::default()).wall_when(invoked_at);
        }
        let place = clocks.binary_search_by_key(&client, |(client, _)| *client);
        let clock = Clock::new(place.map_or_else(|_| Default::default(), |place| clocks[place].1));
        clock.wall_when(clock.monotonic(invoked_at))
    }

    /// Builds a node from its disk.
    fn boot(&mut self, node: NodeId, id: CausalId) {
        self.stop_timers(node);
        let slot = &mut self.slots[node.index()];
        slot.boot += 1;
        if slot.disk.is_unreadable() {
            return self.stop((node, false), "its disk cannot be read", id);
        }
        let (settings, image) = (self.settings, slot.disk.image());
        slot.disk.is_taken();
        self.watch_boots();
        self.node_step(node, id, |state, cx| *state = Some(P::recover(settings, &image, cx)));
        self.watch_booted(node);
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
            observed: self.observed,
            disk_is_full: slot.disk.is_full(),
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
        // Most steps have one effect; popping leaves the buffer its room.
        list.reverse();
        while let Some(effect) = list.pop() {
            match effect {
                Effect::Send { to, message } => self.send((node, to), id, message),
                Effect::Observe(observation) => self.observe(node, observation),
                Effect::Reply { request, reply } => self.reply(node, id, request, reply),
                Effect::Continue(origin) => {
                    id = origin;
                    self.ordinals.next_step();
                }
                Effect::Stop(why) => self.stop((node, true), &why, id),
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
                    let slot = &mut self.slots[node.index()];
                    let ordinal = self.ordinals.disk(file);
                    // What is appended has no event of its own, and no luck to be drawn.
                    let is_silent =
                        matches!(operation, DiskOperation::Append { .. }) && !slot.disk.is_full();
                    let id =
                        if is_silent { id } else { id.child(Cause::Disk, file.0.into(), ordinal) };
                    let latency = (&self.kernel.draws, &self.config.disk.sync);
                    let (bytes, now) = (&self.effects.bytes, self.kernel.now);
                    let named = (ticket, file);
                    let done = slot.disk.perform(named, &operation, bytes, (now, id), latency);
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
            }
        }
        self.effects.list = list;
        self.effects.bytes.clear();
    }

    /// A node's timer runs from now on until `due`, in place of one of that name.
    fn start_timer(&mut self, node: NodeId, timer: P::Timer, due: Time, id: CausalId) {
        let slot = &mut self.slots[node.index()];
        let (boot, generation) = (slot.boot, slot.timers.next_generation());
        let what = What::Timer { node, boot, generation, timer };
        let event = self.kernel.schedule_revocable(due, id, what);
        if let Some(before) = slot.timers.start(timer, Running { generation, due, event }) {
            self.kernel.revoke(before);
        }
    }

    /// No timer of a node runs any more.
    fn stop_timers(&mut self, node: NodeId) {
        for event in self.slots[node.index()].timers.clear() {
            self.kernel.revoke(event);
        }
    }

    /// A node's process gives up, for good or until the faults are over.
    #[cold]
    fn stop(&mut self, (node, for_good): (NodeId, bool), why: &str, id: CausalId) {
        self.crash(node, (false, for_good), id);
        let what = format!("{node} stops: {why}");
        if self.kernel.trace.wanted() {
            self.kernel.trace.line(self.kernel.now, &node.to_string(), ". stop", why);
        }
        self.kernel.history.act(self.kernel.now, None, true, what);
    }

    /// Hands a message to the network.
    #[inline]
    fn send(&mut self, (from, to): (NodeId, NodeId), id: CausalId, message: P::Message) {
        let kind = message.kind();
        let ordinal = self.ordinals.message(to, kind);
        let id = id.child(Cause::Send, u64::from(to.0) | u64::from(kind) << 16, ordinal);
        self.kernel.counts.sent += 1;
        let counted = u64::from(!message.is_background());
        let boot = self.slots[from.index()].boot;
        if from == to {
            self.kernel.in_flight += counted;
            let what = What::Message { to, from, boot, message };
            self.kernel.schedule(self.kernel.now, id, what);
            return;
        }
        let size = self.weigh(&message);
        let packet = Packet { from, to, kind, size, id };
        let fate = self.network.decide(packet, self.kernel.now, &self.kernel.draws);
        if self.observed {
            self.watch_sent((from, to), &message, fate);
            self.note_stopped((from, to, id), &message, fate);
        }
        match fate {
            // As a rule: nothing copies the message on its way into the queue.
            Fate::Arrives { at, copy: None } => {
                self.kernel.in_flight += counted;
                self.kernel.schedule(at, id, What::Message { to, from, boot, message });
            }
            Fate::Arrives { .. } | Fate::Slowed { .. } => {
                self.kernel.in_flight += counted;
                self.put_on_its_way((from, to, boot), id, message, fate);
            }
            fate @ (Fate::Lost | Fate::Blocked) => {
                self.kernel.lose((from, to), fate == Fate::Blocked);
                if self.kernel.trace.wanted() {
                    let what = if fate == Fate::Lost { ". lost" } else { ". blocked" };
                    let text = message.describe(&self.config.names);
                    let kind = P::Message::KINDS[usize::from(kind)];
                    let text = format!("{kind} to {to}: {text}");
                    self.kernel.trace.line(self.kernel.now, &from.to_string(), what, &text);
                }
            }
            Fate::Held { fault } => {
                self.kernel.in_flight += counted;
                let event = Event { id, what: What::Message { to, from, boot, message } };
                self.held.push((fault, event, self.network.take_slowness()));
            }
        }
    }

    /// Schedules the arrival of a message that the network lets through, and of its copy.
    #[cold]
    fn put_on_its_way(
        &mut self,
        (from, to, boot): (NodeId, NodeId, u32),
        id: CausalId,
        message: P::Message,
        fate: Fate,
    ) {
        match fate {
            Fate::Arrives { at, copy } => {
                if let Some(copy_at) = copy {
                    self.kernel.counts.duplicated += 1;
                    self.kernel.in_flight += u64::from(!message.is_background());
                    let what = What::Message { to, from, boot, message: message.clone() };
                    self.kernel.schedule(copy_at, id.child(Cause::Duplicate, 0, 0), what);
                }
                self.kernel.schedule(at, id, What::Message { to, from, boot, message });
            }
            Fate::Slowed { at, copy } => {
                self.send_slowed((from, to, boot), id, message, (at, copy));
            }
            Fate::Lost | Fate::Blocked | Fate::Held { .. } => {}
        }
    }

    /// Schedules the arrival of a message, which comes sooner if what slows it ends.
    #[cold]
    fn send_slowed(
        &mut self,
        (from, to, boot): (NodeId, NodeId, u32),
        id: CausalId,
        message: P::Message,
        (at, copy): (Time, Option<Time>),
    ) {
        let copy = copy.map(|copy_at| {
            self.kernel.counts.duplicated += 1;
            self.kernel.in_flight += u64::from(!message.is_background());
            let what = What::Message { to, from, boot, message: message.clone() };
            let id = id.child(Cause::Duplicate, 0, 0);
            self.kernel.schedule_revocable(copy_at, id, what)
        });
        let what = What::Message { to, from, boot, message };
        let event = self.kernel.schedule_revocable(at, id, what);
        self.network.arrives_by(event, copy);
    }

    /// How large a message is on the wire, where that matters.
    #[inline]
    fn weigh(&self, message: &P::Message) -> u64 {
        if self.network.weighs() { message.wire_size(&self.config.names) } else { 0 }
    }

    /// Sends an answer to a client.
    fn reply(&mut self, node: NodeId, id: CausalId, request: RequestId, reply: Reply) {
        let client = self.kernel.history.entry(request.operation).client;
        self.kernel.counts.sent += 1;
        if self.contest.is_open() {
            self.note_answered(node, request, &reply);
        }
        if let Some(watch) = &mut self.watch {
            watch.answers(self.kernel.now, node, request.operation);
        }
        if !self.network.client_reaches(client, node) {
            self.kernel.counts.blocked += 1;
            if let Some(stopped) = &mut self.kernel.stopped {
                stopped.answer(self.kernel.now, node, client, request);
            }
            return;
        }
        if self.triggers.is_some() {
            self.answers(node, request, &reply);
        }
        let attempt = self.clients.attempt_id(client, request).unwrap_or(id);
        let takes = self.network.client_takes(client, node, (attempt, 1), &self.kernel.draws);
        let id = id.child(Cause::Reply, client.0.into(), request.attempt);
        self.kernel.schedule_after(takes, id, What::Answer { client, node, request, reply });
    }

    /// A node as it stands, with what only the simulation knows of it.
    fn snapshot(&self, node: NodeId) -> NodeSnapshot {
        let mut snapshot = self.slots[node.index()].snapshot(node);
        snapshot.paused = self.slots[node.index()].paused;
        snapshot.blocked = self.network.blocked_from(node);
        snapshot
    }
}

/// The identity of a fault, by its id in the scenario and not by its place: taking out one before it changes
/// nothing.
fn fault_id(config: &Config, fault: FaultId) -> CausalId {
    CausalId::root(Root::Fault, name_hash(config.names.fault(fault)), 0)
}
