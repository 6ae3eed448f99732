//! Jepsen's EDN: operations as maps or tuples, in one collection or one after another.
//!
//! - `{:process 0, :type :invoke, :f :write, :value 1, :time 10}`, in any order; unknown keys do
//!   not matter.
//! - `[0 :invoke :write 1]`, and the same without brackets on a line of its own.
//! - Where tests of several registers are recorded together, the key is in `:key`, or the values
//!   are `[key value]`. Whether they are is seen at the first invocation: its value is a pair, or
//!   for a compare-and-set a pair of a key and a pair.
//! - Where the first operation has its key in both places, as `report::edn` writes it, the
//!   history is one of a map of keys, whatever the names of its functions.
//! - A `:version` that is one of ours ranks the operation.

use std::io::Read;
use std::ops::Range;

use crate::id::Version;
use crate::linearizability::Model;

use super::forms::{Form, FormKind, Halt, Lexer, canonical, children, closing};
use super::mistake::{Complaint, Mistake};
use super::porcupine;
use super::recorded::{ClientFunction, Datum};
use super::recorder::{ClientEvent, Happened, Recorder};
use super::symbols::SymbolTable;
use super::text::HeldText;
use super::versions;

/// What keys and values mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Any values, registers and lists.
    Jepsen,
    /// The same, and a compare-and-set that fails has found something else.
    LogLine,
    /// Keys and values are strings, and strings are appended to.
    Porcupine,
}

/// Reads events.
pub(super) struct EdnReader {
    dialect: Dialect,
    model: Option<Model>,
    /// Whether values are `[key value]`; `None` before the first invocation.
    keyed: Option<bool>,
    /// The collection that is open: what closes it, and the line of its bracket.
    pub(super) collection: Option<(u8, u32)>,
    pub(super) forms: Vec<Form>,
    open: Vec<usize>,
    scratch: Vec<u8>,
}

/// Where the parts of an event stand in the text.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    pub(super) process: Option<Range<usize>>,
    pub(super) happened: Option<Range<usize>>,
    pub(super) function: Option<Range<usize>>,
    pub(super) time: Option<Range<usize>>,
    pub(super) version: Option<Range<usize>>,
    pub(super) error: Option<Range<usize>>,
    /// What a compare-and-set found that it did not expect: an index into the forms.
    pub(super) found: Option<usize>,
    /// An index into the forms.
    pub(super) key: Option<usize>,
    /// An index into the forms.
    pub(super) value: Option<usize>,
}

/// What comes next in the text.
pub(super) enum Upcoming {
    Event(Fields),
    /// A bracket around several events.
    Open(u8),
    Close,
    /// A tag, which does not matter.
    Tag,
    End,
    /// The text ends in the middle of something.
    Truncated(Box<Complaint>),
}

impl EdnReader {
    pub(super) fn new(dialect: Dialect, model: Option<Model>) -> Self {
        let keyed = (dialect == Dialect::Porcupine).then_some(false);
        let (forms, open, scratch) = (Vec::new(), Vec::new(), Vec::new());
        Self { dialect, model, keyed, collection: None, forms, open, scratch }
    }

    /// The model, which is known from the first operation on.
    pub(super) const fn model(&self) -> Option<Model> {
        self.model
    }

    /// Reads the whole text.
    pub(super) fn read<R: Read>(
        &mut self,
        text: &mut HeldText<R>,
        recorder: &mut Recorder,
    ) -> Result<(), Mistake> {
        loop {
            let (start, next) = self.next(text.rest(), text.is_last());
            let (next, end) = match next {
                Ok(next) => next,
                Err(Halt::Wrong(complaint)) => return Err(text.mistake(*complaint)),
                Err(Halt::More) => {
                    text.more()?;
                    continue;
                }
            };
            match next {
                Upcoming::Event(fields) => {
                    let line = text.line(start);
                    let noted = self.note(text.rest(), &fields, start, line, recorder);
                    noted.map_err(|complaint| text.mistake(*complaint))?;
                }
                Upcoming::Open(byte) => self.collection = Some((closing(byte), text.line(start))),
                Upcoming::Close => self.collection = None,
                Upcoming::Tag => {}
                Upcoming::End => {
                    return match text.broken() {
                        Some(mistake) => Err(mistake),
                        None => self.end(text),
                    };
                }
                Upcoming::Truncated(complaint) => {
                    let broken = text.broken();
                    return Err(broken.unwrap_or_else(|| text.mistake(*complaint)));
                }
            }
            text.consume(end);
        }
    }

