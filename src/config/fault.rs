//! Faults: what goes wrong in a run, when, for how long, and where.

use crate::id::{ClientId, FaultId, NodeId};
use crate::rng::Probability;
use crate::sampler::Distribution;
use crate::time::{Span, Time};

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Its place in the file; its name is in [`crate::names::Names::faults`].
    pub id: FaultId,
    /// When it starts.
    pub start: Start,
    /// After how long it ends by itself: a partition heals, a crashed node restarts, a paused one
    /// resumes, a drift returns to what it was. `None`: when something else ends it, or the
    /// settling phase.
    pub lasts: Option<Span>,
    /// What goes wrong.
    pub action: FaultAction,
    /// Whether a node that it takes down stays down even for the settling phase.
    pub forever: bool,
}

/// When a fault starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At this time.
    At(Time),
    /// At a moment of the run, which may never come.
    When(Trigger),
}

/// A moment of a run: the `nth` time that something happens, and some time after. It is counted
/// from the start until the fault phase ends; a fault whose moment comes no earlier never starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Trigger {
    /// What happens.
    pub what: Occurrence,
    /// On which node; `None` for whichever: they are counted together.
    pub node: Option<NodeId>,
    /// The how-manieth time, from 1 for the first; 0 is taken for 1.
    pub nth: u32,
    /// How long after it. Zero is the very instant: before what [`Occurrence::Persists`] and
    /// [`Occurrence::Receives`] name, and right after what the others do.
    pub after: Span,
}

/// Something that happens on a node and that a fault can be tied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Occurrence {
    /// The node begins to lead, by whatever it does: the leader of the scenario begins at its boot.
    Elected,
    /// The node has handed a record to its disk, which is not durable yet.
    Appends,
    /// A record that the node appended is about to become durable, as far as its disk says (one
    /// that lies counts): the fault comes first. Records are counted one by one, though a sync
    /// completes many at once.
    Persists,
    /// The node has answered a client's write with ok; the answer is on its way.
    Acknowledges,
    /// A message of this kind, by its index in [`crate::protocol::Message::KINDS`], or of any, is
    /// about to reach the node from another one: the fault comes first. A paused node counts, for
    /// the message will reach its process; one that is down does not.
    Receives(Option<u8>),
    /// The node has started again, and is up.
    Restarts,
}

/// What goes wrong. A message is judged when it is sent: one already on its way arrives.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultAction {
    /// Nodes of different groups cannot reach each other; nodes named in no group form one more. A
    /// client named in a group reaches only that group's nodes; others reach all.
    Partition(Vec<Group>),
    /// Each node reaches only its neighbours in a ring, near enough to be a majority with them:
    /// every node sees a majority, no two the same (Jepsen's `majorities-ring`). At least four
    /// nodes.
    MajoritiesRing,
    /// Two halves that only this node connects.
    Bridge(Target),
    /// These nodes reach no other node and are reached by none; clients still reach them.
    Isolate(Target),
    /// Messages from some nodes to some nodes are lost, one way.
    Block(Route),
    /// Messages are held back, and all delivered when it ends.
    Clog(Route),
    /// Messages take longer.
    Slow {
        /// Which messages.
        route: Route,
        /// How much longer.
        extra: Distribution,
    },
    /// Messages of one kind, or all, are lost with some probability.
    Drop {
        /// Which messages.
        route: Route,
        /// The kind's index in [`crate::protocol::Message::KINDS`]; `None` for all.
        kind: Option<u8>,
        /// How likely each is lost.
        probability: Probability,
    },
    /// The process dies; what was written to the disk survives, synced or not.
    Crash(Target),
    /// The machine dies; what was not synced is gone, torn or out of order.
    PowerLoss(Target),
    /// Crashed nodes start again.
    Restart {
        /// Who.
        target: Target,
        /// Whether the disk was replaced by an empty one.
        empty_disk: bool,
    },
    /// The process stops being scheduled; what reaches it waits.
    Pause(Target),
    /// Paused nodes go on.
    Resume(Target),
    /// The wall clock jumps by this many nanoseconds, for good or until the fault ends.
    ClockJump {
        /// Whose.
        target: Target,
        /// By how much, in nanoseconds; may be negative.
        by_ns: i64,
    },
    /// Wall and monotonic clock run at another rate.
    ClockDrift {
        /// Whose.
        target: Target,
        /// Parts per billion faster than true time; above -1,000,000,000.
        ppb: i64,
    },
    /// Something is wrong with disks.
    Disk {
        /// Whose.
        target: Target,
        /// What.
        fault: DiskFault,
    },
    /// Ends faults before their time.
    Heal(HealWhat),
}

