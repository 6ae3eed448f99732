//! From what was recorded to what each operation says of its keys.

use crate::id::KeyId;
use crate::linearizability::{Answered, Asked, Content, Expects, Operations, Others, Step};

use super::recorded::{Became, ClientFunction, Datum, RecordedOp};
use super::recorder::Recorder;
use super::settings::NilMeans;

/// What `nil` means, and what was there at the start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beginning {
    pub(super) initial: Content,
    pub(super) nil: NilMeans,
}

/// What has been recorded, and how it is to be understood.
struct Interpretation<'a> {
    recorder: &'a Recorder,
    start: Beginning,
    /// By key, how it is used, where anything is appended at all.
    uses: Vec<KeyUse>,
}

/// How a key is used.
#[derive(Clone, Copy, Debug, Default)]
struct KeyUse {
    put: bool,
    appended: bool,
}

/// The operations to be checked. Values are symbols by their numbers.
pub(super) fn operations(recorder: &Recorder, start: Beginning) -> Operations {
    let mut operations = Operations::new(start.initial);
    operations.reserve(recorder.ops.len());
    let meaning = Interpretation { recorder, start, uses: uses(recorder) };
    for op in &recorder.ops {
        let id = operations.call(op.process, op.places.0);
        match op.asked {
            ClientFunction::List | ClientFunction::ReadAll if op.became == Became::Done => {
                let steps = meaning.whole(op, &mut operations);
                operations.answer(id, op.ret(), steps, Others::SeenAbsent);
            }
            ClientFunction::Clear if op.became != Became::Failed => {
                operations.answer(id, op.ret(), [], Others::Removed);
            }
            ClientFunction::List | ClientFunction::ReadAll | ClientFunction::Clear => {}
            _ => {
                if let Some(step) = meaning.step(op, &mut operations) {
                    operations.answer(id, op.ret(), [step], Others::Untouched);
                }
            }
        }
    }
    for (op, version) in &recorder.ranks {
        operations.rank(*op, *version);
    }
    operations
}

fn uses(recorder: &Recorder) -> Vec<KeyUse> {
    if recorder.ops.iter().all(|op| op.asked != ClientFunction::Append) {
        return Vec::new();
    }
    let mut uses = vec![KeyUse::default(); recorder.keys.len().max(1)];
    for op in &recorder.ops {
        let used = &mut uses[op.key as usize];
        used.put |= op.asked == ClientFunction::Write;
        used.appended |= op.asked == ClientFunction::Append;
    }
    uses
}

impl Interpretation<'_> {
    /// What an operation on one key says. `None`: nothing.
    fn step(&self, op: &RecordedOp, operations: &mut Operations) -> Option<Step> {
        let key = KeyId(op.key);
        let output = match op.became {
            Became::Failed => return None,
            Became::Pending | Became::Unsure => Answered::Unknown,
            Became::Refused => Answered::Mismatch,
            Became::Done => Answered::Done,
        };
        let content = match op.datum {
            Datum::One(symbol) => Content::of(symbol),
            Datum::Missing | Datum::Nil => self.nil(),
            Datum::Pair(..) | Datum::Many { .. } | Datum::Whole { .. } => Content::ABSENT,
        };
        let input = match op.asked {
            ClientFunction::Read if op.became != Became::Done => return None,
            ClientFunction::Read => {
                return Some(Step::read(key, self.shown(op.key, op.datum, operations)?));
            }
            ClientFunction::Write if content.is_absent() => Asked::Delete,
            ClientFunction::Write => Asked::Write(content),
            ClientFunction::Append => Asked::Append(content),
            ClientFunction::Delete => Asked::Delete,
            ClientFunction::Acquire => Asked::Acquire,
            ClientFunction::Release => Asked::Release,
            ClientFunction::Cas => {
                let Datum::Pair(from, to) = op.datum else { return None };
                Asked::CompareAndSet { from: self.of_pair(from), to: self.of_pair(to) }
            }
            ClientFunction::List | ClientFunction::ReadAll | ClientFunction::Clear => {
                unreachable!("it is on one key")
            }
        };
        input.step(key, output)
    }

    /// What an answer on the whole store says of the keys that it shows.
    fn whole(&self, op: &RecordedOp, operations: &mut Operations) -> Vec<Step> {
        let Datum::Whole { from, len } = op.datum else { return Vec::new() };
        let items = &self.recorder.items[from as usize..][..len as usize];
        let expects = |(key, value): &(u32, Datum)| match *value {
            Datum::Missing => Step::read(KeyId(*key), Expects::Present),
            value => {
                let shown = self.shown(*key, value, operations);
                Step::read(KeyId(*key), shown.unwrap_or(Expects::Present))
            }
        };
        items.iter().map(expects).collect()
    }

    /// What a value that was read says. `None`: nothing.
    fn shown(&self, key: u32, value: Datum, operations: &mut Operations) -> Option<Expects> {
        let KeyUse { put, appended } = self.uses.get(key as usize).copied().unwrap_or_default();
        Some(match value {
            // Of a list only the last element is shown.
            Datum::One(symbol) if appended => Expects::EndsWith(symbol),
            Datum::One(symbol) => Expects::Holds(Content::of(symbol)),
            Datum::Many { from, len } => {
                let elements = &self.recorder.elements[from as usize..][..len as usize];
                match elements.last() {
                    None => Expects::Absent { by: None },
                    // A put is no element of the list that is appended to after it.
                    Some(last) if put => Expects::EndsWith(*last),
                    Some(_) => {
                        operations.shows(elements);
                        Expects::Holds(Content::sequence(elements))
                    }
                }
            }
            Datum::Missing | Datum::Nil => match self.start {
                Beginning { nil: NilMeans::Unknown, .. } => return None,
                Beginning { initial, .. } if initial.is_absent() => Expects::Absent { by: None },
                Beginning { initial, .. } => Expects::Holds(initial),
            },
            Datum::Pair(..) | Datum::Whole { .. } => return None,
        })
    }

    /// What a register holds to which `nil` is written.
    fn nil(&self) -> Content {
        match self.start.nil {
            NilMeans::Unknown => Content::ABSENT,
            NilMeans::Initial => self.start.initial,
        }
    }

    fn of_pair(&self, symbol: u32) -> Content {
        if symbol == Datum::NIL { self.nil() } else { Content::of(symbol) }
    }
}
