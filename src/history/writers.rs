//! Which operation wrote what a replica holds or a read found.
//!
//! Two writes may have the same version: a leader without a log counts from the beginning after a
//! restart, and a coarse clock gives one timestamp twice. A write is therefore identified by the
//! operation that its value carries ([`Value`]). A value that carries none was read from a disk or
//! made by a protocol. Its write is looked up by key, version and text, then by key and text. A
//! removal has no value and is identified by its version alone. Where several operations fit, the
//! one that may take effect last is chosen: it is the weakest evidence.

use std::cell::OnceCell;

use crate::id::{ClientId, KeyId, OpId, Value, ValueKind, Version};

use super::{Entry, Function, History};

/// Finds the operations of a history by what they wrote.
#[derive(Debug)]
pub struct Writers<'a> {
    history: &'a History,
    made: OnceCell<Made>,
    /// By key and version.
    versions: OnceCell<Vec<(KeyId, Version, OpId)>>,
    /// The deletes and clears of `versions`. Most runs have few.
    removals: OnceCell<Vec<(KeyId, Version, OpId)>>,
    /// By key and text.
    texts: OnceCell<Vec<(KeyId, Value, OpId)>>,
}

/// The operation behind each made value, by client and by the client's operation index.
#[derive(Debug)]
struct Made {
    /// Where each client's operations begin in `by`. Arrivals come last.
    from: Vec<u32>,
    /// [`Made::NONE`] where the operation made no value.
    by: Vec<OpId>,
}

impl Made {
    const NONE: OpId = OpId(u32::MAX);

    fn of(history: &History) -> Self {
        let made = || {
            let writes = history.accesses().filter(|(_, entry)| leaves_value(entry.function));
            writes.filter_map(|(op, entry)| match entry.value?.kind() {
                ValueKind::Made(client, index) => Some((op, client, index as usize)),
                ValueKind::Text(_) => None,
            })
        };
        // One more than the highest operation index of each client that made a value.
        let (mut counts, mut of_arrivals): (Vec<u32>, u32) = (Vec::new(), 0);
        for (_, client, index) in made() {
            let client = client.0 as usize;
            let count = if client == ClientId::ARRIVALS.0 as usize {
                &mut of_arrivals
            } else {
                if counts.len() <= client {
                    counts.resize(client + 1, 0);
                }
                &mut counts[client]
            };
            *count = (*count).max(index as u32 + 1);
        }
        let arrivals = counts.len();
        let place = |client: ClientId| (client.0 as usize).min(arrivals);
        counts.push(of_arrivals);
        let mut from = vec![0; arrivals + 2];
        for (client, count) in counts.into_iter().enumerate() {
            from[client + 1] = from[client] + count;
        }
        let mut by = vec![Self::NONE; from[arrivals + 1] as usize];
        for (op, client, index) in made() {
            by[from[place(client)] as usize + index] = op;
        }
        Self { from, by }
    }

    fn get(&self, client: ClientId, index: u32) -> Option<OpId> {
        let place = (client.0 as usize).min(self.from.len() - 2);
        let of_client = &self.by[self.from[place] as usize..self.from[place + 1] as usize];
        of_client.get(index as usize).copied().filter(|op| *op != Self::NONE)
    }
}

impl<'a> Writers<'a> {
    /// The writers of `history`. Each index is built when it is first needed.
    #[must_use]
    pub fn of(history: &'a History) -> Self {
        let (versions, removals) = (OnceCell::new(), OnceCell::new());
        Self { history, made: OnceCell::new(), versions, removals, texts: OnceCell::new() }
    }

