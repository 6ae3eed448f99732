//! Validated settings: what a simulation is built from.
//!
//! Nothing here is optional in the sense of "use the default": the scenario layer has filled in every default and
//! refused every contradiction. What the file said, and where, stays up there. The settings of the protocol itself
//! are the protocol's own type, [`crate::protocol::Protocol::Config`].

use crate::id::{ClientId, KeyId, NodeId, Value};
use crate::names::Names;
use crate::operation::{Operation, ReadQuorum};
use crate::property::Property;
use crate::rng::Probability;
use crate::sampler::Distribution;
use crate::time::{Span, Time};
use strum::{IntoStaticStr, VariantArray};

pub use fault::{
    DiskFault, Fault, FaultAction, Group, HealWhat, Occurrence, Route, Start, Target, Trigger,
};

mod fault;

/// One run, but for its seed and its protocol.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// What the scenario shows, in a line.
    pub title: String,
    /// The seed used when the command line names none.
    pub seed: u64,
    /// How long faults and workload last.
    pub duration: Span,
    /// How long the healed cluster may take to settle after that.
    pub settle: Span,
    /// The order of events at one instant.
    pub ties: EventOrder,
    /// The texts behind ids.
    pub names: Names,
    /// The nodes.
    pub cluster: Cluster,
    /// Every link between nodes, and between clients and nodes.
    pub network: Network,
    /// Each node's clock, in node order.
    pub clocks: Vec<Clock>,
    /// The clocks of clients that err, in client order.
    pub client_clocks: Vec<(ClientId, Clock)>,
    /// Every node's disk.
    pub disk: Disk,
    /// The generated workload, if there is one.
    pub workload: Option<Workload>,
    /// Operations at exact times, in file order.
    pub script: Vec<ScriptedOperation>,
    /// What goes wrong, in file order.
    pub faults: Vec<Fault>,
    /// Settings that change on the way, in time order.
    pub changes: Vec<Change>,
    /// The bounds that checkers need.
    pub bounds: Bounds,
    /// What the scenario expects of the run.
    pub expect: Expect,
}

/// The order in which events of one instant are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventOrder {
    /// The order in which they were caused.
    Causal,
    /// A random order, drawn from each event's causal identity.
    Random,
}

/// The nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// How many nodes: 1 to [`crate::id::MAX_NODES`].
    pub nodes: u16,
    /// Who leads from the start; `None` when the nodes elect a leader at boot.
    pub initial_leader: Option<NodeId>,
}

/// Every link of the cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// The link between two nodes of which nothing else is said.
    pub default: Link,
    /// Links that differ, each with all of its settings; a later one wins over an earlier one.
    pub links: Vec<LinkOverride>,
    /// One-way latency between any client and any node, where nothing else is said.
    pub client_delay: Distribution,
    /// Whether a message to a node that is down comes back to its sender as refused; else it is lost in silence.
    pub refuse: bool,
    /// Client legs that differ; a later one wins over an earlier one.
    pub client_legs: Vec<ClientLeg>,
}

/// One direction of a connection between two nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// One-way delay.
    pub delay: Distribution,
    /// Share of messages lost.
    pub loss: Probability,
    /// Share of messages delivered twice, the copy with a delay of its own.
    pub duplication: Probability,
    /// Whether messages may overtake one another.
    pub order: LinkOrder,
    /// Bytes a second, with a queue before them; `None` for no limit.
    pub bandwidth: Option<u64>,
}

/// Whether a link keeps order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkOrder {
    /// Each message arrives after its own delay and may overtake.
    Reordering,
    /// No message arrives before one that was sent earlier, as over one TCP connection.
    Fifo,
}

/// A link that differs from the default.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkOverride {
    /// Senders; `None` for every node.
    pub from: Option<NodeId>,
    /// Receivers; `None` for every node.
    pub to: Option<NodeId>,
    /// All of the link's settings.
    pub link: Link,
}

