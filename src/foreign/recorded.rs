//! What a history that was read becomes, and its operations in words.

use std::fmt::Write as _;
use std::ops::Range;

use crate::id::OpId;
use crate::linearizability::{Asked, Content, Model, Operation, Operations};
use crate::named::Named;

use super::mistake::Complaint;
use super::settings::HistoryFormat;
use super::symbols::SymbolTable;

/// What a client asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientFunction {
    Read,
    Write,
    Cas,
    Append,
    Delete,
    List,
    ReadAll,
    Clear,
    Acquire,
    Release,
}

impl ClientFunction {
    /// The functions by name. What is asked of a register and of a map has two names.
    pub(super) const WORDS: [(&'static str, Self); 12] = [
        ("read", Self::Read),
        ("write", Self::Write),
        ("cas", Self::Cas),
        ("get", Self::Read),
        ("put", Self::Write),
        ("append", Self::Append),
        ("delete", Self::Delete),
        ("list", Self::List),
        ("read-all", Self::ReadAll),
        ("clear", Self::Clear),
        ("acquire", Self::Acquire),
        ("release", Self::Release),
    ];

    /// The function of this name, which stands at `at`. Where no model is chosen yet, the first
    /// function chooses it.
    ///
    /// # Errors
    ///
    /// The model has no such function.
    pub(super) fn by_name(
        name: &[u8],
        at: &Range<usize>,
        model: &mut Option<Model>,
    ) -> Result<Self, Box<Complaint>> {
        let named = Self::WORDS.iter().find(|(word, _)| word.as_bytes() == name);
        if let Some((word, asked)) = named {
            let fits = *model.get_or_insert_with(|| match (*word, *asked) {
                (_, Self::Acquire | Self::Release) => Model::Mutex,
                ("read" | "write" | "cas", _) => Model::CasRegister,
                _ => Model::Kv,
            });
            if asked.is_of(fits) {
                return Ok(*asked);
            }
        }
        let model = model.unwrap_or(Model::CasRegister);
        let name = String::from_utf8_lossy(name);
        let title = format!("`{name}` is no function of the model {}", model.name());
        let complaint = Complaint::new(at.clone(), title, "expected a function of the model");
        let mut others = Model::all().filter(|other| named.is_some_and(|(_, it)| it.is_of(*other)));
        Err(match others.next() {
            Some(other) => complaint
                .help(format!("the model {other} has it: --model {other}", other = other.name())),
            None => {
                let known = Self::WORDS.iter().filter(|(_, asked)| asked.is_of(model));
                let known: Vec<&str> = known.map(|(word, _)| *word).collect();
                complaint.suggest(&name, &known)
            }
        })
    }

    /// The name that a model has for it.
    pub(super) fn word(self, model: Model) -> &'static str {
        let named = |(_, asked): &&(&str, Self)| *asked == self;
        let mut words = Self::WORDS.iter().filter(named).map(|(word, _)| *word);
        let first = words.next().unwrap_or("operation");
        if model == Model::Kv { words.next().unwrap_or(first) } else { first }
    }

    /// Whether the model knows it.
    pub(super) const fn is_of(self, model: Model) -> bool {
        let nothing = Content::ABSENT;
        let input = match self {
            Self::Read => Asked::Read,
            Self::Write => Asked::Write(nothing),
            Self::Cas => Asked::CompareAndSet { from: nothing, to: nothing },
            Self::Append => Asked::Append(nothing),
            Self::Delete => Asked::Delete,
            Self::Acquire => Asked::Acquire,
            Self::Release => Asked::Release,
            Self::List | Self::ReadAll | Self::Clear => return matches!(model, Model::Kv),
        };
        model.knows(input)
    }

    /// Whether it is on one key, rather than on the whole store.
    pub(super) const fn is_on_one_key(self) -> bool {
        !matches!(self, Self::List | Self::ReadAll | Self::Clear)
    }

