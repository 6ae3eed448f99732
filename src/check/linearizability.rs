//! Linearizability: what clients saw is possible for one copy of the data.
//!
//! This turns the history into that of [`crate::linearizability`], which knows nothing of ours:
//!
//! - A write asks for what its [`crate::history::History::effects`] say; a clear removes every key,
//!   whatever a node removed. A node's refusal never happened. A write of unknown outcome stays
//!   open to the end, and a read without an answer says nothing.
//! - **A value is the operation that wrote it** ([`crate::history::Writers`]), never its version:
//!   two writes may have one. What nobody wrote is a value of its own. If the history is not
//!   linearizable so, and several writes of a key wrote the same text, it is asked again by texts,
//!   for a client cannot tell these writes apart.
//! - An append of an element that its list had already changes nothing, and says nothing here.
//! - Versions are used for the order in which the writes may have taken effect, which is tried
//!   first, and to tell which removal a read of nothing saw.
//!
//! The search is bounded, so that no run of a campaign takes for ever; beyond that the property is
//! unknown.

use std::collections::BTreeMap;

use crate::history::{
    Access, AccessOf, Entry, Failure, Function, History, KeyContent as Found, KeyEffect, OtherKeys,
    Status,
};
use crate::id::{KeyId, OpId, Value, Version};
use crate::linearizability::{
    self as room, Content, Contradiction, EndOf, Expects, Judgement, Operation, Operations, Others,
    Step, Update, Why,
};

use super::facts::Facts;
use joined::{Joined, Sighting};

use super::{Finding, Verdict, Witness, words};

mod joined;
#[cfg(test)]
mod several;
#[cfg(test)]
mod tests;

/// The steps that a search may take in one run.
const BUDGET: u64 = 1_000_000;

/// What tells two values apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ValuesBy {
    /// The operations that wrote them.
    Writer,
    /// Their texts: a client sees no more.
    Text,
}

pub(super) fn check(facts: &Facts<'_>) -> Finding {
    let history = facts.evidence.history;
    if facts.reads == 0 {
        return Finding::of(None, Vec::new());
    }
    let by_writer = translate(facts, ValuesBy::Writer);
    let mut found = room::check(&by_writer, BUDGET);
    if found != Judgement::Linearizable && repeats_a_text(facts) {
        found = room::check(&translate(facts, ValuesBy::Text), BUDGET);
    }
    let verdict = match found {
        Judgement::Linearizable => Verdict::Valid,
        Judgement::Contradictory(contradiction) => Verdict::Invalid(witness(facts, &contradiction)),
        Judgement::Unknown => Verdict::Unknown(format!(
            "no order of the {} operations was found, nor ruled out, within {BUDGET} steps",
            history.entries().len()
        )),
    };
    Finding::new(verdict, Vec::new())
}

/// Whether two writes of a key wrote the same. A refused one counts: what it left, if it did, a
/// client would take for the other's.
fn repeats_a_text(facts: &Facts<'_>) -> bool {
    let history = facts.evidence.history;
    let is_write = |entry: &Entry| matches!(entry.function, Function::Put | Function::Append);
    let writes = history.accesses().filter(|(_, entry)| is_write(entry));
    let mut written: Vec<(KeyId, Option<Value>)> =
        writes.map(|(_, write)| (write.key, write.value)).collect();
    written.sort_unstable();
    written.windows(2).any(|pair| pair[0] == pair[1])
}

/// Gives each value its symbol.
struct Symbols<'a> {
    facts: &'a Facts<'a>,
    by: ValuesBy,
    texts: BTreeMap<Value, u32>,
    /// The next that no operation wrote.
    unwritten: u32,
}

