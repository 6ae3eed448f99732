//! Nodes of a protocol without a simulation: a test says what happens, one step at a time.
//!
//! A [`Harness`] owns the nodes of a cluster, their disks and clocks, and the messages on their way. Nothing happens
//! by itself: the test fires a timer, delivers or drops a message, completes a sync, crashes a node. Each step is
//! written down in a transcript, with all that the node asked for in answer to it. A transcript that is kept beside
//! the test shows the behaviour of a protocol to people, and its change as a diff.
//!
//! ```text
//! n2 <- n1 request-vote term 2, log to 1.4
//!   n2 role follower of term 2
//!   n2 replace ballot: term 2, vote for n1
//! n2 disk: replaced ballot
//!   n2 -> n1 vote term 2: yes
//! ```
//!
//! A line that begins at the margin is what happened to a node; those under it are what the node asked for, one line
//! an effect, in the order in which it asked.
//!
//! # Example
//!
//! A store of two nodes that hands every write on and answers at once.
//!
//! ```
//! use std::collections::BTreeMap;
//! use splitbrain::config::Config;
//! use splitbrain::names::Names;
//! use splitbrain::operation::Operation;
//! use splitbrain::id::{KeyId, NodeId, Value, Version};
//! use splitbrain::property::Promises;
//! use splitbrain::protocol::harness::Harness;
//! use splitbrain::protocol::{
//!     Context, DiskImage, Input, Message, NoTimer, NodeSnapshot, Outcome, Protocol, Reply, Response, Role, Stored,
//! };
//!
//! #[derive(Clone, Debug, Hash)]
//! struct Copy { key: KeyId, stored: Stored }
//! impl Message for Copy {
//!     const KINDS: &'static [&'static str] = &["copy"];
//!     fn kind(&self) -> u8 { 0 }
//!     fn describe(&self, names: &Names) -> String {
//!         format!("{} {}", names.key(self.key), self.stored.version)
//!     }
//! }
//!
//! struct Copies { me: NodeId, data: BTreeMap<KeyId, Stored> }
//! impl Protocol for Copies {
//!     type Config = ();
//!     type Message = Copy;
//!     type Record = ();
//!     type Timer = NoTimer;
//!
//!     fn recover(_: &(), _: &DiskImage, cx: &mut Context<'_, Self>) -> Self {
//!         Self { me: cx.node(), data: BTreeMap::new() }
//!     }
//!     fn handle(&mut self, input: Input<Self>, cx: &mut Context<'_, Self>) {
//!         match input {
//!             Input::Request { request, operation: Operation::Put { key, value, .. }, .. } => {
//!                 let version = Version { timestamp: cx.wall().0, node: self.me, sequence: 1 };
//!                 let stored = Stored { value: Some(value), version };
//!                 self.data.insert(key, stored);
//!                 for peer in cx.peers() {
//!                     cx.send(peer, Copy { key, stored });
//!                 }
//!                 let written = Response::Written { version, existed: None };
//!                 cx.reply(request, Reply::of(Outcome::Ok(written)));
//!             }
//!             Input::Message { message: Copy { key, stored }, .. } => {
//!                 self.data.insert(key, stored);
//!             }
//!             _ => {}
//!         }
//!     }
//!     fn snapshot(&self) -> NodeSnapshot {
//!         NodeSnapshot { data: self.data.clone(), ..NodeSnapshot::new(self.me, Role::Leader) }
//!     }
//!     fn promises(_: &(), _: &Config) -> Promises {
//!         Promises::default()
//!     }
//! }
//!
//! let mut cluster = Harness::<Copies>::new(2, ());
//! let [n1, n2] = [NodeId(0), NodeId(1)];
//! cluster.start_all()?;
//! let put = cluster.put("city", "Raleigh");
//! cluster.request(n1, put)?;
//! cluster.deliver(n1, n2)?;
//! assert_eq!(cluster.snapshot(n2), cluster.snapshot(n1).map(|there| {
//!     NodeSnapshot { node: n2, ..there }
//! }));
//! assert_eq!(cluster.transcript(), "\
//! n1 starts with a new disk
//! n2 starts with a new disk
//! n1 <- request 1: put city=Raleigh
//!   n1 -> n2 copy city 0.000000000@n1#1
//!   n1 replies to request 1: ok, version 0.000000000@n1#1
//! n2 <- n1 copy city 0.000000000@n1#1
//! ");
//! // What cannot happen is an error that says why.
//! let error = cluster.deliver(n1, n2).unwrap_err();
//! assert_eq!(error.to_string(), "no message is on its way from n1 to n2");
//! # Ok::<(), splitbrain::protocol::harness::StepError>(())
//! ```
//!
//! # What it leaves out
//!
//! The harness draws nothing and checks nothing: no delays, no faults by chance, no history, no verdicts. Those are
//! the simulation's, which runs the same protocol from a scenario. All clocks run alike, unless
//! [`Harness::set_wall_offset`] puts one wrong.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;

