//! Invocations and completions, put together to operations.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::ops::Range;

use crate::id::{OpId, Version};

use super::mistake::Complaint;
use super::recorded::{Became, ClientFunction, Datum, RecordedOp};
use super::symbols::SymbolTable;

/// What happened to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happened {
    Invoke,
    Ok,
    /// It never happened.
    Fail,
    /// A compare-and-set found something else.
    Refused,
    Info,
}

impl Happened {
    /// The types of events by name.
    const WORDS: [&'static str; 4] = ["invoke", "ok", "fail", "info"];

    /// The type of this name, which stands at `at`.
    ///
    /// # Errors
    ///
    /// There is none.
    pub(super) fn by_name(name: &[u8], at: &Range<usize>) -> Result<Self, Box<Complaint>> {
        match name {
            b"invoke" => Ok(Self::Invoke),
            b"ok" => Ok(Self::Ok),
            b"fail" => Ok(Self::Fail),
            b"info" => Ok(Self::Info),
            _ => {
                let name = String::from_utf8_lossy(name);
                let title = format!("`{name}` is no type of an event");
                let label = "expected `invoke`, `ok`, `fail` or `info`";
                Err(Complaint::new(at.clone(), title, label).suggest(&name, &Self::WORDS))
            }
        }
    }
}

/// An event of a client.
#[derive(Clone, Debug)]
pub(super) struct ClientEvent<'t> {
    pub(super) process: &'t [u8],
    /// Where the process stands in the text.
    pub(super) process_at: Range<usize>,
    pub(super) happened: Happened,
    pub(super) asked: ClientFunction,
    /// Where the function stands in the text.
    pub(super) asked_at: Range<usize>,
    /// By its number among the keys, where the event names one.
    pub(super) key: Option<u32>,
    pub(super) datum: Datum,
    /// What a compare-and-set found that it did not expect, where the event says so.
    pub(super) found: Option<Datum>,
    /// In nanoseconds.
    pub(super) time: Option<u64>,
    /// The version that the operation is ranked by; of an invocation it does not matter.
    pub(super) rank: Option<Version>,
    pub(super) line: u32,
}

/// What a process does.
#[derive(Clone, Copy, Debug)]
enum ProcessState {
    Idle,
    /// It waits for the answer to this operation.
    Waiting(u32),
    /// Its last operation ended in this line with an unknown outcome.
    Crashed(u32),
}

/// Puts a history together.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) ops: Vec<RecordedOp>,
    pub(super) processes: SymbolTable,
    pub(super) keys: SymbolTable,
    pub(super) values: SymbolTable,
    pub(super) elements: Vec<u32>,
    pub(super) items: Vec<(u32, Datum)>,
    /// How many events of the nemesis there are.
    pub(super) nemesis: u32,
    /// The versions of operations, by their numbers.
    pub(super) ranks: Vec<(OpId, Version)>,
    /// What compare-and-sets found that they did not expect.
    pub(super) found: BTreeMap<OpId, Datum>,
    /// By the number of the process.
    states: Vec<ProcessState>,
    events: u32,
    /// Whether operations name keys; `None` before the first that may.
    names_keys: Option<bool>,
}

impl Recorder {
    pub(super) fn new() -> Self {
        let table = SymbolTable::new;
        let (processes, keys, values) = (table(), table(), table());
        Self {
            ops: Vec::new(),
            processes,
            keys,
            values,
            elements: Vec::new(),
            items: Vec::new(),
            nemesis: 0,
            ranks: Vec::new(),
            found: BTreeMap::new(),
            states: Vec::new(),
            events: 0,
            names_keys: None,
        }
    }

    /// Notes an event of a client.
    #[inline]
    pub(super) fn note(&mut self, event: &ClientEvent<'_>) -> Result<(), Box<Complaint>> {
        let process = self.processes.intern(event.process);
        if process as usize == self.states.len() {
            self.states.push(ProcessState::Idle);
        }
        let place = self.events;
        // The greatest place means that there was no return.
        self.events = place.checked_add(1).filter(|next| *next < u32::MAX).ok_or_else(|| {
            Complaint::new(event.process_at.clone(), "there are more than 2^32 events", "")
        })?;
        match event.happened {
            Happened::Invoke => self.invoke(process, place, event),
            Happened::Ok | Happened::Fail | Happened::Refused | Happened::Info => {
                self.complete(process, place, event)
            }
        }
    }

    /// Notes an event of the nemesis, whose type stands at `at`.
    pub(super) fn note_nemesis(
        &mut self,
        happened: Happened,
        at: Range<usize>,
    ) -> Result<(), Box<Complaint>> {
        if happened != Happened::Info {
            let title = "the nemesis is no client: it neither invokes nor completes";
            return Err(Complaint::new(at, title, "expected `info`"));
        }
        self.nemesis += 1;
        Ok(())
    }

