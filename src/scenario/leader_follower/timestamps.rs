//! How `[protocol.leader-follower]` stamps writes, and how long it keeps tombstones.

use serde_json::{Map, Value, json};

use crate::protocol::leader_follower::{Deletes, TimestampSource, Timestamps};
use crate::protocol::store::TieBreak;
use crate::scenario::TableDecoder;
use crate::scenario::decode::word_for;
use crate::time::Span;

const SOURCES: [(&str, TimestampSource); 4] = [
    ("wall", TimestampSource::Wall),
    ("hybrid", TimestampSource::Hybrid),
    ("client", TimestampSource::Client),
    ("term-sequence", TimestampSource::TermSequence),
];
const TIES: [(&str, TieBreak); 2] =
    [("node-id", TieBreak::NodeId), ("keep-existing", TieBreak::KeepExisting)];

/// Reads `timestamps`, `timestamp-resolution` and `ties`.
pub(super) fn decode(table: &mut TableDecoder<'_>) -> Option<Timestamps> {
    let source = table.or("timestamps", TimestampSource::Wall, |source| source.choice(&SOURCES));
    let finest = Span::from_nanos(1);
    let resolution = table.or("timestamp-resolution", finest, |span| span.positive_duration());
    let ties = table.or("ties", TieBreak::NodeId, |ties| ties.choice(&TIES));
    Some(Timestamps { source: source?, resolution: resolution?, ties: ties? })
}

/// Reads `tombstone-grace`; the rest is what it has to agree with.
pub(super) fn decode_grace(
    table: &mut TableDecoder<'_>,
    timestamps: Option<Timestamps>,
    deletes: Option<Deletes>,
) -> Option<Option<Span>> {
    let Some(given) = table.get("tombstone-grace") else { return Some(None) };
    if given.is_text("off") {
        return Some(None);
    }
    let grace = given.interval()?;
    // An argument that changes the other setting leaves the file's grace period behind: that is no mistake.
    let mut is_from_argument = |key| table.get(key).is_some_and(|other| other.is_from_argument());
    if deletes == Some(Deletes::Erase) {
        if is_from_argument("deletes") {
            return Some(None);
        }
        return given.wrong(
            "`tombstone-grace` needs tombstones",
            "with deletes `erase` there are none to keep",
        );
    }
    if timestamps.is_some_and(|stamps| stamps.source == TimestampSource::TermSequence) {
        if is_from_argument("timestamps") {
            return Some(None);
        }
        return given.wrong(
            "`tombstone-grace` needs timestamps of a clock",
            "a term and a sequence do not tell how old a tombstone is",
        );
    }
    Some(Some(grace))
}

/// Writes them back.
pub(super) fn encode(timestamps: &Timestamps, grace: Option<Span>) -> toml::Table {
    let grace = grace.map_or_else(|| "off".to_owned(), |grace| grace.to_string());
    let pairs = [
        ("timestamps", word_for(&SOURCES, &timestamps.source).to_owned()),
        ("timestamp-resolution", timestamps.resolution.to_string()),
        ("ties", word_for(&TIES, &timestamps.ties).to_owned()),
        ("tombstone-grace", grace),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect()
}

/// The JSON schema of these keys.
pub(super) fn schema() -> Map<String, Value> {
    let keys = [
        (
            "timestamps",
            json!({
                "description": "What a write is stamped by: the leader's wall clock; the same, but above every timestamp it has seen; the client's wall clock; or the leader's term and the number of the write.",
                "enum": SOURCES.map(|(word, _)| word),
                "default": "wall"
            }),
        ),
        (
            "timestamp-resolution",
            json!({
                "description": "What a timestamp of a clock is rounded down to a multiple of.",
                "$ref": "#/$defs/duration",
                "default": "1ns"
            }),
        ),
        (
            "ties",
            json!({
                "description": "Which of two writes with one timestamp wins: that of the higher node id, and of one node the later; or the one that is there already.",
                "enum": TIES.map(|(word, _)| word),
                "default": "node-id"
            }),
        ),
        (
            "tombstone-grace",
            json!({
                "description": "How old a tombstone gets before a node removes it; `off`: it stays.",
                "anyOf": [{ "const": "off" }, { "$ref": "#/$defs/duration" }],
                "default": "off"
            }),
        ),
    ];
    keys.into_iter().map(|(key, schema)| (key.to_owned(), schema)).collect()
}
