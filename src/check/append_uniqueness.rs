//! Append uniqueness: every acknowledged append is in its list exactly once.
//!
//! A client that gets no answer to its append retries it. A node that accepted the first attempt
//! and does not recognise the retry appends the element twice (redisraft #52, "duplicate
//! elements"). The property is broken in three ways:
//!
//! - **at the end**, a list has an element more often than it was appended (`repeated_at_end`);
//! - a **read** returned such a list (`reads_of_repeated`);
//! - an acknowledged element is **missing** at the end from the lists of all live replicas
//!   (`lost_appends`), and no put, delete or clear explains that: none that may have happened was
//!   under way after the append was invoked. This is a lost update that [`super::durability`] does
//!   not see while a later element of the list survives.
//!
//! An element is a value. It was appended as often as operations that did not fail asked for it:
//! once, unless a script appends the same text several times. A retried append is one operation.

use std::collections::BTreeMap;

use crate::history::{Entry, Function, KeyEffect};
use crate::id::{KeyId, NodeId, OpId, Value};

use super::facts::{ACCESSES, Facts};
use super::{Finding, Verdict, Witness, words};

/// An element that a list has too often.
#[derive(Clone, Copy, Debug)]
struct Repeated {
    key: KeyId,
    value: Value,
    times: u64,
    node: Option<NodeId>,
    read: Option<OpId>,
}

/// The operations that appended each element, and how often it may be in its list.
type Appended = BTreeMap<(KeyId, Value), (OpId, u64)>;

pub(super) fn check(facts: &Facts<'_>) -> Finding {
    if !facts.has_invoked(&[Function::Append]) {
        return Finding::of(None, vec![("appends", 0)]);
    }
    let appended = appended(facts);
    let mut figures = vec![("appends", 0)];
    figures[0].1 = appends(facts).filter(|(_, append)| append.is_ok()).count() as u64;
    if appended.is_empty() {
        return Finding::of(None, figures);
    }
    let in_reads = in_reads(facts, &appended);
    let at_end = at_end(facts, &appended);
    let lost = lost(facts);
    figures.extend([
        ("reads_of_repeated", in_reads.len() as u64),
        ("repeated_at_end", at_end.len() as u64),
        ("lost_appends", lost.len() as u64),
    ]);
    let repeated = at_end.first().or(in_reads.first());
    if repeated.is_none()
        && figures[0].1 > 0
        && let Some(reason) = facts.no_end()
    {
        return Finding::new(Verdict::Unknown(reason), figures);
    }
    let count = (in_reads.len() + at_end.len() + lost.len()) as u64;
    let witness = match (repeated, lost.first()) {
        (Some(repeated), _) => Some(repeated_witness(facts, &appended, repeated, count)),
        (None, Some(lost)) => Some(lost_witness(facts, *lost, count)),
        (None, None) => None,
    };
    Finding::of(witness, figures)
}

fn appends<'a>(facts: &Facts<'a>) -> impl Iterator<Item = (OpId, &'a Entry)> {
    facts.evidence.history.accesses().filter(|(_, entry)| entry.function == Function::Append)
}

fn appended(facts: &Facts<'_>) -> Appended {
    let mut appended = Appended::new();
    for (op, entry) in appends(facts).filter(|(_, entry)| entry.may_have_happened()) {
        let Some(value) = entry.value else { continue };
        appended.entry((entry.key, value)).or_insert((op, 0)).1 += 1;
    }
    appended
}

/// The first element that a list has more often than it was appended, and how often. An element
/// that only failed operations appended may be there once; that is another property's concern.
fn repeated(
    appended: &Appended,
    key: KeyId,
    elements: impl Iterator<Item = Value>,
) -> Option<(Value, u64)> {
    let mut times: BTreeMap<Value, u64> = BTreeMap::new();
    let mut first = None;
    for value in elements {
        let count = times.entry(value).or_default();
        *count += 1;
        let allowed = appended.get(&(key, value)).map_or(1, |(_, times)| *times);
        if *count > allowed {
            first = first.or(Some(value));
        }
    }
    first.map(|value| (value, times[&value]))
}

