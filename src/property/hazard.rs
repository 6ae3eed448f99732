//! What voids a promise: hazards, whom they must befall, and what befell whom in a run.
//!
//! A promise seldom depends on all nodes. Data that only the leader has is lost only by the leader;
//! data on k nodes is lost only by k nodes. So a promise names, with each hazard, whom it must
//! befall ([`Whose`]), and a run records whom each hazard befell and when ([`Incident`]). Which
//! nodes led is known at the end of the run.

use std::fmt;
use strum::{IntoStaticStr, VariantArray};

use crate::id::{ClientId, NodeId, NodeSet};
use crate::named::Named;
use crate::time::Time;

/// Something that may go wrong, and that voids promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray, IntoStaticStr)]
#[repr(u8)]
#[strum(serialize_all = "kebab-case")]
pub enum Hazard {
    /// A message between nodes was lost by chance, by a block, or because its receiver was down. It
    /// befalls the sender.
    MessageLost,
    /// A node's process died.
    Crash,
    /// A node lost what it had not synced.
    PowerLoss,
    /// A node came back with an empty disk.
    EmptyDisk,
    /// A wall clock of a node or a client jumped, or was off true time from the start.
    ClockSkew,
    /// A clock of a node or a client ran at another rate than true time.
    ClockDrift,
    /// A node stayed down, because the fault was for good or because its process gave up.
    StayedDown,
    /// A disk reported data as durable that it had not written.
    LostWrite,
    /// A bit of a disk flipped.
    BitRot,
    /// A disk had no space.
    DiskFull,
}

impl Hazard {
    /// What happened, without the victim, to follow "because".
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::MessageLost => "a message was lost or blocked",
            Self::Crash => "a node crashed",
            Self::PowerLoss => "a node lost power",
            Self::EmptyDisk => "a node came back with an empty disk",
            Self::ClockSkew => "a wall clock was set wrong",
            Self::ClockDrift => "a clock drifted",
            Self::StayedDown => "a node stayed down",
            Self::LostWrite => "a disk lied about a sync",
            Self::BitRot => "a bit of a disk flipped",
            Self::DiskFull => "a disk was full",
        }
    }

    /// What happened, to follow the victim's name.
    const fn befell(self) -> &'static str {
        match self {
            Self::MessageLost => "sent a message that was lost or blocked",
            Self::Crash => "crashed",
            Self::PowerLoss => "lost power",
            Self::EmptyDisk => "came back with an empty disk",
            Self::ClockSkew => "had its wall clock set wrong",
            Self::ClockDrift => "had a clock that drifted",
            Self::StayedDown => "stayed down",
            Self::LostWrite => "had a disk that lied about a sync",
            Self::BitRot => "had a bit of its disk flipped",
            Self::DiskFull => "had a full disk",
        }
    }
}

/// Whom hazards must befall to void a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whose {
    /// Any node or client.
    Anyone,
    /// A node that led at some time of the run.
    Leader,
    /// A client.
    Client,
    /// More than this many nodes, not necessarily at the same time.
    MoreThan(u16),
    /// A node that led and at least this many others, not necessarily at the same time.
    LeaderAnd(u16),
}

/// Hazards together with whom they must befall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Whom.
    pub whose: Whose,
    hazards: u16,
}

impl Condition {
    const NONE: Self = Self { whose: Whose::Anyone, hazards: 0 };

    /// The hazards, in the order of [`Hazard`].
    pub fn hazards(self) -> impl Iterator<Item = Hazard> {
        Hazard::all().filter(move |hazard| self.has(*hazard))
    }

    const fn has(self, hazard: Hazard) -> bool {
        self.hazards & (1 << hazard as u8) != 0
    }

    /// The condition in words, each to follow "unless".
    fn phrases(self) -> Vec<String> {
        let any_of = || {
            let all: Vec<_> = self.hazards().map(Hazard::befell).collect();
            match all.split_last() {
                Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
                _ => all.concat(),
            }
        };
        match self.whose {
            Whose::Anyone => self.hazards().map(|hazard| hazard.phrase().to_owned()).collect(),
            Whose::Leader => vec![format!("a leader {}", any_of())],
            Whose::Client => vec![format!("a client {}", any_of())],
            Whose::MoreThan(1) => vec![format!("more than 1 node {}", any_of())],
            Whose::MoreThan(many) => vec![format!("more than {many} nodes {}", any_of())],
            Whose::LeaderAnd(1) => vec![format!("a leader and another node {}", any_of())],
            Whose::LeaderAnd(many) => vec![format!("a leader and {many} other nodes {}", any_of())],
        }
    }
}

/// How many different [`Whose`] a promise may name.
const CONDITIONS: usize = 6;

/// A set of hazards, each with whom it must befall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hazards {
    /// Conditions with hazards come first. No two have the same [`Whose`].
    conditions: [Condition; CONDITIONS],
}

impl Default for Hazards {
    fn default() -> Self {
        Self::NONE
    }
}

