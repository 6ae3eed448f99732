//! The settings of leader-follower replication.

use std::num::NonZeroU32;
use strum::{IntoStaticStr, VariantArray};

use crate::named::Named;
use crate::protocol::parts::entry::{Deletes, Rules};
use crate::protocol::parts::stamps::Timestamps;
use crate::protocol::parts::wal::{Policy, WalDefects};
use crate::time::Span;

/// Settings of [`super::LeaderFollower`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// When a write is answered.
    pub mode: Mode,
    /// How long the leader waits for acknowledgements.
    pub ack_timeout: Span,
    /// What it answers when too few come.
    pub on_ack_timeout: OnAckTimeout,
    /// What it sends to followers.
    pub replication: Shipping,
    /// What a follower does with everything that its leader stores, when it is sent that.
    pub full_state: FullStateIs,
    /// How long after a write was sent it is sent again to a follower that has not acknowledged it;
    /// `None`: never, so a follower that missed a write stays behind until that key is written
    /// again. Of several unacknowledged writes of one key only the newest is sent again, and a
    /// acknowledgement of it counts for the older ones.
    pub resend: Option<Span>,
    /// What a delete leaves.
    pub deletes: Deletes,
    /// Whether the leader knows an append that is tried again, by its element, and does not append
    /// twice.
    pub deduplicate: bool,
    /// How long a node keeps a tombstone; `None`: for ever.
    pub tombstone_grace: Option<Span>,
    /// How writes are stamped.
    pub timestamps: Timestamps,
    /// How reads of several replicas are coordinated.
    pub reads: Reads,
    /// How often each node compares what it stores with another; `None`: never.
    pub anti_entropy: Option<Span>,
    /// What a node writes to its disk.
    pub wal: WalSettings,
    /// How a cluster gets a leader, and what becomes of the data of those that were away.
    pub failover: Failover,
    /// Mistakes of real systems, built in on purpose.
    pub defects: Defects,
}

impl Config {
    #[inline]
    pub(super) const fn rules(&self) -> Rules {
        Rules { deletes: self.deletes, ties: self.timestamps.ties }
    }
}

/// The write-ahead log under the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalSettings {
    /// When a write to it is durable, and what waits for that.
    pub policy: Policy,
    /// After how many records the store is written down and the log cut; `None`: never.
    pub checkpoint_every: Option<NonZeroU32>,
    /// Which nodes keep one.
    pub on: WalOn,
}

/// Which nodes keep a write-ahead log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalOn {
    /// Every node.
    All,
    /// Only the leader, which never changes; a follower that crashes comes back empty.
    Leader,
}

impl WalSettings {
    /// When a write is durable on a node; `leads_for_ever` says whether it is the leader of the
    /// scenario.
    pub(super) fn policy_on(&self, leads_for_ever: bool) -> Policy {
        match self.on {
            WalOn::Leader if !leads_for_ever => Policy::Off,
            WalOn::All | WalOn::Leader => self.policy,
        }
    }

    /// When a write is durable on the followers.
    pub(super) fn policy_on_followers(&self) -> Policy {
        self.policy_on(false)
    }
}

/// How a cluster gets a leader when it has none, and what becomes of the data of those that were
/// away.
///
/// Without an election and without catch-up there are no heartbeats, and the scenario's leader
/// never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failover {
    /// Who leads next.
    pub election: Election,
    /// How often a heartbeat is sent.
    pub heartbeat: Span,
    /// For how long a node hears nothing of another before it takes it for dead.
    pub timeout: Span,
    /// How often a node looks whether the silence has lasted for that long; `None`: it knows at
    /// once. It looks at whole multiples of this after its boot, and while nobody leads it acts at
    /// every look.
    pub look_every: Option<Span>,
    /// What is added to the timeout of a node that waits for an election: uniform between nothing
    /// and this, drawn anew for each wait.
    pub jitter: Span,
    /// Whether messages of a lower term are refused.
    pub fencing: bool,
    /// How a follower that was away gets what it missed.
    pub catch_up: CatchUp,
    /// What becomes of writes that a node has and its new leader lacks.
    pub tail: Tail,
    /// What becomes of requests while no leader is known.
    pub without_leader: WithoutLeader,
    /// Whether a node outside the in-sync set may lead.
    pub unclean: bool,
}

