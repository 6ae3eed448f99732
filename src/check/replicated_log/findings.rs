//! What a ledger finds in a run.

use super::breach::Breach;

/// How much a ledger has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    /// Votes.
    pub votes: u64,
    /// Entries appended, those among them that a node said again at a start.
    pub appended: u64,
    /// Entries committed, counted once.
    pub committed: u64,
    /// Entries applied, counted on each node.
    pub applied: u64,
}

/// What a ledger found in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFindings {
    /// The first breach of each property that was broken, in the order in which they were.
    pub breaches: Vec<Breach>,
    /// How much was examined.
    pub examined: Examined,
    /// Why nothing was, where that is so.
    pub unexamined: Option<&'static str>,
}
