//! The contract a replication protocol meets, and the protocols that come with splitbrain.
//!
//! A protocol is a state machine without input or output of its own (sans-IO): [`Protocol::handle`] takes one
//! [`Input`], changes the node's state, and pushes its effects into a [`Context`]. The simulation owns the effects
//! and plays them: messages travel a network that may lose them, an append is durable when its sync says so, a
//! timer runs on the node's own clock. The duties of an implementation:
//!
//! 1. **Crash is drop.** A node that crashes is dropped; [`Protocol::recover`] builds it again from what its disk
//!    kept, and from nothing else. First boot is a recovery from an empty disk.
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
//! use splitbrain::config::{Config, Operation};
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
use std::iter;
use std::mem::ManuallyDrop;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::{Config, Names, Operation};
use crate::history::{Failure, Item};
use crate::id::{ClientId, KeyId, NodeId, OpId, Value, Version};
use crate::property::Promises;
use crate::rng::{CausalId, Cause, Draws, Purpose};
use crate::time::{Span, Time, Wall};

pub mod leader_follower;
pub mod store;
pub mod wal;

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

    /// Builds the node from what its disk kept; on first boot that is nothing.
    fn recover(config: &Self::Config, disk: &DiskImage, cx: &mut Context<'_, Self>) -> Self;

    /// Takes one input.
    fn handle(&mut self, input: Input<Self>, cx: &mut Context<'_, Self>);

    /// The node as it stands: what a status page would show, and a cross-check of the observations.
    fn snapshot(&self) -> NodeSnapshot;

    /// What these settings promise of each property, given the scenario (who is read from, say).
    fn promises(config: &Self::Config, scenario: &Config) -> Promises;
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

    /// The size on the wire in bytes, for links with a bandwidth.
    fn size(&self) -> u64 {
        64
    }

    /// Whether it says no more than "I am here": a heartbeat. A cluster settles without waiting for these.
    fn is_background(&self) -> bool {
        false
    }

    /// Tells `note` every write it has to do with, by version, so that a write can be followed from node to node.
    ///
    /// Asked only where a single write is looked at, never on the common path. A protocol that leaves it out is
    /// explained by its [`Observation`]s alone.
    fn carries(&self, note: &mut dyn FnMut(Version, Cargo)) {
        let _ = note;
    }

    /// The content in words, for the trace; the kind is shown beside it.
    fn describe(&self, names: &Names) -> String {
        let _ = names;
        format!("{self:?}")
    }
}

/// What a message has to do with a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cargo {
    /// It brings the write: whoever takes it in has the write.
    Write,
    /// It says that its sender has the write.
    Confirmation,
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

/// What a disk kept: each file's bytes as a restarted process reads them.
///
/// After a crash of the process alone these are all bytes ever written, durable or not: what a node is to promise
/// on the strength of a record it found has to wait for another [`Context::sync`]. After a power loss the last
/// record may be torn: cut it off ([`Context::truncate_suffix`] to [`wal::Replay::length`]) before appending, since
/// nothing behind it can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskImage {
    files: BTreeMap<File, Vec<u8>>,
}

