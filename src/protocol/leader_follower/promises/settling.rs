//! How long a cluster may need to settle once everything has healed.
//!
//! What is under way then comes to its end one thing after another: clients give up or are
//! answered, a leader is found, followers catch up. So the parts are added, each at its longest:
//!
//! - **clients**: every attempt of the operation that a client has in hand, with the pauses
//!   between, and the scripted operations that wait behind it;
//! - **waits of nodes**: `ack-timeout` and the timeout of reads of several replicas, of an attempt
//!   made last;
//! - **an election**: the election timeout, and as many rounds as votes may be split, lost, or
//!   asked for by a node that lacks writes;
//! - **replication**: the interval of resending or of heartbeats as often as messages may be lost,
//!   and with anti-entropy every node in turn with every other, and as often again for what that
//!   brought.
//!
//! Delays are those that one in a billion exceeds, chances that there are not one in ten million.
//! Timers run on the slowest clock of the scenario, also one that a fault slows: clocks keep what
//! they have.
//!
//! Where heartbeats may be lost, or come so late that a leader is given up, an election may begin
//! at any time, long after everything has healed: from then on the cluster may need as long again.

use crate::config::{Config as Scenario, FaultAction, LinkOverride, Network, RetryPolicy};
use crate::property::SettlesWithin;
use crate::protocol::parts::wal::Policy;
use crate::rng::Probability;
use crate::sampler::Distribution;
use crate::time::{Span, Time};

use crate::protocol::leader_follower::config::{CatchUp, Config, Election, Mode};

/// All, in parts per billion.
const ALL: u64 = 1_000_000_000;

/// The chance, in parts per billion, that is as good as none.
const NONE: u64 = 100;

/// What keeps the time from being said.
type Unsaid = &'static str;

const ALL_LOST: Unsaid = "every message may be lost";

const GIVEN_UP: &str = "a leader is given up whose heartbeats are lost, or late";

pub(crate) fn settles_within(config: &Config, scenario: &Scenario) -> SettlesWithin {
    let settling = Settling::of(config, scenario);
    match settling.and_then(|settling| Ok((settling.total()?, settling.may_elect_anew()))) {
        Ok((within, true)) => SettlesWithin::Anew { within, why: GIVEN_UP },
        Ok((within, false)) => SettlesWithin::Span(within),
        Err(why) => SettlesWithin::Unsaid { why },
    }
}

/// What the parts are made of.
#[derive(Clone, Copy)]
struct Settling<'a> {
    config: &'a Config,
    scenario: &'a Scenario,
    /// The slowest message between two nodes.
    hop: Span,
    /// One of a hundred takes longer.
    usual_hop: Span,
    /// The slowest message between a client and a node.
    client_hop: Span,
    /// How many messages of a billion are lost, at the most.
    lost: u64,
    /// The slowest sync, and those that may be waiting before it.
    sync: Span,
    /// The rate of the slowest clock, in parts per billion of true time.
    rate: u64,
}