use crate::config::Cluster;
use crate::id::{ClientId, KeyId, NodeId, OpId, Value};
use crate::names::Names;
use crate::operation::Operation;
use crate::rng::{CausalId, Draws, Root};
use crate::time::{Span, Time, Wall};

use super::{
    Context, DiskError, DiskImage, DiskOperation, DiskOrigin, Effect, Effects, File, Input,
    Message, NodeSnapshot, Observation, Protocol, Reply, RequestId, wal,
};

use disk::Disk;
pub use disk::Unsynced;

mod disk;

/// The client that asks everything.
const CLIENT: ClientId = ClientId(0);

/// After how many steps [`Harness::settle`] takes a cluster for one that never falls silent.
const MOST_STEPS: u32 = 100_000;

/// A step that cannot be taken. Nothing has happened: the harness is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// There is no such node.
    #[error("there is no {node}: the cluster has {nodes} nodes")]
    NoSuchNode {
        /// The node.
        node: NodeId,
        /// How many there are.
        nodes: u16,
    },
    /// The node's process does not run.
    #[error("{0} is down")]
    Down(NodeId),
    /// The node's process runs.
    #[error("{0} is up")]
    Up(NodeId),
    /// The timer is not set.
    #[error("{node} has not set timer {timer}; set: {set}")]
    TimerNotSet {
        /// The node.
        node: NodeId,
        /// The timer.
        timer: String,
        /// Those that are set, the first due first; `none`.
        set: String,
    },
    /// No message is on its way, or fewer than the place that was asked for.
    #[error("{}", no_message(*.from, *.to, *.waiting))]
    NoMessage {
        /// Who would have sent it.
        from: NodeId,
        /// Whom it would be for.
        to: NodeId,
        /// How many are on their way.
        waiting: usize,
    },
    /// The disk has nothing to complete.
    #[error("{0} waits for nothing of its disk")]
    NothingToSync(NodeId),
    /// The request was never made.
    #[error("there was no request {}", .0.operation.0 + 1)]
    NoSuchRequest(RequestId),
    /// Nodes answer one another for ever.
    #[error("after {0} steps messages are still on their way")]
    NeverSettles(u32),
}

fn no_message(from: NodeId, to: NodeId, waiting: usize) -> String {
    match waiting {
        0 => format!("no message is on its way from {from} to {to}"),
        1 => format!("only one message is on its way from {from} to {to}"),
        _ => format!("only {waiting} messages are on their way from {from} to {to}"),
    }
}

/// The nodes of a cluster, and everything around them.
pub struct Harness<P: Protocol> {
    settings: P::Config,
    cluster: Cluster,
    names: Names,
    now: Time,
    draws: Draws,
    machines: Vec<Machine<P>>,
    /// By sender and receiver, the oldest first.
    links: BTreeMap<(NodeId, NodeId), VecDeque<P::Message>>,
    effects: Effects<P>,
    /// By [`OpId`]: what was asked, and how many times.
    asked: Vec<(Operation, u32)>,
    replies: Vec<(RequestId, Reply)>,
    observations: Vec<(NodeId, Observation)>,
    transcript: String,
}

/// A node with its disk.
struct Machine<P: Protocol> {
    /// `None` while it is down.
    process: Option<P>,
    disk: Disk,
    /// In the order in which they were set.
    timers: Vec<(P::Timer, Time)>,
    next_ticket: u64,
    /// The first ticket of the process that runs: earlier ones are of processes that died.
    first_ticket: u64,
    steps: u64,
    /// Wall clock minus monotonic clock, in nanoseconds.
    wall_offset: i64,
}

