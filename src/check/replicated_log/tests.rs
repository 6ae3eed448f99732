//! Stories of logs: told ones, and random ones that a twin judges too.

use std::collections::BTreeSet;

use crate::id::{LogIndex, NodeBits, NodeId, Position, Term};
use crate::property::Property;
use crate::protocol::{EntryHash, Observation, Role, StateHash};
use crate::time::Time;

use super::any_story::AnyStory;
use super::twin::Twin;
use super::{How, LogLedger, Moment};

/// A step of a story.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Observe(NodeId, Observation),
    /// The node starts again, and says this.
    Restart(NodeId, Vec<Observation>),
}

fn moment(event: usize) -> Moment {
    Moment { at: Time::from_nanos(event as u64), event: event as u64 }
}

fn take(ledger: &mut LogLedger, event: usize, step: &Step) {
    match step {
        Step::Observe(node, observation) => ledger.observe(moment(event), *node, observation),
        Step::Restart(node, said) => {
            ledger.begins_to_start(moment(event), *node);
            for observation in said {
                ledger.observe(moment(event), *node, observation);
            }
            ledger.has_started(moment(event), *node);
        }
    }
}

pub(super) const fn append(term: u32, index: u64, entry: u64) -> Observation {
    let position = Position { term: Term(term), index: LogIndex(index) };
    Observation::Append { position, entry: EntryHash(entry) }
}

pub(super) const fn role(role: Role, term: u32) -> Observation {
    Observation::Role { role, term: Term(term) }
}

const fn leads(term: u32) -> Observation {
    role(Role::Leader, term)
}

pub(super) const fn vote(term: u32, candidate: u16) -> Observation {
    Observation::Vote { term: Term(term), candidate: NodeId(candidate - 1) }
}

pub(super) const fn truncate(from: u64) -> Observation {
    Observation::Truncate { from: LogIndex(from) }
}

pub(super) const fn durable(index: u64) -> Observation {
    Observation::Durable { index: LogIndex(index) }
}

pub(super) const fn commit(index: u64) -> Observation {
    Observation::Commit { index: LogIndex(index) }
}

pub(super) const fn applied(index: u64, state: u64) -> Observation {
    Observation::Applied { index: LogIndex(index), state: StateHash(state) }
}

pub(super) const fn snapshot(term: u32, index: u64, state: u64, installed: bool) -> Observation {
    let position = Position { term: Term(term), index: LogIndex(index) };
    Observation::Snapshot { position, state: Some(StateHash(state)), installed }
}

/// A told story, a line a step: the number of a node, and what it says.
struct Story(Vec<Step>);

impl Story {
    fn of(steps: &[(u16, Observation)]) -> Self {
        Self(steps.iter().map(|(n, said)| Step::Observe(NodeId(n - 1), *said)).collect())
    }

    fn then(mut self, steps: &[(u16, Observation)]) -> Self {
        self.0.extend(Self::of(steps).0);
        self
    }

    fn restart(mut self, node: u16, said: &[Observation]) -> Self {
        self.0.push(Step::Restart(NodeId(node - 1), said.to_vec()));
        self
    }

    fn ledger(&self) -> LogLedger {
        let (mut ledger, mut twin) = (LogLedger::new(3), Twin::new(3));
        for (place, step) in self.0.iter().enumerate() {
            take(&mut ledger, place + 1, step);
            twin.take(step);
        }
        let broken: BTreeSet<_> = ledger.breaches().iter().map(|one| one.property).collect();
        assert_eq!(broken, twin.broken, "the twin agrees");
        ledger
    }

    /// Nothing is broken.
    #[track_caller]
    fn holds(&self) {
        assert_eq!(self.ledger().breaches(), []);
    }

    /// The last step breaks this property and no other, in this way.
    #[track_caller]
    fn breaks(&self, property: Property, node: u16, index: Option<u64>, how: How) {
        let ledger = self.ledger();
        let [breach] = ledger.breaches() else { panic!("one breach: {:?}", ledger.breaches()) };
        let found = (breach.property, breach.node, breach.index, breach.how);
        assert_eq!(found, (property, NodeId(node - 1), index.map(LogIndex), how));
        assert_eq!(breach.moment, moment(self.0.len()), "at the very step");
    }
}

