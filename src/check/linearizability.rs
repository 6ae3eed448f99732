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

use crate::history::{Access, Content as Found, Entry, Function, KeyEffect, OtherKeys, Status};
use crate::id::{KeyId, OpId, Value, Version};
use crate::linearizability::{
    self as room, Content, Contradiction, Expects, Judgement, Operation, Operations, Others, Step,
    Update, Why,
};

use super::facts::Facts;
use super::{Finding, Verdict, Witness, words};

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

/// Whether two writes of a key that may have happened wrote the same.
fn repeats_a_text(facts: &Facts<'_>) -> bool {
    let history = facts.evidence.history;
    let is_write = |entry: &&Entry| matches!(entry.function, Function::Put | Function::Append);
    let writes = history.entries().iter().filter(is_write);
    let mut written: Vec<(KeyId, Option<Value>)> =
        writes.filter(|write| write.may_have_happened()).map(|w| (w.key, w.value)).collect();
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
            ValuesBy::Writer => op.0,
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
            (ValuesBy::Writer, Some(op)) => op.0,
            (ValuesBy::Writer, None) => {
                self.unwritten += 1;
                self.unwritten - 1
            }
        }
    }

    fn expects(
        &mut self,
        operations: &mut Operations,
        (read, entry): (OpId, &Entry),
        effect: &KeyEffect<'_>,
        found: Found<'_>,
    ) -> Expects {
        let (writers, key) = (&self.facts.writers, effect.key);
        match (found, effect.version) {
            (Found::Key, _) => Expects::Present,
            (Found::Nothing, version) => {
                let remover = |version| writers.writer(key, None, version);
                // An operation removes a key for others once it was invoked.
                let is_told = |op: &OpId| *op != read;
                Expects::Absent { by: version.and_then(remover).filter(is_told) }
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
                    Some(version) => writers.found(entry, key, value, version),
                    None => writers.found_element(entry, key, value),
                };
                let history = self.facts.evidence.history;
                let is_element =
                    writer.is_some_and(|op| history.entry(op).function == Function::Append);
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
    let mut symbols = Symbols { facts, by, texts: BTreeMap::new(), unwritten: count as u32 };
    let mut operations = Operations::new(Content::ABSENT);
    operations.reserve(count);
    for (op, entry) in history.iter() {
        // The numbers of the operations are the same.
        operations.call(entry.client.0, entry.invoked_seq);
        let ret = match entry.status {
            Status::Ok => entry.completed_seq,
            Status::Info | Status::Pending if entry.is_write() => Operation::OPEN,
            Status::Info | Status::Pending | Status::Fail => continue,
        };
        let others = match history.other_keys(op) {
            _ if entry.function == Function::Clear => Others::Removed,
            OtherKeys::Untouched | OtherKeys::PerhapsRemoved => Others::Untouched,
            OtherKeys::SeenAbsent => Others::SeenAbsent,
        };
        let mut rank: Option<Version> = None;
        let mut steps: Vec<Step> = Vec::new();
        let one = entry.is_on_one_key().then(|| history.effects(op).next()).flatten();
        let mut step = |operations: &mut Operations, effect: &KeyEffect<'_>| {
            rank = rank.max(effect.version);
            let key = effect.key;
            match effect.access {
                Access::Read(found) => {
                    Step::read(key, symbols.expects(operations, (op, entry), effect, found))
                }
                Access::Put(value) => {
                    let symbol = symbols.written(op, value);
                    Step::write(key, Update::Set(Content::value(symbol)))
                }
                Access::Append(_) if facts.is_repeated(op) => Step::read(key, Expects::Anything),
                Access::Append(value) => {
                    let symbol = symbols.written(op, value);
                    Step::write(key, Update::Append(Content::of(symbol)))
                }
                Access::Remove => Step::write(key, Update::Remove),
            }
        };
        match one {
            Some(effect) => {
                let step = step(&mut operations, &effect);
                operations.answer(op, ret, [step], others);
            }
            None => {
                for effect in history.effects(op) {
                    // A retried clear removed a key several times.
                    if steps.last().is_none_or(|step: &Step| step.key != effect.key) {
                        steps.push(step(&mut operations, &effect));
                    }
                }
                operations.answer(op, ret, steps, others);
            }
        }
        if let Some(rank) = rank {
            operations.rank(op, rank);
        }
    }
    operations
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

fn witness(facts: &Facts<'_>, contradiction: &Contradiction) -> Witness {
    let history = facts.evidence.history;
    let names = facts.evidence.names();
    let summary = contradiction.sentence(|op| {
        let entry = history.entry(op);
        let found = history.effects(op).next().filter(|_| entry.is_on_one_key());
        let found = match found.and_then(|effect| effect.found()) {
            None | Some(Found::Key) => String::new(),
            Some(Found::Nothing) => ", which found nothing,".to_owned(),
            Some(Found::Value(value)) => format!(", which found {},", names.value(value)),
            Some(Found::List { elements, .. }) => {
                let texts: Vec<String> =
                    elements.iter().map(|element| names.value(*element).to_string()).collect();
                format!(", which found [{}],", texts.join(", "))
            }
        };
        let until = match entry.status {
            Status::Ok => format!("{} s", entry.completed_at),
            Status::Info | Status::Pending | Status::Fail => "the end".to_owned(),
        };
        let call = words::call_by(names, entry);
        format!("{call}{found} from {} s to {until}", entry.invoked_at)
    });
    let mut operations = contradiction.operations.clone();
    // What an explanation follows comes first, and the read that shows something else last.
    let (newer, read) = match contradiction.why {
        Why::CameBack { after: (newer, older), .. } => (Some(newer), Some(older)),
        Why::BackToTheBeginning { changed, read } => (Some(changed), Some(read)),
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
