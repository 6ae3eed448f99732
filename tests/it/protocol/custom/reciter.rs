//! Nodes that replicate nothing and recite a story of a replicated log, line by line: a protocol to
//! try the checks of such logs on. With `breaks = "votes"` and the like one line is another.

use std::sync::LazyLock;

use splitbrain::config::Config as Scenario;
use splitbrain::id::{LogIndex, NodeId, Position, Term};
use splitbrain::named::Named;
use splitbrain::property::{Promise, Promises, Property, SettlesWithin};
use splitbrain::protocol::{
    Context, DiskImage, EntryHash, Input, NoMessage, NodeSnapshot, Observation, Protocol, Reply,
    Role, StateHash,
};
use splitbrain::scenario::ScenarioProtocol;
use splitbrain::scenario::keys::{Section, key, words};
use splitbrain::time::Span;

/// What is broken, if anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    breaks: Option<Property>,
}

const BREAKS: [(&str, Option<Property>); 7] = [
    ("nothing", None),
    ("votes", Some(Property::Votes)),
    ("log-matching", Some(Property::LogMatching)),
    ("leader-append-only", Some(Property::LeaderAppendOnly)),
    ("leader-completeness", Some(Property::LeaderCompleteness)),
    ("state-machine-safety", Some(Property::StateMachineSafety)),
    ("committed-durable", Some(Property::CommittedDurable)),
];

/// A line of the story: when, in milliseconds, which node, and what it says.
type Line = (u64, u16, Observation);

const fn append(term: u32, index: u64, entry: u64) -> Observation {
    let position = Position { term: Term(term), index: LogIndex(index) };
    Observation::Append { position, entry: EntryHash(entry) }
}

const fn vote(term: u32, candidate: u16) -> Observation {
    Observation::Vote { term: Term(term), candidate: NodeId(candidate - 1) }
}

const fn leads(term: u32) -> Observation {
    Observation::Role { role: Role::Leader, term: Term(term) }
}

const fn applied(index: u64, state: u64) -> Observation {
    Observation::Applied { index: LogIndex(index), state: StateHash(state) }
}

const fn durable(index: u64) -> Observation {
    Observation::Durable { index: LogIndex(index) }
}

const fn commit(index: u64) -> Observation {
    Observation::Commit { index: LogIndex(index) }
}

/// n1 is elected and commits an entry; it falls silent with a second one, and n2 is elected, which
/// commits another in its place.
const STORY: [Line; 25] = [
    (10, 1, vote(1, 1)),
    (11, 2, vote(1, 1)),
    (12, 1, leads(1)),
    (20, 1, append(1, 1, 11)),
    (21, 2, append(1, 1, 11)),
    (22, 3, append(1, 1, 11)),
    (23, 1, durable(1)),
    (24, 2, durable(1)),
    (25, 1, commit(1)),
    (26, 1, applied(1, 101)),
    (27, 2, commit(1)),
    (28, 2, applied(1, 101)),
    (30, 1, append(1, 2, 12)),
    (40, 2, vote(2, 2)),
    (41, 3, vote(2, 2)),
    (42, 2, leads(2)),
    (43, 2, append(2, 2, 22)),
    (44, 3, append(2, 2, 22)),
    (45, 2, durable(2)),
    (46, 3, durable(2)),
    (47, 2, commit(2)),
    (48, 2, applied(2, 202)),
    (50, 3, commit(2)),
    (51, 3, applied(1, 101)),
    (52, 3, applied(2, 202)),
];

/// The line that breaks a property.
pub(crate) const fn breaking(property: Property) -> Line {
    match property {
        Property::Votes => (41, 2, vote(2, 3)),
        Property::LogMatching => (44, 3, append(1, 2, 13)),
        Property::LeaderAppendOnly => (49, 2, Observation::Truncate { from: LogIndex(3) }),
        Property::LeaderCompleteness => (42, 3, leads(3)),
        Property::StateMachineSafety => (52, 3, applied(2, 203)),
        _ => (45, 2, commit(2)),
    }
}

/// The story, in which the line of the same time and node is another.
fn story(breaks: Option<Property>) -> Vec<Line> {
    let mut story = STORY.to_vec();
    match breaks {
        None => {}
        Some(Property::LeaderAppendOnly) => {
            // It appends an entry that it then cuts off.
            story.extend([(48, 2, append(2, 3, 23)), breaking(Property::LeaderAppendOnly)]);
        }
        Some(Property::LeaderCompleteness) => {
            // n3 has lost its log, and leads all the same.
            story.retain(|(_, node, _)| *node != 3);
            story.push(breaking(Property::LeaderCompleteness));
            story.retain(|(at, ..)| *at <= 42);
        }
        Some(property) => {
            let (at, node, says) = breaking(property);
            story.retain(|(when, who, _)| (*when, *who) != (at, node));
            if property == Property::LogMatching {
                // To commit the entry would break another property.
                story.retain(|(when, ..)| *when < at);
            }
            story.push((at, node, says));
        }
    }
    story
}

/// A node: what it still has to say.
pub(crate) struct Reciter {
    me: NodeId,
    story: Vec<Line>,
}

impl Protocol for Reciter {
    type Config = Config;
    type Message = NoMessage;
    type Record = ();
    /// The place of a line in the story.
    type Timer = usize;

    fn keeps_log(_: &Config) -> bool {
        true
    }

    fn recover(config: &Config, _: &DiskImage, cx: &mut Context<'_, Self>) -> Self {
        let story = story(config.breaks);
        for (place, (at, node, _)) in story.iter().enumerate() {
            if NodeId(node - 1) == cx.node() {
                cx.set_timer(place, Span::from_millis(*at));
            }
        }
        Self { me: cx.node(), story }
    }

    fn handle(&mut self, input: Input<Self>, cx: &mut Context<'_, Self>) {
        match input {
            Input::Timer(place) => cx.observe(self.story[place].2),
            Input::Request { request, .. } => cx.reply(request, Reply::unsupported()),
            Input::Message { .. } | Input::Refused { .. } | Input::Persisted(..) => {}
        }
    }

    fn snapshot(&self) -> NodeSnapshot {
        NodeSnapshot::new(self.me, Role::Follower)
    }

    fn promises(_: &Config, _: &Scenario) -> Promises {
        let always = Promise::Always { why: "the story goes like that" };
        let of_a_log = Property::all().filter(|property| property.is_of_a_log());
        of_a_log.fold(Promises::default(), |promises, property| promises.with(property, always))
    }

    fn settles_within(_: &Config, _: &Scenario) -> SettlesWithin {
        SettlesWithin::Span(Span::from_secs(1))
    }
}

impl ScenarioProtocol for Reciter {
    const NAME: &'static str = "reciter";

    fn section() -> &'static Section<Config> {
        static SECTION: LazyLock<Section<Config>> = LazyLock::new(|| {
            let base = Config { breaks: None };
            Section::new("Nodes that recite a story of a replicated log.", base).key(key(
                "breaks",
                "What the story breaks.",
                words(BREAKS),
                |config| &mut config.breaks,
            ))
        });
        &SECTION
    }
}