impl<P: Protocol> std::fmt::Debug for Harness<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Harness")
            .field("settings", &self.settings)
            .field("cluster", &self.cluster)
            .field("now", &self.now)
            .field("links", &self.links)
            .finish_non_exhaustive()
    }
}

impl<P: Protocol> Harness<P> {
    /// A cluster of this many nodes with these settings, whose initial leader is `n1`. All nodes are down, each with a
    /// new disk.
    ///
    /// # Panics
    ///
    /// When `nodes` is 0 or above [`crate::id::MAX_NODES`].
    #[must_use]
    pub fn new(nodes: u16, settings: P::Config) -> Self {
        Self::of_cluster(Cluster { nodes, initial_leader: Some(NodeId(0)) }, settings)
    }

    /// The same, with the initial leader of `cluster`, or none.
    ///
    /// # Panics
    ///
    /// When the cluster has no node, or more than [`crate::id::MAX_NODES`].
    #[must_use]
    pub fn of_cluster(cluster: Cluster, settings: P::Config) -> Self {
        let nodes = usize::from(cluster.nodes);
        assert!((1..=crate::id::MAX_NODES).contains(&nodes), "1 to MAX_NODES nodes: {nodes}");
        let machine = || Machine {
            process: None,
            disk: Disk::default(),
            timers: Vec::new(),
            next_ticket: 0,
            first_ticket: 0,
            steps: 0,
            wall_offset: 0,
        };
        Self {
            settings,
            machines: (0..nodes).map(|_| machine()).collect(),
            cluster,
            names: Names { clients: vec!["c1".to_owned()], ..Names::default() },
            now: Time::ZERO,
            draws: Draws::new(0),
            links: BTreeMap::new(),
            effects: Effects::new(),
            asked: Vec::new(),
            replies: Vec::new(),
            observations: Vec::new(),
            transcript: String::new(),
        }
    }

    // Operations.

    /// The id of a key with this text.
    #[must_use]
    pub fn key(&mut self, text: &str) -> KeyId {
        let place = intern(&mut self.names.keys, text);
        KeyId(u32::try_from(place).expect("fewer than 2^32 keys"))
    }

    /// The value with this text.
    #[must_use]
    pub fn value(&mut self, text: &str) -> Value {
        Value::text(intern(&mut self.names.values, text))
    }

    /// `put key=value`, with the configured write quorum.
    #[must_use]
    pub fn put(&mut self, key: &str, value: &str) -> Operation {
        Operation::Put { key: self.key(key), value: self.value(value), quorum: None }
    }

    /// `get key`, answered by the node asked alone.
    #[must_use]
    pub fn get(&mut self, key: &str) -> Operation {
        Operation::Get { key: self.key(key), quorum: None }
    }

    /// A client asks `node`. Its clock shows what the node's would show without an offset.
    ///
    /// # Errors
    ///
    /// When the node is down.
    pub fn request(&mut self, node: NodeId, operation: Operation) -> Result<RequestId, StepError> {
        self.running(node)?;
        let id = u32::try_from(self.asked.len()).expect("fewer than 2^32 requests");
        self.asked.push((operation, 0));
        self.attempt(node, OpId(id))
    }

    /// The client of `request` asks once more, `node` this time.
    ///
    /// # Errors
    ///
    /// When the node is down, or the request was never made.
    pub fn retry(&mut self, node: NodeId, request: RequestId) -> Result<RequestId, StepError> {
        self.running(node)?;
        let asked = self.asked.get_mut(request.operation.0 as usize);
        let (_, attempts) = asked.ok_or(StepError::NoSuchRequest(request))?;
        *attempts += 1;
        self.attempt(node, request.operation)
    }

    fn attempt(&mut self, node: NodeId, operation: OpId) -> Result<RequestId, StepError> {
        let (asked, attempt) = self.asked[operation.0 as usize];
        let request = RequestId { operation, attempt };
        let text = asked.describe(&self.names);
        self.note(format_args!("{node} <- {}: {text}", request_text(request)));
        let stamped = Wall(nanos(self.now));
        self.handle(node, Input::Request { client: CLIENT, request, operation: asked, stamped });
        Ok(request)
    }

