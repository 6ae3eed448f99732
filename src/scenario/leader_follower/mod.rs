//! `[protocol.leader-follower]`.

use serde_json::json;

use super::decode::{Element, word_for};
use super::diagnostics::Problem;
use super::{Awaited, ScenarioProtocol, TableDecoder};
use crate::config::{Cluster, Config as Scenario};
use crate::named::Named;
use crate::protocol::leader_follower::{
    CatchUp, Config, Defect, Defects, Deletes, Election, Failover, FullStateIs, LeaderFollower,
    Mode, OnAckTimeout, Replication, WalOn,
};
use crate::protocol::wal::Policy;
use crate::time::Span;

mod failover;
mod read;
mod timestamps;
mod wal;

const ON_ACK_TIMEOUT: [(&str, OnAckTimeout); 2] =
    [("succeed", OnAckTimeout::Succeed), ("fail", OnAckTimeout::Fail)];
const REPLICATION: [(&str, Replication); 2] =
    [("entry", Replication::Entry), ("full-state", Replication::FullState)];
const FULL_STATE: [(&str, FullStateIs); 2] =
    [("replace", FullStateIs::Replacing), ("merge", FullStateIs::Merged)];
const DELETES: [(&str, Deletes); 2] =
    [("tombstone", Deletes::Tombstone), ("erase", Deletes::Erase)];

impl ScenarioProtocol for LeaderFollower {
    const NAME: &'static str = "leader-follower";

    fn decode(table: &mut TableDecoder<'_>, cluster: &Cluster) -> Option<Config> {
        let mode = mode(table, cluster);
        let ack_timeout =
            table.or("ack-timeout", Span::from_secs(5), |value| value.positive_duration());
        let on_ack_timeout = table
            .or("on-ack-timeout", OnAckTimeout::Succeed, |value| value.choice(&ON_ACK_TIMEOUT));
        let replication =
            table.or("replication", Replication::Entry, |value| value.choice(&REPLICATION));
        let full_state =
            table.or("full-state", FullStateIs::Replacing, |value| value.choice(&FULL_STATE));
        let resend = table.or("resend", None, |value| {
            if value.is_text("off") { Some(None) } else { value.interval().map(Some) }
        });
        let deletes = table.or("deletes", Deletes::Tombstone, |value| value.choice(&DELETES));
        let deduplicate = table.or("deduplicate", false, |value| value.boolean());
        let timestamps = timestamps::decode(table);
        let tombstone_grace = timestamps::decode_grace(table, timestamps, deletes);
        let reads = table.or("read", read::DEFAULT, |reads| reads.table(read::decode));
        let anti_entropy =
            table.or("anti-entropy", None, |table| table.table(read::decode_anti_entropy));
        let wal = table.or("wal", wal::DEFAULT, |wal| wal.table(wal::decode));
        let failover =
            table.or("failover", Failover::NONE, |failover| failover.table(failover::decode));
        let defects = table.or("defects", Defects::NONE, defects);
        let config = Config {
            mode: mode?,
            ack_timeout: ack_timeout?,
            on_ack_timeout: on_ack_timeout?,
            replication: replication?,
            full_state: full_state?,
            resend: resend?,
            deletes: deletes?,
            deduplicate: deduplicate?,
            tombstone_grace: tombstone_grace?,
            timestamps: timestamps?,
            reads: reads?,
            anti_entropy: anti_entropy?,
            wal: wal?,
            failover: failover?,
            defects: defects?,
        };
        contradiction(&config, table)?;
        log_on_the_leader_alone(&config, cluster, table)?;
        Some(config)
    }

    fn awaited(config: &Config, scenario: &Scenario) -> Option<Awaited> {
        let waits_for_disk = matches!(config.wal.policy, Policy::Fsync | Policy::GroupCommit);
        let is_plain =
            !waits_for_disk && config.failover == Failover::NONE && config.resend.is_none();
        let counts = !matches!(config.mode, Mode::InSync { .. });
        let confirmations = config.mode.quorum(scenario.cluster.nodes - 1);
        let ack_timeout = config.ack_timeout;
        (is_plain && counts).then_some(Awaited { confirmations, ack_timeout })
    }

