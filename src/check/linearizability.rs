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

use crate::history::{Access, Entry, Function, KeyContent as Found, KeyEffect, OtherKeys, Status};
use crate::id::{KeyId, OpId, Value, Version};
use crate::linearizability::{
    self as room, Content, Contradiction, EndOf, Expects, Judgement, Operation, Operations, Others,
    Step, Update, Why,
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

/// Whether two writes of a key wrote the same. A refused one counts: what it left, if it did, a
/// client would take for the other's.
fn repeats_a_text(facts: &Facts<'_>) -> bool {
    let history = facts.evidence.history;
    let is_write = |entry: &&Entry| matches!(entry.function, Function::Put | Function::Append);
    let writes = history.entries().iter().filter(is_write);
    let mut written: Vec<(KeyId, Option<Value>)> =
        writes.map(|write| (write.key, write.value)).collect();
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
                    Step::read(key, symbols.expects(operations, entry, effect, found))
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
    if entry.is_write() || !entry.is_ok() {
        return String::new();
    }
    let mut effects = history.effects(op).filter_map(|effect| Some((effect.key, effect.found()?)));
    let told = if entry.is_on_one_key() {
        effects.next().map(|(_, found)| value(found)).unwrap_or_default()
    } else {
        let shown: Vec<String> = effects.by_ref().take(SHOWN).map(of_key).collect();
        match (shown.is_empty(), effects.count()) {
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
        let entry = history.entry(op);
        format!("{}{}", words::call_by(names, entry), found_in_words(facts, op))
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::testing::Story;
    use super::super::testing::any_story::any_story;
    use super::*;
    use crate::check::Evidence;
    use crate::history::History;
    use crate::property::Property::Linearizability;

    fn two_puts() -> Story {
        let mut story = Story::new(3);
        story.put("c1", "city", "Rome").at(1).ok(2).version(5);
        story.put("c1", "city", "Oslo").at(3).ok(4).version(8);
        story
    }

    fn is_broken_by(story: &Story, summary: &str, operations: &[u32]) {
        let witness = story.witness(Linearizability);
        assert_eq!(witness.summary, summary);
        let operations: Vec<OpId> = operations.iter().copied().map(OpId).collect();
        assert_eq!(witness.operations, operations, "{}", witness.summary);
    }

    #[test]
    fn reads_of_the_last_write_are_possible_and_so_are_reads_that_overlap_it() {
        let mut story = two_puts();
        story.get("c2", "city", ("Oslo", 8)).at(5).ok(6);
        story.assert_valid(Linearizability);
        let mut story = two_puts();
        story.get("c2", "city", ("Rome", 5)).at(3).ok(6);
        story.assert_valid(Linearizability);
    }

    #[test]
    fn a_leader_that_answers_from_before_its_last_write_is_caught() {
        let mut story = two_puts();
        story.get("c2", "city", ("Rome", 5)).at(5).ok(6).by(2);
        is_broken_by(
            &story,
            "an older value came back: get city by c2 (which found Rome) was called at \
             0.005000000 s after put city=Oslo by c1 had returned at 0.004000000 s, which was \
             called after put city=Rome by c1 had returned at 0.002000000 s",
            &[1, 0, 2],
        );
        assert_eq!(story.witness(Linearizability).write, Some(story.stamp(8)));
    }

    #[test]
    fn what_nobody_wrote_is_caught() {
        let mut story = two_puts();
        story.get("c2", "city", ("Bonn", 9)).at(5).ok(6);
        is_broken_by(
            &story,
            "get city by c2 (which found Bonn) shows what no operation had left there at \
             0.006000000 s",
            &[2],
        );
    }

    #[test]
    fn a_refused_write_never_happened_and_one_of_unknown_outcome_may_have() {
        let read_after = |end: fn(&mut Story)| {
            let mut story = two_puts();
            end(&mut story);
            story.get("c2", "city", ("Bonn", 9)).at(8).ok(9);
            story
        };
        let unknown = read_after(|story| {
            story.put("c3", "city", "Bonn").at(5).info(6).version(9);
        });
        unknown.assert_valid(Linearizability);
        let refused = read_after(|story| {
            story.put("c3", "city", "Bonn").at(5).fail(6);
        });
        assert_eq!(refused.witness(Linearizability).operations, [OpId(3)]);
    }

    #[test]
    fn a_delete_that_comes_back_is_caught() {
        let mut story = two_puts();
        story.delete("c1", "city").at(5).ok(6).version(9);
        story.miss("c2", "city").at(7).ok(8);
        story.assert_valid(Linearizability);
        story.get("c2", "city", ("Oslo", 8)).at(9).ok(10);
        assert!(story.witness(Linearizability).operations.len() <= 4);
    }

    #[test]
    fn a_clear_removes_every_key_whatever_a_node_removed() {
        let mut story = two_puts();
        story.clear("c2", &[]).at(5).ok(6);
        story.read_all("c3", &[]).at(7).ok(8);
        story.assert_valid(Linearizability);
        story.get("c3", "city", ("Oslo", 8)).at(9).ok(10);
        assert!(story.witness(Linearizability).operations.len() <= 4);
    }

    #[test]
    fn an_append_that_was_taken_twice_is_caught() {
        let mut story = Story::new(3);
        story.append("c1", "log", "a").at(1).ok(2).version(5);
        story.append("c2", "log", "b").at(3).ok(9).version(8).attempt(6);
        story.get("c1", "log", ("b", 8)).finds_list(&[0, 1]).at(10).ok(11);
        story.assert_valid(Linearizability);
        story.get("c1", "log", ("b", 8)).finds_list(&[0, 1, 1]).at(12).ok(13);
        assert!(story.witness(Linearizability).operations.len() <= 4);
    }

    /// The read of nothing tells of a removal that was refused, so it never happened; but nothing
    /// was there anyway.
    #[test]
    fn a_read_of_nothing_needs_no_removal_before_the_first_write() {
        let mut story = Story::new(3);
        story.delete("c1", "city").at(1).fail(2).version(4);
        story.miss("c1", "city").tombstone(4).at(3).ok(4);
        story.assert_valid(Linearizability);
        story.put("c1", "city", "Rome").at(5).ok(6).version(5);
        story.miss("c1", "city").tombstone(4).at(7).ok(8);
        assert!(story.witness(Linearizability).operations.len() <= 4);
    }

    /// Two writes have one version; a client sees the older one again.
    #[test]
    fn a_version_given_twice_hides_nothing() {
        let mut story = two_puts();
        story.put("c1", "city", "Bonn").at(5).ok(6).version(8);
        story.get("c2", "city", ("Oslo", 8)).at(7).ok(8);
        assert_eq!(story.witness(Linearizability).operations.len(), 3);
    }

    /// The value was written by two operations, and the older one is told as its writer.
    #[test]
    fn a_client_cannot_tell_two_writes_of_one_text_apart() {
        let mut story = two_puts();
        story.put("c1", "city", "Rome").at(5).ok(6).version(9);
        story.get("c2", "city", ("Rome", 5)).at(7).ok(8);
        story.assert_valid(Linearizability);
        story.get("c2", "city", ("Oslo", 8)).at(9).ok(10);
        assert!(story.witness(Linearizability).operations.len() <= 4);
    }

    #[test]
    fn an_append_that_was_known_already_changes_nothing() {
        let mut story = Story::new(3);
        story.append("c1", "log", "a").at(1).ok(2).version(5);
        story.append("c2", "log", "a").at(3).ok(4).version(5);
        story.get("c3", "log", ("a", 5)).finds_list(&[0]).at(5).ok(6);
        story.assert_valid(Linearizability);
    }

    /// A read of several replicas shows the last element of a list alone.
    #[test]
    fn the_last_element_stands_for_the_list_that_ends_with_it() {
        let mut story = Story::new(3);
        story.append("c1", "log", "a").at(1).ok(2).version(5);
        story.append("c1", "log", "b").at(3).ok(4).version(6);
        story.get("c2", "log", ("b", 6)).at(5).ok(6);
        story.assert_valid(Linearizability);
        story.get("c2", "log", ("a", 5)).at(7).ok(8);
        assert!(story.witness(Linearizability).operations.len() <= 4);
    }

    #[test]
    fn lists_that_disagree_say_about_which_element() {
        let mut story = Story::new(3);
        for (i, element) in ["a", "b", "c"].into_iter().enumerate() {
            let at = 2 * i as u64;
            story.append("c1", "log", element).at(at).ok(at + 1).version(5 + at as i64);
        }
        story.get("c2", "log", ("c", 9)).finds_list(&[0, 1, 2]).at(10).ok(11);
        story.get("c2", "log", ("c", 9)).finds_list(&[1, 0, 2]).at(12).ok(13);
        is_broken_by(
            &story,
            "get log by c2 (which found [a, b, c]) at 0.011000000 s and get log by c2 (which found \
             [b, a, c]) at 0.013000000 s disagree about what came before the element of append b \
             to log by c1",
            &[1, 3, 4],
        );
    }

    /// What versions and tombstones tell settles most runs without a search.
    #[test]
    fn what_versions_tell_is_passed_on() {
        let without_search = |story: &Story| {
            story.evidence(|evidence| {
                let operations = translate(&Facts::of(evidence), ValuesBy::Writer);
                room::check(&operations, 0) == Judgement::Linearizable
            })
        };
        let mut story = two_puts();
        story.put("c2", "river", "Rhine").at(5).ok(6).version(9);
        story.read_all("c3", &[("city", "Oslo", 8), ("river", "Rhine", 9)]).at(7).ok(8);
        assert!(without_search(&story));
        // Two leaders: versions are in no order, but the tombstone is known.
        let mut story = Story::new(3);
        story.put("c1", "city", "Rome").at(1).ok(2).version(9);
        story.delete("c1", "city").at(3).ok(4).version(5);
        story.delete("c1", "city").at(5).ok(6).version(4);
        story.miss("c2", "city").tombstone(4).at(7).ok(8);
        assert!(without_search(&story));
    }

    /// The value is that of a refused write, and another wrote the same text.
    #[test]
    fn nor_a_refused_write_from_one_that_happened() {
        let mut story = two_puts();
        story.put("c1", "city", "Bonn").at(5).fail(6).version(9);
        story.put("c1", "city", "Bonn").at(7).ok(8).version(10);
        story.get("c2", "city", ("Bonn", 9)).at(9).ok(10);
        story.assert_valid(Linearizability);
    }

    /// A list of keys shows a key that a delete had removed before.
    #[test]
    fn a_list_of_keys_is_judged_with_the_keys_that_it_lacks() {
        let mut story = two_puts();
        story.put("c2", "river", "Rhine").at(5).ok(6).version(9);
        story.list("c3", &["city"]).at(7).ok(8);
        assert!(story.witness(Linearizability).operations.len() <= 4);
        let mut story = two_puts();
        story.put("c2", "river", "Rhine").at(5).ok(8).version(9);
        story.list("c3", &["city"]).at(6).ok(7);
        story.list("c3", &["city", "river"]).at(9).ok(10);
        story.assert_valid(Linearizability);
    }

    /// Whether the operations can take effect one after another, by the texts that clients see.
    fn is_possible(
        history: &History,
        done: u32,
        store: [Option<Value>; 2],
        seen: &mut BTreeSet<(u32, [Option<Value>; 2])>,
    ) -> bool {
        if !seen.insert((done, store)) {
            return false;
        }
        let is_left = |(op, entry): &(OpId, &Entry)| {
            done & 1 << op.0 == 0
                && (entry.is_ok() || entry.is_write() && entry.may_have_happened())
        };
        let left: Vec<(OpId, &Entry)> = history.iter().filter(is_left).collect();
        if left.iter().all(|(_, entry)| !entry.is_ok()) {
            return true;
        }
        left.iter().any(|(op, entry)| {
            let is_first = left.iter().all(|(_, other)| !other.is_ok() || !other.precedes(entry));
            let mut after = store;
            let key = entry.key.0 as usize;
            let fits = match entry.function {
                Function::Put => {
                    after[key] = entry.value;
                    true
                }
                Function::Delete => {
                    after[key] = None;
                    true
                }
                Function::Clear => {
                    after = [None; 2];
                    true
                }
                Function::Get => store[key] == entry.value,
                Function::List | Function::ReadAll => {
                    let items = history.contents(*op).unwrap_or_default();
                    (0..2).all(|key| {
                        let item = items.iter().find(|item| item.key.0 as usize == key);
                        match item {
                            None => store[key].is_none(),
                            Some(item) if item.value.is_none() => store[key].is_some(),
                            Some(item) => store[key] == item.value,
                        }
                    })
                }
                Function::Append => unreachable!("no story appends"),
            };
            is_first && fits && is_possible(history, done | 1 << op.0, after, seen)
        })
    }

    proptest! {
        #[test]
        fn verdicts_are_those_of_the_definition(story in any_story()) {
            let possible = |evidence: &Evidence<'_>| {
                is_possible(evidence.history, 0, [None; 2], &mut BTreeSet::new())
            };
            let valid = |evidence: &Evidence<'_>| {
                check(&Facts::of(evidence)).verdict == Verdict::Valid
            };
            prop_assert_eq!(story.evidence(valid), story.evidence(possible), "{:?}", story);
        }
    }
}