/// The latency between some clients and some nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientLeg {
    /// Which client; `None` for every client.
    pub client: Option<ClientId>,
    /// Which node; `None` for every node.
    pub node: Option<NodeId>,
    /// One-way latency, the same both ways.
    pub delay: Distribution,
}

/// How a node's or a client's clock errs from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Clock {
    /// How far the wall clock is ahead at the start, in nanoseconds.
    pub offset_ns: i64,
    /// How much faster both clocks run, in parts per billion; above -1,000,000,000.
    pub drift_ppb: i64,
}

/// A node's disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Disk {
    /// How long a sync takes.
    pub sync: Distribution,
}

/// Clients that generate operations.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// How many operations may be under way at once: the clients of a closed loop, the pool of an open one.
    pub clients: u32,
    /// When a client invokes.
    pub pace: Pace,
    /// How many operations in all, shared evenly among the clients; `None`: until the end of `duration`.
    pub operations: Option<u64>,
    /// How many keys; at least 1.
    pub keys: u32,
    /// How often each key is used.
    pub skew: Skew,
    /// What is asked, by weight.
    pub mix: Mix,
    /// Whom a read asks.
    pub read_from: ReadFrom,
    /// How many replicas a read of a key asks; `None`: the node asked answers from what it has.
    pub read_quorum: Option<ReadQuorum>,
    /// How an attempt is given up and tried again.
    pub retry: RetryPolicy,
}

/// When clients invoke.
#[derive(Clone, Debug, PartialEq)]
pub enum Pace {
    /// A client invokes, waits for the completion, thinks, invokes again.
    Closed {
        /// How long it thinks.
        think: Distribution,
    },
    /// Operations arrive whatever became of earlier ones; an arrival that finds no free client waits for one,
    /// and its latency counts from its arrival.
    Open {
        /// Time between two arrivals.
        interval: Distribution,
        /// Operations an arrival brings; at least 1.
        burst: u32,
    },
}

/// How often each key is used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Skew {
    /// All alike.
    Uniform,
    /// The key of rank r with weight 1 / r^exponent.
    Zipf {
        /// Above 0, finite.
        exponent: f64,
    },
}

/// What is asked, by weight; at least one weight is above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Mix {
    /// Writes of a unique value.
    pub put: u32,
    /// Reads of a key.
    pub get: u32,
    /// Deletes of a key.
    pub delete: u32,
    /// Lists of all keys.
    pub list: u32,
    /// Reads of everything.
    pub read_all: u32,
    /// Appends of a unique value to a key's list.
    pub append: u32,
}

impl Mix {
    /// Whether anything is written.
    #[must_use]
    pub const fn has_writes(&self) -> bool {
        self.put > 0 || self.delete > 0 || self.append > 0
    }

    /// Whether anything is read.
    #[must_use]
    pub const fn has_reads(&self) -> bool {
        self.get > 0 || self.list > 0 || self.read_all > 0
    }
}

/// Whom a read asks; writes always look for the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFrom {
    /// The node that the client believes to lead.
    Leader,
    /// This node.
    Node(NodeId),
    /// A node drawn for each read.
    Any,
    /// The node with the least mean latency from the client; of equals the lowest id.
    Nearest,
}

/// How an attempt is given up and tried again.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// After how long without an answer an attempt is given up.
    pub timeout: Span,
    /// How often an operation is tried again after a refusal or a timeout.
    pub retries: u32,
    /// How long to wait before that.
    pub backoff: Distribution,
    /// Whether a client that gives up an operation without learning of a leader asks the next node in turn from then
    /// on.
    pub ask_next: bool,
}

impl RetryPolicy {
    /// Whether a client asks whom it believes to lead, and nobody else unless a refusal names another.
    #[must_use]
    pub const fn stays(&self) -> bool {
        self.retries == 0 && !self.ask_next
    }
}

