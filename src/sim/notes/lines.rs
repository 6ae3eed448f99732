//! The line of the trace that each event has.
//!
//! An event that reaches a paused node has its line when it arrives, and a second, shorter one when
//! the process handles it. An event that comes too late to do anything has none.

use crate::names::Names;
use crate::operation::Batches;
use crate::protocol::{Message, Protocol, Session};

use super::super::Simulation;
use super::super::event::{Event, Queue, What};
use super::watch::Arrival;

impl<P: Protocol, Q: Queue<P>> Simulation<'_, P, Q> {
    /// Notes an event before it is played.
    #[cold]
    #[inline(never)]
    pub(in super::super) fn note_event(&mut self, event: &Event<P>) {
        let what = &event.what;
        let now = self.kernel.now;
        // Taking the digest at every step makes an explained run a third slower.
        if self.kernel.notes.steps.is_some() {
            let digest = self.kernel.digest();
            self.kernel.notes.step(now, digest);
        }
        if self.kernel.notes.trace.wanted() {
            self.kernel.notes.trace.mark();
            if self.is_held(what) {
                self.trace_held(what);
            } else {
                self.trace_event(what);
            }
        }
        if let What::Message { to, from, message, .. } = what {
            let (id, is_up) = (event.id, self.slots[to.index()].is_up());
            let arrival = Arrival { id, from: *from, to: *to, is_up };
            self.kernel.notes.arrives(now, arrival, message);
        }
    }

    /// The line of an event that is played, unless nothing comes of it.
    #[cold]
    fn trace_event(&mut self, what: &What<P>) {
        if self.is_void(what) {
            return;
        }
        let (who, what, content) = describe(what, self.names, &self.kernel.batches);
        self.kernel.trace(who, what, || content);
    }

    /// The lines of an event that reaches a paused node: its own, and one that says that it waits.
    /// A timer runs out in the process, so it has its own line when the node resumes.
    #[cold]
    fn trace_held(&mut self, what: &What<P>) {
        if !matches!(what, What::Timer { .. }) {
            self.trace_event(what);
        }
        self.trace_waiting(what, ". waits");
    }

    /// The line of an event that a process handles now and that waited while its node was paused.
    #[cold]
    pub(in super::super) fn trace_resumed(&mut self, what: &What<P>) {
        if matches!(what, What::Timer { .. }) {
            self.trace_event(what);
        } else {
            self.trace_waiting(what, ". resume");
        }
    }

    /// The line of an event that waited for a paused node whose process died.
    #[cold]
    pub(in super::super) fn trace_never_resumed(&mut self, what: &What<P>) {
        if matches!(what, What::Message { .. } | What::Request { .. }) {
            self.trace_waiting(what, ". lost");
        }
    }

    /// A line that names an event which waits for a paused node; its content is in the line of its
    /// arrival.
    fn trace_waiting(&mut self, what: &What<P>, verb: &str) {
        let (node, _) = what.process().expect("only what reaches a process waits for it");
        let content = match what {
            What::Message { from, message, .. } => {
                let kind = P::Message::KINDS[usize::from(message.kind())];
                format!("a message of {from}: {kind}")
            }
            What::Request { session: Session { client, .. }, .. } => {
                format!("a request of {}", self.names.client(*client))
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
            | What::SettleCheck => unreachable!("it reaches no process"),
        };
        self.kernel.trace(node, verb, || content);
    }

    /// Whether an event comes too late to do anything, or too early.
    #[cold]
    fn is_void(&self, what: &What<P>) -> bool {
        match what {
            What::Timer { node, boot, generation, timer } => {
                let slot = &self.slots[node.index()];
                slot.boot != *boot || !slot.timers.is_running(timer, *generation)
            }
            // A power loss may have cut it short.
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
}

/// The event in words: who it happens to, its kind, its content.
pub(crate) fn describe<P: Protocol>(
    what: &What<P>,
    names: &Names,
    batches: &Batches,
) -> (String, &'static str, String) {
    match what {
        What::Message { to, from, message, .. } => {
            let kind = P::Message::KINDS[usize::from(message.kind())];
            (to.to_string(), "deliver", format!("{kind} from {from}: {}", message.describe(names)))
        }
        What::Refused { to, from, message, .. } => {
            let kind = P::Message::KINDS[usize::from(message.kind())];
            (from.to_string(), "refused", format!("{kind} to {to}: {}", message.describe(names)))
        }
        What::Request { node, session, request, operation } => {
            let text = names.call(*operation, batches);
            let attempt = request.attempt() + 1;
            (
                node.to_string(),
                "request",
                format!("{} asks {text} (attempt {attempt})", names.client(session.client)),
            )
        }
        What::Answer { client, node, reply, .. } => (
            names.client(*client).to_owned(),
            "answer",
            format!("from {node}: {}", reply.describe(names)),
        ),
        What::Timer { node, timer, .. } => (node.to_string(), "timer", format!("{timer:?}")),
        What::Disk { node, ticket, result, .. } => {
            let error = result.err().map_or_else(String::new, |error| format!(": {error}"));
            (node.to_string(), "persisted", format!("ticket {}{error}", ticket.0))
        }
        What::Invoke { client, due_at } => {
            (names.client(*client).to_owned(), "invoke", format!("due at {due_at}"))
        }
        What::Arrival { index } => ("workload".into(), "arrival", format!("number {}", index + 1)),
        What::Alarm { client } => (names.client(*client).to_owned(), "alarm", String::new()),
        What::Retry { client, request } => (
            names.client(*client).to_owned(),
            "retry",
            format!("attempt {}", request.attempt() + 1),
        ),
        What::Fault { index, starts } => {
            let verb = if *starts { "starts" } else { "ends" };
            ("nemesis".into(), "fault", format!("{} {verb}", names.faults[*index as usize]))
        }
        What::Change { index } => ("nemesis".into(), "change", format!("number {}", index + 1)),
        What::Heal => ("nemesis".into(), "heal", "the fault phase ends".into()),
        What::SettleCheck => ("nemesis".into(), "settled?", String::new()),
    }
}
