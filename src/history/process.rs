//! Processes: who invokes operations.

use crate::id::ClientId;

/// A process as in Jepsen: it invokes one operation at a time.
///
/// An operation with an unknown outcome may still be under way, so its client goes on as a new
/// process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Which client.
    pub client: ClientId,
    /// How many earlier operations of the client ended with an unknown outcome.
    pub incarnation: u32,
}

impl Process {
    /// The process that a client starts as.
    #[must_use]
    pub const fn first(client: ClientId) -> Self {
        Self { client, incarnation: 0 }
    }
}
