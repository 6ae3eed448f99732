//! Messages on their way: delivery, loss, duplication, reordering, refusal.

use crate::id::NodeId;
use crate::protocol::{Input, Protocol};

use super::Harness;
use super::error::StepError;

/// After how many steps [`Harness::settle`] takes a cluster for one that never falls silent.
const MOST_STEPS: u32 = 100_000;

impl<P: Protocol> Harness<P> {
    /// Delivers the oldest message from one node to another. At a node that is down it is lost.
    ///
    /// # Errors
    ///
    /// When none is on its way.
    pub fn deliver(&mut self, from: NodeId, to: NodeId) -> Result<(), StepError> {
        self.deliver_nth(from, to, 0)
    }

    /// Delivers a message before those that were sent earlier: the one with `place` others before
    /// it on its link.
    ///
    /// # Errors
    ///
    /// When not so many are on their way.
    pub fn deliver_nth(&mut self, from: NodeId, to: NodeId, place: usize) -> Result<(), StepError> {
        let message = self.take_message(from, to, place)?;
        self.note_message(format_args!("{to} <- {from}"), &message);
        if self.machines[to.index()].process.is_none() {
            self.note(format_args!("  lost: {to} is down"));
            return Ok(());
        }
        self.handle(to, Input::Message { from, message });
        Ok(())
    }

    /// Puts a message on its way that `from` has not sent: one that the test makes up.
    pub fn inject(&mut self, from: NodeId, to: NodeId, message: P::Message) {
        self.note_message(format_args!("made up: {from} -> {to}"), &message);
        self.links.entry((from, to)).or_default().push_back(message);
    }

    /// The network loses the oldest message from one node to another.
    ///
    /// # Errors
    ///
    /// When none is on its way.
    pub fn drop_message(&mut self, from: NodeId, to: NodeId) -> Result<(), StepError> {
        let message = self.take_message(from, to, 0)?;
        self.note_message(format_args!("lost: {from} -> {to}"), &message);
        Ok(())
    }

    /// The network duplicates the oldest message from one node to another: the copy is the last of
    /// the link.
    ///
    /// # Errors
    ///
    /// When none is on its way.
    pub fn duplicate(&mut self, from: NodeId, to: NodeId) -> Result<(), StepError> {
        let message = self.take_message(from, to, 0)?;
        self.note_message(format_args!("duplicated: {from} -> {to}"), &message);
        let link = self.links.entry((from, to)).or_default();
        link.push_front(message.clone());
        link.push_back(message);
        Ok(())
    }

    /// The machine of `to`, whose process is down, refuses the oldest message from `from`, and the
    /// refusal arrives: [`Input::Refused`].
    ///
    /// # Errors
    ///
    /// When no message is on its way, `from` is down or `to` is up.
    pub fn refuse(&mut self, from: NodeId, to: NodeId) -> Result<(), StepError> {
        self.running(from)?;
        self.stopped(to)?;
        let message = self.take_message(from, to, 0)?;
        self.note_message(format_args!("{from} <- {to} refuses"), &message);
        self.effects.returned = Some(message);
        self.handle(from, Input::Refused { to });
        self.effects.returned = None;
        Ok(())
    }

    /// Completes every disk operation and delivers every message, and all that comes of it, until
    /// nothing is under way. In rounds: first the oldest operation of each disk, then the oldest
    /// message of each link, lowest ids first. No timer fires.
    ///
    /// # Errors
    ///
    /// When 100,000 steps do not suffice: nodes answer one another for ever.
    pub fn settle(&mut self) -> Result<(), StepError> {
        for _ in 0..MOST_STEPS {
            let disks = NodeId::all(self.cluster.nodes)
                .filter(|node| self.machines[node.index()].disk.next().is_some());
            let disks: Vec<_> = disks.collect();
            let links = self.links.iter().filter(|(_, link)| !link.is_empty());
            let links: Vec<_> = links.map(|(link, _)| *link).collect();
            if disks.is_empty() && links.is_empty() {
                return Ok(());
            }
            disks.into_iter().try_for_each(|node| self.sync(node))?;
            links.into_iter().try_for_each(|(from, to)| self.deliver(from, to))?;
        }
        Err(StepError::NeverSettles(MOST_STEPS))
    }

    fn take_message(
        &mut self,
        from: NodeId,
        to: NodeId,
        place: usize,
    ) -> Result<P::Message, StepError> {
        self.machine(from)?;
        self.machine(to)?;
        let link = self.links.get_mut(&(from, to));
        let waiting = link.as_ref().map_or(0, |link| link.len());
        let taken = link.and_then(|link| link.remove(place));
        taken.ok_or(StepError::NoMessage { from, to, waiting })
    }
}
