//! The contract a replication protocol meets, and the protocols that come with splitbrain.
//!
//! A protocol is a state machine without input or output of its own (sans-IO): [`Protocol::handle`] takes one
//! [`Input`], changes the node's state, and pushes its effects into a [`Context`]. The simulation owns the effects
//! and plays them: messages travel a network that may lose them, an append is durable when its sync says so, a
//! timer runs on the node's own clock. The duties of an implementation:
//!
//! 1. **Crash is drop.** A node that crashes is dropped; [`Protocol::recover`] builds it again from what its disk
//!    kept, and from nothing else. First boot is a recovery from a new disk; what the scenario appoints (a leader)
//!    it appoints then, and [`DiskImage::origin`] tells a new disk from one with nothing on it.
//! 2. **No promise leaves before its record is durable.** [`Context::append`] only writes; a vote, an
//!    acknowledgement or a reply that depends on a record leaves when [`Input::Persisted`] brings the ticket of a
//!    [`Context::sync`] that covers it.
//! 3. **No other source of time or chance** than [`Context::wall`], [`Context::monotonic`] and
//!    [`Context::random`], and no iteration over anything whose order is not defined.
//! 4. **Say what happens.** Invariants, metrics and explanations read the [`Observation`]s a protocol emits.
//!
//! A protocol of another crate implements [`Protocol`] (and
//! [`crate::scenario::ScenarioProtocol`], to be named in scenario files). The whole of a store whose nodes answer
//! from their own memory and never replicate:
//!
//! ```
//! use std::collections::BTreeMap;
//! use splitbrain::config::Config;
//! use splitbrain::operation::Operation;
//! use splitbrain::id::{KeyId, NodeId, Value, Version};
//! use splitbrain::property::Promises;
//! use splitbrain::protocol::{
//!     Context, DiskImage, Input, Message, NodeSnapshot, NoTimer, Outcome, Protocol, Reply, Response, Role,
//! };
//!
//! #[derive(Clone, Debug, Hash)]
//! enum Never {}
//! impl Message for Never {
//!     const KINDS: &'static [&'static str] = &[];
//!     fn kind(&self) -> u8 { match *self {} }
//! }
//!
//! struct Alone { me: NodeId, data: BTreeMap<KeyId, (Value, Version)> }
//!
//! impl Protocol for Alone {
//!     type Config = ();
//!     type Message = Never;
//!     type Record = ();
//!     type Timer = NoTimer;
//!
//!     fn recover(_: &(), _: &DiskImage, cx: &mut Context<'_, Self>) -> Self {
//!         Self { me: cx.node(), data: BTreeMap::new() }
//!     }
//!     fn handle(&mut self, input: Input<Self>, cx: &mut Context<'_, Self>) {
//!         let Input::Request { request, operation, .. } = input else { return };
//!         let response = match operation {
//!             Operation::Put { key, value, .. } => {
//!                 let version = Version { timestamp: cx.wall().0, node: self.me, sequence: 0 };
//!                 self.data.insert(key, (value, version));
//!                 Response::Written { version, existed: None }
//!             }
//!             Operation::Get { key, .. } => match self.data.get(&key) {
//!                 Some((value, version)) => Response::Found { value: *value, version: *version },
//!                 None => Response::Absent,
//!             },
//!             _ => return cx.reply(request, Reply::unsupported()),
//!         };
//!         cx.reply(request, Reply::of(Outcome::Ok(response)));
//!     }
//!     fn snapshot(&self) -> NodeSnapshot {
//!         NodeSnapshot::new(self.me, Role::Leader)
//!     }
//!     fn promises(_: &(), _: &Config) -> Promises {
//!         Promises::default()
//!     }
//! }
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::hash::Hash;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::Config;
use crate::history::{Failure, Item};
use crate::id::{ClientId, KeyId, NodeId, OpId, Term, Value, Version};
use crate::named::Named;
use crate::names::Names;
use crate::operation::Operation;
use crate::property::{Promises, SettlesWithin};
use crate::rng::CausalId;
use crate::time::Wall;

pub use crate::history::Over;
pub use context::Context;
pub(crate) use effect::{DiskOperation, Effect, Effects};
use parts::wal;

pub use observation::{DiscardReason, Observation};

pub mod authors {
    #![doc = include_str!("AUTHORS.md")]
}

mod context;
mod effect;
pub mod harness;
pub mod leader_follower;
mod observation;
pub mod parts;

