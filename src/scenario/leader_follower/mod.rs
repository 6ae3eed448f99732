//! `[protocol.leader-follower]`.

use serde_json::json;

use super::decode::{Element, word_for};
use super::{ScenarioProtocol, TableDecoder};
use crate::config::Cluster;
use crate::protocol::leader_follower::{
    Config, Defect, Defects, Deletes, LeaderFollower, Mode, OnAckTimeout, Replication,
};
use crate::time::Span;

mod read;
mod timestamps;
mod wal;

const ON_ACK_TIMEOUT: [(&str, OnAckTimeout); 2] =
    [("succeed", OnAckTimeout::Succeed), ("fail", OnAckTimeout::Fail)];
const REPLICATION: [(&str, Replication); 2] =
    [("entry", Replication::Entry), ("full-state", Replication::FullState)];
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
        let resend = table.or("resend", None, |value| {
            if value.is_text("off") { Some(None) } else { value.positive_duration().map(Some) }
        });
        let deletes = table.or("deletes", Deletes::Tombstone, |value| value.choice(&DELETES));
        let timestamps = timestamps::decode(table);
        let tombstone_grace = timestamps::decode_grace(table, timestamps, deletes);
        let reads = table.or("read", read::DEFAULT, |reads| reads.table(read::decode));
        let anti_entropy =
            table.or("anti-entropy", None, |table| table.table(read::decode_anti_entropy));
        let wal = table.or("wal", wal::DEFAULT, |wal| wal.table(wal::decode));
        let defects = table.or("defects", Defects::NONE, defects);
        Some(Config {
            mode: mode?,
            ack_timeout: ack_timeout?,
            on_ack_timeout: on_ack_timeout?,
            replication: replication?,
            resend: resend?,
            deletes: deletes?,
            tombstone_grace: tombstone_grace?,
            timestamps: timestamps?,
            reads: reads?,
            anti_entropy: anti_entropy?,
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
                    "description": "After how long what a follower has not confirmed is sent to it again: of each key the newest write.",
                    "anyOf": [{ "const": "off" }, { "$ref": "#/$defs/duration" }],
                    "default": "off"
                },
                "deletes": {
                    "description": "What a delete leaves: a tombstone, so that an older write that arrives late loses, or nothing.",
                    "enum": ["tombstone", "erase"],
                    "default": "tombstone"
                },
                "read": read::schema(),
                "anti-entropy": read::schema_of_anti_entropy(),
                "wal": wal::schema(),
                "defects": {
                    "description": "Mistakes of real systems, built in on purpose.",
                    "type": "array",
                    "items": { "enum": Defect::ALL.map(Defect::name) },
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
    let words = Defect::ALL.map(|defect| (defect.name(), defect));
    let mut defects = Defects::NONE;
    list.list(|name| {
        defects.insert(name.choice(&words)?);
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
