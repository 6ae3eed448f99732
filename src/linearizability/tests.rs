//! Every algorithm against the dumb twin, over random histories.

use crate::id::{KeyId, NodeId, OpId, Version};

use super::brute::is_linearizable;
use super::judge::linearize;
use super::search::problem::SearchProblem;
use super::search::{Ending, ShownLists, search};
use super::split::Split;
use super::testing::{Draws, Recipe, history, is_order};
use super::zones::{ZoneVerdict, Zones};
use super::{
    Answered, Asked, Content, Expects, Judgement, Operation, Operations, Others, Step, Update, Why,
    check, order,
};

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
        // On the keys of the contradiction alone, a clear that does not bind is a delete.
        if operations.ids().any(|op| operations.get(op).others != Others::Untouched) {
            return;
        }
        // These writes are named for the reader's sake: without them nothing else was written.
        let is_needed = |op: &OpId| match found.why {
            Why::BeforeItsWrite { write, .. } | Why::TwoPlaces { write, .. } => *op != write,
            _ => true,
        };
        for i in (0..found.operations.len()).filter(|i| is_needed(&found.operations[*i])) {
            let mut fewer = found.operations.clone();
            fewer.remove(i);
            assert!(!contradicts(ret + 1, &fewer), "without {i}: {}", context());
        }
        assert!(!contradicts(ret, &all), "{}", context());
    });
    assert!(sizes[1..5].iter().all(|count| *count > 0), "{sizes:?}");
}

/// A history written down: process, what it asks, when it is called and returns (`OPEN`: never),
/// and what it is told.
type Line = (Asked, u32, u32, Answered);

const OPEN: u32 = Operation::OPEN;

fn read(symbol: u32, call: u32, ret: u32) -> Line {
    (Asked::Read, call, ret, Answered::Held(Content::value(symbol)))
}

const fn nothing(call: u32, ret: u32) -> Line {
    (Asked::Read, call, ret, Answered::Held(Content::ABSENT))
}

const fn ask(asked: Asked, call: u32, ret: u32) -> Line {
    (asked, call, ret, Answered::Done)
}

fn write(symbol: u32, call: u32, ret: u32) -> Line {
    ask(Asked::Write(Content::value(symbol)), call, ret)
}

fn cas(from: u32, to: u32, call: u32, ret: u32) -> Line {
    let (from, to) = (Content::value(from), Content::value(to));
    ask(Asked::CompareAndSet { from, to }, call, ret)
}

fn of(lines: &[Line]) -> Operations {
    let mut operations = Operations::new(Content::ABSENT);
    for (process, (asked, call, ret, answered)) in (0..).zip(lines) {
        let op = operations.call(process, *call);
        operations.answer(op, *ret, asked.step(KeyId(0), *answered), Others::Untouched);
    }
    operations
}

