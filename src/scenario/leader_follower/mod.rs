//! `[protocol.leader-follower]`.

use std::sync::LazyLock;

use serde_json::json;

use super::decode::Element;
use super::diagnostics::Problem;
use super::keys::{
    Format, Given, Needs, Section, boolean, choice, follower_count, interval, keys, named,
    node_count, positive_duration, words,
};
use super::{Awaited, ScenarioProtocol, TableDecoder};
use crate::config::{Cluster, Config as Scenario, LogMoment};
use crate::id::NodeId;
use crate::named::Named;
use crate::protocol::leader_follower::{
    CatchUp, Config, Defect, Defects, Deletes, Election, Failover, FullStateIs, LeaderFollower,
    Mode, OnAckTimeout, Shipping, TimestampSource, Timestamps, WalOn,
};
use crate::protocol::parts::store::TieBreak;
use crate::protocol::parts::wal::Policy;
use crate::time::Span;

mod failover;
mod read;
mod timestamps;
mod wal;

const ON_ACK_TIMEOUT: [(&str, OnAckTimeout); 2] =
    [("succeed", OnAckTimeout::Succeed), ("fail", OnAckTimeout::Fail)];
const REPLICATION: [(&str, Shipping); 2] =
    [("entry", Shipping::Entry), ("full-state", Shipping::FullState)];
const FULL_STATE: [(&str, FullStateIs); 2] =
    [("replace", FullStateIs::Replacing), ("merge", FullStateIs::Merged)];
const DELETES: [(&str, Deletes); 2] =
    [("tombstone", Deletes::Tombstone), ("erase", Deletes::Erase)];

/// The settings of an empty table.
const DEFAULT: Config = Config {
    mode: Mode::Async,
    ack_timeout: Span::from_secs(5),
    on_ack_timeout: OnAckTimeout::Succeed,
    replication: Shipping::Entry,
    full_state: FullStateIs::Replacing,
    resend: None,
    deletes: Deletes::Tombstone,
    deduplicate: false,
    tombstone_grace: None,
    timestamps: Timestamps {
        source: TimestampSource::Wall,
        resolution: Span::from_nanos(1),
        ties: TieBreak::NodeId,
    },
    reads: read::DEFAULT,
    anti_entropy: None,
    wal: wal::DEFAULT,
    failover: Failover::NONE,
    defects: Defects::NONE,
};

const IN_SYNC: Mode = Mode::InSync { min: 1, lag: Span::from_secs(10) };
/// Without its `write-quorum`, which is required.
const SEMI_SYNC: Mode = Mode::SemiSync { write_quorum: 0 };

impl ScenarioProtocol for LeaderFollower {
    const NAME: &'static str = "leader-follower";
    const INITIAL_LEADER: Option<NodeId> = Some(NodeId(0));

    fn section() -> &'static Section<Config> {
        static SECTION: LazyLock<Section<Config>> = LazyLock::new(section);
        &SECTION
    }

    fn check(config: &Config, cluster: &Cluster, table: &mut TableDecoder<'_>) -> Option<()> {
        contradiction(config, table)?;
        log_on_the_leader_alone(config, cluster, table)
    }

    fn awaited(config: &Config, scenario: &Scenario) -> Option<Awaited> {
        let waits_for_disk = matches!(config.wal.policy, Policy::Fsync | Policy::GroupCommit);
        let is_plain =
            !waits_for_disk && config.failover == Failover::NONE && config.resend.is_none();
        let counts = !matches!(config.mode, Mode::InSync { .. });
        let acknowledgements = config.mode.quorum(scenario.cluster.nodes - 1);
        let ack_timeout = config.ack_timeout;
        (is_plain && counts).then_some(Awaited { acknowledgements, ack_timeout })
    }

    fn timescales(config: &Config) -> Vec<Span> {
        let Failover { election, heartbeat, timeout, look_every, jitter, .. } = config.failover;
        let elects = election != Election::None;
        let sync_every = match config.wal.policy {
            Policy::Buffered { sync_every } => Some(sync_every),
            Policy::Off | Policy::Fsync | Policy::GroupCommit => None,
        };
        let lag = match config.mode {
            Mode::InSync { lag, .. } => Some(lag),
            Mode::Async | Mode::SemiSync { .. } | Mode::Sync => None,
        };
        let waits = config.mode != Mode::Async;
        // Catch-up uses heartbeats even without an election.
        let beats = elects || config.failover.catch_up != CatchUp::None;
        let lengths = [
            beats.then_some(heartbeat),
            elects.then_some(timeout),
            elects.then_some(jitter),
            look_every,
            waits.then_some(config.ack_timeout),
            config.resend,
            config.anti_entropy,
            config.tombstone_grace,
            sync_every,
            lag,
        ];
        let mut timescales: Vec<Span> =
            lengths.into_iter().flatten().filter(|length| !length.is_zero()).collect();
        timescales.sort_unstable();
        timescales.dedup();
        timescales
    }

    /// Its log has no commit index, and no snapshot but one from another node.
    fn moments(config: &Config) -> &'static [LogMoment] {
        match (config.failover.catch_up, config.failover.election) {
            (CatchUp::None | CatchUp::FullState, _) => &[],
            (CatchUp::Log, Election::MajorityVote { .. }) => {
                &[LogMoment::Votes, LogMoment::Truncates, LogMoment::Installs]
            }
            (
                CatchUp::Log,
                Election::None
                | Election::LowestId { .. }
                | Election::HighestId
                | Election::NewestTimestamp,
            ) => &[LogMoment::Truncates, LogMoment::Installs],
        }
    }
}

