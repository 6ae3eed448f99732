//! `[protocol.leader-follower.failover]`.

use serde_json::json;

use crate::protocol::leader_follower::{CatchUp, Election, Failover, Tail, WithoutLeader};
use crate::scenario::{Element, TableDecoder, word_for};
use crate::time::Span;

const CATCH_UP: [(&str, CatchUp); 3] =
    [("none", CatchUp::None), ("full-state", CatchUp::FullState), ("log", CatchUp::Log)];
const TAIL: [(&str, Tail); 2] = [("discard", Tail::Discard), ("merge", Tail::Merge)];
const WITHOUT_LEADER: [(&str, WithoutLeader); 2] =
    [("refuse", WithoutLeader::Refuse), ("wait", WithoutLeader::Wait)];
const ELECTIONS: [Election; 5] = [
    Election::None,
    Election::LowestId { pre_empt: false },
    Election::HighestId,
    Election::MajorityVote { pre_vote: false, check_log: true, persist_vote: true },
    Election::NewestTimestamp,
];

/// Reads the table.
pub(super) fn decode(table: &mut TableDecoder<'_>) -> Option<Failover> {
    let election = election(table);
    let heartbeat = table.or("heartbeat", Failover::NONE.heartbeat, |value| value.interval());
    let timeout = timeout(table, heartbeat);
    let look_every = look_every(table, election);
    let jitter_given = table.optional("jitter", |value| value.duration());
    let fencing = table.or("fencing", true, |value| value.boolean());
    let catch_up_given = table.optional("catch-up", |value| value.choice(&CATCH_UP));
    let unclean = table.or("unclean", false, |value| value.boolean());
    let without_leader =
        table.or("without-leader", WithoutLeader::Refuse, |value| value.choice(&WITHOUT_LEADER));
    let tail_given = table.get("tail");
    let tail = tail_given.as_ref().map_or(Some(Tail::Discard), |tail| tail.choice(&TAIL));
    let (election, timeout, tail) = (election?, timeout?, tail?);
    let catch_up = catch_up_given?.unwrap_or(match election {
        Election::None => CatchUp::None,
        _ => CatchUp::FullState,
    });
    if let (Tail::Merge, CatchUp::None, Some(tail)) = (tail, catch_up, &tail_given) {
        return tail.wrong(
            "a tail is merged when its node catches up, and here nobody does",
            "expected a `catch-up` of `full-state` or `log` beside it",
        );
    }
    // Candidates that wait equally long split the vote again and again (Raft section 5.2).
    let jitter = jitter_given?.unwrap_or(match election {
        Election::MajorityVote { .. } => timeout,
        _ => Span::ZERO,
    });
    Some(Failover {
        election,
        heartbeat: heartbeat?,
        timeout,
        look_every: look_every?,
        jitter,
        fencing: fencing?,
        catch_up,
        tail,
        without_leader: without_leader?,
        unclean: unclean?,
    })
}

/// The timeout, which has to outlast the time between two heartbeats.
fn timeout(table: &mut TableDecoder<'_>, heartbeat: Option<Span>) -> Option<Span> {
    let Some(given) = table.get("timeout") else {
        let timeout =
            Failover::NONE.timeout.max(Span::from_nanos(heartbeat?.nanos().saturating_mul(3)));
        return Some(timeout);
    };
    let timeout = given.positive_duration()?;
    if heartbeat.is_some_and(|heartbeat| heartbeat >= timeout) {
        return given.wrong(
            format!("the timeout is {timeout}, and heartbeats come no sooner than that"),
            "expected more than `heartbeat`, which is 2s by default",
        );
    }
    Some(timeout)
}

/// How often a node looks for its leader; `off`: it knows at once.
fn look_every(table: &mut TableDecoder<'_>, election: Option<Election>) -> Option<Option<Span>> {
    let Some(given) = table.get("look-every") else { return Some(None) };
    if given.is_text("off") {
        return Some(None);
    }
    let every = given.positive_duration()?;
    match election? {
        Election::LowestId { .. } | Election::MajorityVote { .. } | Election::NewestTimestamp => {
            Some(Some(every))
        }
        Election::None | Election::HighestId => {
            // An argument that changes the election leaves the file's other settings behind: that is no mistake.
            if table.get("election").is_some_and(|election| election.is_from_argument()) {
                return Some(None);
            }
            given.wrong(
                "`look-every` needs an election in which nodes wait for a silence to last",
                "expected the election `lowest-id`, `majority-vote` or `newest-timestamp`",
            )
        }
    }
}