    fn timescales(config: &Config) -> Vec<Span> {
        let Failover { election, heartbeat, timeout, look_every, jitter, .. } = config.failover;
        let elects = election != Election::None;
        let sync_every = match config.wal.policy {
            Policy::Buffered { sync_every } => Some(sync_every),
            Policy::Off | Policy::Fsync | Policy::GroupCommit => None,
        };
        let lag = match config.mode {
            Mode::InSync { lag, .. } => Some(lag),
            Mode::Async | Mode::SemiSync { .. } | Mode::Sync => None,
        };
        let waits = config.mode != Mode::Async;
        // Nodes that do not elect still say that they are there where they catch up after it.
        let beats = elects || config.failover.catch_up != CatchUp::None;
        let lengths = [
            beats.then_some(heartbeat),
            elects.then_some(timeout),
            elects.then_some(jitter),
            look_every,
            waits.then_some(config.ack_timeout),
            config.resend,
            config.anti_entropy,
            config.tombstone_grace,
            sync_every,
            lag,
        ];
        let mut timescales: Vec<Span> =
            lengths.into_iter().flatten().filter(|length| !length.is_zero()).collect();
        timescales.sort_unstable();
        timescales.dedup();
        timescales
    }

    fn encode(config: &Config) -> toml::Table {
        let mut table = toml::Table::new();
        let mut set = |key: &str, value: toml::Value| table.insert(key.to_owned(), value);
        set("mode", config.mode.name().into());
        match config.mode {
            Mode::SemiSync { write_quorum } => {
                set("write-quorum", i64::from(write_quorum).into());
            }
            Mode::InSync { min, lag } => {
                let mut table = toml::Table::new();
                table.insert("min".to_owned(), i64::from(min).into());
                table.insert("lag".to_owned(), lag.to_string().into());
                set("in-sync", table.into());
            }
            Mode::Async | Mode::Sync => {}
        }
        set("ack-timeout", config.ack_timeout.to_string().into());
        set("on-ack-timeout", word_for(&ON_ACK_TIMEOUT, &config.on_ack_timeout).into());
        set("replication", word_for(&REPLICATION, &config.replication).into());
        set("full-state", word_for(&FULL_STATE, &config.full_state).into());
        let resend = config.resend.map_or_else(|| "off".to_owned(), |every| every.to_string());
        set("resend", resend.into());
        set("deletes", word_for(&DELETES, &config.deletes).into());
        set("deduplicate", config.deduplicate.into());
        set("failover", failover::encode(&config.failover).into());
        set("read", read::encode(&config.reads).into());
        set("anti-entropy", read::encode_anti_entropy(config.anti_entropy).into());
        set("wal", wal::encode(&config.wal).into());
        let names = config.defects.iter().map(|defect| defect.name().into());
        set("defects", toml::Value::Array(names.collect()));
        table.extend(timestamps::encode(&config.timestamps, config.tombstone_grace));
        table
    }

