//! `history.edn`: the history as Jepsen records one, for its tools. A map a line, in event order.
//!
//! - `:index` numbers the lines from 0. `:time` is in nanoseconds.
//! - `:type` is `:invoke`, `:ok`, `:fail` or `:info`. An operation that is pending at the end has
//!   no completion.
//! - `:process` is the number of the client, from 0. A process whose operation ended as `:info` is
//!   crashed for ever, and its client goes on as a new one: as in Jepsen, the number grows by that
//!   of all clients.
//! - `:f` is `:read`, `:write`, `:append`, `:delete`, `:list`, `:read-all`, `:clear`, `:cas` or
//!   `:txn`. A get and a put have the names that the registers of Knossos know, which is enough for
//!   a run of these two.
//! - `:value` of an operation on one key is `[key value]`, as `jepsen.independent` writes it:
//!   EDN has no tuples, so whoever reads the file makes one of each such vector, as for Jepsen's
//!   own files. `:key` names the key once more, for tools that group by it. Whoever finds the key
//!   in both places knows that this is a map of keys: `splitbrain check` takes a read of `nil` as
//!   one of an absent key then. (Knossos takes it to say nothing.)
//! - A `:cas` is from one value to another, as in `["city" ["Rome" "Oslo"]]`; from `nil`: the key
//!   is expected to be absent. One that found something else is `:fail` with `:error :mismatch`,
//!   and `:found` is what it found.
//! - A batch is a `:txn`, as in Elle: its parts are `[:w key value]`, `[:r key value]`,
//!   `[:append key value]`, `[:delete key]` and `[:cas key [from to]]`, in their order.
//! - A list that was read is a vector. The keys that a `:list` finds are a set, and a `:read-all`
//!   finds a map.
//! - `:error` says why an operation ended as `:fail` or `:info`.
//! - `:version` of a completion is the greatest version that the operation read or was given. An
//!   operation that was given several on one key has none. Versions are the order that a checker
//!   tries first.
//! - An act of the nemesis is two lines in a row, `:start` or `:stop`, as Jepsen notes that it is
//!   asked and that it is done. The second has the act as `:value`. `:fault` is the fault's id.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::io;

use crate::history::{Entry, Failure, Function, History, HistoryEvent, KeyEffect, NemesisEvent};
use crate::id::{OpId, Version};
use crate::named::Named;
use crate::report::event_value::{EventValue, PartValue};
use crate::time::Time;

/// Writes `history` to `out`, in small pieces.
///
/// # Errors
///
/// When `out` does not take it.
pub fn write(history: &History, out: &mut impl io::Write) -> io::Result<()> {
    let retried = history.other_versions().iter().map(|(op, _)| history.whole(*op)).collect();
    let mut events = EdnEvents { history, retried, out, index: 0 };
    history.events().try_for_each(|event| match event {
        HistoryEvent::Invoke(op) => events.invocation(op),
        HistoryEvent::Complete(op) => events.completion(op),
        HistoryEvent::Nemesis(index) => events.act(&history.nemesis()[index]),
    })
}

/// Writes events.
struct EdnEvents<'a, W> {
    history: &'a History,
    /// The writes that were given several versions.
    retried: BTreeSet<OpId>,
    out: &'a mut W,
    /// How many lines there are.
    index: u64,
}

