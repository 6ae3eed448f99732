//! Generated operations: how many, on which keys, and with which retries.

use crate::id::NodeId;
use crate::operation::ReadQuorum;
use crate::sampler::Distribution;
use crate::time::Span;

/// Clients that generate operations.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// How many operations may be under way at once: the clients of a closed loop, the pool of an
    /// open one.
    pub clients: u32,
    /// When a client invokes.
    pub pace: Pace,
    /// How many operations in all, shared evenly among the clients; `None`: until the end of
    /// `duration`.
    pub operations: Option<u64>,
    /// How many keys; at least 1.
    pub keys: u32,
    /// How often each key is used.
    pub skew: Skew,
    /// Which operations, by weight.
    pub mix: Mix,
    /// The node that a read asks.
    pub read_from: ReadFrom,
    /// How many replicas a read of a key asks; `None`: one node, which answers from its own copy.
    pub read_quorum: Option<ReadQuorum>,
    /// When an attempt is given up, and how it is retried.
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
    /// Operations arrive whatever became of earlier ones; an arrival that finds no free client
    /// waits for one, and its latency counts from its arrival.
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

/// The operations of a workload, by weight; at least one weight is above 0.
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
    /// Compare-and-sets to a unique value, from what the client last saw of the key.
    pub cas: u32,
    /// Batches of a few puts, gets and deletes.
    pub batch: u32,
}

impl Mix {
    /// Whether anything is written.
    #[must_use]
    pub const fn has_writes(&self) -> bool {
        self.put > 0 || self.delete > 0 || self.append > 0 || self.cas > 0 || self.batch > 0
    }

    /// Whether anything is read.
    #[must_use]
    pub const fn has_reads(&self) -> bool {
        self.get > 0 || self.list > 0 || self.read_all > 0
    }
}

/// The node that a read asks; writes always look for the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFrom {
    /// The node that the client believes to lead.
    Leader,
    /// This node.
    Node(NodeId),
    /// A node drawn for each read.
    Any,
    /// The node with the least mean latency from the client; of several, the lowest id.
    Nearest,
}

/// When an attempt is given up, and how it is retried.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// After how long without an answer an attempt is given up.
    pub timeout: Span,
    /// How often an operation is tried again after a refusal or a timeout.
    pub retries: u32,
    /// How long to wait before that.
    pub backoff: Distribution,
    /// Whether a client that gives up an operation without learning of a leader asks the next node
    /// in turn from then on.
    pub ask_next: bool,
}

impl RetryPolicy {
    /// Whether a client asks the node that it believes to lead, and another only if a refusal names
    /// it.
    #[must_use]
    pub const fn stays(&self) -> bool {
        self.retries == 0 && !self.ask_next
    }
}
