//! `history.jsonl`: the invocations and completions of all operations, a line each, in event order.
//!
//! Every line has the keys `time_ns`, `event`, `process`, `op`, `f`, `key`, `value`, `version`,
//! `node`, `degraded` and `error`, in that order; `null` if there is no value:
//!
//! - `event` is `invoke`, or how the operation completed: `ok` (it happened), `fail` (it did not,
//!   and never will), `info` (unknown). An operation that is pending at the end has no second line.
//! - `process` is the client's name. A process whose operation ended unknown cannot invoke another,
//!   so the client continues as `c1#1`, `c1#2` ..
//! - `op` numbers the operations by invocation, from 0. Witnesses refer to it.
//! - `value` is the value written or found. It is an array of keys for `list`, an object for
//!   `read-all`, an array of elements for a list that was read. Of a `cas` it is what is expected
//!   (`null`: that the key is absent) and what is put, as in `["Rome", "Oslo"]`. Of a `batch` it is
//!   an array of its parts, each with `f`, `key`, `value` and `version`.
//! - `version` is `timestamp@node#sequence`. A write has one when a node accepted it, even if its
//!   client never learned of that. A get that found nothing has one when it found a tombstone.
//! - `node` is the node that answered. `degraded` says whether a write was answered with fewer
//!   acknowledgements than it asked for.
//!
//! These keys are there only if they apply:
//!
//! - `due_ns`: an invocation was due at this earlier time; latency counts from there.
//! - `contested`: a list of `node`, `accepted_ns` and `answered_ns`, of a write that a node
//!   accepted and answered with ok while another node led, too. The client may not have got the
//!   answer.
//! - `confirmations`: followers that acknowledged, as in `"2 of 5"`.
//! - `existed`: whether a deleted key existed.
//! - `leader`: the leader that a refusal named.
//! - `written_by`: the operations that wrote what a read found, or that removed it where it found a
//!   tombstone, shaped as `value` is. Versions do
//!   not identify them: two writes may have the same version.
//! - `versions`: of a read of everything, the version of each key.
//! - `found`: of a `cas` that failed with `mismatch`, what the key held instead: `value`, `version`
//!   and `written_by`, as of a get. So of a `batch` with a `cas`, with the `key`, unless the batch
//!   had put that itself.
//! - `over`: of a put, delete, append or cas, the operations that had written what the key held
//!   when a node accepted it; one for each attempt. It is null for an absent key, and a list of
//!   candidates if they cannot be distinguished (the same text, read back from a disk). Not there
//!   if the protocol does not report it.
//! - `attempts`: of a write that was accepted more than once, the other versions.
//! - `cleared`: of a clear, the keys that it removed, each with the versions of its removal.
//!
//! An act of the nemesis has process `nemesis`, event `info`, `start` or `end` as `f`, the act as
//! `value`, and the id of its fault as `fault`.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;
use serde_json::Value as Json;

use crate::history::{
    ContestedWrite, Entry, Failure, Function, History, HistoryEvent, Item, KeyContent, KeyEffect,
    NemesisEvent, Status, Writers,
};
use crate::id::{NodeId, OpId, Value, Version};
use crate::named::Named;
use crate::names::Names;
use crate::report::event_value::EventValue;

/// How much text is collected before it is written, in bytes.
const CHUNK: usize = 64 * 1024;

/// One line.
#[derive(Default, Serialize)]
struct EventLine<'a> {
    time_ns: u64,
    event: &'static str,
    process: &'a str,
    op: Option<u32>,
    f: &'static str,
    key: Option<&'a str>,
    value: EventValue<'a>,
    version: Option<Shown<Version>>,
    node: Option<Shown<NodeId>>,
    degraded: Option<bool>,
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due_ns: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contested: Vec<Contested>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmations: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    existed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leader: Option<Shown<NodeId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    written_by: Option<Json>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    versions: BTreeMap<&'a str, Shown<Version>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<Box<FoundInstead<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    over: Option<Json>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attempts: Vec<Shown<Version>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    cleared: BTreeMap<&'a str, Vec<Shown<Version>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'a str>,
}

