//! How a history is to be read.

use strum::{IntoStaticStr, VariantArray};

use crate::linearizability::Model;

/// A format in which histories are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum HistoryFormat {
    /// Jepsen's EDN: maps, or vectors of process, type, function and value.
    Edn,
    /// Lines that Jepsen logs: `INFO jepsen.util - 0 :invoke :read nil`.
    LogLine,
    /// The logs of Porcupine's key-value store: EDN with texts that are put and appended.
    Porcupine,
    /// Our own `history.jsonl`.
    Jsonl,
}

/// What a read that is answered with `nil` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum NilMeans {
    /// Nothing.
    Unknown,
    /// That the register holds its initial value, or that the key does not exist.
    Initial,
}

/// How a history is to be read. What is `None` depends on the history.
#[derive(Clone, Debug, Default)]
pub struct ReadAs {
    /// The format; by default it is found out.
    pub format: Option<HistoryFormat>,
    /// The model; by default kv for the formats of maps, and for EDN by its first operation.
    pub model: Option<Model>,
    /// What `nil` says; by default nothing of the registers of EDN, and otherwise what was there at
    /// the start.
    pub nil: Option<NilMeans>,
    /// What every key holds at the start, as the format writes values; by default nothing.
    pub init: Option<String>,
}
