//! Messages between nodes, counted by kind while a run is played.

use crate::metrics::{KindCounts, MessageCounts};
use crate::protocol::Message;

/// What was sent and delivered of each kind. There is room for every `u8`, so that counting checks
/// no bounds.
pub(crate) struct KindTally(Box<[Counts; 1 << u8::BITS]>);

#[derive(Clone, Copy)]
struct Counts {
    sent: u64,
    delivered: u64,
}

impl KindTally {
    pub(crate) fn new() -> Self {
        Self(Box::new([Counts { sent: 0, delivered: 0 }; 1 << u8::BITS]))
    }

    #[inline]
    pub(crate) fn sent(&mut self, kind: u8) {
        self.0[usize::from(kind)].sent += 1;
    }

    #[inline]
    pub(crate) fn delivered(&mut self, kind: u8) {
        self.0[usize::from(kind)].delivered += 1;
    }

    /// `counts` with these messages added.
    pub(crate) fn add_to<M: Message>(&self, mut counts: MessageCounts) -> MessageCounts {
        for (kind, &Counts { sent, delivered }) in M::KINDS.iter().zip(self.0.iter()) {
            counts.sent += sent;
            counts.delivered += delivered;
            counts.by_kind.push(KindCounts { kind, sent, delivered });
        }
        counts
    }
}
