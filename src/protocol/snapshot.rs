//! The state of a node, as a status page would show it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{KeyId, LogIndex, NodeId, Term, Value, Version};

/// The role that a node believes to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Role {
    /// It accepts writes and replicates them to the others.
    Leader,
    /// It follows a leader.
    Follower,
    /// It knows of no leader: it stands for election, or waits until somebody leads.
    Candidate,
    /// It asks whether it would be elected, before it stands (Raft thesis section 9.6).
    PreCandidate,
    /// It has the log and takes no part in elections (Raft thesis section 4.2.1).
    Learner,
}

impl Role {
    /// The name in files and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// The state of a node, as a status page would show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSnapshot {
    /// The node.
    pub node: NodeId,
    /// Whether the process runs; set by the simulation.
    pub up: bool,
    /// Whether the process is paused; set by the simulation.
    pub paused: bool,
    /// The role that it believes to have.
    pub role: Role,
    /// Its term; 0 where the protocol has none.
    pub term: Term,
    /// The leader that it follows; itself where it leads.
    pub leader: Option<NodeId>,
    /// The node that it expects to lead next, while it knows of no leader.
    pub awaits: Option<NodeId>,
    /// The replication mode, as scenario files name it.
    pub mode: &'static str,
    /// The other nodes it knows.
    pub peers: Vec<NodeId>,
    /// The nodes that its messages do not reach, because the network blocks them; set by the
    /// simulation.
    pub blocked: Vec<NodeId>,
    /// What it has yet to do, each in a few words: writes to replicate or to answer. Empty when the
    /// node is idle.
    pub pending: Vec<String>,
    /// The same, of work that is owed to one other node alone. Where that node stays down for good
    /// the work is never done, and a cluster settles without it.
    pub owed: Vec<(NodeId, String)>,
    /// Its replicated log, if it keeps one.
    pub log: Option<LogStatus>,
    /// What it stores.
    pub data: BTreeMap<KeyId, Stored>,
    /// The elements of each key that is a list, in the order of their versions.
    pub lists: BTreeMap<KeyId, Vec<(Version, Value)>>,
}

impl NodeSnapshot {
    /// A snapshot of an idle node without data, in term 0.
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
            log: None,
            data: BTreeMap::new(),
            lists: BTreeMap::new(),
        }
    }

    /// The keys that exist with their values; tombstones are left out.
    pub fn visible(&self) -> impl Iterator<Item = (KeyId, Value, Version)> + '_ {
        let live = |(key, stored): (&KeyId, &Stored)| {
            stored.value.map(|value| (*key, value, stored.version))
        };
        self.data.iter().filter_map(live)
    }
}

/// Where a node's replicated log begins and ends, and how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogStatus {
    /// The index of the first entry that it has; one above `last` when it has none.
    pub first: LogIndex,
    /// The index of the last entry, or of what stands for all that came before.
    pub last: LogIndex,
    /// Up to where it knows the log to be committed; `None` of a protocol that commits nothing.
    pub commit: Option<LogIndex>,
    /// Up to where its data has the log's entries.
    pub applied: LogIndex,
}

/// What a key holds on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stored {
    /// The value; `None` for a tombstone.
    pub value: Option<Value>,
    /// The version of the write that put it there.
    pub version: Version,
}