impl<'a> Settling<'a> {
    fn of(config: &'a Config, scenario: &'a Scenario) -> Result<Self, Unsaid> {
        let networks: Vec<&Network> = [&scenario.network]
            .into_iter()
            .chain(scenario.changes.iter().map(|c| &c.network))
            .collect();
        let links = || {
            let of = |network: &'a Network| {
                let others = network.links.iter().map(|LinkOverride { link, .. }| link);
                [&network.default].into_iter().chain(others)
            };
            networks.iter().copied().flat_map(of)
        };
        if links().any(|link| link.bandwidth.is_some()) {
            return Err(
                "how long a message waits before a link of some bandwidth depends on the load",
            );
        }
        if scenario.disk.rate.is_some() && config.wal.policy != Policy::Off {
            return Err("how long a sync waits for a disk of some rate depends on the load");
        }
        let legs = networks.iter().flat_map(|network| {
            let legs = network.client_legs.iter().map(|leg| &leg.delay);
            [&network.client_delay].into_iter().chain(legs)
        });
        let slow = "a message may take longer than an hour";
        let lost = links().map(|link| parts(link.loss)).max().unwrap_or(0);
        Ok(Self {
            config,
            scenario,
            hop: slowest(links().map(|link| &link.delay)).ok_or(slow)?,
            usual_hop: links().map(|link| link.delay.usual()).max().unwrap_or_default(),
            client_hop: slowest(legs).ok_or(slow)?,
            lost,
            sync: syncs(config, scenario).ok_or("a sync may take longer than an hour")?,
            rate: slowest_clock(scenario),
        })
    }

    fn total(self) -> Result<Span, Unsaid> {
        let pauses = "a client may wait for longer than an hour before it tries again";
        let parts = [
            self.clients().ok_or(pauses)?,
            self.waits(),
            self.election()?,
            self.replication().ok_or(ALL_LOST)?,
        ];
        Ok(parts.into_iter().fold(Span::ZERO, plus))
    }

    /// What a node's timer of this length may take.
    fn timer(self, local: Span) -> Span {
        let length = u128::from(local.nanos()) * u128::from(ALL) / u128::from(self.rate.max(1));
        at_most(length)
    }

    /// How long after the healing the last client may be busy.
    fn clients(self) -> Option<Span> {
        let workload = self.scenario.workload.iter();
        let changed = self.scenario.changes.iter().filter_map(|change| change.workload.as_ref());
        let generated = workload.chain(changed).map(|workload| self.operation(&workload.retry));
        let generated = generated.collect::<Option<Vec<_>>>()?.into_iter().max();
        let generated = generated.unwrap_or_default();
        let mut script: Vec<_> = self.scenario.script.iter().collect();
        script.sort_by_key(|scripted| (scripted.client, scripted.at));
        let mut longest = generated;
        for own in script.chunk_by(|a, b| a.client == b.client) {
            let mut free = Time::ZERO;
            for scripted in own {
                free = free.max(scripted.at);
                free = Time::from_nanos(
                    free.nanos().saturating_add(self.operation(&scripted.retry)?.nanos()),
                );
            }
            let healed = Time::ZERO + self.scenario.duration;
            longest = longest.max(plus(generated, free.since(healed)));
        }
        Some(longest)
    }

    /// How long a client may be at one operation.
    fn operation(self, retry: &RetryPolicy) -> Option<Span> {
        let retries = retry.retries;
        let attempts = times(plus(retry.timeout, self.client_hop), u64::from(retries) + 1);
        let pauses =
            if retries == 0 { Span::ZERO } else { times(retry.backoff.slowest()?, retries.into()) };
        Some(plus(attempts, pauses))
    }

    /// How long a node may wait for others, for a request that has just come.
    fn waits(self) -> Span {
        let acknowledgements = match self.config.mode {
            Mode::Async => Span::ZERO,
            Mode::InSync { lag, .. } => {
                plus(self.timer(self.config.ack_timeout), self.timer(times(lag, 2)))
            }
            Mode::SemiSync { .. } | Mode::Sync => self.timer(self.config.ack_timeout),
        };
        let asks = self.scenario.asks_several_replicas();
        let reads = if asks { self.timer(self.config.reads.timeout) } else { Span::ZERO };
        let flushed = match self.config.wal.policy {
            Policy::Buffered { sync_every } => self.timer(sync_every),
            Policy::Off | Policy::Fsync | Policy::GroupCommit => Span::ZERO,
        };
        let once = [times(self.client_hop, 2), self.sync, times(self.hop, 2), self.sync];
        once.into_iter().fold(plus(acknowledgements.max(reads), flushed), plus)
    }

    /// Whether a leader may be given up that nothing is wrong with.
    fn may_elect_anew(self) -> bool {
        let failover = self.config.failover;
        let latest = plus(self.timer(failover.heartbeat), self.hop);
        failover.election != Election::None
            && self.scenario.cluster.nodes > 1
            && (self.lost > 0 || latest >= failover.timeout)
    }

    /// How long it may take until somebody leads, and all know it.
    fn election(self) -> Result<Span, Unsaid> {
        let failover = self.config.failover;
        if failover.election == Election::None {
            return Ok(Span::ZERO);
        }
        let beat = plus(self.timer(failover.heartbeat), self.usual_hop);
        if self.scenario.cluster.nodes > 1 && beat >= failover.timeout {
            return Err(
                "heartbeats may come later than `failover.timeout`, so that no leader lasts",
            );
        }
        let nodes = u64::from(self.scenario.cluster.nodes);
        let silence = self.timer(plus(failover.timeout, failover.jitter));
        let exchange = plus(times(self.hop, 2), self.sync);
        let heard = tries(self.lost).ok_or(ALL_LOST)?;
        let known = plus(times(self.timer(failover.heartbeat), heard), exchange);
        let rounds = match failover.election {
            Election::None => Span::ZERO,
            Election::MajorityVote { pre_vote, .. } => {
                let rounds = self.rounds(pre_vote)?;
                let jitter = Span::from_nanos(failover.jitter.nanos() / 2);
                let each = plus(self.timer(plus(failover.timeout, jitter)), exchange);
                times(each, rounds)
            }
            // The dead are given up, and a leader may give way to another.
            Election::LowestId { .. } | Election::NewestTimestamp => {
                plus(times(silence, 2), times(plus(self.timer(failover.heartbeat), exchange), 4))
            }
            // Each may be refused by one with a higher id.
            Election::HighestId => plus(
                silence,
                times(plus(times(self.timer(failover.heartbeat), 2), exchange), nodes),
            ),
        };
        Ok(plus(plus(silence, rounds), known))
    }

    /// How many rounds of votes there may be before somebody has a majority.
    fn rounds(self, pre_vote: bool) -> Result<u64, Unsaid> {
        let nodes = u64::from(self.scenario.cluster.nodes);
        if nodes == 1 {
            return Ok(1);
        }
        let majority = nodes / 2 + 1;
        // Who stands next has to hear of the first before its own election timeout ends.
        let lead = plus(plus(self.usual_hop, self.vote_sync()), Span::from_nanos(1)).nanos();
        let jitter = self.config.failover.jitter.nanos();
        if lead >= jitter {
            return Err(
                "candidates may stand at the same time again and again: `failover.jitter` is \
                 shorter than a vote is under way",
            );
        }
        let apart = ALL - at_most(u128::from(lead) * u128::from(ALL) / u128::from(jitter)).nanos();
        let kept = (ALL - self.lost).min(ALL - ALL / 100);
        let messages = 2 * (majority - 1) * if pre_vote { 2 } else { 1 };
        // Of those whose log nobody in a majority surpasses there may be but one where others stay
        // down.
        let forever = self.scenario.faults.iter().any(|fault| fault.forever);
        let electable = if forever { ALL / majority } else { (nodes - majority + 1) * ALL / nodes };
        let mut wins = electable;
        for _ in 0..nodes {
            wins = share(wins, apart);
        }
        for _ in 0..messages {
            wins = share(wins, kept);
        }
        tries(ALL - wins).ok_or("votes are lost or split too often")
    }

    /// How long it may take, with a leader, until all replicas hold the same.
    fn replication(self) -> Option<Span> {
        let answered = ALL - share(ALL - self.lost, ALL - self.lost);
        let exchange = plus(times(self.hop, 2), times(self.sync, 2));
        let resent = match self.config.resend {
            Some(interval) => times(self.timer(interval), tries(answered)?),
            None => Span::ZERO,
        };
        let caught_up = match self.config.failover.catch_up {
            CatchUp::None => Span::ZERO,
            // Back to what both have, and forth.
            CatchUp::FullState | CatchUp::Log => times(
                plus(self.timer(self.config.failover.heartbeat), exchange),
                2 * tries(answered)?,
            ),
        };
        let compared = match self.config.anti_entropy {
            Some(interval) => {
                let rounds = 4 * u64::from(self.scenario.cluster.nodes);
                let both = ALL - share(ALL - answered, ALL - self.lost);
                times(plus(self.timer(interval), exchange), rounds * tries(both)?)
            }
            None => Span::ZERO,
        };
        Some([exchange, resent, caught_up, compared].into_iter().fold(Span::ZERO, plus))
    }

    /// How long it usually takes to make a vote durable.
    fn vote_sync(self) -> Span {
        let election = self.config.failover.election;
        if matches!(election, Election::MajorityVote { persist_vote: true, .. }) {
            self.scenario.disk.sync.usual()
        } else {
            Span::ZERO
        }
    }
}

