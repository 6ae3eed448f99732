//! Random histories for tests: what one copy of the data would have answered, and the same with one
//! answer changed.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::id::{KeyId, NodeId, OpId, Version};

use super::brute::take_effect;
use super::model::{Content, Expects, Step, Update};
use super::operations::{Operation, Operations, Others};

/// What a random history consists of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipe {
    pub(super) operations: u32,
    pub(super) keys: u32,
    pub(super) processes: u32,
    /// Whether no two writes write the same.
    pub(super) unique: bool,
    /// Whether keys hold lists that are appended to.
    pub(super) appends: bool,
    /// Whether a write makes a key hold a value rather than a sequence.
    pub(super) values: bool,
    pub(super) deletes: bool,
    pub(super) compares: bool,
    /// Whether some operations are on the whole store.
    pub(super) whole: bool,
    /// Of how many operations one has an unknown outcome; 0 for none.
    pub(super) unknown_one_in: u32,
    /// Whether answers tell versions, and reads of nothing the removal.
    pub(super) told: bool,
    /// Whether two versions are exchanged: a clock was wrong.
    pub(super) exchanged: bool,
    /// Whether one answer is changed at the end.
    pub(super) changed: bool,
}

/// Draws by number.
pub(super) struct Draws(ChaCha8Rng);

impl Draws {
    pub(super) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        self.0.next_u32() % bound
    }

    pub(super) fn one_in(&mut self, many: u32) -> bool {
        many > 0 && self.below(many) == 0
    }
}

impl Recipe {
    /// What a write of `symbol` makes of a key.
    const fn set(&self, symbol: u32) -> Content {
        if self.values { Content::value(symbol) } else { Content::of(symbol) }
    }

    /// A recipe for histories that a brute twin can judge.
    pub(super) fn small(draws: &mut Draws) -> Self {
        Self {
            operations: 1 + draws.below(8),
            keys: 1 + draws.below(2),
            processes: 1 + draws.below(5),
            unique: !draws.one_in(3),
            appends: draws.one_in(3),
            values: draws.one_in(2),
            deletes: draws.one_in(2),
            compares: draws.one_in(4),
            whole: draws.one_in(4),
            unknown_one_in: [0, 2, 4][draws.below(3) as usize],
            told: draws.one_in(2),
            exchanged: draws.one_in(4),
            changed: draws.one_in(2),
        }
    }
}

/// An operation being made.
struct Making {
    op: OpId,
    process: u32,
    steps: Vec<Step>,
    others: Others,
    has_effect: bool,
    rank: Option<u32>,
}

struct Maker<'a> {
    recipe: &'a Recipe,
    draws: &'a mut Draws,
    store: Vec<Content>,
    /// By key, its symbols, and what removed it last.
    symbols: Vec<Vec<u32>>,
    removed: Vec<Option<OpId>>,
    /// By key, the rank of its last write.
    ranks: Vec<Option<u32>>,
    written: u32,
    effects: u32,
    /// Every list that a key has held.
    seen: Vec<(Content, Vec<u32>)>,
}

