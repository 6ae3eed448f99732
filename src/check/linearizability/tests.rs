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
        done & 1 << op.0 == 0 && (entry.is_ok() || entry.is_write() && entry.may_have_happened())
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
            Function::Append | Function::Cas | Function::Batch => {
                unreachable!("no story has these")
            }
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