#[test]
fn small_histories_have_the_verdicts_that_one_expects() {
    let refused = |call, ret| {
        let asked = Asked::CompareAndSet { from: Content::value(1), to: Content::value(9) };
        (asked, call, ret, Answered::Mismatch)
    };
    let histories: [(&str, Vec<Line>, bool); 16] = [
        ("a read of the last write", vec![write(1, 0, 1), read(1, 2, 3)], true),
        ("a read of the write under way", vec![write(1, 0, 3), read(1, 1, 2)], true),
        ("a read before the write under way", vec![write(1, 0, 3), nothing(1, 2)], true),
        ("a read of nothing after a write", vec![write(1, 0, 1), nothing(2, 3)], false),
        (
            "new, then old, while the write is under way",
            vec![write(1, 0, 1), write(2, 2, 7), read(2, 3, 4), read(1, 5, 6)],
            false,
        ),
        (
            "two reads under way see two orders",
            vec![write(1, 0, 1), write(2, 2, 3), read(1, 4, 5)],
            false,
        ),
        (
            "a write of unknown outcome, late",
            vec![write(1, 0, OPEN), nothing(1, 2), read(1, 3, 4)],
            true,
        ),
        (
            "a write of unknown outcome, undone",
            vec![write(1, 0, OPEN), read(1, 1, 2), nothing(3, 4)],
            false,
        ),
        (
            "a delete that comes back",
            vec![write(1, 0, 1), ask(Asked::Delete, 2, 3), nothing(4, 5), read(1, 6, 7)],
            false,
        ),
        (
            "a chain of compare-and-sets",
            vec![write(1, 0, 1), cas(2, 3, 2, 5), cas(1, 2, 3, 4)],
            true,
        ),
        (
            "one compare-and-set too many",
            vec![write(1, 0, 1), cas(1, 2, 2, 3), cas(1, 3, 4, 5)],
            false,
        ),
        ("a refusal while it would have fitted", vec![write(1, 0, 1), refused(2, 3)], false),
        (
            "a refusal that a write explains",
            vec![write(1, 0, 1), write(2, 2, 5), refused(3, 4)],
            true,
        ),
        ("a lock taken twice", vec![ask(Asked::Acquire, 0, 1), ask(Asked::Acquire, 2, 3)], false),
        (
            "a lock handed on",
            vec![ask(Asked::Acquire, 0, 1), ask(Asked::Acquire, 2, 5), ask(Asked::Release, 3, 4)],
            true,
        ),
        (
            "a lock that was perhaps given back",
            vec![
                ask(Asked::Acquire, 0, 1),
                ask(Asked::Release, 2, OPEN),
                ask(Asked::Acquire, 3, 4),
            ],
            true,
        ),
    ];
    for (what, lines, expected) in histories {
        let operations = of(&lines);
        assert_eq!(is_linearizable(&operations), expected, "{what}");
        match check(&operations, 1_000) {
            Judgement::Linearizable => assert!(expected, "{what}"),
            Judgement::Contradictory(found) => {
                assert!(!expected && found.operations.len() <= 4, "{what}: {found:?}");
            }
            Judgement::Unknown => panic!("{what}: unknown"),
        }
    }
}

/// Forty writes of unknown outcome and a read too many: by identity that is 2^40 configurations, by
/// kind some hundred.
#[test]
fn operations_of_unknown_outcome_that_do_the_same_cost_little() {
    let mut lines = Vec::new();
    for i in 0..40 {
        lines.push(write(1 + i % 2, i, OPEN));
    }
    for i in 0..40 {
        lines.push(read(1 + i % 2, 40 + 2 * i, 41 + 2 * i));
    }
    assert_eq!(check(&of(&lines), 20_000), Judgement::Linearizable);
    // One more than there are writes.
    lines.push(read(1, 120, 121));
    assert!(matches!(check(&of(&lines), 20_000), Judgement::Contradictory(_)));
}

/// Two reads show different lists, and thirty appends that nobody saw may have happened: they take
/// no part, although the appends that were seen expect lists that no read shows alone.
#[test]
fn appends_that_nobody_saw_cost_nothing() {
    const LISTS: [&[u32]; 2] = [&[0, 1, 2], &[0, 1, 3]];
    let append = |symbol, call, ret| ask(Asked::Append(Content::of(symbol)), call, ret);
    let mut lines = vec![append(0, 0, 1), append(1, 2, 3), append(2, 4, 5)];
    lines.extend((3..34).map(|symbol| append(symbol, 3 + symbol, OPEN)));
    for (i, list) in (0..).zip(LISTS) {
        let found = Answered::Held(Content::sequence(list));
        lines.push((Asked::Read, 40 + 2 * i, 41 + 2 * i, found));
    }
    let mut operations = of(&lines);
    LISTS.iter().for_each(|list| operations.shows(list));
    assert!(matches!(check(&operations, 20_000), Judgement::Contradictory(_)));
}

