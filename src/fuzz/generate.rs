//! Drawing the faults of a case, as a proptest strategy.
//!
//! proptest draws the faults; later it removes and shortens them ([`super::shrink`]). Each case has
//! a runner of its own, seeded by the case. All fields of the runner's configuration are set here,
//! so neither environment variables nor clocks matter. A fault keeps its number when others are
//! removed, and with it the identity that keys its draws.
//!
//! Times are not only drawn uniformly, but also where systems break:
//!
//! - one of the timescales of the protocol, the network or the disk after another fault begins or
//!   ends;
//! - at a trigger, for moments that no drawn time would hit: just before a record is durable, just
//!   after a client was answered.

use std::cell::Cell;

use proptest::collection::{SizeRange, VecStrategy, vec};
use proptest::num::u64::BinarySearch;
use proptest::strategy::{Just, NewTree, Strategy};
use proptest::test_runner::{Config as RunnerConfig, RngAlgorithm, RngSeed, TestRng, TestRunner};
use proptest::tuple::TupleValueTree;
use rand_chacha::rand_core::Rng as _;

use super::budget;
use crate::config::{
    Config, DiskFault, Fault, FaultAction, Group, LogMoment, Occurrence, Route, Start, Target,
    Trigger,
};
use crate::id::{FaultId, NodeId};
use crate::names::Names;
use crate::rng::Probability;
use crate::sampler::Distribution;
use crate::scenario::ConfiguredProtocol;
use crate::scenario::fuzz::{Fuzz, FuzzMoments, Kind};
use crate::time::{Span, Time};

/// What decides which faults can be drawn.
#[derive(Clone, Debug)]
pub(super) struct FaultSpace {
    nodes: u16,
    duration: Span,
    /// The kinds that may be drawn and are possible with this number of nodes.
    kinds: Vec<Kind>,
    /// The timescales of the cluster, in nanoseconds: at least one, none of them 0.
    timescales: Vec<u64>,
    /// How many kinds of message there are.
    messages: u8,
    /// The moments of a replicated log that faults may be tied to.
    log_moments: &'static [LogMoment],
    /// How many operations clients invoke, roughly: triggers that count higher would not fire.
    operations: u64,
}

impl FaultSpace {
    pub(super) fn new(config: &Config, protocol: &dyn ConfiguredProtocol, fuzz: &Fuzz) -> Self {
        let nodes = config.cluster.nodes;
        let mut timescales: Vec<u64> = protocol.timescales().into_iter().map(Span::nanos).collect();
        timescales.push(config.network.default.delay.median().nanos());
        timescales.push(config.disk.sync.median().nanos());
        timescales.extend(config.workload.iter().map(|load| load.retry.timeout.nanos()));
        timescales.retain(|timescale| *timescale > 0 && *timescale < config.duration.nanos());
        timescales.sort_unstable();
        timescales.dedup();
        if timescales.is_empty() {
            timescales.push((config.duration.nanos() / 10).max(1));
        }
        let generated = config.workload.as_ref().map_or(0, |load| load.operations.unwrap_or(100));
        Self {
            nodes,
            duration: config.duration,
            kinds: fuzz.kinds.iter().copied().filter(|kind| kind.is_possible(nodes)).collect(),
            timescales,
            messages: u8::try_from(protocol.message_kinds().len()).unwrap_or(u8::MAX),
            log_moments: match fuzz.moments {
                FuzzMoments::None | FuzzMoments::Simulated => &[],
                FuzzMoments::OfLogToo => protocol.moments(),
            },
            operations: (generated + config.script.len() as u64).clamp(1, 1_000),
        }
    }

    pub(super) fn kinds(&self) -> &[Kind] {
        &self.kinds
    }
}

/// A drawn fault, without its two times: those shrink.
#[derive(Clone, Debug)]
pub(super) struct DrawnFault {
    /// Its number in the case; never changes.
    number: u32,
    /// What happens.
    action: FaultAction,
    /// Whether the nodes come back with an empty disk.
    replaced: bool,
    /// What triggers it, if anything does. The first time is then the delay after the trigger.
    trigger: Option<Trigger>,
}

/// A fault with its two times, in nanoseconds: when it begins and how long it lasts.
pub(super) type TimedFault = (DrawnFault, u64, u64);

/// The value tree of a fault: its times shrink towards 0.
pub(super) type FaultTree = TupleValueTree<(Just<DrawnFault>, BinarySearch, BinarySearch)>;

/// A strategy for the faults of a case.
pub(super) fn faults<'a>(
    space: &'a FaultSpace,
    fuzz: &'a Fuzz,
    kinds: Vec<Kind>,
) -> VecStrategy<OneFault<'a>> {
    let (fewest, most) = fuzz.faults;
    let most = if kinds.is_empty() { 0 } else { most as usize };
    let count = SizeRange::from((fewest as usize).min(most)..=most);
    let last = Cell::new((0, 0));
    vec(OneFault { space, fuzz, kinds, next: Cell::new(1), last }, count)
}

