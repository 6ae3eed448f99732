//! Which line of the trace each event has: one, once. What reaches a paused node has its own when it arrives, and a word
//! when the process takes it in; what comes too late to do anything has none.

use crate::id::NodeId;
use crate::protocol::{Message, Protocol};

use super::Simulation;
use super::event::{Event, What, describe};
use super::queue::EventQueue;

impl<P: Protocol, Q: EventQueue<Event<P>>> Simulation<'_, P, Q> {
    /// Before an event is played: its line in the trace, and what it means to the writes that are followed.
    #[cold]
    #[inline(never)]
    pub(super) fn look_at(&mut self, event: &Event<P>) {
        let what = &event.what;
        if self.kernel.trace.wanted() {
            self.kernel.trace.mark();
            if self.is_held(what) {
                self.trace_held(what);
            } else {
                self.trace_event(what);
            }
        }
        if let (Some(watch), What::Message { to, from, message, .. }) = (&mut self.watch, what) {
            let up = self.slots[to.index()].is_up();
            watch.arrives(self.kernel.now, (*from, *to), message, up);
        }
        if let (Some(record), What::Message { to, .. }) = (&mut self.record, what)
            && !self.slots[to.index()].is_up()
        {
            record.undelivered(event.id);
        }
    }

    /// The line of an event that is played, unless nothing comes of it.
    #[cold]
    pub(super) fn trace_event(&mut self, what: &What<P>) {
        if self.is_void(what) {
            return;
        }
        let (who, what, content) = describe(what, &self.config.names);
        self.kernel.trace.line(self.kernel.now, &who, what, &content);
    }

    /// The line of an event that reaches the machine of a paused node, and that its process does not know of it yet. A
    /// timer runs out in the process: it has its own line when the node goes on, if nothing stops it until then.
    #[cold]
    fn trace_held(&mut self, what: &What<P>) {
        if !matches!(what, What::Timer { .. }) {
            self.trace_event(what);
        }
        self.trace_waiting(what, ". waits");
    }

    /// The line of what a process takes in that had waited while its node was paused.
    #[cold]
    pub(super) fn trace_resumed(&mut self, what: &What<P>) {
        if matches!(what, What::Timer { .. }) {
            self.trace_event(what);
        } else {
            self.trace_waiting(what, ". resume");
        }
    }

    /// What waited for a paused node, whose process died.
    #[cold]
    pub(super) fn trace_never_resumed(&mut self, what: &What<P>) {
        if matches!(what, What::Message { .. } | What::Request { .. }) {
            self.trace_waiting(what, ". lost");
        }
    }

    /// A line that names what waits for a paused node in few words: its content is told where it arrives.
    fn trace_waiting(&mut self, what: &What<P>, verb: &str) {
        let Some((node, _)) = what.process() else { return };
        let content = match what {
            What::Message { from, message, .. } => {
                let kind = P::Message::KINDS[usize::from(message.kind())];
                format!("a message of {from}: {kind}")
            }
            What::Request { client, .. } => {
                format!("a request of {}", self.config.names.client(*client))
            }
            What::Refused { to, message, .. } => {
                let kind = P::Message::KINDS[usize::from(message.kind())];
                format!("a refusal of {to}: {kind}")
            }
            What::Disk { ticket, .. } => format!("the disk, with ticket {}", ticket.0),
            What::Timer { .. } => "a timer".to_owned(),
            What::Answer { .. }
            | What::Invoke { .. }
            | What::Arrival { .. }
            | What::Alarm { .. }
            | What::Retry { .. }
            | What::Fault { .. }
            | What::Change { .. }
            | What::Heal
            | What::SettleCheck => return,
        };
        self.kernel.trace.line(self.kernel.now, &node.to_string(), verb, &content);
    }

    /// Whether an event comes too late to do anything, or too early: it has no line in the trace.
    #[cold]
    fn is_void(&self, what: &What<P>) -> bool {
        match what {
            What::Timer { node, boot, generation, timer } => {
                let slot = &self.slots[node.index()];
                slot.boot != *boot || !slot.timers.is_running(timer, *generation)
            }
            // A power loss cut it short.
            What::Disk { node, boot, ticket, .. } => {
                let slot = &self.slots[node.index()];
                (slot.boot != *boot || !slot.is_up()) && !slot.disk.is_syncing(*ticket)
            }
            What::Alarm { client } => !self.clients.is_past_timeout(*client, self.kernel.now),
            What::Invoke { client, .. } => !self.clients.has_more_to_ask(*client),
            What::Fault { starts: true, .. } => self.settling(),
            What::Fault { index, starts: false } => self.undo[*index as usize].is_none(),
            What::Message { .. }
            | What::Refused { .. }
            | What::Request { .. }
            | What::Answer { .. }
            | What::Arrival { .. }
            | What::Retry { .. }
            | What::Change { .. }
            | What::Heal
            | What::SettleCheck => false,
        }
    }

    /// Says in the trace why the event above it did nothing.
    #[cold]
    pub(super) fn note_down(&mut self, node: NodeId) {
        if self.kernel.trace.wanted() {
            self.kernel.trace.line(
                self.kernel.now,
                &node.to_string(),
                ". lost",
                "the node is down",
            );
        }
    }
}
