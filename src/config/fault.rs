//! Faults: what goes wrong in a run, when, for how long, and where.

use strum::{IntoStaticStr, VariantArray};

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
    /// resumes, a drift ends. `None`: another fault ends it, or the settling phase.
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
    /// When this trigger fires, if it ever does.
    When(Trigger),
}

/// What starts a fault: the `nth` time that something happens, and some time after. Occurrences are
/// counted until the fault phase ends; a trigger that has not fired by then never does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Trigger {
    /// What happens.
    pub what: Occurrence,
    /// On which node; `None`: on any, counted together.
    pub node: Option<NodeId>,
    /// The number of the occurrence: 1 for the first; 0 counts as 1.
    pub nth: u32,
    /// How long after it. With zero the fault comes right before a [`Occurrence::Persists`] or a
    /// [`Occurrence::Receives`], and right after the others.
    pub after: Span,
}

/// Something that happens on a node and that a fault can be tied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Occurrence {
    /// The node begins to lead; the initial leader does so at its boot.
    Elected,
    /// The node has handed a record to its disk, which is not durable yet.
    Appends,
    /// A record of the node is about to become durable; the fault comes first. A disk that lies
    /// about its syncs counts too. Each record counts, though one sync may complete many.
    Persists,
    /// The node has answered a client's write with ok; the answer is on its way.
    Acknowledges,
    /// A message of another node is about to reach the node; the fault comes first. The kind is an
    /// index into [`crate::protocol::Message::KINDS`]; `None`: any kind. A paused node counts, one
    /// that is down does not.
    Receives(Option<u8>),
    /// The node has started again, and is up.
    Restarts,
    /// The node has said so of its replicated log. What it says at its start, of what it had
    /// before, does not count.
    OfLog(LogMoment),
}

/// Something that happens on a node that keeps a replicated log, as the node says by an
/// [`crate::protocol::Observation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum LogMoment {
    /// The node has a vote in a term and may tell of it.
    Votes,
    /// The node has learned that its log is committed further. Each time counts once, however many
    /// entries it is.
    Commits,
    /// The node has cut off the end of its log.
    Truncates,
    /// A snapshot of the node's own state is in place.
    Snapshots,
    /// A snapshot from another node is in place.
    Installs,
}

/// What goes wrong. Faults of the network decide on a message when it is sent: one that is already
/// on its way arrives.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultAction {
    /// Nodes of different groups cannot reach each other; nodes named in no group form one more. A
    /// client named in a group reaches only that group's nodes; others reach all.
    Partition(Vec<Group>),
    /// Each node reaches only its nearest neighbours in a ring, as many as make a majority with it:
    /// no two nodes see the same majority (Jepsen's `majorities-ring`). It takes four nodes at
    /// least.
    MajoritiesRing,
    /// The cluster falls into two halves that only this node connects.
    Bridge(Target),
    /// These nodes reach no other node and are reached by none; clients still reach them.
    Isolate(Target),
    /// Messages from some nodes to some nodes are lost, one way.
    Block(Route),
    /// Messages are held back, and all travel on when it ends.
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
    /// The process is not scheduled; what reaches it waits.
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

/// The kinds of action, and their names in scenario files.
macro_rules! kinds {
    ($($action:pat => $name:literal,)*) => {
        impl FaultAction {
            /// The names of the kinds in scenario files.
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
    /// A power loss keeps the unsynced bytes except for a hole, instead of keeping a prefix.
    TornWrite,
    /// Syncs complete and make nothing durable; the first that completes after the fault does.
    LostWrite,
    /// A bit flips, once and for good.
    FlipBit {
        /// Its byte, counted through the files of the disk; `None`: a drawn one.
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
    /// Whether it includes the way back.
    pub both_ways: bool,
}

/// Some nodes, named or described; a description is resolved when the fault starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// These, lowest id first.
    Nodes(Vec<NodeId>),
    /// The live leader; of several the one of the highest term, then of the lowest id.
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