    // Processes and machines.

    /// Starts a node that is down, from what its disk kept: its first boot, or a restart.
    ///
    /// # Errors
    ///
    /// When the node is up.
    pub fn start(&mut self, node: NodeId) -> Result<(), StepError> {
        self.stopped(node)?;
        let machine = &mut self.machines[node.index()];
        machine.first_ticket = machine.next_ticket;
        let image = machine.disk.read();
        self.note(format_args!("{node} starts with {}", disk_text(&image)));
        let settings = self.settings.clone();
        self.step(node, |process, cx| *process = Some(P::recover(&settings, &image, cx)));
        Ok(())
    }

    /// Starts every node that is down, lowest id first.
    ///
    /// # Errors
    ///
    /// None; it returns a result like all other steps.
    pub fn start_all(&mut self) -> Result<(), StepError> {
        let nodes = NodeId::all(self.cluster.nodes);
        let down: Vec<_> = nodes.filter(|node| self.running(*node).is_err()).collect();
        down.into_iter().try_for_each(|node| self.start(node))
    }

    /// The process of a node dies. Its disk keeps everything written and completes what it was asked for; messages
    /// that the node sent arrive all the same.
    ///
    /// # Errors
    ///
    /// When the node is down.
    pub fn crash(&mut self, node: NodeId) -> Result<(), StepError> {
        self.running(node)?;
        self.note(format_args!("{node} crashes"));
        self.end_process(node);
        Ok(())
    }

    /// The machine of a node loses power, and its disk what was not durable, but for what `unsynced` says. The process
    /// may have been dead before.
    ///
    /// # Errors
    ///
    /// When there is no such node.
    pub fn lose_power(&mut self, node: NodeId, unsynced: Unsynced) -> Result<(), StepError> {
        self.machine(node)?;
        let what = match unsynced {
            Unsynced::Lost => "what was not synced is lost".to_owned(),
            Unsynced::Kept => "what was not synced is there all the same".to_owned(),
            Unsynced::Torn { bytes } => format!("{bytes} bytes of what was not synced are left"),
        };
        self.note(format_args!("{node} loses power: {what}"));
        self.end_process(node);
        self.machines[node.index()].disk.lose_power(unsynced);
        Ok(())
    }

    /// A node that is down gets an empty disk in place of its own.
    ///
    /// # Errors
    ///
    /// When the node is up.
    pub fn replace_disk(&mut self, node: NodeId) -> Result<(), StepError> {
        self.stopped(node)?;
        self.note(format_args!("{node} gets an empty disk"));
        self.machines[node.index()].disk.replace();
        Ok(())
    }

    fn end_process(&mut self, node: NodeId) {
        let machine = &mut self.machines[node.index()];
        machine.process = None;
        machine.timers.clear();
        machine.disk.process_died();
        // What a process sends to itself never leaves it.
        self.links.remove(&(node, node));
    }

    // Disks.

    /// Completes the oldest sync or replacement that the disk of `node` has under way. A full disk's refusals come
    /// before those. What a process that died had asked for becomes durable, and nobody is told.
    ///
    /// # Errors
    ///
    /// When nothing is under way.
    pub fn sync(&mut self, node: NodeId) -> Result<(), StepError> {
        let machine = self.machine(node)?;
        let done = machine.disk.complete().ok_or(StepError::NothingToSync(node))?;
        let is_of_this_process = machine.process.is_some() && done.ticket.0 >= machine.first_ticket;
        let file = file_text::<P>(done.file);
        let not = if done.result == Err(DiskError::Full) { "full, has not " } else { "" };
        let whose = if is_of_this_process { "" } else { ", for a process that died" };
        self.note(format_args!("{node} disk: {not}{} {file}{whose}", done.verb));
        if is_of_this_process {
            self.handle(node, Input::Persisted(done.ticket, done.result));
        }
        Ok(())
    }

