//! Nodes and points of time, bounded by the scenario.

use super::decode::{Element, list_of};
use super::names::node_named;
use crate::id::NodeId;
use crate::time::Time;

impl Element<'_> {
    /// Reads it as the name of a node: `"n1"` is the first.
    pub fn node(&self) -> Option<NodeId> {
        self.word_or_node(&[])
    }

    /// Reads it as a node. The message for anything else also names `words`, which the caller
    /// takes.
    pub(super) fn word_or_node(&self, words: &[&str]) -> Option<NodeId> {
        let nodes = self.nodes();
        let text = self.text()?;
        match node_named(text) {
            Some(number) if (1..=u64::from(nodes)).contains(&number) => {
                Some(NodeId::from_index(usize::try_from(number - 1).ok()?))
            }
            _ => {
                let title = format!("there is no node `{}`", text.escape_debug());
                let range = if nodes == 1 { "n1".to_owned() } else { format!("n1 to n{nodes}") };
                let label = match words {
                    [] => format!("expected {range}"),
                    words => format!("expected {range}, or one of {}", list_of(words)),
                };
                let near = words.iter().copied();
                self.sink().push(self.problem(title, label).suggest_near(text, near));
                None
            }
        }
    }

    /// Reads it as a node, or as `word` for `None`.
    pub fn node_or(&self, word: &str) -> Option<Option<NodeId>> {
        if self.is_text(word) { Some(None) } else { self.node().map(Some) }
    }

    /// Reads it as a point of time, at most `duration`.
    pub(super) fn time(&self) -> Option<Time> {
        let at = self.duration()?;
        let duration = self.scope().frame.duration;
        if at > duration {
            return self.wrong(
                format!("{at} is after the end"),
                format!("faults and workload end after `duration`, {duration}"),
            );
        }
        Some(Time::ZERO + at)
    }
}
