//! Versions as our own histories show them.

use crate::id::{NodeId, Version};

/// `12.000000345@n1#7`, a version as it is displayed. `None`: it is none.
pub(super) fn version(text: &str) -> Option<Version> {
    let (timestamp, writer) = text.split_once("@n")?;
    let (node, sequence) = writer.split_once('#')?;
    let (seconds, nanos) = timestamp.split_once('.').filter(|(_, nanos)| nanos.len() == 9)?;
    let timestamp = format!("{seconds}{nanos}").parse().ok()?;
    let node = NodeId(node.parse::<u16>().ok()?.checked_sub(1)?);
    Some(Version { timestamp, node, sequence: sequence.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_as_it_is_displayed() {
        for (timestamp, node) in [(0, 0), (-1, 3), (12_000_000_345, 1023), (i64::MAX, 7)] {
            let shown = Version { timestamp, node: NodeId(node), sequence: 9 };
            assert_eq!(version(&shown.to_string()), Some(shown));
        }
        for text in ["", "1@n1#1", "0.5@n1#1", "0.000000001@n0#1", "0.000000001@1#1", "x@n1#"] {
            assert_eq!(version(text), None, "{text}");
        }
    }
}