    /// From now on the disk of `node` has no room, or has room again.
    ///
    /// # Errors
    ///
    /// When there is no such node.
    pub fn set_disk_full(&mut self, node: NodeId, is_full: bool) -> Result<(), StepError> {
        self.machine(node)?.disk.is_full = is_full;
        let state = if is_full { "full" } else { "no longer full" };
        self.note(format_args!("{node} disk: {state}"));
        Ok(())
    }

    // Messages.

    /// Delivers the oldest message from one node to another. At a node that is down it is lost.
    ///
    /// # Errors
    ///
    /// When none is on its way.
    pub fn deliver(&mut self, from: NodeId, to: NodeId) -> Result<(), StepError> {
        self.deliver_nth(from, to, 0)
    }

    /// Delivers a message before those that were sent earlier: the one with `place` others before it on its link.
    ///
    /// # Errors
    ///
    /// When not so many are on their way.
    pub fn deliver_nth(&mut self, from: NodeId, to: NodeId, place: usize) -> Result<(), StepError> {
        let message = self.take_message(from, to, place)?;
        self.note_message(format_args!("{to} <- {from}"), &message);
        if self.machines[to.index()].process.is_none() {
            self.note(format_args!("  lost: {to} is down"));
            return Ok(());
        }
        self.handle(to, Input::Message { from, message });
        Ok(())
    }

    /// The network loses the oldest message from one node to another.
    ///
    /// # Errors
    ///
    /// When none is on its way.
    pub fn drop_message(&mut self, from: NodeId, to: NodeId) -> Result<(), StepError> {
        let message = self.take_message(from, to, 0)?;
        self.note_message(format_args!("lost: {from} -> {to}"), &message);
        Ok(())
    }

    /// The network duplicates the oldest message from one node to another: the copy is the last of the link.
    ///
    /// # Errors
    ///
    /// When none is on its way.
    pub fn duplicate(&mut self, from: NodeId, to: NodeId) -> Result<(), StepError> {
        let message = self.take_message(from, to, 0)?;
        self.note_message(format_args!("duplicated: {from} -> {to}"), &message);
        let link = self.links.entry((from, to)).or_default();
        link.push_front(message.clone());
        link.push_back(message);
        Ok(())
    }

    /// The machine of `to`, whose process is down, refuses the oldest message from `from`, and the refusal arrives:
    /// [`Input::Refused`].
    ///
    /// # Errors
    ///
    /// When no message is on its way, `from` is down or `to` is up.
    pub fn refuse(&mut self, from: NodeId, to: NodeId) -> Result<(), StepError> {
        self.running(from)?;
        self.stopped(to)?;
        let message = self.take_message(from, to, 0)?;
        self.note_message(format_args!("{from} <- {to} refuses"), &message);
        self.effects.returned = Some(message);
        self.handle(from, Input::Refused { to });
        self.effects.returned = None;
        Ok(())
    }

    /// Completes every disk operation and delivers every message, and all that comes of it, until nothing is under way.
    /// In rounds: first the oldest operation of each disk, then the oldest message of each link, lowest ids first. No
    /// timer fires.
    ///
    /// # Errors
    ///
    /// When 100,000 steps do not suffice: nodes answer one another for ever.
    pub fn settle(&mut self) -> Result<(), StepError> {
        for _ in 0..MOST_STEPS {
            let disks = NodeId::all(self.cluster.nodes)
                .filter(|node| self.machines[node.index()].disk.next().is_some());
            let disks: Vec<_> = disks.collect();
            let links = self.links.iter().filter(|(_, link)| !link.is_empty());
            let links: Vec<_> = links.map(|(link, _)| *link).collect();
            if disks.is_empty() && links.is_empty() {
                return Ok(());
            }
            disks.into_iter().try_for_each(|node| self.sync(node))?;
            links.into_iter().try_for_each(|(from, to)| self.deliver(from, to))?;
        }
        Err(StepError::NeverSettles(MOST_STEPS))
    }

    // Time.

    /// Fires a timer that is set. If it is not due yet the clocks of all nodes go on to when it is; timers that are due
    /// before that are late, as those of a busy process are.
    ///
    /// # Errors
    ///
    /// When the node is down or has not set the timer.
    pub fn timer(&mut self, node: NodeId, timer: P::Timer) -> Result<(), StepError> {
        self.fire(node, &timer_text(&timer), |set| *set == timer)
    }

