//! Why a history is not linearizable: a few operations that contradict each other, in words.

use crate::id::OpId;

/// Operations that no order can satisfy, whatever the others did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The first operation, by the place of its return, that cannot be placed: the history until
    /// just before that return is linearizable.
    pub first: OpId,
    /// Operations of which none can be left out, in the order of their calls.
    pub operations: Vec<OpId>,
    /// In which way they contradict each other.
    pub why: Why,
}

/// In which way operations contradict each other. See [`Contradiction::sentence`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It was answered with what no operation wrote.
    NeverWritten {
        /// The operation.
        read: OpId,
    },
}

impl Contradiction {
    /// The reason in words, given a short name of each operation, as in `c1's read of 3`.
    #[must_use]
    pub fn sentence(&self, name: impl Fn(OpId) -> String) -> String {
        match self.why {
            Why::NeverWritten { read } => format!("{} shows what nobody wrote", name(read)),
        }
    }
}