/// A history by this recipe.
pub(super) fn history(recipe: &Recipe, draws: &mut Draws) -> Operations {
    let keys = recipe.keys as usize;
    let mut maker = Maker {
        recipe,
        draws,
        store: vec![Content::ABSENT; keys],
        symbols: vec![Vec::new(); keys],
        removed: vec![None; keys],
        ranks: vec![None; keys],
        written: 0,
        effects: 0,
        seen: Vec::new(),
    };
    let mut operations = Operations::new(Content::ABSENT);
    let mut under_way: Vec<Making> = Vec::new();
    let mut free: Vec<u32> = (0..recipe.processes).collect();
    let mut finished: Vec<(Making, u32)> = Vec::new();
    let mut place = 0;
    let mut called = 0;
    while called < recipe.operations || !under_way.is_empty() {
        let calls = called < recipe.operations && !free.is_empty();
        match maker.draws.below(3) {
            0 if calls => {
                let process = free.swap_remove(maker.draws.below(free.len() as u32) as usize);
                let op = operations.call(process, place);
                under_way.push(maker.asked(op, process));
                called += 1;
                place += 1;
            }
            1 if !under_way.is_empty() => {
                let which = maker.draws.below(under_way.len() as u32) as usize;
                maker.take_effect(&mut under_way[which]);
            }
            2 if !under_way.is_empty() => {
                let which = maker.draws.below(under_way.len() as u32) as usize;
                let mut making = under_way.swap_remove(which);
                let is_unknown = maker.draws.one_in(recipe.unknown_one_in);
                let ret = if is_unknown { Operation::OPEN } else { place };
                if !is_unknown {
                    maker.take_effect(&mut making);
                }
                free.push(making.process);
                place += 1;
                finished.push((making, ret));
            }
            _ => {}
        }
    }
    if recipe.exchanged {
        maker.exchange_versions(&mut finished);
    }
    if recipe.changed {
        maker.change_an_answer(&mut finished);
    }
    for (making, ret) in finished {
        let is_read = making.steps.iter().all(|step| step.change == Update::Nothing)
            && making.others != Others::Removed;
        if ret == Operation::OPEN && is_read {
            continue;
        }
        for step in &making.steps {
            if let (Expects::Holds(content), true) = (step.expects, recipe.appends) {
                let list = maker.symbols_of(content);
                operations.shows(&list);
            }
        }
        operations.answer(making.op, ret, making.steps, making.others);
        if let (true, Some(rank)) = (recipe.told, making.rank) {
            let version = Version { timestamp: rank.into(), node: NodeId(0), sequence: 1 };
            operations.rank(making.op, version);
        }
    }
    operations
}