    /// The same by the name that the transcript shows: the timer's `Debug` form in kebab-case.
    ///
    /// # Errors
    ///
    /// When the node is down or has not set the timer.
    pub fn timer_named(&mut self, node: NodeId, name: &str) -> Result<(), StepError> {
        self.fire(node, name, |set| timer_text(set) == name)
    }

    fn fire(
        &mut self,
        node: NodeId,
        name: &str,
        is_meant: impl Fn(&P::Timer) -> bool,
    ) -> Result<(), StepError> {
        self.running(node)?;
        let machine = &mut self.machines[node.index()];
        let Some(place) = machine.timers.iter().position(|(set, _)| is_meant(set)) else {
            let set: Vec<_> = self.timers(node).map(|(set, _)| timer_text(&set)).collect();
            let set = if set.is_empty() { "none".to_owned() } else { set.join(", ") };
            return Err(StepError::TimerNotSet { node, timer: name.to_owned(), set });
        };
        let (timer, due) = machine.timers.remove(place);
        self.now = self.now.max(due);
        let now = (self.now - Time::ZERO).short();
        self.note(format_args!("{node} timer {name} at {now}"));
        self.handle(node, Input::Timer(timer));
        Ok(())
    }

    /// Moves the clocks of all nodes on. No timer fires.
    pub fn advance(&mut self, span: Span) {
        self.now += span;
        let now = (self.now - Time::ZERO).short();
        self.note(format_args!("time is {now}"));
    }

    /// Puts the wall clock of a node wrong, from now on: this many nanoseconds ahead, or behind where negative. Its
    /// monotonic clock and its timers do not change.
    ///
    /// # Errors
    ///
    /// When there is no such node.
    pub fn set_wall_offset(&mut self, node: NodeId, nanos: i64) -> Result<(), StepError> {
        self.machine(node)?.wall_offset = nanos;
        let ahead = if nanos < 0 { "behind" } else { "ahead" };
        let by = Span::from_nanos(nanos.unsigned_abs());
        self.note(format_args!("{node} clock: {by} {ahead}"));
        Ok(())
    }

    // Looking.

    /// The node as it stands; `None` when it is down.
    #[must_use]
    pub fn snapshot(&self, node: NodeId) -> Option<NodeSnapshot> {
        self.process(node).map(P::snapshot)
    }

    /// The state machine of a node; `None` when it is down.
    #[must_use]
    pub fn process(&self, node: NodeId) -> Option<&P> {
        self.machines.get(node.index())?.process.as_ref()
    }

    /// Writes the node as it stands into the transcript.
    ///
    /// # Errors
    ///
    /// When the node is down.
    pub fn show(&mut self, node: NodeId) -> Result<(), StepError> {
        let snapshot = self.running(node)?.snapshot();
        let text = snapshot_text(&snapshot, &self.names);
        self.note(format_args!("{node} is {text}"));
        Ok(())
    }

    /// The timers that are set on a node and when each is due, the first due first.
    pub fn timers(&self, node: NodeId) -> impl Iterator<Item = (P::Timer, Time)> + use<P> {
        let machine = self.machines.get(node.index());
        let mut timers = machine.map_or_else(Vec::new, |machine| machine.timers.clone());
        timers.sort_by_key(|(_, due)| *due);
        timers.into_iter()
    }

    /// The messages on their way from one node to another, the oldest first.
    pub fn in_flight(&self, from: NodeId, to: NodeId) -> impl Iterator<Item = &P::Message> {
        self.links.get(&(from, to)).into_iter().flatten()
    }

    /// What the client was told, in order.
    #[must_use]
    pub fn replies(&self) -> &[(RequestId, Reply)] {
        &self.replies
    }

    /// What the nodes said of themselves, in order.
    #[must_use]
    pub fn observations(&self) -> &[(NodeId, Observation)] {
        &self.observations
    }

    /// The texts behind ids.
    #[must_use]
    pub const fn names(&self) -> &Names {
        &self.names
    }

    /// What the clocks show that are right.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// What has happened, a line each.
    #[must_use]
    pub fn transcript(&self) -> &str {
        &self.transcript
    }

