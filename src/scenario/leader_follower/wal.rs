//! `[protocol.leader-follower.wal]`.

use serde_json::json;

use crate::protocol::leader_follower::Wal;
use crate::protocol::wal::Policy;
use crate::scenario::TableDecoder;
use crate::time::Span;

/// What holds when the table is not there.
pub(super) const DEFAULT: Wal = Wal { policy: Policy::Off };

/// Reads the table.
pub(super) fn decode(table: &mut TableDecoder<'_>) -> Option<Wal> {
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

/// Writes it back.
pub(super) fn encode(wal: &Wal) -> toml::Table {
    let mut table = toml::Table::new();
    table.insert("policy".to_owned(), wal.policy.name().into());
    if let Policy::Buffered { sync_every } = wal.policy {
        table.insert("sync-every".to_owned(), sync_every.to_string().into());
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
            }
        }
    })
}