    fn schema() -> serde_json::Value {
        let mut schema = json!({
            "type": "object",
            "description": "One node leads and sends each write to the others, which follow it.",
            "additionalProperties": false,
            "properties": {
                "mode": {
                    "description": "When a write is answered: at once, when `write-quorum` followers have confirmed it, when all have, or when all have that are in sync.",
                    "enum": ["async", "semi-sync", "sync", "in-sync"],
                    "default": "async"
                },
                "write-quorum": {
                    "description": "With mode `semi-sync`: how many follower acknowledgements a write waits for.",
                    "type": "integer",
                    "minimum": 1,
                    "maximum": crate::id::MAX_NODES - 1
                },
                "in-sync": {
                    "description": "With mode `in-sync`: who is in sync.",
                    "type": "object",
                    "additionalProperties": false,
                    "properties": {
                        "min": {
                            "description": "How many nodes must be in sync for writes to be accepted, the leader included.",
                            "type": "integer",
                            "minimum": 1,
                            "maximum": crate::id::MAX_NODES,
                            "default": 1
                        },
                        "lag": {
                            "description": "How long a follower may be behind before it is out of sync.",
                            "$ref": "#/$defs/duration",
                            "default": "10s"
                        }
                    }
                },
                "ack-timeout": {
                    "description": "How long the leader waits for confirmations.",
                    "$ref": "#/$defs/duration",
                    "default": "5s"
                },
                "on-ack-timeout": {
                    "description": "What the leader answers when too few come in time: ok, marked degraded, or that the outcome is unknown.",
                    "enum": ["succeed", "fail"],
                    "default": "succeed"
                },
                "replication": {
                    "description": "What the leader sends: the write, or everything it stores.",
                    "enum": ["entry", "full-state"],
                    "default": "entry"
                },
                "full-state": {
                    "description": "What a follower does with everything that its leader stores: it takes that in place of what it has, or takes each key in it and keeps the others.",
                    "enum": ["replace", "merge"],
                    "default": "replace"
                },
                "resend": {
                    "description": "After how long what a follower has not confirmed is sent to it again: of each key the newest write.",
                    "anyOf": [{ "const": "off" }, { "$ref": "#/$defs/duration" }],
                    "default": "off"
                },
                "deletes": {
                    "description": "What a delete leaves: a tombstone, so that an older write that arrives late loses, or nothing.",
                    "enum": ["tombstone", "erase"],
                    "default": "tombstone"
                },
                "deduplicate": {
                    "description": "Whether the leader knows an append that is tried again, by its element, and does not append twice.",
                    "type": "boolean",
                    "default": false
                },
                "read": read::schema(),
                "anti-entropy": read::schema_of_anti_entropy(),
                "wal": wal::schema(),
                "failover": failover::schema(),
                "defects": {
                    "description": "Mistakes of real systems, built in on purpose.",
                    "type": "array",
                    "items": { "enum": Defect::all().map(Defect::name).collect::<Vec<_>>() },
                    "default": []
                }
            }
        });
        if let Some(properties) = schema["properties"].as_object_mut() {
            properties.extend(timestamps::schema());
        }
        schema
    }
}

/// A list of defects by name.
fn defects(list: &Element<'_>) -> Option<Defects> {
    let words = Defect::words();
    let mut defects = Defects::NONE;
    list.list(|name| {
        defects.insert(name.choice(&words)?);
        Some(())
    })?;
    Some(defects)
}

/// Settings that each make sense, but not together.
fn contradiction(config: &Config, table: &mut TableDecoder<'_>) -> Option<()> {
    let is_log = config.failover.catch_up == CatchUp::Log;
    if is_log && config.replication == Replication::FullState {
        return table.wrong(
            "catch-up by `log` sends single writes, and replication `full-state` sends none",
            "expected replication `entry`, or another `catch-up`",
        );
    }
    let sends_states = config.replication == Replication::FullState
        || config.failover.catch_up == CatchUp::FullState;
    if config.full_state == FullStateIs::Merged && !sends_states {
        let is_stale = ["replication", "failover"]
            .into_iter()
            .any(|key| table.get(key).is_some_and(|given| given.is_from_argument()));
        if !is_stale {
            return table.get("full-state").and_then(|given| {
                given.wrong(
                    "no full state is ever sent that could be merged",
                    "expected replication `full-state`, or a `failover.catch-up` of `full-state`",
                )
            });
        }
    }
    if is_log && config.resend.is_some() {
        return table.wrong(
            "with catch-up by `log` what is missing is asked for after a heartbeat, and `resend` has no say",
            "expected `resend` to be off, or another `catch-up`",
        );
    }
    if is_log && config.anti_entropy.is_some() {
        return table.wrong(
            "with catch-up by `log` only the leader fills a follower in, and `anti-entropy` fills in behind its back",
            "expected no `anti-entropy`, or another `catch-up`",
        );
    }
    if let Mode::InSync { lag, .. } = config.mode
        && lag <= config.failover.heartbeat
    {
        return table.wrong(
            format!("a follower is out of sync after {lag}, and says that it is there no sooner"),
            format!(
                "expected an `in-sync.lag` above the heartbeat of {}",
                config.failover.heartbeat
            ),
        );
    }
    if !is_log && matches!(config.mode, Mode::InSync { .. }) {
        return table.wrong(
            "mode `in-sync` needs catch-up by `log`: without one nobody knows who has everything",
            "expected `failover.catch-up = \"log\"`",
        );
    }
    Some(())
}