impl DiskImage {
    /// An image of these files.
    #[must_use]
    pub const fn new(files: BTreeMap<File, Vec<u8>>) -> Self {
        Self { files }
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
    /// what was durable is opened by [`wal::Log::open`].
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
    /// What it takes itself for.
    pub role: Role,
    /// Its term; 0 where the protocol has none.
    pub term: u64,
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
            role,
            term: 0,
            leader: None,
            awaits: None,
            mode: "",
            peers: Vec::new(),
            blocked: Vec::new(),
            pending: Vec::new(),
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

/// Something that happened inside a node: what invariants, metrics, trace and explanations read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Observation {
    /// The node took a role in a term, or learned of another leader.
    Role {
        /// The role.
        role: Role,
        /// The term.
        term: u64,
    },
    /// The node accepted a client's write and stamped it.
    Accept {
        /// Which request.
        request: RequestId,
        /// The key; a clear accepts every key it removes.
        key: KeyId,
        /// The version it gave the write.
        version: Version,
    },
    /// A replica's store took a write.
    Apply {
        /// The key.
        key: KeyId,
        /// The version.
        version: Version,
    },
    /// A replica dropped a write it was sent or had.
    Discard {
        /// The key.
        key: KeyId,
        /// The version dropped.
        version: Version,
        /// Why.
        reason: DiscardReason,
    },
    /// A record was appended to a replicated log.
    Append {
        /// Its index.
        index: u64,
        /// Its term.
        term: u64,
    },
    /// A replicated log lost its records from an index on.
    Truncate {
        /// The first index removed.
        from: u64,
    },
    /// A replicated log is committed up to an index.
    Commit {
        /// The last index committed.
        index: u64,
    },
    /// A node that starts read its write-ahead log back; said by [`wal::Log::open`].
    Replay {
        /// The file of the log.
        file: File,
        /// The last record that the checkpoint it starts from covers; 0 for none.
        covers: u64,
        /// How many records the log had, those that the checkpoint covers included.
        records: u64,
        /// The sequence of the last of them; that of the checkpoint's end when there are none.
        last: u64,
        /// Their checksums, chained.
        digest: u64,
    },
}

impl Observation {
    /// The version of the write it is about, if it is about one.
    #[must_use]
    pub const fn version(&self) -> Option<Version> {
        match self {
            Self::Accept { version, .. }
            | Self::Apply { version, .. }
            | Self::Discard { version, .. } => Some(*version),
            Self::Role { .. }
            | Self::Append { .. }
            | Self::Truncate { .. }
            | Self::Commit { .. }
            | Self::Replay { .. } => None,
        }
    }

    /// Its kind as the trace shows it, and its content in words.
    pub(crate) fn describe(&self, names: &Names) -> (&'static str, String) {
        match self {
            Self::Role { role, term } => (". role", format!("{} of term {term}", role.name())),
            Self::Accept { key, version, .. } => {
                (". accept", format!("{} {version}", names.key(*key)))
            }
            Self::Apply { key, version } => (". apply", format!("{} {version}", names.key(*key))),
            Self::Discard { key, version, reason } => {
                (". discard", format!("{} {version}: {}", names.key(*key), reason.phrase()))
            }
            Self::Append { index, term } => (". append", format!("index {index} of term {term}")),
            Self::Truncate { from } => (". truncate", format!("from index {from}")),
            Self::Commit { index } => (". commit", format!("up to index {index}")),
            Self::Replay { covers, records, last, .. } => {
                let from = match covers {
                    0 => String::new(),
                    _ => format!("a checkpoint up to record {covers}, "),
                };
                let log = match records {
                    0 => "an empty log".to_owned(),
                    _ => format!("records {} to {last}", last + 1 - records),
                };
                (". replay", from + &log)
            }
        }
    }
}

/// Why a replica dropped a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiscardReason {
    /// It has a write of a higher version for the key: last write wins.
    Older,
    /// A clear emptied this replica alone.
    Cleared,
    /// A full state without it replaced the store.
    Replaced,
    /// It was cut off: it is not in the new leader's log.
    Truncated,
    /// It was a tombstone past its grace period.
    Purged,
}

impl DiscardReason {
    /// In words, as the end of "dropped: ..".
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Older => "older than what it has",
            Self::Cleared => "cleared on this node alone",
            Self::Replaced => "replaced by a full state without it",
            Self::Truncated => "cut off: it is not in the new leader's log",
            Self::Purged => "a tombstone past its grace period",
        }
    }
}

/// An effect of a protocol's step, as the simulation finds it in the buffer.
#[derive(Debug)]
pub(crate) enum Effect<P: Protocol> {
    Send {
        to: NodeId,
        message: P::Message,
    },
    SetTimer {
        timer: P::Timer,
        after: Span,
    },
    CancelTimer {
        timer: P::Timer,
    },
    Disk {
        ticket: Ticket,
        file: File,
        operation: DiskOperation,
    },
    Reply {
        request: RequestId,
        reply: Reply,
    },
    Observe(Observation),
    /// Effects from here on are caused by this instead of the step.
    Continue(CausalId),
    /// The process gives up, and why.
    Stop(String),
}