/// A replication protocol: the state machine of one node.
pub trait Protocol: Sized + 'static {
    /// Its validated settings, the same on every node.
    type Config: Clone + fmt::Debug + PartialEq + Send + Sync + 'static;
    /// What its nodes send one another.
    type Message: Message;
    /// What it writes to its log, encoded by serde and postcard.
    type Record: Serialize + DeserializeOwned + fmt::Debug;
    /// The names of its timers; at most one timer of each name runs on a node.
    type Timer: Copy + Eq + Hash + fmt::Debug + Send + 'static;

    /// Whether a node that reads its whole log back stores what it stored before: nothing that it stores waits, after
    /// a start, for others to say that it is committed. The replay checker then compares the two.
    const REPLAY_RESTORES_DATA: bool = false;

    /// The names of its files by number, as transcripts show them; `file 2` for one without a name.
    const FILES: &'static [&'static str] = &[];

    /// Builds the node from what its disk kept; on first boot that is nothing.
    fn recover(config: &Self::Config, disk: &DiskImage, cx: &mut Context<'_, Self>) -> Self;

    /// Takes one input.
    fn handle(&mut self, input: Input<Self>, cx: &mut Context<'_, Self>);

    /// The node as it stands: what a status page would show, and a cross-check of the observations.
    fn snapshot(&self) -> NodeSnapshot;

    /// A record in words, as transcripts show it.
    fn describe_record(record: &Self::Record, names: &Names) -> String {
        let _ = names;
        format!("{record:?}")
    }

    /// What these settings promise of each property, given the scenario (who is read from, say).
    fn promises(config: &Self::Config, scenario: &Config) -> Promises;

    /// How long these settings may need, after everything has healed, until all that was begun has ended and replicas
    /// hold the same: the longest of timeouts, intervals of repeating, elections and delays that can follow one another,
    /// with losses and slow clocks counted in. A property that is to hold in the end, and does not, is a violation only
    /// where the run had that long.
    fn settles_within(config: &Self::Config, scenario: &Config) -> SettlesWithin {
        let _ = (config, scenario);
        SettlesWithin::Unsaid { why: "the protocol does not say" }
    }
}

/// A message between nodes.
///
/// Its `Hash` feeds the digest of the run, so it must cover the content and hold no slice of integers wider than
/// a byte ([`crate::digest`]).
pub trait Message: Clone + Hash + fmt::Debug + Send + 'static {
    /// The names of the kinds of message, in kebab-case, as faults and traces name them; at most 255.
    const KINDS: &'static [&'static str];

    /// Which of [`Message::KINDS`] this is.
    fn kind(&self) -> u8;

    /// The size on the wire in bytes, for links with a bandwidth, where keys and values have no say in it.
    fn size(&self) -> u64 {
        64
    }

    /// The size on the wire in bytes, with the lengths of the keys and values in it. Asked only where a link has a
    /// bandwidth.
    fn wire_size(&self, names: &Names) -> u64 {
        let _ = names;
        self.size()
    }

    /// Whether it says no more than "I am here": a heartbeat. A cluster settles without waiting for these.
    fn is_background(&self) -> bool {
        false
    }

    /// Whether it says where replicas differ, in rounds that go on for as long as they do. In the end nobody waits for
    /// these: whether replicas are equal says more.
    fn compares(&self) -> bool {
        false
    }

    /// Tells `note` every write it has to do with, so that a write can be followed from node to node.
    ///
    /// Asked only where a single write is looked at, never on the common path. A protocol that leaves it out is
    /// explained by its [`Observation`]s alone.
    fn carries(&self, note: &mut dyn FnMut(Carried)) {
        let _ = note;
    }

    /// The client's read that it answers, by what its sender holds, to the node that coordinates it.
    ///
    /// Asked only where a single read is looked at.
    fn answers(&self) -> Option<OpId> {
        None
    }

    /// The content in words, for the trace; the kind is shown beside it.
    fn describe(&self, names: &Names) -> String {
        let _ = names;
        format!("{self:?}")
    }
}

/// What a message has to do with a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// It brings the write: whoever takes it in has the write.
    Write,
    /// It says that its sender has the write.
    Confirmation,
}

/// A write that a message has to do with, as far as the message names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The version.
    pub version: Version,
    /// The key, and what the write leaves there, nothing for a removal; `None` where the message names no more than the
    /// version.
    pub content: Option<(KeyId, Option<Value>)>,
    /// What the message has to do with it.
    pub relation: Relation,
}

impl Carried {
    /// The message brings the write `stored` of `key`.
    #[must_use]
    pub const fn write(key: KeyId, stored: Stored) -> Self {
        let content = Some((key, stored.value));
        Self { version: stored.version, content, relation: Relation::Write }
    }

    /// The message brings the write of `version`, though its content does not show which that is.
    #[must_use]
    pub const fn write_of(version: Version) -> Self {
        Self { version, content: None, relation: Relation::Write }
    }

    /// The message says that its sender has the write of `version`.
    #[must_use]
    pub const fn confirmation(version: Version) -> Self {
        Self { version, content: None, relation: Relation::Confirmation }
    }
}

/// The timer names of a protocol without timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoTimer {}

