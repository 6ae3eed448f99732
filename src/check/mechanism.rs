//! Mechanisms: the ways in which a write is lost or missed, as explanations name them.

use std::fmt;
use std::sync::LazyLock;

use strum::{IntoStaticStr, VariantArray};

use crate::named::Named;

/// How a write was lost, or missed by a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Mechanism {
    /// The node that accepted it went down before any other node had it.
    NeverShipped,
    /// The nodes that had it crashed, and it was on no disk.
    MemoryLost,
    /// A power loss took the end of the log that was not yet synced.
    UnsyncedTailLost,
    /// After the crash the log could not be read as far as the write.
    LogDamage,
    /// The log was cut before a checkpoint had the write.
    LogCut,
    /// The disk that had it was replaced by an empty one.
    DiskReplaced,
    /// Last write wins dropped it for a write of a higher version.
    OlderTimestamp,
    /// Another write has the same version, and a replica took the two for one.
    VersionReused,
    /// It was cut off the log of a node that followed another leader.
    Truncated,
    /// A full state without it replaced the store.
    FullStateOverwrite,
    /// A write of a lower version replaced it.
    OverwrittenByOlder,
    /// A clear emptied a single replica.
    Cleared,
    /// A removal left no tombstone, and an older write came back.
    Resurrected,
    /// A tombstone was purged, and an older write came back.
    TombstonePurged,
    /// The nodes that have it are down.
    LeftBehind,
    /// It is not lost, but one replica lacks it: no message with it ever reached that replica.
    NeverArrived,
    /// A read missed it: the replica that answered had not received it yet.
    NotYetThere,
    /// A read missed it: the leader that answered did not know that it was deposed.
    DeposedLeader,
    /// A read of several replicas missed it: none of the counted replicas had it.
    QuorumMissed,
    /// Followers have it, but the leader at the end never had it and shows something else.
    NotOnTheLeader,
    /// The protocol's observations do not tell.
    Unexplained,
}

impl Mechanism {
    /// The name of the figure that counts it, beside the verdict of durability.
    #[must_use]
    pub fn figure(self) -> &'static str {
        static FIGURES: LazyLock<Vec<String>> = LazyLock::new(|| {
            let names = Mechanism::all().map(Mechanism::name);
            names.map(|name| format!("lost_{}", name.replace('-', "_"))).collect()
        });
        &FIGURES[self as usize]
    }

    /// In words, to follow "the write was lost:".
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::NeverShipped => "never shipped before the crash of the node that accepted it",
            Self::MemoryLost => "only in the memory of nodes that crashed",
            Self::UnsyncedTailLost => "in the unsynced tail of a log that lost power",
            Self::LogDamage => "behind the place up to which the log could be read",
            Self::LogCut => "cut from the log before a checkpoint had it",
            Self::DiskReplaced => "on a disk that was replaced by an empty one",
            Self::OlderTimestamp => "dropped by last write wins, for a higher version",
            Self::VersionReused => "taken for another write that bears the same version",
            Self::Truncated => "truncated, as the new leader's log does not have it",
            Self::FullStateOverwrite => "overwritten by a full state without it",
            Self::OverwrittenByOlder => "overwritten by an older write",
            Self::Cleared => "cleared on a replica alone",
            Self::Resurrected => "a removal that an older write outlived",
            Self::TombstonePurged => {
                "a removal whose tombstone was purged before all had heard of it"
            }
            Self::LeftBehind => "left behind on nodes that are down",
            Self::NeverArrived => "never delivered to a replica that lacks it",
            Self::NotYetThere => "not there yet when the replica answered",
            Self::DeposedLeader => "unheard of by a deposed leader, which answered",
            Self::QuorumMissed => "on none of the replicas that the read counted",
            Self::NotOnTheLeader => "on replicas that follow, while the leader never had it",
            Self::Unexplained => "the protocol's observations do not tell how",
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_named_after_its_mechanism() {
        assert_eq!(Mechanism::NeverShipped.figure(), "lost_never_shipped");
        assert_eq!(Mechanism::Unexplained.figure(), "lost_unexplained");
    }
}
