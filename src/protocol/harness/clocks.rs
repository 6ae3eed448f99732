//! Time: timers and clocks.

use crate::id::NodeId;
use crate::protocol::{Input, Protocol};
use crate::time::{Span, Time};

use super::Harness;
use super::error::StepError;
use super::words::timer_text;

impl<P: Protocol> Harness<P> {
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
