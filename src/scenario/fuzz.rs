//! `[fuzz]`: what a campaign may draw, and within what bounds.

use crate::rng::Probability;
use crate::time::Span;
use strum::{IntoStaticStr, VariantArray};

mod decode;

pub(super) use decode::{SECTION, check_settings, decode};

/// What a campaign may draw.
#[derive(Clone, Debug, PartialEq)]
pub struct Fuzz {
    /// The kinds of fault, in the order of [`Kind`], each as likely as any other.
    pub kinds: Vec<Kind>,
    /// The fewest and the most faults of a case.
    pub faults: (u32, u32),
    /// The shortest and the longest that a fault lasts.
    pub lasts: (Span, Span),
    /// How many nodes may be down or paused at once; `None` for any number: then only safety is
    /// judged.
    pub max_down: Option<u16>,
    /// Whether each case switches off kinds at random (Groce et al., "Swarm Testing", ISSTA 2012).
    pub swarm: bool,
    /// The moments that faults may be tied to.
    pub moments: FuzzMoments,
    /// The most by which a node's clock is off from the start, either way.
    pub clock_offset: Span,
    /// The most by which a clock jumps, either way.
    pub clock_jump: Span,
    /// The most by which a clock's rate is wrong, either way, in parts per billion; below
    /// 1,000,000,000.
    pub clock_drift_ppb: u32,
    /// The most by which a slow link or disk is slower.
    pub slow: Span,
    /// The largest share of messages that a `drop` fault loses.
    pub loss: Probability,
    /// Keys of the scenario that are drawn for each case, in file order: paths and choices.
    pub settings: Vec<(String, Choice)>,
}

/// The moments that drawn faults may be tied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FuzzMoments {
    /// None: each fault starts at a time.
    None,
    /// Those that the simulation itself sees.
    Simulated,
    /// Those of a replicated log too, as far as the protocol has them.
    OfLogToo,
}

/// What may be drawn for a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Choice {
    /// One of these, as texts of TOML values; at least one.
    OneOf(Vec<String>),
    /// A whole number, both ends included.
    Integer(i64, i64),
    /// A length of time, both ends included.
    Duration(Span, Span),
    /// A share, both ends included.
    Share(Probability, Probability),
}

/// A kind of fault that can be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Kind {
    /// A process dies and starts again.
    Crash,
    /// A machine loses power and starts again.
    PowerLoss,
    /// A node crashes and comes back with an empty disk.
    EmptyDisk,
    /// A process is not scheduled.
    Pause,
    /// Two or three groups cannot reach one another.
    Partition,
    /// Every node sees a majority, no two the same; on four nodes and more.
    MajoritiesRing,
    /// Two halves with one node between; on three nodes and more.
    Bridge,
    /// A node is cut off.
    Isolate,
    /// A link is cut one way.
    Block,
    /// Messages of a link are held back.
    Clog,
    /// A link is slow.
    Slow,
    /// A link loses messages.
    Drop,
    /// Clocks are wrong from the start.
    ClockOffset,
    /// A clock jumps.
    ClockJump,
    /// A clock runs at another rate.
    ClockDrift,
    /// A power loss leaves a hole.
    TornWrite,
    /// A disk lies about its syncs.
    LostWrite,
    /// A bit flips.
    FlipBit,
    /// A disk cannot be read at a start.
    ReadError,
    /// A disk is full.
    DiskFull,
    /// A disk is slow.
    SlowDisk,
}

impl Kind {
    /// Whether it is possible in a cluster of so many nodes.
    #[must_use]
    pub const fn is_possible(self, nodes: u16) -> bool {
        let fewest = match self {
            Self::MajoritiesRing => 4,
            Self::Bridge => 3,
            Self::Partition
            | Self::Isolate
            | Self::Block
            | Self::Clog
            | Self::Slow
            | Self::Drop => 2,
            Self::Crash
            | Self::PowerLoss
            | Self::EmptyDisk
            | Self::Pause
            | Self::ClockOffset
            | Self::ClockJump
            | Self::ClockDrift
            | Self::TornWrite
            | Self::LostWrite
            | Self::FlipBit
            | Self::ReadError
            | Self::DiskFull
            | Self::SlowDisk => 1,
        };
        nodes >= fewest
    }
}

impl Fuzz {
    /// The default for a scenario of this `duration`: processes, machines and links fail; clocks
    /// are right, and disks lose nothing that was synced.
    #[must_use]
    pub fn standard(duration: Span) -> Self {
        let longest = Span::from_nanos((duration.nanos() / 3).max(1));
        Self {
            kinds: vec![
                Kind::Crash,
                Kind::PowerLoss,
                Kind::Pause,
                Kind::Partition,
                Kind::MajoritiesRing,
                Kind::Bridge,
                Kind::Isolate,
                Kind::Block,
                Kind::Clog,
                Kind::Slow,
                Kind::Drop,
                Kind::SlowDisk,
            ],
            faults: (1, 10),
            lasts: (Span::from_millis(5).min(longest), longest),
            max_down: None,
            swarm: true,
            moments: FuzzMoments::Simulated,
            clock_offset: Span::from_millis(500),
            clock_jump: Span::from_secs(1),
            clock_drift_ppb: 100_000_000,
            slow: Span::from_millis(200),
            loss: Probability::ONE,
            settings: Vec::new(),
        }
    }
}