/// What a node is told. Closed: there is nothing else a node can learn.
#[derive(Clone, Debug)]
pub enum Input<P: Protocol> {
    /// A message from another node.
    Message {
        /// Who sent it.
        from: NodeId,
        /// What it says.
        message: P::Message,
    },
    /// A message to `to` came back: its machine is there, and no process that would take it. What came back is
    /// [`Context::returned`]. Only with `network.refuse`, and never to be relied on: the refusal is lost where the way
    /// back is, and a process that hangs refuses nothing. A protocol may ignore it.
    Refused {
        /// Whom the message was for.
        to: NodeId,
    },
    /// A client asks for something.
    Request {
        /// Who asks.
        client: ClientId,
        /// What to name in the reply.
        request: RequestId,
        /// What is asked.
        operation: Operation,
        /// What the client's wall clock showed when it invoked this, whichever attempt it is.
        stamped: Wall,
    },
    /// A timer ran out.
    Timer(P::Timer),
    /// The disk finished the operation of this ticket; everything written to its file before is then durable.
    Persisted(Ticket, Result<(), DiskError>),
}

/// Names a client's request in the reply to it: the operation and the attempt at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    /// The operation in the history.
    pub operation: OpId,
    /// Which attempt at it, from 0.
    pub attempt: u32,
}

/// Names an operation on the disk; unique on its node for the whole run, rising.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// The step that made something wait, as the cause of what happens when the wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin(CausalId);

/// A file of a node's disk; what each is for is the protocol's affair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct File(pub u8);

/// Why the disk did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DiskError {
    /// No space is left; nothing was written.
    #[error("the disk is full")]
    Full,
}

/// Where the disk is from that a node starts with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiskOrigin {
    /// It is new, and so is the cluster: the node's first boot of the run.
    #[default]
    New,
    /// The node had it before. It may be empty all the same: nothing was written, or nothing of that was durable.
    Kept,
    /// An empty one was put in its place: whatever the node knew and promised is gone.
    Replaced,
}

/// What a disk kept: each file's bytes as a restarted process reads them.
///
/// After a crash of the process alone these are all bytes ever written, durable or not: what a node is to promise
/// on the strength of a record it found has to wait for another [`Context::sync`]. After a power loss the last
/// record may be torn: cut it off ([`Context::truncate_suffix`] to [`wal::Replay::length`]) before appending, since
/// nothing behind it can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskImage {
    origin: DiskOrigin,
    files: BTreeMap<File, Vec<u8>>,
}

impl DiskImage {
    /// An image of these files on a disk from there.
    #[must_use]
    pub const fn new(origin: DiskOrigin, files: BTreeMap<File, Vec<u8>>) -> Self {
        Self { origin, files }
    }

    /// Where the disk is from. Only a node whose disk is new is at its first boot.
    #[must_use]
    pub const fn origin(&self) -> DiskOrigin {
        self.origin
    }

    /// The bytes of `file`; none when it was never written.
    #[must_use]
    pub fn bytes(&self, file: File) -> &[u8] {
        self.files.get(&file).map_or(&[], Vec::as_slice)
    }

    /// Every file with its bytes.
    pub(crate) fn files(&self) -> impl Iterator<Item = (File, &[u8])> {
        self.files.iter().map(|(file, bytes)| (*file, bytes.as_slice()))
    }

    /// Whether nothing is written in any file.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.values().all(Vec::is_empty)
    }

    /// The records of `file`, up to the first that is not whole. A log that has to know a torn tail from damage to
    /// what was durable is opened by [`wal::Wal::open`].
    #[must_use]
    pub fn records<R: DeserializeOwned>(&self, file: File) -> wal::Replay<R> {
        wal::salvage(self.bytes(file))
    }
}

/// A node's answer to a client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reply {
    /// What came of the request.
    pub outcome: Outcome,
    /// Whether a write is answered although fewer followers confirmed it than it asked for.
    pub degraded: bool,
    /// How many followers have confirmed the write, of how many.
    pub confirmations: Option<(u16, u16)>,
    /// The leader, where a client should ask instead.
    pub leader: Option<NodeId>,
}

impl Reply {
    /// A reply that says only what came of the request.
    #[must_use]
    pub const fn of(outcome: Outcome) -> Self {
        Self { outcome, degraded: false, confirmations: None, leader: None }
    }

    /// The refusal of an operation that the protocol does not have.
    #[must_use]
    pub const fn unsupported() -> Self {
        Self::of(Outcome::Refused(Failure::Unsupported))
    }