/// n1 is elected in term 1, and two entries are replicated, committed and applied everywhere.
fn replicated() -> Story {
    let mut steps = vec![(1, vote(1, 1)), (2, vote(1, 1)), (1, leads(1))];
    for node in 1..=3 {
        for index in 1..=2 {
            steps.push((node, append(1, index, 10 + index)));
        }
        steps.push((node, durable(2)));
    }
    for node in 1..=3 {
        steps.extend([(node, commit(2)), (node, applied(1, 101)), (node, applied(2, 102))]);
    }
    Story::of(&steps)
}

#[test]
fn a_log_that_is_replicated_in_order_breaks_nothing() {
    replicated().holds();
    let ledger = replicated().ledger();
    let examined = ledger.examined();
    let counts = (examined.votes, examined.appended, examined.committed, examined.applied);
    assert_eq!(counts, (2, 6, 2, 6));
    assert_eq!(ledger.compares(), 1, "what all have applied is forgotten, but for the last");
    // A later term cuts off what was not committed, on a node that does not lead.
    let steps = [
        (1, append(1, 3, 13)),
        (1, role(Role::Follower, 2)),
        (2, vote(2, 2)),
        (3, vote(2, 2)),
        (2, leads(2)),
        (2, append(2, 3, 23)),
        (1, truncate(3)),
        (1, append(2, 3, 23)),
    ];
    replicated().then(&steps).holds();
    let kept = [append(1, 1, 11), append(1, 2, 12)];
    replicated().restart(2, &kept).then(&[(2, commit(2)), (2, applied(1, 101))]).holds();
    // From its snapshot, and with a part of its log.
    let kept = [snapshot(1, 2, 102, false), append(1, 2, 12)];
    replicated().then(&[(2, snapshot(1, 2, 102, false))]).restart(2, &kept).holds();
}

#[test]
fn one_vote_a_term_and_a_term_that_never_falls() {
    let voted = || Story::of(&[(1, vote(3, 2)), (1, vote(3, 2))]);
    voted().holds();
    let how = How::VotedTwice { first: NodeId(1), second: NodeId(2) };
    voted().then(&[(1, vote(3, 3))]).breaks(Property::Votes, 1, None, how);
    let forgotten = voted().restart(1, &[]).then(&[(1, role(Role::Follower, 3))]);
    forgotten.holds();
    forgotten.then(&[(1, vote(3, 3))]).breaks(Property::Votes, 1, None, how);
    let how = How::TermWentBack { from: Term(3) };
    let lower = [(1, role(Role::Follower, 2))];
    voted().then(&lower).breaks(Property::Votes, 1, None, how);
    voted().restart(1, &[]).then(&lower).breaks(Property::Votes, 1, None, how);
    // A vote that becomes durable when its term is over is told to nobody.
    Story::of(&[(1, role(Role::Follower, 6)), (1, vote(5, 2)), (1, vote(6, 3))]).holds();
    // What a log has is of a term that its node was in.
    let entered = Story::of(&[(1, append(7, 1, 9))]).restart(1, &[append(7, 1, 9)]);
    let how = How::TermWentBack { from: Term(7) };
    entered.then(&[(1, role(Role::Follower, 5))]).breaks(Property::Votes, 1, None, how);
    // A term that a node entered and told nobody of may be forgotten by a crash.
    Story::of(&[(1, role(Role::Follower, 5))]).restart(1, &[]).then(&lower).holds();
}

#[test]
fn one_entry_a_term_and_index_and_the_same_before_it() {
    let differs = |other| How::EntriesDiffer { other: NodeId(other), term: Term(1) };
    let two = || Story::of(&[(1, append(1, 1, 7)), (2, append(2, 1, 8)), (1, append(3, 2, 9))]);
    two().holds();
    two().then(&[(3, append(1, 1, 9))]).breaks(Property::LogMatching, 3, Some(1), differs(0));
    let before = How::EntriesBeforeDiffer { other: NodeId(0), term: Term(3) };
    two().then(&[(2, append(3, 2, 9))]).breaks(Property::LogMatching, 2, Some(2), before);
    // The other log has it no more.
    two().then(&[(1, truncate(1)), (3, append(1, 1, 9))]).holds();
    two().restart(1, &[]).then(&[(3, append(1, 1, 9))]).holds();
    // A snapshot stands for the entry before.
    let installed = |term| [(3, snapshot(term, 1, 0, true)), (3, append(3, 2, 9))];
    two().then(&installed(1)).holds();
    two().then(&installed(2)).breaks(Property::LogMatching, 3, Some(2), before);
}

