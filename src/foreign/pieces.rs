//! Texts that are put and appended, as symbols.
//!
//! A checker sees what a key holds as a sequence of symbols, of which an append adds some. Where of
//! the texts put or appended on a key none begins with another, each is one symbol, and a text that
//! a get shows is made of them in one way at most. On other keys each byte is a symbol. A text that
//! cannot be made of what was put and appended is a symbol of its own, which nobody wrote.

use crate::id::KeyId;
use crate::linearizability::{Answered, Asked, Content, Operations, Others};

use super::recorded::{Became, ClientFunction, Datum, RecordedOp};
use super::recorder::Recorder;
use super::symbols::SymbolTable;

/// How the texts of one key become symbols.
#[derive(Debug, Default)]
struct KeyTexts {
    /// What was put and appended, by number, sorted by text. None is empty.
    texts: Vec<u32>,
    /// Whether none of them begins with another.
    is_prefix_free: bool,
    /// The last text that was taken apart, and what it was made of: the next one often goes on
    /// where it ended.
    last: (Vec<u8>, Vec<u32>),
}

/// The operations to be checked, on keys that all hold the text `initial` at the start.
pub(super) fn operations(recorder: &Recorder, initial: &[u8]) -> Operations {
    let mut keys = texts_by_key(recorder, initial);
    if !initial.is_empty() && keys.iter().any(|key| !key.is_prefix_free) {
        // What every key holds at the start is the same sequence.
        keys.iter_mut().for_each(|key| key.is_prefix_free = false);
    }
    let mut symbols = SymbolTable::new();
    let start = match keys.first() {
        Some(key) => Content::sequence(&key.written(initial, &mut symbols)),
        None => Content::ABSENT,
    };
    let mut operations = Operations::new(start);
    operations.reserve(recorder.ops.len());
    for op in &recorder.ops {
        let id = operations.call(op.process, op.places.0);
        let key = &mut keys[op.key as usize];
        let asked = asked(op, key, recorder, &mut symbols, &mut operations);
        let Some((input, output)) = asked else { continue };
        if let Some(step) = input.step(KeyId(op.key), output) {
            operations.answer(id, op.ret(), [step], Others::Untouched);
        }
    }
    operations
}

/// The texts of each key, those that all hold at the start among them.
fn texts_by_key(recorder: &Recorder, initial: &[u8]) -> Vec<KeyTexts> {
    let mut keys = Vec::new();
    keys.resize_with(recorder.keys.len(), KeyTexts::default);
    for op in &recorder.ops {
        if let (ClientFunction::Write | ClientFunction::Append, Datum::One(text)) =
            (op.asked, op.datum)
        {
            keys[op.key as usize].texts.push(text);
        }
    }
    let text = |number: &u32| recorder.values.text(*number);
    for key in &mut keys {
        if !initial.is_empty() {
            // It was the first text.
            key.texts.push(0);
        }
        key.texts.sort_unstable_by(|one, other| text(one).cmp(text(other)));
        key.texts.dedup();
        key.texts.retain(|number| !text(number).is_empty());
        // In sorted order a text that begins with another follows one that does.
        let is_apart = |two: &[u32]| !text(&two[1]).starts_with(text(&two[0]));
        key.is_prefix_free = key.texts.windows(2).all(is_apart);
    }
    keys
}

/// What a client asked and was told. `None`: nothing is said.
fn asked(
    op: &RecordedOp,
    key: &mut KeyTexts,
    recorder: &Recorder,
    symbols: &mut SymbolTable,
    operations: &mut Operations,
) -> Option<(Asked, Answered)> {
    let output = match op.became {
        Became::Failed | Became::Refused => return None,
        Became::Pending | Became::Unsure => Answered::Unknown,
        Became::Done => Answered::Done,
    };
    let text: &[u8] = match op.datum {
        Datum::One(text) => recorder.values.text(text),
        _ => b"",
    };
    let written = match op.asked {
        ClientFunction::Read if op.became == Became::Done => {
            let shown = key.shown(text, recorder, symbols);
            operations.shows(shown);
            return Some((Asked::Read, Answered::Held(Content::sequence(shown))));
        }
        ClientFunction::Write | ClientFunction::Append => {
            Content::sequence(&key.written(text, symbols))
        }
        ClientFunction::Delete => Content::ABSENT,
        _ => return None,
    };
    let is_append = op.asked == ClientFunction::Append;
    let input = if is_append { Asked::Append(written) } else { Asked::Write(written) };
    Some((input, output))
}

impl KeyTexts {
    /// The symbols of a text that was put or appended.
    fn written(&self, text: &[u8], symbols: &mut SymbolTable) -> Vec<u32> {
        match text {
            b"" => Vec::new(),
            _ if self.is_prefix_free => vec![symbols.intern(text)],
            _ => text.iter().map(|byte| symbols.intern(&[*byte])).collect(),
        }
    }

    /// The symbols of a text that a get shows.
    fn shown(&mut self, text: &[u8], recorder: &Recorder, symbols: &mut SymbolTable) -> &[u32] {
        let (before, pieces) = &mut self.last;
        let mut at = before.len();
        if before.is_empty() || !text.starts_with(before) {
            at = 0;
            pieces.clear();
        }
        let mut is_written = true;
        while at < text.len() {
            let rest = &text[at..];
            let piece = if self.is_prefix_free {
                // If one of them begins the rest, it is the greatest that is not greater.
                let number = |number: &u32| recorder.values.text(*number);
                let behind = self.texts.partition_point(|text| number(text) <= rest);
                let piece = behind.checked_sub(1).map(|place| number(&self.texts[place]));
                piece.filter(|piece| rest.starts_with(piece))
            } else {
                Some(&rest[..1])
            };
            // What nobody wrote is one symbol to the end.
            is_written = piece.is_some();
            let piece = piece.unwrap_or(rest);
            pieces.push(symbols.intern(piece));
            at += piece.len();
        }
        // What begins with that may come apart in another way.
        before.clear();
        if is_written {
            before.extend_from_slice(text);
        }
        pieces
    }
}
