//! Drawing: the faults of a case, as a proptest strategy.
//!
//! proptest draws and, later, takes away and shortens ([`super::shrink`]). There is one runner a case, seeded from the
//! case's own stream, with every field of its configuration set here: no environment variable and no clock has a say.
//! A fault keeps its number, and with it the identity that keys its luck, whatever else is taken away.
//!
//! Times are drawn where systems break, not only uniformly: soon after another fault begins or ends, and as far from it
//! as the lengths of time on which the protocol, the network and the disk turn; or at a moment of the run, which no draw
//! of a time would hit: just before a record is durable, just after a client was answered.

use std::cell::Cell;

use proptest::collection::{SizeRange, VecStrategy, vec};
use proptest::num::u64::BinarySearch;
use proptest::strategy::{Just, NewTree, Strategy};
use proptest::test_runner::{Config as RunnerConfig, RngAlgorithm, RngSeed, TestRng, TestRunner};
use proptest::tuple::TupleValueTree;
use rand_chacha::rand_core::Rng as _;

use super::budget;
use crate::config::{
    Config, DiskFault, Fault, FaultAction, Group, Occurrence, Route, Start, Target, Trigger,
};
use crate::id::{FaultId, NodeId};
use crate::rng::Probability;
use crate::sampler::Distribution;
use crate::scenario::ConfiguredProtocol;
use crate::scenario::fuzz::{Fuzz, Kind};
use crate::time::{Span, Time};

/// What faults are drawn for.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    nodes: u16,
    duration: Span,
    /// The kinds that may be drawn and can be, on so many nodes.
    kinds: Vec<Kind>,
    /// The lengths of time on which this cluster turns, in nanoseconds, none of them 0; at least one.
    beats: Vec<u64>,
    /// How many kinds of message there are.
    messages: u8,
    /// As many operations a client may ask, so that moments lie within a run.
    operations: u64,
}

impl Scene {
    pub(super) fn new(config: &Config, protocol: &dyn ConfiguredProtocol, fuzz: &Fuzz) -> Self {
        let nodes = config.cluster.nodes;
        let mut beats: Vec<u64> = protocol.timescales().into_iter().map(Span::nanos).collect();
        beats.push(config.network.default.delay.median().nanos());
        beats.push(config.disk.sync.median().nanos());
        beats.extend(config.workload.iter().map(|load| load.retry.timeout.nanos()));
        beats.retain(|beat| *beat > 0 && *beat < config.duration.nanos());
        beats.sort_unstable();
        beats.dedup();
        if beats.is_empty() {
            beats.push((config.duration.nanos() / 10).max(1));
        }
        let generated = config.workload.as_ref().map_or(0, |load| load.operations.unwrap_or(100));
        Self {
            nodes,
            duration: config.duration,
            kinds: fuzz.kinds.iter().copied().filter(|kind| kind.is_possible(nodes)).collect(),
            beats,
            messages: u8::try_from(protocol.message_kinds().len()).unwrap_or(u8::MAX),
            operations: (generated + config.script.len() as u64).clamp(1, 1_000),
        }
    }

    pub(super) fn kinds(&self) -> &[Kind] {
        &self.kinds
    }
}

/// A fault as drawn: all but its two times, which shrink.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The how-manieth of the case; never changes.
    number: u32,
    /// What happens.
    action: FaultAction,
    /// Whether the nodes come back with an empty disk.
    replaced: bool,
    /// The moment that it is tied to; the first time is how long after it, then.
    trigger: Option<Trigger>,
}

/// A fault with its two times in nanoseconds: when it begins and how long it lasts.
pub(super) type Drawn = (Plan, u64, u64);

/// The tree of a fault: its times shrink towards 0.
pub(super) type FaultTree = TupleValueTree<(Just<Plan>, BinarySearch, BinarySearch)>;

/// The faults of a case.
pub(super) fn faults<'a>(
    scene: &'a Scene,
    fuzz: &'a Fuzz,
    kinds: Vec<Kind>,
) -> VecStrategy<OneFault<'a>> {
    let (fewest, most) = fuzz.faults;
    let most = if kinds.is_empty() { 0 } else { most as usize };
    let count = SizeRange::from((fewest as usize).min(most)..=most);
    let last = Cell::new((0, 0));
    vec(OneFault { scene, fuzz, kinds, next: Cell::new(1), last }, count)
}

