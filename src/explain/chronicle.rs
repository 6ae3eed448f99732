//! A second look at a run, for pictures: every message, who was up and who led, and how far
//! followers were behind.

use std::sync::Arc;

use crate::config::{Config, FaultAction};
use crate::digest::DigestValue;
use crate::history::History;
use crate::id::{NodeId, Term};
use crate::names::Names;
use crate::protocol::{Protocol, Role};
use crate::sim::queue::CalendarQueue;
use crate::sim::{Event, NoteOptions, Simulation, Tapped, Transmissions};
use crate::time::Time;

pub use crate::sim::{Delivery, End, NodeEvent, NodeEventKind, Transmission, Window};
pub use lag::{Lag, lags};

mod lag;
#[cfg(test)]
mod tests;

/// What a second run of the same seed noted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chronicle {
    /// The digest of every event, to check that it is the same run; `None` for no run.
    pub digest: Option<DigestValue>,
    /// When the run ended, in virtual time.
    pub ended_at: Time,
    /// What happened on every node, in event order.
    pub node_events: Vec<NodeEvent>,
    /// The messages of the window, in the order of sending.
    pub transmissions: Vec<Transmission>,
}

/// Runs the scenario under `seed` and notes what happens on every node and, where a window is asked
/// for, every message that is under way at some time of it.
#[must_use]
pub fn chronicle<P: Protocol>(
    config: &Config,
    names: &Arc<Names>,
    settings: &P::Config,
    seed: u64,
    window: Option<Window>,
) -> Chronicle {
    let notes = NoteOptions { record: true, ..NoteOptions::default() };
    let (finished, transmissions) = match window {
        None => (Simulation::<P>::new(config, names, settings, seed, notes).run(), Vec::new()),
        Some(window) => {
            type NotingTransmissions<P> = Tapped<CalendarQueue<Event<P>>, Transmissions>;
            Simulation::<P, NotingTransmissions<P>>::noting_transmissions(
                config, names, settings, seed, notes, window,
            )
            .run_with_transmissions()
        }
    };
    Chronicle {
        digest: Some(finished.digest),
        ended_at: finished.ended_at,
        node_events: finished.node_events,
        transmissions,
    }
}

/// What a node was, for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Its process did not run.
    Down,
    /// Its process was not scheduled.
    Paused,
    /// It took itself for the leader of a term.
    Leads(Term),
    /// It wanted to lead, or waited for another node to.
    Candidate,
    /// It followed.
    Follows,
}

/// A while in a node's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spell {
    /// Which node.
    pub node: NodeId,
    /// From when until when, in virtual time.
    pub window: Window,
    /// What it was.
    pub life: Life,
}

impl Chronicle {
    /// The spells of `nodes` nodes without gaps, by node and then by time. Spells of no length are
    /// left out.
    #[must_use]
    pub fn spells(&self, nodes: u16) -> Vec<Spell> {
        let of_node = |node| {
            let mine = self.node_events.iter().filter(move |node_event| node_event.node == node);
            lives(node, mine, self.ended_at)
        };
        NodeId::all(nodes).flat_map(of_node).collect()
    }