    /// Whether it asks what there is, and changes nothing.
    pub(super) const fn is_read(self) -> bool {
        matches!(self, Self::Read | Self::List | Self::ReadAll)
    }

    /// Whether it brings along what is to be there then.
    pub(super) const fn brings_value(self) -> bool {
        matches!(self, Self::Write | Self::Cas | Self::Append)
    }
}

/// What became of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Became {
    /// It has no completion.
    Pending,
    /// It happened.
    Done,
    /// A compare-and-set found something else.
    Refused,
    /// It never happened.
    Failed,
    /// It may have happened.
    Unsure,
}

/// A value as it was written down, by the numbers of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Datum {
    /// None was given.
    Missing,
    /// `nil` or `null`.
    Nil,
    /// One text.
    One(u32),
    /// From what to what; [`Datum::NIL`] stands for `nil`.
    Pair(u32, u32),
    /// The elements of a list: a stretch of [`Recorded::elements`].
    Many { from: u32, len: u32 },
    /// Keys, or keys with their values: a stretch of [`Recorded::items`].
    Whole { from: u32, len: u32 },
}

impl Datum {
    /// `nil` in a pair.
    pub(super) const NIL: u32 = u32::MAX;
}

/// When something happened, in nanoseconds. `None` where the history does not say.
pub(super) type Nanos = Option<std::num::NonZeroU64>;

/// An operation as it was recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordedOp {
    /// The process, by the number of its name.
    pub(super) process: u32,
    /// The number of the key, or 0 where there are no keys.
    pub(super) key: u32,
    /// The places of call and return among all events of clients.
    pub(super) places: (u32, u32),
    /// Their lines in the file.
    pub(super) lines: (u32, u32),
    /// Their times, plus one.
    pub(super) times: (Nanos, Nanos),
    pub(super) asked: ClientFunction,
    pub(super) became: Became,
    /// What was written, or what was answered to a read.
    pub(super) datum: Datum,
}

/// A history as it was recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// What the clients did, to be checked. An operation that never happened says nothing.
    pub operations: Operations,
    /// What the history was read as.
    pub model: Model,
    /// The format that it was read in.
    pub format: HistoryFormat,
    pub(super) ops: Vec<RecordedOp>,
    pub(super) has_keys: bool,
    pub(super) processes: SymbolTable,
    pub(super) keys: SymbolTable,
    pub(super) values: SymbolTable,
    /// The elements of all lists that reads showed.
    pub(super) elements: Vec<u32>,
    /// The keys of all answers on the whole store, with their values.
    pub(super) items: Vec<(u32, Datum)>,
}

/// The longest value that is shown in full, in characters.
const LONGEST_VALUE: usize = 40;

impl Recorded {
    /// How many operations the clients invoked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether there is no operation.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// A short name: `process 3's read of 5`.
    #[must_use]
    pub fn name(&self, op: OpId) -> String {
        let RecordedOp { asked, became, .. } = *self.op(op);
        let refused = if became == Became::Refused { "refused " } else { "" };
        let word = asked.word(self.model);
        let object = self.object(op);
        let of = match (asked, object.as_str()) {
            (_, "") | (ClientFunction::Cas, _) => "",
            _ => "of ",
        };
        let gap = if object.is_empty() { "" } else { " " };
        format!("{}'s {refused}{word}{gap}{of}{object}", self.process(op))
    }

    /// Who asked: `process 3`, `c1`.
    #[must_use]
    pub fn process(&self, op: OpId) -> String {
        let name = String::from_utf8_lossy(self.processes.text(self.op(op).process));
        let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { format!("process {name}") } else { name.into_owned() }
    }

    /// What was asked and answered: `read 5`, `put k = 5`.
    #[must_use]
    pub fn call(&self, op: OpId) -> String {
        let word = self.op(op).asked.word(self.model);
        format!("{word} {}", self.object(op)).trim_end().to_owned()
    }

