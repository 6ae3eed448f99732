//! From the cheap to the exact, key by key, then over the keys that operations join.

use crate::id::{KeyId, OpId};

use super::operations::{Operation, Operations};
use super::search::problem::SearchProblem;
use super::search::{Ending, ShownLists, search};
use super::split::Split;
use super::witness::{Contradiction, Judgement, Why};
use super::zones::{ZoneVerdict, Zones};
use super::{order, witness};

/// The steps that a search may take unless something else is asked for: some seconds' worth.
pub const BUDGET: u64 = 20_000_000;

/// Whether `operations` are linearizable, found in at most `budget` steps of the search.
#[must_use]
pub fn check(operations: &Operations, budget: u64) -> Judgement {
    if order::fits(operations) {
        return Judgement::Linearizable;
    }
    Judge::new(operations, budget).judge()
}

/// An order in which the operations of a linearizable history may have taken effect, without those
/// that need not have. `None` where none is found within the budget.
#[must_use]
pub fn linearize(operations: &Operations, budget: u64) -> Option<Vec<OpId>> {
    if let Some(order) = order::order(operations) {
        return Some(order);
    }
    // An order for each key, or for all the keys that operations join, merged into one.
    let mut judge = Judge::new(operations, budget);
    judge.lists = judge.lists.for_an_order();
    let joined = judge.split.joined();
    let mut is_joined = vec![false; operations.keys as usize];
    joined.iter().flatten().for_each(|key| is_joined[key.0 as usize] = true);
    let mut effects: Vec<(u32, OpId)> = Vec::new();
    let alone = operations.key_ids().filter(|key| !is_joined[key.0 as usize]);
    for keys in alone.map(|key| vec![key]).chain(joined) {
        effects.extend(judge.order(&keys)?);
    }
    // A read of the whole store, where no operation names a key.
    if operations.keys == 0 {
        let closed = operations.ids().map(|op| (operations.get(op), op));
        let closed = closed.filter(|(operation, _)| !operation.is_open() && !operation.is_silent());
        effects.extend(closed.map(|(operation, op)| (operation.call, op)));
    }
    // Each took effect just before an event, in this order; what is on other keys does not matter.
    effects.sort_by_key(|(place, _)| *place);
    Some(effects.into_iter().map(|(_, op)| op).collect())
}

/// What is known of a part of the history.
#[derive(Debug, PartialEq, Eq)]
enum PartVerdict {
    Linearizable,
    /// The zones of its values show that it is not.
    NotByZones(Why),
    /// What reads show of one element is enough.
    NotAtSight(Why),
    /// The search found no order. If that is exact, `first` is the first operation that cannot be
    /// placed; otherwise what is read later rules it out, and the history before its return is
    /// linearizable.
    NoOrder {
        first: OpId,
        is_exact: bool,
    },
    Unknown,
}

/// Keys on which the history is not linearizable.
struct Conviction {
    keys: Vec<KeyId>,
    not: PartVerdict,
    /// The first operation that cannot be placed.
    first: OpId,
}

struct Judge<'a> {
    operations: &'a Operations,
    split: Split<'a>,
    lists: ShownLists<'a>,
    zones: Zones,
    budget: u64,
}

impl<'a> Judge<'a> {
    fn new(operations: &'a Operations, budget: u64) -> Self {
        let zones = Zones::new(operations.initial, operations.symbols);
        let (split, lists) = (Split::of(operations), ShownLists::of(operations));
        Self { operations, split, lists, zones, budget }
    }

    fn judge(mut self) -> Judgement {
        let mut worst: Option<Conviction> = None;
        let mut is_unknown = false;
        let alone = self.operations.key_ids().map(|key| vec![key]);
        let joined = self.split.joined();
        for keys in alone.chain(joined) {
            // The parts of what is joined have shown enough.
            if keys.len() > 1 && worst.is_some() {
                break;
            }
            // Only what cannot be placed before the first that is known matters.
            let ret = |worst: &Conviction| self.operations.get(worst.first).ret;
            let until = worst.as_ref().map_or(Operation::OPEN, ret);
            match self.part(&keys, until) {
                PartVerdict::Linearizable => {}
                PartVerdict::Unknown => is_unknown = true,
                not @ (PartVerdict::NotByZones(_)
                | PartVerdict::NotAtSight(_)
                | PartVerdict::NoOrder { .. }) => {
                    let (not, first) = match not {
                        PartVerdict::NoOrder { first, is_exact: true } => (not, first),
                        not => self.first(&keys, not),
                    };
                    worst = Some(Conviction { keys, not, first });
                }
            }
        }
        match worst {
            Some(worst) => Judgement::Contradictory(self.contradiction(worst)),
            None if is_unknown => Judgement::Unknown,
            None => Judgement::Linearizable,
        }
    }

    /// What is known of the history on `keys` as it was before the place `until`.
    fn part(&mut self, keys: &[KeyId], until: u32) -> PartVerdict {
        if let [key] = *keys {
            match self.zones.judge(self.split.on_key(key), until) {
                ZoneVerdict::Linearizable => return PartVerdict::Linearizable,
                ZoneVerdict::Contradictory(why) => return PartVerdict::NotByZones(why),
                ZoneVerdict::Unsettled => {}
            }
        }
        match self.search(keys, until) {
            Err(why) => PartVerdict::NotAtSight(why),
            Ok(Ending::Order(_)) => PartVerdict::Linearizable,
            Ok(Ending::NoOrder { first, is_exact }) => PartVerdict::NoOrder { first, is_exact },
            Ok(Ending::OutOfSteps) => PartVerdict::Unknown,
        }
    }

