//! Ordinals: the place of an effect among its siblings, the effects of one step of one kind to one
//! destination.

use crate::id::NodeId;
use crate::protocol::File;

/// Counts the siblings of each effect of a step. With its ordinal, an effect's identity does not
/// depend on effects of other kinds or to other destinations. The first message to a destination,
/// which is nearly every message, costs one comparison.
pub(super) struct Ordinals {
    step: u64,
    /// By destination: the last step that sent to it, the kind of the first message, and how many
    /// messages of that kind there were.
    first: Vec<(u64, u8, u32)>,
    /// The messages of this step that are not of the first kind to their destination.
    others: Vec<(NodeId, u8, u32)>,
    /// By file, how many operations this step had on it.
    disk: Vec<(File, u32)>,
}

impl Ordinals {
    pub(super) fn new(nodes: u16) -> Self {
        Self { step: 0, first: vec![(0, 0, 0); nodes.into()], others: Vec::new(), disk: Vec::new() }
    }

    #[inline]
    pub(super) fn next_step(&mut self) {
        self.step += 1;
        self.disk.clear();
        self.others.clear();
    }

    #[inline]
    pub(super) fn message(&mut self, to: NodeId, kind: u8) -> u32 {
        let (step, first_kind, count) = &mut self.first[to.index()];
        if *step != self.step {
            (*step, *first_kind, *count) = (self.step, kind, 1);
            return 0;
        }
        if *first_kind == kind {
            *count += 1;
            return *count - 1;
        }
        match self.others.iter_mut().find(|(node, other, _)| (*node, *other) == (to, kind)) {
            Some((_, _, count)) => {
                *count += 1;
                *count - 1
            }
            None => {
                self.others.push((to, kind, 1));
                0
            }
        }
    }

    pub(super) fn disk(&mut self, file: File) -> u32 {
        match self.disk.iter_mut().find(|(other, _)| *other == file) {
            Some((_, count)) => {
                *count += 1;
                *count - 1
            }
            None => {
                self.disk.push((file, 1));
                0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinal_counts_only_messages_of_its_kind_to_its_destination() {
        let mut ordinals = Ordinals::new(3);
        ordinals.next_step();
        let (a, b) = (NodeId(1), NodeId(2));
        let sends = [(a, 0), (b, 0), (a, 1), (a, 0), (b, 1), (a, 1), (a, 2)];
        let counted: Vec<u32> =
            sends.iter().map(|(to, kind)| ordinals.message(*to, *kind)).collect();
        assert_eq!(counted, [0, 0, 0, 1, 0, 1, 0]);
        ordinals.next_step();
        assert_eq!(ordinals.message(a, 1), 0);
        let files = [File(1), File(2), File(1), File(2), File(1)];
        assert_eq!(files.map(|file| ordinals.disk(file)), [0, 0, 1, 1, 2]);
    }
}