    /// The elements from this one on.
    pub(super) fn many(&self, from: usize) -> Datum {
        let (from, len) = stretch(from, self.elements.len());
        Datum::Many { from, len }
    }

    /// The items from this one on. `None` where a key is there twice.
    pub(super) fn whole(&mut self, from: usize) -> Option<Datum> {
        let items = &mut self.items[from..];
        items.sort_unstable_by_key(|(key, _)| *key);
        let is_twice = items.windows(2).any(|two| two[0].0 == two[1].0);
        let (from, len) = stretch(from, self.items.len());
        (!is_twice).then_some(Datum::Whole { from, len })
    }

    fn invoke(
        &mut self,
        process: u32,
        place: u32,
        event: &ClientEvent<'_>,
    ) -> Result<(), Box<Complaint>> {
        let name = || String::from_utf8_lossy(event.process);
        let state = &mut self.states[process as usize];
        match *state {
            ProcessState::Idle => {}
            ProcessState::Waiting(op) => {
                let line = self.ops[op as usize].lines.0;
                let title = format!("process {} has two invocations under way", name());
                let label = format!("expected the completion of the invocation in line {line}");
                return Err(Complaint::new(event.process_at.clone(), title, label)
                    .help("a process is sequential: concurrent clients are several processes"));
            }
            ProcessState::Crashed(line) => {
                let title = format!("process {} goes on after `info`", name());
                let label = "expected the number of a new process";
                let help = format!(
                    "in line {line} the outcome of its operation became unknown; from then on the \
                     process is crashed, and its thread goes on under a number of its own"
                );
                let complaint = Complaint::new(event.process_at.clone(), title, label);
                return Err(complaint.help(help));
            }
        }
        *state = ProcessState::Waiting(self.ops.len() as u32);
        if event.asked.is_on_one_key()
            && *self.names_keys.get_or_insert(event.key.is_some()) != event.key.is_some()
        {
            let (title, label) = match event.key {
                Some(_) => ("this operation names a key", "expected none, as before"),
                None => ("this operation names no key", "expected one, as before"),
            };
            return Err(Complaint::new(event.asked_at.clone(), title, label));
        }
        self.ops.push(RecordedOp {
            process,
            key: event.key.unwrap_or(0),
            places: (place, place),
            lines: (event.line, event.line),
            times: (clock(event.time), None),
            asked: event.asked,
            became: Became::Pending,
            datum: if event.asked.brings_value() { event.datum } else { Datum::Missing },
        });
        Ok(())
    }

    fn complete(
        &mut self,
        process: u32,
        place: u32,
        event: &ClientEvent<'_>,
    ) -> Result<(), Box<Complaint>> {
        let ProcessState::Waiting(op) = self.states[process as usize] else {
            let name = String::from_utf8_lossy(event.process);
            let title = format!("process {name} completes what it did not invoke");
            let label = "expected an invocation by this process before";
            return Err(Complaint::new(event.process_at.clone(), title, label));
        };
        self.ranks.extend(event.rank.map(|rank| (OpId(op), rank)));
        self.found.extend(event.found.map(|found| (OpId(op), found)));
        let op = &mut self.ops[op as usize];
        let is_of_other_key = event.key.is_some_and(|key| key != op.key);
        if op.asked != event.asked || (is_of_other_key && op.asked.is_on_one_key()) {
            let (what, label) = if op.asked != event.asked {
                ("function", "expected the function that was invoked")
            } else {
                ("key", "expected the key of the invocation")
            };
            let title = format!("this completes another {what} than line {} invokes", op.lines.0);
            return Err(Complaint::new(event.asked_at.clone(), title, label));
        }
        op.places.1 = place;
        op.lines.1 = event.line;
        op.times.1 = clock(event.time);
        let mut state = ProcessState::Idle;
        op.became = match event.happened {
            Happened::Invoke => unreachable!("this is a completion"),
            Happened::Ok => Became::Done,
            Happened::Fail => Became::Failed,
            Happened::Refused => Became::Refused,
            Happened::Info => {
                state = ProcessState::Crashed(event.line);
                Became::Unsure
            }
        };
        // A write that is answered with `nil` is answered without saying what was written.
        let says = !matches!(event.datum, Datum::Missing | Datum::Nil);
        if op.asked.is_read() || (op.asked.brings_value() && says) {
            op.datum = event.datum;
        }
        self.states[process as usize] = state;
        Ok(())
    }
}

fn stretch(from: usize, until: usize) -> (u32, u32) {
    let short = |number: usize| u32::try_from(number).expect("fewer than 2^32 values in answers");
    (short(from), short(until - from))
}

/// Times are kept plus one, so that none takes no more room.
fn clock(time: Option<u64>) -> Option<NonZeroU64> {
    NonZeroU64::new(time?.wrapping_add(1))
}
