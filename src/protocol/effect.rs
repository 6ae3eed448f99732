//! The effects of a step, in a buffer that the simulation owns.

use std::iter;
use std::mem::ManuallyDrop;

use crate::id::NodeId;
use crate::rng::CausalId;
use crate::time::Span;

use super::Protocol;
use super::disk::{File, Ticket};
use super::input::RequestId;
use super::observation::Observation;
use super::reply::Reply;

/// An effect of a step.
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
    /// The effects that follow are caused by this instead of the step.
    Continue(CausalId),
    /// The process ends, for this reason.
    Stop(String),
}

/// What a protocol asks of its disk. Bytes are named by their place in [`Effects::bytes`].
#[derive(Debug)]
pub(crate) enum DiskOperation {
    /// A record. `sequence` numbers it in a [`super::parts::wal::Wal`], and is 0 elsewhere.
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

/// The buffer that a protocol pushes its effects into. The simulation drains it and uses it again.
#[derive(Debug)]
pub(crate) struct Effects<P: Protocol> {
    pub(crate) list: Vec<Effect<P>>,
    pub(crate) bytes: Vec<u8>,
    /// The message that came back, in a step that takes [`super::Input::Refused`].
    pub(crate) returned: Option<P::Message>,
}

impl<P: Protocol> Effects<P> {
    pub(crate) const fn new() -> Self {
        Self { list: Vec::new(), bytes: Vec::new(), returned: None }
    }

    /// Pushes the effect, which is written where it is to stay: without drop glue for a failed
    /// allocation it need not be copied. With the copies of events, this made a message a tenth
    /// cheaper.
    #[inline]
    pub(crate) fn push(&mut self, effect: Effect<P>) {
        let effect = ManuallyDrop::new(effect);
        self.list.extend(iter::once_with(|| ManuallyDrop::into_inner(effect)));
    }
}