/// Ten appends that no read shows are under way at once, and return before the one that a read
/// shows: in which order they came nobody can tell, and nobody asks.
#[test]
fn appends_that_no_read_shows_need_no_order() {
    let append = |symbol, call, ret| ask(Asked::Append(Content::of(symbol)), call, ret);
    let mut lines = Vec::new();
    lines.extend((0..10).map(|i| append(10 + i, i, 12 + i)));
    lines.push(append(0, 10, 22));
    lines.push((Asked::Read, 11, 23, Answered::Held(Content::of(0))));
    assert_eq!(check(&of(&lines), 1_000), Judgement::Linearizable);
    lines.push((Asked::Read, 24, 25, Answered::Held(Content::of(0))));
    assert!(matches!(check(&of(&lines), 1_000), Judgement::Contradictory(_)));
}

/// The append of 2 returned before that of 1 was called, and a read shows 1 alone.
#[test]
fn an_append_that_no_read_shows_may_still_come_too_early() {
    let append = |symbol, call, ret| ask(Asked::Append(Content::of(symbol)), call, ret);
    let shows_1 = (Asked::Read, 1, 10, Answered::Held(Content::of(1)));
    let lines = [append(2, 0, 3), shows_1, append(1, 8, 13)];
    assert!(matches!(check(&of(&lines), 1_000), Judgement::Contradictory(_)));
    let lines = [append(2, 0, 9), shows_1, append(1, 8, 13)];
    assert_eq!(is_linearizable(&of(&lines)), check(&of(&lines), 1_000) == Judgement::Linearizable);
}

/// A value written twice, or a compare-and-set that never took effect, hides no contradiction
/// between the others.
#[test]
fn what_zones_cannot_tell_hides_nothing() {
    let concurrent = (0..24).map(|i| write(10 + i, 10 + i, 100 + i));
    let mut lines: Vec<Line> = concurrent.collect();
    lines.extend([write(7, 0, 1), write(7, 2, 3), cas(77, 78, 4, OPEN)]);
    lines.extend([read(10, 200, 201), read(11, 202, 203), read(10, 204, 205)]);
    let Judgement::Contradictory(found) = check(&of(&lines), 1_000) else {
        panic!("10 came back after 11");
    };
    assert_eq!(found.operations.len(), 3, "{found:?}");
}

/// Twenty writes and as many reads are under way at once. A value that was written twice before,
/// and a compare-and-set with what nobody wrote, make no search of it.
#[test]
fn many_writes_under_way_need_no_search() {
    let concurrent = (0..20).map(|i| write(10 + i, 10 + i, 100 + i));
    let mut lines: Vec<Line> = concurrent.collect();
    lines.extend([write(7, 0, 1), write(7, 2, 3), cas(77, 78, 4, OPEN)]);
    lines.extend((0..20).map(|i| read(10 + i, 40 + i, 150 + i)));
    lines.push(read(29, 200, 201));
    let operations = of(&lines);
    assert_eq!(check(&operations, 0), Judgement::Linearizable);
    let order = linearize(&operations, 0).expect("the zones give one");
    assert!(is_order(&operations, &order), "{order:?}");
}

/// Memory grows with the operations and the keys, by a few bytes for each pair at most.
#[test]
fn operations_on_the_whole_store_stand_on_every_key() {
    let mut operations = Operations::new(Content::ABSENT);
    for key in 0..300 {
        let put = operations.call(0, 4 * key);
        let step = Step::write(KeyId(key), Update::Set(Content::value(key)));
        operations.answer(put, 4 * key + 1, [step], Others::Untouched);
        let clear = operations.call(1, 4 * key + 2);
        operations.answer(clear, 4 * key + 3, [], Others::Removed);
    }
    let split = Split::of(&operations);
    for key in operations.key_ids() {
        let on_key: Vec<Update> = split.on_key(key).map(|on| on.step.change).collect();
        assert_eq!(on_key.len(), 301);
        assert_eq!(on_key[key.0 as usize], Update::Set(Content::value(key.0)));
    }
    assert_eq!(check(&operations, 1_000_000), Judgement::Linearizable);
}

/// On which key, what it does, when, and with which version.
fn on_keys(lines: &[(u32, Line, i64)]) -> Operations {
    let mut operations = Operations::new(Content::ABSENT);
    for (process, (key, (asked, call, ret, answered), stamp)) in (0..).zip(lines) {
        let op = operations.call(process, *call);
        operations.answer(op, *ret, asked.step(KeyId(*key), *answered), Others::Untouched);
        operations.rank(op, Version { timestamp: *stamp, node: NodeId(0), sequence: 1 });
    }
    operations
}