/// The proptest runner of a case.
pub(super) fn runner(seed: [u8; 32]) -> TestRunner {
    let config = RunnerConfig {
        cases: 1,
        max_local_rejects: 0,
        max_global_rejects: 0,
        max_flat_map_regens: 0,
        failure_persistence: None,
        source_file: None,
        test_name: None,
        max_shrink_time: 0,
        max_shrink_iters: u32::MAX,
        max_default_size_range: 0,
        result_cache: proptest::test_runner::noop_result_cache,
        verbose: 0,
        rng_algorithm: RngAlgorithm::ChaCha,
        rng_seed: RngSeed::Fixed(0),
        _non_exhaustive: (),
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
}

/// Draws one fault after another.
#[derive(Debug)]
pub(super) struct OneFault<'a> {
    space: &'a FaultSpace,
    fuzz: &'a Fuzz,
    kinds: Vec<Kind>,
    /// The number of the next one.
    next: Cell<u32>,
    /// When the last one begins and ends, in nanoseconds.
    last: Cell<(u64, u64)>,
}

impl Strategy for OneFault<'_> {
    type Tree = FaultTree;
    type Value = TimedFault;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let mut dice = Dice(runner);
        let kind = *dice.one_of(&self.kinds);
        let trigger = (self.fuzz.moments != FuzzMoments::None && dice.one_in(4))
            .then(|| self.trigger(&mut dice));
        let begins = if trigger.is_some() { self.after(&mut dice) } else { self.begins(&mut dice) };
        let lasts = self.lasts(&mut dice);
        if trigger.is_none() {
            self.last.set((begins, begins + lasts));
        }
        let action = self.action(kind, &mut dice);
        let number = self.next.replace(self.next.get() + 1);
        let drawn = DrawnFault { number, action, replaced: kind == Kind::EmptyDisk, trigger };
        Ok(TupleValueTree::new((Just(drawn), BinarySearch::new(begins), BinarySearch::new(lasts))))
    }
}

