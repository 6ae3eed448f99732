//! What breaks a session guarantee.

use crate::id::{KeyId, OpId, Value, Version};

/// An operation that contradicts an earlier one of its session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Break {
    pub(super) later: OpId,
    /// What it contradicts. A read is named by the write that it found; which read that was is
    /// looked up only for the break that is shown.
    pub(super) earlier: Earlier,
    pub(super) key: KeyId,
    pub(super) what: Broken,
    /// The write at fault: the one that came too low, or that was not seen.
    pub(super) write: Version,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Earlier {
    Operation(OpId),
    ReadOf(Option<OpId>),
}

/// How the later operation contradicts the earlier one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Broken {
    /// Its version is not above that of the earlier one.
    Low { version: Version, below: Version },
    /// It returned something older.
    Older,
    /// It found the tombstone of an older removal.
    OlderRemoval,
    /// It found nothing.
    Absent,
    /// It found the key listed although it was removed.
    Listed,
    /// It found a value from before a removal.
    Returned,
    /// It found a list without this element.
    Lacks(Value),
}