    /// An order of the operations on `keys`, each with the place at which it takes effect.
    fn order(&mut self, keys: &[KeyId]) -> Option<Vec<(u32, OpId)>> {
        if let [key] = *keys
            && let Some(order) = self.zones.order(self.split.on_key(key))
        {
            return Some(order);
        }
        match self.search(keys, Operation::OPEN) {
            Ok(Ending::Order(order)) => Some(order),
            Ok(Ending::NoOrder { .. } | Ending::OutOfSteps) | Err(_) => None,
        }
    }

    fn search(&mut self, keys: &[KeyId], until: u32) -> Result<Ending, Why> {
        let problem = self.problem(keys, until, |_| true)?;
        Ok(search(&problem, &mut self.budget))
    }

    fn problem(
        &self,
        keys: &[KeyId],
        until: u32,
        binds: impl Fn(OpId) -> bool,
    ) -> Result<SearchProblem, Why> {
        let parts = keys.iter().map(|key| self.split.on_key(*key));
        SearchProblem::new(self.operations, &self.lists, parts, until, binds)
    }

    /// Few operations that show why the first cannot be placed.
    fn contradiction(&self, Conviction { keys, not, first }: Conviction) -> Contradiction {
        let until = self.operations.get(first).ret + 1;
        let (why, mut operations) = match not {
            PartVerdict::NotByZones(why)
            | PartVerdict::NotAtSight(why @ (Why::BeforeItsWrite { .. } | Why::Lacks { .. })) => {
                let why = why.fewest(self.operations);
                (why, why.operations())
            }
            PartVerdict::NotAtSight(why) => {
                let named = why.operations();
                let fewest = self.reduce(&keys, until, named.clone());
                // The append is named for the reader's sake.
                let reads_it = |op: &OpId| match why {
                    Why::TwoPlaces { reads: (one, other), .. } => *op == one || *op == other,
                    _ => true,
                };
                if named.iter().filter(|op| reads_it(op)).all(|op| fewest.contains(op)) {
                    (why, named)
                } else {
                    (Why::NoOrder, fewest)
                }
            }
            PartVerdict::NoOrder { .. } | PartVerdict::Linearizable | PartVerdict::Unknown => {
                (Why::NoOrder, self.reduce(&keys, until, self.candidates(&keys, until)))
            }
        };
        operations.sort_unstable_by_key(|op| self.operations.get(*op).call);
        operations.dedup();
        let why = match operations[..] {
            [read] if why == Why::NoOrder => Why::NeverWritten { read },
            _ => why,
        };
        Contradiction { first, operations, why }
    }

    /// Those of the `candidates` that contradict each other and of which none can be left out.
    fn reduce(&self, keys: &[KeyId], until: u32, candidates: Vec<OpId>) -> Vec<OpId> {
        witness::reduce(candidates, self.budget / 2, |kept, budget| {
            let problem = self.problem(keys, until, |op| kept.binary_search(&op).is_ok());
            match problem.map(|problem| search(&problem, budget)) {
                Err(_) | Ok(Ending::NoOrder { .. }) => true,
                Ok(Ending::Order(_) | Ending::OutOfSteps) => false,
            }
        })
    }

    /// The operations on `keys` that were called before the place `until`, in the order of their
    /// calls.
    fn candidates(&self, keys: &[KeyId], until: u32) -> Vec<OpId> {
        let parts = keys.iter().flat_map(|key| self.split.on_key(*key));
        let called = parts.filter(|on| on.operation.call < until).map(|on| on.op);
        let mut called: Vec<OpId> = called.collect();
        called.sort_unstable_by_key(|op| self.operations.get(*op).call);
        called.dedup();
        called
    }

    /// The first operation before whose return the history on `keys` is linearizable and after
    /// whose return it is not, and what is known then. `not` is what is known in the end.
    fn first(&mut self, keys: &[KeyId], not: PartVerdict) -> (PartVerdict, OpId) {
        let mut returns: Vec<(u32, OpId)> = Vec::new();
        for key in keys {
            let closed = self.split.on_key(*key).filter(|on| !on.operation.is_open());
            returns.extend(closed.map(|on| (on.operation.ret, on.op)));
        }
        returns.sort_unstable();
        returns.dedup();
        let until = |op: OpId| {
            let ret = self.operations.get(op).ret;
            returns.partition_point(|(other, _)| *other <= ret)
        };
        let latest = |why: Why| why.operations().into_iter().map(until).max().unwrap_or(0) - 1;
        // It is linearizable before the return at `low`, and not after the one at `high`.
        let (mut low, mut high) = (0, returns.len() - 1);
        // As a rule the place is near the one that is known; steps double from there.
        let (mut step, is_before) = match &not {
            PartVerdict::NotByZones(why) | PartVerdict::NotAtSight(why) => {
                high = high.min(latest(*why));
                (Some(1), true)
            }
            PartVerdict::NoOrder { first, .. } => {
                low = until(*first) - 1;
                (Some(1), false)
            }
            PartVerdict::Linearizable | PartVerdict::Unknown => (None, true),
        };
        let mut not = not;
        while low < high {
            let probe = match step {
                Some(step) if is_before => high - step.min(high - low),
                Some(step) => low + (step - 1).min(high - low - 1),
                None => (low + high) / 2,
            };
            let part = self.part(keys, returns[probe].0 + 1);
            let holds = matches!(part, PartVerdict::Linearizable | PartVerdict::Unknown);
            step = step.filter(|_| holds != is_before).map(|step| 2 * step);
            if holds {
                low = probe + 1;
                continue;
            }
            high = probe;
            if let PartVerdict::NoOrder { first, is_exact } = part {
                let ret = self.operations.get(first).ret;
                low = low.max(returns.partition_point(|(other, _)| *other < ret));
                if is_exact {
                    return (part, first);
                }
            }
            not = part;
        }
        (not, returns[high].1)
    }
}
