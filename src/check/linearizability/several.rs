//! Compare-and-sets and batches, against an order that is looked for by trying all.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::testing::Story;
use super::super::testing::several::Part;
use crate::check::{Evidence, ExpectedVerdict};
use crate::history::{Entry, Failure, Function, History, Status};
use crate::id::{OpId, Value};
use crate::operation::Operation;
use crate::property::Property::Linearizability;

const KEYS: [&str; 2] = ["k0", "k1"];
const TEXTS: [&str; 4] = ["a", "b", "c", "d"];

/// What is in the store, by key.
type Held = [Option<Value>; 2];

/// What a store holds after an operation that took effect; `None`: its answer says that it held
/// something else.
fn after(history: &History, op: OpId, entry: &Entry, mut store: Held) -> Option<Held> {
    let key = entry.key.0 as usize;
    let is_done = entry.status != Status::Fail;
    let found = |access: OpId| history.entry(access).value;
    match entry.function {
        Function::Put => store[key] = entry.value,
        Function::Get => return (store[key] == entry.value).then_some(store),
        Function::Cas if is_done => {
            if store[key] != entry.over {
                return None;
            }
            store[key] = entry.value;
        }
        Function::Cas => {
            let (read, _) = history.accesses_of(op).next().expect("it reads");
            return (store[key] == found(read)).then_some(store);
        }
        Function::Batch if is_done => {
            for (part, access) in history.parts(op).iter().zip(history.part_accesses(op)) {
                let held = &mut store[part.key().expect("a key").0 as usize];
                match *part {
                    Operation::Put { value, .. } => *held = Some(value),
                    Operation::Delete { .. } => *held = None,
                    Operation::Get { .. } if !entry.is_ok() => {}
                    Operation::Get { .. } if *held == found(access) => {}
                    Operation::Cas { from, to, .. } if *held == from => *held = Some(to),
                    Operation::Get { .. } | Operation::Cas { .. } => return None,
                    Operation::Append { .. }
                    | Operation::List
                    | Operation::ReadAll
                    | Operation::Clear
                    | Operation::Batch(_) => unreachable!("no story has these"),
                }
            }
        }
        Function::Batch => {
            let read = history.accesses_of(op).find(|(_, access)| access.is_ok());
            if let Some((_, access)) = read {
                return (store[access.key.0 as usize] == access.value).then_some(store);
            }
        }
        Function::Delete
        | Function::Append
        | Function::List
        | Function::ReadAll
        | Function::Clear => unreachable!("no story has these"),
    }
    Some(store)
}

/// Whether the operations can take effect one after another, by the texts that clients see.
fn is_possible(
    history: &History,
    done: u32,
    store: Held,
    seen: &mut BTreeSet<(u32, Held)>,
) -> bool {
    if !seen.insert((done, store)) {
        return false;
    }
    let is_told = |entry: &Entry| entry.is_ok() || entry.failure == Some(Failure::Mismatch);
    let is_left = |(op, entry): &(OpId, &Entry)| {
        let may = is_told(entry) || entry.is_write() && entry.may_have_happened();
        done & 1 << op.0 == 0 && may
    };
    let left: Vec<(OpId, &Entry)> = history.iter().filter(is_left).collect();
    left.iter().all(|(_, entry)| !is_told(entry))
        || left.iter().any(|(op, entry)| {
            let first = left.iter().all(|(_, other)| !is_told(other) || !other.precedes(entry));
            let next = after(history, *op, entry, store).filter(|_| first);
            next.is_some_and(|next| is_possible(history, done | 1 << op.0, next, seen))
        })
}

/// Any story of puts, gets, compare-and-sets and batches on two keys, few of them impossible.
fn any_story() -> impl Strategy<Value = Story> {
    let operation = (0..3_u8, 0..10_u8, 1..4_u64, 0..6_u64, 0..8_u8, any::<u32>());
    prop::collection::vec(operation, 1..9).prop_map(|operations| {
        let mut story = Story::new(1);
        // Every text is known from the start.
        for text in TEXTS {
            story.put("c9", KEYS[0], text).at(0).fail(0);
        }
        story.put("c9", KEYS[1], TEXTS[0]).at(0).fail(0);
        let mut free = [1_u64; 3];
        for (i, (client, kind, gap, length, outcome, luck)) in operations.into_iter().enumerate() {
            let slot = usize::from(client);
            let (at, until) = (free[slot] + gap, free[slot] + gap + length);
            free[slot] = until;
            let name = format!("c{client}");
            let key = |shift: u32| KEYS[(luck >> shift & 1) as usize];
            let text = |shift: u32| TEXTS[(luck >> shift & 3) as usize];
            let maybe = |shift: u32| (luck >> (shift + 2) & 1 == 0).then(|| text(shift));
            let version = 10 + i as i64 * 4;
            let found = |shift| maybe(shift).map(|text| (text, 1));
            match kind {
                0 | 1 => story.put(&name, key(0), text(1)).version(version),
                2 | 3 => match maybe(1) {
                    Some(text) => story.get(&name, key(0), (text, 1)),
                    None => story.miss(&name, key(0)),
                },
                4 | 5 => story.cas(&name, key(0), maybe(1), text(4)).version(version),
                6 => {
                    story.mismatch(&name, key(0), maybe(1), found(4)).at(at).fail(until);
                    continue;
                }
                _ => {
                    let part = |place: u32| {
                        let version = version + i64::from(place);
                        let shift = place * 9;
                        match luck >> (27 + place) & 3 {
                            0 => Part::Put(key(shift), text(shift + 1), version),
                            1 => Part::Delete(key(shift), version),
                            2 => {
                                let from = maybe(shift + 1);
                                Part::Cas(key(shift), from, text(shift + 4), version)
                            }
                            _ => Part::Get(key(shift), found(shift + 1)),
                        }
                    };
                    let parts = [part(0), part(1), part(2)];
                    let line = story.batch(&name, &parts);
                    let compares = parts.iter().position(|part| matches!(part, Part::Cas(..)));
                    if let (Some(part), 0) = (compares, outcome) {
                        let key = parts[part].written();
                        if parts[..part].iter().any(|part| part.written() == key) {
                            line.because(Failure::Mismatch).at(at).fail(until);
                        } else {
                            line.mismatches_at(part, (text(20), 1)).at(at).fail(until);
                        }
                        continue;
                    }
                    line
                }
            }
            .at(at);
            let line = story.last();
            match outcome {
                0 | 1 => line.info(until),
                _ => line.ok(until),
            };
        }
        story
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn they_are_judged_as_by_an_order_that_is_looked_for(story in any_story()) {
        let expected = story.evidence(|evidence: &Evidence<'_>| {
            is_possible(evidence.history, 0, [None; 2], &mut BTreeSet::new())
        });
        let expected =
            if expected { ExpectedVerdict::Valid } else { ExpectedVerdict::Violation };
        prop_assert_eq!(story.judged(Linearizability), expected);
    }
}

/// The stories are not all impossible, nor all possible.
#[test]
fn the_stories_are_mixed() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let verdicts = (0..500).map(|_| {
        let story = any_story().new_tree(&mut runner).expect("a story").current();
        story.judged(Linearizability)
    });
    let valid = verdicts.filter(|verdict| *verdict == ExpectedVerdict::Valid).count();
    assert!((50..450).contains(&valid), "{valid} of 500 are possible");
}