    /// The history that they wrote.
    #[must_use]
    pub const fn history(&self) -> &'a History {
        self.history
    }

    /// The operation that wrote `value` to `key` as `version`, or removed the key where `value` is
    /// `None`. `None` when no operation did.
    #[must_use]
    pub fn writer(&self, key: KeyId, value: Option<Value>, version: Version) -> Option<OpId> {
        let Some(value) = value else { return self.remover(key, version, |_| true) };
        self.among((key, value, Some(version)), |_| true)
    }

    /// The operation that wrote the `value` that the completed read `read` found, or removed the
    /// key where it found a tombstone. It was invoked before the read completed.
    #[must_use]
    pub fn found(
        &self,
        read: &Entry,
        key: KeyId,
        value: Option<Value>,
        version: Version,
    ) -> Option<OpId> {
        let was_invoked = |write: &Entry| write.invoked_seq < read.completed_seq;
        match value {
            Some(value) => self.among((key, value, Some(version)), was_invoked),
            None => self.remover(key, version, was_invoked),
        }
    }

    /// The operation that appended the element `value` that the completed read `read` found in a
    /// list. It was invoked before the read completed.
    #[must_use]
    pub fn found_element(&self, read: &Entry, key: KeyId, value: Value) -> Option<OpId> {
        let until = read.completed_seq;
        let appended =
            |write: &Entry| write.function == Function::Append && write.invoked_seq < until;
        self.among((key, value, None), appended)
    }

    /// The operation that wrote the `value` that the access `read` found, when nobody told it the
    /// version: of several the one that may take effect last.
    #[must_use]
    pub fn expected(&self, read: &Entry, key: KeyId, value: Value) -> Option<OpId> {
        let until = read.completed_seq;
        self.among((key, value, None), |write| write.invoked_seq < until)
    }

    /// The write of `value` to `key` among those that are possible. A version narrows the choice.
    fn among(
        &self,
        (key, value, version): (KeyId, Value, Option<Version>),
        is_possible: impl Fn(&Entry) -> bool,
    ) -> Option<OpId> {
        let wrote = |op: &OpId| {
            let entry = self.history.entry(*op);
            let is_it = entry.key == key && entry.value == Some(value);
            is_it && leaves_value(entry.function) && is_possible(entry)
        };
        let of_text = || {
            let texts = self.texts();
            let from = texts.partition_point(|(k, v, _)| (*k, *v) < (key, value));
            let of_text = texts[from..].iter().take_while(|t| (t.0, t.1) == (key, value));
            self.latest(of_text.map(|(.., op)| *op).filter(wrote))
        };
        match (value.kind(), value.writer()) {
            (ValueKind::Made(client, index), _) => {
                let op = self.made().get(client, index)?;
                // A batch may have put the value on several keys.
                Some(op).filter(wrote).or_else(|| {
                    let whole = self.history.whole(op);
                    self.history.accesses_of(whole).map(|(access, _)| access).find(wrote)
                })
            }
            (ValueKind::Text(_), Some(op)) => Some(op).filter(wrote),
            (ValueKind::Text(_), None) => {
                let of_version = |version| self.latest(self.of_version(key, version).filter(wrote));
                version.and_then(of_version).or_else(of_text)
            }
        }
    }

    /// Every operation that may have written `value` to `key`: the one that the value carries, or
    /// else all that wrote this text.
    pub fn candidates(&self, key: KeyId, value: Value) -> impl Iterator<Item = OpId> + '_ {
        let is_known = value.writer().is_some() || matches!(value.kind(), ValueKind::Made(..));
        let known = is_known.then(|| self.writer(key, Some(value), Version::default())).flatten();
        let texts = if is_known { &[] } else { self.texts() };
        let from = texts.partition_point(|(k, v, _)| (*k, *v) < (key, value));
        let of_text = texts[from..].iter().take_while(move |t| (t.0, t.1) == (key, value));
        known.into_iter().chain(of_text.map(|(.., op)| *op))
    }

    /// Every operation that may have written `value` to `key` as `version`: the one that the value
    /// carries, or else all that wrote this text with this version, or if none did, all that wrote
    /// this text.
    pub fn candidates_of(
        &self,
        key: KeyId,
        value: Value,
        version: Version,
    ) -> impl Iterator<Item = OpId> + '_ {
        let is_known = value.writer().is_some() || matches!(value.kind(), ValueKind::Made(..));
        let wrote = move |op: &OpId| {
            let entry = self.history.entry(*op);
            entry.value == Some(value) && leaves_value(entry.function)
        };
        let of_version = (!is_known).then(|| self.of_version(key, version).filter(wrote));
        let mut of_version = of_version.into_iter().flatten().peekable();
        let all = of_version.peek().is_none().then(|| self.candidates(key, value));
        of_version.chain(all.into_iter().flatten())
    }

    /// Every operation that may have written the `value` that the write `entry` replaced. Each was
    /// invoked before [`Entry::end`] of `entry`.
    pub fn candidates_under<'b>(
        &'b self,
        entry: &'b Entry,
        value: Value,
    ) -> impl Iterator<Item = OpId> + 'b {
        let until = entry.end();
        self.candidates(entry.key, value)
            .filter(move |op| self.history.entry(*op).invoked_seq < until)
    }

    /// The delete or clear that removed `key` with this version, among those that are possible.
    fn remover(
        &self,
        key: KeyId,
        version: Version,
        is_possible: impl Fn(&Entry) -> bool,
    ) -> Option<OpId> {
        let removals = self.removals.get_or_init(|| self.by_version(removes));
        let removed = with(removals, key, version);
        self.latest(removed.filter(|op| is_possible(self.history.entry(*op))))
    }

    fn latest(&self, ops: impl Iterator<Item = OpId>) -> Option<OpId> {
        ops.max_by_key(|op| {
            let entry = self.history.entry(*op);
            (entry.may_have_happened(), entry.end())
        })
    }

    /// Every write of `key` that was given `version`.
    pub fn of_version(&self, key: KeyId, version: Version) -> impl Iterator<Item = OpId> + '_ {
        let is_write = |function| leaves_value(function) || removes(function);
        with(self.versions.get_or_init(|| self.by_version(is_write)), key, version)
    }

    /// The writes of the `wanted` functions, sorted by key and version.
    fn by_version(&self, wanted: impl Fn(Function) -> bool) -> Vec<(KeyId, Version, OpId)> {
        let history = self.history;
        let given = |(op, _): (OpId, &Entry)| {
            let versions = history.effects(op).map(move |effect| (effect.key, effect.version, op));
            versions.filter_map(|(key, version, op)| Some((key, version?, op)))
        };
        let writes = history.accesses().filter(|(_, entry)| wanted(entry.function));
        let mut versions: Vec<_> = writes.flat_map(given).collect();
        for (op, version) in history.other_versions() {
            let entry = history.entry(*op);
            if wanted(entry.function) {
                versions.push((entry.key, *version, *op));
            }
        }
        versions.sort_unstable();
        versions
    }

    fn texts(&self) -> &[(KeyId, Value, OpId)] {
        self.texts.get_or_init(|| {
            let writes = self.history.accesses().filter(|(_, entry)| leaves_value(entry.function));
            let text = |(op, entry): (OpId, &Entry)| Some((entry.key, entry.value?, op));
            let mut texts: Vec<_> = writes.filter_map(text).collect();
            texts.sort_unstable();
            texts
        })
    }

    fn made(&self) -> &Made {
        self.made.get_or_init(|| Made::of(self.history))
    }
}