    /// From where to where in the file, and from when to when.
    #[must_use]
    pub fn place(&self, op: OpId) -> String {
        let RecordedOp { lines, times, became, .. } = *self.op(op);
        let at = |time: Nanos| match time {
            Some(time) => {
                let time = time.get() - 1;
                format!(" at {}.{:09} s", time / 1_000_000_000, time % 1_000_000_000)
            }
            None => String::new(),
        };
        let mut text = format!("line {}{}", lines.0, at(times.0));
        let _ = match became {
            Became::Pending => write!(text, ", never completed"),
            Became::Unsure => write!(text, ", unknown in line {}{}", lines.1, at(times.1)),
            Became::Done | Became::Refused | Became::Failed => {
                write!(text, " to line {}{}", lines.1, at(times.1))
            }
        };
        text
    }

    /// The lines of the invocation and of the completion, if there is one.
    #[must_use]
    pub fn lines(&self, op: OpId) -> (u32, Option<u32>) {
        let RecordedOp { lines, became, .. } = *self.op(op);
        (lines.0, (became != Became::Pending).then_some(lines.1))
    }

    /// The nanoseconds at its invocation and its completion, as far as they were recorded.
    #[must_use]
    pub fn times(&self, op: OpId) -> (Option<u64>, Option<u64>) {
        let nanos = |time: Nanos| time.map(|time| time.get() - 1);
        let (call, ret) = self.op(op).times;
        (nanos(call), nanos(ret))
    }

    fn op(&self, op: OpId) -> &RecordedOp {
        &self.ops[op.0 as usize]
    }

    /// Key and value, as far as there are such.
    fn object(&self, op: OpId) -> String {
        let RecordedOp { key, asked, datum, .. } = *self.op(op);
        let one = |symbol: u32| match symbol {
            Datum::NIL => "nil".to_owned(),
            symbol => shortened(self.values.text(symbol)),
        };
        let stretch = |from: u32, len: u32| from as usize..from as usize + len as usize;
        let many = |from: u32, len: u32| {
            let elements = self.elements[stretch(from, len)].iter();
            shortened(
                elements.map(|element| one(*element)).collect::<Vec<_>>().join(" ").as_bytes(),
            )
        };
        let value = match datum {
            Datum::Missing => String::new(),
            Datum::Nil => "nil".to_owned(),
            Datum::One(symbol) => one(symbol),
            Datum::Pair(from, to) => format!("from {} to {}", one(from), one(to)),
            Datum::Many { from, len } => format!("[{}]", many(from, len)),
            Datum::Whole { from, len } => {
                let items = self.items[stretch(from, len)].iter();
                let item = |(key, value): &(u32, Datum)| {
                    let key = shortened(self.keys.text(*key));
                    match *value {
                        Datum::One(symbol) => format!("{key} = {}", one(symbol)),
                        Datum::Many { from, len } => format!("{key} = [{}]", many(from, len)),
                        _ => key,
                    }
                };
                format!("[{}]", items.map(item).collect::<Vec<_>>().join(", "))
            }
        };
        if !self.has_keys || !asked.is_on_one_key() {
            return value;
        }
        let key = shortened(self.keys.text(key));
        match (asked, value.as_str()) {
            (_, "") => key,
            (ClientFunction::Append, _) => format!("{value} to {key}"),
            (ClientFunction::Cas, _) => format!("{key} {value}"),
            _ => format!("{key} = {value}"),
        }
    }
}

fn shortened(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let letters = text.chars().count();
    if letters <= LONGEST_VALUE {
        return text.into_owned();
    }
    let end: String = text.chars().skip(letters - LONGEST_VALUE).collect();
    format!("...{end}")
}

impl RecordedOp {
    /// The place of its return, or [`Operation::OPEN`].
    pub(super) const fn ret(&self) -> u32 {
        match self.became {
            Became::Done | Became::Refused => self.places.1,
            Became::Pending | Became::Unsure | Became::Failed => Operation::OPEN,
        }
    }
}