/// What a protocol asks of its disk. `Append` takes its bytes from the effects' byte buffer.
#[derive(Debug)]
pub(crate) enum DiskOperation {
    /// A record; its sequence in a numbered log, else 0.
    Append {
        start: usize,
        end: usize,
        sequence: u64,
    },
    Sync,
    TruncateSuffix {
        length: u64,
    },
    Replace {
        start: usize,
        end: usize,
    },
}

/// The buffer a protocol pushes its effects into; the simulation owns it, drains it and uses it again.
#[derive(Debug)]
pub(crate) struct Effects<P: Protocol> {
    pub(crate) list: Vec<Effect<P>>,
    pub(crate) bytes: Vec<u8>,
}

impl<P: Protocol> Effects<P> {
    pub(crate) const fn new() -> Self {
        Self { list: Vec::new(), bytes: Vec::new() }
    }

    /// Nobody drops the effect if there is no memory for it: so it is put together in its place, and not beside it.
    #[inline]
    fn push(&mut self, effect: Effect<P>) {
        let effect = ManuallyDrop::new(effect);
        self.list.extend(iter::once_with(|| ManuallyDrop::into_inner(effect)));
    }
}

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

    /// The leader that the scenario set from the start; `None` when leaders are elected.
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
    /// follows it is: no [`Input::Persisted`] comes for an append that succeeds without a sync.
    ///
    /// # Panics
    ///
    /// When the record's `Serialize` fails; one of plain data does not.
    pub fn append(&mut self, file: File, record: &P::Record) -> Ticket {
        let start = self.effects.bytes.len();
        wal::encode(wal::Stamp::default(), record, &mut self.effects.bytes);
        let end = self.effects.bytes.len();
        self.disk(file, DiskOperation::Append { start, end, sequence: 0 })
    }

    /// Appends a record of a [`wal::Log`]; how many bytes that takes.
    fn append_stamped(&mut self, file: File, stamp: wal::Stamp, record: &P::Record) -> u64 {
        let start = self.effects.bytes.len();
        wal::encode(stamp, record, &mut self.effects.bytes);
        let end = self.effects.bytes.len();
        self.disk(file, DiskOperation::Append { start, end, sequence: stamp.sequence });
        (end - start) as u64
    }

    /// Whether the disk has no room: an [`Context::append`] or a [`Context::replace`] of this step writes nothing, and
    /// [`Input::Persisted`] brings [`DiskError::Full`] with its ticket.
    #[must_use]
    pub const fn disk_is_full(&self) -> bool {
        self.disk_is_full
    }

    /// Makes everything written to `file` so far durable; [`Input::Persisted`] with this ticket says when.
    pub fn sync(&mut self, file: File) -> Ticket {
        self.disk(file, DiskOperation::Sync)
    }

    /// Cuts `file` to its first `length` bytes; durable after the next sync.
    pub fn truncate_suffix(&mut self, file: File, length: u64) -> Ticket {
        self.disk(file, DiskOperation::TruncateSuffix { length })
    }

    /// Puts these records in the place of all of `file`, at once or not at all (a write beside it and a rename),
    /// and makes that durable; [`Input::Persisted`] with this ticket says when.
    pub fn replace(&mut self, file: File, records: &[P::Record]) -> Ticket {
        let start = self.effects.bytes.len();
        for record in records {
            wal::encode(wal::Stamp::default(), record, &mut self.effects.bytes);
        }
        let end = self.effects.bytes.len();
        self.disk(file, DiskOperation::Replace { start, end })
    }

    /// Puts the last records of a [`wal::Log`] with their terms, the last of all of this sequence, in the place of
    /// all; how many bytes that takes.
    fn replace_stamped(
        &mut self,
        (file, last): (File, u64),
        records: &[(u64, P::Record)],
    ) -> (Ticket, u64) {
        let start = self.effects.bytes.len();
        let first = last + 1 - records.len() as u64;
        for (sequence, (term, record)) in (first..).zip(records) {
            // What is there whole or not at all is durable before any of its bytes.
            let durable = (self.effects.bytes.len() - start) as u64;
            let stamp = wal::Stamp { term: *term, sequence, durable };
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