/// The operations in the sorted `versions` that have this key and version.
fn with(
    versions: &[(KeyId, Version, OpId)],
    key: KeyId,
    version: Version,
) -> impl Iterator<Item = OpId> + '_ {
    let from = versions.partition_point(|(k, v, _)| (*k, *v) < (key, version));
    let same = move |(k, v, _): &&(KeyId, Version, OpId)| (*k, *v) == (key, version);
    versions[from..].iter().take_while(same).map(|(.., op)| *op)
}

const fn removes(function: Function) -> bool {
    matches!(function, Function::Delete | Function::Clear)
}

const fn leaves_value(function: Function) -> bool {
    matches!(function, Function::Put | Function::Append)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Process, Status};
    use crate::id::NodeId;
    use crate::operation::Operation;
    use crate::time::Time;

    const KEY: KeyId = KeyId(3);

    fn version(timestamp: i64) -> Version {
        Version { timestamp, node: NodeId(0), sequence: 1 }
    }

    /// Invokes, gives a version, and completes.
    fn record(history: &mut History, operation: Operation, stamp: i64, status: Status) -> OpId {
        let at = Time::ZERO;
        let op = history.invoke(at, at, Process::first(ClientId(0)), operation);
        history.accept(op, version(stamp));
        if status != Status::Pending {
            history.complete(op, at, status, |_| {});
        }
        op
    }

    fn put(value: Value) -> Operation {
        Operation::Put { key: KEY, value, quorum: None }
    }

    #[test]
    fn writes_of_one_version_are_told_apart_by_the_operation_that_the_value_carries() {
        let mut history = History::default();
        let (first, second) = (Value::text(0), Value::text(1));
        let a = record(&mut history, put(first), 7, Status::Ok);
        let b = record(&mut history, put(second), 7, Status::Ok);
        let c = record(&mut history, put(first), 7, Status::Ok);
        let writers = Writers::of(&history);
        let writer = |value: Value| writers.writer(KEY, Some(value), version(7));
        assert_eq!(writer(first.written_by(a)), Some(a));
        assert_eq!(writer(second.written_by(b)), Some(b));
        assert_eq!(writer(first.written_by(c)), Some(c));
        // Read back from a disk: the text tells, and of two with the same text the later proves
        // less.
        assert_eq!((writer(second), writer(first)), (Some(b), Some(c)));
        // A value that carries another operation than its own was mixed up.
        assert_eq!(writer(second.written_by(a)), None);
        assert_eq!(writers.writer(KeyId(0), Some(first.written_by(a)), version(7)), None);
        // Of an unknown version the text tells.
        assert_eq!(writers.writer(KEY, Some(second), version(9)), Some(b));
        assert_eq!(writers.writer(KEY, Some(Value::text(9)), version(7)), None);
    }

    /// A text was read back from a disk; the client that read it then put the same text, and was
    /// taken for its writer.
    #[test]
    fn what_a_read_found_was_written_before_it_ended_and_an_element_was_appended() {
        let mut history = History::default();
        let text = Value::text(0);
        let append = Operation::Append { key: KEY, value: text, quorum: None };
        let appended = record(&mut history, append, 5, Status::Ok);
        let before = record(&mut history, put(text), 6, Status::Ok);
        let get = Operation::Get { key: KEY, quorum: None };
        let read = record(&mut history, get, 6, Status::Ok);
        let after = record(&mut history, put(text), 6, Status::Ok);
        let writers = Writers::of(&history);
        let read = history.entry(read);
        assert_eq!(writers.writer(KEY, Some(text), version(6)), Some(after));
        let found = |value, stamp| writers.found(read, KEY, Some(value), version(stamp));
        assert_eq!(found(text, 6), Some(before));
        assert_eq!(found(text, 9), Some(before), "of no known version");
        assert_eq!(found(text.written_by(after), 6), None);
        assert_eq!(writers.found_element(read, KEY, text), Some(appended));
    }

    #[test]
    fn what_a_text_may_be_is_told_by_its_version_and_by_when_it_was_written_over() {
        let mut history = History::default();
        let text = Value::text(0);
        let a = record(&mut history, put(text), 7, Status::Ok);
        let b = record(&mut history, put(text), 8, Status::Ok);
        let over = record(&mut history, put(Value::text(1)), 9, Status::Ok);
        let later = record(&mut history, put(text), 10, Status::Ok);
        let writers = Writers::of(&history);
        let of =
            |value, at| -> Vec<OpId> { writers.candidates_of(KEY, value, version(at)).collect() };
        assert_eq!((of(text, 7), of(text, 8)), (vec![a], vec![b]));
        assert_eq!(of(text, 99), [a, b, later], "of no such version the text tells");
        assert_eq!(of(text.written_by(b), 7), [b]);
        // Nothing was written over what nobody had asked for yet.
        let under = writers.candidates_under(history.entry(over), text);
        assert_eq!(under.collect::<Vec<OpId>>(), [a, b]);
    }

    #[test]
    fn a_made_value_tells_its_operation_by_itself() {
        let mut history = History::default();
        let of_client = record(&mut history, put(Value::made(ClientId(0), 5)), 1, Status::Ok);
        let arrival =
            record(&mut history, put(Value::made(ClientId::ARRIVALS, 2)), 2, Status::Info);
        let writers = Writers::of(&history);
        let writer =
            |client, index| writers.writer(KEY, Some(Value::made(client, index)), version(99));
        assert_eq!(writer(ClientId(0), 5), Some(of_client));
        assert_eq!(writer(ClientId::ARRIVALS, 2), Some(arrival));
        assert_eq!((writer(ClientId(0), 2), writer(ClientId(0), 6)), (None, None));
    }

    #[test]
    fn a_removal_is_told_by_its_version_and_proves_as_little_as_it_can() {
        let mut history = History::default();
        let delete = Operation::Delete { key: KEY, quorum: None };
        record(&mut history, put(Value::text(0)), 7, Status::Ok);
        let pending = record(&mut history, delete, 7, Status::Pending);
        record(&mut history, delete, 7, Status::Ok);
        let clear =
            history.invoke(Time::ZERO, Time::ZERO, Process::first(ClientId(0)), Operation::Clear);
        history.accept_clear(clear, KEY, version(8));
        let writers = Writers::of(&history);
        let remover = |stamp| writers.writer(KEY, None, version(stamp));
        assert_eq!([remover(7), remover(8), remover(9)], [Some(pending), Some(clear), None]);
        // What a read found was removed before it ended.
        let get = Operation::Get { key: KEY, quorum: None };
        let read = record(&mut history, get, 8, Status::Ok);
        let later = record(&mut history, delete, 8, Status::Pending);
        let writers = Writers::of(&history);
        assert_eq!(writers.writer(KEY, None, version(8)), Some(later));
        assert_eq!(writers.found(history.entry(read), KEY, None, version(8)), Some(clear));
    }
}
