//! How to play a run, apart from what is simulated.

/// What to do besides simulating.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Write one line for each event ([`super::RunResult::trace`]).
    pub trace: bool,
    /// Note the digest after each event, so that two runs can be compared
    /// ([`super::RunResult::steps`]).
    pub steps: bool,
    /// Which event queue to use. The digest is the same with either.
    pub queue: QueueKind,
    /// Which broken properties [`crate::explain::run`] explains.
    pub causes: Causes,
    /// Leave out [`super::RunResult::last_write`]. A campaign of many thousands of runs never reads
    /// it.
    pub without_last_write: bool,
}

/// Which broken properties are explained. Explaining takes a second run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Causes {
    /// All.
    #[default]
    OfAll,
    /// All but reads that broke no promise. Where stale reads are allowed they are frequent, and a
    /// table of many runs does not show how they came about.
    OfAllButAllowedReads,
    /// Those that must not have been broken: see [`super::is_unexpected`].
    OfTheUnexpected,
}

/// Which event queue a simulation uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueKind {
    /// Buckets of time, sorted when their turn comes: the fastest.
    #[default]
    Calendar,
    /// A 4-ary heap of packed keys.
    Heap,
}
