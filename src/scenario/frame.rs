//! The size and length of a scenario, which its other parts have to keep within.

use super::decode::Element;
use crate::time::{Span, Time};

/// How many nodes a scenario has, and how long it lasts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) nodes: u16,
    pub(super) duration: Span,
    pub(super) settle: Span,
}

impl Frame {
    /// Reads a point of time that is not after the end of `duration`.
    pub(super) fn time(self, element: &Element<'_>) -> Option<Time> {
        let at = element.duration()?;
        if at > self.duration {
            return element.wrong(
                format!("{at} is after the end"),
                format!("faults and workload end after `duration`, {}", self.duration),
            );
        }
        Some(Time::ZERO + at)
    }
}