impl Symbols<'_> {
    fn written(&mut self, op: OpId, value: Value) -> u32 {
        match self.by {
            ValuesBy::Writer => self.facts.evidence.history.place(op) as u32,
            ValuesBy::Text => self.text(value),
        }
    }

    fn text(&mut self, value: Value) -> u32 {
        let next = self.texts.len() as u32;
        *self.texts.entry(value).or_insert(next)
    }

    /// What a read found, given the operation that wrote it.
    fn found(&mut self, writer: Option<OpId>, value: Value) -> u32 {
        match (self.by, writer) {
            (ValuesBy::Text, _) => self.text(value),
            (ValuesBy::Writer, Some(op)) => self.facts.evidence.history.place(op) as u32,
            (ValuesBy::Writer, None) => self.unwritten(),
        }
    }

    /// What nobody wrote.
    fn unwritten(&mut self) -> u32 {
        self.unwritten += 1;
        match self.by {
            ValuesBy::Writer => self.unwritten - 1,
            // Texts have the lower numbers: there are no more of them than writes.
            ValuesBy::Text => self.unwritten - 1 + self.facts.evidence.history.places() as u32,
        }
    }

    fn expects(
        &mut self,
        operations: &mut Operations,
        entry: &Entry,
        effect: &KeyEffect<'_>,
        found: Found<'_>,
    ) -> Expects {
        let (writers, key) = (&self.facts.writers, effect.key);
        match (found, effect.version) {
            (Found::Key, _) => Expects::Present,
            (Found::Nothing | Found::Tombstone, version) => {
                let remover = |version| writers.found(entry, key, None, version);
                Expects::Absent { by: version.and_then(remover) }
            }
            (Found::List { elements, .. }, _) => {
                let writer = |element: &Value| writers.found_element(entry, key, *element);
                let symbols: Vec<u32> =
                    elements.iter().map(|element| self.found(writer(element), *element)).collect();
                operations.shows(&symbols);
                Expects::Holds(Content::sequence(&symbols))
            }
            (Found::Value(value), version) => {
                let writer = match version {
                    Some(version) => writers.found(entry, key, Some(value), version),
                    None => writers.expected(entry, key, value),
                };
                let history = self.facts.evidence.history;
                let is_append = |op| history.entry(op).function == Function::Append;
                // A compare-and-set knows no version: where an append wrote this text too, the list
                // may have ended with it.
                let is_element = match version {
                    Some(_) => writer.is_some_and(is_append),
                    None => writers.candidates(key, value).any(is_append),
                };
                let symbol = self.found(writer, value);
                if is_element {
                    Expects::EndsWith(symbol)
                } else {
                    Expects::Holds(Content::value(symbol))
                }
            }
        }
    }
}

/// The history as that of one copy of the data.
fn translate(facts: &Facts<'_>, by: ValuesBy) -> Operations {
    let history = facts.evidence.history;
    let count = history.entries().len();
    let unwritten = history.places() as u32;
    let mut symbols = Symbols { facts, by, texts: BTreeMap::new(), unwritten };
    let mut operations = Operations::new(Content::ABSENT);
    operations.reserve(count);
    for (op, entry) in history.iter() {
        // The numbers of the operations are the same.
        operations.call(entry.client.0, entry.invoked_seq);
        let ret = match entry.status {
            Status::Ok => entry.completed_seq,
            Status::Fail if entry.failure == Some(Failure::Mismatch) => entry.completed_seq,
            Status::Info | Status::Pending if entry.is_write() => Operation::OPEN,
            Status::Info | Status::Pending | Status::Fail => continue,
        };
        let rank = match entry.function {
            Function::Cas | Function::Batch => symbols.answer_joined(&mut operations, op, ret),
            Function::Put
            | Function::Get
            | Function::Delete
            | Function::Append
            | Function::List
            | Function::ReadAll
            | Function::Clear => symbols.answer(&mut operations, (op, entry), ret),
        };
        if let Some(rank) = rank {
            operations.rank(op, rank);
        }
    }
    operations
}

