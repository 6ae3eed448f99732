//! How large a find is, before and after.

use super::oracle::caught;
use crate::config::Config;
use crate::digest::DigestValue;
use crate::fuzz::judge::Find;
use crate::run::RunResult;

/// A find that was shrunk.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The scenario as a file that stands alone: its seed, faults, operations, the verdict that it
    /// expects, and a comment that tells the story.
    pub text: String,
    /// The digest of its run; `None` where the protocol panics.
    pub digest: Option<DigestValue>,
    /// How many faults there were at first.
    pub faults_before: usize,
    /// How many operations clients invoked at first.
    pub operations_before: usize,
    /// How many faults are left.
    pub faults: usize,
    /// How many operations are left.
    pub operations: usize,
    /// How many runs shrinking took.
    pub runs: u64,
    /// The failure that it shows.
    pub finding: Find,
}

/// How large a find was.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub(super) faults: usize,
    pub(super) operations: usize,
}

impl Size {
    /// The size of a run. If the protocol panics, the operations that were planned count.
    pub(super) fn of(config: &Config, play: impl Fn() -> RunResult) -> Self {
        let invoked = caught(play).map(|result| result.history.entries().len());
        let generated = config.workload.as_ref().and_then(|load| load.operations).unwrap_or(0);
        let to_be = config.script.len() + usize::try_from(generated).unwrap_or(0);
        Self { faults: config.faults.len(), operations: invoked.unwrap_or(to_be) }
    }
}
