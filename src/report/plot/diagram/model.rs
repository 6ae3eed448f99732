//! What a diagram shows, before it is laid out.

use strum::{IntoStaticStr, VariantArray};

use crate::explain::chronicle::{Delivery, FaultSpan, Spell, Window};
use crate::history::{Entry, Status};
use crate::id::NodeId;
use crate::report::plot::Caption;
use crate::report::plot::style::{AXIS, BLUE, Color, GREEN, ORANGE, PURPLE, SKY, VERMILLION};
use crate::time::Time;

/// What a message is about; it decides the colour. In the order of the legend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, VariantArray)]
pub enum MessageClass {
    /// It carries writes.
    Write,
    /// It acknowledges writes.
    Acknowledgement,
    /// A client's request, or the answer to one.
    Client,
    /// Anything else between nodes: votes, heartbeats.
    Other,
}

impl MessageClass {
    /// Its colour.
    pub(super) const fn color(self) -> Color {
        match self {
            Self::Write => BLUE,
            Self::Acknowledgement => SKY,
            Self::Client => AXIS,
            Self::Other => PURPLE,
        }
    }
}

/// A message to draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrow {
    /// The row that it leaves.
    pub from: usize,
    /// The row that it goes to.
    pub to: usize,
    /// When it was sent, in virtual time.
    pub sent_at: Time,
    /// What became of it.
    pub delivery: Delivery,
    /// When a clog let it go, in virtual time; `None` if none held it.
    pub held_until: Option<Time>,
    /// What it is about.
    pub class: MessageClass,
    /// What to write beside it.
    pub label: String,
    /// Whether the diagram is about it.
    pub subject: bool,
}

/// How an operation ended; it decides the colour. In the order of the legend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum OperationOutcome {
    /// It happened.
    Ok,
    /// It happened with fewer acknowledgements than it asked for.
    Degraded,
    /// It did not happen.
    Fail,
    /// Its outcome is unknown.
    Info,
}

impl OperationOutcome {
    /// How an operation ended. One that is pending at the end is unknown.
    pub(in crate::report::plot) const fn of(entry: &Entry) -> Self {
        match entry.status {
            Status::Ok if entry.degraded => Self::Degraded,
            Status::Ok => Self::Ok,
            Status::Fail => Self::Fail,
            Status::Info | Status::Pending => Self::Info,
        }
    }

    /// Its colour.
    #[must_use]
    pub const fn color(self) -> Color {
        match self {
            Self::Ok => GREEN,
            Self::Degraded => ORANGE,
            Self::Fail => VERMILLION,
            Self::Info => PURPLE,
        }
    }
}

/// An operation of a client, to draw as a bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationBar {
    /// The client's row.
    pub row: usize,
    /// From its invocation to its completion, in virtual time.
    pub window: Window,
    /// The call and the answer.
    pub text: String,
    /// How it ended.
    pub outcome: OperationOutcome,
    /// Whether the diagram is about it.
    pub subject: bool,
}

/// A row of the diagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// A client, by its name.
    Client(String),
    /// A node.
    Node(NodeId),
}

/// A space-time diagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagram {
    /// The caption; it says what is left out.
    pub caption: Caption,
    /// The virtual time that it shows.
    pub window: Window,
    /// When something went wrong, in virtual time, if anything did.
    pub moment: Option<Time>,
    /// Its rows: clients, then nodes.
    pub rows: Vec<Row>,
    /// The lives of its nodes.
    pub spells: Vec<Spell>,
    /// The faults that are on in the window.
    pub faults: Vec<FaultSpan>,
    /// The messages, in the order of sending.
    pub arrows: Vec<Arrow>,
    /// The operations, in the order of invocation.
    pub operations: Vec<OperationBar>,
}

impl Row {
    /// Its name.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Client(name) => name.clone(),
            Self::Node(node) => node.to_string(),
        }
    }
}

/// Whether a message was never delivered.
pub(super) const fn is_lost(delivery: Delivery) -> bool {
    matches!(delivery, Delivery::Lost | Delivery::Blocked | Delivery::Undelivered(_))
}