/// What few operations have, by operation. The line of the completion takes it.
#[derive(Default)]
struct Besides {
    contested: BTreeMap<OpId, Vec<Contested>>,
    attempts: BTreeMap<OpId, Vec<Shown<Version>>>,
}

impl Besides {
    fn of(history: &History) -> Self {
        let mut besides = Self::default();
        for ContestedWrite { op, node, accepted_at, answered_at } in history.contested() {
            let (accepted_ns, answered_ns) = (accepted_at.nanos(), answered_at.nanos());
            let one = Contested { node: Shown(*node), accepted_ns, answered_ns };
            besides.contested.entry(*op).or_default().push(one);
        }
        for (op, version) in history.other_versions() {
            let attempts = besides.attempts.entry(history.whole(*op)).or_default();
            attempts.push(Shown(*version));
        }
        besides
    }
}

/// What a compare-and-set found that it did not expect.
#[derive(Serialize)]
struct FoundInstead<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    value: EventValue<'a>,
    version: Option<Shown<Version>>,
    written_by: Option<Json>,
}

/// What a node did with a write while it and another led.
#[derive(Serialize)]
struct Contested {
    node: Shown<NodeId>,
    accepted_ns: u64,
    answered_ns: u64,
}

/// A value that is serialized as its text.
struct Shown<T>(T);

impl<T: std::fmt::Display> Serialize for Shown<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Writes `history` to `out`.
///
/// # Errors
///
/// When `out` does not take it.
pub fn write(history: &History, out: &mut impl io::Write) -> io::Result<()> {
    let (names, writers) = (history.names(), Writers::of(history));
    let mut text = Vec::with_capacity(CHUNK + 1024);
    let mut process = String::new();
    let mut besides = Besides::of(history);
    for event in history.events() {
        let line = match event {
            HistoryEvent::Invoke(op) => {
                let entry = history.entry(op);
                name_process(entry, names, &mut process);
                invocation(op, history, &process)
            }
            HistoryEvent::Complete(op) => {
                let entry = history.entry(op);
                name_process(entry, names, &mut process);
                EventLine {
                    contested: besides.contested.remove(&op).unwrap_or_default(),
                    attempts: besides.attempts.remove(&op).unwrap_or_default(),
                    ..completion(op, entry, history, &writers, &process)
                }
            }
            HistoryEvent::Nemesis(index) => act(&history.nemesis()[index], names),
        };
        serde_json::to_writer(&mut text, &line)?;
        text.push(b'\n');
        if text.len() >= CHUNK {
            out.write_all(&text)?;
            text.clear();
        }
    }
    out.write_all(&text)
}

fn name_process(entry: &Entry, names: &Names, process: &mut String) {
    process.clear();
    process.push_str(names.client(entry.client));
    if entry.incarnation > 0 {
        process.push('#');
        process.push_str(&entry.incarnation.to_string());
    }
}

fn invocation<'a>(op: OpId, history: &'a History, process: &'a str) -> EventLine<'a> {
    let (entry, names) = (history.entry(op), history.names());
    EventLine {
        time_ns: entry.invoked_at.nanos(),
        event: "invoke",
        process,
        op: Some(op.0),
        f: entry.function.name(),
        key: key_of(entry, names),
        value: EventValue::asked(op, history),
        due_ns: Some(history.due_at(op))
            .filter(|due| *due != entry.invoked_at)
            .map(|due| due.nanos()),
        ..EventLine::default()
    }
}

fn completion<'a>(
    op: OpId,
    entry: &Entry,
    history: &'a History,
    writers: &Writers<'_>,
    process: &'a str,
) -> EventLine<'a> {
    let (names, contents) = (history.names(), history.contents(op));
    let confirmations =
        (entry.followers > 0).then(|| format!("{} of {}", entry.acknowledgements, entry.followers));
    EventLine {
        time_ns: entry.completed_at.nanos(),
        event: entry.status.name(),
        process,
        op: Some(op.0),
        f: entry.function.name(),
        key: key_of(entry, names),
        value: EventValue::answer(op, history),
        version: entry.version.map(Shown),
        node: entry.node.map(Shown),
        degraded: (entry.is_write() && entry.status == Status::Ok).then_some(entry.degraded),
        error: error(entry),
        confirmations,
        existed: entry.existed,
        leader: entry.leader.map(Shown),
        written_by: written_by(op, history, writers),
        found: found_instead(op, history, writers).map(Box::new),
        versions: contents.map(|items| versions(items, names)).unwrap_or_default(),
        over: over(op, entry, history, writers),
        cleared: cleared(op, history),
        ..EventLine::default()
    }
}