fn section() -> Section<Config> {
    let section = Section::new(
        "One node leads and sends each write to the others, which follow it.",
        DEFAULT,
    );
    let section = replication(with_mode(section)).with(keys! { |config: Config|
        "failover" => config.failover, failover::section().format();
        "read" => config.reads, read::section().format();
        "anti-entropy" => config.anti_entropy, read::anti_entropy().format();
        "wal" => config.wal, wal::section().format();
        /// Mistakes of real systems, built in on purpose.
        "defects" => config.defects, defects();
    });
    timestamps::with_timestamps(section)
}

/// The section with the keys that say when a write is answered.
fn with_mode(section: Section<Config>) -> Section<Config> {
    let modes = vec![Mode::Async, SEMI_SYNC, Mode::Sync, IN_SYNC];
    section.with(keys! { |config: Config|
        /// When a write is answered: at once, when `write-quorum` followers have confirmed it, when
        /// all have, or when all have that are in sync.
        "mode" => config.mode, choice(modes, |mode| mode.name()), checked(has_its_quorum);
        /// With mode `semi-sync`: how many follower acknowledgements a write waits for.
        "write-quorum" => config.mode => Mode::SemiSync { write_quorum } => write_quorum,
            follower_count("the write quorum is {}"), without_default(), needs(Needs {
                key: "mode",
                what: "mode `semi-sync`",
                why: "no other mode counts a quorum",
                set: |config| config.mode = SEMI_SYNC,
            });
        "in-sync" => config.mode => mode @ Mode::InSync { .. } => mode,
            in_sync().format(), needs(Needs {
                key: "mode",
                what: "mode `in-sync`",
                why: "no other mode has an in-sync set",
                set: |config| config.mode = IN_SYNC,
            });
        /// How long the leader waits for confirmations.
        "ack-timeout" => config.ack_timeout, positive_duration();
        /// What the leader answers when too few come in time: ok, marked degraded, or that the
        /// outcome is unknown.
        "on-ack-timeout" => config.on_ack_timeout, words(ON_ACK_TIMEOUT);
    })
}

/// The section with the keys that say what is sent, and what becomes of it.
fn replication(section: Section<Config>) -> Section<Config> {
    section.with(keys! { |config: Config|
        /// What the leader sends: the write, or everything it stores.
        "replication" => config.replication, words(REPLICATION);
        /// What a follower does with everything that its leader stores: it takes that in place
        /// of what it has, or takes each key in it and keeps the others.
        "full-state" => config.full_state, words(FULL_STATE);
        /// After how long what a follower has not confirmed is sent to it again: of each key
        /// the newest write.
        "resend" => config.resend, interval().or_word("off");
        /// What a delete leaves: a tombstone, so that an older write that arrives late loses,
        /// or nothing.
        "deletes" => config.deletes, words(DELETES);
        /// Whether the leader knows an append that is tried again, by its element, and does not
        /// append twice.
        "deduplicate" => config.deduplicate, boolean();
    })
}