impl Hazards {
    /// None.
    pub const NONE: Self = Self { conditions: [Condition::NONE; CONDITIONS] };

    /// These hazards, for anyone.
    #[must_use]
    pub fn of(hazards: &[Hazard]) -> Self {
        Self::NONE.and(Whose::Anyone, hazards)
    }

    /// Adds these hazards, for `whose`.
    #[must_use]
    pub fn and(mut self, whose: Whose, hazards: &[Hazard]) -> Self {
        let whose = match whose {
            Whose::MoreThan(0) => Whose::Anyone,
            Whose::LeaderAnd(0) => Whose::Leader,
            Whose::Anyone
            | Whose::Leader
            | Whose::Client
            | Whose::MoreThan(_)
            | Whose::LeaderAnd(_) => whose,
        };
        let more = hazards.iter().fold(0, |set, hazard| set | 1 << *hazard as u8);
        let fits = |condition: &Condition| condition.whose == whose || condition.hazards == 0;
        // With no room left, the hazards count for anyone, so less is promised.
        let (place, whose) = match self.conditions.iter().position(fits) {
            Some(place) => (place, whose),
            None => (0, Whose::Anyone),
        };
        let condition = &mut self.conditions[place];
        *condition = Condition { whose, hazards: condition.hazards | more };
        self
    }

    /// Every condition, in the order in which they were added.
    pub fn conditions(self) -> impl Iterator<Item = Condition> {
        self.conditions.into_iter().filter(|condition| condition.hazards != 0)
    }

    /// What voids the promise in words, each to follow "unless".
    #[must_use]
    pub fn phrases(self) -> Vec<String> {
        self.conditions().flat_map(Condition::phrases).collect()
    }

    /// Which `incidents` of a run void the promise, in order of time. `led` says whether a node led
    /// in the run.
    #[must_use]
    pub fn voided_by(self, incidents: &Incidents, led: impl Fn(NodeId) -> bool) -> Vec<Incident> {
        let voids = |condition: Condition| {
            let of = incidents.iter().filter(move |incident| condition.has(incident.hazard));
            let leads = |incident: &Incident| incident.befell.node().is_some_and(&led);
            let at_all = || of.clone().copied().collect::<Vec<Incident>>();
            let nodes = || of.clone().filter_map(|i| i.befell.node()).collect::<NodeSet>();
            match condition.whose {
                Whose::Anyone => at_all(),
                Whose::Leader => of.clone().filter(|i| leads(i)).copied().collect(),
                Whose::Client => {
                    of.clone().filter(|i| i.befell.node().is_none()).copied().collect()
                }
                Whose::MoreThan(most) if nodes().len() > usize::from(most) => at_all(),
                Whose::LeaderAnd(others)
                    if nodes().len() > usize::from(others) && of.clone().any(leads) =>
                {
                    at_all()
                }
                Whose::MoreThan(_) | Whose::LeaderAnd(_) => Vec::new(),
            }
        };
        let mut found: Vec<Incident> = self.conditions().flat_map(voids).collect();
        found.sort_unstable_by_key(|incident| (incident.at, incident.hazard, incident.befell));
        found.dedup();
        found
    }
}

/// Whom a hazard befell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Befallen {
    /// A node.
    Node(NodeId),
    /// A message from one node to another.
    Link(NodeId, NodeId),
    /// A client.
    Client(ClientId),
}

impl Befallen {
    /// The node that it befell: the sender of a message.
    #[must_use]
    pub const fn node(self) -> Option<NodeId> {
        match self {
            Self::Node(node) | Self::Link(node, _) => Some(node),
            Self::Client(_) => None,
        }
    }
}

/// The first time that a hazard befell a victim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Incident {
    /// Which.
    pub hazard: Hazard,
    /// Whom.
    pub befell: Befallen,
    /// When first.
    pub at: Time,
}

impl Incident {
    /// What happened to whom and when, to follow "because". `name` gives the names of clients.
    #[must_use]
    pub fn phrase<'a>(&self, name: impl Fn(ClientId) -> &'a str) -> String {
        let what = self.hazard.befell();
        let what = match self.befell {
            Befallen::Node(node) => format!("{node} {what}"),
            Befallen::Link(from, to) => {
                format!("a message from {from} to {to} was lost or blocked")
            }
            Befallen::Client(client) => format!("{} {what}", name(client)),
        };
        if self.at == Time::ZERO {
            format!("{what} from the start")
        } else {
            format!("{what} at {} s", self.at)
        }
    }
}

/// The incidents of a run. For each hazard and victim only the first is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incidents {
    noted: Vec<Incident>,
    /// For each sender the receivers to which it has lost a message.
    lossy: Vec<NodeSet>,
}

impl Incidents {
    /// Nothing happened.
    pub const NONE: Self = Self { noted: Vec::new(), lossy: Vec::new() };

    /// Records that a hazard befell a victim.
    pub fn note(&mut self, hazard: Hazard, befell: Befallen, at: Time) {
        let is_known = |known: &Incident| known.hazard == hazard && known.befell == befell;
        if !self.noted.iter().any(is_known) {
            self.noted.push(Incident { hazard, befell, at });
        }
    }