/// The leader alone keeps a log only where it is the same for ever: a node that led next would have to write down what it
/// took without one, and what it read back later would be of a time when it led.
fn log_on_the_leader_alone(
    config: &Config,
    cluster: &Cluster,
    table: &mut TableDecoder<'_>,
) -> Option<()> {
    if config.wal.on == WalOn::All {
        return Some(());
    }
    let why = if config.failover.election != Election::None {
        "with an election another node may lead, which has kept no log"
    } else if cluster.initial_leader.is_none() {
        "nobody leads from the start, so nobody would keep a log"
    } else {
        return Some(());
    };
    let wal = table.get("wal")?;
    let at = wal.node.get("on").map_or(wal.at(), |on| on.at);
    let label = "expected `all`, or a leader for ever: the election `none` and an `initial-leader`";
    wal.sink.push(Problem::new(at, format!("only the leader keeps a log, and {why}"), label));
    None
}

/// The mode, and its write quorum: semi-synchronous needs one, the others have none.
fn mode(table: &mut TableDecoder<'_>, cluster: &Cluster) -> Option<Mode> {
    #[derive(Clone, Copy, PartialEq)]
    enum Word {
        Async,
        SemiSync,
        Sync,
        InSync,
    }
    let words = [
        ("async", Word::Async),
        ("semi-sync", Word::SemiSync),
        ("sync", Word::Sync),
        ("in-sync", Word::InSync),
    ];
    let mode = table.get("mode");
    let word = mode.as_ref().map_or(Some(Word::Async), |mode| mode.choice(&words));
    let quorum = table.get("write-quorum");
    let is_stale = mode.as_ref().is_some_and(|mode| mode.is_from_argument());
    let in_sync = in_sync(table, cluster, is_stale || word == Some(Word::InSync));
    let followers = cluster.nodes.saturating_sub(1);
    match word? {
        Word::SemiSync => {
            let Some(quorum) = quorum else {
                return mode?.wrong(
                    "mode `semi-sync` needs a `write-quorum`",
                    format!("how many of the {followers} followers must confirm a write?"),
                );
            };
            let write_quorum = quorum.integer_u16(1..=u16::MAX)?;
            if write_quorum > followers {
                return quorum.wrong(
                    format!(
                        "the write quorum is {write_quorum}, but there are {followers} followers"
                    ),
                    format!("expected at most {followers}"),
                );
            }
            Some(Mode::SemiSync { write_quorum })
        }
        word => {
            if let Some(quorum) = quorum
                && !is_stale
            {
                // An argument that changes the mode leaves the file's quorum behind: that is no mistake.
                return quorum.wrong(
                    "`write-quorum` needs mode `semi-sync`",
                    "no other mode counts a quorum",
                );
            }
            match word {
                Word::InSync => in_sync,
                Word::Sync => Some(Mode::Sync),
                Word::Async | Word::SemiSync => Some(Mode::Async),
            }
        }
    }
}

/// The in-sync set, as mode; nothing where another mode was asked for.
fn in_sync(table: &mut TableDecoder<'_>, cluster: &Cluster, is_wanted: bool) -> Option<Mode> {
    let default = Mode::InSync { min: 1, lag: Span::from_secs(10) };
    let Some(given) = table.get("in-sync") else { return Some(default) };
    if !is_wanted {
        return given.wrong("`in-sync` needs mode `in-sync`", "no other mode has an in-sync set");
    }
    given.table(|table| {
        let min = table.or("min", 1, |min| min.integer_u16(1..=cluster.nodes));
        let lag = table.or("lag", Span::from_secs(10), |lag| lag.interval());
        Some(Mode::InSync { min: min?, lag: lag? })
    })
}