fn has_its_quorum(mode: Mode, given: &Given<'_, '_, Config>) -> Option<Mode> {
    if mode == SEMI_SYNC && !given.table.has("write-quorum") {
        let followers = given.table.nodes().saturating_sub(1);
        return given.element.wrong(
            "mode `semi-sync` needs a `write-quorum`",
            format!("how many of the {followers} followers must confirm a write?"),
        );
    }
    Some(mode)
}

fn in_sync() -> Section<Mode> {
    Section::new("With mode `in-sync`: who is in sync.", IN_SYNC).with(keys! { |mode: Mode|
        /// How many nodes must be in sync for writes to be accepted, the leader included.
        "min" => *mode => Mode::InSync { min, .. } => min, node_count();
        /// How long a follower may be behind before it is out of sync.
        "lag" => *mode => Mode::InSync { lag, .. } => lag, interval();
    })
}

/// A list of defects by name.
fn defects() -> Format<Defects> {
    let words = Defect::words();
    let shape = named::<Defect>().shape().clone().list(json!({}));
    let read = move |list: &Element<'_>| {
        let mut defects = Defects::NONE;
        list.list(|name| {
            defects.insert(name.choice(&words)?);
            Some(())
        })?;
        Some(defects)
    };
    Format::new(shape, read, |defects| {
        defects.iter().map(|defect| defect.name().into()).collect::<Vec<toml::Value>>().into()
    })
}

/// Refuses settings that contradict one another.
fn contradiction(config: &Config, table: &mut TableDecoder<'_>) -> Option<()> {
    let is_log = config.failover.catch_up == CatchUp::Log;
    if is_log && config.replication == Shipping::FullState {
        return table.wrong(
            "catch-up by `log` sends single writes, and replication `full-state` sends none",
            "expected replication `entry`, or another `catch-up`",
        );
    }
    let sends_states =
        config.replication == Shipping::FullState || config.failover.catch_up == CatchUp::FullState;
    if config.full_state == FullStateIs::Merged && !sends_states {
        let is_stale = ["replication", "failover"]
            .into_iter()
            .any(|key| table.get(key).is_some_and(|given| given.is_from_argument()));
        if !is_stale {
            return table.get("full-state").and_then(|given| {
                given.wrong(
                    "no full state is ever sent that could be merged",
                    "expected replication `full-state`, or a `failover.catch-up` of `full-state`",
                )
            });
        }
    }
    if is_log && config.resend.is_some() {
        return table.wrong(
            "with catch-up by `log` what is missing is asked for after a heartbeat, and `resend` \
             has no say",
            "expected `resend` to be off, or another `catch-up`",
        );
    }
    if is_log && config.anti_entropy.is_some() {
        return table.wrong(
            "with catch-up by `log` only the leader fills a follower in, and `anti-entropy` fills \
             in behind its back",
            "expected no `anti-entropy`, or another `catch-up`",
        );
    }
    if let Mode::InSync { lag, .. } = config.mode
        && lag <= config.failover.heartbeat
    {
        return table.wrong(
            format!("a follower is out of sync after {lag}, and says that it is there no sooner"),
            format!(
                "expected an `in-sync.lag` above the heartbeat of {}",
                config.failover.heartbeat
            ),
        );
    }
    if !is_log && matches!(config.mode, Mode::InSync { .. }) {
        return table.wrong(
            "mode `in-sync` needs catch-up by `log`: without one nobody knows who has everything",
            "expected `failover.catch-up = \"log\"`",
        );
    }
    Some(())
}

/// Refuses a log on the leader alone where the leader may change. A new leader would first have to
/// log what it took as a follower, and a deposed one would replay an old log.
fn log_on_the_leader_alone(
    config: &Config,
    cluster: &Cluster,
    table: &mut TableDecoder<'_>,
) -> Option<()> {
    if config.wal.on == WalOn::All {
        return Some(());
    }
    let why = if config.failover.election != Election::None {
        "with an election another node may lead, which has kept no log"
    } else if cluster.initial_leader.is_none() {
        "nobody leads from the start, so nobody would keep a log"
    } else {
        return Some(());
    };
    let wal = table.get("wal")?;
    let at = wal.node.get("on").map_or(wal.at(), |on| on.at);
    let label = "expected `all`, or a leader for ever: the election `none` and an `initial-leader`";
    wal.sink().push(Problem::new(at, format!("only the leader keeps a log, and {why}"), label));
    None
}
