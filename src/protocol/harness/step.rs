//! One step of one node: it takes an input, and its effects are played and written down.

use std::fmt::{Arguments, Write};

use crate::id::NodeId;
use crate::protocol::parts::frame;
use crate::protocol::{Context, DiskOperation, Effect, File, Input, Message, Protocol};
use crate::rng::{CausalId, Root};
use crate::time::Wall;

use super::Harness;
use super::words::{file_text, nanos, request_text, timer_text};

impl<P: Protocol> Harness<P> {
    pub(super) fn handle(&mut self, node: NodeId, input: Input<P>) {
        self.step(node, |process, cx| {
            process.as_mut().expect("whoever hands in an input has looked").handle(input, cx);
        });
    }

    /// Lets a node act, and plays the effects in the order in which it asked for them.
    pub(super) fn step(
        &mut self,
        node: NodeId,
        act: impl FnOnce(&mut Option<P>, &mut Context<'_, P>),
    ) {
        let machine = &mut self.machines[node.index()];
        machine.steps += 1;
        let mut cx = Context {
            node,
            nodes: self.cluster.nodes,
            initial_leader: self.cluster.initial_leader,
            wall: Wall(nanos(self.now) + machine.wall_offset),
            monotonic: self.now,
            cause: CausalId::root(Root::Boot, node.0.into(), machine.steps),
            draws: &self.draws,
            drawn: 0,
            next_ticket: &mut machine.next_ticket,
            observed: true,
            keeps_log: P::keeps_log(&self.settings),
            disk_is_full: machine.disk.is_full,
            batches: &self.names.batches,
            effects: &mut self.effects,
        };
        act(&mut machine.process, &mut cx);
        for effect in std::mem::take(&mut self.effects.list) {
            self.play(node, effect);
        }
        self.effects.bytes.clear();
    }

    fn play(&mut self, node: NodeId, effect: Effect<P>) {
        match effect {
            Effect::Send { to, message } => {
                self.note_message(format_args!("  {node} -> {to}"), &message);
                self.links.entry((node, to)).or_default().push_back(message);
            }
            Effect::SetTimer { timer, after } => {
                self.note(format_args!(
                    "  {node} set timer {} {}",
                    timer_text(&timer),
                    after.short()
                ));
                let timers = &mut self.machines[node.index()].timers;
                timers.retain(|(set, _)| *set != timer);
                timers.push((timer, self.now + after));
            }
            Effect::CancelTimer { timer } => {
                let timers = &mut self.machines[node.index()].timers;
                let set = timers.len();
                timers.retain(|(set, _)| *set != timer);
                if timers.len() < set {
                    self.note(format_args!("  {node} cancel timer {}", timer_text(&timer)));
                }
            }
            Effect::Disk { ticket, file, operation } => {
                let text = self.disk_operation_text(file, &operation);
                self.note(format_args!("  {node} {text}"));
                let disk = &mut self.machines[node.index()].disk;
                disk.perform(ticket, file, &operation, &self.effects.bytes);
            }
            Effect::Reply { request, reply } => {
                let text = reply.describe(&self.names);
                self.note(format_args!("  {node} replies to {}: {text}", request_text(request)));
                self.replies.push((request, reply));
            }
            Effect::Observe(observation) => {
                let (kind, text) = observation.describe(&self.names);
                let kind = kind.trim_start_matches(". ");
                self.note(format_args!("  {node} {kind} {text}"));
                self.observations.push((node, observation));
                let now = self.now;
                let said =
                    self.listener.as_mut().and_then(|one| one.hears(now, node, &observation));
                self.note_of_listener(said);
            }
            // Whose luck what follows depends on: nothing is drawn for it here.
            Effect::Continue(_) => {}
            Effect::Stop(why) => {
                self.note(format_args!("  {node} stops: {why}"));
                self.end_process(node);
            }
        }
    }

    /// What a listener has to say of a step.
    pub(super) fn note_of_listener(&mut self, said: Option<String>) {
        if let Some(said) = said {
            self.note(format_args!("  {said}"));
        }
    }

    pub(super) fn note(&mut self, line: Arguments<'_>) {
        writeln!(self.transcript, "{line}").expect("a string takes text");
    }

    pub(super) fn note_message(&mut self, who: Arguments<'_>, message: &P::Message) {
        let kind = P::Message::KINDS[usize::from(message.kind())];
        let text = message.describe(&self.names);
        let space = if text.is_empty() { "" } else { " " };
        self.note(format_args!("{who} {kind}{space}{text}"));
    }

    fn disk_operation_text(&self, file: File, operation: &DiskOperation) -> String {
        let file = file_text::<P>(file);
        let records = |start: usize, end: usize| -> Vec<String> {
            let bytes = &self.effects.bytes[start..end];
            let records = frame::salvage::<P::Record>(bytes).records;
            records.iter().map(|record| P::describe_record(record, &self.names)).collect()
        };
        match *operation {
            DiskOperation::Append { start, end, .. } => {
                format!("write {file}: {}", records(start, end).join(", "))
            }
            DiskOperation::Sync => format!("sync {file}"),
            DiskOperation::TruncateSuffix { length } => format!("cut {file} to {length} bytes"),
            DiskOperation::Replace { start, end } => match &records(start, end)[..] {
                [] => format!("replace {file}: nothing"),
                records => format!("replace {file}: {}", records.join("; ")),
            },
        }
    }
}