#[test]
fn who_leads_cuts_nothing() {
    let cut =
        |steps: &[(u16, Observation)]| replicated().then(&[(1, append(1, 3, 13))]).then(steps);
    let breaks = |story: Story| {
        story.breaks(Property::LeaderAppendOnly, 1, Some(3), How::LeaderCut);
    };
    breaks(cut(&[(1, truncate(3))]));
    breaks(cut(&[(1, append(1, 3, 14))]));
    let installed = cut(&[(1, append(1, 4, 14)), (1, snapshot(2, 3, 103, true))]);
    installed.breaks(Property::LeaderAppendOnly, 1, Some(4), How::LeaderCut);
    cut(&[(1, truncate(4))]).holds();
    cut(&[(1, append(1, 3, 13))]).holds();
    cut(&[(1, role(Role::Follower, 1)), (1, truncate(3))]).holds();
}

#[test]
fn who_leads_a_later_term_has_what_was_committed() {
    let lacks = |at: u32| How::LeaderLacks { term: Term(1), committed_in: Term(at) };
    let one = || {
        let steps = [
            (1, leads(1)),
            (1, append(1, 1, 11)),
            (2, append(1, 1, 11)),
            (1, durable(1)),
            (2, durable(1)),
        ];
        Story::of(&steps)
    };
    let before = one().then(&[(1, commit(1)), (3, leads(2))]);
    before.breaks(Property::LeaderCompleteness, 3, Some(1), lacks(1));
    let after = one().then(&[(3, leads(2)), (1, commit(1))]);
    after.breaks(Property::LeaderCompleteness, 3, Some(1), lacks(1));
    one().then(&[(1, commit(1)), (2, leads(2))]).holds();
    // It has stepped down before a stale leader commits.
    let over = one().then(&[(3, leads(2)), (3, role(Role::Follower, 2)), (1, commit(1))]);
    over.breaks(Property::LeaderCompleteness, 3, Some(1), lacks(1));
    // Committed in the leader's own term, or in a later one.
    one().then(&[(3, leads(1)), (1, commit(1))]).holds();
    one().then(&[(1, leads(4)), (1, commit(1)), (3, leads(3))]).holds();
    one().then(&[(1, commit(1)), (3, snapshot(1, 1, 0, true)), (3, leads(2))]).holds();
}

