//! Nodes of a protocol without a simulation: a test says what happens, one step at a time.
//!
//! A [`Harness`] owns the nodes of a cluster, their disks and clocks, and the messages on their
//! way. Nothing happens by itself: the test fires a timer, delivers or drops a message, completes a
//! sync, crashes a node. Each step is written down in a transcript, with all that the node asked
//! for in answer to it. A transcript that is kept beside the test shows the behaviour of a protocol
//! to people, and its change as a diff.
//!
//! ```text
//! n2 <- n1 request-vote term 2, log to 1.4
//!   n2 role follower of term 2
//!   n2 replace ballot: term 2, vote for n1
//! n2 disk: replaced ballot
//!   n2 -> n1 vote term 2: yes
//! ```
//!
//! A line that begins at the margin is what happened to a node; those under it are what the node
//! asked for, one line an effect, in the order in which it asked.
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
//!     Context, DiskImage, Input, Message, NoTimer, NodeSnapshot, Outcome, Protocol, Reply,
//!     Response, Role, Stored,
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
//! The harness draws nothing and, but for a [`Listener`], checks nothing: no delays, no faults by
//! chance, no history, no verdicts. Those are the simulation's, which runs the same protocol from a
//! scenario. All clocks run alike, unless [`Harness::set_wall_offset`] puts one wrong.
use std::collections::{BTreeMap, VecDeque};

use crate::config::Cluster;
use crate::id::{ClientId, KeyId, NodeId, OpId, Value};
use crate::names::Names;
use crate::operation::Operation;
use crate::rng::Draws;
use crate::time::{Time, Wall};

use super::{Effects, Input, NodeSnapshot, Observation, Protocol, Reply, RequestId, Session};

use disk::ManualDisk;
use words::{intern, nanos, request_text, snapshot_text};

pub use disk::Unsynced;
pub use error::StepError;

mod disk;
mod error;
mod machines;
mod messages;
mod step;
#[cfg(test)]
mod tests;
mod words;

/// The client that asks unless another is named.
const CLIENT: &str = "c1";

/// Hears everything that the nodes of a harness say of themselves, and puts a line into the
/// transcript where there is something to say to it.
///
/// [`crate::check::replicated_log::LogLedger`] is one: a transcript of a protocol that keeps a
/// replicated log shows which invariant a step breaks.
pub trait Listener {
    /// A node starts, and will say what its disk kept.
    fn starts(&mut self, now: Time, node: NodeId);
    /// A node has started; `is_up` is false where it stopped in the attempt.
    fn has_started(&mut self, now: Time, node: NodeId, is_up: bool) -> Option<String>;
    /// A node says something.
    fn hears(&mut self, now: Time, node: NodeId, observation: &Observation) -> Option<String>;
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
    /// By [`OpId`].
    asked: Vec<Requested>,
    replies: Vec<(RequestId, Reply)>,
    observations: Vec<(NodeId, Observation)>,
    listener: Option<Box<dyn Listener>>,
    transcript: String,
}

/// What a client asks, however often.
#[derive(Clone, Copy)]
struct Requested {
    session: Session,
    operation: Operation,
    /// The number of the last attempt, counted from 0.
    attempt: u32,
}

/// A node with its disk.
struct Machine<P: Protocol> {
    /// `None` while it is down.
    process: Option<P>,
    disk: ManualDisk,
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
    /// A cluster of this many nodes with these settings, whose initial leader is `n1`. All nodes
    /// are down, each with a new disk.
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
            disk: ManualDisk::default(),
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
            names: Names { clients: vec![CLIENT.to_owned()], ..Names::default() },
            now: Time::ZERO,
            draws: Draws::new(0),
            links: BTreeMap::new(),
            effects: Effects::new(),
            asked: Vec::new(),
            replies: Vec::new(),
            observations: Vec::new(),
            listener: None,
            transcript: String::new(),
        }
    }

    /// The same harness, with somebody who hears what the nodes say.
    #[must_use]
    pub fn heard_by(mut self, listener: impl Listener + 'static) -> Self {
        self.listener = Some(Box::new(listener));
        self
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

    /// The client `c1` asks `node`. Its clock shows what the node's would show without an offset.
    /// The sequences of its [`Session`] rise by themselves.
    ///
    /// # Errors
    ///
    /// When the node is down.
    pub fn request(&mut self, node: NodeId, operation: Operation) -> Result<RequestId, StepError> {
        self.request_of(CLIENT, node, operation)
    }

    /// The same by the client of this name.
    ///
    /// # Errors
    ///
    /// When the node is down.
    pub fn request_of(
        &mut self,
        client: &str,
        node: NodeId,
        operation: Operation,
    ) -> Result<RequestId, StepError> {
        self.running(node)?;
        let place = intern(&mut self.names.clients, client);
        let client = ClientId(u32::try_from(place).expect("fewer than 2^32 clients"));
        let own = self.asked.iter().rev().find(|asked| asked.session.client == client);
        let sequence = own.map_or(0, |asked| asked.session.sequence) + 1;
        let id = u32::try_from(self.asked.len()).expect("fewer than 2^32 requests");
        self.asked.push(Requested { session: Session { client, sequence }, operation, attempt: 0 });
        Ok(self.attempt(node, OpId(id)))
    }

    /// The first attempt at what the transcript calls the request of this number.
    ///
    /// # Errors
    ///
    /// When there was none.
    pub fn requested(&self, number: u32) -> Result<RequestId, StepError> {
        match number.checked_sub(1) {
            Some(id) if (id as usize) < self.asked.len() => Ok(RequestId::new(OpId(id), 0)),
            Some(_) | None => Err(StepError::NoSuchRequest(number)),
        }
    }

    /// The client of `request` asks once more, `node` this time.
    ///
    /// # Errors
    ///
    /// When the node is down, or the request was never made.
    pub fn retry(&mut self, node: NodeId, request: RequestId) -> Result<RequestId, StepError> {
        self.running(node)?;
        let id = request.operation();
        let asked = self.asked.get_mut(id.0 as usize);
        asked.ok_or(StepError::NoSuchRequest(id.0 + 1))?.attempt += 1;
        Ok(self.attempt(node, id))
    }

    fn attempt(&mut self, node: NodeId, id: OpId) -> RequestId {
        let Requested { session, operation, attempt } = self.asked[id.0 as usize];
        let request = RequestId::new(id, attempt);
        let whose = match self.names.client(session.client) {
            CLIENT => String::new(),
            client => format!(" of {client}"),
        };
        let text = self.names.call(operation, &self.names.batches);
        self.note(format_args!("{node} <- {}{whose}: {text}", request_text(request)));
        let stamped = Wall(nanos(self.now));
        self.handle(node, Input::Request { session, request, operation, stamped });
        request
    }

    /// A batch of these operations.
    #[must_use]
    pub fn batch(&mut self, parts: &[Operation]) -> Operation {
        Operation::Batch(self.names.batches.intern(parts.into()))
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

    /// The replies to the client, in order.
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

    // What a step needs.

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
}