    /// What has happened since this was last asked, or from the start.
    #[must_use]
    pub fn take_transcript(&mut self) -> String {
        std::mem::take(&mut self.transcript)
    }

    // Steps.

    fn machine(&mut self, node: NodeId) -> Result<&mut Machine<P>, StepError> {
        let nodes = self.cluster.nodes;
        self.machines.get_mut(node.index()).ok_or(StepError::NoSuchNode { node, nodes })
    }

    fn running(&mut self, node: NodeId) -> Result<&P, StepError> {
        self.machine(node)?.process.as_ref().ok_or(StepError::Down(node))
    }

    fn stopped(&mut self, node: NodeId) -> Result<(), StepError> {
        if self.machine(node)?.process.is_some() { Err(StepError::Up(node)) } else { Ok(()) }
    }

    fn take_message(
        &mut self,
        from: NodeId,
        to: NodeId,
        place: usize,
    ) -> Result<P::Message, StepError> {
        self.machine(from)?;
        self.machine(to)?;
        let link = self.links.get_mut(&(from, to));
        let waiting = link.as_ref().map_or(0, |link| link.len());
        let taken = link.and_then(|link| link.remove(place));
        taken.ok_or(StepError::NoMessage { from, to, waiting })
    }

    fn handle(&mut self, node: NodeId, input: Input<P>) {
        self.step(node, |process, cx| {
            process.as_mut().expect("whoever hands in an input has looked").handle(input, cx);
        });
    }

    /// Lets a node act, and plays the effects in the order in which it asked for them.
    fn step(&mut self, node: NodeId, act: impl FnOnce(&mut Option<P>, &mut Context<'_, P>)) {
        let machine = &mut self.machines[node.index()];
        machine.steps += 1;
        let mut cx = Context {
            node,
            nodes: self.cluster.nodes,
            initial_leader: self.cluster.initial_leader,
            wall: Wall(nanos(self.now) + machine.wall_offset),
            monotonic: self.now,
            cause: CausalId::root(Root::Boot, node.0.into(), machine.steps),
            draws: &self.draws,
            drawn: 0,
            next_ticket: &mut machine.next_ticket,
            observed: true,
            disk_is_full: machine.disk.is_full,
            effects: &mut self.effects,
        };
        act(&mut machine.process, &mut cx);
        for effect in std::mem::take(&mut self.effects.list) {
            self.play(node, effect);
        }
        self.effects.bytes.clear();
    }

    fn play(&mut self, node: NodeId, effect: Effect<P>) {
        match effect {
            Effect::Send { to, message } => {
                self.note_message(format_args!("  {node} -> {to}"), &message);
                self.links.entry((node, to)).or_default().push_back(message);
            }
            Effect::SetTimer { timer, after } => {
                self.note(format_args!(
                    "  {node} set timer {} {}",
                    timer_text(&timer),
                    after.short()
                ));
                let timers = &mut self.machines[node.index()].timers;
                timers.retain(|(set, _)| *set != timer);
                timers.push((timer, self.now + after));
            }
            Effect::CancelTimer { timer } => {
                let timers = &mut self.machines[node.index()].timers;
                let set = timers.len();
                timers.retain(|(set, _)| *set != timer);
                if timers.len() < set {
                    self.note(format_args!("  {node} cancel timer {}", timer_text(&timer)));
                }
            }
            Effect::Disk { ticket, file, operation } => {
                let text = self.disk_operation_text(file, &operation);
                self.note(format_args!("  {node} {text}"));
                let disk = &mut self.machines[node.index()].disk;
                disk.perform(ticket, file, &operation, &self.effects.bytes);
            }
            Effect::Reply { request, reply } => {
                let text = reply.describe(&self.names);
                self.note(format_args!("  {node} replies to {}: {text}", request_text(request)));
                self.replies.push((request, reply));
            }
            Effect::Observe(observation) => {
                let (kind, text) = observation.describe(&self.names);
                let kind = kind.trim_start_matches(". ");
                self.note(format_args!("  {node} {kind} {text}"));
                self.observations.push((node, observation));
            }
            // Whose luck what follows depends on: nothing is drawn for it here.
            Effect::Continue(_) => {}
            Effect::Stop(why) => {
                self.note(format_args!("  {node} stops: {why}"));
                self.end_process(node);
            }
        }
    }

    // The words of the transcript.

    fn note(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.transcript, "{line}").expect("a string takes text");
    }

