//! Why a history is not linearizable: a few operations that contradict each other, in words.

use crate::id::OpId;

use super::operations::Operations;

/// Whether a history is linearizable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It is.
    Linearizable,
    /// It is not, as these operations show.
    Contradictory(Contradiction),
    /// The search did not finish within its budget.
    Unknown,
}

/// Operations that no order can satisfy, whatever the others did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The first operation, by the place of its return, that cannot be placed: the history until
    /// just before that return is linearizable, as far as the keys of the contradiction go.
    pub first: OpId,
    /// Operations of which none can be left out, in the order of their calls.
    pub operations: Vec<OpId>,
    /// In which way they contradict each other.
    pub why: Why,
}

/// In which way operations contradict each other. See [`Contradiction::sentence`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It was told what no operation wrote.
    NeverWritten {
        /// The operation.
        read: OpId,
    },
    /// It returned before the write that it shows was called.
    BeforeItsWrite {
        /// The read.
        read: OpId,
        /// The write.
        write: OpId,
    },
    /// Two values would each have to be older than the other: an operation on the first returned
    /// before one on the second was called, and the other way round.
    CameBack {
        /// An operation on the first value, and one on the second that was called later.
        before: (OpId, OpId),
        /// An operation on the second value, and one on the first that was called later.
        after: (OpId, OpId),
    },
    /// What was there at first was read by an operation called after another value had been seen
    /// or written.
    BackToTheBeginning {
        /// The operation on the other value, which returned before.
        changed: OpId,
        /// The read.
        read: OpId,
    },
    /// An element is at two places, in one list or in two, and was appended once.
    TwoPlaces {
        /// The append.
        write: OpId,
        /// The reads. They may be the same.
        reads: (OpId, OpId),
    },
    /// A list that is only appended to shows less than it had held.
    Lacks {
        /// An append, or a read of more, that had returned before.
        earlier: OpId,
        /// The read.
        read: OpId,
    },
    /// No order gives all the answers.
    NoOrder,
}

impl Why {
    /// The operations that it names: those that contradict each other. Empty where it names none.
    #[must_use]
    pub fn operations(self) -> Vec<OpId> {
        match self {
            Self::NeverWritten { read } => vec![read],
            Self::BeforeItsWrite { read, write } => vec![read, write],
            Self::CameBack { before, after } => vec![before.0, before.1, after.0, after.1],
            Self::BackToTheBeginning { changed, read } => vec![changed, read],
            Self::TwoPlaces { write, reads } => vec![write, reads.0, reads.1],
            Self::Lacks { earlier, read } => vec![earlier, read],
            Self::NoOrder => Vec::new(),
        }
    }

    /// The same with as few operations as will do: one of a value may serve in both places.
    pub(super) fn fewest(self, operations: &Operations) -> Self {
        let Self::CameBack { before: (mut old, mut new), after: (mut newer, mut older) } = self
        else {
            return self;
        };
        let precedes = |a: OpId, b: OpId| operations.get(a).precedes(operations.get(b));
        if precedes(old, newer) {
            new = newer;
        } else if precedes(new, older) {
            newer = new;
        }
        if precedes(newer, old) {
            older = old;
        } else if precedes(older, new) {
            old = older;
        }
        Self::CameBack { before: (old, new), after: (newer, older) }
    }
}

/// The begin or the end of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndOf {
    /// Its call.
    Call(OpId),
    /// Its return.
    Return(OpId),
}

impl Contradiction {
    /// The reason in words. `name` names an operation, as in `c1's read of 3`; `at` says when it
    /// was called or returned, as in ` at 3 s`, and may say nothing.
    #[must_use]
    pub fn sentence(&self, name: impl Fn(OpId) -> String, at: impl Fn(EndOf) -> String) -> String {
        let called = |op| at(EndOf::Call(op));
        let returned = |op| at(EndOf::Return(op));
        match self.why {
            Why::NeverWritten { read } => {
                let end = returned(read);
                format!("{} shows what no operation had left there{end}", name(read))
            }
            Why::BeforeItsWrite { read, write } => format!(
                "{} had returned{} before {} was called{}",
                name(read),
                returned(read),
                name(write),
                called(write)
            ),
            Why::CameBack { before: (old, new), after: (newer, older) } if new == newer => format!(
                "an older value came back: {} was called{} after {} had returned{}, which was \
                 called after {} had returned{}",
                name(older),
                called(older),
                name(new),
                returned(new),
                name(old),
                returned(old)
            ),
            Why::CameBack { before: (old, new), after: (newer, older) } => format!(
                "two values would each have to be the older one: {} was called{} after {} had \
                 returned{}, but {} was called{} after {} had returned{}",
                name(new),
                called(new),
                name(old),
                returned(old),
                name(older),
                called(older),
                name(newer),
                returned(newer)
            ),
            Why::BackToTheBeginning { changed, read } => format!(
                "{} was called{} after {} had returned{}, and shows what was there before any \
                 write",
                name(read),
                called(read),
                name(changed),
                returned(changed)
            ),
            Why::TwoPlaces { write, reads: (one, other) } if one == other => format!(
                "{} shows twice{} what {} appended once",
                name(one),
                returned(one),
                name(write)
            ),
            Why::TwoPlaces { write, reads: (one, other) } => format!(
                "{}{} and {}{} disagree about what came before the element of {}",
                name(one),
                returned(one),
                name(other),
                returned(other),
                name(write)
            ),
            Why::Lacks { earlier, read } => format!(
                "{} was called{} after {} had returned{}, and lacks what was there by then",
                name(read),
                called(read),
                name(earlier),
                returned(earlier)
            ),
            Why::NoOrder => {
                let others = self.operations.iter().filter(|op| **op != self.first);
                let others: Vec<String> =
                    others.map(|op| format!("{}{}", name(*op), called(*op))).collect();
                let (first, end) = (name(self.first), returned(self.first));
                format!("{first}{end} fits into no order with {}", others.join("; "))
            }
        }
    }
}

/// The fewest of `candidates`, which are in the order of their calls, that still contradict each
/// other when the times and the answers of the others do not count. Of the sets found none can do
/// without one of its operations, but a smaller one of others may exist. `contradict` says whether
/// operations, sorted by number, do so, and takes from a budget; without budget the set may be
/// larger than it need be.
pub(super) fn reduce(
    candidates: Vec<OpId>,
    mut budget: u64,
    contradict: impl Fn(&[OpId], &mut u64) -> bool,
) -> Vec<OpId> {
    let mut holds = |kept: &[OpId]| {
        let mut sorted = kept.to_vec();
        sorted.sort_unstable();
        budget > 0 && contradict(&sorted, &mut budget)
    };
    // Most contradictions are between operations that were called shortly before.
    let mut kept = candidates;
    let mut recent = 4;
    while recent < kept.len() {
        let last = &kept[kept.len() - recent..];
        if holds(last) {
            kept = last.to_vec();
            break;
        }
        recent *= 2;
    }
    let mut chunk = kept.len().div_ceil(2).max(1);
    // What is needed among many is needed among few, so one look at each is enough.
    loop {
        let mut from = 0;
        while from < kept.len() {
            let until = (from + chunk).min(kept.len());
            let without = [&kept[..from], &kept[until..]].concat();
            if holds(&without) {
                kept = without;
            } else {
                from = until;
            }
        }
        if chunk == 1 {
            return kept;
        }
        chunk = chunk.div_ceil(2);
    }
}
