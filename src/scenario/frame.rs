//! The number of nodes and the length of a scenario, which bound its other parts.

use crate::time::Span;

/// How many nodes a scenario has, and how long it lasts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) nodes: u16,
    pub(super) duration: Span,
    pub(super) settle: Span,
}