fn in_reads(facts: &Facts<'_>, appended: &Appended) -> Vec<Repeated> {
    let history = facts.evidence.history;
    let read = |(op, entry): (OpId, &Entry)| {
        let of_key = |effect: KeyEffect<'_>| {
            let (key, elements) = (effect.key, effect.found()?.elements()?);
            let (value, times) = repeated(appended, key, elements.iter().copied())?;
            Some(Repeated { key, value, times, node: entry.node, read: Some(op) })
        };
        history.effects(op).find_map(of_key)
    };
    history.accesses().filter_map(read).collect()
}

/// By key, the first live replica whose list has an element too often.
fn at_end(facts: &Facts<'_>, appended: &Appended) -> Vec<Repeated> {
    let mut found: BTreeMap<KeyId, Repeated> = BTreeMap::new();
    for snapshot in facts.evidence.finals.iter().filter(|snapshot| snapshot.up) {
        for (key, list) in &snapshot.lists {
            let elements = list.iter().map(|(_, value)| *value);
            if let Some((value, times)) = repeated(appended, *key, elements) {
                let node = Some(snapshot.node);
                let repeated = Repeated { key: *key, value, times, node, read: None };
                found.entry(*key).or_insert(repeated);
            }
        }
    }
    found.into_values().collect()
}

/// The acknowledged appends whose element no live replica holds, though nothing can have removed
/// it.
fn lost(facts: &Facts<'_>) -> Vec<OpId> {
    let history = facts.evidence.history;
    let mut held: Vec<(KeyId, Value)> = Vec::new();
    for snapshot in facts.evidence.finals.iter().filter(|snapshot| snapshot.up) {
        for (key, list) in &snapshot.lists {
            held.extend(list.iter().map(|(_, value)| (*key, *value)));
        }
    }
    held.sort_unstable();
    // By key, the place in the history until which something may have ended its list.
    let mut ended_until = vec![0; facts.newest.len()];
    let mut all_ended_until = 0;
    for (_, entry) in history.accesses().filter(|(_, entry)| entry.may_have_happened()) {
        match entry.function {
            Function::Put | Function::Delete => {
                let until = &mut ended_until[entry.key.0 as usize];
                *until = entry.end().max(*until);
            }
            Function::Clear => all_ended_until = entry.end().max(all_ended_until),
            Function::Get | Function::List | Function::ReadAll | Function::Append => {}
            Function::Cas | Function::Batch => unreachable!("{ACCESSES}"),
        }
    }
    let is_lost = |entry: &Entry, value| {
        let ended = ended_until[entry.key.0 as usize].max(all_ended_until);
        ended <= entry.invoked_seq && held.binary_search(&(entry.key, value)).is_err()
    };
    appends(facts)
        .filter(|(_, entry)| {
            entry.is_ok() && entry.value.is_some_and(|value| is_lost(entry, value))
        })
        .map(|(op, _)| op)
        .collect()
}

fn repeated_witness(
    facts: &Facts<'_>,
    appended: &Appended,
    repeated: &Repeated,
    count: u64,
) -> Witness {
    let names = facts.evidence.names();
    let history = facts.evidence.history;
    let Repeated { key, value, times, node, read } = *repeated;
    let append = appended.get(&(key, value)).copied();
    let by = append.map_or_else(
        || {
            format!(
                "the element {} of {}, of no append that may have happened,",
                names.value(value),
                names.key(key)
            )
        },
        |(op, _)| words::call_by(names, history.entry(op)),
    );
    let holder = node.map_or_else(|| "a node".to_owned(), |node| node.to_string());
    let place = match read.map(|read| history.entry(read)) {
        Some(read) => {
            format!(
                "{} found it {times} times, {}",
                words::call_by(names, read),
                words::answered(read)
            )
        }
        None => format!("{holder} holds it {times} times at the end"),
    };
    let operations = append.map(|(op, _)| op).into_iter().chain(read).collect();
    Witness {
        summary: format!("{by}: {place}{}", words::in_all(count, "cases")),
        count,
        operations,
        nodes: node.into_iter().collect(),
        write: None,
    }
}