    /// The nodes whose process died, or was paused, at `at`, and when the last of them went on.
    fn stopped(&self, at: Time) -> (Vec<NodeId>, Time) {
        let stops =
            |what: &NodeEventKind| matches!(what, NodeEventKind::Down | NodeEventKind::Paused);
        let stopped = self.node_events.iter().filter(|node_event| node_event.at == at);
        let mut nodes: Vec<NodeId> =
            stopped.filter(|node_event| stops(&node_event.what)).map(|stop| stop.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        let goes_on = |node: &NodeId| {
            let is_end = |node_event: &&NodeEvent| {
                let goes_on =
                    matches!(node_event.what, NodeEventKind::Up(_) | NodeEventKind::Resumed);
                goes_on && node_event.node == *node && node_event.at > at
            };
            self.node_events.iter().find(is_end).map_or(self.ended_at, |node_event| node_event.at)
        };
        let until = nodes.iter().map(goes_on).max().unwrap_or(at);
        (nodes, until)
    }
}

/// The life of one node.
fn lives<'a>(
    node: NodeId,
    node_events: impl Iterator<Item = &'a NodeEvent>,
    ended_at: Time,
) -> Vec<Spell> {
    let mut spells: Vec<Spell> = Vec::new();
    let (mut role, mut up, mut paused) = (Life::Follows, true, false);
    let mut now = (Time::ZERO, Life::Follows);
    let mut turn = |at: Time, life: Life, now: &mut (Time, Life)| {
        if at > now.0 {
            spells.push(Spell { node, window: Window { from: now.0, until: at }, life: now.1 });
        }
        *now = (at, life);
    };
    for NodeEvent { at, what, .. } in node_events {
        match what {
            NodeEventKind::Role { role: Role::Leader, term } => role = Life::Leads(*term),
            NodeEventKind::Role { role: Role::Candidate | Role::PreCandidate, .. } => {
                role = Life::Candidate;
            }
            NodeEventKind::Role { role: Role::Follower | Role::Learner, .. } => {
                role = Life::Follows;
            }
            NodeEventKind::Down => (up, paused, role) = (false, false, Life::Follows),
            NodeEventKind::Up(_) => up = true,
            NodeEventKind::Paused => paused = true,
            NodeEventKind::Resumed => paused = false,
            NodeEventKind::Applied { .. } | NodeEventKind::Discarded { .. } => continue,
        }
        let life = match (up, paused) {
            (false, _) => Life::Down,
            (true, true) => Life::Paused,
            (true, false) => role,
        };
        if life != now.1 {
            turn(*at, life, &mut now);
        }
    }
    turn(ended_at, Life::Down, &mut now);
    spells
}

/// A fault, from when to when it was on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultSpan {
    /// Its id in the scenario.
    pub name: String,
    /// What it did, in words: `partition n1 | n2 n3`.
    pub what: String,
    /// From when until when, in virtual time; of no length for what happens at once, such as a jump
    /// of a clock.
    pub window: Window,
    /// The nodes whose processes it stopped; none for a fault of the network, of clocks or of
    /// disks.
    pub stops: Vec<NodeId>,
}

/// The faults of a run in the order in which they began; what only ends others (`heal`, `restart`,
/// `resume`) left out.
#[must_use]
pub fn faults(config: &Config, history: &History, chronicle: &Chronicle) -> Vec<FaultSpan> {
    let acts = history.nemesis();
    let healed_at = Time::ZERO + config.duration;
    let mut spans = Vec::new();
    for act in acts.iter().filter(|act| act.starts) {
        let Some(id) = act.fault else { continue };
        let Some(fault) = config.faults.iter().find(|fault| fault.id == id) else { continue };
        let mut ends = acts.iter().filter(|end| end.seq > act.seq && end.fault == act.fault);
        let ends_at = ends.find(|end| !end.starts).map(|end| end.at);
        let (mut stops, mut until) = (Vec::new(), ends_at.unwrap_or(healed_at).max(act.at));
        match fault.action {
            FaultAction::Heal(_) | FaultAction::Restart { .. } | FaultAction::Resume(_) => continue,
            FaultAction::Crash(_) | FaultAction::PowerLoss(_) | FaultAction::Pause(_) => {
                (stops, until) = chronicle.stopped(act.at);
            }
            // Clocks keep what they have when the fault phase ends.
            FaultAction::ClockJump { .. } | FaultAction::ClockDrift { .. } => {
                until = ends_at.unwrap_or(act.at);
            }
            FaultAction::Partition(_)
            | FaultAction::MajoritiesRing
            | FaultAction::Bridge(_)
            | FaultAction::Isolate(_)
            | FaultAction::Block(_)
            | FaultAction::Clog(_)
            | FaultAction::Slow { .. }
            | FaultAction::Drop { .. }
            | FaultAction::Disk { .. } => {}
        }
        let (name, what) = (history.names().fault(id).to_owned(), act.what.clone());
        spans.push(FaultSpan { name, what, window: Window { from: act.at, until }, stops });
    }
    spans
}
