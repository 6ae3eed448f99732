//! The words of scenario files that several parts of this layer read or write.

use crate::config::{FaultAction, LogMoment, Occurrence, Target};
use crate::id::MAX_NODES;

/// The most nodes, in the type of [`crate::config::Cluster::nodes`].
pub(super) const NODES: u16 = MAX_NODES as u16;

/// The keys of a distribution's table, of which one is given.
pub(super) const VARIANTS: [&str; 7] =
    ["constant", "uniform", "exponential", "lognormal", "pareto", "mixture", "quantiles"];

/// What a scripted operation may be; one is given.
pub(super) const OPERATIONS: [&str; 9] =
    ["put", "get", "delete", "list", "read-all", "clear", "append", "cas", "batch"];

/// What a fault may do; one is given.
pub(super) const ACTIONS: [&str; 22] = FaultAction::KINDS;

/// Descriptions of nodes that are resolved when a fault starts.
pub(super) const TARGETS: [(&str, Target); 6] = [
    ("leader", Target::Leader),
    ("follower", Target::Follower),
    ("lowest-id", Target::LowestId),
    ("highest-id", Target::HighestId),
    ("majority", Target::Majority),
    ("all", Target::All),
];

/// What a fault may be tied to; one is given.
pub(super) const OCCURRENCES: [(&str, Occurrence); 11] = [
    ("elected", Occurrence::Elected),
    ("appends", Occurrence::Appends),
    ("persists", Occurrence::Persists),
    ("acknowledges", Occurrence::Acknowledges),
    ("receives", Occurrence::Receives(None)),
    ("restarts", Occurrence::Restarts),
    ("votes", Occurrence::OfLog(LogMoment::Votes)),
    ("commits", Occurrence::OfLog(LogMoment::Commits)),
    ("truncates", Occurrence::OfLog(LogMoment::Truncates)),
    ("snapshots", Occurrence::OfLog(LogMoment::Snapshots)),
    ("installs", Occurrence::OfLog(LogMoment::Installs)),
];