    /// The end of the text.
    fn end<R: Read>(&self, text: &mut HeldText<R>) -> Result<(), Mistake> {
        let Some((closing, line)) = self.collection else { return Ok(()) };
        let closing = closing as char;
        let at = text.rest().len();
        let label = format!("expected another operation or `{closing}`");
        let complaint = Complaint::new(at..at, "the file ends in the middle of a list", label);
        let help = format!("the list begins in line {line}; is the file cut off?");
        Err(text.mistake(*complaint.help(help)))
    }

    /// What comes next: where it begins, what it is and where it ends.
    pub(super) fn next(
        &mut self,
        rest: &[u8],
        is_last: bool,
    ) -> (usize, Result<(Upcoming, usize), Halt>) {
        let mut lexer = Lexer::new(rest, is_last, std::mem::take(&mut self.open));
        let mut start = 0;
        let next = lexer.blanks().and_then(|byte| {
            start = lexer.at;
            let Some(byte) = byte else { return Ok(Upcoming::End) };
            self.forms.clear();
            self.event(&mut lexer, byte)
        });
        let next = match next {
            Err(Halt::More) if is_last => Ok(Upcoming::Truncated(lexer.truncated(start, "file"))),
            other => other,
        };
        let end = lexer.at;
        self.open = lexer.open;
        (start, next.map(|next| (next, end)))
    }

    /// What begins with this byte.
    fn event(&mut self, lexer: &mut Lexer<'_>, byte: u8) -> Result<Upcoming, Halt> {
        match byte {
            b'{' => self.map(lexer).map(Upcoming::Event),
            b'[' | b'(' => {
                let start = lexer.at;
                lexer.open_here()?;
                lexer.at += 1;
                let next = lexer.blanks()?.ok_or(Halt::More)?;
                let closing = closing(byte);
                if self.collection.is_none() && (b"{[(#".contains(&next) || next == closing) {
                    lexer.at = start + 1;
                    return Ok(Upcoming::Open(byte));
                }
                self.tuple(lexer, Some(closing)).map(Upcoming::Event)
            }
            b']' | b')' | b'}' => match self.collection {
                Some((closing, _)) if closing == byte => {
                    lexer.at += 1;
                    Ok(Upcoming::Close)
                }
                Some((closing, line)) => {
                    let (found, closing) = (byte as char, closing as char);
                    let title = format!("`{found}` closes nothing");
                    let label = format!("expected `{closing}`, for the list of line {line}");
                    Err(Complaint::new(lexer.at..lexer.at + 1, title, label).into())
                }
                None => Err(lexer.unbalanced()),
            },
            b'#' if !lexer.is_next(1, b'{')? && !lexer.is_next(1, b'#')? => {
                lexer.open_here()?;
                if lexer.atom()?.len() == 1 {
                    let at = lexer.at - 1..lexer.at;
                    let title = "`#` is no tag";
                    return Err(Complaint::new(at, title, "expected a name behind this").into());
                }
                match lexer.blanks()?.ok_or(Halt::More)? {
                    b']' | b')' | b'}' => return Err(lexer.unbalanced()),
                    _ => lexer.open.pop(),
                };
                Ok(Upcoming::Tag)
            }
            b':' | b'0'..=b'9' => self.line(lexer).map(Upcoming::Event),
            _ => {
                let at = lexer.at;
                lexer.skip()?;
                let label = "expected an operation, as `{:process 0, :type :invoke, :f :read}`";
                Err(Complaint::new(at..lexer.at, "this is no operation", label).into())
            }
        }
    }

    /// A map of an event.
    fn map(&mut self, lexer: &mut Lexer<'_>) -> Result<Fields, Halt> {
        let mut fields = Fields::default();
        lexer.open_here()?;
        lexer.at += 1;
        loop {
            match lexer.blanks()?.ok_or(Halt::More)? {
                b'}' => break,
                b']' | b')' => return Err(lexer.unbalanced()),
                _ => {}
            }
            let key = piece(lexer)?;
            let index = self.forms.len();
            let is_twice = match &lexer.text[key.clone()] {
                b":process" => fields.process.replace(piece(lexer)?).is_some(),
                b":type" => fields.happened.replace(piece(lexer)?).is_some(),
                b":f" => fields.function.replace(piece(lexer)?).is_some(),
                b":time" => fields.time.replace(piece(lexer)?).is_some(),
                b":version" => fields.version.replace(piece(lexer)?).is_some(),
                b":error" => {
                    fields.error = Some(piece(lexer)?);
                    false
                }
                b":found" => {
                    lexer.form(&mut self.forms)?;
                    fields.found.replace(index).is_some()
                }
                b":value" => {
                    lexer.form(&mut self.forms)?;
                    fields.value.replace(index).is_some()
                }
                b":key" => {
                    lexer.form(&mut self.forms)?;
                    fields.key.replace(index).is_some()
                }
                _ => {
                    lexer.skip()?;
                    false
                }
            };
            if is_twice {
                let title = "this operation has a key twice";
                return Err(Complaint::new(key, title, "expected each key once").into());
            }
        }
        lexer.open.pop();
        lexer.at += 1;
        Ok(fields)
    }

