//! `[protocol.leader-follower.read]` and `[protocol.leader-follower.anti-entropy]`.

use serde_json::json;

use crate::protocol::leader_follower::{Reads, RepairAnswer};
use crate::scenario::TableDecoder;
use crate::scenario::decode::word_for;
use crate::time::Span;

/// What holds when the table of reads is not there.
pub(super) const DEFAULT: Reads =
    Reads { timeout: Span::from_secs(5), answer: RepairAnswer::AfterRepair };

const REPAIR: [(&str, RepairAnswer); 2] =
    [("before-answer", RepairAnswer::AfterRepair), ("after-answer", RepairAnswer::BeforeRepair)];

/// Reads the table of reads.
pub(super) fn decode(table: &mut TableDecoder<'_>) -> Option<Reads> {
    let timeout = table.or("timeout", DEFAULT.timeout, |value| value.positive_duration());
    let answer = table.or("repair", DEFAULT.answer, |value| value.choice(&REPAIR));
    Some(Reads { timeout: timeout?, answer: answer? })
}

/// Writes it back.
pub(super) fn encode(reads: &Reads) -> toml::Table {
    let mut table = toml::Table::new();
    table.insert("timeout".to_owned(), reads.timeout.to_string().into());
    table.insert("repair".to_owned(), word_for(&REPAIR, &reads.answer).into());
    table
}

/// Its JSON schema.
pub(super) fn schema() -> serde_json::Value {
    json!({
        "description": "How the node asked coordinates a read of several replicas.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "timeout": {
                "description": "How long it waits for replicas, and for their repair.",
                "$ref": "#/$defs/duration",
                "default": "5s"
            },
            "repair": {
                "description": "When a read that repairs does so: before the client is answered, or after.",
                "enum": REPAIR.map(|(word, _)| word),
                "default": "before-answer"
            }
        }
    })
}

/// Reads the table of anti-entropy: its interval, if it is on.
pub(super) fn decode_anti_entropy(table: &mut TableDecoder<'_>) -> Option<Option<Span>> {
    table.or("interval", None, |interval| {
        if interval.is_text("off") { Some(None) } else { interval.interval().map(Some) }
    })
}

/// Writes it back.
pub(super) fn encode_anti_entropy(interval: Option<Span>) -> toml::Table {
    let interval = interval.map_or_else(|| "off".to_owned(), |every| every.to_string());
    std::iter::once(("interval".to_owned(), interval.into())).collect()
}

/// Its JSON schema.
pub(super) fn schema_of_anti_entropy() -> serde_json::Value {
    json!({
        "description": "Replicas compare what they store in the background.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "interval": {
                "description": "How often each node compares with another, with all in turn.",
                "anyOf": [{ "const": "off" }, { "$ref": "#/$defs/duration" }],
                "default": "off"
            }
        }
    })
}