/// What a compare-and-set found that failed because of it.
fn found_instead<'a>(
    op: OpId,
    history: &'a History,
    writers: &Writers<'_>,
) -> Option<FoundInstead<'a>> {
    let cas = history.entry(op);
    if cas.failure != Some(Failure::Mismatch) {
        return None;
    }
    let (read, entry) = history.accesses_of(op).find(|(_, access)| access.is_ok())?;
    let value = EventValue::found(entry.value, history.elements(read), history.names());
    let written_by = written_by(read, history, writers);
    let key = (cas.function == Function::Batch).then(|| history.names().key(entry.key));
    Some(FoundInstead { key, value, version: entry.version.map(Shown), written_by })
}

/// The operations that wrote what a read found, in the shape of its value.
fn written_by(op: OpId, history: &History, writers: &Writers<'_>) -> Option<Json> {
    let (entry, names) = (history.entry(op), history.names());
    let number = |op: OpId| history.whole(op).0;
    let by = |effect: KeyEffect<'_>| -> Option<Json> {
        let of_element = |value: &Value| -> Json {
            writers.found_element(entry, effect.key, *value).map(number).into()
        };
        match effect.found()? {
            content @ (KeyContent::Value(_) | KeyContent::Tombstone) => {
                let writer = writers.found(entry, effect.key, content.value(), effect.version?);
                Some(writer.map(number).into())
            }
            KeyContent::List { elements, .. } => Some(elements.iter().map(of_element).collect()),
            KeyContent::Key | KeyContent::Nothing => None,
        }
    };
    let mut effects = history.effects(op);
    match entry.function {
        Function::ReadAll if history.contents(op).is_some() => {
            let by = |effect: KeyEffect<'_>| Some((names.key(effect.key).to_owned(), by(effect)?));
            Some(Json::Object(effects.filter_map(by).collect()))
        }
        Function::Get => effects.next().and_then(by),
        Function::Put
        | Function::Delete
        | Function::List
        | Function::ReadAll
        | Function::Clear
        | Function::Append
        | Function::Cas
        | Function::Batch => None,
    }
}

/// The keys that a clear removed, each with the versions of its removal.
fn cleared(op: OpId, history: &History) -> BTreeMap<&str, Vec<Shown<Version>>> {
    let names = history.names();
    let mut cleared: BTreeMap<_, Vec<_>> = BTreeMap::new();
    if history.entry(op).function == Function::Clear {
        for KeyEffect { key, version, .. } in history.effects(op) {
            cleared.entry(names.key(key)).or_default().extend(version.map(Shown));
        }
    }
    cleared
}

/// The versions that a read of everything found. A list of keys has none.
fn versions<'a>(items: &[Item], names: &'a Names) -> BTreeMap<&'a str, Shown<Version>> {
    let version = |item: &Item| Some((names.key(item.key), Shown(item.version?)));
    items.iter().filter_map(version).collect()
}

/// The operations whose values a write replaced, one for each attempt.
fn over(op: OpId, entry: &Entry, history: &History, writers: &Writers<'_>) -> Option<Json> {
    if !entry.is_write()
        || !entry.is_on_one_key()
        || entry.version.is_none()
        || !history.tells_over()
    {
        return None;
    }
    let over = |value: Option<Value>| -> Json {
        let writers = value.map(|value| writers.candidates_under(entry, value));
        let mut writers = writers.into_iter().flatten().map(|op| history.whole(op).0);
        match (writers.next(), writers.next()) {
            (first, None) => first.into(),
            (Some(first), Some(second)) => [first, second].into_iter().chain(writers).collect(),
            (None, Some(_)) => Json::Null,
        }
    };
    Some(history.over(op).map(over).collect())
}

/// Why an operation did not complete ok, or what an ok answer lacks.
fn error(entry: &Entry) -> Option<&'static str> {
    if entry.is_not_yet_replicated() {
        return Some("not-yet-replicated");
    }
    entry.failure.map(Failure::name)
}