impl Maker<'_> {
    /// What the process asks. The answer comes with the effect.
    fn asked(&mut self, op: OpId, process: u32) -> Making {
        let key = KeyId(self.draws.below(self.recipe.keys));
        let mut others = Others::Untouched;
        let steps = match self.draws.below(8) {
            0 if self.recipe.whole => {
                others = Others::SeenAbsent;
                Vec::new()
            }
            1 if self.recipe.whole && self.recipe.deletes => {
                others = Others::Removed;
                Vec::new()
            }
            2 if self.recipe.deletes => vec![Step::write(key, Update::Remove)],
            3 if self.recipe.compares => {
                let from = Content::of(self.draws.below(3));
                let expects = Expects::Holds(from);
                vec![Step { key, expects, change: Update::Set(Content::of(self.symbol())) }]
            }
            2..5 if self.recipe.appends => {
                vec![Step::write(key, Update::Append(Content::of(self.symbol())))]
            }
            3..6 => vec![Step::write(key, Update::Set(self.recipe.set(self.symbol())))],
            _ => vec![Step::read(key, Expects::Anything)],
        };
        Making { op, process, steps, others, has_effect: false, rank: None }
    }

    fn symbol(&mut self) -> u32 {
        self.written += 1;
        if self.recipe.unique { self.written } else { self.draws.below(3) }
    }

    /// Lets an operation take effect and learn its answer, once.
    fn take_effect(&mut self, making: &mut Making) {
        if making.has_effect {
            return;
        }
        making.has_effect = true;
        self.effects += 1;
        let is_write = making.others == Others::Removed
            || making.steps.iter().any(|step| step.change != Update::Nothing);
        if is_write {
            making.rank = Some(self.effects);
        }
        if making.others == Others::SeenAbsent {
            let shown = (0..).map(KeyId).zip(&self.store).filter(|(_, held)| !held.is_absent());
            making.steps =
                shown.map(|(key, held)| Step::read(key, Expects::Holds(*held))).collect();
            if self.draws.one_in(3) {
                for step in &mut making.steps {
                    step.expects = Expects::Present;
                }
            }
            making.rank = self.ranks.iter().copied().flatten().max();
            return;
        }
        if making.others == Others::Removed {
            for key in 0..self.store.len() {
                self.change(key, Update::Remove, making);
            }
            return;
        }
        for i in 0..making.steps.len() {
            let step = making.steps[i];
            let key = step.key.0 as usize;
            if let Expects::Holds(_) = step.expects {
                // A compare-and-set.
                if step.apply(self.store[key]).is_none() {
                    let Expects::Holds(from) = step.expects else { continue };
                    making.steps[i] = Step::read(step.key, Expects::HoldsNot(from));
                    making.rank = self.ranks[key];
                    return;
                }
            }
            if step.change == Update::Nothing {
                making.steps[i].expects = self.answer(key);
                making.rank = self.ranks[key];
            } else {
                self.change(key, step.change, making);
            }
        }
    }

    fn answer(&mut self, key: usize) -> Expects {
        let held = self.store[key];
        match held.last() {
            None => Expects::Absent { by: self.removed[key].filter(|_| self.recipe.told) },
            Some(last) if self.recipe.appends && self.draws.one_in(4) => Expects::EndsWith(last),
            Some(_) => Expects::Holds(held),
        }
    }

    fn change(&mut self, key: usize, change: Update, making: &Making) {
        self.ranks[key] = making.rank;
        let was_value = self.store[key].is_value();
        let step = Step::write(KeyId(key as u32), change);
        self.store[key] = step.apply(self.store[key]).expect("it expects nothing");
        match change {
            Update::Nothing => {}
            Update::Set(content) => self.symbols[key] = content.last().into_iter().collect(),
            Update::Append(content) => {
                if was_value {
                    self.symbols[key].clear();
                }
                self.symbols[key].extend(content.last());
            }
            Update::Remove => {
                self.symbols[key].clear();
                self.removed[key] = Some(making.op);
            }
        }
        self.seen.push((self.store[key], self.symbols[key].clone()));
    }

    fn symbols_of(&self, content: Content) -> Vec<u32> {
        let found = self.seen.iter().find(|(held, _)| *held == content);
        found.map(|(_, list)| list.clone()).unwrap_or_default()
    }

    /// Gives the version of one operation to another, and the other way round.
    fn exchange_versions(&mut self, finished: &mut [(Making, u32)]) {
        let mut one = || self.draws.below(finished.len() as u32) as usize;
        let (a, b) = (one(), one());
        let (rank_a, rank_b) = (finished[a].0.rank, finished[b].0.rank);
        (finished[a].0.rank, finished[b].0.rank) = (rank_b, rank_a);
    }

    /// Changes what one operation was told about one key.
    fn change_an_answer(&mut self, finished: &mut [(Making, u32)]) {
        let told = |(making, ret): &(Making, u32)| {
            *ret != Operation::OPEN
                && making.steps.iter().any(|step| step.expects != Expects::Anything)
        };
        let count = finished.iter().filter(|one| told(one)).count() as u32;
        if count == 0 {
            return;
        }
        let which = self.draws.below(count) as usize;
        let Some((making, _)) = finished.iter_mut().filter(|one| told(one)).nth(which) else {
            return;
        };
        let step = &mut making.steps[0];
        let other = self.draws.below(self.seen.len() as u32 + 2) as usize;
        step.expects = match self.seen.get(other) {
            None => Expects::Absent { by: None },
            Some((held, list)) => match *list.as_slice() {
                [] => Expects::Absent { by: None },
                [.., last] if self.draws.one_in(5) => Expects::EndsWith(last),
                [first, ref middle @ .., last] if self.draws.one_in(5) => {
                    let swapped = [&[last], middle, &[first]].concat();
                    let held = Content::sequence(&swapped);
                    self.seen.push((held, swapped));
                    Expects::Holds(held)
                }
                _ => Expects::Holds(*held),
            },
        };
    }
}

/// Whether `order` is one that the operations may have taken effect in.
pub(super) fn is_order(operations: &Operations, order: &[OpId]) -> bool {
    let mut store = vec![operations.initial; operations.keys as usize];
    let fits = order.iter().all(|op| match take_effect(operations, &store, *op) {
        Some(after) => {
            store = after;
            true
        }
        None => false,
    });
    let place = |op: &OpId| order.iter().position(|other| other == op);
    let complete = operations.ids().all(|op| {
        let operation = operations.get(op);
        operation.is_open() || operation.is_silent() || place(&op).is_some()
    });
    let in_time = order.iter().enumerate().all(|(i, op)| {
        order[..i].iter().all(|earlier| !operations.get(*op).precedes(operations.get(*earlier)))
    });
    fits && complete && in_time
}