    /// The reply in words, as the trace shows it: `ok, version 0.000000000@n1#1`.
    #[must_use]
    pub fn describe(&self, names: &Names) -> String {
        let mut text = match &self.outcome {
            Outcome::Ok(Response::Written { version, existed }) => match existed {
                Some(false) => format!("ok, version {version}, there was no such key"),
                _ => format!("ok, version {version}"),
            },
            Outcome::Ok(Response::Found { value, version }) => {
                format!("{}, version {version}", names.value(*value))
            }
            Outcome::Ok(Response::Absent) => "no such key".into(),
            Outcome::Ok(Response::Contents(items)) => format!("{} keys", items.len()),
            Outcome::Ok(Response::Cleared) => "cleared".into(),
            Outcome::Ok(Response::List(list)) => {
                let elements: Vec<String> = list.elements.iter().map(|v| names.value(*v)).collect();
                format!("[{}], version {}", elements.join(", "), list.version)
            }
            Outcome::Refused(failure) => format!("refused: {}", failure.name()),
            Outcome::Unknown(failure) => format!("outcome unknown: {}", failure.name()),
        };
        if let Some((confirmed, followers)) = self.confirmations {
            text += &format!(", confirmed by {confirmed} of {followers}");
        }
        if self.degraded {
            text += ", degraded";
        }
        if let Some(leader) = self.leader {
            text += &format!(", ask {leader}");
        }
        text
    }
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It happened.
    Ok(Response),
    /// It did not happen and never will; the client may ask another node.
    Refused(Failure),
    /// The node cannot say.
    Unknown(Failure),
}

/// The content of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Response {
    /// A put or a delete was done.
    Written {
        /// The version it was given.
        version: Version,
        /// Whether the key of a delete had existed; `None` for a put.
        existed: Option<bool>,
    },
    /// A get found a value.
    Found {
        /// The value.
        value: Value,
        /// Its version.
        version: Version,
    },
    /// A get found nothing.
    Absent,
    /// What a list or a read of everything found.
    Contents(Box<[Item]>),
    /// A clear was done.
    Cleared,
    /// A get found a list.
    List(Box<FoundList>),
}

/// A list that a get found; apart from [`Response`], which travels with every reply and stays small.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FoundList {
    /// The last element, which is the key's value.
    pub value: Value,
    /// Its version.
    pub version: Version,
    /// Every element, in the order of their versions.
    pub elements: Box<[Value]>,
}

/// What a node takes itself for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// It replicates to others.
    Leader,
    /// It follows one.
    Follower,
    /// It wants to lead, or waits for somebody to.
    Candidate,
}

impl Role {
    /// The name in files and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Candidate => "candidate",
        }
    }
}

/// A node as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSnapshot {
    /// Who.
    pub node: NodeId,
    /// Whether the process runs; set by the simulation.
    pub up: bool,
    /// Whether the process runs and is not scheduled; set by the simulation.
    pub paused: bool,
    /// What it takes itself for.
    pub role: Role,
    /// Its term; 0 where the protocol has none.
    pub term: Term,
    /// Whom it takes for the leader.
    pub leader: Option<NodeId>,
    /// Whom it waits for to lead, while it knows of no leader.
    pub awaits: Option<NodeId>,
    /// The replication mode in the words of the scenario file.
    pub mode: &'static str,
    /// The other nodes it knows.
    pub peers: Vec<NodeId>,
    /// Nodes to which the network blocks its messages; set by the simulation.
    pub blocked: Vec<NodeId>,
    /// What it still means to do, each in a few words: replication under way, writes unanswered. Empty: idle.
    pub pending: Vec<String>,
    /// The same of what it means to do for one other node alone, and whom: where that node stays down for good it will
    /// never be done, and nobody waits for it.
    pub owed: Vec<(NodeId, String)>,
    /// What it stores.
    pub data: BTreeMap<KeyId, Stored>,
    /// The lists among it: the elements of each key that was appended to, in the order of their versions.
    pub lists: BTreeMap<KeyId, Vec<(Version, Value)>>,
}

impl NodeSnapshot {
    /// A snapshot of an idle node with no data.
    #[must_use]
    pub const fn new(node: NodeId, role: Role) -> Self {
        Self {
            node,
            up: true,
            paused: false,
            role,
            term: Term(0),
            leader: None,
            awaits: None,
            mode: "",
            peers: Vec::new(),
            blocked: Vec::new(),
            pending: Vec::new(),
            owed: Vec::new(),
            data: BTreeMap::new(),
            lists: BTreeMap::new(),
        }
    }

    /// The keys that exist, with their values: tombstones left out.
    pub fn visible(&self) -> impl Iterator<Item = (KeyId, Value, Version)> + '_ {
        let live = |(key, stored): (&KeyId, &Stored)| {
            stored.value.map(|value| (*key, value, stored.version))
        };
        self.data.iter().filter_map(live)
    }
}

/// What a key holds on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
pub struct Stored {
    /// The value; `None` for a tombstone.
    pub value: Option<Value>,
    /// The version of the write that put it there.
    pub version: Version,
}