/// An operation at an exact time.
#[derive(Clone, Debug, PartialEq)]
pub struct ScriptedOperation {
    /// A stable id: keys its draws, kept by export and shrinking. One such as `c3.17` (client 3, its 17th operation)
    /// or `a.17` (the 17th arrival of an open loop) stands for that operation of a workload and has its draws; numbers
    /// are decimal, from 1 and without leading zeros, and client numbers fit 30 bits, else it is an id like any other.
    pub id: String,
    /// When it is invoked, or later, when its client has completed its previous one.
    pub at: Time,
    /// Who invokes it.
    pub client: ClientId,
    /// What is asked.
    pub operation: Operation,
    /// Whom: `None` looks for the leader.
    pub node: Option<NodeId>,
    /// How it is given up and tried again.
    pub retry: RetryPolicy,
    /// What the client must be told; empty for anything.
    pub expect: Answer,
}

/// What a client must be told. Each part that is `Some` must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Whether it completed ok, failed, or its outcome is unknown.
    pub status: Option<ExpectedStatus>,
    /// The value read.
    pub value: Option<ExpectedValue>,
    /// Whether the answer was marked degraded.
    pub degraded: Option<bool>,
    /// How many followers had confirmed, of how many.
    pub confirmations: Option<(u16, u16)>,
    /// The name of the error, as in the history (`not-leader`, `timeout` ..).
    pub error: Option<String>,
    /// Whether the key read was absent on a follower that named the leader: a write may not have reached it yet.
    pub not_yet_replicated: Option<bool>,
    /// The leader that the answer named; `Some(None)`: nobody.
    pub leader: Option<Option<NodeId>>,
    /// Whether the deleted key had existed.
    pub existed: Option<bool>,
    /// The keys listed, in any order.
    pub keys: Option<Vec<KeyId>>,
    /// Everything read, in any order.
    pub all: Option<Vec<(KeyId, Value)>>,
    /// The most the answer may take.
    pub within: Option<Span>,
    /// The least the answer may take.
    pub after: Option<Span>,
}

/// How an operation may complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExpectedStatus {
    /// It happened.
    Ok,
    /// It did not happen.
    Fail,
    /// Nobody knows.
    Info,
}

/// What a key must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedValue {
    /// Nothing.
    Absent,
    /// This value.
    Is(Value),
}

/// Settings that change on the way.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// When.
    pub at: Time,
    /// What the file set, as (path, value) texts: for export and the trace.
    pub set: Vec<(String, String)>,
    /// The network from then on.
    pub network: Network,
    /// The workload from then on; clients, keys and operations stay as they were.
    pub workload: Option<Workload>,
}

/// The bounds that checkers hold figures against. One that the scenario sets is a demand: a run that misses it fails,
/// unless `[expect]` says what is to come of the property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Bounds {
    /// How long after a write was acknowledged a read may still miss it; with `None` it may miss none, which is no demand.
    pub staleness: Option<Span>,
    /// The least share of operations that complete ok; `None` for any.
    pub availability: Option<Probability>,
    /// How long after the loss of a leader a write may wait to be acknowledged; `None` for any time.
    pub recovery: Option<Span>,
    /// How long nobody may lead; `None` for any time.
    pub leaderless: Option<Span>,
    /// How long a write may take from the first node to a live replica; `None` when that is not to be measured.
    pub replication_lag: Option<Span>,
}

impl Bounds {
    /// Whether `property` has all the bounds that it needs: of those that it can be held against one at least, where
    /// without any there is nothing that could break it.
    #[must_use]
    pub const fn suffice(&self, property: Property) -> bool {
        match property {
            Property::Availability => self.availability.is_some() || self.recovery.is_some(),
            Property::ReplicationLag => self.replication_lag.is_some(),
            Property::Convergence
            | Property::LwwMaximum
            | Property::Durability
            | Property::SingleLeader
            | Property::ReadYourWrites
            | Property::MonotonicReads
            | Property::MonotonicWrites
            | Property::WritesFollowReads
            | Property::Staleness
            | Property::Replay
            | Property::SplitBrain
            | Property::Liveness
            | Property::Resurrection
            | Property::AppendUniqueness => true,
        }
    }
}