fn lost_witness(facts: &Facts<'_>, op: OpId, count: u64) -> Witness {
    let entry = facts.evidence.history.entry(op);
    let summary = format!(
        "{} was {}; at the end no live replica has the element, and nothing that may have ended \
         the list explains that{}",
        words::call_by(facts.evidence.names(), entry),
        words::acknowledged(entry),
        words::in_all(count, "cases"),
    );
    Witness { summary, count, operations: vec![op], nodes: Vec::new(), write: entry.version }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Story;
    use super::*;
    use crate::property::Property::AppendUniqueness;

    fn two_appends() -> Story {
        let mut story = Story::new(2);
        story.append("c1", "log", "a").at(1).ok(2).version(5);
        story.append("c2", "log", "b").at(3).ok(9).version(8).attempt(6);
        story
    }

    #[test]
    fn every_element_once_is_right() {
        let mut story = two_appends();
        story.lists(1, "log", &[("a", 5), ("b", 8)]).lists(2, "log", &[("a", 5), ("b", 8)]);
        story.get("c1", "log", ("b", 8)).finds_list(&[0, 1]).at(20).ok(21);
        story.assert_valid(AppendUniqueness);
        assert_eq!(story.figure(AppendUniqueness, "appends"), 2);
    }

    #[test]
    fn a_retry_that_was_appended_twice_is_caught_at_the_end() {
        let mut story = two_appends();
        story.lists(1, "log", &[("a", 5), ("b", 6), ("b", 8)]);
        let witness = story.witness(AppendUniqueness);
        assert_eq!(witness.summary, "append b to log by c2: n1 holds it 2 times at the end");
        assert_eq!((witness.operations, witness.nodes), (vec![OpId(1)], vec![NodeId(0)]));
        story.down(1).lists(2, "log", &[("a", 5), ("b", 8)]).assert_valid(AppendUniqueness);
    }

    #[test]
    fn and_in_a_read() {
        let mut story = two_appends();
        story.lists(1, "log", &[("a", 5), ("b", 8)]);
        story.get("c1", "log", ("b", 8)).finds_list(&[0, 1, 1]).at(20).ok(21).by(2);
        assert_eq!(
            story.witness(AppendUniqueness).summary,
            "append b to log by c2: get log by c1 found it 2 times, from n2 at 0.021000000 s"
        );
        assert_eq!(story.figure(AppendUniqueness, "reads_of_repeated"), 1);
        story.read_all("c1", &[("log", "b", 8)]).finds_list(&[0, 1, 1]).at(22).ok(23);
        assert_eq!(story.figure(AppendUniqueness, "reads_of_repeated"), 2);
    }

    #[test]
    fn the_same_text_may_be_appended_by_two_operations() {
        let mut story = two_appends();
        story.append("c1", "log", "a").at(30).info(40);
        story.lists(1, "log", &[("a", 5), ("b", 8), ("a", 9)]);
        story.assert_valid(AppendUniqueness);
        story.lists(1, "log", &[("a", 5), ("b", 8), ("a", 9), ("a", 10)]);
        assert_eq!(story.figure(AppendUniqueness, "repeated_at_end"), 1);
    }

    #[test]
    fn a_lost_element_is_caught_though_a_later_one_survives() {
        let mut story = two_appends();
        story.lists(1, "log", &[("b", 8)]);
        let witness = story.witness(AppendUniqueness);
        assert_eq!(
            witness.summary,
            "append a to log by c1 was acknowledged by n1 at 0.002000000 s; at the end no live \
             replica has the element, and nothing that may have ended the list explains that"
        );
        assert_eq!((witness.operations, witness.write), (vec![OpId(0)], Some(story.stamp(5))));
    }

    #[test]
    fn what_ended_the_list_explains_what_is_missing() {
        let missing = |story: Story| story.figure(AppendUniqueness, "lost_appends");
        let appends = two_appends();
        assert_eq!(missing(appends.clone()), 2);
        // Complete before the second append; unknown; failed; a clear under way with both.
        assert_eq!(missing(appends.and(|story| story.delete("c3", "log").at(2).ok(2))), 1);
        assert_eq!(missing(appends.and(|story| story.put("c3", "log", "x").at(0).info(1))), 0);
        assert_eq!(missing(appends.and(|story| story.delete("c3", "log").at(20).fail(21))), 2);
        assert_eq!(missing(appends.and(|story| story.clear("c3", &[]).at(0).ok(20))), 0);
    }

    #[test]
    fn without_a_live_replica_nothing_is_known_to_be_lost() {
        let mut story = two_appends();
        story.down(1).down(2);
        assert_eq!(story.unknown(AppendUniqueness), "no node is up");
    }
}
