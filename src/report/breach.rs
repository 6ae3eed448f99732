//! Where an invariant of the replicated log was broken, as a document.

use serde_json::{Value, json};

use crate::check::replicated_log::Breach;
use crate::named::Named;

/// Where an invariant was broken, as a document; `event` is counted from 0, as in `diff`, and null
/// at the first boot.
pub(super) fn breach_keys(breach: &Breach) -> Value {
    json!({
        "check": breach.property.name(),
        "event": breach.moment.event.checked_sub(1),
        "at_ns": breach.moment.at.nanos(),
        "node": breach.node.to_string(),
        "term": breach.term.0,
        "index": breach.index.map(|index| index.0),
        "summary": breach.sentence(),
    })
}