/// What the scenario expects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expect {
    /// The verdict of a checker, by property, in file order.
    pub checks: Vec<(Property, ExpectedVerdict)>,
    /// The state of a node at a time, in file order.
    pub states: Vec<ExpectedState>,
    /// The properties whose bounds demand nothing though `checks` does not name them, as it did in the file: of a
    /// sweep, which is not held to what the file expects.
    pub excused: Vec<Property>,
}

impl Expect {
    /// Whether the bounds of `property` that the scenario sets are demands.
    #[must_use]
    pub fn demands(&self, property: Property) -> bool {
        !self.checks.iter().any(|(named, _)| *named == property)
            && !self.excused.contains(&property)
    }
}

/// A check's verdict, as `[expect]` and JSON name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum ExpectedVerdict {
    /// The property held.
    Valid,
    /// It was broken, and the configuration does not promise it.
    Allowed,
    /// It was broken although the configuration promises it.
    Violation,
    /// The checker could not tell.
    Unknown,
    /// Nothing was set that it could be held against.
    Unchecked,
}

/// What a node must look like after every event up to and including a time.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpectedState {
    /// When.
    pub at: Time,
    /// Who.
    pub node: NodeId,
    /// What a key holds.
    pub key: Option<(KeyId, ExpectedValue)>,
    /// `leader`, `follower`, `candidate` or `down`.
    pub role: Option<String>,
    /// The node's term.
    pub term: Option<u64>,
    /// Whom the node takes for the leader; `Some(None)`: nobody.
    pub leader: Option<Option<NodeId>>,
    /// Whom the node waits for to lead, while it knows of no leader; `Some(None)`: nobody in particular.
    pub awaits: Option<Option<NodeId>>,
    /// The nodes to which the network blocks its messages, lowest id first.
    pub blocked: Option<Vec<NodeId>>,
}

impl Config {
    /// Whether every read of the run asks the leader, whatever happens.
    ///
    /// Not so with retries or `ask_next`: another attempt, or operation, asks the next node in turn, which may answer a read, and the client takes
    /// it for the leader from then on.
    #[must_use]
    pub fn reads_only_leader(&self) -> bool {
        let workloads: Vec<&Workload> = self.workloads().collect();
        let reading: Vec<&&Workload> =
            workloads.iter().filter(|workload| workload.mix.has_reads()).collect();
        let workload_reads_leader = reading.is_empty()
            || (reading.iter().all(|workload| workload.read_from == ReadFrom::Leader)
                && workloads.iter().all(|workload| workload.retry.stays()));
        let script_reads_leader = self.script.iter().all(|scripted| {
            let asks_leader =
                scripted.node.is_none() || scripted.node == self.cluster.initial_leader;
            scripted.retry.stays() && (scripted.operation.is_write() || asks_leader)
        });
        workload_reads_leader && script_reads_leader
    }

    /// The weakest of the reads of several replicas, when every read of the run is one: the fewest replicas that one
    /// asks, and whether all repair. A read of all keys asks one node.
    #[must_use]
    pub fn weakest_read_quorum(&self) -> Option<ReadQuorum> {
        let mut quorums = Vec::new();
        for workload in self.workloads().filter(|workload| workload.mix.has_reads()) {
            let asks_one = workload.mix.list > 0 || workload.mix.read_all > 0;
            quorums.push(workload.read_quorum.filter(|_| !asks_one));
        }
        for scripted in &self.script {
            match scripted.operation {
                Operation::Get { quorum, .. } => quorums.push(quorum),
                Operation::List | Operation::ReadAll => quorums.push(None),
                Operation::Put { .. }
                | Operation::Delete { .. }
                | Operation::Append { .. }
                | Operation::Clear => {}
            }
        }
        let weaker = |a: ReadQuorum, b: ReadQuorum| ReadQuorum {
            replicas: a.replicas.min(b.replicas),
            repair: a.repair && b.repair,
        };
        quorums.into_iter().collect::<Option<Vec<_>>>()?.into_iter().reduce(weaker)
    }