impl Symbols<'_> {
    /// Says what an operation did that accesses each key once; its rank.
    fn answer(
        &mut self,
        operations: &mut Operations,
        (op, entry): (OpId, &Entry),
        ret: u32,
    ) -> Option<Version> {
        let history = self.facts.evidence.history;
        let others = match history.other_keys(op) {
            _ if entry.function == Function::Clear => Others::Removed,
            OtherKeys::Untouched | OtherKeys::PerhapsRemoved => Others::Untouched,
            OtherKeys::SeenAbsent => Others::SeenAbsent,
        };
        if entry.is_on_one_key() {
            let effect = history.effects(op).next();
            let step = effect.map(|effect| self.step(operations, (op, entry), &effect));
            operations.answer(op, ret, step, others);
            return effect.and_then(|effect| effect.version);
        }
        let (mut rank, mut steps): (Option<Version>, Vec<Step>) = (None, Vec::new());
        for effect in history.effects(op) {
            // A retried clear removed a key several times.
            if steps.last().is_none_or(|step: &Step| step.key != effect.key) {
                rank = rank.max(effect.version);
                steps.push(self.step(operations, (op, entry), &effect));
            }
        }
        operations.answer(op, ret, steps, others);
        rank
    }

    fn step(
        &mut self,
        operations: &mut Operations,
        (op, entry): (OpId, &Entry),
        effect: &KeyEffect<'_>,
    ) -> Step {
        let key = effect.key;
        match effect.access {
            Access::Read(found) => Step::read(key, self.expects(operations, entry, effect, found)),
            Access::Put(value) => {
                Step::write(key, Update::Set(Content::value(self.written(op, value))))
            }
            Access::Append(_) if self.facts.is_repeated(op) => Step::read(key, Expects::Anything),
            Access::Append(value) => {
                Step::write(key, Update::Append(Content::of(self.written(op, value))))
            }
            Access::Remove => Step::write(key, Update::Remove),
        }
    }

    /// Says what an operation did by its accesses, all at one moment; its rank.
    fn answer_joined(
        &mut self,
        operations: &mut Operations,
        whole: OpId,
        ret: u32,
    ) -> Option<Version> {
        let history = self.facts.evidence.history;
        let (mut joined, mut rank) = (Joined::default(), None);
        let is_done = history.entry(whole).status != Status::Fail;
        for (access, entry) in history.accesses_of(whole) {
            let Some(effect) = asked_or_found(history, access, entry) else { continue };
            // What was not done may have been read all the same.
            if effect.found().is_none() && !is_done {
                continue;
            }
            rank = rank.max(effect.version);
            let Step { key, expects, change } = self.step(operations, (access, entry), &effect);
            if let Some(found) = effect.found() {
                let list: Option<Vec<u32>> = found.elements().map(|elements| {
                    let writer =
                        |element: &Value| self.facts.writers.found_element(entry, key, *element);
                    elements.iter().map(|one| self.found(writer(one), *one)).collect()
                });
                joined.read(key, Sighting { expects, list: list.as_deref() }, operations);
            } else {
                joined.write(key, change);
            }
        }
        let steps = joined.into_steps(|| self.unwritten());
        operations.answer(whole, ret, steps, Others::Untouched);
        rank
    }
}

/// What an access did. A compare-and-set of unknown outcome was done only if the key held what it
/// expects.
fn asked_or_found<'a>(history: &'a History, access: OpId, entry: &Entry) -> Option<KeyEffect<'a>> {
    let effect = history.effects(access).next();
    let is_open = matches!(entry.status, Status::Info | Status::Pending);
    if effect.is_some() || !is_open || entry.function != Function::Get {
        return effect;
    }
    if !entry.access_of.is_some_and(AccessOf::is_cas) {
        return None;
    }
    let found = entry.value.map_or(Found::Nothing, Found::Value);
    Some(KeyEffect { key: entry.key, version: None, access: Access::Read(found) })
}

