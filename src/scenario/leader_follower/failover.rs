//! `[protocol.leader-follower.failover]`.

use crate::protocol::leader_follower::{CatchUp, Election, Failover, Tail, WithoutLeader};
use crate::scenario::keys::{
    Given, Needs, Section, Setting, boolean, choice, duration, interval, key, part,
    positive_duration, words,
};
use crate::time::Span;

const CATCH_UP: [(&str, CatchUp); 3] =
    [("none", CatchUp::None), ("full-state", CatchUp::FullState), ("log", CatchUp::Log)];
const TAIL: [(&str, Tail); 2] = [("discard", Tail::Discard), ("merge", Tail::Merge)];
const WITHOUT_LEADER: [(&str, WithoutLeader); 2] =
    [("refuse", WithoutLeader::Refuse), ("wait", WithoutLeader::Wait)];

const LOWEST_ID: Election = Election::LowestId { pre_empt: false };
const MAJORITY_VOTE: Election =
    Election::MajorityVote { pre_vote: false, check_log: true, persist_vote: true };
const ELECTIONS: [Election; 5] =
    [Election::None, LOWEST_ID, Election::HighestId, MAJORITY_VOTE, Election::NewestTimestamp];

/// The table.
pub(super) fn section() -> Section<Failover> {
    Section::new(
        "How the cluster gets a leader when it has none, and what becomes of the data of those \
         that were away.",
        Failover::NONE,
    )
    .key(key(
        "election",
        "Who leads next: nobody; the lowest id of those heard from; the highest id (the bully); \
         who gets a majority of votes; of a majority who has the newest write.",
        choice(ELECTIONS.to_vec(), |election| election.name()),
        |failover| &mut failover.election,
    ))
    .key(pre_empt())
    .key(vote(
        "pre-vote",
        "With `majority-vote`: a candidate first asks whether it would win.",
        |election| match election {
            Election::MajorityVote { pre_vote, .. } => Some(pre_vote),
            _ => None,
        },
    ))
    .key(vote(
        "check-log",
        "With `majority-vote`: no vote for a candidate whose writes end before the voter's.",
        |election| match election {
            Election::MajorityVote { check_log, .. } => Some(check_log),
            _ => None,
        },
    ))
    .key(vote(
        "persist-vote",
        "With `majority-vote`: where there is a log, term and vote are durable before they count.",
        |election| match election {
            Election::MajorityVote { persist_vote, .. } => Some(persist_vote),
            _ => None,
        },
    ))
    .key(key("heartbeat", "How often a node says that it is there.", interval(), |failover| {
        &mut failover.heartbeat
    }))
    .key(timeout())
    .key(look_every())
    .key(jitter())
    .key(key("fencing", "Whether messages of a lower term are refused.", boolean(), |failover| {
        &mut failover.fencing
    }))
    .key(catch_up())
    .key(tail())
    .key(key(
        "without-leader",
        "What becomes of requests while no leader is known.",
        words(WITHOUT_LEADER),
        |failover| &mut failover.without_leader,
    ))
    .key(key(
        "unclean",
        "With mode `in-sync`: a node outside the in-sync set may lead.",
        boolean(),
        |failover| &mut failover.unclean,
    ))
}

fn pre_empt() -> Setting<Failover, bool> {
    part(
        "pre-empt",
        "With `lowest-id`: a node that comes back takes over from a leader with a higher id.",
        boolean(),
        |failover: &mut Failover| match &mut failover.election {
            Election::LowestId { pre_empt } => Some(pre_empt),
            _ => None,
        },
    )
    .needs(Needs {
        key: "election",
        what: "the election `lowest-id`",
        why: "no other election has that",
        set: |failover| failover.election = LOWEST_ID,
    })
}