impl<W: io::Write> EdnEvents<'_, W> {
    fn invocation(&mut self, op: OpId) -> io::Result<()> {
        let entry = self.history.entry(op);
        self.operation(entry, entry.invoked_at, "invoke", &EventValue::asked(op, self.history))?;
        writeln!(self.out, "}}")
    }

    fn completion(&mut self, op: OpId) -> io::Result<()> {
        let entry = self.history.entry(op);
        let value = EventValue::answer(op, self.history);
        self.operation(entry, entry.completed_at, entry.status.name(), &value)?;
        if let Some(failure) = entry.failure {
            write!(self.out, ", :error :{}", failure.name())?;
        }
        if entry.failure == Some(Failure::Mismatch)
            && let Some((read, found)) = self.history.accesses_of(op).find(|(_, one)| one.is_ok())
        {
            let (elements, names) = (self.history.elements(read), self.history.names());
            write!(self.out, ", :found {}", EventValue::found(found.value, elements, names))?;
        }
        if let Some(version) = self.version(op) {
            write!(self.out, ", :version \"{version}\"")?;
        }
        writeln!(self.out, "}}")
    }

    /// The greatest version of an operation, unless it was tried again.
    fn version(&self, op: OpId) -> Option<Version> {
        let of_keys = self.history.effects(op).filter_map(|KeyEffect { version, .. }| version);
        of_keys.max().filter(|_| !self.retried.contains(&op))
    }

    /// The line of a client up to its value.
    fn operation(
        &mut self,
        entry: &Entry,
        at: Time,
        happened: &str,
        value: &EventValue<'_>,
    ) -> io::Result<()> {
        let clients = self.history.names().clients.len() as u64;
        let process = u64::from(entry.client.0) + u64::from(entry.incarnation) * clients;
        self.head(at, happened)?;
        write!(self.out, ":process {process}, :f :{}", word(entry.function))?;
        if entry.is_on_one_key() {
            let key = EdnText(self.history.names().key(entry.key));
            write!(self.out, ", :key {key}, :value [{key} {value}]")
        } else {
            write!(self.out, ", :value {value}")
        }
    }

    fn act(&mut self, act: &NemesisEvent) -> io::Result<()> {
        let f = if act.starts { "start" } else { "stop" };
        for value in [EventValue::Nil, EventValue::Text(act.what.clone())] {
            self.head(act.at, "info")?;
            write!(self.out, ":process :nemesis, :f :{f}, :value {value}")?;
            if let Some(fault) = act.fault {
                write!(self.out, ", :fault {}", EdnText(self.history.names().fault(fault)))?;
            }
            writeln!(self.out, "}}")?;
        }
        Ok(())
    }

    /// What every line begins with.
    fn head(&mut self, at: Time, happened: &str) -> io::Result<()> {
        let (index, time) = (self.index, at.nanos());
        self.index += 1;
        write!(self.out, "{{:index {index}, :time {time}, :type :{happened}, ")
    }
}

const fn word(function: Function) -> &'static str {
    match function {
        Function::Put => "write",
        Function::Get => "read",
        Function::Append => "append",
        Function::Delete => "delete",
        Function::List => "list",
        Function::ReadAll => "read-all",
        Function::Clear => "clear",
        Function::Cas => "cas",
        Function::Batch => "txn",
    }
}

impl fmt::Display for EventValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("nil"),
            Self::Text(text) => EdnText(text).fmt(f),
            Self::List(elements) => {
                let elements = elements.iter().map(|element| EdnText(element));
                Separated("[", elements, " ", "]").fmt(f)
            }
            Self::Vector(parts) => Separated("[", parts.iter(), " ", "]").fmt(f),
            Self::Parts(parts) => {
                let part = |part: &PartValue<'_>| {
                    let key = EdnText(part.key);
                    match part.function {
                        Function::Put => format!("[:w {key} {}]", part.value),
                        Function::Get => format!("[:r {key} {}]", part.value),
                        Function::Delete => format!("[:delete {key}]"),
                        other => format!("[:{} {key} {}]", word(other), part.value),
                    }
                };
                Separated("[", parts.iter().map(part), " ", "]").fmt(f)
            }
            Self::Keys(keys) => {
                Separated("#{", keys.iter().map(|key| EdnText(key)), " ", "}").fmt(f)
            }
            Self::Map(entries) => {
                let entry = |(key, value): &(&str, Self)| format!("{} {value}", EdnText(key));
                Separated("{", entries.iter().map(entry), ", ", "}").fmt(f)
            }
        }
    }
}

/// Parts with brackets around them and something between them.
struct Separated<P>(&'static str, P, &'static str, &'static str);

impl<P: Iterator<Item: fmt::Display> + Clone> fmt::Display for Separated<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(open, parts, between, close) = self;
        f.write_str(open)?;
        for (place, part) in parts.clone().enumerate() {
            let gap = if place == 0 { "" } else { between };
            write!(f, "{gap}{part}")?;
        }
        f.write_str(close)
    }
}

/// A string in quotes. What EDN has no escape for is in it as it is, but for control characters.
struct EdnText<'a>(&'a str);

impl fmt::Display for EdnText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for letter in self.0.chars() {
            match letter {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                control if control.is_ascii_control() => write!(f, "\\u{:04x}", control as u32)?,
                other => f.write_char(other)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Item, Process, Status};
    use crate::id::{ClientId, KeyId, Value};
    use crate::names::Names;
    use crate::operation::Operation;
    use crate::report::sample;

