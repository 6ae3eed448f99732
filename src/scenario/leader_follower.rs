//! `[protocol.leader-follower]`.

use serde_json::json;

use super::decode::{Element, word_for};
use super::{ScenarioProtocol, TableDecoder};
use crate::config::Cluster;
use crate::protocol::leader_follower::{
    Config, Defects, Deletes, LeaderFollower, Mode, OnAckTimeout, Replication, Wal,
};
use crate::protocol::wal::Policy;
use crate::time::Span;

const ON_ACK_TIMEOUT: [(&str, OnAckTimeout); 2] =
    [("succeed", OnAckTimeout::Succeed), ("fail", OnAckTimeout::Fail)];
const REPLICATION: [(&str, Replication); 2] =
    [("entry", Replication::Entry), ("full-state", Replication::FullState)];
const DELETES: [(&str, Deletes); 2] =
    [("tombstone", Deletes::Tombstone), ("erase", Deletes::Erase)];

const TRUNCATE_CORRUPTION: &str = "truncate-corruption";
const KEEP_TORN_TAIL: &str = "keep-torn-tail";

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
        let resend = table.or("resend", None, |value| {
            if value.is_text("off") { Some(None) } else { value.positive_duration().map(Some) }
        });
        let deletes = table.or("deletes", Deletes::Tombstone, |value| value.choice(&DELETES));
        let wal = match table.get("wal") {
            Some(wal) => wal.table(wal_settings),
            None => Some(Wal { policy: Policy::Off }),
        };
        let defects = table.or("defects", Defects::default(), defects);
        Some(Config {
            mode: mode?,
            ack_timeout: ack_timeout?,
            on_ack_timeout: on_ack_timeout?,
            replication: replication?,
            resend: resend?,
            deletes: deletes?,
            wal: wal?,
            defects: defects?,
        })
    }

    fn encode(config: &Config) -> toml::Table {
        let mut table = toml::Table::new();
        let mut set = |key: &str, value: toml::Value| table.insert(key.to_owned(), value);
        set("mode", config.mode.name().into());
        if let Mode::SemiSync { write_quorum } = config.mode {
            set("write-quorum", i64::from(write_quorum).into());
        }
        set("ack-timeout", config.ack_timeout.to_string().into());
        set("on-ack-timeout", word_for(&ON_ACK_TIMEOUT, &config.on_ack_timeout).into());
        set("replication", word_for(&REPLICATION, &config.replication).into());
        let resend = config.resend.map_or_else(|| "off".to_owned(), |every| every.to_string());
        set("resend", resend.into());
        set("deletes", word_for(&DELETES, &config.deletes).into());
        let mut wal = toml::Table::new();
        wal.insert("policy".to_owned(), config.wal.policy.name().into());
        if let Policy::Buffered { sync_every } = config.wal.policy {
            wal.insert("sync-every".to_owned(), sync_every.to_string().into());
        }
        set("wal", wal.into());
        let Defects { truncate_corruption, keep_torn_tail } = config.defects;
        let all = [(truncate_corruption, TRUNCATE_CORRUPTION), (keep_torn_tail, KEEP_TORN_TAIL)];
        let names = all.into_iter().filter(|(is_on, _)| *is_on).map(|(_, name)| name.into());
        set("defects", toml::Value::Array(names.collect()));
        table
    }

    fn schema() -> serde_json::Value {
        json!({
            "type": "object",
            "description": "One node leads and sends each write to the others, which follow it.",
            "additionalProperties": false,
            "properties": {
                "mode": {
                    "description": "When a write is answered: at once, when `write-quorum` followers have confirmed it, or when all have.",
                    "enum": ["async", "semi-sync", "sync"],
                    "default": "async"
                },
                "write-quorum": {
                    "description": "With mode `semi-sync`: how many follower acknowledgements a write waits for.",
                    "type": "integer",
                    "minimum": 1,
                    "maximum": crate::id::MAX_NODES - 1
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
                "resend": {
                    "description": "After how long a write is sent again to a follower that has not confirmed it.",
                    "anyOf": [{ "const": "off" }, { "$ref": "#/$defs/duration" }],
                    "default": "off"
                },
                "deletes": {
                    "description": "What a delete leaves: a tombstone, so that an older write that arrives late loses, or nothing.",
                    "enum": ["tombstone", "erase"],
                    "default": "tombstone"
                },
                "wal": {
                    "description": "The write-ahead log under the store.",
                    "type": "object",
                    "additionalProperties": false,
                    "properties": {
                        "policy": {
                            "description": "When a write is durable, and whether anything waits for it.",
                            "enum": ["off", "buffered", "fsync", "group-commit"],
                            "default": "off"
                        },
                        "sync-every": {
                            "description": "With policy `buffered`: how long a write is left unsynced.",
                            "$ref": "#/$defs/duration",
                            "default": "1s"
                        }
                    }
                },
                "defects": {
                    "description": "Mistakes of real systems, built in on purpose.",
                    "type": "array",
                    "items": { "enum": [TRUNCATE_CORRUPTION, KEEP_TORN_TAIL] },
                    "default": []
                }
            }
        })
    }
}

/// `[protocol.leader-follower.wal]`.
fn wal_settings(table: &mut TableDecoder<'_>) -> Option<Wal> {
    let buffered = Policy::Buffered { sync_every: Span::from_secs(1) };
    let words = [Policy::Off, buffered, Policy::Fsync, Policy::GroupCommit];
    let words = words.map(|policy| (policy.name(), policy));
    let given = table.get("policy");
    let policy = given.as_ref().map_or(Some(Policy::Off), |policy| policy.choice(&words));
    let every = table.get("sync-every");
    let policy = match (policy?, every) {
        (Policy::Buffered { .. }, Some(every)) => {
            Policy::Buffered { sync_every: every.positive_duration()? }
        }
        // An argument that changes the policy leaves the file's interval behind: that is no mistake.
        (_, Some(every)) if !given.is_some_and(|policy| policy.is_from_argument()) => {
            return every.wrong(
                "`sync-every` needs the policy `buffered`",
                "no other policy syncs by the clock",
            );
        }
        (policy, _) => policy,
    };
    Some(Wal { policy })
}

/// A list of defects by name.
fn defects(list: &Element<'_>) -> Option<Defects> {
    let mut defects = Defects::default();
    list.list(|name| {
        match name.choice(&[(TRUNCATE_CORRUPTION, true), (KEEP_TORN_TAIL, false)])? {
            true => defects.truncate_corruption = true,
            false => defects.keep_torn_tail = true,
        }
        Some(())
    })?;
    Some(defects)
}

/// The mode, and its write quorum: semi-synchronous needs one, the others have none.
fn mode(table: &mut TableDecoder<'_>, cluster: &Cluster) -> Option<Mode> {
    #[derive(Clone, Copy, PartialEq)]
    enum Word {
        Async,
        SemiSync,
        Sync,
    }
    let words = [("async", Word::Async), ("semi-sync", Word::SemiSync), ("sync", Word::Sync)];
    let mode = table.get("mode");
    let word = mode.as_ref().map_or(Some(Word::Async), |mode| mode.choice(&words));
    let quorum = table.get("write-quorum");
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
            let is_stale = mode.is_some_and(|mode| mode.is_from_argument());
            if let Some(quorum) = quorum
                && !is_stale
            {
                // An argument that changes the mode leaves the file's quorum behind: that is no mistake.
                return quorum.wrong(
                    "`write-quorum` needs mode `semi-sync`",
                    "no other mode counts a quorum",
                );
            }
            Some(if word == Word::Sync { Mode::Sync } else { Mode::Async })
        }
    }
}
