//! From what was recorded to what each operation says of its keys.

use crate::id::{KeyId, OpId};
use crate::linearizability::{Answered, Asked, Content, Expects, Operations, Others, Step, Update};

use super::recorded::{Became, ClientFunction, Datum, RecordedOp};
use super::recorder::Recorder;
use super::settings::NilMeans;

/// What `nil` means, and what was there at the start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beginning {
    pub(super) initial: Content,
    pub(super) nil: NilMeans,
    /// Whether `nil` is of a key that does not exist, rather than of a register.
    pub(super) has_keys: bool,
}

/// What has been recorded, and how it is to be understood.
struct Interpretation<'a> {
    recorder: &'a Recorder,
    start: Beginning,
    /// What was appended: keys with elements, sorted.
    appended: Vec<(u32, u32)>,
}

/// The operations to be checked. Values are symbols by their numbers.
pub(super) fn operations(recorder: &Recorder, start: Beginning) -> Operations {
    let mut operations = Operations::new(start.initial);
    operations.reserve(recorder.ops.len());
    let meaning = Interpretation { recorder, start, appended: appended(recorder) };
    for op in &recorder.ops {
        let id = operations.call(op.process, op.places.0);
        match op.asked {
            ClientFunction::List | ClientFunction::ReadAll if op.became == Became::Done => {
                if let Some(steps) = meaning.whole(op, &mut operations) {
                    operations.answer(id, op.ret(), steps, Others::SeenAbsent);
                }
            }
            ClientFunction::Clear if op.became != Became::Failed => {
                operations.answer(id, op.ret(), [], Others::Removed);
            }
            ClientFunction::List | ClientFunction::ReadAll | ClientFunction::Clear => {}
            _ => {
                if let Some(step) = meaning.step(id, op, &mut operations) {
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

fn appended(recorder: &Recorder) -> Vec<(u32, u32)> {
    let appends = recorder.ops.iter().filter(|op| op.asked == ClientFunction::Append);
    let element = |op: &RecordedOp| match op.datum {
        Datum::One(element) => Some((op.key, element)),
        _ => None,
    };
    let mut appended: Vec<(u32, u32)> = appends.filter_map(element).collect();
    appended.sort_unstable();
    appended
}

impl Interpretation<'_> {
    /// What an operation on one key says. `None`: nothing.
    fn step(&self, id: OpId, op: &RecordedOp, operations: &mut Operations) -> Option<Step> {
        let key = KeyId(op.key);
        let output = match op.became {
            Became::Failed => return None,
            Became::Pending | Became::Unsure => Answered::Unknown,
            Became::Refused => Answered::Mismatch,
            Became::Done => Answered::Done,
        };
        let content = match op.datum {
            Datum::One(element) if op.asked == ClientFunction::Append => Content::of(element),
            Datum::One(symbol) => Content::value(symbol),
            Datum::Missing | Datum::Nil => self.nil(),
            Datum::Many { .. } => Content::sequence(self.elements(op.datum)),
            Datum::Pair(..) | Datum::Whole { .. } => Content::ABSENT,
        };
        let input = match op.asked {
            ClientFunction::Read if op.became != Became::Done => return None,
            ClientFunction::Read => {
                return Some(Step::read(key, self.shown(op.key, op.datum, operations)?));
            }
            ClientFunction::Write => Asked::Write(content),
            ClientFunction::Append => Asked::Append(content),
            ClientFunction::Delete => Asked::Delete,
            ClientFunction::Acquire => Asked::Acquire,
            ClientFunction::Release => Asked::Release,
            ClientFunction::Cas => {
                if let (Answered::Mismatch, Some(found)) = (output, self.recorder.found.get(&id)) {
                    return Some(Step::read(key, self.shown(op.key, *found, operations)?));
                }
                let Datum::Pair(from, to) = op.datum else { return None };
                if output != Answered::Mismatch && self.is_appended(op.key, from) {
                    // Of a list the last element counts.
                    let change = Update::Set(self.of_pair(to));
                    return Some(Step { key, expects: Expects::EndsWith(from), change });
                }
                Asked::CompareAndSet { from: self.of_pair(from), to: self.of_pair(to) }
            }
            ClientFunction::List | ClientFunction::ReadAll | ClientFunction::Clear => {
                unreachable!("it is on one key")
            }
        };
        input.step(key, output)
    }

    /// What an answer on the whole store says of the keys that it shows. `None`: nothing, not even
    /// that there are no others.
    fn whole(&self, op: &RecordedOp, operations: &mut Operations) -> Option<Vec<Step>> {
        let items = match op.datum {
            Datum::Whole { from, len } => &self.recorder.items[from as usize..][..len as usize],
            _ if self.start.nil == NilMeans::Unknown => return None,
            _ => &[],
        };
        let expects = |(key, value): &(u32, Datum)| match *value {
            Datum::Missing => Step::read(KeyId(*key), Expects::Present),
            value => {
                let shown = self.shown(*key, value, operations);
                Step::read(KeyId(*key), shown.unwrap_or(Expects::Present))
            }
        };
        Some(items.iter().map(expects).collect())
    }

    /// What a value that was read says. `None`: nothing.
    fn shown(&self, key: u32, value: Datum, operations: &mut Operations) -> Option<Expects> {
        Some(match value {
            // Of a list only the last element is shown.
            Datum::One(symbol) if self.is_appended(key, symbol) => Expects::EndsWith(symbol),
            Datum::One(symbol) => Expects::Holds(Content::value(symbol)),
            Datum::Many { .. } => {
                let elements = self.elements(value);
                operations.shows(elements);
                Expects::held(Content::sequence(elements))
            }
            Datum::Missing | Datum::Nil => match self.start {
                Beginning { nil: NilMeans::Unknown, .. } => return None,
                Beginning { has_keys: true, .. } => Expects::Absent { by: None },
                Beginning { initial, .. } => Expects::held(initial),
            },
            Datum::Pair(..) | Datum::Whole { .. } => return None,
        })
    }

    fn is_appended(&self, key: u32, symbol: u32) -> bool {
        self.appended.binary_search(&(key, symbol)).is_ok()
    }

    /// The elements of a list that was written or read.
    fn elements(&self, value: Datum) -> &[u32] {
        let Datum::Many { from, len } = value else { return &[] };
        &self.recorder.elements[from as usize..][..len as usize]
    }

    /// What a register holds to which `nil` is written.
    fn nil(&self) -> Content {
        match self.start.nil {
            NilMeans::Unknown => Content::ABSENT,
            NilMeans::Initial if self.start.has_keys => Content::ABSENT,
            NilMeans::Initial => self.start.initial,
        }
    }

    fn of_pair(&self, symbol: u32) -> Content {
        if symbol == Datum::NIL { self.nil() } else { Content::value(symbol) }
    }
}