    fn text(history: &History) -> String {
        let mut out = Vec::new();
        write(history, &mut out).expect("a vector takes it");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_run_is_told_line_by_line() {
        let (_, result) = sample::run();
        let expected = [
            (1_000_000, "invoke", "0", r#":write, :key "city", :value ["city" "Raleigh"]"#),
            (
                101_000_000,
                "ok",
                "0",
                r#":write, :key "city", :value ["city" "Raleigh"], :version "0.001000000@n1#1""#,
            ),
            (10_000_000_000, "info", ":nemesis", r#":start, :value nil, :fault "split""#),
            (
                10_000_000_000,
                "info",
                ":nemesis",
                r#":start, :value "partition n1 | n2 n3", :fault "split""#,
            ),
            (10_100_000_000, "invoke", "1", r#":read, :key "city", :value ["city" nil]"#),
            (
                10_150_000_000,
                "info",
                "1",
                r#":read, :key "city", :value ["city" nil], :error :timeout"#,
            ),
            (10_200_000_000, "invoke", "0", r#":write, :key "city", :value ["city" "Raleigh"]"#),
            (
                10_250_000_000,
                "fail",
                "0",
                r#":write, :key "city", :value ["city" "Raleigh"], :error :not-leader"#,
            ),
            (10_300_000_000, "invoke", "0", ":list, :value nil"),
            (10_350_000_000, "ok", "0", r#":list, :value #{"city"}"#),
            (10_400_000_000, "invoke", "0", ":read-all, :value nil"),
            (
                10_450_000_000,
                "ok",
                "0",
                r#":read-all, :value {"city" "Raleigh"}, :version "0.001000000@n1#1""#,
            ),
            (15_000_000_000, "info", ":nemesis", r#":stop, :value nil, :fault "split""#),
            (
                15_000_000_000,
                "info",
                ":nemesis",
                r#":stop, :value "partition n1 | n2 n3", :fault "split""#,
            ),
            // Of two clients the second, whose first process has crashed.
            (15_100_000_000, "invoke", "3", r#":read, :key "city", :value ["city" nil]"#),
        ];
        let line = |(index, (time, happened, process, f)): (usize, (u64, &str, &str, &str))| {
            let head = format!("{{:index {index}, :time {time}, :type :{happened}, ");
            format!("{head}:process {process}, :f {f}}}\n")
        };
        let expected: String = expected.into_iter().enumerate().map(line).collect();
        assert_eq!(text(&result.history), expected);
    }

    #[test]
    fn lists_are_vectors_keys_are_sets_and_strings_are_escaped() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let names = Names {
            keys: texts(&["a \"b\"", "c"]),
            values: texts(&["back\\slash", "line\nfeed\t\u{1}", "\u{e9}}"]),
            clients: texts(&["c1"]),
            ..Names::default()
        };
        let mut history = History::with_capacity(8, names.into());
        let (at, process) = (Time::ZERO, Process::first(ClientId(0)));
        let elements: Box<[Value]> = [0, 1].map(Value::text).into();
        let version = Version { timestamp: 7, node: crate::id::NodeId(0), sequence: 1 };
        let key = KeyId(0);
        let mut invoke = |operation| {
            let op = history.invoke(at, at, process, operation);
            history.complete(op, at, Status::Ok, |_| {});
            op
        };
        invoke(Operation::Put { key, value: Value::text(2), quorum: None });
        let append = invoke(Operation::Append { key, value: Value::text(1), quorum: None });
        let get = invoke(Operation::Get { key, quorum: None });
        let list = invoke(Operation::List);
        let all = invoke(Operation::ReadAll);
        let clear = invoke(Operation::Clear);
        history.accept(append, version);
        history.accept(append, Version { timestamp: 8, ..version });
        history.set_elements(get, elements.clone());
        let item = |key, value, elements| Item { key, value, version: None, elements };
        history.set_contents(list, [0, 1].map(|key| item(KeyId(key), None, None)).into());
        let list_of_two = item(key, Some(Value::text(1)), Some(elements));
        let single = item(KeyId(1), Some(Value::text(2)), None);
        history.set_contents(all, [list_of_two, single].into());
        history.accept_clear(clear, key, version);
        let text = text(&history);
        let answers = text.lines().skip(1).step_by(2).map(|line| {
            let (_, f) = line.split_once(":f ").expect("a function");
            f.replace(r#", :key "a \"b\"""#, "")
        });
        let expected = [
            r#":write, :value ["a \"b\"" "é}"]}"#,
            r#":append, :value ["a \"b\"" "line\nfeed\t\u0001"]}"#,
            r#":read, :value ["a \"b\"" ["back\\slash" "line\nfeed\t\u0001"]]}"#,
            r#":list, :value #{"a \"b\"" "c"}}"#,
            r#":read-all, :value {"a \"b\"" ["back\\slash" "line\nfeed\t\u0001"], "c" "é}"}}"#,
            r#":clear, :value nil, :version "0.000000007@n1#1"}"#,
        ];
        assert_eq!(answers.collect::<Vec<_>>(), expected);
    }
}
