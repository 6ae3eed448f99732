//! Processes, machines, disks and clocks: start, crash, loss of power, sync, timers.

use crate::id::NodeId;
use crate::protocol::{DiskError, Input, Protocol};
use crate::time::{Span, Time};

use super::Harness;
use super::disk::Unsynced;
use super::error::StepError;
use super::words::{disk_text, file_text, timer_text};

impl<P: Protocol> Harness<P> {
    /// Starts a node that is down, from what its disk kept: its first boot, or a restart.
    ///
    /// # Errors
    ///
    /// When the node is up.
    pub fn start(&mut self, node: NodeId) -> Result<(), StepError> {
        self.stopped(node)?;
        let machine = &mut self.machines[node.index()];
        machine.first_ticket = machine.next_ticket;
        machine.timers.clear();
        let image = machine.disk.read();
        self.note(format_args!("{node} starts with {}", disk_text(&image)));
        let settings = self.settings.clone();
        if let Some(listener) = &mut self.listener {
            listener.starts(self.now, node);
        }
        self.step(node, |process, cx| *process = Some(P::recover(&settings, &image, cx)));
        let (now, is_up) = (self.now, self.machines[node.index()].process.is_some());
        let said = self.listener.as_mut().and_then(|one| one.has_started(now, node, is_up));
        self.note_of_listener(said);
        Ok(())
    }

    /// Starts every node that is down, lowest id first.
    ///
    /// # Errors
    ///
    /// None; it returns a result like all other steps.
    pub fn start_all(&mut self) -> Result<(), StepError> {
        let nodes = NodeId::all(self.cluster.nodes);
        let down: Vec<_> = nodes.filter(|node| self.running(*node).is_err()).collect();
        down.into_iter().try_for_each(|node| self.start(node))
    }

    /// The process of a node dies. Its disk keeps everything written and completes what it was
    /// asked for; messages that the node sent arrive all the same.
    ///
    /// # Errors
    ///
    /// When the node is down.
    pub fn crash(&mut self, node: NodeId) -> Result<(), StepError> {
        self.running(node)?;
        self.note(format_args!("{node} crashes"));
        self.end_process(node);
        Ok(())
    }

    /// The machine of a node loses power, and its disk what was not durable, but for what
    /// `unsynced` says. The process may have been dead before.
    ///
    /// # Errors
    ///
    /// When there is no such node.
    pub fn lose_power(&mut self, node: NodeId, unsynced: Unsynced) -> Result<(), StepError> {
        self.machine(node)?;
        let what = match unsynced {
            Unsynced::Lost => "what was not synced is lost".to_owned(),
            Unsynced::Kept => "what was not synced is there all the same".to_owned(),
            Unsynced::Torn { bytes } => format!("{bytes} bytes of what was not synced are left"),
        };
        self.note(format_args!("{node} loses power: {what}"));
        self.end_process(node);
        self.machines[node.index()].disk.lose_power(unsynced);
        Ok(())
    }

    /// A node that is down gets an empty disk in place of its own.
    ///
    /// # Errors
    ///
    /// When the node is up.
    pub fn replace_disk(&mut self, node: NodeId) -> Result<(), StepError> {
        self.stopped(node)?;
        self.note(format_args!("{node} gets an empty disk"));
        self.machines[node.index()].disk.replace();
        Ok(())
    }

    pub(super) fn end_process(&mut self, node: NodeId) {
        let machine = &mut self.machines[node.index()];
        machine.process = None;
        machine.timers.clear();
        machine.disk.process_died();
        // What a process sends to itself never leaves it.
        self.links.remove(&(node, node));
    }

    /// Completes the oldest sync or replacement that the disk of `node` has under way. A full
    /// disk's refusals come before those. What a process that died had asked for becomes durable,
    /// and nobody is told.
    ///
    /// # Errors
    ///
    /// When nothing is under way.
    pub fn sync(&mut self, node: NodeId) -> Result<(), StepError> {
        let machine = self.machine(node)?;
        let done = machine.disk.complete().ok_or(StepError::NothingToSync(node))?;
        let is_of_this_process = machine.process.is_some() && done.ticket.0 >= machine.first_ticket;
        let file = file_text::<P>(done.file);
        let not = if done.result == Err(DiskError::Full) { "full, has not " } else { "" };
        let whose = if is_of_this_process { "" } else { ", for a process that died" };
        self.note(format_args!("{node} disk: {not}{} {file}{whose}", done.verb));
        if is_of_this_process {
            self.handle(node, Input::Persisted(done.ticket, done.result));
        }
        Ok(())
    }

    /// From now on the disk of `node` has no room, or has room again.
    ///
    /// # Errors
    ///
    /// When there is no such node.
    pub fn set_disk_full(&mut self, node: NodeId, is_full: bool) -> Result<(), StepError> {
        self.machine(node)?.disk.is_full = is_full;
        let state = if is_full { "full" } else { "no longer full" };
        self.note(format_args!("{node} disk: {state}"));
        Ok(())
    }

    /// Fires a timer that is set. If it is not due yet the clocks of all nodes go on to when it is;
    /// timers that are due before that are late, as those of a busy process are.
    ///
    /// # Errors
    ///
    /// When the node is down or has not set the timer.
    pub fn timer(&mut self, node: NodeId, timer: P::Timer) -> Result<(), StepError> {
        self.fire(node, &timer_text(&timer), |set| *set == timer)
    }

    /// The same by the name that the transcript shows: the timer's `Debug` form in kebab-case.
    ///
    /// # Errors
    ///
    /// When the node is down or has not set the timer.
    pub fn timer_named(&mut self, node: NodeId, name: &str) -> Result<(), StepError> {
        self.fire(node, name, |set| timer_text(set) == name)
    }

    fn fire(
        &mut self,
        node: NodeId,
        name: &str,
        is_meant: impl Fn(&P::Timer) -> bool,
    ) -> Result<(), StepError> {
        self.running(node)?;
        let machine = &mut self.machines[node.index()];
        let Some(place) = machine.timers.iter().position(|(set, _)| is_meant(set)) else {
            let set: Vec<_> = self.timers(node).map(|(set, _)| timer_text(&set)).collect();
            let set = if set.is_empty() { "none".to_owned() } else { set.join(", ") };
            return Err(StepError::TimerNotSet { node, timer: name.to_owned(), set });
        };
        let (timer, due) = machine.timers.remove(place);
        self.now = self.now.max(due);
        let now = (self.now - Time::ZERO).short();
        self.note(format_args!("{node} timer {name} at {now}"));
        self.handle(node, Input::Timer(timer));
        Ok(())
    }

    /// Moves the clocks of all nodes on. No timer fires.
    pub fn advance(&mut self, span: Span) {
        self.now += span;
        let now = (self.now - Time::ZERO).short();
        self.note(format_args!("time is {now}"));
    }

    /// Puts the wall clock of a node wrong, from now on: this many nanoseconds ahead, or behind
    /// where negative. Its monotonic clock and its timers do not change.
    ///
    /// # Errors
    ///
    /// When there is no such node.
    pub fn set_wall_offset(&mut self, node: NodeId, nanos: i64) -> Result<(), StepError> {
        self.machine(node)?.wall_offset = nanos;
        let ahead = if nanos < 0 { "behind" } else { "ahead" };
        let by = Span::from_nanos(nanos.unsigned_abs());
        self.note(format_args!("{node} clock: {by} {ahead}"));
        Ok(())
    }
}