fn act<'a>(act: &'a NemesisEvent, names: &'a Names) -> EventLine<'a> {
    EventLine {
        time_ns: act.at.nanos(),
        event: "info",
        process: "nemesis",
        f: if act.starts { "start" } else { "end" },
        value: EventValue::Text(act.what.clone()),
        fault: act.fault.map(|id| names.fault(id)),
        ..EventLine::default()
    }
}

fn key_of<'a>(entry: &Entry, names: &'a Names) -> Option<&'a str> {
    entry.is_on_one_key().then(|| names.key(entry.key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Over, Process, ReadAnswer};
    use crate::id::{ClientId, KeyId};
    use crate::operation::{Batches, Operation};
    use crate::report::sample;
    use crate::time::Time;

    #[test]
    fn every_kind_of_line_is_as_documented() {
        let (_, result) = sample::run();
        let mut out = Vec::new();
        write(&result.history, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let put = r#""op":0,"f":"put","key":"city","value":"Raleigh""#;
        let nothing = r#""version":null,"node":null,"degraded":null,"error":null"#;
        assert_eq!(
            lines[0],
            format!(r#"{{"time_ns":1000000,"event":"invoke","process":"c1",{put},{nothing}}}"#)
        );
        let answer = r#""version":"0.001000000@n1#1","node":"n1","degraded":false,"error":null"#;
        let extra = r#""confirmations":"1 of 2","over":[null]"#;
        let ok = r#""time_ns":101000000,"event":"ok","process":"c1""#;
        assert_eq!(lines[1], format!("{{{ok},{put},{answer},{extra}}}"));
        let act = r#""time_ns":10000000000,"event":"info","process":"nemesis","op":null"#;
        let partition = r#""f":"start","key":null,"value":"partition n1 | n2 n3""#;
        assert_eq!(lines[2], format!(r#"{{{act},{partition},{nothing},"fault":"split"}}"#));
        let find = |part: &str| *lines.iter().find(|line| line.contains(part)).unwrap();
        assert!(find(r#""f":"list","key":null,"value":["city"]"#).contains(r#""event":"ok""#));
        assert!(find(r#""f":"read-all""#).contains(r#""event":"invoke""#));
        assert!(find(r#""value":{"city":"Raleigh"}"#).contains(r#""event":"ok""#));
        assert!(find(r#""error":"timeout""#).contains(r#""process":"c2""#));
        assert!(find(r#""process":"c2#1""#).contains(r#""event":"invoke""#));
        assert!(find(r#""error":"not-leader""#).ends_with(r#""leader":"n1"}"#));
        assert!(find(r#""due_ns":"#).contains(r#""event":"invoke""#));
        for line in lines {
            let line: Json = serde_json::from_str(line).unwrap();
            let keys: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
            let fixed = "time_ns event process op f key value version node degraded error";
            assert!(keys.join(" ").starts_with(fixed));
        }
    }

    #[test]
    fn a_get_of_a_tombstone_names_its_version_and_the_delete() {
        use crate::time::Time;
        let mut history = History::with_capacity(2, sample::names());
        let (at, process, key) = (Time::ZERO, Process::first(ClientId(0)), KeyId(0));
        let version = Version { timestamp: 7, node: NodeId(0), sequence: 1 };
        let delete = history.invoke(at, at, process, Operation::Delete { key, quorum: None });
        history.accept(delete, version);
        history.complete(delete, at, Status::Ok, |_| {});
        let get = history.invoke(at, at, process, Operation::Get { key, quorum: None });
        history.complete(get, at, Status::Ok, |entry| entry.version = Some(version));
        let mut out = Vec::new();
        write(&history, &mut out).unwrap();
        let last: Json =
            serde_json::from_str(str::from_utf8(&out).unwrap().lines().last().unwrap())
                .expect("a line is JSON");
        let said = (&last["value"], &last["version"], &last["written_by"]);
        assert_eq!(said, (&Json::Null, &"0.000000007@n1#1".into(), &0.into()));
    }

    #[test]
    fn a_read_that_found_nothing_where_the_leader_was_named_says_so() {
        let mut history = History::with_capacity(2, sample::names());
        for leader in [Some(NodeId(0)), None] {
            let get = Operation::Get { key: KeyId(0), quorum: None };
            let at = Time::ZERO;
            let op = history.invoke(at, at, Process::first(ClientId(0)), get);
            history.complete(op, at, Status::Ok, |entry| entry.leader = leader);
        }
        let mut out = Vec::new();
        write(&history, &mut out).unwrap();
        let errors: Vec<Json> = String::from_utf8(out)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str::<Json>(line).unwrap()["error"].clone())
            .collect();
        let said = Json::String("not-yet-replicated".to_owned());
        assert_eq!(errors, [Json::Null, said, Json::Null, Json::Null]);
    }

    #[test]
    fn a_compare_and_set_and_a_batch_are_told_with_what_they_found() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let names = Names {
            keys: texts(&["city", "river"]),
            values: texts(&["Rome", "Oslo"]),
            clients: texts(&["c1"]),
            ..Names::default()
        };
        let (city, river) = (KeyId(0), KeyId(1));
        let (rome, oslo) = (Value::text(0), Value::text(1));
        let parts = [
            Operation::Put { key: river, value: rome, quorum: None },
            Operation::Get { key: city, quorum: None },
            Operation::Cas { key: city, from: None, to: oslo },
        ];
        let batch = Batches::default().intern(parts.into());
        let mut history = History::with_capacity(8, names.into());
        let (at, process) = (Time::ZERO, Process::first(ClientId(0)));
        let version = |sequence| Version { timestamp: 0, node: NodeId(0), sequence };
        let put = history.invoke(
            at,
            at,
            process,
            Operation::Put { key: city, value: rome, quorum: None },
        );
        history.accept(put, version(1));
        history.complete(put, at, Status::Ok, |_| {});
        let cas = Operation::Cas { key: city, from: Some(oslo), to: rome };
        let found = |sequence| ReadAnswer {
            value: Some(rome),
            version: Some(version(sequence)),
            elements: None,
        };
        let mismatch = |entry: &mut Entry| entry.failure = Some(Failure::Mismatch);
        let cas = history.invoke(at, at, process, cas);
        history.complete(cas, at, Status::Fail, mismatch);
        history.mismatched(cas, 0, found(1));
        let refused = history.invoke_batch(at, at, process, batch, &parts);
        history.complete(refused, at, Status::Fail, mismatch);
        history.mismatched(refused, 2, found(1));
        let done = history.invoke_batch(at, at, process, batch, &parts);
        for (key, sequence) in [(river, 2), (city, 3)] {
            history.accept_on(done, key, version(sequence), Over::Nothing);
        }
        history.complete(done, at, Status::Ok, |_| {});
        let mut out = Vec::new();
        write(&history, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let says = |line: usize, part: &str| assert!(lines[line].contains(part), "{}", lines[line]);
        says(2, r#""f":"cas","key":"city","value":["Oslo","Rome"],"version":null"#);
        says(3, r#""error":"mismatch""#);
        says(3, r#""found":{"value":"Rome","version":"0.000000000@n1#1","written_by":0}"#);
        let asked = r#""f":"batch","key":null,"value":[{"f":"put","key":"river","value":"Rome","#;
        says(4, asked);
        says(4, r#"{"f":"get","key":"city","value":null,"version":null}"#);
        says(4, r#"{"f":"cas","key":"city","value":[null,"Oslo"],"version":null}"#);
        says(5, r#""found":{"key":"city","value":"Rome","#);
        says(7, r#"{"f":"put","key":"river","value":"Rome","version":"0.000000000@n1#2"}"#);
        says(7, r#"{"f":"cas","key":"city","value":[null,"Oslo"],"version":"0.000000000@n1#3"}"#);
        let mut out = Vec::new();
        crate::report::edn::write(&history, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let says = |line: usize, part: &str| assert!(lines[line].contains(part), "{}", lines[line]);
        says(3, r#":f :cas, :key "city", :value ["city" ["Oslo" "Rome"]], :error :mismatch, "#);
        says(3, r#":found "Rome""#);
        says(6, r#":f :txn, :value [[:w "river" "Rome"] [:r "city" nil] [:cas "city" [nil "#);
    }
}