/// How often something has to be tried that fails with this chance, in parts per billion; `None`:
/// too often.
fn tries(fails: u64) -> Option<u64> {
    let mut left = fails;
    for tries in 1..=2_000 {
        if left <= NONE {
            return Some(tries);
        }
        left = share(left, fails);
    }
    None
}

/// The slowest sync, behind all that may be under way.
fn syncs(config: &Config, scenario: &Scenario) -> Option<Span> {
    let votes = !matches!(
        config.failover.election,
        Election::None | Election::MajorityVote { persist_vote: false, .. }
    );
    if config.wal.policy == Policy::Off && !votes {
        return Some(Span::ZERO);
    }
    let few = times(scenario.disk.sync.slowest()?, 4);
    if config.wal.policy != Policy::Fsync {
        return Some(few);
    }
    // One record a client, and one more for each attempt that it gave up.
    let attempts = |timeout: Span| {
        1 + scenario.duration.nanos().checked_div(timeout.nanos()).unwrap_or(u64::MAX).min(1 << 20)
    };
    let of_workload = scenario.workload.as_ref().map_or(0, |workload| {
        let most = u64::from(workload.clients) * attempts(workload.retry.timeout);
        workload.operations.map_or(most, |operations| most.min(operations))
    });
    let waiting = of_workload + scenario.script.len() as u64;
    Some(plus(few, times(scenario.disk.sync.mean()?, 2 * waiting)))
}

fn slowest<'a>(of: impl Iterator<Item = &'a Distribution>) -> Option<Span> {
    of.map(Distribution::slowest).try_fold(Span::ZERO, |most, one| Some(most.max(one?)))
}

/// The rate of the slowest clock, in parts per billion of true time.
fn slowest_clock(scenario: &Scenario) -> u64 {
    let own = scenario.clocks.iter().map(|clock| clock.drift_ppb);
    let faults = scenario.faults.iter().filter_map(|fault| {
        if let FaultAction::ClockDrift { ppb, .. } = fault.action { Some(ppb) } else { None }
    });
    let slowest = own.chain(faults).min().unwrap_or(0).min(0);
    ALL.saturating_sub(slowest.unsigned_abs()).max(1)
}

fn parts(share: Probability) -> u64 {
    share.parts_per_billion().into()
}

/// A share of a share, both in parts per billion; rounded up.
fn share(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    u64::try_from(product.div_ceil(u128::from(ALL))).unwrap_or(ALL)
}

fn at_most(nanos: u128) -> Span {
    Span::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX).min(Span::MAX.nanos()))
}

fn plus(one: Span, other: Span) -> Span {
    at_most(u128::from(one.nanos()) + u128::from(other.nanos()))
}

fn times(one: Span, count: u64) -> Span {
    at_most(u128::from(one.nanos()) * u128::from(count))
}