    /// A tuple on a line of its own.
    pub(super) fn line(&mut self, lexer: &mut Lexer<'_>) -> Result<Fields, Halt> {
        self.forms.clear();
        lexer.line(|line| self.tuple(line, None))
    }

    /// A tuple of an event, behind its bracket; without one it ends with the text.
    fn tuple(&mut self, lexer: &mut Lexer<'_>, closing: Option<u8>) -> Result<Fields, Halt> {
        let process = Some(piece(lexer)?);
        let happened = piece(lexer)?;
        // Behind the value Jepsen logs why.
        let has_reason = matches!(bare(&lexer.text[happened.clone()]), b"fail" | b"info");
        let (happened, function) = (Some(happened), Some(piece(lexer)?));
        let mut fields = Fields { process, happened, function, ..Fields::default() };
        loop {
            match (lexer.blanks()?, closing) {
                (None, None) => return Ok(fields),
                (None, Some(_)) => return Err(Halt::More),
                (byte, Some(_)) if byte == closing => {
                    lexer.open.pop();
                    lexer.at += 1;
                    return Ok(fields);
                }
                (Some(_), _) if fields.value.is_none() => {
                    lexer.form(&mut self.forms)?;
                    fields.value = Some(0);
                }
                (Some(_), None) if has_reason => return Ok(fields),
                (Some(_), _) => {
                    let start = lexer.at;
                    lexer.skip()?;
                    if !has_reason {
                        let end = closing.map_or("the end of the line".to_owned(), |closing| {
                            format!("`{}`", closing as char)
                        });
                        let title = "an operation has one value";
                        let label = format!("expected {end}");
                        return Err(Complaint::new(start..lexer.at, title, label).into());
                    }
                }
            }
        }
    }

    /// Notes the event of `fields`, which begins at `start` in line `line`.
    pub(super) fn note(
        &mut self,
        text: &[u8],
        fields: &Fields,
        start: usize,
        line: u32,
        recorder: &mut Recorder,
    ) -> Result<(), Box<Complaint>> {
        let missing = |key: &str| {
            let title = format!("this operation has no `{key}`");
            Complaint::new(start..start + 1, title, "expected `:process`, `:type` and `:f`")
        };
        let process_at = fields.process.clone().ok_or_else(|| missing(":process"))?;
        let happened_at = fields.happened.clone().ok_or_else(|| missing(":type"))?;
        let process = &text[process_at.clone()];
        let happened = Happened::by_name(bare(&text[happened_at.clone()]), &happened_at)?;
        if matches!(process, b":nemesis" | b"nemesis" | b"\"nemesis\"") {
            return recorder.note_nemesis(happened, happened_at);
        }
        if !process.iter().all(u8::is_ascii_digit) {
            let found = String::from_utf8_lossy(process);
            let title = format!("`{found}` is no process");
            return Err(Complaint::new(process_at, title, "expected a number or `:nemesis`"));
        }
        let asked_at = fields.function.clone().ok_or_else(|| missing(":f"))?;
        if self.model.is_none() && self.names_key_twice(text, fields) {
            self.model = Some(Model::Kv);
        }
        let word = bare(&text[asked_at.clone()]);
        let asked = ClientFunction::by_name(word, &asked_at, &mut self.model)?;
        let is_mismatch = || fields.error.clone().is_some_and(|at| text[at] == *b":mismatch");
        let happened = match (happened, asked) {
            (Happened::Fail, ClientFunction::Cas)
                if self.dialect == Dialect::LogLine || is_mismatch() =>
            {
                Happened::Refused
            }
            (happened, _) => happened,
        };
        let time = fields.time.clone().and_then(|at| number(&text[at]));
        let mut event = ClientEvent {
            process,
            process_at,
            happened,
            asked,
            asked_at,
            key: None,
            datum: Datum::Missing,
            found: None,
            time,
            rank: fields.version.clone().and_then(|at| ranking(&text[at])),
            line,
        };
        if matches!(happened, Happened::Invoke | Happened::Ok) {
            self.value(text, fields, &mut event, recorder)?;
        }
        if let (Happened::Refused, Some(found)) = (happened, fields.found) {
            let found = &self.forms[found..];
            let mut values = EdnValues { text, scratch: &mut self.scratch, recorder };
            event.found = Some(match found[0].kind {
                FormKind::Nil => Datum::Nil,
                FormKind::List => values.list(found),
                _ => Datum::One(values.value(found)),
            });
        }
        recorder.note(&event)
    }

