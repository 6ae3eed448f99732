//! The life of one write: a chain of steps in plain words.

use strum::{IntoStaticStr, VariantArray};

use crate::check::Mechanism;
use crate::history::Status;
use crate::id::{NodeId, OpId, Version};
use crate::time::Time;

/// The life of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// The operation in the history.
    pub operation: OpId,
    /// The operation and its client: `put city=Raleigh by c1`.
    pub call: String,
    /// What became of the operation.
    pub status: Status,
    /// The version that it was given.
    pub version: Option<Version>,
    /// Whether it was lost, or discarded; `None` when it was neither.
    pub fate: Option<Gone>,
    /// How it was lost or discarded; `None` when it was neither.
    pub mechanism: Option<Mechanism>,
    /// The node whose copy's end made the loss certain, and when.
    pub decisive: Option<(NodeId, Time)>,
    /// What happened, in order.
    pub steps: Vec<StoryStep>,
    /// How many repeated or lesser steps are left out.
    pub left_out: u64,
}

/// That an acknowledged write is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Gone {
    /// It is missing at the end.
    Lost,
    /// It was gone before its key was written again, so nothing is missing at the end.
    Discarded,
}

/// A step of a story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoryStep {
    /// When.
    pub at: Time,
    /// The nodes or the client that did it; empty for the end of the run.
    pub who: Vec<String>,
    /// What kind of step it is.
    pub kind: StepKind,
    /// What they did, in words.
    pub text: String,
}

/// What kind of step it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum StepKind {
    /// A client invoked it.
    Invoked,
    /// A node took it from the client and stamped it.
    Accepted,
    /// A replica's store took it.
    Applied,
    /// A replica dropped it.
    Discarded,
    /// Another write of the key took its place on a replica.
    Superseded,
    /// A node sent it to others.
    Sent,
    /// It reached a node that was down.
    #[strum(serialize = "undelivered")]
    Stopped,
    /// A node learned that another has it.
    #[strum(serialize = "confirmed")]
    Acknowledged,
    /// An acknowledgement never arrived.
    #[strum(serialize = "confirmation-lost")]
    AcknowledgementLost,
    /// The client learned what came of it.
    Completed,
    /// A node that had it crashed.
    Crashed,
    /// A node that had it lost power.
    PowerLost,
    /// A node that had had it was given an empty disk.
    DiskReplaced,
    /// A node that had had it started again.
    Restarted,
    /// A node began to lead.
    Leads,
    /// The end of the run.
    End,
}