#[test]
fn a_read_comes_after_writes_of_other_keys_that_had_returned() {
    let lines = [(0, write(1, 0, 1), 1), (1, write(2, 2, 3), 2), (0, read(1, 4, 5), 1)];
    assert!(order::fits(&on_keys(&lines)));
}

/// A clock was wrong: by versions the second write is the older one, and so a client reads.
#[test]
fn versions_do_not_excuse_what_came_in_another_order() {
    let lines = [(0, write(1, 0, 1), 9), (0, write(2, 2, 3), 4), (0, read(1, 4, 5), 9)];
    let operations = on_keys(&lines);
    assert!(!order::fits(&operations));
    assert!(matches!(check(&operations, 1_000), Judgement::Contradictory(_)));
}

#[test]
fn of_several_keys_the_first_that_breaks_is_told() {
    let broken =
        |key, at| [(key, write(1 + key, at, at + 1), 1), (key, nothing(at + 2, at + 3), 1)];
    for places in [[10, 0, 20], [0, 10, 20], [20, 10, 0]] {
        let lines: Vec<_> = (0..).zip(places).flat_map(|(key, at)| broken(key, at)).collect();
        let operations = on_keys(&lines);
        let Judgement::Contradictory(found) = check(&operations, 1_000) else {
            panic!("every key is broken");
        };
        assert_eq!(operations.get(found.first).ret, 3, "{places:?}: {found:?}");
    }
}

/// One of nine writes under way came last, and compare-and-sets with each of the nine are refused:
/// there are 9! orders, but some 2^9 sets of writes with 9 values each.
#[test]
fn a_configuration_is_entered_once() {
    let mut lines: Vec<Line> = (0..9).map(|i| write(i, i, 20 + i)).collect();
    lines.extend((0..9).map(|i| {
        let asked = Asked::CompareAndSet { from: Content::value(i), to: Content::value(50) };
        (asked, 30 + 2 * i, 31 + 2 * i, Answered::Mismatch)
    }));
    assert!(matches!(check(&of(&lines), 200_000), Judgement::Contradictory(_)));
    assert_eq!(check(&of(&lines[..17]), 200_000), Judgement::Linearizable);
}

/// A read of the whole store shows that one key's list began after the other key's append had
/// returned, and does not show that one.
#[test]
fn an_append_that_no_read_shows_may_come_too_early_for_another_key() {
    let mut operations = Operations::new(Content::ABSENT);
    let read = operations.call(0, 0);
    let append = |key, symbol| Step::write(KeyId(key), Update::Append(Content::of(symbol)));
    let early = operations.call(1, 1);
    operations.answer(early, 3, [append(0, 4)], Others::Untouched);
    let late = operations.call(2, 4);
    operations.answer(late, OPEN, [append(1, 5)], Others::Untouched);
    let shows = Step::read(KeyId(1), Expects::Holds(Content::of(5)));
    operations.answer(read, 6, [shows], Others::SeenAbsent);
    assert!(!is_linearizable(&operations));
    assert!(matches!(check(&operations, 1_000), Judgement::Contradictory(_)));
}

/// Forty writes of unknown outcome and of values that nobody saw, and a lost compare-and-set.
#[test]
fn writes_that_nobody_saw_cost_nothing() {
    let mut lines: Vec<Line> = (0..40).map(|i| write(100 + i, i, OPEN)).collect();
    lines.extend([write(1, 40, 41), cas(1, 2, 42, 43), cas(1, 3, 44, 45)]);
    assert!(matches!(check(&of(&lines), 1_000), Judgement::Contradictory(_)));
}

#[test]
fn a_search_without_steps_says_nothing() {
    let lines = [write(1, 0, 1), write(1, 2, 3), read(1, 4, 5)];
    assert_eq!(check(&of(&lines), 1), Judgement::Unknown);
    assert_eq!(check(&of(&lines), 100), Judgement::Linearizable);
}