impl OneFault<'_> {
    /// When it begins, within the fault phase.
    fn begins(&self, dice: &mut Dice<'_>) -> u64 {
        let duration = self.space.duration.nanos();
        let (began, ended) = self.last.get();
        let at = match dice.below(10) {
            0..=3 => dice.below(duration),
            4..=6 => began + self.some_timescale(dice),
            7 => ended + self.some_timescale(dice),
            8 => ended.saturating_sub(self.some_timescale(dice)),
            _ => self.some_timescale(dice),
        };
        whole(at % duration.max(1))
    }

    /// How long after its trigger it begins: half of the time at once.
    fn after(&self, dice: &mut Dice<'_>) -> u64 {
        if dice.one_in(2) { 0 } else { whole(self.some_timescale(dice)) }
    }

    /// Up to three times one of the cluster's timescales.
    fn some_timescale(&self, dice: &mut Dice<'_>) -> u64 {
        let timescale = *dice.one_of(&self.space.timescales);
        dice.below(timescale.saturating_mul(3).max(1))
    }

    fn lasts(&self, dice: &mut Dice<'_>) -> u64 {
        let (least, most) = self.fuzz.lasts;
        let (least, most) = (least.nanos().max(1), most.nanos().max(1));
        let drawn = if dice.one_in(2) {
            least.saturating_add(self.some_timescale(dice))
        } else {
            // Uniform in the logarithm, by halves: short ones are as likely as long ones.
            let halves = most.checked_div(least).map_or(0, |times| times.max(1).ilog2());
            let top = most >> dice.below(u64::from(halves) + 1);
            top / 2 + dice.below((top / 2).max(1))
        };
        whole(drawn.clamp(least, most)).max(1)
    }

    fn trigger(&self, dice: &mut Dice<'_>) -> Trigger {
        let space = self.space;
        // A follower persists what the leader does, so counts are near those of operations.
        let some = |dice: &mut Dice<'_>, most: u64| {
            let most = most >> dice.below(u64::from(most.max(1).ilog2()) + 1);
            1 + u32::try_from(dice.below(most.max(1))).unwrap_or(0)
        };
        let operations = space.operations;
        if !space.log_moments.is_empty() && dice.one_in(3) {
            let moment = *dice.one_of(space.log_moments);
            let most = match moment {
                LogMoment::Commits => operations,
                LogMoment::Votes => 8,
                LogMoment::Truncates | LogMoment::Snapshots | LogMoment::Installs => 2,
            };
            let (what, nth) = (Occurrence::OfLog(moment), some(dice, most));
            let node = dice.one_in(2).then(|| self.node(dice));
            return Trigger { what, node, nth, after: Span::ZERO };
        }
        let (what, nth) = match dice.below(8) {
            0 => (Occurrence::Elected, some(dice, 4)),
            1 => (Occurrence::Restarts, some(dice, 2)),
            2 => (Occurrence::Appends, some(dice, operations)),
            3 => (Occurrence::Persists, some(dice, operations)),
            4 | 5 => (Occurrence::Acknowledges, some(dice, operations)),
            6 if space.messages > 0 => {
                let kind = u8::try_from(dice.below(space.messages.into())).unwrap_or(0);
                (Occurrence::Receives(Some(kind)), some(dice, operations * 2))
            }
            _ => (Occurrence::Receives(None), some(dice, operations * 8)),
        };
        let node = dice.one_in(2).then(|| self.node(dice));
        Trigger { what, node, nth, after: Span::ZERO }
    }

    fn node(&self, dice: &mut Dice<'_>) -> NodeId {
        NodeId(u16::try_from(dice.below(self.space.nodes.into())).unwrap_or(0))
    }

    /// The nodes that it hits.
    fn target(&self, dice: &mut Dice<'_>) -> Target {
        match dice.below(20) {
            0..=6 => Target::Leader,
            7 | 8 => Target::Follower,
            9 => Target::LowestId,
            10 => Target::HighestId,
            11 => Target::Majority,
            12 => Target::All,
            _ => Target::Nodes(vec![self.node(dice)]),
        }
    }

    /// One node, named or described.
    fn single(&self, dice: &mut Dice<'_>) -> Target {
        match self.target(dice) {
            Target::Majority | Target::All => Target::Nodes(vec![self.node(dice)]),
            one => one,
        }
    }

    /// One link, mostly; or all links of a node.
    fn route(&self, dice: &mut Dice<'_>, both_ways: bool) -> Route {
        let nodes = u64::from(self.space.nodes);
        let from = self.node(dice);
        let step = 1 + dice.below((nodes - 1).max(1));
        let to = NodeId(u16::try_from((u64::from(from.0) + step) % nodes).unwrap_or(0));
        let (from, to) = (Target::Nodes(vec![from]), Target::Nodes(vec![to]));
        match dice.below(6) {
            0 => Route { from: Target::Leader, to, both_ways },
            1 => Route { from, to: Target::Leader, both_ways },
            2 => Route { from, to: Target::All, both_ways },
            _ => Route { from, to, both_ways },
        }
    }

    fn action(&self, kind: Kind, dice: &mut Dice<'_>) -> FaultAction {
        let fuzz = self.fuzz;
        let extra = |dice: &mut Dice<'_>| {
            let most = fuzz.slow.nanos().max(1);
            Distribution::Constant(Span::from_nanos(whole(1 + dice.below(most)).max(1)))
        };
        let disk =
            |dice: &mut Dice<'_>, fault| FaultAction::Disk { target: self.target(dice), fault };
        match kind {
            Kind::Crash => FaultAction::Crash(self.target(dice)),
            // By name: the node must be found again when it is to restart.
            Kind::EmptyDisk => FaultAction::Crash(Target::Nodes(vec![self.node(dice)])),
            Kind::PowerLoss => FaultAction::PowerLoss(self.target(dice)),
            Kind::Pause => FaultAction::Pause(self.target(dice)),
            Kind::Partition => FaultAction::Partition(self.groups(dice)),
            Kind::MajoritiesRing => FaultAction::MajoritiesRing,
            Kind::Bridge => FaultAction::Bridge(self.single(dice)),
            Kind::Isolate => FaultAction::Isolate(self.target(dice)),
            Kind::Block => FaultAction::Block(self.route(dice, false)),
            Kind::Clog => {
                let both_ways = dice.one_in(2);
                FaultAction::Clog(self.route(dice, both_ways))
            }
            Kind::Slow => {
                let both_ways = dice.one_in(2);
                FaultAction::Slow { route: self.route(dice, both_ways), extra: extra(dice) }
            }
            Kind::Drop => {
                let both_ways = dice.one_in(2);
                let route = self.route(dice, both_ways);
                let some = self.space.messages > 0 && dice.one_in(2);
                let kind = some.then(|| dice.below(self.space.messages.into()) as u8);
                // Whole percents: people read the file.
                let most = u64::from(fuzz.loss.parts_per_billion() / 10_000_000).max(1);
                let parts = (1 + dice.below(most)) as u32 * 10_000_000;
                let probability = Probability::from_parts_per_billion(parts).unwrap_or(fuzz.loss);
                FaultAction::Drop { route, kind, probability: probability.min(fuzz.loss) }
            }
            Kind::ClockOffset | Kind::ClockJump => {
                let by_ns = dice.signed(fuzz.clock_jump.nanos());
                FaultAction::ClockJump { target: self.target(dice), by_ns }
            }
            Kind::ClockDrift => {
                let ppb = dice.signed(u64::from(fuzz.clock_drift_ppb));
                FaultAction::ClockDrift { target: self.target(dice), ppb }
            }
            Kind::TornWrite => disk(dice, DiskFault::TornWrite),
            Kind::LostWrite => disk(dice, DiskFault::LostWrite),
            Kind::FlipBit => disk(dice, DiskFault::FlipBit { byte: None }),
            Kind::ReadError => disk(dice, DiskFault::ReadError),
            Kind::DiskFull => disk(dice, DiskFault::Full),
            Kind::SlowDisk => {
                let slower = extra(dice);
                disk(dice, DiskFault::Slow(slower))
            }
        }
    }

    /// Two groups, sometimes three, none of them empty.
    fn groups(&self, dice: &mut Dice<'_>) -> Vec<Group> {
        let sides = if self.space.nodes > 2 && dice.one_in(6) { 3 } else { 2 };
        let mut groups = vec![Group::default(); sides];
        let mut nodes: Vec<NodeId> = NodeId::all(self.space.nodes).collect();
        for group in &mut groups {
            let drawn = dice.below(nodes.len() as u64) as usize;
            group.nodes.push(nodes.remove(drawn));
        }
        for node in nodes {
            groups[dice.below(sides as u64) as usize].nodes.push(node);
        }
        for group in &mut groups {
            group.nodes.sort_unstable();
        }
        groups.sort_by(|a, b| a.nodes.cmp(&b.nodes));
        groups
    }
}

