//! What a step asks for: effects in a buffer that the simulation owns.

use std::iter;
use std::mem::ManuallyDrop;

use crate::id::NodeId;
use crate::rng::CausalId;
use crate::time::Span;

use super::{File, Observation, Protocol, Reply, RequestId, Ticket};

/// An effect of a protocol's step, as the simulation finds it in the buffer.
#[derive(Debug)]
pub(crate) enum Effect<P: Protocol> {
    Send {
        to: NodeId,
        message: P::Message,
    },
    SetTimer {
        timer: P::Timer,
        after: Span,
    },
    CancelTimer {
        timer: P::Timer,
    },
    Disk {
        ticket: Ticket,
        file: File,
        operation: DiskOperation,
    },
    Reply {
        request: RequestId,
        reply: Reply,
    },
    Observe(Observation),
    /// Effects from here on are caused by this instead of the step.
    Continue(CausalId),
    /// The process gives up, and why.
    Stop(String),
}

/// What a protocol asks of its disk. `Append` takes its bytes from the effects' byte buffer.
#[derive(Debug)]
pub(crate) enum DiskOperation {
    /// A record; its sequence in a numbered log, else 0.
    Append {
        start: usize,
        end: usize,
        sequence: u64,
    },
    Sync,
    TruncateSuffix {
        length: u64,
    },
    Replace {
        start: usize,
        end: usize,
    },
}

/// The buffer a protocol pushes its effects into; the simulation owns it, drains it and uses it again.
#[derive(Debug)]
pub(crate) struct Effects<P: Protocol> {
    pub(crate) list: Vec<Effect<P>>,
    pub(crate) bytes: Vec<u8>,
    /// The message that came back to the node whose turn it is.
    pub(crate) returned: Option<P::Message>,
}

impl<P: Protocol> Effects<P> {
    pub(crate) const fn new() -> Self {
        Self { list: Vec::new(), bytes: Vec::new(), returned: None }
    }

    /// Nobody drops the effect if there is no memory for it: so it is put together in its place, and not beside it.
    #[inline]
    pub(crate) fn push(&mut self, effect: Effect<P>) {
        let effect = ManuallyDrop::new(effect);
        self.list.extend(iter::once_with(|| ManuallyDrop::into_inner(effect)));
    }
}