    /// Records that a message between two nodes was lost. This must be cheap: in some runs every
    /// third message is lost.
    pub fn note_lost_message(&mut self, from: NodeId, to: NodeId, at: Time) {
        if self.lossy.len() <= from.index() {
            self.lossy.resize(from.index() + 1, NodeSet::EMPTY);
        }
        if self.lossy[from.index()].insert(to) {
            let befell = Befallen::Link(from, to);
            self.noted.push(Incident { hazard: Hazard::MessageLost, befell, at });
        }
    }

    /// All incidents, in order of time.
    pub fn iter(&self) -> std::slice::Iter<'_, Incident> {
        self.noted.iter()
    }
}

impl fmt::Display for Hazard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const N1: NodeId = NodeId(0);
    const N2: NodeId = NodeId(1);
    const N3: NodeId = NodeId(2);

    fn crashes(nodes: &[NodeId]) -> Incidents {
        let mut incidents = Incidents::NONE;
        for (second, node) in (1..).zip(nodes) {
            let at = Time::ZERO + crate::time::Span::from_secs(second);
            incidents.note(Hazard::Crash, Befallen::Node(*node), at);
        }
        incidents
    }

    /// Whether crashes of these nodes void a promise that rests on `whose`; n1 led.
    fn voids(whose: Whose, nodes: &[NodeId]) -> bool {
        let hazards = Hazards::NONE.and(whose, &[Hazard::Crash]);
        !hazards.voided_by(&crashes(nodes), |node| node == N1).is_empty()
    }

    #[test]
    fn a_hazard_voids_a_promise_when_it_befalls_those_on_whom_it_rests() {
        assert!(voids(Whose::Anyone, &[N3]) && !voids(Whose::Anyone, &[]));
        assert!(voids(Whose::Leader, &[N2, N1]) && !voids(Whose::Leader, &[N2, N3]));
        assert!(!voids(Whose::Client, &[N1, N2, N3]));
        assert!(voids(Whose::MoreThan(0), &[N3]) && !voids(Whose::MoreThan(1), &[N3, N3]));
        assert!(voids(Whose::MoreThan(1), &[N2, N3]) && !voids(Whose::MoreThan(2), &[N2, N3]));
        assert!(voids(Whose::LeaderAnd(0), &[N1]) && !voids(Whose::LeaderAnd(0), &[N2, N3]));
        assert!(voids(Whose::LeaderAnd(1), &[N1, N3]) && !voids(Whose::LeaderAnd(1), &[N2, N3]));
        assert!(!voids(Whose::LeaderAnd(2), &[N1, N3]));
    }

    #[test]
    fn only_a_clients_clock_is_a_clients() {
        let mut incidents = Incidents::NONE;
        incidents.note(Hazard::ClockSkew, Befallen::Client(ClientId(0)), Time::ZERO);
        let of = |whose| Hazards::NONE.and(whose, &[Hazard::ClockSkew]);
        assert_eq!(of(Whose::Client).voided_by(&incidents, |_| true).len(), 1);
        assert!(of(Whose::Leader).voided_by(&incidents, |_| true).is_empty());
        let told = incidents.iter().next().map(|incident| incident.phrase(|_| "c7"));
        assert_eq!(told.as_deref(), Some("c7 had its wall clock set wrong from the start"));
    }

    #[test]
    fn what_is_lost_on_a_link_is_its_senders_and_is_noted_once() {
        let mut incidents = Incidents::NONE;
        for _ in 0..3 {
            incidents.note_lost_message(N2, N1, Time::from_nanos(5));
        }
        incidents.note_lost_message(N2, N3, Time::from_nanos(6));
        assert_eq!(incidents.iter().count(), 2);
        let hazards = Hazards::NONE.and(Whose::Leader, &[Hazard::MessageLost]);
        assert!(hazards.voided_by(&incidents, |node| node == N1).is_empty());
        assert_eq!(hazards.voided_by(&incidents, |node| node == N2).len(), 2);
    }

    #[test]
    fn conditions_are_told_in_words_and_more_than_fit_promise_less() {
        let mut hazards = Hazards::of(&[Hazard::BitRot])
            .and(Whose::Leader, &[Hazard::ClockSkew])
            .and(Whose::LeaderAnd(2), &[Hazard::Crash, Hazard::PowerLoss, Hazard::EmptyDisk]);
        assert_eq!(
            hazards.phrases(),
            [
                "a bit of a disk flipped",
                "a leader had its wall clock set wrong",
                "a leader and 2 other nodes crashed, lost power or came back with an empty disk",
            ]
        );
        for many in 10..20 {
            hazards = hazards.and(Whose::MoreThan(many), &[Hazard::DiskFull]);
        }
        let full = Hazards::of(&[Hazard::BitRot, Hazard::DiskFull]);
        assert_eq!(hazards.conditions().next(), full.conditions().next());
    }
}
