//! `[protocol.leader-follower.failover]`.

use crate::protocol::leader_follower::{CatchUp, Election, Failover, Tail, WithoutLeader};
use crate::scenario::keys::{
    Given, Needs, Section, boolean, choice, duration, interval, keys, positive_duration, words,
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
    .with(keys! { |failover: Failover|
        /// Who leads next: nobody; the lowest id of those heard from; the highest id (the bully);
        /// who gets a majority of votes; of a majority who has the newest write.
        "election" => failover.election, choice(ELECTIONS.to_vec(), |election| election.name());
        /// With `lowest-id`: a node that comes back takes over from a leader with a higher id.
        "pre-empt" => failover.election => Election::LowestId { pre_empt } => pre_empt,
            boolean(), needs(BY_LOWEST_ID);
        /// With `majority-vote`: a candidate first asks whether it would win.
        "pre-vote" => failover.election => Election::MajorityVote { pre_vote, .. } => pre_vote,
            boolean(), needs(BY_VOTE);
        /// With `majority-vote`: no vote for a candidate whose writes end before the voter's.
        "check-log" => failover.election => Election::MajorityVote { check_log, .. } => check_log,
            boolean(), needs(BY_VOTE);
        /// With `majority-vote`: where there is a log, term and vote are durable before they count.
        "persist-vote" =>
            failover.election => Election::MajorityVote { persist_vote, .. } => persist_vote,
            boolean(), needs(BY_VOTE);
        /// How often a node says that it is there.
        "heartbeat" => failover.heartbeat, interval();
        /// After how long a silence a node is taken for dead.
        "timeout" => failover.timeout, positive_duration(),
            default_from(three_heartbeats), checked(outlasts_heartbeats);
        /// How often a node looks whether the silence has lasted for the timeout; `off`: it knows
        /// at once.
        "look-every" => failover.look_every, positive_duration().or_word("off"),
            checked(waits_for_silence);
        /// What is added to the timeout of who waits for an election, drawn uniformly up to this;
        /// with `majority-vote` by default as long as the timeout, else none.
        "jitter" => failover.jitter, duration(), default_from(jitter), without_default();
        /// Whether messages of a lower term are refused.
        "fencing" => failover.fencing, boolean();
        /// How a follower that was away gets what it missed: not at all; as a full state; as the
        /// part of one log that it lacks, and then writes are replicated in the order of that log.
        /// By default `full-state` with an election, else `none`.
        "catch-up" => failover.catch_up, words(CATCH_UP), default_from(catch_up), without_default();
        /// What becomes of writes that a node has and its new leader lacks: they are gone, or
        /// offered to the leader.
        "tail" => failover.tail, words(TAIL), checked(is_merged_by_somebody);
        /// What becomes of requests while no leader is known.
        "without-leader" => failover.without_leader, words(WITHOUT_LEADER);
        /// With mode `in-sync`: a node outside the in-sync set may lead.
        "unclean" => failover.unclean, boolean();
    })
}

const BY_LOWEST_ID: Needs<Failover> = Needs {
    key: "election",
    what: "the election `lowest-id`",
    why: "no other election has that",
    set: |failover| failover.election = LOWEST_ID,
};
const BY_VOTE: Needs<Failover> = Needs {
    key: "election",
    what: "the election `majority-vote`",
    why: "no other election has that",
    set: |failover| failover.election = MAJORITY_VOTE,
};

fn three_heartbeats(failover: &Failover) -> Span {
    let three_heartbeats = Span::from_nanos(failover.heartbeat.nanos().saturating_mul(3));
    Failover::NONE.timeout.max(three_heartbeats)
}

fn outlasts_heartbeats(timeout: Span, given: &Given<'_, '_, Failover>) -> Option<Span> {
    let draft = given.draft;
    if draft.is_right("heartbeat") && draft.value.heartbeat >= timeout {
        return given.element.wrong(
            format!("the timeout is {timeout}, and heartbeats come no sooner than that"),
            "expected more than `heartbeat`, which is 2s by default",
        );
    }
    Some(timeout)
}

fn waits_for_silence(every: Option<Span>, given: &Given<'_, '_, Failover>) -> Option<Option<Span>> {
    match given.draft.value.election {
        _ if every.is_none() || !given.draft.is_right("election") => Some(every),
        Election::LowestId { .. } | Election::MajorityVote { .. } | Election::NewestTimestamp => {
            Some(every)
        }
        Election::None | Election::HighestId if given.is_left_behind("election") => Some(None),
        Election::None | Election::HighestId => given.element.wrong(
            "`look-every` needs an election in which nodes wait for a silence to last",
            "expected the election `lowest-id`, `majority-vote` or `newest-timestamp`",
        ),
    }
}

/// Candidates that wait equally long split the vote again and again (Raft section 5.2).
const fn jitter(failover: &Failover) -> Span {
    match failover.election {
        Election::MajorityVote { .. } => failover.timeout,
        _ => Span::ZERO,
    }
}

const fn catch_up(failover: &Failover) -> CatchUp {
    match failover.election {
        Election::None => CatchUp::None,
        _ => CatchUp::FullState,
    }
}

fn is_merged_by_somebody(tail: Tail, given: &Given<'_, '_, Failover>) -> Option<Tail> {
    let draft = given.draft;
    let is_known = ["election", "timeout", "catch-up"].iter().all(|key| draft.is_right(key));
    if tail == Tail::Merge && is_known && draft.value.catch_up == CatchUp::None {
        return given.element.wrong(
            "a tail is merged when its node catches up, and here nobody does",
            "expected a `catch-up` of `full-state` or `log` beside it",
        );
    }
    Some(tail)
}
