//! The targets of faults: nodes and kinds of message.

use std::collections::BTreeMap;

use crate::config::Target;
use crate::id::NodeId;
use crate::scenario::decode::{Element, word_for};
use crate::scenario::keys::{Format, ValueShape, name_shape};
use crate::scenario::names::node_named;
use crate::scenario::words::TARGETS;

pub(super) fn target() -> Format<Target> {
    let shape = ValueShape::defined("target", "nodes", "\"n1\"");
    Format::new(
        shape,
        |element| element.target(),
        |target| match target {
            Target::Nodes(nodes) => match nodes.as_slice() {
                [node] => node.to_string().into(),
                nodes => nodes.iter().map(ToString::to_string).collect::<Vec<_>>().into(),
            },
            described => word_for(&TARGETS, described).into(),
        },
    )
}

/// A kind of message, as the protocol names it.
pub(super) fn message_kind() -> Format<Option<u8>> {
    let read = |kind: &Element<'_>| match kind.scope().kinds {
        Some(kinds) => {
            let choices: Vec<(&str, u8)> = kinds.iter().copied().zip(0..=u8::MAX).collect();
            kind.choice(&choices)
        }
        None => kind.text().map(|_| 0),
    };
    Format::with_texts(name_shape(), read, |kind: &u8, texts| {
        texts.kinds[usize::from(*kind)].into()
    })
    .some()
}

impl Element<'_> {
    /// Reads it as nodes: a word such as `"leader"`, a node, or a list of nodes.
    pub fn target(&self) -> Option<Target> {
        if self.is_array() {
            let list = self.node_list()?;
            if list.is_empty() {
                return self.wrong("nobody is meant", "expected at least one node");
            }
            return Some(Target::Nodes(list));
        }
        let word = TARGETS.iter().find(|(word, _)| self.is_text(word));
        if let Some((_, target)) = word {
            return Some(target.clone());
        }
        let words = TARGETS.map(|(word, _)| word);
        self.word_or_node(&words).map(|node| Target::Nodes(vec![node]))
    }

    /// Reads it as a list of nodes, each at most once; lowest id first.
    pub fn node_list(&self) -> Option<Vec<NodeId>> {
        let mut first = BTreeMap::new();
        let mut list = self.list(|element| {
            let node = element.node()?;
            if let Some(first) = first.insert(node, element.at()) {
                let problem =
                    element.problem(format!("`{node}` is given twice"), "given again here");
                element.sink().push(problem.and(first, "given first here"));
                return None;
            }
            Some(node)
        })?;
        list.sort();
        Some(list)
    }

    /// Reads a member of a partition that is no client as a node; a mistake mentions clients too.
    pub(super) fn node_or_client(&self) -> Option<NodeId> {
        let name = self.text()?;
        let nodes = self.nodes();
        if node_named(name).is_some() {
            return self.node();
        }
        let title = format!("there is no node or client `{}`", name.escape_debug());
        let known = self.scope().names.borrow().some_clients();
        let label = format!("expected one of n1 to n{nodes}, or a client");
        let problem = self.problem(title, label);
        self.sink().push(problem.suggest_near(name, known.iter().map(String::as_str)));
        None
    }
}