/// The election, and the settings that only some elections have.
fn election(table: &mut TableDecoder<'_>) -> Option<Election> {
    let given = table.get("election");
    let words = ELECTIONS.map(|election| (election.name(), election));
    let election = given.as_ref().map_or(Some(Election::None), |given| given.choice(&words));
    let pre_empt = table.get("pre-empt");
    let votes = ["pre-vote", "check-log", "persist-vote"].map(|key| (key, table.get(key)));
    let is_from_argument = given.is_some_and(|given| given.is_from_argument());
    let boolean = |value: &Option<Element<'_>>, default| {
        value.as_ref().map_or(Some(default), Element::boolean)
    };
    // An argument that changes the election leaves the file's other settings behind: that is no mistake.
    let needs = |key: &str, value: &Option<Element<'_>>, wanted: &str| match value {
        Some(value) if !is_from_argument => {
            let title = format!("`{key}` needs the election `{wanted}`");
            value.wrong::<()>(title, "no other election has that")
        }
        _ => Some(()),
    };
    let election = election?;
    if !matches!(election, Election::LowestId { .. }) {
        needs("pre-empt", &pre_empt, "lowest-id")?;
    }
    if !matches!(election, Election::MajorityVote { .. }) {
        for (key, value) in &votes {
            needs(key, value, "majority-vote")?;
        }
    }
    Some(match election {
        Election::LowestId { .. } => Election::LowestId { pre_empt: boolean(&pre_empt, false)? },
        Election::MajorityVote { .. } => {
            let [(_, pre_vote), (_, check_log), (_, persist_vote)] = &votes;
            Election::MajorityVote {
                pre_vote: boolean(pre_vote, false)?,
                check_log: boolean(check_log, true)?,
                persist_vote: boolean(persist_vote, true)?,
            }
        }
        Election::None | Election::HighestId | Election::NewestTimestamp => election,
    })
}

/// Writes it back.
pub(super) fn encode(failover: &Failover) -> toml::Table {
    let mut table = toml::Table::new();
    let mut set = |key: &str, value: toml::Value| table.insert(key.to_owned(), value);
    set("election", failover.election.name().into());
    match failover.election {
        Election::LowestId { pre_empt } => {
            set("pre-empt", pre_empt.into());
        }
        Election::MajorityVote { pre_vote, check_log, persist_vote } => {
            set("pre-vote", pre_vote.into());
            set("check-log", check_log.into());
            set("persist-vote", persist_vote.into());
        }
        Election::None | Election::HighestId | Election::NewestTimestamp => {}
    }
    set("heartbeat", failover.heartbeat.to_string().into());
    set("timeout", failover.timeout.to_string().into());
    let look_every =
        failover.look_every.map_or_else(|| "off".to_owned(), |every| every.to_string());
    set("look-every", look_every.into());
    set("jitter", failover.jitter.to_string().into());
    set("fencing", failover.fencing.into());
    set("catch-up", word_for(&CATCH_UP, &failover.catch_up).into());
    set("tail", word_for(&TAIL, &failover.tail).into());
    set("without-leader", word_for(&WITHOUT_LEADER, &failover.without_leader).into());
    set("unclean", failover.unclean.into());
    table
}

/// Its JSON schema.
pub(super) fn schema() -> serde_json::Value {
    let flag = |description: &str, default: bool| json!({ "description": description, "type": "boolean", "default": default });
    json!({
        "description": "How the cluster gets a leader when it has none, and what becomes of the data of those that were away.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "election": {
                "description": "Who leads next: nobody; the lowest id of those heard from; the highest id (the bully); who gets a majority of votes; of a majority who has the newest write.",
                "enum": ELECTIONS.map(Election::name),
                "default": "none"
            },
            "pre-empt": flag("With `lowest-id`: a node that comes back takes over from a leader with a higher id.", false),
            "pre-vote": flag("With `majority-vote`: a candidate first asks whether it would win.", false),
            "check-log": flag("With `majority-vote`: no vote for a candidate whose writes end before the voter's.", true),
            "persist-vote": flag("With `majority-vote`: where there is a log, term and vote are durable before they count.", true),
            "heartbeat": {
                "description": "How often a node says that it is there.",
                "$ref": "#/$defs/duration",
                "default": "2s"
            },
            "timeout": {
                "description": "After how long a silence a node is taken for dead.",
                "$ref": "#/$defs/duration",
                "default": "6s"
            },
            "look-every": {
                "description": "How often a node looks whether the silence has lasted for the timeout; `off`: it knows at once.",
                "anyOf": [{ "const": "off" }, { "$ref": "#/$defs/duration" }],
                "default": "off"
            },
            "jitter": {
                "description": "What is added to the timeout of who waits for an election, drawn uniformly up to this; with `majority-vote` by default as long as the timeout, else none.",
                "$ref": "#/$defs/duration"
            },
            "fencing": flag("Whether messages of a lower term are refused.", true),
            "catch-up": {
                "description": "How a follower that was away gets what it missed: not at all; as a full state; as the part of one log that it lacks, and then writes are replicated in the order of that log. By default `full-state` with an election, else `none`.",
                "enum": ["none", "full-state", "log"]
            },
            "tail": {
                "description": "What becomes of writes that a node has and its new leader lacks: they are gone, or offered to the leader.",
                "enum": ["discard", "merge"],
                "default": "discard"
            },
            "without-leader": {
                "description": "What becomes of requests while no leader is known.",
                "enum": ["refuse", "wait"],
                "default": "refuse"
            },
            "unclean": flag("With mode `in-sync`: a node outside the in-sync set may lead.", false)
        }
    })
}