    /// Whether any read of the run asks several replicas.
    #[must_use]
    pub fn asks_several_replicas(&self) -> bool {
        let several = |quorum: Option<ReadQuorum>| quorum.is_some_and(|quorum| quorum.replicas > 1);
        let scripted = |scripted: &ScriptedOperation| match scripted.operation {
            Operation::Get { quorum, .. } => several(quorum),
            Operation::Put { .. }
            | Operation::Delete { .. }
            | Operation::Append { .. }
            | Operation::List
            | Operation::ReadAll
            | Operation::Clear => false,
        };
        self.workloads().any(|workload| several(workload.read_quorum))
            || self.script.iter().any(scripted)
    }

    /// Whether any read of the run repairs.
    #[must_use]
    pub fn repairs_reads(&self) -> bool {
        let repairs = |quorum: Option<ReadQuorum>| quorum.is_some_and(|quorum| quorum.repair);
        let scripted = |scripted: &ScriptedOperation| match scripted.operation {
            Operation::Get { quorum, .. } => repairs(quorum),
            Operation::Put { .. }
            | Operation::Delete { .. }
            | Operation::Append { .. }
            | Operation::List
            | Operation::ReadAll
            | Operation::Clear => false,
        };
        self.workloads().any(|workload| repairs(workload.read_quorum))
            || self.script.iter().any(scripted)
    }

    /// Whether any write of the run may be tried again.
    ///
    /// An attempt that was given up may still arrive, after writes that were answered since.
    #[must_use]
    pub fn retries_writes(&self) -> bool {
        let workload_does = self
            .workloads()
            .any(|workload| workload.mix.has_writes() && workload.retry.retries > 0);
        let script_does = self
            .script
            .iter()
            .any(|scripted| scripted.operation.is_write() && scripted.retry.retries > 0);
        workload_does || script_does
    }

    /// Whether a scripted write asks for fewer acknowledgements of followers than `wanted`.
    #[must_use]
    pub fn asks_for_fewer_than(&self, wanted: u16) -> bool {
        self.script.iter().any(|scripted| match scripted.operation {
            Operation::Put { quorum, .. }
            | Operation::Delete { quorum, .. }
            | Operation::Append { quorum, .. } => quorum.is_some_and(|quorum| quorum < wanted),
            Operation::Get { .. } | Operation::List | Operation::ReadAll | Operation::Clear => {
                false
            }
        })
    }

    /// Whether everything that the run writes is appended.
    #[must_use]
    pub fn only_appends(&self) -> bool {
        let appends = |operation: Operation| matches!(operation, Operation::Append { .. });
        self.workloads().all(|workload| workload.mix.put == 0 && workload.mix.delete == 0)
            && self
                .script
                .iter()
                .all(|scripted| !scripted.operation.is_write() || appends(scripted.operation))
    }

    /// Whether anything that the run writes is appended.
    #[must_use]
    pub fn appends(&self) -> bool {
        let appends = |operation: Operation| matches!(operation, Operation::Append { .. });
        self.workloads().any(|workload| workload.mix.append > 0)
            || self.script.iter().any(|scripted| appends(scripted.operation))
    }

    /// Whether an operation without a node may ask one that does not lead, and have it answer: another attempt asks
    /// the next node in turn, and its client takes that one for the leader from then on.
    #[must_use]
    pub fn may_ask_around(&self, scripted: &ScriptedOperation) -> bool {
        let of_client = |other: &&ScriptedOperation| other.client == scripted.client;
        scripted.node.is_none()
            && self.script.iter().filter(of_client).any(|other| !other.retry.stays())
    }

    /// The workload, and what changes make of it.
    fn workloads(&self) -> impl Iterator<Item = &Workload> {
        let changed = self.changes.iter().filter_map(|change| change.workload.as_ref());
        self.workload.iter().chain(changed)
    }
}