/// A setting of the election by votes.
fn vote(
    name: &'static str,
    help: &'static str,
    place: fn(&mut Election) -> Option<&mut bool>,
) -> Setting<Failover, bool> {
    part(name, help, boolean(), move |failover: &mut Failover| place(&mut failover.election)).needs(
        Needs {
            key: "election",
            what: "the election `majority-vote`",
            why: "no other election has that",
            set: |failover| failover.election = MAJORITY_VOTE,
        },
    )
}

/// The timeout, which has to outlast the time between two heartbeats.
fn timeout() -> Setting<Failover, Span> {
    key(
        "timeout",
        "After how long a silence a node is taken for dead.",
        positive_duration(),
        |failover: &mut Failover| &mut failover.timeout,
    )
    .default_from(|failover| {
        let three_heartbeats = Span::from_nanos(failover.heartbeat.nanos().saturating_mul(3));
        Failover::NONE.timeout.max(three_heartbeats)
    })
    .checked(|timeout, given| {
        let draft = given.draft;
        if draft.is_right("heartbeat") && draft.value.heartbeat >= timeout {
            return given.element.wrong(
                format!("the timeout is {timeout}, and heartbeats come no sooner than that"),
                "expected more than `heartbeat`, which is 2s by default",
            );
        }
        Some(timeout)
    })
}

fn look_every() -> Setting<Failover, Option<Span>> {
    key(
        "look-every",
        "How often a node looks whether the silence has lasted for the timeout; `off`: it knows \
         at once.",
        positive_duration().or_word("off"),
        |failover: &mut Failover| &mut failover.look_every,
    )
    .checked(|every, given| match given.draft.value.election {
        _ if every.is_none() || !given.draft.is_right("election") => Some(every),
        Election::LowestId { .. } | Election::MajorityVote { .. } | Election::NewestTimestamp => {
            Some(every)
        }
        Election::None | Election::HighestId => {
            if given.is_left_behind("election") {
                return Some(None);
            }
            given.element.wrong(
                "`look-every` needs an election in which nodes wait for a silence to last",
                "expected the election `lowest-id`, `majority-vote` or `newest-timestamp`",
            )
        }
    })
}

/// Candidates that wait equally long split the vote again and again (Raft section 5.2): hence the
/// default.
fn jitter() -> Setting<Failover, Span> {
    key(
        "jitter",
        "What is added to the timeout of who waits for an election, drawn uniformly up to this; \
         with `majority-vote` by default as long as the timeout, else none.",
        duration(),
        |failover: &mut Failover| &mut failover.jitter,
    )
    .default_from(|failover| match failover.election {
        Election::MajorityVote { .. } => failover.timeout,
        _ => Span::ZERO,
    })
    .without_default()
}

fn catch_up() -> Setting<Failover, CatchUp> {
    key(
        "catch-up",
        "How a follower that was away gets what it missed: not at all; as a full state; as the \
         part of one log that it lacks, and then writes are replicated in the order of that log. \
         By default `full-state` with an election, else `none`.",
        words(CATCH_UP),
        |failover: &mut Failover| &mut failover.catch_up,
    )
    .default_from(|failover| match failover.election {
        Election::None => CatchUp::None,
        _ => CatchUp::FullState,
    })
    .without_default()
}

fn tail() -> Setting<Failover, Tail> {
    let is_merged_by_nobody = |tail: Tail, given: &Given<'_, '_, Failover>| {
        let draft = given.draft;
        let is_known = ["election", "timeout", "catch-up"].iter().all(|key| draft.is_right(key));
        tail == Tail::Merge && is_known && draft.value.catch_up == CatchUp::None
    };
    key(
        "tail",
        "What becomes of writes that a node has and its new leader lacks: they are gone, or \
         offered to the leader.",
        words(TAIL),
        |failover: &mut Failover| &mut failover.tail,
    )
    .checked(move |tail, given| {
        if is_merged_by_nobody(tail, given) {
            return given.element.wrong(
                "a tail is merged when its node catches up, and here nobody does",
                "expected a `catch-up` of `full-state` or `log` beside it",
            );
        }
        Some(tail)
    })
}