/// The kinds of action: which each is, and its name as in scenario files.
macro_rules! kinds {
    ($($action:pat => $name:literal,)*) => {
        impl FaultAction {
            /// The kinds of action by name, as in scenario files.
            pub const KINDS: [&str; [$($name),*].len()] = [$($name),*];

            /// The index of its kind in [`Self::KINDS`].
            #[must_use]
            pub fn kind(&self) -> usize {
                let name = match self { $($action => $name),* };
                let index = Self::KINDS.iter().position(|kind| *kind == name);
                index.unwrap_or_else(|| unreachable!("every name is in the list"))
            }
        }
    };
}

kinds! {
    Self::Partition(_) => "partition",
    Self::MajoritiesRing => "majorities-ring",
    Self::Bridge(_) => "bridge",
    Self::Isolate(_) => "isolate",
    Self::Block(_) => "block",
    Self::Clog(_) => "clog",
    Self::Slow { .. } => "slow",
    Self::Drop { .. } => "drop",
    Self::Crash(_) => "crash",
    Self::PowerLoss(_) => "power-loss",
    Self::Restart { .. } => "restart",
    Self::Pause(_) => "pause",
    Self::Resume(_) => "resume",
    Self::ClockJump { .. } => "clock-jump",
    Self::ClockDrift { .. } => "clock-drift",
    Self::Disk { fault: DiskFault::TornWrite, .. } => "torn-write",
    Self::Disk { fault: DiskFault::LostWrite, .. } => "lost-write",
    Self::Disk { fault: DiskFault::FlipBit { .. }, .. } => "flip-bit",
    Self::Disk { fault: DiskFault::ReadError, .. } => "read-error",
    Self::Disk { fault: DiskFault::Full, .. } => "disk-full",
    Self::Disk { fault: DiskFault::Slow(_), .. } => "slow-disk",
    Self::Heal(_) => "heal",
}

/// What is wrong with a disk.
#[derive(Clone, Debug, PartialEq)]
pub enum DiskFault {
    /// A power loss keeps all that was not synced but for a hole, instead of a part that ends
    /// somewhere.
    TornWrite,
    /// Syncs complete and make nothing durable, until one that completes after the fault does.
    LostWrite,
    /// A bit flips, once and for good.
    FlipBit {
        /// The byte it is in, counted through the files of the disk; `None` for one that is drawn.
        byte: Option<u64>,
    },
    /// A process that starts cannot read it, and gives up until it is started again.
    ReadError,
    /// Nothing more can be written.
    Full,
    /// Syncs take this much longer.
    Slow(Distribution),
}

/// Which faults a heal ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealWhat {
    /// All that are on the network.
    Network,
    /// This one.
    Fault(FaultId),
}

/// One side of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Nodes on this side.
    pub nodes: Vec<NodeId>,
    /// Clients that reach only this side.
    pub clients: Vec<ClientId>,
}

/// Some messages between nodes, by sender and receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Senders.
    pub from: Target,
    /// Receivers.
    pub to: Target,
    /// Whether the way back is meant too.
    pub both_ways: bool,
}

/// Some nodes, named or described; a description is resolved when the fault starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// These, lowest id first.
    Nodes(Vec<NodeId>),
    /// The live node that leads: of several the one with the highest term, then the lowest id.
    Leader,
    /// One live node that does not lead, drawn.
    Follower,
    /// The live node with the lowest id.
    LowestId,
    /// The live node with the highest id.
    HighestId,
    /// A drawn majority of all nodes.
    Majority,
    /// Every node.
    All,
}