    fn note_message(&mut self, who: std::fmt::Arguments<'_>, message: &P::Message) {
        let kind = P::Message::KINDS[usize::from(message.kind())];
        let text = message.describe(&self.names);
        let space = if text.is_empty() { "" } else { " " };
        self.note(format_args!("{who} {kind}{space}{text}"));
    }

    fn disk_operation_text(&self, file: File, operation: &DiskOperation) -> String {
        let file = file_text::<P>(file);
        let records = |start: usize, end: usize| -> Vec<String> {
            let bytes = &self.effects.bytes[start..end];
            let records = wal::salvage::<P::Record>(bytes).records;
            records.iter().map(|record| P::describe_record(record, &self.names)).collect()
        };
        match *operation {
            DiskOperation::Append { start, end, .. } => {
                format!("write {file}: {}", records(start, end).join(", "))
            }
            DiskOperation::Sync => format!("sync {file}"),
            DiskOperation::TruncateSuffix { length } => format!("cut {file} to {length} bytes"),
            DiskOperation::Replace { start, end } => match &records(start, end)[..] {
                [] => format!("replace {file}: nothing"),
                records => format!("replace {file}: {}", records.join("; ")),
            },
        }
    }
}

/// The place of `text` among `texts`, where it is put if it is not there.
fn intern(texts: &mut Vec<String>, text: &str) -> usize {
    texts.iter().position(|known| known == text).unwrap_or_else(|| {
        texts.push(text.to_owned());
        texts.len() - 1
    })
}

fn nanos(time: Time) -> i64 {
    i64::try_from(time.nanos()).expect("a test is shorter than 292 years")
}

fn request_text(request: RequestId) -> String {
    let number = request.operation.0 + 1;
    match request.attempt {
        0 => format!("request {number}"),
        attempt => format!("request {number} (attempt {})", attempt + 1),
    }
}

fn disk_text(image: &DiskImage) -> &'static str {
    match image.origin() {
        DiskOrigin::New => "a new disk",
        DiskOrigin::Kept if image.is_empty() => "its disk, which is empty",
        DiskOrigin::Kept => "its disk",
        DiskOrigin::Replaced => "an empty disk in place of its own",
    }
}

fn file_text<P: Protocol>(file: File) -> String {
    let name = P::FILES.get(usize::from(file.0));
    name.map_or_else(|| format!("file {}", file.0), |name| (*name).to_owned())
}

/// The name of a timer: its `Debug` form in kebab-case.
fn timer_text<T: std::fmt::Debug>(timer: &T) -> String {
    let mut text = String::new();
    for letter in format!("{timer:?}").chars() {
        if letter.is_uppercase() && text.ends_with(char::is_lowercase) {
            text.push('-');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

fn snapshot_text(snapshot: &NodeSnapshot, names: &Names) -> String {
    let NodeSnapshot { node, role, term, leader, awaits, pending, owed, data, lists, .. } =
        snapshot;
    let mut text = format!("{} of term {term}", role.name());
    match (leader, awaits) {
        (Some(leader), _) if leader == node => {}
        (Some(leader), _) => text += &format!(", follows {leader}"),
        (None, Some(awaited)) => text += &format!(", waits for {awaited} to lead"),
        (None, None) => text += ", knows of no leader",
    }
    for what in pending {
        text += &format!("; {what}");
    }
    for (node, what) in owed {
        text += &format!("; {what} ({node})");
    }
    for (key, stored) in data {
        let key_text = names.key(*key);
        let value = match (stored.value, lists.get(key)) {
            (None, _) => "deleted".to_owned(),
            (Some(_), Some(elements)) => {
                let elements = elements.iter().map(|(_, element)| names.value(*element));
                format!("[{}]", elements.collect::<Vec<_>>().join(", "))
            }
            (Some(value), None) => names.value(value),
        };
        text += &format!("\n  {key_text} = {value} {}", stored.version);
    }
    text
}