impl Failover {
    /// The leader never changes, and no follower is brought up to date.
    pub const NONE: Self = Self {
        election: Election::None,
        heartbeat: Span::from_secs(2),
        timeout: Span::from_secs(6),
        look_every: None,
        jitter: Span::ZERO,
        fencing: true,
        catch_up: CatchUp::None,
        tail: Tail::Discard,
        without_leader: WithoutLeader::Refuse,
        unclean: false,
    };

    /// Whether nodes send heartbeats and listen for them.
    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.election != Election::None || self.catch_up != CatchUp::None
    }
}

/// Who leads next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Election {
    /// Nobody but the leader of the scenario.
    None,
    /// Of the nodes that a node has heard from within the timeout, itself included, the one with
    /// the lowest id. There are no votes: each node judges for itself, and two that hear different
    /// nodes judge differently.
    LowestId {
        /// Whether a node that hears a leader with a higher id than its own takes over, up to date
        /// or not.
        pre_empt: bool,
    },
    /// The bully algorithm (Garcia-Molina 1982): a candidate asks every node; one with a higher id
    /// refuses and stands itself, one with a lower id grants; a candidate that nobody refuses
    /// within a heartbeat leads.
    HighestId,
    /// A candidate needs the votes of a majority of all nodes (Raft section 5.2).
    MajorityVote {
        /// Whether a candidate first asks whether it would win, without raising its term (Raft
        /// thesis section 9.6).
        pre_vote: bool,
        /// Whether a vote is refused to a candidate whose last (term, index) is older than the
        /// voter's (Raft section 5.4.1).
        check_log: bool,
        /// Whether term and vote are durable before a vote leaves (Raft figure 2).
        persist_vote: bool,
    },
    /// Of a majority that hear one another, the node whose newest write has the highest timestamp;
    /// a leader that hears of another with older writes takes over. (MongoDB's first protocol;
    /// anomaly: a clock that is ahead wins.)
    NewestTimestamp,
}

impl Election {
    /// The name in scenario files.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Whether every node sends heartbeats, and not the leader alone.
    pub(super) const fn all_heartbeat(self) -> bool {
        matches!(self, Self::LowestId { .. } | Self::NewestTimestamp)
    }
}

/// How a follower that was away gets what it missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatchUp {
    /// Not at all.
    None,
    /// The leader sends everything it stores.
    FullState,
    /// Writes are a log: a follower takes them in order, and is sent those behind the last (term,
    /// index) that it has in common with the leader (Raft section 5.3).
    Log,
}

/// What becomes of writes that a node has and its new leader lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// They are gone.
    Discard,
    /// They are offered to the leader, who takes those that win by last write wins.
    Merge,
}

/// What becomes of requests while no leader is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithoutLeader {
    /// They are refused.
    Refuse,
    /// They wait at the node until one is known, or their client gives up.
    Wait,
}