/// What the first operation that cannot be placed should have seen: of the others that had returned
/// before it was called, the one of the newest version, if that is newer than its own.
fn newest_before(facts: &Facts<'_>, contradiction: &Contradiction) -> Option<OpId> {
    let history = facts.evidence.history;
    let last = history.entry(contradiction.first);
    let returned = contradiction.operations.iter().map(|op| (history.entry(*op).version, *op));
    let newest = returned.filter(|(_, op)| history.entry(*op).precedes(last)).max()?;
    (newest.0 > last.version).then_some(newest.1)
}

/// How many keys or elements of an answer a sentence shows.
const SHOWN: usize = 5;

/// ` (which found Rome)`; empty for a write.
fn found_in_words(facts: &Facts<'_>, op: OpId) -> String {
    let history = facts.evidence.history;
    let names = facts.evidence.names();
    let value = |found: Found<'_>| match found {
        Found::Key => "something".to_owned(),
        Found::Nothing | Found::Tombstone => "nothing".to_owned(),
        Found::Value(value) => names.value(value),
        Found::List { elements, .. } => {
            let last = elements.iter().rev().take(SHOWN).rev().map(|element| names.value(*element));
            let texts: Vec<String> = last.collect();
            let more = if elements.len() > SHOWN { ".., " } else { "" };
            format!("[{more}{}]", texts.join(", "))
        }
    };
    let of_key = |(key, found): (KeyId, Found<'_>)| match found {
        Found::Key => names.key(key).to_owned(),
        Found::Value(_) | Found::List { .. } | Found::Tombstone | Found::Nothing => {
            format!("{}={}", names.key(key), value(found))
        }
    };
    let entry = history.entry(op);
    let is_mismatch = entry.failure == Some(Failure::Mismatch);
    let is_read = entry.is_ok() && (!entry.is_write() || entry.function == Function::Batch);
    if !is_read && !is_mismatch {
        return String::new();
    }
    let mut effects = history.effects(op).filter_map(|effect| Some((effect.key, effect.found()?)));
    let told = if entry.is_on_one_key() {
        effects.next().map(|(_, found)| value(found)).unwrap_or_default()
    } else {
        let shown: Vec<String> = effects.by_ref().take(SHOWN).map(of_key).collect();
        match (shown.is_empty(), effects.count()) {
            (true, _) if entry.function == Function::Batch => return String::new(),
            (true, _) => "no key".to_owned(),
            (false, 0) => shown.join(", "),
            (false, more) => format!("{} and {more} more", shown.join(", ")),
        }
    };
    format!(" (which found {told})")
}

fn witness(facts: &Facts<'_>, contradiction: &Contradiction) -> Witness {
    let history = facts.evidence.history;
    let names = facts.evidence.names();
    let name = |op| {
        let (call, client) = (words::call_of(history, op), history.entry(op).client);
        format!("{call} by {}{}", names.client(client), found_in_words(facts, op))
    };
    let at = |end| match end {
        EndOf::Call(op) => format!(" at {} s", history.entry(op).invoked_at),
        EndOf::Return(op) => format!(" at {} s", history.entry(op).completed_at),
    };
    let summary = contradiction.sentence(name, at);
    let mut operations = contradiction.operations.clone();
    // What an explanation follows comes first, and the read that shows something else last.
    let (newer, read) = match contradiction.why {
        Why::CameBack { after: (newer, older), .. } => (Some(newer), Some(older)),
        Why::BackToTheBeginning { changed: earlier, read } | Why::Lacks { earlier, read } => {
            (Some(earlier), Some(read))
        }
        Why::NeverWritten { read } | Why::BeforeItsWrite { read, .. } => (None, Some(read)),
        Why::TwoPlaces { .. } | Why::NoOrder => {
            (newest_before(facts, contradiction), Some(contradiction.first))
        }
    };
    operations.retain(|op| Some(*op) != newer && Some(*op) != read);
    let operations: Vec<OpId> = newer.into_iter().chain(operations).chain(read).collect();
    let nodes = operations.iter().filter_map(|op| history.entry(*op).node).collect();
    let version = |op: OpId| history.entry(op).version;
    Witness { summary, count: 1, operations, nodes, write: newer.and_then(version) }
}