#[test]
fn one_entry_is_committed_at_an_index_and_leads_to_one_state() {
    let another = How::CommittedAnother { first: Term(1), second: Term(2) };
    let other = || replicated().then(&[(1, append(1, 3, 13)), (2, append(1, 3, 13))]);
    let both = |story: Story| {
        story.then(&[(1, durable(3)), (2, durable(3)), (1, commit(3)), (3, append(2, 3, 23))])
    };
    both(other()).holds();
    let differs = both(other()).then(&[(3, commit(3))]);
    differs.breaks(Property::StateMachineSafety, 3, Some(3), another);
    // What it knew to be committed before it had it.
    let early = other().then(&[
        (1, durable(3)),
        (2, durable(3)),
        (1, commit(3)),
        (3, commit(3)),
        (3, append(2, 3, 23)),
    ]);
    early.breaks(Property::StateMachineSafety, 3, Some(3), another);
    let states = |second| How::StatesDiffer { first: StateHash(102), second: StateHash(second) };
    let again = replicated().then(&[(3, applied(2, 999))]);
    again.breaks(Property::StateMachineSafety, 3, Some(2), states(999));
    let taken = replicated().then(&[(3, snapshot(1, 2, 998, false))]);
    taken.breaks(Property::StateMachineSafety, 3, Some(2), states(998));
    let read_back = replicated().restart(3, &[snapshot(1, 2, 997, false)]);
    read_back.breaks(Property::StateMachineSafety, 3, Some(2), states(997));
    let back = How::CommitWentBack { from: LogIndex(2) };
    let fell = replicated().then(&[(3, commit(1))]);
    fell.breaks(Property::StateMachineSafety, 3, Some(1), back);
    let back = How::AppliedWentBack { from: LogIndex(2) };
    let fell = replicated().then(&[(3, applied(1, 101))]);
    fell.breaks(Property::StateMachineSafety, 3, Some(1), back);
    // A snapshot that comes late changes nothing (Raft figure 13).
    replicated().then(&[(3, snapshot(1, 1, 101, true)), (3, applied(2, 102))]).holds();
    // A start below the snapshot: the snapshot is where it begins again.
    let kept = [snapshot(1, 2, 102, false)];
    let below = replicated().restart(3, &kept).then(&[(3, applied(1, 101))]);
    below.breaks(Property::StateMachineSafety, 3, Some(1), back);
    let forgotten = replicated().then(&[(3, kept[0])]).restart(3, &[append(1, 1, 11)]);
    forgotten.breaks(
        Property::StateMachineSafety,
        3,
        Some(0),
        How::AppliedWentBack { from: LogIndex(2) },
    );
    // What a snapshot stands for is another entry than was committed.
    let foreign = other().then(&[
        (1, durable(3)),
        (2, durable(3)),
        (1, commit(3)),
        (3, snapshot(2, 3, 103, true)),
    ]);
    foreign.breaks(Property::StateMachineSafety, 3, Some(3), another);
}

#[test]
fn what_is_committed_a_quorum_has_durably_and_somebody_for_good() {
    let no_quorum = |durable, voters| How::NoQuorum { term: Term(1), durable, voters };
    let appended = || {
        let steps = [(1, append(1, 1, 11)), (2, append(1, 1, 11)), (1, durable(1))];
        Story::of(&steps)
    };
    let early = appended().then(&[(1, commit(1))]);
    early.breaks(Property::CommittedDurable, 1, Some(1), no_quorum(1, 3));
    let committed = || appended().then(&[(2, durable(1)), (1, commit(1))]);
    committed().holds();
    // The durable entry is another one.
    let other = Story::of(&[(1, append(1, 1, 11)), (2, append(2, 1, 12))]).then(&[
        (1, durable(1)),
        (2, durable(1)),
        (1, commit(1)),
    ]);
    other.breaks(Property::CommittedDurable, 1, Some(1), no_quorum(1, 3));
    // What a start reads back was durable before.
    appended()
        .then(&[(2, durable(1))])
        .restart(2, &[append(1, 1, 11)])
        .then(&[(1, commit(1))])
        .holds();
    let said_early = [durable(1), append(1, 1, 11)];
    appended().restart(2, &said_early).then(&[(1, commit(1))]).holds();
    let lost = appended().then(&[(2, durable(1))]).restart(2, &[]).then(&[(1, commit(1))]);
    lost.breaks(Property::CommittedDurable, 1, Some(1), no_quorum(1, 3));
    let gone = How::OnNoNode { term: Term(1) };
    committed().restart(2, &[]).holds();
    let all = committed().restart(2, &[]).restart(1, &[]);
    all.breaks(Property::CommittedDurable, 1, Some(1), gone);
    let cut = committed().restart(1, &[]).then(&[(2, truncate(1))]);
    cut.breaks(Property::CommittedDurable, 2, Some(1), gone);
    // A snapshot has it too, until that is lost.
    let position = Position { term: Term(1), index: LogIndex(1) };
    let taken = Observation::Snapshot { position, state: None, installed: true };
    let covered = || committed().then(&[(3, taken)]).restart(2, &[]).restart(1, &[]);
    covered().holds();
    covered().restart(3, &[]).breaks(Property::CommittedDurable, 3, Some(1), gone);
}

