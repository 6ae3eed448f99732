//! Every algorithm against the dumb twin, over random histories.

use crate::id::OpId;

use super::brute::is_linearizable;
use super::judge::linearize;
use super::search::problem::SearchProblem;
use super::search::{Ending, ShownLists, search};
use super::split::Split;
use super::testing::{Draws, Recipe, history, is_order};
use super::zones::{ZoneVerdict, Zones};
use super::{Judgement, Operation, Operations, Others, Update, Why, check, order};

/// How many random histories each test takes. `HISTORIES` asks for another number.
fn histories() -> u64 {
    let asked = std::env::var("HISTORIES").ok().and_then(|number| number.parse().ok());
    asked.unwrap_or(20_000)
}

fn each_history(mut look: impl FnMut(u64, &Operations)) {
    for seed in 0..histories() {
        let mut draws = Draws::new(seed);
        let recipe = Recipe::small(&mut draws);
        look(seed, &history(&recipe, &mut draws));
    }
}

#[test]
fn verdicts_are_those_of_the_dumb_twin() {
    let mut verdicts = [0_u64; 2];
    each_history(|seed, operations| {
        let expected = is_linearizable(operations);
        let found = match check(operations, u64::MAX) {
            Judgement::Linearizable => true,
            Judgement::Contradictory(_) => false,
            Judgement::Unknown => panic!("seed {seed}: unknown without a bound"),
        };
        assert_eq!(found, expected, "seed {seed}: {operations:#?}");
        verdicts[usize::from(found)] += 1;
    });
    // Both verdicts are met often.
    assert!(verdicts.iter().all(|count| *count > histories() / 10), "{verdicts:?}");
}

#[test]
fn every_algorithm_that_applies_says_the_same() {
    let mut settled = [0_u64; 4];
    each_history(|seed, operations| {
        if order::fits(operations) {
            settled[0] += 1;
            assert!(is_linearizable(operations), "seed {seed}: the order fits");
        }
        let split = Split::of(operations);
        let lists = ShownLists::of(operations);
        let mut zones = Zones::new(operations.initial, operations.symbols);
        for key in operations.key_ids() {
            let of_zones = zones.judge(split.on_key(key), Operation::OPEN);
            let parts = std::iter::once(split.on_key(key));
            let problem = SearchProblem::new(operations, &lists, parts, Operation::OPEN, |_| true);
            let found = problem.map(|problem| search(&problem, &mut u64::MAX.clone()));
            match (of_zones, found) {
                (ZoneVerdict::Unsettled, _) => settled[3] += 1,
                (ZoneVerdict::Linearizable, Ok(Ending::Order(_))) => settled[1] += 1,
                (ZoneVerdict::Contradictory(_), Ok(Ending::NoOrder { .. }) | Err(_)) => {
                    settled[2] += 1;
                }
                (zones, search) => {
                    panic!("seed {seed}, {key:?}: {zones:?}, but {search:?}: {operations:#?}")
                }
            }
        }
    });
    assert!(settled.iter().all(|count| *count > histories() / 50), "{settled:?}");
}

#[test]
fn the_order_of_a_linearizable_history_is_one() {
    each_history(|seed, operations| {
        let order = linearize(operations, u64::MAX);
        assert_eq!(order.is_some(), is_linearizable(operations), "seed {seed}");
        if let Some(order) = order {
            assert!(is_order(operations, &order), "seed {seed}: {order:?} {operations:#?}");
        }
    });
}

/// The history as it was just before `until`. Operations that do not bind may take effect at any
/// time, or never, and what they were told is forgotten.
fn weakened(operations: &Operations, until: u32, binds: impl Fn(OpId) -> bool) -> Operations {
    let mut weak = Operations::new(operations.initial);
    // Every key is known, so that reads of the whole store see the same.
    weak.keys = operations.keys;
    for id in operations.ids() {
        let operation = *operations.get(id);
        let op = weak.call(operation.process, if binds(id) { operation.call } else { 0 });
        let steps = operations.steps(id);
        let is_read = steps.iter().all(|step| step.change == Update::Nothing)
            && operation.others != Others::Removed;
        let is_open = operation.ret >= until || !binds(id);
        if operation.call >= until || is_open && is_read {
            continue;
        }
        let ret = if is_open { Operation::OPEN } else { operation.ret };
        weak.answer(op, ret, steps.iter().copied(), operation.others);
    }
    weak
}

#[test]
fn a_contradiction_is_one_and_none_of_it_can_be_left_out() {
    let mut sizes = [0_u64; 9];
    each_history(|seed, operations| {
        let Judgement::Contradictory(found) = check(operations, u64::MAX) else { return };
        sizes[found.operations.len()] += 1;
        let ret = operations.get(found.first).ret;
        let contradicts = |until: u32, kept: &[OpId]| {
            !is_linearizable(&weakened(operations, until, |op| kept.contains(&op)))
        };
        let all: Vec<OpId> = operations.ids().collect();
        let context = || format!("seed {seed}: {found:?} {operations:#?}");
        assert!(contradicts(ret + 1, &all), "{}", context());
        // Of several operations on one key each is needed.
        assert!(contradicts(ret + 1, &found.operations), "{}", context());
        // A write called too late is named for the reader's sake: it does not count anyway.
        let is_needed = |op: &OpId| match found.why {
            Why::BeforeItsWrite { write, .. } => *op != write,
            _ => true,
        };
        for i in (0..found.operations.len()).filter(|i| is_needed(&found.operations[*i])) {
            let mut fewer = found.operations.clone();
            fewer.remove(i);
            assert!(!contradicts(ret + 1, &fewer), "without {i}: {}", context());
        }
        let whole = operations.ids().any(|op| operations.get(op).others != Others::Untouched);
        if !whole {
            assert!(!contradicts(ret, &all), "{}", context());
        }
    });
    assert!(sizes[1..5].iter().all(|count| *count > 0), "{sizes:?}");
}
