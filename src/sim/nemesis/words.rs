//! What the nemesis does, in words.

use crate::id::NodeId;

/// `n1 n3`, or `nobody`.
pub(super) fn names(nodes: &[NodeId]) -> String {
    if nodes.is_empty() {
        return "nobody".to_owned();
    }
    nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// A decimal fraction without trailing zeros: `fraction` of `digits` digits behind the point.
pub(super) fn decimal(whole: u64, fraction: u64, digits: usize) -> String {
    let text = format!("{whole}.{fraction:0digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The sign of a number, which is no sign for one that is not negative.
pub(super) const fn sign(number: i64) -> &'static str {
    if number < 0 { "-" } else { "" }
}