#[test]
fn a_quorum_is_that_of_the_latest_configuration_in_the_log() {
    let voting = |index, voters: &[u16], outgoing: &[u16]| {
        let set = |nodes: &[u16]| nodes.iter().map(|node| NodeId(node - 1)).collect::<NodeBits>();
        Observation::Configuration {
            index: LogIndex(index),
            voters: set(voters),
            outgoing: set(outgoing),
            learners: NodeBits::EMPTY,
        }
    };
    let one = || Story::of(&[(1, append(1, 1, 11)), (1, append(1, 2, 12)), (1, durable(2))]);
    one().then(&[(1, voting(2, &[1], &[])), (1, commit(2))]).holds();
    let joint = one().then(&[(1, voting(2, &[1], &[1, 2, 3])), (1, commit(2))]);
    let how = How::NoQuorum { term: Term(1), durable: 1, voters: 1 };
    joint.breaks(Property::CommittedDurable, 1, Some(1), how);
    // A snapshot takes the place of a log, and of the configuration in it.
    let replaced = one().then(&[
        (1, voting(2, &[1], &[])),
        (1, snapshot(2, 2, 0, true)),
        (1, append(2, 3, 13)),
        (1, durable(3)),
        (1, commit(3)),
    ]);
    let how = How::NoQuorum { term: Term(2), durable: 1, voters: 3 };
    replaced.breaks(Property::CommittedDurable, 1, Some(3), how);
    // The entry of a configuration is cut off, and the one before it counts.
    let cut = one().then(&[(1, voting(2, &[1], &[])), (1, truncate(2)), (1, commit(1))]);
    let how = How::NoQuorum { term: Term(1), durable: 1, voters: 3 };
    cut.breaks(Property::CommittedDurable, 1, Some(1), how);
}

/// What a node says twice as it starts, as it reads its file, is what it says last.
#[test]
fn what_is_said_again_in_a_start_replaces_what_was_said_before() {
    let had = || Story::of(&[(1, append(1, 1, 11)), (1, append(1, 2, 12))]);
    let said = [append(1, 1, 11), append(1, 2, 12), append(1, 3, 13), append(2, 2, 22)];
    let later = [(2, append(1, 3, 14)), (1, append(2, 3, 23))];
    had().restart(1, &said).then(&later).holds();
}

#[test]
fn a_breach_is_said_once_and_in_words() {
    let story = Story::of(&[(1, vote(3, 2)), (1, vote(3, 3)), (1, vote(3, 1))]);
    let ledger = story.ledger();
    let [breach] = ledger.breaches() else { panic!("once") };
    let sentence = "n1 voted for n3 in term 3, in which it had voted for n2, at 0.000000002 s";
    assert_eq!((breach.sentence().as_str(), breach.moment.event), (sentence, 2));
}

/// The ledger finds broken what its twin does, at the same step, in stories of up to 60 steps of up
/// to 5 nodes. `STORIES` says how many stories.
#[test]
fn the_ledger_agrees_with_its_twin() {
    let stories = std::env::var("STORIES").ok().and_then(|count| count.parse().ok());
    let (mut broken, mut whole) = ([0_u64; 6], 0);
    let stories: u64 = stories.unwrap_or(10_000);
    for seed in 0..stories {
        let mut story = AnyStory::new(seed);
        let nodes = story.nodes.len() as u16;
        let (mut ledger, mut twin) = (LogLedger::new(nodes), Twin::new(nodes));
        let mut told = Vec::new();
        let length = 10 + story.below(51) as usize;
        for event in 1..=length {
            let step = story.step();
            take(&mut ledger, event, &step);
            twin.take(&step);
            told.push(step);
            let found: BTreeSet<_> = ledger.breaches().iter().map(|one| one.property).collect();
            if found != twin.broken {
                let told: Vec<_> = told.iter().map(|step| format!("{step:?}")).collect();
                let told = told.join("\n");
                panic!("story {seed}, step {event}: {found:?}, twin {:?}\n{told}", twin.broken);
            }
        }
        whole += u64::from(twin.broken.is_empty());
        for (count, property) in broken.iter_mut().zip(LogLedger::PROPERTIES) {
            *count += u64::from(twin.broken.contains(&property));
        }
    }
    let few = stories / 100;
    assert!(broken.iter().all(|count| *count > few), "each is broken in many: {broken:?}");
    assert!(whole > few, "and many break nothing: {whole}");
}