/// A mistake of a real system, built in on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray, IntoStaticStr)]
#[repr(u8)]
#[strum(serialize_all = "kebab-case")]
pub enum Defect {
    /// Damage in the middle of a log is taken for a torn tail: what follows it is dropped without
    /// a word (nodedb #164).
    TruncateCorruption,
    /// A torn tail is not cut off, and what is appended behind it is never read again (cqlite
    /// #1390).
    KeepTornTail,
    /// The log is cut before the checkpoint that stands for it is written (VelesDB #898, holt #15,
    /// nodedb #160).
    TruncateBeforeCheckpoint,
    /// A replica takes a repair whatever its version, even over a newer write.
    RepairIgnoresStamps,
    /// With election by lowest id: the lowest configured id is waited for, dead or alive, so nobody
    /// takes over (a three-node teaching store).
    WaitForLowestConfigured,
    /// With election by lowest id: a node that waits for another to lead raises its own term every
    /// time its election timeout ends, and then refuses that leader as one of an older term (the
    /// same store).
    RaiseTermWhileWaiting,
    /// With election by lowest id: nodes know themselves by id and the others by address, and
    /// addresses sort before ids. So nobody takes itself for the lowest, and nobody ever leads (the
    /// compose file of the same teaching store).
    AddressesBeforeIds,
    /// A node that waits for another to lead takes itself for its follower, and names it to clients
    /// as the leader; one that knows of nobody takes itself for a follower too (the same store).
    FollowTheAwaited,
    /// With election by lowest id: only who leads says that it is there, so nobody knows who else
    /// is, and a leader never hears that the others have gone on to a higher term (the same store).
    SilentFollowers,
    /// What a leader of a lower term sends is ignored, and acknowledged all the same; nobody tells
    /// it of the higher term (the same store).
    #[strum(serialize = "confirm-what-is-ignored")]
    AcknowledgeIgnored,
}

/// Some defects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Defects(u32);

impl Defects {
    /// None.
    pub const NONE: Self = Self(0);

    /// Builds one in.
    pub const fn insert(&mut self, defect: Defect) {
        self.0 |= 1 << defect as u8;
    }

    /// Whether it is built in.
    #[must_use]
    pub const fn has(self, defect: Defect) -> bool {
        self.0 & (1 << defect as u8) != 0
    }

    /// Those built in, in the order of [`Defect`].
    pub fn iter(self) -> impl Iterator<Item = Defect> {
        Defect::all().filter(move |defect| self.has(*defect))
    }

    /// Those of opening a log.
    pub(super) const fn of_the_wal(self) -> WalDefects {
        WalDefects {
            truncates_corruption: self.has(Defect::TruncateCorruption),
            keeps_torn_tail: self.has(Defect::KeepTornTail),
            ignores_gaps: self.has(Defect::TruncateBeforeCheckpoint),
        }
    }
}

/// When a write is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Mode {
    /// At once; replication goes on behind.
    Async,
    /// When this many followers have acknowledged it: 1 to the number of followers.
    SemiSync {
        /// Follower acknowledgements awaited.
        write_quorum: u16,
    },
    /// When every follower has acknowledged it.
    Sync,
    /// When every follower of the in-sync set has acknowledged it. A follower leaves the set when
    /// it has not been up to date for a while and comes back when it is (Kafka's ISR).
    InSync {
        /// How many nodes the set must have for writes to be accepted, the leader included.
        min: u16,
        /// How long a follower may be behind before it leaves the set.
        lag: Span,
    },
}

impl Mode {
    /// The name in scenario files.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// How many of `followers` have to acknowledge a write before it is answered; with an in-sync
    /// set, how many at least.
    #[must_use]
    pub const fn quorum(self, followers: u16) -> u16 {
        match self {
            Self::Async => 0,
            Self::SemiSync { write_quorum } => write_quorum,
            Self::Sync => followers,
            Self::InSync { min, .. } => min.saturating_sub(1),
        }
    }
}

/// What the leader answers when too few followers acknowledge in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnAckTimeout {
    /// Ok, marked degraded.
    Succeed,
    /// That the outcome is unknown.
    Fail,
}

/// What the leader sends to followers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shipping {
    /// The write.
    Entry,
    /// Everything it stores.
    FullState,
}

/// What a follower does with everything that its leader stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FullStateIs {
    /// It takes that in place of what it has.
    Replacing,
    /// It takes each key in it, and keeps those that are not in it: what left nothing is never
    /// missed.
    Merged,
}

/// How a node coordinates reads of several replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reads {
    /// How long the coordinator waits for replicas, and for their repair.
    pub timeout: Span,
    /// When it answers a read that repairs.
    pub answer: RepairAnswer,
}

/// When a coordinator answers a read that repairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepairAnswer {
    /// Once the stale replicas have acknowledged the newest value.
    AfterRepair,
    /// At once; the repair goes on behind.
    BeforeRepair,
}