/// The runner of a case.
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
    scene: &'a Scene,
    fuzz: &'a Fuzz,
    kinds: Vec<Kind>,
    /// The number of the next one.
    next: Cell<u32>,
    /// When the last one begins and ends, in nanoseconds.
    last: Cell<(u64, u64)>,
}

impl Strategy for OneFault<'_> {
    type Tree = FaultTree;
    type Value = Drawn;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let mut dice = Dice(runner);
        let kind = *dice.one_of(&self.kinds);
        let trigger = (self.fuzz.triggers && dice.one_in(4)).then(|| self.trigger(&mut dice));
        let begins = if trigger.is_some() { self.after(&mut dice) } else { self.begins(&mut dice) };
        let lasts = self.lasts(&mut dice);
        if trigger.is_none() {
            self.last.set((begins, begins + lasts));
        }
        let action = self.action(kind, &mut dice);
        let number = self.next.replace(self.next.get() + 1);
        let plan = Plan { number, action, replaced: kind == Kind::EmptyDisk, trigger };
        Ok(TupleValueTree::new((Just(plan), BinarySearch::new(begins), BinarySearch::new(lasts))))
    }
}

impl OneFault<'_> {
    /// When it begins, within the fault phase.
    fn begins(&self, dice: &mut Dice<'_>) -> u64 {
        let duration = self.scene.duration.nanos();
        let (began, ended) = self.last.get();
        let at = match dice.below(10) {
            0..=3 => dice.below(duration),
            4..=6 => began + self.beats(dice),
            7 => ended + self.beats(dice),
            8 => ended.saturating_sub(self.beats(dice)),
            _ => self.beats(dice),
        };
        whole(at % duration.max(1))
    }

    /// How long after its moment it begins: as often as not at once.
    fn after(&self, dice: &mut Dice<'_>) -> u64 {
        if dice.one_in(2) { 0 } else { whole(self.beats(dice)) }
    }

    /// A few of the lengths on which the cluster turns, or a part of one.
    fn beats(&self, dice: &mut Dice<'_>) -> u64 {
        let beat = *dice.one_of(&self.scene.beats);
        dice.below(beat.saturating_mul(3).max(1))
    }

    fn lasts(&self, dice: &mut Dice<'_>) -> u64 {
        let (least, most) = self.fuzz.lasts;
        let (least, most) = (least.nanos().max(1), most.nanos().max(1));
        let drawn = if dice.one_in(2) {
            least.saturating_add(self.beats(dice))
        } else {
            // Short ones are as likely as long ones: even in the logarithm, by halves.
            let halves = most.checked_div(least).map_or(0, |times| times.max(1).ilog2());
            let top = most >> dice.below(u64::from(halves) + 1);
            top / 2 + dice.below((top / 2).max(1))
        };
        whole(drawn.clamp(least, most)).max(1)
    }

    fn trigger(&self, dice: &mut Dice<'_>) -> Trigger {
        let scene = self.scene;
        // A follower persists what the leader does, so counts are near those of operations.
        let some = |dice: &mut Dice<'_>, most: u64| {
            let most = most >> dice.below(u64::from(most.max(1).ilog2()) + 1);
            1 + u32::try_from(dice.below(most.max(1))).unwrap_or(0)
        };
        let operations = scene.operations;
        let (what, nth) = match dice.below(8) {
            0 => (Occurrence::Elected, some(dice, 4)),
            1 => (Occurrence::Restarts, some(dice, 2)),
            2 => (Occurrence::Appends, some(dice, operations)),
            3 => (Occurrence::Persists, some(dice, operations)),
            4 | 5 => (Occurrence::Acknowledges, some(dice, operations)),
            6 if scene.messages > 0 => {
                let kind = u8::try_from(dice.below(scene.messages.into())).unwrap_or(0);
                (Occurrence::Receives(Some(kind)), some(dice, operations * 2))
            }
            _ => (Occurrence::Receives(None), some(dice, operations * 8)),
        };
        let node = dice.one_in(2).then(|| self.node(dice));
        Trigger { what, node, nth, after: Span::ZERO }
    }

    fn node(&self, dice: &mut Dice<'_>) -> NodeId {
        NodeId(u16::try_from(dice.below(self.scene.nodes.into())).unwrap_or(0))
    }

    /// Whom it hits.
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

    /// One link, mostly; or all of a node.
    fn route(&self, dice: &mut Dice<'_>, both_ways: bool) -> Route {
        let nodes = u64::from(self.scene.nodes);
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
            // Whoever led or followed would not be found by that name when it is to come back.
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
                let some = self.scene.messages > 0 && dice.one_in(2);
                let kind = some.then(|| dice.below(self.scene.messages.into()) as u8);
                // Whole percents: a file that is read, not copied.
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

    /// Two sides, neither of them empty; sometimes three.
    fn groups(&self, dice: &mut Dice<'_>) -> Vec<Group> {
        let sides = if self.scene.nodes > 2 && dice.one_in(6) { 3 } else { 2 };
        let mut groups = vec![Group::default(); sides];
        let mut nodes: Vec<NodeId> = NodeId::all(self.scene.nodes).collect();
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

/// The runner's draws.
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

    /// A whole part of `most` either way, and not 0 unless `most` is.
    fn signed(&mut self, most: u64) -> i64 {
        let size = i64::try_from(whole(most / 100 * (1 + self.below(100)))).unwrap_or(i64::MAX);
        if self.one_in(2) { -size } else { size }
    }
}

/// Whole microseconds: no clock of a real system is read closer, and files stay short.
const fn whole(ns: u64) -> u64 {
    if ns < 1_000 { ns } else { ns / 1_000 * 1_000 }
}

/// Puts what was drawn into `config`, without what would stop more nodes at once than `max_down`, those that the faults
/// of the scenario itself stop included.
pub(super) fn put(drawn: &[Drawn], max_down: Option<u16>, config: &mut Config) {
    for (plan, begins, lasts) in drawn {
        let before = config.faults.len();
        put_one(plan, (*begins, *lasts), config);
        let is_bounded = max_down.filter(|_| budget::stops(&plan.action));
        if is_bounded.is_some_and(|most| !budget::keeps(config, most)) {
            config.faults.truncate(before);
            config.names.faults.truncate(before);
        }
    }
}

fn put_one(plan: &Plan, (begins, lasts): (u64, u64), config: &mut Config) {
    let duration = config.duration;
    let begins = Span::from_nanos(begins.min(duration.nanos()));
    let lasts = Span::from_nanos(lasts.max(1));
    let start = |after: Span| match plan.trigger {
        // No fault starts after the fault phase, nor does what ends one.
        Some(trigger) => Start::When(Trigger { after: after.min(duration), ..trigger }),
        None => Start::At(Time::ZERO + after.min(duration)),
    };
    let (start, again) = (start(begins), start(begins + lasts));
    let has_end =
        !matches!(plan.action, FaultAction::Disk { fault: DiskFault::FlipBit { .. }, .. });
    let ends_by_itself = has_end && !plan.replaced;
    push(config, format!("f{}", plan.number), |id| Fault {
        id,
        start,
        lasts: ends_by_itself.then_some(lasts),
        action: plan.action.clone(),
        forever: false,
    });
    if let (true, FaultAction::Crash(target)) = (plan.replaced, &plan.action) {
        let target = target.clone();
        push(config, format!("f{}-again", plan.number), |id| Fault {
            id,
            start: again,
            lasts: None,
            action: FaultAction::Restart { target, empty_disk: true },
            forever: false,
        });
    }
}

/// Adds a fault under a name that nobody else has.
fn push(config: &mut Config, mut name: String, fault: impl FnOnce(FaultId) -> Fault) {
    while config.names.faults.contains(&name) {
        name.push('x');
    }
    // A scenario file holds fewer than 2^32 faults, and a case adds at most as many as its bounds say.
    let id = FaultId(config.names.faults.len() as u32);
    config.names.faults.push(name);
    config.faults.push(fault(id));
}