/// Draws from the runner's generator.
struct Dice<'a>(&'a mut TestRunner);

impl Dice<'_> {
    /// A number below `bound`, which is above 0.
    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.0.rng().next_u64()) * u128::from(bound)) >> 64) as u64
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    fn one_of<'b, T>(&mut self, all: &'b [T]) -> &'b T {
        &all[self.below(all.len() as u64) as usize]
    }

    /// Some percents of `most`, positive or negative; 0 only if `most` is.
    fn signed(&mut self, most: u64) -> i64 {
        let size = i64::try_from(whole(most / 100 * (1 + self.below(100)))).unwrap_or(i64::MAX);
        if self.one_in(2) { -size } else { size }
    }
}

/// Rounds down to whole microseconds: real clocks are no finer, and files stay short.
const fn whole(ns: u64) -> u64 {
    if ns < 1_000 { ns } else { ns / 1_000 * 1_000 }
}

/// Adds the drawn faults to `config`, except those that would have more than `max_down` nodes down
/// at once, the scenario's own faults included.
pub(super) fn put(
    drawn: &[TimedFault],
    max_down: Option<u16>,
    config: &mut Config,
    names: &mut Names,
) {
    for fault in drawn {
        let before = config.faults.len();
        put_one(fault, config, names);
        let is_bounded = max_down.filter(|_| budget::stops(&fault.0.action));
        if is_bounded.is_some_and(|most| !budget::is_kept(config, most)) {
            config.faults.truncate(before);
            names.faults.truncate(before);
        }
    }
}

fn put_one((drawn, begins, lasts): &TimedFault, config: &mut Config, names: &mut Names) {
    let duration = config.duration;
    let begins = Span::from_nanos((*begins).min(duration.nanos()));
    let lasts = Span::from_nanos((*lasts).max(1));
    let start = |after: Span| match drawn.trigger {
        // No fault starts after the fault phase, and no restart.
        Some(trigger) => Start::When(Trigger { after: after.min(duration), ..trigger }),
        None => Start::At(Time::ZERO + after.min(duration)),
    };
    let (start, again) = (start(begins), start(begins + lasts));
    let has_end =
        !matches!(drawn.action, FaultAction::Disk { fault: DiskFault::FlipBit { .. }, .. });
    let ends_by_itself = has_end && !drawn.replaced;
    push(config, names, format!("f{}", drawn.number), |id| Fault {
        id,
        start,
        lasts: ends_by_itself.then_some(lasts),
        action: drawn.action.clone(),
        forever: false,
    });
    if let (true, FaultAction::Crash(target)) = (drawn.replaced, &drawn.action) {
        let target = target.clone();
        push(config, names, format!("f{}-again", drawn.number), |id| Fault {
            id,
            start: again,
            lasts: None,
            action: FaultAction::Restart { target, empty_disk: true },
            forever: false,
        });
    }
}

/// Adds a fault under a name that is not taken yet.
fn push(
    config: &mut Config,
    names: &mut Names,
    mut name: String,
    fault: impl FnOnce(FaultId) -> Fault,
) {
    while names.faults.contains(&name) {
        name.push('x');
    }
    // Not cut off: a scenario has fewer than 2^32 faults, and a case adds few.
    let id = FaultId(names.faults.len() as u32);
    names.faults.push(name);
    config.faults.push(fault(id));
}
