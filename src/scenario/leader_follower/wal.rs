//! `[protocol.leader-follower.wal]`.

use std::num::NonZeroU32;

use serde_json::json;

use crate::protocol::leader_follower::{WalOn, WalSettings};
use crate::protocol::parts::wal::Policy;
use crate::scenario::{TableDecoder, word_for};
use crate::time::Span;

/// What holds when the table is not there.
pub(super) const DEFAULT: WalSettings =
    WalSettings { policy: Policy::Off, checkpoint_every: None, on: WalOn::All };

const ON: [(&str, WalOn); 2] = [("all", WalOn::All), ("leader", WalOn::Leader)];

/// Reads the table.
pub(super) fn decode(table: &mut TableDecoder<'_>) -> Option<WalSettings> {
    let buffered = Policy::Buffered { sync_every: Span::from_secs(1) };
    let words = [Policy::Off, buffered, Policy::Fsync, Policy::GroupCommit];
    let words = words.map(|policy| (policy.name(), policy));
    let given = table.get("policy");
    let policy = given.as_ref().map_or(Some(Policy::Off), |policy| policy.choice(&words));
    let every = table.get("sync-every");
    // An argument that changes the policy leaves the rest of the file's table behind: that is no mistake.
    let is_stale = given.as_ref().is_some_and(|policy| policy.is_from_argument());
    let checkpoint_every = table.or("checkpoint-every", None, |value| match policy {
        _ if value.is_text("off") => Some(None),
        Some(Policy::Off) if is_stale => Some(None),
        Some(Policy::Off) => value.wrong(
            "`checkpoint-every` needs a log",
            "the policy is `off`: there is nothing to cut",
        ),
        _ => value.integer_u32(1..=u32::MAX).map(NonZeroU32::new),
    });
    let on = table.or("on", WalOn::All, |value| {
        let on = value.choice(&ON)?;
        if on == WalOn::Leader && policy == Some(Policy::Off) && !is_stale {
            return value.wrong("`on` needs a log", "the policy is `off`: nobody keeps one");
        }
        Some(on)
    });
    let policy = match (policy?, every) {
        (Policy::Buffered { .. }, Some(every)) => {
            Policy::Buffered { sync_every: every.positive_duration()? }
        }
        (_, Some(every)) if !is_stale => {
            return every.wrong(
                "`sync-every` needs the policy `buffered`",
                "no other policy syncs by the clock",
            );
        }
        (policy, _) => policy,
    };
    Some(WalSettings { policy, checkpoint_every: checkpoint_every?, on: on? })
}

/// Writes it back.
pub(super) fn encode(wal: &WalSettings) -> toml::Table {
    let mut table = toml::Table::new();
    table.insert("policy".to_owned(), wal.policy.name().into());
    if let Policy::Buffered { sync_every } = wal.policy {
        table.insert("sync-every".to_owned(), sync_every.to_string().into());
    }
    let checkpoint_every = match wal.checkpoint_every {
        Some(records) => i64::from(records.get()).into(),
        None => "off".into(),
    };
    table.insert("checkpoint-every".to_owned(), checkpoint_every);
    if wal.policy != Policy::Off {
        table.insert("on".to_owned(), word_for(&ON, &wal.on).into());
    }
    table
}

/// Its JSON schema.
pub(super) fn schema() -> serde_json::Value {
    json!({
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
            },
            "on": {
                "description": "Which nodes keep a log: all, or the leader alone, who has to be the same for ever.",
                "enum": ["all", "leader"],
                "default": "all"
            },
            "checkpoint-every": {
                "description": "After how many records what is stored is written down and the log cut.",
                "anyOf": [{ "const": "off" }, { "type": "integer", "minimum": 1, "maximum": u32::MAX }],
                "default": "off"
            }
        }
    })
}