    /// Whether the key of an event is in `:key` and in `[key value]`. A compare-and-set on key 1
    /// from 1 to 2 only looks like that.
    fn names_key_twice(&self, text: &[u8], fields: &Fields) -> bool {
        let (Some(key), Some(value)) = (fields.key, fields.value) else { return false };
        let (key, value) = (&self.forms[key..], &self.forms[value..]);
        let is_compare = fields.function.clone().is_some_and(|at| bare(&text[at]) == b"cas");
        let is_whole = |inner| !is_compare || is_pair(inner);
        is_pair(value)
            && text[key[0].at()] == text[value[1].at()]
            && children(value).nth(1).is_some_and(is_whole)
    }

    /// Key and value of an event that has such.
    fn value(
        &mut self,
        text: &[u8],
        fields: &Fields,
        event: &mut ClientEvent<'_>,
        recorder: &mut Recorder,
    ) -> Result<(), Box<Complaint>> {
        let value = fields.value.map(|index| &self.forms[index..]);
        let key = fields.key.map(|index| &self.forms[index..]);
        if self.dialect == Dialect::Porcupine {
            return porcupine::value(text, key, value, event, &mut self.scratch, recorder);
        }
        let is_twice = self.dialect == Dialect::Jepsen && self.names_key_twice(text, fields);
        let keyed = event.asked.is_on_one_key() && {
            *self.keyed.get_or_insert_with(|| {
                let pair = value.filter(|value| (key.is_none() || is_twice) && is_pair(value));
                let inner = pair.and_then(|pair| children(pair).nth(1));
                let is_compare = event.asked == ClientFunction::Cas;
                inner.is_some_and(|inner| !is_compare || is_pair(inner))
            })
        };
        let (key, value) = match value {
            Some(value) if keyed && (key.is_none() || is_twice) => {
                if !is_pair(value) {
                    let title = "this value has no key";
                    let label = "expected `[key value]`, as in the first operation";
                    return Err(Complaint::new(value[0].at(), title, label));
                }
                let mut both = children(value);
                (both.next(), both.next())
            }
            other => (key, other),
        };
        event.key = key.map(|key| symbol(text, key, &mut self.scratch, &mut recorder.keys));
        let is_map = self.model == Some(Model::Kv);
        let mut values = EdnValues { text, scratch: &mut self.scratch, recorder };
        event.datum = values.datum(event, value, is_map)?;
        Ok(())
    }
}

/// Turns forms of a text into values of a history.
struct EdnValues<'a> {
    text: &'a [u8],
    scratch: &'a mut Vec<u8>,
    recorder: &'a mut Recorder,
}

impl EdnValues<'_> {
    /// What the value of an event says. In a map of keys a vector is a list.
    fn datum(
        &mut self,
        event: &ClientEvent<'_>,
        value: Option<&[Form]>,
        is_map: bool,
    ) -> Result<Datum, Box<Complaint>> {
        let text = self.text;
        let at = value.map_or_else(|| event.asked_at.clone(), |value| value[0].at());
        let wrong = |expected: &str| {
            Complaint::wrong_shape(at.clone(), &text[event.asked_at.clone()], expected)
        };
        let is_answer = event.happened == Happened::Ok;
        let kind = value.map_or(FormKind::Nil, |value| value[0].kind);
        let Some(value) = value.filter(|_| kind != FormKind::Nil) else {
            return match event.asked {
                ClientFunction::Write if !is_answer && value.is_none() => Err(wrong("a value")),
                ClientFunction::Append if !is_answer => Err(wrong("an element")),
                ClientFunction::Cas if !is_answer => Err(wrong("`[from to]`")),
                _ => Ok(value.map_or(Datum::Missing, |_| Datum::Nil)),
            };
        };
        let is_list = kind == FormKind::List;
        Ok(match event.asked {
            ClientFunction::Read | ClientFunction::Write if is_map && is_list => self.list(value),
            ClientFunction::Read | ClientFunction::Write | ClientFunction::Append => {
                Datum::One(self.value(value))
            }
            ClientFunction::Cas if is_pair(value) => {
                let mut both = children(value).map(|form| match form[0].kind {
                    FormKind::Nil => Datum::NIL,
                    _ => self.value(form),
                });
                let mut next = || both.next().unwrap_or(Datum::NIL);
                Datum::Pair(next(), next())
            }
            ClientFunction::Cas => return Err(wrong("`[from to]`")),
            ClientFunction::List | ClientFunction::ReadAll if !is_answer => Datum::Missing,
            ClientFunction::List if is_list || kind == FormKind::Set => {
                let from = self.recorder.items.len();
                for key in children(value) {
                    let key = self.key(key);
                    self.recorder.items.push((key, Datum::Missing));
                }
                self.recorder.whole(from).ok_or_else(|| wrong("each key once"))?
            }
            ClientFunction::List => return Err(wrong("a list of keys")),
            ClientFunction::ReadAll if kind == FormKind::Map => {
                let from = self.recorder.items.len();
                let mut parts = children(value);
                while let (Some(key), Some(value)) = (parts.next(), parts.next()) {
                    let key = self.key(key);
                    let datum = match value[0].kind {
                        FormKind::List => self.list(value),
                        _ => Datum::One(self.value(value)),
                    };
                    self.recorder.items.push((key, datum));
                }
                self.recorder.whole(from).ok_or_else(|| wrong("each key once"))?
            }
            ClientFunction::ReadAll => return Err(wrong("a map of keys and values")),
            ClientFunction::Delete
            | ClientFunction::Clear
            | ClientFunction::Acquire
            | ClientFunction::Release => Datum::Missing,
        })
    }

    fn value(&mut self, form: &[Form]) -> u32 {
        symbol(self.text, form, self.scratch, &mut self.recorder.values)
    }

    fn key(&mut self, form: &[Form]) -> u32 {
        symbol(self.text, form, self.scratch, &mut self.recorder.keys)
    }

    /// The elements of a list.
    fn list(&mut self, forms: &[Form]) -> Datum {
        let from = self.recorder.elements.len();
        for element in children(forms) {
            let element = self.value(element);
            self.recorder.elements.push(element);
        }
        self.recorder.many(from)
    }
}

/// Whether it is a list of two.
fn is_pair(forms: &[Form]) -> bool {
    forms[0].kind == FormKind::List && children(forms).count() == 2
}

/// The number of a form's text.
#[inline]
fn symbol(text: &[u8], forms: &[Form], scratch: &mut Vec<u8>, table: &mut SymbolTable) -> u32 {
    let raw = &text[forms[0].at()];
    if forms[0].kind == FormKind::Atom && raw[0].is_ascii_digit() && !raw.ends_with(b"N") {
        return table.intern(raw);
    }
    scratch.clear();
    canonical(text, forms, scratch);
    table.intern(scratch)
}

/// One form written so that equal values are equal texts. `None`: it is not one form.
pub(super) fn one_value(text: &str) -> Option<Vec<u8>> {
    let mut lexer = Lexer::new(text.as_bytes(), true, Vec::new());
    let (mut forms, mut value) = (Vec::new(), Vec::new());
    lexer.form(&mut forms).ok()?;
    canonical(text.as_bytes(), &forms, &mut value);
    matches!(lexer.blanks(), Ok(None)).then_some(value)
}

/// Where the next form is, whatever it is.
fn piece(lexer: &mut Lexer<'_>) -> Result<Range<usize>, Halt> {
    let byte = lexer.blanks()?.ok_or(Halt::More)?;
    let start = lexer.at;
    match byte {
        b'"' | b'#' | b'(' | b'[' | b'{' => lexer.skip().map(|()| start..lexer.at),
        b')' | b']' | b'}' => Err(lexer.unbalanced()),
        _ => lexer.atom(),
    }
}

/// A whole number that is not negative.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    let digit = |number: Option<u64>, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number?.checked_mul(10)?.checked_add(digit)
    };
    text.iter().fold(Some(0), digit).filter(|_| !text.is_empty())
}

/// The version in a string, if it is one of ours.
fn ranking(text: &[u8]) -> Option<Version> {
    let text = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    versions::version(str::from_utf8(text).ok()?)
}

/// A keyword without its colon.
pub(super) fn bare(text: &[u8]) -> &[u8] {
    text.strip_prefix(b":").unwrap_or(text)
}
